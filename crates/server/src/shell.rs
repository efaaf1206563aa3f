//! Everything that speaks HTTP, put together: the API behind its door, what shippers ask for, and what is done around both.

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, http::StatusCode, middleware::from_fn_with_state};

use crate::{
    api::{self, Parts},
    auth::{Access, Audit, authorise},
    http::observe::{Observer, Patience, hurry, name_route, observe},
    problem::Problem,
    settings::ServerSettings,
};

/// The routes of the server: those of the API, and `others` (of shippers, which check keys on their own). Fails only if the
/// API's own declarations are at odds.
pub fn routes(
    parts: Parts,
    audit: Arc<dyn Audit>,
    settings: &ServerSettings,
    others: Router,
) -> Result<Router, String> {
    let metrics = parts.metrics.clone();
    let keys = parts.keys.clone();
    let (router, document) = api::router(parts)?;
    let mut access = Access::of(&document)?;
    if settings.open_metrics {
        access.open("/metrics");
    }
    let door = authorise::Door::new(access, keys, audit, metrics.clone(), &settings.limits);
    let patience = Patience { metrics: metrics.clone(), timeout: settings.limits.request_timeout };
    let api = router
        .layer(DefaultBodyLimit::max(settings.limits.body.0 as usize))
        .layer(from_fn_with_state(Arc::new(door), authorise::authorise))
        .layer(from_fn_with_state(patience, hurry));
    let observer = Observer { metrics };
    let named = from_fn_with_state(observer.clone(), name_route);
    let inner = api.merge(others).layer(named).fallback(nothing);
    // Around the whole router, so that what no route takes is seen too.
    Ok(Router::new().fallback_service(inner).layer(from_fn_with_state(observer, observe)))
}

async fn nothing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not-found", "there is nothing at this path; the API is at /api/v1")
}
