//! How a store is kept.

use std::{sync::Arc, time::Duration};

use lurcher_schema::{Clock, SystemClock};

use crate::names::matches_glob;

/// How a store is kept. Made with [`StoreOptions::at`]; each field may then be set.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Where it lies: a folder, which is made if it is not there, or `s3://bucket/prefix` where this crate was built with
    /// its feature `s3` (keys and region then come from the environment, as `AWS_…`).
    pub root: String,
    /// How long a row waits at most before it is committed.
    pub commit_interval: Duration,
    /// A table with this many rows waiting is committed at once.
    pub commit_rows: usize,
    /// All tables are committed once this many bytes wait, of all of them together.
    pub commit_bytes: usize,
    /// Typed columns in one table, at most. Fields beyond stay in `_raw`, and are counted.
    pub max_columns: usize,
    /// Files are merged up to about this size, in bytes.
    pub file_bytes: u64,
    /// How long rows are kept, where `retention` names nothing else.
    pub keep: Retention,
    /// How long rows of some streams are kept: the first pattern (`*` and `?`) that a stream's name matches counts.
    pub retention: Vec<(String, Retention)>,
    /// Bytes of all tables together; what is over is deleted, oldest days first.
    pub max_bytes: Option<u64>,
    /// How long a file that nothing refers to is left, since a query may still be reading it.
    pub sweep_after: Duration,
    /// Memory that all queries together may use, in bytes; they spill to the disk's folder for temporary files then.
    pub query_memory: usize,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl StoreOptions {
    /// The defaults, for a store in this place.
    pub fn at(root: impl Into<String>) -> Self {
        Self {
            root: root.into(),
            commit_interval: Duration::from_secs(5),
            commit_rows: 100_000,
            commit_bytes: 128 << 20,
            max_columns: 256,
            file_bytes: 64 << 20,
            keep: Retention::default(),
            retention: Vec::new(),
            max_bytes: None,
            sweep_after: Duration::from_hours(1),
            query_memory: 256 << 20,
            clock: Arc::new(SystemClock),
        }
    }

    /// What holds for this stream.
    pub(crate) fn retention_of(&self, stream: &str) -> Retention {
        let own = self.retention.iter().find(|(pattern, _)| matches_glob(pattern, stream));
        own.map_or(self.keep, |(_, retention)| *retention)
    }
}

/// How long, and how much, is kept of a stream. `None` is without end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Days of receipt, today not counted. Whole days are deleted.
    pub days: Option<u32>,
    /// Bytes on disk; the oldest files go first, and the newest never.
    pub bytes: Option<u64>,
}
