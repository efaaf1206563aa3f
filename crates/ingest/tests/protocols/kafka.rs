//! Kafka, against librdkafka's mock cluster.

use std::time::Duration;

use lurcher_ingest::{Refusal, kafka};
use lurcher_schema::Secret;
use rdkafka::{
    ClientConfig,
    mocking::MockCluster,
    producer::{DefaultProducerContext, FutureProducer, FutureRecord},
};

use crate::server::Server;

fn options(brokers: &str) -> kafka::Options {
    // The mock cluster makes a member wait for most of a session after another has left.
    let settings = "settings = { \"session.timeout.ms\" = \"3000\", \"heartbeat.interval.ms\" = \"500\" }";
    toml::from_str(&format!("brokers = {brokers:?}\ntopics = [\"events\"]\ngroup = \"g\"\n{settings}")).unwrap()
}

async fn produce(brokers: &str, payloads: &[&str]) {
    let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", brokers).create().unwrap();
    for (partition, payload) in payloads.iter().enumerate() {
        let record = FutureRecord::<str, str>::to("events").payload(payload).partition(partition as i32 % 2);
        producer.send(record, Duration::from_secs(10)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn places_are_committed_when_what_came_before_was_taken() {
    let cluster: MockCluster<'_, DefaultProducerContext> = MockCluster::new(1).unwrap();
    cluster.create_topic("events", 2, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    produce(&brokers, &["{\"a\":1}", "two", "[{\"b\":2},{\"c\":3}]"]).await;

    let first = Server::new();
    let running = tokio::spawn(kafka::run(options(&brokers), first.reception(), first.stop_receiver()));
    let mut bodies = first.wait_for(4).await;
    bodies.sort();
    assert_eq!(bodies, ["two", "{\"a\":1}", "{\"b\":2}", "{\"c\":3}"]);
    // What comes while there is no place is not lost when the server stops.
    first.refuse(Some(Refusal::Busy));
    produce(&brokers, &["late"]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    first.stop();
    running.await.unwrap().unwrap();
    assert_eq!(first.bodies().len(), 4);

    let second = Server::new();
    let running = tokio::spawn(kafka::run(options(&brokers), second.reception(), second.stop_receiver()));
    assert_eq!(second.wait_for(1).await, ["late"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(second.bodies(), ["late"]);
    assert_eq!(second.taken()[0].1, "events");
    second.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn settings_that_would_lose_messages_are_refused() {
    let server = Server::new();
    let mut options = options("127.0.0.1:1");
    options.settings.insert("enable.auto.commit".to_owned(), Secret::Inline("true".to_owned()));
    let failure = kafka::run(options, server.reception(), server.stop_receiver()).await.unwrap_err();
    assert!(failure.to_string().contains("enable.auto.commit"), "{failure}");
}

#[tokio::test]
async fn a_setting_may_stand_in_a_file_and_is_never_quoted() {
    let server = Server::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "hunter2\n").unwrap();
    let mut options = options("127.0.0.1:1");
    options.settings.insert("session.timeout.ms".to_owned(), Secret::File(file.path().to_owned()));
    let failure = kafka::run(options, server.reception(), server.stop_receiver()).await.unwrap_err().to_string();
    assert!(failure.contains("session.timeout.ms") && !failure.contains("hunter2"), "{failure}");
}

/// A broker that asks for TLS is not spoken to in clear text: the build says what it lacks.
#[cfg(not(feature = "kafka-tls"))]
#[tokio::test]
async fn a_build_without_tls_says_so() {
    let server = Server::new();
    let mut options = options("127.0.0.1:1");
    options.settings.insert("security.protocol".to_owned(), Secret::Inline("sasl_ssl".to_owned()));
    let failure = kafka::run(options, server.reception(), server.stop_receiver()).await.unwrap_err().to_string();
    assert!(failure.contains("security.protocol") && failure.contains("--features kafka-tls"), "{failure}");
}
