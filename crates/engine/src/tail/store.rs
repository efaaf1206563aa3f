//! The events that tails keep: in memory up to a budget, beyond it in a temporary file, so that none is lost.
//!
//! An event is kept once however many rules want it, as bytes: most are never looked at again. Of an event in the file
//! only its reference, time and shape stay in memory (under a hundred bytes). The file has no name and is gone
//! when the process ends, however it ends. Where no file can be written events stay in memory.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    sync::Arc,
};

use hashbrown::HashMap;
use lurcher_schema::{Event, EventBatch, EventRef, Object, RawField, Shape, Timestamp, Value};
use rustc_hash::FxBuildHasher;

/// A kept event of one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EventId {
    /// Which store; of a sweep's threads 0 until their stores are brought together.
    pub(crate) store: u32,
    /// Which of its events.
    pub(crate) index: u32,
}

/// The events that one thread's tails keep.
#[derive(Debug)]
pub(crate) struct EventStore {
    kept: Vec<Kept>,
    /// The names of fields by number: they are written down as numbers.
    names: Vec<Arc<str>>,
    numbers: HashMap<String, u32, FxBuildHasher>,
    scratch: Vec<u8>,
    budget: u64,
    held: u64,
    /// What of it is not events.
    reserved: u64,
    spill: Option<Spill>,
    spilled: u64,
    /// How many of the events were sent to the file, or could not be.
    sent: usize,
    /// The number that it will be known by.
    number: u32,
}

/// Where in a store's file something lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    at: u64,
    length: usize,
}

/// A kept event: what rules are ordered by, and where its fields are.
#[derive(Debug)]
struct Kept {
    shape: Arc<Shape>,
    reference: EventRef,
    time: Option<Timestamp>,
    fields: Place,
}

#[derive(Debug)]
enum Place {
    Memory(Box<[u8]>),
    File(Extent),
}

#[derive(Debug)]
struct Spill {
    file: File,
    end: u64,
    /// Bytes not yet written; they begin at `end`.
    buffer: Vec<u8>,
}

const TEXT: u8 = 0;
const JSON: u8 = 1;

/// Bytes that are gathered before they are written.
const BUFFER: usize = 256 << 10;

