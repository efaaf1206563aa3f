//! Text to tokens.
//!
//! What makes SPL2 awkward to lex: `/` begins a regular expression where an operand may stand and divides elsewhere,
//! and published expressions have unescaped slashes *inside* them; `--name--` is a placeholder that the publisher's
//! build fills in, not a comment; numbers carry suffixes (`86400L`, `10m`). Nothing here fails: what cannot be read
//! becomes a diagnostic and is passed over.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};

/// A token and its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: TokenKind,
    /// Where it stands.
    pub(crate) span: Span,
}

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// A name or keyword; keywords are told apart by the parser, in any case.
    Word(Arc<str>),
    /// A name in single quotes, never a keyword.
    Quoted(Arc<str>),
    /// Text in double quotes, escapes resolved; with `${…}`, a template.
    Text(Vec<TextPart>),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction or exponent.
    Float(f64),
    /// A length of time, in milliseconds.
    Duration(u64),
    /// A regular expression between slashes, as written.
    Regex(Arc<str>),
    /// `$name`.
    Variable(Arc<str>),
    /// `--name--`.
    Placeholder(Arc<str>),
    /// An operator or punctuation mark.
    Mark(&'static str),
    /// The end of the text.
    End,
}

/// A piece of a text in double quotes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TextPart {
    /// As it is.
    Literal(String),
    /// The inside of `${…}`.
    Expression(Span),
}

/// The longest ones first, so that the first that fits is the right one.
const MARKS: [&str; 25] = [
    "==", "!=", "<>", "<=", ">=", "(", ")", "[", "]", "{", "}", ",", ":", ";", "|", ".", "=", "<", ">", "+", "-", "*",
    "/", "%", "`",
];

/// Splits part of a file into tokens, the last of which is [`TokenKind::End`].
pub(crate) fn tokens(file: &Arc<SourceFile>, range: Span) -> (Vec<Token>, Vec<Diagnostic>) {
    let text = file.text().get(..range.range().end).unwrap_or("");
    let mut lexer = Lexer { file, text, at: range.range().start, tokens: Vec::new(), diagnostics: Vec::new() };
    lexer.run();
    (lexer.tokens, lexer.diagnostics)
}

