//! What a search says, as read; nothing here knows what it means.

use std::sync::Arc;

use lurcher_diagnostics::Span;

/// A name or a text, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) text: Arc<str>,
    pub(super) span: Span,
    /// Whether it stands in double quotes.
    pub(super) quoted: bool,
}

impl Name {
    /// Whether it is this word, in any case and without quotes.
    pub(super) fn is(&self, word: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(word)
    }
}

/// Commands in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pipeline {
    pub(super) commands: Vec<Command>,
    pub(super) span: Span,
}

/// One command.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    pub(super) name: Name,
    pub(super) kind: CommandKind,
    pub(super) span: Span,
}

/// `name=value` behind a command.
pub(super) type Settings = Vec<(Name, Name)>;

/// What a command does.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum CommandKind {
    Search(Term),
    Where(Expr),
    Eval(Vec<(Name, Expr)>),
    Stats(Stats),
    Eventstats(Stats),
    Streamstats(Stats),
    Tstats(Box<Tstats>),
    Chart(Box<Chart>),
    Top(Top),
    Table(Vec<Name>),
    Fields {
        remove: bool,
        names: Vec<Name>,
    },
    Rename(Vec<(Name, Name)>),
    Rex(Rex),
    Regex {
        field: Option<Name>,
        negated: bool,
        pattern: Name,
    },
    Spath {
        input: Option<Name>,
        output: Option<Name>,
        path: Option<Name>,
    },
    Xmlkv(Option<Name>),
    Extract(Settings),
    Bin {
        field: Name,
        alias: Option<Name>,
        settings: Settings,
    },
    Dedup {
        count: u64,
        fields: Vec<Name>,
        settings: Settings,
        sort: Vec<SortKey>,
    },
    Sort {
        limit: Option<u64>,
        keys: Vec<SortKey>,
    },
    Head {
        count: Option<u64>,
        condition: Option<Expr>,
        settings: Settings,
    },
    Tail(u64),
    Reverse,
    Fillnull {
        value: Option<Name>,
        fields: Vec<Name>,
    },
    Filldown(Vec<Name>),
    Convert {
        settings: Settings,
        conversions: Vec<Conversion>,
    },
    Fieldformat(Name, Expr),
    Makemv {
        field: Name,
        settings: Settings,
    },
    Mvexpand {
        field: Name,
        settings: Settings,
    },
    Mvcombine {
        field: Name,
        settings: Settings,
    },
    Nomv(Name),
    Join {
        settings: Settings,
        fields: Vec<Name>,
        search: Pipeline,
    },
    Append(Pipeline),
    Appendcols {
        settings: Settings,
        search: Pipeline,
    },
    Appendpipe(Pipeline),
    Union(Vec<Pipeline>),
    Lookup(LookupCommand),
    Inputlookup {
        name: Name,
        settings: Settings,
        filter: Option<Term>,
    },
    Outputlookup {
        name: Name,
        settings: Settings,
    },
    Iplocation {
        field: Name,
        settings: Settings,
    },
    /// `apply` of the machine-learning toolkit.
    Apply {
        model: Name,
        alias: Option<Name>,
        settings: Settings,
    },
    Transaction {
        fields: Vec<Name>,
        settings: Settings,
        starts: Option<Condition>,
        ends: Option<Condition>,
    },
    Foreach {
        fields: Vec<Name>,
        settings: Settings,
        template: Name,
    },
    Map {
        search: Option<Name>,
        settings: Settings,
    },
    Addtotals {
        settings: Settings,
        fields: Vec<Name>,
    },
    Addinfo,
    Replace {
        pairs: Vec<(Name, Name)>,
        fields: Vec<Name>,
    },
    From(Name),
    Datamodel {
        model: Option<Name>,
        object: Option<Name>,
        mode: Option<Name>,
    },
    Makeresults(Settings),
    Format {
        settings: Settings,
        /// What stands before, between and behind rows and columns: six, or none.
        words: Vec<Name>,
    },
    Multikv {
        settings: Settings,
        fields: Vec<Name>,
        filter: Vec<Name>,
    },
    Return {
        count: Option<u64>,
        fields: Vec<ReturnField>,
    },
    Fromjson {
        field: Name,
        settings: Settings,
    },
    /// `accum`, `delta`, `autoregress`.
    Series {
        field: Name,
        alias: Option<Name>,
        settings: Settings,
    },
    Trendline(Vec<Trend>),
    /// `set`.
    Set {
        operation: Name,
        searches: Box<[Pipeline; 2]>,
    },
    /// A command that takes fields and options only.
    Plain {
        fields: Vec<Name>,
        settings: Settings,
    },
    /// Known, and without a say in what is found: `noop`, `collect`, `sendalert` …
    Nothing,
    /// Known, and not run.
    NotRun,
}

