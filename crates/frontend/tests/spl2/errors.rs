//! A folder of faulty queries, each with what is said about it.

use std::path::Path;

use lurcher_diagnostics::{SourceFile, render};
use lurcher_frontend::spl2::{Options, lower};

fn said_about(name: &str, query: &str) -> String {
    let file = SourceFile::new(name, query);
    let lowered = lower(&file, &Options::default(), crate::schemas());
    let diagnostics = lowered.diagnostics.iter().map(|diagnostic| render::text(diagnostic, false) + "\n");
    let reasons = lowered.reasons.iter().map(|reason| {
        let place = reason.span.map(|span| file.slice(span)).unwrap_or_default();
        format!("{} [{}]: {} (`{place}`)\n", reason.verdict.name(), reason.code, reason.message)
    });
    diagnostics.chain(reasons).collect()
}

#[test]
fn faulty_queries_are_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spl2_errors");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|e| e == "spl2")) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let said = said_about(&format!("{name}.spl2"), &std::fs::read_to_string(path).unwrap());
        assert!(!said.is_empty(), "{name} is not faulty");
        insta::with_settings!({snapshot_path => "../spl2_errors", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(name, said);
        });
    }
}
