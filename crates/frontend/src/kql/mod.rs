//! The Kibana Query Language (`kuery`): text to AST to IR.
//!
//! | file | step |
//! |---|---|
//! | [`lexer`] | text to tokens |
//! | [`parser`] | tokens to the tree of [`ast`] |
//! | `lower`, `nested` | the tree to the IR |
//!
//! How a field is compared depends on its type: `crate::elasticsearch`. A query is a condition over single events and
//! nothing else.

pub mod ast;
pub mod lexer;
mod lower;
mod nested;
pub mod parser;

use std::sync::Arc;

use lurcher_diagnostics::Diagnostic;
use lurcher_ir::{Limit, Predicate, RuleBody, SupportReason, Tail, Verdict};
use lurcher_schema::{Taxonomy, Timestamp};

pub use lower::{condition, lower};
pub(crate) use nested::any_element;

use crate::Lowered;
pub use crate::elasticsearch::names::Column;

/// What a query leaves to whoever runs it. Lucene's syntax takes the same.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose names the fields are, and whose types decide how they are compared.
    pub taxonomy: Taxonomy,
    /// What `now` means in date math. Without it, `now` is the time of the event that is looked at, as on a clock that
    /// stands at that event; only `@timestamp` can be compared with it then.
    pub now: Option<Timestamp>,
    /// The fields that there are, with their types, if the query is asked of a table and not of events.
    pub columns: Option<Arc<[Column]>>,
}

impl Default for Options {
    fn default() -> Self {
        Self { taxonomy: Taxonomy::Ecs, now: None, columns: None }
    }
}

/// A condition over single events: what a query means, for those who build it into something greater (ES|QL's `KQL()`
/// and `QSTR()`, indicator queries, filters).
#[derive(Clone, Debug)]
pub struct Condition {
    /// What an event must be like; `false` if the query has errors.
    pub predicate: Predicate,
    /// Why it is less than exact, if so.
    pub reasons: Vec<SupportReason>,
    /// What is wrong with the query. Spans are offsets into its text.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether it has errors, or cannot be run at all.
    pub failed: bool,
}

impl Condition {
    /// The rule body that finds every event that is so.
    pub(crate) fn into_lowered(self) -> Lowered {
        let runs = !self.failed && self.reasons.iter().all(|reason| reason.verdict < Verdict::Unsupported);
        let limits: Vec<Limit> = Vec::new();
        let body = RuleBody { filters: vec![self.predicate], tail: Tail::Events { limits } };
        Lowered {
            body: runs.then_some(body),
            reasons: self.reasons,
            diagnostics: self.diagnostics,
            ..Lowered::default()
        }
    }
}
