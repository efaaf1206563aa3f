//! Elasticsearch's `_bulk` and Splunk's HTTP Event Collector: batches, and what becomes of each letter of one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use lurcher_schema::{Clock, SystemClock};
use serde_json::{Deserializer, Value, json};

use crate::{
    outbox::{MemoryOutbox, State, alert, start, target},
    web::{Asked, Reply, Web},
};

fn values(asked: &Asked) -> Vec<Value> {
    Deserializer::from_slice(&asked.body).into_iter().collect::<Result<_, _>>().unwrap()
}

/// Keeps what is created, as an index would: an id is taken once.
fn index(asked: &Asked, taken: &Mutex<BTreeMap<String, Value>>) -> Reply {
    assert_eq!((asked.path.as_str(), asked.header("content-type")), ("/_bulk", "application/x-ndjson"));
    let lines = values(asked);
    let items: Vec<Value> = lines
        .chunks(2)
        .map(|pair| {
            let id = pair[0]["create"]["_id"].as_str().unwrap().to_owned();
            assert!(pair[1]["@timestamp"].is_string());
            let status = if id.contains("poison") {
                400
            } else if taken.lock().unwrap().insert(id.clone(), pair[1].clone()).is_some() {
                409
            } else {
                201
            };
            let mut item = json!({"_index": pair[0]["create"]["_index"], "_id": id, "status": status});
            if status == 400 {
                item["error"] = json!({"type": "document_parsing_exception", "reason": "failed to parse"});
            }
            json!({"create": item})
        })
        .collect();
    Reply::Status(200, json!({"took": 1, "errors": true, "items": items}).to_string())
}

#[tokio::test]
async fn documents_are_created_once_and_conflicts_are_deliveries() {
    let taken = Arc::new(Mutex::new(BTreeMap::new()));
    let theirs = Arc::clone(&taken);
    let web = Web::start([], move |asked| index(asked, &theirs)).await;
    let outbox = MemoryOutbox::new();
    taken.lock().unwrap().insert("a0".into(), Value::Null);
    let mut ids: Vec<i64> = (0..5).map(|number| outbox.put("t", alert(&format!("a{number}")))).collect();
    ids.push(outbox.put("t", alert("poison")));
    // A shell and its building blocks, as Elastic lays out a sequence.
    let documents =
        json!([{"@timestamp": "t", "kibana.alert.uuid": "shell"}, {"@timestamp": "t", "kibana.alert.uuid": "block"}]);
    ids.push(outbox.put_with("t", alert("s1"), BTreeMap::from([("elastic".to_owned(), documents)])));
    let table = format!(
        "name = \"t\"\ntype = \"elasticsearch\"\nurl = \"{}/\"\napi_key = \"abc\"\nindex = \"alerts-x\"",
        web.url
    );
    let running = start(&outbox, &[table]);
    outbox.settled("t").await;
    for (place, id) in ids.iter().enumerate() {
        match outbox.state(*id) {
            State::Dead(error) => assert!(place == 5 && error.contains("failed to parse"), "{error}"),
            state => assert_eq!(state, State::Delivered, "{place}"),
        }
    }
    assert_eq!(web.asked().len(), 1, "one batch");
    assert_eq!(web.asked()[0].header("authorization"), "ApiKey abc");
    assert_eq!(values(&web.asked()[0])[0], json!({"create": {"_index": "alerts-x", "_id": "a0"}}));
    let taken: BTreeSet<String> = taken.lock().unwrap().keys().cloned().collect();
    assert_eq!(taken, ["a0", "a1", "a2", "a3", "a4", "block", "shell"].map(str::to_owned).into());
    let counts = &running.counters.snapshot()["t"];
    assert_eq!((counts.delivered, counts.dead), (6, 1));
    running.stop().await;
}

#[tokio::test]
async fn items_that_are_too_many_come_again() {
    let taken = Arc::new(Mutex::new(BTreeMap::new()));
    let theirs = Arc::clone(&taken);
    let busy = json!({"errors": true, "items": [{"create": {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "queue is full"}}}]});
    let replies = [
        Reply::Status(200, busy.to_string()),
        Reply::Status(200, "no json".into()),
        Reply::Status(413, "too large".into()),
        Reply::RetryAfter(503, "0".into()),
    ];
    let web = Web::start(replies, move |asked| index(asked, &theirs)).await;
    let outbox = MemoryOutbox::new();
    let id = outbox.put("t", alert("a1"));
    let table =
        format!("name = \"t\"\ntype = \"elasticsearch\"\nurl = \"{}\"\nretry_first = \"10ms\"\ngzip = true", web.url);
    let running = start(&outbox, &[table]);
    outbox.settled("t").await;
    // 413 for one letter alone is for good.
    let State::Dead(error) = outbox.state(id) else { panic!("{:?}", outbox.state(id)) };
    assert!(error.contains("413"), "{error}");
    assert_eq!(outbox.history(id).0, 2);
    assert_eq!(web.asked()[0].header("content-encoding"), "gzip");
    running.stop().await;
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_sent_one_by_one() {
    let taken = Arc::new(Mutex::new(BTreeMap::new()));
    let theirs = Arc::clone(&taken);
    let web = Web::start([Reply::Status(413, "too large".into())], move |asked| index(asked, &theirs)).await;
    let outbox = MemoryOutbox::new();
    for number in 0..4 {
        outbox.put("t", alert(&format!("a{number}")));
    }
    let running = start(&outbox, &[format!("name = \"t\"\ntype = \"elasticsearch\"\nurl = \"{}\"", web.url)]);
    outbox.settled("t").await;
    assert_eq!((web.asked().len(), taken.lock().unwrap().len()), (5, 4));
    assert_eq!(running.counters.snapshot()["t"].delivered, 4);
    running.stop().await;
}

