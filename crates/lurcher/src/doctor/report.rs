//! Says what was found, the most important thing first.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::{
    diagnosis::{Findings, Lack, What},
    survey::Survey,
};
use crate::{outcome::count, why};

/// So many lacks are told unless all are asked for.
const LACKS: usize = 10;
/// So many rules are named as examples.
const EXAMPLES: usize = 3;
/// So many kinds of events are named.
const KINDS: usize = 6;
/// Where the fields that no rule reads stand: below the kind.
const UNREAD: usize = 33;
/// So many kinds of events are listed unless all are asked for.
const SHAPES: usize = 15;

/// The report for people.
pub(super) fn text(findings: &Findings, survey: &Survey, width: usize, verbose: bool) -> String {
    let mut out = String::new();
    let total = findings.rules.len();
    let barren = findings.barren();
    if let Some((first, last)) = survey.outside_times.filter(|_| survey.events == 0) {
        let text = format!("Every event lies outside --from and --to: they are from {first} to {last}.");
        out.push_str(&why::wrapped(&text, 0, width));
    } else if let Some(lack) = findings.lacks.first().filter(|_| barren > 0) {
        out.push_str(&why::wrapped(&headline(lack, total), 0, width));
    } else if findings.firing.is_empty() && survey.events > 0 {
        out.push_str("Every rule that can be run could fire on this data, and none found anything.\n");
    }
    let _ = writeln!(
        out,
        "{}: {} fire here, {} could and found nothing, {barren} can never fire on this data{}.",
        count(total as u64, "rule"),
        findings.firing.len(),
        findings.silent.len(),
        if findings.unrun.is_empty() { String::new() } else { format!(", {} cannot be run", findings.unrun.len()) }
    );
    out.push_str(&times(survey, width));
    // Of no events at all everything is lacking.
    if !findings.lacks.is_empty() && survey.events > 0 {
        out.push_str("\nWhat rules need and this data lacks\n");
        let shown = if verbose { findings.lacks.len() } else { LACKS };
        for (number, lack) in findings.lacks.iter().take(shown).enumerate() {
            out.push_str(&one(number + 1, lack, findings, width));
        }
        let more = findings.lacks.len().saturating_sub(shown);
        if more > 0 {
            let _ = writeln!(out, "  … and {} more (--verbose names all)", count(more as u64, "thing"));
        }
    }
    out.push_str(&here(findings, survey, width, verbose));
    out.push_str(&advice(findings, width));
    out
}

/// The first line: what would help most.
fn headline(lack: &Lack, total: usize) -> String {
    let number = lack.rules.len();
    let need = if number == 1 { "needs" } else { "need" };
    let rules = format!("{number} of {}", count(total as u64, "rule"));
    match &lack.what {
        What::Source(source) => format!("No {source}: {rules} {need} it and can never fire here."),
        What::Kind(kind) => format!("No {kind}: {rules} {need} it and can never fire here."),
        What::UnknownSource(source) => {
            format!("{rules} ask for a source that is not here and that Lurcher does not know: {source}.")
        }
        What::Field(field, raw, kinds) => {
            let of = if kinds.is_empty() { String::new() } else { format!(" in {kinds}") };
            format!("{field} is not logged{of} (no {}): {rules} {need} it.", raw.join(" or "))
        }
        What::NoSuchField(field) => format!("No event here can have {field}: {rules} {need} it."),
        What::Contradiction(field, value) => {
            format!("{field} is always {value} in the events that they see: {rules} want something else.")
        }
    }
}

fn one(number: usize, lack: &Lack, findings: &Findings, width: usize) -> String {
    let text = why::wrapped(&headline(lack, findings.rules.len()), 5, width);
    let mut out = format!("{number:3}. {}", text.trim_start());
    let list = |items: &[String]| {
        let more = items.len().saturating_sub(KINDS);
        let shown = items.iter().take(KINDS).cloned().collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{shown} and {more} more") } else { shown }
    };
    if matches!(lack.what, What::Source(_)) {
        let kinds: Vec<String> = lack
            .kinds
            .iter()
            .filter(|(kind, _)| !kind.event.is_empty())
            .map(|(kind, rules)| format!("{kind}: {rules}"))
            .collect();
        if !kinds.is_empty() {
            out.push_str(&why::wrapped(&format!("of its events: {}", list(&kinds)), 5, width));
        }
        // What would do for a few of the rules only is no advice.
        let worth = lack.instead.iter().filter(|(_, rules)| rules * 10 >= lack.rules.len());
        let instead: Vec<String> = worth.map(|(source, rules)| format!("{source} for {rules}")).collect();
        if !instead.is_empty() {
            out.push_str(&why::wrapped(&format!("would do as well: {}", list(&instead)), 5, width));
        }
    }
    let names: Vec<&str> = lack.rules.iter().take(EXAMPLES).map(|rule| findings.rules[*rule].0.as_str()).collect();
    let more = lack.rules.len().saturating_sub(EXAMPLES);
    let and = if more > 0 { format!(" and {more} more") } else { String::new() };
    out.push_str(&why::wrapped(&format!("for example {}{and}", names.join("; ")), 5, width));
    out
}

