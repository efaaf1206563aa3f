//! MITRE ATT&CK: which tactics a technique serves, and what became of ids that are no longer used.
//!
//! Splunk's and Sigma's rules name techniques only; an alert also says the tactics. The tables are data under
//! `schemas/attack/`, compiled in.

use std::{collections::HashMap, sync::LazyLock};

use lurcher_ir::Threat;

/// A technique or sub-technique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Technique {
    /// Its id, such as `T1197`.
    pub id: &'static str,
    /// Its name, such as `BITS Jobs`.
    pub name: &'static str,
    tactics: &'static str,
}

impl Technique {
    /// The ids of its tactics, such as `TA0003`.
    pub fn tactics(&self) -> impl Iterator<Item = &'static str> {
        self.tactics.split_ascii_whitespace()
    }
}

/// A tactic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tactic {
    /// Its id, such as `TA0003`.
    pub id: &'static str,
    /// Its short name, such as `privilege-escalation`.
    pub short_name: &'static str,
    /// Its name, such as `Privilege Escalation`.
    pub name: &'static str,
}

static TECHNIQUES: LazyLock<HashMap<&str, Technique>> = LazyLock::new(|| {
    rows(include_str!("../../../schemas/attack/techniques.tsv"))
        .map(|[id, name, tactics]| (id, Technique { id, name, tactics }))
        .collect()
});

static TACTICS: LazyLock<Vec<Tactic>> = LazyLock::new(|| {
    rows(include_str!("../../../schemas/attack/tactics.tsv"))
        .map(|[id, short_name, name]| Tactic { id, short_name, name })
        .collect()
});

static REDIRECTS: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    rows(include_str!("../../../schemas/attack/redirects.tsv")).map(|[old, new, _]| (old, new)).collect()
});

/// The rows of a table of up to three columns; absent ones are empty.
fn rows(table: &'static str) -> impl Iterator<Item = [&'static str; 3]> {
    table.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
        let mut columns = line.split('\t');
        std::array::from_fn(|_| columns.next().unwrap_or(""))
    })
}

/// The id that is used today for a technique; the id itself if nothing took its place.
pub fn current_id(id: &str) -> &str {
    REDIRECTS.get(id).copied().unwrap_or(id)
}

/// The technique of this id, also by an id that is no longer used.
pub fn technique(id: &str) -> Option<Technique> {
    TECHNIQUES.get(current_id(id)).or_else(|| TECHNIQUES.get(id)).copied()
}

/// The tactic of this id, short name or name, in any case and with blanks, hyphens or underscores.
pub fn tactic(word: &str) -> Option<Tactic> {
    let plain = |text: &str| text.to_ascii_lowercase().replace([' ', '_'], "-");
    let wanted = plain(word.trim());
    TACTICS.iter().find(|tactic| plain(tactic.id) == wanted || tactic.short_name == wanted).copied()
}

/// What a rule that names only techniques says about ATT&CK: for every tactic that they serve, the techniques.
/// Techniques that the table does not know stand without a tactic.
pub fn threats(ids: &[String]) -> Vec<Threat> {
    let mut threats: Vec<Threat> = Vec::new();
    for id in ids {
        let known = technique(id);
        let entry = (id.clone(), known.map(|t| t.name.to_owned()).unwrap_or_default());
        let mut tactics: Vec<(String, String)> = known
            .iter()
            .flat_map(Technique::tactics)
            .map(|id| (id.to_owned(), tactic(id).map(|t| t.name.to_owned()).unwrap_or_default()))
            .collect();
        if tactics.is_empty() {
            tactics.push(Default::default());
        }
        for tactic in tactics {
            match threats.iter_mut().find(|threat| threat.tactic == tactic) {
                Some(threat) => threat.techniques.push(entry.clone()),
                None => threats.push(Threat {
                    framework: "MITRE ATT&CK".to_owned(),
                    tactic,
                    techniques: vec![entry.clone()],
                }),
            }
        }
    }
    threats
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_ids_lead_to_today_s_techniques() {
        assert_eq!(current_id("T1086"), "T1059.001");
        assert_eq!(technique("T1086").map(|t| t.name), Some("PowerShell"));
        assert_eq!(technique("T1197").map(|t| t.tactics().collect::<Vec<_>>()), Some(vec!["TA0003", "TA0005"]));
        assert_eq!(technique("T9999"), None);
    }

    #[test]
    fn tactics_are_known_by_every_name() {
        for word in ["TA0004", "privilege-escalation", "Privilege Escalation", "privilege_escalation"] {
            assert_eq!(tactic(word).map(|t| t.id), Some("TA0004"), "{word}");
        }
    }

    #[test]
    fn techniques_alone_are_grouped_by_the_tactics_they_serve() {
        let threats = threats(&["T1197".into(), "T1105".into(), "T0000".into()]);
        let shown: Vec<_> = threats
            .iter()
            .map(|t| (t.tactic.1.as_str(), t.techniques.iter().map(|t| t.0.as_str()).collect::<Vec<_>>()))
            .collect();
        let ids = |id| vec![id];
        assert_eq!(
            shown,
            [
                ("Persistence", ids("T1197")),
                ("Defense Evasion", ids("T1197")),
                ("Command and Control", ids("T1105")),
                ("", ids("T0000")),
            ]
        );
    }
}
