//! Columns of values: a key per row into the distinct values.

use arrow_array::{Array, StringArray};
use arrow_buffer::ScalarBuffer;

use crate::Value;

/// The key of a row that has no value.
pub const MISSING: i32 = -1;

/// One column of a batch: raw, or made by a mapping. Work on it is done once per distinct value.
#[derive(Clone, Debug)]
pub struct Column {
    /// For each row the index of its value, or [`MISSING`].
    pub keys: ScalarBuffer<i32>,
    /// The distinct values (a value may stand twice; it is then merely looked at twice).
    pub values: ColumnValues,
}

/// The distinct values of a column.
#[derive(Clone, Debug)]
pub enum ColumnValues {
    /// All are text, still in Arrow's own buffers.
    Text(StringArray),
    /// Anything. [`Value::Null`] here means that the rows with this key have no value.
    Any(std::sync::Arc<[Value]>),
}

/// A value, borrowed from wherever it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// Text.
    Text(&'a str),
    /// Anything, text included.
    Any(&'a Value),
}

impl ValueRef<'_> {
    /// An owned copy.
    pub fn to_value(self) -> Value {
        match self {
            Self::Text(text) => Value::text(text),
            Self::Any(value) => value.clone(),
        }
    }
}

impl ColumnValues {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::Any(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at an index below [`Self::len`].
    pub fn get(&self, index: usize) -> ValueRef<'_> {
        match self {
            Self::Text(values) => ValueRef::Text(values.value(index)),
            Self::Any(values) => ValueRef::Any(&values[index]),
        }
    }
}

impl Column {
    /// The same value in every row.
    pub fn constant(value: Value, rows: usize) -> Self {
        Self { keys: vec![0; rows].into(), values: ColumnValues::Any([value].into()) }
    }

    /// No value in any row.
    pub fn missing(rows: usize) -> Self {
        Self { keys: vec![MISSING; rows].into(), values: ColumnValues::Any([].into()) }
    }

    /// A value per row.
    pub fn from_rows(rows: impl IntoIterator<Item = Value>) -> Self {
        let mut values: Vec<Value> = Vec::new();
        let mut seen: hashbrown::HashMap<Value, i32> = hashbrown::HashMap::new();
        let keys: Vec<i32> = rows
            .into_iter()
            .map(|value| {
                if value.is_null() {
                    return MISSING;
                }
                *seen.entry(value).or_insert_with_key(|value| {
                    values.push(value.clone());
                    values.len() as i32 - 1
                })
            })
            .collect();
        Self { keys: keys.into(), values: ColumnValues::Any(values.into()) }
    }

    /// The value of a row; [`Value::Null`] if it has none.
    pub fn value(&self, row: usize) -> Value {
        match self.keys[row] {
            MISSING => Value::Null,
            key => self.values.get(key as usize).to_value(),
        }
    }

    /// The column that has `f(value)` for every value; `f` runs once per distinct value.
    #[must_use]
    pub fn map(&self, mut f: impl FnMut(ValueRef<'_>) -> Value) -> Self {
        let values = (0..self.values.len()).map(|i| f(self.values.get(i))).collect();
        Self { keys: self.keys.clone(), values: ColumnValues::Any(values) }
    }
}
