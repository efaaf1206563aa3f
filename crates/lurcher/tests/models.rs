//! Searches that judge by a model of the user's, and what is said where there is none.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;
#[path = "../../onnx/tests/tiny/mod.rs"]
mod tiny;

use std::{fs, path::Path};

use support::lurcher;

const RULE: &str = "name: Odd Transfers
id: 3b1f4c1e-7d2a-4b7e-9a53-0d6d3b0a1e01
version: 1
type: TTP
search: 'sourcetype=transfers | eval length=len(file) | apply odd_transfers as oddness | where oddness > 5 | table file oddness'
tags:
  message: odd transfer of $file$
  impact: 50
  confidence: 50
";

/// A rule, its events and, if told so, its model among the rules.
fn site(folder: &Path, model: Option<&[u8]>) -> [String; 2] {
    let rules = folder.join("rules");
    fs::create_dir_all(&rules).unwrap();
    fs::write(rules.join("odd.yml"), RULE).unwrap();
    if let Some(bytes) = model {
        fs::write(rules.join("__mlspl_odd_transfers.onnx"), bytes).unwrap();
    }
    let events = folder.join("events.jsonl");
    let lines = [("abc", "0.5"), ("abcdef", "1"), ("abcdef", "-")].map(|(file, entropy)| {
        format!(r#"{{"sourcetype":"transfers","_time":"2026-03-02T10:00:00Z","file":"{file}","entropy":"{entropy}"}}"#)
    });
    fs::write(&events, lines.join("\n")).unwrap();
    [events, rules].map(|path| path.to_string_lossy().into_owned())
}

fn check(rules: &str) -> String {
    let output = lurcher(&["check", rules]);
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_rule_without_its_model_says_how_to_give_it() {
    let folder = tempfile::tempdir().unwrap();
    let [_, rules] = site(folder.path(), None);
    let said = check(&rules);
    assert!(said.contains("model: `odd_transfers`"), "{said}");
    assert!(said.contains("--model odd_transfers=FILE.onnx"), "{said}");
}

#[cfg(not(feature = "onnx"))]
#[test]
fn a_build_without_models_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let [_, rules] = site(folder.path(), Some(&tiny::weighted("length,entropy")));
    let said = check(&rules);
    assert!(said.contains("build with `--features onnx`"), "{said}");
}

#[cfg(feature = "onnx")]
#[test]
fn a_model_among_the_rules_or_of_the_command_line_judges() {
    let folder = tempfile::tempdir().unwrap();
    let [events, rules] = site(folder.path(), Some(&tiny::weighted("length,entropy")));
    let found = |arguments: &[&str]| -> Vec<String> {
        let (code, alerts, said) = support::hunt(&[&[events.as_str(), "-r", &rules], arguments].concat());
        assert_eq!(code, 0, "{said}");
        alerts.iter().map(|alert| format!("{} {}", alert["values"]["file"], alert["values"]["oddness"])).collect()
    };
    // 2 × length − entropy + 0.5; the third has no entropy.
    assert_eq!(found(&[]), ["\"abc\" 6.0", "\"abcdef\" 11.5"]);
    let other = folder.path().join("other.onnx");
    fs::write(&other, tiny::weighted("entropy,length")).unwrap();
    assert_eq!(found(&["--model", &format!("odd_transfers={}", other.display())]), [""; 0]);
    let settings = folder.path().join("site.toml");
    let text = format!("[models]\nodd_transfers = {{ file = {:?}, features = [\"length\", \"length\"] }}\n", other);
    fs::write(&settings, text).unwrap();
    assert_eq!(found(&["--config", &settings.to_string_lossy()]), ["\"abcdef\" 6.5", "\"abcdef\" 6.5"]);
}
