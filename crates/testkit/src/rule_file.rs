//! Specs of whole rule files: a vendor's rule, events, and the alerts that must come of them.
//!
//! A case begins at a `## ` heading and has fenced blocks:
//!
//! | fence | what |
//! |---|---|
//! | `toml rule`, `json rule`, `yaml rule` | the rule file |
//! | `events` | one JSON event a line, numbered from 1; rules see those of their sources only |
//! | `simulate` | the rule runs by its schedule on a virtual clock; `from: TIME` and `to: TIME`, a line each, bound it |
//! | `alerts` | JSON documents as `--format elastic` writes them; members that are not named may be anything |
//! | `documents` | the same, but nothing else may be there |
//! | `ledger` | JSON objects as in the ledger, members as for `alerts` |
//! | `matches` | the events of every alert: the rule's name, a colon and the numbers, a line each in any order |
//! | `reasons` | why the rule runs less than exactly: `VERDICT CODE`, a line each |
//!
//! The alerts must be all there are, in order of time and id. Events are named `events.jsonl#NUMBER`.

use std::{fs, sync::Arc};

use lurcher_content::{LoadOptions, load};
use lurcher_engine::{Alert, AlertSink, Compiler, LedgerEntry, Route, RuleSet, Scanner, Settings, Simulation};
use lurcher_outputs::elastic;
use lurcher_readers::{Gravity, Input, ReadOptions, Report, read};
use lurcher_schema::{Schemas, Timestamp};
use serde_json::{Value as Json, json};

/// One case of a spec of rule files.
#[derive(Clone, Debug, Default)]
pub struct RuleCase {
    /// The heading.
    pub name: String,
    /// The 1-based line of the heading.
    pub line: usize,
    extension: String,
    rule: String,
    events: String,
    simulation: Option<Simulation>,
    alerts: Option<Vec<Json>>,
    documents: Option<Vec<Json>>,
    matches: Option<Vec<String>>,
    ledger: Option<Vec<Json>>,
    reasons: Option<Vec<String>>,
}

/// Whether a spec file holds cases of this kind.
pub fn is_rule_spec(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("```") && line.ends_with(" rule"))
}

/// The cases of a spec file, or what is wrong with it, with the line.
pub fn parse_rules(text: &str) -> Result<Vec<RuleCase>, String> {
    let mut cases: Vec<RuleCase> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(name) = line.strip_prefix("## ") {
            cases.push(RuleCase { name: name.trim().to_owned(), line: number + 1, ..RuleCase::default() });
        }
        let Some(kind) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| !line.starts_with("```")).collect();
        let body = body.join("\n");
        let Some(case) = cases.last_mut() else { continue };
        let documents = || {
            let values = serde_json::Deserializer::from_str(&body).into_iter::<Json>();
            values.collect::<Result<Vec<Json>, _>>().map_err(|error| format!("line {}: {error}", number + 1))
        };
        match kind.trim() {
            "events" => case.events = body,
            "alerts" => case.alerts = Some(documents()?),
            "documents" => case.documents = Some(documents()?),
            "ledger" => case.ledger = Some(documents()?),
            "matches" => {
                let lines = body.lines().map(str::trim).filter(|line| !line.is_empty());
                case.matches = Some(lines.map(str::to_owned).collect());
            }
            "reasons" => case.reasons = Some(body.lines().map(|line| line.trim().to_owned()).collect()),
            "simulate" => case.simulation = Some(simulation(&body)?),
            "" | "text" => {}
            other => match other.strip_suffix(" rule") {
                Some(extension) => (case.extension, case.rule) = (extension.to_owned(), body),
                None => return Err(format!("line {}: no fence is called `{other}`", number + 1)),
            },
        }
    }
    Ok(cases)
}

fn simulation(body: &str) -> Result<Simulation, String> {
    let mut simulation = Simulation::default();
    for line in body.lines().filter(|line| !line.trim().is_empty()) {
        let (name, time) = line.split_once(':').ok_or_else(|| format!("`{line}`: write it as from: TIME"))?;
        let time = Timestamp::parse(time).ok_or_else(|| format!("`{line}` has no time"))?;
        match name.trim() {
            "from" => simulation.from = Some(time),
            "to" => simulation.to = Some(time),
            other => return Err(format!("`{other}` is neither `from` nor `to`")),
        }
    }
    Ok(simulation)
}

/// What came out of a case.
#[derive(Default)]
struct Outcome {
    alerts: Vec<Alert>,
    ledger: Vec<LedgerEntry>,
}

impl AlertSink for Outcome {
    fn alert(&mut self, alert: Alert) {
        self.alerts.push(alert);
    }

    fn ledger(&mut self, entry: &LedgerEntry) {
        self.ledger.push(*entry);
    }
}

