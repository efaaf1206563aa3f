//! Any text is read and lowered without a panic, and in bounded time; also as a processing pipeline.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lurcher_diagnostics::SourceFile;
use lurcher_frontend::sigma::{Options, lower, pipeline};

fuzz_target!(|text: &str| {
    let file = SourceFile::new("rule", text);
    let lowered = lower(&file, &Options::default());
    for diagnostic in &lowered.diagnostics {
        let _ = lurcher_diagnostics::render::text(diagnostic, false);
    }
    if let Some(body) = &lowered.body {
        let _ = body.to_string();
    }
    let _ = pipeline::parse(&file);
});
