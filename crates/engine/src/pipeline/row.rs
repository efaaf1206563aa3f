//! Rows of a pipeline: columns, place in the order of rows, and the events behind them.

use std::{cmp::Ordering, sync::Arc};

use lurcher_ir::{ColumnPattern, Expand, FieldRef};
use lurcher_schema::{EventRef, Object, Taxonomy, Timestamp, Value};

use super::expression::{Captured, FieldExpr};
use crate::{
    eval::Row,
    sequence::compare_tiebreakers,
    tail::{AllFields, EventId},
};

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct PipelineRow {
    pub(crate) place: RowPlace,
    pub(crate) columns: Object,
    /// The row's own event; none of an aggregate, and none as long as the event is the one that is being scanned.
    pub(crate) own: Option<EventId>,
    /// What later stages judge it by of its own event.
    pub(crate) captured: Option<Captured>,
    /// The events that went into it, if there are others than its own.
    pub(crate) merged: Vec<EventId>,
}

/// Where a row stands among rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowPlace {
    /// After a sort: its number. Comes before all else.
    pub(crate) rank: u64,
    pub(crate) time: Option<Timestamp>,
    pub(crate) tiebreaker: Value,
    /// Of the row's own event.
    pub(crate) reference: Option<EventRef>,
    /// Among rows made from the same event, or from no event of their own.
    pub(crate) position: u64,
}

impl RowPlace {
    /// The order of time: (time, tiebreaker, event), rows without a time first.
    pub(crate) fn compare_times(&self, other: &Self) -> Ordering {
        self.time
            .cmp(&other.time)
            .then_with(|| compare_tiebreakers(&self.tiebreaker, &other.tiebreaker))
            .then_with(|| self.reference.cmp(&other.reference))
            .then_with(|| self.position.cmp(&other.position))
    }
}

impl PipelineRow {
    /// The row of an event, without columns.
    pub(crate) fn of_event(place: RowPlace) -> Self {
        Self { place, columns: Object::default(), own: None, captured: None, merged: Vec::new() }
    }

    /// The order in which stages see rows.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        self.place.rank.cmp(&other.place.rank).then_with(|| self.place.compare_times(&other.place))
    }

    /// The events behind it.
    pub(crate) fn events(&self) -> &[EventId] {
        if self.merged.is_empty() { self.own.as_slice() } else { &self.merged }
    }

    /// About how many bytes it takes; texts that it shares with others of its batch are not counted.
    pub(super) fn size(&self) -> u64 {
        let cell = |value: &Value| size_of::<(Arc<str>, Value)>() + value.as_text().map_or(0, str::len);
        let columns: usize = self.columns.iter().map(|(_, value)| cell(value)).sum();
        let captured = self.captured.as_ref().map_or(0, Captured::size);
        (size_of::<Self>() + columns + captured) as u64
    }

    /// Says that the events were kept by this store.
    pub(crate) fn set_store(&mut self, store: u32) {
        for id in self.own.iter_mut().chain(&mut self.merged) {
            id.store = store;
        }
    }

    /// One row for each element of a column's list; itself if that is no list or an empty one.
    pub(super) fn expand(self, words: &Expand) -> Vec<Self> {
        let items = match self.columns.get(&words.column) {
            Some(Value::List(items)) if !items.is_empty() => Arc::clone(items),
            _ => return vec![self],
        };
        let most = words.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let rows = items.iter().take(most).enumerate().map(|(number, item)| {
            let mut row = self.clone();
            row.columns.insert(Arc::clone(&words.column), item.clone());
            row.place.position = self.place.position.wrapping_mul(items.len() as u64) + number as u64;
            row
        });
        rows.collect()
    }

    pub(super) fn keep(&mut self, patterns: &[ColumnPattern]) {
        let named =
            |name: &str| patterns.iter().any(|p| matches!(p, ColumnPattern::Named(own) if own.as_ref() == name));
        let mut kept: Vec<(Arc<str>, Value)> = Vec::new();
        for pattern in patterns {
            match pattern {
                ColumnPattern::Named(name) => {
                    kept.extend(self.columns.remove(name).map(|value| (Arc::clone(name), value)));
                }
                ColumnPattern::Like(_) => {
                    let fitting = |name: &str| !named(name) && pattern.fits(name).is_some();
                    for name in self.names(fitting) {
                        kept.extend(self.columns.remove(&name).map(|value| (name, value)));
                    }
                }
            }
        }
        self.columns = Object::from_distinct(kept);
    }

    pub(super) fn drop_columns(&mut self, patterns: &[ColumnPattern]) {
        for pattern in patterns {
            for name in self.names(|name| pattern.fits(name).is_some()) {
                self.columns.remove(&name);
            }
        }
    }

    /// The names of the columns that fit, in the row's order.
    pub(super) fn names(&self, fits: impl Fn(&str) -> bool) -> Vec<Arc<str>> {
        self.columns.iter().map(|(name, _)| name).filter(|name| fits(name)).map(Arc::clone).collect()
    }

    pub(super) fn rename(&mut self, from: &ColumnPattern, to: &ColumnPattern) {
        for name in self.names(|name| from.fits(name).is_some()) {
            let new = to.fill(&from.fits(&name).unwrap_or_default());
            self.rename_one(&name, &new);
        }
    }

    fn rename_one(&mut self, from: &Arc<str>, to: &Arc<str>) {
        if from == to {
            return;
        }
        self.columns.remove(to);
        let renamed = self.columns.iter().map(|(name, value)| {
            let name = if name == from { to } else { name };
            (Arc::clone(name), value.clone())
        });
        self.columns = renamed.collect();
    }
}

/// The event behind a row, wherever it is.
pub(crate) trait RowSource {
    /// A field of it; null without an event.
    fn field(&mut self, field: &FieldRef) -> Value;
    /// The value of an expression over its fields.
    fn computed(&mut self, expr: &Arc<FieldExpr>) -> Value;
    /// All of it in a taxonomy; null without an event.
    fn whole(&mut self, taxonomy: Taxonomy) -> Value;
    /// All its fields in a taxonomy by their dotted names; none without an event.
    fn fields(&mut self, taxonomy: Taxonomy) -> AllFields;
    /// Keeps it for later.
    fn keep(&mut self) -> Option<EventId>;
}

/// A row and its event, as expressions see them.
pub(super) struct RowView<'a> {
    pub(super) source: &'a mut dyn RowSource,
    pub(super) columns: &'a Object,
}

impl Row for RowView<'_> {
    fn field(&mut self, field: &FieldRef) -> Value {
        self.source.field(field)
    }

    fn event(&mut self, taxonomy: Taxonomy) -> Value {
        self.source.whole(taxonomy)
    }

    fn column(&mut self, name: &str) -> Value {
        self.columns.get(name).cloned().unwrap_or_default()
    }

    fn columns(&mut self) -> Option<&Object> {
        Some(self.columns)
    }
}
