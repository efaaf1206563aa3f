//! Rows that wait for others, in memory and, where that is too much, in the temporary file of their store.
//!
//! Rows go to the file in blocks. A block begins with its texts, each once; rows name them by number, so a block is a fraction
//! of what its rows are in memory, and rows that are read back share their texts again. What is the same for all rows of a
//! branch (how captured values are named) is not written. What a block does not hold is the event behind a row: that
//! lies in the store already.

use std::sync::Arc;

use lurcher_schema::{Object, Timestamp, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    expression::{Captured, Captures},
    row::{PipelineRow, RowPlace},
};
use crate::tail::{EventId, EventStore, Extent, Stores};

/// How deep lists and objects in a row may be nested; deeper ones stay in memory.
const DEPTH: u32 = 64;

/// The rows of one branch that wait before a stage.
#[derive(Debug, Default)]
pub(crate) struct Pile {
    /// Those in memory.
    pub(crate) rows: Vec<PipelineRow>,
    away: Vec<Block>,
}

/// Rows in a store's file.
#[derive(Clone, Copy, Debug)]
struct Block {
    store: u32,
    extent: Extent,
    rows: usize,
    /// About how many bytes they take in memory.
    bytes: u64,
    /// Their first and last time.
    ends: Option<(Timestamp, Timestamp)>,
}

/// The texts of rows that are read back, each once.
pub(super) type Texts = FxHashSet<Arc<str>>;

impl Pile {
    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len() + self.away.iter().map(|block| block.rows).sum::<usize>()
    }

    /// About how many bytes all rows take in memory.
    pub(super) fn bytes(&self) -> u64 {
        let away: u64 = self.away.iter().map(|block| block.bytes).sum();
        away + self.rows.iter().map(PipelineRow::size).sum::<u64>()
    }

    /// Sends the rows in memory to a store's file. Returns how many bytes of memory that frees; 0 if it could not be done.
    pub(crate) fn send_away(&mut self, store: &mut EventStore) -> u64 {
        let bytes = self.rows.iter().map(PipelineRow::size).sum();
        let Some(written) = self.rows.iter().try_fold(Writer::default(), Writer::row) else { return 0 };
        let Some(extent) = store.write_block(&written.finish()) else { return 0 };
        let times = || self.rows.iter().filter_map(|row| row.place.time);
        let ends = times().min().zip(times().max());
        self.away.push(Block { store: 0, extent, rows: self.rows.len(), bytes, ends });
        self.rows = Vec::new();
        bytes
    }

    /// Says by which number the store is known.
    pub(crate) fn set_store(&mut self, store: u32) {
        self.away.iter_mut().for_each(|block| block.store = store);
        self.rows.iter_mut().for_each(|row| row.set_store(store));
    }

    /// The first and last times of rows in the file.
    pub(crate) fn ends(&self) -> impl Iterator<Item = Timestamp> {
        self.away.iter().filter_map(|block| block.ends).flat_map(|(first, last)| [first, last])
    }

    /// Adds what another thread collected.
    pub(crate) fn merge(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.away.extend(other.away);
    }

    /// Shows every row once, in no order that means anything. A block that cannot be read back is counted.
    pub(super) fn each(
        &self,
        captures: &Arc<Captures>,
        stores: &mut Stores,
        texts: &mut Texts,
        visit: &mut dyn FnMut(PipelineRow, &mut Stores),
    ) {
        for block in &self.away {
            let bytes = stores.read_block(block.store, block.extent).unwrap_or_default();
            let mut left = block.rows;
            if let Some(mut reader) = Reader::new(&bytes, texts) {
                while left > 0
                    && let Some(row) = reader.row(captures, block.store, stores)
                {
                    left -= 1;
                    visit(row, stores);
                }
            }
            stores.lose(left);
        }
        for row in &self.rows {
            visit(row.clone(), stores);
        }
    }

    /// The rows that are last in order, at most so many, and how many there are beside them.
    pub(super) fn latest(
        &self,
        most: usize,
        captures: &Arc<Captures>,
        stores: &mut Stores,
    ) -> (Vec<PipelineRow>, usize) {
        let mut kept: Vec<PipelineRow> = Vec::new();
        let mut dropped = 0;
        let mut cut = |kept: &mut Vec<PipelineRow>| {
            kept.sort_by(|a, b| b.compare(a));
            dropped += kept.len().saturating_sub(most);
            kept.truncate(most);
        };
        self.each(captures, stores, &mut Texts::default(), &mut |row, _| {
            kept.push(row);
            // Half as many again, so that rows are not sorted anew for each.
            if kept.len() > most + most / 2 + 1 {
                cut(&mut kept);
            }
        });
        cut(&mut kept);
        (kept, dropped)
    }

    /// All rows; nothing is left.
    pub(super) fn take(&mut self, captures: &Arc<Captures>, stores: &mut Stores) -> Vec<PipelineRow> {
        let mut rows = std::mem::take(&mut self.rows);
        if !self.away.is_empty() {
            self.each(captures, stores, &mut Texts::default(), &mut |row, _| rows.push(row));
            self.away.clear();
        }
        rows
    }
}

