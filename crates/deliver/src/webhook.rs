//! Alerts by HTTP: one request each, with the native document, what a template makes of it, or what Slack, Microsoft
//! Teams and PagerDuty expect.
//!
//! Every request carries the letter's key as `Idempotency-Key` and `webhook-id`. With a shared secret it is signed as
//! standardwebhooks.com describes.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use lurcher_schema::{Secret, Timestamp};
use serde::Deserialize;

use crate::{
    connector::{Connector, Context},
    fault::{Fault, Outcome},
    http::Http,
    letter::{Format, Letter},
    shapes,
    signature::Signer,
    template::{Escape, Template},
    tls::TlsConfig,
};

/// `type = "webhook"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where to.
    pub url: Secret,
    /// `POST`, `PUT` or `PATCH`.
    #[serde(default)]
    pub method: Method,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Signs every request.
    pub secret: Option<Secret>,
    /// How the alert is laid out, if no template says.
    #[serde(default = "native")]
    pub format: Format,
    /// The body, as a template.
    pub template: Option<String>,
    /// The body, as a template in a file.
    pub template_file: Option<PathBuf>,
    /// The body's type.
    #[serde(default = "json")]
    pub content_type: String,
    /// Whether the body is compressed.
    #[serde(default)]
    pub gzip: bool,
    /// Whom to trust.
    #[serde(default)]
    pub tls: TlsConfig,
    /// The proxy on the way.
    pub proxy: Option<Secret>,
}

/// `type = "slack"` and `type = "teams"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatConfig {
    /// The incoming webhook of the channel. Whoever knows it can write there.
    pub url: Secret,
    /// The message, as a template of its JSON, instead of the built-in one.
    pub template: Option<String>,
    /// The same in a file.
    pub template_file: Option<PathBuf>,
    /// Whom to trust.
    #[serde(default)]
    pub tls: TlsConfig,
    /// The proxy on the way.
    pub proxy: Option<Secret>,
}

/// `type = "pagerduty"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagerDutyConfig {
    /// The integration key of the service.
    pub routing_key: Secret,
    /// Where events are sent; in the European region `https://events.eu.pagerduty.com/v2/enqueue`.
    #[serde(default = "pagerduty")]
    pub url: String,
    /// Whom to trust.
    #[serde(default)]
    pub tls: TlsConfig,
    /// The proxy on the way.
    pub proxy: Option<Secret>,
}

/// How a webhook is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `POST`
    #[default]
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
}

fn native() -> Format {
    Format::Native
}

fn json() -> String {
    "application/json".into()
}

fn pagerduty() -> String {
    "https://events.pagerduty.com/v2/enqueue".into()
}

/// What is in the request.
enum Body {
    Document(Format),
    Template(Box<Template>),
    Slack,
    Teams,
    PagerDuty(String),
}

/// Sends one request for each letter.
pub(crate) struct Webhook {
    context: Arc<Context>,
    http: Http,
    body: Body,
    content_type: String,
    gzip: bool,
    signer: Option<Signer>,
}

impl Webhook {
    /// Any webhook.
    pub(crate) fn new(config: &WebhookConfig, context: Arc<Context>) -> Result<Self, String> {
        let escape = match config.content_type.to_ascii_lowercase() {
            kind if kind.contains("json") => Escape::Json,
            kind if kind.contains("html") || kind.contains("xml") => Escape::Html,
            _ => Escape::Plain,
        };
        let template = template(config.template.as_ref(), config.template_file.as_ref(), escape)?;
        let method = match config.method {
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
        };
        let mut http = connect(&config.url, &config.tls, config.proxy.as_ref(), &context)?.method(method);
        for (name, value) in &config.headers {
            let value = value.read().map_err(|error| format!("headers.{name}: {error}"))?;
            http = http.header(name, &value).map_err(|error| format!("headers: {error}"))?;
        }
        let signer = match &config.secret {
            Some(secret) => {
                let secret = secret.read().map_err(|error| format!("secret: {error}"))?;
                Some(Signer::new(&secret).map_err(|error| format!("secret: {error}"))?)
            }
            None => None,
        };
        Ok(Self {
            context,
            http,
            body: template.map_or(Body::Document(config.format), |template| Body::Template(Box::new(template))),
            content_type: config.content_type.clone(),
            gzip: config.gzip,
            signer,
        })
    }

