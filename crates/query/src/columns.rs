//! Values to Arrow and back.
//!
//! | values of the column | Arrow |
//! |---|---|
//! | integers | `Int64` |
//! | floats | `Float64` |
//! | text | `Utf8` |
//! | booleans | `Boolean` |
//! | anything else: lists, objects, several of these | `Utf8`, as JSON |
//! | none | `Null` becomes `Utf8` |
//!
//! JSON keeps apart what values keep apart (`1`, `1.0`, `"1"`), so equality is that of values. For sums, means, least and
//! greatest, where numbers are meant, there is [`Encoding::numeric`].

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, StringArray,
    cast::AsArray,
    types::{Float64Type, Int64Type},
};
use arrow_schema::DataType;
use lurcher_engine::eval::{Number, read_number};
use lurcher_schema::Value;

/// How a column of values stands in Arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Integer,
    Float,
    Text,
    Boolean,
    Json,
}

impl Encoding {
    /// The encoding that keeps apart what values keep apart.
    pub(crate) fn exact(values: &[Value]) -> Self {
        let mut found: Option<Self> = None;
        for value in values {
            let this = match value {
                Value::Null => continue,
                Value::Int(_) => Self::Integer,
                Value::Float(_) => Self::Float,
                Value::Text(_) => Self::Text,
                Value::Bool(_) => Self::Boolean,
                Value::List(_) | Value::Object(_) => Self::Json,
            };
            match found {
                None => found = Some(this),
                Some(known) if known == this => {}
                Some(_) => return Self::Json,
            }
        }
        found.unwrap_or(Self::Text)
    }

    /// The encoding by which values are ordered: as numbers if there are numbers and nothing that does not read as one.
    pub(crate) fn ordered(values: &[Value]) -> Self {
        let exact = Self::exact(values);
        let numbers = values.iter().any(|value| Number::of(value).is_some());
        if exact == Self::Json && numbers && values.iter().all(|value| value.is_null() || number(value).is_some()) {
            return Self::Float;
        }
        exact
    }

    /// The encoding of a column whose numbers are meant, text that reads as a number included. Whole numbers stay whole
    /// unless their sum could overflow.
    pub(crate) fn numeric(values: &[Value]) -> Self {
        let mut total: i64 = 0;
        for value in values {
            match number(value) {
                Some(Number::Float(_)) => return Self::Float,
                Some(Number::Int(number)) => match number.checked_abs().and_then(|size| total.checked_add(size)) {
                    Some(sum) => total = sum,
                    None => return Self::Float,
                },
                None => {}
            }
        }
        Self::Integer
    }

    pub(crate) fn data_type(self) -> DataType {
        match self {
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Text | Self::Json => DataType::Utf8,
        }
    }

    /// The column in Arrow. Values that the encoding has no place for become null.
    pub(crate) fn array<'a>(self, values: impl Iterator<Item = &'a Value>) -> ArrayRef {
        match self {
            Self::Integer => Arc::new(
                values
                    .map(|value| match number(value)? {
                        Number::Int(number) => Some(number),
                        Number::Float(_) => None,
                    })
                    .collect::<Int64Array>(),
            ),
            Self::Float => Arc::new(values.map(|value| number(value).map(Number::as_f64)).collect::<Float64Array>()),
            Self::Boolean => Arc::new(
                values.map(|value| if let Value::Bool(b) = value { Some(*b) } else { None }).collect::<BooleanArray>(),
            ),
            Self::Text => Arc::new(values.map(Value::as_text).collect::<StringArray>()),
            Self::Json => Arc::new(
                values
                    .map(|value| if value.is_null() { None } else { Some(value.to_json().to_string()) })
                    .collect::<StringArray>(),
            ),
        }
    }

    /// The value of one row of an array that was made from this encoding.
    pub(crate) fn value(self, array: &dyn Array, row: usize) -> Value {
        if array.is_null(row) {
            return Value::Null;
        }
        match array.data_type() {
            DataType::Int64 => array.as_primitive_opt::<Int64Type>().map(|a| Value::Int(a.value(row))),
            DataType::Float64 => array.as_primitive_opt::<Float64Type>().map(|a| Value::Float(a.value(row))),
            DataType::Boolean => array.as_boolean_opt().map(|a| Value::Bool(a.value(row))),
            DataType::Utf8 => array.as_string_opt::<i32>().map(|a| {
                let text = a.value(row);
                match self {
                    Self::Json => serde_json::from_str(text).map_or(Value::Null, |json| Value::from_json(&json)),
                    _ => Value::text(text),
                }
            }),
            _ => None,
        }
        .unwrap_or_default()
    }
}

/// The number that a value is or reads as.
pub(crate) fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Text(text) => read_number(text),
        _ => Number::of(value),
    }
}

/// The row numbers in a list column, ascending.
pub(crate) fn row_numbers(lists: &ListArray, row: usize) -> Vec<usize> {
    let list = lists.value(row);
    let mut rows: Vec<usize> = list
        .as_primitive_opt::<Int64Type>()
        .map(|a| a.values().iter().map(|n| *n as usize).collect())
        .unwrap_or_default();
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(json: &serde_json::Value) -> Vec<Value> {
        json.as_array().unwrap().iter().map(Value::from_json).collect()
    }

    #[test]
    fn values_come_back_as_they_were() {
        for column in [
            json!([1, null, i64::MAX]),
            json!([1.5, null]),
            json!(["a", null, ""]),
            json!([true, null, false]),
            json!([1, "1", 1.0, true, null, ["a", 2], {"k": [1]}]),
            json!([null, null]),
        ] {
            let column = values(&column);
            let encoding = Encoding::exact(&column);
            let array = encoding.array(column.iter());
            let back: Vec<Value> = (0..array.len()).map(|row| encoding.value(&array, row)).collect();
            assert_eq!(back, column);
        }
    }

    #[test]
    fn numbers_are_taken_as_numbers_where_they_are_meant() {
        assert_eq!(Encoding::numeric(&values(&json!(["1", 2, "x"]))), Encoding::Integer);
        assert_eq!(Encoding::numeric(&values(&json!(["1.5", 2]))), Encoding::Float);
        assert_eq!(Encoding::numeric(&values(&json!([i64::MAX, 1]))), Encoding::Float);
        assert_eq!(Encoding::ordered(&values(&json!([1, 2.5, null]))), Encoding::Float);
        assert_eq!(Encoding::ordered(&values(&json!(["10", 9]))), Encoding::Float);
        assert_eq!(Encoding::ordered(&values(&json!(["10", "9"]))), Encoding::Text);
        assert_eq!(Encoding::ordered(&values(&json!(["x", 9]))), Encoding::Json);
    }
}
