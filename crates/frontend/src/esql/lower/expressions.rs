//! Expressions: constants, columns, and which operator or function is meant.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Case, Expr, Function, Interval};
use lurcher_schema::Value;

use super::{
    super::{
        ast::{self, BinaryOperator, ExprKind, UnaryOperator},
        types::Type,
    },
    Lowerer, Result, Said,
    value::{Node, Typed},
};
use crate::syntax::closest;

/// The units of time spans: by the calendar in months or days, or in milliseconds.
const UNITS: [(&str, Interval); 41] = {
    const fn months(months: i64) -> Interval {
        Interval { months, days: 0, millis: 0 }
    }
    const fn days(days: i64) -> Interval {
        Interval { months: 0, days, millis: 0 }
    }
    const fn millis(millis: i64) -> Interval {
        Interval { months: 0, days: 0, millis }
    }
    [
        ("year", months(12)),
        ("years", months(12)),
        ("yr", months(12)),
        ("y", months(12)),
        ("quarter", months(3)),
        ("quarters", months(3)),
        ("q", months(3)),
        ("month", months(1)),
        ("months", months(1)),
        ("mo", months(1)),
        ("week", days(7)),
        ("weeks", days(7)),
        ("w", days(7)),
        ("day", days(1)),
        ("days", days(1)),
        ("d", days(1)),
        ("hour", millis(3_600_000)),
        ("hours", millis(3_600_000)),
        ("h", millis(3_600_000)),
        ("hr", millis(3_600_000)),
        ("hrs", millis(3_600_000)),
        ("minute", millis(60_000)),
        ("minutes", millis(60_000)),
        ("min", millis(60_000)),
        ("mins", millis(60_000)),
        ("m", millis(60_000)),
        ("second", millis(1000)),
        ("seconds", millis(1000)),
        ("sec", millis(1000)),
        ("secs", millis(1000)),
        ("s", millis(1000)),
        ("millisecond", millis(1)),
        ("milliseconds", millis(1)),
        ("millis", millis(1)),
        ("ms", millis(1)),
        ("yrs", months(12)),
        ("mos", months(1)),
        ("wk", days(7)),
        ("wks", days(7)),
        ("msec", millis(1)),
        ("msecs", millis(1)),
    ]
};

/// A time span of so many units; none if the unit is unknown or the span too long.
pub(super) fn interval(count: i64, unit: &str) -> Option<(Type, Interval)> {
    let (_, one) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let interval = Interval {
        months: one.months.checked_mul(count)?,
        days: one.days.checked_mul(count)?,
        millis: one.millis.checked_mul(count)?,
    };
    Some((if one.millis == 0 { Type::DatePeriod } else { Type::TimeDuration }, interval))
}

