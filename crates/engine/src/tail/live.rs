//! Rules on a live stream: events as they come, runs as time goes on.
//!
//! A batch is scanned like any other. What needs no run is told at once: rules without a schedule that look at single
//! events. For a rule with a schedule an arrival counts as an early look of its next run: an event that passes its filter,
//! or completes its sequence, is alerted now if the window of that run will hold it, within what the run may raise. When
//! the run is due it looks at its whole window, as on the virtual clock, and finds what an early look could not: counts,
//! rows, absent events, events out of order. So an alert never waits for a schedule that it does not need, and in the end
//! the same are found as by [`crate::Simulation`] over the same events.
//!
//! * An event that arrives when every window that would hold it is over is *late*: it is told at once if it is looked at
//!   alone; else the first run that would have seen it looks again, when the next one is made.
//! * Every run is made, however late: after a pause [`Live::advance`] makes those that were due, in order.
//! * A run that is due need not be made at once: [`Live::pass`] only notes it, and [`Live::make_some`] makes as many as
//!   there is time for, so that a minute with thousands of runs holds up no event. What comes for the rule meanwhile lies
//!   aside, so the run finds what it would have found in time.
//! * What no later run can see is forgotten. What is kept lies in epochs of events, in memory up to the budget.
//! * A rule that keeps more than its part of the memory is stopped, and it is said ([`RuleHealth::stopped`]); so are those that
//!   keep most where all together keep more than there is. So is one at which the engine fails.
//!
//! All of it is a function of the batches and their times of arrival, whenever runs are made between them: after a crash
//! the same batches build the same state.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use lurcher_ir::{LookBack, Rule, Schedule, Tail};
use lurcher_schema::{EventBatch, RelativeTime, Rounding, Timestamp};
use rustc_hash::FxHashSet;

use super::{
    Collector, EventStore, Fields, Stores, TakenEvent,
    rule_tail::{RuleTail, Share},
    watch::Watch,
};
use crate::{AlertSink, RuleSet, ScanStats, Scanner, Settings, schedule::Timetable};

/// Events of one epoch, at most.
const EPOCH_EVENTS: usize = 65_536;
/// So many hits are gone through after each batch when it is looked which epochs are still held.
const SWEPT_AT_ONCE: usize = 16_384;
/// What is let go and takes more than this is freed by a thread of its own: it may be millions of small pieces.
const LARGE: u64 = 16 << 20;
/// A rule may hold this part of the tails' budget.
const RULE_SHARE: u64 = 4;
/// So long, by the times of arrival, a run that is due may wait, in microseconds.
const LONGEST_WAIT: i64 = 30_000_000;
/// Why a rule is stopped at which the engine fails.
const FAULT: &str = "the engine failed at what it has kept: a fault of lurcher, please report it with the rule";

/// Rules on a live stream.
#[derive(Debug)]
pub struct Live {
    rules: Arc<RuleSet>,
    settings: Arc<Settings>,
    pub(super) scanner: Scanner,
    fields: Fields,
    stores: Stores,
    epoch: u32,
    sweep: Option<Sweep>,
    watches: BTreeMap<u32, Watch>,
    /// When the next run of any rule is due, but for those that wait.
    due: Option<Timestamp>,
    /// The rules with a run that waits to be made, and when that was due.
    waiting: BTreeSet<(Timestamp, u32)>,
    now: Timestamp,
    /// How long after its window an event may still be looked at together with others.
    lateness: i64,
}

/// A look at which of the epochs before one are still held, rule by rule. What a rule holds of them only gets less, so it
/// need not be looked at all at once.
#[derive(Debug)]
struct Sweep {
    before: u32,
    used: FxHashSet<u32>,
    /// The rules up to this one have been looked at.
    done: Option<u32>,
}

/// How a rule fares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleHealth {
    /// The rule's index in [`RuleSet::rules`].
    pub rule: u32,
    /// When its last run was.
    pub last_run: Option<Timestamp>,
    /// When its next run is due; `None` if it waits for no run.
    pub next_run: Option<Timestamp>,
    /// How many runs there were.
    pub runs: u64,
    /// Alerts that it raised.
    pub created: u64,
    /// Alerts counted in others.
    pub suppressed: u64,
    /// Matches that no run could raise because of the most alerts a run may raise.
    pub lost: u64,
    /// Events that came after every window that would have held them.
    pub late: u64,
    /// Hits that it holds.
    pub held: u64,
    /// About how many bytes these take.
    pub held_bytes: u64,
    /// What went wrong last.
    pub error: Option<String>,
    /// Why it does not run any more.
    pub stopped: Option<String>,
}

