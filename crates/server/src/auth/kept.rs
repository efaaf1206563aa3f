//! Keys and the audit log as `lurcher-triage` keeps them.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use lurcher_schema::Clock;
use lurcher_triage::{self as triage, Outcome, Triage};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::{Audit, AuditEntry, Identity, Keys, Role};

/// For how long a key is not looked up again.
const FRESH: Duration = Duration::from_secs(5);
/// The most secrets that are remembered.
const MOST: usize = 4096;

impl From<triage::Role> for Role {
    fn from(role: triage::Role) -> Self {
        match role {
            triage::Role::Ingest => Self::Ingest,
            triage::Role::Reader => Self::Reader,
            triage::Role::Analyst => Self::Analyst,
            triage::Role::Engineer => Self::Engineer,
            triage::Role::Admin => Self::Admin,
        }
    }
}

impl From<Role> for triage::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Ingest => Self::Ingest,
            Role::Reader => Self::Reader,
            Role::Analyst => Self::Analyst,
            Role::Engineer => Self::Engineer,
            Role::Admin => Self::Admin,
        }
    }
}

/// The keys of the database. What a secret is worth is remembered for some seconds, by its digest; a key that is revoked
/// here is forgotten at once.
#[derive(Debug)]
pub struct KeptKeys {
    triage: Arc<Triage>,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<[u8; 32], (Option<Identity>, Instant)>>,
}

impl KeptKeys {
    /// Of this database.
    pub fn new(triage: Arc<Triage>, clock: Arc<dyn Clock>) -> Self {
        Self { triage, clock, known: Mutex::default() }
    }

    /// What is remembered of the secret.
    pub(super) fn remembered(&self, secret: &str) -> Option<Option<Identity>> {
        let known = self.known.lock();
        let (identity, since) = known.get(&digest(secret))?;
        (since.elapsed() < FRESH).then(|| identity.clone())
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[async_trait]
impl Keys for KeptKeys {
    async fn identify(&self, secret: &str) -> Result<Option<Identity>, String> {
        if let Some(known) = self.remembered(secret) {
            return Ok(known);
        }
        let key = self.triage.verify_key(secret).await.map_err(|error| error.to_string())?;
        let identity = key.map(|key| Identity { key: key.id.into(), name: key.name.into(), role: key.role.into() });
        let mut known = self.known.lock();
        if known.len() >= MOST {
            known.retain(|_, (_, since)| since.elapsed() < FRESH);
        }
        // A flood of wrong keys must not fill the memory, nor push good ones out.
        if known.len() < MOST {
            known.insert(digest(secret), (identity.clone(), Instant::now()));
        }
        Ok(identity)
    }

    async fn still_valid(&self, identity: &Identity) -> bool {
        if *identity.key == *super::CERTIFICATE {
            return true;
        }
        match self.triage.keys().await {
            Ok(keys) => keys.iter().any(|key| *key.id == *identity.key && key.is_good(self.clock.now())),
            // Better a stream that goes on than all of them broken off because the database is busy.
            Err(_) => true,
        }
    }

    fn forget(&self) {
        self.known.lock().clear();
    }
}

/// The audit log of the database.
#[derive(Debug)]
pub struct KeptAudit(pub Arc<Triage>);

#[async_trait]
impl Audit for KeptAudit {
    async fn record(&self, entry: AuditEntry) {
        let (who, role) = match &entry.identity {
            Some(identity) => (format!("{} ({})", identity.name, identity.key), identity.role.name().to_owned()),
            None => (String::new(), String::new()),
        };
        let kept = triage::AuditEntry {
            who,
            role,
            address: entry.address.map(|address| address.to_string()).unwrap_or_default(),
            action: entry.action.to_string(),
            target: entry.target.clone(),
            outcome: match entry.status {
                0..=399 => Outcome::Ok,
                401 | 403 | 429 => Outcome::Denied,
                _ => Outcome::Failed,
            },
            detail: serde_json::json!({"request": *entry.request, "status": entry.status}).to_string(),
        };
        if let Err(error) = self.0.audit(kept).await {
            tracing::error!(?entry, %error, "the audit log could not be written");
        }
    }
}

/// Makes the first admin key if no good one is there. Its token, to be shown once.
pub async fn make_first_key(triage: &Triage) -> Result<Option<String>, String> {
    let made = triage.first_admin().await.map_err(|error| error.to_string())?;
    Ok(made.map(|made| made.token))
}
