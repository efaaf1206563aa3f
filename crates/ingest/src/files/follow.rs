//! Files followed as they grow, through rotation by renaming and by copying, and through truncation.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use bytes::Bytes;
use lurcher_journal::Record;

use super::{
    From, Options, Source,
    checkpoint::{Checkpoint, Identity, Mark},
    found, packed,
};
use crate::{Failure, Reception, counters::Connected, split::line_piece};

/// Bytes that are read of one file in one round.
const CHUNK: usize = 1 << 20;
/// Bytes that one round reads of all files.
const ROUND: usize = 8 << 20;
/// A file that is gone is closed when it had nothing new for so many looks.
const QUIET: u32 = 10;

/// One open file.
struct Followed {
    path: PathBuf,
    file: File,
    mark: Mark,
    /// When it was changed last, as of the last look.
    modified: Option<SystemTime>,
    /// The rest of an overlong line is passed over.
    skipping: bool,
    /// Looks since there was something new.
    quiet: u32,
    /// No pattern finds it any more.
    gone: bool,
    _open: Connected,
}

/// What becomes of a file when the records of this round are taken.
struct Step {
    identity: Identity,
    mark: Mark,
    skipping: bool,
    close: bool,
}

/// What was read of one file.
struct Cut {
    lines: Vec<Bytes>,
    /// Bytes that are done with.
    done: usize,
    skipping: bool,
    overlong: usize,
}

/// Follows all files of one entry of the configuration.
pub(super) struct Follow {
    options: Options,
    reception: Reception,
    checkpoint: Checkpoint,
    stream: Arc<str>,
    open: HashMap<Identity, Followed>,
    /// In the order of their paths, which is nearly that of their age.
    order: Vec<Identity>,
    steps: Vec<Step>,
    changed: bool,
}

impl Follow {
    pub(super) fn new(options: Options, checkpoint: Checkpoint, reception: Reception) -> Self {
        let stream = Arc::from(options.stream.as_str());
        let (open, order, steps) = (HashMap::new(), Vec::new(), Vec::new());
        Self { options, reception, checkpoint, stream, open, order, steps, changed: false }
    }

    fn discover(&mut self) {
        for followed in self.open.values_mut() {
            followed.gone = true;
        }
        let at_start = self.checkpoint.fresh;
        for path in found(&self.options) {
            if packed(&path) {
                continue;
            }
            match self.look(&path, at_start) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(path = %path.display(), %error, "a file cannot be followed"),
            }
        }
        if at_start {
            self.checkpoint.fresh = false;
            self.changed = true;
        }
        let mut order: Vec<(PathBuf, Identity)> =
            self.open.iter().map(|(identity, followed)| (followed.path.clone(), *identity)).collect();
        order.sort_by(|a, b| a.0.cmp(&b.0));
        self.order = order.into_iter().map(|(_, identity)| identity).collect();
    }

    fn look(&mut self, path: &Path, at_start: bool) -> io::Result<()> {
        let seen = std::fs::metadata(path)?;
        if !seen.is_file() {
            return Ok(());
        }
        if let Some(followed) = self.open.get_mut(&Identity::of(&seen, path)) {
            followed.gone = false;
            path.clone_into(&mut followed.path);
            return Ok(());
        }
        let mut file = File::open(path)?;
        // It may have changed since it was seen.
        let metadata = file.metadata()?;
        let identity = Identity::of(&metadata, path);
        let known = self.checkpoint.of(identity, &mut file);
        let mark = match known.or_else(|| self.checkpoint.of_original(&mut file)) {
            Some(mark) => mark,
            None if at_start && self.options.from == From::End => Mark::at(&mut file, metadata.len())?,
            None => Mark::default(),
        };
        let open = Connected::new(&self.reception.counters);
        let path_now = path.to_owned();
        let followed = Followed {
            path: path_now,
            file,
            mark,
            modified: None,
            skipping: false,
            quiet: 0,
            gone: false,
            _open: open,
        };
        self.checkpoint.set(identity, mark, path);
        self.changed = true;
        self.open.insert(identity, followed);
        Ok(())
    }

    /// Reads what is new in one file.
    fn read(&mut self, identity: Identity, records: &mut Vec<Record>) -> io::Result<usize> {
        let Some(followed) = self.open.get_mut(&identity) else { return Ok(0) };
        let metadata = followed.file.metadata()?;
        let modified = metadata.modified().ok();
        // It may have been emptied and filled again up to the same length.
        let changed = metadata.len() != followed.mark.offset || modified != followed.modified;
        followed.modified = modified;
        if changed && !followed.mark.fits(&mut followed.file) {
            tracing::info!(path = %followed.path.display(), "a file was truncated and is read from its beginning");
            followed.mark = Mark::default();
            followed.skipping = false;
        }
        followed.file.seek(SeekFrom::Start(followed.mark.offset))?;
        let mut bytes = Vec::new();
        // A line must fit into what is read at a time.
        let chunk = CHUNK.max(self.options.max_line_bytes + 1) as u64;
        followed.file.by_ref().take(chunk).read_to_end(&mut bytes)?;
        let mut cut = cut(&bytes, followed.skipping, self.options.max_line_bytes);
        followed.quiet = if cut.done == 0 { followed.quiet.saturating_add(1) } else { 0 };
        let close = followed.gone && followed.quiet >= QUIET;
        let rest = &bytes[cut.done..];
        // A last line waited for its end, which does not come any more.
        if close && !rest.is_empty() {
            cut.lines.push(Bytes::copy_from_slice(rest));
            cut.done = bytes.len();
        }
        if cut.done == 0 && !close {
            return Ok(0);
        }
        let mark = Mark::at(&mut followed.file, followed.mark.offset + cut.done as u64)?;
        self.steps.push(Step { identity, mark, skipping: cut.skipping, close });
        self.reception.bytes(cut.done);
        self.reception.malformed(cut.overlong);
        for line in cut.lines {
            let kind = line_piece(&line).kind;
            records.push(self.reception.record(&self.stream, kind, line));
        }
        Ok(cut.done)
    }
}

