//! Specs in tables: what every function and operator of a language makes of null, of a missing field, of an empty value,
//! of several values, and of a value of the wrong type.
//!
//! A table's first column names what the row is about; it is headed `function`, `aggregate`, `operator` or `condition`. The
//! other columns are headed by the kinds of arguments ([`KINDS`]). A cell holds pairs of code, an expression and what it
//! yields: `` `LENGTH(null)` `null` ``. What it yields is a JSON value, or `error CODE` or `unsupported CODE` for what the
//! front end refuses; in languages of conditions it is `true` or `false`: whether the event fits. A cell that does not apply says `—`. A
//! fence `events` before the first table holds the one event that all expressions see (for aggregates, all of them).

use std::sync::Arc;

use lurcher_frontend::Language;
use lurcher_schema::Schemas;
use serde_json::Value as Json;

use crate::{Case, run};

/// The kinds of arguments that every row must show, as its columns are headed.
pub const KINDS: [&str; 5] = ["null", "missing", "empty", "several values", "wrong type"];

/// What the first column of a table may be headed.
const SUBJECTS: [&str; 4] = ["function", "aggregate", "operator", "condition"];

/// A row: what it is about, and its expressions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The 1-based line.
    pub line: usize,
    /// What the first column is headed.
    pub subject: String,
    /// The names in the first column, as they are written: a function and its other names.
    pub names: Vec<String>,
    /// What is said of each kind of argument: the kind, and expressions with what they yield. None: it does not apply.
    pub cells: Vec<(String, Vec<(String, String)>)>,
}

/// A file of tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// The events, one JSON document a line.
    pub events: String,
    /// The rows of all tables.
    pub rows: Vec<Row>,
}

/// Whether a spec file holds tables of this kind.
pub fn is_table_spec(text: &str) -> bool {
    text.lines().any(|line| header(line).is_some())
}

/// The columns of a table of ours, by its first line.
fn header(line: &str) -> Option<Vec<String>> {
    let columns: Vec<String> = cells(line)?.into_iter().map(str::to_owned).collect();
    SUBJECTS.contains(&columns.first()?.as_str()).then_some(columns)
}

/// The cells of a line of a table; a `|` within code is none of the table's.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let mut code = false;
    let parts = inner.split(|c: char| {
        code ^= c == '`';
        c == '|' && !code
    });
    Some(parts.map(str::trim).collect())
}

/// The rows of a file, or what is wrong with it, with the line.
pub fn parse_tables(text: &str) -> Result<Tables, String> {
    let mut tables = Tables::default();
    let mut columns: Option<Vec<String>> = None;
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.trim() == "```events" {
            let body = lines.by_ref().map(|(_, line)| line).take_while(|line| !line.starts_with("```"));
            tables.events = body.collect::<Vec<_>>().join("\n");
            continue;
        }
        let Some(found) = cells(line) else {
            columns = None;
            continue;
        };
        match &columns {
            None => columns = header(line),
            Some(_) if found.iter().all(|cell| cell.chars().all(|c| c == '-')) => {}
            Some(columns) => {
                let row = row(columns, &found, number + 1).map_err(|error| format!("line {}: {error}", number + 1))?;
                tables.rows.push(row);
            }
        }
    }
    Ok(tables)
}

fn row(columns: &[String], found: &[&str], line: usize) -> Result<Row, String> {
    if found.len() != columns.len() {
        return Err(format!("{} cells, and {} columns", found.len(), columns.len()));
    }
    let mut pairs = columns.iter().zip(found);
    let (subject, names) = pairs.next().ok_or("no columns")?;
    let names = code(names).into_iter().map(str::to_owned).collect();
    let mut row = Row { line, subject: subject.clone(), names, cells: Vec::new() };
    for (kind, cell) in pairs {
        let parts = code(cell);
        if parts.len() % 2 == 1 || (parts.is_empty() && *cell != "—") {
            return Err(format!("the column `{kind}` holds no pairs of code: {cell}"));
        }
        let said = parts.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect();
        row.cells.push((kind.clone(), said));
    }
    Ok(row)
}

/// What stands in backquotes.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Runs a row; the error says what came out otherwise.
pub fn check_row(row: &Row, language: &str, events: &str, schemas: &Arc<Schemas>) -> Result<(), String> {
    let mut failed = Vec::new();
    for (kind, said) in &row.cells {
        for (expression, wanted) in said {
            let got = yields(&row.subject, expression, language, events, schemas)?;
            if !same(wanted, &got) {
                failed.push(format!("{kind}: `{expression}` yields `{got}`, not `{wanted}`"));
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

/// What an expression yields, as a cell would say it.
pub fn yields(
    subject: &str,
    expression: &str,
    language: &str,
    events: &str,
    schemas: &Arc<Schemas>,
) -> Result<String, String> {
    let piped = Language::from_name(language) == Some(Language::Esql);
    let query = match (piped, subject) {
        (true, "condition") => format!("FROM logs-* | WHERE {expression} | EVAL value = true | KEEP value"),
        (true, "aggregate") => format!("FROM logs-* | STATS value = {expression}"),
        (true, _) => format!("FROM logs-* | EVAL value = {expression} | KEEP value"),
        (false, _) if language == "eql" => format!("any where {expression}"),
        (false, _) => expression.to_owned(),
    };
    let case = Case { language: language.to_owned(), query, events: events.to_owned(), ..Case::default() };
    let outcome = run(&case, schemas)?;
    if let Some(refused) = refused(&outcome.diagnostics) {
        return Ok(refused);
    }
    Ok(match outcome.alerts.first() {
        Some(alert) if piped && subject != "condition" => {
            alert.values.to_json().get("value").cloned().unwrap_or_default().to_string()
        }
        found => found.is_some().to_string(),
    })
}

/// `error CODE` or `unsupported CODE`, if a query was refused.
fn refused(diagnostics: &str) -> Option<String> {
    diagnostics.lines().find_map(|line| {
        ["error", "unsupported"].into_iter().find_map(|gravity| {
            let (code, _) = line.strip_prefix(gravity)?.strip_prefix('[')?.split_once(']')?;
            Some(format!("{gravity} {code}"))
        })
    })
}

fn same(wanted: &str, got: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Json>(text).ok();
    match (read(wanted), read(got)) {
        (Some(wanted), Some(got)) => match (wanted.as_f64(), got.as_f64()) {
            (Some(wanted), Some(got)) => (wanted - got).abs() < 1e-9,
            _ => wanted == got,
        },
        _ => wanted == got,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_names_and_pairs_of_code() {
        let text = "| function | null | empty |\n|---|---|---|\n| `ABS` | `ABS(null)` `null` | — |\n";
        let tables = parse_tables(text).unwrap();
        assert!(is_table_spec(text));
        assert_eq!(tables.rows[0].names, ["ABS"]);
        assert_eq!(tables.rows[0].cells[0], ("null".into(), vec![("ABS(null)".into(), "null".into())]));
        assert_eq!(tables.rows[0].cells[1], ("empty".into(), vec![]));
    }

    #[test]
    fn a_cell_without_a_result_is_refused() {
        let text = "| function | null |\n|---|---|\n| `ABS` | `ABS(null)` |\n";
        assert!(parse_tables(text).unwrap_err().starts_with("line 3"));
    }

    #[test]
    fn a_bar_within_code_is_no_border() {
        assert_eq!(cells("| `a|b` | c |").unwrap(), ["`a|b`", "c"]);
    }
}
