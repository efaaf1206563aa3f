//! Aggregates, one value after the other: every [`Aggregate`] as the IR documents it.
//!
//! For what a relational engine has no operator for, and for aggregates over the rows so far. Values come in the order of
//! rows.

use std::cmp::Ordering;

use lurcher_ir::{Aggregate, Collect, CollectOrder, PercentileMethod};
use lurcher_schema::Value;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    eval::{FractionSum, Number, read_number},
    sequence::compare_tiebreakers,
};

/// One aggregate of one group, as far as its rows have come.
#[derive(Clone, Debug)]
pub struct Accumulator {
    function: Aggregate,
    elements: bool,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Count(u64),
    Distinct(FxHashSet<Value>),
    Sum(Sum),
    Extremes(Extremes),
    /// Numbers and what goes with them: a weight or a time.
    Pairs(Vec<(f64, f64)>),
    Numbers(Vec<Number>),
    Values(Vec<Value>),
    /// Values and what stands for them in the result; null: they themselves.
    Ranked(Vec<(Value, Value)>),
    /// The value that is chosen so far, and by what.
    Chosen(Option<(Value, Value)>),
}

/// A sum that stays whole as long as it can.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    whole: i64,
    float: FractionSum,
    is_float: bool,
    count: u64,
}

impl Sum {
    fn add(&mut self, number: Number) {
        self.count += 1;
        self.float.add(number.as_f64());
        match number {
            Number::Int(number) if !self.is_float => match self.whole.checked_add(number) {
                Some(sum) => self.whole = sum,
                None => self.is_float = true,
            },
            _ => self.is_float = true,
        }
    }

    fn value(self) -> Value {
        match (self.count, self.is_float) {
            (0, _) => Value::Null,
            (_, true) => finite(self.float.value()),
            (_, false) => Value::Int(self.whole),
        }
    }
}

/// Least and greatest, as numbers and as values.
#[derive(Clone, Debug, Default)]
struct Extremes {
    /// The least and greatest number, of all values that are or read as one.
    numbers: Option<(Number, Number)>,
    /// The least and greatest value.
    values: Option<(Value, Value)>,
    /// Some value is a number, not only reads as one.
    typed: bool,
    /// Some value does not read as a number.
    other: bool,
}

impl Extremes {
    fn add(&mut self, value: &Value) {
        self.typed |= Number::of(value).is_some();
        match number(value) {
            None => self.other = true,
            Some(new) => {
                let less = |a: Number, b: Number| a.compare(b) == Some(Ordering::Less);
                let (least, greatest) = self.numbers.unwrap_or((new, new));
                let pair =
                    (if less(new, least) { new } else { least }, if less(greatest, new) { new } else { greatest });
                self.numbers = Some(pair);
            }
        }
        match &mut self.values {
            None => self.values = Some((value.clone(), value.clone())),
            Some((least, greatest)) => {
                if compare_values(value, least).is_lt() {
                    *least = value.clone();
                }
                if compare_values(greatest, value).is_lt() {
                    *greatest = value.clone();
                }
            }
        }
    }

    fn value(&self, loose: bool, greatest: bool) -> Value {
        if !self.other && (self.typed || loose) {
            let number = self.numbers.map(|(a, b)| if greatest { b } else { a });
            return number.and_then(Number::into_value).unwrap_or_default();
        }
        let value = self.values.as_ref().map(|(a, b)| if greatest { b } else { a });
        value.cloned().unwrap_or_default()
    }
}

/// The order of values: numbers by size, texts byte by byte, booleans, then lists and objects by their text forms, null.
pub fn compare_values(a: &Value, b: &Value) -> Ordering {
    compare_tiebreakers(a, b)
}

/// The number that a value is or reads as.
fn number(value: &Value) -> Option<Number> {
    match value {
        Value::Text(text) => read_number(text.trim()),
        _ => Number::of(value),
    }
}

fn finite(number: f64) -> Value {
    Number::Float(number).into_value().unwrap_or_default()
}

impl Accumulator {
    /// The aggregate of no rows. `elements`: a list in the first argument counts as each of its values.
    pub fn new(function: Aggregate, elements: bool) -> Self {
        use Aggregate as A;
        let state = match function {
            A::Count | A::Present | A::Absent => State::Count(0),
            A::CountDistinct => State::Distinct(FxHashSet::default()),
            A::Sum | A::SumOfSquares | A::Average => State::Sum(Sum::default()),
            A::Min | A::Max | A::LooseMin | A::LooseMax => State::Extremes(Extremes::default()),
            A::WeightedAverage | A::Rate => State::Pairs(Vec::new()),
            A::Range
            | A::LinearAverage
            | A::SmoothedAverage { .. }
            | A::Percentile { .. }
            | A::Variance { .. }
            | A::StandardDeviation { .. }
            | A::MedianAbsoluteDeviation => State::Numbers(Vec::new()),
            A::Mode | A::Collect(_) => State::Values(Vec::new()),
            A::Top { .. } => State::Ranked(Vec::new()),
            A::First | A::Last | A::Earliest | A::Latest => State::Chosen(None),
        };
        Self { function, elements, state }
    }

