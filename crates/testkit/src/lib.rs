//! Runs the Markdown specs under `tests/spec/`; runs queries over events given as text.
//!
//! A spec is the documentation of a language's quirks and the test of it. [`parse`] reads its cases, [`check`] runs one
//! and says how what came out differs from what must.

mod rule_file;
mod run;
mod spec;
mod table;
mod weights;

pub use rule_file::{RuleCase, check_rules, is_rule_spec, parse_rules};
pub use run::{Outcome, check, run};
pub use spec::{Case, Expected, parse};
pub use table::{KINDS, Row, Tables, check_row, is_table_spec, parse_tables, yields};
