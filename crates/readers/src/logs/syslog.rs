//! Syslog, one line an event: RFC 5424, RFC 3164 as it is really written (with or without a priority, with an ISO time
//! instead of the BSD one), and what Linux hides in the messages: audit records and Sysmon's events in XML. What network
//! devices write is told first, by its message (`devices`).
//!
//! Fields: `facility`, `severity`, `host`, `program`, `pid`, `msgid`, `structured_data`, `message`. The BSD time has
//! neither year nor zone: the zone is taken as UTC, the year as the latest in which the line does not lie in the future.

use lurcher_schema::Timestamp;

use super::{Line, MESSAGE, auditd::Open, devices};
use crate::{reader::Reader, rows::Place, windows::Desk, xml};

const FACILITIES: [&str; 24] = [
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    "ntp",
    "security",
    "console",
    "solaris-cron",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
];
const SEVERITIES: [&str; 8] = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The time of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Time<'a> {
    /// With a date and, mostly, a zone.
    Full(&'a str),
    /// Month (from 1), day, and `hh:mm:ss`.
    Bsd(usize, u8, &'a str),
    /// RFC 5424's `-`.
    None,
}

/// What a line says before its message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Header<'a> {
    pub(super) priority: Option<u8>,
    pub(super) time: Time<'a>,
    pub(super) host: &'a str,
    pub(super) program: &'a str,
    pub(super) pid: &'a str,
    pub(super) msgid: &'a str,
    pub(super) structured_data: &'a str,
    pub(super) message: &'a str,
}

impl Time<'_> {
    /// The moment; a date without a year lies before `now`.
    pub(super) fn at(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Full(time) => Timestamp::parse(time),
            Self::Bsd(month, day, clock) => in_the_past(month, day, clock, now),
            Self::None => None,
        }
    }
}

/// The number of a month (from 1) by its short name.
pub(super) fn month(text: &str) -> Option<usize> {
    MONTHS.iter().position(|month| *month == text).map(|at| at + 1)
}

/// The facility and the severity that a priority is made of, under these names.
pub(super) fn say_priority(line: &mut Line<'_>, desk: &mut Desk, priority: Option<u8>, names: [&str; 2]) {
    let Some(priority) = priority else { return };
    line.text(desk, names[0], FACILITIES.get(usize::from(priority / 8)).copied().unwrap_or_default());
    line.text(desk, names[1], SEVERITIES.get(usize::from(priority % 8)).copied().unwrap_or_default());
}

/// Takes a line apart; `None` if it is no syslog.
pub(super) fn header(line: &str) -> Option<Header<'_>> {
    let (priority, rest) = match line.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        Some((number, rest)) if !number.is_empty() && number.len() <= 3 => (Some(number.parse::<u8>().ok()?), rest),
        Some(_) => return None,
        None => (None, line),
    };
    if priority.is_some()
        && let Some(rest) = rest.strip_prefix("1 ")
    {
        return modern(priority, rest);
    }
    let (time, rest) = bsd_time(rest).or_else(|| full_time(rest))?;
    let (host, rest) = rest.trim_start().split_once(' ')?;
    // A header without a host begins with the program's tag.
    let (host, rest) = match host.strip_suffix(':') {
        Some(_) => ("", &line[line.len() - rest.len() - host.len() - 1..]),
        None => (host, rest),
    };
    let (program, pid, message) = tag(rest.trim_start());
    Some(Header { priority, time, host, program, pid, msgid: "", structured_data: "", message })
}

/// `Jan  2 03:04:05`.
fn bsd_time(text: &str) -> Option<(Time<'_>, &str)> {
    let month = MONTHS.iter().position(|month| text.starts_with(month))? + 1;
    let rest = text.get(3..)?.strip_prefix(' ')?;
    let (day, rest) = rest.trim_start().split_once(' ')?;
    let (clock, rest) = rest.trim_start().split_once(' ')?;
    let day = day.parse::<u8>().ok().filter(|day| (1..=31).contains(day))?;
    is_clock(clock).then_some((Time::Bsd(month, day, clock), rest))
}

fn is_clock(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = |at: usize| bytes.get(at) == Some(&b':');
    bytes.len() >= 8
        && shape(2)
        && shape(5)
        && [0, 1, 3, 4, 6, 7].iter().all(|at| bytes[*at].is_ascii_digit())
        && bytes[8..].iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b':'))
}

/// An ISO time, as rsyslog's high-precision format has it.
fn full_time(text: &str) -> Option<(Time<'_>, &str)> {
    let (time, rest) = text.split_once(' ')?;
    let bytes = time.as_bytes();
    let dated = bytes.len() >= 19 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[10] == b'T';
    (dated && Timestamp::parse(time).is_some()).then_some((Time::Full(time), rest))
}

/// RFC 5424 behind its version.
fn modern(priority: Option<u8>, rest: &str) -> Option<Header<'_>> {
    let nil = |text| if text == "-" { "" } else { text };
    let (time, rest) = rest.split_once(' ')?;
    let (host, rest) = rest.split_once(' ')?;
    let (program, rest) = rest.split_once(' ')?;
    let (pid, rest) = rest.split_once(' ')?;
    let (msgid, rest) = rest.split_once(' ')?;
    let (structured_data, message) = structured(rest)?;
    let time = match time {
        "-" => Time::None,
        time => Time::Full(time),
    };
    let message = message.strip_prefix('\u{feff}').unwrap_or(message);
    Some(Header {
        priority,
        time,
        host: nil(host),
        program: nil(program),
        pid: nil(pid),
        msgid: nil(msgid),
        structured_data: nil(structured_data),
        message,
    })
}

