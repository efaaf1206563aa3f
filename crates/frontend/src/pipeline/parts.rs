//! What a query of a piped language is brought to, piece by piece: filters, branches, names for columns.

use std::sync::Arc;

use lurcher_ir::{Branch, Input, Pipeline, Predicate, RuleBody, Sink, Stage, Tail};

/// The pieces of a rule body in the making.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    filters: Vec<Predicate>,
    branches: Vec<Branch>,
    fresh: usize,
}

impl Parts {
    /// The events that pass a filter. Equal filters are one.
    pub(crate) fn filter(&mut self, filter: Predicate) -> Input {
        let known = self.filters.iter().position(|other| *other == filter);
        Input::Filter(known.unwrap_or_else(|| {
            self.filters.push(filter);
            self.filters.len() - 1
        }))
    }

    /// Adds a branch; its number.
    pub(crate) fn branch(&mut self, inputs: Vec<Input>, stages: Vec<Stage>, sink: Option<Sink>) -> usize {
        self.branches.push(Branch { inputs, stages, sink });
        self.branches.len() - 1
    }

    /// How many branches there are.
    pub(crate) fn branches(&self) -> usize {
        self.branches.len()
    }

    /// Whether rows of any branch go somewhere.
    pub(crate) fn ends_in_a_sink(&self) -> bool {
        self.branches.iter().any(|branch| branch.sink.is_some())
    }

    /// A column name that no query can write.
    pub(crate) fn fresh_name(&mut self, name: &str) -> Arc<str> {
        self.fresh += 1;
        format!("{name}~{}", self.fresh).into()
    }

    /// The rule body that they make.
    pub(crate) fn into_body(self) -> RuleBody {
        RuleBody { filters: self.filters, tail: Tail::Pipeline(Pipeline { branches: self.branches }) }
    }
}
