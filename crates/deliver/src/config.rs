//! `[[deliver]]` in the configuration: one table for each target, with the members that all have and those of its type.
//!
//! Nothing here reads a file or a secret; that is done when a [`Target`](crate::Target) is made of it.

use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error};
use serde_json::{Map, Value};

use crate::{
    amount::Period,
    elasticsearch::ElasticsearchConfig,
    email::EmailConfig,
    file::FileConfig,
    filter::{self, Filter},
    kafka::KafkaConfig,
    splunk::SplunkConfig,
    syslog::SyslogConfig,
    webhook::{ChatConfig, PagerDutyConfig, WebhookConfig},
};

/// One `[[deliver]]`.
#[derive(Clone, Debug)]
pub struct TargetConfig {
    /// What it is called; the outbox knows it by this name.
    pub name: String,
    /// What all targets have.
    pub general: General,
    /// When to try again.
    pub retry: Retry,
    /// Which alerts it gets.
    pub filter: Filter,
    /// The way there.
    pub connector: ConnectorConfig,
}

/// What all targets have.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct General {
    /// Whether it gets anything.
    pub enabled: bool,
    /// How long one exchange with it may take.
    pub timeout: Period,
    /// At most so many requests (mails, batches) a minute.
    pub per_minute: Option<u32>,
    /// At most so many alerts a request, where the connector puts several into one.
    pub batch: Option<usize>,
    /// A template of the address at which an alert can be looked at: `https://lurcher.example/alerts/{{ id }}`.
    pub link: Option<String>,
}

impl Default for General {
    fn default() -> Self {
        Self { enabled: true, timeout: Period::seconds(10), per_minute: None, batch: None, link: None }
    }
}

const GENERAL: &[&str] = &["enabled", "timeout", "per_minute", "batch", "link"];

/// When to try again what failed for a reason that may pass.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// The wait after the first failure; it doubles with each further one.
    pub retry_first: Period,
    /// The longest wait.
    pub retry_longest: Period,
    /// After so many attempts an alert is a dead letter.
    pub max_attempts: u32,
    /// An attempt that fails so long after the alert was raised makes it a dead letter.
    pub max_age: Period,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            retry_first: Period::seconds(1),
            retry_longest: Period::seconds(300),
            max_attempts: 500,
            max_age: Period::seconds(86_400),
        }
    }
}

const RETRY: &[&str] = &["retry_first", "retry_longest", "max_attempts", "max_age"];

/// The way to a target, by its `type`.
#[derive(Clone, Debug)]
pub enum ConnectorConfig {
    /// `webhook`
    Webhook(WebhookConfig),
    /// `slack`
    Slack(ChatConfig),
    /// `teams`
    Teams(ChatConfig),
    /// `pagerduty`
    PagerDuty(PagerDutyConfig),
    /// `email`
    Email(Box<EmailConfig>),
    /// `syslog`
    Syslog(SyslogConfig),
    /// `splunk`
    Splunk(SplunkConfig),
    /// `elasticsearch`
    Elasticsearch(ElasticsearchConfig),
    /// `kafka`
    Kafka(KafkaConfig),
    /// `file`
    File(FileConfig),
}

const TYPES: &str = "webhook, slack, teams, pagerduty, email, syslog, splunk, elasticsearch, kafka, file";

impl ConnectorConfig {
    /// The word in `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
            Self::Teams(_) => "teams",
            Self::PagerDuty(_) => "pagerduty",
            Self::Email(_) => "email",
            Self::Syslog(_) => "syslog",
            Self::Splunk(_) => "splunk",
            Self::Elasticsearch(_) => "elasticsearch",
            Self::Kafka(_) => "kafka",
            Self::File(_) => "file",
        }
    }

    /// Whether people are told, who want findings and not what findings are made of.
    pub(crate) fn tells_people(&self) -> bool {
        matches!(self, Self::Slack(_) | Self::Teams(_) | Self::PagerDuty(_) | Self::Email(_))
    }

    fn read(kind: &str, members: Value) -> Result<Self, String> {
        fn of<T: DeserializeOwned>(members: Value) -> Result<T, String> {
            serde_json::from_value(members).map_err(|error| error.to_string())
        }
        Ok(match kind {
            "webhook" => Self::Webhook(of(members)?),
            "slack" => Self::Slack(of(members)?),
            "teams" => Self::Teams(of(members)?),
            "pagerduty" => Self::PagerDuty(of(members)?),
            "email" => Self::Email(Box::new(of(members)?)),
            "syslog" => Self::Syslog(of(members)?),
            "splunk" => Self::Splunk(of(members)?),
            "elasticsearch" => Self::Elasticsearch(of(members)?),
            "kafka" => Self::Kafka(of(members)?),
            "file" => Self::File(of(members)?),
            other => return Err(format!("type: there is no `{other}`; it is one of {TYPES}")),
        })
    }
}

impl<'de> Deserialize<'de> for TargetConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Map::deserialize(deserializer)?;
        let name = members.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self::read(name.clone(), members).map_err(|error| D::Error::custom(format!("deliver \"{name}\": {error}")))
    }
}

