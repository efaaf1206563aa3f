//! Upkeep: small files are merged, what is past its retention is deleted, files that nothing refers to are swept, and the
//! tables' logs are kept short.
//!
//! Runs beside the writer. A merge reads and writes without holding anybody up; only its commit waits for its turn.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::{Duration, SystemTime},
};

use arrow_array::{RecordBatch, new_null_array};
use arrow_schema::{Schema, SchemaRef};
use deltalake::{
    Path as ObjectPath,
    kernel::Action,
    protocol::{DeltaOperation, checkpoints},
};
use futures::TryStreamExt;
use lurcher_schema::Timestamp;
use object_store::ObjectStoreExt;

use crate::{
    Store, StoreError,
    columns::first_arrow_fields,
    file::{FileReader, FileWriter, date_text},
    rows::day_of,
    table::{FileEntry, Table},
};

/// So many files of about the same size are merged at once. Each merge makes files so many times larger, so a row is
/// written again only a few times in all.
const MERGE: usize = 8;
/// Entries in a log until it is summed up.
const LOG_ENTRIES: u64 = if cfg!(test) { 10 } else { 100 };

/// What upkeep did.
#[derive(Clone, Debug, Default)]
pub struct Maintained {
    /// Files merged away.
    pub merged: u64,
    /// Files deleted for their age.
    pub expired: u64,
    /// Rows in them.
    pub expired_rows: u64,
    /// Files deleted since there was too much.
    pub evicted: u64,
    /// Rows in them.
    pub evicted_rows: u64,
    /// Files swept from the disk.
    pub swept: u64,
    /// What failed, on one table each; the others were kept up all the same.
    pub failures: Vec<StoreError>,
}

impl Store {
    /// Keeps all tables up, once. To be called every few minutes.
    pub async fn maintain(&self) -> Maintained {
        let mut done = Maintained::default();
        for table in self.tables() {
            if let Err(error) = self.maintain_table(&table, &mut done).await {
                tracing::error!(stream = %table.stream, %error, "upkeep of a table failed");
                done.failures.push(error);
            }
        }
        if let Err(error) = self.evict_overall(&mut done).await {
            done.failures.push(error);
        }
        done
    }

