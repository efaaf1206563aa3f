//! `_bulk`, single documents, and what shippers ask first.

use base64::{Engine, engine::general_purpose::STANDARD};
use lurcher_ingest::{BodyLimits, Refusal, hec};
use lurcher_journal::RecordKind;
use serde_json::json;

use crate::server::{Client, KEY, Server, answer, gzip};

#[tokio::test]
async fn a_bulk_is_taken_and_answered_by_item() {
    let server = Server::new();
    let client = server.open().await;
    let body = concat!(
        "{\"create\":{\"_index\":\"logs-a-default\"}}\n{\"@timestamp\":\"2026-01-01T00:00:00Z\",\"n\":1.10}\n",
        "{\"index\":{\"_index\":\"Bad\"}}\n{\"x\":1}\n",
        "{\"update\":{\"_index\":\"logs-a-default\",\"_id\":\"1\"}}\n{\"doc\":{}}\n",
        "{\"delete\":{\"_index\":\"logs-a-default\",\"_id\":\"1\"}}\n",
        "{\"index\":{\"_id\":\"7\"}}\n{oops\n",
        "{\"index\":{\"_id\":\"8\"}}\n{\"ok\":true}\n"
    );
    let request = client.request("PUT", "/logs-b/_bulk").header("Content-Encoding", "gzip");
    let (status, body) =
        answer(request.header("Content-Type", "application/x-ndjson").body(gzip(body.as_bytes()))).await;
    assert_eq!(status, 200);
    assert_eq!(body["errors"], true);
    let items: Vec<_> = body["items"].as_array().unwrap().iter().map(|item| item.as_object().unwrap()).collect();
    let seen: Vec<_> = items
        .iter()
        .flat_map(|item| item.iter())
        .map(|(action, item)| (action.as_str(), item["status"].as_u64().unwrap(), item["error"]["type"].as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("create", 201, None),
            ("index", 400, Some("invalid_index_name_exception")),
            ("update", 400, Some("illegal_argument_exception")),
            ("delete", 400, Some("illegal_argument_exception")),
            ("index", 400, Some("document_parsing_exception")),
            ("index", 201, None),
        ]
    );
    assert_eq!(
        server.taken(),
        [
            (
                RecordKind::Json,
                "logs-a-default".to_owned(),
                r#"{"_index":"logs-a-default","_source":{"@timestamp":"2026-01-01T00:00:00Z","n":1.10}}"#.to_owned()
            ),
            (
                RecordKind::Json,
                "logs-b".to_owned(),
                r#"{"_index":"logs-b","_id":"8","_source":{"ok":true}}"#.to_owned()
            ),
        ]
    );
    assert_eq!((server.count(|c| &c.accepted), server.count(|c| &c.malformed)), (2, 4));
}

#[tokio::test]
async fn an_answer_shows_what_was_asked_for() {
    let server = Server::new();
    let client = server.open().await;
    let body = "{\"create\":{\"_index\":\"a\"}}\n{}\n";
    let (_, body) = client.post("/_bulk?filter_path=errors,items.*.error,items.*.status", body).await;
    assert_eq!(body, json!({"errors": false, "items": [{"create": {"status": 201}}]}));
    let media = "application/vnd.elasticsearch+json; compatible-with=8";
    let response = client.request("GET", "/").header("Accept", media).send().await.unwrap();
    assert_eq!(response.headers()["x-elastic-product"], "Elasticsearch");
    assert_eq!(response.headers()["content-type"], "application/vnd.elasticsearch+json;compatible-with=8");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_whole() {
    let server = Server::new();
    let client = server.open().await;
    let good = "{\"create\":{\"_index\":\"a\"}}\n{}\n";
    for (body, kind) in [
        (String::new(), "parse_exception"),
        (format!("{good}{{\"create\":{{}}}}\n{{}}\n"), "action_request_validation_exception"),
        (format!("{good}[]\n"), "illegal_argument_exception"),
        (good.trim_end().to_owned(), "illegal_argument_exception"),
    ] {
        let (status, answer) = client.post("/_bulk", body).await;
        assert_eq!((status, answer["error"]["type"].as_str()), (400, Some(kind)));
    }
    assert!(server.taken().is_empty());
}

#[tokio::test]
async fn pressure_is_passed_on() {
    let server = Server::new();
    let client = server.open().await;
    let body = "{\"create\":{\"_index\":\"a\"}}\n{}\n";
    for (refusal, status, kind) in [
        (Refusal::Busy, 429, "es_rejected_execution_exception"),
        (Refusal::Unwritable("disk full".to_owned()), 503, "cluster_block_exception"),
        (Refusal::Stopping, 503, "node_closed_exception"),
    ] {
        server.refuse(Some(refusal));
        let response = client.request("POST", "/_bulk").body(body).send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (status, "1"));
        let answer: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(
            (answer["error"]["type"].as_str(), answer["status"].as_u64()),
            (Some(kind), Some(u64::from(status)))
        );
    }
    server.refuse(None);
    assert_eq!(client.post("/_bulk", body).await.0, 200);
    assert_eq!(server.taken().len(), 1);
}

