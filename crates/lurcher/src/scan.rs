//! Reading in parallel: threads take units of input one by one and hand every batch to a worker of their own.

use std::{
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
                let read = unit.read(&self.options, &mut |batch| take(&mut worker, &batch));
                report.lock().unwrap_or_else(PoisonError::into_inner).merge(read);
                bar.inc(unit.bytes());
            }
            worker
        };
        let workers = thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads).map(|_| scope.spawn(work)).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
        });
        bar.finish_and_clear();
        let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.sort();
        (workers, report)
    }
}
