//! Whether a shipper may deliver: the same keys, asked by listeners that cannot wait.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::{Identity, KeptKeys, Keys, Role};

/// The gate of the listeners. It is asked for every request of a shipper, so it lives on what the keys remember; only a
/// secret that has not been seen for some seconds is looked up, on a thread that may block meanwhile.
#[derive(Clone, Debug)]
pub struct KeyGate {
    keys: Arc<KeptKeys>,
    open: bool,
}

impl KeyGate {
    /// Of these keys. `open`: shippers that show no secret may deliver too.
    pub fn new(keys: Arc<KeptKeys>, open: bool) -> Self {
        Self { keys, open }
    }

    /// Whether this secret may deliver events. `None`: the shipper showed none. Must be called on a runtime of several
    /// threads.
    pub fn may_deliver(&self, secret: Option<&str>) -> bool {
        let Some(secret) = secret else { return self.open };
        let identity = self.keys.remembered(secret).unwrap_or_else(|| self.look_up(secret));
        identity.is_some_and(|identity| identity.role.allows(Role::Ingest))
    }

    fn look_up(&self, secret: &str) -> Option<Identity> {
        let found = tokio::task::block_in_place(|| Handle::current().block_on(self.keys.identify(secret)));
        found.unwrap_or_else(|error| {
            tracing::error!(%error, "keys cannot be looked up");
            None
        })
    }
}
