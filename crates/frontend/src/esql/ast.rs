//! What a query says, as it is written.

use std::sync::Arc;

use lurcher_diagnostics::Span;

/// A name and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Name {
    /// The name, backquotes resolved, parts joined by dots.
    pub(super) text: Arc<str>,
    /// Where it stands.
    pub(super) span: Span,
}

/// A name that may hold `*`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NamePattern {
    /// The pieces; between two of them stands a `*`. One piece: a plain name.
    pub(super) pieces: Vec<String>,
    /// Where it stands.
    pub(super) span: Span,
}

impl NamePattern {
    /// The name, if there is no wildcard in it.
    pub(super) fn plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// As written, without backquotes.
    pub(super) fn text(&self) -> String {
        self.pieces.join("*")
    }
}

/// A whole query.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Query {
    /// What `SET name = value` says in front of it: of two of one name the last counts.
    pub(super) settings: Vec<(Name, Expr)>,
    /// The commands in order; the first is a source.
    pub(super) commands: Vec<Command>,
}

/// A command and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    /// What it does.
    pub(super) kind: CommandKind,
    /// Where it stands.
    pub(super) span: Span,
}

/// What a command does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum CommandKind {
    /// `FROM patterns METADATA names`.
    From { patterns: Vec<Name>, metadata: Vec<Name> },
    /// `ROW fields`.
    Row(Vec<Field>),
    /// `WHERE condition`.
    Where(Expr),
    /// `EVAL fields`.
    Eval(Vec<Field>),
    /// `STATS aggregates BY keys`, or `INLINE STATS`.
    Stats { inline: bool, aggregates: Vec<Aggregate>, by: Vec<Field> },
    /// `KEEP patterns`.
    Keep(Vec<NamePattern>),
    /// `DROP patterns`.
    Drop(Vec<NamePattern>),
    /// `RENAME old AS new` or `new = old`: pairs of (old, new).
    Rename(Vec<(Name, Name)>),
    /// `SORT orders`.
    Sort(Vec<Order>),
    /// `LIMIT count`, with the expressions of a `BY`.
    Limit { count: Expr, by: Vec<Expr> },
    /// `DISSECT input pattern APPEND_SEPARATOR = separator`.
    Dissect { input: Expr, pattern: Name, separator: Option<Name> },
    /// `GROK input patterns`.
    Grok { input: Expr, patterns: Vec<Name> },
    /// `MV_EXPAND name`.
    Expand(Name),
    /// `ENRICH policy ON field WITH new = old`: pairs of (new, old).
    Enrich { policy: Name, on: Option<Name>, with: Option<Vec<(Name, Name)>> },
    /// `LOOKUP JOIN table ON fields`.
    LookupJoin { table: Name, on: Vec<Expr> },
    /// `COMPLETION column = prompt WITH { options }`.
    Completion { column: Option<Name>, prompt: Expr, options: Vec<(Name, Expr)> },
    /// `URI_PARTS prefix = input` and its like, with the options of a `WITH`.
    Parts { of: PartsOf, prefix: Name, input: Expr, options: Vec<(Name, Expr)> },
    /// `DEDUP`.
    Dedup,
    /// A command that is known but not run; the reason stands with the lowering.
    Other(Name),
}

/// What a command takes apart into columns that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartsOf {
    /// `URI_PARTS`.
    Uri,
    /// `REGISTERED_DOMAIN`.
    Domain,
    /// `USER_AGENT`.
    Agent,
    /// `IP_LOCATION`.
    Address,
}

impl PartsOf {
    /// The command's name.
    pub(super) fn command(self) -> &'static str {
        match self {
            Self::Uri => "URI_PARTS",
            Self::Domain => "REGISTERED_DOMAIN",
            Self::Agent => "USER_AGENT",
            Self::Address => "IP_LOCATION",
        }
    }
}

/// `name = value`, or a value that its own text names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    /// What it is called.
    pub(super) name: Name,
    /// Whether the name is written, rather than the text of the expression.
    pub(super) named: bool,
    /// Its value.
    pub(super) value: Expr,
}

/// A field of `STATS`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Aggregate {
    /// The aggregate.
    pub(super) field: Field,
    /// `WHERE condition`.
    pub(super) filter: Option<Expr>,
}

/// An order of `SORT`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    /// What is sorted by.
    pub(super) value: Expr,
    /// `DESC`.
    pub(super) descending: bool,
    /// `NULLS FIRST` or `NULLS LAST`, if written.
    pub(super) nulls_first: Option<bool>,
}

/// An expression and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    /// What it is.
    pub(super) kind: ExprKind,
    /// Where it stands.
    pub(super) span: Span,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ExprKind {
    /// `null`.
    Null,
    /// `true`, `false`.
    Boolean(bool),
    /// A whole number; beyond 64 bits it is a [`Self::Decimal`] or, up to 2⁶⁴, [`Self::Unsigned`].
    Integer(i64),
    /// A whole number from 2⁶³ to 2⁶⁴ − 1.
    Unsigned(u64),
    /// A number with a fraction.
    Decimal(f64),
    /// Text.
    Text(Arc<str>),
    /// `5 minutes`: the number and the unit as written.
    Span(i64, Arc<str>),
    /// `[1, 2, 3]`.
    List(Vec<Expr>),
    /// `{ "name": value }`.
    Map(Vec<(Name, Expr)>),
    /// `?name`.
    Parameter(Arc<str>),
    /// A column.
    Column(Arc<str>),
    /// A function; the name in lower case.
    Call { name: Name, arguments: Vec<Expr> },
    /// The `*` of `COUNT(*)`.
    Star,
    /// `NOT`, `-`.
    Unary(UnaryOperator, Box<Expr>),
    /// `AND` (true) or `OR` of at least two operands.
    Junction(bool, Vec<Expr>),
    /// Two operands.
    Binary(BinaryOperator, Box<Expr>, Box<Expr>),
    /// `a IN (b, c)`.
    In { value: Box<Expr>, items: Vec<Expr>, negated: bool },
    /// `a IS NULL`.
    IsNull { value: Box<Expr>, negated: bool },
    /// `a LIKE "b*"` or `a LIKE ("b*", "c*")`; with `regex`, `RLIKE`.
    Like { value: Box<Expr>, patterns: Vec<Expr>, regex: bool, negated: bool },
    /// `field : "query"`.
    Match { value: Box<Expr>, query: Box<Expr> },
    /// `value :: type`.
    Cast { value: Box<Expr>, to: Name },
}

/// An operator of one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnaryOperator {
    /// `NOT`.
    Not,
    /// `-`.
    Minus,
    /// `+`.
    Plus,
}

/// An operator of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BinaryOperator {
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessOrEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterOrEqual,
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
    /// `%`.
    Modulo,
}

impl BinaryOperator {
    /// As written.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        }
    }
}
