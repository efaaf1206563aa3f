//! The Linux audit daemon's text: one record a line, several records an event.
//!
//! Splunk's and Sigma's rules read single records (`type=EXECVE a0="nc"`), Elastic's the event that auditbeat makes of
//! all records with one number. So both are handed over: every record with its own fields, and behind the first of them
//! the event, whose shape says `record_type = "event"` and whose fields stand under the name of their record:
//! `SYSCALL.exe`, `EXECVE.args` (a list), `CWD.cwd`, `PROCTITLE.proctitle`, `PATH` (a list of objects), `SOCKADDR.addr`,
//! and `RECORD.acct` for the one record of an event that no system call made. Both have the record number of their line.
//!
//! Values that the kernel wrote in hexadecimal because of a blank or quote in them are decoded. Neither user ids nor
//! addresses are resolved.

use std::{borrow::Cow, collections::VecDeque};

use lurcher_schema::Timestamp;

use super::{Line, syscalls};
use crate::{reader::Reader, rows::Place};

/// Events that are open at a time; the kernel interleaves records of a few.
const OPEN: usize = 64;

/// Records of one event, at most.
const RECORDS: usize = 256;

/// Lines after which an event is whole even if its last record never came.
const PATIENCE: u64 = 200;

/// What stands before a record's fields.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Header<'a> {
    node: &'a str,
    kind: &'a str,
    /// Seconds since 1970, with a fraction.
    time: &'a str,
    number: &'a str,
    body: &'a str,
}

/// Takes the beginning of a record apart; `None` if it is no audit record.
pub(super) fn header(line: &str) -> Option<Header<'_>> {
    let (node, rest) = match line.strip_prefix("node=") {
        Some(rest) => rest.split_once(' ')?,
        None => ("", line),
    };
    let rest = rest.strip_prefix("audit: ").unwrap_or(rest);
    let (kind, rest) = rest.strip_prefix("type=")?.split_once(' ')?;
    let rest = rest.strip_prefix("msg=").unwrap_or(rest);
    let (stamp, body) = rest.strip_prefix("audit(")?.split_once(')')?;
    let (time, number) = stamp.split_once(':')?;
    time.parse::<f64>().ok()?;
    Some(Header { node, kind, time, number, body: body.strip_prefix(':').unwrap_or(body) })
}

/// What a record of the Linux audit daemon says of the event that it is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditPart<'r> {
    /// Time and number of the event, which its records have in common.
    pub event: &'r [u8],
    /// Whether no record of the event comes after this one.
    pub last: bool,
}

/// Finds the header of an audit record in a line, or in a document that brings the line; `None` if there is none.
pub fn audit_part(record: &[u8]) -> Option<AuditPart<'_>> {
    const MARK: &[u8] = b"msg=audit(";
    let at = memchr::memmem::find(record, MARK)?;
    let stamp = record.get(at + MARK.len()..)?;
    let event = stamp.get(..memchr::memchr(b')', stamp.get(..64).unwrap_or(stamp))?)?;
    let before = record.get(..at)?;
    let kind = before.get(memchr::memmem::rfind(before, b"type=")? + 5..)?;
    let kind = std::str::from_utf8(kind).ok()?.trim_end();
    let named = kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"_[]".contains(&b));
    named.then(|| AuditPart { event, last: matches!(kind, "EOE" | "PROCTITLE") || !of_a_call(kind) })
}

/// The fields of a record, in order; of `msg='…'` those inside.
fn fields<'a>(body: &'a str, each: &mut dyn FnMut(&'a str, Cow<'a, str>), kind: &str, depth: u8) {
    let mut rest = body;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\u{1d}', ',']);
        let Some((key, after)) = rest.split_once('=') else { return };
        // Words without a value (`op=PAM:session_open grantors=…` has none, AVC's text does).
        let key = key.rsplit(' ').next().unwrap_or(key);
        let (value, next) = match after.as_bytes().first() {
            Some(b'\'') if key == "msg" && depth == 0 => {
                let inner = after.get(1..).unwrap_or("");
                let end = inner.rfind('\'').unwrap_or(inner.len());
                fields(inner.get(..end).unwrap_or(""), each, kind, 1);
                rest = inner.get(end + 1..).unwrap_or("");
                continue;
            }
            Some(quote @ (b'"' | b'\'')) => {
                let inner = after.get(1..).unwrap_or("");
                let end = inner.find(char::from(*quote)).unwrap_or(inner.len());
                (Cow::Borrowed(inner.get(..end).unwrap_or("")), inner.get(end + 1..).unwrap_or(""))
            }
            _ => {
                let end = after.find([' ', '\u{1d}']).unwrap_or(after.len());
                let (raw, next) = after.split_at(end);
                (decoded(kind, key, raw), next)
            }
        };
        if !key.is_empty() && key.len() <= 64 {
            each(key, value);
        }
        rest = next;
    }
}

