//! From a text to what rules of each vendor see of its events.

#![allow(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

use lurcher_readers::{ReadOptions, Report, read_stream};
use lurcher_schema::{Event, LogSource, Schemas, Taxonomy};

/// The events of a text, in order, and what is said of it.
pub(crate) fn read(text: &str) -> (Vec<Event>, Report) {
    let mut events = Vec::new();
    let options = ReadOptions {
        now: lurcher_schema::Timestamp::parse("2026-06-01T00:00:00Z").unwrap(),
        ..ReadOptions::default()
    };
    let report = read_stream("x", &mut text.as_bytes(), &options, &mut |batch| {
        events.extend((0..batch.rows()).map(|row| batch.event(row)));
    });
    events.sort_by(|a, b| a.reference.cmp(&b.reference));
    (events, report)
}

/// What is to be seen of an event: `ecs:`, `cim:`, `sigma:` or `raw:` and a field, and the field's value (`null`: it has
/// none); `shape:` and an attribute; `index`; `logsource` as category, product and service divided by slashes.
pub(crate) type Seen<'a> = &'a [(&'a str, &'a str)];

/// Whether all of it is to be seen of an event.
#[track_caller]
pub(crate) fn see(event: &Event, seen: Seen<'_>) {
    let schemas = Schemas::builtin().unwrap();
    let mut wrong = Vec::new();
    for (what, wanted) in seen {
        let (kind, name) = what.split_once(':').unwrap_or((what, ""));
        let found = match kind {
            "shape" => event.shape.attribute(name).unwrap_or("null").to_owned(),
            "index" => {
                let indices = schemas.indices(&event.shape);
                if indices.iter().any(|index| **index == **wanted) {
                    (*wanted).to_owned()
                } else {
                    format!("{indices:?}")
                }
            }
            "logsource" => {
                let words: Vec<&str> = wanted.split('/').collect();
                let rule = LogSource::new(words[0], words[1], words[2]);
                let sources = schemas.log_sources(&event.shape);
                if sources.iter().any(|source| rule.covers(source)) {
                    (*wanted).to_owned()
                } else {
                    format!("{sources:?}")
                }
            }
            taxonomy => {
                let taxonomy = Taxonomy::from_name(taxonomy).unwrap();
                let value = schemas.value(event, taxonomy, name);
                if value.is_missing() { "null".to_owned() } else { value.to_string() }
            }
        };
        if found != *wanted {
            wrong.push(format!("{what}: {found}, not {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{:?}\n{}", event.shape.attributes().collect::<Vec<_>>(), wrong.join("\n"));
}

/// The same of the one event of a text.
#[track_caller]
pub(crate) fn one(text: &str, seen: Seen<'_>) {
    let (events, report) = read(text);
    assert_eq!((events.len(), report.errors()), (1, 0), "{:?}", report.problems);
    see(&events[0], seen);
}
