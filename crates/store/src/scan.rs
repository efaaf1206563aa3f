//! Records read back from the tables, just as they came in.

use std::{pin::Pin, sync::Arc};

use arrow_array::{
    Array, ArrayRef, RecordBatch,
    cast::AsArray,
    types::{Int64Type, TimestampMicrosecondType},
};
use arrow_schema::{DataType, TimeUnit};
use bytes::Bytes;
use deltalake::{
    arrow::compute::cast,
    datafusion::{
        dataframe::DataFrame,
        error::DataFusionError,
        logical_expr::Expr,
        prelude::{Column, lit},
        scalar::ScalarValue,
    },
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use lurcher_journal::{Position, Record, RecordKind};
use lurcher_schema::Timestamp;

use crate::{
    Store, StoreError,
    columns::{DATE, KIND, POSITION, RAW, RAW_BYTES, RECEIVED, TIME},
    names::matches_glob,
    query::provider,
    rows::{day_of, kind_of},
    table::Table,
};

/// Which records to read back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Patterns (`*`, `?`) of the names of streams. None means all.
    pub streams: Vec<String>,
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Which time is meant.
    pub by: TimeField,
    /// How many, at most, over all streams.
    pub limit: Option<usize>,
    /// Whether the records of a stream are to come in order of their positions. Sorting may spill to disk.
    pub ordered: bool,
}

/// Which time of a record a scan goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeField {
    /// When it came in.
    #[default]
    Received,
    /// When its event happened; when it came in, where the event does not say.
    Event,
}

/// Records, a batch at a time, one stream after the other. Dropping it ends the query.
pub type StoredRecords = Pin<Box<dyn Stream<Item = Result<Vec<(Position, Record)>, StoreError>> + Send>>;

impl Store {
    /// Reads records back. What is committed when a stream's turn comes is read, and nothing later. Files are skipped by
    /// their day and by the statistics in the table's log.
    pub fn scan(self: &Arc<Self>, scan: Scan) -> StoredRecords {
        let wanted = |table: &Arc<Table>| {
            scan.streams.is_empty() || scan.streams.iter().any(|pattern| matches_glob(pattern, &table.stream))
        };
        let tables: Vec<Arc<Table>> = self.tables().into_iter().filter(wanted).collect();
        let left = scan.limit;
        let state = (Arc::clone(self), scan, left);
        let batches = stream::iter(tables).then(move |table| {
            let (store, scan, left) = state.clone();
            async move { store.scan_table(&table, &scan, left).await }
        });
        let mut left = left.unwrap_or(usize::MAX);
        let limited = batches.try_flatten().map_ok(move |mut records: Vec<(Position, Record)>| {
            records.truncate(left);
            left -= records.len();
            (records, left)
        });
        // Ends behind the batch that fills the limit, without asking for another.
        let ended = limited.scan(false, |over, batch| {
            let item = (!*over).then_some(batch);
            *over = matches!(&item, Some(Ok((_, 0)) | Err(_)));
            std::future::ready(item)
        });
        Box::pin(ended.map_ok(|(records, _)| records).try_filter(|records| std::future::ready(!records.is_empty())))
    }

    async fn scan_table(
        &self,
        table: &Arc<Table>,
        scan: &Scan,
        limit: Option<usize>,
    ) -> Result<StoredRecords, StoreError> {
        let what = format!("reading {}", table.stream);
        let failed = |error: DataFusionError| StoreError::new(&*what, error);
        let frame = self.frame(table, scan, limit).await.map_err(failed)?;
        let batches = frame.execute_stream().await.map_err(failed)?;
        let stream = Arc::clone(&table.stream);
        Ok(Box::pin(batches.map(move |batch| {
            let failed = |error| StoreError::new(format!("reading {stream}"), error);
            records(&batch.map_err(failed)?, &stream).ok_or_else(|| {
                StoreError::said(
                    format!("reading {stream}"),
                    "a column is missing or has a type that this program did not give it",
                )
            })
        })))
    }

    async fn frame(&self, table: &Table, scan: &Scan, limit: Option<usize>) -> Result<DataFrame, DataFusionError> {
        let session = self.engine.session();
        let mut frame = session.read_table(provider(table).await?)?;
        if let Some(filter) = filter(scan) {
            frame = frame.filter(filter)?;
        }
        let columns = [POSITION, RECEIVED, KIND, RAW, RAW_BYTES].map(column);
        frame = frame.select(columns)?;
        if scan.ordered {
            frame = frame.sort(vec![column(POSITION).sort(true, false)])?;
        }
        match limit {
            Some(limit) => frame.limit(0, Some(limit)),
            None => Ok(frame),
        }
    }
}

/// A column by its exact name; the usual way would read dots and case into it.
fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

fn time(time: Timestamp) -> Expr {
    lit(ScalarValue::TimestampMicrosecond(Some(time.0), Some(Arc::from("UTC"))))
}

fn within(name: &str, scan: &Scan) -> Option<Expr> {
    let from = scan.from.map(|from| column(name).gt_eq(time(from)));
    let to = scan.to.map(|to| column(name).lt(time(to)));
    from.into_iter().chain(to).reduce(Expr::and)
}

fn filter(scan: &Scan) -> Option<Expr> {
    let received = within(RECEIVED, scan)?;
    match scan.by {
        TimeField::Received => {
            // By the day too, so that whole partitions fall away.
            let day = |time: Timestamp| lit(ScalarValue::Date32(Some(day_of(time) as i32)));
            let from = scan.from.map(|from| column(DATE).gt_eq(day(from)));
            let to = scan.to.map(|to| column(DATE).lt_eq(day(to)));
            Some(from.into_iter().chain(to).fold(received, Expr::and))
        }
        TimeField::Event => {
            let event = within(TIME, scan)?;
            Some(event.or(column(TIME).is_null().and(received)))
        }
    }
}

fn records(batch: &RecordBatch, stream: &Arc<str>) -> Option<Vec<(Position, Record)>> {
    // The engine may hand texts over as views, or as dictionaries.
    let column = |name: &str, kind: DataType| -> Option<ArrayRef> { cast(batch.column_by_name(name)?, &kind).ok() };
    let positions = column(POSITION, DataType::Int64)?;
    let positions = positions.as_primitive_opt::<Int64Type>()?;
    let received = column(RECEIVED, DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))))?;
    let received = received.as_primitive_opt::<TimestampMicrosecondType>()?;
    let kinds = column(KIND, DataType::Utf8)?;
    let kinds = kinds.as_string_opt::<i32>()?;
    let texts = column(RAW, DataType::Utf8)?;
    let texts = texts.as_string_opt::<i32>()?;
    let bytes = column(RAW_BYTES, DataType::Binary)?;
    let bytes = bytes.as_binary_opt::<i32>()?;
    let record = |row: usize| {
        let body = if bytes.is_valid(row) { bytes.value(row) } else { texts.value(row).as_bytes() };
        let record = Record {
            stream: Arc::clone(stream),
            kind: kind_of(kinds.value(row)).unwrap_or(RecordKind::Line),
            received: Timestamp(received.value(row)),
            body: Bytes::copy_from_slice(body),
        };
        (Position(positions.value(row) as u64), record)
    };
    Some((0..batch.num_rows()).map(record).collect())
}
