//! Checks every file of every table against the table's log and the checksum in the file. Only reads.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::ObjectStoreExt;

use crate::{
    Store, StoreError,
    file::{Facts, FileReader},
    table::{FileEntry, Table},
};

/// What was checked, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Tables.
    pub streams: u64,
    /// Files that are sound.
    pub files: u64,
    /// Their rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Empty in a sound store.
    pub faults: Vec<Fault>,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The stream of the table.
    pub stream: String,
    /// The file, below the table's folder.
    pub file: String,
    /// What is wrong.
    pub why: String,
    /// How many rows it should have, where the log says so.
    pub rows: Option<u64>,
}

impl Store {
    /// Reads everything. Memory is bounded; the disk is busy.
    pub async fn verify(&self) -> Result<Verification, StoreError> {
        let mut found = Verification::default();
        for table in self.tables() {
            found.streams += 1;
            for file in table.files()? {
                match check_apart(&table, file.clone()).await {
                    Ok(rows) => {
                        found.files += 1;
                        found.rows += rows;
                        found.bytes += file.size;
                    }
                    Err(why) => found.faults.push(Fault {
                        stream: table.stream.to_string(),
                        file: file.path.to_string(),
                        why,
                        rows: file.rows,
                    }),
                }
            }
        }
        Ok(found)
    }
}

/// Decoding is work for a processor, so it has a thread of its own.
async fn check_apart(table: &Arc<Table>, file: FileEntry) -> Result<u64, String> {
    let (handle, table) = (tokio::runtime::Handle::current(), Arc::clone(table));
    let task = tokio::task::spawn_blocking(move || handle.block_on(check(&table, &file)));
    task.await.unwrap_or_else(|error| Err(format!("reading it ended badly: {error}")))
}

async fn check(table: &Table, file: &FileEntry) -> Result<u64, String> {
    let store = table.files_store();
    let there = store.head(&file.path).await.map_err(|error| format!("it cannot be found: {error}"))?;
    if there.size != file.size {
        return Err(format!("it has {} bytes, not {}", there.size, file.size));
    }
    let mut reader = FileReader::open(&store, &file.path, file.size).await.map_err(|error| error.to_string())?;
    let mut facts = Facts::default();
    let unread = |error| format!("it cannot be read: {error}");
    while let Some(batch) = reader.batches.try_next().await.map_err(unread)? {
        facts.add(&batch).ok_or("it lacks a column that every file has")?;
    }
    match file.rows {
        Some(rows) if rows != facts.rows => Err(format!("it has {} rows, not {rows}", facts.rows)),
        _ if reader.checksum.is_some_and(|checksum| checksum != facts.checksum) => {
            Err("its rows do not agree with its checksum".into())
        }
        _ => Ok(facts.rows),
    }
}
