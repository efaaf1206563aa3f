//! AST to IR: commands in order, searches in brackets, and what the whole search comes to.
//!
//! # The language's rules, and where they are kept
//!
//! * `search` and `tstats … where` have two truth values, ignore case, take `*` for any text, and `!=` wants a value.
//!   (`terms`)
//! * `where` and `eval` have three: a comparison with null is null, and a row stays only if its condition is true. Case
//!   counts. (`eval`, [`crate::pipeline`])
//! * A text that reads as a number is one; a field may have several values, and a comparison holds if it holds of any.
//!   ([`lurcher_ir::LooseFunction`])
//! * Events come newest first. (`rows`)
//! * Rows without a key are dropped by `stats` and kept by `tstats` with a fill value. (`stats`)
//!
//! How rows are followed symbolically, so that conditions reach the index, is told in [`rows`].

mod chart;
mod columns;
mod combine;
mod commands;
mod convert;
mod derive;
mod derived;
mod eval;
mod events;
mod extract;
mod functions;
mod judging;
mod late;
mod looking_up;
mod models;
mod outliers;
mod patterns;
mod rows;
mod series;
mod shape;
mod stats;
mod tables;
mod template;
mod terms;
mod times;

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Level, SourceFile, Span};
use lurcher_ir::{ColumnPattern, Expr, Input, MOMENT, Predicate, Sink, Stage, SupportReason, Verdict};
use lurcher_schema::Schemas;

use self::rows::{Base, Names, Rows, Source};
use super::{Options, ast, expansion::Expansion, parser};
use crate::{Lowered, pipeline::Parts};

/// The names of functions.
pub(super) fn function_names() -> impl Iterator<Item = &'static str> {
    functions::FUNCTIONS.iter().map(|(name, ..)| *name)
}

/// The names of aggregates.
pub(super) fn aggregate_names() -> impl Iterator<Item = &'static str> {
    stats::AGGREGATES.into_iter()
}

/// How many stages one search may have.
const MAX_STAGES: usize = 2000;
/// How many branches.
const MAX_BRANCHES: usize = 500;
/// How large an expression that a name means may be, in nodes and in depth; larger ones become columns.
const MAX_MEANING: (usize, usize) = (300, 60);

/// Something cannot be lowered; a diagnostic or a reason says what.
pub(super) struct Said;

/// Lowers a search whose macros have been expanded.
pub(super) fn lower(
    file: &Arc<SourceFile>,
    expansion: &Expansion,
    options: &Options<'_>,
    schemas: &Schemas,
    mut diagnostics: Vec<Diagnostic>,
) -> Lowered {
    let (pipeline, found) = parser::search(&expansion.text, 0);
    let mut lowerer = Lowerer { diagnostics: found, ..Lowerer::new(&expansion.text, *options, schemas) };
    let faulty = |diagnostics: &[Diagnostic]| diagnostics.iter().any(|d| d.level == Level::Error);
    if pipeline.commands.is_empty() && diagnostics.is_empty() && lowerer.diagnostics.is_empty() {
        lowerer.report(
            Diagnostic::error("spl-empty", "there is no search")
                .at(Span::new(0, expansion.text.text().len()), "nothing to run")
                .with_help("a search is terms such as `index=main user=admin*`, or begins with `|`"),
        );
    }
    // Of a search that cannot be expanded little would be true.
    if !faulty(&diagnostics)
        && let Ok(rows) = lowerer.pipeline(&pipeline, None)
    {
        lowerer.sink(rows);
    }
    diagnostics.extend(lowerer.diagnostics.iter().map(|diagnostic| written(diagnostic, file, expansion)));
    for reason in &mut lowerer.reasons {
        reason.span = reason.span.map(|span| expansion.written(span));
    }
    diagnostics.dedup();
    let refused = lowerer.reasons.iter().any(|reason| reason.verdict >= Verdict::Unsupported);
    let runs = !faulty(&diagnostics) && !refused && lowerer.parts.ends_in_a_sink();
    let body = runs.then(|| lowerer.parts.into_body());
    Lowered { body, reasons: lowerer.reasons, diagnostics, writes: lowerer.writes, ..Lowered::default() }
}

