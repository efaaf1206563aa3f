//! `/ingest/…`.

use lurcher_ingest::Refusal;
use lurcher_journal::RecordKind;
use serde_json::json;

use crate::server::{Server, answer};

#[tokio::test]
async fn events_of_each_kind_are_taken() {
    let server = Server::new();
    let client = server.open().await;
    let taken = json!({"accepted": 2, "malformed": 0, "errors": []});
    let xml = "<Events><Event><System/></Event>\n<Event><System/></Event></Events>";
    assert_eq!(client.post("/ingest/xml?stream=win", xml).await, (200, taken.clone()));
    assert_eq!(client.post("/ingest/json?stream=j", "[{\"a\":1},\n{\"b\":\n2}]").await, (200, taken.clone()));
    assert_eq!(client.post("/ingest/lines", "one\r\n\ntwo").await, (200, taken));
    let want = [
        (RecordKind::Xml, "win", "<Event><System/></Event>"),
        (RecordKind::Xml, "win", "<Event><System/></Event>"),
        (RecordKind::Json, "j", "{\"a\":1}"),
        (RecordKind::Json, "j", "{\"b\": 2}"),
        (RecordKind::Line, "http", "one"),
        (RecordKind::Line, "http", "two"),
    ];
    assert_eq!(server.taken(), want.map(|(kind, stream, body)| (kind, stream.to_owned(), body.to_owned())));
}

#[tokio::test]
async fn what_is_sound_is_taken() {
    let server = Server::new();
    let client = server.open().await;
    let (status, body) = client.post("/ingest/json", "{\"a\":1}\n{oops\n{\"b\":2}\n").await;
    assert_eq!((status, &body["accepted"], &body["malformed"]), (200, &json!(2), &json!(1)));
    assert_eq!(body["errors"][0]["number"], 1);
    assert_eq!(client.post("/ingest/xml", "<Events/>").await.0, 400);
    assert_eq!(client.post("/ingest/xml", "<Event><a>").await.0, 400);
    assert_eq!(client.post("/ingest/json", "").await.0, 400);
}

#[tokio::test]
async fn the_rest_is_refused() {
    let server = Server::new();
    let client = server.open().await;
    let url = format!("http://{}/ingest/json", client.address);
    assert_eq!(answer(client.client.post(&url).body("{}")).await.0, 401);
    assert_eq!(answer(client.client.post(&url).header("Authorization", "Bearer x").body("{}")).await.0, 403);
    assert_eq!(client.get("/ingest/json").await.0, 405);
    server.refuse(Some(Refusal::Busy));
    assert_eq!(client.post("/ingest/json", "{}").await.0, 429);
    server.refuse(Some(Refusal::Stopping));
    assert_eq!(client.post("/ingest/json", "{}").await.0, 503);
    assert!(server.taken().is_empty());
}
