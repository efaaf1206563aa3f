//! Correlations over hits written down by hand.

use std::time::Duration;

use lurcher_ir::{Comparison, CorrelationRead, FieldRef, Sources};
use lurcher_schema::{EventRef, Origin, Taxonomy};
use proptest::prelude::*;

use super::*;

fn place(time: i64, ordinal: u64) -> Place {
    let reference = EventRef { origin: Origin::new("x"), ordinal, record: ordinal };
    Place { time: Timestamp(time * 1_000_000), tiebreaker: Value::Null, reference }
}

fn key(text: &str) -> KeyTuple {
    [Value::text(text)].into()
}

fn input(filter: usize, levels: usize) -> CorrelationInput {
    let read = CorrelationRead { keys: vec![FieldRef::new(Taxonomy::Sigma, "User")], values: Vec::new() };
    CorrelationInput::Filter { filter, sources: Sources::Any, reads: vec![read; levels] }
}

fn correlation(inputs: usize, seconds: u64, condition: CorrelationCondition) -> Correlation {
    Correlation {
        inputs: (0..inputs).map(|filter| input(filter, 1)).collect(),
        keys: vec!["User".into()],
        span: Some(Duration::from_secs(seconds)),
        condition,
    }
}

fn measure(measure: Measure, comparison: Comparison, value: f64) -> CorrelationCondition {
    CorrelationCondition::Measure { measure, comparisons: vec![(comparison, value)] }
}

/// Hits of (time, input, key, value); the matches as `key: times`.
fn run(correlation: &Correlation, hits: &[(i64, usize, &str, &str)]) -> Vec<String> {
    let hits = hits.iter().enumerate().map(|(number, (time, leaf, user, value))| {
        let read = Read { keys: vec![key(user)], values: vec![key(value)] };
        CorrelationHit { place: place(*time, number as u64), leaf: *leaf, read: vec![read.clone(), read], event: *time }
    });
    correlate(correlation, hits.collect())
        .into_iter()
        .map(|run| {
            let times: Vec<String> = run.events.iter().map(|(_, event)| event.to_string()).collect();
            format!("{}: {}", run.key.first().map(ToString::to_string).unwrap_or_default(), times.join(" "))
        })
        .collect()
}

fn of_users<'a>(hits: &[(i64, &'a str)]) -> Vec<(i64, usize, &'a str, &'a str)> {
    hits.iter().map(|(time, user)| (*time, 0, *user, "v")).collect()
}

#[test]
fn what_goes_on_is_one_match_and_what_comes_again_another() {
    let three = correlation(1, 60, measure(Measure::Events, Comparison::GreaterOrEqual, 3.0));
    let hits: Vec<_> = [0, 10, 20, 30, 200, 300, 310, 320].map(|time| (time, "a")).into();
    assert_eq!(run(&three, &of_users(&hits)), ["a: 0 10 20 30", "a: 300 310 320"]);
}

#[test]
fn both_ends_of_a_window_count_and_keys_are_apart() {
    let two = correlation(1, 60, measure(Measure::Events, Comparison::GreaterOrEqual, 2.0));
    assert_eq!(run(&two, &of_users(&[(0, "a"), (60, "a"), (0, "b"), (61, "b")])), ["a: 0 60"]);
}

#[test]
fn upper_bounds_are_asked_of_whole_windows() {
    let few = correlation(1, 60, measure(Measure::Events, Comparison::LessOrEqual, 2.0));
    assert_eq!(run(&few, &of_users(&[(0, "a"), (1, "a"), (2, "a"), (500, "a")])), ["a: 500"]);
}

#[test]
fn values_are_counted_once_and_leave_with_their_events() {
    let two = correlation(1, 10, measure(Measure::Distinct, Comparison::GreaterOrEqual, 2.0));
    assert_eq!(run(&two, &[(0, 0, "a", "x"), (5, 0, "a", "x"), (11, 0, "a", "y")]), ["a: 5 11"]);
    assert!(run(&two, &[(0, 0, "a", "x"), (11, 0, "a", "y")]).is_empty());
}

