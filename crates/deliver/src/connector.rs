//! What every connector can do, and what it is told about its target.

use std::time::Duration;

use async_trait::async_trait;
use lurcher_schema::Timestamp;

use crate::{
    fault::Outcome,
    letter::Letter,
    template::{Setting, Template},
};

/// A way to other systems.
#[async_trait]
pub(crate) trait Connector: Send + Sync {
    /// How many letters it takes at a time, at most.
    fn batch(&self) -> usize;

    /// Sends these letters, at least one and no more than [`batch`](Self::batch), and says of each what became of it,
    /// in their order. Keeps to its timeout by itself.
    async fn send(&self, letters: &[Letter], now: Timestamp) -> Vec<Outcome>;

    /// Looks whether the other side is there, without telling it anything. Says what was found.
    async fn probe(&self, now: Timestamp) -> Result<String, String>;
}

/// What a connector is told about the target that it serves.
#[derive(Debug)]
pub(crate) struct Context {
    /// The target's name.
    pub(crate) target: String,
    /// How long one exchange with the other side may take.
    pub(crate) timeout: Duration,
    /// Makes the address of an alert.
    pub(crate) link: Option<Template>,
    /// How many letters at a time, if the site says.
    pub(crate) batch: Option<usize>,
}

impl Context {
    /// Where the alert can be looked at; empty if the configuration does not say.
    pub(crate) fn link(&self, letter: &Letter, now: Timestamp) -> Result<String, String> {
        let setting = Setting { target: &self.target, link: "", now };
        self.link.as_ref().map_or(Ok(String::new()), |link| link.render(letter, setting))
    }

    /// The text that a template makes of a letter.
    pub(crate) fn render(&self, template: &Template, letter: &Letter, now: Timestamp) -> Result<String, String> {
        let link = self.link(letter, now)?;
        template.render(letter, Setting { target: &self.target, link: &link, now })
    }
}
