//! How a command ended: its exit code, and what it says about faults on standard error.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    process::ExitCode,
};

use lurcher_readers::{Gravity, Report};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of it ran.
    Complete,
    /// Nothing ran: usage, no rules, no input.
    NothingRan,
    /// It ran, but some input or rule could not be read, parsed or run.
    Partial,
    /// There were alerts, and the user asked to be told so.
    Alerts,
    /// Tests failed.
    Failed,
}

impl Outcome {
    /// Complete, or partial if there were faults.
    pub(crate) fn of(faults: bool) -> Self {
        if faults { Self::Partial } else { Self::Complete }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Complete => 0,
            Outcome::NothingRan | Outcome::Failed => 1,
            Outcome::Partial => 2,
            Outcome::Alerts => 3,
        })
    }
}

/// What writing to standard output came to. That its reader has gone (`lurcher … | head`) is no fault.
pub(crate) fn written(result: io::Result<()>) -> Result<(), String> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("writing: {error}")),
        _ => Ok(()),
    }
}

/// Names every fault of the input on standard error, with a closing count; returns whether events were lost.
///
/// Notes are no faults. They are told by reason, with the first few names, so that they do not bury the rest.
pub(crate) fn tell_input(report: &Report, quiet: bool) -> bool {
    let mut notes: BTreeMap<(&str, Option<&str>), BTreeSet<&str>> = BTreeMap::new();
    for problem in &report.problems {
        let word = match problem.gravity {
            Gravity::Error => "error",
            Gravity::Warning => "warning",
            Gravity::Note => {
                notes.entry((&problem.message, problem.help)).or_default().insert(&problem.path);
                continue;
            }
        };
        eprintln!("{word}: {problem}");
        if let Some(help) = problem.help {
            eprintln!("  help: {help}");
        }
    }
    if !quiet {
        for ((message, help), paths) in &notes {
            eprintln!("note: {message} ({}):{}", count(paths.len() as u64, "file"), few(paths.iter().copied()));
            if let Some(help) = help {
                eprintln!("  help: {help}");
            }
        }
        tell_skipped(report);
    }
    let errors = report.errors();
    if errors > 0 {
        let files = report.damaged().len();
        eprintln!("input: {} in {}; the rest was read", count(errors, "fault"), count(files as u64, "file"));
    }
    errors > 0
}

/// What was left out, by reason, with the first few names.
fn tell_skipped(report: &Report) {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for skipped in &report.skipped {
        by_reason.entry(&skipped.reason).or_default().push(&skipped.path);
    }
    for (reason, paths) in by_reason {
        eprintln!("skipped: {reason} ({}):{}", count(paths.len() as u64, "file"), few(paths.iter().copied()));
    }
}

/// How many names stand for a group.
const FEW: usize = 3;

/// The first few names, each on a line of its own, and how many more there are. A single name stays on the line. It goes
/// right behind a colon.
pub(crate) fn few<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    let all = names.len();
    let mut names: Vec<&str> = names.take(FEW).collect();
    if let [only] = names.as_slice() {
        return format!(" {only}");
    }
    names.insert(0, "");
    let more = if all > FEW { format!("\n  … and {} more", all - FEW) } else { String::new() };
    names.join("\n  ") + &more
}

/// `1 file`, `2 files`, `12,345 files`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts_read_well() {
        assert_eq!(super::count(1, "file"), "1 file");
        assert_eq!(super::count(0, "file"), "0 files");
        assert_eq!(super::count(1_234_567, "event"), "1,234,567 events");
        assert_eq!(super::count(123, "event"), "123 events");
    }

    #[test]
    fn a_few_names_stand_for_many() {
        assert_eq!(super::few(["a"].into_iter()), " a");
        assert_eq!(super::few(["a", "b"].into_iter()), "\n  a\n  b");
        assert_eq!(super::few(["a", "b", "c", "d", "e"].into_iter()), "\n  a\n  b\n  c\n  … and 2 more");
    }
}
