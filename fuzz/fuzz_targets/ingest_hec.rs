//! Any bytes at all as a body for the HTTP Event Collector.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    lurcher_ingest::hec::fuzz(body);
});
