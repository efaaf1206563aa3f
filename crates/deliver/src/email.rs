//! Alerts by mail: a letter each, in plain text and HTML, to several recipients, over SMTP with TLS.
//!
//! A batch shares one connection. The `Message-ID` is made of the letter's key, by which mail servers and readers know one
//! that comes twice. A recipient who is refused for good does not keep the others from theirs.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, Identity, TlsParameters},
        commands::{Data, Mail, Rcpt, Rset},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
    },
};
use lurcher_schema::{Secret, Timestamp};
use serde::Deserialize;

use crate::{
    address::resolve,
    connector::{Connector, Context},
    fault::{Fault, Outcome, chain, excerpt},
    letter::Letter,
    template::{Escape, Template},
    tls::TlsConfig,
    webhook::template,
};

/// `type = "email"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The mail server.
    pub host: String,
    /// 587 if not said, with `security = "tls"` 465, with `"none"` 25.
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub security: Security,
    /// Who logs in, if the server asks.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// The sender: `Lurcher <alerts@example.com>`.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// Recipients of a copy.
    #[serde(default)]
    pub cc: Vec<String>,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// The subject, as a template.
    pub subject: Option<String>,
    /// The plain text, as a template.
    pub text: Option<String>,
    /// The same in a file.
    pub text_file: Option<PathBuf>,
    /// The HTML, as a template; empty for mails in plain text alone.
    pub html: Option<String>,
    /// The same in a file.
    pub html_file: Option<PathBuf>,
    /// How we introduce ourselves to the server.
    #[serde(default = "localhost")]
    pub helo: String,
    /// Whom to trust.
    #[serde(default)]
    pub tls: TlsConfig,
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS after a greeting in the clear; without TLS nothing is sent.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// None.
    None,
}

fn localhost() -> String {
    "localhost".into()
}

const SUBJECT: &str = "[{{ severity|upper }}] {{ rule.name|cut(150) }}";

const TEXT: &str = include_str!("email.txt");

const HTML: &str = include_str!("email.html");

/// Letters whose recipients are remembered; beyond it the memory begins anew, and some may get a letter twice.
const REMEMBERED: usize = 10_000;

/// Sends letters in batches, over one connection each.
pub(crate) struct Email {
    context: Arc<Context>,
    host: String,
    port: u16,
    security: Security,
    tls: TlsParameters,
    credentials: Option<Credentials>,
    helo: ClientId,
    from: Mailbox,
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    reply_to: Option<Mailbox>,
    subject: Template,
    text: Template,
    html: Option<Template>,
    /// Who already has a letter that others do not have yet, by its key.
    served: Mutex<HashMap<String, BTreeSet<Address>>>,
}

impl Email {
    pub(crate) fn new(config: &EmailConfig, context: Arc<Context>) -> Result<Self, String> {
        if config.to.is_empty() {
            return Err("to: there is no recipient".into());
        }
        let mailbox = |option: &str, text: &String| {
            text.parse::<Mailbox>().map_err(|error| {
                format!("{option}: `{text}` is no address: {error}; write \"Name <name@example.com>\"")
            })
        };
        let list = |option: &str, texts: &[String]| {
            texts.iter().map(|text| mailbox(option, text)).collect::<Result<Vec<_>, _>>()
        };
        let credentials = match (&config.username, &config.password) {
            (None, None) => None,
            (Some(user), Some(password)) => {
                if config.security == Security::None && !config.tls.insecure {
                    return Err(
                        "security: the password would be sent in the clear; use \"starttls\" or \"tls\", or say \
                                `tls = { insecure = true }`"
                            .into(),
                    );
                }
                Some(Credentials::new(user.clone(), password.read().map_err(|error| format!("password: {error}"))?))
            }
            _ => return Err("username: it and password go together; one of them is missing".into()),
        };
        let subject = config.subject.clone().unwrap_or_else(|| SUBJECT.into());
        let text = template_or(TEXT, "text", config.text.as_ref(), config.text_file.as_ref(), Escape::Plain)?;
        let html = match &config.html {
            Some(html) if html.is_empty() => None,
            html => Some(template_or(HTML, "html", html.as_ref(), config.html_file.as_ref(), Escape::Html)?),
        };
        Ok(Self {
            port: config.port.unwrap_or(match config.security {
                Security::Starttls => 587,
                Security::Tls => 465,
                Security::None => 25,
            }),
            host: config.host.clone(),
            security: config.security,
            tls: parameters(config)?,
            credentials,
            helo: ClientId::Domain(config.helo.clone()),
            from: mailbox("from", &config.from)?,
            to: list("to", &config.to)?,
            cc: list("cc", &config.cc)?,
            reply_to: config.reply_to.as_ref().map(|text| mailbox("reply_to", text)).transpose()?,
            subject: Template::new(subject, Escape::Plain).map_err(|error| format!("subject: {error}"))?,
            text,
            html,
            context,
            served: Mutex::default(),
        })
    }

