//! `/api/v1/risk` and `/api/v1/incidents`: what alerts add up to.

use axum::{Json, extract::State};
use lurcher_triage::{EntityRisk, EntityRiskDetail, Incident, IncidentDetail, Page, RiskEvent};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    App,
    alerts::span,
    extract::{Asked, At},
    shapes::{self, Commas, Paging},
};
use crate::problem::{Answer, Problem};

/// When.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct When {
    /// The first moment; RFC 3339. By default a day before `until`.
    #[param(format = DateTime)]
    pub(super) from: Option<String>,
    /// The first moment after it. By default now.
    #[param(format = DateTime)]
    pub(super) until: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Most {
    /// What: `user`, `system`, `other`; all by default.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    #[serde(default = "default_limit")]
    limit: u32,
}

fn default_limit() -> u32 {
    50
}

/// Entities by their risk.
#[derive(Serialize, ToSchema)]
pub(crate) struct Entities {
    /// The highest score first.
    #[schema(value_type = Vec<shapes::EntityRisk>)]
    items: Vec<EntityRisk>,
}

/// The entities with the highest risk.
#[utoipa::path(get, path = "/api/v1/risk/entities", operation_id = "riskEntities", tag = "risk", params(Most, When),
    responses((status = 200, description = "Entities.", body = Entities)), security(("key" = ["reader"])))]
pub(crate) async fn entities(
    State(app): State<App>,
    Asked(most): Asked<Most>,
    Asked(when): Asked<When>,
) -> Answer<Json<Entities>> {
    if !(1..=1000).contains(&most.limit) {
        return Err(Problem::bad_request(format!("limit is {}, not 1 to 1000", most.limit)));
    }
    let span = span(&app, when.from.as_deref(), when.until.as_deref())?;
    Ok(Json(Entities { items: app.triage.top_risk(span, most.kind.as_deref(), most.limit).await? }))
}

/// The risk of an entity, and what it is made of.
#[utoipa::path(get, path = "/api/v1/risk/entities/{type}/{name}", operation_id = "riskEntity", tag = "risk",
    params(("type" = String, Path, description = "What it is."), ("name" = String, Path, description = "The one name that the site has for it."), When),
    responses((status = 200, description = "Its risk.", body = shapes::EntityRiskDetail)), security(("key" = ["reader"])))]
pub(crate) async fn entity(
    State(app): State<App>,
    At((kind, name)): At<(String, String)>,
    Asked(when): Asked<When>,
) -> Answer<Json<EntityRiskDetail>> {
    let span = span(&app, when.from.as_deref(), when.until.as_deref())?;
    Ok(Json(app.triage.entity_risk(&name, &kind, span).await?))
}

/// What added to the risk of an entity, newest first.
#[utoipa::path(get, path = "/api/v1/risk/entities/{type}/{name}/timeline", operation_id = "riskTimeline", tag = "risk",
    params(("type" = String, Path, description = "What it is."), ("name" = String, Path, description = "The one name that the site has for it."), When, Paging),
    responses((status = 200, description = "Risk events.", body = shapes::Page<shapes::RiskEvent>)), security(("key" = ["reader"])))]
pub(crate) async fn timeline(
    State(app): State<App>,
    At((kind, name)): At<(String, String)>,
    Asked(when): Asked<When>,
    Asked(paging): Asked<Paging>,
) -> Answer<Json<Page<RiskEvent>>> {
    let span = span(&app, when.from.as_deref(), when.until.as_deref())?;
    Ok(Json(app.triage.entity_timeline(&name, &kind, span, &paging.request()).await?))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct IncidentQuery {
    /// The one name that the site has for the entity.
    entity: Option<String>,
    /// `open`, `acknowledged`, `closed`.
    status: Option<Commas>,
}

/// Risk that has come together on one entity, newest first. An incident is an alert: its work is done under `/alerts`.
#[utoipa::path(get, path = "/api/v1/incidents", operation_id = "incidents", tag = "risk", params(IncidentQuery, Paging),
    responses((status = 200, description = "Incidents.", body = shapes::Page<shapes::Incident>)), security(("key" = ["reader"])))]
pub(crate) async fn incidents(
    State(app): State<App>,
    Asked(query): Asked<IncidentQuery>,
    Asked(paging): Asked<Paging>,
) -> Answer<Json<Page<Incident>>> {
    let statuses = query.status.unwrap_or_default().0.into_iter().map(|text| {
        lurcher_triage::Status::parse(&text).ok_or_else(|| Problem::bad_request(format!("status cannot be {text:?}")))
    });
    let filter = lurcher_triage::AlertFilter { statuses: statuses.collect::<Answer<_>>()?, ..Default::default() };
    Ok(Json(app.triage.incidents(&filter, query.entity.as_deref(), &paging.request()).await?))
}

/// An incident with what made it.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", operation_id = "incident", tag = "risk", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The incident.", body = shapes::IncidentDetail)), security(("key" = ["reader"])))]
pub(crate) async fn incident(State(app): State<App>, At(id): At<String>) -> Answer<Json<IncidentDetail>> {
    Ok(Json(app.triage.incident(&id).await?))
}
