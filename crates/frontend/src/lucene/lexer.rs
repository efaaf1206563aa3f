//! Query text to tokens.
//!
//! What a character means depends on where it stands: `-` is a sign before a word and a letter inside it, a slash begins
//! a regular expression. A whole range is one token. Escapes are resolved here. Never fails: what is no token is
//! reported and skipped.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};
use lurcher_ir::{Wildcard, WildcardPiece};

use super::ast::Leaf;
use crate::syntax::{Characters, Token};

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub enum Lexeme {
    /// A bare word, escapes resolved.
    Word(Wildcard),
    /// Text in quotes, escapes resolved.
    Quoted(Arc<str>),
    /// A regular expression or a range.
    Leaf(Leaf),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `:`
    Colon,
    /// `AND`, `&&`
    And,
    /// `OR`, `||`
    Or,
    /// `NOT`, `!`, `-`
    Not,
    /// `+`
    Plus,
    /// `~` and the number behind it.
    Tilde(Option<f64>),
    /// `^` and the number behind it.
    Caret,
    /// Behind the last token.
    End,
}

/// After so many faults the text is probably no query at all.
const MAX_FAULTS: usize = 50;

/// Reads the whole text. The end token stands apart, so that it never runs out.
pub fn tokens(file: &Arc<SourceFile>) -> (Vec<Token<Lexeme>>, Vec<Diagnostic>) {
    let mut lexer = Lexer { file, cursor: Characters::new(file.text()), tokens: Vec::new(), diagnostics: Vec::new() };
    while lexer.cursor.peek().is_some() {
        lexer.next();
    }
    (lexer.tokens, lexer.diagnostics)
}

struct Lexer<'a> {
    file: &'a Arc<SourceFile>,
    cursor: Characters<'a>,
    tokens: Vec<Token<Lexeme>>,
    diagnostics: Vec<Diagnostic>,
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// What ends a bare word unless it is escaped.
fn ends_word(c: char) -> bool {
    is_blank(c) || matches!(c, '!' | '(' | ')' | ':' | '^' | '[' | ']' | '"' | '{' | '}' | '~' | '/')
}

