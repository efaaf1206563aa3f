//! The live engine put together: what is started in which order, and stopped in which.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

use async_trait::async_trait;
use lurcher_deliver::{Bell, Counters, Courier, Target};
use lurcher_journal::{Journal, JournalOptions, Position};
use lurcher_schema::{Clock, Timestamp};
use lurcher_store::Store;
use lurcher_triage::{NewAlert, Recipient, Triage};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    detector::{Detector, DetectorOptions, DetectorParts, Figures, Service},
    fill::{Filler, Memory},
    intake::{Door, JournalIntake},
    outbox::{StoredLetters, Targets},
    rules::{RuleSource, disabled},
    settings::Settings,
};
use lurcher_server::{
    Parts,
    auth::{KeptAudit, KeptKeys, KeyGate},
    backup::Copied,
    content::{Content, ContentKind},
    detection::{Refused, StreamInfo, Streams},
    events::Events,
    health::{Condition, Health},
    http::Port,
    jobs::Jobs,
    lifecycle::{Shutdown, Signal, Signals, Stop},
    metrics::{Label, Metrics},
    routes,
    settings::ServerSettings,
    state::StateFolder,
    watch::{Fullness, Watch},
};

/// How often the journal is trimmed and counts are brought up to date.
const TRIM_EVERY: Duration = Duration::from_secs(5);
/// How often tables are compacted and what is too old is deleted.
const MAINTAIN_EVERY: Duration = Duration::from_mins(10);
const EXPIRE_EVERY: Duration = Duration::from_hours(1);
/// How long a run waits beyond its time for records that are on their way.
const GRACE: Duration = Duration::from_millis(250);
/// In microseconds.
const DAY: i64 = 86_400_000_000;

/// What the live engine is started with.
#[derive(Debug)]
pub struct ServeOptions {
    /// The settings of its door.
    pub server: ServerSettings,
    /// All other settings.
    pub settings: Settings,
    /// The file that they are from, for backups.
    pub settings_file: Option<PathBuf>,
    /// Where rules come from.
    pub source: Arc<dyn RuleSource>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// A live engine that runs.
pub struct Server {
    address: SocketAddr,
    admin_key: Option<String>,
    stop: Stop,
    detector: Detector,
    tls: Option<Arc<lurcher_server::http::Tls>>,
    shutdown: Shutdown,
    within: Duration,
    journal: Arc<Journal>,
    figures: Arc<Figures>,
    clock: Arc<dyn Clock>,
}

/// Serves until a signal asks it to stop. On its first start it prints the first key.
///
/// # Errors
///
/// Says what cannot be opened or bound, and the way out.
pub async fn serve(options: ServeOptions) -> Result<(), String> {
    lurcher_server::logs::begin(&options.server.log)?;
    let mut signals = Signals::install().map_err(|error| format!("signals: {error}"))?;
    let server = Server::start(options).await?;
    if let Some(key) = server.admin_key() {
        print_once(key);
    }
    tracing::info!(address = %server.address(), "listening");
    loop {
        match signals.next().await {
            Signal::Stop => break,
            Signal::Reload => server.reload().await,
        }
    }
    let failed = server.stop().await;
    if failed.is_empty() { Ok(()) } else { Err(format!("these did not stop cleanly: {}", failed.join(", "))) }
}

#[allow(clippy::print_stdout, reason = "shown once, and never in a log")]
fn print_once(key: &str) {
    println!("admin key: {key}\nIt is shown this once; keep it. More keys: POST /api/v1/keys.");
}

/// What everything else stands on.
struct Base {
    state: Arc<StateFolder>,
    triage: Arc<Triage>,
    journal: Arc<Journal>,
    store: Arc<Store>,
    keys: Arc<KeptKeys>,
    events: Arc<Events>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    fullness: Fullness,
    figures: Arc<Figures>,
    clock: Arc<dyn Clock>,
    stop: Stop,
}

impl Base {
    async fn open(server: &ServerSettings, settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let state = Arc::new(StateFolder::open(&server.state, &*clock)?);
        let url = settings.triage.url(&state.triage())?;
        let triage = Triage::open(&url, Arc::clone(&clock)).await.map_err(|error| format!("[triage] {error}"))?;
        let triage = Arc::new(triage);
        let journal = Journal::open(&state.journal(), JournalOptions::default()).map_err(|error| error.to_string())?;
        for damage in &journal.recovery().damages {
            tracing::error!(%damage, "a part of the journal is damaged; its records are lost");
        }
        let store = Store::open(settings.store.options(&state.store(), &clock)).await;
        let store = store.map_err(|error| format!("[store] {error}"))?;
        // A journal that was lost, or restored from an older copy, must not give out places that tables have passed.
        if store.reached() > journal.end() {
            journal.skip_to(store.reached()).await.map_err(|error| error.to_string())?;
        }
        Ok(Self {
            keys: Arc::new(KeptKeys::new(Arc::clone(&triage), Arc::clone(&clock))),
            events: Arc::new(Events::new(&*clock, server.events_kept)),
            metrics: Arc::new(Metrics::new()),
            health: Arc::default(),
            fullness: Fullness::default(),
            figures: Arc::default(),
            stop: Stop::default(),
            state,
            triage,
            journal,
            store,
            clock,
        })
    }

