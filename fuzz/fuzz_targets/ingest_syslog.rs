//! Any bytes at all on a syslog connection, however they arrive: the same messages, none longer than allowed.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lurcher_ingest::syslog::Frames;

fn cut(stream: &[u8], piece: usize) -> Option<Vec<Vec<u8>>> {
    let mut frames = Frames::new(64);
    let mut messages = Vec::new();
    for piece in stream.chunks(piece) {
        frames.push(piece);
        while let Some(message) = frames.next_message().ok()? {
            assert!(message.len() <= 64);
            messages.push(message.to_vec());
        }
    }
    messages.extend(frames.rest().map(<[u8]>::to_vec));
    Some(messages)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, stream) = input;
    assert_eq!(cut(stream, usize::from(piece) + 1), cut(stream, stream.len().max(1)));
});
