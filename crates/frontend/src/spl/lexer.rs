//! Tokens, read one at a time in the mode that the parser asks for.
//!
//! SPL has no one set of tokens. In the arguments of most commands nearly every character belongs to a word
//! (`*\temp\*`, `sourceIPs{}`, `-70m@m`); in expressions `-` and `*` are operators and `'…'` is a field. So there is no
//! list of tokens: the parser asks for the next one in a [`Mode`].
//!
//! In double quotes and in words a doubled backslash is one and `\"` a quote; a backslash before anything else is
//! itself, as Splunk's content relies on. An unclosed quote runs to the end and is said.

use std::sync::Arc;

use lurcher_diagnostics::Span;

/// What a character may mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Arguments: words between blanks, commas, brackets and comparisons.
    Words,
    /// The right side of a comparison: `=`, `<` and quotes within a word belong to it.
    Value,
    /// An expression.
    Expression,
}

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// A word, unescaped.
    Word(Arc<str>),
    /// Double quotes, unescaped.
    Quoted(Arc<str>),
    /// A field in single quotes; only in expressions.
    Field(Arc<str>),
    /// A whole number; only in expressions.
    Integer(i64),
    /// A number; only in expressions.
    Float(f64),
    /// Punctuation.
    Mark(&'static str),
    /// A character that means nothing here.
    Unknown,
    /// A quote that is never closed; its text.
    Unclosed(Arc<str>),
    /// The end.
    End,
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

/// Punctuation between words; longer ones first.
const WORD_MARKS: [&str; 13] = ["!=", "<=", ">=", "==", "=", "<", ">", "(", ")", ",", "|", "[", "]"];
/// Punctuation in expressions; longer ones first.
const EXPRESSION_MARKS: [&str; 21] =
    ["!=", "<=", ">=", "==", "&&", "||", "=", "<", ">", "(", ")", ",", "|", "[", "]", "+", "-", "*", "/", "%", "."];

/// The token at or after an offset; the text ends at `end`.
pub(super) fn next(text: &str, at: usize, end: usize, mode: Mode) -> Token {
    let text = text.get(..end).unwrap_or(text);
    let rest = text.get(at..).unwrap_or_default();
    let start = at + rest.len() - rest.trim_start().len();
    let rest = text.get(start..).unwrap_or_default();
    let token = |kind, length: usize| Token { kind, span: Span::new(start, start + length) };
    let Some(c) = rest.chars().next() else { return token(TokenKind::End, 0) };
    match mode {
        Mode::Expression => {
            if c == '"' {
                return quoted(rest, start);
            }
            if c == '\'' {
                return match rest[1..].find('\'') {
                    Some(length) => token(TokenKind::Field(rest[1..=length].into()), length + 2),
                    None => token(TokenKind::Unclosed(rest[1..].into()), rest.len()),
                };
            }
            if c.is_ascii_digit() || (c == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
                return number(rest, start);
            }
            if is_name_start(c) {
                let length = name_length(rest);
                return token(TokenKind::Word(rest[..length].into()), length);
            }
            match EXPRESSION_MARKS.iter().find(|mark| rest.starts_with(**mark)) {
                Some(mark) => token(TokenKind::Mark(mark), mark.len()),
                None => token(TokenKind::Unknown, c.len_utf8()),
            }
        }
        Mode::Words | Mode::Value => {
            let opens = mode == Mode::Value && matches!(c, '=' | '<' | '>' | '!');
            if let Some(mark) = WORD_MARKS.iter().find(|mark| !opens && rest.starts_with(**mark)) {
                return token(TokenKind::Mark(mark), mark.len());
            }
            if c == '"' {
                let found = quoted(rest, start);
                let behind = &rest[found.span.range().len()..];
                // `"a"*`, `*"a"`: one value in pieces.
                let goes_on = mode == Mode::Value && behind.starts_with(|c: char| !c.is_whitespace() && !ends_value(c));
                return if goes_on { word(rest, start, mode) } else { found };
            }
            word(rest, start, mode)
        }
    }
}

fn ends_value(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | ',' | '|' | '[' | ']')
}

fn word(rest: &str, start: usize, mode: Mode) -> Token {
    let mut out = String::new();
    let mut characters = rest.char_indices().peekable();
    let mut length = rest.len();
    while let Some((at, c)) = characters.next() {
        let next = characters.peek().map(|(_, c)| *c);
        let ends = match mode {
            Mode::Value => ends_value(c),
            _ => {
                c.is_whitespace()
                    || matches!(c, '"' | '(' | ')' | ',' | '|' | '[' | ']' | '=' | '<' | '>')
                    || (c == '!' && next == Some('='))
            }
        };
        if ends {
            length = at;
            break;
        }
        match (c, next) {
            ('\\', Some(escaped @ ('\\' | '"'))) => {
                out.push(escaped);
                characters.next();
            }
            // Quotes within a value: what they hold belongs to it.
            ('"', _) if mode == Mode::Value => {
                let inner = quoted(&rest[at..], 0);
                if let TokenKind::Quoted(text) | TokenKind::Unclosed(text) = &inner.kind {
                    out.push_str(text);
                }
                let end = at + inner.span.range().len();
                while characters.peek().is_some_and(|(at, _)| *at < end) {
                    characters.next();
                }
            }
            (c, _) => out.push(c),
        }
    }
    if length == 0 {
        let length = rest.chars().next().map_or(0, char::len_utf8);
        return Token { kind: TokenKind::Unknown, span: Span::new(start, start + length) };
    }
    Token { kind: TokenKind::Word(out.into()), span: Span::new(start, start + length) }
}

