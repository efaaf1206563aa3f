//! `/api/v1/hunts`, `/simulations`, `/backfills` and the jobs that they become.

use std::future::Future;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use lurcher_schema::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    App, Refusal,
    extract::{Asked, At, Body},
};
use crate::{
    auth::Identity,
    detection::{Backfill, Hunt, Refused, Simulation},
    jobs::{Job, JobKind, JobRequest, JobView},
    problem::{Answer, Problem},
};

const LANGUAGES: [&str; 7] = ["eql", "kuery", "lucene", "esql", "spl", "spl2", "sigma"];
const MOST_ROWS: usize = 10_000;

/// Runs a query in any of the languages over stored events.
#[utoipa::path(post, path = "/api/v1/hunts", operation_id = "beginHunt", tag = "hunts", request_body = Hunt,
    responses((status = 202, description = "The job that runs it.", body = JobView, headers(("location" = String)))),
    security(("key" = ["analyst"])))]
pub(crate) async fn begin_hunt(State(app): State<App>, identity: Identity, Body(hunt): Body<Hunt>) -> Answer<Response> {
    if !LANGUAGES.contains(&hunt.language.as_str()) {
        let known = LANGUAGES.join(", ");
        return Err(Problem::unprocessable(format!("language is {:?}, not one of {known}", hunt.language)));
    }
    if hunt.text.trim().is_empty() {
        return Err(Problem::unprocessable("text is empty: write a query"));
    }
    span(hunt.from.as_deref(), hunt.to.as_deref())?;
    let limit = rows(hunt.limit)?;
    let detection = app.detection.clone();
    begin(&app, JobKind::Hunt, identity, hunt.clone(), limit, async move |job| detection.hunt(hunt, job).await)
}

/// Runs a rule over stored events by its own schedule, on the virtual clock, and tells nobody.
#[utoipa::path(post, path = "/api/v1/simulations", operation_id = "beginSimulation", tag = "hunts", request_body = Simulation,
    responses((status = 202, description = "The job that runs it.", body = JobView, headers(("location" = String)))),
    security(("key" = ["analyst"])))]
pub(crate) async fn begin_simulation(
    State(app): State<App>,
    identity: Identity,
    Body(simulation): Body<Simulation>,
) -> Answer<Response> {
    if simulation.rule.is_some() == simulation.text.is_some() {
        return Err(Problem::unprocessable("give rule or text, one of them"));
    }
    span(Some(&simulation.from), Some(&simulation.to))?;
    if let Some(rule) = &simulation.rule
        && app.detection.rule(rule).is_none()
    {
        return Err(Problem::unprocessable(format!("there is no rule {rule:?}")));
    }
    let limit = rows(simulation.limit)?;
    let detection = app.detection.clone();
    begin(&app, JobKind::Simulation, identity, simulation.clone(), limit, async move |job| {
        detection.simulate(simulation, job).await
    })
}

/// Runs a rule over stored events and keeps what it finds.
#[utoipa::path(post, path = "/api/v1/backfills", operation_id = "beginBackfill", tag = "hunts", request_body = Backfill,
    responses((status = 202, description = "The job that runs it.", body = JobView, headers(("location" = String)))),
    security(("key" = ["engineer"])))]
pub(crate) async fn begin_backfill(
    State(app): State<App>,
    identity: Identity,
    Body(backfill): Body<Backfill>,
) -> Answer<Response> {
    span(Some(&backfill.from), Some(&backfill.to))?;
    if app.detection.rule(&backfill.rule).is_none() {
        return Err(Problem::unprocessable(format!("there is no rule {:?}", backfill.rule)));
    }
    start_backfill(&app, identity, backfill)
}

/// Begins a backfill that has been checked.
pub(super) fn start_backfill(app: &App, identity: Identity, backfill: Backfill) -> Answer<Response> {
    let detection = app.detection.clone();
    begin(app, JobKind::Backfill, identity, backfill.clone(), MOST_ROWS, async move |job| {
        detection.backfill(backfill, job).await
    })
}

fn begin<F, W>(
    app: &App,
    kind: JobKind,
    identity: Identity,
    request: impl Serialize,
    limit: usize,
    work: W,
) -> Answer<Response>
where
    W: FnOnce(std::sync::Arc<Job>) -> F + Send + 'static,
    F: Future<Output = Result<serde_json::Value, Refused>> + Send,
{
    let request = serde_json::to_value(request).map_err(Problem::internal)?;
    let request = JobRequest { kind, by: identity.name.to_string(), request, limit };
    let job = app.jobs.begin(request, work);
    let job = job.ok_or_else(|| Problem::too_many(std::time::Duration::from_secs(10), "too many jobs wait already"))?;
    let location = format!("/api/v1/jobs/{}", job.id());
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(job.view())).into_response())
}

