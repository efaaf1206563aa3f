//! The tree of a query string, as written: nothing is known of fields and their types here.

use std::sync::Arc;

use lurcher_diagnostics::Span;
use lurcher_ir::Wildcard;

/// What stands side by side: the clauses of a query or of brackets.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The clauses in order.
    pub clauses: Vec<Clause>,
    /// Where they stand.
    pub span: Span,
}

/// One clause, with what stands before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    /// The word between it and the clause before.
    pub conjunction: Conjunction,
    /// The sign before it.
    pub modifier: Modifier,
    /// What is sought.
    pub node: Node,
}

/// The word between two clauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conjunction {
    /// None.
    None,
    /// `AND`, `&&`.
    And,
    /// `OR`, `||`.
    Or,
}

/// The sign before a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modifier {
    /// None.
    None,
    /// `+`.
    Required,
    /// `-`, `!`, `NOT`.
    Prohibited,
}

/// What is sought.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// What could not be read; reported.
    Error,
    /// Clauses in brackets.
    Group(Query),
    /// One thing in one field.
    Leaf {
        /// The field; `None`: those that are searched by default.
        field: Option<Field>,
        /// What.
        leaf: Leaf,
        /// Where it stands, without the field.
        span: Span,
    },
}

/// The name before a colon.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The name; `*` in it is a wildcard, escaped or not.
    pub name: Wildcard,
    /// Where it stands.
    pub span: Span,
}

/// What is sought in a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Leaf {
    /// A bare word, with or without wildcards.
    Term(Wildcard),
    /// Bare words side by side without wildcards, two or more, with no sign or operator about them: one text. Each with
    /// its place.
    Words(Arc<[(Arc<str>, Span)]>),
    /// Text in quotes.
    Phrase {
        /// The text.
        text: Arc<str>,
        /// By how many places its words may be moved.
        slop: u32,
    },
    /// A bare word, nearly.
    Fuzzy {
        /// The word.
        text: Arc<str>,
        /// The number behind `~`: edits from 1 on, a similarity below 1; `None`: by the word's length.
        number: Option<f64>,
    },
    /// A regular expression between slashes, in Lucene's syntax.
    Regexp(Arc<str>),
    /// `[a TO b]`, with curly brackets where an end does not belong.
    Range {
        /// The lower end and whether it belongs; `None` if it is `*`.
        low: Option<(Arc<str>, bool)>,
        /// The upper end and whether it belongs; `None` if it is `*`.
        high: Option<(Arc<str>, bool)>,
    },
}
