//! AST to IR: statements, sinks, and what the whole query comes to.
//!
//! # The language's rules, and where they are kept
//!
//! * Null: a comparison, `LIKE`, `match`, arithmetic or `+` with null is null, `where` keeps a row only when its
//!   condition is true. Comparing with the *literal* `null` asks whether a value is null, as Splunk's own content
//!   does in half of its rules. (`expressions`, [`crate::pipeline::predicate`])
//! * Case: field names, `=`, `LIKE` and `match` are case-sensitive; keywords and function names are not.
//! * Several values: comparisons look at single values; only `IN` and `_datamodels` meet lists.
//! * `eval` sets its fields from left to right; later ones see earlier ones.
//! * Types: events are text, whatever the vendor's engine declared, so the casts are lenient: `ucast(x, "string", …)`
//!   of a field is the field, `ucast(x, "long", …)` reads a number where the vendor's would only take one.
//! * Time windows are by event time and are all closed at the end of the input.
//!
//! How rows are followed symbolically, so that conditions reach the index, is told in [`flow`].

mod commands;
mod expressions;
mod flow;
mod functions;

use std::{collections::HashMap, sync::Arc};

use lurcher_diagnostics::{Diagnostic, Level, SourceFile, Span};
use lurcher_ir::{Expr, Input, Predicate, Sink, Stage, SupportReason, Verdict};
use lurcher_schema::Schemas;

use self::flow::{Arm, Environment, Flow, Source};
use super::{
    Options,
    ast::{self, CommandKind, Module, Name},
    parser,
};
use crate::{Lowered, pipeline::Parts};

/// How many inputs and stages one flow may have.
const MAX_FLOW: usize = 512;

/// How large an expression that a name means may be, in nodes and in depth; larger ones become columns.
const MAX_MEANING: (usize, usize) = (500, 100);

/// Lowers a query that has been read.
pub(super) fn lower(
    file: &Arc<SourceFile>,
    module: &Module,
    options: &Options,
    schemas: &Schemas,
    diagnostics: Vec<Diagnostic>,
) -> Lowered {
    let filter = options.filter.as_ref().map(|filter| (filter, parser::expression(filter)));
    let mut lowerer = Lowerer {
        file: Arc::clone(file),
        options,
        schemas,
        diagnostics,
        reasons: Vec::new(),
        parts: Parts::default(),
        variables: HashMap::new(),
        filter: None,
        scopes: Vec::new(),
    };
    if let Some((filter, (expr, diagnostics))) = filter {
        lowerer.diagnostics.extend(diagnostics);
        lowerer.filter = expr.map(|expr| (Arc::clone(filter), expr));
    }
    lowerer.module(module);
    lowerer.finish()
}

/// What is made from a query, piece by piece.
struct Lowerer<'a> {
    /// The text that spans point into: the query, or the text of a placeholder or filter while that is lowered.
    file: Arc<SourceFile>,
    options: &'a Options,
    schemas: &'a Schemas,
    diagnostics: Vec<Diagnostic>,
    reasons: Vec<SupportReason>,
    parts: Parts,
    /// What each `$name` holds; `None` if its pipeline ended in a sink.
    variables: HashMap<Arc<str>, Option<Flow>>,
    /// The user's own condition and its text.
    filter: Option<(Arc<SourceFile>, ast::Expr)>,
    /// Numbers the columns that have no name in the query.
    /// The names of iteration variables around the current expression.
    scopes: Vec<Arc<str>>,
}

