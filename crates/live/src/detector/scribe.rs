//! The scribe: writes down what the detector finds, in order, while the detector goes on.
//!
//! One thread puts alerts into their layouts, another commits them together with the detector's place, so nothing changes for
//! a crash: what was not written down is found again. Pages that wait for the second are written down together. Only so much
//! waits that the detector is never far ahead.

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
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::runtime::Handle;

use super::{
    DetectorParts, Figures, SLOW,
    findings::{Finding, new_incident},
};
use crate::rules::Loaded;

/// After a failure of the alert store it is tried again this soon at first, and then less and less often.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// Pages, and alerts on them, that wait to be written down, at most.
const MOST_PAGES: usize = 64;
const MOST_ALERTS: usize = 2_000;
/// Alerts that are written down together, about.
const TOGETHER: usize = 500;
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

/// A page whose alerts are in their layouts.
struct Fair {
    commit: Commit,
    moves: bool,
    /// How many alerts the detector put on it.
    counted: usize,
}

#[derive(Default)]
struct Desk {
    pages: VecDeque<Page>,
    fair: VecDeque<Fair>,
    /// Of the pages that somebody has in hand and of those that wait: how many, and the alerts on them.
    open: (usize, usize),
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
    threads: Vec<JoinHandle<()>>,
}

