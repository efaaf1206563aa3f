//! `/api/v1/alerts` and `/api/v1/groups`: what was found, and the work on it.

use axum::{Json, extract::State, http::HeaderMap};
use lurcher_schema::Timestamp;
use lurcher_triage::{
    Alert, AlertChange, AlertDetail, AlertFilter, AlertGroup, AlertKind, BulkChange, Disposition, Facet, FacetCount,
    HistoryEntry, Page, PageRequest, Selection, Severity, Sort, SortKey, Status,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::{
    App,
    extract::{Asked, At, Body, object},
    refuse,
    shapes::{self, Commas, Paging, moment},
};
use crate::{
    auth::Identity,
    detection::DocumentForm,
    events::Topic,
    problem::{Answer, Problem},
};

/// Which alerts, in the query of a URL. Where several values are taken they have commas between.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertQuery {
    /// Happened at this time or later; RFC 3339.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Happened before this time.
    #[param(format = DateTime)]
    until: Option<String>,
    /// Detected at this time or later.
    #[param(format = DateTime)]
    detected_from: Option<String>,
    /// Detected before this time.
    #[param(format = DateTime)]
    detected_until: Option<String>,
    /// At least as bad.
    #[param(value_type = Option<shapes::Severity>)]
    severity: Option<String>,
    /// At least this score.
    risk_score: Option<f64>,
    /// `open`, `acknowledged`, `closed`.
    status: Option<Commas>,
    /// Who works on it; empty: nobody.
    assignee: Option<String>,
    /// `undetermined`, `true_positive`, `benign_positive`, `false_positive`, `duplicate`, `test`.
    disposition: Option<Commas>,
    /// `finding`, `risk`, `building_block`, `incident`.
    kind: Option<Commas>,
    /// Ids of rules.
    rule: Option<Commas>,
    /// Whose rules.
    vendor: Option<Commas>,
    /// The key of a group.
    group: Option<String>,
    /// What people marked it with.
    tag: Option<Commas>,
    /// ATT&CK techniques; one stands for its sub-techniques too.
    technique: Option<Commas>,
    /// ATT&CK tactics.
    tactic: Option<Commas>,
    /// An analytic story.
    story: Option<String>,
    /// The value of an entity.
    entity: Option<String>,
    /// Stands anywhere in the message, the rule's name or id, or the value of an entity.
    text: Option<String>,
    /// Whether nobody was told of it because of a silence or maintenance window.
    silenced: Option<bool>,
}

impl AlertQuery {
    fn filter(self) -> Answer<AlertFilter> {
        fn word<T>(name: &str, text: &str, parse: fn(&str) -> Option<T>) -> Answer<T> {
            parse(text).ok_or_else(|| Problem::bad_request(format!("{name} cannot be {text:?}")))
        }
        fn words<T>(name: &str, list: Option<Commas>, parse: fn(&str) -> Option<T>) -> Answer<Vec<T>> {
            list.unwrap_or_default().0.iter().map(|text| word(name, text, parse)).collect()
        }
        let texts = |list: Option<Commas>| list.unwrap_or_default().0;
        Ok(AlertFilter {
            from: moment("from", self.from.as_deref())?,
            until: moment("until", self.until.as_deref())?,
            detected_from: moment("detected_from", self.detected_from.as_deref())?,
            detected_until: moment("detected_until", self.detected_until.as_deref())?,
            severity: self.severity.map(|text| word("severity", &text, Severity::parse)).transpose()?,
            risk_score: self.risk_score,
            statuses: words("status", self.status, Status::parse)?,
            assignees: self.assignee.into_iter().collect(),
            dispositions: words("disposition", self.disposition, Disposition::parse)?,
            kinds: words("kind", self.kind, AlertKind::parse)?,
            rules: texts(self.rule),
            vendors: texts(self.vendor),
            groups: self.group.into_iter().collect(),
            tags: texts(self.tag),
            techniques: texts(self.technique),
            tactics: texts(self.tactic),
            stories: self.story.into_iter().collect(),
            entities: self.entity.into_iter().collect(),
            text: self.text,
            silenced: self.silenced,
        })
    }
}

/// In which order.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Order {
    /// By what: `time`, `detected`, `severity`, `risk_score`.
    #[param(value_type = Option<shapes::SortKey>)]
    sort: Option<String>,
    /// Whether the smallest comes first.
    ascending: bool,
}

impl Order {
    fn sort(&self) -> Answer<Sort> {
        let by = match self.sort.as_deref() {
            None => SortKey::Time,
            Some(text) => {
                SortKey::parse(text).ok_or_else(|| Problem::bad_request(format!("sort cannot be {text:?}")))?
            }
        };
        Ok(Sort { by, descending: !self.ascending })
    }
}

/// Alerts that fit, in pages, without their documents.
#[utoipa::path(get, path = "/api/v1/alerts", operation_id = "alerts", tag = "alerts", params(AlertQuery, Order, Paging),
    responses((status = 200, description = "Alerts.", body = shapes::Page<shapes::Alert>)), security(("key" = ["reader"])))]
