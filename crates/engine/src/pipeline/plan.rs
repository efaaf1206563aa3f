//! A pipeline made ready to run: expressions compiled, tables found, branches linked to those that read them.

use std::{sync::Arc, time::Duration};

use lurcher_ir::{
    Anomaly, ColumnPattern, Dedup, Expand, Expr, ForEachColumn, Format, Input, Join, MadeName, Moment, Pipeline, Pivot,
    Selected, Semi, Sink, Stage, Transaction,
};
use lurcher_schema::{Taxonomy, Value};

use super::{
    completion::CompletionPlan,
    expression::{Captures, StageExpr},
    grouping::{AggregationPlan, GroupPlan, aggregates},
    joining::SemiPlan,
    judge::JudgePlan,
    locate::{LocatePlan, RecognizePlan},
    lookup::LookupPlan,
    running::RunningPlan,
    text_table::TextTablePlan,
    written::RepeatPlan,
};
use crate::{Settings, eval::millis};

/// A pipeline made ready to run.
#[derive(Debug)]
pub(crate) struct PipelinePlan {
    pub(crate) branches: Vec<BranchPlan>,
    /// Why it cannot run, if it cannot.
    pub(crate) fault: Option<String>,
}

#[derive(Debug)]
pub(crate) struct BranchPlan {
    /// The filters whose events come in.
    pub(super) filters: Vec<usize>,
    /// The rows that come in from elsewhere than events and branches: their columns' names and values.
    pub(super) given: Vec<Given>,
    pub(super) stages: Vec<StagePlan>,
    /// What rows are judged by from the first stage on that needs all of them.
    pub(super) captures: Arc<Captures>,
    /// The branches that read this one; all stand behind it.
    pub(super) readers: Vec<usize>,
    pub(super) sink: Option<Sink>,
}

/// Rows that no event brings.
#[derive(Debug)]
pub(super) enum Given {
    Table(Arc<crate::Table>),
    Rows(u64),
}

/// A stage made ready to run; see [`Stage`].
#[derive(Debug)]
pub(crate) enum StagePlan {
    Where(StageExpr),
    Eval(Vec<(Arc<str>, StageExpr)>),
    Project(Vec<(Arc<str>, StageExpr)>),
    Fields(Taxonomy),
    ForEachColumn(ForEachPlan),
    Keep(Vec<ColumnPattern>),
    Drop(Vec<ColumnPattern>),
    Rename(Vec<(ColumnPattern, ColumnPattern)>),
    Expand(Expand),
    Unpivot {
        keep: Vec<Arc<str>>,
        name: Arc<str>,
        value: Arc<str>,
    },
    Lookup(Box<LookupPlan>),
    Judge(Box<JudgePlan>),
    Aggregate(AggregationPlan),
    Inline(AggregationPlan),
    Running(Box<RunningPlan>),
    Anomaly(Box<AnomalyPlan>),
    Head(u64),
    Tail(u64),
    Reverse,
    Sort(Vec<SortPlan>),
    Dedup {
        keys: Vec<StageExpr>,
        keep: u64,
        consecutive: bool,
    },
    Collapse(Arc<str>),
    FillNull {
        columns: Vec<ColumnPattern>,
        value: Value,
    },
    FillDown(Vec<ColumnPattern>),
    Join {
        join: Join,
        left: Vec<StageExpr>,
        right: Vec<StageExpr>,
    },
    Semi(SemiPlan),
    Append(usize),
    AppendColumns {
        branch: usize,
        overwrite: bool,
    },
    Pivot(Pivot),
    Transaction(Box<TransactionPlan>),
    Complete(Box<CompletionPlan>),
    Moment(Moment),
    Format(Box<Format>),
    Selected(Selected),
    Repeat(Box<RepeatPlan>),
    TextTable(Box<TextTablePlan>),
    Locate(Box<LocatePlan>),
    Recognize(Box<RecognizePlan>),
    /// Not in the IR: the end of a branch whose rows a stage of another takes.
    Gather,
}

#[derive(Debug)]
pub(crate) struct SortPlan {
    pub(super) key: StageExpr,
    pub(super) descending: bool,
    pub(super) nulls_first: bool,
    pub(super) loose: bool,
}

