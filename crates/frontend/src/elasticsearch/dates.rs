//! Date literals: dates of any precision, milliseconds since 1970, and date math (`now-1d/d`, `2026-01-31||+1M`).
//!
//! A literal that leaves out its smaller parts, or rounds, means the whole day, hour … that it names: it is equal to
//! every moment in it, `>` means behind its end, `<` before its start. Source: Elasticsearch's pages on date math and
//! on rounding in range queries.

use jiff::{Span, Unit, civil::DateTime, tz::TimeZone};
use lurcher_schema::Timestamp;

/// The moments that a date literal means, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moments {
    /// The first.
    pub(crate) start: Timestamp,
    /// The last, by whole milliseconds.
    pub(crate) end: Timestamp,
}

/// Why a literal is no date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DateError {
    /// It cannot be read as one.
    Malformed,
    /// It says `now`, and nobody said when that is.
    NoClock,
}

/// Reads a date literal.
pub(crate) fn parse(text: &str, now: Option<Timestamp>) -> Result<Moments, DateError> {
    let text = text.trim();
    if let Some(math) = text.strip_prefix("now") {
        // What cannot be read at all is no matter of the time.
        let moment = jiff::Timestamp::from_microsecond(now.map_or(0, |now| now.0)).map_err(|_| DateError::Malformed)?;
        let found = calculate(moment.to_zoned(TimeZone::UTC).datetime(), None, math)?;
        return now.map(|_| found).ok_or(DateError::NoClock);
    }
    let (date, math) = text.split_once("||").unwrap_or((text, ""));
    let (start, precision) = date_of(date).ok_or(DateError::Malformed)?;
    calculate(start, precision, math)
}

/// A date and the unit of its last part; `None` for a single moment.
fn date_of(text: &str) -> Option<(DateTime, Option<Unit>)> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() > 4 && digits.bytes().all(|b| b.is_ascii_digit()) {
        let moment = jiff::Timestamp::from_millisecond(text.parse().ok()?).ok()?;
        return Some((moment.to_zoned(TimeZone::UTC).datetime(), None));
    }
    // The parts that a shorter date leaves out, and what it then is precise to.
    let (rest, precision) = match text.len() {
        4 => ("-01-01", Some(Unit::Year)),
        7 => ("-01", Some(Unit::Month)),
        10 => ("", Some(Unit::Day)),
        13 => (":00", Some(Unit::Hour)),
        16 => ("", Some(Unit::Minute)),
        19 => ("", Some(Unit::Second)),
        _ => ("", None),
    };
    if let Ok(date) = format!("{text}{rest}").parse::<DateTime>() {
        return Some((date, precision));
    }
    let moment = Timestamp::parse(text)?;
    let moment = jiff::Timestamp::from_microsecond(moment.0).ok()?;
    Some((moment.to_zoned(TimeZone::UTC).datetime(), None))
}

/// Applies `+1d`, `-2h`, `/M` … in order.
fn calculate(mut date: DateTime, mut precision: Option<Unit>, mut math: &str) -> Result<Moments, DateError> {
    while let Some(operator) = math.chars().next() {
        math = &math[operator.len_utf8()..];
        let digits = math.len() - math.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let count = if digits == 0 { 1 } else { math[..digits].parse::<i64>().map_err(|_| DateError::Malformed)? };
        math = &math[digits..];
        let unit = math.chars().next().and_then(unit_of).ok_or(DateError::Malformed)?;
        math = &math[1..];
        match operator {
            '+' => date = shift(date, unit, count)?,
            '-' => date = shift(date, unit, -count)?,
            '/' if digits == 0 => {
                date = floor(date, unit)?;
                precision = Some(unit);
            }
            _ => return Err(DateError::Malformed),
        }
    }
    let start = timestamp(date)?;
    let end = match precision {
        None => start,
        Some(unit) => Timestamp(timestamp(shift(date, unit, 1)?)?.0 - 1000),
    };
    Ok(Moments { start, end })
}