    /// Takes the arguments of one row; none at all counts the row.
    pub fn push(&mut self, arguments: &[&Value]) {
        let second = arguments.get(1).copied();
        match arguments.first() {
            None => {
                if let State::Count(count) = &mut self.state {
                    *count += 1;
                }
            }
            Some(value) if self.elements => value.elements().for_each(|value| self.add(value, second)),
            Some(value) => self.add(value, second),
        }
    }

    fn add(&mut self, value: &Value, second: Option<&Value>) {
        if value.is_null() {
            return;
        }
        match &mut self.state {
            State::Count(count) => *count += 1,
            State::Distinct(seen) => {
                if !seen.contains(value) {
                    seen.insert(value.clone());
                }
            }
            State::Sum(sum) => {
                let Some(number) = number(value) else { return };
                sum.add(match (self.function, number) {
                    (Aggregate::SumOfSquares, Number::Int(number)) => {
                        number.checked_mul(number).map_or(Number::Float((number as f64).powi(2)), Number::Int)
                    }
                    (Aggregate::SumOfSquares, Number::Float(number)) => Number::Float(number * number),
                    (_, number) => number,
                });
            }
            State::Extremes(extremes) => extremes.add(value),
            State::Pairs(pairs) => {
                if let (Some(number), Some(second)) = (self::number(value), second.and_then(self::number)) {
                    pairs.push((number.as_f64(), second.as_f64()));
                }
            }
            State::Numbers(numbers) => numbers.extend(number(value)),
            State::Values(values) => match self.function {
                // What is one value in a row may hold several to be collected.
                Aggregate::Collect(_) => values.extend(value.elements().cloned()),
                _ => values.push(value.clone()),
            },
            State::Ranked(ranked) => match second {
                Some(outputs) => ranked.extend(outputs.elements().map(|output| (value.clone(), output.clone()))),
                None => ranked.push((value.clone(), Value::Null)),
            },
            State::Chosen(chosen) => choose(self.function, chosen, value, second),
        }
    }

    /// The aggregate of the rows so far.
    pub fn value(&self) -> Value {
        use Aggregate as A;
        match (&self.state, self.function) {
            (State::Count(count), A::Present) => Value::Bool(*count > 0),
            (State::Count(count), A::Absent) => Value::Bool(*count == 0),
            (State::Count(count), _) => Value::Int(*count as i64),
            (State::Distinct(seen), _) => Value::Int(seen.len() as i64),
            (State::Sum(sum), A::Average) if sum.count == 0 => Value::Null,
            (State::Sum(sum), A::Average) => finite(sum.float.value() / sum.count as f64),
            (State::Sum(sum), _) => sum.value(),
            (State::Extremes(extremes), function) => {
                extremes.value(matches!(function, A::LooseMin | A::LooseMax), matches!(function, A::Max | A::LooseMax))
            }
            (State::Pairs(pairs), A::Rate) => rate(pairs),
            (State::Pairs(pairs), _) => {
                let weights: f64 = pairs.iter().map(|(_, weight)| weight).sum();
                let total: f64 = pairs.iter().map(|(value, weight)| value * weight).sum();
                if weights == 0.0 { Value::Null } else { finite(total / weights) }
            }
            (State::Numbers(numbers), function) => of_numbers(function, numbers),
            (State::Values(values), function) => of_values(function, values),
            (State::Ranked(ranked), function) => top(function, ranked),
            (State::Chosen(chosen), _) => chosen.as_ref().map(|(value, _)| value.clone()).unwrap_or_default(),
        }
    }

    /// The aggregate of rows, each with its arguments.
    pub fn over<'v>(function: Aggregate, elements: bool, rows: impl IntoIterator<Item = Vec<&'v Value>>) -> Value {
        let mut accumulator = Self::new(function, elements);
        rows.into_iter().for_each(|arguments| accumulator.push(&arguments));
        accumulator.value()
    }
}

