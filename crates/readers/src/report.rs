//! What reading came to: counts, what was skipped, and what went wrong where.
//!
//! Reading never fails as a whole. One bad record never stops a file, one bad file never stops a sweep; each fault is
//! a [`Problem`] that names file and place. The list stays short however bad the input is: faults of one kind in one
//! file are counted beyond the first few.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// How many faults of one kind in one file are named one by one before the rest is only counted.
const NAMED: usize = 5;

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gravity {
    /// Events were lost: something could not be read.
    Error,
    /// All was read, but not all of it as it stands (bytes that are no UTF-8 were replaced).
    Warning,
    /// Worth knowing (a dialect that is not known was read as it is).
    Note,
}

/// One thing that went wrong, or several of one kind in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A stable, readable name such as `evtx-record`.
    pub code: &'static str,
    /// How bad it is.
    pub gravity: Gravity,
    /// The path as the user gave it; a member of an archive as `a.zip!b.json`.
    pub path: String,
    /// Where in the file (`line 12`, `byte 4096`, `chunk 3, record 17`); empty if it is the file as a whole.
    pub place: String,
    /// One sentence, lower case, without a full stop.
    pub message: String,
    /// The way out, if there is one.
    pub help: Option<&'static str>,
    /// How many faults this stands for: 1, or more for the last one named of its kind and file.
    pub count: u64,
}

impl Problem {
    /// Something could not be read.
    pub fn error(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            gravity: Gravity::Error,
            path: path.into(),
            place: String::new(),
            message: message.into(),
            help: None,
            count: 1,
        }
    }

    /// The same with another gravity.
    #[must_use]
    pub fn as_bad_as(mut self, gravity: Gravity) -> Self {
        self.gravity = gravity;
        self
    }

    /// Says where in the file.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = place.into();
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }
}

/// `a.zip!b.json: line 12: message (and 3 more like it)`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)?;
        if self.count > 1 {
            write!(f, " (and {} more like it)", self.count - 1)?;
        }
        Ok(())
    }
}

/// Something that holds no events that Lurcher can read, and was left out. Not an error.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// The path, as in [`Problem::path`].
    pub path: String,
    /// Why, in a few words: `unrecognised format`, `network capture (pcapng)`.
    pub reason: String,
    /// How many lines, if it was read by lines; else 0.
    pub lines: u64,
}

/// What reading one unit, one file or a whole sweep came to. Reports of parts add up with [`Report::merge`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Events handed over.
    pub events: u64,
    /// Bytes read, after decompression.
    pub bytes: u64,
    /// Events by dialect.
    pub dialects: BTreeMap<String, u64>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
    /// What went wrong.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Adds a fault; beyond the first few of its kind in its file it is only counted.
    pub fn problem(&mut self, problem: Problem) {
        let mut same = 0;
        let mut last = None;
        for (at, known) in self.problems.iter().enumerate().rev() {
            if known.code == problem.code && known.path == problem.path {
                same += 1;
                last = last.or(Some(at));
                if known.place == problem.place && known.message == problem.message {
                    last = Some(at);
                    same = NAMED;
                    break;
                }
            }
        }
        match last {
            Some(at) if same >= NAMED => {
                // A note is about the file as a whole: its parts all say the same.
                if problem.gravity != Gravity::Note {
                    self.problems[at].count += problem.count;
                }
            }
            _ => self.problems.push(problem),
        }
    }

    /// Adds something that was left out.
    pub fn skip(&mut self, skipped: Skipped) {
        match self.skipped.iter_mut().rev().find(|s| s.path == skipped.path && s.reason == skipped.reason) {
            Some(known) => known.lines += skipped.lines,
            None => self.skipped.push(skipped),
        }
    }

    /// Adds the report of another part. The order of the parts does not matter once [`Report::sort`] is called.
    pub fn merge(&mut self, other: Report) {
        self.events += other.events;
        self.bytes += other.bytes;
        for (dialect, events) in other.dialects {
            *self.dialects.entry(dialect).or_default() += events;
        }
        for skipped in other.skipped {
            self.skip(skipped);
        }
        for problem in other.problems {
            self.problem(problem);
        }
    }

    /// Puts problems and skipped files in order of path.
    pub fn sort(&mut self) {
        self.problems.sort_by(|a, b| a.path.cmp(&b.path));
        self.skipped.sort();
    }

    /// How many faults lost events.
    pub fn errors(&self) -> u64 {
        self.problems.iter().filter(|p| p.gravity == Gravity::Error).map(|p| p.count).sum()
    }

    /// The files (or members) with faults that lost events.
    pub fn damaged(&self) -> BTreeSet<&str> {
        self.problems.iter().filter(|p| p.gravity == Gravity::Error).map(|p| p.path.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_one_kind_are_counted_beyond_the_first_few() {
        let mut report = Report::default();
        for line in 1..=100 {
            report.problem(Problem::error("json-syntax", "a.json", "no JSON").at(format!("line {line}")));
        }
        report.problem(Problem::error("json-syntax", "b.json", "no JSON").at("line 1"));
        assert_eq!(report.problems.len(), NAMED + 1);
        assert_eq!(report.errors(), 101);
        assert_eq!(report.problems[NAMED - 1].to_string(), "a.json: line 5: no JSON (and 95 more like it)");
    }

    #[test]
    fn parts_of_a_file_make_one_note() {
        let note = || Problem::error("unknown-dialect", "a", "unknown").as_bad_as(Gravity::Note);
        let mut report = Report::default();
        report.problem(note());
        let mut other = Report::default();
        other.problem(note());
        report.merge(other);
        assert_eq!(report.problems, [note()]);
    }
}
