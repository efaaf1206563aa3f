//! Any text at all: the Lucene front end neither panics nor hangs, and what it says and makes can be shown.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lurcher_diagnostics::{SourceFile, render};
use lurcher_frontend::lucene::{Options, lower};
use lurcher_schema::Schemas;

static SCHEMAS: LazyLock<std::sync::Arc<Schemas>> =
    LazyLock::new(|| Schemas::builtin().expect("the packs that come with Lurcher are sound"));

fuzz_target!(|text: &str| {
    let lowered = lower(&SourceFile::new("fuzz", text), &Options::default(), &SCHEMAS);
    for diagnostic in &lowered.diagnostics {
        render::text(diagnostic, false);
    }
    if let Some(body) = lowered.body {
        let _ = body.to_string();
    }
});
