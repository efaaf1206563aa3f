//! The stages that need all rows.

use std::sync::Arc;

use lurcher_ir::FieldRef;
use lurcher_schema::{Event, Object, Taxonomy, Timestamp, Value};

use super::{
    Grouping, Relation, Relational, RelationalError, Windows, distinct_events,
    plan::{AnomalyPlan, StagePlan, WindowPlan},
    row::{Captured, PipelineRow, RowPlace, RowSource, RowView},
};
use crate::{
    anomaly::{Conditional, FirstSeen, Gaussian, Quantile},
    eval::CompiledExpr,
    sequence::compare_keys,
    tail::{EventId, Fields, Stores},
};

/// What a pipeline needs when it finishes.
pub(crate) struct Seat<'a> {
    pub(crate) fields: &'a Fields,
    pub(crate) stores: &'a mut Stores,
    pub(crate) relational: Option<&'a dyn Relational>,
    pub(crate) now: Timestamp,
}

impl Seat<'_> {
    /// The event of a row: what was captured of it, and the rest read back when it is asked for.
    pub(super) fn source(&mut self, row: &PipelineRow) -> Stored<'_> {
        let captured = row.captured.clone();
        Stored { fields: self.fields, stores: self.stores, own: row.own, event: None, captured }
    }

    fn value(&mut self, row: &PipelineRow, expr: &CompiledExpr) -> Value {
        let now = row.place.time.unwrap_or(self.now);
        expr.evaluate(&mut RowView { source: &mut self.source(row), columns: &row.columns }, now)
    }

    fn column(&mut self, rows: &[PipelineRow], expr: &CompiledExpr) -> Vec<Value> {
        rows.iter().map(|row| self.value(row, expr)).collect()
    }

    fn relational(&self) -> Result<&dyn Relational, RelationalError> {
        let missing = || RelationalError { message: "the run has no relational engine".to_owned() };
        self.relational.ok_or_else(missing)
    }
}

/// An event that was kept.
pub(super) struct Stored<'a> {
    fields: &'a Fields,
    stores: &'a mut Stores,
    own: Option<EventId>,
    event: Option<Event>,
    captured: Option<Captured>,
}

impl Stored<'_> {
    fn event(&mut self) -> Option<&Event> {
        if self.event.is_none() {
            self.event = self.own.and_then(|id| self.stores.get(id));
        }
        self.event.as_ref()
    }
}

impl RowSource for Stored<'_> {
    fn field(&mut self, field: &FieldRef) -> Value {
        if let Some(value) = self.captured.as_ref().and_then(|captured| captured.get(field)) {
            return value;
        }
        let fields = self.fields;
        self.event().map(|event| fields.in_event(event, field)).unwrap_or_default()
    }

    fn whole(&mut self, taxonomy: Taxonomy) -> Value {
        let fields = self.fields;
        self.event().map(|event| fields.whole(event, taxonomy)).unwrap_or_default()
    }

    fn keep(&mut self) -> Option<EventId> {
        self.own
    }
}

/// Applies one stage to all rows.
pub(super) struct Finisher<'a, 's> {
    pub(super) stage: &'a StagePlan,
    pub(super) seat: &'a mut Seat<'s>,
}

impl Finisher<'_, '_> {
    pub(super) fn apply(self, mut rows: Vec<PipelineRow>) -> Result<Vec<PipelineRow>, RelationalError> {
        match self.stage {
            StagePlan::Head(count) => rows.truncate(usize::try_from(*count).unwrap_or(usize::MAX)),
            StagePlan::Window(window) => return aggregate(window, &rows, self.seat),
            StagePlan::Sort(keys) => {
                let columns = keys.iter().map(|(key, _)| self.seat.column(&rows, key)).collect();
                let descending: Vec<bool> = keys.iter().map(|(_, descending)| *descending).collect();
                let order = self.seat.relational()?.sort(&Relation { rows: rows.len(), columns }, &descending)?;
                return Ok(order
                    .into_iter()
                    .enumerate()
                    .filter_map(|(rank, row)| {
                        let mut row = rows.get(row)?.clone();
                        row.place.rank = rank as u64;
                        Some(row)
                    })
                    .collect());
            }
            StagePlan::Dedup(keys) => {
                let columns = keys.iter().map(|key| self.seat.column(&rows, key)).collect();
                let sets = self.seat.relational()?.duplicates(&Relation { rows: rows.len(), columns })?;
                return Ok(sets
                    .into_iter()
                    .filter_map(|set| {
                        let mut first = rows.get(*set.first()?)?.clone();
                        if set.len() > 1 {
                            first.merged = events_of(&rows, &set);
                        }
                        Some(first)
                    })
                    .collect());
            }
            StagePlan::Anomaly(anomaly) => {
                rows.sort_by(|a, b| a.place.compare_times(&b.place));
                judge(anomaly, &mut rows, self.seat);
            }
            StagePlan::NotRun => {
                return Err(RelationalError { message: "a stage of its query is not run yet".to_owned() });
            }
            _ => {}
        }
        Ok(rows)
    }
}

