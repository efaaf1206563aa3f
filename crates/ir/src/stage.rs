//! The stages of a pipeline.
//!
//! # The order of rows
//!
//! Rows stand in an order at every point: at first that of (time, tiebreaker, event), rows without a time before all
//! others; after a [`Stage::Sort`], [`Stage::Reverse`] or [`Stage::Transaction`] the one that it made, after an
//! aggregation that of its keys. Stages of one row at a time keep it. A bag union of branches is in order of (place after
//! a sort, time …) over all of them; [`Stage::Append`] puts rows behind others instead. So no result depends on how
//! events are spread over files, batches and threads.
//!
//! # Events behind rows
//!
//! A row that is made of several (an aggregate, a join, a kept duplicate) remembers the events of all of them. A row keeps
//! *its own* event, the one whose fields [`Expr::Field`] reads, until an aggregation, pivot or transaction makes a new
//! row; a join keeps that of the left row.

use std::{sync::Arc, time::Duration};

use lurcher_schema::{Taxonomy, Value};

use crate::{
    AggregateColumn, AggregateEach, Case, Expr, Format, GroupBy, Locate, Moment, Recognize, Repeat, Selected, TextTable,
};

/// One stage of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Keeps the rows for which it is true (not false, not null).
    Where(Expr),
    /// Sets columns, left to right; later ones see earlier ones.
    Eval(Vec<(Arc<str>, Expr)>),
    /// Replaces the row by these columns; all see the old row.
    Project(Vec<(Arc<str>, Expr)>),
    /// Makes every field that the row's own event has in a taxonomy a column under its full dotted name, behind those
    /// that there are; a column of that name stays as it is.
    Fields(Taxonomy),
    /// Sets columns for each column that fits a pattern.
    ForEachColumn(ForEachColumn),
    /// Keeps only these columns, in this order, where they exist. A pattern stands for the columns that fit it and that no
    /// exact name in the list names, in the row's order; of two patterns that fit a column the first counts.
    Keep(Vec<ColumnPattern>),
    /// Drops these columns.
    Drop(Vec<ColumnPattern>),
    /// Renames columns, one pair after the other, replacing those that bear the new name. A pair of patterns renames every
    /// column that fits the first; each `*` of the second is what the `*` of the first stands for.
    Rename(Vec<(ColumnPattern, ColumnPattern)>),
    /// Aggregates in windows of event time.
    Window(Window),
    /// Aggregates by keys.
    Aggregate(Aggregation),
    /// Aggregates by keys and sets the aggregates of its group in every row; the rows stay. Of the window of the aggregation
    /// nothing is used. The keys become columns, too. A row that belongs to no group, or that has a list key of several
    /// values where each is a key, gets null.
    Inline(Aggregation),
    /// Aggregates over the rows so far and sets the result in every row, in the order of rows.
    Running(Running),
    /// Adds a judgement from what came before. In order of (time, tiebreaker, event).
    Anomaly(Anomaly),
    /// Keeps the first so many rows.
    Head(u64),
    /// Keeps the last so many rows, in their order.
    Tail(u64),
    /// Turns the order of rows around.
    Reverse,
    /// Sorts by these, the first first; rows that are equal keep their order.
    Sort(Vec<SortKey>),
    /// Drops duplicates.
    Dedup(Dedup),
    /// One row for each element of a column's list; a row whose column is null or empty stays as it is.
    Expand(Expand),
    /// Rows that are equal in all columns but this become one, at the place of the first; the column holds the list of
    /// its values, in the order of rows, lists flattened (a lone value as itself, nothing as null).
    Collapse(Arc<str>),
    /// Sets these columns to a value where they are null or absent. A pattern means the columns that fit it and that any
    /// row has.
    FillNull {
        /// Which columns.
        columns: Vec<ColumnPattern>,
        /// With what.
        value: Value,
    },
    /// Sets these columns, where they are null or absent, to what they are in the row before.
    FillDown(Vec<ColumnPattern>),
    /// Joins each row with those of an earlier branch that have the same keys.
    Join(Join),
    /// Keeps rows by whether they fit one of an earlier branch's.
    Semi(Semi),
    /// Puts the rows of an earlier branch behind all others.
    Append(usize),
    /// Adds to the n-th row the columns of the n-th row of an earlier branch, until either runs out.
    AppendColumns {
        /// Which branch.
        branch: usize,
        /// Columns of the same name are replaced rather than kept.
        overwrite: bool,
    },
    /// Adds columns from the rows of a table that fit.
    Lookup(Lookup),
    /// Adds what a model says.
    Judge(Judge),
    /// Makes columns of the values of one.
    Pivot(Pivot),
    /// Makes rows of columns: one for each column that is not kept and not null, with the kept ones, `name` set to its name
    /// and `value` to its value.
    Unpivot {
        /// The columns that every new row has.
        keep: Vec<Arc<str>>,
        /// The column of names.
        name: Arc<str>,
        /// The column of values.
        value: Arc<str>,
    },
    /// Groups rows that belong together in time.
    Transaction(Transaction),
    /// Asks a language model about each row.
    Complete(Completion),
    /// Says which time the run looks at, and when it runs.
    Moment(Moment),
    /// Makes one row of all: the terms that say that a row is like one of them.
    Format(Format),
    /// Keeps the rows for which a condition is true that an earlier branch writes.
    Selected(Selected),
    /// For each row runs a query with the row's values in it.
    Repeat(Repeat),
    /// Makes rows of the lines of a table in a text.
    TextTable(TextTable),
    /// Says where addresses lie.
    Locate(Locate),
    /// Says which programs give themselves a name.
    Recognize(Recognize),
}