/// How far back a rule looks from a time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookedBack {
    /// The first moment of the window of its next run.
    pub window: Timestamp,
    /// The first moment that it has to know of for that: where its history begins.
    pub reach: Timestamp,
}

impl LookedBack {
    /// From a time on. `None` if the rule looks at each event alone, as it comes.
    pub fn of(rules: &RuleSet, rule: u32, now: Timestamp) -> Option<Self> {
        let published = rules.rules().get(rule as usize)?;
        if rules.is_immediate(rule) && !published.meta.schedule.recurs() {
            return None;
        }
        let timetable = timetable(published)?;
        let window = timetable.window(timetable.next(now).unwrap_or(now)).from;
        Some(Self { window, reach: timetable.horizon(published, now) })
    }
}

/// Events of a span that came too late for its runs to look at them together with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The rule's index in [`RuleSet::rules`].
    pub rule: u32,
    /// The time of the first.
    pub first: Timestamp,
    /// The time of the last.
    pub last: Timestamp,
}

impl Live {
    /// These rules from a time on, nothing seen. `lateness` says how long hits are kept beyond their windows, for events
    /// that come late.
    pub fn new(rules: Arc<RuleSet>, settings: &Settings, now: Timestamp, lateness: std::time::Duration) -> Self {
        let settings = Arc::new(Settings { live: true, simulation: None, now, ..settings.clone() });
        let mut live = Self {
            scanner: Scanner::new(Arc::clone(&rules), Arc::clone(&settings)),
            fields: Fields::new(Arc::clone(rules.schemas())),
            stores: Stores::default(),
            epoch: 0,
            sweep: None,
            watches: BTreeMap::new(),
            due: None,
            waiting: BTreeSet::new(),
            now,
            lateness: i64::try_from(lateness.as_micros()).unwrap_or(i64::MAX),
            rules,
            settings,
        };
        live.begin_epoch();
        for number in 0..live.rules.rules().len() as u32 {
            let idle = RuleTail::new(&live.rules.rules()[number as usize], &live.settings);
            if idle.runs_without_events() {
                live.scanner.collector().tails.insert(number, idle);
                live.watch(number);
            }
        }
        live
    }

    /// The rules.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Takes a batch that arrived at a time, which is never before that of an earlier call, and not after a run that is due
    /// ([`Live::due`]) which an earlier batch came before. Runs that were due do not see it, though they may still wait.
    pub fn take(&mut self, batch: &EventBatch, received: Timestamp, sink: &mut dyn AlertSink) {
        self.pass(received, sink);
        self.scanner.scan(batch, sink);
        self.look_at_new(sink);
        self.sweep_some();
        // Where there are too many events for memory, twice as many go to the file as came: all at once would take seconds.
        if self.stores.held() > self.settings.tail_budget / 2 {
            self.stores.send_away(2 * batch.rows());
        }
    }

    /// Looks at what the last batch has brought.
    pub(super) fn look_at_new(&mut self, sink: &mut dyn AlertSink) {
        let fresh = std::mem::take(&mut self.scanner.collector().fresh);
        self.look_early(&fresh, sink);
        if self.scanner.collector().store.len() >= EPOCH_EVENTS || self.scanner.collector().store.is_full() {
            self.begin_epoch();
        }
    }

    /// Says what time it is, and makes the runs that are due, in order of time.
    pub fn advance(&mut self, now: Timestamp, sink: &mut dyn AlertSink) {
        self.pass(now, sink);
        self.make_some(sink, &mut |_| true);
    }

    /// Says what time it is. Runs that are due wait from now on; only those that can wait no longer are made.
    pub fn pass(&mut self, now: Timestamp, sink: &mut dyn AlertSink) {
        self.now = self.now.max(now);
        let now = self.now;
        let tails = &mut self.scanner.collector().tails;
        if self.due.is_some_and(|due| due <= now) {
            for (number, watch) in self.watches.iter().filter(|(_, watch)| watch.is_due(now)) {
                if let (Some(due), Some(tail)) = (watch.due(), tails.get_mut(number)) {
                    tail.wait();
                    self.waiting.insert((due, *number));
                }
            }
            self.note_due();
        }
        let tails = &self.scanner.collector().tails;
        let cannot_wait = |(due, number): &&(Timestamp, u32)| {
            let next = || self.watches.get(number)?.due_after(tails.get(number)?.aside_since()?);
            due.0.saturating_add(LONGEST_WAIT) <= now.0 || next().is_some_and(|next| next <= now)
        };
        let pressing: Vec<u32> = self.waiting.iter().filter(cannot_wait).map(|(_, number)| *number).collect();
        self.scanner.collector().now = now;
        self.catch_up(pressing, sink, &mut |_| true);
    }

