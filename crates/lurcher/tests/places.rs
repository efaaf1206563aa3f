//! Where addresses lie: `iplocation` and `IP_LOCATION` with the user's own database, wherever rules run.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

#[path = "../../enrich/tests/support/mod.rs"]
#[allow(dead_code, reason = "shared with the crate that reads databases")]
mod database;
mod support;

use std::{fs, path::Path};

use serde_json::{Value, json};
use support::lurcher;

const EVENTS: &str = r#"{"_time":"2024-03-01T10:00:00Z","src":"203.0.113.9","n":"1"}
{"_time":"2024-03-01T10:01:00Z","src":"198.51.100.7","n":"2"}
{"_time":"2024-03-01T10:02:00Z","src":"10.0.0.1","n":"3"}
{"_time":"2024-03-01T10:03:00Z","src":"2001:db8:47::1","n":"4"}
{"_time":"2024-03-01T10:04:00Z","n":"5"}
{"_time":"2024-03-01T10:05:00Z","src":"no address","n":"6"}
{"_time":"2024-03-01T10:06:00Z","src":["203.0.113.1","10.0.0.1","198.51.100.1"],"n":"7"}
{"_time":"2024-03-01T10:07:00Z","src":"::ffff:203.0.113.9","n":"8"}
"#;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cities.mmdb"), database::cities()).unwrap();
    fs::write(folder.path().join("events.jsonl"), EVENTS).unwrap();
    folder
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

fn query(folder: &Path, text: &str, more: &[&str]) -> (Vec<Value>, String) {
    answers("spl", folder, text, more)
}

