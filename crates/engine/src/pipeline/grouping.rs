//! Aggregation: by keys, by keys and windows of time, and back into every row.
//!
//! Which rows are one group is found by the relational engine; here keys and arguments are computed, keys of several values
//! are spread, and rows are made of groups.

use std::{hash::BuildHasher, sync::Arc};

use lurcher_ir::{
    Aggregate, AggregateColumn, AggregateEach, Aggregation, ColumnPattern, Expr, GroupBy, ListKeys, NullKeys, Stage,
    Window,
};
use lurcher_schema::{Object, Timestamp, Value};
use rustc_hash::{FxBuildHasher, FxHashSet};

use super::{
    Accumulator, AggregateCall, Gathered, Grouping, Relation, RelationalError, Windows,
    demand::{Demand, Doomed},
    expression::{Captures, StageExpr},
    pile::{Pile, Texts},
    plan::named,
    row::{PipelineRow, RowPlace},
    stateful::{Seat, events_of},
};
use crate::{eval::millis, sequence::compare_keys};

/// How many combinations of key values one row may stand under; what lies beyond is cut and counted.
pub(super) const MOST_KEYS: usize = 1_000;

/// See [`GroupBy`].
#[derive(Debug)]
pub(crate) struct GroupPlan {
    pub(super) keys: Vec<(Arc<str>, StageExpr)>,
    pub(super) nulls: NullKeys,
    pub(super) lists: ListKeys,
}

/// See [`AggregateColumn`].
#[derive(Debug)]
pub(crate) struct AggregatePlan {
    pub(super) name: Arc<str>,
    pub(super) function: Aggregate,
    pub(super) arguments: Vec<StageExpr>,
    pub(super) filter: Option<StageExpr>,
    pub(super) elements: bool,
}

/// See [`Aggregation`] and [`Window`].
#[derive(Debug)]
pub(crate) struct AggregationPlan {
    pub(super) by: GroupPlan,
    pub(super) aggregates: Vec<AggregatePlan>,
    each: Vec<AggregateEach>,
    /// Whether it is a [`Window`].
    is_window: bool,
    /// Its time axis, if it has one.
    span: Option<(StageExpr, Windows)>,
    /// What conditions right behind it ask of its groups.
    pub(super) demands: Vec<Demand>,
}

/// A group, its rows by number.
struct Group {
    keys: Vec<Value>,
    rows: Vec<usize>,
    aggregates: Vec<Value>,
    window_start: Option<i64>,
}

pub(super) fn aggregates(columns: &[AggregateColumn]) -> Vec<AggregatePlan> {
    let plan = |column: &AggregateColumn| AggregatePlan {
        name: Arc::clone(&column.name),
        function: column.function,
        arguments: column.arguments.iter().map(StageExpr::new).collect(),
        filter: column.filter.as_ref().map(StageExpr::new),
        elements: column.elements,
    };
    columns.iter().map(plan).collect()
}

impl GroupPlan {
    pub(super) fn new(by: &GroupBy) -> Self {
        Self { keys: named(&by.keys), nulls: by.nulls, lists: by.lists }
    }

    /// The tuples of keys that a row stands under; none if it belongs to no group.
    pub(super) fn tuples(&self, values: &[Value], capped: &mut u64) -> Vec<Vec<Value>> {
        if self.nulls == NullKeys::Drop && values.iter().any(Value::is_missing) {
            return Vec::new();
        }
        if self.lists == ListKeys::Whole {
            return vec![values.to_vec()];
        }
        combinations(values.iter().map(|value| distinct(value, Value::clone)), capped)
    }
}

/// The distinct single values of a value, or null alone.
fn distinct(value: &Value, make: impl Fn(&Value) -> Value) -> Vec<Value> {
    let mut seen: FxHashSet<Value> = FxHashSet::default();
    let mut values: Vec<Value> = value.elements().map(make).filter(|value| seen.insert(value.clone())).collect();
    if values.is_empty() {
        values.push(Value::Null);
    }
    values
}

/// All tuples of one value from each, at most [`MOST_KEYS`].
pub(super) fn combinations(keys: impl Iterator<Item = Vec<Value>>, capped: &mut u64) -> Vec<Vec<Value>> {
    let mut tuples: Vec<Vec<Value>> = vec![Vec::new()];
    for values in keys {
        let longer = |tuple: &Vec<Value>| {
            let tuple = tuple.clone();
            values.iter().map(move |value| tuple.iter().chain([value]).cloned().collect()).collect::<Vec<_>>()
        };
        let all = tuples.len().saturating_mul(values.len());
        tuples = tuples.iter().flat_map(longer).take(MOST_KEYS).collect();
        *capped += u64::from(all > MOST_KEYS);
    }
    tuples
}

