//! What is kept of the events that pass a rule's filters, and what is made of it at the end.
//!
//! Each scanner has a [`Collector`]. What it keeps of an event is small (time, tiebreaker, keys, or the columns that a
//! pipeline's first stages made of it); the event itself is kept once for all rules, in memory up to a budget and beyond
//! it in a temporary file. When all input is read the collectors are brought together, sorted by (time, tiebreaker,
//! event), and run through the automaton, sampler or stages: so the order of files, threads and batches cannot matter.
//!
//! Pipelines that look at one row at a time do not wait for the end: their alerts are ready at once and leave with
//! [`Collector::drain`].

mod arrival;
mod aside;
mod fields;
mod found;
mod live;
mod prune;
mod record;
mod replay;
mod rule_tail;
mod store;
mod stores;
mod terms_tail;
mod watch;
mod windowed;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lurcher_ir::{FieldRef, Limit};
use lurcher_schema::{EventBatch, EventRef, Taxonomy, Timestamp, Value};

pub use self::live::{Live, LookedBack, Missed, RuleHealth};
pub(crate) use self::{
    fields::{AllFields, Fields, Known},
    found::{RawDetail, RawMatch, RawPairing},
    store::{EventId, EventStore, Extent},
    stores::Stores,
};
use self::{
    replay::Replay,
    rule_tail::{RuleTail, Share},
};
use crate::{
    Alert, AlertSink, Match, RuleSet, RunSummary, Settings,
    pipeline::{FieldExpr, RowSource},
    schedule::Runs,
};

/// An event passed this filter of this rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hit {
    /// The rule's index in [`RuleSet::rules`].
    pub rule: u32,
    /// The filter's index in the rule's body.
    pub filter: u32,
}

/// Rows go to the file when they take this part of the budget: sooner, there would be a multitude of small blocks.
const ROWS_SHARE: u64 = 4;

/// An event that a live run has kept something of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenEvent {
    /// Its place, see [`EventRef::ordinal`].
    pub ordinal: u64,
    /// The rules that it was kept for.
    pub rules: Vec<u32>,
}

/// Collects the hits of all rules whose tail needs more than one event at a time. One per thread.
#[derive(Debug)]
pub struct Collector {
    rules: Arc<RuleSet>,
    settings: Arc<Settings>,
    fields: Fields,
    store: EventStore,
    tails: BTreeMap<u32, RuleTail>,
    ready: Vec<Alert>,
    now: Timestamp,
    /// Of a live run: the rules with new hits, and the events that were kept for any rule.
    fresh: BTreeSet<u32>,
    taken: Vec<TakenEvent>,
    /// About how many bytes of rows are in memory.
    rows: u64,
    /// The first and last time of the events that were scanned.
    seen: Option<Span>,
    stats: TailStats,
}

