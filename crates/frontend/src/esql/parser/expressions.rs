//! Expressions, by binding powers: `OR`, `AND`, `NOT`, then comparisons and pattern operators (which do not chain), then
//! arithmetic, then signs, then `::`.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};

use super::{Parsed, Parser};
use crate::{
    esql::{
        ast::{BinaryOperator, Expr, ExprKind, Name, UnaryOperator},
        lexer::Kind,
    },
    syntax::BindingPower,
};

const OR: BindingPower = BindingPower::left_associative(1);
const AND: BindingPower = BindingPower::left_associative(2);
const SUM: BindingPower = BindingPower::left_associative(4);
const PRODUCT: BindingPower = BindingPower::left_associative(5);
/// Signs bind tighter than any operator between operands.
const SIGN: u8 = 12;

/// How many operators and casts one expression may have, those of `AND` and `OR` aside: trees that are too high would
/// exhaust the stack of whoever walks them.
const MAX_OPERATORS: usize = 300;

/// Words that no column can be called without backquotes.
const RESERVED: [&str; 17] = [
    "and", "or", "not", "in", "is", "like", "rlike", "null", "true", "false", "by", "asc", "desc", "nulls", "as", "on",
    "with",
];

impl Parser<'_> {
    /// A whole expression.
    pub(super) fn expression(&mut self) -> Parsed<Expr> {
        if self.depth.at_top() {
            self.operators = 0;
        }
        self.boolean(0)
    }

    /// Counts an operator.
    fn operator(&mut self) -> Parsed<()> {
        self.operators += 1;
        if self.operators > MAX_OPERATORS { Err(self.too_deep()) } else { Ok(()) }
    }

    fn boolean(&mut self, least: u8) -> Parsed<Expr> {
        if !self.depth.enter() {
            return Err(self.too_deep());
        }
        let result = self.boolean_chain(least);
        self.depth.leave();
        result
    }

    fn boolean_chain(&mut self, least: u8) -> Parsed<Expr> {
        let mut left = if self.at_word("not") {
            let start = self.peek_span();
            self.tokens.bump();
            let operand = self.boolean(AND.right + 1)?;
            let span = start.to(operand.span);
            Expr { kind: ExprKind::Unary(UnaryOperator::Not, Box::new(operand)), span }
        } else {
            self.predicate()?
        };
        for (word, power, all) in [("and", AND, true), ("or", OR, false)] {
            if power.left < least || !self.at_word(word) {
                continue;
            }
            let start = left.span;
            let mut parts = vec![left];
            while self.eat_word(word) {
                parts.push(self.boolean(power.right)?);
            }
            left = Expr { kind: ExprKind::Junction(all, parts), span: start.to(self.tokens.last_span()) };
        }
        Ok(left)
    }

    /// An operand with at most one comparison, `IN`, `IS NULL`, `LIKE`, `RLIKE` or `:` behind it.
    fn predicate(&mut self) -> Parsed<Expr> {
        let left = self.operand(0)?;
        let start = left.span;
        let value = Box::new(left);
        let negated = self.at_word("not") && ["in", "like", "rlike"].iter().any(|word| self.word_at(1, word));
        if negated {
            self.tokens.bump();
        }
        let kind = if self.eat_word("in") {
            let open = self.peek_span();
            self.expect("(")?;
            let items = self.list(Self::expression)?;
            self.close(")", open)?;
            ExprKind::In { value, items, negated }
        } else if self.at_word("like") || self.at_word("rlike") {
            let regex = self.at_word("rlike");
            self.tokens.bump();
            ExprKind::Like { value, patterns: self.patterns()?, regex, negated }
        } else if self.eat_word("is") {
            let negated = self.eat_word("not");
            if !self.eat_word("null") {
                return Err(self.expected("`NULL`"));
            }
            ExprKind::IsNull { value, negated }
        } else if self.eat(":") {
            ExprKind::Match { value, query: Box::new(self.operand(SIGN)?) }
        } else if let Some(operator) = self.comparison()? {
            let right = Box::new(self.operand(0)?);
            if self.comparison_ahead() {
                let span = self.peek_span();
                return Err(self.report(
                    Diagnostic::error("esql-chained-comparison", "comparisons cannot be chained")
                        .at(span, "a second comparison")
                        .with_help("join two comparisons with `AND`"),
                ));
            }
            ExprKind::Binary(operator, value, right)
        } else {
            return Ok(*value);
        };
        Ok(Expr { kind, span: start.to(self.tokens.last_span()) })
    }

    fn comparison_ahead(&self) -> bool {
        ["==", "!=", "<=", ">=", "<", ">"].iter().any(|mark| self.at(mark))
    }

    fn comparison(&mut self) -> Parsed<Option<BinaryOperator>> {
        let operator = match self.kind() {
            Kind::Mark("==") => BinaryOperator::Equal,
            Kind::Mark("!=") => BinaryOperator::NotEqual,
            Kind::Mark("<") => BinaryOperator::Less,
            Kind::Mark("<=") => BinaryOperator::LessOrEqual,
            Kind::Mark(">") => BinaryOperator::Greater,
            Kind::Mark(">=") => BinaryOperator::GreaterOrEqual,
            Kind::Mark(mark @ ("=" | "=~" | "<>")) => {
                let (mark, help) = match *mark {
                    "=" => ("=", "two values are compared with `==`"),
                    "=~" => ("=~", "write `TO_LOWER(a) == TO_LOWER(b)`"),
                    _ => ("<>", "write `!=`"),
                };
                let span = self.peek_span();
                return Err(self.report(
                    Diagnostic::error("esql-operator", format!("`{mark}` is no comparison"))
                        .at(span, "not an operator here")
                        .with_help(help),
                ));
            }
            _ => return Ok(None),
        };
        self.tokens.bump();
        Ok(Some(operator))
    }

    /// The pattern of `LIKE` or `RLIKE`, or a list of them.
    fn patterns(&mut self) -> Parsed<Vec<Expr>> {
        let open = self.peek_span();
        if self.eat("(") {
            let patterns = self.list(|parser| parser.operand(SIGN))?;
            self.close(")", open)?;
            return Ok(patterns);
        }
        Ok(vec![self.operand(SIGN)?])
    }

    /// Arithmetic.
    fn operand(&mut self, least: u8) -> Parsed<Expr> {
        if !self.depth.enter() {
            return Err(self.too_deep());
        }
        let result = self.arithmetic(least);
        self.depth.leave();
        result
    }

    fn arithmetic(&mut self, least: u8) -> Parsed<Expr> {
        let mut left = if self.at("-") || self.at("+") { self.signed()? } else { self.primary()? };
        loop {
            let (operator, power) = match self.kind() {
                Kind::Mark("+") => (BinaryOperator::Add, SUM),
                Kind::Mark("-") => (BinaryOperator::Subtract, SUM),
                Kind::Mark("*") => (BinaryOperator::Multiply, PRODUCT),
                Kind::Mark("/") => (BinaryOperator::Divide, PRODUCT),
                Kind::Mark("%") => (BinaryOperator::Modulo, PRODUCT),
                _ => return Ok(left),
            };
            if power.left < least {
                return Ok(left);
            }
            self.operator()?;
            self.tokens.bump();
            left = binary(operator, left, self.operand(power.right)?);
        }
    }

    fn signed(&mut self) -> Parsed<Expr> {
        let minus = self.at("-");
        let start = self.peek_span();
        self.tokens.bump();
        // The least whole number is no number without its sign.
        if minus && let Kind::Integer(digits) = self.kind() {
            let negative = format!("-{digits}").parse::<i64>().ok();
            let span_follows = matches!(self.tokens.peek_nth(1).kind, Kind::Word(_)) && !self.reserved_at(1);
            if let Some(number) = negative.filter(|_| !span_follows && !self.mark_at(1, "::")) {
                let span = start.to(self.tokens.bump().span);
                return Ok(Expr { kind: ExprKind::Integer(number), span });
            }
        }
        let operand = self.operand(SIGN)?;
        let span = start.to(operand.span);
        let operator = if minus { UnaryOperator::Minus } else { UnaryOperator::Plus };
        Ok(Expr { kind: ExprKind::Unary(operator, Box::new(operand)), span })
    }

    fn reserved_at(&self, ahead: usize) -> bool {
        matches!(&self.tokens.peek_nth(ahead).kind, Kind::Word(word)
            if RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved)) || word.eq_ignore_ascii_case("where"))
    }

    /// A constant, column, call or bracket, with casts behind it.
    pub(super) fn primary(&mut self) -> Parsed<Expr> {
        let mut value = self.unit()?;
        while self.eat("::") {
            self.operator()?;
            let to = self.name()?;
            let span = value.span.to(to.span);
            value = Expr { kind: ExprKind::Cast { value: Box::new(value), to }, span };
        }
        Ok(value)
    }

    fn unit(&mut self) -> Parsed<Expr> {
        let start = self.peek_span();
        let kind = match self.kind().clone() {
            Kind::Text(text) => {
                self.tokens.bump();
                ExprKind::Text(text)
            }
            Kind::Integer(digits) => {
                self.tokens.bump();
                self.integer(&digits, start)?
            }
            Kind::Decimal(digits) => {
                self.tokens.bump();
                ExprKind::Decimal(digits.parse().unwrap_or(f64::INFINITY))
            }
            Kind::Parameter(name) => {
                self.tokens.bump();
                ExprKind::Parameter(name)
            }
            Kind::Mark("[") => self.array(start)?,
            Kind::Mark("(") => {
                self.tokens.bump();
                let inner = self.expression()?;
                self.close(")", start)?;
                return Ok(Expr { kind: inner.kind, span: start.to(self.tokens.last_span()) });
            }
            Kind::Word(word) => self.word(&word, start)?,
            Kind::Quoted(_) => ExprKind::Column(self.name()?.text),
            _ => return Err(self.expected("a value")),
        };
        Ok(Expr { kind, span: start.to(self.tokens.last_span()) })
    }

    fn integer(&mut self, digits: &str, start: Span) -> Parsed<ExprKind> {
        if let Kind::Word(unit) = self.kind()
            && !self.reserved_at(0)
        {
            let unit: Arc<str> = unit.to_ascii_lowercase().into();
            let span = start.to(self.tokens.bump().span);
            let Ok(count) = digits.parse() else {
                return Err(self
                    .report(Diagnostic::error("esql-number", "the time span is too long").at(span, "beyond 64 bits")));
            };
            return Ok(ExprKind::Span(count, unit));
        }
        Ok(match (digits.parse::<i64>(), digits.parse::<u64>()) {
            (Ok(number), _) => ExprKind::Integer(number),
            (_, Ok(number)) => ExprKind::Unsigned(number),
            _ => ExprKind::Decimal(digits.parse().unwrap_or(f64::INFINITY)),
        })
    }

    fn word(&mut self, word: &str, start: Span) -> Parsed<ExprKind> {
        match word.to_ascii_lowercase().as_str() {
            "null" => {
                self.tokens.bump();
                return Ok(ExprKind::Null);
            }
            truth @ ("true" | "false") if !self.mark_at(1, "(") => {
                let truth = truth == "true";
                self.tokens.bump();
                return Ok(ExprKind::Boolean(truth));
            }
            reserved if RESERVED.contains(&reserved) && !self.mark_at(1, "(") => {
                let failed = self.expected("a value");
                if let Some(last) = self.diagnostics.last_mut() {
                    last.help = Some(format!("a column of this name stands in backquotes: `{word}`"));
                }
                return Err(failed);
            }
            _ => {}
        }
        if self.mark_at(1, "(") {
            self.tokens.bump();
            let name = Name { text: word.to_ascii_lowercase().into(), span: start };
            return self.call(name);
        }
        Ok(ExprKind::Column(self.name()?.text))
    }

    fn call(&mut self, name: Name) -> Parsed<ExprKind> {
        let open = self.peek_span();
        self.expect("(")?;
        let mut arguments = Vec::new();
        if self.at("*") && self.mark_at(1, ")") {
            let span = self.tokens.bump().span;
            arguments.push(Expr { kind: ExprKind::Star, span });
        } else if !self.at(")") {
            arguments = self.list(Self::argument)?;
            if self.eat_word("by") {
                arguments.push(self.expression()?);
            }
        }
        self.close(")", open)?;
        Ok(ExprKind::Call { name, arguments })
    }

    /// An expression, or options in braces.
    pub(super) fn argument(&mut self) -> Parsed<Expr> {
        if !self.at("{") {
            return self.expression();
        }
        if !self.depth.enter() {
            return Err(self.too_deep());
        }
        let result = self.options();
        self.depth.leave();
        result
    }

    fn options(&mut self) -> Parsed<Expr> {
        let start = self.peek_span();
        self.eat("{");
        let mut entries = Vec::new();
        if !self.at("}") {
            entries = self.list(|parser| {
                let key = parser.text("the name of an option in double quotes")?;
                parser.expect(":")?;
                let value = if parser.at("{") { parser.argument()? } else { parser.operand(0)? };
                Ok((key, value))
            })?;
        }
        self.close("}", start)?;
        Ok(Expr { kind: ExprKind::Map(entries), span: start.to(self.tokens.last_span()) })
    }

    fn array(&mut self, start: Span) -> Parsed<ExprKind> {
        self.tokens.bump();
        let items = self.list(|parser| {
            let item = parser.operand(0)?;
            match item.kind {
                ExprKind::Integer(_)
                | ExprKind::Unsigned(_)
                | ExprKind::Decimal(_)
                | ExprKind::Text(_)
                | ExprKind::Boolean(_)
                | ExprKind::Unary(..)
                | ExprKind::Parameter(_) => Ok(item),
                _ => Err(parser.unexpected(&item, "a list holds constants only")),
            }
        })?;
        self.close("]", start)?;
        Ok(ExprKind::List(items))
    }
}

fn binary(operator: BinaryOperator, left: Expr, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    Expr { kind: ExprKind::Binary(operator, Box::new(left), Box::new(right)), span }
}
