//! What is too much, too slow, or not what it should be is refused, and nothing breaks.

use std::time::{Duration, Instant};

use lurcher_server::settings::{Size, Span};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::house::House;

#[tokio::test]
async fn bodies_that_are_too_large_or_no_json_are_refused() {
    let house = House::open_with(|settings, _| settings.limits.body = Size(1000)).await;
    let post = |body: &str, kind: &str| {
        house
            .request("POST", "/api/v1/hunts")
            .bearer_auth(&house.admin)
            .header("content-type", kind.to_owned())
            .body(body.to_owned())
    };
    let large = json!({"language": "eql", "text": "x".repeat(2000)}).to_string();
    for (body, kind, expected) in [
        (large.as_str(), "application/json", 413),
        ("{\"language\":", "application/json", 400),
        ("\u{0}", "application/json", 400),
        ("{}", "application/json", 422),
        (r#"{"language":"eql","text":"any where true","nonsense":1}"#, "application/json", 422),
        (r#"{"language":"cobol","text":"x"}"#, "application/json", 422),
        (r#"{"language":"eql","text":"x","from":"yesterday"}"#, "application/json", 422),
        (r#"{"language":"eql","text":"x","limit":0}"#, "application/json", 422),
        ("language=eql", "application/x-www-form-urlencoded", 415),
    ] {
        let reply = house.send(post(body, kind)).await;
        assert_eq!(reply.status, expected, "{body:.40} {reply:?}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert_eq!(reply.json()["status"], expected);
    }
    // Without a length, in chunks.
    let chunk = format!("{:x}\r\n{}\r\n", 2000, "x".repeat(2000));
    let head = format!(
        "POST /api/v1/hunts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        house.admin
    );
    let answer = house.raw(format!("{head}{chunk}0\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    house.close().await;
}

#[tokio::test]
async fn tricks_in_paths_lead_nowhere() {
    let house = House::open().await;
    for path in [
        "/api/v1/content/rules/../../state.json",
        "/api/v1/content/rules/%2e%2e%2f%2e%2e%2fstate.json",
        "/api/v1/content/rules/%252e%252e/state.json",
        "/api/v1/content/rules/..%5cstate.json",
        "/api/v1/content/rules/a%00.yml",
        "/api/v1/content/rules/%0d%0ax",
    ] {
        let answer = house
            .raw(
                format!(
                    "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
                    house.admin
                )
                .as_bytes(),
            )
            .await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{path}: {answer}");
    }
    for (path, expected) in [
        ("//etc/passwd", "404"),
        ("/api/v1/content/rules//etc/passwd", "404"),
        ("/api/v1/content/rules/%2fetc%2fpasswd", "404"),
    ] {
        let answer = house
            .raw(
                format!(
                    "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
                    house.admin
                )
                .as_bytes(),
            )
            .await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{path}: {answer}");
    }
    let put = house.request("PUT", "/api/v1/content/rules/%2fetc%2fcron.d%2fx").bearer_auth(&house.admin).body("x");
    assert_eq!(house.send(put).await.status, 400);
    assert_eq!(house.get("/api/v1/content/nonsense").await.status, 400);
    house.close().await;
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let house = House::open().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello over TLS \r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/v1/hunts HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ] {
        let answer = house.raw(bytes).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let many = format!("GET /health HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(500));
    let answer = house.raw(many.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(house.get("/health").await.status, 200);
    house.close().await;
}

#[tokio::test]
async fn slow_clients_are_cut_off() {
    let house = House::open_with(|settings, _| {
        settings.limits.header_timeout = Span(Duration::from_millis(200));
        settings.limits.request_timeout = Span(Duration::from_millis(400));
        settings.limits.idle_timeout = Span(Duration::from_millis(300));
    })
    .await;
    let since = Instant::now();
    assert_eq!(house.raw(b"").await, "", "says nothing");
    house.raw(b"GET /health HTTP/1.1\r\nHost:").await;
    house.raw(b"PRI * HTTP/2.0\r\n").await;
    let idle = house.raw(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(idle.starts_with("HTTP/1.1 200"), "{idle}");
    let head = format!(
        "POST /api/v1/hunts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{{",
        house.admin
    );
    let body = house.raw(head.as_bytes()).await;
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    // A drop at a time, in the head.
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let since = Instant::now();
    for byte in b"GET /health HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        .iter()
        .cycle()
    {
        if stream.write_all(&[*byte]).await.is_err() || since.elapsed() > Duration::from_secs(5) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(since.elapsed() < Duration::from_secs(4), "a slow head is cut off");
    house.close().await;
}

#[tokio::test]
async fn one_address_has_only_so_many_connections() {
    let house = House::open_with(|settings, _| settings.limits.connections_per_address = 3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        held.push(stream);
    }
    let refused = house.raw(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert_eq!(refused, "");
    held.pop();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let taken = house.raw(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(taken.starts_with("HTTP/1.1 200"), "{taken}");
    drop(held);
    house.close().await;
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_again() {
    let house = House::open_with(|settings, _| {
        settings.limits.requests_per_key = 1;
        settings.limits.burst = 3;
    })
    .await;
    let mut answered = 0;
    let refused = loop {
        let reply = house.get("/api/v1/status").await;
        if reply.status != 200 {
            break reply;
        }
        answered += 1;
        assert!(answered < 1000, "never refused");
    };
    assert!(answered >= 3, "{answered}");
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
    let other = house.key(lurcher_server::auth::Role::Reader).await;
    assert_eq!(house.ask("GET", "/api/v1/status", &other, None).await.status, 200);
    house.close().await;
    let house = House::open_with(|settings, _| {
        settings.limits.requests_per_address = 1;
        settings.limits.burst = 1;
    })
    .await;
    let mut statuses = Vec::new();
    while !statuses.contains(&429) && statuses.len() < 1000 {
        statuses.push(house.send(house.request("GET", "/api/v1/status")).await.status);
    }
    assert_eq!((statuses.first(), statuses.last()), (Some(&401), Some(&429)), "also without a key");
    house.close().await;
}

#[tokio::test]
async fn a_handler_that_panics_is_answered_and_counted() {
    let house = House::open().await;
    let reply = house.get("/panic").await;
    assert_eq!((reply.status, reply.json()["status"].as_u64()), (500, Some(500)));
    assert!(!reply.text.contains("on purpose"));
    let metrics = house.get("/metrics").await.text;
    assert!(metrics.contains("lurcher_http_panics_total 1"), "{metrics}");
    assert!(metrics.contains(r#"path="/panic",status="500""#), "{metrics}");
    house.close().await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_said() {
    let house = House::open().await;
    let nothing = house.get("/api/v1/nothing").await;
    assert_eq!((nothing.status, nothing.header("content-type")), (404, "application/problem+json"));
    let method = house.ask("DELETE", "/api/v1/alerts", &house.admin, None).await;
    assert_eq!((method.status, method.header("allow")), (405, "GET, HEAD"), "{method:?}");
    assert_eq!(house.ask("HEAD", "/api/v1/alerts", &house.admin, None).await.status, 200);
    house.close().await;
}
