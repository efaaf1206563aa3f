//! Conversions: `value::type` and the functions `TO_…`, which take several values one by one.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{
    AddressFunction, Expr, Function, ListFunction, NumberFunction, PlaceFunction, TextFunction, TimeFunction,
};
use lurcher_schema::Value;

use super::{
    super::types::Type,
    Lowerer, Result,
    expressions::interval,
    operators::read_date,
    value::{Node, Typed},
};

impl Lowerer<'_> {
    /// A value as one of another type. What cannot be converted becomes null.
    pub(super) fn convert(&mut self, value: &Typed, to: Type, span: Span) -> Result<Typed> {
        if value.kind == Type::Null || value.kind == to && !value.loose {
            return Ok(Typed { kind: to, ..value.clone() });
        }
        if to.is_span() {
            return self.as_span(value, to, span);
        }
        if let Some(text) = value.text()
            && to == Type::Date
            && let Some(millis) = read_date(text)
        {
            return Ok(Typed::literal(Type::Date, Value::Int(millis)));
        }
        let allowed = value.kind == Type::Any
            || value.loose
            || match to {
                Type::Keyword | Type::Text => true,
                Type::Boolean => value.kind.is_number() || value.kind.is_text(),
                Type::Integer | Type::Long | Type::UnsignedLong | Type::Double => {
                    value.kind.is_number()
                        || value.kind.is_text()
                        || value.kind.is_date()
                        || value.kind == Type::Boolean
                }
                Type::Date | Type::DateNanos => value.kind.is_number() || value.kind.is_text() || value.kind.is_date(),
                Type::Ip | Type::Version | Type::GeoPoint => value.kind.is_text(),
                _ => false,
            };
        if !allowed {
            return Err(self.report(
                Diagnostic::error("esql-type", format!("{} cannot be converted to {}", value.kind.name(), to.name()))
                    .at(span, format!("this is {}", value.kind.name())),
            ));
        }
        if to == Type::UnsignedLong {
            self.approximate("unsigned-long", "whole numbers beyond 2^63 are null", span);
        }
        let steps = steps(value.kind, to);
        // Of a field, what the event has; its own reading may lose what the conversion wants.
        if let Node::Field(field) = &value.node
            && value.kind != Type::Date
        {
            let mut converted = Typed::field(to, field.clone());
            converted.loose = false;
            if matches!(to, Type::Keyword | Type::Text) {
                let each = ListFunction::Each(Box::new(Function::Text(TextFunction::ToText)));
                let expr = Expr::call(Function::List(each), [value.all()]);
                return Ok(Typed::several(to, expr));
            }
            return Ok(converted);
        }
        let mut expr = if value.many { value.all() } else { value.one() };
        for step in steps {
            expr = if value.many {
                Expr::call(Function::List(ListFunction::Each(Box::new(step))), [expr])
            } else {
                Expr::call(step, [expr])
            };
        }
        Ok(if value.many { Typed::several(to, expr) } else { Typed::single(to, expr) })
    }

    fn as_span(&mut self, value: &Typed, to: Type, span: Span) -> Result<Typed> {
        let read = value.text().and_then(|text| {
            let (count, unit) = text.trim().split_once(char::is_whitespace)?;
            interval(count.parse().ok()?, unit.trim())
        });
        if let Some((kind, own)) = read
            && kind == to
        {
            return Ok(Typed { kind, many: false, loose: false, node: Node::Span(own) });
        }
        if value.kind == to {
            return Ok(value.clone());
        }
        Err(self.report(
            Diagnostic::error("esql-time-span", format!("this is no {}", to.name()))
                .at(span, "cannot be read as a length of time")
                .with_help("write it as a constant: `5 minutes`"),
        ))
    }

    /// A constant list of texts, such as the blocks of `CIDR_MATCH`.
    pub(super) fn constant_texts(typed: &Typed) -> Option<Vec<Arc<str>>> {
        match typed.constant()? {
            Value::Text(text) => Some(vec![Arc::clone(text)]),
            Value::List(items) => items
                .iter()
                .map(|item| match item {
                    Value::Text(text) => Some(Arc::clone(text)),
                    _ => None,
                })
                .collect(),
            _ => None,
        }
    }
}

/// The functions that convert one value.
fn steps(from: Type, to: Type) -> Vec<Function> {
    match (from, to) {
        (Type::Date, Type::Keyword | Type::Text) => vec![Function::Time(TimeFunction::Written)],
        (Type::DateNanos, Type::Keyword | Type::Text) => vec![Function::Time(TimeFunction::WrittenNanos)],
        (Type::Double, Type::Keyword | Type::Text) => vec![Function::Number(NumberFunction::FractionText)],
        (_, Type::Keyword | Type::Text) => vec![Function::Text(TextFunction::ToText)],
        (Type::DateNanos, Type::Date) => {
            vec![Function::Time(TimeFunction::WrittenNanos), Function::Time(TimeFunction::Read)]
        }
        (Type::Date, Type::DateNanos) => {
            vec![Function::Time(TimeFunction::Written), Function::Time(TimeFunction::ReadNanos)]
        }
        (from, Type::Date) if from.is_number() => vec![Function::Number(NumberFunction::ToWhole(64))],
        (_, Type::Date) => vec![Function::Time(TimeFunction::Read)],
        (Type::Double, Type::DateNanos) => {
            vec![Function::Number(NumberFunction::ToWhole(64)), Function::Time(TimeFunction::ReadNanos)]
        }
        (_, Type::DateNanos) => vec![Function::Time(TimeFunction::ReadNanos)],
        (_, Type::Boolean) => vec![Function::Text(TextFunction::ToBoolean)],
        (_, Type::Integer) => vec![Function::Number(NumberFunction::ToWhole(32))],
        (_, Type::Long | Type::UnsignedLong) => vec![Function::Number(NumberFunction::ToWhole(64))],
        (_, Type::Double) => vec![Function::Number(NumberFunction::ToFraction)],
        (_, Type::Ip) => vec![Function::Address(AddressFunction::Address)],
        (_, Type::GeoPoint) => vec![Function::Place(PlaceFunction::Point)],
        _ => Vec::new(),
    }
}
