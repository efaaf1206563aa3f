//! Sequences: the automaton that joins events in order of time.
//!
//! For each tuple of join keys there is one *slot* per step that must be present. Events come in ascending order of
//! (time, tiebreaker, reference). An event that fits step `n` takes the partial match out of slot `n - 1`, is added to
//! it, and puts it into slot `n`, over whatever stood there; an event that fits step 0 begins a new partial in slot 0,
//! over whatever stood there. From this follows all that is peculiar about EQL's sequences:
//!
//! * the newest partial wins, and a consumed partial is gone: `A1 A2 B3` yields only `A2 B3`, `A1 B2 B3` only `A1 B2`;
//! * one event never stands twice in a match, for the steps are tried from the last to the first;
//! * `maxspan` is inclusive and measured from first to last event; a partial that fails it is discarded;
//! * an event that ends sequences (`until`) clears the slots of its key; if it also fits the next step, it is added
//!   first, and what it completes is complete.
//!
//! Steps that must be *missing* are not part of the slots. When the others are complete, the events that fit a missing
//! step (of the same key) decide, by time alone:
//!
//! * between two present steps: one strictly between the two discards the match;
//! * before the first or after the last present step: let `a` be the latest before the first event and `b` the earliest
//!   after the last. The match is kept if a side that has missing steps has no such event; else if `b - a`, or `b` less
//!   the first event, or the last event less `a`, is more than `maxspan`.
//!
//! So a match with missing steps behind it is decided late: when `b` comes, when time has passed beyond the span
//! ([`Automaton::advance`]), or at the end ([`Automaton::finish`]).
//!
//! Source: `SequenceMatcher`, `TumblingWindow` and their tests in Elasticsearch's EQL plug-in. What this does not do:
//! order events (see `tail`), evaluate predicates, or apply `head` and `tail`.

use std::{cmp::Ordering, sync::Arc};

use lurcher_ir::{Sequence, Step};
use lurcher_schema::{EventRef, Timestamp, Value};
use rustc_hash::FxHashMap;

/// The tuple of an event's join keys. Equal by type and content; null is a key like any other.
pub type KeyTuple = Arc<[Value]>;

/// An event that fits a step, under one tuple of join keys.
#[derive(Clone, Debug)]
pub struct StepHit<E> {
    /// When, and in which order among events of the same time.
    pub place: Place,
    /// The step: its index in [`Sequence::steps`], or the number of steps for the event that ends sequences.
    pub step: usize,
    /// Its join keys.
    pub key: KeyTuple,
    /// The event, or what stands for it.
    pub event: E,
}

/// Where an event stands in the order of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The time that the rule orders events by.
    pub time: Timestamp,
    /// The value of the rule's tiebreaker field; null, which comes last, if there is none.
    pub tiebreaker: Value,
    /// Which event it is; breaks the remaining ties.
    pub reference: EventRef,
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.time
            .cmp(&other.time)
            .then_with(|| compare_tiebreakers(&self.tiebreaker, &other.tiebreaker))
            .then_with(|| self.reference.cmp(&other.reference))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A total order of tiebreakers: numbers by size, then texts byte by byte, then booleans, then anything else as JSON;
/// nulls last.
pub(crate) fn compare_tiebreakers(a: &Value, b: &Value) -> Ordering {
    fn rank(value: &Value) -> u8 {
        match value {
            Value::Int(_) | Value::Float(_) => 0,
            Value::Text(_) => 1,
            Value::Bool(_) => 2,
            Value::List(_) | Value::Object(_) => 3,
            Value::Null => 4,
        }
    }
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => match rank(a).cmp(&rank(b)) {
            Ordering::Equal => match (a.as_number(), b.as_number()) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => a.to_string().cmp(&b.to_string()),
            },
            unequal => unequal,
        },
    }
}

/// The order in which hits are pushed: events in order, and for one event the steps from the last to the first, the end
/// of sequences after them.
pub fn compare_hits<E>(steps: usize, a: &StepHit<E>, b: &StepHit<E>) -> Ordering {
    let turn = |step: usize| if step >= steps { steps } else { steps - 1 - step };
    a.place.cmp(&b.place).then_with(|| turn(a.step).cmp(&turn(b.step))).then_with(|| compare_keys(&a.key, &b.key))
}

/// A total order of key tuples, so that output does not depend on hash order.
pub(crate) fn compare_keys(a: &[Value], b: &[Value]) -> Ordering {
    let unequal = a.iter().zip(b).map(|(a, b)| compare_tiebreakers(a, b)).find(|order| order.is_ne());
    unequal.unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// A match.
#[derive(Clone, Debug)]
pub struct Completed<E> {
    /// The join keys.
    pub key: KeyTuple,
    /// Where its last event stands: matches are ordered by it.
    pub last: Place,
    /// Its events, one per step; `None` for a step that must be missing.
    pub events: Vec<Option<E>>,
}

impl<E> Completed<E> {
    /// The order of matches: by their last event, then by their keys.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.last.cmp(&other.last).then_with(|| compare_keys(&self.key, &other.key))
    }
}

