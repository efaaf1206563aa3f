//! The same alerts from the same events: whatever the format, the number of threads, the order of the files.

mod support;

use std::fs;

use support::{example, hunt, lurcher, without_files};

#[test]
fn threads_do_not_matter() {
    let run = |threads| hunt(&[&example("events"), "-r", &example("rules"), "--threads", threads]).1;
    let (one, two) = (run("1"), run("2"));
    assert!(!one.is_empty());
    let sorted = |alerts: &[serde_json::Value]| {
        let mut lines: Vec<String> = alerts.iter().map(ToString::to_string).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&one), sorted(&two));
}

#[test]
fn the_order_of_files_does_not_matter() {
    let (a, b) = (example("events/office-monday.xml"), example("events/office-tuesday.jsonl"));
    let forward = hunt(&[&a, &b, "-r", &example("rules")]).1;
    let backward = hunt(&[&b, &a, "-r", &example("rules")]).1;
    assert_eq!(without_files(&forward), without_files(&backward));
}

/// The example's XML as flat JSON and as a document of events, inside and outside of archives.
#[test]
fn the_format_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let xml = fs::read_to_string(example("events/office-monday.xml")).unwrap();
    let document = folder.path().join("document.xml");
    fs::write(&document, format!("<?xml version=\"1.0\"?>\n<Events>\n{xml}</Events>\n")).unwrap();
    let packed = folder.path().join("office.zst");
    fs::write(&packed, zstd::encode_all(xml.as_bytes(), 1).unwrap()).unwrap();
    let rules = example("rules");
    let wanted = without_files(&hunt(&[&example("events/office-monday.xml"), "-r", &rules]).1);
    assert!(!wanted.is_empty());
    for other in [document, packed] {
        assert_eq!(without_files(&hunt(&[&other.to_string_lossy(), "-r", &rules]).1), wanted, "{}", other.display());
    }
}

#[test]
fn ids_are_the_same_in_every_run_and_differ_between_events() {
    let run = || hunt(&[&example("events"), "-r", &example("rules")]).1;
    let ids = |alerts: &[serde_json::Value]| {
        alerts.iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    let (first, second) = (run(), run());
    assert_eq!(ids(&first), ids(&second));
    assert_eq!(ids(&first).len(), first.len());
}

#[test]
fn an_event_in_ecs_raises_the_same_alerts_as_the_raw_one() {
    let folder = tempfile::tempdir().unwrap();
    let output = lurcher(&["event", &example("events/office-monday.xml"), "--as", "ecs", "--compact"]);
    let path = folder.path().join("ecs.jsonl");
    fs::write(&path, output.stdout).unwrap();
    let names = |alerts: &[serde_json::Value]| {
        let mut names: Vec<String> = alerts.iter().map(|alert| alert["rule"]["name"].to_string()).collect();
        names.sort();
        names
    };
    let raw = hunt(&[&example("events/office-monday.xml"), "-r", &example("rules")]).1;
    let ecs = hunt(&[&path.to_string_lossy(), "-r", &example("rules")]).1;
    assert_eq!(names(&raw), names(&ecs));
}
