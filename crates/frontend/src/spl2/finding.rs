//! What the publisher's build puts in the place of `--finding_report--` and `--body--`.
//!
//! The report is written out as SPL2 and then lowered like any other, so that a template and its published, expanded
//! form come to the same. The scales (confidence, impact and risk level by number) are those of the published forms.

use std::{fmt::Write, sync::Arc};

use lurcher_ir::{Expr, Function};
use lurcher_schema::{Taxonomy, Value};

use super::Finding;

/// The columns of a report, in the published order.
const FIELDS: &str = "metadata, rule, activity_id, analytic_stories, cis_csc, category_uid, class_name, class_uid, \
    confidence, confidence_id, devices, duration, time, evidence, impact, impact_id, kill_chain, message, nist, \
    observables, risk_level, risk_level_id, risk_score, severity_id, type_uid, users, start_time, end_time";

/// The phases of the kill chain, in its order; their ids count from 1.
const PHASES: [&str; 7] = [
    "Reconnaissance",
    "Weaponization",
    "Delivery",
    "Exploitation",
    "Installation",
    "Command and Control",
    "Actions on Objectives",
];

type Columns = [(Arc<str>, Expr)];

/// `--finding_report--` as SPL2, for rows with these columns.
pub(super) fn report(finding: &Finding, columns: &Columns) -> String {
    let set = |name: &str| columns.iter().any(|(column, _)| column.as_ref() == name);
    let user = if set("actor_user_name") { "actor_user_name" } else { "\"Unknown\"" };
    let actor = if set("actor_user") { "actor_user" } else { "actor.user" };
    let host = if set("device_hostname") { "device_hostname" } else { "device.hostname" };
    let time = if set("timestamp") { "timestamp" } else { "time" };
    let (level, level_id) = risk_level(finding.risk_score);
    let (name, id) = (quote(&finding.name), quote(&finding.id));
    let triggered = quote(&format!("{} has been triggered on ", finding.name));
    let phases = finding.kill_chain.iter().map(|phase| {
        let id = PHASES.iter().position(|known| known.eq_ignore_ascii_case(phase)).map_or(0, |at| at + 1);
        format!("{{\"phase\": {}, \"phase_id\": {id}}}", quote(phase))
    });
    let controls = finding.cis.iter().map(|control| format!("{{\"control\": {}, \"version\": 8}}", quote(control)));
    let members = [
        format!("devices = [{{\"hostname\": {host}, \"type_id\": 0, \"uuid\": device.uuid}}]"),
        format!("time = {time}"),
        format!("evidence = {{{}}}", evidence(finding, columns)),
        format!("message = {triggered} + {host} + \" by \" + {user} + \".\""),
        format!("users = [{{\"name\": {user}, \"uuid\": {actor}.uuid, \"uid\": {actor}.uid}}]"),
        "activity_id = 1".into(),
        format!("cis_csc = [{}]", controls.collect::<Vec<_>>().join(", ")),
        format!("analytic_stories = {}", texts(&finding.stories)),
        "class_name = \"Detection Report\"".into(),
        format!("confidence = {}", finding.confidence),
        format!("confidence_id = {}", confidence_id(finding.confidence)),
        "duration = 0".into(),
        format!("impact = {}", finding.impact),
        format!("impact_id = {}", impact_id(finding.impact)),
        format!("kill_chain = [{}]", phases.collect::<Vec<_>>().join(", ")),
        format!("nist = {}", texts(&finding.nist)),
        format!("risk_level = \"{level}\""),
        "category_uid = 2, class_uid = 102001".into(),
        format!("risk_level_id = {level_id}"),
        format!("risk_score = {}", finding.risk_score),
        "severity_id = 0".into(),
        format!("rule = {{\"name\": {name}, \"uid\": {id}, \"type\": \"Streaming\"}}"),
        "metadata = {\"customer_uid\": metadata.customer_uid, \"product\": {\"name\": \"Behavior Analytics\", \
         \"vendor_name\": \"Splunk\"}, \"version\": \"1.0.0-rc.2\", \"logged_time\": time()}"
            .into(),
        "type_uid = 10200101".into(),
        format!("start_time = {time}, end_time = {time}"),
    ];
    format!("| eval {} | fields {FIELDS} | into sink;", members.join(", "))
}

