//! At most so many sends a minute: a bucket that fills steadily and holds a burst of a tenth of a minute's worth.
//! Measured on the monotonic clock, which nobody sets.

use std::time::Duration;

use tokio::time::Instant;

/// How fast one target may be sent to.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Between two sends, in the long run.
    step: Duration,
    /// How far ahead of the steady pace a burst may run.
    burst: Duration,
    /// When the bucket will be full again.
    full: Instant,
}

impl Pace {
    /// So many a minute, at least one.
    pub(crate) fn per_minute(sends: u32, now: Instant) -> Self {
        let step = Duration::from_mins(1) / sends.max(1);
        Self { step, burst: Duration::from_secs(6).max(step), full: now }
    }

    /// Takes one send and says how long to wait before it.
    pub(crate) fn take(&mut self, now: Instant) -> Duration {
        self.full = self.full.max(now) + self.step;
        self.full.saturating_duration_since(now).saturating_sub(self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_steadily() {
        let start = Instant::now();
        let mut pace = Pace::per_minute(60, start);
        let mut now = start;
        let waits: Vec<u64> = (0..10)
            .map(|_| {
                let wait = pace.take(now);
                now += wait;
                wait.as_secs()
            })
            .collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
        // After a rest there is a burst again, not more.
        now += Duration::from_hours(1);
        assert_eq!((0..7).filter(|_| pace.take(now).is_zero()).count(), 6);
        // One a minute: the first at once.
        let mut slow = Pace::per_minute(1, start);
        assert_eq!((slow.take(start), slow.take(start).as_secs()), (Duration::ZERO, 60));
    }
}
