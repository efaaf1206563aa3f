//! Every published rule that is at hand loads. Skipped, and said so, where the rules are not at hand.

use std::path::PathBuf;

use lurcher_content::{LoadOptions, Pack, load};
use lurcher_schema::Schemas;

/// The folder of published rules beside the repository, if it is there.
fn published(vendor: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/rules").join(vendor);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: ../shared/data/rules/{vendor} is not there");
    None
}

fn read(vendor: &str) -> Option<Pack> {
    let schemas = Schemas::builtin().expect("the built-in mapping packs are sound");
    let pack = load(&[published(vendor)?], &LoadOptions::default(), &schemas);
    eprintln!("{vendor}: {} files, {} rules, skipped {:?}", pack.files, pack.rules.len(), pack.skipped);
    for ((vendor, language, verdict), count) in pack.tally() {
        eprintln!("  {count:5} {vendor} {language} {verdict}");
    }
    for check in pack.checks.iter().filter(|check| check.verdict == "approximate") {
        eprintln!("  approximate: {}: {:?}", check.path, check.reasons.iter().map(|r| &r.code).collect::<Vec<_>>());
    }
    assert!(pack.problems.is_empty(), "{:?}", pack.problems);
    assert_eq!(pack.rules.len(), pack.checks.len());
    for check in &pack.checks {
        let runs = matches!(check.language, "eql" | "spl2" | "kuery" | "lucene")
            && !matches!(check.kind.as_str(), "threshold" | "new_terms" | "threat_match");
        let fits = if runs { matches!(check.verdict, "exact" | "approximate") } else { check.verdict != "error" };
        // SigmaHQ keeps rules whose conditions are prose, and no engine reads, in a folder of that name.
        let fits = fits || (check.language == "sigma" && check.path.contains("/unsupported/"));
        assert!(fits, "{}: {} {:?}", check.path, check.verdict, check.reasons);
    }
    Some(pack)
}

/// What every rule must have, whoever publishes it.
fn assert_described(pack: &Pack) {
    for rule in &pack.rules {
        let meta = &rule.meta;
        assert!(!meta.id.is_empty() && !meta.name.is_empty(), "{}", meta.path);
        assert!(!meta.query.is_empty() || meta.language == "machine_learning", "{}", meta.path);
        assert!(!meta.description.is_empty(), "{}", meta.path);
    }
}

#[test]
fn elastic() {
    let Some(pack) = read("elastic") else { return };
    assert_described(&pack);
    let founding = pack.rules.iter().find(|r| *r.meta.id == *"c3b915e0-22f3-4bf7-991d-b643513c722f");
    let meta = &founding.expect("the founding rule").meta;
    assert_eq!((meta.severity.name(), meta.risk_score), ("medium", 47.0));
    assert!(meta.threats.iter().any(|t| t.techniques.iter().any(|(id, _)| id == "T1197")));
}

#[test]
fn splunk() {
    for vendor in ["escu", "ssa2022", "ssa2024"] {
        let Some(pack) = read(vendor) else { continue };
        assert_described(&pack);
        for rule in pack.rules.iter().filter(|rule| *rule.meta.id == *"d76e8188-8f5a-11ec-ace4-acde48001122") {
            assert!((rule.meta.risk_score - 49.0).abs() < f64::EPSILON);
            assert_eq!(rule.meta.threats.iter().flat_map(|t| &t.techniques).next().map(|t| &*t.0), Some("T1197"));
        }
    }
}

#[test]
fn sigma() {
    let Some(pack) = read("sigma") else { return };
    assert_described(&pack);
}
