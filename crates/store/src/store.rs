//! The store: its tables by stream, and what is asked of it as a whole.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use lurcher_journal::Position;
use lurcher_schema::Timestamp;
use tokio::sync::Mutex;

use crate::{StoreError, StoreOptions, Writer, location::Location, query::Engine, table::Table};

/// An open store. The folder is held until the last handle is gone.
pub struct Store {
    pub(crate) options: StoreOptions,
    pub(crate) location: Arc<Location>,
    tables: RwLock<BTreeMap<Arc<str>, Arc<Table>>>,
    /// Held while a table is made.
    making: Mutex<()>,
    pub(crate) engine: Engine,
    pub(crate) counters: Counters,
}

/// Counts since the store was opened.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) rows: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) full: AtomicBool,
    pub(crate) waiting_rows: AtomicU64,
    pub(crate) waiting_bytes: AtomicU64,
}

/// Figures for metrics. Counts are since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Tables.
    pub streams: u64,
    /// Files of all tables.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows committed.
    pub rows: u64,
    /// Commits of rows.
    pub commits: u64,
    /// Commits that failed; each is tried again.
    pub failures: u64,
    /// Whether the last commit failed because the disk is full.
    pub full: bool,
    /// Rows that wait to be committed.
    pub waiting_rows: u64,
    /// Their bytes in memory, about.
    pub waiting_bytes: u64,
    /// Values that did not fit their column's type; they are null there, and in `_raw`.
    pub misfits: u64,
    /// Values whose field has no column, since its table has all that it may have; they are in `_raw`.
    pub unplaced: u64,
}

/// A data stream, as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name.
    pub name: String,
    /// The folder of its table, below `tables/`.
    pub folder: String,
    /// Rows.
    pub rows: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Files.
    pub files: u64,
    /// Typed columns of fields, each with the field that it is of.
    pub columns: Vec<(String, String)>,
    /// When its first record came in.
    pub first_received: Option<Timestamp>,
    /// When its last record came in.
    pub last_received: Option<Timestamp>,
    /// When the first of its events happened.
    pub first_event: Option<Timestamp>,
    /// When the last of its events happened.
    pub last_event: Option<Timestamp>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("location", &self.location).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store, which is made if it is not there. Fails if another process has it open, or a table's log cannot be
    /// read.
    pub async fn open(options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        let location = Location::open(&options.root)?;
        Self::open_at(location, options).await
    }

    pub(crate) async fn open_at(location: Location, options: StoreOptions) -> Result<Arc<Self>, StoreError> {
        let location = Arc::new(location);
        let mut tables = BTreeMap::new();
        for folder in location.folders().await? {
            let table = Table::open(&location, &folder).await?;
            tables.insert(Arc::clone(&table.stream), Arc::new(table));
        }
        let engine = Engine::new(options.query_memory);
        Ok(Arc::new(Self {
            options,
            location,
            tables: RwLock::new(tables),
            making: Mutex::new(()),
            engine,
            counters: Counters::default(),
        }))
    }

    /// The consumer of the journal that fills the store. There must be one at a time.
    pub async fn writer(self: &Arc<Self>) -> Writer {
        Writer::new(Arc::clone(self)).await
    }

    /// The highest position that a table has rows up to. The journal must not give out positions before it again; see
    /// [`lurcher_journal::Journal::skip_to`].
    pub fn reached(&self) -> Position {
        self.tables().iter().filter_map(|table| table.current().complete).max().unwrap_or_default()
    }

    /// The streams and what is kept of each.
    pub fn streams(&self) -> Result<Vec<StreamInfo>, StoreError> {
        self.tables().iter().map(|table| describe(table)).collect()
    }

    /// One stream. Fails if there is none of this name.
    pub fn stream(&self, name: &str) -> Result<StreamInfo, StoreError> {
        describe(&*self.table(name).ok_or_else(|| StoreError::NoStream(name.to_owned()))?)
    }

    /// Figures for metrics.
    pub fn stats(&self) -> StoreStats {
        let counters = &self.counters;
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let tables = self.tables();
        let mut stats = StoreStats {
            streams: tables.len() as u64,
            rows: get(&counters.rows),
            commits: get(&counters.commits),
            failures: get(&counters.failures),
            full: counters.full.load(Ordering::Relaxed),
            waiting_rows: get(&counters.waiting_rows),
            waiting_bytes: get(&counters.waiting_bytes),
            ..StoreStats::default()
        };
        for table in tables {
            stats.misfits += get(&table.misfits);
            stats.unplaced += get(&table.unplaced);
            let files = table.files().unwrap_or_default();
            stats.files += files.len() as u64;
            stats.bytes += files.iter().map(|file| file.size).sum::<u64>();
        }
        stats
    }

    /// All tables, by stream.
    pub(crate) fn tables(&self) -> Vec<Arc<Table>> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(crate) fn table(&self, stream: &str) -> Option<Arc<Table>> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner).get(stream).cloned()
    }

    /// The table of a stream, made if there is none.
    pub(crate) async fn table_or_new(&self, stream: &str) -> Result<Arc<Table>, StoreError> {
        if let Some(table) = self.table(stream) {
            return Ok(table);
        }
        let _alone = self.making.lock().await;
        if let Some(table) = self.table(stream) {
            return Ok(table);
        }
        let table = Arc::new(Table::create(&self.location, stream).await?);
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        tables.insert(Arc::clone(&table.stream), Arc::clone(&table));
        Ok(table)
    }
}

