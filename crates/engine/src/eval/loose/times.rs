//! Times as text by the letters of C's `strftime`, and modifiers such as `-70m@m`. All in UTC.

use std::fmt::Write;

use jiff::{
    ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use lurcher_ir::LooseFunction;
use lurcher_schema::{RelativeTime, Timestamp, Value};

use super::{Number, number, numbers::whole, text};
use crate::eval::time_format::{DAYS, MONTHS};

const DAY: i64 = 86_400;
/// Years beyond this are no times.
const MAX_SECONDS: f64 = 253_402_300_799.0;

pub(super) fn apply(function: &LooseFunction, values: &[Value]) -> Option<Value> {
    use LooseFunction as F;
    match (function, values) {
        (F::FormatTime, [time, format]) => format_time(seconds(time)?, &text(format)?).map(Value::text),
        (F::ParseTime, [time, format]) => written(parse_time(&text(time)?, &text(format)?)?),
        (F::RelativeTime, [time, modifier]) => written(relative(seconds(time)?, &text(modifier)?)?),
        (F::MonthBucket, [time, months]) => {
            let months = whole(number(months)?).filter(|months| *months > 0)?;
            let time = calendar(seconds(time)?)?;
            let counted = i64::from(time.year()) * 12 + i64::from(time.month()) - 1;
            let start = counted.div_euclid(months).checked_mul(months)?;
            Some(Value::Int(midnight(date(start.div_euclid(12), start.rem_euclid(12) + 1, 1)?)?))
        }
        (F::Duration, [value]) => duration(seconds(value)?).map(Value::text),
        (F::ReadDuration, [value]) => read_duration(&text(value)?),
        _ => None,
    }
}

fn seconds(value: &Value) -> Option<f64> {
    Some(number(value)?.as_f64()).filter(|seconds| seconds.abs() <= MAX_SECONDS)
}

fn written(seconds: f64) -> Option<Value> {
    match whole(Number::Float(seconds)) {
        Some(whole) => Some(Value::Int(whole)),
        None => Number::Float(seconds).into_value(),
    }
}

/// The calendar's reading of seconds since 1970.
fn calendar(seconds: f64) -> Option<DateTime> {
    let time = jiff::Timestamp::from_microsecond((seconds * 1e6).round() as i64).ok()?;
    Some(time.to_zoned(TimeZone::UTC).datetime())
}

fn date(year: i64, month: i64, day: i64) -> Option<Date> {
    Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
}

/// The beginning of a day in seconds since 1970.
fn midnight(date: Date) -> Option<i64> {
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second())
}

fn format_time(seconds: f64, format: &str) -> Option<String> {
    let time = calendar(seconds)?;
    let mut out = String::new();
    let mut letters = format.chars().peekable();
    while let Some(c) = letters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut width = None;
        while let Some(digit) = letters.peek().and_then(|c| c.to_digit(10)) {
            width = Some(digit as usize);
            letters.next();
        }
        let plain = letters.next_if(|c| matches!(c, '-' | '_' | '#')).is_some();
        let Some(letter) = letters.next() else {
            out.push('%');
            break;
        };
        letter_of(letter, width, plain, time, &mut out);
    }
    Some(out)
}