/// Fields that the kernel writes in quotes or, if that would not do, in hexadecimal.
fn decoded<'a>(kind: &str, key: &str, raw: &'a str) -> Cow<'a, str> {
    let argument = || kind == "EXECVE" && key.strip_prefix('a').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    let untrusted = matches!(
        key,
        "name"
            | "exe"
            | "comm"
            | "cwd"
            | "proctitle"
            | "cmd"
            | "acct"
            | "key"
            | "path"
            | "dir"
            | "data"
            | "vm"
            | "ocomm"
    ) || argument();
    let hex = raw.len() >= 2
        && raw.len().is_multiple_of(2)
        && raw.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    if !untrusted || !hex {
        return raw.into();
    }
    let mut bytes: Vec<u8> = raw
        .as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    // Arguments of a title are divided by zeros, several keys by ones.
    for byte in &mut bytes {
        match *byte {
            0 => *byte = b' ',
            1 if key == "key" => *byte = b',',
            _ => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// Events whose records have not all come.
#[derive(Debug, Default)]
pub(crate) struct Open(VecDeque<Event>);

#[derive(Debug)]
struct Event {
    number: String,
    time: String,
    host: String,
    place: Place,
    last_line: u64,
    whole: bool,
    /// Type and body of each record.
    records: Vec<(String, String)>,
}

impl Reader<'_> {
    /// Reads a line, which syslog may have brought from a host; false if it is no record.
    pub(super) fn auditd_line(&mut self, open: &mut Open, text: &str, host: Option<&str>, place: Place) -> bool {
        let Some(record) = header(text) else { return false };
        let host = if record.node.is_empty() { host.unwrap_or("") } else { record.node };
        if record.kind == "EOE" {
            if let Some(event) = open.0.iter_mut().find(|event| event.is(&record, host)) {
                event.whole = true;
            }
            return true;
        }
        let desk = &mut self.desk;
        let mut line = Line::new("auditd");
        line.attribute("record_type", record.kind.to_owned());
        line.time = seconds(record.time);
        line.made(desk, "type", record.kind);
        line.made(desk, "node", host);
        line.made(desk, "audit_time", record.time);
        line.made(desk, "audit_id", record.number);
        let (mut arch, mut call, mut named) = (String::new(), String::new(), false);
        let mut each = |key: &str, value: Cow<'_, str>| {
            match key {
                "arch" => arch = value.clone().into_owned(),
                "syscall" => call = value.clone().into_owned(),
                "SYSCALL" => named = true,
                _ => {}
            }
            line.made(desk, key, &value);
        };
        fields(record.body, &mut each, record.kind, 0);
        // What the daemon itself adds where its log is enriched.
        if let Some(call) = syscalls::name(&arch, &call).filter(|_| !named && record.kind == "SYSCALL") {
            line.made(desk, "SYSCALL", call);
        }
        line.made(desk, "_raw", text);
        self.line_event(&line, place);
        let at = open.0.iter().position(|event| event.is(&record, host)).unwrap_or_else(|| {
            open.0.push_back(Event {
                number: record.number.to_owned(),
                time: record.time.to_owned(),
                host: host.to_owned(),
                place: Place { ordinal: place.ordinal + 1, record: place.record },
                last_line: place.record,
                whole: false,
                records: Vec::new(),
            });
            open.0.len() - 1
        });
        if let Some(event) = open.0.get_mut(at) {
            event.last_line = place.record;
            event.records.push((record.kind.to_owned(), record.body.to_owned()));
            event.whole |= record.kind == "PROCTITLE" || !of_a_call(record.kind) || event.records.len() >= RECORDS;
        }
        let late = |event: &Event, now: u64| event.whole || event.last_line.saturating_add(PATIENCE) < now;
        while open.0.len() > OPEN || open.0.front().is_some_and(|event| late(event, place.record)) {
            let Some(event) = open.0.pop_front() else { break };
            self.auditd_event(&event);
        }
        true
    }

    /// Hands over the events that are still open at the end of a file.
    pub(crate) fn auditd_end(&mut self, open: &mut Open) {
        while let Some(event) = open.0.pop_front() {
            self.auditd_event(&event);
        }
    }

    fn auditd_event(&mut self, event: &Event) {
        self.start_event();
        let desk = &mut self.desk;
        let mut line = Line::new("auditd");
        line.attribute("record_type", "event");
        line.time = seconds(&event.time);
        line.made(desk, "node", &event.host);
        line.made(desk, "audit_time", &event.time);
        line.made(desk, "audit_id", &event.number);
        let of_call = event.records.iter().any(|(kind, _)| kind == "SYSCALL");
        let main = event.records.iter().find(|(kind, _)| !of_call || kind == "SYSCALL").map_or("", |(kind, _)| kind);
        line.attribute("message_type", main.to_ascii_lowercase());
        let (mut paths, mut kinds) = (Vec::new(), Vec::new());
        for (kind, body) in &event.records {
            kinds.push(super::columns::quote(kind));
            let mut found = Vec::new();
            fields(body, &mut |key, value| found.push((key, value)), kind, 0);
            if kind == "PATH" {
                let members: Vec<String> = found
                    .iter()
                    .map(|(key, value)| format!("{}:{}", super::columns::quote(key), super::columns::quote(value)))
                    .collect();
                paths.push(format!("{{{}}}", members.join(",")));
                continue;
            }
            let prefix = if !of_call && kind == main { "RECORD" } else { kind.as_str() };
            if kind == "SYSCALL" {
                let get = |wanted: &str| found.iter().find(|(key, _)| *key == wanted).map_or("", |(_, value)| value);
                let call = Some(get("SYSCALL")).filter(|name| !name.is_empty());
                if let Some(call) = call.or_else(|| syscalls::name(get("arch"), get("syscall"))) {
                    line.attribute("syscall", call.to_owned());
                    line.made(desk, "syscall_name", call);
                }
            }
            for (key, value) in &found {
                line.made(desk, &format!("{prefix}.{key}"), value);
            }
            if kind == "EXECVE" {
                line.kept_json(desk, "EXECVE.args", &format!("[{}]", arguments(&found).join(",")));
            }
            if kind == "SOCKADDR"
                && let Some((_, saddr)) = found.iter().find(|(key, _)| *key == "saddr")
            {
                for (name, value) in socket(saddr) {
                    line.made(desk, name, &value);
                }
            }
        }
        if !paths.is_empty() {
            line.kept_json(desk, "PATH", &format!("[{}]", paths.join(",")));
        }
        line.kept_json(desk, "record_types", &format!("[{}]", kinds.join(",")));
        self.line_event(&line, event.place);
    }
}

