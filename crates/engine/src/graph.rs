//! All predicates of all rules as one graph in which equal parts are one node.
//!
//! Nodes stand after their children, so that a pass from first to last sees children first: that is how a shape
//! folds the whole graph without recursion.

use lurcher_ir::{Expr, FieldRef, Predicate, Quantifier, Test};

use crate::{
    eval::{CompiledExpr, depends_on_fields_alone},
    interner::Interner,
};

/// One node; numbers are indices into the lists of [`Graph`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// Always so.
    Constant(bool),
    /// A test of one field.
    Atom { field: u32, test: u32 },
    /// An expression.
    Residual(u32),
    /// All of these.
    All(Box<[u32]>),
    /// At least one of these.
    Any(Box<[u32]>),
    /// Not this.
    Not(u32),
}

/// What no atom can say: evaluated last, row by row.
#[derive(Debug)]
pub(crate) struct Residual {
    /// The expression, ready to be evaluated.
    pub(crate) expr: CompiledExpr,
    /// How fields with several values enter it.
    pub(crate) quantifier: Quantifier,
    /// The fields that it reads.
    pub(crate) fields: Vec<u32>,
    /// Whether it depends on nothing but those fields (not on the whole event, not on the time of the run).
    pub(crate) pure: bool,
}

/// The graph.
#[derive(Debug)]
pub(crate) struct Graph {
    /// The fields that are read.
    pub(crate) fields: Vec<FieldRef>,
    /// The tests.
    pub(crate) tests: Vec<Test>,
    /// The expressions.
    pub(crate) residuals: Vec<Residual>,
    /// The nodes, children first.
    pub(crate) nodes: Vec<Node>,
}

/// Builds a [`Graph`].
#[derive(Debug)]
pub(crate) struct GraphBuilder {
    fields: Interner<FieldRef>,
    tests: Interner<Test>,
    residuals: Interner<(Expr, Quantifier)>,
    nodes: Interner<Node>,
}

impl GraphBuilder {
    /// An empty graph.
    pub(crate) fn new() -> Self {
        Self { fields: Interner::new(), tests: Interner::new(), residuals: Interner::new(), nodes: Interner::new() }
    }

    /// Adds a predicate and returns its node.
    pub(crate) fn add(&mut self, predicate: &Predicate) -> u32 {
        let node = match predicate {
            Predicate::Constant(truth) => Node::Constant(*truth),
            Predicate::Test { field, test } => {
                Node::Atom { field: self.fields.intern(field.clone()), test: self.tests.intern(test.clone()) }
            }
            Predicate::Holds { expr, fields } => Node::Residual(self.residuals.intern((expr.clone(), *fields))),
            Predicate::All(parts) => match self.children(parts) {
                children if children.is_empty() => Node::Constant(true),
                children if children.len() == 1 => return children[0],
                children => Node::All(children),
            },
            Predicate::Any(parts) => match self.children(parts) {
                children if children.is_empty() => Node::Constant(false),
                children if children.len() == 1 => return children[0],
                children => Node::Any(children),
            },
            Predicate::Not(inner) => Node::Not(self.add(inner)),
        };
        self.nodes.intern(node)
    }

    fn children(&mut self, parts: &[Predicate]) -> Box<[u32]> {
        let mut children: Vec<u32> = parts.iter().map(|part| self.add(part)).collect();
        children.sort_unstable();
        children.dedup();
        children.into()
    }

    /// The graph.
    pub(crate) fn build(mut self) -> Graph {
        let residuals = self.residuals.into_items();
        let residuals = residuals
            .into_iter()
            .map(|(expr, quantifier)| {
                let mut fields = Vec::new();
                expr.fields(&mut |field| fields.push(self.fields.intern(field.clone())));
                Residual { pure: depends_on_fields_alone(&expr), expr: CompiledExpr::new(&expr), quantifier, fields }
            })
            .collect();
        Graph {
            fields: self.fields.into_items(),
            tests: self.tests.into_items(),
            residuals,
            nodes: self.nodes.into_items(),
        }
    }
}
