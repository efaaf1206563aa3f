//! Splunk's detections: the YAML of its security content, in the three layouts that are found.
//!
//! | layout | how to know it | what differs |
//! |---|---|---|
//! | source, until 2024 | `tags.observable`, `tags.message` | score, message and entities in `tags` |
//! | built streaming detections | `runtime: SPL2`, `tags.annotations`, `risk_message` | stories, ATT&CK, kill chain in `tags.annotations` |
//! | source, since 2025 | `rba` | message, risk objects and threat objects in `rba` |
//!
//! Beyond the file: the severity that Splunk derives from the score, the alert that it makes of each type, and the
//! schedule that it gives to it (`docs/rule-files.md` has the tables).

use std::{sync::Arc, time::Duration};

use lurcher_diagnostics::SourceFile;
use lurcher_ir::{
    AlertKind, Entity, EntityRole, EntityType, LookBack, Message, MissingFields, RiskSource, RuleMeta, Schedule,
    Severity, Suppression, Verdict,
};
use lurcher_schema::{Cron, RelativeTime, Value};

use super::{Draft, elastic::duration};
use crate::{
    attack,
    node::{Data, Node},
};

/// The fields that have a place of their own in the metadata; all others go to `extra`. `rba` goes there too: it has
/// more to say about an entity's type than the IR keeps.
const KNOWN: [&str; 20] = [
    "author",
    "data_source",
    "data_sources",
    "datamodel",
    "date",
    "description",
    "detection_type",
    "how_to_implement",
    "id",
    "known_false_positives",
    "message",
    "name",
    "product",
    "references",
    "risk_message",
    "search",
    "status",
    "tags",
    "type",
    "version",
];
const KNOWN_TAGS: [&str; 13] = [
    "analytic_story",
    "annotations",
    "asset_type",
    "cis20",
    "confidence",
    "cve",
    "impact",
    "kill_chain_phases",
    "message",
    "mitre_attack_id",
    "nist",
    "required_fields",
    "risk_score",
];

/// A detection.
pub(crate) fn draft(file: &Arc<SourceFile>, rule: &Node) -> Draft {
    let mut draft = Draft::new(file, "splunk", "spl");
    let empty = Node { span: rule.span, data: Data::Map(Vec::new()) };
    let tags = rule.get("tags").unwrap_or(&empty);
    draft.meta.kind = rule.text("type");
    if draft.meta.kind.is_empty() {
        draft.meta.kind = rule.text("detection_type");
    }
    describe(&mut draft.meta, rule, tags);
    classify(&mut draft.meta, tags);
    draft.meta.entities = entities(rule, tags);
    score(&mut draft, rule, tags);
    match rule.get("search") {
        Some(Node { data: Data::Map(_), .. }) => {
            draft.reason(Verdict::Unsupported, "language", "selections over OCSF fields are not supported yet");
        }
        search => draft.set_query(search),
    }
    draft.meta.language = language(rule, &draft.meta.query);
    if draft.meta.language == "spl2" {
        streaming(&mut draft.meta);
    }
    let named = !draft.meta.name.is_empty();
    draft.require("name", named, rule);
    let identified = !draft.meta.id.is_empty();
    draft.require("id", identified, rule);
    let asks = draft.query.as_ref().is_some_and(|query| !query.text.trim().is_empty()) || !draft.reasons.is_empty();
    draft.require("search", asks, rule);
    draft
}

/// SPL2 where the file says so or the search reads a stream as only SPL2 can; else SPL.
fn language(rule: &Node, query: &str) -> &'static str {
    if rule.text("runtime").eq_ignore_ascii_case("spl2") {
        return "spl2";
    }
    // A function call as the source of rows, or a named statement (`$name = …`), is no SPL.
    let start = query.trim_start().trim_start_matches('|').trim_start();
    let source = start.strip_prefix("from").map(str::trim_start).unwrap_or_default();
    let word = source.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(source.len());
    let calls = word > 0 && source[word..].trim_start().starts_with('(');
    let names = start.starts_with('$') && start.split(['|', ';']).next().is_some_and(|head| head.contains('='));
    if calls || names { "spl2" } else { "spl" }
}