/// A block that is being written.
#[derive(Default)]
struct Writer {
    texts: FxHashMap<Arc<str>, u32>,
    order: Vec<Arc<str>>,
    rows: Vec<u8>,
}

impl Writer {
    fn number(&mut self, number: u64) {
        self.rows.extend_from_slice(&number.to_le_bytes());
    }

    fn short(&mut self, number: u32) {
        self.rows.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &Arc<str>) {
        let next = self.order.len() as u32;
        let number = *self.texts.entry(Arc::clone(text)).or_insert_with(|| {
            self.order.push(Arc::clone(text));
            next
        });
        self.short(number);
    }

    fn row(mut self, row: &PipelineRow) -> Option<Self> {
        let place = &row.place;
        // The event that the place names is the row's own, and its store knows its name.
        if place.reference.is_some() && row.own.is_none() {
            return None;
        }
        self.number(place.rank);
        self.number(place.position);
        self.rows.push(u8::from(place.reference.is_some()));
        self.value(&place.time.map_or(Value::Null, |time| Value::Int(time.0)), 0)?;
        self.value(&place.tiebreaker, 0)?;
        let ids = |writer: &mut Self, ids: &[EventId]| {
            writer.short(ids.len() as u32);
            ids.iter().for_each(|id| writer.short(id.index));
        };
        ids(&mut self, row.own.as_slice());
        ids(&mut self, &row.merged);
        self.object(&row.columns, 0)?;
        let captured = row.captured.as_ref().map(Captured::values);
        self.rows.push(u8::from(captured.is_some()));
        self.values(captured.unwrap_or_default(), 0)?;
        Some(self)
    }

    fn object(&mut self, object: &Object, depth: u32) -> Option<()> {
        self.short(object.iter().count() as u32);
        for (name, value) in object {
            self.text(name);
            self.value(value, depth)?;
        }
        Some(())
    }

    fn values(&mut self, values: &[Value], depth: u32) -> Option<()> {
        self.short(values.len() as u32);
        values.iter().try_for_each(|value| self.value(value, depth))
    }

    fn value(&mut self, value: &Value, depth: u32) -> Option<()> {
        if depth > DEPTH {
            return None;
        }
        match value {
            Value::Null => self.rows.push(0),
            Value::Bool(truth) => self.rows.extend([1, u8::from(*truth)]),
            Value::Int(number) => {
                self.rows.push(2);
                self.rows.extend_from_slice(&number.to_le_bytes());
            }
            Value::Float(number) => {
                self.rows.push(3);
                self.number(number.to_bits());
            }
            Value::Text(text) => {
                self.rows.push(4);
                self.text(text);
            }
            Value::List(values) => {
                self.rows.push(5);
                self.values(values, depth + 1)?;
            }
            Value::Object(object) => {
                self.rows.push(6);
                self.object(object, depth + 1)?;
            }
        }
        Some(())
    }

    fn finish(self) -> Vec<u8> {
        let mut block = (self.order.len() as u32).to_le_bytes().to_vec();
        for text in &self.order {
            block.extend_from_slice(&(text.len() as u32).to_le_bytes());
            block.extend_from_slice(text.as_bytes());
        }
        block.extend_from_slice(&self.rows);
        block
    }
}

/// A block that is being read.
struct Reader<'b> {
    input: &'b [u8],
    texts: Vec<Arc<str>>,
}

impl<'b> Reader<'b> {
    fn new(input: &'b [u8], known: &mut Texts) -> Option<Self> {
        let mut reader = Self { input, texts: Vec::new() };
        for _ in 0..reader.short()? {
            let length = reader.short()? as usize;
            let text = std::str::from_utf8(reader.bytes(length)?).ok()?;
            let text = known.get(text).cloned().unwrap_or_else(|| {
                let text: Arc<str> = text.into();
                known.insert(Arc::clone(&text));
                text
            });
            reader.texts.push(text);
        }
        Some(reader)
    }

