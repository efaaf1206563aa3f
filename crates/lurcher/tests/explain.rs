//! What `lurcher explain` says, kept as golden files: a newcomer must understand each of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::process::Command;

use serde_json::Value;
use support::root;

const NOTIFY: &str = "examples/bits/rules/bits_notify_program.toml";
const DOWNLOAD: &str = "examples/bits/rules/bitsadmin_download.yml";
const TEMP: &str = "crates/lurcher/tests/explain/system_logon_from_temp.toml";
const CORRELATION: &str = "crates/lurcher/tests/explain/guessed_passwords.yml";
const SEQUENCE: &str = "crates/lurcher/tests/explain/download_then_start.toml";

/// Runs in the root of the repository, so that paths are the same everywhere.
fn explain(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_lurcher"))
        .arg("explain")
        .args(arguments)
        .env("COLUMNS", "100")
        .current_dir(root())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let wide = |line: &str| !line.starts_with('{') && line.chars().count() > 100;
    assert!(!text.lines().any(wide), "a line is too wide:\n{text}");
    text
}

/// The explanation without what changes whenever a mapping pack grows: line numbers, and the kinds of events that packs
/// know.
fn golden(arguments: &[&str]) -> String {
    let mut text = String::new();
    let mut kinds = false;
    for line in explain(arguments).lines() {
        kinds &= !line.is_empty();
        let (before, after) = line.split_once(".toml:").unwrap_or((line, ""));
        let number = after.bytes().take_while(u8::is_ascii_digit).count();
        match line.split_once("What can: ") {
            Some((start, _)) => {
                kinds = true;
                text.extend([start, "What can: …\n"]);
            }
            None if kinds => {}
            None if number > 0 => text.extend([before, ".toml:N", &after[number..], "\n"]),
            None => text.extend([line, "\n"]),
        }
    }
    text
}

/// An event of the fixture, by its line.
fn event(line: u32) -> String {
    format!("crates/lurcher/tests/explain/events.jsonl#{line}")
}

#[test]
fn a_rule_on_its_own_is_told_in_plain_words() {
    insta::assert_snapshot!("rule_elastic", stable(&golden(&[NOTIFY])));
    insta::assert_snapshot!("rule_splunk", stable(&golden(&[DOWNLOAD])));
    insta::assert_snapshot!("rule_sequence", stable(&golden(&[SEQUENCE])));
    let correlation = explain(&["Guessed Password", "-r", CORRELATION]);
    insta::assert_snapshot!("rule_correlation", &correlation[..correlation.find("How each kind").unwrap()]);
}

/// The plan names the kinds of events that mapping packs know. They grow, and no explanation changes by that.
fn stable(text: &str) -> String {
    let start = text.find("How each kind of event is decided").unwrap();
    let end = text.find("Intermediate form").unwrap();
    assert!(text[start..end].contains("looked at only where"), "{text}");
    format!("{}{}", &text[..start], &text[end..])
}

#[test]
fn a_hit_shows_every_test_with_its_value() {
    insta::assert_snapshot!("hit_elastic", golden(&[NOTIFY, "-e", "examples/bits/events/office-monday.xml#100073"]));
    insta::assert_snapshot!("hit_splunk", golden(&[DOWNLOAD, "-e", "examples/bits/events/office-monday.xml#100019"]));
}

#[test]
fn near_misses_are_named_with_what_stands_in_the_way() {
    for (name, rule, line) in [
        ("case", DOWNLOAD, 1),
        ("space", NOTIFY, 2),
        ("wrong_event_elastic", NOTIFY, 3),
        ("wrong_event_splunk", DOWNLOAD, 3),
        ("missing_field_elastic", NOTIFY, 4),
        ("missing_field_splunk", DOWNLOAD, 4),
        ("exclusion", NOTIFY, 5),
        ("number", TEMP, 6),
        ("wrong_source", NOTIFY, 7),
        ("space_splunk", DOWNLOAD, 8),
        ("wrong_channel_splunk", DOWNLOAD, 9),
        ("wrong_channel_elastic", NOTIFY, 10),
        ("wrong_source_splunk", DOWNLOAD, 11),
    ] {
        insta::assert_snapshot!(name, golden(&[rule, "-e", &event(line)]));
    }
    // With the number right, the pattern is what is left.
    let text = explain(&[TEMP, "-e", &event(6), "--format", "json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    let tests = json["events"][0]["filters"][0]["tests"].to_string().to_lowercase();
    assert!(tests.contains("temp"), "{text}");
}

#[test]
fn a_sequence_shows_how_far_it_comes() {
    insta::assert_snapshot!("sequence", golden(&[SEQUENCE, "-e", "crates/lurcher/tests/explain/events.jsonl"]));
}

#[test]
fn programs_get_the_same_as_json() {
    let text = explain(&[NOTIFY, "-e", &event(2), "--format", "json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    let filter = &json["events"][0]["filters"][0];
    assert_eq!(filter["holds"], false);
    let failure = &filter["first_failure"];
    assert_eq!(failure["fields"][0]["field"], "process.parent.args");
    assert!(failure["fields"][0]["mapping"]["pack"].as_str().unwrap().ends_with("sysmon.toml"), "{failure}");
    assert!(failure["near_misses"][0].as_str().unwrap().contains("white space"), "{failure}");
}

#[test]
fn a_rule_is_found_by_its_id_among_others() {
    let text = explain(&["0c7e2a54-1f0d-4a8b-8b5b-2b6c1f6a9d21", "-r", "examples/bits/rules"]);
    assert!(text.starts_with("Bitsadmin Fetches a File\n"), "{text}");
    let none = support::lurcher(&["explain", "no-such-rule", "-r", &support::example("rules")]);
    assert_eq!(none.status.code(), Some(1));
}
