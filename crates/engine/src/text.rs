//! A text value on its way through the tests, folded at most once.

use std::{cell::OnceCell, ops::Range};

use lurcher_ir::{Case, Wildcard, WildcardPiece, fold_text, words};

/// A text, and its folded form when somebody asks for it.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    raw: &'a str,
    ascii: bool,
    folded: OnceCell<String>,
    words: OnceCell<Vec<Range<usize>>>,
}

impl<'a> Text<'a> {
    /// A text.
    pub(crate) fn new(raw: &'a str) -> Self {
        Self { raw, ascii: raw.is_ascii(), folded: OnceCell::new(), words: OnceCell::new() }
    }

    /// As it is.
    pub(crate) fn raw(&self) -> &'a str {
        self.raw
    }

    /// Whether it is all ASCII.
    pub(crate) fn is_ascii(&self) -> bool {
        self.ascii
    }

    /// Folded by [`fold_text`].
    pub(crate) fn folded(&self) -> &str {
        self.folded.get_or_init(|| if self.ascii { self.raw.to_ascii_lowercase() } else { fold_text(self.raw) })
    }

    /// What literals are searched in: folded but for ASCII case.
    pub(crate) fn searched(&self) -> &str {
        if self.ascii { self.raw } else { self.folded() }
    }

    /// Where the words of [`Self::searched`] stand.
    pub(crate) fn words(&self) -> &[Range<usize>] {
        self.words.get_or_init(|| words(self.searched()))
    }

    /// As it is or folded.
    pub(crate) fn by(&self, case: Case) -> &str {
        match case {
            Case::Sensitive => self.raw,
            Case::Insensitive => self.folded(),
        }
    }
}

/// A [`Wildcard`] cut at its runs, to be matched from both ends inwards.
#[derive(Debug)]
pub(crate) struct WildcardMatcher {
    case: Case,
    /// What stands between the runs; without any run there is a single segment.
    segments: Vec<Vec<WildcardPiece>>,
}

impl WildcardMatcher {
    /// Makes a pattern ready.
    pub(crate) fn new(pattern: &Wildcard, case: Case) -> Self {
        let mut segments = vec![Vec::new()];
        for piece in pattern.pieces.iter() {
            let segment = segments.last_mut();
            match (piece, segment) {
                (WildcardPiece::Any, _) | (_, None) => segments.push(Vec::new()),
                (WildcardPiece::Literal(text), Some(segment)) if case == Case::Insensitive => {
                    segment.push(WildcardPiece::Literal(fold_text(text).into()));
                }
                (piece, Some(segment)) => segment.push(piece.clone()),
            }
        }
        Self { case, segments }
    }

    /// Whether the whole text is matched.
    pub(crate) fn matches(&self, text: &Text<'_>) -> bool {
        let text = text.by(self.case);
        let Some((first, rest)) = self.segments.split_first() else { return false };
        let Some(after) = strip_front(text, first) else { return false };
        let Some((last, middle)) = rest.split_last() else { return after.is_empty() };
        let Some(mut room) = strip_back(after, last) else { return false };
        for segment in middle {
            match find(room, segment) {
                Some(after) => room = after,
                None => return false,
            }
        }
        true
    }

    /// The longest literal, folded.
    pub(crate) fn longest_literal(&self) -> Option<String> {
        let literals = self.segments.iter().flatten().filter_map(|piece| match piece {
            WildcardPiece::Literal(text) => Some(fold_text(text)),
            _ => None,
        });
        literals.max_by_key(String::len)
    }
}

/// What follows the segment at the front of the text.
fn strip_front<'t>(mut text: &'t str, segment: &[WildcardPiece]) -> Option<&'t str> {
    for piece in segment {
        text = if let WildcardPiece::Literal(literal) = piece {
            text.strip_prefix(literal.as_ref())?
        } else {
            let mut chars = text.chars();
            chars.next()?;
            chars.as_str()
        };
    }
    Some(text)
}

/// What stands before the segment at the end of the text.
fn strip_back<'t>(mut text: &'t str, segment: &[WildcardPiece]) -> Option<&'t str> {
    for piece in segment.iter().rev() {
        text = if let WildcardPiece::Literal(literal) = piece {
            text.strip_suffix(literal.as_ref())?
        } else {
            let mut chars = text.chars();
            chars.next_back()?;
            chars.as_str()
        };
    }
    Some(text)
}

/// What follows the first place of the segment in the text.
fn find<'t>(text: &'t str, segment: &[WildcardPiece]) -> Option<&'t str> {
    let mut from = text;
    loop {
        if let Some(WildcardPiece::Literal(literal)) = segment.first() {
            from = &from[from.find(literal.as_ref())?..];
        }
        if let Some(after) = strip_front(from, segment) {
            return Some(after);
        }
        let mut chars = from.chars();
        chars.next()?;
        from = chars.as_str();
    }
}
