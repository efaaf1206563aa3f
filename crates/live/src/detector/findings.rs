//! What the engine says, on its way into one transaction of the alert store.

use std::{collections::BTreeMap, sync::Arc};

use lurcher_engine::{
    Alert, AlertSink, LedgerEntry, RuleSet,
    risk::{RiskIncident, Site},
};
use lurcher_ir::{AlertKind as Kind, EntityRole, EntityType, Severity as Grade};
use lurcher_outputs::{elastic, native::AlertLine, splunk};
use lurcher_schema::{Schemas, Timestamp, Value};
use lurcher_triage::{AlertKind, AlertRule, AlertUpdate, Entity, NewAlert, NewIncident, RiskEvent, RuleRun, Severity};
use serde_json::{Value as Json, json};

use crate::rules::rule_id;

/// What came of some records, or of some runs.
pub(super) struct Findings {
    rules: Arc<RuleSet>,
    /// The time by the server's clock.
    pub(super) now: Timestamp,
    /// Alerts as the engine made them, of which it is not known yet what they add up to.
    pub(super) found: Vec<Alert>,
    pub(super) alerts: Vec<Finding>,
    pub(super) updates: BTreeMap<String, AlertUpdate>,
    pub(super) runs: BTreeMap<(String, Timestamp), RuleRun>,
}

/// An alert, and when it was found by the server's clock.
pub(super) struct Finding {
    pub(super) alert: Alert,
    pub(super) now: Timestamp,
}

impl Finding {
    pub(super) fn rule(&self) -> String {
        rule_id(&self.alert.rule)
    }

    pub(super) fn time(&self) -> Timestamp {
        self.alert.time.unwrap_or(self.now)
    }

    pub(super) fn detected(&self) -> Timestamp {
        self.alert.detected.unwrap_or(self.now)
    }

    pub(super) fn laid_out(&self, schemas: &Schemas, site: &Site) -> NewAlert {
        new_alert(&self.alert, schemas, site, self.now)
    }
}

impl Findings {
    pub(super) fn new(rules: &Arc<RuleSet>) -> Self {
        Self {
            rules: Arc::clone(rules),
            now: Timestamp(0),
            found: Vec::new(),
            alerts: Vec::new(),
            updates: BTreeMap::new(),
            runs: BTreeMap::new(),
        }
    }

    /// Takes alerts of which it is known what they add up to.
    pub(super) fn settle(&mut self, alerts: Vec<Alert>, now: Timestamp) {
        self.alerts.extend(alerts.into_iter().map(|alert| Finding { alert, now }));
    }
}

impl AlertSink for Findings {
    fn alert(&mut self, alert: Alert) {
        self.found.push(alert);
    }

    fn counted(&mut self, alert: &Alert) {
        let end = alert.suppression.as_ref().and_then(|record| record.end);
        let update = AlertUpdate { id: alert.id.clone(), suppressed: alert.suppressed, suppression_end: end };
        self.updates.insert(alert.id.clone(), update);
    }

    fn ledger(&mut self, entry: &LedgerEntry) {
        if entry.hits == 0 && entry.created == 0 && entry.late == 0 {
            return;
        }
        let Some(rule) = self.rules.rules().get(entry.rule as usize) else { return };
        let run = RuleRun {
            rule_id: rule_id(rule),
            rule_name: rule.meta.name.clone(),
            time: entry.time,
            from: entry.from,
            to: entry.to,
            hits: entry.hits,
            created: entry.created,
            suppressed: entry.suppressed,
            known: entry.known,
            capped: entry.capped,
            late: entry.late,
            repeats: entry.repeats,
        };
        self.runs.insert((run.rule_id.clone(), run.time), run);
    }
}