impl Lowerer<'_> {
    /// A condition: an expression that is true, false or null.
    pub(super) fn condition(&mut self, expr: &ast::Expr) -> Result<Expr> {
        let value = self.expression(expr)?;
        self.truth(&value, expr.span, "a condition")
    }

    /// A value as true, false or null.
    pub(super) fn truth(&mut self, value: &Typed, span: Span, what: &str) -> Result<Expr> {
        if !matches!(value.kind, Type::Boolean | Type::Null | Type::Any) && !value.loose {
            return Err(self.report(
                Diagnostic::error("esql-type", format!("{what} must be boolean, found {}", value.kind.name()))
                    .at(span, format!("this is {}", value.kind.name()))
                    .with_help("compare it with something"),
            ));
        }
        Ok(if value.loose && value.kind != Type::Boolean { value.raw() } else { value.one() })
    }

    /// An expression.
    pub(super) fn expression(&mut self, expr: &ast::Expr) -> Result<Typed> {
        let span = expr.span;
        if let Some(found) = self.search_of_row(expr) {
            return found;
        }
        match &expr.kind {
            ExprKind::Null => Ok(Typed::null()),
            ExprKind::Boolean(truth) => Ok(Typed::literal(Type::Boolean, Value::Bool(*truth))),
            ExprKind::Integer(number) => Ok(whole(*number)),
            ExprKind::Unsigned(number) => {
                self.approximate("unsigned-long", "whole numbers beyond 2^63 are held as fractions", span);
                Ok(Typed::literal(Type::UnsignedLong, Value::Float(*number as f64)))
            }
            ExprKind::Decimal(number) => Ok(Typed::literal(Type::Double, Value::Float(*number))),
            ExprKind::Text(text) => Ok(Typed::literal(Type::Keyword, Value::Text(Arc::clone(text)))),
            ExprKind::Span(count, unit) => self.time_span(*count, unit, span),
            ExprKind::List(items) => self.list(items, span),
            ExprKind::Parameter(name) => self.parameter(name, span),
            ExprKind::Column(name) => {
                self.read_metadata(name, span);
                self.column(name, span)
            }
            ExprKind::Call { name, arguments } => self.call(name, arguments, span),
            ExprKind::Unary(operator, operand) => self.unary(*operator, operand, span),
            ExprKind::Junction(all, parts) => {
                let parts: Vec<Expr> = parts.iter().map(|part| self.condition(part)).collect::<Result<_>>()?;
                let function = if *all { Function::And } else { Function::Or };
                Ok(Typed::single(Type::Boolean, Expr::Call(function, parts)))
            }
            ExprKind::Binary(operator, left, right) => {
                let (a, b) = (self.expression(left)?, self.expression(right)?);
                match operator {
                    BinaryOperator::Add
                    | BinaryOperator::Subtract
                    | BinaryOperator::Multiply
                    | BinaryOperator::Divide
                    | BinaryOperator::Modulo => self.arithmetic(*operator, &a, &b, left.span, right.span),
                    _ => self.compare(*operator, &a, &b, (left.span, right.span)),
                }
            }
            ExprKind::In { value, items, negated } => {
                let found = self.within(value, items)?;
                Ok(Typed::single(Type::Boolean, negate(found, *negated)))
            }
            ExprKind::IsNull { value, negated } => {
                let value = self.expression(value)?;
                let null = Expr::call(Function::IsNull, [value.presence()]);
                Ok(Typed::single(Type::Boolean, negate(null, *negated)))
            }
            ExprKind::Like { value, patterns, regex, negated } => {
                let found = self.like(value, patterns, *regex)?;
                Ok(Typed::single(Type::Boolean, negate(found, *negated)))
            }
            ExprKind::Cast { value, to } => {
                let value_span = value.span;
                let value = self.expression(value)?;
                let Some(kind) = Type::from_name(&to.text) else {
                    return Err(self.unknown_type(to));
                };
                self.convert(&value, kind, value_span)
            }
            ExprKind::Match { .. } if self.symbolic => Err(Said),
            ExprKind::Match { .. } => Err(self.unsupported(
                "full-text",
                "a full-text search stands outside the conditions that choose events; move it into a WHERE before other commands",
                span,
            )),
            ExprKind::Star | ExprKind::Map(_) => {
                Err(self.report(Diagnostic::error("esql-expected", "this is no value").at(span, "a value expected")))
            }
        }
    }

    fn unknown_type(&mut self, to: &ast::Name) -> Said {
        let shapes =
            ["geo_shape", "cartesian_point", "cartesian_shape", "dense_vector", "geohash", "geotile", "geohex"];
        if shapes.contains(&to.text.to_ascii_lowercase().as_str()) {
            return self.unsupported(
                "type",
                format!("values of type {} are not handled; events have none", to.text),
                to.span,
            );
        }
        let known = ["boolean", "integer", "long", "double", "keyword", "string", "ip", "version", "datetime"];
        let diagnostic = Diagnostic::error("esql-unknown-type", format!("there is no type `{}`", to.text))
            .at(to.span, "unknown type");
        let diagnostic = match closest(&to.text, known) {
            Some(meant) => diagnostic.with_help(format!("did you mean `{meant}`?")),
            None => diagnostic.with_help(format!("such as {}", known.join(", "))),
        };
        self.report(diagnostic)
    }

    fn time_span(&mut self, count: i64, unit: &str, span: Span) -> Result<Typed> {
        let Some((kind, interval)) = interval(count, unit) else {
            let diagnostic = Diagnostic::error("esql-time-span", format!("there is no unit of time `{unit}`"))
                .at(span, "unknown unit");
            let names = UNITS.iter().map(|(name, _)| *name);
            let diagnostic = match closest(unit, names) {
                Some(meant) => diagnostic.with_help(format!("did you mean `{meant}`?")),
                None => {
                    diagnostic.with_help("such as `seconds`, `minutes`, `hours`, `days`, `weeks`, `months`, `years`")
                }
            };
            return Err(self.report(diagnostic));
        };
        Ok(Typed { kind, many: false, loose: false, node: Node::Span(interval) })
    }

    fn list(&mut self, items: &[ast::Expr], span: Span) -> Result<Typed> {
        let mut kind = Type::Null;
        let mut values = Vec::new();
        for item in items {
            let typed = self.expression(item)?;
            let (Some(common), Some(value)) = (kind.common(typed.kind), typed.constant()) else {
                return Err(self.report(
                    Diagnostic::error("esql-type", "the values of a list are of one type")
                        .at(span, format!("{} and {} in one list", kind.name(), typed.kind.name())),
                ));
            };
            kind = common;
            values.push(value.clone());
        }
        if kind == Type::Double {
            for value in &mut values {
                if let Value::Int(number) = value {
                    *value = Value::Float(*number as f64);
                }
            }
        }
        Ok(match values.len() {
            1 => Typed::literal(kind, values.pop().unwrap_or_default()),
            _ => Typed::literal(kind, Value::list(values)),
        })
    }

    fn parameter(&mut self, name: &Arc<str>, span: Span) -> Result<Typed> {
        let found = self.options.parameters.get(name.as_ref()).cloned();
        let Some(value) = found else {
            return Err(self.report(
                Diagnostic::error("esql-parameter", format!("the parameter `?{name}` has no value"))
                    .at(span, "unknown parameter")
                    .with_help("write the value itself"),
            ));
        };
        let kind = match &value {
            Value::Bool(_) => Type::Boolean,
            Value::Int(number) => return Ok(whole(*number)),
            Value::Float(_) => Type::Double,
            Value::Text(_) => Type::Keyword,
            _ => Type::Null,
        };
        Ok(Typed::literal(kind, value))
    }

    fn unary(&mut self, operator: UnaryOperator, operand: &ast::Expr, span: Span) -> Result<Typed> {
        if operator == UnaryOperator::Not {
            let condition = self.condition(operand)?;
            return Ok(Typed::single(Type::Boolean, Expr::call(Function::Not, [condition])));
        }
        let value = self.expression(operand)?;
        if let Some(own) = value.span() {
            let turned = Interval {
                months: own.months.saturating_neg(),
                days: own.days.saturating_neg(),
                millis: own.millis.saturating_neg(),
            };
            let node = Node::Span(if operator == UnaryOperator::Minus { turned } else { own });
            return Ok(Typed { node, ..value });
        }
        if !value.kind.is_number() && !value.kind.is_open() && !value.loose {
            return Err(self.report(
                Diagnostic::error("esql-type", format!("a sign stands before numbers, found {}", value.kind.name()))
                    .at(span, format!("this is {}", value.kind.name())),
            ));
        }
        if operator == UnaryOperator::Plus {
            return Ok(value);
        }
        match value.constant() {
            Some(Value::Int(number)) => {
                return Ok(number.checked_neg().map_or_else(Typed::null, whole));
            }
            Some(Value::Float(number)) => return Ok(Typed::literal(value.kind, Value::Float(-number))),
            _ => {}
        }
        let negated = Expr::call(Function::Negate, [value.number()]);
        Ok(Typed::single(value.kind, super::operators::bounded(value.kind, negated)))
    }

    /// `value IN (items)`.
    fn within(&mut self, value: &ast::Expr, items: &[ast::Expr]) -> Result<Expr> {
        let needle = self.expression(value)?;
        let typed: Vec<(Typed, Span)> =
            items.iter().map(|item| Ok((self.expression(item)?, item.span))).collect::<Result<_>>()?;
        // Constants of one kind are one test; everything else is a chain of comparisons.
        let mut constants = Vec::new();
        let mut others = Vec::new();
        for (item, span) in &typed {
            let equal = self.compare(BinaryOperator::Equal, &needle, item, (value.span, *span))?;
            match (&equal.node, item.constant()) {
                (Node::Expr(Expr::Call(Function::Equal(Case::Sensitive), sides)), Some(_)) => match sides.as_slice() {
                    [own, constant @ Expr::Literal(_)] if constants.first().is_none_or(|first| first == own) => {
                        if constants.is_empty() {
                            constants.push(own.clone());
                        }
                        constants.push(constant.clone());
                    }
                    _ => others.push(equal.one()),
                },
                _ => others.push(equal.one()),
            }
        }
        if constants.len() > 2 {
            others.insert(0, Expr::Call(Function::In(Case::Sensitive), constants));
        } else if constants.len() == 2 {
            others.insert(0, Expr::Call(Function::Equal(Case::Sensitive), constants));
        } else if constants.len() == 1 {
            others.insert(0, Expr::Literal(Value::Null));
        }
        Ok(if others.len() == 1 { others.remove(0) } else { Expr::Call(Function::Or, others) })
    }
}

/// A whole number: an integer if it fits, else a long.
pub(super) fn whole(number: i64) -> Typed {
    let kind = if i32::try_from(number).is_ok() { Type::Integer } else { Type::Long };
    Typed::literal(kind, Value::Int(number))
}

fn negate(expr: Expr, negated: bool) -> Expr {
    if negated { Expr::call(Function::Not, [expr]) } else { expr }
}
