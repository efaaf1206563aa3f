//! Tails that compare single values of events: thresholds, new terms, indicators.
//!
//! Of each hit the values of the fields that the tail compares are kept, and where it stands in time. What is found in
//! a span of time is a function of the hits in it (and, for new terms, of those before it): so the order of files,
//! threads and batches cannot matter, and a span can be looked at again and again.

mod indicators;
mod new_terms;
mod threshold;

use std::sync::Arc;

use lurcher_ir::{FieldRef, Tail};
use lurcher_schema::{Object, Timestamp, Value};

pub(crate) use self::{
    indicators::Pairer,
    new_terms::FirstSightings,
    threshold::{Buckets, History},
};
use crate::{pipeline::RowPlace, tail::EventId};

/// How many tuples of values one event may stand under; what lies beyond is counted and dropped.
const MOST_TUPLES: usize = 1_000;

/// A hit: where it stands, and its values of the fields that the tail compares, in their order.
#[derive(Clone, Debug)]
pub(crate) struct TermHit {
    pub(crate) place: RowPlace,
    pub(crate) event: EventId,
    pub(crate) values: Box<[Value]>,
}

/// The event of a hit that only counts as history: there is none.
const NO_EVENT: EventId = EventId { store: u32::MAX, index: u32::MAX };

impl TermHit {
    /// Lets go of the event: the hit only counts as history from now on.
    pub(crate) fn become_history(&mut self) {
        self.event = NO_EVENT;
    }

    /// Whether it only counts as history.
    pub(crate) fn is_history(&self) -> bool {
        self.event == NO_EVENT
    }
}

/// The fields that a tail compares, of its events and of its indicators.
#[derive(Clone, Debug, Default)]
pub(crate) struct TermFields {
    pub(crate) of_events: Vec<FieldRef>,
    pub(crate) of_indicators: Vec<FieldRef>,
    /// The filter of the indicators.
    pub(crate) indicator_filter: Option<usize>,
}

impl TermFields {
    /// Of a tail of this kind; `None` for the others.
    pub(crate) fn of(tail: &Tail) -> Option<Self> {
        match tail {
            Tail::Threshold(_) | Tail::NewTerms(_) => {
                Some(Self { of_events: tail.fields().into_iter().cloned().collect(), ..Self::default() })
            }
            Tail::Indicators(indicators) => {
                let mut fields = Self { indicator_filter: Some(indicators.filter), ..Self::default() };
                for pair in indicators.alternatives.iter().flatten() {
                    add(&mut fields.of_events, &pair.field);
                    add(&mut fields.of_indicators, &pair.indicator);
                }
                Some(fields)
            }
            Tail::Events { .. }
            | Tail::Sequence(_)
            | Tail::Sample { .. }
            | Tail::Correlation(_)
            | Tail::Pipeline(_) => None,
        }
    }
}

fn add(fields: &mut Vec<FieldRef>, field: &FieldRef) {
    if !fields.contains(field) {
        fields.push(field.clone());
    }
}

/// A tuple of single values.
pub(crate) type Tuple = Arc<[Value]>;

/// All tuples of single values, one of each field; none if a field has none.
pub(crate) fn tuples(values: &[Value]) -> Vec<Vec<Value>> {
    let mut tuples: Vec<Vec<Value>> = vec![Vec::new()];
    for value in values {
        let mut singles: Vec<&Value> = Vec::new();
        for single in value.elements() {
            if !singles.contains(&single) {
                singles.push(single);
            }
        }
        tuples = tuples
            .iter()
            .flat_map(|tuple| singles.iter().map(|single| tuple.iter().chain([*single]).cloned().collect()))
            .take(MOST_TUPLES)
            .collect();
    }
    tuples
}

/// A row of named values.
fn row(fields: &[FieldRef], tuple: &[Value]) -> Object {
    fields.iter().zip(tuple).map(|(field, value)| (Arc::from(field.path.as_str()), value.clone())).collect()
}

/// A span of time, both ends included, seen at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Window {
    /// All of time.
    pub(crate) const ALWAYS: Self = Self { from: Timestamp(i64::MIN), to: Timestamp(i64::MAX) };

    /// Whether a time lies in it. What has no time lies in [`Window::ALWAYS`] only.
    pub(crate) fn holds(&self, time: Option<Timestamp>) -> bool {
        time.map_or(*self == Self::ALWAYS, |time| self.from <= time && time <= self.to)
    }
}
