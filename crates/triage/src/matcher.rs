//! What an alert must be for a silence, a maintenance window or a target to apply to it. Pure: nothing here asks a database.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Error, NewAlert, Result, word::words};

words! {
    /// How a field is compared.
    pub enum MatchOperator {
        /// One of the field's values is this.
        Equal = "=",
        /// None of the field's values is this.
        NotEqual = "!=",
        /// One of the field's values fits this pattern: `*` is any run of characters, `?` any one.
        Glob = "glob",
    }
}

/// One condition on an alert. Case does not count, as it does not in the names of hosts and users.
///
/// Fields: `id`, `kind`, `severity`, `message`, `group`, `rule.id`, `rule.name`, `rule.vendor`, `rule.language`, `rule.path`,
/// `tactic`, `technique`, `story`, `entity` (any entity's value), `entity.TYPE` (`entity.user`), `field.NAME` (the value of
/// an entity that the rule calls by this field's name, `field.host.name`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matcher {
    /// Which field.
    pub field: String,
    /// How it is compared.
    #[serde(rename = "op")]
    pub operator: MatchOperator,
    /// With what.
    pub value: String,
}

impl Matcher {
    /// Refuses fields that alerts do not have.
    pub fn check(&self) -> Result<()> {
        let single = matches!(
            self.field.as_str(),
            "id" | "kind"
                | "severity"
                | "message"
                | "group"
                | "rule.id"
                | "rule.name"
                | "rule.vendor"
                | "rule.language"
                | "rule.path"
                | "tactic"
                | "technique"
                | "story"
                | "entity"
        );
        let prefixed = ["entity.", "field."]
            .iter()
            .any(|prefix| self.field.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()));
        if single || prefixed {
            Ok(())
        } else {
            Err(Error::Invalid(format!("alerts have no field `{}` to match", self.field)))
        }
    }

    /// Whether it holds for an alert.
    pub fn holds(&self, alert: &NewAlert) -> bool {
        let values = values(alert, &self.field);
        let wanted = self.value.to_lowercase();
        match self.operator {
            MatchOperator::Equal => values.iter().any(|value| value.to_lowercase() == wanted),
            MatchOperator::NotEqual => values.iter().all(|value| value.to_lowercase() != wanted),
            MatchOperator::Glob => values.iter().any(|value| glob(&wanted, &value.to_lowercase())),
        }
    }
}

/// Whether all hold; no conditions hold for every alert.
pub(crate) fn all_hold(matchers: &[Matcher], alert: &NewAlert) -> bool {
    matchers.iter().all(|matcher| matcher.holds(alert))
}

fn values<'a>(alert: &'a NewAlert, field: &str) -> Vec<Cow<'a, str>> {
    let borrowed = |texts: &'a [String]| texts.iter().map(|text| Cow::from(text.as_str())).collect();
    let entities = |keep: &dyn Fn(&crate::Entity) -> bool| {
        alert.entities.iter().filter(|entity| keep(entity)).map(|entity| Cow::from(entity.value.as_str())).collect()
    };
    let one = |text: &'a str| vec![Cow::from(text)];
    match field {
        "id" => one(&alert.id),
        "kind" => one(alert.kind.name()),
        "severity" => one(alert.severity.name()),
        "message" => one(&alert.message),
        "group" => one(&alert.group_key),
        "rule.id" => one(&alert.rule.id),
        "rule.name" => one(&alert.rule.name),
        "rule.vendor" => one(&alert.rule.vendor),
        "rule.language" => one(&alert.rule.language),
        "rule.path" => one(&alert.rule.path),
        "tactic" => borrowed(&alert.tactics),
        "technique" => borrowed(&alert.techniques),
        "story" => borrowed(&alert.stories),
        "entity" => entities(&|_| true),
        field => match (field.strip_prefix("entity."), field.strip_prefix("field.")) {
            (Some(kind), _) => entities(&|entity| entity.kind == kind),
            (_, Some(name)) => entities(&|entity| entity.field == name),
            _ => Vec::new(),
        },
    }
}

/// Whether all of the text fits the pattern. At most pattern times text steps, whatever they are.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star is, and how much text it has taken; only the last can need more.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(character) if *character == '?' || *character == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|character| *character == '*')
}

/// Somebody who is told of new alerts.
pub trait Recipient: Send + Sync + std::fmt::Debug {
    /// What the configuration calls it.
    fn name(&self) -> &str;

    /// Whether it is to be told of an alert. Asked once for each, when the alert is new.
    fn wants(&self, alert: &NewAlert) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_matched_whole() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbb", false),
            ("*b*b", "abab", true),
            ("?", "ä", true),
            ("?", "", false),
            ("a?c*", "abcd", true),
            ("abc", "abcd", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
        assert!(!glob(&"*a".repeat(2000), &"a".repeat(1999)));
    }
}
