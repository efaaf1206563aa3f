//! What a rule found.

use std::sync::Arc;

use lurcher_ir::{AlertKind, EntityRole, EntityType, Rule, Severity};
use lurcher_schema::{Event, Object, Timestamp};

/// What a rule found: the rule, the events that made it, and what it says about them.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The same for the same rule and events in every run, whatever file, format, thread or batch they came in.
    pub id: String,
    /// The rule.
    pub rule: Arc<Rule>,
    /// Its name, or what the rule's name override took from the event.
    pub name: String,
    /// When: the time of the last of its events.
    pub time: Option<Timestamp>,
    /// What it is.
    pub kind: AlertKind,
    /// After the rule's severity mapping.
    pub severity: Severity,
    /// 0–100, after the rule's risk-score mapping.
    pub risk_score: f64,
    /// The rule's message with the event's values filled in; a sentence of our own if the rule has none.
    pub message: String,
    /// Who and what it is about: the rule's entities that the event or row has values for.
    pub entities: Vec<AlertEntity>,
    /// The events that made it, in order; `None` stands for the absent event of a sequence. Of many, the first.
    pub events: Vec<Option<Event>>,
    /// How many events made it in all.
    pub event_count: u64,
    /// The join keys of a sequence or sample, in order.
    pub join_keys: Vec<lurcher_schema::Value>,
    /// The row that a pipeline ended with; empty otherwise.
    pub values: Object,
    /// How many further alerts it stands for.
    pub suppressed: u64,
}

/// Who or what an alert is about.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertEntity {
    /// The rule's name for the field.
    pub field: String,
    /// Its value.
    pub value: String,
    /// What it is.
    pub kind: EntityType,
    /// What part it plays.
    pub role: EntityRole,
    /// The risk score given to it, if the rule states one.
    pub score: Option<f64>,
}

/// Where alerts go.
pub trait AlertSink {
    /// Takes one alert.
    fn alert(&mut self, alert: Alert);
}

impl AlertSink for Vec<Alert> {
    fn alert(&mut self, alert: Alert) {
        self.push(alert);
    }
}

/// What a tail found, before it is made into an [`Alert`].
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// The events that made it, in order; `None` stands for the absent event of a sequence. Of many, the first.
    pub events: Vec<Option<Event>>,
    /// How many events made it in all.
    pub event_count: u64,
    /// The join keys of a sequence or sample, in order.
    pub join_keys: Vec<lurcher_schema::Value>,
    /// The row that a pipeline ended with; empty otherwise.
    pub values: Object,
}

impl Alert {
    /// The alert of a rule for what it found: severity, score, name, message and entities filled in from the row,
    /// then from the events.
    pub fn new(rule: &Arc<Rule>, schemas: &lurcher_schema::Schemas, found: Match) -> Self {
        let _ = schemas;
        Self {
            id: String::new(),
            rule: Arc::clone(rule),
            name: rule.meta.name.clone(),
            time: found.events.iter().flatten().filter_map(|event| event.time).max(),
            kind: rule.meta.alert_kind,
            severity: rule.meta.severity,
            risk_score: rule.meta.risk_score,
            message: String::new(),
            entities: Vec::new(),
            events: found.events,
            event_count: found.event_count,
            join_keys: found.join_keys,
            values: found.values,
            suppressed: 0,
        }
    }
}
