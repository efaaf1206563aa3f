//! Fields of the event at hand, be it a row of the batch that is being scanned or an event that was kept.

use std::sync::Arc;

use lurcher_ir::FieldRef;
use lurcher_schema::{Column, Event, EventBatch, Origin, Schemas, ShapeId, Taxonomy, Timestamp, Value};
use rustc_hash::FxHashMap;

/// Reads fields. Columns are computed once per batch and only where somebody asks.
#[derive(Debug)]
pub(crate) struct Fields {
    schemas: Arc<Schemas>,
    batch: Option<BatchId>,
    columns: FxHashMap<FieldRef, Source>,
}

/// What tells batches apart: no two hold the same event.
#[derive(Debug)]
struct BatchId {
    origin: Arc<Origin>,
    first: u64,
    rows: usize,
    shape: ShapeId,
}

#[derive(Debug)]
enum Source {
    Column(Column),
    /// An object: all fields below its path, so it takes the whole event.
    Object,
}

impl Fields {
    pub(crate) fn new(schemas: Arc<Schemas>) -> Self {
        Self { schemas, batch: None, columns: FxHashMap::default() }
    }

    /// Says which batch is read from now on.
    pub(crate) fn enter(&mut self, batch: &EventBatch) {
        if batch.rows() == 0 {
            return;
        }
        let first = batch.reference(0).ordinal;
        let same = self.batch.as_ref().is_some_and(|known| {
            Arc::ptr_eq(&known.origin, batch.origin())
                && known.first == first
                && known.rows == batch.rows()
                && known.shape == batch.shape().id()
        });
        if !same {
            self.columns.clear();
            let origin = Arc::clone(batch.origin());
            self.batch = Some(BatchId { origin, first, rows: batch.rows(), shape: batch.shape().id() });
        }
    }

    /// A field of a row of the batch that was entered.
    pub(crate) fn in_batch(&mut self, batch: &EventBatch, row: usize, field: &FieldRef) -> Value {
        if !self.columns.contains_key(field) {
            let (taxonomy, path) = (field.taxonomy, field.path.as_str());
            let binding = self.schemas.bind(taxonomy, path, batch.shape());
            let source = if binding.is_missing() && !self.schemas.members(taxonomy, path, batch.shape()).is_empty() {
                Source::Object
            } else {
                Source::Column(binding.column(batch))
            };
            self.columns.insert(field.clone(), source);
        }
        match self.columns.get(field) {
            Some(Source::Column(column)) => column.value(row),
            Some(Source::Object) => self.in_event(&batch.event(row), field),
            None => Value::Null,
        }
    }

    /// A field of an event on its own.
    pub(crate) fn in_event(&self, event: &Event, field: &FieldRef) -> Value {
        self.schemas.value(event, field.taxonomy, field.path.as_str())
    }

    /// All fields of an event in a taxonomy, by their dotted names.
    pub(crate) fn all(&self, event: &Event, taxonomy: Taxonomy) -> Vec<(Arc<str>, Value)> {
        self.schemas.fields_of(event, taxonomy)
    }

    /// A whole event in a taxonomy.
    pub(crate) fn whole(&self, event: &Event, taxonomy: Taxonomy) -> Value {
        Value::Object(Arc::new(self.schemas.normalise(event, taxonomy)))
    }
}

/// Reads a time: RFC 3339 text, or a number of milliseconds since 1970; of several values the first.
pub(crate) fn read_time(value: &Value) -> Option<Timestamp> {
    match value.elements().next()? {
        Value::Text(text) => Timestamp::parse(text),
        Value::Int(millis) => Some(Timestamp::from_millis(*millis)),
        Value::Float(millis) => Some(Timestamp::from_seconds(millis / 1000.0)),
        _ => None,
    }
}