/// An alert as the store takes it. Its document is the native one; the layouts of other products, which need the whole
/// alert, lie beside it under `forms`.
pub(crate) fn new_alert(alert: &Alert, schemas: &Schemas, site: &Site, now: Timestamp) -> NewAlert {
    let line = AlertLine::new(alert, schemas);
    let mut document = serde_json::to_value(&line).unwrap_or(Json::Null);
    if let Some(document) = document.as_object_mut() {
        document.insert("forms".to_owned(), forms(alert, schemas, site));
    }
    NewAlert {
        id: alert.id.clone(),
        time: alert.time.unwrap_or(now),
        detected: alert.detected.unwrap_or(now),
        rule: AlertRule {
            id: rule_id(&alert.rule),
            name: alert.name.clone(),
            vendor: alert.rule.meta.vendor.to_owned(),
            language: alert.rule.meta.language.to_owned(),
            version: alert.rule.meta.version.clone(),
            path: alert.rule.meta.path.clone(),
        },
        kind: match alert.kind {
            Kind::Finding => AlertKind::Finding,
            Kind::Risk => AlertKind::Risk,
            Kind::BuildingBlock => AlertKind::BuildingBlock,
        },
        severity: match alert.severity {
            Grade::Informational => Severity::Informational,
            Grade::Low => Severity::Low,
            Grade::Medium => Severity::Medium,
            Grade::High => Severity::High,
            Grade::Critical => Severity::Critical,
        },
        risk_score: alert.risk_score,
        message: alert.message.clone(),
        tactics: line.tactics,
        techniques: line.techniques,
        stories: line.stories,
        entities: alert.entities.iter().map(entity).collect(),
        event_count: alert.event_count,
        suppressed: alert.suppressed,
        suppression_end: alert.suppression.as_ref().and_then(|record| record.end),
        group_key: String::new(),
        document,
    }
}

/// An incident as the store takes it.
pub(super) fn new_incident(incident: &RiskIncident, schemas: &Schemas, site: &Site) -> NewIncident {
    let alert = &incident.alert;
    let now = alert.detected.unwrap_or_default();
    let text = |name: &str| alert.values.get(name).map(Value::to_string).unwrap_or_default();
    let time = |name: &str| Timestamp::parse(&text(name)).or(alert.time).unwrap_or(now);
    NewIncident {
        alert: new_alert(alert, schemas, site, now),
        object: text("risk_object"),
        normalized: text("normalized_risk_object"),
        kind: text("risk_object_type"),
        score: alert.values.get("risk_score").and_then(Value::as_number).unwrap_or(alert.risk_score),
        first: time("info_min_time"),
        last: time("info_max_time"),
        risk_events: incident.contributions.clone(),
    }
}

/// The alert in the layouts of other products, as a hunt writes them.
fn forms(alert: &Alert, schemas: &Schemas, site: &Site) -> Json {
    let splunk = splunk::documents(alert, schemas, lurcher_outputs::SplunkEdition::default(), site);
    let ocsf = lurcher_outputs::ocsf::Finding::new(alert, schemas, env!("CARGO_PKG_VERSION"));
    json!({ "elastic": elastic::documents(alert, schemas), "splunk": splunk, "ocsf": ocsf })
}

fn entity(entity: &lurcher_engine::AlertEntity) -> Entity {
    Entity {
        field: entity.field.clone(),
        value: entity.value.clone(),
        kind: match entity.kind {
            EntityType::User => "user",
            EntityType::System => "system",
            EntityType::Process => "process",
            EntityType::File => "file",
            EntityType::Ip => "ip",
            EntityType::Other => "other",
        }
        .to_owned(),
        role: match entity.role {
            EntityRole::Victim => "victim",
            EntityRole::Attacker => "attacker",
            EntityRole::Other => "other",
        }
        .to_owned(),
    }
}

/// What an alert adds to the risk of its objects, as the store takes it.
pub(super) fn risk_events(alert: &Alert, site: &Site, now: Timestamp) -> Vec<RiskEvent> {
    let threats = || alert.rule.meta.threats.iter();
    let events = site.events(alert).into_iter().map(|event| RiskEvent {
        id: event.id(),
        alert: alert.id.clone(),
        time: event.time.unwrap_or(now),
        object: event.object,
        normalized: event.normalized,
        kind: event.kind.name().to_owned(),
        field: event.field,
        score: event.score,
        calculated: event.calculated,
        message: event.message,
        rule_id: rule_id(&alert.rule),
        rule_name: alert.rule.meta.name.clone(),
        tactics: threats().map(|threat| threat.tactic.0.clone()).filter(|id| !id.is_empty()).collect(),
        techniques: threats().flat_map(|threat| &threat.techniques).map(|(id, _)| id.clone()).collect(),
    });
    events.collect()
}
