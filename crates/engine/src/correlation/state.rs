//! What is known of a window while it moves: numbers that are kept up to date as events enter and leave.

use lurcher_ir::{Correlation, CorrelationCondition, Measure};
use rustc_hash::FxHashMap;

use super::{Item, in_order, number};
use crate::sequence::KeyTuple;

/// For so many inputs every choice of them is tried where an order is asked for.
pub(super) const MOST_ORDERED: usize = 12;

/// A window's numbers. Sums are made of whole windows' numbers in one way only, by adding and taking away, and are
/// made anew whenever the window is empty, so that errors do not pile up.
#[derive(Debug)]
pub(super) struct State<'c> {
    condition: &'c CorrelationCondition,
    inputs: usize,
    events: u64,
    by_input: Vec<u64>,
    distinct: FxHashMap<KeyTuple, u64>,
    sum: f64,
    /// The numbers, ascending; only for percentiles.
    sorted: Vec<f64>,
    numbers: u64,
}

impl<'c> State<'c> {
    /// Of an empty window.
    pub(super) fn new(correlation: &'c Correlation) -> Self {
        Self {
            condition: &correlation.condition,
            inputs: correlation.inputs.len(),
            events: 0,
            by_input: vec![0; correlation.inputs.len()],
            distinct: FxHashMap::default(),
            sum: 0.0,
            sorted: Vec::new(),
            numbers: 0,
        }
    }

    fn measure(&self) -> Option<Measure> {
        match self.condition {
            CorrelationCondition::Measure { measure, .. } => Some(*measure),
            _ => None,
        }
    }

    /// An item joins at the end.
    pub(super) fn enter(&mut self, item: &Item) {
        self.events += 1;
        if let Some(count) = self.by_input.get_mut(item.input) {
            *count += 1;
        }
        match self.measure() {
            Some(Measure::Distinct) => {
                for value in &item.values {
                    *self.distinct.entry(KeyTuple::clone(value)).or_default() += 1;
                }
            }
            Some(Measure::Sum | Measure::Average) => {
                for number in numbers(item) {
                    self.sum += number;
                    self.numbers += 1;
                }
            }
            Some(Measure::Percentile(_)) => {
                for number in numbers(item) {
                    let at = self.sorted.partition_point(|known| *known < number);
                    self.sorted.insert(at, number);
                }
            }
            _ => {}
        }
    }

