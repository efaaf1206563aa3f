//! What the fuzz targets try, without their instrument: good bodies of each protocol, mutated. `LURCHER_CASES` says how many;
//! a thousand are tried by default.

use lurcher_ingest::{elasticsearch::parse_bulk, hec, otlp, syslog::Frames};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
    test_runner::Config,
};

const BULK: &[&str] = &[
    "{\"create\":{\"_index\":\"logs-a-default\"}}\n{\"@timestamp\":\"2026-03-02T08:00:00Z\",\"n\":1.0}\n",
    "{\"index\":{\"_id\":\"1\",\"pipeline\":\"p\"}}\r\n{\"a\":{\"b\":[1,null,\"\\u00e9\"]}}\r\n{\"delete\":{\"_index\":\"x\",\"_id\":\"2\"}}\r\n",
    "{\"update\":{\"_index\":\"x\",\"_id\":\"3\"}}\n{\"doc\":{\"a\":1}}\n\n",
];
const HEC: &[&str] = &[
    "{\"time\":1772438400.123,\"host\":\"h\",\"source\":\"s\",\"sourcetype\":\"t\",\"index\":\"i\",\"event\":{\"a\":1},\"fields\":{\"b\":[\"c\"]}}",
    "{\"event\":\"one\"}{\"event\":\"two\",\"time\":\"1772438400\"}\n{\"event\":\"metric\",\"fields\":{\"metric_name:x\":1}}",
    "[{\"event\":\"<Event><System/></Event>\"},{\"event\":[1,2]}]",
];
const OTLP: &[&str] = &[
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"host.name\",\"value\":{\"stringValue\":\"h\"}}]},\"scopeLogs\":[{\"scope\":{\"name\":\"s\"},\
     \"logRecords\":[{\"timeUnixNano\":\"1772438400000000000\",\"severityNumber\":9,\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\
     \"value\":{\"intValue\":\"1\"}}]}},\"attributes\":[{\"key\":\"com.splunk.sourcetype\",\"value\":{\"stringValue\":\"t\"}}],\
     \"traceId\":\"5b8efff798038103d269b633813fc60c\"}]}]}]}",
    "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{\"stringValue\":\"<Event xmlns='x'></Event>\"}},\
     {\"body\":{\"arrayValue\":{\"values\":[{\"boolValue\":true},{\"doubleValue\":1e308},{\"bytesValue\":\"AAE=\"}]}}}]}]}]}",
];
const SYSLOG: &[&str] = &[
    "34 <34>1 2026-03-02T08:00:00Z h a - - -12 <13>Mar  2 x",
    "<34>1 2026-03-02T08:00:00Z h su - ID47 [a@1 b=\"c\\\"]\"] text\n<13>Mar  2 08:00:00 h x: y\r\n\0",
    "999999999999999999999 x\n5 ",
];
const TOKENS: &[&str] =
    &["\"", "\\", "{", "}", "[", "]", ":", ",", "\n", "\r\n", "\0", "-", "1e999", "null", "\\ud800", "\u{feff}", "é"];

#[derive(Clone, Debug)]
enum Edit {
    Set(u8),
    Token(&'static str),
    Delete(usize),
    Repeat(usize),
    Nest(usize),
    Splice(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        any::<u8>().prop_map(Edit::Set),
        select(TOKENS).prop_map(Edit::Token),
        (1..40_usize).prop_map(Edit::Delete),
        (1..40_usize).prop_map(Edit::Repeat),
        (1..300_usize).prop_map(Edit::Nest),
        any::<Index>().prop_map(Edit::Splice),
    ]
}

fn mutated(seeds: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    (any::<Index>(), vec((any::<Index>(), edit()), 0..10)).prop_map(move |(seed, edits)| {
        let mut bytes = seed.get(seeds).as_bytes().to_vec();
        for (at, edit) in edits {
            let at = at.index(bytes.len() + 1);
            let within = |length: usize| at..(at + length).min(bytes.len());
            match edit {
                Edit::Set(byte) => {
                    bytes.splice(within(1), [byte]);
                }
                Edit::Token(token) => {
                    bytes.splice(at..at, token.bytes());
                }
                Edit::Delete(length) => {
                    bytes.drain(within(length));
                }
                Edit::Repeat(length) => {
                    let part = bytes[within(length)].repeat(3);
                    bytes.splice(at..at, part);
                }
                Edit::Nest(depth) => {
                    bytes.splice(at..at, "{\"a\":[".repeat(depth).into_bytes());
                }
                Edit::Splice(other) => {
                    let other = other.get(seeds).as_bytes();
                    bytes.splice(at..at, other[other.len() / 2..].iter().copied());
                }
            }
        }
        bytes
    })
}

fn config() -> Config {
    let cases = std::env::var("LURCHER_CASES").ok().and_then(|cases| cases.parse().ok());
    Config { cases: cases.unwrap_or(1000), failure_persistence: None, ..Config::default() }
}

fn cut(stream: &[u8], piece: usize) -> Option<Vec<Vec<u8>>> {
    let mut frames = Frames::new(64);
    let mut messages = Vec::new();
    for piece in stream.chunks(piece) {
        frames.push(piece);
        while let Some(message) = frames.next_message().ok()? {
            assert!(message.len() <= 64);
            messages.push(message.to_vec());
        }
    }
    messages.extend(frames.rest().map(<[u8]>::to_vec));
    Some(messages)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn bulk_bodies_are_refused_or_taken_apart(body in mutated(BULK)) {
        if let Ok(items) = parse_bulk(&body, Some("x")) {
            prop_assert!(!items.is_empty());
            prop_assert!(items.iter().map(|item| item.source.len()).sum::<usize>() <= body.len());
        }
    }

    #[test]
    fn bodies_for_the_event_collector_are_read(body in mutated(HEC)) {
        hec::fuzz(&body);
    }

    #[test]
    fn otlp_bodies_are_read(body in mutated(OTLP)) {
        otlp::fuzz(&body);
    }

    #[test]
    fn syslog_is_cut_alike_however_it_arrives(stream in mutated(SYSLOG), piece in 1..300_usize) {
        prop_assert_eq!(cut(&stream, piece), cut(&stream, stream.len().max(1)));
    }
}
