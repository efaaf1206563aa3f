//! An outbox in memory, a courier that runs over it, and alerts to put into it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use lurcher_deliver::{Counters, Courier, Letter, Outbox, Target, TargetConfig, targets};
use lurcher_schema::{Clock, SystemClock, Timestamp};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Delivered,
    Dead(String),
}

struct Entry {
    target: String,
    letter: Letter,
    next: Timestamp,
    state: State,
    error: String,
}

/// An outbox that outlives its courier.
#[derive(Default)]
pub(crate) struct MemoryOutbox {
    entries: Mutex<BTreeMap<i64, Entry>>,
    last: AtomicI64,
    /// Nothing can be noted.
    pub(crate) broken: AtomicBool,
    /// Whoever notes something waits for ever, as if the process were cut there.
    pub(crate) frozen: AtomicBool,
}

impl MemoryOutbox {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn put(&self, target: &str, alert: Value) -> i64 {
        self.put_with(target, alert, BTreeMap::new())
    }

    pub(crate) fn put_with(&self, target: &str, alert: Value, formats: BTreeMap<String, Value>) -> i64 {
        let id = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        let key = format!("{target}-{}", alert["id"].as_str().unwrap());
        let letter = Letter { id, key, attempts: 0, created: SystemClock.now(), alert, formats };
        let entry =
            Entry { target: target.into(), letter, next: Timestamp(0), state: State::Waiting, error: String::new() };
        self.entries.lock().unwrap().insert(id, entry);
        id
    }

    pub(crate) fn state(&self, id: i64) -> State {
        self.entries.lock().unwrap()[&id].state.clone()
    }

    /// Attempts in vain and the last error.
    pub(crate) fn history(&self, id: i64) -> (u32, String) {
        let entries = self.entries.lock().unwrap();
        (entries[&id].letter.attempts, entries[&id].error.clone())
    }

    /// Waits until nothing of this target waits any more.
    pub(crate) async fn settled(&self, target: &str) {
        until("all letters are settled", || {
            let entries = self.entries.lock().unwrap();
            entries.values().all(|entry| entry.target != target || entry.state != State::Waiting)
        })
        .await;
    }

    async fn note(&self, change: impl FnOnce(&mut BTreeMap<i64, Entry>)) -> Result<(), String> {
        if self.frozen.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.broken.load(Ordering::SeqCst) {
            return Err("the disk is full".into());
        }
        change(&mut self.entries.lock().unwrap());
        Ok(())
    }
}

#[async_trait]
impl Outbox for MemoryOutbox {
    async fn due(&self, target: &str, now: Timestamp, limit: usize) -> Result<Vec<Letter>, String> {
        let entries = self.entries.lock().unwrap();
        Ok(entries
            .values()
            .filter(|entry| entry.target == target && entry.state == State::Waiting && entry.next <= now)
            .take(limit)
            .map(|entry| entry.letter.clone())
            .collect())
    }

    async fn delivered(&self, id: i64) -> Result<(), String> {
        self.note(|entries| entries.get_mut(&id).unwrap().state = State::Delivered).await
    }

    async fn failed(&self, id: i64, error: &str, next: Timestamp) -> Result<(), String> {
        self.note(|entries| {
            let entry = entries.get_mut(&id).unwrap();
            entry.letter.attempts += 1;
            entry.next = next;
            entry.error = error.into();
        })
        .await
    }

    async fn dead(&self, id: i64, error: &str) -> Result<(), String> {
        self.note(|entries| entries.get_mut(&id).unwrap().state = State::Dead(error.into())).await
    }
}

/// A courier at work.
pub(crate) struct Running {
    stop: watch::Sender<bool>,
    pub(crate) task: JoinHandle<()>,
    pub(crate) counters: Counters,
}

impl Running {
    /// Stops it and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.task).await.expect("the courier stops").unwrap();
    }
}

pub(crate) fn configuration(text: &str) -> TargetConfig {
    toml::from_str(text).unwrap()
}

pub(crate) fn target(text: &str) -> Arc<Target> {
    Arc::new(Target::new(&configuration(text)).unwrap())
}

/// Starts a courier for these tables of `[[deliver]]`.
pub(crate) fn start(outbox: &Arc<MemoryOutbox>, tables: &[String]) -> Running {
    let configs: Vec<TargetConfig> = tables.iter().map(|text| configuration(text)).collect();
    let counters = Counters::default();
    let outbox: Arc<dyn Outbox> = outbox.clone();
    let courier = Courier::new(targets(&configs).unwrap(), outbox, Arc::new(SystemClock), counters.clone());
    let (stop, order) = watch::channel(false);
    Running { stop, task: tokio::spawn(courier.run(order)), counters }
}

/// An alert in its native document.
pub(crate) fn alert(id: &str) -> Value {
    json!({
        "id": id, "time": "2026-01-02T03:04:05.678Z", "kind": "finding",
        "rule": {"id": "r-1", "name": "Credential <dumping>", "vendor": "elastic", "language": "eql", "path": "r.toml", "version": "3"},
        "severity": "high", "risk_score": 73, "message": "procdump *wrote* lsass.dmp & more",
        "tactics": ["TA0006"], "techniques": ["T1003.001"], "stories": [],
        "entities": [{"field": "user.name", "value": "alice", "type": "user", "role": "victim"},
                     {"field": "host.name", "value": "ws01", "type": "system", "role": "victim"}],
        "events": [{"file": "f", "record": "1", "time": "2026-01-02T03:04:05.678Z", "doc": {"process": {"name": "procdump.exe"}}}],
        "event_count": 1, "values": {}, "suppressed": 0,
    })
}

/// Waits, for some seconds, until it is so.
pub(crate) async fn until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..2000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("in vain: {what}");
}