impl Collector {
    /// An empty one.
    pub fn new(rules: Arc<RuleSet>, settings: Arc<Settings>) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
        Self {
            fields: Fields::new(Arc::clone(rules.schemas())),
            store: EventStore::new(settings.tail_budget / threads),
            tails: BTreeMap::new(),
            ready: Vec::new(),
            now: settings.now,
            fresh: BTreeSet::new(),
            taken: Vec::new(),
            rows: 0,
            seen: None,
            stats: TailStats::default(),
            rules,
            settings,
        }
    }

    /// Says that a batch is being scanned: runs on a virtual clock begin with the first event and end after the last, and a
    /// run over everything ends with the last.
    pub fn pass(&mut self, batch: &EventBatch) {
        let times = batch.times().iter().flatten();
        let ends = times.clone().min().zip(times.max()).map(|(first, last)| (*first, *last));
        self.seen = join(self.seen, ends);
    }

    /// Takes one event (a row of a batch) with all its hits (never empty, no rule that alerts at once).
    pub fn take(&mut self, batch: &EventBatch, row: usize, hits: &[Hit]) {
        self.fields.enter(batch);
        let mut hand = Hand { batch, row, fields: &mut self.fields, store: &mut self.store, kept: None };
        let mut bytes = 0;
        if self.settings.live {
            self.fresh.extend(hits.iter().map(|hit| hit.rule));
            let rules = hits.iter().map(|hit| hit.rule).collect();
            self.taken.push(TakenEvent { ordinal: hand.reference().ordinal, rules });
        }
        for hit in hits {
            let Some(rule) = self.rules.rules().get(hit.rule as usize) else { continue };
            let tail = self.tails.entry(hit.rule).or_insert_with(|| RuleTail::new(rule, &self.settings));
            self.stats.collected += 1;
            let counts = tail.take(hit.filter as usize, &mut hand, self.now);
            for columns in counts.matches {
                let found =
                    Match { events: vec![Some(batch.event(row))], event_count: 1, values: columns, ..Match::default() };
                self.ready.push(Alert::new(rule, self.rules.schemas(), found));
            }
            add(&mut self.stats.undated, hit.rule, counts.undated);
            add(&mut self.stats.capped, hit.rule, counts.capped);
            bytes += counts.bytes;
            self.rows += counts.rows;
        }
        if bytes > 0 {
            self.store.reserve(bytes);
            // A live run closes a store that is full, and sends its events away a few at a time.
            if !self.settings.live {
                self.store.make_room();
            }
        }
        if self.store.is_full() && self.rows > self.store.budget() / ROWS_SHARE && !self.keeps_rows() {
            self.send_rows_away();
        }
    }

    /// Whether rows are looked at while others come in, and so stay in memory.
    fn keeps_rows(&self) -> bool {
        self.settings.live
    }

    /// Sends the rows that wait to the file.
    fn send_rows_away(&mut self) {
        for tail in self.tails.values_mut() {
            let freed = tail.send_rows_away(&mut self.store);
            self.store.release(freed);
            self.stats.rows_spilled += freed;
        }
        self.rows = 0;
    }

    /// Sends the alerts that are ready. To be called now and then while scanning, so that they do not pile up.
    pub fn drain(&mut self, sink: &mut dyn AlertSink) {
        self.ready.drain(..).for_each(|alert| sink.alert(alert));
    }

    /// When all input is read: merges what the threads collected, in a way that does not depend on how events were
    /// spread over them, runs the tails and sends their alerts.
    pub fn finish(collectors: Vec<Self>, sink: &mut dyn AlertSink) -> TailStats {
        let mut stats = TailStats::default();
        let mut stores = Stores::default();
        let mut tails: BTreeMap<u32, RuleTail> = BTreeMap::new();
        let mut run: Option<(Arc<RuleSet>, Arc<Settings>)> = None;
        let mut seen: Option<Span> = None;
        for (number, mut collector) in collectors.into_iter().enumerate() {
            collector.drain(sink);
            seen = join(seen, collector.seen);
            stats.merge(collector.stats);
            stats.spilled += collector.store.spilled();
            stats.held += collector.store.reserved();
            stores.put(number as u32, collector.store);
            for (rule, mut tail) in collector.tails {
                tail.set_store(number as u32);
                match tails.entry(rule) {
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        entry.insert(tail);
                    }
                    std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().merge(tail),
                }
            }
            run.get_or_insert((collector.rules, collector.settings));
        }
        let Some((rules, settings)) = run else { return stats };
        for (number, rule) in rules.rules().iter().enumerate() {
            // Some pipelines find something in nothing, or have a fault to tell though no event came.
            if let std::collections::btree_map::Entry::Vacant(entry) = tails.entry(number as u32) {
                let idle = RuleTail::new(rule, &settings);
                if idle.runs_without_events() {
                    entry.insert(idle);
                }
            }
        }
        let fields = Fields::new(Arc::clone(rules.schemas()));
        let end = settings.until.or(seen.map(|(_, last)| last)).unwrap_or(settings.now);
        let clock = settings.simulation.and_then(|simulation| Some((simulation, span(tails.values(), seen)?)));
        for (number, tail) in tails {
            let Some(rule) = rules.rules().get(number as usize) else { continue };
            let mut share = Share { fields: &fields, stores: &mut stores, settings: &settings, end };
            let runs = clock.and_then(|(simulation, span)| Runs::new(&rule.meta.schedule, simulation, span));
            let errors = if let Some(runs) = &runs {
                let replay = Replay { number, rule, rules: &rules, runs };
                let (summary, errors) = replay.run(tail, &mut share, sink);
                stats.runs.push(summary);
                errors
            } else {
                let finished = tail.finish(rule, &mut share);
                add(&mut stats.capped, number, finished.capped);
                add(&mut stats.dropped, number, finished.dropped);
                replay::at_once(rule, &rules, finished.matches, &mut share, sink);
                finished.errors
            };
            stats.failed.extend(errors.into_iter().map(|error| (number, error)));
        }
        stats.unreadable = stores.lost;
        stats
    }
}

/// The first and the last of some times.
type Span = (Timestamp, Timestamp);

