//! The rows of one stream that wait to be committed, and how they become record batches, one per day.
//!
//! Every record is a row, with its body as it came, whether or not a reader makes an event of it. The fields of its event
//! are kept by field, so that each distinct value of a batch of events is looked at once.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use arrow_array::{
    Array, ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, cast::AsArray,
    types::Int32Type,
};
use arrow_schema::{Field, Schema};
use deltalake::arrow::compute::take;
use lurcher_journal::{Position, Record, RecordKind};
use lurcher_schema::{EventBatch, Timestamp};

use crate::{
    StoreError,
    columns::{ColumnType, Columns, NONE, Raw, TIME, first_arrow_fields},
};

/// How readers mark a column of JSON text.
const KIND_KEY: &str = "lurcher.kind";

/// Rows that wait.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    records: Vec<(Position, Record)>,
    times: Vec<Option<Timestamp>>,
    /// Whether the row has an event. A record that holds several has columns for the first.
    read: Vec<bool>,
    fields: HashMap<Arc<str>, FieldValues>,
    /// Fields that have values here and no column yet.
    new_fields: usize,
    /// Values whose field has no column, since the table has all that it may have.
    pub(crate) unplaced: u64,
    pub(crate) bytes: usize,
}

/// The values of one field.
#[derive(Debug, Default)]
struct FieldValues {
    values: Vec<Raw>,
    /// Row and value.
    cells: Vec<(u32, u32)>,
}

/// The rows of one day, as they go into a file.
#[derive(Debug)]
pub(crate) struct Day {
    /// Days since 1970.
    pub(crate) date: i64,
    pub(crate) batch: RecordBatch,
}

/// Rows, made ready.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) days: Vec<Day>,
    /// The columns of the table with those that these rows add.
    pub(crate) columns: Columns,
    /// How many values did not fit their column.
    pub(crate) misfits: u64,
}

impl Rows {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The first position that waits.
    pub(crate) fn first(&self) -> Option<Position> {
        self.records.first().map(|(position, _)| *position)
    }

    /// Adds a record. Positions ascend.
    pub(crate) fn push(&mut self, position: Position, record: Record) {
        self.bytes += record.body.len() + 64;
        self.records.push((position, record));
        self.times.push(None);
        self.read.push(false);
    }

    /// Adds the fields of events whose records were pushed before. `place` says which record an event of the batch is of;
    /// only the first event of a record has columns.
    pub(crate) fn add_events(
        &mut self,
        batch: &EventBatch,
        place: impl Fn(usize) -> Option<Position>,
        columns: &Columns,
        max_columns: usize,
    ) {
        let mut rows: Vec<(usize, u32)> = Vec::with_capacity(batch.rows());
        for row in 0..batch.rows() {
            let Some(at) = place(row).and_then(|position| self.row_of(position)) else { continue };
            if !std::mem::replace(&mut self.read[at as usize], true) {
                self.times[at as usize] = batch.times()[row];
                rows.push((row, at));
            }
        }
        let schema = batch.data().schema();
        for (field, column) in schema.fields().iter().zip(batch.data().columns()) {
            // The time of the event has a column already.
            if field.name() == TIME {
                continue;
            }
            let json = field.metadata().get(KIND_KEY).is_some_and(|kind| kind == "json");
            self.add_field(field.name(), column, json, &rows, columns, max_columns);
        }
    }

    fn row_of(&self, position: Position) -> Option<u32> {
        self.records.binary_search_by_key(&position, |(position, _)| *position).ok().map(|row| row as u32)
    }

    fn add_field(
        &mut self,
        name: &str,
        column: &ArrayRef,
        json: bool,
        rows: &[(usize, u32)],
        columns: &Columns,
        max_columns: usize,
    ) {
        let Some(column) = column.as_dictionary_opt::<Int32Type>() else { return };
        let Some(text) = column.values().as_string_opt::<i32>() else { return };
        let present = || rows.iter().filter(|(row, _)| column.is_valid(*row));
        if !self.fields.contains_key(name) {
            let known = columns.get(name).is_some();
            if !known && columns.len() + self.new_fields >= max_columns {
                self.unplaced += present().count() as u64;
                return;
            }
            if present().next().is_none() {
                return;
            }
            self.new_fields += usize::from(!known);
            self.fields.insert(Arc::from(name), FieldValues::default());
        }
        let Some(values) = self.fields.get_mut(name) else { return };
        // The batch's keys, as numbers of our values; a value is taken over when a row has it.
        let mut taken: HashMap<i32, u32> = HashMap::new();
        for (row, at) in present() {
            let key = column.keys().value(*row);
            let value = *taken.entry(key).or_insert_with(|| {
                values.values.push(raw(text.value(key as usize), json));
                (values.values.len() - 1) as u32
            });
            values.cells.push((*at, value));
            self.bytes += 8;
        }
        self.bytes += taken.values().map(|value| values.values[*value as usize].len() + 24).sum::<usize>();
    }

