//! The events of a test: from the test itself, from files, or from a local copy of published attack data.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use lurcher_content::{TestCase, TestData};
use lurcher_readers::{Gravity, Input, ReadOptions, Report, read, read_stream};
use lurcher_schema::EventBatch;

/// How a file begins that stands for a large one which was not fetched.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Where published attack data is looked for.
#[derive(Debug)]
pub(super) struct Finder {
    folders: Vec<PathBuf>,
}

/// Why there are no events.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoData {
    /// They are not at hand, which is nobody's fault.
    Absent(String),
    /// Something is wrong with them.
    Faulty(String),
}

impl Finder {
    pub(super) fn new(folders: &[PathBuf]) -> Self {
        Self { folders: folders.to_vec() }
    }

    /// The file whose path ends as the address does: the longest common end wins, of at least a folder and a name.
    fn find(&self, url: &str) -> Result<PathBuf, NoData> {
        if self.folders.is_empty() {
            return Err(NoData::Absent(
                "its attack data is published elsewhere: --attack-data names a local copy".into(),
            ));
        }
        let path = url.split(['?', '#']).next().unwrap_or(url);
        let path = path.split_once("://").map_or(path, |(_, rest)| rest);
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != "..").collect();
        for start in 0..parts.len().saturating_sub(1) {
            let tail: PathBuf = parts[start..].iter().collect();
            if let Some(found) = self.folders.iter().map(|folder| folder.join(&tail)).find(|path| path.is_file()) {
                return Ok(found);
            }
        }
        let shown = parts.iter().position(|part| *part == "datasets").unwrap_or(0);
        Err(NoData::Absent(format!("its attack data is not at hand: {}", parts[shown..].join("/"))))
    }
}

/// Reads all events of a test.
pub(super) fn events(case: &TestCase, finder: &Finder) -> Result<Vec<EventBatch>, NoData> {
    let mut batches = Vec::new();
    for data in &case.data {
        match data {
            TestData::Inline(text) => {
                let name = format!("{}:{}", case.path, case.line);
                let sink = &mut |batch| batches.push(batch);
                sound(&read_stream(&name, &mut text.as_bytes(), &ReadOptions::default(), sink))?;
            }
            TestData::File { path, records } => file(path, records, &mut batches)?,
            TestData::Published { url, .. } => file(&finder.find(url)?, &[], &mut batches)?,
        }
    }
    if batches.iter().all(|batch| batch.rows() == 0) {
        return Err(NoData::Faulty("there is no event in its data".into()));
    }
    Ok(batches)
}

fn file(path: &Path, records: &[u64], batches: &mut Vec<EventBatch>) -> Result<(), NoData> {
    if let Err(error) = fs::metadata(path) {
        return Err(NoData::Faulty(format!("{}: {error}", path.display())));
    }
    if is_pointer(path) {
        let name = path.display();
        return Err(NoData::Absent(format!(
            "its attack data was not fetched: {name} only points to it (git lfs pull)"
        )));
    }
    let mut missing: Vec<u64> = records.to_vec();
    let mut take = |batch: EventBatch| {
        if records.is_empty() {
            batches.push(batch);
            return;
        }
        let kept = batch.filter(|row| records.contains(&batch.reference(row).record));
        missing.retain(|record| !(0..kept.rows()).any(|row| kept.reference(row).record == *record));
        batches.push(kept);
    };
    sound(&read(&Input::File(path.to_owned()), &ReadOptions::default(), &mut take))?;
    match missing.as_slice() {
        [] => Ok(()),
        missing => {
            let names: Vec<String> = missing.iter().map(|record| format!("{}#{record}", path.display())).collect();
            Err(NoData::Faulty(format!("no such event: {}", names.join(", "))))
        }
    }
}

fn is_pointer(path: &Path) -> bool {
    let mut head = [0; POINTER.len()];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *POINTER
}

/// A test over data that could be read in part only would say nothing.
fn sound(report: &Report) -> Result<(), NoData> {
    match report.problems.iter().find(|problem| problem.gravity == Gravity::Error) {
        Some(problem) => Err(NoData::Faulty(problem.to_string())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_data_is_found_by_the_end_of_its_address() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("datasets/attack_techniques/T1")).unwrap();
        fs::write(at("datasets/attack_techniques/T1/x.log"), "{}").unwrap();
        let finder = Finder::new(&[folder.path().to_owned()]);
        let url = "https://media.example/splunk/attack_data/master/datasets/attack_techniques/T1/x.log?raw=1";
        assert_eq!(finder.find(url), Ok(at("datasets/attack_techniques/T1/x.log")));
        let absent = NoData::Absent("its attack data is not at hand: datasets/attack_techniques/T2/x.log".into());
        assert_eq!(finder.find(&url.replace("T1", "T2").replace("?raw=1", "")), Err(absent));
        assert!(matches!(Finder::new(&[]).find(url), Err(NoData::Absent(_))));
    }
}
