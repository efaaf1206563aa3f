//! The state of the rules: the engine on its stream, what alerts add up to, and what is found on the way.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use lurcher_engine::{
    Alert, Compiler, Live, RuleHealth, RuleSet, Settings,
    risk::{RiskIncident, asks_for_risk},
};
use lurcher_journal::{Position, Record};
use lurcher_readers::{ReadOptions, record_number};
use lurcher_schema::{EventBatch, Timestamp};
use lurcher_triage::RiskEvent;

use super::{
    DetectorOptions, feed,
    findings::{Findings, risk_events},
    joined::{Joined, Joiner},
    risk::{LiveRisk, Remembered},
};
use crate::rules::Loaded;

/// The rules at work.
pub(super) struct State {
    live: Live,
    joiner: Joiner,
    rules: Arc<RuleSet>,
    risk: LiveRisk,
    /// Whether any rule looks at risk events.
    risk_is_asked_for: bool,
    loaded: Arc<Loaded>,
    options: ReadOptions,
    /// The latest time that it was told.
    now: Timestamp,
    /// What was found and not yet handed over.
    pub(super) findings: Findings,
    pub(super) incidents: Vec<RiskIncident>,
    pub(super) risk_events: Vec<RiskEvent>,
    pub(super) unreadable: Vec<(u64, String)>,
    pub(super) events: u64,
}

/// A record that rules kept something of, and for how long they look back at it.
pub(super) struct Taken {
    pub(super) position: Position,
    pub(super) horizon: Duration,
}

/// The engine failed at something that it was given.
#[derive(Debug)]
pub(super) struct Panicked;

impl State {
    /// The rules from a time on, with the risk that is known already.
    pub(super) fn new(
        loaded: &Arc<Loaded>,
        disabled: &BTreeSet<String>,
        known: Remembered,
        now: Timestamp,
        options: &DetectorOptions,
    ) -> Self {
        let runs =
            |rule: &&Arc<lurcher_ir::Rule>| rule.body.is_some() && !disabled.contains(&crate::rules::rule_id(rule));
        let rules = Compiler::new(Arc::clone(&loaded.schemas))
            .route(loaded.route)
            .add_all(loaded.rules.iter().filter(runs).cloned())
            .build();
        let settings = Settings { tail_budget: options.memory, ..loaded.settings.clone() };
        Self {
            live: Live::new(Arc::clone(&rules), &settings, now, options.lateness),
            joiner: Joiner::default(),
            risk: LiveRisk::new(&loaded.site, loaded.incidents, known, &loaded.rules),
            risk_is_asked_for: rules.rules().iter().any(|rule| asks_for_risk(rule)),
            findings: Findings::new(&rules),
            rules,
            loaded: Arc::clone(loaded),
            options: ReadOptions { now, unknown_is_mapped: true, ..ReadOptions::default() },
            now,
            incidents: Vec::new(),
            risk_events: Vec::new(),
            unreadable: Vec::new(),
            events: 0,
        }
    }

    /// How many rules run.
    pub(super) fn rules(&self) -> usize {
        self.rules.rules().len()
    }

    pub(super) fn rule(&self, number: u32) -> Option<&Arc<lurcher_ir::Rule>> {
        self.rules.rules().get(number as usize)
    }

    /// The latest time that it was told.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Up to when it has made the runs that were due.
    pub(super) fn made(&self) -> Timestamp {
        self.waits_since().map_or(self.now, |due| self.now.min(Timestamp(due.0.saturating_sub(1))))
    }

