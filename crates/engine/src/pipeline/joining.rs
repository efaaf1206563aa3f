//! Stages that take the rows of another branch: joins, nested queries as filters, rows and columns put beside others.

use std::{collections::BTreeMap, sync::Arc};

use lurcher_ir::{Case, Join, JoinKind, Wildcard, WildcardPiece, fold_text};
use lurcher_schema::Value;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    Relation, RelationalError, distinct_events, expression::StageExpr, grouping::combinations, row::PipelineRow,
    stateful::Seat,
};
use crate::eval::wildcard_matches;

/// The keys of rows as texts, each row once for every combination of single values; rows with a null key are left out.
struct Keyed {
    relation: Relation,
    /// The row that each row of the relation stands for.
    rows: Vec<usize>,
}

fn keyed(rows: &[PipelineRow], keys: &[StageExpr], seat: &mut Seat<'_>) -> Keyed {
    let mut columns: Vec<Vec<Value>> = vec![Vec::new(); keys.len()];
    let mut stands = Vec::new();
    let mut capped = 0;
    for (number, row) in rows.iter().enumerate() {
        let values: Vec<Vec<Value>> = keys.iter().map(|key| texts(&seat.value(row, key))).collect();
        if values.iter().any(Vec::is_empty) {
            continue;
        }
        for tuple in combinations(values.into_iter(), &mut capped) {
            stands.push(number);
            columns.iter_mut().zip(tuple).for_each(|(column, value)| column.push(value));
        }
    }
    seat.capped += capped;
    Keyed { relation: Relation { rows: stands.len(), columns }, rows: stands }
}

/// The text forms of the distinct single values.
fn texts(value: &Value) -> Vec<Value> {
    let mut seen: FxHashSet<Arc<str>> = FxHashSet::default();
    let texts = value.elements().map(text).filter(|text| seen.insert(Arc::clone(text)));
    texts.map(Value::Text).collect()
}

/// The text form of a single value.
pub(super) fn text(value: &Value) -> Arc<str> {
    match value {
        Value::Text(text) => Arc::clone(text),
        other => other.to_string().into(),
    }
}

/// A left row with the columns and events of a right one.
fn joined(left: &PipelineRow, right: &PipelineRow, overwrite: bool) -> PipelineRow {
    let mut row = left.clone();
    for (name, value) in &right.columns {
        let present = row.columns.get(name).is_some_and(|own| !own.is_null());
        if !present || (overwrite && !value.is_null()) {
            row.columns.insert(Arc::clone(name), value.clone());
        }
    }
    row.merged = distinct_events(left.events().iter().chain(right.events()).copied());
    row
}

/// See [`Join`].
pub(super) fn join(
    words: &Join,
    keys: (&[StageExpr], &[StageExpr]),
    left: Vec<PipelineRow>,
    seat: &mut Seat<'_>,
) -> Result<Vec<PipelineRow>, RelationalError> {
    let right = seat.branch(words.branch);
    let (left_keys, right_keys) = (keyed(&left, keys.0, seat), keyed(&right, keys.1, seat));
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    if left_keys.relation.rows > 0 && right_keys.relation.rows > 0 {
        let found = seat.relational()?.join(&left_keys.relation, &right_keys.relation)?;
        let row = |(a, b): (usize, usize)| Some((*left_keys.rows.get(a)?, *right_keys.rows.get(b)?));
        pairs.extend(found.into_iter().filter_map(row));
        pairs.sort_unstable();
        pairs.dedup();
    }
    let most = words.most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let mut made = Vec::new();
    let mut matched = vec![false; right.len()];
    let mut pairs = pairs.into_iter().peekable();
    for (number, row) in left.into_iter().enumerate() {
        let mut partners = Vec::new();
        while let Some((_, partner)) = pairs.next_if(|(left, _)| *left == number) {
            partners.push(partner);
        }
        if partners.is_empty() && words.kind != JoinKind::Inner {
            made.push(row);
            continue;
        }
        for partner in partners.into_iter().take(most) {
            let Some(other) = right.get(partner) else { continue };
            made.push(joined(&row, other, words.overwrite));
            if let Some(matched) = matched.get_mut(partner) {
                *matched = true;
            }
        }
    }
    if words.kind == JoinKind::Full {
        let alone = right.iter().zip(matched).filter(|(_, matched)| !matched).map(|(row, _)| row.clone());
        made.extend(alone);
    }
    Ok(made)
}

/// See [`lurcher_ir::Stage::AppendColumns`].
pub(super) fn append_columns(rows: &mut [PipelineRow], other: &[PipelineRow], overwrite: bool) {
    for (row, other) in rows.iter_mut().zip(other) {
        *row = joined(row, other, overwrite);
    }
}

