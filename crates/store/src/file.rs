//! One Parquet file of a table: how it is written, what is noted of it, and how it is read back and checked.
//!
//! In the file's footer stands a checksum of what came in (position, kind and body of every row). It is a sum over the
//! rows, so that merging files must give a file with the sum of their checksums.

// A reader of our own would be a copy of this one.
#![allow(deprecated, reason = "parquet deprecates its reader over object stores without another in its place")]

use std::{collections::HashMap, ops::Range, sync::Arc};

use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Int64Type, TimestampMicrosecondType},
};
use arrow_schema::SchemaRef;
use bytes::Bytes;
use deltalake::{
    ObjectStore, Path as ObjectPath,
    kernel::Add,
    parquet::{
        arrow::{
            AsyncArrowWriter, ParquetRecordBatchStreamBuilder,
            arrow_reader::ArrowReaderOptions,
            async_reader::{AsyncFileReader, ParquetRecordBatchStream},
        },
        basic::{Compression, Encoding, ZstdLevel},
        errors::{ParquetError, Result as ParquetResult},
        file::{
            metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader},
            properties::{EnabledStatistics, WriterProperties},
        },
        schema::types::ColumnPath,
    },
};
use futures::{FutureExt, TryFutureExt, future::BoxFuture};
use lurcher_schema::Timestamp;
use object_store::{ObjectStoreExt, buffered::BufWriter};
use serde_json::{Value, json};

use crate::{
    StoreError,
    columns::{DATE, KIND, POSITION, RAW, RAW_BYTES, RECEIVED, TIME},
};

/// The key, in a file's footer, of its checksum.
const CHECKSUM: &str = "lurcher.checksum";

/// What is known of the rows of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) rows: u64,
    pub(crate) checksum: u64,
    position: Span,
    received: Span,
    time: Span,
    /// Rows without a time.
    timeless: u64,
}

/// The least and the greatest of some numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span(Option<(i64, i64)>);

impl Span {
    fn add(&mut self, number: i64) {
        let (least, greatest) = self.0.unwrap_or((number, number));
        self.0 = Some((least.min(number), greatest.max(number)));
    }
}

impl Facts {
    /// Takes the rows of a batch into account. Every column that a table begins with must be in it.
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Option<()> {
        let positions = batch.column_by_name(POSITION)?.as_primitive_opt::<Int64Type>()?;
        let received = batch.column_by_name(RECEIVED)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        let times = batch.column_by_name(TIME)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        let kinds = batch.column_by_name(KIND)?.as_string_opt::<i32>()?;
        let texts = batch.column_by_name(RAW)?.as_string_opt::<i32>()?;
        let bytes = batch.column_by_name(RAW_BYTES)?.as_binary_opt::<i32>()?;
        for row in 0..batch.num_rows() {
            let body = if bytes.is_valid(row) { bytes.value(row) } else { texts.value(row).as_bytes() };
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(&positions.value(row).to_le_bytes());
            hasher.update(&received.value(row).to_le_bytes());
            hasher.update(kinds.value(row).as_bytes());
            hasher.update(body);
            self.checksum = self.checksum.wrapping_add(u64::from(hasher.finalize()));
            self.position.add(positions.value(row));
            self.received.add(received.value(row));
            if times.is_valid(row) {
                self.time.add(times.value(row));
            } else {
                self.timeless += 1;
            }
        }
        self.rows += batch.num_rows() as u64;
        Some(())
    }

    /// The statistics that stand in the table's log, by which files are skipped.
    fn statistics(&self) -> Value {
        let mut least = serde_json::Map::new();
        let mut greatest = serde_json::Map::new();
        let spans = [(POSITION, self.position, false), (RECEIVED, self.received, true), (TIME, self.time, true)];
        for (name, span, is_time) in spans {
            let Some((from, to)) = span.0 else { continue };
            let value = |number| if is_time { Value::from(rfc3339(number)) } else { Value::from(number) };
            least.insert(name.to_owned(), value(from));
            greatest.insert(name.to_owned(), value(to));
        }
        json!({
            "numRecords": self.rows,
            "minValues": least,
            "maxValues": greatest,
            "nullCount": {POSITION: 0, RECEIVED: 0, TIME: self.timeless, KIND: 0, RAW: 0},
        })
    }
}

