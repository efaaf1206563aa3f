//! The events that Splunk Enterprise Security would have written: risk events in `index=risk`, notables (in 8.x:
//! findings) in `index=notable`, one JSON object a line.
//!
//! One risk event for every risk object of every result row. In 7.x a finding makes a notable *and* risk events; in
//! 8.x a detection makes findings or intermediate findings (risk events), never both. Normalised objects, calculated
//! scores and urgency come from what the site says about its assets and identities. What only a running search head
//! knows (search ids, review state) is left out.

use lurcher_engine::{
    Alert, AlertEntity,
    risk::{self, ObjectType, Priority, Site, risk_objects},
};
use lurcher_ir::{AlertKind, EntityRole, EntityType, Severity};
use lurcher_schema::{BatchBuilder, EventBatch, Origin, RawField, Schemas, Taxonomy, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::{
    native::{once, plain_number, tactics, techniques},
    writer::SplunkEdition,
};

/// An event in the risk index.
#[derive(Clone, Debug, Serialize)]
pub struct RiskEvent {
    /// What every event of a detection says.
    #[serde(flatten)]
    pub common: Common,
    /// Who or what is at risk.
    pub risk_object: String,
    /// The one name that the site has for it.
    pub normalized_risk_object: String,
    /// `user`, `system` or `other`.
    pub risk_object_type: &'static str,
    /// How important it is to the site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk_object_priority: Option<&'static str>,
    /// The field that named it.
    pub risk_object_field: String,
    /// What the detection adds to its risk.
    #[serde(serialize_with = "plain_number")]
    pub risk_score: f64,
    /// After the site's risk factors.
    #[serde(serialize_with = "plain_number")]
    pub calculated_risk_score: f64,
    /// What happened.
    pub risk_message: String,
    /// Who or what attacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub threat_object: Vec<String>,
    /// What each of them is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub threat_object_type: Vec<String>,
}

/// An event in the notable index.
#[derive(Clone, Debug, Serialize)]
pub struct Notable {
    /// What every event of a detection says.
    #[serde(flatten)]
    pub common: Common,
    /// Unique.
    pub event_id: String,
    /// The detection.
    pub rule_name: String,
    /// What the analyst reads first.
    pub rule_title: String,
    /// What it is about.
    pub rule_description: String,
    /// The lower-case word.
    pub severity: &'static str,
    /// What severity and the priority of the object come to; the lower-case word.
    pub urgency: &'static str,
    /// `access`, `endpoint`, `network`, `threat`, `identity`, `audit`.
    pub security_domain: String,
    /// The score of the detection.
    #[serde(serialize_with = "plain_number")]
    pub risk_score: f64,
    /// 1, new.
    pub status: u8,
}

/// What risk events and notables have in common.
#[derive(Clone, Debug, Serialize)]
pub struct Common {
    /// Seconds since 1970.
    #[serde(rename = "_time")]
    pub time: Option<f64>,
    /// `risk` or `notable`.
    pub index: &'static str,
    /// `stash`.
    pub sourcetype: &'static str,
    /// The detection's stanza.
    pub source: String,
    /// The detection's stanza.
    pub search_name: String,
    /// What the detection is about.
    pub savedsearch_description: String,
    /// Analytic stories.
    pub analyticstories: Vec<String>,
    /// Everything in the annotations, in one list.
    #[serde(rename = "annotations._all")]
    pub all: Vec<String>,
    /// Technique ids.
    #[serde(rename = "annotations.mitre_attack")]
    pub mitre_attack: Vec<String>,
    /// Technique ids.
    #[serde(rename = "annotations.mitre_attack.mitre_technique_id")]
    pub mitre_technique_id: Vec<String>,
    /// Technique names.
    #[serde(rename = "annotations.mitre_attack.mitre_technique")]
    pub mitre_technique: Vec<String>,
    /// Tactic ids.
    #[serde(rename = "annotations.mitre_attack.mitre_tactic_id")]
    pub mitre_tactic_id: Vec<String>,
    /// Tactics, lower-case with hyphens.
    #[serde(rename = "annotations.mitre_attack.mitre_tactic")]
    pub mitre_tactic: Vec<String>,
    /// Phases of the kill chain.
    #[serde(rename = "annotations.kill_chain_phases")]
    pub kill_chain_phases: Vec<String>,
    /// NIST CSF categories.
    #[serde(rename = "annotations.nist")]
    pub nist: Vec<String>,
    /// CIS controls.
    #[serde(rename = "annotations.cis20")]
    pub cis20: Vec<String>,
}

/// The events of an alert, at a site.
pub fn documents(alert: &Alert, schemas: &Schemas, edition: SplunkEdition, site: &Site) -> Vec<Json> {
    let (notable, risk) = match (alert.kind, edition) {
        // People look at what a hunting search finds where it runs; it writes to neither index.
        _ if alert.rule.meta.kind.eq_ignore_ascii_case("hunting") => (false, false),
        (AlertKind::Finding, SplunkEdition::Seven) => (true, true),
        (AlertKind::Finding, SplunkEdition::Eight) => (true, false),
        (AlertKind::Risk | AlertKind::BuildingBlock, _) => (false, true),
    };
    let row = row(alert, schemas);
    let mut documents = Vec::new();
    if risk {
        documents.extend(risk_documents(alert, site, &row));
    }
    if notable {
        documents.push(with_row(json!(notable_event(alert, site)), &row));
    }
    documents
}

/// What an alert adds to the risk index, in any edition: findings count there too.
pub fn risk_events(alert: &Alert, schemas: &Schemas, site: &Site) -> Vec<Json> {
    risk_documents(alert, site, &row(alert, schemas))
}

/// Risk events ([`risk_events`]) as events that a search over the risk index reads, numbered from `first` on.
///
/// # Errors
///
/// More than a batch holds.
pub fn risk_batch(events: &[Json], first: u64) -> Result<EventBatch, String> {
    let mut builder = BatchBuilder::new(risk::own_shape(), Origin::new("index=risk"));
    for (number, event) in (first..).zip(events) {
        let time = event["_time"].as_f64().map(|seconds| Timestamp::from_millis((seconds * 1000.0) as i64));
        let texts: Vec<(&str, Option<&str>, String)> = event
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), value.as_str(), value.to_string()))
            .collect();
        let fields = texts.iter().map(|(name, text, json)| match text {
            Some(text) => (*name, RawField::Text(text)),
            None => (*name, RawField::Json(json)),
        });
        builder.push(number, number + 1, time, fields);
    }
    builder.finish().map_err(|error| error.to_string())
}

