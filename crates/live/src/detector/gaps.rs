//! Spans that were not looked at in time, and that they were looked at after all.
//!
//! * While the server was down, or its detector stood still, nothing was looked at; it is made up for when all records
//!   that are there have been taken and all runs that were due have been made.
//! * Events that come longer after their window than the engine waits for them are looked at alone, but not together with
//!   others: that is made up for over the tables ([`crate::fill`]).
//! * A rule that was stopped has not looked at anything since.

use std::{collections::BTreeMap, time::Duration};

use lurcher_schema::Timestamp;
use lurcher_triage::Gap;

/// The name under which it is kept up to when the detector has made all runs: its place is a time, in microseconds since 1970.
pub(super) const ALIVE: &str = "detector-alive";

/// A detector that shows no sign of life for so long stands still.
const STILL: Duration = Duration::from_mins(1);
/// Late events make a gap for each hour that they are of, in microseconds.
const HOUR: i64 = 3_600_000_000;

/// Why a window was not looked at.
pub(crate) const LATE: &str = "events came later than [live] lateness waits for them";
/// Why a rule looks at nothing any more.
pub(crate) const STOPPED: &str = "the rule was stopped";
const DOWN: &str = "the server was down";
const STOOD_STILL: &str = "the detector stood still";

/// Gaps that are open, and what is to be written down of them.
#[derive(Debug)]
pub(super) struct Gaps {
    alive: Option<Timestamp>,
    /// Of all rules; filled when the detector has caught up.
    open: Vec<Gap>,
    /// Rules that were stopped, since when, and up to when that was written down.
    stopped: BTreeMap<String, (Timestamp, Timestamp)>,
    changed: Vec<Gap>,
}

impl Gaps {
    /// After a start: the detector was last at work at this time, if it ever was.
    pub(super) fn after(alive: Option<Timestamp>, now: Timestamp) -> Self {
        let mut gaps = Self { alive, open: Vec::new(), stopped: BTreeMap::new(), changed: Vec::new() };
        gaps.beat_as(now, DOWN);
        gaps
    }

    /// The detector is at work.
    pub(super) fn beat(&mut self, now: Timestamp) {
        self.beat_as(now, STOOD_STILL);
    }

    fn beat_as(&mut self, now: Timestamp, reason: &str) {
        let still = STILL.as_micros() as i64;
        if let Some(alive) = self.alive.filter(|alive| now.0.saturating_sub(alive.0) > still) {
            let reason = reason.to_owned();
            let gap = Gap { rule_id: String::new(), from: alive, to: now, reason, filled_at: None };
            self.changed.push(gap.clone());
            self.open.push(gap);
        }
        self.alive = Some(now);
    }

    /// All records that are there have been taken, and all runs that were due have been made.
    pub(super) fn caught_up(&mut self, now: Timestamp) {
        let filled = self.open.drain(..).map(|gap| Gap { filled_at: Some(now), ..gap });
        self.changed.extend(filled);
    }

    /// Events of a rule came too late to be looked at together.
    pub(super) fn late(&mut self, rule: &str, first: Timestamp, last: Timestamp) {
        let hours = first.0.div_euclid(HOUR)..=last.0.div_euclid(HOUR);
        // Events from all over the years are looked at as one span.
        let step = usize::try_from((hours.end() - hours.start()) / 1000 + 1).unwrap_or(usize::MAX);
        for hour in hours.step_by(step) {
            let to = Timestamp((hour + step as i64) * HOUR - 1);
            let from = Timestamp(hour * HOUR);
            let gap = Gap { rule_id: rule.to_owned(), from, to, reason: LATE.to_owned(), filled_at: None };
            self.changed.push(gap);
        }
    }

    /// A rule does not run any more, or still does not.
    pub(super) fn stopped(&mut self, rule: &str, now: Timestamp) {
        let (since, told) = *self.stopped.entry(rule.to_owned()).or_insert((now, Timestamp(i64::MIN)));
        if now.0.saturating_sub(told.0) > STILL.as_micros() as i64 {
            self.stopped.insert(rule.to_owned(), (since, now));
            self.changed.push(stop(rule, since, now));
        }
    }

    /// All rules run again.
    pub(super) fn started(&mut self, now: Timestamp) {
        let stopped = std::mem::take(&mut self.stopped);
        self.changed.extend(stopped.iter().map(|(rule, (since, _))| stop(rule, *since, now)));
    }

    pub(super) fn add(&mut self, gaps: Vec<Gap>) {
        self.changed.extend(gaps);
    }

    /// What is to be written down.
    pub(super) fn take(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.changed)
    }
}

fn stop(rule: &str, from: Timestamp, to: Timestamp) -> Gap {
    Gap { rule_id: rule.to_owned(), from, to, reason: STOPPED.to_owned(), filled_at: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn spans(gaps: Vec<Gap>) -> Vec<(i64, i64, bool)> {
        gaps.iter().map(|gap| (gap.from.0 / MINUTE, gap.to.0 / MINUTE, gap.filled_at.is_some())).collect()
    }

    #[test]
    fn a_pause_is_a_gap_until_the_detector_has_caught_up() {
        let at = |minutes: i64| Timestamp(minutes * MINUTE);
        let mut gaps = Gaps::after(Some(at(10)), at(40));
        assert_eq!(spans(gaps.take()), [(10, 40, false)]);
        gaps.beat(at(41));
        assert_eq!(spans(gaps.take()), []);
        gaps.caught_up(at(41));
        assert_eq!(spans(gaps.take()), [(10, 40, true)]);
        gaps.beat(at(43));
        gaps.caught_up(at(43));
        assert_eq!(spans(gaps.take()), [(41, 43, false), (41, 43, true)]);
        assert_eq!(spans(Gaps::after(None, at(7)).take()), [], "a first start follows no pause");
    }

    #[test]
    fn late_events_leave_a_gap_an_hour_and_never_a_multitude() {
        let mut gaps = Gaps::after(None, Timestamp(0));
        gaps.late("r", Timestamp(61 * MINUTE), Timestamp(125 * MINUTE));
        assert_eq!(spans(gaps.take()), [(60, 119, false), (120, 179, false)]);
        gaps.late("r", Timestamp(-1), Timestamp(90_000 * HOUR));
        assert!(gaps.take().len() <= 1001);
    }

    #[test]
    fn a_stopped_rule_leaves_a_growing_gap() {
        let at = |minutes: i64| Timestamp(minutes * MINUTE);
        let mut gaps = Gaps::after(None, at(0));
        for minute in 1..4 {
            gaps.stopped("r", at(minute * 2));
            gaps.stopped("r", at(minute * 2));
        }
        gaps.started(at(9));
        assert_eq!(spans(gaps.take()), [(2, 2, false), (2, 4, false), (2, 6, false), (2, 9, false)]);
    }
}
