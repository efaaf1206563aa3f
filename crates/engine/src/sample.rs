//! Samples: for each tuple of join keys under which every step has an event of its own, one match.
//!
//! Which events are taken is fixed, where Elasticsearch leaves it to the shards: steps in order, each gets the earliest
//! event (by time, tiebreaker, reference) with which the steps behind it can still be served. For a sample of `n` steps
//! it is enough to keep the `n` earliest events of each step, since the other steps can take away at most `n - 1`.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::sequence::{Completed, KeyTuple, Place, StepHit};

/// Collects the hits of one rule and makes its samples. Hits may come in any order.
#[derive(Debug)]
pub struct Sampler<E> {
    steps: usize,
    /// For each key, for each step the earliest events, ascending.
    earliest: FxHashMap<KeyTuple, Vec<Vec<(Place, E)>>>,
}

impl<E: Clone> Sampler<E> {
    /// A sampler without hits.
    pub fn new(steps: usize) -> Self {
        Self { steps, earliest: FxHashMap::default() }
    }

    /// Takes a hit.
    pub fn push(&mut self, hit: StepHit<E>) {
        let steps = self.steps;
        let by_step = self.earliest.entry(hit.key).or_insert_with(|| vec![Vec::new(); steps]);
        let Some(kept) = by_step.get_mut(hit.step) else { return };
        let at = kept.partition_point(|(place, _)| *place < hit.place);
        if at < steps && kept.get(at).is_none_or(|(place, _)| *place != hit.place) {
            kept.insert(at, (hit.place, hit.event));
            kept.truncate(steps);
        }
    }

    /// The samples, in order of their earliest event, then of their keys.
    pub fn finish(self) -> Vec<Completed<E>> {
        let mut samples: Vec<_> = self
            .earliest
            .into_iter()
            .filter_map(|(key, by_step)| {
                let chosen = assign(&by_step)?;
                let first = chosen.iter().map(|(place, _)| place).min()?.clone();
                let events = chosen.into_iter().map(|(_, event)| Some(event.clone())).collect();
                Some(Completed { key: Arc::clone(&key), first, events })
            })
            .collect();
        samples.sort_by(Completed::compare);
        samples
    }
}

/// Chooses a distinct event for every step, the earliest for the earlier steps; none if that cannot be.
fn assign<E>(by_step: &[Vec<(Place, E)>]) -> Option<Vec<&(Place, E)>> {
    let mut places: Vec<&Place> = by_step.iter().flatten().map(|(place, _)| place).collect();
    places.sort();
    places.dedup();
    let number = |place: &Place| places.binary_search(&place).ok();
    let mut choices: Vec<Vec<usize>> =
        by_step.iter().map(|hits| hits.iter().filter_map(|(place, _)| number(place)).collect()).collect();
    if !can_be_served(&choices, places.len()) {
        return None;
    }
    for step in 0..choices.len() {
        let candidates = std::mem::take(&mut choices[step]);
        for candidate in candidates {
            choices[step] = vec![candidate];
            if can_be_served(&choices, places.len()) {
                break;
            }
        }
    }
    by_step
        .iter()
        .zip(&choices)
        .map(|(hits, choice)| hits.iter().find(|(place, _)| number(place) == choice.first().copied()))
        .collect()
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
    use lurcher_schema::{EventRef, Origin, Timestamp, Value};
    use proptest::prelude::*;

    use super::*;

    fn place(time: i64) -> Place {
        let reference = EventRef { origin: Origin::new("x"), ordinal: time as u64, record: 0 };
        Place { time: Timestamp(time), tiebreaker: Value::Null, reference }
    }

    fn samples(steps: usize, hits: &[(usize, i64, &str)]) -> Vec<Vec<i64>> {
        let mut sampler = Sampler::new(steps);
        for (step, time, key) in hits {
            sampler.push(StepHit { place: place(*time), step: *step, key: [(*key).into()].into(), event: *time });
        }
        sampler.finish().into_iter().map(|sample| sample.events.into_iter().flatten().collect()).collect()
    }

    #[test]
    fn each_key_with_distinct_events_for_all_steps_gives_one_sample() {
        assert_eq!(samples(2, &[(0, 1, "a"), (1, 2, "a"), (0, 3, "b"), (1, 5, "a")]), [[1, 2]]);
        assert_eq!(samples(2, &[(0, 1, "a"), (1, 1, "a")]), Vec::<Vec<i64>>::new());
        assert_eq!(samples(2, &[(1, 1, "b"), (0, 2, "a"), (1, 3, "a"), (0, 9, "b")]), [[9, 1], [2, 3]]);
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
