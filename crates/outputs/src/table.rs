//! Alerts as a table for people, grouped by severity and rule, the worst first.

use std::fmt::Write as _;

use lurcher_ir::Severity;

use crate::{
    text::{cut, width},
    view::{AlertView, Group, Report, RuleView, clock},
    writer::Settings,
};

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
        section(&mut pen, rule, group);
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

fn section(pen: &mut Pen, rule: &RuleView, group: &Group) {
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
    if !group.hosts.is_empty() {
        let named: Vec<&str> = group.hosts.keys().take(HOSTS).map(String::as_str).collect();
        let more = group.hosts.len().saturating_sub(HOSTS);
        facts.push(format!(
            "{}{}",
            named.join(", "),
            if more > 0 { format!(" and {more} more") } else { String::new() }
        ));
    }
    facts.push(format!("{} {}", rule.vendor, rule.language));
    if rule.building_block {
        facts.push("building block".to_owned());
    }
    pen.line(4, "90", &facts.join(" · "));
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
    if let [event] = alert.events.as_slice()
        && !event.place.is_empty()
    {
        head.push(event.place.clone());
    }
    pen.line(4, "", &head.join("  "));
    pen.line(6, "1", &alert.message);
    for event in &alert.events {
        let indent = if alert.events.len() > 1 {
            pen.line(6, "90", &format!("{}  {}", clock(event.time), event.place));
            8
        } else {
            6
        };
        let label = event.fields.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
        for (name, value) in &event.fields {
            let pad = " ".repeat(label - width(name));
            pen.line(indent, "", &format!("{name}{pad}  {value}"));
        }
    }
    let more = alert.event_count.saturating_sub(alert.events.len() as u64);
    if more > 0 && !alert.events.is_empty() {
        pen.line(6, "90", &format!("… made by {} events in all", alert.event_count));
    }
    if alert.suppressed > 0 {
        pen.line(6, "90", &format!("… stands for {} further alerts", alert.suppressed));
    }
}
