//! What shippers put and ask for again: templates, policies, pipelines, data streams, indices, aliases. Remembered while
//! the server runs, shown as it was put, without effect; after a start shippers put it again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{Path, Request, State},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    Cluster,
    answer::{self, Fault},
    names,
};

/// Things that are remembered at most; what is put beyond is acknowledged and forgotten.
const MOST: usize = 4096;
/// The longest body that is remembered.
const LONGEST: usize = 2 << 20;

/// What can be put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    IndexTemplate,
    Template,
    ComponentTemplate,
    Policy,
    Pipeline,
    DataStream,
    Index,
    Alias,
}

/// All that was put.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<BTreeMap<(Kind, String), Value>>);

impl Registry {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<(Kind, String), Value>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn remember(&self, kind: Kind, name: &str, body: Value) {
        self.with(|all| {
            if all.len() < MOST || all.contains_key(&(kind, name.to_owned())) {
                all.insert((kind, name.to_owned()), body);
            }
        });
    }

    /// An index exists once something was written into it.
    pub(super) fn written(&self, name: &str) {
        if !self.knows(Kind::Index, name) {
            self.remember(Kind::Index, name, json!({}));
        }
    }

    fn knows(&self, kind: Kind, name: &str) -> bool {
        self.with(|all| all.contains_key(&(kind, name.to_owned())))
    }

    /// All of a kind whose name fits one of the patterns; all of it without one.
    fn find(&self, kind: Kind, patterns: Option<&str>) -> Vec<(String, Value)> {
        let fits = |name: &str| match patterns {
            None | Some("_all") => true,
            Some(patterns) => patterns.split(',').any(|pattern| names::wild(pattern, name)),
        };
        self.with(|all| {
            all.iter()
                .filter(|((k, name), _)| *k == kind && fits(name))
                .map(|((_, n), v)| (n.clone(), v.clone()))
                .collect()
        })
    }
}

/// `GET` and `HEAD` of what was put.
pub(super) fn show(
    State(cluster): State<Arc<Cluster>>,
    kind: Kind,
    name: Option<Path<String>>,
    parts: Parts,
) -> Response {
    let asked = name.as_ref().map(|Path(name)| name.as_str());
    let mut found = cluster.registry.find(kind, asked);
    if kind == Kind::Index && found.is_empty() {
        // An alias is asked for as an index is.
        for (_, aliased) in cluster.registry.find(Kind::Alias, asked) {
            let index = aliased["index"].as_str().unwrap_or_default().to_owned();
            found.push((index, json!({})));
        }
    }
    let single = asked.is_some_and(|name| !name.contains('*') && name != "_all");
    if found.is_empty() && single {
        return missing(kind, asked.unwrap_or_default(), &parts);
    }
    answer::show(&parts.uri, StatusCode::OK, shown(&cluster, kind, found))
}

fn shown(cluster: &Cluster, kind: Kind, found: Vec<(String, Value)>) -> Value {
    let list = |member: &str| -> Value {
        found.iter().map(|(name, body)| json!({"name": name, member: body})).collect::<Vec<_>>().into()
    };
    match kind {
        Kind::IndexTemplate => json!({"index_templates": list("index_template")}),
        Kind::ComponentTemplate => json!({"component_templates": list("component_template")}),
        Kind::Template | Kind::Pipeline => Value::Object(found.into_iter().collect()),
        Kind::Policy => {
            let modified = cluster.reception.clock.now().to_string();
            let policy = |body: Value| json!({"version": 1, "modified_date": modified, "policy": body["policy"], "in_use_by": {}});
            Value::Object(found.into_iter().map(|(name, body)| (name, policy(body))).collect())
        }
        Kind::DataStream => {
            let streams: Vec<Value> = found.iter().map(|(name, _)| data_stream(name)).collect();
            json!({"data_streams": streams})
        }
        Kind::Index => {
            let index = |name: &str, body: &Value| {
                let part = |member: &str| body.get(member).cloned().unwrap_or_else(|| json!({}));
                let settings =
                    json!({"index": {"provided_name": name, "number_of_shards": "1", "number_of_replicas": "0"}});
                json!({"aliases": part("aliases"), "mappings": part("mappings"), "settings": settings})
            };
            Value::Object(found.iter().map(|(name, body)| (name.clone(), index(name, body))).collect())
        }
        Kind::Alias => {
            let mut indices = Map::new();
            for (alias, body) in found {
                let index = body["index"].as_str().unwrap_or_default().to_owned();
                indices.entry(index).or_insert_with(|| json!({"aliases": {}}))["aliases"][alias] = json!({});
            }
            Value::Object(indices)
        }
    }
}

fn data_stream(name: &str) -> Value {
    json!({
        "name": name, "timestamp_field": {"name": "@timestamp"}, "generation": 1, "status": "GREEN", "template": name,
        "indices": [{"index_name": format!(".ds-{name}-000001"), "index_uuid": "lurcher"}],
        "hidden": false, "system": false, "replicated": false,
    })
}

