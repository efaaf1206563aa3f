//! What is kept of the events that pass a rule's filters, and what is made of it at the end. (Stub.)

use std::sync::Arc;

use lurcher_schema::EventBatch;

use crate::{AlertSink, RuleSet, Settings};

/// An event passed this filter of this rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hit {
    /// The rule's index in [`RuleSet::rules`].
    pub rule: u32,
    /// The filter's index in the rule's body.
    pub filter: u32,
}

/// Collects the hits of all rules whose tail needs more than one event at a time. One per thread.
#[derive(Debug)]
pub struct Collector {
    rules: Arc<RuleSet>,
    settings: Arc<Settings>,
}

impl Collector {
    /// An empty one.
    pub fn new(rules: Arc<RuleSet>, settings: Arc<Settings>) -> Self {
        Self { rules, settings }
    }

    /// Takes one event (a row of a batch) with all its hits (never empty, no rule that alerts at once).
    pub fn take(&mut self, batch: &EventBatch, row: usize, hits: &[Hit]) {
        let _ = (batch, row, hits, &self.rules, &self.settings);
    }

    /// When all input is read: merges what the threads collected, in a way that does not depend on how events were
    /// spread over them, runs the tails and sends their alerts.
    pub fn finish(collectors: Vec<Self>, sink: &mut dyn AlertSink) -> TailStats {
        let _ = (collectors, sink);
        TailStats::default()
    }
}

/// What the tails did and what they gave up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TailStats {
    /// Hits that were collected.
    pub collected: u64,
    /// Hits that were dropped because the budget was spent, by rule index.
    pub dropped: Vec<(u32, u64)>,
}
