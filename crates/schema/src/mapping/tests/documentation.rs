//! `docs/mapping-packs.md` and the engine say the same.

use std::fs;

use super::repository;
use crate::mapping::{pack::Pack, transform::TRANSFORMS};

fn guide() -> String {
    fs::read_to_string(repository().join("docs/mapping-packs.md")).unwrap()
}

#[test]
fn the_guide_lists_every_transform_and_no_other() {
    let guide = guide();
    let (_, table) = guide.split_once("## Transforms").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let listed: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split(['`', '(']).next())
        .collect();
    let known: Vec<&str> = TRANSFORMS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(listed, known);
}

#[test]
fn the_guides_packs_load() {
    let guide = guide();
    let packs: Vec<&str> = guide.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!packs.is_empty());
    for text in packs {
        let file = lurcher_diagnostics::SourceFile::new("docs/mapping-packs.md", text);
        let (_, diagnostics) = Pack::parse(&file);
        assert_eq!(diagnostics, [], "{text}");
    }
}
