//! Bytes cut into records: XML events, JSON documents, lines, told apart by how they begin.

use std::borrow::Cow;

use lurcher_journal::RecordKind;
use serde_json::value::RawValue;

use crate::document;

/// One record's kind and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    pub(crate) kind: RecordKind,
    pub(crate) body: Cow<'a, [u8]>,
}

/// Cuts what may hold anything: XML events, JSON documents (in an array, one after the other, over several lines), or
/// else lines, of which each may be a document or an event too.
pub(crate) fn pieces(bytes: &[u8]) -> Vec<Piece<'_>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let begin = bytes.trim_ascii_start();
    if begin.starts_with(b"<") {
        let found = xml_events(begin);
        if !found.events.is_empty() && !found.torn && !found.text {
            let piece = |event| Piece { kind: RecordKind::Xml, body: Cow::Borrowed(event) };
            return found.events.into_iter().map(piece).collect();
        }
    } else if begin.starts_with(b"{") || begin.starts_with(b"[") {
        let (documents, faults) = json_documents(begin);
        if faults.is_empty() {
            return documents.into_iter().map(json_piece).collect();
        }
    }
    lines(bytes).map(line_piece).collect()
}

fn json_piece(document: &str) -> Piece<'_> {
    let body = match document::one_line(document) {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    Piece { kind: RecordKind::Json, body }
}

/// What one line is.
pub(crate) fn line_piece(line: &[u8]) -> Piece<'_> {
    let begin = line.trim_ascii();
    let kind = if begin.starts_with(b"{") && document::check_object(begin).is_ok() {
        RecordKind::Json
    } else if begin.starts_with(b"<Event") && begin.ends_with(b"</Event>") {
        RecordKind::Xml
    } else {
        RecordKind::Line
    };
    Piece { kind, body: Cow::Borrowed(line) }
}

/// Lines that hold something, without their ends.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|b| *b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).filter(|line| !line.is_empty())
}

/// Something that is no document: its number from 0, and why.
pub(crate) type JsonFault = (usize, String);

/// JSON objects one after the other or in arrays. What cannot be read spoils its line only; in an array that is the
/// rest of it.
pub(crate) fn json_documents(mut bytes: &[u8]) -> (Vec<&str>, Vec<JsonFault>) {
    let (mut documents, mut faults) = (Vec::new(), Vec::new());
    loop {
        bytes = bytes.trim_ascii_start();
        if bytes.is_empty() {
            return (documents, faults);
        }
        let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<&RawValue>();
        let next = values.next();
        let read = values.byte_offset();
        let number = documents.len() + faults.len();
        match next {
            Some(Ok(value)) if value.get().starts_with('[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
                for (at, element) in elements.into_iter().enumerate() {
                    if element.get().starts_with('{') {
                        documents.push(element.get());
                    } else {
                        faults.push((number + at, "not a JSON object".to_owned()));
                    }
                }
                bytes = &bytes[read..];
            }
            Some(Ok(value)) if value.get().starts_with('{') => {
                documents.push(value.get());
                bytes = &bytes[read..];
            }
            Some(Ok(_)) => {
                faults.push((number, "not a JSON object".to_owned()));
                bytes = &bytes[read..];
            }
            Some(Err(error)) => {
                faults.push((number, error.to_string()));
                let end = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1);
                bytes = &bytes[end..];
            }
            None => return (documents, faults),
        }
    }
}

/// Events found in XML.
#[derive(Debug, Default)]
pub(crate) struct XmlEvents<'a> {
    pub(crate) events: Vec<&'a [u8]>,
    /// The last one does not end.
    pub(crate) torn: bool,
    /// There is text between events.
    pub(crate) text: bool,
}

