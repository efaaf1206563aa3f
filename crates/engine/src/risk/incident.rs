//! Risk incidents: objects whose risk adds up.
//!
//! The two rules that Splunk Enterprise Security 7 is shipped with ("Default risk incident rules"), evaluated over
//! every position of their window instead of once an hour, so that what is found does not depend on when a schedule
//! happens to run: an incident opens with the risk event that fulfils the condition together with those of the same
//! object within the window before it. What comes within one window after the opening belongs to it (Splunk throttles
//! by object for as long); after that a new one may open.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use lurcher_ir::{AlertKind, Entity, EntityRole, EntityType, Message, Rule, RuleMeta, Severity, Support, Threat};
use lurcher_schema::{Event, EventRef, Object, Schemas, Timestamp, Value};
use rustc_hash::FxHashSet;

use super::{
    RiskEvent,
    stretches::{Stretch, Window, tactics},
};
use crate::{Alert, Match, alert_id};

/// How many of the rules that contributed are named in an incident's sentence.
const NAMED: usize = 5;

/// How many of the alerts that contributed are named in an incident's row. All of them are counted.
const CONTRIBUTING: usize = 100;

/// When an object's risk is an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentRule {
    /// A stable id.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// How far back risk events count.
    pub window: Duration,
    /// What must have come together.
    pub condition: Condition,
}

/// What must have come together in a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// The scores sum to more than this.
    ScoreAbove(f64),
    /// At least so many ATT&CK tactics, from at least so many rules.
    Tactics {
        /// Distinct tactics.
        tactics: usize,
        /// Distinct rules.
        sources: usize,
    },
}

impl IncidentRule {
    /// The two rules that Splunk Enterprise Security is shipped with.
    pub fn defaults() -> [Self; 2] {
        const HOUR: u64 = 3600;
        [
            Self {
                id: "7d3e2b54-2c0a-4b5e-8a39-6a4c1d5f0e01",
                name: "Risk Threshold Exceeded for Object Over 24 Hour Period",
                window: Duration::from_secs(24 * HOUR),
                condition: Condition::ScoreAbove(100.0),
            },
            Self {
                id: "7d3e2b54-2c0a-4b5e-8a39-6a4c1d5f0e02",
                name: "ATT&CK Tactic Threshold Exceeded for Object Over Previous 7 Days",
                window: Duration::from_secs(7 * 24 * HOUR),
                condition: Condition::Tactics { tactics: 3, sources: 4 },
            },
        ]
    }

    pub(super) fn rule(&self) -> Arc<Rule> {
        let score = matches!(self.condition, Condition::ScoreAbove(_));
        let meta = RuleMeta {
            id: self.id.into(),
            name: self.name.to_owned(),
            vendor: "splunk",
            language: "spl",
            kind: "Correlation".into(),
            description: "Risk events of one object that together pass a threshold.".into(),
            severity: if score { Severity::Medium } else { Severity::High },
            message: Message { template: "$risk_object_type$ $risk_object$".to_owned() },
            alert_kind: AlertKind::Finding,
            entities: [("user", EntityType::User), ("system", EntityType::System), ("other", EntityType::Other)]
                .map(|(field, kind)| Entity { field: field.to_owned(), kind, role: EntityRole::Victim, score: None })
                .to_vec(),
            ..RuleMeta::default()
        };
        Arc::new(Rule { meta, body: None, support: Support::default() })
    }

    pub(super) fn holds(&self, window: &Window) -> bool {
        match self.condition {
            Condition::ScoreAbove(score) => window.score > score,
            Condition::Tactics { tactics, sources } => window.tactics() >= tactics && window.sources() >= sources,
        }
    }
}

/// What a stretch of risk events comes to, in whatever order they are added.
#[derive(Debug, Default)]
pub(super) struct Totals {
    score: f64,
    /// The rules, and how many risk events each made.
    sources: BTreeMap<String, usize>,
    /// The same rules by address, which is theirs for as long as their events are here.
    rules: FxHashSet<usize>,
    threats: Vec<Threat>,
    tactics: BTreeSet<String>,
    techniques: BTreeSet<String>,
    stories: BTreeSet<String>,
    alerts: BTreeSet<Arc<str>>,
    /// The events that were kept, in order.
    evidence: BTreeMap<(Option<Timestamp>, EventRef), Event>,
}

impl Totals {
    pub(super) fn add(&mut self, event: &RiskEvent) {
        self.score += event.calculated;
        self.alerts.insert(Arc::clone(&event.alert));
        let meta = &event.rule.meta;
        match self.sources.get_mut(&meta.name) {
            Some(count) => *count += 1,
            None => drop(self.sources.insert(meta.name.clone(), 1)),
        }
        if let Some(event) = &event.event {
            self.evidence.insert((event.time, event.reference.clone()), event.clone());
        }
        if !self.rules.insert(Arc::as_ptr(&event.rule) as usize) {
            return;
        }
        self.tactics.extend(tactics(event).map(str::to_owned));
        self.techniques.extend(meta.threats.iter().flat_map(|threat| &threat.techniques).map(|(id, _)| id.clone()));
        self.stories.extend(meta.stories.iter().cloned());
        meta.threats.iter().for_each(|threat| add_threat(&mut self.threats, threat));
    }

