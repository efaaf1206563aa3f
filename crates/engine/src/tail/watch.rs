//! One rule on a live stream: its next run, what that may already tell, and what its runs have done.

use std::{collections::BTreeSet, sync::Arc};

use lurcher_ir::{Rule, Sequence, Tail};
use lurcher_schema::{Object, Timestamp, Value};
use rustc_hash::FxHashMap;

use super::{
    EventId, RawMatch, RuleHealth,
    aside::Waiting,
    live::{Desk, Missed},
    record::{Record, Telling},
    rule_tail::{Kind, RuleTail},
};
use crate::{
    LedgerEntry,
    pipeline::extent,
    schedule::Timetable,
    sequence::{Automaton, Completed, KeyTuple, StepHit, compare_hits},
    terms::Window,
};

/// One rule on a live stream.
#[derive(Debug)]
pub(super) struct Watch {
    number: u32,
    timetable: Timetable,
    next: Option<Timestamp>,
    last_run: Option<Timestamp>,
    record: Record,
    /// What the next run has done already.
    open: Option<LedgerEntry>,
    prompt: Option<Prompt>,
    /// Of a correlation: up to when each key's last match has come.
    ongoing: FxHashMap<Vec<Value>, Timestamp>,
    late: u64,
    /// Runs that are over and have to look again.
    over: BTreeSet<Timestamp>,
    /// The times of events that came too late for any look at them together with others: the first and the last.
    missed: Option<(Timestamp, Timestamp)>,
    error: Option<String>,
    stopped: Option<String>,
}

impl Timetable {
    /// The earliest moment that the run after a time looks at, history included.
    pub(super) fn horizon(&self, rule: &Rule, now: Timestamp) -> Timestamp {
        let run = self.next(now).unwrap_or(now);
        let window = self.window(run);
        match rule.body.as_ref().map(|body| &body.tail) {
            Some(Tail::NewTerms(terms)) => terms.history.at(run).min(window.from),
            Some(Tail::Pipeline(pipeline)) => extent(pipeline.moments(), window, run).from,
            _ => window.from,
        }
    }
}

impl Watch {
    pub(super) fn new(number: u32, rule: &Rule, timetable: Timetable, now: Timestamp) -> Self {
        Self {
            number,
            next: timetable.next(now),
            timetable,
            last_run: None,
            record: Record::new(number, rule),
            open: None,
            prompt: Prompt::of(rule),
            ongoing: FxHashMap::default(),
            late: 0,
            over: BTreeSet::new(),
            missed: None,
            error: None,
            stopped: None,
        }
    }