impl Lowerer<'_> {
    fn module(&mut self, module: &Module) {
        let mut last = None;
        for statement in &module.statements {
            let flow = self.pipeline(&statement.pipeline, None).map(|flow| self.park(flow));
            if let Some(name) = &statement.name {
                self.variables.insert(Arc::clone(&name.text), flow.clone());
            }
            last = flow.map(|flow| (flow, statement.pipeline.span));
        }
        if module.statements.is_empty() && self.diagnostics.is_empty() {
            let span = Span::new(0, self.file.text().len());
            self.report(
                Diagnostic::error("spl2-empty", "there is no query")
                    .at(span, "nothing to run")
                    .with_help("a query begins with `from`"),
            );
        }
        let faulty = self.diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error);
        if let Some((flow, end)) = last.filter(|_| !faulty && !self.parts.ends_in_a_sink()) {
            let at = Span { start: end.end.saturating_sub(1).max(end.start), end: end.end };
            self.report(
                Diagnostic::warning("spl2-missing-into", "no pipeline ends in a sink")
                    .at(at, "the rows go nowhere from here")
                    .with_note("the rows of the last pipeline are taken as what the query finds")
                    .with_help("end it with `| into write_ssa_detected_events()` or `| into sink`"),
            );
            self.sink(flow, &Sink::Alerts("".into()));
        }
    }

    /// Lowers a pipeline; what is left at its end, unless it ended in a sink.
    fn pipeline(&mut self, pipeline: &ast::Pipeline, input: Option<Flow>) -> Option<Flow> {
        let begins = input.is_none();
        let mut flow = input;
        let to_sink = pipeline.commands.iter().any(|command| {
            matches!(command.kind, CommandKind::Into { .. } | CommandKind::Placeholder(_) | CommandKind::Branch(_))
        });
        let last_where = pipeline.commands.iter().rposition(|command| matches!(command.kind, CommandKind::Where(_)));
        let filter_after = to_sink.then_some(last_where.unwrap_or(0)).filter(|_| begins);
        let mut ended: Option<Span> = None;
        for (index, command) in pipeline.commands.iter().enumerate() {
            if let Some(end) = ended {
                self.after_sink(command.span, end);
                return None;
            }
            let before = flow.clone();
            flow = match self.command(command, flow) {
                Ok(Some(flow)) if flow.size() > MAX_FLOW => {
                    self.unsupported("size", "it unites more pipelines than the engine takes", command.span);
                    Some(Flow::default())
                }
                Ok(Some(flow)) => Some(flow),
                Ok(None) => {
                    ended = Some(command.span);
                    None
                }
                // Said already; the rest is still read for its own faults.
                Err(Said) => before.or_else(|| Some(Flow::default())),
            };
            if filter_after == Some(index) {
                flow = flow.map(|flow| self.user_filter(flow));
            }
        }
        flow
    }

    fn after_sink(&mut self, here: Span, sink: Span) {
        self.report(
            Diagnostic::error("spl2-after-into", "nothing can follow the end of a pipeline")
                .at(here, "this command gets no rows")
                .at(sink, "the rows end here")
                .with_help("put `;` between two pipelines, or use `thru` to let the rows go on"),
        );
    }

    fn user_filter(&mut self, flow: Flow) -> Flow {
        let Some((file, condition)) = self.filter.clone() else { return flow };
        let outer = std::mem::replace(&mut self.file, file);
        let filtered = self.filter_flow(flow.clone(), &condition).unwrap_or(flow);
        self.file = outer;
        filtered
    }

    /// Keeps the rows for which a condition is true.
    fn filter_flow(&mut self, mut flow: Flow, condition: &ast::Expr) -> Result<Flow, Said> {
        for arm in &mut flow.arms {
            let expr = self.expression(condition, &arm.environment)?;
            self.keep(arm, expr);
        }
        Ok(flow)
    }

    fn keep(&mut self, arm: &mut Arm, condition: Expr) {
        let symbolic = arm.inputs.iter().all(|input| matches!(input, Source::Events(_)))
            && arm.stages.iter().all(|stage| matches!(stage, Stage::Eval(_) | Stage::Where(_)))
            && !condition.reads_column(&|_| true);
        if !symbolic {
            return arm.stages.push(Stage::Where(condition));
        }
        let predicate = crate::pipeline::predicate::Predicates::new(self.schemas).holds(&condition);
        for input in &mut arm.inputs {
            if let Source::Events(filter) = input {
                let before = std::mem::replace(filter, Predicate::Constant(true));
                *filter = Predicate::all([before, predicate.clone()]);
            }
        }
    }

    /// Makes rows that several pipelines may read: stages that rows have gone through become a branch.
    fn park(&mut self, mut flow: Flow) -> Flow {
        for arm in &mut flow.arms {
            if !arm.stages.is_empty() {
                let inputs = self.inputs(std::mem::take(&mut arm.inputs));
                let stages = std::mem::take(&mut arm.stages);
                arm.inputs = vec![Source::Branch(self.parts.branch(inputs, stages, None))];
            }
        }
        flow
    }

    /// Brings all arms together, for a stage that must see all rows.
    fn collapse(&mut self, mut flow: Flow) -> Result<Arm, Said> {
        match (flow.arms.len(), flow.arms.pop()) {
            (_, None) => Err(Said),
            (1, Some(only)) => Ok(only),
            (_, Some(last)) => {
                flow.arms.push(last);
                let mut inputs = Vec::new();
                let mut environment: Option<Environment> = None;
                for mut arm in flow.arms {
                    arm.stages.push(Stage::Project(arm.environment.columns.clone()));
                    arm.environment.make_columns();
                    let branch_inputs = self.inputs(arm.inputs);
                    inputs.push(Source::Branch(self.parts.branch(branch_inputs, arm.stages, None)));
                    environment = Some(match environment {
                        Some(before) => before.joined(&arm.environment),
                        None => arm.environment,
                    });
                }
                environment.map(|environment| Arm { inputs, stages: Vec::new(), environment }).ok_or(Said)
            }
        }
    }

    /// Ends a flow in a sink.
    fn sink(&mut self, flow: Flow, sink: &Sink) {
        for mut arm in flow.arms {
            let named = matches!(arm.stages.last(), Some(Stage::Window(_))) && arm.environment.is_row();
            if !named && !arm.environment.columns.is_empty() {
                arm.stages.push(Stage::Project(arm.environment.columns));
            }
            let inputs = self.inputs(arm.inputs);
            self.parts.branch(inputs, arm.stages, Some(sink.clone()));
        }
    }

    fn inputs(&mut self, sources: Vec<Source>) -> Vec<Input> {
        sources
            .into_iter()
            .map(|source| match source {
                Source::Branch(index) => Input::Branch(index),
                Source::Events(filter) => self.parts.filter(filter),
            })
            .collect()
    }

    fn finish(mut self) -> Lowered {
        self.diagnostics.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.span));
        let faulty = self.diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error);
        let refused = self.reasons.iter().any(|reason| reason.verdict >= Verdict::Unsupported);
        let empty = !self.parts.ends_in_a_sink();
        let runs = !faulty && !refused && !empty;
        let body = runs.then(|| self.parts.into_body());
        Lowered { body, reasons: self.reasons, diagnostics: self.diagnostics, ..Lowered::default() }
    }

    fn report(&mut self, diagnostic: Diagnostic) -> Said {
        let diagnostic = if diagnostic.file.is_some() { diagnostic } else { diagnostic.in_file(&self.file) };
        // Arms of a union are lowered one by one; what they share is said once.
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

    fn unsupported(&mut self, code: &'static str, message: impl Into<String>, span: Span) -> Said {
        self.reason(Verdict::Unsupported, code, message, span);
        Said
    }

    /// What a `$name` holds.
    fn variable(&mut self, name: &Name) -> Result<Flow, Said> {
        match self.variables.get(&name.text) {
            Some(Some(flow)) => return Ok(flow.clone()),
            Some(None) => {
                return Err(self.report(
                    Diagnostic::error("spl2-unknown-variable", format!("`${}` holds no rows", name.text))
                        .at(name.span, "its pipeline ended in a sink")
                        .with_help("use `thru` instead of `into` to let the rows go on"),
                ));
            }
            None => {}
        }
        let mut diagnostic = Diagnostic::error("spl2-unknown-variable", format!("nothing is called `${}`", name.text))
            .at(name.span, "unknown here");
        let known: Vec<&str> = self.variables.keys().map(AsRef::as_ref).collect();
        diagnostic = match parser::similar(&name.text, known) {
            Some(meant) => diagnostic.with_help(format!("did you mean `${meant}`?")),
            None => diagnostic.with_help("a variable is set by a statement before it: `$name = from …;`"),
        };
        Err(self.report(diagnostic))
    }
}

/// Something cannot be lowered; a diagnostic or a reason says what.
struct Said;
