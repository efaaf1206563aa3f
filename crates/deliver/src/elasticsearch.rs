//! Alerts into an index of Elasticsearch or OpenSearch, by `_bulk`.
//!
//! Every document is *created* under its own id, so that a letter that is sent twice is there once: the conflict that
//! the second one meets says that the first arrived.

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use lurcher_schema::{Secret, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    connector::{Connector, Context},
    fault::{Fault, Outcome, excerpt},
    http::{Answer, Http},
    letter::{Format, Letter},
    tls::TlsConfig,
};

/// `type = "elasticsearch"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElasticsearchConfig {
    /// The cluster: `https://elastic.example:9200`.
    pub url: String,
    /// Index, alias or data stream.
    #[serde(default = "alerts")]
    pub index: String,
    /// How the alert is laid out.
    #[serde(default = "elastic")]
    pub format: Format,
    /// The encoded API key, as Kibana shows it.
    pub api_key: Option<Secret>,
    /// With a password, instead of an API key.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// Whether requests are compressed.
    #[serde(default)]
    pub gzip: bool,
    /// Whom to trust.
    #[serde(default)]
    pub tls: TlsConfig,
    /// The proxy on the way.
    pub proxy: Option<Secret>,
}

fn alerts() -> String {
    ".alerts-security.alerts-default".into()
}

fn elastic() -> Format {
    Format::Elastic
}

/// Sends letters in batches.
pub(crate) struct Elasticsearch {
    context: Arc<Context>,
    bulk: Http,
    root: Http,
    index: String,
    format: Format,
    gzip: bool,
}

impl Elasticsearch {
    pub(crate) fn new(config: &ElasticsearchConfig, context: Arc<Context>) -> Result<Self, String> {
        let mut root = Http::new(&config.url, &config.tls, config.proxy.as_ref(), context.timeout)?;
        let login = match (&config.api_key, &config.username, &config.password) {
            (None, None, None) => None,
            (Some(key), None, None) => {
                Some(format!("ApiKey {}", key.read().map_err(|error| format!("api_key: {error}"))?))
            }
            (None, Some(user), Some(password)) => {
                let password = password.read().map_err(|error| format!("password: {error}"))?;
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
            _ => return Err("api_key: give either an api_key, or username and password".into()),
        };
        if let Some(login) = login {
            root = root.header("authorization", &login)?;
        }
        if config.index.is_empty() {
            return Err("index: it is empty; leave it out for the alerts of Elastic Security".into());
        }
        Ok(Self {
            context,
            bulk: root.at("/_bulk"),
            root,
            index: config.index.clone(),
            format: config.format,
            gzip: config.gzip,
        })
    }

    /// The lines of a request, and how many documents each letter has in it.
    fn lines(&self, letters: &[Letter]) -> Result<(Vec<u8>, Vec<usize>), serde_json::Error> {
        let mut body = Vec::new();
        let mut counts = Vec::with_capacity(letters.len());
        for letter in letters {
            let documents = letter.documents(self.format);
            for (number, document) in documents.iter().enumerate() {
                let id = document_id(letter, document, number);
                serde_json::to_writer(&mut body, &json!({"create": {"_index": self.index, "_id": id}}))?;
                body.push(b'\n');
                // A data stream takes nothing without a time; the native document has it under another name.
                if document.get("@timestamp").is_none() && document.is_object() {
                    let mut timed = (*document).clone();
                    let time = letter.alert.get("time").filter(|time| time.is_string());
                    timed["@timestamp"] = time.cloned().unwrap_or_else(|| letter.created.to_string().into());
                    serde_json::to_writer(&mut body, &timed)?;
                } else {
                    serde_json::to_writer(&mut body, document)?;
                }
                body.push(b'\n');
            }
            counts.push(documents.len());
        }
        Ok((body, counts))
    }
}

/// The id of a document: its own, as Elastic's alerts have one; the alert's for the first or only one.
fn document_id(letter: &Letter, document: &Value, number: usize) -> String {
    match document.get("kibana.alert.uuid").and_then(Value::as_str) {
        Some(own) => own.to_owned(),
        None if number == 0 => letter.alert_id().to_owned(),
        None => format!("{}-{number}", letter.alert_id()),
    }
}

#[async_trait]
impl Connector for Elasticsearch {
    fn batch(&self) -> usize {
        self.context.batch.unwrap_or(100)
    }

    async fn send(&self, letters: &[Letter], now: Timestamp) -> Vec<Outcome> {
        let (body, counts) = match self.lines(letters) {
            Ok(lines) => lines,
            Err(error) => return Fault::permanent(format!("the documents: {error}")).for_all(letters.len()),
        };
        match self.bulk.send(body, "application/x-ndjson", self.gzip, &[], now).await {
            Ok(answer) if answer.is_success() => outcomes(&answer, &counts),
            Ok(answer) => answer.fault().for_all(letters.len()),
            Err(fault) => fault.for_all(letters.len()),
        }
    }

    async fn probe(&self, now: Timestamp) -> Result<String, String> {
        let answer = self.root.get(now).await.map_err(|fault| fault.message)?;
        if !answer.is_success() {
            return Err(answer.fault().message);
        }
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let version = body["version"]["number"].as_str().unwrap_or("of unknown version");
        Ok(format!("{} {version}", body["version"]["distribution"].as_str().unwrap_or("elasticsearch")))
    }
}

/// What an answer says of each letter: the worst of its documents.
fn outcomes(answer: &Answer, counts: &[usize]) -> Vec<Outcome> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let Some(items) = body["items"].as_array() else {
        let said = excerpt(&String::from_utf8_lossy(&answer.body[..answer.body.len().min(2000)]));
        return Fault::target(format!("answered {} without saying what became of the items: {said}", answer.status))
            .for_all(counts.len());
    };
    let mut items = items.iter();
    counts
        .iter()
        .map(|count| {
            let own: Vec<Option<&Value>> = (0..*count).map(|_| items.next()).collect();
            own.into_iter().map(item).max_by_key(badness).unwrap_or(Outcome::Delivered)
        })
        .collect()
}

fn item(item: Option<&Value>) -> Outcome {
    let Some(result) = item.and_then(|item| item.as_object()?.values().next()) else {
        return Outcome::Failed(Fault::letter("the answer says nothing about it"));
    };
    let status = result["status"].as_u64().unwrap_or(0);
    let error = &result["error"];
    let message = || {
        let reason = error["reason"].as_str().or_else(|| error.as_str()).unwrap_or_default();
        let cause = error["caused_by"]["reason"].as_str().map(|cause| format!(": {cause}")).unwrap_or_default();
        excerpt(&format!("{status} {}: {reason}{cause}", error["type"].as_str().unwrap_or_default()))
    };
    match status {
        200..=299 | 409 => Outcome::Delivered,
        429 => Outcome::Failed(Fault::target(message())),
        400..=499 => Outcome::Failed(Fault::permanent(message())),
        _ => Outcome::Failed(Fault::letter(message())),
    }
}

/// A letter that failed for good is dead even if a part of it might still get through.
fn badness(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Delivered | Outcome::DeliveredExcept(..) => 0,
        Outcome::Failed(fault) => 2 + u8::from(fault.permanent),
    }
}
