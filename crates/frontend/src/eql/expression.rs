//! Tokens to the tree: expressions, by precedence climbing (Pratt).
//!
//! From loose to tight: `or`, `and`, `not`, comparison (never chained), `+ -`, `* / %`, sign; tightest are the tests
//! that stand right behind a value (`in`, `:`, `like`, `regex`).

use std::sync::Arc;

use lurcher_diagnostics::Span;

use super::{
    ast::{Arithmetic, Comparison, Literal, Node, NodeKind, PatternOperator},
    lexer::Lexeme,
    parser::{Parser, error_at},
};
use crate::syntax::{BindingPower, MAX_DEPTH};

const OR: BindingPower = BindingPower::left_associative(1);
const AND: BindingPower = BindingPower::left_associative(2);
const NOT: BindingPower = BindingPower::left_associative(3);
const COMPARISON: BindingPower = BindingPower::left_associative(4);
const SUM: BindingPower = BindingPower::left_associative(5);
const PRODUCT: BindingPower = BindingPower::left_associative(6);
const SIGN: BindingPower = BindingPower::left_associative(7);

/// Words that end an operand: a name that is one of them stands in back-quotes.
const RESERVED: [&str; 12] =
    ["and", "or", "by", "in", "like", "regex", "where", "with", "maxspan", "until", "sequence", "sample"];

#[derive(Clone, Copy)]
enum Infix {
    Or,
    And,
    Compare(Comparison),
    Arithmetic(Arithmetic),
}

