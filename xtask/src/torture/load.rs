//! Numbered events on the way to a server, over each protocol, with a book of what was acknowledged.
//!
//! Every event carries a mark `torture-ROUND-LANE-NUMBER` in its command line, by which it is known again in the store
//! and in alerts. Some of them are what the rules look for: `alert` is found alone, `open` and `close` of one key only
//! together and in this order.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::{Value, json};

use super::http::ask;

/// Of so many events one is an alert alone, and two are together.
const PERIOD: u32 = 20;

/// How a lane sends its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// ECS documents over `_bulk`.
    Bulk,
    /// ECS documents over the HTTP Event Collector.
    Collector,
    /// Event XML over the HTTP Event Collector.
    Xml,
    /// ECS documents, plain.
    Json,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::Bulk, Self::Collector, Self::Xml, Self::Json];

    /// The way that a lane's events go.
    pub(super) fn of(lane: u32) -> Self {
        Self::ALL[lane as usize % Self::ALL.len()]
    }
}

/// Which event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Mark {
    /// When its round began, in seconds since 1970.
    pub(super) round: u32,
    pub(super) lane: u32,
    pub(super) number: u32,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "torture-{}-{}-{}", self.round, self.lane, self.number)
    }
}

impl Mark {
    /// All marks in a text, in order.
    pub(super) fn all_in(text: &str) -> Vec<Self> {
        text.split("torture-")
            .skip(1)
            .filter_map(|rest| {
                let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
                let mut parts = rest[..end].split('-');
                let mut part = || parts.next()?.parse().ok();
                Some(Self { round: part()?, lane: part()?, number: part()? })
            })
            .collect()
    }

    /// What it is to the rules.
    pub(super) fn part(self) -> Part {
        match self.number % PERIOD {
            3 => Part::Alert,
            5 => Part::Open,
            8 => Part::Close,
            _ => Part::Plain,
        }
    }

    /// The event that opened what this one closes.
    pub(super) fn opener(self) -> Option<Self> {
        (self.part() == Part::Close).then(|| Self { number: self.number - 3, ..self })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Plain,
    Alert,
    Open,
    Close,
}

impl Part {
    fn program(self) -> &'static str {
        match self {
            Self::Plain => "plain.exe",
            Self::Alert => "alert.exe",
            Self::Open => "open.exe",
            Self::Close => "close.exe",
        }
    }
}

/// What is known of each event that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The server said that it has it.
    Acknowledged,
    /// The server said that it has it not.
    Refused,
    /// The connection broke before the server said anything.
    Unknown,
}

/// The fate of every event that was sent.
pub(super) type Book = BTreeMap<Mark, Fate>;

/// Sends events down one lane until told to stop, or the server is gone. An event is sent only when all before it in
/// the lane were acknowledged or given up, so that what opens comes before what closes.
pub(super) fn run(
    address: SocketAddr,
    key: &str,
    round: u32,
    lane: u32,
    batch: u32,
    pace: Duration,
    stop: &AtomicBool,
) -> Book {
    let mut book = Book::new();
    let way = Way::of(lane);
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        let marks: Vec<Mark> = (number..number + batch).map(|number| Mark { round, lane, number }).collect();
        number += batch;
        let fates = deliver(address, key, way, &marks);
        let is_over = fates.contains(&Fate::Unknown);
        book.extend(marks.into_iter().zip(fates));
        if is_over {
            break;
        }
        std::thread::sleep(pace);
    }
    book
}

/// Sends events in one request and says what became of each.
pub(super) fn deliver(address: SocketAddr, key: &str, way: Way, marks: &[Mark]) -> Vec<Fate> {
    let body: String = marks.iter().map(|mark| wrapped(way, *mark)).collect();
    let (path, authorization) = match way {
        Way::Bulk => ("/_bulk", format!("ApiKey {key}")),
        Way::Collector | Way::Xml => ("/services/collector/event", format!("Splunk {key}")),
        Way::Json => ("/ingest/json?stream=torture", format!("Bearer {key}")),
    };
    let Ok(answer) = ask(address, "POST", path, &authorization, body.as_bytes()) else {
        return vec![Fate::Unknown; marks.len()];
    };
    let said = answer.json();
    match answer.status {
        200 if way == Way::Bulk => {
            let items = said["items"].as_array().map_or(&[][..], Vec::as_slice);
            (0..marks.len())
                .map(|at| match items.get(at).and_then(|item| item["create"]["status"].as_u64()) {
                    Some(200..=299) => Fate::Acknowledged,
                    Some(_) => Fate::Refused,
                    None => Fate::Unknown,
                })
                .collect()
        }
        200 if way == Way::Json => {
            vec![if said["accepted"] == marks.len() { Fate::Acknowledged } else { Fate::Unknown }; marks.len()]
        }
        200 => vec![if said["code"] == 0 { Fate::Acknowledged } else { Fate::Unknown }; marks.len()],
        // Of these the server says that it took nothing; of any other fault nobody knows.
        400..=499 | 503 => vec![Fate::Refused; marks.len()],
        _ => vec![Fate::Unknown; marks.len()],
    }
}

