//! The typed columns of a table: which field of the events stands in which, and how a field's values become its type.
//!
//! A column is added when its field is first seen, with the type of the values seen then, and keeps it. The table's own
//! schema says which field a column is of, in the column's metadata.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray,
    builder::{ListBuilder, StringBuilder},
};
use arrow_schema::{DataType as ArrowType, Field, TimeUnit};
use deltalake::kernel::{ArrayType, DataType, MetadataValue, PrimitiveType, StructField, StructType};

use crate::names::column_name;

/// The key, in a column's metadata, of the name of its field.
const FIELD: &str = "lurcher.field";

/// The columns that every table has, before those of fields.
pub(crate) const POSITION: &str = "_position";
pub(crate) const RECEIVED: &str = "_received";
pub(crate) const TIME: &str = "@timestamp";
pub(crate) const KIND: &str = "_kind";
pub(crate) const RAW: &str = "_raw";
/// The body where it is no UTF-8; `_raw` then has it with replacement characters.
pub(crate) const RAW_BYTES: &str = "_raw_bytes";
/// The column that tables are partitioned by: the day of receipt.
pub(crate) const DATE: &str = "_date";

/// What a column of a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Text,
    Long,
    Double,
    Boolean,
    Texts,
}

/// A value of a field, as the readers hand it over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Raw {
    Text(Box<str>),
    /// The JSON text of a number, a boolean, a list or an object.
    Json(Box<str>),
}

#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: Arc<str>,
    pub(crate) kind: ColumnType,
}

/// The columns of a table that are of fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    by_field: HashMap<Arc<str>, Column>,
    taken: HashSet<String>,
    /// In the order of the table.
    fields: Vec<Arc<str>>,
}

impl Columns {
    /// None yet.
    pub(crate) fn new() -> Self {
        let taken = [POSITION, RECEIVED, TIME, KIND, RAW, RAW_BYTES, DATE].map(str::to_owned).into();
        Self { taken, ..Self::default() }
    }

    /// Those that a table's schema names.
    pub(crate) fn of(schema: &StructType) -> Self {
        let mut columns = Self::new();
        for field in schema.fields() {
            columns.taken.insert(field.name().to_ascii_lowercase());
            let kind = match field.data_type() {
                DataType::Primitive(PrimitiveType::String) => ColumnType::Text,
                DataType::Primitive(PrimitiveType::Long) => ColumnType::Long,
                DataType::Primitive(PrimitiveType::Double) => ColumnType::Double,
                DataType::Primitive(PrimitiveType::Boolean) => ColumnType::Boolean,
                DataType::Array(array) if array.element_type == DataType::STRING => ColumnType::Texts,
                // A column that somebody else added is left alone.
                _ => continue,
            };
            if let Some(MetadataValue::String(of)) = field.metadata().get(FIELD) {
                let of: Arc<str> = Arc::from(of.as_str());
                columns.fields.push(of.clone());
                columns.by_field.insert(of, Column { name: Arc::from(field.name().as_str()), kind });
            }
        }
        columns
    }

    pub(crate) fn get(&self, field: &str) -> Option<&Column> {
        self.by_field.get(field)
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Gives a field a column of this type.
    pub(crate) fn add(&mut self, field: &Arc<str>, kind: ColumnType) {
        let name = column_name(field, &self.taken);
        self.taken.insert(name.to_ascii_lowercase());
        self.fields.push(field.clone());
        self.by_field.insert(field.clone(), Column { name: Arc::from(name), kind });
    }

    /// The schema's fields for the columns from this number on, in order.
    pub(crate) fn schema_fields(&self, from: usize) -> impl Iterator<Item = StructField> {
        self.fields[from..].iter().filter_map(|field| {
            let column = self.by_field.get(field)?;
            let metadata = [(FIELD, MetadataValue::String(field.to_string()))];
            Some(StructField::nullable(&*column.name, column.kind.delta()).with_metadata(metadata))
        })
    }

    /// Each field with its column, in the order of the table.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Column)> {
        self.fields.iter().filter_map(|field| self.by_field.get_key_value(field))
    }
}

/// The schema that a table begins with.
pub(crate) fn first_columns() -> Vec<StructField> {
    vec![
        StructField::nullable(POSITION, DataType::LONG),
        StructField::nullable(RECEIVED, DataType::TIMESTAMP),
        StructField::nullable(TIME, DataType::TIMESTAMP),
        StructField::nullable(KIND, DataType::STRING),
        StructField::nullable(RAW, DataType::STRING),
        StructField::nullable(RAW_BYTES, DataType::BINARY),
        StructField::nullable(DATE, DataType::DATE),
    ]
}

/// How the columns that every table has stand in a file; the partition's is not in it.
pub(crate) fn first_arrow_fields() -> Vec<Field> {
    let time = || ArrowType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")));
    vec![
        Field::new(POSITION, ArrowType::Int64, true),
        Field::new(RECEIVED, time(), true),
        Field::new(TIME, time(), true),
        Field::new(KIND, ArrowType::Utf8, true),
        Field::new(RAW, ArrowType::Utf8, true),
        Field::new(RAW_BYTES, ArrowType::Binary, true),
    ]
}

