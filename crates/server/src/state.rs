//! The folder of state: its layout, its version, and the lock that keeps a second server out.
//!
//! `state.json` says in which version of the layout the folder is. A newer one is refused; an older one is brought up to
//! date, step by step, before anything else looks at it.

use std::{
    fs::{self, File, TryLockError},
    io::Write,
    path::{Path, PathBuf},
};

use lurcher_schema::Clock;
use serde::{Deserialize, Serialize};

/// The version of the layout that this program writes.
pub const FORMAT: u32 = 1;

/// The file that makes a folder one of state, and names its version.
pub(crate) const STAMP: &str = "state.json";

/// What brings a folder from one version to the next.
type Step = fn(&Path) -> std::io::Result<()>;

/// `STEPS[n]` brings version n + 1 to version n + 2. None yet.
const STEPS: &[Step] = &[];

/// What is in `state.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The version of the layout.
    pub format: u32,
    /// The program that wrote it last.
    pub written_by: String,
    /// When the folder was made; RFC 3339.
    pub created: String,
}

/// The folder, held for as long as this lives.
#[derive(Debug)]
pub struct StateFolder {
    root: PathBuf,
    stamp: Stamp,
    is_new: bool,
    _lock: File,
}

/// The parts of the folder.
impl StateFolder {
    /// Opens the folder and brings it up to date; makes it if it is not there. The error says what to do.
    pub fn open(root: &Path, clock: &dyn Clock) -> Result<Self, String> {
        Self::open_with(root, clock, FORMAT, STEPS)
    }

    /// Opens a folder that is there and that no server works in, and changes nothing in it: neither its version nor its
    /// parts. For backups and checks.
    pub fn existing(root: &Path) -> Result<Self, String> {
        let shown = root.display();
        let path = root.join(STAMP);
        let bytes = fs::read(&path).map_err(|error| {
            format!("{}: {error}. Name a folder of state, with --state or [server] state", path.display())
        })?;
        let lock = lock(root)?;
        let stamp: Stamp = serde_json::from_slice(&bytes).map_err(|error| {
            format!("{}: {error}. Restore it from a backup; it names the version of the folder", path.display())
        })?;
        if stamp.format > FORMAT {
            return Err(format!(
                "{shown} was written by lurcher {} in version {} of its layout; this program knows versions up to {FORMAT}. \
                 Run the newer program",
                stamp.written_by, stamp.format
            ));
        }
        Ok(Self { root: root.to_owned(), stamp, is_new: false, _lock: lock })
    }

    fn open_with(root: &Path, clock: &dyn Clock, format: u32, steps: &[Step]) -> Result<Self, String> {
        let shown = root.display();
        make_private(root)
            .map_err(|error| format!("{shown}: {error}. Set [server] state to a folder that can be written"))?;
        let lock = lock(root)?;
        let path = root.join(STAMP);
        let written_by = env!("CARGO_PKG_VERSION").to_owned();
        let read = match fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let is_new = read.is_none();
        let mut stamp = match read {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                format!("{}: {error}. Restore it from a backup; it names the version of the folder", path.display())
            })?,
            None => {
                foreign(root)?;
                Stamp { format, written_by: written_by.clone(), created: clock.now().to_string() }
            }
        };
        if stamp.format > format {
            return Err(format!(
                "{shown} was written by lurcher {} in version {} of its layout, and this is lurcher {written_by}, which knows \
                 versions up to {format}. Run the newer program, or restore a backup that this one made",
                stamp.written_by, stamp.format
            ));
        }
        while stamp.format < format {
            let step = (stamp.format as usize).checked_sub(1).and_then(|at| steps.get(at));
            let step = step.ok_or_else(|| format!("{shown}: version {} of the layout is not known", stamp.format))?;
            tracing::info!(folder = %shown, from = stamp.format, to = stamp.format + 1, "upgrading the folder of state");
            step(root).map_err(|error| {
                format!("{shown}: it could not be brought to version {}: {error}", stamp.format + 1)
            })?;
            stamp.format += 1;
            stamp.written_by.clone_from(&written_by);
            write_stamp(&path, &stamp)?;
        }
        if is_new || stamp.written_by != written_by {
            stamp.written_by = written_by;
            write_stamp(&path, &stamp)?;
        }
        let folder = Self { root: root.to_owned(), stamp, is_new, _lock: lock };
        for part in [folder.journal(), folder.store(), folder.content(), folder.jobs()] {
            make_private(&part).map_err(|error| format!("{}: {error}", part.display()))?;
        }
        Ok(folder)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether it was made just now.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// What `state.json` says.
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Of the journal.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// Of the tables of events.
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// The database of alerts.
    pub fn triage(&self) -> PathBuf {
        self.root.join("triage.db")
    }

    /// Rules and lists that came over the API, a folder for each kind.
    pub fn content(&self) -> PathBuf {
        self.root.join("content")
    }

    /// How far followed files were read.
    pub fn ingest(&self) -> PathBuf {
        self.root.join("ingest")
    }

    /// The records that rules look back at.
    pub fn kept(&self) -> PathBuf {
        self.root.join("kept")
    }

    /// What jobs found.
    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }
}

