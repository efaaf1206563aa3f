//! Values of the configuration that nobody else may read: given in place, by the name of an environment variable, or by
//! the path of a file. Never printed: `Debug` says only where the value comes from.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Deserializer, de};

/// Where a secret value is.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// In the configuration itself: `"…"`.
    Inline(String),
    /// In an environment variable: `{ env = "NAME" }`.
    Env(String),
    /// In a file, without the line break at its end: `{ file = "/path" }`.
    File(PathBuf),
}

impl Secret {
    /// The value. The error says where it was looked for and the way out, never a part of it.
    pub fn read(&self) -> Result<String, String> {
        let value = match self {
            Self::Inline(value) => value.clone(),
            Self::Env(name) => std::env::var(name).map_err(|error| match error {
                std::env::VarError::NotPresent => {
                    format!("the environment variable {name} is not set; set it where the server is started")
                }
                std::env::VarError::NotUnicode(_) => format!("the environment variable {name} is not UTF-8"),
            })?,
            Self::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    format!("cannot read {}: {error}; the server must be allowed to", path.display())
                })?;
                text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line)).to_owned()
            }
        };
        if value.is_empty() {
            return Err(match self {
                Self::Inline(_) => "it is empty".to_owned(),
                Self::Env(name) => format!("the environment variable {name} is empty"),
                Self::File(path) => format!("{} is empty", path.display()),
            });
        }
        Ok(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("Secret(…)"),
            Self::Env(name) => write!(f, "Secret(env {name})"),
            Self::File(path) => write!(f, "Secret(file {})", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a string, { env = "NAME" } or { file = "/path" }"#)
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Secret, E> {
                Ok(Secret::Inline(value.to_owned()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
                let Some((key, value)) = map.next_entry::<String, String>()? else {
                    return Err(de::Error::custom("expected `env` or `file`"));
                };
                let secret = match key.as_str() {
                    "env" => Secret::Env(value),
                    "file" => Secret::File(value.into()),
                    other => return Err(de::Error::unknown_field(other, &["env", "file"])),
                };
                match map.next_key::<String>()? {
                    None => Ok(secret),
                    Some(key) => Err(de::Error::custom(format!("`{key}` is too much: one of `env` and `file`"))),
                }
            }
        }

        // A number would otherwise be named in the error, and it may be the secret.
        deserializer.deserialize_any(Visitor).map_err(|error| {
            let text = error.to_string();
            if text.starts_with("invalid type") {
                de::Error::custom(r#"expected a string, { env = "NAME" } or { file = "/path" }"#)
            } else {
                error
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_from_where_they_are_and_never_printed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "hunter2\r\n").unwrap();
        let inline: Secret = serde_json::from_str(r#""hunter2""#).unwrap();
        let file: Secret = serde_json::from_value(serde_json::json!({ "file": path })).unwrap();
        let env: Secret = serde_json::from_str(r#"{"env":"CARGO_PKG_NAME"}"#).unwrap();
        assert_eq!(inline.read().unwrap(), "hunter2");
        assert_eq!(file.read().unwrap(), "hunter2");
        assert_eq!(env.read().unwrap(), env!("CARGO_PKG_NAME"));
        assert_eq!(format!("{inline:?} {env:?}"), "Secret(…) Secret(env CARGO_PKG_NAME)");
        assert!(!format!("{file:?}").contains("hunter2"));
    }

    #[test]
    fn a_secret_that_is_not_there_is_said_with_the_way_out() {
        let error = Secret::Env("LURCHER_NO_SUCH_VARIABLE".into()).read().unwrap_err();
        assert_eq!(
            error,
            "the environment variable LURCHER_NO_SUCH_VARIABLE is not set; set it where the server is started"
        );
        assert!(Secret::File("/no/such/file".into()).read().unwrap_err().starts_with("cannot read /no/such/file: "));
        assert!(Secret::Inline(String::new()).read().is_err());
    }

    #[test]
    fn errors_of_the_form_never_quote_the_value() {
        for faulty in ["7181", r#"{"vault":"x"}"#, "{}", r#"{"env":"A","file":"B"}"#, "true"] {
            let error = serde_json::from_str::<Secret>(faulty).unwrap_err().to_string();
            assert!(!error.contains("7181"), "{error}");
        }
    }
}
