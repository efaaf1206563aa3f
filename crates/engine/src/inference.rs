//! What answers the prompts of a rule: language models behind inference endpoints that the run is given.
//!
//! The engine knows of an endpoint only that it answers a text with a text, or says why not. How it is reached, what it
//! costs and how long it may take is its own affair; nothing here speaks to a network.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// A language model that can be asked.
pub trait Endpoint: fmt::Debug + Send + Sync {
    /// The answer to a prompt. The error says, in one sentence without its own name, why there is none.
    ///
    /// Rules may be run again over the same rows (on a virtual clock, say). So an endpoint gives the same answer to the
    /// same prompt for as long as the run lasts.
    fn complete(&self, prompt: &str) -> Result<String, String>;

    /// At most so many rows of one run of a rule are asked about.
    fn most_rows(&self) -> u64;
}

/// The inference endpoints of a run, by name.
#[derive(Clone, Debug, Default)]
pub struct Endpoints(BTreeMap<Arc<str>, Arc<dyn Endpoint>>);

impl Endpoints {
    /// Adds an endpoint, replacing one of the same name.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, endpoint: Arc<dyn Endpoint>) {
        self.0.insert(name.into(), endpoint);
    }

    /// The endpoint of exactly this name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Endpoint>> {
        self.0.get(name)
    }
}