fn choose(function: Aggregate, chosen: &mut Option<(Value, Value)>, value: &Value, by: Option<&Value>) {
    let by = by.unwrap_or(&Value::Null);
    if matches!(function, Aggregate::Earliest | Aggregate::Latest) && by.is_null() {
        return;
    }
    let better = match (&*chosen, function) {
        (None, _) | (_, Aggregate::Last) => true,
        (Some((_, best)), Aggregate::Earliest) => compare_values(by, best).is_lt(),
        (Some((_, best)), Aggregate::Latest) => compare_values(by, best).is_ge(),
        _ => false,
    };
    if better {
        *chosen = Some((value.clone(), by.clone()));
    }
}

/// The value at the greatest time less that at the least, over the distance of the times.
fn rate(pairs: &[(f64, f64)]) -> Value {
    let first = pairs.iter().copied().reduce(|a, b| if b.1 < a.1 { b } else { a });
    let last = pairs.iter().copied().reduce(|a, b| if b.1 >= a.1 { b } else { a });
    match first.zip(last) {
        Some((first, last)) if last.1 > first.1 => finite((last.0 - first.0) / (last.1 - first.1)),
        _ => Value::Null,
    }
}

fn of_numbers(function: Aggregate, numbers: &[Number]) -> Value {
    let mut sorted: Vec<Number> = numbers.to_vec();
    sorted.sort_by(|a, b| a.compare(*b).unwrap_or(Ordering::Equal));
    let (Some(least), Some(greatest)) = (sorted.first(), sorted.last()) else { return Value::Null };
    match function {
        Aggregate::LinearAverage => {
            let weighed = numbers.iter().zip(1..).map(|(number, weight)| number.as_f64() * f64::from(weight));
            let weights = (numbers.len() * (numbers.len() + 1)) as f64 / 2.0;
            finite(weighed.sum::<f64>() / weights)
        }
        Aggregate::SmoothedAverage { period } => {
            let share = 2.0 / (f64::from(period) + 1.0);
            let smoothed = numbers.iter().map(|number| number.as_f64());
            smoothed.reduce(|mean, number| share * number + (1.0 - share) * mean).map_or(Value::Null, finite)
        }
        Aggregate::Range => match (greatest, least) {
            (Number::Int(greatest), Number::Int(least)) if greatest.checked_sub(*least).is_some() => {
                Value::Int(greatest - least)
            }
            _ => finite(greatest.as_f64() - least.as_f64()),
        },
        Aggregate::Percentile { percent, method } => percentile(&sorted, percent, method),
        Aggregate::MedianAbsoluteDeviation => {
            let floats: Vec<f64> = sorted.iter().map(|number| number.as_f64()).collect();
            let middle = interpolated(&floats, 50.0);
            let mut distances: Vec<f64> = floats.iter().map(|number| (number - middle).abs()).collect();
            distances.sort_by(f64::total_cmp);
            finite(interpolated(&distances, 50.0))
        }
        Aggregate::Variance { sample } => finite(variance(numbers, sample)),
        Aggregate::StandardDeviation { sample } => finite(variance(numbers, sample).sqrt()),
        _ => Value::Null,
    }
}

/// In two passes: the mean, then the distances from it.
fn variance(numbers: &[Number], sample: bool) -> f64 {
    let count = numbers.len() as f64;
    let mean = numbers.iter().map(|number| number.as_f64()).sum::<f64>() / count;
    let squares: f64 = numbers.iter().map(|number| (number.as_f64() - mean).powi(2)).sum();
    match (sample, numbers.len()) {
        (_, 1) => 0.0,
        (true, _) => squares / (count - 1.0),
        (false, _) => squares / count,
    }
}

fn percentile(sorted: &[Number], percent: f64, method: PercentileMethod) -> Value {
    match method {
        PercentileMethod::Nearest => {
            let rank = (percent.clamp(0.0, 100.0) / 100.0 * sorted.len() as f64).ceil() as usize;
            sorted.get(rank.max(1) - 1).and_then(|number| number.into_value()).unwrap_or_default()
        }
        PercentileMethod::Interpolated => {
            let floats: Vec<f64> = sorted.iter().map(|number| number.as_f64()).collect();
            finite(interpolated(&floats, percent))
        }
    }
}

/// The percentile of ascending numbers; not a number of none.
fn interpolated(sorted: &[f64], percent: f64) -> f64 {
    let place = percent.clamp(0.0, 100.0) / 100.0 * sorted.len().saturating_sub(1) as f64;
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(f64::NAN);
    let (low, high) = (at(place.floor()), at(place.ceil()));
    low + (high - low) * place.fract()
}

