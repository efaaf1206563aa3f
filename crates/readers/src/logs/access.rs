//! Access logs of web servers in NCSA common or combined format (Apache, Nginx, and whoever imitates them), with or
//! without a virtual host before the client.
//!
//! Fields have the names of Splunk's `access_combined`: `clientip`, `ident`, `user`, `method`, `uri`, `uri_path`,
//! `uri_query`, `version`, `status`, `bytes`, `referer`, `useragent`, `vhost`.

use std::borrow::Cow;

use lurcher_schema::Timestamp;

use super::Line;
use crate::{reader::Reader, rows::Place};

/// A line in its parts.
#[derive(Debug, PartialEq)]
pub(super) struct Request<'a> {
    vhost: &'a str,
    client: &'a str,
    ident: &'a str,
    user: &'a str,
    time: Timestamp,
    words: Cow<'a, str>,
    status: &'a str,
    bytes: &'a str,
    referer: Cow<'a, str>,
    agent: Cow<'a, str>,
}

/// Takes a line apart; `None` if it is no request.
pub(super) fn parse(line: &str) -> Option<Request<'_>> {
    let open = line.find(" [")?;
    let who: Vec<&str> = line.get(..open)?.split(' ').collect();
    let (vhost, client, ident, user) = match who.as_slice() {
        [client, ident, user @ ..] if !user.is_empty() && is_host(client) => {
            // A user's name may hold blanks; a second address is a virtual host's client.
            match user {
                [_, last] if is_host(ident) && ident.contains(['.', ':']) => (*client, *ident, user[0], *last),
                _ => ("", *client, *ident, rest_from(line, open, user)?),
            }
        }
        _ => return None,
    };
    let (stamp, rest) = line.get(open + 2..)?.split_once("] \"")?;
    let time = time(stamp)?;
    let (words, rest) = quoted(rest)?;
    let mut numbers = rest.trim_start().splitn(3, ' ');
    let status = numbers.next().filter(|status| status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit()))?;
    let bytes = numbers.next().unwrap_or("");
    let rest = numbers.next().unwrap_or("");
    let (referer, rest) = rest.strip_prefix('"').and_then(quoted).unwrap_or_default();
    let (agent, _) = rest.trim_start().strip_prefix('"').and_then(quoted).unwrap_or_default();
    Some(Request { vhost, client, ident, user, time, words, status, bytes, referer, agent })
}

/// The text from the first of some words to the place where they end.
fn rest_from<'a>(line: &'a str, end: usize, words: &[&'a str]) -> Option<&'a str> {
    let length = words.iter().map(|word| word.len() + 1).sum::<usize>().checked_sub(1)?;
    line.get(end.checked_sub(length)?..end)
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'-' | b'_'))
}

/// The text up to the closing quote, and what follows it. Escapes are those of Apache: `\"`, `\\`, `\xhh`.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut end = None;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => {
                end = Some(at);
                break;
            }
            _ => {}
        }
    }
    let inner = text.get(..end?)?;
    let rest = text.get(end? + 1..)?;
    let inner = if inner.contains('\\') { Cow::Owned(unescape(inner)) } else { Cow::Borrowed(inner) };
    Some((inner, rest))
}

/// Undoes `\"` and `\\`; what a server wrote as `\xhh` was no text, and stays.
fn unescape(text: &str) -> String {
    text.replace("\\\"", "\"").replace("\\\\", "\\")
}

/// `02/Jan/2026:03:04:05 +0000`.
fn time(stamp: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (day, rest) = stamp.split_once('/')?;
    let (month, rest) = rest.split_once('/')?;
    let (year, rest) = rest.split_once(':')?;
    let (clock, zone) = rest.split_once(' ').unwrap_or((rest, "+0000"));
    let month = MONTHS.iter().position(|known| known.eq_ignore_ascii_case(month))? + 1;
    let (hours, minutes) = zone.split_at_checked(3)?;
    Timestamp::parse(&format!("{year}-{month:02}-{day:0>2}T{clock}{hours}:{minutes}"))
}

impl Reader<'_> {
    /// Reads a line; false if it is no request.
    pub(super) fn access_line(&mut self, text: &str, place: Place) -> bool {
        let Some(request) = parse(text) else { return false };
        let desk = &mut self.desk;
        let clean = |text| if text == "-" { "" } else { text };
        let mut line = Line::new("access");
        line.time = Some(request.time);
        line.text(desk, "vhost", request.vhost);
        line.text(desk, "clientip", request.client);
        line.text(desk, "ident", clean(request.ident));
        line.text(desk, "user", clean(request.user));
        line.text(desk, "status", request.status);
        line.text(desk, "bytes", clean(request.bytes));
        if request.referer != "-" {
            line.either(desk, "referer", request.referer);
        }
        if request.agent != "-" {
            line.either(desk, "useragent", request.agent);
        }
        let whole = request.words.into_owned();
        let mut words = whole.splitn(2, ' ');
        let (method, rest) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let (uri, version) = match rest.rsplit_once(' ') {
            Some((uri, version)) if version.starts_with("HTTP/") => (uri, version),
            _ => (rest, ""),
        };
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        for (name, value) in [
            ("request", whole.as_str()),
            ("method", method),
            ("uri", uri),
            ("uri_path", path),
            ("uri_query", query),
            ("version", version),
        ] {
            line.made(desk, name, value);
        }
        line.text(desk, "_raw", text);
        self.line_event(&line, place);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_taken_apart() {
        let line = r#"10.0.0.1 - ada [02/Jan/2026:03:04:05 +0100] "GET /a?b=c HTTP/1.1" 200 512 "-" "curl \"x\"""#;
        let request = parse(line).unwrap_or_else(|| panic!("{line}"));
        assert_eq!((request.client, request.user, request.status, request.bytes), ("10.0.0.1", "ada", "200", "512"));
        assert_eq!(request.time.to_string(), "2026-01-02T02:04:05Z");
        assert_eq!((&*request.words, &*request.agent), ("GET /a?b=c HTTP/1.1", "curl \"x\""));
        let line = r#"www.example.com:443 10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] "-" 408 -"#;
        assert_eq!(parse(line).map(|r| (r.vhost, r.client)), Some(("www.example.com:443", "10.0.0.1")));
        for line in ["", " [", "a b c [x] \"\" 200", "10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] \"GET", "a [b] \"c\""] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
