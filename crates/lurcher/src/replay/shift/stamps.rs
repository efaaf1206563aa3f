//! Times as sources write them, moved: `2026-01-02T03:04:05.678Z` and its like, seconds to nanoseconds since 1970, and
//! the times of syslog and of web servers. Each keeps its form, its zone and its number of digits.

use jiff::{SignedDuration, Timestamp as Moment, civil::DateTime, tz::TimeZone};
use lurcher_schema::Timestamp;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time as text or number, moved by so many microseconds; `None` if it is no time that can be read.
pub(super) fn moved(text: &str, by: i64) -> Option<String> {
    iso(text, by).or_else(|| number(text, by)).or_else(|| {
        // Rarer forms are written anew.
        Timestamp::parse(text).map(|time| Timestamp(time.0.saturating_add(by)).to_string())
    })
}

/// `2026-01-02T03:04:05`, with a blank for the `T` or not, with a fraction or not; whatever zone follows stays.
fn iso(text: &str, by: i64) -> Option<String> {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let fits = shape.iter().enumerate().all(|(at, kind)| match kind {
        b'd' => is_digit(at),
        b'T' => matches!(bytes.get(at), Some(b'T' | b't' | b' ')),
        other => bytes.get(at) == Some(other),
    });
    if !fits {
        return None;
    }
    let mut fraction = 0;
    if matches!(bytes.get(shape.len()), Some(b'.' | b',')) {
        fraction = bytes.iter().skip(shape.len() + 1).take_while(|b| b.is_ascii_digit()).count();
    }
    let end = if fraction > 0 { shape.len() + 1 + fraction } else { shape.len() };
    let zone = text.get(end..)?;
    let is_zone = zone.trim_start().bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b':'))
        || matches!(zone.trim(), "Z" | "z" | "UTC");
    if !is_zone {
        return None;
    }
    let whole = format!("{}T{}", text.get(..10)?, text.get(11..19)?);
    let digits = text.get(shape.len() + 1..end).unwrap_or("");
    let local = whole.parse::<DateTime>().ok()?;
    let nanos: i64 = format!("{:0<9}", digits.get(..digits.len().min(9))?).parse().unwrap_or(0);
    let moved = local.checked_add(SignedDuration::from_nanos(nanos)).ok()?.checked_add(duration(by)).ok()?;
    let mut out = moved.strftime("%Y-%m-%d").to_string();
    out.push(char::from(bytes[10]));
    out.push_str(&moved.strftime("%H:%M:%S").to_string());
    if fraction > 0 {
        out.push(char::from(bytes[shape.len()]));
        let nanos = format!("{:09}", moved.subsec_nanosecond());
        // Digits beyond the ninth are no part of any sum.
        out.push_str(nanos.get(..fraction.min(9))?);
        out.push_str(digits.get(9..).unwrap_or(""));
    }
    out.push_str(zone);
    Some(out)
}

/// Seconds (with a fraction), milliseconds, microseconds or nanoseconds since 1970, told apart by their size as the
/// readers do.
fn number(text: &str, by: i64) -> Option<String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
    if !is_plain {
        return None;
    }
    let digits = fraction.len().min(15) as u32;
    let value: i128 = whole.parse().ok()?;
    let per_second: i128 = match value {
        0..100_000_000_000 => 1,
        100_000_000_000..100_000_000_000_000 => 1_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000_000,
        _ => 1_000_000_000,
    };
    let scale = 10_i128.pow(digits);
    let kept: i128 = if digits == 0 { 0 } else { fraction.get(..digits as usize)?.parse().ok()? };
    let moved = value * scale + kept + (i128::from(by) * per_second * scale).div_euclid(1_000_000);
    if moved < 0 {
        return None;
    }
    let rest = fraction.get(digits as usize..).unwrap_or("");
    Some(if fraction.is_empty() && !text.contains('.') {
        moved.to_string()
    } else {
        format!("{}.{:0width$}{rest}", moved / scale, moved % scale, width = digits as usize)
    })
}

