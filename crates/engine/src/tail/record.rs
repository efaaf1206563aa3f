//! What one rule's runs have done so far: so that nothing is alerted twice, and no run raises more than it may.

use std::sync::Arc;

use lurcher_ir::{Overflow, Rule};
use lurcher_schema::Timestamp;
use rustc_hash::FxHashMap;

use super::{
    RawMatch,
    rule_tail::{RuleTail, Share},
};
use crate::{
    Alert, AlertSink, LedgerEntry, RuleSet, RunSummary,
    suppression::{self, Fate, Suppressor},
};

/// Where alerts are told at once, and when that is.
pub(super) struct Telling<'a> {
    pub(super) sink: &'a mut dyn AlertSink,
    pub(super) now: Timestamp,
}

/// What one rule's runs have done so far.
#[derive(Debug)]
pub(super) struct Record {
    /// The matches that were taken, by key, and the last run that found them.
    seen: FxHashMap<u64, Timestamp>,
    /// The ids of the alerts that they were.
    ids: FxHashMap<String, Timestamp>,
    /// Matches that were beyond what a run may raise, and the last such run.
    over: FxHashMap<u64, Timestamp>,
    suppressor: Suppressor,
    pub(super) summary: RunSummary,
}

impl Record {
    /// Of no run.
    pub(super) fn new(number: u32, rule: &Rule) -> Self {
        Self {
            seen: FxHashMap::default(),
            ids: FxHashMap::default(),
            over: FxHashMap::default(),
            suppressor: Suppressor::new(rule),
            summary: RunSummary { rule: number, ..RunSummary::default() },
        }
    }

    /// A run begins.
    pub(super) fn begin_run(&mut self) {
        self.suppressor.begin_run();
    }

    /// Whether a match was beyond what a run may raise, in this run or a later one.
    pub(super) fn waits_since(&self, run: Timestamp) -> bool {
        self.over.values().any(|last| *last >= run)
    }

    /// Makes alerts of what a run found and nobody has found before. Where they are told at once (`told`), each goes there
    /// when it is raised and again when another is counted in it; else they wait for [`Record::finish`].
    pub(super) fn take(
        &mut self,
        (rule, rules): (&Arc<Rule>, &RuleSet),
        mut matches: Vec<RawMatch>,
        entry: &mut LedgerEntry,
        share: &mut Share<'_>,
        tail: &mut RuleTail,
        mut told: Option<Telling<'_>>,
    ) {
        let before = *entry;
        let schedule = &rule.meta.schedule;
        let most = schedule.max_alerts.unwrap_or(u64::MAX);
        let surplus = (matches.len() as u64).saturating_sub(most);
        if schedule.overflow == Overflow::KeepLatest && surplus > 0 {
            let dropped = matches.drain(..surplus as usize).map(|found| found.key());
            let new: Vec<u64> = dropped.filter(|key| !self.seen.contains_key(key)).collect();
            entry.capped += new.len() as u64;
            self.over.extend(new.into_iter().map(|key| (key, entry.time)));
        }
        if told.is_none() {
            self.begin_run();
        }
        for found in matches {
            let key = found.key();
            if let Some(last) = self.seen.get_mut(&key) {
                *last = entry.time.max(*last);
                entry.known += 1;
                continue;
            }
            let full = entry.created >= most;
            if full && rule.meta.suppression.is_none() {
                entry.capped += 1;
                self.over.insert(key, entry.time);
                continue;
            }
            let raised = tail.reminder(&found);
            let mut alert = share.alert(rule, rules, found);
            if alert.is_of_nothing() {
                self.seen.insert(key, entry.time);
                continue;
            }
            alert.detected = Some(told.as_ref().map_or(entry.time, |telling| telling.now));
            let (mut capped, mut taken) = (false, false);
            for alert in suppression::each(alert) {
                if self.ids.contains_key(&alert.id) {
                    entry.known += 1;
                    continue;
                }
                if entry.created >= most && self.suppressor.would_raise(&alert, Some(entry.time)) {
                    entry.capped += 1;
                    capped = true;
                    continue;
                }
                taken = true;
                self.ids.insert(alert.id.clone(), entry.time);
                let fate = self.suppressor.offer(alert, Some(entry.time));
                match fate {
                    Fate::Raised(_) => entry.created += 1,
                    Fate::Counted(_) => entry.suppressed += 1,
                }
                if let Some(telling) = &mut told {
                    self.tell(fate, telling.sink);
                }
            }
            if capped {
                self.over.insert(key, entry.time);
            } else {
                self.over.remove(&key);
                self.seen.insert(key, entry.time);
            }
            if taken {
                tail.remember(raised);
            }
        }
        self.summary.created += entry.created - before.created;
        self.summary.suppressed += entry.suppressed - before.suppressed;
        self.summary.known += entry.known - before.known;
        self.summary.capped_runs += u64::from(entry.capped > 0 && before.capped == 0);
    }

    fn tell(&self, fate: Fate, sink: &mut dyn AlertSink) {
        let (Fate::Raised(number) | Fate::Counted(number)) = fate;
        let Some(alert) = self.suppressor.alert(number) else { return };
        match fate {
            Fate::Raised(_) => sink.alert(alert.clone()),
            Fate::Counted(_) => sink.counted(alert),
        }
    }

    /// Forgets what no later run can find again: what no run has found since windows began at this time.
    pub(super) fn forget(&mut self, from: Timestamp, now: Timestamp) {
        self.seen.retain(|_, last| *last >= from);
        self.ids.retain(|_, last| *last >= from);
        let over = self.over.len();
        self.over.retain(|_, last| *last >= from);
        self.summary.lost += (over - self.over.len()) as u64;
        self.suppressor.forget(now);
    }

    /// The end: sends the alerts that waited.
    pub(super) fn finish(mut self, sink: &mut dyn AlertSink) -> RunSummary {
        self.summary.lost += self.over.len() as u64;
        let raised: Vec<Alert> = self.suppressor.finish();
        raised.into_iter().for_each(|alert| sink.alert(alert));
        self.summary
    }
}
