//! Times that a search names itself: from where they are counted, in a hunt and on the virtual clock.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::fs;

const EVENTS: &str = r#"{"_time":"2024-03-01T09:57:00Z","n":"a"}
{"_time":"2024-03-01T10:00:00Z","n":"b"}
{"_time":"2024-03-01T10:20:00Z","n":"c"}
{"_time":"2024-03-01T10:21:00Z","n":"d"}
"#;

/// What a search finds in each of its groups, sorted.
fn found(search: &str, flags: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (logs, rule) = (path("events.jsonl"), path("rule.yml"));
    fs::write(&logs, EVENTS).unwrap();
    let text = format!(
        "name: Times\nid: times\nversion: 1\ntype: Hunting\ndescription: d\nsearch: '{search}'\ntags: {{risk_score: 10}}\n"
    );
    fs::write(&rule, text).unwrap();
    let (_, alerts, said) = support::hunt(&[&[logs.as_str(), "-r", &rule, "-q"], flags].concat());
    assert!(!said.contains("error"), "{said}");
    let mut names: Vec<String> =
        alerts.iter().map(|alert| alert["values"]["n"].as_str().unwrap_or_default().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_hunt_counts_back_from_its_end() {
    let search = "n=* earliest=-61s | stats count by n";
    assert_eq!(found(search, &[]), ["c", "d"]);
    assert_eq!(found(search, &["--to", "2024-03-01T10:01:00Z"]), ["b"]);
}

#[test]
fn a_run_counts_back_from_when_it_is_and_not_over_its_window() {
    // Every hour on the hour, over what happened 70 to 10 minutes before.
    let all = "n=* | stats count by n";
    assert_eq!(found(all, &["--simulate"]), ["a", "b", "c", "d"]);
    assert_eq!(found("n=* earliest=-5m | stats count by n", &["--simulate"]), ["a"]);
    assert_eq!(found("n=* earliest=-40m@m latest=-39m | stats count by n", &["--simulate"]), ["c"]);
}

#[test]
fn a_search_in_brackets_has_times_of_its_own() {
    let search = "n=* earliest=-5m | eval k=1 | join k [search n=c earliest=-2h | eval k=1, seen=n | table k seen] | stats count by n";
    // At eleven nothing happened within five minutes; at ten, `c` had not happened yet.
    assert_eq!(found(search, &["--simulate"]), Vec::<String>::new());
    let search = "n=a | eval k=1 | join k [search n=d earliest=-4h latest=+1h | eval k=1, seen=n | table k seen] | stats count by n";
    assert_eq!(found(search, &["--simulate"]), ["a"]);
}