impl EventStore {
    /// A store that keeps about so many bytes in memory.
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            kept: Vec::new(),
            names: Vec::new(),
            numbers: HashMap::default(),
            scratch: Vec::new(),
            budget,
            held: 0,
            reserved: 0,
            spill: None,
            spilled: 0,
            sent: 0,
            number: 0,
        }
    }

    /// The same under a number of its own.
    #[must_use]
    pub(crate) fn numbered(mut self, number: u32) -> Self {
        self.number = number;
        self
    }

    /// How many events went to the file.
    pub(crate) fn spilled(&self) -> u64 {
        self.spilled
    }

    /// Keeps a row of a batch. Its fields are written down as they lie in the batch, since most events that are kept
    /// never become evidence.
    pub(crate) fn keep(&mut self, batch: &EventBatch, row: usize) -> EventId {
        let id = EventId { store: self.number, index: self.kept.len() as u32 };
        self.scratch.clear();
        for (name, field) in batch.fields(row) {
            let next = self.names.len() as u32;
            let number = *self.numbers.entry_ref(name).or_insert_with(|| {
                self.names.push(name.into());
                next
            });
            let (kind, text) = match field {
                RawField::Text(text) => (TEXT, text),
                RawField::Json(text) => (JSON, text),
            };
            self.scratch.extend_from_slice(&number.to_le_bytes());
            self.scratch.push(kind);
            self.scratch.extend_from_slice(&(text.len() as u32).to_le_bytes());
            self.scratch.extend_from_slice(text.as_bytes());
        }
        let fields = self.place();
        let (shape, reference, time) = (Arc::clone(batch.shape()), batch.reference(row), batch.times()[row]);
        self.kept.push(Kept { shape, reference, time, fields });
        id
    }

    /// Says that rows and hits beside the events took so many bytes. They stay in memory.
    pub(crate) fn reserve(&mut self, bytes: u64) {
        self.held += bytes;
        self.reserved += bytes;
    }

    /// When the budget is spent, the events go to the file to make room for what stays.
    pub(crate) fn make_room(&mut self) {
        if self.held > self.budget && self.held > self.reserved {
            self.send_away(usize::MAX);
        }
    }

    /// Whether there are events in memory that were not sent away yet.
    pub(crate) fn can_send(&self) -> bool {
        self.sent < self.kept.len()
    }

    /// Sends so many of the events in memory to the file; they stay where it cannot be written.
    pub(crate) fn send_away(&mut self, most: usize) {
        let end = self.kept.len().min(self.sent.saturating_add(most));
        for number in self.sent..end {
            self.sent = number + 1;
            let Some(Kept { fields: Place::Memory(bytes), .. }) = self.kept.get_mut(number) else { continue };
            self.scratch.clear();
            self.scratch.extend_from_slice(bytes);
            let size = self.scratch.len() as u64;
            let Some(place) = self.write() else { return };
            if let Some(kept) = self.kept.get_mut(number) {
                kept.fields = place;
            }
            self.held -= size;
            self.spilled += 1;
        }
    }

    /// Says that so many bytes of rows left memory.
    pub(crate) fn release(&mut self, bytes: u64) {
        self.held = self.held.saturating_sub(bytes);
        self.reserved = self.reserved.saturating_sub(bytes);
    }

    /// About how many bytes it holds in memory.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    /// How many events it keeps.
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// How many bytes it may hold.
    pub(crate) fn budget(&self) -> u64 {
        self.budget
    }

    /// Whether more is held than there is room for.
    pub(crate) fn is_full(&self) -> bool {
        self.held > self.budget
    }

    /// Writes bytes to the file; none if that cannot be done.
    pub(crate) fn write_block(&mut self, bytes: &[u8]) -> Option<Extent> {
        self.scratch.clear();
        self.scratch.extend_from_slice(bytes);
        match self.write()? {
            Place::File(extent) => Some(extent),
            Place::Memory(_) => None,
        }
    }

    /// What was written there; none if it cannot be read back.
    pub(crate) fn read_block(&mut self, extent: Extent) -> Option<Vec<u8>> {
        self.spill.as_mut()?.read(extent)
    }

    /// The name of a kept event.
    pub(crate) fn reference(&self, id: EventId) -> Option<EventRef> {
        self.kept.get(id.index as usize).map(|kept| kept.reference.clone())
    }

    /// When a kept event happened.
    pub(crate) fn time(&self, id: EventId) -> Option<Timestamp> {
        self.kept.get(id.index as usize)?.time
    }

    /// About how many bytes rows and hits take.
    pub(crate) fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Puts what is in `scratch` into memory, or into the file once the budget is spent.
    fn place(&mut self) -> Place {
        let size = self.scratch.len() as u64;
        if self.held + size > self.budget
            && let Some(place) = self.write()
        {
            self.spilled += 1;
            return place;
        }
        self.held += size;
        Place::Memory(self.scratch.as_slice().into())
    }

    fn write(&mut self) -> Option<Place> {
        if self.spill.is_none() {
            self.spill = Some(Spill { file: tempfile::tempfile().ok()?, end: 0, buffer: Vec::new() });
        }
        let spill = self.spill.as_mut()?;
        let begin = spill.buffer.len();
        spill.buffer.extend_from_slice(&self.scratch);
        let place = Place::File(Extent { at: spill.end + begin as u64, length: self.scratch.len() });
        if spill.buffer.len() > BUFFER && spill.flush().is_err() {
            spill.buffer.truncate(begin);
            return None;
        }
        Some(place)
    }

    /// An event that was kept; none if it cannot be read back.
    pub(crate) fn get(&mut self, id: EventId) -> Option<Event> {
        let kept = self.kept.get(id.index as usize)?;
        let raw = match &kept.fields {
            Place::Memory(bytes) => read_fields(bytes, &self.names)?,
            Place::File(extent) => read_fields(&self.spill.as_mut()?.read(*extent)?, &self.names)?,
        };
        Some(Event { shape: Arc::clone(&kept.shape), reference: kept.reference.clone(), time: kept.time, raw })
    }
}

