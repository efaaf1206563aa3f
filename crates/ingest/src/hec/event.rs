//! The body of `/services/collector/event`: JSON objects one after the other, with or without space between them, or
//! in an array.
//!
//! As in the original events are taken in order up to the first faulty one, which the answer names.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{Answer, Code};
use crate::document::{Wrapping, text_of};

/// Names that indexed fields do not take from the metadata.
const METADATA: &[&str] = &["_raw", "host", "source", "sourcetype", "index", "_time"];
/// The longest name of an index, sourcetype and so on, in bytes.
const LONGEST: usize = 4096;

/// Metadata for events that do not bring their own.
#[derive(Clone, Debug, Default)]
pub(super) struct Defaults {
    pub(super) host: Option<String>,
    pub(super) source: Option<String>,
    pub(super) sourcetype: Option<String>,
    pub(super) index: Option<String>,
}

impl Defaults {
    pub(super) fn are_empty(&self) -> bool {
        self.host.is_none() && self.source.is_none() && self.sourcetype.is_none() && self.index.is_none()
    }

    /// Whether the index, if any, is one that events may name.
    pub(super) fn index_allowed(&self, allowed: &[String]) -> bool {
        self.index.as_ref().is_none_or(|index| index_allowed(index, allowed))
    }

    /// The data stream: the sourcetype, else the index.
    pub(super) fn stream(&self, otherwise: &str) -> Arc<str> {
        Arc::from(self.sourcetype.as_deref().or(self.index.as_deref()).unwrap_or(otherwise))
    }

    /// A raw text with this metadata.
    pub(super) fn raw_line(&self, raw: &str) -> Bytes {
        let mut event = Wrapping::new(Some(raw));
        self.put(&mut event);
        event.finish()
    }

    fn put(&self, event: &mut Wrapping) {
        event.text("sourcetype", self.sourcetype.as_deref());
        event.text("source", self.source.as_deref());
        event.text("host", self.host.as_deref());
        event.text("index", self.index.as_deref());
    }
}

fn index_allowed(index: &str, allowed: &[String]) -> bool {
    let named = !index.is_empty() && index.len() <= LONGEST && !index.chars().any(char::is_control);
    named && (allowed.is_empty() || allowed.iter().any(|a| a == index))
}

/// What a body holds.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Data stream and body of each event before the first faulty one.
    pub(super) events: Vec<(Arc<str>, Bytes)>,
    pub(super) fault: Option<Answer>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    event: Option<&'a RawValue>,
    #[serde(borrow)]
    fields: Option<&'a RawValue>,
    #[serde(borrow)]
    time: Option<&'a RawValue>,
    #[serde(borrow)]
    host: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    sourcetype: Option<&'a RawValue>,
    #[serde(borrow)]
    index: Option<&'a RawValue>,
}

/// `null` is given, and not absent: that an event is `null` is another fault than that there is none.
#[derive(Deserialize)]
struct Presence<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    event: Option<&'a RawValue>,
}

fn present<'de: 'a, 'a, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads a whole body.
pub(super) fn parse(body: &[u8], defaults: &Defaults, allowed: &[String], stream: &str) -> Parsed {
    let mut parser = Parser { defaults, allowed, stream, streams: HashMap::new(), parsed: Parsed::default() };
    for value in serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>() {
        let Ok(value) = value else {
            parser.fail(Code::InvalidFormat);
            break;
        };
        let whole = if value.get().starts_with('[') {
            let elements: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
            elements.into_iter().all(|element| parser.take(element))
        } else {
            parser.take(value)
        };
        if !whole {
            break;
        }
    }
    if parser.parsed.events.is_empty() && parser.parsed.fault.is_none() {
        parser.parsed.fault = Some(Code::NoData.into());
    }
    parser.parsed
}

struct Parser<'p> {
    defaults: &'p Defaults,
    allowed: &'p [String],
    stream: &'p str,
    streams: HashMap<String, Arc<str>>,
    parsed: Parsed,
}

impl Parser<'_> {
    fn fail(&mut self, code: Code) {
        self.parsed.fault = Some(Answer::of_event(code, self.parsed.events.len()));
    }

    /// Takes one event; false if it is faulty.
    fn take(&mut self, value: &RawValue) -> bool {
        match self.event(value) {
            Ok(event) => {
                self.parsed.events.push(event);
                true
            }
            Err(code) => {
                self.fail(code);
                false
            }
        }
    }

    fn event(&mut self, value: &RawValue) -> Result<(Arc<str>, Bytes), Code> {
        if !value.get().starts_with('{') {
            return Err(Code::InvalidFormat);
        }
        let envelope: Envelope<'_> = serde_json::from_str(value.get()).map_err(|_| Code::InvalidFormat)?;
        let given = envelope.event.is_some()
            || serde_json::from_str::<Presence<'_>>(value.get()).is_ok_and(|presence| presence.event.is_some());
        let raw = match envelope.event {
            None if given => return Err(Code::EventBlank),
            None if envelope.fields.is_none() => return Err(Code::EventRequired),
            None => None,
            Some(event) => Some(text_of(event)),
        };
        if raw.as_ref().is_some_and(|raw| blank(raw)) {
            return Err(Code::EventBlank);
        }
        let own = |value: Option<&RawValue>, default: &Option<String>| {
            value.map(text_of).filter(|text| !text.is_empty()).or_else(|| default.clone())
        };
        let metadata = Defaults {
            host: own(envelope.host, &self.defaults.host),
            source: own(envelope.source, &self.defaults.source),
            sourcetype: own(envelope.sourcetype, &self.defaults.sourcetype),
            index: own(envelope.index, &self.defaults.index),
        };
        let mut event = Wrapping::new(raw.as_deref());
        metadata.put(&mut event);
        if let Some(time) = envelope.time {
            let text = text_of(time);
            let seconds: f64 = text.trim().parse().map_err(|_| Code::IndexedFields)?;
            if !seconds.is_finite() || matches!(time.get(), "true" | "false") {
                return Err(Code::IndexedFields);
            }
            event.member("_time", if time.get().starts_with('"') { time.get() } else { text.trim() });
        }
        if let Some(fields) = envelope.fields {
            put_fields(&mut event, fields)?;
        }
        if !metadata.index_allowed(self.allowed) {
            return Err(Code::IncorrectIndex);
        }
        Ok((self.interned(&metadata), event.finish()))
    }

    fn interned(&mut self, metadata: &Defaults) -> Arc<str> {
        let name = metadata.sourcetype.as_deref().or(metadata.index.as_deref()).unwrap_or(self.stream);
        if let Some(stream) = self.streams.get(name) {
            return Arc::clone(stream);
        }
        let stream: Arc<str> = Arc::from(name);
        self.streams.insert(name.to_owned(), Arc::clone(&stream));
        stream
    }
}

