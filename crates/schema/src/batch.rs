//! Batches of events of one shape, as Arrow record batches.
//!
//! Every column is a dictionary of text, `Dictionary(Int32, Utf8)`. A column whose values are not all text (JSON
//! numbers, booleans, arrays, objects) holds JSON text instead and says so in its field's metadata
//! (`lurcher.kind` = `json`): a value keeps its type without a column type per JSON type, and a field that is a
//! number in one record and text in the next needs no second batch. Rows without a value are null.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    sync::{Arc, OnceLock},
};

use arrow_array::{Array, ArrayRef, DictionaryArray, RecordBatch, StringArray, cast::AsArray, types::Int32Type};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::{Column, ColumnValues, Event, EventRef, Object, Origin, Shape, Timestamp, Value, column::MISSING};

const KIND: &str = "lurcher.kind";
const JSON: &str = "json";

/// Events of one [`Shape`] from one [`Origin`].
#[derive(Clone, Debug)]
pub struct EventBatch {
    shape: Arc<Shape>,
    origin: Arc<Origin>,
    data: RecordBatch,
    by_name: Arc<HashMap<Arc<str>, usize, FxBuildHasher>>,
    /// By column, the values of columns of JSON text, read when first asked for: all fields below one object are made
    /// from the same column.
    decoded: Arc<[OnceLock<Arc<[Value]>>]>,
    ordinals: Vec<u64>,
    records: Vec<u64>,
    times: Vec<Option<Timestamp>>,
}

impl EventBatch {
    /// How many events there are.
    pub fn rows(&self) -> usize {
        self.ordinals.len()
    }

    /// What kind they are.
    pub fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// Where they came from.
    pub fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// The Arrow data: one column per raw field.
    pub fn data(&self) -> &RecordBatch {
        &self.data
    }

    /// The names of the raw fields that at least one event has.
    pub fn field_names(&self) -> impl Iterator<Item = &str> {
        self.data.schema_ref().fields().iter().map(|field| field.name().as_str())
    }

    /// Whether some event has a raw field below this path (`process.name` below `process`).
    pub fn has_below(&self, path: &str) -> bool {
        self.field_names().any(|name| name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
    }

    /// When each event happened.
    pub fn times(&self) -> &[Option<Timestamp>] {
        &self.times
    }

    /// Which event a row is.
    pub fn reference(&self, row: usize) -> EventRef {
        EventRef { origin: Arc::clone(&self.origin), ordinal: self.ordinals[row], record: self.records[row] }
    }

    /// A raw column by its exact name; `None` if no event of the batch has the field.
    pub fn column(&self, name: &str) -> Option<Column> {
        let at = *self.by_name.get(name)?;
        let array = self.data.column(at).as_dictionary_opt::<Int32Type>()?;
        let text = array.values().as_string_opt::<i32>()?;
        let keys = array.keys().values().clone();
        if self.data.schema_ref().field(at).metadata().get(KIND).is_some_and(|kind| kind == JSON) {
            let decode = || text.iter().map(|json| Value::from_json(&parse_json(json.unwrap_or("null")))).collect();
            let values = self.decoded.get(at).map_or_else(decode, |values| Arc::clone(values.get_or_init(decode)));
            return Some(Column { keys, values: ColumnValues::Any(values) });
        }
        Some(Column { keys, values: ColumnValues::Text(text.clone()) })
    }

    /// Every raw column, objects and lists taken apart into lists of scalars.
    pub fn leaves(&self) -> impl Iterator<Item = Column> {
        let names: Vec<&str> = self.field_names().collect();
        names.into_iter().filter_map(|name| {
            let column = self.column(name)?;
            let plain = |value: &Value| !matches!(value, Value::List(_) | Value::Object(_));
            match &column.values {
                ColumnValues::Any(values) if !values.iter().all(plain) => Some(column.map(|value| {
                    let leaves = value.to_value().leaves();
                    if leaves.is_empty() { Value::Null } else { Value::list(leaves) }
                })),
                _ => Some(column),
            }
        })
    }

    /// The raw fields of one event, still in the batch's buffers.
    pub fn fields(&self, row: usize) -> impl Iterator<Item = (&str, RawField<'_>)> {
        let columns = self.data.schema_ref().fields().iter().zip(self.data.columns());
        columns.filter_map(move |(field, column)| {
            let array = column.as_dictionary_opt::<Int32Type>().filter(|array| !array.is_null(row))?;
            let text = array.values().as_string_opt::<i32>()?.value(array.keys().value(row) as usize);
            let json = field.metadata().get(KIND).is_some_and(|kind| kind == JSON);
            Some((field.name().as_str(), if json { RawField::Json(text) } else { RawField::Text(text) }))
        })
    }

    /// One event, taken out with all its raw fields.
    pub fn event(&self, row: usize) -> Event {
        let raw = Object::from_distinct(
            self.fields(row)
                .map(|(name, field)| (Arc::from(name), field.to_value()))
                .filter(|(_, value)| !value.is_null()),
        );
        Event { shape: Arc::clone(&self.shape), reference: self.reference(row), time: self.times[row], raw }
    }

    /// The batch with only the rows for which `keep` is true; their numbers and times stay with them.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(usize) -> bool) -> Self {
        let rows: Vec<usize> = (0..self.rows()).filter(|row| keep(*row)).collect();
        let taken = |array: &ArrayRef| -> ArrayRef {
            let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() else { return Arc::clone(array) };
            let keys = dictionary.keys().values();
            let keys = rows.iter().map(|row| keys[*row]).collect();
            encode(keys, Arc::clone(dictionary.values())).unwrap_or_else(|_| array.slice(0, 0))
        };
        let columns = self.data.columns().iter().map(taken).collect();
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let data = RecordBatch::try_new_with_options(self.data.schema(), columns, &options);
        Self {
            shape: Arc::clone(&self.shape),
            origin: Arc::clone(&self.origin),
            data: data.unwrap_or_else(|_| RecordBatch::new_empty(self.data.schema())),
            by_name: Arc::clone(&self.by_name),
            decoded: Arc::clone(&self.decoded),
            ordinals: rows.iter().map(|row| self.ordinals[*row]).collect(),
            records: rows.iter().map(|row| self.records[*row]).collect(),
            times: rows.iter().map(|row| self.times[*row]).collect(),
        }
    }
}

