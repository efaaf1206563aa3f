//! A rule: what its publisher says about it, and what it looks for.

use std::{fmt, sync::Arc, time::Duration};

use lurcher_diagnostics::Span;
use lurcher_schema::{Cron, LogSource, Object, RelativeTime, Value};

use crate::RuleBody;

/// A published detection, ready to be compiled.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Everything that its publisher says about it.
    pub meta: RuleMeta,
    /// What it looks for; `None` if that cannot be run, and [`Support`] says why, or if it only serves other rules and
    /// raises nothing itself.
    pub body: Option<RuleBody>,
    /// Whether it runs exactly as at its vendor's.
    pub support: Support,
}

/// What a rule's publisher says about it. Nothing of the file is lost: what has no field here is in `extra`.
#[derive(Clone, Debug, Default)]
pub struct RuleMeta {
    /// The publisher's id, usually a UUID.
    pub id: Arc<str>,
    /// Its name.
    pub name: String,
    /// Whose format it is in: `elastic`, `splunk`, `sigma`, `lurcher`.
    pub vendor: &'static str,
    /// The query's language: `eql`, `kuery`, `lucene`, `esql`, `spl`, `spl2`, `sigma`.
    pub language: &'static str,
    /// The publisher's word for its type: `eql`, `threshold`, `TTP`, `Anomaly`, `Correlation` …
    pub kind: String,
    /// The file, as given.
    pub path: String,
    /// The publisher's version; may be empty.
    pub version: String,
    /// `production`, `experimental`, `deprecated`, `development`; may be empty.
    pub status: String,
    /// The query as published.
    pub query: String,
    /// What it is about.
    pub description: String,
    /// Who wrote it.
    pub authors: Vec<String>,
    /// Its licence; may be empty.
    pub license: String,
    /// When it was first published, as written.
    pub created: String,
    /// When it was last changed, as written.
    pub updated: String,
    /// How bad a hit is.
    pub severity: Severity,
    /// 0–100.
    pub risk_score: f64,
    /// What the risk score was made from.
    pub risk_source: RiskSource,
    /// Severity taken from an event's field.
    pub severity_mapping: Vec<OverrideMapping>,
    /// Risk score taken from an event's field.
    pub risk_score_mapping: Vec<OverrideMapping>,
    /// The field of the event that the alert is named by, if it has it.
    pub name_override: Option<String>,
    /// What an alert says, with `$field$` to be filled in; may be empty.
    pub message: Message,
    /// ATT&CK tactics and techniques.
    pub threats: Vec<Threat>,
    /// Analytic stories.
    pub stories: Vec<String>,
    /// Phases of the kill chain.
    pub kill_chain: Vec<String>,
    /// NIST CSF categories.
    pub nist: Vec<String>,
    /// CIS controls.
    pub cis: Vec<String>,
    /// CVE ids.
    pub cve: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// URLs.
    pub references: Vec<String>,
    /// Known false positives.
    pub false_positives: Vec<String>,
    /// The investigation guide, Markdown; may be empty.
    pub guide: String,
    /// How to set it up, Markdown; may be empty.
    pub setup: String,
    /// Fields that it needs, as its publisher lists them.
    pub required_fields: Vec<String>,
    /// The data sources that its publisher names.
    pub data_sources: Vec<String>,
    /// The domain or platform that its publisher names: `endpoint`, `network`, `windows` …
    pub platforms: Vec<String>,
    /// Who and what an alert is about.
    pub entities: Vec<Entity>,
    /// When it runs at its vendor's and how far it looks back.
    pub schedule: Schedule,
    /// Which of its alerts are counted instead of raised.
    pub suppression: Option<Suppression>,
    /// What an alert of it is.
    pub alert_kind: AlertKind,
    /// The field that the vendor orders and selects events by, if not the event's own time.
    pub timestamp_override: Option<String>,
    /// The field that breaks ties of time.
    pub tiebreaker: Option<String>,
    /// The events that it sees.
    pub sources: Sources,
    /// Everything else in the file, as it stands there.
    pub extra: Object,
}

/// Which events a rule sees at its vendor's.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Sources {
    /// All that carry its fields.
    #[default]
    Any,
    /// Those in indices and data streams whose names match one of these patterns (`*` is the wildcard; a pattern
    /// that begins with `-` takes away).
    Indices(Vec<String>),
    /// Those of log sources that this covers.
    LogSource(LogSource),
}

/// How bad a hit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Severity {
    /// Not bad at all.
    Informational,
    /// Low.
    #[default]
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// All, from the least.
    pub const ALL: [Self; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity of that name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a risk score was made from.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub enum RiskSource {
    /// Stated in the file.
    #[default]
    Stated,
    /// Impact × confidence / 100.
    ImpactConfidence {
        /// 0–100.
        impact: f64,
        /// 0–100.
        confidence: f64,
    },
}

/// An alert's severity or risk score taken from the event.
#[derive(Clone, Debug, PartialEq)]
pub struct OverrideMapping {
    /// The event's field.
    pub field: String,
    /// The value that it must equal, as text; empty: any.
    pub equals: String,
    /// The severity or score then; null: the field's own value.
    pub then: Value,
}

/// An alert's message.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Message {
    /// The text with `$field$` or `{{field}}` where the event's or row's values go.
    pub template: String,
}

