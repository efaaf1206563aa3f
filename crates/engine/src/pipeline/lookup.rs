//! Looking up rows of a table: exactly through an index, by patterns and networks one row after the other, the answer for
//! each tuple of values remembered.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use lurcher_ir::{Case, Lookup, LookupMatch, LookupRows, Network, Wildcard, fold_text};
use lurcher_schema::{Timestamp, Value};
use rustc_hash::FxHashMap;

use super::{
    accumulate::lone,
    expression::StageExpr,
    joining::{stars, text},
    plan::no_table,
    row::{PipelineRow, RowSource},
};
use crate::{Table, Tables, eval::wildcard_matches};

/// A row that lacks is made up for at most so often.
const MOST_DEFAULTS: usize = 1000;
/// How many answers are remembered before they are all forgotten.
const REMEMBERED: usize = 1 << 16;

/// A [`Lookup`] made ready to run.
#[derive(Debug)]
pub(crate) struct LookupPlan {
    table: Arc<Table>,
    keys: Vec<Key>,
    condition: Option<StageExpr>,
    /// By the texts of the keys that must be equal, the rows in order.
    index: FxHashMap<Vec<Arc<str>>, Vec<usize>>,
    /// The table's column and the row's.
    outputs: Vec<(usize, Arc<str>)>,
    most: usize,
    rows: LookupRows,
    overwrite: bool,
    /// How many rows must fit, and what stands for each that lacks.
    default: Option<(usize, Value)>,
    answers: Mutex<Answers>,
}

/// By the texts of all keys, the rows that fit.
type Answers = FxHashMap<Vec<Vec<Arc<str>>>, Arc<[usize]>>;

#[derive(Debug)]
struct Key {
    value: StageExpr,
    test: KeyTest,
}

#[derive(Debug)]
enum KeyTest {
    /// Through the index.
    Equal(Case),
    /// For each row of the table its patterns.
    Wildcard(Vec<Vec<Wildcard>>, Case),
    Network(Vec<Vec<Network>>),
}

impl LookupPlan {
    pub(super) fn new(lookup: &Lookup, tables: &Tables) -> Result<Self, String> {
        let table = Arc::clone(tables.get(&lookup.table).ok_or_else(|| no_table(&lookup.table))?);
        let column = |name: &str| {
            table.column(name).ok_or_else(|| format!("the table `{}` has no column `{name}`", lookup.table))
        };
        let mut keys = Vec::new();
        let mut equal: Vec<(usize, Case)> = Vec::new();
        for key in &lookup.keys {
            let place = column(&key.column)?;
            let cells = || table.rows().iter().map(|row| row.get(place).cloned().unwrap_or_default());
            let test = match key.matching {
                LookupMatch::Equal(case) => {
                    equal.push((place, case));
                    KeyTest::Equal(case)
                }
                LookupMatch::Wildcard(case) => {
                    let patterns = |cell: Value| cell.elements().map(|value| stars(&text(value))).collect();
                    KeyTest::Wildcard(cells().map(patterns).collect(), case)
                }
                LookupMatch::Network => {
                    let networks = |cell: Value| cell.elements().filter_map(|v| Network::parse(&text(v))).collect();
                    KeyTest::Network(cells().map(networks).collect())
                }
            };
            keys.push(Key { value: StageExpr::new(&key.value), test });
        }
        let mut index: FxHashMap<Vec<Arc<str>>, Vec<usize>> = FxHashMap::default();
        for (number, row) in table.rows().iter().enumerate() {
            // A join is by one value on either side; only where what is found is collected does each of several count.
            let several =
                |(place, _): &(usize, Case)| row.get(*place).is_some_and(|cell| cell.elements().nth(1).is_some());
            if lookup.rows == LookupRows::Each && equal.iter().any(several) {
                continue;
            }
            let cells = equal.iter().map(|(place, case)| {
                let cell = row.get(*place).unwrap_or(&Value::Null);
                cell.elements().map(|value| fold(&text(value), *case)).collect()
            });
            for tuple in tuples(cells) {
                let rows = index.entry(tuple).or_default();
                if rows.last() != Some(&number) {
                    rows.push(number);
                }
            }
        }
        let outputs = if let Some(outputs) = &lookup.outputs {
            let output = |output: &lurcher_ir::LookupOutput| Ok((column(&output.column)?, Arc::clone(&output.name)));
            outputs.iter().map(output).collect::<Result<_, String>>()?
        } else {
            let is_key = |name: &Arc<str>| lookup.keys.iter().any(|key| key.column == *name);
            table.columns().iter().cloned().enumerate().filter(|(_, name)| !is_key(name)).collect()
        };
        Ok(Self {
            keys,
            condition: lookup.condition.as_ref().map(StageExpr::new),
            index,
            outputs,
            most: usize::try_from(lookup.most).unwrap_or(usize::MAX),
            rows: lookup.rows,
            overwrite: lookup.overwrite,
            default: lookup.default.clone().map(|value| (usize::try_from(lookup.least).unwrap_or(usize::MAX), value)),
            answers: Mutex::default(),
            table,
        })
    }

