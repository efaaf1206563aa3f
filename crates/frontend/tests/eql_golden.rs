//! Goldens of the stages of EQL: source to tree, source to IR, and faulty source to rendered diagnostics.
//!
//! Every `.eql` file in `eql_ir/` and `eql_errors/` has its snapshot, a `.snap` file of the same name, beside it.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::{
    fmt::Write,
    path::Path,
    sync::{Arc, LazyLock},
};

use lurcher_diagnostics::{Level, SourceFile, render};
use lurcher_frontend::{
    Lowered,
    eql::{Options, lower, parser},
};
use lurcher_schema::Schemas;

/// The queries of a folder in order of name, each with its name.
fn queries(folder: &str) -> Vec<(String, Arc<SourceFile>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut queries: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "eql"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let file = SourceFile::new(format!("{name}.eql"), text);
            (name, file)
        })
        .collect();
    queries.sort_by(|a, b| a.0.cmp(&b.0));
    queries
}

fn lowered(file: &Arc<SourceFile>) -> Lowered {
    static SCHEMAS: LazyLock<Arc<Schemas>> =
        LazyLock::new(|| Schemas::builtin().expect("the packs that come with Lurcher are sound"));
    lower(file, &Options::default(), &SCHEMAS)
}

fn shown(lowered: &Lowered) -> String {
    let mut shown = String::new();
    for diagnostic in &lowered.diagnostics {
        writeln!(shown, "{}\n", render::text(diagnostic, false)).unwrap();
    }
    for reason in &lowered.reasons {
        writeln!(shown, "{:?} [{}]: {}\n", reason.verdict, reason.code, reason.message).unwrap();
    }
    if let Some(body) = &lowered.body {
        write!(shown, "{body}").unwrap();
    }
    shown
}

#[test]
fn queries_become_ir() {
    for (name, file) in queries("eql_ir") {
        let lowered = lowered(&file);
        assert!(lowered.diagnostics.iter().all(|d| d.level != Level::Error), "{}", shown(&lowered));
        insta::with_settings!({ description => file.text(), omit_expression => true, prepend_module_to_snapshot => false,
            snapshot_path => "eql_ir" }, {
            insta::assert_snapshot!(name, shown(&lowered));
        });
    }
}

#[test]
fn faults_are_explained() {
    for (name, file) in queries("eql_errors") {
        let lowered = lowered(&file);
        assert!(!lowered.diagnostics.is_empty(), "{name}: nothing was reported");
        let text = shown(&lowered);
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false,
            snapshot_path => "eql_errors" }, {
            insta::assert_snapshot!(name, text);
        });
    }
}

#[test]
fn source_becomes_a_tree() {
    let file = SourceFile::new("tree.eql", "process where not a.b == 1 + 2 and c : (\"x*\", \"y\") | head 3");
    let (query, diagnostics) = parser::parse(&file);
    assert!(diagnostics.is_empty());
    insta::assert_debug_snapshot!(query);
}
