//! Splunk's HTTP Event Collector.
//!
//! Since it answers only when events are on disk, an acknowledgement that is asked for later is always there already.

mod ack;
mod answer;
mod event;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, Uri, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use lurcher_journal::{Record, RecordKind};
use serde::Deserialize;

use crate::{
    BodyReader, Reception, Refusal,
    body::{BodyFault, Held, at_length},
    credentials::{Admission, admission},
    query::parameters,
    split,
};
use ack::Channels;
use answer::{Answer, Code};
use event::Defaults;

#[doc(hidden)]
pub use event::fuzz;

/// The collector calls itself unhealthy for so long after the intake was busy, in microseconds.
const BUSY_FOR: i64 = 5_000_000;

/// Whether acknowledgements are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acknowledgements {
    /// To whoever names a channel.
    #[default]
    Offered,
    /// To all; a request without a channel is refused, as by a token with `useACK`.
    Required,
    /// To nobody, as by a token without `useACK`.
    Off,
}

/// `[ingest.hec]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Whether the collector answers at all.
    pub enabled: bool,
    /// Whether acknowledgements are given.
    pub acknowledgements: Acknowledgements,
    /// Whether a token may stand in the query (`?token=`), where proxies log it.
    pub allow_query_token: bool,
    /// Indexes that events may name; others are refused with code 7. Empty: any.
    pub indexes: Vec<String>,
    /// The data stream of events that name neither sourcetype nor index.
    pub stream: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enabled: true,
            acknowledgements: Acknowledgements::default(),
            allow_query_token: false,
            indexes: Vec::new(),
            stream: "httpevent".to_owned(),
        }
    }
}

struct Collector {
    options: Options,
    reception: Reception,
    bodies: BodyReader,
    channels: Channels,
    /// When the intake was busy last, in microseconds since 1970.
    busy: AtomicI64,
}

/// All paths under `/services/collector`.
pub fn router(options: Options, reception: Reception, bodies: BodyReader) -> Router {
    let collector =
        Collector { options, reception, bodies, channels: Channels::default(), busy: AtomicI64::new(i64::MIN) };
    let mut router = Router::new();
    for path in ["", "/event", "/event/1.0"] {
        router = router.route(&format!("/services/collector{path}"), post(events));
    }
    for path in ["/raw", "/raw/1.0"] {
        router = router.route(&format!("/services/collector{path}"), post(raw));
    }
    for path in ["/health", "/health/1.0"] {
        router = router.route(&format!("/services/collector{path}"), get(health));
    }
    for path in ["/ack", "/ack/1.0"] {
        router = router.route(&format!("/services/collector{path}"), post(acknowledged));
    }
    router.with_state(Arc::new(collector))
}

/// What a request says beside its body.
#[derive(Debug, Default)]
struct Asked {
    token: Option<String>,
    channel: Option<String>,
    defaults: Defaults,
}

impl Asked {
    fn of(headers: &HeaderMap, uri: &Uri) -> Self {
        let mut asked = Self::default();
        for (key, value) in parameters(uri.query().unwrap_or_default()).filter(|pair| !pair.1.is_empty()) {
            match key.as_str() {
                "token" => asked.token = Some(value),
                "channel" => asked.channel = Some(value),
                "host" => asked.defaults.host = Some(value),
                "source" => asked.defaults.source = Some(value),
                "sourcetype" => asked.defaults.sourcetype = Some(value),
                "index" => asked.defaults.index = Some(value),
                _ => {}
            }
        }
        if let Some(channel) = headers.get("x-splunk-request-channel").and_then(|channel| channel.to_str().ok()) {
            asked.channel = Some(channel.trim().to_owned());
        }
        asked
    }
}

impl Collector {
    /// Whether the request may go on.
    fn admit(&self, headers: &HeaderMap, asked: &Asked) -> Result<(), Answer> {
        if asked.token.is_some() && !self.options.allow_query_token {
            return Err(Code::QueryTokenDisabled.into());
        }
        let code = match admission(self.reception.gate.as_ref(), headers, asked.token.as_deref()) {
            Admission::Granted => return Ok(()),
            Admission::Missing => Code::TokenRequired,
            Admission::Unreadable => Code::InvalidAuthorization,
            Admission::Wrong => Code::InvalidToken,
        };
        self.reception.refused(1);
        Err(code.into())
    }

