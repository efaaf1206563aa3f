//! What can go wrong with a journal: errors that stop what was asked, and damage that is told and read past.

use std::{
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::Position;

/// Why something that was asked of the journal was not done. Nothing of a call that failed is in the journal.
#[derive(Clone, Debug)]
pub enum JournalError {
    /// Another process holds the folder.
    Held {
        /// The journal's folder.
        folder: PathBuf,
    },
    /// The disk, or the quota, is full. It works again when there is room.
    Full {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// The operating system refused.
    Io {
        /// What was tried, as "write" or "flush".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: Arc<io::Error>,
    },
    /// The segment was written by a later version.
    Version {
        /// The segment.
        path: PathBuf,
        /// The version that it names.
        version: u32,
    },
    /// The call holds more than one frame can: the bytes of its records, or the name of a stream.
    TooLarge {
        /// How many bytes.
        bytes: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// What was appended without a flush since the last [`sync`](crate::Journal::sync) was lost.
    Lost {
        /// The positions, which will be given out again.
        positions: Range<Position>,
    },
    /// The journal was closed.
    Closed,
}

impl JournalError {
    /// A file or folder that could not be dealt with; a full disk is told apart. `action` is what was to be done with it.
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path: path.to_path_buf() },
            _ => Self::Io { action, path: path.to_path_buf(), source: Arc::new(source) },
        }
    }

    /// Whether the same call may well succeed later, unchanged.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Io { .. } | Self::Lost { .. })
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { folder } => write!(
                f,
                "{}: another process has this journal open; stop it, or choose another folder",
                folder.display()
            ),
            Self::Full { path } => write!(f, "{}: no space left on the disk; make room", path.display()),
            Self::Io { action, path, source } => write!(f, "{}: cannot {action}: {source}", path.display()),
            Self::Version { path, version } => write!(
                f,
                "{}: written in version {version} of the journal's format, which this program does not know; use the program \
                 that wrote it, or a later one",
                path.display()
            ),
            Self::TooLarge { bytes, limit } => {
                write!(f, "{bytes} bytes in one call, over the limit of {limit}; send less at once")
            }
            Self::Lost { positions } => write!(
                f,
                "records {} to {} were not flushed and are lost",
                positions.start.0,
                positions.end.0.saturating_sub(1)
            ),
            Self::Closed => f.write_str("the journal is closed"),
        }
    }
}

impl std::error::Error for JournalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(&**source),
            _ => None,
        }
    }
}

/// Records that were in the journal and cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub file: PathBuf,
    /// The byte in it at which reading failed.
    pub offset: u64,
    /// The records that are lost; reading goes on behind them.
    pub positions: Range<Position>,
    /// What is wrong there.
    pub reason: DamageReason,
}

impl Damage {
    /// How many records are lost.
    pub fn records(&self) -> u64 {
        self.positions.end.0.saturating_sub(self.positions.start.0)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}; ", self.file.display(), self.offset, self.reason)?;
        match self.records() {
            0 => f.write_str("no record is lost"),
            1 => write!(f, "record {} is lost", self.positions.start.0),
            _ => write!(f, "records {} to {} are lost", self.positions.start.0, self.positions.end.0 - 1),
        }
    }
}

/// What is wrong with a place in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamageReason {
    /// Both copies of the segment's header are broken.
    SegmentHeader,
    /// No frame begins here.
    FrameHeader,
    /// The file ends inside a frame.
    Short,
    /// A record's checksum does not agree with it.
    Checksum,
    /// Nothing broken stands there, but the records do not: a segment was deleted, or trimmed before the reader came.
    Missing,
}

impl fmt::Display for DamageReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SegmentHeader => "the segment's header is broken",
            Self::FrameHeader => "no frame begins here",
            Self::Short => "the file ends inside a frame",
            Self::Checksum => "a record does not agree with its checksum",
            Self::Missing => "the records are not there any more",
        })
    }
}
