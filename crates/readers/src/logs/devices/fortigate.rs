//! FortiGate's logs: `key=value` with values in quotes where they hold blanks (Fortinet, FortiOS Log Message Reference).
//!
//! Fields have the keys' names; `type` and `subtype` are attributes of the shape. The time is `eventtime`, seconds since
//! 1970 or a finer unit by its number of digits, else `date` and `time` in the zone `tz`.

use std::borrow::Cow;

use lurcher_schema::Timestamp;

use super::{Line, time_of};
use crate::windows::Desk;

/// More keys of one line are left out.
const KEYS: usize = 256;

/// A message: its pairs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::logs) struct Message<'a>(&'a str);

/// The pairs of a line; `None` if it is none of FortiGate's.
pub(super) fn message(line: &str) -> Option<Message<'_>> {
    let at = if line.starts_with("date=") { 0 } else { line.find(" date=")? + 1 };
    let text = line.get(at..)?;
    let has = |key: &str| text.contains(key);
    let fits = has(" time=") && has(" type=") && (has(" devid=") || has(" devname=") || has(" logid="));
    fits.then_some(Message(text))
}

impl<'a> Message<'a> {
    /// The event.
    pub(super) fn event(self, desk: &mut Desk, (host, received): (&'a str, Option<Timestamp>)) -> Line<'a> {
        let mut line = Line::new("fortigate");
        let [mut date, mut clock, mut zone, mut moment] = [const { Cow::Borrowed("") }; 4];
        for (key, value) in Pairs(self.0).take(KEYS) {
            match key {
                "date" => date.clone_from(&value),
                "time" => clock.clone_from(&value),
                "tz" => zone.clone_from(&value),
                "eventtime" => moment.clone_from(&value),
                "type" => line.attribute("type", value.to_string()),
                "subtype" => line.attribute("subtype", value.to_string()),
                _ => {}
            }
            // What Fortinet writes where there is nothing to say.
            if value != "N/A" {
                line.either(desk, key, value);
            }
        }
        line.time = since_1970(&moment).or_else(|| time_of(&date, &clock, &zone)).or(received);
        line.text(desk, "host", host);
        line
    }
}

/// Seconds, milliseconds, microseconds or nanoseconds, by the number of digits.
fn since_1970(text: &str) -> Option<Timestamp> {
    let number = text.parse::<i64>().ok().filter(|number| *number > 0)?;
    let micros = match text.len() {
        ..=11 => number.checked_mul(1_000_000)?,
        12..=14 => number.checked_mul(1000)?,
        15..=17 => number,
        _ => number / 1000,
    };
    Some(Timestamp(micros))
}

/// The pairs of a text, in order.
struct Pairs<'a>(&'a str);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let text = self.0.trim_start();
            let (key, rest) = text.split_once('=')?;
            // A stray word before a key goes with what it is part of.
            let key = key.rsplit(' ').next().unwrap_or(key);
            let (value, rest) = match rest.strip_prefix('"') {
                Some(quoted) => {
                    let end = closing(quoted);
                    let inner = quoted.get(..end).unwrap_or(quoted);
                    (unescaped(inner), quoted.get(end + 1..).unwrap_or_default())
                }
                None => {
                    let end = rest.find(' ').unwrap_or(rest.len());
                    (Cow::Borrowed(rest.get(..end).unwrap_or(rest)), rest.get(end..).unwrap_or_default())
                }
            };
            self.0 = rest;
            let word = (1..=64).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if word {
                return Some((key, value));
            }
        }
    }
}

/// Where the closing quote stands, or the text's end.
fn closing(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// Undoes `\"` and `\\`; any other backslash is itself.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match characters.peek() {
            Some(next @ ('"' | '\\')) if c == '\\' => {
                out.push(*next);
                characters.next();
            }
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_may_be_quoted() {
        let text = r#"a=1 b="two words" c="say \"x\" in C:\\y\z" d= e="open"#;
        let found: Vec<(&str, String)> = Pairs(text).map(|(key, value)| (key, value.into_owned())).collect();
        let expected = [("a", "1"), ("b", "two words"), ("c", r#"say "x" in C:\y\z"#), ("d", ""), ("e", "open")];
        assert_eq!(found, expected.map(|(key, value)| (key, value.to_owned())));
        assert_eq!(Pairs("no pairs here").count(), 0);
        assert_eq!(Pairs("k\u{e9}y=1 ok=2").map(|(key, _)| key).collect::<Vec<_>>(), ["ok"]);
    }

    #[test]
    fn times_come_in_every_unit() {
        for text in ["1767323045", "1767323045000", "1767323045000000", "1767323045000000000"] {
            assert_eq!(
                since_1970(text).map(|time| time.to_string()).as_deref(),
                Some("2026-01-02T03:04:05Z"),
                "{text}"
            );
        }
        assert_eq!(since_1970("soon"), None);
    }
}
