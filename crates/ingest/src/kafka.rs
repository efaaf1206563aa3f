//! Kafka, as a member of a consumer group.
//!
//! The place in a partition is committed only when the intake has taken what came before it: a crash, here or of the
//! connection, repeats messages and loses none.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use lurcher_journal::Record;
use lurcher_schema::Secret;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{CommitMode, Consumer, StreamConsumer},
    error::KafkaError,
    message::BorrowedMessage,
};
use serde::Deserialize;

use crate::{
    Failure, Reception, Stop,
    reception::{sleep, stopped},
    split::pieces,
};

/// Messages that are handed over together at most.
const BATCH: usize = 1000;
/// Bytes that are handed over together, more or less.
const BATCH_BYTES: usize = 4 << 20;
/// How long more messages are waited for.
const LINGER: Duration = Duration::from_millis(50);
/// After an error of the connection, so long nothing is asked for; librdkafka connects again by itself.
const BREATH: Duration = Duration::from_millis(500);
/// How long the last commit may take when the server stops.
const FAREWELL: Duration = Duration::from_secs(5);

/// Settings of librdkafka that are ours, since the guarantee hangs on them.
const OURS: &[&str] = &["enable.auto.commit", "enable.auto.offset.store", "group.id", "bootstrap.servers"];

/// One of `[[ingest.kafka]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Brokers, as `host:port,host:port`.
    pub brokers: String,
    /// Topics; one that begins with `^` is a regular expression.
    pub topics: Vec<String>,
    /// The consumer group; servers of one group share the partitions.
    #[serde(default = "group")]
    pub group: String,
    /// The data stream of the messages; without it, the topic's name.
    pub stream: Option<String>,
    /// Further settings of librdkafka; secrets may stand in variables and files.
    #[serde(default)]
    pub settings: BTreeMap<String, Secret>,
}

fn group() -> String {
    "lurcher".to_owned()
}

/// Consumes until the server stops.
pub async fn run(options: Options, reception: Reception, mut stop: Stop) -> Result<(), Failure> {
    let consumer = connect(&options)?;
    let mut streams = HashMap::new();
    loop {
        let mut batch = Batch::default();
        let first = tokio::select! {
            first = consumer.recv() => first,
            () = stopped(&mut stop) => break,
        };
        match first {
            Ok(message) => batch.take(&message, &options, &reception, &mut streams),
            Err(error) => {
                tracing::warn!(%error, topics = ?options.topics, "Kafka cannot be read");
                if !sleep(BREATH, &mut stop).await {
                    break;
                }
                continue;
            }
        }
        let until = tokio::time::Instant::now() + LINGER;
        while batch.messages < BATCH && batch.bytes < BATCH_BYTES {
            match tokio::time::timeout_at(until, consumer.recv()).await {
                Ok(Ok(message)) => batch.take(&message, &options, &reception, &mut streams),
                // An error comes again, and is said then.
                Ok(Err(_)) | Err(_) => break,
            }
        }
        if !reception.insist(std::mem::take(&mut batch.records), &mut stop).await {
            break;
        }
        if let Err(error) = batch.commit(&consumer) {
            tracing::warn!(%error, "the place in Kafka was not committed: messages may come again");
        }
    }
    // What was committed without waiting must have gone out before the group is left.
    let last = tokio::task::spawn_blocking(move || consumer.commit_consumer_state(CommitMode::Sync));
    if let Ok(Ok(Err(error))) = tokio::time::timeout(FAREWELL, last).await {
        tracing::debug!(%error, "nothing was left to commit");
    }
    Ok(())
}

fn connect(options: &Options) -> Result<StreamConsumer, Failure> {
    let failed = |error: KafkaError| {
        let why = match &error {
            // Never the value: it may be a secret.
            KafkaError::ClientConfig(_, cause, name, _) => format!("settings: `{name}`: {}", without_tls(cause)),
            other => other.to_string(),
        };
        Failure(format!("Kafka at {}: {why}", options.brokers))
    };
    let mut config = ClientConfig::new();
    config
        .set("client.id", "lurcher")
        .set("auto.offset.reset", "earliest")
        .set("queued.max.messages.kbytes", "16384")
        // While the intake is busy nothing is asked for; the group shall not take the partitions away for that.
        .set("max.poll.interval.ms", "3600000");
    for (name, value) in &options.settings {
        if OURS.contains(&name.as_str()) {
            return Err(Failure(format!("ingest.kafka.settings: `{name}` cannot be set here")));
        }
        let value = value.read().map_err(|error| Failure(format!("ingest.kafka.settings.{name}: {error}")))?;
        config.set(name, value);
    }
    config
        .set("bootstrap.servers", &options.brokers)
        .set("group.id", &options.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false");
    let consumer: StreamConsumer = config.create().map_err(failed)?;
    let topics: Vec<&str> = options.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).map_err(failed)?;
    Ok(consumer)
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

/// Messages that are handed over together.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    messages: usize,
    bytes: usize,
    /// The next offset of each partition.
    next: BTreeMap<(String, i32), i64>,
}

impl Batch {
    fn take(
        &mut self,
        message: &BorrowedMessage<'_>,
        options: &Options,
        reception: &Reception,
        streams: &mut HashMap<String, Arc<str>>,
    ) {
        self.messages += 1;
        self.next.insert((message.topic().to_owned(), message.partition()), message.offset() + 1);
        let Some(payload) = message.payload() else { return };
        self.bytes += payload.len();
        reception.bytes(payload.len());
        let name = options.stream.as_deref().unwrap_or(message.topic());
        let stream = streams.entry(name.to_owned()).or_insert_with(|| Arc::from(name));
        for piece in pieces(payload) {
            let body = Bytes::from(piece.body.into_owned());
            self.records.push(reception.record(stream, piece.kind, body));
        }
    }

    fn commit(&self, consumer: &StreamConsumer) -> Result<(), KafkaError> {
        let mut places = TopicPartitionList::new();
        for ((topic, partition), next) in &self.next {
            places.add_partition_offset(topic, *partition, Offset::Offset(*next))?;
        }
        consumer.store_offsets(&places)?;
        consumer.commit_consumer_state(CommitMode::Async)
    }
}
