//! The clauses of Elasticsearch's query DSL over one field: what KQL, Lucene's syntax and filters come down to.
//!
//! Analysed text (`text`, `match_only_text`) is asked for its words; all other types are compared whole, and case counts
//! unless the clause says otherwise. A value that the field's type cannot hold is a [`Misfit`]: Elasticsearch
//! refuses the query, here no event has it, and the caller warns. Sources: Elasticsearch's pages on full-text and
//! term-level queries and on field types; the standard analyser is Unicode's annex 29 and lower case.

use std::{net::IpAddr, sync::Arc};

use lurcher_ir::{
    Case, Near, Network, Phrase, Predicate, Regex, Test, Wildcard, WildcardPiece, Word, fold_text, words,
};
use lurcher_schema::{FieldType, Timestamp, Value};

use super::{
    dates::{self, DateError},
    field::{Typed, number_of},
};

/// Why a value cannot be what is asked of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// The field's type cannot hold it.
    Type(FieldType),
    /// Patterns are for text, and the field is of this type.
    Pattern(FieldType),
    /// It counts from `now`, and nobody said when that is.
    NoClock,
}

/// The end of a range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End<'a> {
    /// As written.
    pub(crate) text: &'a str,
    /// Whether the end itself lies within.
    pub(crate) inclusive: bool,
}

/// What a type is called in diagnostics.
pub(crate) fn described(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Keyword => "a keyword",
        FieldType::Text => "analysed text",
        FieldType::Integer => "a whole number",
        FieldType::Float => "a number",
        FieldType::Boolean => "a boolean",
        FieldType::Ip => "an IP address",
        FieldType::Date => "a date",
        FieldType::Version => "a version",
        FieldType::Object => "an object",
    }
}

/// The words of a text as the standard analyser cuts and folds them.
pub(crate) fn analysed(text: &str) -> Vec<Arc<str>> {
    let folded = fold_text(text);
    words(&folded).into_iter().filter_map(|place| folded.get(place)).map(Arc::from).collect()
}

impl Typed {
    fn is_text(&self) -> bool {
        self.kind == FieldType::Text
    }

    /// A value is there: of an object, any field below it, which the caller has to know.
    pub(crate) fn exists(&self) -> Predicate {
        self.test(Test::Exists)
    }

    /// `term`: the whole value; of analysed text, one word as it stands.
    pub(crate) fn term(&self, text: &str, case: Case, now: Option<Timestamp>) -> Result<Predicate, Misfit> {
        if self.is_text() {
            // A term is not analysed: one with a capital equals no word of the index.
            let folded = fold_text(text);
            let found = case == Case::Insensitive || folded == text;
            let whole = words(&folded).first().is_some_and(|place| *place == (0..folded.len()));
            return Ok(if found && whole {
                self.test(Test::Phrase(Phrase::of([Word::Is(folded.into())])))
            } else {
                Predicate::Constant(false)
            });
        }
        self.check(text, now)?;
        self.one_of(&[Value::text(text)], case, now).map_err(misfit)
    }

    /// `match`: the whole value; of analysed text, any of the words, or all of them.
    pub(crate) fn matching(&self, text: &str, all: bool, now: Option<Timestamp>) -> Result<Predicate, Misfit> {
        if !self.is_text() {
            return self.term(text, Case::Sensitive, now);
        }
        let words = analysed(text).into_iter().map(|word| self.test(Test::Phrase(Phrase::of([Word::Is(word)]))));
        // Nothing is asked for if no word is left: that finds nothing.
        let words: Vec<Predicate> = words.collect();
        Ok(if all && !words.is_empty() { Predicate::all(words) } else { Predicate::any(words) })
    }

    /// `match_phrase`: the whole value; of analysed text, the words one behind the other. With `prefix` the last word
    /// need only begin so.
    pub(crate) fn phrase(
        &self,
        text: &str,
        slop: u32,
        prefix: bool,
        now: Option<Timestamp>,
    ) -> Result<Predicate, Misfit> {
        if !self.is_text() {
            if prefix {
                return Ok(self.test(Test::Prefix(text.into(), Case::Sensitive)));
            }
            return self.term(text, Case::Sensitive, now);
        }
        let mut words: Vec<Word> = analysed(text).into_iter().map(Word::Is).collect();
        if let Some(last) = words.last_mut().filter(|_| prefix)
            && let Word::Is(text) = last
        {
            *last = Word::Like(Wildcard::new([WildcardPiece::Literal(Arc::clone(text)), WildcardPiece::Any]));
        }
        Ok(if words.is_empty() {
            Predicate::Constant(false)
        } else {
            self.test(Test::Phrase(Phrase { words: words.into(), slop }))
        })
    }