fn describe(meta: &mut RuleMeta, rule: &Node, tags: &Node) {
    meta.id = rule.text("id").into();
    meta.name = rule.text("name");
    meta.version = rule.text("version");
    meta.status = rule.text("status");
    meta.description = rule.text("description");
    meta.authors =
        rule.text("author").split([',', ';']).map(|a| a.trim().to_owned()).filter(|a| !a.is_empty()).collect();
    meta.updated = rule.text("date");
    meta.setup = rule.text("how_to_implement");
    meta.false_positives = rule.texts("known_false_positives");
    meta.references = rule.texts("references");
    meta.data_sources = rule.texts("data_source");
    for name in ["data_sources", "datamodel"] {
        meta.data_sources.extend(rule.texts(name));
    }
    meta.required_fields = tags.texts("required_fields");
    let messages = [tags.text("message"), rule.at(&["rba"]).map(|rba| rba.text("message")).unwrap_or_default()];
    let template =
        messages.into_iter().chain([rule.text("risk_message"), rule.text("message")]).find(|text| !text.is_empty());
    meta.message = Message { template: template.unwrap_or_default() };
    meta.schedule = schedule(&meta.kind, rule.at(&["deployment", "scheduling"]));
    meta.suppression = tags.get("throttling").and_then(throttling);
    for (name, value) in &rule.without(&KNOWN) {
        meta.extra.insert(Arc::clone(name), value.clone());
    }
    for (name, value) in &tags.without(&KNOWN_TAGS) {
        meta.extra.insert(format!("tags.{name}"), value.clone());
    }
}

/// ATT&CK, kill chain and the like: in `tags`, or in `tags.annotations`.
fn classify(meta: &mut RuleMeta, tags: &Node) {
    let texts = |name: &str| {
        let stated = tags.texts(name);
        if stated.is_empty() { tags.get("annotations").map(|a| a.texts(name)).unwrap_or_default() } else { stated }
    };
    meta.stories = texts("analytic_story");
    meta.threats = attack::threats(&texts("mitre_attack_id"));
    meta.kill_chain = texts("kill_chain_phases");
    meta.nist = texts("nist");
    meta.cis = texts("cis20");
    meta.cve = texts("cve");
    meta.platforms = [tags.text("security_domain"), tags.text("asset_type").to_lowercase()]
        .into_iter()
        .filter(|platform| !platform.is_empty())
        .collect();
    meta.platforms.dedup();
    meta.tags = tags.texts("product");
    // What Splunk makes of a type: findings of TTPs and correlations, risk of anomalies. Of hunting detections it
    // makes neither; they are findings here, of the least severity, so that they are not lost.
    meta.alert_kind = if meta.kind.eq_ignore_ascii_case("anomaly") { AlertKind::Risk } else { AlertKind::Finding };
}

/// The schedule of a deployment that the file states, else the one that Splunk gives to detections of this type.
fn schedule(kind: &str, stated: Option<&Node>) -> Schedule {
    let minutes = |n: u64| Some(Duration::from_secs(n * 60));
    let (interval, from, to) = match kind.to_ascii_lowercase().as_str() {
        // Streaming detections see every event as it comes.
        "streaming" => return Schedule::default(),
        "baseline" => (minutes(1440), "-1450m@m", "-10m@m"),
        _ => (minutes(60), "-70m@m", "-10m@m"),
    };
    let text = |name: &str| stated.map(|node| node.text(name)).filter(|text| !text.is_empty());
    let cron = text("cron_schedule").and_then(|line| Cron::parse(&line));
    let from = text("earliest_time").unwrap_or_else(|| from.to_owned());
    let to = text("latest_time").unwrap_or_else(|| to.to_owned());
    // The vendor's search is inclusive of its earliest and exclusive of its latest moment.
    let look_back = RelativeTime::from_modifier(&from)
        .zip(RelativeTime::from_modifier(&to))
        .map(|(from, to)| LookBack { from, to: to.just_before() });
    let interval = if cron.is_some() { None } else { interval };
    Schedule { interval, cron, from, to, look_back, ..Schedule::default() }
}

/// `throttling: {fields, period}`: of rows whose fields have fired within the period only the first is raised.
fn throttling(node: &Node) -> Option<Suppression> {
    let fields = node.texts("fields");
    (!fields.is_empty()).then(|| Suppression {
        fields,
        each: false,
        period: Some(duration(&node.text("period")).unwrap_or(Duration::from_hours(24))),
        missing: MissingFields::Suppress,
    })
}

