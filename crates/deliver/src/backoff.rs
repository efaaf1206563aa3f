//! How long to wait before something is tried again: twice as long each time, within bounds, and never quite the same,
//! so that what failed together is not tried together.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::Duration,
};

/// Nobody may make us wait longer than this, whatever they ask for.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

/// The bounds of the waits between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// After the first failure.
    pub(crate) first: Duration,
    /// At most.
    pub(crate) longest: Duration,
}

impl Backoff {
    /// The wait after so many failures (one or more). `spread`, any number, says where in the upper half of the
    /// possible wait it lies. What the other side asks for is kept to, up to an hour.
    pub(crate) fn wait(self, failures: u32, spread: u64, retry_after: Option<Duration>) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).filter(|factor| *factor != 0);
        let full = doubled.and_then(|factor| self.first.checked_mul(factor)).unwrap_or(self.longest).min(self.longest);
        let half = full / 2;
        let jitter = half.mul_f64(spread as f64 / u64::MAX as f64);
        let own = half + jitter;
        match retry_after {
            // Those who were all told the same moment must not come back at the same moment.
            Some(asked) => own.max(asked.min(LONGEST_RETRY_AFTER) + jitter.min(Duration::from_secs(1))),
            None => own,
        }
    }
}

/// A number that differs from call to call.
pub(crate) fn spread() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_stay_within_their_bounds(
            first in 1_u64..10_000, times in 1_u64..1000, failures in 0_u32..200, spread: u64,
        ) {
            let backoff = Backoff { first: Duration::from_millis(first), longest: Duration::from_millis(first * times) };
            let wait = backoff.wait(failures, spread, None);
            prop_assert!(wait >= backoff.first / 2);
            prop_assert!(wait <= backoff.longest);
        }

        #[test]
        fn waits_grow_until_they_reach_the_longest(first in 2_u64..1000, failures in 1_u32..60) {
            let backoff = Backoff { first: Duration::from_millis(first), longest: Duration::from_hours(1) };
            // The shortest wait after one more failure is no shorter than the longest one before.
            let before = backoff.wait(failures, u64::MAX, None);
            prop_assert!(backoff.wait(failures + 1, 0, None) >= before.min(backoff.longest / 2));
        }

        #[test]
        fn what_the_other_side_asks_for_is_kept_to(asked in 0_u64..100_000, failures in 1_u32..40, spread: u64) {
            let backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_mins(5) };
            let asked = Duration::from_secs(asked);
            let wait = backoff.wait(failures, spread, Some(asked));
            prop_assert!(wait >= asked.min(LONGEST_RETRY_AFTER));
            prop_assert!(wait <= asked.max(backoff.longest).min(LONGEST_RETRY_AFTER) + Duration::from_secs(1));
        }
    }

    #[test]
    fn the_spread_differs() {
        let seen: std::collections::BTreeSet<u64> = (0..100).map(|_| spread()).collect();
        assert!(seen.len() > 90);
    }
}
