//! Splunk's endpoint detections: a section for each technique, in it what came of each recording.

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use super::{Detection, Outcome, Recording, Sorted, Vendor, list, of, texts};

pub(super) const VENDOR: Vendor = Vendor { name: "splunk", page: "spl-coverage.md", rules, detections, write: page };

const DETECTIONS: &str = "rules/escu/detections/endpoint";

fn rules(_data: &Path) -> Result<Vec<String>, String> {
    Ok([DETECTIONS, "rules/escu/macros", "rules/escu/lookups"].map(str::to_owned).into())
}

/// Of the files of detections only the lines with the name and the techniques are read.
fn detections(data: &Path) -> Result<Vec<Detection>, String> {
    let detection = |(_, text): (_, String)| {
        let name = text.lines().find_map(|line| line.strip_prefix("name:")).unwrap_or_default();
        let listed = text.lines().skip_while(|line| line.trim() != "mitre_attack_id:").skip(1);
        let techniques = listed.map_while(|line| line.trim().strip_prefix("- ")).map(|id| id.trim().to_owned());
        Detection { name: name.trim().trim_matches(['\'', '"']).to_owned(), techniques: techniques.collect() }
    };
    let mut found: Vec<Detection> = texts(&data.join(DETECTIONS))?.into_iter().map(detection).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
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
        let _ = write!(page, "* `{}`, {} events", recording.short(), outcome.events);
        if own.is_empty() {
            let _ = writeln!(page, "; {} detections for other techniques fire", outcome.fired.len());
            continue;
        }
        let Sorted { fired, unfit, unrun, absent } = Sorted::new(&own, outcome);
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
    use std::collections::BTreeSet;

    use super::{super::recording, *};

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
