//! From what the user typed to the list of inputs: files, folders, globs, and `-`.
//!
//! Nothing is opened here. What a file holds is found from its content when it is read.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::Problem;

/// Something to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// A file, under the path that alerts and messages show for it.
    File(PathBuf),
    /// Standard input, shown as `-`.
    Stdin,
}

impl Input {
    /// How alerts and messages name it: the path as given (below a folder: the folder as given and the way down,
    /// with `/`), or `-`.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.to_string_lossy().into_owned(),
            Self::Stdin => "-".to_owned(),
        }
    }
}

/// What [`discover`] found.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    /// What there is to read: in the order given, folders sorted by path, each file once.
    pub inputs: Vec<Input>,
    /// Paths that do not exist or may not be looked into, globs that are none or match nothing.
    pub problems: Vec<Problem>,
}

/// Finds the files behind paths, folders (all files in them, at any depth), globs and `-`.
///
/// A path that exists is taken as it is, even if it holds `*` or `[`. Links to folders are not followed, so a link
/// in a circle does no harm; links to files are.
pub fn discover<S: AsRef<str>>(paths: &[S]) -> Discovery {
    let mut found = Discovery::default();
    for given in paths {
        let given = given.as_ref();
        if given == "-" {
            found.inputs.push(Input::Stdin);
            continue;
        }
        let path = Path::new(given);
        match fs::metadata(path) {
            Ok(meta) => found.add(path, meta.is_dir()),
            Err(_) if given.contains(['*', '?', '[']) => found.glob(given),
            Err(error) => found.problems.push(
                Problem::error("no-such-input", given, error.to_string())
                    .with_help("inputs are files, folders, globs, archives, or `-` for standard input"),
            ),
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.inputs.retain(|input| seen.insert(input.clone()));
    found
}

impl Discovery {
    fn add(&mut self, path: &Path, is_dir: bool) {
        if is_dir {
            self.folder(path);
        } else {
            self.inputs.push(Input::File(path.to_owned()));
        }
    }

    fn glob(&mut self, pattern: &str) {
        match glob::glob(pattern) {
            Err(error) => self.problems.push(Problem::error("bad-glob", pattern, error.to_string())),
            Ok(paths) => {
                let before = self.inputs.len() + self.problems.len();
                for entry in paths {
                    match entry {
                        Ok(path) => {
                            let is_dir = path.is_dir();
                            self.add(&path, is_dir);
                        }
                        Err(error) => self.unreadable(error.path(), error.error()),
                    }
                }
                if self.inputs.len() + self.problems.len() == before {
                    self.problems.push(Problem::error("no-such-input", pattern, "nothing matches this glob"));
                }
            }
        }
    }

    /// All files below a folder, sorted by name level by level.
    fn folder(&mut self, root: &Path) {
        // A stack, not recursion: folders can be nested deeper than a thread's stack.
        let mut todo = vec![root.to_owned()];
        while let Some(path) = todo.pop() {
            let is_dir = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir()) || path == root;
            if !is_dir {
                if path.is_file() {
                    self.inputs.push(Input::File(path));
                }
                continue;
            }
            let entries = match fs::read_dir(&path) {
                Ok(entries) => entries,
                Err(error) => {
                    self.unreadable(&path, &error);
                    continue;
                }
            };
            let mut below = Vec::new();
            for entry in entries {
                match entry {
                    Ok(entry) => below.push(entry.path()),
                    Err(error) => self.unreadable(&path, &error),
                }
            }
            below.sort();
            todo.extend(below.into_iter().rev());
        }
    }

    fn unreadable(&mut self, path: &Path, error: &std::io::Error) {
        self.problems.push(Problem::error("unreadable", path.to_string_lossy(), error.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_globs_and_files_are_found_once_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
        for name in ["b/2.json", "b/10.json", "a.json", "c[1].json"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = discover(&[at("c[1].json"), at(""), at("b/*.json"), "-".into(), at("none"), at("x*")]);
        let names: Vec<String> =
            found.inputs.iter().map(|i| i.name().replace(&*dir.path().to_string_lossy(), "")).collect();
        assert_eq!(names, ["/c[1].json", "/a.json", "/b/10.json", "/b/2.json", "-"]);
        let codes: Vec<&str> = found.problems.iter().map(|p| p.code).collect();
        assert_eq!(codes, ["no-such-input", "no-such-input"]);
    }
}
