//! Thresholds: events counted by the tuple of their values.
//!
//! A tuple's events are its *bucket*. A bucket with enough events, and enough distinct values of the field that counts
//! distinct values, is one match. When the same span of time is looked at again, the events of a bucket up to the last
//! one that was already alerted are left out, so that a burst is alerted once, and again only if it goes on strongly
//! enough.
//!
//! Source: Elastic's page on threshold rules, and `elastic_languages` §4.3 of the project's notes on their detection
//! engine: a document that lacks a field is not counted, each value of a list makes a bucket, without fields there is
//! one bucket.

use std::sync::Arc;

use lurcher_ir::Threshold;
use lurcher_schema::{Timestamp, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{TermHit, Tuple, row, tuples};
use crate::{
    alert::ThresholdDetail,
    tail::{EventId, RawDetail, RawMatch},
};

/// For each tuple up to when its events have been alerted.
pub(crate) type History = FxHashMap<Tuple, Timestamp>;

/// Counts hits in order of time.
#[derive(Debug)]
pub(crate) struct Buckets<'t> {
    threshold: &'t Threshold,
    filled: Vec<(Tuple, Bucket)>,
    places: FxHashMap<Tuple, usize>,
}

#[derive(Debug, Default)]
struct Bucket {
    events: Vec<EventId>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    distinct: FxHashSet<Value>,
}

impl<'t> Buckets<'t> {
    /// Empty ones.
    pub(crate) fn new(threshold: &'t Threshold) -> Self {
        Self { threshold, filled: Vec::new(), places: FxHashMap::default() }
    }

    /// Counts a hit; hits come in order of time.
    pub(crate) fn push(&mut self, hit: &TermHit, history: &History) {
        let keys = self.threshold.keys.len();
        let Some((own, rest)) = hit.values.split_at_checked(keys) else { return };
        for tuple in tuples(own) {
            if history.get(tuple.as_slice()).is_some_and(|last| hit.place.time.is_none_or(|time| time <= *last)) {
                continue;
            }
            let place = if let Some(place) = self.places.get(tuple.as_slice()) {
                *place
            } else {
                let tuple: Tuple = tuple.into();
                self.places.insert(Arc::clone(&tuple), self.filled.len());
                self.filled.push((tuple, Bucket::default()));
                self.filled.len() - 1
            };
            let Some((_, bucket)) = self.filled.get_mut(place) else { continue };
            bucket.events.push(hit.event);
            bucket.first = bucket.first.or(hit.place.time);
            bucket.last = hit.place.time.or(bucket.last);
            bucket.distinct.extend(rest.iter().flat_map(Value::elements).cloned());
        }
    }

    /// The buckets that are full enough, in the order of their first events.
    pub(crate) fn finish(self) -> Vec<RawMatch> {
        let Threshold { keys, at_least, distinct } = self.threshold;
        let full = |bucket: &Bucket| {
            bucket.events.len() as u64 >= *at_least
                && distinct.as_ref().is_none_or(|distinct| bucket.distinct.len() as u64 >= distinct.at_least)
        };
        let matches = self.filled.into_iter().filter(|(_, bucket)| full(bucket)).map(|(tuple, bucket)| {
            let count = bucket.events.len() as u64;
            let cardinality =
                distinct.as_ref().map(|distinct| (distinct.field.path.to_string(), bucket.distinct.len() as u64));
            let mut values = row(keys, &tuple);
            values.insert("count", Value::Int(count as i64));
            if let Some((_, number)) = &cardinality {
                values.insert("distinct_count", Value::Int(*number as i64));
            }
            let terms = keys.iter().zip(tuple.iter()).map(|(key, value)| (key.path.to_string(), value.clone()));
            let detail = ThresholdDetail { terms: terms.collect(), cardinality, count, from: bucket.first };
            RawMatch {
                events: bucket.events.into_iter().map(Some).collect(),
                values,
                detail: RawDetail::Threshold(detail),
                time: bucket.last,
                ..RawMatch::default()
            }
        });
        matches.collect()
    }
}
