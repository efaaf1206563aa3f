//! Fields of the event at hand, be it a row of the batch that is being scanned or an event that was kept.

use std::sync::Arc;

use lurcher_ir::FieldRef;
use lurcher_schema::{Column, Event, EventBatch, MISSING, Origin, Schemas, ShapeId, Taxonomy, Timestamp, Value};
use rustc_hash::FxHashMap;

use crate::pipeline::FieldExpr;

/// All fields of an event, by their dotted names.
pub(crate) type AllFields = Arc<[(Arc<str>, Value)]>;

/// Reads fields. Columns are computed once per batch and only where somebody asks.
#[derive(Debug)]
pub(crate) struct Fields {
    schemas: Arc<Schemas>,
    batch: Option<BatchId>,
    columns: FxHashMap<FieldRef, Source>,
    /// By the address of an expression, which a plan holds for as long as there are events.
    computed: FxHashMap<usize, Computed>,
    /// The row that was last asked for as a whole: many rules keep all of the same event.
    row: WholeRow,
}

/// A row of the batch as a whole.
#[derive(Debug, Default)]
struct WholeRow {
    number: usize,
    event: Option<Event>,
    /// What it has in each taxonomy that was asked for.
    fields: Vec<(Taxonomy, AllFields)>,
}

impl WholeRow {
    /// This row of the batch, and what is known of it.
    fn of(&mut self, batch: &EventBatch, number: usize) -> (&Event, &mut Vec<(Taxonomy, AllFields)>) {
        if self.number != number {
            *self = Self { number, ..Self::default() };
        }
        (self.event.get_or_insert_with(|| batch.event(number)), &mut self.fields)
    }
}

/// What an expression has come to in the batch, by the keys of the values of its fields.
#[derive(Debug)]
struct Computed {
    columns: Vec<Column>,
    /// Of one field: by key, that of no value first.
    single: Vec<Option<Value>>,
    several: FxHashMap<Vec<i32>, Value>,
}

/// What tells batches apart: no two hold the same event.
#[derive(Debug)]
struct BatchId {
    origin: Arc<Origin>,
    first: u64,
    rows: usize,
    shape: ShapeId,
}

/// What is known of an expression's value in a row.
#[derive(Debug)]
pub(crate) enum Known {
    /// It is this.
    Value(Value),
    /// Not yet; to be remembered under this key of its only field,
    Single(usize),
    /// or these keys of its fields.
    Several(Vec<i32>),
    /// It cannot be told by its fields' keys.
    Never,
}

#[derive(Debug)]
enum Source {
    Column(Column),
    /// An object: all fields below its path, so it takes the whole event.
    Object,
}

impl Fields {
    pub(crate) fn new(schemas: Arc<Schemas>) -> Self {
        Self {
            schemas,
            batch: None,
            columns: FxHashMap::default(),
            computed: FxHashMap::default(),
            row: WholeRow::default(),
        }
    }

