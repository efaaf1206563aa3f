//! `lurcher test`: rules' tests, in milliseconds a case.
//!
//! | step | file |
//! |---|---|
//! | which tests there are, of which rules | `select`, `changed` |
//! | their events | `data` |
//! | run them, several rules at a time | `run` |
//! | hold the alerts against what is expected | `judge` |
//! | say what came of it | `report/` |
//! | again, whenever a file changes | `watch` |
//!
//! What a test is, and the forms in which it is written, is `lurcher_content`'s business.

mod changed;
mod data;
mod judge;
mod report;
mod run;
mod select;
mod watch;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use lurcher_content::TestCase;
use lurcher_ir::Rule;

use crate::{
    arguments::{Test, TestFormat},
    config::Config,
    outcome::{Outcome, written},
    rules,
};

/// What became of one test.
#[derive(Debug)]
pub(crate) struct Outcomes {
    /// In order of rule file, test file and line.
    pub(crate) results: Vec<TestResult>,
    /// Which rules have tests and which have none; only if it was asked for.
    pub(crate) coverage: Option<Coverage>,
    /// How long all of it took.
    pub(crate) time: Duration,
}

/// What became of one test.
#[derive(Debug)]
pub(crate) struct TestResult {
    /// The test.
    pub(crate) case: TestCase,
    /// Its rule, if there is one.
    pub(crate) rule: Option<Arc<Rule>>,
    /// What came of it.
    pub(crate) verdict: Verdict,
    /// How many events it has.
    pub(crate) events: u64,
    /// How many alerts came.
    pub(crate) alerts: u64,
    /// How long it took, reading included.
    pub(crate) time: Duration,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is as expected.
    Passed,
    /// It is not; what was expected, what came, and why.
    Failed(Failure),
    /// It fails, as its author says it does, for this reason.
    Pending(String),
    /// It was left out, for this reason.
    Skipped(String),
    /// It could not be run, for this reason: no such rule, no such file, a rule that cannot be run.
    Unrun(String),
}

/// How what came differs from what was expected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// One sentence for each difference: what was expected, what came.
    pub(crate) differences: Vec<String>,
    /// Why, as far as the events show it, in lines.
    pub(crate) why: Vec<String>,
}

/// Which rules have tests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coverage {
    /// How many rules there are.
    pub(crate) rules: usize,
    /// Path and name of those without a test.
    pub(crate) untested: Vec<(String, String)>,
    /// Path, name and reason of those that cannot be run.
    pub(crate) unrun: Vec<(String, String, String)>,
}

impl Verdict {
    /// The lower-case word.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Pending(_) => "pending",
            Self::Skipped(_) => "skipped",
            Self::Unrun(_) => "not run",
        }
    }
}

impl Outcomes {
    /// How many results have a verdict of this word.
    pub(crate) fn count(&self, word: &str) -> usize {
        self.results.iter().filter(|result| result.verdict.word() == word).count()
    }
}

/// Runs the tests; with `--watch` until it is stopped.
pub(crate) fn run(arguments: &Test) -> Result<Outcome, String> {
    if !arguments.watch {
        return once(arguments).map(|(outcome, _)| outcome);
    }
    watch::forever(arguments, |arguments| once(arguments).map(|(_, files)| files))
}

/// One run. Also returns the files that it depended on.
fn once(arguments: &Test) -> Result<(Outcome, Vec<PathBuf>), String> {
    let start = Instant::now();
    let config = Config::load(&arguments.site)?;
    let (schemas, pack_faults) = rules::schemas(&config);
    let paths: Vec<PathBuf> = arguments.files.iter().chain(&arguments.more).cloned().collect();
    let pack = rules::pack_with_tests(&paths, &config, &schemas);
    let selection = rules::selection(&arguments.selection)?;
    rules::tell_test_faults(&pack);
    rules::tell_problems(&pack);
    let mut chosen = select::select(&pack, &selection);
    let files = select::files(&paths, &chosen);
    if let Some(revision) = &arguments.changed_since {
        let changed = changed::Changed::since(revision, &paths)?;
        chosen.tests.retain(|test| changed.touches(test));
    }
    let coverage = arguments.coverage.then(|| select::coverage(&chosen));
    let finder = data::Finder::new(&arguments.attack_data);
    let tables = rules::tables(&pack.knowledge)?;
    let results = run::all(chosen.tests, (&schemas, &tables), &finder, arguments.threads);
    let outcomes = Outcomes { results, coverage, time: start.elapsed() };
    write(arguments, &outcomes)?;
    let faults = pack_faults || !pack.problems.is_empty() || rules::has_test_faults(&pack);
    let outcome = match () {
        () if outcomes.count("failed") > 0 => Outcome::Failed,
        () if outcomes.results.is_empty() && coverage_is_enough(arguments, &outcomes) => Outcome::of(faults),
        () if outcomes.results.is_empty() => {
            eprintln!("lurcher: nothing ran: there are no tests in {}", shown(&paths));
            Outcome::NothingRan
        }
        () => Outcome::of(faults || outcomes.count("not run") > 0),
    };
    Ok((outcome, files))
}

/// No tests are no fault where none have changed, or where the question was which rules have none.
fn coverage_is_enough(arguments: &Test, outcomes: &Outcomes) -> bool {
    arguments.changed_since.is_some() || outcomes.coverage.as_ref().is_some_and(|coverage| coverage.rules > 0)
}

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn write(arguments: &Test, outcomes: &Outcomes) -> Result<(), String> {
    let mut out: Box<dyn Write> = match &arguments.output {
        Some(path) => {
            Box::new(BufWriter::new(File::create(path).map_err(|error| format!("{}: {error}", path.display()))?))
        }
        None => Box::new(BufWriter::new(io::stdout().lock())),
    };
    let written_ = match arguments.format {
        TestFormat::Text => report::text(&mut out, outcomes, arguments.verbose),
        TestFormat::Junit => report::junit(&mut out, outcomes),
        TestFormat::Tap => report::tap(&mut out, outcomes),
        TestFormat::Json => report::json(&mut out, outcomes),
    };
    written(written_.and_then(|()| out.flush()))
}
