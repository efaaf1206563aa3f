//! When events arrived, where that was after they happened: a run on the virtual clock sees only what has arrived.

use lurcher_ir::{FieldRef, Rule};
use lurcher_schema::{EventRef, Taxonomy, Timestamp, Value};
use rustc_hash::FxHashMap;

use super::{Hand, fields::read_time, rule_tail::taxonomy};
use crate::pipeline::RowSource;

/// The late events of one rule.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// The field that says when an event arrived.
    field: Option<FieldRef>,
    late: FxHashMap<EventRef, Timestamp>,
}

impl Arrivals {
    /// For a rule: where its taxonomy says when events arrived.
    pub(super) fn new(rule: &Rule) -> Self {
        let field = match rule.body.as_ref().and_then(taxonomy) {
            Some(Taxonomy::Ecs) => Some(FieldRef::new(Taxonomy::Ecs, "event.ingested")),
            Some(Taxonomy::Cim) => Some(FieldRef::new(Taxonomy::Raw, "_indextime")),
            _ => None,
        };
        Self { field, late: FxHashMap::default() }
    }

    /// Notes when the event at hand arrived, if that was after the time that the rule orders it by.
    pub(super) fn note(&mut self, time: Option<Timestamp>, hand: &mut Hand<'_>) {
        let Some((time, field)) = time.zip(self.field.as_ref()) else { return };
        let value = hand.field(field);
        let arrival = if field.taxonomy == Taxonomy::Raw { read_seconds(&value) } else { read_time(&value) };
        if let Some(arrival) = arrival.filter(|arrival| *arrival > time) {
            self.late.insert(hand.reference(), arrival);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.late.extend(other.late);
    }

    /// When an event arrived, if it was late.
    pub(super) fn of(&self, reference: Option<&EventRef>) -> Option<Timestamp> {
        self.late.get(reference?).copied()
    }
}

/// Reads seconds since 1970.
fn read_seconds(value: &Value) -> Option<Timestamp> {
    let first = value.elements().next()?;
    let seconds = first.as_number().or_else(|| first.as_text()?.trim().parse().ok())?;
    Some(Timestamp::from_seconds(seconds))
}
