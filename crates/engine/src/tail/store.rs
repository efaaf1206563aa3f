//! The events that tails keep: in memory up to a budget, beyond it in a temporary file, so that none is lost.
//!
//! An event is kept once however many rules want it. Of an event in the file only its reference, time and shape stay in
//! memory (under a hundred bytes); its fields are read back when it becomes evidence. The file has no name and is gone
//! when the process ends, however it ends. Where no file can be written events stay in memory.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    sync::Arc,
};

use lurcher_schema::{Event, EventRef, Object, Shape, Timestamp, Value};

/// A kept event of one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EventId {
    /// Which store; 0 until stores are brought together.
    pub(crate) store: u32,
    /// Which of its events.
    pub(crate) index: u32,
}

/// The events that one thread's tails keep.
#[derive(Debug)]
pub(crate) struct EventStore {
    kept: Vec<Kept>,
    budget: u64,
    held: u64,
    spill: Option<Spill>,
    spilled: u64,
}

#[derive(Debug)]
enum Kept {
    Memory(Arc<Event>),
    File { at: u64, length: usize, shape: Arc<Shape>, reference: EventRef, time: Option<Timestamp> },
}

#[derive(Debug)]
struct Spill {
    file: File,
    end: u64,
    /// Bytes not yet written; they begin at `end`.
    buffer: Vec<u8>,
}

/// Bytes that are gathered before they are written.
const BUFFER: usize = 256 << 10;

impl EventStore {
    /// A store that keeps about so many bytes in memory.
    pub(crate) fn new(budget: u64) -> Self {
        Self { kept: Vec::new(), budget, held: 0, spill: None, spilled: 0 }
    }

    /// How many events went to the file.
    pub(crate) fn spilled(&self) -> u64 {
        self.spilled
    }

    /// Keeps an event.
    pub(crate) fn keep(&mut self, event: Event) -> EventId {
        let size = 200 + object_size(&event.raw);
        let id = EventId { store: 0, index: self.kept.len() as u32 };
        let kept = if self.held + size > self.budget { self.write(event) } else { Err(event) };
        self.kept.push(kept.unwrap_or_else(|event| {
            self.held += size;
            Kept::Memory(Arc::new(event))
        }));
        id
    }

    /// Writes an event to the file, or hands it back if that cannot be.
    fn write(&mut self, event: Event) -> Result<Kept, Event> {
        if self.spill.is_none() {
            let Ok(file) = tempfile::tempfile() else { return Err(event) };
            self.spill = Some(Spill { file, end: 0, buffer: Vec::new() });
        }
        let Some(spill) = &mut self.spill else { return Err(event) };
        let begin = spill.buffer.len();
        write_object(&event.raw, &mut spill.buffer);
        let (at, length) = (spill.end + begin as u64, spill.buffer.len() - begin);
        if spill.buffer.len() > BUFFER && spill.flush().is_err() {
            spill.buffer.truncate(begin);
            return Err(event);
        }
        self.spilled += 1;
        Ok(Kept::File { at, length, shape: event.shape, reference: event.reference, time: event.time })
    }

    /// An event that was kept; none if it cannot be read back.
    pub(crate) fn get(&mut self, id: EventId) -> Option<Arc<Event>> {
        match self.kept.get(id.index as usize)? {
            Kept::Memory(event) => Some(Arc::clone(event)),
            Kept::File { at, length, shape, reference, time } => {
                let bytes = self.spill.as_mut()?.read(*at, *length)?;
                let raw = read_object(&mut bytes.as_slice())?;
                let event = Event { shape: Arc::clone(shape), reference: reference.clone(), time: *time, raw };
                Some(Arc::new(event))
            }
        }
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

    fn read(&mut self, at: u64, length: usize) -> Option<Vec<u8>> {
        if let Some(begin) = at.checked_sub(self.end) {
            return self.buffer.get(begin as usize..begin as usize + length).map(<[u8]>::to_vec);
        }
        let mut bytes = vec![0; length];
        self.file.seek(SeekFrom::Start(at)).ok()?;
        self.file.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
}

fn object_size(object: &Object) -> u64 {
    object.iter().map(|(name, value)| 40 + name.len() as u64 + value_size(value)).sum()
}

/// About how many bytes a value takes, itself included.
pub(crate) fn value_size(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 24,
        Value::Text(text) => 40 + text.len() as u64,
        Value::List(items) => 40 + items.iter().map(value_size).sum::<u64>(),
        Value::Object(object) => 40 + object_size(object),
    }
}

fn write_length(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(length as u32).to_le_bytes());
}

