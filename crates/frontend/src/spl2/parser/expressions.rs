//! Expressions, by precedence: `or`, `xor`, `and`, `not`, comparisons, sums, products, signs, members, operands.
//!
//! A comparison binds tighter than `not`, so `NOT match(a, /b/)=true` negates the comparison. Chains of `and` and `or`
//! are kept flat: published rules have hundreds of links.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};

use super::{
    super::{
        ast::{Argument, Expr, ExprKind, Name, Operator},
        lexer::{TextPart, TokenKind},
    },
    Failed, MAX_DEPTH, MAX_HEIGHT, Parsed, Parser,
};

/// Words that are operators and so never fields.
const RESERVED: [&str; 10] = ["and", "or", "xor", "not", "like", "in", "between", "is", "as", "by"];

impl Parser<'_> {
    /// An expression.
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        if self.depth >= MAX_DEPTH {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let parsed = self.disjunction();
        self.depth -= 1;
        parsed
    }

    /// Builds a node, unless it has grown too high.
    fn node(&mut self, kind: ExprKind, span: Span) -> Parsed<Expr> {
        let expr = Expr::new(kind, span);
        if expr.height > MAX_HEIGHT { Err(self.too_deep()) } else { Ok(expr) }
    }

    fn disjunction(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.exclusion()?];
        while self.eat_word("or") {
            parts.push(self.exclusion()?);
        }
        self.chain(parts, ExprKind::Or)
    }

    fn exclusion(&mut self) -> Parsed<Expr> {
        let mut left = self.conjunction()?;
        while self.eat_word("xor") {
            let right = self.conjunction()?;
            let span = left.span.to(right.span);
            left = self.node(ExprKind::Xor(Box::new(left), Box::new(right)), span)?;
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Parsed<Expr> {
        let mut parts = vec![self.negation()?];
        while self.eat_word("and") {
            parts.push(self.negation()?);
        }
        self.chain(parts, ExprKind::And)
    }

    fn chain(&mut self, mut parts: Vec<Expr>, make: fn(Vec<Expr>) -> ExprKind) -> Parsed<Expr> {
        match (parts.len(), parts.pop()) {
            (1, Some(only)) => Ok(only),
            (_, Some(last)) => {
                let span = parts.first().map_or(last.span, |first| first.span.to(last.span));
                parts.push(last);
                self.node(make(parts), span)
            }
            (_, None) => Err(Failed),
        }
    }

    fn negation(&mut self) -> Parsed<Expr> {
        let start = self.token().span;
        if !self.eat_word("not") {
            return self.comparison();
        }
        if self.depth >= MAX_DEPTH {
            return Err(self.too_deep());
        }
        self.depth += 1;
        let inner = self.negation();
        self.depth -= 1;
        let inner = inner?;
        let span = start.to(inner.span);
        self.node(ExprKind::Not(Box::new(inner)), span)
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let left = self.sum()?;
        let expr = self.comparison_tail(left)?;
        if self.comparison_operator().is_some() {
            let span = self.token().span;
            return Err(self.report(
                Diagnostic::error("spl2-chained-comparison", "comparisons cannot be chained")
                    .at(span, "a second comparison")
                    .at(expr.span, "of this one, which is true or false")
                    .with_help("compare twice and join the two with `AND`: `a = b AND b = c`"),
            ));
        }
        Ok(expr)
    }

    /// What may follow the left side of a comparison; the left side itself if nothing does.
    fn comparison_tail(&mut self, left: Expr) -> Parsed<Expr> {
        let start = left.span;
        if let Some(operator) = self.comparison_operator() {
            self.at += 1;
            let right = self.sum()?;
            let span = start.to(right.span);
            return self.node(ExprKind::Binary(operator, Box::new(left), Box::new(right)), span);
        }
        if self.eat_word("is") {
            return self.is_tail(left);
        }
        let negated = self.at_word("not");
        let operator = usize::from(negated);
        let word = match self.tokens.get(self.at + operator).map(|token| &token.kind) {
            Some(TokenKind::Word(word)) => word.to_ascii_lowercase(),
            _ => return Ok(left),
        };
        let kind = match word.as_str() {
            "like" => {
                self.at += operator + 1;
                ExprKind::Like(Box::new(left), Box::new(self.sum()?))
            }
            "in" => {
                self.at += operator + 1;
                ExprKind::In(Box::new(left), self.in_list()?)
            }
            "between" => {
                self.at += operator + 1;
                let low = self.sum()?;
                if !self.eat_word("and") {
                    return Err(self.expected("`AND` of `BETWEEN … AND …`"));
                }
                ExprKind::Between(Box::new(left), Box::new(low), Box::new(self.sum()?))
            }
            _ => return Ok(left),
        };
        let span = start.to(self.previous_span());
        let expr = self.node(kind, span)?;
        if negated { self.node(ExprKind::Not(Box::new(expr)), span) } else { Ok(expr) }
    }

    fn is_tail(&mut self, left: Expr) -> Parsed<Expr> {
        let start = left.span;
        let negated = self.eat_word("not");
        let name = self.next_name("`NULL` or a type")?;
        let span = start.to(name.span);
        let kind = if name.text.eq_ignore_ascii_case("null") {
            ExprKind::IsNull(Box::new(left))
        } else {
            ExprKind::IsType(Box::new(left), name)
        };
        let expr = self.node(kind, span)?;
        if negated { self.node(ExprKind::Not(Box::new(expr)), span) } else { Ok(expr) }
    }

    fn in_list(&mut self) -> Parsed<Vec<Expr>> {
        let open = self.token().span;
        let close = if self.eat("(") {
            ")"
        } else if self.eat("[") {
            "]"
        } else {
            return Err(self.expected("`(` and a list"));
        };
        let items = self.expressions(close)?;
        self.close(close, open)?;
        Ok(items)
    }

    /// Expressions separated by commas, up to a closing bracket.
    fn expressions(&mut self, close: &str) -> Parsed<Vec<Expr>> {
        let mut items = Vec::new();
        while !self.at_mark(&[close]) {
            items.push(self.expression()?);
            if !self.eat(",") {
                break;
            }
        }
        Ok(items)
    }

    fn comparison_operator(&self) -> Option<Operator> {
        Some(match self.mark_at(0)? {
            "=" | "==" => Operator::Equal,
            "!=" | "<>" => Operator::NotEqual,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            _ => return None,
        })
    }

    fn sum(&mut self) -> Parsed<Expr> {
        let mut left = self.product()?;
        loop {
            let operator = match self.mark_at(0) {
                Some("+") => Operator::Add,
                Some("-") => Operator::Subtract,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.product()?;
            let span = left.span.to(right.span);
            left = self.node(ExprKind::Binary(operator, Box::new(left), Box::new(right)), span)?;
        }
    }

    fn product(&mut self) -> Parsed<Expr> {
        let mut left = self.signed()?;
        loop {
            let operator = match self.mark_at(0) {
                Some("*") => Operator::Multiply,
                Some("/") => Operator::Divide,
                Some("%") => Operator::Modulo,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.signed()?;
            let span = left.span.to(right.span);
            left = self.node(ExprKind::Binary(operator, Box::new(left), Box::new(right)), span)?;
        }
    }

    fn signed(&mut self) -> Parsed<Expr> {
        let start = self.token().span;
        let mut negative = false;
        while self.at_mark(&["+", "-"]) {
            negative ^= self.at_mark(&["-"]);
            self.at += 1;
        }
        let operand = self.members()?;
        let span = start.to(operand.span);
        if negative { self.node(ExprKind::Negate(Box::new(operand)), span) } else { Ok(operand) }
    }

    fn members(&mut self) -> Parsed<Expr> {
        let mut expr = self.operand()?;
        loop {
            let (start, open) = (expr.span, self.token().span);
            if self.eat(".") {
                let name = self.next_name("the name of a member")?;
                expr = self.node(ExprKind::Member(Box::new(expr), name.text), start.to(name.span))?;
            } else if self.eat("[") {
                let index = self.expression()?;
                self.close("]", open)?;
                let span = start.to(self.previous_span());
                expr = self.node(ExprKind::Index(Box::new(expr), Box::new(index)), span)?;
            } else {
                return Ok(expr);
            }
        }
    }

    fn operand(&mut self) -> Parsed<Expr> {
        let token = self.token().clone();
        let kind = match token.kind {
            TokenKind::Integer(number) => ExprKind::Integer(number),
            TokenKind::Float(number) => ExprKind::Float(number),
            TokenKind::Duration(millis) => ExprKind::Duration(millis),
            TokenKind::Regex(regex) => ExprKind::Regex(regex),
            TokenKind::Quoted(name) => ExprKind::Name(name),
            TokenKind::Text(parts) => {
                self.at += 1;
                return self.text(parts, token.span);
            }
            TokenKind::Word(word) => return self.word(&word),
            TokenKind::Mark("(") => {
                self.at += 1;
                let mut inner = self.expression()?;
                self.close(")", token.span)?;
                inner.span = token.span.to(self.previous_span());
                return Ok(inner);
            }
            TokenKind::Mark("[") => {
                self.at += 1;
                let items = self.expressions("]")?;
                self.close("]", token.span)?;
                return self.node(ExprKind::List(items), token.span.to(self.previous_span()));
            }
            TokenKind::Mark("{") => return self.object(),
            TokenKind::Mark("`") => {
                return Err(self.report(
                    Diagnostic::error("spl2-expected", "SPL2 has no macros in back quotes")
                        .at(token.span, "an expression expected")
                        .with_help("write the condition out; macros belong to SPL"),
                ));
            }
            _ => return Err(self.expected("an expression")),
        };
        self.at += 1;
        self.node(kind, token.span)
    }

    fn word(&mut self, word: &Arc<str>) -> Parsed<Expr> {
        let span = self.token().span;
        let lower = word.to_ascii_lowercase();
        if self.mark_at(1) == Some("(") && !matches!(lower.as_str(), "and" | "or" | "xor" | "not" | "between") {
            return self.call();
        }
        if RESERVED.contains(&lower.as_str()) {
            return Err(self.expected("an expression"));
        }
        self.at += 1;
        let kind = match lower.as_str() {
            "null" => ExprKind::Null,
            "true" => ExprKind::Bool(true),
            "false" => ExprKind::Bool(false),
            _ => ExprKind::Name(Arc::clone(word)),
        };
        self.node(kind, span)
    }

    fn call(&mut self) -> Parsed<Expr> {
        let name = self.next_name("a function")?;
        let open = self.token().span;
        self.expect("(")?;
        let mut arguments = Vec::new();
        while !self.at_mark(&[")"]) {
            let named = self.mark_at(1) == Some(":") && matches!(self.token().kind, TokenKind::Word(_));
            let argument = if named { Some(self.next_name("an argument")?) } else { None };
            if named {
                self.at += 1;
            }
            arguments.push(Argument { name: argument, value: self.expression()? });
            if !self.eat(",") {
                break;
            }
        }
        self.close(")", open)?;
        let span = name.span.to(self.previous_span());
        self.node(ExprKind::Call(name, arguments), span)
    }

    fn object(&mut self) -> Parsed<Expr> {
        let open = self.token().span;
        self.expect("{")?;
        let mut members = Vec::new();
        while !self.at_mark(&["}"]) {
            let key = self.token().clone();
            let text = match key.kind {
                TokenKind::Word(text) | TokenKind::Quoted(text) => text,
                TokenKind::Text(parts) => match parts.as_slice() {
                    [TextPart::Literal(text)] => text.as_str().into(),
                    _ => return Err(self.expected("a key without `${…}`")),
                },
                _ => return Err(self.expected("a key")),
            };
            self.at += 1;
            self.expect(":")?;
            members.push((Name { text, span: key.span }, self.expression()?));
            if !self.eat(",") {
                break;
            }
        }
        self.close("}", open)?;
        self.node(ExprKind::Object(members), open.to(self.previous_span()))
    }

    fn text(&mut self, parts: Vec<TextPart>, span: Span) -> Parsed<Expr> {
        if let [TextPart::Literal(text)] = parts.as_slice() {
            return self.node(ExprKind::Text(text.as_str().into()), span);
        }
        let mut exprs = Vec::new();
        for part in parts {
            match part {
                TextPart::Literal(text) if text.is_empty() => {}
                TextPart::Literal(text) => exprs.push(Expr::new(ExprKind::Text(text.into()), span)),
                TextPart::Expression(range) => {
                    let mut inner = Parser::new(self.file, range, self.depth);
                    let parsed = inner.expression();
                    if parsed.is_ok() && !inner.at_end() {
                        let _ = inner.expected("`}`");
                    }
                    inner.diagnostics.into_iter().for_each(|diagnostic| self.diagnostics.push(diagnostic));
                    exprs.push(parsed?);
                }
            }
        }
        self.node(ExprKind::Template(exprs), span)
    }
}