    /// A channel of Slack.
    pub(crate) fn slack(config: &ChatConfig, context: Arc<Context>) -> Result<Self, String> {
        Self::chat(config, context, Body::Slack)
    }

    /// A channel of Microsoft Teams.
    pub(crate) fn teams(config: &ChatConfig, context: Arc<Context>) -> Result<Self, String> {
        Self::chat(config, context, Body::Teams)
    }

    fn chat(config: &ChatConfig, context: Arc<Context>, body: Body) -> Result<Self, String> {
        let template = template(config.template.as_ref(), config.template_file.as_ref(), Escape::Json)?;
        let http = connect(&config.url, &config.tls, config.proxy.as_ref(), &context)?;
        let body = template.map_or(body, |template| Body::Template(Box::new(template)));
        Ok(Self { context, http, body, content_type: json(), gzip: false, signer: None })
    }

    /// A service of PagerDuty.
    pub(crate) fn pagerduty(config: &PagerDutyConfig, context: Arc<Context>) -> Result<Self, String> {
        let routing_key = config.routing_key.read().map_err(|error| format!("routing_key: {error}"))?;
        let http = Http::new(&config.url, &config.tls, config.proxy.as_ref(), context.timeout)?;
        let body = Body::PagerDuty(routing_key);
        Ok(Self { context, http, body, content_type: json(), gzip: false, signer: None })
    }

    fn body(&self, letter: &Letter, now: Timestamp) -> Result<Vec<u8>, String> {
        let document = match &self.body {
            Body::Template(template) => return Ok(self.context.render(template, letter, now)?.into_bytes()),
            Body::Document(format) => {
                let documents = letter.documents(*format);
                return match documents.as_slice() {
                    [document] => serde_json::to_vec(document),
                    several => serde_json::to_vec(several),
                }
                .map_err(|error| error.to_string());
            }
            Body::Slack => shapes::slack(&letter.alert, &self.context.link(letter, now)?),
            Body::Teams => shapes::teams(&letter.alert, &self.context.link(letter, now)?),
            Body::PagerDuty(key) => shapes::pagerduty(letter, key, &self.context.link(letter, now)?, now),
        };
        serde_json::to_vec(&document).map_err(|error| error.to_string())
    }

    async fn send_one(&self, letter: &Letter, now: Timestamp) -> Result<(), Fault> {
        let body = self.body(letter, now).map_err(|error| Fault::permanent(format!("the message: {error}")))?;
        let seconds = now.0.div_euclid(1_000_000);
        let stamp = seconds.to_string();
        let signature = self.signer.as_ref().map(|signer| signer.sign(&letter.key, seconds, &body));
        let mut headers = vec![("idempotency-key", letter.key.as_str()), ("webhook-id", letter.key.as_str())];
        if let Some(signature) = &signature {
            headers.push(("webhook-timestamp", stamp.as_str()));
            headers.push(("webhook-signature", signature.as_str()));
        }
        let answer = self.http.send(body, &self.content_type, self.gzip, &headers, now).await?;
        if answer.is_success() { Ok(()) } else { Err(answer.fault()) }
    }
}

#[async_trait]
impl Connector for Webhook {
    fn batch(&self) -> usize {
        1
    }

    async fn send(&self, letters: &[Letter], now: Timestamp) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(letters.len());
        for letter in letters {
            outcomes.push(match self.send_one(letter, now).await {
                Ok(()) => Outcome::Delivered,
                Err(fault) => Outcome::Failed(fault),
            });
        }
        outcomes
    }

    async fn probe(&self, _: Timestamp) -> Result<String, String> {
        self.http.reach().await
    }
}

fn connect(url: &Secret, tls: &TlsConfig, proxy: Option<&Secret>, context: &Context) -> Result<Http, String> {
    let url = url.read().map_err(|error| format!("url: {error}"))?;
    Http::new(&url, tls, proxy, context.timeout)
}

/// The template that is given, in place or in a file.
pub(crate) fn template(
    text: Option<&String>,
    file: Option<&PathBuf>,
    escape: Escape,
) -> Result<Option<Template>, String> {
    match (text, file) {
        (None, None) => Ok(None),
        (Some(text), None) => {
            Template::new(text.clone(), escape).map(Some).map_err(|error| format!("template: {error}"))
        }
        (None, Some(path)) => Template::read(path, escape).map(Some).map_err(|error| format!("template_file: {error}")),
        (Some(_), Some(_)) => Err("template: there is a template_file too; keep one of them".into()),
    }
}
