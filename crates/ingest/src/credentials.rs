//! Who asks: the secret in the `Authorization` header, in the forms that shippers write it.
//!
//! One key of the server's serves all: as the password of `Basic`, as `Bearer`, as Splunk's token, and as the key of
//! Elasticsearch's `ApiKey`, which stands there as `base64(id:key)`.

use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::Gate;

/// What the gate says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// May deliver.
    Granted,
    /// Shows no secret and may not deliver without one.
    Missing,
    /// Has an `Authorization` header that says nothing.
    Unreadable,
    /// Shows a secret that may not deliver.
    Wrong,
}

/// Asks the gate about a request. A secret given beside the header (a token in the query) counts before it.
pub(crate) fn admission(gate: &dyn Gate, headers: &HeaderMap, beside: Option<&str>) -> Admission {
    if let Some(secret) = beside {
        return if gate.may_deliver(Some(secret)) { Admission::Granted } else { Admission::Wrong };
    }
    let Some(header) = headers.get(header::AUTHORIZATION) else {
        return if gate.may_deliver(None) { Admission::Granted } else { Admission::Missing };
    };
    let secrets = header.to_str().map(secrets).unwrap_or_default();
    if secrets.is_empty() {
        return Admission::Unreadable;
    }
    if secrets.iter().any(|secret| gate.may_deliver(Some(secret))) { Admission::Granted } else { Admission::Wrong }
}

/// The secrets that a header may mean; more than one only for `ApiKey`, whose key may be written with its id or
/// without, encoded or not.
fn secrets(header: &str) -> Vec<String> {
    let Some((scheme, value)) = header.trim().split_once(' ') else { return Vec::new() };
    let value = value.trim();
    if value.is_empty() {
        return Vec::new();
    }
    let decoded = || STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "splunk" => vec![value.to_owned()],
        "basic" => decoded().and_then(|pair| Some(pair.split_once(':')?.1.to_owned())).into_iter().collect(),
        "apikey" => {
            let mut secrets = vec![value.to_owned()];
            if let Some(pair) = decoded() {
                if let Some((_, key)) = pair.split_once(':') {
                    secrets.insert(0, key.to_owned());
                }
                secrets.push(pair);
            }
            secrets
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Only(&'static str);

    impl Gate for Only {
        fn may_deliver(&self, secret: Option<&str>) -> bool {
            secret == Some(self.0)
        }
    }

    fn ask(header: Option<&str>) -> Admission {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(header::AUTHORIZATION, header.parse().unwrap());
        }
        admission(&Only("s3:cret"), &headers, None)
    }

    #[test]
    fn every_form_of_the_key_is_taken() {
        for plain in ["Bearer s3:cret", "Splunk s3:cret", "splunk  s3:cret", "ApiKey s3:cret"] {
            assert_eq!(ask(Some(plain)), Admission::Granted, "{plain}");
        }
        for (scheme, pair) in [("Basic", "elastic:s3:cret"), ("ApiKey", "id:s3:cret"), ("ApiKey", "s3:cret")] {
            assert_eq!(ask(Some(&format!("{scheme} {}", STANDARD.encode(pair)))), Admission::Granted, "{pair}");
        }
    }

    #[test]
    fn the_rest_is_turned_away() {
        assert_eq!(ask(None), Admission::Missing);
        for nothing in ["", "Bearer", "Bearer ", "Negotiate abc", "Basic !!!", "Basic bm9jb2xvbg=="] {
            assert_eq!(ask(Some(nothing)), Admission::Unreadable, "{nothing}");
        }
        assert_eq!(ask(Some("Bearer other")), Admission::Wrong);
    }
}
