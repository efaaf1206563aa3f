//! Units of work: what one thread reads at a time.
//!
//! A large file is cut into pieces at fixed places; a line, XML event or EVTX chunk belongs to the piece that it begins
//! in. A member of a zip archive is a unit of its own. Whatever else is one unit.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use lurcher_schema::{Event, EventBatch};

use crate::{
    Input, Original, Problem, ReadOptions, Report,
    container::{head, open_zip},
    detect::{Kind, detect},
    evtx,
    original::Tap,
    reader::Reader,
    text::Extent,
    window::Window,
};

/// A file, a member of a zip archive, or a piece of a large file; can be read on its own, on any thread.
#[derive(Clone, Debug)]
pub struct Unit {
    input: Input,
    part: Part,
    bytes: u64,
}

#[derive(Clone, Debug)]
enum Part {
    Whole,
    /// A member of a zip archive, by its number.
    Member(usize),
    /// Chunks of an EVTX file, from the first up to the second.
    Chunks(u64, u64),
    /// A piece of a text file, by its number.
    Piece(Arc<Pieces>, usize),
}

/// A text file in pieces.
#[derive(Debug)]
struct Pieces {
    path: PathBuf,
    kind: Kind,
    size: u64,
    /// Line ends in each piece, once they have been counted.
    lines: Vec<OnceLock<u64>>,
}

/// Cuts inputs into units. Their order is stable: that of the inputs, then that of the places in the file.
///
/// Each file's first bytes are looked at; what cannot be opened is in the report. Nothing else is read.
pub fn units(inputs: &[Input], options: &ReadOptions) -> (Vec<Unit>, Report) {
    let mut units = Vec::new();
    let mut report = Report::default();
    for input in inputs {
        match input {
            Input::Stdin => units.push(Unit { input: input.clone(), part: Part::Whole, bytes: 0 }),
            Input::File(path) => {
                if let Err(error) = cut(input, path, options, &mut units) {
                    report.problem(Problem::error("unreadable", input.name(), error.to_string()));
                }
            }
        }
    }
    (units, report)
}

fn cut(input: &Input, path: &PathBuf, options: &ReadOptions, units: &mut Vec<Unit>) -> io::Result<()> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut add = |part, bytes| units.push(Unit { input: input.clone(), part, bytes });
    let piece = options.piece_bytes.max(evtx::CHUNK);
    let (head, error) = head(&mut file);
    if let Some(error) = error {
        return Err(error);
    }
    match detect(&head) {
        Kind::Zip => {
            file.seek(SeekFrom::Start(0))?;
            // An archive that cannot be opened says why when it is read.
            match open_zip(file) {
                Ok(archive) if !archive.is_empty() => {
                    let members = archive.len();
                    (0..members).for_each(|index| add(Part::Member(index), length / members as u64));
                }
                _ => add(Part::Whole, length),
            }
        }
        Kind::Evtx if length > piece => {
            let chunks = length.saturating_sub(evtx::HEADER).div_ceil(evtx::CHUNK);
            let step = piece / evtx::CHUNK;
            let mut first = 0;
            while first < chunks {
                let end = (first + step).min(chunks);
                add(Part::Chunks(first, end), (end - first) * evtx::CHUNK);
                first = end;
            }
        }
        kind if kind.is_cuttable_text() && length > piece => {
            let count = length.div_ceil(piece) as usize;
            let lines = (0..count).map(|_| OnceLock::new()).collect();
            let pieces = Arc::new(Pieces { path: path.clone(), kind, size: piece, lines });
            (0..count).for_each(|index| add(Part::Piece(Arc::clone(&pieces), index), length / count as u64));
        }
        _ => add(Part::Whole, length),
    }
    Ok(())
}

impl Unit {
    /// The path of its input, as the user gave it.
    pub fn name(&self) -> String {
        self.input.name()
    }

