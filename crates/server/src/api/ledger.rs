//! `/api/v1/ledger`, `/gaps`, `/quarantine` and the health of rules: what was looked at, what was not, and why.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use lurcher_triage::{Gap, Page, Quarantine, QuarantineKind, RuleHealth, RuleRun, RunTotals};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    App,
    alerts::span,
    extract::{Asked, At, Body},
    hunts::start_backfill,
    refuse,
    risk::When,
    rules,
    shapes::{self, Paging, moment},
};
use crate::{
    auth::Identity,
    detection::Backfill,
    events::Topic,
    problem::{Answer, Problem},
};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct OfRule {
    /// The rule's id; all rules by default.
    rule: Option<String>,
}

/// Runs of rules that saw something, newest first.
#[utoipa::path(get, path = "/api/v1/ledger", operation_id = "ledger", tag = "ledger", params(OfRule, When, Paging),
    responses((status = 200, description = "Runs.", body = shapes::Page<shapes::RuleRun>)), security(("key" = ["reader"])))]
pub(crate) async fn ledger(
    State(app): State<App>,
    Asked(of): Asked<OfRule>,
    Asked(when): Asked<When>,
    Asked(paging): Asked<Paging>,
) -> Answer<Json<Page<RuleRun>>> {
    let span = span(&app, when.from.as_deref(), when.until.as_deref())?;
    Ok(Json(app.triage.runs(of.rule.as_deref(), span, &paging.request()).await?))
}

/// What runs came to.
#[derive(Serialize, ToSchema)]
pub(crate) struct Totals {
    /// By rule.
    #[schema(value_type = Vec<shapes::RunTotals>)]
    items: Vec<RunTotals>,
}

/// What the runs of each rule came to.
#[utoipa::path(get, path = "/api/v1/ledger/totals", operation_id = "ledgerTotals", tag = "ledger", params(When),
    responses((status = 200, description = "Totals.", body = Totals)), security(("key" = ["reader"])))]
pub(crate) async fn totals(State(app): State<App>, Asked(when): Asked<When>) -> Answer<Json<Totals>> {
    let span = span(&app, when.from.as_deref(), when.until.as_deref())?;
    Ok(Json(Totals { items: app.triage.run_totals(span).await? }))
}

/// The runs of a rule that saw something, newest first.
#[utoipa::path(get, path = "/api/v1/rules/{id}/ledger", operation_id = "ruleLedger", tag = "ledger", params(("id" = String, Path, description = "Its id."), When, Paging),
    responses((status = 200, description = "Runs.", body = shapes::Page<shapes::RuleRun>)), security(("key" = ["reader"])))]
pub(crate) async fn rule_ledger(
    State(app): State<App>,
    At(id): At<String>,
    Asked(when): Asked<When>,
    Asked(paging): Asked<Paging>,
) -> Answer<Json<Page<RuleRun>>> {
    let span = span(&app, when.from.as_deref(), when.until.as_deref())?;
    Ok(Json(app.triage.runs(Some(&id), span, &paging.request()).await?))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FilledToo {
    /// Whether those are listed too that have been filled.
    filled: bool,
}

/// Gaps.
#[derive(Serialize, ToSchema)]
pub(crate) struct Gaps {
    /// Spans that a rule should have looked at and did not.
    #[schema(value_type = Vec<shapes::Gap>)]
    items: Vec<Gap>,
}

/// Spans that a rule should have looked at and did not.
#[utoipa::path(get, path = "/api/v1/gaps", operation_id = "gaps", tag = "ledger", params(FilledToo),
    responses((status = 200, description = "Gaps.", body = Gaps)), security(("key" = ["reader"])))]
pub(crate) async fn gaps(State(app): State<App>, Asked(too): Asked<FilledToo>) -> Answer<Json<Gaps>> {
    Ok(Json(Gaps { items: app.triage.gaps(too.filled).await? }))
}

/// Which gap.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FillRequest {
    /// The rule's id.
    #[schema(min_length = 1, max_length = 512)]
    rule: String,
    /// The gap's first moment; RFC 3339.
    #[schema(format = DateTime)]
    from: String,
}