    /// `wildcard`: the pattern matches the whole value; of analysed text, one word. On text the pattern is folded, as
    /// Elasticsearch normalises it.
    pub(crate) fn pattern(&self, pattern: &Wildcard, case: Case, now: Option<Timestamp>) -> Result<Predicate, Misfit> {
        if matches!(pattern.pieces.as_ref(), [WildcardPiece::Any]) {
            return Ok(self.exists());
        }
        if let Some(text) = pattern.as_literal() {
            return self.term(&if self.is_text() { fold_text(text) } else { text.to_owned() }, case, now);
        }
        match self.kind {
            FieldType::Text => Ok(self.test(Test::Phrase(Phrase::of([Word::Like(folded(pattern))])))),
            FieldType::Keyword | FieldType::Version | FieldType::Object => {
                Ok(self.test(Test::from_wildcard(pattern.clone(), case)))
            }
            kind => Err(Misfit::Pattern(kind)),
        }
    }

    /// `regexp`: the expression, which is anchored, matches the whole value; of analysed text, one word.
    pub(crate) fn regexp(&self, regex: Regex) -> Result<Predicate, Misfit> {
        match self.kind {
            FieldType::Text => Ok(self.test(Test::Phrase(Phrase::of([Word::Matches(regex)])))),
            FieldType::Keyword | FieldType::Version | FieldType::Object => Ok(self.test(Test::Regex(regex))),
            kind => Err(Misfit::Pattern(kind)),
        }
    }

    /// `fuzzy`: within so many edits of the whole value; of analysed text, of one word. `edits` of none: as
    /// Elasticsearch's `AUTO` has it by the length of the text.
    pub(crate) fn fuzzy(&self, text: &str, edits: Option<u8>, prefix: u32) -> Result<Predicate, Misfit> {
        let near = |text: Arc<str>| {
            let automatic = match text.chars().count() {
                0..=2 => 0,
                3..=5 => 1,
                _ => 2,
            };
            Near { text, edits: edits.unwrap_or(automatic).min(2), prefix }
        };
        match self.kind {
            FieldType::Text => Ok(Predicate::any(
                analysed(text).into_iter().map(|word| self.test(Test::Phrase(Phrase::of([Word::Near(near(word))])))),
            )),
            FieldType::Keyword | FieldType::Version | FieldType::Object => Ok(self.test(Test::Near(near(text.into())))),
            kind => Err(Misfit::Pattern(kind)),
        }
    }

    /// `range`: between two ends, either of which may be absent; without both, any value. One value lies between
    /// both ends, except that of dates and addresses each end may be met by a value of its own (they are two tests).
    pub(crate) fn range(
        &self,
        low: Option<End<'_>>,
        high: Option<End<'_>>,
        now: Option<Timestamp>,
    ) -> Result<Predicate, Misfit> {
        if self.is_text() {
            let end = |end: Option<End<'_>>| end.map(|end| (Arc::from(fold_text(end.text)), end.inclusive));
            let word = Word::Between { low: end(low), high: end(high) };
            return Ok(self.test(Test::Phrase(Phrase::of([word]))));
        }
        let mut sides = Vec::new();
        for (above, end) in [(true, low), (false, high)] {
            if let Some(end) = end {
                self.check_end(end.text, now)?;
                let constant = Value::text(end.text);
                sides.push(self.ordered(above, end.inclusive, &constant, now).map_err(misfit)?);
            }
        }
        Ok(match sides.as_slice() {
            [] => self.exists(),
            [
                Predicate::Test { test: Test::Range { low: Some(low), .. }, .. },
                Predicate::Test { test: Test::Range { high: Some(high), .. }, .. },
            ] => self.test(Test::Range { low: Some(low.clone()), high: Some(high.clone()) }),
            [
                Predicate::Test { test: Test::InNetwork(above), .. },
                Predicate::Test { test: Test::InNetwork(below), .. },
            ] => {
                let both = common(above, below);
                if both.is_empty() { Predicate::Constant(false) } else { self.test(Test::InNetwork(both.into())) }
            }
            _ => Predicate::all(sides),
        })
    }

