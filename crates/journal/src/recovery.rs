//! What is done when a journal is opened: the last segment is walked, and what a crash left half-written is cut off.
//!
//! Only the last segment can have a torn end: before a new one is begun, the one before it is flushed. The others are not
//! read here; what is wrong in them is found by readers and by [`verify`](crate::verify()).

use std::path::PathBuf;

use crate::{
    Damage, DamageReason, JournalError, Position,
    format::{FRAME_HEADER, SEGMENT_HEADER, VERSION, intact},
    segment::{Item, Walk, list},
};

/// What was found when the journal was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The segment whose end was cut off, if one was.
    pub cut: Option<PathBuf>,
    /// How many bytes were cut off. They had never been acknowledged, unless the disk lost what it had called durable.
    pub cut_bytes: u64,
    /// What is broken in the last segment and had been durable.
    pub damages: Vec<Damage>,
}

/// A segment, as the journal keeps it in mind.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) first: Position,
    pub(crate) path: PathBuf,
    /// Up to where it may be read.
    pub(crate) bytes: u64,
}

/// The whole and the doubtful of the last segment.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Where it is to be cut, if that is before its end.
    pub(crate) keep: u64,
    /// The position behind its last good record.
    pub(crate) end: Position,
    /// Whether frames can be written behind `keep`: not if its header is broken.
    pub(crate) writable: bool,
    /// What is broken before `keep`.
    pub(crate) damages: Vec<Damage>,
}

/// The segments of the folder, in order.
pub(crate) fn segments(folder: &std::path::Path) -> Result<Vec<Segment>, JournalError> {
    let listed = list(folder).map_err(|error| JournalError::io("read the folder", folder, error))?;
    let mut segments = Vec::with_capacity(listed.len());
    for (first, path) in listed {
        let bytes = std::fs::metadata(&path).map_err(|error| JournalError::io("look at", &path, error))?.len();
        segments.push(Segment { first, path, bytes });
    }
    Ok(segments)
}

/// Walks the last segment.
pub(crate) fn examine(segment: &Segment) -> Result<Tail, JournalError> {
    let failed = |error| JournalError::io("read", &segment.path, error);
    let mut walk = Walk::open(&segment.path).map_err(failed)?;
    match walk.header {
        Some(header) if header.version > VERSION => {
            return Err(JournalError::Version { path: segment.path.clone(), version: header.version });
        }
        Some(header) if header.first == segment.first && segment.bytes >= SEGMENT_HEADER as u64 => {}
        _ => return Ok(headless(segment)),
    }
    // Faults that no later frame has yet shown to lie in what was durable.
    let mut doubtful: Vec<Damage> = Vec::new();
    let mut damages: Vec<Damage> = Vec::new();
    let mut end = segment.first;
    while let Some(item) = walk.next(segment.bytes).map_err(failed)? {
        match item {
            Item::Frame { header, offset, payload } => {
                let proven = doubtful.partition_point(|damage| damage.positions.start < header.durable);
                damages.extend(doubtful.drain(..proven));
                let positions = header.positions();
                if let Some(fault) =
                    doubtful.last_mut().or(damages.last_mut()).filter(|fault| fault.positions.end == end)
                {
                    fault.positions.end = positions.start.max(end);
                }
                if !intact(&payload, header.count) {
                    let damage = Damage {
                        file: segment.path.clone(),
                        offset,
                        positions: positions.clone(),
                        reason: DamageReason::Checksum,
                    };
                    doubtful.push(damage);
                    walk.look_inside(offset, segment.bytes).map_err(failed)?;
                }
                end = end.max(positions.end);
            }
            Item::Fault { offset, reason } => {
                doubtful.push(Damage { file: segment.path.clone(), offset, positions: end..end, reason });
            }
        }
    }
    let (keep, end) = doubtful.first().map_or((segment.bytes, end), |fault| (fault.offset, fault.positions.start));
    damages.retain(|damage| damage.records() > 0);
    Ok(Tail { keep, end, writable: true, damages })
}

/// A segment without a header: either its making was cut short, and nothing is in it, or it is damaged. How many records it
/// held is unknown then; positions behind all that could have been in it are free.
fn headless(segment: &Segment) -> Tail {
    if segment.bytes <= SEGMENT_HEADER as u64 {
        return Tail { keep: 0, end: segment.first, writable: false, damages: Vec::new() };
    }
    let least = 11 + 8;
    let end =
        Position(segment.first.0 + (segment.bytes - SEGMENT_HEADER as u64).saturating_sub(FRAME_HEADER as u64) / least);
    let damage = Damage {
        file: segment.path.clone(),
        offset: 0,
        positions: segment.first..end,
        reason: DamageReason::SegmentHeader,
    };
    Tail { keep: segment.bytes, end, writable: false, damages: vec![damage] }
}
