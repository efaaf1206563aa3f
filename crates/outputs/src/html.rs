//! Alerts as a report in one HTML file: grouped as the table is, light or dark as the reader's system, printable, and
//! with nothing fetched from anywhere. No script; everything from events and rules is escaped.

use std::fmt::Write as _;

use lurcher_ir::Severity;

use crate::view::{AlertView, Group, Report, RuleView, clock};

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Lurcher report</title>
<style>
:root { color-scheme: light dark; --line: #8884; --dim: #5f6368; --critical: #a3002c; --high: #c8431b; --medium: #b07a00; --low: #2b6cb0; --informational: #777 }
@media (prefers-color-scheme: dark) { :root { --dim: #9aa0a6 } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.4rem; margin-bottom: .2rem } h2 { font-size: 1rem; margin: 2rem 0 .4rem; text-transform: uppercase; letter-spacing: .06em }
.dim { color: var(--dim) } .badge { color: #fff; border-radius: .3rem; padding: .1rem .5rem; font-size: .8rem }
.critical { background: var(--critical) } .high { background: var(--high) } .medium { background: var(--medium) } .low { background: var(--low) } .informational { background: var(--informational) }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; padding: .5rem .9rem }
summary { cursor: pointer; font-weight: 600 } summary .dim { font-weight: 400; font-size: .9rem }
.alert { border-top: 1px solid var(--line); padding: .6rem 0 } .alert p { margin: .2rem 0 }
table { border-collapse: collapse; width: 100%; margin-top: .3rem; font-size: .9rem } td { padding: .1rem .6rem .1rem 0; vertical-align: top } td:first-child { white-space: nowrap; color: var(--dim) }
td:last-child { font-family: ui-monospace, monospace; overflow-wrap: anywhere; width: 100% }
@media print { details { break-inside: avoid } }
</style>
</head>
<body>
"#;

/// The whole report.
pub(crate) fn render(report: &Report) -> String {
    let mut page = HEAD.to_owned();
    let _ = writeln!(page, "<h1>Lurcher report</h1>\n<p class=\"dim\">{}</p>", escape(&report.summary()));
    let mut severity = None;
    for (rule, group) in &report.groups {
        if severity != Some(rule.severity) {
            severity = Some(rule.severity);
            heading(&mut page, rule.severity.0, report.of_severity(rule.severity.0));
        }
        section(&mut page, rule, group);
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn heading(page: &mut String, severity: Severity, count: u64) {
    let name = severity.name();
    let _ = writeln!(page, "<h2><span class=\"badge {name}\">{name}</span> <span class=\"dim\">{count}</span></h2>");
}

fn section(page: &mut String, rule: &RuleView, group: &Group) {
    let span = match (clock(group.first), clock(group.last)) {
        (first, last) if first == last => first,
        (first, last) => format!("{first} – {last}"),
    };
    let hosts: Vec<&str> = group.hosts.keys().take(10).map(String::as_str).collect();
    let facts = [
        format!("{}×", group.count),
        rule.techniques.join(" "),
        span,
        hosts.join(", "),
        format!("{} {}", rule.vendor, rule.language),
        if rule.building_block { "building block".to_owned() } else { String::new() },
    ];
    let facts: Vec<String> = facts.iter().filter(|fact| !fact.is_empty()).map(|fact| escape(fact)).collect();
    let _ = writeln!(
        page,
        "<details open>\n<summary>{} <span class=\"dim\">{}</span></summary>",
        escape(&rule.name),
        facts.join(" · ")
    );
    if !rule.description.is_empty() {
        let _ = writeln!(page, "<p>{}</p>", escape(&rule.description));
    }
    let _ = writeln!(page, "<p class=\"dim\">{} · {}</p>", escape(&rule.id), escape(&rule.path));
    for (title, texts) in [("False positives", &rule.false_positives), ("References", &rule.references)] {
        if !texts.is_empty() {
            let list: Vec<String> = texts.iter().map(|text| escape(text)).collect();
            let _ = writeln!(page, "<p class=\"dim\">{title}: {}</p>", list.join("<br>"));
        }
    }
    group.alerts.iter().for_each(|alert| evidence(page, alert));
    let more = group.count - group.alerts.len() as u64;
    if more > 0 {
        let _ = writeln!(page, "<p class=\"dim\">… and {more} more (see --format jsonl)</p>");
    }
    page.push_str("</details>\n");
}

fn evidence(page: &mut String, alert: &AlertView) {
    let head = [clock(alert.time), alert.host.clone(), alert.user.clone()];
    let head: Vec<String> = head.iter().filter(|text| !text.is_empty()).map(|text| escape(text)).collect();
    let _ = writeln!(
        page,
        "<div class=\"alert\">\n<p class=\"dim\">{}</p>\n{}<table>",
        head.join(" · "),
        if alert.message.is_empty() { String::new() } else { format!("<p>{}</p>\n", escape(&alert.message)) }
    );
    let fields = |page: &mut String, fields: &[(String, String)]| {
        for (name, value) in fields {
            let _ = writeln!(page, "<tr><td>{}</td><td>{}</td></tr>", escape(name), escape(value));
        }
    };
    fields(page, &alert.row);
    for event in &alert.events {
        // A single event has the time of its alert, which stands above.
        let place = match alert.events.len() {
            1 => event.place.clone(),
            _ => format!("{}  {}", clock(event.time), event.place),
        };
        let _ = writeln!(page, "<tr><td>event</td><td>{}</td></tr>", escape(&place));
        fields(page, &event.fields);
    }
    page.push_str("</table>\n");
    if alert.event_count > alert.events.len() as u64 {
        let _ = writeln!(page, "<p class=\"dim\">{} events in all</p>", alert.event_count);
    }
    if alert.suppressed > 0 {
        let _ = writeln!(page, "<p class=\"dim\">stands for {} further alerts</p>", alert.suppressed);
    }
    page.push_str("</div>\n");
}

/// Text as HTML text or attribute value.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