    /// Whether the field's type can hold a value.
    fn check(&self, text: &str, now: Option<Timestamp>) -> Result<(), Misfit> {
        let fits = match self.kind {
            FieldType::Integer | FieldType::Float => number_of(text).is_some(),
            FieldType::Boolean => matches!(text, "true" | "false"),
            FieldType::Ip => Network::parse(text).is_some(),
            FieldType::Date => match dates::parse(text, now) {
                // What counts from `now` must still be date math.
                Err(DateError::NoClock) if dates::parse(text, Some(Timestamp(0))).is_ok() => {
                    return Err(Misfit::NoClock);
                }
                moments => moments.is_ok(),
            },
            _ => true,
        };
        if fits { Ok(()) } else { Err(Misfit::Type(self.kind)) }
    }

    fn check_end(&self, text: &str, now: Option<Timestamp>) -> Result<(), Misfit> {
        match self.kind {
            FieldType::Ip if text.trim().parse::<IpAddr>().is_err() => Err(Misfit::Type(FieldType::Ip)),
            FieldType::Ip => Ok(()),
            _ => self.check(text, now),
        }
    }
}

/// The addresses that lie in one of the blocks on either side. Of two blocks one holds the other, or they are apart.
fn common(left: &[Network], right: &[Network]) -> Vec<Network> {
    let mut both = Vec::new();
    for a in left {
        for b in right {
            let (narrow, wide) = if a.prefix >= b.prefix { (a, b) } else { (b, a) };
            if wide.contains(narrow.address) && !both.contains(narrow) {
                both.push(*narrow);
            }
        }
    }
    both
}

fn folded(pattern: &Wildcard) -> Wildcard {
    Wildcard::new(pattern.pieces.iter().map(|piece| match piece {
        WildcardPiece::Literal(text) => WildcardPiece::Literal(fold_text(text).into()),
        other => other.clone(),
    }))
}

fn misfit(error: DateError) -> Misfit {
    match error {
        DateError::NoClock => Misfit::NoClock,
        DateError::Malformed => Misfit::Type(FieldType::Date),
    }
}

#[cfg(test)]
mod tests {
    use lurcher_ir::FieldRef;
    use lurcher_schema::Taxonomy;

    use super::*;

    fn of(kind: FieldType) -> Typed {
        Typed { field: FieldRef::new(Taxonomy::Ecs, "f"), kind }
    }

    fn shown(predicate: Result<Predicate, Misfit>) -> String {
        predicate.map_or_else(|misfit| format!("{misfit:?}"), |p| p.to_string().trim_end().to_owned())
    }

    #[test]
    fn text_is_asked_for_its_words() {
        let text = of(FieldType::Text);
        assert_eq!(shown(text.phrase("[Net]::New()", 0, false, None)), r#"ecs:f has the words "net" "new""#);
        assert_eq!(shown(text.phrase("Invoke-Mim", 0, true, None)), r#"ecs:f has the words "invoke" like "mim*""#);
        assert_eq!(shown(text.matching("--", false, None)), "false");
        assert_eq!(shown(text.term("Net", Case::Sensitive, None)), "false");
        assert_eq!(
            shown(text.pattern(&Wildcard::parse("Mimi*"), Case::Sensitive, None)),
            r#"ecs:f has the words like "mimi*""#
        );
    }

    #[test]
    fn whole_values_are_brought_to_the_type_of_the_field() {
        assert_eq!(shown(of(FieldType::Integer).matching("0443", false, None)), "ecs:f equals 443");
        assert_eq!(shown(of(FieldType::Ip).phrase("10.0.0.0/8", 0, false, None)), "ecs:f lies in [10.0.0.0/8]");
        assert_eq!(shown(of(FieldType::Integer).matching("x", false, None)), "Type(Integer)");
        assert_eq!(shown(of(FieldType::Ip).pattern(&Wildcard::parse("10.*"), Case::Sensitive, None)), "Pattern(Ip)");
        assert_eq!(shown(of(FieldType::Keyword).matching("a b", false, None)), r#"ecs:f equals "a b""#);
    }

    #[test]
    fn a_range_is_met_by_one_value() {
        let end = |text| Some(End { text, inclusive: true });
        assert_eq!(shown(of(FieldType::Integer).range(end("1"), end("5"), None)), "ecs:f >= 1 and <= 5");
        assert_eq!(
            shown(of(FieldType::Ip).range(end("10.0.0.0"), end("10.0.0.3"), None)),
            "ecs:f lies in [10.0.0.0/30]"
        );
        assert_eq!(shown(of(FieldType::Keyword).range(None, None, None)), "ecs:f exists");
    }
}
