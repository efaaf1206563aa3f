//! Runs a [`RuleSet`] over batches of events. One per thread.

use std::sync::Arc;

use lurcher_schema::EventBatch;

use crate::{AlertSink, Collector, RuleSet, Settings, TailStats};

/// Runs a [`RuleSet`] over batches of events. One per thread; results do not depend on which scanner saw what.
#[derive(Debug)]
pub struct Scanner {
    rules: Arc<RuleSet>,
    settings: Arc<Settings>,
    collector: Collector,
    stats: ScanStats,
}

/// What was done, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanStats {
    /// Batches scanned.
    pub batches: u64,
    /// Events scanned.
    pub events: u64,
    /// Pairs of rule and event that were evaluated because the event had one of the rule's witnesses.
    pub candidates: u64,
    /// Pairs of filter and event that matched.
    pub matches: u64,
    /// Distinct values that were looked at, and how many of them were known already.
    pub values: u64,
    /// Of these, those that were known from an earlier batch.
    pub values_known: u64,
    /// Events whose signature was known.
    pub signatures_known: u64,
    /// Nanoseconds spent in computing fields from raw columns.
    pub normalise_nanos: u64,
    /// Nanoseconds spent in matching values.
    pub index_nanos: u64,
    /// Nanoseconds spent in evaluating rules.
    pub evaluate_nanos: u64,
    /// Nanoseconds spent in tails and in making alerts.
    pub tail_nanos: u64,
    /// What the tails did.
    pub tails: TailStats,
}

impl Scanner {
    /// A scanner with nothing collected.
    pub fn new(rules: Arc<RuleSet>, settings: Arc<Settings>) -> Self {
        let collector = Collector::new(Arc::clone(&rules), Arc::clone(&settings));
        Self { rules, settings, collector, stats: ScanStats::default() }
    }

    /// Scans a batch: alerts of rules that need a single event go to the sink at once, the rest is collected.
    pub fn scan(&mut self, batch: &EventBatch, sink: &mut dyn AlertSink) {
        let _ = (&self.rules, &self.settings, &self.collector, sink);
        self.stats.batches += 1;
        self.stats.events += batch.rows() as u64;
    }

    /// When all input is read: runs the tails over what all scanners of the run collected.
    pub fn finish(scanners: Vec<Self>, sink: &mut dyn AlertSink) -> ScanStats {
        let mut total = ScanStats::default();
        let mut collectors = Vec::new();
        for scanner in scanners {
            total.add(&scanner.stats);
            collectors.push(scanner.collector);
        }
        total.tails = Collector::finish(collectors, sink);
        total
    }
}

impl ScanStats {
    fn add(&mut self, other: &Self) {
        self.batches += other.batches;
        self.events += other.events;
        self.candidates += other.candidates;
        self.matches += other.matches;
        self.values += other.values;
        self.values_known += other.values_known;
        self.signatures_known += other.signatures_known;
        self.normalise_nanos += other.normalise_nanos;
        self.index_nanos += other.index_nanos;
        self.evaluate_nanos += other.evaluate_nanos;
        self.tail_nanos += other.tail_nanos;
    }
}