/// Columns by name or by pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ColumnPattern {
    /// The column of exactly this name.
    Named(Arc<str>),
    /// The columns whose whole name this fits: `*` stands for any text, everything else for itself.
    Like(Arc<str>),
}

impl ColumnPattern {
    /// What the `*`s of the pattern stand for in a name (each as short as can be); none if it does not fit.
    pub fn fits<'n>(&self, name: &'n str) -> Option<Vec<&'n str>> {
        let pattern = match self {
            Self::Named(own) => return (own.as_ref() == name).then(Vec::new),
            Self::Like(pattern) => pattern,
        };
        let mut pieces = pattern.split('*');
        let mut rest = name.strip_prefix(pieces.next().unwrap_or_default())?;
        let mut pieces: Vec<&str> = pieces.collect();
        let Some(last) = pieces.pop() else { return rest.is_empty().then(Vec::new) };
        let mut found = Vec::new();
        for piece in pieces {
            let at = rest.find(piece)?;
            found.push(rest.get(..at)?);
            rest = rest.get(at + piece.len()..)?;
        }
        found.push(rest.strip_suffix(last)?);
        Some(found)
    }

    /// The name that this makes of what the `*`s of another pattern stand for; a `*` beyond those stands for nothing.
    pub fn fill(&self, found: &[&str]) -> Arc<str> {
        match self {
            Self::Named(name) => Arc::clone(name),
            Self::Like(pattern) => {
                let mut found = found.iter();
                let mut pieces = pattern.split('*');
                let mut name = pieces.next().unwrap_or_default().to_owned();
                for piece in pieces {
                    name.push_str(found.next().copied().unwrap_or_default());
                    name.push_str(piece);
                }
                name.into()
            }
        }
    }

    /// A pattern if there is a `*` in the text, else a name.
    pub fn parse(text: &str) -> Self {
        if text.contains('*') { Self::Like(text.into()) } else { Self::Named(text.into()) }
    }
}

impl From<&str> for ColumnPattern {
    /// The column of exactly this name.
    fn from(name: &str) -> Self {
        Self::Named(name.into())
    }
}