/// `--body--`: an object of everything that is known about the row, and what the rule says about itself.
pub(super) fn body(finding: &Finding, columns: &Columns) -> Expr {
    let column = |name: &str| columns.iter().find(|(column, _)| column.as_ref() == name).map(|(_, expr)| expr.clone());
    let or_null = |expr: Option<Expr>| expr.unwrap_or(Expr::Literal(Value::Null));
    let text = |text: &str| Expr::Literal(Value::text(text));
    let list = |items: &[String]| Expr::Literal(Value::list(items.iter().map(|item| Value::text(item.as_str()))));
    let number = |number: f64| {
        Expr::Literal(if number.fract() == 0.0 { Value::Int(number as i64) } else { Value::Float(number) })
    };
    let mut members: Vec<(Arc<str>, Expr)> =
        columns.iter().filter(|(name, _)| name.as_ref() != "body").cloned().collect();
    let mut set = |name: &str, value: Expr| {
        members.retain(|(member, _)| member.as_ref() != name);
        members.push((name.into(), value));
    };
    set("category_id", Expr::Literal(Value::Int(101)));
    set("class_id", Expr::Literal(Value::Int(101_000)));
    set("detection_start_time", or_null(column("timestamp").or_else(|| column("start_time"))));
    set(
        "finding",
        Expr::Object(vec![
            ("confidence".into(), number(finding.confidence)),
            ("impact".into(), number(finding.impact)),
            ("kill_chain_phase".into(), list(&finding.kill_chain)),
            ("ref_event_uid".into(), or_null(column("event_id"))),
            ("risk_level".into(), text(risk_level(finding.risk_score).0)),
            ("risk_score".into(), number(finding.risk_score)),
        ]),
    );
    set("message", message(&finding.message, &column));
    set("rule", Expr::Object(vec![("name".into(), text(&finding.name)), ("uid".into(), text(&finding.id))]));
    set("analytic_stories", list(&finding.stories));
    Expr::Object(members)
}

/// A message with the row's values in the place of `$field$`; a field that is not there leaves nothing.
fn message(template: &str, column: &dyn Fn(&str) -> Option<Expr>) -> Expr {
    let mut parts = Vec::new();
    for (at, piece) in template.split('$').enumerate() {
        match column(piece).filter(|_| at % 2 == 1) {
            Some(value) => parts.push(value),
            None if at % 2 == 1 && !piece.contains(' ') => {}
            None => parts.push(Expr::Literal(Value::text(piece))),
        }
    }
    Expr::Call(Function::ConcatLenient, parts)
}

/// The members of `evidence`: the required fields, or else the single fields of the event that the query has named.
fn evidence(finding: &Finding, columns: &Columns) -> String {
    let mut members: Vec<(String, String)> = Vec::new();
    if finding.evidence.is_empty() {
        for (name, expr) in columns {
            if let Some(path) = field_of(expr).filter(|path| *path != "time" && !path.starts_with("metadata.")) {
                members.push((path.to_owned(), name.to_string()));
            }
        }
        let paths: Vec<String> = members.iter().map(|(path, _)| format!("{path}.")).collect();
        let is_object = |path: &str| {
            paths.iter().any(|other| other.starts_with(&format!("{path}.")) && other.len() > path.len() + 1)
        };
        members.retain(|(path, _)| !is_object(path));
    } else {
        for path in &finding.evidence {
            let name = path.replace('.', "_");
            let set = columns.iter().any(|(column, _)| column.as_ref() == name);
            members.push((path.clone(), if set { name } else { path.clone() }));
        }
    }
    let mut written = String::new();
    for (path, value) in members {
        // Writing to a string cannot fail.
        let _ = write!(written, "{}: {}, ", quote(&path), quoted_path(&value));
    }
    written + "\"sourceType\": metadata.source_type, \"source\": metadata.source"
}

/// The path of the event's field that an expression is, in its own or in lower case.
fn field_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Field(field) if field.taxonomy == Taxonomy::Ocsf => Some(field.path.as_str()),
        Expr::Call(Function::Lower, arguments) => field_of(arguments.first()?),
        _ => None,
    }
}

/// A dotted path, every part in single quotes, so that no part is taken for a keyword.
fn quoted_path(path: &str) -> String {
    path.split('.').map(|part| format!("'{}'", part.replace('\'', ""))).collect::<Vec<_>>().join(".")
}

fn texts(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| quote(item)).collect::<Vec<_>>().join(", "))
}

/// Text as an SPL2 literal. A `$` that would begin a template is kept apart from its brace.
fn quote(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$ {");
    format!("\"{escaped}\"")
}

/// Confidence by number: 1 low, 2 medium, 3 high.
fn confidence_id(confidence: f64) -> u8 {
    match confidence {
        c if c < 34.0 => 1,
        c if c < 67.0 => 2,
        _ => 3,
    }
}

/// Impact by number, from 1 (low) to 5 (critical).
fn impact_id(impact: f64) -> u8 {
    match impact {
        i if i < 20.0 => 1,
        i if i < 40.0 => 2,
        i if i < 60.0 => 3,
        i if i < 80.0 => 4,
        _ => 5,
    }
}

fn risk_level(score: f64) -> (&'static str, u8) {
    match score {
        s if s < 20.0 => ("Info", 0),
        s if s < 40.0 => ("Low", 1),
        s if s < 60.0 => ("Medium", 2),
        s if s < 80.0 => ("High", 3),
        _ => ("Critical", 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scales_are_those_of_the_published_reports() {
        assert_eq!([30.0, 50.0, 60.0, 70.0, 100.0].map(confidence_id), [1, 2, 2, 3, 3]);
        assert_eq!([20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 100.0].map(impact_id), [2, 2, 3, 3, 4, 4, 5, 5]);
        assert_eq!([14.0, 35.0, 49.0, 64.0, 80.0].map(|s| risk_level(s).1), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn texts_are_quoted_so_that_they_come_back() {
        assert_eq!(quote(r#"a "b" \c"#), r#""a \"b\" \\c""#);
    }
}
