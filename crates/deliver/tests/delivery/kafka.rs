//! Kafka, against librdkafka's mock cluster.

use std::time::Duration;

use lurcher_deliver::Target;
use lurcher_schema::{Clock, SystemClock};
use rdkafka::{
    ClientConfig, Message,
    consumer::{Consumer, StreamConsumer},
    message::Headers,
    mocking::MockCluster,
};

use crate::outbox::{MemoryOutbox, alert, configuration, start, target};

#[tokio::test]
async fn messages_have_the_alert_as_their_key_and_tell_who_they_are() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("alerts", 3, 1).unwrap();
    let brokers = cluster.bootstrap_servers();
    let outbox = MemoryOutbox::new();
    for number in 0..20 {
        outbox.put("t", alert(&format!("a{number}")));
    }
    let table = format!("name = \"t\"\ntype = \"kafka\"\nbrokers = [\"{brokers}\"]\ntopic = \"alerts\"");
    let found = target(&table).check(SystemClock.now()).await.unwrap();
    assert_eq!(found, "1 brokers; the topic has 3 partitions");
    let running = start(&outbox, &[table]);
    outbox.settled("t").await;
    running.stop().await;

    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", &brokers)
        .set("group.id", "test")
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&["alerts"]).unwrap();
    let mut keys = Vec::new();
    while keys.len() < 20 {
        let message = tokio::time::timeout(Duration::from_secs(20), consumer.recv()).await.unwrap().unwrap();
        let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
        let body: serde_json::Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        assert_eq!(body, alert(&key));
        let headers = message.headers().unwrap();
        let header = headers.iter().find(|header| header.key == "idempotency-key").unwrap();
        assert_eq!(header.value, Some(format!("t-{key}").as_bytes()));
        keys.push(key);
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 20);
}

#[tokio::test]
async fn a_cluster_that_is_away_passes() {
    let outbox = MemoryOutbox::new();
    let id = outbox.put("t", alert("a1"));
    let running = start(
        &outbox,
        &["name = \"t\"\ntype = \"kafka\"\nbrokers = [\"127.0.0.1:1\"]\ntopic = \"alerts\"\ntimeout = \"500ms\""
            .into()],
    );
    crate::outbox::until("it fails", || outbox.history(id).0 > 0).await;
    assert!(outbox.history(id).1.contains("timed out"), "{:?}", outbox.history(id));
    running.stop().await;
}

#[test]
fn settings_are_checked_when_the_configuration_is_loaded() {
    for (table, part) in [
        ("brokers = []\ntopic = \"t\"", "brokers: there is none"),
        ("brokers = [\"b\"]\ntopic = \"a b\"", "topic: "),
        ("brokers = [\"b\"]\ntopic = \"t\"\nsettings = { \"no.such\" = \"1\" }", "settings: `no.such`"),
        ("brokers = [\"b\"]\ntopic = \"t\"\nsettings = { \"enable.idempotence\" = \"false\" }", "leave it out"),
    ] {
        let config = configuration(&format!("name = \"t\"\ntype = \"kafka\"\n{table}"));
        let problem = Target::new(&config).unwrap_err().to_string();
        assert!(problem.contains(part), "{problem}");
    }
}
