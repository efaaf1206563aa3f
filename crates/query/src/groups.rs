//! Grouping and aggregation, by DataFusion's hash aggregation.
//!
//! Every group carries the numbers of its rows. Counts, sums, means, least and greatest are computed by DataFusion; what
//! passes values on (first, last, lists) or has parameters that it does not know is computed by the engine's accumulators
//! from the rows of those numbers, so that values keep their types.

use std::sync::Arc;

use arrow_array::{RecordBatch, cast::AsArray, types::Int64Type};
use arrow_schema::Schema;
use datafusion_functions_aggregate::{
    array_agg::array_agg_udaf, average::avg_udaf, count::count_udaf, min_max::max_udaf, min_max::min_udaf,
    sum::sum_udaf,
};
use datafusion_physical_expr::{
    PhysicalExpr,
    aggregate::{AggregateExprBuilder, AggregateFunctionExpr},
    expressions::Column,
};
use datafusion_physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use lurcher_engine::{Accumulator, AggregateCall, Group, Grouping, Relation, RelationalError, Windows};
use lurcher_ir::Aggregate;
use lurcher_schema::Value;

use crate::{
    columns::{Encoding, row_numbers},
    plan::{DataFusion, Source, error},
};

/// Groups and aggregates; see [`lurcher_engine::Relational::aggregate`].
pub(crate) fn aggregate(
    engine: &DataFusion,
    relation: &Relation,
    grouping: &Grouping,
) -> Result<Vec<Group>, RelationalError> {
    let (rows, windows) = rows_in_windows(relation, grouping.windows);
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let keys = relation.columns.iter().take(grouping.keys).map(|values| (Encoding::exact(values), values.as_slice()));
    let mut source = Source { columns: keys.collect(), rows, windows };
    let keys = source.columns.len();
    // Of each aggregate the column that it is computed from; none if it is taken from the rows.
    let mut computed: Vec<Option<usize>> = Vec::new();
    for call in &grouping.aggregates {
        let values = call.arguments.first().and_then(|column| relation.columns.get(*column));
        computed.push(values.filter(|_| !call.elements).and_then(|values| {
            source.columns.push((encoding(call.function, values)?, values));
            Some(source.columns.len() - 1)
        }));
    }
    let schema = source.schema();
    let functions = functions(&schema, grouping, &computed)?;
    let mut by: Vec<_> = (0..keys).map(|index| (column(&schema, index), Source::name(index))).collect();
    if source.windows.is_some() {
        by.push((column(&schema, source.columns.len() + 1), "window".to_owned()));
    }
    let filters = vec![None; functions.len()];
    let grouped = by.len();
    let plan = AggregateExec::try_new(
        AggregateMode::Single,
        PhysicalGroupBy::new_single(by),
        functions,
        filters,
        source.plan()?,
        schema,
    )
    .map_err(error)?;
    let mut groups = Vec::new();
    for batch in engine.run(Arc::new(plan))? {
        read_groups(&batch, relation, grouping, &source, &computed, grouped, &mut groups);
    }
    Ok(groups)
}

/// The rows, each once for every window that it lies in, and where those begin.
fn rows_in_windows(relation: &Relation, windows: Option<Windows>) -> (Vec<usize>, Option<Vec<i64>>) {
    let Some(windows) = windows else { return ((0..relation.rows).collect(), None) };
    let times = relation.columns.get(windows.time).map_or(&[][..], Vec::as_slice);
    let mut rows = Vec::new();
    let mut starts = Vec::new();
    for (row, time) in times.iter().enumerate() {
        let time = match time {
            Value::Int(time) => *time,
            Value::Float(time) if time.fract() == 0.0 => *time as i64,
            _ => continue,
        };
        for start in windows.starts(time) {
            rows.push(row);
            starts.push(start);
        }
    }
    (rows, Some(starts))
}

