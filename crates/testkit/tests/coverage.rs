//! The tables of specs show every function and operator of Elastic's languages with every kind of argument; the specs of
//! SPL run every command, function and aggregate, those of ES|QL every command.
#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::{collections::BTreeSet, fs, path::Path};

use lurcher_frontend::{eql, esql, spl};
use lurcher_testkit::{KINDS, Row, is_table_spec, parse, parse_tables};

/// Functions that take no arguments.
const BARE: [&str; 4] = ["e", "now", "pi", "tau"];

/// The operators of each language, as the tables name them.
const ESQL_OPERATORS: [&str; 20] = [
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "%",
    "::",
    "IN",
    "LIKE",
    "RLIKE",
    "IS NULL",
    "IS NOT NULL",
    "NOT",
    "AND",
    "OR",
];
const EQL_OPERATORS: [&str; 22] = [
    "==", "!=", "<", "<=", ">", ">=", ":", "in", "in~", "not in", "like", "like~", "regex", "regex~", "+", "-", "*",
    "/", "%", "and", "or", "not",
];
const KQL_OPERATORS: [&str; 12] =
    [": value", ": \"phrase\"", ": wild*card", ": *", "<", "<=", ">", ">=", ": ( )", ": { }", "and", "or"];

fn rows(language: &str) -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/spec").join(language);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.map(|path| fs::read_to_string(path).unwrap()).filter(|text| is_table_spec(text));
    texts.flat_map(|text| parse_tables(&text).unwrap().rows).collect()
}

/// What the tables of a language do not show of these names.
fn not_shown(language: &str, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let rows = rows(language);
    let mut missing = BTreeSet::new();
    for name in names {
        let of = |row: &&Row| row.names.iter().any(|own| own.eq_ignore_ascii_case(&name));
        for kind in KINDS {
            let said = |row: &Row| row.cells.iter().any(|(own, said)| own == kind && !said.is_empty());
            let bare = BARE.contains(&name.as_str()) && rows.iter().any(|row| of(&row));
            if !bare && !rows.iter().filter(of).any(said) {
                missing.insert(format!("{name}: {kind}"));
            }
        }
    }
    missing.into_iter().collect()
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn every_function_of_esql_is_shown() {
    assert_eq!(not_shown("esql", esql::function_names().map(str::to_owned)), [""; 0]);
}

#[test]
fn every_operator_of_esql_is_shown() {
    assert_eq!(not_shown("esql", owned(&ESQL_OPERATORS)), [""; 0]);
}

#[test]
fn every_command_of_esql_is_run_or_refused() {
    // These read tables, which specs have none of: `crates/lurcher/tests/esql_tables.rs`.
    let names = esql::command_names().filter(|name| !["enrich", "lookup"].contains(name));
    assert_eq!(not_run("esql", names, "|(", ""), [""; 0]);
}

#[test]
fn every_function_of_eql_is_shown() {
    assert_eq!(not_shown("eql", eql::function_names()), [""; 0]);
}

#[test]
fn every_operator_of_eql_is_shown() {
    assert_eq!(not_shown("eql", owned(&EQL_OPERATORS)), [""; 0]);
}

#[test]
fn every_form_of_kql_is_shown() {
    assert_eq!(not_shown("kql", owned(&KQL_OPERATORS)), [""; 0]);
}

/// The queries of all specs of a language.
fn searches(language: &str, folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(searches(language, &path));
        } else {
            let text = fs::read_to_string(&path).unwrap();
            let cases = if is_table_spec(&text) { Vec::new() } else { parse(&text).unwrap() };
            found.extend(cases.into_iter().filter(|case| case.language == language).map(|case| case.query));
        }
    }
    found
}

/// The names that no search has with one of these characters before it and one of those behind it, blanks left out.
fn not_run(language: &str, names: impl Iterator<Item = &'static str>, before: &str, behind: &str) -> Vec<&'static str> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/spec").join(language);
    let searches = searches(language, &folder);
    let searches: Vec<String> = searches.iter().map(|search| search.to_ascii_lowercase()).collect();
    let stands = |search: &str, name: &str| {
        search.match_indices(name).any(|(at, _)| {
            let (left, right) = (&search[..at], &search[at + name.len()..]);
            let word = |c: char| c.is_alphanumeric() || c == '_';
            !left.ends_with(word)
                && !right.starts_with(word)
                && (before.is_empty()
                    || left.trim_end().is_empty()
                    || left.trim_end().ends_with(|c| before.contains(c)))
                && (behind.is_empty() || right.trim_start().starts_with(|c| behind.contains(c)))
        })
    };
    names.filter(|name| !searches.iter().any(|search| stands(search, name))).collect()
}

#[test]
fn every_command_of_spl_is_run() {
    assert_eq!(not_run("spl", spl::command_names(), "|[", ""), [""; 0]);
}

#[test]
fn every_function_of_spl_is_run() {
    // These are operators, which may stand before a bracket.
    let names = spl::function_names().filter(|name| !["and", "or", "not", "xor"].contains(name));
    assert_eq!(not_run("spl", names, "", "("), [""; 0]);
}

#[test]
fn every_aggregate_of_spl_is_run() {
    // `perc`, `exactperc` and `upperperc` have a number behind them.
    let names = spl::aggregate_names().filter(|name| !name.ends_with("perc"));
    assert_eq!(not_run("spl", names, "", "( abcdefghijklmnopqrstuvwxyz,|"), [""; 0]);
}
