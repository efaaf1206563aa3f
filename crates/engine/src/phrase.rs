//! Phrases in analysed text, and nearly equal texts, made ready to be tried on one text after another.
//!
//! A phrase is tried only where its rarest word has been seen as a literal (see [`crate::matcher`]). A text is cut into
//! words once, whatever the number of phrases that are tried on it; a plain word is then found by the places of
//! the literal, not by looking through all words.

use std::{ops::Range, sync::OnceLock};

use lurcher_ir::{Case, Near, Phrase, Word, fold_text};

use crate::{
    regex_literals::required_literals,
    text::{Text, WildcardMatcher},
};

/// Beyond so many ways to lay out the words of a phrase with slop, further ones are not tried: only a text made for
/// it has them.
const MOST_LAYOUTS: u32 = 100_000;

/// A [`Phrase`] made ready.
#[derive(Debug)]
pub(crate) struct PhraseMatcher {
    words: Vec<WordMatcher>,
    slop: usize,
    /// The word whose literal triggers the phrase, if that word must equal it.
    anchor: Option<usize>,
}

#[derive(Debug)]
enum WordMatcher {
    Is(String),
    Like(WildcardMatcher),
    Matches { pattern: String, compiled: OnceLock<Option<regex::Regex>> },
    Near(Near),
    Between { low: Option<(String, bool)>, high: Option<(String, bool)> },
}

impl PhraseMatcher {
    /// Makes a phrase ready.
    pub(crate) fn new(phrase: &Phrase) -> Self {
        let words = phrase.words.iter().map(WordMatcher::new).collect::<Vec<_>>();
        let plain = words.iter().enumerate().filter_map(|(at, word)| match word {
            WordMatcher::Is(text) => Some((text.len(), at)),
            _ => None,
        });
        let anchor = plain.max_by_key(|(length, _)| *length).map(|(_, at)| at).filter(|_| phrase.slop == 0);
        Self { words, slop: phrase.slop as usize, anchor }
    }

    /// Literals (folded) of which at least one is in every text that has the phrase.
    pub(crate) fn literals(&self) -> Option<Vec<String>> {
        if let Some(WordMatcher::Is(text)) = self.anchor.and_then(|at| self.words.get(at)) {
            return Some(vec![text.clone()]);
        }
        let shortest = |set: &Vec<String>| set.iter().map(String::len).min().unwrap_or(0);
        self.words.iter().filter_map(WordMatcher::literals).max_by_key(shortest)
    }

    /// Whether a place of the anchor's literal decides about the phrase.
    pub(crate) fn is_anchored(&self) -> bool {
        self.anchor.is_some()
    }

    /// Whether the anchor's literal, found at these bytes, is that word of the phrase.
    pub(crate) fn stands_at(&self, text: &Text<'_>, start: usize, end: usize) -> bool {
        let Some(anchor) = self.anchor else { return false };
        let places = text.words();
        let Ok(place) = places.binary_search_by_key(&start, |word| word.start) else { return false };
        if places[place].end != end {
            return false;
        }
        let Some(first) = place.checked_sub(anchor) else { return false };
        let Some(window) = places.get(first..first + self.words.len()) else { return false };
        self.words.iter().zip(window).enumerate().all(|(at, (word, place))| at == anchor || word.matches(text, place))
    }

    /// Whether the text has the phrase anywhere.
    pub(crate) fn matches(&self, text: &Text<'_>) -> bool {
        let places = text.words();
        if self.slop == 0 {
            return places
                .windows(self.words.len().max(1))
                .any(|window| self.words.iter().zip(window).all(|(word, place)| word.matches(text, place)));
        }
        let found: Vec<Vec<usize>> = self
            .words
            .iter()
            .map(|word| (0..places.len()).filter(|at| word.matches(text, &places[*at])).collect())
            .collect();
        let mut tries = MOST_LAYOUTS;
        lay_out(&found, self.slop, &mut Vec::new(), &mut tries)
    }
}

/// Whether the words can be given places, each its own, so that their displacements differ by the slop at most.
fn lay_out(found: &[Vec<usize>], slop: usize, taken: &mut Vec<usize>, tries: &mut u32) -> bool {
    let Some(own) = found.get(taken.len()) else { return true };
    for place in own {
        if *tries == 0 {
            return false;
        }
        *tries -= 1;
        if taken.contains(place) {
            continue;
        }
        // How far each is moved from where the phrase has it, shifted so that it cannot be negative.
        let moved = taken.iter().chain([place]).enumerate().map(|(at, place)| place + found.len() - at);
        let (least, most) = moved.fold((usize::MAX, 0), |(least, most), by| (least.min(by), most.max(by)));
        if most - least > slop {
            continue;
        }
        taken.push(*place);
        if lay_out(found, slop, taken, tries) {
            return true;
        }
        taken.pop();
    }
    false
}

impl WordMatcher {
    fn new(word: &Word) -> Self {
        let end = |end: &Option<(std::sync::Arc<str>, bool)>| end.as_ref().map(|(text, i)| (text.to_string(), *i));
        match word {
            Word::Is(text) => Self::Is(fold_text(text)),
            Word::Like(pattern) => Self::Like(WildcardMatcher::new(pattern, Case::Insensitive)),
            Word::Matches(regex) => Self::Matches { pattern: regex.pattern.to_string(), compiled: OnceLock::new() },
            Word::Near(near) => Self::Near(near.clone()),
            Word::Between { low, high } => Self::Between { low: end(low), high: end(high) },
        }
    }

    fn literals(&self) -> Option<Vec<String>> {
        match self {
            Self::Is(text) => Some(vec![text.clone()]),
            Self::Like(pattern) => pattern.longest_literal().map(|literal| vec![literal]),
            Self::Matches { pattern, .. } => required_literals(pattern),
            Self::Near(_) | Self::Between { .. } => None,
        }
    }

    fn matches(&self, text: &Text<'_>, place: &Range<usize>) -> bool {
        let Some(word) = text.searched().get(place.clone()) else { return false };
        match self {
            Self::Is(own) if text.is_ascii() => own.eq_ignore_ascii_case(word),
            Self::Is(own) => own == word,
            Self::Like(pattern) => pattern.matches(&Text::new(word)),
            _ => self.matches_folded(&word.to_ascii_lowercase()),
        }
    }

    /// The kinds that are too rare to be quick.
    fn matches_folded(&self, word: &str) -> bool {
        match self {
            Self::Matches { pattern, compiled } => {
                compiled.get_or_init(|| regex::Regex::new(pattern).ok()).as_ref().is_some_and(|re| re.is_match(word))
            }
            Self::Near(near) => near.is_near(word),
            Self::Between { low, high } => {
                low.as_ref().is_none_or(|(end, within)| word > end.as_str() || (*within && word == end))
                    && high.as_ref().is_none_or(|(end, within)| word < end.as_str() || (*within && word == end))
            }
            Self::Is(_) | Self::Like(_) => false,
        }
    }
}
