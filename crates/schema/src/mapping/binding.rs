//! Bindings: an expression resolved for one shape, down to raw columns, constants and transforms.
//!
//! A column is computed from the bottom up, each step once per distinct value of what it reads; a value of a single
//! event goes through the same steps. Constants are folded when a binding is made, so that rules see them.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, Hash, Hasher},
    sync::Arc,
};

use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHasher};

use super::transform::Transform;
use crate::{Column, ColumnValues, Event, EventBatch, MISSING, Object, Value, ValueRef, star_match};

/// A *physical field*: what a field of a taxonomy is made from in events of one shape. Equal bindings give equal
/// columns, so rules of different languages that read the same raw field in the same way share the work.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Binding {
    /// Events of this shape do not have the field.
    Missing,
    /// Every event of this shape has this value.
    Constant(Value),
    /// Computed from raw fields.
    Computed(Arc<Computation>),
}

/// How a value is made from raw fields. Compared by content; hashing is cheap.
#[derive(Clone, Debug)]
pub struct Computation {
    hash: u64,
    step: Step,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step {
    Raw(Arc<str>),
    Everything,
    Matching(Arc<str>, Arc<[Arc<str>]>),
    Time,
    First(Vec<Binding>),
    Concat(Vec<Binding>),
    List(Vec<Binding>),
    When(Binding, Arc<[Arc<str>]>, Binding),
    Apply(Binding, Transform),
}

impl PartialEq for Computation {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.step == other.step
    }
}

impl Eq for Computation {}

impl Hash for Computation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

impl Binding {
    fn step(step: Step) -> Self {
        let mut hasher = FxHasher::default();
        step.hash(&mut hasher);
        Self::Computed(Arc::new(Computation { hash: hasher.finish(), step }))
    }

    /// The raw field of this name: that column, or a member of the objects in the column of the longest dotted
    /// prefix.
    pub fn raw(name: impl Into<Arc<str>>) -> Self {
        Self::step(Step::Raw(name.into()))
    }

    /// Every value of the event, all fields together, objects taken apart: what a search without a field looks at.
    pub(super) fn everything() -> Self {
        Self::step(Step::Everything)
    }

    /// The values of all raw fields, at any depth, whose dotted names fit a pattern with `*`.
    pub(super) fn matching(pattern: impl Into<Arc<str>>) -> Self {
        Self::step(Step::Matching(pattern.into(), Arc::new([])))
    }

    /// The same without the fields of these names; anything else as it is.
    pub(super) fn without(self, names: &[Arc<str>]) -> Self {
        match &self {
            Self::Computed(computation) => match &computation.step {
                Step::Matching(pattern, _) => Self::step(Step::Matching(Arc::clone(pattern), names.into())),
                _ => self,
            },
            _ => self,
        }
    }

    /// Whether this is every value of the event. Whoever matches values does best to look at the columns of the batch
    /// one by one ([`EventBatch::leaves`]): a row's values taken together hardly ever recur.
    pub fn is_everything(&self) -> bool {
        matches!(self, Self::Computed(computation) if computation.step == Step::Everything)
    }

    /// The time of the event, as RFC 3339 text in UTC.
    pub(super) fn time() -> Self {
        Self::step(Step::Time)
    }

    /// A constant, or [`Binding::Missing`] if the value is.
    pub(super) fn constant(value: Value) -> Self {
        if value.is_missing() { Self::Missing } else { Self::Constant(value) }
    }

    pub(super) fn first(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut kept: Vec<Self> = Vec::new();
        for part in parts {
            let last = matches!(part, Self::Constant(_));
            if part != Self::Missing && !kept.contains(&part) {
                kept.push(part);
            }
            if last {
                break;
            }
        }
        match kept.len() {
            0 => Self::Missing,
            1 => kept.remove(0),
            _ => Self::step(Step::First(kept)),
        }
    }

    pub(super) fn concat(parts: Vec<Self>) -> Self {
        if parts.contains(&Self::Missing) {
            return Self::Missing;
        }
        match constants(&parts) {
            Some(values) => Self::constant(concat(&values)),
            None => Self::step(Step::Concat(parts)),
        }
    }

