//! Splunk's knowledge objects, as a user has them in folders: macros, lookups, event types, tags, saved searches, and
//! baselines that fill lookups.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;
use support::lurcher;

const EVENTS: &str = r#"{"_time":"2024-03-01T10:00:00Z","sourcetype":"shop:access","src":"10.1.2.3","shopper":"ann","page":"/Admin/Users","result":"ok"}
{"_time":"2024-03-01T10:01:00Z","sourcetype":"shop:access","src":"192.168.1.9","shopper":"ben","page":"/cart","result":"denied"}
{"_time":"2024-03-01T10:02:00Z","sourcetype":"shop:login","src":"10.9.9.9","user":"eve","dest":"shop1","action":"failure"}
"#;

fn detection(name: &str, search: &str) -> String {
    let id = name.bytes().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat();
    format!(
        "name: {name}\nid: {id}\nversion: 1\ntype: Hunting\ndescription: d\nsearch: '{}'\ntags: {{risk_score: 10}}\n",
        search.replace('\'', "''")
    )
}

/// A folder of content; the rows that its rules end with, as `name: row`.
fn hunt(files: &[(&str, String)], further: &[&str]) -> (Vec<String>, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join("content").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let logs = folder.path().join("events.jsonl");
    fs::write(&logs, EVENTS).unwrap();
    hunt_in(folder.path(), further)
}