/// A diagnostic about the expanded text as one about the search as written.
fn written(diagnostic: &Diagnostic, file: &Arc<SourceFile>, expansion: &Expansion) -> Diagnostic {
    // What is said about a text of its own (a template, a search in quotes) points into that.
    if diagnostic.file.as_ref().is_some_and(|own| !Arc::ptr_eq(own, &expansion.text)) {
        return diagnostic.clone();
    }
    let mut moved = diagnostic.clone().in_file(file);
    for label in &mut moved.labels {
        if expansion.in_macro(label.span) {
            let text = expansion.text.slice(label.span);
            let short: String = text.chars().take(60).collect();
            let note = format!("in what this macro stands for, at `{short}`");
            if !text.is_empty() && !moved.notes.contains(&note) {
                moved.notes.push(note);
            }
        }
        label.span = expansion.written(label.span);
    }
    moved
}

/// Whether a condition on events may as well be asked before a stage as behind it.
fn only_names(stage: &Stage) -> bool {
    match stage {
        Stage::Eval(_)
        | Stage::Where(_)
        | Stage::Reverse
        | Stage::Moment(_)
        | Stage::Locate(_)
        | Stage::Recognize(_) => true,
        Stage::Drop(names) => names.iter().all(|name| *name == ColumnPattern::from(MOMENT)),
        _ => false,
    }
}

/// What is made from a search, piece by piece.
pub(super) struct Lowerer<'a> {
    /// The text that spans point into.
    file: Arc<SourceFile>,
    options: Options<'a>,
    schemas: &'a Schemas,
    diagnostics: Vec<Diagnostic>,
    reasons: Vec<SupportReason>,
    parts: Parts,
    /// The names of iteration variables around the current expression.
    scopes: Vec<Arc<str>>,
    /// How deep searches in templates are nested.
    nested: u32,
    /// The lookup that the rows are meant for.
    writes: Option<crate::WrittenLookup>,
    /// The times that the terms at hand name.
    times: times::Times,
    /// What stands, in the text, for what is not known before the search runs.
    unknown: Option<&'static str>,
    /// Whether the search is read while it runs: then nothing is asked of events before.
    late: bool,
}

impl<'a> Lowerer<'a> {
    fn new(file: &Arc<SourceFile>, options: Options<'a>, schemas: &'a Schemas) -> Self {
        Self {
            file: Arc::clone(file),
            options,
            schemas,
            diagnostics: Vec::new(),
            reasons: Vec::new(),
            parts: Parts::default(),
            scopes: Vec::new(),
            nested: 0,
            writes: None,
            times: times::Times::default(),
            unknown: None,
            late: false,
        }
    }
}

