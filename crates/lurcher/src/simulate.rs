//! `lurcher hunt --simulate`: what runs on the virtual clock did, for the ledger file and for people.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::Path,
};

use lurcher_engine::{LedgerEntry, RuleSet, RunSummary, Scanner};
use lurcher_readers::{Gravity, Input, ReadOptions, read};
use serde_json::{Value as Json, json};

use crate::{outcome::count, stats::Stats};

/// The ledger file: a JSON line for every run that saw events, and one for each rule at the end.
pub(crate) struct RunLog<'r> {
    rules: &'r RuleSet,
    out: Option<BufWriter<File>>,
    failed: Option<io::Error>,
}

impl<'r> RunLog<'r> {
    /// Opens the file, if one is asked for.
    pub(crate) fn open(path: Option<&Path>, rules: &'r RuleSet) -> Result<Self, String> {
        let create = |path: &Path| File::create(path).map_err(|error| format!("{}: {error}", path.display()));
        Ok(Self { rules, out: path.map(create).transpose()?.map(BufWriter::new), failed: None })
    }

    /// Writes what a run did.
    pub(crate) fn entry(&mut self, entry: &LedgerEntry) {
        let line = json!({
            "rule": self.rule(entry.rule),
            "time": entry.time.to_string(),
            "from": entry.from.to_string(),
            "to": entry.to.to_string(),
            "hits": entry.hits,
            "created": entry.created,
            "suppressed": entry.suppressed,
            "known": entry.known,
            "capped": entry.capped,
            "late": entry.late,
            "repeats": entry.repeats,
        });
        self.line(&line);
    }

    /// Writes what each rule's runs came to, and closes the file. Says what went wrong with it first, if anything.
    pub(crate) fn close(mut self, summaries: &[RunSummary]) -> Option<io::Error> {
        for summary in summaries {
            let line = json!({"rule": self.rule(summary.rule), "summary": {
                "runs": summary.runs,
                "empty": summary.empty,
                "hits": summary.hits,
                "created": summary.created,
                "suppressed": summary.suppressed,
                "known": summary.known,
                "capped_runs": summary.capped_runs,
                "lost": summary.lost,
                "late": summary.late,
                "missed": summary.missed,
            }});
            self.line(&line);
        }
        let flushed = self.out.as_mut().and_then(|out| out.flush().err());
        self.failed.or(flushed)
    }

    fn rule(&self, number: u32) -> Json {
        let meta = self.rules.rules().get(number as usize).map(|rule| &rule.meta);
        json!({"id": meta.map(|meta| meta.id.as_ref()), "name": meta.map(|meta| meta.name.as_str())})
    }

    fn line(&mut self, line: &Json) {
        if let (Some(out), None) = (&mut self.out, &self.failed) {
            self.failed = writeln!(out, "{line}").err();
        }
    }
}

/// Says what runs gave up, and, unless it is to be quiet, what they came to.
pub(crate) fn tell(rules: &RuleSet, summaries: &[RunSummary], quiet: bool) {
    for summary in summaries {
        let Some(rule) = rules.rules().get(summary.rule as usize) else { continue };
        let name = rule.meta.name.as_str();
        if summary.lost > 0 {
            let most = rule.meta.schedule.max_alerts.unwrap_or_default();
            eprintln!(
                "warning: {name}: {} not raised: {} reached the most of {most} that it may raise",
                count(summary.lost, "alert"),
                count(summary.capped_runs, "run"),
            );
        }
        if summary.missed > 0 {
            eprintln!("warning: {name}: {} in no run's window when it ran", count(summary.missed, "event"));
        }
    }
    if !quiet {
        let total = |of: fn(&RunSummary) -> u64| summaries.iter().map(of).sum::<u64>();
        eprintln!(
            "{} of {}, {} with no event in their window; {} counted in others",
            count(total(|s| s.runs), "run"),
            count(summaries.len() as u64, "rule"),
            total(|s| s.empty),
            count(total(|s| s.suppressed), "alert"),
        );
    }
}

/// Adds the figures of the runs to those of the sweep.
pub(crate) fn record(summaries: &[RunSummary], stats: &mut Stats) {
    let figures: [(&str, fn(&RunSummary) -> u64); 7] = [
        ("runs", |s| s.runs),
        ("runs_empty", |s| s.empty),
        ("suppressed", |s| s.suppressed),
        ("known", |s| s.known),
        ("lost", |s| s.lost),
        ("late", |s| s.late),
        ("missed", |s| s.missed),
    ];
    for (name, of) in figures {
        stats.set(name, summaries.iter().map(of).sum::<u64>());
    }
}

/// Reads the user's own indicators: every row is one, for every rule that looks for indicators.
pub(crate) fn read_indicators(paths: &[std::path::PathBuf], scanner: &mut Scanner) -> Result<(), String> {
    for path in paths {
        let input = Input::File(path.clone());
        let report = read(&input, &ReadOptions::default(), &mut |batch| scanner.take_indicators(&batch));
        if let Some(problem) = report.problems.iter().find(|problem| problem.gravity == Gravity::Error) {
            return Err(format!("--indicators {}: {problem}", path.display()));
        }
    }
    Ok(())
}
