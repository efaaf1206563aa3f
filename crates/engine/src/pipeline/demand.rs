//! What conditions behind an aggregation ask of its groups, known before the groups are made.
//!
//! Rules count first and ask for much afterwards (`STATS n = COUNT_DISTINCT(…), paths = VALUES(…) BY host | WHERE n > 0`), and
//! nearly no group ever has it. How many values an aggregate takes of a group is cheap to tell: of a count it is the
//! result, and an aggregate that takes none has the result of no rows. Where a condition fails for that, the group is
//! doomed: its rows are left out before all the other columns are computed of them.
//!
//! Only conditions that read one such column alone are looked at; they decide about the group whatever else it has.

use std::sync::Arc;

use lurcher_ir::{Aggregate, Expr, Function, Stage};
use lurcher_schema::{Object, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    Accumulator,
    expression::StageExpr,
    grouping::{AggregatePlan, AggregationPlan},
    row::PipelineRow,
    stateful::Seat,
};

/// A condition on one aggregate of a group.
#[derive(Debug)]
pub(super) struct Demand {
    /// Which aggregate.
    aggregate: usize,
    condition: StageExpr,
}

impl Demand {
    /// What the stages behind an aggregation ask of its aggregates one by one.
    pub(super) fn all(aggregates: &[AggregatePlan], stages: &[Stage]) -> Vec<Self> {
        let mut demands = Vec::new();
        let mut changed: FxHashSet<&str> = FxHashSet::default();
        for stage in stages {
            match stage {
                Stage::Eval(columns) => changed.extend(columns.iter().map(|(name, _)| name.as_ref())),
                Stage::Where(condition) => {
                    let mut parts = Vec::new();
                    conjuncts(condition, &mut parts);
                    for part in parts {
                        let name = only_column(part).filter(|name| !changed.contains(name.as_ref()));
                        // Of two columns with one name the last stays.
                        let place = name.and_then(|name| aggregates.iter().rposition(|own| own.name == *name));
                        demands.extend(place.map(|aggregate| Self { aggregate, condition: StageExpr::new(part) }));
                    }
                }
                _ => break,
            }
        }
        demands
    }
}

fn conjuncts<'e>(expr: &'e Expr, parts: &mut Vec<&'e Expr>) {
    match expr {
        Expr::Call(Function::And, inner) => inner.iter().for_each(|part| conjuncts(part, parts)),
        other => parts.push(other),
    }
}

/// The one column that an expression reads, if it reads nothing else.
fn only_column(expr: &Expr) -> Option<&Arc<str>> {
    fn read<'e>(expr: &'e Expr, names: &mut Vec<&'e Arc<str>>) -> bool {
        let mut alone = match expr {
            Expr::Column(name) => {
                names.push(name);
                true
            }
            Expr::Field(_) | Expr::Event(_) | Expr::ForEach { .. } | Expr::Call(Function::Now, _) => false,
            _ => true,
        };
        expr.parts(&mut |part| alone &= read(part, names));
        alone
    }
    let mut names = Vec::new();
    if !read(expr, &mut names) {
        return None;
    }
    let first = names.first().copied()?;
    names.iter().all(|name| *name == first).then_some(first)
}

/// The groups that a condition drops for what is known of them beforehand.
#[derive(Debug, Default)]
pub(super) struct Doomed {
    /// Their keys.
    pub(super) keys: FxHashSet<Vec<Value>>,
    /// The rows that are in other groups, too; none if all rows are.
    pub(super) rows: Option<Vec<PipelineRow>>,
}

impl Doomed {
    /// Those among the groups that an aggregation would make of rows.
    pub(super) fn of(plan: &AggregationPlan, rows: &[PipelineRow], seat: &mut Seat<'_>) -> Self {
        if plan.demands.is_empty() {
            return Self::default();
        }
        let mut numbers: FxHashMap<Vec<Value>, usize> = FxHashMap::default();
        let mut counts: Vec<Vec<Accumulator>> = Vec::new();
        let mut of_row: Vec<Vec<usize>> = Vec::with_capacity(rows.len());
        for row in rows {
            let keys: Vec<Value> = plan.by.keys.iter().map(|(_, key)| seat.value(row, key)).collect();
            let tuples = plan.by.tuples(&keys, &mut 0);
            let arguments: Vec<Option<Vec<Value>>> =
                plan.demands.iter().map(|demand| plan.aggregates.get(demand.aggregate)?.arguments(row, seat)).collect();
            let mut own = Vec::with_capacity(tuples.len());
            for tuple in tuples {
                let next = numbers.len();
                let number = *numbers.entry(tuple).or_insert(next);
                if number == next {
                    counts.push(plan.demands.iter().map(|demand| counter(plan, demand)).collect());
                }
                if let Some(counts) = counts.get_mut(number) {
                    for (count, arguments) in counts.iter_mut().zip(&arguments) {
                        if let Some(arguments) = arguments {
                            count.push(&arguments.iter().take(1).collect::<Vec<_>>());
                        }
                    }
                }
                own.push(number);
            }
            of_row.push(own);
        }
        let doomed: Vec<bool> = counts.iter().map(|counts| is_doomed(plan, counts, seat)).collect();
        if !doomed.contains(&true) {
            return Self::default();
        }
        let lives = |groups: &Vec<usize>| groups.iter().any(|group| doomed.get(*group) == Some(&false));
        let rows = rows.iter().zip(&of_row).filter(|(_, groups)| lives(groups)).map(|(row, _)| row.clone()).collect();
        let keys = numbers.into_iter().filter(|(_, number)| doomed.get(*number) == Some(&true)).map(|(keys, _)| keys);
        Self { keys: keys.collect(), rows: Some(rows) }
    }
}

/// Counts what an aggregate takes.
fn counter(plan: &AggregationPlan, demand: &Demand) -> Accumulator {
    let elements = plan.aggregates.get(demand.aggregate).is_some_and(|aggregate| aggregate.elements);
    Accumulator::new(Aggregate::Count, elements)
}

/// Whether some condition fails for how much the aggregates take.
fn is_doomed(plan: &AggregationPlan, counts: &[Accumulator], seat: &mut Seat<'_>) -> bool {
    plan.demands.iter().zip(counts).any(|(demand, count)| {
        let Some(aggregate) = plan.aggregates.get(demand.aggregate) else { return false };
        let count = count.value();
        let value = match aggregate.function {
            Aggregate::Count => count,
            function if count == Value::Int(0) => Accumulator::new(function, aggregate.elements).value(),
            _ => return false,
        };
        let columns: Object = [(Arc::clone(&aggregate.name), value)].into_iter().collect();
        demand.condition.over_columns(&columns, seat.now) != Value::Bool(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_looked_at_if_it_reads_one_column_alone() {
        let column = |name: &str| Expr::Column(name.into());
        let more = |name: &str| Expr::call(Function::Less, [Expr::Literal(Value::Int(0)), column(name)]);
        assert_eq!(only_column(&more("n")).map(AsRef::as_ref), Some("n"));
        let both = Expr::call(Function::Less, [column("n"), column("m")]);
        assert_eq!(only_column(&both), None);
        let all = Expr::call(Function::And, [more("n"), Expr::call(Function::And, [more("m"), both])]);
        let mut parts = Vec::new();
        conjuncts(&all, &mut parts);
        assert_eq!(parts.iter().filter_map(|part| only_column(part)).count(), 2);
    }
}
