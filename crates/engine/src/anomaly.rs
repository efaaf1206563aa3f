//! Judging a row by the rows before it: never seen, at the edge of the distribution, far from the mean, improbable.
//!
//! The models are those that the IR documents, one judge per stage. They see rows in order of time and remember
//! exactly; nothing is sketched or sampled. An entity's history counts as far back as the stage's window says, its older
//! end included. Source: Splunk's `first_time_event`, `adaptive_threshold` and `conditional_anomaly`, whose exact
//! numbers are not published.

use std::collections::VecDeque;

use lurcher_schema::Value;
use rustc_hash::{FxHashMap, FxHashSet};

/// Remembers tuples.
#[derive(Debug, Default)]
pub struct FirstSeen {
    seen: FxHashSet<Vec<Value>>,
}

impl FirstSeen {
    /// Whether this tuple comes for the first time.
    pub fn judge(&mut self, tuple: Vec<Value>) -> bool {
        self.seen.insert(tuple)
    }
}

/// Numbers of each entity within a window of time.
#[derive(Debug)]
struct Histories<H> {
    window: Option<i64>,
    entities: FxHashMap<Value, H>,
}

impl<H: Default> Histories<H> {
    fn new(window: Option<i64>) -> Self {
        Self { window, entities: FxHashMap::default() }
    }

    /// The entity's history, and the time before which it no longer counts.
    fn of(&mut self, entity: Value, time: Option<i64>) -> (&mut H, Option<i64>) {
        let horizon = self.window.zip(time).map(|(window, time)| time.saturating_sub(window));
        (self.entities.entry(entity).or_default(), horizon)
    }
}

/// The rank of a number among the entity's earlier ones.
#[derive(Debug)]
pub struct Quantile {
    threshold: f64,
    histories: Histories<Sorted>,
}

#[derive(Debug, Default)]
struct Sorted {
    arrived: VecDeque<(Option<i64>, f64)>,
    ascending: Vec<f64>,
}

impl Quantile {
    /// A model without history.
    pub fn new(window: Option<i64>, threshold: f64) -> Self {
        Self { threshold, histories: Histories::new(window) }
    }

    /// The share of earlier numbers that are not greater, and whether it lies outside `[threshold, 1 - threshold]`.
    /// Without earlier numbers: null and false. Without a number: null and null, and nothing is remembered.
    pub fn judge(&mut self, number: Option<f64>, entity: Value, time: Option<i64>) -> (Value, Value) {
        let Some(number) = number.filter(|number| number.is_finite()) else { return (Value::Null, Value::Null) };
        let (history, horizon) = self.histories.of(entity, time);
        while let Some((_, old)) = pop_older(&mut history.arrived, horizon) {
            let at = history.ascending.partition_point(|n| *n < old);
            history.ascending.remove(at.min(history.ascending.len().saturating_sub(1)));
        }
        let at = history.ascending.partition_point(|n| *n <= number);
        let judged = if history.ascending.is_empty() {
            (Value::Null, Value::Bool(false))
        } else {
            let share = at as f64 / history.ascending.len() as f64;
            (Value::Float(share), Value::Bool(share < self.threshold || share > 1.0 - self.threshold))
        };
        history.ascending.insert(at, number);
        history.arrived.push_back((time, number));
        judged
    }
}

/// The distance of a number from the mean of the entity's earlier ones.
#[derive(Debug)]
pub struct Gaussian {
    threshold: f64,
    histories: Histories<VecDeque<(Option<i64>, f64)>>,
}

/// What [`Gaussian`] says of a number.
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianJudgement {
    /// The mean of the earlier numbers; null of none.
    pub mean: Value,
    /// Their standard deviation (of all of them, not of a sample); null of none.
    pub stddev: Value,
    /// Whether the number is more than `threshold` standard deviations away; false with fewer than two earlier ones,
    /// null without a number.
    pub label: Value,
}

impl Gaussian {
    /// A model without history.
    pub fn new(window: Option<i64>, threshold: f64) -> Self {
        Self { threshold, histories: Histories::new(window) }
    }

