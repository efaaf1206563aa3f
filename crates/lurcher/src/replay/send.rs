//! Requests on their way: several connections, each with one request at a time that is repeated until it is answered for
//! good.
//!
//! With one connection the events arrive in their order. An event counts as acknowledged when the server has said so of
//! the request, or the item, that carried it; a request whose answer was lost is sent again, so that an event may arrive
//! twice but is not lost.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Client, Url, header};
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use super::{
    answer::{Verdict, verdict},
    envelope::Protocol,
};

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Waits between attempts: the first, doubled up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Reasons of refusal that are told apart, at most.
const REASONS: usize = 20;

/// Where events go, and how.
#[derive(Clone, Debug)]
pub(super) struct Target {
    client: Client,
    url: Url,
    pub(super) protocol: Protocol,
    authorization: Option<String>,
    give_up: Duration,
}

/// What became of the events so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) acknowledged: u64,
    /// By reason.
    pub(super) refused: BTreeMap<String, u64>,
    /// Never answered for good.
    pub(super) unanswered: u64,
    /// Never sent, because the user stopped it or it was broken off.
    pub(super) unsent: u64,
    /// Requests that had to be repeated.
    pub(super) repeated: u64,
    /// Why no more was sent.
    pub(super) broken_off: Option<String>,
}

impl Target {
    /// A server by its address; without a protocol it is asked which it speaks.
    pub(super) async fn new(
        address: &str,
        protocol: Option<Protocol>,
        key: Option<&str>,
        ca: Option<&Path>,
        give_up: Duration,
    ) -> Result<Self, String> {
        // Fails only if there is a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder().timeout(TIMEOUT);
        if address.starts_with("http://") {
            // Whom the machine trusts does not matter then, and on a bare one that nobody is would be a fault.
            builder = builder.tls_certs_only([]);
        }
        if let Some(path) = ca {
            let fault = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let pem = std::fs::read(path).map_err(|error| fault(&error))?;
            for certificate in reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| fault(&error))? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        let client = builder.build().map_err(|error| chain(&error))?;
        let mut url: Url = address.parse().map_err(|error| format!("--to {address}: {error}"))?;
        let told = match url.path().trim_end_matches('/') {
            path if path.ends_with("_bulk") => Some(Protocol::Bulk),
            path if path.contains("/services/collector") => Some(Protocol::Hec),
            _ => None,
        };
        let protocol = match protocol.or(told) {
            Some(protocol) => protocol,
            None => spoken(&client, &url).await?,
        };
        if told.is_none() {
            let base = url.path().trim_end_matches('/').to_owned();
            url.set_path(&match protocol {
                Protocol::Bulk => format!("{base}/_bulk"),
                Protocol::Hec => format!("{base}/services/collector/event"),
            });
        }
        let scheme = match protocol {
            Protocol::Bulk => "ApiKey",
            Protocol::Hec => "Splunk",
        };
        let authorization = key.map(|key| format!("{scheme} {key}"));
        Ok(Self { client, url, protocol, authorization, give_up })
    }

    /// Where the requests go, for people.
    pub(super) fn address(&self) -> String {
        let mut url = self.url.clone();
        // A password is nobody's business; neither can fail on an address that has a host.
        let _ = url.set_password(None);
        let _ = url.set_username("");
        url.to_string()
    }

    async fn post(&self, parcels: &[String]) -> Result<Verdict, String> {
        let body = parcels.concat();
        let kind = if self.protocol == Protocol::Bulk { "application/x-ndjson" } else { "application/json" };
        let mut request = self.client.post(self.url.clone()).header(header::CONTENT_TYPE, kind).body(body);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let response = request.send().await.map_err(|error| chain(&error))?;
        let status = response.status().as_u16();
        let after = response.headers().get(header::RETRY_AFTER).and_then(|text| text.to_str().ok()).map(str::to_owned);
        let body = response.bytes().await.map_err(|error| chain(&error))?;
        Ok(verdict(self.protocol, parcels.len(), status, after.as_deref(), &body))
    }

