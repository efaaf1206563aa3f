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

const EVENTS: &str = r#"{"@timestamp":"2026-03-02T08:00:00Z","user":{"name":"ann"},"process":{"pid":1}}
{"@timestamp":"2026-03-02T08:01:00Z","user":{"name":"carl"},"process":{"pid":2}}
"#;

/// The rows of a query over the table `hosts` and, `FROM logs…`, two events; and what was said.
fn rows(text: &str) -> (Vec<Value>, String) {
    rows_over(HOSTS, text)
}

/// The same with another table `hosts`.
fn rows_over(hosts: &str, text: &str) -> (Vec<Value>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hosts.csv");
    std::fs::write(&file, hosts).unwrap();
    let table = format!("hosts={}", file.display());
    let events = folder.path().join("events.ndjson");
    std::fs::write(&events, EVENTS).unwrap();
    let mut arguments = vec!["query", "esql", text, "--table", &table, "--format", "jsonl", "-q"];
    let path = events.display().to_string();
    if text.starts_with("FROM logs") {
        arguments.push(&path);
    }
    let output = lurcher(&arguments);
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
fn a_join_by_a_condition_compares_and_adds_all_columns_of_the_table() {
    let joined = |row: &str, on: &str| rows(&format!("ROW {row} | LOOKUP JOIN hosts ON {on} | SORT tier | DROP ips"));
    let ann = json!({"n": 2, "host": "h1", "owner": "ann", "tier": 1});
    assert_eq!(joined("n = 2", "n >= tier").0, [ann], "null and 3 are not at most 2");
    let (each, said) = joined("n = 9, h = \"h1\"", "h == host AND n > tier AND (owner LIKE \"c*\" OR tier == 1)");
    let row = |owner: &str, tier: u8| json!({"n": 9, "h": "h1", "host": "h1", "owner": owner, "tier": tier});
    assert_eq!(each, [row("ann", 1), row("carl", 3)], "{said}");
    assert_eq!(joined("n = 9, h = \"h1\"", "h == host AND n > tier AND owner != \"ann\"").0, [row("carl", 3)]);
    let nothing = |n: Value| json!({"n": n, "host": null, "owner": null, "tier": null});
    assert_eq!(joined("n = 1", "n > tier").0, [nothing(json!(1))]);
    assert_eq!(joined("n = [1, 5]", "n > tier").0, [nothing(json!([1, 5]))], "several values compare with nothing");
    assert_eq!(joined("n = null", "n > tier").0, [nothing(Value::Null)]);
    // A whole number and a fraction are equal by size, not by their texts.
    assert_eq!(joined("n = 1.0", "n == tier | KEEP owner, tier, ips").0, [json!({"owner": "ann", "tier": 1})]);
    assert_eq!(joined("n = 3", "n != tier | KEEP owner, tier, ips").0, [json!({"owner": "ann", "tier": 1})]);
    // Addresses are ordered as addresses; of several there is no one to compare.
    let (greater, said) = rows("ROW a = TO_IP(\"10.0.0.10\") | LOOKUP JOIN hosts ON a > ips | KEEP owner");
    assert_eq!(greater, [json!({"owner": "carl"})], "{said}");
}

#[test]
fn dates_are_joined_by_the_moment_that_they_are() {
    let since = "host:keyword,since:date\nh1,2026-03-02\nh2,2026-03-02T08:00:30.000Z\n";
    let at = r#"ROW since = TO_DATETIME("2026-03-02T00:00:00Z") | LOOKUP JOIN hosts ON since | KEEP host"#;
    let (found, said) = rows_over(since, at);
    assert_eq!(found, [json!({"host": "h1"})], "{said}");
    let later =
        "FROM logs-* | LOOKUP JOIN hosts ON @timestamp > since AND host == \"h2\" | SORT process.pid | KEEP host";
    let (found, said) = rows_over(since, later);
    assert_eq!(found, [json!({"host": null}), json!({"host": "h2"})], "{said}");
}

#[test]
fn a_join_by_a_condition_reads_fields_of_events() {
    let (found, said) = rows(
        "FROM logs-* | LOOKUP JOIN hosts ON user.name == owner AND process.pid >= tier | SORT process.pid | KEEP user.name, host, tier",
    );
    let wanted = [
        json!({"user.name": "ann", "host": "h1", "tier": 1}),
        json!({"user.name": "carl", "host": null, "tier": null}),
    ];
    assert_eq!(found, wanted, "{said}");
}

#[test]
fn what_is_no_condition_of_a_join_is_said() {
    let said = |row: &str, on: &str| rows(&format!("ROW {row} | LOOKUP JOIN hosts ON {on}")).1;
    let expect = |text: String, part: &str| assert!(text.contains(part), "{text}");
    expect(said("n = \"x\"", "n >= tier"), "cannot compare keyword with integer");
    expect(said("n = 1", "n >= tier AND n > 0"), "says nothing of the table");
    expect(said("n = 1", "tier > 1"), "no part of the condition relates");
    expect(said("host = \"h1\"", "host == owner"), "both the rows and the table `hosts` have a field `host`");
    expect(said("n = 1", "n >= tier OR n > 5"), "compares a field of each");
    expect(said("n = 1", "n + 1 >= tier"), "in an `EVAL` before");
    expect(said("host = \"h1\", n = 1", "host, n == tier"), "or one condition");
    expect(said("n = 1", "n == teir"), "teir");
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
