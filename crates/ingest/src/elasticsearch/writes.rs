//! Documents written: in bulk or one by one.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use lurcher_journal::{Record, RecordKind};
use serde_json::{Value, json};

use super::{
    Cluster,
    answer::{self, Fault},
    bulk::{self, Action, Item},
    names,
};
use crate::{
    body::{Held, at_length},
    document,
};

type Shared = State<Arc<Cluster>>;

/// The original's words for a data stream.
const APPEND_ONLY: &str = "only write ops with an op_type of create are allowed in data streams";

/// `POST /_bulk`.
pub(super) async fn bulk(State(cluster): Shared, request: Request) -> Response {
    run_bulk(&cluster, None, request).await
}

/// `POST /{index}/_bulk`.
pub(super) async fn bulk_into(State(cluster): Shared, Path(index): Path<String>, request: Request) -> Response {
    run_bulk(&cluster, Some(&index), request).await
}

/// `POST /{index}/_doc`.
pub(super) async fn document(State(cluster): Shared, Path(index): Path<String>, request: Request) -> Response {
    run_document(&cluster, &index, None, request).await
}

/// `PUT /{index}/_doc/{id}` and `_create`.
pub(super) async fn document_with_id(
    State(cluster): Shared,
    Path((index, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    run_document(&cluster, &index, Some(&id), request).await
}

/// Whatever would change or delete what was written.
pub(super) async fn append_only() -> Response {
    Fault::illegal(APPEND_ONLY).into_response()
}

async fn body(cluster: &Cluster, request: Request) -> Result<(Uri, Held), Fault> {
    let (parts, body) = request.into_parts();
    let held = cluster.bodies.read(&parts.headers, body).await.map_err(|fault| {
        let fault = Fault::from(fault);
        match fault.status {
            StatusCode::TOO_MANY_REQUESTS => cluster.reception.refused(1),
            _ => cluster.reception.malformed(1),
        }
        fault
    })?;
    cluster.reception.bytes(held.wire);
    Ok((parts.uri, held))
}

async fn run_bulk(cluster: &Cluster, index: Option<&str>, request: Request) -> Response {
    let begun = cluster.reception.clock.now();
    let (uri, held) = match body(cluster, request).await {
        Ok(read) => read,
        Err(fault) => return fault.into_response(),
    };
    let made = at_length(held.bytes.len(), || {
        let items = bulk::parse(&held.bytes, index)?;
        let mut desk = Desk { cluster, streams: HashMap::new(), records: Vec::with_capacity(items.len()) };
        let answers: Vec<(Action, Value)> = items.iter().map(|item| (item.action, desk.item(item))).collect();
        Ok::<_, Fault>((desk.streams, desk.records, answers))
    });
    let (streams, records, answers) = match made {
        Ok(made) => made,
        Err(fault) => {
            cluster.reception.malformed(1);
            return fault.into_response();
        }
    };
    if let Err(refusal) = cluster.reception.deliver(records).await {
        return Fault::from(refusal).into_response();
    }
    for name in streams.into_values().flatten() {
        cluster.registry.written(&name);
    }
    let failed = answers.iter().filter(|(_, answer)| answer.get("error").is_some()).count();
    cluster.reception.malformed(failed);
    let took = (cluster.reception.clock.now().0 - begun.0).max(0) / 1000;
    let items: Vec<Value> = answers.into_iter().map(|(action, answer)| json!({action.name(): answer})).collect();
    answer::show(&uri, StatusCode::OK, json!({"errors": failed > 0, "took": took, "items": items}))
}

/// Turns items into records and answers.
struct Desk<'a> {
    cluster: &'a Cluster,
    /// Names of indices as given, and as data streams; none for one that is no name.
    streams: HashMap<String, Option<Arc<str>>>,
    records: Vec<Record>,
}

impl Desk<'_> {
    fn item(&mut self, item: &Item<'_>) -> Value {
        match self.write(item) {
            Ok(written) => written,
            Err(fault) => json!({
                "_index": item.index, "_id": item.id, "status": fault.status.as_u16(), "error": fault.item(),
            }),
        }
    }

    fn write(&mut self, item: &Item<'_>) -> Result<Value, Fault> {
        if matches!(item.action, Action::Update | Action::Delete) {
            return Err(Fault::illegal(APPEND_ONLY));
        }
        let stream = match self.streams.get(&item.index) {
            Some(Some(stream)) => Arc::clone(stream),
            _ => {
                let known = names::check_index(&item.index).map(|()| Arc::from(item.index.as_str()));
                self.streams.insert(item.index.clone(), known.clone().ok());
                known?
            }
        };
        let source = document::check_object(item.source).map_err(|why| unreadable(&why))?;
        let body = document::hit(&stream, item.id.as_deref(), source);
        self.records.push(self.cluster.reception.record(&stream, RecordKind::Json, body));
        Ok(written(self.cluster, &stream, item.id.as_deref(), true))
    }
}

fn unreadable(why: &str) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "document_parsing_exception", format!("failed to parse: {why}"))
}

fn written(cluster: &Cluster, index: &str, id: Option<&str>, in_bulk: bool) -> Value {
    let id = id.map_or_else(names::fresh_id, str::to_owned);
    let mut answer = json!({
        "_index": index, "_id": id, "_version": 1, "result": "created",
        "_shards": {"total": 1, "successful": 1, "failed": 0},
        "_seq_no": cluster.next_sequence(), "_primary_term": 1,
    });
    if in_bulk {
        answer["status"] = json!(201);
    }
    answer
}

async fn run_document(cluster: &Cluster, index: &str, id: Option<&str>, request: Request) -> Response {
    let (uri, held) = match body(cluster, request).await {
        Ok(read) => read,
        Err(fault) => return fault.into_response(),
    };
    let taken = async {
        names::check_index(index)?;
        let source = document::check_object(&held.bytes).map_err(|why| unreadable(&why))?;
        let body = document::hit(index, id, source);
        Ok::<_, Fault>(cluster.reception.record(&Arc::from(index), RecordKind::Json, body))
    };
    let record = match taken.await {
        Ok(record) => record,
        Err(fault) => {
            cluster.reception.malformed(1);
            return fault.into_response();
        }
    };
    if let Err(refusal) = cluster.reception.deliver(vec![record]).await {
        return Fault::from(refusal).into_response();
    }
    cluster.registry.written(index);
    let body = written(cluster, index, id, false);
    let place = format!("/{index}/_doc/{}", body["_id"].as_str().unwrap_or_default());
    let mut response = answer::show(&uri, StatusCode::CREATED, body);
    if let Ok(place) = HeaderValue::try_from(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}
