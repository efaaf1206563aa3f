//! Correlations: hits of several filters to runs of windows that satisfy a condition.
//!
//! What a window is and when windows are one match stands at [`lurcher_ir::Correlation`]. All hits of a rule are here at
//! once and are sorted by (time, tiebreaker, reference), so the order in which they came cannot matter; an event that
//! came late lies where it belongs. One pass over a key's events finds the windows: they move on by one event at a
//! time, and counts, sums and distinct values are kept up to date as events enter and leave. What this does not do:
//! evaluate predicates, read fields, keep events.

use std::{collections::BTreeSet, sync::Arc};

use lurcher_ir::{Correlation, CorrelationCondition, CorrelationInput, Measure, Occurrence};
use lurcher_schema::{Timestamp, Value};
use rustc_hash::FxHashMap;

mod state;

use self::state::{InOrder, State};
use crate::sequence::{KeyTuple, Place, compare_keys};

/// An event that passed a filter, with what the correlation read of it.
#[derive(Clone, Debug)]
pub struct CorrelationHit<E> {
    /// When, and in which order among events of the same time.
    pub place: Place,
    /// The number of the input, counted as in [`Correlation::leaves`].
    pub leaf: usize,
    /// For each level, innermost first, what [`lurcher_ir::CorrelationRead`] asks for.
    pub read: Vec<Read>,
    /// The event, or what stands for it.
    pub event: E,
}

/// What was read of an event for one level.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// The keys that it stands under.
    pub keys: Vec<KeyTuple>,
    /// The values that are counted or computed with; each a tuple.
    pub values: Vec<KeyTuple>,
}

/// A run of windows that satisfy the condition, one after the other.
#[derive(Clone, Debug)]
pub struct Correlated<E> {
    /// The key.
    pub key: KeyTuple,
    /// Its events in order, each once.
    pub events: Vec<(Place, E)>,
    /// When the condition was first satisfied.
    pub first: Timestamp,
}

/// The matches of a correlation, in order of their first event, then of their keys.
pub fn correlate<E: Clone>(correlation: &Correlation, mut hits: Vec<CorrelationHit<E>>) -> Vec<Correlated<E>> {
    hits.sort_by(|a, b| a.place.cmp(&b.place).then(a.leaf.cmp(&b.leaf)));
    let mut found: Vec<Correlated<E>> = runs(correlation, 0, 0, &hits)
        .into_iter()
        .map(|run| {
            let mut events: Vec<(Place, E)> = run
                .hits
                .iter()
                .filter_map(|at| hits.get(*at as usize))
                .map(|hit| (hit.place.clone(), hit.event.clone()))
                .collect();
            events.dedup_by(|(a, _), (b, _)| a == b);
            Correlated { key: run.key, events, first: run.first }
        })
        .collect();
    let first = |run: &Correlated<E>| run.events.first().map(|(place, _)| place.clone());
    found.sort_by(|a, b| first(a).cmp(&first(b)).then_with(|| compare_keys(&a.key, &b.key)));
    found
}

/// A run, its events as indices into the hits.
struct Run {
    key: KeyTuple,
    hits: BTreeSet<u32>,
    first: Timestamp,
    /// The events at which the condition held.
    held: Vec<u32>,
}

/// What one level counts: an event, or a match of an inner correlation.
#[derive(Debug)]
pub(crate) struct Item {
    /// Orders items; the index of the hit that it stands at.
    pub(crate) at: u32,
    /// What tells its event from others: one event may have hits of several inputs.
    pub(crate) event: u32,
    /// When.
    pub(crate) time: Timestamp,
    /// Which input of this level it comes from.
    pub(crate) input: usize,
    /// Its values at this level.
    pub(crate) values: Vec<KeyTuple>,
    /// The hits behind a match of an inner correlation; without one, the hit at `at`.
    hits: Option<Arc<[u32]>>,
}

impl Item {
    fn hits(&self) -> impl Iterator<Item = u32> {
        let own = if self.hits.is_none() { Some(self.at) } else { None };
        own.into_iter().chain(self.hits.iter().flat_map(|hits| hits.iter().copied()))
    }
}

