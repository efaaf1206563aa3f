//! Which of Splunk's endpoint detections fire on which recorded attack: `docs/spl-coverage.md`, written anew from the
//! recordings beside the repository and their ATT&CK labels.
//!
//! It runs `lurcher doctor` over each recording and sorts the detections for its labelled techniques by what came of them. It
//! copies nothing of the recordings or the detections but their names. What it says about silence is what `doctor` finds
//! out; why a technique has no detection at all that fires is for people to review, in `docs/spl-oracle.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::root;

/// A detection: its name and the techniques that it says it finds.
struct Detection {
    name: String,
    techniques: BTreeSet<String>,
}

/// A recording: its path below the folder of data, and its labels.
struct Recording {
    file: String,
    techniques: Vec<String>,
}

/// What came of a recording: detections by name.
#[derive(Default)]
struct Outcome {
    events: u64,
    fired: BTreeSet<String>,
    unfit: BTreeSet<String>,
    unrun: BTreeSet<String>,
}

/// Builds the release binary, runs it over every labelled recording, and writes the list.
pub(crate) fn run(_arguments: &[String]) -> Result<(), String> {
    let data = root().join("../shared/data");
    let labels = fs::read_to_string(data.join("oracle/dataset_techniques.csv"))
        .map_err(|_| "the recordings are not beside the repository (../shared/data)".to_owned())?;
    let built = Command::new("cargo").args(["build", "--release", "--package", "lurcher"]).current_dir(root()).status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("the release build failed".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let binary = target.join("release").join("lurcher");
    let detections = detections(&data.join("rules/escu/detections/endpoint"))?;
    let recordings: Vec<Recording> = labels.lines().skip(1).filter_map(recording).collect();
    let mut outcomes = Vec::new();
    for recording in &recordings {
        println!("{}", recording.file);
        outcomes.push(outcome(&binary, &data, &recording.file)?);
    }
    let page = page(&detections, &recordings, &outcomes);
    fs::write(root().join("docs/spl-coverage.md"), page).map_err(|error| error.to_string())
}

/// A line of the labels: `file,title,techniques,…`; titles may be quoted.
fn recording(line: &str) -> Option<Recording> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
    let cells = reader.records().next()?.ok()?;
    let techniques = cells.get(2)?.split(' ').filter(|id| !id.is_empty()).map(str::to_owned).collect();
    Some(Recording { file: cells.get(0)?.to_owned(), techniques })
}

/// The detections of a folder. Of their files only the lines with the name and the techniques are read.
fn detections(folder: &Path) -> Result<Vec<Detection>, String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let name = text.lines().find_map(|line| line.strip_prefix("name:")).unwrap_or_default();
        let listed = text.lines().skip_while(|line| line.trim() != "mitre_attack_id:").skip(1);
        let techniques = listed.map_while(|line| line.trim().strip_prefix("- ")).map(|id| id.trim().to_owned());
        found.push(Detection {
            name: name.trim().trim_matches(['\'', '"']).to_owned(),
            techniques: techniques.collect(),
        });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn outcome(binary: &Path, data: &Path, file: &str) -> Result<Outcome, String> {
    let mut command = Command::new(binary);
    command.current_dir(data).args(["doctor", file, "--route", "any", "--format", "json", "--quiet"]);
    command.args(["-r", "rules/escu/detections/endpoint", "rules/escu/macros", "rules/escu/lookups"]);
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

/// The page: a section for each technique, in it what came of each recording, and what is silent in all of them.
fn page(detections: &[Detection], recordings: &[Recording], outcomes: &[Outcome]) -> String {
    let mut by_technique: BTreeMap<&str, Vec<(&Recording, &Outcome)>> = BTreeMap::new();
    for (recording, outcome) in recordings.iter().zip(outcomes) {
        for technique in &recording.techniques {
            by_technique.entry(technique).or_default().push((recording, outcome));
        }
    }
    let mut page = String::from(HEAD);
    let with = by_technique.iter().filter(|(technique, recorded)| fires(detections, technique, recorded)).count();
    let of = by_technique.len();
    let _ = writeln!(page, "{} recordings, {of} techniques; detections for {with} of them fire.\n", recordings.len());
    for (technique, recorded) in &by_technique {
        section(&mut page, technique, recorded, detections);
    }
    page
}

const HEAD: &str = "# Which endpoint detections fire on which recorded attack\n\n\
Written by `cargo xtask coverage`; do not edit. For each ATT&CK technique the recordings that are labelled with it, and what comes of\n\
Splunk's endpoint detections for that technique (`--route any`): those that fire; those that look at events of the recording and\n\
find none that fits; how many look for events that the recording does not have. Why a detection can be silent: \n\
[spl-oracle.md](spl-oracle.md#silent-detections).\n\n";

fn of<'d>(detections: &'d [Detection], technique: &str) -> Vec<&'d str> {
    let own = detections.iter().filter(|detection| detection.techniques.contains(technique));
    own.map(|detection| detection.name.as_str()).collect()
}

