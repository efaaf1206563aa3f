//! One rule's hits through the runs of a virtual clock.
//!
//! Runs are visited in order, but only those that may see something new: those between two changes of what lies in the
//! window (an event comes in, one falls out, a late one arrives) would find the same, and all of it is known.

use std::sync::Arc;

use lurcher_ir::Rule;
use lurcher_schema::Timestamp;

use super::{
    RawMatch,
    record::Record,
    rule_tail::{RuleTail, Share},
};
use crate::{
    Alert, AlertSink, LedgerEntry, RuleSet, RunSummary,
    schedule::Runs,
    suppression::{self, Suppressor},
};

/// One rule on the virtual clock.
pub(super) struct Replay<'a> {
    pub(super) number: u32,
    pub(super) rule: &'a Arc<Rule>,
    pub(super) rules: &'a RuleSet,
    pub(super) runs: &'a Runs,
}

/// The times of a rule's hits, in order, and of those among them that arrived late.
struct Timeline {
    times: Vec<Timestamp>,
    late: Vec<(Timestamp, Timestamp)>,
}

impl Replay<'_> {
    /// Goes through all runs, and sends alerts and ledger to the sink.
    pub(super) fn run(
        &self,
        mut tail: RuleTail,
        share: &mut Share<'_>,
        sink: &mut dyn AlertSink,
    ) -> (RunSummary, Vec<String>) {
        tail.bring_back(share.stores);
        tail.prepare();
        let timeline = Timeline::of(&tail);
        let mut record = Record::new(self.number, self.rule);
        record.summary.runs = self.runs.len() as u64;
        let mut errors = Vec::new();
        let mut run = 0;
        while run < self.runs.len() {
            let (window, now) = (self.runs.window(run), self.runs.at(run));
            let extent = tail.extent(window, now);
            let first = timeline.times.partition_point(|time| *time < extent.from);
            let behind = timeline.times.partition_point(|time| *time <= extent.to);
            let coming = timeline.times.get(behind).map(|time| self.runs.reaching(run + 1, *time));
            if first >= behind {
                let next = if tail.has_own_times() { run + 1 } else { coming.unwrap_or(self.runs.len()) };
                record.summary.empty += (next - run) as u64;
                run = next;
                continue;
            }
            let late = timeline.late_in(extent.from, extent.to).filter(|(_, arrival)| *arrival > now);
            let (late, arriving) = late.fold((0, None::<Timestamp>), |(count, first), (_, arrival)| {
                (count + 1, Some(first.map_or(*arrival, |first| first.min(*arrival))))
            });
            let hits = (behind - first) as u64 - late;
            let mut entry = LedgerEntry { hits, late, ..LedgerEntry::of(self.number, now, window) };
            if hits > 0 {
                let (matches, mut failed) = tail.find(self.rule, window, now, share);
                errors.append(&mut failed);
                record.take((self.rule, self.rules), matches, &mut entry, share, &mut tail, None);
            }
            let leaving = self.runs.past(run + 1, timeline.times[first]);
            let arriving = arriving.map(|time| self.runs.since(run + 1, time));
            let again = (entry.capped > 0 && entry.created > 0) || tail.depends_on_time();
            let change = [coming, arriving].into_iter().flatten().fold(leaving, usize::min);
            let next = if again { run + 1 } else { change.clamp(run + 1, self.runs.len()) };
            entry.repeats = (next - run - 1) as u64;
            sink.ledger(&entry);
            run = next;
        }
        errors.dedup();
        record.summary.hits = timeline.times.len() as u64;
        (record.summary.late, record.summary.missed) = timeline.late_and_missed(self.runs);
        if tail.has_own_times() {
            // What lies in no window may lie in the times that the rule names itself.
            record.summary.missed = 0;
        }
        (record.finish(sink), errors)
    }
}

impl Timeline {
    fn of(tail: &RuleTail) -> Self {
        let mut times = Vec::new();
        let mut late = Vec::new();
        tail.places(&mut |time, arrival| {
            let Some(time) = time else { return };
            times.push(time);
            late.extend(arrival.map(|arrival| (time, arrival)));
        });
        times.sort_unstable();
        late.sort_unstable();
        Self { times, late }
    }

    fn late_in(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &(Timestamp, Timestamp)> {
        let first = self.late.partition_point(|(time, _)| *time < from);
        self.late.iter().skip(first).take_while(move |(time, _)| *time <= to)
    }

    /// How many hits arrived after the first run that would have seen them, and how many no run ever saw.
    fn late_and_missed(&self, runs: &Runs) -> (u64, u64) {
        let (mut late, mut missed) = (0, 0);
        let seen_at = |time: Timestamp, arrival: Timestamp| {
            let reached = runs.reaching(0, time);
            let arrived = runs.since(reached, arrival);
            let seen = arrived < runs.len() && runs.window(arrived).from <= time;
            (arrived > reached, !seen)
        };
        for (time, arrival) in &self.late {
            let (was_late, was_missed) = seen_at(*time, *arrival);
            late += u64::from(was_late);
            missed += u64::from(was_missed);
        }
        let mut late_times = self.late.iter().map(|(time, _)| *time).peekable();
        for time in &self.times {
            if late_times.next_if_eq(time).is_none() {
                missed += u64::from(seen_at(*time, *time).1);
            }
        }
        (late, missed)
    }
}

impl Share<'_> {
    /// The alert that a match is.
    pub(super) fn alert(&mut self, rule: &Arc<Rule>, rules: &RuleSet, found: RawMatch) -> Alert {
        let found = found.read(self.stores, self.settings, rules.schemas());
        let mut alert = Alert::new(rule, rules.schemas(), found);
        // Its id is made from as many events as ids are made from.
        alert.events.truncate(self.settings.max_evidence);
        alert
    }
}

/// Matches of a rule in one window over everything.
pub(super) fn at_once(
    rule: &Arc<Rule>,
    rules: &RuleSet,
    matches: Vec<RawMatch>,
    share: &mut Share<'_>,
    sink: &mut dyn AlertSink,
) {
    if rule.meta.suppression.is_none() {
        for found in matches {
            let alert = share.alert(rule, rules, found);
            if !alert.is_of_nothing() {
                sink.alert(alert);
            }
        }
        return;
    }
    let mut suppressor = Suppressor::new(rule);
    let mut alerts: Vec<Alert> = matches.into_iter().map(|found| share.alert(rule, rules, found)).collect();
    alerts.retain(|alert| !alert.is_of_nothing());
    // Rows may come in the order of their keys; which of two has fired before the other is a matter of time.
    alerts.sort_by_key(|alert| alert.time);
    for alert in alerts.into_iter().flat_map(suppression::each) {
        let now = alert.time;
        suppressor.offer(alert, now);
    }
    suppressor.finish().into_iter().for_each(|alert| sink.alert(alert));
}
