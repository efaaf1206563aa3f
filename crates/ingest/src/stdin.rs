//! Lines from standard input, or whatever else ends sometime.

use std::{
    io::{self, Read},
    sync::Arc,
    thread,
};

use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::{Failure, Reception, Stop, reception::stopped, split::line_piece, syslog::Frames};

/// Bytes that are read at a time.
const CHUNK: usize = 256 << 10;

/// `[ingest.stdin]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The data stream of its events.
    pub stream: String,
    /// The longest line, in bytes; longer ones are cut there and counted as malformed.
    pub max_line_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { stream: "stdin".to_owned(), max_line_bytes: 1 << 20 }
    }
}

/// Reads standard input until it ends or the server stops. Each line is a JSON document, an event in XML or a line.
pub async fn run(options: Options, reception: Reception, stop: Stop) -> Result<(), Failure> {
    pump(io::stdin(), options, reception, stop).await
}

/// As [`run`], from any reader.
pub async fn pump(
    input: impl Read + Send + 'static,
    options: Options,
    reception: Reception,
    mut stop: Stop,
) -> Result<(), Failure> {
    let stream: Arc<str> = Arc::from(options.stream.as_str());
    let mut frames = Frames::of_lines(options.max_line_bytes);
    // A read cannot be broken off; on a thread that nobody waits for, it does not keep the server from stopping.
    let (sender, mut chunks) = mpsc::channel(1);
    let started = thread::Builder::new().name("stdin".to_owned()).spawn(move || read(input, &sender));
    started.map_err(|error| Failure(format!("standard input: {error}")))?;
    loop {
        let chunk = tokio::select! {
            chunk = chunks.recv() => chunk.transpose().map_err(|error| Failure(format!("standard input: {error}")))?,
            () = stopped(&mut stop) => return Ok(()),
        };
        let ended = chunk.is_none();
        let chunk = chunk.unwrap_or_default();
        reception.bytes(chunk.len());
        frames.push(&chunk);
        let before = frames.overlong;
        let mut records = Vec::new();
        let mut take = |line: &[u8]| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.iter().all(u8::is_ascii_whitespace) {
                records.push(reception.record(&stream, line_piece(line).kind, Bytes::copy_from_slice(line)));
            }
        };
        while let Ok(Some(line)) = frames.next_message() {
            take(line);
        }
        if ended && let Some(line) = frames.rest() {
            take(line);
        }
        reception.malformed(frames.overlong - before);
        let count = records.len();
        if !reception.insist(records, &mut stop).await {
            reception.dropped(count);
            return Ok(());
        }
        if ended {
            return Ok(());
        }
    }
}

/// Reads to the end, or until nobody takes it.
fn read(mut input: impl Read, sender: &mpsc::Sender<io::Result<Vec<u8>>>) {
    loop {
        let mut chunk = vec![0; CHUNK];
        let read = match input.read(&mut chunk) {
            Ok(0) => return,
            Ok(read) => {
                chunk.truncate(read);
                Ok(chunk)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        if sender.blocking_send(read).is_err() || failed {
            return;
        }
    }
}