fn of_values(function: Aggregate, values: &[Value]) -> Value {
    match function {
        Aggregate::Mode => {
            let mut counts: FxHashMap<&Value, usize> = FxHashMap::default();
            for value in values {
                *counts.entry(value).or_default() += 1;
            }
            let most = counts.values().copied().max();
            let mode = values.iter().find(|value| counts.get(value).copied() == most);
            mode.cloned().unwrap_or_default()
        }
        Aggregate::Collect(collect) => collected(collect, values),
        _ => Value::Null,
    }
}

/// The first of the values in order, or what stands for them.
fn top(function: Aggregate, ranked: &[(Value, Value)]) -> Value {
    let Aggregate::Top { count, ascending } = function else { return Value::Null };
    let mut sorted: Vec<&(Value, Value)> = ranked.iter().collect();
    sorted.sort_by(|a, b| {
        let (first, second) = if ascending { (a, b) } else { (b, a) };
        compare_values(&first.0, &second.0).then_with(|| compare_values(&first.1, &second.1))
    });
    sorted.truncate(count as usize);
    lone(sorted.into_iter().map(|(value, output)| if output.is_null() { value } else { output }).cloned().collect())
}

fn collected(collect: Collect, values: &[Value]) -> Value {
    let mut kept: Vec<(String, &Value)> = Vec::new();
    let mut seen: FxHashSet<String> = FxHashSet::default();
    let texts = collect.distinct || collect.order == CollectOrder::Text;
    for value in values {
        let text = if texts { value.to_string() } else { String::new() };
        if !collect.distinct || seen.insert(text.clone()) {
            kept.push((text, value));
        }
    }
    match collect.order {
        CollectOrder::Rows => {}
        CollectOrder::Text => kept.sort_by(|(a, _), (b, _)| a.cmp(b)),
        CollectOrder::Value => kept.sort_by(|(_, a), (_, b)| compare_values(a, b)),
    }
    kept.truncate(collect.limit.map_or(usize::MAX, |limit| limit as usize));
    let kept = kept.into_iter().map(|(_, value)| value.clone());
    if collect.lone { lone(kept.collect()) } else { Value::list(kept) }
}