struct Lexer<'a> {
    file: &'a Arc<SourceFile>,
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn push(&mut self, start: usize, kind: TokenKind) {
        self.tokens.push(Token { kind, span: Span::new(start, self.at) });
    }

    fn error(&mut self, code: &'static str, message: impl Into<String>, start: usize, label: &str) -> &mut Diagnostic {
        let diagnostic = Diagnostic::error(code, message).in_file(self.file).at(Span::new(start, self.at), label);
        self.diagnostics.push(diagnostic);
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    fn run(&mut self) {
        loop {
            self.skip_blanks();
            let start = self.at;
            let Some(c) = self.peek() else {
                return self.push(start, TokenKind::End);
            };
            match c {
                '"' => self.text_literal(),
                '\'' => self.quoted_name(),
                '$' => self.variable(),
                '0'..='9' => self.number(),
                '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) && !self.after_operand() => {
                    self.number();
                }
                '/' if !self.after_operand() => self.regex(),
                '-' if self.placeholder() => {}
                c if is_word_start(c) => {
                    let end = self.rest().find(|c: char| !is_word(c)).unwrap_or(self.rest().len());
                    let word = &self.rest()[..end];
                    self.at += end;
                    self.push(start, TokenKind::Word(word.into()));
                }
                _ => self.mark(c),
            }
        }
    }

    /// Blanks, line ends and comments.
    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start().len();
            self.at += blanks;
            let rest = self.rest();
            if rest.starts_with("//") && self.after_operand_or_start() {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                if let Some(end) = rest.find("*/") {
                    self.at += end + 2;
                    continue;
                }
                let start = self.at;
                self.at = self.text.len();
                self.error("spl2-unterminated-comment", "the comment never ends", start, "begins here").help =
                    Some("end it with `*/`".into());
            } else if blanks == 0 {
                return;
            }
        }
    }

    /// Whether `/` cannot begin an operand here, because one has just ended.
    fn after_operand(&self) -> bool {
        use TokenKind::{Duration, Float, Integer, Mark, Quoted, Regex, Text, Variable, Word};
        match self.tokens.last().map(|token| &token.kind) {
            Some(Word(word)) => !is_operator_word(word),
            Some(Quoted(_) | Text(_) | Integer(_) | Float(_) | Duration(_) | Regex(_) | Variable(_)) => true,
            Some(Mark(mark)) => matches!(*mark, ")" | "]" | "}"),
            _ => false,
        }
    }

    /// `//` is an empty expression where an operand may stand, except between commands, where it is a comment.
    fn after_operand_or_start(&self) -> bool {
        let between = match self.tokens.last().map(|token| &token.kind) {
            None | Some(TokenKind::Placeholder(_)) => true,
            Some(TokenKind::Mark(mark)) => matches!(*mark, "|" | ";"),
            _ => false,
        };
        between || self.after_operand()
    }

    fn mark(&mut self, c: char) {
        let start = self.at;
        if let Some(mark) = MARKS.iter().find(|mark| self.rest().starts_with(**mark)) {
            self.at += mark.len();
            return self.push(start, TokenKind::Mark(mark));
        }
        self.at += c.len_utf8();
        let message = format!("`{}` has no meaning here", c.escape_debug());
        self.error("spl2-unexpected-character", message, start, "passed over");
    }

    fn text_literal(&mut self) {
        let start = self.at;
        self.at += 1;
        let mut parts = Vec::new();
        let mut literal = String::new();
        loop {
            let Some(c) = self.peek() else {
                let first_line = self.text[start..].find('\n').map_or(self.text.len(), |end| start + end);
                let diagnostic = Diagnostic::error("spl2-unterminated-string", "the text never ends")
                    .in_file(self.file)
                    .at(Span::new(start, first_line), "begins here")
                    .with_help("end it with `\"`; a `\"` inside it is written `\\\"`");
                self.diagnostics.push(diagnostic);
                break;
            };
            self.at += c.len_utf8();
            match c {
                '"' => break,
                '\\' => self.escape(&mut literal),
                '$' if self.rest().starts_with('{') => match template_end(self.rest()) {
                    Some(end) => {
                        let span = Span::new(self.at + 1, self.at + end);
                        self.at += end + 1;
                        parts.push(TextPart::Literal(std::mem::take(&mut literal)));
                        parts.push(TextPart::Expression(span));
                    }
                    None => literal.push('$'),
                },
                c => literal.push(c),
            }
        }
        if !literal.is_empty() || parts.is_empty() {
            parts.push(TextPart::Literal(literal));
        }
        self.push(start, TokenKind::Text(parts));
    }

    /// The character after a backslash. One that is no escape keeps its backslash: `"\d"` is `\d`.
    fn escape(&mut self, literal: &mut String) {
        let Some(c) = self.peek() else {
            literal.push('\\');
            return;
        };
        self.at += c.len_utf8();
        match c {
            '"' | '\\' | '\'' => literal.push(c),
            'n' => literal.push('\n'),
            't' => literal.push('\t'),
            'r' => literal.push('\r'),
            other => {
                literal.push('\\');
                literal.push(other);
            }
        }
    }

    fn quoted_name(&mut self) {
        let start = self.at;
        let rest = &self.rest()[1..];
        if let Some(end) = rest.find('\'') {
            self.at += end + 2;
            self.push(start, TokenKind::Quoted(rest[..end].into()));
        } else {
            self.at += self.rest().find([' ', '\n', '|', ';', ',', ')']).unwrap_or(self.rest().len()).max(1);
            self.error("spl2-unterminated-name", "the quoted field name never ends", start, "begins here").help =
                Some("end it with `'`; text is written in double quotes".into());
            self.push(start, TokenKind::Quoted(self.text[start + 1..self.at].into()));
        }
    }

    fn variable(&mut self) {
        let start = self.at;
        self.at += 1;
        let end = self.rest().find(|c: char| !is_word(c)).unwrap_or(self.rest().len());
        let name = &self.rest()[..end];
        self.at += end;
        if name.is_empty() {
            self.error("spl2-unexpected-character", "`$` is not followed by a name", start, "passed over");
        } else {
            self.push(start, TokenKind::Variable(name.into()));
        }
    }

    fn placeholder(&mut self) -> bool {
        let start = self.at;
        let Some(rest) = self.rest().strip_prefix("--") else { return false };
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        if end == 0 || !rest[end..].starts_with("--") {
            return false;
        }
        self.at += end + 4;
        self.push(start, TokenKind::Placeholder(rest[..end].into()));
        true
    }

    fn number(&mut self) {
        let start = self.at;
        let digits = |rest: &str| rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        self.at += digits(self.rest());
        let mut whole = true;
        if self.rest().starts_with('.') && self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) {
            whole = false;
            self.at += 1;
            self.at += digits(self.rest());
        }
        let exponent = self.rest().strip_prefix(['e', 'E']).map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
        if let Some(rest) = exponent.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            whole = false;
            self.at = self.text.len() - rest.len() + digits(rest);
        }
        let number = &self.text[start..self.at];
        let suffix_end = self.rest().find(|c: char| !is_word(c)).unwrap_or(self.rest().len());
        let suffix = &self.rest()[..suffix_end];
        self.at += suffix_end;
        let kind = match (suffix, unit_millis(suffix)) {
            ("" | "L" | "l", _) if whole => {
                number.parse().map_or_else(|_| TokenKind::Float(number.parse().unwrap_or(f64::MAX)), TokenKind::Integer)
            }
            ("" | "f" | "F" | "d" | "D", _) if !whole => TokenKind::Float(number.parse().unwrap_or(f64::MAX)),
            (_, Some(unit)) if whole => {
                TokenKind::Duration(number.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(unit))
            }
            _ => {
                let message = format!("`{suffix}` is no suffix of a number");
                self.error("spl2-number", message, start, "this number").help =
                    Some("`L` marks a long number; times end in `ms`, `s`, `m`, `h`, `d` or `w`".into());
                TokenKind::Integer(0)
            }
        };
        self.push(start, kind);
    }

    /// A regular expression. Published ones have unescaped slashes in them (`/(?i)/dest:x/`), so it ends only at a
    /// slash behind which something can follow an operand; of several, at the first that leaves no group open.
    fn regex(&mut self) {
        let start = self.at;
        let body = &self.rest()[1..];
        // Among arguments only these can follow; a `|` is as likely part of the expression.
        let argument = matches!(self.tokens.last().map(|token| &token.kind), Some(TokenKind::Mark("(" | ",")));
        let enders: &[char] = if argument { &[')', ','] } else { &[')', ',', ']', '}', '|', ';'] };
        let ends: Vec<usize> = unescaped_slashes(body)
            .filter(|end| follows_operand(&body[end + 1..], argument, enders))
            .take(16)
            .collect();
        let end = ends.iter().copied().find(|end| groups_closed(&body[..*end])).or(ends.first().copied());
        if let Some(end) = end {
            self.at += end + 2;
            return self.push(start, TokenKind::Regex(body[..end].into()));
        }
        self.at += 1 + body.find(['|', ';', '\n']).unwrap_or(body.len());
        self.error("spl2-unterminated-regex", "the regular expression never ends", start, "begins here").help =
            Some("end it with `/`, followed by `)` or `,`".into());
        self.push(start, TokenKind::Regex("".into()));
    }
}

