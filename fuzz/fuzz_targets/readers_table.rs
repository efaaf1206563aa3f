//! Tables. Reading ends and never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lurcher_readers::{ReadOptions, read_stream};

fuzz_target!(|data: &[u8]| {
    let bytes = &[b"dest,process_name:integer\n1,".as_slice(), data].concat()[..];
    read_stream("fuzz", &mut &*bytes, &ReadOptions::default(), &mut |_| {});
});
