//! Where listeners hand records over: the journal, behind a bound on what may wait.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use lurcher_ingest::{Gate, Intake, Refusal};
use lurcher_journal::{Journal, JournalError, Record};

use crate::detector::Figures;
use lurcher_server::{
    auth::KeyGate,
    lifecycle::Stop,
    metrics::{Label, Metrics},
    watch::Fullness,
};

/// The journal, as listeners see it.
#[derive(Debug)]
pub(crate) struct JournalIntake {
    pub(crate) journal: Arc<Journal>,
    /// How far the detector is.
    pub(crate) figures: Arc<Figures>,
    /// So many records may wait for the detector.
    pub(crate) backlog: u64,
    pub(crate) fullness: Fullness,
    pub(crate) stop: Stop,
    pub(crate) metrics: Arc<Metrics>,
}

#[async_trait]
impl Intake for JournalIntake {
    async fn accept(&self, records: Vec<Record>) -> Result<(), Refusal> {
        let count = records.len() as u64;
        let bytes = records.iter().map(|record| record.body.len() as u64).sum();
        let stream = records.first().map(|record| record.stream.to_string()).unwrap_or_default();
        let result = self.append(records).await;
        match &result {
            Ok(()) => {
                let label = Label { name: stream };
                self.metrics.intake_records.get_or_create(&label).inc_by(count);
                self.metrics.intake_bytes.get_or_create(&label).inc_by(bytes);
            }
            Err(refusal) => {
                let reason = match refusal {
                    Refusal::Busy => "busy",
                    Refusal::Unwritable(_) => "unwritable",
                    Refusal::Stopping => "stopping",
                };
                self.metrics.intake_refused.get_or_create(&Label { name: reason.to_owned() }).inc_by(count);
            }
        }
        result
    }
}

impl JournalIntake {
    async fn append(&self, records: Vec<Record>) -> Result<(), Refusal> {
        if self.stop.has_begun() {
            return Err(Refusal::Stopping);
        }
        if self.fullness.is_full() {
            return Err(Refusal::Unwritable("the disk is full".to_owned()));
        }
        let waiting = self.journal.end().0.saturating_sub(self.figures.position.load(Ordering::Relaxed));
        if waiting > self.backlog {
            return Err(Refusal::Busy);
        }
        match self.journal.append(records).await {
            Ok(_) => Ok(()),
            Err(JournalError::Closed) => Err(Refusal::Stopping),
            Err(error) => Err(Refusal::Unwritable(error.to_string())),
        }
    }
}

/// The keys, as listeners ask for them.
#[derive(Debug)]
pub(crate) struct Door(pub(crate) KeyGate);

impl Gate for Door {
    fn may_deliver(&self, secret: Option<&str>) -> bool {
        self.0.may_deliver(secret)
    }
}
