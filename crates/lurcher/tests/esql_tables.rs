//! ES|QL over tables of the user's own: `FROM`, `LOOKUP JOIN` and `ENRICH`.
//!
//! Source: Elastic's reference of ES|QL, `LOOKUP JOIN` and `ENRICH`; Elasticsearch's suites `lookup-join.csv-spec` and
//! `enrich.csv-spec`.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use serde_json::{Value, json};
use support::lurcher;

const HOSTS: &str =
    "host:keyword,owner:keyword,tier:integer,ips:ip\nh1,ann,1,\"[10.0.0.2,10.0.0.1]\"\nh2,bob,,\nh1,carl,3,10.0.0.9\n";

/// The rows of a query over the table `hosts`, and what was said.
fn rows(text: &str) -> (Vec<Value>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hosts.csv");
    std::fs::write(&file, HOSTS).unwrap();
    let table = format!("hosts={}", file.display());
    let output = lurcher(&["query", "esql", text, "--table", &table, "--format", "jsonl", "-q"]);
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = |line: &str| serde_json::from_str::<Value>(line).unwrap()["row"].clone();
    (lines.lines().map(row).collect(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_join_makes_a_row_of_each_match_and_keeps_what_has_none() {
    let (found, said) = rows(r#"ROW host = "h1" | LOOKUP JOIN hosts ON host | SORT tier"#);
    let wanted = [
        json!({"host": "h1", "owner": "ann", "tier": 1, "ips": ["10.0.0.1", "10.0.0.2"]}),
        json!({"host": "h1", "owner": "carl", "tier": 3, "ips": "10.0.0.9"}),
    ];
    assert_eq!(found, wanted, "{said}");
    let none = json!({"host": null, "owner": null, "tier": null, "ips": null});
    assert_eq!(rows("ROW host = null | LOOKUP JOIN hosts ON host").0, [none]);
    let (several, _) = rows(r#"ROW host = ["h1", "h2"] | LOOKUP JOIN hosts ON host | KEEP owner"#);
    assert_eq!(several, [json!({"owner": null})], "several values are no key");
    let (missing, _) = rows(r#"ROW host = "zz" | LOOKUP JOIN hosts ON host | WHERE owner IS NULL | KEEP host"#);
    assert_eq!(missing, [json!({"host": "zz"})]);
}

#[test]
fn a_policy_adds_the_columns_that_are_wanted() {
    let (found, said) = rows(r#"ROW h = "h2" | ENRICH hosts ON h WITH who = owner, tier"#);
    assert_eq!(found, [json!({"h": "h2", "who": "bob", "tier": null})], "{said}");
    let (several, _) = rows(r#"ROW h = ["h1", "h2"] | ENRICH hosts ON h WITH owner | KEEP owner"#);
    assert_eq!(several, [json!({"owner": ["ann", "bob", "carl"]})]);
    let (none, _) = rows("ROW h = null | ENRICH hosts ON h WITH owner");
    assert_eq!(none, [json!({"h": null, "owner": null})]);
}

#[test]
fn a_table_is_read_as_an_index() {
    let (found, said) = rows("FROM hosts | STATS c = COUNT(*), t = MAX(tier) BY host | SORT host");
    assert_eq!(found, [json!({"c": 2, "t": 3, "host": "h1"}), json!({"c": 1, "t": null, "host": "h2"})], "{said}");
}

#[test]
fn a_column_that_a_table_lacks_is_named_with_those_that_it_has() {
    let (_, said) = rows("ROW n = 1 | LOOKUP JOIN hosts ON n");
    assert!(said.contains("has no column `n`") && said.contains("`owner`"), "{said}");
    let (_, said) = rows(r#"ROW h = "h2" | ENRICH hosts ON h WITH ownr"#);
    assert!(said.contains("did you mean `owner`?"), "{said}");
}
