//! Packs with faults, and what is said about them.

use std::{fmt::Write as _, fs};

use super::repository;
use crate::{Schemas, Taxonomy};

/// Each pack under `tests/bad-packs` gives diagnostics that point into it; none of them is used.
#[test]
fn bad_packs_are_refused_with_the_reason_and_the_place() {
    let folder = repository().join("crates/schema/tests/bad-packs");
    let (schemas, diagnostics) = Schemas::with_packs(std::slice::from_ref(&folder));
    let mut said = String::new();
    for diagnostic in &diagnostics {
        let file = diagnostic.file.as_ref().unwrap();
        let name = file.name().rsplit(['/', '\\']).next().unwrap_or("");
        let position = diagnostic.position().unwrap();
        let under = diagnostic.labels.first().map_or("", |label| file.slice(label.span));
        writeln!(said, "{name}:{}:{}: {}", position.line, position.column, diagnostic.message).unwrap();
        writeln!(said, "    {}", under.lines().next().unwrap_or("")).unwrap();
        if let Some(help) = &diagnostic.help {
            writeln!(said, "    help: {help}").unwrap();
        }
    }
    insta::assert_snapshot!(said);
    let shape = crate::Shape::new([("dialect", "bad")]);
    assert!(schemas.fields(Taxonomy::Cim, &shape).is_empty());
    let packs = fs::read_dir(&folder).unwrap().count();
    assert!(diagnostics.len() >= packs);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let (_, diagnostics) = Schemas::with_packs(&["no/such/folder".into()]);
    assert_eq!(diagnostics.len(), 1);
    assert!(diagnostics[0].message.starts_with("cannot read the mapping pack no/such/folder: "));
}
