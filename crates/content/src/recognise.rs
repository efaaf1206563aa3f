//! What kind of file a text is, by its content.
//!
//! Folders of published content hold much that is no rule: tests, stories, lookups, data sources, licences. They are
//! told apart here by the keys at the start of their lines, before anything is parsed, so that a rule with a fault in
//! its syntax is still known to be a rule.

use std::collections::HashSet;

use crate::conf;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An Elastic rule as TOML.
    ElasticToml,
    /// JSON: rules that Kibana exported, or anything else.
    Json,
    /// A Splunk detection.
    SplunkDetection,
    /// Sigma rules, correlations or filters.
    Sigma,
    /// A Splunk macro.
    SplunkMacro,
    /// The definition of a Splunk lookup.
    SplunkLookup,
    /// Splunk's saved searches, macros or lookups as an app has them.
    SplunkConf,
    /// Tests of rules.
    Test(TestForm),
    /// No rule: what it is instead.
    NoRule(&'static str),
}

/// In whose form tests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TestForm {
    /// Splunk's: tests with attack data.
    Splunk,
    /// SigmaHQ's regression tests.
    Sigma,
    /// Lurcher's own.
    Lurcher,
}

/// What the text is.
pub(crate) fn recognise(text: &str) -> Kind {
    let text = text.trim_start_matches('\u{feff}');
    if text.contains('\0') {
        return Kind::NoRule("other");
    }
    if text.lines().any(|line| line.trim_end() == "[rule]") {
        return Kind::ElasticToml;
    }
    let start = text.trim_start();
    let list = start.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with(['{', ']']));
    if list || (start.starts_with('{') && !start.starts_with("{{")) {
        return Kind::Json;
    }
    if conf::is_conf(text) {
        return Kind::SplunkConf;
    }
    yaml(&keys(text))
}

/// The keys at the start of lines: those of the top level of every YAML document.
fn keys(text: &str) -> HashSet<&str> {
    text.lines()
        .filter_map(|line| {
            let (key, rest) = line.split_once(':')?;
            let key = key.trim_matches(['"', '\'']);
            let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
            (plain && (rest.is_empty() || rest.starts_with([' ', '\t', '\r']))).then_some(key)
        })
        .collect()
}

fn yaml(keys: &HashSet<&str>) -> Kind {
    let has = |names: &[&str]| names.iter().all(|name| keys.contains(name));
    if has(&["detection"]) || has(&["correlation", "title"]) || has(&["filter", "logsource", "title"]) {
        return Kind::Sigma;
    }
    if has(&["search", "name"]) || has(&["search", "id"]) {
        return Kind::SplunkDetection;
    }
    if has(&["name", "definition"]) {
        return Kind::SplunkMacro;
    }
    if has(&["name", "filename"]) || has(&["name", "collection"]) || has(&["name", "lookup_type"]) {
        return Kind::SplunkLookup;
    }
    if has(&["tests"]) {
        return Kind::Test(TestForm::Splunk);
    }
    if has(&["regression_tests_info"]) {
        return Kind::Test(TestForm::Sigma);
    }
    if has(&["cases"]) {
        return Kind::Test(TestForm::Lurcher);
    }
    Kind::NoRule(if has(&["narrative"]) {
        "story"
    } else if has(&["name", "fields"]) || has(&["name", "sourcetype"]) || has(&["name", "supported_TA"]) {
        "data source"
    } else if has(&["name", "tags"]) || has(&["title", "logsource"]) {
        "rule without a query"
    } else {
        "other"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_content() {
        let cases = [
            ("[metadata]\nmaturity = \"production\"\n\n[rule]\nname = \"x\"\n", Kind::ElasticToml),
            ("[package]\nname = \"x\"\n", Kind::NoRule("other")),
            ("{\"rule_id\":\"x\"}\n", Kind::Json),
            ("[\n  {\"rule_id\":\"x\"}]\n", Kind::Json),
            ("name: x\nid: y\nsearch: '| from z()'\n", Kind::SplunkDetection),
            ("title: x\nlogsource:\n  product: windows\ndetection:\n  s:\n    a: b\n", Kind::Sigma),
            ("definition: index=x\nname: y\n", Kind::SplunkMacro),
            ("name: x Unit Test\ntests:\n- name: y\n", Kind::Test(TestForm::Splunk)),
            ("rule_metadata:\n- id: x\nregression_tests_info:\n- name: y\n", Kind::Test(TestForm::Sigma)),
            ("rule: x.toml\ncases:\n- name: y\n", Kind::Test(TestForm::Lurcher)),
            ("[x]\nsearch = index=main\n", Kind::SplunkConf),
            ("name: x\nnarrative: y\n", Kind::NoRule("story")),
            ("name: x\nfilename: y.csv\n", Kind::SplunkLookup),
            ("name: x\nfields:\n- y\n", Kind::NoRule("data source")),
            ("# A heading\n\nSee: the text.\n", Kind::NoRule("other")),
            ("", Kind::NoRule("other")),
        ];
        for (text, kind) in cases {
            assert_eq!(recognise(text), kind, "{text}");
        }
    }
}
