//! Who asks, and what they may do.
//!
//! Each operation of the API names the least role that it takes in its `security` in the OpenAPI document; that is the
//! one place where it stands, and `authorise.rs` reads it from there. A route that the document
//! does not have is answered to nobody.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) mod authorise;
mod credentials;
mod gate;
mod kept;

pub(crate) use authorise::Access;
pub use credentials::{Credentials, credentials};
pub use gate::KeyGate;
pub use kept::{KeptAudit, KeptKeys, make_first_key};

/// What somebody may do. Each of the first four may do all that those before it may; `ingest` may deliver events and
/// nothing else, which an `admin` also may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks at alerts, rules and events.
    Reader,
    /// Works on alerts, hunts.
    Analyst,
    /// Changes rules, silences and deliveries.
    Engineer,
    /// Makes keys, backups; reads the audit log.
    Admin,
    /// Delivers events.
    Ingest,
}

/// The roles of people, least first.
pub const LADDER: [Role; 4] = [Role::Reader, Role::Analyst, Role::Engineer, Role::Admin];

impl Role {
    /// Its name, as it is written everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Analyst => "analyst",
            Self::Engineer => "engineer",
            Self::Admin => "admin",
            Self::Ingest => "ingest",
        }
    }

    /// Whether who has this role may do what takes that role.
    pub fn allows(self, needed: Self) -> bool {
        let rank = |role| LADDER.iter().position(|step| *step == role);
        match (rank(self), rank(needed)) {
            (Some(has), Some(needs)) => has >= needs,
            (Some(_), None) => self == Self::Admin,
            (None, needed_rank) => needed_rank.is_none(),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = LADDER.into_iter().chain([Self::Ingest]);
        all.into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| format!("{text:?} is no role: reader, analyst, engineer, admin or ingest"))
    }
}

/// What stands for the id of a key where a client showed a certificate instead.
pub(crate) const CERTIFICATE: &str = "certificate";

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The id of the key, or `certificate`.
    pub key: Arc<str>,
    /// The name of the key, or of the certificate. It stands in histories and in the audit log.
    pub name: Arc<str>,
    /// What they may do.
    pub role: Role,
}

/// Knows the keys.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Whose secret this is, if it is anybody's who may still use it. An error means that it could not be looked up.
    async fn identify(&self, secret: &str) -> Result<Option<Identity>, String>;

    /// Whether the key may still be used. Asked now and then for as long as a stream of events is open.
    async fn still_valid(&self, identity: &Identity) -> bool;

    /// A key was revoked: what is remembered of keys does not hold any more.
    fn forget(&self);
}

/// What was asked for and how it went.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// Who, if known.
    pub identity: Option<Identity>,
    /// From where.
    pub address: Option<IpAddr>,
    /// The id that the answer carries as `x-request-id`.
    pub request: Arc<str>,
    /// The operation as the OpenAPI document calls it, or how the server was asked otherwise.
    pub action: Arc<str>,
    /// The path that was asked for, without its query.
    pub target: String,
    /// The status of the answer.
    pub status: u16,
}

/// Keeps the audit log.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Keeps an entry. What cannot be kept is said in the log of the server.
    async fn record(&self, entry: AuditEntry);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_lesser_ones_may_and_ingest_only_delivers() {
        for (has, role) in LADDER.into_iter().enumerate() {
            for (needs, needed) in LADDER.into_iter().enumerate() {
                assert_eq!(role.allows(needed), has >= needs, "{role} for {needed}");
            }
            assert!(!Role::Ingest.allows(role), "ingest for {role}");
            assert_eq!(role.allows(Role::Ingest), role == Role::Admin, "{role} for ingest");
        }
        assert!(Role::Ingest.allows(Role::Ingest));
    }

    #[test]
    fn roles_are_read_as_they_are_written() {
        for role in LADDER.into_iter().chain([Role::Ingest]) {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().is_err());
    }
}
