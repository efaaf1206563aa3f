//! AST to IR: commands, conditions, and what the whole query comes to.
//!
//! # The language's rules, and where they are kept
//!
//! * Null: three-valued; `WHERE` keeps a row only when its condition is true. (the IR's operators are so)
//! * Several values: null, with what takes several said apart ([`value`]).
//! * Types: found for every expression; what does not go together is an error ([`expressions`]). What mapping packs say
//!   of an event's field is not held against a query: another index may map it otherwise.
//! * Overflow, division by zero and what cannot be converted: null.
//! * Order of columns: that of the language ([`columns`]).
//!
//! # How conditions reach the filter of events
//!
//! Commands that only compute columns (`EVAL`, `DISSECT`, `GROK`, `RENAME`) do not change which rows there are. So a
//! condition behind them is brought back to the event's fields by what its columns mean, and joins the filter. The
//! parts of a conjunction go each their way. Behind `LIMIT`, `STATS` and `INLINE STATS` nothing goes back.
//!
//! Sources: the language's reference at <https://www.elastic.co/docs/reference/query-languages/esql>.

mod columns;
mod commands;
mod completion;
mod convert;
mod expressions;
mod functions;
mod joins;
mod operators;
mod parts;
mod patterns;
mod search;
mod settings;
mod stats;
mod tables;
mod value;

use std::{collections::BTreeSet, sync::Arc};

use lurcher_diagnostics::{Diagnostic, Level, Span};
use lurcher_ir::{
    ColumnPattern, Expr, Function, Input, Predicate, Sink, Stage, SupportReason, Test, TimeFunction, Verdict,
};
use lurcher_schema::{Schemas, Taxonomy, Value};

pub(super) use self::functions::names as function_names;
use self::{
    columns::{Column, Columns, Item},
    settings::Settings,
    value::Typed,
};
use super::{
    Options,
    ast::{self, ExprKind, Query, UnaryOperator},
    types::Type,
};
use crate::{
    Lowered,
    pipeline::{Parts, predicate::Predicates},
    syntax::closest,
};

/// How large an expression that a column means may be; larger ones do not go back to the filter.
const MAX_MEANING: usize = 4000;

/// How many rows a query without `LIMIT` yields.
const DEFAULT_LIMIT: u64 = 1000;

/// Something cannot be lowered; a diagnostic or a reason says what.
pub(super) struct Said;

type Result<T, E = Said> = std::result::Result<T, E>;

/// Lowers a query that has been read.
pub(super) fn lower(query: &Query, options: &Options, schemas: &Schemas, diagnostics: Vec<Diagnostic>) -> Lowered {
    let mut lowerer = Lowerer {
        options,
        schemas,
        diagnostics,
        reasons: Vec::new(),
        inputs: Inputs::Events,
        filter: Predicate::Constant(true),
        parts: Parts::default(),
        stages: Vec::new(),
        columns: Columns::default(),
        movable: true,
        limited: false,
        sources: None,
        symbolic: false,
        elements: false,
        settings: Settings::default(),
        chosen: false,
        source_columns: BTreeSet::new(),
    };
    // What cannot be set has been said, and the query is read for its own faults.
    let _ = lowerer.settings(&query.settings);
    for command in &query.commands {
        if lowerer.command(command).is_err() && !lowerer.faulty() {
            // The reason has been said; what follows would only repeat it.
            break;
        }
    }
    lowerer.finish()
}

/// Where rows come from.
#[derive(Clone, Debug, PartialEq)]
enum Inputs {
    /// Events that pass the filter.
    Events,
    /// Tables that the run is given.
    Tables(Vec<Arc<str>>),
    /// One row.
    Row,
}