/// Structured data (`-`, or elements in brackets with quoted values) and the message behind it.
fn structured(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('-') {
        return Some(("", rest.strip_prefix(' ').unwrap_or(rest)));
    }
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted && text.as_bytes().get(at + 1) != Some(&b'[') => {
                let rest = text.get(at + 1..)?;
                return Some((text.get(..=at)?, rest.strip_prefix(' ').unwrap_or(rest)));
            }
            _ if at == 0 && byte != b'[' => return None,
            _ => {}
        }
    }
    None
}

/// `program[pid]: message`; without a colon all is message.
fn tag(text: &str) -> (&str, &str, &str) {
    let end = text.find([' ', ':', '[']).unwrap_or(text.len());
    let (program, rest) = text.split_at(end);
    if let Some((pid, message)) = rest.strip_prefix('[').and_then(|rest| rest.split_once("]:"))
        && !pid.contains(' ')
    {
        return (program, pid, message.trim_start());
    }
    match rest.strip_prefix(':') {
        Some(message) => (program, "", message.trim_start()),
        // The kernel's audit records come as `audit: type=1300 audit(…): …`, and some programs write a blank before
        // the colon; anything else has no tag.
        None => ("", "", text),
    }
}

/// The latest time of that day and hour that is not after `now`, give or take a day for clocks and zones.
fn in_the_past(month: usize, day: u8, clock: &str, now: Timestamp) -> Option<Timestamp> {
    const DAY: i64 = 86_400_000_000;
    let year: i32 = now.to_string().get(..4)?.parse().ok()?;
    // Eight years reach back over any leap day.
    (0..=8).find_map(|back| {
        let text = format!("{:04}-{month:02}-{day:02}T{}Z", year - back, clock.get(..8)?);
        Timestamp::parse(&text).filter(|time| time.0 <= now.0 + DAY)
    })
}

impl Reader<'_> {
    /// Reads a line; false if it is no syslog.
    pub(super) fn syslog_line(&mut self, open: &mut Open, text: &str, place: Place) -> bool {
        if let Some(device) = devices::of(text) {
            self.device_line(text, device, place);
            return true;
        }
        let Some(header) = header(text) else { return false };
        if let xml::Found::Event(start, end) = xml::find(header.message.as_bytes(), 0, 0)
            && let Some(event) = header.message.get(start..end)
        {
            if let Err(message) = self.xml_event(event, place) {
                self.problem("xml-syntax", format!("line {}", place.record), message);
            }
            return true;
        }
        if super::auditd::header(header.message).is_some() {
            return self.auditd_line(open, header.message, Some(header.host), place);
        }
        let desk = &mut self.desk;
        let mut line = Line::new("syslog");
        line.time = header.time.at(self.options.now);
        line.attribute("program", header.program.to_owned());
        say_priority(&mut line, desk, header.priority, ["facility", "severity"]);
        line.text(desk, "host", header.host);
        line.text(desk, "program", header.program);
        line.text(desk, "pid", header.pid);
        line.text(desk, "msgid", header.msgid);
        line.text(desk, "structured_data", header.structured_data);
        line.text(desk, MESSAGE, header.message);
        self.line_event(&line, place);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> Option<[&str; 4]> {
        header(line).map(|h| [h.host, h.program, h.pid, h.message])
    }

    #[test]
    fn headers_are_taken_apart() {
        for (line, wanted) in [
            ("Jan  2 03:04:05 web1 sshd[12]: Accepted x", Some(["web1", "sshd", "12", "Accepted x"])),
            ("<86>Jan 12 03:04:05 web1 su: a: b", Some(["web1", "su", "", "a: b"])),
            ("2026-01-02T03:04:05.1+02:00 web1 kernel: [1.2] x", Some(["web1", "kernel", "", "[1.2] x"])),
            ("<34>1 2026-01-02T03:04:05Z h su 7 ID [a b=\"]\"][c] hello", Some(["h", "su", "7", "hello"])),
            ("<34>1 - - - - - -", Some(["", "", "", ""])),
            ("Jan  2 03:04:05 web1 no tag here", Some(["web1", "", "", "no tag here"])),
            ("Jan 42 03:04:05 web1 x: y", None),
            ("<999>Jan 12 03:04:05 web1 su: b", None),
            ("hello world", None),
        ] {
            assert_eq!(parts(line), wanted, "{line}");
        }
    }

    #[test]
    fn a_time_without_a_year_lies_in_the_past() {
        let now = Timestamp::parse("2026-03-01T00:00:00Z").unwrap_or_default();
        let at = |month, day| in_the_past(month, day, "10:00:00", now).map(|t| t.to_string());
        assert_eq!(at(2, 28).as_deref(), Some("2026-02-28T10:00:00Z"));
        assert_eq!(at(3, 2).as_deref(), Some("2025-03-02T10:00:00Z"));
        assert_eq!(at(2, 29).as_deref(), Some("2024-02-29T10:00:00Z"));
        assert_eq!(at(2, 30), None);
    }
}
