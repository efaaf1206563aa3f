//! Which fields published SPL2 and SPL rules read that no mapping gives for any kind of Windows event. The rules are
//! not part of the project: without them the tests say so and do nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use lurcher_schema::{Schemas, Shape, Taxonomy};
use regex::Regex;

/// Every kind of event that the packs know.
const KINDS: &[(&str, &str, &str)] = &[
    ("Microsoft-Windows-Sysmon/Operational", "Microsoft-Windows-Sysmon", "1 2 3 5 6 7 8 10 11 12 13 15 17 20 22 23"),
    (
        "Security",
        "Microsoft-Windows-Security-Auditing",
        "1102 4624 4625 4648 4657 4662 4663 4672 4688 4689 4697 4698 4720 4728 4738 4741 4768 4769 4776 4781 5136 5145 5156",
    ),
    ("Microsoft-Windows-PowerShell/Operational", "Microsoft-Windows-PowerShell", "4103 4104"),
    ("System", "Service Control Manager", "7036 7040 7045"),
    ("Microsoft-Windows-TaskScheduler/Operational", "Microsoft-Windows-TaskScheduler", "106 200"),
];

fn rules(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/rules").join(folder);
    if !path.is_dir() {
        eprintln!("skipped: no ../shared/data/rules/{folder}");
        return None;
    }
    Some(path)
}

/// How often each pattern's first group occurs, once per file.
fn occurrences(folder: &Path, pattern: &str) -> BTreeMap<String, usize> {
    let pattern = Regex::new(pattern).expect("a regular expression");
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a readable folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let names: BTreeSet<String> = pattern.captures_iter(&text).map(|c| c[1].to_owned()).collect();
                for name in names {
                    *found.entry(name).or_default() += 1;
                }
            }
        }
    }
    found
}

fn shapes() -> Vec<Arc<Shape>> {
    let of_kind = |(channel, provider, ids): &(&'static str, &'static str, &'static str)| {
        let attributes = [("dialect", "windows"), ("channel", *channel), ("provider", *provider)];
        ids.split(' ').map(move |id| Shape::new(attributes.into_iter().chain([("event_id", id)]))).collect::<Vec<_>>()
    };
    KINDS.iter().flat_map(of_kind).collect()
}

/// The names that no shape has, of those that are not merely a Data element's name.
fn unmapped(taxonomy: Taxonomy, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let schemas = Schemas::builtin().unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"));
    let known: BTreeSet<Arc<str>> =
        shapes().iter().flat_map(|shape| schemas.fields(taxonomy, shape)).map(|(name, _)| name).collect();
    let object = |name: &str| known.iter().any(|known| known.starts_with(&format!("{name}.")));
    names.into_iter().filter(|name| !known.contains(name.as_str()) && !object(name)).collect()
}

/// What is left is of network devices and of Behavioral Analytics' own services.
#[test]
fn spl2_over_cim() {
    let mut read = BTreeMap::new();
    for folder in ["ssa2022", "ssa2024"] {
        let Some(path) = rules(folder) else { return };
        read.extend(occurrences(&path, r#"map_get\(\s*input_event,\s*"([^"]+)""#));
    }
    let nowhere = ["_tenant", "bytes_in", "dest_device_scope", "src_device_scope"];
    assert_eq!(unmapped(Taxonomy::Cim, read.into_keys()), nowhere);
}

#[test]
fn spl2_over_ocsf() {
    let Some(path) = rules("ssa2024") else { return };
    let objects = "time|metadata|process|actor|device|file|src_endpoint|dst_endpoint|share|access_mask";
    let read = occurrences(&path, &format!(r"=\s*((?:{objects})(?:\.[a-z_]+)*)\b\s*(?:\||,|\n)"));
    assert!(read.contains_key("process.cmd_line"), "{read:?}");
    assert_eq!(unmapped(Taxonomy::Ocsf, read.into_keys()), Vec::<String>::new());
}

/// What is left is of other sources (proxies, cloud logs, network sensors), or misspelt in a rule. Categories and the
/// like come from a customer's asset lists.
#[test]
fn spl_over_data_models() {
    let Some(path) = rules("escu/detections") else { return };
    let models = "Processes|Registry|Filesystem|All_Traffic|DNS|Authentication|All_Changes";
    let read = occurrences(&path, &format!(r"\b(?:{models})\.([a-z_]+)\b"));
    let missing = unmapped(Taxonomy::Cim, read.into_keys());
    let kinds = ["category", "bunit", "priority", "zone", "region", "owner"];
    let of_events: Vec<String> =
        missing.into_iter().filter(|name| !kinds.iter().any(|kind| name.ends_with(kind))).collect();
    let other_sources = ["bytes", "bytes_in", "command", "flow_id", "message_type", "orig_process_name"];
    let more = ["query_type", "result_id", "user_agent"];
    let misspelt = ["original_file_nam", "process_guidr"];
    let known = |name: &String| [&other_sources[..], &more, &misspelt].iter().any(|l| l.contains(&name.as_str()));
    assert_eq!(of_events.iter().filter(|name| !known(name)).collect::<Vec<_>>(), Vec::<&String>::new());
}
