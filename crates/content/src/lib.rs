//! The vendors' rule files and packs: Elastic TOML and NDJSON, Splunk YAML, Sigma YAML.
//!
//! [`load`] turns files and folders into a [`Pack`] of [`lurcher_ir::Rule`]s: what a file is, is found by its content;
//! all that its publisher says goes to the rule's metadata; the query goes to the front end of its language, and what
//! that has to say about it points into the rule file. One bad rule never stops the others.
//!
//! Nothing here runs a rule, and nothing is left out in silence: what is no rule is counted by kind, what cannot be
//! run is a rule with a verdict.

pub mod attack;
mod check;
mod conf;
mod embedded;
mod exceptions;
mod knowledge;
mod languages;

mod load;
mod lookups;
mod macros;
mod models;
mod recognise;
mod select;
mod syntax;
mod test_files;
mod vendor;

use lurcher_frontend::tree::{self as node, yaml};

pub use check::{CheckReason, CheckRecord, fields};
pub use knowledge::Knowledge;
pub use languages::{WRITES, note_written};
pub use load::{LoadOptions, Pack, Problem, load};
pub use lookups::{LookupTable, Lookups, records as csv_records};
pub use macros::{Macro, Macros};
pub use models::{ModelFile, Models, ReadModel};
pub use select::Selection;
pub use test_files::{Expected, Mark, RuleName, TestCase, TestData};
