//! Delivers everything: a worker for each target, none of which waits for another.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use lurcher_schema::Clock;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use tracing::error;

use crate::{counters::Counters, letter::Outbox, target::Target, worker::Worker};

/// How often the outbox is looked into when nobody rings.
const POLL: Duration = Duration::from_secs(1);

/// A worker that died of a panic is replaced after this time.
const REPLACED_AFTER: Duration = Duration::from_secs(5);

/// Delivers the letters of all targets.
pub struct Courier {
    targets: Vec<Arc<Target>>,
    outbox: Arc<dyn Outbox>,
    clock: Arc<dyn Clock>,
    counters: Counters,
    bell: Bell,
}

/// Tells the courier that there is something in the outbox, so that it need not wait until it looks by itself.
#[derive(Clone, Debug, Default)]
pub struct Bell(Arc<BTreeMap<String, Arc<Notify>>>);

impl Bell {
    /// There is something for this target.
    pub fn ring(&self, target: &str) {
        if let Some(bell) = self.0.get(target) {
            bell.notify_one();
        }
    }

    /// There may be something for any target.
    pub fn ring_all(&self) {
        for bell in self.0.values() {
            bell.notify_one();
        }
    }
}

impl Courier {
    /// A courier for these targets. `clock` says when letters are due; waits are measured on the monotonic clock.
    pub fn new(targets: Vec<Arc<Target>>, outbox: Arc<dyn Outbox>, clock: Arc<dyn Clock>, counters: Counters) -> Self {
        let bells = targets.iter().map(|target| (target.name.clone(), Arc::default())).collect();
        Self { targets, outbox, clock, counters, bell: Bell(Arc::new(bells)) }
    }

    /// Its bell, for whoever fills the outbox.
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Delivers until `stop` turns true or its sender is gone; then finishes and notes what is being sent, and returns.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let mut workers = JoinSet::new();
        let mut running = BTreeMap::new();
        for target in &self.targets {
            let id = workers.spawn(self.worker(target, &stop).run()).id();
            running.insert(id, Arc::clone(target));
        }
        while let Some(ended) = workers.join_next_with_id().await {
            let Err(failure) = ended else { continue };
            let Some(target) = running.remove(&failure.id()) else { continue };
            error!(target_name = %target.name, error = %failure, "a worker broke down and is replaced");
            let mut worker = self.worker(&target, &stop);
            let replaced = async move {
                worker.wait(REPLACED_AFTER, false).await;
                worker.run().await;
            };
            let id = workers.spawn(replaced).id();
            running.insert(id, target);
        }
    }

    fn worker(&self, target: &Arc<Target>, stop: &watch::Receiver<bool>) -> Worker {
        Worker {
            target: Arc::clone(target),
            outbox: Arc::clone(&self.outbox),
            clock: Arc::clone(&self.clock),
            counters: self.counters.of(&target.name),
            bell: self.bell.0.get(&target.name).map(Arc::clone).unwrap_or_default(),
            stop: stop.clone(),
            poll: POLL,
        }
    }
}
