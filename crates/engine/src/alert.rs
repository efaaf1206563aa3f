//! What a rule found.

use std::sync::Arc;

use lurcher_ir::{AlertKind, EntityRole, EntityType, OverrideMapping, Rule, Severity};
use lurcher_schema::{Event, Object, Schemas, Timestamp, Value};

use crate::{LedgerEntry, alert_id, alert_text::Values, suppression};

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
    /// The rule's message with the event's values filled in (`-` where there is none); a sentence of our own if the
    /// rule has none.
    pub message: String,
    /// Who and what it is about: the rule's entities that the event or row has values for.
    pub entities: Vec<AlertEntity>,
    /// The events that made it, in order; `None` stands for the absent event of a sequence. Of many, the first.
    pub events: Vec<Option<Event>>,
    /// How many events made it in all.
    pub event_count: u64,
    /// The join keys of a sequence or sample, in order.
    pub join_keys: Vec<Value>,
    /// The row that a pipeline ended with; empty otherwise.
    pub values: Object,
    /// How many further alerts it stands for.
    pub suppressed: u64,
    /// By what further alerts are counted instead of raised; `None` if the rule does not do that.
    pub suppression: Option<SuppressionRecord>,
    /// What is particular to the kind of rule.
    pub detail: Detail,
    /// When a run on the virtual clock raised it; `None` without such a clock.
    pub detected: Option<Timestamp>,
}

/// By what alerts are alike, and the time that they span.
#[derive(Clone, Debug, PartialEq)]
pub struct SuppressionRecord {
    /// The fields and their values, in the rule's order; null for a missing one, a list in order of its values.
    pub terms: Vec<(String, Value)>,
    /// The time of the first event.
    pub start: Option<Timestamp>,
    /// The time of the last.
    pub end: Option<Timestamp>,
}

/// What is particular to the kind of rule.
#[derive(Clone, Debug, Default)]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// Of a threshold.
    Threshold(ThresholdDetail),
    /// The values that are new, in the order of the rule's fields.
    NewTerms(Vec<Value>),
    /// The indicators that the event fits, each as often as by how many fields.
    Indicators(Vec<Enrichment>),
}

/// What was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdDetail {
    /// The fields and their values, in the rule's order.
    pub terms: Vec<(String, Value)>,
    /// The field of which distinct values were counted, and how many there are.
    pub cardinality: Option<(String, u64)>,
    /// How many events.
    pub count: u64,
    /// The time of the first.
    pub from: Option<Timestamp>,
}

/// An indicator that an event fits.
#[derive(Clone, Debug)]
pub struct Enrichment {
    /// The indicator.
    pub indicator: Event,
    /// The event's field that fits.
    pub field: String,
    /// The indicator's field that it fits.
    pub indicator_field: String,
    /// What they have in common.
    pub value: Value,
    /// The index that the indicator would lie in.
    pub index: String,
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

    /// Takes an alert that was sent before, now that further ones are counted in it (only of a live run, which cannot
    /// wait for them). By default nobody wants to know.
    fn counted(&mut self, _alert: &Alert) {}

    /// Takes what a run did. By default nobody wants to know.
    fn ledger(&mut self, _entry: &LedgerEntry) {}
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
    pub join_keys: Vec<Value>,
    /// The row that a pipeline ended with; empty otherwise.
    pub values: Object,
    /// What is particular to the kind of rule.
    pub detail: Detail,
    /// The time of the last event, if it may not be among `events`.
    pub last: Option<Timestamp>,
    /// How many of the first events its id is made from; all, if `None`.
    pub identified_by: Option<usize>,
}

impl Match {
    /// The time of the last event.
    fn time(&self) -> Option<Timestamp> {
        let shown = self.events.iter().flatten().filter_map(|event| event.time).max();
        let cut = self.event_count > self.events.iter().flatten().count() as u64;
        if cut { shown.max(self.last) } else { shown }
    }
}

