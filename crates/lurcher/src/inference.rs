//! `[inference.NAME]`: language models that ES|QL's `COMPLETION` asks.
//!
//! ```toml
//! [inference.".anthropic-claude-4.6-sonnet-completion"]    # the name that rules use, in quotes if it has dots
//! url = "https://models.example.org/v1/chat/completions"   # what speaks as OpenAI's chat completions do
//! model = "small-and-quick"
//! key = { env = "MODEL_KEY" }                              # or { file = "/etc/lurcher/model.key" }; none for an open one
//! timeout = 60                                             # seconds for an answer
//! most_rows = 100                                          # of one run of a rule; those beyond are dropped
//! ```
//!
//! What a prompt is made of leaves the machine: so nothing is asked unless an endpoint is set up here by the name that
//! the rule says. Asking needs the client of the live engine, so a build without `serve` says that it cannot.

use std::path::PathBuf;

use lurcher_engine::Endpoints;
use lurcher_frontend::esql;
use serde::{Deserialize, de::IgnoredAny};

use crate::config::Config;

/// An inference endpoint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Endpoint {
    /// Where requests go.
    url: String,
    /// The model's name, as its server knows it.
    model: String,
    /// What proves who asks.
    #[serde(default)]
    key: Option<Key>,
    /// How many seconds an answer may take.
    #[serde(default = "minute")]
    timeout: u64,
    /// At most so many rows of one run of a rule are asked about.
    #[serde(default = "hundred")]
    most_rows: u64,
}

/// A key. What is written in the place of one is never read, so that no fault shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Key {
    At(Place),
    Other(IgnoredAny),
}

/// Where a key is. It never stands in the settings themselves.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    /// In an environment variable.
    Env(String),
    /// In a file, without the line break at its end.
    File(PathBuf),
}

fn minute() -> u64 {
    60
}

/// As many as Elasticsearch asks about.
fn hundred() -> u64 {
    100
}

/// Which endpoints rules may name, and which of them cannot be asked.
pub(crate) fn names(config: &Config) -> esql::Endpoints {
    let why = |endpoint: &Endpoint| match endpoint.fault() {
        Some(fault) => Some(fault.into()),
        None if cfg!(feature = "serve") => None,
        None => Some("this build cannot; build with --features serve".into()),
    };
    config.inference.iter().map(|(name, endpoint)| (name.as_str().into(), why(endpoint))).collect()
}

/// The endpoints, ready to be asked.
pub(crate) fn endpoints(config: &Config) -> Endpoints {
    let mut endpoints = Endpoints::default();
    for (name, endpoint) in &config.inference {
        if endpoint.fault().is_none() {
            open(name, endpoint, &mut endpoints);
        }
    }
    endpoints
}

#[cfg(not(feature = "serve"))]
fn open(_name: &str, endpoint: &Endpoint, _endpoints: &mut Endpoints) {
    // Only a build with a client reads these.
    let _ = (&endpoint.model, endpoint.most_rows);
}

#[cfg(feature = "serve")]
fn open(name: &str, endpoint: &Endpoint, endpoints: &mut Endpoints) {
    endpoints.insert(name, std::sync::Arc::new(client::Client::new(endpoint.clone())));
}

impl Endpoint {
    /// What is wrong with the settings, if anything.
    fn fault(&self) -> Option<String> {
        let has_host = ["http://", "https://"]
            .iter()
            .any(|scheme| self.url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')));
        if !has_host {
            return Some(format!("its `url` is no address: {}", self.url));
        }
        if self.timeout == 0 {
            return Some("its `timeout` is 0".to_owned());
        }
        self.key.as_ref().and_then(|key| key.read().err())
    }
}

impl Key {
    /// The key. The error says where it was looked for, never a part of it.
    fn read(&self) -> Result<String, String> {
        let place = match self {
            Self::At(place) => place,
            Self::Other(_) => return Err("its `key` is neither { env = … } nor { file = … }".to_owned()),
        };
        match place {
            Place::Env(name) => std::env::var(name)
                .map_err(|_| format!("its `key` is in the environment variable {name}, which is not set")),
            Place::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("its `key` cannot be read: {}: {error}", path.display()))?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        }
    }
}

