//! The stages that need all rows.

use std::sync::Arc;

use lurcher_ir::FieldRef;
use lurcher_schema::{Event, Taxonomy, Timestamp, Value};

use super::{
    ColumnOrder, Gathered, Relation, Relational, RelationalError, distinct_events,
    expression::{Captured, Captures, FieldExpr, StageExpr},
    joining, moment,
    pile::Pile,
    plan::{AnomalyPlan, SortPlan, StagePlan},
    reshape,
    row::{PipelineRow, RowSource},
    written,
};
use crate::{
    anomaly::{Conditional, FirstSeen, Gaussian, Quantile},
    eval::{Number, read_number},
    tail::{AllFields, EventId, Fields, Stores},
    terms::Window,
};

/// What a pipeline needs when it finishes.
pub(crate) struct Seat<'a> {
    pub(crate) fields: &'a Fields,
    pub(crate) stores: &'a mut Stores,
    pub(crate) relational: Option<&'a dyn Relational>,
    pub(crate) now: Timestamp,
    /// When the run is, or where it ends: what it counts times from.
    pub(crate) moment: Timestamp,
    /// The window of the run's schedule; none: it looks at everything.
    pub(crate) window: Option<Window>,
    /// The rows of branches that are done and that stages of others take.
    pub(crate) gathered: Gathered,
    /// Rows of which some combinations of keys were left out because there were too many.
    pub(crate) capped: u64,
    /// About how many bytes of rows may be in memory at once.
    pub(crate) room: u64,
    /// Rows that were dropped because there was no room for them.
    pub(crate) dropped: u64,
    /// What stages could not do as they should, though their rows go on.
    pub(crate) said: Vec<String>,
}

impl Seat<'_> {
    /// Has something told, once.
    pub(super) fn tell(&mut self, message: String) {
        if !self.said.contains(&message) {
            self.said.push(message);
        }
    }

    /// The event of a row: what was captured of it, and the rest read back when it is asked for.
    pub(super) fn source(&mut self, row: &PipelineRow) -> Stored<'_> {
        let captured = row.captured.clone();
        Stored { fields: self.fields, stores: self.stores, own: row.own, event: None, captured }
    }

    pub(super) fn value(&mut self, row: &PipelineRow, expr: &StageExpr) -> Value {
        let now = row.place.time.unwrap_or(self.now);
        expr.value(row, &mut self.source(row), now)
    }

    pub(super) fn column(&mut self, rows: &[PipelineRow], expr: &StageExpr) -> Vec<Value> {
        rows.iter().map(|row| self.value(row, expr)).collect()
    }

    /// Whether there is no room for all rows of a pile at once.
    pub(super) fn is_too_much(&self, pile: &Pile) -> bool {
        pile.bytes() > self.room
    }

    /// The rows of an earlier branch.
    pub(super) fn branch(&self, branch: usize) -> Arc<[PipelineRow]> {
        self.gathered.get(branch)
    }

    pub(super) fn relational(&self) -> Result<&dyn Relational, RelationalError> {
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
        if let Some(value) = self.captured.as_ref().and_then(|captured| captured.field(field)) {
            return value;
        }
        let fields = self.fields;
        self.event().map(|event| fields.in_event(event, field)).unwrap_or_default()
    }

    fn computed(&mut self, expr: &Arc<FieldExpr>) -> Value {
        expr.evaluate(self)
    }

    fn whole(&mut self, taxonomy: Taxonomy) -> Value {
        let fields = self.fields;
        self.event().map(|event| fields.whole(event, taxonomy)).unwrap_or_default()
    }

    fn fields(&mut self, taxonomy: Taxonomy) -> AllFields {
        let fields = self.fields;
        self.event().map(|event| fields.all(event, taxonomy)).unwrap_or_default()
    }

    fn keep(&mut self) -> Option<EventId> {
        self.own
    }
}

/// Applies one stage to all rows.
pub(super) struct Finisher<'a, 's> {
    pub(super) branch: usize,
    pub(super) stage: &'a StagePlan,
    pub(super) seat: &'a mut Seat<'s>,
}

impl Finisher<'_, '_> {
    /// As [`Finisher::apply`], of more rows than there is room for. Groups are made part by part, each part of those groups
    /// whose keys fall to it; any other stage sees the rows that come last in time, and the others are counted as dropped.
    pub(super) fn apply_in_parts(
        self,
        pile: Pile,
        captures: &Arc<Captures>,
    ) -> Result<Vec<PipelineRow>, RelationalError> {
        match self.stage {
            StagePlan::Aggregate(plan) if plan.falls_into_parts() => {
                plan.aggregate_in_parts(&pile, captures, self.seat)
            }
            _ => {
                let seat = self.seat;
                let most = (pile.len() as u64).saturating_mul(seat.room) / pile.bytes().max(1);
                let (mut rows, dropped) = pile.latest(most as usize, captures, seat.stores);
                seat.dropped += dropped as u64;
                rows.sort_by(PipelineRow::compare);
                Finisher { seat, ..self }.apply(rows)
            }
        }
    }

