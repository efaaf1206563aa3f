//! Reading in parallel: threads take units of input one by one and hand every batch to a worker of their own.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use lurcher_readers::{Discovery, Problem, ReadOptions, Report, Unit, discover, units};
use lurcher_schema::{EventBatch, Schemas};

use crate::{arguments, progress};

/// What there is to read.
#[derive(Debug)]
pub(crate) struct Plan {
    units: Vec<Unit>,
    options: ReadOptions,
    report: Report,
    threads: usize,
    quiet: bool,
}

impl Plan {
    /// Finds the input that the command line names. Fails if there is none at all.
    pub(crate) fn new(input: &arguments::Input, more: &[String]) -> Result<Self, String> {
        let paths: Vec<&str> = input.paths.iter().chain(more).map(String::as_str).collect();
        if paths.is_empty() {
            return Err("no input: name files, folders, globs or archives, or - for standard input".into());
        }
        let Discovery { inputs, problems } = discover(&paths);
        if inputs.is_empty() {
            let named = problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\nlurcher: ");
            return Err(if named.is_empty() { format!("no files in {}", paths.join(", ")) } else { named });
        }
        let options = ReadOptions::default();
        let (units, mut report) = units(&inputs, &options);
        for problem in problems {
            report.problem(problem);
        }
        Ok(Self { units, options, report, threads: input.threads.max(1), quiet: input.quiet })
    }

    /// The same, read for these packs: what a pack of the user's speaks of is worth no note.
    #[must_use]
    pub(crate) fn with_packs(mut self, schemas: &Schemas) -> Self {
        self.options.unknown_is_mapped = schemas.maps_unknown();
        self
    }

    /// Nothing to read.
    pub(crate) fn empty(input: &arguments::Input) -> Self {
        let (units, report) = units(&[], &ReadOptions::default());
        Self { units, options: ReadOptions::default(), report, threads: 1, quiet: input.quiet }
    }

    /// How many threads will work.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Reads everything; each thread's batches go to its own worker. Returns the workers and the report.
    pub(crate) fn run<W: Send>(
        self,
        worker: impl Fn() -> W + Sync,
        take: impl Fn(&mut W, &EventBatch) + Sync,
    ) -> (Vec<W>, Report) {
        let next = AtomicUsize::new(0);
        let report = Mutex::new(self.report);
        let bar = progress::bar(self.units.iter().map(Unit::bytes).sum(), self.quiet);
        let work = || {
            let mut worker = worker();
            while let Some(unit) = self.units.get(next.fetch_add(1, Ordering::Relaxed)) {
                bar.set_message(progress::short(&unit.name()));
                // A fault of the program in one file loses the rest of that file, and says so; it does not lose the run.
                let read = || unit.read(&self.options, &mut |batch| take(&mut worker, &batch));
                let read = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| panicked(&unit.name()));
                report.lock().unwrap_or_else(PoisonError::into_inner).merge(read);
                bar.inc(unit.bytes());
            }
            worker
        };
        let workers = thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads).map(|_| scope.spawn(work)).collect();
            let mut workers = Vec::new();
            for thread in threads {
                match thread.join() {
                    Ok(worker) => workers.push(worker),
                    Err(_) => report.lock().unwrap_or_else(PoisonError::into_inner).merge(panicked("a reading thread")),
                }
            }
            workers
        });
        bar.finish_and_clear();
        let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.sort();
        (workers, report)
    }
}

/// The report of a file at which the program itself failed.
fn panicked(path: &str) -> Report {
    let mut report = Report::default();
    let message = "the program failed while it read or scanned this; what it had not yet seen of it is lost";
    report.problem(
        Problem::error("panic", path, message)
            .with_help("this is a fault of lurcher, not of the file: please report it with the message above"),
    );
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_while_scanning_one_file_is_told_and_the_others_are_scanned() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.jsonl", "b.jsonl"] {
            std::fs::write(folder.path().join(name), "{\"name\":\"x\"}\n").unwrap();
        }
        let path = folder.path().to_string_lossy().into_owned();
        let Discovery { inputs, .. } = discover(&[path.as_str()]);
        let options = ReadOptions::default();
        let (units, report) = units(&inputs, &options);
        let plan = Plan { units, options, report, threads: 2, quiet: true };
        let take = |seen: &mut u64, batch: &EventBatch| {
            assert!(!batch.origin().path.ends_with("a.jsonl"), "a fault in a rule");
            *seen += batch.rows() as u64;
        };
        let (workers, report) = plan.run(|| 0, take);
        assert_eq!(workers.iter().sum::<u64>(), 1);
        assert_eq!(report.errors(), 1);
        assert!(report.problems[0].path.ends_with("a.jsonl"));
    }
}
