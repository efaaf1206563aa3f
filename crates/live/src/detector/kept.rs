//! The records that rules have kept something of: what the state of rules is built from after a restart.
//!
//! Most records pass no filter and are never needed again. Those that do are written down once more, with their position,
//! in two logs: one for rules that look back minutes or hours, one for those that look back days. What no rule can look at
//! any more is trimmed. The logs lag behind a crash; how far they are whole is a checkpoint of its own, and what lies
//! behind it is read from the journal.
//!
//! A rule that is new has records to look back at that no log has; they are *grafted*: written, in order, into a third log,
//! which is made anew each time and counts once it is whole.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use lurcher_journal::{Journal, JournalError, JournalOptions, Position, Reader, Record};
use lurcher_schema::Timestamp;

use super::state::Taken;

/// Rules that look back no further use the short log.
pub(super) const SHORT: Duration = Duration::from_hours(2);

/// Trimming goes by marks that are so far apart.
const MARK: i64 = 60_000_000;

/// How many records and bytes are read at a time.
const BLOCK: (usize, usize) = (8192, 16 << 20);

/// Both logs.
#[derive(Debug)]
pub(super) struct Kept {
    folder: PathBuf,
    short: Log,
    long: Log,
    /// What was grafted, and the number of its log.
    grafted: Option<(u64, Log)>,
}

#[derive(Debug)]
struct Log {
    journal: Arc<Journal>,
    /// When records came in, about every minute, and where the log then ended.
    marks: VecDeque<(Timestamp, Position)>,
    waiting: Vec<Record>,
}

impl Kept {
    /// The logs in this folder.
    pub(super) fn open(folder: &Path) -> Result<Self, JournalError> {
        let short = Log::open(&folder.join("short"))?;
        let long = Log::open(&folder.join("long"))?;
        let newest = (1..=newest_graft(folder)).rev().find(|number| whole(folder, *number).is_file());
        let open = |number| Log::open(&graft(folder, number)).map(|log| (number, log));
        let grafted = newest.map(open).transpose()?;
        let kept = Self { folder: folder.to_owned(), short, long, grafted };
        kept.clear_grafts();
        Ok(kept)
    }

    /// Whether nothing was ever kept.
    pub(super) fn is_empty(&self) -> bool {
        let empty = |log: &Log| log.journal.end() == Position(0) && log.waiting.is_empty();
        empty(&self.short) && empty(&self.long) && self.grafted.is_none()
    }

    /// Adds records from before what is kept, in any order; what is kept already stays, each record once.
    pub(super) async fn graft(&mut self, records: Vec<(Position, Record)>) -> Result<(), JournalError> {
        let mut all: BTreeMap<Position, Record> = records.into_iter().collect();
        if let Some((_, log)) = &self.grafted {
            let mut source = Source::of(log);
            let mut marks = VecDeque::new();
            loop {
                source.fill(&mut marks).await?;
                let Some((position, record)) = source.ready.pop_front() else { break };
                all.insert(position, record);
            }
        }
        let number = self.grafted.as_ref().map_or(0, |(number, _)| *number).max(newest_graft(&self.folder)) + 1;
        let mut log = Log::open(&graft(&self.folder, number))?;
        for (position, record) in all {
            log.waiting.push(wrap(position, &record));
            if log.waiting.len() >= BLOCK.0 {
                log.write().await?;
            }
        }
        log.write().await?;
        log.journal.sync().await?;
        let path = whole(&self.folder, number);
        let made = std::fs::File::create(&path).and_then(|file| file.sync_all());
        made.map_err(|error| JournalError::io("write", &path, error))?;
        self.grafted = Some((number, log));
        self.clear_grafts();
        Ok(())
    }

    /// Deletes grafts that are not whole, or that a newer one has taken in.
    fn clear_grafts(&self) {
        let current = self.grafted.as_ref().map_or(0, |(number, _)| *number);
        for number in (1..=newest_graft(&self.folder)).filter(|number| *number != current) {
            // What is left over costs only its place, and is tried again at the next start.
            let _ = std::fs::remove_file(whole(&self.folder, number));
            let _ = std::fs::remove_dir_all(graft(&self.folder, number));
        }
    }