#[cfg(feature = "serve")]
mod client {
    //! The client: one request at a time, on a thread of its own, so that it may be asked from any thread.

    use std::{
        collections::HashMap,
        fmt,
        sync::{Mutex, PoisonError, mpsc},
        thread,
        time::{Duration, Instant},
    };

    use reqwest::header;
    use serde_json::{Value, json};

    use super::Endpoint;

    /// Longer answers are no answers.
    const MOST_BYTES: usize = 4 << 20;
    /// About so many bytes of prompts and answers are remembered.
    const REMEMBERED: usize = 16 << 20;
    /// A prompt that was not answered is asked again after so long, and a server that could not be reached is left alone for
    /// as long: rules wait for their answers, one after the other.
    const AGAIN: Duration = Duration::from_mins(1);

    type Answer = Result<String, String>;
    type Job = (String, mpsc::Sender<Result<String, Fault>>);

    /// Why there is no answer.
    enum Fault {
        /// The server could not be reached, or did not answer in time.
        Gone(String),
        /// It answered otherwise.
        Refused(String),
    }

    /// A model behind an endpoint.
    pub(super) struct Client {
        most_rows: u64,
        jobs: mpsc::Sender<Job>,
        /// What was asked and when. Held while something is asked: so one prompt is asked once, and one at a time.
        known: Mutex<Known>,
    }

    #[derive(Default)]
    struct Known {
        answers: HashMap<String, (Answer, Instant)>,
        bytes: usize,
        /// When the server could last not be reached, and why.
        gone: Option<(Instant, String)>,
    }

