//! How to read.

use std::{fmt, sync::Arc};

use lurcher_schema::Timestamp;

/// Says whether anyone reads a raw field, by its full name (`EventData.Image`).
pub type Wanted = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// How to read. No setting but `now` changes what comes out, only how much memory and work it takes.
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
            .field("now", &self.now)
            .finish()
    }
}
