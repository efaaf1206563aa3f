//! Elastic's EQL rules over real telemetry against the hits of an independent evaluator. Where the two differ,
//! `eql_oracle.txt` says how often and why, rule by rule, and docs/eql-oracle.md explains it; any other difference fails.
//!
//! Skipped where the data is not beside the repository. A sweep takes a minute without optimisation, so it is also skipped
//! there unless `LURCHER_SLOW_TESTS` is set.
#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;
use support::{cells, file_name, hunt, oracle_data, root};

/// Rule, file, member of an archive, numbers of the events in the order of the sequence.
type Hit = [String; 4];

fn sweep(data: &Path, threads: &str) -> Vec<Value> {
    let at = |path: &str| data.join(path).to_string_lossy().into_owned();
    let (events, cases, rules) = (at("events"), at("sigma_regression"), at("rules/elastic"));
    let choice = ["--language", "eql", "--route", "any", "--quiet", "--threads", threads];
    hunt(&[&[events.as_str(), &cases, "-r", &rules], &choice[..]].concat()).1
}

fn hit(alert: &Value, data: &Path) -> Hit {
    let events = alert["events"].as_array().unwrap();
    let (file, member) = {
        let path = events[0]["file"].as_str().unwrap();
        path.split_once('!').map_or((path, ""), |(file, member)| (file, file_name(member)))
    };
    let file = Path::new(file).strip_prefix(data).unwrap().to_string_lossy().into_owned();
    // A member that is only the name of the decompressed file says nothing more than the file itself.
    let member = if file_name(file.trim_end_matches(".gz")) == member { "" } else { member }.to_owned();
    let records: Vec<&str> = events.iter().map(|event| event["record"].as_str().unwrap()).collect();
    [alert["rule"]["id"].as_str().unwrap().to_owned(), file, member, records.join("|")]
}

/// The evaluator saw neither the cases' JSON (the same events once more) nor what was edited by hand.
fn in_oracle(hit: &Hit) -> bool {
    let path = Path::new(&hit[1]);
    let twin = path.starts_with("sigma_regression") && path.extension().is_some_and(|extension| extension == "json");
    !twin && !path.starts_with("events/derived")
}

fn wanted(data: &Path) -> BTreeSet<Hit> {
    let text = fs::read_to_string(data.join("oracle/eql_hits.csv")).unwrap();
    let hits = text.lines().skip(1).map(|line| {
        let cells = cells(line);
        let records: Vec<&str> = cells[4].split('|').map(|record| record.trim_start_matches(['r', 'L'])).collect();
        [cells[0].clone(), cells[2].clone(), file_name(&cells[3]).to_owned(), records.join("|")]
    });
    hits.collect()
}

/// How many hits of each rule are missing and extra, by the table.
fn explained() -> BTreeMap<String, (usize, usize)> {
    let table = fs::read_to_string(root().join("crates/lurcher/tests/eql_oracle.txt")).unwrap();
    let explanations = fs::read_to_string(root().join("docs/eql-oracle.md")).unwrap();
    let mut rules: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let [rule, missing, extra, cause] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(explanations.contains(&format!("## `{cause}`")), "docs/eql-oracle.md does not explain `{cause}`");
        let counts = rules.entry(rule.to_owned()).or_default();
        counts.0 += missing.parse::<usize>().unwrap();
        counts.1 += extra.parse::<usize>().unwrap();
    }
    rules
}

#[test]
fn every_difference_from_the_oracle_is_explained_and_threads_do_not_matter() {
    let Some(data) = oracle_data() else { return };
    let alerts = sweep(&data, "2");
    let rules = fs::read_to_string(data.join("oracle/eql_rules.csv")).unwrap();
    let rules: BTreeSet<String> = rules.lines().skip(1).map(|line| cells(line).swap_remove(0)).collect();
    let got = alerts.iter().map(|alert| hit(alert, &data));
    let got: BTreeSet<Hit> = got.filter(|hit| rules.contains(&hit[0]) && in_oracle(hit)).collect();
    let want = wanted(&data);
    let mut differences: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    want.difference(&got).for_each(|hit| differences.entry(hit[0].clone()).or_default().0 += 1);
    got.difference(&want).for_each(|hit| differences.entry(hit[0].clone()).or_default().1 += 1);
    assert_eq!(differences, explained());

    let lines = |alerts: &[Value]| alerts.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    assert!(lines(&alerts) == lines(&sweep(&data, "1")), "one thread raises other alerts than two");
}
