//! Whether an event would do if it were of another kind: the right fields under the wrong channel, class or data set.
//!
//! Checked, not guessed: the event is read as if it were of that kind, and the filter is asked again. A kind that differs
//! in more than a few attributes would be another event altogether and is not looked for: its dialect stays.

use std::sync::Arc;

use lurcher_engine::explain;
use lurcher_ir::Rule;
use lurcher_schema::{Event, Schemas, Shape, Timestamp};
use serde_json::{Value as Json, json};

use super::{Kind, wrapped};

/// A kind as which the event would pass a filter of the rule.
#[derive(Debug)]
pub(crate) struct OtherKind {
    kind: Kind,
    /// The filter that it would pass, and how many there are.
    filter: (usize, usize),
    /// What would have to be different: attribute, what it is, what it would be.
    differences: Vec<(String, String, String)>,
}

/// The kind, of those that packs know, that takes the least to change. `None` if the event would pass as none of them.
pub(crate) fn other_kind(rule: &Rule, event: &Event, schemas: &Schemas, now: Timestamp) -> Option<OtherKind> {
    let body = rule.body.as_ref()?;
    let mut best: Option<OtherKind> = None;
    for known in schemas.known_shapes() {
        if known.attribute("dialect") != Some(event.shape.dialect()) {
            continue;
        }
        let differences = differences(&event.shape, &known);
        let fewer = best.as_ref().is_none_or(|best| differences.len() < best.differences.len());
        if differences.is_empty() || !fewer {
            continue;
        }
        let as_other = Event { shape: overlaid(&event.shape, &known), ..event.clone() };
        let passes = |filter: &usize| {
            explain::source(explain::sources_of(rule, *filter), &as_other.shape, schemas).seen
                && body.filters.get(*filter).is_some_and(|p| explain::explain(p, &as_other, schemas, now).holds)
        };
        if let Some(filter) = (0..body.filters.len()).find(passes) {
            best =
                Some(OtherKind { kind: Kind::of(&as_other.shape), filter: (filter, body.filters.len()), differences });
        }
    }
    best
}

/// The attributes that another shape has and this one has not, or has with another value.
fn differences(own: &Shape, other: &Shape) -> Vec<(String, String, String)> {
    let differing = other.attributes().filter(|(name, value)| {
        !own.attribute(name).is_some_and(|own| own.eq_ignore_ascii_case(value)) && !value.starts_with('!')
    });
    differing
        .map(|(name, value)| (name.to_owned(), own.attribute(name).unwrap_or_default().to_owned(), value.to_owned()))
        .collect()
}

/// The shape with the other's attributes in place of its own.
fn overlaid(own: &Shape, other: &Shape) -> Arc<Shape> {
    let kept = own.attributes().filter(|(name, _)| other.attribute(name).is_none());
    Shape::new(kept.chain(other.attributes()))
}

impl OtherKind {
    /// In one paragraph, indented.
    pub(crate) fn text(&self, indent: usize, width: usize) -> String {
        let differences: Vec<String> = self
            .differences
            .iter()
            .map(|(name, own, other)| {
                let own = if own.is_empty() { "missing".to_owned() } else { format!("\"{own}\"") };
                format!("{} is {own}, not \"{other}\"", name.replace('_', " "))
            })
            .collect();
        let passes = match self.filter {
            (_, 1) => "it would match".to_owned(),
            (filter, _) => format!("it would pass filter {filter}"),
        };
        let text = format!("As {} {passes}. What differs: {}.", self.kind, differences.join("; "));
        wrapped(&text, indent, width)
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Json {
        let differences: Vec<Json> = self
            .differences
            .iter()
            .map(|(name, own, other)| json!({"attribute": name, "is": own, "would_be": other}))
            .collect();
        json!({"kind": self.kind.to_string(), "filter": self.filter.0, "differences": differences})
    }
}
