//! Elasticsearch, as far as shippers speak to it: `_bulk` and single documents, and all that Beats, Elastic Agent,
//! Logstash, Fluent Bit, Vector and the official clients ask before they send.
//!
//! What is put (templates, policies, pipelines, indices) is acknowledged and shown again, and otherwise without effect:
//! events are kept as they were sent. Nothing can be searched here.

mod answer;
mod bulk;
mod cluster;
mod filter_path;
mod names;
mod registry;
mod writes;

use std::{
    future::ready,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::Response,
    routing::{any, get, post, put},
};
use serde::Deserialize;

use crate::{
    BodyReader, Reception,
    credentials::{Admission, admission},
};
use registry::Registry;

#[doc(hidden)]
pub use bulk::parse as parse_bulk;

/// `[ingest.elasticsearch]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Whether shippers of Elasticsearch are answered at all.
    pub enabled: bool,
    /// The version that shippers are told. Beats refuse a cluster that is older than they are.
    pub version: String,
    /// The cluster's name that shippers are told.
    pub cluster_name: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { enabled: true, version: "8.19.3".to_owned(), cluster_name: "lurcher".to_owned() }
    }
}

/// What all handlers share.
pub(crate) struct Cluster {
    options: Options,
    reception: Reception,
    bodies: BodyReader,
    registry: Registry,
    /// Of the documents taken since the start.
    sequence: AtomicU64,
}

impl Cluster {
    fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }
}

/// All paths of Elasticsearch: `/`, `/_…`, `/{index}` and what is under it. Paths of one's own under a fixed first part
/// (`/api/…`) can stand beside it.
pub fn router(options: Options, reception: Reception, bodies: BodyReader) -> Router {
    let cluster =
        Arc::new(Cluster { options, reception, bodies, registry: Registry::default(), sequence: AtomicU64::new(0) });
    Router::new()
        .merge(writes())
        .merge(probes())
        .merge(administration())
        .layer(middleware::from_fn_with_state(Arc::clone(&cluster), entrance))
        .with_state(cluster)
}

fn writes() -> Router<Arc<Cluster>> {
    Router::new()
        .route("/_bulk", post(writes::bulk).put(writes::bulk))
        .route("/{index}/_bulk", post(writes::bulk_into).put(writes::bulk_into))
        .route("/{index}/_doc", post(writes::document))
        .route("/{index}/_doc/{id}", post(writes::document_with_id).put(writes::document_with_id))
        .route("/{index}/_create/{id}", post(writes::document_with_id).put(writes::document_with_id))
        .route("/_monitoring/bulk", post(cluster::monitoring).put(cluster::monitoring))
}

fn probes() -> Router<Arc<Cluster>> {
    Router::new()
        .route("/", get(cluster::root))
        .route("/_license", get(cluster::license))
        .route("/_xpack", get(cluster::xpack))
        .route("/_nodes", get(cluster::nodes))
        .route("/_nodes/{*rest}", get(cluster::nodes))
        .route("/_cluster/health", get(cluster::health))
        .route("/_cluster/health/{index}", get(cluster::health))
        .route("/_cluster/settings", get(cluster::settings).put(cluster::acknowledge))
        .route("/_security/_authenticate", get(cluster::authenticate))
        .route("/_security/user/_has_privileges", get(cluster::privileges).post(cluster::privileges))
        .route("/_cat/{*rest}", get(cluster::cat))
        .route("/_refresh", get(cluster::refresh).post(cluster::refresh))
        .route("/{index}/_refresh", get(cluster::refresh).post(cluster::refresh))
        .route("/{index}/_flush", get(cluster::refresh).post(cluster::refresh))
        .route("/_search", any(cluster::no_search))
        .route("/_msearch", any(cluster::no_search))
        .route("/_count", any(cluster::no_search))
        .route("/{index}/_search", any(cluster::no_search))
        .route("/{index}/_count", any(cluster::no_search))
        .route("/{index}/_update/{id}", any(writes::append_only))
}

fn administration() -> Router<Arc<Cluster>> {
    use registry::Kind;
    let mut router = Router::new();
    for (path, kind) in [
        ("/_index_template", Kind::IndexTemplate),
        ("/_template", Kind::Template),
        ("/_component_template", Kind::ComponentTemplate),
        ("/_ilm/policy", Kind::Policy),
        ("/_ingest/pipeline", Kind::Pipeline),
        ("/_data_stream", Kind::DataStream),
    ] {
        let all = get(move |state, parts| ready(registry::show(state, kind, None, parts)));
        let one = get(move |state, name, parts| ready(registry::show(state, kind, Some(name), parts)));
        let one = one
            .put(move |state, name, request| registry::put(state, kind, name, request))
            .post(move |state, name, request| registry::put(state, kind, name, request))
            .delete(move |state, name, parts| ready(registry::remove(state, kind, name, parts)));
        router = router.route(path, all).route(&format!("{path}/{{name}}"), one);
    }
    let alias = |state, name, parts| ready(registry::show(state, Kind::Alias, Some(name), parts));
    router
        .route(
            "/{index}",
            get(|state, name, parts| ready(registry::show(state, Kind::Index, Some(name), parts)))
                .put(|state, name, request| registry::put(state, Kind::Index, name, request))
                .delete(writes::append_only),
        )
        .route("/_alias/{name}", get(alias))
        .route("/_aliases", post(cluster::acknowledge))
        .route(
            "/{index}/_alias/{name}",
            get(registry::show_alias_of).put(registry::put_alias).post(registry::put_alias),
        )
        .route("/{index}/_alias", get(registry::show_aliases_of))
        .route("/{index}/_mapping", get(registry::show_part).put(cluster::acknowledge).post(cluster::acknowledge))
        .route("/{index}/_settings", get(registry::show_part).put(cluster::acknowledge))
        .route("/{index}/_rollover", post(cluster::acknowledge))
        .route("/_ilm/start", post(cluster::acknowledge))
        .route("/_scripts/{name}", put(cluster::acknowledge).post(cluster::acknowledge))
}

/// Lets nobody in without a key, and says on every answer what the official clients look for.
async fn entrance(State(cluster): State<Arc<Cluster>>, request: Request, next: Next) -> Response {
    let media = answer::media_type(request.headers());
    let entry = admission(cluster.reception.gate.as_ref(), request.headers(), None);
    let mut response = if entry == Admission::Granted {
        next.run(request).await
    } else {
        cluster.reception.refused(1);
        answer::unauthorized(entry, request.method(), request.uri().path())
    };
    let headers = response.headers_mut();
    headers.insert("x-elastic-product", HeaderValue::from_static("Elasticsearch"));
    if let Some(media) = media
        && headers.get(header::CONTENT_TYPE).is_some_and(|own| own == answer::JSON)
    {
        headers.insert(header::CONTENT_TYPE, media);
    }
    response
}
