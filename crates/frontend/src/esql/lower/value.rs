//! A value on its way to the IR: its type, whether it may be several values, and how it is read.
//!
//! Here stands the language's rule of several values: an operator or function that takes one value gets null of several.
//! [`Typed::one`] says so in the expression. What takes several asks for [`Typed::all`], which gives an event's field as
//! an index holds it: keywords and addresses sorted and each once, numbers and dates sorted, text as it came.

use std::sync::Arc;

use lurcher_ir::{
    AddressFunction, Expr, FieldRef, Function, Interval, ListFunction, LooseFunction, NumberFunction, PlaceFunction,
    TextFunction, TimeFunction,
};
use lurcher_schema::Value;

use super::super::types::Type;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Typed {
    /// Its type.
    pub(super) kind: Type,
    /// Whether it may be several values.
    pub(super) many: bool,
    /// Whether the type is only what mapping packs say of a field, which another index may say otherwise.
    pub(super) loose: bool,
    /// How it is read.
    pub(super) node: Node,
}

/// How a value is read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Written in the query.
    Literal(Value),
    /// A length of time written in the query.
    Span(Interval),
    /// An event's field.
    Field(FieldRef),
    /// Computed.
    Expr(Expr),
}

impl Typed {
    /// A constant.
    pub(super) fn literal(kind: Type, value: Value) -> Self {
        Self { kind, many: matches!(value, Value::List(_)), loose: false, node: Node::Literal(value) }
    }

    /// Null.
    pub(super) fn null() -> Self {
        Self::literal(Type::Null, Value::Null)
    }

    /// Something computed that is one value or null.
    pub(super) fn single(kind: Type, expr: Expr) -> Self {
        Self { kind, many: false, loose: false, node: Node::Expr(expr) }
    }

    /// Something computed that may be several values, in their smallest form.
    pub(super) fn several(kind: Type, expr: Expr) -> Self {
        Self { kind, many: true, loose: false, node: Node::Expr(expr) }
    }

    /// An event's field.
    pub(super) fn field(kind: Type, field: FieldRef) -> Self {
        Self { kind, many: true, loose: true, node: Node::Field(field) }
    }

    /// The constant, if it is one.
    pub(super) fn constant(&self) -> Option<&Value> {
        match &self.node {
            Node::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// The text, if it is a constant text.
    pub(super) fn text(&self) -> Option<&Arc<str>> {
        match &self.node {
            Node::Literal(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The length of time, if it is one.
    pub(super) fn span(&self) -> Option<Interval> {
        match &self.node {
            Node::Span(span) => Some(*span),
            _ => None,
        }
    }

    /// The value where one is taken: null of several.
    pub(super) fn one(&self) -> Expr {
        match &self.node {
            Node::Literal(Value::List(_)) | Node::Span(_) => Expr::Literal(Value::Null),
            Node::Literal(value) => Expr::Literal(value.clone()),
            Node::Field(field) => {
                let single = Expr::call(Function::List(ListFunction::Single), [Expr::Field(field.clone())]);
                match reading(self.kind) {
                    Some(reading) => Expr::call(reading, [single]),
                    None => single,
                }
            }
            Node::Expr(expr) if self.many => Expr::call(Function::List(ListFunction::Single), [expr.clone()]),
            Node::Expr(expr) => expr.clone(),
        }
    }

    /// The values.
    pub(super) fn all(&self) -> Expr {
        let list = |function, of| Expr::call(Function::List(function), [of]);
        match &self.node {
            Node::Literal(value) => Expr::Literal(value.clone()),
            Node::Span(_) => Expr::Literal(Value::Null),
            Node::Field(field) => {
                let field = Expr::Field(field.clone());
                let read = match reading(self.kind) {
                    Some(reading) => list(ListFunction::Each(Box::new(reading)), field),
                    None => field,
                };
                let sorted = ListFunction::Sorted { descending: false };
                match self.kind {
                    Type::Text | Type::Source => list(ListFunction::Values, read),
                    Type::Keyword | Type::Ip | Type::Version => list(sorted, list(ListFunction::Distinct, read)),
                    Type::Any => list(sorted, list(ListFunction::DistinctTexts, read)),
                    _ => list(sorted, read),
                }
            }
            Node::Expr(expr) => expr.clone(),
        }
    }

    /// What is asked whether it is null.
    pub(super) fn presence(&self) -> Expr {
        match &self.node {
            Node::Field(field) => Expr::Field(field.clone()),
            _ => self.all(),
        }
    }

    /// The number, of whatever type it is.
    pub(super) fn number(&self) -> Expr {
        match self.kind {
            Type::Any => Expr::call(Function::Loose(LooseFunction::Number), [self.one()]),
            kind if self.loose && !kind.is_number() => Expr::call(Function::Loose(LooseFunction::Number), [self.raw()]),
            _ => self.one(),
        }
    }

    /// The number as a fraction.
    pub(super) fn fraction(&self) -> Expr {
        match self.kind {
            Type::Double => self.one(),
            _ => Expr::call(Function::Number(NumberFunction::ToFraction), [self.number()]),
        }
    }

    /// The text, of whatever type it is.
    pub(super) fn as_text(&self) -> Expr {
        match self.kind {
            Type::Any => Expr::call(Function::ToText, [self.one()]),
            kind if self.loose && !kind.is_text() => Expr::call(Function::ToText, [self.raw()]),
            _ => self.one(),
        }
    }

    /// A field's one value as the event has it, whatever its type.
    pub(super) fn raw(&self) -> Expr {
        match &self.node {
            Node::Field(field) => Expr::call(Function::List(ListFunction::Single), [Expr::Field(field.clone())]),
            _ => self.one(),
        }
    }

    /// A text by whose bytes addresses or versions are ordered; the value itself of other types.
    pub(super) fn ordered(&self) -> Expr {
        match self.kind {
            Type::Ip => Expr::call(Function::Address(AddressFunction::AddressKey), [self.one()]),
            Type::Version => Expr::call(Function::Address(AddressFunction::VersionKey), [self.one()]),
            _ => self.one(),
        }
    }
}

/// How a field's value, which may have come as text, becomes one of the type.
pub(super) fn reading(kind: Type) -> Option<Function> {
    Some(match kind {
        Type::Integer => Function::Number(NumberFunction::ToWhole(32)),
        Type::Long | Type::UnsignedLong => Function::Number(NumberFunction::ToWhole(64)),
        Type::Double => Function::Number(NumberFunction::ToFraction),
        Type::Boolean => Function::Text(TextFunction::ToBoolean),
        Type::Ip => Function::Address(AddressFunction::Address),
        Type::Date => Function::Time(TimeFunction::Read),
        Type::DateNanos => Function::Time(TimeFunction::ReadNanos),
        Type::GeoPoint => Function::Place(PlaceFunction::Point),
        _ => return None,
    })
}