    pub(super) fn list(parts: Vec<Self>) -> Self {
        let parts: Vec<Self> = parts.into_iter().filter(|part| *part != Self::Missing).collect();
        match constants(&parts) {
            Some(values) => Self::constant(list(&values)),
            None => Self::step(Step::List(parts)),
        }
    }

    pub(super) fn when(condition: Self, alternatives: Arc<[Arc<str>]>, value: Self) -> Self {
        match (&condition, &value) {
            (Self::Missing, _) | (_, Self::Missing) => Self::Missing,
            (Self::Constant(found), _) if holds(ValueRef::Any(found), &alternatives) => value,
            (Self::Constant(_), _) => Self::Missing,
            _ => Self::step(Step::When(condition, alternatives, value)),
        }
    }

    pub(super) fn apply(input: Self, transform: Transform) -> Self {
        match &input {
            Self::Missing => Self::constant(transform.apply(ValueRef::Any(&Value::Null))),
            Self::Constant(value) => Self::constant(transform.apply(ValueRef::Any(value))),
            Self::Computed(_) => Self::step(Step::Apply(input, transform)),
        }
    }

    /// A member of an object.
    pub(super) fn member(input: Self, path: &str) -> Self {
        Self::apply(input, Transform::Member(path.into()))
    }

    /// Whether no event of the shape has the field.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    /// The value that every event of the shape has, if there is one.
    pub fn as_constant(&self) -> Option<&Value> {
        match self {
            Self::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// The raw fields that it reads, each once, in the order of their names. In a document with inner objects the
    /// column may be that of a dotted prefix. None of them is named where all are read ([`Binding::is_everything`]).
    pub fn raw_fields(&self) -> Vec<&str> {
        let mut names = BTreeSet::new();
        self.collect_raw_fields(&mut names);
        names.into_iter().collect()
    }

    fn collect_raw_fields<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        let Self::Computed(computation) = self else { return };
        match &computation.step {
            Step::Raw(name) => {
                names.insert(name);
            }
            Step::Everything | Step::Matching(..) | Step::Time => {}
            Step::First(parts) | Step::Concat(parts) | Step::List(parts) => {
                for part in parts {
                    part.collect_raw_fields(names);
                }
            }
            Step::When(condition, _, value) => {
                condition.collect_raw_fields(names);
                value.collect_raw_fields(names);
            }
            Step::Apply(input, _) => input.collect_raw_fields(names),
        }
    }

    /// The field's column in a batch of the shape that it was bound for.
    pub fn column(&self, batch: &EventBatch) -> Column {
        let computation = match self {
            Self::Missing => return Column::missing(batch.rows()),
            Self::Constant(value) => return Column::constant(value.clone(), batch.rows()),
            Self::Computed(computation) => computation,
        };
        match &computation.step {
            Step::Raw(name) => raw_column(name, batch),
            Step::Everything => Column::from_rows((0..batch.rows()).map(|row| leaves_of(&batch.event(row).raw))),
            Step::Matching(pattern, but) => columns_like(pattern, but, batch),
            Step::Time => Column::from_rows(
                batch.times().iter().map(|time| time.map_or(Value::Null, |time| Value::text(time.to_string()))),
            ),
            Step::First(parts) => first_of_columns(parts.iter().map(|part| part.column(batch)), batch.rows()),
            Step::Concat(parts) => combine_columns(parts, batch, concat),
            Step::List(parts) => combine_columns(parts, batch, list),
            Step::When(condition, alternatives, value) => {
                let condition = condition.column(batch);
                let held: Vec<bool> =
                    (0..condition.values.len()).map(|i| holds(condition.values.get(i), alternatives)).collect();
                if !held.contains(&true) {
                    return Column::missing(batch.rows());
                }
                let value = value.column(batch);
                let keys = condition.keys.iter().zip(value.keys.iter()).map(|(condition, key)| {
                    if usize::try_from(*condition).is_ok_and(|at| held[at]) { *key } else { MISSING }
                });
                Column { keys: keys.collect(), values: value.values.clone() }
            }
            Step::Apply(input, transform) => transform.column(input.column(batch)),
        }
    }

    /// The field's value in one event of that shape. Agrees with [`Binding::column`].
    pub fn value(&self, event: &Event) -> Value {
        let computation = match self {
            Self::Missing => return Value::Null,
            Self::Constant(value) => return value.clone(),
            Self::Computed(computation) => computation,
        };
        let values = |parts: &[Self]| parts.iter().map(|part| part.value(event)).collect::<Vec<_>>();
        match &computation.step {
            Step::Raw(name) => raw_value(name, &event.raw),
            Step::Everything => leaves_of(&event.raw),
            Step::Matching(pattern, but) => {
                fields_like(pattern, but, event.raw.iter().map(|(name, value)| (&**name, value)))
            }
            Step::Time => event.time.map_or(Value::Null, |time| Value::text(time.to_string())),
            Step::First(parts) => {
                parts.iter().map(|part| part.value(event)).find(|value| !value.is_missing()).unwrap_or_default()
            }
            Step::Concat(parts) => concat(&values(parts)),
            Step::List(parts) => list(&values(parts)),
            Step::When(condition, alternatives, value) => {
                let condition = condition.value(event);
                if holds(ValueRef::Any(&condition), alternatives) { value.value(event) } else { Value::Null }
            }
            Step::Apply(input, transform) => transform.apply(ValueRef::Any(&input.value(event))),
        }
    }
}

/// All scalars of an event, in the order of its fields.
fn leaves_of(raw: &Object) -> Value {
    let all: Vec<Value> = raw.iter().flat_map(|(_, value)| value.leaves()).collect();
    if all.is_empty() { Value::Null } else { Value::list(all) }
}

/// The values of the fields, and of those in objects and lists of objects below them, whose names fit a pattern and are
/// none of these.
fn fields_like<'v>(pattern: &str, but: &[Arc<str>], fields: impl Iterator<Item = (&'v str, &'v Value)>) -> Value {
    fn below(fits: &dyn Fn(&str) -> bool, name: &str, value: &Value, found: &mut Vec<Value>) {
        match value {
            Value::Object(object) => {
                for (member, value) in object.iter() {
                    below(fits, &format!("{name}.{member}"), value, found);
                }
            }
            Value::List(items) => items.iter().for_each(|item| below(fits, name, item, found)),
            Value::Null => {}
            scalar if fits(name) => found.push(scalar.clone()),
            _ => {}
        }
    }
    let fits = |name: &str| star_match(pattern, name) && but.iter().all(|other| **other != *name);
    let mut found = Vec::new();
    for (name, value) in fields {
        below(&fits, name, value, &mut found);
    }
    if found.is_empty() { Value::Null } else { Value::list(found) }
}

