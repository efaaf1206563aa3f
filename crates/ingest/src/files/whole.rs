//! Files dropped into a folder, each read once as a whole when it has stopped growing: event logs (EVTX), XML, JSON, tables,
//! logs, also in archives, by the readers that read files for every other command. Text that they do not know is taken line
//! by line.

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
use lurcher_journal::{Record, RecordKind};
use lurcher_readers::{Gravity, Input, Original, ReadOptions, RecordForm, Report, units};

use super::{
    Options, Source,
    checkpoint::{Checkpoint, Identity, Mark},
    found,
};
use crate::{Failure, Reception, document::one_line, split::pieces};

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
        if look.0 > self.options.max_file_bytes {
            return Err(too_large(self.options.max_file_bytes));
        }
        let mark = Mark::at(&mut file, look.0)?;
        self.reception.bytes(look.0 as usize);
        let read = self.events(path);
        if self.waiting.is_empty() {
            // Nothing that the readers know: lines, as they stand.
            match self.lines(path, look.0) {
                Err(_) if read.errors() > 0 => self.tell(&read),
                done => done?,
            }
        } else {
            self.tell(&read);
        }
        self.current = Some((identity, mark, path.to_owned(), look));
        Ok(true)
    }

    /// The events of a file of a known format, in archives too.
    fn events(&mut self, path: &Path) -> Report {
        let most = self.options.max_file_bytes;
        let options = ReadOptions {
            max_line: self.options.max_line_bytes,
            max_unpacked: most,
            max_ratio: 1,
            now: self.reception.now(),
            ..ReadOptions::default()
        };
        let (units, mut report) = units(&[Input::File(path.to_owned())], &options);
        let Self { reception, stream, waiting, .. } = self;
        for unit in &units {
            let each = &mut |original: &Original<'_>| {
                let kind = match original.form {
                    RecordForm::Json => RecordKind::Json,
                    RecordForm::Xml => RecordKind::Xml,
                    RecordForm::Line => RecordKind::Line,
                };
                let text = match kind {
                    RecordKind::Json => one_line(original.text),
                    _ => original.text.into(),
                };
                waiting.push_back(reception.record(stream, kind, Bytes::from(text.into_owned())));
            };
            report.merge(unit.read_originals(&options, each));
        }
        report
    }

    fn lines(&mut self, path: &Path, size: u64) -> io::Result<()> {
        let bytes = contents(path, size, self.options.max_file_bytes)?;
        let bytes = utf16(&bytes).unwrap_or(bytes);
        for piece in pieces(&bytes) {
            let long = piece.body.len() > self.options.max_line_bytes;
            self.reception.malformed(usize::from(long));
            let body = if long { piece.body[..self.options.max_line_bytes].to_vec() } else { piece.body.into_owned() };
            self.waiting.push_back(self.reception.record(&self.stream, piece.kind, Bytes::from(body)));
        }
        Ok(())
    }

    /// Names what of a file could not be read, and counts it.
    fn tell(&self, report: &Report) {
        for problem in report.problems.iter().filter(|problem| problem.gravity == Gravity::Error) {
            tracing::warn!(%problem, "a file is damaged: the rest of it was read");
        }
        for skipped in report.skipped.iter().filter(|skipped| skipped.lines > 0) {
            let (path, why, lines) = (&skipped.path, &skipped.reason, skipped.lines);
            tracing::warn!(path, lines, why, "lines of a file were left out");
        }
        let skipped: u64 = report.skipped.iter().map(|skipped| skipped.lines).sum();
        self.reception.malformed(usize::try_from(report.errors() + skipped).unwrap_or(usize::MAX));
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

fn too_large(most: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than max_file_bytes, {most}"))
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
        return Err(too_large(most));
    }
    if bytes.contains(&0) && utf16(&bytes).is_none() {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "it is of no known format, and no text"));
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
