//! Rule bodies: event predicates, and a tail over the events that they let through.

use std::time::Duration;

use crate::{Correlation, FieldRef, Indicators, NewTerms, Pipeline, Predicate, Threshold};

/// What a rule looks for.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleBody {
    /// The predicates over single events. The tail names them by their index.
    pub filters: Vec<Predicate>,
    /// What is done with the events that they let through.
    pub tail: Tail,
}

/// What is done with the events that the filters let through.
#[derive(Clone, Debug, PartialEq)]
pub enum Tail {
    /// Every event that passes filter 0 is a match of its own.
    Events {
        /// Which of them are kept, in order of time.
        limits: Vec<Limit>,
    },
    /// Events in order of time.
    Sequence(Sequence),
    /// Events in any order: for each key under which every step has a distinct event, matches of one event per step
    /// (the first in the input that can be assigned), in order of the keys. Steps and keys as in [`Sequence`].
    Sample {
        /// At least two.
        steps: Vec<Step>,
        /// At most so many matches a key, at least one. They differ in one event or more.
        per_key: usize,
        /// Which matches are kept, in order of their keys.
        limits: Vec<Limit>,
    },
    /// Events that lie close in time.
    Correlation(Correlation),
    /// Stages over rows.
    Pipeline(Pipeline),
    /// Many events with the same values.
    Threshold(Threshold),
    /// Values that have not been seen for a while.
    NewTerms(NewTerms),
    /// Events that have a value in common with what is known to be bad.
    Indicators(Indicators),
}

impl Tail {
    /// The event fields that events are joined, counted or compared by. Those of a pipeline are in its expressions.
    pub fn fields(&self) -> Vec<&FieldRef> {
        fn keys(steps: &[Step]) -> impl Iterator<Item = &FieldRef> {
            steps.iter().flat_map(|step| &step.keys).map(|key| &key.field)
        }
        match self {
            Self::Events { .. } | Self::Pipeline(_) => Vec::new(),
            Self::Sequence(sequence) => keys(&sequence.steps).chain(keys(sequence.until.as_slice())).collect(),
            Self::Sample { steps, .. } => keys(steps).collect(),
            Self::Correlation(correlation) => {
                let mut fields = Vec::new();
                correlation.fields(&mut |field| fields.push(field));
                fields
            }
            Self::Threshold(Threshold { keys, distinct, .. }) => {
                keys.iter().chain(distinct.iter().map(|distinct| &distinct.field)).collect()
            }
            Self::NewTerms(terms) => terms.fields.iter().collect(),
            Self::Indicators(indicators) => {
                indicators.alternatives.iter().flatten().flat_map(|pair| [&pair.field, &pair.indicator]).collect()
            }
        }
    }
}

/// Keeps part of the matches, in ascending order of (time, tiebreaker).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The first so many.
    Head(u64),
    /// The last so many, still in ascending order.
    Tail(u64),
}

/// Events in order of time, joined by keys.
///
/// The automaton is `reference: EQL sequences`, spelled out in the engine's `sequence` module: newest partial wins, a
/// consumed partial is gone, `maxspan` is inclusive and measured from first to last event.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// The steps in order, at least two, repetitions (`runs`) already written out.
    pub steps: Vec<Step>,
    /// An event that ends every partial match of its key.
    pub until: Option<Step>,
    /// The longest time from first to last event.
    pub max_span: Option<Duration>,
    /// Which matches are kept, in order of the time of their last event.
    pub limits: Vec<Limit>,
}

/// One step of a sequence or sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The index in [`RuleBody::filters`] of what its event must be like.
    pub filter: usize,
    /// The join keys: as many in every step, equal pairwise by type and content. For a field with several values
    /// each of them is a key of its own.
    pub keys: Vec<Key>,
    /// Such an event must be absent.
    pub missing: bool,
}

/// A join key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The field.
    pub field: FieldRef,
    /// Whether a missing field is a key like any other; otherwise events without it are passed over.
    pub optional: bool,
}