fn events_of(rows: &[PipelineRow], chosen: &[usize]) -> Vec<EventId> {
    distinct_events(chosen.iter().filter_map(|row| rows.get(*row)).flat_map(|row| row.events().iter().copied()))
}

/// Aggregates; the result is in order of windows, then of keys.
fn aggregate(
    plan: &WindowPlan,
    rows: &[PipelineRow],
    seat: &mut Seat<'_>,
) -> Result<Vec<PipelineRow>, RelationalError> {
    let mut columns: Vec<Vec<Value>> = plan.keys.iter().map(|(_, key)| seat.column(rows, key)).collect();
    let keys = columns.len();
    columns.extend(plan.arguments.iter().map(|argument| seat.column(rows, argument)));
    let windows = plan.span.as_ref().map(|(time, windows)| {
        columns.push(seat.column(rows, time));
        Windows { time: columns.len() - 1, ..*windows }
    });
    if windows.is_some_and(|windows| windows.size / windows.slide > Windows::MOST) {
        return Err(RelationalError { message: "each row would lie in more than 10,000 windows".to_owned() });
    }
    let aggregates = plan.aggregates.iter().map(|(_, function, column)| (*function, column.map(|c| keys + c)));
    let grouping = Grouping { keys, aggregates: aggregates.collect(), windows };
    let relation = Relation { rows: rows.len(), columns };
    let mut groups: Vec<_> = seat
        .relational()?
        .aggregate(&relation, &grouping)?
        .into_iter()
        .map(|group| {
            let key = |column: &Vec<Value>| group.rows.first().and_then(|row| column.get(*row)).cloned();
            let key: Vec<Value> = relation.columns.iter().take(keys).map(|c| key(c).unwrap_or_default()).collect();
            (key, group)
        })
        .collect();
    groups.sort_by(|(a, x), (b, y)| x.window_start.cmp(&y.window_start).then_with(|| compare_keys(a, b)));
    let made = groups.into_iter().enumerate().map(|(position, (key, group))| {
        let mut columns: Object = plan.keys.iter().map(|(name, _)| Arc::clone(name)).zip(key).collect();
        for ((name, _, _), value) in plan.aggregates.iter().zip(group.aggregates) {
            columns.insert(Arc::clone(name), value);
        }
        let end = group.window_start.zip(windows).map(|(start, windows)| start.saturating_add(windows.size));
        if let (Some(start), Some(end)) = (group.window_start, end) {
            columns.insert("window_start", Value::Int(start));
            columns.insert("window_end", Value::Int(end));
        }
        let last = group.rows.iter().filter_map(|row| rows.get(*row)?.place.time).max();
        let place = RowPlace {
            rank: 0,
            time: end.map(Timestamp::from_millis).or(last),
            tiebreaker: Value::Null,
            reference: None,
            position: position as u64,
        };
        PipelineRow { place, columns, own: None, captured: None, merged: events_of(rows, &group.rows) }
    });
    Ok(made.collect())
}

fn judge(plan: &AnomalyPlan, rows: &mut [PipelineRow], seat: &mut Seat<'_>) {
    match plan {
        AnomalyPlan::FirstSeen { inputs, output } => {
            let mut model = FirstSeen::default();
            for row in rows {
                let tuple = inputs.iter().map(|input| seat.value(row, input)).collect();
                row.columns.insert(Arc::clone(output), Value::Bool(model.judge(tuple)));
            }
        }
        AnomalyPlan::Quantile { value, entity, time, window, threshold } => {
            let mut model = Quantile::new(*window, *threshold);
            for row in rows {
                let number = seat.value(row, value).as_number();
                let (entity, time) = (seat.value(row, entity), whole(&seat.value(row, time)));
                let (share, label) = model.judge(number, entity, time);
                row.columns.insert("quantile", share);
                row.columns.insert("label", label);
            }
        }
        AnomalyPlan::Gaussian { value, entity, time, window, threshold } => {
            let mut model = Gaussian::new(*window, *threshold);
            for row in rows {
                let number = seat.value(row, value).as_number();
                let (entity, time) = (seat.value(row, entity), whole(&seat.value(row, time)));
                let judged = model.judge(number, entity, time);
                row.columns.insert("mean", judged.mean);
                row.columns.insert("stddev", judged.stddev);
                row.columns.insert("label", judged.label);
            }
        }
        AnomalyPlan::Conditional { condition, target, output } => {
            let mut model = Conditional::default();
            for row in rows {
                let (condition, target) = (seat.value(row, condition), seat.value(row, target));
                row.columns.insert(Arc::clone(output), Value::Float(model.judge(condition, target)));
            }
        }
    }
}

fn whole(time: &Value) -> Option<i64> {
    time.as_number().map(|time| time as i64)
}
