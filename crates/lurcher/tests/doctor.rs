//! `lurcher doctor`: the first lines say what matters most.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::fs;

use serde_json::Value;
use support::{example, lurcher};

fn doctor(arguments: &[&str]) -> (i32, String) {
    let output = lurcher(&[&["doctor"], arguments].concat());
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// The example's events without those of Sysmon.
fn without_sysmon() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let monday = fs::read_to_string(example("events/office-monday.xml")).unwrap();
    let kept: Vec<&str> = monday.lines().filter(|line| !line.contains("Microsoft-Windows-Sysmon")).collect();
    assert!(!kept.is_empty());
    fs::write(folder.path().join("monday.xml"), kept.join("\n")).unwrap();
    folder
}

#[test]
fn a_folder_without_sysmon_says_so_first() {
    let folder = without_sysmon();
    let rule = example("rules/bits_notify_program.toml");
    let (code, text) = doctor(&[&folder.path().to_string_lossy(), "-r", &rule]);
    let first = text.lines().next().unwrap();
    assert_eq!(code, 0);
    assert!(first.starts_with("No Sysmon: 1 of 1 rule needs it"), "{text}");
    assert!(text.contains("Sysmon 1 (process created): 1"), "{text}");
    assert!(text.contains("What is here"), "{text}");
}

#[test]
fn a_rule_that_needs_one_of_several_sources_is_told_of_the_one_that_is_near() {
    // Windows logs are here, so Sysmon is near; that an EDR would do as well is said beside it.
    let folder = without_sysmon();
    let rule = folder.path().join("dump.yml");
    let text = "title: dump\nlogsource: { product: windows, category: registry_set }\ndetection:\n  s: { TargetObject|contains: X }\n  condition: s\n";
    fs::write(&rule, text).unwrap();
    let (_, text) = doctor(&[&folder.path().join("monday.xml").to_string_lossy(), "-r", &rule.to_string_lossy()]);
    assert!(text.starts_with("No Sysmon: 1 of 1 rule needs it"), "{text}");
    assert!(text.contains("would do as well: ") && text.contains("crowdstrike_fdr for 1"), "{text}");
}

/// A rule of Elastic's over these indices.
fn rule(folder: &tempfile::TempDir, index: &str, query: &str) -> String {
    let path = folder.path().join("rule.toml");
    let text = format!(
        "[metadata]\nmaturity = \"production\"\n[rule]\nname = \"R\"\nrule_id = \"r\"\ntype = \"query\"\nlanguage = \"kuery\"\n\
         risk_score = 1\nseverity = \"low\"\nindex = [\"{index}\"]\nquery = '''{query}'''\n"
    );
    fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

#[test]
fn a_rule_that_is_shown_everything_still_asks_for_its_own_source() {
    let folder = without_sysmon();
    let rule = rule(
        &folder,
        "filebeat-*\", \"logs-aws.cloudtrail-*",
        "event.dataset: aws.cloudtrail and event.action: ConsoleLogin",
    );
    let events = folder.path().join("monday.xml").to_string_lossy().into_owned();
    let first = |route: &str| {
        let (_, text) = doctor(&[&events, "-r", &rule, "--route", route]);
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(first("any"), first("strict"));
    assert!(first("any").starts_with("No logs-aws.*"), "{}", first("any"));
}

#[test]
fn of_several_channels_of_which_one_is_here_none_is_lacking() {
    // Events of no number that is known may come from any channel of Windows.
    let folder = without_sysmon();
    let rule = rule(&folder, "winlogbeat-*", "container.id: x");
    let events = folder.path().join("monday.xml").to_string_lossy().into_owned();
    for route in ["any", "strict"] {
        let (_, text) = doctor(&[&events, "-r", &rule, "--route", route]);
        assert!(text.starts_with("No event here can have container.id: 1 of 1 rule needs it"), "{route}: {text}");
    }
}

#[test]
fn a_field_that_is_not_logged_is_named_with_its_raw_field() {
    let folder = tempfile::tempdir().unwrap();
    let event = "{\"@timestamp\":\"2026-03-04T09:03:00.000Z\",\"SourceName\":\"Microsoft-Windows-Security-Auditing\",\
        \"Channel\":\"Security\",\"EventID\":4688,\"Hostname\":\"a\",\"SubjectUserName\":\"b\",\
        \"NewProcessName\":\"C:\\\\Windows\\\\System32\\\\bitsadmin.exe\"}\n";
    fs::write(folder.path().join("a.jsonl"), event).unwrap();
    let (_, text) = doctor(&[&folder.path().to_string_lossy(), "-r", &example("rules/bitsadmin_download.yml")]);
    assert!(text.lines().next().unwrap().starts_with("process.cmd_line is not logged"), "{text}");
    assert!(text.contains("EventData.CommandLine"), "{text}");
}

#[test]
fn rules_that_fire_and_times_that_miss_are_told_apart() {
    let (events, rules) = (example("events"), example("rules"));
    let (code, text) = doctor(&[&events, "-r", &rules, "--format", "json"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, 0);
    assert_eq!((json["rules"].as_u64(), json["fire"].as_array().unwrap().len()), (Some(2), 2));
    assert!(json["here"].as_array().unwrap().iter().any(|kind| kind["raw_fields_unread"][0].is_string()), "{text}");
    let (code, text) = doctor(&[&events, "-r", &rules, "--from", "2027-01-01"]);
    assert_eq!(code, 1);
    assert!(text.starts_with("Every event lies outside --from and --to: they are from 2026-03-02T"), "{text}");
    assert!(text.contains("181 events left out: they lie outside --from and --to"), "{text}");
}
