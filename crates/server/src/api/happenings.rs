//! `/api/v1/events`: what happens, as server-sent events.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use utoipa::IntoParams;

use super::{App, extract::Asked};
use crate::{
    auth::Identity,
    events::{Happening, Subscription, Topic},
    problem::{Answer, Problem},
};

/// How often it is looked whether the key may still be used.
const LOOK_EVERY: Duration = Duration::from_secs(15);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[into_params(parameter_in = Query)]
pub(crate) struct Choice {
    /// Topics, with commas between: `alert`, `alert-change`, `rule-health`, `ledger`, `risk`, `job`. All by default.
    #[param(
        pattern = "^(alert|alert-change|rule-health|ledger|risk|job)(,(alert|alert-change|rule-health|ledger|risk|job))*$"
    )]
    topics: Option<String>,
    /// The id of the last event that was seen, for those who cannot send the header.
    last_event_id: Option<String>,
}

/// Everything that happens from now on, or since an event.
///
/// Each event has an id, a topic (`event:`) and JSON (`data:`). After a break send the last id as `Last-Event-ID`. If what
/// happened since is no longer kept, an event `missed` comes first: read the lists again.
#[utoipa::path(get, path = "/api/v1/events", operation_id = "events", tag = "events",
    params(Choice, ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was seen.")),
    responses((status = 200, description = "Events, for as long as the client stays.", content_type = "text/event-stream", body = String)),
    security(("key" = ["reader"])))]
pub(crate) async fn events(
    State(app): State<App>,
    identity: Identity,
    headers: HeaderMap,
    Asked(choice): Asked<Choice>,
) -> Answer<Sse<impl Stream<Item = Result<Event, Infallible>>>> {
    let topics = topics(choice.topics.as_deref(), &identity)?;
    let header = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let subscription = app.events.subscribe(header.or(choice.last_event_id.as_deref()));
    app.metrics.event_streams.inc();
    let listener = Listener::new(app, identity, topics, subscription);
    let events = stream::unfold(listener, async |mut listener| {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

fn topics(chosen: Option<&str>, identity: &Identity) -> Answer<Vec<Topic>> {
    let may = |topic: &Topic| identity.role.allows(topic.role());
    let Some(chosen) = chosen else { return Ok(Topic::ALL.into_iter().filter(may).collect()) };
    let mut topics = Vec::new();
    for name in chosen.split(',') {
        let topic = Topic::ALL.into_iter().find(|topic| topic.name() == name);
        let topic = topic.ok_or_else(|| Problem::bad_request(format!("there is no topic {name:?}")))?;
        if !may(&topic) {
            return Err(Problem::forbidden(format!("the topic {name} takes {}", topic.role())));
        }
        topics.push(topic);
    }
    Ok(topics)
}

/// A client of the stream.
struct Listener {
    app: App,
    identity: Identity,
    topics: Vec<Topic>,
    missed: bool,
    backlog: VecDeque<Happening>,
    live: tokio::sync::broadcast::Receiver<Happening>,
    look: tokio::time::Interval,
}

impl Listener {
    fn new(app: App, identity: Identity, topics: Vec<Topic>, subscription: Subscription) -> Self {
        let Subscription { missed, backlog, live } = subscription;
        let look = tokio::time::interval(LOOK_EVERY);
        Self { app, identity, topics, missed, backlog: backlog.into(), live, look }
    }

    /// The next event; `None` at the end: the server stops, or the key may not be used any more.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if std::mem::take(&mut self.missed) {
                return Some(Event::default().event("missed").data("{}"));
            }
            let happening = match self.backlog.pop_front() {
                Some(happening) => happening,
                None => self.wait().await?,
            };
            if self.topics.contains(&happening.topic) {
                let event = Event::default().id(happening.id()).event(happening.topic.name());
                return Some(event.data(&*happening.data));
            }
        }
    }

    async fn wait(&mut self) -> Option<Happening> {
        loop {
            tokio::select! {
                () = self.app.stop.begun() => return None,
                _ = self.look.tick() => if !self.app.keys.still_valid(&self.identity).await {
                    return None;
                },
                heard = self.live.recv() => match heard {
                    Ok(happening) => return Some(happening),
                    // The client reads too slowly: it has to resume, and is then told what it missed.
                    Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
                },
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        Arc::clone(&self.app.metrics).event_streams.dec();
    }
}