    /// Keeps what rules kept something of among these records.
    pub(super) fn keep(&mut self, mut taken: Vec<Taken>, records: &[(Position, Record)]) {
        taken.sort_by_key(|taken| (taken.position, taken.horizon));
        let mut own = records.iter().peekable();
        let mut rest = taken.into_iter().peekable();
        while let Some(taken) = rest.next() {
            // One record may hold several events; the rule that looks back furthest counts.
            if rest.peek().is_some_and(|next| next.position == taken.position) {
                continue;
            }
            while own.next_if(|(position, _)| *position < taken.position).is_some() {}
            if let Some((position, record)) = own.peek().filter(|(position, _)| *position == taken.position) {
                self.keep_one(*position, record, taken.horizon);
            }
        }
    }

    fn keep_one(&mut self, position: Position, record: &Record, horizon: Duration) {
        let log = if horizon <= SHORT { &mut self.short } else { &mut self.long };
        log.waiting.push(wrap(position, record));
    }

    /// Hands over what was kept. It is durable with the next [`Kept::sync`].
    pub(super) async fn write(&mut self) -> Result<(), JournalError> {
        self.short.write().await?;
        self.long.write().await
    }

    pub(super) async fn sync(&mut self) -> Result<(), JournalError> {
        self.write().await?;
        self.short.journal.sync().await?;
        self.long.journal.sync().await?;
        Ok(())
    }

    /// Forgets what came in before these times.
    pub(super) fn trim(&mut self, short: Timestamp, long: Timestamp) -> Result<(), JournalError> {
        self.short.trim(short)?;
        self.long.trim(long)?;
        self.grafted.as_mut().map_or(Ok(()), |(_, log)| log.trim(long))
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        let grafted = self.grafted.as_ref().map_or(0, |(_, log)| log.journal.stats().bytes);
        self.short.journal.stats().bytes + self.long.journal.stats().bytes + grafted
    }

    /// All records before a position, in their order.
    pub(super) fn all(&mut self, before: Position) -> Replay<'_> {
        let logs = [&mut self.short, &mut self.long].into_iter().chain(self.grafted.as_mut().map(|(_, log)| log));
        Replay { before, last: None, sources: logs.map(|log| (Source::of(log), &mut log.marks)).collect() }
    }
}

/// The folder of a graft.
fn graft(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("graft-{number}"))
}

/// The file that says that a graft is whole.
fn whole(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("graft-{number}.whole"))
}

/// The highest number that a graft has had of which anything is left.
fn newest_graft(folder: &Path) -> u64 {
    let number = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_prefix("graft-")?.trim_end_matches(".whole").parse().ok()
    };
    std::fs::read_dir(folder).into_iter().flatten().flatten().filter_map(number).max().unwrap_or(0)
}

impl Log {
    fn open(folder: &Path) -> Result<Self, JournalError> {
        let options = JournalOptions { segment_bytes: 16 << 20, ..JournalOptions::default() };
        Ok(Self { journal: Journal::open(folder, options)?, marks: VecDeque::new(), waiting: Vec::new() })
    }

    async fn write(&mut self) -> Result<(), JournalError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let last = self.waiting.last().map_or(Timestamp(0), |record| record.received);
        let end = self.journal.append_unsynced(std::mem::take(&mut self.waiting)).await?.end;
        mark(&mut self.marks, last, end);
        Ok(())
    }

    fn trim(&mut self, before: Timestamp) -> Result<(), JournalError> {
        let mut end = None;
        while let Some((_, position)) = self.marks.front().copied().filter(|(time, _)| *time < before) {
            end = Some(position);
            self.marks.pop_front();
        }
        end.map_or(Ok(()), |end| self.journal.trim(end).map(drop))
    }
}

fn mark(marks: &mut VecDeque<(Timestamp, Position)>, time: Timestamp, end: Position) {
    match marks.back_mut() {
        Some((last, position)) if time.0 - last.0 < MARK => *position = end,
        _ => marks.push_back((time, end)),
    }
}

/// The records of all logs, merged.
#[derive(Debug)]
pub(super) struct Replay<'k> {
    before: Position,
    /// The last that was handed over: what stands in several logs counts once.
    last: Option<Position>,
    sources: Vec<(Source, &'k mut VecDeque<(Timestamp, Position)>)>,
}

#[derive(Debug)]
struct Source {
    reader: Reader,
    ready: VecDeque<(Position, Record)>,
    /// The last that was ready. After a crash records may have been kept a second time; they count once.
    last: Option<Position>,
}

impl Source {
    fn of(log: &Log) -> Self {
        Self { reader: log.journal.reader(log.journal.begin()), ready: VecDeque::new(), last: None }
    }

