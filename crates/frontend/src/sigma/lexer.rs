//! The words and signs of a condition.

use lurcher_diagnostics::Span;

use crate::syntax::{Characters, Token};

/// A token of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name, a pattern, a number, or a keyword in any case.
    Word(String),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `|`
    Pipe,
    /// `<`, `<=`, `>`, `>=`, `=`, `==` or `!=`.
    Compare(String),
    /// A character that no condition has.
    Unknown(char),
    /// The end.
    End,
}

/// Splits a condition into tokens. Every character is in one of them, or a blank.
pub fn tokens(text: &str) -> Vec<Token<Kind>> {
    let mut cursor = Characters::new(text);
    let mut tokens = Vec::new();
    loop {
        cursor.take_while(char::is_whitespace);
        let start = cursor.offset();
        let Some(next) = cursor.peek() else { return tokens };
        let kind = match next {
            '(' | ')' | '|' => {
                cursor.bump();
                match next {
                    '(' => Kind::Open,
                    ')' => Kind::Close,
                    _ => Kind::Pipe,
                }
            }
            '<' | '>' | '=' | '!' => {
                cursor.bump();
                let rest = if cursor.eat("=") { "=" } else { "" };
                Kind::Compare(format!("{next}{rest}"))
            }
            c if is_word(c) => Kind::Word(cursor.take_while(is_word).to_owned()),
            c => {
                cursor.bump();
                Kind::Unknown(c)
            }
        };
        tokens.push(Token { kind, span: cursor.span_from(start) });
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '*' | '.' | '?' | ':' | '$' | '@')
}

/// The end of a text, as a token.
pub(super) fn end(text: &str) -> Token<Kind> {
    Token { kind: Kind::End, span: Span::new(text.len(), text.len()) }
}
