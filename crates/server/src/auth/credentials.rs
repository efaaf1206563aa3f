//! The secret in a request's head, in the forms that people and shippers use.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine, prelude::BASE64_STANDARD};

/// What a request shows.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    None,
    /// Something that is in no form that we know.
    Unreadable,
    /// A secret.
    Secret(String),
}

/// Reads `Authorization`: `Bearer KEY`, `ApiKey KEY` (as it is, or as Elasticsearch's clients send it, `ID:KEY` in
/// base64), `Splunk KEY`, and `Basic` with the key for the password, or for the name where there is no password.
pub fn credentials(headers: &HeaderMap) -> Credentials {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Credentials::None };
    if values.next().is_some() {
        return Credentials::Unreadable;
    }
    let secret = value.to_str().ok().and_then(|text| text.trim().split_once(' ')).and_then(|(scheme, rest)| {
        let rest = rest.trim();
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" | "splunk" => Some(rest.to_owned()),
            "apikey" => Some(pair(rest).map_or_else(|| rest.to_owned(), |(_, key)| key)),
            "basic" => pair(rest).map(|(name, password)| if password.is_empty() { name } else { password }),
            _ => None,
        }
    });
    match secret {
        Some(secret) if !secret.is_empty() && secret.len() <= 512 => Credentials::Secret(secret),
        _ => Credentials::Unreadable,
    }
}

/// `NAME:SECRET` in base64.
fn pair(text: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?;
    let (name, secret) = text.split_once(':')?;
    Some((name.to_owned(), secret.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        match credentials(&headers) {
            Credentials::Secret(secret) => Some(secret),
            _ => None,
        }
    }

    #[test]
    fn a_key_is_found_in_every_form() {
        let encoded = |text: &str| BASE64_STANDARD.encode(text);
        for value in [
            "Bearer k-1".to_owned(),
            "bearer   k-1".to_owned(),
            "ApiKey k-1".to_owned(),
            format!("ApiKey {}", encoded("id:k-1")),
            "Splunk k-1".to_owned(),
            format!("Basic {}", encoded("anybody:k-1")),
            format!("Basic {}", encoded("k-1:")),
        ] {
            assert_eq!(read(&value).as_deref(), Some("k-1"), "{value}");
        }
        for value in ["", "Bearer", "Bearer ", "Digest x", "Basic !!", "Basic bm9jb2xvbg=="] {
            assert_eq!(read(value), None, "{value}");
        }
        assert_eq!(read(&format!("Bearer {}", "x".repeat(600))), None);
    }

    #[test]
    fn two_heads_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "Bearer a".parse().unwrap());
        headers.append(AUTHORIZATION, "Bearer b".parse().unwrap());
        assert!(credentials(&headers) == Credentials::Unreadable);
        assert!(credentials(&HeaderMap::new()) == Credentials::None);
    }
}
