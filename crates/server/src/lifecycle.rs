//! How the server stops: in order, each step within a bound.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

/// Says that the server is to stop. All clones say it at once.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Begins the stop.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// For those who watch a channel: turns `true` when it begins.
    pub fn receiver(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }

    /// Returns when it has begun.
    pub async fn begun(&self) {
        let mut receiver = self.0.subscribe();
        // The sender lives as long as we do, so this cannot fail.
        let _ = receiver.wait_for(|begun| *begun).await;
    }
}

type Step = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// What has to happen for a clean stop, in order.
#[derive(Default)]
pub struct Shutdown(Vec<(&'static str, Step)>);

impl Shutdown {
    /// Adds a step: what it is called in the log, and what it does. A step that fails does not keep the next from
    /// happening.
    pub fn then<F>(&mut self, name: &'static str, step: F)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.0.push((name, Box::pin(step)));
    }

    /// Does the steps. Together they may take this long; a step for which no time is left is given a moment all the
    /// same. The names of the steps that did not go well.
    pub async fn run(self, within: Duration) -> Vec<&'static str> {
        let end = Instant::now() + within;
        let mut failed = Vec::new();
        for (name, step) in self.0 {
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(200));
            match tokio::time::timeout(left, step).await {
                Ok(Ok(())) => tracing::info!(step = name, "stopped"),
                Ok(Err(error)) => {
                    tracing::error!(step = name, %error, "did not stop cleanly");
                    failed.push(name);
                }
                Err(_) => {
                    tracing::error!(step = name, "did not stop in time");
                    failed.push(name);
                }
            }
        }
        failed
    }
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, SIGINT: stop.
    Stop,
    /// SIGHUP: read certificates and rules again.
    Reload,
}

/// Waits for signals and hands them on.
#[derive(Debug)]
pub struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    /// From now on signals come here. Fails if the system does not let us.
    pub fn install() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hang_up.recv() => Signal::Reload,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn steps_happen_in_order_and_none_holds_up_the_rest() {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let mut shutdown = Shutdown::default();
        let first = sender.clone();
        shutdown.then("intake", async move { first.send(1).map_err(|error| error.to_string()) });
        shutdown.then("detector", async { Err("disk full".into()) });
        shutdown.then("deliveries", std::future::pending());
        shutdown.then("journal", async move { sender.send(2).map_err(|error| error.to_string()) });
        let failed = shutdown.run(Duration::from_millis(50)).await;
        assert_eq!(failed, ["detector", "deliveries"]);
        assert_eq!((receiver.recv().await, receiver.recv().await), (Some(1), Some(2)));
    }

    #[tokio::test]
    async fn all_clones_hear_of_the_stop() {
        let stop = Stop::default();
        let other = stop.clone();
        assert!(!other.has_begun());
        let waiting = tokio::spawn(async move { other.begun().await });
        stop.begin();
        waiting.await.unwrap();
        stop.begun().await;
    }
}
