//! Risk: what alerts say about users and systems, added up over all rules.
//!
//! An alert of a rule that knows risk objects makes one [`RiskEvent`] for each of their values, as Splunk Enterprise
//! Security writes them to its risk index (Splunk Enterprise Security 7, "How risk scores work"). A [`Site`] says more
//! about the objects: which names mean one of them, how important it is ([`Directory`]), and what raises or lowers its
//! scores ([`RiskFactor`]). [`RiskIndex`] keeps the events of a run and finds incidents in them ([`IncidentRule`]).
//!
//! Hunting searches and correlations add no risk: the first are for people to look at, the second only add up.

mod directory;
mod factor;
mod incident;
mod index;
mod stretches;

use std::sync::Arc;

use lurcher_ir::{AlertKind, EntityRole, EntityType, Predicate, Rule, Test};
use lurcher_schema::{Event, Shape, Timestamp, Value, star_match};

pub use self::{
    directory::{Directory, Priority, Record},
    factor::{FactorOperation, RiskFactor},
    incident::{Condition, IncidentRule},
    index::{RiskIncident, RiskIndex},
};
use crate::{Alert, AlertEntity, alert_id};

/// The attribute of the shape of risk events that were made of this run's own alerts.
const OWN: (&str, &str) = ("own", "risk");

/// The shape of risk events that were made of this run's own alerts, as Splunk would have them in its risk index. Only rules
/// that ask for risk are given events of it ([`asks_for_risk`]).
pub fn own_shape() -> Arc<Shape> {
    Shape::new([("dialect", "cim"), ("index", "risk"), ("sourcetype", "stash"), OWN])
}

/// Whether events of a shape were made of this run's own alerts.
pub(crate) fn is_own(shape: &Shape) -> bool {
    shape.attribute(OWN.0) == Some(OWN.1)
}

/// Whether a rule asks for risk events by name: the data model, or the index. Others may well fit such an event, which
/// carries the fields of the row behind it; but it is no new event, only what was made of one.
pub fn asks_for_risk(rule: &Rule) -> bool {
    fn asks(predicate: &Predicate) -> bool {
        match predicate {
            Predicate::Test { field, test: Test::Equals(Value::Text(text), _) } => match field.path.as_str() {
                "_datamodels" => text.to_ascii_lowercase().starts_with("risk"),
                "index" => text.eq_ignore_ascii_case("risk"),
                _ => false,
            },
            Predicate::All(parts) | Predicate::Any(parts) => parts.iter().any(asks),
            _ => false,
        }
    }
    rule.body.as_ref().is_some_and(|body| body.filters.iter().any(asks))
}

/// What a site knows about its users and systems.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Who is who.
    pub directory: Directory,
    /// What changes scores.
    pub factors: Vec<RiskFactor>,
}

/// One alert's addition to the risk of one user, system or other object.
#[derive(Clone, Debug)]
pub struct RiskEvent {
    /// The id of the alert.
    pub alert: Arc<str>,
    /// Its rule.
    pub rule: Arc<Rule>,
    /// When: the alert's time.
    pub time: Option<Timestamp>,
    /// Who or what, as the event names it.
    pub object: String,
    /// The one name that the site's directory has for it; else `object` in lower case.
    pub normalized: String,
    /// What it is.
    pub kind: ObjectType,
    /// The field that named it.
    pub field: String,
    /// What the rule adds. 0–100.
    pub score: f64,
    /// What it comes to after the site's risk factors. Never negative.
    pub calculated: f64,
    /// What happened.
    pub message: String,
    /// What the directory says of it.
    pub record: Option<Arc<Record>>,
    /// The first of the alert's events.
    pub event: Option<Event>,
}

/// What a risk object is. Splunk knows these three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectType {
    /// A user or account.
    User,
    /// A host, device or address.
    System,
    /// Anything else.
    Other,
}

impl ObjectType {
    /// The lower-case word.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::System => "system",
            Self::Other => "other",
        }
    }

    /// What an entity is as a risk object.
    pub fn of(kind: EntityType) -> Self {
        match kind {
            EntityType::User => Self::User,
            EntityType::System | EntityType::Ip => Self::System,
            EntityType::Process | EntityType::File | EntityType::Other => Self::Other,
        }
    }
}