/// Runs a case; the error says how what came out differs from what must.
pub fn check_rules(case: &RuleCase, schemas: &Arc<Schemas>) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = folder.path().join(format!("rule.{}", case.extension));
    fs::write(&path, &case.rule).map_err(|error| error.to_string())?;
    let pack = load(&[path], &LoadOptions::default(), schemas);
    let said: Vec<String> = pack.diagnostics.iter().map(|d| lurcher_diagnostics::render::text(d, false)).collect();
    if let Some(problem) = pack.problems.first() {
        return Err(format!("the rule file: {}", problem.message));
    }
    if let Some(wanted) = &case.reasons {
        let reasons = pack.rules.iter().flat_map(|rule| &rule.support.reasons);
        let got: Vec<String> = reasons.map(|reason| format!("{} {}", reason.verdict.name(), reason.code)).collect();
        if *wanted != got {
            return Err(format!("expected the reasons {wanted:?}, got {got:?}\n{}", said.join("\n")));
        }
    }
    let rules = Compiler::new(Arc::clone(schemas)).route(Route::Strict).add_all(pack.rules).build();
    let outcome = run(case, &rules, folder.path())?;
    let mut alerts: Vec<&Alert> = outcome.alerts.iter().collect();
    alerts.sort_by_key(|alert| (alert.time, alert.id.clone()));
    let prefix = folder.path().join("events.jsonl").display().to_string();
    let written: Vec<Json> =
        alerts.iter().flat_map(|alert| elastic::documents(alert, schemas)).map(|d| json!(d)).collect();
    let written: Vec<Json> = written.into_iter().map(|document| named(document, &prefix)).collect();
    if let Some(wanted) = &case.alerts {
        compare("alerts", wanted, &written, &said, fits)?;
    }
    if let Some(wanted) = &case.documents {
        compare("documents", wanted, &written, &said, |a, b| a == b)?;
    }
    if let Some(wanted) = &case.matches {
        let mut wanted = wanted.clone();
        let mut got: Vec<String> = alerts.iter().map(|alert| named_events(alert)).collect();
        wanted.sort();
        got.sort();
        if wanted != got {
            return Err(format!("expected the matches {wanted:#?}, got {got:#?}\n{}", said.join("\n")));
        }
    }
    if let Some(wanted) = &case.ledger {
        let got: Vec<Json> = outcome.ledger.iter().map(ledger_line).collect();
        compare("ledger", wanted, &got, &said, fits)?;
    }
    Ok(())
}

fn run(case: &RuleCase, rules: &Arc<RuleSet>, folder: &std::path::Path) -> Result<Outcome, String> {
    let path = folder.join("events.jsonl");
    fs::write(&path, &case.events).map_err(|error| error.to_string())?;
    let settings =
        Settings { relational: Some(lurcher_query::relational()), simulation: case.simulation, ..Settings::default() };
    let mut scanner = Scanner::new(Arc::clone(rules), Arc::new(settings));
    let mut outcome = Outcome::default();
    // A rule that is at fault needs no events, and an empty file is a fault.
    let report = if case.events.trim().is_empty() {
        Report::default()
    } else {
        read(&Input::File(path), &ReadOptions::default(), &mut |batch| scanner.scan(&batch, &mut outcome))
    };
    if let Some(problem) = report.problems.iter().find(|problem| problem.gravity == Gravity::Error) {
        return Err(format!("the events: {problem}"));
    }
    let stats = Scanner::finish(vec![scanner], &mut outcome);
    match stats.tails.failed.first() {
        Some((_, why)) => Err(why.clone()),
        None => Ok(outcome),
    }
}

/// The rule's name and the numbers of the alert's events.
fn named_events(alert: &Alert) -> String {
    let events = alert.events.iter().flatten().map(|event| event.reference.record.to_string());
    format!("{}: {}", alert.rule.meta.name, events.collect::<Vec<_>>().join(" "))
}

/// A document in which the events' file has the name that specs give it.
fn named(document: Json, path: &str) -> Json {
    match document {
        Json::String(text) => Json::String(text.replace(path, "events.jsonl")),
        Json::Array(items) => items.into_iter().map(|item| named(item, path)).collect(),
        Json::Object(members) => members.into_iter().map(|(name, value)| (name, named(value, path))).collect(),
        other => other,
    }
}

fn ledger_line(entry: &LedgerEntry) -> Json {
    json!({
        "time": entry.time.to_string(), "from": entry.from.to_string(), "to": entry.to.to_string(),
        "hits": entry.hits, "created": entry.created, "suppressed": entry.suppressed, "known": entry.known,
        "capped": entry.capped, "late": entry.late, "repeats": entry.repeats,
    })
}

fn compare(
    what: &str,
    wanted: &[Json],
    got: &[Json],
    said: &[String],
    fits: impl Fn(&Json, &Json) -> bool,
) -> Result<(), String> {
    let same = wanted.len() == got.len() && wanted.iter().zip(got).all(|(wanted, got)| fits(wanted, got));
    if same {
        return Ok(());
    }
    let shown: Vec<String> = got.iter().map(|value| serde_json::to_string_pretty(value).unwrap_or_default()).collect();
    Err(format!("expected {} {what}, got {}:\n{}\n{}", wanted.len(), got.len(), shown.join("\n"), said.join("\n")))
}

/// Whether a value has all members that are wanted, at any depth.
fn fits(wanted: &Json, got: &Json) -> bool {
    match (wanted, got) {
        (Json::Object(wanted), Json::Object(got)) => {
            wanted.iter().all(|(name, value)| fits(value, got.get(name).unwrap_or(&Json::Null)))
        }
        (Json::Array(wanted), Json::Array(got)) => {
            wanted.len() == got.len() && wanted.iter().zip(got).all(|(wanted, got)| fits(wanted, got))
        }
        (wanted, got) => wanted == got,
    }
}