    /// Sends events until each is answered for good. An error means that sending is pointless.
    async fn deliver(&self, parcels: Vec<String>, tally: &Mutex<Tally>) -> Result<(), String> {
        let mut todo = vec![parcels];
        let mut wait = FIRST_WAIT;
        let mut since = Instant::now();
        while let Some(mut parcels) = todo.pop() {
            let count = parcels.len() as u64;
            let (again, after, why) = match self.post(&parcels).await {
                Ok(Verdict::Taken { again, refused }) => {
                    let taken = parcels.len() - again.len() - refused.len();
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.acknowledged += taken as u64;
                    for (_, why) in &refused {
                        tally.refuse(why, 1);
                    }
                    drop(tally);
                    if again.is_empty() || taken + refused.len() > 0 {
                        wait = FIRST_WAIT;
                        since = Instant::now();
                    }
                    if again.is_empty() {
                        continue;
                    }
                    // One bad event is out of the way: no reason to wait.
                    let after = (!refused.is_empty()).then_some(Duration::ZERO);
                    let again = again.into_iter().map(|at| std::mem::take(&mut parcels[at])).collect();
                    (again, after, "the server is busy".to_owned())
                }
                Ok(Verdict::Later(after, why)) => (parcels, after, why),
                Ok(Verdict::TooLarge) if parcels.len() > 1 => {
                    let rest = parcels.split_off(parcels.len() / 2);
                    todo.extend([rest, parcels]);
                    continue;
                }
                Ok(Verdict::TooLarge) => {
                    self.note(tally, |tally| tally.refuse("413: too large", 1));
                    continue;
                }
                Ok(Verdict::Refused(why)) => {
                    self.note(tally, |tally| tally.refuse(&why, count));
                    continue;
                }
                Ok(Verdict::Denied(why)) => return self.leave(tally, &todo, count, why),
                Err(why) => (parcels, None, why),
            };
            if since.elapsed() > self.give_up {
                let seconds = self.give_up.as_secs();
                let why = format!("no progress for {seconds} s; the last answer: {why}");
                return self.leave(tally, &todo, again.len() as u64, why);
            }
            self.note(tally, |tally| tally.repeated += 1);
            tokio::time::sleep(after.unwrap_or(wait)).await;
            wait = (wait * 2).min(LONGEST_WAIT);
            todo.push(again);
        }
        Ok(())
    }

    fn leave(&self, tally: &Mutex<Tally>, todo: &[Vec<String>], count: u64, why: String) -> Result<(), String> {
        let rest: usize = todo.iter().map(Vec::len).sum();
        self.note(tally, |tally| tally.unanswered += count + rest as u64);
        Err(why)
    }

    fn note(&self, tally: &Mutex<Tally>, change: impl FnOnce(&mut Tally)) {
        change(&mut tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Tally {
    fn refuse(&mut self, why: &str, count: u64) {
        let why = if self.refused.len() >= REASONS && !self.refused.contains_key(why) { "other reasons" } else { why };
        *self.refused.entry(why.to_owned()).or_default() += count;
    }

    /// Whether every event was acknowledged.
    pub(super) fn is_clean(&self) -> bool {
        self.refused.is_empty() && self.unanswered == 0 && self.broken_off.is_none()
    }
}

/// Sends batches as they come, over so many connections, until there are no more or sending is pointless; `stop` is set
/// then.
pub(super) async fn send(
    target: Target,
    connections: usize,
    batches: mpsc::Receiver<Vec<String>>,
    tally: Arc<Mutex<Tally>>,
    stop: Arc<AtomicBool>,
) {
    let batches = Arc::new(AsyncMutex::new(batches));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..connections.max(1) {
        let (target, batches) = (target.clone(), Arc::clone(&batches));
        let (tally, stop) = (Arc::clone(&tally), Arc::clone(&stop));
        workers.spawn(async move {
            loop {
                let batch = batches.lock().await.recv().await;
                let Some(parcels) = batch else { return };
                let count = parcels.len() as u64;
                let is_over = tally.lock().unwrap_or_else(PoisonError::into_inner).broken_off.is_some();
                if is_over {
                    target.note(&tally, |tally| tally.unanswered += count);
                } else if let Err(why) = target.deliver(parcels, &tally).await {
                    stop.store(true, Ordering::SeqCst);
                    target.note(&tally, |tally| tally.broken_off = Some(why));
                }
            }
        });
    }
    while workers.join_next().await.is_some() {}
}

/// Which protocol a server speaks: one that knows the collector's health page takes all that HEC can carry.
async fn spoken(client: &Client, url: &Url) -> Result<Protocol, String> {
    let mut health = url.clone();
    health.set_path(&format!("{}/services/collector/health", url.path().trim_end_matches('/')));
    let answer = client.get(health).send().await.map_err(|error| chain(&error))?;
    // A collector that is busy or wants a key says so with a JSON object that has a code.
    let body = answer.bytes().await.map_err(|error| chain(&error))?;
    let told: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    Ok(if told["code"].is_number() { Protocol::Hec } else { Protocol::Bulk })
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}
