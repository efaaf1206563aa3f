//! Expressions over one event or one row of a pipeline. (Stub: the evaluator follows.)

use lurcher_ir::{Expr, FieldRef, Quantifier};
use lurcher_schema::{Object, Taxonomy, Timestamp, Value};

/// Where an expression's leaves come from: an event, a row of a pipeline, or both.
pub trait Row {
    /// An event's field: a single value, a list of several, an object, or null.
    fn field(&mut self, field: &FieldRef) -> Value;
    /// The whole event in a taxonomy; null without an event.
    fn event(&mut self, taxonomy: Taxonomy) -> Value;
    /// A column of the pipeline's row by its exact name; null if there is none, or outside pipelines.
    fn column(&mut self, name: &str) -> Value;
    /// The columns of the pipeline's row, if there is one.
    fn columns(&mut self) -> Option<&Object> {
        None
    }
}

/// An expression made ready to be evaluated many times (its regular expressions compiled). Shared by threads.
#[derive(Debug)]
pub struct CompiledExpr {
    expr: Expr,
}

impl CompiledExpr {
    /// Makes an expression ready. A regular expression that cannot be compiled yields null wherever it is used.
    pub fn new(expr: &Expr) -> Self {
        Self { expr: expr.clone() }
    }

    /// Its value. `now` is the time of the run.
    pub fn evaluate(&self, row: &mut dyn Row, now: Timestamp) -> Value {
        let _ = (&self.expr, row, now);
        Value::Null
    }

    /// Whether it yields true, with fields of several values entering as the quantifier says.
    pub fn holds(&self, quantifier: Quantifier, row: &mut dyn Row, now: Timestamp) -> bool {
        let _ = quantifier;
        self.evaluate(row, now) == Value::Bool(true)
    }
}
