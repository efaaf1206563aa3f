//! A query to the IR: categories, sequences, samples, pipes. Conditions are lowered in [`super::condition`], where
//! the null, case, wildcard and multi-value rules stand.
//!
//! `with runs=n` is written out as n steps. Join keys are those of the whole sequence, then those of the term. Two
//! terms that look for the same share one filter.

use std::{sync::Arc, time::Duration};

use lurcher_diagnostics::{Diagnostic, Level, SourceFile, Span};
use lurcher_ir::{Case, FieldRef, Key, Limit, Predicate, RuleBody, Sequence, Step, Tail, Test, Verdict};
use lurcher_schema::Schemas;

use super::{
    Options,
    ast::{self, EventQuery, KeyField, Pipe, Query, QueryKind, Term},
    check,
    condition::Conditions,
    functions::Kind,
    parser,
};
use crate::Lowered;

/// Faults after which the number of terms and keys in the tree need not be what was meant.
const BROKEN_FORM: [&str; 3] = ["eql-syntax", "eql-unclosed", "eql-unterminated-comment"];

/// Brings a query to the IR. Types of fields, which decide how they are compared, come from the packs.
pub fn lower(file: &Arc<SourceFile>, options: &Options, schemas: &Schemas) -> Lowered {
    let (query, mut diagnostics) = parser::parse(file);
    if diagnostics.iter().any(|d| d.code == "eql-unterminated-string") {
        // With one quote too few everything behind it is read inside out.
        diagnostics.retain(|d| d.code == "eql-unterminated-string");
        return Lowered { diagnostics, ..Lowered::default() };
    }
    if diagnostics.iter().any(|d| d.code == "eql-too-deep") {
        return Lowered { diagnostics, ..Lowered::default() };
    }
    // Where the form is broken, counting terms and keys would only repeat it.
    let formed = !diagnostics.iter().any(|d| BROKEN_FORM.contains(&d.code));
    diagnostics.extend(check::check(&query, file, options, schemas));
    let conditions = Conditions { options, schemas, reasons: Vec::new() };
    let mut lowering = Lowering { file, conditions, filters: Vec::new(), diagnostics };
    if formed {
        lowering.check_statement(&query);
    }
    if lowering.diagnostics.iter().any(|d| d.level == Level::Error) {
        return Lowered {
            body: None,
            reasons: Vec::new(),
            diagnostics: in_order(lowering.diagnostics),
            ..Lowered::default()
        };
    }
    let tail = lowering.tail(&query);
    let reasons = lowering.conditions.reasons;
    let body = RuleBody { filters: lowering.filters, tail };
    let runs = reasons.iter().all(|reason| reason.verdict < Verdict::Unsupported);
    Lowered { body: runs.then_some(body), reasons, diagnostics: in_order(lowering.diagnostics), ..Lowered::default() }
}

/// By place, so that a reader goes down the query once.
fn in_order(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by_key(|d| d.labels.first().map(|label| label.span));
    diagnostics
}

struct Lowering<'a> {
    file: &'a Arc<SourceFile>,
    conditions: Conditions<'a>,
    filters: Vec<Predicate>,
    diagnostics: Vec<Diagnostic>,
}

