//! Telling other systems: webhooks, mail, syslog, HEC, bulk, Kafka, files; with retries and dead letters.
//!
//! Alerts wait in an [`Outbox`], which somebody else keeps in one transaction with the alerts themselves. A [`Courier`] has
//! a worker for each [`Target`], which takes the letters that are due, sends them by the target's connector and says what
//! became of them. Every letter is delivered at least once: one whose outcome could not be noted before a crash is sent
//! again, with the same key, by which the other side can tell.
//!
//! This crate decides neither what an alert is nor what becomes of dead letters, and it keeps nothing on disk.

mod address;
mod amount;
mod backoff;
mod cef;
mod config;
mod connector;
mod counters;
mod courier;
mod elasticsearch;
mod email;
mod fault;
mod file;
mod filter;
mod http;
mod kafka;
mod letter;
mod pace;
mod sample;
mod shapes;
mod signature;
mod splunk;
mod summary;
mod syslog;
mod target;
mod template;
mod tls;
mod webhook;
mod worker;

pub use amount::{Period, Size};
pub use config::{ConnectorConfig, General, Retry, TargetConfig};
pub use counters::{Counters, Counts, TargetCounters};
pub use courier::{Bell, Courier};
pub use elasticsearch::ElasticsearchConfig;
pub use email::{EmailConfig, Security};
pub use fault::Fault;
pub use file::FileConfig;
pub use filter::{Filter, Severity};
pub use kafka::KafkaConfig;
pub use letter::{Format, Letter, Outbox};
pub use lurcher_schema::Secret;
pub use splunk::SplunkConfig;
pub use syslog::{Message, SyslogConfig, Transport};
pub use target::{Problem, Target, send_test, targets};
pub use tls::TlsConfig;
pub use webhook::{ChatConfig, Method, PagerDutyConfig, WebhookConfig};
