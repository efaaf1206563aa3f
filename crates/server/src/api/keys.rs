//! `/api/v1/keys` and `/api/v1/audit`: who may ask, and who has asked.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lurcher_triage::{AuditCheck, AuditFilter, AuditRow, Key, NewKey, Outcome, Page};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    App,
    extract::{Asked, At, Body},
    risk::When,
    shapes::{self, Paging, moment},
};
use crate::{
    auth::{Identity, Role},
    problem::{Answer, Problem},
};

/// Keys.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyList {
    /// Without their secrets, oldest first.
    #[schema(value_type = Vec<shapes::Key>)]
    items: Vec<Key>,
}

/// All keys, without their secrets; also those that are good no more.
#[utoipa::path(get, path = "/api/v1/keys", operation_id = "keys", tag = "keys",
    responses((status = 200, description = "Keys.", body = KeyList)), security(("key" = ["admin"])))]
pub(crate) async fn keys(State(app): State<App>) -> Answer<Json<KeyList>> {
    Ok(Json(KeyList { items: app.triage.keys().await? }))
}

/// A key that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRequest {
    /// What people call it.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What it may be used for.
    role: Role,
    /// From when on it is good no more; RFC 3339.
    #[serde(default)]
    #[schema(format = DateTime)]
    expires: Option<String>,
}

/// Makes a key. The answer holds the one copy of its secret.
#[utoipa::path(post, path = "/api/v1/keys", operation_id = "createKey", tag = "keys", request_body = KeyRequest,
    responses((status = 201, description = "The key and its token.", body = shapes::NewKey)), security(("key" = ["admin"])))]
pub(crate) async fn create_key(State(app): State<App>, Body(request): Body<KeyRequest>) -> Answer<Response> {
    let expires = moment("expires", request.expires.as_deref())?;
    let key: NewKey = app.triage.create_key(&request.name, request.role.into(), expires).await?;
    Ok((StatusCode::CREATED, Json(key)).into_response())
}

/// Makes a key good no more.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", operation_id = "revokeKey", tag = "keys", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The key as it is now.", body = shapes::Key)), security(("key" = ["admin"])))]
pub(crate) async fn revoke_key(State(app): State<App>, identity: Identity, At(id): At<String>) -> Answer<Json<Key>> {
    if *identity.key == *id {
        return Err(Problem::conflict("a key cannot revoke itself: use another admin's"));
    }
    let key = app.triage.revoke_key(&id).await?;
    app.keys.forget();
    Ok(Json(key))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditQuery {
    /// By whom.
    who: Option<String>,
    /// What, by the operation's id in this document.
    action: Option<String>,
    /// To which path.
    target: Option<String>,
    /// How it went: `ok`, `denied`, `failed`.
    #[param(value_type = Option<shapes::Outcome>)]
    outcome: Option<String>,
}

/// Who did what, newest first.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "audit", tag = "keys", params(AuditQuery, When, Paging),
    responses((status = 200, description = "Rows of the audit log.", body = shapes::Page<shapes::AuditRow>)), security(("key" = ["admin"])))]
pub(crate) async fn audit(
    State(app): State<App>,
    Asked(query): Asked<AuditQuery>,
    Asked(when): Asked<When>,
    Asked(paging): Asked<Paging>,
) -> Answer<Json<Page<AuditRow>>> {
    let outcome = query
        .outcome
        .map(|text| Outcome::parse(&text).ok_or_else(|| Problem::bad_request(format!("outcome cannot be {text:?}"))));
    let filter = AuditFilter {
        from: moment("from", when.from.as_deref())?,
        until: moment("until", when.until.as_deref())?,
        who: query.who,
        action: query.action,
        target: query.target,
        outcome: outcome.transpose()?,
    };
    Ok(Json(app.triage.audit_log(&filter, &paging.request()).await?))
}

/// Checks that no row of the audit log was changed, put in or taken out.
#[utoipa::path(get, path = "/api/v1/audit/check", operation_id = "checkAudit", tag = "keys",
    responses((status = 200, description = "What was found.", body = shapes::AuditCheck)), security(("key" = ["admin"])))]
pub(crate) async fn check_audit(State(app): State<App>) -> Answer<Json<AuditCheck>> {
    Ok(Json(app.triage.check_audit().await?))
}
