//! Predicates as trees of sentences: without an event what is wanted, with one what of it holds.

use std::fmt::Write as _;

use lurcher_engine::explain::{Explanation, Reason};
use lurcher_ir::{Predicate, Quantifier};
use serde_json::{Value as Json, json};

use crate::why;

/// So many alternatives are shown one by one.
const ALTERNATIVES: usize = 12;
/// How wide the column of sentences is before the value goes to a line of its own.
const SENTENCE: usize = 62;

/// What a predicate wants, in lines with this indentation.
pub(super) fn wanted(predicate: &Predicate, indent: usize, width: usize) -> String {
    let mut out = String::new();
    want(predicate, false, indent, width, &mut out);
    out
}

fn want(predicate: &Predicate, negated: bool, indent: usize, width: usize, out: &mut String) {
    let not = if negated { "not: " } else { "" };
    let mut line = |text: String| {
        let room = width.saturating_sub(indent + 2);
        let _ = writeln!(out, "{:indent$}- {}", "", why::cut(&text, room));
    };
    match predicate {
        Predicate::Constant(truth) => line(format!("{not}always {truth}")),
        Predicate::Test { field, test } => line(format!("{not}{} {}", field.path, why::test(test))),
        Predicate::Holds { expr, fields } => {
            let each = if *fields == Quantifier::AnyValue { "" } else { " (lists as a whole)" };
            line(format!("{not}{}{each}", why::expression(expr)));
        }
        Predicate::Not(inner) => want(inner, !negated, indent, width, out),
        Predicate::All(parts) | Predicate::Any(parts) => {
            let all = matches!(predicate, Predicate::All(_));
            line(format!("{not}{}", if all { "all of" } else { "one of" }));
            for part in parts.iter().take(ALTERNATIVES) {
                want(part, false, indent + 2, width, out);
            }
            if parts.len() > ALTERNATIVES {
                let _ = writeln!(out, "{:indent$}  … and {} more", "", parts.len() - ALTERNATIVES);
            }
        }
    }
}

/// What of it holds for an event: `✓` or `✗` before each sentence, the event's value behind it.
pub(super) fn judged(explanation: &Explanation<'_>, indent: usize, width: usize) -> String {
    let mut out = String::new();
    judge(explanation, false, indent, width, &mut out);
    out
}

fn judge(explanation: &Explanation<'_>, negated: bool, indent: usize, width: usize, out: &mut String) {
    // Below a negation the sentence says what must not be; its mark says whether that is so.
    let mark = if explanation.holds == negated { '✗' } else { '✓' };
    let not = if negated { "not: " } else { "" };
    match &explanation.reason {
        Reason::Constant => line(mark, &format!("{not}always {}", explanation.holds), None, indent, width, out),
        Reason::Test { field, test, value } => {
            let sentence = format!("{not}{} {}", field.path, why::test(test));
            line(mark, &sentence, Some(&why::shown(value)), indent, width, out);
        }
        Reason::Holds { expr, fields } => {
            let values: Vec<String> =
                fields.iter().map(|(field, value)| format!("{} = {}", field.path, why::shown(value))).collect();
            line(mark, &format!("{not}{}", why::expression(expr)), Some(&values.join(", ")), indent, width, out);
        }
        Reason::Not(inner) => judge(inner, !negated, indent, width, out),
        Reason::All(parts) | Reason::Any(parts) => {
            let all = matches!(explanation.reason, Reason::All(_));
            let word = if all { "all of" } else { "one of" };
            line(mark, &format!("{not}{word}"), None, indent, width, out);
            let (shown, hidden) = worth_showing(parts, all);
            for part in shown {
                judge(part, false, indent + 2, width, out);
            }
            if hidden > 0 {
                let so = if all { "that hold" } else { "that do not hold" };
                let _ = writeln!(out, "{:indent$}    … and {hidden} more {so}", "");
            }
        }
    }
}

/// Of many parts those that decide, and as many of the others as there is room for.
fn worth_showing<'e, 'a>(parts: &'e [Explanation<'a>], all: bool) -> (Vec<&'e Explanation<'a>>, usize) {
    if parts.len() <= ALTERNATIVES {
        return (parts.iter().collect(), 0);
    }
    let deciding = parts.iter().filter(|part| part.holds != all).count();
    let mut room = ALTERNATIVES.saturating_sub(deciding);
    let shown: Vec<&Explanation<'a>> = parts
        .iter()
        .filter(|part| {
            part.holds != all || {
                let fits = room > 0;
                room = room.saturating_sub(1);
                fits
            }
        })
        .collect();
    let hidden = parts.len() - shown.len();
    (shown, hidden)
}

fn line(mark: char, sentence: &str, value: Option<&str>, indent: usize, width: usize, out: &mut String) {
    let column = SENTENCE.saturating_sub(indent);
    let sentence = why::cut(sentence, width.saturating_sub(indent + 2));
    let length = sentence.chars().count();
    let _ = write!(out, "{:indent$}{mark} {sentence}", "");
    if let Some(value) = value {
        let room = width.saturating_sub(indent + 4 + length.max(column));
        if length > column || value.chars().count() > room {
            let value = why::cut(value, width.saturating_sub(indent + 10));
            let _ = write!(out, "\n{:indent$}      has {value}", "");
        } else {
            let _ = write!(out, "{:pad$}  {value}", "", pad = column - length);
        }
    }
    out.push('\n');
}

/// The tree for programs.
pub(super) fn json(explanation: &Explanation<'_>) -> Json {
    let parts = |parts: &[Explanation<'_>]| parts.iter().map(json).collect::<Vec<_>>();
    let holds = explanation.holds;
    match &explanation.reason {
        Reason::Constant => json!({"holds": holds, "constant": holds}),
        Reason::Test { field, test, value } => json!({
            "holds": holds,
            "field": field.path.as_str(),
            "taxonomy": field.taxonomy.name(),
            "test": why::test(test),
            "value": value.to_json(),
        }),
        Reason::Holds { expr, fields } => json!({
            "holds": holds,
            "expression": expr.to_string(),
            "fields": fields.iter().map(|(field, value)| (field.path.to_string(), value.to_json())).collect::<serde_json::Map<_, _>>(),
        }),
        Reason::Not(inner) => json!({"holds": holds, "not": json(inner)}),
        Reason::All(all) => json!({"holds": holds, "all": parts(all)}),
        Reason::Any(any) => json!({"holds": holds, "any": parts(any)}),
    }
}
