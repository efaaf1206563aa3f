//! Tokens to the tree.
//!
//! `not` binds tighter than `and`, `and` tighter than `or`. Words that stand side by side are one value. Never fails:
//! what is wrong is reported, once, and the rest is read.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};
use lurcher_ir::{Wildcard, WildcardPiece};

use super::{
    ast::{Literal, Node, NodeKind, Values},
    lexer::{self, Lexeme},
};
use crate::syntax::{Depth, Token, Tokens};

/// Reads a query: the tree, and what is wrong with it.
pub fn parse(file: &Arc<SourceFile>) -> (Node, Vec<Diagnostic>) {
    let (tokens, diagnostics) = lexer::tokens(file);
    let end = file.text().len();
    let whole = Span::new(0, end);
    if diagnostics.iter().any(|d| d.code == "kql-unterminated-string") {
        // With one quote too few everything behind it is read inside out.
        let only = diagnostics.into_iter().filter(|d| d.code == "kql-unterminated-string").collect();
        return (Node { kind: NodeKind::Error, span: whole }, only);
    }
    if tokens.is_empty() {
        return (Node { kind: NodeKind::Everything, span: whole }, diagnostics);
    }
    let tokens = Tokens::new(tokens, Token { kind: Lexeme::End, span: Span::new(end, end) });
    let mut parser = Parser { file, tokens, diagnostics, depth: Depth::default() };
    let node = parser.or();
    if !parser.tokens.at_end() && parser.diagnostics.is_empty() {
        parser.unexpected_rest();
    }
    (node, parser.diagnostics)
}

struct Parser<'a> {
    file: &'a Arc<SourceFile>,
    tokens: Tokens<Lexeme>,
    diagnostics: Vec<Diagnostic>,
    depth: Depth,
}

