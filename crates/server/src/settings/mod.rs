//! `lurcher.toml`, as far as the shell reads it: `[server]`.
//!
//! The same file holds the settings of a site that every command reads (`packs`, `rules`, `macros` …) and those of the other
//! parts of the live engine; they are passed over here, as the others pass over this. So a name that nobody knows is
//! refused by all, with its line.

use std::{fmt, fs, path::Path};

use serde::{Deserialize, de::IgnoredAny};

mod measure;
mod server;

pub use measure::{Size, Span};
pub use server::{ClientSettings, DiskSettings, LimitSettings, LogFormat, LogSettings, ServerSettings, TlsSettings};

/// What a site sets for the door of the live engine.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Settings {
    /// Where it listens, whom it trusts, how much it takes.
    pub server: ServerSettings,
    #[serde(rename = "ingest")]
    _ingest: IgnoredAny,
    #[serde(rename = "store")]
    _store: IgnoredAny,
    #[serde(rename = "triage")]
    _triage: IgnoredAny,
    #[serde(rename = "deliver")]
    _deliver: IgnoredAny,
    #[serde(rename = "live")]
    _live: IgnoredAny,
    #[serde(rename = "packs")]
    _packs: IgnoredAny,
    #[serde(rename = "rules")]
    _rules: IgnoredAny,
    #[serde(rename = "exceptions")]
    _exceptions: IgnoredAny,
    #[serde(rename = "value-lists")]
    _value_lists: IgnoredAny,
    #[serde(rename = "sigma-pipelines")]
    _sigma_pipelines: IgnoredAny,
    #[serde(rename = "placeholders")]
    _placeholders: IgnoredAny,
    #[serde(rename = "macros")]
    _macros: IgnoredAny,
    #[serde(rename = "lookups")]
    _lookups: IgnoredAny,
    #[serde(rename = "risk")]
    _risk: IgnoredAny,
    #[serde(rename = "inference")]
    _inference: IgnoredAny,
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    table: &'static str,
    key: &'static str,
    cause: String,
    way_out: String,
}

/// Why the settings cannot be used: what a person has to change, a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub Vec<String>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for SettingsError {}

impl Fault {
    /// A fault of the key in the table, why it is one, and what to do.
    pub fn new(table: &'static str, key: &'static str, cause: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { table, key, cause: cause.into(), way_out: way_out.into() }
    }

    fn render(&self, name: &str, text: &str) -> String {
        let Self { table, key, cause, way_out } = self;
        let line = line_of(text, table, key).map(|line| format!(":{line}")).unwrap_or_default();
        format!("{name}{line}: [{table}] {key}: {cause}. {way_out}.")
    }
}

impl Settings {
    /// Reads the file. Of what is wrong all is said at once, except where the text itself cannot be read.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            SettingsError(vec![format!("{name}: {error}. Name the file with --config, or write one: docs/server.md.")])
        })?;
        Self::parse(&name, &text)
    }

    /// Reads the text of a file of this name.
    pub fn parse(name: &str, text: &str) -> Result<Self, SettingsError> {
        let settings: Self =
            toml::from_str(text).map_err(|error| SettingsError(vec![format!("{name}: {error}").trim_end().into()]))?;
        let mut faults = Vec::new();
        settings.server.check(&mut faults);
        if faults.is_empty() {
            return Ok(settings);
        }
        Err(SettingsError(faults.iter().map(|fault| fault.render(name, text)).collect()))
    }
}

/// The line that sets the key, or else that opens the table; counted from 1.
fn line_of(text: &str, table: &str, key: &str) -> Option<usize> {
    let mut inside = false;
    let mut opened = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line.trim_matches(|c| c == '[' || c == ']').trim() == table;
            if inside && opened.is_none() {
                opened = Some(number + 1);
            }
        } else if inside && line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('=')) {
            return Some(number + 1);
        }
    }
    opened
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Settings::parse("lurcher.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_is_a_server_on_loopback() {
        let settings = Settings::parse("lurcher.toml", "").unwrap();
        assert!(settings.server.listen.ip().is_loopback());
        assert!(settings.server.tls.is_none());
    }

    #[test]
    fn the_settings_of_a_site_stand_in_the_same_file() {
        let text = "packs = [\"p\"]\nrules = []\n[macros]\na = 'b'\n[server]\nlisten = \"[::1]:1\"\n[risk]\nincidents = true\n";
        assert_eq!(Settings::parse("lurcher.toml", text).unwrap().server.listen.port(), 1);
    }

    #[test]
    fn an_open_address_without_tls_is_refused_with_its_line_and_a_way_out() {
        let text = "# mine\n[server]\nlisten = \"0.0.0.0:8470\"\n";
        let error = error(text);
        assert!(error.starts_with("lurcher.toml:3: [server] listen: 0.0.0.0:8470 can be reached"), "{error}");
        assert!(error.contains("allow_plain = true"), "{error}");
        assert!(Settings::parse("lurcher.toml", &format!("{text}allow_plain = true\n")).is_ok());
    }

    #[test]
    fn all_faults_are_said_at_once() {
        let text = "[server.tls]\ncertificate = \"/no/cert\"\nkey = \"/no/key\"\nclient_required = true\n\
                    [server.limits]\nconnections = 0\nheader_timeout = \"0s\"\n[server.log]\nlevel = \"a=b=c\"\n";
        let error = error(text);
        for expected in [
            "lurcher.toml:2: [server.tls] certificate: /no/cert",
            "lurcher.toml:3: [server.tls] key",
            "lurcher.toml:4: [server.tls] client_required",
            "lurcher.toml:7: [server.limits] header_timeout",
            "lurcher.toml:6: [server.limits] connections",
            "lurcher.toml:9: [server.log] level",
        ] {
            assert!(error.contains(expected), "{expected} in {error}");
        }
    }

    #[test]
    fn an_unknown_name_and_a_wrong_unit_are_named_with_their_line() {
        let unknown = error("[server]\nlisten = \"127.0.0.1:1\"\nlisen = 1\n");
        assert!(unknown.contains("lisen") && unknown.contains("line 3"), "{unknown}");
        let unit = error("[server]\nstop_within = \"5 parsecs\"\n");
        assert!(unit.contains("no length of time") && unit.contains("line 2"), "{unit}");
    }
}
