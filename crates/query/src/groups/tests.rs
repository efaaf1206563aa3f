//! Groups by examples, and against grouping by hand.

use lurcher_engine::Relational;
use proptest::prelude::*;
use serde_json::json;

use std::collections::BTreeMap;

use super::*;

fn relation(columns: &serde_json::Value) -> Relation {
    let columns: Vec<Vec<Value>> = columns
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column.as_array().unwrap().iter().map(Value::from_json).collect())
        .collect();
    Relation { rows: columns.first().map_or(0, Vec::len), columns }
}

fn call(function: Aggregate, arguments: &[usize]) -> AggregateCall {
    AggregateCall { function, arguments: arguments.to_vec(), elements: false }
}

/// Groups in order of windows and first rows: `[window start, rows, aggregates]`.
fn run(relation: &Relation, grouping: &Grouping) -> serde_json::Value {
    let mut groups = DataFusion::default().aggregate(relation, grouping).unwrap();
    groups.sort_by(|a, b| (a.window_start, &a.rows).cmp(&(b.window_start, &b.rows)));
    let show = |group: &Group| json!([group.window_start, group.rows, Value::list(group.aggregates.clone()).to_json()]);
    groups.iter().map(show).collect()
}

#[test]
fn null_is_a_key_and_types_are_kept_apart() {
    let relation = relation(&json!([["a", null, "a", null, 1, "1"]]));
    let grouping = Grouping { keys: 1, aggregates: vec![call(Aggregate::Count, &[])], windows: None };
    let expected = json!([[null, [0, 2], [2]], [null, [1, 3], [2]], [null, [4], [1]], [null, [5], [1]]]);
    assert_eq!(run(&relation, &grouping), expected);
    let duplicates = DataFusion::default().duplicates(&relation).unwrap();
    assert_eq!(duplicates, [vec![0, 2], vec![1, 3], vec![4], vec![5]]);
}

#[test]
fn every_aggregate_skips_nulls() {
    use Aggregate as A;
    let relation = relation(&json!([["x", "x", "x", "x", "y"], [3, null, "1", 3, null]]));
    let aggregate = |function| {
        let grouping = Grouping { keys: 1, aggregates: vec![call(function, &[1])], windows: None };
        let groups = run(&relation, &grouping);
        (groups[0][2][0].clone(), groups[1][2][0].clone())
    };
    assert_eq!(aggregate(A::Count), (json!(3), json!(0)));
    assert_eq!(aggregate(A::Sum), (json!(7), json!(null)));
    assert_eq!(aggregate(A::Average), (json!(7.0 / 3.0), json!(null)));
    assert_eq!(aggregate(A::Min), (json!(1.0), json!(null)));
    assert_eq!(aggregate(A::Max), (json!(3.0), json!(null)));
    assert_eq!(aggregate(A::CountDistinct), (json!(2), json!(0)));
    assert_eq!(aggregate(A::VALUES), (json!(["1", 3]), json!([])));
    assert_eq!(aggregate(A::LIST), (json!([3, "1", 3]), json!([])));
    assert_eq!(aggregate(A::First), (json!(3), json!(null)));
    assert_eq!(aggregate(A::Last), (json!(3), json!(null)));
}

#[test]
fn without_keys_all_rows_are_one_group_and_no_rows_none() {
    let grouping = Grouping { keys: 0, aggregates: vec![call(Aggregate::Max, &[0])], windows: None };
    assert_eq!(run(&relation(&json!([["b", "a"]])), &grouping), json!([[null, [0, 1], ["b"]]]));
    assert_eq!(run(&relation(&json!([[]])), &grouping), json!([]));
}

