//! The REST API under `/api/v1`, and what it works on. Handlers are thin: they read what was asked, call the part that
//! knows, and answer. The OpenAPI document is made from the same declarations as the routes.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use axum::Router;
use lurcher_schema::{Clock, Timestamp};
use lurcher_triage::Triage;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    auth::Keys,
    backup::Copied,
    content::Content,
    detection::{Courier, Detection, Refused, Streams},
    events::Events,
    health::Health,
    jobs::Jobs,
    lifecycle::Stop,
    metrics::Metrics,
    state::StateFolder,
};

mod alerts;
mod contents;
mod deliveries;
mod document;
mod extract;
mod happenings;
mod hunts;
mod keys;
mod ledger;
mod operations;
mod quiet;
mod risk;
mod rules;
mod saved;
mod shapes;
mod streams;

/// What the API works on.
pub struct Parts {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// When the server was started.
    pub started: Timestamp,
    /// The folder of state.
    pub state: Arc<StateFolder>,
    /// Alerts and what people made of them.
    pub triage: Arc<Triage>,
    /// Who may ask.
    pub keys: Arc<dyn Keys>,
    /// Rules at work.
    pub detection: Arc<dyn Detection>,
    /// Tables of events.
    pub streams: Arc<dyn Streams>,
    /// Whom alerts are told.
    pub courier: Arc<dyn Courier>,
    /// Rules and lists of a site's own.
    pub content: Content,
    /// Hunts, simulations, backfills.
    pub jobs: Arc<Jobs>,
    /// What clients are told as it happens.
    pub events: Arc<Events>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// How each part does.
    pub health: Arc<Health>,
    /// The end.
    pub stop: Stop,
    /// Where backups go.
    pub backups: Option<PathBuf>,
    /// What copies itself into a backup.
    pub copied: Vec<Arc<dyn Copied>>,
    /// The file of settings, for backups.
    pub settings_file: Option<PathBuf>,
}

/// What handlers are given.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    parts: Parts,
    /// The OpenAPI document; set once the routes are known.
    document: OnceLock<String>,
    /// Held while a backup is made.
    backing_up: tokio::sync::Mutex<()>,
}

impl std::ops::Deref for Inner {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// What the detector, the store or the deliveries refused, and of what kind the thing was.
pub(crate) struct Refusal {
    what: &'static str,
    refused: Refused,
}

/// Makes a problem of a refusal about a thing of this kind.
fn refuse(what: &'static str) -> impl Fn(Refused) -> crate::problem::Problem {
    move |refused| Refusal { what, refused }.into()
}

/// All routes of the API, without a door, and the document that describes them.
pub(crate) fn router(parts: Parts) -> Result<(Router, utoipa::openapi::OpenApi), String> {
    let app = App(Arc::new(Inner { parts, document: OnceLock::new(), backing_up: tokio::sync::Mutex::new(()) }));
    let (router, mut document) = routes().with_state(app.clone()).split_for_parts();
    document::complete(&mut document);
    let text = document.to_json().map_err(|error| error.to_string())?;
    // Set here and nowhere else.
    let _ = app.document.set(text);
    Ok((router, document))
}

fn routes() -> OpenApiRouter<App> {
    document::begin().merge(operations_routes()).merge(alert_routes()).merge(rule_routes()).merge(work_routes())
}

fn operations_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(operations::health))
        .routes(routes!(operations::ready))
        .routes(routes!(operations::metrics))
        .routes(routes!(operations::openapi))
        .routes(routes!(operations::status))
        .routes(routes!(operations::backup))
        .routes(routes!(happenings::events))
        .routes(routes!(keys::keys, keys::create_key))
        .routes(routes!(keys::revoke_key))
        .routes(routes!(keys::audit))
        .routes(routes!(keys::check_audit))
}

fn alert_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(alerts::alerts))
        .routes(routes!(alerts::search))
        .routes(routes!(alerts::facets))
        .routes(routes!(alerts::bulk))
        .routes(routes!(alerts::alert, alerts::change_alert))
        .routes(routes!(alerts::document))
        .routes(routes!(alerts::history))
        .routes(routes!(alerts::comment))
        .routes(routes!(alerts::groups))
        .routes(routes!(risk::entities))
        .routes(routes!(risk::entity))
        .routes(routes!(risk::timeline))
        .routes(routes!(risk::incidents))
        .routes(routes!(risk::incident))
}

fn rule_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(rules::rules))
        .routes(routes!(rules::rule, rules::change_rule))
        .routes(routes!(rules::source))
        .routes(routes!(rules::reload))
        .routes(routes!(ledger::rule_ledger))
        .routes(routes!(ledger::health))
        .routes(routes!(ledger::healths))
        .routes(routes!(ledger::ledger))
        .routes(routes!(ledger::totals))
        .routes(routes!(ledger::gaps))
        .routes(routes!(ledger::fill))
        .routes(routes!(ledger::quarantine))
        .routes(routes!(ledger::release))
        .routes(routes!(contents::files))
        .routes(routes!(contents::file, contents::put_file, contents::delete_file))
}

fn work_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(streams::streams))
        .routes(routes!(streams::stream))
        .routes(routes!(hunts::begin_hunt))
        .routes(routes!(hunts::begin_simulation))
        .routes(routes!(hunts::begin_backfill))
        .routes(routes!(hunts::jobs))
        .routes(routes!(hunts::job, hunts::cancel_job))
        .routes(routes!(hunts::job_results))
        .routes(routes!(saved::saved_hunts, saved::save_hunt))
        .routes(routes!(saved::saved_hunt, saved::change_hunt, saved::delete_hunt))
        .routes(routes!(quiet::silences, quiet::add_silence))
        .routes(routes!(quiet::silence, quiet::end_silence))
        .routes(routes!(quiet::maintenance, quiet::add_maintenance))
        .routes(routes!(quiet::remove_maintenance))
        .routes(routes!(deliveries::targets))
        .routes(routes!(deliveries::test))
        .routes(routes!(deliveries::dead))
        .routes(routes!(deliveries::requeue))
        .routes(routes!(deliveries::drop_dead))
}
