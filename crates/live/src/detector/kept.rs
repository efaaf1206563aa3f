//! The records that rules have kept something of: what the state of rules is built from after a restart.
//!
//! Most records pass no filter and are never needed again. Those that do are written down once more, with their position,
//! in two logs: one for rules that look back minutes or hours, one for those that look back days. What no rule can look at
//! any more is trimmed. The logs lag behind a crash; how far they are whole is a checkpoint of its own, and what lies
//! behind it is read from the journal.

use std::{collections::VecDeque, path::Path, sync::Arc, time::Duration};

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
    short: Log,
    long: Log,
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
        Ok(Self { short: Log::open(&folder.join("short"))?, long: Log::open(&folder.join("long"))? })
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
        let mut body = BytesMut::with_capacity(record.body.len() + 8);
        body.put_u64_le(position.0);
        body.extend_from_slice(&record.body);
        log.waiting.push(Record { body: body.freeze(), ..record.clone() });
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
        self.long.trim(long)
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.short.journal.stats().bytes + self.long.journal.stats().bytes
    }

    /// All records before a position, in their order.
    pub(super) fn all(&mut self, before: Position) -> Replay<'_> {
        Replay {
            before,
            short: Source {
                reader: self.short.journal.reader(self.short.journal.begin()),
                ready: VecDeque::new(),
                last: None,
            },
            long: Source {
                reader: self.long.journal.reader(self.long.journal.begin()),
                ready: VecDeque::new(),
                last: None,
            },
            marks: (&mut self.short.marks, &mut self.long.marks),
        }
    }
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

/// The records of both logs, merged.
#[derive(Debug)]
pub(super) struct Replay<'k> {
    before: Position,
    short: Source,
    long: Source,
    marks: (&'k mut VecDeque<(Timestamp, Position)>, &'k mut VecDeque<(Timestamp, Position)>),
}

#[derive(Debug)]
struct Source {
    reader: Reader,
    ready: VecDeque<(Position, Record)>,
    /// The last that was ready. After a crash records may have been kept a second time; they count once.
    last: Option<Position>,
}

impl Source {
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
            self.short.fill(self.marks.0).await?;
            self.long.fill(self.marks.1).await?;
            let source = match (self.short.next(), self.long.next()) {
                (None, None) => break,
                (Some(short), Some(long)) if long < short => &mut self.long,
                (None, Some(_)) => &mut self.long,
                _ => &mut self.short,
            };
            let Some((position, record)) = source.ready.pop_front() else { break };
            if position < self.before {
                records.push((position, record));
            }
        }
        Ok(records)
    }
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
}
