//! The scribe: writes down what the detector finds, in order, on a thread of its own, while the detector goes on.
//!
//! Alerts are put into their layouts and committed together with the detector's place, so nothing changes for a crash: what
//! was not written down is found again. Only so much waits that the detector is never far ahead.

use std::{
    collections::{BTreeSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use lurcher_engine::{Alert, risk::RiskIncident};
use lurcher_server::events::Topic;
use lurcher_triage::{Commit, NewAlert};
use parking_lot::{Condvar, Mutex};
use tokio::runtime::Handle;

use super::{
    DetectorParts, Figures, SLOW,
    findings::{Finding, new_incident},
};
use crate::rules::Loaded;

/// After a failure of the alert store it is tried again this soon at first, and then less and less often.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// Pages that wait while one is written.
const WAITING: usize = 2;
/// Who waits for the scribe looks up this often.
const LOOK_UP: Duration = Duration::from_millis(100);

/// What is written down in one transaction.
pub(super) struct Page {
    /// All but the alerts and incidents.
    pub(super) commit: Commit,
    /// The alerts, to be put into their layouts.
    pub(super) alerts: Vec<Finding>,
    /// The incidents, likewise.
    pub(super) incidents: Vec<RiskIncident>,
    /// What they were found with.
    pub(super) loaded: Arc<Loaded>,
    /// Whether its place is the detector's.
    pub(super) moves: bool,
}

#[derive(Default)]
struct Desk {
    pages: VecDeque<Page>,
    writing: bool,
    /// No more pages come.
    closed: bool,
    /// What cannot be written down is let go; its place is not written down either.
    given_up: bool,
}

#[derive(Default)]
struct Shared {
    desk: Mutex<Desk>,
    changed: Condvar,
}

/// The scribe, from the detector's side. Ends with all written down when it goes.
pub(super) struct Scribe {
    shared: Arc<Shared>,
    figures: Arc<Figures>,
    thread: Option<JoinHandle<()>>,
}

impl Scribe {
    pub(super) fn start(parts: &DetectorParts, runtime: &Handle) -> Result<Self, String> {
        let shared = Arc::new(Shared::default());
        let figures = Arc::clone(&parts.figures);
        let (own, parts, runtime) = (Arc::clone(&shared), parts.clone(), runtime.clone());
        let thread = std::thread::Builder::new().name("scribe".to_owned()).spawn(move || {
            while let Some(page) = own.next() {
                write(page, &parts, &runtime, &own);
                own.desk.lock().writing = false;
                parts.figures.unwritten.fetch_sub(1, Ordering::Release);
                own.changed.notify_all();
            }
        });
        let thread =
            thread.map_err(|error| format!("the thread that writes alerts down cannot be started: {error}"))?;
        Ok(Self { shared, figures, thread: Some(thread) })
    }

    /// Hands a page over, once there is room for it. `stops` is asked now and then whether to wait no longer; says whether
    /// the page was taken.
    pub(super) fn write(&self, page: Page, stops: &mut dyn FnMut() -> bool) -> bool {
        let mut desk = self.shared.desk.lock();
        while desk.pages.len() >= WAITING && !desk.given_up {
            desk.given_up = self.waits(&mut desk, stops);
        }
        if desk.given_up {
            return false;
        }
        self.figures.unwritten.fetch_add(1, Ordering::Release);
        desk.pages.push_back(page);
        self.shared.changed.notify_all();
        true
    }

    /// Waits until all pages are written down; says whether they are.
    pub(super) fn flush(&self, stops: &mut dyn FnMut() -> bool) -> bool {
        let mut desk = self.shared.desk.lock();
        while (desk.writing || !desk.pages.is_empty()) && !desk.given_up {
            desk.given_up = self.waits(&mut desk, stops);
        }
        !desk.given_up
    }

    /// Waits for a change for a while; says whether to give up.
    fn waits(&self, desk: &mut parking_lot::MutexGuard<'_, Desk>, stops: &mut dyn FnMut() -> bool) -> bool {
        self.shared.changed.wait_for(desk, LOOK_UP).timed_out() && stops()
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.shared.desk.lock().closed = true;
        self.shared.changed.notify_all();
        // If it has ended by itself, there is nothing to wait for.
        self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    /// The next page; `None` at the end.
    fn next(&self) -> Option<Page> {
        let mut desk = self.desk.lock();
        loop {
            if desk.given_up {
                return None;
            }
            if let Some(page) = desk.pages.pop_front() {
                desk.writing = true;
                self.changed.notify_all();
                return Some(page);
            }
            if desk.closed {
                return None;
            }
            self.changed.wait(&mut desk);
        }
    }
}

/// Writes a page down, again and again if need be, and tells what is new.
fn write(page: Page, parts: &DetectorParts, runtime: &Handle, shared: &Shared) {
    let Page { mut commit, alerts, incidents, loaded, moves } = page;
    let start = Instant::now();
    let Loaded { schemas, site, .. } = &*loaded;
    commit.alerts =
        alerts.iter().filter_map(|found| laid_out(&found.alert, || found.laid_out(schemas, site))).collect();
    commit.incidents =
        incidents.iter().filter_map(|one| laid_out(&one.alert, || new_incident(one, schemas, site))).collect();
    drop((alerts, incidents));
    let laid_out = start.elapsed();
    let mut pause = RETRY.0;
    let new: BTreeSet<String> = loop {
        match runtime.block_on(parts.triage.commit(commit.clone())) {
            Ok(committed) => break committed.new_alerts.into_iter().collect(),
            Err(error) => tracing::error!(%error, "alerts cannot be written down; trying again"),
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(RETRY.1);
        let desk = shared.desk.lock();
        if desk.given_up || desk.closed {
            // Nothing is lost: the place was not written down either.
            return;
        }
    };
    if start.elapsed() >= SLOW {
        let (alerts, runs) = (commit.alerts.len(), commit.runs.len());
        let (layouts, seconds) = (laid_out.as_secs_f64(), start.elapsed().as_secs_f64());
        tracing::debug!(alerts, runs, layouts, seconds, "a page took long to write down");
    }
    if !new.is_empty() {
        parts.bell.ring_all();
    }
    parts.figures.alerts.fetch_add(new.len() as u64, Ordering::Relaxed);
    if moves {
        parts.figures.position.store(commit.position, Ordering::Release);
    }
    for alert in commit.alerts.into_iter().chain(commit.incidents.into_iter().map(|incident| incident.alert)) {
        if new.contains(&alert.id) {
            parts.events.publish(Topic::Alert, &NewAlert { document: serde_json::Value::Null, ..alert });
        }
    }
    for run in commit.runs.iter().filter(|run| run.created > 0 || run.capped > 0) {
        parts.events.publish(Topic::Ledger, run);
    }
}

/// An alert or incident as the store takes it. A fault in the layouts of one keeps no other from being written down.
fn laid_out<T>(alert: &Alert, lay_out: impl FnOnce() -> T) -> Option<T> {
    let made = catch_unwind(AssertUnwindSafe(lay_out));
    made.inspect_err(|_| {
        let (id, rule) = (&alert.id, &alert.rule.meta.name);
        tracing::error!(%id, %rule, "an alert cannot be laid out and is lost: a fault of lurcher, please report it");
    })
    .ok()
}