pub(crate) async fn alerts(
    State(app): State<App>,
    Asked(query): Asked<AlertQuery>,
    Asked(order): Asked<Order>,
    Asked(paging): Asked<Paging>,
) -> Answer<Json<Page<Alert>>> {
    Ok(Json(app.triage.alerts(&query.filter()?, order.sort()?, &paging.request()).await?))
}

/// A question for alerts that is too long for a URL.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    /// Which.
    #[serde(default, deserialize_with = "object")]
    #[schema(value_type = shapes::AlertFilter)]
    filter: AlertFilter,
    /// In which order.
    #[serde(default, deserialize_with = "object")]
    #[schema(value_type = shapes::Sort)]
    sort: Sort,
    /// Which page.
    #[serde(default, deserialize_with = "object")]
    #[schema(value_type = shapes::PageRequest)]
    page: PageRequest,
}

/// Alerts that fit, in pages, for questions that are too long for a URL.
#[utoipa::path(post, path = "/api/v1/alerts/search", operation_id = "searchAlerts", tag = "alerts", request_body = Search,
    responses((status = 200, description = "Alerts.", body = shapes::Page<shapes::Alert>)), security(("key" = ["reader"])))]
pub(crate) async fn search(State(app): State<App>, Body(search): Body<Search>) -> Answer<Json<Page<Alert>>> {
    Ok(Json(app.triage.alerts(&search.filter, search.sort, &search.page).await?))
}

/// By what to count.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FacetQuery {
    /// By what: `rule`, `severity`, `status`, `kind`, `vendor`, `assignee`, `disposition`, `hour`, `day`, `entity`,
    /// `technique`, `tactic`, `story`, `tag`.
    #[param(value_type = shapes::Facet)]
    by: String,
    /// At most so many values.
    #[param(minimum = 1, maximum = 1000, default = 20)]
    #[serde(default = "default_values")]
    values: u32,
}

fn default_values() -> u32 {
    20
}

/// How many alerts have each value.
#[derive(Serialize, ToSchema)]
pub(crate) struct Facets {
    /// Values, the most frequent first; hours and days in their order.
    #[schema(value_type = Vec<shapes::FacetCount>)]
    items: Vec<FacetCount>,
    /// How many alerts fit, in all.
    total: u64,
}

/// How many of the alerts that fit have each value of something.
#[utoipa::path(get, path = "/api/v1/alerts/facets", operation_id = "alertFacets", tag = "alerts", params(FacetQuery, AlertQuery),
    responses((status = 200, description = "Counts.", body = Facets)), security(("key" = ["reader"])))]
pub(crate) async fn facets(
    State(app): State<App>,
    Asked(facet): Asked<FacetQuery>,
    Asked(query): Asked<AlertQuery>,
) -> Answer<Json<Facets>> {
    let by = Facet::parse(&facet.by).ok_or_else(|| Problem::bad_request(format!("by cannot be {:?}", facet.by)))?;
    if !(1..=1000).contains(&facet.values) {
        return Err(Problem::bad_request(format!("values is {}, not 1 to 1000", facet.values)));
    }
    let filter = query.filter()?;
    let items = app.triage.facets(&filter, by, facet.values).await?;
    Ok(Json(Facets { items, total: app.triage.count_alerts(&filter).await? }))
}

/// Alerts that belong together, those with the newest first.
#[utoipa::path(get, path = "/api/v1/groups", operation_id = "groups", tag = "alerts", params(AlertQuery, Paging),
    responses((status = 200, description = "Groups.", body = shapes::Page<shapes::AlertGroup>)), security(("key" = ["reader"])))]
pub(crate) async fn groups(
    State(app): State<App>,
    Asked(query): Asked<AlertQuery>,
    Asked(paging): Asked<Paging>,
) -> Answer<Json<Page<AlertGroup>>> {
    Ok(Json(app.triage.alert_groups(&query.filter()?, &paging.request()).await?))
}