    /// The rule's index in [`crate::RuleSet::rules`].
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// When its next run is due.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.next
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.next.is_some_and(|next| next <= now)
    }

    /// Lets the rule rest for good.
    pub(super) fn stop(&mut self, why: String) {
        self.stopped = Some(why);
        self.next = None;
    }

    /// The earliest moment that the run after a time looks at, history included.
    pub(super) fn horizon(&self, rule: &Rule, now: Timestamp) -> Timestamp {
        self.timetable.horizon(rule, now)
    }

    /// The events that came too late to be looked at together with others, since this was last asked.
    pub(super) fn missed(&mut self) -> Option<Missed> {
        let (first, last) = self.missed.take()?;
        Some(Missed { rule: self.number, first, last })
    }

    pub(super) fn health(&self, tail: Option<&RuleTail>) -> RuleHealth {
        let summary = &self.record.summary;
        RuleHealth {
            rule: self.number,
            last_run: self.last_run,
            next_run: self.next,
            runs: summary.runs,
            created: summary.created,
            suppressed: summary.suppressed,
            lost: summary.lost,
            late: self.late,
            held: tail.map_or(0, RuleTail::len) as u64,
            held_bytes: tail.map_or(0, |tail| tail.bytes),
            error: self.error.clone(),
            stopped: self.stopped.clone(),
        }
    }

    /// Looks at what came since the last look: alerts what the next run would alert whatever else comes, and single events
    /// that came late for the runs that would have seen them.
    pub(super) fn look_early(
        &mut self,
        tail: &mut RuleTail,
        rule: &Arc<Rule>,
        desk: &mut Desk<'_, '_>,
        now: Timestamp,
    ) {
        let times = std::mem::take(&mut tail.fresh);
        let Some(next) = self.next else { return };
        let window = self.timetable.window(next);
        let arrived = self.arrived(tail);
        tail.settle();
        let (mut early, mut late) = (Vec::new(), Vec::new());
        for Arrived { found, first } in arrived {
            let last = found.time.unwrap_or(first);
            if first >= window.from && last <= window.to {
                early.push(found);
            } else if first < window.from && found.events.len() == 1 {
                late.push((first, found));
            }
        }
        // What the last run could not raise comes first when the next one is made.
        let waiting = self.last_run.is_some_and(|last| self.record.waits_since(last));
        if !early.is_empty() && !waiting {
            self.raise(early, next, tail, rule, desk, now);
        }
        let alone = !late.is_empty();
        for (time, found) in late {
            // Windows shorter than the time between two runs leave times that no run looks at.
            if let Some(run) = self.timetable.first_holding(time) {
                self.late += 1;
                self.raise_late(vec![found], run, tail, rule, desk, now);
            }
        }
        if !alone {
            self.note_late(&times, tail.extent(window, next), desk.lateness);
        }
    }

    /// Notes the runs that are over and into whose windows events came late: they look again when the next run is made, at
    /// all that came until then, so that it does not matter which of them came together.
    fn note_late(&mut self, times: &[Option<Timestamp>], window: Window, lateness: i64) {
        for time in times.iter().flatten().filter(|time| **time < window.from) {
            self.late += 1;
            if time.0 < window.from.0.saturating_sub(lateness) {
                let (first, last) = self.missed.unwrap_or((*time, *time));
                self.missed = Some((first.min(*time), last.max(*time)));
            } else {
                self.over.extend(self.timetable.first_holding(*time));
            }
        }
    }

    /// Lets runs that are over look again at windows into which events came late.
    fn look_again(&mut self, tail: &mut RuleTail, rule: &Arc<Rule>, desk: &mut Desk<'_, '_>, now: Timestamp) {
        for run in std::mem::take(&mut self.over) {
            let (found, errors) = tail.find(rule, self.timetable.window(run), run, &mut desk.share);
            self.fail(errors);
            let found = self.new_ones(found, tail, desk);
            self.raise_late(found, run, tail, rule, desk, now);
        }
    }

    /// The first run after the one that waits at a time.
    pub(super) fn due_after(&self, time: Timestamp) -> Option<Timestamp> {
        self.next.and_then(|next| self.timetable.next(time.max(next)))
    }

    /// Makes the runs that are due, and looks at what came while they waited.
    pub(super) fn catch_up(&mut self, tail: &mut RuleTail, rule: &Arc<Rule>, desk: &mut Desk<'_, '_>, now: Timestamp) {
        if let Waiting::RunAndHits(aside) = std::mem::take(&mut tail.waiting) {
            self.make_runs(tail, rule, desk, aside.since);
            tail.merge(aside.hits);
            self.look_early(tail, rule, desk, now);
        }
        if self.is_due(now) {
            self.make_runs(tail, rule, desk, now);
        }
    }

    /// Makes the runs that are due.
    fn make_runs(&mut self, tail: &mut RuleTail, rule: &Arc<Rule>, desk: &mut Desk<'_, '_>, now: Timestamp) {
        tail.prepare();
        tail.settle();
        tail.fresh.clear();
        while let Some(run) = self.next.filter(|run| *run <= now) {
            self.look_again(tail, rule, desk, now);
            let window = self.timetable.window(run);
            let hits = tail.count(tail.extent(window, run));
            self.record.summary.runs += 1;
            if hits > 0 || tail.runs_without_events() {
                let (found, errors) = tail.find(rule, window, run, &mut desk.share);
                self.fail(errors);
                let found = self.new_ones(found, tail, desk);
                self.raise(found, run, tail, rule, desk, now);
            } else {
                self.record.summary.empty += 1;
            }
            if let Some(mut entry) = self.open.take() {
                entry.hits = hits;
                desk.sink.ledger(&entry);
            }
            self.last_run = Some(run);
            self.next = self.timetable.next(run);
        }
        let Some(next) = self.next else { return };
        let from = tail.extent(self.timetable.window(next), next).from;
        let before = Timestamp(from.0.saturating_sub(desk.lateness));
        tail.forget(before);
        self.record.forget(before, now);
        self.ongoing.retain(|_, last| *last >= before);
        if let (Some(prompt), Kind::Sequence { hits, .. }) = (&mut self.prompt, &tail.kind) {
            prompt.begin(hits.hits.iter().filter(|hit| hit.place.time >= from));
        }
    }

    /// What is found among new hits that no other hit can change.
    fn arrived(&mut self, tail: &RuleTail) -> Vec<Arrived> {
        let mut found = Vec::new();
        let (hits_seen, direct_seen) = tail.settled;
        for (place, id, row) in tail.direct.iter().flatten().skip(direct_seen) {
            found.extend(place.time.map(|first| {
                let found = RawMatch::of_event(*id, row.clone(), place.time);
                Arrived { found, first }
            }));
        }
        match (&tail.kind, &mut self.prompt) {
            (Kind::Events { limits, hits }, _) if limits.is_empty() => {
                for (place, id) in hits.iter().skip(hits_seen) {
                    found.extend(place.time.map(|first| {
                        let found = RawMatch::of_event(*id, Object::default(), place.time);
                        Arrived { found, first }
                    }));
                }
            }
            (Kind::Sequence { hits, .. }, Some(prompt)) => {
                found.extend(prompt.push(hits.hits.get(hits_seen..).unwrap_or_default()));
            }
            _ => {}
        }
        found
    }

    fn raise(
        &mut self,
        found: Vec<RawMatch>,
        run: Timestamp,
        tail: &mut RuleTail,
        rule: &Arc<Rule>,
        desk: &mut Desk<'_, '_>,
        now: Timestamp,
    ) {
        let window = self.timetable.window(run);
        let entry = self.open.take().unwrap_or_else(|| {
            self.record.begin_run();
            LedgerEntry::of(self.number, run, window)
        });
        self.open = Some(self.tell(found, entry, tail, rule, desk, now));
    }

    /// The same for a run that is over: its line of the ledger is told again, with what came late.
    fn raise_late(
        &mut self,
        found: Vec<RawMatch>,
        run: Timestamp,
        tail: &mut RuleTail,
        rule: &Arc<Rule>,
        desk: &mut Desk<'_, '_>,
        now: Timestamp,
    ) {
        let entry = LedgerEntry { late: 1, ..LedgerEntry::of(self.number, run, self.timetable.window(run)) };
        let entry = self.tell(found, entry, tail, rule, desk, now);
        desk.sink.ledger(&entry);
    }

    fn tell(
        &mut self,
        found: Vec<RawMatch>,
        mut entry: LedgerEntry,
        tail: &mut RuleTail,
        rule: &Arc<Rule>,
        desk: &mut Desk<'_, '_>,
        now: Timestamp,
    ) -> LedgerEntry {
        let telling = Telling { sink: &mut *desk.sink, now };
        self.record.take((rule, desk.rules), found, &mut entry, &mut desk.share, tail, Some(telling));
        entry
    }

    /// Without the matches of a correlation that only go on.
    fn new_ones(&mut self, mut found: Vec<RawMatch>, tail: &RuleTail, desk: &mut Desk<'_, '_>) -> Vec<RawMatch> {
        if !matches!(tail.kind, Kind::Correlation { .. }) {
            return found;
        }
        found.retain(|found| {
            let first = found.events.iter().flatten().next().and_then(|id| desk.share.stores.time(*id));
            let last = found.time.unwrap_or(Timestamp(i64::MIN));
            match self.ongoing.get_mut(&found.join_keys) {
                Some(known) if first.is_some_and(|first| first <= *known) => {
                    *known = last.max(*known);
                    false
                }
                _ => {
                    self.ongoing.insert(found.join_keys.clone(), last);
                    true
                }
            }
        });
        found
    }

    fn fail(&mut self, errors: Vec<String>) {
        self.error = errors.into_iter().next_back().or(self.error.take());
    }
}

