//! The values that an alert's texts and entities are filled in from.
//!
//! A name is looked up in the row that the rule's pipeline ended with, then in the events, in the taxonomies that the
//! rule itself speaks. The IR does not say which taxonomy a rule is written in, so that is read off its predicates.

use lurcher_ir::{Expr, Pipeline, Rule, Tail};
use lurcher_schema::{Schemas, Taxonomy, Value};

use crate::Match;

/// Longest name between two `$` that is taken for a field's.
const LONGEST_NAME: usize = 128;
/// What stands where a field has no value. Leaving the name there would read as if it were the value.
const ABSENT: &str = "-";

/// The values that an alert is filled in from.
pub(crate) struct Values<'a> {
    schemas: &'a Schemas,
    found: &'a Match,
    taxonomies: Vec<Taxonomy>,
}

impl<'a> Values<'a> {
    /// The values of what a rule found.
    pub(crate) fn new(rule: &Rule, schemas: &'a Schemas, found: &'a Match) -> Self {
        Self { schemas, found, taxonomies: taxonomies(rule) }
    }

    /// All single values under a name: of the row if it has it, else of the first event that has it.
    pub(crate) fn all(&self, name: &str) -> Vec<Value> {
        let row = &self.found.values;
        let value = row.path(name).or_else(|| row.path(name.strip_prefix("result.")?));
        let value = value.filter(|value| !value.is_missing()).or_else(|| self.of_events(name));
        value.map(|value| value.elements().cloned().collect()).unwrap_or_default()
    }

    /// The single values under a name that all events have, if the row does not have it.
    pub(crate) fn common(&self, name: &str) -> Vec<Value> {
        if self.found.values.path(name).is_some_and(|value| !value.is_missing()) {
            return self.all(name);
        }
        let of_event = |event: &lurcher_schema::Event| {
            let values = self.taxonomies.iter().map(|t| self.schemas.bind(*t, name, &event.shape).value(event));
            let found = values.into_iter().find(|value| !value.is_missing()).unwrap_or_default();
            found.elements().cloned().collect::<Vec<Value>>()
        };
        let events = self.found.events.iter().flatten().map(of_event);
        events.reduce(|common, own| common.into_iter().filter(|v| own.contains(v)).collect()).unwrap_or_default()
    }

    /// The values under a name as one text; `None` if there are none.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let texts: Vec<String> = self.all(name).iter().map(Value::to_string).filter(|text| !text.is_empty()).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }

    fn of_events(&self, name: &str) -> Option<Value> {
        let events = || self.found.events.iter().flatten();
        let name = name.strip_prefix("result.").unwrap_or(name);
        self.taxonomies.iter().find_map(|taxonomy| {
            events()
                .map(|event| self.schemas.bind(*taxonomy, name, &event.shape).value(event))
                .find(|value| !value.is_missing())
        })
    }

    /// A template with every `$name$` and `{{name}}` replaced by its values, or by `-`.
    pub(crate) fn fill(&self, template: &str) -> String {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some(at) = rest.find(['$', '{']) {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some((name, after)) = placeholder(rest) {
                filled.push_str(self.text(name).as_deref().unwrap_or(ABSENT));
                rest = after;
            } else {
                filled.push_str(&rest[..1]);
                rest = &rest[1..];
            }
        }
        filled.push_str(rest);
        filled
    }
}

/// The name of the placeholder that a text begins with, and what follows it.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (open, close) = if text.starts_with('$') { ("$", "$") } else { ("{{", "}}") };
    let inner = text.strip_prefix(open)?;
    let end = inner.find(close)?;
    let name = inner[..end].trim();
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '-' | ':');
    let fits = !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(is_name);
    fits.then(|| (name, &inner[end + close.len()..]))
}

/// The taxonomies that a rule's fields belong to, most used first. A rule in either of Splunk's two also sees the
/// other, since its texts may use either; a rule without fields sees all.
fn taxonomies(rule: &Rule) -> Vec<Taxonomy> {
    let mut uses = [0_usize; Taxonomy::ALL.len()];
    let mut count = |taxonomy: Taxonomy| uses[taxonomy as usize] += 1;
    if let Some(body) = &rule.body {
        for filter in &body.filters {
            filter.fields(&mut |field| count(field.taxonomy));
        }
        if let Tail::Pipeline(pipeline) = &body.tail {
            count_pipeline(pipeline, &mut count);
        }
    }
    if uses == [0; Taxonomy::ALL.len()] {
        return Taxonomy::ALL.to_vec();
    }
    let splunk = uses[Taxonomy::Cim as usize] + uses[Taxonomy::Ocsf as usize] > 0;
    let mut kept: Vec<Taxonomy> = Taxonomy::ALL
        .into_iter()
        .filter(|t| uses[*t as usize] > 0 || (splunk && matches!(t, Taxonomy::Cim | Taxonomy::Ocsf)))
        .collect();
    kept.sort_by_key(|t| std::cmp::Reverse(uses[*t as usize]));
    kept
}

fn count_pipeline(pipeline: &Pipeline, count: &mut dyn FnMut(Taxonomy)) {
    let mut expressions: Vec<&Expr> = Vec::new();
    for branch in &pipeline.branches {
        for stage in &branch.stages {
            expressions.extend(stage.expressions());
        }
    }
    for expr in expressions {
        expr.fields(&mut |field| count(field.taxonomy));
        if let Expr::Event(taxonomy) = expr {
            count(*taxonomy);
        }
    }
}
