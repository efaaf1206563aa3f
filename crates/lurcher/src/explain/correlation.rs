//! A correlation in plain words: how much of what must happen for whom, and within which time.
//!
//! The filters themselves are told before; here they go by their numbers.

use std::fmt::Write as _;

use lurcher_ir::{
    Comparison, Correlation, CorrelationCondition, CorrelationInput, CorrelationRead, FieldRef, Measure, Occurrence,
};

use super::rule::span;
use crate::why;

/// The words, indented.
pub(super) fn words(correlation: &Correlation, indent: usize, width: usize) -> String {
    let mut out = why::wrapped(&format!("For {}:", scope(correlation)), indent, width);
    out.push_str(&why::wrapped(&condition(correlation), indent + 2, width));
    for (number, input) in correlation.inputs.iter().enumerate() {
        let place = " ".repeat(indent + 4);
        match input {
            CorrelationInput::Filter { filter, reads, .. } => {
                let by = reads.first().map(|read| by(correlation, read)).unwrap_or_default();
                let _ = writeln!(out, "{place}{}. events that pass filter {filter}{by}", letter(number));
            }
            CorrelationInput::Correlation(inner) => {
                let _ = writeln!(out, "{place}{}. matches of a correlation:", letter(number));
                out.push_str(&words(inner, indent + 7, width));
            }
        }
    }
    out
}

/// `the same User within 10 minutes`.
fn scope(correlation: &Correlation) -> String {
    let within = correlation.span.map_or_else(|| "at any time".to_owned(), |time| format!("within {}", span(time)));
    match correlation.keys.as_slice() {
        [] => format!("all events together, {within}"),
        keys => format!("the same {}, {within}", keys.join(" and ")),
    }
}

/// What must happen.
fn condition(correlation: &Correlation) -> String {
    match &correlation.condition {
        CorrelationCondition::Measure { measure, comparisons } => {
            let amount: Vec<String> = comparisons.iter().map(|(how, value)| amount(*how, *value)).collect();
            measured(*measure, &amount.join(" and "), &values(&correlation.inputs))
        }
        CorrelationCondition::Occur(occurrence) => format!("there are events of {}", names(occurrence, true)),
        CorrelationCondition::OccurInOrder(occurrence) => {
            format!("there are events of {}, one after the other in this order", names(occurrence, true))
        }
    }
}

fn measured(measure: Measure, amount: &str, fields: &str) -> String {
    match measure {
        Measure::Events => format!("there are {amount} events of"),
        Measure::Inputs => format!("there are events of {amount} of these"),
        Measure::InputsInOrder => format!("there are events of {amount} of these, one after the other in this order"),
        Measure::Distinct => format!("there are {amount} different values of {fields} in"),
        Measure::Sum => format!("the sum of {fields} is {amount} in"),
        Measure::Average => format!("the mean of {fields} is {amount} in"),
        Measure::Percentile(percent) => format!("percentile {percent} of {fields} is {amount} in"),
    }
}

fn amount(how: Comparison, value: f64) -> String {
    let words = match how {
        Comparison::Less => "fewer than",
        Comparison::LessOrEqual => "at most",
        Comparison::Greater => "more than",
        Comparison::GreaterOrEqual => "at least",
        Comparison::Equal => "exactly",
        Comparison::NotEqual => "not exactly",
    };
    format!("{words} {value}")
}

/// The fields that are counted or computed with, by the names of the first filter.
fn values(inputs: &[CorrelationInput]) -> String {
    let fields = inputs.iter().find_map(|input| match input {
        CorrelationInput::Filter { reads, .. } => reads.first().map(|read| paths(&read.values)),
        CorrelationInput::Correlation(inner) => Some(values(&inner.inputs)),
    });
    fields.unwrap_or_default()
}

/// Which inputs; what is more than one of a kind stands in parentheses, but for the outermost.
fn names(occurrence: &Occurrence, outermost: bool) -> String {
    let joined = |parts: &[Occurrence], word: &str| {
        let text = parts.iter().map(|part| names(part, false)).collect::<Vec<_>>().join(word);
        if outermost || parts.len() < 2 { text } else { format!("({text})") }
    };
    match occurrence {
        Occurrence::Input(number) => letter(*number),
        Occurrence::All(parts) => joined(parts, " and "),
        Occurrence::Any(parts) => joined(parts, " or "),
        Occurrence::Not(inner) => format!("not {}", names(inner, false)),
    }
}

/// The fields that the key is in these events, where they are not called like the key.
fn by(correlation: &Correlation, read: &CorrelationRead) -> String {
    let same = correlation.keys.iter().zip(&read.keys).all(|(key, field)| **key == *field.path.as_str());
    if same { String::new() } else { format!(", by {}", paths(&read.keys)) }
}

fn paths(fields: &[FieldRef]) -> String {
    fields.iter().map(|field| field.path.as_str()).collect::<Vec<_>>().join(" and ")
}

/// `a`, `b` … `z`, then numbers.
fn letter(number: usize) -> String {
    let letter = u8::try_from(number).ok().filter(|number| *number < 26).map(|number| char::from(b'a' + number));
    letter.map_or_else(|| (number + 1).to_string(), String::from)
}
