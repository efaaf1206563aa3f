//! Events on their way into batches, one open batch for each shape.

use std::{hash::BuildHasher, sync::Arc};

use hashbrown::HashTable;
use lurcher_schema::{BatchBuilder, EventBatch, Origin, RawField, Shape, Timestamp};
use rustc_hash::FxBuildHasher;

use crate::{
    ReadOptions,
    names::{Name, Names},
    original::Tap,
};

/// More shapes than this are forgotten: attributes made of data must not fill the memory.
const MANY_SHAPES: usize = 4096;

const NO_COLUMN: u32 = u32::MAX;

/// A value, borrowed from the input, or unescaped into the reader's scratch text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Raw<'a> {
    /// Text.
    Text(&'a str),
    /// Text in the scratch.
    Scratch(u32, u32),
    /// JSON text of a number, boolean, array or object.
    Json(&'a str),
    /// Such JSON text in the scratch.
    ScratchJson(u32, u32),
}

impl<'a> Raw<'a> {
    /// The text of a text, or the JSON text.
    pub(crate) fn text<'s>(self, scratch: &'s str) -> &'s str
    where
        'a: 's,
    {
        match self {
            Self::Text(text) | Self::Json(text) => text,
            Self::Scratch(from, to) | Self::ScratchJson(from, to) => {
                scratch.get(from as usize..to as usize).unwrap_or("")
            }
        }
    }
}

/// A field of the event at hand.
pub(crate) type Field<'a> = (Name, Raw<'a>);

/// Which event it is; see [`lurcher_schema::EventRef`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) ordinal: u64,
    pub(crate) record: u64,
}

struct Slot {
    attributes: Vec<(&'static str, Box<str>)>,
    shape: Arc<Shape>,
    builder: Option<BatchBuilder>,
    /// By name: the builder's column.
    columns: Vec<u32>,
}

/// Collects events and hands over full batches.
pub(crate) struct Rows<'s> {
    sink: &'s mut dyn FnMut(EventBatch),
    max_events: usize,
    batch_bytes: usize,
    open_bytes: usize,
    origin: Arc<Origin>,
    table: HashTable<u32>,
    slots: Vec<Slot>,
    last: usize,
    open: usize,
    pub(crate) events: u64,
    /// Columns that Arrow refused; there is no known way to get here with batches of a few megabytes.
    pub(crate) refused: Option<String>,
    /// Takes each event's text; then no batches are made.
    pub(crate) tap: Option<Tap<'s>>,
}

impl<'s> Rows<'s> {
    pub(crate) fn new(options: &ReadOptions, origin: Arc<Origin>, sink: &'s mut dyn FnMut(EventBatch)) -> Self {
        Self {
            sink,
            max_events: options.batch_rows.max(1),
            batch_bytes: options.batch_bytes,
            open_bytes: options.open_bytes,
            origin,
            table: HashTable::new(),
            slots: Vec::new(),
            last: 0,
            open: 0,
            events: 0,
            refused: None,
            tap: None,
        }
    }

    /// Events come from another file now.
    pub(crate) fn set_origin(&mut self, origin: Arc<Origin>) {
        self.flush();
        self.origin = origin;
    }

    /// Names have been forgotten: so are the columns that they stood for.
    pub(crate) fn forget_names(&mut self) {
        self.flush();
        for slot in &mut self.slots {
            slot.columns.clear();
        }
    }

    fn slot(&mut self, attributes: &[(&'static str, &str)]) -> usize {
        let same = |slot: &Slot| {
            slot.attributes.len() == attributes.len()
                && slot.attributes.iter().zip(attributes).all(|(a, b)| a.0 == b.0 && *a.1 == *b.1)
        };
        if self.slots.get(self.last).is_some_and(same) {
            return self.last;
        }
        let hash = FxBuildHasher.hash_one(attributes);
        if let Some(at) = self.table.find(hash, |at| same(&self.slots[*at as usize])) {
            self.last = *at as usize;
            return self.last;
        }
        if self.slots.len() >= MANY_SHAPES {
            self.flush();
            self.slots.clear();
            self.table.clear();
        }
        self.last = self.slots.len();
        self.slots.push(Slot {
            attributes: attributes.iter().map(|(k, v)| (*k, Box::from(*v))).collect(),
            shape: Shape::new(attributes.iter().copied()),
            builder: None,
            columns: Vec::new(),
        });
        let slots = &self.slots;
        self.table.insert_unique(hash, self.last as u32, |at| {
            let attributes: Vec<(&str, &str)> =
                slots[*at as usize].attributes.iter().map(|(k, v)| (*k, &**v)).collect();
            FxBuildHasher.hash_one(&attributes[..])
        });
        self.last
    }

    /// Takes an event.
    pub(crate) fn push(
        &mut self,
        names: &Names,
        attributes: &[(&'static str, &str)],
        place: Place,
        time: Option<Timestamp>,
        fields: &[Field<'_>],
        scratch: &str,
    ) {
        self.events += 1;
        if let Some(tap) = &mut self.tap {
            return tap.event(attributes, place, time);
        }
        let at = self.slot(attributes);
        let slot = &mut self.slots[at];
        let builder = slot.builder.get_or_insert_with(|| {
            slot.columns.fill(NO_COLUMN);
            BatchBuilder::new(Arc::clone(&slot.shape), Arc::clone(&self.origin))
        });
        let before = builder.bytes();
        builder.start(place.ordinal, place.record, time);
        for (name, value) in fields {
            if slot.columns.len() <= name.index() {
                slot.columns.resize(name.index() + 1, NO_COLUMN);
            }
            let mut column = slot.columns[name.index()];
            if column == NO_COLUMN {
                if !names.wanted(*name) {
                    continue;
                }
                column = builder.column(names.text(*name)) as u32;
                slot.columns[name.index()] = column;
            }
            let value = match value {
                Raw::Json(json) => RawField::Json(json),
                json @ Raw::ScratchJson(..) => RawField::Json(json.text(scratch)),
                text => RawField::Text(text.text(scratch)),
            };
            builder.set(column as usize, value);
        }
        self.open += builder.bytes() - before;
        if builder.rows() >= self.max_events || builder.bytes() >= self.batch_bytes {
            self.hand_over(at);
        } else if self.open >= self.open_bytes {
            let size = |slot: &Slot| slot.builder.as_ref().map_or(0, BatchBuilder::bytes);
            if let Some(largest) = (0..self.slots.len()).max_by_key(|at| size(&self.slots[*at])) {
                self.hand_over(largest);
            }
        }
    }

    fn hand_over(&mut self, at: usize) {
        let Some(builder) = self.slots[at].builder.take() else { return };
        self.open = self.open.saturating_sub(builder.bytes());
        match builder.finish() {
            Ok(batch) => (self.sink)(batch),
            Err(error) => self.refused = Some(error.to_string()),
        }
    }

    /// Hands over everything.
    pub(crate) fn flush(&mut self) {
        for at in 0..self.slots.len() {
            self.hand_over(at);
        }
    }
}