fn join(a: Option<Span>, b: Option<Span>) -> Option<Span> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// All times that runs have to do with: those of the events, those that rules order them by, those of their arrival.
fn span<'t>(tails: impl Iterator<Item = &'t RuleTail>, seen: Option<Span>) -> Option<Span> {
    let mut all = seen;
    for tail in tails {
        tail.places(&mut |time, arrival| {
            for time in [time, arrival].into_iter().flatten() {
                all = join(all, Some((time, time)));
            }
        });
    }
    all
}

fn add(counts: &mut Vec<(u32, u64)>, rule: u32, count: u64) {
    if count == 0 {
        return;
    }
    match counts.iter_mut().find(|(known, _)| *known == rule) {
        Some((_, known)) => *known += count,
        None => counts.push((rule, count)),
    }
}

/// What the tails did and what they gave up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TailStats {
    /// Hits that were collected.
    pub collected: u64,
    /// About how many bytes of rows and hits were held in memory at the end, beside the events. They count against the
    /// budget: events make room for them, and rows go to the file themselves.
    pub held: u64,
    /// Hits that were dropped because the event has no time that can be read, and the rule needs one, by rule index.
    pub undated: Vec<(u32, u64)>,
    /// Hits of which some combinations of join keys were dropped because there were too many, by rule index.
    pub capped: Vec<(u32, u64)>,
    /// Rows that were dropped because there was no room for them, by rule index: the earliest of a pipeline whose first
    /// stage over all rows is not an aggregation by keys.
    pub dropped: Vec<(u32, u64)>,
    /// Stages that failed, by rule index, and why; their rows are lost.
    pub failed: Vec<(u32, String)>,
    /// What each rule's runs on the virtual clock came to; none without such a clock, and none of rules without a
    /// schedule.
    pub runs: Vec<RunSummary>,
    /// Events that went to the temporary file.
    pub spilled: u64,
    /// About how many bytes of rows went to it, as they lie in memory.
    pub rows_spilled: u64,
    /// Events that could not be read back from it; alerts are without them.
    pub unreadable: u64,
}

impl TailStats {
    fn merge(&mut self, other: Self) {
        self.collected += other.collected;
        self.held += other.held;
        self.spilled += other.spilled;
        self.rows_spilled += other.rows_spilled;
        self.unreadable += other.unreadable;
        other.undated.into_iter().for_each(|(rule, count)| add(&mut self.undated, rule, count));
        other.dropped.into_iter().for_each(|(rule, count)| add(&mut self.dropped, rule, count));
        other.capped.into_iter().for_each(|(rule, count)| add(&mut self.capped, rule, count));
        self.failed.extend(other.failed);
    }
}

/// The event that is being scanned.
pub(crate) struct Hand<'a> {
    batch: &'a EventBatch,
    row: usize,
    fields: &'a mut Fields,
    store: &'a mut EventStore,
    kept: Option<EventId>,
}

impl Hand<'_> {
    /// Which event it is.
    pub(crate) fn reference(&self) -> EventRef {
        self.batch.reference(self.row)
    }

    /// Keeps the event, once.
    fn id(&mut self) -> EventId {
        *self.kept.get_or_insert_with(|| self.store.keep(self.batch, self.row))
    }
}

impl RowSource for Hand<'_> {
    fn field(&mut self, field: &FieldRef) -> Value {
        self.fields.in_batch(self.batch, self.row, field)
    }

    fn computed(&mut self, expr: &Arc<FieldExpr>) -> Value {
        match self.fields.known(self.batch, self.row, expr) {
            Known::Value(value) => value,
            place => {
                let value = expr.evaluate(self);
                self.fields.learn(expr, place, &value);
                value
            }
        }
    }

    fn whole(&mut self, taxonomy: Taxonomy) -> Value {
        self.fields.whole_row(self.batch, self.row, taxonomy)
    }

    fn fields(&mut self, taxonomy: Taxonomy) -> AllFields {
        self.fields.all_of_row(self.batch, self.row, taxonomy)
    }

    fn keep(&mut self) -> Option<EventId> {
        Some(self.id())
    }
}

/// Keeps the part of ordered matches that the limits say.
pub(crate) fn apply_limits<T>(matches: &mut Vec<T>, limits: &[Limit]) {
    for limit in limits {
        match limit {
            Limit::Head(count) => matches.truncate(usize::try_from(*count).unwrap_or(usize::MAX)),
            Limit::Tail(count) => {
                let surplus = matches.len().saturating_sub(usize::try_from(*count).unwrap_or(usize::MAX));
                matches.drain(..surplus);
            }
        }
    }
}

#[cfg(test)]
mod tests;
