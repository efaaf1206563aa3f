//! Queries over the tables, by DataFusion: its memory is bounded, and it only reads.

use std::{fmt, sync::Arc};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use deltalake::{
    arrow::json::{LineDelimitedWriter, WriterBuilder, writer::LineDelimited},
    datafusion::{
        catalog::{CatalogProvider, MemoryCatalogProvider, SchemaProvider, TableProvider},
        common::Result as DataFusionResult,
        error::DataFusionError,
        execution::{
            context::{SQLOptions, SessionContext},
            runtime_env::RuntimeEnv,
        },
    },
    delta_datafusion::{DeltaRuntimeEnvBuilder, DeltaSessionContext},
};
use futures::StreamExt;
use serde_json::{Map, Value};

use crate::{Store, StoreError, table::Table};

/// Bytes of JSON that one query answers with, at most.
const ANSWER_BYTES: usize = 64 << 20;
/// Bytes of temporary files that all queries together may write.
const SPILL_BYTES: u64 = 16 << 30;

/// What queries run in.
pub(crate) struct Engine(Arc<RuntimeEnv>);

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

/// The answer to a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SqlRows {
    /// The names of the columns, in order.
    pub columns: Vec<String>,
    /// The rows, each an object; what is null is left out.
    pub rows: Vec<Map<String, Value>>,
    /// Whether there were more rows than the limit, or than fit into 64 MiB.
    pub truncated: bool,
}

impl Engine {
    pub(crate) fn new(memory: usize) -> Self {
        let runtime =
            DeltaRuntimeEnvBuilder::new().with_max_spill_size(memory).with_max_temp_directory_size(SPILL_BYTES);
        Self(runtime.build())
    }

    /// A session without tables.
    pub(crate) fn session(&self) -> SessionContext {
        DeltaSessionContext::with_runtime_env(Arc::clone(&self.0)).into_inner()
    }
}

impl Store {
    /// Answers a query in DataFusion's SQL, with at most `limit` rows. Tables are called as their streams, in double quotes
    /// where the name is not plain (`SELECT * FROM "logs-endpoint.events-default"`), or with `_` for every such
    /// character. Identifiers keep their case. Only queries are answered, no statement that changes anything.
    pub async fn sql(self: &Arc<Self>, text: &str, limit: usize) -> Result<SqlRows, StoreError> {
        let wrong = |error: DataFusionError| StoreError::Query(error.strip_backtrace());
        let session = self.engine.session();
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema("public", Arc::new(Streams(Arc::clone(self)))).map_err(wrong)?;
        session.register_catalog("datafusion", Arc::new(catalog));
        let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let query = session.sql_with_options(text, reading).await.map_err(wrong)?;
        let query = query.limit(0, Some(limit.saturating_add(1))).map_err(wrong)?;
        let columns = query.schema().fields().iter().map(|field| field.name().clone()).collect();
        let mut answer = SqlRows { columns, ..SqlRows::default() };
        let mut batches = query.execute_stream().await.map_err(wrong)?;
        let mut bytes = 0;
        while let Some(batch) = batches.next().await {
            bytes += add_rows(&mut answer.rows, &batch.map_err(wrong)?)?;
            if bytes > ANSWER_BYTES {
                answer.truncated = true;
                break;
            }
        }
        answer.truncated |= answer.rows.len() > limit;
        answer.rows.truncate(limit);
        Ok(answer)
    }
}

/// Adds the rows of a batch; says how long they are as JSON.
fn add_rows(rows: &mut Vec<Map<String, Value>>, batch: &RecordBatch) -> Result<usize, StoreError> {
    let failed = |error| StoreError::new("writing rows as JSON", error);
    let mut text = Vec::new();
    let mut writer: LineDelimitedWriter<_> = WriterBuilder::new().build::<_, LineDelimited>(&mut text);
    writer.write(batch).and_then(|()| writer.finish()).map_err(failed)?;
    drop(writer);
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let row = serde_json::from_slice(line).map_err(|error| StoreError::new("writing rows as JSON", error))?;
        rows.push(row);
    }
    Ok(text.len())
}

/// The streams as tables of a query.
struct Streams(Arc<Store>);

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Streams")
    }
}

impl Streams {
    fn find(&self, name: &str) -> Option<Arc<Table>> {
        let plain = |stream: &str| -> String {
            stream.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }).collect()
        };
        let store = &self.0;
        store.table(name).or_else(|| store.tables().into_iter().find(|table| plain(&table.stream) == name))
    }
}

#[async_trait]
impl SchemaProvider for Streams {
    fn table_names(&self) -> Vec<String> {
        self.0.tables().iter().map(|table| table.stream.to_string()).collect()
    }

    async fn table(&self, name: &str) -> DataFusionResult<Option<Arc<dyn TableProvider>>> {
        match self.find(name) {
            Some(table) => provider(&table).await.map(Some),
            None => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.find(name).is_some()
    }
}

/// What a query reads of a table: what it holds now, whatever is committed while the query runs.
pub(crate) async fn provider(table: &Table) -> DataFusionResult<Arc<dyn TableProvider>> {
    table.current().delta.table_provider().await
}
