//! Counts of what the server does, as Prometheus reads them.

use std::{sync::atomic::AtomicU64, time::Duration};

use parking_lot::Mutex;
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::Registry,
};

/// One label with a value from a small set.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Label {
    /// What is told apart: a reason, a stream, a target, a consumer.
    pub name: String,
}

/// A request by its operation and how it went.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RequestLabels {
    /// GET, POST …
    pub method: String,
    /// The template of the path, so that ids make no series of their own.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
}

/// An attempt to tell a target something, and how it went.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct DeliveryLabels {
    /// The target's name.
    pub target: String,
    /// `delivered`, `retried` or `dead`.
    pub outcome: String,
}

/// All counts. The parts of the server hold it and count; `/metrics` shows it.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    /// Requests.
    pub http_requests: Family<RequestLabels, Counter>,
    /// How long requests took, by the template of the path.
    pub http_seconds: Family<Label, Histogram>,
    /// Open connections.
    pub http_connections: Gauge,
    /// Handlers that panicked.
    pub http_panics: Counter,
    /// Requests and connections that were turned away, by reason.
    pub http_refused: Family<Label, Counter>,
    /// Clients of the stream of events.
    pub event_streams: Gauge,
    /// Records taken in, by stream.
    pub intake_records: Family<Label, Counter>,
    /// Bytes of those.
    pub intake_bytes: Family<Label, Counter>,
    /// Records turned away, by reason.
    pub intake_refused: Family<Label, Counter>,
    /// Records in the journal since it began.
    pub journal_position: Gauge,
    /// Bytes of the journal on disk.
    pub journal_bytes: Gauge,
    /// Up to where each consumer of the journal (`store`, `detector`) has come.
    pub consumer_position: Family<Label, Gauge>,
    /// By how many seconds each is behind: the age of the oldest record that it has not taken.
    pub consumer_lag_seconds: Family<Label, Gauge<f64, AtomicU64>>,
    /// Seconds from an event's arrival to its alert.
    pub detection_seconds: Histogram,
    /// Alerts, by severity.
    pub alerts: Family<Label, Counter>,
    /// Rules, by health.
    pub rules: Family<Label, Gauge>,
    /// Attempts to tell targets.
    pub deliveries: Family<DeliveryLabels, Counter>,
    /// Free bytes where the folder of state is.
    pub disk_free_bytes: Gauge,
    /// Whether certificates could be read again the last time: 1 if so.
    pub certificates_valid: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

impl Metrics {
    /// All at nothing.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("lurcher")),
            http_requests: Family::default(),
            http_seconds: Family::new_with_constructor(seconds),
            http_connections: Gauge::default(),
            http_panics: Counter::default(),
            http_refused: Family::default(),
            event_streams: Gauge::default(),
            intake_records: Family::default(),
            intake_bytes: Family::default(),
            intake_refused: Family::default(),
            journal_position: Gauge::default(),
            journal_bytes: Gauge::default(),
            consumer_position: Family::default(),
            consumer_lag_seconds: Family::default(),
            detection_seconds: seconds(),
            alerts: Family::default(),
            rules: Family::default(),
            deliveries: Family::default(),
            disk_free_bytes: Gauge::default(),
            certificates_valid: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&self) {
        let mut registry = self.registry.lock();
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The server that runs", version);
        registry.register("http_requests", "Requests by operation and status", self.http_requests.clone());
        registry.register("http_seconds", "How long requests took", self.http_seconds.clone());
        registry.register("http_connections", "Open connections", self.http_connections.clone());
        registry.register("http_panics", "Handlers that panicked", self.http_panics.clone());
        registry.register("http_refused", "Requests and connections turned away", self.http_refused.clone());
        registry.register("event_streams", "Clients of the stream of events", self.event_streams.clone());
        registry.register("intake_records", "Records taken in, by stream", self.intake_records.clone());
        registry.register("intake_bytes", "Bytes taken in, by stream", self.intake_bytes.clone());
        registry.register("intake_refused", "Records turned away, by reason", self.intake_refused.clone());
        registry.register("journal_position", "Records in the journal since it began", self.journal_position.clone());
        registry.register("journal_bytes", "Bytes of the journal on disk", self.journal_bytes.clone());
        registry.register("consumer_position", "Up to where a consumer has come", self.consumer_position.clone());
        registry.register("consumer_lag_seconds", "How far a consumer is behind", self.consumer_lag_seconds.clone());
        registry.register("detection_seconds", "From an event's arrival to its alert", self.detection_seconds.clone());
        registry.register("alerts", "Alerts, by severity", self.alerts.clone());
        registry.register("rules", "Rules, by health", self.rules.clone());
        registry.register("deliveries", "Attempts to tell targets", self.deliveries.clone());
        registry.register("disk_free_bytes", "Free where the folder of state is", self.disk_free_bytes.clone());
        registry.register("certificates_valid", "Whether certificates could be read", self.certificates_valid.clone());
    }

    /// One more request or connection turned away.
    pub fn refused(&self, reason: &str) {
        self.http_refused.get_or_create(&Label { name: reason.into() }).inc();
    }

    /// One more request answered.
    pub(crate) fn answered(&self, method: &str, path: &str, status: u16, took: Duration) {
        let labels = RequestLabels { method: method.into(), path: path.into(), status };
        self.http_requests.get_or_create(&labels).inc();
        self.http_seconds.get_or_create(&Label { name: path.into() }).observe(took.as_secs_f64());
    }

    /// All of it, as text in the format of OpenMetrics.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry.lock())?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown() {
        let metrics = Metrics::new();
        metrics.refused("rate");
        metrics.answered("GET", "/api/v1/alerts/{id}", 200, Duration::from_millis(3));
        metrics.consumer_lag_seconds.get_or_create(&Label { name: "store".into() }).set(1.5);
        let text = metrics.render().unwrap();
        for line in [
            "lurcher_http_refused_total{name=\"rate\"} 1",
            "lurcher_http_requests_total{method=\"GET\",path=\"/api/v1/alerts/{id}\",status=\"200\"} 1",
            "lurcher_consumer_lag_seconds{name=\"store\"} 1.5",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