/// Makes the folder, for its owner only.
pub(crate) fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn lock(root: &Path) -> Result<File, String> {
    let path = root.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| format!("{}: {error}. The folder must be writable", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!(
            "{}: another server works in this folder. Stop it, or set [server] state to another folder",
            root.display()
        )),
        Err(TryLockError::Error(error)) => Err(format!("{}: it cannot be locked: {error}", path.display())),
    }
}

/// A folder that holds something else is not made ours.
fn foreign(root: &Path) -> Result<(), String> {
    let entries = fs::read_dir(root).map_err(|error| format!("{}: {error}", root.display()))?;
    let other = entries.flatten().find(|entry| !matches!(entry.file_name().to_str(), Some("lock" | "lost+found")));
    match other {
        None => Ok(()),
        Some(entry) => Err(format!(
            "{} holds {} but no {STAMP}, so it is no folder of state. Name an empty one in [server] state",
            root.display(),
            entry.file_name().display()
        )),
    }
}

fn write_stamp(path: &Path, stamp: &Stamp) -> Result<(), String> {
    let mut bytes = serde_json::to_vec_pretty(stamp).map_err(|error| error.to_string())?;
    bytes.push(b'\n');
    write_whole(path, &bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes a file so that after a crash there is the old one or the new one.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = folder.join(format!(".{name}.new"));
    let mut file = File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use lurcher_schema::{Timestamp, VirtualClock};

    use super::*;

    fn open(root: &Path, format: u32, steps: &[Step]) -> Result<StateFolder, String> {
        StateFolder::open_with(root, &VirtualClock::at(Timestamp(0)), format, steps)
    }

    #[test]
    fn a_new_folder_is_private_and_locked() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("state");
        let folder = open(&root, 1, &[]).unwrap();
        assert!(folder.is_new());
        assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(open(&root, 1, &[]).unwrap_err().contains("another server works in this folder"));
        drop(folder);
        let again = open(&root, 1, &[]).unwrap();
        assert!(!again.is_new());
        assert_eq!(again.stamp().created, "1970-01-01T00:00:00Z");
    }

    #[test]
    fn an_older_folder_is_upgraded_and_a_newer_one_refused() {
        let root = tempfile::tempdir().unwrap();
        drop(open(root.path(), 1, &[]).unwrap());
        let rename: Step = |root| fs::write(root.join("upgraded"), b"");
        drop(open(root.path(), 2, &[rename]).unwrap());
        assert!(root.path().join("upgraded").exists());
        let refused = open(root.path(), 1, &[]).unwrap_err();
        assert!(refused.contains("version 2") && refused.contains("Run the newer program"), "{refused}");
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        drop(open(root.path(), 1, &[]).unwrap());
        let fails: Step = |_| Err(std::io::Error::other("no room"));
        assert!(open(root.path(), 2, &[fails]).unwrap_err().contains("version 2: no room"));
        assert_eq!(open(root.path(), 1, &[]).unwrap().stamp().format, 1);
    }

    #[test]
    fn a_folder_is_looked_at_as_it_is_and_only_while_no_server_works_in_it() {
        let root = tempfile::tempdir().unwrap();
        let none = StateFolder::existing(&root.path().join("none")).unwrap_err();
        assert!(none.contains("--state") && !root.path().join("none").exists(), "{none}");
        let open = open(root.path(), 1, &[]).unwrap();
        assert!(StateFolder::existing(root.path()).unwrap_err().contains("another server works in this folder"));
        drop(open);
        fs::remove_dir(root.path().join("jobs")).unwrap();
        assert_eq!(StateFolder::existing(root.path()).unwrap().stamp().format, 1);
        assert!(!root.path().join("jobs").exists());
        fs::write(root.path().join(STAMP), r#"{"format":9,"written_by":"9.0.0","created":""}"#).unwrap();
        assert!(StateFolder::existing(root.path()).unwrap_err().contains("Run the newer program"));
    }

    #[test]
    fn other_folders_and_damaged_stamps_are_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("thesis.tex"), b"x").unwrap();
        assert!(open(root.path(), 1, &[]).unwrap_err().contains("thesis.tex"));
        fs::write(root.path().join(STAMP), b"{").unwrap();
        assert!(open(root.path(), 1, &[]).unwrap_err().contains("Restore it from a backup"));
    }
}