/// How the argument of a computed aggregate stands in Arrow; none if the aggregate is taken from the rows.
fn encoding(function: Aggregate, values: &[Value]) -> Option<Encoding> {
    match function {
        Aggregate::Count | Aggregate::CountDistinct => Some(Encoding::exact(values)),
        Aggregate::Sum => Some(Encoding::numeric(values)),
        Aggregate::Average => Some(Encoding::Float),
        // Numbers and texts mixed have no order in Arrow that is ours.
        Aggregate::Min | Aggregate::Max => Some(Encoding::ordered(values)).filter(|e| *e != Encoding::Json),
        _ => None,
    }
}

fn column(schema: &Schema, index: usize) -> Arc<dyn PhysicalExpr> {
    let name = schema.fields().get(index).map_or("", |field| field.name().as_str());
    Arc::new(Column::new(name, index))
}

/// The aggregate functions: the row numbers first, then what is computed.
fn functions(
    schema: &Arc<Schema>,
    grouping: &Grouping,
    computed: &[Option<usize>],
) -> Result<Vec<Arc<AggregateFunctionExpr>>, RelationalError> {
    let row = schema.index_of(crate::plan::ROW).map_err(|e| error(e.into()))?;
    let mut functions = vec![
        AggregateExprBuilder::new(array_agg_udaf(), vec![column(schema, row)])
            .schema(Arc::clone(schema))
            .alias("rows")
            .build()
            .map_err(error)?,
    ];
    for (number, (call, argument)) in grouping.aggregates.iter().zip(computed).enumerate() {
        let Some(argument) = argument else { continue };
        let udaf = match call.function {
            Aggregate::Count | Aggregate::CountDistinct => count_udaf(),
            Aggregate::Sum => sum_udaf(),
            Aggregate::Average => avg_udaf(),
            Aggregate::Min => min_udaf(),
            Aggregate::Max => max_udaf(),
            _ => continue,
        };
        let function = AggregateExprBuilder::new(udaf, vec![column(schema, *argument)])
            .schema(Arc::clone(schema))
            .alias(format!("a{number}"))
            .with_distinct(call.function == Aggregate::CountDistinct)
            .build()
            .map_err(error)?;
        functions.push(function);
    }
    Ok(functions.into_iter().map(Arc::new).collect())
}

fn read_groups(
    batch: &RecordBatch,
    relation: &Relation,
    grouping: &Grouping,
    source: &Source<'_>,
    computed: &[Option<usize>],
    grouped: usize,
    groups: &mut Vec<Group>,
) {
    let Some(lists) = batch.columns().get(grouped).and_then(|lists| lists.as_list_opt::<i32>()) else { return };
    let windows = source.windows.as_ref().and_then(|_| batch.columns().get(grouped - 1));
    let windows = windows.and_then(|windows| windows.as_primitive_opt::<Int64Type>());
    for group in 0..batch.num_rows() {
        let rows = row_numbers(lists, group);
        let mut next = grouped + 1;
        let aggregates = grouping.aggregates.iter().zip(computed).map(|(call, computed)| {
            let Some(computed) = computed else { return taken(call, relation, &rows) };
            let array = batch.columns().get(next);
            next += 1;
            let encoding = source.columns.get(*computed).map_or(Encoding::Text, |(encoding, _)| *encoding);
            array.map(|array| encoding.value(array, group)).unwrap_or_default()
        });
        let aggregates = aggregates.collect();
        groups.push(Group { aggregates, window_start: windows.map(|windows| windows.value(group)), rows });
    }
}

/// What is computed of a group's rows as they stand there.
fn taken(call: &AggregateCall, relation: &Relation, rows: &[usize]) -> Value {
    let columns: Vec<&Vec<Value>> = call.arguments.iter().filter_map(|column| relation.columns.get(*column)).collect();
    let arguments = |row: &usize| columns.iter().map(|values| values.get(*row).unwrap_or(&Value::Null)).collect();
    Accumulator::over(call.function, call.elements, rows.iter().map(arguments))
}

#[cfg(test)]
mod tests;
