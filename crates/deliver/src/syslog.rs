//! Alerts as syslog messages (RFC 5424): over UDP one a datagram (RFC 5426), over TCP and TLS with their length before
//! them (RFC 6587, 3.4.1; RFC 5425).
//!
//! Syslog has no answers. Over TCP and TLS a batch has a connection of its own: it is closed on our side, and the batch
//! counts as delivered when the receiver has read to the end and closes too. A receiver that leaves its side open for the
//! whole timeout is believed to have it. UDP is fire and forget.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lurcher_schema::Timestamp;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};
use tokio_rustls::TlsConnector;

use crate::{
    address::resolve,
    cef,
    connector::{Connector, Context},
    fault::{Fault, Outcome},
    filter::Severity,
    letter::{Format, Letter},
    template::{Escape, Template},
    tls::TlsConfig,
    webhook::template,
};

/// `type = "syslog"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyslogConfig {
    /// Name or address of the receiver.
    pub host: String,
    /// 514 if not said, for TLS 6514.
    pub port: Option<u16>,
    /// `udp`, `tcp` or `tls`.
    pub transport: Transport,
    /// What the message is.
    #[serde(default)]
    pub message: Message,
    /// How the alert is laid out, if the message is JSON.
    #[serde(default = "native")]
    pub format: Format,
    /// The message, as a template.
    pub template: Option<String>,
    /// The facility, 0–23: 13 is "log audit", 16 "local use 0".
    #[serde(default = "local0")]
    pub facility: u8,
    /// Who the messages say they are from; the target sees the address anyway.
    #[serde(default = "nil")]
    pub hostname: String,
    /// The application's name in the messages.
    #[serde(default = "lurcher")]
    pub app_name: String,
    /// Whom to trust.
    #[serde(default)]
    pub tls: TlsConfig,
}

/// What carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection in the clear.
    Tcp,
    /// A connection with TLS.
    Tls,
}

/// What a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Message {
    /// The Common Event Format.
    #[default]
    Cef,
    /// The alert's document.
    Json,
}

fn native() -> Format {
    Format::Native
}

fn local0() -> u8 {
    16
}

fn nil() -> String {
    "-".into()
}

fn lurcher() -> String {
    "lurcher".into()
}

/// How long to wait for the receiver to close its side.
const LONGEST_CLOSE: Duration = Duration::from_secs(5);

/// What fits into a datagram over IPv4.
const LARGEST_DATAGRAM: usize = 65_507;

/// Sends letters in batches.
pub(crate) struct Syslog {
    context: Arc<Context>,
    config: SyslogConfig,
    port: u16,
    template: Option<Template>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Syslog {
    pub(crate) fn new(config: &SyslogConfig, context: Arc<Context>) -> Result<Self, String> {
        if config.facility > 23 {
            return Err(format!("facility: {} is none; they go from 0 to 23", config.facility));
        }
        for (option, text, longest) in [("hostname", &config.hostname, 255), ("app_name", &config.app_name, 48)] {
            if text.is_empty() || text.len() > longest || !text.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(format!("{option}: up to {longest} printable characters of ASCII without blanks"));
            }
        }
        let tls = if config.transport == Transport::Tls {
            let name = ServerName::try_from(config.host.trim_matches(['[', ']']).to_owned())
                .map_err(|_| format!("host: `{}` is no name that a certificate can be for", config.host))?;
            Some((TlsConnector::from(Arc::new(config.tls.client()?)), name))
        } else {
            None
        };
        let port = config.port.unwrap_or(if tls.is_some() { 6514 } else { 514 });
        let template = template(config.template.as_ref(), None, Escape::Plain)?;
        Ok(Self { context, config: config.clone(), port, template, tls })
    }

    /// A message of RFC 5424, without the framing.
    fn message(&self, letter: &Letter, now: Timestamp) -> Result<Vec<u8>, String> {
        let severity = match Severity::of(&letter.alert) {
            Severity::Critical => 2,
            Severity::High => 3,
            Severity::Medium => 4,
            Severity::Low => 5,
            Severity::Informational => 6,
        };
        let text = match (&self.template, self.config.message) {
            (Some(template), _) => self.context.render(template, letter, now)?,
            (None, Message::Cef) => cef::line(&letter.alert, &self.context.link(letter, now)?),
            (None, Message::Json) => match letter.documents(self.config.format).as_slice() {
                [document] => document.to_string(),
                several => serde_json::to_string(several).map_err(|error| error.to_string())?,
            },
        };
        let priority = u32::from(self.config.facility) * 8 + severity;
        let (host, app) = (&self.config.hostname, &self.config.app_name);
        Ok(format!("<{priority}>1 {now} {host} {app} - alert - {}", text.trim_end()).into_bytes())
    }

