//! The documents that Elastic Security would have written: one line each of `.alerts-security.alerts-*`.
//!
//! An alert is a copy of its source event in ECS plus `kibana.alert.*`. A sequence is a *shell* alert, whose copy is
//! what all its events have in common, and a building block for every event, joined by `kibana.alert.group.id`.
//! Fields as in Elastic's alert schema, 9.x. What only a running Kibana knows (execution ids, users, cases, links) is
//! left out. `@timestamp`, at Elastic's the time of the detection run, is that of the run on the virtual clock; without
//! such a clock it is the alert's own time, so that the same events give the same documents.

use lurcher_engine::{Alert, Detail};
use lurcher_ir::{AlertKind, RuleMeta, Sources, Tail, Threat};
use lurcher_schema::{Event, Schemas, Taxonomy, Value};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::{elastic_detail, native::plain_number};

/// A document.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    /// The alert's own time.
    #[serde(rename = "@timestamp")]
    pub timestamp: Option<String>,
    /// What is copied from the source event, with `event.kind` turned to `signal`.
    #[serde(flatten)]
    pub source: Map<String, Json>,
    /// Where the alert lies.
    #[serde(rename = "kibana.space_ids")]
    pub spaces: [&'static str; 1],
    /// Deterministic.
    #[serde(rename = "kibana.alert.uuid")]
    pub uuid: String,
    /// `active`.
    #[serde(rename = "kibana.alert.status")]
    pub status: &'static str,
    /// `open`.
    #[serde(rename = "kibana.alert.workflow_status")]
    pub workflow_status: &'static str,
    /// A sentence about the event.
    #[serde(rename = "kibana.alert.reason")]
    pub reason: String,
    /// `low`, `medium`, `high`, `critical`.
    #[serde(rename = "kibana.alert.severity")]
    pub severity: &'static str,
    /// 0–100.
    #[serde(rename = "kibana.alert.risk_score", serialize_with = "plain_number")]
    pub risk_score: f64,
    /// 1 for an alert made from events, 2 for one made from alerts.
    #[serde(rename = "kibana.alert.depth")]
    pub depth: u8,
    /// The events (and alerts) that it was made from.
    #[serde(rename = "kibana.alert.ancestors")]
    pub ancestors: Vec<Ancestor>,
    /// The source event's time.
    #[serde(rename = "kibana.alert.original_time", skip_serializing_if = "Option::is_none")]
    pub original_time: Option<String>,
    /// `kibana.alert.original_event.*`: the source event's `event.*`.
    #[serde(flatten)]
    pub original_event: Map<String, Json>,
    /// `default` for what is only to be built upon.
    #[serde(rename = "kibana.alert.building_block_type", skip_serializing_if = "Option::is_none")]
    pub building_block_type: Option<&'static str>,
    /// The shell's id, in all alerts of one sequence.
    #[serde(rename = "kibana.alert.group.id", skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// Which event of the sequence, from 0; absent in the shell.
    #[serde(rename = "kibana.alert.group.index", skip_serializing_if = "Option::is_none")]
    pub group_index: Option<usize>,
    /// What only some alerts have: what a threshold counted, new terms, suppression, when the rule ran.
    #[serde(flatten)]
    pub detail: Map<String, Json>,
    /// The rule.
    #[serde(flatten)]
    pub rule: RuleFields,
}

/// What an alert was made from.
#[derive(Clone, Debug, Serialize)]
pub struct Ancestor {
    /// The rule, for an alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The event's place: file and record; an alert's id.
    pub id: String,
    /// `event` or `signal`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The index that the event would lie in.
    pub index: String,
    /// 0 for an event.
    pub depth: u8,
}

