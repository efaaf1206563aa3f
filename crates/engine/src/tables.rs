//! What a run is given beside its events: tables that look-ups look up, models that rows are judged by, what is known of
//! addresses and of programs.

use std::{collections::BTreeMap, fmt::Debug, net::IpAddr, sync::Arc};

use lurcher_ir::Model;
use lurcher_schema::{Object, Value};

/// A table: columns by name, rows in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    columns: Vec<Arc<str>>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// A table of these columns. Each row has a value for each of them, in their order; what a row lacks is null, what it
    /// has too much is dropped.
    pub fn new(columns: impl IntoIterator<Item = Arc<str>>, rows: impl IntoIterator<Item = Vec<Value>>) -> Self {
        let columns: Vec<Arc<str>> = columns.into_iter().collect();
        let width = columns.len();
        let rows = rows.into_iter().map(|mut row| {
            row.resize(width, Value::Null);
            row
        });
        Self { rows: rows.collect(), columns }
    }

    /// A table of these columns whose cells are texts; an empty cell is no value.
    pub fn of_texts(columns: &[Arc<str>], rows: &[Vec<Arc<str>>]) -> Self {
        let cell = |text: &Arc<str>| if text.is_empty() { Value::Null } else { Value::Text(Arc::clone(text)) };
        Self::new(columns.iter().cloned(), rows.iter().map(|row| row.iter().map(cell).collect()))
    }

    /// A table of rows that are named values; its columns are all the names, in the order of their first appearance.
    pub fn from_objects(objects: impl IntoIterator<Item = Object>) -> Self {
        let mut columns: Vec<Arc<str>> = Vec::new();
        let objects: Vec<Object> = objects.into_iter().collect();
        for (name, _) in objects.iter().flatten() {
            if !columns.contains(name) {
                columns.push(Arc::clone(name));
            }
        }
        let cell = |object: &Object, name: &Arc<str>| object.get(name).cloned().unwrap_or_default();
        let rows = objects.iter().map(|object| columns.iter().map(|name| cell(object, name)).collect());
        Self { rows: rows.collect(), columns: columns.clone() }
    }

    /// The names of the columns.
    pub fn columns(&self) -> &[Arc<str>] {
        &self.columns
    }

    /// The rows.
    pub fn rows(&self) -> &[Vec<Value>] {
        &self.rows
    }

    /// The place of a column; none if there is none of this name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.as_ref() == name)
    }
}

/// Says where addresses lie.
pub trait Places: Debug + Send + Sync {
    /// What is known of an address; none if nothing. Names are in a language (`en`, `pt-BR`) where it has them, else in
    /// English.
    fn find(&self, address: IpAddr, language: &str) -> Option<Place>;
}

/// What is known of where an address lies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// The name of the city.
    pub city: Option<Arc<str>>,
    /// The name of the country.
    pub country: Option<Arc<str>>,
    /// The name of the largest part of the country.
    pub region: Option<Arc<str>>,
    /// The name of the continent.
    pub continent: Option<Arc<str>>,
    /// The time zone, as `Europe/Berlin`.
    pub time_zone: Option<Arc<str>>,
    /// The code of the market area in the United States.
    pub metro_code: Option<u16>,
    /// The latitude in degrees.
    pub latitude: Option<f64>,
    /// The longitude in degrees.
    pub longitude: Option<f64>,
    /// The two letters of the country.
    pub country_code: Option<Arc<str>>,
    /// Whether the country is in the European Union.
    pub in_european_union: Option<bool>,
    /// The two letters of the continent.
    pub continent_code: Option<Arc<str>>,
    /// The name of the smallest part of the country.
    pub subdivision: Option<Arc<str>>,
    /// The code of the smallest part of the country, without that of the country.
    pub subdivision_code: Option<Arc<str>>,
    /// The postal code.
    pub postal_code: Option<Arc<str>>,
    /// How many kilometres the place may be off.
    pub accuracy_radius: Option<u16>,
    /// The two letters of the country in which the address is registered.
    pub registered_country_code: Option<Arc<str>>,
    /// The name of that country.
    pub registered_country: Option<Arc<str>>,
    /// Whether that country is in the European Union.
    pub registered_in_european_union: Option<bool>,
}

/// Says what the names mean that programs give themselves.
pub trait Agents: Debug + Send + Sync {
    /// What is known of a program by its name, a `User-Agent` of HTTP.
    fn find(&self, name: &str) -> Agent;
}

/// What is known of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// What it is called.
    pub name: Option<Arc<str>>,
    /// Its version.
    pub version: Option<Arc<str>>,
    /// What the operating system is called.
    pub system: Option<Arc<str>>,
    /// The version of the operating system.
    pub system_version: Option<Arc<str>>,
    /// What the device is called.
    pub device: Option<Arc<str>>,
}

/// The tables of a run and its models, by name, its database of places, and its list of programs.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    by_name: BTreeMap<Arc<str>, Arc<Table>>,
    models: BTreeMap<Arc<str>, Arc<dyn Model>>,
    places: Option<Arc<dyn Places>>,
    agents: Option<Arc<dyn Agents>>,
}

impl Tables {
    /// Says who knows where addresses lie.
    pub fn set_places(&mut self, places: Arc<dyn Places>) {
        self.places = Some(places);
    }

    /// Who knows where addresses lie; none: nobody.
    pub fn places(&self) -> Option<&Arc<dyn Places>> {
        self.places.as_ref()
    }

    /// Says who knows programs by their names.
    pub fn set_agents(&mut self, agents: Arc<dyn Agents>) {
        self.agents = Some(agents);
    }

    /// Who knows programs by their names; none: nobody.
    pub fn agents(&self) -> Option<&Arc<dyn Agents>> {
        self.agents.as_ref()
    }

    /// Adds a table, replacing one of the same name.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, table: Table) {
        self.by_name.insert(name.into(), Arc::new(table));
    }

    /// The table of exactly this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Table>> {
        self.by_name.get(name)
    }

    /// Adds a model, replacing one of the same name.
    pub fn insert_model(&mut self, name: impl Into<Arc<str>>, model: Arc<dyn Model>) {
        self.models.insert(name.into(), model);
    }

    /// The model of exactly this name.
    pub fn model(&self, name: &str) -> Option<&Arc<dyn Model>> {
        self.models.get(name)
    }

    /// The names of all tables, sorted.
    pub fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_name.keys()
    }
}