    /// What shippers ask for, and the listeners that have ports of their own.
    fn listen(&self, settings: &Settings, tasks: &mut JoinSet<()>) -> Result<axum::Router, String> {
        let intake = Arc::new(JournalIntake {
            journal: Arc::clone(&self.journal),
            figures: Arc::clone(&self.figures),
            backlog: settings.live.backlog,
            fullness: self.fullness.clone(),
            stop: self.stop.clone(),
            metrics: Arc::clone(&self.metrics),
        });
        let gate = Arc::new(Door(KeyGate::new(Arc::clone(&self.keys), settings.live.open_intake)));
        let started = lurcher_ingest::start(
            &settings.ingest,
            intake,
            gate,
            Arc::clone(&self.clock),
            &self.state.ingest(),
            &self.stop.receiver(),
        )
        .map_err(|failure| format!("[ingest] {failure}"))?;
        let (mut listeners, health, stop) = (started.tasks, Arc::clone(&self.health), self.stop.clone());
        tasks.spawn(async move {
            while let Some(ended) = listeners.join_next().await {
                if let Ok((name, Err(failure))) = ended
                    && !stop.has_begun()
                {
                    health.set(name, Condition::Unready(failure.to_string()));
                }
            }
        });
        Ok(started.router)
    }

    /// The tables, filled from the journal and kept in shape.
    async fn fill_tables(&self, tasks: &mut JoinSet<()>) -> watch::Receiver<Position> {
        let mut writer = self.store.writer().await;
        let position = writer.watch();
        let reader = self.journal.reader(writer.position());
        let (health, stop) = (Arc::clone(&self.health), self.stop.clone());
        tasks.spawn(async move {
            if let Err(error) = writer.run(reader, async { stop.begun().await }).await {
                health.set("store", Condition::Unready(error.to_string()));
            }
        });
        let (store, stop) = (Arc::clone(&self.store), self.stop.clone());
        tasks.spawn(async move {
            store.run_maintenance(MAINTAIN_EVERY, async { stop.begun().await }).await;
        });
        position
    }