/// The same of a batch: column by column, each distinct value once.
fn columns_like(pattern: &str, but: &[Arc<str>], batch: &EventBatch) -> Column {
    let names: Vec<&str> = batch.field_names().collect();
    let columns: Vec<Column> = names
        .into_iter()
        .filter_map(|name| {
            let column = batch.column(name)?;
            if matches!(column.values, ColumnValues::Text(_)) {
                let fits = star_match(pattern, name) && but.iter().all(|other| **other != *name);
                return fits.then_some(column);
            }
            Some(column.map(|value| fields_like(pattern, but, std::iter::once((name, &value.to_value())))))
        })
        .filter(|column| column.keys.iter().any(|key| *key != MISSING))
        .collect();
    if columns.len() < 2 {
        return columns.into_iter().next().map_or_else(|| Column::missing(batch.rows()), without_empty_lists);
    }
    Column::from_rows((0..batch.rows()).map(|row| {
        let values: Vec<Value> = columns.iter().map(|column| column.value(row)).collect();
        list(&values)
    }))
}

fn constants(parts: &[Binding]) -> Option<Vec<Value>> {
    parts.iter().map(|part| part.as_constant().cloned()).collect()
}

fn concat(values: &[Value]) -> Value {
    if values.iter().any(Value::is_missing) {
        return Value::Null;
    }
    Value::text(values.iter().map(ToString::to_string).collect::<String>())
}

fn list(values: &[Value]) -> Value {
    let all: Vec<Value> = values.iter().flat_map(Value::elements).cloned().collect();
    if all.is_empty() { Value::Null } else { Value::list(all) }
}

fn holds(value: ValueRef<'_>, alternatives: &[Arc<str>]) -> bool {
    let same = |text: &str| alternatives.iter().any(|wanted| &**wanted == "*" || *text.to_lowercase() == **wanted);
    match value {
        ValueRef::Text(text) => same(text),
        ValueRef::Any(value) => value.elements().any(|element| match element {
            Value::Text(text) => same(text),
            other => same(&other.to_string()),
        }),
    }
}