/// A time as the log writes it, to the microsecond.
fn rfc3339(micros: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// A day as the log writes it.
pub(crate) fn date_text(days: i64) -> String {
    let micros = days.saturating_mul(86_400_000_000);
    jiff::Timestamp::from_microsecond(micros).unwrap_or_default().strftime("%Y-%m-%d").to_string()
}

fn properties() -> WriterProperties {
    let raw = || ColumnPath::from(RAW);
    let zstd = ZstdLevel::try_new(3).map_or(Compression::UNCOMPRESSED, Compression::ZSTD);
    WriterProperties::builder()
        .set_compression(zstd)
        .set_created_by(concat!("lurcher ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_max_row_group_row_count(Some(128 << 10))
        .set_max_row_group_bytes(Some(32 << 20))
        // Bodies hardly repeat, and nobody looks for their least.
        .set_column_dictionary_enabled(raw(), false)
        .set_column_statistics_enabled(raw(), EnabledStatistics::None)
        .set_column_dictionary_enabled(ColumnPath::from(POSITION), false)
        .set_column_encoding(ColumnPath::from(POSITION), Encoding::DELTA_BINARY_PACKED)
        .build()
}

/// A file that is being written.
pub(crate) struct FileWriter {
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
    date: String,
    writer: AsyncArrowWriter<BufWriter>,
    facts: Facts,
}

impl FileWriter {
    /// Begins a file of a table, for rows of this day (`YYYY-MM-DD`). `name` must be used for no other.
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        date: &str,
        name: &str,
        schema: SchemaRef,
    ) -> Result<Self, StoreError> {
        let path = ObjectPath::from(format!("{DATE}={date}/{name}.zstd.parquet"));
        let sink = BufWriter::new(Arc::clone(&store), path.clone());
        let writer = AsyncArrowWriter::try_new(sink, schema, Some(properties()));
        let writer = writer.map_err(|error| StoreError::new(format!("{path}: cannot write"), error))?;
        Ok(Self { store, path, date: date.to_owned(), writer, facts: Facts::default() })
    }

    pub(crate) async fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let missing = || StoreError::said(format!("{}: cannot write", self.path), "the rows lack a column");
        self.facts.add(batch).ok_or_else(missing)?;
        self.writer.write(batch).await.map_err(|error| StoreError::new(format!("{}: cannot write", self.path), error))
    }

    /// Ends it. What it gives back puts the file into the table, once that is committed. `change` is false where the same
    /// rows were in the table before.
    pub(crate) async fn finish(mut self, now: Timestamp, change: bool) -> Result<(Add, Facts), StoreError> {
        let failed = |path: &ObjectPath| format!("{path}: cannot write");
        let checksum = KeyValue::new(CHECKSUM.to_owned(), self.facts.checksum.to_string());
        self.writer.append_key_value_metadata(checksum);
        self.writer.close().await.map_err(|error| StoreError::new(failed(&self.path), error))?;
        let meta = self.store.head(&self.path).await.map_err(|error| StoreError::new(failed(&self.path), error))?;
        let add = Add {
            path: self.path.to_string(),
            partition_values: HashMap::from([(DATE.to_owned(), Some(self.date))]),
            size: meta.size as i64,
            modification_time: now.millis(),
            data_change: change,
            stats: Some(self.facts.statistics().to_string()),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        };
        Ok((add, self.facts))
    }
}

/// A file that is being read.
pub(crate) struct FileReader {
    pub(crate) schema: SchemaRef,
    /// The checksum in its footer; none if somebody else wrote it.
    pub(crate) checksum: Option<u64>,
    pub(crate) batches: ParquetRecordBatchStream<Source>,
}

impl FileReader {
    /// Opens it.
    pub(crate) async fn open(store: &Arc<dyn ObjectStore>, path: &ObjectPath, size: u64) -> Result<Self, StoreError> {
        let failed = |error| StoreError::new(format!("{path}: cannot read"), error);
        let reader = Source { store: Arc::clone(store), path: path.clone(), size };
        let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(failed)?;
        let noted = builder.metadata().file_metadata().key_value_metadata().into_iter().flatten();
        let checksum = noted.filter(|entry| entry.key == CHECKSUM).find_map(|entry| entry.value.as_ref()?.parse().ok());
        let schema = Arc::clone(builder.schema());
        let batches = builder.with_batch_size(4096).build().map_err(failed)?;
        Ok(Self { schema, checksum, batches })
    }
}

/// A file in an object store, as the Parquet reader asks for it.
pub(crate) struct Source {
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
    size: u64,
}

impl AsyncFileReader for Source {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.store.get_range(&self.path, range).map_err(unread).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        async move { self.store.get_ranges(&self.path, &ranges).await.map_err(unread) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let size = self.size;
        async move { Ok(Arc::new(ParquetMetaDataReader::new().load_and_finish(self, size).await?)) }.boxed()
    }
}

fn unread(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