/// `02/Jan/2026:03:04:05`, as web servers write it; the zone behind it stays.
pub(super) fn of_access_log(text: &str, by: i64) -> Option<String> {
    let (clock, zone) =
        text.split_once(' ').map_or((text, ""), |(clock, _)| (clock, text.get(clock.len()..).unwrap_or("")));
    let (day, rest) = clock.split_once('/')?;
    let (month, rest) = rest.split_once('/')?;
    let (year, time) = rest.split_once(':')?;
    let month = MONTHS.iter().position(|known| known.eq_ignore_ascii_case(month))? + 1;
    let local = format!("{year}-{month:02}-{day:0>2}T{time}").parse::<DateTime>().ok()?;
    let moved = local.checked_add(duration(by)).ok()?;
    Some(format!("{}{zone}", moved.strftime("%d/%b/%Y:%H:%M:%S")))
}

/// The time of syslog's old header, which has no year: it is known from the event's time. What stands behind the seconds
/// stays.
pub(super) fn of_old_syslog(clock: &str, padded: bool, time: Timestamp, by: i64) -> Option<String> {
    let moved = moment(Timestamp(time.0.saturating_add(by)))?;
    let day = if padded { moved.strftime("%e") } else { moved.strftime("%d") };
    Some(format!("{} {day} {}{}", moved.strftime("%b"), moved.strftime("%H:%M:%S"), clock.get(8..).unwrap_or("")))
}

/// Date and clock in UTC, as W3C's columns have them, with the clock's fraction cut off.
pub(super) fn of_columns(time: Timestamp, by: i64) -> Option<(String, String)> {
    let moved = moment(Timestamp(time.0.saturating_add(by)))?;
    Some((moved.strftime("%Y-%m-%d").to_string(), moved.strftime("%H:%M:%S").to_string()))
}

fn moment(time: Timestamp) -> Option<DateTime> {
    Some(Moment::from_microsecond(time.0).ok()?.to_zoned(TimeZone::UTC).datetime())
}

fn duration(micros: i64) -> SignedDuration {
    SignedDuration::from_micros(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn times_keep_their_form() {
        for (before, after) in [
            ("2026-01-02T03:04:05Z", "2026-01-02T04:04:05Z"),
            ("2026-01-02 23:04:05.123", "2026-01-03 00:04:05.123"),
            ("2026-01-02T03:04:05.1234567Z", "2026-01-02T04:04:05.1234567Z"),
            ("2026-01-02T03:04:05.1234567891+02:00", "2026-01-02T04:04:05.1234567891+02:00"),
            ("2026-01-02 03:04:05 UTC", "2026-01-02 04:04:05 UTC"),
            ("2026-01-02T03:04:05,5+0200", "2026-01-02T04:04:05,5+0200"),
            ("2026-01-02", "2026-01-02T01:00:00Z"),
            ("1600000000", "1600003600"),
            ("1600000000.500", "1600003600.500"),
            ("1692161622.036086", "1692165222.036086"),
            ("1600000000500", "1600003600500"),
            ("1600000000500000", "1600003600500000"),
            ("1600000000500000000", "1600003600500000000"),
        ] {
            assert_eq!(moved(before, HOUR).as_deref(), Some(after), "{before}");
        }
        for strange in ["", "-", "yesterday", "12:00", "1e9", "2026-01-02T03:04:05 or so"] {
            assert_eq!(moved(strange, HOUR), None, "{strange}");
        }
    }

    #[test]
    fn less_than_a_second_moves_the_fraction_that_there_is() {
        assert_eq!(moved("2026-01-02T03:04:05.900Z", 250_000).as_deref(), Some("2026-01-02T03:04:06.150Z"));
        assert_eq!(moved("2026-01-02T03:04:05Z", 250_000).as_deref(), Some("2026-01-02T03:04:05Z"));
        assert_eq!(moved("1600000000.9", 250_000).as_deref(), Some("1600000001.1"));
    }

    #[test]
    fn times_of_lines_move() {
        let stamp = "31/Dec/2025:23:30:00 +0100";
        assert_eq!(of_access_log(stamp, HOUR).as_deref(), Some("01/Jan/2026:00:30:00 +0100"));
        let time = Timestamp::parse("2025-12-31T23:30:00Z").unwrap_or_default();
        assert_eq!(of_old_syslog("23:30:00.5", true, time, HOUR).as_deref(), Some("Jan  1 00:30:00.5"));
        assert_eq!(of_old_syslog("23:30:00", false, time, HOUR).as_deref(), Some("Jan 01 00:30:00"));
    }
}