/// `kibana.alert.rule.*`.
#[derive(Clone, Debug, Serialize)]
pub struct RuleFields {
    /// The id of the rule in this installation: here the publisher's.
    #[serde(rename = "kibana.alert.rule.uuid")]
    pub uuid: String,
    /// The publisher's id.
    #[serde(rename = "kibana.alert.rule.rule_id")]
    pub rule_id: String,
    /// Its name.
    #[serde(rename = "kibana.alert.rule.name")]
    pub name: String,
    /// What it is about.
    #[serde(rename = "kibana.alert.rule.description")]
    pub description: String,
    /// `eql`, `query` …
    #[serde(rename = "kibana.alert.rule.type")]
    pub kind: String,
    /// What Kibana calls rules of this type.
    #[serde(rename = "kibana.alert.rule.category")]
    pub category: &'static str,
    /// The rule type's id.
    #[serde(rename = "kibana.alert.rule.rule_type_id")]
    pub rule_type_id: &'static str,
    /// `siem`.
    #[serde(rename = "kibana.alert.rule.consumer")]
    pub consumer: &'static str,
    /// `siem`.
    #[serde(rename = "kibana.alert.rule.producer")]
    pub producer: &'static str,
    /// The publisher's version; 1 if none is stated.
    #[serde(rename = "kibana.alert.rule.version")]
    pub version: u64,
    /// True.
    #[serde(rename = "kibana.alert.rule.enabled")]
    pub enabled: bool,
    /// Who wrote it.
    #[serde(rename = "kibana.alert.rule.author")]
    pub author: Vec<String>,
    /// Its licence.
    #[serde(rename = "kibana.alert.rule.license")]
    pub license: String,
    /// The investigation guide.
    #[serde(rename = "kibana.alert.rule.note")]
    pub note: String,
    /// URLs.
    #[serde(rename = "kibana.alert.rule.references")]
    pub references: Vec<String>,
    /// Known false positives.
    #[serde(rename = "kibana.alert.rule.false_positives")]
    pub false_positives: Vec<String>,
    /// Tags.
    #[serde(rename = "kibana.alert.rule.tags")]
    pub tags: Vec<String>,
    /// ATT&CK.
    #[serde(rename = "kibana.alert.rule.threat")]
    pub threat: Vec<Json>,
    /// The rule's own severity.
    #[serde(rename = "kibana.alert.rule.severity")]
    pub severity: &'static str,
    /// The rule's own score.
    #[serde(rename = "kibana.alert.rule.risk_score", serialize_with = "plain_number")]
    pub risk_score: f64,
    /// How often it runs.
    #[serde(rename = "kibana.alert.rule.interval", skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,
    /// Where its window begins.
    #[serde(rename = "kibana.alert.rule.from")]
    pub from: String,
    /// Where its window ends.
    #[serde(rename = "kibana.alert.rule.to")]
    pub to: String,
    /// At most so many alerts a run.
    #[serde(rename = "kibana.alert.rule.max_signals", skip_serializing_if = "Option::is_none")]
    pub max_signals: Option<u64>,
    /// Index patterns.
    #[serde(rename = "kibana.alert.rule.indices")]
    pub indices: Vec<String>,
    /// The query and its like.
    #[serde(rename = "kibana.alert.rule.parameters")]
    pub parameters: Json,
}

/// The documents of an alert: one, or for the events of a sequence a shell and a building block for each.
pub fn documents(alert: &Alert, schemas: &Schemas) -> Vec<Document> {
    let events: Vec<&Event> = alert.events.iter().flatten().collect();
    let sources: Vec<Json> = events.iter().map(|event| schemas.normalise(event, Taxonomy::Ecs).to_json()).collect();
    let block = (alert.kind == AlertKind::BuildingBlock).then_some("default");
    let ancestors: Vec<Ancestor> = events.iter().map(|event| ancestor(event, schemas)).collect();
    if events.len() < 2 || !joins(alert) {
        // What was counted has no event of its own; one event that fits is copied whole, with what was computed of it.
        let counted = matches!(alert.detail, Detail::Threshold(_)) || events.len() > 1 || groups(alert);
        let event = sources.into_iter().next().filter(|_| !counted);
        let mut source = match event {
            Some(event) => elastic_detail::with_columns(alert, event),
            None => elastic_detail::row(alert),
        };
        elastic_detail::enrich(alert, &mut source, schemas);
        let mut only = document(alert, source, ancestors);
        let original = if counted { alert.time } else { events.first().and_then(|event| event.time) };
        only.original_time = original.map(|time| time.to_string());
        only.building_block_type = block;
        return vec![only];
    }
    let mut documents = Vec::with_capacity(events.len() + 1);
    let mut inherited = Vec::new();
    for (index, ((event, source), own)) in events.iter().zip(&sources).zip(&ancestors).enumerate() {
        let mut part = document(alert, source.clone(), vec![own.clone()]);
        part.uuid = format!("{}-{index}", alert.id);
        part.original_time = event.time.map(|time| time.to_string());
        part.building_block_type = Some("default");
        part.group_id = Some(alert.id.clone());
        part.group_index = Some(index);
        inherited.push(own.clone());
        inherited.push(Ancestor {
            rule: Some(alert.rule.meta.id.to_string()),
            id: part.uuid.clone(),
            kind: "signal",
            index: String::new(),
            depth: 1,
        });
        documents.push(part);
    }
    let common =
        sources.into_iter().reduce(|a, b| intersection(&a, &b).unwrap_or_else(|| json!({}))).unwrap_or_default();
    let mut shell = document(alert, common, inherited);
    shell.depth = 2;
    shell.group_id = Some(alert.id.clone());
    shell.building_block_type = block;
    documents.insert(0, shell);
    documents
}

/// Whether the rule's rows stand for groups of events, be it for groups of one.
fn groups(alert: &Alert) -> bool {
    matches!(alert.rule.body.as_ref().map(|body| &body.tail), Some(Tail::Pipeline(pipeline)) if pipeline.groups())
}