fn collector(text: &str) -> String {
    format!("name = \"t\"\ntype = \"splunk\"\ntoken = \"hunter2\"\nretry_first = \"10ms\"\n{text}")
}

#[tokio::test]
async fn events_for_the_collector() {
    let web = Web::start([], |_| Reply::Status(200, r#"{"text":"Success","code":0}"#.into())).await;
    let outbox = MemoryOutbox::new();
    outbox.put("t", alert("a1"));
    let risk = json!([{"_time": 1.5, "index": "risk", "sourcetype": "stash", "source": "R - Rule", "risk_object": "alice"},
                      {"_time": 1.5, "index": "risk", "sourcetype": "stash", "source": "R - Rule", "risk_object": "ws01"}]);
    outbox.put_with("t", alert("a2"), BTreeMap::from([("splunk".to_owned(), risk)]));
    let running = start(&outbox, &[collector(&format!("url = \"{}\"\nhost = \"lurcher-1\"", web.url))]);
    outbox.settled("t").await;
    running.stop().await;
    let asked = &web.asked()[0];
    assert_eq!((asked.path.as_str(), asked.header("authorization")), ("/services/collector/event", "Splunk hunter2"));
    let events = values(asked);
    assert_eq!(events.len(), 3);
    assert_eq!((&events[0]["sourcetype"], &events[0]["host"]), (&json!("lurcher:alert"), &json!("lurcher-1")));
    assert_eq!(events[0]["time"], json!(1_767_323_045.678));
    assert_eq!(events[0]["event"], alert("a1"));
    assert_eq!(events[0].get("index"), None);
    assert_eq!((&events[2]["index"], &events[2]["source"]), (&json!("risk"), &json!("R - Rule")));
    assert_eq!(events[2]["event"]["risk_object"], "ws01");
}

#[tokio::test]
async fn one_faulty_event_does_not_bury_the_others() {
    let seen = Arc::new(Mutex::new(BTreeMap::<String, u32>::new()));
    let theirs = Arc::clone(&seen);
    // As the collector does it: those before the faulty one are taken.
    let web = Web::start([], move |asked| {
        for (number, event) in values(asked).iter().enumerate() {
            let id = event["event"]["id"].as_str().unwrap();
            if id == "poison" {
                let text = format!(r#"{{"text":"Invalid data format","code":6,"invalid-event-number":{number}}}"#);
                return Reply::Status(400, text);
            }
            *theirs.lock().unwrap().entry(id.to_owned()).or_default() += 1;
        }
        Reply::Status(200, r#"{"text":"Success","code":0}"#.into())
    })
    .await;
    let outbox = MemoryOutbox::new();
    let ids: Vec<i64> = ["a0", "a1", "a2", "poison", "a4", "a5"].iter().map(|id| outbox.put("t", alert(id))).collect();
    let running = start(&outbox, &[collector(&format!("url = \"{}\"", web.url))]);
    outbox.settled("t").await;
    for (place, id) in ids.iter().enumerate() {
        assert_eq!(matches!(outbox.state(*id), State::Dead(_)), place == 3, "{place}: {:?}", outbox.state(*id));
    }
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 5, "all others are there: {seen:?}");
    // Which of two the number means is not certain, so one may be there twice.
    assert_eq!(seen.values().sum::<u32>(), 6, "{seen:?}");
    running.stop().await;
}

#[tokio::test]
async fn acknowledgements_are_waited_for() {
    let polls = Arc::new(AtomicU64::new(0));
    let theirs = Arc::clone(&polls);
    let web = Web::start([], move |asked| {
        assert_eq!(asked.header("x-splunk-request-channel").len(), 36);
        match asked.path.as_str() {
            "/services/collector/event" => Reply::Status(200, r#"{"text":"Success","code":0,"ackId":7}"#.into()),
            "/services/collector/ack" => {
                assert_eq!(asked.json(), json!({"acks": [7]}));
                let done = theirs.fetch_add(1, Ordering::SeqCst) >= 2;
                Reply::Status(200, json!({"acks": {"7": done}}).to_string())
            }
            other => panic!("{other}"),
        }
    })
    .await;
    let outbox = MemoryOutbox::new();
    let id = outbox.put("t", alert("a1"));
    let running = start(&outbox, &[collector(&format!("url = \"{}\"\nack = true", web.url))]);
    outbox.settled("t").await;
    assert_eq!((outbox.state(id), outbox.history(id).0), (State::Delivered, 0));
    assert_eq!(polls.load(Ordering::SeqCst), 3);
    running.stop().await;
}

#[tokio::test]
async fn a_busy_collector_is_waited_for_and_one_without_acknowledgements_is_told_of() {
    let busy = Reply::Status(503, r#"{"text":"Server is busy","code":9}"#.into());
    let web = Web::start([busy], |_| Reply::Status(200, r#"{"text":"Success","code":0}"#.into())).await;
    let outbox = MemoryOutbox::new();
    let id = outbox.put("t", alert("a1"));
    let running = start(&outbox, &[collector(&format!("url = \"{}\"", web.url))]);
    outbox.settled("t").await;
    let (attempts, error) = outbox.history(id);
    assert!(attempts == 1 && error.contains("Server is busy"), "{error}");
    running.stop().await;
    let asking = target(&collector(&format!("url = \"{}\"\nack = true", web.url)));
    let fault = lurcher_deliver::send_test(&asking, SystemClock.now()).await.unwrap_err();
    assert!(fault.message.contains("say ack = false"), "{fault}");
    assert!(asking.check(SystemClock.now()).await.is_ok());
}