/// From when to when the events are, and what of them was left out.
fn times(survey: &Survey, width: usize) -> String {
    let first = survey.shapes.iter().filter_map(|shape| shape.first).min();
    let last = survey.shapes.iter().filter_map(|shape| shape.last).max();
    let mut line = count(survey.events, "event");
    if let (Some(first), Some(last)) = (first, last) {
        let _ = write!(line, " from {first} to {last}");
    }
    line.push('.');
    if survey.outside > 0 {
        let _ = write!(line, " {} left out: they lie outside --from and --to.", count(survey.outside, "event"));
    }
    if survey.undated > 0 {
        let _ = write!(
            line,
            " {} without a time that can be read: sequences, windows and --from never see them.",
            count(survey.undated, "event")
        );
    }
    why::wrapped(&line, 0, width)
}

/// The kinds of events that are here, and how many rules look at each.
fn here(findings: &Findings, survey: &Survey, width: usize, verbose: bool) -> String {
    let mut out = String::from("\nWhat is here\n");
    let _ = writeln!(out, "{:>10} {:>7} {:>12}  kind", "events", "rules", "fields read");
    let shown = if verbose { survey.shapes.len() } else { SHAPES };
    for (number, shape) in survey.shapes.iter().take(shown).enumerate() {
        let unread = &findings.unread[number];
        let fields = format!("{} of {}", shape.raw.len() - unread.len(), shape.raw.len());
        let rules = match findings.looked_at[number] {
            0 => "none".to_owned(),
            rules => rules.to_string(),
        };
        let _ = writeln!(out, "{:>10} {rules:>7} {fields:>12}  {}", shape.events, shape.kind);
        // Of a kind that no rule looks at that goes without saying.
        if !unread.is_empty() && (verbose || findings.looked_at[number] > 0) {
            let most = if verbose { unread.len() } else { KINDS };
            let more = unread.len().saturating_sub(most);
            let and = if more > 0 { format!(" and {more} more") } else { String::new() };
            let text = format!("no rule reads {}{and}", unread[..unread.len() - more].join(", "));
            out.push_str(&why::wrapped(&text, UNREAD, width));
        }
    }
    let more = survey.shapes.len().saturating_sub(shown);
    if more > 0 {
        let _ = writeln!(out, "  … and {} more (--verbose names all)", count(more as u64, "kind"));
    }
    out
}

fn advice(findings: &Findings, width: usize) -> String {
    let mut out = String::new();
    if let Some(rule) = findings.silent.first() {
        let (name, path) = &findings.rules[*rule];
        let text = format!(
            "What a rule that found nothing lacked, event by event: lurcher explain {path} --event FILE ({name})"
        );
        let _ = write!(out, "\n{}", why::wrapped(&text, 0, width));
    }
    if !findings.unrun.is_empty() {
        out.push_str(&why::wrapped("Why rules cannot be run: lurcher check RULES", 0, width));
    }
    out
}

/// The report for programs.
pub(super) fn json(findings: &Findings, survey: &Survey) -> Json {
    let named = |rules: &[usize]| -> Vec<Json> {
        rules
            .iter()
            .map(|rule| &findings.rules[*rule])
            .map(|(name, path)| json!({"name": name, "path": path}))
            .collect()
    };
    let lacks: Vec<Json> = findings
        .lacks
        .iter()
        .map(|lack| {
            let (kind, name) = match &lack.what {
                What::Source(source) => ("source", source.clone()),
                What::Kind(kind) => ("kind", kind.to_string()),
                What::UnknownSource(source) => ("unknown_source", source.clone()),
                What::Field(field, ..) => ("field_not_logged", field.clone()),
                What::NoSuchField(field) => ("no_such_field", field.clone()),
                What::Contradiction(field, _) => ("contradiction", field.clone()),
            };
            json!({
                "lack": kind,
                "name": name,
                "message": headline(lack, findings.rules.len()),
                "kinds": lack.kinds.iter().map(|(kind, n)| json!({"kind": kind.to_string(), "rules": n})).collect::<Vec<_>>(),
                "instead": lack.instead.iter().map(|(s, n)| json!({"source": s, "rules": n})).collect::<Vec<_>>(),
                "rules": named(&lack.rules),
            })
        })
        .collect();
    let shapes: Vec<Json> = survey
        .shapes
        .iter()
        .enumerate()
        .map(|(number, shape)| {
            json!({
                "kind": shape.kind.to_string(),
                "events": shape.events,
                "first": shape.first.map(|time| time.to_string()),
                "last": shape.last.map(|time| time.to_string()),
                "rules": findings.looked_at[number],
                "raw_fields": shape.raw.len(),
                "raw_fields_read": shape.raw.len() - findings.unread[number].len(),
                "raw_fields_unread": findings.unread[number].iter().map(AsRef::as_ref).collect::<Vec<&str>>(),
            })
        })
        .collect();
    json!({
        "rules": findings.rules.len(),
        "fire": named(&findings.firing),
        "could_fire": named(&findings.silent),
        "cannot_fire": findings.barren(),
        "cannot_run": named(&findings.unrun),
        "lacks": lacks,
        "events": survey.events,
        "events_outside_times": survey.outside,
        "outside_times": survey.outside_times.map(|(first, last)| json!([first.to_string(), last.to_string()])),
        "events_without_time": survey.undated,
        "here": shapes,
    })
}