/// Whether the rule joins events, each of which becomes a building block.
fn joins(alert: &Alert) -> bool {
    let tail = alert.rule.body.as_ref().map(|body| &body.tail);
    !matches!(tail, Some(Tail::Pipeline(_) | Tail::Threshold(_) | Tail::NewTerms(_) | Tail::Indicators(_)))
}

fn document(alert: &Alert, source: Json, ancestors: Vec<Ancestor>) -> Document {
    let mut source = match source {
        Json::Object(members) => members,
        _ => Map::new(),
    };
    source.remove("@timestamp");
    let mut original_event = Map::new();
    let event = source.entry("event").or_insert_with(|| json!({}));
    if let Json::Object(members) = event {
        flatten("kibana.alert.original_event", members, &mut original_event);
        members.insert("kind".to_owned(), "signal".into());
    }
    let reason = reason(alert, &source);
    Document {
        timestamp: alert.detected.or(alert.time).map(|time| time.to_string()),
        source,
        spaces: ["default"],
        uuid: alert.id.clone(),
        status: "active",
        workflow_status: "open",
        reason,
        severity: severity(alert.severity),
        risk_score: alert.risk_score,
        depth: 1,
        ancestors,
        original_time: None,
        original_event,
        building_block_type: None,
        group_id: None,
        group_index: None,
        detail: elastic_detail::members(alert),
        rule: RuleFields::new(alert),
    }
}

/// Elastic's severities begin with `low`.
fn severity(severity: lurcher_ir::Severity) -> &'static str {
    severity.max(lurcher_ir::Severity::Low).name()
}

fn flatten(prefix: &str, members: &Map<String, Json>, into: &mut Map<String, Json>) {
    for (name, value) in members {
        let name = format!("{prefix}.{name}");
        match value {
            Json::Object(inner) => flatten(&name, inner, into),
            value => drop(into.insert(name, value.clone())),
        }
    }
}

fn ancestor(event: &Event, schemas: &Schemas) -> Ancestor {
    let index = schemas.indices(&event.shape).first().map(ToString::to_string).unwrap_or_default();
    Ancestor { rule: None, id: event.reference.to_string(), kind: "event", index, depth: 0 }
}

/// What two documents have in common: equal scalars, objects member by member, lists by their common elements (a
/// scalar against a list counts as a list of one). Nothing if there is nothing.
fn intersection(a: &Json, b: &Json) -> Option<Json> {
    match (a, b) {
        (Json::Object(a), Json::Object(b)) => {
            let common: Map<String, Json> =
                a.iter().filter_map(|(name, value)| Some((name.clone(), intersection(value, b.get(name)?)?))).collect();
            (!common.is_empty()).then_some(Json::Object(common))
        }
        (Json::Array(a), Json::Array(b)) => {
            let common: Vec<Json> = a.iter().filter(|value| b.contains(value)).cloned().collect();
            (!common.is_empty()).then_some(Json::Array(common))
        }
        (Json::Array(list), single) | (single, Json::Array(list)) => {
            list.contains(single).then(|| Json::Array(vec![single.clone()]))
        }
        (a, b) => (a == b).then(|| a.clone()),
    }
}