#[derive(Debug)]
pub(crate) struct ForEachPlan {
    pub(super) columns: Vec<ColumnPattern>,
    pub(super) texts: Vec<(Arc<str>, MadeName)>,
    pub(super) sets: Vec<ForEachSet>,
}

/// What is set for each column.
#[derive(Debug)]
pub(crate) struct ForEachSet {
    pub(super) target: MadeName,
    /// What its value reads under names that are made.
    pub(super) reads: Vec<(Arc<str>, MadeName)>,
    pub(super) value: StageExpr,
}

#[derive(Debug)]
pub(crate) enum AnomalyPlan {
    FirstSeen { inputs: Vec<StageExpr>, output: Arc<str> },
    Quantile { value: StageExpr, entity: StageExpr, time: StageExpr, window: Option<i64>, threshold: f64 },
    Gaussian { value: StageExpr, entity: StageExpr, time: StageExpr, window: Option<i64>, threshold: f64 },
    Conditional { condition: StageExpr, target: StageExpr, output: Arc<str> },
}

/// See [`Transaction`].
#[derive(Debug)]
pub(crate) struct TransactionPlan {
    pub(super) keys: Vec<(Arc<str>, StageExpr)>,
    pub(super) time: Option<StageExpr>,
    pub(super) starts: Option<StageExpr>,
    pub(super) ends: Option<StageExpr>,
    pub(super) max_span: Option<i64>,
    pub(super) max_pause: Option<i64>,
    pub(super) words: Transaction,
}

impl PipelinePlan {
    pub(crate) fn new(pipeline: &Pipeline, settings: &Settings) -> Self {
        let tables = &settings.tables;
        let mut fault = None;
        let mut branches = Vec::new();
        for (number, branch) in pipeline.branches.iter().enumerate() {
            let readers = pipeline.branches.iter().enumerate().skip(number + 1).flat_map(|(reader, other)| {
                let reads = other.inputs.iter().filter(move |input| **input == Input::Branch(number));
                reads.map(move |_| reader)
            });
            let mut stages = Vec::new();
            for (at, stage) in branch.stages.iter().enumerate() {
                match StagePlan::new(stage, branch.stages.get(at + 1..).unwrap_or_default(), settings) {
                    Ok(stage) => stages.push(stage),
                    Err(why) => fault = fault.or(Some(why)),
                }
                if stage.reads_branch().is_some_and(|read| read >= number) {
                    fault = fault.or(Some("a branch takes rows of one that comes after it".to_owned()));
                }
            }
            let mut all = pipeline.branches.iter().flat_map(|branch| &branch.stages);
            if all.any(|stage| stage.reads_branch() == Some(number)) {
                stages.push(StagePlan::Gather);
            }
            let mut filters = Vec::new();
            let mut given = Vec::new();
            for input in &branch.inputs {
                match input {
                    Input::Filter(filter) => filters.push(*filter),
                    Input::Branch(_) => {}
                    Input::Rows(rows) => given.push(Given::Rows(*rows)),
                    Input::Table(name) => match tables.get(name) {
                        Some(table) => given.push(Given::Table(Arc::clone(table))),
                        None => fault = fault.or(Some(no_table(name))),
                    },
                }
            }
            let settled = stages.iter().position(StagePlan::needs_all_rows);
            let captures = settled.map(|settled| Captures::new(pipeline, number, settled)).unwrap_or_default();
            branches.push(BranchPlan {
                captures: captures.into(),
                filters,
                given,
                stages,
                readers: readers.collect(),
                sink: branch.sink.clone(),
            });
        }
        Self { branches, fault }
    }

    /// Whether it may find something without any event having passed a filter.
    pub(crate) fn runs_without_events(&self) -> bool {
        let makes_rows = |stage: &StagePlan| match stage {
            StagePlan::Aggregate(plan) => plan.by.keys.is_empty() && !plan.is_window(),
            StagePlan::Format(_) => true,
            _ => false,
        };
        self.fault.is_some()
            || self.branches.iter().any(|branch| !branch.given.is_empty() || branch.stages.iter().any(makes_rows))
    }
}

pub(super) fn no_table(name: &str) -> String {
    format!("there is no table `{name}` in this run")
}

