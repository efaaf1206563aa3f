//! Expressions of stages, and what is computed of an event while it is at hand.
//!
//! Rows that wait for others are judged by expressions over their events' fields (a share by `lower(process name)`, a
//! condition on it). Such an expression is computed when the row is put by, once for each distinct combination of values in
//! its batch, and only the result is kept with the row: the event is not read back to be judged, and a text that a million
//! rows share is looked at a few times.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use lurcher_ir::{Expr, FieldRef, Pipeline, Stage};
use lurcher_schema::{Object, Taxonomy, Timestamp, Value};

use super::row::{PipelineRow, RowSource, RowView};
use crate::eval::{CompiledExpr, Row, depends_on_fields_alone};

/// An expression of a stage, made ready to be evaluated.
#[derive(Debug)]
pub(crate) struct StageExpr {
    compiled: CompiledExpr,
    /// What it is known by among captured results; none if it does not depend on the event's fields alone.
    key: Option<u64>,
}

impl StageExpr {
    pub(super) fn new(expr: &Expr) -> Self {
        Self { compiled: CompiledExpr::new(expr), key: key(expr) }
    }

    /// Its value for a row, whose event is the source's.
    pub(super) fn value(&self, row: &PipelineRow, source: &mut dyn RowSource, now: Timestamp) -> Value {
        let captured = self.key.and_then(|key| row.captured.as_ref()?.result(key));
        captured.unwrap_or_else(|| self.compiled.evaluate(&mut RowView { source, columns: &row.columns }, now))
    }
}

impl StageExpr {
    /// Its value where there are these columns and nothing else.
    pub(super) fn over_columns(&self, columns: &Object, now: Timestamp) -> Value {
        self.compiled.evaluate(&mut ColumnsAlone(columns), now)
    }
}

/// Columns without an event.
struct ColumnsAlone<'a>(&'a Object);

impl Row for ColumnsAlone<'_> {
    fn field(&mut self, _field: &FieldRef) -> Value {
        Value::Null
    }

    fn event(&mut self, _taxonomy: Taxonomy) -> Value {
        Value::Null
    }

    fn column(&mut self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or_default()
    }

    fn columns(&mut self) -> Option<&Object> {
        Some(self.0)
    }
}

/// An expression over nothing but an event's fields.
#[derive(Debug)]
pub(crate) struct FieldExpr {
    compiled: CompiledExpr,
    /// The fields that it reads, each once.
    pub(crate) fields: Vec<FieldRef>,
}

impl FieldExpr {
    fn new(expr: &Expr) -> Self {
        let mut fields: Vec<FieldRef> = Vec::new();
        expr.fields(&mut |field| {
            if !fields.contains(field) {
                fields.push(field.clone());
            }
        });
        Self { compiled: CompiledExpr::new(expr), fields }
    }

    /// Its value for the event of a source. It does not ask for the time.
    pub(crate) fn evaluate(&self, source: &mut dyn RowSource) -> Value {
        self.compiled.evaluate(&mut RowView { source, columns: &Object::default() }, Timestamp(0))
    }
}

/// What an expression over nothing but fields is known by.
fn key(expr: &Expr) -> Option<u64> {
    let mut fields = false;
    expr.fields(&mut |_| fields = true);
    if !fields || !depends_on_fields_alone(expr) {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    expr.hash(&mut hasher);
    Some(hasher.finish())
}

/// What is captured of the events of a branch's rows.
#[derive(Debug, Default)]
pub(crate) struct Captures {
    keys: Vec<u64>,
    exprs: Vec<Arc<FieldExpr>>,
    /// The fields of the other expressions.
    fields: Vec<FieldRef>,
}

impl Captures {
    /// What the rows of a branch are judged by once they have been collected before its stage number `settled`: in this
    /// branch and in those that read it.
    pub(super) fn new(pipeline: &Pipeline, branch: usize, settled: usize) -> Self {
        let mut captures = Self::default();
        let mut known: Vec<(u64, &Expr)> = Vec::new();
        for expr in judging_after(pipeline, branch, settled) {
            match key(expr) {
                Some(key) if known.iter().any(|(own, other)| *own == key && *other == expr) => {}
                Some(key) => {
                    // That two different expressions are known by the same number hardly ever happens; then neither is
                    // captured.
                    let clash = known.iter().any(|(own, _)| *own == key);
                    known.push((key, expr));
                    if clash {
                        captures.forget(key);
                    } else {
                        captures.keys.push(key);
                        captures.exprs.push(Arc::new(FieldExpr::new(expr)));
                    }
                }
                None => expr.fields(&mut |field| {
                    if !captures.fields.contains(field) {
                        captures.fields.push(field.clone());
                    }
                }),
            }
        }
        captures
    }

    fn forget(&mut self, key: u64) {
        if let Some(place) = self.keys.iter().position(|own| *own == key) {
            self.keys.remove(place);
            self.exprs.remove(place);
        }
    }
}

/// The expressions that decide which rows the stages let through, and how they group, order or judge them, in a branch
/// from a stage on and in the branches that read it. (What only the surviving rows are asked for is read back from their
/// events.)
fn judging_after(pipeline: &Pipeline, branch: usize, settled: usize) -> Vec<&Expr> {
    use lurcher_ir::Input;
    let mut reached = vec![false; pipeline.branches.len()];
    let mut exprs = Vec::new();
    for (number, other) in pipeline.branches.iter().enumerate().skip(branch) {
        let is_read = |read: usize| reached.get(read) == Some(&true);
        let reads = |input: &Input| matches!(input, Input::Branch(read) if is_read(*read));
        let takes = |stage: &Stage| stage.reads_branch().is_some_and(is_read);
        let is_reached = number == branch || other.inputs.iter().any(reads) || other.stages.iter().any(takes);
        if let Some(slot) = reached.get_mut(number) {
            *slot = is_reached;
        }
        let from = if number == branch { settled } else { 0 };
        for stage in other.stages.iter().skip(from).filter(|_| is_reached) {
            if !matches!(stage, Stage::Eval(_) | Stage::Project(_) | Stage::ForEachColumn(_)) {
                exprs.extend(stage.expressions());
            }
        }
    }
    exprs
}

/// What was captured of an event.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    plan: Arc<Captures>,
    values: Arc<[Value]>,
}

impl Captured {
    /// Captures this of a source's event.
    pub(super) fn of(plan: &Arc<Captures>, source: &mut dyn RowSource) -> Self {
        let mut values: Vec<Value> = Vec::with_capacity(plan.exprs.len() + plan.fields.len());
        for expr in &plan.exprs {
            values.push(source.computed(expr));
        }
        for field in &plan.fields {
            values.push(source.field(field));
        }
        Self { plan: Arc::clone(plan), values: values.into() }
    }

    /// As it was captured before.
    pub(super) fn with(plan: &Arc<Captures>, values: Vec<Value>) -> Self {
        Self { plan: Arc::clone(plan), values: values.into() }
    }

    /// What was captured, in order.
    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    /// The result of an expression; none if it was not captured.
    fn result(&self, key: u64) -> Option<Value> {
        let place = self.plan.keys.iter().position(|own| *own == key)?;
        self.values.get(place).cloned()
    }

    /// The value of a field; none if it was not captured.
    pub(super) fn field(&self, field: &FieldRef) -> Option<Value> {
        let place = self.plan.fields.iter().position(|own| own == field)?;
        self.values.get(self.plan.exprs.len() + place).cloned()
    }

    /// About how many bytes it holds.
    pub(crate) fn size(&self) -> usize {
        size_of_val(self.values.as_ref())
    }
}
