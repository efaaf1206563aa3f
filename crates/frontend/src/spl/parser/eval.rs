//! Expressions of `eval`, `where` and `eval(…)` in aggregates.
//!
//! From the loosest: `XOR`, `OR`, `AND`, `NOT`, comparisons (`=`, `LIKE`, `IN` …), `+ - .`, `* / %`, signs. Keywords
//! are taken in any case. Double quotes are text, single quotes fields.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};

use super::{Mode, Parsed, Parser, word};
use crate::spl::{
    ast::{Expr, ExprKind, Name, Operator},
    lexer::TokenKind,
};

const M: Mode = Mode::Expression;

impl Parser<'_> {
    /// An expression.
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        if !self.depth.enter() {
            return Err(self.too_deep());
        }
        let mut left = self.disjunction()?;
        while self.eat_keyword("XOR") {
            self.link()?;
            let right = self.disjunction()?;
            let span = left.span.to(right.span);
            left = Expr { kind: ExprKind::Xor(Box::new(left), Box::new(right)), span };
        }
        self.depth.leave();
        Ok(left)
    }

    fn keyword(&self) -> Option<Arc<str>> {
        match self.peek(M).kind {
            TokenKind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn eat_keyword(&mut self, keyword: &str) -> bool {
        let found = self.keyword().is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        if found {
            self.bump(M);
        }
        found
    }

    fn disjunction(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.conjunction()?];
        while self.eat_keyword("OR") || self.eat("||", M) {
            parts.push(self.conjunction()?);
        }
        Ok(junction(parts, ExprKind::Or))
    }

    fn conjunction(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.negation_expr()?];
        while self.eat_keyword("AND") || self.eat("&&", M) {
            parts.push(self.negation_expr()?);
        }
        Ok(junction(parts, ExprKind::And))
    }

    fn negation_expr(&mut self) -> Parsed<Expr> {
        let start = self.peek(M).span;
        if !self.eat_keyword("NOT") {
            return self.comparison_expr();
        }
        if !self.depth.enter() {
            return Err(self.too_deep());
        }
        let inner = self.negation_expr();
        self.depth.leave();
        let inner = inner?;
        let span = start.to(inner.span);
        Ok(Expr { kind: ExprKind::Not(Box::new(inner)), span })
    }

    fn comparison_expr(&mut self) -> Parsed<Expr> {
        let mut left = self.sum()?;
        loop {
            let operator = match self.peek(M).kind {
                TokenKind::Mark("=" | "==") => Operator::Equal,
                TokenKind::Mark("!=") => Operator::NotEqual,
                TokenKind::Mark("<") => Operator::Less,
                TokenKind::Mark("<=") => Operator::LessOrEqual,
                TokenKind::Mark(">") => Operator::Greater,
                TokenKind::Mark(">=") => Operator::GreaterOrEqual,
                TokenKind::Word(word) if word.eq_ignore_ascii_case("LIKE") => {
                    self.bump(M);
                    self.link()?;
                    let right = self.sum()?;
                    let span = left.span.to(right.span);
                    left = Expr { kind: ExprKind::Like(Box::new(left), Box::new(right)), span };
                    continue;
                }
                TokenKind::Word(word) if word.eq_ignore_ascii_case("IN") => {
                    self.bump(M);
                    self.link()?;
                    left = self.membership(left)?;
                    continue;
                }
                TokenKind::Word(word) if word.eq_ignore_ascii_case("NOT") => {
                    self.bump(M);
                    self.link()?;
                    left = self.negated(left)?;
                    continue;
                }
                _ => return Ok(left),
            };
            self.bump(M);
            self.link()?;
            let right = self.sum()?;
            left = binary(operator, left, right);
        }
    }

    /// `x NOT IN (…)` and `x NOT LIKE y`.
    fn negated(&mut self, left: Expr) -> Parsed<Expr> {
        let inner = if self.eat_keyword("IN") {
            self.membership(left)?
        } else if self.eat_keyword("LIKE") {
            let right = self.sum()?;
            let span = left.span.to(right.span);
            Expr { kind: ExprKind::Like(Box::new(left), Box::new(right)), span }
        } else {
            return Err(self.expected("`IN` or `LIKE`"));
        };
        let span = inner.span;
        Ok(Expr { kind: ExprKind::Not(Box::new(inner)), span })
    }

    fn membership(&mut self, left: Expr) -> Parsed<Expr> {
        if !self.peek_is("(", M) {
            return Err(self.expected("`(`"));
        }
        let open = self.bump(M).span;
        let items = self.arguments(open)?;
        let span = left.span.to(self.last);
        Ok(Expr { kind: ExprKind::In(Box::new(left), items), span })
    }

    fn sum(&mut self) -> Parsed<Expr> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek(M).kind {
                TokenKind::Mark("+") => Operator::Add,
                TokenKind::Mark("-") => Operator::Subtract,
                TokenKind::Mark(".") => Operator::Concatenate,
                // `"a".1`: behind a value a dot joins.
                TokenKind::Float(_) if self.file.slice(self.peek(M).span).starts_with('.') => {
                    self.at = self.peek(M).span.start as usize + 1;
                    self.link()?;
                    let right = self.product()?;
                    left = binary(Operator::Concatenate, left, right);
                    continue;
                }
                _ => return Ok(left),
            };
            self.bump(M);
            self.link()?;
            let right = self.product()?;
            left = binary(operator, left, right);
        }
    }

    fn product(&mut self) -> Parsed<Expr> {
        let mut left = self.sign()?;
        loop {
            let operator = match self.peek(M).kind {
                TokenKind::Mark("*") => Operator::Multiply,
                TokenKind::Mark("/") => Operator::Divide,
                TokenKind::Mark("%") => Operator::Modulo,
                _ => return Ok(left),
            };
            self.bump(M);
            self.link()?;
            let right = self.sign()?;
            left = binary(operator, left, right);
        }
    }

    fn sign(&mut self) -> Parsed<Expr> {
        let start = self.peek(M).span;
        if self.eat("-", M) {
            if !self.depth.enter() {
                return Err(self.too_deep());
            }
            let inner = self.sign();
            self.depth.leave();
            let inner = inner?;
            let span = start.to(inner.span);
            return Ok(match inner.kind {
                ExprKind::Integer(number) => Expr { kind: ExprKind::Integer(number.wrapping_neg()), span },
                ExprKind::Float(number) => Expr { kind: ExprKind::Float(-number), span },
                _ => Expr { kind: ExprKind::Negate(Box::new(inner)), span },
            });
        }
        if self.eat("+", M) {
            return self.primary();
        }
        self.primary()
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let token = self.peek(M);
        let span = token.span;
        let kind = match token.kind {
            TokenKind::Integer(number) => ExprKind::Integer(number),
            TokenKind::Float(number) => ExprKind::Float(number),
            TokenKind::Quoted(text) => ExprKind::Text(text),
            TokenKind::Unclosed(text) => ExprKind::Text(text),
            TokenKind::Field(text) => ExprKind::Field(text),
            TokenKind::Mark("(") => {
                self.bump(M);
                let inner = self.expression()?;
                if !self.eat(")", M) {
                    return Err(self.unclosed(span));
                }
                return Ok(Expr { span: span.to(self.last), ..inner });
            }
            TokenKind::Word(text) if is_operator(&text) && !self.calls_operator(&text) => {
                return Err(self.expected("a value"));
            }
            TokenKind::Word(text) => {
                self.bump(M);
                if self.peek_is("(", M) {
                    let name = Name { text, span, quoted: false };
                    return self.call(name);
                }
                return Ok(Expr { kind: ExprKind::Field(text), span });
            }
            _ => return Err(self.expected("a value")),
        };
        self.bump(M);
        Ok(Expr { kind, span })
    }

    /// `like(` and `in(` are functions, too.
    fn calls_operator(&self, word: &str) -> bool {
        let at = self.peek(M).span.end as usize;
        let behind = crate::spl::lexer::next(self.file.text(), at, self.end, M);
        behind.kind == TokenKind::Mark("(") && ["LIKE", "IN"].iter().any(|known| word.eq_ignore_ascii_case(known))
    }

    fn call(&mut self, name: Name) -> Parsed<Expr> {
        let open = self.bump(M).span;
        if !self.depth.enter() {
            return Err(self.too_deep());
        }
        let arguments = self.arguments(open);
        self.depth.leave();
        let arguments = arguments?;
        let span = name.span.to(self.last);
        Ok(Expr { kind: ExprKind::Call(name, arguments), span })
    }

    /// Expressions between commas up to a closing bracket, which is read.
    fn arguments(&mut self, open: Span) -> Parsed<Vec<Expr>> {
        let mut arguments = Vec::new();
        if self.eat(")", M) {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression()?);
            if self.eat(")", M) {
                return Ok(arguments);
            }
            if self.at_command_end() {
                return Err(self.unclosed(open));
            }
            if !self.eat(",", M) {
                return Err(self.expected("`,` or `)`"));
            }
        }
    }

    fn unclosed(&mut self, open: Span) -> super::Failed {
        self.report(Diagnostic::error("spl-unclosed", "this bracket is not closed").at(open, "opened here"))
    }

    /// `name = expression, …` of `eval`.
    pub(super) fn assignments(&mut self) -> Parsed<Vec<(Name, Expr)>> {
        let mut assignments = Vec::new();
        loop {
            let target = self.target()?;
            if !self.eat("=", Mode::Words) {
                return Err(self.expected("`=`"));
            }
            self.links = 0;
            assignments.push((target, self.expression()?));
            if !self.eat(",", M) {
                return Ok(assignments);
            }
            // A comma at the end of the list says nothing.
            if self.at_command_end() {
                return Ok(assignments);
            }
        }
    }

    /// What is assigned to: a word of nearly any characters, or quotes of either kind.
    fn target(&mut self) -> Parsed<Name> {
        let token = self.peek(M);
        if let TokenKind::Field(text) = token.kind {
            self.bump(M);
            return Ok(Name { text, span: token.span, quoted: true });
        }
        match word(self.peek(Mode::Words)) {
            Some(name) => {
                self.bump(Mode::Words);
                Ok(name)
            }
            None => Err(self.expected("the name of a field")),
        }
    }
}

fn is_operator(word: &str) -> bool {
    ["AND", "OR", "XOR", "LIKE", "IN"].iter().any(|operator| word.eq_ignore_ascii_case(operator))
}

fn junction(mut parts: Vec<Expr>, kind: impl Fn(Vec<Expr>) -> ExprKind) -> Expr {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            parts.extend(last);
            let start = parts.first().map_or(Span::default(), |part| part.span);
            let span = parts.last().map_or(start, |part| start.to(part.span));
            Expr { kind: kind(parts), span }
        }
    }
}

fn binary(operator: Operator, left: Expr, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    Expr { kind: ExprKind::Binary(operator, Box::new(left), Box::new(right)), span }
}
