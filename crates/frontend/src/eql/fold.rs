//! The value of expressions without fields, with three truth values.
//!
//! Elasticsearch folds constants before it makes two-valued queries of what is left, so null spreads through `not`
//! here and nowhere else: `not null < 1` is null and matches nothing, though `not missing_field < 1` matches. `==` and
//! `!=` with null ask whether the other side is null, and are true or false.

use std::cmp::Ordering;

use lurcher_ir::{Case, Network, fold_text};
use lurcher_schema::Value;

use super::{
    ast::{Arithmetic, Comparison},
    functions::Id,
};
use crate::elasticsearch::field::number_of;

/// Kleene's and.
pub(super) fn and(values: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for value in values {
        match value {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

/// Kleene's or.
pub(super) fn or(values: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    and(values.into_iter().map(|value| value.map(|b| !b))).map(|b| !b)
}

/// A truth value as a value.
pub(super) fn truth(value: Option<bool>) -> Value {
    value.map_or(Value::Null, Value::Bool)
}

/// A value as a truth value.
pub(super) fn as_truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        _ => None,
    }
}

/// Compares two constants. Null equals null and nothing else; in order with null, or with what cannot be ordered, is null.
pub(super) fn compare(operator: Comparison, left: &Value, right: &Value) -> Option<bool> {
    if left.is_null() || right.is_null() {
        let both = left.is_null() && right.is_null();
        return match operator {
            Comparison::Equal => Some(both),
            Comparison::NotEqual => Some(!both),
            _ => None,
        };
    }
    let order = match (left, right) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Text(text), number) => number_of(text).and_then(|n| n.as_number()?.partial_cmp(&number.as_number()?)),
        (number, Value::Text(text)) => number_of(text).and_then(|n| number.as_number()?.partial_cmp(&n.as_number()?)),
        (a, b) => a.as_number().zip(b.as_number()).and_then(|(a, b)| a.partial_cmp(&b)),
    };
    Some(match (operator, order) {
        (Comparison::Equal, order) => order == Some(Ordering::Equal),
        (Comparison::NotEqual, order) => order != Some(Ordering::Equal),
        (Comparison::Less, order) => order? == Ordering::Less,
        (Comparison::LessOrEqual, order) => order? != Ordering::Greater,
        (Comparison::Greater, order) => order? == Ordering::Greater,
        (Comparison::GreaterOrEqual, order) => order? != Ordering::Less,
    })
}

/// Whether a constant is one of several; null if it is not and one of them is null.
pub(super) fn is_in(subject: &Value, items: &[Value], case: Case) -> Option<bool> {
    let fold = |value: &Value| match (case, value) {
        (Case::Insensitive, Value::Text(text)) => Value::text(fold_text(text)),
        _ => value.clone(),
    };
    if subject.is_null() {
        return None;
    }
    let equal = |item: &Value| compare(Comparison::Equal, &fold(subject), &fold(item));
    or(items.iter().map(|item| if item.is_null() { None } else { equal(item) }))
}

/// Computes with two numbers; null if one is none, and by zero.
pub(super) fn arithmetic(operator: Arithmetic, left: &Value, right: &Value) -> Value {
    if let (Value::Int(a), Value::Int(b)) = (left, right) {
        let whole = match operator {
            Arithmetic::Add => a.checked_add(*b),
            Arithmetic::Subtract => a.checked_sub(*b),
            Arithmetic::Multiply => a.checked_mul(*b),
            Arithmetic::Divide | Arithmetic::Modulo if *b == 0 => return Value::Null,
            Arithmetic::Divide => a.checked_div(*b),
            Arithmetic::Modulo => a.checked_rem(*b),
        };
        if let Some(whole) = whole {
            return Value::Int(whole);
        }
    }
    let (Some(a), Some(b)) = (left.as_number(), right.as_number()) else {
        return Value::Null;
    };
    let result = match operator {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide => a / b,
        Arithmetic::Modulo => a % b,
    };
    if result.is_finite() { Value::Float(result) } else { Value::Null }
}

/// Calls a function with constants.
pub(super) fn call(id: Id, insensitive: bool, arguments: &[Value]) -> Value {
    if arguments.iter().take(id.needed()).any(Value::is_null) {
        return Value::Null;
    }
    let text = |i: usize| arguments.get(i).map_or_else(String::new, ToString::to_string);
    let folded = |i: usize| if insensitive { fold_text(&text(i)) } else { text(i) };
    let null = Value::Null;
    let argument = |i: usize| arguments.get(i).unwrap_or(&null);
    match id {
        Id::Add => arithmetic(Arithmetic::Add, argument(0), argument(1)),
        Id::Subtract => arithmetic(Arithmetic::Subtract, argument(0), argument(1)),
        Id::Multiply => arithmetic(Arithmetic::Multiply, argument(0), argument(1)),
        Id::Divide => arithmetic(Arithmetic::Divide, argument(0), argument(1)),
        Id::Modulo => arithmetic(Arithmetic::Modulo, argument(0), argument(1)),
        Id::Concat => Value::text(arguments.iter().map(ToString::to_string).collect::<String>()),
        Id::String => Value::text(text(0)),
        Id::Length => Value::Int(text(0).encode_utf16().count() as i64),
        Id::StartsWith => Value::Bool(folded(0).starts_with(&folded(1))),
        Id::EndsWith => Value::Bool(folded(0).ends_with(&folded(1))),
        Id::StringContains => {
            let (whole, part) = (folded(0), folded(1));
            Value::Bool(!whole.is_empty() && !part.is_empty() && whole.contains(&part))
        }
        Id::CidrMatch => {
            let address = text(0).trim().parse().ok();
            Value::Bool((1..arguments.len()).any(|i| {
                Network::parse(&text(i)).zip(address).is_some_and(|(network, address)| network.contains(address))
            }))
        }
        Id::Number => to_number(&text(0), argument(1)),
        Id::IndexOf => index_of(&folded(0), &folded(1), arguments),
        Id::Substring => substring(&text(0), argument(1), argument(2)),
        Id::Between => {
            let greedy = argument(3) == &Value::Bool(true);
            between(&text(0), [&folded(0), &folded(1), &folded(2)], greedy)
        }
    }
}