impl Source for Follow {
    fn round(&mut self) -> Vec<Record> {
        self.steps.clear();
        self.discover();
        let mut records = Vec::new();
        let mut read = 0;
        for identity in self.order.clone() {
            match self.read(identity, &mut records) {
                Ok(bytes) => read += bytes,
                Err(error) => {
                    let path = self.open.get(&identity).map(|followed| followed.path.display().to_string());
                    tracing::warn!(path, %error, "a file cannot be read");
                    self.open.remove(&identity);
                }
            }
            if read >= ROUND {
                break;
            }
        }
        records
    }

    fn taken(&mut self) -> Result<(), Failure> {
        let steps = std::mem::take(&mut self.steps);
        if steps.is_empty() && !self.changed {
            return Ok(());
        }
        for step in steps {
            let Some(followed) = self.open.get_mut(&step.identity) else { continue };
            followed.mark = step.mark;
            followed.skipping = step.skipping;
            self.checkpoint.set(step.identity, step.mark, &followed.path);
            if step.close {
                self.open.remove(&step.identity);
            }
        }
        self.changed = false;
        self.checkpoint.save()
    }
}

/// Cuts whole lines.
fn cut(bytes: &[u8], mut skipping: bool, max: usize) -> Cut {
    let mut cut = Cut { lines: Vec::new(), done: 0, skipping: false, overlong: 0 };
    loop {
        let rest = &bytes[cut.done..];
        let end = rest.iter().position(|b| *b == b'\n');
        if skipping {
            cut.done += end.map_or(rest.len(), |end| end + 1);
            skipping = end.is_none();
            if skipping {
                break;
            }
            continue;
        }
        match end {
            Some(end) if end <= max => {
                let line = &rest[..end];
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                if !line.iter().all(u8::is_ascii_whitespace) {
                    cut.lines.push(Bytes::copy_from_slice(line));
                }
                cut.done += end + 1;
            }
            None if rest.len() <= max => break,
            _ => {
                cut.lines.push(Bytes::copy_from_slice(&rest[..max]));
                cut.done += max;
                cut.overlong += 1;
                skipping = true;
            }
        }
    }
    cut.skipping = skipping;
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_cut() {
        let done = cut(b"a\r\n\nb\nc", false, 10);
        assert_eq!((done.lines, done.done), (vec![Bytes::from("a"), Bytes::from("b")], 6));
        let long = cut(b"abcdef", false, 4);
        assert_eq!((long.lines, long.done, long.skipping, long.overlong), (vec![Bytes::from("abcd")], 6, true, 1));
        let after = cut(b"xyz\ngh\n", true, 4);
        assert_eq!((after.lines, after.done, after.skipping), (vec![Bytes::from("gh")], 7, false));
    }
}
