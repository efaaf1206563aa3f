//! How to read.

use std::{fmt, sync::Arc};

use lurcher_schema::Timestamp;

/// Says whether anyone reads a raw field, by its full name (`EventData.Image`).
pub type Wanted = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// How to read. But for `now` and what bounds archives, no setting changes which events come out, only how much memory
/// and work it takes.
#[derive(Clone)]
pub struct ReadOptions {
    /// Raw fields to keep; the default keeps all, since an event that becomes evidence is shown whole.
    pub columns: Option<Wanted>,
    /// The longest line, or single document, in bytes. A longer one is an error, and reading goes on after it.
    pub max_line: usize,
    /// Events in a batch, at most.
    pub batch_rows: usize,
    /// Bytes in a batch, about.
    pub batch_bytes: usize,
    /// Bytes in all batches that one unit fills at a time, about.
    pub open_bytes: usize,
    /// Size of the pieces that large uncompressed files are read in, in bytes.
    pub piece_bytes: u64,
    /// Bytes that a compressed input may unpack to whatever its size. Beyond, [`Self::max_ratio`] counts.
    pub max_unpacked: u64,
    /// How many times its own size a compressed input may unpack to, at all levels together.
    pub max_ratio: u64,
    /// Members that the archives inside one file, or one stream, may have together.
    pub max_members: u64,
    /// Whether documents of unknown dialects are worth no note: a user's mapping pack speaks of them.
    pub unknown_is_mapped: bool,
    /// When the reading takes place. Syslog's old header has no year: it is the latest that lies not after this.
    pub now: Timestamp,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            columns: None,
            max_line: 64 << 20,
            batch_rows: 4096,
            batch_bytes: 4 << 20,
            open_bytes: 48 << 20,
            piece_bytes: 32 << 20,
            max_unpacked: 256 << 20,
            max_ratio: 250,
            max_members: 250_000,
            unknown_is_mapped: false,
            now: now(),
        }
    }
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

impl fmt::Debug for ReadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOptions")
            .field("columns", &self.columns.is_some())
            .field("max_line", &self.max_line)
            .field("batch_rows", &self.batch_rows)
            .field("batch_bytes", &self.batch_bytes)
            .field("open_bytes", &self.open_bytes)
            .field("piece_bytes", &self.piece_bytes)
            .field("max_unpacked", &self.max_unpacked)
            .field("max_ratio", &self.max_ratio)
            .field("max_members", &self.max_members)
            .field("unknown_is_mapped", &self.unknown_is_mapped)
            .field("now", &self.now)
            .finish()
    }
}
