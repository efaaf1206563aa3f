//! Truth, equality and order.

use std::cmp::Ordering;

use lurcher_ir::{Case, Function, fold_char};
use lurcher_schema::Value;

use super::{
    convert::{read_number, truth},
    number::Number,
};

pub(super) fn apply(function: &Function, values: &[Value]) -> Option<Value> {
    let result = match (function, values) {
        (Function::Not, [value]) => !truth(value)?,
        (Function::IsNull, [value]) => value.is_missing(),
        (Function::Equal(case), [a, b]) => {
            if a.is_null() || b.is_null() {
                return None;
            }
            equal(a, b, *case)
        }
        (Function::Less, [a, b]) => order(a, b)?.is_lt(),
        (Function::LessOrEqual, [a, b]) => order(a, b)?.is_le(),
        (Function::In(case), [needle, others @ ..]) => return is_in(needle, others, *case),
        _ => return None,
    };
    Some(Value::Bool(result))
}

fn is_in(needle: &Value, others: &[Value], case: Case) -> Option<Value> {
    if needle.is_null() {
        return None;
    }
    let found = others.iter().any(|other| match other {
        Value::List(items) => items.iter().any(|item| equal(needle, item, case)) || equal(needle, other, case),
        _ => equal(needle, other, case),
    });
    (found || !others.iter().any(Value::is_null)).then_some(Value::Bool(found))
}

/// Whether two values are equal in the sense of [`Function::Equal`]. A null equals only a null: it stands here only
/// as a member of a list or object.
fn equal(a: &Value, b: &Value, case: Case) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Text(a), Value::Text(b)) => text_equal(a, b, case),
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Bool(a), Value::Text(_)) => truth(b) == Some(*a),
        (Value::Text(_), Value::Bool(b)) => truth(a) == Some(*b),
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(a, b, case))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, value)| b.get(name).is_some_and(|other| equal(value, other, case)))
        }
        _ => numbers(a, b).is_some_and(|(a, b)| a.compare(b) == Some(Ordering::Equal)),
    }
}

pub(super) fn text_equal(a: &str, b: &str, case: Case) -> bool {
    match case {
        Case::Sensitive => a == b,
        Case::Insensitive => a.chars().map(fold_char).eq(b.chars().map(fold_char)),
    }
}

/// The order of two values, if they have one: numbers (one of them may be text that reads as one), or texts.
fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
        _ => numbers(a, b).and_then(|(a, b)| a.compare(b)),
    }
}

/// Both as numbers, if at least one is a number.
fn numbers(a: &Value, b: &Value) -> Option<(Number, Number)> {
    match (a, b) {
        (Value::Text(text), _) => Some((read_number(text)?, Number::of(b)?)),
        (_, Value::Text(text)) => Some((Number::of(a)?, read_number(text)?)),
        _ => Some((Number::of(a)?, Number::of(b)?)),
    }
}