/// What is found as soon as it is there, and the time of its first event.
struct Arrived {
    found: RawMatch,
    first: Timestamp,
}

/// The automaton of a sequence that is fed as hits arrive. It only hurries ahead: what it cannot be told (a hit older than
/// one of the same key) the next run finds.
#[derive(Debug)]
struct Prompt {
    sequence: Sequence,
    automaton: Automaton<(Timestamp, Option<EventId>)>,
    /// The last hit of each key.
    fed: FxHashMap<KeyTuple, Timestamp>,
}

impl Prompt {
    /// Of a rule whose matches later events cannot undo.
    fn of(rule: &Rule) -> Option<Self> {
        match rule.body.as_ref().map(|body| &body.tail) {
            Some(Tail::Sequence(sequence))
                if sequence.limits.is_empty() && !sequence.steps.iter().any(|step| step.missing) =>
            {
                Some(Self {
                    automaton: Automaton::new(sequence),
                    sequence: sequence.clone(),
                    fed: FxHashMap::default(),
                })
            }
            _ => None,
        }
    }

    /// Begins anew with these hits, which are in order and have been looked at.
    fn begin<'h>(&mut self, hits: impl Iterator<Item = &'h StepHit<Option<EventId>>>) {
        self.automaton = Automaton::new(&self.sequence);
        self.fed.clear();
        hits.for_each(|hit| drop(self.feed(hit)));
    }

    fn push(&mut self, hits: &[StepHit<Option<EventId>>]) -> Vec<Arrived> {
        let mut ordered: Vec<&StepHit<Option<EventId>>> = hits.iter().collect();
        ordered.sort_by(|a, b| compare_hits(self.sequence.steps.len(), a, b));
        ordered.into_iter().flat_map(|hit| self.feed(hit)).collect()
    }

    fn feed(&mut self, hit: &StepHit<Option<EventId>>) -> Vec<Arrived> {
        if self.fed.get(&hit.key).is_some_and(|last| *last > hit.place.time) {
            return Vec::new();
        }
        self.fed.insert(Arc::clone(&hit.key), hit.place.time);
        let event = (hit.place.time, hit.event);
        let hit = StepHit { place: hit.place.clone(), step: hit.step, key: Arc::clone(&hit.key), event };
        self.automaton.push(hit).into_iter().filter_map(Arrived::of_sequence).collect()
    }
}

impl Arrived {
    fn of_sequence(completed: Completed<(Timestamp, Option<EventId>)>) -> Option<Self> {
        let (first, _) = (*completed.events.first()?)?;
        let events = completed.events.into_iter().map(|event| event.and_then(|(_, id)| id)).collect();
        let join_keys = completed.key.to_vec();
        let found = RawMatch { events, join_keys, time: Some(completed.last.time), ..RawMatch::default() };
        Some(Self { found, first })
    }
}
