//! A web server that answers as it is told, and remembers what it was asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, Uri},
};
use serde_json::Value;
use tokio::net::TcpListener;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// How to answer.
pub(crate) enum Reply {
    Status(u16, String),
    RetryAfter(u16, String),
    Redirect(String),
    /// Nothing, for so long.
    Stall(Duration),
}

type Answering = Box<dyn Fn(&Asked) -> Reply + Send + Sync>;

struct Inner {
    asked: Mutex<Vec<Asked>>,
    first: Mutex<VecDeque<Reply>>,
    then: Answering,
}

/// The server; it ends with the test.
#[derive(Clone)]
pub(crate) struct Web {
    inner: Arc<Inner>,
    pub(crate) url: String,
}

impl Web {
    /// Answers these first, and then what the function says.
    pub(crate) async fn start(
        first: impl IntoIterator<Item = Reply>,
        then: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            asked: Mutex::default(),
            first: Mutex::new(first.into_iter().collect()),
            then: Box::new(then),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { inner, url }
    }

    /// Answers these first, and then 200.
    pub(crate) async fn replying(first: impl IntoIterator<Item = Reply>) -> Self {
        Self::start(first, |_| Reply::Status(200, "ok".into())).await
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().unwrap().clone()
    }
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let asked = Asked { method: method.to_string(), path: uri.to_string(), headers, body: body.to_vec() };
    let first = inner.first.lock().unwrap().pop_front();
    let reply = first.unwrap_or_else(|| (inner.then)(&asked));
    inner.asked.lock().unwrap().push(asked);
    let response = |status: u16| Response::builder().status(status);
    match reply {
        Reply::Status(status, body) => response(status).body(body.into()).unwrap(),
        Reply::RetryAfter(status, after) => response(status).header("retry-after", after).body(Body::empty()).unwrap(),
        Reply::Redirect(to) => response(302).header("location", to).body(Body::empty()).unwrap(),
        Reply::Stall(how_long) => {
            tokio::time::sleep(how_long).await;
            response(200).body(Body::empty()).unwrap()
        }
    }
}
