//! Token buckets: how often somebody may ask.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// A bucket for each client. What a client does not use it may use later, up to the bucket's size.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    /// Tokens a second.
    rate: f64,
    /// Tokens that a full bucket holds.
    size: f64,
    held: Mutex<HashMap<K, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    since: Instant,
}

/// As many clients are told apart; when there are more, those who have not asked lately are forgotten.
const MOST: usize = 16_384;

impl<K: Hash + Eq> Buckets<K> {
    /// So many tokens a second, up to so many at once. A rate of 0 means no bound.
    pub(crate) fn new(rate: f64, size: f64) -> Self {
        Self { rate, size: size.max(1.0), held: Mutex::default() }
    }

    /// Takes a token, or says how long until there is one.
    pub(crate) fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        self.spend(key, now, 1.0)
    }

    /// Whether there is a token, without taking it.
    pub(crate) fn peek(&self, key: K, now: Instant) -> Result<(), Duration> {
        self.spend(key, now, 0.0)
    }

    fn spend(&self, key: K, now: Instant, price: f64) -> Result<(), Duration> {
        if self.rate <= 0.0 {
            return Ok(());
        }
        let mut held = self.held.lock();
        if held.len() >= MOST && !held.contains_key(&key) {
            held.retain(|_, bucket| self.filled(bucket, now) < self.size);
            if held.len() >= MOST {
                held.clear();
            }
        }
        let bucket = held.entry(key).or_insert(Bucket { tokens: self.size, since: now });
        let tokens = self.filled(bucket, now);
        let left = if tokens >= 1.0 { tokens - price } else { tokens };
        *bucket = Bucket { tokens: left, since: now };
        if tokens >= 1.0 { Ok(()) } else { Err(Duration::from_secs_f64((1.0 - tokens) / self.rate)) }
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let seconds = now.saturating_duration_since(bucket.since).as_secs_f64();
        (bucket.tokens + seconds * self.rate).min(self.size)
    }
}

/// What counts as one address: a network of 64 bits of IPv6, which one subscriber has to himself.
pub(crate) fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let buckets = Buckets::new(2.0, 3.0);
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(buckets.take("a", start), Ok(()));
        }
        assert_eq!(buckets.take("a", start), Err(Duration::from_millis(500)));
        assert_eq!(buckets.take("b", start), Ok(()), "another client has its own");
        let later = start + Duration::from_millis(500);
        assert_eq!(buckets.peek("a", later), Ok(()));
        assert_eq!(buckets.take("a", later), Ok(()));
        assert!(buckets.take("a", later).is_err());
        for _ in 0..3 {
            assert_eq!(buckets.take("a", later + Duration::from_mins(1)), Ok(()), "no more than a full bucket");
        }
        assert!(buckets.take("a", later + Duration::from_mins(1)).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let buckets = Buckets::new(1.0, 1.0);
        let now = Instant::now();
        for client in 0..3 * MOST {
            assert_eq!(buckets.take(client, now), Ok(()));
        }
        assert!(buckets.held.lock().len() <= MOST);
    }

    #[test]
    fn a_subscriber_has_one_bucket() {
        let of = |text: &str| subscriber(text.parse().unwrap());
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::2"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
