//! An intake in memory, and the routers on a port of their own.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use axum::Router;
use lurcher_ingest::{
    BodyLimits, BodyReader, Counters, Gate, Intake, Reception, Refusal, Stop, elasticsearch, hec, http, otlp,
};
use lurcher_journal::{Record, RecordKind};
use lurcher_schema::{Timestamp, VirtualClock};
use serde_json::Value;
use tokio::sync::watch;

/// The key that opens the gate.
pub(crate) const KEY: &str = "s3cret";

/// Keeps what it takes; refuses while it is told to.
#[derive(Default)]
pub(crate) struct TestIntake {
    records: Mutex<Vec<Record>>,
    refusal: Mutex<Option<Refusal>>,
}

#[async_trait]
impl Intake for TestIntake {
    async fn accept(&self, records: Vec<Record>) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        assert!(records.iter().all(|record| !record.body.is_empty()), "bodies are never empty");
        self.records.lock().unwrap().extend(records);
        Ok(())
    }
}

struct KeyGate;

impl Gate for KeyGate {
    fn may_deliver(&self, secret: Option<&str>) -> bool {
        secret == Some(KEY)
    }
}

/// All that a test needs.
pub(crate) struct Server {
    pub(crate) intake: Arc<TestIntake>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) counters: Arc<Counters>,
    stop: watch::Sender<bool>,
}

impl Server {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(VirtualClock::at(Timestamp(1_700_000_000_000_000)));
        let stop = watch::channel(false).0;
        Self { intake: Arc::default(), clock, counters: Arc::default(), stop }
    }

    pub(crate) fn reception(&self) -> Reception {
        let (intake, clock): (Arc<dyn Intake>, Arc<VirtualClock>) = (self.intake.clone(), self.clock.clone());
        Reception::new(intake, Arc::new(KeyGate), clock, Arc::clone(&self.counters))
    }

    pub(crate) fn stop_receiver(&self) -> Stop {
        self.stop.subscribe()
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(crate) fn refuse(&self, refusal: Option<Refusal>) {
        *self.intake.refusal.lock().unwrap() = refusal;
    }

    /// All routers with these limits, on a port of their own.
    pub(crate) async fn http(&self, limits: BodyLimits, hec_options: hec::Options) -> SocketAddr {
        let bodies = BodyReader::new(limits);
        let router = Router::new()
            .merge(elasticsearch::router(elasticsearch::Options::default(), self.reception(), bodies.clone()))
            .merge(hec::router(hec_options, self.reception(), bodies.clone()))
            .merge(otlp::router(otlp::Options::default(), self.reception(), bodies.clone()))
            .merge(http::router(http::Options::default(), self.reception(), bodies));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    pub(crate) async fn open(&self) -> Client {
        Client::new(self.http(BodyLimits::default(), hec::Options::default()).await)
    }

    /// Kind, stream and body of all records taken so far.
    pub(crate) fn taken(&self) -> Vec<(RecordKind, String, String)> {
        let records = self.intake.records.lock().unwrap();
        let text = |record: &Record| String::from_utf8_lossy(&record.body).into_owned();
        records.iter().map(|record| (record.kind, record.stream.to_string(), text(record))).collect()
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        self.taken().into_iter().map(|record| record.2).collect()
    }

    /// Waits until so many records were taken.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<String> {
        self.wait_until(|| self.intake.records.lock().unwrap().len() >= count).await;
        self.bodies()
    }

    pub(crate) async fn wait_until(&self, done: impl Fn() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < Duration::from_secs(30), "waited too long; taken: {:?}", self.bodies());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn count(&self, counter: fn(&Counters) -> &std::sync::atomic::AtomicU64) -> u64 {
        counter(&self.counters).load(Ordering::Relaxed)
    }
}

/// A client with the key.
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) client: reqwest::Client,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        // Another test may have done so already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { address, client: reqwest::Client::new() }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        self.client.request(method.parse().unwrap(), url).header("Authorization", format!("Bearer {KEY}"))
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        answer(self.request("POST", path).header("Content-Type", "application/json").body(body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request("GET", path)).await
    }
}

/// Status and body of an answer.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}
