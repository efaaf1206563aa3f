//! Tokens to the tree.
//!
//! The syntax has no precedence: clauses stand in a row, with words between and signs before them, and what these do to
//! which clause is decided in `lower`. Never fails: what is wrong is reported, once, and the rest is read.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};
use lurcher_ir::WildcardPiece;

use super::{
    ast::{Clause, Conjunction, Field, Leaf, Modifier, Node, Query},
    lexer::{self, Lexeme},
};
use crate::syntax::{Depth, Token, Tokens};

/// Reads a query: the tree, and what is wrong with it.
pub fn parse(file: &Arc<SourceFile>) -> (Query, Vec<Diagnostic>) {
    let (tokens, diagnostics) = lexer::tokens(file);
    let end = file.text().len();
    if diagnostics.iter().any(|d| d.code.starts_with("lucene-unterminated")) {
        // With one quote too few everything behind it is read inside out.
        let only = diagnostics.into_iter().filter(|d| d.code.starts_with("lucene-unterminated")).take(1).collect();
        return (Query { clauses: Vec::new(), span: Span::new(0, end) }, only);
    }
    let tokens = Tokens::new(tokens, Token { kind: Lexeme::End, span: Span::new(end, end) });
    let mut parser = Parser { file, tokens, diagnostics, depth: Depth::default() };
    let query = parser.query(None);
    if !parser.tokens.at_end() && parser.diagnostics.is_empty() {
        let span = parser.tokens.peek().span;
        let error = Diagnostic::error("lucene-syntax", "this `)` closes nothing").at(span, "not expected here");
        parser.report(error, "leave it out, open it with `(`, or write `\\)` for the character");
    }
    (query, parser.diagnostics)
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

    /// Clauses up to the end or a closing bracket.
    fn query(&mut self, field: Option<&Field>) -> Query {
        let start = self.tokens.peek().span;
        let mut clauses = Vec::new();
        if !self.depth.enter() {
            self.too_deep();
            return Query { clauses, span: start };
        }
        while !matches!(self.peek(), Lexeme::End | Lexeme::Close) {
            if let Some(node) = self.words(field) {
                clauses.push(Clause { conjunction: Conjunction::None, modifier: Modifier::None, node });
                continue;
            }
            let word = self.tokens.peek().span;
            let conjunction = if self.eat(&Lexeme::And) {
                Conjunction::And
            } else if self.eat(&Lexeme::Or) {
                Conjunction::Or
            } else {
                Conjunction::None
            };
            if conjunction != Conjunction::None && clauses.is_empty() {
                self.misplaced(word);
            }
            let modifier = if self.eat(&Lexeme::Plus) {
                Modifier::Required
            } else if self.eat(&Lexeme::Not) {
                Modifier::Prohibited
            } else {
                Modifier::None
            };
            let position = self.tokens.position();
            let node = self.clause(field);
            clauses.push(Clause { conjunction, modifier, node });
            if self.tokens.position() == position && !self.tokens.at_end() && *self.peek() != Lexeme::Close {
                self.tokens.bump();
            }
        }
        self.depth.leave();
        Query { clauses, span: start.to(self.tokens.last_span()) }
    }

    /// Two or more bare words side by side. The last of them has no operator, colon or `~` behind it; one that has is a
    /// clause of its own.
    fn words(&mut self, field: Option<&Field>) -> Option<Node> {
        let start = self.tokens.peek().span;
        let mut words = vec![self.bare(0)?];
        while let Some(word) = self.bare(words.len()) {
            let ends = match &self.tokens.peek_nth(words.len() + 1).kind {
                Lexeme::Colon | Lexeme::Tilde(_) | Lexeme::Caret | Lexeme::And | Lexeme::Or => true,
                Lexeme::Word(next) => matches!(next.pieces.as_ref(), [WildcardPiece::Any]),
                _ => false,
            };
            if ends {
                break;
            }
            words.push(word);
        }
        if words.len() < 2 {
            return None;
        }
        for _ in &words {
            self.tokens.bump();
        }
        let span = start.to(self.tokens.last_span());
        Some(Node::Leaf { field: field.cloned(), leaf: Leaf::Words(words.into()), span })
    }

    /// The bare word that stands so many tokens ahead.
    fn bare(&self, ahead: usize) -> Option<(Arc<str>, Span)> {
        let token = self.tokens.peek_nth(ahead);
        match &token.kind {
            Lexeme::Word(word) => Some((word.as_literal()?.into(), token.span)),
            _ => None,
        }
    }

    fn clause(&mut self, field: Option<&Field>) -> Node {
        let own = self.field();
        let field = own.as_ref().or(field);
        let token = self.tokens.peek().clone();
        let node = match token.kind {
            Lexeme::Open => {
                self.tokens.bump();
                let query = self.query(field);
                if !self.eat(&Lexeme::Close) && self.diagnostics.is_empty() {
                    let error = Diagnostic::error("lucene-unclosed", "this `(` is never closed");
                    self.report(
                        error.at(token.span, "opened here"),
                        "close it with `)`, or write `\\(` for the character",
                    );
                }
                if query.clauses.is_empty() && self.diagnostics.is_empty() {
                    let error = Diagnostic::error("lucene-syntax", "there is nothing in these brackets");
                    self.report(
                        error.at(token.span.to(self.tokens.last_span()), "empty"),
                        "write what is sought in them",
                    );
                }
                Node::Group(query)
            }
            Lexeme::Word(pattern) => {
                self.tokens.bump();
                let text = pattern.as_literal().map(Arc::from);
                let leaf = match (self.tilde(), text) {
                    (Some(number), Some(text)) => Leaf::Fuzzy { text, number },
                    (Some(_), None) => {
                        let error = Diagnostic::error("lucene-syntax", "a pattern cannot be sought nearly");
                        self.report(error.at(self.tokens.last_span(), "behind a pattern"), "leave the `~` out");
                        Leaf::Term(pattern)
                    }
                    (None, _) => Leaf::Term(pattern),
                };
                Node::Leaf { field: field.cloned(), leaf, span: token.span }
            }
            Lexeme::Quoted(text) => {
                self.tokens.bump();
                let slop = self.tilde().flatten().map_or(0, |number| number as u32);
                Node::Leaf { field: field.cloned(), leaf: Leaf::Phrase { text, slop }, span: token.span }
            }
            Lexeme::Leaf(leaf) => {
                self.tokens.bump();
                Node::Leaf { field: field.cloned(), leaf, span: token.span }
            }
            _ => {
                self.missing(own.is_some());
                Node::Error
            }
        };
        // Scores have no meaning here.
        self.eat(&Lexeme::Caret);
        node
    }

    /// A word and a colon behind it.
    fn field(&mut self) -> Option<Field> {
        let token = self.tokens.peek().clone();
        let Lexeme::Word(name) = token.kind else { return None };
        if self.tokens.peek_nth(1).kind != Lexeme::Colon {
            return None;
        }
        self.tokens.bump();
        self.tokens.bump();
        // An escaped star in a name is a wildcard all the same.
        let name = lurcher_ir::Wildcard::new(name.pieces.iter().flat_map(|piece| match piece {
            lurcher_ir::WildcardPiece::Literal(text) if text.contains('*') => {
                lurcher_ir::Wildcard::with_stars(text).pieces.to_vec()
            }
            other => vec![other.clone()],
        }));
        Some(Field { name, span: token.span })
    }

    fn tilde(&mut self) -> Option<Option<f64>> {
        let Lexeme::Tilde(number) = *self.peek() else { return None };
        self.tokens.bump();
        Some(number)
    }

    // Faults

    fn missing(&mut self, behind_field: bool) {
        if !self.diagnostics.is_empty() {
            return;
        }
        let token = self.tokens.peek().clone();
        let at = if token.kind == Lexeme::End { self.tokens.last_span() } else { token.span };
        let label = if token.kind == Lexeme::End { "behind this" } else { "expected before this" };
        let (message, help) = match token.kind {
            Lexeme::Tilde(_) | Lexeme::Caret => ("a word or text is missing", "write what it belongs to before it"),
            Lexeme::Colon => ("a field is missing", "write its name before the `:`, or `\\:` for the character"),
            _ if behind_field => ("a value is missing", "write a word, text in quotes, a range or `*`"),
            _ => ("a clause is missing", "write a word, or quotes around a keyword that is meant as text"),
        };
        self.report(Diagnostic::error("lucene-syntax", message).at(at, label), help);
    }

    fn misplaced(&mut self, span: Span) {
        if self.diagnostics.is_empty() {
            let error = Diagnostic::error("lucene-syntax", "nothing stands before this word").at(span, "joins what?");
            self.report(error, "leave it out, or write quotes around it");
        }
    }

    fn too_deep(&mut self) {
        if !self.diagnostics.iter().any(|d| d.code == "lucene-too-deep") {
            let span = self.tokens.peek().span;
            let error = Diagnostic::error("lucene-too-deep", "the query nests too deeply").at(span, "too deep");
            self.report(error, "write it with fewer brackets");
        }
    }
}
