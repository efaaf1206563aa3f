//! Pipelines: stages over rows.
//!
//! A row is named columns and the events that went into it. Stages of one row at a time (`where`, `eval`, `project` …)
//! run as soon as the row is there: a pipeline of nothing else never keeps anything. At the first stage of a branch that
//! needs all rows (windows, sorts, first-so-many, duplicates, models that learn) rows are collected; when all input is
//! read they are put in order of (time, tiebreaker, event) and the branch runs on, and so do the branches that read it.
//! So the order of files and the number of threads cannot show.
//!
//! Grouping, sorting and finding duplicates are done by a [`Relational`] engine that the run is given.

mod accumulate;
mod completion;
mod demand;
mod expression;
mod grouping;
mod joining;
mod judge;
mod locate;
mod lookup;
mod moment;
mod pile;
mod plan;
mod relational;
mod reshape;
mod row;
mod running;
mod stateful;
mod text_table;
mod transaction;
mod written;

use std::sync::Arc;

use lurcher_ir::Sink;
use lurcher_schema::{Object, Timestamp, Value};

pub use self::{
    accumulate::{Accumulator, compare_values},
    relational::{AggregateCall, ColumnOrder, Group, Grouping, Relation, Relational, RelationalError, Windows},
};
pub(crate) use self::{
    expression::FieldExpr,
    joining::Gathered,
    moment::{extent, own_window},
    pile::Pile,
    plan::PipelinePlan,
    row::{PipelineRow, RowPlace, RowSource},
};
use self::{
    expression::{Captured, StageExpr},
    plan::{Given, StagePlan},
    stateful::{Finisher, Seat},
};
use crate::tail::{EventId, Stores};

/// Where rows go: to be collected before a stage that needs all of them, or out as matches.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// For each branch the rows before its present stage of that kind.
    pub(crate) collected: Vec<Pile>,
    /// Rows that came to a sink of alerts.
    pub(crate) matches: Vec<PipelineRow>,
    /// About how many bytes have been collected since this was last read.
    pub(crate) bytes: u64,
}

impl Flow {
    pub(crate) fn new(plan: &PipelinePlan) -> Self {
        Self { collected: plan.branches.iter().map(|_| Pile::default()).collect(), matches: Vec::new(), bytes: 0 }
    }
}

impl PipelinePlan {
    /// Lets an event that passed a filter into the branches that read it.
    pub(crate) fn enter(
        &self,
        filter: usize,
        place: &RowPlace,
        source: &mut dyn RowSource,
        now: Timestamp,
        flow: &mut Flow,
    ) {
        self.enter_some(filter, place, source, now, flow, &|_| true);
    }

    /// The same, for some of these branches.
    fn enter_some(
        &self,
        filter: usize,
        place: &RowPlace,
        source: &mut dyn RowSource,
        now: Timestamp,
        flow: &mut Flow,
        wants: &dyn Fn(usize) -> bool,
    ) {
        for (branch, plan) in self.branches.iter().enumerate().filter(|(branch, _)| wants(*branch)) {
            for _ in plan.filters.iter().filter(|read| **read == filter) {
                self.run(branch, 0, PipelineRow::of_event(place.clone()), source, now, flow);
            }
        }
    }

    /// Runs a branch's stages over one row, from a stage on, until one that needs all rows or the end.
    fn run(
        &self,
        branch: usize,
        from: usize,
        mut row: PipelineRow,
        source: &mut dyn RowSource,
        now: Timestamp,
        flow: &mut Flow,
    ) {
        let Some(plan) = self.branches.get(branch) else { return };
        for (at, stage) in plan.stages.iter().enumerate().skip(from) {
            match stage {
                StagePlan::Expand(_) | StagePlan::Unpivot { .. } | StagePlan::Lookup(_) | StagePlan::TextTable(_) => {
                    for row in stage.spread(row, source, now) {
                        self.run(branch, at + 1, row, source, now, flow);
                    }
                    return;
                }
                stage if stage.needs_all_rows() => {
                    row.captured.get_or_insert_with(|| Captured::of(&plan.captures, source));
                    row.own = row.own.or_else(|| source.keep());
                    if let Some(collected) = flow.collected.get_mut(branch) {
                        flow.bytes += row.size();
                        collected.rows.push(row);
                    }
                    return;
                }
                stage => {
                    if !stage.apply(&mut row, source, now) {
                        return;
                    }
                }
            }
        }
        for reader in &plan.readers {
            self.run(*reader, 0, row.clone(), source, now, flow);
        }
        if let Some(Sink::Alerts(_)) = plan.sink {
            flow.matches.push(row);
        }
    }

    /// Brings the rows back that were sent to a file, so that they can be looked at again and again.
    pub(crate) fn bring_back(&self, flow: &mut Flow, stores: &mut Stores) {
        for (pile, branch) in flow.collected.iter_mut().zip(&self.branches) {
            pile.rows = pile.take(&branch.captures, stores);
        }
    }