impl TargetConfig {
    fn read(name: String, mut members: Map<String, Value>) -> Result<Self, String> {
        if name.is_empty() || name.len() > 64 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        {
            return Err(
                "name: every target needs one, of up to 64 letters, digits, dots, hyphens and underscores".into()
            );
        }
        members.remove("name");
        let Some(Value::String(kind)) = members.remove("type") else {
            return Err(format!("type: it is missing; it is one of {TYPES}"));
        };
        let general = part::<General>(&mut members, GENERAL)?;
        let retry = part::<Retry>(&mut members, RETRY)?;
        let filter = part::<Filter>(&mut members, filter::KEYS)?;
        if general.batch == Some(0) || general.per_minute == Some(0) || retry.max_attempts == 0 {
            return Err("batch, per_minute, max_attempts: with 0 nothing would ever be sent; leave it out".into());
        }
        if general.timeout.0.is_zero() || retry.retry_first.0.is_zero() || retry.retry_longest < retry.retry_first {
            return Err(
                "timeout, retry_first, retry_longest: none is 0, and retry_longest is not below retry_first".into()
            );
        }
        let connector = ConnectorConfig::read(&kind, Value::Object(members)).map_err(|error| {
            if error.starts_with("unknown field") {
                let all: Vec<&str> = [GENERAL, RETRY, filter::KEYS].concat();
                format!("{error}; every target may also have name, type, {}", all.join(", "))
            } else {
                error
            }
        })?;
        Ok(Self { name, general, retry, filter, connector })
    }
}

/// Takes the members of one part and reads them.
fn part<T: DeserializeOwned>(members: &mut Map<String, Value>, keys: &[&str]) -> Result<T, String> {
    let own: Map<String, Value> =
        keys.iter().filter_map(|key| members.remove(*key).map(|value| ((*key).to_owned(), value))).collect();
    let named: Vec<String> = own.keys().cloned().collect();
    serde_json::from_value(Value::Object(own)).map_err(|error| match named.as_slice() {
        [one] => format!("{one}: {error}"),
        several => format!("one of {}: {error}", several.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Whole {
        deliver: Vec<TargetConfig>,
    }

    fn read(text: &str) -> Result<Vec<TargetConfig>, String> {
        toml::from_str::<Whole>(text).map(|whole| whole.deliver).map_err(|error| error.to_string())
    }

    #[test]
    fn members_of_all_targets_and_of_the_type_stand_side_by_side() {
        let text = r#"
            [[deliver]]
            name = "soc-slack"
            type = "slack"
            url = { env = "SLACK_URL" }
            min_severity = "high"
            min_risk_score = 50
            rules = ["*"]
            except_rules = ["noisy"]
            tags = ["OS: *"]
            vendors = ["elastic"]
            kinds = ["finding"]
            techniques = ["T1059"]
            tactics = ["TA0002"]
            enabled = true
            timeout = "5s"
            per_minute = 60
            batch = 1
            link = "https://lurcher.example/{{ id }}"
            retry_first = "2s"
            retry_longest = "1m"
            max_attempts = 5
            max_age = "1h"
        "#;
        let read = read(text).unwrap();
        assert_eq!((read[0].name.as_str(), read[0].connector.kind()), ("soc-slack", "slack"));
        assert_eq!(read[0].general.timeout, Period::seconds(5));
        assert_eq!(read[0].retry.max_attempts, 5);
        assert_eq!(read[0].filter.techniques, ["T1059"]);
    }

    #[test]
    fn faulty_tables_are_refused_with_name_place_and_way_out() {
        for (text, parts) in [
            ("type = \"file\"", &["name: every target needs one"][..]),
            ("name = \"x\"", &["\"x\"", "type: it is missing", "webhook, slack"]),
            ("name = \"x\"\ntype = \"pigeon\"", &["no `pigeon`", "webhook, slack"]),
            ("name = \"x\"\ntype = \"slack\"", &["missing field `url`"]),
            (
                "name = \"x\"\ntype = \"slack\"\nurl = \"u\"\nchannel = \"#a\"",
                &["unknown field `channel`", "min_severity"],
            ),
            (
                "name = \"x\"\ntype = \"slack\"\nurl = \"u\"\nmin_severity = \"bad\"",
                &["min_severity", "unknown variant `bad`", "`critical`"],
            ),
            ("name = \"x\"\ntype = \"slack\"\nurl = \"u\"\ntimeout = 5", &["timeout", "\"30s\""]),
            ("name = \"x\"\ntype = \"slack\"\nurl = \"u\"\nmax_attempts = 0", &["max_attempts"]),
            ("name = \"x y\"\ntype = \"slack\"\nurl = \"u\"", &["name: "]),
        ] {
            let error = read(&format!("[[deliver]]\n{text}")).unwrap_err();
            for part in parts {
                assert!(error.contains(part), "{text}\n{error}");
            }
        }
    }

    #[test]
    fn secrets_are_in_no_debug_output() {
        let text = r#"
            [[deliver]]
            name = "a"
            type = "slack"
            url = "https://hooks.slack.com/services/hunter2"
            [[deliver]]
            name = "b"
            type = "splunk"
            url = "https://splunk"
            token = "hunter2"
            [[deliver]]
            name = "c"
            type = "email"
            host = "h"
            username = "u"
            password = "hunter2"
            from = "a@b"
            to = []
            [[deliver]]
            name = "d"
            type = "webhook"
            url = "https://x/hunter2"
            secret = "hunter2"
            proxy = "http://u:hunter2@proxy"
            headers = { Authorization = "hunter2" }
            [[deliver]]
            name = "e"
            type = "kafka"
            brokers = ["b"]
            topic = "t"
            settings = { "sasl.password" = "hunter2" }
        "#;
        let printed = format!("{:?}", read(text).unwrap());
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}