impl Lexer<'_> {
    fn next(&mut self) {
        let start = self.cursor.offset();
        let kind = match self.cursor.peek() {
            None => return,
            Some(c) if is_blank(c) => {
                self.cursor.take_while(is_blank);
                return;
            }
            Some('(') => self.single(Lexeme::Open),
            Some(')') => self.single(Lexeme::Close),
            Some(':') => self.single(Lexeme::Colon),
            Some('+') => self.single(Lexeme::Plus),
            Some('-' | '!') => self.single(Lexeme::Not),
            Some('"') => {
                self.cursor.bump();
                Lexeme::Quoted(self.quoted(start))
            }
            Some('/') => Lexeme::Leaf(Leaf::Regexp(self.regexp(start))),
            Some('[' | '{') => Lexeme::Leaf(self.range(start)),
            Some(c @ (']' | '}')) => {
                self.cursor.bump();
                let message = format!("this `{c}` closes nothing");
                let error = Diagnostic::error("lucene-syntax", message).at(self.cursor.span_from(start), "");
                return self.report(error, "write a range as `[1 TO 5]`, or a backslash before the character");
            }
            Some('~') => {
                self.cursor.bump();
                Lexeme::Tilde(self.number())
            }
            Some('^') => {
                self.cursor.bump();
                if self.number().is_none() {
                    let span = self.cursor.span_from(start);
                    let error =
                        Diagnostic::error("lucene-syntax", "a boost is a number").at(span, "no number behind it");
                    self.report(error, "write `^2`, or `\\^` for the character");
                }
                Lexeme::Caret
            }
            Some(_) if self.cursor.rest().starts_with("&&") => {
                self.cursor.eat("&&");
                Lexeme::And
            }
            Some(_) if self.cursor.rest().starts_with("||") => {
                self.cursor.eat("||");
                Lexeme::Or
            }
            Some(_) => self.word(start),
        };
        self.tokens.push(Token { kind, span: self.cursor.span_from(start) });
    }

    fn single(&mut self, kind: Lexeme) -> Lexeme {
        self.cursor.bump();
        kind
    }

    fn report(&mut self, diagnostic: Diagnostic, help: &str) {
        if self.diagnostics.len() < MAX_FAULTS {
            self.diagnostics.push(diagnostic.in_file(self.file).with_help(help));
        }
    }

    fn number(&mut self) -> Option<f64> {
        let digits = self.cursor.take_while(|c| c.is_ascii_digit() || c == '.');
        digits.parse().ok()
    }

    /// The character that a backslash and what follows stand for; the backslash has been read.
    fn escape(&mut self, start: usize) -> Option<char> {
        if self.cursor.peek() == Some('u') {
            let code = self.cursor.rest().get(1..5).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
            let character = code.and_then(|digits| char::from_u32(u32::from_str_radix(digits, 16).ok()?));
            let Some(character) = character else {
                self.cursor.bump();
                let span = self.cursor.span_from(start);
                let error = Diagnostic::error("lucene-escape", "four hexadecimal digits stand behind `\\u`");
                self.report(error.at(span, "no such code"), "write `\\u00e9`, or `\\\\u` for a backslash and a `u`");
                return None;
            };
            for _ in 0..5 {
                self.cursor.bump();
            }
            return Some(character);
        }
        let next = self.cursor.bump();
        if next.is_none() {
            let span = self.cursor.span_from(start);
            let error =
                Diagnostic::error("lucene-escape", "a backslash stands before nothing").at(span, "escapes what?");
            self.report(error, "write `\\\\` for a backslash");
        }
        next
    }

    /// Text up to the closing quote, the opening one having been read.
    fn quoted(&mut self, start: usize) -> Arc<str> {
        let mut text = String::new();
        loop {
            let at = self.cursor.offset();
            match self.cursor.bump() {
                None => {
                    let error = Diagnostic::error("lucene-unterminated-string", "this string has no end");
                    self.report(error.at(Span::new(start, start + 1), "begins here"), "close it with `\"`");
                    break;
                }
                Some('"') => break,
                Some('\\') => text.extend(self.escape(at)),
                Some(c) => text.push(c),
            }
        }
        text.into()
    }

    /// What stands between two slashes; an escaped slash is a slash, other escapes are the expression's own.
    fn regexp(&mut self, start: usize) -> Arc<str> {
        self.cursor.bump();
        let mut text = String::new();
        loop {
            match self.cursor.bump() {
                None => {
                    let message = "this `/` begins a regular expression that has no end";
                    let error = Diagnostic::error("lucene-unterminated-regexp", message);
                    let help = "close it with `/`; write `\\/` for the character";
                    self.report(error.at(Span::new(start, start + 1), "begins here"), help);
                    break;
                }
                Some('/') => break,
                Some('\\') => match self.cursor.bump() {
                    Some('/') => text.push('/'),
                    Some(c) => {
                        text.push('\\');
                        text.push(c);
                    }
                    None => text.push('\\'),
                },
                Some(c) => text.push(c),
            }
        }
        text.into()
    }

    /// `[low TO high]`, from its bracket on.
    fn range(&mut self, start: usize) -> Leaf {
        let low_within = self.cursor.bump() == Some('[');
        self.cursor.take_while(is_blank);
        let low = self.end_of_range();
        self.cursor.take_while(is_blank);
        let between = self.cursor.eat("TO") && self.cursor.peek().is_some_and(is_blank);
        self.cursor.take_while(is_blank);
        let high = if between { self.end_of_range() } else { None };
        self.cursor.take_while(is_blank);
        let close = self.cursor.peek().filter(|c| matches!(c, ']' | '}'));
        let (Some(low), Some(high), Some(close)) = (low, high, close) else {
            self.cursor.take_while(|c| !matches!(c, ']' | '}'));
            self.cursor.bump();
            // A query in a rule file ends with the line that it stands on.
            let read = self.cursor.text().get(start..self.cursor.offset()).unwrap_or_default().trim_end();
            let span = Span::new(start, start + read.len());
            let closed = read.len() > 1 && read.ends_with([']', '}']);
            let label = if closed { "two ends and `TO` expected" } else { "no bracket closes it" };
            let error = Diagnostic::error("lucene-range", "this is no range").at(span, label);
            self.report(error, "write `[1 TO 5]`, `{1 TO *}`; `TO` in capitals, `\\[` for the character");
            return Leaf::Range { low: None, high: None };
        };
        self.cursor.bump();
        Leaf::Range { low: low.map(|text| (text, low_within)), high: high.map(|text| (text, close == ']')) }
    }

    /// One end of a range: `Some(None)` for a bare `*`.
    #[allow(clippy::option_option, reason = "absent and open are two things")]
    fn end_of_range(&mut self) -> Option<Option<Arc<str>>> {
        let start = self.cursor.offset();
        if self.cursor.eat("\"") {
            return Some(Some(self.quoted(start)));
        }
        let mut text = String::new();
        let mut escaped = false;
        while let Some(c) = self.cursor.peek().filter(|c| !is_blank(*c) && !matches!(c, ']' | '}')) {
            let at = self.cursor.offset();
            self.cursor.bump();
            if c == '\\' {
                escaped = true;
                text.extend(self.escape(at));
            } else {
                text.push(c);
            }
        }
        if text.is_empty() {
            return None;
        }
        Some((text != "*" || escaped).then(|| text.into()))
    }

    fn word(&mut self, start: usize) -> Lexeme {
        let mut pieces = Vec::new();
        let (mut text, mut escaped) = (String::new(), false);
        while let Some(c) = self.cursor.peek().filter(|c| !ends_word(*c)) {
            let at = self.cursor.offset();
            self.cursor.bump();
            match c {
                '*' | '?' => {
                    pieces.push(WildcardPiece::Literal(std::mem::take(&mut text).into()));
                    pieces.push(if c == '*' { WildcardPiece::Any } else { WildcardPiece::One });
                }
                '\\' => {
                    escaped = true;
                    text.extend(self.escape(at));
                }
                c => text.push(c),
            }
        }
        if pieces.is_empty() && !escaped {
            match text.as_str() {
                "AND" => return Lexeme::And,
                "OR" => return Lexeme::Or,
                "NOT" => return Lexeme::Not,
                _ => {}
            }
        }
        if self.cursor.offset() == start {
            // Cannot happen: the first character begins a word. Guards against standing still.
            self.cursor.bump();
        }
        pieces.push(WildcardPiece::Literal(text.into()));
        Lexeme::Word(Wildcard::new(pieces))
    }
}
