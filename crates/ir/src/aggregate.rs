//! Aggregates: one value of many rows, and what rows are grouped by.
//!
//! Where languages differ (nulls in keys, keys and arguments of several values, how a percentile is taken) the
//! difference is a parameter here. Nothing depends on the order of rows but what says so.

use std::sync::Arc;

use crate::{ColumnPattern, Expr};

/// What is computed of the values that an expression has over the rows of a group. Null values are skipped; what is
/// said of "none" holds for a group in which all are null, too.
///
/// "Numbers" are numbers and texts that read as one; other values are skipped. The first argument is the value that is
/// meant; further ones are told where they are taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregate {
    /// How many values; of no argument, how many rows. 0 of none.
    Count,
    /// How many distinct values, exactly. 0 of none.
    CountDistinct,
    /// Sum of numbers; whole as long as all are whole. Null of none.
    Sum,
    /// Sum of the squares of numbers. Null of none.
    SumOfSquares,
    /// Mean of numbers. Null of none.
    Average,
    /// Mean of numbers in which the first in the order of rows counts once, the second twice, and so on. Null of none.
    LinearAverage,
    /// Smoothed mean of numbers in the order of rows: of the first the number itself, of each further `a` times the number and
    /// `1 - a` times the mean so far, where `a` is `2 / (period + 1)`. Null of none.
    SmoothedAverage {
        /// See there.
        period: u32,
    },
    /// `(value, weight)`: the sum of value times weight over the sum of weights. Null of none, or if the weights sum to 0.
    WeightedAverage,
    /// Least: numbers by size before texts byte by byte (texts that read as numbers count as numbers if there are
    /// numbers and nothing that does not read as one). Null of none.
    Min,
    /// Greatest, in the order of [`Aggregate::Min`].
    Max,
    /// As [`Aggregate::Min`], but texts count as numbers whenever all values read as numbers, be they all texts: `9`
    /// comes before `10`.
    LooseMin,
    /// Greatest, in the order of [`Aggregate::LooseMin`].
    LooseMax,
    /// Greatest less least of numbers. Null of none.
    Range,
    /// A percentile of numbers. Null of none.
    Percentile {
        /// From 0 to 100.
        percent: f64,
        /// What is taken between two values.
        method: PercentileMethod,
    },
    /// The value that occurs most often; of several, the one that came first in the order of rows. Null of none.
    Mode,
    /// Variance of numbers. Null of none.
    Variance {
        /// Of a sample (divided by n - 1; 0 for one value) rather than of all there is (divided by n).
        sample: bool,
    },
    /// Square root of the variance.
    StandardDeviation {
        /// As in [`Aggregate::Variance`].
        sample: bool,
    },
    /// The median of the distances of numbers from their median, medians interpolated. Null of none.
    MedianAbsoluteDeviation,
    /// `(value, time)`: the value at the greatest time less the value at the least, over the distance of the times: change
    /// for each unit of `time`. Both are numbers. Null if all times are the same or there is none.
    Rate,
    /// Several or all values.
    Collect(Collect),
    /// The value of the first row that has one, in the order of rows. Null of none.
    First,
    /// The value of the last row that has one, in the order of rows. Null of none.
    Last,
    /// `(value[, by])`: the value of the row with the least `by`, in the order of [`Aggregate::Min`]; without a second
    /// argument, of the row that is earliest in time. Rows in which either is null are skipped. Of several, the first in
    /// the order of rows. Null of none.
    Earliest,
    /// `(value[, by])`: as [`Aggregate::Earliest`] with the greatest `by`, the latest time; of several, the last in the
    /// order of rows.
    Latest,
    /// `(value[, output])`: the `count` greatest values (or least), in order, repetitions included: a list, a lone value as
    /// itself. In the order of [`Aggregate::Min`]. Null of none. With a second argument its values stand for those that they
    /// go with, each of several for each; rows in which either is null are skipped, and of equal values the outputs are in
    /// that order, too.
    Top {
        /// How many.
        count: u32,
        /// The least rather than the greatest.
        ascending: bool,
    },
    /// Whether there is a value. Never null.
    Present,
    /// Whether there is none. Never null.
    Absent,
}