    /// Makes runs that wait, as long as `goes_on` says so after those of each rule, which it is told: first of rules for
    /// which something came that can be told at once then, and in the order in which they were due.
    pub fn make_some(&mut self, sink: &mut dyn AlertSink, goes_on: &mut dyn FnMut(u32) -> bool) {
        let tails = &self.scanner.collector().tails;
        let mut waiting: Vec<u32> = self.waiting.iter().map(|(_, number)| *number).collect();
        waiting.sort_by_key(|number| !tails.get(number).is_some_and(RuleTail::is_urgent));
        self.catch_up(waiting, sink, goes_on);
    }

    /// When something is due next, apart from runs that wait.
    pub fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// When the first of the runs was due that wait to be made.
    pub fn waits_since(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// Makes the runs of these rules that are due.
    fn catch_up(&mut self, numbers: Vec<u32>, sink: &mut dyn AlertSink, goes_on: &mut dyn FnMut(u32) -> bool) {
        if numbers.is_empty() {
            return;
        }
        let now = self.now;
        self.with_each(numbers, sink, &mut |watch, tail, rule, desk| {
            watch.catch_up(tail, rule, desk, now);
            goes_on(watch.number())
        });
        let tails = &self.scanner.collector().tails;
        self.waiting.retain(|(_, number)| tails.get(number).is_some_and(RuleTail::waits));
        self.note_due();
    }

    /// Looks up when something is due next.
    fn note_due(&mut self) {
        let now = self.now;
        let next = |watch: &Watch| if watch.is_due(now) { watch.due_after(now) } else { watch.due() };
        self.due = self.watches.values().filter_map(next).min();
    }

    /// The events of which something was kept since this was last asked.
    pub fn taken(&mut self) -> Vec<TakenEvent> {
        std::mem::take(&mut self.scanner.collector().taken)
    }

    /// How long a rule looks back, with the lateness; `None` if it keeps nothing.
    pub fn horizon(&self, rule: u32) -> Option<std::time::Duration> {
        let watch = self.watches.get(&rule)?;
        let micros = self.now.0.saturating_sub(watch.horizon(&self.rules.rules()[rule as usize], self.now).0);
        Some(std::time::Duration::from_micros(micros.saturating_add(self.lateness).unsigned_abs()))
    }

    /// What was missed since this was last asked: events that came longer after their windows than [`Live`] waits for
    /// events that come late. Events that are looked at alone are never missed.
    pub fn missed(&mut self) -> Vec<Missed> {
        self.watches.values_mut().filter_map(Watch::missed).collect()
    }

    /// What was scanned so far.
    pub fn stats(&self) -> &ScanStats {
        self.scanner.stats()
    }

    /// How the rules fare that keep anything, by their index.
    pub fn health(&mut self) -> Vec<RuleHealth> {
        let Self { scanner, watches, .. } = self;
        let tails = &scanner.collector().tails;
        watches.iter().map(|(number, watch)| watch.health(tails.get(number))).collect()
    }

    fn watch(&mut self, number: u32) {
        let rule = &self.rules.rules()[number as usize];
        let Some(timetable) = timetable(rule) else { return };
        let watch = Watch::new(number, rule, timetable, self.now);
        self.due = self.due.into_iter().chain(watch.due()).min();
        self.watches.insert(number, watch);
    }

    /// Looks at what came, for the rules that need not wait. Where a run has to be made first, what came waits for that.
    fn look_early(&mut self, fresh: &BTreeSet<u32>, sink: &mut dyn AlertSink) {
        for number in fresh {
            if !self.watches.contains_key(number) {
                self.watch(*number);
            }
        }
        let tails = &self.scanner.collector().tails;
        let free = fresh.iter().copied().filter(|number| tails.get(number).is_some_and(|tail| !tail.waits())).collect();
        let now = self.now;
        self.with_each(free, sink, &mut |watch, tail, rule, desk| {
            watch.look_early(tail, rule, desk, now);
            true
        });
    }

    /// Does something with each of these rules that keeps something, as long as it says to go on.
    fn with_each(
        &mut self,
        numbers: Vec<u32>,
        sink: &mut dyn AlertSink,
        each: &mut dyn FnMut(&mut Watch, &mut RuleTail, &Arc<Rule>, &mut Desk<'_, '_>) -> bool,
    ) {
        if numbers.is_empty() {
            return;
        }
        let collector: &mut Collector = self.scanner.collector();
        let open = std::mem::replace(&mut collector.store, EventStore::new(0));
        self.stores.put(self.epoch, open);
        for number in numbers {
            let (Some(watch), Some(rule)) = (self.watches.get_mut(&number), self.rules.rules().get(number as usize))
            else {
                continue;
            };
            let share =
                Share { fields: &self.fields, stores: &mut self.stores, settings: &self.settings, end: self.now };
            let mut desk = Desk { share, rules: &self.rules, sink: &mut *sink, lateness: self.lateness };
            let Some(tail) = collector.tails.get_mut(&number) else { continue };
            match catch_unwind(AssertUnwindSafe(|| each(watch, tail, rule, &mut desk))) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => {
                    watch.stop(FAULT.to_owned());
                    *tail = RuleTail::stopped(rule, &self.settings);
                }
            }
        }
        if let Some(open) = self.stores.take(self.epoch) {
            collector.store = open;
        }
        self.relieve();
    }

