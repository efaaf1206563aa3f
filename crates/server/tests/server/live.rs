//! The stream of events: live, after a break, by role, and its end.

use std::time::Duration;

use lurcher_server::{auth::Role, events::Topic};
use serde_json::json;

use crate::house::House;

/// A client of the stream.
struct Client {
    response: reqwest::Response,
    text: String,
}

impl Client {
    async fn connect(house: &House, key: &str, query: &str, last: Option<&str>) -> Self {
        let mut request = house.request("GET", &format!("/api/v1/events{query}")).bearer_auth(key);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next event: its id, its topic, its data. `None`: the stream ended.
    async fn next(&mut self) -> Option<(String, String, String)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let member = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    line.unwrap_or_default().to_owned()
                };
                return Some((member("id"), member("event"), member("data")));
            }
            let chunk = tokio::time::timeout(Duration::from_secs(5), self.response.chunk()).await.expect("an event");
            self.text.push_str(std::str::from_utf8(&chunk.ok()??).unwrap());
        }
    }
}

#[tokio::test]
async fn who_was_cut_off_is_told_what_happened_meanwhile() {
    let house = House::open_with(|settings, _| settings.events_kept = 4).await;
    let mut client = Client::connect(&house, &house.admin, "", None).await;
    house.events.publish(Topic::Alert, &json!({"id": "1"}));
    let (first, topic, data) = client.next().await.unwrap();
    assert_eq!((topic.as_str(), data.as_str()), ("alert", r#"{"id":"1"}"#));
    drop(client);
    for number in 2..5 {
        house.events.publish(Topic::Alert, &json!({"id": number.to_string()}));
    }
    let mut client = Client::connect(&house, &house.admin, "", Some(&first)).await;
    for number in 2..5 {
        assert_eq!(client.next().await.unwrap().2, json!({"id": number.to_string()}).to_string());
    }
    house.events.publish(Topic::Ledger, &json!({"rule": "a"}));
    assert_eq!(client.next().await.unwrap().1, "ledger");
    for number in 5..10 {
        house.events.publish(Topic::Alert, &json!({"id": number.to_string()}));
    }
    let mut client = Client::connect(&house, &house.admin, &format!("?last-event-id={first}"), None).await;
    assert_eq!(client.next().await.unwrap().1, "missed");
    assert_eq!(client.next().await.unwrap().2, r#"{"id":"6"}"#);
    house.close().await;
}

#[tokio::test]
async fn topics_are_chosen_and_take_a_role() {
    let house = House::open().await;
    let reader = house.key(Role::Reader).await;
    let mut client = Client::connect(&house, &reader, "", None).await;
    house.events.publish(Topic::Job, &json!({"id": "1"}));
    house.events.publish(Topic::Risk, &json!({"id": "2"}));
    assert_eq!(client.next().await.unwrap().1, "risk", "jobs are not a reader's");
    let refused = house.ask("GET", "/api/v1/events?topics=alert,job", &reader, None).await;
    assert_eq!(refused.status, 403);
    assert_eq!(house.get("/api/v1/events?topics=nonsense").await.status, 400);
    let mut chosen = Client::connect(&house, &house.admin, "?topics=ledger,job", None).await;
    house.events.publish(Topic::Alert, &json!({}));
    house.events.publish(Topic::Job, &json!({}));
    assert_eq!(chosen.next().await.unwrap().1, "job");
    assert!(house.get("/metrics").await.text.contains("lurcher_event_streams 2"));
    house.close().await;
}

#[tokio::test]
async fn the_stream_ends_when_the_server_stops() {
    let house = House::open().await;
    let mut client = Client::connect(&house, &house.admin, "", None).await;
    house.stop.begin();
    assert!(client.next().await.is_none());
    house.close().await;
}
