//! All listeners of a configuration started together.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::Router;
use lurcher_schema::Clock;
use tokio::task::JoinSet;

use crate::{
    BodyReader, Counters, Failure, Gate, Intake, Options, Reception, Stop, elasticsearch, files, hec, http, kafka,
    otlp, stdin, syslog,
};

/// What a started configuration consists of.
#[derive(Debug)]
pub struct Started {
    /// The protocols over HTTP, for the server's port.
    pub router: Router,
    /// The other listeners, each with its name. One that ends with a failure could not start or go on; the others are
    /// not touched by that. They all end when the server stops.
    pub tasks: JoinSet<(&'static str, Result<(), Failure>)>,
    /// The counts of each protocol under its name, for metrics.
    pub counters: Vec<(&'static str, Arc<Counters>)>,
}

/// The seams that all listeners share.
struct Seams {
    intake: Arc<dyn Intake>,
    gate: Arc<dyn Gate>,
    clock: Arc<dyn Clock>,
    counters: Mutex<Vec<(&'static str, Arc<Counters>)>>,
}

impl Seams {
    /// A reception for the protocol; those of one name share their counts.
    fn reception(&self, name: &'static str) -> Reception {
        let mut all = self.counters.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = all.iter().find(|(known, _)| *known == name).map(|(_, counters)| Arc::clone(counters));
        let counters = known.unwrap_or_else(|| {
            let counters = Arc::<Counters>::default();
            all.push((name, Arc::clone(&counters)));
            counters
        });
        Reception::new(Arc::clone(&self.intake), Arc::clone(&self.gate), Arc::clone(&self.clock), counters)
    }
}

/// Starts every listener that the options name, on the runtime that this is called on. `state` is the folder in which
/// it is kept how far files were read; it is made if it is not there.
pub fn start(
    options: &Options,
    intake: Arc<dyn Intake>,
    gate: Arc<dyn Gate>,
    clock: Arc<dyn Clock>,
    state: &Path,
    stop: &Stop,
) -> Result<Started, Failure> {
    options.check().map_err(Failure)?;
    let seams = Seams { intake, gate, clock, counters: Mutex::default() };
    let router = router(options, &seams);
    let mut tasks = JoinSet::new();
    if !options.files.is_empty() {
        fs::create_dir_all(state).map_err(|error| Failure(format!("{}: {error}", state.display())))?;
    }
    for entry in &options.files {
        // Known by what it reads, so that its place in the configuration may change.
        let key = format!("{}\0{:?}", entry.paths.join("\0"), entry.mode);
        let checkpoint = state.join(format!("files-{:08x}.json", crc32fast::hash(key.as_bytes())));
        let (entry, reception, stop) = (entry.clone(), seams.reception("files"), stop.clone());
        tasks.spawn(async move { ("files", files::run(entry, checkpoint, reception, stop).await) });
    }
    for entry in &options.kafka {
        let (entry, reception, stop) = (entry.clone(), seams.reception("kafka"), stop.clone());
        tasks.spawn(async move { ("kafka", kafka::run(entry, reception, stop).await) });
    }
    if let Some(entry) = options.stdin.clone() {
        let (reception, stop) = (seams.reception("stdin"), stop.clone());
        tasks.spawn(async move { ("stdin", stdin::run(entry, reception, stop).await) });
    }
    if let Some(entry) = options.syslog.udp.clone() {
        let (reception, stop) = (seams.reception("syslog_udp"), stop.clone());
        tasks.spawn(async move { ("syslog_udp", syslog::udp::run(entry, reception, stop).await) });
    }
    for (name, entry) in [("syslog_tcp", &options.syslog.tcp), ("syslog_tls", &options.syslog.tls)] {
        if let Some(entry) = entry.clone() {
            let (reception, stop) = (seams.reception(name), stop.clone());
            tasks.spawn(async move { (name, syslog::stream::run(entry, reception, stop).await) });
        }
    }
    if let Some(entry) = options.otlp.grpc.clone() {
        let (reception, stop, dataset) = (seams.reception("otlp_grpc"), stop.clone(), options.otlp.dataset.clone());
        tasks.spawn(async move { ("otlp_grpc", otlp::grpc::run(entry, &dataset, reception, stop).await) });
    }
    let counters = seams.counters.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(Started { router, tasks, counters })
}

fn router(options: &Options, seams: &Seams) -> Router {
    let bodies = BodyReader::new(options.http.clone());
    let mut router = Router::new();
    if options.elasticsearch.enabled {
        let reception = seams.reception("elasticsearch");
        router = router.merge(elasticsearch::router(options.elasticsearch.clone(), reception, bodies.clone()));
    }
    if options.hec.enabled {
        router = router.merge(hec::router(options.hec.clone(), seams.reception("hec"), bodies.clone()));
    }
    if options.otlp.enabled {
        router = router.merge(otlp::router(options.otlp.clone(), seams.reception("otlp_http"), bodies.clone()));
    }
    if options.plain.enabled {
        router = router.merge(http::router(options.plain.clone(), seams.reception("plain"), bodies));
    }
    router
}
