//! Any bytes at all as an OTLP request in JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    lurcher_ingest::otlp::fuzz(body);
});
