//! The Event Query Language, in the dialect of Elasticsearch: text to AST to IR.

use std::sync::Arc;

use lurcher_diagnostics::SourceFile;
use lurcher_schema::{Schemas, Taxonomy, Timestamp};

use crate::Lowered;

/// What a query leaves to whoever runs it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The field that the word before `where` is compared with.
    pub category_field: String,
    /// Whose names the fields are, and whose types decide how they are compared.
    pub taxonomy: Taxonomy,
    /// What `now` means in date math. Without it, a query that says `now` cannot run.
    pub now: Option<Timestamp>,
}

impl Default for Options {
    fn default() -> Self {
        Self { category_field: "event.category".to_owned(), taxonomy: Taxonomy::Ecs, now: None }
    }
}

/// Brings a query to the IR.
pub fn lower(_file: &Arc<SourceFile>, _options: &Options, _schemas: &Schemas) -> Lowered {
    Lowered::default()
}
