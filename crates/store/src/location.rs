//! Where a store lies: a local folder, or a prefix in an object store.
//!
//! On a local disk this also does what object stores do of themselves: flush what was written, and keep others out.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use deltalake::{
    DeltaTable, DeltaTableBuilder, ObjectStore, ensure_table_uri,
    logstore::{StorageConfig, default_logstore},
};
use object_store::{ObjectStoreExt, path::Path as ObjectPath, prefix::PrefixStore};
use url::Url;

use crate::StoreError;

/// The folder, below the store's, that the tables lie in.
const TABLES: &str = "tables";
/// The file whose lock says that the folder is held.
const LOCK: &str = "LOCK";
/// The file that says up to which position all tables were complete when it was written.
const HINT: &str = "position";

#[derive(Debug)]
pub(crate) struct Location {
    root: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Local {
        folder: PathBuf,
        /// Its lock goes with it.
        _lock: File,
    },
    #[cfg_attr(not(any(test, feature = "s3")), expect(dead_code, reason = "this build knows no object store"))]
    Remote {
        store: Arc<dyn ObjectStore>,
        /// Where in it the store lies.
        prefix: ObjectPath,
    },
}

impl Location {
    /// Takes hold of the place.
    pub(crate) fn open(root: &str) -> Result<Self, StoreError> {
        if root.contains("://") && !root.starts_with("file://") {
            return Self::remote(root);
        }
        let folder = PathBuf::from(root.strip_prefix("file://").unwrap_or(root));
        let failed = |error| StoreError::new(format!("{}: cannot create the folder", folder.display()), error);
        std::fs::create_dir_all(folder.join(TABLES)).map_err(failed)?;
        let folder = folder.canonicalize().map_err(failed)?;
        let lock = hold(&folder)?;
        Ok(Self { root: root.to_owned(), place: Place::Local { folder, _lock: lock } })
    }

    #[cfg(feature = "s3")]
    fn remote(root: &str) -> Result<Self, StoreError> {
        let wrong = |why: String| StoreError::Location { root: root.to_owned(), why };
        let rest = root.strip_prefix("s3://").ok_or_else(|| wrong("only `s3://` and folders are known".into()))?;
        let prefix = rest.split_once('/').map_or("", |(_, prefix)| prefix);
        let prefix = ObjectPath::parse(prefix.trim_end_matches('/')).map_err(|error| wrong(error.to_string()))?;
        let builder = object_store::aws::AmazonS3Builder::from_env().with_url(root);
        let store = builder.build().map_err(|error| wrong(error.to_string()))?;
        Ok(Self::on(Arc::new(store), root, prefix))
    }

    #[cfg(not(feature = "s3"))]
    fn remote(root: &str) -> Result<Self, StoreError> {
        let why = "this program was built for local folders only (feature `s3` of lurcher-store is off)".to_owned();
        Err(StoreError::Location { root: root.to_owned(), why })
    }

    /// A place in an object store, at this URL.
    #[cfg(any(test, feature = "s3"))]
    pub(crate) fn on(store: Arc<dyn ObjectStore>, root: &str, prefix: ObjectPath) -> Self {
        Self { root: root.trim_end_matches('/').to_owned(), place: Place::Remote { store, prefix } }
    }

    /// The table in this folder, not loaded; there may be none yet.
    pub(crate) fn table(&self, folder: &str) -> Result<DeltaTable, StoreError> {
        let what = format!("table {folder}");
        match &self.place {
            Place::Local { folder: root, .. } => {
                let path = root.join(TABLES).join(folder);
                let url = ensure_table_uri(path.to_string_lossy()).map_err(StoreError::delta(&what))?;
                DeltaTableBuilder::from_url(url).and_then(DeltaTableBuilder::build).map_err(StoreError::delta(&what))
            }
            Place::Remote { store, prefix } => {
                let wrong =
                    |error: url::ParseError| StoreError::Location { root: self.root.clone(), why: error.to_string() };
                let url = Url::parse(&format!("{}/{TABLES}/{folder}", self.root)).map_err(wrong)?;
                let below: Arc<dyn ObjectStore> =
                    Arc::new(PrefixStore::new(Arc::clone(store), prefix.clone().join(TABLES).join(folder)));
                let log = default_logstore(below, Arc::clone(store), &url, &StorageConfig::default());
                Ok(DeltaTable::new(log))
            }
        }
    }

