//! A store in a temporary folder, with a clock that is set by hand, and records to put into it.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures::TryStreamExt;
use lurcher_journal::{Block, Position, Record, RecordKind};
use lurcher_schema::{Clock, SystemClock, Timestamp, VirtualClock};
use lurcher_store::{Scan, Store, StoreOptions};

pub(crate) const DAY: i64 = 86_400_000_000;

/// A store's folder and clock.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<VirtualClock>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(VirtualClock::at(SystemClock.now()));
        Self { folder: tempfile::tempdir().unwrap(), clock }
    }

    pub(crate) fn options(&self) -> StoreOptions {
        let mut options = StoreOptions::at(self.folder.path().to_string_lossy());
        options.clock = self.clock.clone();
        options
    }

    pub(crate) async fn open(&self) -> Arc<Store> {
        Store::open(self.options()).await.unwrap()
    }

    pub(crate) fn advance(&self, micros: i64) {
        self.clock.set(Timestamp(self.clock.now().0 + micros));
    }

    pub(crate) fn table(&self, folder: &str) -> PathBuf {
        self.folder.path().join("tables").join(folder)
    }

    /// A JSON record, received now.
    pub(crate) fn json(&self, stream: &str, body: &str) -> Record {
        record(stream, RecordKind::Json, self.clock.now(), body)
    }
}

pub(crate) fn record(stream: &str, kind: RecordKind, received: Timestamp, body: &str) -> Record {
    Record { stream: Arc::from(stream), kind, received, body: Bytes::copy_from_slice(body.as_bytes()) }
}

/// Records of the journal from this position on.
pub(crate) fn block(first: u64, records: Vec<Record>) -> Block {
    let next = Position(first + records.len() as u64);
    let records = records.into_iter().zip(first..).map(|(record, position)| (Position(position), record)).collect();
    Block { records, next, lost: Vec::new() }
}

/// Commits these records.
pub(crate) async fn put(store: &Arc<Store>, first: u64, records: Vec<Record>) {
    let mut writer = store.writer().await;
    writer.take(block(first, records)).await.unwrap();
    writer.flush().await.unwrap();
}

/// All records of the store, by position.
pub(crate) async fn all(store: &Arc<Store>) -> Vec<(u64, Record)> {
    scan(store, Scan::default()).await
}

pub(crate) async fn scan(store: &Arc<Store>, scan: Scan) -> Vec<(u64, Record)> {
    let batches: Vec<_> = store.scan(scan).try_collect().await.unwrap();
    let mut records: Vec<_> = batches.into_iter().flatten().map(|(position, record)| (position.0, record)).collect();
    records.sort_by_key(|(position, _)| *position);
    records
}

/// The data files of a table.
pub(crate) fn files(table: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(table).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("_date=") {
            found.extend(std::fs::read_dir(entry.path()).unwrap().flatten().map(|file| file.path()));
        }
    }
    found.sort();
    found
}