fn rows(limit: usize) -> Answer<usize> {
    if (1..=MOST_ROWS).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::unprocessable(format!("limit is {limit}, not 1 to {MOST_ROWS}")))
    }
}

fn span(from: Option<&str>, to: Option<&str>) -> Answer<()> {
    let read = |name: &str, text: Option<&str>| match text.map(|text| (text, Timestamp::parse(text))) {
        Some((text, None)) => Err(Problem::unprocessable(format!("{name} is {text:?}, no time in RFC 3339"))),
        Some((_, time)) => Ok(time),
        None => Ok(None),
    };
    match (read("from", from)?, read("to", to)?) {
        (Some(from), Some(to)) if from >= to => Err(Problem::unprocessable("from is not before to")),
        _ => Ok(()),
    }
}

/// Jobs that run, wait or ended lately.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobList {
    /// Newest first.
    items: Vec<JobView>,
}

/// Jobs that run, wait or ended lately, newest first.
#[utoipa::path(get, path = "/api/v1/jobs", operation_id = "jobs", tag = "hunts",
    responses((status = 200, description = "Jobs.", body = JobList)), security(("key" = ["analyst"])))]
pub(crate) async fn jobs(State(app): State<App>) -> Json<JobList> {
    Json(JobList { items: app.jobs.list().iter().map(|job| job.view()).collect() })
}

/// A job.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", operation_id = "job", tag = "hunts", params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The job.", body = JobView)), security(("key" = ["analyst"])))]
pub(crate) async fn job(State(app): State<App>, At(id): At<String>) -> Answer<Json<JobView>> {
    Ok(Json(find(&app, &id)?.view()))
}

/// Cancels a job. What it has found stays.
#[utoipa::path(delete, path = "/api/v1/jobs/{id}", operation_id = "cancelJob", tag = "hunts", params(("id" = String, Path, description = "Its id.")),
    responses((status = 202, description = "It ends soon.", body = JobView)), security(("key" = ["analyst"])))]
pub(crate) async fn cancel_job(State(app): State<App>, identity: Identity, At(id): At<String>) -> Answer<Response> {
    let job = find(&app, &id)?;
    let view = job.view();
    if view.by != *identity.name && !identity.role.allows(crate::auth::Role::Engineer) {
        return Err(Problem::forbidden("the job is somebody else's; an engineer may cancel it"));
    }
    job.cancel();
    Ok((StatusCode::ACCEPTED, Json(view)).into_response())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Slice {
    /// Rows to pass over.
    #[param(minimum = 0, default = 0)]
    #[serde(default)]
    offset: usize,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    #[serde(default = "default_rows")]
    limit: usize,
}

fn default_rows() -> usize {
    100
}

/// Some of what a job has found.
#[derive(Serialize, ToSchema)]
pub(crate) struct Rows {
    /// Rows, as `lurcher query --format jsonl` writes them; alerts in the native layout for simulations and backfills.
    #[schema(value_type = Vec<serde_json::Value>)]
    items: Vec<Box<serde_json::value::RawValue>>,
    /// How many rows there are in all, so far.
    total: u64,
    /// Where it goes on; null at the end.
    next: Option<u64>,
}

/// What a job has found so far.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/results", operation_id = "jobResults", tag = "hunts",
    params(("id" = String, Path, description = "Its id."), Slice),
    responses((status = 200, description = "Rows.", body = Rows)), security(("key" = ["analyst"])))]
pub(crate) async fn job_results(
    State(app): State<App>,
    At(id): At<String>,
    Asked(slice): Asked<Slice>,
) -> Answer<Json<Rows>> {
    if !(1..=1000).contains(&slice.limit) {
        return Err(Problem::bad_request(format!("limit is {}, not 1 to 1000", slice.limit)));
    }
    let job = find(&app, &id)?;
    let items = job.rows(slice.offset, slice.limit);
    let total = job.view().rows;
    let end = (slice.offset.saturating_add(items.len())) as u64;
    Ok(Json(Rows { next: (!items.is_empty() && end < total).then_some(end), items, total }))
}

fn find(app: &App, id: &str) -> Answer<std::sync::Arc<Job>> {
    app.jobs.get(id).ok_or_else(|| Problem::not_found("job", id))
}

impl From<Refusal> for Problem {
    fn from(Refusal { what, refused }: Refusal) -> Self {
        match refused {
            Refused::Unknown(id) => Self::not_found(what, &id),
            Refused::Invalid(why) => Self::unprocessable(why),
            Refused::Failed(cause) => Self::internal(cause),
        }
    }
}
