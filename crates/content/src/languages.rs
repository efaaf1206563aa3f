//! The query of a draft to a rule body, by the front end of its language.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Level, Position, SourceFile};
use lurcher_frontend::{Language, Lowered, Options, WrittenLookup, esql, query_dsl, spl, spl2};
use lurcher_ir::{FieldRef, Predicate, Rule, RuleBody, RuleMeta, Support, SupportReason, Test, Verdict};
use lurcher_schema::{Schemas, Taxonomy, Value};

use crate::{
    check::CheckRecord,
    embedded::Embedded,
    exceptions::Exceptions,
    knowledge::Knowledge,
    vendor::{
        Draft,
        detection::Said,
        sigma::{Resolved, SigmaDraft},
    },
};

/// The member of a rule's `extra` that names the lookup that its rows are meant for.
pub const WRITES: &str = "outputlookup";

/// What stands around all rules.
pub(crate) struct Around<'a> {
    pub(crate) schemas: &'a Schemas,
    pub(crate) knowledge: Arc<Knowledge>,
    pub(crate) exceptions: &'a Exceptions,
    pub(crate) sigma: &'a Resolved,
    pub(crate) endpoints: &'a esql::Endpoints,
}

/// A rule as loaded: itself, what is to be said about it, and what goes on the wire about it.
pub(crate) struct Loaded {
    pub(crate) rule: Rule,
    pub(crate) check: CheckRecord,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Lowers a draft's query.
pub(crate) fn finish(draft: Draft, around: &Around<'_>) -> Loaded {
    let Draft {
        mut meta,
        query,
        category_field,
        filters,
        exceptions,
        detection,
        mut reasons,
        sigma,
        mut diagnostics,
        file,
    } = draft;
    let document = if let Some(SigmaDraft::Number(number)) = sigma { Some(number) } else { None };
    if let Some(known) = document.and_then(|number| around.sigma.collection.documents().get(number)) {
        meta.sources = lurcher_frontend::sigma::sources(&known.log_source);
    }
    let text = query.as_ref().map(|query| SourceFile::new(meta.path.clone(), query.text.clone()));
    let lowered = match &text {
        None if document.is_some() => document.map(|number| around.sigma.collection.lower(number)).unwrap_or_default(),
        Some(text) => lower(text, &meta, category_field, around),
        None if reasons.is_empty() && diagnostics.iter().all(|d| d.level != Level::Error) => not_yet(meta.language),
        None => Lowered::default(),
    };
    note_written(&mut meta, lowered.writes.as_ref());
    if let Some(sources) = lowered.sources {
        meta.sources = sources;
    }
    let mut body = lowered.body;
    let (filter, refused) = query_dsl::filters(&filters, &query_dsl::Context::ecs(around.schemas));
    reasons.extend(refused.into_iter().map(|message| SupportReason {
        verdict: Verdict::Approximate,
        code: "filters",
        message,
        span: None,
    }));
    let applied = around.exceptions.of(&exceptions, around.schemas);
    reasons.extend(applied.reasons);
    if let Some(body) = &mut body {
        narrow(body, &Predicate::all([filter, applied.excepted.negate(), dated(&meta)]));
    }
    if let Some((detection, body)) = detection.zip(body.as_mut()) {
        let schemas = around.schemas;
        let said = &mut Said { path: &meta.path, schemas, reasons: &mut reasons, diagnostics: &mut diagnostics };
        detection.apply(body, said);
    }
    diagnostics.extend(relocated(query.as_ref(), text.as_ref(), lowered.diagnostics));
    let map = query.as_ref().filter(|_| !lowered.reasons.is_empty()).map(Embedded::map);
    let start = query.as_ref().map(|query| file.position(query.span.start));
    let mut positions: Vec<Option<Position>> = vec![start; reasons.len()];
    for reason in lowered.reasons {
        let place = match (reason.span, &map) {
            (Some(span), Some(map)) => Some(file.position(map.file_offset(span.start))),
            (Some(span), None) if document.is_some() => Some(file.position(span.start)),
            _ => None,
        };
        positions.push(place.or(start));
        reasons.push(reason);
    }
    for diagnostic in diagnostics.iter().filter(|d| d.level == Level::Error) {
        positions.push(diagnostic.position());
        reasons.push(error_reason(diagnostic));
    }
    if body.is_none() && reasons.iter().all(|reason| reason.verdict < Verdict::Unsupported) {
        let message = "the query could not be brought to a form that runs".to_owned();
        reasons.push(SupportReason { verdict: Verdict::Error, code: "query", message, span: None });
        positions.push(start);
    }
    let support = Support { reasons };
    // A faulty rule is not run in part.
    let body = body.filter(|_| support.verdict() <= Verdict::Approximate);
    let mut rule = Rule { meta, body, support };
    let check = CheckRecord { exceptions: applied.lists, ..CheckRecord::new(&rule, &positions) };
    if document.is_some_and(|number| around.sigma.silent.contains(&number)) {
        rule.body = None;
    }
    Loaded { rule, check, diagnostics }
}

/// Notes the lookup that a rule's rows are meant for, and how they are written there, in the rule's `extra`.
pub fn note_written(meta: &mut RuleMeta, written: Option<&WrittenLookup>) {
    let Some(written) = written else { return };
    meta.extra.insert(WRITES, Value::text(written.name.as_str()));
    meta.extra.insert(format!("{WRITES}.append"), Value::Bool(written.append));
    if let Some(key) = &written.key {
        meta.extra.insert(format!("{WRITES}.key_field"), Value::text(key.as_str()));
    }
    if let Some(most) = written.most {
        meta.extra.insert(format!("{WRITES}.max"), Value::Int(i64::try_from(most).unwrap_or(i64::MAX)));
    }
    for (name, on) in [("override_if_empty", !written.keep_if_empty), ("create_empty", written.create_empty)] {
        meta.extra.insert(format!("{WRITES}.{name}"), Value::Bool(on));
    }
}

/// What was said about a query, moved into the rule's file. What is said about other texts (the user's own filter) stays
/// where it is.
fn relocated(query: Option<&Embedded>, text: Option<&Arc<SourceFile>>, said: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let about_query = |d: &Diagnostic| d.file.as_ref().zip(text).is_none_or(|(a, b)| Arc::ptr_eq(a, b));
    let (own, foreign): (Vec<_>, Vec<_>) = said.into_iter().partition(about_query);
    let mut placed = match query {
        Some(query) => query.relocate(own),
        None => own,
    };
    placed.extend(foreign);
    placed
}

/// Lets a rule see only events that are so. They are as good as not there otherwise: no step of a sequence, nor an event
/// that ends one or must be absent.
fn narrow(body: &mut RuleBody, filter: &Predicate) {
    if *filter == Predicate::Constant(true) {
        return;
    }
    for own in &mut body.filters {
        *own = Predicate::all([std::mem::replace(own, Predicate::Constant(true)), filter.clone()]);
    }
}

/// Elastic's rules may say that what lacks the field of their time is not to be taken by `@timestamp`: it is not seen.
fn dated(meta: &RuleMeta) -> Predicate {
    let only = meta.extra.get("timestamp_override_fallback_disabled") == Some(&Value::Bool(true));
    match meta.timestamp_override.as_deref().filter(|_| only) {
        Some(field) => Predicate::test(FieldRef::new(Taxonomy::Ecs, field), Test::Exists),
        None => Predicate::Constant(true),
    }
}

/// The verdict that an error leads to. The place is the record's affair: it is one of the file, not of the query.
fn error_reason(diagnostic: &Diagnostic) -> SupportReason {
    SupportReason { verdict: Verdict::Error, code: diagnostic.code, message: diagnostic.message.clone(), span: None }
}

/// Brings a query to the IR by the front end of its language.
fn lower(file: &Arc<SourceFile>, meta: &RuleMeta, category_field: Option<String>, around: &Around<'_>) -> Lowered {
    let Some(language) = Language::from_name(meta.language) else { return not_yet(meta.language) };
    let name = filter_macro(&meta.name);
    let filter = around.knowledge.macros.expansion(&name, &[]).filter(|text| !matches!(text.trim(), "" | "search *"));
    let options = Options {
        category_field,
        filter: filter.map(|text| SourceFile::new(format!("macro {name}"), text)),
        finding: finding(meta),
        knowledge: Some(Arc::clone(&around.knowledge) as Arc<dyn spl::Knowledge>),
        wanted: wanted(meta),
        endpoints: around.endpoints.clone(),
        ..Options::default()
    };
    language.lower(file, &options, around.schemas)
}

/// The name of the macro that holds the user's own exceptions of a rule, made as Splunk's build makes it.
pub(crate) fn filter_macro(rule: &str) -> String {
    format!("{}_filter", rule.to_lowercase().replace([' ', '-', '.', '/'], "_"))
}

/// The fields that an alert of the rule will ask a row for.
fn wanted(meta: &RuleMeta) -> Vec<String> {
    let mut fields: Vec<String> = meta.entities.iter().map(|entity| entity.field.clone()).collect();
    // Every other piece between `$` stands in the place of a field.
    let tokens = meta.message.template.split('$').skip(1).step_by(2);
    fields.extend(tokens.filter(|token| !token.contains(char::is_whitespace)).map(str::to_owned));
    fields.retain(|field| !field.is_empty());
    fields.sort();
    fields.dedup();
    fields
}

/// What the publisher's build fills the placeholders of a template in with.
fn finding(meta: &RuleMeta) -> spl2::Finding {
    let number = |name: &str| meta.extra.get(name).and_then(Value::as_number).unwrap_or(0.0);
    spl2::Finding {
        name: meta.name.clone(),
        id: meta.id.to_string(),
        message: meta.message.template.clone(),
        risk_score: meta.risk_score,
        confidence: number("tags.confidence"),
        impact: number("tags.impact"),
        stories: meta.stories.clone(),
        kill_chain: meta.kill_chain.clone(),
        nist: meta.nist.clone(),
        cis: meta.cis.clone(),
        evidence: meta.required_fields.clone(),
    }
}

/// The verdict on a rule that is written in no language: it is a model, or its front end is missing.
fn not_yet(language: &'static str) -> Lowered {
    let name = Language::from_name(language).map_or(language, Language::title).replace('_', " ");
    let message = format!("{name} is not supported yet");
    let reason = SupportReason { verdict: Verdict::Unsupported, code: "language", message, span: None };
    Lowered { reasons: vec![reason], ..Lowered::default() }
}
