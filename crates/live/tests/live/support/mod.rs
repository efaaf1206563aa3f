//! A live engine in this process, and what a plain sweep finds in the same events.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use lurcher_content::{LoadOptions, load};
use lurcher_diagnostics::Level;
use lurcher_engine::{Alert, Compiler, Route, Scanner, Settings as EngineSettings, Simulation};
use lurcher_ir::Rule;
use lurcher_live::{
    ServeOptions, Server,
    rules::{Loaded, RuleSource, RuleText},
    settings::Settings,
};
use lurcher_readers::{ReadOptions, read_stream};
use lurcher_schema::{Schemas, Timestamp, VirtualClock};
use lurcher_server::{content::ContentKind, detection::Finding, settings::Settings as Door};
use serde_json::{Value as Json, json};

/// A folder of rules, one of each kind.
pub(crate) fn rules_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_rule(folder.path(), "odd.toml", "Odd Program", "process where process.name == \"odd.exe\"");
    write_rule(
        folder.path(),
        "sequence.toml",
        "Odd, then Second",
        "sequence by host.name with maxspan=5m [process where process.name == \"odd.exe\"] \
         [process where process.name == \"second.exe\"]",
    );
    let more = [
        ("threshold.toml", "Many Logins", "threshold", "[rule.threshold]\nfield = [\"host.name\"]\nvalue = 3\n"),
        (
            "new.toml",
            "New Host",
            "new_terms",
            "[rule.new_terms]\nfield = \"new_terms_fields\"\nvalue = [\"host.name\"]\n\
             [[rule.new_terms.history_window_start]]\nfield = \"history_window_start\"\nvalue = \"now-30m\"\n",
        ),
    ];
    for (file, name, kind, extra) in more {
        let text = format!(
            "[rule]\nname = \"{name}\"\nrule_id = \"{file}\"\ndescription = \"{name}.\"\ntype = \"{kind}\"\n\
             language = \"kuery\"\nquery = \"process.name:login.exe\"\nindex = [\"logs-*\"]\nfrom = \"now-9m\"\n\
             interval = \"5m\"\nseverity = \"low\"\nrisk_score = 21\n{extra}"
        );
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    folder
}

/// Writes an EQL rule.
pub(crate) fn write_rule(folder: &Path, file: &str, name: &str, query: &str) {
    let text = format!(
        "[rule]\nname = \"{name}\"\nrule_id = \"{file}\"\ndescription = \"{name}.\"\ntype = \"eql\"\nlanguage = \"eql\"\n\
         query = '''{query}'''\nindex = [\"logs-*\"]\nfrom = \"now-9m\"\ninterval = \"5m\"\nmax_signals = 100\n\
         severity = \"medium\"\nrisk_score = 47\n"
    );
    std::fs::write(folder.join(file), text).unwrap();
}

/// A process that starts.
pub(crate) fn event(time: &str, host: &str, process: &str, number: i64) -> Json {
    json!({
        "@timestamp": time,
        "data_stream": {"type": "logs", "dataset": "endpoint.events.process", "namespace": "default"},
        "event": {"category": ["process"], "type": ["start"], "kind": "event"},
        "host": {"name": host}, "process": {"name": process, "pid": number}
    })
}

/// Where this lies, the settings are at fault.
pub(crate) const FAULTY: &str = "faulty-settings";

/// Rules of a folder.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn pack(&self) -> (Arc<Schemas>, lurcher_content::Pack) {
        let (schemas, _) = Schemas::with_packs(&[]);
        let pack = load(std::slice::from_ref(&self.0), &LoadOptions::default(), &schemas);
        (schemas, pack)
    }
}

impl RuleSource for Folder {
    fn load(&self) -> Result<Loaded, String> {
        if self.0.join(FAULTY).exists() {
            return Err(format!("{FAULTY}: line 1: a fault"));
        }
        let (schemas, pack) = self.pack();
        let errors = pack.diagnostics.iter().filter(|diagnostic| diagnostic.level == Level::Error);
        Ok(Loaded {
            schemas,
            rules: pack.rules.clone(),
            settings: EngineSettings { relational: Some(lurcher_query::relational()), ..EngineSettings::default() },
            route: Route::Strict,
            site: Arc::default(),
            incidents: false,
            faults: errors.map(|d| lurcher_diagnostics::render::text(d, false)).collect(),
        })
    }

    fn check(&self, _kind: ContentKind, _name: &str, _text: &[u8]) -> Vec<Finding> {
        Vec::new()
    }

    fn rules_of(&self, _text: RuleText<'_>, _schemas: &Arc<Schemas>) -> Result<Vec<Arc<Rule>>, String> {
        Err("not asked here".to_owned())
    }

    fn fingerprint(&self) -> u64 {
        0
    }
}

/// A live engine in this process.
pub(crate) struct Engine {
    server: Option<Server>,
    address: SocketAddr,
    pub(crate) key: String,
    client: reqwest::Client,
}

