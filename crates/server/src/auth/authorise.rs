//! Who may call what: read from the OpenAPI document, enforced before any handler of the API runs.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Instant,
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::Value;
use utoipa::openapi::OpenApi;

use super::{Audit, AuditEntry, CERTIFICATE, Credentials, Identity, Keys, Role, credentials};
use crate::{
    http::{
        Peer,
        limits::{Buckets, subscriber},
        observe::RequestId,
    },
    metrics::Metrics,
    problem::Problem,
    settings::LimitSettings,
};

/// The name of the scheme under which the document states roles.
pub(crate) const SCHEME: &str = "key";

/// What the document says of each operation.
#[derive(Debug, Default)]
pub(crate) struct Access(HashMap<String, BTreeMap<String, Operation>>);

#[derive(Clone, Debug)]
struct Operation {
    id: Arc<str>,
    /// `None`: open to everybody.
    role: Option<Role>,
}

impl Access {
    /// Reads the document. An operation that does not say who may call it is an error.
    pub(crate) fn of(document: &OpenApi) -> Result<Self, String> {
        let document = serde_json::to_value(document).map_err(|error| error.to_string())?;
        let mut access = Self::default();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let id = operation["operationId"].as_str().unwrap_or_default();
                let role = role(&operation["security"]).map_err(|why| format!("{method} {path}: {why}"))?;
                let operations = access.0.entry(path.clone()).or_default();
                operations.insert(method.to_ascii_uppercase(), Operation { id: id.into(), role });
            }
        }
        Ok(access)
    }

    /// Opens a path to everybody.
    pub(crate) fn open(&mut self, path: &str) {
        for operation in self.0.get_mut(path).into_iter().flat_map(BTreeMap::values_mut) {
            operation.role = None;
        }
    }

    fn find(&self, path: &str, method: &Method) -> Result<&Operation, Problem> {
        let operations = self.0.get(path).ok_or_else(|| Problem::not_found("path", path))?;
        let method = if method == Method::HEAD { "GET" } else { method.as_str() };
        operations.get(method).ok_or_else(|| {
            let mut allowed: Vec<&str> = operations.keys().map(String::as_str).collect();
            if operations.contains_key("GET") {
                allowed.push("HEAD");
            }
            let allowed = allowed.join(", ");
            let detail = format!("{method} is not among {allowed}");
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail).header(header::ALLOW, &allowed)
        })
    }
}

/// The role in `[{"key": ["analyst"]}]`, none in `[{}]`.
fn role(security: &Value) -> Result<Option<Role>, String> {
    match security.as_array().map(Vec::as_slice) {
        Some([requirement]) if requirement.as_object().is_some_and(serde_json::Map::is_empty) => Ok(None),
        Some([requirement]) => match requirement[SCHEME].as_array().map(Vec::as_slice) {
            Some([role]) => role.as_str().unwrap_or_default().parse().map(Some),
            _ => Err("names no role".into()),
        },
        _ => Err("does not say who may call it".into()),
    }
}

/// What a client shows of itself.
struct Shown {
    credentials: Credentials,
    certificate: Option<(Arc<str>, Role)>,
}

/// All that is needed to let a request in.
pub(crate) struct Door {
    access: Access,
    keys: Arc<dyn Keys>,
    audit: Arc<dyn Audit>,
    metrics: Arc<Metrics>,
    by_address: Buckets<IpAddr>,
    by_key: Buckets<Arc<str>>,
    wrong: Buckets<IpAddr>,
    /// Refusals are written down up to this rate; beyond it they are only counted, so that nobody fills the disk.
    written: Buckets<()>,
}

impl Door {
    pub(crate) fn new(
        access: Access,
        keys: Arc<dyn Keys>,
        audit: Arc<dyn Audit>,
        metrics: Arc<Metrics>,
        limits: &LimitSettings,
    ) -> Self {
        let bucket = |rate: u32| (f64::from(rate), f64::from(rate) * f64::from(limits.burst));
        let (address, address_burst) = bucket(limits.requests_per_address);
        let (key, key_burst) = bucket(limits.requests_per_key);
        let wrong = f64::from(limits.wrong_keys_per_minute);
        Self {
            access,
            keys,
            audit,
            metrics,
            by_address: Buckets::new(address, address_burst),
            by_key: Buckets::new(key, key_burst),
            wrong: Buckets::new(wrong / 60.0, wrong),
            written: Buckets::new(5.0, 200.0),
        }
    }

