//! Index, evaluation, sequences, pipelines, alerts.
//!
//! Two nouns: a [`Compiler`] makes a [`RuleSet`] (immutable, shared); a [`Scanner`] runs it over
//! [`lurcher_schema::EventBatch`]es and yields [`Alert`]s to an [`AlertSink`].
//!
//! Each distinct value is looked at once, every row becomes a small signature, and rules are decided by signatures:
//!
//! | step | module |
//! |---|---|
//! | all predicates as one graph | `graph` |
//! | the graph specialised to a shape | `program`, `witness`, `routing` |
//! | values to the tests that they pass | `matcher`, `literal_scan`, `value_cache` |
//! | rows to signatures to outcomes | `scanner`, `memo` |
//! | what no test can say | [`eval`] |
//! | sequences, samples, limits, correlations, pipelines | `tail` |
//! | thresholds, new terms, indicators | `terms` |
//! | runs on a virtual clock, suppression | `schedule`, `suppression` |
//! | what alerts add up to | [`risk`] |
//!
//! [`naive`] says the same things by the book, for tests and for explanations.

// `test` and `text` are both the right word, often side by side.
#![allow(clippy::similar_names)]

mod alert;
mod alert_id;
mod alert_text;
pub mod anomaly;
pub mod correlation;
pub mod eval;
pub mod explain;
mod graph;
mod inference;
mod interner;
mod literal_scan;
mod matcher;
mod memo;
pub mod naive;
mod number;
mod phrase;
mod pipeline;
mod program;
mod regex_literals;
pub mod risk;
mod routing;
mod rule_set;
pub mod sample;
mod scanner;
mod schedule;
pub mod sequence;
mod settings;
mod suppression;
mod tables;
mod tail;
mod terms;
mod text;
mod value_cache;
mod witness;

pub use alert::{Alert, AlertEntity, AlertSink, Detail, Enrichment, Match, SuppressionRecord, ThresholdDetail};
pub use alert_id::of_parts as id_of_parts;
pub use inference::{Endpoint, Endpoints};
pub use pipeline::{
    Accumulator, AggregateCall, ColumnOrder, Group, Grouping, Relation, Relational, RelationalError, Windows,
    compare_values,
};
pub use rule_set::{Compiler, FilterPlan, Route, RuleSet};
pub use scanner::{ScanStats, Scanner};
pub use schedule::{LedgerEntry, RunSummary, Simulation};
pub use settings::Settings;
pub use tables::{Agent, Agents, Place, Places, Table, Tables};
pub use tail::{Collector, Hit, Live, LookedBack, Missed, RuleHealth, TailStats, TakenEvent};