impl From<Arc<str>> for ColumnPattern {
    fn from(name: Arc<str>) -> Self {
        Self::Named(name)
    }
}

/// Sets columns for each column that fits a pattern, one after the other; later ones see what earlier ones set.
///
/// What is read under a name that is made of the present column's stands in a column of its own, and so does a text that
/// is made of it: expressions read these like any others. They are gone when the stage ends.
#[derive(Clone, Debug, PartialEq)]
pub struct ForEachColumn {
    /// For which columns, as the row has them when the stage begins: those of the first pattern in the order of their names,
    /// then those of the next that have not been taken.
    pub columns: Vec<ColumnPattern>,
    /// Columns that hold a text.
    pub texts: Vec<(Arc<str>, MadeName)>,
    /// Columns that hold what the column of a name holds at the moment when they are read.
    pub reads: Vec<(Arc<str>, MadeName)>,
    /// What is set, left to right.
    pub sets: Vec<(MadeName, Expr)>,
}

/// A text that is made of a column's name and of what the `*`s of a pattern stand for in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MadeName(pub Vec<NamePiece>);

/// A piece of a [`MadeName`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NamePiece {
    /// This text.
    Text(Arc<str>),
    /// The column's whole name.
    Whole,
    /// What all `*`s stand for, one behind the other.
    Matched,
    /// What one `*` stands for, counted from 0; nothing if there are fewer.
    Segment(usize),
}

impl MadeName {
    /// The text for a column and what the `*`s stand for in its name.
    pub fn fill(&self, name: &str, found: &[&str]) -> Arc<str> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                NamePiece::Text(own) => text.push_str(own),
                NamePiece::Whole => text.push_str(name),
                NamePiece::Matched => found.iter().for_each(|segment| text.push_str(segment)),
                NamePiece::Segment(number) => text.push_str(found.get(*number).copied().unwrap_or_default()),
            }
        }
        text.into()
    }

    /// The text, if it is the same for every column.
    pub fn constant(&self) -> Option<Arc<str>> {
        let constant = self.0.iter().all(|piece| matches!(piece, NamePiece::Text(_)));
        constant.then(|| self.fill("", &[]))
    }
}

/// What rows are sorted by.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    /// The value: numbers by size before texts byte by byte; then booleans, lists and objects by their text forms.
    pub expr: Expr,
    /// Greatest first.
    pub descending: bool,
    /// Nulls before all others rather than behind them, whatever the direction.
    pub nulls_first: bool,
    /// A text that reads as a number counts as that number.
    pub loose: bool,
}

impl SortKey {
    /// Nulls last, texts as texts.
    pub fn new(expr: Expr, descending: bool) -> Self {
        Self { expr, descending, nulls_first: false, loose: false }
    }
}

/// Drops duplicates. The row that stays remembers the events of those that go.
#[derive(Clone, Debug, PartialEq)]
pub struct Dedup {
    /// Rows are the same if all of these are. Null is a value like any other.
    pub keys: Vec<Expr>,
    /// How many of the same rows stay, the first ones; the events of the others go to the last that stays.
    pub keep: u64,
    /// Only rows that follow each other count as the same.
    pub consecutive: bool,
}

impl Dedup {
    /// Keeps the first row for each tuple of these.
    pub fn first(keys: impl IntoIterator<Item = Expr>) -> Self {
        Self { keys: keys.into_iter().collect(), keep: 1, consecutive: false }
    }
}

/// One row for each element of a column's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expand {
    /// The column.
    pub column: Arc<str>,
    /// Only the first so many elements.
    pub limit: Option<u64>,
}

impl Expand {
    /// One row for each element.
    pub fn all(column: impl Into<Arc<str>>) -> Self {
        Self { column: column.into(), limit: None }
    }
}

