//! Arithmetic, comparison, patterns.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Case, Expr, Function, Interval, NumberFunction, TimeFunction, Wildcard, WildcardPiece};
use lurcher_schema::Value;

use super::{
    super::{
        ast::{self, BinaryOperator},
        types::Type,
    },
    Lowerer, Result, Said, shown,
    value::{Node, Typed},
};
use crate::syntax::lucene_regex::{self, RegexpError};

/// Keeps a whole number within its type: what does not fit is null.
pub(super) fn bounded(kind: Type, expr: Expr) -> Expr {
    match kind {
        Type::Integer => Expr::call(Function::Number(NumberFunction::Fits(32)), [expr]),
        Type::Long => Expr::call(Function::Number(NumberFunction::Fits(64)), [expr]),
        _ => expr,
    }
}

impl Lowerer<'_> {
    /// `+ - * / %`.
    pub(super) fn arithmetic(
        &mut self,
        operator: BinaryOperator,
        a: &Typed,
        b: &Typed,
        left: Span,
        right: Span,
    ) -> Result<Typed> {
        let null = |typed: &Typed| typed.kind == Type::Null || typed.constant().is_some_and(Value::is_null);
        if null(a) || null(b) {
            // Null and a length of time may still meet a date, which then is null.
            let kind = if a.kind == Type::Null || a.kind.is_span() && b.kind != Type::Null { b.kind } else { a.kind };
            return Ok(Typed::literal(kind, Value::Null));
        }
        if let Some(result) = self.time_arithmetic(operator, (a, left), (b, right))? {
            return Ok(result);
        }
        for (side, span) in [(a, left), (b, right)] {
            if !side.kind.is_number() && side.kind != Type::Any && !side.loose {
                let help = if side.kind.is_text() && operator == BinaryOperator::Add {
                    "texts are joined with `CONCAT`"
                } else {
                    "convert it, such as `value::long`"
                };
                return Err(self.report(
                    Diagnostic::error(
                        "esql-type",
                        format!("`{}` takes numbers, found {}", operator.text(), side.kind.name()),
                    )
                    .at(span, format!("this is {}", side.kind.name()))
                    .with_help(help),
                ));
            }
        }
        let open = |typed: &Typed| !typed.kind.is_number();
        let kind = if open(a) || open(b) {
            if a.kind == Type::Double || b.kind == Type::Double { Type::Double } else { Type::Any }
        } else {
            a.kind.wider(b.kind)
        };
        let function = match operator {
            BinaryOperator::Add => Function::Add,
            BinaryOperator::Subtract => Function::Subtract,
            BinaryOperator::Multiply => Function::Multiply,
            BinaryOperator::Modulo => Function::Modulo,
            _ if kind == Type::Double => Function::Divide,
            _ => Function::DivideTruncating,
        };
        let sides = if kind == Type::Double { [a.fraction(), b.fraction()] } else { [a.number(), b.number()] };
        Ok(Typed::single(kind, bounded(kind, Expr::call(function, sides))))
    }

    /// Dates and lengths of time; `None` if neither side is a length of time that can be so reckoned with.
    fn time_arithmetic(
        &mut self,
        operator: BinaryOperator,
        (a, left): (&Typed, Span),
        (b, right): (&Typed, Span),
    ) -> Result<Option<Typed>> {
        let minus = match operator {
            BinaryOperator::Add => false,
            BinaryOperator::Subtract => true,
            _ => return Ok(None),
        };
        if let (Some(x), Some(y)) = (a.span(), b.span()) {
            if a.kind != b.kind {
                let message = format!("`{}` takes a date or lengths of one kind", operator.text());
                return Err(self.report(
                    Diagnostic::error("esql-type", message)
                        .at(left, format!("this is {}", a.kind.name()))
                        .at(right, format!("this is {}", b.kind.name()))
                        .with_help(
                            "days and longer go by the calendar, hours and shorter by the clock: add each to the date",
                        ),
                ));
            }
            let sign = if minus { -1 } else { 1 };
            let sum = |x: i64, y: i64| y.checked_mul(sign).and_then(|y| x.checked_add(y));
            let parts = (sum(x.months, y.months), sum(x.days, y.days), sum(x.millis, y.millis));
            let (Some(months), Some(days), Some(millis)) = parts else {
                let error = Diagnostic::error("esql-time-span", "the length of time is too long");
                return Err(self.report(error.at(left.to(right), "beyond 64 bits")));
            };
            let node = Node::Span(Interval { months, days, millis });
            return Ok(Some(Typed { kind: a.kind, many: false, loose: false, node }));
        }
        let (date, span) = match (a.span(), b.span()) {
            (None, Some(span)) => (a, span),
            (Some(span), None) if !minus => (b, span),
            (Some(_), None) => {
                let message = "a date cannot be subtracted from a length of time";
                return Err(self.report(
                    Diagnostic::error("esql-type", message)
                        .at(left.to(right), "the other way round")
                        .with_help("write the date first"),
                ));
            }
            _ => return Ok(None),
        };
        Ok(self.moved(date, span, minus))
    }

    /// A date that is a length of time later, or earlier; `None` if it is no date.
    fn moved(&self, date: &Typed, span: Interval, minus: bool) -> Option<Typed> {
        let moved = |time: Expr| self.moved_in_zone(time, span, minus);
        let time = match date.kind {
            Type::Date => match date.constant() {
                Some(Value::Int(millis)) => {
                    let folded = self.moved_constant_in_zone(*millis, span, minus);
                    return Some(Typed::literal(Type::Date, folded.map_or(Value::Null, Value::Int)));
                }
                _ => date.one(),
            },
            Type::DateNanos => {
                let moved = in_nanos(moved(millis(date)));
                let rest = Expr::call(Function::Modulo, [date.one(), Expr::Literal(Value::Int(1_000_000))]);
                let sum = bounded(Type::Long, Expr::call(Function::Add, [moved, rest]));
                return Some(Typed::single(Type::DateNanos, sum));
            }
            Type::Any => Expr::call(Function::Time(TimeFunction::Read), [date.one()]),
            Type::Keyword => {
                let read = Expr::call(Function::Time(TimeFunction::Read), [date.one()]);
                return Some(Typed::single(Type::Date, moved(read)));
            }
            _ => return None,
        };
        Some(Typed::single(Type::Date, moved(time)))
    }

    /// `== != < <= > >=`.
    pub(super) fn compare(
        &mut self,
        operator: BinaryOperator,
        a: &Typed,
        b: &Typed,
        spans: (Span, Span),
    ) -> Result<Typed> {
        let (left, right) = self.sides(operator, a, b, spans)?;
        let equal = |a, b| Expr::call(Function::Equal(Case::Sensitive), [a, b]);
        let expr = match operator {
            BinaryOperator::NotEqual => Expr::call(Function::Not, [equal(left, right)]),
            BinaryOperator::Less => Expr::call(Function::Less, [left, right]),
            BinaryOperator::LessOrEqual => Expr::call(Function::LessOrEqual, [left, right]),
            BinaryOperator::Greater => Expr::call(Function::Less, [right, left]),
            BinaryOperator::GreaterOrEqual => Expr::call(Function::LessOrEqual, [right, left]),
            // A constant stands on the right, where tests of fields want it.
            _ if matches!(left, Expr::Literal(_)) => equal(right, left),
            _ => equal(left, right),
        };
        Ok(Typed::single(Type::Boolean, expr))
    }

    /// Both sides of a comparison, brought to one type. A constant text is read as what it is compared with.
    fn sides(&mut self, operator: BinaryOperator, a: &Typed, b: &Typed, spans: (Span, Span)) -> Result<(Expr, Expr)> {
        let ordering = !matches!(operator, BinaryOperator::Equal | BinaryOperator::NotEqual);
        let constant = |typed: &Typed, other: &Typed| {
            typed.kind.is_text()
                && typed.text().is_some()
                && !other.kind.is_text()
                && !other.kind.is_open()
                && other.constant().is_none()
        };
        if constant(a, b) {
            let a = self.constant_as(a, b, spans.0)?;
            return self.sides(operator, &a, b, spans);
        }
        if constant(b, a) {
            let b = self.constant_as(b, a, spans.1)?;
            return self.sides(operator, a, &b, spans);
        }
        let pair = |f: &dyn Fn(&Typed) -> Expr| (f(a), f(b));
        match (a.kind, b.kind) {
            (x, y) if x.is_span() || y.is_span() => {}
            (Type::Null, _) | (_, Type::Null) => return Ok(pair(&Typed::one)),
            (Type::Any, y) | (y, Type::Any) if y.is_date() => return Ok(pair(&|typed| millis(typed))),
            (Type::Any, Type::Ip) | (Type::Ip, Type::Any) => {
                let address = |typed: &Typed| {
                    let function = if ordering {
                        lurcher_ir::AddressFunction::AddressKey
                    } else {
                        lurcher_ir::AddressFunction::Address
                    };
                    Expr::call(Function::Address(function), [typed.one()])
                };
                return Ok(pair(&address));
            }
            (Type::Any, _) | (_, Type::Any) => return Ok(pair(&Typed::one)),
            (Type::Boolean, Type::Boolean) if !ordering => return Ok(pair(&Typed::one)),
            (x, y) if x.is_number() && y.is_number() => return Ok(pair(&Typed::one)),
            (x, y) if x.is_text() && y.is_text() => return Ok(pair(&Typed::one)),
            (Type::Date, Type::Date) => return Ok(pair(&Typed::one)),
            (x, y) if x.is_date() && y.is_date() => return Ok(pair(&|typed| nanos(typed))),
            (Type::Ip, Type::Ip) | (Type::Version, Type::Version) if ordering => return Ok(pair(&Typed::ordered)),
            (Type::Ip, Type::Ip) | (Type::Version, Type::Version) | (Type::GeoPoint, Type::GeoPoint) if !ordering => {
                return Ok(pair(&Typed::one));
            }
            // Another index may map the field as it is compared here.
            _ if a.loose || b.loose => return Ok(pair(&Typed::raw)),
            _ => {}
        }
        let message = format!("`{}` cannot compare {} with {}", operator.text(), a.kind.name(), b.kind.name());
        Err(self.report(
            Diagnostic::error("esql-type", message)
                .at(spans.0, format!("this is {}", a.kind.name()))
                .at(spans.1, format!("this is {}", b.kind.name()))
                .with_help("convert one of them, such as `value::keyword`"),
        ))
    }

    /// A constant text as a value of the type that it is compared with.
    pub(super) fn constant_as(&mut self, constant: &Typed, other: &Typed, span: Span) -> Result<Typed> {
        let text = constant.text().cloned().unwrap_or_default();
        let as_it_is = || Ok(Typed { kind: Type::Any, ..constant.clone() });
        let value = match other.kind {
            Type::Date => read_date(&text).map(Value::Int),
            Type::DateNanos => read_date(&text).and_then(|millis| millis.checked_mul(1_000_000)).map(Value::Int),
            Type::Ip => text.parse::<std::net::IpAddr>().ok().map(|ip| Value::text(ip.to_canonical().to_string())),
            Type::Version => Some(Value::Text(Arc::clone(&text))),
            Type::Boolean if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") => {
                Some(Value::Bool(text.eq_ignore_ascii_case("true")))
            }
            // Another index may map the field as text.
            _ if other.loose => return as_it_is(),
            _ => {
                let message = format!("{} is compared with a text", other.kind.name());
                return Err(self.report(
                    Diagnostic::error("esql-type", message)
                        .at(span, format!("this is a text, the other side is {}", other.kind.name()))
                        .with_help(format!(
                            "write it without quotes, or convert it: `{}::{}`",
                            shown(&Value::Text(text)),
                            other.kind.name()
                        )),
                ));
            }
        };
        match value {
            Some(value) => Ok(Typed::literal(other.kind, value)),
            None if other.loose && other.kind.is_date() => {
                let message = format!("{} is no date, and the field is mapped as one", shown(&Value::Text(text)));
                let warning = Diagnostic::warning("esql-constant", message).at(span, "cannot be read as a date");
                self.report(
                    warning.with_help(
                        "write it as `\"2026-01-31T12:00:00Z\"`; times that count from now as `NOW() - 1 day`",
                    ),
                );
                as_it_is()
            }
            None if other.loose => as_it_is(),
            None => Err(self.report(
                Diagnostic::error(
                    "esql-constant",
                    format!("{} is no {}", shown(&Value::Text(text)), other.kind.name()),
                )
                .at(span, format!("cannot be read as {}", other.kind.name())),
            )),
        }
    }

    /// `LIKE` and `RLIKE`.
    pub(super) fn like(&mut self, value: &ast::Expr, patterns: &[ast::Expr], regex: bool) -> Result<Expr> {
        let typed = self.expression(value)?;
        let word = if regex { "RLIKE" } else { "LIKE" };
        if !typed.kind.is_text() && !typed.kind.is_open() && !typed.loose {
            return Err(self.report(
                Diagnostic::error("esql-type", format!("`{word}` takes text, found {}", typed.kind.name()))
                    .at(value.span, format!("this is {}", typed.kind.name()))
                    .with_help("convert it: `value::keyword`"),
            ));
        }
        let subject = typed.as_text();
        let mut found = Vec::new();
        for pattern in patterns {
            let own = self.expression(pattern)?;
            let Some(text) = own.text() else {
                return Err(self.report(
                    Diagnostic::error("esql-type", format!("the pattern of `{word}` is a constant text"))
                        .at(pattern.span, "no constant text")
                        .with_help("write the pattern in double quotes"),
                ));
            };
            let function =
                if regex { self.lucene(text, pattern.span)? } else { Function::Like(wildcard(text), Case::Sensitive) };
            found.push(Expr::call(function, [subject.clone()]));
        }
        Ok(if found.len() == 1 { found.remove(0) } else { Expr::Call(Function::Or, found) })
    }

    pub(super) fn lucene(&mut self, text: &str, span: Span) -> Result<Function, Said> {
        match lucene_regex::translate(text, Case::Sensitive) {
            Ok(regex) => Ok(Function::Matches(regex)),
            Err(RegexpError::Malformed(why)) => Err(self.report(
                Diagnostic::error("esql-regex", format!("the regular expression is faulty: {why}"))
                    .at(span, "cannot be read")
                    .with_help("`RLIKE` takes Lucene's regular expressions, which match the whole value"),
            )),
            Err(RegexpError::Unsupported(operator)) => Err(self.unsupported(
                "regex",
                format!("the operator `{operator}` of Lucene's regular expressions is not run; write `\\{operator}` for the character"),
                span,
            )),
        }
    }
}