    /// When all rows are there: runs what needs all of them, branch after branch. Returns what went wrong, if anything.
    pub(crate) fn finish(&self, flow: &mut Flow, seat: &mut Seat<'_>) -> Vec<RelationalError> {
        let mut errors = Vec::new();
        for (branch, plan) in self.branches.iter().enumerate() {
            let take = |flow: &mut Flow| flow.collected.get_mut(branch).map(std::mem::take).unwrap_or_default();
            self.give(branch, seat, flow);
            let mut waiting = take(flow);
            let in_parts =
                plan.stages.iter().position(StagePlan::needs_all_rows).filter(|_| seat.is_too_much(&waiting));
            let mut rows = match in_parts {
                Some(_) => Vec::new(),
                None => waiting.take(&plan.captures, seat.stores),
            };
            rows.sort_by(PipelineRow::compare);
            for (at, stage) in plan.stages.iter().enumerate() {
                let parts = in_parts == Some(at);
                if !stage.needs_all_rows() || (rows.is_empty() && !parts && !stage.makes_rows()) {
                    continue;
                }
                let done = if parts {
                    let pile = std::mem::take(&mut waiting);
                    Finisher { branch, stage, seat }.apply_in_parts(pile, &plan.captures)
                } else {
                    Finisher { branch, stage, seat }.apply(rows)
                };
                match done {
                    Ok(changed) => rows = changed,
                    Err(error) => {
                        errors.push(error);
                        rows = Vec::new();
                    }
                }
                for row in rows {
                    let now = seat.now;
                    let mut source = seat.source(&row);
                    self.run(branch, at + 1, row, &mut source, now, flow);
                }
                rows = take(flow).take(&plan.captures, seat.stores);
            }
        }
        errors
    }

    /// Lets the rows in that no event brings.
    fn give(&self, branch: usize, seat: &mut Seat<'_>, flow: &mut Flow) {
        let now = seat.now;
        let mut position = 0;
        let mut enter = |columns: Object| {
            let place = RowPlace { rank: 0, time: None, tiebreaker: Value::Null, reference: None, position };
            position += 1;
            let row = PipelineRow { columns, ..PipelineRow::of_event(place) };
            let mut source = seat.source(&row);
            self.run(branch, 0, row, &mut source, now, flow);
        };
        for given in self.branches.get(branch).into_iter().flat_map(|plan| &plan.given) {
            match given {
                Given::Rows(rows) => (0..*rows).for_each(|_| enter(Object::default())),
                Given::Table(table) => {
                    for row in table.rows() {
                        let cells = table.columns().iter().cloned().zip(row.iter().cloned());
                        enter(cells.collect());
                    }
                }
            }
        }
    }
}

impl StagePlan {
    /// Applies a stage that looks at one row; false if the row is dropped.
    fn apply(&self, row: &mut PipelineRow, source: &mut dyn RowSource, now: Timestamp) -> bool {
        let now = row.place.time.unwrap_or(now);
        match self {
            Self::Where(condition) => {
                return condition.value(row, source, now) == Value::Bool(true);
            }
            Self::Eval(columns) => {
                for (name, expr) in columns {
                    let value = expr.value(row, source, now);
                    row.columns.insert(Arc::clone(name), value);
                }
            }
            Self::Project(columns) => {
                let value = |(name, expr): &(Arc<str>, StageExpr)| (Arc::clone(name), expr.value(row, source, now));
                row.columns = columns.iter().map(value).collect();
            }
            Self::Fields(taxonomy) => {
                let fields = source.fields(*taxonomy);
                let is_new = |name: &str| row.columns.get(name).is_none();
                let new: Vec<_> = fields.iter().filter(|(name, _)| is_new(name)).cloned().collect();
                row.columns.extend_distinct(new);
            }
            Self::ForEachColumn(plan) => reshape::for_each_column(plan, row, source, now),
            Self::Keep(names) => row.keep(names),
            Self::Drop(names) => row.drop_columns(names),
            Self::Rename(names) => names.iter().for_each(|(from, to)| row.rename(from, to)),
            Self::Judge(judge) => judge.apply(row, source, now),
            Self::FillNull { columns, value } => reshape::fill_null(std::slice::from_mut(row), columns, value),
            Self::Locate(locate) => locate.apply(row, source, now),
            Self::Recognize(recognize) => recognize.apply(row, source, now),
            _ => {}
        }
        true
    }

    /// Applies a stage that makes any number of rows of one.
    fn spread(&self, row: PipelineRow, source: &mut dyn RowSource, now: Timestamp) -> Vec<PipelineRow> {
        match self {
            Self::Expand(expand) => row.expand(expand),
            Self::Unpivot { keep, name, value } => reshape::unpivot(&row, keep, name, value),
            Self::Lookup(lookup) => {
                let now = row.place.time.unwrap_or(now);
                lookup.apply(row, source, now)
            }
            Self::TextTable(table) => {
                let now = row.place.time.unwrap_or(now);
                table.apply(row, source, now)
            }
            _ => vec![row],
        }
    }
}

/// What a pipeline needs when it finishes: the time, the kept events, a relational engine.
pub(crate) use self::stateful::Seat as FinishSeat;

/// The events of a row, without repetition.
pub(crate) fn distinct_events(rows: impl IntoIterator<Item = EventId>) -> Vec<EventId> {
    let mut seen = rustc_hash::FxHashSet::default();
    rows.into_iter().filter(|id| seen.insert(*id)).collect()
}