impl Event {
    fn is(&self, record: &Header<'_>, host: &str) -> bool {
        self.number == record.number && self.time == record.time && self.host == host
    }
}

fn seconds(text: &str) -> Option<Timestamp> {
    text.parse::<f64>().ok().filter(|seconds| (0.0..1e11).contains(seconds)).map(Timestamp::from_seconds)
}

/// Whether a record comes with others of one system call (the kernel's types 1300 to 1340, and security modules' ones).
fn of_a_call(kind: &str) -> bool {
    matches!(
        kind,
        "SYSCALL"
            | "PATH"
            | "IPC"
            | "SOCKETCALL"
            | "SOCKADDR"
            | "CWD"
            | "EXECVE"
            | "IPC_SET_PERM"
            | "MQ_OPEN"
            | "MQ_SENDRECV"
            | "MQ_NOTIFY"
            | "MQ_GETSETATTR"
            | "KERNEL_OTHER"
            | "FD_PAIR"
            | "OBJ_PID"
            | "TTY"
            | "BPRM_FCAPS"
            | "CAPSET"
            | "MMAP"
            | "NETFILTER_PKT"
            | "NETFILTER_CFG"
            | "SECCOMP"
            | "PROCTITLE"
            | "FEATURE_CHANGE"
            | "KERN_MODULE"
            | "AVC"
            | "SELINUX_ERR"
            | "BPF"
            | "EVENT_LISTENER"
            | "URINGOP"
            | "OPENAT2"
            | "TIME_INJOFFSET"
            | "TIME_ADJNTPVAL"
            | "CONFIG_CHANGE"
    ) || kind.starts_with("UNKNOWN[13")
}

