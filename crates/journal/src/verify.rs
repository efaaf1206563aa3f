//! Walks a whole journal and checks every checksum in it. Only reads, and needs no lock.

use std::path::Path;

use crate::{
    Damage, DamageReason, JournalError, Position,
    format::{FRAME_HEADER, StreamName, decode_records},
    recovery::{Segment, examine, segments},
    segment::{Item, Walk},
};

/// What is in a journal's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// How many segment files there are.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that are whole.
    pub records: u64,
    /// The first position.
    pub begin: Position,
    /// The position behind the last record.
    pub end: Position,
    /// Bytes at the end that were never acknowledged: a crash left them, or the journal is being written to just now.
    pub torn_bytes: u64,
    /// What is broken. Empty in a sound journal.
    pub damages: Vec<Damage>,
}

/// Checks every record in this folder. Fails only where a file cannot be read at all; what is broken in one is in the result.
pub fn verify(folder: &Path) -> Result<Verification, JournalError> {
    let segments = segments(folder)?;
    let mut found = Verification { segments: segments.len() as u64, ..Verification::default() };
    if let Some(first) = segments.first() {
        found.begin = first.first;
        found.end = first.first;
    }
    for (at, segment) in segments.iter().enumerate() {
        found.bytes += segment.bytes;
        let (limit, end) = match segments.get(at + 1) {
            Some(next) => (segment.bytes, next.first),
            None => {
                let tail = examine(segment)?;
                found.torn_bytes = segment.bytes - tail.keep;
                (tail.keep, tail.end)
            }
        };
        check(segment, limit, end, &mut found)?;
    }
    Ok(found)
}

/// Checks one segment, which must hold the records up to `end`.
fn check(segment: &Segment, limit: u64, end: Position, found: &mut Verification) -> Result<(), JournalError> {
    let failed = |error| JournalError::io("read", &segment.path, error);
    let damage = |offset, from: Position, to: Position, reason| {
        let positions = from..to;
        Damage { file: segment.path.clone(), offset, positions, reason }
    };
    if found.end < segment.first {
        found.damages.push(damage(0, found.end, segment.first, DamageReason::Missing));
    }
    found.end = segment.first;
    let mut walk = Walk::open(&segment.path).map_err(failed)?;
    let mut fault = (0, if walk.header.is_none() { DamageReason::SegmentHeader } else { DamageReason::Missing });
    let mut stream = StreamName::default();
    while let Some(item) = walk.next(limit).map_err(failed)? {
        let (header, offset, payload) = match item {
            Item::Frame { header, offset, payload } => (header, offset + FRAME_HEADER as u64, payload),
            Item::Fault { offset, reason } => {
                fault = (offset, reason);
                continue;
            }
        };
        let Verification { records, damages, end: expected, .. } = found;
        let behind = header.positions().end.min(end);
        let mut broken = false;
        decode_records(&payload, header.count, &mut stream, &mut |index, at, record| {
            let position = Position(header.first.0 + u64::from(index));
            if record.is_none() {
                broken = true;
                fault = (offset + at as u64, DamageReason::Checksum);
            } else if position >= *expected && position < end {
                if position > *expected {
                    damages.push(damage(fault.0, *expected, position, fault.1));
                }
                *records += 1;
                *expected = Position(position.0 + 1);
            }
        });
        if *expected < behind {
            damages.push(damage(fault.0, *expected, behind, fault.1));
            *expected = behind;
        }
        if broken {
            walk.look_inside(offset - FRAME_HEADER as u64, limit).map_err(failed)?;
        }
    }
    if found.end < end {
        found.damages.push(damage(fault.0, found.end, end, fault.1));
        found.end = end;
    }
    Ok(())
}
