//! Points in time by the clock of a time zone, over the hours that it leaves out or shows twice.
//!
//! Source: Elasticsearch's `Rounding` (`JavaTimeToMidnightRounding`, `JavaTimeRounding`) and `java.time`.

use lurcher_ir::{Interval, ZoneFunction};
use lurcher_schema::{Value, Zone};

use super::{
    convert::{text_form, whole},
    time, time_format,
};

const DAY: i64 = 86_400_000;

/// Over so many changes of the clock a length of time is followed back.
const MAX_CHANGES: usize = 5000;

pub(super) fn apply(zone: &Zone, function: ZoneFunction, values: &[Value]) -> Option<Value> {
    use ZoneFunction as Z;
    let number = match (function, values) {
        (Z::Formatted, [time, format]) => {
            return time_format::write(whole(time)?, &text_form(format)?, Some(zone)).map(Value::text);
        }
        (Z::Local, [time]) => zone.local(whole(time)?)?,
        (Z::Instant, [local]) => zone.instant(whole(local)?)?,
        (Z::Truncated(span), [time]) => truncated(zone, whole(time)?, span)?,
        (Z::Later(Interval { months, days, millis }), [time]) => zone.moved(whole(time)?, months, days, millis)?,
        (Z::Earlier(Interval { months, days, millis }), [time]) => {
            zone.moved(whole(time)?, months.checked_neg()?, days.checked_neg()?, millis.checked_neg()?)?
        }
        (Z::Offset, [time]) => zone.offset(whole(time)?)?.div_euclid(1000),
        (Z::Parsed | Z::ParsedPastOffsets, [text, format]) => {
            let offsets = function == Z::Parsed;
            time_format::read(&text_form(text)?, &text_form(format)?, Some(zone), offsets)?
        }
        _ => return None,
    };
    Some(Value::Int(number))
}

/// The start of the length of time that a point in time lies in.
fn truncated(zone: &Zone, at: i64, span: Interval) -> Option<i64> {
    // Of days only one and seven go by the calendar; others are counted.
    if span.millis == 0 && (span.months > 0 || matches!(span.days, 1 | 7)) {
        return zone.first_instant(time::truncated(zone.local(at)?, span)?);
    }
    let length = if span.millis > 0 { span.millis } else { span.days.checked_mul(DAY)? };
    if length <= 0 || span.months != 0 {
        return None;
    }
    let mut at = at;
    for _ in 0..MAX_CHANGES {
        let start = zone.local(at)?.div_euclid(length) * length;
        let instants = zone.instants(start)?;
        if instants.is_empty() {
            return zone.gap_start(start);
        }
        let change = zone.last_change(at);
        // The latest that is not after the time; but what lies before a change of the clock is not reached over it.
        let mut over = false;
        for instant in instants.into_iter().rev() {
            if change.is_some_and(|change| instant < change) {
                over = true;
                break;
            }
            if instant <= at {
                return Some(instant);
            }
        }
        match change.filter(|_| over) {
            Some(change) => at = change - 1,
            None => return zone.first_instant(start),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().expect("a time").as_millisecond()
    }

    fn begins(zone: &str, time: &str, span: Interval) -> String {
        let zone = Zone::named(zone).expect("a zone");
        let start = truncated(&zone, at(time), span).expect("a time");
        jiff::Timestamp::from_millisecond(start).expect("a time").to_string()
    }

    fn hours(count: i64) -> Interval {
        Interval { months: 0, days: 0, millis: count * HOUR }
    }

    fn days(days: i64) -> Interval {
        Interval { months: 0, days, millis: 0 }
    }

    #[test]
    fn days_begin_at_midnight_or_where_there_is_none_after_it() {
        assert_eq!(begins("Europe/Berlin", "2026-03-29T12:00:00Z", days(1)), "2026-03-28T23:00:00Z");
        assert_eq!(begins("Europe/Berlin", "2026-03-30T12:00:00Z", days(1)), "2026-03-29T22:00:00Z");
        assert_eq!(begins("Europe/Berlin", "2026-10-25T12:00:00Z", days(7)), "2026-10-18T22:00:00Z");
        // The clock goes from 23:59:59 to 01:00.
        assert_eq!(begins("America/Santiago", "2026-09-06T12:00:00Z", days(1)), "2026-09-06T04:00:00Z");
        let months = |months| Interval { months, days: 0, millis: 0 };
        assert_eq!(begins("Europe/Berlin", "2026-04-15T12:00:00Z", months(1)), "2026-03-31T22:00:00Z");
        assert_eq!(begins("Europe/Berlin", "2026-04-15T12:00:00Z", months(12)), "2025-12-31T23:00:00Z");
    }

    #[test]
    fn hours_do_not_reach_over_a_change_of_the_clock() {
        // In autumn the hour from two to three comes twice; each is an hour of its own.
        assert_eq!(begins("Europe/Berlin", "2026-10-25T00:30:00Z", hours(1)), "2026-10-25T00:00:00Z");
        assert_eq!(begins("Europe/Berlin", "2026-10-25T01:30:00Z", hours(1)), "2026-10-25T01:00:00Z");
        // Three hours from midnight on: from 22:00 UTC to one, and the hour that comes again belongs to them.
        assert_eq!(begins("Europe/Berlin", "2026-10-25T01:30:00Z", hours(3)), "2026-10-24T22:00:00Z");
        assert_eq!(begins("Europe/Berlin", "2026-10-25T02:30:00Z", hours(3)), "2026-10-25T02:00:00Z");
        // In spring the clock goes from two to three: what would begin at two begins at three.
        assert_eq!(begins("Europe/Berlin", "2026-03-29T01:30:00Z", hours(2)), "2026-03-29T01:00:00Z");
        assert_eq!(begins("Asia/Kolkata", "2026-03-29T01:20:00Z", hours(1)), "2026-03-29T00:30:00Z");
    }

    #[test]
    fn days_beyond_one_are_counted() {
        assert_eq!(begins("Europe/Berlin", "1970-01-02T12:00:00Z", days(2)), "1969-12-31T23:00:00Z");
        assert_eq!(begins("Europe/Berlin", "1970-01-03T12:00:00Z", days(2)), "1970-01-02T23:00:00Z");
    }
}