/// The arguments `a0`, `a1` … in their order, as JSON strings.
fn arguments(found: &[(&str, Cow<'_, str>)]) -> Vec<String> {
    let mut numbered: Vec<(u32, &str)> =
        found.iter().filter_map(|(key, value)| Some((key.strip_prefix('a')?.parse().ok()?, value.as_ref()))).collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, value)| super::columns::quote(value)).collect()
}

/// A socket address out of its hexadecimal bytes.
fn socket(saddr: &str) -> Vec<(&'static str, String)> {
    let bytes: Vec<u8> = saddr
        .as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    let port = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]).to_string());
    let family = bytes.first().copied().unwrap_or(0);
    let mut out = Vec::new();
    match family {
        1 => {
            out.push(("SOCKADDR.family", "unix".to_owned()));
            let path: Vec<u8> = bytes.iter().skip(2).copied().skip_while(|b| *b == 0).take_while(|b| *b != 0).collect();
            out.push(("SOCKADDR.path", String::from_utf8_lossy(&path).into_owned()));
        }
        2 => {
            out.push(("SOCKADDR.family", "ipv4".to_owned()));
            out.extend(port(2).map(|port| ("SOCKADDR.port", port)));
            if let Some([a, b, c, d]) = bytes.get(4..8) {
                out.push(("SOCKADDR.addr", std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string()));
            }
        }
        10 => {
            out.push(("SOCKADDR.family", "ipv6".to_owned()));
            out.extend(port(2).map(|port| ("SOCKADDR.port", port)));
            if let Some(address) = bytes.get(8..24).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()) {
                out.push(("SOCKADDR.addr", std::net::Ipv6Addr::from(address).to_canonical().to_string()));
            }
        }
        16 => out.push(("SOCKADDR.family", "netlink".to_owned())),
        _ => {}
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(kind: &str, body: &str) -> Vec<String> {
        let mut out = Vec::new();
        fields(body, &mut |key, value| out.push(format!("{key}={value}")), kind, 0);
        out
    }

    #[test]
    fn records_are_taken_apart() {
        let record = header("node=db1 type=EXECVE msg=audit(1700000000.123:45): argc=2");
        assert_eq!(record.map(|r| (r.node, r.kind, r.number)), Some(("db1", "EXECVE", "45")));
        assert_eq!(header("type=EXECVE msg=audit(x:45): argc=2"), None);
        assert_eq!(all("EXECVE", " argc=2 a0=\"sh\" a1=2D6320782079"), ["argc=2", "a0=sh", "a1=-c x y"]);
        assert_eq!(
            all("SYSCALL", "a0=10 comm=612062 key=(null)\u{1d}SYSCALL=execve UID=\"root\""),
            ["a0=10", "comm=a b", "key=(null)", "SYSCALL=execve", "UID=root"]
        );
        assert_eq!(
            all("USER_LOGIN", "pid=1 msg='op=login acct=\"ada\" addr=10.0.0.1 res=failed'"),
            ["pid=1", "op=login", "acct=ada", "addr=10.0.0.1", "res=failed"]
        );
    }

    #[test]
    fn a_record_says_of_which_event_it_is_a_part() {
        let part = |text: &'static str| audit_part(text.as_bytes()).map(|part| (part.event, part.last));
        assert_eq!(part("type=SYSCALL msg=audit(1.5:7): arch=1"), Some((&b"1.5:7"[..], false)));
        assert_eq!(part("node=a type=PROCTITLE msg=audit(1.5:7): proctitle=6C73"), Some((&b"1.5:7"[..], true)));
        assert_eq!(part("type=USER_LOGIN msg=audit(1.5:8): pid=1"), Some((&b"1.5:8"[..], true)));
        assert_eq!(part("{\"_raw\":\"type=CWD msg=audit(1.5:7): cwd=1\"}"), Some((&b"1.5:7"[..], false)));
        assert_eq!(part("msg=audit(1.5:7): cwd=1"), None);
        assert_eq!(part("type=CWD msg=audit(1.5"), None);
    }

    #[test]
    fn addresses_are_decoded() {
        let text = |saddr| socket(saddr).into_iter().map(|(_, value)| value).collect::<Vec<_>>().join(" ");
        assert_eq!(text("0200005014D15A2A0000000000000000"), "ipv4 80 20.209.90.42");
        assert_eq!(text("01002F72756E2F782E736F636B00"), "unix /run/x.sock");
        assert_eq!(text("02"), "ipv4");
        assert_eq!(text("zz"), "");
    }
}