fn parse_json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// A raw value as a reader hands it over, still borrowed from the input.
#[derive(Clone, Copy, Debug)]
pub enum RawField<'a> {
    /// Text, unescaped.
    Text(&'a str),
    /// JSON text of a number, boolean, array or object; readers hand over no string or null this way, but a column of
    /// mixed types gives its texts back so.
    Json(&'a str),
}

impl RawField<'_> {
    /// An owned copy; JSON that cannot be read is text.
    pub fn to_value(self) -> Value {
        match self {
            Self::Text(text) => Value::text(text),
            Self::Json(text) => Value::from_json(&parse_json(text)),
        }
    }
}

/// Builds one [`EventBatch`].
///
/// ```
/// use lurcher_schema::{BatchBuilder, Origin, RawField, Shape};
///
/// let mut builder = BatchBuilder::new(Shape::new([("dialect", "unknown")]), Origin::new("a.json"));
/// builder.push(0, 1, None, [("name", RawField::Text("a")), ("pid", RawField::Json("4"))]);
/// builder.push(1, 2, None, [("name", RawField::Text("b"))]);
/// let batch = builder.finish()?;
/// assert_eq!(batch.rows(), 2);
/// assert_eq!(batch.event(0).raw.to_json().to_string(), r#"{"name":"a","pid":4}"#);
/// # Ok::<(), arrow_schema::ArrowError>(())
/// ```
#[derive(Debug)]
pub struct BatchBuilder {
    shape: Arc<Shape>,
    origin: Arc<Origin>,
    columns: Vec<ColumnBuilder>,
    by_name: HashMap<Arc<str>, usize, FxBuildHasher>,
    ordinals: Vec<u64>,
    records: Vec<u64>,
    times: Vec<Option<Timestamp>>,
    bytes: usize,
}

#[derive(Debug)]
struct ColumnBuilder {
    name: Arc<str>,
    keys: Vec<i32>,
    /// The hash of each distinct value (so that growing never hashes again) and its key.
    table: HashTable<(u64, i32)>,
    data: String,
    offsets: Vec<i32>,
    json: Vec<bool>,
    /// Values hardly repeat: looking for equal ones costs more than it saves.
    unique: bool,
}