    /// The channel whose acknowledgements count, if the request has one.
    fn channel<'a>(&self, asked: &'a Asked) -> Result<Option<&'a str>, Answer> {
        match (&asked.channel, self.options.acknowledgements) {
            (None, Acknowledgements::Required) => Err(Code::NoChannel.into()),
            (Some(channel), _) if !ack::is_channel(channel) => Err(Code::InvalidChannel.into()),
            (Some(channel), Acknowledgements::Offered | Acknowledgements::Required) => Ok(Some(channel)),
            _ => Ok(None),
        }
    }

    async fn body(&self, headers: &HeaderMap, body: axum::body::Body) -> Result<Held, Answer> {
        let held = self.bodies.read(headers, body).await.map_err(|fault| match fault {
            BodyFault::Crowded => {
                self.reception.refused(1);
                Answer::from(Code::Busy)
            }
            other => {
                self.reception.malformed(1);
                Answer::of_body(&other)
            }
        })?;
        self.reception.bytes(held.wire);
        if held.bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(Code::NoData.into());
        }
        Ok(held)
    }

    /// Hands events over; the answer is a success, that of the first faulty event, or a refusal.
    async fn deliver(&self, records: Vec<Record>, channel: Option<&str>, fault: Option<Answer>) -> Answer {
        if let Err(refusal) = self.reception.deliver(records).await {
            if refusal == Refusal::Busy {
                self.busy.store(self.reception.clock.now().0, Ordering::Relaxed);
            }
            return refusal.into();
        }
        match (fault, channel) {
            (Some(fault), _) => fault,
            (None, None) => Code::Success.into(),
            (None, Some(channel)) => Answer::acknowledged(self.channels.next(channel)),
        }
    }
}

async fn events(State(collector): State<Arc<Collector>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    take_events(&collector, &parts, body).await.unwrap_or_else(|answer| answer).into_response()
}

async fn take_events(collector: &Collector, parts: &Parts, body: axum::body::Body) -> Result<Answer, Answer> {
    let asked = Asked::of(&parts.headers, &parts.uri);
    collector.admit(&parts.headers, &asked)?;
    let channel = collector.channel(&asked)?;
    let held = collector.body(&parts.headers, body).await?;
    let options = &collector.options;
    let parse = || event::parse(&held.bytes, &asked.defaults, &options.indexes, &options.stream);
    let parsed = at_length(held.bytes.len(), parse);
    if parsed.fault.is_some() {
        collector.reception.malformed(1);
    }
    let records = parsed.events.into_iter();
    let records = records.map(|(stream, body)| collector.reception.record(&stream, RecordKind::Json, body)).collect();
    Ok(collector.deliver(records, channel, parsed.fault).await)
}

async fn raw(State(collector): State<Arc<Collector>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    take_raw(&collector, &parts, body).await.unwrap_or_else(|answer| answer).into_response()
}

async fn take_raw(collector: &Collector, parts: &Parts, body: axum::body::Body) -> Result<Answer, Answer> {
    let asked = Asked::of(&parts.headers, &parts.uri);
    collector.admit(&parts.headers, &asked)?;
    let channel = collector.channel(&asked)?;
    let held = collector.body(&parts.headers, body).await?;
    let defaults = &asked.defaults;
    if !defaults.index_allowed(&collector.options.indexes) {
        return Err(Code::IncorrectIndex.into());
    }
    let stream = defaults.stream(&collector.options.stream);
    let mut records = Vec::new();
    for piece in at_length(held.bytes.len(), || split::pieces(&held.bytes)) {
        let Ok(text) = std::str::from_utf8(&piece.body) else {
            // As the original, which replaces what is no text.
            let text = String::from_utf8_lossy(&piece.body);
            records.push(collector.reception.record(&stream, RecordKind::Json, defaults.raw_line(&text)));
            continue;
        };
        records.push(if defaults.are_empty() {
            collector.reception.record(&stream, piece.kind, Bytes::from(piece.body.into_owned()))
        } else {
            collector.reception.record(&stream, RecordKind::Json, defaults.raw_line(text))
        });
    }
    if records.is_empty() {
        return Err(Code::NoData.into());
    }
    Ok(collector.deliver(records, channel, None).await)
}

async fn health(State(collector): State<Arc<Collector>>) -> Response {
    let busy = collector.busy.load(Ordering::Relaxed);
    let now = collector.reception.clock.now().0;
    let code = if now.saturating_sub(busy) < BUSY_FOR { Code::QueuesFull } else { Code::Healthy };
    Answer::from(code).into_response()
}

async fn acknowledged(State(collector): State<Arc<Collector>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answer = async {
        let asked = Asked::of(&parts.headers, &parts.uri);
        collector.admit(&parts.headers, &asked)?;
        if collector.options.acknowledgements == Acknowledgements::Off {
            return Err(Code::AckDisabled.into());
        }
        let channel = collector.channel(&asked)?.ok_or(Code::NoChannel)?;
        let held = collector.body(&parts.headers, body).await?;
        collector.channels.answer(channel, &held.bytes).ok_or_else(|| Answer::from(Code::InvalidFormat))
    };
    answer.await.unwrap_or_else(|answer: Answer| answer).into_response()
}
