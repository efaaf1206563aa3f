//! A copy of what cannot be made again: the database of alerts, rules and lists that came over the API, the settings, and
//! up to where the consumers of the journal and the readers of files have come. Not the events, unless they are asked for
//! while no server works in the folder: they lie in the journal and in the tables, which have a retention of their own.
//!
//! A backup is a folder with a `manifest.json` that names every file with its length and SHA-256; it is written last, so
//! that a backup without it is none.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use async_trait::async_trait;
use lurcher_schema::Clock;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::state::{FORMAT, STAMP, StateFolder, make_private, write_whole};

const MANIFEST: &str = "manifest.json";

/// What has to be asked for a consistent copy of its own.
#[async_trait]
pub trait Copied: Send + Sync {
    /// Writes a consistent copy of itself into the folder.
    async fn copy_into(&self, folder: &Path) -> Result<(), String>;
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Manifest {
    /// The version of the layout of the folder of state.
    pub format: u32,
    /// The program that made it.
    pub written_by: String,
    /// When; RFC 3339.
    pub created: String,
    /// Its files by their path in it.
    pub files: BTreeMap<String, Entry>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// Its length.
    pub bytes: u64,
    /// Its digest, in hexadecimal.
    pub sha256: String,
}

/// What goes into a backup besides the database and the content.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extent<'p> {
    /// The file of settings.
    pub settings: Option<&'p Path>,
    /// Also the events: the journal, the tables, the records that rules look back at. Only while no server works in the
    /// folder; they would change while they are copied.
    pub events: bool,
}

/// Makes a backup in the folder, which must not be there yet or be empty.
pub async fn back_up(
    state: &StateFolder,
    parts: &[&dyn Copied],
    extent: Extent<'_>,
    clock: &dyn Clock,
    into: &Path,
) -> Result<Manifest, String> {
    let shown = into.display();
    if into.starts_with(state.root()) {
        return Err(format!("{shown} is inside of the folder of state; name one outside of it"));
    }
    must_be_empty(into)?;
    let draft = into.join("state");
    make_private(&draft).map_err(|error| format!("{shown}: {error}"))?;
    let failed = |error: io::Error| format!("{shown}: {error}");
    // Before the database: places in files that are older than it only have some lines read again.
    copy_part(state, &state.ingest(), &draft).map_err(failed)?;
    for part in parts {
        part.copy_into(&draft).await.map_err(|error| format!("{shown}: {error}"))?;
    }
    copy_part(state, &state.content(), &draft).map_err(failed)?;
    if extent.events {
        for part in [state.kept(), state.journal(), state.store()] {
            copy_part(state, &part, &draft).map_err(failed)?;
        }
    }
    fs::copy(state.root().join(STAMP), draft.join(STAMP)).map_err(failed)?;
    if let Some(settings) = extent.settings {
        fs::copy(settings, into.join("lurcher.toml")).map_err(failed)?;
    }
    let mut files = BTreeMap::new();
    list(into, into, &mut files).map_err(failed)?;
    let manifest = Manifest {
        format: state.stamp().format,
        written_by: env!("CARGO_PKG_VERSION").into(),
        created: clock.now().to_string(),
        files,
    };
    let bytes = serde_json::to_vec_pretty(&manifest).map_err(|error| error.to_string())?;
    write_whole(&into.join(MANIFEST), &bytes).map_err(failed)?;
    Ok(manifest)
}

/// Puts a backup back, into a folder of state that is not there yet or is empty. Every file is checked before the first
/// is written. The settings are not put anywhere; they lie in the backup.
pub fn restore(from: &Path, state: &Path) -> Result<Manifest, String> {
    let manifest = verify(from)?;
    if manifest.format > FORMAT {
        return Err(format!(
            "{} was made by lurcher {} in version {} of the layout; this program knows versions up to {FORMAT}. Run the newer \
             program",
            from.display(),
            manifest.written_by,
            manifest.format
        ));
    }
    must_be_empty(state)?;
    make_private(state).map_err(|error| format!("{}: {error}", state.display()))?;
    let failed = |error: io::Error| format!("{}: {error}", state.display());
    let stamp = fs::read(from.join("state").join(STAMP)).map_err(|error| {
        format!("{}: it has no state/{STAMP} that names the version of the folder: {error}", from.display())
    })?;
    copy_tree(&from.join("state"), state).map_err(failed)?;
    // Last, as what makes it a folder of state: half of a backup is refused by every server.
    write_whole(&state.join(STAMP), &stamp).map_err(failed)?;
    Ok(manifest)
}

/// Checks every file of a backup against its manifest.
pub fn verify(from: &Path) -> Result<Manifest, String> {
    let path = from.join(MANIFEST);
    let bytes =
        fs::read(&path).map_err(|error| format!("{}: {error}. Without it this is no whole backup", path.display()))?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    for (name, expected) in &manifest.files {
        let plain = Path::new(name).components().all(|component| matches!(component, Component::Normal(_)));
        if !plain {
            return Err(format!("{}: {name:?} leads out of the backup", path.display()));
        }
        let file = from.join(name);
        let found = digest(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        if found != *expected {
            return Err(format!("{}: it is not the file that was backed up: take another backup", file.display()));
        }
    }
    let mut there = BTreeMap::new();
    list(from, from, &mut there).map_err(|error| format!("{}: {error}", from.display()))?;
    match there.keys().find(|name| *name != MANIFEST && !manifest.files.contains_key(*name)) {
        Some(extra) => Err(format!("{}: {extra:?} is not in the manifest: take it away", from.display())),
        None => Ok(manifest),
    }
}

fn must_be_empty(folder: &Path) -> Result<(), String> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(format!("{} is not empty; name a new folder", folder.display())),
        Ok(false) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("{}: {error}", folder.display())),
    }
}

