//! What tails find, before the events behind it are read back.

use std::hash::{Hash, Hasher};

use lurcher_ir::Pairing;
use lurcher_schema::{Object, Schemas, Timestamp, Value};
use rustc_hash::FxHasher;

use super::{EventId, Stores};
use crate::{
    Match, Settings,
    alert::{Detail, Enrichment, ThresholdDetail},
    alert_id,
};

/// What a tail found.
#[derive(Clone, Debug, Default)]
pub(crate) struct RawMatch {
    /// The events, in order; `None` for the absent event of a sequence.
    pub(crate) events: Vec<Option<EventId>>,
    pub(crate) join_keys: Vec<Value>,
    pub(crate) values: Object,
    pub(crate) detail: RawDetail,
    /// The time, in the order of the rule, of its last event; none if that is not known.
    pub(crate) time: Option<Timestamp>,
    /// How many of its first events tell it from others; all, if `None`. A correlation goes on after it was satisfied,
    /// and is the same all the while.
    pub(crate) identified_by: Option<usize>,
}

/// What is particular to a kind of tail.
#[derive(Clone, Debug, Default)]
pub(crate) enum RawDetail {
    #[default]
    None,
    Threshold(ThresholdDetail),
    NewTerms(Vec<Value>),
    Indicators(Vec<RawPairing>),
}

/// An indicator that an event fits, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawPairing {
    pub(crate) indicator: EventId,
    pub(crate) pairing: Pairing,
    pub(crate) value: Value,
}

impl RawMatch {
    /// A match of one event.
    pub(crate) fn of_event(event: EventId, values: Object, time: Option<Timestamp>) -> Self {
        Self { events: vec![Some(event)], values, time, ..Self::default() }
    }

    /// What tells matches of one rule in one run apart.
    pub(crate) fn key(&self) -> u64 {
        let mut hasher = FxHasher::default();
        let events = self.identified_by.unwrap_or(self.events.len()).min(self.events.len());
        self.events[..events].hash(&mut hasher);
        self.join_keys.hash(&mut hasher);
        self.values.hash(&mut hasher);
        hasher.finish()
    }

    /// Reads the events back: as many as an alert shows, and as its id is made from.
    pub(crate) fn read(self, stores: &mut Stores, settings: &Settings, schemas: &Schemas) -> Match {
        let shown = self.events.iter().take(settings.max_evidence.max(alert_id::EVENTS));
        Match {
            event_count: self.events.iter().flatten().count() as u64,
            events: shown.map(|id| id.and_then(|id| stores.get(id))).collect(),
            join_keys: self.join_keys,
            values: self.values,
            detail: match self.detail {
                RawDetail::None => Detail::None,
                RawDetail::Threshold(detail) => Detail::Threshold(detail),
                RawDetail::NewTerms(terms) => Detail::NewTerms(terms),
                RawDetail::Indicators(pairings) => Detail::Indicators(
                    pairings.into_iter().filter_map(|pairing| pairing.read(stores, schemas)).collect(),
                ),
            },
            last: self.time,
            identified_by: self.identified_by,
        }
    }
}

impl RawPairing {
    fn read(self, stores: &mut Stores, schemas: &Schemas) -> Option<Enrichment> {
        let indicator = stores.get(self.indicator)?;
        let index = schemas.indices(&indicator.shape).first().map(ToString::to_string).unwrap_or_default();
        Some(Enrichment {
            field: self.pairing.field.path.to_string(),
            indicator_field: self.pairing.indicator.path.to_string(),
            value: self.value,
            index,
            indicator,
        })
    }
}
