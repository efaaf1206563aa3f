//! `/api/v1/silences` and `/api/v1/maintenance`: when nobody is told.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lurcher_triage::{MaintenanceWindow, NewMaintenanceWindow, NewSilence, Silence};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    App,
    extract::{Asked, At, Body},
    shapes,
};
use crate::{auth::Identity, problem::Answer};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EndedToo {
    /// Whether those are listed too that have ended.
    ended: bool,
}

/// Silences.
#[derive(Serialize, ToSchema)]
pub(crate) struct Silences {
    /// All of them.
    #[schema(value_type = Vec<shapes::Silence>)]
    items: Vec<Silence>,
}

/// Alerts that nobody is told of for a while.
#[utoipa::path(get, path = "/api/v1/silences", operation_id = "silences", tag = "silences", params(EndedToo),
    responses((status = 200, description = "Silences.", body = Silences)), security(("key" = ["reader"])))]
pub(crate) async fn silences(State(app): State<App>, Asked(too): Asked<EndedToo>) -> Answer<Json<Silences>> {
    Ok(Json(Silences { items: app.triage.silences(too.ended).await? }))
}

/// Makes a silence.
#[utoipa::path(post, path = "/api/v1/silences", operation_id = "addSilence", tag = "silences", request_body = shapes::NewSilence,
    responses((status = 201, description = "The silence.", body = shapes::Silence)), security(("key" = ["analyst"])))]
pub(crate) async fn add_silence(
    State(app): State<App>,
    identity: Identity,
    Body(silence): Body<NewSilence>,
) -> Answer<Response> {
    Ok((StatusCode::CREATED, Json(app.triage.add_silence(&identity.name, silence).await?)).into_response())
}

/// A silence.
#[utoipa::path(get, path = "/api/v1/silences/{id}", operation_id = "silence", tag = "silences", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The silence.", body = shapes::Silence)), security(("key" = ["reader"])))]
pub(crate) async fn silence(State(app): State<App>, At(id): At<String>) -> Answer<Json<Silence>> {
    Ok(Json(app.triage.silence(&id).await?))
}

/// Ends a silence now.
#[utoipa::path(delete, path = "/api/v1/silences/{id}", operation_id = "endSilence", tag = "silences", params(("id" = String, Path, description = "Its id.")),
    responses((status = 204, description = "It has ended.")), security(("key" = ["analyst"])))]
pub(crate) async fn end_silence(State(app): State<App>, At(id): At<String>) -> Answer<StatusCode> {
    app.triage.end_silence(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Maintenance windows.
#[derive(Serialize, ToSchema)]
pub(crate) struct Windows {
    /// All of them.
    #[schema(value_type = Vec<shapes::MaintenanceWindow>)]
    items: Vec<MaintenanceWindow>,
}

/// Times in which work is done on systems and nobody is told.
#[utoipa::path(get, path = "/api/v1/maintenance", operation_id = "maintenance", tag = "silences",
    responses((status = 200, description = "Maintenance windows.", body = Windows)), security(("key" = ["reader"])))]
pub(crate) async fn maintenance(State(app): State<App>) -> Answer<Json<Windows>> {
    Ok(Json(Windows { items: app.triage.maintenance().await? }))
}

/// Makes a maintenance window.
#[utoipa::path(post, path = "/api/v1/maintenance", operation_id = "addMaintenance", tag = "silences", request_body = shapes::NewMaintenanceWindow,
    responses((status = 201, description = "The window.", body = shapes::MaintenanceWindow)), security(("key" = ["engineer"])))]
pub(crate) async fn add_maintenance(
    State(app): State<App>,
    identity: Identity,
    Body(window): Body<NewMaintenanceWindow>,
) -> Answer<Response> {
    Ok((StatusCode::CREATED, Json(app.triage.add_maintenance(&identity.name, window).await?)).into_response())
}

/// Takes a maintenance window away.
#[utoipa::path(delete, path = "/api/v1/maintenance/{id}", operation_id = "removeMaintenance", tag = "silences", params(("id" = String, Path, description = "Its id.")),
    responses((status = 204, description = "It is gone.")), security(("key" = ["engineer"])))]
pub(crate) async fn remove_maintenance(State(app): State<App>, At(id): At<String>) -> Answer<StatusCode> {
    app.triage.remove_maintenance(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