/// Aggregation by keys and windows of event time. A row whose time is null is dropped. The result has only the keys,
/// the aggregates, and `window_start` and `window_end` in the unit of the time column. No rows yield no groups.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The keys, with the names of their columns. Null is a key like any other.
    pub keys: Vec<(Arc<str>, Expr)>,
    /// The aggregates.
    pub aggregates: Vec<AggregateColumn>,
    /// The time, in milliseconds since 1970, and the window; `None`: one window over everything.
    pub span: Option<WindowSpan>,
}

/// The time axis of a [`Window`].
#[derive(Clone, Debug, PartialEq)]
pub struct WindowSpan {
    /// The time, in milliseconds since 1970.
    pub time: Expr,
    /// How long a window is.
    pub size: Duration,
    /// How far apart windows begin; they are aligned to multiples of it since 1970. Equal to the size: tumbling.
    pub slide: Duration,
}

/// Aggregation by keys. The result has only the keys and the aggregates, keys first, and is in the order of keys (nulls
/// last, numbers by size before texts byte by byte). Without keys no rows yield one row: the aggregates of none. With keys
/// no rows yield none.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregation {
    /// What is grouped by.
    pub by: GroupBy,
    /// The aggregates.
    pub aggregates: Vec<AggregateColumn>,
    /// Aggregates over all columns that fit; behind the others.
    pub each: Vec<AggregateEach>,
}

impl Aggregation {
    /// Every expression in it.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        let keys = self.by.keys.iter().map(|(_, key)| key);
        keys.chain(self.aggregates.iter().flat_map(AggregateColumn::expressions))
    }
}

/// Aggregates over the rows so far, in the order of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Running {
    /// Each group runs on its own. Rows that belong to no group get null and count nowhere. A list key is one key.
    pub by: GroupBy,
    /// The aggregates.
    pub aggregates: Vec<AggregateColumn>,
    /// Only the last so many rows count, the present one included if it counts at all; `None`: all.
    pub window: Option<u64>,
    /// Whether `window` counts the rows of all groups together rather than those of the group.
    pub global: bool,
    /// Only rows within so long a time of the present one count (both ends included): the time, in milliseconds since
    /// 1970, and how long. Rows without a time count nowhere.
    pub span: Option<(Expr, Duration)>,
    /// Whether the present row counts.
    pub current: bool,
    /// Everything is forgotten before a row for which this is true.
    pub reset_before: Option<Expr>,
    /// Everything is forgotten after a row for which this is true; what was set in that row may be asked for.
    pub reset_after: Option<Expr>,
    /// Everything is forgotten whenever the keys differ from those of the row before.
    pub reset_on_change: bool,
}

/// A join. Keys are compared by their text forms, a list by each of its values; null and empty lists equal nothing. Rows
/// stand in the order of left rows, then of right rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// The earlier branch whose rows are the right ones.
    pub branch: usize,
    /// What becomes of rows without a partner.
    pub kind: JoinKind,
    /// The keys, at least one: over the left row and over the right row.
    pub keys: Vec<(Expr, Expr)>,
    /// At most so many right rows for each left one, the first ones; `None`: all.
    pub most: Option<u64>,
    /// Right columns replace left ones of the same name (where they are not null) rather than only filling in what the left
    /// row has not or has as null.
    pub overwrite: bool,
}

/// What becomes of rows without a partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// They are dropped.
    Inner,
    /// Left ones stay.
    Left,
    /// Left and right ones stay, the right ones behind all others.
    Full,
}

/// Keeps rows by whether they fit one of an earlier branch's: the filter that a nested query makes.
///
/// A row fits another if for every column that the other has and that is not null it has an equal value in the expression
/// that stands for it (if one of several values is equal, that will do). A row with nothing but nulls fits nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Semi {
    /// The earlier branch.
    pub branch: usize,
    /// Its columns, and what they are compared with. Values are equal if their text forms are; null equals nothing.
    pub columns: Vec<(Arc<str>, Expr)>,
    /// How texts are compared.
    pub case: Case,
    /// A `*` in the branch's value stands for any text.
    pub wildcards: bool,
    /// Keeps the rows that fit none instead.
    pub negated: bool,
}

