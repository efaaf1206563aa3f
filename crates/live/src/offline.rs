//! The folder of state while no server works in it: backed up, restored, checked.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use lurcher_schema::Clock;
use lurcher_server::{
    backup::{self, Copied, Extent, Manifest},
    settings::ServerSettings,
    state::StateFolder,
};
use lurcher_store::Store;
use lurcher_triage::Triage;

use crate::{detector::CONSUMER, settings::Settings};

/// A folder of state, and the settings that say what of it lies elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Offline<'s> {
    /// Where it is.
    pub server: &'s ServerSettings,
    /// Where its database and its tables are.
    pub settings: &'s Settings,
    /// What time it is.
    pub clock: &'s Arc<dyn Clock>,
}

/// What was found of one part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What was looked at.
    pub part: &'static str,
    /// What is in it, in words.
    pub holds: String,
    /// What is wrong with it; empty: nothing.
    pub faults: Vec<String>,
}

impl Offline<'_> {
    /// Makes a backup in a folder that is not there yet or is empty; with the events if they are wanted.
    ///
    /// # Errors
    ///
    /// A server works in the folder of state, it is of a newer version, or something cannot be copied.
    pub async fn back_up(&self, file: Option<&Path>, events: bool, into: &Path) -> Result<Manifest, String> {
        let state = StateFolder::existing(&self.server.state)?;
        let database = Database(self.settings.triage.url(&state.triage())?);
        let extent = Extent { settings: file, events };
        backup::back_up(&state, &[&database], extent, &**self.clock, into).await
    }

    /// Puts a backup into a new folder of state; says what is in it now.
    ///
    /// # Errors
    ///
    /// The folder is not empty, a file is not what was backed up, or the backup is a newer program's.
    pub async fn restore(&self, from: &Path) -> Result<(Manifest, Vec<Checked>), String> {
        let manifest = backup::restore(from, &self.server.state)?;
        let state = StateFolder::existing(&self.server.state)?;
        let mut checked = Vec::new();
        if state.triage().is_file() {
            checked.push(self.database(&format!("sqlite://{}", state.triage().display())).await);
        }
        Ok((manifest, checked))
    }

    /// Reads and checks everything in the folder of state; changes nothing.
    ///
    /// # Errors
    ///
    /// A server works in the folder, or it is of a newer version.
    pub async fn check(&self) -> Result<Vec<Checked>, String> {
        let state = StateFolder::existing(&self.server.state)?;
        let stamp = state.stamp();
        let holds =
            format!("version {}, made {}, last written by lurcher {}", stamp.format, stamp.created, stamp.written_by);
        let folder = Checked { part: "folder", holds, faults: Vec::new() };
        let mut checked = vec![folder, self.database(&self.settings.triage.url(&state.triage())?).await];
        for (part, path) in [
            ("journal", state.journal()),
            ("kept records (short)", state.kept().join("short")),
            ("kept records (long)", state.kept().join("long")),
        ] {
            checked.push(journal(part, path).await);
        }
        checked.push(self.tables(&state).await);
        Ok(checked)
    }

    async fn database(&self, url: &str) -> Checked {
        let part = "alerts";
        let look = async {
            let triage = Triage::existing(url, Arc::clone(self.clock)).await?;
            let found = triage.integrity_check().await?;
            let place = triage.checkpoint(CONSUMER).await?.map_or(0, |place| place.position);
            let keys = triage.keys().await?.len();
            triage.close().await;
            Ok::<_, lurcher_triage::Error>((found, place, keys))
        };
        match look.await {
            Ok((found, place, keys)) => {
                let holds = format!("{keys} keys, {} rows of the audit log, detector at {place}", found.audit.rows);
                let broken = found.audit.broken.map(|broken| format!("the audit log: {broken}"));
                Checked { part, holds, faults: found.problems.into_iter().chain(broken).collect() }
            }
            Err(error) => Checked { part, holds: String::new(), faults: vec![error.to_string()] },
        }
    }

    async fn tables(&self, state: &StateFolder) -> Checked {
        let part = "events";
        let look = async {
            let store = Store::open(self.settings.store.options(&state.store(), self.clock)).await?;
            store.verify().await
        };
        match look.await {
            Ok(found) => Checked {
                part,
                holds: format!("{} rows in {} files of {} tables", found.rows, found.files, found.streams),
                faults: found.faults.iter().map(|f| format!("{}: {}: {}", f.stream, f.file, f.why)).collect(),
            },
            Err(error) => Checked { part, holds: String::new(), faults: vec![error.to_string()] },
        }
    }
}

async fn journal(part: &'static str, path: PathBuf) -> Checked {
    if !path.is_dir() {
        return Checked { part, holds: "nothing".to_owned(), faults: Vec::new() };
    }
    match tokio::task::spawn_blocking(move || lurcher_journal::verify(&path)).await {
        Ok(Ok(found)) => {
            let mut holds = format!("{} records, {} to {}", found.records, found.begin.0, found.end.0);
            if found.torn_bytes > 0 {
                holds += &format!("; the last {} bytes were never acknowledged", found.torn_bytes);
            }
            Checked { part, holds, faults: found.damages.iter().map(ToString::to_string).collect() }
        }
        Ok(Err(error)) => Checked { part, holds: String::new(), faults: vec![error.to_string()] },
        Err(error) => Checked { part, holds: String::new(), faults: vec![format!("reading it ended badly: {error}")] },
    }
}

/// The database, as backups take it.
struct Database(String);

#[async_trait]
impl Copied for Database {
    async fn copy_into(&self, folder: &Path) -> Result<(), String> {
        let copied = lurcher_triage::copy_database(&self.0, &folder.join("triage.db")).await;
        copied.map(drop).map_err(|error| error.to_string())
    }
}
