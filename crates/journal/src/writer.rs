//! The one thread that writes: it gathers what was appended meanwhile into one write and one flush, and answers all of it.
//!
//! What can fail, and what then holds:
//!
//! * A write fails (the disk is full): the file is cut back to its last good frame, the whole group is answered with
//!   the error, and the next group tries again.
//! * A flush fails: what of the file is on disk is unknown, and asking again would not tell (the kernel may have dropped the
//!   pages). The segment gets no more frames; the next group begins a new one at the last position known to be durable.

use std::{
    collections::VecDeque,
    mem,
    ops::Range,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    JournalError, Position,
    disk::{Disk, SegmentFile},
    format::{FRAME_HEADER, FrameHeader, SEGMENT_HEADER, SegmentHeader},
    journal::Shared,
    recovery::Segment,
    segment::file_name,
};

type Answer<T> = oneshot::Sender<Result<T, JournalError>>;

/// What was asked of the writer.
pub(crate) enum Call {
    /// Append these records.
    Append {
        /// Room for the frame's header, then the records.
        frame: Vec<u8>,
        count: u32,
        /// Whether the answer waits for the flush.
        flushed: bool,
        answer: Answer<Range<Position>>,
        /// Held while the bytes wait in memory.
        permit: OwnedSemaphorePermit,
    },
    /// Make durable what is written; answers how far that is.
    Sync(Answer<Position>),
    /// Go on at this position.
    SkipTo(Position, Answer<Position>),
}

impl Call {
    fn bytes(&self) -> usize {
        match self {
            Self::Append { frame, .. } => frame.len(),
            _ => 0,
        }
    }
}

/// What waits for the writer.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    calls: VecDeque<Call>,
    bytes: usize,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a call to the writer.
    pub(crate) fn push(&self, call: Call) -> Result<(), JournalError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(JournalError::Closed);
        }
        waiting.bytes += call.bytes();
        waiting.calls.push_back(call);
        drop(waiting);
        self.wake.notify_one();
        Ok(())
    }

    /// Takes no more calls.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }
}

/// The segment that frames are added to.
struct Active {
    file: Box<dyn SegmentFile>,
    segment: Segment,
    salt: u64,
    /// Bytes written, behind which the next frame goes.
    written: u64,
    /// Bytes known to be durable.
    durable: u64,
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    disk: Box<dyn Disk>,
    /// None where a new segment is to be begun.
    active: Option<Active>,
    /// The position of the next record.
    next: Position,
    /// Up to where records are durable.
    durable: Position,
    /// What was answered before it was flushed, and is lost.
    lost: Option<Range<Position>>,
    /// Whether the last group had more than one call: only then is it worth while to wait for more.
    crowded: bool,
    buffer: Vec<u8>,
}

