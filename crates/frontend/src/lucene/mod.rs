//! Lucene's query string syntax, as Elasticsearch's `query_string` query reads it: text to AST to IR.
//!
//! | file | step |
//! |---|---|
//! | [`lexer`] | text to tokens |
//! | [`parser`] | tokens to the tree of [`ast`] |
//! | `lower` | the tree to the IR |
//!
//! How a field is compared depends on its type: `crate::elasticsearch`. Scores have no meaning here, so boosts are read
//! and passed over.

pub mod ast;
pub mod lexer;
mod lower;
pub mod parser;

use std::sync::Arc;

use lurcher_schema::{Taxonomy, Timestamp};

pub use lower::{condition, lower};

use crate::kql::Column;

/// What a query leaves to whoever runs it.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose names the fields are, and whose types decide how they are compared.
    pub taxonomy: Taxonomy,
    /// What `now` means in date math; see [`crate::kql::Options::now`].
    pub now: Option<Timestamp>,
    /// Clauses without a word between them are joined by `AND`, not by `OR` (`default_operator`).
    pub all: bool,
    /// The fields that are searched when none is named (patterns allowed); empty: all known ones.
    pub default_fields: Vec<String>,
    /// The fields that there are; see [`crate::kql::Options::columns`].
    pub columns: Option<Arc<[Column]>>,
}

impl Default for Options {
    fn default() -> Self {
        Self { taxonomy: Taxonomy::Ecs, now: None, all: false, default_fields: Vec::new(), columns: None }
    }
}