fn risk_documents(alert: &Alert, site: &Site, row: &Map<String, Json>) -> Vec<Json> {
    site.events(alert).iter().map(|event| with_row(json!(risk_event(alert, event)), row)).collect()
}

fn risk_event(alert: &Alert, event: &risk::RiskEvent) -> RiskEvent {
    let threats = || alert.entities.iter().filter(|entity| entity.role == EntityRole::Attacker);
    RiskEvent {
        common: Common::new(alert, "risk"),
        risk_object: event.object.clone(),
        normalized_risk_object: event.normalized.clone(),
        risk_object_type: event.kind.name(),
        risk_object_priority: event.record.as_ref().map(|record| record.priority.name()),
        risk_object_field: event.field.clone(),
        risk_score: event.score,
        calculated_risk_score: event.calculated,
        risk_message: event.message.clone(),
        threat_object: threats().map(|entity| entity.value.clone()).collect(),
        threat_object_type: threats().map(|entity| threat_type(alert, entity)).collect(),
    }
}

/// The type of a threat object, in the rule's own word where it has one.
fn threat_type(alert: &Alert, entity: &AlertEntity) -> String {
    let stated = |list: &str, name: &str| {
        let items = alert.rule.meta.extra.get(list.split('/').next()?)?.to_json();
        let items = list.split('/').skip(1).try_fold(&items, |json, step| json.get(step))?;
        let item = items.as_array()?.iter().find(|item| item[name] == entity.field.as_str())?;
        Some(item["type"].as_str()?.to_lowercase().replace(' ', "_"))
    };
    stated("rba/threat_objects", "field").or_else(|| stated("tags.observable", "name")).unwrap_or_else(|| {
        match entity.kind {
            EntityType::Process => "process",
            EntityType::File => "file_name",
            EntityType::Ip => "ip_address",
            EntityType::User => "user",
            EntityType::System => "system",
            EntityType::Other => "other",
        }
        .to_owned()
    })
}