/// The members at `path` of a column of objects, or of lists of objects.
fn member(value: &Value, path: &str) -> Value {
    match value {
        Value::Object(object) => object.path(path).unwrap_or_default(),
        Value::List(items) => {
            // Lists in lists are one list, as documents are searched.
            let found = items.iter().map(|item| member(item, path)).filter(|v| !v.is_missing());
            let found: Vec<Value> = found.flat_map(|value| value.elements().cloned().collect::<Vec<_>>()).collect();
            if found.is_empty() { Value::Null } else { Value::list(found) }
        }
        _ => Value::Null,
    }
}

fn raw_column(name: &str, batch: &EventBatch) -> Column {
    let inner = name.rmatch_indices('.').filter_map(|(dot, _)| {
        let objects = batch.column(&name[..dot])?;
        if matches!(objects.values, ColumnValues::Text(_)) {
            return None;
        }
        Some(objects.map(|value| match value {
            ValueRef::Any(value) => member(value, &name[dot + 1..]),
            ValueRef::Text(_) => Value::Null,
        }))
    });
    first_of_columns(batch.column(name).into_iter().chain(inner), batch.rows())
}

fn raw_value(name: &str, raw: &Object) -> Value {
    if let Some(value) = raw.get(name).filter(|value| !value.is_missing()) {
        return value.clone();
    }
    name.rmatch_indices('.')
        .filter_map(|(dot, _)| raw.get(&name[..dot]).map(|value| member(value, &name[dot + 1..])))
        .find(|value| !value.is_missing())
        .unwrap_or_default()
}

/// For each row the value of the first column that has one.
fn first_of_columns(columns: impl Iterator<Item = Column>, rows: usize) -> Column {
    let mut columns: Vec<Column> = columns.filter(|column| column.keys.iter().any(|key| *key != MISSING)).collect();
    if columns.len() < 2 {
        return columns.pop().map_or_else(|| Column::missing(rows), without_empty_lists);
    }
    let mut keys = vec![MISSING; rows];
    let mut values = Vec::new();
    for column in columns {
        let base = values.len() as i32;
        let mut present = Vec::with_capacity(column.values.len());
        for at in 0..column.values.len() {
            let value = column.values.get(at).to_value();
            present.push(!value.is_missing());
            values.push(value);
        }
        for (key, found) in keys.iter_mut().zip(column.keys.iter()) {
            if *key == MISSING && usize::try_from(*found).is_ok_and(|at| present[at]) {
                *key = base + found;
            }
        }
    }
    Column { keys: keys.into(), values: ColumnValues::Any(values.into()) }
}

/// The column with null for values that count as missing.
fn without_empty_lists(column: Column) -> Column {
    match &column.values {
        ColumnValues::Any(values) if values.iter().any(|value| !value.is_null() && value.is_missing()) => {
            column.map(|value| Some(value.to_value()).filter(|value| !value.is_missing()).unwrap_or_default())
        }
        _ => column,
    }
}

/// `f` over the values of several columns, once per distinct combination.
fn combine_columns(parts: &[Binding], batch: &EventBatch, f: fn(&[Value]) -> Value) -> Column {
    let columns: Vec<Column> = parts.iter().map(|part| part.column(batch)).collect();
    let mut combinations: Vec<Vec<i32>> = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let mut table: HashTable<i32> = HashTable::new();
    let mut combination = Vec::with_capacity(columns.len());
    let keys: Vec<i32> = (0..batch.rows())
        .map(|row| {
            combination.clear();
            combination.extend(columns.iter().map(|column| column.keys[row]));
            let hash = FxBuildHasher.hash_one(&combination);
            if let Some(key) = table.find(hash, |key| combinations[*key as usize] == combination) {
                return *key;
            }
            let inputs: Vec<Value> = columns.iter().map(|column| column.value(row)).collect();
            let key = values.len() as i32;
            values.push(f(&inputs));
            combinations.push(combination.clone());
            table.insert_unique(hash, key, |key| FxBuildHasher.hash_one(&combinations[*key as usize]));
            key
        })
        .collect();
    Column { keys: keys.into(), values: ColumnValues::Any(values.into()) }
}
