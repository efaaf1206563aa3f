//! New terms: tuples of values that have not been seen for a while.
//!
//! A run looks for the tuples in its window whose first sighting, counted from where the history begins, lies in the
//! window; the event of that sighting is the match, once for each tuple. Over everything at once each event is judged
//! as if a run came just then: its tuples are new if no earlier event within the history has them. So whatever the data
//! begins with is new.
//!
//! Source: Elastic's page on new terms rules; `elastic_languages` §4.3 of the project's notes.

use lurcher_ir::NewTerms;
use lurcher_schema::{Object, Timestamp, Value};
use rustc_hash::FxHashMap;

use super::{TermHit, Tuple, Window, row, tuples};
use crate::tail::{RawDetail, RawMatch};

/// For each tuple the hits that have it, in order of time.
#[derive(Debug, Default)]
pub(crate) struct FirstSightings {
    sightings: FxHashMap<Tuple, Vec<u32>>,
}

impl FirstSightings {
    /// Of hits in order of time.
    pub(crate) fn new(hits: &[TermHit]) -> Self {
        let mut sightings: FxHashMap<Tuple, Vec<u32>> = FxHashMap::default();
        for (number, hit) in hits.iter().enumerate() {
            for tuple in tuples(&hit.values) {
                match sightings.get_mut(tuple.as_slice()) {
                    Some(known) => known.push(number as u32),
                    None => drop(sightings.insert(tuple.into(), vec![number as u32])),
                }
            }
        }
        Self { sightings }
    }

    /// The new tuples of a window, seen at a moment; hits that are not `visible` then do not exist.
    pub(crate) fn in_window(
        &self,
        terms: &NewTerms,
        hits: &[TermHit],
        (window, now): (Window, Timestamp),
        visible: &dyn Fn(&TermHit) -> bool,
    ) -> Vec<RawMatch> {
        let start = terms.history.at(now).min(window.from);
        let first = hits.partition_point(|hit| hit.place.time < Some(window.from));
        let last = hits.partition_point(|hit| hit.place.time <= Some(window.to));
        let mut found = Vec::new();
        let looked_at = |hit: &TermHit| visible(hit) && !hit.is_history();
        for (number, hit) in hits.iter().enumerate().take(last).skip(first).filter(|(_, hit)| looked_at(hit)) {
            for tuple in tuples(&hit.values) {
                let Some(sightings) = self.sightings.get(tuple.as_slice()) else { continue };
                let own = sightings.partition_point(|other| (*other as usize) < number);
                // Nearest first: the history is long, and what is common was seen just now.
                let seen = sightings[..own]
                    .iter()
                    .rev()
                    .filter_map(|other| hits.get(*other as usize))
                    .take_while(|other| other.place.time >= Some(start))
                    .any(visible);
                if !seen {
                    found.push(sighting(terms, hit, tuple));
                }
            }
        }
        found
    }

    /// The new tuples of everything.
    pub(crate) fn in_all(&self, terms: &NewTerms, hits: &[TermHit]) -> Vec<RawMatch> {
        let mut found = Vec::new();
        for (number, hit) in hits.iter().enumerate() {
            let Some(time) = hit.place.time else { continue };
            let start = terms.history.at(time);
            for tuple in tuples(&hit.values) {
                let Some(sightings) = self.sightings.get(tuple.as_slice()) else { continue };
                let own = sightings.partition_point(|other| (*other as usize) < number);
                let previous = own.checked_sub(1).and_then(|at| hits.get(*sightings.get(at)? as usize));
                if previous.is_none_or(|previous| previous.place.time < Some(start)) {
                    found.push(sighting(terms, hit, tuple));
                }
            }
        }
        found
    }
}

fn sighting(terms: &NewTerms, hit: &TermHit, tuple: Vec<Value>) -> RawMatch {
    let mut found = RawMatch::of_event(hit.event, Object::default(), hit.place.time);
    found.values = row(&terms.fields, &tuple);
    found.detail = RawDetail::NewTerms(tuple);
    found
}
