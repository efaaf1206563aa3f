//! `/api/v1/saved-hunts`: queries that somebody wants to keep.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lurcher_triage::{NewHunt, SavedHunt};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    App,
    extract::{At, Body},
    shapes,
};
use crate::{auth::Identity, problem::Answer};

/// Saved hunts.
#[derive(Serialize, ToSchema)]
pub(crate) struct SavedHunts {
    /// All of them.
    #[schema(value_type = Vec<shapes::SavedHunt>)]
    items: Vec<SavedHunt>,
}

/// Hunts that were saved.
#[utoipa::path(get, path = "/api/v1/saved-hunts", operation_id = "savedHunts", tag = "hunts",
    responses((status = 200, description = "Saved hunts.", body = SavedHunts)), security(("key" = ["reader"])))]
pub(crate) async fn saved_hunts(State(app): State<App>) -> Answer<Json<SavedHunts>> {
    Ok(Json(SavedHunts { items: app.triage.hunts().await? }))
}

/// Saves a hunt.
#[utoipa::path(post, path = "/api/v1/saved-hunts", operation_id = "saveHunt", tag = "hunts", request_body = shapes::NewHunt,
    responses((status = 201, description = "The hunt.", body = shapes::SavedHunt)), security(("key" = ["analyst"])))]
pub(crate) async fn save_hunt(
    State(app): State<App>,
    identity: Identity,
    Body(hunt): Body<NewHunt>,
) -> Answer<Response> {
    Ok((StatusCode::CREATED, Json(app.triage.save_hunt(None, &identity.name, hunt).await?)).into_response())
}

/// A saved hunt.
#[utoipa::path(get, path = "/api/v1/saved-hunts/{id}", operation_id = "savedHunt", tag = "hunts", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The hunt.", body = shapes::SavedHunt)), security(("key" = ["reader"])))]
pub(crate) async fn saved_hunt(State(app): State<App>, At(id): At<String>) -> Answer<Json<SavedHunt>> {
    Ok(Json(app.triage.hunt(&id).await?))
}

/// Changes a saved hunt.
#[utoipa::path(put, path = "/api/v1/saved-hunts/{id}", operation_id = "changeHunt", tag = "hunts", params(("id" = String, Path, description = "Its id.")),
    request_body = shapes::NewHunt, responses((status = 200, description = "The hunt as it is now.", body = shapes::SavedHunt)),
    security(("key" = ["analyst"])))]
pub(crate) async fn change_hunt(
    State(app): State<App>,
    identity: Identity,
    At(id): At<String>,
    Body(hunt): Body<NewHunt>,
) -> Answer<Json<SavedHunt>> {
    Ok(Json(app.triage.save_hunt(Some(&id), &identity.name, hunt).await?))
}

/// Takes a saved hunt away.
#[utoipa::path(delete, path = "/api/v1/saved-hunts/{id}", operation_id = "deleteHunt", tag = "hunts", params(("id" = String, Path, description = "Its id.")),
    responses((status = 204, description = "It is gone.")), security(("key" = ["analyst"])))]
pub(crate) async fn delete_hunt(State(app): State<App>, At(id): At<String>) -> Answer<StatusCode> {
    app.triage.delete_hunt(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
