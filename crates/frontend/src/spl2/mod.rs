//! SPL2 as Splunk's Behavioral Analytics content is written in it.
//!
//! Four dialects share one grammar: detections over `read_ssa_enriched_events()` read a map of CIM fields, those over
//! `read_ba_enriched_events()` a map of OCSF objects, and `from source` yields OCSF events themselves, either as a
//! template that ends in `--finding_report--` or with that report written out. [`lower`] reads any of them and brings
//! it to a pipeline whose filters are predicates over the event's own fields. `docs/languages/spl2.md` says what runs,
//! and how; nothing here evaluates anything.

mod ast;
mod finding;
mod lexer;
mod lower;
mod parser;

use std::sync::Arc;

use lurcher_diagnostics::SourceFile;
use lurcher_schema::Schemas;

use crate::Lowered;

/// What stands around a query.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A condition of the user's own, in SPL2, that rows must also meet. It is added to the last `where` of every
    /// pipeline that ends in a sink and sees the fields that exist there. Diagnostics about it point into this text.
    pub filter: Option<Arc<SourceFile>>,
    /// What `--finding_report--` and `--body--` are filled in with.
    pub finding: Finding,
}

/// What the publisher's build fills a placeholder in with: facts of the rule, from the file around the query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finding {
    /// The rule's name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// Its message, with `$field$` where a field's value goes; may be empty. Only `--body--` uses it.
    pub message: String,
    /// 0–100.
    pub risk_score: f64,
    /// How sure a hit is, 0–100.
    pub confidence: f64,
    /// How bad a hit is, 0–100.
    pub impact: f64,
    /// Analytic stories.
    pub stories: Vec<String>,
    /// Phases of the kill chain, by name.
    pub kill_chain: Vec<String>,
    /// NIST CSF categories.
    pub nist: Vec<String>,
    /// CIS controls.
    pub cis: Vec<String>,
    /// The OCSF paths that the rule lists as its required fields: what `evidence` shows. Empty: those that it reads.
    pub evidence: Vec<String>,
}

/// Reads a query and brings it to the IR. Never fails as a whole: what is wrong stands in the result.
///
/// The null, case and list rules of the language, and where they come from, are told in `lower` and `predicate`.
pub fn lower(file: &Arc<SourceFile>, options: &Options, schemas: &Schemas) -> Lowered {
    let (module, diagnostics) = parser::module(file);
    lower::lower(file, &module, options, schemas, diagnostics)
}