/// Finds every outermost `<Event>` element, whatever stands around it.
pub(crate) fn xml_events(bytes: &[u8]) -> XmlEvents<'_> {
    let mut found = XmlEvents::default();
    let mut at = 0;
    // The beginning of the event that is open, and how many are open in it.
    let (mut start, mut open) = (0, 0_usize);
    while let Some(next) = bytes[at..].iter().position(|b| *b == b'<') {
        if open == 0 && !bytes[at..at + next].iter().all(u8::is_ascii_whitespace) {
            found.text = true;
        }
        at += next;
        let rest = &bytes[at..];
        let jump = |end: &[u8]| find(rest, end).map(|to| to + end.len());
        let step = if rest.starts_with(b"<![CDATA[") {
            jump(b"]]>")
        } else if rest.starts_with(b"<!--") {
            jump(b"-->")
        } else {
            tag_end(rest)
        };
        let Some(step) = step else {
            found.torn = true;
            return found;
        };
        let tag = &rest[..step];
        if names(tag, b"<Event") {
            if open == 0 {
                start = at;
            }
            if !tag.ends_with(b"/>") {
                open += 1;
            } else if open == 0 {
                found.events.push(tag);
            }
        } else if names(tag, b"</Event") && open > 0 {
            open -= 1;
            if open == 0 {
                found.events.push(&bytes[start..at + step]);
            }
        }
        at += step;
    }
    found.torn = open > 0;
    found.text |= open == 0 && !bytes[at..].iter().all(u8::is_ascii_whitespace);
    found
}

/// Whether a tag begins so and its name ends there.
fn names(tag: &[u8], begin: &[u8]) -> bool {
    tag.strip_prefix(begin)
        .and_then(<[u8]>::first)
        .is_some_and(|next| matches!(next, b'>' | b'/') || next.is_ascii_whitespace())
}

/// The length of a tag, with `>` inside quotes passed over.
fn tag_end(rest: &[u8]) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in rest.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
    }
    None
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(text: &str) -> Vec<(RecordKind, String)> {
        pieces(text.as_bytes()).into_iter().map(|p| (p.kind, String::from_utf8(p.body.into_owned()).unwrap())).collect()
    }

    fn all(kind: RecordKind, bodies: &[&str]) -> Vec<(RecordKind, String)> {
        bodies.iter().map(|body| (kind, (*body).to_owned())).collect()
    }

    #[test]
    fn xml_is_cut_into_events() {
        let text = "\u{feff}<?xml version=\"1.0\"?>\n<Events><Event xmlns='a>b'>\n<EventData/></Event>\n\
            <Event><UserData><Event/><![CDATA[</Event>]]></UserData></Event></Events>\n";
        let want = [
            "<Event xmlns='a>b'>\n<EventData/></Event>",
            "<Event><UserData><Event/><![CDATA[</Event>]]></UserData></Event>",
        ];
        assert_eq!(cut(text), all(RecordKind::Xml, &want));
        assert!(xml_events(b"<Event><a>").torn);
    }

    #[test]
    fn json_is_cut_into_documents() {
        assert_eq!(cut("[{\"a\":\n1},{}]"), all(RecordKind::Json, &["{\"a\": 1}", "{}"]));
        assert_eq!(cut("{\"a\":1}{\"b\":2}\n{\n}"), all(RecordKind::Json, &["{\"a\":1}", "{\"b\":2}", "{ }"]));
    }

    #[test]
    fn the_rest_is_lines() {
        assert_eq!(cut("<13>Oct 1 x\r\n\nb"), all(RecordKind::Line, &["<13>Oct 1 x", "b"]));
        assert_eq!(cut("[error] a"), all(RecordKind::Line, &["[error] a"]));
        let mixed = cut("{\"a\":1}\nnot json\n<Event></Event>\n");
        assert_eq!(
            mixed.iter().map(|p| p.0).collect::<Vec<_>>(),
            [RecordKind::Json, RecordKind::Line, RecordKind::Xml]
        );
    }

    #[test]
    fn a_bad_line_spoils_itself_only() {
        let (documents, faults) = json_documents(b"{\"a\":1}\n{oops\n5\n[{},1]\n{\"b\":2}");
        assert_eq!(documents, ["{\"a\":1}", "{}", "{\"b\":2}"]);
        assert_eq!(faults.iter().map(|f| f.0).collect::<Vec<_>>(), [1, 2, 4]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_cut(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            pieces(&bytes);
            json_documents(&bytes);
        }

        #[test]
        fn markup_is_cut(text in "(<Event[ >/]|</Event>|<!--|-->|<!\\[CDATA\\[|\\]\\]>|[<>\"'a]){0,30}") {
            let found = xml_events(text.as_bytes());
            for event in found.events {
                prop_assert!(event.starts_with(b"<Event"));
            }
        }
    }
}
