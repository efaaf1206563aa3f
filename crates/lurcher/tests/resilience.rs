//! Bad input: each fault is named with its file and place, everything else is still processed, the exit code is 2.

mod support;

use std::fs;

use support::{example, hunt, lurcher};

fn office() -> String {
    fs::read_to_string(example("events/office-monday.xml")).expect("the example is part of the repository")
}

#[test]
fn a_good_sweep_exits_with_0_and_finds_both_attacks() {
    let (code, alerts, said) = hunt(&[&example("events"), "-r", &example("rules")]);
    assert_eq!(code, 0, "{said}");
    let names: std::collections::BTreeSet<&str> =
        alerts.iter().map(|alert| alert["rule"]["name"].as_str().unwrap()).collect();
    assert_eq!(
        names.into_iter().collect::<Vec<_>>(),
        ["Bitsadmin Fetches a File", "Program Started When a BITS Job Ended"]
    );
}

#[test]
fn a_truncated_file_beside_a_good_one_is_named_and_the_good_one_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = office();
    fs::write(path("good.xml"), &text).unwrap();
    fs::write(path("cut.xml"), &text[..text.len() - 700]).unwrap();
    fs::write(path("empty.evtx"), "").unwrap();
    fs::write(path("bad.jsonl"), "{\"a\":1}\n{\"a\":\n{\"a\":3}\n").unwrap();
    let (code, alerts, said) = hunt(&[&folder.path().to_string_lossy(), "-r", &example("rules")]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("cut.xml: "), "{said}");
    assert!(said.contains("bad.jsonl: line 2: "), "{said}");
    let good = alerts.iter().filter(|alert| alert["events"][0]["file"].as_str().unwrap().ends_with("good.xml")).count();
    assert_eq!(good, 2);
}

#[test]
fn bytes_that_are_no_text_cost_only_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = office().into_bytes();
    let at = bytes.windows(7).position(|w| w == b"a.berg<").unwrap_or(5_000);
    bytes[at] = 0xFF;
    fs::write(folder.path().join("latin1.xml"), bytes).unwrap();
    let (_, alerts, said) = hunt(&[&folder.path().to_string_lossy(), "-r", &example("rules")]);
    assert_eq!(alerts.len(), 2, "{said}");
    assert!(said.contains("latin1.xml"), "{said}");
}

#[test]
fn a_flipped_bit_in_an_archive_is_an_error_with_the_archives_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, office().as_bytes()).unwrap();
    let mut bytes = packed.finish().unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(folder.path().join("office.xml.gz"), bytes).unwrap();
    fs::copy(example("events/office-tuesday.jsonl"), folder.path().join("tuesday.jsonl")).unwrap();
    let (code, alerts, said) = hunt(&[&folder.path().to_string_lossy(), "-r", &example("rules")]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("office.xml.gz"), "{said}");
    assert!(
        alerts.iter().any(|alert| alert["events"][0]["file"].as_str().unwrap().ends_with("tuesday.jsonl")),
        "{said}"
    );
}

#[test]
fn a_rule_with_an_error_is_shown_with_its_place_and_the_others_run() {
    let folder = tempfile::tempdir().unwrap();
    let good = fs::read_to_string(example("rules/bits_notify_program.toml")).unwrap();
    fs::write(folder.path().join("bad.toml"), good.replace("process.parent.args :", "process.parent.args =:")).unwrap();
    fs::write(folder.path().join("good.toml"), &good).unwrap();
    let (code, alerts, said) = hunt(&[&example("events"), "-r", &folder.path().to_string_lossy()]);
    assert_eq!(code, 2, "{said}");
    assert!(!alerts.is_empty(), "{said}");
    let line = good.lines().position(|line| line.contains("process.parent.args")).unwrap() + 1;
    assert!(said.contains(&format!("bad.toml:{line}:")), "the diagnostic points into the rule file:\n{said}");
}

#[test]
fn no_rules_or_no_input_ran_nothing() {
    assert_eq!(hunt(&[&example("events"), "-r", "no/such/rules"]).0, 1);
    assert_eq!(hunt(&["no/such/events", "-r", &example("rules")]).0, 1);
    assert_eq!(lurcher(&["hunt", "--no-such-flag"]).status.code(), Some(1));
    assert_eq!(lurcher(&["--help"]).status.code(), Some(0));
}

#[test]
fn alerts_can_fail_a_run() {
    let (code, alerts, _) = hunt(&[&example("events"), "-r", &example("rules"), "--fail-on-alert"]);
    assert_eq!((code, alerts.is_empty()), (3, false));
}