/// Adds columns from the rows of a table that fit. A row of the table fits if all keys do; keys that are null or an empty
/// list fit nothing, and of a list one value must fit. Rows fit in the order of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// The name of the table. A run without it says so, and the pipeline yields nothing.
    pub table: Arc<str>,
    /// None: every row of the table fits.
    pub keys: Vec<LookupKey>,
    /// What must be true besides, of the row with what is added of one row of the table laid over.
    pub condition: Option<Expr>,
    /// What is added; `None`: every column of the table that is no key, under its own name.
    pub outputs: Option<Vec<LookupOutput>>,
    /// At most so many rows of the table for each row, the first ones.
    pub most: u64,
    /// What is made of several.
    pub rows: LookupRows,
    /// Outputs replace columns of the same name (with null if nothing fits) rather than only filling in what is null.
    pub overwrite: bool,
    /// Where fewer rows fit, `default` stands for each that lacks.
    pub least: u64,
    /// What an output is in the place of a row that lacks; `None`: nothing.
    pub default: Option<Value>,
}

/// A key of a [`Lookup`].
#[derive(Clone, Debug, PartialEq)]
pub struct LookupKey {
    /// The table's column.
    pub column: Arc<str>,
    /// What is looked up; compared by its text form.
    pub value: Expr,
    /// How.
    pub matching: LookupMatch,
}

/// How a looked-up value is compared with a table's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LookupMatch {
    /// They are equal.
    Equal(Case),
    /// The table holds patterns in which `*` stands for any text.
    Wildcard(Case),
    /// The table holds IP addresses or blocks (`10.0.0.0/8`).
    Network,
}

/// A column that a [`Lookup`] adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupOutput {
    /// The table's column.
    pub column: Arc<str>,
    /// Its name in the row.
    pub name: Arc<str>,
}

/// What is made of several rows of a table that fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LookupRows {
    /// One row with the list of their values (nulls skipped, a lone value as itself).
    List,
    /// A row for each.
    Each,
}

/// Adds columns that a model makes of others ([`crate::Model`]). Where an input is no number (a text that reads as one is), or
/// where the model cannot be computed, they are null.
#[derive(Clone, Debug, PartialEq)]
pub struct Judge {
    /// The name of the model. A run without it says so, and the pipeline yields nothing.
    pub model: Arc<str>,
    /// What it judges by, in its order.
    pub inputs: Vec<Expr>,
    /// The columns for what it says, in its order.
    pub outputs: Vec<Arc<str>>,
}

/// Makes columns of the values of one: rows with the same keys become one row, in the order of their first.
#[derive(Clone, Debug, PartialEq)]
pub struct Pivot {
    /// The columns that stay.
    pub keys: Vec<Arc<str>>,
    /// The column whose values become columns, in the order of [`crate::CollectOrder::Value`].
    pub names: Arc<str>,
    /// The columns whose values go there; of several rows for one place the last counts. With one the new column has the
    /// value as its name; with several `value: name` with `separator` between the column's name and the value.
    pub values: Vec<Arc<str>>,
    /// See `values`.
    pub separator: Arc<str>,
    /// The name for null; `None`: rows with null there go nowhere.
    pub null: Option<Arc<str>>,
    /// Only so many columns, those whose values have the greatest sum over all rows.
    pub most: Option<u64>,
    /// The sums of the other columns, under this name; `None`: they are dropped.
    pub other: Option<Arc<str>>,
    /// What stands where there is no row for a place.
    pub missing: Value,
}

