//! One HTTP request and what its answer means. No redirects, no proxy but the one that is configured, nothing that the
//! other side could use to send us elsewhere or to keep us waiting.

use std::time::Duration;

use flate2::{Compression, write::GzEncoder};
use lurcher_schema::{Secret, Timestamp};
use reqwest::{
    Client, Method, Proxy, Request, Response, StatusCode, Url,
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};

use crate::{
    address::{Resolver, endpoint, resolve},
    fault::{Fault, chain, excerpt},
    tls::TlsConfig,
};

/// No answer is read further than this.
const LARGEST_ANSWER: usize = 16 << 20;

/// A client for one URL.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
    url: Url,
    method: Method,
    headers: HeaderMap,
}

/// What the other side answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    retry_after: Option<Duration>,
}

impl Http {
    /// A client that posts to this URL. The error says which option is wrong.
    pub(crate) fn new(url: &str, tls: &TlsConfig, proxy: Option<&Secret>, timeout: Duration) -> Result<Self, String> {
        let url = endpoint(url, tls.insecure).map_err(|error| format!("url: {error}"))?;
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls.client()?)
            .http1_only()
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Resolver)
            .user_agent(concat!("lurcher/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .timeout(timeout)
            // Idle connections are where a send is lost to a server that just closed.
            .pool_idle_timeout(Duration::from_secs(20));
        if let Some(proxy) = proxy {
            let proxy = proxy.read().map_err(|error| format!("proxy: {error}"))?;
            builder = builder.proxy(Proxy::all(proxy).map_err(|_| "proxy: no URL; it begins with http://".to_owned())?);
        }
        let client = builder.build().map_err(|error| chain(&error.without_url()))?;
        Ok(Self { client, url, method: Method::POST, headers: HeaderMap::new() })
    }

    /// Another path on the same server.
    pub(crate) fn at(&self, path: &str) -> Self {
        let mut url = self.url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        Self { client: self.client.clone(), url, method: self.method.clone(), headers: self.headers.clone() }
    }

    /// Another method.
    pub(crate) fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// A header of every request; its value is not shown in `Debug`.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Result<Self, String> {
        let name: reqwest::header::HeaderName =
            name.parse().map_err(|_| format!("`{name}` is not a name that a header can have"))?;
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| format!("the value of the header {name} holds a line break or the like"))?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Sends a body and reads the answer, whatever its status.
    pub(crate) async fn send(
        &self,
        body: Vec<u8>,
        content_type: &str,
        gzip: bool,
        more: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<Answer, Fault> {
        let mut headers = self.headers.clone();
        let mut put = |name: &str, value: &str| -> Result<(), Fault> {
            let name: reqwest::header::HeaderName =
                name.parse().map_err(|_| Fault::permanent(format!("`{name}` is no name of a header")))?;
            let value = HeaderValue::from_str(value)
                .map_err(|_| Fault::permanent(format!("the value for the header {name} cannot stand in one")))?;
            headers.insert(name, value);
            Ok(())
        };
        if !self.headers.contains_key(CONTENT_TYPE) {
            put(CONTENT_TYPE.as_str(), content_type)?;
        }
        for (name, value) in more {
            put(name, value)?;
        }
        let body = if gzip {
            put(CONTENT_ENCODING.as_str(), "gzip")?;
            compressed(&body)?
        } else {
            body
        };
        let mut request = Request::new(self.method.clone(), self.url.clone());
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        let response = self.client.execute(request).await.map_err(connection)?;
        answer(response, now).await
    }

    /// Asks without a body, for a look at whether anybody is there.
    pub(crate) async fn get(&self, now: Timestamp) -> Result<Answer, Fault> {
        let mut request = Request::new(Method::GET, self.url.clone());
        *request.headers_mut() = self.headers.clone();
        let response = self.client.execute(request).await.map_err(connection)?;
        answer(response, now).await
    }

    /// Whether the host can be reached at all, without a request: for services where every request is a message.
    pub(crate) async fn reach(&self) -> Result<String, String> {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or(443);
        let addresses = resolve(host, port).await?;
        let connect = tokio::net::TcpStream::connect(&addresses[..]);
        match tokio::time::timeout(Duration::from_secs(10), connect).await {
            Ok(Ok(_)) => {
                Ok(format!("{host}:{port} takes connections; only a test alert shows whether it takes alerts"))
            }
            Ok(Err(error)) => Err(format!("{host}:{port}: {error}")),
            Err(_) => Err(format!("{host}:{port}: no connection within 10 s")),
        }
    }
}

impl Answer {
    /// Whether the status is 2xx.
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// What a status other than 2xx means. 408, 425, 429 and 5xx pass; everything else does not get better.
    pub(crate) fn fault(&self) -> Fault {
        let status = self.status;
        let said = excerpt(&String::from_utf8_lossy(&self.body[..self.body.len().min(2000)]));
        let message = if said.is_empty() { format!("answered {status}") } else { format!("answered {status}: {said}") };
        if status.is_redirection() {
            return Fault::permanent(format!("{message} (redirects are not followed; give the final URL)"));
        }
        let passing = matches!(status.as_u16(), 408 | 425 | 429) || status.is_server_error();
        if passing {
            return Fault { retry_after: self.retry_after, ..Fault::target(message) };
        }
        // These may be about the content, and so about one letter of a batch.
        let of_batch = matches!(status.as_u16(), 400 | 413 | 422);
        Fault { of_batch, ..Fault::permanent(message) }
    }
}

async fn answer(mut response: Response, now: Timestamp) -> Result<Answer, Fault> {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, now));
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(connection)? {
        body.extend_from_slice(&piece);
        if body.len() > LARGEST_ANSWER {
            return Err(Fault::target(format!("answered {status} with more than {LARGEST_ANSWER} bytes")));
        }
    }
    Ok(Answer { status, body, retry_after })
}

/// Seconds, or the time until an HTTP date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_microsecond();
    Some(Duration::from_micros(u64::try_from(date - now.0).unwrap_or(0)))
}

/// What a request without an answer means: the target is away, or too slow.
fn connection(error: reqwest::Error) -> Fault {
    let timeout = error.is_timeout();
    let text = chain(&error.without_url());
    Fault::target(if timeout { format!("no answer in time: {text}") } else { text })
}

fn compressed(body: &[u8]) -> Result<Vec<u8>, Fault> {
    use std::io::Write;

    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).map_err(|error| Fault::letter(format!("gzip: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::parse("2015-10-21T07:28:00Z").unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_mins(2)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:29:30 GMT", now), Some(Duration::from_secs(90)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn statuses_pass_or_do_not() {
        for (status, permanent, of_batch) in [
            (400, true, true),
            (401, true, false),
            (404, true, false),
            (408, false, false),
            (413, true, true),
            (429, false, false),
            (500, false, false),
            (503, false, false),
            (302, true, false),
        ] {
            let answer =
                Answer { status: StatusCode::from_u16(status).unwrap(), body: b"x".to_vec(), retry_after: None };
            let fault = answer.fault();
            assert_eq!((fault.permanent, fault.of_batch), (permanent, of_batch), "{status}");
        }
    }
}