fn notable_event(alert: &Alert, site: &Site) -> Notable {
    let meta = &alert.rule.meta;
    let correlation = meta.kind.eq_ignore_ascii_case("correlation");
    let name = stanza(alert);
    let domain = meta
        .platforms
        .iter()
        .map(String::as_str)
        .find(|platform| matches!(*platform, "access" | "endpoint" | "network" | "threat" | "identity" | "audit"));
    Notable {
        common: Common::new(alert, "notable"),
        event_id: alert.id.clone(),
        rule_name: name,
        rule_title: if correlation { format!("RBA: {}", alert.name) } else { alert.name.clone() },
        rule_description: alert.message.clone(),
        severity: alert.severity.name(),
        urgency: urgency(alert.severity, priority(alert, site)).name(),
        security_domain: domain.unwrap_or("threat").to_owned(),
        risk_score: alert.risk_score,
        status: 1,
    }
}

/// The highest priority among the alert's objects.
fn priority(alert: &Alert, site: &Site) -> Priority {
    let records =
        risk_objects(alert).filter_map(|entity| site.directory.find(ObjectType::of(entity.kind), &entity.value));
    records.map(|record| record.priority).max().unwrap_or_default()
}

/// Splunk's table of severity and priority (Splunk Enterprise Security 7, "How urgency is assigned to notable events").
fn urgency(severity: Severity, priority: Priority) -> Severity {
    use Severity::{Critical, High, Informational, Low, Medium};
    // From low to critical.
    let row = match priority {
        Priority::Unknown | Priority::Low => [Low, Low, Medium, High],
        Priority::Medium => [Low, Medium, High, Critical],
        Priority::High => [Medium, Medium, High, Critical],
        Priority::Critical => [Medium, High, Critical, Critical],
    };
    match severity {
        Informational => Informational,
        Low => row[0],
        Medium => row[1],
        High => row[2],
        Critical => row[3],
    }
}

/// The name of the saved search: that of Splunk's own content update for Splunk's rules.
fn stanza(alert: &Alert) -> String {
    match alert.rule.meta.vendor {
        // What adds up risk events comes with Enterprise Security itself, not with the content update.
        "splunk" if alert.rule.meta.path.is_empty() => format!("Risk - {} - Rule", alert.rule.meta.name),
        "splunk" => format!("ESCU - {} - Rule", alert.rule.meta.name),
        vendor => format!("{vendor} - {} - Rule", alert.rule.meta.name),
    }
}

/// The result row: that of the pipeline, or the event in CIM.
fn row(alert: &Alert, schemas: &Schemas) -> Map<String, Json> {
    let members = if alert.values.is_empty() {
        let event = alert.events.iter().flatten().next();
        event.map(|event| schemas.normalise(event, Taxonomy::Cim).to_json()).unwrap_or_default()
    } else {
        alert.values.to_json()
    };
    match members {
        Json::Object(members) => members,
        _ => Map::new(),
    }
}

/// Adds the result row's fields. Names that the document already has keep its own meaning; what the row has under one that
/// every event has in Splunk stands behind `orig_`, as in Splunk's own summaries.
fn with_row(mut document: Json, row: &Map<String, Json>) -> Json {
    if let Json::Object(members) = &mut document {
        for (name, value) in row.iter().filter(|(_, value)| !value.is_null()) {
            let of_every_event = matches!(name.as_str(), "source" | "sourcetype" | "host" | "index");
            let name = if of_every_event { format!("orig_{name}") } else { name.clone() };
            members.entry(name).or_insert_with(|| value.clone());
        }
    }
    document
}

impl Common {
    fn new(alert: &Alert, index: &'static str) -> Self {
        let meta = &alert.rule.meta;
        let techniques = techniques(&alert.rule);
        let names = meta.threats.iter().flat_map(|threat| &threat.techniques).map(|(_, name)| name.as_str());
        let tactic_names: Vec<String> =
            meta.threats.iter().map(|threat| threat.tactic.1.to_lowercase().replace(' ', "-")).collect();
        let lists = [&meta.stories, &techniques, &meta.kill_chain, &meta.nist, &meta.cis, &meta.cve];
        let all = once(lists.into_iter().flatten().map(String::as_str));
        Self {
            time: alert.time.map(|time| time.millis() as f64 / 1000.0),
            index,
            sourcetype: "stash",
            source: stanza(alert),
            search_name: stanza(alert),
            savedsearch_description: meta.description.clone(),
            analyticstories: meta.stories.clone(),
            all,
            mitre_attack: techniques.clone(),
            mitre_technique_id: techniques,
            mitre_technique: once(names),
            mitre_tactic_id: tactics(&alert.rule),
            mitre_tactic: once(tactic_names.iter().map(String::as_str)),
            kill_chain_phases: meta.kill_chain.clone(),
            nist: meta.nist.clone(),
            cis20: meta.cis.clone(),
        }
    }
}
