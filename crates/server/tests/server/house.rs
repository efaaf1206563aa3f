//! A running server for a test, with keys of every role.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, routing::get};
use lurcher_schema::{Clock, SystemClock};
use lurcher_server::{
    Parts,
    auth::{KeptAudit, KeptKeys, Role, make_first_key},
    backup::Copied,
    content::Content,
    events::Events,
    health::Health,
    http::Port,
    jobs::Jobs,
    lifecycle::Stop,
    metrics::Metrics,
    routes,
    settings::ServerSettings,
    state::StateFolder,
};
use lurcher_triage::Triage;
use serde_json::Value as Json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use crate::kennel::Kennel;

/// A running server.
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    pub(crate) admin: String,
    pub(crate) triage: Arc<Triage>,
    pub(crate) events: Arc<Events>,
    pub(crate) health: Arc<Health>,
    pub(crate) stop: Stop,
    pub(crate) served: JoinHandle<()>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) tls: Option<Arc<lurcher_server::http::Tls>>,
    client: reqwest::Client,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

struct Database(Arc<Triage>);

#[async_trait]
impl Copied for Database {
    async fn copy_into(&self, folder: &std::path::Path) -> Result<(), String> {
        self.0.backup(&folder.join("triage.db")).await.map_err(|error| error.to_string())
    }
}

impl House {
    /// With the settings as they are by default.
    pub(crate) async fn open() -> Self {
        Self::open_with(|_, _| ()).await
    }

    /// With other settings; the folder is there for files that they name.
    pub(crate) async fn open_with(change: impl FnOnce(&mut ServerSettings, &std::path::Path)) -> Self {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = ServerSettings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            state: folder.path().join("state"),
            ..ServerSettings::default()
        };
        settings.limits.requests_per_key = 0;
        settings.limits.requests_per_address = 0;
        change(&mut settings, folder.path());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let state = Arc::new(StateFolder::open(&settings.state, &*clock).unwrap());
        let url = format!("sqlite:{}", state.triage().display());
        let triage = Arc::new(Triage::open(&url, clock.clone()).await.unwrap());
        let admin = make_first_key(&triage).await.unwrap().unwrap();
        assert!(make_first_key(&triage).await.unwrap().is_none(), "shown once");
        let events = Arc::new(Events::new(&*clock, settings.events_kept));
        let metrics = Arc::new(Metrics::new());
        let (health, stop, kennel) = (Arc::new(Health::default()), Stop::default(), Arc::new(Kennel::default()));
        let parts = Parts {
            clock: clock.clone(),
            started: clock.now(),
            content: Content::new(state.content()),
            state,
            triage: triage.clone(),
            keys: Arc::new(KeptKeys::new(triage.clone(), clock.clone())),
            detection: kennel.clone(),
            streams: kennel.clone(),
            courier: kennel,
            jobs: Arc::new(Jobs::new(clock, events.clone(), settings.limits.jobs)),
            events: events.clone(),
            metrics: metrics.clone(),
            health: health.clone(),
            stop: stop.clone(),
            backups: settings.backups.clone(),
            copied: vec![Arc::new(Database(triage.clone()))],
            settings_file: None,
        };
        let shippers = Router::new()
            .route("/panic", get(async || -> &'static str { panic!("on purpose") }))
            .route("/slow", get(async || tokio::time::sleep(Duration::from_millis(300)).await))
            .route("/very-slow", get(async || tokio::time::sleep(Duration::from_mins(1)).await));
        let router = routes(parts, Arc::new(KeptAudit(triage.clone())), &settings, shippers).unwrap();
        let port = Port::open(&settings, metrics.clone()).await.unwrap();
        let (address, tls) = (port.socket.local_addr().unwrap(), port.tls.clone());
        let served = tokio::spawn(port.serve(router, stop.clone(), settings.stop_within.0));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { address, admin, triage, events, health, stop, served, folder, tls, client }
    }

    /// A new key of this role.
    pub(crate) async fn key(&self, role: Role) -> String {
        self.triage.create_key(role.name(), role.into(), None).await.unwrap().token
    }

    /// A path below the test's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Asks with a key.
    pub(crate) async fn ask(&self, method: &str, path: &str, key: &str, body: Option<Json>) -> Reply {
        let request = self.request(method, path).bearer_auth(key);
        self.send(match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        })
        .await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &self.admin, None).await
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), format!("http://{}{path}", self.address))
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { status, headers, text: response.text().await.unwrap() }
    }

    /// Sends bytes as they are and reads until the server closes; what came back.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The server may be the faster one.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        // A reset is an end, too.
        let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
            .await
            .expect("the server closes");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Stops the server and waits until it has.
    pub(crate) async fn close(self) {
        self.stop.begin();
        tokio::time::timeout(Duration::from_secs(10), self.served).await.expect("it stops").unwrap();
    }
}
