//! Which alerts a target gets. A pure function of the alert's native document, so that it can be asked when the outbox
//! is filled, and asked again to explain.

use serde::Deserialize;
use serde_json::Value;

/// How bad an alert is, in the words of the native document, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// `informational`
    Informational,
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `critical`
    Critical,
}

impl Severity {
    /// The severity of an alert; informational if it says none that is known.
    pub(crate) fn of(alert: &Value) -> Self {
        match alert["severity"].as_str().unwrap_or_default() {
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "critical" => Self::Critical,
            _ => Self::Informational,
        }
    }
}

/// What an alert must have to be delivered. An empty list asks for nothing; of several lists, each must be met, each
/// by one of its members. Case does not matter.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// At least this bad.
    pub min_severity: Option<Severity>,
    /// At least this risk score, 0–100.
    pub min_risk_score: Option<f64>,
    /// Ids or names of rules; `*` stands for any text.
    pub rules: Vec<String>,
    /// Rules that are never delivered, in the same form.
    pub except_rules: Vec<String>,
    /// Tags of the rule or the alert; `*` stands for any text.
    pub tags: Vec<String>,
    /// `elastic`, `splunk`, `sigma` …
    pub vendors: Vec<String>,
    /// `finding`, `risk`, `building_block`. Empty: as the connector's default says.
    pub kinds: Vec<String>,
    /// Ids of ATT&CK techniques; `T1059` stands for its sub-techniques too.
    pub techniques: Vec<String>,
    /// Ids of ATT&CK tactics.
    pub tactics: Vec<String>,
}

/// The names of [`Filter`]'s members in a configuration.
pub(crate) const KEYS: &[&str] =
    &["min_severity", "min_risk_score", "rules", "except_rules", "tags", "vendors", "kinds", "techniques", "tactics"];

impl Filter {
    /// Whether an alert, in its native document, is to be delivered.
    pub fn wants(&self, alert: &Value) -> bool {
        let rule = &alert["rule"];
        let names = || texts(&rule["id"]).chain(texts(&rule["name"]));
        self.min_severity.is_none_or(|least| Severity::of(alert) >= least)
            && self.min_risk_score.is_none_or(|least| alert["risk_score"].as_f64().unwrap_or(0.0) >= least)
            && asks(&self.rules, names, like)
            && !(self.except_rules.iter().any(|pattern| names().any(|name| like(pattern, name))))
            && asks(&self.tags, || texts(&alert["tags"]).chain(texts(&rule["tags"])), like)
            && asks(&self.vendors, || texts(&rule["vendor"]), str::eq_ignore_ascii_case)
            && asks(&self.kinds, || texts(&alert["kind"]), str::eq_ignore_ascii_case)
            && asks(&self.techniques, || texts(&alert["techniques"]), technique)
            && asks(&self.tactics, || texts(&alert["tactics"]), str::eq_ignore_ascii_case)
    }
}

/// Whether one of the wanted meets one of the present, or nothing is wanted.
fn asks<'a, I: Iterator<Item = &'a str>>(
    wanted: &[String],
    present: impl Fn() -> I,
    meets: impl Fn(&str, &str) -> bool,
) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| present().any(|present| meets(wanted, present)))
}

/// A text, or the texts of a list.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_str().into_iter().chain(value.as_array().into_iter().flatten().filter_map(Value::as_str))
}

fn technique(wanted: &str, present: &str) -> bool {
    present.len() >= wanted.len()
        && present.is_char_boundary(wanted.len())
        && present[..wanted.len()].eq_ignore_ascii_case(wanted)
        && matches!(present.as_bytes().get(wanted.len()), None | Some(b'.'))
}

/// Whether the text is the pattern, where `*` stands for any text. In the worst case the product of their lengths.
fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn alert() -> Value {
        json!({
            "id": "a1", "kind": "finding", "severity": "high", "risk_score": 73.0,
            "rule": {"id": "897dc6b5-b39f-432a-8d75-d3730d50c782", "name": "Attempt to Disable Defender", "vendor": "elastic",
                     "tags": ["Domain: Endpoint", "OS: Windows"]},
            "tags": ["vip"], "techniques": ["T1562.001"], "tactics": ["TA0005"],
        })
    }

    fn wants(filter: Value) -> bool {
        serde_json::from_value::<Filter>(filter).unwrap().wants(&alert())
    }

    #[test]
    fn each_condition_decides_alone() {
        for (filter, expected) in [
            (json!({}), true),
            (json!({"min_severity": "high"}), true),
            (json!({"min_severity": "critical"}), false),
            (json!({"min_risk_score": 73}), true),
            (json!({"min_risk_score": 73.5}), false),
            (json!({"rules": ["897DC6B5-b39f-432a-8d75-d3730d50c782"]}), true),
            (json!({"rules": ["attempt to*defender"]}), true),
            (json!({"rules": ["attempt"]}), false),
            (json!({"rules": ["*"], "except_rules": ["*disable*"]}), false),
            (json!({"tags": ["OS: *"]}), true),
            (json!({"tags": ["VIP"]}), true),
            (json!({"tags": ["OS: Linux"]}), false),
            (json!({"vendors": ["splunk", "elastic"]}), true),
            (json!({"vendors": ["sigma"]}), false),
            (json!({"kinds": ["risk"]}), false),
            (json!({"techniques": ["t1562"]}), true),
            (json!({"techniques": ["T1562.001"]}), true),
            (json!({"techniques": ["T156"]}), false),
            (json!({"techniques": ["T1562.0011"]}), false),
            (json!({"tactics": ["TA0005"], "vendors": ["splunk"]}), false),
        ] {
            assert_eq!(wants(filter.clone()), expected, "{filter}");
        }
    }

    #[test]
    fn stars_stand_for_any_text() {
        assert!(like("*", "") && like("", "") && like("a*", "a") && like("*a", "ba") && like("a*b*c", "a--b--c"));
        assert!(!like("a*a", "a") && !like("", "a") && !like("a*b*c", "acb") && !like("*ab", "ba"));
    }

    #[test]
    fn an_alert_that_says_nothing_is_mild_and_unnamed() {
        let empty = Value::Null;
        assert!(Filter::default().wants(&empty));
        assert!(!Filter { min_severity: Some(Severity::Low), ..Filter::default() }.wants(&empty));
        assert!(!Filter { rules: vec!["x".into()], ..Filter::default() }.wants(&empty));
    }
}
