//! What a query says, as it is written: commands and expressions with their places, nothing resolved.

use std::sync::Arc;

use lurcher_diagnostics::Span;

/// A name and its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Name {
    /// As written, without quotes.
    pub(crate) text: Arc<str>,
    /// Where.
    pub(crate) span: Span,
}

/// A whole query: statements separated by `;`.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Module {
    /// In order.
    pub(crate) statements: Vec<Statement>,
}

/// `$name = pipeline`, or a pipeline alone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    /// What the pipeline's result is called.
    pub(crate) name: Option<Name>,
    /// The pipeline.
    pub(crate) pipeline: Pipeline,
}

/// Commands one after another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pipeline {
    /// In order.
    pub(crate) commands: Vec<Command>,
    /// All of it.
    pub(crate) span: Span,
}

/// One command.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Command {
    /// Which, with its arguments.
    pub(crate) kind: CommandKind,
    /// All of it.
    pub(crate) span: Span,
}

/// Where rows come from or go to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Dataset {
    /// `$name`.
    Variable(Name),
    /// A plain name, such as `source` or `sink`.
    Named(Name),
    /// `read_ssa_enriched_events()`.
    Function(Name),
    /// A pipeline in parentheses.
    Pipeline(Pipeline),
}

/// A command with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CommandKind {
    /// `from DATASET`.
    From(Dataset),
    /// `where CONDITION`.
    Where(Expr),
    /// `eval A = …, B = …`.
    Eval(Vec<(Name, Expr)>),
    /// `stats …`.
    Stats(Stats),
    /// `select A, B as C`.
    Select(Vec<(Expr, Name)>),
    /// `fields [-] A, B`.
    Fields {
        /// Whether they are dropped rather than kept.
        drop: bool,
        /// Which.
        names: Vec<Name>,
    },
    /// `rename A as B`.
    Rename(Vec<(Name, Name)>),
    /// `rex field=F "…"`.
    Rex {
        /// The text that is searched.
        field: Name,
        /// The expression.
        pattern: Name,
    },
    /// `union A, B`.
    Union(Vec<Dataset>),
    /// `append (pipeline)` or `append [pipeline]`.
    Append(Pipeline),
    /// `into SINK`; `thru SINK` if the rows also go on.
    Into {
        /// Where to.
        sink: Dataset,
        /// Whether they also go on.
        go_on: bool,
    },
    /// `branch [ … ], [ … ]`.
    Branch(Vec<Pipeline>),
    /// `head N`.
    Head(u64),
    /// `sort [N] -A, B`; the flag is true for descending.
    Sort {
        /// How many are kept.
        limit: Option<u64>,
        /// By what.
        by: Vec<(Expr, bool)>,
    },
    /// `dedup A, B`.
    Dedup(Vec<Name>),
    /// `mvexpand A`, `expand A`, `flatten A`.
    Unfold {
        /// The field.
        field: Name,
        /// Whether each element becomes a row.
        rows: bool,
        /// Whether members become fields.
        members: bool,
    },
    /// `fillnull value=V A, B`.
    FillNull {
        /// What instead of null.
        value: Expr,
        /// Which; empty: all.
        names: Vec<Name>,
    },
    /// `bin span=S A as B`.
    Bin {
        /// The width.
        span: Expr,
        /// What is cut into bins.
        field: Name,
        /// What the result is called.
        output: Name,
    },
    /// One of the streaming models, with its options.
    Model {
        /// Which.
        name: Name,
        /// `input_columns=["a", "b"]` …
        options: Vec<(Name, Expr)>,
    },
    /// `--name--`.
    Placeholder(Name),
    /// A command that the reference knows but the engine does not run.
    Unsupported(Name),
}

/// `stats AGGREGATE, … by KEY, …, span(TIME, SIZE, SLIDE)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stats {
    /// The aggregates.
    pub(crate) aggregates: Vec<Aggregation>,
    /// The keys.
    pub(crate) keys: Vec<(Expr, Name)>,
    /// The window.
    pub(crate) span: Option<SpanClause>,
}

/// `count(f) as n`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Aggregation {
    /// The function.
    pub(crate) function: Name,
    /// Its argument.
    pub(crate) argument: Option<Expr>,
    /// What the result is called.
    pub(crate) output: Name,
}

