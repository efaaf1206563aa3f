//! A pipeline made ready to run: expressions compiled, branches linked to those that read them.

use std::sync::Arc;

use lurcher_ir::{Aggregate, Anomaly, ColumnPattern, Expr, FieldRef, Input, Pipeline, Sink, Stage, Window};

use super::Windows;
use crate::eval::{CompiledExpr, millis};

/// A pipeline made ready to run.
#[derive(Debug)]
pub(crate) struct PipelinePlan {
    pub(crate) branches: Vec<BranchPlan>,
}

#[derive(Debug)]
pub(crate) struct BranchPlan {
    /// The filters whose events come in.
    pub(super) filters: Vec<usize>,
    pub(super) stages: Vec<StagePlan>,
    /// The fields that rows are judged by from the first stage on that needs all of them: in this branch and in those
    /// that read it. (What only the surviving rows are asked for is read back from their events.)
    pub(super) captures: Arc<[FieldRef]>,
    /// The branches that read this one; all stand behind it.
    pub(super) readers: Vec<usize>,
    pub(super) sink: Option<Sink>,
}

/// A stage made ready to run; see [`Stage`].
#[derive(Debug)]
pub(crate) enum StagePlan {
    Where(CompiledExpr),
    Eval(Vec<(Arc<str>, CompiledExpr)>),
    Project(Vec<(Arc<str>, CompiledExpr)>),
    Keep(Vec<ColumnPattern>),
    Drop(Vec<ColumnPattern>),
    Rename(Vec<(ColumnPattern, ColumnPattern)>),
    Expand(Arc<str>),
    Window(WindowPlan),
    Anomaly(AnomalyPlan),
    Head(u64),
    Sort(Vec<(CompiledExpr, bool)>),
    Dedup(Vec<CompiledExpr>),
    /// A stage that this version does not run.
    NotRun,
}

#[derive(Debug)]
pub(crate) struct WindowPlan {
    pub(super) keys: Vec<(Arc<str>, CompiledExpr)>,
    /// Name, function, and the index of the argument in `arguments`.
    pub(super) aggregates: Vec<(Arc<str>, Aggregate, Option<usize>)>,
    pub(super) arguments: Vec<CompiledExpr>,
    /// The time and the window (whose column is set when it runs).
    pub(super) span: Option<(CompiledExpr, Windows)>,
}

#[derive(Debug)]
pub(crate) enum AnomalyPlan {
    FirstSeen { inputs: Vec<CompiledExpr>, output: Arc<str> },
    Quantile { value: CompiledExpr, entity: CompiledExpr, time: CompiledExpr, window: Option<i64>, threshold: f64 },
    Gaussian { value: CompiledExpr, entity: CompiledExpr, time: CompiledExpr, window: Option<i64>, threshold: f64 },
    Conditional { condition: CompiledExpr, target: CompiledExpr, output: Arc<str> },
}

impl PipelinePlan {
    pub(crate) fn new(pipeline: &Pipeline) -> Self {
        let branches = pipeline.branches.iter().enumerate().map(|(number, branch)| {
            let inputs = &branch.inputs;
            let readers = pipeline.branches.iter().enumerate().skip(number + 1).flat_map(|(reader, other)| {
                let reads = other.inputs.iter().filter(move |input| **input == Input::Branch(number));
                reads.map(move |_| reader)
            });
            let stages: Vec<StagePlan> = branch.stages.iter().map(StagePlan::new).collect();
            BranchPlan {
                captures: captures(pipeline, number, &stages),
                filters: inputs
                    .iter()
                    .filter_map(|input| if let Input::Filter(filter) = input { Some(*filter) } else { None })
                    .collect(),
                stages,
                readers: readers.collect(),
                sink: branch.sink.clone(),
            }
        });
        Self { branches: branches.collect() }
    }
}

