//! Sorting, by DataFusion's external merge sort.

use std::sync::Arc;

use arrow_array::{cast::AsArray, types::Int64Type};
use arrow_schema::SortOptions;
use datafusion_physical_expr::{LexOrdering, PhysicalSortExpr, expressions::Column};
use datafusion_physical_plan::sorts::sort::SortExec;
use lurcher_engine::{ColumnOrder, Relation, RelationalError};
use lurcher_schema::Value;

use crate::{
    columns::Encoding,
    plan::{DataFusion, ROW, Source},
};

/// The order of rows; see [`lurcher_engine::Relational::sort`].
///
/// A column of both numbers and other values is sorted by three: which of the two a value is, its number, its text.
pub(crate) fn sort(
    engine: &DataFusion,
    relation: &Relation,
    orders: &[ColumnOrder],
) -> Result<Vec<usize>, RelationalError> {
    let mut split: Vec<(Encoding, Vec<Value>, ColumnOrder)> = Vec::new();
    for (values, order) in relation.columns.iter().zip(orders) {
        match Encoding::ordered(values) {
            Encoding::Json => {
                let kind = |value: &Value| match value {
                    Value::Null => Value::Null,
                    other => Value::Int(i64::from(other.as_number().is_none())),
                };
                let number = |value: &Value| if value.as_number().is_some() { value.clone() } else { Value::Null };
                let other = |value: &Value| match value {
                    Value::Null | Value::Int(_) | Value::Float(_) => Value::Null,
                    other => Value::text(other.to_string()),
                };
                split.push((Encoding::Integer, values.iter().map(kind).collect(), *order));
                split.push((Encoding::Float, values.iter().map(number).collect(), *order));
                split.push((Encoding::Text, values.iter().map(other).collect(), *order));
            }
            encoding => split.push((encoding, values.clone(), *order)),
        }
    }
    let source = Source {
        columns: split.iter().map(|(encoding, values, _)| (*encoding, values.as_slice())).collect(),
        rows: (0..relation.rows).collect(),
        windows: None,
    };
    let by = split.iter().enumerate().map(|(index, (_, _, order))| {
        let options = SortOptions { descending: order.descending, nulls_first: order.nulls_first };
        PhysicalSortExpr::new(Arc::new(Column::new(&Source::name(index), index)), options)
    });
    let last = PhysicalSortExpr::new(Arc::new(Column::new(ROW, split.len())), SortOptions::new(false, false));
    let Some(ordering) = LexOrdering::new(by.chain([last])) else { return Ok((0..relation.rows).collect()) };
    let sorted = engine.run(Arc::new(SortExec::new(ordering, source.plan()?)))?;
    let rows = sorted.iter().filter_map(|batch| batch.column_by_name(ROW)?.as_primitive_opt::<Int64Type>());
    Ok(rows.flat_map(|rows| rows.values().iter().map(|row| *row as usize)).collect())
}

#[cfg(test)]
mod tests {
    use lurcher_engine::Relational;
    use serde_json::json;

    use super::*;

    fn order(columns: &serde_json::Value, descending: &[bool]) -> Vec<usize> {
        let columns: Vec<Vec<Value>> = columns
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column.as_array().unwrap().iter().map(Value::from_json).collect())
            .collect();
        let relation = Relation { rows: columns[0].len(), columns };
        let order = |descending: &bool| ColumnOrder { descending: *descending, nulls_first: false };
        let orders: Vec<ColumnOrder> = descending.iter().map(order).collect();
        DataFusion::default().sort(&relation, &orders).unwrap()
    }

    #[test]
    fn rows_are_sorted_by_all_columns_nulls_last_and_stably() {
        assert_eq!(order(&json!([[3, null, 1, 2]]), &[false]), [2, 3, 0, 1]);
        assert_eq!(order(&json!([[3, null, 1, 2]]), &[true]), [0, 3, 2, 1]);
        assert_eq!(order(&json!([["b", "a", "b", "a"], [1, 2, 0, 2]]), &[false, true]), [1, 3, 0, 2]);
        assert_eq!(order(&json!([[1, 1, 1]]), &[true]), [0, 1, 2]);
    }

    #[test]
    fn numbers_are_sorted_by_size_and_before_text() {
        assert_eq!(order(&json!([[10, 9.5, "9"]]), &[false]), [2, 1, 0]);
        assert_eq!(order(&json!([["x", 10, 9, null, "a"]]), &[false]), [2, 1, 4, 0, 3]);
        assert_eq!(order(&json!([["x", 10, 9, null, "a"]]), &[true]), [0, 4, 1, 2, 3]);
    }

    #[test]
    fn nulls_stand_where_they_are_told_to() {
        let column = [3.into(), Value::Null, 1.into(), "x".into()];
        let relation = Relation { rows: 4, columns: vec![column.to_vec()] };
        let order = ColumnOrder { descending: true, nulls_first: true };
        assert_eq!(DataFusion::default().sort(&relation, &[order]).unwrap(), [1, 3, 0, 2]);
    }
}
