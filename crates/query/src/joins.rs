//! Joins, by DataFusion's hash join.

use std::sync::Arc;

use arrow_array::{cast::AsArray, types::Int64Type};
use datafusion_common::{JoinType, NullEquality};
use datafusion_physical_expr::{PhysicalExpr, expressions::Column};
use datafusion_physical_plan::joins::{HashJoinExec, PartitionMode};
use lurcher_engine::{Relation, RelationalError};

use crate::{
    columns::Encoding,
    plan::{DataFusion, Source, error},
};

/// The pairs of rows that are equal in all columns; see [`lurcher_engine::Relational::join`].
pub(crate) fn join(
    engine: &DataFusion,
    left: &Relation,
    right: &Relation,
) -> Result<Vec<(usize, usize)>, RelationalError> {
    let source = |relation: &Relation| {
        let columns = relation.columns.iter().map(|values| (Encoding::Text, values.as_slice())).collect();
        Source { columns, rows: (0..relation.rows).collect(), windows: None }.plan()
    };
    let column = |index: usize| -> Arc<dyn PhysicalExpr> { Arc::new(Column::new(&Source::name(index), index)) };
    let keys = left.columns.len().min(right.columns.len());
    if keys == 0 || left.rows == 0 || right.rows == 0 {
        return Ok(Vec::new());
    }
    // Of the result only the row numbers are wanted; they stand behind the keys on either side.
    let numbers = vec![left.columns.len(), left.columns.len() + 1 + right.columns.len()];
    // DataFusion holds its left side in memory: let that be the smaller one.
    let turned = right.rows < left.rows;
    let (build, probe) = if turned { (right, left) } else { (left, right) };
    let plan = HashJoinExec::try_new(
        source(build)?,
        source(probe)?,
        (0..keys).map(|index| (column(index), column(index))).collect(),
        None,
        &JoinType::Inner,
        Some(if turned { vec![right.columns.len(), right.columns.len() + 1 + left.columns.len()] } else { numbers }),
        PartitionMode::CollectLeft,
        NullEquality::NullEqualsNothing,
        false,
    )
    .map_err(error)?;
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for batch in engine.run(Arc::new(plan))? {
        let numbers =
            |column: usize| batch.columns().get(column).and_then(|c| c.as_primitive_opt::<Int64Type>().cloned());
        let (Some(build), Some(probe)) = (numbers(0), numbers(1)) else { continue };
        let found = build.values().iter().zip(probe.values().iter()).map(|(b, p)| (*b as usize, *p as usize));
        pairs.extend(found.map(|(build, probe)| if turned { (probe, build) } else { (build, probe) }));
    }
    pairs.sort_unstable();
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use lurcher_engine::Relational;
    use lurcher_schema::Value;
    use proptest::prelude::*;

    use super::*;

    fn relation(rows: &[(Option<String>, String)]) -> Relation {
        let first = rows.iter().map(|row| row.0.as_deref().map_or(Value::Null, Value::text)).collect();
        let second = rows.iter().map(|row| Value::text(row.1.as_str())).collect();
        Relation { rows: rows.len(), columns: vec![first, second] }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn joining_agrees_with_two_nested_loops(
            left in prop::collection::vec((prop::option::of("[ab]"), "[xy]"), 0..30),
            right in prop::collection::vec((prop::option::of("[ab]"), "[xy]"), 0..30),
        ) {
            let mut expected = Vec::new();
            for (number, own) in left.iter().enumerate() {
                let fits = |(_, other): &(usize, &(Option<String>, String))| own.0.is_some() && own == *other;
                expected.extend(right.iter().enumerate().filter(fits).map(|(other, _)| (number, other)));
            }
            let found = DataFusion::default().join(&relation(&left), &relation(&right)).unwrap();
            prop_assert_eq!(found, expected);
        }
    }
}