/// A date in milliseconds.
pub(super) fn millis(date: &Typed) -> Expr {
    match date.kind {
        Type::DateNanos => Expr::call(Function::DivideTruncating, [date.one(), Expr::Literal(Value::Int(1_000_000))]),
        Type::Date => date.one(),
        _ => Expr::call(Function::Time(TimeFunction::Read), [date.raw()]),
    }
}

/// Milliseconds as nanoseconds; null beyond what 64 bits hold.
pub(super) fn in_nanos(millis: Expr) -> Expr {
    bounded(Type::Long, Expr::call(Function::Multiply, [millis, Expr::Literal(Value::Int(1_000_000))]))
}

/// A constant point in time, moved; null beyond what the calendar holds.
pub(super) fn moved_constant(millis: i64, span: Interval, minus: bool) -> Option<i64> {
    let sign = if minus { -1 } else { 1 };
    let time = jiff::Timestamp::from_millisecond(millis).ok()?.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    let months = jiff::Span::new().try_months(span.months.checked_mul(sign)?).ok()?;
    let time = time.checked_add(months).ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
    let rest = span.days.checked_mul(86_400_000)?.checked_add(span.millis)?.checked_mul(sign)?;
    time.checked_add(rest)
}

fn nanos(date: &Typed) -> Expr {
    match date.kind {
        Type::DateNanos => date.one(),
        Type::Date => in_nanos(date.one()),
        _ => Expr::call(Function::Time(TimeFunction::ReadNanos), [date.raw()]),
    }
}

