//! Alerts as OCSF Detection Findings (class 2004), schema 1.5.
//!
//! The finding's own time is that of its last event, so that the same events give the same findings.

use lurcher_engine::Alert;
use lurcher_ir::{EntityType, Severity};
use lurcher_schema::{Schemas, Taxonomy, Timestamp};
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::native::plain_number;

/// A Detection Finding.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// 1, Create.
    pub activity_id: u8,
    /// `Create`.
    pub activity_name: &'static str,
    /// 2, Findings.
    pub category_uid: u8,
    /// `Findings`.
    pub category_name: &'static str,
    /// 2004.
    pub class_uid: u16,
    /// `Detection Finding`.
    pub class_name: &'static str,
    /// 200401.
    pub type_uid: u32,
    /// `Detection Finding: Create`.
    pub type_name: &'static str,
    /// Milliseconds since 1970.
    pub time: i64,
    /// When its first event happened, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<i64>,
    /// When its last event happened, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<i64>,
    /// 1 informational to 5 critical.
    pub severity_id: u8,
    /// The severity's name.
    pub severity: &'static str,
    /// 1, New.
    pub status_id: u8,
    /// `New`.
    pub status: &'static str,
    /// What happened.
    pub message: String,
    /// How many events made it.
    pub count: u64,
    /// 0–100.
    #[serde(serialize_with = "plain_number")]
    pub risk_score: f64,
    /// Who made the finding.
    pub metadata: Json,
    /// The rule, and what it says about ATT&CK.
    pub finding_info: Json,
    /// The events.
    pub evidences: Vec<Json>,
    /// Who and what it is about.
    pub observables: Vec<Json>,
    /// What has no place above.
    pub unmapped: Json,
}

impl Finding {
    /// The finding of an alert.
    pub fn new(alert: &Alert, schemas: &Schemas, version: &str) -> Self {
        let times = || alert.events.iter().flatten().filter_map(|event| event.time);
        let (severity_id, severity) = match alert.severity {
            Severity::Informational => (1, "Informational"),
            Severity::Low => (2, "Low"),
            Severity::Medium => (3, "Medium"),
            Severity::High => (4, "High"),
            Severity::Critical => (5, "Critical"),
        };
        Self {
            activity_id: 1,
            activity_name: "Create",
            category_uid: 2,
            category_name: "Findings",
            class_uid: 2004,
            class_name: "Detection Finding",
            type_uid: 200_401,
            type_name: "Detection Finding: Create",
            time: alert.time.map_or(0, Timestamp::millis),
            start_time: times().min().map(Timestamp::millis),
            end_time: times().max().map(Timestamp::millis),
            severity_id,
            severity,
            status_id: 1,
            status: "New",
            message: alert.message.clone(),
            count: alert.event_count,
            risk_score: alert.risk_score,
            metadata: json!({
                "version": "1.5.0",
                "uid": alert.id,
                "product": {"name": "Lurcher", "vendor_name": "Lurcher", "version": version},
            }),
            finding_info: finding_info(alert),
            evidences: alert.events.iter().flatten().map(|event| evidence(event, schemas)).collect(),
            observables: observables(alert),
            unmapped: json!({
                "kind": alert.kind.name(),
                "stories": alert.rule.meta.stories,
                "rule_path": alert.rule.meta.path,
                "values": alert.values.to_json(),
            }),
        }
    }
}

fn finding_info(alert: &Alert) -> Json {
    let meta = &alert.rule.meta;
    let mut info = json!({
        "uid": alert.id,
        "title": alert.name,
        "desc": meta.description,
        "types": [meta.kind],
        "analytic": {
            "uid": meta.id.as_ref(),
            "name": meta.name,
            "type_id": 1,
            "type": "Rule",
            "category": meta.language,
            "version": meta.version,
        },
        "attacks": attacks(alert),
        "data_sources": meta.data_sources,
        "product": {"name": meta.vendor, "vendor_name": meta.vendor},
    });
    if let Some(time) = alert.time {
        info["created_time"] = time.millis().into();
    }
    if let Some(url) = meta.references.first() {
        info["src_url"] = url.as_str().into();
    }
    let kill_chain: Vec<Json> = meta.kill_chain.iter().map(|phase| kill_chain(phase)).collect();
    if !kill_chain.is_empty() {
        info["kill_chain"] = kill_chain.into();
    }
    info
}

/// One entry for each pair of tactic and technique.
fn attacks(alert: &Alert) -> Vec<Json> {
    let mut attacks = Vec::new();
    for threat in &alert.rule.meta.threats {
        for (id, name) in &threat.techniques {
            let mut attack = json!({});
            if !threat.tactic.0.is_empty() {
                attack["tactic"] = json!({"uid": threat.tactic.0, "name": threat.tactic.1});
            }
            match id.split_once('.') {
                Some((parent, _)) => {
                    attack["technique"] = json!({"uid": parent});
                    attack["sub_technique"] = json!({"uid": id, "name": name});
                }
                None => attack["technique"] = json!({"uid": id, "name": name}),
            }
            attacks.push(attack);
        }
    }
    attacks
}

/// A phase of the kill chain by its number in OCSF.
fn kill_chain(phase: &str) -> Json {
    let known = [
        "reconnaissance",
        "weaponization",
        "delivery",
        "exploitation",
        "installation",
        "command and control",
        "actions on objectives",
    ];
    let plain = phase.to_lowercase().replace(['-', '_', '&'], " ").replace("command & control", "command and control");
    let id = known.iter().position(|name| *name == plain).map_or(99, |at| at + 1);
    json!({"phase": phase, "phase_id": id})
}

fn evidence(event: &lurcher_schema::Event, schemas: &Schemas) -> Json {
    json!({
        "uid": event.reference.to_string(),
        "data": schemas.normalise(event, Taxonomy::Raw).to_json(),
    })
}

fn observables(alert: &Alert) -> Vec<Json> {
    alert
        .entities
        .iter()
        .map(|entity| {
            let (type_id, kind) = match entity.kind {
                EntityType::System => (1, "Hostname"),
                EntityType::Ip => (2, "IP Address"),
                EntityType::User => (4, "User Name"),
                EntityType::File => (7, "File Name"),
                EntityType::Process => (9, "Process Name"),
                EntityType::Other => (99, "Other"),
            };
            json!({"name": entity.field, "value": entity.value, "type_id": type_id, "type": kind})
        })
        .collect()
}