fn to_number(text: &str, base: &Value) -> Value {
    let text = text.trim();
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let parsed = match (base, hex) {
        (Value::Null | Value::Int(16), Some(digits)) => i64::from_str_radix(digits, 16).ok(),
        (Value::Null | Value::Int(10), None) => return number_of(text).unwrap_or_default(),
        (Value::Int(base @ 2..=36), None) => i64::from_str_radix(text, *base as u32).ok(),
        _ => None,
    };
    parsed.map_or(Value::Null, Value::Int)
}

fn index_of(whole: &str, part: &str, arguments: &[Value]) -> Value {
    let start = match arguments.get(2) {
        None | Some(Value::Null) => 0,
        Some(Value::Int(start)) => (*start).max(0) as usize,
        Some(_) => return Value::Null,
    };
    let (whole, part): (Vec<u16>, Vec<u16>) = (whole.encode_utf16().collect(), part.encode_utf16().collect());
    let Some(rest) = whole.get(start..) else {
        return Value::Null;
    };
    let found = if part.is_empty() { Some(0) } else { rest.windows(part.len()).position(|w| w == part) };
    found.map_or(Value::Null, |at| Value::Int((start + at) as i64))
}

fn substring(text: &str, start: &Value, end: &Value) -> Value {
    let units: Vec<u16> = text.encode_utf16().collect();
    let length = units.len() as i64;
    let clip = |at: i64| (if at < 0 { at.saturating_add(length) } else { at }).clamp(0, length) as usize;
    let (start, end) = match (start, end) {
        (Value::Int(start), Value::Int(end)) => (clip(*start), clip(*end)),
        (Value::Null, Value::Int(end)) => (0, clip(*end)),
        (Value::Int(start), Value::Null) => (clip(*start), units.len()),
        (Value::Null, Value::Null) => (0, units.len()),
        _ => return Value::Null,
    };
    Value::text(String::from_utf16_lossy(units.get(start..end).unwrap_or(&[])))
}

fn between(text: &str, [whole, left, right]: [&str; 3], greedy: bool) -> Value {
    // Folding is character by character, so places in the folded text are counted in characters.
    let Some(start) = whole.find(left).map(|at| at + left.len()) else {
        return Value::Null;
    };
    let rest = &whole[start..];
    let Some(length) = (if greedy { rest.rfind(right) } else { rest.find(right) }) else {
        return Value::Null;
    };
    let skip = whole[..start].chars().count();
    let take = rest[..length].chars().count();
    Value::text(text.chars().skip(skip).take(take).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_constants() {
        let t = Value::text;
        for (id, arguments, result) in [
            (Id::Between, vec![t("a[b]c]"), t("["), t("]")], t("b")),
            (Id::Between, vec![t("a[b]c]"), t("["), t("]"), true.into()], t("b]c")),
            (Id::Between, vec![t("abc"), t("["), t("]")], Value::Null),
            (Id::IndexOf, vec![t("subdomain"), t("d")], 3.into()),
            (Id::IndexOf, vec![t("abc"), t(""), 2.into()], 2.into()),
            (Id::IndexOf, vec![t("abc"), t("a"), 9.into()], Value::Null),
            (Id::IndexOf, vec![t("abc"), t("a"), (-5).into()], 0.into()),
            (Id::IndexOf, vec![t("abc"), t("c"), Value::Null], 2.into()),
            (Id::Substring, vec![t("abc"), Value::Null, 2.into()], t("ab")),
            (Id::Substring, vec![t("start regsvr32.exe"), (-4).into()], t(".exe")),
            (Id::Substring, vec![t("abc"), 2.into(), 1.into()], t("")),
            (Id::Substring, vec![t("abc"), (-9).into(), 9.into()], t("abc")),
            (Id::Number, vec![t(" 0x1f ")], 31.into()),
            (Id::Number, vec![t("11"), 2.into()], 3.into()),
            (Id::Number, vec![t("x")], Value::Null),
            (Id::Concat, vec![t("a"), 42.into(), Value::Float(42.5), true.into()], t("a4242.5true")),
            (Id::Concat, vec![t("a"), Value::Null], Value::Null),
            (Id::StringContains, vec![t("a"), t("")], false.into()),
            (Id::StartsWith, vec![t("a"), t("")], true.into()),
            (Id::Length, vec![t("a😀")], 3.into()),
            (Id::Divide, vec![7.into(), (-2).into()], (-3).into()),
            (Id::Modulo, vec![(-7).into(), 2.into()], (-1).into()),
            (Id::CidrMatch, vec![t("10.1.1.1"), t("10.0.0.0/8")], true.into()),
        ] {
            assert_eq!(call(id, false, &arguments), result, "{id:?} {arguments:?}");
        }
    }
}
