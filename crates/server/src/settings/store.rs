//! `[store]`: how events are kept.

use std::path::Path;

use serde::Deserialize;

use super::{Fault, Size, Span};

/// How events are kept, in tables that other tools can read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// Where the tables lie: a folder, or `s3://bucket/prefix`. By default `store` in the folder of state.
    pub root: Option<String>,
    /// How long a row waits at most before it is committed. What was acknowledged is in the journal from the beginning.
    pub commit_within: Span,
    /// A table with this many rows waiting is committed at once.
    pub commit_rows: usize,
    /// All tables are committed once this many bytes wait.
    pub commit_bytes: Size,
    /// Typed columns in one table, at most; other fields stay in the raw event.
    pub max_columns: usize,
    /// Files are merged up to about this size.
    pub file_bytes: Size,
    /// Days for which events are kept; without it without end.
    pub keep_days: Option<u32>,
    /// Bytes that are kept of a stream; the oldest go first.
    pub keep_bytes: Option<Size>,
    /// Bytes of all streams together; the oldest days go first.
    pub max_bytes: Option<Size>,
    /// What holds for some streams instead of `keep_days` and `keep_bytes`; the first that fits counts.
    pub retention: Vec<StreamRetention>,
    /// How long a file that nothing refers to is left, since a query may still be reading it.
    pub sweep_after: Span,
    /// Memory that all queries together may use; beyond it they spill to the disk.
    pub query_memory: Size,
}

/// What holds for some streams.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamRetention {
    /// The streams; `*` stands for any text, `?` for any one character.
    pub streams: String,
    /// Days for which their events are kept.
    #[serde(default)]
    pub keep_days: Option<u32>,
    /// Bytes that are kept of each.
    #[serde(default)]
    pub keep_bytes: Option<Size>,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            root: None,
            commit_within: Span::seconds(5),
            commit_rows: 100_000,
            commit_bytes: Size::mebibytes(128),
            max_columns: 256,
            file_bytes: Size::mebibytes(64),
            keep_days: None,
            keep_bytes: None,
            max_bytes: None,
            retention: Vec::new(),
            sweep_after: Span::seconds(3600),
            query_memory: Size::mebibytes(256),
        }
    }
}

impl StoreSettings {
    /// Where the tables lie, with the folder of state's part for them where nothing else is said.
    pub fn root_or(&self, folder: &Path) -> String {
        self.root.clone().unwrap_or_else(|| folder.display().to_string())
    }

    /// What is wrong with it.
    pub(super) fn check(&self, faults: &mut Vec<Fault>) {
        let counts = [
            ("commit_rows", self.commit_rows as u64),
            ("commit_bytes", self.commit_bytes.0),
            ("max_columns", self.max_columns as u64),
            ("file_bytes", self.file_bytes.0),
            ("query_memory", self.query_memory.0),
        ];
        for (key, _) in counts.into_iter().filter(|(_, count)| *count == 0) {
            faults.push(Fault::new("store", key, "is 0, so nothing could be kept", "leave it out for the default"));
        }
        if self.commit_within.0.is_zero() {
            faults.push(Fault::new("store", "commit_within", "is nothing", "set it to some seconds, such as \"5s\""));
        }
        if self.retention.iter().any(|one| one.keep_days.is_none() && one.keep_bytes.is_none()) {
            let way_out = "give keep_days or keep_bytes";
            faults.push(Fault::new("store.retention", "streams", "has neither keep_days nor keep_bytes", way_out));
        }
    }
}