/// An alert with its document and its history.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", operation_id = "alert", tag = "alerts", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The alert.", body = shapes::AlertDetail)), security(("key" = ["reader"])))]
pub(crate) async fn alert(State(app): State<App>, At(id): At<String>) -> Answer<Json<AlertDetail>> {
    Ok(Json(app.triage.alert(&id).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Layout {
    /// `native`, `elastic`, `splunk` or `ocsf`.
    #[serde(default)]
    form: DocumentForm,
}

/// The whole alert with its events, as Lurcher, Elastic, Splunk or OCSF write it.
#[utoipa::path(get, path = "/api/v1/alerts/{id}/document", operation_id = "alertDocument", tag = "alerts",
    params(("id" = String, Path, description = "Its id."), Layout),
    responses((status = 200, description = "The document.", body = serde_json::Value)), security(("key" = ["reader"])))]
pub(crate) async fn document(
    State(app): State<App>,
    At(id): At<String>,
    Asked(form): Asked<Layout>,
) -> Answer<Json<Value>> {
    let document = app.triage.alert(&id).await?.alert.found.document;
    match form.form {
        DocumentForm::Native => Ok(Json(document)),
        form => Ok(Json(app.detection.render(&document, form).map_err(refuse("alert"))?)),
    }
}

/// What was done to an alert.
#[derive(Serialize, ToSchema)]
pub(crate) struct History {
    /// Oldest first.
    #[schema(value_type = Vec<shapes::HistoryEntry>)]
    items: Vec<HistoryEntry>,
}

/// What was done to an alert, oldest first.
#[utoipa::path(get, path = "/api/v1/alerts/{id}/history", operation_id = "alertHistory", tag = "alerts", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "Its history.", body = History)), security(("key" = ["reader"])))]
pub(crate) async fn history(State(app): State<App>, At(id): At<String>) -> Answer<Json<History>> {
    Ok(Json(History { items: app.triage.alert(&id).await?.history }))
}

/// Changes an alert: status, assignee, disposition, tags, or a comment. With `If-Match: "REVISION"` only if nobody has
/// changed it since.
#[utoipa::path(patch, path = "/api/v1/alerts/{id}", operation_id = "changeAlert", tag = "alerts",
    params(("id" = String, Path, description = "Its id."), ("If-Match" = Option<String>, Header, description = "The revision that was seen.")),
    request_body = shapes::AlertChange, responses((status = 200, description = "The alert as it is now.", body = shapes::Alert)),
    security(("key" = ["analyst"])))]
pub(crate) async fn change_alert(
    State(app): State<App>,
    identity: Identity,
    headers: HeaderMap,
    At(id): At<String>,
    Body(change): Body<AlertChange>,
) -> Answer<Json<Alert>> {
    let expected = headers.get("if-match").map(|value| {
        let text = value.to_str().unwrap_or_default().trim().trim_matches('"');
        text.parse().map_err(|_| Problem::bad_request("If-Match is not the revision of an alert, such as \"3\""))
    });
    let alert = app.triage.change_alert(&id, &identity.name, &change, expected.transpose()?).await?;
    tell(&app, &alert, &identity);
    Ok(Json(alert))
}

fn tell(app: &App, alert: &Alert, identity: &Identity) {
    let changed = json!({"id": alert.found.id, "revision": alert.revision, "status": alert.status, "assignee": alert.assignee,
        "disposition": alert.disposition, "tags": alert.tags, "by": &*identity.name});
    app.events.publish(Topic::AlertChange, &changed);
}

/// What to say about an alert.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Comment {
    /// The comment.
    #[schema(min_length = 1, max_length = 16384)]
    text: String,
}

/// Says something about an alert.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/comments", operation_id = "commentAlert", tag = "alerts", params(("id" = String, Path, description = "Its id.")),
    request_body = Comment, responses((status = 200, description = "The alert as it is now.", body = shapes::Alert)),
    security(("key" = ["analyst"])))]
pub(crate) async fn comment(
    State(app): State<App>,
    identity: Identity,
    At(id): At<String>,
    Body(comment): Body<Comment>,
) -> Answer<Json<Alert>> {
    if comment.text.trim().is_empty() || comment.text.chars().count() > 16_384 {
        return Err(Problem::unprocessable("text is empty or longer than 16384 characters: write a comment"));
    }
    let change = AlertChange { comment: Some(comment.text), ..AlertChange::default() };
    let alert = app.triage.change_alert(&id, &identity.name, &change, None).await?;
    tell(&app, &alert, &identity);
    Ok(Json(alert))
}

/// A change of many alerts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bulk {
    /// Which.
    #[schema(value_type = shapes::Selection)]
    which: Selection,
    /// What is to be changed.
    #[serde(deserialize_with = "object")]
    #[schema(value_type = shapes::AlertChange)]
    change: AlertChange,
}

/// Changes many alerts, all or none.
#[utoipa::path(post, path = "/api/v1/alerts/bulk", operation_id = "changeAlerts", tag = "alerts", request_body = Bulk,
    responses((status = 200, description = "What was changed.", body = shapes::BulkChange)), security(("key" = ["analyst"])))]
pub(crate) async fn bulk(
    State(app): State<App>,
    identity: Identity,
    Body(bulk): Body<Bulk>,
) -> Answer<Json<BulkChange>> {
    let done = app.triage.change_alerts(&bulk.which, &identity.name, &bulk.change).await?;
    if !done.changed.is_empty() {
        app.events.publish(Topic::AlertChange, &json!({"ids": done.changed, "by": &*identity.name}));
    }
    Ok(Json(done))
}

/// The day before now, unless asked otherwise.
pub(super) fn span(app: &App, from: Option<&str>, until: Option<&str>) -> Answer<lurcher_triage::Span> {
    let day = lurcher_triage::Span::day_until(app.clock.now());
    let until = moment("until", until)?.unwrap_or(day.until);
    let from = moment("from", from)?.unwrap_or(Timestamp(until.0.saturating_sub(day.until.0 - day.from.0)));
    if from >= until {
        return Err(Problem::bad_request("from is not before until"));
    }
    Ok(lurcher_triage::Span { from, until })
}
