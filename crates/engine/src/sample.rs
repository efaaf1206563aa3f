//! Samples: for each tuple of join keys under which every step has an event of its own, one match, or some more where
//! the rule asks for more.
//!
//! Time does not count, so that events without one can be sampled. Which events are taken is fixed, where Elasticsearch
//! leaves it to the shards: steps in order, each gets the event that comes first in the input with which the steps
//! behind it can still be served, as Elasticsearch takes them from a single shard. Further matches of a key are the next
//! ones in that order; they may share events. For `n` steps and `m` matches it is enough to keep the first `n - 1 + m`
//! events of each step, since the other steps can take away at most `n - 1`.
//!
//! Source: `SampleIterator` and its tests in Elasticsearch's EQL plug-in.

use std::{cmp::Ordering, sync::Arc};

use lurcher_schema::{EventRef, Value};
use rustc_hash::FxHashMap;

use crate::sequence::{KeyTuple, StepHit, compare_tiebreakers};

/// Collects the hits of one rule and makes its samples. Hits may come in any order.
#[derive(Debug)]
pub struct Sampler<E> {
    steps: usize,
    per_key: usize,
    /// For each key, for each step the first events of the input, ascending.
    firsts: FxHashMap<KeyTuple, Vec<Vec<(EventRef, E)>>>,
}

/// A match.
#[derive(Clone, Debug)]
pub struct Sampled<E> {
    /// The join keys.
    pub key: KeyTuple,
    /// Its events, one per step.
    pub events: Vec<E>,
}

impl<E: Clone> Sampler<E> {
    /// A sampler without hits, for so many matches a key.
    pub fn new(steps: usize, per_key: usize) -> Self {
        Self { steps, per_key, firsts: FxHashMap::default() }
    }

    /// Takes a hit.
    pub fn push(&mut self, hit: StepHit<E>) {
        let steps = self.steps;
        let most = steps.saturating_add(self.per_key).saturating_sub(1);
        let by_step = self.firsts.entry(hit.key).or_insert_with(|| vec![Vec::new(); steps]);
        let Some(kept) = by_step.get_mut(hit.step) else { return };
        let reference = hit.place.reference;
        let at = kept.partition_point(|(known, _)| *known < reference);
        if at < most && kept.get(at).is_none_or(|(known, _)| *known != reference) {
            kept.insert(at, (reference, hit.event));
            kept.truncate(most);
        }
    }

    /// The samples, in order of their keys: null before all else, numbers by size, texts byte by byte.
    pub fn finish(self) -> Vec<Sampled<E>> {
        let mut by_key: Vec<_> = self.firsts.into_iter().collect();
        by_key.sort_by(|(a, _), (b, _)| compare_keys(a, b));
        let mut samples = Vec::new();
        for (key, by_step) in by_key {
            let found = assignments(&by_step, self.per_key);
            samples.extend(found.into_iter().map(|events| Sampled { key: Arc::clone(&key), events }));
        }
        samples
    }
}

