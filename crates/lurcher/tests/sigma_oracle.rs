//! Sigma's published rules over real telemetry against the hits on which independent engines agree. Where the two differ,
//! docs/sigma-oracle.md says why, and the table below how often; any other difference fails. And every regression case
//! that is published with the rules: its rule finds at least as many events as the case says.
//!
//! Skipped where the data is not beside the repository. A sweep takes minutes without optimisation, so it is also skipped
//! there unless `LURCHER_SLOW_TESTS` is set.
#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use support::{cells, file_name, hunt, lurcher, oracle_data, root, shared};

/// Rules with hits that the oracle does not have, how many, and the heading in docs/sigma-oracle.md that says why.
const EXPLAINED: [(&str, usize, &str); 1] = [("ab4561b1-6c7e-48a7-ad08-087cfb9ce8f1", 13, "guid-braces")];

/// Rule, file, member of an archive, number of the event.
type Hit = (String, String, String, String);

/// The hits of an alert. The oracle numbers events of EVTX by their own `EventRecordID`, which a record that was exported
/// again does not have in its header.
fn hits(alert: &Value, data: &Path) -> Vec<Hit> {
    let rule = alert["rule"]["id"].as_str().unwrap();
    let hit = |event: &Value| {
        let path = event["file"].as_str().unwrap();
        let (file, member) = path.split_once('!').unwrap_or((path, ""));
        let file = Path::new(file).strip_prefix(data).unwrap().to_string_lossy().trim_end_matches(".gz").to_owned();
        let member = if file_name(member) == file_name(&file) { "" } else { file_name(member) };
        let own = event["doc"]["EventRecordID"].as_str().filter(|_| path.contains(".evtx"));
        let record = own.unwrap_or_else(|| event["record"].as_str().unwrap());
        (rule.to_owned(), file, member.to_owned(), record.to_owned())
    };
    alert["events"].as_array().unwrap().iter().map(hit).collect()
}

/// The oracle's hits and how sure they are.
fn wanted(data: &Path) -> BTreeMap<Hit, String> {
    let text = fs::read_to_string(data.join("oracle/sigma_hits.csv")).unwrap();
    let rows = text.lines().skip(1).map(|line| {
        let cells = cells(line);
        let [rule, _, file, member, record, confidence] = &cells[..] else { panic!("{line}") };
        let record = record.trim_start_matches(['r', 'L']).to_owned();
        let file = file.trim_end_matches(".gz").to_owned();
        ((rule.clone(), file, file_name(member).to_owned(), record), confidence.clone())
    });
    rows.collect()
}

#[test]
fn every_hit_on_which_engines_agree_is_found_and_no_other_but_what_is_explained() {
    let Some(data) = oracle_data() else { return };
    let at = |path: &str| data.join(path).to_string_lossy().into_owned();
    let (events, cases, rules) = (at("events"), at("sigma_regression"), at("rules/sigma"));
    let choice = ["--route", "strict", "--quiet", "--max-evidence", "1000000"];
    let alerts = hunt(&[&[events.as_str(), &cases, "-r", &rules], &choice[..]].concat()).1;
    let got: BTreeSet<Hit> = alerts.iter().flat_map(|alert| hits(alert, &data)).collect();
    let want = wanted(&data);
    let missing: Vec<&Hit> =
        want.iter().filter(|(hit, sure)| *sure == "high" && !got.contains(*hit)).map(|(hit, _)| hit).collect();
    assert!(missing.is_empty(), "{} missing, such as {:?}", missing.len(), missing.first());

    let judged: BTreeSet<&str> = want.keys().map(|hit| hit.0.as_str()).collect();
    let mut extra: BTreeMap<&str, usize> = BTreeMap::new();
    for hit in got.iter().filter(|hit| hit.1.ends_with(".evtx") && judged.contains(hit.0.as_str())) {
        if !want.contains_key(hit) {
            *extra.entry(&hit.0).or_default() += 1;
        }
    }
    let explanations = fs::read_to_string(root().join("docs/sigma-oracle.md")).unwrap();
    for (.., cause) in EXPLAINED {
        assert!(explanations.contains(&format!("## `{cause}`")), "docs/sigma-oracle.md does not explain `{cause}`");
    }
    assert_eq!(extra, EXPLAINED.iter().map(|(rule, count, _)| (*rule, *count)).collect());
}

#[test]
fn every_regression_case_fires() {
    let Some(data) = shared("data") else {
        eprintln!("skipped: ../shared/data is absent");
        return;
    };
    let cases = data.join("sigma_regression").to_string_lossy().into_owned();
    let rules = data.join("rules/sigma").to_string_lossy().into_owned();
    let alerts = hunt(&[&cases, "-r", &rules, "--route", "strict", "--quiet", "--max-evidence", "1000000"]).1;
    let mut found: BTreeMap<(String, PathBuf), usize> = BTreeMap::new();
    for alert in &alerts {
        for event in alert["events"].as_array().unwrap() {
            let file = PathBuf::from(event["file"].as_str().unwrap());
            let rule = alert["rule"]["id"].as_str().unwrap().to_owned();
            *found.entry((rule, file)).or_default() += 1;
        }
    }
    let checked = String::from_utf8(lurcher(&["check", &rules, "--format", "json"]).stdout).unwrap();
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().map(str::to_owned);
    let known: BTreeSet<String> = checked.lines().filter_map(id).collect();
    let mut infos = Vec::new();
    collect(&data.join("sigma_regression"), &mut infos);
    let mut silent = Vec::new();
    for info in &infos {
        let text = fs::read_to_string(info).unwrap();
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.trim().trim_start_matches("- ").strip_prefix(key));
            line.map(|rest| rest.trim().to_owned()).unwrap_or_default()
        };
        let rule = text.split("rule_metadata:").nth(1).and_then(|rest| rest.split("id:").nth(1)).unwrap();
        let rule = rule.lines().next().unwrap().trim().trim_matches(['"', '\'']).to_owned();
        // A part of the published rules: cases of the others have nothing to fire.
        if !known.contains(&rule) {
            continue;
        }
        let least: usize = value("match_count:").parse().unwrap_or(1);
        for file in fs::read_dir(info.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_some_and(|extension| extension == "evtx" || extension == "json") {
                let count = found.get(&(rule.clone(), file.clone())).copied().unwrap_or(0);
                if count < least.max(1) {
                    silent.push(format!("{rule}: {count} of {least} in {}", file.display()));
                }
            }
        }
    }
    assert!(infos.len() > 50, "only {} cases", infos.len());
    assert!(silent.is_empty(), "{} cases: {silent:#?}", silent.len());
}

fn collect(folder: &Path, infos: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            collect(&entry, infos);
        } else if entry.file_name().is_some_and(|name| name == "info.yml") {
            infos.push(entry);
        }
    }
}
