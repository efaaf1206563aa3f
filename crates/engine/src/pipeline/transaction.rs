//! Groups of rows that belong together in time. The rules are those of [`lurcher_ir::Transaction`].
//!
//! Source: the documentation of Splunk's `transaction`, which sees events from the latest to the earliest; that is why
//! here, too, the last row opens a group and the first one completes it.

use std::sync::Arc;

use lurcher_ir::Aggregate;
use lurcher_schema::{Object, Timestamp, Value};

use super::{
    Accumulator,
    accumulate::lone,
    distinct_events,
    expression::StageExpr,
    plan::TransactionPlan,
    row::{PipelineRow, RowPlace},
    stateful::{Seat, whole},
};

/// A group whose rows are still coming, from the last to the first.
struct Open {
    /// The values that the keys have so far; null where no row had one.
    keys: Vec<Value>,
    rows: Vec<(i64, PipelineRow)>,
}

impl Open {
    fn first(&self) -> i64 {
        self.rows.last().map_or(0, |(time, _)| *time)
    }

    fn last(&self) -> i64 {
        self.rows.first().map_or(0, |(time, _)| *time)
    }
}

impl TransactionPlan {
    pub(super) fn apply(&self, rows: Vec<PipelineRow>, seat: &mut Seat<'_>) -> Vec<PipelineRow> {
        let mut timed: Vec<(i64, PipelineRow)> = Vec::new();
        for row in rows {
            let time = match &self.time {
                Some(time) => whole(&seat.value(&row, time)),
                None => row.place.time.map(Timestamp::millis),
            };
            timed.extend(time.map(|time| (time, row)));
        }
        timed.sort_by_key(|(time, _)| *time);
        let mut open: Vec<Open> = Vec::new();
        let mut done: Vec<(Open, bool)> = Vec::new();
        for (time, row) in timed.into_iter().rev() {
            self.take(time, row, &mut open, &mut done, seat);
        }
        done.extend(open.into_iter().map(|group| (group, self.is_open_ended())));
        let mut made: Vec<(i64, PipelineRow)> = done
            .into_iter()
            .filter(|(_, complete)| *complete || self.words.keep_incomplete)
            .map(|(group, complete)| (group.first(), self.row(group, complete)))
            .collect();
        made.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.place.compare_times(&y.place)));
        made.into_iter().map(|(_, row)| row).collect()
    }

    /// Whether a group needs no first row of its own to be complete.
    fn is_open_ended(&self) -> bool {
        self.words.starts.is_none()
    }

    fn take(
        &self,
        time: i64,
        row: PipelineRow,
        open: &mut Vec<Open>,
        done: &mut Vec<(Open, bool)>,
        seat: &mut Seat<'_>,
    ) {
        let keys: Vec<Value> = self.keys.iter().map(|(_, key)| seat.value(&row, key)).collect();
        if !keys.is_empty() && keys.iter().all(Value::is_missing) {
            return;
        }
        let fits = |group: &Open| {
            let mut shared = keys.is_empty();
            let agree = group.keys.iter().zip(&keys).all(|(known, new)| {
                shared |= !known.is_missing() && !new.is_missing();
                known.is_missing() || new.is_missing() || known == new
            });
            agree && shared
        };
        let holds = |expr: &Option<StageExpr>, row: &PipelineRow, seat: &mut Seat<'_>| {
            expr.as_ref().is_some_and(|expr| seat.value(row, expr) == Value::Bool(true))
        };
        // The group that was opened last is the one whose rows are nearest in time.
        let mut found = open.iter().rposition(fits);
        if let Some(group) = found.and_then(|place| open.get(place)) {
            let ends = holds(&self.ends, &row, seat);
            let too_long = self.max_span.is_some_and(|span| group.last() - time > span)
                || self.max_pause.is_some_and(|pause| group.first() - time > pause)
                || self.words.max_events.is_some_and(|most| group.rows.len() as u64 >= most);
            if ends || too_long {
                let complete = too_long || self.is_open_ended();
                done.extend(found.map(|place| (open.remove(place), complete)));
                found = None;
            }
        }
        if found.is_none() && self.ends.is_some() && !holds(&self.ends, &row, seat) {
            return;
        }
        let starts = holds(&self.starts, &row, seat);
        let place = found.unwrap_or_else(|| {
            open.push(Open { keys: keys.clone(), rows: Vec::new() });
            open.len() - 1
        });
        if let Some(group) = open.get_mut(place) {
            for (known, new) in group.keys.iter_mut().zip(keys) {
                if known.is_missing() {
                    *known = new;
                }
            }
            group.rows.push((time, row));
        }
        if starts {
            done.push((open.remove(place), true));
        }
    }

    /// The row that a group becomes.
    fn row(&self, mut group: Open, complete: bool) -> PipelineRow {
        group.rows.reverse();
        let mut columns: Object =
            self.keys.iter().map(|(name, _)| Arc::clone(name)).zip(group.keys.iter().cloned()).collect();
        let mut names: Vec<Arc<str>> = Vec::new();
        for (name, _) in group.rows.iter().flat_map(|(_, row)| row.columns.iter()) {
            if columns.get(name).is_none() && !names.contains(name) {
                names.push(Arc::clone(name));
            }
        }
        for name in names {
            let values = group.rows.iter().filter_map(|(_, row)| row.columns.get(&name));
            let function = if self.words.lists { Aggregate::LIST } else { Aggregate::VALUES };
            let list = Accumulator::over(function, true, values.map(|value| vec![value]));
            columns.insert(name, lone(list.elements().cloned().collect()));
        }
        let (first, last) = (group.rows.first().map_or(0, |(t, _)| *t), group.rows.last().map_or(0, |(t, _)| *t));
        let duration = last.saturating_sub(first);
        let seconds =
            if duration % 1000 == 0 { Value::Int(duration / 1000) } else { Value::Float(duration as f64 / 1e3) };
        columns.insert(Arc::clone(&self.words.duration), seconds);
        columns.insert(Arc::clone(&self.words.count), Value::Int(group.rows.len() as i64));
        columns.insert(Arc::clone(&self.words.complete), Value::Int(i64::from(complete)));
        let events = distinct_events(group.rows.iter().flat_map(|(_, row)| row.events().iter().copied()));
        let place = group.rows.first().map(|(_, row)| row.place.clone());
        let place =
            place.unwrap_or(RowPlace { rank: 0, time: None, tiebreaker: Value::Null, reference: None, position: 0 });
        PipelineRow { place, columns, own: None, captured: None, merged: events }
    }
}
