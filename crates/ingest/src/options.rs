//! `[ingest]` of `lurcher.toml`: all protocols together.

use serde::Deserialize;

use crate::{BodyLimits, elasticsearch, files, hec, http, kafka, otlp, stdin, syslog};

/// Which listeners there are, and their limits. Without a word the protocols over HTTP answer, and nothing else listens.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Limits of bodies of requests.
    pub http: BodyLimits,
    /// Shippers of Elasticsearch.
    pub elasticsearch: elasticsearch::Options,
    /// Splunk's HTTP Event Collector.
    pub hec: hec::Options,
    /// OTLP logs.
    pub otlp: otlp::Options,
    /// `/ingest/…`.
    pub plain: http::Options,
    /// Syslog.
    pub syslog: syslog::Options,
    /// Files followed and folders watched.
    pub files: Vec<files::Options>,
    /// Standard input.
    pub stdin: Option<stdin::Options>,
    /// Topics of Kafka.
    pub kafka: Vec<kafka::Options>,
}

impl Options {
    /// What is wrong with the options as a whole, in words that name the setting.
    pub fn check(&self) -> Result<(), String> {
        if self.syslog.tls.as_ref().is_some_and(|options| options.tls.is_none()) {
            return Err("ingest.syslog.tls: `tls.certificate` and `tls.key` are needed".to_owned());
        }
        for (number, files) in self.files.iter().enumerate() {
            if files.paths.is_empty() {
                return Err(format!("ingest.files[{number}]: `paths` is empty"));
            }
        }
        for (number, kafka) in self.kafka.iter().enumerate() {
            if kafka.topics.is_empty() {
                return Err(format!("ingest.kafka[{number}]: `topics` is empty"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(toml: &str) -> Result<Options, String> {
        let options: Options = toml::from_str(toml).map_err(|error| error.to_string())?;
        options.check().map(|()| options)
    }

    #[test]
    fn every_listener_can_be_named() {
        let options = read(
            r#"
            http.max_body_bytes = 1000
            elasticsearch.version = "8.15.0"
            hec.acknowledgements = "required"
            otlp.grpc.listen = "127.0.0.1:4317"
            plain.enabled = false
            syslog.udp.listen = "127.0.0.1:514"
            syslog.tcp = {}
            syslog.tls = { listen = "0.0.0.0:6514", tls = { certificate = "c.pem", key = "k.pem" } }
            stdin = { stream = "x" }
            [[files]]
            paths = ["/var/log/auth.log"]
            stream = "auth"
            from = "end"
            [[kafka]]
            brokers = "localhost:9092"
            topics = ["events"]
            settings = { "fetch.min.bytes" = "1" }
            "#,
        )
        .unwrap();
        assert_eq!(options.http.max_body_bytes, 1000);
        assert_eq!(options.kafka[0].group, "lurcher");
        assert!(read("").unwrap().elasticsearch.enabled);
    }

    #[test]
    fn mistakes_are_named() {
        for (toml, named) in [
            ("hek = {}", "hek"),
            ("hec.token = 1", "token"),
            ("syslog.tls = {}", "tls.certificate"),
            ("files = [{ paths = [], stream = 'x' }]", "paths"),
            ("kafka = [{ brokers = 'x', topics = [] }]", "topics"),
        ] {
            let error = read(toml).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
