//! Walks the frames of one segment, and finds the next good frame behind a broken place.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use crate::{
    DamageReason, Position,
    format::{FRAME_HEADER, FRAME_MAGIC, FrameHeader, SEGMENT_HEADER, SegmentHeader},
};

/// How much is read at once, so that many small frames cost few system calls.
const CHUNK: u64 = 256 << 10;
const EXTENSION: &str = "journal";

/// What a segment that begins with this position is called: so that names sort as positions do.
pub(crate) fn file_name(first: Position) -> String {
    format!("{:020}.{EXTENSION}", first.0)
}

/// The segments in a folder, by their first position.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<(Position, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_segment = path.extension().is_some_and(|extension| extension == EXTENSION);
        let first = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (true, Some(first)) = (is_segment, first) {
            found.push((Position(first), path));
        }
    }
    found.sort();
    Ok(found)
}

/// What stands next in a segment.
#[derive(Debug)]
pub(crate) enum Item {
    /// A frame whose header is whole and whose records are all in the file; they may still be broken.
    Frame {
        header: FrameHeader,
        /// Where the frame begins.
        offset: u64,
        payload: Bytes,
    },
    /// Something else; the walk goes on at the next good frame.
    Fault { offset: u64, reason: DamageReason },
}

/// A place in an open segment.
#[derive(Debug)]
pub(crate) struct Walk {
    /// `None` when both copies of the header are broken: then there is nothing to walk.
    pub(crate) header: Option<SegmentHeader>,
    pub(crate) offset: u64,
    file: File,
    chunk: Bytes,
    chunk_at: u64,
}

impl Walk {
    /// Opens it, before its first frame.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut head = Vec::with_capacity(SEGMENT_HEADER);
        (&mut file).take(SEGMENT_HEADER as u64).read_to_end(&mut head)?;
        Ok(Self {
            header: SegmentHeader::decode(&head),
            offset: SEGMENT_HEADER as u64,
            file,
            chunk: Bytes::new(),
            chunk_at: 0,
        })
    }

    /// What stands next before this offset; nothing at or behind it is looked at.
    pub(crate) fn next(&mut self, limit: u64) -> io::Result<Option<Item>> {
        let Some(SegmentHeader { salt, .. }) = self.header else { return Ok(None) };
        let offset = self.offset;
        if offset >= limit {
            return Ok(None);
        }
        let mut reason = DamageReason::Short;
        if let Some(bytes) = self.bytes(offset, FRAME_HEADER as u64, limit)? {
            match FrameHeader::decode(&bytes, salt) {
                None => reason = DamageReason::FrameHeader,
                Some(header) => {
                    let start = offset + FRAME_HEADER as u64;
                    if let Some(payload) = self.bytes(start, u64::from(header.length), limit)? {
                        self.offset = start + u64::from(header.length);
                        return Ok(Some(Item::Frame { header, offset, payload }));
                    }
                }
            }
        }
        self.offset = self.find_frame(offset + 1, limit, salt)?;
        Ok(Some(Item::Fault { offset, reason }))
    }

    /// Goes back into the frame at this offset, whose records are broken, for what begins inside it: where a file has lost bytes
    /// within a frame, the length that its header names reaches over the frames behind it, and over what is appended later.
    pub(crate) fn look_inside(&mut self, offset: u64, limit: u64) -> io::Result<()> {
        if let Some(SegmentHeader { salt, .. }) = self.header {
            self.offset = self.find_frame(offset + 1, limit, salt)?;
        }
        Ok(())
    }

    /// Where the next whole frame header is, or the limit.
    fn find_frame(&mut self, mut from: u64, limit: u64, salt: u64) -> io::Result<u64> {
        while from + FRAME_HEADER as u64 <= limit {
            let length = CHUNK.min(limit - from);
            let Some(bytes) = self.bytes(from, length, limit)? else { return Ok(limit) };
            let found = bytes
                .windows(FRAME_HEADER)
                .position(|window| window.starts_with(&FRAME_MAGIC) && FrameHeader::decode(window, salt).is_some());
            match found {
                Some(at) => return Ok(from + at as u64),
                None => from += length - FRAME_HEADER as u64 + 1,
            }
        }
        Ok(limit)
    }

    /// These bytes, or `None` if they end behind the limit or the file.
    fn bytes(&mut self, offset: u64, length: u64, limit: u64) -> io::Result<Option<Bytes>> {
        let Some(end) = offset.checked_add(length).filter(|end| *end <= limit) else { return Ok(None) };
        if offset < self.chunk_at || end > self.chunk_at + self.chunk.len() as u64 {
            let wanted = length.max(CHUNK.min(limit - offset));
            let mut chunk = Vec::with_capacity(wanted as usize);
            self.file.seek(SeekFrom::Start(offset))?;
            (&mut self.file).take(wanted).read_to_end(&mut chunk)?;
            self.chunk = Bytes::from(chunk);
            self.chunk_at = offset;
            if (self.chunk.len() as u64) < length {
                return Ok(None);
            }
        }
        let start = (offset - self.chunk_at) as usize;
        Ok(Some(self.chunk.slice(start..start + length as usize)))
    }
}
