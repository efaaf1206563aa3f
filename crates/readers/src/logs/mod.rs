//! Logs of plain lines: syslog, that of network devices, the Linux audit daemon's, web servers' access logs, and the two formats that carry their
//! column names in lines of their own (Zeek's, W3C's).
//!
//! Which one a file is, is decided once, from its first lines. A line that is not of the file's kind is counted and
//! left out; only continuation lines of multi-line messages usually are. Fields keep the names that the format or its
//! best-known reader gives them: what they mean is said by mapping packs.

mod access;
mod auditd;
mod columns;
mod devices;
mod syscalls;
mod syslog;

use std::{borrow::Cow, io::Read};

use lurcher_schema::Timestamp;

use crate::{
    RecordForm,
    reader::Reader,
    rows::{Field, Place, Raw},
    text::{Extent, WRAPPED},
    window::Window,
    windows::Desk,
};

pub(crate) use auditd::Open;
pub use auditd::{AuditPart, audit_part};
pub(crate) use columns::quote;

/// Lines that are looked at to tell the kind.
const LINES: usize = 40;

/// A kind of log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// Zeek's tab-separated logs.
    Zeek,
    /// W3C Extended Log File Format, as IIS writes it.
    W3c,
    /// `type=SYSCALL msg=audit(…): …`.
    Auditd,
    /// RFC 3164 or RFC 5424, also with audit records or Sysmon's XML as messages.
    Syslog,
    /// NCSA common or combined log format.
    Access,
}

/// The kind of the log that begins like this, if it is one. `head` may end in the middle of a line.
pub(crate) fn detect(head: &[u8]) -> Option<Log> {
    if head.starts_with(b"#separator") {
        return Some(Log::Zeek);
    }
    let whole = memchr::memrchr(b'\n', head).filter(|end| *end > 0).map_or(head, |end| &head[..end]);
    let lines = || whole.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).take(LINES);
    if head.starts_with(b"#") {
        return lines().take_while(|line| line.starts_with(b"#")).find_map(|line| {
            if line.starts_with(b"#Fields:") {
                Some(Log::W3c)
            } else if line.starts_with(b"#fields\t") {
                Some(Log::Zeek)
            } else {
                None
            }
        });
    }
    let (mut all, mut auditd, mut access, mut syslog, mut xml) = (0, 0, 0, 0, 0);
    for line in lines() {
        all += 1;
        let line = String::from_utf8_lossy(line);
        if auditd::header(&line).is_some() {
            auditd += 1;
        } else if access::parse(&line).is_some() {
            access += 1;
        } else if devices::of(&line).is_some() {
            syslog += 1;
        } else if let Some(header) = syslog::header(&line) {
            syslog += 1;
            xml += usize::from(header.message.contains("<Event"));
        }
    }
    // More than half, so that neither damage nor continuation lines decide. Where every message is an event in XML,
    // the reader of XML is the better one: such an event may run over several lines.
    let most = |count: usize| count * 2 > all;
    if most(auditd) {
        Some(Log::Auditd)
    } else if most(access) {
        Some(Log::Access)
    } else if most(syslog) && xml < syslog {
        Some(Log::Syslog)
    } else {
        None
    }
}

/// Whether a line that came alone is of a log.
pub(crate) fn is_line(text: &str) -> bool {
    ["#Software:", "#Date:", "#Fields:"].iter().any(|head| text.starts_with(head))
        || auditd::header(text).is_some()
        || access::parse(text).is_some()
        || devices::of(text).is_some()
        || syslog::header(text).is_some()
}

/// An event made from a line.
pub(crate) struct Line<'a> {
    attributes: Vec<(&'static str, Cow<'a, str>)>,
    fields: Vec<Field<'a>>,
    time: Option<Timestamp>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(dialect: &'static str) -> Self {
        Self { attributes: vec![("dialect", dialect.into())], fields: Vec::with_capacity(32), time: None }
    }

    /// An attribute of its shape; a very long one is data, and left out.
    pub(crate) fn attribute(&mut self, name: &'static str, value: impl Into<Cow<'a, str>>) {
        let value = value.into();
        if !value.is_empty() && value.len() <= 128 {
            self.attributes.push((name, value));
        }
    }

    /// A field of text; an empty one is none.
    pub(crate) fn text(&mut self, desk: &mut Desk, name: &str, value: &'a str) {
        if !value.is_empty() {
            self.fields.push((desk.names.root(name), Raw::Text(value)));
        }
    }

    /// A field of text that is not in the line as it stands.
    pub(crate) fn made(&mut self, desk: &mut Desk, name: &str, value: &str) {
        if !value.is_empty() {
            let value = desk.keep(value);
            self.fields.push((desk.names.root(name), value));
        }
    }

    /// The same for text that may or may not be in the line.
    pub(crate) fn either(&mut self, desk: &mut Desk, name: &str, value: Cow<'a, str>) {
        match value {
            Cow::Borrowed(value) => self.text(desk, name, value),
            Cow::Owned(value) => self.made(desk, name, &value),
        }
    }

    /// A field whose value is JSON text that is in the line.
    pub(crate) fn json(&mut self, desk: &mut Desk, name: &str, value: &'a str) {
        self.fields.push((desk.names.root(name), Raw::Json(value)));
    }

    /// The same for JSON text that is kept in the scratch.
    pub(crate) fn kept_json(&mut self, desk: &mut Desk, name: &str, json: &str) {
        let value = match desk.keep(json) {
            Raw::Scratch(from, to) => Raw::ScratchJson(from, to),
            other => other,
        };
        self.fields.push((desk.names.root(name), value));
    }
}

