//! Runs again whenever a file changes, until it is stopped.
//!
//! Files are looked at several times a second. That costs next to nothing for the some thousand files that rules and
//! tests are, works on every file system, and needs no library.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use crate::{arguments::Test, outcome::Outcome};

/// How often files are looked at.
const PAUSE: Duration = Duration::from_millis(300);
/// How deep folders are looked into.
const MAX_DEPTH: usize = 64;

/// Runs, waits for a change, and runs again.
pub(super) fn forever(
    arguments: &Test,
    run: impl Fn(&Test) -> Result<Vec<PathBuf>, String>,
) -> Result<Outcome, String> {
    let mut first = true;
    loop {
        let files = match run(arguments) {
            Ok(files) => files,
            Err(message) if first => return Err(message),
            Err(message) => {
                eprintln!("lurcher: {message}");
                arguments.files.clone()
            }
        };
        first = false;
        eprintln!("watching {} files and folders; stop with Ctrl-C", files.len());
        let before = state(&files);
        while state(&files) == before {
            thread::sleep(PAUSE);
        }
        // An editor may write a file in several steps.
        thread::sleep(PAUSE / 3);
        eprintln!();
    }
}

/// When each file was last changed, and how large it is.
fn state(files: &[PathBuf]) -> Vec<(PathBuf, Option<SystemTime>, u64)> {
    let mut found = Vec::new();
    for file in files {
        look(file, 0, &mut found);
    }
    found.sort();
    found
}

fn look(path: &Path, depth: usize, found: &mut Vec<(PathBuf, Option<SystemTime>, u64)>) {
    let Ok(metadata) = fs::metadata(path) else {
        found.push((path.to_owned(), None, 0));
        return;
    };
    if metadata.is_dir() && depth < MAX_DEPTH {
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            if !entry.file_name().to_string_lossy().starts_with('.') {
                look(&entry.path(), depth + 1, found);
            }
        }
    } else {
        found.push((path.to_owned(), metadata.modified().ok(), metadata.len()));
    }
}
