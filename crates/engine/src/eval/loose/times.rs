//! Times as text by the letters of C's `strftime`, and modifiers such as `-70m@m`. All in UTC.

use std::fmt::Write;

use lurcher_ir::LooseFunction;
use lurcher_schema::Value;

use super::{Number, number, numbers::whole, text};

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
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
            let (year, month, _) = civil((seconds(time)? as i64).div_euclid(DAY));
            let counted = year.checked_mul(12)?.checked_add(month - 1)?;
            let start = counted.div_euclid(months).checked_mul(months)?;
            Some(Value::Int(days(start.div_euclid(12), start.rem_euclid(12) + 1, 1) * DAY))
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

/// Days since 1970 of a day of the proleptic Gregorian calendar.
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a number of days since 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days - era * 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// A time in parts.
struct Parts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    /// 0 is Sunday.
    weekday: i64,
    of_year: i64,
    whole: i64,
}

impl Parts {
    fn of(seconds: f64) -> Self {
        let micros = (seconds * 1e6).round() as i64;
        let whole = micros.div_euclid(1_000_000);
        let day = whole.div_euclid(DAY);
        let (year, month, of_month) = civil(day);
        let of_day = whole.rem_euclid(DAY);
        Self {
            year,
            month,
            day: of_month,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            micros: micros.rem_euclid(1_000_000),
            weekday: (day + 4).rem_euclid(7),
            of_year: day - days(year, 1, 1) + 1,
            whole,
        }
    }

    /// Year and number of the ISO week.
    fn iso_week(&self) -> (i64, i64) {
        let weekday = if self.weekday == 0 { 7 } else { self.weekday };
        let week = (self.of_year - weekday + 10) / 7;
        let weeks_of = |year: i64| {
            let first = (days(year, 1, 1) + 4).rem_euclid(7);
            let leap = days(year + 1, 1, 1) - days(year, 1, 1) == 366;
            if first == 4 || (leap && first == 3) { 53 } else { 52 }
        };
        match week {
            0 => (self.year - 1, weeks_of(self.year - 1)),
            53 if weeks_of(self.year) < 53 => (self.year + 1, 1),
            week => (self.year, week),
        }
    }
}

fn format_time(seconds: f64, format: &str) -> Option<String> {
    let parts = Parts::of(seconds);
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
        letter_of(letter, width, plain, &parts, &mut out);
    }
    Some(out)
}

fn letter_of(letter: char, width: Option<usize>, plain: bool, parts: &Parts, out: &mut String) {
    let name = |names: &[&'static str], at: i64| names.get(at as usize).copied().unwrap_or("");
    let twelve = if parts.hour % 12 == 0 { 12 } else { parts.hour % 12 };
    let mut padded = |number: i64, digits: usize| {
        // Writing to a string cannot fail.
        let _ = if plain { write!(out, "{number}") } else { write!(out, "{number:0digits$}") };
    };
    match letter {
        'Y' => padded(parts.year, 4),
        'y' => padded(parts.year.rem_euclid(100), 2),
        'C' => padded(parts.year.div_euclid(100), 2),
        'm' => padded(parts.month, 2),
        'd' => padded(parts.day, 2),
        'H' => padded(parts.hour, 2),
        'I' => padded(twelve, 2),
        'M' => padded(parts.minute, 2),
        'S' => padded(parts.second, 2),
        'j' => padded(parts.of_year, 3),
        'V' => padded(parts.iso_week().1, 2),
        'G' => padded(parts.iso_week().0, 4),
        'U' => padded((parts.of_year + 6 - parts.weekday) / 7, 2),
        'W' => padded((parts.of_year + 6 - (parts.weekday + 6) % 7) / 7, 2),
        'w' => padded(parts.weekday, 1),
        'u' => padded(if parts.weekday == 0 { 7 } else { parts.weekday }, 1),
        's' => padded(parts.whole, 1),
        'e' => {
            let _ = write!(out, "{:2}", parts.day);
        }
        'k' => {
            let _ = write!(out, "{:2}", parts.hour);
        }
        'l' => {
            let _ = write!(out, "{twelve:2}");
        }
        'A' => out.push_str(name(&DAYS, parts.weekday)),
        'a' => out.push_str(name(&DAYS, parts.weekday).get(..3).unwrap_or("")),
        'B' => out.push_str(name(&MONTHS, parts.month - 1)),
        'b' | 'h' => out.push_str(name(&MONTHS, parts.month - 1).get(..3).unwrap_or("")),
        'p' => out.push_str(if parts.hour < 12 { "AM" } else { "PM" }),
        'f' | 'N' | 'Q' | 'L' => {
            let digits = width.unwrap_or(match letter {
                'f' => 6,
                'N' => 9,
                _ => 3,
            });
            let digits = digits.min(9);
            let all = format!("{:06}000", parts.micros);
            out.push_str(all.get(..digits).unwrap_or(""));
        }
        'F' => {
            let _ = write!(out, "{:04}-{:02}-{:02}", parts.year, parts.month, parts.day);
        }
        'D' | 'x' => {
            let _ = write!(out, "{:02}/{:02}/{:02}", parts.month, parts.day, parts.year.rem_euclid(100));
        }
        'T' | 'X' => {
            let _ = write!(out, "{:02}:{:02}:{:02}", parts.hour, parts.minute, parts.second);
        }
        'R' => {
            let _ = write!(out, "{:02}:{:02}", parts.hour, parts.minute);
        }
        'c' => {
            let (day, month) = (name(&DAYS, parts.weekday), name(&MONTHS, parts.month - 1));
            let (day, month) = (day.get(..3).unwrap_or(""), month.get(..3).unwrap_or(""));
            let Parts { hour, minute, second, year, .. } = parts;
            let _ = write!(out, "{day} {month} {:2} {hour:02}:{minute:02}:{second:02} {year}", parts.day);
        }
        'z' => out.push_str("+0000"),
        'Z' => out.push_str("UTC"),
        'n' => out.push('\n'),
        't' => out.push('\t'),
        '%' => out.push('%'),
        other => {
            out.push('%');
            out.push(other);
        }
    }
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
            'T' | 'X' => self.all("%H:%M:%S")?,
            'R' => self.all("%H:%M")?,
            'F' => self.all("%Y-%m-%d")?,
            'D' | 'x' => self.all("%m/%d/%y")?,
            '%' => self.rest = self.rest.strip_prefix('%')?,
            _ => return None,
        }
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
                c if c.is_whitespace() => self.rest = self.rest.trim_start(),
                c => self.rest = self.rest.strip_prefix(c)?,
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
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let day = match of_year {
        Some(of_year) => days(year, 1, 1) + of_year - 1,
        None => days(year, month, day),
    };
    Some((day * DAY + hour * 3600 + minute * 60 + second - offset) as f64 + fraction)
}

