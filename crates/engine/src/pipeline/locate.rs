//! What a run knows besides its events: where addresses lie, and which programs give themselves a name.

use std::{
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use lurcher_ir::{AgentFact, Locate, PlaceFact, Recognize};
use lurcher_schema::{Timestamp, Value};
use rustc_hash::FxHashMap;

use super::{
    accumulate::lone,
    expression::StageExpr,
    joining::text,
    row::{PipelineRow, RowSource},
};
use crate::{Agent, Agents, Place, Places, Tables};

/// How many answers are remembered before they are all forgotten.
const REMEMBERED: usize = 1 << 16;

/// A [`Locate`] made ready to run.
#[derive(Debug)]
pub(crate) struct LocatePlan {
    address: StageExpr,
    language: Arc<str>,
    outputs: Vec<(PlaceFact, Arc<str>)>,
    places: Option<Arc<dyn Places>>,
    answers: Answers<IpAddr, Option<(IpAddr, Arc<Place>)>>,
}

/// Answers that have been given.
#[derive(Debug)]
struct Answers<K, V>(Mutex<FxHashMap<K, V>>);

impl<K, V> Default for Answers<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Answers<K, V> {
    fn get_or(&self, key: K, find: impl FnOnce(&K) -> V) -> V {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = answers.get(&key) {
            return known.clone();
        }
        let found = find(&key);
        if answers.len() >= REMEMBERED {
            answers.clear();
        }
        answers.insert(key, found.clone());
        found
    }
}

impl LocatePlan {
    pub(super) fn new(words: &Locate, tables: &Tables) -> Self {
        Self {
            address: StageExpr::new(&words.address),
            language: Arc::clone(&words.language),
            outputs: words.outputs.clone(),
            places: tables.places().cloned(),
            answers: Answers::default(),
        }
    }

    pub(super) fn apply(&self, row: &mut PipelineRow, source: &mut dyn RowSource, now: Timestamp) {
        let address = self.address.value(row, source, now);
        let found: Vec<(IpAddr, Arc<Place>)> =
            address.elements().filter_map(|value| self.found(&text(value))).collect();
        for (fact, name) in &self.outputs {
            let values = found.iter().map(|(address, place)| said(*fact, *address, place));
            row.columns.insert(Arc::clone(name), lone(values.filter(|value| !value.is_null()).collect()));
        }
    }

    fn found(&self, address: &str) -> Option<(IpAddr, Arc<Place>)> {
        let places = self.places.as_ref()?;
        // Within an IPv6 address there may be one of IPv4.
        let address = address.trim().parse::<IpAddr>().ok()?.to_canonical();
        let find = |address: &IpAddr| places.find(*address, &self.language).map(|place| (*address, Arc::new(place)));
        self.answers.get_or(address, find)
    }
}

fn known(text: Option<&Arc<str>>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(Arc::clone(text)))
}

fn said(fact: PlaceFact, address: IpAddr, place: &Place) -> Value {
    let number = |number: Option<f64>| number.map_or(Value::Null, Value::Float);
    let truth = |truth: Option<bool>| truth.map_or(Value::Null, Value::Bool);
    match fact {
        PlaceFact::City => known(place.city.as_ref()),
        PlaceFact::Country => known(place.country.as_ref()),
        PlaceFact::Region => known(place.region.as_ref()),
        PlaceFact::Continent => known(place.continent.as_ref()),
        PlaceFact::TimeZone => known(place.time_zone.as_ref()),
        PlaceFact::MetroCode => place.metro_code.map_or(Value::Null, |code| Value::Int(i64::from(code))),
        PlaceFact::Latitude => number(place.latitude),
        PlaceFact::Longitude => number(place.longitude),
        PlaceFact::Address => Value::text(address.to_string()),
        PlaceFact::CountryCode => known(place.country_code.as_ref()),
        PlaceFact::CountryInEuropeanUnion => truth(place.in_european_union),
        PlaceFact::ContinentCode => known(place.continent_code.as_ref()),
        PlaceFact::Subdivision => known(place.subdivision.as_ref()),
        PlaceFact::SubdivisionCode => match (&place.country_code, &place.subdivision_code) {
            (Some(country), Some(own)) => Value::text(format!("{country}-{own}")),
            _ => Value::Null,
        },
        PlaceFact::PostalCode => known(place.postal_code.as_ref()),
        PlaceFact::Point => match (place.longitude, place.latitude) {
            (Some(x), Some(y)) => Value::text(crate::eval::point_text(x, y)),
            _ => Value::Null,
        },
        PlaceFact::AccuracyRadius => place.accuracy_radius.map_or(Value::Null, |radius| Value::Int(i64::from(radius))),
        PlaceFact::RegisteredCountryCode => known(place.registered_country_code.as_ref()),
        PlaceFact::RegisteredCountry => known(place.registered_country.as_ref()),
        PlaceFact::RegisteredCountryInEuropeanUnion => truth(place.registered_in_european_union),
    }
}

/// A [`Recognize`] made ready to run.
#[derive(Debug)]
pub(crate) struct RecognizePlan {
    text: StageExpr,
    outputs: Vec<(AgentFact, Arc<str>)>,
    agents: Option<Arc<dyn Agents>>,
    answers: Answers<Arc<str>, Arc<Agent>>,
}

impl RecognizePlan {
    pub(super) fn new(words: &Recognize, tables: &Tables) -> Self {
        Self {
            text: StageExpr::new(&words.text),
            outputs: words.outputs.clone(),
            agents: tables.agents().cloned(),
            answers: Answers::default(),
        }
    }

    pub(super) fn apply(&self, row: &mut PipelineRow, source: &mut dyn RowSource, now: Timestamp) {
        let agent = match (self.text.value(row, source, now), &self.agents) {
            (Value::Text(name), Some(agents)) if !name.trim().is_empty() => {
                self.answers.get_or(name, |name| Arc::new(agents.find(name)))
            }
            _ => Arc::default(),
        };
        for (fact, column) in &self.outputs {
            let value = match fact {
                AgentFact::Name => known(agent.name.as_ref()),
                AgentFact::Version => known(agent.version.as_ref()),
                AgentFact::SystemName => known(agent.system.as_ref()),
                AgentFact::SystemVersion => known(agent.system_version.as_ref()),
                AgentFact::SystemFull => match (&agent.system, &agent.system_version) {
                    (Some(name), Some(version)) => Value::text(format!("{name} {version}")),
                    _ => Value::Null,
                },
                AgentFact::Device => known(agent.device.as_ref()),
            };
            row.columns.insert(Arc::clone(column), value);
        }
    }
}
