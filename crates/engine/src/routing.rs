//! Which rules see a shape at all: the index patterns of a rule against the indices that the shape's events would
//! lie in.

use std::sync::Arc;

use lurcher_ir::Sources;
use lurcher_schema::star_match;

/// Whether a rule with these sources sees events that would lie in these indices.
pub(crate) fn sees(sources: &Sources, indices: &[Arc<str>]) -> bool {
    match sources {
        Sources::Any => true,
        Sources::Indices(patterns) => indices.iter().any(|index| selects(patterns, index)),
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
            sees(&Sources::Indices(patterns.iter().map(|p| (*p).to_owned()).collect()), &[index.into()])
        };
        assert!(sees(&["logs-*", "winlogbeat-*"], "winlogbeat-default"));
        assert!(sees(&["logs-endpoint.events.process-*"], "logs-endpoint.events.process-default"));
        assert!(!sees(&["logs-endpoint.events.*"], "logs-windows.sysmon_operational-default"));
        assert!(!sees(&["logs-*", "-logs-endpoint*"], "logs-endpoint.alerts-default"));
        assert!(sees(&["-logs-endpoint*", "logs-*"], "logs-endpoint.alerts-default"));
        assert!(sees(&["*:logs-*, *"], "x"));
        assert!(!sees(&["abc"], "abcd"));
        assert!(!sees(&["ab*ba"], "aba"));
        assert!(!super::sees(&Sources::Indices(vec!["*".into()]), &[]));
    }
}
