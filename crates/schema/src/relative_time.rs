//! Points in time said relative to another: `now-9m`, `now-7d/d`, `-70m@m`.
//!
//! Schedules and look-backs are written so. Two ways of writing are read, both in UTC: *date math* (`now`, then
//! shifts `-9m` and roundings `/d`; units `y M w d h H m s ms`), and *time modifiers* (shifts `-70m` and snaps `@h`,
//! `@w1`; units by many names). What this does not do: dates that stand for a span of time (see the languages).

use std::fmt;

use jiff::{Span, ToSpan, civil::DateTime, tz::TimeZone};

use crate::Timestamp;

/// A point in time relative to another, or a fixed one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct RelativeTime {
    anchor: Option<Timestamp>,
    steps: Vec<Step>,
}

/// One step from a point in time to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Shift(i64, TimeUnit),
    /// To the beginning of the unit.
    Snap(TimeUnit),
    /// To the last millisecond of the unit.
    SnapToEnd(TimeUnit),
    /// A microsecond back.
    Before,
    /// To the beginning of the last such day, counted from Sunday as 0.
    SnapToWeekday(i8),
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TimeUnit {
    /// A thousandth of a second.
    Millisecond,
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// 24 hours.
    Day,
    /// Seven days; begins on Monday.
    Week,
    /// A calendar month.
    Month,
    /// Three calendar months.
    Quarter,
    /// A calendar year.
    Year,
}

/// Which end of a rounded unit is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// Its first moment: for the beginning of a span of time.
    Down,
    /// Its last millisecond: for the end of a span of time that includes it.
    Up,
}

/// More steps than this in one text are taken for an error.
const MOST_STEPS: usize = 32;

impl RelativeTime {
    /// The point in time that others are relative to.
    pub fn now() -> Self {
        Self::default()
    }

    /// That many microseconds earlier (or later, if negative).
    pub fn before(micros: i64) -> Self {
        Self { anchor: None, steps: vec![Step::Shift(-(micros / 1000), TimeUnit::Millisecond)] }
    }

    /// The moment before it, for the end of a span of time that does not include it.
    #[must_use]
    pub fn just_before(mut self) -> Self {
        self.steps.push(Step::Before);
        self
    }

    /// Reads date math: `now`, `now-9m`, `now-7d/d`, `2026-03-01||/M`, or a fixed time.
    pub fn from_date_math(text: &str, rounding: Rounding) -> Option<Self> {
        let text = text.trim();
        let (anchor, math) = if let Some(math) = text.strip_prefix("now") {
            (None, math)
        } else {
            let (date, math) = text.split_once("||").unwrap_or((text, ""));
            let time = Timestamp::parse(date).or_else(|| Timestamp::parse(&format!("{date}T00:00:00Z")))?;
            (Some(time), math)
        };
        let mut steps = Vec::new();
        let mut rest = math.trim();
        while let Some(sign) = rest.chars().next() {
            rest = &rest[sign.len_utf8()..];
            let step = match sign {
                '/' => {
                    let unit = date_math_unit(&mut rest)?;
                    if rounding == Rounding::Up { Step::SnapToEnd(unit) } else { Step::Snap(unit) }
                }
                '+' | '-' => {
                    let amount = number(&mut rest).unwrap_or(1);
                    let unit = date_math_unit(&mut rest)?;
                    Step::Shift(if sign == '-' { -amount } else { amount }, unit)
                }
                _ => return None,
            };
            steps.push(step);
            if steps.len() > MOST_STEPS {
                return None;
            }
        }
        Some(Self { anchor, steps })
    }

    /// Reads a time modifier: `now`, `-70m@m`, `@d`, `-1d@d+2h`, `@w1`, `-h`, or a fixed time in seconds since 1970.
    pub fn from_modifier(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !text.is_empty() {
            return Some(Self { anchor: Some(Timestamp::from_seconds(text.parse().ok()?)), steps: Vec::new() });
        }
        let mut rest = text.strip_prefix("now").unwrap_or(text).trim_start();
        let mut steps = Vec::new();
        while let Some(sign) = rest.chars().next() {
            rest = &rest[sign.len_utf8()..];
            let amount = match sign {
                '@' => None,
                '+' | '-' => Some(if sign == '-' { -1 } else { 1 } * number(&mut rest).unwrap_or(1)),
                _ => return None,
            };
            let end = rest.find(['@', '+', '-']).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after;
            steps.push(match (amount, word.trim().strip_prefix('w')) {
                (None, Some(day)) if day.len() == 1 && day.as_bytes()[0].is_ascii_digit() => {
                    Step::SnapToWeekday((day.as_bytes()[0] - b'0') as i8 % 7)
                }
                (None, _) if modifier_unit(word.trim())? == TimeUnit::Week => Step::SnapToWeekday(0),
                (None, _) => Step::Snap(modifier_unit(word.trim())?),
                (Some(amount), _) => Step::Shift(amount, modifier_unit(word.trim())?),
            });
            if steps.len() > MOST_STEPS {
                return None;
            }
        }
        (!text.is_empty()).then_some(Self { anchor: None, steps })
    }