    fn bytes(&mut self, length: usize) -> Option<&'b [u8]> {
        let (bytes, rest) = self.input.split_at_checked(length)?;
        self.input = rest;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    fn short(&mut self) -> Option<u32> {
        self.bytes(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn number(&mut self) -> Option<u64> {
        self.bytes(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<Arc<str>> {
        let number = self.short()? as usize;
        self.texts.get(number).cloned()
    }

    fn ids(&mut self, store: u32) -> Option<Vec<EventId>> {
        (0..self.short()?).map(|_| Some(EventId { store, index: self.short()? })).collect()
    }

    fn row(&mut self, captures: &Arc<Captures>, store: u32, stores: &Stores) -> Option<PipelineRow> {
        let (rank, position) = (self.number()?, self.number()?);
        let named = self.byte()? == 1;
        let time = match self.value(0)? {
            Value::Int(time) => Some(Timestamp(time)),
            _ => None,
        };
        let tiebreaker = self.value(0)?;
        let own = self.ids(store)?.first().copied();
        let merged = self.ids(store)?;
        let columns = self.object(0)?;
        let is_captured = self.byte()? == 1;
        let values = self.values(0)?;
        let reference = if named { Some(stores.reference(own?)?) } else { None };
        Some(PipelineRow {
            place: RowPlace { rank, time, tiebreaker, reference, position },
            columns,
            own,
            captured: is_captured.then(|| Captured::with(captures, values)),
            merged,
        })
    }

    fn object(&mut self, depth: u32) -> Option<Object> {
        let members: Option<Vec<_>> = (0..self.short()?).map(|_| Some((self.text()?, self.value(depth)?))).collect();
        members.map(Object::from_distinct)
    }

    fn values(&mut self, depth: u32) -> Option<Vec<Value>> {
        (0..self.short()?).map(|_| self.value(depth)).collect()
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        Some(match self.byte()? {
            0 => Value::Null,
            1 => Value::Bool(self.byte()? == 1),
            2 => Value::Int(i64::from_le_bytes(self.bytes(8)?.try_into().ok()?)),
            3 => Value::Float(f64::from_bits(self.number()?)),
            4 => Value::Text(self.text()?),
            5 => Value::List(self.values(depth + 1)?.into()),
            6 => Value::Object(Arc::new(self.object(depth + 1)?)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            (-1e9..1e9).prop_map(Value::Float),
            ".{0,4}".prop_map(Value::text),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::list),
                prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(|members| {
                    Value::Object(Arc::new(members.into_iter().map(|(name, value)| (Arc::from(name), value)).collect()))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn rows_come_back_from_the_file_as_they_were(cells in prop::collection::vec((value(), value(), any::<i64>()), 1..9)) {
            let row = |(number, (first, second, time)): (usize, (Value, Value, i64))| {
                let place = RowPlace {
                    rank: 0,
                    time: (time % 3 != 0).then_some(Timestamp(time)),
                    tiebreaker: second.clone(),
                    reference: None,
                    position: number as u64,
                };
                let columns = [("first", first), ("second", second)].map(|(name, value)| (Arc::from(name), value));
                PipelineRow { columns: columns.into_iter().collect(), ..PipelineRow::of_event(place) }
            };
            let rows: Vec<PipelineRow> = cells.clone().into_iter().enumerate().map(row).collect();
            let mut pile = Pile { rows: rows.clone(), ..Pile::default() };
            let mut store = EventStore::new(0);
            prop_assert!(pile.send_away(&mut store) > 0);
            prop_assert!(pile.rows.is_empty());
            let mut stores = Stores::of(vec![store]);
            let times = || cells.iter().map(|(_, _, time)| *time).filter(|time| time % 3 != 0);
            let ends = times().min().into_iter().chain(times().max()).map(Timestamp);
            prop_assert_eq!(pile.ends().collect::<Vec<_>>(), ends.collect::<Vec<_>>());
            let back = pile.take(&Arc::default(), &mut stores);
            prop_assert_eq!(back.len(), rows.len());
            for (own, other) in rows.iter().zip(&back) {
                prop_assert_eq!(&own.place, &other.place);
                prop_assert_eq!(&own.columns, &other.columns);
            }
        }
    }
}