fn letter_of(letter: char, width: Option<usize>, plain: bool, time: DateTime, out: &mut String) {
    let (week, of_year) = (time.date().iso_week_date(), i64::from(time.date().day_of_year()));
    let (monday_first, sunday_first) = (time.weekday().to_monday_zero_offset(), time.weekday().to_sunday_zero_offset());
    let day = DAYS[monday_first.unsigned_abs() as usize];
    let month = MONTHS[time.month().unsigned_abs() as usize - 1];
    let twelve = (time.hour() + 11) % 12 + 1;
    let mut padded = |number: i64, digits: usize| {
        // Writing to a string cannot fail.
        let _ = if plain { write!(out, "{number}") } else { write!(out, "{number:0digits$}") };
    };
    match letter {
        'Y' => padded(time.year().into(), 4),
        'y' => padded(time.year().rem_euclid(100).into(), 2),
        'C' => padded(time.year().div_euclid(100).into(), 2),
        'm' => padded(time.month().into(), 2),
        'd' => padded(time.day().into(), 2),
        'H' => padded(time.hour().into(), 2),
        'I' => padded(twelve.into(), 2),
        'M' => padded(time.minute().into(), 2),
        'S' => padded(time.second().into(), 2),
        'j' => padded(of_year, 3),
        'V' => padded(week.week().into(), 2),
        'G' => padded(week.year().into(), 4),
        'U' => padded((of_year + 6 - i64::from(sunday_first)) / 7, 2),
        'W' => padded((of_year + 6 - i64::from(monday_first)) / 7, 2),
        'w' => padded(sunday_first.into(), 1),
        'u' => padded(i64::from(monday_first) + 1, 1),
        's' => padded(midnight(time.date()).unwrap_or(0) + of_day(time), 1),
        'e' => spaced(out, time.day()),
        'k' => spaced(out, time.hour()),
        'l' => spaced(out, twelve),
        'A' => out.push_str(day),
        'a' => out.push_str(&day[..3]),
        'B' => out.push_str(month),
        'b' | 'h' => out.push_str(&month[..3]),
        'p' => out.push_str(if time.hour() < 12 { "AM" } else { "PM" }),
        'f' | 'N' | 'Q' | 'L' => {
            let digits = width.unwrap_or(match letter {
                'f' => 6,
                'N' => 9,
                _ => 3,
            });
            let all = format!("{:09}", time.subsec_nanosecond());
            out.push_str(&all[..digits.min(9)]);
        }
        'z' => out.push_str("+0000"),
        'Z' => out.push_str("UTC"),
        'n' => out.push('\n'),
        't' => out.push('\t'),
        '%' => out.push('%'),
        letter => match combined(letter) {
            Some(letters) => letters.chars().for_each(|c| match c {
                c if c.is_ascii_alphabetic() => letter_of(c, None, false, time, out),
                c => out.push(c),
            }),
            None => out.extend(['%', letter]),
        },
    }
}

/// What a letter stands for that means several others.
fn combined(letter: char) -> Option<&'static str> {
    Some(match letter {
        'F' => "Y-m-d",
        'D' | 'x' => "m/d/y",
        'T' | 'X' => "H:M:S",
        'R' => "H:M",
        'c' => "a b e H:M:S Y",
        _ => return None,
    })
}

fn spaced(out: &mut String, number: i8) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{number:2}");
}

/// Whole seconds since midnight.
fn of_day(time: DateTime) -> i64 {
    i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second())
}

/// What a format has read so far.
struct Reading<'t> {
    rest: &'t str,
    year: i64,
    month: i64,
    day: i64,
    of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    fraction: f64,
    afternoon: Option<bool>,
    offset: i64,
    whole: Option<f64>,
}

impl<'t> Reading<'t> {
    fn digits(&mut self, most: usize) -> Option<i64> {
        self.rest = self.rest.trim_start();
        let length = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest;
        digits.parse().ok()
    }

    fn fraction(&mut self) -> Option<f64> {
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(length);
        self.rest = rest;
        format!("0.{digits}").parse().ok().filter(|_| length > 0)
    }

    /// A name or its first three letters: its number.
    fn name(&mut self, names: &[&str]) -> Option<i64> {
        let starts = |name: &str| self.rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let (at, length) = names.iter().enumerate().find_map(|(at, name)| {
            let short = name.get(..3)?;
            if starts(name) { Some((at, name.len())) } else { starts(short).then_some((at, 3)) }
        })?;
        self.rest = self.rest.get(length..)?;
        Some(at as i64)
    }