    pub(super) fn apply(self, mut rows: Vec<PipelineRow>) -> Result<Vec<PipelineRow>, RelationalError> {
        let count = |count: &u64| usize::try_from(*count).unwrap_or(usize::MAX);
        let seat = self.seat;
        match self.stage {
            StagePlan::Head(most) => rows.truncate(count(most)),
            StagePlan::Tail(most) => drop(rows.drain(..rows.len().saturating_sub(count(most)))),
            StagePlan::Reverse => {
                rows.reverse();
                rank(&mut rows);
            }
            StagePlan::Aggregate(plan) => return plan.aggregate(&rows, seat),
            StagePlan::Inline(plan) => return plan.inline(rows, seat),
            StagePlan::Running(plan) => plan.apply(&mut rows, seat),
            StagePlan::Sort(keys) => rows = sort(keys, &rows, seat)?,
            StagePlan::Dedup { keys, keep, consecutive } => {
                let columns: Vec<Vec<Value>> = keys.iter().map(|key| seat.column(&rows, key)).collect();
                let sets = if *consecutive {
                    runs(&columns, rows.len())
                } else {
                    seat.relational()?.duplicates(&Relation { rows: rows.len(), columns })?
                };
                rows = deduplicated(&rows, sets, count(keep).max(1));
            }
            StagePlan::Anomaly(anomaly) => {
                rows.sort_by(|a, b| a.place.compare_times(&b.place));
                judge(anomaly, &mut rows, seat);
            }
            StagePlan::Collapse(column) => rows = reshape::collapse(rows, column),
            StagePlan::FillNull { columns, value } => reshape::fill_null(&mut rows, columns, value),
            StagePlan::FillDown(columns) => reshape::fill_down(&mut rows, columns),
            StagePlan::Join { join, left, right } => {
                rows = joining::join(join, (left.as_slice(), right.as_slice()), rows, seat)?;
                rank(&mut rows);
            }
            StagePlan::Semi(semi) => rows = semi.apply(rows, seat),
            StagePlan::Append(branch) => {
                rows.extend(seat.branch(*branch).iter().cloned());
                rank(&mut rows);
            }
            StagePlan::AppendColumns { branch, overwrite } => {
                joining::append_columns(&mut rows, &seat.branch(*branch), *overwrite);
            }
            StagePlan::Pivot(pivot) => {
                rows = reshape::pivot(pivot, &rows);
                rank(&mut rows);
            }
            StagePlan::Transaction(plan) => {
                rows = plan.apply(rows, seat);
                rank(&mut rows);
            }
            StagePlan::Complete(plan) => rows = plan.apply(rows, seat),
            StagePlan::Moment(_) => moment::apply(&mut rows, seat.moment),
            StagePlan::Format(format) => rows = written::format(format, &rows),
            StagePlan::Selected(selected) => rows = written::select(selected, rows, seat)?,
            StagePlan::Repeat(repeat) => {
                rows = repeat.apply(&rows, seat)?;
                rank(&mut rows);
            }
            StagePlan::Gather => seat.gathered.put(self.branch, &rows),
            // Stages of one row at a time never come here.
            _ => {}
        }
        Ok(rows)
    }
}

/// Fixes the order in which rows stand, for branches that read them.
fn rank(rows: &mut [PipelineRow]) {
    for (rank, row) in rows.iter_mut().enumerate() {
        row.place.rank = rank as u64;
    }
}

fn sort(keys: &[SortPlan], rows: &[PipelineRow], seat: &mut Seat<'_>) -> Result<Vec<PipelineRow>, RelationalError> {
    let number = |value: Value| match &value {
        Value::Text(text) => read_number(text.trim()).and_then(Number::into_value).unwrap_or(value),
        _ => value,
    };
    let mut columns = Vec::new();
    for key in keys {
        let column = seat.column(rows, &key.key);
        columns.push(if key.loose { column.into_iter().map(number).collect() } else { column });
    }
    let order = |key: &SortPlan| ColumnOrder { descending: key.descending, nulls_first: key.nulls_first };
    let orders: Vec<ColumnOrder> = keys.iter().map(order).collect();
    let order = seat.relational()?.sort(&Relation { rows: rows.len(), columns }, &orders)?;
    let mut sorted: Vec<PipelineRow> = order.into_iter().filter_map(|row| rows.get(row).cloned()).collect();
    rank(&mut sorted);
    Ok(sorted)
}

/// The rows of each set that stay; the last of them remembers the events of those that go.
fn deduplicated(rows: &[PipelineRow], sets: Vec<Vec<usize>>, keep: usize) -> Vec<PipelineRow> {
    let mut kept: Vec<(usize, PipelineRow)> = Vec::new();
    for set in sets {
        let stays = set.len().min(keep);
        for (number, place) in set.iter().take(stays).enumerate() {
            let Some(mut row) = rows.get(*place).cloned() else { continue };
            if number + 1 == stays && set.len() > stays {
                row.merged = events_of(rows, set.get(number..).unwrap_or_default());
            }
            kept.push((*place, row));
        }
    }
    kept.sort_by_key(|(place, _)| *place);
    kept.into_iter().map(|(_, row)| row).collect()
}

/// Rows that follow each other and are equal in all columns.
fn runs(columns: &[Vec<Value>], rows: usize) -> Vec<Vec<usize>> {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    for row in 0..rows {
        let same = row > 0 && columns.iter().all(|column| column.get(row) == column.get(row - 1));
        match runs.last_mut() {
            Some(run) if same => run.push(row),
            _ => runs.push(vec![row]),
        }
    }
    runs
}

pub(super) fn events_of(rows: &[PipelineRow], chosen: &[usize]) -> Vec<EventId> {
    distinct_events(chosen.iter().filter_map(|row| rows.get(*row)).flat_map(|row| row.events().iter().copied()))
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

pub(super) fn whole(time: &Value) -> Option<i64> {
    time.as_number().map(|time| time as i64)
}