    /// Who asks, if they may do what takes the role.
    async fn admit(&self, shown: Shown, role: Role, address: IpAddr) -> Result<Identity, (Problem, Option<Identity>)> {
        let identity = self.identify(shown, address).await.map_err(|problem| (problem, None))?;
        if let Err(after) = self.by_key.take(identity.key.clone(), Instant::now()) {
            return Err((Problem::too_many(after, "this key asks too often"), Some(identity)));
        }
        if !identity.role.allows(role) {
            let detail = format!("{} is {}, and this takes {role}", identity.name, identity.role);
            return Err((Problem::forbidden(detail), Some(identity)));
        }
        Ok(identity)
    }

    async fn identify(&self, shown: Shown, address: IpAddr) -> Result<Identity, Problem> {
        let now = Instant::now();
        let secret = match (shown.credentials, shown.certificate) {
            (Credentials::Secret(secret), _) => secret,
            (Credentials::Unreadable, _) => {
                return Err(Problem::unauthorized("Authorization is not Bearer KEY, ApiKey KEY or Basic with the key"));
            }
            (Credentials::None, Some((name, role))) => return Ok(Identity { key: CERTIFICATE.into(), name, role }),
            (Credentials::None, None) => return Err(Problem::unauthorized("send Authorization: Bearer KEY")),
        };
        if let Err(after) = self.wrong.peek(address, now) {
            return Err(Problem::too_many(after, "too many wrong keys came from this address"));
        }
        match self.keys.identify(&secret).await {
            Ok(Some(identity)) => Ok(identity),
            Ok(None) => {
                // What it costs is seen at the next request.
                let _ = self.wrong.take(address, now);
                Err(Problem::unauthorized("the key is not known, or not valid any more"))
            }
            Err(error) => {
                tracing::error!(%error, "keys cannot be looked up");
                Err(Problem::unavailable("keys cannot be looked up"))
            }
        }
    }

    /// Writes down that somebody was turned away, if not too many were.
    async fn turned_away(&self, entry: AuditEntry) {
        self.metrics.refused(match entry.status {
            401 => "key",
            403 => "role",
            429 => "rate",
            _ => "other",
        });
        if self.written.take((), Instant::now()).is_ok() {
            self.audit.record(entry).await;
        }
    }
}

/// Lets a request to the API in, or not; and writes down who changed what.
pub(crate) async fn authorise(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let operation = match door.access.find(&path, request.method()) {
        Ok(operation) => operation.clone(),
        Err(problem) => return problem.into_response(),
    };
    let peer = request.extensions().get::<Peer>().cloned();
    let from = peer.as_ref().map(|peer| peer.address.ip().to_canonical());
    let address = subscriber(from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    let mut entry = AuditEntry {
        identity: None,
        address: from,
        request: request.extensions().get::<RequestId>().map_or_else(|| Arc::from(""), |id| id.0.clone()),
        action: operation.id,
        target: request.uri().path().to_owned(),
        // If the handler is given up (it took too long), it is not known what it did; that is written down too.
        status: StatusCode::REQUEST_TIMEOUT.as_u16(),
    };
    if let Err(after) = door.by_address.take(address, Instant::now()) {
        entry.status = StatusCode::TOO_MANY_REQUESTS.as_u16();
        door.turned_away(entry).await;
        return Problem::too_many(after, "this address asks too often").into_response();
    }
    let Some(role) = operation.role else { return next.run(request).await };
    let certificate = peer.and_then(|peer| peer.certificate);
    let shown = Shown { credentials: credentials(request.headers()), certificate };
    match door.admit(shown, role, address).await {
        Ok(identity) => {
            entry.identity = Some(identity.clone());
            request.extensions_mut().insert(identity);
        }
        Err((problem, identity)) => {
            door.turned_away(AuditEntry { identity, status: problem.status, ..entry }).await;
            return problem.into_response();
        }
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let mut change = Change { audit: door.audit.clone(), entry: Some(entry) };
    let response = next.run(request).await;
    change.finished(response.status()).await;
    response
}

/// A change that is being made. Written down when it is finished, or when it is given up.
struct Change {
    audit: Arc<dyn Audit>,
    entry: Option<AuditEntry>,
}

impl Change {
    async fn finished(&mut self, status: StatusCode) {
        if let Some(mut entry) = self.entry.take() {
            entry.status = status.as_u16();
            self.audit.record(entry).await;
        }
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        if let (Some(entry), Ok(runtime)) = (self.entry.take(), tokio::runtime::Handle::try_current()) {
            let audit = self.audit.clone();
            runtime.spawn(async move { audit.record(entry).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_operation_says_who_may_call_it() {
        assert_eq!(role(&json!([{"key": ["analyst"]}])), Ok(Some(Role::Analyst)));
        assert_eq!(role(&json!([{}])), Ok(None));
        for silent in
            [json!(null), json!([]), json!([{"key": []}]), json!([{"key": ["root"]}]), json!([{"other": ["reader"]}])]
        {
            assert!(role(&silent).is_err(), "{silent}");
        }
    }
}