    async fn datagrams(&self, messages: &[Result<Vec<u8>, Fault>]) -> Result<Vec<Outcome>, Fault> {
        let addresses = resolve(&self.config.host, self.port).await.map_err(Fault::target)?;
        let Some(address) = addresses.first() else { return Err(Fault::target("no address")) };
        let local: std::net::SocketAddr =
            if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(local).await.map_err(|error| Fault::target(error.to_string()))?;
        socket.connect(address).await.map_err(|error| Fault::target(error.to_string()))?;
        let mut outcomes = Vec::with_capacity(messages.len());
        for message in messages {
            outcomes.push(match message {
                Err(fault) => Outcome::Failed(fault.clone()),
                Ok(message) if message.len() > LARGEST_DATAGRAM => Outcome::Failed(Fault::permanent(format!(
                    "{} bytes do not fit into a datagram; use transport = \"tcp\"",
                    message.len()
                ))),
                Ok(message) => match socket.send(message).await {
                    Ok(_) => Outcome::Delivered,
                    Err(error) => Outcome::Failed(Fault::target(format!("{address}: {error}"))),
                },
            });
        }
        Ok(outcomes)
    }

    async fn stream(&self, messages: &[Result<Vec<u8>, Fault>]) -> Result<Vec<Outcome>, Fault> {
        let mut bytes = Vec::new();
        for message in messages.iter().flatten() {
            bytes.extend_from_slice(format!("{} ", message.len()).as_bytes());
            bytes.extend_from_slice(message);
        }
        let stream = self.connect().await?;
        let failed = |error: std::io::Error| Fault::target(format!("{}:{}: {error}", self.config.host, self.port));
        match &self.tls {
            None => hand_over(stream, &bytes).await.map_err(failed)?,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await.map_err(failed)?;
                hand_over(stream, &bytes).await.map_err(failed)?;
            }
        }
        let outcome = |message: &Result<Vec<u8>, Fault>| match message {
            Ok(_) => Outcome::Delivered,
            Err(fault) => Outcome::Failed(fault.clone()),
        };
        Ok(messages.iter().map(outcome).collect())
    }

    async fn connect(&self) -> Result<TcpStream, Fault> {
        let addresses = resolve(&self.config.host, self.port).await.map_err(Fault::target)?;
        TcpStream::connect(&addresses[..])
            .await
            .map_err(|error| Fault::target(format!("{}:{}: {error}", self.config.host, self.port)))
    }
}

/// Writes all, closes our side, and waits until the receiver closes its own.
async fn hand_over(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.shutdown().await?;
    let read_to_end = async {
        let mut ignored = [0; 512];
        while stream.read(&mut ignored).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    match tokio::time::timeout(LONGEST_CLOSE, read_to_end).await {
        // Many receivers close TLS without saying so; they have read what we closed with.
        Ok(Err(error)) if error.kind() != std::io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(()),
    }
}

#[async_trait]
impl Connector for Syslog {
    fn batch(&self) -> usize {
        self.context.batch.unwrap_or(100)
    }

    async fn send(&self, letters: &[Letter], now: Timestamp) -> Vec<Outcome> {
        let messages: Vec<Result<Vec<u8>, Fault>> = letters
            .iter()
            .map(|letter| self.message(letter, now).map_err(|error| Fault::permanent(format!("the message: {error}"))))
            .collect();
        let sent = async {
            match self.config.transport {
                Transport::Udp => self.datagrams(&messages).await,
                Transport::Tcp | Transport::Tls => self.stream(&messages).await,
            }
        };
        match tokio::time::timeout(self.context.timeout, sent).await {
            Ok(Ok(outcomes)) => outcomes,
            Ok(Err(fault)) => fault.for_all(letters.len()),
            Err(_) => {
                Fault::target(format!("{}:{}: not taken in time", self.config.host, self.port)).for_all(letters.len())
            }
        }
    }

    async fn probe(&self, _: Timestamp) -> Result<String, String> {
        let place = format!("{}:{}", self.config.host, self.port);
        let reached = async {
            match (self.config.transport, &self.tls) {
                (Transport::Udp, _) => resolve(&self.config.host, self.port).await.map(|_| {
                    format!("{place} has an address; syslog over UDP does not say whether anybody listens there")
                }),
                (_, None) => {
                    self.connect().await.map(|_| format!("{place} takes connections")).map_err(|fault| fault.message)
                }
                (_, Some((connector, name))) => {
                    let stream = self.connect().await.map_err(|fault| fault.message)?;
                    connector.connect(name.clone(), stream).await.map_err(|error| format!("{place}: {error}"))?;
                    Ok(format!("{place} takes connections and has shown a good certificate"))
                }
            }
        };
        tokio::time::timeout(self.context.timeout, reached)
            .await
            .unwrap_or_else(|_| Err(format!("{place}: no answer in time")))
    }
}