/// A field that `return` hands on.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ReturnField {
    /// `field`: `field="value"`.
    Named(Name),
    /// `$field`: the value alone.
    Value(Name),
    /// `alias=field`.
    Alias(Name, Name),
}

/// A term of the `search` command's language.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    /// Everything: `*`, or nothing said.
    All,
    And(Vec<Term>),
    Or(Vec<Term>),
    Not(Box<Term>),
    Compare {
        field: Name,
        operator: Operator,
        value: Name,
    },
    In {
        field: Name,
        values: Vec<Name>,
    },
    /// A word or phrase anywhere in the event.
    Phrase(Name),
    /// `CASE(x)` and `TERM(x)`, the former with case.
    Token {
        text: Name,
        case_sensitive: bool,
    },
    /// `[ … ]`.
    Search(Pipeline),
    /// `field=[ … ]` and `field IN [ … ]`: the values that the search returns.
    Values {
        field: Name,
        negated: bool,
        search: Pipeline,
    },
}

/// A comparison or calculation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Concatenate,
}

/// An expression of `eval` and `where`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expr {
    pub(super) kind: ExprKind,
    pub(super) span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum ExprKind {
    Integer(i64),
    Float(f64),
    Text(Arc<str>),
    /// A field.
    Field(Arc<str>),
    Call(Name, Vec<Expr>),
    Negate(Box<Expr>),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Xor(Box<Expr>, Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Like(Box<Expr>, Box<Expr>),
    In(Box<Expr>, Vec<Expr>),
}

/// Aggregates and groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stats {
    pub(super) settings: Settings,
    pub(super) aggregates: Vec<Aggregation>,
    pub(super) by: Vec<Name>,
    /// `span=` behind `by _time`.
    pub(super) span: Option<Name>,
}

/// One aggregate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Aggregation {
    pub(super) function: Name,
    pub(super) argument: Option<Argument>,
    pub(super) output: Option<Name>,
    pub(super) span: Span,
}

/// What is aggregated.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Argument {
    /// A field; `*` in it stands for several.
    Field(Name),
    /// `eval(…)`.
    Expression(Expr),
}

/// `tstats` and `mstats`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tstats {
    pub(super) stats: Stats,
    pub(super) model: Option<Name>,
    pub(super) filter: Option<Term>,
    pub(super) metrics: bool,
}

/// `chart` and `timechart`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chart {
    pub(super) stats: Stats,
    /// `over`, or `_time`.
    pub(super) over: Option<Name>,
    pub(super) time: bool,
}

/// `top` and `rare`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Top {
    pub(super) rare: bool,
    pub(super) limit: Option<u64>,
    pub(super) fields: Vec<Name>,
    pub(super) by: Vec<Name>,
    pub(super) settings: Settings,
}

/// `rex`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rex {
    pub(super) field: Option<Name>,
    pub(super) pattern: Name,
    pub(super) max_match: u64,
    pub(super) sed: bool,
    pub(super) offset_field: Option<Name>,
}

/// A field to sort by.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SortKey {
    pub(super) field: Name,
    pub(super) descending: bool,
    /// `num`, `str`, `ip`, `auto`.
    pub(super) order: Option<Name>,
}

/// `ctime(field) AS alias`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Conversion {
    pub(super) function: Name,
    pub(super) field: Name,
    pub(super) alias: Option<Name>,
}

/// `lookup`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LookupCommand {
    pub(super) name: Name,
    /// The table's column and the row's field.
    pub(super) keys: Vec<(Name, Name)>,
    /// `OUTPUT` or `OUTPUTNEW` (true), the table's columns and the row's fields; `None`: all others.
    pub(super) outputs: Option<(bool, Vec<(Name, Name)>)>,
}

/// `sma5(field) AS alias`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trend {
    pub(super) function: Name,
    pub(super) field: Name,
    pub(super) alias: Option<Name>,
}

/// What begins or ends a transaction.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Search(Term),
    Eval(Expr),
}
