//! EVTX: a file header, then chunks as the fuzzer makes them. Reading ends and never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lurcher_readers::{ReadOptions, read_stream};

fuzz_target!(|data: &[u8]| {
    let bytes = &[b"ElfFile\0".as_slice(), &[0; 4088], b"ElfChnk\0", data].concat()[..];
    read_stream("fuzz", &mut &*bytes, &ReadOptions::default(), &mut |_| {});
});
