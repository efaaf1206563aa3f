//! The two founding detections over real telemetry: exactly the alerts that are expected, nothing more. Skipped where
//! the data is not beside the repository.

mod support;

use std::{collections::BTreeSet, path::Path, process::Command};

use support::shared;

const IDS: [&str; 2] = ["d76e8188-8f5a-11ec-ace4-acde48001122", "c3b915e0-22f3-4bf7-991d-b643513c722f"];

#[test]
fn the_founding_rules_raise_exactly_the_expected_alerts() {
    let Some(data) = shared("data") else {
        eprintln!("skipped: ../shared/data is absent");
        return;
    };
    let folders = ["elastic", "ssa2022", "ssa2024"].map(|name| data.join("rules").join(name));
    let mut command = Command::new(env!("CARGO_BIN_EXE_lurcher"));
    command
        .args(["hunt", "--format", "jsonl", "--quiet"])
        .args(["events", "sigma_regression"].map(|name| data.join(name)));
    for folder in &folders {
        command.arg("-r").arg(folder);
    }
    for id in IDS {
        command.args(["--id", id]);
    }
    let output = command.output().unwrap();
    let expected = std::fs::read_to_string(data.join("bits_expected.csv")).unwrap();
    let want: BTreeSet<[String; 3]> = expected.lines().skip(1).map(columns).collect();
    let mut found: BTreeSet<[String; 3]> = BTreeSet::new();
    let mut ids = (BTreeSet::new(), BTreeSet::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let alert: serde_json::Value = serde_json::from_str(line).unwrap();
        let event = &alert["events"][0];
        let file =
            Path::new(event["file"].as_str().unwrap()).strip_prefix(&data).unwrap().to_string_lossy().into_owned();
        let row =
            [alert["rule"]["id"].as_str().unwrap().to_owned(), file, event["record"].as_str().unwrap().to_owned()];
        let id = alert["id"].as_str().unwrap().to_owned();
        if want.contains(&row) {
            found.insert(row);
            ids.0.insert(id);
        } else {
            ids.1.insert((id, row));
        }
    }
    assert_eq!(found, want, "{}", String::from_utf8_lossy(&output.stderr));
    // Some of the expected events lie there twice, as EVTX and as JSON: the same event, so the same alert id.
    let more: Vec<_> = ids.1.iter().filter(|(id, _)| !ids.0.contains(id)).collect();
    assert!(more.is_empty(), "alerts that nobody expects: {more:?}");
}

/// `rule_id,file,member,record,event_kind` to rule, file with member, record.
fn columns(line: &str) -> [String; 3] {
    let cells: Vec<&str> = line.split(',').collect();
    let file = if cells[2].is_empty() { cells[1].to_owned() } else { format!("{}!{}", cells[1], cells[2]) };
    [cells[0].to_owned(), file, cells[3].to_owned()]
}