/// How many values a column sees before it may be found to hold hardly a value twice.
const TRIAL: usize = 512;

impl BatchBuilder {
    /// An empty batch.
    pub fn new(shape: Arc<Shape>, origin: Arc<Origin>) -> Self {
        Self {
            shape,
            origin,
            columns: Vec::new(),
            by_name: HashMap::default(),
            ordinals: Vec::new(),
            records: Vec::new(),
            times: Vec::new(),
            bytes: 0,
        }
    }

    /// How many events it holds.
    pub fn rows(&self) -> usize {
        self.ordinals.len()
    }

    /// About how many bytes it holds; finish it well before 1 GiB.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds an event. Of several fields with one name the last counts; see [`EventRef`] for the numbers.
    pub fn push<'a>(
        &mut self,
        ordinal: u64,
        record: u64,
        time: Option<Timestamp>,
        fields: impl IntoIterator<Item = (&'a str, RawField<'a>)>,
    ) {
        self.start(ordinal, record, time);
        for (name, value) in fields {
            let at = self.column(name);
            self.set(at, value);
        }
    }

    /// Begins an event; [`BatchBuilder::set`] gives it its fields. For readers that know their columns by number.
    pub fn start(&mut self, ordinal: u64, record: u64, time: Option<Timestamp>) {
        self.bytes += 24;
        self.ordinals.push(ordinal);
        self.records.push(record);
        self.times.push(time);
    }

    /// The number of the column with this name, which is added if there is none yet.
    pub fn column(&mut self, name: &str) -> usize {
        self.by_name.get(name).copied().unwrap_or_else(|| {
            let name: Arc<str> = name.into();
            self.by_name.insert(Arc::clone(&name), self.columns.len());
            self.columns.push(ColumnBuilder::new(name));
            self.columns.len() - 1
        })
    }

    /// Sets a field of the event begun last; a second value for the same column replaces the first. A column number
    /// that this builder has not given out, or a builder without events, is ignored.
    pub fn set(&mut self, column: usize, value: RawField<'_>) {
        let Some(row) = self.rows().checked_sub(1) else { return };
        if let Some(column) = self.columns.get_mut(column) {
            self.bytes += column.push(row, value);
        }
    }

    /// The batch. Fails only where Arrow finds a column over its limit of 2 GiB.
    pub fn finish(self) -> Result<EventBatch, ArrowError> {
        let rows = self.ordinals.len();
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = self
            .columns
            .into_iter()
            .map(|column| column.finish(rows))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .unzip();
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
        let data = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?;
        let decoded = (0..data.num_columns()).map(|_| OnceLock::new()).collect();
        Ok(EventBatch {
            shape: self.shape,
            origin: self.origin,
            data,
            decoded,
            by_name: Arc::new(self.by_name),
            ordinals: self.ordinals,
            records: self.records,
            times: self.times,
        })
    }
}

impl ColumnBuilder {
    fn new(name: Arc<str>) -> Self {
        Self {
            name,
            keys: Vec::new(),
            table: HashTable::new(),
            data: String::new(),
            offsets: vec![0],
            json: Vec::new(),
            unique: false,
        }
    }

    fn text(&self, key: i32) -> &str {
        let key = key as usize;
        &self.data[self.offsets[key] as usize..self.offsets[key + 1] as usize]
    }

    /// Sets the value of a row and returns how many bytes that added.
    fn push(&mut self, row: usize, value: RawField<'_>) -> usize {
        let (text, json) = match value {
            RawField::Text(text) => (text, false),
            RawField::Json(text) => (text, true),
        };
        let before = self.data.len();
        let key = self.intern(text, json);
        self.keys.resize(row, MISSING);
        self.keys.push(key);
        4 + self.data.len() - before
    }

