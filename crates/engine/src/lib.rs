//! Index, evaluation, sequences, pipelines, alerts.
//!
//! Two nouns: a `Compiler` makes a `RuleSet` (immutable, shared); a `Scanner` runs it over
//! [`lurcher_schema::EventBatch`]es and yields [`Alert`]s to an [`AlertSink`].

mod alert;

pub use alert::{Alert, AlertEntity, AlertSink};
