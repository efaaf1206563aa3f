//! Stages that change the shape of rows: columns to rows and back, lists, gaps.

use std::sync::Arc;

use lurcher_ir::{ColumnPattern, Pivot};
use lurcher_schema::{Object, Timestamp, Value};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    accumulate::{compare_values, lone},
    distinct_events,
    plan::ForEachPlan,
    row::{PipelineRow, RowSource},
};
use crate::eval::{Number, read_number};

/// See [`lurcher_ir::ForEachColumn`].
pub(super) fn for_each_column(plan: &ForEachPlan, row: &mut PipelineRow, source: &mut dyn RowSource, now: Timestamp) {
    let mut taken: FxHashSet<Arc<str>> = FxHashSet::default();
    let mut targets: Vec<(Arc<str>, &ColumnPattern)> = Vec::new();
    for pattern in &plan.columns {
        let mut names = row.names(|name| pattern.fits(name).is_some());
        names.sort_unstable();
        names.retain(|name| taken.insert(Arc::clone(name)));
        targets.extend(names.into_iter().map(|name| (name, pattern)));
    }
    if targets.is_empty() {
        return;
    }
    for (name, pattern) in targets {
        let found = pattern.fits(&name).unwrap_or_default();
        for (column, text) in &plan.texts {
            row.columns.insert(Arc::clone(column), Value::Text(text.fill(&name, &found)));
        }
        for set in &plan.sets {
            // Read anew for each: one before may have set it.
            for (column, read) in &set.reads {
                let value = row.columns.get(&read.fill(&name, &found)).cloned().unwrap_or_default();
                row.columns.insert(Arc::clone(column), value);
            }
            let value = set.value.value(row, source, now);
            row.columns.insert(set.target.fill(&name, &found), value);
        }
    }
    for (column, _) in plan.texts.iter().chain(plan.sets.iter().flat_map(|set| &set.reads)) {
        row.columns.remove(column);
    }
}

/// See [`lurcher_ir::Stage::Unpivot`].
pub(super) fn unpivot(row: &PipelineRow, keep: &[Arc<str>], name: &Arc<str>, value: &Arc<str>) -> Vec<PipelineRow> {
    let kept: Object =
        keep.iter().filter_map(|name| Some((Arc::clone(name), row.columns.get(name)?.clone()))).collect();
    let others: Vec<(Arc<str>, Value)> =
        row.columns.iter().filter(|(name, value)| !keep.contains(name) && !value.is_null()).cloned().collect();
    let count = others.len() as u64;
    let made = others.into_iter().enumerate().map(|(number, (column, cell))| {
        let mut made = row.clone();
        made.columns = kept.clone();
        made.columns.insert(Arc::clone(name), Value::Text(column));
        made.columns.insert(Arc::clone(value), cell);
        made.place.position = row.place.position.wrapping_mul(count) + number as u64;
        made
    });
    made.collect()
}

/// The names of all columns that fit: exact names whether there or not, of patterns what any row has.
fn fitting(rows: &[PipelineRow], patterns: &[ColumnPattern]) -> Vec<Arc<str>> {
    let mut names: Vec<Arc<str>> = Vec::new();
    let mut seen: FxHashSet<Arc<str>> = FxHashSet::default();
    for pattern in patterns {
        match pattern {
            ColumnPattern::Named(name) => {
                if seen.insert(Arc::clone(name)) {
                    names.push(Arc::clone(name));
                }
            }
            ColumnPattern::Like(_) => {
                for (name, _) in rows.iter().flat_map(|row| row.columns.iter()) {
                    if !seen.contains(name) && pattern.fits(name).is_some() {
                        seen.insert(Arc::clone(name));
                        names.push(Arc::clone(name));
                    }
                }
            }
        }
    }
    names
}

/// See [`lurcher_ir::Stage::FillNull`].
pub(super) fn fill_null(rows: &mut [PipelineRow], columns: &[ColumnPattern], value: &Value) {
    let names = fitting(rows, columns);
    for row in rows {
        fill(row, &names, |_| value.clone());
    }
}

fn fill(row: &mut PipelineRow, names: &[Arc<str>], value: impl Fn(&Arc<str>) -> Value) {
    for name in names {
        if row.columns.get(name).is_none_or(Value::is_missing) {
            row.columns.insert(Arc::clone(name), value(name));
        }
    }
}

/// See [`lurcher_ir::Stage::FillDown`].
pub(super) fn fill_down(rows: &mut [PipelineRow], columns: &[ColumnPattern]) {
    let names = fitting(rows, columns);
    let mut before = Object::default();
    for row in rows {
        for name in &names {
            if row.columns.get(name).is_none_or(Value::is_missing) {
                if let Some(value) = before.get(name) {
                    row.columns.insert(Arc::clone(name), value.clone());
                }
            } else if let Some(value) = row.columns.get(name) {
                before.insert(Arc::clone(name), value.clone());
            }
        }
    }
}

