//! A cursor over the characters of a source text, for lexers. It never steps into the middle of a character.

use lurcher_diagnostics::Span;

/// Where a lexer stands in its text.
#[derive(Clone, Debug)]
pub struct Characters<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Characters<'a> {
    /// At the start of a text.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The whole text.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The offset of the next character.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// The next character, which stays unread.
    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The character after the next, which stays unread.
    pub fn peek_second(&self) -> Option<char> {
        self.rest().chars().nth(1)
    }

    /// Reads one character.
    pub fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Reads this text if it stands next.
    pub fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Reads as long as characters are wanted, and returns what was read.
    pub fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// From an earlier offset to here.
    pub fn span_from(&self, start: usize) -> Span {
        Span::new(start, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_characters_are_read() {
        let mut cursor = Characters::new("aé(b");
        assert_eq!(cursor.take_while(char::is_alphabetic), "aé");
        assert_eq!((cursor.peek(), cursor.peek_second()), (Some('('), Some('b')));
        assert!(cursor.eat("(") && !cursor.eat("("));
        assert_eq!(cursor.bump(), Some('b'));
        assert_eq!((cursor.bump(), cursor.rest()), (None, ""));
        assert_eq!(cursor.span_from(3), Span::new(3, 5));
    }
}
