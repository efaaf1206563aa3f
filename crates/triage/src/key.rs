//! API keys: who may do what.
//!
//! A secret is 256 bits at random, shown once when its key is made. Kept is its SHA-256 alone; a slow hash is for passwords,
//! which people choose, and would only slow down every request here. A presented secret is compared in constant time.

use std::sync::PoisonError;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use lurcher_schema::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;
use subtle::ConstantTimeEq;

use crate::{
    Error, Result, Triage,
    identifier::{hex, random, random_id},
    rfc3339,
    sql::{Fields, sql},
    word::words,
};

/// What every token begins with, so that scanners for leaked secrets can be taught it.
const PREFIX: &str = "lurcher_";
/// The use of a key is written down at most this often, in microseconds.
const USE_NOTED_EVERY: i64 = 60_000_000;

words! {
    /// What a key may be used for. Which calls a role may make is the server's to say.
    pub enum Role {
        /// To send events in, nothing else.
        Ingest = "ingest",
        /// To look.
        Reader = "reader",
        /// To work on alerts.
        Analyst = "analyst",
        /// To change rules.
        Engineer = "engineer",
        /// Everything.
        Admin = "admin",
    }
}

impl Role {
    /// Whether this role includes another: each of reader, analyst, engineer, admin includes those before it; ingest and
    /// admin alone include ingest.
    pub fn includes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Admin, _) | (Self::Ingest, Self::Ingest) => true,
            (Self::Ingest, _) | (_, Self::Ingest) => false,
            _ => self >= other,
        }
    }
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its id; the part of a token that is no secret.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it may be used for.
    pub role: Role,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub created: Timestamp,
    /// From when on it is good no more; `None`: never.
    #[serde(with = "rfc3339::optional")]
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    #[serde(with = "rfc3339::optional")]
    pub revoked: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[serde(with = "rfc3339::optional")]
    pub last_used: Option<Timestamp>,
}

impl Key {
    /// Whether it is good at a time.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }
}

/// A key that was just made, with the one copy of its secret.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct NewKey {
    /// The key.
    pub key: Key,
    /// What is to be presented: `lurcher_ID_SECRET`.
    pub token: String,
}

/// Without the token, so that no log has it.
impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewKey").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Triage {
    /// Makes a key. `expires` must lie ahead.
    pub async fn create_key(&self, name: &str, role: Role, expires: Option<Timestamp>) -> Result<NewKey> {
        let mut transaction = self.begin().await?;
        let made = insert_key(name, role, expires, self.clock.now(), &mut transaction).await?;
        transaction.commit().await?;
        Ok(made)
    }

    /// Makes the first admin key, if there is no good one.
    pub async fn first_admin(&self) -> Result<Option<NewKey>> {
        let now = self.clock.now();
        let mut transaction = self.begin().await?;
        let good = sql!(
            "SELECT id FROM api_key WHERE role = $1 AND revoked IS NULL AND (expires IS NULL OR expires > $2) LIMIT 1",
            Role::Admin.name(),
            now,
        )
        .first(&mut *transaction)
        .await?;
        if good.is_some() {
            return Ok(None);
        }
        let made = insert_key("first admin", Role::Admin, None, now, &mut transaction).await?;
        transaction.commit().await?;
        Ok(Some(made))
    }

    /// The key of a token, if it is a good one. `ID:SECRET` is taken too, as clients of Elasticsearch present a key.
    pub async fn verify_key(&self, token: &str) -> Result<Option<Key>> {
        let Some((id, secret)) = split(token) else { return Ok(None) };
        let row = sql!("SELECT * FROM api_key WHERE id = $1", id).first(&self.reader).await?;
        let kept = row.as_ref().map(|row| row.text("hash")).transpose()?;
        // The same work whether there is such a key or not.
        let good = digest(secret).as_bytes().ct_eq(kept.unwrap_or_else(|| "0".repeat(64)).as_bytes());
        let Some(row) = row.filter(|_| bool::from(good)) else { return Ok(None) };
        let now = self.clock.now();
        let mut key = read_key(&row)?;
        if !key.is_good(now) {
            return Ok(None);
        }
        if self.is_worth_noting(&key, now) {
            // Whoever has a good key is let in even if that cannot be written down.
            let noted = sql!("UPDATE api_key SET last_used = $2 WHERE id = $1", id, now).run(&self.writer).await;
            if let Err(error) = noted {
                tracing::warn!(key = id, %error, "the use of a key was not written down");
            }
        }
        key.last_used = Some(now);
        Ok(Some(key))
    }

    fn is_worth_noting(&self, key: &Key, now: Timestamp) -> bool {
        let mut uses = self.key_uses.lock().unwrap_or_else(PoisonError::into_inner);
        let last = uses.get(&key.id).copied().or(key.last_used);
        let worth = last.is_none_or(|last| now.0.abs_diff(last.0) >= USE_NOTED_EVERY as u64);
        if worth {
            uses.insert(key.id.clone(), now);
        }
        worth
    }

    /// Makes a key good no more. One that was revoked before stays as it was.
    pub async fn revoke_key(&self, id: &str) -> Result<Key> {
        let now = self.clock.now();
        sql!("UPDATE api_key SET revoked = $2 WHERE id = $1 AND revoked IS NULL", id, now).run(&self.writer).await?;
        let row = sql!("SELECT * FROM api_key WHERE id = $1", id).first(&self.reader).await?;
        row.as_ref().map_or_else(|| Err(Error::Missing(format!("key {id}"))), read_key)
    }

    /// All keys, oldest first; revoked and expired ones too.
    pub async fn keys(&self) -> Result<Vec<Key>> {
        let rows = sql!("SELECT * FROM api_key ORDER BY created, id").all(&self.reader).await?;
        rows.iter().map(read_key).collect()
    }
}