    /// When something is due next, apart from runs that wait to be made.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.live.due().into_iter().chain(self.joiner.due()).min()
    }

    /// When the first of the runs was due that wait to be made.
    pub(super) fn waits_since(&self) -> Option<Timestamp> {
        self.live.waits_since()
    }

    pub(super) fn health(&mut self) -> Vec<RuleHealth> {
        self.live.health()
    }

    /// Rules, and the times of their first and last event, of events that came too late to be looked at together.
    pub(super) fn missed(&mut self) -> Vec<(String, Timestamp, Timestamp)> {
        let missed = self.live.missed();
        let named = |missed: lurcher_engine::Missed| {
            let rule = self.rules.rules().get(missed.rule as usize)?;
            Some((crate::rules::rule_id(rule), missed.first, missed.last))
        };
        missed.into_iter().filter_map(named).collect()
    }

    /// The longest that any rule looks back.
    pub(super) fn longest(&self) -> Duration {
        (0..self.rules() as u32).filter_map(|rule| self.live.horizon(rule)).max().unwrap_or_default()
    }

    /// Takes records, in order; a run that is due before one of them does not see it, so that it does not matter which records
    /// are handed over together. Returns those that rules kept something of.
    pub(super) fn take(&mut self, records: &[(Position, Record)], clock: Timestamp) -> Result<Vec<Taken>, Panicked> {
        let mut taken = Vec::new();
        let mut rest = records;
        while let Some((_, first)) = rest.first() {
            if let Some(due) = self.due().filter(|due| *due <= first.received) {
                self.pass(due, clock)?;
                continue;
            }
            let due = self.due();
            let early = |(_, record): &(Position, Record)| due.is_none_or(|due| record.received < due);
            let together = rest.iter().take_while(|record| early(record)).count().max(1);
            let (now, later) = rest.split_at(together);
            taken.append(&mut self.take_together(now, clock)?);
            rest = later;
        }
        Ok(taken)
    }

    fn take_together(&mut self, records: &[(Position, Record)], clock: Timestamp) -> Result<Vec<Taken>, Panicked> {
        let received = records.iter().map(|(_, record)| record.received).max().unwrap_or(self.now);
        self.now = self.now.max(received);
        let joined = self.joiner.take(records);
        // How far back rules will look at them is not known yet.
        let horizon = if joined.held.is_empty() { Duration::ZERO } else { self.longest() };
        let mut taken: Vec<Taken> = joined.held.iter().map(|position| Taken { position: *position, horizon }).collect();
        taken.append(&mut self.take_joined(&joined, clock)?);
        Ok(taken)
    }

    /// Takes records that are read together; returns those that rules kept something of, with all that belong to them.
    fn take_joined(&mut self, joined: &Joined<'_>, clock: Timestamp) -> Result<Vec<Taken>, Panicked> {
        self.options.now = self.now;
        let mut batches: Vec<EventBatch> = Vec::new();
        let report = feed::read(&joined.ready, &self.options, &mut |batch| batches.push(batch));
        for problem in report.problems.iter().filter(|problem| problem.gravity == lurcher_readers::Gravity::Error) {
            let record = problem.place.strip_prefix("record ").and_then(|number| number.parse().ok());
            self.unreadable.push((record.unwrap_or_default(), problem.message.clone()));
        }
        self.findings.now = clock;
        let Self { live, findings, now, events, .. } = self;
        guarded(|| {
            for batch in &batches {
                *events += batch.rows() as u64;
                live.take(batch, *now, findings);
            }
        })?;
        // Before risk events are looked at, which lie in no journal.
        let kept = self.live.taken();
        let horizon = |rules: &[u32]| rules.iter().filter_map(|rule| self.live.horizon(*rule)).max();
        let mut taken = Vec::with_capacity(kept.len());
        for event in kept {
            let position = Position(record_number(event.ordinal));
            let horizon = horizon(&event.rules).unwrap_or_default();
            match joined.parts.get(&position) {
                Some(parts) => taken.extend(parts.iter().map(|part| Taken { position: *part, horizon })),
                None => taken.push(Taken { position, horizon }),
            }
        }
        self.add_up(clock)?;
        Ok(taken)
    }

    /// Says what time it is, and makes all runs that are due.
    pub(super) fn advance(&mut self, now: Timestamp, clock: Timestamp) -> Result<(), Panicked> {
        self.pass(now, clock)?;
        self.make_some(clock, &mut |_| true)
    }

    /// Says what time it is. Runs that are due wait to be made.
    pub(super) fn pass(&mut self, now: Timestamp, clock: Timestamp) -> Result<(), Panicked> {
        self.now = self.now.max(now);
        if self.joiner.due().is_some_and(|due| due <= self.now) {
            let joined = self.joiner.let_go(self.now);
            // What of it rules keep was kept when it was held back.
            self.take_joined(&joined, clock)?;
        }
        self.findings.now = clock;
        let Self { live, findings, now, .. } = self;
        guarded(|| live.pass(*now, findings))?;
        self.add_up(clock)
    }

    /// Makes runs that wait, as long as `goes_on` says so after those of each rule.
    pub(super) fn make_some(&mut self, clock: Timestamp, goes_on: &mut dyn FnMut(u32) -> bool) -> Result<(), Panicked> {
        self.findings.now = clock;
        let Self { live, findings, .. } = self;
        guarded(|| live.make_some(findings, goes_on))?;
        self.add_up(clock)
    }

    /// Counts alerts that others found, and wrote down with their risk, towards incidents.
    pub(super) fn count_risk_of(&mut self, alerts: &[Alert]) {
        self.incidents.extend(self.risk.take(alerts, &self.loaded.schemas, self.now));
    }

    /// Finds out what incidents have grown by since they were last told, as long as `goes_on` says so.
    pub(super) fn look_at_growth(&mut self, goes_on: &mut dyn FnMut() -> bool) {
        self.incidents.extend(self.risk.grown(&self.loaded.schemas, self.now, goes_on));
    }

    /// What the alerts that were just found add to the risk of their objects, and what searches over that find.
    fn add_up(&mut self, clock: Timestamp) -> Result<(), Panicked> {
        // Searches over risk find findings that may add no risk themselves, so this ends.
        for _ in 0..4 {
            let found = std::mem::take(&mut self.findings.found);
            if found.is_empty() {
                return Ok(());
            }
            let schemas = Arc::clone(&self.loaded.schemas);
            for alert in &found {
                self.risk_events.extend(risk_events(alert, &self.loaded.site, clock));
            }
            self.incidents.extend(self.risk.take(&found, &schemas, self.now));
            if self.risk_is_asked_for
                && let Some(batch) = self.risk.batch(&found, &schemas)
            {
                let Self { live, findings, now, .. } = self;
                guarded(|| live.take(&batch, *now, findings))?;
                // Risk events lie in no journal, so there is nothing to keep.
                live.taken();
            }
            self.findings.settle(found, clock);
        }
        // Findings about risk that add risk without end are told, and count no further.
        let rest = std::mem::take(&mut self.findings.found);
        self.findings.settle(rest, clock);
        Ok(())
    }
}

/// Runs the engine; a fault of it is caught, and the state is of no use afterwards.
fn guarded(work: impl FnOnce()) -> Result<(), Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}