impl Lowerer<'_> {
    /// Lowers a pipeline over rows, or over what its first command yields.
    fn pipeline(&mut self, pipeline: &ast::Pipeline, input: Option<Rows>) -> Result<Rows, Said> {
        let mut rows = input;
        let mut fault = false;
        for (at, command) in pipeline.commands.iter().enumerate() {
            let before = rows.clone();
            match self.command(command, rows, at == 0) {
                Ok(next) if next.stages.len() > MAX_STAGES || self.parts.branches() > MAX_BRANCHES => {
                    return Err(self.unsupported("size", "it has more stages than the engine takes", command.span));
                }
                Ok(next) => rows = Some(next),
                Err(Said) => {
                    // The rest is still read for its own faults.
                    fault = true;
                    rows = before.or_else(|| Some(Rows::events(Predicate::Constant(true))));
                }
            }
        }
        match rows {
            Some(rows) if !fault => Ok(rows),
            _ => Err(Said),
        }
    }

    /// Lowers a search in brackets to a branch whose rows are in the order that Splunk would have them in, and says what
    /// columns they have.
    fn nested(&mut self, pipeline: &ast::Pipeline) -> Result<(usize, Names), Said> {
        let mut rows = self.pipeline(pipeline, None)?;
        rows.order();
        Ok(self.park(rows))
    }

    /// Ends rows in a branch that others may read; every set name becomes a column.
    fn park(&mut self, mut rows: Rows) -> (usize, Names) {
        if rows.names.closed() && !rows.names.is_row() {
            rows.stages.push(Stage::Project(rows.names.columns.clone()));
            rows.names.make_columns();
        } else {
            rows.make_columns();
        }
        let names = rows.names;
        let inputs = self.inputs(rows.inputs);
        (self.parts.branch(inputs, rows.stages, None), names)
    }

    /// Keeps the rows for which a condition is true.
    fn keep(&mut self, rows: &mut Rows, condition: terms::Condition) {
        let condition = match self.unknown {
            Some(unknown) => condition.relaxed(&|expr| format!("{expr:?}").contains(unknown)),
            None => condition,
        };
        let symbolic = !self.late
            && rows.inputs.iter().all(|input| matches!(input, Source::Events(_)))
            && rows.stages.iter().all(only_names)
            && !condition.reads_column();
        if !symbolic {
            return match condition.into_expr() {
                Expr::Literal(lurcher_schema::Value::Bool(true)) => {}
                expr => rows.stages.push(Stage::Where(expr)),
            };
        }
        let predicate = condition.into_predicate(self.schemas);
        for input in &mut rows.inputs {
            if let Source::Events(filter) = input {
                let before = std::mem::replace(filter, Predicate::Constant(true));
                *filter = Predicate::all([before, predicate.clone()]);
            }
        }
    }

    /// Sets a name; an expression that has grown large becomes a column.
    fn assign(&mut self, rows: &mut Rows, name: &Arc<str>, expr: Expr) {
        let (size, depth) = expr.extent();
        rows.names.set(name, expr);
        if size > MAX_MEANING.0 || depth > MAX_MEANING.1 {
            rows.make_columns();
        }
    }

    /// Ends the search.
    fn sink(&mut self, mut rows: Rows) {
        if rows.names.base == Base::Event && !(rows.stages.is_empty() && rows.names.columns.is_empty()) {
            // What alerts will ask for is a column of the row, be it set or a field of the event.
            for name in self.options.wanted {
                if rows.names.column(name).is_none() {
                    let expr = rows.names.get(name);
                    rows.names.columns.push((name.as_str().into(), expr));
                }
            }
        }
        if rows.names.base == Base::Row {
            rows.make_columns();
        } else if !rows.names.columns.is_empty() {
            rows.stages.push(Stage::Project(rows.names.columns.clone()));
        }
        let inputs = self.inputs(rows.inputs);
        self.parts.branch(inputs, rows.stages, Some(Sink::Alerts("".into())));
    }

    fn inputs(&mut self, sources: Vec<Source>) -> Vec<Input> {
        let mut inputs = Vec::new();
        for source in sources {
            inputs.push(match source {
                Source::Branch(index) => Input::Branch(index),
                Source::Table(name) => Input::Table(name),
                Source::Rows(count) => Input::Rows(count),
                Source::Events(filter) => self.parts.filter(filter),
            });
        }
        inputs
    }

    fn report(&mut self, diagnostic: Diagnostic) -> Said {
        let diagnostic = if diagnostic.file.is_some() { diagnostic } else { diagnostic.in_file(&self.file) };
        if !self.diagnostics.contains(&diagnostic) {
            self.diagnostics.push(diagnostic);
        }
        Said
    }

    fn reason(&mut self, verdict: Verdict, code: &'static str, message: impl Into<String>, span: Span) {
        let reason = SupportReason { verdict, code, message: message.into(), span: Some(span) };
        if !self.reasons.iter().any(|known| known.code == reason.code && known.message == reason.message) {
            self.reasons.push(reason);
        }
    }

    fn approximate(&mut self, code: &'static str, message: impl Into<String>, span: Span) {
        self.reason(Verdict::Approximate, code, message, span);
    }

    fn unsupported(&mut self, code: &'static str, message: impl Into<String>, span: Span) -> Said {
        self.reason(Verdict::Unsupported, code, message, span);
        Said
    }
}
