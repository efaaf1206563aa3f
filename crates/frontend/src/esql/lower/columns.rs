//! The columns at one point of a query: what they are called, in their order, and what they mean.
//!
//! A column that only depends on the event's own fields keeps that *meaning* as an expression over them, so that a
//! condition on it can join the filter of events. Fields of events are not columns until something needs them as such:
//! they stand as patterns ([`Item::Fields`]) that are filled in at the end.

use std::sync::Arc;

use lurcher_ir::{ColumnPattern, Expr};

use super::{super::types::Type, value::Typed};

/// The columns.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    /// In their order.
    pub(super) items: Vec<Item>,
    /// Patterns of event fields that are gone.
    pub(super) hidden: Vec<ColumnPattern>,
    /// Whether there are columns that nothing is known of: those of a table that the caller has said nothing about.
    pub(super) unknown: bool,
}

/// A column, or columns.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a pipeline has few, and most of them are columns")]
pub(super) enum Item {
    /// One column.
    Column(Column),
    /// The event's fields whose names fit.
    Fields(ColumnPattern),
}

/// A column.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: Arc<str>,
    /// Its type.
    pub(super) kind: Type,
    /// Whether it may hold several values.
    pub(super) many: bool,
    /// How it is read, if not as a column of the row: the event's field that it is.
    pub(super) field: Option<Typed>,
    /// What it means over the event's fields.
    pub(super) meaning: Option<Typed>,
    /// The event's field of whose values it is one, after `MV_EXPAND`.
    pub(super) element_of: Option<Typed>,
    /// The constant that every row has there.
    pub(super) constant: Option<Typed>,
}

impl Column {
    /// A column of a row.
    pub(super) fn computed(name: impl Into<Arc<str>>, kind: Type, many: bool) -> Self {
        Self { name: name.into(), kind, many, field: None, meaning: None, element_of: None, constant: None }
    }

    /// As the value of an expression over rows.
    pub(super) fn value(&self) -> Typed {
        if let Some(field) = &self.field {
            return field.clone();
        }
        let expr = Expr::Column(Arc::clone(&self.name));
        if self.many { Typed::several(self.kind, expr) } else { Typed::single(self.kind, expr) }
    }
}

impl Columns {
    /// The column of this name.
    pub(super) fn find(&self, name: &str) -> Option<&Column> {
        self.columns().find(|column| column.name.as_ref() == name)
    }

    /// All single columns.
    pub(super) fn columns(&self) -> impl Iterator<Item = &Column> {
        self.items.iter().filter_map(|item| match item {
            Item::Column(column) => Some(column),
            Item::Fields(_) => None,
        })
    }

    /// Whether the event's field of this name is among the columns.
    pub(super) fn has_field(&self, name: &str) -> bool {
        let fits = |pattern: &ColumnPattern| pattern.fits(name).is_some();
        !self.hidden.iter().any(fits)
            && self.items.iter().any(|item| matches!(item, Item::Fields(pattern) if fits(pattern)))
    }

    /// Whether there may be fields of events among the columns.
    pub(super) fn open(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Fields(_)))
    }

    /// Sets a column; it stands last, and another of its name is gone.
    pub(super) fn push(&mut self, column: Column) {
        self.remove(&column.name);
        self.items.push(Item::Column(column));
    }

    /// Sets a column in its old place, or at the end.
    pub(super) fn replace(&mut self, column: Column) {
        let place = self.items.iter().position(|item| matches!(item, Item::Column(own) if own.name == column.name));
        match place.and_then(|place| self.items.get_mut(place)) {
            Some(item) => *item = Item::Column(column),
            None => self.items.push(Item::Column(column)),
        }
    }

    /// Takes a column away, whether it is one or a field.
    pub(super) fn remove(&mut self, name: &str) {
        self.items.retain(|item| !matches!(item, Item::Column(column) if column.name.as_ref() == name));
        if self.has_field(name) {
            self.hidden.push(ColumnPattern::Named(name.into()));
        }
    }

    /// No column means anything over the event's fields any more.
    pub(super) fn forget_meanings(&mut self) {
        for item in &mut self.items {
            if let Item::Column(column) = item {
                column.meaning = None;
                column.element_of = None;
            }
        }
    }
}
