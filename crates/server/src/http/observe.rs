//! What is done around every request, whoever answers it: an id, a line in the log, a count, a check of the path, and an
//! answer even if the handler panics. Around those to the API also a limit of time; shippers' requests have their own.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;

use super::Peer;
use crate::{metrics::Metrics, problem::Problem, settings::Span};

/// The header that carries a request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request; an extension of each.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) Arc<str>);

/// What is needed around every request.
#[derive(Clone, Debug)]
pub(crate) struct Observer {
    pub(crate) metrics: Arc<Metrics>,
}

/// How long requests to the API may take.
#[derive(Clone, Debug)]
pub(crate) struct Patience {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) timeout: Span,
}

/// The template of the path, put into answers by [`name_route`] for the count.
#[derive(Clone, Debug)]
struct Route(Arc<str>);

/// Inside of the router, where the template of the path is known: hands it to [`observe`], outside. A handler that panics is
/// answered for here.
pub(crate) async fn name_route(State(observer): State<Observer>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| Arc::from(path.as_str()));
    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            observer.metrics.http_panics.inc();
            let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            Problem::internal(format!("panic: {}", text.unwrap_or_default())).into_response()
        }
    };
    if let Some(path) = path {
        response.extensions_mut().insert(Route(path));
    }
    response
}

/// Around the whole router.
pub(crate) async fn observe(State(observer): State<Observer>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request_id(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let address = request.extensions().get::<Peer>().map(|peer| peer.address);
    let mut response = if let Some(fault) = path_fault(&path) {
        observer.metrics.refused("path");
        Problem::bad_request(fault).into_response()
    } else {
        next.run(request).await
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().entry("x-content-type-options").or_insert(HeaderValue::from_static("nosniff"));
    let took = begun.elapsed();
    let status = response.status().as_u16();
    let route = response.extensions().get::<Route>().map_or("other", |route| &*route.0).to_owned();
    observer.metrics.answered(known_method(method.as_str()), &route, status, took);
    let millis = took.as_millis() as u64;
    if response.status().is_server_error() {
        tracing::warn!(request = %id, %method, path, status, millis, address = ?address, "answered");
    } else {
        tracing::debug!(request = %id, %method, path, status, millis, address = ?address, "answered");
    }
    response
}

/// Gives a request up that takes too long, the sending of its body included. Streams of events begin in time and then
/// last.
pub(crate) async fn hurry(State(patience): State<Patience>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(patience.timeout.0, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            patience.metrics.refused("timeout");
            let detail = format!("the request took more than {}", patience.timeout);
            let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, "timeout", detail);
            problem.header(axum::http::header::CONNECTION, "close").into_response()
        }
    }
}

/// The client's own id if it is one, else a new one.
fn request_id(request: &Request) -> Arc<str> {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let is_id = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    given.filter(is_id).map_or_else(|| format!("{:016x}", random()).into(), Arc::from)
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without the system's randomness ids may repeat, which harms nobody.
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// Methods make a label; a client may invent any.
fn known_method(method: &str) -> &str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    if KNOWN.contains(&method) { method } else { "other" }
}

/// What is wrong with a path, after percent-encoding has been undone as often as somebody behind us might.
fn path_fault(path: &str) -> Option<&'static str> {
    let mut text = path.as_bytes().to_vec();
    for _ in 0..3 {
        if text.iter().any(|byte| *byte < 0x20 || *byte == 0x7f) {
            return Some("the path holds a control character");
        }
        let dots = |segment: &[u8]| segment == b".." || segment == b".";
        if text.split(|byte| matches!(byte, b'/' | b'\\')).any(dots) {
            return Some("the path holds a segment of dots");
        }
        let decoded: Vec<u8> = percent_encoding::percent_decode(&text).collect();
        if decoded == text {
            return None;
        }
        text = decoded;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricks_in_paths_are_seen() {
        for path in [
            "/api/v1/../../etc/passwd",
            "/api/v1/%2e%2e/secret",
            "/api/v1/%252e%252E/secret",
            "/a/%2e/b",
            "/a/..%5cb",
            "/a/b%00.yml",
            "/a%0d%0ab",
            "/a/..%2fb",
            "/..",
        ] {
            assert!(path_fault(path).is_some(), "{path}");
        }
        for path in ["/", "/api/v1/rules/a..b", "/api/v1/rules/%C3%A9", "/x/100%25", "/logs-*/_bulk", "/a/...", "/a/.b"]
        {
            assert_eq!(path_fault(path), None, "{path}");
        }
    }
}
