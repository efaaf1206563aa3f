//! Records of the Linux audit daemon that belong to one event, joined however they arrive.
//!
//! The reader joins what it is given at once. Records of an event of which more is to come are held back until the rest has
//! arrived, or for some seconds; all others pass. What is held back is a function of the records and their times of arrival
//! alone, so that the state of rules can be built again by the same calls.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use lurcher_journal::{Position, Record, RecordKind};
use lurcher_readers::audit_part;
use lurcher_schema::Timestamp;

/// How long the rest of an event is waited for, in microseconds.
const HOLD: i64 = 2_000_000;
/// Records of one event, at most; an event that has more is whole.
const RECORDS: usize = 256;
/// Records that are held back, at most.
const MOST: usize = 4096;

/// Records, with their places in the journal.
type Placed = (Position, Record);

/// What is held back.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    held: Vec<Placed>,
    /// When the first of it is let go.
    due: Option<Timestamp>,
}

/// What may be read now.
#[derive(Debug)]
pub(super) struct Joined<'r> {
    /// Records, those of one event one after the other.
    pub(super) ready: Cow<'r, [Placed]>,
    /// Of records that belong together, the places of all by that of each.
    pub(super) parts: HashMap<Position, Arc<[Position]>>,
    /// The places of those that are held back from now on.
    pub(super) held: Vec<Position>,
}

/// An event's records.
#[derive(Debug, Default)]
struct Group {
    whole: bool,
    last: i64,
    places: Vec<Position>,
}

impl Joiner {
    /// When something that is held back is let go.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Takes records that have arrived.
    pub(super) fn take<'r>(&mut self, records: &'r [Placed]) -> Joined<'r> {
        let is_part = |record: &Record| record.kind != RecordKind::Xml && audit_part(&record.body).is_some();
        if self.held.is_empty() && !records.iter().any(|(_, record)| is_part(record)) {
            return Joined { ready: Cow::Borrowed(records), parts: HashMap::new(), held: Vec::new() };
        }
        let now = records.iter().map(|(_, record)| record.received.0).max().unwrap_or(i64::MIN);
        self.join(records.to_vec(), now)
    }

    /// Lets go of what was held back long enough.
    pub(super) fn let_go(&mut self, now: Timestamp) -> Joined<'static> {
        self.join(Vec::new(), now.0)
    }

    fn join(&mut self, records: Vec<Placed>, now: i64) -> Joined<'static> {
        let held_before = self.held.len();
        let mut all = std::mem::take(&mut self.held);
        all.extend(records);
        let mut groups: BTreeMap<(Arc<str>, Vec<u8>), Group> = BTreeMap::new();
        let mut keys = Vec::with_capacity(all.len());
        for (position, record) in &all {
            let part = (record.kind != RecordKind::Xml).then(|| audit_part(&record.body)).flatten();
            keys.push(part.map(|part| {
                let key = (Arc::clone(&record.stream), part.event.to_vec());
                let group = groups.entry(key.clone()).or_default();
                group.places.push(*position);
                group.last = group.last.max(record.received.0);
                group.whole |= part.last || group.places.len() >= RECORDS;
                key
            }));
        }
        let waits = |group: &Group| !group.whole && group.last.saturating_add(HOLD) > now;
        let waiting: usize = groups.values().filter(|group| waits(group)).map(|group| group.places.len()).sum();
        let hold = waiting <= MOST;
        let mut joined = Joined { ready: Cow::Owned(Vec::new()), parts: HashMap::new(), held: Vec::new() };
        let mut ready: Vec<(Position, Placed)> = Vec::with_capacity(all.len());
        self.due = None;
        for (at, (placed, key)) in all.into_iter().zip(keys).enumerate() {
            let Some(group) = key.and_then(|key| groups.get(&key)) else {
                ready.push((placed.0, placed));
                continue;
            };
            if hold && waits(group) {
                let due = Timestamp(group.last.saturating_add(HOLD));
                self.due = Some(self.due.map_or(due, |known| known.min(due)));
                if at >= held_before {
                    joined.held.push(placed.0);
                }
                self.held.push(placed);
                continue;
            }
            let first = group.places.first().copied().unwrap_or(placed.0);
            if group.places.len() > 1 {
                joined.parts.insert(placed.0, Arc::from(group.places.as_slice()));
            }
            ready.push((first, placed));
        }
        ready.sort_by_key(|(first, (position, _))| (*first, *position));
        joined.ready = Cow::Owned(ready.into_iter().map(|(_, placed)| placed).collect());
        joined
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn line(position: u64, seconds: i64, text: &'static str) -> Placed {
        let record = Record {
            stream: Arc::from("auditd"),
            kind: RecordKind::Line,
            received: Timestamp(seconds * 1_000_000),
            body: Bytes::from_static(text.as_bytes()),
        };
        (Position(position), record)
    }

    fn places(joined: &Joined<'_>) -> Vec<u64> {
        joined.ready.iter().map(|(position, _)| position.0).collect()
    }

    const CALL: &str = "type=SYSCALL msg=audit(1.5:7): arch=c000003e syscall=59";
    const ARGUMENTS: &str = "type=EXECVE msg=audit(1.5:7): argc=1 a0=\"nc\"";
    const TITLE: &str = "type=PROCTITLE msg=audit(1.5:7): proctitle=\"nc\"";

    #[test]
    fn parts_of_an_event_wait_for_the_rest() {
        let mut joiner = Joiner::default();
        let first = [line(1, 10, CALL), line(2, 10, "plain"), line(3, 10, ARGUMENTS)];
        let joined = joiner.take(&first);
        assert_eq!((places(&joined), joined.held.as_slice()), (vec![2], &[Position(1), Position(3)][..]));
        assert_eq!(joiner.due(), Some(Timestamp(12_000_000)));
        let second = [line(4, 11, "other"), line(5, 11, TITLE)];
        let joined = joiner.take(&second);
        assert_eq!(places(&joined), [1, 3, 5, 4]);
        assert_eq!(joined.parts[&Position(1)].len(), 3);
        assert_eq!(joiner.due(), None);
    }

    #[test]
    fn what_never_comes_is_not_waited_for_for_ever() {
        let mut joiner = Joiner::default();
        let first = [line(1, 10, CALL)];
        assert_eq!(places(&joiner.take(&first)), Vec::<u64>::new());
        assert_eq!(places(&joiner.let_go(Timestamp(11_000_000))), Vec::<u64>::new());
        assert_eq!(places(&joiner.let_go(Timestamp(12_000_000))), [1]);
        assert_eq!(places(&joiner.take(&[line(2, 13, ARGUMENTS)])), Vec::<u64>::new());
        // Later records tell the time too.
        assert_eq!(places(&joiner.take(&[line(3, 16, "plain")])), [2, 3]);
    }

    #[test]
    fn records_without_parts_are_not_even_copied() {
        let records = [line(1, 10, "plain"), line(2, 10, "type=x")];
        assert!(matches!(Joiner::default().take(&records).ready, Cow::Borrowed(_)));
    }
}
