//! Events of a whole data set in order of their time, in bounded memory.
//!
//! Up to a budget they are sorted in memory; beyond it sorted runs go to temporary files and are merged as they are
//! read. Events of one time keep the order in which they were read; an event without a time keeps its place behind the
//! one that was read before it.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write},
    ops::ControlFlow,
};

use lurcher_readers::RecordForm;
use lurcher_schema::Timestamp;

/// Bytes of events that are held in memory.
pub(super) const MEMORY: usize = 256 << 20;

/// Runs that are open at a time; more are merged into one first.
const RUNS: usize = 64;

/// An event, and what is told of it beside its text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    /// Where it goes in the order: its time, or that of the event before it.
    at: i64,
    /// How many were read before it.
    number: u64,
    pub(super) form: RecordForm,
    pub(super) time: Option<Timestamp>,
    pub(super) text: String,
    pub(super) dialect: String,
    /// The index that its documents lie in at Elastic's.
    pub(super) index: String,
    pub(super) sourcetype: String,
    pub(super) source: String,
}

impl Item {
    fn size(&self) -> usize {
        self.texts().iter().map(|text| text.len()).sum::<usize>() + size_of::<Self>()
    }

    fn texts(&self) -> [&String; 5] {
        [&self.text, &self.dialect, &self.index, &self.sourcetype, &self.source]
    }

