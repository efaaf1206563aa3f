//! For those who run the server: whether it lives, whether it is ready, counts, status, backup; and the API's own document.

use std::{collections::BTreeMap, path::PathBuf};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{App, extract::Body};
use crate::{
    auth::{Identity, Role},
    backup::Manifest,
    health::Condition,
    problem::{Answer, Problem},
};

/// Whether the parts do their work.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Whether all do.
    ready: bool,
    /// Each part.
    parts: BTreeMap<String, Condition>,
}

/// That the server runs.
#[derive(Serialize, ToSchema)]
pub(crate) struct Alive {
    /// `alive`.
    status: &'static str,
}

/// That it runs.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "operations",
    responses((status = 200, description = "It runs.", body = Alive)), security(()))]
pub(crate) async fn health() -> Json<Alive> {
    Json(Alive { status: "alive" })
}

/// Whether each part does its work.
#[utoipa::path(get, path = "/ready", operation_id = "ready", tag = "operations",
    responses((status = 200, description = "All do.", body = Readiness), (status = 503, description = "Some do not, and why.", body = Readiness)),
    security(()))]
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let stopping = app.stop.has_begun();
    let mut parts: BTreeMap<String, Condition> =
        app.health.parts().into_iter().map(|(part, condition)| (part.to_owned(), condition)).collect();
    if stopping {
        parts.insert("server".into(), Condition::Unready("it stops".into()));
    }
    let ready = app.health.is_ready() && !stopping;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, parts })).into_response()
}

/// Counts, for Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "operations",
    responses((status = 200, description = "Counts.", body = String, content_type = "application/openmetrics-text")),
    security(("key" = ["reader"])))]
pub(crate) async fn metrics(State(app): State<App>) -> Answer<impl IntoResponse> {
    let text = app.metrics.render().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text))
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", operation_id = "openapi", tag = "operations",
    responses((status = 200, description = "This document.", body = serde_json::Value)), security(()))]
pub(crate) async fn openapi(State(app): State<App>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        app.document.get().map(String::as_str).unwrap_or_default().to_owned(),
    )
}

/// How the server does.
#[derive(Serialize, ToSchema)]
pub(crate) struct ServerStatus {
    /// The program's version.
    version: &'static str,
    /// When it was started; RFC 3339.
    started: String,
    /// The time by its clock; RFC 3339.
    now: String,
    /// The version of the layout of the folder of state.
    format: u32,
    /// Rules that are to run.
    rules: u64,
    /// Rules that cannot run.
    faulty_rules: u64,
    /// Records in the journal since it began.
    journal_position: i64,
    /// Free bytes where the folder of state is.
    disk_free_bytes: i64,
    /// Each part.
    parts: BTreeMap<String, Condition>,
    /// Who asks.
    you: You,
}

/// Who asks.
#[derive(Serialize, ToSchema)]
pub(crate) struct You {
    /// The key's name.
    name: String,
    /// Its role.
    role: Role,
}

/// How the server does, in short.
#[utoipa::path(get, path = "/api/v1/status", operation_id = "status", tag = "operations",
    responses((status = 200, description = "How it does.", body = ServerStatus)), security(("key" = ["reader"])))]
pub(crate) async fn status(State(app): State<App>, identity: Identity) -> Json<ServerStatus> {
    let rules = app.detection.rules();
    let faulty = |verdict: &str| matches!(verdict, "error" | "unsupported");
    Json(ServerStatus {
        version: env!("CARGO_PKG_VERSION"),
        started: app.started.to_string(),
        now: app.clock.now().to_string(),
        format: app.state.stamp().format,
        rules: rules.iter().filter(|rule| rule.enabled && !faulty(&rule.verdict)).count() as u64,
        faulty_rules: rules.iter().filter(|rule| faulty(&rule.verdict)).count() as u64,
        journal_position: app.metrics.journal_position.get(),
        disk_free_bytes: app.metrics.disk_free_bytes.get(),
        parts: app.health.parts().into_iter().map(|(part, condition)| (part.to_owned(), condition)).collect(),
        you: You { name: identity.name.to_string(), role: identity.role },
    })
}

/// Where a backup is to go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackupRequest {
    /// The name of the new folder, under the folder of backups that the settings name.
    #[schema(min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    name: String,
}

/// Makes a backup: alerts and what people made of them, keys, rules and lists of a site's own, settings, positions.
#[utoipa::path(post, path = "/api/v1/admin/backup", operation_id = "backup", tag = "operations", request_body = BackupRequest,
    responses((status = 201, description = "What it holds.", body = Manifest)), security(("key" = ["admin"])))]
pub(crate) async fn backup(State(app): State<App>, Body(request): Body<BackupRequest>) -> Answer<Response> {
    if !crate::content::is_name(&request.name) {
        return Err(Problem::unprocessable("name has other signs than letters, digits, '.', '_' and '-'"));
    }
    let Some(folder) = &app.backups else {
        return Err(Problem::conflict("the settings name no folder of backups: set [server] backups"));
    };
    let Ok(_turn) = app.backing_up.try_lock() else {
        return Err(Problem::conflict("a backup is being made"));
    };
    let into: PathBuf = folder.join(&request.name);
    let parts: Vec<&dyn crate::backup::Copied> = app.copied.iter().map(|part| &**part).collect();
    let extent = crate::backup::Extent { settings: app.settings_file.as_deref(), events: false };
    let made = crate::backup::back_up(&app.state, &parts, extent, &*app.clock, &into).await;
    let manifest = made.map_err(|why| {
        tracing::error!(%why, "a backup could not be made");
        Problem::conflict(why)
    })?;
    Ok((StatusCode::CREATED, Json(manifest)).into_response())
}
