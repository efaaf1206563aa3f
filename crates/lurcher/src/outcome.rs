//! How a command ended: its exit code, and what it says about faults on standard error.

use std::process::ExitCode;

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
            Outcome::NothingRan => 1,
            Outcome::Partial => 2,
            Outcome::Alerts => 3,
        })
    }
}

/// Names every fault of the input on standard error, with a closing count; returns whether events were lost.
pub(crate) fn tell_input(report: &Report, quiet: bool) -> bool {
    for problem in &report.problems {
        let word = match problem.gravity {
            Gravity::Error => "error",
            Gravity::Warning => "warning",
            Gravity::Note if quiet => continue,
            Gravity::Note => "note",
        };
        eprintln!("{word}: {problem}");
        if let Some(help) = problem.help {
            eprintln!("  help: {help}");
        }
    }
    if !quiet {
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
    let mut by_reason: std::collections::BTreeMap<&str, Vec<&str>> = std::collections::BTreeMap::new();
    for skipped in &report.skipped {
        by_reason.entry(&skipped.reason).or_default().push(&skipped.path);
    }
    for (reason, paths) in by_reason {
        let shown = paths.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        let more = if paths.len() > 3 { format!(" and {} more", paths.len() - 3) } else { String::new() };
        eprintln!("skipped: {reason}: {shown}{more}");
    }
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
}
