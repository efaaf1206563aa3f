//! OTLP logs over HTTP and gRPC.

use lurcher_ingest::{Refusal, otlp::grpc};
use opentelemetry_proto::tonic::{
    collector::logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse, logs_service_client::LogsServiceClient,
    },
    logs::v1::LogRecord,
};
use prost::Message;
use serde_json::{Value, json};
use tonic::{Code, Request, codec::CompressionEncoding};

use crate::server::{KEY, Server, answer, gzip};

const REQUEST: &str = r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"h"}}]},
    "scopeLogs":[{"logRecords":[{"timeUnixNano":"1544712660300000000","body":{"stringValue":"hi"}},
    {"timeUnixNano":1544712660300000000,"body":{"stringValue":"{\"a\":1}"}}]}]}]}"#;

fn request() -> ExportLogsServiceRequest {
    serde_json::from_str(
        &REQUEST.replace("\"timeUnixNano\":15", "\"timeUnixNano\":\"15").replace("00,\"body", "00\",\"body"),
    )
    .unwrap()
}

fn check(server: &Server, count: usize) {
    let bodies = server.bodies();
    assert_eq!(bodies.len(), count);
    for pair in bodies.chunks(2) {
        let pair: Vec<Value> = pair.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
        assert_eq!(pair[0]["_source"]["message"], "hi");
        assert_eq!(pair[0]["_source"]["host.name"], "h");
        assert_eq!((&pair[1]["_source"], &pair[1]["_index"]), (&json!({"a": 1}), &json!("logs-generic.otel-default")));
    }
}

#[tokio::test]
async fn logs_are_taken_over_http() {
    let server = Server::new();
    let client = server.open().await;
    assert_eq!(client.post("/v1/logs", serde_json::to_string(&request()).unwrap()).await, (200, json!({})));
    let packed = client.request("POST", "/v1/logs").header("Content-Encoding", "gzip");
    let packed = packed.header("Content-Type", "application/x-protobuf").body(gzip(&request().encode_to_vec()));
    let response = packed.send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"application/x-protobuf".parse().unwrap())
    );
    let body = ExportLogsServiceResponse::decode(response.bytes().await.unwrap()).unwrap();
    assert_eq!(body.partial_success, None);
    check(&server, 4);
}

#[tokio::test]
async fn part_of_a_request_can_be_rejected() {
    let server = Server::new();
    let client = server.open().await;
    let mut request = request();
    request.resource_logs[0].scope_logs[0].log_records.push(LogRecord::default());
    let (status, body) = client.post("/v1/logs", serde_json::to_string(&request).unwrap()).await;
    assert_eq!((status, body["partialSuccess"]["rejectedLogRecords"].as_str()), (200, Some("1")));
    check(&server, 2);
}

#[tokio::test]
async fn the_rest_is_refused() {
    let server = Server::new();
    let client = server.open().await;
    assert_eq!(client.post("/v1/logs", "{").await.0, 400);
    assert_eq!(answer(client.request("POST", "/v1/logs").header("Content-Type", "text/plain").body("x")).await.0, 415);
    let bare =
        client.client.post(format!("http://{}/v1/logs", client.address)).header("Content-Type", "application/json");
    assert_eq!(answer(bare.body("{}")).await.0, 401);
    server.refuse(Some(Refusal::Busy));
    let body = serde_json::to_string(&request()).unwrap();
    assert_eq!(client.post("/v1/logs", body.clone()).await.0, 429);
    server.refuse(Some(Refusal::Stopping));
    assert_eq!(client.post("/v1/logs", body).await.0, 503);
}

#[tokio::test]
async fn logs_are_taken_over_grpc() {
    let server = Server::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = grpc::Options { max_message_bytes: 100_000, ..Default::default() };
    let (reception, stop) = (server.reception(), server.stop_receiver());
    let running = tokio::spawn(async move { grpc::serve(listener, options, "generic.otel", reception, stop).await });

    let client = LogsServiceClient::connect(format!("http://{address}")).await.unwrap();
    let mut client = client.send_compressed(CompressionEncoding::Gzip);
    let with_key = |request| {
        let mut request = Request::new(request);
        request.metadata_mut().insert("authorization", format!("Bearer {KEY}").parse().unwrap());
        request
    };
    let done = client.export(with_key(request())).await.unwrap();
    assert_eq!(done.into_inner().partial_success, None);
    check(&server, 2);

    assert_eq!(client.export(request()).await.unwrap_err().code(), Code::Unauthenticated);
    server.refuse(Some(Refusal::Busy));
    assert_eq!(client.export(with_key(request())).await.unwrap_err().code(), Code::Unavailable);
    server.refuse(None);
    let mut large = request();
    large.resource_logs[0].scope_logs[0].log_records[0].severity_text = "x".repeat(200_000);
    let code = client.export(with_key(large)).await.unwrap_err().code();
    assert!(matches!(code, Code::ResourceExhausted | Code::OutOfRange), "{code:?}");
    drop(client);
    server.stop();
    running.await.unwrap().unwrap();
}