/// The score: stated, else the highest of the risk objects' scores, else impact × confidence / 100.
/// The severity: stated, else what Splunk derives from the score.
fn score(draft: &mut Draft, rule: &Node, tags: &Node) {
    let of_objects = rule
        .get("rba")
        .map(|rba| rba.items("risk_objects").iter().filter_map(|object| object.number("score")).fold(0.0, f64::max))
        .filter(|score| *score > 0.0);
    let made = tags.number("impact").zip(tags.number("confidence"));
    let product = made.map(|(impact, confidence)| (impact * confidence / 100.0).round());
    let stated = tags.number("risk_score").or(of_objects);
    if let (Some(stated), Some(product), Some(node)) = (stated, product, tags.get("risk_score"))
        && (stated - product).abs() > 1.0
    {
        let message = format!("the stated risk score is {stated}, impact × confidence / 100 is {product}");
        draft.warn(node, message, "the stated score is used");
    }
    draft.meta.risk_score = stated.or(product).unwrap_or(0.0).clamp(0.0, 100.0);
    if let (None, Some((impact, confidence))) = (stated, made) {
        draft.meta.risk_source = RiskSource::ImpactConfidence { impact, confidence };
    }
    for (name, value) in [("impact", tags.number("impact")), ("confidence", tags.number("confidence"))] {
        if let Some(value) = value {
            draft.meta.extra.insert(format!("tags.{name}"), Value::Float(value));
        }
    }
    let correlation = draft.meta.kind.eq_ignore_ascii_case("correlation");
    draft.meta.severity = match Severity::from_name(&tags.text("risk_severity")) {
        _ if draft.meta.kind.eq_ignore_ascii_case("hunting") => Severity::Informational,
        Some(severity) => severity,
        None if correlation && of_objects.is_none() => Severity::High,
        None => severity_of(draft.meta.risk_score),
    };
}

/// The severity that Splunk derives from a detection's risk score.
fn severity_of(score: f64) -> Severity {
    match score {
        score if score <= 20.0 => Severity::Informational,
        score if score <= 40.0 => Severity::Low,
        score if score <= 60.0 => Severity::Medium,
        score if score <= 80.0 => Severity::High,
        _ => Severity::Critical,
    }
}

/// Risk and threat objects: `rba` in the new layout, `tags.observable` in the old.
fn entities(rule: &Node, tags: &Node) -> Vec<Entity> {
    let mut entities = Vec::new();
    if let Some(rba) = rule.get("rba") {
        for (list, role) in [("risk_objects", EntityRole::Victim), ("threat_objects", EntityRole::Attacker)] {
            for object in rba.items(list) {
                let kind = entity_type(&object.text("type"));
                entities.push(Entity { field: object.text("field"), kind, role, score: object.number("score") });
            }
        }
    }
    for observable in tags.items("observable") {
        entities.push(Entity {
            field: observable.text("name"),
            kind: entity_type(&observable.text("type")),
            role: role(&observable.texts("role")),
            score: None,
        });
    }
    entities.retain(|entity| !entity.field.is_empty());
    entities
}

/// The types of observables and of threat objects.
fn entity_type(name: &str) -> EntityType {
    match name.to_ascii_lowercase().replace('_', " ").as_str() {
        "user" | "username" | "user name" | "email address" => EntityType::User,
        "system" | "device" | "endpoint" | "hostname" => EntityType::System,
        "ip address" => EntityType::Ip,
        "process" | "process name" | "parent process" | "parent process name" => EntityType::Process,
        "file" | "file name" | "file path" | "file hash" => EntityType::File,
        _ => EntityType::Other,
    }
}

/// The first role that says something; `Target` and `Actor` are the words of 2022.
fn role(roles: &[String]) -> EntityRole {
    roles
        .iter()
        .find_map(|role| match role.to_ascii_lowercase().as_str() {
            "victim" | "target" => Some(EntityRole::Victim),
            "attacker" | "actor" => Some(EntityRole::Attacker),
            _ => None,
        })
        .unwrap_or(EntityRole::Other)
}

/// What a streaming detection leaves to its query: the message, and in OCSF the device and the user of a finding.
fn streaming(meta: &mut RuleMeta) {
    if meta.message.template.is_empty() {
        "$message$".clone_into(&mut meta.message.template);
    }
    if meta.entities.is_empty() {
        let objects = [("device.hostname", EntityType::System), ("actor.user.name", EntityType::User)];
        meta.entities = objects
            .into_iter()
            .filter(|(field, _)| meta.required_fields.iter().any(|required| required == field))
            .map(|(field, kind)| Entity { field: field.to_owned(), kind, role: EntityRole::Victim, score: None })
            .collect();
    }
}
