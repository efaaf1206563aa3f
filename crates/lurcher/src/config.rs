//! `lurcher.toml`: what a site sets once instead of typing it every time.
//!
//! ```toml
//! packs = ["/etc/lurcher/packs"]          # folders of mapping packs
//! rules = ["/srv/rules/elastic"]          # rules to run where -r names none
//! exceptions = ["/srv/exceptions.ndjson"] # exception lists, as Kibana exports them
//! value-lists = ["vpn-ranges=/srv/vpn.txt"]
//! sigma-pipelines = ["/srv/sigma/site.yml"]
//! geoip = "/srv/GeoLite2-City.mmdb"       # where addresses lie, for `iplocation` and `IP_LOCATION`
//! [placeholders]                          # of Sigma rules
//! Administrators = ["adm_*"]
//! [macros]
//! my_detection_filter = 'user != "backup"'
//! [risk]
//! incidents = true                        # add up the risk of users and systems
//! assets = ["/srv/assets.csv"]            # Splunk's columns: ip, mac, nt_host, dns, priority, category …
//! identities = ["/srv/identities.csv"]    # identity, email, priority, category …
//! [[risk.factor]]
//! name = "domain controllers count twice"
//! multiply = 2.0                          # or: add = 10
//! when = { dest_category = ["domain_controller"] }
//! [inference.NAME]                        # what ES|QL's COMPLETION asks: see `inference`
//! url = "https://models.example.org/v1/chat/completions"
//! model = "small-and-quick"
//! ```
//!
//! The tables of the live engine (`[server]`, `[ingest]` …) stand in the same file and are passed over here.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::{Deserialize, de::IgnoredAny};

use crate::{arguments::Site, inference::Endpoint};

/// The file that is read where none is named, if it is there.
pub(crate) const DEFAULT: &str = "lurcher.toml";

/// The settings of a site.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// Folders of mapping packs.
    pub(crate) packs: Vec<PathBuf>,
    /// Rules to run where the command line names none.
    pub(crate) rules: Vec<PathBuf>,
    /// Files and folders of exception lists.
    pub(crate) exceptions: Vec<PathBuf>,
    /// Value lists, as `NAME=FILE`.
    pub(crate) value_lists: Vec<String>,
    /// Processing pipelines for Sigma rules.
    pub(crate) sigma_pipelines: Vec<PathBuf>,
    /// Values of placeholders in Sigma rules, by name.
    pub(crate) placeholders: BTreeMap<String, Vec<String>>,
    /// Macros by name.
    pub(crate) macros: BTreeMap<String, String>,
    /// Lookups by name: CSV files.
    pub(crate) lookups: BTreeMap<String, PathBuf>,
    /// Models by name: ONNX files.
    pub(crate) models: BTreeMap<String, Model>,
    /// A database of the places of addresses, in MaxMind's format.
    pub(crate) geoip: Option<PathBuf>,
    /// What alerts add up to.
    pub(crate) risk: Risk,
    /// Language models that rules ask, by the names that rules use.
    pub(crate) inference: BTreeMap<String, Endpoint>,
    /// What only the live engine reads.
    #[serde(rename = "server")]
    _server: IgnoredAny,
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
    /// The names of the macros that were typed, not set in the file: of these it is said if no rule uses them.
    #[serde(skip)]
    pub(crate) typed_macros: Vec<String>,
}

/// A model: its file, or that, the fields that it judges by and those for what it says.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Model {
    File(PathBuf),
    Named {
        file: PathBuf,
        #[serde(default)]
        features: Vec<String>,
        #[serde(default)]
        outputs: Vec<String>,
    },
}

impl Model {
    /// Its file, the fields that it judges by, and those for what it says.
    pub(crate) fn parts(&self) -> (&PathBuf, &[String], &[String]) {
        match self {
            Self::File(file) => (file, &[], &[]),
            Self::Named { file, features, outputs } => (file, features, outputs),
        }
    }
}

/// What alerts add up to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Risk {
    /// Whether risk incidents are raised.
    pub(crate) incidents: bool,
    /// Lists of assets.
    pub(crate) assets: Vec<PathBuf>,
    /// Lists of identities.
    pub(crate) identities: Vec<PathBuf>,
    /// What raises or lowers scores.
    pub(crate) factor: Vec<Factor>,
}

/// What raises or lowers the scores of some risk events: `multiply` or `add`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Factor {
    pub(crate) name: String,
    pub(crate) multiply: Option<f64>,
    pub(crate) add: Option<f64>,
    /// Fields of the risk event and patterns for their values; all fields, any of a field's patterns.
    pub(crate) when: BTreeMap<String, Vec<String>>,
}

impl Config {
    /// The file that the command line names, else `lurcher.toml` if it is there; then what the command line adds.
    pub(crate) fn load(site: &Site) -> Result<Self, String> {
        let path = site.config.clone().unwrap_or_else(|| DEFAULT.into());
        let mut config = match fs::read_to_string(&path) {
            Ok(text) => toml::from_str::<Self>(&text).map_err(|error| format!("{}: {error}", path.display()))?,
            Err(_) if site.config.is_none() => Self::default(),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        config.packs.extend(site.packs.iter().cloned());
        config.exceptions.extend(site.exceptions.iter().cloned());
        config.value_lists.extend(site.value_lists.iter().cloned());
        config.sigma_pipelines.extend(site.sigma_pipelines.iter().cloned());
        for definition in &site.placeholders {
            let (name, value) = definition
                .split_once('=')
                .ok_or_else(|| format!("--placeholder {definition}: write it as NAME=VALUE"))?;
            let name = name.trim().trim_matches('%').to_owned();
            config.placeholders.entry(name).or_default().push(value.to_owned());
        }
        for definition in &site.macros {
            let (name, text) =
                definition.split_once('=').ok_or_else(|| format!("--macro {definition}: write it as NAME=TEXT"))?;
            config.typed_macros.push(name.split('(').next().unwrap_or(name).trim().to_owned());
            config.macros.insert(name.trim().to_owned(), text.to_owned());
        }
        config.geoip = site.geoip.clone().or(config.geoip);
        for lookup in &site.lookups {
            let (name, file) =
                lookup.split_once('=').ok_or_else(|| format!("--lookup {lookup}: write it as NAME=FILE"))?;
            config.lookups.insert(name.trim().to_owned(), file.into());
        }
        for model in &site.models {
            let (name, file) =
                model.split_once('=').ok_or_else(|| format!("--model {model}: write it as NAME=FILE"))?;
            config.models.insert(name.trim().to_owned(), Model::File(file.into()));
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_is_named_with_its_line() {
        let error = toml::from_str::<Config>("pakcs = []\n").unwrap_err().to_string();
        assert!(error.contains("pakcs") && error.contains("line 1"), "{error}");
    }
}
