//! Events over plain HTTP, for scripts and tools that speak no shipper's protocol: `POST /ingest/xml`, `/ingest/json`,
//! `/ingest/lines`, each with `?stream=NAME`.
//!
//! What is sound is taken and counted in the answer, what is not is named there; only if nothing is sound the answer is
//! an error.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use lurcher_journal::{Record, RecordKind};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    BodyReader, Reception, Refusal,
    body::{BodyFault, at_length},
    credentials::{Admission, admission},
    document, query, split,
};

/// Faults that an answer names; the others are only counted.
const NAMED: usize = 20;

/// `[ingest.plain]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Whether `/ingest/…` answers at all.
    pub enabled: bool,
    /// The data stream of what comes without `?stream=`.
    pub stream: String,
    /// The longest line, in bytes. A longer one is not taken.
    pub max_line_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { enabled: true, stream: "http".to_owned(), max_line_bytes: 1 << 20 }
    }
}

struct Door {
    options: Options,
    reception: Reception,
    bodies: BodyReader,
}

/// The paths under `/ingest`.
pub fn router(options: Options, reception: Reception, bodies: BodyReader) -> Router {
    let door = Arc::new(Door { options, reception, bodies });
    Router::new()
        .route("/ingest/xml", post(|state, request| take(state, request, xml)))
        .route("/ingest/json", post(|state, request| take(state, request, json)))
        .route("/ingest/lines", post(|state, request| take(state, request, lines)))
        .with_state(door)
}

/// Bodies of records, and what was no event.
#[derive(Default)]
struct Cut {
    taken: Vec<(RecordKind, Bytes)>,
    faults: Vec<(usize, String)>,
}

async fn take(State(door): State<Arc<Door>>, request: Request, cut: fn(&Door, &[u8]) -> Cut) -> Response {
    let (parts, body) = request.into_parts();
    match admission(door.reception.gate.as_ref(), &parts.headers, None) {
        Admission::Granted => {}
        Admission::Missing | Admission::Unreadable => {
            door.reception.refused(1);
            let mut response = error(StatusCode::UNAUTHORIZED, "a key is required: Authorization: Bearer KEY");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
        }
        Admission::Wrong => {
            door.reception.refused(1);
            return error(StatusCode::FORBIDDEN, "this key may not deliver events");
        }
    }
    let held = match door.bodies.read(&parts.headers, body).await {
        Ok(held) => held,
        Err(fault) => return unread(&door, &fault),
    };
    door.reception.bytes(held.wire);
    let named = query::parameters(parts.uri.query().unwrap_or_default()).find(|(key, _)| key == "stream");
    let stream = named.map(|(_, name)| name).filter(|name| !name.is_empty());
    let stream: Arc<str> = Arc::from(stream.unwrap_or_else(|| door.options.stream.clone()));
    let Cut { taken, faults } = at_length(held.bytes.len(), || cut(&door, &held.bytes));
    door.reception.malformed(faults.len());
    let records: Vec<Record> =
        taken.into_iter().map(|(kind, body)| door.reception.record(&stream, kind, body)).collect();
    let accepted = records.len();
    if let Err(refusal) = door.reception.deliver(records).await {
        return refused(refusal);
    }
    let errors: Vec<Value> =
        faults.iter().take(NAMED).map(|(number, reason)| json!({"number": number, "reason": reason})).collect();
    let status = if accepted == 0 { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let body = json!({"accepted": accepted, "malformed": faults.len(), "errors": errors});
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn error(status: StatusCode, message: &str) -> Response {
    let body = json!({"error": message}).to_string();
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn unread(door: &Door, fault: &BodyFault) -> Response {
    if *fault == BodyFault::Crowded {
        door.reception.refused(1);
        return error(StatusCode::TOO_MANY_REQUESTS, "too much is being taken in: come again");
    }
    door.reception.malformed(1);
    match fault {
        BodyFault::TooLarge => error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large: send it in parts"),
        BodyFault::TooSlow => error(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        BodyFault::UnknownEncoding(name) => {
            let message = format!("Content-Encoding {name} is not known: use gzip, deflate or zstd");
            error(StatusCode::UNSUPPORTED_MEDIA_TYPE, &message)
        }
        BodyFault::Crowded | BodyFault::Damaged(_) => error(StatusCode::BAD_REQUEST, "the body cannot be read"),
    }
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Busy => error(StatusCode::TOO_MANY_REQUESTS, "too much waits to be written: come again"),
        Refusal::Unwritable(why) => error(StatusCode::SERVICE_UNAVAILABLE, &format!("nothing can be written: {why}")),
        Refusal::Stopping => error(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping"),
    }
}

fn xml(_: &Door, body: &[u8]) -> Cut {
    let found = split::xml_events(body);
    let mut cut = Cut::default();
    for (number, event) in found.events.iter().enumerate() {
        match std::str::from_utf8(event) {
            Ok(_) => cut.taken.push((RecordKind::Xml, Bytes::copy_from_slice(event))),
            Err(error) => cut.faults.push((number, format!("not UTF-8: {error}"))),
        }
    }
    if found.torn {
        cut.faults.push((found.events.len(), "the event does not end".to_owned()));
    } else if found.events.is_empty() {
        cut.faults.push((0, "no <Event> element".to_owned()));
    }
    cut
}

fn json(_: &Door, body: &[u8]) -> Cut {
    let (documents, faults) = split::json_documents(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body));
    let line = |document| Bytes::from(document::one_line(document).into_owned());
    Cut { taken: documents.into_iter().map(|document| (RecordKind::Json, line(document))).collect(), faults }
}

fn lines(door: &Door, body: &[u8]) -> Cut {
    let mut cut = Cut::default();
    for (number, line) in split::lines(body).enumerate() {
        if line.len() > door.options.max_line_bytes {
            cut.faults.push((number, format!("longer than {} bytes", door.options.max_line_bytes)));
        } else {
            cut.taken.push((RecordKind::Line, Bytes::copy_from_slice(line)));
        }
    }
    cut
}