/// A pattern of `LIKE`: `*` any text, `?` one character, a backslash takes the next character as it is.
pub(super) fn wildcard(text: &str) -> Wildcard {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let piece = match c {
            '*' => WildcardPiece::Any,
            '?' => WildcardPiece::One,
            '\\' => {
                literal.push(chars.next().unwrap_or('\\'));
                continue;
            }
            c => {
                literal.push(c);
                continue;
            }
        };
        pieces.push(WildcardPiece::Literal(std::mem::take(&mut literal).into()));
        pieces.push(piece);
    }
    pieces.push(WildcardPiece::Literal(literal.into()));
    Wildcard::new(pieces)
}

/// A constant date in milliseconds since 1970.
pub(super) fn read_date(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_millisecond());
    }
    let (date, clock) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let mut parts =
        date.split('-').map(|part| part.parse::<i16>().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit())));
    let year = parts.next()??;
    let month = parts.next().unwrap_or(Some(1))?;
    let day = parts.next().unwrap_or(Some(1))?;
    if parts.next().is_some() || date.split('-').next()?.len() != 4 {
        return None;
    }
    let date = jiff::civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let clock = clock.strip_suffix('Z').unwrap_or(clock);
    let clock = match clock.len() {
        0 => jiff::civil::Time::midnight(),
        2 => jiff::civil::Time::new(clock.parse().ok()?, 0, 0, 0).ok()?,
        _ => clock.parse().ok()?,
    };
    let time = date.to_datetime(clock).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(time.timestamp().as_millisecond())
}