    fn message(&self, letter: &Letter, now: Timestamp) -> Result<Message, String> {
        let render = |template: &Template| self.context.render(template, letter, now);
        // A subject is one line; what stands in an alert must not begin another header.
        let subject = excerpt(&render(&self.subject)?);
        let sent = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(now.0).unwrap_or(0));
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .date(sent)
            .message_id(Some(message_id(&letter.key, self.from.email.domain())));
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        for cc in &self.cc {
            builder = builder.cc(cc.clone());
        }
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        // Nobody's absence notice shall answer an alert.
        for (name, value) in [("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")] {
            builder = builder.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned()));
        }
        let text = render(&self.text)?;
        let message = match &self.html {
            Some(html) => builder.multipart(MultiPart::alternative_plain_html(text, render(html)?)),
            None => builder.singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(text)),
        };
        message.map_err(|error| error.to_string())
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Fault> {
        let opened = async {
            let addresses = resolve(&self.host, self.port).await.map_err(Fault::target)?;
            // Whatever the server has against us is not about a letter.
            self.greet(&addresses).await.map_err(|error| Fault::target(said(&error)))
        };
        match tokio::time::timeout(self.context.timeout, opened).await {
            Ok(opened) => opened,
            Err(_) => Err(Fault::target(format!("{}:{}: no answer in time", self.host, self.port))),
        }
    }

    async fn greet(&self, addresses: &[SocketAddr]) -> Result<AsyncSmtpConnection, Error> {
        let implicit = (self.security == Security::Tls).then(|| self.tls.clone());
        let timeout = Some(self.context.timeout);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(addresses, timeout, &self.helo, implicit, None).await?;
        if self.security == Security::Starttls {
            connection.starttls(self.tls.clone(), &self.helo).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    /// Sends one letter to all who do not have it yet.
    async fn send_one(&self, connection: &mut AsyncSmtpConnection, letter: &Letter, now: Timestamp) -> Outcome {
        let message = match self.message(letter, now) {
            Ok(message) => message,
            Err(error) => return Outcome::Failed(Fault::permanent(format!("the message: {error}"))),
        };
        let served = self.served(&letter.key);
        let recipients: Vec<&Address> =
            self.to.iter().chain(&self.cc).map(|to| &to.email).filter(|to| !served.contains(*to)).collect();
        let transaction = transact(connection, &message, &recipients);
        let mut sent = match tokio::time::timeout(self.context.timeout, transaction).await {
            Ok(Ok(sent)) => sent,
            Ok(Err(error)) => return Outcome::Failed(fault(&error)),
            Err(_) => return Outcome::Failed(Fault::target("no answer in time")),
        };
        if !sent.accepted.is_empty() && !sent.later.is_empty() {
            self.remember(&letter.key, &sent.accepted);
        }
        match (sent.later.is_empty(), sent.never.len() as u64) {
            (false, _) => Outcome::Failed(Fault::letter(sent.later.join("; "))),
            (true, 0) => Outcome::Delivered,
            (true, refused) if sent.accepted.is_empty() && served.is_empty() => {
                sent.never.truncate(3);
                Outcome::Failed(Fault::permanent(format!("{refused} recipients refused: {}", sent.never.join("; "))))
            }
            (true, refused) => Outcome::DeliveredExcept(refused, sent.never.join("; ")),
        }
    }

    fn served(&self, key: &str) -> BTreeSet<Address> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned().unwrap_or_default()
    }

    fn remember(&self, key: &str, addresses: &[Address]) {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if served.len() >= REMEMBERED {
            served.clear();
        }
        served.entry(key.to_owned()).or_default().extend(addresses.iter().cloned());
    }

    fn forget(&self, key: &str) {
        self.served.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// What became of the recipients.
#[derive(Debug, Default)]
struct Sent {
    accepted: Vec<Address>,
    /// Refused for now, and why.
    later: Vec<String>,
    /// Refused for good, and why.
    never: Vec<String>,
}

/// One mail transaction. Refused recipients do not end it; everything else that goes wrong does.
async fn transact(
    connection: &mut AsyncSmtpConnection,
    message: &Message,
    recipients: &[&Address],
) -> Result<Sent, Error> {
    let envelope = message.envelope();
    let bytes = message.formatted();
    let mut parameters = Vec::new();
    let international = |address: &Address| !AsRef::<str>::as_ref(address).is_ascii();
    if envelope.from().is_some_and(international) || recipients.iter().any(|to| international(to)) {
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if connection.server_info().supports_feature(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    connection.command(Mail::new(envelope.from().cloned(), parameters)).await?;
    let mut sent = Sent::default();
    for recipient in recipients {
        match connection.command(Rcpt::new((*recipient).clone(), Vec::new())).await {
            Ok(_) => sent.accepted.push((*recipient).clone()),
            Err(error) if error.is_permanent() => sent.never.push(format!("{recipient}: {}", said(&error))),
            Err(error) if error.is_transient() => sent.later.push(format!("{recipient}: {}", said(&error))),
            Err(error) => return Err(error),
        }
    }
    if sent.accepted.is_empty() {
        connection.command(Rset).await?;
        return Ok(sent);
    }
    connection.command(Data).await?;
    connection.message(&bytes).await?;
    Ok(sent)
}

/// What an answer, or the lack of one, says about the letter and its target.
fn fault(error: &Error) -> Fault {
    let text = said(error);
    if error.is_permanent() {
        Fault::permanent(text)
    } else if error.is_transient() && error.status().is_some_and(|code| code.to_string() != "421") {
        Fault::letter(text)
    } else {
        Fault::target(text)
    }
}

fn said(error: &Error) -> String {
    match error.status() {
        Some(code) => {
            let text = chain(error);
            let text = text.rsplit_once("): ").map_or(text.as_str(), |(_, text)| text);
            excerpt(&format!("{code} {text}"))
        }
        None => chain(error),
    }
}

fn message_id(key: &str, domain: &str) -> String {
    let safe: String =
        key.chars().map(|c| if c.is_ascii_alphanumeric() || "-._".contains(c) { c } else { '_' }).collect();
    format!("<{safe}@{domain}>")
}

fn template_or(
    built_in: &str,
    option: &str,
    text: Option<&String>,
    file: Option<&PathBuf>,
    escape: Escape,
) -> Result<Template, String> {
    match template(text, file, escape) {
        Ok(Some(template)) => Ok(template),
        Ok(None) => Template::new(built_in.into(), escape),
        Err(error) => Err(error.replacen("template", option, 1)),
    }
}

fn parameters(config: &EmailConfig) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(config.host.clone());
    if config.tls.insecure {
        builder = builder.dangerous_accept_invalid_certs(true).dangerous_accept_invalid_hostnames(true);
    } else if config.security == Security::None {
        builder = builder.certificate_store(CertificateStore::None);
    } else if config.tls.ca.is_some() {
        builder = builder.certificate_store(CertificateStore::None);
        for authority in config.tls.authorities()? {
            let certificate =
                Certificate::from_der(authority.to_vec()).map_err(|error| format!("tls.ca: {}", chain(&error)))?;
            builder = builder.add_root_certificate(certificate);
        }
    }
    if let (Some(certificate), Some(key)) = (&config.tls.certificate, &config.tls.key) {
        let read = |path: &PathBuf| std::fs::read(path).map_err(|error| format!("tls: {}: {error}", path.display()));
        let identity =
            Identity::from_pem(&read(certificate)?, &read(key)?).map_err(|error| format!("tls: {}", chain(&error)))?;
        builder = builder.identify_with(identity);
    }
    builder.build().map_err(|error| format!("tls: {}", chain(&error)))
}

#[async_trait]
impl Connector for Email {
    fn batch(&self) -> usize {
        self.context.batch.unwrap_or(20)
    }

    async fn send(&self, letters: &[Letter], now: Timestamp) -> Vec<Outcome> {
        let mut connection = match self.connect().await {
            Ok(connection) => connection,
            Err(fault) => return fault.for_all(letters.len()),
        };
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(letters.len());
        for letter in letters {
            let outcome = self.send_one(&mut connection, letter, now).await;
            let broken = match &outcome {
                Outcome::Failed(fault) if fault.of_target => Some(fault.clone()),
                Outcome::Failed(fault) => {
                    if fault.permanent {
                        self.forget(&letter.key);
                    }
                    // Whatever is left of the transaction must not become part of the next.
                    let reset = tokio::time::timeout(self.context.timeout, connection.command(Rset)).await;
                    (!matches!(reset, Ok(Ok(_)))).then(|| Fault::target("the connection was lost"))
                }
                Outcome::Delivered | Outcome::DeliveredExcept(..) => {
                    self.forget(&letter.key);
                    None
                }
            };
            outcomes.push(outcome);
            if let Some(fault) = broken {
                outcomes.resize(letters.len(), Outcome::Failed(fault));
                return outcomes;
            }
        }
        // They are delivered, whatever the server says to our farewell.
        let _ = tokio::time::timeout(Duration::from_secs(5), connection.quit()).await;
        outcomes
    }

    async fn probe(&self, _: Timestamp) -> Result<String, String> {
        let mut connection = self.connect().await.map_err(|fault| fault.message)?;
        let _ = tokio::time::timeout(Duration::from_secs(5), connection.quit()).await;
        Ok(format!("{}:{} lets us in", self.host, self.port))
    }
}