impl Parser<'_> {
    fn report(&mut self, diagnostic: Diagnostic, help: &str) {
        self.diagnostics.push(diagnostic.in_file(self.file).with_help(help));
    }

    fn peek(&self) -> &Lexeme {
        &self.tokens.peek().kind
    }

    fn eat(&mut self, kind: &Lexeme) -> bool {
        let found = self.peek() == kind;
        if found {
            self.tokens.bump();
        }
        found
    }

    fn error_node(&self) -> Node {
        Node { kind: NodeKind::Error, span: self.tokens.peek().span }
    }

    // Conditions

    fn or(&mut self) -> Node {
        if !self.depth.enter() {
            self.too_deep();
            return self.error_node();
        }
        let mut parts = vec![self.and()];
        while self.eat(&Lexeme::Or) {
            parts.push(self.and());
        }
        self.depth.leave();
        joined(parts, NodeKind::Or)
    }

    fn and(&mut self) -> Node {
        let mut parts = vec![self.not()];
        while self.eat(&Lexeme::And) {
            parts.push(self.not());
        }
        joined(parts, NodeKind::And)
    }

    fn not(&mut self) -> Node {
        let start = self.tokens.peek().span;
        if !self.eat(&Lexeme::Not) {
            return self.condition();
        }
        if !self.depth.enter() {
            self.too_deep();
            return self.error_node();
        }
        let inner = self.not();
        self.depth.leave();
        let span = start.to(inner.span);
        Node { kind: NodeKind::Not(Box::new(inner)), span }
    }

    fn condition(&mut self) -> Node {
        let start = self.tokens.peek().span;
        if self.eat(&Lexeme::Open) {
            let inner = self.or();
            self.close(&Lexeme::Close, start, "(", ")");
            return Node { span: start.to(self.tokens.last_span()), ..inner };
        }
        let Some(literal) = self.literal() else {
            self.missing_condition();
            return self.error_node();
        };
        let kind = match self.peek().clone() {
            Lexeme::Colon => {
                self.tokens.bump();
                let brace = self.tokens.peek().span;
                if self.eat(&Lexeme::OpenBrace) {
                    let inner = self.or();
                    self.close(&Lexeme::CloseBrace, brace, "{", "}");
                    NodeKind::Nested(literal, Box::new(inner))
                } else {
                    NodeKind::Is(literal, self.values())
                }
            }
            Lexeme::Comparison(comparison) => {
                let operator = self.tokens.bump().span;
                match self.literal() {
                    Some(value) => NodeKind::Range { field: literal, comparison, value },
                    None => {
                        let error =
                            Diagnostic::error("kql-syntax", "a value is missing").at(operator, "compared with?");
                        self.report(error, "write a number, a date or a text behind it");
                        NodeKind::Error
                    }
                }
            }
            _ => NodeKind::Free(literal),
        };
        Node { kind, span: start.to(self.tokens.last_span()) }
    }

    // Values

    fn values(&mut self) -> Values {
        let start = self.tokens.peek().span;
        if self.eat(&Lexeme::Open) {
            let values = self.or_values();
            self.close(&Lexeme::Close, start, "(", ")");
            return values;
        }
        match self.literal() {
            Some(literal) => Values::One(literal),
            None => {
                let (at, label) = match self.peek() {
                    Lexeme::End => (self.tokens.last_span(), "behind this"),
                    _ => (start, "expected a value"),
                };
                let error = Diagnostic::error("kql-syntax", "a value is missing").at(at, label);
                let help = "write a value, `*` for any, or values in brackets: `field: (a or b)`";
                self.report(error, help);
                Values::Error
            }
        }
    }

    fn or_values(&mut self) -> Values {
        if !self.depth.enter() {
            self.too_deep();
            return Values::Error;
        }
        let mut parts = vec![self.and_values()];
        while self.eat(&Lexeme::Or) {
            parts.push(self.and_values());
        }
        self.depth.leave();
        if parts.len() == 1 { parts.remove(0) } else { Values::Or(parts) }
    }

    fn and_values(&mut self) -> Values {
        let mut parts = vec![self.not_values()];
        while self.eat(&Lexeme::And) {
            parts.push(self.not_values());
        }
        if parts.len() == 1 { parts.remove(0) } else { Values::And(parts) }
    }

    fn not_values(&mut self) -> Values {
        if !self.eat(&Lexeme::Not) {
            return self.values();
        }
        if !self.depth.enter() {
            self.too_deep();
            return Values::Error;
        }
        let inner = self.not_values();
        self.depth.leave();
        Values::Not(Box::new(inner))
    }

    /// A quoted text, or words up to the next sign or keyword, with what blanks stand between them.
    fn literal(&mut self) -> Option<Literal> {
        let first = self.tokens.peek().clone();
        if let Lexeme::Quoted(text) = first.kind {
            self.tokens.bump();
            let pattern = Wildcard::new([WildcardPiece::Literal(text)]);
            return Some(Literal { pattern, quoted: true, escaped: false, span: first.span });
        }
        let mut pieces: Vec<WildcardPiece> = Vec::new();
        let (mut escaped, mut span) = (false, first.span);
        while let Lexeme::Word(word) = self.tokens.peek().kind.clone() {
            let own = self.tokens.bump().span;
            if !pieces.is_empty() {
                let between = Span { start: span.end, end: own.start };
                pieces.push(WildcardPiece::Literal(self.file.slice(between).into()));
            }
            pieces.extend(word.pattern.pieces.iter().cloned());
            escaped |= word.escaped;
            span = span.to(own);
        }
        let pattern = Wildcard::new(pieces);
        (!pattern.pieces.is_empty()).then_some(Literal { pattern, quoted: false, escaped, span })
    }

    // Faults

    fn close(&mut self, kind: &Lexeme, open: Span, sign: &str, closing: &str) {
        if self.eat(kind) || !self.diagnostics.is_empty() {
            return;
        }
        if *self.peek() == Lexeme::End {
            let error = Diagnostic::error("kql-unclosed", format!("this `{sign}` is never closed"));
            self.report(error.at(open, "opened here"), &format!("close it with `{closing}`"));
        } else {
            self.unexpected_rest();
        }
    }

    /// Something stands where the query should end or go on with `and` or `or`.
    fn unexpected_rest(&mut self) {
        let token = self.tokens.peek().clone();
        let text = self.file.slice(token.span).to_owned();
        let (message, help) = match token.kind {
            Lexeme::Close => ("this `)` closes nothing".to_owned(), "leave it out, or open it with `(`"),
            Lexeme::CloseBrace => ("this `}` closes nothing".to_owned(), "leave it out, or open it with `{`"),
            Lexeme::Colon => (
                "a `:` stands inside a value".to_owned(),
                "write `\\:` or quotes for the character; write `and` or `or` between two conditions",
            ),
            Lexeme::Open | Lexeme::OpenBrace | Lexeme::Comparison(_) => (
                format!("`{text}` stands inside a value"),
                "write a backslash before the character, or put the value in quotes; write `and` or `or` between two conditions",
            ),
            _ if self.behind_equals(token.span) => {
                (format!("`{text}` was not expected"), "a field is compared with `:`: write `field: value`")
            }
            _ => (format!("`{text}` was not expected"), "write `and` or `or` between two conditions"),
        };
        self.report(Diagnostic::error("kql-syntax", message).at(token.span, "not expected here"), help);
    }

    /// Whether `=` or `==` stands before, as other languages compare.
    fn behind_equals(&self, span: Span) -> bool {
        let before = self.file.text().get(..span.start as usize).unwrap_or_default().trim_end();
        before.ends_with('=') && !before.ends_with(">=") && !before.ends_with("<=")
    }

    fn missing_condition(&mut self) {
        if !self.diagnostics.is_empty() {
            return;
        }
        let token = self.tokens.peek().clone();
        let (message, help) = match token.kind {
            Lexeme::And | Lexeme::Or | Lexeme::Not | Lexeme::End | Lexeme::Close | Lexeme::CloseBrace => (
                "a condition is missing",
                "write `field: value` here; a value that is a keyword is escaped (`\\and`) or stands in quotes",
            ),
            _ => ("a field or value is missing", "write it before the sign: `field: value`"),
        };
        let at = if token.kind == Lexeme::End { self.tokens.last_span() } else { token.span };
        let label = if token.kind == Lexeme::End { "behind this" } else { "expected here" };
        self.report(Diagnostic::error("kql-syntax", message).at(at, label), help);
    }

    fn too_deep(&mut self) {
        if self.diagnostics.iter().any(|d| d.code == "kql-too-deep") {
            return;
        }
        let span = self.tokens.peek().span;
        let error = Diagnostic::error("kql-too-deep", "the query nests too deeply").at(span, "too deep");
        self.report(error, "write a list of values with one `or` between each two");
    }
}

/// Conditions as one node.
fn joined(mut parts: Vec<Node>, kind: impl Fn(Vec<Node>) -> NodeKind) -> Node {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let span = parts.first().map_or(Span::default(), |p| p.span).to(parts.last().map_or(Span::default(), |p| p.span));
    Node { kind: kind(parts), span }
}