#[test]
fn numbers_are_added_averaged_and_ranked() {
    let hits = [(0, 0, "a", "1"), (1, 0, "a", "2"), (2, 0, "a", "9"), (3, 0, "a", "none")];
    let finds = |of, value| !run(&correlation(1, 60, measure(of, Comparison::Equal, value)), &hits).is_empty();
    assert!(finds(Measure::Sum, 12.0) && finds(Measure::Average, 4.0));
    assert!(finds(Measure::Percentile(50.0), 2.0) && finds(Measure::Percentile(75.0), 5.5));
}

#[test]
fn inputs_occur_in_any_order_or_in_theirs() {
    let all = || Occurrence::All(vec![Occurrence::Input(0), Occurrence::Input(1)]);
    let any_order = correlation(2, 60, CorrelationCondition::Occur(all()));
    let ordered = correlation(2, 60, CorrelationCondition::OccurInOrder(all()));
    let (forth, back) = ([(0, 0, "a", ""), (5, 1, "a", "")], [(0, 1, "a", ""), (5, 0, "a", "")]);
    assert_eq!(run(&any_order, &forth), ["a: 0 5"]);
    assert_eq!(run(&any_order, &back), ["a: 0 5"]);
    assert_eq!(run(&ordered, &forth), ["a: 0 5"]);
    assert!(run(&ordered, &back).is_empty());
    // Of the same time either may be the first.
    assert_eq!(run(&ordered, &[(3, 1, "a", ""), (3, 0, "a", "")]), ["a: 3 3"]);
}

#[test]
fn what_must_not_occur_is_looked_for_in_the_whole_window() {
    let not = Occurrence::All(vec![Occurrence::Input(0), Occurrence::Not(Box::new(Occurrence::Input(1)))]);
    let lonely = correlation(2, 60, CorrelationCondition::Occur(not));
    assert_eq!(run(&lonely, &[(0, 0, "a", ""), (30, 1, "a", ""), (200, 0, "a", "")]), ["a: 200"]);
}

#[test]
fn matches_are_events_of_the_next_correlation() {
    let mut many = correlation(1, 60, measure(Measure::Events, Comparison::GreaterOrEqual, 3.0));
    many.inputs = vec![input(0, 2)];
    let both = Occurrence::All(vec![Occurrence::Input(0), Occurrence::Input(1)]);
    let mut then = correlation(2, 600, CorrelationCondition::OccurInOrder(both));
    then.inputs = vec![CorrelationInput::Correlation(Box::new(many)), input(1, 1)];
    let hits = [(0, 0, "a", ""), (1, 0, "a", ""), (2, 0, "a", ""), (100, 1, "a", ""), (3, 0, "b", ""), (9, 1, "b", "")];
    assert_eq!(run(&then, &hits), ["a: 0 1 2 100"]);
}

proptest! {
    /// Whatever the order in which hits come, the matches are the same; and counting by hand agrees.
    #[test]
    fn neither_order_nor_shortcuts_matter(
        hits in prop::collection::vec((0..40_i64, 0..2_usize, prop_oneof![Just("a"), Just("b")]), 0..25),
        least in 1..5_u32,
        seed in any::<u64>(),
    ) {
        let rule = correlation(2, 5, measure(Measure::Events, Comparison::GreaterOrEqual, f64::from(least)));
        let hits: Vec<_> = hits.into_iter().map(|(time, leaf, user)| (time, leaf, user, "")).collect();
        let mut mixed = hits.clone();
        let length = mixed.len().max(1);
        for at in 0..mixed.len() {
            mixed.swap(at, (seed as usize).wrapping_mul(at + 7) % length);
        }
        let mut sorted = run(&rule, &hits);
        sorted.sort();
        let mut other = run(&rule, &mixed);
        other.sort();
        prop_assert_eq!(&sorted, &other);
        for user in ["a", "b"] {
            let times: Vec<i64> = hits.iter().filter(|hit| hit.2 == user).map(|hit| hit.0).collect();
            let full = |from: &i64| times.iter().filter(|time| (*from..=from + 5).contains(*time)).count() >= least as usize;
            let found = sorted.iter().any(|line| line.starts_with(user));
            prop_assert_eq!(found, times.iter().any(full));
        }
    }
}
