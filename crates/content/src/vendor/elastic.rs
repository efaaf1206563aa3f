//! Elastic's detection rules: the TOML files of their repository and the NDJSON that Kibana exports.
//!
//! The layout and what each field does at Elastic's: their detection engine's rule schema. A TOML file has
//! `[metadata]` and `[rule]`; an exported line is the rule itself; the rules of Elastic's packages wrap it in
//! `attributes`. Kibana's defaults are filled in where a file is silent: every 5 minutes, from `now-6m`, at most 100
//! alerts a run, the default indices.

use std::{sync::Arc, time::Duration};

use lurcher_diagnostics::{SourceFile, Span};
use lurcher_ir::{
    AlertKind, Entity, EntityRole, EntityType, Overflow, OverrideMapping, RuleMeta, Schedule, Severity, Sources,
    Threat, Verdict,
};
use lurcher_schema::Value;

use super::{Draft, detection};
use crate::{embedded::Embedded, exceptions::ListReference, node::Node};

/// Kibana's default index patterns (`securitySolution:defaultIndex`), for rules that name none.
const DEFAULT_INDICES: [&str; 9] = [
    "apm-*-transaction*",
    "auditbeat-*",
    "endgame-*",
    "filebeat-*",
    "logs-*",
    "packetbeat-*",
    "traces-apm*",
    "winlogbeat-*",
    "-*elastic-cloud-logs-*",
];

/// The fields of `[rule]` that have a place of their own in the metadata; all others go to `extra`.
const KNOWN: [&str; 34] = [
    "author",
    "building_block_type",
    "created_at",
    "description",
    "event_category_override",
    "false_positives",
    "filters",
    "from",
    "index",
    "interval",
    "language",
    "license",
    "max_signals",
    "name",
    "note",
    "query",
    "references",
    "required_fields",
    "risk_score",
    "risk_score_mapping",
    "rule_id",
    "rule_name_override",
    "setup",
    "severity",
    "severity_mapping",
    "tags",
    "threat",
    "tiebreaker_field",
    "timestamp_field",
    "timestamp_override",
    "to",
    "type",
    "updated_at",
    "version",
];

/// Whether a JSON value is a rule, possibly wrapped, rather than one of the other things that an export holds.
pub(crate) fn json_rule(node: &Node) -> Option<&Node> {
    let inner = node.get("attributes").unwrap_or(node);
    (inner.get("rule_id").is_some() && inner.get("name").is_some() && inner.get("type").is_some()).then_some(inner)
}

/// A rule file: `[metadata]` beside `[rule]`.
pub(crate) fn toml_draft(file: &Arc<SourceFile>, tree: &Node) -> Option<Draft> {
    let rule = tree.get("rule")?;
    let mut draft = draft(file, rule);
    if let Some(metadata) = tree.get("metadata") {
        draft.meta.status = metadata.text("maturity");
        draft.meta.created = metadata.text("creation_date");
        draft.meta.updated = metadata.text("updated_date");
        for integration in metadata.texts("integration") {
            if !draft.meta.data_sources.contains(&integration) {
                draft.meta.data_sources.push(integration);
            }
        }
        draft.meta.extra.insert("metadata", metadata.to_value());
    }
    if let Some(transform) = tree.get("transform") {
        draft.meta.extra.insert("transform", transform.to_value());
    }
    Some(draft)
}

/// A rule by itself: the `[rule]` table, or a line of an export.
pub(crate) fn draft(file: &Arc<SourceFile>, rule: &Node) -> Draft {
    let kind = rule.text("type");
    let language = language(&rule.text("language"), &kind);
    let mut draft = Draft::new(file, "elastic", language);
    draft.meta.kind.clone_from(&kind);
    describe(&mut draft.meta, rule);
    severity(&mut draft, rule);
    if rule.get("filters").is_some() {
        draft.meta.extra.insert("filters", rule.get("filters").map(Node::to_value).unwrap_or_default());
    }
    draft.set_query(rule.get("query"));
    draft.category_field = Some(rule.text("event_category_override")).filter(|field| !field.is_empty());
    if let Some(field) = &draft.category_field {
        draft.meta.extra.insert("event_category_override", Value::text(field.as_str()));
    }
    let named = !draft.meta.name.is_empty();
    draft.require("name", named, rule);
    let identified = !draft.meta.id.is_empty();
    draft.require("rule_id", identified, rule);
    words(&mut draft, rule);
    without_query(&mut draft, &kind, rule);
    beyond_the_query(&mut draft, rule);
    detection::read(&mut draft, &kind, rule);
    draft.meta.schedule.look_back = detection::look_back(&mut draft, rule);
    if draft.meta.language == "eql" {
        // The event query language answers with so many results itself, the latest ones.
        draft.meta.schedule.overflow = Overflow::KeepLatest;
    }
    draft
}

