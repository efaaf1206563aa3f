//! SPL, the search language of Splunk's detections.
//!
//! A search is text that macros are expanded in first (`expansion`), then commands between `|`, each with a syntax
//! of its own, over two small languages: terms of the `search` command (`parser/search.rs`) and expressions of `eval`
//! and `where` (`parser/eval.rs`). [`lower`] brings it to a pipeline whose filters are predicates over the event's own
//! fields. `docs/languages/spl.md` says what runs, and how; nothing here evaluates anything.

mod ast;
mod constant;
mod expansion;
mod lexer;
mod lower;
mod parser;

use std::{fmt::Debug, sync::Arc};

use lurcher_diagnostics::SourceFile;
use lurcher_ir::Model;
use lurcher_schema::Schemas;

use crate::Lowered;

/// What stands around a search.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Macros and lookups.
    pub knowledge: &'a dyn Knowledge,
    /// The same, for texts that are read only while the search runs; none: those know nothing.
    pub shared: Option<&'a Arc<dyn Knowledge>>,
    /// Fields that an alert will want of a row, beside those that the search names: what `*` means for rows that are
    /// still events.
    pub wanted: &'a [String],
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { knowledge: &NoKnowledge, shared: None, wanted: &[] }
    }
}

/// The knowledge objects that a search may name.
pub trait Knowledge: Debug + Send + Sync {
    /// A macro, by its name and the number of its arguments.
    fn find_macro(&self, name: &str, arguments: usize) -> Option<Macro>;

    /// The names of all macros, for "did you mean".
    fn macro_names(&self) -> Vec<String> {
        Vec::new()
    }

    /// The searches of the event types whose name fits a pattern (`*` is any text; case does not count).
    fn find_eventtypes(&self, pattern: &str) -> Vec<String> {
        let _ = pattern;
        Vec::new()
    }

    /// The fields and values that bear a tag; case does not count.
    fn tagged(&self, tag: &str) -> Vec<(String, String)> {
        let _ = tag;
        Vec::new()
    }

    /// A model, by its name; the error says why there is none, and the way out.
    fn find_model(&self, name: &str) -> Result<Arc<dyn Model>, String> {
        Err(no_model(name))
    }

    /// A lookup, by the name of its definition or of its file.
    fn find_lookup(&self, name: &str) -> Option<Lookup> {
        let _ = name;
        None
    }

    /// Whether the run has a database of the places of addresses.
    fn knows_places(&self) -> bool {
        false
    }
}

/// What is said of a model that nobody has given.
pub fn no_model(name: &str) -> String {
    format!("it does not come with the search; give it in the ONNX format: `--model {name}=FILE.onnx`")
}

/// Knows nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoKnowledge;

impl Knowledge for NoKnowledge {
    fn find_macro(&self, _: &str, _: usize) -> Option<Macro> {
        None
    }
}

/// A macro.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Macro {
    /// The names of its arguments, which stand in the definition as `$name$`.
    pub arguments: Vec<String>,
    /// What it stands for.
    pub definition: String,
    /// Whether the definition is an expression whose text it stands for.
    pub is_eval: bool,
    /// An expression that must be true of the arguments, which stand in it as in the definition; empty: anything goes.
    pub validation: String,
    /// What is said where it is not.
    pub message: String,
}

/// A lookup: a table and how rows are sought in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// The name of the table that the run is given.
    pub table: Arc<str>,
    /// The table's columns, in order.
    pub columns: Vec<Arc<str>>,
    /// How many rows the table has.
    pub rows: u64,
    /// The columns that hold patterns (`*` is any run of characters).
    pub wildcard: Vec<Arc<str>>,
    /// The columns that hold blocks of addresses.
    pub cidr: Vec<Arc<str>>,
    /// Whether upper and lower case differ.
    pub case_sensitive: bool,
    /// Fewer matches than this are made up by rows of `default`.
    pub min_matches: usize,
    /// At most so many rows match.
    pub max_matches: usize,
    /// What the outputs hold in a row that is made up.
    pub default: Arc<str>,
    /// Settings of the definition that are not looked at though they decide what is found.
    pub ignored: Vec<&'static str>,
}

/// The names of the commands that are read, those that only let rows through among them.
pub fn command_names() -> impl Iterator<Item = &'static str> {
    parser::command_names()
}

/// The names of the functions of `eval` and `where`.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    lower::function_names()
}

/// The names of the aggregates of `stats`.
pub fn aggregate_names() -> impl Iterator<Item = &'static str> {
    lower::aggregate_names()
}

/// Reads a search and brings it to the IR. Never fails as a whole: what is wrong stands in the result.
pub fn lower(file: &Arc<SourceFile>, options: &Options<'_>, schemas: &Schemas) -> Lowered {
    let (expansion, diagnostics) = expansion::Expansion::new(file, options.knowledge);
    lower::lower(file, &expansion, options, schemas, diagnostics)
}
