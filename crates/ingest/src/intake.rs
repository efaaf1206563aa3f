//! Where listeners hand their records over, and who may hand over.

use async_trait::async_trait;
use lurcher_journal::Record;

/// Takes records; the live engine's journal behind a bound on what may wait.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Takes all of these or none. When this returns `Ok` they are on disk.
    async fn accept(&self, records: Vec<Record>) -> Result<(), Refusal>;
}

/// Why records were not taken. None of them was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too much waits already: come again (`429` with `Retry-After`, HEC's code 9 "Server is busy").
    Busy,
    /// Nothing can be written, and why (a full disk): come again, later (`503`).
    Unwritable(String),
    /// The server is stopping (`503`).
    Stopping,
}

/// Says whether a shipper may deliver.
pub trait Gate: Send + Sync {
    /// Whether this secret (an API key, a HEC token) may deliver events. `None`: the shipper showed none.
    fn may_deliver(&self, secret: Option<&str>) -> bool;
}
