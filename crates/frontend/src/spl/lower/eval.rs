//! Expressions of `eval` and `where`, with every name replaced by what it means.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Calculation, Case, Expr, Function, LooseFunction, Regex, Verdict, Wildcard};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    rows::{Names, loose},
    terms::{any_value, contrary},
};
use crate::{
    spl::ast::{self, ExprKind, Operator},
    syntax::java_regex::{Refusal, Translated, translate},
};

impl Lowerer<'_> {
    /// An expression under what names mean here.
    pub(super) fn expression(&mut self, expr: &ast::Expr, names: &Names) -> Result<Expr, Said> {
        Ok(match &expr.kind {
            ExprKind::Integer(number) => Expr::Literal(Value::Int(*number)),
            ExprKind::Float(number) => Expr::Literal(Value::Float(*number)),
            ExprKind::Text(text) => Expr::Literal(Value::Text(Arc::clone(text))),
            ExprKind::Field(name) => self.name(name, expr.span, names),
            ExprKind::Call(name, arguments) => self.call(name, arguments, expr.span, names)?,
            ExprKind::Negate(inner) => calculate(Calculation::Negate, [self.expression(inner, names)?]),
            ExprKind::Not(inner) => Expr::call(Function::Not, [self.expression(inner, names)?]),
            ExprKind::And(parts) => Expr::Call(Function::And, self.expressions(parts, names)?),
            ExprKind::Or(parts) => Expr::Call(Function::Or, self.expressions(parts, names)?),
            // One of two truths, not both: they differ.
            ExprKind::Xor(a, b) => {
                let sides = [self.expression(a, names)?, self.expression(b, names)?];
                Expr::call(Function::Not, [Expr::call(Function::Equal(Case::Sensitive), sides)])
            }
            ExprKind::Binary(operator, a, b) => self.binary(*operator, a, b, names)?,
            ExprKind::Like(text, pattern) => {
                let text = self.expression(text, names)?;
                self.like(text, pattern, names)?
            }
            ExprKind::In(needle, items) => {
                let mut parts = vec![self.expression(needle, names)?];
                parts.extend(self.expressions(items, names)?);
                any_value(Function::In(Case::Sensitive), parts)
            }
        })
    }

    /// Several expressions.
    pub(super) fn expressions(&mut self, exprs: &[ast::Expr], names: &Names) -> Result<Vec<Expr>, Said> {
        exprs.iter().map(|expr| self.expression(expr, names)).collect()
    }

    /// What a name means here. A name that nothing sets is null, as the language has it; that is noted.
    pub(super) fn name(&mut self, name: &Arc<str>, span: Span, names: &Names) -> Expr {
        if let Some(variable) = self.scopes.iter().rev().find(|variable| *variable == name) {
            return Expr::Column(Arc::clone(variable));
        }
        let looks_null = name.eq_ignore_ascii_case("null");
        if !names.knows(name) && !looks_null {
            self.report(
                Diagnostic::note("spl-never-set", format!("nothing sets `{name}` before this point"))
                    .at(span, "always null here"),
            );
        }
        names.get(name)
    }

    fn binary(&mut self, operator: Operator, a: &ast::Expr, b: &ast::Expr, names: &Names) -> Result<Expr, Said> {
        let (a, b) = (self.expression(a, names)?, self.expression(b, names)?);
        let numeric = |expr: &Expr| matches!(expr, Expr::Literal(Value::Int(_) | Value::Float(_)));
        // A number that is written out is compared as one; what else is compared is whatever it reads as.
        let known = numeric(&a) || numeric(&b);
        let less = |or_equal: bool| match (known, or_equal) {
            (true, false) => Function::Less,
            (true, true) => Function::LessOrEqual,
            (false, false) => Function::Loose(LooseFunction::Less),
            (false, true) => Function::Loose(LooseFunction::LessOrEqual),
        };
        let equal = Function::Equal(Case::Sensitive);
        Ok(match operator {
            Operator::Equal => any_value(equal, [a, b]),
            Operator::NotEqual => any_value(contrary(equal), [a, b]),
            Operator::Less => any_value(less(false), [a, b]),
            Operator::LessOrEqual => any_value(less(true), [a, b]),
            Operator::Greater => any_value(less(false), [b, a]),
            Operator::GreaterOrEqual => any_value(less(true), [b, a]),
            Operator::Add => loose(LooseFunction::Add, [a, b]),
            Operator::Subtract => calculate(Calculation::Subtract, [a, b]),
            Operator::Multiply => calculate(Calculation::Multiply, [a, b]),
            Operator::Divide => calculate(Calculation::Divide, [a, b]),
            Operator::Modulo => calculate(Calculation::Modulo, [a, b]),
            Operator::Concatenate => match (a, b) {
                (Expr::Call(Function::Concat, mut parts), b) => {
                    parts.push(b);
                    Expr::Call(Function::Concat, parts)
                }
                (a, b) => Expr::call(Function::Concat, [a, b]),
            },
        })
    }

    /// `LIKE` with a pattern that is written out: `%` any run, `_` one character.
    pub(super) fn like(&mut self, text: Expr, pattern: &ast::Expr, names: &Names) -> Result<Expr, Said> {
        match self.expression(pattern, names)? {
            Expr::Literal(Value::Text(written)) => {
                Ok(any_value(Function::Like(Wildcard::parse_sql(&written), Case::Sensitive), [text]))
            }
            Expr::Literal(Value::Null) => Ok(Expr::Literal(Value::Null)),
            computed => Ok(any_value(Function::Loose(LooseFunction::LikeComputed), [text, computed])),
        }
    }

    /// A regular expression that is written out. One that is faulty as unescaped text is tried as written.
    pub(super) fn regex(&mut self, pattern: &str, span: Span) -> Result<Regex, Said> {
        let translated = match translate(pattern) {
            Err(Refusal::Faulty(_)) => {
                let again = self.file.slice(span).trim_matches('"').to_owned();
                translate(&again).or_else(|_| translate(pattern))
            }
            other => other,
        };
        self.runnable(translated, span)
    }

    fn runnable(&mut self, translated: Result<Translated, Refusal>, span: Span) -> Result<Regex, Said> {
        match translated {
            Ok(translated) => {
                if let Some(what) = translated.approximate {
                    self.reason(Verdict::Approximate, "regex", what, span);
                }
                Ok(translated.regex)
            }
            Err(Refusal::Unsupported(what)) => Err(self.unsupported("regex", what, span)),
            Err(Refusal::Faulty(what)) => Err(self.report(
                Diagnostic::error("spl-regex", format!("the regular expression is faulty: {what}"))
                    .at(span, "this expression"),
            )),
        }
    }

    /// The regular expression that an argument is. What is known here is faulty here; what a row makes is null where it
    /// cannot be run.
    pub(super) fn pattern(&mut self, pattern: &ast::Expr, names: &Names) -> Result<Pattern, Said> {
        Ok(match self.expression(pattern, names)? {
            Expr::Literal(Value::Text(text)) if matches!(pattern.kind, ExprKind::Text(_)) => {
                Pattern::Written(self.regex(&text, pattern.span)?)
            }
            // A name that was set to a text.
            Expr::Literal(Value::Text(text)) => Pattern::Written(self.runnable(translate(&text), pattern.span)?),
            computed => Pattern::Computed(computed),
        })
    }
}

/// A regular expression as an argument.
pub(super) enum Pattern {
    /// Written out, or set to what is.
    Written(Regex),
    /// Made by the row.
    Computed(Expr),
}

/// Arithmetic on what reads as numbers.
pub(super) fn calculate(calculation: Calculation, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    let arguments: Vec<Expr> = arguments.into_iter().collect();
    match (calculation, arguments.as_slice()) {
        (Calculation::Negate, [Expr::Literal(Value::Int(number))]) => Expr::Literal(Value::Int(number.wrapping_neg())),
        _ => loose(LooseFunction::Calculate(calculation), arguments),
    }
}