fn describe(table: &Table) -> Result<StreamInfo, StoreError> {
    let files = table.files()?;
    let received = || files.iter().filter_map(|file| file.received);
    let times = || files.iter().filter_map(|file| file.time);
    Ok(StreamInfo {
        name: table.stream.to_string(),
        folder: table.folder.clone(),
        rows: files.iter().filter_map(|file| file.rows).sum(),
        bytes: files.iter().map(|file| file.size).sum(),
        files: files.len() as u64,
        columns: table
            .current()
            .columns
            .iter()
            .map(|(field, column)| (column.name.to_string(), field.to_string()))
            .collect(),
        first_received: received().map(|span| Timestamp(span.0)).min(),
        last_received: received().map(|span| Timestamp(span.1)).max(),
        first_event: times().map(|span| Timestamp(span.0)).min(),
        last_event: times().map(|span| Timestamp(span.1)).max(),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures::TryStreamExt;
    use lurcher_journal::{Block, Record, RecordKind};
    use object_store::{ObjectStoreExt, memory::InMemory, path::Path};

    use super::*;
    use crate::Scan;

    /// The same store in an object store: none is at hand, but in memory.
    #[tokio::test]
    async fn tables_lie_in_an_object_store() {
        let objects = Arc::new(InMemory::new());
        let open = || async {
            let location = Location::on(objects.clone(), "memory:///lake", Path::from("lake"));
            Store::open_at(location, StoreOptions::at("memory:///lake")).await.unwrap()
        };
        let record = |number: u64| {
            let body = Bytes::from(format!(r#"{{"n":{number}}}"#));
            let record = Record {
                stream: Arc::from("a:b"),
                kind: RecordKind::Json,
                received: Timestamp(1_800_000_000_000_000),
                body,
            };
            (Position(number), record)
        };
        for call in 0..10 {
            let store = open().await;
            let mut writer = store.writer().await;
            assert_eq!(writer.position(), Position(call * 3));
            let records = (call * 3..call * 3 + 3).map(record).collect();
            writer.take(Block { records, next: Position(call * 3 + 3), lost: Vec::new() }).await.unwrap();
            writer.flush().await.unwrap();
        }
        let store = open().await;
        let done = store.maintain().await;
        assert!(done.failures.is_empty() && done.merged == 10, "{done:?}");
        let batches: Vec<_> = store.scan(Scan { ordered: true, ..Scan::default() }).try_collect().await.unwrap();
        assert_eq!(batches.concat(), (0..30).map(record).collect::<Vec<_>>());
        assert_eq!(store.sql(r#"SELECT sum(n) AS n FROM "a:b""#, 1).await.unwrap().rows[0]["n"], 435);
        assert!(store.verify().await.unwrap().faults.is_empty());
        // The log was summed up by now; what is needed of it comes back from the sum.
        objects.head(&Path::from("lake/tables/a!3ab/_delta_log/_last_checkpoint")).await.unwrap();
        let store = open().await;
        let stream = &store.streams().unwrap()[0];
        assert_eq!((stream.rows, &*stream.folder, stream.columns.len()), (30, "a!3ab", 1));
        assert_eq!(store.reached(), Position(30));
    }
}