impl ColumnType {
    fn delta(self) -> DataType {
        match self {
            Self::Text => DataType::STRING,
            Self::Long => DataType::LONG,
            Self::Double => DataType::DOUBLE,
            Self::Boolean => DataType::BOOLEAN,
            Self::Texts => ArrayType::new(DataType::STRING, true).into(),
        }
    }

    /// The type in a file.
    pub(crate) fn arrow(self) -> ArrowType {
        match self {
            Self::Text => ArrowType::Utf8,
            Self::Long => ArrowType::Int64,
            Self::Double => ArrowType::Float64,
            Self::Boolean => ArrowType::Boolean,
            // What Delta's own conversion calls the elements, so that files agree with the table's schema.
            Self::Texts => ArrowType::List(Arc::new(Field::new("element", ArrowType::Utf8, true))),
        }
    }

    /// The type that fits these values.
    pub(crate) fn fitting<'a>(values: impl IntoIterator<Item = &'a Raw>) -> Self {
        let mut found = None;
        for value in values {
            let kind = match value {
                Raw::Text(_) => Self::Text,
                Raw::Json(text) => match text.as_bytes().first() {
                    Some(b'[') => return Self::Texts,
                    Some(b't' | b'f') => Self::Boolean,
                    Some(b'{' | b'"' | b'n') | None => Self::Text,
                    Some(_) if text.parse::<i64>().is_ok() => Self::Long,
                    Some(_) => Self::Double,
                },
            };
            found = match (found, kind) {
                (None, kind) => Some(kind),
                (Some(Self::Long), Self::Double) | (Some(Self::Double), Self::Long) => Some(Self::Double),
                (Some(before), kind) if before == kind => found,
                _ => Some(Self::Text),
            };
        }
        found.unwrap_or(Self::Text)
    }

    /// A column of `slots`, each a number of a value or [`NONE`]; also says how many values did not fit and are null.
    pub(crate) fn array(self, values: &[Raw], slots: &[u32]) -> (ArrayRef, u64) {
        match self {
            Self::Text => {
                let values: Vec<Option<&str>> = values.iter().map(|value| Some(value.text())).collect();
                let (slots, misfits) = pick(&values, slots);
                (Arc::new(slots.map(Option::<&_>::copied).collect::<StringArray>()), misfits)
            }
            Self::Long => {
                let values: Vec<Option<i64>> = values.iter().map(Raw::long).collect();
                let (slots, misfits) = pick(&values, slots);
                (Arc::new(slots.map(Option::<&_>::copied).collect::<Int64Array>()), misfits)
            }
            Self::Double => {
                let values: Vec<Option<f64>> = values.iter().map(Raw::double).collect();
                let (slots, misfits) = pick(&values, slots);
                (Arc::new(slots.map(Option::<&_>::copied).collect::<Float64Array>()), misfits)
            }
            Self::Boolean => {
                let values: Vec<Option<bool>> = values.iter().map(Raw::boolean).collect();
                let (slots, misfits) = pick(&values, slots);
                (Arc::new(slots.map(Option::<&_>::copied).collect::<BooleanArray>()), misfits)
            }
            Self::Texts => {
                let values: Vec<Option<Vec<String>>> = values.iter().map(|value| Some(value.texts())).collect();
                let (slots, misfits) = pick(&values, slots);
                let element = Field::new("element", ArrowType::Utf8, true);
                let mut list = ListBuilder::new(StringBuilder::new()).with_field(Arc::new(element));
                for value in slots {
                    for text in value.into_iter().flatten() {
                        list.values().append_value(text);
                    }
                    list.append(value.is_some());
                }
                (Arc::new(list.finish()), misfits)
            }
        }
    }
}

/// The slot of a row without a value.
pub(crate) const NONE: u32 = u32::MAX;

/// The value of each slot, and how many slots have one that did not fit.
fn pick<'a, T>(values: &'a [Option<T>], slots: &'a [u32]) -> (impl Iterator<Item = Option<&'a T>>, u64) {
    let at = |slot: &u32| values.get(*slot as usize);
    let misfits = slots.iter().filter(|slot| matches!(at(slot), Some(None))).count() as u64;
    (slots.iter().map(move |slot| at(slot).and_then(Option::as_ref)), misfits)
}

impl Raw {
    pub(crate) fn len(&self) -> usize {
        self.text().len()
    }

    fn text(&self) -> &str {
        let (Self::Text(text) | Self::Json(text)) = self;
        text
    }

    /// Text that is written just as the number would be fits too: the same field comes as text from XML.
    fn long(&self) -> Option<i64> {
        let number = self.text().parse::<i64>().ok()?;
        (matches!(self, Self::Json(_)) || number.to_string() == self.text()).then_some(number)
    }

    fn double(&self) -> Option<f64> {
        self.text().parse::<f64>().ok().filter(|number| number.is_finite())
    }

    fn boolean(&self) -> Option<bool> {
        self.text().parse().ok()
    }

    fn texts(&self) -> Vec<String> {
        if let Self::Json(text) = self
            && let Ok(serde_json::Value::Array(elements)) = serde_json::from_str(text)
        {
            let text = |element| match element {
                serde_json::Value::Null => None,
                serde_json::Value::String(text) => Some(text),
                other => Some(other.to_string()),
            };
            return elements.into_iter().filter_map(text).collect();
        }
        vec![self.text().to_owned()]
    }
}
