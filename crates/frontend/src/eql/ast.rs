//! The tree of a query, as written: every part with its span. No meaning yet.

use std::sync::Arc;

use lurcher_diagnostics::Span;

/// A whole statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What it looks for.
    pub kind: QueryKind,
    /// What is done with the matches, in order.
    pub pipes: Vec<Pipe>,
    /// All of it.
    pub span: Span,
}

/// What a statement looks for.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryKind {
    /// Single events.
    Event(EventQuery),
    /// Events in order of time.
    Sequence(Sequence),
    /// Events in any order.
    Sample(Sample),
}

/// `category where condition`.
#[derive(Clone, Debug, PartialEq)]
pub struct EventQuery {
    /// The category; `None` is `any`.
    pub category: Option<Arc<str>>,
    /// Where the category stands.
    pub category_span: Span,
    /// The condition.
    pub condition: Node,
}

/// `sequence [by …] [with maxspan=…] [ … ] [ … ] [until [ … ]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// The keys of all terms.
    pub by: Vec<KeyField>,
    /// The longest time from first to last event.
    pub max_span: Option<MaxSpan>,
    /// The terms, repetitions not yet written out.
    pub terms: Vec<Term>,
    /// What ends it.
    pub until: Option<Term>,
    /// The word `sequence`.
    pub span: Span,
}

/// `sample by … [ … ] [ … ]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The keys of all terms.
    pub by: Vec<KeyField>,
    /// The terms.
    pub terms: Vec<Term>,
    /// The word `sample`.
    pub span: Span,
}

/// One bracket of a sequence or sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What its event is like.
    pub query: EventQuery,
    /// Whether such an event must be absent (`![ … ]`).
    pub missing: bool,
    /// Its own keys.
    pub by: Vec<KeyField>,
    /// How often it is repeated.
    pub runs: u32,
    /// All of it.
    pub span: Span,
}

/// `with maxspan=NUMBER unit`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxSpan {
    /// How long.
    pub millis: u64,
    /// Where it stands.
    pub span: Span,
}

/// A field that joins events.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyField {
    /// The name.
    pub path: Arc<str>,
    /// Whether it was written `?name`.
    pub optional: bool,
    /// Where it stands.
    pub span: Span,
}

/// A pipe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pipe {
    /// The first so many.
    Head(u64),
    /// The last so many.
    Tail(u64),
}

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Where it stands.
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// Something that could not be read; it has been reported.
    Error,
    /// A constant.
    Literal(Literal),
    /// A field.
    Field {
        /// The dotted name, without back-quotes.
        path: Arc<str>,
        /// Whether it was written `?name`.
        optional: bool,
    },
    /// A function call.
    Call {
        /// The name as written, without `~`.
        name: Arc<str>,
        /// Where the name stands, `~` included.
        name_span: Span,
        /// Whether the name ends in `~`.
        insensitive: bool,
        /// The arguments.
        arguments: Vec<Node>,
    },
    /// `not x`.
    Not(Box<Node>),
    /// `-x`.
    Negate(Box<Node>),
    /// `x and y and …`.
    And(Vec<Node>),
    /// `x or y or …`.
    Or(Vec<Node>),
    /// A comparison.
    Compare {
        /// How.
        operator: Comparison,
        /// Where the operator stands.
        operator_span: Span,
        /// The left side.
        left: Box<Node>,
        /// The right side.
        right: Box<Node>,
    },
    /// Arithmetic.
    Arithmetic {
        /// What is computed.
        operator: Arithmetic,
        /// The left side.
        left: Box<Node>,
        /// The right side.
        right: Box<Node>,
    },
    /// `x in (…)`, `x in~ (…)`; a `not` before it stands around it.
    In {
        /// What is looked for.
        subject: Box<Node>,
        /// Whether case does not count.
        insensitive: bool,
        /// Where.
        items: Vec<Node>,
    },
    /// `x : …`, `x like …`, `x regex …`.
    Pattern {
        /// What is looked at.
        subject: Box<Node>,
        /// How.
        operator: PatternOperator,
        /// Where the operator stands.
        operator_span: Span,
        /// The patterns; one is enough. All are literals.
        patterns: Vec<Node>,
    },
}

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A string, escapes resolved.
    Text(Arc<str>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// The comparison that means the same with the sides exchanged.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same => same,
        }
    }
}

/// What is computed from two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Modulo,
}

/// How a text is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatternOperator {
    /// `:`, which is `like~`.
    Colon,
    /// `like` or, if case does not count, `like~`.
    Like {
        /// Whether case does not count.
        insensitive: bool,
    },
    /// `regex` or, if case does not count, `regex~`.
    Regex {
        /// Whether case does not count.
        insensitive: bool,
    },
}

impl PatternOperator {
    /// As it is written.
    pub fn spelling(self) -> &'static str {
        match self {
            Self::Colon => ":",
            Self::Like { insensitive: false } => "like",
            Self::Like { insensitive: true } => "like~",
            Self::Regex { insensitive: false } => "regex",
            Self::Regex { insensitive: true } => "regex~",
        }
    }
}