/// The automaton of one rule. Holds the events of open matches as `E`, whatever that is.
#[derive(Debug)]
pub struct Automaton<E> {
    layout: Layout,
    states: FxHashMap<KeyTuple, State<E>>,
}

/// What a sequence's steps amount to.
#[derive(Debug)]
struct Layout {
    /// For each step its slot, if it must be present; otherwise its gap (see [`Gap`]).
    roles: Vec<Role>,
    /// How many steps must be present.
    slots: usize,
    /// In microseconds.
    max_span: Option<i64>,
    /// Whether there are missing steps before the first, and after the last, that must be present.
    leading: bool,
    trailing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Must be present; this is its slot.
    Present(usize),
    /// Must be missing; so many present steps stand before it.
    Missing(usize),
}

/// All that is open under one tuple of keys.
#[derive(Debug)]
struct State<E> {
    slots: Vec<Option<Partial<E>>>,
    /// For each gap (before slot 0, before slot 1 …, after the last) when events came that fit a step that must be
    /// missing there; ascending.
    gaps: Vec<Vec<Timestamp>>,
    /// Complete but for what may yet come behind them.
    pending: Vec<Pending<E>>,
}

#[derive(Debug)]
struct Partial<E> {
    events: Vec<(Place, E)>,
}

#[derive(Debug)]
struct Pending<E> {
    partial: Partial<E>,
    /// What the span is measured from: the event before the match that should be missing, else its first event.
    from: Timestamp,
}

impl<E> Automaton<E> {
    /// An automaton without partial matches.
    pub fn new(sequence: &Sequence) -> Self {
        let max_span = sequence.max_span.map(|span| i64::try_from(span.as_micros()).unwrap_or(i64::MAX));
        Self { layout: Layout::new(&sequence.steps, max_span), states: FxHashMap::default() }
    }

    /// Takes the next hit, in the order of [`compare_hits`]; returns the matches that are decided by it.
    pub fn push(&mut self, hit: StepHit<E>) -> Vec<Completed<E>> {
        let layout = &self.layout;
        let Some(role) = layout.roles.get(hit.step) else {
            if let Some(state) = self.states.get_mut(&hit.key) {
                state.slots.iter_mut().for_each(|slot| *slot = None);
            }
            return Vec::new();
        };
        let opens = matches!(role, Role::Present(0) | Role::Missing(_));
        if !opens && !self.states.contains_key(&hit.key) {
            return Vec::new();
        }
        let state = self.states.entry(Arc::clone(&hit.key)).or_insert_with(|| State::new(layout));
        match *role {
            Role::Present(slot) => {
                let done = state.fill(layout, slot, hit.place, hit.event);
                done.map(|partial| layout.complete(&hit.key, partial)).into_iter().collect()
            }
            Role::Missing(gap) => {
                let kept = state.seen_in_gap(layout, gap, hit.place.time);
                kept.into_iter().map(|partial| layout.complete(&hit.key, partial)).collect()
            }
        }
    }

    /// Says that no hit from before this time will come; returns the matches that only waited for that, and forgets
    /// what can no longer be completed. For events that keep coming; never needed where all are there.
    pub fn advance(&mut self, watermark: Timestamp) -> Vec<Completed<E>> {
        let Some(max_span) = self.layout.max_span else { return Vec::new() };
        let mut completed = Vec::new();
        let layout = &self.layout;
        self.states.retain(|key, state| {
            let waiting = std::mem::take(&mut state.pending);
            for pending in waiting {
                if micros_between(pending.from, watermark) > max_span {
                    completed.push(layout.complete(key, pending.partial));
                } else {
                    state.pending.push(pending);
                }
            }
            state.forget(watermark, max_span)
        });
        completed.sort_by(Completed::compare);
        completed
    }

    /// Says that no hit will come any more; returns the matches that waited.
    pub fn finish(self) -> Vec<Completed<E>> {
        let layout = self.layout;
        let mut completed: Vec<_> = self
            .states
            .into_iter()
            .flat_map(|(key, state)| {
                let complete = |pending: Pending<E>| layout.complete(&key, pending.partial);
                state.pending.into_iter().map(complete).collect::<Vec<_>>()
            })
            .collect();
        completed.sort_by(Completed::compare);
        completed
    }

    /// How many tuples of keys have something open.
    pub fn open_keys(&self) -> usize {
        self.states.len()
    }
}

impl Layout {
    fn new(steps: &[Step], max_span: Option<i64>) -> Self {
        let mut slots = 0;
        let roles: Vec<Role> = steps
            .iter()
            .map(|step| {
                if step.missing {
                    return Role::Missing(slots);
                }
                slots += 1;
                Role::Present(slots - 1)
            })
            .collect();
        let (leading, trailing) = (roles.contains(&Role::Missing(0)), roles.contains(&Role::Missing(slots)));
        Self { roles, slots, max_span, leading, trailing }
    }

    fn exceeds(&self, from: Timestamp, to: Timestamp) -> bool {
        self.max_span.is_some_and(|span| micros_between(from, to) > span)
    }

