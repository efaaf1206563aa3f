//! Analysed text: how it is cut into words, and what is asked of them.
//!
//! A full-text index knows no values, only words and their places. Whoever asks for `Invoke-Expression` there asks for
//! the words `invoke` and `expression`, one right behind the other. [`words`] is the one definition of a word, which
//! front ends (for what is sought) and evaluators (for what it is sought in) share; it stands here because it is part
//! of the meaning of [`crate::Test::Phrase`].
//!
//! There is no stemming and there are no stop words: that is what the standard analyser of search engines does not do
//! either.

use std::{fmt, ops::Range, sync::Arc};

use unicode_segmentation::UnicodeSegmentation;

use crate::{Regex, Wildcard};

/// A word longer than this many characters is cut into pieces of this length.
pub const LONGEST_WORD: usize = 255;

/// Words of analysed text, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Phrase {
    /// What the words must be like, in order; at least one.
    pub words: Arc<[Word]>,
    /// By how many places the words may be moved altogether. 0: they stand side by side in this order. Changing
    /// the places of two neighbours takes two.
    pub slop: u32,
}

/// What one word of analysed text, which is folded, must be like.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// This word (folded).
    Is(Arc<str>),
    /// It is matched as a whole by the pattern (folded).
    Like(Wildcard),
    /// The expression is found in it (anchors are in the expression).
    Matches(Regex),
    /// It is nearly this word.
    Near(Near),
    /// It lies between these texts, byte by byte; the flags say whether the end itself lies within.
    Between {
        /// The lower end.
        low: Option<(Arc<str>, bool)>,
        /// The upper end.
        high: Option<(Arc<str>, bool)>,
    },
}

/// A text and how far another may be from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Near {
    /// The text.
    pub text: Arc<str>,
    /// So many edits at most. One edit inserts, drops or replaces a character or swaps two neighbours.
    pub edits: u8,
    /// So many leading characters must be equal.
    pub prefix: u32,
}

impl Near {
    /// Whether a text is near enough. Case counts.
    pub fn is_near(&self, other: &str) -> bool {
        let (own, other): (Vec<char>, Vec<char>) = (self.text.chars().collect(), other.chars().collect());
        let edits = usize::from(self.edits);
        let prefix = self.prefix as usize;
        let front = |text: &[char]| text.get(..prefix.min(own.len())).map(<[char]>::to_vec);
        own.len().abs_diff(other.len()) <= edits && front(&own) == front(&other) && distance(&own, &other) <= edits
    }
}

/// The number of edits between two texts, no part being edited twice (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut fewest = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                fewest = fewest.min(before[j - 1] + 1);
            }
            row.push(fewest);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(a.len())
}

impl Phrase {
    /// These words side by side.
    pub fn of(words: impl IntoIterator<Item = Word>) -> Self {
        Self { words: words.into_iter().collect(), slop: 0 }
    }
}

/// Where the words of a text stand, as ranges of bytes, in order: the segments between the word boundaries of Unicode's
/// annex 29 that have a letter or digit in them. `-`, `\`, `(`, quotes and blanks part words; `_` does not, nor
/// does a dot between two letters or two digits.
pub fn words(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if text.is_ascii() {
        ascii_words(text.as_bytes(), &mut found);
    } else {
        for (start, word) in text.unicode_word_indices() {
            push(text, start..start + word.len(), &mut found);
        }
    }
    found
}

/// The same rules for ASCII, where they look no further than one character to either side.
fn ascii_words(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while at < text.len() {
        if !(text[at].is_ascii_alphanumeric() || text[at] == b'_') {
            at += 1;
            continue;
        }
        let start = at;
        let mut counts = false;
        loop {
            match text.get(at) {
                Some(byte) if byte.is_ascii_alphanumeric() => counts = true,
                Some(b'_') => {}
                Some(byte) if joins(text, at, *byte) => {}
                _ => break,
            }
            at += 1;
        }
        if counts {
            // One byte is one character here.
            let mut from = start;
            while at - from > LONGEST_WORD {
                found.push(from..from + LONGEST_WORD);
                from += LONGEST_WORD;
            }
            found.push(from..at);
        }
    }
}