/// The runs of one level. `first_leaf` is the number of its first leaf, `depth` its distance from the outermost.
fn runs<E>(correlation: &Correlation, first_leaf: usize, depth: usize, hits: &[CorrelationHit<E>]) -> Vec<Run> {
    let mut groups: FxHashMap<KeyTuple, Vec<Item>> = FxHashMap::default();
    let mut leaf = first_leaf;
    for (number, input) in correlation.inputs.iter().enumerate() {
        match input {
            CorrelationInput::Filter { reads, .. } => {
                // The reads are innermost first; this level is `depth` away from the outermost, which is the last.
                let level = reads.len().saturating_sub(depth + 1);
                for (at, hit) in hits.iter().enumerate().filter(|(_, hit)| hit.leaf == leaf) {
                    let Some(read) = hit.read.get(level) else { continue };
                    for key in &read.keys {
                        groups.entry(Arc::clone(key)).or_default().push(Item {
                            at: at as u32,
                            event: event(hits, at),
                            time: hit.place.time,
                            input: number,
                            values: read.values.clone(),
                            hits: None,
                        });
                    }
                }
                leaf += 1;
            }
            CorrelationInput::Correlation(inner) => {
                let leaves = inner.leaves();
                for run in runs(inner, leaf, depth + 1, hits) {
                    add_matches(&mut groups, number, &run, &leaves, leaf, depth, counts(&correlation.condition), hits);
                }
                leaf += leaves.len();
            }
        }
    }
    let mut keys: Vec<KeyTuple> = groups.keys().cloned().collect();
    keys.sort_by(|a, b| compare_keys(a, b));
    let mut found = Vec::new();
    for key in keys {
        let Some(mut items) = groups.remove(&key) else { continue };
        items.sort_by(|a, b| a.at.cmp(&b.at).then(a.input.cmp(&b.input)));
        found.extend(group_runs(correlation, &key, &items));
    }
    found
}

/// The first hit of the event whose hit this is: hits of one event stand side by side.
fn event<E>(hits: &[CorrelationHit<E>], at: usize) -> u32 {
    let Some(own) = hits.get(at) else { return at as u32 };
    let before = hits.get(..at).unwrap_or(&[]).iter().rev().take_while(|hit| hit.place == own.place).count();
    (at - before) as u32
}

/// Whether the condition is about how many there are, rather than which inputs occur.
fn counts(condition: &CorrelationCondition) -> bool {
    matches!(condition, CorrelationCondition::Measure { measure, .. }
        if !matches!(measure, Measure::Inputs | Measure::InputsInOrder))
}

/// Adds a match of an inner correlation under every key that its events have at this level.
#[expect(clippy::too_many_arguments, reason = "one step of `runs`, taken out for its length")]
fn add_matches<E>(
    groups: &mut FxHashMap<KeyTuple, Vec<Item>>,
    input: usize,
    run: &Run,
    leaves: &[&CorrelationInput],
    first_leaf: usize,
    depth: usize,
    once: bool,
    hits: &[CorrelationHit<E>],
) {
    let mut by_key: FxHashMap<KeyTuple, Vec<KeyTuple>> = FxHashMap::default();
    for at in &run.hits {
        let Some(hit) = hits.get(*at as usize) else { continue };
        let reads = match hit.leaf.checked_sub(first_leaf).and_then(|own| leaves.get(own)) {
            Some(CorrelationInput::Filter { reads, .. }) => reads.len(),
            _ => continue,
        };
        let Some(read) = hit.read.get(reads.saturating_sub(depth + 1)) else { continue };
        for key in &read.keys {
            let values = by_key.entry(Arc::clone(key)).or_default();
            for value in &read.values {
                if !values.contains(value) {
                    values.push(Arc::clone(value));
                }
            }
        }
    }
    let moments: Vec<u32> = if once { run.held.first().copied().into_iter().collect() } else { run.held.clone() };
    let behind: Arc<[u32]> = run.hits.iter().copied().collect();
    for (key, values) in by_key {
        for at in &moments {
            let Some(hit) = hits.get(*at as usize) else { continue };
            groups.entry(Arc::clone(&key)).or_default().push(Item {
                at: *at,
                event: event(hits, *at as usize),
                time: hit.place.time,
                input,
                values: values.clone(),
                hits: Some(Arc::clone(&behind)),
            });
        }
    }
}

