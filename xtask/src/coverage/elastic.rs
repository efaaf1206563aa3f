//! Elastic's rules: a section for each recording, in it what came of each technique that it was recorded for.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use super::{Detection, Outcome, Recording, Sorted, Vendor, list, of, texts};

pub(super) const VENDOR: Vendor =
    Vendor { name: "elastic", page: "elastic-coverage.md", rules: folders, detections, write: page };

const RULES: &str = "rules/elastic/rules";

/// The folders of rules, building blocks too, but for those that are out of use.
fn folders(data: &Path) -> Result<Vec<String>, String> {
    let folder = data.join(RULES);
    let mut found = vec!["rules/elastic/rules_building_block".to_owned()];
    let mut add = |path: &Path, shown: &str| -> Result<(), String> {
        for entry in fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))? {
            let entry = entry.map_err(|error| error.to_string())?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() && !name.starts_with('_') && !(shown == RULES && name == "integrations") {
                found.push(format!("{shown}/{name}"));
            }
        }
        Ok(())
    };
    add(&folder, RULES)?;
    add(&folder.join("integrations"), &format!("{RULES}/integrations"))?;
    found.sort();
    Ok(found)
}

/// Of the files of rules only the lines with the name and the ids of techniques are read.
fn detections(data: &Path) -> Result<Vec<Detection>, String> {
    let mut found = Vec::new();
    for folder in folders(data)? {
        for (_, text) in texts(&data.join(folder))? {
            let quoted = |line: &str, key: &str| -> Option<String> {
                let value = line.strip_prefix(key)?.trim_start().strip_prefix('=')?;
                Some(value.trim().trim_matches('"').to_owned())
            };
            let Some(name) = text.lines().find_map(|line| quoted(line, "name")) else { continue };
            let ids = text.lines().filter_map(|line| quoted(line, "id"));
            let techniques = ids.filter(|id| id.starts_with('T') && !id.starts_with("TA")).collect();
            found.push(Detection { name, techniques });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

const HEAD: &str = "# Which Elastic rules fire on which recorded attack\n\n\
Written by `cargo xtask coverage`; do not edit. For each recording the ATT&CK techniques that it is labelled with, and what comes of\n\
Elastic's rules for them (`--route any`; deprecated rules left out): those that fire; of a silent technique those that look at\n\
events of the recording and find none that fits, and how many look for events that the recording does not have. What lies behind\n\
the silence: [elastic-rules.md](elastic-rules.md#silent-techniques).\n\n";

/// The page.
fn page(detections: &[Detection], recordings: &[Recording], outcomes: &[Outcome]) -> String {
    let mut page = String::from(HEAD);
    let mut sections = String::new();
    // By technique: whether a rule for it fires on some recording of it.
    let mut techniques: BTreeMap<&str, bool> = BTreeMap::new();
    let (mut pairs, mut firing) = (0, 0);
    for (recording, outcome) in recordings.iter().zip(outcomes) {
        let _ = writeln!(sections, "## `{}`: {}\n\n{} events.\n", recording.short(), recording.title, outcome.events);
        let mut named: BTreeSet<&str> = BTreeSet::new();
        for technique in &recording.techniques {
            let own = of(detections, technique);
            let sorted = Sorted::new(&own, outcome);
            named.extend(&sorted.fired);
            *techniques.entry(technique).or_default() |= !sorted.fired.is_empty();
            pairs += 1;
            firing += usize::from(!sorted.fired.is_empty());
            line(&mut sections, technique, &own, &sorted);
        }
        let others: Vec<&str> = outcome.fired.iter().map(String::as_str).filter(|name| !named.contains(name)).collect();
        let _ = writeln!(sections, "* Other rules that fire: {}.\n", list(&others));
    }
    let found = techniques.values().filter(|fires| **fires).count();
    let _ = writeln!(
        page,
        "{} recordings, {} techniques; rules for {found} of them fire on some recording, and on {firing} of the {pairs} pairs of \
         recording and technique.\n",
        recordings.len(),
        techniques.len()
    );
    page.push_str(&sections);
    page
}

fn line(page: &mut String, technique: &str, own: &[&str], sorted: &Sorted<'_>) {
    if own.is_empty() {
        let _ = writeln!(page, "* {technique}: no rule names it.");
        return;
    }
    if !sorted.fired.is_empty() {
        let _ = writeln!(page, "* {technique} **fires**: {}.", list(&sorted.fired));
        return;
    }
    let _ = write!(page, "* {technique} is silent. ");
    if sorted.unfit.is_empty() {
        let _ = write!(page, "No rule looks at events of the recording; {} look for others", sorted.absent);
    } else {
        let _ = write!(page, "No event fits: {}. Events absent: {}", list(&sorted.unfit), sorted.absent);
    }
    let _ = writeln!(
        page,
        "{}.",
        if sorted.unrun.is_empty() { String::new() } else { format!(". Not run: {}", list(&sorted.unrun)) }
    );
}

#[cfg(test)]
mod tests {
    use super::{super::recording, *};

    #[test]
    fn techniques_are_sorted_by_what_came_of_their_rules() {
        let detection = |name: &str, technique: &str| Detection {
            name: name.to_owned(),
            techniques: [technique.to_owned()].into(),
        };
        let detections = [detection("A", "T1"), detection("B", "T2"), detection("C", "T2"), detection("D", "T4")];
        let recordings = [recording("x/r.zip,An attack,T1 T2 T3,TA1").expect("a recording")];
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let outcomes = [Outcome { events: 7, fired: names(&["A", "D"]), unfit: names(&["B"]), ..Outcome::default() }];
        let page = page(&detections, &recordings, &outcomes);
        assert!(page.contains("## `r.zip`: An attack\n\n7 events.\n\n* T1 **fires**: A.\n"), "{page}");
        assert!(page.contains("* T2 is silent. No event fits: B. Events absent: 1.\n"), "{page}");
        assert!(page.contains("* T3: no rule names it.\n* Other rules that fire: D.\n"), "{page}");
        assert!(page.contains("rules for 1 of them fire on some recording, and on 1 of the 3 pairs"), "{page}");
    }
}
