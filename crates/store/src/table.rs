//! One Delta table: what it holds now, and how a change to it is committed.

use std::{
    collections::HashSet,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use deltalake::{
    DeltaTable, ObjectStore, Path as ObjectPath, TableProperty,
    kernel::{
        Action, LogicalFileView, MetadataExt, Remove, StructType, Transaction,
        transaction::{CommitBuilder, CommitProperties},
    },
    operations::create::CreateBuilder,
    protocol::{DeltaOperation, SaveMode},
};
use futures::TryStreamExt;
use lurcher_journal::Position;
use lurcher_schema::Timestamp;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{
    StoreError,
    columns::{Columns, DATE, POSITION, RECEIVED, TIME, first_columns},
    file::{FileWriter, date_text},
    location::Location,
    names::{folder_of, stream_of},
    rows::Ready,
};

/// Whom the journal's position in a table's log is of.
const APPLICATION: &str = "lurcher";

/// A table, open.
pub(crate) struct Table {
    pub(crate) stream: Arc<str>,
    pub(crate) folder: String,
    location: Arc<Location>,
    /// Held while a change is committed.
    committing: Mutex<()>,
    current: RwLock<Current>,
    /// Numbers the files that this process writes.
    files: AtomicU64,
    /// What the names of its files have in common: a random number, new at each opening. No name must come twice, since
    /// writing a file replaces one of the same name.
    opened: String,
    summed_up: AtomicU64,
    pub(crate) misfits: AtomicU64,
    pub(crate) unplaced: AtomicU64,
}

/// What a table holds at a time.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) delta: DeltaTable,
    pub(crate) columns: Arc<Columns>,
    /// The journal's position up to which it is complete; none before its first rows.
    pub(crate) complete: Option<Position>,
}

/// A file of a table, as its log has it.
#[derive(Clone, Debug)]
pub(crate) struct FileEntry {
    pub(crate) path: ObjectPath,
    pub(crate) size: u64,
    pub(crate) date: String,
    pub(crate) rows: Option<u64>,
    pub(crate) first: i64,
    /// Least and greatest, in microseconds since 1970.
    pub(crate) received: Option<(i64, i64)>,
    pub(crate) time: Option<(i64, i64)>,
}

impl Table {
    /// Opens the table in this folder.
    pub(crate) async fn open(location: &Arc<Location>, folder: &str) -> Result<Self, StoreError> {
        location.mend(folder)?;
        let mut delta = location.table(folder)?;
        let what = format!("table {folder}: cannot open");
        delta.load().await.map_err(StoreError::delta(&what))?;
        let snapshot = delta.snapshot().map_err(StoreError::delta(&what))?;
        let named = snapshot.metadata().name().map(str::to_owned);
        let stream = named.or_else(|| stream_of(folder)).unwrap_or_else(|| folder.to_owned());
        Self::with(Arc::clone(location), stream, folder.to_owned(), delta).await
    }

    /// Makes the table of a stream.
    pub(crate) async fn create(location: &Arc<Location>, stream: &str) -> Result<Self, StoreError> {
        let folder = folder_of(stream);
        let what = format!("table {folder}: cannot create");
        let properties = [
            // Rows are skipped by these columns alone; their order is that of the schema.
            (TableProperty::DataSkippingNumIndexedCols, "4"),
            // A commit every few seconds would leave a log of hundreds of thousands of entries.
            (TableProperty::LogRetentionDuration, "interval 1 days"),
            (TableProperty::DeletedFileRetentionDuration, "interval 1 days"),
        ];
        let mut create = CreateBuilder::new()
            .with_log_store(location.table(&folder)?.log_store())
            .with_table_name(stream)
            .with_comment("Events as Lurcher took them in")
            .with_columns(first_columns())
            .with_partition_columns([DATE])
            .with_save_mode(SaveMode::Ignore);
        for (property, value) in properties {
            create = create.with_configuration_property(property, Some(value));
        }
        let delta = create.await.map_err(StoreError::delta(&what))?;
        location.flush(&folder, [log_entry(0).as_str()])?;
        Self::with(Arc::clone(location), stream.to_owned(), folder, delta).await
    }