    /// The item at the start leaves.
    pub(super) fn leave(&mut self, item: &Item) {
        self.events = self.events.saturating_sub(1);
        if let Some(count) = self.by_input.get_mut(item.input) {
            *count = count.saturating_sub(1);
        }
        match self.measure() {
            Some(Measure::Distinct) => {
                for value in &item.values {
                    if let Some(count) = self.distinct.get_mut(value) {
                        *count -= 1;
                        if *count == 0 {
                            self.distinct.remove(value);
                        }
                    }
                }
            }
            Some(Measure::Sum | Measure::Average) => {
                for number in numbers(item) {
                    self.sum -= number;
                    self.numbers = self.numbers.saturating_sub(1);
                }
                if self.numbers == 0 {
                    self.sum = 0.0;
                }
            }
            Some(Measure::Percentile(_)) => {
                for number in numbers(item) {
                    let at = self.sorted.partition_point(|known| *known < number);
                    if at < self.sorted.len() {
                        self.sorted.remove(at);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether the window, whose items these are, satisfies the condition.
    pub(super) fn holds(&self, window: &[Item]) -> bool {
        match self.condition {
            CorrelationCondition::Measure { measure, comparisons } => {
                let value = self.value(*measure, window);
                value.is_some_and(|value| comparisons.iter().all(|(comparison, to)| comparison.holds(value, *to)))
            }
            CorrelationCondition::Occur(occurrence) => occurrence.holds(&|input| self.occurs(input)),
            CorrelationCondition::OccurInOrder(occurrence) => {
                // Cheap first: what does not occur at all does not occur in order.
                self.may_occur(occurrence) && in_order(occurrence, self.inputs, window)
            }
        }
    }

    /// Whether asking the condition takes a look at every item of the window.
    pub(super) fn is_dear(&self) -> bool {
        matches!(
            self.condition,
            CorrelationCondition::OccurInOrder(_)
                | CorrelationCondition::Measure { measure: Measure::InputsInOrder, .. }
        )
    }

    fn occurs(&self, input: usize) -> bool {
        self.by_input.get(input).is_some_and(|count| *count > 0)
    }

    fn may_occur(&self, occurrence: &lurcher_ir::Occurrence) -> bool {
        occurrence.holds(&|input| self.occurs(input))
    }

    fn value(&self, measure: Measure, window: &[Item]) -> Option<f64> {
        match measure {
            Measure::Events => Some(self.events as f64),
            Measure::Inputs => Some(self.by_input.iter().filter(|count| **count > 0).count() as f64),
            Measure::InputsInOrder => Some(InOrder::new(self.inputs, window).longest() as f64),
            Measure::Distinct => Some(self.distinct.len() as f64),
            Measure::Sum => (self.numbers > 0).then_some(self.sum),
            Measure::Average => (self.numbers > 0).then(|| self.sum / self.numbers as f64),
            Measure::Percentile(percent) => percentile(&self.sorted, percent),
        }
    }
}

fn numbers(item: &Item) -> impl Iterator<Item = f64> {
    item.values.iter().filter_map(|value| value.first()).filter_map(number)
}

/// The percentile of ascending numbers, between two neighbours in proportion (as SQL's `percentile_cont`).
fn percentile(sorted: &[f64], percent: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = (percent / 100.0).clamp(0.0, 1.0) * last as f64;
    let (below, above) = (sorted.get(place.floor() as usize)?, sorted.get((place.ceil() as usize).min(last))?);
    Some(below + (above - below) * place.fract())
}

/// Which inputs follow one another in a window. Items of the same time may stand in any order; each serves one input
/// only.
#[derive(Debug)]
pub(super) struct InOrder<'w> {
    inputs: usize,
    /// The items by time: those of the same time together.
    ties: Vec<&'w [Item]>,
}

impl<'w> InOrder<'w> {
    pub(super) fn new(inputs: usize, window: &'w [Item]) -> Self {
        Self { inputs, ties: window.chunk_by(|a, b| a.time == b.time).collect() }
    }

    /// Whether these inputs follow one another, each by an item of its own.
    pub(super) fn follow(&self, wanted: &[usize]) -> bool {
        let mut next = 0;
        for tie in &self.ties {
            next += Self::serve(tie, wanted.get(next..).unwrap_or(&[]));
        }
        next >= wanted.len()
    }

    /// How many of the wanted inputs, from the first, the items of one time serve.
    fn serve(tie: &[Item], wanted: &[usize]) -> usize {
        let mut used: Vec<u32> = Vec::new();
        for (served, input) in wanted.iter().enumerate() {
            // An event that fits no other wanted input first: others may have no choice.
            let rivals =
                |event: u32| tie.iter().filter(|other| other.event == event && wanted.contains(&other.input)).count();
            let free = tie.iter().filter(|item| item.input == *input && !used.contains(&item.event));
            match free.min_by_key(|item| (rivals(item.event), item.at)) {
                Some(item) => used.push(item.event),
                None => return served,
            }
        }
        wanted.len()
    }

    /// The most inputs, in the order of their numbers, that follow one another.
    pub(super) fn longest(&self) -> usize {
        // By input: the longest chain that ends with it so far, and its last event.
        let mut chains = vec![(0_usize, u32::MAX); self.inputs];
        for tie in &self.ties {
            let mut items: Vec<&Item> = tie.iter().collect();
            items.sort_by_key(|item| item.input);
            for item in items {
                let before = chains.get(..item.input).unwrap_or(&[]).iter().filter(|(_, event)| *event != item.event);
                let length = before.map(|(length, _)| *length).max().unwrap_or(0) + 1;
                if let Some(own) = chains.get_mut(item.input)
                    && length > own.0
                {
                    *own = (length, item.event);
                }
            }
        }
        chains.into_iter().map(|(length, _)| length).max().unwrap_or(0)
    }
}
