//! Log sources: what kind of log a rule is written for, or an event belongs to.

use std::{fmt, sync::Arc};

/// A kind of log by up to three words: a `category` (`process_creation`, `proxy`), a `product` (`windows`, `aws`) and
/// a `service` of it (`security`, `cloudtrail`). Compared whatever the case of ASCII letters.
///
/// Rules name what they are written for; mapping packs say, for a shape, which log sources its events belong to. An
/// absent word means in a rule "any", in an event's log source "none".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogSource {
    /// What is logged.
    pub category: Option<Arc<str>>,
    /// What logs it.
    pub product: Option<Arc<str>>,
    /// Which of the product's logs it is.
    pub service: Option<Arc<str>>,
}

impl LogSource {
    /// The log source of these words; empty ones are absent.
    pub fn new(category: &str, product: &str, service: &str) -> Self {
        let word = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(Arc::from);
        Self { category: word(category), product: word(product), service: word(service) }
    }

    /// Whether no word is given.
    pub fn is_empty(&self) -> bool {
        self.category.is_none() && self.product.is_none() && self.service.is_none()
    }

    /// Whether a rule that is written for this sees events that belong to `of_event`: every word of the rule's is
    /// also the event's.
    pub fn covers(&self, of_event: &Self) -> bool {
        let same = |wanted: &Option<Arc<str>>, given: &Option<Arc<str>>| {
            wanted.as_ref().is_none_or(|w| given.as_ref().is_some_and(|g| w.eq_ignore_ascii_case(g)))
        };
        same(&self.category, &of_event.category)
            && same(&self.product, &of_event.product)
            && same(&self.service, &of_event.service)
    }

    /// The words that are given, with their names.
    pub fn words(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("category", &self.category), ("product", &self.product), ("service", &self.service)]
            .into_iter()
            .filter_map(|(name, word)| Some((name, word.as_deref()?)))
    }
}

impl fmt::Display for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, word)) in self.words().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {word}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_sees_what_has_all_its_words() {
        let event = LogSource::new("process_creation", "windows", "sysmon");
        for (rule, sees) in [
            (LogSource::new("process_creation", "windows", ""), true),
            (LogSource::new("", "Windows", ""), true),
            (LogSource::new("", "windows", "security"), false),
            (LogSource::new("process_creation", "linux", ""), false),
            (LogSource::default(), true),
        ] {
            assert_eq!(rule.covers(&event), sees, "{rule}");
        }
        assert!(!LogSource::new("proxy", "", "").covers(&LogSource::new("", "windows", "")));
    }
}
