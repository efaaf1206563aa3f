//! A target: a configuration that holds, ready to be sent to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
    sync::Arc,
};

use lurcher_schema::Timestamp;
use serde_json::Value;

use crate::{
    config::{ConnectorConfig, Retry, TargetConfig},
    connector::{Connector, Context},
    elasticsearch::Elasticsearch,
    email::Email,
    fault::{Fault, Outcome},
    file::LineFile,
    filter::Filter,
    kafka::Kafka,
    letter::{Format, Letter},
    sample,
    splunk::Splunk,
    syslog::Syslog,
    template::{Escape, Template},
    webhook::Webhook,
};

/// Somewhere that alerts are delivered to.
pub struct Target {
    pub(crate) name: String,
    pub(crate) retry: Retry,
    pub(crate) per_minute: Option<u32>,
    pub(crate) connector: Box<dyn Connector>,
    pub(crate) timeout: std::time::Duration,
    kind: &'static str,
    filter: Filter,
    format: Format,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).field("type", &self.kind).finish_non_exhaustive()
    }
}

/// What is wrong with a target's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The target's name.
    pub target: String,
    /// The option, the cause and the way out; no secrets.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "deliver \"{}\": {}", self.target, self.message)
    }
}

impl std::error::Error for Problem {}

impl Target {
    /// Makes a target of its configuration: reads secrets, certificates and templates, and tries the templates. Sends
    /// nothing and connects to nothing.
    pub fn new(config: &TargetConfig) -> Result<Self, Problem> {
        Self::build(config).map_err(|message| Problem { target: config.name.clone(), message })
    }

    fn build(config: &TargetConfig) -> Result<Self, String> {
        let general = &config.general;
        let link = match &general.link {
            Some(link) => Some(Template::new(link.clone(), Escape::Plain).map_err(|error| format!("link: {error}"))?),
            None => None,
        };
        let timeout = general.timeout.0;
        let context = Arc::new(Context { target: config.name.clone(), timeout, link, batch: general.batch });
        let (connector, format): (Box<dyn Connector>, Format) = match &config.connector {
            ConnectorConfig::Webhook(webhook) => (Box::new(Webhook::new(webhook, context)?), webhook.format),
            ConnectorConfig::Slack(chat) => (Box::new(Webhook::slack(chat, context)?), Format::Native),
            ConnectorConfig::Teams(chat) => (Box::new(Webhook::teams(chat, context)?), Format::Native),
            ConnectorConfig::PagerDuty(pagerduty) => {
                (Box::new(Webhook::pagerduty(pagerduty, context)?), Format::Native)
            }
            ConnectorConfig::Email(email) => (Box::new(Email::new(email, context)?), Format::Native),
            ConnectorConfig::Syslog(syslog) => (Box::new(Syslog::new(syslog, context)?), syslog.format),
            ConnectorConfig::Splunk(splunk) => (Box::new(Splunk::new(splunk, context)?), splunk.format),
            ConnectorConfig::Elasticsearch(elastic) => {
                (Box::new(Elasticsearch::new(elastic, context)?), elastic.format)
            }
            ConnectorConfig::Kafka(kafka) => (Box::new(Kafka::new(kafka, context)?), kafka.format),
            ConnectorConfig::File(file) => (Box::new(LineFile::new(file, context)?), file.format),
        };
        let mut filter = config.filter.clone();
        if filter.kinds.is_empty() && config.connector.tells_people() {
            filter.kinds.push("finding".into());
        }
        Ok(Self {
            name: config.name.clone(),
            retry: config.retry.clone(),
            per_minute: general.per_minute,
            connector,
            timeout,
            kind: config.connector.kind(),
            filter,
            format,
        })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The word in its `type`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The format that its letters must carry beside the native document, if any.
    pub fn format(&self) -> Option<Format> {
        (self.format != Format::Native).then_some(self.format)
    }

    /// Whether it gets this alert, given in its native document.
    pub fn wants(&self, alert: &Value) -> bool {
        self.filter.wants(alert)
    }

    /// Looks whether the target is there and lets us in, as far as that can be seen without telling it anything. Says
    /// what was found, or what is wrong.
    pub async fn check(&self, now: Timestamp) -> Result<String, String> {
        self.connector.probe(now).await
    }
}

/// Sends a test alert, past the outbox, the filter and the rate limit. It says of itself that it is one.
pub async fn send_test(target: &Target, now: Timestamp) -> Result<(), Fault> {
    let letter: Letter = sample::letter(now);
    match target.connector.send(std::slice::from_ref(&letter), now).await.into_iter().next() {
        Some(Outcome::Delivered) => Ok(()),
        Some(Outcome::DeliveredExcept(_, refused)) => Err(Fault::permanent(format!("delivered, except to {refused}"))),
        Some(Outcome::Failed(fault)) => Err(fault),
        None => Err(Fault::letter("the connector said nothing of it")),
    }
}

/// Makes all targets that are enabled, or says everything that is wrong with them.
pub fn targets(configs: &[TargetConfig]) -> Result<Vec<Arc<Target>>, Vec<Problem>> {
    let mut made = Vec::new();
    let mut problems = Vec::new();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut files: BTreeMap<PathBuf, &str> = BTreeMap::new();
    for config in configs {
        let mut problem = |message: String| problems.push(Problem { target: config.name.clone(), message });
        if !names.insert(&config.name) {
            problem("name: another target has it too; every target needs its own".into());
            continue;
        }
        if !config.general.enabled {
            continue;
        }
        if let ConnectorConfig::File(file) = &config.connector
            && let Some(other) = files.insert(file.path.clone(), &config.name)
        {
            problem(format!("path: \"{other}\" writes to the same file; give each its own"));
            continue;
        }
        match Target::new(config) {
            Ok(target) => made.push(Arc::new(target)),
            Err(found) => problems.push(found),
        }
    }
    if problems.is_empty() { Ok(made) } else { Err(problems) }
}