    async fn fill(&mut self, marks: &mut VecDeque<(Timestamp, Position)>) -> Result<(), JournalError> {
        while self.ready.is_empty() {
            let Some(block) = self.reader.try_next(BLOCK.0, BLOCK.1).await? else { return Ok(()) };
            if let Some((_, last)) = block.records.last() {
                mark(marks, last.received, block.next);
            }
            for (position, record) in block.records.into_iter().filter_map(|(_, record)| unwrap(record)) {
                if self.last.is_none_or(|last| position > last) {
                    self.last = Some(position);
                    self.ready.push_back((position, record));
                }
            }
        }
        Ok(())
    }

    fn next(&self) -> Option<Position> {
        self.ready.front().map(|(position, _)| *position)
    }
}

impl Replay<'_> {
    /// Some records, in order; none at the end.
    pub(super) async fn next(&mut self, most: usize) -> Result<Vec<(Position, Record)>, JournalError> {
        let mut records: Vec<(Position, Record)> = Vec::new();
        while records.len() < most {
            for (source, marks) in &mut self.sources {
                source.fill(marks).await?;
            }
            let first = self.sources.iter_mut().filter(|(source, _)| source.next().is_some());
            let Some((source, _)) = first.min_by_key(|(source, _)| source.next()) else { break };
            let Some((position, record)) = source.ready.pop_front() else { break };
            if position < self.before && self.last.is_none_or(|last| position > last) {
                self.last = Some(position);
                records.push((position, record));
            }
        }
        Ok(records)
    }
}

fn wrap(position: Position, record: &Record) -> Record {
    let mut body = BytesMut::with_capacity(record.body.len() + 8);
    body.put_u64_le(position.0);
    body.extend_from_slice(&record.body);
    Record { body: body.freeze(), ..record.clone() }
}

fn unwrap(record: Record) -> Option<(Position, Record)> {
    let (position, _) = record.body.split_at_checked(8)?;
    let position = Position(u64::from_le_bytes(position.try_into().ok()?));
    let body: Bytes = record.body.slice(8..);
    Some((position, Record { body, ..record }))
}

#[cfg(test)]
mod tests {
    use lurcher_journal::RecordKind;

    use super::*;

    fn record(received: i64, body: &str) -> Record {
        Record {
            stream: "s".into(),
            kind: RecordKind::Json,
            received: Timestamp(received),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[tokio::test]
    async fn records_come_back_in_their_order_and_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = Kept::open(folder.path()).unwrap();
        let records: Vec<(Position, Record)> =
            [3, 5, 6, 9].map(|position| (Position(position), record(position as i64, "{}"))).to_vec();
        let taken = |of: &[(u64, u64)]| -> Vec<Taken> {
            let taken = of.iter().map(|(position, hours)| Taken {
                position: Position(*position),
                horizon: Duration::from_hours(*hours),
            });
            taken.collect()
        };
        kept.keep(taken(&[(3, 1), (5, 48), (6, 48), (6, 1)]), &records);
        kept.keep(taken(&[(6, 48), (9, 1)]), &records);
        kept.sync().await.unwrap();
        drop(kept);
        let mut kept = Kept::open(folder.path()).unwrap();
        let all = kept.all(Position(9)).next(100).await.unwrap();
        assert_eq!(all.iter().map(|(position, _)| position.0).collect::<Vec<_>>(), [3, 5, 6]);
        assert_eq!(all[0].1, record(3, "{}"));
    }

    #[tokio::test]
    async fn what_is_grafted_comes_before_what_was_kept_and_each_record_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = Kept::open(folder.path()).unwrap();
        assert!(kept.is_empty());
        let kept_one = [(Position(7), record(7, "{}"))];
        kept.keep(vec![Taken { position: Position(7), horizon: Duration::from_hours(1) }], &kept_one);
        let grafted = |positions: &[u64]| -> Vec<(Position, Record)> {
            positions.iter().map(|at| (Position(*at), record(*at as i64, "{}"))).collect()
        };
        kept.graft(grafted(&[5, 2, 7])).await.unwrap();
        kept.graft(grafted(&[3, 5])).await.unwrap();
        kept.sync().await.unwrap();
        drop(kept);
        // One that was not finished does not count.
        std::fs::create_dir(folder.path().join("graft-9")).unwrap();
        let mut kept = Kept::open(folder.path()).unwrap();
        let all = kept.all(Position(100)).next(100).await.unwrap();
        assert_eq!(all.iter().map(|(position, _)| position.0).collect::<Vec<_>>(), [2, 3, 5, 7]);
        assert!(!folder.path().join("graft-9").exists());
        kept.trim(Timestamp(i64::MAX), Timestamp(i64::MAX)).unwrap();
    }
}
