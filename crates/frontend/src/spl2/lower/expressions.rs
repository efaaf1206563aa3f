//! Expressions, with every name replaced by what it means.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Case, Expr, Function, Regex, Verdict, Wildcard};
use lurcher_schema::Value;

use super::{
    super::ast::{self, ExprKind, Operator},
    Lowerer, Said,
    flow::{Environment, member},
};
use crate::syntax::java_regex::{Refusal, translate};

impl Lowerer<'_> {
    /// An expression under what names mean here.
    pub(super) fn expression(&mut self, expr: &ast::Expr, names: &Environment) -> Result<Expr, Said> {
        Ok(match &expr.kind {
            ExprKind::Null => Expr::Literal(Value::Null),
            ExprKind::Bool(truth) => Expr::Literal(Value::Bool(*truth)),
            ExprKind::Integer(number) => Expr::Literal(Value::Int(*number)),
            ExprKind::Float(number) => Expr::Literal(Value::Float(*number)),
            ExprKind::Duration(millis) => Expr::Literal(Value::Int(i64::try_from(*millis).unwrap_or(i64::MAX))),
            ExprKind::Text(text) => Expr::Literal(Value::Text(Arc::clone(text))),
            ExprKind::Template(parts) => Expr::Call(Function::Concat, self.expressions(parts, names)?),
            ExprKind::Regex(_) => {
                return Err(self.report(
                    Diagnostic::error("spl2-regex", "a regular expression is not a value")
                        .at(expr.span, "only an argument of a function can be one")
                        .with_help("write `match(field, /…/)`"),
                ));
            }
            ExprKind::Name(name) => self.name(name, expr.span, names),
            ExprKind::Member(of, name) => member(self.expression(of, names)?, name),
            ExprKind::Index(list, index) => {
                let (list, index) = (self.expression(list, names)?, self.expression(index, names)?);
                match (&list, &index) {
                    (_, Expr::Literal(Value::Text(name))) => member(list, name),
                    _ => Expr::call(Function::Index, [list, index]),
                }
            }
            ExprKind::Call(name, arguments) => self.call(name, arguments, expr.span, names)?,
            ExprKind::List(items) => Expr::List(self.expressions(items, names)?),
            ExprKind::Object(members) => {
                let mut lowered = Vec::new();
                for (key, value) in members {
                    lowered.push((Arc::clone(&key.text), self.expression(value, names)?));
                }
                Expr::Object(lowered)
            }
            ExprKind::Negate(inner) => match self.expression(inner, names)? {
                Expr::Literal(Value::Int(number)) => Expr::Literal(Value::Int(number.wrapping_neg())),
                Expr::Literal(Value::Float(number)) => Expr::Literal(Value::Float(-number)),
                inner => Expr::call(Function::Negate, [inner]),
            },
            ExprKind::Not(inner) => not(self.expression(inner, names)?),
            ExprKind::And(parts) => Expr::Call(Function::And, self.expressions(parts, names)?),
            ExprKind::Or(parts) => Expr::Call(Function::Or, self.expressions(parts, names)?),
            // One of two truths, not both: they differ.
            ExprKind::Xor(a, b) => {
                let sides = [self.expression(a, names)?, self.expression(b, names)?];
                not(Expr::call(Function::Equal(Case::Sensitive), sides))
            }
            ExprKind::Binary(operator, a, b) => self.binary(*operator, a, b, names)?,
            ExprKind::Like(text, pattern) => {
                let text = self.expression(text, names)?;
                self.like(text, pattern, names)?
            }
            ExprKind::In(needle, items) => {
                let mut parts = vec![self.expression(needle, names)?];
                parts.extend(self.expressions(items, names)?);
                Expr::Call(Function::In(Case::Sensitive), parts)
            }
            ExprKind::Between(value, low, high) => {
                let value = self.expression(value, names)?;
                let (low, high) = (self.expression(low, names)?, self.expression(high, names)?);
                let above = Expr::call(Function::LessOrEqual, [low, value.clone()]);
                Expr::call(Function::And, [above, Expr::call(Function::LessOrEqual, [value, high])])
            }
            ExprKind::IsNull(inner) => Expr::call(Function::IsNull, [self.expression(inner, names)?]),
            ExprKind::IsType(inner, name) => {
                let inner = self.expression(inner, names)?;
                let cast = self.unchecked_cast(inner, Some(Expr::Literal(Value::Null)), &name.text, name.span)?;
                not(Expr::call(Function::IsNull, [cast]))
            }
        })
    }

    /// Several expressions.
    pub(super) fn expressions(&mut self, exprs: &[ast::Expr], names: &Environment) -> Result<Vec<Expr>, Said> {
        exprs.iter().map(|expr| self.expression(expr, names)).collect()
    }

    /// What a name means here. A name that nothing sets is null, as the language has it; that is noted.
    pub(super) fn name(&mut self, name: &str, span: Span, names: &Environment) -> Expr {
        if let Some(variable) = self.scopes.iter().rev().find(|variable| variable.as_ref() == name) {
            return Expr::Column(Arc::clone(variable));
        }
        if let Some(expr) = names.find(name) {
            return expr;
        }
        // A dotted name that is set under its first part.
        if let Some((first, rest)) = name.split_once('.')
            && let Some(expr) = names.find(first)
        {
            return rest.split('.').fold(expr, member);
        }
        self.report(
            Diagnostic::note("spl2-never-set", format!("nothing sets `{name}` before this point"))
                .at(span, "always null here"),
        );
        names.get(name)
    }

    fn binary(&mut self, operator: Operator, a: &ast::Expr, b: &ast::Expr, names: &Environment) -> Result<Expr, Said> {
        if matches!(operator, Operator::Equal | Operator::NotEqual) {
            let null = [a, b].map(|side| matches!(side.kind, ExprKind::Null));
            if null[0] || null[1] {
                let value = self.expression(if null[0] { b } else { a }, names)?;
                let is_null = Expr::call(Function::IsNull, [value]);
                return Ok(if operator == Operator::Equal { is_null } else { not(is_null) });
            }
        }
        let (a, b) = (self.expression(a, names)?, self.expression(b, names)?);
        let function = match operator {
            Operator::Equal => Function::Equal(Case::Sensitive),
            Operator::NotEqual => return Ok(not(Expr::call(Function::Equal(Case::Sensitive), [a, b]))),
            Operator::Less => Function::Less,
            Operator::LessOrEqual => Function::LessOrEqual,
            Operator::Greater => return Ok(Expr::call(Function::Less, [b, a])),
            Operator::GreaterOrEqual => return Ok(Expr::call(Function::LessOrEqual, [b, a])),
            Operator::Add => Function::AddOrConcat,
            Operator::Subtract => Function::Subtract,
            Operator::Multiply => Function::Multiply,
            Operator::Divide => Function::Divide,
            Operator::Modulo => Function::Modulo,
        };
        Ok(Expr::call(function, [a, b]))
    }

    /// `LIKE` with a pattern that is written out: `%` any run, `_` one character, a backslash only itself.
    pub(super) fn like(&mut self, text: Expr, pattern: &ast::Expr, names: &Environment) -> Result<Expr, Said> {
        match self.expression(pattern, names)? {
            Expr::Literal(Value::Text(written)) => {
                Ok(Expr::call(Function::Like(Wildcard::parse_sql(&written), Case::Sensitive), [text]))
            }
            Expr::Literal(Value::Null) => Ok(Expr::Literal(Value::Null)),
            _ => Err(self.unsupported("dynamic-pattern", "a `LIKE` pattern that is computed", pattern.span)),
        }
    }

    /// A regular expression in the engine's syntax.
    pub(super) fn regex(&mut self, pattern: &str, span: Span) -> Result<Regex, Said> {
        match translate(pattern) {
            Ok(translated) => {
                if let Some(what) = translated.approximate {
                    self.reason(Verdict::Approximate, "regex", what, span);
                }
                Ok(translated.regex)
            }
            Err(Refusal::Unsupported(what)) => Err(self.unsupported("regex", what, span)),
            Err(Refusal::Faulty(what)) => Err(self.report(
                Diagnostic::error("spl2-regex", format!("the regular expression is faulty: {what}"))
                    .at(span, "this expression"),
            )),
        }
    }
}

/// The negation; of a literal, the other one.
pub(super) fn not(expr: Expr) -> Expr {
    match expr {
        Expr::Literal(Value::Bool(truth)) => Expr::Literal(Value::Bool(!truth)),
        other => Expr::call(Function::Not, [other]),
    }
}
