//! Which of a vendor's published rules fire on which recorded attack: `docs/spl-coverage.md` and `docs/elastic-coverage.md`,
//! written anew from the recordings beside the repository and their ATT&CK labels.
//!
//! It runs `lurcher doctor` over each recording and sorts the rules for its labelled techniques by what came of them. It
//! copies nothing of the recordings or the rules but their names. What it says about silence is what `doctor` finds
//! out; why a technique has no rule at all that fires is for people to review, in `docs/spl-oracle.md` and
//! `docs/elastic-rules.md`.

mod elastic;
mod splunk;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::root;

/// A vendor's rules, and the page about them.
struct Vendor {
    /// What `cargo xtask coverage` calls it.
    name: &'static str,
    /// Below `docs/`.
    page: &'static str,
    /// What `doctor` is given as rules, below the folder of data.
    rules: fn(&Path) -> Result<Vec<String>, String>,
    /// The rules that techniques are looked up in.
    detections: fn(&Path) -> Result<Vec<Detection>, String>,
    /// Writes the page.
    write: fn(&[Detection], &[Recording], &[Outcome]) -> String,
}

const VENDORS: [Vendor; 2] = [splunk::VENDOR, elastic::VENDOR];

/// A rule: its name and the techniques that it says it finds.
struct Detection {
    name: String,
    techniques: BTreeSet<String>,
}

/// A recording: its path below the folder of data, its title and its labels.
struct Recording {
    file: String,
    title: String,
    techniques: Vec<String>,
}

/// What came of a recording: rules by name.
#[derive(Default)]
struct Outcome {
    events: u64,
    fired: BTreeSet<String>,
    unfit: BTreeSet<String>,
    unrun: BTreeSet<String>,
}

/// Builds the release binary, runs it over every labelled recording, and writes the lists: of the vendor that is named, or
/// of all.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let data = root().join("../shared/data");
    let labels = fs::read_to_string(data.join("oracle/dataset_techniques.csv"))
        .map_err(|_| "the recordings are not beside the repository (../shared/data)".to_owned())?;
    let wanted = |vendor: &&Vendor| arguments.is_empty() || arguments.iter().any(|name| name == vendor.name);
    let vendors: Vec<&Vendor> = VENDORS.iter().filter(wanted).collect();
    if vendors.is_empty() {
        return Err(format!("write one of {}", VENDORS.map(|vendor| vendor.name).join(", ")));
    }
    let binary = binary()?;
    let recordings: Vec<Recording> = labels.lines().skip(1).filter_map(recording).collect();
    for vendor in vendors {
        let detections = (vendor.detections)(&data)?;
        let rules = (vendor.rules)(&data)?;
        let mut outcomes = Vec::new();
        for recording in &recordings {
            println!("{}", recording.file);
            outcomes.push(outcome(&binary, &data, &recording.file, &rules)?);
        }
        let page = (vendor.write)(&detections, &recordings, &outcomes);
        fs::write(root().join("docs").join(vendor.page), page).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The release binary, built if need be; `LURCHER` names another.
fn binary() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("LURCHER") {
        return Ok(path.into());
    }
    let built = Command::new("cargo").args(["build", "--release", "--package", "lurcher"]).current_dir(root()).status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("the release build failed".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join("release").join("lurcher"))
}

/// A line of the labels: `file,title,techniques,…`; titles may be quoted.
fn recording(line: &str) -> Option<Recording> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
    let cells = reader.records().next()?.ok()?;
    let techniques = cells.get(2)?.split(' ').filter(|id| !id.is_empty()).map(str::to_owned).collect();
    Some(Recording { file: cells.get(0)?.to_owned(), title: cells.get(1)?.to_owned(), techniques })
}

impl Recording {
    /// The last part of its path.
    fn short(&self) -> &str {
        self.file.rsplit('/').next().unwrap_or(&self.file)
    }
}

/// The files of a folder, with their text, in the order of their names.
fn texts(folder: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let fault = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| fault(folder, error))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_file() {
            let text = fs::read_to_string(&path).map_err(|error| fault(&path, error))?;
            found.push((path, text));
        }
    }
    found.sort();
    Ok(found)
}

fn outcome(binary: &Path, data: &Path, file: &str, rules: &[String]) -> Result<Outcome, String> {
    let mut command = Command::new(binary);
    command.current_dir(data).args(["doctor", file, "--route", "any", "--format", "json", "--quiet", "-r"]).args(rules);
    let output = command.output().map_err(|error| format!("{}: {error}", binary.display()))?;
    let said: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("{file}: {error}: {}", String::from_utf8_lossy(&output.stderr)))?;
    let names = |key: &str| -> BTreeSet<String> {
        let rules = said[key].as_array().into_iter().flatten();
        rules.filter_map(|rule| rule["name"].as_str()).map(str::to_owned).collect()
    };
    Ok(Outcome {
        events: said["events"].as_u64().unwrap_or_default(),
        fired: names("fire"),
        unfit: names("could_fire"),
        unrun: names("cannot_run"),
    })
}

/// The names of the rules for a technique.
fn of<'d>(detections: &'d [Detection], technique: &str) -> Vec<&'d str> {
    let own = detections.iter().filter(|detection| detection.techniques.contains(technique));
    own.map(|detection| detection.name.as_str()).collect()
}

/// What came of the rules for a technique in one recording.
struct Sorted<'d> {
    fired: Vec<&'d str>,
    /// They look at events of the recording, and none fits.
    unfit: Vec<&'d str>,
    unrun: Vec<&'d str>,
    /// How many look for events that the recording does not have.
    absent: usize,
}

impl<'d> Sorted<'d> {
    fn new(own: &[&'d str], outcome: &Outcome) -> Self {
        let among = |names: &BTreeSet<String>| -> Vec<&'d str> {
            own.iter().filter(|name| names.contains(**name)).copied().collect()
        };
        let (fired, unfit, unrun) = (among(&outcome.fired), among(&outcome.unfit), among(&outcome.unrun));
        let absent = own.len() - fired.len() - unfit.len() - unrun.len();
        Self { fired, unfit, unrun, absent }
    }
}

/// Names, or that there are none.
fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