fn hunt_in(folder: &Path, further: &[&str]) -> (Vec<String>, String) {
    let (logs, content) = (folder.join("events.jsonl"), folder.join("content"));
    let (logs, content) = (logs.to_string_lossy().into_owned(), content.to_string_lossy().into_owned());
    let output = lurcher(&[&["hunt", &logs, "-r", &content, "--format", "jsonl", "-q"], further].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    let mut rows: Vec<String> = text
        .lines()
        .map(|line| {
            let alert: Value = serde_json::from_str(line).unwrap();
            let row: BTreeMap<String, Value> = serde_json::from_value(alert["values"].clone()).unwrap();
            format!("{}: {}", alert["rule"]["name"].as_str().unwrap(), serde_json::to_string(&row).unwrap())
        })
        .collect();
    rows.sort();
    (rows, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn macros_have_arguments_and_the_sites_own_win() {
    let macros = "[shop]\ndefinition = sourcetype=shop:access\n\n[page(1)]\nargs = page\ndefinition = page=\"$page$\"\n\n[limit]\niseval = 1\ndefinition = if(1=1, \"page=*\", \"page=x\")\n";
    let rule = detection("Pages", "`shop` `page(\"*\")` `limit` | stats count by shopper | `pages_filter`");
    let (rows, said) = hunt(&[("default/macros.conf", macros.into()), ("pages.yml", rule.clone())], &[]);
    assert_eq!(rows, [r#"Pages: {"count":1,"shopper":"ann"}"#, r#"Pages: {"count":1,"shopper":"ben"}"#], "{said}");
    let own = "[pages_filter]\ndefinition = search NOT shopper=ann\n[page(1)]\nargs = page\ndefinition = page=/c*\n";
    let files = [("default/macros.conf", macros.into()), ("local/macros.conf", own.into()), ("pages.yml", rule)];
    let (rows, said) = hunt(&files, &[]);
    assert_eq!(rows, [r#"Pages: {"count":1,"shopper":"ben"}"#], "{said}");
}

#[test]
fn a_macro_says_itself_what_its_arguments_must_be() {
    let macros =
        "[least(1)]\nargs = n\ndefinition = where count>=$n$\nvalidation = isnum($n$)\nerrormsg = n must be a number\n";
    let rule = |n: &str| detection("Counts", &format!("sourcetype=shop:access | stats count | `least({n})`"));
    let (rows, said) = hunt(&[("macros.conf", macros.into()), ("a.yml", rule("2"))], &[]);
    assert_eq!(rows, [r#"Counts: {"count":2}"#], "{said}");
    let (rows, said) = hunt(&[("macros.conf", macros.into()), ("a.yml", rule("many"))], &[]);
    assert!(rows.is_empty() && said.contains("n must be a number"), "{said}");
}

#[test]
fn lookups_match_by_pattern_by_network_whatever_the_case_and_have_a_default() {
    let transforms = "[pages]\nfilename = pages.csv\nmatch_type = WILDCARD(page)\ncase_sensitive_match = false\nmin_matches = 1\ndefault_match = other\n\n[nets]\nfilename = nets.csv\nmatch_type = CIDR(net)\nmax_matches = 1\n";
    let files = [
        ("transforms.conf", transforms.to_owned()),
        ("pages.csv", "page,kind\n/admin/*,admin\n".to_owned()),
        ("nets.csv", "net,zone\n10.1.0.0/16,lab\n10.0.0.0/8,inside\n".to_owned()),
        (
            "a.yml",
            detection(
                "Zones",
                "sourcetype=shop:access | lookup pages page OUTPUT kind | lookup nets net AS src OUTPUT zone | table shopper kind zone",
            ),
        ),
    ];
    let (rows, said) = hunt(&files, &[]);
    let wanted = [
        r#"Zones: {"kind":"admin","shopper":"ann","zone":"lab"}"#,
        r#"Zones: {"kind":"other","shopper":"ben","zone":null}"#,
    ];
    assert_eq!(rows, wanted, "{said}");
}

#[test]
fn event_types_and_tags_of_the_site_put_events_into_data_models() {
    let files = [
        ("eventtypes.conf", "[shop_login]\nsearch = sourcetype=shop:login\n".to_owned()),
        ("tags.conf", "[eventtype=shop_login]\nauthentication = enabled\n\n[sourcetype=shop%3Aaccess]\nweb = enabled\nerror = disabled\n".to_owned()),
        ("a.yml", detection("By type", "eventtype=shop_* | stats count by user")),
        ("b.yml", detection("By tag", "tag=web | stats count")),
        ("c.yml", detection("Off", "tag=error | stats count by page")),
        ("d.yml", detection("By model", "| tstats count from datamodel=Authentication.Failed_Authentication by Authentication.user")),
    ];
    let (rows, said) = hunt(&files, &[]);
    let wanted = [
        r#"By model: {"Authentication.user":"eve","count":1}"#,
        r#"By tag: {"count":2}"#,
        r#"By type: {"count":1,"user":"eve"}"#,
    ];
    assert_eq!(rows, wanted, "{said}");
}

#[test]
fn a_baseline_fills_the_lookup_that_a_detection_reads() {
    let folder = tempfile::tempdir().unwrap();
    let content = folder.path().join("content");
    fs::create_dir_all(&content).unwrap();
    fs::write(folder.path().join("events.jsonl"), EVENTS).unwrap();
    let baseline = detection(
        "Seen",
        "sourcetype=shop:access shopper=ann | stats latest(_time) as last by shopper | outputlookup seen_shoppers",
    );
    fs::write(content.join("seen.yml"), baseline.replace("type: Hunting", "type: Baseline")).unwrap();
    let lookup = "name: seen_shoppers\ncollection: seen_shoppers\nfields_list: shopper, last\ndescription: d\n";
    fs::write(content.join("lookup.yml"), lookup).unwrap();
    let search =
        "sourcetype=shop:access | lookup seen_shoppers shopper OUTPUT last | where isnull(last) | table shopper";
    fs::write(content.join("new.yml"), detection("New", search)).unwrap();
    // Before the baseline has run nobody has been seen.
    let (rows, said) = hunt_in(folder.path(), &[]);
    assert_eq!(rows, [r#"New: {"shopper":"ann"}"#, r#"New: {"shopper":"ben"}"#], "{said}");
    let lookups = content.join("lookups").to_string_lossy().into_owned();
    hunt_in(folder.path(), &["--write-lookups", &lookups]);
    let written = fs::read_to_string(content.join("lookups/seen_shoppers.csv")).unwrap();
    assert!(written.starts_with("shopper,last\nann,"), "{written}");
    let (rows, said) = hunt_in(folder.path(), &[]);
    assert_eq!(rows, [r#"New: {"shopper":"ben"}"#], "{said}");
}
