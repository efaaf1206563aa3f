//! Functions of several values.
//!
//! "Values" are flattened and without nulls; results stand in their smallest form. The order of values is that of
//! [`compare`]; where the IR says "the same" it is [`Value`]'s own equality.

use std::cmp::Ordering;

use lurcher_ir::{Function, ListFunction};
use lurcher_schema::Value;

use super::{
    Regexes, apply as apply_function,
    convert::{text_form, whole},
    number::{FractionSum, Number},
};

pub(super) fn apply(function: &ListFunction, values: &[Value], regexes: &Regexes) -> Option<Value> {
    use ListFunction as L;
    match (function, values) {
        (L::Each(function), [list, further @ ..]) => Some(each(function, list, further, regexes)),
        (L::Passes(test), [values]) => Some(Value::Bool(regexes.passes(test, values))),
        (L::ContainsAll, [a, b]) => Some(Value::Bool(b.elements().all(|wanted| a.elements().any(|own| own == wanted)))),
        (L::ContainsAny, [a, b]) => Some(Value::Bool(b.elements().any(|wanted| a.elements().any(|own| own == wanted)))),
        (L::Intersection, [a, b]) => {
            small(distinct(a.elements().filter(|own| b.elements().any(|other| other == *own)).cloned()))
        }
        (L::Union, [a, b]) => small(distinct(a.elements().chain(b.elements()).cloned())),
        (L::Difference, [a, b]) => {
            small(distinct(a.elements().filter(|own| b.elements().all(|other| other != *own)).cloned()))
        }
        (L::Zipped, [a, b]) => zipped(a, b, ","),
        (L::Zipped, [a, b, separator]) => zipped(a, b, &text_form(separator)?),
        (_, [list]) => of_one(function, list.elements().cloned().collect()),
        (L::Percentile, [list, percent]) => percentile(list, Number::of(percent)?.as_f64()),
        (L::Joined, [list, separator]) => {
            let texts: Vec<_> = list.elements().filter_map(text_form).collect();
            (!texts.is_empty()).then_some(())?;
            Some(Value::text(texts.join(text_form(separator)?.as_ref())))
        }
        (L::Slice, [list, first]) => slice(list, whole(first)?, whole(first)?),
        (L::Slice, [list, first, last]) => slice(list, whole(first)?, whole(last)?),
        (L::Appended, [a, b]) if !a.is_missing() && !b.is_missing() => {
            small(a.elements().chain(b.elements()).cloned().collect())
        }
        (L::WeightedByPosition, [list, power]) => {
            let power = Number::of(power)?.as_f64();
            let numbers: Vec<f64> = list.elements().filter_map(Value::as_number).collect();
            (!numbers.is_empty()).then_some(())?;
            let terms = numbers.iter().enumerate().map(|(at, number)| number / ((at + 1) as f64).powf(power));
            Number::Float(terms.sum()).into_value()
        }
        _ => None,
    }
}

/// The functions of one argument.
fn of_one(function: &ListFunction, mut values: Vec<Value>) -> Option<Value> {
    use ListFunction as L;
    match function {
        L::Single if values.len() > 1 => None,
        L::Single | L::Values => small(values),
        L::Sorted { descending } => {
            values.sort_by(|a, b| if *descending { compare(b, a) } else { compare(a, b) });
            small(values)
        }
        L::Reversed => {
            values.reverse();
            small(values)
        }
        L::Distinct => small(distinct(values)),
        L::DistinctTexts if values.iter().all(|value| matches!(value, Value::Text(_))) => small(distinct(values)),
        L::DistinctTexts => small(values),
        L::Count => (!values.is_empty()).then_some(Value::Int(values.len() as i64)),
        L::First => values.into_iter().next(),
        L::Last => values.pop(),
        L::Min => values.into_iter().min_by(compare),
        // Of equal ones the first, as for the least.
        L::Max => values.into_iter().rev().max_by(compare),
        L::Sum => sum(&numbers(&values)?),
        L::Average => {
            let numbers = numbers(&values)?;
            Number::Float(FractionSum::of(numbers.iter().map(|n| n.as_f64())) / numbers.len() as f64).into_value()
        }
        L::Median => median(numbers(&values)?),
        L::MedianAbsoluteDeviation => {
            let numbers = numbers(&values)?;
            let middle = Number::of(&median(numbers.clone())?)?;
            median(numbers.into_iter().map(|number| distance(number, middle)).collect())
        }
        _ => None,
    }
}

fn each(function: &Function, list: &Value, further: &[Value], regexes: &Regexes) -> Value {
    let call = |single: &Value| {
        let mut arguments = vec![single.clone()];
        arguments.extend_from_slice(further);
        apply_function(function, &arguments, regexes)
    };
    small(list.elements().map(call).filter(|value| !value.is_null()).collect()).unwrap_or_default()
}