/// Whether a character can begin a name.
fn is_word_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// Whether a character can be within a name.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words after which an operand stands.
fn is_operator_word(word: &str) -> bool {
    ["and", "or", "not", "xor", "like", "in", "between", "where", "is", "by", "as", "eval"]
        .iter()
        .any(|operator| word.eq_ignore_ascii_case(operator))
}

/// Milliseconds of a unit of time.
fn unit_millis(unit: &str) -> Option<u64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "ms" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" => 1000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => 86_400_000,
        "w" | "week" | "weeks" => 604_800_000,
        _ => return None,
    })
}

/// Where the `}` of a text that begins with `{` stands.
fn template_end(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(at),
            '}' => depth -= 1,
            '"' => return None,
            _ => {}
        }
    }
    None
}

fn unescaped_slashes(text: &str) -> impl Iterator<Item = usize> {
    let mut escaped = false;
    text.bytes().enumerate().filter_map(move |(at, byte)| match byte {
        b'\\' if !escaped => {
            escaped = true;
            None
        }
        b'/' if !escaped => Some(at),
        _ => {
            escaped = false;
            None
        }
    })
}

/// Whether what is left can follow an operand: one of these marks, or, unless it is an argument, the end.
fn follows_operand(rest: &str, argument: bool, enders: &[char]) -> bool {
    let rest = rest.trim_start();
    (rest.is_empty() && !argument) || rest.starts_with(enders)
}

