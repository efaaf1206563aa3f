//! Query text to tokens.
//!
//! Never fails: what is no token is reported and skipped, and what other languages write (`&&`, `'…'`, `<>`) is
//! reported and taken for what was meant, so that the parser can go on and report the rest. Keywords are plain
//! words here; the parser knows where they are keywords.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};

use crate::syntax::{Characters, Token};

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub enum Lexeme {
    /// A keyword, name or category.
    Word(Arc<str>),
    /// A word with `~` right behind it.
    Tilded(Arc<str>),
    /// A back-quoted name.
    Quoted(Arc<str>),
    /// A string, escapes resolved.
    Text(Arc<str>),
    /// A whole number.
    Int(i64),
    /// A number with a fraction or exponent.
    Float(f64),
    /// An operator or bracket.
    Symbol(&'static str),
    /// Behind the last token.
    End,
}

/// Longest first, so that the first that fits is right.
const SYMBOLS: [&str; 24] = [
    "![", "==", "!=", "<=", ">=", "(", ")", "[", "]", ",", ".", "|", ":", "<", ">", "+", "-", "*", "/", "%", "?", "=",
    "{", "}",
];

/// After so many faults the text is probably no query at all.
const MAX_FAULTS: usize = 50;

/// What other languages write, and the token that it means here.
const FOREIGN: [(&str, &str); 5] = [("&&", "and"), ("||", "or"), ("<>", "!="), ("&", "and"), ("!", "not")];

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

impl Lexer<'_> {
    fn next(&mut self) {
        let start = self.cursor.offset();
        match self.cursor.peek() {
            None => {}
            Some(c) if c.is_whitespace() || c == '\u{feff}' => {
                self.cursor.take_while(|c| c.is_whitespace() || c == '\u{feff}');
            }
            Some('/') if self.cursor.peek_second() == Some('/') => {
                self.cursor.take_while(|c| c != '\n');
            }
            Some('/') if self.cursor.peek_second() == Some('*') => self.block_comment(start),
            Some('"') => self.string(start),
            Some('\'') => self.single_quoted(start),
            Some('“' | '”' | '„') => self.typographic(start),
            Some('?') if matches!(self.cursor.peek_second(), Some('"' | '\'')) => self.python_raw(start),
            Some('`') => self.back_quoted(start),
            Some(c) if c.is_ascii_digit() => self.number(start),
            Some('.') if self.cursor.peek_second().is_some_and(|c| c.is_ascii_digit()) && !self.after_name(start) => {
                self.number(start);
            }
            Some(c) if c.is_ascii_alphabetic() || c == '_' || c == '@' => {
                let word = self.cursor.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == '@');
                let kind = if self.cursor.eat("~") { Lexeme::Tilded(word.into()) } else { Lexeme::Word(word.into()) };
                self.push(start, kind);
            }
            Some(_) => self.symbol(start),
        }
    }

    fn push(&mut self, start: usize, kind: Lexeme) {
        self.tokens.push(Token { kind, span: self.cursor.span_from(start) });
    }

    fn error(&mut self, code: &'static str, message: impl Into<String>, span: Span, label: &str, help: &str) {
        if self.diagnostics.len() >= MAX_FAULTS {
            return;
        }
        let diagnostic = Diagnostic::error(code, message).in_file(self.file).at(span, label);
        self.diagnostics.push(if help.is_empty() { diagnostic } else { diagnostic.with_help(help) });
    }

    /// Whether a name ends exactly here, so that a dot goes on with it.
    fn after_name(&self, offset: usize) -> bool {
        self.tokens.last().is_some_and(|t| {
            t.span.end as usize == offset
                && matches!(t.kind, Lexeme::Word(_) | Lexeme::Quoted(_) | Lexeme::Int(_) | Lexeme::Symbol("]"))
        })
    }

    fn block_comment(&mut self, start: usize) {
        let rest = self.cursor.rest();
        if let Some(length) = rest.find("*/") {
            self.cursor.eat(&rest[..length + 2]);
            return;
        }
        self.cursor.take_while(|_| true);
        let span = Span::new(start, start + 2);
        self.error("eql-unterminated-comment", "this comment has no end", span, "begins here", "close it with `*/`");
    }

    fn string(&mut self, start: usize) {
        if self.cursor.eat("\"\"\"") {
            let line = self.cursor.rest().split(['\r', '\n']).next().unwrap_or("");
            let Some(length) = line.find("\"\"\"") else {
                let text: Arc<str> = line.into();
                self.cursor.take_while(|c| c != '\r' && c != '\n');
                let help = "close it with `\"\"\"` on the same line; raw strings cannot span lines";
                self.unterminated(start, help);
                return self.push(start, Lexeme::Text(text));
            };
            // Up to two quotes more belong to the content, so that it can end in a quote.
            let extra = line[length + 3..].bytes().take(2).take_while(|b| *b == b'"').count();
            self.cursor.eat(&line[..length + extra + 3]);
            return self.push(start, Lexeme::Text(line[..length + extra].into()));
        }
        self.cursor.bump();
        let text = self.escaped(start, '"');
        self.push(start, Lexeme::Text(text.into()));
    }

    fn unterminated(&mut self, start: usize, help: &str) {
        let span = self.cursor.span_from(start);
        self.error("eql-unterminated-string", "this string has no end", span, "begins here", help);
    }

    /// The rest of a string up to its closing quote, escapes resolved.
    fn escaped(&mut self, start: usize, quote: char) -> String {
        let mut text = String::new();
        loop {
            let at = self.cursor.offset();
            match self.cursor.peek() {
                None | Some('\r' | '\n') => {
                    self.unterminated(start, &format!("close it with `{quote}`; strings cannot span lines"));
                    return text;
                }
                Some(c) if c == quote => {
                    self.cursor.bump();
                    return text;
                }
                Some('\\') => {
                    self.cursor.bump();
                    self.escape(at, &mut text);
                }
                Some(c) => {
                    text.push(c);
                    self.cursor.bump();
                }
            }
        }
    }

    fn escape(&mut self, start: usize, text: &mut String) {
        let c = match self.cursor.peek() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some(c @ ('"' | '\\' | '\'')) => c,
            Some('u') => {
                self.cursor.bump();
                return self.unicode_escape(start, text);
            }
            None | Some('\r' | '\n') => return,
            Some(other) => {
                self.cursor.bump();
                let span = self.cursor.span_from(start);
                text.push('\\');
                text.push(other);
                let help = "write `\\\\` for a backslash, or a raw string `\"\"\"…\"\"\"`";
                return self.error("eql-escape", "unknown escape in a string", span, "no such escape", help);
            }
        };
        self.cursor.bump();
        text.push(c);
    }

    fn unicode_escape(&mut self, start: usize, text: &mut String) {
        let digits = if self.cursor.eat("{") { self.cursor.take_while(|c| c.is_ascii_hexdigit()) } else { "" };
        let closed = self.cursor.eat("}");
        let c = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        match c {
            Some(c) if closed && (2..=8).contains(&digits.len()) => text.push(c),
            _ => {
                let span = self.cursor.span_from(start);
                let help = "write two to eight hexadecimal digits in braces: `\\u{202E}`";
                self.error("eql-escape", "this is no Unicode escape", span, "no such character", help);
            }
        }
    }

    fn single_quoted(&mut self, start: usize) {
        self.cursor.bump();
        let text = self.escaped(start, '\'');
        let span = self.cursor.span_from(start);
        self.error("eql-single-quotes", "strings stand in double quotes", span, "single quotes", "write `\"…\"`");
        self.push(start, Lexeme::Text(text.into()));
    }

    /// “…”, as word processors make of "…".
    fn typographic(&mut self, start: usize) {
        self.cursor.bump();
        let text: Arc<str> = self.cursor.take_while(|c| !matches!(c, '“' | '”' | '"' | '\r' | '\n')).into();
        if !matches!(self.cursor.peek(), Some('\r' | '\n')) {
            self.cursor.bump();
        }
        let span = self.cursor.span_from(start);
        let message = "typographic quotes are no quotes";
        self.error("eql-typographic-quotes", message, span, "typographic quotes", "write `\"…\"`");
        self.push(start, Lexeme::Text(text));
    }

    fn python_raw(&mut self, start: usize) {
        self.cursor.bump();
        let quote = self.cursor.bump().unwrap_or('"');
        let text: Arc<str> = self.cursor.take_while(|c| c != quote && c != '\r' && c != '\n').into();
        if !self.cursor.eat(if quote == '"' { "\"" } else { "'" }) {
            self.unterminated(start, "close it on the same line");
        }
        let span = self.cursor.span_from(start);
        let message = "`?\"…\"` is a raw string of python-eql only";
        self.error("eql-python-only", message, span, "not in Elasticsearch", "write `\"\"\"…\"\"\"`");
        self.push(start, Lexeme::Text(text));
    }

    fn back_quoted(&mut self, start: usize) {
        self.cursor.bump();
        let mut name = String::new();
        loop {
            name.push_str(self.cursor.take_while(|c| c != '`' && c != '\n'));
            if self.cursor.eat("``") {
                name.push('`');
            } else if self.cursor.eat("`") {
                break;
            } else {
                let span = self.cursor.span_from(start);
                let message = "this back-quoted name has no end";
                self.error("eql-unterminated-name", message, span, "begins here", "close it with a back-quote");
                break;
            }
        }
        self.push(start, Lexeme::Quoted(name.into()));
    }

    fn number(&mut self, start: usize) {
        let digit = |c: char| c.is_ascii_digit();
        self.cursor.take_while(digit);
        let mut float = false;
        // A dot at the end of a name's numeric part goes on with the name, as in `` a.0.b ``.
        if self.cursor.peek() == Some('.')
            && !self.cursor.peek_second().is_some_and(|c| c.is_ascii_alphabetic() || c == '`')
        {
            float = true;
            self.cursor.bump();
            self.cursor.take_while(digit);
        }
        let mut exponent = Characters::new(self.cursor.rest());
        if exponent.eat("e") || exponent.eat("E") {
            let _ = exponent.eat("+") || exponent.eat("-");
            if !exponent.take_while(digit).is_empty() {
                float = true;
                for _ in 0..exponent.offset() {
                    self.cursor.bump();
                }
            }
        }
        let span = self.cursor.span_from(start);
        let text = self.file.slice(span);
        let kind = match (float, text.parse::<i64>(), text.parse::<f64>()) {
            (false, Ok(n), _) => Lexeme::Int(n),
            (true, _, Ok(n)) if n.is_finite() => Lexeme::Float(n),
            (_, _, number) => {
                let help = "whole numbers go from -9223372036854775808 to 9223372036854775807";
                self.error("eql-number", "this number is too large", span, "does not fit", help);
                Lexeme::Float(number.unwrap_or(0.0))
            }
        };
        self.push(start, kind);
    }

    fn symbol(&mut self, start: usize) {
        if !self.cursor.rest().starts_with("![") && !self.cursor.rest().starts_with("!=") {
            for (foreign, meant) in FOREIGN {
                if foreign != "||" && self.cursor.rest().starts_with("||") {
                    continue;
                }
                if self.cursor.eat(foreign) {
                    let span = self.cursor.span_from(start);
                    let message = format!("`{foreign}` is no operator of EQL");
                    self.error("eql-operator", message, span, "not an operator", &format!("write `{meant}`"));
                    let kind = if meant == "!=" { Lexeme::Symbol("!=") } else { Lexeme::Word(meant.into()) };
                    return self.push(start, kind);
                }
            }
        }
        if let Some(symbol) = SYMBOLS.into_iter().find(|s| self.cursor.eat(s)) {
            return self.push(start, Lexeme::Symbol(symbol));
        }
        let c = self.cursor.bump().unwrap_or(' ');
        let span = self.cursor.span_from(start);
        let (message, help) = match c {
            '~' => ("`~` stands right behind a name", "write it without a blank before: `startsWith~(…)`, `in~`"),
            _ => ("this character means nothing here", "names with such characters stand in back-quotes"),
        };
        self.error("eql-unexpected-character", message, span, "", help);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Lexeme> {
        tokens(&SourceFile::new("test", text)).0.into_iter().map(|t| t.kind).collect()
    }

    #[test]
    fn strings_resolve_their_escapes_and_raw_strings_do_not() {
        assert_eq!(kinds(r#""a\\b\"\u{e9}\n\'""#), [Lexeme::Text("a\\b\"é\n'".into())]);
        assert_eq!(kinds(r#""""\d+\""""""#), [Lexeme::Text(r#"\d+\"""#.into())]);
        assert_eq!(kinds("\"\"\"\"\"\" x"), [Lexeme::Text("".into()), Lexeme::Word("x".into())]);
    }

    #[test]
    fn numbers_and_durations_are_told_apart() {
        assert_eq!(kinds("5m"), [Lexeme::Int(5), Lexeme::Word("m".into())]);
        assert_eq!(kinds(".5 1.5e3"), [Lexeme::Float(0.5), Lexeme::Float(1500.0)]);
    }

    #[test]
    fn comments_are_skipped() {
        assert_eq!(kinds("a /* b \n ü */ c // d"), [Lexeme::Word("a".into()), Lexeme::Word("c".into())]);
    }
}
