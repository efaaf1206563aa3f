//! Alerts into Splunk by the HTTP Event Collector.
//!
//! Splunk has no ids to tell a repeated event by. With `ack = true` an alert counts as delivered only when the indexer
//! says that it is on disk; without, when the collector took it. Either way a crash at the wrong moment sends an alert
//! twice; its `id` tells.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use lurcher_schema::{Secret, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::{
    backoff::spread,
    connector::{Connector, Context},
    fault::{Fault, Outcome},
    http::{Answer, Http},
    letter::{Format, Letter},
    tls::TlsConfig,
};

/// `type = "splunk"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplunkConfig {
    /// The collector: `https://splunk.example:8088`.
    pub url: String,
    /// The collector's token.
    pub token: Secret,
    /// The index, instead of the one that the document names (`risk`, `notable`) or the token's default.
    pub index: Option<String>,
    /// The sourcetype, instead of the document's.
    pub sourcetype: Option<String>,
    /// The source, instead of the document's.
    pub source: Option<String>,
    /// The host.
    pub host: Option<String>,
    /// How the alert is laid out.
    #[serde(default = "splunk")]
    pub format: Format,
    /// Whether to wait until the indexer has it on disk. The token must have acknowledgement turned on.
    #[serde(default)]
    pub ack: bool,
    /// Whether requests are compressed.
    #[serde(default)]
    pub gzip: bool,
    /// Whom to trust.
    #[serde(default)]
    pub tls: TlsConfig,
    /// The proxy on the way.
    pub proxy: Option<Secret>,
}

fn splunk() -> Format {
    Format::Splunk
}

/// Sends letters in batches.
pub(crate) struct Splunk {
    context: Arc<Context>,
    events: Http,
    acks: Http,
    health: Http,
    config: SplunkConfig,
}

impl Splunk {
    pub(crate) fn new(config: &SplunkConfig, context: Arc<Context>) -> Result<Self, String> {
        let token = config.token.read().map_err(|error| format!("token: {error}"))?;
        let mut root = Http::new(&config.url, &config.tls, config.proxy.as_ref(), context.timeout)?
            .header("authorization", &format!("Splunk {token}"))?;
        if config.ack {
            // Numbers of acknowledgements are counted per channel.
            let (high, low) = (spread(), spread());
            let channel = format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                high >> 32,
                (high >> 16) & 0xffff,
                high & 0xfff,
                low >> 52,
                low & 0xffff_ffff_ffff
            );
            root = root.header("x-splunk-request-channel", &channel)?;
        }
        Ok(Self {
            context,
            events: root.at("/services/collector/event"),
            acks: root.at("/services/collector/ack"),
            health: root.at("/services/collector/health"),
            config: config.clone(),
        })
    }

    /// The events of a letter, in their envelopes.
    fn envelopes(&self, letter: &Letter) -> Vec<Value> {
        letter.documents(self.config.format).into_iter().map(|document| self.envelope(letter, document)).collect()
    }

    fn envelope(&self, letter: &Letter, document: &Value) -> Value {
        let mut envelope = Map::new();
        let own = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        let time = document.get("_time").and_then(Value::as_f64).or_else(|| {
            let native = letter.alert.get("time").and_then(Value::as_str).and_then(Timestamp::parse);
            Some(native.unwrap_or(letter.created).0 as f64 / 1e6)
        });
        if let Some(time) = time {
            envelope.insert("time".into(), json!(time));
        }
        let sourcetype = self.config.sourcetype.clone().or_else(|| own("sourcetype"));
        for (name, value) in [
            ("host", self.config.host.clone()),
            ("index", self.config.index.clone().or_else(|| own("index"))),
            ("sourcetype", Some(sourcetype.unwrap_or_else(|| "lurcher:alert".into()))),
            ("source", Some(self.config.source.clone().or_else(|| own("source")).unwrap_or_else(|| "lurcher".into()))),
        ] {
            if let Some(value) = value {
                envelope.insert(name.into(), value.into());
            }
        }
        envelope.insert("event".into(), document.clone());
        Value::Object(envelope)
    }

    /// Waits until the indexer has what it gave this number for.
    async fn acknowledged(&self, id: u64, now: Timestamp) -> Result<(), Fault> {
        let end = Instant::now() + self.context.timeout;
        let mut wait = Duration::from_millis(100);
        loop {
            let body = json!({"acks": [id]}).to_string().into_bytes();
            let answer = self.acks.send(body, "application/json", false, &[], now).await?;
            if !answer.is_success() {
                return Err(answer.fault());
            }
            let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            if said["acks"][id.to_string()].as_bool() == Some(true) {
                return Ok(());
            }
            if Instant::now() + wait > end {
                return Err(Fault::target(format!(
                    "no acknowledgement of {id} in time; the indexer may have it or not"
                )));
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(2));
        }
    }
}

#[async_trait]
impl Connector for Splunk {
    fn batch(&self) -> usize {
        self.context.batch.unwrap_or(100)
    }

    async fn send(&self, letters: &[Letter], now: Timestamp) -> Vec<Outcome> {
        let mut body = Vec::new();
        let mut counts = Vec::with_capacity(letters.len());
        for letter in letters {
            let envelopes = self.envelopes(letter);
            counts.push(envelopes.len());
            for envelope in envelopes {
                body.extend_from_slice(envelope.to_string().as_bytes());
            }
        }
        let answer = match self.events.send(body, "application/json", self.config.gzip, &[], now).await {
            Ok(answer) => answer,
            Err(fault) => return fault.for_all(letters.len()),
        };
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if !answer.is_success() {
            return refusal(&answer, &said, &counts);
        }
        if !self.config.ack {
            return vec![Outcome::Delivered; letters.len()];
        }
        let Some(id) = said["ackId"].as_u64() else {
            let message = "took the events without an ackId: turn on acknowledgement for the token, or say ack = false";
            return Fault::target(message).for_all(letters.len());
        };
        match self.acknowledged(id, now).await {
            Ok(()) => vec![Outcome::Delivered; letters.len()],
            Err(fault) => fault.for_all(letters.len()),
        }
    }

    async fn probe(&self, now: Timestamp) -> Result<String, String> {
        let answer = self.health.get(now).await.map_err(|fault| fault.message)?;
        if answer.is_success() { Ok("the collector is healthy".into()) } else { Err(answer.fault().message) }
    }
}

/// What a refusal says of each letter. The collector takes events one by one and stops at the first that is faulty: those
/// before it are in. Its number is counted from 0 by some errors and from 1 by others, so the last of them may be the
/// faulty one; that one and the rest are sent again one by one.
fn refusal(answer: &Answer, said: &Value, counts: &[usize]) -> Vec<Outcome> {
    let fault = answer.fault();
    let faulty = said["invalid-event-number"].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
    let events: usize = counts.iter().sum();
    // A number beyond the last event says nothing: better twice than never.
    let surely_in = if fault.permanent && faulty <= events { faulty.saturating_sub(1) } else { 0 };
    let mut end = 0;
    counts
        .iter()
        .map(|count| {
            end += count;
            if end <= surely_in { Outcome::Delivered } else { Outcome::Failed(fault.clone()) }
        })
        .collect()
}
