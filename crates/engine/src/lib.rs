//! Index, evaluation, sequences, pipelines, alerts.
//!
//! Two nouns: a [`Compiler`] makes a [`RuleSet`] (immutable, shared); a [`Scanner`] runs it over
//! [`lurcher_schema::EventBatch`]es and yields [`Alert`]s to an [`AlertSink`].

mod alert;
pub mod eval;
mod rule_set;
pub mod sample;
mod scanner;
pub mod sequence;
mod settings;
mod tail;

pub use alert::{Alert, AlertEntity, AlertSink, Match};
pub use rule_set::{Compiler, Route, RuleSet};
pub use scanner::{ScanStats, Scanner};
pub use settings::Settings;
pub use tail::{Collector, Hit, TailStats};