impl Spill {
    fn flush(&mut self) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&self.buffer)?;
        self.end += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn read(&mut self, Extent { at, length }: Extent) -> Option<Vec<u8>> {
        if let Some(begin) = at.checked_sub(self.end) {
            return self.buffer.get(begin as usize..begin as usize + length).map(<[u8]>::to_vec);
        }
        let mut bytes = vec![0; length];
        self.file.seek(SeekFrom::Start(at)).ok()?;
        self.file.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
}

fn read_bytes<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (bytes, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(bytes)
}

fn read_number(input: &mut &[u8]) -> Option<usize> {
    read_bytes(input, 4)?.try_into().ok().map(|bytes| u32::from_le_bytes(bytes) as usize)
}

fn read_fields(mut input: &[u8], names: &[Arc<str>]) -> Option<Object> {
    let mut members = Vec::new();
    while !input.is_empty() {
        let name = Arc::clone(names.get(read_number(&mut input)?)?);
        let kind = *read_bytes(&mut input, 1)?.first()?;
        let length = read_number(&mut input)?;
        let text = std::str::from_utf8(read_bytes(&mut input, length)?).ok()?;
        let value = if kind == JSON { RawField::Json(text).to_value() } else { Value::text(text) };
        members.push((name, value));
    }
    Some(Object::from_distinct(members))
}

#[cfg(test)]
mod tests {
    use lurcher_schema::{BatchBuilder, Origin};
    use proptest::prelude::*;

    use super::*;

    fn batch(texts: &[Vec<(String, String)>]) -> EventBatch {
        let mut builder = BatchBuilder::new(Shape::new([("dialect", "test")]), Origin::new("x"));
        for (number, fields) in texts.iter().enumerate() {
            let fields = fields.iter().map(|(name, text)| {
                let json = text.parse::<i64>().is_ok_and(|number| number.to_string() == *text);
                (name.as_str(), if json { RawField::Json(text) } else { RawField::Text(text) })
            });
            builder.push(number as u64, number as u64, Some(Timestamp(number as i64)), fields);
        }
        builder.finish().unwrap()
    }

    proptest! {
        #[test]
        fn events_come_back_as_they_were_from_memory_and_from_the_file(
            texts in prop::collection::vec(prop::collection::vec((".{0,5}", "[0-9]{1,3}|.{0,20}"), 0..5), 1..20),
            budget in prop_oneof![Just(0_u64), Just(200)],
        ) {
            let batch = batch(&texts);
            let mut store = EventStore::new(budget);
            let ids: Vec<EventId> = (0..batch.rows()).map(|row| store.keep(&batch, row)).collect();
            for (row, id) in ids.iter().enumerate() {
                let (kept, event) = (store.get(*id).unwrap(), batch.event(row));
                prop_assert_eq!(kept.raw, event.raw);
                prop_assert_eq!((kept.reference, kept.time), (event.reference, event.time));
            }
        }
    }

    #[test]
    fn rows_beside_the_events_push_them_into_the_file() {
        let batch = batch(&[vec![("t".to_owned(), "some text".to_owned())], vec![("t".to_owned(), "more".to_owned())]]);
        let mut store = EventStore::new(1000);
        let ids: Vec<EventId> = (0..batch.rows()).map(|row| store.keep(&batch, row)).collect();
        store.reserve(900);
        store.make_room();
        assert_eq!((store.spilled(), store.reserved()), (0, 900));
        store.reserve(100);
        store.make_room();
        assert_eq!(store.spilled(), 2);
        for (row, id) in ids.iter().enumerate() {
            assert_eq!(store.get(*id).unwrap().raw, batch.event(row).raw);
        }
    }

    #[test]
    fn what_is_beyond_the_buffer_is_read_from_the_file() {
        let texts: Vec<_> = (0..20).map(|n| vec![("t".to_owned(), format!("{n}x").repeat(50_000))]).collect();
        let batch = batch(&texts);
        let mut store = EventStore::new(0);
        let ids: Vec<EventId> = (0..batch.rows()).map(|row| store.keep(&batch, row)).collect();
        assert_eq!(store.spilled(), 20);
        for (row, id) in ids.iter().enumerate() {
            assert_eq!(store.get(*id).unwrap().raw, batch.event(row).raw);
        }
    }
}
