//! Which crate may use which: the layers of ARCHITECTURE.md, and the one owner of each heavy dependency. Also the
//! licences of everything that is linked in.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::root;

/// Each crate and all that it may depend on inside the workspace, bottom first.
const LAYERS: &[(&str, &[&str])] = &[
    ("lurcher-diagnostics", &[]),
    ("lurcher-schema", &["diagnostics"]),
    ("lurcher-ir", &["diagnostics", "schema"]),
    ("lurcher-frontend", &["diagnostics", "schema", "ir"]),
    ("lurcher-content", &["diagnostics", "schema", "ir", "frontend"]),
    ("lurcher-readers", &["diagnostics", "schema"]),
    ("lurcher-engine", &["schema", "ir"]),
    ("lurcher-query", &["schema", "ir", "engine"]),
    ("lurcher-onnx", &["schema", "ir"]),
    ("lurcher-enrich", &["engine"]),
    ("lurcher-outputs", &["diagnostics", "schema", "ir", "engine", "content"]),
    (
        "lurcher-testkit",
        &["diagnostics", "schema", "ir", "frontend", "content", "readers", "engine", "query", "enrich", "outputs"],
    ),
    ("lurcher-journal", &["schema"]),
    ("lurcher-ingest", &["schema", "readers", "journal"]),
    ("lurcher-store", &["schema", "readers", "journal"]),
    ("lurcher-triage", &["schema"]),
    ("lurcher-deliver", &["schema"]),
    ("lurcher-server", &["schema", "triage"]),
    (
        "lurcher-live",
        &["schema", "ir", "readers", "engine", "outputs", "journal", "ingest", "store", "triage", "deliver", "server"],
    ),
    (
        "lurcher",
        &[
            "diagnostics",
            "schema",
            "ir",
            "frontend",
            "content",
            "readers",
            "engine",
            "query",
            "onnx",
            "enrich",
            "outputs",
            "server",
            "live",
        ],
    ),
    ("xtask", &[]),
];

/// Heavy or telling dependencies, and the only crates that may name them.
const OWNERS: &[(&str, &[&str])] = &[
    ("datafusion", &["lurcher-query"]),
    ("maxminddb", &["lurcher-enrich"]),
    ("psl", &["lurcher-engine"]),
    ("ua-parser", &["lurcher-enrich"]),
    ("deltalake", &["lurcher-store"]),
    ("tract-onnx", &["lurcher-onnx"]),
    ("object_store", &["lurcher-store"]),
    ("sqlx", &["lurcher-triage"]),
    ("tonic", &["lurcher-ingest"]),
    ("lettre", &["lurcher-deliver"]),
    ("rdkafka", &["lurcher-ingest", "lurcher-deliver"]),
    ("axum", &["lurcher-ingest", "lurcher-server", "lurcher-live"]),
    ("evtx", &["lurcher-readers"]),
    ("quick-xml", &["lurcher-readers"]),
    ("clap", &["lurcher"]),
    ("arrow-array", &["lurcher-schema", "lurcher-readers", "lurcher-engine", "lurcher-query", "lurcher-store"]),
    (
        "serde",
        &[
            "lurcher-schema",
            "lurcher-content",
            "lurcher-outputs",
            "lurcher-diagnostics",
            "lurcher-testkit",
            "lurcher",
            "lurcher-readers",
            "lurcher-ingest",
            "lurcher-store",
            "lurcher-triage",
            "lurcher-deliver",
            "lurcher-server",
            "lurcher-live",
            "xtask",
        ],
    ),
];

/// Licences that go with Apache-2.0. An `OR` needs one of them, an `AND` all.
const LICENCES: &[&str] = &[
    "Apache-2.0",
    "MIT",
    "MIT-0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "0BSD",
    "Unlicense",
    "CC0-1.0",
    "BSL-1.0",
    "MPL-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "bzip2-1.0.6",
    "CDLA-Permissive-2.0",
    "NCSA",
];

/// Checks direction, owners and licences.
pub(crate) fn run() -> Result<(), String> {
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))?;
    let mut problems = Vec::new();
    let members: BTreeSet<&str> = strings(&metadata["workspace_members"]).collect();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        if members.contains(package["id"].as_str().unwrap_or_default()) {
            check_edges(package, &mut problems);
        } else {
            check_licence(package, &mut problems);
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn strings(array: &Value) -> impl Iterator<Item = &str> {
    array.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn check_edges(package: &Value, problems: &mut Vec<String>) {
    let name = package["name"].as_str().unwrap_or_default();
    let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == name) else {
        problems.push(format!("{name}: is in no layer; add it to xtask/src/dependencies.rs and ARCHITECTURE.md"));
        return;
    };
    let used = package["dependencies"].as_array().into_iter().flatten();
    for used in used.filter(|dependency| dependency["kind"].as_str() != Some("dev")) {
        let used = used["name"].as_str().unwrap_or_default();
        if let Some(inside) = used.strip_prefix("lurcher-")
            && !allowed.contains(&inside)
        {
            problems.push(format!("{name}: may not depend on {used}"));
        }
        let owner = OWNERS
            .iter()
            .find(|(owned, _)| used == *owned || (*owned == "datafusion" && used.starts_with("datafusion-")));
        if let Some((_, owners)) = owner
            && !owners.contains(&name)
        {
            problems.push(format!("{name}: may not depend on {used}; only {} may", owners.join(", ")));
        }
    }
}

fn check_licence(package: &Value, problems: &mut Vec<String>) {
    let licence = package["license"].as_str().unwrap_or_default().replace('/', " OR ");
    let good = |part: &str| LICENCES.contains(&part.trim().trim_matches(['(', ')']));
    let alternatives_good = |part: &str| part.split(" OR ").any(good);
    let fine = good(&licence) || licence.split(" AND ").all(alternatives_good) || licence.split(" OR ").any(good);
    if !fine {
        problems.push(format!("{} {}: licence `{licence}` is not on the list", package["name"], package["version"]));
    }
}
