//! Mapping packs: which raw field, through which transforms, is a taxonomy's field.

use std::sync::Arc;

use lurcher_diagnostics::Diagnostic;

use crate::{Column, Event, EventBatch, FieldType, Object, Shape, Taxonomy, Value};

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

/// How a value is made from raw fields.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Computation {
    /// The raw field of this name.
    Raw(Arc<str>),
}

impl Binding {
    /// The raw fields that it reads.
    pub fn raw_fields(&self) -> Vec<&str> {
        Vec::new()
    }

    /// The field's column in a batch of the shape that it was bound for.
    pub fn column(&self, batch: &EventBatch) -> Column {
        Column::missing(batch.rows())
    }

    /// The field's value in one event of that shape. Agrees with [`Binding::column`].
    pub fn value(&self, _event: &Event) -> Value {
        Value::Null
    }
}

/// All mapping packs and the types of the taxonomies' fields. Immutable, shared.
#[derive(Debug)]
pub struct Schemas {}

impl Schemas {
    /// The packs that come with Lurcher (compiled in from `schemas/`).
    pub fn builtin() -> Result<Arc<Self>, Vec<Diagnostic>> {
        Ok(Arc::new(Self {}))
    }

    /// What `path` of `taxonomy` is made from in events of this shape.
    pub fn bind(&self, _taxonomy: Taxonomy, _path: &str, _shape: &Shape) -> Binding {
        Binding::Missing
    }

    /// What a field of a taxonomy holds; [`FieldType::Keyword`] where nothing else is said.
    pub fn field_type(&self, _taxonomy: Taxonomy, _path: &str) -> FieldType {
        FieldType::Keyword
    }

    /// The names of the Elasticsearch indices and data streams that events of this shape would lie in at their
    /// vendor's (`winlogbeat-default`, `logs-windows.sysmon_operational-default`): rules choose events by patterns
    /// over these. Empty: unknown, no rule with index patterns sees them.
    pub fn indices(&self, _shape: &Shape) -> Vec<Arc<str>> {
        Vec::new()
    }

    /// A whole event in a taxonomy, as nested objects. [`Taxonomy::Raw`]: the raw fields, nested.
    pub fn normalise(&self, _event: &Event, _taxonomy: Taxonomy) -> Object {
        Object::default()
    }
}