    /// Stops the rules that keep most until none keeps more than its part of the memory, and what all keep fits into it.
    fn relieve(&mut self) {
        let budget = self.settings.tail_budget;
        let part = budget / RULE_SHARE;
        let tails = &mut self.scanner.collector().tails;
        let mut all: u64 = tails.values().map(|tail| tail.bytes).sum();
        while let Some((number, bytes)) =
            tails.iter().map(|(number, tail)| (*number, tail.bytes)).max_by_key(|(_, bytes)| *bytes)
            && (bytes > part || all > budget)
            && let Some(rule) = self.rules.rules().get(number as usize)
        {
            if let Some(watch) = self.watches.get_mut(&number) {
                watch.stop(if bytes > part {
                    format!("its hits take more than {part} bytes of memory")
                } else {
                    format!(
                        "all rules together keep more than {budget} bytes of hits in memory, and this one most: {bytes}"
                    )
                });
            }
            if let Some(tail) = tails.insert(number, RuleTail::stopped(rule, &self.settings)) {
                free(tail);
            }
            self.waiting.retain(|(_, waiting)| *waiting != number);
            all = all.saturating_sub(bytes.max(1));
        }
    }

    /// Puts the open epoch away.
    fn begin_epoch(&mut self) {
        let part = self.settings.tail_budget / 2;
        let collector = self.scanner.collector();
        let closed = std::mem::replace(&mut collector.store, EventStore::new(part).numbered(self.epoch + 1));
        if closed.len() > 0 {
            self.stores.put(self.epoch, closed);
        }
        self.epoch += 1;
        self.sweep.get_or_insert_with(|| Sweep { before: self.epoch, used: FxHashSet::default(), done: None });
    }

    /// Goes on looking which epochs are still held, and in the end lets go of the others.
    fn sweep_some(&mut self) {
        let Some(sweep) = &mut self.sweep else { return };
        let mut looked_at = 0;
        while looked_at < SWEPT_AT_ONCE {
            let rest = (sweep.done.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
            let Some((number, tail)) = self.scanner.collector().tails.range(rest).next() else {
                let unused = |number: &u32| *number < sweep.before && !sweep.used.contains(number);
                for number in self.stores.numbers().into_iter().filter(unused) {
                    self.stores.take(number);
                }
                self.sweep = None;
                return;
            };
            tail.stores(&mut sweep.used);
            looked_at += tail.len() + 1;
            sweep.done = Some(*number);
        }
    }
}

/// Lets go of what a rule held.
fn free(tail: RuleTail) {
    if tail.bytes > LARGE {
        // Where there is no thread to be had it is freed here.
        let _ = std::thread::Builder::new().name("free".to_owned()).spawn(move || drop(tail));
    }
}

/// What all watches share.
pub(super) struct Desk<'a, 's> {
    pub(super) share: Share<'a>,
    pub(super) rules: &'a RuleSet,
    pub(super) sink: &'s mut dyn AlertSink,
    pub(super) lateness: i64,
}

fn timetable(rule: &Rule) -> Option<Timetable> {
    Timetable::of(&rule.meta.schedule).or_else(|| unscheduled(rule))
}

/// The schedule of a rule whose vendor states none, where it has to wait for more than one event: every minute over the last
/// hour, or over twice what it spans.
fn unscheduled(rule: &Rule) -> Option<Timetable> {
    let hour = 3600;
    let seconds = match &rule.body.as_ref()?.tail {
        Tail::Correlation(correlation) => correlation.longest_span().map_or(hour, |span| hour.max(span.as_secs() * 2)),
        _ => hour,
    };
    let date = |text: &str| RelativeTime::from_date_math(text, Rounding::Down);
    Timetable::of(&Schedule {
        interval: Some(std::time::Duration::from_mins(1)),
        look_back: Some(LookBack { from: date(&format!("now-{seconds}s"))?, to: date("now")? }),
        ..Schedule::default()
    })
}
