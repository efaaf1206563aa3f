//! Any text is read and lowered without a panic, and in bounded time.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use lurcher_diagnostics::SourceFile;
use lurcher_frontend::spl::{Options, lower};
use lurcher_schema::Schemas;

static SCHEMAS: LazyLock<Arc<Schemas>> = LazyLock::new(|| Schemas::builtin().expect("the packs are sound"));

fuzz_target!(|text: &str| {
    let lowered = lower(&SourceFile::new("query", text), &Options::default(), &SCHEMAS);
    for diagnostic in &lowered.diagnostics {
        let _ = lurcher_diagnostics::render::text(diagnostic, false);
    }
    if let Some(body) = &lowered.body {
        let _ = body.to_string();
    }
});
