//! Text to tokens.
//!
//! Most of the language lexes one way. Index patterns do not: after `FROM`, `LOOKUP JOIN` and `ENRICH` a word may hold
//! `-`, `*`, `.` and more, so the lexer follows which command it is in. Names with wildcards (`KEEP a.*`) are put
//! together by the parser from tokens that touch. Nothing here fails: what cannot be read becomes a diagnostic and is
//! passed over.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};

use crate::syntax::{Characters, Token};

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A name or keyword as written; keywords are told apart by the parser, in any case.
    Word(Arc<str>),
    /// A name in backquotes, never a keyword.
    Quoted(Arc<str>),
    /// An index pattern, table or policy as written.
    Source(Arc<str>),
    /// Text, escapes resolved.
    Text(Arc<str>),
    /// A whole number as written.
    Integer(Arc<str>),
    /// A number with a fraction or exponent, as written.
    Decimal(Arc<str>),
    /// `?`, `?name` or `?1`, without the question mark.
    Parameter(Arc<str>),
    /// `??name`, without the question marks.
    NameParameter(Arc<str>),
    /// An operator or punctuation mark.
    Mark(&'static str),
    /// The end of the text.
    End,
}

/// The longest ones first, so that the first that fits is the right one.
const MARKS: [&str; 28] = [
    "::", "==", "=~", "!=", "<>", "<=", ">=", "(", ")", "[", "]", "{", "}", ",", ".", ":", ";", "|", "=", "<", ">",
    "+", "-", "*", "/", "%", "!", "&",
];

/// Splits a query into tokens.
pub(super) fn tokens(text: &str) -> (Vec<Token<Kind>>, Vec<Diagnostic>) {
    let mut lexer =
        Lexer { cursor: Characters::new(text), tokens: Vec::new(), diagnostics: Vec::new(), mode: Mode::Start };
    while lexer.next() {}
    (lexer.tokens, lexer.diagnostics)
}

/// Which words are read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The word that begins a command.
    Start,
    /// Expressions and names.
    Plain,
    /// Index patterns, up to a word that ends them.
    Sources,
    /// `LOOKUP` has been read; `JOIN` must follow.
    Lookup,
}

struct Lexer<'a> {
    cursor: Characters<'a>,
    tokens: Vec<Token<Kind>>,
    diagnostics: Vec<Diagnostic>,
    mode: Mode,
}

