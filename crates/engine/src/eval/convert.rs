//! Conversions between types, and the readings that the other functions share: what is a truth value, what text
//! reads as a number, what the text form of a scalar is.

use std::sync::Arc;

use lurcher_ir::{Function, ValueType};
use lurcher_schema::Value;

use super::number::Number;

pub(super) fn apply(function: &Function, values: &[Value]) -> Option<Value> {
    match (function, values) {
        (Function::ToNumber, [value]) => to_number(value, None),
        (Function::ToNumber, [value, base]) => to_number(value, Some(base).filter(|base| !base.is_null())),
        (Function::ParseInteger, [value]) => text_form(value)?.parse().ok().map(Value::Int),
        (Function::ParseFloat, [value]) => {
            let text = text_form(value)?;
            Number::Float(plain_float(text.trim())?).into_value()
        }
        (Function::ToText, [value]) => text_form(value).map(Value::Text),
        (Function::Cast(to), [value]) => cast(*to, value),
        (Function::Cast(to), [value, default]) => Some(cast(*to, value).unwrap_or_else(|| default.clone())),
        (Function::Convert(to), [value]) => convert(*to, value),
        _ => None,
    }
}

/// What a condition says: true, false, or unknown. Text `true` and `false`, in any case, count, because events from
/// text formats carry their booleans so.
pub fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The number that a text reads as: decimal, with an optional sign, fraction and exponent, and nothing else around
/// it. Not `inf`, `nan` or hexadecimal.
pub fn read_number(text: &str) -> Option<Number> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Number::Int(whole));
    }
    plain_float(text).map(Number::Float)
}

fn plain_float(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

/// The text form of a scalar; none of null, lists and objects.
pub(super) fn text_form(value: &Value) -> Option<Arc<str>> {
    match value {
        Value::Text(text) => Some(Arc::clone(text)),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => Some(value.to_string().into()),
        Value::Null | Value::List(_) | Value::Object(_) => None,
    }
}

/// A whole number: an integer, or a float without a fraction.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Float(number) => whole_float(*number),
        _ => None,
    }
}

fn whole_float(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9.2e18).then_some(number as i64)
}

fn to_number(value: &Value, base: Option<&Value>) -> Option<Value> {
    let text = match value {
        Value::Int(_) | Value::Float(_) => return Some(value.clone()),
        Value::Text(text) => text.trim(),
        _ => return None,
    };
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let base = match base {
        Some(base) => whole(base).and_then(|base| u32::try_from(base).ok()).filter(|base| (2..=36).contains(base))?,
        None if hex.is_some() => 16,
        None => 10,
    };
    if base == 10 {
        return read_number(text).and_then(Number::into_value);
    }
    let digits = if base == 16 { hex.unwrap_or(digits) } else { digits };
    // A second sign would be read by the parser of the standard library, but is no number.
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = i64::from_str_radix(digits, base).ok()?;
    Some(Value::Int(if negative { -number } else { number }))
}

fn cast(to: ValueType, value: &Value) -> Option<Value> {
    match (to, value) {
        (ValueType::Text, _) => text_form(value).map(Value::Text),
        (ValueType::Integer | ValueType::Float, Value::Int(_))
        | (ValueType::Float, Value::Float(_))
        | (ValueType::Boolean, Value::Bool(_))
        | (ValueType::List, Value::List(_))
        | (ValueType::Object, Value::Object(_)) => Some(value.clone()),
        _ => None,
    }
}

fn convert(to: ValueType, value: &Value) -> Option<Value> {
    match (to, value) {
        (_, Value::Null) => None,
        (ValueType::Text, _) => text_form(value).map(Value::Text),
        (ValueType::Integer, Value::Bool(truth)) => Some(Value::Int(i64::from(*truth))),
        (ValueType::Integer, Value::Float(number)) => whole_float(number.trunc()).map(Value::Int),
        (ValueType::Integer, Value::Text(text)) => match read_number(text.trim())? {
            Number::Int(number) => Some(Value::Int(number)),
            Number::Float(number) => whole_float(number.trunc()).map(Value::Int),
        },
        (ValueType::Float, Value::Int(number)) => Some(Value::Float(*number as f64)),
        (ValueType::Float, Value::Text(text)) => {
            read_number(text.trim()).and_then(|number| Number::Float(number.as_f64()).into_value())
        }
        (ValueType::Boolean, Value::Int(number)) => Some(Value::Bool(*number != 0)),
        (ValueType::Boolean, Value::Float(number)) => Some(Value::Bool(*number != 0.0)),
        (ValueType::Boolean, _) => truth(value).map(Value::Bool),
        (ValueType::List, Value::List(_)) => Some(value.clone()),
        (ValueType::List, _) => Some(Value::list([value.clone()])),
        _ => cast(to, value),
    }
}
