//! Runs one case: query and events in, matches out, by the same crates that the product is made of.

use std::{fs, io::Write as _, path::Path, sync::Arc};

use lurcher_content::{Knowledge, LoadOptions, load, note_written};
use lurcher_diagnostics::{SourceFile, render};
use lurcher_engine::{Alert, Compiler, Endpoint, Route, Scanner, Settings, Table, Tables};
use lurcher_frontend::{Language, Lowered, Options, sigma, spl};
use lurcher_ir::{Rule, RuleMeta, Support};
use lurcher_outputs::lookups::Written;
use lurcher_readers::{Input, ReadOptions, Report, read};
use lurcher_schema::Schemas;

use crate::{Case, Expected, weights};

/// What came out of a query over events.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What it found, in order.
    pub alerts: Vec<Alert>,
    /// What the front end said, rendered without colour.
    pub diagnostics: String,
    /// Why the rule runs less than exactly: `VERDICT CODE`.
    pub reasons: Vec<String>,
    /// What became of the files that the case says something of.
    pub files: Vec<(String, Option<String>)>,
}

/// Runs a case; the error says how what came out differs from what must.
pub fn check(case: &Case, schemas: &Arc<Schemas>) -> Result<(), String> {
    let outcome = run(case, schemas)?;
    if let Some(wanted) = case.reasons.as_ref().filter(|wanted| **wanted != outcome.reasons) {
        return Err(format!("expected the reasons {wanted:?}, got {:?}\n{}", outcome.reasons, outcome.diagnostics));
    }
    for (name, wanted) in &case.written {
        let got = outcome.files.iter().find(|(own, _)| own == name).and_then(|(_, text)| text.as_deref());
        if wanted.as_deref().map(str::trim_end) != got.map(str::trim_end) {
            return Err(format!("expected {name} to hold\n{wanted:?}\ngot\n{got:?}\n{}", outcome.diagnostics));
        }
    }
    match &case.expected {
        Some(Expected::Matches(lines)) => compare(lines, &outcome, outcome.alerts.iter().map(numbers).collect()),
        Some(Expected::Rows(lines)) => rows(lines, &outcome, false),
        Some(Expected::RowsInOrder(lines)) => rows(lines, &outcome, true),
        Some(Expected::Diagnostics(text)) => {
            let (wanted, got) = (text.trim(), outcome.diagnostics.trim());
            if wanted == got { Ok(()) } else { Err(format!("expected the diagnostics\n{wanted}\ngot\n{got}")) }
        }
        None => Err("nothing is expected".into()),
    }
}

/// Runs the query of a case over its events.
pub fn run(case: &Case, schemas: &Arc<Schemas>) -> Result<Outcome, String> {
    let Case { language, query, events, .. } = case;
    let file = SourceFile::new("query", query.as_str());
    let language = Language::from_name(language).ok_or_else(|| format!("no such language: {language}"))?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let knowledge = knowledge(case, folder.path(), schemas)?;
    let known = Arc::clone(&knowledge) as Arc<dyn spl::Knowledge>;
    let model = case.model.as_ref();
    let endpoints = model.map(|(name, _)| (name.as_str().into(), None)).into_iter().collect();
    let options = Options { sigma: site(case)?, knowledge: Some(known), endpoints, ..Options::default() };
    let Lowered { body, reasons, diagnostics, writes, .. } = language.lower(&file, &options, schemas);
    let diagnostics: Vec<String> =
        diagnostics.into_iter().map(|d| render::text(&d.in_file(&file), false).trim_end().to_owned()).collect();
    let said = reasons.iter().map(|reason| format!("{} {}", reason.verdict.name(), reason.code)).collect();
    let mut outcome = Outcome { diagnostics: diagnostics.join("\n\n"), reasons: said, ..Outcome::default() };
    if body.is_none() {
        return Ok(outcome);
    }
    let mut meta = RuleMeta { id: "spec".into(), name: "spec".into(), ..RuleMeta::default() };
    note_written(&mut meta, writes.as_ref());
    let rule = Arc::new(Rule { meta, body, support: Support { reasons } });
    let rules = Compiler::new(Arc::clone(schemas)).route(Route::Any).add(Arc::clone(&rule)).build();
    let relational = Some(lurcher_query::relational());
    let mut settings = Settings { relational, tables: tables(&knowledge), ..Settings::default() };
    if let Some((name, most_rows)) = model {
        settings.endpoints.insert(name.as_str(), Arc::new(Capitals { most_rows: *most_rows }));
    }
    settings.tail_budget = case.budget.unwrap_or(settings.tail_budget);
    let mut scanner = Scanner::new(rules, Arc::new(settings));
    let mut input = tempfile::Builder::new().suffix(".jsonl").tempfile().map_err(|error| error.to_string())?;
    input.write_all(events.as_bytes()).map_err(|error| error.to_string())?;
    // A query that makes its own rows needs no events, and an empty file is a fault.
    let report = if events.trim().is_empty() {
        Report::default()
    } else {
        read(&Input::File(input.path().to_owned()), &ReadOptions::default(), &mut |batch| {
            scanner.scan(&batch, &mut outcome.alerts);
        })
    };
    if let Some(problem) = report.problems.iter().find(|problem| problem.gravity == lurcher_readers::Gravity::Error) {
        return Err(format!("the events: {problem}"));
    }
    let stats = Scanner::finish(vec![scanner], &mut outcome.alerts);
    // Where there are rows, what was left out of them is theirs to show.
    if let Some((_, why)) = stats.tails.failed.first().filter(|_| outcome.alerts.is_empty()) {
        return Err(why.clone());
    }
    let written = Written::new(folder.path())?;
    written.expect([rule.as_ref()]);
    written.take(&mut outcome.alerts);
    written.close()?;
    let text = |name: &str| fs::read_to_string(folder.path().join(name)).ok();
    outcome.files = case.written.iter().map(|(name, _)| (name.clone(), text(name))).collect();
    Ok(outcome)
}

