//! Which rules see a shape at all: what a rule says about its sources against what the mapping packs say about the
//! shape's events.

use std::sync::Arc;

use lurcher_ir::Sources;
use lurcher_schema::{LogSource, Schemas, Shape, star_match};

use crate::risk;

/// What the mapping packs say about where events of a shape belong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Belongs {
    /// The indices that they would lie in.
    indices: Vec<Arc<str>>,
    /// Their log sources.
    log_sources: Vec<LogSource>,
    /// Whether they were made of this run's own alerts.
    pub(crate) own_risk: bool,
}

impl Belongs {
    /// Where events of this shape belong.
    pub(crate) fn new(schemas: &Schemas, shape: &Shape) -> Self {
        Self { indices: schemas.indices(shape), log_sources: schemas.log_sources(shape), own_risk: risk::is_own(shape) }
    }

    /// Whether a rule with these sources sees such events.
    pub(crate) fn seen_by(&self, sources: &Sources) -> bool {
        match sources {
            Sources::Any => true,
            Sources::Indices(patterns) => self.indices.iter().any(|index| selects(patterns, index)),
            Sources::LogSource(wanted) => self.log_sources.iter().any(|source| wanted.covers(source)),
        }
    }
}

/// Patterns are taken in order: one with a leading `-` takes away what those before it selected.
fn selects(patterns: &[String], index: &str) -> bool {
    let mut selected = false;
    for pattern in patterns.iter().flat_map(|list| list.split(',')).map(str::trim) {
        match pattern.strip_prefix('-') {
            Some(pattern) if selected => selected = !star_match(pattern, index),
            Some(_) => {}
            None => selected = selected || star_match(pattern, index),
        }
    }
    selected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_select_and_take_away_in_order() {
        let sees = |patterns: &[&str], index: &str| {
            let belongs = Belongs { indices: vec![index.into()], ..Belongs::default() };
            belongs.seen_by(&Sources::Indices(patterns.iter().map(|p| (*p).to_owned()).collect()))
        };
        assert!(sees(&["logs-*", "winlogbeat-*"], "winlogbeat-default"));
        assert!(sees(&["logs-endpoint.events.process-*"], "logs-endpoint.events.process-default"));
        assert!(!sees(&["logs-endpoint.events.*"], "logs-windows.sysmon_operational-default"));
        assert!(!sees(&["logs-*", "-logs-endpoint*"], "logs-endpoint.alerts-default"));
        assert!(sees(&["-logs-endpoint*", "logs-*"], "logs-endpoint.alerts-default"));
        assert!(sees(&["*:logs-*, *"], "x"));
        assert!(!sees(&["abc"], "abcd"));
        assert!(!sees(&["ab*ba"], "aba"));
        assert!(!Belongs::default().seen_by(&Sources::Indices(vec!["*".into()])));
    }

    #[test]
    fn log_sources_select_by_every_word_that_they_give() {
        let sysmon = LogSource::new("process_creation", "windows", "sysmon");
        let belongs = Belongs { log_sources: vec![sysmon], ..Belongs::default() };
        let sees = |category, product, service| {
            belongs.seen_by(&Sources::LogSource(LogSource::new(category, product, service)))
        };
        assert!(sees("process_creation", "windows", ""));
        assert!(sees("process_creation", "", ""));
        assert!(!sees("process_creation", "linux", ""));
        assert!(!sees("", "windows", "security"));
        assert!(!Belongs::default().seen_by(&Sources::LogSource(LogSource::default())));
    }
}
