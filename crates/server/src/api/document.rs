//! What the OpenAPI document says beside the operations: who made it, how keys are shown, and how problems look.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, ContentBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder,
        path::{Operation, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use super::{App, shapes};
use crate::{auth::authorise::SCHEME, content::ContentKind, detection::DocumentForm, problem::Problem};

const DESCRIPTION: &str = "Alerts, risk, rules, events and deliveries of the live engine. Requests carry a key: \
`Authorization: Bearer KEY` (also `ApiKey KEY`, or `Basic` with the key for the password). The role that an operation \
takes is stated with it. What cannot be done is answered with problem details (RFC 9457). Times are RFC 3339.";

/// A router whose document says what the API is.
pub(super) fn begin() -> OpenApiRouter<App> {
    let info = InfoBuilder::new()
        .title("Lurcher")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(utoipa::openapi::LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    OpenApiRouter::with_openapi(OpenApiBuilder::new().info(info).build())
}

/// Puts in what is the same for all operations.
pub(super) fn complete(document: &mut OpenApi) {
    let components = document.components.get_or_insert_with(Components::new);
    let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A key of the server.")).build();
    components.security_schemes.insert(SCHEME.into(), RefOr::T(SecurityScheme::Http(key)));
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    // Those that only parameters refer to; operations bring along what their bodies refer to.
    add::<shapes::Commas>(components);
    add::<shapes::Severity>(components);
    add::<shapes::SortKey>(components);
    add::<shapes::Facet>(components);
    add::<shapes::Outcome>(components);
    add::<shapes::QuarantineKind>(components);
    add::<ContentKind>(components);
    add::<DocumentForm>(components);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            problems(path, method, operation);
        }
    }
}

fn add<T: ToSchema>(components: &mut Components) {
    components.schemas.insert(T::name().into_owned(), T::schema());
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let all = [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Patch, &mut item.patch),
        (HttpMethod::Delete, &mut item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

/// The problems that an operation may answer with.
fn problems(path: &str, method: HttpMethod, operation: &mut Operation) {
    let has_parameters = operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty());
    let has_body = operation.request_body.is_some();
    let is_open = operation.security.as_ref().is_some_and(|security| {
        serde_json::to_value(security).is_ok_and(|security| security == serde_json::json!([{}]))
    });
    let mut add = |status: &str, description: &str| {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
        let response =
            ResponseBuilder::new().description(description).content("application/problem+json", content).build();
        let responses = &mut operation.responses.responses;
        responses.entry(status.into()).or_insert(RefOr::T(response));
    };
    add("400", "The request cannot be read.");
    add("408", "It took too long.");
    add("429", "Too many requests; come again after `Retry-After`.");
    add("500", "The server's fault; its log says more.");
    add("503", "Not now.");
    if !is_open {
        add("401", "No key that is known.");
        add("403", "The key's role may not.");
    }
    if path.contains('{') || has_parameters || has_body {
        add("404", "There is no such thing.");
    }
    if has_body {
        add("413", "The body is too large.");
        add("415", "The body is not of a type that is read.");
    }
    if has_body || has_parameters {
        add("422", "It can be read, but not be done.");
    }
    if method != HttpMethod::Get {
        add("409", "It does not go with what is there.");
    }
}