fn missing(kind: Kind, name: &str, parts: &Parts) -> Response {
    let gone =
        |reason: String| Fault::new(StatusCode::NOT_FOUND, "resource_not_found_exception", reason).into_response();
    match kind {
        Kind::IndexTemplate => gone(format!("index template matching [{name}] not found")),
        Kind::ComponentTemplate => gone(format!("component template matching [{name}] not found")),
        Kind::Policy => gone(format!("Lifecycle policy not found: {name}")),
        Kind::Template | Kind::Pipeline => answer::show(&parts.uri, StatusCode::NOT_FOUND, json!({})),
        Kind::Alias => {
            let body = json!({"error": format!("alias [{name}] missing"), "status": 404});
            answer::show(&parts.uri, StatusCode::NOT_FOUND, body)
        }
        Kind::DataStream | Kind::Index => no_such_index(name).into_response(),
    }
}

fn no_such_index(name: &str) -> Fault {
    Fault::new(StatusCode::NOT_FOUND, "index_not_found_exception", format!("no such index [{name}]"))
}

/// `PUT` of any of them.
pub(super) async fn put(
    State(cluster): State<Arc<Cluster>>,
    kind: Kind,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let held = match cluster.bodies.read(&parts.headers, body).await {
        Ok(held) => held,
        Err(fault) => return Fault::from(fault).into_response(),
    };
    let body = if held.bytes.is_empty() {
        json!({})
    } else {
        match serde_json::from_slice::<Value>(&held.bytes) {
            Ok(body) if body.is_object() => body,
            Ok(_) => return Fault::illegal("the body must be an object").into_response(),
            Err(error) => {
                let kind = "x_content_parse_exception";
                return Fault::new(StatusCode::BAD_REQUEST, kind, error.to_string()).into_response();
            }
        }
    };
    if matches!(kind, Kind::Index | Kind::DataStream) {
        if let Err(fault) = names::check_index(&name) {
            return fault.into_response();
        }
        if cluster.registry.knows(kind, &name) {
            let what = if kind == Kind::Index { "index" } else { "data_stream" };
            let reason = format!("{what} [{name}] already exists");
            let fault = Fault::new(StatusCode::BAD_REQUEST, "resource_already_exists_exception", reason);
            return fault.into_response();
        }
    }
    for alias in body.get("aliases").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
        if kind == Kind::Index {
            cluster.registry.remember(Kind::Alias, alias, json!({"index": name}));
        }
    }
    if held.bytes.len() <= LONGEST {
        cluster.registry.remember(kind, &name, body);
    }
    let mut answer = json!({"acknowledged": true});
    if kind == Kind::Index {
        answer = json!({"acknowledged": true, "shards_acknowledged": true, "index": name});
    }
    answer::show(&parts.uri, StatusCode::OK, answer)
}

/// `DELETE` of what has no events in it.
pub(super) fn remove(
    State(cluster): State<Arc<Cluster>>,
    kind: Kind,
    Path(name): Path<String>,
    parts: Parts,
) -> Response {
    if kind == Kind::DataStream {
        return Fault::illegal("events are not deleted over this interface").into_response();
    }
    match cluster.registry.with(|all| all.remove(&(kind, name.clone()))) {
        Some(_) => answer::show(&parts.uri, StatusCode::OK, json!({"acknowledged": true})),
        None => missing(kind, &name, &parts),
    }
}

/// `PUT /{index}/_alias/{name}`.
pub(super) async fn put_alias(
    State(cluster): State<Arc<Cluster>>,
    Path((index, alias)): Path<(String, String)>,
    parts: Parts,
) -> Response {
    cluster.registry.remember(Kind::Alias, &alias, json!({"index": index}));
    answer::show(&parts.uri, StatusCode::OK, json!({"acknowledged": true}))
}

/// `GET /{index}/_alias/{name}`.
pub(super) async fn show_alias_of(
    state: State<Arc<Cluster>>,
    Path((_, alias)): Path<(String, String)>,
    parts: Parts,
) -> Response {
    show(state, Kind::Alias, Some(Path(alias)), parts)
}

/// `GET /{index}/_alias`.
pub(super) async fn show_aliases_of(
    State(cluster): State<Arc<Cluster>>,
    Path(index): Path<String>,
    parts: Parts,
) -> Response {
    let mut aliases = Map::new();
    for (alias, body) in cluster.registry.find(Kind::Alias, None) {
        if body["index"] == json!(index) {
            aliases.insert(alias, json!({}));
        }
    }
    if aliases.is_empty() && !cluster.registry.knows(Kind::Index, &index) {
        return no_such_index(&index).into_response();
    }
    answer::show(&parts.uri, StatusCode::OK, json!({index: {"aliases": aliases}}))
}

/// `GET /{index}/_mapping` and `/{index}/_settings`: the member of that name of what `GET /{index}` shows.
pub(super) async fn show_part(
    State(cluster): State<Arc<Cluster>>,
    Path(index): Path<String>,
    parts: Parts,
) -> Response {
    let found = cluster.registry.find(Kind::Index, Some(&index));
    if found.is_empty() {
        return no_such_index(&index).into_response();
    }
    let member = if parts.uri.path().ends_with("_mapping") { "mappings" } else { "settings" };
    let mut answer = shown(&cluster, Kind::Index, found);
    for index in answer.as_object_mut().into_iter().flat_map(Map::values_mut) {
        *index = json!({member: index[member].take()});
    }
    answer::show(&parts.uri, StatusCode::OK, answer)
}