    /// How many bytes of its file it stands for, about, as they lie on disk; 0 for standard input. For progress.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads it and hands over the text that each event was read from, in the order of the file.
    pub fn read_originals(&self, options: &ReadOptions, each: &mut dyn FnMut(&Original<'_>)) -> Report {
        let mut no_batch = |_| {};
        let mut reader = Reader::new(self.input.name(), options, &mut no_batch);
        reader.rows.tap = Some(Tap::new(each));
        self.read_into(reader)
    }

    /// Reads it. Batches come in no particular order of shapes; the events of one shape come in the order of the file.
    pub fn read(&self, options: &ReadOptions, sink: &mut dyn FnMut(EventBatch)) -> Report {
        self.read_into(Reader::new(self.input.name(), options, sink))
    }

    fn read_into(&self, mut reader: Reader<'_>) -> Report {
        let done = match &self.input {
            Input::Stdin => {
                reader.stream(&mut io::stdin().lock(), 0);
                Ok(())
            }
            Input::File(path) => File::open(path).and_then(|file| self.part.read(file, &mut reader)),
        };
        if let Err(error) = done {
            reader.problem("unreadable", "", error.to_string());
        }
        reader.finish()
    }
}

impl Part {
    fn read(&self, mut file: File, reader: &mut Reader<'_>) -> io::Result<()> {
        match self {
            Self::Whole => reader.stream(&mut file, 0),
            Self::Member(index) => match open_zip(file) {
                Ok(mut archive) => reader.zip_member(&mut archive, *index, 0),
                Err(error) => reader.problem("archive", "", error.to_string()),
            },
            Self::Chunks(first, end) => {
                file.seek(SeekFrom::Start(evtx::HEADER + first * evtx::CHUNK))?;
                reader.evtx(&mut file, *first, Some(*end));
            }
            Self::Piece(pieces, index) => pieces.read(*index, &mut file, reader)?,
        }
        Ok(())
    }
}

impl Pieces {
    fn read(&self, index: usize, file: &mut File, reader: &mut Reader<'_>) -> io::Result<()> {
        let mut start = index as u64 * self.size;
        let mut extent = Extent { end: Some(start + self.size), ..Extent::WHOLE };
        if self.kind == Kind::Xml {
            file.seek(SeekFrom::Start(start))?;
            reader.xml(&mut Window::new(file, start), extent);
            return Ok(());
        }
        for before in 0..index {
            extent.line += self.lines_of(before)?;
        }
        if start > 0 {
            // The line that the piece begins in belongs to the one before, unless it begins right here.
            start -= 1;
            file.seek(SeekFrom::Start(start))?;
            let skipped = skip_line(file)?;
            start += skipped;
            // The first byte belongs to the piece before and was counted there.
            extent.line += u64::from(skipped > 1);
        }
        file.seek(SeekFrom::Start(start))?;
        reader.json_lines(&mut Window::new(file, start), extent);
        Ok(())
    }

    /// How many lines end in a piece. Counted once, by whoever needs it first.
    fn lines_of(&self, index: usize) -> io::Result<u64> {
        if let Some(lines) = self.lines[index].get() {
            return Ok(*lines);
        }
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(index as u64 * self.size))?;
        let mut rest = file.take(self.size);
        let mut buffer = vec![0; 256 << 10];
        let mut lines = 0;
        loop {
            match rest.read(&mut buffer)? {
                0 => break,
                read => lines += memchr::memchr_iter(b'\n', &buffer[..read]).count() as u64,
            }
        }
        Ok(*self.lines[index].get_or_init(|| lines))
    }
}

/// Reads to behind the next line end; returns how many bytes that is.
fn skip_line(file: &mut File) -> io::Result<u64> {
    let mut buffer = [0; 4096];
    let mut skipped = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if let Some(end) = memchr::memchr(b'\n', &buffer[..read]) {
            return Ok(skipped + end as u64 + 1);
        }
        skipped += read as u64;
        if read == 0 {
            return Ok(skipped);
        }
    }
}

/// Reads one input whole, on this thread.
pub fn read(input: &Input, options: &ReadOptions, sink: &mut dyn FnMut(EventBatch)) -> Report {
    let (units, mut report) = units(std::slice::from_ref(input), options);
    for unit in &units {
        report.merge(unit.read(options, sink));
    }
    report.sort();
    report
}

/// Reads a stream, whatever is in it, under a name that events and problems show for it.
pub fn read_stream(
    name: &str,
    source: &mut dyn Read,
    options: &ReadOptions,
    sink: &mut dyn FnMut(EventBatch),
) -> Report {
    let mut reader = Reader::new(name.to_owned(), options, sink);
    reader.stream(source, 0);
    reader.finish()
}

/// Finds the events with this record number (see [`lurcher_schema::EventRef::record`]) in an input. `member` narrows
/// the search to one member of an archive: the part of the event's path after `!`.
pub fn read_one(input: &Input, member: Option<&str>, record: u64, options: &ReadOptions) -> (Vec<Event>, Report) {
    let path = member.map(|member| format!("{}!{member}", input.name()));
    let mut found = Vec::new();
    let report = read(input, options, &mut |batch| {
        if path.as_ref().is_some_and(|path| *path != batch.origin().path) {
            return;
        }
        for row in 0..batch.rows() {
            if batch.reference(row).record == record {
                found.push(batch.event(row));
            }
        }
    });
    found.sort_by(|a: &Event, b: &Event| a.reference.cmp(&b.reference));
    (found, report)
}