impl Alert {
    /// The alert of a rule for what it found: severity, score, name, message and entities filled in from the row,
    /// then from the events.
    pub fn new(rule: &Arc<Rule>, schemas: &Schemas, found: Match) -> Self {
        let meta = &rule.meta;
        let values = Values::new(rule, schemas, &found);
        let name = meta.name_override.as_deref().and_then(|field| values.text(field));
        let message = match meta.message.template.trim() {
            "" => default_message(&meta.name, found.event_count),
            template => values.fill(template),
        };
        let mut alert = Self {
            id: alert_id::of(rule, &found),
            rule: Arc::clone(rule),
            name: name.unwrap_or_else(|| meta.name.clone()),
            time: found.time(),
            kind: meta.alert_kind,
            severity: mapped_severity(&meta.severity_mapping, &values).unwrap_or(meta.severity),
            risk_score: mapped_score(&meta.risk_score_mapping, &values).unwrap_or(meta.risk_score),
            message,
            entities: entities(rule, &values),
            events: Vec::new(),
            event_count: found.event_count,
            join_keys: Vec::new(),
            values: Object::default(),
            suppressed: 0,
            suppression: suppression::record(rule, &values, &found),
            detail: Detail::None,
            detected: None,
        };
        alert.events = found.events;
        alert.join_keys = found.join_keys;
        alert.values = found.values;
        alert.detail = found.detail;
        alert
    }
}

impl Alert {
    /// Whether it says nothing of anyone: its rule names users and systems, no event went into it, and none of those is
    /// filled in. Such is the one row that an aggregation without keys makes of no events.
    pub(crate) fn is_of_nothing(&self) -> bool {
        self.event_count == 0 && self.entities.is_empty() && !self.rule.meta.entities.is_empty()
    }
}

fn default_message(name: &str, events: u64) -> String {
    match events {
        1 => format!("{name}: one event matched."),
        n => format!("{name}: {n} events matched."),
    }
}

/// What the mappings that fit yield; the highest counts.
fn mapped<T>(
    mappings: &[OverrideMapping],
    values: &Values<'_>,
    read: impl Fn(&Value) -> Option<T>,
    higher: impl Fn(&T, &T) -> bool,
) -> Option<T> {
    let mut best: Option<T> = None;
    for mapping in mappings {
        for own in values.all(&mapping.field) {
            if !mapping.equals.is_empty() && own.to_string() != mapping.equals {
                continue;
            }
            let Some(new) = read(if mapping.then.is_null() { &own } else { &mapping.then }) else { continue };
            if best.as_ref().is_none_or(|best| higher(&new, best)) {
                best = Some(new);
            }
        }
    }
    best
}

fn mapped_severity(mappings: &[OverrideMapping], values: &Values<'_>) -> Option<Severity> {
    mapped(mappings, values, |value| Severity::from_name(value.as_text()?.trim()), |a, b| a > b)
}

fn mapped_score(mappings: &[OverrideMapping], values: &Values<'_>) -> Option<f64> {
    let read = |value: &Value| {
        let number = value.as_number().or_else(|| value.as_text()?.trim().parse().ok())?;
        (0.0..=100.0).contains(&number).then_some(number)
    };
    // Kibana takes the number that the first mapping's field has, whatever else a mapping says.
    let first = mappings.first().map(|first| OverrideMapping {
        field: first.field.clone(),
        equals: String::new(),
        then: Value::Null,
    });
    mapped(first.as_slice(), values, read, |a, b| a > b)
}

fn entities(rule: &Rule, values: &Values<'_>) -> Vec<AlertEntity> {
    let mut entities: Vec<AlertEntity> = Vec::new();
    for entity in &rule.meta.entities {
        for value in values.all(&entity.field) {
            let new = AlertEntity {
                field: entity.field.clone(),
                value: value.to_string(),
                kind: entity.kind,
                role: entity.role,
                score: entity.score,
            };
            if !new.value.is_empty() && !entities.contains(&new) {
                entities.push(new);
            }
        }
    }
    entities
}