/// `span(TIME, SIZE[, SLIDE[, GRACE]])`, in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SpanClause {
    /// The time.
    pub(crate) time: Expr,
    /// How long a window is.
    pub(crate) size: u64,
    /// How far apart windows begin.
    pub(crate) slide: Option<u64>,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expr {
    /// What it is.
    pub(crate) kind: ExprKind,
    /// All of it.
    pub(crate) span: Span,
    /// How deep it is; what walks it may recurse so far.
    pub(crate) height: u16,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ExprKind {
    /// `null`.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A length of time, in milliseconds.
    Duration(u64),
    /// Text.
    Text(Arc<str>),
    /// `"… ${…} …"`.
    Template(Vec<Expr>),
    /// `/…/`.
    Regex(Arc<str>),
    /// A field.
    Name(Arc<str>),
    /// `a.b`.
    Member(Box<Expr>, Arc<str>),
    /// `a[0]`.
    Index(Box<Expr>, Box<Expr>),
    /// `f(x, name: y)`.
    Call(Name, Vec<Argument>),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{"k": v}`.
    Object(Vec<(Name, Expr)>),
    /// `-a`.
    Negate(Box<Expr>),
    /// `not a`.
    Not(Box<Expr>),
    /// `a and b and c`.
    And(Vec<Expr>),
    /// `a or b or c`.
    Or(Vec<Expr>),
    /// `a xor b`.
    Xor(Box<Expr>, Box<Expr>),
    /// `a = b`, `a + b` …
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `a like b`.
    Like(Box<Expr>, Box<Expr>),
    /// `a in (b, c)`.
    In(Box<Expr>, Vec<Expr>),
    /// `a between b and c`.
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    /// `a is null`.
    IsNull(Box<Expr>),
    /// `a is string`.
    IsType(Box<Expr>, Name),
}

/// An argument, perhaps with its name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Argument {
    /// The name before `:`.
    pub(crate) name: Option<Name>,
    /// The value.
    pub(crate) value: Expr,
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `=` or `==`.
    Equal,
    /// `!=` or `<>`.
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

impl Expr {
    /// An expression; its height is one more than its parts'.
    pub(crate) fn new(kind: ExprKind, span: Span) -> Self {
        let mut height = 0;
        kind.parts(&mut |part| height = height.max(part.height));
        Self { kind, span, height: height.saturating_add(1) }
    }

    /// The number, if it is a literal whole number.
    pub(crate) fn as_integer(&self) -> Option<i64> {
        match &self.kind {
            ExprKind::Integer(number) => Some(*number),
            ExprKind::Negate(inner) => inner.as_integer().and_then(i64::checked_neg),
            _ => None,
        }
    }

    /// The text, if it is a literal text.
    pub(crate) fn as_text(&self) -> Option<&Arc<str>> {
        match &self.kind {
            ExprKind::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl ExprKind {
    /// The expressions right below.
    fn parts(&self, visit: &mut dyn FnMut(&Expr)) {
        match self {
            Self::Template(parts) | Self::List(parts) | Self::And(parts) | Self::Or(parts) => {
                parts.iter().for_each(visit);
            }
            Self::Member(a, _) | Self::Negate(a) | Self::Not(a) | Self::IsNull(a) | Self::IsType(a, _) => visit(a),
            Self::Index(a, b) | Self::Xor(a, b) | Self::Binary(_, a, b) | Self::Like(a, b) => {
                visit(a);
                visit(b);
            }
            Self::Between(a, b, c) => {
                visit(a);
                visit(b);
                visit(c);
            }
            Self::In(a, list) => {
                visit(a);
                list.iter().for_each(visit);
            }
            Self::Call(_, arguments) => arguments.iter().for_each(|argument| visit(&argument.value)),
            Self::Object(members) => members.iter().for_each(|(_, value)| visit(value)),
            Self::Null
            | Self::Bool(_)
            | Self::Integer(_)
            | Self::Float(_)
            | Self::Duration(_)
            | Self::Text(_)
            | Self::Regex(_)
            | Self::Name(_) => {}
        }
    }
}
