//! Logs of lines: syslog, audit records, access logs, Zeek, W3C. Reading ends and never panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lurcher_readers::{ReadOptions, read_stream};

const BEGINNINGS: [&str; 5] = [
    "Jan  2 03:04:05 web1 sshd[1]: x\n",
    "type=SYSCALL msg=audit(1.2:3): arch=c000003e syscall=59\n",
    "10.0.0.1 - - [02/Jan/2026:03:04:05 +0000] \"GET / HTTP/1.1\" 200 5\n",
    "#separator \\x09\n#path\tconn\n#fields\tts\tuid\tx\n#types\ttime\tstring\tset[string]\n",
    "#Fields: date time c-ip cs-method\n",
];

fuzz_target!(|data: &[u8]| {
    let (first, rest) = data.split_first().unwrap_or((&0, &[]));
    let beginning = BEGINNINGS[usize::from(*first) % BEGINNINGS.len()];
    let bytes = &[beginning.as_bytes(), rest].concat()[..];
    read_stream("fuzz", &mut &*bytes, &ReadOptions::default(), &mut |_| {});
});
