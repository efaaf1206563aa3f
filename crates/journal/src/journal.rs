//! The journal as its users see it: append, read behind, trim.

use std::{
    fs::{File, OpenOptions, TryLockError},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::{Semaphore, oneshot, watch};

use crate::{
    JournalError, Position, Reader, Record, Recovery,
    disk::{Disk, LocalDisk},
    format::encode_records,
    recovery::{Segment, examine, segments},
    segment::Walk,
    writer::{Call, Queue, Start, Writer},
};

/// The file whose lock says that the folder is held.
const LOCK: &str = "LOCK";

/// How a journal is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// A new segment is begun once the last one has this many bytes. Trimming deletes whole segments.
    pub segment_bytes: u64,
    /// While several callers append, how long the writer waits for more of them before it flushes. A lone caller never
    /// waits.
    pub group_delay: Duration,
    /// It waits no longer once this many bytes are there.
    pub group_bytes: usize,
    /// How many bytes may wait for the writer; further callers wait their turn.
    pub queued_bytes: usize,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            group_delay: Duration::from_millis(2),
            group_bytes: 4 << 20,
            queued_bytes: 64 << 20,
        }
    }
}

/// Figures for metrics. Counts are since the journal was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalStats {
    /// The first position that is still there.
    pub begin: Position,
    /// The position behind the last durable record.
    pub end: Position,
    /// How many segment files there are.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records appended.
    pub appended: u64,
    /// Flushes of the disk.
    pub flushes: u64,
    /// Writes and flushes that failed.
    pub failures: u64,
    /// Whether the last of these failed because the disk is full and none has succeeded since.
    pub full: bool,
}

/// Counts that the writer keeps.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    appended: AtomicU64,
    flushes: AtomicU64,
    failures: AtomicU64,
    full: AtomicU64,
}

impl Counters {
    pub(crate) fn appended(&self, records: u32) {
        self.appended.fetch_add(u64::from(records), Ordering::Relaxed);
    }

    pub(crate) fn flushed(&self) {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.full.store(0, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, error: &JournalError) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.full.store(u64::from(matches!(error, JournalError::Full { .. })), Ordering::Relaxed);
        tracing::error!(%error, "the journal could not take records");
    }
}

/// How far the journal is durable, and whether more will come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Durable {
    pub(crate) end: Position,
    pub(crate) closed: bool,
}

/// What the writer, the readers and the journal's users have in common.
pub(crate) struct Shared {
    pub(crate) folder: PathBuf,
    pub(crate) options: JournalOptions,
    pub(crate) queue: Queue,
    pub(crate) counters: Counters,
    segments: RwLock<Vec<Segment>>,
    durable: watch::Sender<Durable>,
}

impl Shared {
    pub(crate) fn add_segment(&self, segment: Segment) {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        // One of the same name held nothing durable.
        segments.retain(|other| other.first != segment.first);
        segments.push(segment);
    }

    /// Says that the segment may be read up to here.
    pub(crate) fn grown(&self, first: Position, bytes: u64) {
        let mut segments = self.segments.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = segments.iter_mut().rfind(|segment| segment.first == first) {
            segment.bytes = bytes;
        }
    }

    pub(crate) fn publish(&self, end: Position, closed: bool) {
        self.durable.send_replace(Durable { end, closed });
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Durable> {
        self.durable.subscribe()
    }

    /// The segment that holds this position, or the first one behind it; and where the next segment begins.
    pub(crate) fn segment_of(&self, position: Position) -> Option<(Segment, Option<Position>)> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let at = segments.partition_point(|segment| segment.first <= position).saturating_sub(1);
        segments.get(at).map(|segment| (segment.clone(), segments.get(at + 1).map(|next| next.first)))
    }

    fn begin(&self) -> Position {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.first().map_or(self.durable.borrow().end, |segment| segment.first)
    }
}

/// An open journal. Cheap to share; the folder is held until the last handle is gone.
pub struct Journal {
    shared: Arc<Shared>,
    /// Bytes that may wait for the writer.
    room: Arc<Semaphore>,
    recovery: Recovery,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Its lock goes with it.
    _lock: File,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("folder", &self.shared.folder)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

impl Journal {
    /// Opens the journal in this folder, which is made if it is not there. What a crash left half-written is cut off, see
    /// [`Journal::recovery`]. Fails if another process has it open, or it cannot be read or written.
    pub fn open(folder: &Path, options: JournalOptions) -> Result<Arc<Self>, JournalError> {
        Self::open_on(Box::new(LocalDisk), folder, options)
    }

    pub(crate) fn open_on(
        disk: Box<dyn Disk>,
        folder: &Path,
        options: JournalOptions,
    ) -> Result<Arc<Self>, JournalError> {
        std::fs::create_dir_all(folder).map_err(|error| JournalError::io("create the folder", folder, error))?;
        let lock = hold(folder)?;
        let mut segments = segments(folder)?;
        let mut recovery = Recovery::default();
        let mut start = Start::New;
        let mut end = Position(0);
        if let Some(last) = segments.last_mut() {
            let tail = examine(last)?;
            end = tail.end;
            if tail.keep < last.bytes {
                recovery.cut = Some(last.path.clone());
                recovery.cut_bytes = last.bytes - tail.keep;
                last.bytes = tail.keep;
            }
            if tail.writable {
                let header =
                    Walk::open(&last.path).map_err(|error| JournalError::io("read", &last.path, error))?.header;
                start = header.map_or(Start::New, |header| Start::In(last.clone(), header));
            }
            recovery.damages = tail.damages;
        }
        segments.retain(|segment| segment.bytes > 0);
        tell(&recovery);
        let room = Arc::new(Semaphore::new(options.queued_bytes.clamp(1, Semaphore::MAX_PERMITS)));
        let shared = Arc::new(Shared {
            folder: folder.to_path_buf(),
            options,
            queue: Queue::default(),
            counters: Counters::default(),
            segments: RwLock::new(segments),
            durable: watch::Sender::new(Durable { end, closed: false }),
        });
        let writer = Writer::new(shared.clone(), disk, start, end)?;
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run())
            .map_err(|error| JournalError::io("start the writer of", folder, error))?;
        Ok(Arc::new(Self { shared, room, recovery, writer: Mutex::new(Some(thread)), _lock: lock }))
    }

