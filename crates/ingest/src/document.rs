//! Documents as the journal keeps them: on one line, with what their shipper said beside them around them as in an
//! export. The document itself is never changed, but for line ends between its tokens.

use std::borrow::Cow;

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Whether these bytes are one JSON object, else what is wrong with them.
pub(crate) fn check_object(json: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(json).map_err(|error| format!("not UTF-8: {error}"))?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| error.to_string())?;
    if text.trim_start().starts_with('{') { Ok(text) } else { Err("not a JSON object".to_owned()) }
}

/// Valid JSON on one line: line ends can only stand between tokens.
pub(crate) fn one_line(json: &str) -> Cow<'_, str> {
    let json = json.trim();
    if json.bytes().any(|b| b == b'\n' || b == b'\r') {
        Cow::Owned(json.replace(['\n', '\r'], " "))
    } else {
        Cow::Borrowed(json)
    }
}

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// A valid document as a hit in an export of Elasticsearch's.
pub(crate) fn hit(index: &str, id: Option<&str>, source: &str) -> Bytes {
    let mut line = String::with_capacity(source.len() + index.len() + 64);
    line.push_str("{\"_index\":");
    line.push_str(&quoted(index));
    if let Some(id) = id {
        line.push_str(",\"_id\":");
        line.push_str(&quoted(id));
    }
    line.push_str(",\"_source\":");
    line.push_str(&one_line(source));
    line.push('}');
    Bytes::from(line)
}

/// A line of an export, written member by member: of Splunk's an event as text (`_raw`) with its metadata.
#[derive(Debug, Default)]
pub(crate) struct Wrapping {
    line: String,
}

impl Wrapping {
    /// `raw` is the event as text; a metric has none.
    pub(crate) fn new(raw: Option<&str>) -> Self {
        let mut event = Self { line: String::with_capacity(raw.map_or(0, str::len) + 160) };
        if let Some(raw) = raw {
            event.member("_raw", &quoted(raw));
        }
        event
    }

    /// Adds a member whose value is JSON already.
    pub(crate) fn member(&mut self, name: &str, json: &str) {
        self.line.push(if self.line.is_empty() { '{' } else { ',' });
        self.line.push_str(&quoted(name));
        self.line.push(':');
        self.line.push_str(&one_line(json));
    }

    /// Adds a member of text where there is one.
    pub(crate) fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.member(name, &quoted(text));
        }
    }

    pub(crate) fn finish(mut self) -> Bytes {
        self.line.push_str(if self.line.is_empty() { "{}" } else { "}" });
        Bytes::from(self.line)
    }
}

/// The text of a JSON value: of a string what it says, of anything else how it is written.
pub(crate) fn text_of(value: &RawValue) -> String {
    serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| one_line(value.get()).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_document_is_kept_to_the_letter() {
        let body = hit("logs-\"x\"", Some("7"), "{\"n\": 1.10, \"n\": 2,\r\n \"t\":\"\\u00e9\"}\n");
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            r#"{"_index":"logs-\"x\"","_id":"7","_source":{"n": 1.10, "n": 2,   "t":"\u00e9"}}"#
        );
    }

    #[test]
    fn only_objects_are_documents() {
        assert!(check_object(b" {\"a\":[1,{}]} ").is_ok());
        for wrong in [&b""[..], b"[]", b"1", b"{", b"{}{}", b"{\"a\":\"\n\"}", b"{\"a\":\"\xff\"}", b"{a:1}"] {
            assert!(check_object(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn a_wrapped_text_comes_back(raw in ".*", host in proptest::option::of(".*")) {
            let mut event = Wrapping::new(Some(&raw));
            event.text("host", host.as_deref());
            let line = event.finish();
            prop_assert!(!line.contains(&b'\n'));
            let value: serde_json::Value = serde_json::from_slice(&line).unwrap();
            prop_assert_eq!(value["_raw"].as_str(), Some(raw.as_str()));
            prop_assert_eq!(value["host"].as_str(), host.as_deref());
        }
    }
}
