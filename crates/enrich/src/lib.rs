//! Where addresses lie: databases in MaxMind's format (GeoLite2 City, GeoIP2 City and what is made like them).
//!
//! The file is read whole: hunts ask for addresses in any order. Such databases are the user's own; none comes with this
//! program. What is not here: databases of networks, of anonymous proxies and the like.

use std::{fmt, net::IpAddr, path::Path, sync::Arc};

use lurcher_engine::{Place, Places};
use maxminddb::{LookupResult, PathElement, Reader};

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
        let time_zone = record.text(&[PathElement::Key("location"), PathElement::Key("time_zone")]);
        let degrees = |name| found.decode_path(&[PathElement::Key("location"), PathElement::Key(name)]).ok().flatten();
        let metro = [PathElement::Key("location"), PathElement::Key("metro_code")];
        Some(Place {
            city: record.name(&[PathElement::Key("city")]),
            country: record.name(&[PathElement::Key("country")]),
            region: record.name(&[PathElement::Key("subdivisions"), PathElement::Index(0)]),
            continent: record.name(&[PathElement::Key("continent")]),
            time_zone,
            metro_code: found.decode_path(&metro).ok().flatten(),
            latitude: degrees("latitude"),
            longitude: degrees("longitude"),
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

    /// The name of what stands at a path, in the language that is asked for or in English.
    fn name(&self, path: &[PathElement<'_>]) -> Option<Arc<str>> {
        [self.language, "en"].into_iter().find_map(|language| {
            let mut whole = path.to_vec();
            whole.extend([PathElement::Key("names"), PathElement::Key(language)]);
            self.text(&whole)
        })
    }
}