fn fires(detections: &[Detection], technique: &str, recorded: &[(&Recording, &Outcome)]) -> bool {
    let own = of(detections, technique);
    recorded.iter().any(|(_, outcome)| own.iter().any(|name| outcome.fired.contains(*name)))
}

fn section(page: &mut String, technique: &str, recorded: &[(&Recording, &Outcome)], detections: &[Detection]) {
    let own = of(detections, technique);
    let _ = writeln!(page, "## {technique}\n");
    if own.is_empty() {
        let _ = writeln!(page, "No endpoint detection names it.");
    }
    for (recording, outcome) in recorded {
        let file = recording.file.rsplit('/').next().unwrap_or(&recording.file);
        let _ = write!(page, "* `{file}`, {} events", outcome.events);
        let among = |names: &BTreeSet<String>| -> Vec<&str> {
            own.iter().filter(|name| names.contains(**name)).copied().collect()
        };
        let (fired, unfit, unrun) = (among(&outcome.fired), among(&outcome.unfit), among(&outcome.unrun));
        let absent = own.len() - fired.len() - unfit.len() - unrun.len();
        if own.is_empty() {
            let _ = writeln!(page, "; {} detections for other techniques fire", outcome.fired.len());
            continue;
        }
        let list = |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let _ = write!(page, ". Fire: {}. No event fits: {}. Events absent: {absent}", list(&fired), list(&unfit));
        let _ =
            writeln!(page, "{}", if unrun.is_empty() { String::new() } else { format!(". Not run: {}", list(&unrun)) });
    }
    let seen = |name: &&&str| recorded.iter().any(|(_, o)| o.fired.contains(**name) || o.unfit.contains(**name));
    let absent: Vec<&str> = own.iter().filter(|name| !seen(name)).copied().collect();
    if !absent.is_empty() {
        let _ = writeln!(page, "\nNo recording has the events of: {}.", absent.join(", "));
    }
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detections_are_sorted_by_what_came_of_them() {
        let detection = |name: &str| Detection { name: name.to_owned(), techniques: ["T1".to_owned()].into() };
        let detections = [detection("A"), detection("B"), detection("C")];
        let recordings = [recording("x/r.zip,\"a, b\",T1 T2,TA1").expect("a recording")];
        let name = |name: &str| BTreeSet::from([name.to_owned()]);
        let outcomes = [Outcome { events: 7, fired: name("A"), unfit: name("B"), ..Outcome::default() }];
        let page = page(&detections, &recordings, &outcomes);
        assert!(page.contains("* `r.zip`, 7 events. Fire: A. No event fits: B. Events absent: 1\n"), "{page}");
        assert!(page.contains("No recording has the events of: C."), "{page}");
        assert!(page.contains("## T2\n\nNo endpoint detection names it."), "{page}");
    }
}
