//! What is known besides events: where addresses lie, and what programs say they are.
//!
//! Where addresses lie stands in databases in MaxMind's format (GeoLite2 City, GeoIP2 City and what is made like them).
//! The file is read whole: hunts ask for addresses in any order. Such databases are the user's own; none comes with this
//! program. What is not here: databases of networks, of anonymous proxies and the like.

mod agents;

use std::{fmt, net::IpAddr, path::Path, sync::Arc};

use lurcher_engine::{Place, Places};
use maxminddb::{LookupResult, PathElement, Reader};

pub use self::agents::agents;

/// A database that has been read.
struct Database {
    reader: Reader<Vec<u8>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("kind", &self.reader.metadata().database_type).finish()
    }
}

/// Opens a database. The error names the file and says what is wrong with it.
pub fn open(path: &Path) -> Result<Arc<dyn Places>, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let reader = Reader::from_source(bytes)
        .map_err(|error| format!("{}: no database of places in MaxMind's format (.mmdb): {error}", path.display()))?;
    let kind = &reader.metadata().database_type;
    // Other kinds (of networks, of proxies) know no places.
    if !["City", "Country", "Enterprise", "Location"].iter().any(|known| kind.contains(known)) {
        return Err(format!(
            "{}: a database of the kind {kind} knows no places; one of cities is wanted",
            path.display()
        ));
    }
    Ok(Arc::new(Database { reader }))
}

impl Places for Database {
    fn find(&self, address: IpAddr, language: &str) -> Option<Place> {
        let found = self.reader.lookup(address).ok()?;
        if !found.has_data() {
            return None;
        }
        let record = Record { found: &found, language };
        let (first, last) = (PathElement::Index(0), PathElement::IndexFromEnd(0));
        let of = |what, name| [PathElement::Key(what), PathElement::Key(name)];
        Some(Place {
            city: record.name(&[PathElement::Key("city")]),
            country: record.name(&[PathElement::Key("country")]),
            region: record.name(&[PathElement::Key("subdivisions"), first]),
            continent: record.name(&[PathElement::Key("continent")]),
            time_zone: record.text(&of("location", "time_zone")),
            metro_code: found.decode_path(&of("location", "metro_code")).ok().flatten(),
            latitude: found.decode_path(&of("location", "latitude")).ok().flatten(),
            longitude: found.decode_path(&of("location", "longitude")).ok().flatten(),
            country_code: record.text(&of("country", "iso_code")),
            in_european_union: record.truth(&of("country", "is_in_european_union")),
            continent_code: record.text(&of("continent", "code")),
            subdivision: record.name(&[PathElement::Key("subdivisions"), last.clone()]),
            subdivision_code: record.text(&[PathElement::Key("subdivisions"), last, PathElement::Key("iso_code")]),
            postal_code: record.text(&of("postal", "code")),
            accuracy_radius: found.decode_path(&of("location", "accuracy_radius")).ok().flatten(),
            registered_country_code: record.text(&of("registered_country", "iso_code")),
            registered_country: record.name(&[PathElement::Key("registered_country")]),
            registered_in_european_union: record.truth(&of("registered_country", "is_in_european_union")),
        })
    }
}

/// What a database says of an address.
struct Record<'r, 'd> {
    found: &'r LookupResult<'d, Vec<u8>>,
    language: &'r str,
}

impl Record<'_, '_> {
    fn text(&self, path: &[PathElement<'_>]) -> Option<Arc<str>> {
        let text: Option<&str> = self.found.decode_path(path).ok().flatten();
        text.filter(|text| !text.is_empty()).map(Arc::from)
    }

    /// Whether it is said at a path that something is so; of a country that is named, that nothing is said means that it is not.
    fn truth(&self, path: &[PathElement<'_>]) -> Option<bool> {
        let said: Option<bool> = self.found.decode_path(path).ok().flatten();
        let (_, country) = path.split_last()?;
        let mut code = country.to_vec();
        code.push(PathElement::Key("iso_code"));
        said.or_else(|| self.text(&code).map(|_| false))
    }

    /// The name of what stands at a path, in the language that is asked for or in English.
    fn name(&self, path: &[PathElement<'_>]) -> Option<Arc<str>> {
        [self.language, "en"].into_iter().find_map(|language| {
            let mut whole = path.to_vec();
            whole.extend([PathElement::Key("names"), PathElement::Key(language)]);
            self.text(&whole)
        })
    }
}