/// Groups rows that belong together in time. Rows are looked at from the last to the first in time; rows without a time
/// belong nowhere. The result is in order of the first row's time, earliest first.
///
/// For each tuple of keys there is at most one open group. A row opens a new one (and gives up the open one) if it fits
/// `ends`, or if the open one cannot take it by `max_span`, `max_pause` or `max_events` (which completes the open one);
/// without an open one it opens one unless `ends` is given. A row that fits `starts` completes its group. A group that is
/// given up, or open at the end, counts as complete unless `starts` is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Transaction {
    /// The keys, with the names of their columns. A row in which all are null belongs nowhere; a null in some keys is
    /// equal to any value.
    pub keys: Vec<(Arc<str>, Expr)>,
    /// The time in milliseconds since 1970; `None`: that of the row.
    pub time: Option<Expr>,
    /// The first row.
    pub starts: Option<Expr>,
    /// The last row.
    pub ends: Option<Expr>,
    /// The longest time from first to last row.
    pub max_span: Option<Duration>,
    /// The longest time from one row to the next.
    pub max_pause: Option<Duration>,
    /// The most rows.
    pub max_events: Option<u64>,
    /// Groups that are not complete stay.
    pub keep_incomplete: bool,
    /// Columns hold all values in order of time rather than the distinct ones sorted as text; a lone value as itself.
    pub lists: bool,
    /// The column that is set to the seconds from first to last row.
    pub duration: Arc<str>,
    /// The column that is set to the number of rows.
    pub count: Arc<str>,
    /// The column that is set to 1 if the group is complete, else 0.
    pub complete: Arc<str>,
}

/// A question to a language model about each row. An endpoint that answers only so many rows sees the first ones; the
/// others are dropped, and so it is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The column that is set to the answer: a text; null where nothing was asked or no answer came.
    pub column: Arc<str>,
    /// What is asked: a text. Of null and of nothing but blanks nothing is asked.
    pub prompt: Expr,
    /// The name of the inference endpoint that is asked.
    pub endpoint: Arc<str>,
}

/// How a row is judged by the rows before it.
#[derive(Clone, Debug, PartialEq)]
pub enum Anomaly {
    /// Sets `output` to whether this tuple has never been seen by this rule. Null is a value like any other.
    FirstSeen {
        /// The tuple.
        inputs: Vec<Expr>,
        /// The boolean column that is set.
        output: Arc<str>,
    },
    /// Sets `quantile` to the share of the entity's earlier values (within the window) that are not greater, and
    /// `label` to whether that lies outside `[threshold, 1 - threshold]`.
    Quantile {
        /// The number that is judged.
        value: Expr,
        /// Whose history it is judged by.
        entity: Expr,
        /// The event's time, in milliseconds since 1970.
        time: Expr,
        /// How far back history counts, in milliseconds; `None`: all of it.
        window: Option<i64>,
        /// The share at each end that counts as an outlier.
        threshold: f64,
    },
    /// Sets `mean` and `stddev` of the entity's earlier values and `label` to whether the value is more than
    /// `threshold` standard deviations away.
    Gaussian {
        /// The number that is judged.
        value: Expr,
        /// Whose history it is judged by.
        entity: Expr,
        /// The event's time, in milliseconds since 1970.
        time: Expr,
        /// How far back history counts, in milliseconds; `None`: all of it.
        window: Option<i64>,
        /// How many standard deviations.
        threshold: f64,
    },
    /// Sets `output` to the share of rows so far, this one included, with this condition that also have this target.
    Conditional {
        /// The condition.
        condition: Expr,
        /// The target.
        target: Expr,
        /// The column that is set.
        output: Arc<str>,
    },
}

