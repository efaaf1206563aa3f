//! `/api/v1/deliveries`: who is told, and what could not be delivered.

use axum::{Json, extract::State, http::StatusCode};
use lurcher_triage::{DeadLetter, DeadSelection, OutboxCount, Page};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    App,
    extract::{Asked, At, Body},
    shapes::{self, Paging},
};
use crate::{
    detection::{Refused, TargetInfo},
    problem::{Answer, Problem},
};

/// Who is told.
#[derive(Serialize, ToSchema)]
pub(crate) struct Targets {
    /// The targets of the settings.
    items: Vec<TargetInfo>,
    /// What waits for each and what was given up; also for targets that the settings do not name any more.
    #[schema(value_type = Vec<shapes::OutboxCount>)]
    outbox: Vec<OutboxCount>,
}

/// Who is told of alerts, and how many wait to be told.
#[utoipa::path(get, path = "/api/v1/deliveries/targets", operation_id = "targets", tag = "deliveries",
    responses((status = 200, description = "Targets.", body = Targets)), security(("key" = ["reader"])))]
pub(crate) async fn targets(State(app): State<App>) -> Answer<Json<Targets>> {
    Ok(Json(Targets { items: app.courier.targets(), outbox: app.triage.outbox_counts().await? }))
}

/// Sends a made-up alert to a target.
#[utoipa::path(post, path = "/api/v1/deliveries/targets/{name}/test", operation_id = "testTarget", tag = "deliveries",
    params(("name" = String, Path, description = "Its name.")),
    responses((status = 204, description = "The target took it."), (status = 502, description = "It did not, and why.", body = Problem, content_type = "application/problem+json")),
    security(("key" = ["engineer"])))]
pub(crate) async fn test(State(app): State<App>, At(name): At<String>) -> Answer<StatusCode> {
    match app.courier.test(&name).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(Refused::Unknown(name)) => Err(Problem::not_found("target", &name)),
        Err(Refused::Invalid(why) | Refused::Failed(why)) => {
            Err(Problem::new(StatusCode::BAD_GATEWAY, "delivery", why))
        }
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ForTarget {
    /// The target's name; all by default.
    target: Option<String>,
}

/// What was given up, the latest first.
#[utoipa::path(get, path = "/api/v1/deliveries/dead", operation_id = "deadLetters", tag = "deliveries", params(ForTarget, Paging),
    responses((status = 200, description = "Dead letters.", body = shapes::Page<shapes::DeadLetter>)), security(("key" = ["reader"])))]
pub(crate) async fn dead(
    State(app): State<App>,
    Asked(of): Asked<ForTarget>,
    Asked(paging): Asked<Paging>,
) -> Answer<Json<Page<DeadLetter>>> {
    Ok(Json(app.triage.dead_letters(of.target.as_deref(), &paging.request()).await?))
}

/// How many.
#[derive(Serialize, ToSchema)]
pub(crate) struct Touched {
    /// Letters.
    letters: u64,
}

/// Has dead letters sent after all.
#[utoipa::path(post, path = "/api/v1/deliveries/dead/requeue", operation_id = "requeueDead", tag = "deliveries",
    request_body = shapes::DeadSelection, responses((status = 200, description = "How many.", body = Touched)), security(("key" = ["engineer"])))]
pub(crate) async fn requeue(State(app): State<App>, Body(which): Body<DeadSelection>) -> Answer<Json<Touched>> {
    Ok(Json(Touched { letters: app.triage.requeue_dead(&which).await? }))
}

/// Drops dead letters for good.
#[utoipa::path(post, path = "/api/v1/deliveries/dead/drop", operation_id = "dropDead", tag = "deliveries",
    request_body = shapes::DeadSelection, responses((status = 200, description = "How many.", body = Touched)), security(("key" = ["engineer"])))]
pub(crate) async fn drop_dead(State(app): State<App>, Body(which): Body<DeadSelection>) -> Answer<Json<Touched>> {
    Ok(Json(Touched { letters: app.triage.drop_dead(&which).await? }))
}
