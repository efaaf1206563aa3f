//! `lurcher.toml`, as far as the parts read it that the door for people does not: intake, tables, alerts, deliveries, rules
//! at work. What others read is passed over here, as they pass over this; a name that nobody knows is refused by all.

use std::{path::Path, sync::Arc};

use lurcher_deliver::TargetConfig;
use lurcher_schema::{Clock, Secret};
use lurcher_server::settings::{Size, Span};
use lurcher_store::{Retention, StoreOptions};
use serde::{Deserialize, de::IgnoredAny};

/// What a site sets for the live engine, the door aside.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Settings {
    /// What is taken in, and how.
    pub ingest: lurcher_ingest::Options,
    /// Where events are kept, and how long.
    pub store: StoreSettings,
    /// Where alerts are kept, and how long.
    pub triage: TriageSettings,
    /// Whom alerts are told.
    pub deliver: Vec<TargetConfig>,
    /// How rules work.
    pub live: LiveSettings,
    #[serde(rename = "server")]
    _server: IgnoredAny,
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

/// How rules work on what comes in.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LiveSettings {
    /// How long after its window an event may come and still be looked at together with others.
    pub lateness: Span,
    /// About how many bytes of events all rules together keep in memory; what does not fit goes to a temporary file, and a
    /// rule that takes a quarter of it in hits is stopped.
    pub memory: Size,
    /// Records that may wait for the rules; beyond, shippers are asked to come again.
    pub backlog: u64,
    /// Whether shippers that show no key may deliver.
    pub open_intake: bool,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self { lateness: Span::seconds(15 * 60), memory: Size(256 << 20), backlog: 1_000_000, open_intake: false }
    }
}

/// Where alerts are kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TriageSettings {
    /// `postgres://…`; without it SQLite in the folder of state. The address may hold a password, so it is a secret.
    pub url: Option<Secret>,
    /// Alerts and runs are deleted after so many days; without it never.
    pub keep_days: Option<u32>,
}

impl TriageSettings {
    /// The address of the database: this file, if no other place is set.
    pub(crate) fn url(&self, file: &Path) -> Result<String, String> {
        let named =
            self.url.as_ref().map(Secret::read).transpose().map_err(|error| format!("[triage] url: {error}"))?;
        Ok(named.unwrap_or_else(|| format!("sqlite://{}", file.display())))
    }
}

/// Where events are kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// A folder or an address such as `s3://bucket/prefix`; without it, in the folder of state.
    pub root: Option<String>,
    /// Events are deleted after so many days; without it never.
    pub keep_days: Option<u32>,
    /// All tables together take at most so many bytes; the oldest days go first.
    pub max_bytes: Option<u64>,
    /// What holds for some streams, the first that fits.
    pub stream: Vec<StreamSettings>,
}

/// How long events of some streams are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamSettings {
    /// A pattern of names, with `*` and `?`.
    pub name: String,
    /// For so many days.
    #[serde(default)]
    pub keep_days: Option<u32>,
    /// At most so many bytes.
    #[serde(default)]
    pub max_bytes: Option<u64>,
}

impl Settings {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// Names the file, the line, the cause and the way out.
    pub fn load(path: &Path) -> Result<Self, String> {
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        let settings: Self = toml::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        settings.ingest.check().map_err(|fault| format!("{name}: {fault}"))?;
        Ok(settings)
    }
}

impl StoreSettings {
    /// For the store: in this folder, if no other place is set.
    pub(crate) fn options(&self, folder: &Path, clock: &Arc<dyn Clock>) -> StoreOptions {
        let root = self.root.clone().unwrap_or_else(|| folder.display().to_string());
        let of = |stream: &StreamSettings| {
            (stream.name.clone(), Retention { days: stream.keep_days, bytes: stream.max_bytes })
        };
        StoreOptions {
            keep: Retention { days: self.keep_days, bytes: None },
            max_bytes: self.max_bytes,
            retention: self.stream.iter().map(of).collect(),
            clock: Arc::clone(clock),
            ..StoreOptions::at(root)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_the_file_is_known_and_nothing_else() {
        let text = "rules = []\n[server]\nlisten = \"x\"\n[live]\nlateness = \"1h\"\nmemory = \"1GiB\"\n[store]\nkeep_days = 30\n\
                    [[store.stream]]\nname = \"logs-*\"\nkeep_days = 7\n[triage]\nkeep_days = 400\n\
                    [ingest.syslog.udp]\nlisten = \"127.0.0.1:5514\"\n";
        let settings: Settings = toml::from_str(text).unwrap();
        assert_eq!((settings.live.lateness.0.as_secs(), settings.live.memory.0), (3600, 1 << 30));
        assert_eq!(settings.store.stream.len(), 1);
        let error = toml::from_str::<Settings>("[stroe]\n").unwrap_err().to_string();
        assert!(error.contains("stroe") && error.contains("line 1"), "{error}");
    }
}
