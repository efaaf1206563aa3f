//! What comes for a rule while a run of it is due and not yet made: it lies aside, since that run must not see it.
//!
//! So a run finds the same whether it is made in the moment it is due or seconds later, when there is time.

use lurcher_schema::Timestamp;

use super::{
    rule_tail::{Kind, RuleTail, StepHits},
    terms_tail::TermsTail,
};
use crate::pipeline::Flow;

/// Whether a run waits to be made.
#[derive(Debug, Default)]
pub(super) enum Waiting {
    /// None is due.
    #[default]
    Nothing,
    /// One is due, and nothing has come since.
    Run,
    /// One is due, and this has come since.
    RunAndHits(Box<Aside>),
}

/// What came while a run waited.
#[derive(Debug)]
pub(super) struct Aside {
    /// When the first of it came.
    pub(super) since: Timestamp,
    pub(super) hits: RuleTail,
}

impl RuleTail {
    /// Says that a run is due and waits to be made.
    pub(super) fn wait(&mut self) {
        if matches!(self.waiting, Waiting::Nothing) {
            self.waiting = Waiting::Run;
        }
    }

    /// Whether a run waits to be made.
    pub(super) fn waits(&self) -> bool {
        !matches!(self.waiting, Waiting::Nothing)
    }

    /// Since when there are hits that lie aside.
    pub(super) fn aside_since(&self) -> Option<Timestamp> {
        match &self.waiting {
            Waiting::RunAndHits(aside) => Some(aside.since),
            Waiting::Nothing | Waiting::Run => None,
        }
    }

    /// Whether later hits cannot change what is found among those that lie aside, so that it can be told soon.
    pub(super) fn is_urgent(&self) -> bool {
        let Waiting::RunAndHits(aside) = &self.waiting else { return false };
        match &aside.hits.kind {
            Kind::Events { limits, .. } => limits.is_empty(),
            Kind::Sequence { sequence, .. } => sequence.limits.is_empty(),
            _ => aside.hits.direct.as_ref().is_some_and(|direct| !direct.is_empty()),
        }
    }

    /// Where what comes now has to go, if not here.
    pub(super) fn aside(&mut self, now: Timestamp) -> Option<&mut Self> {
        if matches!(self.waiting, Waiting::Run) {
            self.waiting = Waiting::RunAndHits(Box::new(Aside { since: now, hits: self.emptied() }));
        }
        match &mut self.waiting {
            Waiting::RunAndHits(aside) => Some(&mut aside.hits),
            Waiting::Nothing | Waiting::Run => None,
        }
    }

    /// One of the same rule without hits.
    fn emptied(&self) -> Self {
        let kind = match &self.kind {
            Kind::Nothing => Kind::Nothing,
            Kind::Events { limits, .. } => Kind::Events { limits: limits.clone(), hits: Vec::new() },
            Kind::Sequence { sequence, .. } => Kind::Sequence { sequence: sequence.clone(), hits: StepHits::default() },
            Kind::Sample { steps, per_key, limits, .. } => Kind::Sample {
                steps: steps.clone(),
                per_key: *per_key,
                limits: limits.clone(),
                hits: StepHits::default(),
            },
            Kind::Correlation { correlation, .. } => Kind::Correlation {
                correlation: correlation.clone(),
                hits: Vec::new(),
                keys: rustc_hash::FxHashSet::default(),
            },
            Kind::Pipeline { plan, .. } => Kind::Pipeline { plan: std::sync::Arc::clone(plan), flow: Flow::new(plan) },
            Kind::Terms(terms) => TermsTail::new(&terms.tail).map_or(Kind::Nothing, Kind::Terms),
        };
        Self {
            order: self.order.clone(),
            kind,
            direct: self.direct.as_ref().map(|_| Vec::new()),
            arrivals: None,
            bytes: 0,
            settled: (0, 0),
            fresh: Vec::new(),
            live: self.live,
            waiting: Waiting::Nothing,
        }
    }
}
