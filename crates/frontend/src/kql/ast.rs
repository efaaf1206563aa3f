//! The tree of a KQL query, as written: nothing is known of fields and their types here.

use lurcher_diagnostics::Span;
use lurcher_ir::{Wildcard, WildcardPiece};

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of conditions.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// What could not be read; reported.
    Error,
    /// The empty query: every event.
    Everything,
    /// All hold.
    And(Vec<Node>),
    /// One holds.
    Or(Vec<Node>),
    /// It does not hold.
    Not(Box<Node>),
    /// `field: values`.
    Is(Literal, Values),
    /// `field >= value`.
    Range {
        /// The field.
        field: Literal,
        /// How the field's value stands to the value.
        comparison: Comparison,
        /// The value.
        value: Literal,
    },
    /// `field: { condition }`: one element of the field is so.
    Nested(Literal, Box<Node>),
    /// A value without a field.
    Free(Literal),
}

/// How a field's value stands to a value of the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// What stands behind a colon.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// One value.
    One(Literal),
    /// All are so.
    And(Vec<Values>),
    /// One is so.
    Or(Vec<Values>),
    /// It is not so.
    Not(Box<Values>),
    /// What could not be read; reported.
    Error,
}

/// A name or value. Only unquoted ones have wildcards.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal {
    /// Text and wildcards, escapes resolved.
    pub pattern: Wildcard,
    /// Whether it stands in quotes.
    pub quoted: bool,
    /// Whether a part of it was escaped: `\null` is text, `null` is not.
    pub escaped: bool,
    /// Where it stands.
    pub span: Span,
}

impl Literal {
    /// The text, if there is no wildcard in it.
    pub fn text(&self) -> Option<&str> {
        self.pattern.as_literal()
    }

    /// Whether it is a bare `*`.
    pub fn is_star(&self) -> bool {
        matches!(self.pattern.pieces.as_ref(), [WildcardPiece::Any])
    }
}
