//! How a segment is laid out. All numbers are little-endian.
//!
//! | part | bytes |
//! |---|---|
//! | segment header, twice | magic `LURCHJNL`, version u32, first position u64, salt u64, checksum u32 |
//! | frame: what one call appended | magic u32, bytes of records u32, count u32, first position u64, positions since the durable one u32, zero u32, checksum u32 |
//! | record, in a frame | bytes behind the checksum u32, checksum u32, kind u8, received i64, bytes of stream u16, stream, body |
//!
//! A frame is there whole or not at all. Its *durable position* is how far the journal was flushed when the frame was
//! written; so, after a crash, a broken place can be told apart: what a later frame calls durable was damaged, the
//! rest had never been acknowledged and is cut off.
//!
//! The salt is a random number that goes into the checksum of every frame's header. Without it, bytes inside an event
//! could pass for a frame when reading looks for the next one behind a damaged place.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    ops::Range,
    str,
    sync::Arc,
};

use bytes::Bytes;
use lurcher_schema::Timestamp;

use crate::{Position, Record, RecordKind, error::JournalError};

/// The version of this layout.
pub(crate) const VERSION: u32 = 1;
const SEGMENT_MAGIC: [u8; 8] = *b"LURCHJNL";
/// Bytes of one copy of the segment's header.
const SEGMENT_HEADER_COPY: usize = 32;
/// Bytes before the first frame.
pub(crate) const SEGMENT_HEADER: usize = 2 * SEGMENT_HEADER_COPY;
/// What a frame begins with.
pub(crate) const FRAME_MAGIC: [u8; 4] = [0xF7, b'l', b'j', 0xA5];
/// Bytes before a frame's records.
pub(crate) const FRAME_HEADER: usize = 32;
/// Bytes before a record's stream.
const RECORD_HEADER: usize = 19;
/// The most bytes of records in one call.
pub(crate) const MAX_FRAME: usize = 512 << 20;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) version: u32,
    pub(crate) first: Position,
    pub(crate) salt: u64,
}

impl SegmentHeader {
    /// One for a new segment. The salt comes from the standard library's hasher, which is seeded by the operating system.
    pub(crate) fn new(first: Position) -> Self {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u64(first.0);
        Self { version: VERSION, first, salt: hasher.finish() }
    }

    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut bytes = [0; SEGMENT_HEADER];
        let copy = &mut bytes[..SEGMENT_HEADER_COPY];
        copy[..8].copy_from_slice(&SEGMENT_MAGIC);
        copy[8..12].copy_from_slice(&self.version.to_le_bytes());
        copy[12..20].copy_from_slice(&self.first.0.to_le_bytes());
        copy[20..28].copy_from_slice(&self.salt.to_le_bytes());
        let checksum = crc32fast::hash(&copy[..28]);
        copy[28..].copy_from_slice(&checksum.to_le_bytes());
        bytes.copy_within(..SEGMENT_HEADER_COPY, SEGMENT_HEADER_COPY);
        bytes
    }

    /// Reads whichever copy is whole.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.chunks_exact(SEGMENT_HEADER_COPY).take(2).find_map(|copy| {
            let good = copy[..8] == SEGMENT_MAGIC && crc32fast::hash(&copy[..28]) == u32_at(copy, 28);
            good.then(|| Self { version: u32_at(copy, 8), first: Position(u64_at(copy, 12)), salt: u64_at(copy, 20) })
        })
    }
}

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Bytes of records.
    pub(crate) length: u32,
    /// How many records.
    pub(crate) count: u32,
    /// The position of the first record.
    pub(crate) first: Position,
    /// Up to where the journal was flushed when this was written.
    pub(crate) durable: Position,
}

impl FrameHeader {
    pub(crate) fn encode(&self, salt: u64) -> [u8; FRAME_HEADER] {
        let mut bytes = [0; FRAME_HEADER];
        bytes[..4].copy_from_slice(&FRAME_MAGIC);
        bytes[4..8].copy_from_slice(&self.length.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.count.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.first.0.to_le_bytes());
        // How far back it is, not the position itself: four bytes suffice. The largest number stands for "unknown".
        let behind = u32::try_from(self.first.0.saturating_sub(self.durable.0)).unwrap_or(u32::MAX);
        bytes[20..24].copy_from_slice(&behind.to_le_bytes());
        // Room for what a later version may say; part of the checksum.
        bytes[24..28].fill(0);
        let checksum = salted(salt, &bytes[..28]);
        bytes[28..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8], salt: u64) -> Option<Self> {
        let bytes = bytes.get(..FRAME_HEADER)?;
        if bytes[..4] != FRAME_MAGIC || salted(salt, &bytes[..28]) != u32_at(bytes, 28) {
            return None;
        }
        let first = Position(u64_at(bytes, 12));
        let durable = match u32_at(bytes, 20) {
            u32::MAX => Position(0),
            behind => Position(first.0.saturating_sub(u64::from(behind))),
        };
        Some(Self { length: u32_at(bytes, 4), count: u32_at(bytes, 8), first, durable })
    }

