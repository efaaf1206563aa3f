//! Names of indices, patterns over them, and ids of documents.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::http::StatusCode;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::answer::Fault;

/// The longest name that an index may have, in bytes.
const LONGEST: usize = 255;
const FORBIDDEN: &[char] = &[' ', '"', '*', ',', '/', '<', '>', '?', '\\', '|', '#'];

/// Whether documents can be written into an index of this name.
pub(super) fn check_index(name: &str) -> Result<(), Fault> {
    let wrong = |what: &str| {
        let reason = format!("Invalid index name [{name}], {what}");
        Err(Fault::new(StatusCode::BAD_REQUEST, "invalid_index_name_exception", reason))
    };
    if name.is_empty() {
        return wrong("must not be empty");
    }
    if name.chars().any(|c| FORBIDDEN.contains(&c) || c.is_control()) {
        return wrong("must not contain the following characters [' ','\"','*',',','/','<','>','?','\\','|','#']");
    }
    if name.starts_with(['_', '-', '+']) {
        return wrong("must not start with '_', '-', or '+'");
    }
    if name == "." || name == ".." {
        return wrong("must not be '.' or '..'");
    }
    if name.len() > LONGEST {
        return wrong("index name is too long, must be 255 bytes or less");
    }
    if name.chars().any(char::is_uppercase) {
        return wrong("must be lowercase");
    }
    Ok(())
}

/// Whether a pattern with `*` fits a name.
pub(super) fn wild(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(last)
}

/// An id for a document that came without one: unlike any other, of this run or another.
pub(super) fn fresh_id() -> String {
    static RUN: LazyLock<(u64, u64)> = LazyLock::new(|| {
        let draw = || RandomState::new().build_hasher().finish();
        (draw(), draw())
    });
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut bytes = [0; 15];
    bytes[..7].copy_from_slice(&RUN.0.to_le_bytes()[..7]);
    bytes[7..].copy_from_slice(&(RUN.1.wrapping_add(next)).to_le_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_indices_are_checked() {
        for good in ["logs-endpoint.events.process-default", ".ds-x", "winlogbeat-8.1.0-2026.01.31", "é"] {
            assert!(check_index(good).is_ok(), "{good}");
        }
        for bad in ["", "Logs", "a b", "_x", "..", "a/b", "<logs-{now/d}>", "a\u{0}", &"x".repeat(256)] {
            assert!(check_index(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn patterns_fit() {
        for (pattern, name) in [("*", ""), ("a*", "abc"), ("*c", "abc"), ("a*b*c", "axxbxxc"), ("abc", "abc")] {
            assert!(wild(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("a*", "b"), ("a*a", "a"), ("a*b*c", "acb"), ("ab", "abc")] {
            assert!(!wild(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn ids_are_as_elasticsearch_makes_them() {
        let (one, two) = (fresh_id(), fresh_id());
        assert_eq!(one.len(), 20);
        assert_ne!(one, two);
    }
}
