//! Reads the journal from a position on, and follows what is appended.
//!
//! Only what is durable is seen. What is damaged is told with the block behind it, and passed over.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use bytes::Bytes;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    Damage, DamageReason, JournalError, Position, Record,
    format::{FRAME_HEADER, StreamName, decode_records},
    journal::{Durable, Shared},
    recovery::Segment,
    segment::{Item, Walk},
};

/// What a reader yields at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Records in order. Positions ascend; they leave out only what is in `lost`.
    pub records: Vec<(Position, Record)>,
    /// The position behind this block: where a consumer of it goes on.
    pub next: Position,
    /// What could not be read on the way.
    pub lost: Vec<Damage>,
}

impl Block {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.lost.is_empty()
    }
}

/// A place in the journal. Any number of them may read at once.
pub struct Reader {
    shared: Arc<Shared>,
    durable: watch::Receiver<Durable>,
    next: Position,
    /// Where it stands in a segment. None at first, after a fault, and while a read is under way.
    cursor: Option<Cursor>,
    /// A read that somebody began and did not wait for. Who asks next waits for this one: begun anew each time, a read that
    /// takes longer than the patience of whoever asks would never come to an end.
    under_way: Option<JoinHandle<(Cursor, Result<Block, JournalError>)>>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, from: Position) -> Self {
        let durable = shared.watch();
        Self { shared, durable, next: from, cursor: None, under_way: None }
    }

    /// The position of the next record that it will yield.
    pub fn position(&self) -> Position {
        self.next
    }

    /// The next records: at least one, at most `max_records`, and no more once they are `max_bytes` long. Waits until there
    /// is one; `None` once the journal is closed and all was read. Needs a Tokio runtime, on whose blocking threads it reads.
    ///
    /// If the future is dropped, nothing is skipped and no work is lost, so it may stand in a `select!` or under a timeout. What
    /// was being read then keeps the bounds that it was asked for with.
    pub async fn next(&mut self, max_records: usize, max_bytes: usize) -> Result<Option<Block>, JournalError> {
        loop {
            let durable = *self.durable.borrow_and_update();
            if self.next < durable.end {
                let block = self.read(durable.end, max_records, max_bytes).await?;
                if !block.is_empty() {
                    return Ok(Some(block));
                }
            } else if durable.closed || self.durable.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    /// Like [`next`](Self::next), but `None` at once where nothing is there now.
    pub async fn try_next(&mut self, max_records: usize, max_bytes: usize) -> Result<Option<Block>, JournalError> {
        let durable = *self.durable.borrow_and_update();
        if self.next >= durable.end {
            return Ok(None);
        }
        let block = self.read(durable.end, max_records, max_bytes).await?;
        Ok((!block.is_empty()).then_some(block))
    }

    async fn read(&mut self, end: Position, max_records: usize, max_bytes: usize) -> Result<Block, JournalError> {
        let Self { shared, next, cursor, under_way, .. } = self;
        let task = under_way.get_or_insert_with(|| {
            let shared = shared.clone();
            let mut cursor = cursor.take().unwrap_or_else(|| Cursor::new(*next));
            let limits = Limits { end, records: max_records.max(1), bytes: max_bytes };
            tokio::task::spawn_blocking(move || {
                let block = cursor.block(&shared, &limits);
                (cursor, block)
            })
        });
        let done = task.await;
        self.under_way = None;
        let (cursor, block) = done.map_err(|_| JournalError::Closed)?;
        let block = block?;
        self.next = block.next;
        self.cursor = Some(cursor);
        Ok(block)
    }
}

struct Limits {
    /// Up to where all is durable.
    end: Position,
    records: usize,
    bytes: usize,
}

/// An open segment, and what of its last frame is still to be yielded.
struct Cursor {
    next: Position,
    open: Option<(Position, Walk)>,
    decoded: VecDeque<(Position, Record)>,
    /// The position behind the frame that was decoded, whose last records may be lost.
    frame_end: Position,
    stream: StreamName,
}

impl Cursor {
    fn new(next: Position) -> Self {
        Self { next, open: None, decoded: VecDeque::new(), frame_end: next, stream: StreamName::default() }
    }

    fn block(&mut self, shared: &Shared, limits: &Limits) -> Result<Block, JournalError> {
        let mut block = Block::default();
        let mut bytes = 0;
        loop {
            while let Some((position, record)) = self.decoded.pop_front() {
                bytes += record.body.len();
                self.next = Position(position.0 + 1);
                block.records.push((position, record));
                if block.records.len() >= limits.records || bytes >= limits.bytes {
                    block.next = self.next;
                    return Ok(block);
                }
            }
            self.next = self.next.max(self.frame_end);
            if self.next >= limits.end || !self.advance(shared, limits, &mut block.lost)? {
                block.next = self.next;
                return Ok(block);
            }
        }
    }

    /// Decodes the next frame that has something to yield, or steps into the next segment.
    fn advance(&mut self, shared: &Shared, limits: &Limits, lost: &mut Vec<Damage>) -> Result<bool, JournalError> {
        let Some((segment, after)) = shared.segment_of(self.next) else { return Ok(false) };
        if segment.first > self.next {
            self.lose(&segment, 0, segment.first, DamageReason::Missing, lost);
        }
        let end = after.unwrap_or(limits.end).min(limits.end);
        let failed = |error| JournalError::io("read", &segment.path, error);
        let mut walk = match self.open.take() {
            Some((first, walk)) if first == segment.first => walk,
            _ => match Walk::open(&segment.path) {
                Ok(walk) => walk,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    // Trimmed in this moment, or deleted by somebody.
                    self.lose(&segment, 0, end, DamageReason::Missing, lost);
                    return Ok(true);
                }
                Err(error) => return Err(failed(error)),
            },
        };
        if walk.header.is_none() {
            self.lose(&segment, 0, end, DamageReason::SegmentHeader, lost);
            return Ok(true);
        }
        // Where the walk last failed, until it is known what that cost.
        let mut fault = (walk.offset, DamageReason::Missing);
        while self.next.max(self.frame_end) < end && self.decoded.is_empty() {
            self.next = self.next.max(self.frame_end);
            match walk.next(segment.bytes).map_err(failed)? {
                Some(Item::Frame { header, offset, payload }) => {
                    let positions = header.positions();
                    if positions.end <= self.next {
                        continue;
                    }
                    if positions.start >= end {
                        // Written since; it is read in its time.
                        walk.offset = offset;
                        self.lose(&segment, fault.0, end, fault.1, lost);
                        break;
                    }
                    // What a lost segment had written behind the durable end stands again in the next one.
                    let positions = positions.start..positions.end.min(end);
                    if positions.start > self.next {
                        self.lose(&segment, fault.0, positions.start, fault.1, lost);
                    }
                    if !self.decode(&segment, offset + FRAME_HEADER as u64, &payload, header.count, positions, lost) {
                        walk.look_inside(offset, segment.bytes).map_err(failed)?;
                    }
                }
                Some(Item::Fault { offset, reason }) => fault = (offset, reason),
                None => self.lose(&segment, fault.0, end, fault.1, lost),
            }
        }
        self.open = Some((segment.first, walk));
        Ok(true)
    }

    /// Takes the records of a frame that lie in these positions and were not yielded yet. False if any of them is broken.
    fn decode(
        &mut self,
        segment: &Segment,
        offset: u64,
        payload: &Bytes,
        count: u32,
        positions: Range<Position>,
        lost: &mut Vec<Damage>,
    ) -> bool {
        let Self { next, decoded, stream, frame_end, .. } = self;
        *frame_end = positions.end;
        let mut expected = *next;
        let mut broken = None;
        let mut any_broken = false;
        decode_records(payload, count, stream, &mut |index, at, record| {
            let position = Position(positions.start.0 + u64::from(index));
            any_broken |= record.is_none();
            if position < *next || position >= positions.end {
                return;
            }
            let Some(record) = record else {
                broken.get_or_insert(at);
                return;
            };
            if position > expected {
                let at = broken.take().unwrap_or(at);
                lost.push(damage(segment, offset + at as u64, expected..position, DamageReason::Checksum));
            }
            expected = Position(position.0 + 1);
            decoded.push_back((position, record));
        });
        if expected < positions.end {
            let at = broken.unwrap_or_default();
            lost.push(damage(segment, offset + at as u64, expected..positions.end, DamageReason::Checksum));
        }
        !any_broken
    }

    fn lose(&mut self, segment: &Segment, offset: u64, until: Position, reason: DamageReason, lost: &mut Vec<Damage>) {
        if until > self.next {
            lost.push(damage(segment, offset, self.next..until, reason));
            self.next = until;
        }
    }
}

fn damage(segment: &Segment, offset: u64, positions: Range<Position>, reason: DamageReason) -> Damage {
    let damage = Damage { file: segment.path.clone(), offset, positions, reason };
    tracing::error!(%damage, "the journal is damaged");
    damage
}
