//! Files dropped into a folder, each read once as a whole when it has stopped growing.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fs::{File, Metadata},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use lurcher_journal::Record;

use super::{
    Options, Source,
    checkpoint::{Checkpoint, Identity, Mark},
    found,
};
use crate::{Failure, Reception, split::pieces};

/// Records that are handed over at a time.
const BATCH: usize = 5000;

/// What a file looked like at the last look: it is whole when that has not changed.
type Look = (u64, Option<SystemTime>);

/// Reads all files of one entry of the configuration.
pub(super) struct Whole {
    options: Options,
    reception: Reception,
    checkpoint: Checkpoint,
    stream: Arc<str>,
    looks: HashMap<Identity, Look>,
    /// Read already, or found to be unreadable, as they looked then.
    done: HashMap<Identity, Look>,
    /// What of the file that is being handed over is still to come.
    waiting: VecDeque<Record>,
    /// That file.
    current: Option<(Identity, Mark, PathBuf, Look)>,
}

impl Whole {
    pub(super) fn new(options: Options, checkpoint: Checkpoint, reception: Reception) -> Self {
        let stream = Arc::from(options.stream.as_str());
        Self {
            options,
            reception,
            checkpoint,
            stream,
            looks: HashMap::new(),
            done: HashMap::new(),
            waiting: VecDeque::new(),
            current: None,
        }
    }

    /// Finds the next file that is whole and new, and reads it.
    fn next_file(&mut self) {
        let mut seen = HashSet::new();
        for path in found(&self.options) {
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            if !metadata.is_file() {
                continue;
            }
            let identity = Identity::of(&metadata, &path);
            seen.insert(identity);
            let look = look(&metadata);
            if self.done.get(&identity) == Some(&look) || self.looks.insert(identity, look) != Some(look) {
                continue;
            }
            match self.read(&path, identity, look) {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    self.reception.malformed(1);
                    tracing::warn!(path = %path.display(), %error, "a file cannot be read");
                }
            }
            self.done.insert(identity, look);
        }
        self.looks.retain(|identity, _| seen.contains(identity));
        self.done.retain(|identity, _| seen.contains(identity));
    }

    /// Reads a file; false if it was read before, by an earlier run.
    fn read(&mut self, path: &Path, identity: Identity, look: Look) -> io::Result<bool> {
        let mut file = File::open(path)?;
        if self.checkpoint.of(identity, &mut file).is_some_and(|mark| mark.offset == look.0) {
            return Ok(false);
        }
        let mark = Mark::at(&mut file, look.0)?;
        let bytes = contents(path, look.0, self.options.max_file_bytes)?;
        self.reception.bytes(look.0 as usize);
        let bytes = utf16(&bytes).unwrap_or(bytes);
        for piece in pieces(&bytes) {
            let long = piece.body.len() > self.options.max_line_bytes;
            self.reception.malformed(usize::from(long));
            let body = if long { piece.body[..self.options.max_line_bytes].to_vec() } else { piece.body.into_owned() };
            self.waiting.push_back(self.reception.record(&self.stream, piece.kind, Bytes::from(body)));
        }
        self.current = Some((identity, mark, path.to_owned(), look));
        Ok(true)
    }
}

impl Source for Whole {
    fn round(&mut self) -> Vec<Record> {
        if self.current.is_none() {
            self.next_file();
        }
        let count = self.waiting.len().min(BATCH);
        self.waiting.drain(..count).collect()
    }

    fn taken(&mut self) -> Result<(), Failure> {
        if !self.waiting.is_empty() {
            return Ok(());
        }
        let Some((identity, mark, path, look)) = self.current.take() else { return Ok(()) };
        self.done.insert(identity, look);
        self.checkpoint.set(identity, mark, &path);
        self.checkpoint.save()
    }
}

fn look(metadata: &Metadata) -> Look {
    (metadata.len(), metadata.modified().ok())
}

fn contents(path: &Path, size: u64, most: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?.take(size);
    let mut bytes = Vec::new();
    let read = if path.extension().is_some_and(|ending| ending == "gz") {
        MultiGzDecoder::new(file).take(most + 1).read_to_end(&mut bytes)?
    } else {
        file.take(most + 1).read_to_end(&mut bytes)?
    };
    if read as u64 > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {most} bytes")));
    }
    if bytes.starts_with(b"ElfFile\0") {
        let message = "event log files (EVTX) are not taken in live; export them as XML, or use `lurcher replay`";
        return Err(io::Error::new(io::ErrorKind::Unsupported, message));
    }
    Ok(bytes)
}

/// Text of Windows' exports, which begins with a byte order mark, as UTF-8.
fn utf16(bytes: &[u8]) -> Option<Vec<u8>> {
    let read: fn([u8; 2]) -> u16 = match bytes.get(..2)? {
        [0xff, 0xfe] => u16::from_le_bytes,
        [0xfe, 0xff] => u16::from_be_bytes,
        _ => return None,
    };
    let units = bytes[2..].chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
    let text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Some(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_of_windows_are_text() {
        assert_eq!(utf16(b"\xff\xfe<\0E\0").as_deref(), Some(&b"<E"[..]));
        assert_eq!(utf16(b"\xfe\xff\0<\0E").as_deref(), Some(&b"<E"[..]));
        assert_eq!(utf16(b"<E"), None);
    }
}
