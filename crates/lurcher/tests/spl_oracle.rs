//! Splunk's detections over real telemetry against the hits of an independent evaluator: every hit that is beyond dispute
//! (`high`) is found, and detections that have nothing to find here are silent. What differs beyond doubt and why stands in
//! `spl_oracle.txt`, rule by rule.
//!
//! Skipped where the data is not beside the repository. A sweep takes minutes without optimisation, so it is also skipped
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

/// Rule, file, member of an archive, record.
type Hit = [String; 4];

/// The hits of an alert, but for the risk events that a correlation search finds: these lie in no file.
fn hits(alert: &Value, data: &Path) -> Vec<Hit> {
    let rule = alert["rule"]["id"].as_str().unwrap();
    let hit = |event: &Value| {
        let path = event["file"].as_str().unwrap();
        let (file, member) = path.split_once('!').map_or((path, ""), |(file, m)| (file, file_name(m)));
        let file = Path::new(file).strip_prefix(data).ok()?.to_string_lossy().into_owned();
        let file = file.strip_suffix(".gz").map_or(file.clone(), str::to_owned);
        // A member that is only the name of the decompressed file says nothing more than the file itself.
        let member = if file_name(&file) == member { "" } else { member }.to_owned();
        Some([rule.to_owned(), file, member, event["record"].as_str().unwrap().to_owned()])
    };
    alert["events"].as_array().unwrap().iter().filter_map(hit).collect()
}

fn column(path: &Path, wanted: impl Fn(&[String]) -> bool) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(cells).filter(|cells| wanted(cells)).collect()
}

/// How many hits of each rule are missing, and which rules are not silent, by the table.
fn explained() -> BTreeMap<String, usize> {
    let table = fs::read_to_string(root().join("crates/lurcher/tests/spl_oracle.txt")).unwrap();
    let lines = table.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let entry = |line: &str| {
        let mut words = line.split(' ');
        (words.next().unwrap().to_owned(), words.next().unwrap().parse().unwrap())
    };
    lines.map(entry).collect()
}

#[test]
fn what_is_beyond_dispute_is_found_and_nothing_is_found_where_nothing_is() {
    let Some(data) = oracle_data() else { return };
    let at = |path: &str| data.join(path).to_string_lossy().into_owned();
    let (events, cases, rules) = (at("events"), at("sigma_regression"), at("rules/escu"));
    let arguments = [events.as_str(), &cases, "-r", &rules, "--language", "spl", "--route", "any", "--quiet"];
    let alerts = hunt(&[&arguments[..], &["--max-evidence", "1000000"]].concat()).1;
    let got: BTreeSet<Hit> = alerts.iter().flat_map(|alert| hits(alert, &data)).collect();
    let mut differences: BTreeMap<String, usize> = BTreeMap::new();
    for row in column(&data.join("oracle/spl_hits.csv"), |cells| cells[5] == "high") {
        let file = row[2].strip_suffix(".gz").unwrap_or(&row[2]).to_owned();
        let hit =
            [row[0].clone(), file, file_name(&row[3]).to_owned(), row[4].trim_start_matches(['r', 'L']).to_owned()];
        if !got.contains(&hit) {
            *differences.entry(row[0].clone()).or_default() += 1;
        }
    }
    let fired: BTreeSet<&str> = alerts.iter().filter_map(|alert| alert["rule"]["id"].as_str()).collect();
    for row in column(&data.join("oracle/spl_silent.csv"), |_| true) {
        if fired.contains(row[0].as_str()) {
            *differences.entry(row[0].clone()).or_default() += 1;
        }
    }
    assert_eq!(differences, explained());
}
