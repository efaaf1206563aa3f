//! OTLP logs, over HTTP (`/v1/logs`, protobuf and JSON) and gRPC.

mod document;
pub mod grpc;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use prost::Message;
use serde::Deserialize;
use serde_json::json;

use crate::{
    BodyReader, Reception, Refusal,
    body::{BodyFault, at_length},
    credentials::{Admission, admission},
};

/// `[ingest.otlp]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Whether `/v1/logs` answers at all.
    pub enabled: bool,
    /// The data set (the middle of `logs-DATASET-default`) of records that do not say theirs.
    pub dataset: String,
    /// `[ingest.otlp.grpc]`, if gRPC is taken.
    pub grpc: Option<grpc::Options>,
}

impl Default for Options {
    fn default() -> Self {
        Self { enabled: true, dataset: "generic.otel".to_owned(), grpc: None }
    }
}

struct Receiver {
    options: Options,
    reception: Reception,
    bodies: BodyReader,
}

/// `/v1/logs`.
pub fn router(options: Options, reception: Reception, bodies: BodyReader) -> Router {
    let receiver = Arc::new(Receiver { options, reception, bodies });
    Router::new().route("/v1/logs", post(logs)).with_state(receiver)
}

/// An error as `google.rpc.Status`, which the protocol wants in bodies of errors.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// Codes of `google.rpc.Code`.
mod code {
    pub(super) const INVALID: i32 = 3;
    pub(super) const DENIED: i32 = 7;
    pub(super) const EXHAUSTED: i32 = 8;
    pub(super) const UNAVAILABLE: i32 = 14;
    pub(super) const UNAUTHENTICATED: i32 = 16;
}

#[derive(Clone, Copy)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let media = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        match media.split(';').next()?.trim() {
            "application/x-protobuf" | "application/protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    fn error(self, status: StatusCode, code: i32, message: &str) -> Response {
        let mut response = match self {
            Self::Protobuf => {
                let body = Status { code, message: message.to_owned() }.encode_to_vec();
                (status, [(header::CONTENT_TYPE, "application/x-protobuf")], body).into_response()
            }
            Self::Json => {
                let body = json!({"code": code, "message": message}).to_string();
                (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
            }
        };
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    fn success(self, answer: &ExportLogsServiceResponse) -> Response {
        match self {
            Self::Protobuf => {
                ([(header::CONTENT_TYPE, "application/x-protobuf")], answer.encode_to_vec()).into_response()
            }
            Self::Json => {
                let body = answer.partial_success.as_ref().map_or_else(
                    || json!({}),
                    |partial| {
                        let rejected = partial.rejected_log_records.to_string();
                        json!({"partialSuccess":
                            {"rejectedLogRecords": rejected, "errorMessage": partial.error_message}})
                    },
                );
                ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
            }
        }
    }
}

async fn logs(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let reception = &receiver.reception;
    let Some(encoding) = Encoding::of(&parts.headers) else {
        reception.malformed(1);
        let message = "Content-Type must be application/x-protobuf or application/json";
        return Encoding::Json.error(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::INVALID, message);
    };
    match admission(reception.gate.as_ref(), &parts.headers, None) {
        Admission::Granted => {}
        Admission::Missing | Admission::Unreadable => {
            reception.refused(1);
            return encoding.error(StatusCode::UNAUTHORIZED, code::UNAUTHENTICATED, "a key is required");
        }
        Admission::Wrong => {
            reception.refused(1);
            return encoding.error(StatusCode::FORBIDDEN, code::DENIED, "this key may not deliver events");
        }
    }
    let held = match receiver.bodies.read(&parts.headers, body).await {
        Ok(held) => held,
        Err(fault) => return unread(&receiver, encoding, &fault),
    };
    reception.bytes(held.wire);
    let parsed = at_length(held.bytes.len(), || match encoding {
        Encoding::Protobuf => ExportLogsServiceRequest::decode(held.bytes.clone()).map_err(|error| error.to_string()),
        Encoding::Json => serde_json::from_slice(&held.bytes).map_err(|error| error.to_string()),
    });
    let request = match parsed {
        Ok(request) => request,
        Err(why) => {
            reception.malformed(1);
            let message = format!("the request cannot be read: {why}");
            return encoding.error(StatusCode::BAD_REQUEST, code::INVALID, &message);
        }
    };
    match export(reception, &receiver.options.dataset, request).await {
        Ok(answer) => encoding.success(&answer),
        Err(Refusal::Busy) => {
            encoding.error(StatusCode::TOO_MANY_REQUESTS, code::EXHAUSTED, "too much waits to be written")
        }
        Err(Refusal::Unwritable(why)) => {
            let message = format!("nothing can be written: {why}");
            encoding.error(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, &message)
        }
        Err(Refusal::Stopping) => {
            encoding.error(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, "the server is stopping")
        }
    }
}

fn unread(receiver: &Receiver, encoding: Encoding, fault: &BodyFault) -> Response {
    if *fault == BodyFault::Crowded {
        receiver.reception.refused(1);
        let message = "too much is being taken in";
        return encoding.error(StatusCode::TOO_MANY_REQUESTS, code::EXHAUSTED, message);
    }
    receiver.reception.malformed(1);
    let (status, message) = match fault {
        BodyFault::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
        BodyFault::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        BodyFault::UnknownEncoding(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Encoding must be gzip"),
        BodyFault::Crowded | BodyFault::Damaged(_) => (StatusCode::BAD_REQUEST, "the body cannot be read"),
    };
    encoding.error(status, code::INVALID, message)
}

/// Hands the records of a request over. Records without anything in them are rejected, and said.
async fn export(
    reception: &Reception,
    dataset: &str,
    request: ExportLogsServiceRequest,
) -> Result<ExportLogsServiceResponse, Refusal> {
    let mut records = Vec::new();
    let mut rejected = 0;
    for event in document::events(request, dataset) {
        match event {
            Some(event) => records.push(reception.record(&event.stream, event.kind, event.body)),
            None => rejected += 1,
        }
    }
    reception.deliver(records).await?;
    if rejected == 0 {
        return Ok(ExportLogsServiceResponse { partial_success: None });
    }
    reception.malformed(rejected);
    let error_message = "log records with neither body nor attributes".to_owned();
    let rejected_log_records = i64::try_from(rejected).unwrap_or(i64::MAX);
    Ok(ExportLogsServiceResponse {
        partial_success: Some(ExportLogsPartialSuccess { rejected_log_records, error_message }),
    })
}

/// For the fuzz target: reads a request in JSON and makes documents of it.
#[doc(hidden)]
pub fn fuzz(body: &[u8]) -> usize {
    serde_json::from_slice(body).map_or(0, |request| document::events(request, "x").into_iter().flatten().count())
}
