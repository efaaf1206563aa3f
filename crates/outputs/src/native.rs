//! Lurcher's own layout: one alert a line (`--format jsonl`).

use lurcher_engine::{Alert, AlertEntity, Detail};
use lurcher_ir::Rule;
use lurcher_schema::{Event, Object, Schemas, Taxonomy, Timestamp};
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

/// An alert. The members are written in this order.
#[derive(Clone, Debug, Serialize)]
pub struct AlertLine {
    /// The same for the same rule and events in every run.
    pub id: String,
    /// When; RFC 3339, or null if no event carries a time.
    pub time: Option<String>,
    /// `finding`, `risk` or `building_block`.
    pub kind: &'static str,
    /// The rule.
    pub rule: RuleLine,
    /// The lower-case word.
    pub severity: &'static str,
    /// 0–100.
    #[serde(serialize_with = "plain_number")]
    pub risk_score: f64,
    /// What happened.
    pub message: String,
    /// Ids of ATT&CK tactics, as far as the rule names or implies them.
    pub tactics: Vec<String>,
    /// Ids of ATT&CK techniques and sub-techniques.
    pub techniques: Vec<String>,
    /// Analytic stories.
    pub stories: Vec<String>,
    /// Who and what it is about.
    pub entities: Vec<EntityLine>,
    /// The events that made it; absent events of a sequence are left out.
    pub events: Vec<EventLine>,
    /// How many events made it in all.
    pub event_count: u64,
    /// The row that a pipeline ended with.
    pub values: Json,
    /// How many further alerts it stands for.
    pub suppressed: u64,
}

/// The rule of an [`AlertLine`].
#[derive(Clone, Debug, Serialize)]
pub struct RuleLine {
    /// The publisher's id.
    pub id: String,
    /// Its name, or what its name override took from the event.
    pub name: String,
    /// Whose format it is in.
    pub vendor: &'static str,
    /// The query's language.
    pub language: &'static str,
    /// Its file, as given.
    pub path: String,
    /// The publisher's version.
    pub version: String,
}

/// Who or what an alert is about.
#[derive(Clone, Debug, Serialize)]
pub struct EntityLine {
    /// The rule's name for the field.
    pub field: String,
    /// Its value.
    pub value: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What part it plays.
    pub role: &'static str,
}

/// An event that made an alert.
#[derive(Clone, Debug, Serialize)]
pub struct EventLine {
    /// The file, as given.
    pub file: String,
    /// The number that the user knows the event by.
    pub record: String,
    /// When; RFC 3339.
    pub time: Option<String>,
    /// The event as it was read, nested by dotted names.
    pub doc: Json,
}

impl AlertLine {
    /// The line of an alert.
    pub fn new(alert: &Alert, schemas: &Schemas) -> Self {
        let meta = &alert.rule.meta;
        Self {
            id: alert.id.clone(),
            time: alert.time.map(|time| time.to_string()),
            kind: alert.kind.name(),
            rule: RuleLine {
                id: meta.id.to_string(),
                name: alert.name.clone(),
                vendor: meta.vendor,
                language: meta.language,
                path: meta.path.clone(),
                version: meta.version.clone(),
            },
            severity: alert.severity.name(),
            risk_score: alert.risk_score,
            message: alert.message.clone(),
            tactics: tactics(&alert.rule),
            techniques: techniques(&alert.rule),
            stories: meta.stories.clone(),
            entities: alert.entities.iter().map(EntityLine::new).collect(),
            events: alert.events.iter().flatten().map(|event| EventLine::new(event, schemas)).collect(),
            event_count: alert.event_count,
            values: values(alert),
            suppressed: alert.suppressed,
        }
    }
}

impl EntityLine {
    fn new(entity: &AlertEntity) -> Self {
        Self {
            field: entity.field.clone(),
            value: entity.value.clone(),
            kind: entity.kind.name(),
            role: entity.role.name(),
        }
    }
}

impl EventLine {
    /// The line of an event.
    pub fn new(event: &Event, schemas: &Schemas) -> Self {
        Self {
            file: event.reference.origin.path.clone(),
            record: event.reference.record.to_string(),
            time: event.time.map(|time: Timestamp| time.to_string()),
            doc: schemas.normalise(event, Taxonomy::Raw).to_json(),
        }
    }
}

/// The ids of the rule's tactics, each once, in its own order.
pub(crate) fn tactics(rule: &Rule) -> Vec<String> {
    once(rule.meta.threats.iter().map(|threat| threat.tactic.0.as_str()))
}

/// The ids of the rule's techniques, each once, in its own order.
pub(crate) fn techniques(rule: &Rule) -> Vec<String> {
    once(rule.meta.threats.iter().flat_map(|threat| &threat.techniques).map(|(id, _)| id.as_str()))
}

/// Each text once, empty ones left out.
pub(crate) fn once<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for text in texts.filter(|text| !text.is_empty()) {
        if !kept.iter().any(|known| known == text) {
            kept.push(text.to_owned());
        }
    }
    kept
}

/// The row of the alert; the indicators that its event fits, where it is about indicators.
fn values(alert: &Alert) -> Json {
    let mut row = columns(&alert.values);
    if let (Detail::Indicators(found), Some(members)) = (&alert.detail, row.as_object_mut()) {
        let entry = |one: &lurcher_engine::Enrichment| {
            serde_json::json!({
                "field": one.field,
                "value": one.value.to_json(),
                "indicator_field": one.indicator_field,
                "indicator": one.indicator.reference.to_string(),
            })
        };
        members.insert("indicators".to_owned(), found.iter().map(entry).collect());
    }
    row
}

/// A row's columns as they are named: a dot in a column's name is only a character.
pub(crate) fn columns(row: &Object) -> Json {
    row.to_json()
}

/// Whole numbers without a fraction: `49`, not `49.0`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(crate) fn plain_number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        serializer.serialize_i64(*number as i64)
    } else {
        serializer.serialize_f64(*number)
    }
}