fn write_object(object: &Object, out: &mut Vec<u8>) {
    write_length(object.len(), out);
    for (name, value) in object {
        write_length(name.len(), out);
        out.extend_from_slice(name.as_bytes());
        write_value(value, out);
    }
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0),
        Value::Bool(truth) => out.push(1 + u8::from(*truth)),
        Value::Int(number) => {
            out.push(3);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Float(number) => {
            out.push(4);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Text(text) => {
            out.push(5);
            write_length(text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Value::List(items) => {
            out.push(6);
            write_length(items.len(), out);
            items.iter().for_each(|item| write_value(item, out));
        }
        Value::Object(object) => {
            out.push(7);
            write_object(object, out);
        }
    }
}

fn read_bytes<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (bytes, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(bytes)
}

fn read_length(input: &mut &[u8]) -> Option<usize> {
    read_bytes(input, 4)?.try_into().ok().map(|bytes| u32::from_le_bytes(bytes) as usize)
}

fn read_text(input: &mut &[u8]) -> Option<Arc<str>> {
    let length = read_length(input)?;
    std::str::from_utf8(read_bytes(input, length)?).ok().map(Arc::from)
}

fn read_object(input: &mut &[u8]) -> Option<Object> {
    let count = read_length(input)?;
    (0..count).map(|_| Some((read_text(input)?, read_value(input)?))).collect()
}

fn read_value(input: &mut &[u8]) -> Option<Value> {
    Some(match read_bytes(input, 1)?.first()? {
        0 => Value::Null,
        1 => Value::Bool(false),
        2 => Value::Bool(true),
        3 => Value::Int(i64::from_le_bytes(read_bytes(input, 8)?.try_into().ok()?)),
        4 => Value::Float(f64::from_le_bytes(read_bytes(input, 8)?.try_into().ok()?)),
        5 => Value::Text(read_text(input)?),
        6 => {
            let count = read_length(input)?;
            Value::List((0..count).map(|_| read_value(input)).collect::<Option<_>>()?)
        }
        7 => Value::Object(Arc::new(read_object(input)?)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use lurcher_schema::Origin;
    use proptest::prelude::*;

    use super::*;

    fn event(number: u64, raw: Object) -> Event {
        let reference = EventRef { origin: Origin::new("x"), ordinal: number, record: number };
        Event { shape: Shape::new([("dialect", "test")]), reference, time: Some(Timestamp(number as i64)), raw }
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>().prop_map(Value::Float),
            ".{0,20}".prop_map(Value::text),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::list),
                prop::collection::vec((".{0,5}", inner), 0..4).prop_map(|members| {
                    Value::Object(Arc::new(members.into_iter().map(|(name, value)| (Arc::from(name), value)).collect()))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn events_come_back_as_they_were_from_memory_and_from_the_file(
            raws in prop::collection::vec(prop::collection::vec((".{0,5}", values()), 0..5), 1..20),
            budget in prop_oneof![Just(0_u64), Just(2000)],
        ) {
            let raws: Vec<Object> = raws
                .into_iter()
                .map(|raw| raw.into_iter().map(|(name, value)| (Arc::from(name), value)).collect())
                .collect();
            let mut store = EventStore::new(budget);
            let ids: Vec<EventId> =
                raws.iter().enumerate().map(|(n, raw)| store.keep(event(n as u64, raw.clone()))).collect();
            if budget == 0 {
                prop_assert_eq!(store.spilled(), raws.len() as u64);
            }
            for (number, (id, raw)) in ids.iter().zip(&raws).enumerate() {
                let kept = store.get(*id).unwrap();
                prop_assert_eq!(&kept.raw, raw);
                prop_assert_eq!(kept.reference.ordinal, number as u64);
                prop_assert_eq!(kept.time, Some(Timestamp(number as i64)));
            }
        }
    }

    #[test]
    fn what_is_beyond_the_buffer_is_read_from_the_file() {
        let mut store = EventStore::new(0);
        let long = |n: usize| Object::from_iter([(Arc::from("t"), Value::text(n.to_string().repeat(50_000)))]);
        let ids: Vec<EventId> = (0..20).map(|n| store.keep(event(n as u64, long(n)))).collect();
        for (number, id) in ids.iter().enumerate() {
            assert_eq!(store.get(*id).unwrap().raw, long(number));
        }
    }
}