    /// Makes batches of them. Changes nothing, so that it can be done again if a commit fails.
    pub(crate) fn ready(&self, known: &Columns) -> Result<Ready, StoreError> {
        let mut columns = known.clone();
        let mut new: Vec<&Arc<str>> = self.fields.keys().filter(|field| known.get(field).is_none()).collect();
        new.sort();
        for field in new {
            columns
                .add(field, ColumnType::fitting(self.fields.get(field).into_iter().flat_map(|values| &values.values)));
        }
        let mut misfits = 0;
        let mut fields = first_arrow_fields();
        let mut arrays = self.first_arrays();
        let mut slots = vec![NONE; self.len()];
        for (field, column) in columns.iter() {
            let Some(values) = self.fields.get(field) else { continue };
            slots.fill(NONE);
            for (row, value) in &values.cells {
                slots[*row as usize] = *value;
            }
            let (array, wrong) = column.kind.array(&values.values, &slots);
            misfits += wrong;
            fields.push(Field::new(&*column.name, column.kind.arrow(), true));
            arrays.push(array);
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
        let batch = batch.map_err(|error| StoreError::new("making rows", error))?;
        Ok(Ready { days: self.days(&batch)?, columns, misfits })
    }

    fn first_arrays(&self) -> Vec<ArrayRef> {
        let records = || self.records.iter().map(|(_, record)| record);
        let positions: Int64Array = self.records.iter().map(|(position, _)| Some(position.0 as i64)).collect();
        let received: TimestampMicrosecondArray = records().map(|record| Some(record.received.0)).collect();
        let times: TimestampMicrosecondArray = self.times.iter().map(|time| time.map(|time| time.0)).collect();
        let kinds: StringArray = records().map(|record| Some(kind_name(record.kind))).collect();
        let bodies: StringArray = records().map(|record| Some(String::from_utf8_lossy(&record.body))).collect();
        let not_text = |record: &'_ Record| std::str::from_utf8(&record.body).is_err();
        let not_text: BinaryArray = records().map(|record| not_text(record).then_some(&*record.body)).collect();
        vec![
            Arc::new(positions),
            Arc::new(received.with_timezone("UTC")),
            Arc::new(times.with_timezone("UTC")),
            Arc::new(kinds),
            Arc::new(bodies),
            Arc::new(not_text),
        ]
    }

    /// Splits the rows by the day of their receipt. Nearly always there is one.
    fn days(&self, batch: &RecordBatch) -> Result<Vec<Day>, StoreError> {
        let mut by_day: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for (row, (_, record)) in self.records.iter().enumerate() {
            by_day.entry(day_of(record.received)).or_default().push(row as u32);
        }
        if by_day.len() == 1 {
            return Ok(by_day.into_keys().map(|date| Day { date, batch: batch.clone() }).collect());
        }
        let failed = |error| StoreError::new("splitting rows by day", error);
        let mut days = Vec::with_capacity(by_day.len());
        for (date, rows) in by_day {
            let rows = arrow_array::UInt32Array::from(rows);
            let arrays: Result<Vec<ArrayRef>, _> =
                batch.columns().iter().map(|array| take(array, &rows, None)).collect();
            let batch = RecordBatch::try_new(batch.schema(), arrays.map_err(failed)?).map_err(failed)?;
            days.push(Day { date, batch });
        }
        Ok(days)
    }
}

fn raw(text: &str, json: bool) -> Raw {
    if !json {
        return Raw::Text(Box::from(text));
    }
    // A column of mixed types holds its texts as JSON too.
    if text.starts_with('"')
        && let Ok(text) = serde_json::from_str::<String>(text)
    {
        return Raw::Text(text.into());
    }
    Raw::Json(Box::from(text))
}

/// Days since 1970, in UTC.
pub(crate) fn day_of(time: Timestamp) -> i64 {
    time.0.div_euclid(86_400_000_000)
}

pub(crate) fn kind_name(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Json => "json",
        RecordKind::Xml => "xml",
        RecordKind::Line => "line",
    }
}

pub(crate) fn kind_of(name: &str) -> Option<RecordKind> {
    match name {
        "json" => Some(RecordKind::Json),
        "xml" => Some(RecordKind::Xml),
        "line" => Some(RecordKind::Line),
        _ => None,
    }
}