/// A text in double quotes that begins here.
fn quoted(rest: &str, start: usize) -> Token {
    let mut out = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        match (c, characters.peek().map(|(_, c)| *c)) {
            ('"', _) => {
                return Token { kind: TokenKind::Quoted(out.into()), span: Span::new(start, start + at + 1) };
            }
            ('\\', Some(escaped @ ('\\' | '"'))) => {
                out.push(escaped);
                characters.next();
            }
            (c, _) => out.push(c),
        }
    }
    Token { kind: TokenKind::Unclosed(out.into()), span: Span::new(start, start + rest.len()) }
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '@' | '$' | '{' | '#')
}

/// How long the name is that begins here. `::` and `{}` may be part of it; a dot is an operator.
fn name_length(rest: &str) -> usize {
    let belongs = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '$' | '{' | '}' | ':' | '#');
    rest.find(|c| !belongs(c)).unwrap_or(rest.len())
}

fn number(rest: &str, start: usize) -> Token {
    let bytes = rest.as_bytes();
    let digits = |from: usize| bytes.iter().skip(from).take_while(|b| b.is_ascii_digit()).count();
    let token = |kind, length: usize| Token { kind, span: Span::new(start, start + length) };
    if rest.starts_with("0x") || rest.starts_with("0X") {
        let length = 2 + bytes.iter().skip(2).take_while(|b| b.is_ascii_hexdigit()).count();
        if let Ok(number) = i64::from_str_radix(&rest[2..length], 16) {
            return token(TokenKind::Integer(number), length);
        }
    }
    let mut length = digits(0);
    let mut whole = true;
    if bytes.get(length) == Some(&b'.') && bytes.get(length + 1).is_some_and(u8::is_ascii_digit) {
        whole = false;
        length += 1 + digits(length + 1);
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            whole = false;
            length += 1 + sign + exponent;
        }
    }
    // `5m`, `4688abc`: a word, not a number.
    let tail = name_length(&rest[length..]);
    if tail > 0 {
        return token(TokenKind::Word(rest[..length + tail].into()), length + tail);
    }
    let text = &rest[..length];
    match text.parse::<i64>() {
        Ok(number) if whole => token(TokenKind::Integer(number), length),
        _ => token(TokenKind::Float(text.parse().unwrap_or(0.0)), length),
    }
}

/// Where the command that goes on at an offset ends: at a `|`, or at a closing bracket that it did not open. Quotes
/// and brackets within it are stepped over.
pub(super) fn end_of_command(text: &str, at: usize, end: usize) -> usize {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut characters = text.get(at..end).unwrap_or_default().char_indices();
    while let Some((offset, c)) = characters.next() {
        match c {
            '\\' => {
                characters.next();
            }
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted && depth == 0 => return at + offset,
            ']' if !quoted => depth -= 1,
            '|' if !quoted && depth == 0 => return at + offset,
            _ => {}
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, mode: Mode) -> Vec<String> {
        let mut at = 0;
        let mut found = Vec::new();
        loop {
            let token = next(text, at, text.len(), mode);
            at = token.span.end as usize;
            match token.kind {
                TokenKind::End => return found,
                TokenKind::Word(word) => found.push(word.to_string()),
                TokenKind::Quoted(text) => found.push(format!("“{text}”")),
                TokenKind::Field(text) => found.push(format!("‘{text}’")),
                TokenKind::Integer(number) => found.push(format!("#{number}")),
                TokenKind::Float(number) => found.push(format!("#{number}")),
                TokenKind::Mark(mark) => found.push(mark.to_owned()),
                TokenKind::Unknown => found.push("?".to_owned()),
                TokenKind::Unclosed(text) => found.push(format!("“{text}")),
            }
        }
    }

    #[test]
    fn words_hold_nearly_everything() {
        assert_eq!(all(r"a!=*\\x\y* AND (b{}.c IN (1,2))", Mode::Words)[..4], ["a", "!=", r"*\x\y*", "AND"]);
        assert_eq!(all("-70m@m", Mode::Words), ["-70m@m"]);
        assert_eq!(all(r#""a \"b\" \\ \d""#, Mode::Words), [r#"“a "b" \ \d”"#]);
        assert_eq!(all("a=b=c", Mode::Value), ["a=b=c"]);
        assert_eq!(all(r#"*"x y"*"#, Mode::Value), ["*x y*"]);
    }

    #[test]
    fn expressions_have_operators() {
        assert_eq!(all("a.'b c'-1.5*2e3", Mode::Expression), ["a", ".", "‘b c’", "-", "#1.5", "*", "#2000"]);
        assert_eq!(all("x{}=0x10 && y", Mode::Expression), ["x{}", "=", "#16", "&&", "y"]);
        assert_eq!(all("\"open", Mode::Expression), ["“open"]);
    }

    #[test]
    fn commands_end_at_pipes_outside_quotes_and_brackets() {
        let text = r#"a "x|y" [ b | c ] d | e"#;
        assert_eq!(&text[..end_of_command(text, 0, text.len())], r#"a "x|y" [ b | c ] d "#);
    }
}