async fn insert_key(
    name: &str,
    role: Role,
    expires: Option<Timestamp>,
    now: Timestamp,
    connection: &mut AnyConnection,
) -> Result<NewKey> {
    if name.trim().is_empty() || name.chars().count() > 200 {
        return Err(Error::Invalid("the name of a key has 1 to 200 characters".to_owned()));
    }
    if expires.is_some_and(|expires| expires <= now) {
        return Err(Error::Invalid("a key must expire in the future".to_owned()));
    }
    let name = name.trim().replace('\0', "");
    let key = Key { id: random_id()?, name, role, created: now, expires, revoked: None, last_used: None };
    let secret = URL_SAFE_NO_PAD.encode(random::<32>()?);
    sql!(
        "INSERT INTO api_key (id, name, role, hash, created, expires) VALUES ($1, $2, $3, $4, $5, $6)",
        &key.id,
        &key.name,
        role.name(),
        digest(&secret),
        now,
        expires,
    )
    .run(connection)
    .await?;
    let token = format!("{PREFIX}{}_{secret}", key.id);
    Ok(NewKey { key, token })
}

/// A token's id and secret.
fn split(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = match token.strip_prefix(PREFIX) {
        Some(rest) => rest.split_once('_')?,
        None => token.split_once(':')?,
    };
    (id.len() == 16 && secret.len() == 43).then_some((id, secret))
}

fn digest(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

fn read_key(row: &Fields) -> Result<Key> {
    Ok(Key {
        id: row.text("id")?,
        name: row.text("name")?,
        role: row.word("role", Role::parse)?,
        created: row.time("created")?,
        expires: row.maybe_time("expires")?,
        revoked: row.maybe_time("revoked")?,
        last_used: row.maybe_time("last_used")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_include_those_below_but_none_includes_ingest_save_admin() {
        assert!(Role::Engineer.includes(Role::Reader) && Role::Analyst.includes(Role::Analyst));
        assert!(!Role::Reader.includes(Role::Analyst) && !Role::Ingest.includes(Role::Reader));
        assert!(!Role::Engineer.includes(Role::Ingest) && Role::Admin.includes(Role::Ingest));
    }

    #[test]
    fn tokens_are_taken_apart() {
        let secret = "s_".repeat(21) + "s";
        assert_eq!(split(&format!("lurcher_0123456789abcdef_{secret}")), Some(("0123456789abcdef", secret.as_str())));
        assert_eq!(split(&format!("0123456789abcdef:{secret}")), Some(("0123456789abcdef", secret.as_str())));
        for bad in ["", ":", "lurcher_", "lurcher_0123456789abcdef_short", "lurcher_ä_b"] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }
}
