//! What is kept for tails that compare single values of events, and what is found in it.

use std::sync::Arc;

use lurcher_ir::Tail;
use lurcher_schema::{Timestamp, Value};

use super::{EventId, Hand, RawDetail, RawMatch, rule_tail::Taken};
use crate::{
    pipeline::{RowPlace, RowSource},
    terms::{Buckets, FirstSightings, History, Pairer, TermFields, TermHit, Window},
};

/// The hits of one rule.
#[derive(Debug)]
pub(super) struct TermsTail {
    pub(super) tail: Tail,
    fields: Arc<TermFields>,
    pub(super) hits: Vec<TermHit>,
    pub(super) indicators: Vec<TermHit>,
    sightings: FirstSightings,
    pub(super) history: History,
}

impl TermsTail {
    /// For a tail of this kind; `None` for the others.
    pub(super) fn new(tail: &Tail) -> Option<Self> {
        Some(Self {
            fields: Arc::new(TermFields::of(tail)?),
            tail: tail.clone(),
            hits: Vec::new(),
            indicators: Vec::new(),
            sightings: FirstSightings::default(),
            history: History::default(),
        })
    }

    pub(super) fn take(&mut self, filter: usize, place: RowPlace, hand: &mut Hand<'_>, taken: &mut Taken) {
        let of_indicator = self.fields.indicator_filter == Some(filter);
        if place.time.is_none() && matches!(self.tail, Tail::NewTerms(_)) {
            taken.undated += 1;
            return;
        }
        let fields = if of_indicator { &self.fields.of_indicators } else { &self.fields.of_events };
        let values: Box<[Value]> = fields.iter().map(|field| hand.field(field)).collect();
        let useless = match &self.tail {
            Tail::Threshold(threshold) => values.iter().take(threshold.keys.len()).any(Value::is_missing),
            Tail::NewTerms(_) => values.iter().any(Value::is_missing),
            _ => values.iter().all(Value::is_missing),
        };
        if !useless {
            let hit = TermHit { place, event: hand.id(), values };
            if of_indicator { self.indicators.push(hit) } else { self.hits.push(hit) }
        }
    }

    pub(super) fn events(&mut self) -> impl Iterator<Item = &mut EventId> {
        self.hits.iter_mut().chain(&mut self.indicators).map(|hit| &mut hit.event)
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.hits.extend(other.hits);
        self.indicators.extend(other.indicators);
    }

    /// Puts the hits in order. To be called when all are there, before anything is looked for.
    pub(super) fn prepare(&mut self) {
        self.hits.sort_by(|a, b| a.place.compare_times(&b.place));
        self.indicators.sort_by(|a, b| a.place.compare_times(&b.place));
        if let Tail::NewTerms(_) = self.tail {
            self.sightings = FirstSightings::new(&self.hits);
        }
    }

    /// The times of the hits that make matches, in order.
    pub(super) fn places(&self) -> impl Iterator<Item = &RowPlace> {
        self.hits.iter().map(|hit| &hit.place)
    }

    /// Whether a span has to be looked at again although no event came into it: an earlier sighting may have left the
    /// history.
    pub(super) fn depends_on_time(&self) -> bool {
        matches!(self.tail, Tail::NewTerms(_))
    }

    /// What is found in everything.
    pub(super) fn find_all(&self) -> Vec<RawMatch> {
        match &self.tail {
            Tail::NewTerms(terms) => self.sightings.in_all(terms, &self.hits),
            _ => self.find(Window::ALWAYS, Timestamp(i64::MAX), &|_| true),
        }
    }

    /// Remembers what a threshold has counted up to when: it is not counted again.
    pub(super) fn remember(&mut self, detail: &RawDetail, last: Timestamp) {
        if let RawDetail::Threshold(detail) = detail {
            self.history.insert(detail.terms.iter().map(|(_, value)| value.clone()).collect(), last);
        }
    }

    /// What is found in a window at a moment, among the hits that are visible then.
    pub(super) fn find(&self, window: Window, now: Timestamp, visible: &dyn Fn(&RowPlace) -> bool) -> Vec<RawMatch> {
        let seen = |hit: &TermHit| visible(&hit.place);
        let first =
            self.hits.partition_point(|hit| !window.holds(hit.place.time) && hit.place.time < Some(window.from));
        let inside =
            || self.hits.iter().skip(first).take_while(|hit| window.holds(hit.place.time)).filter(|hit| seen(hit));
        match &self.tail {
            Tail::Threshold(threshold) => {
                let mut buckets = Buckets::new(threshold);
                inside().for_each(|hit| buckets.push(hit, &self.history));
                buckets.finish()
            }
            Tail::NewTerms(terms) => self.sightings.in_window(terms, &self.hits, (window, now), &seen),
            Tail::Indicators(indicators) => {
                let pairer = Pairer::new(indicators, &self.fields, &self.indicators);
                let usable = |hit: &TermHit| seen(hit) && hit.place.time.is_none_or(|time| time <= now);
                inside().filter_map(|hit| pairer.pair(hit, &self.indicators, &usable)).collect()
            }
            Tail::Events { .. }
            | Tail::Sequence(_)
            | Tail::Sample { .. }
            | Tail::Correlation(_)
            | Tail::Pipeline(_) => Vec::new(),
        }
    }
}
