//! Alerts onto a topic of Kafka: the key is the alert's id, so that all that is said of one alert lies in one partition,
//! in order. The producer is idempotent: its own retries never double a message.
//!
//! librdkafka has TLS and SASL in builds with the feature `kafka-tls`; see docs/deliver.md.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use lurcher_schema::{Secret, Timestamp};
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord, Producer, future_producer::DeliveryFuture},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{
    connector::{Connector, Context},
    fault::{Fault, Outcome},
    letter::{Format, Letter},
};

/// `type = "kafka"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// `host:port` of some brokers.
    pub brokers: Vec<String>,
    /// The topic.
    pub topic: String,
    /// How the alert is laid out.
    #[serde(default = "native")]
    pub format: Format,
    /// Further settings of librdkafka, such as `compression.type`.
    #[serde(default)]
    pub settings: BTreeMap<String, Secret>,
}

fn native() -> Format {
    Format::Native
}

/// Sends letters in batches.
pub(crate) struct Kafka {
    context: Arc<Context>,
    config: KafkaConfig,
    client: ClientConfig,
    /// Made when first needed, and anew after an error that it does not recover from.
    producer: Mutex<Option<FutureProducer>>,
}

impl Kafka {
    pub(crate) fn new(config: &KafkaConfig, context: Arc<Context>) -> Result<Self, String> {
        if config.brokers.is_empty() {
            return Err("brokers: there is none; name at least one as \"host:9092\"".into());
        }
        let topic = &config.topic;
        if topic.is_empty()
            || topic.len() > 249
            || !topic.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        {
            return Err("topic: up to 249 letters, digits, dots, hyphens and underscores".into());
        }
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", config.brokers.join(","))
            .set("client.id", "lurcher")
            .set("enable.idempotence", "true")
            .set("compression.type", "gzip")
            .set("linger.ms", "5")
            .set("message.timeout.ms", context.timeout.as_millis().to_string());
        for (name, value) in &config.settings {
            if matches!(name.as_str(), "bootstrap.servers" | "enable.idempotence" | "message.timeout.ms") {
                return Err(format!("settings: `{name}` is set by `brokers`, `timeout` or always; leave it out"));
            }
            client.set(name, value.read().map_err(|error| format!("settings.{name}: {error}"))?);
        }
        client.create_native_config().map_err(|error| match error {
            KafkaError::ClientConfig(_, cause, name, _) => format!("settings: `{name}`: {}", without_tls(&cause)),
            other => format!("settings: {other}"),
        })?;
        Ok(Self { context, config: config.clone(), client, producer: Mutex::new(None) })
    }

    async fn producer(&self) -> Result<FutureProducer, Fault> {
        let mut producer = self.producer.lock().await;
        if let Some(producer) = &*producer
            && producer.client().fatal_error().is_none()
        {
            return Ok(producer.clone());
        }
        let made: FutureProducer = self.client.create().map_err(|error| Fault::target(error.to_string()))?;
        Ok(producer.insert(made).clone())
    }

    fn enqueue(&self, producer: &FutureProducer, letter: &Letter) -> Result<Vec<DeliveryFuture>, Fault> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let severity = text(&letter.alert["severity"]);
        let rule = text(&letter.alert["rule"]["id"]);
        let mut futures = Vec::new();
        for document in letter.documents(self.config.format) {
            let body = document.to_string();
            let headers = [
                ("content-type", "application/json"),
                ("idempotency-key", letter.key.as_str()),
                ("lurcher-format", self.config.format.name()),
                ("lurcher-severity", severity.as_str()),
                ("lurcher-rule", rule.as_str()),
            ]
            .into_iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
            let record =
                FutureRecord::to(&self.config.topic).key(letter.alert_id()).payload(body.as_str()).headers(headers);
            futures.push(producer.send_result(record).map_err(|(error, _)| fault(&error))?);
        }
        Ok(futures)
    }
}

#[async_trait]
impl Connector for Kafka {
    fn batch(&self) -> usize {
        self.context.batch.unwrap_or(500)
    }

    async fn send(&self, letters: &[Letter], _: Timestamp) -> Vec<Outcome> {
        let producer = match self.producer().await {
            Ok(producer) => producer,
            Err(fault) => return fault.for_all(letters.len()),
        };
        let waiting: Vec<_> = letters.iter().map(|letter| self.enqueue(&producer, letter)).collect();
        let mut outcomes = Vec::with_capacity(letters.len());
        for futures in waiting {
            let mut outcome = Outcome::Delivered;
            match futures {
                Err(fault) => outcome = Outcome::Failed(fault),
                Ok(futures) => {
                    for future in futures {
                        match future.await {
                            Ok(Ok(_)) => {}
                            Ok(Err((error, _))) => outcome = Outcome::Failed(fault(&error)),
                            Err(_) => outcome = Outcome::Failed(Fault::target("the producer was closed")),
                        }
                    }
                }
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn probe(&self, _: Timestamp) -> Result<String, String> {
        let producer = self.producer().await.map_err(|fault| fault.message)?;
        let topic = self.config.topic.clone();
        let timeout = self.context.timeout.min(Duration::from_secs(10));
        let asked = move || {
            producer.client().fetch_metadata(Some(&topic), timeout).map(|metadata| {
                let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
                format!("{} brokers; the topic has {partitions} partitions", metadata.brokers().len())
            })
        };
        match tokio::task::spawn_blocking(asked).await {
            Ok(found) => found.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// What librdkafka says of a setting, with the way out where it was built without what the setting asks for.
fn without_tls(cause: &str) -> String {
    if cfg!(not(feature = "kafka-tls")) && cause.contains("not available at build time") {
        return format!(
            "{cause}: this lurcher was built without TLS and SASL for Kafka; build it with --features kafka-tls"
        );
    }
    cause.to_owned()
}

/// Some errors are about the message, and will be there again; all others are about the cluster.
fn fault(error: &KafkaError) -> Fault {
    use RDKafkaErrorCode::{InvalidMessage, InvalidMessageSize, InvalidRecord, InvalidTopic, MessageSizeTooLarge};

    let about_the_message = error.rdkafka_error_code().is_some_and(|code| {
        matches!(code, MessageSizeTooLarge | InvalidMessageSize | InvalidMessage | InvalidRecord | InvalidTopic)
    });
    if about_the_message { Fault::permanent(error.to_string()) } else { Fault::target(error.to_string()) }
}