/// The order of keys in which Elasticsearch's composite aggregation goes through them.
fn compare_keys(a: &[Value], b: &[Value]) -> Ordering {
    let compare = |a: &Value, b: &Value| b.is_null().cmp(&a.is_null()).then_with(|| compare_tiebreakers(a, b));
    a.iter().zip(b).map(|(a, b)| compare(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// The first ways to give each step an event of its own, in order of the event of step 0, then of step 1 and so on.
fn assignments<E: Clone>(by_step: &[Vec<(EventRef, E)>], most: usize) -> Vec<Vec<E>> {
    let mut references: Vec<&EventRef> = by_step.iter().flatten().map(|(reference, _)| reference).collect();
    references.sort();
    references.dedup();
    let number = |reference: &EventRef| references.binary_search(&reference).ok();
    let mut choices: Vec<Vec<usize>> =
        by_step.iter().map(|hits| hits.iter().filter_map(|(known, _)| number(known)).collect()).collect();
    let mut found = Vec::new();
    if can_be_served(&choices, references.len()) {
        assign(0, &mut choices, references.len(), most, &mut found);
    }
    let event = |(hits, chosen): (&Vec<(EventRef, E)>, &usize)| {
        hits.iter().find(|(known, _)| number(known) == Some(*chosen)).map(|(_, event)| event.clone())
    };
    found.iter().filter_map(|chosen| by_step.iter().zip(chosen).map(event).collect()).collect()
}

/// Fixes the steps from this one on, in every way that serves them all, until there are enough.
fn assign(step: usize, choices: &mut Vec<Vec<usize>>, events: usize, most: usize, found: &mut Vec<Vec<usize>>) {
    let Some(own) = choices.get_mut(step) else {
        found.push(choices.iter().filter_map(|choice| choice.first().copied()).collect());
        return;
    };
    let candidates = std::mem::take(own);
    for candidate in &candidates {
        if found.len() >= most {
            break;
        }
        choices[step] = vec![*candidate];
        if can_be_served(choices, events) {
            assign(step + 1, choices, events, most, found);
        }
    }
    choices[step] = candidates;
}

/// Whether every step can have an event of its own: a bipartite matching by augmenting paths.
fn can_be_served(choices: &[Vec<usize>], events: usize) -> bool {
    fn serve(step: usize, choices: &[Vec<usize>], tried: &mut [bool], taken: &mut [Option<usize>]) -> bool {
        for &event in choices.get(step).map_or(&[][..], Vec::as_slice) {
            if std::mem::replace(&mut tried[event], true) {
                continue;
            }
            if taken[event].is_none_or(|other| serve(other, choices, tried, taken)) {
                taken[event] = Some(step);
                return true;
            }
        }
        false
    }
    let mut taken = vec![None; events];
    (0..choices.len()).all(|step| serve(step, choices, &mut vec![false; events], &mut taken))
}

#[cfg(test)]
mod tests {
    use lurcher_schema::{Origin, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::sequence::Place;

    fn place(at: i64) -> Place {
        let reference = EventRef { origin: Origin::new("x"), ordinal: at as u64, record: 0 };
        Place { time: Timestamp(0), tiebreaker: Value::Null, reference }
    }

    fn samples_of(steps: usize, per_key: usize, hits: &[(usize, i64, &str)]) -> Vec<Vec<i64>> {
        let mut sampler = Sampler::new(steps, per_key);
        for (step, at, key) in hits {
            sampler.push(StepHit { place: place(*at), step: *step, key: [(*key).into()].into(), event: *at });
        }
        sampler.finish().into_iter().map(|sample| sample.events).collect()
    }

    fn samples(steps: usize, hits: &[(usize, i64, &str)]) -> Vec<Vec<i64>> {
        samples_of(steps, 1, hits)
    }

    #[test]
    fn further_samples_of_a_key_may_share_events() {
        let hits = [(0, 1, "a"), (0, 2, "a"), (1, 3, "a"), (0, 4, "a"), (1, 5, "b"), (0, 6, "b")];
        assert_eq!(samples_of(2, 2, &hits), [[1, 3], [2, 3], [6, 5]]);
        assert_eq!(samples_of(2, 9, &hits), [[1, 3], [2, 3], [4, 3], [6, 5]]);
        assert_eq!(samples_of(2, 9, &[(0, 1, "a"), (1, 1, "a"), (0, 2, "a"), (1, 2, "a")]), [[1, 2], [2, 1]]);
    }

    #[test]
    fn each_key_with_distinct_events_for_all_steps_gives_one_sample() {
        assert_eq!(samples(2, &[(0, 1, "a"), (1, 2, "a"), (0, 3, "b"), (1, 5, "a")]), [[1, 2]]);
        assert_eq!(samples(2, &[(0, 1, "a"), (1, 1, "a")]), Vec::<Vec<i64>>::new());
        assert_eq!(samples(2, &[(1, 1, "b"), (0, 2, "a"), (1, 3, "a"), (0, 9, "b")]), [[2, 3], [9, 1]]);
    }

    #[test]
    fn an_early_step_leaves_an_event_to_a_late_one_that_has_no_other() {
        assert_eq!(samples(2, &[(0, 1, "a"), (0, 2, "a"), (1, 1, "a")]), [[2, 1]]);
        let hits = [(0, 1, "a"), (0, 2, "a"), (1, 1, "a"), (1, 3, "a"), (2, 1, "a")];
        assert_eq!(samples(3, &hits), [[2, 3, 1]]);
    }

    /// All assignments of distinct events, the least of them by (event of step 0, of step 1 …).
    fn brute_force(by_step: &[Vec<i64>]) -> Option<Vec<i64>> {
        fn extend(by_step: &[Vec<i64>], chosen: &mut Vec<i64>) -> bool {
            let Some((events, rest)) = by_step.split_first() else { return true };
            for event in events {
                if !chosen.contains(event) {
                    chosen.push(*event);
                    if extend(rest, chosen) {
                        return true;
                    }
                    chosen.pop();
                }
            }
            false
        }
        let mut chosen = Vec::new();
        extend(by_step, &mut chosen).then_some(chosen)
    }

    proptest! {
        #[test]
        fn the_least_assignment_is_chosen(hits in proptest::collection::vec((0..3_usize, 0..6_i64), 0..14)) {
            let mut by_step = vec![Vec::new(); 3];
            for (step, time) in &hits {
                by_step[*step].push(*time);
            }
            for events in &mut by_step {
                events.sort_unstable();
                events.dedup();
            }
            let hits: Vec<_> = hits.iter().map(|(step, time)| (*step, *time, "k")).collect();
            prop_assert_eq!(samples(3, &hits).pop(), brute_force(&by_step));
        }
    }
}
