//! Files: followed as they grow, or read whole when they are dropped into a folder.
//!
//! Looked at in a rhythm, without the system's notifications, which network file systems do not give. How far a file
//! was read is kept in a file of its own and moves only when the intake has taken what was read: a crash repeats some
//! lines and loses none.

mod checkpoint;
mod follow;
mod whole;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use tokio::task::spawn_blocking;

use crate::{Failure, Reception, Stop, reception::sleep};
use checkpoint::Checkpoint;

/// Endings of what is packed: rotated files, whose lines were read before they were packed.
const PACKED: &[&str] = &["gz", "bz2", "xz", "zst", "lz4", "zip", "Z"];

/// How a file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Line by line, as it grows.
    #[default]
    Follow,
    /// Once as a whole, when it has stopped growing: event logs (EVTX), XML, JSON, tables, logs, also in archives.
    Whole,
}

/// Where a followed file is begun when it is there already at the very first start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// With what is in it.
    #[default]
    Beginning,
    /// With what comes from now on.
    End,
}

/// One of `[[ingest.files]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Which files; patterns with `*`, `?`, `[…]` and `**`. Files that come later are found too.
    pub paths: Vec<String>,
    /// The data stream of their events.
    pub stream: String,
    /// How they are read.
    #[serde(default)]
    pub mode: Mode,
    /// Where those are begun that are there at the very first start.
    #[serde(default)]
    pub from: From,
    /// Milliseconds between two looks.
    #[serde(default = "poll")]
    pub poll_milliseconds: u64,
    /// The longest line, in bytes; longer ones are cut there and counted as malformed.
    #[serde(default = "longest_line")]
    pub max_line_bytes: usize,
    /// The largest file that is read as a whole, in bytes, unpacked; larger ones are counted as malformed.
    #[serde(default = "largest_file")]
    pub max_file_bytes: u64,
}

fn poll() -> u64 {
    500
}

fn longest_line() -> usize {
    1 << 20
}

fn largest_file() -> u64 {
    256 << 20
}

/// Reads files until the server stops. Where it stands is kept in `checkpoint`, a file that each entry of the
/// configuration needs one of its own of.
pub async fn run(options: Options, checkpoint: PathBuf, reception: Reception, mut stop: Stop) -> Result<(), Failure> {
    for pattern in &options.paths {
        glob::Pattern::new(pattern).map_err(|error| Failure(format!("{pattern}: {error}")))?;
    }
    let checkpoint = Checkpoint::load(&checkpoint)?;
    let poll = Duration::from_millis(options.poll_milliseconds.max(10));
    let mut source: Box<dyn Source> = match options.mode {
        Mode::Follow => Box::new(follow::Follow::new(options, checkpoint, reception.clone())),
        Mode::Whole => Box::new(whole::Whole::new(options, checkpoint, reception.clone())),
    };
    loop {
        let round = spawn_blocking(move || {
            let records = source.round();
            (source, records)
        });
        let (back, records) = round.await.map_err(|error| Failure(error.to_string()))?;
        source = back;
        let more = !records.is_empty();
        if !reception.insist(records, &mut stop).await {
            return Ok(());
        }
        let kept = spawn_blocking(move || {
            let kept = source.taken();
            (source, kept)
        });
        let (back, kept) = kept.await.map_err(|error| Failure(error.to_string()))?;
        source = back;
        if let Err(failure) = kept {
            tracing::warn!(%failure, "where files were read up to is not kept: some lines may be read again");
        }
        if *stop.borrow() || (!more && !sleep(poll, &mut stop).await) {
            return Ok(());
        }
    }
}

/// What gives records in rounds.
trait Source: Send {
    /// The next records; none if there are none now.
    fn round(&mut self) -> Vec<lurcher_journal::Record>;

    /// The records of the last round were taken.
    fn taken(&mut self) -> Result<(), Failure>;
}

/// Files that fit, in the order of their names.
fn found(options: &Options) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        options.paths.iter().filter_map(|pattern| glob::glob(pattern).ok()).flatten().filter_map(Result::ok).collect();
    found.sort();
    found.dedup();
    found
}

fn packed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| PACKED.iter().any(|packed| ending == *packed))
}