/// Whether there is a backup in this folder, whole or not.
pub fn is_backup(folder: &Path) -> bool {
    folder.join(MANIFEST).is_file() || folder.join("state").join(STAMP).is_file()
}

/// Copies a folder of the state, if it is there, to where it lies in a backup.
fn copy_part(state: &StateFolder, part: &Path, draft: &Path) -> io::Result<()> {
    match part.strip_prefix(state.root()) {
        Ok(name) if part.is_dir() => copy_tree(part, &draft.join(name)),
        _ => Ok(()),
    }
}

/// Copies files and folders, nothing else: no links that lead elsewhere, no locks.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    make_private(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_file() && !matches!(entry.file_name().to_str(), Some("LOCK" | STAMP)) {
            match fs::copy(entry.path(), &target) {
                // A server that works meanwhile has put a newer file in its place.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                copied => copied?,
            };
            File::open(&target)?.sync_all()?;
        }
    }
    Ok(())
}

fn list(root: &Path, folder: &Path, files: &mut BTreeMap<String, Entry>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        if path.is_dir() {
            list(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            files.insert(name, digest(&path)?);
        }
    }
    Ok(())
}

fn digest(path: &Path) -> io::Result<Entry> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        bytes += read as u64;
    }
    let mut sha256 = String::with_capacity(64);
    for byte in hasher.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(sha256, "{byte:02x}");
    }
    Ok(Entry { bytes, sha256 })
}

#[cfg(test)]
mod tests {
    use lurcher_schema::{Timestamp, VirtualClock};

    use super::*;

    struct Database;

    #[async_trait]
    impl Copied for Database {
        async fn copy_into(&self, folder: &Path) -> Result<(), String> {
            fs::write(folder.join("triage.db"), b"alerts").map_err(|error| error.to_string())
        }
    }

    async fn backed_up(place: &Path) -> PathBuf {
        let clock = VirtualClock::at(Timestamp(0));
        let state = StateFolder::open(&place.join("state"), &clock).unwrap();
        fs::create_dir_all(state.content().join("rules")).unwrap();
        fs::write(state.content().join("rules/mine.yml"), b"title: x").unwrap();
        let settings = place.join("lurcher.toml");
        fs::write(&settings, b"[server]").unwrap();
        let into = place.join("backup");
        let inside = back_up(&state, &[&Database], Extent::default(), &clock, &state.root().join("b")).await;
        assert!(inside.unwrap_err().contains("inside of the folder of state"));
        fs::create_dir(state.ingest()).unwrap();
        fs::write(state.ingest().join("files-1.json"), b"[]").unwrap();
        fs::write(state.journal().join("0.segment"), b"records").unwrap();
        let extent = Extent { settings: Some(&settings), events: false };
        let manifest = back_up(&state, &[&Database], extent, &clock, &into).await.unwrap();
        assert_eq!(
            manifest.files.keys().collect::<Vec<_>>(),
            [
                "lurcher.toml",
                "state/content/rules/mine.yml",
                "state/ingest/files-1.json",
                "state/state.json",
                "state/triage.db"
            ]
        );
        assert!(back_up(&state, &[&Database], extent, &clock, &into).await.unwrap_err().contains("not empty"));
        let whole = Extent { events: true, ..extent };
        let manifest = back_up(&state, &[&Database], whole, &clock, &place.join("whole")).await.unwrap();
        assert!(manifest.files.contains_key("state/journal/0.segment"));
        into
    }

    #[tokio::test]
    async fn what_was_backed_up_is_restored() {
        let place = tempfile::tempdir().unwrap();
        let backup = backed_up(place.path()).await;
        let target = place.path().join("restored");
        restore(&backup, &target).unwrap();
        assert_eq!(fs::read(target.join("content/rules/mine.yml")).unwrap(), b"title: x");
        assert_eq!(fs::read(target.join("triage.db")).unwrap(), b"alerts");
        assert!(!StateFolder::open(&target, &VirtualClock::at(Timestamp(1))).unwrap().is_new());
        assert!(restore(&backup, &target).unwrap_err().contains("not empty"));
    }

    #[tokio::test]
    async fn a_backup_that_was_touched_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let backup = backed_up(place.path()).await;
        fs::write(backup.join("state/extra"), b"").unwrap();
        assert!(verify(&backup).unwrap_err().contains("not in the manifest"));
        fs::remove_file(backup.join("state/extra")).unwrap();
        fs::write(backup.join("state/triage.db"), b"alertz").unwrap();
        assert!(verify(&backup).unwrap_err().contains("not the file that was backed up"));
        let manifest = fs::read_to_string(backup.join(MANIFEST)).unwrap();
        fs::write(backup.join(MANIFEST), manifest.replace("lurcher.toml", "../lurcher.toml")).unwrap();
        assert!(verify(&backup).unwrap_err().contains("leads out of the backup"));
        fs::write(backup.join(MANIFEST), manifest.replace("\"format\": 1", "\"format\": 9")).unwrap();
        fs::write(backup.join("state/triage.db"), b"alerts").unwrap();
        let newer = restore(&backup, &place.path().join("new")).unwrap_err();
        assert!(newer.contains("version 9"), "{newer}");
        fs::remove_file(backup.join(MANIFEST)).unwrap();
        assert!(verify(&backup).unwrap_err().contains("no whole backup"));
    }
}
