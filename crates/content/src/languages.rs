//! The query of a draft to a rule body, by the front end of its language.

use lurcher_diagnostics::{Diagnostic, Level, Position, SourceFile};
use lurcher_frontend::{Lowered, eql};
use lurcher_ir::{Predicate, Rule, Support, SupportReason, Verdict};
use lurcher_schema::Schemas;

use crate::{check::CheckRecord, vendor::Draft};

/// A rule as loaded: itself, what is to be said about it, and what goes on the wire about it.
pub(crate) struct Loaded {
    pub(crate) rule: Rule,
    pub(crate) check: CheckRecord,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Lowers a draft's query.
pub(crate) fn finish(draft: Draft, schemas: &Schemas) -> Loaded {
    let Draft { meta, query, category_field, filter, mut reasons, mut diagnostics, file } = draft;
    let lowered = match &query {
        Some(query) => lower(meta.language, &query.text, &meta.path, category_field, schemas),
        None if reasons.is_empty() && diagnostics.iter().all(|d| d.level != Level::Error) => not_yet(meta.language),
        None => Lowered::default(),
    };
    let mut body = lowered.body;
    if filter != Predicate::Constant(true)
        && let Some(body) = &mut body
    {
        for own in &mut body.filters {
            *own = Predicate::all([std::mem::replace(own, Predicate::Constant(true)), filter.clone()]);
        }
    }
    diagnostics.extend(match &query {
        Some(query) => query.relocate(lowered.diagnostics),
        None => lowered.diagnostics,
    });
    let map = query.as_ref().filter(|_| !lowered.reasons.is_empty()).map(|query| query.map());
    let start = query.as_ref().map(|query| file.position(query.span.start));
    let mut positions: Vec<Option<Position>> = vec![start; reasons.len()];
    for reason in lowered.reasons {
        let place = reason.span.zip(map.as_ref()).map(|(span, map)| file.position(map.file_offset(span.start)));
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
    let rule = Rule { meta, body, support };
    let check = CheckRecord::new(&rule, &positions);
    Loaded { rule, check, diagnostics }
}

/// The verdict that an error leads to. The place is the record's affair: it is one of the file, not of the query.
fn error_reason(diagnostic: &Diagnostic) -> SupportReason {
    SupportReason { verdict: Verdict::Error, code: diagnostic.code, message: diagnostic.message.clone(), span: None }
}

fn lower(language: &'static str, query: &str, path: &str, category: Option<String>, schemas: &Schemas) -> Lowered {
    let file = || SourceFile::new(path, query);
    match language {
        "eql" => {
            let mut options = eql::Options::default();
            if let Some(field) = category {
                options.category_field = field;
            }
            eql::lower(&file(), &options, schemas)
        }
        _ => not_yet(language),
    }
}

/// The verdict on a language that no front end exists for.
fn not_yet(language: &'static str) -> Lowered {
    let name = match language {
        "kuery" => "KQL",
        "lucene" => "Lucene",
        "esql" => "ES|QL",
        "spl" => "SPL",
        "sigma" => "Sigma",
        "machine_learning" => "machine learning",
        other => other,
    };
    let message = format!("{name} is not supported yet");
    let reason = SupportReason { verdict: Verdict::Unsupported, code: "language", message, span: None };
    Lowered { reasons: vec![reason], ..Lowered::default() }
}
