//! What was delivered and what was not, per target, for metrics and for the console.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use lurcher_schema::Timestamp;

/// Counts of all targets.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    targets: Arc<Mutex<BTreeMap<String, Arc<TargetCounters>>>>,
}

impl Counters {
    /// The counts of one target; made when first asked for.
    pub fn of(&self, target: &str) -> Arc<TargetCounters> {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(targets.entry(target.to_owned()).or_default())
    }

    /// All targets and what they have come to, by name.
    pub fn snapshot(&self) -> BTreeMap<String, Counts> {
        let targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        targets.iter().map(|(name, counters)| (name.clone(), counters.read())).collect()
    }
}

/// Counts of one target since the start.
#[derive(Debug, Default)]
pub struct TargetCounters {
    delivered: AtomicU64,
    failed: AtomicU64,
    dead: AtomicU64,
    refused_recipients: AtomicU64,
    outbox_errors: AtomicU64,
    paused: AtomicBool,
    last: Mutex<Last>,
}

#[derive(Clone, Debug, Default)]
struct Last {
    delivered: Option<Timestamp>,
    error: Option<(Timestamp, String)>,
}

/// What the counts of one target were at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Letters delivered.
    pub delivered: u64,
    /// Attempts in vain that are followed by others.
    pub failed: u64,
    /// Letters given up.
    pub dead: u64,
    /// Recipients of mail that the server refused while it took others of the same letter.
    pub refused_recipients: u64,
    /// Times that the outbox could not be read or written.
    pub outbox_errors: u64,
    /// Whether it is being left alone for a while after a failure.
    pub paused: bool,
    /// When a letter was last delivered.
    pub last_delivered: Option<Timestamp>,
    /// When something last went wrong, and what.
    pub last_error: Option<(Timestamp, String)>,
}

impl TargetCounters {
    pub(crate) fn delivered(&self, now: Timestamp) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
        self.last.lock().unwrap_or_else(PoisonError::into_inner).delivered = Some(now);
    }

    pub(crate) fn failed(&self, now: Timestamp, error: &str) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.error(now, error);
    }

    pub(crate) fn dead(&self, now: Timestamp, error: &str) {
        self.dead.fetch_add(1, Ordering::Relaxed);
        self.error(now, error);
    }

    pub(crate) fn outbox_error(&self, now: Timestamp, error: &str) {
        self.outbox_errors.fetch_add(1, Ordering::Relaxed);
        self.error(now, error);
    }

    pub(crate) fn refused_recipients(&self, recipients: u64) {
        self.refused_recipients.fetch_add(recipients, Ordering::Relaxed);
    }

    pub(crate) fn paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    fn error(&self, now: Timestamp, error: &str) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).error = Some((now, error.to_owned()));
    }

    fn read(&self) -> Counts {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Counts {
            delivered: self.delivered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            dead: self.dead.load(Ordering::Relaxed),
            refused_recipients: self.refused_recipients.load(Ordering::Relaxed),
            outbox_errors: self.outbox_errors.load(Ordering::Relaxed),
            paused: self.paused.load(Ordering::Relaxed),
            last_delivered: last.delivered,
            last_error: last.error,
        }
    }
}