/// Whether a mark does not part what stands on both sides of it.
fn joins(text: &[u8], at: usize, mark: u8) -> bool {
    let (Some(before), Some(after)) = (at.checked_sub(1).and_then(|i| text.get(i)), text.get(at + 1)) else {
        return false;
    };
    let letters = before.is_ascii_alphabetic() && after.is_ascii_alphabetic();
    let digits = before.is_ascii_digit() && after.is_ascii_digit();
    match mark {
        b'.' | b'\'' => letters || digits,
        b':' => letters,
        b',' | b';' => digits,
        _ => false,
    }
}

fn push(text: &str, word: Range<usize>, found: &mut Vec<Range<usize>>) {
    let mut from = word.start;
    let cuts = text[word.clone()].char_indices().map(|(at, _)| word.start + at).step_by(LONGEST_WORD).skip(1);
    for cut in cuts {
        found.push(from..cut);
        from = cut;
    }
    found.push(from..word.end);
}

impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("has the words")?;
        for word in self.words.iter() {
            write!(f, " {word}")?;
        }
        if self.slop > 0 { write!(f, " moved by {} at most", self.slop) } else { Ok(()) }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(word) => write!(f, "{word:?}"),
            Self::Like(pattern) => write!(f, "like {:?}", pattern.to_string()),
            Self::Matches(regex) => write!(f, "matching /{}/", regex.pattern),
            Self::Near(near) => write!(f, "{near}"),
            Self::Between { low, high } => {
                f.write_str("in")?;
                for (end, (sign, or_equal)) in [(low, (">", ">=")), (high, ("<", "<="))] {
                    if let Some((end, inclusive)) = end {
                        write!(f, " {} {end:?}", if *inclusive { or_equal } else { sign })?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "within {} edits of {:?}", self.edits, self.text)?;
        if self.prefix > 0 { write!(f, " behind {} equal characters", self.prefix) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        words(text).into_iter().map(|word| &text[word]).collect()
    }

    #[test]
    fn words_are_cut_as_the_annex_says() {
        assert_eq!(cut("[System.Net.WebClient]::new()"), ["System.Net.WebClient", "new"]);
        assert_eq!(
            cut("Invoke-Expression $x_1; 3.14 v1.a a1.2b"),
            ["Invoke", "Expression", "x_1", "3.14", "v1", "a", "a1.2b"]
        );
        assert_eq!(cut("dog's don't' 'x' __ _a_"), ["dog's", "don't", "x", "_a_"]);
        assert_eq!(cut("a:b a::b 1:2 1,2;3"), ["a:b", "a", "b", "1", "2", "1,2;3"]);
        assert_eq!(cut(r"C:\Windows\x.exe"), ["C", "Windows", "x.exe"]);
        assert_eq!(cut("naïve-Straße 日本"), ["naïve", "Straße", "日", "本"]);
        assert_eq!(cut(""), [""; 0]);
    }

    #[test]
    fn long_words_are_cut_into_pieces() {
        let lengths = |text: &str| -> Vec<usize> { words(text).into_iter().map(|w| text[w].chars().count()).collect() };
        assert_eq!(lengths(&"a".repeat(600)), [255, 255, 90]);
        assert_eq!(lengths(&"é".repeat(256)), [255, 1]);
        assert_eq!(lengths(&"a".repeat(255)), [255]);
    }

    #[test]
    fn both_ways_to_cut_ascii_agree() {
        let mut state = 12345_u32;
        for _ in 0..3000 {
            let text: String = (0..12)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    char::from(b"ab1_.:,;'\"- \n"[(state >> 16) as usize % 13])
                })
                .collect();
            let by_annex: Vec<_> = text.unicode_word_indices().map(|(at, word)| at..at + word.len()).collect();
            assert_eq!(words(&text), by_annex, "{text:?}");
        }
    }

    #[test]
    fn nearness_counts_edits() {
        let near = |text: &str, edits, prefix| Near { text: text.into(), edits, prefix };
        assert!(near("mimikatz", 1, 0).is_near("mimkiatz"));
        assert!(near("mimikatz", 1, 0).is_near("mimkatz"));
        assert!(!near("mimikatz", 1, 0).is_near("mimcatz"));
        assert!(near("mimikatz", 2, 0).is_near("mimcatz"));
        assert!(!near("mimikatz", 2, 1).is_near("nimikatz"));
        assert!(near("", 0, 0).is_near(""));
    }
}