    async fn with(
        location: Arc<Location>,
        stream: String,
        folder: String,
        delta: DeltaTable,
    ) -> Result<Self, StoreError> {
        let current = read(delta, &folder).await?;
        Ok(Self {
            stream: Arc::from(stream),
            folder,
            location,
            committing: Mutex::new(()),
            current: RwLock::new(current),
            files: AtomicU64::new(0),
            opened: format!("{:016x}", RandomState::new().build_hasher().finish()),
            summed_up: AtomicU64::new(0),
            misfits: AtomicU64::new(0),
            unplaced: AtomicU64::new(0),
        })
    }

    /// What it holds now.
    pub(crate) fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, current: Current) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
    }

    /// Reads its log again.
    pub(crate) async fn refresh(&self) -> Result<Current, StoreError> {
        let mut delta = self.current().delta;
        delta.update_state().await.map_err(StoreError::delta(&self.what("cannot read the log")))?;
        let current = read(delta, &self.folder).await?;
        self.set(current.clone());
        Ok(current)
    }

    fn what(&self, failed: &str) -> String {
        format!("table {}: {failed}", self.folder)
    }

    pub(crate) fn files_store(&self) -> Arc<dyn ObjectStore> {
        self.current().delta.object_store()
    }

    /// A name for a new file.
    pub(crate) fn file_name(&self) -> String {
        format!("part-{}-{}", self.opened, self.files.fetch_add(1, Ordering::Relaxed))
    }

    /// Appends rows, which make the table complete up to `complete`. Done again after a failure, it appends them once.
    pub(crate) async fn append(&self, ready: Ready, complete: Position, now: Timestamp) -> Result<(), StoreError> {
        let _alone = self.committing.lock().await;
        let mut adds = Vec::new();
        for day in ready.days {
            let name = self.file_name();
            let mut file = FileWriter::new(self.files_store(), &date_text(day.date), &name, day.batch.schema())?;
            file.write(&day.batch).await?;
            adds.push(file.finish(now, true).await?.0);
        }
        self.location.flush(&self.folder, adds.iter().map(|add| add.path.as_str()))?;
        let mut actions = Vec::with_capacity(adds.len() + 1);
        let before = self.current();
        if ready.columns.len() > before.columns.len() {
            actions.push(self.widened(&before, &ready.columns)?);
        }
        actions.extend(adds.into_iter().map(Action::Add));
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![DATE.to_owned()]),
            predicate: None,
        };
        self.commit_alone(actions, operation, Some((complete, now))).await?;
        self.misfits.fetch_add(ready.misfits, Ordering::Relaxed);
        Ok(())
    }

    /// The table's metadata with the columns that are new.
    fn widened(&self, before: &Current, columns: &Columns) -> Result<Action, StoreError> {
        let what = self.what("cannot add columns");
        let metadata = before.delta.snapshot().map_err(StoreError::delta(&what))?.metadata().clone();
        let schema = metadata.parse_schema().map_err(|error| StoreError::new(&*what, error))?;
        let fields = schema.fields().cloned().chain(columns.schema_fields(before.columns.len()));
        let schema = StructType::try_new(fields).map_err(|error| StoreError::new(&*what, error))?;
        Ok(Action::Metadata(metadata.with_schema(&schema).map_err(|error| StoreError::new(&*what, error))?))
    }

    /// Commits a change that brings no new rows.
    pub(crate) async fn commit(&self, actions: Vec<Action>, operation: DeltaOperation) -> Result<(), StoreError> {
        let _alone = self.committing.lock().await;
        self.commit_alone(actions, operation, None).await
    }

    async fn commit_alone(
        &self,
        actions: Vec<Action>,
        operation: DeltaOperation,
        complete: Option<(Position, Timestamp)>,
    ) -> Result<(), StoreError> {
        let what = self.what("cannot commit");
        let Current { mut delta, .. } = self.current();
        let mut properties =
            CommitProperties::default().with_create_checkpoint(false).with_cleanup_expired_logs(Some(false));
        if let Some((position, now)) = complete {
            let place = Transaction::new_with_last_update(APPLICATION, position.0 as i64, Some(now.millis()));
            properties = properties.with_application_transaction(place);
        }
        let snapshot = delta.snapshot().map_err(StoreError::delta(&what))?;
        let commit =
            CommitBuilder::from(properties).with_actions(actions).build(Some(snapshot), delta.log_store(), operation);
        let done = commit.await.map_err(StoreError::delta(&what))?;
        self.location.flush(&self.folder, [log_entry(done.version).as_str()])?;
        delta.state = Some(done.snapshot());
        self.set(read(delta, &self.folder).await?);
        Ok(())
    }

    /// Its files.
    pub(crate) fn files(&self) -> Result<Vec<FileEntry>, StoreError> {
        let delta = self.current().delta;
        let snapshot = delta.snapshot().map_err(StoreError::delta(&self.what("cannot list its files")))?;
        Ok(snapshot.log_data().iter().map(|file| entry(&file)).collect())
    }

    /// Makes a file durable that was written for this table.
    pub(crate) fn flush_file(&self, path: &str) -> Result<(), StoreError> {
        self.location.flush(&self.folder, [path])
    }

    /// Deletes what uploads that were cut short before this time left behind.
    pub(crate) fn sweep_uploads(&self, before: SystemTime) -> Result<u64, StoreError> {
        let swept = self.location.sweep_uploads(&self.folder, before);
        swept.map_err(|error| StoreError::new(self.what("cannot sweep"), error))
    }

    /// The version at which its log was last summed up by this process.
    pub(crate) fn summed_up(&self) -> u64 {
        self.summed_up.load(Ordering::Relaxed)
    }

    pub(crate) fn set_summed_up(&self, version: u64) {
        self.summed_up.store(version, Ordering::Relaxed);
    }

    /// The files that were taken out at this time or later.
    pub(crate) async fn removed_since(&self, time: Timestamp) -> Result<HashSet<ObjectPath>, StoreError> {
        let delta = self.current().delta;
        let what = self.what("cannot list the files that were taken out");
        let log = delta.log_store();
        let snapshot = delta.snapshot().map_err(StoreError::delta(&what))?;
        let removed = snapshot.all_tombstones(log.as_ref()).try_filter_map(|removed| {
            let recent = removed.deletion_timestamp().is_some_and(|at| at >= time.millis());
            std::future::ready(Ok(recent.then(|| ObjectPath::from(&*removed.path()))))
        });
        removed.try_collect().await.map_err(StoreError::delta(&what))
    }

    /// The actions that take these files out.
    pub(crate) fn removals(
        &self,
        paths: &[ObjectPath],
        now: Timestamp,
        change: bool,
    ) -> Result<Vec<Action>, StoreError> {
        let delta = self.current().delta;
        let snapshot = delta.snapshot().map_err(StoreError::delta(&self.what("cannot list its files")))?;
        let wanted: HashSet<&ObjectPath> = paths.iter().collect();
        let files = snapshot.log_data();
        let found = files.iter().filter(|file| wanted.contains(&file.object_store_path()));
        let removal = |file: LogicalFileView| {
            Action::Remove(Remove { deletion_timestamp: Some(now.millis()), ..file.remove_action(change) })
        };
        Ok(found.map(removal).collect())
    }
}