    /// The columns of the incident's row.
    fn row(&self, events: &[RiskEvent]) -> Object {
        let list = |texts: &BTreeSet<String>| Value::list(texts.iter().map(|text| Value::text(text.as_str())));
        let time = |event: Option<&RiskEvent>| {
            event.and_then(|event| event.time).map_or(Value::Null, |time| Value::text(time.to_string()))
        };
        let mut row = Object::default();
        if let Some(last) = events.last() {
            row.insert("risk_object", Value::text(last.object.as_str()));
            row.insert("normalized_risk_object", Value::text(last.normalized.as_str()));
            row.insert("risk_object_type", Value::text(last.kind.name()));
            row.insert(last.kind.name(), Value::text(last.object.as_str()));
            if let Some(record) = &last.record {
                row.insert("risk_object_priority", Value::text(record.priority.name()));
            }
        }
        // Scores are whole numbers but for factors.
        let score = if self.score.fract() == 0.0 { Value::Int(self.score as i64) } else { Value::Float(self.score) };
        row.insert("risk_score", score);
        row.insert("risk_event_count", Value::Int(events.len() as i64));
        row.insert("source_count", Value::Int(self.sources.len() as i64));
        row.insert("source", Value::list(self.sources.keys().map(|name| Value::text(name.as_str()))));
        row.insert("mitre_tactic_id_count", Value::Int(self.tactics.len() as i64));
        row.insert("mitre_tactic_id", list(&self.tactics));
        row.insert("mitre_technique_id", list(&self.techniques));
        row.insert("analyticstories", list(&self.stories));
        row.insert("info_min_time", time(events.first()));
        row.insert("info_max_time", time(events.last()));
        let alerts = self.alerts.iter().take(CONTRIBUTING).map(|alert| Value::text(alert.as_ref()));
        row.insert("contributing_alerts", Value::list(alerts));
        row
    }

    /// What it comes to in a sentence: whose risk, how much of it, and from which rules, those with most risk events first.
    fn sentence(&self, condition: Condition, events: &[RiskEvent]) -> String {
        let object = events.last().map(|event| format!("{} {}", event.kind.name(), event.object)).unwrap_or_default();
        let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let much = match condition {
            Condition::ScoreAbove(_) => {
                // To two places, as factors may leave fractions.
                let score = (self.score * 100.0).round() / 100.0;
                format!("risk score {score} from {}", counted(events.len(), "risk event"))
            }
            Condition::Tactics { .. } => counted(self.tactics.len(), "ATT&CK tactic"),
        };
        let mut sources: Vec<(&str, usize)> =
            self.sources.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        sources.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let of_rules = match condition {
            Condition::ScoreAbove(_) => "of",
            Condition::Tactics { .. } => "from",
        };
        let named: Vec<String> = sources
            .iter()
            .take(NAMED)
            .map(|(name, count)| if *count == 1 { (*name).to_owned() } else { format!("{name} ({count}×)") })
            .collect();
        let more = match sources.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{object}: {much} {of_rules} {}: {}{more}", counted(sources.len(), "rule"), named.join(", "))
    }
}

/// The id of an incident that some risk events of an object opened. It grows and stays the same incident: what opened it
/// tells it from others.
pub(super) fn incident_id(rule: &IncidentRule, opening: &[RiskEvent]) -> String {
    let (kind, object) = opening.last().map_or(("", ""), |event| (event.kind.name(), event.normalized.as_str()));
    alert_id::of_parts([rule.id, kind, object].into_iter().chain(opening.iter().map(|event| event.alert.as_ref())))
}

/// A stretch of an object's risk events as an alert.
pub(super) fn incident(
    rule: &IncidentRule,
    published: &Arc<Rule>,
    found: &Stretch,
    events: &[RiskEvent],
    schemas: &Schemas,
) -> Alert {
    let total = &found.totals;
    let mut rule_of_incident = Rule::clone(published);
    rule_of_incident.meta.threats = in_order(&total.threats);
    // It is about its object; whom else the events name is not at risk because of it.
    let kind = events.last().map_or("", |event| event.kind.name());
    rule_of_incident.meta.entities.retain(|entity| entity.field == kind);
    rule_of_incident.meta.stories = total.stories.iter().cloned().collect();
    let row = Match {
        events: total.evidence.values().cloned().map(Some).collect(),
        event_count: total.alerts.len() as u64,
        values: total.row(events),
        ..Match::default()
    };
    let mut alert = Alert::new(&Arc::new(rule_of_incident), schemas, row);
    alert.id.clone_from(&found.id);
    alert.time = events.last().and_then(|event| event.time);
    alert.message = total.sentence(rule.condition, events);
    alert.risk_score = total.score.min(100.0);
    if let Condition::ScoreAbove(_) = rule.condition {
        alert.severity = match total.score {
            score if score < 250.0 => Severity::Medium,
            score if score < 500.0 => Severity::High,
            _ => Severity::Critical,
        };
    }
    alert
}

/// Adds the tactic and techniques of a rule that contributed, each once.
fn add_threat(threats: &mut Vec<Threat>, threat: &Threat) {
    match threats.iter_mut().find(|known| known.tactic == threat.tactic && known.framework == threat.framework) {
        Some(known) => {
            let new = threat.techniques.iter().filter(|technique| !known.techniques.contains(technique)).cloned();
            let new: Vec<_> = new.collect();
            known.techniques.extend(new);
        }
        None => threats.push(threat.clone()),
    }
}

/// Tactics and techniques in an order that does not depend on which rule contributed first.
fn in_order(threats: &[Threat]) -> Vec<Threat> {
    let mut threats = threats.to_vec();
    threats.iter_mut().for_each(|threat| threat.techniques.sort());
    threats.sort_by(|a, b| (&a.framework, &a.tactic).cmp(&(&b.framework, &b.tactic)));
    threats
}