    fn intern(&mut self, text: &str, json: bool) -> i32 {
        if self.unique {
            return self.append(text, json);
        }
        let hash = FxBuildHasher.hash_one((text, json));
        let same =
            |known: &(u64, i32)| known.0 == hash && self.json[known.1 as usize] == json && self.text(known.1) == text;
        if let Some((_, key)) = self.table.find(hash, same) {
            return *key;
        }
        let key = self.append(text, json);
        self.table.insert_unique(hash, (hash, key), |known| known.0);
        if self.json.len() == TRIAL && self.keys.len() < TRIAL + TRIAL / 8 {
            self.unique = true;
            self.table = HashTable::new();
        }
        key
    }

    fn append(&mut self, text: &str, json: bool) -> i32 {
        let key = self.json.len() as i32;
        self.data.push_str(text);
        self.offsets.push(self.data.len() as i32);
        self.json.push(json);
        key
    }

    fn finish(mut self, rows: usize) -> Result<(Field, ArrayRef), ArrowError> {
        self.keys.resize(rows, MISSING);
        let any_json = self.json.contains(&true);
        let values = if any_json {
            (0..self.json.len() as i32)
                .map(|key| {
                    let text = self.text(key);
                    Some(if self.json[key as usize] {
                        text.to_owned()
                    } else {
                        serde_json::Value::from(text).to_string()
                    })
                })
                .collect::<StringArray>()
        } else {
            let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
            StringArray::try_new(offsets, Buffer::from_vec(self.data.into_bytes()), None)?
        };
        let array = encode(self.keys, Arc::new(values))?;
        let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let mut field = Field::new(self.name.as_ref(), data_type, true);
        if any_json {
            field.set_metadata(HashMap::from([(KIND.to_owned(), JSON.to_owned())]));
        }
        Ok((field, array))
    }
}

/// A dictionary array of these keys, null where a key is [`MISSING`].
fn encode(keys: Vec<i32>, values: ArrayRef) -> Result<ArrayRef, ArrowError> {
    let present = || keys.iter().map(|key| *key != MISSING).collect::<BooleanBuffer>();
    let nulls = keys.contains(&MISSING).then(|| NullBuffer::new(present()));
    let keys = arrow_array::PrimitiveArray::<Int32Type>::try_new(keys.into(), nulls)?;
    Ok(Arc::new(DictionaryArray::try_new(keys, values)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_text_and_numbers_keeps_both_types() {
        let mut builder = BatchBuilder::new(Shape::new([("dialect", "test")]), Origin::new("x"));
        builder.push(0, 1, None, [("a", RawField::Text("1"))]);
        builder.push(1, 2, None, []);
        builder.push(2, 3, None, [("a", RawField::Json("1")), ("b", RawField::Json("[1,\"x\"]"))]);
        builder.push(3, 4, None, [("a", RawField::Text("1"))]);
        let batch = builder.finish().unwrap();
        let a = batch.column("a").unwrap();
        let rows: Vec<Value> = (0..4).map(|row| a.value(row)).collect();
        assert_eq!(rows, [Value::text("1"), Value::Null, Value::Int(1), Value::text("1")]);
        assert_eq!(a.values.len(), 2);
        assert_eq!(batch.event(2).raw.get("b"), Some(&Value::list([1.into(), "x".into()])));
        assert!(batch.column("c").is_none());
        assert_eq!(batch.event(1).raw, Object::default());
    }

    #[test]
    fn filtered_rows_keep_their_numbers_and_values() {
        let mut builder = BatchBuilder::new(Shape::new([("dialect", "test")]), Origin::new("x"));
        for row in 0..4 {
            let text = row.to_string();
            builder.push(row, row + 1, None, (row != 1).then_some(("a", RawField::Text(&text))));
        }
        let odd = builder.finish().unwrap().filter(|row| row % 2 == 1);
        assert_eq!(odd.rows(), 2);
        let events: Vec<(u64, Value)> =
            (0..2).map(|row| (odd.reference(row).record, odd.column("a").unwrap().value(row))).collect();
        assert_eq!(events, [(2, Value::Null), (4, Value::text("3"))]);
    }

    #[test]
    fn a_text_column_stays_in_arrow() {
        let mut builder = BatchBuilder::new(Shape::new([("dialect", "test")]), Origin::new("x"));
        builder.push(0, 1, None, [("a", RawField::Text("x"))]);
        let batch = builder.finish().unwrap();
        assert!(matches!(batch.column("a").unwrap().values, ColumnValues::Text(_)));
    }
}