    /// The row with what was found; several if each row that fits makes one.
    pub(super) fn apply(&self, row: PipelineRow, source: &mut dyn RowSource, now: Timestamp) -> Vec<PipelineRow> {
        let mut values: Vec<Vec<Arc<str>>> = Vec::new();
        for key in &self.keys {
            let value = key.value.value(&row, source, now);
            values.push(value.elements().map(text).collect());
        }
        let candidates = self.found(values);
        let fitting;
        let found: &[usize] = match &self.condition {
            None => &candidates,
            Some(condition) => {
                fitting = self.fitting(condition, &row, &candidates, source, now);
                &fitting
            }
        };
        if self.rows == LookupRows::List || found.len() < 2 {
            return vec![self.with(row, found)];
        }
        let made = found.iter().enumerate().map(|(number, place)| {
            let mut one = self.with(row.clone(), &[*place]);
            one.place.position = row.place.position.wrapping_mul(found.len() as u64) + number as u64;
            one
        });
        made.collect()
    }

    /// Those rows of the table that meet the condition beside this row.
    fn fitting(
        &self,
        condition: &StageExpr,
        row: &PipelineRow,
        candidates: &[usize],
        source: &mut dyn RowSource,
        now: Timestamp,
    ) -> Vec<usize> {
        let mut beside = row.clone();
        let mut fitting = Vec::new();
        for place in candidates {
            if fitting.len() == self.most {
                break;
            }
            // What is laid over replaces what the last one left, unless it only fills in.
            beside = self.with(if self.overwrite { beside } else { row.clone() }, &[*place]);
            if condition.value(&beside, source, now) == Value::Bool(true) {
                fitting.push(*place);
            }
        }
        fitting
    }

    fn with(&self, mut row: PipelineRow, found: &[usize]) -> PipelineRow {
        for (place, name) in &self.outputs {
            let cell = |row: &usize| self.table.rows().get(*row)?.get(*place).cloned();
            let mut values: Vec<Value> =
                found.iter().filter_map(cell).flat_map(|v| v.elements().cloned().collect::<Vec<_>>()).collect();
            if let Some((least, default)) = &self.default {
                let lacking = least.saturating_sub(found.len()).min(MOST_DEFAULTS);
                values.extend(std::iter::repeat_n(default.clone(), lacking));
            }
            let value = lone(values);
            let fills = row.columns.get(name).is_none_or(Value::is_null);
            if self.overwrite || (fills && !value.is_null()) {
                row.columns.insert(Arc::clone(name), value);
            }
        }
        row
    }

    /// The rows of the table that fit.
    fn found(&self, values: Vec<Vec<Arc<str>>>) -> Arc<[usize]> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = answers.get(&values) {
            return Arc::clone(known);
        }
        let found: Arc<[usize]> = self.search(&values).into();
        if answers.len() >= REMEMBERED {
            answers.clear();
        }
        answers.insert(values, Arc::clone(&found));
        found
    }

    fn search(&self, values: &[Vec<Arc<str>>]) -> Vec<usize> {
        if values.iter().any(Vec::is_empty) {
            return Vec::new();
        }
        let equal: Vec<Vec<Arc<str>>> = self
            .keys
            .iter()
            .zip(values)
            .filter_map(|(key, values)| match key.test {
                KeyTest::Equal(case) => Some(values.iter().map(|value| fold(value, case)).collect()),
                _ => None,
            })
            .collect();
        let mut rows: Vec<usize> =
            tuples(equal.into_iter()).iter().filter_map(|tuple| self.index.get(tuple)).flatten().copied().collect();
        rows.sort_unstable();
        rows.dedup();
        let fits = |row: &usize| self.keys.iter().zip(values).all(|(key, values)| key.test.fits(*row, values));
        // How many fit is known only once the condition has been asked.
        let most = if self.condition.is_some() { usize::MAX } else { self.most };
        rows.into_iter().filter(fits).take(most).collect()
    }
}

impl KeyTest {
    fn fits(&self, row: usize, values: &[Arc<str>]) -> bool {
        match self {
            Self::Equal(_) => true,
            Self::Wildcard(patterns, case) => {
                let patterns = patterns.get(row).map_or(&[][..], Vec::as_slice);
                patterns.iter().any(|pattern| values.iter().any(|value| wildcard_matches(pattern, value, *case)))
            }
            Self::Network(networks) => {
                let networks = networks.get(row).map_or(&[][..], Vec::as_slice);
                let mut addresses = values.iter().filter_map(|value| value.trim().parse::<IpAddr>().ok());
                addresses.any(|address| networks.iter().any(|network| network.contains(address)))
            }
        }
    }
}

fn fold(text: &Arc<str>, case: Case) -> Arc<str> {
    match case {
        Case::Sensitive => Arc::clone(text),
        Case::Insensitive => fold_text(text).into(),
    }
}

/// All tuples of one text from each, at most [`super::grouping::MOST_KEYS`].
fn tuples(cells: impl Iterator<Item = Vec<Arc<str>>>) -> Vec<Vec<Arc<str>>> {
    let mut tuples: Vec<Vec<Arc<str>>> = vec![Vec::new()];
    for values in cells {
        let longer = |tuple: &Vec<Arc<str>>| {
            let tuple = tuple.clone();
            values.iter().map(move |value| tuple.iter().chain([value]).cloned().collect()).collect::<Vec<_>>()
        };
        tuples = tuples.iter().flat_map(longer).take(super::grouping::MOST_KEYS).collect();
    }
    tuples
}
