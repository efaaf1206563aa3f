//! Every published ES|QL rule at hand is lowered without an error; those that cannot run say so with a reason. Needs the
//! rules beside the repository, and is skipped by name where they are not.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use lurcher_diagnostics::{Level, SourceFile, render};
use lurcher_frontend::esql::{Options, lower};
use lurcher_ir::Verdict;
use lurcher_schema::Schemas;

fn toml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            toml_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "toml") {
            found.push(path);
        }
    }
}

#[test]
fn published_rules_are_lowered_without_errors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/rules/elastic");
    if !folder.is_dir() {
        eprintln!("skipped: published_rules_are_lowered_without_errors (no ../shared/data/rules/elastic)");
        return;
    }
    let schemas = Schemas::builtin().expect("the packs that come with Lurcher are sound");
    let mut files = Vec::new();
    toml_files(&folder, &mut files);
    let (mut lowered, mut faults) = (0, Vec::new());
    let mut verdicts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let Ok(document) = text.parse::<toml::Table>() else { continue };
        let rule = document.get("rule").and_then(toml::Value::as_table);
        let text = |key: &str| rule.and_then(|rule| rule.get(key)).and_then(toml::Value::as_str);
        let (Some("esql"), Some(query)) = (text("type"), text("query")) else { continue };
        let file = SourceFile::new(path.display().to_string(), query);
        let result = lower(&file, &Options::default(), &schemas);
        lowered += 1;
        for diagnostic in &result.diagnostics {
            let shown = render::text(&diagnostic.clone().in_file(&file), false);
            if diagnostic.level == Level::Error {
                faults.push(shown);
            } else {
                eprintln!("{shown}");
            }
        }
        for reason in &result.reasons {
            let name = path.file_stem().map_or(String::new(), |name| name.to_string_lossy().into_owned());
            verdicts.entry(format!("{}: {}", reason.verdict.name(), reason.message)).or_default().push(name);
        }
        let refused = result.reasons.iter().any(|reason| reason.verdict >= Verdict::Unsupported);
        if result.body.is_none() && !refused {
            faults.push(format!("{}: no body, and no reason", path.display()));
        }
    }
    eprintln!("{lowered} rules lowered");
    for (reason, rules) in verdicts {
        eprintln!("{} × {reason}: {}", rules.len(), rules.join(", "));
    }
    assert!(lowered > 0);
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}
