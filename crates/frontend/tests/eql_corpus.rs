//! Every published EQL rule at hand is lowered without an error. Needs the rules beside the repository, and is
//! skipped by name where they are not.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::path::{Path, PathBuf};

use lurcher_diagnostics::{Level, SourceFile, render};
use lurcher_frontend::eql::{Options, lower};
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
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let Ok(document) = text.parse::<toml::Table>() else { continue };
        let rule = document.get("rule").and_then(toml::Value::as_table);
        let text = |key: &str| rule.and_then(|rule| rule.get(key)).and_then(toml::Value::as_str);
        let (Some("eql"), Some(query)) = (text("type"), text("query")) else { continue };
        let file = SourceFile::new(path.display().to_string(), query);
        let result = lower(&file, &Options::default(), &schemas);
        lowered += 1;
        for diagnostic in &result.diagnostics {
            let shown = render::text(diagnostic, false);
            if diagnostic.level == Level::Error {
                faults.push(shown);
            } else {
                eprintln!("{shown}");
            }
        }
        if result.body.is_none() {
            faults.push(format!("{}: no body; {:?}", path.display(), result.reasons));
        }
    }
    eprintln!("{lowered} rules lowered");
    assert!(lowered > 0);
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}
