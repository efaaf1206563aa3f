//! Rule bodies: event predicates, and a tail over the events that they let through.

use std::{sync::Arc, time::Duration};

use crate::{Aggregate, Expr, FieldRef, Predicate};

/// What a rule looks for.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleBody {
    /// The predicates over single events. The tail names them by their index.
    pub filters: Vec<Predicate>,
    /// What is done with the events that they let through.
    pub tail: Tail,
}

/// What is done with the events that the filters let through.
#[derive(Clone, Debug, PartialEq)]
pub enum Tail {
    /// Every event that passes filter 0 is a match of its own.
    Events {
        /// Which of them are kept, in order of time.
        limits: Vec<Limit>,
    },
    /// Events in order of time.
    Sequence(Sequence),
    /// Events in any order: for each key under which every step has a distinct event, one match of one event per
    /// step (the earliest that can be assigned). Steps and keys as in [`Sequence`].
    Sample {
        /// At least two.
        steps: Vec<Step>,
        /// Which matches are kept, in order of the time of their first event.
        limits: Vec<Limit>,
    },
    /// Stages over rows.
    Pipeline(Pipeline),
}

/// Keeps part of the matches, in ascending order of (time, tiebreaker).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The first so many.
    Head(u64),
    /// The last so many, still in ascending order.
    Tail(u64),
}

/// Events in order of time, joined by keys.
///
/// The automaton is `reference: EQL sequences`, spelled out in the engine's `sequence` module: newest partial wins, a
/// consumed partial is gone, `maxspan` is inclusive and measured from first to last event.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// The steps in order, at least two, repetitions (`runs`) already written out.
    pub steps: Vec<Step>,
    /// An event that ends every partial match of its key.
    pub until: Option<Step>,
    /// The longest time from first to last event.
    pub max_span: Option<Duration>,
    /// Which matches are kept, in order of the time of their first event.
    pub limits: Vec<Limit>,
}

/// One step of a sequence or sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The index in [`RuleBody::filters`] of what its event must be like.
    pub filter: usize,
    /// The join keys: as many in every step, equal pairwise by type and content. For a field with several values
    /// each of them is a key of its own.
    pub keys: Vec<Key>,
    /// Such an event must be absent.
    pub missing: bool,
}

/// A join key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The field.
    pub field: FieldRef,
    /// Whether a missing field is a key like any other; otherwise events without it are passed over.
    pub optional: bool,
}

/// Stages over rows. A row is named columns; it remembers the event or events that went into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipeline {
    /// The branches; each may read those before it. Rows of a branch with a sink become matches.
    pub branches: Vec<Branch>,
}

/// A run of stages.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// Where its rows come from, all of them together (a bag union).
    pub inputs: Vec<Input>,
    /// What is done with them.
    pub stages: Vec<Stage>,
    /// Where they go; `None` if only other branches read them.
    pub sink: Option<Sink>,
}

/// Where a branch's rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The events that pass this filter: one row each, without columns.
    Filter(usize),
    /// The rows of an earlier branch.
    Branch(usize),
}

/// Where rows go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// They are matches. The name is the one that the query gives its sink.
    Alerts(Arc<str>),
    /// Nowhere.
    Null,
}

/// One stage of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Keeps the rows for which it is true (not false, not null).
    Where(Expr),
    /// Sets columns, left to right; later ones see earlier ones.
    Eval(Vec<(Arc<str>, Expr)>),
    /// Replaces the row by these columns; all see the old row.
    Project(Vec<(Arc<str>, Expr)>),
    /// Keeps only these columns, in this order, where they exist.
    Keep(Vec<Arc<str>>),
    /// Drops these columns.
    Drop(Vec<Arc<str>>),
    /// Renames columns, replacing those that bear the new name.
    Rename(Vec<(Arc<str>, Arc<str>)>),
    /// Aggregates in windows of event time.
    Window(Window),
    /// Adds a judgement from what came before. In order of (time, tiebreaker, event).
    Anomaly(Anomaly),
    /// Keeps the first so many rows.
    Head(u64),
    /// Sorts; the flag is true for descending. Nulls last.
    Sort(Vec<(Expr, bool)>),
    /// Keeps the first row for each tuple of these.
    Dedup(Vec<Expr>),
    /// One row for each element of a column's list; a row whose column is null or empty stays as it is.
    Expand(Arc<str>),
}

/// Aggregation by keys and windows of event time. A row whose time is null is dropped. The result has only the keys,
/// the aggregates, and `window_start` and `window_end` in the unit of the time column.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The keys, with the names of their columns. Null is a key like any other.
    pub keys: Vec<(Arc<str>, Expr)>,
    /// The aggregates, with the names of their columns.
    pub aggregates: Vec<WindowAggregate>,
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

/// One aggregate of a [`Window`].
#[derive(Clone, Debug, PartialEq)]
pub struct WindowAggregate {
    /// The name of its column.
    pub name: Arc<str>,
    /// What is computed.
    pub function: Aggregate,
    /// Over what; `None` counts rows.
    pub argument: Option<Expr>,
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