/// A tactic and its techniques, as the rule names them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Threat {
    /// `MITRE ATT&CK`.
    pub framework: String,
    /// Id and name of the tactic, such as `TA0003` and `Persistence`; empty if only techniques are named.
    pub tactic: (String, String),
    /// Ids and names of techniques and sub-techniques, such as `T1197` and `BITS Jobs`; a name may be empty.
    pub techniques: Vec<(String, String)>,
}

/// Who or what an alert is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// The field, in the rule's own taxonomy or a column of its result.
    pub field: String,
    /// What it is.
    pub kind: EntityType,
    /// What part it plays.
    pub role: EntityRole,
    /// The risk score that is given to it, if the rule states one of its own.
    pub score: Option<f64>,
}

/// What an entity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityType {
    /// A user or account.
    User,
    /// A host or device.
    System,
    /// A process.
    Process,
    /// A file.
    File,
    /// An IP address.
    Ip,
    /// Anything else.
    Other,
}

impl EntityType {
    /// The lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::System => "system",
            Self::Process => "process",
            Self::File => "file",
            Self::Ip => "ip",
            Self::Other => "other",
        }
    }
}

/// What part an entity plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityRole {
    /// It was attacked: a risk object.
    Victim,
    /// It attacks: a threat object.
    Attacker,
    /// Neither is said.
    Other,
}

impl EntityRole {
    /// The lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Victim => "victim",
            Self::Attacker => "attacker",
            Self::Other => "other",
        }
    }
}

/// When a rule runs at its vendor's and what it is shown then.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Schedule {
    /// How often.
    pub interval: Option<Duration>,
    /// When, if that is no plain interval.
    pub cron: Option<Cron>,
    /// Where its window begins, as written (`now-9m`, `-70m@m`).
    pub from: String,
    /// Where its window ends, as written.
    pub to: String,
    /// The window, relative to the time of the run, both ends included; `None` if it is not known.
    pub look_back: Option<LookBack>,
    /// At most so many alerts a run.
    pub max_alerts: Option<u64>,
    /// Which matches of a run are kept if there are more.
    pub overflow: Overflow,
}

impl Schedule {
    /// Whether it says when to run and what to look at.
    pub fn recurs(&self) -> bool {
        self.look_back.is_some() && (self.cron.is_some() || self.interval.is_some())
    }
}

/// The time that one run of a rule looks at, relative to when it runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct LookBack {
    /// The first moment.
    pub from: RelativeTime,
    /// The last moment.
    pub to: RelativeTime,
}

/// What becomes of matches beyond the most alerts that a run may raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// The oldest that have not been alerted yet are kept. A later run whose window still holds the others alerts
    /// them.
    #[default]
    KeepOldest,
    /// The query itself yields only so many, the latest; what was alerted before counts too.
    KeepLatest,
}

/// Alerts that are alike are counted, not raised again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Alerts are alike if these fields have equal values (the values of a list as a set); none: all are alike.
    pub fields: Vec<String>,
    /// Each value of a list counts for itself: an event with two is in two groups, and an alert in each.
    pub each: bool,
    /// For how long after the first of them, by the time of the run that raised it; `None`: within one run.
    pub period: Option<Duration>,
    /// What is done with alerts that lack one of the fields.
    pub missing: MissingFields,
}

/// What suppression does with alerts that lack one of its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum MissingFields {
    /// Missing is a value like any other.
    #[default]
    Suppress,
    /// Each is raised.
    Raise,
}

/// What an alert of a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum AlertKind {
    /// For an analyst to look at.
    #[default]
    Finding,
    /// Adds to the risk of its entities.
    Risk,
    /// Only for other rules to build on.
    BuildingBlock,
}

impl AlertKind {
    /// The lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Risk => "risk",
            Self::BuildingBlock => "building_block",
        }
    }
}

/// Whether a rule runs as at its vendor's, with the reasons if not.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Support {
    /// Why it is less than exact; empty if it is exact.
    pub reasons: Vec<SupportReason>,
}

/// One reason for a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupportReason {
    /// The verdict that it leads to.
    pub verdict: Verdict,
    /// A stable, readable name such as `language` or `anomaly-model`.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// Where in the query, if it is one place.
    pub span: Option<Span>,
}

/// Whether a rule runs as at its vendor's. From best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Verdict {
    /// As at its vendor's.
    #[default]
    Exact,
    /// Nearly.
    Approximate,
    /// Not at all, though nothing is wrong with it.
    Unsupported,
    /// Not at all: it is faulty.
    Error,
}

impl Verdict {
    /// The lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Approximate => "approximate",
            Self::Unsupported => "unsupported",
            Self::Error => "error",
        }
    }
}

impl Support {
    /// The worst of the reasons' verdicts.
    pub fn verdict(&self) -> Verdict {
        self.reasons.iter().map(|reason| reason.verdict).max().unwrap_or_default()
    }
}
