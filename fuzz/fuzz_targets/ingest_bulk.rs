//! Any bytes at all as the body of a bulk request: refused, or taken apart into items whose documents stand in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lurcher_ingest::elasticsearch::parse_bulk;

fuzz_target!(|body: &[u8]| {
    if let Ok(items) = parse_bulk(body, Some("x")) {
        assert!(!items.is_empty());
        assert!(items.iter().map(|item| item.source.len()).sum::<usize>() <= body.len());
    }
});
