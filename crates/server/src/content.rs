//! Rules and lists that came over the API: files in the folder of state, one folder for each kind.
//!
//! What a file says is the detector's business; here it is only kept, so that after a crash there is the old file or the new
//! one, and no name leads out of its folder.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::state::{make_private, write_whole};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ContentKind {
    /// Rules, in any of the vendors' formats.
    Rules,
    /// Exception lists, as Kibana exports them.
    Exceptions,
    /// Splunk's macros.
    Macros,
    /// Lookups: CSV.
    Lookups,
    /// Value lists: a value a line.
    ValueLists,
}

impl ContentKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Rules, Self::Exceptions, Self::Macros, Self::Lookups, Self::ValueLists];

    /// Its name, which is also its folder's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Exceptions => "exceptions",
            Self::Macros => "macros",
            Self::Lookups => "lookups",
            Self::ValueLists => "value-lists",
        }
    }
}

impl fmt::Display for ContentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A file that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ContentFile {
    /// What it is.
    pub kind: ContentKind,
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// Keeps the files.
#[derive(Debug)]
pub struct Content(PathBuf);

/// The most files of one kind.
const MOST_FILES: usize = 10_000;

impl Content {
    /// In this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The folder of a kind; it may not be there yet.
    pub fn folder(&self, kind: ContentKind) -> PathBuf {
        self.0.join(kind.name())
    }

    /// The files of a kind, by name.
    pub fn list(&self, kind: ContentKind) -> io::Result<Vec<ContentFile>> {
        let entries = match fs::read_dir(self.folder(kind)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_name(&name) && entry.file_type()?.is_file() {
                files.push(ContentFile { kind, name, bytes: entry.metadata()?.len() });
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    /// What a file says. `None`: there is no such file.
    pub fn read(&self, kind: ContentKind, name: &str) -> io::Result<Option<Vec<u8>>> {
        if !is_name(name) {
            return Ok(None);
        }
        match fs::read(self.folder(kind).join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps a file; whether it is new. The name must be one ([`is_name`]).
    pub fn write(&self, kind: ContentKind, name: &str, bytes: &[u8]) -> io::Result<bool> {
        let folder = self.folder(kind);
        make_private(&folder)?;
        let path = path_of(&folder, name)?;
        let is_new = !path.exists();
        if is_new && fs::read_dir(&folder)?.count() >= MOST_FILES {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, format!("there are {MOST_FILES} files already")));
        }
        write_whole(&path, bytes)?;
        Ok(is_new)
    }

    /// Takes a file away; whether it was there.
    pub fn delete(&self, kind: ContentKind, name: &str) -> io::Result<bool> {
        if !is_name(name) {
            return Ok(false);
        }
        match fs::remove_file(self.folder(kind).join(name)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn path_of(folder: &Path, name: &str) -> io::Result<PathBuf> {
    if is_name(name) { Ok(folder.join(name)) } else { Err(io::ErrorKind::InvalidFilename.into()) }
}

/// Whether it can be the name of a file: up to 128 letters, digits, `.`, `_` and `-`, beginning with a letter or digit.
pub fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.len() <= 128 && name.bytes().all(plain) && name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_kept_listed_replaced_and_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content::new(folder.path().to_owned());
        assert!(content.list(ContentKind::Rules).unwrap().is_empty());
        assert!(content.write(ContentKind::Rules, "b.yml", b"1").unwrap());
        assert!(content.write(ContentKind::Rules, "a.yml", b"1").unwrap());
        assert!(!content.write(ContentKind::Rules, "a.yml", b"22").unwrap());
        let names: Vec<_> = content.list(ContentKind::Rules).unwrap().into_iter().map(|f| (f.name, f.bytes)).collect();
        assert_eq!(names, [("a.yml".into(), 2), ("b.yml".into(), 1)]);
        assert_eq!(content.read(ContentKind::Rules, "a.yml").unwrap().as_deref(), Some(&b"22"[..]));
        assert_eq!(content.read(ContentKind::Macros, "a.yml").unwrap(), None);
        assert!(content.delete(ContentKind::Rules, "a.yml").unwrap());
        assert!(!content.delete(ContentKind::Rules, "a.yml").unwrap());
    }

    #[test]
    fn no_name_leads_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content::new(folder.path().join("content"));
        fs::write(folder.path().join("secret"), b"x").unwrap();
        let long = "x".repeat(129);
        for name in ["../secret", "..", ".", "", "/etc/passwd", "a/b", "a\\b", "a\0b", ".hidden", "é.yml", "a b", &long]
        {
            assert!(!is_name(name), "{name:?}");
            assert!(content.read(ContentKind::Rules, name).unwrap().is_none());
            assert!(content.write(ContentKind::Rules, name, b"").is_err());
            assert!(!content.delete(ContentKind::Rules, name).unwrap());
        }
        assert!(folder.path().join("secret").exists());
    }
}
