//! The evaluator by the book: one predicate, one event, straight from the words of the IR.
//!
//! It is what the fast evaluator is held against, so it shares nothing with it but the IR's types: it has its own
//! wildcard matcher, its own numbers, its own everything, and takes no care to be quick. The one thing that both use
//! is [`crate::eval`], which is tested on its own.

use std::net::IpAddr;

use lurcher_ir::{Bound, Case, FieldRef, Phrase, Predicate, Test, Wildcard, WildcardPiece, Word, fold_text, words};
use lurcher_schema::{Event, Schemas, Taxonomy, Timestamp, Value};

use crate::eval::{CompiledExpr, Row};

/// Whether the predicate holds for the event. `now` is the time of the run, for an event without a
/// time.
pub fn holds(predicate: &Predicate, event: &Event, schemas: &Schemas, now: Timestamp) -> bool {
    match predicate {
        Predicate::Constant(truth) => *truth,
        Predicate::All(parts) => parts.iter().all(|part| holds(part, event, schemas, now)),
        Predicate::Any(parts) => parts.iter().any(|part| holds(part, event, schemas, now)),
        Predicate::Not(inner) => !holds(inner, event, schemas, now),
        Predicate::Test { field, test } => {
            let value = schemas.bind(field.taxonomy, field.path.as_str(), &event.shape).value(event);
            passes(test, &value)
        }
        Predicate::Holds { expr, fields } => {
            let now = event.time.unwrap_or(now);
            CompiledExpr::new(expr).holds(*fields, &mut EventRow { event, schemas }, now)
        }
    }
}

/// Whether a field with this value passes the test: a missing one never does; of several values one is enough.
pub fn passes(test: &Test, value: &Value) -> bool {
    if *test == Test::Single {
        let mut values = value.elements();
        let Some(first) = values.next() else { return false };
        return values.all(|other| other == first);
    }
    value.elements().any(|single| single_passes(test, single))
}

fn single_passes(test: &Test, value: &Value) -> bool {
    let text = match value {
        Value::Text(text) => text.to_string(),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => value.to_string(),
        Value::Null | Value::List(_) => return false,
        Value::Object(_) => return matches!(test, Test::Exists | Test::Single),
    };
    let by = |case: &Case, text: &str| match case {
        Case::Sensitive => text.to_owned(),
        Case::Insensitive => fold_text(text),
    };
    match test {
        // Of several values, those that differ were counted before.
        Test::Exists | Test::Single => true,
        Test::Equals(wanted, case) => equals(value, &text, wanted, *case),
        Test::OneOf(wanted, case) => wanted.iter().any(|wanted| equals(value, &text, wanted, *case)),
        Test::Prefix(part, case) => by(case, &text).starts_with(&by(case, part)),
        Test::Suffix(part, case) => by(case, &text).ends_with(&by(case, part)),
        Test::Contains(part, case) => by(case, &text).contains(&by(case, part)),
        Test::Wildcard(pattern, case) => wildcard(pattern, &text, *case),
        Test::Regex(regex) => regex::Regex::new(&regex.pattern).is_ok_and(|regex| regex.is_match(&text)),
        Test::InNetwork(blocks) => {
            text.parse::<IpAddr>().is_ok_and(|address| blocks.iter().any(|block| block.contains(address)))
        }
        Test::Range { low, high } => {
            low.as_ref().is_none_or(|bound| bounded(value, &text, bound, true))
                && high.as_ref().is_none_or(|bound| bounded(value, &text, bound, false))
        }
        Test::Length { min, max } => {
            let length = text.encode_utf16().count() as u64;
            length >= *min && max.is_none_or(|max| length <= max)
        }
        Test::Phrase(wanted) => phrase(wanted, &text),
        Test::Near(near) => near.is_near(&text),
    }
}

fn equals(value: &Value, text: &str, wanted: &Value, case: Case) -> bool {
    match wanted {
        Value::Text(wanted) => match case {
            Case::Sensitive => text == wanted.as_ref(),
            Case::Insensitive => fold_text(text) == fold_text(wanted),
        },
        Value::Bool(wanted) => match value {
            Value::Bool(own) => own == wanted,
            Value::Text(own) => own.to_ascii_lowercase() == wanted.to_string(),
            _ => false,
        },
        Value::Int(wanted) => match (value, number(value)) {
            (Value::Int(own), _) => own == wanted,
            (Value::Text(own), _) if own.parse::<i64>().is_ok() => own.parse() == Ok(*wanted),
            (_, Some(own)) => own.partial_cmp(&(*wanted as f64)).is_some_and(std::cmp::Ordering::is_eq),
            _ => false,
        },
        Value::Float(wanted) => {
            number(value).and_then(|own| own.partial_cmp(wanted)).is_some_and(std::cmp::Ordering::is_eq)
        }
        Value::Null | Value::List(_) | Value::Object(_) => false,
    }
}