fn blank(raw: &str) -> bool {
    let bare: String = raw.chars().filter(|c| !c.is_whitespace()).take(3).collect();
    matches!(bare.as_str(), "" | "{}" | "[]")
}

/// Indexed fields are flat: text, numbers, truths, and lists of these.
fn put_fields(event: &mut Wrapping, fields: &RawValue) -> Result<(), Code> {
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(fields.get()).map_err(|_| Code::IndexedFields)?;
    for (name, value) in fields {
        let flat = match &value {
            serde_json::Value::Object(_) => false,
            serde_json::Value::Array(elements) => elements.iter().all(|e| !e.is_object() && !e.is_array()),
            _ => true,
        };
        if !flat {
            return Err(Code::IndexedFields);
        }
        if !METADATA.contains(&name.as_str()) {
            event.member(&name, &value.to_string());
        }
    }
    Ok(())
}

/// For the fuzz target: parses and forgets.
#[doc(hidden)]
pub fn fuzz(body: &[u8]) -> usize {
    parse(body, &Defaults::default(), &[], "x").events.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn run(body: &str) -> (Vec<Value>, Option<Value>) {
        let parsed = parse(body.as_bytes(), &Defaults::default(), &["main".to_owned()], "x");
        let events = parsed.events.iter().map(|(_, body)| serde_json::from_slice(body).unwrap()).collect();
        (events, parsed.fault.map(|fault| fault.body))
    }

    #[test]
    fn events_stand_as_in_an_export() {
        let (events, fault) = run(concat!(
            r#"{"time":1433188255.253,"host":"h","source":"s","sourcetype":"XmlWinEventLog","index":"main","event":"<Event/>","#,
            r#""fields":{"vendor":"x","n":[1,2],"host":"not this"}}"#,
            r#"{"event":{"a": 1.0,"b":"x"}} [{"event":5},{"event":"t","time":" 7 "}]"#
        ));
        assert_eq!(fault, None);
        assert_eq!(
            events,
            [
                json!({"_raw": "<Event/>", "sourcetype": "XmlWinEventLog", "source": "s", "host": "h", "index": "main",
                    "_time": 1_433_188_255.253, "vendor": "x", "n": [1, 2]}),
                json!({"_raw": "{\"a\": 1.0,\"b\":\"x\"}"}),
                json!({"_raw": "5"}),
                json!({"_raw": "t", "_time": " 7 "}),
            ]
        );
    }

    #[test]
    fn the_first_faulty_event_is_named() {
        let fault = |code: u8, text: &str, number: usize| {
            Some(json!({"text": text, "code": code, "invalid-event-number": number}))
        };
        let good = r#"{"event":"x"}"#;
        for (bad, code, text, number) in [
            ("{}", 12, "Event field is required", 1),
            (r#"{"event":null}"#, 13, "Event field cannot be blank", 1),
            (r#"{"event":"  "}"#, 13, "Event field cannot be blank", 1),
            (r#"{"event":{}}"#, 13, "Event field cannot be blank", 1),
            (r#"{"event":"x","time":"soon"}"#, 15, "Error in handling indexed fields", 1),
            (r#"{"event":"x","fields":{"a":{"b":1}}}"#, 15, "Error in handling indexed fields", 1),
            (r#"{"event":"x","index":"other"}"#, 7, "Incorrect index", 2),
            ("{", 6, "Invalid data format", 1),
            ("\"text\"", 6, "Invalid data format", 1),
        ] {
            let (events, found) = run(&format!("{good} {bad} {good}"));
            assert_eq!((events.len(), found), (1, fault(code, text, number)), "{bad}");
        }
        assert_eq!(run(" ").1, Some(json!({"text": "No data", "code": 5})));
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            fuzz(&body);
        }

        #[test]
        fn texts_come_back(texts in proptest::collection::vec("[^\\s]\\PC{0,20}", 1..10)) {
            let texts: Vec<String> = texts.into_iter().filter(|t| !blank(t)).collect();
            let body: String = texts.iter().map(|t| json!({"event": t}).to_string()).collect();
            let (events, _) = run(&body);
            let found: Vec<&str> = events.iter().filter_map(|e| e["_raw"].as_str()).collect();
            prop_assert_eq!(found, texts);
        }
    }
}