/// The fields that the rows of a branch are judged by once they have been collected; none if they never are. `stages`
/// are the branch's own.
fn captures(pipeline: &Pipeline, branch: usize, stages: &[StagePlan]) -> Arc<[FieldRef]> {
    // What stands before the first stage that collects has been settled by then.
    let Some(settled) = stages.iter().position(StagePlan::needs_all_rows) else { return [].into() };
    let mut reached = vec![false; pipeline.branches.len()];
    let mut fields: Vec<FieldRef> = Vec::new();
    for (number, other) in pipeline.branches.iter().enumerate().skip(branch) {
        let reads = |input: &Input| matches!(input, Input::Branch(read) if reached.get(*read) == Some(&true));
        let is_reached = number == branch || other.inputs.iter().any(reads);
        if let Some(slot) = reached.get_mut(number) {
            *slot = is_reached;
        }
        let settled = if number == branch { settled } else { 0 };
        for expr in other.stages.iter().skip(settled).filter(|_| is_reached).flat_map(judging) {
            expr.fields(&mut |field| {
                if !fields.contains(field) {
                    fields.push(field.clone());
                }
            });
        }
    }
    fields.into()
}

/// The expressions that decide which rows a stage lets through, and how it groups, orders or judges them.
fn judging(stage: &Stage) -> Vec<&Expr> {
    match stage {
        Stage::Eval(_) | Stage::Project(_) | Stage::ForEachColumn(_) => Vec::new(),
        judging => judging.expressions(),
    }
}

impl StagePlan {
    fn new(stage: &Stage) -> Self {
        match stage {
            Stage::Where(condition) => Self::Where(CompiledExpr::new(condition)),
            Stage::Eval(columns) => Self::Eval(named(columns)),
            Stage::Project(columns) => Self::Project(named(columns)),
            Stage::Keep(names) => Self::Keep(names.clone()),
            Stage::Drop(names) => Self::Drop(names.clone()),
            Stage::Rename(names) => Self::Rename(names.clone()),
            Stage::Window(window) => Self::Window(WindowPlan::new(window)),
            Stage::Anomaly(anomaly) => Self::Anomaly(AnomalyPlan::new(anomaly)),
            Stage::Head(count) => Self::Head(*count),
            Stage::Sort(keys) => {
                Self::Sort(keys.iter().map(|key| (CompiledExpr::new(&key.expr), key.descending)).collect())
            }
            Stage::Dedup(dedup) => Self::Dedup(dedup.keys.iter().map(CompiledExpr::new).collect()),
            Stage::Expand(expand) => Self::Expand(Arc::clone(&expand.column)),
            _ => Self::NotRun,
        }
    }

    /// Whether rows are collected before this stage.
    pub(super) fn needs_all_rows(&self) -> bool {
        matches!(
            self,
            Self::Window(_) | Self::Anomaly(_) | Self::Head(_) | Self::Sort(_) | Self::Dedup(_) | Self::NotRun
        )
    }
}

fn named(columns: &[(Arc<str>, Expr)]) -> Vec<(Arc<str>, CompiledExpr)> {
    columns.iter().map(|(name, expr)| (Arc::clone(name), CompiledExpr::new(expr))).collect()
}

impl WindowPlan {
    fn new(window: &Window) -> Self {
        let mut arguments = Vec::new();
        let aggregates = window.aggregates.iter().map(|aggregate| {
            let argument = aggregate.arguments.first().map(|argument| {
                arguments.push(CompiledExpr::new(argument));
                arguments.len() - 1
            });
            (Arc::clone(&aggregate.name), aggregate.function, argument)
        });
        Self {
            keys: named(&window.keys),
            aggregates: aggregates.collect(),
            arguments,
            span: window.span.as_ref().map(|span| {
                let (size, slide) = (millis(span.size).max(1), millis(span.slide).max(1));
                (CompiledExpr::new(&span.time), Windows { time: 0, size, slide })
            }),
        }
    }
}

impl AnomalyPlan {
    fn new(anomaly: &Anomaly) -> Self {
        let compiled = CompiledExpr::new;
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