/// Whether every `(` outside of `[…]` has its `)`.
fn groups_closed(regex: &str) -> bool {
    let (mut depth, mut class, mut escaped) = (0_i64, false, false);
    for byte in regex.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'[' => class = true,
            b']' => class = false,
            b'(' if !class => depth += 1,
            b')' if !class => depth -= 1,
            _ => {}
        }
    }
    depth == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        let file = SourceFile::new("q", text);
        let (tokens, diagnostics) = tokens(&file, Span::new(0, text.len()));
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        tokens.into_iter().map(|token| token.kind).filter(|kind| *kind != TokenKind::End).collect()
    }

    fn regexes(text: &str) -> Vec<String> {
        let only = |kind| if let TokenKind::Regex(regex) = kind { Some(regex.to_string()) } else { None };
        kinds(text).into_iter().filter_map(only).collect()
    }

    #[test]
    fn a_slash_inside_an_expression_does_not_end_it() {
        assert_eq!(regexes("match(c, /(?i)/dest:x/)"), ["(?i)/dest:x"]);
        assert_eq!(regexes("match(c, /(?i)/ ) AND match(d, /b/)"), ["(?i)", "b"]);
        assert_eq!(regexes("match(c, /(a/)b/)"), ["(a/)b"]);
        assert_eq!(regexes(r"match(c, /a\/b\\/, 1)"), [r"a\/b\\"]);
        assert_eq!(regexes(r"match(c, /[-|\\/|x]y/)=true | where"), [r"[-|\\/|x]y"]);
        assert_eq!(regexes("10 / 2 / x"), [""; 0]);
    }

    #[test]
    fn numbers_have_suffixes() {
        assert_eq!(
            kinds("1 2.5 1e3 86400L 10m 300s"),
            [
                TokenKind::Integer(1),
                TokenKind::Float(2.5),
                TokenKind::Float(1000.0),
                TokenKind::Integer(86400),
                TokenKind::Duration(600_000),
                TokenKind::Duration(300_000),
            ]
        );
    }

    #[test]
    fn comments_are_told_from_placeholders_and_expressions() {
        assert_eq!(
            kinds("a // b\n/* c */ --body-- // d"),
            [TokenKind::Word("a".into()), TokenKind::Placeholder("body".into())]
        );
        assert_eq!(kinds("\"http://x\"").len(), 1);
        assert_eq!(kinds("a --b").len(), 4);
    }

    #[test]
    fn texts_resolve_their_escapes_and_keep_other_backslashes() {
        let text = |t: &str| vec![TokenKind::Text(vec![TextPart::Literal(t.into())])];
        assert_eq!(kinds(r#""%\\\"\t\d""#), text("%\\\"\t\\d"));
        assert_eq!(kinds(r#""""#), text(""));
        assert_eq!(
            kinds(r#""on ${host}""#),
            [TokenKind::Text(vec![TextPart::Literal("on ".into()), TextPart::Expression(Span::new(6, 10))])]
        );
    }
}
