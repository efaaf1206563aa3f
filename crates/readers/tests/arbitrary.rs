//! Whatever the bytes are, reading ends and never panics.

use lurcher_readers::{ReadOptions, read_stream};
use proptest::prelude::*;

fn run(bytes: &[u8]) {
    let options = ReadOptions { max_line: 4096, ..ReadOptions::default() };
    let mut rows = 0;
    let report = read_stream("x", &mut &bytes[..], &options, &mut |batch| {
        for row in 0..batch.rows() {
            batch.event(row);
            rows += 1;
        }
    });
    assert_eq!(report.events, rows);
}

/// Pieces of the formats' own syntax, so that bytes get past the first check.
fn syntax() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"a\"",
        ":",
        ",",
        "\n",
        "1",
        "null",
        "\\",
        "\"",
        "\\u12",
        "\"\\ud800\"",
        "<Event>",
        "</Event>",
        "<Event ",
        "<System>",
        "</System>",
        "<EventID>1</EventID>",
        "<Data Name='x'>",
        "</Data>",
        "&amp;",
        "&#x41;",
        "&",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<EventData>",
        "<UserData><A>",
        "{\"Event\":{\"System\":{\"EventID\":1}}}",
        "{\"EventID\":1,\"Channel\":\"c\",",
        "\"EventData\":\"{\\\"a\\\":1}\"",
        "{\"_raw\":\"<Event>\"}",
        "é",
        "a,b\n1,2\n",
        "{\"result\":",
        "{\"_source\":{\"@timestamp\":\"x\",\"event\":{}}}",
        "\u{feff}",
        "\r\n",
        " ",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

/// An EVTX file of one chunk with some bytes set.
fn evtx() -> impl Strategy<Value = Vec<u8>> {
    let spots = prop::collection::vec((0..2048_usize, any::<u8>()), 0..200);
    (spots, 0..70_000_usize).prop_map(|(spots, length)| {
        let mut bytes = vec![0; 4096 + 65536];
        bytes[..8].copy_from_slice(b"ElfFile\0");
        bytes[4096..4104].copy_from_slice(b"ElfChnk\0");
        bytes[4096 + 512..4096 + 516].copy_from_slice(b"\x2a\x2a\0\0");
        for (at, value) in spots {
            bytes[4096 + at] = value;
        }
        bytes.truncate(length);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        run(&bytes);
    }

    #[test]
    fn any_syntax(bytes in syntax()) {
        run(&bytes);
    }

    #[test]
    fn any_chunk(bytes in evtx()) {
        run(&bytes);
    }
}