/// The number that a value is or that its text reads as.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(n) => Some(*n as f64),
        Value::Float(n) => Some(*n),
        Value::Text(text) if text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) => {
            text.parse().ok().filter(|n: &f64| n.is_finite()).filter(|_| !text.starts_with(['e', 'E']))
        }
        _ => None,
    }
}

fn bounded(value: &Value, text: &str, bound: &Bound, low: bool) -> bool {
    let order = if let Some(end) = bound.time {
        let time = match value {
            Value::Text(text) => Timestamp::parse(text),
            Value::Int(millis) => Some(Timestamp::from_millis(*millis)),
            Value::Float(millis) => Some(Timestamp((millis * 1000.0) as i64)),
            _ => None,
        };
        time.map(|time| time.cmp(&end))
    } else {
        match &bound.value {
            Value::Int(end) => match value {
                Value::Int(own) => Some(own.cmp(end)),
                Value::Text(own) if own.parse::<i64>().is_ok() => own.parse().ok().map(|own: i64| own.cmp(end)),
                _ => number(value).and_then(|own| own.partial_cmp(&(*end as f64))),
            },
            Value::Float(end) => number(value).and_then(|own| own.partial_cmp(end)),
            Value::Text(end) => Some(text.cmp(end)),
            _ => None,
        }
    };
    order.is_some_and(|order| if low { order.is_gt() } else { order.is_lt() } || (bound.inclusive && order.is_eq()))
}

/// Whole-value wildcard match by the classic table: `row[i]` says whether the pieces so far match the first `i`
/// characters.
fn wildcard(pattern: &Wildcard, text: &str, case: Case) -> bool {
    let form = |text: &str| if case == Case::Insensitive { fold_text(text) } else { text.to_owned() };
    let text: Vec<char> = form(text).chars().collect();
    let mut row = vec![false; text.len() + 1];
    row[0] = true;
    for piece in pattern.pieces.iter() {
        match piece {
            WildcardPiece::Any => {
                let first = row.iter().position(|reached| *reached).unwrap_or(row.len());
                row.iter_mut().skip(first).for_each(|reached| *reached = true);
            }
            WildcardPiece::One => {
                row.rotate_right(1);
                row[0] = false;
            }
            WildcardPiece::Literal(literal) => {
                for letter in form(literal).chars() {
                    row = (0..=text.len()).map(|at| at > 0 && row[at - 1] && text[at - 1] == letter).collect();
                }
            }
        }
    }
    row[text.len()]
}

/// Tries every way to give the words of the phrase places of their own.
fn phrase(phrase: &Phrase, text: &str) -> bool {
    let folded = fold_text(text);
    let words: Vec<&str> = words(&folded).into_iter().map(|place| &folded[place]).collect();
    let mut layouts: Vec<Vec<usize>> = vec![Vec::new()];
    for (at, wanted) in phrase.words.iter().enumerate() {
        let mut longer = Vec::new();
        for layout in &layouts {
            for place in (0..words.len()).filter(|place| !layout.contains(place) && word(wanted, words[*place])) {
                let mut layout = layout.clone();
                layout.push(place);
                let moved = || layout.iter().enumerate().map(|(own, place)| *place as i64 - own as i64);
                let spread = moved().max().unwrap_or(0) - moved().min().unwrap_or(0);
                if spread <= i64::from(phrase.slop) {
                    longer.push(layout);
                }
            }
        }
        layouts = longer;
        if layouts.is_empty() {
            return at >= phrase.words.len();
        }
    }
    true
}

fn word(wanted: &Word, word: &str) -> bool {
    match wanted {
        Word::Is(text) => fold_text(text) == word,
        Word::Like(pattern) => wildcard(pattern, word, Case::Insensitive),
        Word::Matches(regex) => regex::Regex::new(&regex.pattern).is_ok_and(|regex| regex.is_match(word)),
        Word::Near(near) => near.is_near(word),
        Word::Between { low, high } => {
            let order = |end: &str| word.cmp(end);
            low.as_ref().is_none_or(|(end, within)| order(end).is_gt() || (*within && order(end).is_eq()))
                && high.as_ref().is_none_or(|(end, within)| order(end).is_lt() || (*within && order(end).is_eq()))
        }
    }
}

/// An event as the source of an expression's leaves.
struct EventRow<'a> {
    event: &'a Event,
    schemas: &'a Schemas,
}

impl Row for EventRow<'_> {
    fn field(&mut self, field: &FieldRef) -> Value {
        self.schemas.value(self.event, field.taxonomy, field.path.as_str())
    }

    fn event(&mut self, taxonomy: Taxonomy) -> Value {
        Value::Object(std::sync::Arc::new(self.schemas.normalise(self.event, taxonomy)))
    }

    fn column(&mut self, _name: &str) -> Value {
        Value::Null
    }
}