/// Words that must be known: the type, the language, the interval.
fn words(draft: &mut Draft, rule: &Node) {
    const TYPES: [&str; 8] =
        ["query", "saved_query", "eql", "esql", "threshold", "new_terms", "threat_match", "machine_learning"];
    const LANGUAGES: [&str; 4] = ["kuery", "lucene", "eql", "esql"];
    for (field, known) in [("type", &TYPES[..]), ("language", &LANGUAGES[..])] {
        let stated = rule.text(field);
        if let Some(node) = rule.get(field).filter(|_| !known.contains(&stated.as_str())) {
            let message = format!("there is no {field} of rules called `{stated}`");
            draft.fault(node, message, format!("one of {}", known.join(", ")));
        }
    }
    draft.require("type", rule.get("type").is_some(), rule);
    let interval = rule.text("interval");
    if let Some(node) = rule.get("interval").filter(|_| duration(&interval).is_none_or(|interval| interval.is_zero())) {
        draft.fault(node, format!("`{interval}` is no interval"), "write a number and a unit: 30s, 5m, 1h");
    }
}

/// What a rule without a query is: a rule of a model, one whose query lies elsewhere, one of filters only, or a fault.
fn without_query(draft: &mut Draft, kind: &str, rule: &Node) {
    match kind {
        _ if draft.query.is_some() => {}
        "machine_learning" => {
            let jobs = rule.texts("machine_learning_job_id").join(", ");
            let message = format!("needs the results of the machine-learning job {jobs}");
            draft.reason(Verdict::Unsupported, "machine-learning", message);
        }
        "saved_query" => {
            let message = format!("its query `{}` is saved in its Kibana only", rule.text("saved_id"));
            draft.reason(Verdict::Unsupported, "saved-query", message);
        }
        // Kibana's default is the empty query, which finds what the filters let through.
        "query" if !rule.items("filters").is_empty() => {
            let span = Span { end: rule.span.start, ..rule.span };
            draft.query = Some(Embedded { text: String::new(), file: Arc::clone(&draft.file), span });
        }
        _ => draft.require("query", false, rule),
    }
}

/// The languages by Elastic's names; a machine-learning rule has none.
fn language(stated: &str, kind: &str) -> &'static str {
    match (stated, kind) {
        ("eql", _) | ("", "eql") => "eql",
        ("esql", _) | ("", "esql") => "esql",
        ("lucene", _) => "lucene",
        (_, "machine_learning") => "machine_learning",
        _ => "kuery",
    }
}

fn describe(meta: &mut RuleMeta, rule: &Node) {
    let field = |name: &str| Some(rule.text(name)).filter(|text| !text.is_empty());
    meta.id = rule.text("rule_id").into();
    meta.name = rule.text("name");
    meta.version = rule.text("version");
    meta.description = rule.text("description");
    meta.authors = rule.texts("author");
    meta.license = rule.text("license");
    meta.created = rule.text("created_at");
    meta.updated = rule.text("updated_at");
    meta.guide = rule.text("note");
    meta.setup = rule.text("setup");
    meta.references = rule.texts("references");
    meta.false_positives = rule.texts("false_positives");
    meta.tags = rule.texts("tags");
    meta.required_fields = rule.items("required_fields").iter().map(|field| field.text("name")).collect();
    meta.name_override = field("rule_name_override");
    meta.timestamp_override = field("timestamp_override").or_else(|| field("timestamp_field"));
    meta.tiebreaker = field("tiebreaker_field");
    meta.threats = rule.items("threat").iter().map(threat).collect();
    meta.schedule = Schedule {
        interval: duration(&rule.text("interval")).or(Some(Duration::from_mins(5))),
        from: field("from").unwrap_or_else(|| "now-6m".to_owned()),
        to: field("to").unwrap_or_else(|| "now".to_owned()),
        max_alerts: rule.number("max_signals").map(|n| n as u64).or(Some(100)),
        ..Schedule::default()
    };
    if rule.get("building_block_type").is_some() {
        meta.alert_kind = AlertKind::BuildingBlock;
        meta.extra.insert("building_block_type", Value::text(rule.text("building_block_type")));
    }
    meta.sources = sources(rule);
    // Elastic's entity risk scoring counts an alert towards these two.
    meta.entities = [("host.name", EntityType::System), ("user.name", EntityType::User)]
        .map(|(field, kind)| Entity { field: field.to_owned(), kind, role: EntityRole::Other, score: None })
        .into();
    from_tags(meta);
    for (name, value) in &rule.without(&KNOWN) {
        meta.extra.insert(Arc::clone(name), value.clone());
    }
}

