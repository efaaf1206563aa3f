//! The detector: reads the journal, runs the rules over what comes and as time goes on, and writes down what they find.
//!
//! One thread of its own, and one that writes down what it finds (`scribe.rs`). What it makes of a block of the journal goes into the alert store in one transaction together
//! with its place in the journal, so a crash at any moment loses nothing and doubles nothing: it goes on at its place,
//! and what it finds again has the ids that it had. The state of rules (what is in their windows) is not stored; it is
//! built again from the records that rules kept something of (`kept.rs`), by the very same calls.
//!
//! * A record that breaks the engine is found by taking its block apart, put aside and named; the rest goes on.
//! * When rules change, the state is built anew in the same way; records wait in the journal meanwhile. New ones look back
//!   first (`look_back.rs`).
//! * Spans that were not looked at in time are written down (`gaps.rs`).
//! * The time is that of the records' arrival, and the clock's where none come.

mod feed;
mod findings;
pub(crate) mod gaps;
mod joined;
mod kept;
pub(crate) mod look_back;
mod risk;
mod scribe;
mod service;
mod state;
mod work;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64},
    },
    thread::JoinHandle,
    time::Duration,
};

use lurcher_deliver::Bell;
use lurcher_engine::{Alert, RuleHealth};
use lurcher_journal::Journal;
use lurcher_schema::Clock;
use lurcher_store::Store;
use lurcher_triage::Triage;
use tokio::sync::{mpsc, oneshot};

pub use self::service::Service;
use self::{look_back::Found, work::Work};
use crate::rules::{Loaded, RuleSource};
use lurcher_server::{detection::Refused, events::Events};

/// What takes longer is told to whoever looks for what holds the detector or its alerts up.
const SLOW: Duration = Duration::from_millis(100);

/// The name under which the detector's place in the journal is kept.
pub const CONSUMER: &str = "detector";

/// How the detector works.
#[derive(Clone, Debug)]
pub struct DetectorOptions {
    /// The folder of the records that rules kept something of.
    pub kept: PathBuf,
    /// How long after its window an event may come and still be looked at together with others.
    pub lateness: Duration,
    /// About how many bytes of events all rules together keep in memory.
    pub memory: u64,
    /// Records that are looked at together, at most.
    pub block_records: usize,
    /// Bytes of records that are looked at together, about.
    pub block_bytes: usize,
    /// How long a run waits beyond its time for records that are on their way.
    pub grace: Duration,
}

impl DetectorOptions {
    /// With the records that were kept in this folder.
    pub fn at(kept: PathBuf) -> Self {
        Self {
            kept,
            lateness: Duration::from_mins(15),
            memory: 256 << 20,
            block_records: 4096,
            block_bytes: 8 << 20,
            grace: Duration::from_millis(250),
        }
    }
}

/// What the detector works with.
#[derive(Clone)]
pub struct DetectorParts {
    /// Where records come from.
    pub journal: Arc<Journal>,
    /// Where records are that the journal has no more, for rules that are new.
    pub store: Arc<Store>,
    /// Where alerts go.
    pub triage: Arc<Triage>,
    /// Where rules come from.
    pub source: Arc<dyn RuleSource>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who is told as it happens.
    pub events: Arc<Events>,
    /// Counts.
    pub figures: Arc<Figures>,
    /// Rung when there are letters to deliver.
    pub bell: Bell,
}

/// What the detector has done, in numbers.
#[derive(Debug, Default)]
pub struct Figures {
    /// The position of the first record that it has not dealt with.
    pub position: AtomicU64,
    /// Up to here all of its state can be built again without the journal.
    pub settled: AtomicU64,
    /// Events that were looked at.
    pub events: AtomicU64,
    /// Records that could not be read, or were put aside.
    pub unreadable: AtomicU64,
    /// What was found and is not written down yet, in pages.
    pub unwritten: AtomicU64,
    /// New alerts.
    pub alerts: AtomicU64,
    /// Rules that run.
    pub rules: AtomicU64,
    /// Bytes of the records that were kept.
    pub kept_bytes: AtomicU64,
    /// The time of arrival of the last record that was looked at, in microseconds since 1970.
    pub reached: AtomicU64,
    /// When the next run is due, in microseconds since 1970; [`i64::MAX`] if none is.
    pub due: AtomicI64,
}

