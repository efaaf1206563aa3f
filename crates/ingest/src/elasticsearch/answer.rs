//! Answers in Elasticsearch's form, errors above all.

use axum::{
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::filter_path::Filter;
use crate::{Refusal, body::BodyFault, credentials::Admission};

pub(super) const JSON: &str = "application/json";

/// The media type to answer in, where a client asked for the versioned one; its answers must name the same version.
pub(super) fn media_type(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = headers.get(header::ACCEPT)?.to_str().ok()?;
    let rest = asked.split(',').find_map(|part| part.trim().strip_prefix("application/vnd.elasticsearch+json"))?;
    let version = rest.split_once("compatible-with=")?.1.trim();
    let version: String = version.chars().take_while(char::is_ascii_digit).collect();
    format!("application/vnd.elasticsearch+json;compatible-with={version}").parse().ok()
}

/// An answer with a body, of which only what `filter_path` names is shown.
pub(super) fn show(uri: &Uri, status: StatusCode, body: Value) -> Response {
    let body = match Filter::of(uri.query().unwrap_or_default()) {
        Some(filter) => filter.apply(body),
        None => body,
    };
    (status, [(header::CONTENT_TYPE, JSON)], body.to_string()).into_response()
}

/// An error of a whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Fault {
    pub(super) status: StatusCode,
    pub(super) kind: &'static str,
    pub(super) reason: String,
}

impl Fault {
    pub(super) fn new(status: StatusCode, kind: &'static str, reason: impl Into<String>) -> Self {
        Self { status, kind, reason: reason.into() }
    }

    pub(super) fn illegal(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "illegal_argument_exception", reason)
    }

    pub(super) fn validation(reason: &str) -> Self {
        let reason = format!("Validation Failed: 1: {reason};");
        Self::new(StatusCode::BAD_REQUEST, "action_request_validation_exception", reason)
    }

    /// As it stands inside an item of a bulk answer.
    pub(super) fn item(&self) -> Value {
        json!({"type": self.kind, "reason": self.reason})
    }

    pub(super) fn document(&self) -> Value {
        let cause = self.item();
        json!({"error": {"root_cause": [cause], "type": self.kind, "reason": self.reason}, "status": self.status.as_u16()})
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = self.document().to_string();
        let mut response = (self.status, [(header::CONTENT_TYPE, JSON)], body).into_response();
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Busy => busy(),
            Refusal::Unwritable(why) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "cluster_block_exception",
                format!("blocked by: [SERVICE_UNAVAILABLE/2/{why}];"),
            ),
            Refusal::Stopping => Self::new(StatusCode::SERVICE_UNAVAILABLE, "node_closed_exception", "node is closing"),
        }
    }
}

fn busy() -> Fault {
    Fault::new(
        StatusCode::TOO_MANY_REQUESTS,
        "es_rejected_execution_exception",
        "rejected execution of coordinating operation: too much waits to be written",
    )
}

impl From<BodyFault> for Fault {
    fn from(fault: BodyFault) -> Self {
        match fault {
            BodyFault::TooLarge => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "content_too_long_exception", "the body is too large")
            }
            BodyFault::TooSlow => {
                Self::new(StatusCode::REQUEST_TIMEOUT, "timeout_exception", "the body did not come in time")
            }
            BodyFault::Crowded => busy(),
            BodyFault::UnknownEncoding(name) => {
                let reason = format!("Content-Encoding [{name}] is not supported");
                Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "illegal_argument_exception", reason)
            }
            BodyFault::Damaged(why) => Self::illegal(format!("the body cannot be read: {why}")),
        }
    }
}

/// The answer to a request that shows no key or a wrong one.
pub(super) fn unauthorized(admission: Admission, method: &Method, path: &str) -> Response {
    let reason = match admission {
        Admission::Wrong => "unable to authenticate with provided credentials".to_owned(),
        Admission::Unreadable => "unable to read the Authorization header".to_owned(),
        _ => format!("missing authentication credentials for REST request [{path}]"),
    };
    let challenges = ["Basic realm=\"security\", charset=\"UTF-8\"", "Bearer realm=\"security\"", "ApiKey"];
    let cause = json!({"type": "security_exception", "reason": reason, "header": {"WWW-Authenticate": challenges}});
    let mut error = cause.clone();
    error["root_cause"] = json!([cause]);
    let body = if method == Method::HEAD { String::new() } else { json!({"error": error, "status": 401}).to_string() };
    let mut response = (StatusCode::UNAUTHORIZED, [(header::CONTENT_TYPE, JSON)], body).into_response();
    for challenge in challenges {
        response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}