/// The runs among the items of one key, which are in order.
fn group_runs(correlation: &Correlation, key: &KeyTuple, items: &[Item]) -> Vec<Run> {
    let span = correlation.span.map(|span| i64::try_from(span.as_micros()).unwrap_or(i64::MAX));
    let within = |first: &Item, last: &Item| span.is_none_or(|span| last.time.0.saturating_sub(first.time.0) <= span);
    let mut state = State::new(correlation);
    let mut start = 0;
    let mut runs: Vec<(usize, usize, Vec<u32>, Timestamp)> = Vec::new();
    // Where the condition held in the window as far as it had come.
    let mut held: Vec<u32> = Vec::new();
    for (last, item) in items.iter().enumerate() {
        state.enter(item);
        while items.get(start).is_some_and(|first| !within(first, item)) {
            if let Some(first) = items.get(start) {
                state.leave(first);
            }
            start += 1;
        }
        let window = items.get(start..=last).unwrap_or(&[]);
        let complete = match (items.get(last + 1), items.get(start)) {
            (Some(next), Some(first)) => !within(first, next),
            _ => true,
        };
        if state.is_dear() && !complete {
            continue;
        }
        let holds = state.holds(window);
        if holds && state.is_dear() {
            // What occurs in order in a part of a window does so in the whole, so the first part is soon found.
            let earliest = (1..=window.len()).collect::<Vec<_>>().partition_point(|n| !state.holds(&window[..*n]));
            let from = held.last().map_or(0, |at| *at as usize + 1).max(start + earliest);
            held.extend((from..=last).map(|at| at as u32));
        } else if holds {
            held.push(last as u32);
        }
        if !(complete && holds) {
            continue;
        }
        let moments = held.iter().filter(|at| **at as usize >= start).copied();
        match runs.last_mut() {
            Some((_, end, known, _)) if start <= *end => {
                let newest = known.last().copied();
                known.extend(moments.filter(|at| newest.is_none_or(|newest| *at > newest)));
                *end = last;
            }
            _ => {
                let moments: Vec<u32> = moments.collect();
                let first = moments.first().and_then(|at| items.get(*at as usize)).unwrap_or(item).time;
                runs.push((start, last, moments, first));
            }
        }
    }
    runs.into_iter()
        .map(|(start, end, held, first)| {
            let own = items.get(start..=end).unwrap_or(&[]);
            let held = held.into_iter().filter_map(|at| items.get(at as usize)).map(|item| item.at).collect();
            Run { key: Arc::clone(key), hits: own.iter().flat_map(Item::hits).collect(), first, held }
        })
        .collect()
}

/// Whether the occurrence holds of a window, with the inputs that it needs in the order of their numbers.
pub(crate) fn in_order(occurrence: &Occurrence, inputs: usize, window: &[Item]) -> bool {
    let present: Vec<bool> = (0..inputs).map(|input| window.iter().any(|item| item.input == input)).collect();
    let order = InOrder::new(inputs, window);
    let occurring: Vec<usize> = (0..inputs).filter(|input| present.get(*input) == Some(&true)).collect();
    // Which of the occurring inputs are to be taken is tried from all of them down; rules name only a few.
    if occurring.len() > state::MOST_ORDERED {
        return occurrence.holds(&|input| present.get(input) == Some(&true)) && order.follow(&occurring);
    }
    (0..1_u32 << occurring.len()).rev().any(|chosen| {
        let taken: Vec<usize> =
            occurring.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1).map(|(_, input)| *input).collect();
        satisfies(occurrence, &taken, &present) && order.follow(&taken)
    })
}

/// What must occur is looked for among the inputs taken, what must not among all that occur.
fn satisfies(occurrence: &Occurrence, taken: &[usize], present: &[bool]) -> bool {
    match occurrence {
        Occurrence::Input(input) => taken.contains(input),
        Occurrence::All(parts) => parts.iter().all(|part| satisfies(part, taken, present)),
        Occurrence::Any(parts) => parts.iter().any(|part| satisfies(part, taken, present)),
        Occurrence::Not(inner) => !inner.holds(&|input| present.get(input) == Some(&true)),
    }
}

/// The number that a value is or that its text reads as.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        other => other.as_number(),
    }
}

#[cfg(test)]
mod tests;
