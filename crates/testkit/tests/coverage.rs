//! The tables of specs show every function and operator of Elastic's languages with every kind of argument.
#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::{collections::BTreeSet, fs, path::Path};

use lurcher_frontend::{eql, esql};
use lurcher_testkit::{KINDS, Row, is_table_spec, parse_tables};

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
