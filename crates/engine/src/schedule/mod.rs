//! The schedule on a virtual clock: when a rule would have run, and what it would have looked at.
//!
//! A run looks at a window of time that is relative to when it runs. Runs of an interval begin at its multiples since
//! 1970, so that they do not depend on what the data begins with; the others follow their cron line. There may be a
//! hundred thousand runs in a year: none is made that sees nothing, and where runs see the same they are found by
//! bisection, which works since both ends of the window only ever move forward.

mod ledger;
mod timetable;

use lurcher_ir::{LookBack, Schedule};
use lurcher_schema::Timestamp;

pub use self::ledger::{LedgerEntry, RunSummary};
pub(crate) use self::timetable::Timetable;
use crate::terms::Window;

/// Rules run on a virtual clock over the events' own time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Simulation {
    /// No run before this; `None`: as soon as there are events.
    pub from: Option<Timestamp>,
    /// No run after this; `None`: until every event has been looked at.
    pub to: Option<Timestamp>,
}

/// The runs of one rule, in order.
#[derive(Clone, Debug)]
pub(crate) struct Runs {
    times: Times,
    look_back: LookBack,
}

#[derive(Clone, Debug)]
enum Times {
    Every { first: i64, step: i64, count: usize },
    Listed(Vec<Timestamp>),
}

/// However long a window's end is behind its run, runs end so long after the last event.
const LONGEST_DELAY: i64 = 32 * 86_400_000_000;
/// A rule does not run more often than this.
pub(crate) const SHORTEST_STEP: i64 = 1_000_000;
/// More runs than this are not made of a cron line (a run a minute for forty years).
const MOST_LISTED: usize = 21_000_000;

impl Runs {
    /// The runs that it takes to look at events from the first to the last. `None` if the rule has no schedule.
    pub(crate) fn new(
        schedule: &Schedule,
        simulation: Simulation,
        (first, last): (Timestamp, Timestamp),
    ) -> Option<Self> {
        let look_back = schedule.look_back.clone()?;
        let begin = simulation.from.unwrap_or(first);
        let enough = |run: Timestamp| run >= last && look_back.to.at(run) >= last;
        let end = Timestamp(last.0.saturating_add(LONGEST_DELAY));
        let over = |run: Timestamp| simulation.to.is_some_and(|to| run > to) || run > end;
        let times = match (&schedule.cron, schedule.interval) {
            (Some(cron), _) => {
                let mut listed = Vec::new();
                let mut next = cron.next(begin);
                while let Some(run) = next.filter(|run| !over(*run) && listed.len() < MOST_LISTED) {
                    listed.push(run);
                    if simulation.to.is_none() && enough(run) {
                        break;
                    }
                    next = cron.next(Timestamp(run.0 + 1));
                }
                Times::Listed(listed)
            }
            (None, Some(interval)) => {
                let step = i64::try_from(interval.as_micros()).ok()?.max(SHORTEST_STEP);
                let first = begin.0.div_euclid(step).saturating_add(i64::from(begin.0.rem_euclid(step) > 0)) * step;
                let end = simulation.to.map_or(end, |to| to.min(end));
                let most = end.0.saturating_sub(first).div_euclid(step) + 1;
                let mut every = Times::Every { first, step, count: usize::try_from(most).unwrap_or(0) };
                if simulation.to.is_none() {
                    let needed = every.first_where(0, &enough) + 1;
                    if let Times::Every { count, .. } = &mut every {
                        *count = needed.min(*count);
                    }
                }
                every
            }
            (None, None) => return None,
        };
        Some(Self { times, look_back })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    /// When the run of this number is.
    pub(crate) fn at(&self, run: usize) -> Timestamp {
        self.times.at(run)
    }

    /// What it looks at.
    pub(crate) fn window(&self, run: usize) -> Window {
        let now = self.at(run);
        Window { from: self.look_back.from.at(now), to: self.look_back.to.at(now) }
    }

    /// The first run, not before this one, whose window reaches to a time.
    pub(crate) fn reaching(&self, from: usize, time: Timestamp) -> usize {
        self.times.first_where(from, &|run| self.look_back.to.at(run) >= time)
    }

    /// The first run, not before this one, whose window begins after a time.
    pub(crate) fn past(&self, from: usize, time: Timestamp) -> usize {
        self.times.first_where(from, &|run| self.look_back.from.at(run) > time)
    }

    /// The first run, not before this one, at or after a time.
    pub(crate) fn since(&self, from: usize, time: Timestamp) -> usize {
        self.times.first_where(from, &|run| run >= time)
    }
}

impl Times {
    fn len(&self) -> usize {
        match self {
            Self::Every { count, .. } => *count,
            Self::Listed(times) => times.len(),
        }
    }

    fn at(&self, run: usize) -> Timestamp {
        match self {
            Self::Every { first, step, .. } => Timestamp(first.saturating_add(step.saturating_mul(run as i64))),
            Self::Listed(times) => times.get(run).or(times.last()).copied().unwrap_or_default(),
        }
    }

    /// The first run, from one on, for which something is true that stays true; their number if there is none.
    fn first_where(&self, from: usize, is_true: &dyn Fn(Timestamp) -> bool) -> usize {
        // What is looked for is mostly near.
        let (mut low, mut step) = (from, 1);
        while low + step < self.len() && !is_true(self.at(low + step)) {
            low += step;
            step *= 2;
        }
        let mut high = (low + step).min(self.len());
        while low < high {
            let middle = low.midpoint(high);
            if is_true(self.at(middle)) { high = middle } else { low = middle + 1 }
        }
        low
    }
}

#[cfg(test)]
mod tests;
