//! How far files were read, across restarts.
//!
//! A file is known by device and inode, and by a checksum of its first bytes and of those before the place that was
//! reached: so neither a new file that got the inode of an old one, nor one that was emptied and filled again, nor the
//! copy that a rotation made is taken for something that it is not.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::Failure;

/// Bytes at either end that are looked at.
const EDGE: u64 = 512;
/// A copy is only known as one when at least so many bytes of it were read.
const SURE: u64 = 64;
/// Files that are remembered at most; the ones not seen for longest go first.
const MOST: usize = 20_000;

/// What a file is to the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata, _: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Where files have no number, their name stands for it: rotation by renaming is not followed there.
    #[cfg(not(unix))]
    pub(super) fn of(_: &Metadata, path: &Path) -> Self {
        Self { device: 0, inode: u64::from(crc32fast::hash(path.to_string_lossy().as_bytes())) }
    }
}

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// Bytes that were read.
    pub(super) offset: u64,
    /// Of the bytes at either end of them.
    checksum: u32,
}

impl Mark {
    /// The mark at this place of a file.
    pub(super) fn at(file: &mut File, offset: u64) -> io::Result<Self> {
        let edge = offset.min(EDGE);
        let mut bytes = vec![0; edge as usize * 2];
        let (head, tail) = bytes.split_at_mut(edge as usize);
        file.seek(SeekFrom::Start(0))?;
        file.read_exact(head)?;
        file.seek(SeekFrom::Start(offset - edge))?;
        file.read_exact(tail)?;
        Ok(Self { offset, checksum: crc32fast::hash(&bytes) })
    }

    /// Whether the file still has what was read of it.
    pub(super) fn fits(self, file: &mut File) -> bool {
        Self::at(file, self.offset).is_ok_and(|mark| mark == self)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    identity: Identity,
    #[serde(flatten)]
    mark: Mark,
    /// Where it was last, for whoever reads this file.
    path: PathBuf,
}

/// All places, and the file that they are kept in.
#[derive(Debug)]
pub(super) struct Checkpoint {
    file: PathBuf,
    /// The longest known first.
    entries: Vec<Entry>,
    /// There was none before.
    pub(super) fresh: bool,
}

impl Checkpoint {
    pub(super) fn load(file: &Path) -> Result<Self, Failure> {
        let failed = |why: String| Failure(format!("{}: {why}", file.display()));
        let (entries, fresh) = match fs::read(file) {
            Ok(bytes) => (serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?, false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), true),
            Err(error) => return Err(failed(error.to_string())),
        };
        Ok(Self { file: file.to_owned(), entries, fresh })
    }

    pub(super) fn set(&mut self, identity: Identity, mark: Mark, path: &Path) {
        self.entries.retain(|entry| entry.identity != identity);
        self.entries.push(Entry { identity, mark, path: path.to_owned() });
        if self.entries.len() > MOST {
            self.entries.remove(0);
        }
    }

    /// The place of this very file, if it is still what it was.
    pub(super) fn of(&self, identity: Identity, file: &mut File) -> Option<Mark> {
        let entry = self.entries.iter().find(|entry| entry.identity == identity)?;
        entry.mark.fits(file).then_some(entry.mark)
    }

    /// The place in another file of which this one is a copy.
    pub(super) fn of_original(&self, file: &mut File) -> Option<Mark> {
        let long = self.entries.iter().rev().filter(|entry| entry.mark.offset >= SURE);
        long.map(|entry| entry.mark).find(|mark| mark.fits(file))
    }

    /// Writes the file anew, whole or not at all.
    pub(super) fn save(&mut self) -> Result<(), Failure> {
        self.fresh = false;
        let failed = |error: &dyn std::fmt::Display| Failure(format!("{}: {error}", self.file.display()));
        let bytes = serde_json::to_vec(&self.entries).map_err(|error| failed(&error))?;
        let aside = self.file.with_extension("new");
        let write = || -> io::Result<()> {
            let mut file = File::create(&aside)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&aside, &self.file)
        };
        write().map_err(|error| failed(&error))
    }
}
