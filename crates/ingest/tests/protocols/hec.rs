//! Splunk's HTTP Event Collector.

use lurcher_ingest::{BodyLimits, Refusal, hec};
use lurcher_journal::RecordKind;
use serde_json::json;

use crate::server::{Client, KEY, Server, answer, gzip};

const CHANNEL: &str = "FE0ECFAD-13D5-401B-847D-77833BD77131";

#[tokio::test]
async fn events_are_taken() {
    let server = Server::new();
    let client = server.open().await;
    let body = r#"{"event":"a","sourcetype":"st","index":"main","time":1.5}{"event":{"b":1},"host":"h"}"#;
    for path in ["/services/collector", "/services/collector/event", "/services/collector/event/1.0"] {
        let request = client.request("POST", path).header("Authorization", format!("Splunk {KEY}"));
        let request = request.header("Content-Encoding", "gzip").body(gzip(body.as_bytes()));
        assert_eq!(answer(request).await, (200, json!({"text": "Success", "code": 0})));
    }
    let first = &server.taken()[..2];
    let want = [
        ("st", r#"{"_raw":"a","sourcetype":"st","index":"main","_time":1.5}"#),
        ("httpevent", r#"{"_raw":"{\"b\":1}","host":"h"}"#),
    ];
    assert_eq!(first, want.map(|(stream, body)| (RecordKind::Json, stream.to_owned(), body.to_owned())));
    assert_eq!(server.taken().len(), 6);
}

#[tokio::test]
async fn raw_lines_are_taken() {
    let server = Server::new();
    let client = server.open().await;
    let answer = client.post("/services/collector/raw", "<13>Oct 1 x\n{\"a\":1}\n").await;
    assert_eq!(answer, (200, json!({"text": "Success", "code": 0})));
    client.post("/services/collector/raw?sourcetype=s&host=h%20x&source=f&index=i", "one\r\ntwo").await;
    let body = |raw: &str| format!(r#"{{"_raw":"{raw}","sourcetype":"s","source":"f","host":"h x","index":"i"}}"#);
    assert_eq!(
        server.taken(),
        [
            (RecordKind::Line, "httpevent".to_owned(), "<13>Oct 1 x".to_owned()),
            (RecordKind::Json, "httpevent".to_owned(), "{\"a\":1}".to_owned()),
            (RecordKind::Json, "s".to_owned(), body("one")),
            (RecordKind::Json, "s".to_owned(), body("two")),
        ]
    );
}

#[tokio::test]
async fn faults_have_their_codes() {
    let server = Server::new();
    let client = server.open().await;
    let url = |path: &str| format!("http://{}/services/collector{path}", client.address);
    let none = client.client.post(url("")).body("{}");
    assert_eq!(answer(none).await, (401, json!({"text": "Token is required", "code": 2})));
    let odd = client.client.post(url("")).header("Authorization", "Nonsense").body("{}");
    assert_eq!(answer(odd).await, (401, json!({"text": "Invalid authorization", "code": 3})));
    let wrong = client.client.post(url("")).header("Authorization", "Splunk x").body("{}");
    assert_eq!(answer(wrong).await, (403, json!({"text": "Invalid token", "code": 4})));
    let query = client.client.post(url(&format!("?token={KEY}"))).body("{}");
    assert_eq!(answer(query).await.1["code"], 16);
    assert_eq!(client.post("/services/collector", " ").await, (400, json!({"text": "No data", "code": 5})));
    let (status, body) = client.post("/services/collector", r#"{"event":"a"}{"event":""}{"event":"c"}"#).await;
    let blank = json!({"text": "Event field cannot be blank", "code": 13, "invalid-event-number": 1});
    assert_eq!((status, body), (400, blank));
    assert_eq!(server.bodies(), [r#"{"_raw":"a"}"#]);
}

#[tokio::test]
async fn what_was_taken_is_acknowledged() {
    let server = Server::new();
    let client = server.open().await;
    let send = |channel: &'static str| {
        let request = client.request("POST", "/services/collector/event").header("X-Splunk-Request-Channel", channel);
        async { answer(request.body(r#"{"event":"a"}"#)).await }
    };
    assert_eq!(send(CHANNEL).await, (200, json!({"text": "Success", "code": 0, "ackId": 0})));
    assert_eq!(send(CHANNEL).await.1["ackId"], 1);
    assert_eq!(send("x").await, (400, json!({"text": "Invalid data channel", "code": 11})));
    let path = format!("/services/collector/ack?channel={CHANNEL}");
    let (status, body) = client.post(&path, r#"{"acks":[0,1,2]}"#).await;
    assert_eq!((status, body), (200, json!({"acks": {"0": true, "1": true, "2": false}})));
    let missing = json!({"text": "Data channel is missing", "code": 10});
    assert_eq!(client.post("/services/collector/ack", r#"{"acks":[0]}"#).await, (400, missing.clone()));

    let strict = hec::Options { acknowledgements: hec::Acknowledgements::Required, ..Default::default() };
    let strict = Client::new(server.http(BodyLimits::default(), strict).await);
    assert_eq!(strict.post("/services/collector", r#"{"event":"a"}"#).await, (400, missing));
    let off = hec::Options { acknowledgements: hec::Acknowledgements::Off, ..Default::default() };
    let off = Client::new(server.http(BodyLimits::default(), off).await);
    assert_eq!(off.post(&path, r#"{"acks":[0]}"#).await, (400, json!({"text": "ACK is disabled", "code": 14})));
}

#[tokio::test]
async fn pressure_shows_in_health() {
    let server = Server::new();
    let client = server.open().await;
    let health = json!({"text": "HEC is healthy", "code": 17});
    let url = format!("http://{}/services/collector/health/1.0", client.address);
    assert_eq!(answer(client.client.get(&url)).await, (200, health.clone()));
    server.refuse(Some(Refusal::Busy));
    let busy = client.post("/services/collector", r#"{"event":"a"}"#).await;
    assert_eq!(busy, (503, json!({"text": "Server is busy", "code": 9})));
    assert_eq!(answer(client.client.get(&url)).await.1["code"], 18);
    let later = lurcher_schema::Clock::now(server.clock.as_ref()).0 + 6_000_000;
    server.clock.set(lurcher_schema::Timestamp(later));
    assert_eq!(answer(client.client.get(&url)).await, (200, health));
    assert_eq!(server.count(|c| &c.refused), 1);
}