/// Has a rule look at what it missed.
#[utoipa::path(post, path = "/api/v1/gaps/fill", operation_id = "fillGap", tag = "ledger", request_body = FillRequest,
    responses((status = 202, description = "The job that does it.", body = crate::jobs::JobView, headers(("location" = String)))),
    security(("key" = ["engineer"])))]
pub(crate) async fn fill(
    State(app): State<App>,
    identity: Identity,
    Body(request): Body<FillRequest>,
) -> Answer<Response> {
    let from = moment("from", Some(&request.from))?;
    let gaps = app.triage.gaps(false).await?;
    // A gap without a rule is one of all rules.
    let gap =
        gaps.into_iter().find(|gap| Some(gap.from) == from && (gap.rule_id == request.rule || gap.rule_id.is_empty()));
    let gap = gap.ok_or_else(|| Problem::not_found("gap of that rule from", &request.from))?;
    rules::find(&app, &request.rule)?;
    // Both moments of a gap are in it; a backfill ends before its last.
    let to = lurcher_schema::Timestamp(gap.to.0.saturating_add(1));
    start_backfill(&app, identity, Backfill { rule: request.rule, from: gap.from.to_string(), to: to.to_string() })
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReleasedToo {
    /// Whether those are listed too that have been released.
    released: bool,
}

/// What was put aside.
#[derive(Serialize, ToSchema)]
pub(crate) struct PutAside {
    /// The latest first.
    #[schema(value_type = Vec<shapes::Quarantine>)]
    items: Vec<Quarantine>,
}

/// Rules and records that were put aside so that the rest can go on.
#[utoipa::path(get, path = "/api/v1/quarantine", operation_id = "quarantine", tag = "ledger", params(ReleasedToo),
    responses((status = 200, description = "What was put aside.", body = PutAside)), security(("key" = ["reader"])))]
pub(crate) async fn quarantine(State(app): State<App>, Asked(too): Asked<ReleasedToo>) -> Answer<Json<PutAside>> {
    Ok(Json(PutAside { items: app.triage.quarantines(too.released).await? }))
}

/// Lets something go that was put aside.
#[utoipa::path(delete, path = "/api/v1/quarantine/{kind}/{subject}", operation_id = "release", tag = "ledger",
    params(("kind" = shapes::QuarantineKind, Path, description = "What it is."), ("subject" = String, Path, description = "The rule's id, or the record's position.")),
    responses((status = 204, description = "It was released.")), security(("key" = ["engineer"])))]
pub(crate) async fn release(
    State(app): State<App>,
    identity: Identity,
    At((kind, subject)): At<(String, String)>,
) -> Answer<StatusCode> {
    let kind = QuarantineKind::parse(&kind).ok_or_else(|| Problem::bad_request(format!("kind cannot be {kind:?}")))?;
    app.triage.release(kind, &subject, &identity.name).await?;
    if kind == QuarantineKind::Rule {
        // It is at work again with the next load.
        app.detection.reload().await.map_err(refuse("rule"))?;
        app.events.publish(Topic::RuleHealth, &serde_json::json!({"rule": subject, "released": true}));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// How rules fare.
#[derive(Serialize, ToSchema)]
pub(crate) struct Healths {
    /// By rule.
    #[schema(value_type = Vec<shapes::RuleHealth>)]
    items: Vec<RuleHealth>,
}

/// How the rules fare that have run.
#[utoipa::path(get, path = "/api/v1/health/rules", operation_id = "ruleHealths", tag = "ledger",
    responses((status = 200, description = "How they fare.", body = Healths)), security(("key" = ["reader"])))]
pub(crate) async fn healths(State(app): State<App>) -> Answer<Json<Healths>> {
    Ok(Json(Healths { items: app.triage.rule_health().await? }))
}

/// How a rule fares.
#[utoipa::path(get, path = "/api/v1/rules/{id}/health", operation_id = "ruleHealth", tag = "ledger", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "How it fares.", body = shapes::RuleHealth)), security(("key" = ["reader"])))]
pub(crate) async fn health(State(app): State<App>, At(id): At<String>) -> Answer<Json<RuleHealth>> {
    let all = app.triage.rule_health().await?;
    let health = all.into_iter().find(|health| health.rule_id == id);
    health.map(Json).ok_or_else(|| Problem::not_found("run of rule", &id))
}
