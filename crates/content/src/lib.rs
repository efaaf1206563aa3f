//! The vendors' rule files and packs: Elastic TOML and NDJSON, Splunk YAML.
