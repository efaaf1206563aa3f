//! `lurcher test`: the bundled tests, each way to fail, and each way to report.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use quick_xml::{Reader, events::Event};
use serde_json::Value;
use support::{example, lurcher, root, shared};

fn test(arguments: &[&str]) -> (i32, String, String) {
    let output = lurcher(&[&["test"], arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A folder with the example's rules and, for the first of them, these tests.
fn folder(tests: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for rule in ["bits_notify_program.toml", "bitsadmin_download.yml"] {
        fs::copy(example(&format!("rules/{rule}")), folder.path().join(rule)).unwrap();
    }
    fs::write(folder.path().join("bits_notify_program.test.yml"), tests).unwrap();
    folder
}

const BASE: &str = "base: {SourceName: Microsoft-Windows-Sysmon, Channel: Microsoft-Windows-Sysmon/Operational, EventID: 1, \
    '@timestamp': '2026-03-02T08:00:00Z', ParentImage: 'C:\\Windows\\System32\\svchost.exe'}\n";

#[test]
fn the_bundled_tests_pass() {
    let (code, text, said) = test(&[&example(""), "--coverage"]);
    assert_eq!((code, said.as_str()), (0, ""), "{text}");
    assert!(text.contains("8 tests: 7 passed, 1 pending"), "{text}");
    assert!(text.contains("coverage: 2 of 2 rules have a test"), "{text}");
}

#[test]
fn a_failing_test_says_what_was_expected_what_came_and_the_first_predicate_that_differed() {
    let folder = folder(&format!(
        "{BASE}cases:\n- name: a blank too many\n  events:\n  - {{ParentCommandLine: 'svchost.exe -s \"BITS \"'}}\n  alerts: 1\n"
    ));
    let (code, text, _) = test(&[&folder.path().to_string_lossy()]);
    assert_eq!(code, 1, "{text}");
    for part in [
        "failed   Program Started When a BITS Job Ended › a blank too many",
        "bits_notify_program.test.yml:3",
        "expected 1 alert, got none",
        "first failure  process.parent.args is \"bits\" in any case",
        "the event has  \"svchost.exe\", \"-s\", \"BITS \"",
        "from           EventData.ParentCommandLine = ",
        "near miss      the value has white space at an end",
        "1 test: 0 passed, 1 failed",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn an_alert_that_must_not_come_is_explained_by_the_tests_that_it_passed() {
    let folder = folder(&format!(
        "{BASE}cases:\n- name: silence\n  events:\n  - {{ParentCommandLine: svchost.exe -s BITS}}\n  alerts: 0\n"
    ));
    let (code, text, _) = test(&[&folder.path().to_string_lossy()]);
    assert_eq!(code, 1);
    assert!(text.contains("expected no alert, got 1"), "{text}");
    assert!(text.contains("process.parent.args is \"bits\" in any case: the event has"), "{text}");
}

#[test]
fn wrong_values_missing_fields_and_other_counts_are_differences() {
    let folder = folder(&format!(
        "{BASE}cases:\n- name: x\n  events:\n  - {{ParentCommandLine: svchost.exe -s BITS, Image: 'C:\\a.exe'}}\n  \
         fields: {{process.name: b.exe, severity: medium, no.such.field: 1}}\n  min_alerts: 2\n"
    ));
    let (_, json, _) = test(&[&folder.path().to_string_lossy(), "--format", "json"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    let differences: Vec<&str> =
        report["results"][0]["differences"].as_array().unwrap().iter().map(|d| d.as_str().unwrap()).collect();
    assert_eq!(differences.len(), 3, "{differences:?}");
    assert_eq!(differences[0], "expected at least 2 alerts, got 1");
    assert!(differences[1].ends_with("process.name is \"a.exe\", not \"b.exe\""), "{differences:?}");
    assert!(differences[2].ends_with("no.such.field is missing"), "{differences:?}");
}

#[test]
fn what_cannot_be_run_is_no_success() {
    let folder = folder("cases:\n- {name: x, file: absent.json}\n");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("other.test.yml"), "rule: no-such-rule\ncases:\n- {name: y, events: [{a: 1}]}\n").unwrap();
    fs::write(at("typo.test.yml"), "rule: bits_notify_program.toml\ncases:\n- {name: z, evnets: [{a: 1}]}\n").unwrap();
    let (code, text, said) = test(&[&folder.path().to_string_lossy()]);
    assert_eq!(code, 2, "{text}{said}");
    assert!(text.contains("its rule is not among the rules given"), "{text}");
    assert!(text.contains("absent.json"), "{text}");
    assert!(said.contains("unknown key `evnets`"), "{said}");
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(test(&[&empty.path().to_string_lossy()]).0, 1);
}

/// A detection in Splunk's format with tests of its own, and a local copy of its attack data.
#[test]
fn splunks_tests_run_over_a_local_copy_of_the_attack_data() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let url = "https://media.example/splunk/attack_data/master/datasets/attack_techniques/T1197/bits";
    let detection = fs::read_to_string(example("rules/bitsadmin_download.yml")).unwrap();
    let tests = format!(
        "tests:\n- name: True Positive Test\n  attack_data:\n  - data: {url}/office.log\n    source: x\n    sourcetype: y\n\
         - name: Absent\n  attack_data:\n  - data: {url}/absent.log\n- name: Large\n  attack_data:\n  - data: {url}/large.log\n"
    );
    fs::create_dir(at("rules")).unwrap();
    fs::write(at("rules/download.yml"), detection.clone() + &tests).unwrap();
    let data = at("attack_data/datasets/attack_techniques/T1197/bits");
    fs::create_dir_all(&data).unwrap();
    fs::copy(example("events/office-monday.xml"), data.join("office.log")).unwrap();
    fs::write(data.join("large.log"), "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n").unwrap();
    let rules = at("rules").to_string_lossy().into_owned();
    let (code, text, said) = test(&[&rules, "--attack-data", &at("attack_data").to_string_lossy(), "-v"]);
    assert_eq!(code, 0, "{text}{said}");
    assert!(text.contains("passed   Bitsadmin Fetches a File › True Positive Test"), "{text}");
    assert!(
        text.contains("its attack data is not at hand: datasets/attack_techniques/T1197/bits/absent.log"),
        "{text}"
    );
    assert!(text.contains("git lfs pull"), "{text}");
    // A risk object that no alert fills fails the test, as it does at Splunk's.
    fs::write(at("rules/download.yml"), detection.replace("name: device.hostname", "name: no.such.field") + &tests)
        .unwrap();
    let (code, text, _) = test(&[&rules, "--attack-data", &at("attack_data").to_string_lossy()]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("the risk object no.such.field is not filled in 1 of 1 alert"), "{text}");
}

#[test]
fn only_tests_of_what_has_changed_run() {
    let folder = folder(&format!(
        "{BASE}cases:\n- {{name: x, events: [{{ParentCommandLine: svchost.exe -s BITS}}], alerts: 1}}\n"
    ));
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@t.example", "-c", "commit.gpgsign=false"];
        Command::new("git").current_dir(folder.path()).args(identity).args(arguments).output()
    };
    if git(&["init", "-q"]).is_err() {
        eprintln!("skipped: there is no git here");
        return;
    }
    for arguments in [&["add", "."][..], &["commit", "-q", "-m", "x"]] {
        let output = git(arguments).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let path = folder.path().to_string_lossy().into_owned();
    let changed = || test(&[&path, "--changed-since", "HEAD"]);
    assert!(changed().1.contains("0 tests"), "{:?}", changed());
    assert_eq!(changed().0, 0);
    let rule = folder.path().join("bits_notify_program.toml");
    fs::write(&rule, fs::read_to_string(&rule).unwrap() + "\n").unwrap();
    assert!(changed().1.contains("1 test: 1 passed"), "{:?}", changed());
    assert_eq!(test(&[&path, "--changed-since", "no-such-revision"]).0, 1);
}

#[test]
fn tap_has_a_plan_and_a_line_for_each_test() {
    let (_, tap, _) = test(&[&example(""), "--format", "tap"]);
    let mut lines = tap.lines();
    assert_eq!((lines.next(), lines.next()), (Some("TAP version 14"), Some("1..8")));
    assert_eq!(tap.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")).count(), 8);
    assert!(tap.contains("# TODO the rule asks for svchost.exe by name"), "{tap}");
}

#[test]
fn the_junit_file_keeps_to_the_schema() {
    let folder = folder(&format!(
        "{BASE}cases:\n- {{name: 'fails <\"&\">', events: [{{a: 1}}], alerts: 1}}\n- {{name: skipped, skip: no time}}\n\
         - {{name: not run, file: absent.json}}\n- {{name: passes, events: [{{ParentCommandLine: svchost.exe -s BITS}}]}}\n"
    ));
    let out = folder.path().join("report.xml");
    let (code, text, _) = test(&[&folder.path().to_string_lossy(), "--format", "junit", "-o", &out.to_string_lossy()]);
    assert_eq!((code, text.as_str()), (1, ""));
    let report = Junit::read(&fs::read_to_string(out).unwrap());
    assert_eq!(report.suites, [("Program Started When a BITS Job Ended".to_owned(), [4, 1, 1, 1])]);
}

/// The `JUnit` schema that build servers agree on (that of Jenkins' xUnit plugin), as far as it says which elements stand
/// where and which attributes they have and must have; and that the counts add up.
#[derive(Default)]
struct Junit {
    /// Name, and how many tests, failures, errors and skipped ones the suite says that it has.
    suites: Vec<(String, [usize; 4])>,
}

/// Element, the element that it stands in, attributes that it must have, attributes that it may have.
const SCHEMA: [(&str, &str, &[&str], &[&str]); 6] = [
    ("testsuites", "", &[], &["name", "tests", "failures", "errors", "time"]),
    ("testsuite", "testsuites", &["name", "tests"], &["failures", "errors", "skipped", "time", "timestamp", "file"]),
    ("testcase", "testsuite", &["name", "classname"], &["time", "file", "line"]),
    ("failure", "testcase", &[], &["message", "type"]),
    ("error", "testcase", &[], &["message", "type"]),
    ("skipped", "testcase", &[], &["message", "type"]),
];

impl Junit {
    fn read(text: &str) -> Self {
        let mut reader = Reader::from_str(text);
        let (mut report, mut open, mut found) = (Self::default(), vec![String::new()], [0; 4]);
        loop {
            let event = reader.read_event().unwrap();
            let (start, empty) = match &event {
                Event::Eof => break,
                Event::End(_) => {
                    if open.pop().unwrap() == "testsuite" {
                        assert_eq!(report.suites.last().unwrap().1, std::mem::take(&mut found), "the counts differ");
                    }
                    continue;
                }
                Event::Start(start) => (start, false),
                Event::Empty(start) => (start, true),
                _ => continue,
            };
            let name = start.name().as_ref().to_owned();
            let (_, parent, must, may) =
                SCHEMA.iter().find(|(own, ..)| *own == name).expect("an element of the schema");
            assert_eq!(open.last().unwrap(), parent, "<{name}> stands in the wrong place");
            let attributes: BTreeMap<String, String> = start
                .attributes()
                .map(|attribute| {
                    let attribute = attribute.unwrap();
                    let key = attribute.key.as_ref().to_owned();
                    (key, attribute.value.into_owned())
                })
                .collect();
            assert!(must.iter().all(|name| attributes.contains_key(*name)), "{name}: {attributes:?}");
            let known = |key: &String| must.contains(&key.as_str()) || may.contains(&key.as_str());
            assert!(attributes.keys().all(known), "{name}: {attributes:?}");
            for number in ["tests", "failures", "errors", "skipped", "line"] {
                assert!(attributes.get(number).is_none_or(|value| value.parse::<u64>().is_ok()), "{attributes:?}");
            }
            let count = |key: &str| attributes.get(key).map_or(0, |value| value.parse().unwrap());
            match name.as_str() {
                "testsuite" => {
                    let counts = ["tests", "failures", "errors", "skipped"].map(count);
                    report.suites.push((attributes["name"].clone(), counts));
                }
                "testcase" => found[0] += 1,
                "failure" => found[1] += 1,
                "error" => found[2] += 1,
                "skipped" => found[3] += 1,
                _ => {}
            }
            if !empty {
                open.push(name);
            }
        }
        assert_eq!(open, [""], "an element is not closed");
        report
    }
}

/// SigmaHQ's own regression cases, as far as they lie beside the repository.
#[test]
fn sigmahqs_regression_cases_pass() {
    let (Some(rules), Some(cases)) = (shared("data/rules/sigma"), shared("data/sigma_regression")) else {
        eprintln!("skipped: ../shared/data is absent");
        return;
    };
    let arguments = ["test", "--format", "json"].map(String::from);
    let output = Command::new(env!("CARGO_BIN_EXE_lurcher")).args(arguments).args([&rules, &cases]).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Only a part of the rules lies there: the cases of the others say so.
    let absent = |result: &&Value| result["reason"] == "its rule is not among the rules given";
    let results = || report["results"].as_array().unwrap().iter().filter(|result| !absent(result));
    let bad: Vec<&Value> = results().filter(|result| result["verdict"] != "passed").collect();
    assert!(results().count() > 50 && bad.is_empty(), "{} of {}: {:#?}", bad.len(), results().count(), bad.first());
}

#[test]
fn readers_of_the_guide_find_what_it_shows() {
    let guide = fs::read_to_string(root().join("docs/testing-rules.md")).unwrap();
    for key in [
        "rule",
        "route",
        "base",
        "cases",
        "events",
        "file",
        "alerts",
        "min_alerts",
        "max_alerts",
        "fields",
        "pending",
        "skip",
    ] {
        assert!(guide.contains(&format!("`{key}`")), "{key} is not described");
    }
    assert!(Path::new(&example("rules/bits_notify_program.test.yml")).exists());
}
