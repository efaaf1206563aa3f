//! Alerts and the rest, made up.

use std::sync::Arc;

use lurcher_schema::Timestamp;
use lurcher_triage::{
    AlertKind, AlertRule, Commit, Entity, NewAlert, NewIncident, Recipient, RiskEvent, RuleRun, Severity,
};
use serde_json::json;

use super::database::START;

/// So many seconds after the clock's beginning.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp(START.0 + seconds * 1_000_000)
}

pub(crate) fn entity(kind: &str, role: &str, field: &str, value: &str) -> Entity {
    Entity { field: field.into(), value: value.into(), kind: kind.into(), role: role.into() }
}

/// An alert of the number, a second after the one before.
pub(crate) fn alert(number: u32) -> NewAlert {
    let severity = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical][number as usize % 4];
    let id = format!("{number:08x}");
    NewAlert {
        time: at(i64::from(number)),
        detected: at(i64::from(number) + 1),
        rule: AlertRule {
            id: format!("rule-{}", number % 3),
            name: format!("Rule No. {}", number % 3),
            vendor: ["elastic", "splunk", "sigma"][number as usize % 3].into(),
            language: "eql".into(),
            version: "4".into(),
            path: "rules/x.toml".into(),
        },
        kind: AlertKind::Finding,
        severity,
        risk_score: f64::from(number % 7) * 12.5,
        message: format!("Something happened, No. {number}."),
        tactics: vec!["TA0002".into()],
        techniques: vec![["T1059.001", "T1105", "T10"][number as usize % 3].into()],
        stories: Vec::new(),
        entities: vec![
            entity("system", "victim", "host.name", &format!("HOST-{}", number % 5)),
            entity("user", "other", "user.name", &format!("user{}", number % 2)),
        ],
        event_count: 1,
        suppressed: 0,
        suppression_end: None,
        group_key: String::new(),
        document: json!({"id": id, "events": [{"doc": {"n": number, "text": "ä\u{0}b"}}]}),
        id,
    }
}

pub(crate) fn alerts(numbers: std::ops::Range<u32>) -> Vec<NewAlert> {
    numbers.map(alert).collect()
}

/// A commit of alerts alone.
pub(crate) fn commit(position: u64, alerts: Vec<NewAlert>) -> Commit {
    Commit { consumer: "detector".into(), position, alerts, ..Commit::default() }
}

pub(crate) fn target(name: &'static str) -> Arc<dyn Recipient> {
    Arc::new(Told(name))
}

/// Somebody who is told of findings and incidents.
#[derive(Debug)]
struct Told(&'static str);

impl Recipient for Told {
    fn name(&self) -> &str {
        self.0
    }

    fn wants(&self, alert: &NewAlert) -> bool {
        matches!(alert.kind, AlertKind::Finding | AlertKind::Incident)
    }
}

pub(crate) fn risk_event(number: u32, object: &str, score: f64) -> RiskEvent {
    RiskEvent {
        id: format!("risk-{number}"),
        alert: format!("{number:08x}"),
        time: at(i64::from(number)),
        object: object.to_uppercase(),
        normalized: object.into(),
        kind: "system".into(),
        field: "host.name".into(),
        score,
        calculated: score * 2.0,
        message: "It happened.".into(),
        rule_id: format!("rule-{}", number % 3),
        rule_name: format!("Rule No. {}", number % 3),
        tactics: vec![format!("TA000{}", number % 2)],
        techniques: vec!["T1059".into()],
    }
}

pub(crate) fn incident(number: u32, object: &str, score: f64, risk_events: &[u32]) -> NewIncident {
    let alert = NewAlert { id: format!("incident-{number}"), risk_score: score.min(100.0), ..alert(number) };
    NewIncident {
        alert,
        object: object.to_uppercase(),
        normalized: object.into(),
        kind: "system".into(),
        score,
        first: at(0),
        last: at(i64::from(number)),
        risk_events: risk_events.iter().map(|number| format!("risk-{number}")).collect(),
    }
}

pub(crate) fn rule_run(rule: u32, time: i64, hits: u64) -> RuleRun {
    RuleRun {
        rule_id: format!("rule-{rule}"),
        rule_name: format!("Rule No. {rule}"),
        time: at(time),
        from: at(time - 300),
        to: at(time),
        hits,
        created: 1,
        repeats: 2,
        ..RuleRun::default()
    }
}