    /// The positions of its records.
    pub(crate) fn positions(&self) -> Range<Position> {
        self.first..Position(self.first.0.saturating_add(u64::from(self.count)))
    }
}

fn salted(salt: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// The checksum covers the record's place in its frame, so that a broken length cannot give a record another's position.
fn record_checksum(index: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&index.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// The records of one call, behind room for the frame's header, which is known only when they are written.
pub(crate) fn encode_records(records: &[Record]) -> Result<Vec<u8>, JournalError> {
    let bytes: usize = records.iter().map(|record| RECORD_HEADER + record.stream.len() + record.body.len()).sum();
    if bytes > MAX_FRAME {
        return Err(JournalError::TooLarge { bytes, limit: MAX_FRAME });
    }
    let mut frame = Vec::with_capacity(FRAME_HEADER + bytes);
    frame.resize(FRAME_HEADER, 0);
    for (index, record) in records.iter().enumerate() {
        let stream = u16::try_from(record.stream.len())
            .map_err(|_| JournalError::TooLarge { bytes: record.stream.len(), limit: usize::from(u16::MAX) })?;
        let start = frame.len();
        let length = (RECORD_HEADER - 8 + record.stream.len() + record.body.len()) as u32;
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(&[0; 4]);
        frame.push(kind_code(record.kind));
        frame.extend_from_slice(&record.received.0.to_le_bytes());
        frame.extend_from_slice(&stream.to_le_bytes());
        frame.extend_from_slice(record.stream.as_bytes());
        frame.extend_from_slice(&record.body);
        let checksum = record_checksum(index as u32, &frame[start + 8..]);
        frame[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
    }
    Ok(frame)
}

/// Remembers the last stream's name, since most records are of the same stream as the one before.
#[derive(Debug, Default)]
pub(crate) struct StreamName(Option<Arc<str>>);

impl StreamName {
    fn shared(&mut self, name: &str) -> Arc<str> {
        match &self.0 {
            Some(last) if &**last == name => last.clone(),
            _ => self.0.insert(Arc::from(name)).clone(),
        }
    }
}

/// Goes through the records of a frame: `each` gets the index of a record, its offset in the payload, and the record, or
/// `None` for those that are broken. The last call for broken ones that cannot be told apart stands for all the rest.
pub(crate) fn decode_records(
    payload: &Bytes,
    count: u32,
    stream: &mut StreamName,
    each: &mut dyn FnMut(u32, usize, Option<Record>),
) {
    let mut at = 0;
    for index in 0..count {
        let Some(bytes) = record_bytes(payload, at) else {
            each(index, at, None);
            return;
        };
        let record = (record_checksum(index, &payload[bytes.clone()]) == u32_at(payload, at + 4))
            .then(|| decode_record(payload, bytes.clone(), stream))
            .flatten();
        each(index, at, record);
        at = bytes.end;
    }
}

/// Whether every record of a frame is whole.
pub(crate) fn intact(payload: &[u8], count: u32) -> bool {
    let mut at = 0;
    for index in 0..count {
        let Some(bytes) = record_bytes(payload, at) else { return false };
        if record_checksum(index, &payload[bytes.clone()]) != u32_at(payload, at + 4) {
            return false;
        }
        at = bytes.end;
    }
    at == payload.len()
}

/// Where the record at this offset has the bytes that its checksum is of.
fn record_bytes(payload: &[u8], at: usize) -> Option<Range<usize>> {
    if payload.len() < at + RECORD_HEADER {
        return None;
    }
    let length = u32_at(payload, at) as usize;
    let start = at + 8;
    (length >= RECORD_HEADER - 8 && length <= payload.len() - start).then(|| start..start + length)
}

fn decode_record(payload: &Bytes, bytes: Range<usize>, stream: &mut StreamName) -> Option<Record> {
    let record = &payload[bytes.clone()];
    let kind = kind_of(record[0])?;
    let received = Timestamp(u64_at(record, 1) as i64);
    let name_end = 11 + usize::from(u16::from_le_bytes([record[9], record[10]]));
    let name = str::from_utf8(record.get(11..name_end)?).ok()?;
    let body = payload.slice(bytes.start + name_end..bytes.end);
    Some(Record { stream: stream.shared(name), kind, received, body })
}

fn kind_code(kind: RecordKind) -> u8 {
    match kind {
        RecordKind::Json => 0,
        RecordKind::Xml => 1,
        RecordKind::Line => 2,
    }
}

fn kind_of(code: u8) -> Option<RecordKind> {
    match code {
        0 => Some(RecordKind::Json),
        1 => Some(RecordKind::Xml),
        2 => Some(RecordKind::Line),
        _ => None,
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
