//! Lists and objects.

use std::sync::Arc;

use lurcher_ir::Function;
use lurcher_schema::{Object, Value};

use super::convert::{text_form, whole};

/// The longest list that [`Function::Range`] makes; a longer one is null, so that a rule cannot ask for all memory.
const MAX_RANGE: i64 = 100_000;

pub(super) fn apply(function: &Function, values: &[Value]) -> Option<Value> {
    use Function as F;
    match (function, values) {
        (F::Split, [text, delimiter]) => {
            let (text, delimiter) = (text_form(text)?, text_form(delimiter)?);
            Some(if delimiter.is_empty() {
                Value::list(text.chars().map(|c| Value::text(c.to_string())))
            } else {
                Value::list(text.split(delimiter.as_ref()).map(Value::text))
            })
        }
        (F::Join, [list, delimiter]) if !list.is_null() => {
            let texts: Vec<Arc<str>> = list.elements().filter_map(text_form).collect();
            Some(Value::text(texts.join(text_form(delimiter)?.as_ref())))
        }
        (F::Append, parts) => {
            let items: Vec<Value> = parts.iter().flat_map(Value::elements).cloned().collect();
            (!items.is_empty()).then(|| Value::list(items))
        }
        (F::Index, [list, first]) if !list.is_null() => {
            let items = items(list);
            items.get(position(whole(first)?, items.len())?).cloned()
        }
        (F::Index, [list, first, last]) if !list.is_null() => {
            let items = items(list);
            let first = position(whole(first)?, items.len())?;
            let last = whole(last)?;
            let last = if last < 0 { position(last, items.len())? } else { (last as usize).min(items.len() - 1) };
            items.get(first..=last).filter(|found| !found.is_empty()).map(|found| Value::list(found.iter().cloned()))
        }
        (F::Range, [start, end]) => range(whole(start)?, whole(end)?, 1),
        (F::Range, [start, end, step]) => range(whole(start)?, whole(end)?, whole(step)?),
        (F::Member(path), [Value::Object(object)]) => object.path(path),
        (F::ObjectFromPairs, [Value::List(pairs)]) => object_from_pairs(pairs),
        (F::ObjectFromPairs, pairs) => object_from_pairs(pairs),
        _ => None,
    }
}

/// The elements of a list; a single value is a list of one.
pub(super) fn items(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        single => std::slice::from_ref(single),
    }
}

/// A 0-based position that may count from the end; none outside.
fn position(position: i64, length: usize) -> Option<usize> {
    let position = if position < 0 { position.checked_add(length as i64)? } else { position };
    usize::try_from(position).ok().filter(|position| *position < length)
}

fn range(start: i64, end: i64, step: i64) -> Option<Value> {
    let span = i128::from(end) - i128::from(start);
    let count = match step {
        0 => return None,
        _ if (span > 0) != (step > 0) => 0,
        _ => (span.abs() + i128::from(step).abs() - 1) / i128::from(step).abs(),
    };
    if count > i128::from(MAX_RANGE) {
        return None;
    }
    Some(Value::list((0..count as i64).map(|n| Value::Int(start + n * step))))
}

/// An object of names and values by turns. A name that is no scalar makes the whole null; a last name without a value
/// has none.
fn object_from_pairs(pairs: &[Value]) -> Option<Value> {
    let mut object = Object::default();
    for pair in pairs.chunks(2) {
        object.insert(text_form(pair.first()?)?, pair.get(1).cloned().unwrap_or_default());
    }
    Some(Value::Object(Arc::new(object)))
}