/// Where a journal that is opened goes on writing.
pub(crate) enum Start {
    /// At the end of this segment.
    In(Segment, SegmentHeader),
    /// In a new segment.
    New,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        disk: Box<dyn Disk>,
        start: Start,
        end: Position,
    ) -> Result<Self, JournalError> {
        let mut writer = Self {
            shared,
            disk,
            active: None,
            next: end,
            durable: end,
            lost: None,
            crowded: false,
            buffer: Vec::new(),
        };
        match start {
            Start::In(segment, header) => {
                let opened = |error| JournalError::io("open", &segment.path, error);
                let mut file = writer.disk.open(&segment.path).map_err(opened)?;
                file.truncate(segment.bytes).map_err(|error| JournalError::io("cut", &segment.path, error))?;
                file.sync().map_err(|error| JournalError::io("flush", &segment.path, error))?;
                let (written, durable) = (segment.bytes, segment.bytes);
                writer.active = Some(Active { file, segment, salt: header.salt, written, durable });
            }
            Start::New => writer.begin_segment()?,
        }
        Ok(writer)
    }

    /// Works until the journal is closed.
    pub(crate) fn run(mut self) {
        while let Some(group) = self.gather() {
            self.crowded = group.len() > 1;
            self.commit(group);
        }
        self.seal();
        self.shared.publish(self.durable, true);
    }

    /// Waits for calls, and a little for more of them; `None` once the journal is closed and all is done.
    fn gather(&self) -> Option<Vec<Call>> {
        let options = &self.shared.options;
        let queue = &self.shared.queue;
        let mut waiting = queue.lock();
        while waiting.calls.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting = queue.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if self.crowded {
            let until = Instant::now() + options.group_delay;
            while waiting.bytes < options.group_bytes && !waiting.closed {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                waiting = queue.wake.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(call) = waiting.calls.pop_front() {
            bytes += call.bytes();
            let alone = matches!(call, Call::SkipTo(..));
            group.push(call);
            // A skip ends its group, since it changes where the next frame goes.
            if alone || bytes >= options.group_bytes {
                break;
            }
        }
        waiting.bytes -= bytes;
        Some(group)
    }

    fn commit(&mut self, mut group: Vec<Call>) {
        let skip = match group.pop() {
            Some(Call::SkipTo(position, answer)) => Some((position, answer)),
            Some(other) => {
                group.push(other);
                None
            }
            None => None,
        };
        match self.write(&mut group) {
            Ok(ranges) => self.finish(group, ranges),
            Err(error) => {
                self.shared.counters.failed(&error);
                for call in group {
                    call.refuse(&error);
                }
            }
        }
        if let Some((position, answer)) = skip {
            let _ = answer.send(self.skip_to(position));
        }
    }

    /// Writes the frames of a group; gives the positions of each call, in order.
    fn write(&mut self, group: &mut [Call]) -> Result<Vec<Range<Position>>, JournalError> {
        let mut ranges = Vec::with_capacity(group.len());
        let mut next = self.next;
        if group.iter().all(|call| call.bytes() == 0) {
            return Ok(group.iter().map(|_| next..next).collect());
        }
        let salt = self.ready()?.salt;
        self.buffer.clear();
        for call in group {
            let Call::Append { frame, count, .. } = call else {
                ranges.push(next..next);
                continue;
            };
            let length = (frame.len() - FRAME_HEADER) as u32;
            let header = FrameHeader { length, count: *count, first: next, durable: self.durable };
            frame[..FRAME_HEADER].copy_from_slice(&header.encode(salt));
            self.buffer.extend_from_slice(&mem::take(frame));
            ranges.push(header.positions());
            next = header.positions().end;
        }
        let buffer = mem::take(&mut self.buffer);
        let written = self.write_frames(&buffer);
        self.buffer = buffer;
        // One large group is not to hold its memory for ever.
        self.buffer.shrink_to(2 * self.shared.options.group_bytes);
        written?;
        self.next = next;
        Ok(ranges)
    }

    fn write_frames(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        let active = self.ready()?;
        let Err(error) = active.file.write_at(active.written, bytes) else {
            active.written += bytes.len() as u64;
            return Ok(());
        };
        let error = JournalError::io("write", &active.segment.path, error);
        if active.file.truncate(active.written).is_err() {
            // Half a frame stands at its end. Flush what is good, and write elsewhere.
            let good = self.flush();
            self.active = None;
            good?;
        }
        Err(error)
    }

    /// The segment to write to, a new one where the last is full or lost.
    fn ready(&mut self) -> Result<&mut Active, JournalError> {
        let full = |active: &Active| active.written >= self.shared.options.segment_bytes.max(SEGMENT_HEADER as u64 + 1);
        if self.active.as_ref().is_some_and(full) {
            self.flush()?;
            self.active = None;
        }
        if self.active.is_none() {
            self.begin_segment()?;
        }
        self.active.as_mut().ok_or(JournalError::Closed)
    }

    /// Makes a segment that begins with the next position, before which all is durable.
    fn begin_segment(&mut self) -> Result<(), JournalError> {
        let header = SegmentHeader::new(self.next);
        let path = self.shared.folder.join(file_name(self.next));
        let made = |action: &'static str| {
            let path = path.clone();
            move |error| JournalError::io(action, &path, error)
        };
        let mut file = self.disk.create(&path).map_err(made("create"))?;
        let begun = file.write_at(0, &header.encode()).map_err(made("write"));
        begun.and_then(|()| file.sync().map_err(made("flush"))).inspect_err(|_| discard(&path))?;
        let folder = &self.shared.folder;
        self.disk.sync_folder(folder).map_err(|error| JournalError::io("flush the folder", folder, error))?;
        let bytes = SEGMENT_HEADER as u64;
        let segment = Segment { first: self.next, path, bytes };
        self.shared.add_segment(segment.clone());
        self.active = Some(Active { file, segment, salt: header.salt, written: bytes, durable: bytes });
        Ok(())
    }

    /// Makes durable what is written, or gives the segment up.
    fn flush(&mut self) -> Result<(), JournalError> {
        let Some(active) = &mut self.active else { return Ok(()) };
        if active.durable == active.written {
            return Ok(());
        }
        if let Err(error) = active.file.sync() {
            let error = JournalError::io("flush", &active.segment.path, error);
            // If this fails too, readers ignore what is behind the first position of the next segment.
            let _ = active.file.truncate(active.durable);
            self.active = None;
            self.forget(self.durable..self.next);
            return Err(error);
        }
        active.durable = active.written;
        self.durable = self.next;
        self.shared.grown(active.segment.first, active.durable);
        self.shared.publish(self.durable, false);
        self.shared.counters.flushed();
        Ok(())
    }

    /// Notes that these positions are lost and will be given out again.
    fn forget(&mut self, positions: Range<Position>) {
        self.next = positions.start;
        self.lost = match self.lost.take() {
            Some(before) => Some(before.start.min(positions.start)..before.end.max(positions.end)),
            None => Some(positions),
        };
    }

    /// Flushes if one of the calls waits for that, and answers all of them.
    fn finish(&mut self, group: Vec<Call>, ranges: Vec<Range<Position>>) {
        let waits = |call: &Call| !matches!(call, Call::Append { flushed: false, .. });
        let unflushed = self.durable;
        let flushed = if group.iter().any(waits) { self.flush() } else { Ok(()) };
        if let Err(error) = &flushed {
            self.shared.counters.failed(error);
            // The calls of this group hear of it themselves; `lost` is for those that were answered before.
            let first = ranges.first().map_or(unflushed, |range| range.start);
            self.lost = self.lost.take().map(|lost| lost.start..lost.end.min(first)).filter(|lost| !lost.is_empty());
        }
        for (call, range) in group.into_iter().zip(ranges) {
            match (call, &flushed) {
                (call, Err(error)) => call.refuse(error),
                (Call::Append { answer, count, permit, .. }, Ok(())) => {
                    self.shared.counters.appended(count);
                    drop(permit);
                    let _ = answer.send(Ok(range));
                }
                (Call::Sync(answer), Ok(())) => {
                    let lost = self.lost.take().map(|positions| JournalError::Lost { positions });
                    let _ = answer.send(lost.map_or(Ok(self.durable), Err));
                }
                (Call::SkipTo(_, answer), Ok(())) => drop(answer),
            }
        }
    }

    fn skip_to(&mut self, position: Position) -> Result<Position, JournalError> {
        self.flush()?;
        if position > self.next {
            let (next, durable) = (self.next, self.durable);
            self.active = None;
            (self.next, self.durable) = (position, position);
            if let Err(error) = self.begin_segment() {
                (self.next, self.durable) = (next, durable);
                return Err(error);
            }
            self.shared.publish(self.durable, false);
        }
        Ok(self.next)
    }

    /// Writes an empty frame that calls everything before it durable, so that damage to the last records is known
    /// for what it is. The journal is as good without it.
    fn seal(&mut self) {
        if self.flush().is_err() {
            return;
        }
        let (first, durable) = (self.next, self.durable);
        if let Some(active) = &mut self.active {
            let header = FrameHeader { length: 0, count: 0, first, durable };
            if active.file.write_at(active.written, &header.encode(active.salt)).is_ok() {
                let _ = active.file.sync();
            } else {
                let _ = active.file.truncate(active.written);
            }
        }
    }
}

/// Takes away a segment that could not be begun, so that it is not found when the journal is opened again.
fn discard(path: &Path) {
    let _ = std::fs::remove_file(path);
}

impl Call {
    fn refuse(self, error: &JournalError) {
        match self {
            Self::Append { answer, .. } => drop(answer.send(Err(error.clone()))),
            Self::Sync(answer) => drop(answer.send(Err(error.clone()))),
            Self::SkipTo(_, answer) => drop(answer.send(Err(error.clone()))),
        }
    }
}

#[cfg(test)]
mod tests;