    fn complete<E>(&self, key: &KeyTuple, partial: Partial<E>) -> Completed<E> {
        let nowhere = || Place {
            time: Timestamp(0),
            tiebreaker: Value::Null,
            reference: EventRef { origin: lurcher_schema::Origin::new(""), ordinal: 0, record: 0 },
        };
        let last = partial.events.last().map_or_else(nowhere, |(place, _)| place.clone());
        let mut present = partial.events.into_iter();
        let events = self
            .roles
            .iter()
            .map(|role| match role {
                Role::Present(_) => present.next().map(|(_, event)| event),
                Role::Missing(_) => None,
            })
            .collect();
        Completed { key: Arc::clone(key), last, events }
    }
}

impl<E> State<E> {
    fn new(layout: &Layout) -> Self {
        Self {
            slots: std::iter::repeat_with(|| None).take(layout.slots).collect(),
            gaps: vec![Vec::new(); layout.slots + 1],
            pending: Vec::new(),
        }
    }

    /// Adds an event to the partial match that waits for it; returns the match if it is complete and decided.
    fn fill(&mut self, layout: &Layout, slot: usize, place: Place, event: E) -> Option<Partial<E>> {
        let partial = match slot.checked_sub(1) {
            None => Partial { events: vec![(place, event)] },
            Some(before) => {
                let waiting = self.slots.get_mut(before)?;
                let (first, last) = waiting.as_ref().and_then(|partial| partial.ends())?;
                if last.reference == place.reference {
                    return None;
                }
                let late = layout.exceeds(first.time, place.time);
                let mut partial = waiting.take()?;
                if late {
                    return None;
                }
                partial.events.push((place, event));
                partial
            }
        };
        if slot + 1 < layout.slots {
            *self.slots.get_mut(slot)? = Some(partial);
            return None;
        }
        self.judge(layout, partial)
    }

    /// Looks at the steps that must be missing: returns the match if it is decided in its favour, keeps it pending if
    /// that depends on what comes, drops it otherwise.
    fn judge(&mut self, layout: &Layout, partial: Partial<E>) -> Option<Partial<E>> {
        let between = partial.events.windows(2).enumerate().any(|(before, pair)| {
            let [(earlier, _), (later, _)] = pair else { return false };
            let gap = self.gaps.get(before + 1).map_or(&[][..], Vec::as_slice);
            let next = gap.partition_point(|time| *time <= earlier.time);
            gap.get(next).is_some_and(|time| *time < later.time)
        });
        if between {
            return None;
        }
        let (first, last) = partial.ends().map(|(first, last)| (first.time, last.time))?;
        let before = self.gaps.first().filter(|_| layout.leading).and_then(|gap| {
            let at = gap.partition_point(|time| *time < first);
            gap.get(at.checked_sub(1)?).copied()
        });
        match (layout.leading, before, layout.trailing) {
            (true, None, _) | (false, _, false) => Some(partial),
            (true, Some(before), false) => layout.exceeds(before, last).then_some(partial),
            (_, before, true) => {
                self.pending.push(Pending { partial, from: before.unwrap_or(first) });
                None
            }
        }
    }

    /// Notes an event that fits a step that must be missing; returns the pending matches that are decided by it in
    /// their favour.
    fn seen_in_gap(&mut self, layout: &Layout, gap: usize, time: Timestamp) -> Vec<Partial<E>> {
        if let Some(times) = self.gaps.get_mut(gap)
            && times.last() != Some(&time)
        {
            times.push(time);
        }
        let mut kept = Vec::new();
        if gap == layout.slots {
            for pending in std::mem::take(&mut self.pending) {
                let behind = pending.partial.ends().is_some_and(|(_, last)| time > last.time);
                if !behind {
                    self.pending.push(pending);
                } else if layout.exceeds(pending.from, time) {
                    kept.push(pending.partial);
                }
            }
        }
        kept
    }

    /// Drops what is too old to matter; false if nothing is left.
    fn forget(&mut self, watermark: Timestamp, max_span: i64) -> bool {
        for slot in &mut self.slots {
            let too_old = |partial: &Partial<E>| {
                partial.ends().is_none_or(|(first, _)| micros_between(first.time, watermark) > max_span)
            };
            if slot.as_ref().is_some_and(too_old) {
                *slot = None;
            }
        }
        // A match may still begin one span ago, and what should be missing counts one span before that.
        let horizon = max_span.saturating_mul(2);
        for gap in &mut self.gaps {
            let old = gap.partition_point(|time| micros_between(*time, watermark) > horizon);
            gap.drain(..old);
        }
        self.slots.iter().any(Option::is_some)
            || self.gaps.iter().any(|gap| !gap.is_empty())
            || !self.pending.is_empty()
    }
}

impl<E> Partial<E> {
    fn ends(&self) -> Option<(&Place, &Place)> {
        Some((&self.events.first()?.0, &self.events.last()?.0))
    }
}

fn micros_between(from: Timestamp, to: Timestamp) -> i64 {
    to.0.saturating_sub(from.0)
}

#[cfg(test)]
mod tests;
