//! Sigma documents: their metadata, and what they say as the front end reads it.
//!
//! Rules, filters and correlations of one load refer to each other, so they are lowered together: drafts carry their
//! document until all files are read, then [`resolve`] puts the documents into one [`Collection`].

use std::{collections::BTreeSet, sync::Arc};

use lurcher_diagnostics::{Diagnostic, SourceFile};
use lurcher_frontend::sigma::{
    Collection,
    ast::{Body, Document},
    parser,
};
pub(crate) use lurcher_frontend::sigma::{
    Options,
    pipeline::{Pipeline, parse as parse_pipeline},
};
use lurcher_ir::{Entity, EntityRole, EntityType, Severity, Threat};

use super::Draft;
use crate::{
    attack,
    node::{Data, Node},
};

/// The fields that have a place of their own in the metadata; all others, the detection too, go to `extra`.
const KNOWN: [&str; 12] = [
    "author",
    "date",
    "description",
    "falsepositives",
    "id",
    "level",
    "license",
    "modified",
    "references",
    "status",
    "tags",
    "title",
];

/// Who and what an alert is about, where its events have these fields.
const ENTITIES: [(&str, EntityType, EntityRole); 12] = [
    ("Computer", EntityType::System, EntityRole::Victim),
    ("User", EntityType::User, EntityRole::Victim),
    ("TargetUserName", EntityType::User, EntityRole::Victim),
    ("SubjectUserName", EntityType::User, EntityRole::Victim),
    ("Image", EntityType::Process, EntityRole::Attacker),
    ("SourceImage", EntityType::Process, EntityRole::Attacker),
    ("TargetFilename", EntityType::File, EntityRole::Attacker),
    ("ImageLoaded", EntityType::File, EntityRole::Attacker),
    ("DestinationIp", EntityType::Ip, EntityRole::Attacker),
    ("IpAddress", EntityType::Ip, EntityRole::Attacker),
    ("src_ip", EntityType::Ip, EntityRole::Attacker),
    ("sourceIPAddress", EntityType::Ip, EntityRole::Attacker),
];

/// What a draft knows of its Sigma document.
#[derive(Debug)]
pub(crate) enum SigmaDraft {
    /// The document itself, until all files are read.
    Document(Box<Document>),
    /// Its number in the collection.
    Number(usize),
}

/// The documents of a file.
pub(crate) fn drafts(file: &Arc<SourceFile>, documents: Vec<Node>) -> Vec<Draft> {
    parser::spread(documents).iter().map(|document| draft(file, document)).collect()
}

/// All Sigma documents of a load.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// The documents.
    pub(crate) collection: Collection,
    /// The numbers of those that serve correlations only and raise nothing themselves.
    pub(crate) silent: BTreeSet<usize>,
}

/// Takes the documents out of the drafts. Filters are no rules: their drafts are taken away, and what is to be said
/// about them is returned, with their number.
pub(crate) fn resolve(drafts: &mut Vec<Draft>, options: Options) -> (Resolved, Vec<Diagnostic>, usize) {
    let mut documents = Vec::new();
    let mut filters = Vec::new();
    drafts.retain_mut(|draft| {
        let Some(SigmaDraft::Document(_)) = &draft.sigma else { return true };
        let number = documents.len();
        let Some(SigmaDraft::Document(document)) = draft.sigma.replace(SigmaDraft::Number(number)) else { return true };
        let is_filter = matches!(document.body, Body::Filter { .. });
        documents.push(*document);
        if is_filter {
            filters.push(number);
        }
        !is_filter
    });
    let collection = Collection::new(documents, options);
    let said = filters.iter().flat_map(|number| collection.lower(*number).diagnostics).collect();
    let silent = collection.silent();
    (Resolved { collection, silent }, said, filters.len())
}

