//! What shippers ask a cluster about itself before they send.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    Cluster,
    answer::{self, Fault},
};

type Shared = State<Arc<Cluster>>;

const NODE: &str = "lurcher";
const UUID: &str = "bHVyY2hlci1jbHVzdGVyMA";

fn ok(uri: &Uri, body: Value) -> Response {
    answer::show(uri, StatusCode::OK, body)
}

/// `GET /`.
pub(super) async fn root(State(cluster): Shared, uri: Uri) -> Response {
    let body = json!({
        "name": NODE,
        "cluster_name": cluster.options.cluster_name,
        "cluster_uuid": UUID,
        "version": {
            "number": cluster.options.version,
            "build_flavor": "default",
            "build_type": "tar",
            "build_hash": "0000000000000000000000000000000000000000",
            "build_date": "2025-01-01T00:00:00.000000000Z",
            "build_snapshot": false,
            "lucene_version": "9.12.2",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    });
    ok(&uri, body)
}

/// `GET /_license`.
pub(super) async fn license(State(cluster): Shared, uri: Uri) -> Response {
    let body = json!({"license": {
        "status": "active", "uid": "00000000-0000-0000-0000-000000000000", "type": "basic",
        "issue_date": "2025-01-01T00:00:00.000Z", "issue_date_in_millis": 1_735_689_600_000_i64,
        "max_nodes": 1000, "max_resource_units": null, "issued_to": cluster.options.cluster_name,
        "issuer": "elasticsearch", "start_date_in_millis": -1,
    }});
    ok(&uri, body)
}

/// `GET /_xpack`.
pub(super) async fn xpack(uri: Uri) -> Response {
    let there = |enabled: bool| json!({"available": enabled, "enabled": enabled});
    let body = json!({
        "build": {"hash": "0000000000000000000000000000000000000000", "date": "2025-01-01T00:00:00.000000000Z"},
        "license": {"uid": "00000000-0000-0000-0000-000000000000", "type": "basic", "mode": "basic", "status": "active"},
        "features": {
            "data_streams": there(true), "ilm": there(true), "monitoring": there(false), "ml": there(false),
            "security": there(true), "watcher": there(false),
        },
        "tagline": "You know, for X",
    });
    ok(&uri, body)
}

/// `GET /_nodes`, `/_nodes/http`, `/_nodes/ingest` …: one node, at the address that was asked.
pub(super) async fn nodes(State(cluster): Shared, parts: Parts) -> Response {
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1:9200");
    let body = json!({
        "_nodes": {"total": 1, "successful": 1, "failed": 0},
        "cluster_name": cluster.options.cluster_name,
        "nodes": {NODE: {
            "name": NODE, "transport_address": host, "host": host, "ip": host,
            "version": cluster.options.version, "build_flavor": "default", "build_type": "tar",
            "roles": ["data", "data_content", "data_hot", "ingest", "master"],
            "http": {"bound_address": [host], "publish_address": host, "max_content_length_in_bytes": cluster.bodies.max_unpacked()},
            "ingest": {"processors": []},
            "plugins": [], "modules": [], "attributes": {},
        }},
    });
    ok(&parts.uri, body)
}

/// `GET /_cluster/health`.
pub(super) async fn health(State(cluster): Shared, uri: Uri) -> Response {
    let body = json!({
        "cluster_name": cluster.options.cluster_name, "status": "green", "timed_out": false,
        "number_of_nodes": 1, "number_of_data_nodes": 1, "active_primary_shards": 1, "active_shards": 1,
        "relocating_shards": 0, "initializing_shards": 0, "unassigned_shards": 0, "delayed_unassigned_shards": 0,
        "number_of_pending_tasks": 0, "number_of_in_flight_fetch": 0, "task_max_waiting_in_queue_millis": 0,
        "active_shards_percent_as_number": 100.0,
    });
    ok(&uri, body)
}

/// `GET /_cluster/settings`.
pub(super) async fn settings(uri: Uri) -> Response {
    ok(&uri, json!({"persistent": {}, "transient": {}}))
}

/// `GET /_security/_authenticate`.
pub(super) async fn authenticate(uri: Uri) -> Response {
    let realm = json!({"name": "_es_api_key", "type": "_es_api_key"});
    let body = json!({
        "username": "lurcher", "roles": ["ingest"], "full_name": null, "email": null, "metadata": {}, "enabled": true,
        "authentication_realm": realm, "lookup_realm": realm, "authentication_type": "api_key",
    });
    ok(&uri, body)
}

/// `POST /_security/user/_has_privileges`: whoever may deliver has those that are needed for it.
pub(super) async fn privileges(uri: Uri) -> Response {
    ok(&uri, json!({"username": "lurcher", "has_all_requested": true, "cluster": {}, "index": {}, "application": {}}))
}

/// `GET /_cat/…`: health in the original's columns, anything else empty.
pub(super) async fn cat(State(cluster): Shared, uri: Uri) -> Response {
    let what = uri.path().trim_start_matches("/_cat/").split('/').next().unwrap_or_default();
    let now = cluster.reception.clock.now();
    let name = &cluster.options.cluster_name;
    let as_json = uri.query().is_some_and(|query| query.contains("format=json"));
    match (what, as_json) {
        ("health", true) => {
            ok(&uri, json!([{"epoch": (now.millis() / 1000).to_string(), "cluster": name, "status": "green"}]))
        }
        (_, true) => ok(&uri, json!([])),
        ("health", false) => {
            let epoch = now.millis() / 1000;
            let clock = now.to_string();
            let clock = clock.get(11..19).unwrap_or("00:00:00");
            format!("{epoch} {clock} {name} green 1 1 1 1 0 0 0 0 - 100.0%\n").into_response()
        }
        (_, false) => String::new().into_response(),
    }
}

/// `_refresh` and `_flush`: what was acknowledged is written already.
pub(super) async fn refresh(uri: Uri) -> Response {
    ok(&uri, json!({"_shards": {"total": 1, "successful": 1, "failed": 0}}))
}

/// Settings that have no meaning here.
pub(super) async fn acknowledge(State(cluster): Shared, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match cluster.bodies.read(&parts.headers, body).await {
        Ok(_) => ok(&parts.uri, json!({"acknowledged": true})),
        Err(fault) => Fault::from(fault).into_response(),
    }
}

/// `_monitoring/bulk`: figures of Beats about themselves. They are no events: read, and let go.
pub(super) async fn monitoring(State(cluster): Shared, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match cluster.bodies.read(&parts.headers, body).await {
        Ok(_) => ok(&parts.uri, json!({"took": 0, "ignored": true, "errors": false})),
        Err(fault) => Fault::from(fault).into_response(),
    }
}

/// Says where events are searched instead.
pub(super) async fn no_search() -> Response {
    Fault::new(
        StatusCode::NOT_IMPLEMENTED,
        "unsupported_operation_exception",
        "events are only taken in over this interface; search them over /api/v1",
    )
    .into_response()
}