impl AggregatePlan {
    /// The arguments of a row; none if its filter keeps the row out.
    pub(super) fn arguments(&self, row: &PipelineRow, seat: &mut Seat<'_>) -> Option<Vec<Value>> {
        if let Some(filter) = &self.filter
            && seat.value(row, filter) != Value::Bool(true)
        {
            return None;
        }
        Some(self.arguments.iter().map(|argument| seat.value(row, argument)).chain(self.by_time(row)).collect())
    }

    /// What stands for the second argument of an aggregate by time that has none: the row's own.
    fn by_time(&self, row: &PipelineRow) -> Option<Value> {
        let by_time = matches!(self.function, Aggregate::Earliest | Aggregate::Latest) && self.arguments.len() == 1;
        by_time.then(|| row.place.time.map_or(Value::Null, |time| Value::Int(time.0)))
    }

    /// The columns of its arguments over all rows, null where the filter keeps a row out.
    fn columns(&self, rows: &[PipelineRow], seat: &mut Seat<'_>) -> Vec<Vec<Value>> {
        let counts_rows = self.arguments.is_empty();
        if counts_rows && self.filter.is_none() {
            return Vec::new();
        }
        let mut columns: Vec<Vec<Value>> = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let Some(mut values) = self.arguments(row, seat) else { continue };
            if counts_rows {
                values.push(Value::Bool(true));
            }
            columns.resize_with(values.len().max(columns.len()), || vec![Value::Null; rows.len()]);
            for (column, value) in columns.iter_mut().zip(values) {
                if let Some(slot) = column.get_mut(number) {
                    *slot = value;
                }
            }
        }
        if columns.is_empty() {
            columns.push(vec![Value::Null; rows.len()]);
        }
        columns
    }
}

impl AggregationPlan {
    pub(super) fn new(aggregation: &Aggregation) -> Self {
        Self {
            by: GroupPlan::new(&aggregation.by),
            aggregates: aggregates(&aggregation.aggregates),
            each: aggregation.each.clone(),
            is_window: false,
            span: None,
            demands: Vec::new(),
        }
    }

    /// With the stages that follow it, so that groups which these drop need not be made.
    pub(super) fn followed_by(mut self, stages: &[Stage]) -> Self {
        if self.each.is_empty() {
            self.demands = Demand::all(&self.aggregates, stages);
        }
        self
    }

    pub(super) fn window(window: &Window) -> Self {
        let by = GroupBy { keys: window.keys.clone(), ..GroupBy::nothing() };
        let span = window.span.as_ref().map(|span| {
            let (size, slide) = (millis(span.size).max(1), millis(span.slide).max(1));
            (StageExpr::new(&span.time), Windows { time: 0, size, slide })
        });
        Self {
            by: GroupPlan::new(&by),
            aggregates: aggregates(&window.aggregates),
            each: Vec::new(),
            is_window: true,
            span,
            demands: Vec::new(),
        }
    }

    /// Whether it is a [`Window`].
    pub(super) fn is_window(&self) -> bool {
        self.is_window
    }

    /// The aggregates over all columns that fit, written out.
    fn written_out(&self, rows: &[PipelineRow]) -> Vec<AggregatePlan> {
        let mut plans = Vec::new();
        for each in &self.each {
            let mut names: Vec<Arc<str>> = Vec::new();
            for (name, _) in rows.iter().flat_map(|row| row.columns.iter()) {
                if !names.contains(name) && !self.by.keys.iter().any(|(key, _)| key == name) {
                    names.push(Arc::clone(name));
                }
            }
            names.sort_unstable();
            for name in names {
                let Some(found) = each.columns.fits(&name) else { continue };
                plans.push(AggregatePlan {
                    name: each.name.fill(if matches!(each.name, ColumnPattern::Like(_)) { &found } else { &[] }),
                    function: each.function,
                    arguments: vec![StageExpr::new(&Expr::Column(Arc::clone(&name)))],
                    filter: None,
                    elements: each.elements,
                });
            }
        }
        plans
    }

    /// One row for each group, in order of windows, then of keys.
    pub(super) fn aggregate(
        &self,
        rows: &[PipelineRow],
        seat: &mut Seat<'_>,
    ) -> Result<Vec<PipelineRow>, RelationalError> {
        let made = self.made(rows, seat, &|_| true)?;
        Ok(made.into_iter().map(|(_, row)| row).collect())
    }

