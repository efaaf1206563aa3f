//! Where a binding comes from: which pack, which line, which expression. And which shapes the packs speak of.
//!
//! This is for explanations and looked up when somebody asks; nothing is kept for it but the places of the entries'
//! lines. It follows the same order of precedence as the plan in `schemas`.

use std::{collections::BTreeSet, sync::Arc};

use lurcher_diagnostics::Span;

use super::{
    pack::{Entry, Pack},
    schemas::Schemas,
};
use crate::{Shape, Taxonomy};

/// At most so many shapes are made of one entry's conditions.
const MOST_OF_AN_ENTRY: usize = 64;

/// The line of a mapping pack that says what a field is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The pack: its path, for those that come with Lurcher below `schemas/`.
    pub pack: String,
    /// The 1-based line.
    pub line: u32,
    /// What stands there, without quotes: the expression, or `{ constant = … }`.
    pub expression: String,
}

impl Schemas {
    /// Which line of which pack makes this field of events of this shape. `None`: no pack names it; a raw field is
    /// then itself, and a field of any other taxonomy is missing.
    pub fn provenance(&self, taxonomy: Taxonomy, path: &str, shape: &Shape) -> Option<Provenance> {
        let mut fitting: Vec<(usize, &Pack, &Entry)> = self
            .packs()
            .iter()
            .filter(|pack| pack.taxonomy == taxonomy)
            .flat_map(|pack| pack.entries.iter().map(move |entry| (pack, entry)))
            .filter_map(|(pack, entry)| Some((entry.fits(shape)?, pack, entry)))
            .collect();
        fitting.sort_by_key(|(attributes, ..)| *attributes);
        let mut best: Option<(usize, &Pack, Span)> = None;
        for (_, pack, entry) in fitting {
            for (name, span) in &entry.places {
                let length = match name.strip_suffix('*') {
                    Some(prefix) if path.starts_with(prefix) => prefix.len(),
                    _ if name.as_ref() == path => usize::MAX,
                    _ => continue,
                };
                if best.is_none_or(|(known, _, _)| length >= known) {
                    best = Some((length, pack, *span));
                }
            }
        }
        let (_, pack, span) = best?;
        let text = pack.file.slice(span);
        let expression = text.trim_matches(['"', '\'']).trim();
        (!expression.is_empty()).then(|| Provenance {
            pack: pack.file.name().to_owned(),
            line: pack.file.position(span.start).line,
            expression: expression.split_whitespace().collect::<Vec<_>>().join(" "),
        })
    }

    /// One shape for each combination of attributes that some pack has an entry for: the kinds of events that
    /// Lurcher knows by name. Attributes given by a `*` pattern or only by what they are not are left out.
    pub fn known_shapes(&self) -> Vec<Arc<Shape>> {
        let mut found: BTreeSet<Vec<(String, String)>> = BTreeSet::new();
        let entries = self.packs().iter().flat_map(|pack| &pack.entries);
        for conditions in entries.flat_map(Entry::conditions) {
            let mut combinations: Vec<Vec<(String, String)>> = vec![Vec::new()];
            for (attribute, wanted) in conditions {
                let plain: Vec<&String> = wanted.iter().filter(|value| !value.contains('*')).collect();
                combinations = combinations
                    .iter()
                    .flat_map(|known| {
                        plain.iter().map(|value| {
                            let mut longer = known.clone();
                            longer.push((attribute.to_owned(), (*value).clone()));
                            longer
                        })
                    })
                    .take(MOST_OF_AN_ENTRY)
                    .collect();
            }
            for mut combination in combinations {
                let has = |name: &str| combination.iter().any(|(attribute, _)| attribute == name);
                if combination.is_empty() || (has("dialect") && combination.len() == 1) {
                    continue;
                }
                if has("channel") && !has("dialect") {
                    combination.push(("dialect".to_owned(), "windows".to_owned()));
                }
                combination.sort();
                found.insert(combination);
            }
        }
        found
            .iter()
            .map(|combination| Shape::new(combination.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_traced_to_its_line() {
        let schemas = Schemas::builtin().unwrap();
        let sysmon = Shape::new([
            ("dialect", "windows"),
            ("channel", "Microsoft-Windows-Sysmon/Operational"),
            ("provider", "Microsoft-Windows-Sysmon"),
            ("event_id", "1"),
        ]);
        let found = schemas.provenance(Taxonomy::Ecs, "process.parent.args", &sysmon).unwrap();
        assert!(found.pack.ends_with("sysmon.toml"), "{found:?}");
        assert!(found.line > 1 && found.expression.contains("parent.command_line"), "{found:?}");
        assert_eq!(schemas.provenance(Taxonomy::Ecs, "no.such.field", &sysmon), None);
    }

    #[test]
    fn the_packs_speak_of_sysmon_and_of_the_security_log() {
        let shapes = Schemas::builtin().unwrap().known_shapes();
        let has = |channel: &str, id: &str| {
            shapes.iter().any(|s| s.attribute("channel") == Some(channel) && s.attribute("event_id") == Some(id))
        };
        assert!(has("Microsoft-Windows-Sysmon/Operational", "1") && has("Security", "4688"), "{shapes:?}");
    }
}
