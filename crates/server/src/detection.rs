//! What the API asks of the detector, of the store of events and of the deliveries: the seams behind which they work.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::sync::Arc;
use utoipa::ToSchema;

use crate::{content::ContentKind, jobs::Job};

/// Why the detector does not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such rule, stream or target.
    Unknown(String),
    /// It cannot be done, and why: a query that cannot be read, a rule that cannot be disabled.
    Invalid(String),
    /// Something broke; for the log.
    Failed(String),
}

/// Runs rules over what comes in, and over what is stored.
///
/// Calls come from handlers of the API, many at a time. Those that take long are given a [`Job`]: they put rows into it
/// and look now and then whether it was cancelled.
#[async_trait]
pub trait Detection: Send + Sync {
    /// All rules that are loaded or could not be, by id.
    fn rules(&self) -> Vec<RuleInfo>;

    /// One of them.
    fn rule(&self, id: &str) -> Option<RuleInfo> {
        self.rules().into_iter().find(|rule| rule.id == id)
    }

    /// The text of the file that the rule is in.
    async fn source(&self, id: &str) -> Result<String, Refused>;

    /// Runs a rule from now on, or no more. It stays so over restarts.
    async fn set_enabled(&self, id: &str, change: Enablement) -> Result<(), Refused>;

    /// What is wrong with a file of rules or of a list, without taking it.
    async fn check(&self, kind: ContentKind, name: &str, text: &[u8]) -> Vec<Finding>;

    /// Reads rules, exceptions, macros, lookups and value lists again, and goes on with them. No event is missed.
    async fn reload(&self) -> Result<Reloaded, Refused>;

    /// Runs a query over stored events. Rows go into the job; what is returned is its summary.
    async fn hunt(&self, hunt: Hunt, job: Arc<Job>) -> Result<Json, Refused>;

    /// Runs a rule over stored events on the virtual clock, and tells nobody. Alerts in the native layout go into the job.
    async fn simulate(&self, simulation: Simulation, job: Arc<Job>) -> Result<Json, Refused>;

    /// Runs a rule over stored events and keeps what it finds, as if it had run then: to fill a gap, or for a new rule.
    /// What it finds that is known already changes nothing.
    async fn backfill(&self, backfill: Backfill, job: Arc<Job>) -> Result<Json, Refused>;

    /// An alert that is kept in the native layout, in another one.
    fn render(&self, document: &Json, form: DocumentForm) -> Result<Json, Refused>;
}

/// The tables of events.
#[async_trait]
pub trait Streams: Send + Sync {
    /// All data streams, by name.
    async fn streams(&self) -> Result<Vec<StreamInfo>, Refused>;
}

/// Whom alerts are told.
#[async_trait]
pub trait Courier: Send + Sync {
    /// The targets of the settings, in their order.
    fn targets(&self) -> Vec<TargetInfo>;

    /// Sends a made-up alert to the target at once. The error is what the target or the way to it said.
    async fn test(&self, target: &str) -> Result<(), Refused>;
}

/// A rule.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct RuleInfo {
    /// The publisher's id, or the path where it has none.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whose format it is in: `elastic`, `splunk`, `sigma`, `lurcher`.
    pub vendor: String,
    /// The query's language.
    pub language: String,
    /// The rule's type, as its publisher calls it.
    #[serde(rename = "type")]
    pub kind: String,
    /// The publisher's version.
    pub version: String,
    /// Its file.
    pub path: String,
    /// Whether the file came over the API.
    pub own: bool,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// 0–100.
    pub risk_score: f64,
    /// Ids of ATT&CK tactics.
    pub tactics: Vec<String>,
    /// Ids of ATT&CK techniques.
    pub techniques: Vec<String>,
    /// Analytic stories.
    pub stories: Vec<String>,
    /// How it is evaluated: `arrival`, or its schedule in words.
    pub schedule: String,
    /// Whether it is to run.
    pub enabled: bool,
    /// `exact`, `approximate`, `unsupported` or `error`.
    pub verdict: String,
    /// Why it is not exact.
    pub reasons: Vec<String>,
}

/// That a rule is to run or not.
#[derive(Clone, Debug)]
pub struct Enablement {
    /// Whether it is to run.
    pub enabled: bool,
    /// Who says so.
    pub who: String,
    /// Why.
    pub why: String,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Finding {
    /// Whether the file cannot be used because of it.
    pub is_error: bool,
    /// What is wrong, and the way out.
    pub message: String,
    /// Where, counted from 1.
    pub line: Option<u32>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reloaded {
    /// Rules that run.
    pub rules: u64,
    /// Rules that cannot run, and files that cannot be read: each with its reason.
    pub faults: Vec<String>,
}

/// A query over stored events.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hunt {
    /// `eql`, `kuery`, `lucene`, `esql`, `spl`, `spl2` or `sigma`.
    #[schema(max_length = 16)]
    pub language: String,
    /// The query.
    #[schema(min_length = 1, max_length = 65536)]
    pub text: String,
    /// The data streams, with `*` for any text; none: all.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub streams: Vec<String>,
    /// From this time on; RFC 3339.
    #[serde(default)]
    pub from: Option<String>,
    /// Before this time; RFC 3339.
    #[serde(default)]
    pub to: Option<String>,
    /// At most so many rows.
    #[serde(default = "default_limit")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub limit: usize,
}

fn default_limit() -> usize {
    1000
}

/// A rule over stored events, telling nobody.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// The id of a rule that is loaded, or nothing if `text` is given.
    #[serde(default)]
    #[schema(max_length = 512)]
    pub rule: Option<String>,
    /// The text of a rule's file.
    #[serde(default)]
    #[schema(max_length = 1_048_576)]
    pub text: Option<String>,
    /// From this time on; RFC 3339.
    pub from: String,
    /// Before this time; RFC 3339.
    pub to: String,
    /// At most so many alerts.
    #[serde(default = "default_limit")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub limit: usize,
}

/// A rule over stored events, keeping what it finds.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Backfill {
    /// The id of the rule.
    #[schema(min_length = 1, max_length = 512)]
    pub rule: String,
    /// From this time on; RFC 3339.
    pub from: String,
    /// Before this time; RFC 3339.
    pub to: String,
}

/// How an alert is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DocumentForm {
    /// Lurcher's own.
    #[default]
    Native,
    /// As Elastic's detection engine writes it.
    Elastic,
    /// As a Splunk risk event or finding.
    Splunk,
    /// As an OCSF finding.
    Ocsf,
}

/// A data stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct StreamInfo {
    /// Its name.
    pub name: String,
    /// Events.
    pub rows: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Its files.
    pub files: u64,
    /// The time of the first event; RFC 3339.
    pub first: Option<String>,
    /// The time of the last event; RFC 3339.
    pub last: Option<String>,
}

/// Who is told of alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TargetInfo {
    /// Its name.
    pub name: String,
    /// How it is told: `slack`, `email`, `syslog` …
    pub kind: String,
    /// Alerts that it was told of since the start.
    pub delivered: u64,
    /// Attempts that failed since the start.
    pub failed: u64,
}