struct Lowerer<'a> {
    options: &'a Options,
    schemas: &'a Schemas,
    diagnostics: Vec<Diagnostic>,
    reasons: Vec<SupportReason>,
    inputs: Inputs,
    /// What events must be like.
    filter: Predicate,
    /// Branches beside the main one: tables that are joined.
    parts: Parts,
    stages: Vec<Stage>,
    columns: Columns,
    /// Whether a condition may still be moved back to the filter.
    movable: bool,
    /// Whether the query says how many rows it wants.
    limited: bool,
    sources: Option<Vec<String>>,
    /// Whether columns are read as what they mean over the event's fields.
    symbolic: bool,
    /// Whether, besides, a column that is one of a field's values is read as the field.
    elements: bool,
    /// What is set in front of the query.
    settings: Settings,
    /// Whether a command has chosen which columns there are, so that no more come from the source.
    chosen: bool,
    /// The columns that the source has, or that are taken for its.
    source_columns: BTreeSet<Arc<str>>,
}

impl Lowerer<'_> {
    fn faulty(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error)
    }

    fn report(&mut self, diagnostic: Diagnostic) -> Said {
        // An expression may be lowered twice, over rows and over fields.
        if !self.diagnostics.contains(&diagnostic) {
            self.diagnostics.push(diagnostic);
        }
        Said
    }

    fn reason(&mut self, verdict: Verdict, code: &'static str, message: impl Into<String>, span: Span) {
        let reason = SupportReason { verdict, code, message: message.into(), span: Some(span) };
        if !self.reasons.contains(&reason) {
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

    /// What a name means here.
    fn column(&mut self, name: &str, span: Span) -> Result<Typed> {
        if let Some(column) = self.columns.find(name) {
            if !self.symbolic {
                return Ok(column.value());
            }
            let element = column.element_of.as_ref().filter(|_| self.elements);
            return column.meaning.as_ref().or(element).cloned().ok_or(Said);
        }
        if self.columns.has_field(name) {
            return Ok(self.event_field(name));
        }
        if self.columns.unknown {
            return if self.symbolic { Err(Said) } else { Ok(Typed::several(Type::Any, Expr::Column(name.into()))) };
        }
        if let Some(null) = self.unmapped(name) {
            return Ok(null);
        }
        let known: Vec<&str> = self.columns.columns().map(|column| column.name.as_ref()).collect();
        let mut diagnostic =
            Diagnostic::error("esql-unknown-column", format!("unknown column `{name}`")).at(span, "unknown here");
        diagnostic = match closest(name, known.iter().copied()) {
            Some(meant) => diagnostic.with_help(format!("did you mean `{meant}`?")),
            None if known.is_empty() => diagnostic,
            None => {
                let shown: Vec<String> = known.iter().take(8).map(|name| format!("`{name}`")).collect();
                let more = if known.len() > shown.len() { " …" } else { "" };
                diagnostic.with_help(format!("there are {}{more}", shown.join(", ")))
            }
        };
        Err(self.report(diagnostic))
    }

    /// An event's field, by what the mapping packs say of it. A sub-field that only says how a text is analysed
    /// (`process.command_line.text`) is the field itself.
    fn event_field(&self, name: &str) -> Typed {
        let field = |path: &str| lurcher_ir::FieldRef::new(Taxonomy::Ecs, path);
        let known = |path: &str| self.schemas.field_type(Taxonomy::Ecs, path);
        for suffix in [".text", ".caseless", ".keyword"] {
            if let Some(parent) = name.strip_suffix(suffix)
                && parent.contains('.')
                && known(name) == lurcher_schema::FieldType::Keyword
            {
                return Typed::field(Type::Text, field(parent));
            }
        }
        let kind = match known(name) {
            lurcher_schema::FieldType::Keyword => Type::Any,
            kind => Type::of_field(kind),
        };
        Typed::field(kind, field(name))
    }

    /// Keeps the rows for which a condition is true.
    fn filter_rows(&mut self, condition: &ast::Expr) -> Result<()> {
        if let ExprKind::Junction(true, parts) = &condition.kind {
            let mut result = Ok(());
            for part in parts {
                if let Err(said) = self.filter_rows(part) {
                    result = Err(said);
                }
            }
            return result;
        }
        if self.movable && self.inputs == Inputs::Events {
            let before = (self.diagnostics.len(), self.reasons.len());
            self.symbolic = true;
            let predicate = self.predicate(condition, true);
            self.symbolic = false;
            if let Ok(predicate) = predicate {
                let filter = std::mem::replace(&mut self.filter, Predicate::Constant(true));
                self.filter = Predicate::all([filter, predicate]);
                return Ok(());
            }
            if self.faulty_since(before) {
                return Err(Said);
            }
            // It speaks of columns that no field stands behind: it is said of rows, faults included.
            self.diagnostics.truncate(before.0);
            self.reasons.truncate(before.1);
            self.demand(condition);
        }
        let condition = self.condition(condition)?;
        self.stages.push(Stage::Where(condition));
        Ok(())
    }

    /// Adds to the filter what a condition on a row demands of its event, if the row has one of the values of a field
    /// (`MV_EXPAND`): that some value of the field is so.
    fn demand(&mut self, condition: &ast::Expr) {
        let before = (self.diagnostics.len(), self.reasons.len());
        (self.symbolic, self.elements) = (true, true);
        let predicate = self.predicate(condition, true);
        (self.symbolic, self.elements) = (false, false);
        self.diagnostics.truncate(before.0);
        self.reasons.truncate(before.1);
        if let Ok(predicate) = predicate {
            let filter = std::mem::replace(&mut self.filter, Predicate::Constant(true));
            self.filter = Predicate::all([filter, weakened(predicate)]);
        }
    }

    fn faulty_since(&self, (diagnostics, reasons): (usize, usize)) -> bool {
        let errors = self.diagnostics.get(diagnostics..).unwrap_or_default().iter();
        errors.filter(|diagnostic| diagnostic.level == Level::Error).count() > 0
            || self.reasons.get(reasons..).unwrap_or_default().iter().any(|r| r.verdict >= Verdict::Unsupported)
    }

    /// When a condition over the event's fields is true, or when it is false. The searches that an index answers
    /// (`KQL()`, `MATCH` …) have no other form.
    fn predicate(&mut self, condition: &ast::Expr, wanted: bool) -> Result<Predicate> {
        match &condition.kind {
            ExprKind::Junction(all, parts) => {
                let parts: Vec<Predicate> =
                    parts.iter().map(|part| self.predicate(part, wanted)).collect::<Result<_>>()?;
                Ok(if *all == wanted { Predicate::all(parts) } else { Predicate::any(parts) })
            }
            ExprKind::Unary(UnaryOperator::Not, inner) => self.predicate(inner, !wanted),
            _ => {
                if let Some(found) = self.search(condition) {
                    let found = found?;
                    return Ok(if wanted { found } else { found.negate() });
                }
                let expr = self.condition(condition)?;
                let mut predicates = Predicates::new(self.schemas);
                Ok(if wanted { predicates.holds(&expr) } else { predicates.fails(&expr) })
            }
        }
    }

    /// Computes columns into the row, and remembers what they mean over the event's fields.
    fn set(&mut self, name: &Arc<str>, value: Typed, meaning: Option<Typed>) {
        let meaning = meaning.filter(|typed| match &typed.node {
            value::Node::Expr(expr) => expr.extent().0 <= MAX_MEANING,
            _ => true,
        });
        let mut column = Column::computed(Arc::clone(name), value.kind, value.many);
        column.constant = value.constant().is_some().then(|| value.clone());
        self.stages.push(Stage::Eval(vec![(Arc::clone(name), value.all())]));
        column.meaning = meaning;
        self.columns.push(column);
    }

    /// The value of an expression over rows, and what it means over the event's fields if it means anything there.
    fn value_and_meaning(&mut self, expr: &ast::Expr) -> Result<(Typed, Option<Typed>)> {
        let value = self.expression(expr)?;
        if !self.movable || self.inputs != Inputs::Events {
            return Ok((value, None));
        }
        let before = (self.diagnostics.len(), self.reasons.len());
        self.symbolic = true;
        let meaning = self.expression(expr).ok();
        self.symbolic = false;
        self.diagnostics.truncate(before.0);
        self.reasons.truncate(before.1);
        Ok((value, meaning))
    }

    /// Ends the query: rows get the language's columns in the language's order, and dates their text form.
    fn finish(mut self) -> Lowered {
        let refused = |lowerer: &Self| {
            lowerer.faulty() || lowerer.reasons.iter().any(|reason| reason.verdict >= Verdict::Unsupported)
        };
        self.diagnostics.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.span));
        if refused(&self) {
            return Lowered { body: None, reasons: self.reasons, diagnostics: self.diagnostics, ..Lowered::default() };
        }
        if !self.limited && self.options.ad_hoc {
            self.stages.push(Stage::Head(DEFAULT_LIMIT));
        }
        let columns = std::mem::take(&mut self.columns);
        if columns.open() && self.inputs == Inputs::Events {
            self.stages.push(Stage::Fields(Taxonomy::Ecs));
            if !columns.hidden.is_empty() {
                let computed = |pattern: &ColumnPattern| {
                    columns.columns().any(|column| column.field.is_none() && pattern.fits(&column.name).is_some())
                };
                self.stages.push(Stage::Drop(columns.hidden.iter().filter(|p| !computed(p)).cloned().collect()));
            }
        }
        let mut written = Vec::new();
        for column in columns.columns() {
            let value = column.value();
            let text = match value.kind {
                Type::Date => Some(TimeFunction::Written),
                Type::DateNanos => Some(TimeFunction::WrittenNanos),
                _ => None,
            };
            if let Some(function) = text {
                let each = Function::List(lurcher_ir::ListFunction::Each(Box::new(Function::Time(function))));
                written.push((Arc::clone(&column.name), Expr::call(each, [value.all()])));
            } else if column.field.is_some() {
                written.push((Arc::clone(&column.name), value.all()));
            }
        }
        if !written.is_empty() {
            self.stages.push(Stage::Eval(written));
        }
        let order = columns.items.iter().map(|item| match item {
            Item::Column(column) => ColumnPattern::Named(Arc::clone(&column.name)),
            Item::Fields(pattern) => pattern.clone(),
        });
        let unknown = columns.unknown.then(Self::all_columns);
        self.stages.push(Stage::Keep(order.chain(unknown).collect()));
        let inputs = match &self.inputs {
            Inputs::Events => vec![self.parts.filter(self.filter)],
            Inputs::Tables(names) => names.iter().map(|name| Input::Table(Arc::clone(name))).collect(),
            Inputs::Row => vec![Input::Rows(1)],
        };
        self.parts.branch(inputs, self.stages, Some(Sink::Alerts("".into())));
        let sources = self.sources.map(lurcher_ir::Sources::Indices);
        Lowered {
            body: Some(self.parts.into_body()),
            reasons: self.reasons,
            diagnostics: self.diagnostics,
            sources,
            writes: None,
        }
    }
}

/// What must be so of an event for a predicate to be so of one of its fields' values each: tests ask for any value
/// already; what asks for all of them, for no value, or for just one, is dropped.
fn weakened(predicate: Predicate) -> Predicate {
    match predicate {
        Predicate::Test { test: Test::Single, .. } | Predicate::Not(_) | Predicate::Holds { .. } => {
            Predicate::Constant(true)
        }
        Predicate::All(parts) => Predicate::all(parts.into_iter().map(weakened)),
        Predicate::Any(parts) => Predicate::any(parts.into_iter().map(weakened)),
        other => other,
    }
}

/// The text form in which a constant of a query is shown.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("\"{text}\""),
        Value::Null => "null".to_owned(),
        other => other.to_string(),
    }
}
