//! Sigma rules: their metadata. Their detections are not run yet.

use std::sync::Arc;

use lurcher_diagnostics::SourceFile;
use lurcher_ir::Severity;

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

/// The rules and correlations of a file. A document with `action: global` is no rule: what it says, the documents
/// after it say too unless they say otherwise.
pub(crate) fn drafts(file: &Arc<SourceFile>, documents: Vec<Node>) -> Vec<Draft> {
    let (mut drafts, mut shared) = (Vec::new(), Vec::new());
    for mut document in documents {
        let Data::Map(members) = &mut document.data else { continue };
        if members.iter().any(|(name, node)| name == "action" && node.scalar().as_deref() == Some("global")) {
            shared.clone_from(members);
            shared.retain(|(name, _)| name != "action");
            continue;
        }
        let own: Vec<String> = members.iter().map(|(name, _)| name.clone()).collect();
        members.extend(shared.iter().filter(|(name, _)| !own.contains(name)).cloned());
        drafts.push(draft(file, &document));
    }
    drafts
}

fn draft(file: &Arc<SourceFile>, rule: &Node) -> Draft {
    let mut draft = Draft::new(file, "sigma", "sigma");
    let meta = &mut draft.meta;
    meta.id = rule.text("id").into();
    meta.name = rule.text("title");
    let correlation = rule.get("correlation").is_some();
    if correlation { "correlation" } else { "detection" }.clone_into(&mut meta.kind);
    meta.status = rule.text("status");
    meta.description = rule.text("description");
    meta.license = rule.text("license");
    meta.authors = rule.text("author").split(',').map(|a| a.trim().to_owned()).filter(|a| !a.is_empty()).collect();
    meta.created = rule.text("date");
    meta.updated = rule.text("modified");
    meta.references = rule.texts("references");
    meta.false_positives = rule.texts("falsepositives");
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
    let techniques: Vec<String> = tagged(&meta.tags, "attack.t").map(|id| format!("T{id}")).collect();
    meta.threats = attack::threats(&techniques);
    meta.cve = tagged(&meta.tags, "cve.").map(|id| format!("CVE-{}", id.replace('.', "-").to_uppercase())).collect();
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
    } else {
        draft.require("detection", false, rule);
    }
    draft
}

/// What follows a prefix in tags, where that begins with a digit.
fn tagged<'a>(tags: &'a [String], prefix: &'a str) -> impl Iterator<Item = &'a str> {
    tags.iter().filter_map(move |tag| {
        let start = tag.get(..prefix.len()).filter(|start| start.eq_ignore_ascii_case(prefix))?;
        tag.get(start.len()..).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}