impl Stage {
    /// Every expression of the stage. Those of a join's right side are over another branch's rows.
    pub fn expressions(&self) -> Vec<&Expr> {
        fn second<T>(pairs: &[(T, Expr)]) -> impl Iterator<Item = &Expr> {
            pairs.iter().map(|(_, expr)| expr)
        }
        match self {
            Self::Where(condition) => vec![condition],
            Self::Eval(sets) | Self::Project(sets) => second(sets).collect(),
            Self::ForEachColumn(each) => second(&each.sets).collect(),
            Self::Window(window) => {
                let aggregates = window.aggregates.iter().flat_map(AggregateColumn::expressions);
                second(&window.keys).chain(aggregates).chain(window.span.iter().map(|span| &span.time)).collect()
            }
            Self::Aggregate(aggregation) | Self::Inline(aggregation) => aggregation.expressions().collect(),
            Self::Running(running) => {
                let aggregates = running.aggregates.iter().flat_map(AggregateColumn::expressions);
                let resets = running.reset_before.iter().chain(&running.reset_after);
                let span = running.span.iter().map(|(time, _)| time);
                second(&running.by.keys).chain(aggregates).chain(resets).chain(span).collect()
            }
            Self::Anomaly(anomaly) => match anomaly {
                Anomaly::FirstSeen { inputs, .. } => inputs.iter().collect(),
                Anomaly::Quantile { value, entity, time, .. } | Anomaly::Gaussian { value, entity, time, .. } => {
                    vec![value, entity, time]
                }
                Anomaly::Conditional { condition, target, .. } => vec![condition, target],
            },
            Self::Sort(keys) => keys.iter().map(|key| &key.expr).collect(),
            Self::Dedup(dedup) => dedup.keys.iter().collect(),
            Self::Join(join) => join.keys.iter().flat_map(|(left, right)| [left, right]).collect(),
            Self::Semi(semi) => second(&semi.columns).collect(),
            Self::Lookup(lookup) => lookup.keys.iter().map(|key| &key.value).chain(&lookup.condition).collect(),
            Self::Complete(completion) => vec![&completion.prompt],
            Self::Judge(judge) => judge.inputs.iter().collect(),
            Self::Transaction(transaction) => {
                let ends = transaction.starts.iter().chain(&transaction.ends);
                second(&transaction.keys).chain(&transaction.time).chain(ends).collect()
            }
            Self::TextTable(table) => vec![&table.text],
            Self::Locate(locate) => vec![&locate.address],
            Self::Recognize(recognize) => vec![&recognize.text],
            Self::Fields(_)
            | Self::Moment(_)
            | Self::Format(_)
            | Self::Selected(_)
            | Self::Repeat(_)
            | Self::Keep(_)
            | Self::Drop(_)
            | Self::Rename(_)
            | Self::Head(_)
            | Self::Tail(_)
            | Self::Reverse
            | Self::Expand(_)
            | Self::Collapse(_)
            | Self::FillNull { .. }
            | Self::FillDown(_)
            | Self::Append(_)
            | Self::AppendColumns { .. }
            | Self::Pivot(_)
            | Self::Unpivot { .. } => Vec::new(),
        }
    }

    /// The earlier branch whose rows the stage takes beside its own.
    pub fn reads_branch(&self) -> Option<usize> {
        match self {
            Self::Join(Join { branch, .. })
            | Self::Semi(Semi { branch, .. })
            | Self::Append(branch)
            | Self::Selected(Selected { branch, .. })
            | Self::AppendColumns { branch, .. } => Some(*branch),
            Self::Repeat(repeat) => repeat.events,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names_and_carry_over_what_they_stand_for() {
        let rename = |from: &str, to: &str, name: &str| {
            let found = ColumnPattern::parse(from).fits(name)?;
            Some(ColumnPattern::parse(to).fill(&found).to_string())
        };
        assert_eq!(rename("All.*", "*", "All.dest.ip").as_deref(), Some("dest.ip"));
        assert_eq!(rename("*.x.*", "x_*_*", "a.b.x.c").as_deref(), Some("x_a.b_c"));
        assert_eq!(rename("*", "old_*", "").as_deref(), Some("old_"));
        assert_eq!(rename("ab*ba", "*", "aba"), None);
        assert_eq!(rename("a.b", "c", "a_b"), None);
        assert_eq!(rename("a", "c", "a").as_deref(), Some("c"));
    }
}