impl Lowering<'_> {
    fn report(&mut self, diagnostic: Diagnostic, help: &str) {
        let diagnostic = diagnostic.in_file(self.file);
        self.diagnostics.push(if help.is_empty() { diagnostic } else { diagnostic.with_help(help) });
    }

    // Checks

    fn check_statement(&mut self, query: &Query) {
        match &query.kind {
            QueryKind::Event(_) => {}
            QueryKind::Sequence(sequence) => self.check_sequence(sequence),
            QueryKind::Sample(sample) => {
                let count = sample.terms.len();
                if count == 1 {
                    let message = "a sample has at least two terms";
                    let error = Diagnostic::error("eql-too-few-terms", message).at(sample.span, "has one");
                    self.report(error, "for single events leave `sample` and the brackets out: `process where …`");
                }
                let keyed = sample.terms.iter().any(|term| !term.by.is_empty());
                if count > 0 && sample.by.is_empty() && !keyed {
                    let message = "a sample has at least one join key";
                    let error = Diagnostic::error("eql-sample", message).at(sample.span, "has no `by`");
                    self.report(error, "write `sample by host.id [ … ] [ … ]`");
                }
                if !query.pipes.is_empty() {
                    let message = "a sample takes no pipes";
                    let error = Diagnostic::error("eql-sample", message).at(sample.span, "has a pipe");
                    self.report(error, "leave the pipes out: there is one sample for each set of join keys");
                }
                self.check_keys(&sample.by, &sample.terms, None);
            }
        }
    }

    fn check_sequence(&mut self, sequence: &ast::Sequence) {
        let steps: u32 = sequence.terms.iter().map(|term| term.runs).sum();
        if steps == 1 {
            let message = "a sequence has at least two terms";
            let error = Diagnostic::error("eql-too-few-terms", message).at(sequence.span, "has one");
            let help = "for single events leave `sequence` and the brackets out: `process where …`; \
                        for repeated ones write `[ … ] with runs=2`";
            self.report(error, help);
        }
        if let Some(missing) = sequence.terms.iter().find(|term| term.missing) {
            if sequence.max_span.is_none() {
                let message = "a sequence with missing events needs `with maxspan`";
                let error =
                    Diagnostic::error("eql-missing-event", message).at(missing.span, "must be absent: how long?");
                self.report(error.at(sequence.span, "has no `maxspan`"), "write `sequence … with maxspan=5m …`");
            }
            if sequence.terms.iter().all(|term| term.missing) {
                let message = "a sequence has at least one term that is not missing";
                let error = Diagnostic::error("eql-missing-event", message).at(sequence.span, "only missing events");
                self.report(error, "write one of the terms without `!`");
            }
        }
        if let Some(until) = sequence.until.as_ref().filter(|until| until.missing) {
            let message = "`until` takes an event that happens";
            let error = Diagnostic::error("eql-missing-event", message).at(until.span, "missing event");
            self.report(error, "write `[` for `![`");
        }
        self.check_keys(&sequence.by, &sequence.terms, sequence.until.as_ref());
    }

    /// All terms have as many keys, and keys in the same place are of one type.
    fn check_keys(&mut self, common: &[KeyField], terms: &[Term], until: Option<&Term>) {
        let Some(first) = terms.first() else {
            return;
        };
        for term in terms.iter().chain(until).skip(1) {
            if term.by.len() != first.by.len() {
                let (all, other) = (common.len() + first.by.len(), common.len() + term.by.len());
                let message = "all terms have the same number of join keys";
                let error = Diagnostic::error("eql-key-count", message)
                    .at(key_span(term), format!("has {other}"))
                    .at(key_span(first), format!("the first term has {all}"));
                self.report(error, "give each term a `by` with as many fields, or write `by` behind `sequence`");
                continue;
            }
            for (key, counterpart) in term.by.iter().zip(&first.by) {
                self.check_key_types(key, counterpart);
            }
        }
    }

    fn check_key_types(&mut self, key: &KeyField, first: &KeyField) {
        let conditions = &self.conditions;
        let kind =
            |key: &KeyField| Kind::of_field(conditions.schemas.field_type(conditions.options.taxonomy, &key.path));
        let (own, other) = (kind(key), kind(first));
        if !own.fits(other) {
            let message = format!("`{}` and `{}` are mapped as different types", first.path, key.path);
            let warning = Diagnostic::warning("eql-key-type", message)
                .at(key.span, own.described())
                .at(first.span, other.described());
            self.report(warning, "join by fields of one type; keys of different types are never equal");
        }
    }

    // Lowering

    fn tail(&mut self, query: &Query) -> Tail {
        let limits = query
            .pipes
            .iter()
            .map(|pipe| match pipe {
                Pipe::Head(count) => Limit::Head(*count),
                Pipe::Tail(count) => Limit::Tail(*count),
            })
            .collect();
        match &query.kind {
            QueryKind::Event(event) => {
                self.filter(event);
                Tail::Events { limits }
            }
            QueryKind::Sequence(sequence) => Tail::Sequence(Sequence {
                steps: self.steps(&sequence.by, &sequence.terms),
                until: sequence.until.as_ref().and_then(|t| self.steps(&sequence.by, std::slice::from_ref(t)).pop()),
                max_span: sequence.max_span.map(|span| Duration::from_millis(span.millis)),
                limits,
            }),
            QueryKind::Sample(sample) => Tail::Sample {
                steps: self.steps(&sample.by, &sample.terms),
                per_key: self.conditions.options.samples_per_key,
                limits,
            },
        }
    }

    fn steps(&mut self, common: &[KeyField], terms: &[Term]) -> Vec<Step> {
        let mut steps = Vec::new();
        for term in terms {
            let filter = self.filter(&term.query);
            let keys = common
                .iter()
                .chain(&term.by)
                .map(|key| Key { field: self.conditions.field(&key.path), optional: key.optional })
                .collect();
            let step = Step { filter, keys, missing: term.missing };
            steps.extend(std::iter::repeat_n(step, term.runs as usize));
        }
        steps
    }

    /// The index of a term's filter.
    fn filter(&mut self, event: &EventQuery) -> usize {
        let category = event.category.as_ref().map_or(Predicate::Constant(true), |category| {
            let options = self.conditions.options;
            let field = FieldRef::new(options.taxonomy, options.category_field.as_str());
            Predicate::test(field, Test::equals_text(category, Case::Sensitive))
        });
        let reasons = self.conditions.reasons.len();
        let condition = self.conditions.condition(&event.condition).yes;
        if condition == Predicate::Constant(false) && self.conditions.reasons.len() == reasons {
            let span = event.condition.span;
            let warning = Diagnostic::warning("eql-never-true", "this condition is never true").at(span, "never true");
            self.report(warning, "null and constants are folded: ask whether a field is missing with `field == null`");
        }
        let predicate = Predicate::all([category, condition]);
        self.filters.iter().position(|known| *known == predicate).unwrap_or_else(|| {
            self.filters.push(predicate);
            self.filters.len() - 1
        })
    }
}

/// Where a term's own keys stand; the term itself if it has none.
fn key_span(term: &Term) -> Span {
    match (term.by.first(), term.by.last()) {
        (Some(first), Some(last)) => first.span.to(last.span),
        _ => term.span,
    }
}