    impl fmt::Debug for Client {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Client").field("most_rows", &self.most_rows).finish_non_exhaustive()
        }
    }

    impl Client {
        pub(super) fn new(endpoint: Endpoint) -> Self {
            let (jobs, todo) = mpsc::channel::<Job>();
            let most_rows = endpoint.most_rows;
            // It ends when the client does. If there is no thread to be had, nobody takes the prompts, and so it is said.
            let _ = thread::Builder::new().name("inference".to_owned()).spawn(move || work(&endpoint, &todo));
            Self { most_rows, jobs, known: Mutex::default() }
        }

        fn ask(&self, prompt: &str) -> Result<String, Fault> {
            let (sender, answer) = mpsc::channel();
            let ended = || Fault::Gone("the client has ended".to_owned());
            self.jobs.send((prompt.to_owned(), sender)).map_err(|_| ended())?;
            answer.recv().map_err(|_| ended())?
        }
    }

    impl lurcher_engine::Endpoint for Client {
        fn complete(&self, prompt: &str) -> Answer {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((answer, at)) = known.answers.get(prompt)
                && (answer.is_ok() || at.elapsed() < AGAIN)
            {
                return answer.clone();
            }
            if let Some((_, why)) = known.gone.as_ref().filter(|(at, _)| at.elapsed() < AGAIN) {
                return Err(format!("it is left alone for a minute: {why}"));
            }
            let answer = self.ask(prompt).map_err(|fault| match fault {
                Fault::Refused(why) => why,
                Fault::Gone(why) => {
                    known.gone = Some((Instant::now(), why.clone()));
                    why
                }
            });
            let size = prompt.len() + answer.as_ref().map_or_else(String::len, String::len);
            if known.bytes + size > REMEMBERED {
                (known.answers, known.bytes) = Default::default();
            }
            known.bytes += size;
            known.answers.insert(prompt.to_owned(), (answer.clone(), Instant::now()));
            answer
        }

        fn most_rows(&self) -> u64 {
            self.most_rows
        }
    }

    /// Answers one prompt after the other until nobody can ask any more.
    fn work(endpoint: &Endpoint, todo: &mpsc::Receiver<Job>) {
        let ready = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())
            .and_then(|runtime| Ok((runtime, Requests::new(endpoint)?)));
        for (prompt, answer) in todo {
            let given = match &ready {
                Ok((runtime, requests)) => runtime.block_on(requests.send(&prompt)),
                Err(why) => Err(Fault::Gone(why.clone())),
            };
            // Whoever asked may have gone.
            let _ = answer.send(given);
        }
    }

    struct Requests {
        client: reqwest::Client,
        url: String,
        model: String,
        authorization: Option<String>,
    }

    impl Requests {
        fn new(endpoint: &Endpoint) -> Result<Self, String> {
            // Fails only if there is a provider already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let mut builder = reqwest::Client::builder().timeout(Duration::from_secs(endpoint.timeout));
            if endpoint.url.starts_with("http://") {
                // Whom the machine trusts does not matter then, and on a bare one that nobody is would be a fault.
                builder = builder.tls_certs_only([]);
            }
            let key = endpoint.key.as_ref().map(super::Key::read).transpose()?;
            Ok(Self {
                client: builder.build().map_err(|error| chain(&error))?,
                url: endpoint.url.clone(),
                model: endpoint.model.clone(),
                authorization: key.map(|key| format!("Bearer {key}")),
            })
        }

        async fn send(&self, prompt: &str) -> Result<String, Fault> {
            let gone = |error: reqwest::Error| Fault::Gone(chain(&error));
            let body = json!({ "model": self.model, "messages": [{ "role": "user", "content": prompt }] });
            let mut request = self.client.post(&self.url).header(header::CONTENT_TYPE, "application/json");
            if let Some(authorization) = &self.authorization {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            let mut response = request.body(body.to_string()).send().await.map_err(gone)?;
            let status = response.status();
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(gone)? {
                bytes.extend_from_slice(&chunk);
                if bytes.len() > MOST_BYTES {
                    return Err(Fault::Refused(format!("the answer has more than {MOST_BYTES} bytes")));
                }
            }
            let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            if !status.is_success() {
                let told = document["error"]["message"].as_str().unwrap_or_default();
                let told: String = told.chars().take(200).collect();
                let between = if told.is_empty() { "" } else { ": " };
                return Err(Fault::Refused(format!("the server answers with {status}{between}{told}")));
            }
            match &document["choices"][0]["message"]["content"] {
                Value::String(text) => Ok(text.clone()),
                _ => {
                    let why = "there is no text where an answer would be (`choices[0].message.content`)";
                    Err(Fault::Refused(why.to_owned()))
                }
            }
        }
    }

    /// An error with what it came of.
    fn chain(error: &dyn std::error::Error) -> String {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_endpoint_is_said() {
        let endpoint = |text: &str| toml::from_str::<Endpoint>(text).unwrap();
        let plain = endpoint("url = \"http://localhost:1\"\nmodel = \"m\"\n");
        assert_eq!((plain.timeout, plain.most_rows, plain.fault()), (60, 100, None));
        let fault = |text: &str| endpoint(text).fault().unwrap();
        assert!(fault("url = \"localhost\"\nmodel = \"m\"\n").contains("no address"));
        assert!(fault("url = \"https://a\"\nmodel = \"m\"\ntimeout = 0\n").contains("timeout"));
        let key = "url = \"https://a\"\nmodel = \"m\"\nkey = { env = \"LURCHER_NO_SUCH_KEY\" }\n";
        assert!(fault(key).contains("LURCHER_NO_SUCH_KEY"));
        for key in ["\"secret\"", "{ text = \"secret\" }"] {
            let told = fault(&format!("url = \"https://a\"\nmodel = \"m\"\nkey = {key}\n"));
            assert!(told.contains("neither") && !told.contains("secret"), "{told}");
        }
    }
}
