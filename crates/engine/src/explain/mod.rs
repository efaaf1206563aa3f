//! Why a predicate holds for an event, or does not, part by part.
//!
//! Explanations are made by the naive evaluator, so they also show what the fast one should have found. How they are
//! shown is the command line's business.

mod near_miss;

use lurcher_ir::{Expr, FieldRef, Predicate, Rule, Sources, Tail, Test};
use lurcher_schema::{Event, Schemas, Shape, Timestamp, Value};

pub use self::near_miss::{NearMiss, near_misses};
use crate::{naive, routing::Belongs};

/// What became of a predicate and its parts for one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation<'a> {
    /// Whether it holds.
    pub holds: bool,
    /// What it is.
    pub reason: Reason<'a>,
}

/// What a predicate is, with what the event has for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason<'a> {
    /// It always is so.
    Constant,
    /// A test of a field.
    Test {
        /// The field.
        field: &'a FieldRef,
        /// The test.
        test: &'a Test,
        /// The field's value; null if the event does not have it.
        value: Value,
    },
    /// An expression.
    Holds {
        /// The expression.
        expr: &'a Expr,
        /// The fields that it reads, each once, with their values.
        fields: Vec<(&'a FieldRef, Value)>,
    },
    /// All parts have to hold.
    All(Vec<Explanation<'a>>),
    /// One part has to hold.
    Any(Vec<Explanation<'a>>),
    /// The part must not hold.
    Not(Box<Explanation<'a>>),
}

/// Explains a predicate for an event. `now` is the time of the run.
pub fn explain<'a>(predicate: &'a Predicate, event: &Event, schemas: &Schemas, now: Timestamp) -> Explanation<'a> {
    let value = |field: &FieldRef| schemas.value(event, field.taxonomy, field.path.as_str());
    let parts = |parts: &'a [Predicate]| parts.iter().map(|part| explain(part, event, schemas, now)).collect();
    let reason = match predicate {
        Predicate::Constant(_) => Reason::Constant,
        Predicate::Test { field, test } => Reason::Test { field, test, value: value(field) },
        Predicate::Holds { expr, .. } => {
            let mut fields: Vec<(&FieldRef, Value)> = Vec::new();
            expr.fields(&mut |field| {
                if !fields.iter().any(|(known, _)| *known == field) {
                    fields.push((field, value(field)));
                }
            });
            Reason::Holds { expr, fields }
        }
        Predicate::All(all) => Reason::All(parts(all)),
        Predicate::Any(any) => Reason::Any(parts(any)),
        Predicate::Not(inner) => Reason::Not(Box::new(explain(inner, event, schemas, now))),
    };
    Explanation { holds: naive::holds(predicate, event, schemas, now), reason }
}

/// A part without parts of its own that decided what became of the whole.
#[derive(Clone, Copy, Debug)]
pub struct Decisive<'e, 'a> {
    /// The part: a test, an expression or a constant.
    pub part: &'e Explanation<'a>,
    /// It stands below a negation, so it is its *holding* that speaks against the whole.
    pub negated: bool,
    /// How many further alternatives there were, none of which came nearer.
    pub alternatives: usize,
}

impl<'a> Explanation<'a> {
    /// The parts that decided. Where the predicate holds: all tests that it rests on. Where it does not: the first
    /// test that failed; of alternatives the one that came nearest.
    pub fn decisive(&self) -> Vec<Decisive<'_, 'a>> {
        let mut found = Vec::new();
        self.collect_decisive(false, 0, &mut found);
        found
    }

    fn collect_decisive<'e>(&'e self, negated: bool, alternatives: usize, found: &mut Vec<Decisive<'e, 'a>>) {
        match &self.reason {
            Reason::Constant | Reason::Test { .. } | Reason::Holds { .. } => {
                found.push(Decisive { part: self, negated, alternatives });
            }
            Reason::Not(inner) => inner.collect_decisive(!negated, alternatives, found),
            Reason::All(parts) if self.holds => {
                for part in parts {
                    part.collect_decisive(negated, alternatives, found);
                }
            }
            Reason::All(parts) => {
                if let Some(part) = parts.iter().find(|part| !part.holds) {
                    part.collect_decisive(negated, alternatives, found);
                }
            }
            Reason::Any(parts) if self.holds => {
                if let Some(part) = parts.iter().find(|part| part.holds) {
                    part.collect_decisive(negated, alternatives, found);
                }
            }
            Reason::Any(parts) => {
                let others = alternatives + parts.len().saturating_sub(1);
                // The first of those that came equally near, as the rule has them.
                let nearest = parts.iter().rev().max_by(|a, b| a.progress().total_cmp(&b.progress()));
                if let Some(part) = nearest {
                    part.collect_decisive(negated, others, found);
                }
            }
        }
    }

    /// How near the predicate came to holding, from 0 to 1 (it holds): of parts that all have to hold, the share of
    /// those that do; of alternatives the nearest one; a test that fails counts a little if it is a near miss, and
    /// less if the event does not even have the field.
    pub fn progress(&self) -> f64 {
        if self.holds {
            return 1.0;
        }
        match &self.reason {
            Reason::Test { test, value, .. } if !near_misses(test, value).is_empty() => 0.5,
            Reason::Test { value, .. } if !value.is_missing() => 0.1,
            Reason::Constant | Reason::Test { .. } | Reason::Holds { .. } | Reason::Not(_) => 0.0,
            Reason::All(parts) => parts.iter().map(Self::progress).sum::<f64>() / parts.len().max(1) as f64,
            Reason::Any(parts) => parts.iter().map(Self::progress).fold(0.0, f64::max),
        }
    }
}

