//! What each run on the virtual clock saw and did.

use lurcher_schema::Timestamp;

use crate::terms::Window;

/// A run that saw events, and those after it that saw the very same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The rule's index in [`crate::RuleSet::rules`].
    pub rule: u32,
    /// When it ran.
    pub time: Timestamp,
    /// The first moment that it looked at.
    pub from: Timestamp,
    /// The last.
    pub to: Timestamp,
    /// Events (or rows) in the window that passed the rule's filters.
    pub hits: u64,
    /// Alerts that it raised.
    pub created: u64,
    /// Alerts that were counted in others instead.
    pub suppressed: u64,
    /// Matches that an earlier run had found.
    pub known: u64,
    /// Matches beyond the most alerts that a run may raise.
    pub capped: u64,
    /// Events in the window that had not arrived yet.
    pub late: u64,
    /// How many runs after it saw the same and therefore raised nothing new.
    pub repeats: u64,
}

impl LedgerEntry {
    /// Of a run that has done nothing yet.
    pub(crate) fn of(rule: u32, time: Timestamp, window: Window) -> Self {
        Self {
            rule,
            time,
            from: window.from,
            to: window.to,
            hits: 0,
            created: 0,
            suppressed: 0,
            known: 0,
            capped: 0,
            late: 0,
            repeats: 0,
        }
    }
}

/// What the runs of one rule came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunSummary {
    /// The rule's index in [`crate::RuleSet::rules`].
    pub rule: u32,
    /// How many runs there were.
    pub runs: u64,
    /// How many of them had no event in their window.
    pub empty: u64,
    /// Events (or rows) that passed the rule's filters, each once.
    pub hits: u64,
    /// Alerts raised.
    pub created: u64,
    /// Alerts counted in others.
    pub suppressed: u64,
    /// Matches that were found again by a later run.
    pub known: u64,
    /// Runs that reached the most alerts that a run may raise.
    pub capped_runs: u64,
    /// Matches that no run raised because of that.
    pub lost: u64,
    /// Events that arrived after the first run whose window held them.
    pub late: u64,
    /// Of these, those that no run ever saw; and events in no run's window.
    pub missed: u64,
}