/// A wish of the rest of the server.
#[derive(Debug)]
enum Wish {
    /// Load the rules anew. Answers with what was loaded, or with why the old ones stay.
    Reload(oneshot::Sender<Result<Arc<Loaded>, String>>),
    /// Say how the rules fare.
    Health(oneshot::Sender<Vec<RuleHealth>>),
    /// Go on with rules that have looked back.
    Found(Box<Found>),
    /// Count the alerts of a backfill towards incidents.
    Backfilled(Vec<Alert>),
    /// End, with everything written down.
    Stop,
}

/// The detector, from outside.
#[derive(Clone, Debug)]
pub struct Detector {
    wishes: mpsc::UnboundedSender<Wish>,
    loaded: Arc<parking_lot::RwLock<Arc<Loaded>>>,
}

impl Detector {
    /// Starts it on a thread of its own; must be called within a Tokio runtime. Returns once its state is built.
    ///
    /// # Errors
    ///
    /// Says what of its folders or of the alert store cannot be used.
    pub async fn start(parts: DetectorParts, options: DetectorOptions) -> Result<(Self, JoinHandle<()>), String> {
        let (wishes, inbox) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Handle::current();
        let loaded = Arc::new(parking_lot::RwLock::new(Arc::new(parts.source.load()?)));
        let (ready, is_ready) = oneshot::channel();
        let shared = Arc::clone(&loaded);
        // Weak: whoever may wish for something keeps the detector at work.
        let back = wishes.downgrade();
        let thread = std::thread::Builder::new().name("detector".to_owned()).spawn(move || {
            match Work::begin(parts, options, runtime, (inbox, back), shared) {
                Ok(mut work) => {
                    // Nobody waits for it only if the server is gone already.
                    let _ = ready.send(Ok(()));
                    work.run();
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        });
        let thread = thread.map_err(|error| format!("the detector's thread cannot be started: {error}"))?;
        is_ready.await.map_err(|_| "the detector ended while it started".to_owned())??;
        Ok((Self { wishes, loaded }, thread))
    }

    /// What is loaded now.
    pub fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read())
    }

    /// Loads rules anew and goes on with them; no record is missed.
    ///
    /// # Errors
    ///
    /// The settings cannot be read, and the old rules stay at work; or the detector has ended.
    pub async fn reload(&self) -> Result<Arc<Loaded>, Refused> {
        self.ask(Wish::Reload).await.map_err(Refused::Failed)?.map_err(Refused::Invalid)
    }

    /// Counts the alerts of a backfill, which are written down, towards incidents.
    fn count_risk_of(&self, alerts: Vec<Alert>) {
        // A detector that has ended counts them when it starts again.
        let _ = self.wishes.send(Wish::Backfilled(alerts));
    }

    /// How the rules fare that keep anything.
    ///
    /// # Errors
    ///
    /// The detector has ended.
    pub async fn health(&self) -> Result<Vec<RuleHealth>, String> {
        self.ask(Wish::Health).await
    }

    /// Ends it, with everything written down. The thread ends soon after.
    pub fn stop(&self) {
        // If it has ended already, there is nothing to end.
        let _ = self.wishes.send(Wish::Stop);
    }

    async fn ask<T>(&self, wish: impl FnOnce(oneshot::Sender<T>) -> Wish) -> Result<T, String> {
        let (answer, answered) = oneshot::channel();
        let gone = || "the detector has ended".to_owned();
        self.wishes.send(wish(answer)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())
    }
}