impl Scribe {
    pub(super) fn start(parts: &DetectorParts, runtime: &Handle) -> Result<Self, String> {
        let shared = Arc::new(Shared::default());
        let begin = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
            thread.map_err(|error| format!("the thread that writes alerts down cannot be started: {error}"))
        };
        let own = Arc::clone(&shared);
        let lays_out = begin("layouts", Box::new(move || own.lay_out()))?;
        let (own, own_parts, runtime) = (Arc::clone(&shared), parts.clone(), runtime.clone());
        let writes = begin("scribe", Box::new(move || own.write_down(&own_parts, &runtime)))?;
        Ok(Self { shared, figures: Arc::clone(&parts.figures), threads: vec![lays_out, writes] })
    }

    /// Hands a page over, once there is room for it. `stops` is asked now and then whether to wait no longer; says whether
    /// the page was taken.
    pub(super) fn write(&self, page: Page, stops: &mut dyn FnMut() -> bool) -> bool {
        let mut desk = self.shared.desk.lock();
        while (desk.open.0 >= MOST_PAGES || desk.open.1 >= MOST_ALERTS) && !desk.given_up {
            desk.given_up = self.waits(&mut desk, stops);
        }
        if desk.given_up {
            return false;
        }
        self.figures.unwritten.fetch_add(1, Ordering::Release);
        desk.open.0 += 1;
        desk.open.1 += page.alerts.len();
        desk.pages.push_back(page);
        self.shared.changed.notify_all();
        true
    }

    /// Waits until all pages are written down; says whether they are.
    pub(super) fn flush(&self, stops: &mut dyn FnMut() -> bool) -> bool {
        let mut desk = self.shared.desk.lock();
        while desk.open.0 > 0 && !desk.given_up {
            desk.given_up = self.waits(&mut desk, stops);
        }
        !desk.given_up
    }

    /// Waits for a change for a while; says whether to give up.
    fn waits(&self, desk: &mut MutexGuard<'_, Desk>, stops: &mut dyn FnMut() -> bool) -> bool {
        self.shared.changed.wait_for(desk, LOOK_UP).timed_out() && stops()
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        self.shared.desk.lock().closed = true;
        self.shared.changed.notify_all();
        // A thread that has ended by itself need not be waited for.
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

impl Shared {
    /// What `take` finds on the desk, once it finds something; `None` at the end.
    fn next<T>(&self, take: impl Fn(&mut Desk) -> Option<T>) -> Option<T> {
        let mut desk = self.desk.lock();
        loop {
            if desk.given_up {
                return None;
            }
            if let Some(found) = take(&mut desk) {
                return Some(found);
            }
            if desk.closed && desk.open.0 == 0 {
                return None;
            }
            self.changed.wait(&mut desk);
        }
    }

    /// Puts the alerts of page after page into their layouts.
    fn lay_out(&self) {
        while let Some(page) = self.next(|desk| desk.pages.pop_front()) {
            let fair = laid_out(page);
            self.desk.lock().fair.push_back(fair);
            self.changed.notify_all();
        }
    }

    /// Writes down what is laid out, as much together as may be.
    fn write_down(&self, parts: &DetectorParts, runtime: &Handle) {
        while let Some((mut fair, pages, alerts)) = self.next(Desk::together) {
            self.commit(&mut fair, parts, runtime);
            let mut desk = self.desk.lock();
            desk.open.0 -= pages;
            desk.open.1 -= alerts;
            drop(desk);
            parts.figures.unwritten.fetch_sub(pages as u64, Ordering::Release);
            self.changed.notify_all();
        }
    }

    /// Commits a page, again and again if need be, and tells what is new.
    fn commit(&self, Fair { commit, moves, .. }: &mut Fair, parts: &DetectorParts, runtime: &Handle) {
        let start = Instant::now();
        let mut pause = RETRY.0;
        let new: BTreeSet<String> = loop {
            match runtime.block_on(parts.triage.try_commit(commit)) {
                Ok(committed) => break committed.new_alerts.into_iter().collect(),
                Err(error) => tracing::error!(%error, "alerts cannot be written down; trying again"),
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(RETRY.1);
            let mut desk = self.desk.lock();
            if desk.given_up || desk.closed {
                // Nothing is lost: the place was not written down either, and nothing after it is.
                desk.given_up = true;
                return;
            }
        };
        if start.elapsed() >= SLOW {
            let (alerts, runs, seconds) = (commit.alerts.len(), commit.runs.len(), start.elapsed().as_secs_f64());
            tracing::debug!(alerts, runs, seconds, "a page took long to write down");
        }
        if !new.is_empty() {
            parts.bell.ring_all();
        }
        parts.figures.alerts.fetch_add(new.len() as u64, Ordering::Relaxed);
        if *moves {
            parts.figures.position.store(commit.position, Ordering::Release);
        }
        let alerts = std::mem::take(&mut commit.alerts).into_iter();
        let incidents = std::mem::take(&mut commit.incidents).into_iter().map(|incident| incident.alert);
        for alert in alerts.chain(incidents).filter(|alert| new.contains(&alert.id)) {
            parts.events.publish(Topic::Alert, &NewAlert { document: serde_json::Value::Null, ..alert });
        }
        for run in commit.runs.iter().filter(|run| run.created > 0 || run.capped > 0) {
            parts.events.publish(Topic::Ledger, run);
        }
    }
}

impl Desk {
    /// The pages that are written down together next, how many they were, and the alerts that the detector counted on them.
    fn together(&mut self) -> Option<(Fair, usize, usize)> {
        let mut first = self.fair.pop_front()?;
        let (mut pages, mut alerts) = (1, first.counted);
        while alerts < TOGETHER
            && let Some(next) =
                self.fair.pop_front_if(|next| next.moves == first.moves && first.commit.joins(&next.commit))
        {
            pages += 1;
            alerts += next.counted;
            first.commit.join(next.commit);
        }
        Some((first, pages, alerts))
    }
}

/// A page with its alerts and incidents in their layouts.
fn laid_out(page: Page) -> Fair {
    let Page { mut commit, alerts, incidents, loaded, moves } = page;
    let Loaded { schemas, site, .. } = &*loaded;
    let counted = alerts.len();
    let alerts = alerts.iter().filter_map(|found| lay_out(&found.alert, || found.laid_out(schemas, site)));
    commit.alerts = alerts.collect();
    let incidents = incidents.iter().filter_map(|one| lay_out(&one.alert, || new_incident(one, schemas, site)));
    commit.incidents = incidents.collect();
    Fair { commit, moves, counted }
}

/// An alert or incident as the store takes it. A fault in the layouts of one keeps no other from being written down.
fn lay_out<T>(alert: &Alert, layouts: impl FnOnce() -> T) -> Option<T> {
    let made = catch_unwind(AssertUnwindSafe(layouts));
    made.inspect_err(|_| {
        let (id, rule) = (&alert.id, &alert.rule.meta.name);
        tracing::error!(%id, %rule, "an alert cannot be laid out and is lost: a fault of lurcher, please report it");
    })
    .ok()
}
