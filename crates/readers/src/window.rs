//! A window over a stream: the bytes that are being looked at, with more behind them on demand.

use std::io::{self, Read};

const START: usize = 256 << 10;

/// Bytes of a stream from [`Window::offset`] on.
pub(crate) struct Window<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
    done: bool,
    error: Option<io::Error>,
}

impl<R: Read> Window<R> {
    /// A window at the beginning of a stream, whose first byte has this offset in its file.
    pub(crate) fn new(source: R, offset: u64) -> Self {
        Self { source, buffer: vec![0; START], start: 0, end: 0, offset, done: false, error: None }
    }

    /// What is in view.
    pub(crate) fn data(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Where the view begins in the file.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether nothing comes behind what is in view.
    pub(crate) fn done(&self) -> bool {
        self.done
    }

    /// What ended the stream early.
    pub(crate) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Whether the stream ended early.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.error.is_some()
    }

    /// Moves the beginning of the view on.
    pub(crate) fn consume(&mut self, bytes: usize) {
        let bytes = bytes.min(self.end - self.start);
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Brings more into view. Returns false if there is no more.
    pub(crate) fn fill(&mut self) -> bool {
        if self.done {
            return false;
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.done = true,
                Ok(read) => {
                    self.end += read;
                    return true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.error = Some(error);
                    self.done = true;
                }
            }
            return false;
        }
    }
}