    /// Keeps all tables up every so often, until `stop` resolves.
    pub async fn run_maintenance(&self, every: Duration, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(every) => {}
            }
            let done = tokio::select! {
                () = &mut stop => return,
                done = self.maintain() => done,
            };
            tracing::info!(
                merged = done.merged,
                expired = done.expired,
                evicted = done.evicted,
                swept = done.swept,
                failures = done.failures.len(),
                "kept the store up"
            );
        }
    }

    async fn maintain_table(&self, table: &Arc<Table>, done: &mut Maintained) -> Result<(), StoreError> {
        self.expire(table, done).await?;
        let today = date_text(day_of(self.options.clock.now()));
        for files in merges(table.files()?, self.options.file_bytes, &today) {
            done.merged += files.len() as u64;
            self.merge(table, files).await?;
        }
        self.sweep(table, done).await?;
        shorten(table).await
    }

    /// Deletes what is older, and what is more, than the stream may keep.
    async fn expire(&self, table: &Table, done: &mut Maintained) -> Result<(), StoreError> {
        let keep = self.options.retention_of(&table.stream);
        if let Some(days) = keep.days {
            let first = date_text(day_of(self.options.clock.now()) - i64::from(days));
            let (old, _): (Vec<_>, Vec<_>) = table.files()?.into_iter().partition(|file| file.date < first);
            done.expired += old.len() as u64;
            done.expired_rows += old.iter().filter_map(|file| file.rows).sum::<u64>();
            delete(table, &old, self.options.clock.now()).await?;
        }
        if let Some(limit) = keep.bytes {
            let mut files = table.files()?;
            files.sort_by(|a, b| (&a.date, a.first).cmp(&(&b.date, b.first)));
            let mut bytes: u64 = files.iter().map(|file| file.size).sum();
            let over = |file: &&FileEntry| {
                let over = bytes > limit;
                bytes -= if over { file.size } else { 0 };
                over
            };
            // The newest file stays, however small the limit.
            let old: Vec<FileEntry> =
                files.split_last().map_or(&[][..], |(_, rest)| rest).iter().take_while(over).cloned().collect();
            done.evict(&old);
            delete(table, &old, self.options.clock.now()).await?;
        }
        Ok(())
    }

    /// Deletes the oldest days of all tables until they fit into what the store may have.
    async fn evict_overall(&self, done: &mut Maintained) -> Result<(), StoreError> {
        let Some(limit) = self.options.max_bytes else { return Ok(()) };
        let tables = self.tables();
        let mut by_day: BTreeMap<String, Vec<(usize, FileEntry)>> = BTreeMap::new();
        let mut bytes = 0;
        for (at, table) in tables.iter().enumerate() {
            for file in table.files()? {
                bytes += file.size;
                by_day.entry(file.date.clone()).or_default().push((at, file));
            }
        }
        while bytes > limit
            && let Some((_, files)) = by_day.pop_first()
        {
            for (at, table) in tables.iter().enumerate() {
                let mut own: Vec<FileEntry> =
                    files.iter().filter(|(of, _)| *of == at).map(|(_, file)| file.clone()).collect();
                own.sort_by_key(|file| file.first);
                let enough = |file: &FileEntry| {
                    let over = bytes > limit;
                    bytes -= if over { file.size } else { 0 };
                    over
                };
                let old: Vec<FileEntry> = own.into_iter().take_while(enough).collect();
                done.evict(&old);
                delete(table, &old, self.options.clock.now()).await?;
            }
        }
        Ok(())
    }

    /// Writes these files, all of one day, as one.
    async fn merge(&self, table: &Arc<Table>, files: Vec<FileEntry>) -> Result<(), StoreError> {
        let (table, now, target) = (Arc::clone(table), self.options.clock.now(), self.options.file_bytes);
        let handle = tokio::runtime::Handle::current();
        let task = tokio::task::spawn_blocking(move || handle.block_on(merge(&table, &files, now, target)));
        task.await.map_err(|error| StoreError::new("merging files", error))?
    }

    /// Deletes files of a table's folder that its log does not name any more, or never did. One that was taken out just now
    /// may still be read by a query, and one that is being written is not yet named; so both are left for a while.
    async fn sweep(&self, table: &Table, done: &mut Maintained) -> Result<(), StoreError> {
        let what = |error| StoreError::new(format!("table {}: cannot sweep", table.folder), error);
        let before = self.options.clock.now().0 - self.options.sweep_after.as_micros() as i64;
        let store = table.files_store();
        // Listed before the log is read: what is committed in between is not on the list.
        let listed: Vec<_> = store.list(None).try_collect().await.map_err(what)?;
        table.refresh().await?;
        let mut kept: HashSet<ObjectPath> = table.files()?.into_iter().map(|file| file.path).collect();
        kept.extend(table.removed_since(Timestamp(before)).await?);
        let log = ObjectPath::from("_delta_log");
        for object in listed {
            let is_data = object.location.extension() == Some("parquet") && !object.location.prefix_matches(&log);
            let old = object.last_modified.timestamp_micros() < before;
            if is_data && old && !kept.contains(&object.location) {
                store.delete(&object.location).await.map_err(what)?;
                done.swept += 1;
            }
        }
        let before = SystemTime::UNIX_EPOCH + Duration::from_micros(before.max(0) as u64);
        done.swept += table.sweep_uploads(before)?;
        Ok(())
    }
}

impl Maintained {
    fn evict(&mut self, files: &[FileEntry]) {
        self.evicted += files.len() as u64;
        self.evicted_rows += files.iter().filter_map(|file| file.rows).sum::<u64>();
    }
}

async fn delete(table: &Table, files: &[FileEntry], now: Timestamp) -> Result<(), StoreError> {
    if files.is_empty() {
        return Ok(());
    }
    let paths: Vec<ObjectPath> = files.iter().map(|file| file.path.clone()).collect();
    table.commit(table.removals(&paths, now, true)?, DeltaOperation::Delete { predicate: None }).await
}