/// An event as a request carries it. Equal marks make equal events: what is sent twice is the same event twice.
fn wrapped(way: Way, mark: Mark) -> String {
    match way {
        Way::Bulk => {
            let action = json!({"create": {"_index": "logs-endpoint.events.process-default"}});
            format!("{action}\n{}\n", document(mark))
        }
        Way::Json => format!("{}\n", document(mark)),
        Way::Collector => format!("{}\n", json!({"event": document(mark)})),
        Way::Xml => {
            let event = json!({
                "event": xml(mark),
                "sourcetype": "XmlWinEventLog",
                "source": "XmlWinEventLog:Microsoft-Windows-Sysmon/Operational",
            });
            format!("{event}\n")
        }
    }
}

/// When the event happened: fixed by its mark, so that it is the same however often it is sent. Within a lane later
/// numbers are later, a thousand a second.
fn time(mark: Mark) -> String {
    crate::corpus::time(u64::from(mark.round) * 1000 + u64::from(mark.number))
}

/// What an opening and its closing share.
fn key(mark: Mark) -> String {
    let opener = mark.opener().unwrap_or(mark);
    format!("key-{}-{}-{}", opener.round, opener.lane, opener.number)
}

fn document(mark: Mark) -> Value {
    let program = mark.part().program();
    json!({
        "@timestamp": time(mark),
        "ecs": {"version": "8.11.0"},
        "event": {"kind": "event", "category": ["process"], "type": ["start"], "dataset": "endpoint.events.process"},
        "data_stream": {"type": "logs", "dataset": "endpoint.events.process", "namespace": "default"},
        "agent": {"type": "endpoint", "id": "torture"},
        "host": {"id": "h", "name": "h", "os": {"type": "windows"}},
        "user": {"name": key(mark)},
        "process": {
            "name": program,
            "executable": format!("C:\\{program}"),
            "entity_id": mark.to_string(),
            "command_line": format!("{program} {mark}"),
        },
    })
}

fn xml(mark: Mark) -> String {
    let (program, time, key) = (mark.part().program(), time(mark), key(mark));
    format!(
        "<Event xmlns=\"http://schemas.microsoft.com/win/2004/08/events/event\"><System>\
         <Provider Name=\"Microsoft-Windows-Sysmon\" Guid=\"{{5770385f-c22a-43e0-bf4c-06f5698ffbd9}}\"/>\
         <EventID>1</EventID><TimeCreated SystemTime=\"{time}\"/><EventRecordID>{}</EventRecordID>\
         <Channel>Microsoft-Windows-Sysmon/Operational</Channel><Computer>h</Computer></System><EventData>\
         <Data Name=\"UtcTime\">{}</Data><Data Name=\"Image\">C:\\{program}</Data>\
         <Data Name=\"User\">D\\{key}</Data><Data Name=\"CommandLine\">{program} {mark}</Data></EventData></Event>",
        mark.number,
        time.trim_end_matches('Z').replace('T', " "),
    )
}

/// The rules, by file name: one event alone, on arrival; and a sequence, within its schedule.
pub(super) const RULES: [(&str, &str); 2] = [
    (
        "torture_alert.yml",
        r"title: 'Torture: one event'
id: 6f0c1a3e-6a51-4c62-9d58-2b5c7f5e0a01
status: test
description: One event alone.
author: Lurcher
date: 2026-01-01
logsource:
    category: process_creation
    product: windows
detection:
    selection:
        Image|endswith: '\alert.exe'
    condition: selection
level: low
",
    ),
    (
        "torture_sequence.toml",
        r#"[metadata]
creation_date = "2026/01/01"
maturity = "production"
updated_date = "2026/01/01"

[rule]
author = ["Lurcher"]
description = "Two events, the one after the other."
from = "now-9m"
index = ["logs-endpoint.events.*", "logs-windows.sysmon_operational-*"]
language = "eql"
license = "Apache-2.0"
max_signals = 1000000
name = "Torture: two events"
risk_score = 21
rule_id = "6f0c1a3e-6a51-4c62-9d58-2b5c7f5e0a02"
severity = "low"
type = "eql"
query = '''
sequence by user.name with maxspan=1h
  [process where event.type == "start" and process.name == "open.exe"]
  [process where event.type == "start" and process.name == "close.exe"]
'''
"#,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_again() {
        let mark = Mark { round: 3, lane: 1, number: 28 };
        assert_eq!(Mark::all_in(&document(mark).to_string()), [mark, mark]);
        assert_eq!(Mark::all_in(&xml(mark)), [mark]);
        assert_eq!(mark.opener(), Some(Mark { number: 25, ..mark }));
        assert_eq!(key(mark), key(Mark { number: 25, ..mark }));
        assert_eq!(Mark::all_in("torture-1-2 torture-x"), []);
        assert_eq!(time(Mark { round: 1_709_251_199, number: 1001, ..mark }), "2024-03-01T00:00:00.001Z");
    }
}