fn draft(file: &Arc<SourceFile>, rule: &Node) -> Draft {
    let mut draft = Draft::new(file, "sigma", "sigma");
    let document = parser::parse(file, rule);
    let meta = &mut draft.meta;
    meta.id = rule.text("id").into();
    meta.name = rule.text("title");
    let correlation = matches!(document.body, Body::Correlation(_));
    if correlation { "correlation" } else { "detection" }.clone_into(&mut meta.kind);
    meta.status = rule.text("status");
    meta.description = rule.text("description");
    meta.license = rule.text("license");
    meta.authors = rule.text("author").split(',').map(|a| a.trim().to_owned()).filter(|a| !a.is_empty()).collect();
    meta.created = rule.text("date");
    meta.updated = rule.text("modified");
    meta.references = rule.texts("references");
    meta.false_positives = rule.texts("falsepositives");
    meta.required_fields = rule.texts("fields");
    meta.tags = rule.texts("tags");
    meta.severity = Severity::from_name(&rule.text("level")).unwrap_or(Severity::Medium);
    // Sigma has no scores; these are the ones that Elastic pairs with its severities.
    meta.risk_score = match meta.severity {
        Severity::Informational => 1.0,
        Severity::Low => 21.0,
        Severity::Medium => 47.0,
        Severity::High => 73.0,
        Severity::Critical => 99.0,
    };
    meta.threats = threats(&meta.tags);
    meta.cve = tagged(&meta.tags, "cve.").map(|id| format!("CVE-{}", id.replace('.', "-").to_uppercase())).collect();
    meta.entities = ENTITIES
        .iter()
        .map(|(field, kind, role)| Entity { field: (*field).to_owned(), kind: *kind, role: *role, score: None })
        .collect();
    if let Some(source) = rule.get("logsource") {
        meta.platforms = source.texts("product");
        meta.data_sources = ["category", "product", "service"].iter().flat_map(|name| source.texts(name)).collect();
    }
    meta.extra = rule.without(&KNOWN);
    let named = !draft.meta.name.is_empty();
    draft.require("title", named, rule);
    let detection = rule.get("detection").or_else(|| rule.get("correlation"));
    if let Some(node @ Node { data: Data::Map(_), .. }) = detection {
        file.slice(node.span).clone_into(&mut draft.meta.query);
    }
    draft.sigma = Some(SigmaDraft::Document(Box::new(document)));
    draft
}

/// What a rule's tags say about ATT&CK: techniques (`attack.t1059.001`) under the tactics (`attack.execution`) that
/// both they serve and the rule names; under all that they serve if the rule names none of those.
fn threats(tags: &[String]) -> Vec<Threat> {
    let techniques: Vec<String> = tagged(tags, "attack.t").map(|id| format!("T{id}")).collect();
    let named: Vec<(String, String)> = tags
        .iter()
        .filter_map(|tag| attack::tactic(tag.get(..7).filter(|s| s.eq_ignore_ascii_case("attack.")).and(tag.get(7..))?))
        .map(|tactic| (tactic.id.to_owned(), tactic.name.to_owned()))
        .collect();
    let all = attack::threats(&techniques);
    let serves_named = |technique: &(String, String)| {
        all.iter().any(|threat| named.contains(&threat.tactic) && threat.techniques.contains(technique))
    };
    let mut threats: Vec<Threat> = Vec::new();
    for mut threat in all.clone() {
        if !named.contains(&threat.tactic) {
            threat.techniques.retain(|technique| !serves_named(technique));
        }
        if !threat.techniques.is_empty() {
            threats.push(threat);
        }
    }
    for tactic in named {
        if !threats.iter().any(|threat| threat.tactic == tactic) {
            threats.push(Threat { framework: "MITRE ATT&CK".to_owned(), tactic, techniques: Vec::new() });
        }
    }
    threats
}

/// What follows a prefix in tags, where that begins with a digit.
fn tagged<'a>(tags: &'a [String], prefix: &'a str) -> impl Iterator<Item = &'a str> {
    tags.iter().filter_map(move |tag| {
        let start = tag.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix))?;
        tag.get(start.len()..).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn techniques_stand_under_the_tactics_that_the_rule_names() {
        let shown = |tags: &[&str]| {
            let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let of = |t: &Threat| {
                format!("{}:{}", t.tactic.0, t.techniques.iter().map(|t| t.0.as_str()).collect::<Vec<_>>().join("+"))
            };
            threats(&tags).iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(shown(&["attack.persistence", "attack.t1197"]), ["TA0003:T1197"]);
        assert_eq!(shown(&["attack.t1197"]), ["TA0003:T1197", "TA0005:T1197"]);
        assert_eq!(shown(&["attack.command-and-control", "car.2013-05-002"]), ["TA0011:"]);
        assert_eq!(shown(&["attack.execution", "attack.t1197"]), ["TA0003:T1197", "TA0005:T1197", "TA0002:"]);
    }
}
