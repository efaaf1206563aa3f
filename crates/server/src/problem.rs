//! What the API answers when it does not do what was asked: problem details, RFC 9457.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// Why something was not done.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The same for problems of the same kind: `about:blank#` and the kind.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of the status.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What is wrong with this request, and the way out.
    pub detail: String,
    #[serde(skip)]
    #[schema(ignore)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What a handler of the API returns.
pub(crate) type Answer<T> = Result<T, Problem>;

impl Problem {
    /// A problem of a status, its kind in a word or two, and what is wrong.
    pub fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("about:blank#{kind}"),
            title: status.canonical_reason().unwrap_or("Error").into(),
            status: status.as_u16(),
            detail: detail.into(),
            headers: Vec::new(),
        }
    }

    /// `400`: the request does not say what it must.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// `401`: no key that is known.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::UNAUTHORIZED, "no-key", detail);
        problem.header(header::WWW_AUTHENTICATE, "Bearer, ApiKey, Basic realm=\"lurcher\"")
    }

    /// `403`: the key is known, but its role may not.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "role", detail)
    }

    /// `404`: there is no such thing.
    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("there is no {what} {id:?}"))
    }

    /// `409`: it does not go with what is there.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// `422`: it can be read, but not be done.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", detail)
    }

    /// `429`: come again after this long.
    pub fn too_many(after: Duration, detail: impl Into<String>) -> Self {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail);
        problem.header(header::RETRY_AFTER, &seconds.max(1).to_string())
    }

    /// `503`: not now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).header(header::RETRY_AFTER, "5")
    }

    /// `500`: our fault. What happened goes to the log, not to the client.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "see the server's log under the request's id")
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
}

impl From<lurcher_triage::Error> for Problem {
    fn from(error: lurcher_triage::Error) -> Self {
        use lurcher_triage::Error;
        match error {
            Error::Missing(_) => Self::new(StatusCode::NOT_FOUND, "not-found", error.to_string()),
            Error::Stale { .. } => Self::conflict(error.to_string()),
            Error::Invalid(why) => Self::unprocessable(why),
            error if error.is_transient() => {
                tracing::warn!(%error, "a request could not be answered");
                Self::unavailable("the database of alerts is busy")
            }
            error => Self::internal(error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }
}
