//! An alert: what the detector found, and what people made of it.

use lurcher_schema::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{rfc3339, word::words};

words! {
    /// What an alert is for.
    pub enum AlertKind {
        /// For an analyst to look at.
        Finding = "finding",
        /// Adds to the risk of what it is about, no more.
        Risk = "risk",
        /// For other rules to build on.
        BuildingBlock = "building_block",
        /// Risk that has come together on one object.
        Incident = "incident",
    }
}

words! {
    /// How bad it is, from the least.
    pub enum Severity {
        /// Good to know.
        Informational = "informational",
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
        /// Critical.
        Critical = "critical",
    }
}

words! {
    /// How far the work on an alert has come.
    pub enum Status {
        /// Nobody has looked at it.
        Open = "open",
        /// Somebody is at it.
        Acknowledged = "acknowledged",
        /// Done.
        Closed = "closed",
    }
}

words! {
    /// What an alert turned out to be.
    pub enum Disposition {
        /// Not decided.
        Undetermined = "undetermined",
        /// What the rule looks for, and malicious.
        TruePositive = "true_positive",
        /// What the rule looks for, but allowed or harmless.
        BenignPositive = "benign_positive",
        /// Not what the rule looks for.
        FalsePositive = "false_positive",
        /// The same as another alert.
        Duplicate = "duplicate",
        /// A test, an exercise.
        Test = "test",
    }
}

/// Which rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRule {
    /// The publisher's id.
    pub id: String,
    /// Its name, or what its name override took from the event.
    pub name: String,
    /// Whose format it is in.
    pub vendor: String,
    /// The query's language.
    pub language: String,
    /// The publisher's version.
    pub version: String,
    /// Its file, as given.
    pub path: String,
}

/// Who or what an alert is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// The rule's name for the field.
    pub field: String,
    /// Its value.
    pub value: String,
    /// What it is: `user`, `system`, `process`, `file`, `ip`, `other`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What part it plays: `victim`, `attacker`, `other`.
    pub role: String,
}

/// An alert as the detector found it. Never changed, but for how many further ones it stands for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewAlert {
    /// The same for the same rule and events, whenever they are looked at. An alert with an id that is there already
    /// changes nothing.
    pub id: String,
    /// When it happened; where no event says, when it was detected.
    #[serde(with = "rfc3339")]
    pub time: Timestamp,
    /// When it was detected.
    #[serde(with = "rfc3339")]
    pub detected: Timestamp,
    /// The rule.
    pub rule: AlertRule,
    /// What it is for.
    pub kind: AlertKind,
    /// How bad it is.
    pub severity: Severity,
    /// 0–100.
    pub risk_score: f64,
    /// What happened.
    pub message: String,
    /// Ids of ATT&CK tactics.
    pub tactics: Vec<String>,
    /// Ids of ATT&CK techniques and sub-techniques.
    pub techniques: Vec<String>,
    /// Analytic stories.
    pub stories: Vec<String>,
    /// Who and what it is about.
    pub entities: Vec<Entity>,
    /// How many events made it.
    pub event_count: u64,
    /// How many further alerts it stands for.
    pub suppressed: u64,
    /// Until when further ones are counted in it; `None`: none are.
    #[serde(with = "rfc3339::optional", default)]
    pub suppression_end: Option<Timestamp>,
    /// What it is grouped by; empty: by what [`crate::Triage::set_grouping`] says.
    #[serde(default)]
    pub group_key: String,
    /// The whole alert in the native layout, with its events. Null where alerts are listed. Where it was larger than
    /// allowed, it lacks events and says so in a member `cut`.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub document: Json,
}

/// An alert as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// As it was found.
    #[serde(flatten)]
    pub found: NewAlert,
    /// How far the work on it is.
    pub status: Status,
    /// Who works on it; empty: nobody.
    pub assignee: String,
    /// What people marked it with, in order.
    pub tags: Vec<String>,
    /// What it turned out to be.
    pub disposition: Disposition,
    /// The silence or maintenance window for which nobody was told of it.
    pub silenced_by: Option<String>,
    /// Goes up by one with every change that people make.
    pub revision: u64,
    /// When people last changed it; else when it was written down.
    #[serde(with = "rfc3339")]
    pub changed: Timestamp,
}

words! {
    /// What was changed.
    pub enum ChangedField {
        /// The status.
        Status = "status",
        /// Who works on it.
        Assignee = "assignee",
        /// What it turned out to be.
        Disposition = "disposition",
        /// A tag: from nothing to it, or from it to nothing.
        Tag = "tag",
        /// A comment was made.
        Comment = "comment",
    }
}

/// One thing that somebody did to an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Counts up over all alerts.
    pub number: u64,
    /// When.
    #[serde(with = "rfc3339")]
    pub time: Timestamp,
    /// Who.
    pub who: String,
    /// What was changed.
    pub what: ChangedField,
    /// What it was; empty: nothing.
    pub from: String,
    /// What it became, or the comment; empty: nothing.
    pub to: String,
    /// The alert's revision after it.
    pub revision: u64,
}

/// An alert with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertDetail {
    /// The alert, with its document.
    #[serde(flatten)]
    pub alert: Alert,
    /// What was done to it, oldest first.
    pub history: Vec<HistoryEntry>,
}

/// By what alerts are grouped, if the detector does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Grouping {
    /// One rule about one entity.
    #[default]
    RuleAndEntity,
    /// Whatever is about one entity within a span of time.
    Entity {
        /// The span in seconds; spans are counted from 1970, so that a group does not depend on what came first.
        within_seconds: u32,
    },
    /// One rule.
    Rule,
}

impl Grouping {
    /// The key of an alert: equal for alerts of one group.
    ///
    /// The entity is the first victim, else the first of all; an alert without any is grouped by its rule.
    pub fn key(self, alert: &NewAlert) -> String {
        let victim = alert.entities.iter().find(|entity| entity.role == "victim");
        let entity = victim.or(alert.entities.first()).map(|entity| entity.value.to_lowercase());
        match (self, entity) {
            (Self::RuleAndEntity, Some(entity)) => format!("rule={} entity={entity}", alert.rule.id),
            (Self::Entity { within_seconds }, Some(entity)) => {
                let span = i64::from(within_seconds.max(1)) * 1_000_000;
                let start = Timestamp(alert.time.0.div_euclid(span) * span);
                format!("entity={entity} from={start}")
            }
            (Self::Rule | Self::RuleAndEntity | Self::Entity { .. }, _) => format!("rule={}", alert.rule.id),
        }
    }
}
