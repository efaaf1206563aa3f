//! Choosing rules: the same flags with the same meaning on every command.

use lurcher_ir::{Rule, RuleMeta, Severity};

use crate::attack;

/// Which rules are meant. Empty lists choose everything; a rule must satisfy every list that is not empty, by one of
/// its entries. Deprecated rules are chosen like any others: nothing is left out unless asked for.
///
/// Texts are compared without regard to case, and `*` and `?` are wildcards in them.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// `elastic`, `splunk`, `sigma`.
    pub vendors: Vec<String>,
    /// `eql`, `kuery`, `spl`, `spl2` …
    pub languages: Vec<String>,
    /// At least this severity.
    pub min_severity: Option<Severity>,
    /// `production`, `experimental`, `deprecated` …
    pub statuses: Vec<String>,
    /// ATT&CK ids; a technique also means its sub-techniques. Ids that are no longer used mean what took their place.
    pub techniques: Vec<String>,
    /// ATT&CK tactics by id or name.
    pub tactics: Vec<String>,
    /// Analytic stories.
    pub stories: Vec<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// `windows`, `endpoint`, `network` …
    pub platforms: Vec<String>,
    /// Rule ids or names.
    pub ids: Vec<String>,
    /// Rule ids or names that are not meant, whatever else is asked.
    pub excluded: Vec<String>,
}

impl Selection {
    /// Whether the rule is meant.
    pub fn selects(&self, meta: &RuleMeta) -> bool {
        let named = |pattern: &String| matches(pattern, &meta.id) || matches(pattern, &meta.name);
        let any = |wanted: &[String], given: &[String]| {
            wanted.is_empty() || wanted.iter().any(|pattern| given.iter().any(|text| matches(pattern, text)))
        };
        let one =
            |wanted: &[String], given: &str| wanted.is_empty() || wanted.iter().any(|pattern| matches(pattern, given));
        one(&self.vendors, meta.vendor)
            && one(&self.languages, meta.language)
            && self.min_severity.is_none_or(|least| meta.severity >= least)
            && one(&self.statuses, &meta.status)
            && (self.techniques.is_empty() || self.techniques.iter().any(|id| has_technique(meta, id)))
            && (self.tactics.is_empty() || self.tactics.iter().any(|word| has_tactic(meta, word)))
            && any(&self.stories, &meta.stories)
            && any(&self.tags, &meta.tags)
            && any(&self.platforms, &meta.platforms)
            && (self.ids.is_empty() || self.ids.iter().any(named))
            && !self.excluded.iter().any(named)
    }

    /// Whether the rule is meant.
    pub fn selects_rule(&self, rule: &Rule) -> bool {
        self.selects(&rule.meta)
    }
}

fn has_technique(meta: &RuleMeta, wanted: &str) -> bool {
    let today = |id: &str| attack::current_id(&id.trim().to_ascii_uppercase()).to_owned();
    let wanted = today(wanted);
    let within = |id: &str| {
        let id = today(id);
        id == wanted || id.strip_prefix(&wanted).is_some_and(|rest| rest.starts_with('.'))
    };
    meta.threats.iter().flat_map(|threat| &threat.techniques).any(|(id, _)| within(id))
}

fn has_tactic(meta: &RuleMeta, wanted: &str) -> bool {
    let id = attack::tactic(wanted).map_or(wanted, |tactic| tactic.id);
    meta.threats.iter().any(|threat| matches(id, &threat.tactic.0) || matches(wanted, &threat.tactic.1))
}

/// Whether the whole text is matched by the pattern, whatever the case.
fn matches(pattern: &str, text: &str) -> bool {
    let fold = |text: &str| text.trim().to_lowercase().chars().collect::<Vec<_>>();
    let (pattern, text) = (fold(pattern), fold(text));
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use lurcher_ir::Threat;

    use super::*;

    fn rule() -> RuleMeta {
        RuleMeta {
            id: "a-1".into(),
            name: "Odd Download".into(),
            vendor: "splunk",
            language: "spl2",
            status: "deprecated".into(),
            severity: Severity::Medium,
            threats: vec![Threat {
                framework: "MITRE ATT&CK".into(),
                tactic: ("TA0002".into(), "Execution".into()),
                techniques: vec![("T1059.001".into(), "PowerShell".into())],
            }],
            stories: vec!["Ingress Tool Transfer".into()],
            platforms: vec!["endpoint".into()],
            ..RuleMeta::default()
        }
    }

    #[test]
    fn everything_is_chosen_unless_something_is_asked_for() {
        assert!(Selection::default().selects(&rule()));
    }

    #[test]
    fn every_flag_narrows_the_choice() {
        let words = |text: &str| vec![text.to_owned()];
        let cases = [
            (Selection { techniques: words("t1059"), ..Selection::default() }, true),
            (Selection { techniques: words("T1086"), ..Selection::default() }, true),
            (Selection { techniques: words("T1059.003"), ..Selection::default() }, false),
            (Selection { techniques: words("T105"), ..Selection::default() }, false),
            (Selection { tactics: words("execution"), ..Selection::default() }, true),
            (Selection { tactics: words("TA0003"), ..Selection::default() }, false),
            (Selection { stories: words("ingress*"), ..Selection::default() }, true),
            (Selection { min_severity: Some(Severity::Medium), ..Selection::default() }, true),
            (Selection { min_severity: Some(Severity::High), ..Selection::default() }, false),
            (Selection { vendors: words("Splunk"), languages: words("spl2"), ..Selection::default() }, true),
            (Selection { languages: words("spl"), ..Selection::default() }, false),
            (Selection { ids: words("odd d?wn*"), ..Selection::default() }, true),
            (Selection { ids: words("A-1"), excluded: words("odd*"), ..Selection::default() }, false),
            (Selection { platforms: words("network"), ..Selection::default() }, false),
            (Selection { statuses: words("production"), ..Selection::default() }, false),
        ];
        for (selection, chosen) in cases {
            assert_eq!(selection.selects(&rule()), chosen, "{selection:?}");
        }
    }
}