impl Engine {
    pub(crate) async fn start(state: &Path, rules: &Path, clock: Arc<VirtualClock>) -> Self {
        Self::start_with_key(state, rules, clock, String::new()).await
    }

    /// One whose first key was made by an earlier one.
    pub(crate) async fn start_with_key(state: &Path, rules: &Path, clock: Arc<VirtualClock>, key: String) -> Self {
        let mut server = Door::default().server;
        server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        server.state = state.to_owned();
        let source = Arc::new(Folder(rules.to_owned()));
        let options = ServeOptions { server, settings: Settings::default(), settings_file: None, source, clock };
        let server = Server::start(options).await.unwrap();
        let key = server.admin_key().map_or(key, str::to_owned);
        let address = server.address();
        Self { server: Some(server), address, key, client: reqwest::Client::new() }
    }

    pub(crate) async fn stop(&mut self) {
        let failed = self.server.take().unwrap().stop().await;
        assert!(failed.is_empty(), "{failed:?}");
    }

    /// Delivers documents as Elasticsearch's shippers do.
    pub(crate) async fn deliver(&self, events: &[Json]) {
        let mut body = String::new();
        for event in events {
            body += &format!("{{\"create\":{{\"_index\":\"logs-endpoint.events.process-default\"}}}}\n{event}\n");
        }
        let request = self.client.post(format!("http://{}/_bulk", self.address)).bearer_auth(&self.key).body(body);
        let answer = request.header("content-type", "application/x-ndjson").send().await.unwrap();
        let status = answer.status();
        let answer: Json = answer.json().await.unwrap();
        assert!(status.is_success() && answer["errors"] == false, "{answer}");
    }

    pub(crate) async fn deliver_lines(&self, lines: &str) {
        let url = format!("http://{}/ingest/lines?stream=x", self.address);
        let answer = self.client.post(url).bearer_auth(&self.key).body(lines.to_owned()).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    pub(crate) async fn get(&self, path: &str) -> Json {
        let answer = self.client.get(format!("http://{}{path}", self.address)).bearer_auth(&self.key).send().await;
        answer.unwrap().json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Json) -> Json {
        let request = self.client.post(format!("http://{}{path}", self.address)).bearer_auth(&self.key).json(&body);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Waits until something holds, for a while; says what it was when it does not.
    pub(crate) async fn until(&self, what: &str, path: &str, holds: impl Fn(&Json) -> bool) -> Json {
        let mut last = Json::Null;
        for _ in 0..600 {
            last = self.get(path).await;
            if holds(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{what}: {last}");
    }

    /// Has the rules read again, and waits until those that are new have looked back.
    pub(crate) async fn reload(&self) {
        self.post("/api/v1/admin/reload", json!({})).await;
        let none = |gaps: &Json| gaps["items"].as_array().is_some_and(Vec::is_empty);
        self.until("every new rule has looked back", "/api/v1/gaps", none).await;
        self.settle().await;
    }

    /// Waits until so many alerts are there, or for some seconds; their ids.
    pub(crate) async fn alerts(&self, expected: usize) -> BTreeSet<(String, String)> {
        for _ in 0..200 {
            if self.all_alerts().await.len() >= expected {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        self.all_alerts().await
    }

    /// Rule and id of all alerts.
    pub(crate) async fn all_alerts(&self) -> BTreeSet<(String, String)> {
        let page = self.get("/api/v1/alerts?limit=1000").await;
        let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
        let name = |alert: &Json| alert["rule"]["name"].as_str().unwrap().to_owned();
        items.iter().map(|alert| (name(alert), alert["id"].as_str().unwrap().to_owned())).collect()
    }

    /// Waits until the detector has dealt with everything that was delivered and with the time as it stands.
    pub(crate) async fn settle(&self) {
        for _ in 0..1000 {
            if self.server.as_ref().unwrap().is_at_rest() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the detector does not come to rest");
    }
}

/// What the rules find in the events by their schedules on the virtual clock.
pub(crate) fn simulated(rules: &Path, events: &[Json], from: Timestamp, to: Timestamp) -> BTreeSet<(String, String)> {
    let (schemas, pack) = Folder(rules.to_owned()).pack();
    let rules = Compiler::new(schemas).add_all(pack.rules).build();
    let settings = EngineSettings {
        relational: Some(lurcher_query::relational()),
        simulation: Some(Simulation { from: Some(from), to: Some(to) }),
        ..EngineSettings::default()
    };
    let mut scanner = Scanner::new(rules, Arc::new(settings));
    let mut alerts: Vec<Alert> = Vec::new();
    let text = events.iter().fold(String::new(), |text, event| text + &event.to_string() + "\n");
    read_stream("s", &mut text.as_bytes(), &ReadOptions::default(), &mut |batch| scanner.scan(&batch, &mut alerts));
    Scanner::finish(vec![scanner], &mut alerts);
    alerts.into_iter().map(|alert| (alert.name.clone(), alert.id)).collect()
}