/// See [`lurcher_ir::Semi`].
#[derive(Debug)]
pub(crate) struct SemiPlan {
    pub(super) branch: usize,
    pub(super) columns: Vec<(Arc<str>, StageExpr)>,
    pub(super) case: Case,
    pub(super) wildcards: bool,
    pub(super) negated: bool,
}

/// The rows of the other branch, by which of the columns they have.
#[derive(Default)]
struct Wanted {
    /// Columns with plain texts: the tuples of texts.
    plain: BTreeMap<Vec<usize>, FxHashSet<Vec<Arc<str>>>>,
    /// Rows with a pattern in them: for each column the alternatives.
    patterns: FxHashSet<Vec<(usize, Vec<Wildcard>)>>,
}

impl SemiPlan {
    pub(super) fn apply(&self, rows: Vec<PipelineRow>, seat: &mut Seat<'_>) -> Vec<PipelineRow> {
        let other = seat.branch(self.branch);
        let wanted = self.wanted(&other, &mut seat.capped);
        let mut kept = Vec::new();
        for row in rows {
            let own: Vec<Vec<Arc<str>>> = self
                .columns
                .iter()
                .map(|(_, expr)| seat.value(&row, expr).elements().map(|value| self.fold(value)).collect())
                .collect();
            if wanted.fits(&own, &mut seat.capped) != self.negated {
                kept.push(row);
            }
        }
        kept
    }

    fn fold(&self, value: &Value) -> Arc<str> {
        match self.case {
            Case::Sensitive => text(value),
            Case::Insensitive => fold_text(&text(value)).into(),
        }
    }

    fn wanted(&self, other: &[PipelineRow], capped: &mut u64) -> Wanted {
        let mut wanted = Wanted::default();
        for row in other {
            let cells: Vec<(usize, Vec<Arc<str>>)> = self
                .columns
                .iter()
                .enumerate()
                .filter_map(|(place, (name, _))| Some((place, row.columns.get(name)?)))
                .map(|(place, value)| (place, value.elements().map(|value| self.fold(value)).collect()))
                .filter(|(_, values): &(usize, Vec<_>)| !values.is_empty())
                .collect();
            if cells.is_empty() {
                continue;
            }
            if self.wildcards && cells.iter().flat_map(|(_, values)| values).any(|value| value.contains('*')) {
                let patterns = cells.into_iter().map(|(place, v)| (place, v.iter().map(|v| stars(v)).collect()));
                wanted.patterns.insert(patterns.collect());
                continue;
            }
            let (places, values): (Vec<usize>, Vec<Vec<Arc<str>>>) = cells.into_iter().unzip();
            wanted.plain.entry(places).or_default().extend(tuples(&values, capped));
        }
        wanted
    }
}

impl Wanted {
    /// Whether a row with these texts fits one of the other branch's.
    fn fits(&self, own: &[Vec<Arc<str>>], capped: &mut u64) -> bool {
        let plain = self.plain.iter().any(|(places, known)| {
            let values: Vec<Vec<Arc<str>>> =
                places.iter().map(|place| own.get(*place).cloned().unwrap_or_default()).collect();
            tuples(&values, capped).iter().any(|tuple| known.contains(tuple))
        });
        plain
            || self.patterns.iter().any(|row| {
                row.iter().all(|(place, patterns)| {
                    let values = own.get(*place).map_or(&[][..], Vec::as_slice);
                    let fits = |value: &Arc<str>| patterns.iter().any(|p| wildcard_matches(p, value, Case::Sensitive));
                    values.iter().any(fits)
                })
            })
    }
}

/// All tuples of one text from each.
fn tuples(values: &[Vec<Arc<str>>], capped: &mut u64) -> Vec<Vec<Arc<str>>> {
    let values = values.iter().map(|texts| texts.iter().cloned().map(Value::Text).collect());
    let text = |value: &Value| text(value);
    combinations(values, capped).iter().map(|tuple| tuple.iter().map(text).collect()).collect()
}

/// A pattern in which only `*` is special.
pub(super) fn stars(pattern: &str) -> Wildcard {
    let mut pieces = Vec::new();
    for (number, part) in pattern.split('*').enumerate() {
        if number > 0 {
            pieces.push(WildcardPiece::Any);
        }
        pieces.push(WildcardPiece::Literal(part.into()));
    }
    Wildcard::new(pieces)
}

/// The rows of earlier branches that stages of later ones take.
#[derive(Debug, Default)]
pub(crate) struct Gathered(FxHashMap<usize, Arc<[PipelineRow]>>);

impl Gathered {
    pub(super) fn put(&mut self, branch: usize, rows: &[PipelineRow]) {
        self.0.insert(branch, rows.into());
    }

    pub(super) fn get(&self, branch: usize) -> Arc<[PipelineRow]> {
        self.0.get(&branch).map_or_else(|| [].into(), Arc::clone)
    }
}