impl Parser<'_> {
    /// A whole expression.
    pub(super) fn expression(&mut self) -> Node {
        self.climb(0)
    }

    fn climb(&mut self, least: u8) -> Node {
        if !self.depth.enter() {
            let span = self.span();
            return self.too_deep(span);
        }
        let mut left = self.prefix(least);
        let (mut compared, mut nested) = (false, 0);
        while let Some((operator, power)) = self.infix() {
            if power.left < least {
                break;
            }
            let operator_span = self.take_operator(operator);
            if matches!(operator, Infix::Compare(_)) {
                if compared {
                    let help = "join two comparisons with `and`, or use parentheses";
                    let message = "comparisons cannot be chained";
                    self.error("eql-chained-comparison", message, operator_span, "second comparison", help);
                }
                compared = true;
            }
            let right = self.climb(power.right);
            left = join(operator, operator_span, left, right);
            nested += u32::from(!matches!(operator, Infix::And | Infix::Or));
            if nested > MAX_DEPTH {
                left = self.too_deep(operator_span);
            }
        }
        self.depth.leave();
        left
    }

    /// Reports it and gives up the rest: nothing that follows could be told from a consequence.
    fn too_deep(&mut self, span: Span) -> Node {
        let help = "split the rule, or use lists: `field in (…)`, `field : (…)`";
        self.error("eql-too-deep", "this expression nests too deeply", span, "too deep", help);
        self.give_up();
        error_at(span)
    }

    fn infix(&self) -> Option<(Infix, BindingPower)> {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        Some(match self.peek() {
            Lexeme::Word(_) if self.at_word("or") => (Infix::Or, OR),
            Lexeme::Word(_) if self.at_word("and") => (Infix::And, AND),
            Lexeme::Symbol(symbol) => match *symbol {
                "==" | "=" => (Infix::Compare(Equal), COMPARISON),
                "!=" => (Infix::Compare(NotEqual), COMPARISON),
                "<" => (Infix::Compare(Less), COMPARISON),
                "<=" => (Infix::Compare(LessOrEqual), COMPARISON),
                ">" => (Infix::Compare(Greater), COMPARISON),
                ">=" => (Infix::Compare(GreaterOrEqual), COMPARISON),
                "+" => (Infix::Arithmetic(Arithmetic::Add), SUM),
                "-" => (Infix::Arithmetic(Arithmetic::Subtract), SUM),
                "*" => (Infix::Arithmetic(Arithmetic::Multiply), PRODUCT),
                "/" => (Infix::Arithmetic(Arithmetic::Divide), PRODUCT),
                "%" => (Infix::Arithmetic(Arithmetic::Modulo), PRODUCT),
                _ => return None,
            },
            _ => return None,
        })
    }

    fn take_operator(&mut self, operator: Infix) -> Span {
        let span = self.span();
        match operator {
            Infix::Or => drop(self.eat_word("or")),
            Infix::And => drop(self.eat_word("and")),
            _ => {
                if self.at_symbol("=") {
                    let message = "`=` does not compare";
                    self.error("eql-single-equals", message, span, "one `=`", "write `==`, or `:` to ignore case");
                }
                self.bump();
            }
        }
        span
    }

    fn prefix(&mut self, least: u8) -> Node {
        let start = self.span();
        if self.at_word("not") && !self.name_goes_on(1) {
            self.eat_word("not");
            if least > NOT.right {
                let help = "put parentheses around it";
                self.error("eql-syntax", "`not` cannot stand here", start, "negates a part of a comparison", help);
            }
            let operand = self.climb(NOT.left);
            let span = start.to(operand.span);
            return Node { kind: NodeKind::Not(Box::new(operand)), span };
        }
        if self.at_symbol("+") || self.at_symbol("-") {
            let negative = self.at_symbol("-");
            self.bump();
            let operand = self.climb(SIGN.left);
            let span = start.to(operand.span);
            return if negative { negated(operand, span) } else { Node { kind: operand.kind, span } };
        }
        self.tested()
    }

    /// Whether the token `ahead` places on makes the word before it a name rather than a keyword.
    fn name_goes_on(&self, ahead: usize) -> bool {
        matches!(&self.tokens.peek_nth(ahead).kind, Lexeme::Symbol("." | "==" | "!=" | ":" | "<" | "<=" | ">" | ">="))
    }

    // A value and the test behind it

    fn tested(&mut self) -> Node {
        let mut value = self.base();
        let mut tested = false;
        loop {
            let start = value.span;
            let negated = self.at_word("not") && self.pattern_operator(1).is_some() || self.not_in();
            let not_span = self.span();
            let Some((operator, name)) = self.pattern_operator(usize::from(negated)) else {
                return value;
            };
            if negated {
                self.eat_word("not");
                if operator.is_some() {
                    let message = format!("`not` cannot stand before `{name}`");
                    let help = format!("write `not … {name} …`, with `not` before the field");
                    self.error("eql-not-like", message, not_span, "in the wrong place", &help);
                }
            }
            let operator_span = self.span();
            self.pattern_keyword(&name);
            if std::mem::replace(&mut tested, true) {
                // One more level for each link would let a long chain overflow the stack of whoever walks the tree.
                value = error_at(start);
                let help = "join two tests with `and`, or list the patterns: `field : (\"a\", \"b\")`";
                let message = "tests cannot be chained";
                self.error("eql-chained-comparison", message, operator_span, "second test", help);
            }
            let subject = Box::new(value);
            let kind = match operator {
                None => NodeKind::In { subject, insensitive: name == "in~", items: self.in_list() },
                Some(operator) => {
                    if let Some(call) = self.python_method(&subject, operator) {
                        value = call;
                        continue;
                    }
                    NodeKind::Pattern { subject, operator, operator_span, patterns: self.patterns(operator) }
                }
            };
            let span = start.to(self.tokens.last_span());
            value = Node { kind, span };
            if negated {
                value = Node { kind: NodeKind::Not(Box::new(value)), span };
            }
        }
    }

    fn not_in(&self) -> bool {
        self.at_word("not")
            && matches!(&self.tokens.peek_nth(1).kind,
                Lexeme::Word(w) | Lexeme::Tilded(w) if w.eq_ignore_ascii_case("in"))
    }

    /// The test that stands `ahead` tokens on, and its name; `in` has no pattern operator.
    fn pattern_operator(&self, ahead: usize) -> Option<(Option<PatternOperator>, String)> {
        let (word, insensitive) = match &self.tokens.peek_nth(ahead).kind {
            Lexeme::Symbol(":") => return Some((Some(PatternOperator::Colon), ":".to_owned())),
            Lexeme::Word(word) => (word.to_ascii_lowercase(), false),
            Lexeme::Tilded(word) => (word.to_ascii_lowercase(), true),
            _ => return None,
        };
        let operator = match word.as_str() {
            "in" => None,
            "like" => Some(PatternOperator::Like { insensitive }),
            "regex" => Some(PatternOperator::Regex { insensitive }),
            _ => return None,
        };
        Some((operator, if insensitive { format!("{word}~") } else { word }))
    }

    /// Reads the operator that [`Parser::pattern_operator`] saw.
    fn pattern_keyword(&mut self, name: &str) {
        let span = self.bump();
        let written = self.file.slice(span).to_owned();
        if written != name {
            let message = format!("keywords are written in lower case, this is `{written}`");
            self.error("eql-keyword-case", message, span, "upper case", &format!("write `{name}`"));
        }
    }

    fn in_list(&mut self) -> Vec<Node> {
        if !self.at_symbol("(") {
            if self.at_symbol("[") {
                let span = self.span();
                self.error("eql-syntax", "lists stand in parentheses", span, "bracket", "write `in (\"a\", \"b\")`");
                self.bump();
                let items = self.arguments("]");
                self.eat_symbol("]");
                return items;
            }
            self.expected("`(`", "lists stand in parentheses: `in (\"a\", \"b\")`");
            return Vec::new();
        }
        self.parenthesised_list("an empty list holds nothing")
    }

    fn parenthesised_list(&mut self, empty: &str) -> Vec<Node> {
        let open = self.bump();
        let items = self.arguments(")");
        if items.is_empty() {
            self.error("eql-empty-list", empty, open.to(self.span()), "empty", "name at least one value");
        }
        self.close(open);
        items
    }

    /// Expressions between commas, up to the closing symbol, which stays unread.
    fn arguments(&mut self, close: &str) -> Vec<Node> {
        let mut items = Vec::new();
        while !self.at_symbol(close) && !self.tokens.at_end() {
            items.push(self.expression());
            let comma = self.span();
            if !self.eat_symbol(",") {
                break;
            }
            if self.at_symbol(close) {
                self.error("eql-trailing-comma", "nothing follows this comma", comma, "", "leave it out");
            }
        }
        items
    }

    fn close(&mut self, open: Span) {
        if self.eat_symbol(")") {
            return;
        }
        if self.tokens.at_end() || self.at_symbol("]") || self.at_symbol("|") {
            self.error("eql-unclosed", "this parenthesis is never closed", open, "opened here", "add `)`");
            return;
        }
        self.expected("`,` or `)`", "");
        let mut depth = 0_u32;
        while !self.tokens.at_end() && !self.at_symbol("]") && !self.at_symbol("|") {
            if self.at_symbol("(") {
                depth += 1;
            } else if self.at_symbol(")") {
                if depth == 0 {
                    self.bump();
                    return;
                }
                depth -= 1;
            }
            self.bump();
        }
    }

    /// What stands behind `:`, `like` and `regex`: a literal or a list of literals.
    fn patterns(&mut self, operator: PatternOperator) -> Vec<Node> {
        let patterns = if self.at_symbol("(") {
            self.parenthesised_list("an empty list matches nothing")
        } else {
            vec![if self.at_symbol("-") { self.climb(SIGN.left) } else { self.base() }]
        };
        for pattern in &patterns {
            if !matches!(pattern.kind, NodeKind::Literal(_) | NodeKind::Error) {
                let name = operator.spelling();
                let message = format!("what stands behind `{name}` must be a literal");
                let help = "compare two fields with a function: `startsWith~(a, b)`, `stringContains(a, b)`";
                self.error("eql-pattern-literal", message, pattern.span, "not a literal", help);
            }
        }
        patterns
    }

    /// `field:function()`, the method calls of python-eql.
    fn python_method(&mut self, subject: &Node, operator: PatternOperator) -> Option<Node> {
        let call = matches!(self.tokens.peek_nth(1).kind, Lexeme::Symbol("("))
            && matches!(self.peek(), Lexeme::Word(_) | Lexeme::Tilded(_));
        if operator != PatternOperator::Colon || !call {
            return None;
        }
        let start = self.span();
        let name = self.file.slice(start).to_owned();
        let message = "method calls are known to python-eql only";
        let help = format!("write `{name}({}, …)`", self.file.slice(subject.span));
        self.error("eql-python-only", message, start, "not supported", &help);
        let mut node = self.base();
        node.span = subject.span.to(node.span);
        if let NodeKind::Call { arguments, .. } = &mut node.kind {
            arguments.insert(0, subject.clone());
        }
        Some(node)
    }

    // Values

    fn base(&mut self) -> Node {
        let span = self.span();
        let literal = match self.peek().clone() {
            Lexeme::Text(text) => Literal::Text(text),
            Lexeme::Int(n) => Literal::Int(n),
            Lexeme::Float(n) => Literal::Float(n),
            Lexeme::Symbol("(") => return self.parenthesised(),
            Lexeme::Symbol("?") => {
                self.bump();
                return self.field(span, true);
            }
            Lexeme::Word(_) | Lexeme::Tilded(_) if matches!(self.tokens.peek_nth(1).kind, Lexeme::Symbol("(")) => {
                return self.call();
            }
            Lexeme::Word(word) => match self.constant(&word) {
                Some(literal) => return Node { kind: NodeKind::Literal(literal), span },
                None => return self.field(span, false),
            },
            Lexeme::Quoted(_) => return self.field(span, false),
            _ => return self.no_operand(),
        };
        self.bump();
        Node { kind: NodeKind::Literal(literal), span }
    }

    /// Reads `null`, `true` or `false`.
    fn constant(&mut self, word: &str) -> Option<Literal> {
        if matches!(self.tokens.peek_nth(1).kind, Lexeme::Symbol(".")) {
            return None;
        }
        let (word, literal) = match word.to_ascii_lowercase().as_str() {
            "null" => ("null", Literal::Null),
            "true" => ("true", Literal::Bool(true)),
            "false" => ("false", Literal::Bool(false)),
            _ => return None,
        };
        self.eat_word(word).then_some(literal)
    }

    fn parenthesised(&mut self) -> Node {
        let open = self.bump();
        let inner = self.expression();
        if self.at_symbol(",") {
            let span = self.span();
            let help = "a list stands behind `in`, `:`, `like` or `regex`";
            self.error("eql-syntax", "a list cannot stand here", span, "a second value", help);
        }
        self.close(open);
        Node { kind: inner.kind, span: open.to(self.tokens.last_span()) }
    }

    fn field(&mut self, start: Span, optional: bool) -> Node {
        match self.field_path() {
            Some(path) => self.field_or_lineage(path, optional, start),
            None => self.no_operand(),
        }
    }

    fn field_or_lineage(&mut self, path: Arc<str>, optional: bool, start: Span) -> Node {
        let span = start.to(self.tokens.last_span());
        if matches!(path.as_ref(), "child" | "descendant" | "event") && self.at_word("of") {
            self.bump();
            if self.at_symbol("[") {
                let open = self.bump();
                self.skip_to_close(open);
            }
            let whole = start.to(self.tokens.last_span());
            let message = format!("`{path} of` is known to python-eql only");
            let help = "write a `sequence by process.entity_id …`, or test `process.parent.*`";
            self.error("eql-python-only", message, whole, "not supported", help);
            return error_at(whole);
        }
        Node { kind: NodeKind::Field { path, optional }, span }
    }

    fn skip_to_close(&mut self, open: Span) {
        let mut depth = 0_u32;
        while !self.tokens.at_end() {
            if self.at_symbol("[") {
                depth += 1;
            } else if self.at_symbol("]") {
                if depth == 0 {
                    self.bump();
                    return;
                }
                depth -= 1;
            }
            self.bump();
        }
        self.error("eql-unclosed", "this bracket is never closed", open, "opened here", "add `]`");
    }

    /// A dotted name; `None`, and nothing read, if none stands here.
    pub(super) fn field_path(&mut self) -> Option<Arc<str>> {
        let mut path = match self.peek().clone() {
            Lexeme::Word(word) if !RESERVED.contains(&word.as_ref()) || self.dot_follows() => word.to_string(),
            Lexeme::Quoted(name) => name.to_string(),
            _ => return None,
        };
        self.bump();
        loop {
            if self.at_symbol("[") && self.span().start == self.tokens.last_span().end {
                self.array_index();
                continue;
            }
            if !self.at_symbol(".") {
                return Some(path.into());
            }
            self.bump();
            let span = self.span();
            match self.peek().clone() {
                Lexeme::Word(name) | Lexeme::Quoted(name) => {
                    path.push('.');
                    path.push_str(&name);
                }
                Lexeme::Int(n) => {
                    let help = format!("write `` `{n}` ``");
                    let message = "a part of a name that is a number stands in back-quotes";
                    self.error("eql-number-in-name", message, span, "a number", &help);
                    path.push('.');
                    path.push_str(&n.to_string());
                }
                _ => {
                    self.expected("a name after `.`", "names with other characters stand in back-quotes");
                    return Some(path.into());
                }
            }
            self.bump();
        }
    }

    fn dot_follows(&self) -> bool {
        matches!(self.tokens.peek_nth(1).kind, Lexeme::Symbol("."))
    }

    /// `[0]` behind a field.
    fn array_index(&mut self) {
        let start = self.bump();
        while !self.tokens.at_end() && !self.at_symbol("]") && !self.at_symbol("|") {
            self.bump();
        }
        self.eat_symbol("]");
        let span = start.to(self.tokens.last_span());
        let help = "leave it out: a test of a field looks at all of its values";
        self.error("eql-array-index", "Elasticsearch has no array indexes", span, "not supported", help);
    }

    fn call(&mut self) -> Node {
        let name_span = self.span();
        let (name, insensitive) = match self.peek().clone() {
            Lexeme::Word(name) => (name, false),
            Lexeme::Tilded(name) => (name, true),
            _ => return self.no_operand(),
        };
        self.bump();
        let open = self.bump();
        let arguments = self.arguments(")");
        self.close(open);
        let span = name_span.to(self.tokens.last_span());
        Node { kind: NodeKind::Call { name, name_span, insensitive, arguments }, span }
    }

    /// Reports that a value should stand here. Reads a token only if nothing else could go on with it.
    fn no_operand(&mut self) -> Node {
        let span = self.span();
        let reserved = match self.peek() {
            Lexeme::Word(word) if RESERVED.contains(&word.as_ref()) && self.name_goes_on(1) => Some(word.clone()),
            _ => None,
        };
        match reserved {
            Some(word) => {
                let help = format!("if it is a field, write it in back-quotes: `` `{word}` ``");
                self.expected("a value", &help);
            }
            None => self.expected("a value", ""),
        }
        self.skip_operand();
        error_at(span)
    }

    fn skip_operand(&mut self) {
        let stop = match self.peek() {
            Lexeme::End => true,
            Lexeme::Symbol(symbol) => matches!(*symbol, ")" | "]" | "|" | "," | "[" | "!["),
            Lexeme::Word(word) => RESERVED.contains(&word.as_ref()),
            _ => false,
        };
        if !stop {
            self.bump();
        }
    }
}