    /// Judges a number and remembers it.
    pub fn judge(&mut self, number: Option<f64>, entity: Value, time: Option<i64>) -> GaussianJudgement {
        let Some(number) = number.filter(|number| number.is_finite()) else {
            return GaussianJudgement { mean: Value::Null, stddev: Value::Null, label: Value::Null };
        };
        let threshold = self.threshold;
        let (history, horizon) = self.histories.of(entity, time);
        while pop_older(history, horizon).is_some() {}
        let count = history.len() as f64;
        let judged = if history.is_empty() {
            GaussianJudgement { mean: Value::Null, stddev: Value::Null, label: Value::Bool(false) }
        } else {
            // Computed anew each time: running sums would drift as old numbers leave the window.
            let mean = history.iter().map(|(_, n)| n).sum::<f64>() / count;
            let stddev = (history.iter().map(|(_, n)| (n - mean).powi(2)).sum::<f64>() / count).sqrt();
            let label = history.len() > 1 && (number - mean).abs() > threshold * stddev;
            GaussianJudgement { mean: Value::Float(mean), stddev: Value::Float(stddev), label: Value::Bool(label) }
        };
        history.push_back((time, number));
        judged
    }
}

/// Takes out the oldest entry if it is from before the horizon.
fn pop_older(history: &mut VecDeque<(Option<i64>, f64)>, horizon: Option<i64>) -> Option<(Option<i64>, f64)> {
    let (time, _) = history.front()?;
    if (*time)? < horizon? { history.pop_front() } else { None }
}

/// How often a target goes with a condition.
#[derive(Debug, Default)]
pub struct Conditional {
    conditions: FxHashMap<Value, u64>,
    pairs: FxHashMap<(Value, Value), u64>,
}

impl Conditional {
    /// The share of rows so far, this one included, with this condition that also have this target.
    pub fn judge(&mut self, condition: Value, target: Value) -> f64 {
        let all = self.conditions.entry(condition.clone()).or_default();
        *all += 1;
        let both = self.pairs.entry((condition, target)).or_default();
        *both += 1;
        *both as f64 / *all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tuple_is_new_once_and_null_is_a_value() {
        let mut model = FirstSeen::default();
        assert!(model.judge(vec!["a".into(), Value::Null]));
        assert!(model.judge(vec!["a".into(), "".into()]));
        assert!(!model.judge(vec!["a".into(), Value::Null]));
    }

    #[test]
    fn a_quantile_is_the_share_of_earlier_numbers_that_are_not_greater() {
        let mut model = Quantile::new(Some(100), 0.1);
        let mut judge = |number: f64, time| model.judge(Some(number), "e".into(), Some(time));
        assert_eq!(judge(5.0, 0), (Value::Null, false.into()));
        assert_eq!(judge(5.0, 10), (Value::Float(1.0), true.into()));
        assert_eq!(judge(7.0, 20), (Value::Float(1.0), true.into()));
        assert_eq!(judge(6.0, 30), (Value::Float(2.0 / 3.0), false.into()));
        assert_eq!(judge(1.0, 40), (Value::Float(0.0), true.into()));
        // At 111 what came at 0 and 10 has left the window: 7, 6 and 1 remain.
        assert_eq!(judge(6.5, 111), (Value::Float(2.0 / 3.0), false.into()));
        assert_eq!(model.judge(None, "e".into(), Some(112)), (Value::Null, Value::Null));
        assert_eq!(model.judge(Some(1.0), "other".into(), Some(113)), (Value::Null, false.into()));
    }

    #[test]
    fn a_number_far_from_the_mean_is_an_outlier_once_there_is_a_history() {
        let mut model = Gaussian::new(None, 2.0);
        let mut judge = |number: f64| model.judge(Some(number), Value::Null, Some(0));
        assert_eq!(judge(10.0).mean, Value::Null);
        assert_eq!(
            judge(12.0),
            GaussianJudgement { mean: Value::Float(10.0), stddev: Value::Float(0.0), label: false.into() }
        );
        assert_eq!(
            judge(12.5),
            GaussianJudgement { mean: Value::Float(11.0), stddev: Value::Float(1.0), label: false.into() }
        );
        assert_eq!(judge(99.0).label, true.into());
    }

    #[test]
    fn a_conditional_share_counts_the_row_itself() {
        let mut model = Conditional::default();
        let shares: Vec<f64> = ["x", "x", "y", "x"].map(|target| model.judge("c".into(), target.into())).into();
        assert_eq!(shares, [1.0, 1.0, 1.0 / 3.0, 0.75]);
    }
}