/// See [`lurcher_ir::Stage::Collapse`].
pub(super) fn collapse(rows: Vec<PipelineRow>, column: &Arc<str>) -> Vec<PipelineRow> {
    let mut places: FxHashMap<Vec<(Arc<str>, Value)>, usize> = FxHashMap::default();
    let mut groups: Vec<(PipelineRow, Vec<Value>)> = Vec::new();
    for row in rows {
        let mut rest: Vec<(Arc<str>, Value)> =
            row.columns.iter().filter(|(name, value)| name != column && !value.is_null()).cloned().collect();
        rest.sort_by(|(a, _), (b, _)| a.cmp(b));
        let own: Vec<Value> = row.columns.get(column).map(|v| v.elements().cloned().collect()).unwrap_or_default();
        match places.get(&rest).and_then(|place| groups.get_mut(*place)) {
            None => {
                places.insert(rest, groups.len());
                groups.push((row, own));
            }
            Some((first, values)) => {
                values.extend(own);
                first.merged = distinct_events(first.events().iter().chain(row.events()).copied());
            }
        }
    }
    let made = groups.into_iter().map(|(mut row, values)| {
        row.columns.insert(Arc::clone(column), lone(values));
        row
    });
    made.collect()
}

/// The number that a cell counts as in a sum.
fn number(value: &Value) -> f64 {
    let number = match value {
        Value::Text(text) => read_number(text),
        other => Number::of(other),
    };
    number.map_or(0.0, Number::as_f64)
}

/// See [`Pivot`].
pub(super) fn pivot(words: &Pivot, rows: &[PipelineRow]) -> Vec<PipelineRow> {
    let series_of = |row: &PipelineRow| -> Option<Value> {
        match row.columns.get(&words.names) {
            Some(value) if !value.is_null() => Some(value.clone()),
            _ => words.null.clone().map(Value::Text),
        }
    };
    let mut totals: FxHashMap<Value, f64> = FxHashMap::default();
    for row in rows {
        if let Some(series) = series_of(row) {
            let cells = words.values.iter().filter_map(|name| row.columns.get(name)).map(number);
            *totals.entry(series).or_default() += cells.sum::<f64>();
        }
    }
    let mut series: Vec<Value> = totals.keys().cloned().collect();
    series.sort_by(compare_values);
    let most = words.most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    if series.len() > most {
        let total = |series: &Value| totals.get(series).copied().unwrap_or_default();
        let mut ranked = series.clone();
        ranked.sort_by(|a, b| total(b).total_cmp(&total(a)));
        let kept: FxHashSet<Value> = ranked.into_iter().take(most).collect();
        series.retain(|value| kept.contains(value));
    }
    let column = |value: &str, series: &str| -> Arc<str> {
        if words.values.len() == 1 { series.into() } else { format!("{value}{}{series}", words.separator).into() }
    };
    let mut names: Vec<Arc<str>> = Vec::new();
    for value in &words.values {
        names.extend(series.iter().map(|series| column(value, &series.to_string())));
        names.extend(words.other.iter().filter(|_| totals.len() > most).map(|other| column(value, other)));
    }
    let mut places: FxHashMap<Vec<Value>, usize> = FxHashMap::default();
    let mut made: Vec<PipelineRow> = Vec::new();
    for row in rows {
        let keys: Vec<Value> =
            words.keys.iter().map(|name| row.columns.get(name).cloned().unwrap_or_default()).collect();
        let place = *places.entry(keys.clone()).or_insert_with(|| {
            let mut first = row.clone();
            first.columns = words.keys.iter().cloned().zip(keys).collect();
            for name in &names {
                first.columns.insert(Arc::clone(name), words.missing.clone());
            }
            (first.own, first.captured) = (None, None);
            first.merged = row.events().to_vec();
            made.push(first);
            made.len() - 1
        });
        let Some(target) = made.get_mut(place) else { continue };
        target.merged = distinct_events(target.merged.iter().chain(row.events()).copied());
        let Some(own) = series_of(row) else { continue };
        for value in &words.values {
            let Some(cell) = row.columns.get(value) else { continue };
            if series.contains(&own) {
                target.columns.insert(column(value, &own.to_string()), cell.clone());
            } else if let Some(other) = &words.other {
                let name = column(value, other);
                let sum = target.columns.get(&name).map_or(0.0, number) + number(cell);
                let whole = sum.fract() == 0.0 && sum.abs() < 9e15;
                target.columns.insert(name, if whole { Value::Int(sum as i64) } else { Value::Float(sum) });
            }
        }
    }
    made
}
