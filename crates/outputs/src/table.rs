//! Alerts as a table for people, grouped by severity and rule, the worst first.

use std::fmt::Write as _;

use lurcher_ir::Severity;

use crate::{
    text::{cut, cut_start, width},
    view::{AlertView, Group, Report, RuleView, clock},
    writer::Settings,
};

/// How many lines a value may take: the end of a command line is evidence too.
const LINES: usize = 3;
/// How many hosts are named in the line of a rule.
const HOSTS: usize = 3;

struct Pen {
    text: String,
    columns: usize,
    colour: bool,
}

impl Pen {
    /// One line, cut to the terminal, in a style that is given by its ANSI code.
    fn line(&mut self, indent: usize, style: &str, text: &str) {
        let shown = cut(text, self.columns.saturating_sub(indent).max(20));
        let blanks = " ".repeat(indent);
        let _ = if self.colour && !style.is_empty() {
            writeln!(self.text, "{blanks}\x1b[{style}m{shown}\x1b[0m")
        } else {
            writeln!(self.text, "{blanks}{shown}")
        };
    }

    /// A text for people over a few lines.
    fn prose(&mut self, indent: usize, style: &str, text: &str) {
        for part in wrap(text, self.columns.saturating_sub(indent).max(20)) {
            self.line(indent, style, &part);
        }
    }

    /// A path, perhaps with words before it: it loses its beginning where room is short, never the file's name.
    fn path(&mut self, indent: usize, before: &str, path: &str) {
        let room = self.columns.saturating_sub(indent + width(before)).max(20);
        self.line(indent, "90", &format!("{before}{}", cut_start(path, room)));
    }

    /// Fields, their values below each other.
    fn fields(&mut self, indent: usize, fields: &[(String, String)]) {
        let label = fields.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
        for (name, value) in fields {
            self.field(indent, name, label, value);
        }
    }

    /// A field: its name, and its value beside it over a few lines.
    fn field(&mut self, indent: usize, name: &str, label: usize, value: &str) {
        let room = self.columns.saturating_sub(indent + label + 2).max(20);
        for (row, part) in wrap(value, room).into_iter().enumerate() {
            let name = if row == 0 { name } else { "" };
            let pad = " ".repeat(label - width(name) + 2);
            let _ = writeln!(self.text, "{}{name}{pad}{part}", " ".repeat(indent));
        }
    }
}

/// The text in lines of so many columns, at most [`LINES`] of them.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while lines.len() + 1 < LINES && width(rest) > columns {
        let mut used = 0;
        let end = rest
            .char_indices()
            .find(|(_, character)| {
                used += width(character.encode_utf8(&mut [0; 4]));
                used > columns
            })
            .map_or(rest.len(), |(at, _)| at);
        // At a blank if there is one in the second half: words stay whole, long paths are broken.
        let blank = rest[..end].rfind(' ').filter(|at| *at > end / 2).unwrap_or(end);
        lines.push(rest[..blank].to_owned());
        rest = rest[blank..].trim_start();
    }
    lines.push(cut(rest, columns));
    lines
}

/// The whole table.
pub(crate) fn render(report: &Report, settings: &Settings) -> String {
    let mut pen = Pen { text: String::new(), columns: settings.width.max(40), colour: settings.colour };
    let mut severity = None;
    for (rule, group) in &report.groups {
        if severity != Some(rule.severity) {
            severity = Some(rule.severity);
            let count = report.of_severity(rule.severity.0);
            let name = rule.severity.0.name().to_uppercase();
            pen.line(0, style(rule.severity.0), &format!("{name}  {count} alert{}", if count == 1 { "" } else { "s" }));
        }
        section(&mut pen, rule, group, report.is_ambiguous(rule));
        pen.text.push('\n');
    }
    pen.line(0, "1", &report.summary());
    pen.text
}

fn style(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "1;97;41",
        Severity::High => "1;31",
        Severity::Medium => "1;33",
        Severity::Low => "1;36",
        Severity::Informational => "1;90",
    }
}

fn section(pen: &mut Pen, rule: &RuleView, group: &Group, ambiguous: bool) {
    pen.line(2, "1", &rule.name);
    let mut facts = vec![format!("{}×", group.count)];
    if !rule.techniques.is_empty() {
        facts.push(rule.techniques.join(" "));
    }
    facts.push(match (clock(group.first), clock(group.last)) {
        (first, last) if first == last => first,
        (first, last) if first.get(..10) == last.get(..10) => format!("{first} – {}", last.get(11..).unwrap_or("")),
        (first, last) => format!("{first} – {last}"),
    });
    facts.push(format!("{} {}", rule.vendor, rule.language));
    if rule.building_block {
        facts.push("building block".to_owned());
    }
    if !group.hosts.is_empty() {
        let named: Vec<&str> = group.hosts.keys().take(HOSTS).map(String::as_str).collect();
        let more = group.hosts.len().saturating_sub(HOSTS);
        facts.push(format!(
            "{}{}",
            named.join(", "),
            if more > 0 { format!(" and {more} more") } else { String::new() }
        ));
    }
    pen.line(4, "90", &facts.join(" · "));
    if ambiguous {
        pen.path(4, "", &rule.path);
    }
    for alert in &group.alerts {
        evidence(pen, alert);
    }
    let more = group.count - group.alerts.len() as u64;
    if more > 0 {
        pen.line(4, "90", &format!("… and {more} more (see --format jsonl)"));
    }
}

fn evidence(pen: &mut Pen, alert: &AlertView) {
    let mut head = vec![clock(alert.time)];
    head.extend([&alert.host, &alert.user].into_iter().filter(|text| !text.is_empty()).cloned());
    let place = match alert.events.as_slice() {
        [event] => event.place.as_str(),
        _ => "",
    };
    let shown = head.join("  ");
    // The event beside its host and user where there is room for all of it, else below them.
    let fits = 4 + width(&shown) + 2 + width(place) <= pen.columns;
    if fits && !place.is_empty() {
        head.push(place.to_owned());
    }
    pen.line(4, "", &head.join("  "));
    if !fits && !place.is_empty() {
        pen.path(6, "", place);
    }
    if !alert.message.is_empty() {
        pen.prose(6, "1", &alert.message);
    }
    pen.fields(6, &alert.row);
    for event in &alert.events {
        let indent = if alert.events.len() > 1 {
            pen.path(6, &format!("{}  ", clock(event.time)), &event.place);
            8
        } else {
            6
        };
        pen.fields(indent, &event.fields);
    }
    let more = alert.event_count.saturating_sub(alert.events.len() as u64);
    if more > 0 && !alert.events.is_empty() {
        pen.line(6, "90", &format!("… made by {} events in all", alert.event_count));
    }
    if alert.suppressed > 0 {
        pen.line(6, "90", &format!("… stands for {} further alerts", alert.suppressed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_wrapped_at_blanks_and_cut_in_the_end() {
        assert_eq!(wrap("one two", 20), ["one two"]);
        assert_eq!(wrap("one two three four", 10), ["one two", "three four"]);
        assert_eq!(wrap("abcdefghijklmnopqrstuvwxyzabcdef", 10), ["abcdefghij", "klmnopqrst", "uvwxyzabc…"]);
    }
}
