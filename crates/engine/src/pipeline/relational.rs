//! What pipelines ask of a relational engine: group and aggregate, sort, find duplicates.
//!
//! The engine has none of its own; `lurcher-query` implements this on Apache DataFusion, and a run is given one in its
//! [`crate::Settings`]. Rows go in as columns of values; what comes out says by number which of them it was made from,
//! so that a pipeline's rows never lose the events behind them.

use std::fmt;

use lurcher_ir::Aggregate;
use lurcher_schema::Value;

/// Columns of values, all of the same length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Relation {
    /// How many rows there are (columns may be none).
    pub rows: usize,
    /// The columns.
    pub columns: Vec<Vec<Value>>,
}

/// How rows are grouped and what is computed of each group.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouping {
    /// The first so many columns of the relation are the keys. Null is a key like any other; no keys: one group of all
    /// rows (none, if there are no rows).
    pub keys: usize,
    /// What is computed.
    pub aggregates: Vec<AggregateCall>,
    /// Windows of time that rows are first put in, one row into each that its time lies in.
    pub windows: Option<Windows>,
}

/// One aggregate of a [`Grouping`].
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateCall {
    /// What is computed; [`crate::Accumulator`] says what that is.
    pub function: Aggregate,
    /// Over which columns, by their indices; none counts rows.
    pub arguments: Vec<usize>,
    /// A list in the first of them counts as each of its values.
    pub elements: bool,
}

/// Windows of time, aligned to multiples of `slide` since 1970: each begins at one and lasts for `size`, its end not
/// included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The column of times, in milliseconds since 1970. Rows in which it is no whole number are dropped.
    pub time: usize,
    /// How long a window is, in milliseconds; at least 1.
    pub size: i64,
    /// How far apart windows begin, in milliseconds; at least 1.
    pub slide: i64,
}

impl Windows {
    /// More windows than this for one row are refused.
    pub const MOST: i64 = 10_000;

    /// Where the windows begin that a time lies in, ascending.
    pub fn starts(self, time: i64) -> impl Iterator<Item = i64> {
        let Self { size, slide, .. } = self;
        let last = time.div_euclid(slide);
        let first = time.saturating_sub(size).div_euclid(slide) + 1;
        (first..=last).filter_map(move |n| n.checked_mul(slide))
    }
}

/// One group and what was computed of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The aggregates, in the order in which they were asked for.
    pub aggregates: Vec<Value>,
    /// Where its window begins, if there are windows.
    pub window_start: Option<i64>,
    /// The rows that went into it, ascending; never empty. Its keys are those of any of them.
    pub rows: Vec<usize>,
}

/// A relational engine. Results are the same for the same rows, whatever it does inside.
pub trait Relational: fmt::Debug + Send + Sync {
    /// Groups and aggregates. The order of groups is the engine's own.
    fn aggregate(&self, relation: &Relation, grouping: &Grouping) -> Result<Vec<Group>, RelationalError>;

    /// The order of rows by all columns, the first first. Numbers by size before texts byte by byte; rows that are equal
    /// keep their order.
    fn sort(&self, relation: &Relation, orders: &[ColumnOrder]) -> Result<Vec<usize>, RelationalError>;

    /// The pairs of a left and a right row that are equal in all columns, by left rows, then by right rows. Null equals
    /// nothing. Both have as many columns, and all values are texts.
    fn join(&self, left: &Relation, right: &Relation) -> Result<Vec<(usize, usize)>, RelationalError>;

    /// The rows that are equal in all columns, together: each set ascending, the sets by their first row. Null equals
    /// null.
    fn duplicates(&self, relation: &Relation) -> Result<Vec<Vec<usize>>, RelationalError>;
}

/// How a column is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnOrder {
    /// Greatest first.
    pub descending: bool,
    /// Nulls before all others rather than behind them.
    pub nulls_first: bool,
}

/// Why a relational operation failed: memory, disk, or a fault of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationalError {
    /// One sentence.
    pub message: String,
}

impl fmt::Display for RelationalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RelationalError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_lies_in_size_by_slide_windows_aligned_to_the_slide() {
        let starts = |size, slide, time| Windows { time: 0, size, slide }.starts(time).collect::<Vec<_>>();
        assert_eq!(starts(10, 10, 25), [20]);
        assert_eq!(starts(10, 10, 20), [20]);
        assert_eq!(starts(10, 10, -1), [-10]);
        assert_eq!(starts(10, 5, 25), [20, 25]);
        assert_eq!(starts(10, 5, 24), [15, 20]);
        assert_eq!(starts(25, 10, 24), [0, 10, 20]);
        assert_eq!(starts(5, 10, 17), Vec::<i64>::new());
    }
}