    /// The schemas that fields are found by.
    pub(crate) fn schemas(&self) -> &Schemas {
        &self.schemas
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
            self.computed.clear();
            self.row = WholeRow::default();
            let origin = Arc::clone(batch.origin());
            self.batch = Some(BatchId { origin, first, rows: batch.rows(), shape: batch.shape().id() });
        }
    }

    /// A field of a row of the batch that was entered.
    pub(crate) fn in_batch(&mut self, batch: &EventBatch, row: usize, field: &FieldRef) -> Value {
        if let Source::Column(column) = self.source(batch, field) {
            return column.value(row);
        }
        let Self { schemas, row: known, .. } = self;
        schemas.value(known.of(batch, row).0, field.taxonomy, field.path.as_str())
    }

    /// A row of the batch that was entered, whole, in a taxonomy.
    pub(crate) fn whole_row(&mut self, batch: &EventBatch, row: usize, taxonomy: Taxonomy) -> Value {
        let Self { schemas, row: known, .. } = self;
        Value::Object(Arc::new(schemas.normalise(known.of(batch, row).0, taxonomy)))
    }

    /// All fields of a row of the batch that was entered, in a taxonomy, by their dotted names.
    pub(crate) fn all_of_row(&mut self, batch: &EventBatch, row: usize, taxonomy: Taxonomy) -> AllFields {
        let Self { schemas, row: known, .. } = self;
        let (event, known) = known.of(batch, row);
        if let Some((_, fields)) = known.iter().find(|(own, _)| *own == taxonomy) {
            return Arc::clone(fields);
        }
        let fields: AllFields = schemas.fields_of(event, taxonomy).into();
        known.push((taxonomy, Arc::clone(&fields)));
        fields
    }

    fn source(&mut self, batch: &EventBatch, field: &FieldRef) -> &Source {
        let schemas = &self.schemas;
        if !self.columns.contains_key(field) {
            let (taxonomy, path) = (field.taxonomy, field.path.as_str());
            let binding = schemas.bind(taxonomy, path, batch.shape());
            let is_object = batch.has_below(path)
                || (binding.is_missing() && !schemas.members(taxonomy, path, batch.shape()).is_empty());
            let source = if is_object { Source::Object } else { Source::Column(binding.column(batch)) };
            self.columns.insert(field.clone(), source);
        }
        self.columns.get(field).unwrap_or(&Source::Object)
    }

    /// What an expression comes to in a row of the batch that was entered, if it has been computed for the same values
    /// before; else where to put it.
    pub(crate) fn known(&mut self, batch: &EventBatch, row: usize, expr: &FieldExpr) -> Known {
        let address = std::ptr::from_ref(expr) as usize;
        if !self.computed.contains_key(&address) {
            let mut columns = Vec::new();
            for field in &expr.fields {
                match self.source(batch, field) {
                    Source::Column(column) => columns.push(column.clone()),
                    Source::Object => return Known::Never,
                }
            }
            let width = match columns.as_slice() {
                [column] => column.values.len() + 1,
                _ => 0,
            };
            self.computed
                .insert(address, Computed { columns, single: vec![None; width], several: FxHashMap::default() });
        }
        let Some(computed) = self.computed.get(&address) else { return Known::Never };
        let key = |column: &Column| column.keys.get(row).copied().unwrap_or(MISSING);
        let keys: Vec<i32> = match computed.columns.as_slice() {
            [column] => {
                let place = (key(column) + 1) as usize;
                return match computed.single.get(place) {
                    Some(Some(value)) => Known::Value(value.clone()),
                    _ => Known::Single(place),
                };
            }
            columns => columns.iter().map(key).collect(),
        };
        match computed.several.get(&keys) {
            Some(value) => Known::Value(value.clone()),
            None => Known::Several(keys),
        }
    }

    /// Remembers what an expression has come to.
    pub(crate) fn learn(&mut self, expr: &FieldExpr, place: Known, value: &Value) {
        let Some(computed) = self.computed.get_mut(&(std::ptr::from_ref(expr) as usize)) else { return };
        match place {
            Known::Single(place) => {
                if let Some(slot) = computed.single.get_mut(place) {
                    *slot = Some(value.clone());
                }
            }
            Known::Several(keys) => drop(computed.several.insert(keys, value.clone())),
            Known::Value(_) | Known::Never => {}
        }
    }

    /// A field of an event on its own.
    pub(crate) fn in_event(&self, event: &Event, field: &FieldRef) -> Value {
        self.schemas.value(event, field.taxonomy, field.path.as_str())
    }

    /// All fields of an event in a taxonomy, by their dotted names.
    pub(crate) fn all(&self, event: &Event, taxonomy: Taxonomy) -> AllFields {
        self.schemas.fields_of(event, taxonomy).into()
    }

    /// A whole event in a taxonomy.
    pub(crate) fn whole(&self, event: &Event, taxonomy: Taxonomy) -> Value {
        Value::Object(Arc::new(self.schemas.normalise(event, taxonomy)))
    }
}

/// Reads a time as Elasticsearch's date fields do: RFC 3339 text, or milliseconds since 1970 as a number or as text; of
/// several values the first.
pub(crate) fn read_time(value: &Value) -> Option<Timestamp> {
    match value.elements().next()? {
        Value::Text(text) => Timestamp::parse(text).or_else(|| text.trim().parse().ok().map(Timestamp::from_millis)),
        Value::Int(millis) => Some(Timestamp::from_millis(*millis)),
        Value::Float(millis) => Some(Timestamp::from_seconds(millis / 1000.0)),
        _ => None,
    }
}
