//! The rule languages, one folder each: text to AST to IR.
//!
//! Every language has the same four files: `lexer`, `ast`, `parser`, `lower`. Parsing never fails as a whole: it
//! yields what it could read and [`Diagnostic`]s with spans. Null, case, wildcard and multi-value rules of a
//! language stand in its `lower.rs`, in the open; the IR makes them explicit. No front end knows the engine.
//!
//! [`Language::lower`] is the one door: text of any language to [`Lowered`].

pub(crate) mod elasticsearch;
pub mod eql;
pub mod esql;
pub mod kql;
mod language;
pub mod lucene;
mod pipeline;
pub mod query_dsl;
pub mod sigma;
pub mod spl;
pub mod spl2;
pub mod syntax;
pub mod tree;

pub use language::{Language, Options};
use lurcher_diagnostics::Diagnostic;
use lurcher_ir::{RuleBody, Sources, SupportReason};

/// What became of a query.
#[derive(Clone, Debug, Default)]
pub struct Lowered {
    /// What it looks for; `None` if it has errors or cannot be run at all.
    pub body: Option<RuleBody>,
    /// Why it runs less than exactly, if so.
    pub reasons: Vec<SupportReason>,
    /// What is wrong with it. Spans are offsets into the query text.
    pub diagnostics: Vec<Diagnostic>,
    /// The events that the query itself says it is about (`FROM`); `None`: it leaves that to the rule around it.
    pub sources: Option<Sources>,
    /// The lookup that the query's rows are meant for, where it ends in writing one.
    pub writes: Option<WrittenLookup>,
}

/// A lookup that a query writes (SPL's `outputlookup`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenLookup {
    /// Its name, or its file's.
    pub name: String,
    /// Rows go behind those that are there rather than in their place.
    pub append: bool,
    /// The column that tells rows apart: a row replaces the one of the same key.
    pub key: Option<String>,
    /// At most so many rows are written.
    pub most: Option<u64>,
    /// Without rows the file stays as it is; else it is made empty.
    pub keep_if_empty: bool,
    /// Without rows there is an empty file; else there is none.
    pub create_empty: bool,
}