    fn place(&self) -> (i64, u64) {
        (self.at, self.number)
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let form = match self.form {
            RecordForm::Json => 0_u8,
            RecordForm::Xml => 1,
            RecordForm::Line => 2,
        };
        out.write_all(&self.at.to_le_bytes())?;
        out.write_all(&self.number.to_le_bytes())?;
        out.write_all(&[form, u8::from(self.time.is_some())])?;
        out.write_all(&self.time.unwrap_or_default().0.to_le_bytes())?;
        for text in self.texts() {
            out.write_all(&(text.len() as u64).to_le_bytes())?;
            out.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    /// The next item of a run; `None` at its end.
    fn read(source: &mut impl Read) -> io::Result<Option<Self>> {
        let mut first = [0; 8];
        if let Err(error) = source.read_exact(&mut first) {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
        }
        let mut eight = || -> io::Result<[u8; 8]> {
            let mut bytes = [0; 8];
            source.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        let number = u64::from_le_bytes(eight()?);
        let mut flags = [0; 2];
        source.read_exact(&mut flags)?;
        let mut time = [0; 8];
        source.read_exact(&mut time)?;
        let mut text = || -> io::Result<String> {
            let mut length = [0; 8];
            source.read_exact(&mut length)?;
            let mut bytes = vec![0; u64::from_le_bytes(length) as usize];
            source.read_exact(&mut bytes)?;
            String::from_utf8(bytes).map_err(io::Error::other)
        };
        Ok(Some(Self {
            at: i64::from_le_bytes(first),
            number,
            form: match flags[0] {
                0 => RecordForm::Json,
                1 => RecordForm::Xml,
                _ => RecordForm::Line,
            },
            time: (flags[1] != 0).then_some(Timestamp(i64::from_le_bytes(time))),
            text: text()?,
            dialect: text()?,
            index: text()?,
            sourcetype: text()?,
            source: text()?,
        }))
    }
}

/// What is told of an event, on its way into the order.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) dialect: String,
    pub(super) index: String,
    pub(super) sourcetype: String,
    pub(super) source: String,
}

/// Takes events in any order.
#[derive(Debug)]
pub(super) struct Sorter {
    memory: Vec<Item>,
    bytes: usize,
    budget: usize,
    runs: Vec<File>,
    count: u64,
    before: i64,
    span: Option<(Timestamp, Timestamp)>,
}

impl Sorter {
    pub(super) fn new(budget: usize) -> Self {
        Self { memory: Vec::new(), bytes: 0, budget, runs: Vec::new(), count: 0, before: i64::MIN, span: None }
    }

    /// Another file begins: events without a time do not follow those of the one before.
    pub(super) fn next_file(&mut self) {
        self.before = i64::MIN;
    }

    pub(super) fn add(&mut self, form: RecordForm, time: Option<Timestamp>, text: &str, told: Told) -> io::Result<()> {
        let at = time.map_or(self.before, |time| time.0);
        self.before = at;
        if let Some(time) = time {
            let (first, last) = self.span.unwrap_or((time, time));
            self.span = Some((first.min(time), last.max(time)));
        }
        let Told { dialect, index, sourcetype, source } = told;
        let number = self.count;
        let item = Item { at, number, form, time, text: text.to_owned(), dialect, index, sourcetype, source };
        self.count += 1;
        self.bytes += item.size();
        self.memory.push(item);
        if self.bytes > self.budget {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        self.memory.sort_unstable_by_key(Item::place);
        let mut out = BufWriter::new(tempfile::tempfile()?);
        for item in self.memory.drain(..) {
            item.write(&mut out)?;
        }
        self.bytes = 0;
        self.runs.push(out.into_inner().map_err(io::IntoInnerError::into_error)?);
        if self.runs.len() >= RUNS {
            let mut merged = BufWriter::new(tempfile::tempfile()?);
            merge(&mut self.runs, &mut |item| item.write(&mut merged).map(|()| ControlFlow::Continue(())))?;
            self.runs = vec![merged.into_inner().map_err(io::IntoInnerError::into_error)?];
        }
        Ok(())
    }

    /// All of them, in order.
    pub(super) fn finish(mut self) -> io::Result<Sorted> {
        if self.runs.is_empty() {
            self.memory.sort_unstable_by_key(Item::place);
        } else {
            self.spill()?;
        }
        Ok(Sorted { memory: self.memory, runs: self.runs, count: self.count, span: self.span })
    }
}

/// Events in order of time.
#[derive(Debug)]
pub(super) struct Sorted {
    memory: Vec<Item>,
    runs: Vec<File>,
    /// How many there are.
    pub(super) count: u64,
    /// The first and the last time; `None` if no event has one.
    pub(super) span: Option<(Timestamp, Timestamp)>,
}

impl Sorted {
    /// Calls `each` for every event in order until it breaks off.
    pub(super) fn each(&mut self, each: &mut dyn FnMut(&Item) -> io::Result<ControlFlow<()>>) -> io::Result<()> {
        for item in &self.memory {
            if each(item)?.is_break() {
                return Ok(());
            }
        }
        merge(&mut self.runs, each)
    }
}

fn merge(runs: &mut [File], each: &mut dyn FnMut(&Item) -> io::Result<ControlFlow<()>>) -> io::Result<()> {
    let mut sources = Vec::with_capacity(runs.len());
    for run in runs {
        run.seek(SeekFrom::Start(0))?;
        sources.push(BufReader::new(run));
    }
    let mut next: Vec<Option<Item>> = Vec::with_capacity(sources.len());
    let mut heap = BinaryHeap::new();
    for (at, source) in sources.iter_mut().enumerate() {
        let item = Item::read(source)?;
        heap.extend(item.as_ref().map(|item| Reverse((item.place(), at))));
        next.push(item);
    }
    while let Some(Reverse((_, at))) = heap.pop() {
        let Some(item) = next.get_mut(at).and_then(Option::take) else { continue };
        if each(&item)?.is_break() {
            return Ok(());
        }
        let item = Item::read(&mut sources[at])?;
        heap.extend(item.as_ref().map(|item| Reverse((item.place(), at))));
        next[at] = item;
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An event of twelve and a half seconds after 1970.
    pub(in crate::replay) fn item(form: RecordForm, dialect: &str, text: &str) -> Item {
        let time = Timestamp(12_500_000);
        Item {
            at: time.0,
            number: 0,
            form,
            time: Some(time),
            text: text.to_owned(),
            dialect: dialect.to_owned(),
            index: String::new(),
            sourcetype: String::new(),
            source: String::new(),
        }
    }

    fn order(budget: usize, times: &[Option<i64>]) -> Vec<(Option<i64>, String)> {
        let mut sorter = Sorter::new(budget);
        for (number, time) in times.iter().enumerate() {
            if number == times.len() / 2 {
                sorter.next_file();
            }
            sorter.add(RecordForm::Line, time.map(Timestamp), &number.to_string(), Told::default()).unwrap();
        }
        let mut sorted = sorter.finish().unwrap();
        assert_eq!(sorted.count, times.len() as u64);
        let mut out = Vec::new();
        for _ in 0..2 {
            out.clear();
            let mut each = |item: &Item| {
                out.push((item.time.map(|time| time.0), item.text.clone()));
                Ok(ControlFlow::Continue(()))
            };
            sorted.each(&mut each).unwrap();
        }
        out
    }

    #[test]
    fn the_order_is_the_same_in_memory_and_on_disk() {
        let times: Vec<Option<i64>> = (0..1000).map(|n| (n % 7 != 3).then_some(n * 7919 % 100)).collect();
        let in_memory = order(usize::MAX, &times);
        let mut expected: Vec<i64> = times.iter().flatten().copied().collect();
        expected.sort_unstable();
        assert_eq!(in_memory.iter().filter_map(|event| event.0).collect::<Vec<_>>(), expected);
        for budget in [1, 1000, 20_000] {
            assert_eq!(order(budget, &times), in_memory, "{budget}");
        }
    }

    #[test]
    fn what_has_no_time_keeps_its_place() {
        let texts: Vec<String> =
            order(usize::MAX, &[Some(5), None, Some(1), None]).into_iter().map(|event| event.1).collect();
        assert_eq!(texts, ["2", "3", "0", "1"]);
        let texts: Vec<String> =
            order(usize::MAX, &[Some(5), Some(6), None]).into_iter().map(|event| event.1).collect();
        assert_eq!(texts, ["0", "1", "2"]);
    }
}
