//! Containers: from a stream to what is in it, as deep as it goes.
//!
//! A compressed file is just the file in it and keeps its path; a member of an archive is `a.zip!b.json`.

use std::{
    fs::File,
    io::{self, BufReader, Cursor, Read, Seek, SeekFrom},
    rc::Rc,
};

use encoding_rs_io::DecodeReaderBytesBuilder;
use zip::ZipArchive;

use crate::{
    Problem,
    budget::{Broken, Fed, Unpacked},
    detect::{HEAD, Kind, Order, detect},
    evtx,
    reader::{Reader, member_path},
    text::Extent,
    window::Window,
};

/// Containers in containers, at most.
const DEPTH: usize = 8;

/// An archive inside a stream is kept in memory up to this size, and in a temporary file beyond it: its table of
/// contents is at its end.
const IN_MEMORY: usize = 64 << 20;

/// Reads the beginning of a stream.
pub(crate) fn head(source: &mut dyn Read) -> (Vec<u8>, Option<io::Error>) {
    let mut head = Vec::with_capacity(HEAD);
    let error = source.take(HEAD as u64).read_to_end(&mut head).err();
    (head, error)
}

impl Reader<'_> {
    /// Reads a stream, whatever is in it.
    pub(crate) fn stream(&mut self, source: &mut dyn Read, depth: usize) {
        if depth == 0 {
            let mut source = Fed(source, Rc::clone(&self.budget));
            return self.stream_below(&mut source, depth);
        }
        self.stream_below(source, depth);
    }

    fn stream_below(&mut self, mut source: &mut dyn Read, depth: usize) {
        if depth > DEPTH {
            return self.problem("nested-too-deep", "", format!("containers are nested deeper than {DEPTH}"));
        }
        let (head, error) = head(&mut source);
        let kind = detect(&head);
        // Whoever reads on meets the error and says so, once.
        if let Some(error) = &error
            && matches!(kind, Kind::Empty | Kind::Unsupported(_) | Kind::NoEvents(_))
        {
            let place = format!("byte {}", head.len());
            return self.problem("input-cut-off", place, format!("cannot be read further: {error}"));
        }
        let broken = error.is_some();
        let mut rest = Broken(error);
        let source: &mut dyn Read = if broken { &mut rest } else { source };
        let mut source = Cursor::new(head).chain(source);
        match kind {
            Kind::Empty => self.problem("empty-input", "", "the file is empty"),
            Kind::Gzip => {
                let inner = flate2::read::MultiGzDecoder::new(BufReader::with_capacity(HEAD, source));
                self.stream(&mut Unpacked(inner, Rc::clone(&self.budget)), depth + 1);
            }
            Kind::Bzip2 => {
                let inner = bzip2::read::MultiBzDecoder::new(BufReader::with_capacity(HEAD, source));
                self.stream(&mut Unpacked(inner, Rc::clone(&self.budget)), depth + 1);
            }
            Kind::Zstd => match zstd::stream::read::Decoder::new(source) {
                Ok(inner) => self.stream(&mut Unpacked(inner, Rc::clone(&self.budget)), depth + 1),
                Err(error) => self.problem("input-cut-off", "", format!("cannot be decompressed: {error}")),
            },
            Kind::Utf16(order) => {
                let encoding = match order {
                    Order::Little => Some(encoding_rs::UTF_16LE),
                    Order::Big => Some(encoding_rs::UTF_16BE),
                };
                let mut inner = DecodeReaderBytesBuilder::new().encoding(encoding).bom_override(true).build(source);
                self.stream(&mut inner, depth + 1);
            }
            Kind::Tar => self.tar(&mut source, depth),
            Kind::Zip => {
                let mut spool = tempfile::SpooledTempFile::new(IN_MEMORY);
                let copied = io::copy(&mut source, &mut spool).and_then(|_| spool.seek(SeekFrom::Start(0)));
                if let Err(error) = copied {
                    // Its table of contents is at its end.
                    return self.problem("input-cut-off", "", format!("cannot be read further: {error}"));
                }
                self.zip(spool, depth);
            }
            kind => self.events(kind, &mut source),
        }
    }

    /// Reads a stream that is no container.
    fn events(&mut self, kind: Kind, mut source: &mut dyn Read) {
        match kind {
            Kind::Evtx => match evtx::skip_header(&mut source) {
                Ok(evtx::HEADER) => self.evtx(source, 0, None),
                Ok(read) => self.problem("evtx-truncated", format!("byte {read}"), "the file ends in its header"),
                Err(error) => self.problem("input-cut-off", "byte 0", format!("cannot be read further: {error}")),
            },
            Kind::Xml => self.xml(&mut Window::new(source, 0), Extent::WHOLE),
            Kind::JsonLines => self.json_lines(&mut Window::new(source, 0), Extent::WHOLE),
            Kind::JsonDocuments => self.json_documents(&mut Window::new(source, 0)),
            Kind::Table(delimiter) => self.table(source, delimiter),
            Kind::Log(log) => self.log(log, &mut Window::new(source, 0)),
            Kind::OtherText => self.other_lines(&mut Window::new(source, 0)),
            Kind::Unsupported(what) => {
                let problem = Problem::error("unsupported-format", self.path(), format!("{what} files are not read"))
                    .with_help("unpack it, or convert it to EVTX, XML, JSON or CSV");
                self.report.problem(problem);
            }
            Kind::NoEvents(reason) => self.skip(reason, 0),
            Kind::Empty | Kind::Gzip | Kind::Zstd | Kind::Bzip2 | Kind::Zip | Kind::Tar | Kind::Utf16(_) => {}
        }
    }

    fn tar(&mut self, source: &mut dyn Read, depth: usize) {
        let mut archive = tar::Archive::new(source);
        let entries = match archive.entries() {
            Ok(entries) => entries,
            Err(error) => return self.problem("archive", "", error.to_string()),
        };
        for (index, entry) in entries.enumerate() {
            let mut entry = match entry {
                Ok(entry) => entry,
                // Where the next member begins is not known any more.
                Err(error) => return self.problem("archive", format!("member {index}"), error.to_string()),
            };
            if !entry.header().entry_type().is_file() {
                continue;
            }
            if self.is_spent() {
                return;
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            self.member(&name, &mut entry, depth);
        }
    }

    /// Counts a member, and says so if there have been too many, or too much in them.
    fn is_spent(&mut self) -> bool {
        self.budget.member();
        let Some(why) = self.budget.exceeded() else { return false };
        self.problem("archive-too-large", "", why);
        true
    }

    fn member(&mut self, name: &str, source: &mut dyn Read, depth: usize) {
        let outer = self.enter(member_path(self.path(), name));
        self.stream(source, depth + 1);
        self.enter(outer);
    }

    fn zip<R: Read + Seek>(&mut self, source: R, depth: usize) {
        let mut archive = match ZipArchive::new(source) {
            Ok(archive) => archive,
            Err(error) => return self.problem("archive", "", error.to_string()),
        };
        for index in 0..archive.len() {
            if self.is_spent() {
                return;
            }
            self.zip_member(&mut archive, index, depth);
        }
    }

    /// Reads one member of a zip archive.
    pub(crate) fn zip_member<R: Read + Seek>(&mut self, archive: &mut ZipArchive<R>, index: usize, depth: usize) {
        match archive.by_index(index) {
            Ok(member) if member.is_file() => {
                let name = member.name().map_or_else(|_| format!("member {index}"), std::borrow::Cow::into_owned);
                if depth == 0 {
                    self.budget.feed(member.compressed_size());
                }
                let budget = Rc::clone(&self.budget);
                self.member(&name, &mut Unpacked(member, budget), depth);
            }
            Ok(_) => {}
            Err(error) => self.problem("archive", format!("member {index}"), error.to_string()),
        }
    }
}

/// Opens a zip archive on disk.
pub(crate) fn open_zip(file: File) -> zip::result::ZipResult<ZipArchive<BufReader<File>>> {
    ZipArchive::new(BufReader::with_capacity(HEAD, file))
}
