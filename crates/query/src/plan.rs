//! Running physical plans: batches in, batches out, within a limit of memory.

use std::{any::Any, fmt, sync::Arc};

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use datafusion_common::DataFusionError;
use datafusion_execution::{TaskContext, runtime_env::RuntimeEnvBuilder};
use datafusion_physical_plan::{
    ExecutionPlan, collect,
    memory::{LazyBatchGenerator, LazyMemoryExec},
};
use lurcher_engine::{ColumnOrder, Group, Grouping, Relation, Relational, RelationalError};
use lurcher_schema::Value;
use parking_lot::RwLock;

use crate::{columns::Encoding, groups, joins, sorting};

/// Rows in one batch.
const BATCH: usize = 16 << 10;

/// The name of the column of row numbers.
pub(crate) const ROW: &str = "row";

/// Apache DataFusion as the engine's relational engine.
#[derive(Debug)]
pub struct DataFusion {
    memory: usize,
}

impl DataFusion {
    /// An engine whose aggregations and sorts use about so many bytes each, and temporary files beyond that.
    pub fn new(memory: usize) -> Self {
        Self { memory }
    }

    /// Runs a plan to its end.
    ///
    /// On a thread of its own, so that it can be called from within an asynchronous runtime, and so that a panic of the
    /// library is an error of the rule and not the end of the run.
    pub(crate) fn run(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Vec<RecordBatch>, RelationalError> {
        let memory = self.memory;
        let run = move || -> Result<Vec<RecordBatch>, RelationalError> {
            let runtime = RuntimeEnvBuilder::new().with_memory_limit(memory, 1.0).build_arc().map_err(error)?;
            let context = Arc::new(TaskContext::default().with_runtime(runtime));
            let tasks = tokio::runtime::Builder::new_current_thread()
                .build()
                .map_err(|error| RelationalError { message: format!("cannot start: {error}") })?;
            tasks.block_on(collect(plan, context)).map_err(error)
        };
        let panicked = |_| RelationalError { message: "the relational engine panicked".to_owned() };
        std::thread::spawn(run).join().map_err(panicked)?
    }
}

impl Default for DataFusion {
    /// 512 MiB.
    fn default() -> Self {
        Self::new(512 << 20)
    }
}

impl Relational for DataFusion {
    fn aggregate(&self, relation: &Relation, grouping: &Grouping) -> Result<Vec<Group>, RelationalError> {
        groups::aggregate(self, relation, grouping)
    }

    fn sort(&self, relation: &Relation, orders: &[ColumnOrder]) -> Result<Vec<usize>, RelationalError> {
        sorting::sort(self, relation, orders)
    }

    fn join(&self, left: &Relation, right: &Relation) -> Result<Vec<(usize, usize)>, RelationalError> {
        joins::join(self, left, right)
    }

    fn duplicates(&self, relation: &Relation) -> Result<Vec<Vec<usize>>, RelationalError> {
        let grouping = Grouping { keys: relation.columns.len(), aggregates: Vec::new(), windows: None };
        let mut sets: Vec<_> = self.aggregate(relation, &grouping)?.into_iter().map(|group| group.rows).collect();
        sets.sort_unstable();
        Ok(sets)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
pub(crate) fn error(error: DataFusionError) -> RelationalError {
    RelationalError { message: error.strip_backtrace() }
}

/// Columns of values in their Arrow encodings, and the number of each row.
pub(crate) struct Source<'a> {
    pub(crate) columns: Vec<(Encoding, &'a [Value])>,
    /// Which rows, in which order; a row may stand more than once.
    pub(crate) rows: Vec<usize>,
    /// One more column that is no value: where each row's window begins.
    pub(crate) windows: Option<Vec<i64>>,
}

impl Source<'_> {
    /// The name of the column at an index; those of row numbers and windows come after them.
    pub(crate) fn name(index: usize) -> String {
        format!("c{index}")
    }

    pub(crate) fn schema(&self) -> Arc<Schema> {
        let columns = self.columns.iter().enumerate();
        let mut fields: Vec<Field> =
            columns.map(|(index, (encoding, _))| Field::new(Self::name(index), encoding.data_type(), true)).collect();
        fields.push(Field::new(ROW, DataType::Int64, false));
        if self.windows.is_some() {
            fields.push(Field::new("window", DataType::Int64, false));
        }
        Arc::new(Schema::new(fields))
    }

    /// The plan that yields the rows.
    pub(crate) fn plan(&self) -> Result<Arc<dyn ExecutionPlan>, RelationalError> {
        let schema = self.schema();
        let mut batches = Vec::new();
        for (chunk, rows) in self.rows.chunks(BATCH).enumerate() {
            let mut arrays: Vec<ArrayRef> = self
                .columns
                .iter()
                .map(|(encoding, values)| {
                    encoding.array(rows.iter().map(|row| values.get(*row).unwrap_or(&Value::Null)))
                })
                .collect();
            arrays.push(Arc::new(rows.iter().map(|row| *row as i64).collect::<Int64Array>()));
            if let Some(windows) = &self.windows {
                let from = chunk * BATCH;
                let windows = windows.get(from..from + rows.len()).unwrap_or_default();
                arrays.push(Arc::new(windows.iter().copied().collect::<Int64Array>()));
            }
            batches.push(RecordBatch::try_new(Arc::clone(&schema), arrays).map_err(|e| error(e.into()))?);
        }
        let batches = Batches { all: batches.into(), next: 0 };
        let plan = LazyMemoryExec::try_new(schema, vec![Arc::new(RwLock::new(batches))]).map_err(error)?;
        Ok(Arc::new(plan))
    }
}

/// Batches, one after the other.
#[derive(Clone, Debug)]
struct Batches {
    all: Arc<[RecordBatch]>,
    next: usize,
}

impl fmt::Display for Batches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} batches", self.all.len())
    }
}

impl LazyBatchGenerator for Batches {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn generate_next_batch(&mut self) -> Result<Option<RecordBatch>, DataFusionError> {
        let batch = self.all.get(self.next).cloned();
        self.next += 1;
        Ok(batch)
    }

    fn reset_state(&self) -> Arc<RwLock<dyn LazyBatchGenerator>> {
        Arc::new(RwLock::new(Self { all: Arc::clone(&self.all), next: 0 }))
    }
}