/// Whether a rule sees events of a shape, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceVerdict {
    /// It sees them (with strict routing).
    pub seen: bool,
    /// What the rule names: index patterns, or a log source; empty if it sees every source.
    pub wanted: Vec<String>,
    /// What events of the shape belong to, in the rule's own terms; empty if the packs do not say.
    pub belongs: Vec<String>,
}

/// The sources of one filter of a rule: its own if a correlation or indicators give it some, else the rule's.
pub fn sources_of(rule: &Rule, filter: usize) -> &Sources {
    let own = match rule.body.as_ref().map(|body| &body.tail) {
        Some(Tail::Correlation(correlation)) => correlation.sources(filter),
        Some(Tail::Indicators(indicators)) if indicators.filter == filter => Some(&indicators.sources),
        _ => None,
    };
    own.unwrap_or(&rule.meta.sources)
}

/// Says whether a rule with these sources sees events of a shape.
pub fn source(sources: &Sources, shape: &Shape, schemas: &Schemas) -> SourceVerdict {
    let (wanted, belongs) = match sources {
        Sources::Any => (Vec::new(), Vec::new()),
        Sources::Indices(patterns) => {
            (patterns.clone(), schemas.indices(shape).iter().map(ToString::to_string).collect())
        }
        Sources::LogSource(wanted) => {
            (vec![wanted.to_string()], schemas.log_sources(shape).iter().map(ToString::to_string).collect())
        }
    };
    SourceVerdict { seen: Belongs::new(schemas, shape).seen_by(sources), wanted, belongs }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lurcher_ir::Case;
    use lurcher_schema::{EventRef, Object, Origin, Taxonomy};

    use super::*;

    fn event(fields: &[(&str, &str)]) -> Event {
        let raw = Object::from_distinct(fields.iter().map(|(name, value)| (Arc::from(*name), Value::text(*value))));
        let reference = EventRef { origin: Origin::new("a.json"), ordinal: 0, record: 1 };
        Event { shape: Shape::new([("dialect", "unknown")]), reference, time: None, raw }
    }

    fn is(field: &str, value: &str) -> Predicate {
        Predicate::test(FieldRef::new(Taxonomy::Raw, field), Test::equals_text(value, Case::Sensitive))
    }

    fn decisive(predicate: &Predicate, event: &Event) -> Vec<String> {
        let (schemas, _) = Schemas::with_packs(&[]);
        let explanation = explain(predicate, event, &schemas, Timestamp(0));
        let name = |decisive: &Decisive<'_, '_>| match &decisive.part.reason {
            Reason::Test { field, .. } => format!("{}{}", if decisive.negated { "not " } else { "" }, field.path),
            other => format!("{other:?}"),
        };
        explanation.decisive().iter().map(name).collect()
    }

    #[test]
    fn the_first_test_that_failed_is_named_and_of_alternatives_the_nearest() {
        let rule = Predicate::all([
            is("a", "1"),
            Predicate::any([
                Predicate::all([is("b", "x"), is("c", "x")]),
                Predicate::all([is("b", "1"), is("d", "2")]),
            ]),
            is("e", "never"),
        ]);
        assert_eq!(decisive(&rule, &event(&[("a", "1"), ("b", "1"), ("d", "1")])), ["d"]);
        assert_eq!(decisive(&rule, &event(&[("a", "2")])), ["a"]);
    }

    #[test]
    fn an_exclusion_that_took_hold_is_named_as_one() {
        let rule = Predicate::all([is("a", "1"), Predicate::any([is("b", "2"), is("c", "3")]).negate()]);
        assert_eq!(decisive(&rule, &event(&[("a", "1"), ("c", "3")])), ["not c"]);
        assert_eq!(decisive(&rule, &event(&[("a", "1")])), ["a", "not b"]);
    }
}