    /// Whether a group depends on no rows but its own: no windows, and aggregates that are written out.
    pub(super) fn falls_into_parts(&self) -> bool {
        !self.is_window && self.each.is_empty() && !self.by.keys.is_empty()
    }

    /// As [`Self::aggregate`], of more rows than there is room for: part by part, each of those groups whose keys fall
    /// to it.
    pub(super) fn aggregate_in_parts(
        &self,
        pile: &Pile,
        captures: &Arc<Captures>,
        seat: &mut Seat<'_>,
    ) -> Result<Vec<PipelineRow>, RelationalError> {
        // Keys are not spread evenly, and what is computed of rows takes room too.
        let parts = 2 * pile.bytes() / seat.room.max(1) + 1;
        let part_of = |keys: &[Value]| FxBuildHasher.hash_one(keys) % parts;
        let mut made: Vec<(Vec<Value>, PipelineRow)> = Vec::new();
        let mut texts = Texts::default();
        for part in 0..parts {
            let mut rows: Vec<PipelineRow> = Vec::new();
            let (fields, now, moment, room) = (seat.fields, seat.now, seat.moment, seat.room);
            pile.each(captures, seat.stores, &mut texts, &mut |row, stores| {
                let mut own = Seat {
                    fields,
                    stores,
                    relational: None,
                    now,
                    moment,
                    window: None,
                    gathered: Gathered::default(),
                    capped: 0,
                    room,
                    dropped: 0,
                    said: Vec::new(),
                };
                let values: Vec<Value> = self.by.keys.iter().map(|(_, key)| own.value(&row, key)).collect();
                if self.by.tuples(&values, &mut own.capped).iter().any(|keys| part_of(keys) == part) {
                    rows.push(row);
                }
            });
            rows.sort_by(PipelineRow::compare);
            made.extend(self.made(&rows, seat, &|keys| part_of(keys) == part)?);
        }
        made.sort_by(|(a, _), (b, _)| compare_keys(a, b));
        for (position, (_, row)) in made.iter_mut().enumerate() {
            (row.place.rank, row.place.position) = (position as u64, position as u64);
        }
        Ok(made.into_iter().map(|(_, row)| row).collect())
    }

    /// The rows of the groups whose keys are wanted, and their keys.
    fn made(
        &self,
        rows: &[PipelineRow],
        seat: &mut Seat<'_>,
        wanted: &dyn Fn(&[Value]) -> bool,
    ) -> Result<Vec<(Vec<Value>, PipelineRow)>, RelationalError> {
        let doomed = Doomed::of(self, rows, seat);
        let rows: &[PipelineRow] = doomed.rows.as_deref().unwrap_or(rows);
        let more = self.written_out(rows);
        let plans: Vec<&AggregatePlan> = self.aggregates.iter().chain(&more).collect();
        let mut groups = self.groups(rows, &plans, seat)?;
        if groups.is_empty() && self.by.keys.is_empty() && !self.is_window {
            let of_none = plans.iter().map(|plan| Accumulator::new(plan.function, plan.elements).value());
            let aggregates = of_none.collect();
            groups.push(Group { keys: Vec::new(), rows: Vec::new(), aggregates, window_start: None });
        }
        groups.retain(|group| wanted(&group.keys) && !doomed.keys.contains(&group.keys));
        let made = groups
            .into_iter()
            .enumerate()
            .map(|(position, group)| (group.keys.clone(), self.row(position as u64, group, &plans, rows)));
        Ok(made.collect())
    }

    fn row(&self, position: u64, group: Group, plans: &[&AggregatePlan], rows: &[PipelineRow]) -> PipelineRow {
        let size = self.span.as_ref().map(|(_, windows)| windows.size);
        let mut columns: Object = self.by.keys.iter().map(|(name, _)| Arc::clone(name)).zip(group.keys).collect();
        for (plan, value) in plans.iter().zip(group.aggregates) {
            columns.insert(Arc::clone(&plan.name), value);
        }
        let end = group.window_start.zip(size).map(|(start, size)| start.saturating_add(size));
        if let (Some(start), Some(end)) = (group.window_start, end) {
            columns.insert("window_start", Value::Int(start));
            columns.insert("window_end", Value::Int(end));
        }
        let last = group.rows.iter().filter_map(|row| rows.get(*row)?.place.time).max();
        let place = RowPlace {
            rank: if self.is_window() { 0 } else { position },
            time: end.map(Timestamp::from_millis).or(last),
            tiebreaker: Value::Null,
            reference: None,
            position,
        };
        PipelineRow { place, columns, own: None, captured: None, merged: events_of(rows, &group.rows) }
    }

