//! The outbox of the alert store, as deliveries see it.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use lurcher_deliver::{Counters, Letter, Outbox, Target, send_test};
use lurcher_schema::{Clock, Timestamp};
use lurcher_triage::{Delivery, Triage};
use serde_json::Value as Json;

use lurcher_server::detection::{Courier, Refused, TargetInfo};

/// The letters of the alert store.
#[derive(Debug)]
pub(crate) struct StoredLetters(pub(crate) Arc<Triage>);

#[async_trait]
impl Outbox for StoredLetters {
    async fn due(&self, target: &str, now: Timestamp, limit: usize) -> Result<Vec<Letter>, String> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let due = self.0.due(target, now, limit).await.map_err(|error| error.to_string())?;
        Ok(due.into_iter().map(letter).collect())
    }

    async fn delivered(&self, id: i64) -> Result<(), String> {
        self.0.delivered(id).await.map_err(|error| error.to_string())
    }

    async fn failed(&self, id: i64, error: &str, next: Timestamp) -> Result<(), String> {
        self.0.failed(id, error, next).await.map_err(|error| error.to_string())
    }

    async fn dead(&self, id: i64, error: &str) -> Result<(), String> {
        self.0.dead(id, error).await.map_err(|error| error.to_string())
    }
}

fn letter(delivery: Delivery) -> Letter {
    let mut alert = delivery.alert.found.document;
    let forms = alert.as_object_mut().and_then(|members| members.remove("forms"));
    let formats: BTreeMap<String, Json> = match forms {
        Some(Json::Object(forms)) => forms.into_iter().collect(),
        _ => BTreeMap::new(),
    };
    Letter {
        id: delivery.id,
        key: delivery.idempotency_key,
        attempts: u32::try_from(delivery.attempts).unwrap_or(u32::MAX),
        created: delivery.created,
        alert,
        formats,
    }
}

/// The targets, as the API sees them.
#[derive(Debug)]
pub(crate) struct Targets {
    pub(crate) all: Vec<Arc<Target>>,
    pub(crate) counters: Counters,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Courier for Targets {
    fn targets(&self) -> Vec<TargetInfo> {
        let counts = self.counters.snapshot();
        let info = |target: &Arc<Target>| {
            let counts = counts.get(target.name());
            TargetInfo {
                name: target.name().to_owned(),
                kind: target.kind().to_owned(),
                delivered: counts.map_or(0, |counts| counts.delivered),
                failed: counts.map_or(0, |counts| counts.failed),
            }
        };
        self.all.iter().map(info).collect()
    }

    async fn test(&self, target: &str) -> Result<(), Refused> {
        let found = self.all.iter().find(|known| known.name() == target);
        let target = found.ok_or_else(|| Refused::Unknown(format!("there is no target {target}")))?;
        send_test(target, self.clock.now()).await.map_err(|fault| Refused::Failed(fault.to_string()))
    }
}
