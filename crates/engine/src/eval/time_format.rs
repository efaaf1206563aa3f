//! Times by patterns of letters, as in `java.time.format.DateTimeFormatter`, and by the names that Elasticsearch gives
//! to some. English names. Letters that nothing is known of make the result null.

use std::fmt::Write as _;

use jiff::civil::{Date, DateTime};
use lurcher_schema::Zone;

use super::time;

/// The days of the week.
pub(super) const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The months.
pub(super) const MONTHS: [&str; 12] = [
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

/// Formats that have names.
const NAMED: [(&str, &str); 14] = [
    ("strict_date_optional_time", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"),
    ("date_optional_time", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"),
    ("iso8601", "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"),
    ("strict_date_time", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"),
    ("date_time", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"),
    ("date_time_no_millis", "yyyy-MM-dd'T'HH:mm:ssXXX"),
    ("date", "yyyy-MM-dd"),
    ("strict_date", "yyyy-MM-dd"),
    ("basic_date", "yyyyMMdd"),
    ("basic_date_time", "yyyyMMdd'T'HHmmss.SSSXX"),
    ("hour_minute_second", "HH:mm:ss"),
    ("year", "yyyy"),
    ("year_month", "yyyy-MM"),
    ("year_month_day", "yyyy-MM-dd"),
];

/// A piece of a pattern.
enum Piece {
    /// This text.
    Literal(String),
    /// A letter, so many times.
    Field(char, usize),
}

fn pieces(format: &str) -> Option<Vec<Piece>> {
    let format = NAMED.iter().find(|(name, _)| *name == format).map_or(format, |(_, pattern)| pattern);
    let mut pieces = Vec::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' {
            let mut text = String::new();
            if chars.peek() == Some(&'\'') {
                chars.next();
                text.push('\'');
            } else {
                loop {
                    match chars.next()? {
                        '\'' if chars.peek() == Some(&'\'') => {
                            chars.next();
                            text.push('\'');
                        }
                        '\'' => break,
                        other => text.push(other),
                    }
                }
            }
            pieces.push(Piece::Literal(text));
        } else if c.is_ascii_alphabetic() {
            let mut count = 1;
            while chars.peek() == Some(&c) {
                chars.next();
                count += 1;
            }
            pieces.push(Piece::Field(c, count));
        } else if !matches!(c, '[' | ']') {
            pieces.push(Piece::Literal(c.to_string()));
        }
    }
    Some(pieces)
}

/// A time, in milliseconds since 1970, as text; in a zone, or else in UTC.
pub(super) fn write(millis: i64, format: &str, zone: Option<&Zone>) -> Option<String> {
    match format {
        "epoch_millis" => return Some(millis.to_string()),
        "epoch_second" => return Some(millis.div_euclid(1000).to_string()),
        _ => {}
    }
    let offset = zone.map_or(Some(0), |zone| zone.offset(millis))?;
    let time = time::civil(millis.checked_add(offset)?)?;
    let mut out = String::new();
    for piece in pieces(format)? {
        match piece {
            Piece::Literal(text) => out.push_str(&text),
            Piece::Field(letter @ ('X' | 'x' | 'Z' | 'O'), count) => {
                out.push_str(&offset_text(letter, count, offset / 1000)?);
            }
            Piece::Field('V', 2) => out.push_str(zone.map_or("Z", Zone::name)),
            // Long names are in no database of zones.
            Piece::Field('z', 1..=3) => match zone.filter(|zone| zone.fixed_offset().is_none()) {
                Some(zone) => out.push_str(&zone.abbreviation(millis)?),
                None => out.push_str(zone.map_or("Z", Zone::name)),
            },
            Piece::Field(letter, count) => field(&mut out, time, letter, count)?,
        }
    }
    Some(out)
}

/// An offset in seconds by a letter: `+01`, `+0130`, `+01:30`, `GMT+1`, seconds only where there are any.
fn offset_text(letter: char, count: usize, seconds: i64) -> Option<String> {
    let zero = seconds == 0;
    let sign = if seconds < 0 { '-' } else { '+' };
    let all = seconds.abs();
    let (hours, minutes, rest) = (all / 3600, all / 60 % 60, all % 60);
    let joined = |between: &str, seconds: bool| {
        let text = format!("{sign}{hours:02}{between}{minutes:02}");
        if seconds && rest != 0 { format!("{text}{between}{rest:02}") } else { text }
    };
    Some(match (letter, count) {
        ('X', 1..=5) | ('Z', 5) if zero => "Z".to_owned(),
        ('X' | 'x', 1) if minutes == 0 => format!("{sign}{hours:02}"),
        ('X' | 'x', 1 | 2) => joined("", false),
        ('X' | 'x', 3) => joined(":", false),
        ('X' | 'x', 4) => joined("", true),
        ('X' | 'x' | 'Z', 5) => joined(":", true),
        ('Z', 1..=3) => joined("", true),
        ('Z' | 'O', 4) if zero => "GMT".to_owned(),
        ('Z' | 'O', 4) => format!("GMT{}", joined(":", true)),
        ('O', 1) if zero => "GMT".to_owned(),
        ('O', 1) if minutes == 0 && rest == 0 => format!("GMT{sign}{hours}"),
        ('O', 1) => format!("GMT{sign}{hours}:{minutes:02}"),
        _ => return None,
    })
}

fn field(out: &mut String, time: DateTime, letter: char, count: usize) -> Option<()> {
    let hour = i64::from(time.hour());
    let half = if hour % 12 == 0 { 12 } else { hour % 12 };
    let (day, month) = (time.date().weekday(), usize::from(time.month().unsigned_abs()));
    let name =
        |out: &mut String, full: &str| out.push_str(if count >= 4 { full } else { full.get(..3).unwrap_or(full) });
    let number = match letter {
        'y' | 'u' | 'Y' if count == 2 => i64::from(time.year()).rem_euclid(100),
        'y' | 'u' | 'Y' => i64::from(time.year()),
        'M' | 'L' if count >= 3 => {
            name(out, MONTHS.get(month - 1)?);
            return Some(());
        }
        'E' => {
            name(out, DAYS.get(day.to_monday_zero_offset() as usize)?);
            return Some(());
        }
        'a' => {
            out.push_str(if hour < 12 { "AM" } else { "PM" });
            return Some(());
        }
        'G' => {
            out.push_str("AD");
            return Some(());
        }
        'S' => {
            let digits = format!("{:09}", time.subsec_nanosecond());
            let _ = write!(out, "{digits:0<count$.count$}");
            return Some(());
        }
        'M' | 'L' => month as i64,
        'd' => i64::from(time.day()),
        'D' => i64::from(time.day_of_year()),
        'e' => i64::from(day.to_monday_one_offset()),
        'Q' | 'q' => (month as i64 - 1) / 3 + 1,
        'w' => i64::from(time.date().iso_week_date().week()),
        'H' => hour,
        'k' => {
            if hour == 0 {
                24
            } else {
                hour
            }
        }
        'h' => half,
        'K' => hour % 12,
        'm' => i64::from(time.minute()),
        's' => i64::from(time.second()),
        'n' => i64::from(time.subsec_nanosecond()),
        'A' => {
            (hour * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second())) * 1000
                + i64::from(time.subsec_nanosecond()) / 1_000_000
        }
        _ => return None,
    };
    let _ = write!(out, "{number:0count$}");
    Some(())
}

/// What a text says, as milliseconds since 1970. What it does not say of where is meant in the zone, or else in UTC; an offset
/// in it counts only if `offsets` do, the name of a zone always.
pub(super) fn read(text: &str, format: &str, zone: Option<&Zone>, offsets: bool) -> Option<i64> {
    match format {
        "epoch_millis" => return text.parse().ok(),
        "epoch_second" => return text.parse::<i64>().ok()?.checked_mul(1000),
        _ => {}
    }
    let pieces = pieces(format)?;
    let mut found = Found { year: 1970, month: 1, day: 1, ..Found::default() };
    let mut rest = text;
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Literal(literal) => rest = rest.strip_prefix(literal.as_str())?,
            Piece::Field(letter, count) => {
                // Digits that touch the next field have exactly as many places as letters.
                let touches = matches!(pieces.get(at + 1), Some(Piece::Field(next, _)) if next.is_ascii_alphabetic());
                rest = found.read(rest, *letter, *count, touches)?;
            }
        }
    }
    rest.is_empty().then_some(())?;
    let local = found.local()?;
    match (&found.zone, found.offset.filter(|_| offsets), zone) {
        (Some(zone), ..) | (None, None, Some(zone)) => zone.instant(local),
        (None, Some(offset), _) => local.checked_sub(offset * 1000),
        (None, None, None) => Some(local),
    }
}