#[test]
fn a_row_counts_in_every_window_that_its_time_lies_in() {
    let relation = relation(&json!([["h", "h", "h", "h"], [1000, 1400, 1600, null]]));
    let windows = |size, slide| Some(Windows { time: 1, size, slide });
    let grouping = |windows| Grouping { keys: 1, aggregates: vec![call(Aggregate::Count, &[])], windows };
    let tumbling = json!([[1000, [0, 1], [2]], [1500, [2], [1]]]);
    assert_eq!(run(&relation, &grouping(windows(500, 500))), tumbling);
    let sliding = json!([[500, [0, 1], [2]], [1000, [0, 1, 2], [3]], [1500, [2], [1]]]);
    assert_eq!(run(&relation, &grouping(windows(1000, 500))), sliding);
}

#[test]
fn sums_beyond_whole_numbers_become_floats() {
    let relation = relation(&json!([[i64::MAX, i64::MAX]]));
    let grouping = Grouping { keys: 0, aggregates: vec![call(Aggregate::Sum, &[0])], windows: None };
    assert_eq!(run(&relation, &grouping)[0][2], json!([1.844_674_407_370_955_2e19]));
}

#[test]
fn it_can_be_called_from_within_an_asynchronous_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        assert_eq!(DataFusion::default().duplicates(&relation(&json!([[1, 1]]))).unwrap(), [vec![0, 1]]);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn grouping_agrees_with_grouping_by_hand(
        rows in prop::collection::vec((prop::option::of(0..4_i64), prop::option::of("[ab]"), -3..9_i64), 1..60),
    ) {
        let columns = vec![
            rows.iter().map(|row| row.0.map_or(Value::Null, Value::Int)).collect(),
            rows.iter().map(|row| row.1.as_deref().map_or(Value::Null, Value::text)).collect::<Vec<_>>(),
            rows.iter().map(|row| Value::Int(row.2)).collect(),
        ];
        let relation = Relation { rows: rows.len(), columns };
        let aggregates = vec![call(Aggregate::Sum, &[2]), call(Aggregate::CountDistinct, &[2])];
        let grouping = Grouping { keys: 2, aggregates, windows: None };
        let mut found = DataFusion::default().aggregate(&relation, &grouping).unwrap();
        found.sort_by(|a, b| a.rows.cmp(&b.rows));
        let mut expected: BTreeMap<(Option<i64>, Option<String>), Vec<usize>> = BTreeMap::new();
        for (number, row) in rows.iter().enumerate() {
            expected.entry((row.0, row.1.clone())).or_default().push(number);
        }
        let mut expected: Vec<_> = expected.into_values().collect();
        expected.sort();
        prop_assert_eq!(found.iter().map(|group| group.rows.clone()).collect::<Vec<_>>(), expected);
        for group in found {
            let numbers: Vec<i64> = group.rows.iter().map(|row| rows[*row].2).collect();
            let distinct: std::collections::BTreeSet<_> = numbers.iter().collect();
            let expected = vec![Value::Int(numbers.iter().sum()), Value::Int(distinct.len() as i64)];
            prop_assert_eq!(group.aggregates, expected);
        }
    }

    /// Computed by DataFusion's operators or value by value by the engine's accumulators: the same.
    #[test]
    fn accumulators_agree_with_the_relational_engine(
        rows in prop::collection::vec((0..3_i64, prop::option::of(-50..50_i64)), 1..60),
    ) {
        let columns = vec![
            rows.iter().map(|row| Value::Int(row.0)).collect(),
            rows.iter().map(|row| row.1.map_or(Value::Null, Value::Int)).collect::<Vec<_>>(),
        ];
        let relation = Relation { rows: rows.len(), columns };
        let functions = [
            Aggregate::Count,
            Aggregate::CountDistinct,
            Aggregate::Sum,
            Aggregate::Average,
            Aggregate::Min,
            Aggregate::Max,
        ];
        let run = |elements| {
            let aggregates = functions.map(|function| AggregateCall { elements, ..call(function, &[1]) }).to_vec();
            let mut groups =
                DataFusion::default().aggregate(&relation, &Grouping { keys: 1, aggregates, windows: None }).unwrap();
            groups.sort_by(|a, b| a.rows.cmp(&b.rows));
            groups
        };
        prop_assert_eq!(run(false), run(true));
    }
}
