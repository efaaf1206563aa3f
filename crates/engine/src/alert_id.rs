//! The id of an alert: a digest of the rule and of what the events are, never of where they were read.
//!
//! Of Windows events only what Windows itself writes counts: not the rendered message, which depends on who
//! rendered it, nor what shippers add. So the same events give the same id from EVTX, XML and JSON.

use std::fmt::Write;

use lurcher_ir::Rule;
use lurcher_schema::{Event, Value};
use sha2::{Digest, Sha256};

use crate::Match;

/// How many of a match's events count, the first ones. Their full number, the join keys and the row count as well, so
/// this many tell matches apart; and the id does not depend on how many events an alert shows.
pub(crate) const EVENTS: usize = 100;

/// The fields of Windows events' system part that tell events apart. The time is added by value.
const WINDOWS_FIELDS: [&str; 5] = ["Computer", "Channel", "Provider_Name", "EventID", "EventRecordID"];
const WINDOWS_DATA: [&str; 2] = ["EventData.", "UserData."];

/// The id of what a rule found: 32 hexadecimal digits.
pub(crate) fn of(rule: &Rule, found: &Match) -> String {
    let mut digest = Parts(Sha256::new());
    let meta = &rule.meta;
    for part in [&meta.id, meta.version.as_str(), meta.language, meta.query.as_str()] {
        digest.add(part);
    }
    let counted = found.identified_by.map_or(found.event_count, |events| events as u64);
    digest.number(counted);
    for event in found.events.iter().take(found.identified_by.unwrap_or(EVENTS).min(EVENTS)) {
        match event {
            Some(event) => digest.event(event),
            None => digest.add("absent"),
        }
    }
    digest.number(found.join_keys.len() as u64);
    for key in &found.join_keys {
        digest.value(key);
    }
    digest.members(found.values.iter().map(|(name, value)| (name.as_ref(), value)).collect());
    digest.finish()
}

/// The id of what these texts, in this order, tell from others: 32 hexadecimal digits.
pub fn of_parts<'p>(parts: impl IntoIterator<Item = &'p str>) -> String {
    let mut digest = Parts(Sha256::new());
    parts.into_iter().for_each(|part| digest.add(part));
    digest.finish()
}

/// A digest of parts, each with its length, so that no two lists of parts run together.
struct Parts(Sha256);

impl Parts {
    fn finish(self) -> String {
        let mut id = String::with_capacity(32);
        for byte in self.0.finalize().iter().take(16) {
            // Writing to a string cannot fail.
            let _ = write!(id, "{byte:02x}");
        }
        id
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn add(&mut self, part: &str) {
        self.number(part.len() as u64);
        self.0.update(part.as_bytes());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Text(text) => self.add(text),
            other => self.add(&other.to_string()),
        }
    }

    /// Named values, in the order of their names: the order of columns is an accident.
    fn members(&mut self, mut members: Vec<(&str, &Value)>) {
        members.retain(|(_, value)| !value.is_missing());
        members.sort_unstable_by_key(|(name, _)| *name);
        self.number(members.len() as u64);
        for (name, value) in members {
            self.add(name);
            self.value(value);
        }
    }

    fn event(&mut self, event: &Event) {
        let windows = event.shape.dialect() == "windows";
        let counts = |name: &str| {
            !windows || WINDOWS_FIELDS.contains(&name) || WINDOWS_DATA.iter().any(|prefix| name.starts_with(prefix))
        };
        if windows {
            self.add(&event.time.map(|time| time.to_string()).unwrap_or_default());
        }
        let members = event.raw.iter().map(|(name, value)| (name.as_ref(), value));
        self.members(members.filter(|(name, _)| counts(name)).collect());
    }
}
