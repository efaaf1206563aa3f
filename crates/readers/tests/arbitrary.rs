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

/// Lines of every kind of log, broken at any place.
fn logs() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "Jan  2 03:04:05 web1 sshd[12]: Failed password for root from 10.0.0.1 port 5 ssh2\n",
        "<34>1 2026-01-02T03:04:05Z h su 7 ID [a b=\"]\"] hello\n",
        "Feb 29 99:99:99 ",
        "type=SYSCALL msg=audit(1.2:3): arch=c000003e syscall=59 comm=\"a\" key=(null)\n",
        "type=EXECVE msg=audit(1.2:3): argc=2 a0=\"sh\" a1=2D63\n",
        "type=PATH msg=audit(1.2:3): item=0 name=",
        "type=SOCKADDR msg=audit(1.2:3): saddr=020000\n",
        "type=PROCTITLE msg=audit(1.2:3): proctitle=61006\n",
        "type=EOE msg=audit(1.2:3):\n",
        "node=x type=USER_LOGIN msg=audit(9e9:x): msg='op=a res='",
        "10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] \"GET /\\\" HTTP/1.1\" 200 5 \"-\" \"c\n",
        "[02/Jan/2026:03:04:05 é\"",
        "#separator \\x09\n",
        "#fields\tts\tuid\tx\ty\n#types\ttime\tstring\tset[count]\tvector[set[string]]\n",
        "1.5\tC\t1,2,-\ta\\x\n",
        "#Fields: date time cs(User-Agent)\n2026-01-02 03:04:05 x\n",
        "{\"Records\":[{\"eventVersion\":\"1\"},3]}\n",
        "[{\"ts\":1,\"_path\":\"conn\"}]\n",
        "\u{1d}",
        "'",
        "=",
        "é",
        "\n",
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
    fn any_log(bytes in logs()) {
        run(&bytes);
    }

    #[test]
    fn any_chunk(bytes in evtx()) {
        run(&bytes);
    }
}
