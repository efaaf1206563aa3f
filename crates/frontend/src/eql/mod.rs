//! The Event Query Language, in the dialect of Elasticsearch: text to AST to IR.
//!
//! | file | step |
//! |---|---|
//! | [`lexer`] | text to tokens |
//! | [`parser`], `expression` | tokens to the tree of [`ast`] |
//! | `check`, `functions` | what is wrong by the types of values |
//! | `lower`, `condition`, `leaf`, `fold` | the tree to the IR |
//!
//! Dates and the types of fields are those of all Elasticsearch's languages: `crate::elasticsearch`.
//!
//! The other dialect, python-eql, is recognised so far as to say what to write instead.

pub mod ast;
mod check;
mod condition;
mod expression;
mod fold;
mod functions;
mod leaf;
pub mod lexer;
mod lower;
pub mod parser;

use lurcher_schema::{Taxonomy, Timestamp};

pub use lower::lower;

/// What a query leaves to whoever runs it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The field that the word before `where` is compared with.
    pub category_field: String,
    /// Whose names the fields are, and whose types decide how they are compared.
    pub taxonomy: Taxonomy,
    /// What `now` means in date math. Without it, a query that says `now` cannot run.
    pub now: Option<Timestamp>,
    /// At most so many samples for one set of join keys: Elasticsearch's `max_samples_per_key`.
    pub samples_per_key: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { category_field: "event.category".to_owned(), taxonomy: Taxonomy::Ecs, now: None, samples_per_key: 1 }
    }
}

/// The names of all functions as the reference writes them; once more with `~` where there is such a variant.
pub fn function_names() -> impl Iterator<Item = String> {
    functions::FUNCTIONS.iter().flat_map(|spec| {
        let plain = std::iter::once(spec.name.to_owned());
        plain.chain(spec.tilde.then(|| format!("{}~", spec.name)))
    })
}
