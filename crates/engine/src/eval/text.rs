//! Functions of text: pieces, positions, affixes.
//!
//! Positions of the functions that EQL uses count UTF-16 code units, as the JVM does; the others count characters.

use std::borrow::Cow;

use lurcher_ir::{Case, Function, fold_char, fold_text};
use lurcher_schema::Value;

use super::convert::{text_form, truth, whole};

pub(super) fn apply(function: &Function, values: &[Value]) -> Option<Value> {
    use Function as F;
    match (function, values) {
        (F::Concat, parts) => {
            let parts: Vec<_> = parts.iter().map(text_form).collect::<Option<_>>()?;
            Some(Value::text(parts.concat()))
        }
        (F::ConcatLenient, parts) => {
            let parts: Vec<_> = parts.iter().filter(|part| !part.is_null()).map(text_form).collect::<Option<_>>()?;
            Some(Value::text(parts.concat()))
        }
        (F::LengthUtf16, [text]) => Some(Value::Int(text_form(text)?.encode_utf16().count() as i64)),
        (F::Length, [Value::List(items)]) => Some(Value::Int(items.len() as i64)),
        (F::Length, [text]) => Some(Value::Int(text_form(text)?.chars().count() as i64)),
        (F::Lower, [text]) => Some(Value::text(text_form(text)?.to_lowercase())),
        (F::Upper, [text]) => Some(Value::text(text_form(text)?.to_uppercase())),
        (F::Trim, [text]) => Some(Value::text(text_form(text)?.trim())),
        (F::Slice, [text, start]) => Some(slice(&text_form(text)?, whole(start)?, None)),
        (F::Slice, [text, start, end]) => Some(slice(&text_form(text)?, whole(start)?, Some(whole(end)?))),
        (F::Substring, [text, start]) => substring(&text_form(text)?, whole(start)?, None),
        (F::Substring, [text, start, length]) => substring(&text_form(text)?, whole(start)?, Some(whole(length)?)),
        (F::IndexOf(case), [text, part]) => index_of(&text_form(text)?, &text_form(part)?, 0, *case),
        (F::IndexOf(case), [text, part, start]) => index_of(&text_form(text)?, &text_form(part)?, whole(start)?, *case),
        (F::Between { case, greedy }, [text, left, right]) => {
            between(&text_form(text)?, &text_form(left)?, &text_form(right)?, *case, *greedy)
        }
        // A greediness that is computed rather than written stands as a fourth argument.
        (F::Between { case, greedy }, [text, left, right, more]) => {
            let greedy = truth(more)? || *greedy;
            between(&text_form(text)?, &text_form(left)?, &text_form(right)?, *case, greedy)
        }
        (F::StartsWith(case), [text, part]) => {
            let (text, part) = (text_form(text)?, text_form(part)?);
            Some(Value::Bool(fold(&text, *case).starts_with(fold(&part, *case).as_ref())))
        }
        (F::EndsWith(case), [text, part]) => {
            let (text, part) = (text_form(text)?, text_form(part)?);
            Some(Value::Bool(fold(&text, *case).ends_with(fold(&part, *case).as_ref())))
        }
        (F::ContainsNonEmpty(case), [text, part]) => {
            let (text, part) = (text_form(text)?, text_form(part)?);
            let found =
                !text.is_empty() && !part.is_empty() && fold(&text, *case).contains(fold(&part, *case).as_ref());
            Some(Value::Bool(found))
        }
        _ => None,
    }
}

fn fold(text: &str, case: Case) -> Cow<'_, str> {
    match case {
        Case::Sensitive => text.into(),
        Case::Insensitive => fold_text(text).into(),
    }
}

/// Where a position lies that may count from the end, cut to the text.
fn clip(position: i64, length: usize) -> usize {
    let length = length as i64;
    let position = if position < 0 { length.saturating_add(position) } else { position };
    position.clamp(0, length) as usize
}

fn slice(text: &str, start: i64, end: Option<i64>) -> Value {
    let units: Vec<u16> = text.encode_utf16().collect();
    let (start, end) = (clip(start, units.len()), end.map_or(units.len(), |end| clip(end, units.len())));
    Value::text(String::from_utf16_lossy(units.get(start..end).unwrap_or_default()))
}

/// A position of zero means the first character, as one does; a negative length is none.
fn substring(text: &str, start: i64, length: Option<i64>) -> Option<Value> {
    let characters = text.chars().count();
    let start = clip(if start > 0 { start - 1 } else { start }, characters);
    let length = length.map_or(Some(characters), |length| usize::try_from(length).ok())?;
    Some(Value::text(text.chars().skip(start).take(length).collect::<String>()))
}

fn index_of(text: &str, part: &str, start: i64, case: Case) -> Option<Value> {
    // Folding goes character by character and leaves the number of code units alone, so positions stay true.
    let text: Vec<u16> = fold(text, case).encode_utf16().collect();
    let part: Vec<u16> = fold(part, case).encode_utf16().collect();
    let start = usize::try_from(start.max(0)).ok().filter(|start| *start <= text.len())?;
    if part.is_empty() {
        return Some(Value::Int(start as i64));
    }
    let at = text.get(start..)?.windows(part.len()).position(|window| window == part.as_slice())?;
    Some(Value::Int((start + at) as i64))
}

fn between(text: &str, left: &str, right: &str, case: Case, greedy: bool) -> Option<Value> {
    let (_, start) = find(text, left, 0, case)?;
    let mut end = find(text, right, start, case)?;
    if greedy {
        while let Some(next) = text[end.0..].chars().next().and_then(|c| find(text, right, end.0 + c.len_utf8(), case))
        {
            end = next;
        }
    }
    Some(Value::text(&text[start..end.0]))
}

/// Where `part` stands in `text` at or after a character boundary: the bytes where it begins and ends.
fn find(text: &str, part: &str, from: usize, case: Case) -> Option<(usize, usize)> {
    let rest = text.get(from..)?;
    if case == Case::Sensitive {
        return rest.find(part).map(|at| (from + at, from + at + part.len()));
    }
    let starts = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    starts.into_iter().find_map(|at| {
        let mut characters = rest[at..].char_indices();
        for expected in part.chars() {
            let (_, found) = characters.next()?;
            if fold_char(found) != fold_char(expected) {
                return None;
            }
        }
        let end = rest.len() - characters.as_str().len();
        Some((from + at, from + end))
    })
}