/// Offsets and cuts, left to right.
fn relative(time: f64, modifier: &str) -> Option<f64> {
    let modifier = modifier.trim();
    let mut rest = modifier.strip_prefix("now").or_else(|| modifier.strip_prefix("now()")).unwrap_or(modifier);
    if let Ok(absolute) = rest.parse::<f64>()
        && !rest.starts_with(['+', '-'])
    {
        return Some(absolute);
    }
    let mut time = time;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '+' | '-' => {
                let length = rest.bytes().take_while(u8::is_ascii_digit).count();
                let amount: i64 = if length == 0 { 1 } else { rest[..length].parse().ok()? };
                rest = &rest[length..];
                let unit = take_unit(&mut rest);
                time = moved(time, if c == '-' { -amount } else { amount }, unit)?;
            }
            '@' => {
                let unit = take_unit(&mut rest);
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let weekday = if unit.starts_with('w') { rest[..digits].parse().unwrap_or(0) } else { 0 };
                if unit == "w" || unit == "q" {
                    rest = &rest[digits..];
                }
                time = cut(time, unit, weekday)?;
            }
            c if c.is_whitespace() => {}
            _ => return None,
        }
    }
    Some(time).filter(|time| time.abs() <= MAX_SECONDS)
}

fn take_unit<'t>(rest: &mut &'t str) -> &'t str {
    let length = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (unit, behind) = rest.split_at(length);
    *rest = behind;
    match unit {
        "s" | "sec" | "secs" | "second" | "seconds" | "" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        "w" | "week" | "weeks" => "w",
        "mon" | "month" | "months" => "mon",
        "q" | "qtr" | "qtrs" | "quarter" | "quarters" => "q",
        "y" | "yr" | "yrs" | "year" | "years" => "y",
        other => other,
    }
}

fn moved(time: f64, amount: i64, unit: &str) -> Option<f64> {
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => DAY,
        "w" => 7 * DAY,
        "mon" | "q" | "y" => {
            let months = amount.checked_mul(if unit == "mon" {
                1
            } else if unit == "q" {
                3
            } else {
                12
            })?;
            let day = time.div_euclid(DAY as f64) as i64;
            let (year, month, of_month) = civil(day);
            let counted = year.checked_mul(12)?.checked_add(month - 1)?.checked_add(months)?;
            let (year, month) = (counted.div_euclid(12), counted.rem_euclid(12) + 1);
            if !(-9999..=9999).contains(&year) {
                return None;
            }
            let last = days(year + i64::from(month == 12), month % 12 + 1, 1) - days(year, month, 1);
            return Some((days(year, month, of_month.min(last)) * DAY) as f64 + time.rem_euclid(DAY as f64));
        }
        _ => return None,
    };
    Some(time + amount as f64 * seconds as f64)
}

fn cut(time: f64, unit: &str, weekday: i64) -> Option<f64> {
    let day = time.div_euclid(DAY as f64) as i64;
    let floor = |size: f64| (time / size).floor() * size;
    let (year, month, _) = civil(day);
    Some(match unit {
        "s" => time.floor(),
        "m" => floor(60.0),
        "h" => floor(3600.0),
        "d" => (day * DAY) as f64,
        "w" => {
            let since = (day + 4 - weekday % 7).rem_euclid(7);
            ((day - since) * DAY) as f64
        }
        "mon" => (days(year, month, 1) * DAY) as f64,
        "q" => (days(year, (month - 1) / 3 * 3 + 1, 1) * DAY) as f64,
        "y" => (days(year, 1, 1) * DAY) as f64,
        _ => return None,
    })
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
