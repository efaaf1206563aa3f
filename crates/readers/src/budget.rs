//! How much a compressed input may come to: a small file that unpacks into more than anyone can store is no log.
//!
//! What is read from disk and what comes out of decompressors, at all levels together, are counted for each unit of
//! work. Beyond a generous floor the one must not be hundreds of times the other.

use std::{
    cell::Cell,
    io::{self, Read},
    rc::Rc,
};

use crate::ReadOptions;

/// What one unit of work has taken in and unpacked so far.
#[derive(Debug)]
pub(crate) struct Budget {
    fed: Cell<u64>,
    unpacked: Cell<u64>,
    members: Cell<u64>,
    floor: u64,
    ratio: u64,
    most_members: u64,
}

impl Budget {
    pub(crate) fn new(options: &ReadOptions) -> Rc<Self> {
        Rc::new(Self {
            fed: Cell::new(0),
            unpacked: Cell::new(0),
            members: Cell::new(0),
            floor: options.max_unpacked,
            ratio: options.max_ratio,
            most_members: options.max_members,
        })
    }

    /// Bytes were read from the input itself.
    pub(crate) fn feed(&self, bytes: u64) {
        self.fed.set(self.fed.get().saturating_add(bytes));
    }

    /// Why no more may be unpacked; `None` while it may.
    pub(crate) fn exceeded(&self) -> Option<String> {
        let limit = self.floor.max(self.fed.get().saturating_mul(self.ratio));
        if self.unpacked.get() > limit {
            return Some(format!(
                "it unpacks to more than {limit} bytes, over {} times its size; the rest is left out",
                self.ratio
            ));
        }
        (self.members.get() > self.most_members)
            .then(|| format!("it holds more than {} members; the rest is left out", self.most_members))
    }

    /// One more member of an archive.
    pub(crate) fn member(&self) {
        self.members.set(self.members.get() + 1);
    }
}

/// Counts what is read from the input itself.
pub(crate) struct Fed<R>(pub(crate) R, pub(crate) Rc<Budget>);

impl<R: Read> Read for Fed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.feed(read as u64);
        Ok(read)
    }
}

/// Counts what comes out of a decompressor, and ends it with an error once that is too much.
pub(crate) struct Unpacked<R>(pub(crate) R, pub(crate) Rc<Budget>);

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(why) = self.1.exceeded() {
            return Err(io::Error::other(why));
        }
        let read = self.0.read(buffer)?;
        self.1.unpacked.set(self.1.unpacked.get().saturating_add(read as u64));
        Ok(read)
    }
}

/// A stream that ends with an error that was met when its beginning was looked at.
pub(crate) struct Broken(pub(crate) Option<io::Error>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
