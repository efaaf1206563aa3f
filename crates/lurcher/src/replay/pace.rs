//! When each event is due, and by how much its times are moved.

use std::time::Duration;

use lurcher_schema::Timestamp;

/// How fast events go out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pace {
    /// As fast as they are taken.
    Unbounded,
    /// So many a second.
    Rate(f64),
    /// As far apart as they happened, divided by this.
    Speed(f64),
}

/// Where the times go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Aim {
    /// They stay.
    Stay,
    /// The first event happens at this time.
    First(Timestamp),
    /// The last event happens at this time.
    Last(Timestamp),
}

/// One passage through a data set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passage {
    pace: Pace,
    aim: Aim,
    first: Timestamp,
    last: Timestamp,
}

const SECOND: i64 = 1_000_000;

impl Passage {
    /// `span`: the first and last time of the data set.
    pub(super) fn new(pace: Pace, aim: Aim, span: Option<(Timestamp, Timestamp)>) -> Self {
        let (first, last) = span.unwrap_or_default();
        Self { pace, aim, first, last }
    }

    /// By how many microseconds the times of an event move that happened then. Where distances are kept these are whole
    /// seconds, so that times of every precision move alike.
    pub(super) fn shift(&self, time: Timestamp) -> i64 {
        let speed = if let Pace::Speed(speed) = self.pace { speed } else { 1.0 };
        let whole = |to: Timestamp, from: Timestamp| (to.0 - from.0).div_euclid(SECOND) * SECOND;
        #[allow(clippy::float_cmp, reason = "one is exact")]
        let kept = speed == 1.0;
        match self.aim {
            Aim::Stay => 0,
            Aim::First(to) if kept => whole(to, self.first),
            Aim::Last(to) if kept => whole(to, self.last),
            Aim::First(to) => to.0 + scaled(time.0 - self.first.0, speed) - time.0,
            Aim::Last(to) => to.0 - scaled(self.last.0 - time.0, speed) - time.0,
        }
    }

    /// How long after the beginning an event is due.
    pub(super) fn due(&self, number: u64, time: Option<Timestamp>) -> Duration {
        match self.pace {
            Pace::Unbounded => Duration::ZERO,
            Pace::Rate(rate) => Duration::try_from_secs_f64(number as f64 / rate).unwrap_or(Duration::MAX),
            Pace::Speed(speed) => {
                let since = time.map_or(0, |time| scaled(time.0 - self.first.0, speed));
                Duration::from_micros(u64::try_from(since).unwrap_or(0))
            }
        }
    }
}

fn scaled(micros: i64, speed: f64) -> i64 {
    (micros as f64 / speed) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_kept_or_scaled() {
        let span = Some((Timestamp(1_500_000), Timestamp(61_500_000)));
        let now = Timestamp(1_000_000_700_000);
        let kept = Passage::new(Pace::Rate(10.0), Aim::First(now), span);
        assert_eq!(kept.shift(Timestamp(1_500_000)), kept.shift(Timestamp(9)));
        assert_eq!(kept.shift(Timestamp(9)) % SECOND, 0);
        assert_eq!(kept.due(5, None), Duration::from_millis(500));
        let fast = Passage::new(Pace::Speed(60.0), Aim::First(now), span);
        assert_eq!(61_500_000 + fast.shift(Timestamp(61_500_000)), now.0 + SECOND);
        assert_eq!(fast.due(7, Some(Timestamp(61_500_000))), Duration::from_secs(1));
        let ended = Passage::new(Pace::Unbounded, Aim::Last(Timestamp(100 * SECOND)), span);
        assert_eq!(61_500_000 + ended.shift(Timestamp(0)), 99_500_000);
        assert_eq!(Passage::new(Pace::Unbounded, Aim::Stay, None).shift(now), 0);
    }
}
