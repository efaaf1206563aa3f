//! The schedule as time goes on: the next run, and what it will look at. The runs are those of [`super::Runs`].

use lurcher_ir::{LookBack, Schedule};
use lurcher_schema::{Cron, Timestamp};

use super::SHORTEST_STEP;
use crate::terms::Window;

/// More runs than this are not tried to find the one that first holds a time.
const MOST_TRIED: usize = 10_000;

/// When a rule runs, without end.
#[derive(Clone, Debug)]
pub(crate) struct Timetable {
    times: Times,
    look_back: LookBack,
}

#[derive(Clone, Debug)]
enum Times {
    /// At the multiples of so many microseconds since 1970.
    Every(i64),
    Cron(Cron),
}

impl Timetable {
    /// Of a schedule; `None` if it says nothing.
    pub(crate) fn of(schedule: &Schedule) -> Option<Self> {
        let look_back = schedule.look_back.clone()?;
        let times = match (&schedule.cron, schedule.interval) {
            (Some(cron), _) => Times::Cron(cron.clone()),
            (None, Some(interval)) => Times::Every(i64::try_from(interval.as_micros()).ok()?.max(SHORTEST_STEP)),
            (None, None) => return None,
        };
        Some(Self { times, look_back })
    }

    /// The first run after a time.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.times {
            Times::Every(step) => Some(Timestamp(after.0.div_euclid(*step).saturating_add(1).saturating_mul(*step))),
            Times::Cron(cron) => cron.next(Timestamp(after.0.saturating_add(1))),
        }
    }

    /// What a run looks at.
    pub(crate) fn window(&self, run: Timestamp) -> Window {
        Window { from: self.look_back.from.at(run), to: self.look_back.to.at(run) }
    }

    /// The first run whose window holds a time.
    pub(crate) fn first_holding(&self, time: Timestamp) -> Option<Timestamp> {
        let mut run = self.next(Timestamp(time.0.saturating_sub(1)))?;
        for _ in 0..MOST_TRIED {
            let window = self.window(run);
            if window.from > time {
                return None;
            }
            if window.to >= time {
                return Some(run);
            }
            run = self.next(run)?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lurcher_schema::{RelativeTime, Rounding};

    use super::*;

    fn every(minutes: u64, from: &str, to: &str) -> Timetable {
        let date = |text| RelativeTime::from_date_math(text, Rounding::Down).unwrap();
        Timetable::of(&Schedule {
            interval: Some(Duration::from_mins(minutes)),
            look_back: Some(LookBack { from: date(from), to: date(to) }),
            ..Schedule::default()
        })
        .unwrap()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn runs_are_at_multiples_of_the_interval() {
        let table = every(5, "now-9m", "now");
        assert_eq!(table.next(at("2026-03-02T08:05:00Z")), Some(at("2026-03-02T08:10:00Z")));
        assert_eq!(table.next(at("2026-03-02T08:04:59.9Z")), Some(at("2026-03-02T08:05:00Z")));
        assert_eq!(table.first_holding(at("2026-03-02T08:05:00Z")), Some(at("2026-03-02T08:05:00Z")));
        assert_eq!(table.first_holding(at("2026-03-02T08:05:01Z")), Some(at("2026-03-02T08:10:00Z")));
    }

    #[test]
    fn a_window_may_end_before_its_run() {
        let table = every(60, "now-70m", "now-10m");
        assert_eq!(table.first_holding(at("2026-03-02T08:55:00Z")), Some(at("2026-03-02T10:00:00Z")));
        assert_eq!(every(60, "now-10m", "now").first_holding(at("2026-03-02T08:30:00Z")), None);
    }
}