/// Several values in their smallest form.
pub(super) fn small(mut values: Vec<Value>) -> Option<Value> {
    if values.len() == 1 { values.pop() } else { (!values.is_empty()).then(|| Value::list(values)) }
}

fn distinct(values: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let mut seen = rustc_hash::FxHashSet::default();
    values.into_iter().filter(|value| seen.insert(value.clone())).collect()
}

/// Booleans, numbers by size, texts byte by byte, the rest by its text.
fn compare(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) => 2,
        Value::Text(_) => 3,
        Value::List(_) | Value::Object(_) => 4,
    };
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        _ => match (Number::of(a), Number::of(b)) {
            (Some(a), Some(b)) => a.compare(b).unwrap_or(Ordering::Equal),
            _ => rank(a).cmp(&rank(b)).then_with(|| a.to_string().cmp(&b.to_string())),
        },
    }
}

/// The numbers, all of them; none if there is anything else or nothing.
fn numbers(values: &[Value]) -> Option<Vec<Number>> {
    let numbers: Vec<Number> = values.iter().map(Number::of).collect::<Option<_>>()?;
    (!numbers.is_empty()).then_some(numbers)
}

fn sum(numbers: &[Number]) -> Option<Value> {
    let mut whole = Some(0_i64);
    for number in numbers {
        match number {
            Number::Int(n) => whole = Some(whole?.checked_add(*n)?),
            Number::Float(_) => return Number::Float(FractionSum::of(numbers.iter().map(|n| n.as_f64()))).into_value(),
        }
    }
    whole.map(Value::Int)
}

fn sort(numbers: &mut [Number]) {
    numbers.sort_by(|a, b| a.compare(*b).unwrap_or(Ordering::Equal));
}

fn median(mut numbers: Vec<Number>) -> Option<Value> {
    sort(&mut numbers);
    let upper = *numbers.get(numbers.len() / 2)?;
    if numbers.len() % 2 == 1 {
        return upper.into_value();
    }
    match (*numbers.get(numbers.len() / 2 - 1)?, upper) {
        (Number::Int(a), Number::Int(b)) => Some(Value::Int(((i128::from(a) + i128::from(b)) >> 1) as i64)),
        (a, b) => Number::Float(f64::midpoint(a.as_f64(), b.as_f64())).into_value(),
    }
}

fn distance(a: Number, b: Number) -> Number {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => {
            let distance = (i128::from(a) - i128::from(b)).unsigned_abs();
            i64::try_from(distance).map_or(Number::Float(distance as f64), Number::Int)
        }
        (a, b) => Number::Float((a.as_f64() - b.as_f64()).abs()),
    }
}

fn percentile(list: &Value, percent: f64) -> Option<Value> {
    let values: Vec<Value> = list.elements().cloned().collect();
    let mut numbers = numbers(&values)?;
    sort(&mut numbers);
    if !(0.0..=100.0).contains(&percent) {
        return None;
    }
    let place = percent / 100.0 * (numbers.len() - 1) as f64;
    let (low, high) = (*numbers.get(place.floor() as usize)?, *numbers.get(place.ceil() as usize)?);
    let share = place - place.floor();
    let value = low.as_f64() + share * (high.as_f64() - low.as_f64());
    match (low, high) {
        (Number::Int(low), Number::Int(high)) if low == high => Some(Value::Int(low)),
        (Number::Int(_), Number::Int(_)) => Some(Value::Int(value.trunc() as i64)),
        _ => Number::Float(value).into_value(),
    }
}

fn slice(list: &Value, first: i64, last: i64) -> Option<Value> {
    let values: Vec<Value> = list.elements().cloned().collect();
    let length = values.len() as i64;
    let place = |position: i64| if position < 0 { position.saturating_add(length) } else { position };
    let (first, last) = (place(first), place(last).min(length - 1));
    if first > last || last < 0 {
        return None;
    }
    small(values.get(first.max(0) as usize..=last as usize)?.to_vec())
}

fn zipped(a: &Value, b: &Value, separator: &str) -> Option<Value> {
    let texts = |value: &Value| value.elements().filter_map(text_form).collect::<Vec<_>>();
    let (a, b) = (texts(a), texts(b));
    let pair = |at: usize| match (a.get(at), b.get(at)) {
        (Some(a), Some(b)) => Value::text(format!("{a}{separator}{b}")),
        (one, other) => one.or(other).map_or(Value::Null, |only| Value::Text(std::sync::Arc::clone(only))),
    };
    small((0..a.len().max(b.len())).map(pair).collect())
}