/// Whether a rule's alerts add to the risk of their objects.
pub fn adds_risk(rule: &Rule) -> bool {
    let kind = rule.meta.kind.as_str();
    rule.meta.alert_kind != AlertKind::BuildingBlock
        && !kind.eq_ignore_ascii_case("hunting")
        && !kind.eq_ignore_ascii_case("correlation")
}

/// An alert's risk objects: its victims; where a rule gives no parts, its users and systems.
pub fn risk_objects(alert: &Alert) -> impl Iterator<Item = &AlertEntity> {
    let victims = alert.entities.iter().any(|entity| entity.role == EntityRole::Victim);
    alert.entities.iter().filter(move |entity| match entity.role {
        EntityRole::Victim => true,
        EntityRole::Attacker => false,
        EntityRole::Other => !victims && matches!(entity.kind, EntityType::User | EntityType::System),
    })
}

impl Site {
    /// What an alert adds to the risk of its objects; nothing if its rule adds none.
    pub fn events(&self, alert: &Alert) -> Vec<RiskEvent> {
        if !adds_risk(&alert.rule) {
            return Vec::new();
        }
        risk_objects(alert).map(|entity| self.event(alert, entity)).collect()
    }

    fn event(&self, alert: &Alert, entity: &AlertEntity) -> RiskEvent {
        let kind = ObjectType::of(entity.kind);
        let record = self.directory.find(kind, &entity.value);
        let score = entity.score.unwrap_or(alert.risk_score);
        let mut event = RiskEvent {
            alert: alert.id.as_str().into(),
            rule: Arc::clone(&alert.rule),
            time: alert.time,
            object: entity.value.clone(),
            normalized: record.as_ref().map_or_else(|| entity.value.to_lowercase(), |record| record.name.clone()),
            kind,
            field: entity.field.clone(),
            score,
            calculated: score,
            message: alert.message.clone(),
            record,
            event: alert.events.iter().flatten().next().cloned(),
        };
        event.calculated = factor::apply(&self.factors, &event);
        event
    }
}

impl RiskEvent {
    /// Its id: that of its alert, and the object in the field that named it.
    pub fn id(&self) -> String {
        alert_id::of_parts([&*self.alert, self.kind.name(), &self.normalized, &self.field])
    }

    /// The values that a risk factor's condition can name: the event's own, and what the directory says of its object
    /// as `risk_object_…`, and as `user_…` or `dest_…` by what the object is.
    fn values(&self, name: &str) -> Vec<&str> {
        match name {
            "risk_object" => vec![&self.object],
            "normalized_risk_object" => vec![&self.normalized],
            "risk_object_type" => vec![self.kind.name()],
            "risk_object_field" => vec![&self.field],
            "risk_message" => vec![&self.message],
            "source" | "search_name" => vec![&self.rule.meta.name],
            "analyticstories" => self.rule.meta.stories.iter().map(String::as_str).collect(),
            "annotations.mitre_attack" => {
                self.rule.meta.threats.iter().flat_map(|t| &t.techniques).map(|(id, _)| id.as_str()).collect()
            }
            name => self.attribute(name),
        }
    }

    fn attribute(&self, name: &str) -> Vec<&str> {
        let of_kind = match self.kind {
            ObjectType::User => "user_",
            ObjectType::System => "dest_",
            ObjectType::Other => "risk_object_",
        };
        let attribute = name.strip_prefix("risk_object_").or_else(|| name.strip_prefix(of_kind));
        let Some((record, attribute)) = self.record.as_ref().zip(attribute) else { return Vec::new() };
        record.values(attribute).collect()
    }

    /// Whether one of the named values is matched by one of the patterns, whatever the case.
    fn is(&self, name: &str, patterns: &[String]) -> bool {
        let values: Vec<String> = self.values(name).iter().map(|value| value.to_lowercase()).collect();
        patterns.iter().any(|pattern| values.iter().any(|value| star_match(&pattern.to_lowercase(), value)))
    }
}