impl Reader<'_> {
    /// Reads a log.
    pub(crate) fn log<R: Read>(&mut self, kind: Log, window: &mut Window<R>) {
        let mut columns = columns::Columns::default();
        let mut open = Open::default();
        let mut strange = 0_u64;
        self.lines(window, Extent::WHOLE, |reader, line, _, number| {
            let line = line.trim_ascii_end();
            if line.is_empty() {
                return;
            }
            let text = reader.text(line, || format!("line {number}"));
            let place = Place { ordinal: (number - 1) << WRAPPED, record: number };
            reader.start_event();
            reader.original(RecordForm::Line, &text);
            let known = match kind {
                Log::Zeek => reader.zeek_line(&mut columns, &text, place),
                Log::W3c => reader.w3c_line(&mut columns, &text, place),
                Log::Auditd => reader.auditd_line(&mut open, &text, None, place),
                Log::Syslog => reader.syslog_line(&mut open, &text, place),
                Log::Access => reader.access_line(&text, place),
            };
            strange += u64::from(!known);
        });
        self.auditd_end(&mut open);
        if strange > 0 {
            self.skip(format!("lines that are not {}", kind.name()), strange);
        }
    }

    /// Reads a line that came alone, told by itself what log it is of. Returns whether it is of any.
    pub(crate) fn line_of_a_log(&mut self, open: &mut Open, text: &str, place: Place) -> bool {
        self.start_event();
        if text.starts_with('#') {
            // A line of columns that brings its header along.
            let mut columns = columns::Columns::default();
            text.lines().fold(false, |_, line| self.w3c_line(&mut columns, line, place))
        } else if auditd::header(text).is_some() {
            self.auditd_line(open, text, None, place)
        } else if access::parse(text).is_some() {
            self.access_line(text, place)
        } else {
            self.syslog_line(open, text, place)
        }
    }

    /// The same for a line that stands in a document.
    pub(crate) fn line_in_document(&mut self, text: &str, place: Place) -> bool {
        let mut open = std::mem::take(&mut self.open);
        let known = self.line_of_a_log(&mut open, text, place);
        self.open = open;
        known
    }

    /// Hands over an event made from a line.
    fn line_event(&mut self, line: &Line<'_>, place: Place) {
        let attributes: Vec<(&'static str, &str)> = line.attributes.iter().map(|(k, v)| (*k, v.as_ref())).collect();
        self.rows.push(&self.desk.names, &attributes, place, line.time, &line.fields, &self.desk.scratch);
        self.count(attributes.first().map_or("", |(_, dialect)| dialect_name(dialect)));
    }
}

impl Log {
    fn name(self) -> &'static str {
        match self {
            Self::Zeek => "records of Zeek",
            Self::W3c => "records of the header's columns",
            Self::Auditd => "audit records",
            Self::Syslog => "syslog",
            Self::Access => "requests",
        }
    }
}

/// The dialect's name for as long as the program runs.
fn dialect_name(dialect: &str) -> &'static str {
    const KNOWN: [&str; 9] =
        ["zeek", "w3c", "auditd", "syslog", "access", "cisco_asa", "cisco_ios", "fortigate", "panos"];
    KNOWN.into_iter().find(|known| *known == dialect).unwrap_or("unknown")
}

/// The name of the field that holds the text after a line's header.
const MESSAGE: &str = "message";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_told_by_their_first_lines() {
        for (head, kind) in [
            ("#separator \\x09\n#path\tconn\n", Some(Log::Zeek)),
            (
                "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Fields: date time\n",
                Some(Log::W3c),
            ),
            ("type=SYSCALL msg=audit(1.2:3): arch=c000003e\n", Some(Log::Auditd)),
            ("node=a type=LOGIN msg=audit(1.2:3): pid=1\n", Some(Log::Auditd)),
            ("Jan  2 03:04:05 web1 sshd[12]: Accepted\nJan  2 03:04:06 web1 cron: x\n", Some(Log::Syslog)),
            ("<34>1 2026-01-02T03:04:05Z web1 su - ID47 - x\n", Some(Log::Syslog)),
            ("2026-01-02T03:04:05.000001+00:00 web1 sudo: x\n", Some(Log::Syslog)),
            ("Jan 02 2026 03:04:05: %ASA-6-302014: Teardown\n", Some(Log::Syslog)),
            ("1,2026/01/02 03:04:05,01,TRAFFIC,end,1,2026/01/02 03:04:05,10.0.0.1\n", Some(Log::Syslog)),
            ("10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] \"GET / HTTP/1.1\" 200 5\n", Some(Log::Access)),
            ("<13>Jan  2 03:04:05 pc agent: <Event xmlns='x'>\n", None),
            ("one\ntwo\n", None),
            ("# a comment\nvalue\n", None),
        ] {
            assert_eq!(detect(head.as_bytes()), kind, "{head}");
        }
    }
}