    /// Whether it moves with the point in time that it is relative to.
    pub fn is_relative(&self) -> bool {
        self.anchor.is_none()
    }

    /// The point in time; as far as calendars go, if it lies beyond them.
    pub fn at(&self, now: Timestamp) -> Timestamp {
        self.steps.iter().fold(self.anchor.unwrap_or(now), |time, step| step.apply(time))
    }
}

/// As date math, with `@w` for a weekday.
impl fmt::Display for RelativeTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.anchor {
            Some(anchor) => write!(f, "{anchor}||")?,
            None => f.write_str("now")?,
        }
        self.steps.iter().try_for_each(|step| match step {
            Step::Shift(amount, unit) => write!(f, "{amount:+}{}", unit.letter()),
            Step::Snap(unit) | Step::SnapToEnd(unit) => write!(f, "/{}", unit.letter()),
            Step::SnapToWeekday(day) => write!(f, "@w{day}"),
            Step::Before => f.write_str("-"),
        })
    }
}

fn number(rest: &mut &str) -> Option<i64> {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    *rest = after;
    digits.parse().ok()
}

fn date_math_unit(rest: &mut &str) -> Option<TimeUnit> {
    if let Some(after) = rest.strip_prefix("ms") {
        *rest = after;
        return Some(TimeUnit::Millisecond);
    }
    let letter = rest.chars().next()?;
    *rest = &rest[letter.len_utf8()..];
    Some(match letter {
        'y' => TimeUnit::Year,
        'M' => TimeUnit::Month,
        'w' => TimeUnit::Week,
        'd' => TimeUnit::Day,
        'h' | 'H' => TimeUnit::Hour,
        'm' => TimeUnit::Minute,
        's' => TimeUnit::Second,
        _ => return None,
    })
}

fn modifier_unit(word: &str) -> Option<TimeUnit> {
    Some(match word.to_ascii_lowercase().as_str() {
        // Seconds go without saying.
        "" | "s" | "sec" | "secs" | "second" | "seconds" => TimeUnit::Second,
        "m" | "min" | "mins" | "minute" | "minutes" => TimeUnit::Minute,
        "h" | "hr" | "hrs" | "hour" | "hours" => TimeUnit::Hour,
        "d" | "day" | "days" => TimeUnit::Day,
        "w" | "week" | "weeks" => TimeUnit::Week,
        "mon" | "month" | "months" => TimeUnit::Month,
        "q" | "qtr" | "qtrs" | "quarter" | "quarters" => TimeUnit::Quarter,
        "y" | "yr" | "yrs" | "year" | "years" => TimeUnit::Year,
        "ms" | "cs" => TimeUnit::Millisecond,
        _ => return None,
    })
}

impl Step {
    fn apply(self, time: Timestamp) -> Timestamp {
        match self {
            Self::Shift(amount, unit) => unit.shift(time, amount),
            Self::Snap(unit) => unit.floor(time),
            Self::SnapToEnd(unit) => Timestamp(unit.shift(unit.floor(time), 1).0.saturating_sub(1000)),
            Self::Before => Timestamp(time.0.saturating_sub(1)),
            Self::SnapToWeekday(day) => {
                let midnight = TimeUnit::Day.floor(time);
                // 1970 began on a Thursday, the fourth day from Sunday.
                let today = (midnight.0.div_euclid(DAY) + 4).rem_euclid(7);
                Timestamp(midnight.0 - (today - i64::from(day)).rem_euclid(7) * DAY)
            }
        }
    }
}

const DAY: i64 = 86_400_000_000;

impl TimeUnit {
    /// Its length in microseconds, if it always has the same.
    fn micros(self) -> Option<i64> {
        Some(match self {
            Self::Millisecond => 1000,
            Self::Second => 1_000_000,
            Self::Minute => 60_000_000,
            Self::Hour => 3_600_000_000,
            Self::Day => DAY,
            Self::Week => 7 * DAY,
            Self::Month | Self::Quarter | Self::Year => return None,
        })
    }

