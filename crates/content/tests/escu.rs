//! Splunk's published detections: which verdicts they get. Skipped where they are not beside the repository.
#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::{collections::BTreeMap, path::Path};

use lurcher_content::{LoadOptions, Pack, load};
use lurcher_schema::Schemas;

fn pack() -> Option<Pack> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/rules/escu");
    if !folder.is_dir() {
        eprintln!("skipped: ../shared/data/rules/escu is absent");
        return None;
    }
    Some(load(&[folder], &LoadOptions::default(), &Schemas::builtin().unwrap()))
}

/// Only what judges by a model, or asks for a search of its own, is left.
#[test]
fn every_detection_in_spl_runs_but_for_those_with_models() {
    let Some(pack) = pack() else { return };
    let mut refused = BTreeMap::<String, Vec<String>>::new();
    for check in pack.checks.iter().filter(|check| check.language == "spl") {
        if check.verdict == "error" || check.verdict == "unsupported" {
            let worst = check.reasons.iter().filter(|reason| !reason.message.starts_with("model:"));
            for reason in worst {
                refused.entry(format!("{}: {}", reason.code, reason.message)).or_default().push(check.name.clone());
            }
        }
    }
    for (reason, names) in &refused {
        eprintln!("{:4} {reason}  e.g. {}", names.len(), names[0]);
    }
    eprintln!("{:?}", pack.tally());
    let errors = pack.checks.iter().filter(|check| check.language == "spl" && check.verdict == "error");
    assert_eq!(errors.map(|check| check.name.as_str()).collect::<Vec<_>>(), Vec::<&str>::new());
}
