//! What is delivered, and where it waits: the seam to whoever keeps the outbox.
//!
//! The outbox is kept by others, in one transaction with the alerts. This crate only takes from it and says what
//! became of each letter; it keeps nothing that a restart would have to bring back.

use std::collections::BTreeMap;

use async_trait::async_trait;
use lurcher_schema::Timestamp;
use serde_json::Value;

/// One alert for one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// The outbox's own number for it.
    pub id: i64,
    /// The idempotency key: the same however often it is sent, different for every letter of a target.
    pub key: String,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// When it was put into the outbox.
    pub created: Timestamp,
    /// The alert in Lurcher's own layout.
    pub alert: Value,
    /// The same alert as others lay it out, by the name of the format (`elastic`, `splunk`, `ocsf`): a document, or a
    /// list of them. Only those of [`Target::format`](crate::Target::format) are needed.
    pub formats: BTreeMap<String, Value>,
}

impl Letter {
    /// The alert's id; the letter's key if it has none.
    pub fn alert_id(&self) -> &str {
        self.alert.get("id").and_then(Value::as_str).unwrap_or(&self.key)
    }

    /// The documents of the letter in this format; the native document if nobody rendered that.
    pub fn documents(&self, format: Format) -> Vec<&Value> {
        match self.formats.get(format.name()) {
            Some(Value::Array(documents)) => documents.iter().collect(),
            Some(document) => vec![document],
            None => vec![&self.alert],
        }
    }
}

/// How an alert is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Lurcher's own layout.
    Native,
    /// The documents of `.alerts-security.alerts-*`.
    Elastic,
    /// Risk events and findings of Enterprise Security.
    Splunk,
    /// OCSF detection findings.
    Ocsf,
}

impl Format {
    /// The lower-case word; the key in [`Letter::formats`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Elastic => "elastic",
            Self::Splunk => "splunk",
            Self::Ocsf => "ocsf",
        }
    }
}

/// Where letters wait until they are delivered.
///
/// Errors are the outbox's own words. A letter whose outcome could not be noted is not sent again by the running
/// process, which remembers it and notes it later; after a crash it is, with the same key.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// At most `limit` letters for this target whose time has come, the oldest first: neither delivered nor dead, and
    /// never tried or put off until `now` or before.
    async fn due(&self, target: &str, now: Timestamp, limit: usize) -> Result<Vec<Letter>, String>;

    /// Notes that it was delivered.
    async fn delivered(&self, id: i64) -> Result<(), String>;

    /// Notes that it was tried in vain (which counts as one more attempt), why, and when to try again.
    async fn failed(&self, id: i64, error: &str, next: Timestamp) -> Result<(), String>;

    /// Notes that it will not be tried again, and why: a dead letter, until somebody revives it.
    async fn dead(&self, id: i64, error: &str) -> Result<(), String>;
}