impl Aggregate {
    /// The distinct values, sorted as text, as a list.
    pub const VALUES: Self =
        Self::Collect(Collect { distinct: true, order: CollectOrder::Text, limit: None, lone: false });
    /// The values in the order of rows, as a list.
    pub const LIST: Self =
        Self::Collect(Collect { distinct: false, order: CollectOrder::Rows, limit: None, lone: false });
    /// The middle one of numbers, or the mean of the two in the middle.
    pub const MEDIAN: Self = Self::Percentile { percent: 50.0, method: PercentileMethod::Interpolated };
}

/// How a percentile is taken of numbers in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PercentileMethod {
    /// The least value that at least so many percent of all values do not exceed (nearest rank): always one of them.
    Nearest,
    /// At `percent / 100 * (n - 1)` counted from 0, linearly between the two nearest.
    Interpolated,
}

/// Which values [`Aggregate::Collect`] collects. Lists among them are flattened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Collect {
    /// Each value once. Values are the same if their text forms are, and the first stands for all.
    pub distinct: bool,
    /// In which order.
    pub order: CollectOrder,
    /// Only the first so many of these.
    pub limit: Option<u32>,
    /// A lone value is itself rather than a list of one, and none is null rather than an empty list.
    pub lone: bool,
}

/// The order of collected values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CollectOrder {
    /// That of rows; of distinct values, of their first appearance.
    Rows,
    /// By their text forms, byte by byte.
    Text,
    /// Numbers by size, then texts byte by byte.
    Value,
}

/// One aggregate and its column.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateColumn {
    /// The name of its column.
    pub name: Arc<str>,
    /// What is computed.
    pub function: Aggregate,
    /// Over what. None at all: over rows ([`Aggregate::Count`] only).
    pub arguments: Vec<Expr>,
    /// Only rows for which this is true take part.
    pub filter: Option<Expr>,
    /// A list in the first argument counts as each of its values, an empty one as null, rather than as one value.
    pub elements: bool,
}

impl AggregateColumn {
    /// An aggregate over all rows, lists being one value.
    pub fn new(name: impl Into<Arc<str>>, function: Aggregate, arguments: impl IntoIterator<Item = Expr>) -> Self {
        Self { name: name.into(), function, arguments: arguments.into_iter().collect(), filter: None, elements: false }
    }

    /// Every expression in it.
    pub fn expressions(&self) -> impl Iterator<Item = &Expr> {
        self.arguments.iter().chain(&self.filter)
    }
}

/// An aggregate of one argument over every column that fits a pattern: one aggregate for each such column that any row has,
/// in the order of their names.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateEach {
    /// Which columns, the keys excepted.
    pub columns: ColumnPattern,
    /// What is computed; takes one argument.
    pub function: Aggregate,
    /// The names of the new columns: of a pattern, each `*` is what the `*` of `columns` stands for.
    pub name: ColumnPattern,
    /// As in [`AggregateColumn`].
    pub elements: bool,
}

/// What rows are grouped by. Keys are equal if their values are (type and content).
#[derive(Clone, Debug, PartialEq)]
pub struct GroupBy {
    /// The keys, with the names of their columns. None: all rows are one group.
    pub keys: Vec<(Arc<str>, Expr)>,
    /// What becomes of rows in which a key is null or an empty list.
    pub nulls: NullKeys,
    /// What becomes of keys that are lists.
    pub lists: ListKeys,
}

/// What becomes of rows in which a key is null or an empty list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NullKeys {
    /// Null is a key like any other.
    Group,
    /// They belong to no group.
    Drop,
}

/// What becomes of keys that are lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListKeys {
    /// A list is one key.
    Whole,
    /// Each of its distinct values is a key: the row goes into a group for each combination (at most 1,000; more are cut
    /// and counted).
    Each,
}

impl GroupBy {
    /// All rows as one group.
    pub fn nothing() -> Self {
        Self { keys: Vec::new(), nulls: NullKeys::Group, lists: ListKeys::Whole }
    }
}
