//! Sigma 2.1: detection rules, correlations and filters, in YAML: text to tree to IR.
//!
//! | file | step |
//! |---|---|
//! | [`parser`], `correlation_parser` | YAML documents to the tree of [`ast`] |
//! | [`lexer`], `condition` | conditions |
//! | [`pipeline`] | processing pipelines: what a site changes about rules before they run |
//! | `lower`, `value` | selections to predicates: what values and modifiers mean |
//! | [`collection`] | rules, filters and correlations of one load together |
//!
//! A Sigma rule is a whole YAML document, not a query inside a file, and it may refer to others. So there are two doors:
//! [`lower`] for one text that holds all that it needs, and [`Collection`] for everything that was loaded.

pub mod ast;
pub mod collection;
mod condition;
mod correlation_parser;
pub mod lexer;
mod lower;
pub mod parser;
pub mod pipeline;
mod pipeline_parser;
mod value;

use std::{collections::BTreeMap, sync::Arc};

use lurcher_diagnostics::SourceFile;

pub use collection::{Collection, sources};

use crate::{Lowered, tree::yaml};

/// The values of placeholders by their names, without the percent signs.
pub type Placeholders = BTreeMap<String, Vec<String>>;

/// What a site says about rules.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What placeholders stand for.
    pub placeholders: Placeholders,
    /// Processing pipelines, in order of priority.
    pub pipelines: Vec<Arc<pipeline::Pipeline>>,
}

/// Brings a text of one or several documents to the IR: the last of them that is no filter, with what it refers to.
pub fn lower(file: &Arc<SourceFile>, options: &Options) -> Lowered {
    let nodes = match yaml::documents(file) {
        Ok(nodes) => parser::spread(nodes),
        Err(fault) => return Lowered { diagnostics: vec![*fault], ..Lowered::default() },
    };
    let documents: Vec<ast::Document> = nodes.iter().map(|node| parser::parse(file, node)).collect();
    let collection = Collection::new(documents, options.clone());
    let is_filter = |document: &ast::Document| matches!(document.body, ast::Body::Filter { .. });
    let Some(main) = collection.documents().iter().rposition(|document| !is_filter(document)) else {
        let fault = lurcher_diagnostics::Diagnostic::error("sigma-no-detection", "there is no rule")
            .in_file(file)
            .with_help("a rule has `detection:`, a correlation `correlation:`");
        return Lowered { diagnostics: vec![fault], ..Lowered::default() };
    };
    let mut diagnostics = Vec::new();
    let mut lowered = Lowered::default();
    for number in 0..collection.documents().len() {
        let own = collection.lower(number);
        diagnostics.extend(own.diagnostics.iter().cloned());
        if number == main {
            lowered = own;
        }
    }
    lowered.diagnostics = diagnostics;
    lowered
}
