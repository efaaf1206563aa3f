//! Stages that read what a text or an address holds: tables written as text, the places of addresses, the programs that
//! browsers say they are.

use std::sync::Arc;

use crate::{ColumnPattern, Expr};

/// Makes a row of each line of a table that a text holds, with a column for each of the table's.
///
/// A table begins with a line of titles; its columns are where these stand. A line that cannot be brought under them ends
/// the table. A row without a table in its text is dropped, or stays if `keep_original`.
#[derive(Clone, Debug, PartialEq)]
pub struct TextTable {
    /// The text.
    pub text: Expr,
    /// The columns that are made; empty: all.
    pub columns: Vec<ColumnPattern>,
    /// Only lines that hold one of these texts; empty: all.
    pub filter: Vec<Arc<str>>,
    /// Where titles are.
    pub titles: Titles,
    /// Whether further tables may follow the first.
    pub several: bool,
    /// Whether the new rows have the columns of the row that they come from.
    pub copy: bool,
    /// Whether that row stays, before the new ones.
    pub keep_original: bool,
    /// The column that is set to the line of the table itself.
    pub line: Arc<str>,
}

/// Where the titles of a [`TextTable`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Titles {
    /// In the first line that looks like titles.
    Found,
    /// In the line of this number, from 1; empty lines do not count.
    At(u64),
    /// There are none: columns are called `Column_1`, `Column_2` …
    Missing,
}

/// Sets columns to what a run's database of places says of an address; null where it says nothing. Of several addresses the
/// lists of what it says of each. A run without such a database leaves all null.
#[derive(Clone, Debug, PartialEq)]
pub struct Locate {
    /// The address.
    pub address: Expr,
    /// The language that names are in, as `en` or `pt-BR`; where there is no name in it, English.
    pub language: Arc<str>,
    /// What is set, and the names of the columns.
    pub outputs: Vec<(PlaceFact, Arc<str>)>,
}

/// What a database of places may say of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlaceFact {
    /// The name of the city.
    City,
    /// The name of the country.
    Country,
    /// The name of the largest part of the country.
    Region,
    /// The name of the continent.
    Continent,
    /// The time zone, as `Europe/Berlin`.
    TimeZone,
    /// The code of the market area in the United States.
    MetroCode,
    /// The latitude in degrees.
    Latitude,
    /// The longitude in degrees.
    Longitude,
    /// The address itself in its shortest spelling.
    Address,
    /// The two letters of the country.
    CountryCode,
    /// Whether the country is in the European Union.
    CountryInEuropeanUnion,
    /// The two letters of the continent.
    ContinentCode,
    /// The name of the smallest part of the country.
    Subdivision,
    /// The code of the smallest part of the country behind that of the country, as `US-FL`.
    SubdivisionCode,
    /// The postal code.
    PostalCode,
    /// Latitude and longitude as a point, `POINT (longitude latitude)`.
    Point,
    /// How many kilometres the point may be off.
    AccuracyRadius,
    /// The two letters of the country in which the address is registered.
    RegisteredCountryCode,
    /// The name of that country.
    RegisteredCountry,
    /// Whether that country is in the European Union.
    RegisteredCountryInEuropeanUnion,
}

/// Sets columns to what the name that a program gives itself (a `User-Agent` of HTTP) says of it; null where it says nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Recognize {
    /// The name.
    pub text: Expr,
    /// What is set, and the names of the columns.
    pub outputs: Vec<(AgentFact, Arc<str>)>,
}

/// What is known of a program by the name that it gives itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgentFact {
    /// What the program is called.
    Name,
    /// Its version.
    Version,
    /// What the operating system is called.
    SystemName,
    /// The version of the operating system.
    SystemVersion,
    /// Both in one; null without a version.
    SystemFull,
    /// What the device is called.
    Device,
}
