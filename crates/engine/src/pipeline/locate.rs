//! Where addresses lie, by the run's database of places.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use lurcher_ir::{Locate, PlaceFact};
use lurcher_schema::{Timestamp, Value};
use rustc_hash::FxHashMap;

use super::{
    accumulate::lone,
    expression::StageExpr,
    joining::text,
    row::{PipelineRow, RowSource},
};
use crate::{Place, Places, Tables};

/// How many answers are remembered before they are all forgotten.
const REMEMBERED: usize = 1 << 16;

/// A [`Locate`] made ready to run.
#[derive(Debug)]
pub(crate) struct LocatePlan {
    address: StageExpr,
    language: Arc<str>,
    outputs: Vec<(PlaceFact, Arc<str>)>,
    places: Option<Arc<dyn Places>>,
    answers: Mutex<FxHashMap<IpAddr, Option<Arc<Place>>>>,
}

impl LocatePlan {
    pub(super) fn new(words: &Locate, tables: &Tables) -> Self {
        Self {
            address: StageExpr::new(&words.address),
            language: Arc::clone(&words.language),
            outputs: words.outputs.clone(),
            places: tables.places().cloned(),
            answers: Mutex::default(),
        }
    }

    pub(super) fn apply(&self, row: &mut PipelineRow, source: &mut dyn RowSource, now: Timestamp) {
        let address = self.address.value(row, source, now);
        let found: Vec<Arc<Place>> = address.elements().filter_map(|value| self.found(&text(value))).collect();
        for (fact, name) in &self.outputs {
            let values = found.iter().map(|place| said(*fact, place)).filter(|value| !value.is_null());
            row.columns.insert(Arc::clone(name), lone(values.collect()));
        }
    }

    fn found(&self, address: &str) -> Option<Arc<Place>> {
        let places = self.places.as_ref()?;
        // Within an IPv6 address there may be one of IPv4.
        let address = address.trim().parse::<IpAddr>().ok()?.to_canonical();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = answers.get(&address) {
            return known.clone();
        }
        let found = places.find(address, &self.language).map(Arc::new);
        if answers.len() >= REMEMBERED {
            answers.clear();
        }
        answers.insert(address, found.clone());
        found
    }
}

fn said(fact: PlaceFact, place: &Place) -> Value {
    let text = |text: &Option<Arc<str>>| text.clone().map_or(Value::Null, Value::Text);
    let number = |number: Option<f64>| number.map_or(Value::Null, Value::Float);
    match fact {
        PlaceFact::City => text(&place.city),
        PlaceFact::Country => text(&place.country),
        PlaceFact::Region => text(&place.region),
        PlaceFact::Continent => text(&place.continent),
        PlaceFact::TimeZone => text(&place.time_zone),
        PlaceFact::MetroCode => place.metro_code.map_or(Value::Null, |code| Value::Int(i64::from(code))),
        PlaceFact::Latitude => number(place.latitude),
        PlaceFact::Longitude => number(place.longitude),
    }
}
