//! `lurcher.toml`: what a site sets once instead of typing it every time.
//!
//! ```toml
//! packs = ["/etc/lurcher/packs"]          # folders of mapping packs
//! rules = ["/srv/rules/elastic"]          # rules to run where -r names none
//! [macros]
//! my_detection_filter = 'user != "backup"'
//! ```

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::Deserialize;

use crate::arguments::Site;

const DEFAULT: &str = "lurcher.toml";

/// The settings of a site.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Folders of mapping packs.
    pub(crate) packs: Vec<PathBuf>,
    /// Rules to run where the command line names none.
    pub(crate) rules: Vec<PathBuf>,
    /// Macros by name.
    pub(crate) macros: BTreeMap<String, String>,
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
        for definition in &site.macros {
            let (name, text) =
                definition.split_once('=').ok_or_else(|| format!("--macro {definition}: write it as NAME=TEXT"))?;
            config.macros.insert(name.trim().to_owned(), text.to_owned());
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
