//! What a person reads first about an alert, taken from its native document. Whatever is missing is empty: a message
//! about an odd alert is better than none.

use serde_json::Value;

use crate::filter::Severity;

/// The gist of an alert.
#[derive(Clone, Debug)]
pub(crate) struct Summary<'a> {
    pub(crate) id: &'a str,
    /// RFC 3339; empty if no event carries a time.
    pub(crate) time: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) rule_id: &'a str,
    pub(crate) rule: &'a str,
    pub(crate) vendor: &'a str,
    pub(crate) severity: Severity,
    pub(crate) risk_score: f64,
    pub(crate) message: &'a str,
    pub(crate) tactics: Vec<&'a str>,
    pub(crate) techniques: Vec<&'a str>,
    pub(crate) entities: Vec<Entity<'a>>,
    pub(crate) events: u64,
}

/// Who or what an alert is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entity<'a> {
    pub(crate) kind: &'a str,
    pub(crate) role: &'a str,
    pub(crate) value: &'a str,
}

impl<'a> Summary<'a> {
    pub(crate) fn of(alert: &'a Value) -> Self {
        let rule = &alert["rule"];
        Self {
            id: text(&alert["id"]),
            time: text(&alert["time"]),
            kind: text(&alert["kind"]),
            rule_id: text(&rule["id"]),
            rule: match text(&rule["name"]) {
                "" => "Unnamed rule",
                name => name,
            },
            vendor: text(&rule["vendor"]),
            severity: Severity::of(alert),
            risk_score: alert["risk_score"].as_f64().unwrap_or(0.0),
            message: text(&alert["message"]),
            tactics: list(&alert["tactics"]).map(text).collect(),
            techniques: list(&alert["techniques"]).map(text).collect(),
            entities: list(&alert["entities"])
                .map(|entity| Entity {
                    kind: text(&entity["type"]),
                    role: text(&entity["role"]),
                    value: text(&entity["value"]),
                })
                .collect(),
            events: alert["event_count"].as_u64().unwrap_or(0),
        }
    }

    /// `high`, `critical` …
    pub(crate) fn severity_name(&self) -> &'static str {
        match self.severity {
            Severity::Informational => "informational",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// `user alice, system ws01`, at most so many, with how many more there are.
    pub(crate) fn entity_line(&self, most: usize) -> String {
        let mut named: Vec<String> =
            self.entities.iter().take(most).map(|entity| format!("{} {}", entity.kind, entity.value)).collect();
        if self.entities.len() > most {
            named.push(format!("and {} more", self.entities.len() - most));
        }
        named.join(", ")
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The text, cut to so many characters; a cut shows as `…`.
pub(crate) fn cut(text: &str, characters: usize) -> String {
    if text.chars().nth(characters).is_none() {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(characters.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_within_the_limit_and_shows() {
        assert_eq!((cut("über", 4).as_str(), cut("über", 3).as_str(), cut("", 0).as_str()), ("über", "üb…", ""));
        assert_eq!(cut("abcdef", 1), "…");
    }

    #[test]
    fn an_empty_alert_has_a_summary() {
        let nothing = Value::Null;
        let summary = Summary::of(&nothing);
        assert_eq!(
            (summary.rule, summary.severity_name(), summary.entity_line(3)),
            ("Unnamed rule", "informational", String::new())
        );
    }
}