    /// `+0100`, `+01:00`, `Z`, `UTC`, `GMT`.
    fn zone(&mut self) -> Option<()> {
        self.rest = self.rest.trim_start();
        for known in ["UTC", "GMT", "Z"] {
            if self.rest.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known)) {
                self.rest = self.rest.get(known.len()..)?;
                return Some(());
            }
        }
        let sign = match self.rest.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        self.rest = self.rest.get(1..)?;
        let hours = self.digits(2)?;
        self.rest = self.rest.strip_prefix(':').unwrap_or(self.rest);
        let minutes = self.digits(2).unwrap_or(0);
        self.offset = sign * (hours * 3600 + minutes * 60);
        Some(())
    }

    fn letter(&mut self, letter: char) -> Option<()> {
        match letter {
            'Y' => self.year = self.digits(4)?,
            'y' => {
                let year = self.digits(2)?;
                self.year = if year < 69 { 2000 + year } else { 1900 + year };
            }
            'm' => self.month = self.digits(2)?,
            'd' | 'e' => self.day = self.digits(2)?,
            'j' => self.of_year = Some(self.digits(3)?),
            'H' | 'k' | 'I' | 'l' => self.hour = self.digits(2)?,
            'M' => self.minute = self.digits(2)?,
            'S' => self.second = self.digits(2)?,
            'f' | 'N' | 'Q' | 'L' => self.fraction = self.fraction()?,
            'b' | 'B' | 'h' => self.month = self.name(&MONTHS)? + 1,
            'a' | 'A' => {
                self.name(&DAYS)?;
            }
            'p' => {
                let start = self.rest.get(..2)?;
                self.afternoon = Some(start.eq_ignore_ascii_case("pm"));
                if !start.eq_ignore_ascii_case("am") && !start.eq_ignore_ascii_case("pm") {
                    return None;
                }
                self.rest = self.rest.get(2..)?;
            }
            's' => {
                let whole = self.digits(12)? as f64;
                let fraction = self.rest.strip_prefix('.').map(|rest| self.rest = rest).and_then(|()| self.fraction());
                self.whole = Some(whole + fraction.unwrap_or(0.0));
            }
            'z' | 'Z' => self.zone()?,
            '%' => self.rest = self.rest.strip_prefix('%')?,
            letter => combined(letter)?.chars().try_for_each(|c| match c {
                c if c.is_ascii_alphabetic() => self.letter(c),
                c => self.literal(c),
            })?,
        }
        Some(())
    }

    /// A character of the format that stands for itself; blanks stand for any number of them.
    fn literal(&mut self, c: char) -> Option<()> {
        self.rest = if c.is_whitespace() { self.rest.trim_start() } else { self.rest.strip_prefix(c)? };
        Some(())
    }

    fn all(&mut self, format: &str) -> Option<()> {
        let mut letters = format.chars().peekable();
        while let Some(c) = letters.next() {
            match c {
                '%' => {
                    while letters.next_if(|c| c.is_ascii_digit() || matches!(c, '-' | '_')).is_some() {}
                    self.letter(letters.next()?)?;
                }
                c => self.literal(c)?,
            }
        }
        Some(())
    }
}

fn parse_time(text: &str, format: &str) -> Option<f64> {
    let mut reading = Reading {
        rest: text.trim(),
        year: 1970,
        month: 1,
        day: 1,
        of_year: None,
        hour: 0,
        minute: 0,
        second: 0,
        fraction: 0.0,
        afternoon: None,
        offset: 0,
        whole: None,
    };
    reading.all(format)?;
    let Reading { year, month, day, of_year, mut hour, minute, second, fraction, afternoon, offset, whole, .. } =
        reading;
    if let Some(whole) = whole {
        return Some(whole);
    }
    if let Some(afternoon) = afternoon {
        hour = hour % 12 + if afternoon { 12 } else { 0 };
    }
    if hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let date = match of_year {
        Some(of_year) => date(year, 1, 1)?.checked_add((of_year - 1).days()).ok()?,
        None => date(year, month, day)?,
    };
    Some((midnight(date)? + hour * 3600 + minute * 60 + second - offset) as f64 + fraction)
}

/// A time modifier, or a time, applied to a time.
fn relative(time: f64, modifier: &str) -> Option<f64> {
    let modifier = modifier.trim();
    let modifier = modifier.strip_prefix("now()").unwrap_or(modifier);
    let moved = RelativeTime::from_modifier(modifier)?.at(Timestamp::from_seconds(time)).0 as f64 / 1e6;
    Some(moved).filter(|time| time.abs() <= MAX_SECONDS)
}

fn duration(seconds: f64) -> Option<String> {
    let whole = seconds.abs() as i64;
    let (day, hour, minute, second) = (whole / DAY, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    let sign = if seconds < 0.0 { "-" } else { "" };
    let fraction = seconds.abs().fract();
    let mut out = if day > 0 {
        format!("{sign}{day}+{hour:02}:{minute:02}:{second:02}")
    } else {
        format!("{sign}{hour:02}:{minute:02}:{second:02}")
    };
    if fraction > 0.0 {
        out.push_str(format!("{fraction:.6}").strip_prefix('0')?);
    }
    Some(out)
}

/// `D+HH:MM:SS`, `HH:MM:SS`, `MM:SS`, with a fraction of seconds.
fn read_duration(text: &str) -> Option<Value> {
    let text = text.trim();
    let (days, rest) = match text.split_once('+') {
        Some((days, rest)) => (days.trim().parse::<f64>().ok()?, rest),
        None => (0.0, text),
    };
    let mut total = 0.0;
    for part in rest.split(':') {
        total = total * 60.0 + part.trim().parse::<f64>().ok().filter(|part| *part >= 0.0)?;
    }
    written(days * DAY as f64 + total)
}