/// Which files to merge with which: of one day, about as large as each other, in order. Days that are over are made one
/// run of large files.
fn merges(files: Vec<FileEntry>, target: u64, today: &str) -> Vec<Vec<FileEntry>> {
    let mut by_day: BTreeMap<String, Vec<FileEntry>> = BTreeMap::new();
    for file in files {
        if file.size < target / 2 {
            by_day.entry(file.date.clone()).or_default().push(file);
        }
    }
    let mut found = Vec::new();
    for (date, files) in by_day {
        let mut tiers: BTreeMap<u32, Vec<FileEntry>> = BTreeMap::new();
        for file in files {
            let tier = if date.as_str() < today { 0 } else { (target / file.size.max(1)).ilog(MERGE as u64) };
            tiers.entry(tier).or_default().push(file);
        }
        let least = if date.as_str() < today { 2 } else { MERGE };
        for mut files in tiers.into_values().filter(|files| files.len() >= least) {
            files.sort_by_key(|file| file.first);
            let mut group: Vec<FileEntry> = Vec::new();
            for file in files {
                if group.iter().map(|file| file.size).sum::<u64>() + file.size > target + target / 2 {
                    found.push(std::mem::take(&mut group));
                }
                group.push(file);
            }
            found.push(group);
        }
    }
    found.retain(|group| group.len() > 1);
    found
}

async fn merge(table: &Table, files: &[FileEntry], now: Timestamp, target: u64) -> Result<(), StoreError> {
    let store = table.files_store();
    let mut readers = Vec::with_capacity(files.len());
    for file in files {
        readers.push(FileReader::open(&store, &file.path, file.size).await?);
    }
    let schema = united(table, readers.iter().map(|reader| &reader.schema));
    let Some(date) = files.first().map(|file| &file.date) else { return Ok(()) };
    let mut writer = FileWriter::new(Arc::clone(&store), date, &table.file_name(), Arc::clone(&schema))?;
    let mut checksum = Some(0_u64);
    for reader in readers {
        checksum = checksum.zip(reader.checksum).map(|(sum, of_file)| sum.wrapping_add(of_file));
        let mut batches = reader.batches;
        while let Some(batch) = batches.try_next().await.map_err(|error| StoreError::new("merging files", error))? {
            writer.write(&conform(&batch, &schema)?).await?;
        }
    }
    let (add, facts) = writer.finish(now, false).await?;
    let rows: Option<u64> = files.iter().map(|file| file.rows).sum();
    if checksum.is_some_and(|sum| sum != facts.checksum) || rows.is_some_and(|rows| rows != facts.rows) {
        let path = ObjectPath::from(add.path.as_str());
        let _ = store.delete(&path).await;
        let said = "their rows are not those that were written; run a verification";
        return Err(StoreError::said(format!("table {}: cannot merge {} files", table.folder, files.len()), said));
    }
    table.flush_file(&add.path)?;
    let paths: Vec<ObjectPath> = files.iter().map(|file| file.path.clone()).collect();
    let mut actions = table.removals(&paths, now, false)?;
    if actions.len() < files.len() {
        // Some were deleted meanwhile; the merged file must not bring their rows back.
        let _ = store.delete(&ObjectPath::from(add.path.as_str())).await;
        return Ok(());
    }
    actions.push(Action::Add(add));
    table.commit(actions, DeltaOperation::Optimize { predicate: None, target_size: target as i64 }).await
}

/// The columns of all of these files, in the order of the table.
fn united<'a>(table: &Table, schemas: impl Iterator<Item = &'a SchemaRef> + Clone) -> SchemaRef {
    let mut fields = first_arrow_fields();
    for (_, column) in table.current().columns.iter() {
        if schemas.clone().any(|schema| schema.column_with_name(&column.name).is_some()) {
            fields.push(arrow_schema::Field::new(&*column.name, column.kind.arrow(), true));
        }
    }
    Arc::new(Schema::new(fields))
}

/// The same rows with these columns.
fn conform(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, StoreError> {
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
        Some(column) => deltalake::arrow::compute::cast(column, field.data_type()),
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    });
    let columns =
        columns.collect::<Result<_, _>>().and_then(|columns| RecordBatch::try_new(Arc::clone(schema), columns));
    columns.map_err(|error| StoreError::new("merging files", error))
}

/// Sums a long log up, and deletes its entries that are past their time.
async fn shorten(table: &Table) -> Result<(), StoreError> {
    let what = format!("table {}: cannot sum up the log", table.folder);
    let delta = table.current().delta;
    let version = delta.version().unwrap_or(0);
    if version < table.summed_up() + LOG_ENTRIES {
        return Ok(());
    }
    checkpoints::create_checkpoint(&delta, None).await.map_err(StoreError::delta(&what))?;
    checkpoints::cleanup_metadata(&delta, None).await.map_err(StoreError::delta(&what))?;
    table.set_summed_up(version);
    Ok(())
}
