//! ES|QL, Elasticsearch's piped query language.
//!
//! [`lower`] brings a query to a pipeline: conditions that speak of the event's own fields become its filter, everything
//! else its stages. `docs/languages/esql.md` says what runs, and how. The language's rules of nulls, several values and
//! types stand in `lower`; nothing here evaluates anything.

mod ast;
mod lexer;
mod lower;
mod parser;
mod types;

use std::{collections::BTreeMap, sync::Arc};

use lurcher_diagnostics::SourceFile;
use lurcher_schema::{Schemas, Timestamp, Value};

use crate::Lowered;

/// The columns of tables in order, with the types that are declared of them, by the table's name.
pub type Tables = BTreeMap<Arc<str>, Vec<(Arc<str>, Option<String>)>>;

/// The inference endpoints of a run by name; of one that cannot be asked, why not and the way out.
pub type Endpoints = BTreeMap<Arc<str>, Option<Arc<str>>>;

/// What stands around a query.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The query was typed to be answered: without a `LIMIT` it yields 1,000 rows, as its vendor's would. A rule sees all.
    pub ad_hoc: bool,
    /// What `now` means inside of `KQL()`.
    pub now: Option<Timestamp>,
    /// The tables of the run: their columns in order, with the types that their headers declare. `FROM` reads one of that
    /// name instead of events.
    pub tables: Tables,
    /// The language models that `COMPLETION` may ask.
    pub endpoints: Endpoints,
    /// Whether the run has a database of the places of addresses, for `IP_LOCATION`.
    pub knows_places: bool,
    /// The values of `?name`, by name or number.
    pub parameters: BTreeMap<String, Value>,
}

/// Reads a query and brings it to the IR. Never fails as a whole: what is wrong stands in the result.
pub fn lower(file: &Arc<SourceFile>, options: &Options, schemas: &Schemas) -> Lowered {
    let (query, diagnostics) = parser::query(file.text());
    lower::lower(&query, options, schemas, diagnostics)
}

/// The words that commands begin with, in lower case, those that do not run included.
pub fn command_names() -> impl Iterator<Item = &'static str> {
    parser::COMMANDS.into_iter()
}

/// The names of all functions that run, aggregates and searches included, in lower case, other names of the same function
/// too.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    lower::function_names()
}
