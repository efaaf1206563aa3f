//! `/api/v1/streams`: what events there are.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{App, extract::At, refuse};
use crate::{
    detection::StreamInfo,
    problem::{Answer, Problem},
};

/// Data streams.
#[derive(Serialize, ToSchema)]
pub(crate) struct StreamList {
    /// By name.
    items: Vec<StreamInfo>,
}

/// All data streams.
#[utoipa::path(get, path = "/api/v1/streams", operation_id = "streams", tag = "streams",
    responses((status = 200, description = "Data streams.", body = StreamList)), security(("key" = ["reader"])))]
pub(crate) async fn streams(State(app): State<App>) -> Answer<Json<StreamList>> {
    Ok(Json(StreamList { items: app.streams.streams().await.map_err(refuse("stream"))? }))
}

/// A data stream.
#[utoipa::path(get, path = "/api/v1/streams/{name}", operation_id = "stream", tag = "streams",
    params(("name" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The data stream.", body = StreamInfo)), security(("key" = ["reader"])))]
pub(crate) async fn stream(State(app): State<App>, At(name): At<String>) -> Answer<Json<StreamInfo>> {
    let all = app.streams.streams().await.map_err(refuse("stream"))?;
    all.into_iter().find(|stream| stream.name == name).map(Json).ok_or_else(|| Problem::not_found("stream", &name))
}