impl StagePlan {
    /// `behind` are the stages that follow it.
    fn new(stage: &Stage, behind: &[Stage], settings: &Settings) -> Result<Self, String> {
        Ok(match stage {
            Stage::Where(condition) => Self::Where(StageExpr::new(condition)),
            Stage::Eval(columns) => Self::Eval(named(columns)),
            Stage::Project(columns) => Self::Project(named(columns)),
            Stage::Fields(taxonomy) => Self::Fields(*taxonomy),
            Stage::ForEachColumn(each) => Self::ForEachColumn(ForEachPlan::new(each)),
            Stage::Keep(names) => Self::Keep(names.clone()),
            Stage::Drop(names) => Self::Drop(names.clone()),
            Stage::Rename(names) => Self::Rename(names.clone()),
            Stage::Window(window) => Self::Aggregate(AggregationPlan::window(window)),
            Stage::Aggregate(aggregation) => Self::Aggregate(AggregationPlan::new(aggregation).followed_by(behind)),
            Stage::Inline(aggregation) => Self::Inline(AggregationPlan::new(aggregation)),
            Stage::Running(running) => Self::Running(Box::new(RunningPlan {
                by: GroupPlan::new(&running.by),
                aggregates: aggregates(&running.aggregates),
                span: running.span.as_ref().map(|(time, span)| (StageExpr::new(time), millis(*span))),
                reset_before: running.reset_before.as_ref().map(StageExpr::new),
                reset_after: running.reset_after.as_ref().map(StageExpr::new),
                words: running.clone(),
            })),
            Stage::Anomaly(anomaly) => Self::Anomaly(Box::new(AnomalyPlan::new(anomaly))),
            Stage::Head(count) => Self::Head(*count),
            Stage::Tail(count) => Self::Tail(*count),
            Stage::Reverse => Self::Reverse,
            Stage::Sort(keys) => Self::Sort(
                keys.iter()
                    .map(|key| SortPlan {
                        key: StageExpr::new(&key.expr),
                        descending: key.descending,
                        nulls_first: key.nulls_first,
                        loose: key.loose,
                    })
                    .collect(),
            ),
            Stage::Dedup(Dedup { keys, keep, consecutive }) => {
                Self::Dedup { keys: compiled(keys), keep: *keep, consecutive: *consecutive }
            }
            Stage::Expand(expand) => Self::Expand(expand.clone()),
            Stage::Collapse(column) => Self::Collapse(Arc::clone(column)),
            Stage::FillNull { columns, value } => Self::FillNull { columns: columns.clone(), value: value.clone() },
            Stage::FillDown(columns) => Self::FillDown(columns.clone()),
            Stage::Join(join) => Self::Join {
                left: join.keys.iter().map(|(left, _)| StageExpr::new(left)).collect(),
                right: join.keys.iter().map(|(_, right)| StageExpr::new(right)).collect(),
                join: join.clone(),
            },
            Stage::Semi(semi) => Self::Semi(semi_plan(semi)),
            Stage::Append(branch) => Self::Append(*branch),
            Stage::AppendColumns { branch, overwrite } => {
                Self::AppendColumns { branch: *branch, overwrite: *overwrite }
            }
            Stage::Lookup(lookup) => Self::Lookup(Box::new(LookupPlan::new(lookup, &settings.tables)?)),
            Stage::Judge(judge) => Self::Judge(Box::new(JudgePlan::new(judge, &settings.tables)?)),
            Stage::Pivot(pivot) => Self::Pivot(pivot.clone()),
            Stage::Unpivot { keep, name, value } => {
                Self::Unpivot { keep: keep.clone(), name: Arc::clone(name), value: Arc::clone(value) }
            }
            Stage::Transaction(transaction) => Self::Transaction(Box::new(TransactionPlan::new(transaction))),
            Stage::Complete(words) => Self::Complete(Box::new(CompletionPlan::new(words, &settings.endpoints)?)),
            Stage::Moment(moment) => Self::Moment(moment.clone()),
            Stage::Format(format) => Self::Format(Box::new(format.clone())),
            Stage::Selected(selected) => Self::Selected(selected.clone()),
            Stage::Repeat(repeat) => {
                Self::Repeat(Box::new(RepeatPlan { words: repeat.clone(), settings: settings.clone() }))
            }
            Stage::TextTable(table) => Self::TextTable(Box::new(TextTablePlan::new(table))),
            Stage::Locate(locate) => Self::Locate(Box::new(LocatePlan::new(locate, &settings.tables))),
            Stage::Recognize(words) => Self::Recognize(Box::new(RecognizePlan::new(words, &settings.tables))),
        })
    }