/// A model that answers in capitals.
#[derive(Debug)]
struct Capitals {
    most_rows: u64,
}

impl Endpoint for Capitals {
    fn complete(&self, prompt: &str) -> Result<String, String> {
        if prompt == "silence" { Err("it says nothing".to_owned()) } else { Ok(prompt.to_uppercase()) }
    }

    fn most_rows(&self) -> u64 {
        self.most_rows
    }
}

/// The lookups and models of a case, whose files are put into the folder.
fn knowledge(case: &Case, folder: &Path, schemas: &Arc<Schemas>) -> Result<Arc<Knowledge>, String> {
    if case.tables.is_empty() && case.transforms.is_empty() {
        return Ok(Arc::default());
    }
    let transforms = (!case.transforms.is_empty()).then(|| ("transforms.conf".to_owned(), case.transforms.clone()));
    for (name, text) in transforms.iter().chain(&case.tables) {
        fs::write(folder.join(name), text).map_err(|error| format!("{name}: {error}"))?;
    }
    let options = LoadOptions { model_reader: Some(weights::read), ..LoadOptions::default() };
    let pack = load(&[folder.to_owned()], &options, schemas);
    match pack.problems.first() {
        Some(problem) => Err(format!("{}: {}", problem.path, problem.message)),
        None => Ok(pack.knowledge),
    }
}

/// The tables that a query looks things up in, and the models that it judges by. An empty cell is no value.
fn tables(knowledge: &Knowledge) -> Tables {
    let mut tables = Tables::default();
    tables.set_agents(lurcher_enrich::agents());
    for table in knowledge.lookups.used() {
        tables.insert(Arc::clone(&table.name), Table::of_texts(&table.columns, &table.rows));
    }
    for (name, model) in knowledge.models.used() {
        tables.insert_model(name, model);
    }
    tables
}

/// What a site says about Sigma rules, as the case has it.
fn site(case: &Case) -> Result<sigma::Options, String> {
    let mut options = sigma::Options::default();
    for (name, value) in &case.placeholders {
        options.placeholders.entry(name.clone()).or_default().push(value.clone());
    }
    if !case.pipeline.is_empty() {
        let file = SourceFile::new("pipeline", case.pipeline.as_str());
        let (pipeline, diagnostics) = sigma::pipeline::parse(&file);
        let faulty = || diagnostics.iter().map(|d| render::text(d, false)).collect::<Vec<_>>().join("\n");
        options.pipelines.push(Arc::new(pipeline.ok_or_else(faulty)?));
    }
    Ok(options)
}

/// The numbers of an alert's events, `-` for an absent one.
fn numbers(alert: &Alert) -> String {
    let number = |event: &Option<lurcher_schema::Event>| {
        event.as_ref().map_or("-".to_owned(), |event| event.reference.record.to_string())
    };
    alert.events.iter().map(number).collect::<Vec<_>>().join(" ")
}

fn compare(wanted: &[String], outcome: &Outcome, mut got: Vec<String>) -> Result<(), String> {
    let mut wanted = wanted.to_vec();
    wanted.sort();
    got.sort();
    if wanted == got {
        return Ok(());
    }
    let said = if outcome.diagnostics.is_empty() { String::new() } else { format!("\n{}", outcome.diagnostics) };
    Err(format!("expected the matches {wanted:?}, got {got:?}{said}"))
}

/// Compares rows; only the columns that are named, and the events where they are.
fn rows(wanted: &[String], outcome: &Outcome, in_order: bool) -> Result<(), String> {
    let got: Vec<serde_json::Value> = outcome.alerts.iter().map(|alert| alert.values.to_json()).collect();
    let shown = || got.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    if wanted.len() != got.len() {
        return Err(format!("expected {} rows, got {}\n{}\n{}", wanted.len(), got.len(), shown(), outcome.diagnostics));
    }
    let mut left: Vec<usize> = (0..got.len()).collect();
    for line in wanted {
        let (row, events) =
            line.rsplit_once("<-").map_or((line.as_str(), None), |(row, events)| (row, Some(events.trim())));
        let row: serde_json::Value = serde_json::from_str(row.trim()).map_err(|error| format!("{line}: {error}"))?;
        let fits = |at: &usize| {
            let columns = row.as_object().into_iter().flatten();
            columns.into_iter().all(|(name, value)| same(value, got[*at].get(name).unwrap_or(&serde_json::Value::Null)))
                && events.is_none_or(|events| events == numbers(&outcome.alerts[*at]))
        };
        let found = if in_order { left.first().filter(|at| fits(at)).map(|_| 0) } else { left.iter().position(fits) };
        match found {
            Some(found) => left.remove(found),
            None => return Err(format!("no row is {line}; the rows are\n{}", shown())),
        };
    }
    Ok(())
}

/// Equal, with whole numbers equal to the same fraction (`2` and `2.0`).
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        _ => a == b,
    }
}
