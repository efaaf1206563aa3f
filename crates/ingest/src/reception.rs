//! What every listener is given: where records go, who may deliver, what time it is, what is counted.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use lurcher_journal::{Record, RecordKind};
use lurcher_schema::{Clock, Timestamp};
use tokio::sync::watch;

use crate::{Counters, Gate, Intake, Refusal};

/// Turns `true` when the server stops. A sender that is gone means the same.
pub type Stop = watch::Receiver<bool>;

/// How long a listener that cannot refuse waits before it offers the same records again; doubled up to [`PATIENCE`].
const FIRST_WAIT: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a listener could not start or go on, in words for the log: what, where, why.
#[derive(Debug)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// The surroundings of one protocol's listener. Cheap to clone.
#[derive(Clone)]
pub struct Reception {
    pub(crate) intake: Arc<dyn Intake>,
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) counters: Arc<Counters>,
}

impl fmt::Debug for Reception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reception").field("counters", &self.counters).finish_non_exhaustive()
    }
}

impl Reception {
    /// Each protocol gets one of its own, because of the counters.
    pub fn new(intake: Arc<dyn Intake>, gate: Arc<dyn Gate>, clock: Arc<dyn Clock>, counters: Arc<Counters>) -> Self {
        Self { intake, gate, clock, counters }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn record(&self, stream: &Arc<str>, kind: RecordKind, body: Bytes) -> Record {
        Record { stream: Arc::clone(stream), kind, received: self.clock.now(), body }
    }

    /// Hands records over once, and counts.
    pub(crate) async fn deliver(&self, records: Vec<Record>) -> Result<(), Refusal> {
        if records.is_empty() {
            return Ok(());
        }
        let count = records.len();
        let answer = self.intake.accept(records).await;
        match &answer {
            Ok(()) => Counters::add(&self.counters.accepted, count),
            Err(refusal) => {
                Counters::add(&self.counters.refused, count);
                tracing::debug!(?refusal, count, "records were refused");
            }
        }
        answer
    }

    /// Hands records over, again and again while there is no place for them: for listeners whose sender waits while
    /// nothing is read. Returns false when the server stops first; the records were not taken then.
    pub(crate) async fn insist(&self, records: Vec<Record>, stop: &mut Stop) -> bool {
        if records.is_empty() {
            return true;
        }
        let count = records.len();
        let mut wait = FIRST_WAIT;
        let mut said = false;
        loop {
            match self.intake.accept(records.clone()).await {
                Ok(()) => {
                    Counters::add(&self.counters.accepted, count);
                    return true;
                }
                Err(Refusal::Stopping) => return false,
                Err(Refusal::Busy) => {}
                Err(Refusal::Unwritable(why)) => {
                    if !said {
                        tracing::warn!(%why, "records wait, because nothing can be written");
                        said = true;
                    }
                }
            }
            if !sleep(wait, stop).await {
                return false;
            }
            wait = (wait * 2).min(PATIENCE);
        }
    }

    pub(crate) fn malformed(&self, count: usize) {
        Counters::add(&self.counters.malformed, count);
    }

    pub(crate) fn refused(&self, count: usize) {
        Counters::add(&self.counters.refused, count);
    }

    pub(crate) fn dropped(&self, count: usize) {
        Counters::add(&self.counters.dropped, count);
    }

    pub(crate) fn bytes(&self, count: usize) {
        self.counters.bytes.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// Resolves when the server stops.
pub(crate) async fn stopped(stop: &mut Stop) {
    // An error means that the sender is gone, and with it the server.
    let _ = stop.wait_for(|stopping| *stopping).await;
}

/// Sleeps; false when the server stops meanwhile.
pub(crate) async fn sleep(duration: Duration, stop: &mut Stop) -> bool {
    tokio::select! {
        () = tokio::time::sleep(duration) => true,
        () = stopped(stop) => false,
    }
}
