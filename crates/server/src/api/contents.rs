//! `/api/v1/content`: files of rules, exceptions, macros, lookups and value lists of a site's own.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    App,
    extract::{Asked, At},
    refuse,
};
use crate::{
    content::{ContentFile, ContentKind, is_name},
    detection::{Finding, Reloaded},
    problem::{Answer, Problem},
};

/// Files of a kind.
#[derive(Serialize, ToSchema)]
pub(crate) struct FileList {
    /// By name.
    items: Vec<ContentFile>,
}

/// What became of a file.
#[derive(Serialize, ToSchema)]
pub(crate) struct Taken {
    /// What is wrong with it.
    findings: Vec<Finding>,
    /// What was read again; null if nothing was to be kept.
    reloaded: Option<Reloaded>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[into_params(parameter_in = Query)]
pub(crate) struct How {
    /// Only say what is wrong with it.
    #[serde(default)]
    check_only: bool,
}

/// The files of a kind.
#[utoipa::path(get, path = "/api/v1/content/{kind}", operation_id = "contentFiles", tag = "rules",
    params(("kind" = ContentKind, Path, description = "What they are.")),
    responses((status = 200, description = "Files.", body = FileList)), security(("key" = ["reader"])))]
pub(crate) async fn files(State(app): State<App>, At(kind): At<ContentKind>) -> Answer<Json<FileList>> {
    Ok(Json(FileList { items: app.content.list(kind).map_err(Problem::internal)? }))
}

/// What a file says.
#[utoipa::path(get, path = "/api/v1/content/{kind}/{name}", operation_id = "contentFile", tag = "rules",
    params(("kind" = ContentKind, Path, description = "What it is."), ("name" = String, Path, description = "Its name.")),
    responses((status = 200, description = "The file.", body = String, content_type = "application/octet-stream")),
    security(("key" = ["reader"])))]
pub(crate) async fn file(State(app): State<App>, At((kind, name)): At<(ContentKind, String)>) -> Answer<Response> {
    let bytes = app.content.read(kind, &name).map_err(Problem::internal)?;
    let bytes = bytes.ok_or_else(|| Problem::not_found("file", &name))?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// Keeps a file and uses it from now on; replaces the one of this name. One with errors is refused, and nothing changes.
#[utoipa::path(put, path = "/api/v1/content/{kind}/{name}", operation_id = "putContentFile", tag = "rules",
    params(("kind" = ContentKind, Path, description = "What it is."), ("name" = String, Path, description = "Its name: letters, digits, `.`, `_`, `-`."), How),
    request_body(content = String, content_type = "application/octet-stream", description = "What the file says."),
    responses((status = 200, description = "It was replaced, or only checked.", body = Taken), (status = 201, description = "It is new.", body = Taken)),
    security(("key" = ["engineer"])))]
pub(crate) async fn put_file(
    State(app): State<App>,
    At((kind, name)): At<(ContentKind, String)>,
    Asked(how): Asked<How>,
    request: Request,
) -> Answer<Response> {
    if !is_name(&name) {
        let rule = "up to 128 letters, digits, '.', '_' and '-', beginning with a letter or digit";
        return Err(Problem::bad_request(format!("{name:?} is no name of a file: {rule}")));
    }
    let body = Bytes::from_request(request, &()).await;
    let body = body.map_err(|rejection| Problem::new(rejection.status(), "body", rejection.body_text()))?;
    if body.is_empty() {
        return Err(Problem::bad_request("there is no file in the body"));
    }
    let findings = app.detection.check(kind, &name, &body).await;
    if how.check_only {
        return Ok(Json(Taken { findings, reloaded: None }).into_response());
    }
    if findings.iter().any(|finding| finding.is_error) {
        let lines = findings.iter().map(|finding| match finding.line {
            Some(line) => format!("{name}:{line}: {}", finding.message),
            None => format!("{name}: {}", finding.message),
        });
        return Err(Problem::unprocessable(lines.collect::<Vec<_>>().join("\n")));
    }
    let is_new = app.content.write(kind, &name, &body).map_err(|error| match error.kind() {
        std::io::ErrorKind::QuotaExceeded => Problem::conflict(error.to_string()),
        _ => Problem::internal(error),
    })?;
    let reloaded = app.detection.reload().await.map_err(refuse("file"))?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(Taken { findings, reloaded: Some(reloaded) })).into_response())
}

/// Takes a file away.
#[utoipa::path(delete, path = "/api/v1/content/{kind}/{name}", operation_id = "deleteContentFile", tag = "rules",
    params(("kind" = ContentKind, Path, description = "What it is."), ("name" = String, Path, description = "Its name.")),
    responses((status = 200, description = "What is left.", body = Reloaded)), security(("key" = ["engineer"])))]
pub(crate) async fn delete_file(
    State(app): State<App>,
    At((kind, name)): At<(ContentKind, String)>,
) -> Answer<Json<Reloaded>> {
    if !app.content.delete(kind, &name).map_err(Problem::internal)? {
        return Err(Problem::not_found("file", &name));
    }
    Ok(Json(app.detection.reload().await.map_err(refuse("file"))?))
}