/// Nothing as null, a lone value as itself, several as a list.
pub(super) fn lone(mut values: Vec<Value>) -> Value {
    match values.len() {
        0 => Value::Null,
        1 => values.pop().unwrap_or_default(),
        _ => Value::list(values),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn over(function: Aggregate, values: &serde_json::Value) -> serde_json::Value {
        let rows: Vec<Vec<Value>> = values
            .as_array()
            .unwrap()
            .iter()
            .map(|row| match row {
                serde_json::Value::Array(pair) => pair.iter().map(Value::from_json).collect(),
                single => vec![Value::from_json(single)],
            })
            .collect();
        Accumulator::over(function, false, rows.iter().map(|row| row.iter().collect())).to_json()
    }

    #[test]
    fn numbers_are_aggregated_as_numbers_whatever_their_type() {
        use Aggregate as A;
        let values = json!([2, "4", 4, null, "x", 5, 5, 7, 9, 4]);
        assert_eq!(over(A::Count, &values), json!(9));
        assert_eq!(over(A::CountDistinct, &values), json!(7));
        assert_eq!(over(A::Sum, &values), json!(40));
        assert_eq!(over(A::Average, &values), json!(5.0));
        assert_eq!(over(A::SumOfSquares, &json!([3, "4"])), json!(25));
        assert_eq!(over(A::Range, &values), json!(7));
        assert_eq!(over(A::Variance { sample: false }, &values), json!(4.0));
        assert_eq!(over(A::StandardDeviation { sample: false }, &values), json!(2.0));
        assert_eq!(over(A::Variance { sample: true }, &json!([1, 2, 3])), json!(1.0));
        assert_eq!(over(A::StandardDeviation { sample: true }, &json!([3])), json!(0.0));
        assert_eq!(over(A::Mode, &json!(["b", "a", "b", "a", null])), json!("b"));
        assert_eq!(over(A::Rate, &json!([[10, 100], [40, 110], [25, 105]])), json!(3.0));
        assert_eq!(over(A::Rate, &json!([[10, 100]])), json!(null));
        assert_eq!(over(A::LinearAverage, &json!([1, 2, "6"])), json!(23.0 / 6.0));
        assert_eq!(over(A::SmoothedAverage { period: 3 }, &json!([2, 4, 8])), json!(5.5));
        assert_eq!(over(A::WeightedAverage, &json!([[1, 1], [4, 2], ["7", null]])), json!(3.0));
    }

    #[test]
    fn percentiles_are_one_of_the_values_or_between_two() {
        let percentile = |percent, method| Aggregate::Percentile { percent, method };
        let values = json!([15, 20, 35, 40, 50]);
        for (percent, expected) in [(0.0, 15), (5.0, 15), (30.0, 20), (40.0, 20), (50.0, 35), (100.0, 50)] {
            assert_eq!(over(percentile(percent, PercentileMethod::Nearest), &values), json!(expected));
        }
        assert_eq!(over(percentile(40.0, PercentileMethod::Interpolated), &values), json!(29.0));
        assert_eq!(over(Aggregate::MEDIAN, &json!([4, 1, 3, 2])), json!(2.5));
        assert_eq!(over(Aggregate::MedianAbsoluteDeviation, &json!([1, 1, 2, 2, 4, 6, 9])), json!(1.0));
    }

    #[test]
    fn least_and_greatest_take_texts_for_numbers_where_the_language_does() {
        use Aggregate as A;
        assert_eq!(over(A::Min, &json!(["10", "9"])), json!("10"));
        assert_eq!(over(A::LooseMin, &json!(["10", "9"])), json!(9));
        assert_eq!(over(A::Max, &json!(["10", 9])), json!(10));
        assert_eq!(over(A::LooseMax, &json!(["10", "9", "x"])), json!("x"));
        assert_eq!(over(A::Min, &json!(["x", 9])), json!(9));
    }

    #[test]
    fn values_are_collected_in_the_order_that_is_asked_for() {
        let values = json!(["b", 10, "a", 9, "b", null]);
        let collect = |distinct, order, limit, lone| Aggregate::Collect(Collect { distinct, order, limit, lone });
        assert_eq!(over(Aggregate::VALUES, &values), json!([10, 9, "a", "b"]));
        assert_eq!(over(Aggregate::LIST, &values), json!(["b", 10, "a", 9, "b"]));
        assert_eq!(over(collect(true, CollectOrder::Rows, Some(3), true), &values), json!(["b", 10, "a"]));
        assert_eq!(over(collect(true, CollectOrder::Value, None, true), &values), json!([9, 10, "a", "b"]));
        assert_eq!(over(collect(true, CollectOrder::Text, None, true), &json!(["b", "b"])), json!("b"));
        assert_eq!(over(Aggregate::Top { count: 2, ascending: false }, &json!([1, 3, 3, 2])), json!([3, 3]));
        assert_eq!(over(Aggregate::Top { count: 1, ascending: true }, &json!([2, 1])), json!(1));
    }

    #[test]
    fn what_goes_with_the_greatest_values_stands_for_them() {
        let top = |count, ascending, values| over(Aggregate::Top { count, ascending }, &values);
        let rows = json!([[1, "a"], [3, "c"], [3, "b"], [null, "d"], [2, null], [5, ["x", "y"]]]);
        assert_eq!(top(4, false, rows.clone()), json!(["y", "x", "c", "b"]));
        assert_eq!(top(9, true, rows), json!(["a", "b", "c", "x", "y"]));
        assert_eq!(top(1, true, json!([[1, null]])), json!(null));
    }

    #[test]
    fn first_and_last_go_by_rows_earliest_and_latest_by_what_they_are_given() {
        let values = json!([[null, 0], ["b", 5], ["a", 1], ["c", 9], ["d", 9], ["e", null]]);
        assert_eq!(over(Aggregate::First, &values), json!("b"));
        assert_eq!(over(Aggregate::Last, &values), json!("e"));
        assert_eq!(over(Aggregate::Earliest, &values), json!("a"));
        assert_eq!(over(Aggregate::Latest, &values), json!("d"));
    }

    #[test]
    fn of_none_a_count_is_zero_and_the_rest_null() {
        use Aggregate as A;
        assert_eq!(over(A::Count, &json!([null])), json!(0));
        assert_eq!(over(A::Present, &json!([])), json!(false));
        assert_eq!(over(A::Absent, &json!([null])), json!(true));
        let rest = [A::Sum, A::Average, A::Min, A::MEDIAN, A::Mode, A::First, A::Variance { sample: true }, A::Rate];
        for function in rest {
            assert_eq!(over(function, &json!([null])), json!(null), "{function}");
        }
    }

    #[test]
    fn a_list_is_one_value_or_each_of_its_values() {
        let list = Value::list([1.into(), 2.into()]);
        let count = |elements| Accumulator::over(Aggregate::Count, elements, [vec![&list], vec![&Value::Null]]);
        assert_eq!((count(false), count(true)), (Value::Int(1), Value::Int(2)));
    }
}