    /// Whether rows are collected before this stage.
    pub(super) fn needs_all_rows(&self) -> bool {
        match self {
            Self::Where(_)
            | Self::Eval(_)
            | Self::Project(_)
            | Self::Fields(_)
            | Self::ForEachColumn(_)
            | Self::Keep(_)
            | Self::Drop(_)
            | Self::Rename(_)
            | Self::Expand(_)
            | Self::Unpivot { .. }
            | Self::TextTable(_)
            | Self::Locate(_)
            | Self::Recognize(_)
            | Self::Lookup(_)
            | Self::Judge(_) => false,
            Self::FillNull { columns, .. } => columns.iter().any(|column| matches!(column, ColumnPattern::Like(_))),
            _ => true,
        }
    }

    /// Whether it may make rows of none.
    pub(super) fn makes_rows(&self) -> bool {
        match self {
            Self::Aggregate(plan) => plan.by.keys.is_empty() && !plan.is_window(),
            Self::Append(_) | Self::Format(_) => true,
            Self::Join { join, .. } => join.kind == lurcher_ir::JoinKind::Full,
            _ => false,
        }
    }
}

pub(super) fn named(columns: &[(Arc<str>, Expr)]) -> Vec<(Arc<str>, StageExpr)> {
    columns.iter().map(|(name, expr)| (Arc::clone(name), StageExpr::new(expr))).collect()
}

fn compiled(exprs: &[Expr]) -> Vec<StageExpr> {
    exprs.iter().map(StageExpr::new).collect()
}

fn semi_plan(semi: &Semi) -> SemiPlan {
    SemiPlan {
        branch: semi.branch,
        columns: named(&semi.columns),
        case: semi.case,
        wildcards: semi.wildcards,
        negated: semi.negated,
    }
}

impl ForEachPlan {
    fn new(each: &ForEachColumn) -> Self {
        let set = |target: &MadeName, expr: &Expr| {
            let is_read = |name: &Arc<str>| expr.reads_column(&|column| column == name.as_ref());
            ForEachSet {
                target: target.clone(),
                reads: each.reads.iter().filter(|(name, _)| is_read(name)).cloned().collect(),
                value: StageExpr::new(expr),
            }
        };
        Self {
            columns: each.columns.clone(),
            texts: each.texts.clone(),
            sets: each.sets.iter().map(|(target, expr)| set(target, expr)).collect(),
        }
    }
}

impl TransactionPlan {
    fn new(words: &Transaction) -> Self {
        let span = |span: Option<Duration>| span.map(millis);
        Self {
            keys: named(&words.keys),
            time: words.time.as_ref().map(StageExpr::new),
            starts: words.starts.as_ref().map(StageExpr::new),
            ends: words.ends.as_ref().map(StageExpr::new),
            max_span: span(words.max_span),
            max_pause: span(words.max_pause),
            words: words.clone(),
        }
    }
}

impl AnomalyPlan {
    fn new(anomaly: &Anomaly) -> Self {
        let compiled = StageExpr::new;
        match anomaly {
            Anomaly::FirstSeen { inputs, output } => {
                Self::FirstSeen { inputs: inputs.iter().map(compiled).collect(), output: Arc::clone(output) }
            }
            Anomaly::Quantile { value, entity, time, window, threshold } => Self::Quantile {
                value: compiled(value),
                entity: compiled(entity),
                time: compiled(time),
                window: *window,
                threshold: *threshold,
            },
            Anomaly::Gaussian { value, entity, time, window, threshold } => Self::Gaussian {
                value: compiled(value),
                entity: compiled(entity),
                time: compiled(time),
                window: *window,
                threshold: *threshold,
            },
            Anomaly::Conditional { condition, target, output } => Self::Conditional {
                condition: compiled(condition),
                target: compiled(target),
                output: Arc::clone(output),
            },
        }
    }
}
