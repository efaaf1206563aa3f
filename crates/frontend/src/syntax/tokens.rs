//! A cursor over tokens, for parsers. Past the end it stands for ever on a last token of the language's choice.

use lurcher_diagnostics::Span;

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Token<K> {
    /// What it is.
    pub kind: K,
    /// Where it stands.
    pub span: Span,
}

/// Where a parser stands in its tokens.
#[derive(Clone, Debug)]
pub struct Tokens<K> {
    all: Vec<Token<K>>,
    end: Token<K>,
    at: usize,
}

impl<K> Tokens<K> {
    /// At the first token. `end` is what stands behind the last one.
    pub fn new(tokens: Vec<Token<K>>, end: Token<K>) -> Self {
        Self { all: tokens, end, at: 0 }
    }

    /// The next token, which stays unread.
    pub fn peek(&self) -> &Token<K> {
        self.peek_nth(0)
    }

    /// The token `ahead` places after the next, which stays unread.
    pub fn peek_nth(&self, ahead: usize) -> &Token<K> {
        self.all.get(self.at.saturating_add(ahead)).unwrap_or(&self.end)
    }

    /// Reads one token.
    pub fn bump(&mut self) -> &Token<K> {
        let token = self.all.get(self.at).unwrap_or(&self.end);
        self.at += usize::from(self.at < self.all.len());
        token
    }

    /// The span of the token that was read last; an empty one at the very start.
    pub fn last_span(&self) -> Span {
        self.at.checked_sub(1).and_then(|i| self.all.get(i)).map_or(Span::default(), |t| t.span)
    }

    /// How many tokens were read. A parser that recovers compares it to see that it got on.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether everything was read.
    pub fn at_end(&self) -> bool {
        self.at >= self.all.len()
    }
}
