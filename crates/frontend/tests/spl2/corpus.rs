//! Every published SPL2 rule at hand is lowered without an error, and exactly but for the streaming models. Needs the
//! rules beside the repository; skipped by name where they are not.

use std::path::{Path, PathBuf};

use lurcher_diagnostics::{Level, SourceFile};
use lurcher_frontend::spl2::{Options, lower};
use lurcher_ir::{Predicate, Tail};
use saphyr_parser::{Event, Parser};

fn shared(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path)
}

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "yml") {
            found.push(path);
        }
    }
    found.sort();
}

/// The text under the key `search` of the document's mapping.
fn search_of(yaml: &str) -> Option<String> {
    let (mut depth, mut is_key, mut wanted) = (0, true, false);
    for event in Parser::new_from_str(yaml) {
        match event.ok()?.0 {
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => {
                depth -= 1;
                if depth == 1 {
                    (is_key, wanted) = (true, false);
                }
            }
            Event::Scalar(text, ..) if depth == 1 => {
                if wanted && !is_key {
                    return Some(text.into_owned());
                }
                wanted = is_key && text == "search";
                is_key = !is_key;
            }
            _ => {}
        }
    }
    None
}

/// The published files quote long texts over lines that are not indented, which strict YAML does not allow.
fn indented(yaml: &str) -> String {
    let is_key = |line: &str| {
        line.split_once(':')
            .is_some_and(|(key, _)| !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    yaml.lines()
        .map(|line| if is_key(line) || line.starts_with("- ") { format!("{line}\n") } else { format!(" {line}\n") })
        .collect()
}

fn check(name: &str, query: &str, faults: &mut Vec<String>) -> bool {
    let file = SourceFile::new(name, query);
    let lowered = lower(&file, &Options::default(), crate::schemas());
    for diagnostic in &lowered.diagnostics {
        if diagnostic.level != Level::Note {
            faults.push(format!("{name}: {}: {}", diagnostic.code, diagnostic.message));
        }
    }
    for reason in &lowered.reasons {
        if !matches!(reason.code, "anomaly-model" | "model") {
            faults.push(format!("{name}: {}: {}", reason.code, reason.message));
        }
    }
    let Some(body) = &lowered.body else {
        faults.push(format!("{name}: no body"));
        return false;
    };
    let Tail::Pipeline(pipeline) = &body.tail else {
        faults.push(format!("{name}: no pipeline"));
        return false;
    };
    if !pipeline.branches.iter().any(|branch| branch.sink.is_some()) {
        faults.push(format!("{name}: no sink"));
    }
    body.filters.iter().all(|filter| !holds(filter))
}

/// Whether part of a filter is an expression that no index helps with.
fn holds(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::Holds { .. } => true,
        Predicate::All(parts) | Predicate::Any(parts) => parts.iter().any(holds),
        Predicate::Not(inner) => holds(inner),
        Predicate::Constant(_) | Predicate::Test { .. } => false,
    }
}

#[test]
fn published_rules_are_lowered_exactly() {
    let (mut rules, mut pure, mut faults) = (0, 0, Vec::new());
    for folder in ["data/rules/ssa2022", "data/rules/ssa2024"] {
        let root = shared(folder);
        if !root.is_dir() {
            eprintln!("skipped: published_rules_are_lowered_exactly (no ../shared/{folder})");
            return;
        }
        let mut files = Vec::new();
        yaml_files(&root, &mut files);
        for path in files {
            let yaml = std::fs::read_to_string(&path).unwrap();
            let Some(query) = search_of(&yaml).or_else(|| search_of(&indented(&yaml))) else {
                // Test descriptions beside the rules have no query.
                if yaml.lines().any(|line| line.starts_with("search:")) {
                    faults.push(format!("{}: the query cannot be taken out of the file", path.display()));
                }
                continue;
            };
            rules += 1;
            pure += usize::from(check(&path.display().to_string(), &query, &mut faults));
        }
    }
    eprintln!("{rules} rules lowered, {pure} to tests alone");
    assert!(rules > 0);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(pure * 100 > rules * 90, "{pure} of {rules}");
}

#[test]
fn the_founding_query_is_lowered_exactly() {
    let folder = shared("seeds");
    let mut found = 0;
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        // A page of documentation: the query is the run of lines that begin with a bar.
        let query = text.lines().filter(|line| line.starts_with("| ")).collect::<Vec<_>>().join("\n");
        if !query.contains("read_ssa_enriched_events") {
            continue;
        }
        found += 1;
        let mut faults = Vec::new();
        assert!(check("seed", &query, &mut faults), "{faults:?}");
        assert!(faults.is_empty(), "{faults:?}");
    }
    if found == 0 {
        eprintln!("skipped: the_founding_query_is_lowered_exactly (no ../shared/seeds)");
    }
}