    /// Trims the journal behind its consumers, deletes what is too old, and brings counts up to date, until the stop.
    fn keep_house(&self, settings: &Settings, stored: watch::Receiver<Position>, tasks: &mut JoinSet<()>) {
        let keeper = Housekeeping {
            journal: Arc::clone(&self.journal),
            triage: Arc::clone(&self.triage),
            figures: Arc::clone(&self.figures),
            metrics: Arc::clone(&self.metrics),
            health: Arc::clone(&self.health),
            clock: Arc::clone(&self.clock),
            keep_alerts: settings.triage.keep_days,
            stored,
        };
        let stop = self.stop.clone();
        tasks.spawn(async move { keeper.run(stop).await });
    }
}

impl Server {
    /// Starts everything.
    ///
    /// # Errors
    ///
    /// Says what cannot be opened or bound, and the way out.
    pub async fn start(options: ServeOptions) -> Result<Self, String> {
        // Whichever library comes first; the choice is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ServeOptions { server, settings, settings_file, source, clock } = options;
        let base = Base::open(&server, &settings, clock).await?;
        // Bound before anything is started, so that a port that is taken costs nothing.
        let port = Port::open(&server, Arc::clone(&base.metrics)).await?;
        let address = port.socket.local_addr().map_err(|error| error.to_string())?;
        let admin_key = base.triage.first_admin().await.map_err(|error| error.to_string())?.map(|key| key.token);
        let mut tasks = JoinSet::new();
        let deliveries = Deliveries::start(&settings, &base, &mut tasks)?;
        let parts = DetectorParts {
            journal: Arc::clone(&base.journal),
            store: Arc::clone(&base.store),
            triage: Arc::clone(&base.triage),
            source: Arc::clone(&source),
            clock: Arc::clone(&base.clock),
            events: Arc::clone(&base.events),
            figures: Arc::clone(&base.figures),
            bell: deliveries.bell.clone(),
        };
        let options = DetectorOptions {
            lateness: settings.live.lateness.0,
            memory: settings.live.memory.0,
            grace: GRACE,
            ..DetectorOptions::at(base.state.kept())
        };
        let (detector, thread) = Detector::start(parts, options).await?;
        base.health.set("detector", Condition::Ready);
        let stored = base.fill_tables(&mut tasks).await;
        base.keep_house(&settings, stored.clone(), &mut tasks);
        let listeners = base.listen(&settings, &mut tasks)?;
        let service = Service {
            detector: detector.clone(),
            triage: Arc::clone(&base.triage),
            store: Arc::clone(&base.store),
            source,
            own_rules: Content::new(base.state.content()).folder(ContentKind::Rules),
            clock: Arc::clone(&base.clock),
            disabled: parking_lot::RwLock::new(disabled(&base.triage).await.map_err(|error| error.to_string())?),
        };
        let service = Arc::new(service);
        let jobs = Arc::new(Jobs::new(Arc::clone(&base.clock), Arc::clone(&base.events), server.limits.jobs));
        let filler = Filler {
            triage: Arc::clone(&base.triage),
            service: Arc::clone(&service),
            jobs: Arc::clone(&jobs),
            clock: Arc::clone(&base.clock),
            stored: stored.clone(),
            figures: Arc::clone(&base.figures),
            memory: Memory::default(),
        };
        tasks.spawn(filler.run(base.stop.clone()));
        let tls = port.tls.clone();
        let watch = Watch {
            folder: base.state.root().to_owned(),
            disk: server.disk.clone(),
            tls: tls.clone(),
            health: Arc::clone(&base.health),
            metrics: Arc::clone(&base.metrics),
            fullness: base.fullness.clone(),
        };
        tasks.spawn(watch.run(base.stop.clone()));
        let audit = Arc::new(KeptAudit(Arc::clone(&base.triage)));
        let api = base.api(&server, settings_file, (service, jobs), deliveries);
        let router = routes(api, audit, &server, listeners)?;
        let (stop, patience) = (base.stop.clone(), server.stop_within.0 / 2);
        tasks.spawn(port.serve(router, stop, patience));
        let shutdown = base.shutdown(detector.clone(), thread, tasks);
        let within = server.stop_within.0;
        let Base { journal, figures, clock, stop, .. } = base;
        Ok(Self { address, admin_key, stop, detector, tls, shutdown, within, journal, figures, clock })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The first key, if it was made now.
    pub fn admin_key(&self) -> Option<&str> {
        self.admin_key.as_deref()
    }

    /// Whether all that was taken in has been looked at, and every run that is due has been made.
    pub fn is_at_rest(&self) -> bool {
        let due = self.figures.due.load(Ordering::Acquire);
        let now = self.clock.now().0 - GRACE.as_micros() as i64;
        self.figures.position.load(Ordering::Acquire) == self.journal.end().0
            && due > now
            && self.figures.unwritten.load(Ordering::Acquire) == 0
    }

    /// Reads rules and certificates again.
    pub async fn reload(&self) {
        if let Some(Err(error)) = self.tls.as_ref().map(|tls| tls.reload()) {
            tracing::error!(%error, "certificates cannot be read; the old ones stay");
        }
        if let Err(error) = self.detector.reload().await {
            tracing::error!(?error, "rules cannot be loaded; the old ones stay");
        }
    }

    /// Stops everything, in order; returns the names of what did not stop cleanly.
    pub async fn stop(self) -> Vec<&'static str> {
        tracing::info!("stopping");
        self.stop.begin();
        self.shutdown.run(self.within).await
    }
}

impl Base {
    fn api(
        &self,
        server: &ServerSettings,
        settings_file: Option<PathBuf>,
        (detection, jobs): (Arc<Service>, Arc<Jobs>),
        deliveries: Deliveries,
    ) -> Parts {
        let clock = Arc::clone(&self.clock);
        Parts {
            started: clock.now(),
            state: Arc::clone(&self.state),
            triage: Arc::clone(&self.triage),
            keys: self.keys.clone(),
            detection,
            streams: Arc::new(Tables(Arc::clone(&self.store))),
            courier: Arc::new(deliveries.targets),
            content: Content::new(self.state.content()),
            jobs,
            events: Arc::clone(&self.events),
            metrics: Arc::clone(&self.metrics),
            health: Arc::clone(&self.health),
            stop: self.stop.clone(),
            backups: server.backups.clone(),
            copied: vec![Arc::new(Database(Arc::clone(&self.triage)))],
            settings_file,
            clock,
        }
    }

