//! What has changed since a revision, as git sees it.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use lurcher_content::TestData;

use super::select::Chosen;

/// The files that have changed, whether committed, staged, edited or new.
#[derive(Debug)]
pub(super) struct Changed {
    files: HashSet<PathBuf>,
}

impl Changed {
    /// Asks git in the folders of these paths.
    pub(super) fn since(revision: &str, paths: &[PathBuf]) -> Result<Self, String> {
        let mut files = HashSet::new();
        let mut roots = HashSet::new();
        for path in paths {
            let folder = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(Path::new(".")) };
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let root = git(folder, &["rev-parse", "--show-toplevel"])?;
            let root = PathBuf::from(root.trim_end_matches(['\n', '\r']));
            if !roots.insert(root.clone()) {
                continue;
            }
            // `--end-of-options`: a revision is the user's text and must never be taken for a flag.
            let changed = git(&root, &["diff", "--name-only", "-z", "--end-of-options", revision, "--"])?;
            let new = git(&root, &["ls-files", "--others", "--exclude-standard", "-z"])?;
            let names = changed.split('\0').chain(new.split('\0')).filter(|name| !name.is_empty());
            files.extend(names.map(|name| real(&root.join(name))));
        }
        Ok(Self { files })
    }

    /// Whether a test's rule, its own file or one of its events' files has changed.
    pub(super) fn touches(&self, test: &Chosen) -> bool {
        let has = |path: &Path| self.files.contains(&real(path));
        has(Path::new(&test.case.path))
            || test.rule.as_ref().is_some_and(|rule| has(Path::new(&rule.meta.path)))
            || test.case.data.iter().any(|data| matches!(data, TestData::File { path, .. } if has(path)))
    }
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output();
    let output = output.map_err(|error| format!("--changed-since needs git: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("--changed-since: {}", said.lines().next().unwrap_or("git failed")))
}