impl Lexer<'_> {
    fn next(&mut self) -> bool {
        if !self.blanks() {
            return true;
        }
        let start = self.cursor.offset();
        let Some(c) = self.cursor.peek() else { return false };
        match c {
            '"' => self.text(start),
            '`' => self.quoted(start),
            _ if self.mode == Mode::Sources && is_source(c, self.cursor.peek_second()) => self.source(start),
            '0'..='9' => self.number(start),
            '.' if self.cursor.peek_second().is_some_and(|next| next.is_ascii_digit()) && !self.after_name(start) => {
                self.number(start);
            }
            '?' => self.parameter(start),
            c if is_word_start(c) => {
                self.cursor.bump();
                self.cursor.take_while(is_word);
                let word = self.taken(start);
                self.word(start, &word);
            }
            _ => self.mark(start),
        }
        true
    }

    fn push(&mut self, start: usize, kind: Kind) {
        self.tokens.push(Token { kind, span: self.cursor.span_from(start) });
    }

    fn error(&mut self, code: &'static str, message: &str, span: Span, label: &str, help: &str) {
        self.diagnostics.push(Diagnostic::error(code, message).at(span, label).with_help(help));
    }

    /// Passes over blanks and comments; false if something was passed over that needs another look.
    fn blanks(&mut self) -> bool {
        self.cursor.take_while(char::is_whitespace);
        let start = self.cursor.offset();
        if self.cursor.eat("//") {
            self.cursor.take_while(|c| !matches!(c, '\n' | '\r'));
            return false;
        }
        if !self.cursor.eat("/*") {
            return true;
        }
        let mut open = 1;
        while open > 0 {
            if self.cursor.eat("/*") {
                open += 1;
            } else if self.cursor.eat("*/") {
                open -= 1;
            } else if self.cursor.bump().is_none() {
                let span = Span::new(start, start + 2);
                let help = "close it with `*/`; comments nest";
                self.error("esql-unclosed-comment", "the comment is not closed", span, "it begins here", help);
                break;
            }
        }
        false
    }

    /// Whether what was read last touches this place and is part of a name, so that `.` joins names.
    fn after_name(&self, start: usize) -> bool {
        self.tokens.last().is_some_and(|token| {
            token.span.end as usize == start
                && matches!(token.kind, Kind::Word(_) | Kind::Quoted(_) | Kind::Mark("*") | Kind::NameParameter(_))
        })
    }

    fn word(&mut self, start: usize, word: &str) {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        self.mode = match self.mode {
            Mode::Start if is("from") || is("ts") || is("metrics") || is("enrich") => Mode::Sources,
            Mode::Start if is("lookup") => Mode::Lookup,
            Mode::Lookup if is("join") => Mode::Sources,
            _ => Mode::Plain,
        };
        self.push(start, Kind::Word(word.into()));
    }

    fn source(&mut self, start: usize) {
        while self.cursor.peek().is_some_and(|c| is_source(c, self.cursor.peek_second())) {
            self.cursor.bump();
        }
        let text = self.taken(start);
        let ends = ["metadata", "on", "as", "with"].iter().any(|keyword| text.eq_ignore_ascii_case(keyword));
        let first = matches!(self.tokens.last().map(|token| &token.kind), Some(Kind::Word(_) | Kind::Mark(",")));
        if ends && !first {
            self.mode = Mode::Plain;
            return self.push(start, Kind::Word(text));
        }
        self.push(start, Kind::Source(text));
    }

    /// What has been read since `start`.
    fn taken(&self, start: usize) -> Arc<str> {
        self.cursor.text().get(start..self.cursor.offset()).unwrap_or("").into()
    }

    fn text(&mut self, start: usize) {
        if self.cursor.eat("\"\"\"") {
            return self.raw_text(start);
        }
        self.cursor.bump();
        let mut text = String::new();
        loop {
            let at = self.cursor.offset();
            match self.cursor.peek() {
                Some('"') => {
                    self.cursor.bump();
                    break;
                }
                Some('\\') => {
                    self.cursor.bump();
                    match self.cursor.peek() {
                        Some('t') => text.push('\t'),
                        Some('n') => text.push('\n'),
                        Some('r') => text.push('\r'),
                        Some(c @ ('"' | '\\')) => text.push(c),
                        other => {
                            let shown = other.map_or(String::new(), String::from);
                            let span = Span::new(at, at + 1 + other.map_or(0, char::len_utf8));
                            let help = "the escapes are \\t \\n \\r \\\" and \\\\; write a backslash as `\\\\`, or the text in \"\"\"…\"\"\"";
                            let message = format!("`\\{shown}` is no escape");
                            self.error("esql-escape", &message, span, "unknown escape", help);
                            text.extend(other);
                        }
                    }
                    self.cursor.bump();
                }
                Some(c) if !matches!(c, '\n' | '\r') => {
                    text.push(c);
                    self.cursor.bump();
                }
                _ => {
                    let span = Span::new(start, at);
                    let help = "close it with `\"`; only \"\"\"…\"\"\" may hold line ends";
                    self.error("esql-unclosed-string", "the string is not closed", span, "it begins here", help);
                    break;
                }
            }
        }
        self.push(start, Kind::Text(text.into()));
    }

    /// Text between three double quotes: no escapes. One or two more quotes at the end belong to it.
    fn raw_text(&mut self, start: usize) {
        let Some(mut end) = self.cursor.rest().find("\"\"\"") else {
            let span = Span::new(start, start + 3);
            while self.cursor.bump().is_some() {}
            let help = "close it with `\"\"\"`";
            return self.error("esql-unclosed-string", "the string is not closed", span, "it begins here", help);
        };
        let after = &self.cursor.rest()[end + 3..];
        end += after.bytes().take(2).take_while(|byte| *byte == b'"').count();
        let text: Arc<str> = self.cursor.rest()[..end].into();
        while self.cursor.offset() < start + 3 + end + 3 {
            self.cursor.bump();
        }
        self.push(start, Kind::Text(text));
    }

    fn quoted(&mut self, start: usize) {
        self.cursor.bump();
        let mut name = String::new();
        loop {
            if self.cursor.eat("``") {
                name.push('`');
                continue;
            }
            match self.cursor.bump() {
                Some('`') => break,
                Some(c) => name.push(c),
                None => {
                    let span = Span::new(start, start + 1);
                    let help = "close it with a backquote";
                    self.error("esql-unclosed-name", "the name is not closed", span, "it begins here", help);
                    break;
                }
            }
        }
        if self.mode != Mode::Sources {
            self.mode = Mode::Plain;
        }
        self.push(start, Kind::Quoted(name.into()));
    }

    fn number(&mut self, start: usize) {
        let digits = |c: char| c.is_ascii_digit();
        self.cursor.take_while(digits);
        let mut decimal = false;
        if self.cursor.peek() == Some('.') && self.cursor.peek_second().is_none_or(|c| !is_word_start(c)) {
            decimal = true;
            self.cursor.bump();
            self.cursor.take_while(digits);
        }
        let mut exponent = self.cursor.clone();
        if exponent.eat("e") || exponent.eat("E") {
            let _ = exponent.eat("+") || exponent.eat("-");
            if !exponent.take_while(digits).is_empty() {
                self.cursor = exponent;
                decimal = true;
            }
        }
        let text = self.taken(start);
        self.push(start, if decimal { Kind::Decimal(text) } else { Kind::Integer(text) });
    }

    fn parameter(&mut self, start: usize) {
        let double = self.cursor.eat("??");
        if !double {
            self.cursor.bump();
        }
        let name: Arc<str> = self.cursor.take_while(is_word).into();
        self.push(start, if double { Kind::NameParameter(name) } else { Kind::Parameter(name) });
    }

    fn mark(&mut self, start: usize) {
        if let Some(mark) = MARKS.into_iter().find(|mark| self.cursor.eat(mark)) {
            self.mode = match (mark, self.mode) {
                ("|" | ";", _) | ("(", Mode::Sources) => Mode::Start,
                // A pipeline in brackets begins with a command of its own; words of other commands mean nothing there.
                ("(", Mode::Plain) if self.before_pipeline() => Mode::Start,
                (_, mode) => mode,
            };
            return self.push(start, Kind::Mark(mark));
        }
        if self.cursor.peek() == Some('\'') && self.single_quoted(start) {
            return;
        }
        let found = self.cursor.bump().map_or(String::new(), String::from);
        let help = match found.as_str() {
            "'" => "text stands in double quotes, an odd name in backquotes",
            _ => "a name with odd characters stands in backquotes",
        };
        let message = format!("`{found}` means nothing here");
        self.error("esql-character", &message, self.cursor.span_from(start), "unexpected", help);
    }

    /// Text in single quotes, as other languages write it: said once, and read as meant.
    fn single_quoted(&mut self, start: usize) -> bool {
        let line = self.cursor.rest().lines().next().unwrap_or_default();
        let Some(end) = line.get(1..).and_then(|inside| inside.find('\'')) else { return false };
        let text: Arc<str> = line[1..=end].into();
        while self.cursor.offset() < start + end + 2 {
            self.cursor.bump();
        }
        let help = format!("write `\"{text}\"`; an odd name stands in backquotes");
        let span = self.cursor.span_from(start);
        self.error("esql-single-quotes", "text stands in double quotes", span, "single quotes", &help);
        self.push(start, Kind::Text(text));
        true
    }

    /// Whether a bracket that opens now may hold a pipeline: after `FORK`, or after another such pipeline.
    fn before_pipeline(&self) -> bool {
        match self.tokens.last().map(|token| &token.kind) {
            Some(Kind::Word(word)) => word.eq_ignore_ascii_case("fork") || word.eq_ignore_ascii_case("in"),
            Some(Kind::Mark(")")) => true,
            _ => false,
        }
    }
}

/// Whether a character belongs to an index pattern: all but blanks and a few marks; a slash unless it begins a comment.
fn is_source(c: char, next: Option<char>) -> bool {
    match c {
        ':' | '"' | '=' | '|' | ',' | '[' | ']' | '(' | ')' => false,
        '/' => !matches!(next, Some('*' | '/')),
        c => !c.is_whitespace(),
    }
}

fn is_word_start(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '_' | '@')
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