/// A tree from an infix operator. Runs of `and` and of `or` become one node each.
fn join(operator: Infix, operator_span: Span, left: Node, right: Node) -> Node {
    let span = left.span.to(right.span);
    let kind = match operator {
        Infix::Or => match left.kind {
            NodeKind::Or(mut parts) => {
                parts.push(right);
                NodeKind::Or(parts)
            }
            kind => NodeKind::Or(vec![Node { kind, span: left.span }, right]),
        },
        Infix::And => match left.kind {
            NodeKind::And(mut parts) => {
                parts.push(right);
                NodeKind::And(parts)
            }
            kind => NodeKind::And(vec![Node { kind, span: left.span }, right]),
        },
        Infix::Compare(operator) => {
            NodeKind::Compare { operator, operator_span, left: Box::new(left), right: Box::new(right) }
        }
        Infix::Arithmetic(operator) => NodeKind::Arithmetic { operator, left: Box::new(left), right: Box::new(right) },
    };
    Node { kind, span }
}

/// A negative number is a literal; any other value is negated when it is known.
fn negated(operand: Node, span: Span) -> Node {
    let kind = match operand.kind {
        NodeKind::Literal(Literal::Int(n)) => NodeKind::Literal(Literal::Int(n.wrapping_neg())),
        NodeKind::Literal(Literal::Float(n)) => NodeKind::Literal(Literal::Float(-n)),
        kind => NodeKind::Negate(Box::new(Node { kind, span: operand.span })),
    };
    Node { kind, span }
}