async fn read(delta: DeltaTable, folder: &str) -> Result<Current, StoreError> {
    let what = format!("table {folder}: cannot read the log");
    let snapshot = delta.snapshot().map_err(StoreError::delta(&what))?;
    let complete = snapshot.transaction_version(delta.log_store().as_ref(), APPLICATION).await;
    let complete = complete.map_err(StoreError::delta(&what))?.map(|version| Position(version.max(0) as u64));
    let columns = Arc::new(Columns::of(&snapshot.schema()));
    Ok(Current { delta, columns, complete })
}

fn entry(file: &LogicalFileView) -> FileEntry {
    let stats: Value = file.stats().and_then(|stats| serde_json::from_str(&stats).ok()).unwrap_or_default();
    let span = |name: &str| {
        let time = |at: &str| Some(Timestamp::parse(stats[at][name].as_str()?)?.0);
        Some((time("minValues")?, time("maxValues")?))
    };
    FileEntry {
        path: file.object_store_path(),
        size: file.size() as u64,
        date: file.partition_values_map().remove(DATE).flatten().unwrap_or_default(),
        rows: file.num_records().map(|rows| rows as u64),
        first: stats["minValues"][POSITION].as_i64().unwrap_or_default(),
        received: span(RECEIVED),
        time: span(TIME),
    }
}

/// Where the entry of this version stands in a table's log.
fn log_entry(version: u64) -> String {
    format!("_delta_log/{version:020}.json")
}
