//! The consumer of the journal that fills the tables.
//!
//! Rows wait in memory, by stream, until one of the bounds is reached; then each table gets them in one commit, together
//! with the position up to which that table is complete. After a crash the journal is read again from a position that is
//! safe for all tables, and each table skips what it says it has.
//!
//! The tables' own positions would do, but for streams that have been quiet: theirs are old, and the journal behind them is
//! long gone. So the position up to which *all* was complete is noted beside the tables after every round of commits.
//! The note is written behind the commits and may be too old, never too new.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use lurcher_journal::{Block, Position, Reader, Record};
use tokio::{sync::watch, time::Instant};

use crate::{Store, StoreError, columns::Columns, events, rows::Rows, table::Table};

/// How much of the journal is read at once.
const BLOCK_RECORDS: usize = 8192;
const BLOCK_BYTES: usize = 8 << 20;
/// How long to wait after a commit that failed; doubled each time.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// Fills the store. Made by [`Store::writer`].
pub struct Writer {
    store: Arc<Store>,
    /// Shared with the blocking thread that reads events.
    waiting: Arc<Mutex<Waiting>>,
    /// When the rows that wait are to be committed.
    due: Option<Instant>,
    position: watch::Sender<Position>,
}

/// What waits to be committed.
#[derive(Default)]
struct Waiting {
    streams: BTreeMap<Arc<str>, Stream>,
    /// Up to where the journal was taken.
    taken: Position,
    /// Whether something was taken since the last note.
    noted: Position,
}

#[derive(Default)]
struct Stream {
    table: Option<Arc<Table>>,
    columns: Arc<Columns>,
    rows: Rows,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("position", &self.position()).finish_non_exhaustive()
    }
}

impl Writer {
    pub(crate) async fn new(store: Arc<Store>) -> Self {
        let noted = Position(store.location.noted().await.unwrap_or(0));
        let waiting = Waiting { taken: noted, noted, ..Waiting::default() };
        Self { store, waiting: Arc::new(Mutex::new(waiting)), due: None, position: watch::Sender::new(noted) }
    }

    /// Up to where all records are in the tables, durably: where the journal is to be read from after a restart, and up to
    /// which it may be trimmed.
    pub fn position(&self) -> Position {
        *self.position.borrow()
    }

    /// Follows [`position`](Self::position).
    pub fn watch(&self) -> watch::Receiver<Position> {
        self.position.subscribe()
    }

    /// Consumes the journal until `stop` resolves or the journal is closed, and commits what waits then. The reader must
    /// begin at [`position`](Self::position), or before. A commit that fails is tried again, for ever, with growing
    /// pauses; nothing more is read meanwhile, so the journal keeps what the tables cannot take. Fails only if the
    /// journal cannot be read, or if the last commit, after `stop`, fails.
    pub async fn run(&mut self, mut reader: Reader, stop: impl Future<Output = ()>) -> Result<(), StoreError> {
        let mut stop = std::pin::pin!(stop);
        let unread = |error| StoreError::new("reading the journal", error);
        loop {
            let due = self.due;
            let wait = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            let block = tokio::select! {
                biased;
                () = &mut stop => return self.flush().await,
                () = wait => None,
                block = reader.next(BLOCK_RECORDS, BLOCK_BYTES) => match block.map_err(unread)? {
                    Some(block) => Some(block),
                    None => return self.flush().await,
                },
            };
            if let Some(block) = block {
                self.take(block).await?;
            }
            let mut pause = FIRST_RETRY;
            while let Err(error) = self.commit_due().await {
                tracing::error!(%error, "rows could not be committed; they are tried again");
                tokio::select! {
                    () = &mut stop => return self.flush().await,
                    () = tokio::time::sleep(pause) => pause = (2 * pause).min(LAST_RETRY),
                }
            }
        }
    }

    /// Takes records of the journal. Those that their table has are skipped. Commits nothing; see
    /// [`commit_due`](Self::commit_due).
    pub async fn take(&mut self, block: Block) -> Result<(), StoreError> {
        let (store, waiting) = (Arc::clone(&self.store), Arc::clone(&self.waiting));
        let task = tokio::task::spawn_blocking(move || {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.take(&store, block);
            (waiting.rows(), waiting.bytes())
        });
        let (rows, bytes) = task.await.map_err(|error| StoreError::new("reading events", error))?;
        self.store.counters.waiting_rows.store(rows as u64, Ordering::Relaxed);
        self.store.counters.waiting_bytes.store(bytes as u64, Ordering::Relaxed);
        if self.due.is_none() {
            self.due = Some(Instant::now() + self.store.options.commit_interval);
        }
        Ok(())
    }

    /// Commits what has waited long enough, or has become too much.
    pub async fn commit_due(&mut self) -> Result<(), StoreError> {
        let options = &self.store.options;
        let all = self.due.is_some_and(|due| due <= Instant::now()) || self.lock().bytes() >= options.commit_bytes;
        if all {
            return self.flush().await;
        }
        let full: Vec<Arc<str>> = {
            let waiting = self.lock();
            let full = waiting.streams.iter().filter(|(_, stream)| stream.rows.len() >= options.commit_rows);
            full.map(|(name, _)| Arc::clone(name)).collect()
        };
        self.commit(full).await
    }

