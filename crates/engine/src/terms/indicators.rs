//! Indicators: events that have values in common with what is known to be bad.
//!
//! An event and an indicator fit if all pairings of one of the rule's alternatives hold between the two. One event is
//! one match, whatever number of indicators it fits; the match names them all. Values pair by their text: an address
//! is text in one index and an address in the other.
//!
//! Source: Elastic's page on indicator match rules; `elastic_languages` §4.3 of the project's notes.

use lurcher_ir::{Indicators, Pairing};
use lurcher_schema::{Object, Value};
use rustc_hash::FxHashMap;

use super::{TermFields, TermHit};
use crate::tail::{RawDetail, RawMatch, RawPairing};

/// An alert names at most so many of the indicators that its event fits.
const MOST_NAMED: usize = 200;

/// Finds the indicators that an event fits.
#[derive(Debug)]
pub(crate) struct Pairer<'t> {
    indicators: &'t Indicators,
    fields: &'t TermFields,
    /// For each alternative, by the text of the value that its first pairing looks at.
    found_by: Vec<FxHashMap<String, Vec<u32>>>,
}

impl<'t> Pairer<'t> {
    /// For these indicators.
    pub(crate) fn new(indicators: &'t Indicators, fields: &'t TermFields, known: &[TermHit]) -> Self {
        let mut found_by = Vec::new();
        for alternative in &indicators.alternatives {
            let mut index: FxHashMap<String, Vec<u32>> = FxHashMap::default();
            if let Some(first) = alternative.iter().find(|pair| !pair.negated) {
                for (number, indicator) in known.iter().enumerate() {
                    for value in of_indicator(fields, indicator, first).elements() {
                        index.entry(value.to_string()).or_default().push(number as u32);
                    }
                }
            }
            found_by.push(index);
        }
        Self { indicators, fields, found_by }
    }

    /// The match that an event is, if it is one, with the indicators that may be used.
    pub(crate) fn pair(&self, hit: &TermHit, known: &[TermHit], usable: &dyn Fn(&TermHit) -> bool) -> Option<RawMatch> {
        let mut pairings = Vec::new();
        let mut alone = false;
        for (alternative, index) in self.indicators.alternatives.iter().zip(&self.found_by) {
            let Some(first) = alternative.iter().find(|pair| !pair.negated) else {
                alone = alone || self.fits_none(alternative, hit, known, usable);
                continue;
            };
            for value in of_event(self.fields, hit, first).elements() {
                let candidates = index.get(&value.to_string()).into_iter().flatten();
                for (number, indicator) in candidates.filter_map(|n| Some((*n, known.get(*n as usize)?))) {
                    let fits =
                        alternative.iter().all(|pair| self.common(pair, hit, indicator).is_some() != pair.negated);
                    if !fits || !usable(indicator) {
                        continue;
                    }
                    for pair in alternative.iter().filter(|pair| !pair.negated) {
                        let Some(value) = self.common(pair, hit, indicator) else { continue };
                        let found = RawPairing { indicator: indicator.event, pairing: pair.clone(), value };
                        pairings.push((number, found));
                    }
                }
            }
        }
        if pairings.is_empty() && !alone {
            return None;
        }
        // Indicators stand in order of time; an alternative may be stated twice.
        pairings.sort_by_key(|(number, _)| *number);
        pairings.dedup();
        pairings.truncate(MOST_NAMED);
        let mut found = RawMatch::of_event(hit.event, Object::default(), hit.place.time);
        found.detail = RawDetail::Indicators(pairings.into_iter().map(|(_, pairing)| pairing).collect());
        Some(found)
    }

    /// Of an alternative of nothing but negated pairings: whether there are indicators and none of them pairs.
    fn fits_none(
        &self,
        alternative: &[Pairing],
        hit: &TermHit,
        known: &[TermHit],
        usable: &dyn Fn(&TermHit) -> bool,
    ) -> bool {
        let has_values = alternative.iter().all(|pair| !of_event(self.fields, hit, pair).is_missing());
        let mut usable = known.iter().filter(|indicator| usable(indicator)).peekable();
        has_values
            && usable.peek().is_some()
            && usable.all(|indicator| alternative.iter().all(|pair| self.common(pair, hit, indicator).is_none()))
    }

    /// The value that an event and an indicator have in common.
    fn common(&self, pair: &Pairing, hit: &TermHit, indicator: &TermHit) -> Option<Value> {
        let theirs = of_indicator(self.fields, indicator, pair);
        let mut own = of_event(self.fields, hit, pair).elements();
        own.find(|value| theirs.elements().any(|other| same(value, other))).cloned()
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => a == b,
        (a, b) => a == b || a.to_string() == b.to_string(),
    }
}

fn of_event<'h>(fields: &TermFields, hit: &'h TermHit, pair: &Pairing) -> &'h Value {
    let at = fields.of_events.iter().position(|field| *field == pair.field);
    at.and_then(|at| hit.values.get(at)).unwrap_or(&Value::Null)
}

fn of_indicator<'h>(fields: &TermFields, hit: &'h TermHit, pair: &Pairing) -> &'h Value {
    let at = fields.of_indicators.iter().position(|field| *field == pair.indicator);
    at.and_then(|at| hit.values.get(at)).unwrap_or(&Value::Null)
}
