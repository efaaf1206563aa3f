//! Functions that take values as what they read as; see [`LooseFunction`].
//!
//! Here are those of any value; numbers, texts, times and documents have files of their own.

mod documents;
mod numbers;
mod paths;
mod texts;
mod times;

use lurcher_ir::{Function, LooseFunction};
use lurcher_schema::Value;

use super::{
    MAX_COMBINATIONS, Regexes,
    convert::{read_number, text_form, truth},
    number::Number,
};

/// Applies a function to values.
pub(super) fn apply(function: &LooseFunction, values: &[Value], regexes: &Regexes) -> Option<Value> {
    use LooseFunction as F;
    match function {
        F::AnyValue(inner) => any_value(inner, values, regexes),
        F::Contrary(inner) => truth(&super::apply(inner, values, regexes)).map(|truth| Value::Bool(!truth)),
        F::TypeName => Some(Value::text(type_name(values.first()?))),
        F::IsNumber => Some(Value::Bool(number(values.first()?).is_some())),
        F::IsWhole => Some(Value::Bool(number(values.first()?).is_some_and(|n| numbers::whole(n).is_some()))),
        F::IsText => {
            let value = values.first()?;
            Some(Value::Bool(!value.is_missing() && number(value).is_none()))
        }
        F::Number
        | F::Add
        | F::Less
        | F::LessOrEqual
        | F::Greatest
        | F::Least
        | F::Sum
        | F::Mean
        | F::Round
        | F::Calculate(_)
        | F::Bits(_)
        | F::Written(_)
        | F::Bucket
        | F::BucketRange
        | F::PowerRange
        | F::LeadingNumber
        | F::Kilobytes => numbers::apply(function, values),
        F::FormatTime | F::ParseTime | F::RelativeTime | F::MonthBucket | F::Duration | F::ReadDuration => {
            times::apply(function, values)
        }
        F::PathValue | F::TagValue(_) | F::Json(_) => documents::apply(function, values),
        F::Printf
        | F::Trimmed(_)
        | F::MatchPosition(_)
        | F::ReplaceNth(..)
        | F::AllCaptures(..)
        | F::MatchPlace(..)
        | F::FoundWithin(_)
        | F::PairValue(_)
        | F::Tokens(_)
        | F::Parts
        | F::MaskAddress
        | F::LikeComputed
        | F::ByRegex(..)
        | F::UrlDecoded
        | F::Entropy => texts::apply(function, values, regexes),
    }
}

/// The number that a value is or reads as. A list of one is its value.
fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Text(text) => read_number(text.trim()),
        Value::List(items) if items.len() == 1 => number(items.first()?),
        _ => Number::of(value),
    }
}

/// The text form of a value. A list of one is its value.
fn text(value: &Value) -> Option<std::sync::Arc<str>> {
    match value {
        Value::List(items) if items.len() == 1 => text(items.first()?),
        _ => text_form(value),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "Invalid",
        Value::Bool(_) => "Boolean",
        value if number(value).is_some() => "Number",
        _ => "String",
    }
}

/// A function of every combination of single values.
fn any_value(inner: &Function, values: &[Value], regexes: &Regexes) -> Option<Value> {
    if !values.iter().any(|value| matches!(value, Value::List(_))) {
        return truth(&super::apply(inner, values, regexes)).map(Value::Bool);
    }
    let choices: Vec<Vec<Value>> = values
        .iter()
        .map(|value| {
            let single: Vec<Value> = value.elements().cloned().collect();
            if single.is_empty() { vec![Value::Null] } else { single }
        })
        .collect();
    let mut at = vec![0; choices.len()];
    let mut found = None;
    for _ in 0..MAX_COMBINATIONS {
        let chosen: Vec<Value> =
            choices.iter().zip(&at).map(|(choice, at)| choice.get(*at).cloned().unwrap_or_default()).collect();
        match truth(&super::apply(inner, &chosen, regexes)) {
            Some(true) => return Some(Value::Bool(true)),
            Some(false) => found = Some(Value::Bool(false)),
            None => {}
        }
        let mut place = 0;
        loop {
            let (Some(index), Some(choice)) = (at.get_mut(place), choices.get(place)) else { return found };
            *index += 1;
            if *index < choice.len() {
                break;
            }
            *index = 0;
            place += 1;
        }
    }
    found
}

/// The regular expressions of a function, to be compiled.
pub(super) fn regexes<'f>(function: &'f LooseFunction, visit: &mut dyn FnMut(&'f lurcher_ir::Regex)) {
    use LooseFunction as F;
    match function {
        F::AnyValue(inner) | F::Contrary(inner) => super::regexes_of(inner, visit),
        F::MatchPosition(regex)
        | F::ReplaceNth(regex, _)
        | F::AllCaptures(regex, _)
        | F::MatchPlace(regex, _)
        | F::FoundWithin(regex)
        | F::Tokens(regex) => visit(regex),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
