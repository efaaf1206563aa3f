//! Points in time: whole milliseconds since 1970, in UTC.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};
use lurcher_ir::{Interval, TimeFunction, TimePart, TimeUnit};
use lurcher_schema::Value;

use super::{
    convert::{text_form, whole},
    time_format,
};

const DAY: i64 = 86_400_000;
const NANOS: i128 = 1_000_000;

pub(super) fn apply(function: TimeFunction, values: &[Value]) -> Option<Value> {
    use TimeFunction as T;
    match (function, values) {
        // Nanoseconds begin with 1970.
        (T::ReadNanos, [Value::Int(time)]) if *time < 0 => None,
        (T::Read | T::ReadNanos, [Value::Int(time)]) => Some(Value::Int(*time)),
        (T::Read, [Value::Text(text)]) => Some(Value::Int(i64::try_from(read(text)?.div_euclid(NANOS)).ok()?)),
        (T::ReadNanos, [Value::Text(text)]) => {
            Some(Value::Int(i64::try_from(read(text)?).ok().filter(|time| *time >= 0)?))
        }
        (T::Written, [time]) => Some(Value::text(written(civil(whole(time)?)?, 3))),
        (T::WrittenNanos, [time]) => {
            let time = Timestamp::from_nanosecond(i128::from(whole(time)?)).ok()?;
            Some(Value::text(written(time.to_zoned(TimeZone::UTC).datetime(), 9)))
        }
        (T::Truncated(span), [time]) => truncated(whole(time)?, span).map(Value::Int),
        (T::Later(span), [time]) => moved(whole(time)?, span, 1).map(Value::Int),
        (T::Earlier(span), [time]) => moved(whole(time)?, span, -1).map(Value::Int),
        (T::Difference(unit), [start, end]) => difference(whole(start)?, whole(end)?, unit).map(Value::Int),
        (T::Part(part), [time]) => Some(Value::Int(part_of(civil(whole(time)?)?, whole(time)?, part))),
        (T::Formatted, [time, format]) => time_format::write(whole(time)?, &text_form(format)?, None).map(Value::text),
        (T::Parsed, [text, format]) => {
            time_format::read(&text_form(text)?, &text_form(format)?, None, true).map(Value::Int)
        }
        (T::DayName, [time]) => {
            let day = civil(whole(time)?)?.date().weekday();
            Some(Value::text(time_format::DAYS[day.to_monday_zero_offset() as usize]))
        }
        (T::MonthName, [time]) => {
            Some(Value::text(time_format::MONTHS[civil(whole(time)?)?.month().unsigned_abs() as usize - 1]))
        }
        _ => None,
    }
}

/// The calendar's reading of milliseconds since 1970.
pub(super) fn civil(millis: i64) -> Option<DateTime> {
    Some(Timestamp::from_millisecond(millis).ok()?.to_zoned(TimeZone::UTC).datetime())
}

/// Milliseconds since 1970 of a calendar's reading.
pub(super) fn millis(time: DateTime) -> Option<i64> {
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

fn written(time: DateTime, digits: u32) -> String {
    let fraction = i64::from(time.subsec_nanosecond()) / 10_i64.pow(9 - digits);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{fraction:0width$}Z",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        width = digits as usize
    )
}

/// Nanoseconds since 1970 of a text: ISO 8601 from the year on.
fn read(text: &str) -> Option<i128> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_nanosecond());
    }
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    let mut parts = date.split('-');
    let number = |part: &str| part.parse::<i16>().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit()));
    let year = parts.next().filter(|year| year.len() == 4).and_then(number)?;
    let month = parts.next().map_or(Some(1), number)?;
    let day = parts.next().map_or(Some(1), number)?;
    if parts.next().is_some() {
        return None;
    }
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let (clock, offset) = match time.find(['Z', '+', '-']) {
        Some(at) => (&time[..at], &time[at..]),
        None => (time, ""),
    };
    let clock = if clock.is_empty() {
        Time::midnight()
    } else if clock.len() == 2 {
        Time::new(clock.parse().ok()?, 0, 0, 0).ok()?
    } else {
        clock.replace(',', ".").parse::<Time>().ok()?
    };
    let seconds = offset_seconds(offset)?;
    let time = date.to_datetime(clock).to_zoned(TimeZone::UTC).ok()?.timestamp().as_nanosecond();
    Some(time - i128::from(seconds) * 1_000_000_000)
}

fn offset_seconds(offset: &str) -> Option<i64> {
    if matches!(offset, "" | "Z") {
        return Some(0);
    }
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let digits: String = offset[1..].chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) || !matches!(digits.len(), 2 | 4) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 = digits.get(2..4).map_or(Some(0), |minutes| minutes.parse().ok())?;
    Some(sign * (hours * 3600 + minutes * 60))
}