    /// Appends these records, in this order and without others between them, and returns once they are durable. After a
    /// crash either all of them are there or none. If it fails, none is.
    ///
    /// What was handed over goes on if the future is dropped.
    pub async fn append(&self, records: Vec<Record>) -> Result<Range<Position>, JournalError> {
        self.hand_over(records, true).await
    }

    /// Appends without waiting for the disk: cheap, and lost in a crash unless [`sync`](Self::sync), or an append that
    /// waits, comes after it. Readers see it only then.
    pub async fn append_unsynced(&self, records: Vec<Record>) -> Result<Range<Position>, JournalError> {
        self.hand_over(records, false).await
    }

    async fn hand_over(&self, records: Vec<Record>, flushed: bool) -> Result<Range<Position>, JournalError> {
        if records.is_empty() {
            return Ok(self.end()..self.end());
        }
        let count = records.len() as u32;
        let frame = encode_records(&records)?;
        drop(records);
        let bytes = frame.len().min(self.shared.options.queued_bytes.max(1));
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let permit = self.room.clone().acquire_many_owned(permits).await.map_err(|_| JournalError::Closed)?;
        let (answer, answered) = oneshot::channel();
        self.shared.queue.push(Call::Append { frame, count, flushed, answer, permit })?;
        answered.await.unwrap_or(Err(JournalError::Closed))
    }

    /// Makes durable all that was appended before, and says how far that is. Fails if any of it was lost since the last
    /// time.
    pub async fn sync(&self) -> Result<Position, JournalError> {
        let (answer, answered) = oneshot::channel();
        self.shared.queue.push(Call::Sync(answer))?;
        answered.await.unwrap_or(Err(JournalError::Closed))
    }

    /// Gives out no position before this one again. For a journal that was lost, or restored from an older backup, while a
    /// consumer is already further. Says the position of the next record.
    pub async fn skip_to(&self, position: Position) -> Result<Position, JournalError> {
        let (answer, answered) = oneshot::channel();
        self.shared.queue.push(Call::SkipTo(position, answer))?;
        answered.await.unwrap_or(Err(JournalError::Closed))
    }

    /// A reader that begins with the record at this position, or the first one behind it.
    pub fn reader(&self, from: Position) -> Reader {
        Reader::new(self.shared.clone(), from)
    }

    /// The first position that is still there.
    pub fn begin(&self) -> Position {
        self.shared.begin()
    }

    /// The position behind the last durable record.
    pub fn end(&self) -> Position {
        self.shared.durable.borrow().end
    }

    /// What was found when it was opened.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Figures for metrics.
    pub fn stats(&self) -> JournalStats {
        let segments = self.shared.segments.read().unwrap_or_else(PoisonError::into_inner);
        let counters = &self.shared.counters;
        let end = self.end();
        JournalStats {
            begin: segments.first().map_or(end, |segment| segment.first),
            end,
            segments: segments.len() as u64,
            bytes: segments.iter().map(|segment| segment.bytes).sum(),
            appended: counters.appended.load(Ordering::Relaxed),
            flushes: counters.flushes.load(Ordering::Relaxed),
            failures: counters.failures.load(Ordering::Relaxed),
            full: counters.full.load(Ordering::Relaxed) != 0,
        }
    }

    /// Deletes the segments that lie wholly before this position; says how many bytes that freed. The segment that is
    /// written to stays. Blocks while files are deleted.
    pub fn trim(&self, before: Position) -> Result<u64, JournalError> {
        let mut freed = 0;
        loop {
            let mut segments = self.shared.segments.write().unwrap_or_else(PoisonError::into_inner);
            if segments.get(1).is_none_or(|second| second.first > before) {
                return Ok(freed);
            }
            let path = &segments[0].path;
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(JournalError::io("delete", path, error));
                }
                _ => freed += segments.remove(0).bytes,
            }
        }
    }

    /// Takes no more records, waits until those that were handed over are durable, and lets readers come to their end.
    /// The same happens when the last handle is dropped.
    pub fn close(&self) {
        self.shared.queue.close();
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!(folder = %self.shared.folder.display(), "the writer of the journal ended badly");
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

/// Takes the folder's lock, which the operating system lets go of with the process, however that ends.
fn hold(folder: &Path) -> Result<File, JournalError> {
    let path = folder.join(LOCK);
    let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = open.map_err(|error| JournalError::io("open", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Held { folder: folder.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(JournalError::io("lock", &path, error)),
    }
}

fn tell(recovery: &Recovery) {
    if let Some(file) = &recovery.cut {
        tracing::warn!(file = %file.display(), bytes = recovery.cut_bytes, "cut off what a crash left half-written");
    }
    for damage in &recovery.damages {
        tracing::error!(%damage, "the journal is damaged");
    }
}
