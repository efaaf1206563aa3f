//! Aggregates over the rows so far.

use std::{collections::VecDeque, sync::Arc};

use lurcher_ir::Running;
use lurcher_schema::Value;
use rustc_hash::FxHashMap;

use super::{
    Accumulator,
    expression::StageExpr,
    grouping::{AggregatePlan, GroupPlan},
    row::PipelineRow,
    stateful::{Seat, whole},
};

/// See [`Running`].
#[derive(Debug)]
pub(crate) struct RunningPlan {
    pub(super) by: GroupPlan,
    pub(super) aggregates: Vec<AggregatePlan>,
    pub(super) span: Option<(StageExpr, i64)>,
    pub(super) reset_before: Option<StageExpr>,
    pub(super) reset_after: Option<StageExpr>,
    pub(super) words: Running,
}

/// What a group remembers.
struct History {
    /// Without a window: the aggregates so far.
    totals: Vec<Accumulator>,
    /// With a window: the rows that may still count.
    rows: VecDeque<Remembered>,
}

struct Remembered {
    /// Its number among all rows that count.
    number: u64,
    time: Option<i64>,
    /// For each aggregate the arguments; none if a filter keeps the row out.
    arguments: Vec<Option<Vec<Value>>>,
}

impl RunningPlan {
    /// Sets the aggregates in every row, in the order in which rows stand.
    pub(super) fn apply(&self, rows: &mut [PipelineRow], seat: &mut Seat<'_>) {
        let mut histories: FxHashMap<Vec<Value>, History> = FxHashMap::default();
        let mut previous: Option<Vec<Value>> = None;
        let mut number = 0;
        for row in rows {
            let keys: Vec<Value> = self.by.keys.iter().map(|(_, key)| seat.value(row, key)).collect();
            let resets = |expr: &Option<StageExpr>, row: &PipelineRow, seat: &mut Seat<'_>| {
                expr.as_ref().is_some_and(|expr| seat.value(row, expr) == Value::Bool(true))
            };
            let changed = self.words.reset_on_change && previous.as_ref().is_some_and(|previous| *previous != keys);
            if changed || resets(&self.reset_before, row, seat) {
                histories.clear();
            }
            previous = Some(keys.clone());
            match self.by.tuples(&keys, &mut 0).into_iter().next() {
                None => self.set(row, Vec::new()),
                Some(keys) => {
                    let time = self.span.as_ref().and_then(|(time, _)| whole(&seat.value(row, time)));
                    let arguments = self.aggregates.iter().map(|plan| plan.arguments(row, seat)).collect();
                    let history = histories.entry(keys).or_insert_with(|| self.history());
                    let values = self.judge(history, Remembered { number, time, arguments });
                    number += 1;
                    self.set(row, values);
                }
            }
            if resets(&self.reset_after, row, seat) {
                histories.clear();
            }
        }
    }

    fn history(&self) -> History {
        History { totals: self.accumulators(), rows: VecDeque::new() }
    }

    fn accumulators(&self) -> Vec<Accumulator> {
        self.aggregates.iter().map(|plan| Accumulator::new(plan.function, plan.elements)).collect()
    }

    fn set(&self, row: &mut PipelineRow, values: Vec<Value>) {
        let values = values.into_iter().chain(std::iter::repeat(Value::Null));
        for (plan, value) in self.aggregates.iter().zip(values) {
            row.columns.insert(Arc::clone(&plan.name), value);
        }
    }

    /// The aggregates for a row, and remembers it.
    fn judge(&self, history: &mut History, row: Remembered) -> Vec<Value> {
        let values = |totals: &[Accumulator]| totals.iter().map(Accumulator::value).collect();
        if self.words.window.is_none() && self.span.is_none() {
            if self.words.current {
                push(&mut history.totals, &row);
                return values(&history.totals);
            }
            let before = values(&history.totals);
            push(&mut history.totals, &row);
            return before;
        }
        let (number, time) = (row.number, row.time);
        if self.words.current {
            history.rows.push_back(row);
            self.forget(history, number + 1, time);
            return values(&self.total(history, time));
        }
        self.forget(history, number, time);
        let before = values(&self.total(history, time));
        history.rows.push_back(row);
        before
    }

    /// Forgets the rows that no longer count before the row of this number.
    fn forget(&self, history: &mut History, number: u64, time: Option<i64>) {
        if let Some(most) = self.words.window {
            while history.rows.front().is_some_and(|oldest| {
                let too_many = history.rows.len() as u64 > most;
                if self.words.global { oldest.number + most < number } else { too_many }
            }) {
                history.rows.pop_front();
            }
        }
        // Rows need not stand in order of time: only what lies too far back and in front goes here.
        if let (Some((_, span)), Some(time)) = (&self.span, time) {
            let old = |row: &Remembered| row.time.is_none_or(|then| then.saturating_sub(time).saturating_abs() > *span);
            while history.rows.front().is_some_and(old) {
                history.rows.pop_front();
            }
        }
    }

    fn total(&self, history: &History, time: Option<i64>) -> Vec<Accumulator> {
        let mut totals = self.accumulators();
        for row in &history.rows {
            let near = self.span.as_ref().is_none_or(|(_, span)| {
                row.time.zip(time).is_some_and(|(a, b)| a.saturating_sub(b).saturating_abs() <= *span)
            });
            if near {
                push(&mut totals, row);
            }
        }
        totals
    }
}

fn push(totals: &mut [Accumulator], row: &Remembered) {
    for (total, arguments) in totals.iter_mut().zip(&row.arguments) {
        if let Some(arguments) = arguments {
            total.push(&arguments.iter().collect::<Vec<_>>());
        }
    }
}
