//! On the event of every case of `tests/spec/elastic/data_sources.md` one of Elastic's published rules fires, as it was
//! published. Skipped where the rules are not beside the repository.
#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::{collections::BTreeMap, fs, path::Path};

use support::{file_name, hunt, root, shared};

/// A rule that fires on every event, to show people around.
const TOUR: &str = "guided_onboarding_sample_rule.toml";

/// The events of each case, by its heading.
fn cases() -> Vec<(String, String)> {
    let spec = fs::read_to_string(root().join("tests/spec/elastic/data_sources.md")).unwrap();
    let parts = spec.split("\n## ").skip(1).map(|part| {
        let name = part.lines().next().unwrap().to_owned();
        let events = part.split("```events\n").nth(1).unwrap().split("```").next().unwrap();
        (name, events.to_owned())
    });
    parts.collect()
}

#[test]
fn a_published_rule_fires_on_an_event_of_every_source() {
    let Some(rules) = shared("data/rules/elastic") else {
        eprintln!("skipped: ../shared/data/rules/elastic is absent");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (number, (name, events)) in cases().into_iter().enumerate() {
        let file = format!("{number}.jsonl");
        fs::write(folder.path().join(&file), events).unwrap();
        names.insert(file, name);
    }
    let (_, alerts, said) =
        hunt(&[&folder.path().to_string_lossy(), "-r", &rules.to_string_lossy(), "--max-evidence", "1000"]);
    for alert in &alerts {
        if file_name(alert["rule"]["path"].as_str().unwrap()) == TOUR {
            continue;
        }
        for event in alert["events"].as_array().unwrap() {
            let file = Path::new(event["file"].as_str().unwrap()).file_name().unwrap().to_string_lossy().into_owned();
            names.remove(&file);
        }
    }
    assert!(names.is_empty(), "no published rule fires on: {:?}\n{said}", names.values());
}
