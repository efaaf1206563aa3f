//! Why a predicate holds for an event, or does not, part by part.
//!
//! Explanations are made by the naive evaluator, so they also show what the fast one should have found. How they are
//! shown is the command line's business.

use lurcher_ir::{Expr, FieldRef, Predicate, Test};
use lurcher_schema::{Event, Schemas, Timestamp, Value};

use crate::naive;

/// What became of a predicate and its parts for one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation<'a> {
    /// Whether it holds.
    pub holds: bool,
    /// What it is.
    pub reason: Reason<'a>,
}

/// What a predicate is, with what the event has for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason<'a> {
    /// It always is so.
    Constant,
    /// A test of a field.
    Test {
        /// The field.
        field: &'a FieldRef,
        /// The test.
        test: &'a Test,
        /// The field's value; null if the event does not have it.
        value: Value,
    },
    /// An expression.
    Holds {
        /// The expression.
        expr: &'a Expr,
        /// The fields that it reads, each once, with their values.
        fields: Vec<(&'a FieldRef, Value)>,
    },
    /// All parts have to hold.
    All(Vec<Explanation<'a>>),
    /// One part has to hold.
    Any(Vec<Explanation<'a>>),
    /// The part must not hold.
    Not(Box<Explanation<'a>>),
}

/// Explains a predicate for an event. `now` is the time of the run.
pub fn explain<'a>(predicate: &'a Predicate, event: &Event, schemas: &Schemas, now: Timestamp) -> Explanation<'a> {
    let value = |field: &FieldRef| schemas.value(event, field.taxonomy, field.path.as_str());
    let parts = |parts: &'a [Predicate]| parts.iter().map(|part| explain(part, event, schemas, now)).collect();
    let reason = match predicate {
        Predicate::Constant(_) => Reason::Constant,
        Predicate::Test { field, test } => Reason::Test { field, test, value: value(field) },
        Predicate::Holds { expr, .. } => {
            let mut fields: Vec<(&FieldRef, Value)> = Vec::new();
            expr.fields(&mut |field| {
                if !fields.iter().any(|(known, _)| *known == field) {
                    fields.push((field, value(field)));
                }
            });
            Reason::Holds { expr, fields }
        }
        Predicate::All(all) => Reason::All(parts(all)),
        Predicate::Any(any) => Reason::Any(parts(any)),
        Predicate::Not(inner) => Reason::Not(Box::new(explain(inner, event, schemas, now))),
    };
    Explanation { holds: naive::holds(predicate, event, schemas, now), reason }
}