    /// The folders that tables lie in.
    pub(crate) async fn folders(&self) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        match &self.place {
            Place::Local { folder, .. } => {
                let tables = folder.join(TABLES);
                let failed = |error| StoreError::new(format!("{}: cannot read the folder", tables.display()), error);
                for entry in std::fs::read_dir(&tables).map_err(failed)? {
                    let entry = entry.map_err(failed)?;
                    if entry.path().join("_delta_log").is_dir() {
                        found.extend(entry.file_name().into_string().ok());
                    }
                }
            }
            Place::Remote { store, prefix } => {
                let listed = store.list_with_delimiter(Some(&prefix.clone().join(TABLES))).await;
                let listed = listed.map_err(|error| StoreError::new(format!("{}: cannot list", self.root), error))?;
                found.extend(listed.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Makes durable these files of a table, and that they are there. An object store has done so when it answers.
    pub(crate) fn flush<'a>(&self, folder: &str, files: impl IntoIterator<Item = &'a str>) -> Result<(), StoreError> {
        let Place::Local { folder: root, .. } = &self.place else { return Ok(()) };
        let table = root.join(TABLES).join(folder);
        for file in files {
            let path = table.join(file);
            flush_file(&path)
                .and_then(|()| path.ancestors().skip(1).take(3).try_for_each(flush_folder))
                .map_err(|error| StoreError::new(format!("{}: cannot flush", path.display()), error))?;
        }
        Ok(())
    }

    /// Puts aside the last entry of a table's log if a loss of power left it cut short. Entries are flushed before the
    /// journal is trimmed behind them, so what it said is written once more.
    pub(crate) fn mend(&self, folder: &str) -> Result<(), StoreError> {
        let Place::Local { folder: root, .. } = &self.place else { return Ok(()) };
        let log = root.join(TABLES).join(folder).join("_delta_log");
        let failed = |error| StoreError::new(format!("{}: cannot read the log", log.display()), error);
        let mut last: Option<PathBuf> = None;
        for entry in std::fs::read_dir(&log).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let is_entry = stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
            if is_entry && path.extension().is_some_and(|extension| extension == "json") && last.as_ref() < Some(&path)
            {
                last = Some(path);
            }
        }
        let Some(last) = last else { return Ok(()) };
        let text = std::fs::read(&last).map_err(failed)?;
        let is_json = |line: &[u8]| serde_json::from_slice::<serde_json::Value>(line).is_ok();
        if text.is_empty() || !text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).all(is_json) {
            tracing::warn!(file = %last.display(), "the last entry of this table's log was cut short and is put aside");
            std::fs::rename(&last, last.with_extension("json.broken")).map_err(failed)?;
        }
        Ok(())
    }

    /// Deletes what uploads that a crash cut short left in a table's folder, if it is older than this.
    pub(crate) fn sweep_uploads(&self, folder: &str, before: std::time::SystemTime) -> io::Result<u64> {
        let Place::Local { folder: root, .. } = &self.place else { return Ok(0) };
        let mut swept = 0;
        for day in std::fs::read_dir(root.join(TABLES).join(folder))?.flatten() {
            let Ok(files) = std::fs::read_dir(day.path()) else { continue };
            for file in files.flatten() {
                // What the object store's local side calls a file until it is whole.
                let name = file.file_name().to_string_lossy().into_owned();
                let upload = name.rsplit_once('#').is_some_and(|(_, number)| number.parse::<u64>().is_ok());
                if upload && file.metadata()?.modified()? < before {
                    std::fs::remove_file(file.path())?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    /// The position up to which all tables were complete when it was last noted.
    pub(crate) async fn noted(&self) -> Option<u64> {
        let text = match &self.place {
            Place::Local { folder, .. } => std::fs::read(folder.join(HINT)).ok()?,
            Place::Remote { store, prefix } => {
                store.get(&prefix.clone().join(HINT)).await.ok()?.bytes().await.ok()?.to_vec()
            }
        };
        std::str::from_utf8(&text).ok()?.trim().parse().ok()
    }

    /// Notes up to where all tables are complete, so that less of the journal is read again. A note that is lost, or too
    /// old, costs only time.
    pub(crate) async fn note(&self, position: u64) -> Result<(), StoreError> {
        let text = format!("{position}\n");
        match &self.place {
            Place::Local { folder, .. } => {
                let (path, new) = (folder.join(HINT), folder.join("position.new"));
                let written = std::fs::write(&new, text).and_then(|()| flush_file(&new));
                written
                    .and_then(|()| std::fs::rename(&new, &path))
                    .map_err(|error| StoreError::new(format!("{}: cannot write", path.display()), error))
            }
            Place::Remote { store, prefix } => {
                let put = store.put(&prefix.clone().join(HINT), text.into()).await;
                put.map(|_| ()).map_err(|error| StoreError::new(format!("{}: cannot write", self.root), error))
            }
        }
    }
}

/// Takes the folder's lock, which the operating system lets go of with the process, however that ends.
fn hold(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK);
    let what = || format!("{}: cannot lock", path.display());
    let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = open.map_err(|error| StoreError::new(what(), error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Held { folder: folder.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(StoreError::new(what(), error)),
    }
}

fn flush_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn flush_folder(path: &Path) -> io::Result<()> {
    // Only Unix opens folders; elsewhere the file system keeps its own order.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
