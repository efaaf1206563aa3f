//! `/api/v1/rules`: what runs, how it does, and whether it is to run.

use axum::{Json, extract::State, http::header, response::IntoResponse};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    App,
    extract::{Asked, At, Body},
    refuse,
};
use crate::{
    auth::Identity,
    detection::{Enablement, Reloaded, RuleInfo},
    events::Topic,
    problem::{Answer, Problem},
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RuleFilter {
    /// Stands in the id, the name or the path; case does not count.
    #[param(max_length = 200)]
    text: Option<String>,
    /// Whose format.
    vendor: Option<String>,
    /// The query's language.
    language: Option<String>,
    /// `exact`, `approximate`, `unsupported` or `error`.
    verdict: Option<String>,
    /// Whether it is to run.
    enabled: Option<bool>,
    /// Whether it came over the API.
    own: Option<bool>,
    /// The id of the last rule of the page before.
    after: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    #[serde(default = "default_limit")]
    limit: usize,
}

fn default_limit() -> usize {
    100
}

/// Some rules.
#[derive(Serialize, ToSchema)]
pub(crate) struct RuleList {
    /// By id.
    items: Vec<RuleInfo>,
    /// How many there are that fit, in all.
    total: u64,
    /// What to give as `after` for the next page; null at the end.
    next: Option<String>,
}

/// Rules, those too that cannot run.
#[utoipa::path(get, path = "/api/v1/rules", operation_id = "rules", tag = "rules", params(RuleFilter),
    responses((status = 200, description = "Rules.", body = RuleList)), security(("key" = ["reader"])))]
pub(crate) async fn rules(State(app): State<App>, Asked(filter): Asked<RuleFilter>) -> Answer<Json<RuleList>> {
    if !(1..=1000).contains(&filter.limit) {
        return Err(Problem::bad_request(format!("limit is {}, not 1 to 1000", filter.limit)));
    }
    if filter.text.as_ref().is_some_and(|text| text.chars().count() > 200) {
        return Err(Problem::bad_request("text has more than 200 characters"));
    }
    let mut fitting: Vec<RuleInfo> = app.detection.rules().into_iter().filter(|rule| filter.fits(rule)).collect();
    fitting.sort_by(|a, b| a.id.cmp(&b.id));
    let total = fitting.len() as u64;
    let mut rest = fitting.into_iter().skip_while(|rule| filter.after.as_ref().is_some_and(|after| rule.id <= *after));
    let items: Vec<RuleInfo> = rest.by_ref().take(filter.limit).collect();
    let next = rest.next().and_then(|_| items.last().map(|rule| rule.id.clone()));
    Ok(Json(RuleList { items, total, next }))
}

impl RuleFilter {
    fn fits(&self, rule: &RuleInfo) -> bool {
        let same = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let text = self.text.as_ref().is_none_or(|text| {
            let text = text.to_lowercase();
            [&rule.id, &rule.name, &rule.path].into_iter().any(|place| place.to_lowercase().contains(&text))
        });
        text && same(&self.vendor, &rule.vendor)
            && same(&self.language, &rule.language)
            && same(&self.verdict, &rule.verdict)
            && self.enabled.is_none_or(|enabled| enabled == rule.enabled)
            && self.own.is_none_or(|own| own == rule.own)
    }
}

/// A rule.
#[utoipa::path(get, path = "/api/v1/rules/{id}", operation_id = "rule", tag = "rules", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The rule.", body = RuleInfo)), security(("key" = ["reader"])))]
pub(crate) async fn rule(State(app): State<App>, At(id): At<String>) -> Answer<Json<RuleInfo>> {
    Ok(Json(find(&app, &id)?))
}

pub(super) fn find(app: &App, id: &str) -> Answer<RuleInfo> {
    app.detection.rule(id).ok_or_else(|| Problem::not_found("rule", id))
}

/// The text of the file that a rule is in.
#[utoipa::path(get, path = "/api/v1/rules/{id}/source", operation_id = "ruleSource", tag = "rules", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The text.", body = String, content_type = "text/plain")), security(("key" = ["reader"])))]
pub(crate) async fn source(State(app): State<App>, At(id): At<String>) -> Answer<impl IntoResponse> {
    let text = app.detection.source(&id).await.map_err(refuse("rule"))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}

/// That a rule is to run or not.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleChange {
    /// Whether it is to run.
    enabled: bool,
    /// Why.
    #[serde(default)]
    #[schema(max_length = 2000)]
    why: String,
}

/// Runs a rule from now on, or no more.
#[utoipa::path(patch, path = "/api/v1/rules/{id}", operation_id = "changeRule", tag = "rules", params(("id" = String, Path, description = "Its id.")),
    request_body = RuleChange, responses((status = 200, description = "The rule as it is now.", body = RuleInfo)),
    security(("key" = ["engineer"])))]
pub(crate) async fn change_rule(
    State(app): State<App>,
    identity: Identity,
    At(id): At<String>,
    Body(change): Body<RuleChange>,
) -> Answer<Json<RuleInfo>> {
    find(&app, &id)?;
    if change.why.chars().count() > 2000 {
        return Err(Problem::unprocessable("why has more than 2000 characters"));
    }
    let change = Enablement { enabled: change.enabled, who: identity.name.to_string(), why: change.why };
    app.detection.set_enabled(&id, change).await.map_err(refuse("rule"))?;
    let rule = find(&app, &id)?;
    app.events.publish(Topic::RuleHealth, &serde_json::json!({"rule": rule.id, "enabled": rule.enabled}));
    Ok(Json(rule))
}

/// Reads rules and lists again, also those whose files were changed by other means.
#[utoipa::path(post, path = "/api/v1/admin/reload", operation_id = "reloadRules", tag = "rules",
    responses((status = 200, description = "What was read.", body = Reloaded)), security(("key" = ["engineer"])))]
pub(crate) async fn reload(State(app): State<App>) -> Answer<Json<Reloaded>> {
    let reloaded = app.detection.reload().await.map_err(refuse("rule"))?;
    app.events
        .publish(Topic::RuleHealth, &serde_json::json!({"reloaded": reloaded.rules, "faults": reloaded.faults.len()}));
    Ok(Json(reloaded))
}
