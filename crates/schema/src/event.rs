//! One event on its own: as evidence of an alert, for printing, and for the naive evaluator.

use std::{fmt, sync::Arc};

use crate::{Object, Shape, Timestamp};

/// Where events came from: a file, or a member of an archive.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The path as the user gave it; a member of an archive as `a.zip!b.json`; `-` for standard input.
    pub path: String,
}

impl Origin {
    /// An origin with this path.
    pub fn new(path: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { path: path.into() })
    }
}

/// Which event this is. Ordered by path, then by place in the file, whatever order files were read in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventRef {
    /// The file.
    pub origin: Arc<Origin>,
    /// The place in the file: unique within the origin and growing along it, whatever pieces it was read in. What it
    /// counts (events, lines, bytes) depends on the format.
    pub ordinal: u64,
    /// The number that the user knows the event by: the `EventRecordID` of Windows events from EVTX or XML, the
    /// 1-based line in line formats, the 0-based index in arrays, the 1-based row in tables.
    pub record: u64,
}

impl fmt::Display for EventRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.origin.path, self.record)
    }
}

/// An event taken out of its batch.
#[derive(Clone, Debug)]
pub struct Event {
    /// What kind it is.
    pub shape: Arc<Shape>,
    /// Which one it is.
    pub reference: EventRef,
    /// When it happened; `None` if it carries no time that can be read.
    pub time: Option<Timestamp>,
    /// Its raw fields, by their full dotted names (`EventData.Image`), in the order of the batch's columns.
    pub raw: Object,
}
