//! Runs the binary as a user would.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The bundled example.
pub(crate) fn example(path: &str) -> String {
    root().join("examples/bits").join(path).to_string_lossy().into_owned()
}

/// Real telemetry and published rules beside the repository, if they are there.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let path = root().join("../shared").join(path);
    path.exists().then_some(path)
}

/// The data for sweeps over real telemetry; none where it is absent, or where a sweep would take too long.
pub(crate) fn oracle_data() -> Option<PathBuf> {
    let Some(data) = shared("data") else {
        eprintln!("skipped: ../shared/data is absent");
        return None;
    };
    if cfg!(debug_assertions) && std::env::var_os("LURCHER_SLOW_TESTS").is_none() {
        eprintln!("skipped: slow without optimisation; set LURCHER_SLOW_TESTS to run it");
        return None;
    }
    Some(data)
}

/// The cells of a line of CSV.
pub(crate) fn cells(line: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
    reader.deserialize().next().unwrap().unwrap()
}

/// What stands behind the last separator of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Runs `lurcher` in an empty folder of its own, so that no settings of the machine's matter.
pub(crate) fn lurcher(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_lurcher")).args(arguments).current_dir(folder.path()).output().unwrap()
}

/// Runs `lurcher hunt --format jsonl` and returns the exit code, the alerts, and what was said on standard error.
pub(crate) fn hunt(arguments: &[&str]) -> (i32, Vec<Value>, String) {
    let output = lurcher(&[&["hunt", "--format", "jsonl"], arguments].concat());
    let alerts =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), alerts, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The alerts as sorted lines without what names the file, so that runs over different files can be compared.
pub(crate) fn without_files(alerts: &[Value]) -> Vec<String> {
    let mut lines: Vec<String> = alerts
        .iter()
        .map(|alert| {
            let mut alert = alert.clone();
            for event in alert["events"].as_array_mut().unwrap() {
                event.as_object_mut().unwrap().retain(|name, _| name != "file" && name != "record");
            }
            alert.to_string()
        })
        .collect();
    lines.sort();
    lines
}