fn unit_of(c: char) -> Option<Unit> {
    Some(match c {
        'y' => Unit::Year,
        'M' => Unit::Month,
        'w' => Unit::Week,
        'd' => Unit::Day,
        'h' | 'H' => Unit::Hour,
        'm' => Unit::Minute,
        's' => Unit::Second,
        _ => return None,
    })
}

fn shift(date: DateTime, unit: Unit, count: i64) -> Result<DateTime, DateError> {
    let span = match unit {
        Unit::Year => Span::new().try_years(count),
        Unit::Month => Span::new().try_months(count),
        Unit::Week => Span::new().try_weeks(count),
        Unit::Day => Span::new().try_days(count),
        Unit::Hour => Span::new().try_hours(count),
        Unit::Minute => Span::new().try_minutes(count),
        _ => Span::new().try_seconds(count),
    };
    span.and_then(|span| date.checked_add(span)).map_err(|_| DateError::Malformed)
}

fn floor(date: DateTime, unit: Unit) -> Result<DateTime, DateError> {
    let day = date.date();
    let (hour, minute, second) = (date.hour(), date.minute(), date.second());
    Ok(match unit {
        Unit::Year => day.first_of_year().at(0, 0, 0, 0),
        Unit::Month => day.first_of_month().at(0, 0, 0, 0),
        Unit::Week => {
            let back = i64::from(day.weekday().to_monday_zero_offset());
            shift(day.at(0, 0, 0, 0), Unit::Day, -back)?
        }
        Unit::Day => day.at(0, 0, 0, 0),
        Unit::Hour => day.at(hour, 0, 0, 0),
        Unit::Minute => day.at(hour, minute, 0, 0),
        _ => day.at(hour, minute, second, 0),
    })
}

fn timestamp(date: DateTime) -> Result<Timestamp, DateError> {
    let moment = date.to_zoned(TimeZone::UTC).map_err(|_| DateError::Malformed)?.timestamp();
    Ok(Timestamp(moment.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(text: &str) -> String {
        let now = Timestamp::parse("2026-03-31T12:34:56.789Z");
        parse(text, now).map_or_else(|e| format!("{e:?}"), |m| format!("{} {}", m.start, m.end))
    }

    #[test]
    fn dates_mean_all_that_they_name() {
        let day = "2026-02-01T00:00:00Z 2026-02-01T23:59:59.999Z";
        assert_eq!(moments("2026-02-01"), day);
        assert_eq!(moments("2026-02"), "2026-02-01T00:00:00Z 2026-02-28T23:59:59.999Z");
        assert_eq!(moments("2026"), "2026-01-01T00:00:00Z 2026-12-31T23:59:59.999Z");
        assert_eq!(moments("2026-02-01T10:00:00.5Z"), "2026-02-01T10:00:00.500Z 2026-02-01T10:00:00.500Z");
        assert_eq!(moments("1769904000000"), "2026-02-01T00:00:00Z 2026-02-01T00:00:00Z");
    }

    #[test]
    fn date_math_is_done_in_order() {
        assert_eq!(moments("now-1d"), "2026-03-30T12:34:56.789Z 2026-03-30T12:34:56.789Z");
        assert_eq!(moments("now-1d/d"), "2026-03-30T00:00:00Z 2026-03-30T23:59:59.999Z");
        assert_eq!(moments("now/w"), "2026-03-30T00:00:00Z 2026-04-05T23:59:59.999Z");
        assert_eq!(moments("2026-01-31||+1M/d"), "2026-02-28T00:00:00Z 2026-02-28T23:59:59.999Z");
    }

    #[test]
    fn what_is_no_date_is_said() {
        for bad in ["", "soon", "now-1", "now*1d", "now-1é", "2026-13-01", "now/2d", "now+99999999999999999999d"] {
            assert_eq!(moments(bad), "Malformed", "{bad}");
        }
        assert_eq!(parse("now", None), Err(DateError::NoClock));
    }
}
