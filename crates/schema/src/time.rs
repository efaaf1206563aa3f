//! Points in time, in whole microseconds: finer than any of the sources' clocks is accurate, and Arrow's own unit.

use std::fmt;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads RFC 3339 (`2026-01-02T03:04:05.678Z`, any fraction, any offset), and the same with a blank for the `T`
    /// or without an offset, which then means UTC (as in Sysmon's `UtcTime`). Finer fractions are cut off.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let micros = |t: jiff::Timestamp| Self(t.as_nanosecond().div_euclid(1000) as i64);
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Some(micros(time));
        }
        let local = text.parse::<jiff::civil::DateTime>().ok()?;
        Some(micros(local.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()))
    }

    /// From seconds since 1970, with a fraction.
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1e6).round() as i64)
    }

    /// From whole milliseconds since 1970.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Whole milliseconds since 1970, rounded down.
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// RFC 3339 in UTC with as many digits of the fraction as there are (none, three or six).
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) if self.0 % 1_000_000 == 0 => write!(f, "{time:.0}"),
            Ok(time) if self.0 % 1000 == 0 => write!(f, "{time:.3}"),
            Ok(time) => write!(f, "{time:.6}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_the_sources_write_them() {
        for text in ["2019-05-13T18:03:19.497Z", "2019-05-13 18:03:19.497", "2019-05-13T20:03:19.4970000+02:00"] {
            assert_eq!(
                Timestamp::parse(text).map(|t| t.to_string()).as_deref(),
                Some("2019-05-13T18:03:19.497Z"),
                "{text}"
            );
        }
        assert_eq!(Timestamp::parse("2019-05-13T18:03:19.6814781Z"), Some(Timestamp(1_557_770_599_681_478)));
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
    }
}