#[derive(Default)]
struct Found {
    year: i16,
    month: i8,
    day: i8,
    day_of_year: Option<i16>,
    hour: i8,
    afternoon: Option<bool>,
    minute: i8,
    second: i8,
    nanos: i32,
    offset: Option<i64>,
    zone: Option<Zone>,
}

impl Found {
    fn read<'t>(&mut self, text: &'t str, letter: char, count: usize, touches: bool) -> Option<&'t str> {
        let name = |names: &[&str]| {
            let full = names.iter().position(|name| starts(text, name)).map(|at| (at, names[at].len()));
            full.or_else(|| names.iter().position(|name| starts(text, &name[..3])).map(|at| (at, 3)))
        };
        match letter {
            'M' | 'L' if count >= 3 => {
                let (at, length) = name(&MONTHS)?;
                self.month = at as i8 + 1;
                return text.get(length..);
            }
            'E' => return text.get(name(&DAYS)?.1..),
            'a' => {
                self.afternoon = Some(starts(text, "PM"));
                return (starts(text, "PM") || starts(text, "AM")).then(|| &text[2..]);
            }
            'X' | 'x' | 'Z' | 'O' => return self.offset(text),
            'z' | 'V' => return self.zone(text),
            _ => {}
        }
        let most = if letter == 'S' || touches || count >= 2 { count } else { 19 };
        let length = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if length == 0 || (count >= 2 && length < count && letter != 'S') {
            return None;
        }
        let (digits, rest) = text.split_at(length);
        let number: i64 = digits.parse().ok()?;
        match letter {
            'y' | 'u' | 'Y' if count == 2 => self.year = i16::try_from(2000 + number).ok()?,
            'y' | 'u' | 'Y' => self.year = i16::try_from(number).ok()?,
            'M' | 'L' => self.month = i8::try_from(number).ok()?,
            'd' => self.day = i8::try_from(number).ok()?,
            'D' => self.day_of_year = Some(i16::try_from(number).ok()?),
            'H' | 'K' => self.hour = i8::try_from(number).ok()?,
            'h' => self.hour = i8::try_from(number % 12).ok()?,
            'k' => self.hour = i8::try_from(number % 24).ok()?,
            'm' => self.minute = i8::try_from(number).ok()?,
            's' => self.second = i8::try_from(number).ok()?,
            'S' => self.nanos = format!("{digits:0<9}").get(..9)?.parse().ok()?,
            _ => return None,
        }
        Some(rest)
    }

    /// The name of a zone, or an offset in its place.
    fn zone<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let end = text
            .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '/' | '_' | '-' | '+'))
            .unwrap_or(text.len());
        if let Some(zone) = Zone::named(&text[..end]) {
            self.zone = Some(zone);
            return Some(&text[end..]);
        }
        let rest = self.offset(text)?;
        let seconds = self.offset.and_then(|seconds| i32::try_from(seconds).ok())?;
        self.zone = Zone::fixed(seconds);
        Some(rest)
    }

    fn offset<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let rest = text.strip_prefix("UTC").or_else(|| text.strip_prefix("GMT"));
        if let Some(rest) = text.strip_prefix('Z').or_else(|| rest.filter(|rest| !rest.starts_with(['+', '-']))) {
            self.offset = Some(0);
            return Some(rest);
        }
        let text = rest.unwrap_or(text);
        let sign = if text.starts_with('-') { -1 } else { 1 };
        let rest = text.strip_prefix(['+', '-'])?;
        let hours: i64 = rest.get(..2)?.parse().ok()?;
        let rest = rest.get(2..)?;
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        let digits = rest.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let minutes: i64 = digits.map_or(Some(0), |digits| digits.parse().ok())?;
        self.offset = Some(sign * (hours * 3600 + minutes * 60));
        Some(if digits.is_some() { &rest[2..] } else { rest })
    }

    /// Milliseconds since 1970 of what the text says, as if it were of UTC.
    fn local(&self) -> Option<i64> {
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let mut date = Date::new(self.year, self.month, self.day).ok()?;
        if let Some(day) = self.day_of_year {
            date = Date::new(self.year, 1, 1).ok()?;
            date = date.checked_add(jiff::Span::new().try_days(i64::from(day) - 1).ok()?).ok()?;
        }
        let time = jiff::civil::Time::new(hour, self.minute, self.second, self.nanos).ok()?;
        time::millis(date.to_datetime(time))
    }
}

fn starts(text: &str, name: &str) -> bool {
    text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}
