//! The packs that come with Lurcher.

use lurcher_diagnostics::Diagnostic;

use crate::Schemas;

#[test]
fn every_builtin_pack_loads_without_a_word() {
    let (_, diagnostics) = Schemas::with_packs(&[]);
    let said: Vec<String> = diagnostics.iter().map(said).collect();
    assert_eq!(said, Vec::<String>::new());
}

fn said(diagnostic: &Diagnostic) -> String {
    let file = diagnostic.file.as_ref().map_or("", |file| file.name());
    let line = diagnostic.position().map_or(0, |position| position.line);
    format!("{file}:{line}: {}", diagnostic.message)
}