pub(super) fn truncated(time: i64, span: Interval) -> Option<i64> {
    let now = civil(time)?;
    let start = |year: i16, month: i8| Date::new(year, month, 1).ok().and_then(|date| millis(date.at(0, 0, 0, 0)));
    match span {
        Interval { months: 0, days: 0, millis } if millis > 0 => Some(time.div_euclid(millis) * millis),
        // Weeks begin on Mondays; 1970 began on a Thursday.
        Interval { months: 0, days: 7, millis: 0 } => Some((time + 3 * DAY).div_euclid(7 * DAY) * 7 * DAY - 3 * DAY),
        Interval { months: 0, days, millis: 0 } if days > 0 => {
            let length = days.checked_mul(DAY)?;
            Some(time.div_euclid(length) * length)
        }
        Interval { months, days: 0, millis: 0 } if months > 0 && months % 12 == 0 => {
            let years = months / 12;
            let year = (i64::from(now.year()) - 1).div_euclid(years) * years + 1;
            start(i16::try_from(year).ok()?, 1)
        }
        Interval { months, days: 0, millis: 0 } if months > 0 => {
            // Counted from the first month of the first year, so that lengths that do not make up a year run on over its end.
            let all = (i64::from(now.year()) - 1) * 12 + i64::from(now.month()) - 1;
            let first = all.div_euclid(months) * months;
            start(i16::try_from(first.div_euclid(12) + 1).ok()?, i8::try_from(first.rem_euclid(12) + 1).ok()?)
        }
        _ => None,
    }
}

fn moved(time: i64, span: Interval, sign: i64) -> Option<i64> {
    let mut time = time;
    if span.months != 0 {
        let shift = jiff::Span::new().try_months(span.months.checked_mul(sign)?).ok()?;
        time = millis(civil(time)?.checked_add(shift).ok()?)?;
    }
    let rest = span.days.checked_mul(DAY)?.checked_add(span.millis)?.checked_mul(sign)?;
    time.checked_add(rest)
}

fn difference(start: i64, end: i64, unit: TimeUnit) -> Option<i64> {
    let span = end.checked_sub(start)?;
    let months = || -> Option<i64> {
        let (a, b) = (civil(start)?, civil(end)?);
        let count = |time: DateTime| i64::from(time.year()) * 12 + i64::from(time.month());
        let mut months = count(b) - count(a);
        let rest = |time: DateTime| (time.day(), time.time());
        // A month that is not whole does not count.
        if months > 0 && rest(b) < rest(a) {
            months -= 1;
        } else if months < 0 && rest(b) > rest(a) {
            months += 1;
        }
        Some(months)
    };
    Some(match unit {
        TimeUnit::Year => months()? / 12,
        TimeUnit::Quarter => months()? / 3,
        TimeUnit::Month => months()?,
        TimeUnit::Week => span / (7 * DAY),
        TimeUnit::Day => span / DAY,
        TimeUnit::Hour => span / 3_600_000,
        TimeUnit::Minute => span / 60_000,
        TimeUnit::Second => span / 1000,
        TimeUnit::Millisecond => span,
        TimeUnit::Microsecond => span.checked_mul(1000)?,
        TimeUnit::Nanosecond => span.checked_mul(1_000_000)?,
    })
}

fn part_of(time: DateTime, millis: i64, part: TimePart) -> i64 {
    let (day, day_of_year) = (i64::from(time.day()), i64::from(time.day_of_year()));
    let (hour, minute, second) = (i64::from(time.hour()), i64::from(time.minute()), i64::from(time.second()));
    let nanos = i64::from(time.subsec_nanosecond());
    let second_of_day = hour * 3600 + minute * 60 + second;
    let year = i64::from(time.year());
    match part {
        TimePart::Year => year,
        TimePart::YearOfEra => {
            if year > 0 {
                year
            } else {
                1 - year
            }
        }
        TimePart::Era => i64::from(year > 0),
        TimePart::MonthOfYear => i64::from(time.month()),
        TimePart::ProlepticMonth => year * 12 + i64::from(time.month()) - 1,
        TimePart::DayOfMonth => day,
        TimePart::DayOfWeek => i64::from(time.date().weekday().to_monday_one_offset()),
        TimePart::DayOfYear => day_of_year,
        TimePart::EpochDay => millis.div_euclid(DAY),
        TimePart::AlignedWeekOfMonth => (day - 1) / 7 + 1,
        TimePart::AlignedWeekOfYear => (day_of_year - 1) / 7 + 1,
        TimePart::AlignedDayOfWeekInMonth => (day - 1) % 7 + 1,
        TimePart::AlignedDayOfWeekInYear => (day_of_year - 1) % 7 + 1,
        TimePart::HalfOfDay => hour / 12,
        TimePart::IsoWeek => i64::from(time.date().iso_week_date().week()),
        TimePart::HourOfDay => hour,
        TimePart::ClockHourOfDay => {
            if hour == 0 {
                24
            } else {
                hour
            }
        }
        TimePart::HourOfHalf => hour % 12,
        TimePart::ClockHourOfHalf => {
            if hour % 12 == 0 {
                12
            } else {
                hour % 12
            }
        }
        TimePart::MinuteOfHour => minute,
        TimePart::MinuteOfDay => hour * 60 + minute,
        TimePart::SecondOfMinute => second,
        TimePart::SecondOfDay => second_of_day,
        TimePart::MilliOfSecond => nanos / 1_000_000,
        TimePart::MilliOfDay => second_of_day * 1000 + nanos / 1_000_000,
        TimePart::MicroOfSecond => nanos / 1000,
        TimePart::MicroOfDay => second_of_day * 1_000_000 + nanos / 1000,
        TimePart::NanoOfSecond => nanos,
        TimePart::NanoOfDay => second_of_day * 1_000_000_000 + nanos,
        TimePart::EpochSecond => millis.div_euclid(1000),
        TimePart::OffsetSeconds => 0,
    }
}