    /// The rows with the aggregates of their groups.
    pub(super) fn inline(
        &self,
        mut rows: Vec<PipelineRow>,
        seat: &mut Seat<'_>,
    ) -> Result<Vec<PipelineRow>, RelationalError> {
        let more = self.written_out(&rows);
        let plans: Vec<&AggregatePlan> = self.aggregates.iter().chain(&more).collect();
        let keys: Vec<Vec<Value>> =
            rows.iter().map(|row| self.by.keys.iter().map(|(_, key)| seat.value(row, key)).collect()).collect();
        let groups = self.groups(&rows, &plans, seat)?;
        let mut of_row: Vec<Option<usize>> = vec![None; rows.len()];
        let mut several = vec![false; rows.len()];
        for (number, group) in groups.iter().enumerate() {
            for row in &group.rows {
                if let (Some(slot), Some(several)) = (of_row.get_mut(*row), several.get_mut(*row)) {
                    *several |= slot.is_some();
                    *slot = Some(number);
                }
            }
        }
        for (number, (row, keys)) in rows.iter_mut().zip(keys).enumerate() {
            for ((name, _), key) in self.by.keys.iter().zip(keys) {
                row.columns.insert(Arc::clone(name), key);
            }
            let alone = several.get(number) == Some(&false);
            let group = of_row.get(number).copied().flatten().filter(|_| alone).and_then(|group| groups.get(group));
            for (place, plan) in plans.iter().enumerate() {
                let value = group.and_then(|group| group.aggregates.get(place)).cloned().unwrap_or_default();
                row.columns.insert(Arc::clone(&plan.name), value);
            }
        }
        Ok(rows)
    }

    fn groups(
        &self,
        rows: &[PipelineRow],
        plans: &[&AggregatePlan],
        seat: &mut Seat<'_>,
    ) -> Result<Vec<Group>, RelationalError> {
        let keys = self.by.keys.len();
        let key_columns: Vec<Vec<Value>> = self.by.keys.iter().map(|(_, key)| seat.column(rows, key)).collect();
        // A row stands once for each tuple of keys.
        let mut stands: Vec<usize> = Vec::new();
        let mut columns: Vec<Vec<Value>> = vec![Vec::new(); keys];
        let mut capped = 0;
        for row in 0..rows.len() {
            let values: Vec<Value> = key_columns.iter().map(|c| c.get(row).cloned().unwrap_or_default()).collect();
            for tuple in self.by.tuples(&values, &mut capped) {
                stands.push(row);
                columns.iter_mut().zip(tuple).for_each(|(column, value)| column.push(value));
            }
        }
        drop(key_columns);
        seat.capped += capped;
        let mut add = |values: Vec<Value>| {
            let spread = stands.iter().map(|row| values.get(*row).cloned().unwrap_or_default());
            columns.push(spread.collect());
            columns.len() - 1
        };
        let mut calls = Vec::new();
        for plan in plans {
            let arguments = plan.columns(rows, seat).into_iter().map(&mut add).collect();
            calls.push(AggregateCall { function: plan.function, arguments, elements: plan.elements });
        }
        let windows = self.span.as_ref().map(|(time, windows)| {
            let times = seat.column(rows, time);
            Windows { time: add(times), ..*windows }
        });
        if windows.is_some_and(|windows| windows.size / windows.slide > Windows::MOST) {
            return Err(RelationalError { message: "each row would lie in more than 10,000 windows".to_owned() });
        }
        let relation = Relation { rows: stands.len(), columns };
        let grouping = Grouping { keys, aggregates: calls, windows };
        let found = if relation.rows == 0 { Vec::new() } else { seat.relational()?.aggregate(&relation, &grouping)? };
        let mut groups: Vec<Group> = found
            .into_iter()
            .map(|group| {
                let first = group.rows.first().copied().unwrap_or_default();
                let key = |column: &Vec<Value>| column.get(first).cloned().unwrap_or_default();
                Group {
                    keys: relation.columns.iter().take(keys).map(key).collect(),
                    rows: group.rows.iter().filter_map(|row| stands.get(*row).copied()).collect(),
                    aggregates: group.aggregates,
                    window_start: group.window_start,
                }
            })
            .collect();
        groups.sort_by(|a, b| a.window_start.cmp(&b.window_start).then_with(|| compare_keys(&a.keys, &b.keys)));
        Ok(groups)
    }
}