    /// Commits all that waits, and notes how far that is.
    pub async fn flush(&mut self) -> Result<(), StoreError> {
        let all = self.lock().streams.keys().cloned().collect();
        self.commit(all).await?;
        self.due = None;
        let (position, noted) = (self.position(), self.lock().noted);
        if position > noted {
            self.store.location.note(position.0).await?;
            self.lock().noted = position;
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commits the rows of these streams. One that fails does not keep the others from it; the first failure is told.
    async fn commit(&mut self, streams: Vec<Arc<str>>) -> Result<(), StoreError> {
        let mut result = Ok(());
        for name in streams {
            let done = self.commit_stream(&name).await;
            let counters = &self.store.counters;
            if let Err(error) = done {
                counters.failures.fetch_add(1, Ordering::Relaxed);
                counters.full.store(matches!(error, StoreError::Full { .. }), Ordering::Relaxed);
                result = result.and(Err(error));
            }
        }
        if result.is_ok() {
            self.store.counters.full.store(false, Ordering::Relaxed);
        }
        let waiting = self.lock();
        let position = waiting.position();
        self.store.counters.waiting_rows.store(waiting.rows() as u64, Ordering::Relaxed);
        self.store.counters.waiting_bytes.store(waiting.bytes() as u64, Ordering::Relaxed);
        drop(waiting);
        self.position.send_if_modified(|before| {
            let moved = position > *before;
            *before = position.max(*before);
            moved
        });
        result
    }

    async fn commit_stream(&mut self, name: &Arc<str>) -> Result<(), StoreError> {
        let table = self.store.table_or_new(name).await?;
        let (ready, complete, rows) = {
            let mut waiting = self.lock();
            let complete = waiting.taken;
            let Some(stream) = waiting.streams.get_mut(name).filter(|stream| !stream.rows.is_empty()) else {
                return Ok(());
            };
            stream.table = Some(Arc::clone(&table));
            stream.columns = table.current().columns;
            (stream.rows.ready(&stream.columns)?, complete, stream.rows.len())
        };
        // Writing a file is work for a processor; it is not to hold up whoever shares this thread.
        let (handle, now) = (tokio::runtime::Handle::current(), self.store.options.clock.now());
        let appended = {
            let table = Arc::clone(&table);
            tokio::task::spawn_blocking(move || handle.block_on(table.append(ready, complete, now))).await
        };
        let appended = appended.map_err(|error| StoreError::new("writing rows", error)).and_then(|done| done);
        if let Err(error) = appended {
            // It may have been committed all the same: the log knows.
            if table.refresh().await?.complete < Some(complete) {
                return Err(error);
            }
            tracing::warn!(%error, "a commit failed after it was done");
        }
        self.store.counters.rows.fetch_add(rows as u64, Ordering::Relaxed);
        self.store.counters.commits.fetch_add(1, Ordering::Relaxed);
        let mut waiting = self.lock();
        if let Some(stream) = waiting.streams.get_mut(name) {
            table.unplaced.fetch_add(stream.rows.unplaced, Ordering::Relaxed);
            stream.rows = Rows::default();
            stream.columns = table.current().columns;
        }
        Ok(())
    }
}

impl Waiting {
    fn rows(&self) -> usize {
        self.streams.values().map(|stream| stream.rows.len()).sum()
    }

    fn bytes(&self) -> usize {
        self.streams.values().map(|stream| stream.rows.bytes).sum()
    }

    /// Up to where nothing waits.
    fn position(&self) -> Position {
        self.streams.values().filter_map(|stream| stream.rows.first()).min().unwrap_or(self.taken)
    }

    fn take(&mut self, store: &Store, block: Block) {
        let taken = self.taken;
        self.taken = taken.max(block.next);
        let mut by_stream: HashMap<Arc<str>, Vec<(Position, Record)>> = HashMap::new();
        for (position, record) in block.records {
            // What is read once more after a restart.
            if position >= taken {
                by_stream.entry(Arc::clone(&record.stream)).or_default().push((position, record));
            }
        }
        for (name, mut records) in by_stream {
            let stream = self.streams.entry(Arc::clone(&name)).or_insert_with(|| Stream {
                table: None,
                columns: Arc::new(Columns::new()),
                rows: Rows::default(),
            });
            if stream.table.is_none()
                && let Some(table) = store.table(&name)
            {
                stream.columns = table.current().columns;
                stream.table = Some(table);
            }
            if let Some(complete) = stream.table.as_ref().and_then(|table| table.current().complete) {
                records.retain(|(position, _)| *position >= complete);
            }
            stream.take(&name, records, store.options.max_columns);
        }
    }
}

impl Stream {
    /// Adds records, and reads the fields of their events.
    fn take(&mut self, name: &str, records: Vec<(Position, Record)>, max_columns: usize) {
        for (position, record) in &records {
            self.rows.push(*position, record.clone());
        }
        let Self { columns, rows, .. } = self;
        events::read(name, &records, &mut |batch, place| rows.add_events(batch, place, columns, max_columns));
    }
}
