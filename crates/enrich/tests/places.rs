//! Databases of places, made for the purpose.

mod support;

use std::{net::IpAddr, sync::Arc};

use lurcher_engine::{Place, Places};

fn opened(bytes: &[u8]) -> Result<Arc<dyn Places>, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("places.mmdb");
    std::fs::write(&path, bytes).expect("a file");
    lurcher_enrich::open(&path)
}

fn find(places: &dyn Places, address: &str, language: &str) -> Option<Place> {
    places.find(address.parse::<IpAddr>().expect("an address"), language)
}

#[test]
fn what_a_database_says_of_an_address_is_found() {
    let places = opened(&support::cities()).expect("a database");
    let munich = find(places.as_ref(), "203.0.113.9", "en").expect("known");
    let wanted = Place {
        city: Some("Munich".into()),
        country: Some("Germany".into()),
        region: Some("Bavaria".into()),
        continent: Some("Europe".into()),
        time_zone: Some("Europe/Berlin".into()),
        metro_code: None,
        latitude: Some(48.137),
        longitude: Some(11.575),
        country_code: Some("DE".into()),
        in_european_union: Some(true),
        continent_code: Some("EU".into()),
        subdivision: Some("Upper Bavaria".into()),
        subdivision_code: Some("OB".into()),
        postal_code: Some("80331".into()),
        accuracy_radius: None,
        registered_country_code: Some("US".into()),
        registered_country: Some("United States".into()),
        registered_in_european_union: Some(false),
    };
    assert_eq!(munich, wanted);
    let boston = find(places.as_ref(), "198.51.100.1", "en").expect("known");
    assert_eq!((boston.city.as_deref(), boston.metro_code), (Some("Boston"), Some(506)));
}

#[test]
fn names_are_in_the_language_that_is_asked_for_or_in_english() {
    let places = opened(&support::cities()).expect("a database");
    let munich = find(places.as_ref(), "203.0.113.9", "de").expect("known");
    let names = [munich.city, munich.country, munich.region].map(|name| name.unwrap_or_default().to_string());
    assert_eq!(names, ["München", "Deutschland", "Bavaria"]);
}

#[test]
fn of_what_a_database_does_not_hold_nothing_is_said() {
    let places = opened(&support::cities()).expect("a database");
    for address in ["10.0.0.1", "198.51.100.200", "::1", "2001:db8::1"] {
        assert_eq!(find(places.as_ref(), address, "en"), None, "{address}");
    }
    let norway = find(places.as_ref(), "2001:db8:47::5", "en").expect("known");
    assert_eq!((norway.city, norway.country.as_deref()), (None, Some("Norway")));
}

#[test]
fn what_is_no_such_database_is_named() {
    let fault = opened(b"no database").expect_err("no database");
    assert!(fault.contains("places.mmdb") && fault.contains("MaxMind"), "{fault}");
    let networks = support::database("GeoLite2-ASN", &[("203.0.113.0/24", support::Data::Text("x"))]);
    let fault = opened(&networks).expect_err("no places");
    assert!(fault.contains("GeoLite2-ASN"), "{fault}");
    let whole = support::cities();
    for end in (0..whole.len()).step_by(7) {
        // Cut off anywhere, it is refused or says less; it never panics.
        if let Ok(places) = opened(&whole[..end]) {
            find(places.as_ref(), "203.0.113.9", "en");
        }
    }
}
