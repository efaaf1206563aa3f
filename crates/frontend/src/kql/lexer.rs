//! Query text to tokens.
//!
//! An unquoted value may have blanks in it, so blanks count: a token says whether one stands before it, and the parser
//! puts words together. Escapes are resolved here. Never fails: what is no token is reported and skipped.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};
use lurcher_ir::{Wildcard, WildcardPiece};

use super::ast::Comparison;
use crate::syntax::{Characters, Token};

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub enum Lexeme {
    /// A run of characters without blanks, escapes resolved.
    Word(Word),
    /// Text in quotes, escapes resolved.
    Quoted(Arc<str>),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `{`
    OpenBrace,
    /// `}`
    CloseBrace,
    /// `:`
    Colon,
    /// `<`, `<=`, `>`, `>=`
    Comparison(Comparison),
    /// The keyword `and`.
    And,
    /// The keyword `or`.
    Or,
    /// The keyword `not`.
    Not,
    /// Behind the last token.
    End,
}

/// A run of characters without blanks.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// Text and wildcards.
    pub pattern: Wildcard,
    /// Whether a part of it was escaped.
    pub escaped: bool,
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

fn is_special(c: char) -> bool {
    matches!(c, '\\' | '(' | ')' | ':' | '<' | '>' | '"' | '*' | '{' | '}')
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
            Some('"') => Lexeme::Quoted(self.quoted(start)),
            Some('(') => self.single(Lexeme::Open),
            Some(')') => self.single(Lexeme::Close),
            Some('{') => self.single(Lexeme::OpenBrace),
            Some('}') => self.single(Lexeme::CloseBrace),
            Some(':') => self.single(Lexeme::Colon),
            Some('<') => self.comparison(Comparison::Less, Comparison::LessOrEqual),
            Some('>') => self.comparison(Comparison::Greater, Comparison::GreaterOrEqual),
            Some(_) => self.word(start),
        };
        self.tokens.push(Token { kind, span: self.cursor.span_from(start) });
    }

    fn single(&mut self, kind: Lexeme) -> Lexeme {
        self.cursor.bump();
        kind
    }

    fn comparison(&mut self, plain: Comparison, or_equal: Comparison) -> Lexeme {
        self.cursor.bump();
        Lexeme::Comparison(if self.cursor.eat("=") { or_equal } else { plain })
    }

    fn report(&mut self, diagnostic: Diagnostic, help: &str) {
        if self.diagnostics.len() < MAX_FAULTS {
            self.diagnostics.push(diagnostic.in_file(self.file).with_help(help));
        }
    }

    /// Text in quotes. `*` is no wildcard; a backslash before anything but an escape is itself.
    fn quoted(&mut self, start: usize) -> Arc<str> {
        self.cursor.bump();
        let mut text = String::new();
        loop {
            match self.cursor.bump() {
                None => {
                    let span = Span::new(start, start + 1);
                    let error = Diagnostic::error("kql-unterminated-string", "this string has no end");
                    self.report(error.at(span, "begins here"), "close it with `\"`");
                    break;
                }
                Some('"') => break,
                Some('\\') => match self.cursor.peek() {
                    Some(c @ ('"' | '\\')) => {
                        self.cursor.bump();
                        text.push(c);
                    }
                    _ => text.push(self.control_or_code().unwrap_or('\\')),
                },
                Some(c) => text.push(c),
            }
        }
        text.into()
    }

    /// What `\t`, `\r`, `\n` and `\uXXXX` stand for, the backslash being read.
    fn control_or_code(&mut self) -> Option<char> {
        let (control, length) = match self.cursor.peek()? {
            't' => ('\t', 1),
            'r' => ('\r', 1),
            'n' => ('\n', 1),
            'u' => {
                let digits = self.cursor.rest().get(1..5).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
                (char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, 5)
            }
            _ => return None,
        };
        for _ in 0..length {
            self.cursor.bump();
        }
        Some(control)
    }

    fn word(&mut self, start: usize) -> Lexeme {
        let mut pieces = Vec::new();
        let (mut text, mut escaped) = (String::new(), false);
        while let Some(c) = self.cursor.peek() {
            match c {
                '*' => {
                    self.cursor.bump();
                    pieces.push(WildcardPiece::Literal(std::mem::take(&mut text).into()));
                    pieces.push(WildcardPiece::Any);
                }
                '\\' => {
                    escaped = true;
                    self.escape(&mut text);
                }
                c if is_blank(c) || is_special(c) => break,
                c => {
                    self.cursor.bump();
                    text.push(c);
                }
            }
        }
        pieces.push(WildcardPiece::Literal(text.into()));
        let word = Word { pattern: Wildcard::new(pieces), escaped };
        self.keyword(&word, start).unwrap_or(Lexeme::Word(word))
    }

    fn escape(&mut self, text: &mut String) {
        let start = self.cursor.offset();
        self.cursor.bump();
        if let Some(c) = self.control_or_code() {
            return text.push(c);
        }
        if let Some(c) = self.cursor.peek().filter(|c| is_special(*c)) {
            self.cursor.bump();
            return text.push(c);
        }
        let rest = self.cursor.rest();
        let keyword = ["and", "not", "or"]
            .into_iter()
            .find(|word| rest.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word)));
        if let Some(word) = keyword {
            text.push_str(&rest[..word.len()]);
            for _ in 0..word.len() {
                self.cursor.bump();
            }
            return;
        }
        text.push('\\');
        let span = self.cursor.span_from(start);
        let message = "a backslash stands before a character that needs none";
        let error = Diagnostic::error("kql-escape", message).at(span, "not an escape");
        self.report(error, "write `\\\\` for a backslash, or put the value in quotes");
    }

    /// Whether a word is a keyword: in any case, and apart from what follows.
    fn keyword(&self, word: &Word, start: usize) -> Option<Lexeme> {
        let text = word.pattern.as_literal().filter(|_| !word.escaped)?;
        let kind = match text.to_ascii_lowercase().as_str() {
            "and" => Lexeme::And,
            "or" => Lexeme::Or,
            "not" => Lexeme::Not,
            _ => return None,
        };
        let before = self.file.text().get(..start).and_then(|text| text.chars().next_back());
        let apart = before.is_none_or(|c| is_blank(c) || matches!(c, '(' | ')' | '{' | '}' | '"' | ':'));
        let ends = self.cursor.peek().is_none_or(|c| is_blank(c) || matches!(c, '(' | ')' | '}' | '"' | '{'));
        (apart && ends).then_some(kind)
    }
}
