//! `[server]`: where it listens, whom it trusts, and how much it takes.

use std::{net::SocketAddr, path::PathBuf};

use serde::Deserialize;

use super::{Fault, Size, Span};
use crate::auth::Role;

/// Where the server listens and how much it takes of whom.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// The address and port of everything that speaks HTTP.
    pub listen: SocketAddr,
    /// Whether an address that others can reach may be served without TLS.
    pub allow_plain: bool,
    /// The folder of state. It belongs to one running server.
    pub state: PathBuf,
    /// The folder in which backups are made that the API is asked for; without it none can be asked for there.
    pub backups: Option<PathBuf>,
    /// Whether `/metrics` asks for no key.
    pub open_metrics: bool,
    /// How long a stop may take before what is still open is cut off.
    pub stop_within: Span,
    /// How many of the latest events a client can catch up on after it was cut off.
    pub events_kept: usize,
    /// Certificates.
    pub tls: Option<TlsSettings>,
    /// Bounds.
    pub limits: LimitSettings,
    /// What is logged, and how.
    pub log: LogSettings,
    /// When the disk is too full.
    pub disk: DiskSettings,
}

/// Certificates. The files are read again when they change, and on SIGHUP.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The server's certificate and those between it and the authority; PEM.
    pub certificate: PathBuf,
    /// Its private key; PEM.
    pub key: PathBuf,
    /// The authorities whose client certificates are believed; PEM. Without them none is asked for.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is turned away.
    #[serde(default)]
    pub client_required: bool,
    /// What clients with a certificate may do without a key. The first that fits counts.
    #[serde(default)]
    pub client: Vec<ClientSettings>,
}

/// What the holder of a client certificate may do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// The common name, a DNS name or a URI of the certificate; `*` stands for any text.
    pub name: String,
    /// Its role.
    pub role: Role,
}

/// Bounds on what one client, and all together, may use.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// The largest body of a request to the API. Shippers have a limit of their own under `[ingest]`.
    pub body: Size,
    /// How long a client may take for the head of a request, and for the TLS handshake.
    pub header_timeout: Span,
    /// How long a request may take in all, its body included. Streams of events are not bound by it.
    pub request_timeout: Span,
    /// How long a connection may lie idle.
    pub idle_timeout: Span,
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time from one address.
    pub connections_per_address: usize,
    /// Requests to the API a second by one key, on average; 0 for any number.
    pub requests_per_key: u32,
    /// Requests to the API a second from one address, on average; 0 for any number.
    pub requests_per_address: u32,
    /// How many seconds' worth of requests may come at once.
    pub burst: u32,
    /// Requests with a wrong key that one address may make a minute.
    pub wrong_keys_per_minute: u32,
    /// Hunts, simulations and backfills that run at a time.
    pub jobs: usize,
}

/// What is logged, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// How a line is written.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`, or directives such as `info,lurcher_server=debug`. The environment's
    /// `LURCHER_LOG` goes before it.
    pub level: String,
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// When the disk of the folder of state is too full.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiskSettings {
    /// Free space under which it is said in the log and in `/ready`.
    pub warn_below: Size,
    /// Free space under which nothing more is taken in.
    pub refuse_below: Size,
    /// How often it is looked at.
    pub every: Span,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8470)),
            allow_plain: false,
            state: "lurcher-state".into(),
            backups: None,
            open_metrics: false,
            stop_within: Span::seconds(30),
            events_kept: 10_000,
            tls: None,
            limits: LimitSettings::default(),
            log: LogSettings::default(),
            disk: DiskSettings::default(),
        }
    }
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            body: Size::mebibytes(4),
            header_timeout: Span::seconds(10),
            request_timeout: Span::seconds(60),
            idle_timeout: Span::seconds(120),
            connections: 4096,
            connections_per_address: 512,
            requests_per_key: 100,
            requests_per_address: 200,
            burst: 4,
            wrong_keys_per_minute: 30,
            jobs: 4,
        }
    }
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".into() }
    }
}

impl Default for DiskSettings {
    fn default() -> Self {
        Self { warn_below: Size::mebibytes(5 * 1024), refuse_below: Size::mebibytes(512), every: Span::seconds(10) }
    }
}

impl ServerSettings {
    /// What is wrong with it.
    pub(super) fn check(&self, faults: &mut Vec<Fault>) {
        if !self.listen.ip().is_loopback() && self.tls.is_none() && !self.allow_plain {
            faults.push(Fault::new(
                "server",
                "listen",
                format!("{} can be reached by others, and there is no TLS", self.listen),
                "set [server.tls], or allow_plain = true if something in front of it does TLS, or listen on 127.0.0.1",
            ));
        }
        if self.state.as_os_str().is_empty() {
            faults.push(Fault::new("server", "state", "is empty", "name a folder, such as \"/var/lib/lurcher\""));
        }
        if let Some(tls) = &self.tls {
            tls.check(faults);
        }
        self.limits.check(faults);
        if self.disk.refuse_below > self.disk.warn_below {
            faults.push(Fault::new(
                "server.disk",
                "refuse_below",
                format!("{} is more than warn_below, {}", self.disk.refuse_below, self.disk.warn_below),
                "make it smaller",
            ));
        }
        if self.disk.every.0.is_zero() {
            faults.push(Fault::new("server.disk", "every", "is nothing", "set it to \"10s\""));
        }
        if self.log.level.parse::<tracing_subscriber::EnvFilter>().is_err() {
            faults.push(Fault::new(
                "server.log",
                "level",
                format!("{:?} is no level", self.log.level),
                "write error, warn, info, debug or trace",
            ));
        }
    }
}

impl TlsSettings {
    fn check(&self, faults: &mut Vec<Fault>) {
        for (key, path) in
            [("certificate", Some(&self.certificate)), ("key", Some(&self.key)), ("client_ca", self.client_ca.as_ref())]
        {
            if let Some(path) = path
                && let Err(error) = std::fs::File::open(path)
            {
                faults.push(Fault::new(
                    "server.tls",
                    key,
                    format!("{}: {error}", path.display()),
                    "name a PEM file that the server may read",
                ));
            }
        }
        if self.client_ca.is_none() && (self.client_required || !self.client.is_empty()) {
            let key = if self.client_required { "client_required" } else { "client" };
            faults.push(Fault::new(
                "server.tls",
                key,
                "says what clients with certificates may do, but none is believed",
                "set client_ca to a PEM file of the authority that signs them",
            ));
        }
    }
}

impl LimitSettings {
    fn check(&self, faults: &mut Vec<Fault>) {
        let spans = [
            ("header_timeout", self.header_timeout),
            ("request_timeout", self.request_timeout),
            ("idle_timeout", self.idle_timeout),
        ];
        for (key, _) in spans.into_iter().filter(|(_, span)| span.0.is_zero()) {
            faults.push(Fault::new("server.limits", key, "is nothing", "set it to some seconds, such as \"10s\""));
        }
        let counts = [
            ("connections", self.connections),
            ("connections_per_address", self.connections_per_address),
            ("burst", self.burst as usize),
            ("wrong_keys_per_minute", self.wrong_keys_per_minute as usize),
            ("jobs", self.jobs),
            ("body", self.body.0 as usize),
        ];
        for (key, _) in counts.into_iter().filter(|(_, count)| *count == 0) {
            faults.push(Fault::new("server.limits", key, "is 0, so nothing would be answered", "set it to 1 or more"));
        }
    }
}