    /// What happens once the stop has begun: listeners end by themselves, then the detector, then the journal.
    fn shutdown(&self, detector: Detector, thread: JoinHandle<()>, mut tasks: JoinSet<()>) -> Shutdown {
        let mut shutdown = Shutdown::default();
        shutdown.then("detector", async move {
            detector.stop();
            let ended = tokio::task::spawn_blocking(move || thread.join()).await;
            ended.map_err(|error| error.to_string())?.map_err(|_| "its thread panicked".to_owned())
        });
        shutdown.then("listeners, tables and deliveries", async move {
            while tasks.join_next().await.is_some() {}
            Ok(())
        });
        let (journal, triage) = (Arc::clone(&self.journal), Arc::clone(&self.triage));
        shutdown.then("journal and alerts", async move {
            journal.close();
            triage.close().await;
            Ok(())
        });
        shutdown
    }
}

/// The database, as backups take it.
struct Database(Arc<Triage>);

#[async_trait]
impl Copied for Database {
    async fn copy_into(&self, folder: &Path) -> Result<(), String> {
        if !self.0.is_file() {
            tracing::info!("the alerts are in PostgreSQL and in no backup of lurcher's: use pg_dump");
            return Ok(());
        }
        self.0.backup(&folder.join("triage.db")).await.map_err(|error| error.to_string())
    }
}

/// The tables, as the API sees them.
struct Tables(Arc<Store>);

#[async_trait]
impl Streams for Tables {
    async fn streams(&self) -> Result<Vec<StreamInfo>, Refused> {
        let streams = self.0.streams().map_err(|error| Refused::Failed(error.to_string()))?;
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let info = |stream: lurcher_store::StreamInfo| StreamInfo {
            name: stream.name,
            rows: stream.rows,
            bytes: stream.bytes,
            files: stream.files,
            first: text(stream.first_event.or(stream.first_received)),
            last: text(stream.last_event.or(stream.last_received)),
        };
        Ok(streams.into_iter().map(info).collect())
    }
}

/// Whom alerts are told.
struct Deliveries {
    targets: Targets,
    bell: Bell,
}

impl Deliveries {
    fn start(settings: &Settings, base: &Base, tasks: &mut JoinSet<()>) -> Result<Self, String> {
        let told = |problems: Vec<lurcher_deliver::Problem>| {
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let targets = lurcher_deliver::targets(&settings.deliver).map_err(told)?;
        let recipients = targets.iter().map(|target| -> Arc<dyn Recipient> { Arc::new(Told(Arc::clone(target))) });
        base.triage.set_targets(recipients.collect());
        let counters = Counters::default();
        let letters = Arc::new(StoredLetters(Arc::clone(&base.triage)));
        let clock = Arc::clone(&base.clock);
        let courier = Courier::new(targets.clone(), letters, Arc::clone(&clock), counters.clone());
        let (bell, stop) = (courier.bell(), base.stop.receiver());
        tasks.spawn(courier.run(stop));
        Ok(Self { targets: Targets { all: targets, counters, clock }, bell })
    }
}

/// A target, as the alert store asks it.
#[derive(Debug)]
struct Told(Arc<Target>);

impl Recipient for Told {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn wants(&self, alert: &NewAlert) -> bool {
        self.0.wants(&alert.document)
    }
}

/// What is done now and then.
struct Housekeeping {
    journal: Arc<Journal>,
    triage: Arc<Triage>,
    figures: Arc<Figures>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
    keep_alerts: Option<u32>,
    stored: watch::Receiver<Position>,
}

impl Housekeeping {
    async fn run(self, stop: Stop) {
        let mut every = tokio::time::interval(TRIM_EVERY);
        let mut expiry = tokio::time::interval(EXPIRE_EVERY);
        loop {
            tokio::select! {
                () = stop.begun() => return,
                _ = every.tick() => self.trim(),
                _ = expiry.tick() => self.expire().await,
            }
        }
    }

    fn trim(&self) {
        let settled = Position(self.figures.settled.load(Ordering::Relaxed));
        let stored = *self.stored.borrow();
        if let Err(error) = self.journal.trim(settled.min(stored)) {
            tracing::warn!(%error, "the journal cannot be trimmed");
        }
        let stats = self.journal.stats();
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.metrics.journal_position.set(gauge(stats.end.0));
        self.metrics.journal_bytes.set(gauge(stats.bytes));
        for (name, position) in [("detector", self.figures.position.load(Ordering::Relaxed)), ("store", stored.0)] {
            let label = Label { name: name.to_owned() };
            self.metrics.consumer_position.get_or_create(&label).set(gauge(position));
        }
        let full = "the disk is full: shippers are asked to come again";
        self.health.set("journal", if stats.full { Condition::Unready(full.to_owned()) } else { Condition::Ready });
    }

    async fn expire(&self) {
        let Some(days) = self.keep_alerts else { return };
        let before = Timestamp(self.clock.now().0.saturating_sub(i64::from(days) * DAY));
        let expiry = lurcher_triage::Expiry { alerts: Some(before), runs: Some(before), ..Default::default() };
        if let Err(error) = self.triage.expire(&expiry).await {
            tracing::warn!(%error, "old alerts cannot be deleted");
        }
    }
}