#[tokio::test]
async fn limits_hold() {
    let server = Server::new();
    let limits =
        BodyLimits { max_body_bytes: 1000, max_unpacked_bytes: 2000, body_timeout_seconds: 1, ..Default::default() };
    let client = Client::new(server.http(limits, hec::Options::default()).await);
    assert_eq!(client.post("/_bulk", vec![b'x'; 1001]).await.0, 413);
    let bomb = client.request("POST", "/_bulk").header("Content-Encoding", "gzip").body(gzip(&vec![b' '; 100_000]));
    assert_eq!(answer(bomb).await.0, 413);
    let odd = client.request("POST", "/_bulk").header("Content-Encoding", "br").body("x");
    assert_eq!(answer(odd).await.0, 415);
    // A body that trickles in is not waited for.
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut slow = tokio::net::TcpStream::connect(client.address).await.unwrap();
    let head =
        format!("POST /_bulk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: 100\r\n\r\n{{");
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    slow.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn nobody_comes_in_without_a_key() {
    let server = Server::new();
    let client = server.open().await;
    let url = format!("http://{}/_bulk", client.address);
    let body = "{\"create\":{\"_index\":\"a\"}}\n{}\n";
    let post = |header: Option<String>| {
        let request = client.client.post(&url).body(body);
        let request = match header {
            Some(header) => request.header("Authorization", header),
            None => request,
        };
        async { answer(request).await.0 }
    };
    for good in [format!("id:{KEY}"), KEY.to_owned()] {
        assert_eq!(post(Some(format!("ApiKey {}", STANDARD.encode(good)))).await, 200);
    }
    assert_eq!(post(Some(format!("Basic {}", STANDARD.encode(format!("elastic:{KEY}"))))).await, 200);
    for bad in [None, Some("Bearer wrong".to_owned()), Some("Basic x".to_owned()), Some("Digest y".to_owned())] {
        assert_eq!(post(bad.clone()).await, 401, "{bad:?}");
    }
    assert_eq!(server.taken().len(), 3);
}

#[tokio::test]
async fn single_documents_are_taken() {
    let server = Server::new();
    let client = server.open().await;
    let (status, body) = client.post("/logs-a/_doc", "{\n \"a\": 1\n}").await;
    assert_eq!((status, body["result"].as_str()), (201, Some("created")));
    let (status, body) = answer(client.request("PUT", "/logs-a/_create/x%2Fy").body("{}")).await;
    assert_eq!((status, body["_id"].as_str()), (201, Some("x/y")));
    let (status, body) = client.post("/logs-a/_doc", "[1]").await;
    assert_eq!((status, body["error"]["type"].as_str()), (400, Some("document_parsing_exception")));
    let bodies = [r#"{"_index":"logs-a","_source":{  "a": 1 }}"#, r#"{"_index":"logs-a","_id":"x/y","_source":{}}"#];
    assert_eq!(server.bodies(), bodies);
}

#[tokio::test]
async fn what_shippers_ask_first_is_answered() {
    let server = Server::new();
    let client = server.open().await;
    assert!(client.get("/").await.1["version"]["number"].as_str().unwrap().starts_with("8."));
    assert_eq!(client.get("/_license?filter_path=license.status").await.1, json!({"license": {"status": "active"}}));
    assert_eq!(client.get("/_cluster/health").await.1["status"], "green");
    let host = client.address.to_string();
    assert_eq!(client.get("/_nodes/http").await.1["nodes"]["lurcher"]["http"]["publish_address"], host);
    for path in
        ["/_xpack", "/_nodes", "/_nodes/ingest", "/_security/_authenticate", "/_cat/health", "/_cluster/settings"]
    {
        assert_eq!(client.get(path).await.0, 200, "{path}");
    }
    assert_eq!(client.request("HEAD", "/").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn what_was_put_is_there() {
    let server = Server::new();
    let client = server.open().await;
    for path in [
        "/_index_template/x",
        "/_template/x",
        "/_component_template/x",
        "/_ilm/policy/x",
        "/_ingest/pipeline/x",
        "/_data_stream/logs-x",
        "/index-x",
        "/_alias/alias-x",
    ] {
        assert_eq!(client.request("HEAD", path).send().await.unwrap().status(), 404, "{path}");
        assert_eq!(client.get(path).await.0, 404, "{path}");
        let put = if path == "/_alias/alias-x" { "/index-x/_alias/alias-x" } else { path };
        let request = client.request("PUT", put).header("Content-Type", "application/json");
        let (status, body) = answer(request.body("{\"policy\":{\"phases\":{}}}")).await;
        assert_eq!((status, &body["acknowledged"]), (200, &json!(true)), "{path}");
        assert_eq!(client.get(path).await.0, 200, "{path}");
        assert_eq!(client.request("HEAD", path).send().await.unwrap().status(), 200, "{path}");
    }
    let (_, policy) = client.get("/_ilm/policy/x").await;
    assert_eq!(policy["x"]["policy"], json!({"phases": {}}));
    let (status, body) = answer(client.request("PUT", "/index-x").body("")).await;
    assert_eq!((status, body["error"]["type"].as_str()), (400, Some("resource_already_exists_exception")));
    let alias = "{\"aliases\":{\"logstash\":{\"is_write_index\":true}}}";
    assert_eq!(answer(client.request("PUT", "/logstash-000001").body(alias)).await.0, 200);
    assert_eq!(client.request("HEAD", "/logstash").send().await.unwrap().status(), 200);
}