fn answers(language: &str, folder: &Path, text: &str, more: &[&str]) -> (Vec<Value>, String) {
    let logs = path(folder, "events.jsonl");
    let output = lurcher(&[&["query", language, text, &logs, "--format", "jsonl", "-q"], more].concat());
    let rows =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (rows, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A column of rows that are answers.
fn column(rows: &[Value], name: &str) -> Vec<Value> {
    let cell = |row: &Value| row.get("row").and_then(|row| row.get(name)).cloned().unwrap_or_default();
    rows.iter().map(cell).collect()
}

#[test]
fn a_query_says_where_addresses_lie() {
    let folder = folder();
    let geoip = path(folder.path(), "cities.mmdb");
    let text = "* | sort 0 n | iplocation src | table n City Country Region lat lon Continent";
    let (rows, said) = query(folder.path(), text, &["--geoip", &geoip]);
    assert!(!said.contains("approximate"), "{said}");
    assert_eq!(
        column(&rows, "City"),
        [
            json!("Munich"),
            json!("Boston"),
            json!(null),
            json!(null),
            json!(null),
            json!(null),
            json!(["Munich", "Boston"]),
            json!("Munich"),
        ]
    );
    let countries = column(&rows, "Country");
    assert_eq!((&countries[3], &countries[6]), (&json!("Norway"), &json!(["Germany", "United States"])));
    assert_eq!(column(&rows, "Region")[0], json!("Bavaria"));
    assert_eq!((&column(&rows, "lat")[0], &column(&rows, "lon")[1]), (&json!(48.137), &json!(-71.06)));
    assert_eq!(column(&rows, "Continent")[0], json!(null), "only with allfields");
}

#[test]
fn a_prefix_all_fields_and_another_language() {
    let folder = folder();
    let geoip = path(folder.path(), "cities.mmdb");
    let text = "n=1 OR n=2 | sort 0 n | iplocation prefix=src_ allfields=true lang=de src \
                | table src_City src_Country src_Region src_Continent src_Timezone src_MetroCode";
    let (rows, said) = query(folder.path(), text, &["--geoip", &geoip]);
    let first: Vec<Value> = ["src_City", "src_Country", "src_Region", "src_Continent", "src_Timezone", "src_MetroCode"]
        .iter()
        .map(|name| column(&rows, name).first().cloned().unwrap_or_default())
        .collect();
    let wanted = json!(["München", "Deutschland", "Bavaria", "Europa", "Europe/Berlin", null]);
    assert_eq!(json!(first), wanted, "{said}");
    assert_eq!(column(&rows, "src_MetroCode")[1], json!(506));
}

#[test]
fn without_a_database_nothing_is_known_and_the_way_out_is_named() {
    let folder = folder();
    let (rows, said) = query(folder.path(), "n=1 | iplocation src | table n City", &[]);
    assert_eq!(column(&rows, "City"), [json!(null)]);
    assert!(said.contains("approximate") && said.contains("--geoip"), "{said}");
    let (_, said) = query(folder.path(), "n=1", &["--geoip", &path(folder.path(), "events.jsonl")]);
    assert!(said.contains("events.jsonl") && said.contains("MaxMind"), "{said}");
}

#[test]
fn rules_are_exact_and_find_by_place_with_the_sites_database() {
    let folder = folder();
    let rule = "name: Abroad\nid: abroad\nversion: 1\ntype: Hunting\ndescription: d\n\
                search: 'src=* | iplocation src | where NOT Country=\"Germany\" | stats count by Country'\n\
                tags: {risk_score: 10}\n";
    fs::write(folder.path().join("abroad.yml"), rule).unwrap();
    let settings = format!("geoip = {:?}\n", path(folder.path(), "cities.mmdb"));
    fs::write(folder.path().join("site.toml"), settings).unwrap();
    let (rule, site) = (path(folder.path(), "abroad.yml"), path(folder.path(), "site.toml"));
    let checked = lurcher(&["check", &rule, "--config", &site, "--format", "json"]);
    assert!(String::from_utf8_lossy(&checked.stdout).contains(r#""verdict":"exact""#), "{checked:?}");
    let (_, alerts, said) = support::hunt(&[&path(folder.path(), "events.jsonl"), "-r", &rule, "--config", &site]);
    let mut found: Vec<String> = alerts.iter().map(|alert| alert["values"]["Country"].to_string()).collect();
    found.sort();
    assert_eq!(found, ["\"Norway\"", "\"United States\""], "{said}");
}

/// Elasticsearch's suite `ip_location.csv-spec`, with a database that is made for the purpose.
#[test]
fn ip_location_makes_columns_of_places() {
    let folder = folder();
    let geoip = path(folder.path(), "cities.mmdb");
    let text = r#"ROW ip = "203.0.113.9" | IP_LOCATION g = ip"#;
    let (rows, said) = answers("esql", folder.path(), text, &["--geoip", &geoip]);
    let wanted = json!({
        "ip": "203.0.113.9", "g.country_iso_code": "DE", "g.country_name": "Germany", "g.continent_name": "Europe",
        "g.region_iso_code": "DE-OB", "g.region_name": "Upper Bavaria", "g.city_name": "Munich",
        "g.location": "POINT (11.575 48.137)",
    });
    assert_eq!(rows.first().and_then(|row| row.get("row")), Some(&wanted), "{said}");
}

#[test]
fn ip_location_of_null_of_several_and_of_what_is_no_address() {
    let folder = folder();
    let geoip = path(folder.path(), "cities.mmdb");
    let text = r#"ROW a = null, b = ["198.51.100.7", "203.0.113.9"], c = "", d = "127.0.0.1", e = "203.0.113.9"::ip, f = "::ffff:203.0.113.9"
        | IP_LOCATION a = a WITH { "properties": ["city_name"] } | IP_LOCATION b = b WITH { "properties": ["city_name"] }
        | IP_LOCATION m = b WITH { "first_only": false, "properties": ["city_name"] } | IP_LOCATION c = c WITH {}
        | IP_LOCATION d = d | IP_LOCATION e = e WITH { "properties": ["ip", "timezone", "postal_code", "registered_country_name", "country_in_european_union"] }
        | IP_LOCATION f = f WITH { "properties": ["city_name"] }
        | KEEP a.city_name, b.city_name, m.city_name, c.city_name, d.city_name, e.*, f.city_name"#;
    let (rows, said) = answers("esql", folder.path(), text, &["--geoip", &geoip]);
    let wanted = json!({
        "a.city_name": null, "b.city_name": "Boston", "m.city_name": null, "c.city_name": null, "d.city_name": null,
        "e.ip": "203.0.113.9", "e.timezone": "Europe/Berlin", "e.postal_code": "80331",
        "e.registered_country_name": "United States", "e.country_in_european_union": true, "f.city_name": "Munich",
    });
    assert_eq!(rows.first().and_then(|row| row.get("row")), Some(&wanted), "{said}");
}

#[test]
fn ip_location_finds_events_by_place() {
    let folder = folder();
    let geoip = path(folder.path(), "cities.mmdb");
    let text = r#"FROM * | EVAL src = src::string | IP_LOCATION g = src WITH { "database_file": "GeoLite2-Country.mmdb" }
        | WHERE g.country_iso_code == "DE" OR g.country_name == "Norway" | STATS c = COUNT(*) BY g.country_name"#;
    let (rows, said) = answers("esql", folder.path(), text, &["--geoip", &geoip]);
    assert!(said.contains("approximate"), "another database is asked: {said}");
    assert_eq!(column(&rows, "g.country_name"), [json!("Germany"), json!("Norway")]);
    // Of several addresses the first in the order of an index counts, 10.0.0.1.
    assert_eq!(column(&rows, "c"), [json!(2), json!(1)]);
}