/// What Elastic says in tags: `OS: Windows`, `Domain: Endpoint`, `Data Source: Sysmon`, `Vulnerability: CVE-…`.
fn from_tags(meta: &mut RuleMeta) {
    for tag in &meta.tags {
        match tag.split_once(": ") {
            Some(("OS" | "Domain", platform)) => meta.platforms.push(platform.to_lowercase()),
            Some(("Data Source", source)) => meta.data_sources.push(source.to_owned()),
            _ => {}
        }
        let upper = tag.to_ascii_uppercase().replace('_', "-");
        let number = upper.split_once("CVE-").map(|(_, rest)| {
            rest.split(|c: char| !c.is_ascii_digit() && c != '-').next().unwrap_or_default().trim_end_matches('-')
        });
        if let Some(number) = number.filter(|number| number.len() >= 9 && number.contains('-')) {
            meta.cve.push(format!("CVE-{number}"));
        }
    }
}

fn sources(rule: &Node) -> Sources {
    let indices = rule.texts("index");
    match (indices.is_empty(), rule.get("data_view_id").is_some()) {
        (false, _) => Sources::Indices(indices),
        // An ES|QL query names its own indices; a data view is known to the user's Kibana only.
        (true, true) => Sources::Any,
        (true, false) if rule.text("type") == "esql" => Sources::Any,
        (true, false) => Sources::Indices(DEFAULT_INDICES.map(str::to_owned).into()),
    }
}

fn threat(node: &Node) -> Threat {
    let pair = |node: &Node| (node.text("id"), node.text("name"));
    let mut techniques = Vec::new();
    for technique in node.items("technique") {
        techniques.push(pair(technique));
        techniques.extend(technique.items("subtechnique").iter().map(pair));
    }
    Threat { framework: node.text("framework"), tactic: node.get("tactic").map(pair).unwrap_or_default(), techniques }
}

/// `5m`, `1h`, `30s`, `1d`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..unit].parse().ok()?;
    let seconds = match &text[unit..] {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    Some(Duration::from_secs(number.saturating_mul(seconds)))
}

fn severity(draft: &mut Draft, rule: &Node) {
    let stated = rule.text("severity");
    match (Severity::from_name(&stated), rule.get("severity")) {
        (Some(severity), _) => draft.meta.severity = severity,
        (None, Some(node)) => {
            draft.warn(node, format!("`{stated}` is no severity"), "use low, medium, high or critical");
        }
        (None, None) => {}
    }
    match (rule.number("risk_score"), rule.get("risk_score")) {
        (Some(score), _) if (0.0..=100.0).contains(&score) => draft.meta.risk_score = score,
        (_, Some(node)) => {
            draft.warn(node, "the risk score is no number from 0 to 100", "Elastic's are 21, 47, 73, 99");
        }
        _ => {}
    }
    let mapping = |node: &Node, then: &str| OverrideMapping {
        field: node.text("field"),
        equals: node.text("value"),
        then: node.get(then).map(Node::to_value).unwrap_or_default(),
    };
    draft.meta.severity_mapping = rule.items("severity_mapping").iter().map(|n| mapping(n, "severity")).collect();
    draft.meta.risk_score_mapping = rule.items("risk_score_mapping").iter().map(|n| mapping(n, "risk_score")).collect();
}

/// What a rule does beside its query, and what of it is not done here.
fn beyond_the_query(draft: &mut Draft, rule: &Node) {
    draft.filters = rule.items("filters").to_vec();
    let lists = rule.items("exceptions_list").iter();
    draft.exceptions = lists.map(|list| ListReference { id: list.text("list_id"), kind: list.text("type") }).collect();
    if rule.get("index").is_none() && rule.get("data_view_id").is_some() {
        let view = rule.text("data_view_id");
        let message =
            format!("the data view `{view}` is known to its Kibana only: the rule sees events of all indices");
        draft.reason(Verdict::Approximate, "data-view", message);
    }
}