    fn letter(self) -> &'static str {
        match self {
            Self::Millisecond => "ms",
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
            Self::Day => "d",
            Self::Week => "w",
            Self::Month => "M",
            Self::Quarter => "q",
            Self::Year => "y",
        }
    }

    /// So many of these later; the last day of a month where the day does not exist.
    pub(crate) fn shift(self, time: Timestamp, amount: i64) -> Timestamp {
        if let Some(micros) = self.micros() {
            return Timestamp(time.0.saturating_add(micros.saturating_mul(amount)));
        }
        let amount = amount.clamp(-20_000, 20_000);
        let span = match self {
            Self::Month => amount.months(),
            Self::Quarter => (3 * amount).months(),
            _ => amount.years(),
        };
        civil(time).and_then(|civil| civil.checked_add(span).ok()).and_then(timestamp).unwrap_or(time)
    }

    /// The beginning of the unit that a time lies in.
    pub(crate) fn floor(self, time: Timestamp) -> Timestamp {
        match (self, self.micros()) {
            // 1970 began on a Thursday, three days behind Monday.
            (Self::Week, _) => Timestamp((time.0 + 3 * DAY).div_euclid(7 * DAY) * 7 * DAY - 3 * DAY),
            (_, Some(micros)) => Timestamp(time.0.div_euclid(micros) * micros),
            (unit, None) => civil(time).and_then(|civil| timestamp(floor_months(civil, unit)?)).unwrap_or(time),
        }
    }
}

fn floor_months(civil: DateTime, unit: TimeUnit) -> Option<DateTime> {
    let first = civil.date().first_of_month().at(0, 0, 0, 0);
    let back = match unit {
        TimeUnit::Month => 0,
        TimeUnit::Quarter => (i64::from(civil.month()) - 1) % 3,
        _ => i64::from(civil.month()) - 1,
    };
    first.checked_sub(Span::new().try_months(back).ok()?).ok()
}

fn civil(time: Timestamp) -> Option<DateTime> {
    Some(jiff::Timestamp::from_microsecond(time.0).ok()?.to_zoned(TimeZone::UTC).datetime())
}

fn timestamp(civil: DateTime) -> Option<Timestamp> {
    let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
    Some(Timestamp(zoned.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> String {
        // A Wednesday.
        let now = Timestamp::parse("2026-03-04T08:17:42.5Z").unwrap();
        let date_math = RelativeTime::from_date_math(text, Rounding::Down);
        date_math.or_else(|| RelativeTime::from_modifier(text)).unwrap().at(now).to_string()
    }

    #[test]
    fn date_math_shifts_and_rounds() {
        assert_eq!(at("now"), "2026-03-04T08:17:42.500Z");
        assert_eq!(at("now-9m"), "2026-03-04T08:08:42.500Z");
        assert_eq!(at("now-7d/d"), "2026-02-25T00:00:00Z");
        assert_eq!(at("now/w"), "2026-03-02T00:00:00Z");
        assert_eq!(at("now-1M/M"), "2026-02-01T00:00:00Z");
        assert_eq!(at("2026-01-31||+1M"), "2026-02-28T00:00:00Z");
        let up = RelativeTime::from_date_math("now/d", Rounding::Up).unwrap();
        assert_eq!(up.at(Timestamp(0)).to_string(), "1970-01-01T23:59:59.999Z");
        for text in ["yesterday", "now-", "now-5", "now-5x", "now 5m"] {
            assert_eq!(RelativeTime::from_date_math(text, Rounding::Down), None, "{text}");
        }
    }

    #[test]
    fn time_modifiers_shift_and_snap() {
        assert_eq!(at("-70m@m"), "2026-03-04T07:07:00Z");
        assert_eq!(at("-10m@m"), "2026-03-04T08:07:00Z");
        assert_eq!(at("@d"), "2026-03-04T00:00:00Z");
        assert_eq!(at("-1d@d+2h"), "2026-03-03T02:00:00Z");
        assert_eq!(at("@w1"), "2026-03-02T00:00:00Z");
        assert_eq!(at("@w0"), "2026-03-01T00:00:00Z");
        assert_eq!(at("@q"), "2026-01-01T00:00:00Z");
        assert_eq!(at("-1mon@mon"), "2026-02-01T00:00:00Z");
        assert_eq!(at("-90"), "2026-03-04T08:16:12.500Z");
        assert_eq!(at("1767225600"), "2026-01-01T00:00:00Z");
        assert_eq!(RelativeTime::from_modifier("soon"), None);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_readers(text in ".{0,24}|now[-+/0-9dhmswyM]{0,12}", micros in any::<i64>()) {
            let times = [RelativeTime::from_date_math(&text, Rounding::Up), RelativeTime::from_modifier(&text)];
            for time in times.into_iter().flatten() {
                time.at(Timestamp(micros / 4));
            }
        }
    }
}