/// The sentence that Kibana makes of an event.
fn reason(alert: &Alert, source: &Map<String, Json>) -> String {
    let whole = Json::Object(source.clone());
    let text = |path: &str| {
        // A row's columns have their names in one piece.
        let value = whole.pointer(path).or_else(|| source.get(&path.trim_start_matches('/').replace('/', ".")))?;
        let single = value.as_array().and_then(|list| list.first()).unwrap_or(value);
        single.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let category = text("/event/category").map(|category| format!("{category} ")).unwrap_or_default();
    let mut details = Vec::new();
    for (label, path) in [
        ("process", "/process/name"),
        ("parent process", "/process/parent/name"),
        ("file", "/file/name"),
        ("source", "/source/ip"),
        ("destination", "/destination/ip"),
    ] {
        details.extend(text(path).map(|name| format!("{label} {name}")));
    }
    let with = if details.is_empty() { String::new() } else { format!(" with {},", details.join(", ")) };
    let by = text("/user/name").map(|user| format!(" by {user}")).unwrap_or_default();
    let on = text("/host/name").map(|host| format!(" on {host}")).unwrap_or_default();
    format!("{category}event{with}{by}{on} created {} alert {}.", severity(alert.severity), alert.name)
}

impl RuleFields {
    fn new(alert: &Alert) -> Self {
        let meta = &alert.rule.meta;
        let (category, rule_type_id) = match (meta.kind.as_str(), meta.language) {
            ("threshold", _) => ("Threshold Rule", "siem.thresholdRule"),
            ("new_terms", _) => ("New Terms Rule", "siem.newTermsRule"),
            ("threat_match", _) => ("Indicator Match Rule", "siem.indicatorRule"),
            ("saved_query", _) => ("Custom Query Rule", "siem.savedQueryRule"),
            (_, "eql") => ("Event Correlation Rule", "siem.eqlRule"),
            (_, "esql") => ("ES|QL Rule", "siem.esqlRule"),
            _ => ("Custom Query Rule", "siem.queryRule"),
        };
        let indices = match &meta.sources {
            Sources::Indices(patterns) => patterns.clone(),
            Sources::Any | Sources::LogSource(_) => Vec::new(),
        };
        Self {
            uuid: meta.id.to_string(),
            rule_id: meta.id.to_string(),
            name: alert.name.clone(),
            description: meta.description.clone(),
            kind: meta.kind.clone(),
            category,
            rule_type_id,
            consumer: "siem",
            producer: "siem",
            version: meta.version.parse().unwrap_or(1),
            enabled: true,
            author: meta.authors.clone(),
            license: meta.license.clone(),
            note: meta.guide.clone(),
            references: meta.references.clone(),
            false_positives: meta.false_positives.clone(),
            tags: meta.tags.clone(),
            threat: meta.threats.iter().map(threat).collect(),
            severity: severity(meta.severity),
            risk_score: meta.risk_score,
            interval: meta.schedule.interval.map(|interval| duration(interval.as_secs())),
            from: meta.schedule.from.clone(),
            to: meta.schedule.to.clone(),
            max_signals: meta.schedule.max_alerts,
            parameters: parameters(meta, &indices),
            indices,
        }
    }
}

fn parameters(meta: &RuleMeta, indices: &[String]) -> Json {
    let mapping = |list: &[lurcher_ir::OverrideMapping], then: &str| -> Json {
        let entry = |m: &lurcher_ir::OverrideMapping| {
            let mut entry = json!({"field": m.field, "operator": "equals", "value": m.equals});
            if m.then != Value::Null {
                entry[then] = m.then.to_json();
            }
            entry
        };
        list.iter().map(entry).collect()
    };
    let mut parameters = json!({
        "language": meta.language,
        "query": meta.query,
        "index": indices,
        "severity_mapping": mapping(&meta.severity_mapping, "severity"),
        "risk_score_mapping": mapping(&meta.risk_score_mapping, "risk_score"),
        "timestamp_override": meta.timestamp_override,
        "rule_name_override": meta.name_override,
    });
    if let Some(tiebreaker) = &meta.tiebreaker {
        parameters["tiebreaker_field"] = tiebreaker.as_str().into();
    }
    // What belongs to the rule's type stands here as its file has it.
    for (name, value) in &meta.extra {
        if PARAMETERS.contains(&name.as_ref()) {
            parameters[name.as_ref()] = value.to_json();
        }
    }
    parameters
}

/// The fields of a rule file that an alert repeats as they are.
const PARAMETERS: [&str; 16] = [
    "alert_suppression",
    "data_view_id",
    "event_category_override",
    "exceptions_list",
    "filters",
    "history_window_start",
    "new_terms",
    "new_terms_fields",
    "saved_id",
    "threat_filters",
    "threat_index",
    "threat_indicator_path",
    "threat_language",
    "threat_mapping",
    "threat_query",
    "threshold",
];

/// `{framework, tactic, technique[{…, subtechnique[]}]}`.
fn threat(threat: &Threat) -> Json {
    let reference = |kind: &str, id: &str| format!("https://attack.mitre.org/{kind}/{}/", id.replace('.', "/"));
    let node =
        |kind: &str, (id, name): &(String, String)| json!({"id": id, "name": name, "reference": reference(kind, id)});
    let mut techniques: Vec<Json> = Vec::new();
    for technique in &threat.techniques {
        let parent = technique.0.split_once('.').map(|(parent, _)| parent);
        match (parent, techniques.last_mut()) {
            (Some(parent), Some(last)) if last["id"] == parent => {
                let sub = node("techniques", technique);
                match last["subtechnique"].as_array_mut() {
                    Some(subs) => subs.push(sub),
                    None => last["subtechnique"] = json!([sub]),
                }
            }
            _ => techniques.push(node("techniques", technique)),
        }
    }
    let mut whole = json!({"framework": threat.framework});
    if !threat.tactic.0.is_empty() {
        whole["tactic"] = node("tactics", &threat.tactic);
    }
    whole["technique"] = techniques.into();
    whole
}

/// A length of time in the largest unit that divides it, as rules write it: `90s`, `5m`, `1h`, `1d`.
fn duration(seconds: u64) -> String {
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let fits = |unit: &&(u64, char)| seconds > 0 && seconds.is_multiple_of(unit.0);
    let (size, unit) = units.iter().find(fits).copied().unwrap_or((1, 's'));
    format!("{}{unit}", seconds / size)
}
