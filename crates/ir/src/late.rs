//! What is known only while a pipeline runs: the moment of the run, and texts that rows write and that are read then.
//!
//! Some languages put texts together while they run: the rows of a nested query become terms of the outer one, a query is
//! run for each row with the row's values written into it. Such a text is read by the language that wrote it, which hands a
//! [`Reader`] on with the stage. Whoever runs the stage knows nothing of the language.

use std::{fmt::Debug, sync::Arc};

use lurcher_schema::{RelativeTime, Schemas};

use crate::{Expr, RuleBody};

/// The column in which expressions find the moment of the run, in seconds since 1970, while a stage offers it.
pub const MOMENT: &str = "moment~";

/// Sets the column [`MOMENT`] to the moment that the run counts times from: when it runs, or, of a run over everything, where
/// that ends. The rows before it are those of the events of this range rather than of the window of the rule's schedule;
/// both ends lie in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The first moment; `None`: that of the window.
    pub from: Option<RelativeTime>,
    /// The last moment; `None`: that of the window.
    pub to: Option<RelativeTime>,
    /// The events of the window are looked at, too.
    pub beside_window: bool,
}

/// Reads texts that rows write while a pipeline runs.
pub trait Reader: Debug + Send + Sync {
    /// A condition on the rows that the stage stands behind. The error says what is wrong with the text.
    fn condition(&self, text: &str, schemas: &Schemas) -> Result<Expr, String>;

    /// A query of its own. Its filters let every event through: what it asks of events is asked by its stages.
    fn query(&self, text: &str, schemas: &Schemas) -> Result<RuleBody, String>;
}

/// A [`Reader`], shared. Equal to itself alone.
#[derive(Clone, Debug)]
pub struct SharedReader(pub Arc<dyn Reader>);

impl PartialEq for SharedReader {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Makes one row of all: the terms that say that a row is like one of them.
///
/// Each row is written as `row_start column_start name="value" column_separator … column_end`, rows with `row_separator`
/// between them and `row_end` behind the last; several values of a column as `( name="a" value_separator name="b" )`. Columns
/// whose name begins with `_` or holds `~` are left out. The column `search` is written as its first value alone and as it
/// stands, `query` as all its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// Before the first row.
    pub row_start: Arc<str>,
    /// Before the first column of each row.
    pub column_start: Arc<str>,
    /// Between columns.
    pub column_separator: Arc<str>,
    /// Behind the last column of each row.
    pub column_end: Arc<str>,
    /// Between rows.
    pub row_separator: Arc<str>,
    /// Behind the last row.
    pub row_end: Arc<str>,
    /// Between the values of one column.
    pub value_separator: Arc<str>,
    /// What is written of no rows.
    pub empty: Arc<str>,
    /// At most so many rows; `None`: all.
    pub most: Option<u64>,
    /// The columns whose values are written without a name.
    pub bare: Vec<Arc<str>>,
    /// The column that holds the terms.
    pub output: Arc<str>,
}

/// Keeps the rows for which a condition is true that an earlier branch writes.
#[derive(Clone, Debug, PartialEq)]
pub struct Selected {
    /// The branch. Its first row holds the condition.
    pub branch: usize,
    /// The column that holds it.
    pub column: Arc<str>,
    /// What stands before and behind it.
    pub around: (Arc<str>, Arc<str>),
    /// Who reads it.
    pub reader: SharedReader,
    /// Keeps the other rows instead.
    pub negated: bool,
}

/// For each row runs a query, with the row's values written into it, and yields the rows of all these queries.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeat {
    /// The query, in pieces.
    pub template: Vec<Piece>,
    /// The earlier branch whose rows are the events that the query may ask for; `None`: it asks for none.
    pub events: Option<usize>,
    /// Who reads the query.
    pub reader: SharedReader,
    /// At most so many queries. Rows beyond them are told.
    pub most: u64,
}

/// A piece of the query of a [`Repeat`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(Arc<str>),
    /// The value of a column.
    Column {
        /// Its name.
        name: Arc<str>,
        /// How it is written.
        quoting: Quoting,
    },
    /// The number of the row, from 1.
    Number,
}

/// How a value is written into a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quoting {
    /// As it is.
    Plain,
    /// It stands within double quotes: `"` and `\` get a backslash before them.
    Within,
    /// In double quotes of its own if it is more than one word.
    IfNeeded,
}
