//! Sigma's texts: wildcards, escapes, placeholders, encodings.
//!
//! `*` is any run of characters, `?` exactly one. A backslash takes the meaning from a wildcard or a backslash behind
//! it and is itself anywhere else, so `\\` and a lone `\` are both one backslash.

use std::sync::Arc;

use lurcher_ir::{Wildcard, WildcardPiece};

/// A text with wildcards and placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text(pub(super) Vec<Piece>);

/// A piece of a [`Text`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// These characters.
    Literal(String),
    /// `?`
    One,
    /// `*`
    Any,
    /// `%name%`
    Placeholder(String),
}

/// What the Windows command line takes for the dash of an option.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

impl Text {
    /// Reads a text as written.
    pub(super) fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next_if(|next| matches!(next, '\\' | '*' | '?')) {
                    Some(escaped) => literal.push(escaped),
                    None => literal.push('\\'),
                },
                '*' | '?' => {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    pieces.push(if c == '*' { Piece::Any } else { Piece::One });
                }
                c => literal.push(c),
            }
        }
        pieces.push(Piece::Literal(literal));
        Self(pieces).tidy()
    }

    /// A text without wildcards.
    pub(super) fn literal(text: impl Into<String>) -> Self {
        Self(vec![Piece::Literal(text.into())]).tidy()
    }

    fn tidy(self) -> Self {
        let mut pieces: Vec<Piece> = Vec::new();
        for piece in self.0 {
            match (pieces.last_mut(), piece) {
                (_, Piece::Literal(text)) if text.is_empty() => {}
                (Some(Piece::Literal(before)), Piece::Literal(text)) => before.push_str(&text),
                (_, piece) => pieces.push(piece),
            }
        }
        Self(pieces)
    }

    /// The characters, if there are no wildcards.
    pub(super) fn as_literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether a wildcard is in it.
    pub(super) fn has_wildcards(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::One | Piece::Any))
    }

    /// As a pattern over the whole value, with what may stand before and after.
    pub(super) fn pattern(&self, before: bool, after: bool) -> Wildcard {
        let any = |wanted: bool| wanted.then_some(WildcardPiece::Any);
        let pieces = self.0.iter().filter_map(|piece| match piece {
            Piece::Literal(text) => Some(WildcardPiece::Literal(Arc::from(text.as_str()))),
            Piece::One => Some(WildcardPiece::One),
            Piece::Any => Some(WildcardPiece::Any),
            Piece::Placeholder(_) => None,
        });
        Wildcard::new(any(before).into_iter().chain(pieces).chain(any(after)))
    }

    /// With `%name%` as placeholders. A percent sign behind a backslash is itself.
    pub(super) fn with_placeholders(&self) -> Self {
        let mut pieces = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => pieces.extend(placeholders(text)),
                other => pieces.push(other.clone()),
            }
        }
        Self(pieces).tidy()
    }

    /// The names of its placeholders.
    pub(super) fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Placeholder(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Every text that comes of putting the values of placeholders in their places; `values` gives none for one that
    /// is to stay. At most so many.
    pub(super) fn filled<'v>(&self, values: &dyn Fn(&str) -> Option<&'v [String]>, most: usize) -> Vec<Self> {
        let mut texts: Vec<Vec<Piece>> = vec![Vec::new()];
        for piece in &self.0 {
            let choices: Vec<Vec<Piece>> = match piece {
                Piece::Placeholder(name) => match values(name) {
                    Some(values) => values.iter().map(|value| Self::parse(value).0).collect(),
                    None => vec![vec![piece.clone()]],
                },
                other => vec![vec![other.clone()]],
            };
            texts = texts
                .iter()
                .flat_map(|text| choices.iter().map(|choice| text.iter().chain(choice).cloned().collect()))
                .take(most)
                .collect();
        }
        texts.into_iter().map(|pieces| Self(pieces).tidy()).collect()
    }

    /// Every text with each dash that begins an option written as each of the dashes; `None` if that were more than
    /// so many.
    pub(super) fn dashes(&self, most: usize) -> Option<Vec<Self>> {
        let places: usize = self
            .0
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => dash_places(text).len(),
                _ => 0,
            })
            .sum();
        if DASHES.len().checked_pow(u32::try_from(places).ok()?).is_none_or(|count| count > most) {
            return None;
        }
        let mut texts: Vec<Vec<Piece>> = vec![Vec::new()];
        for piece in &self.0 {
            let choices = match piece {
                Piece::Literal(text) => dashed(text).into_iter().map(Piece::Literal).collect(),
                other => vec![other.clone()],
            };
            texts = texts
                .iter()
                .flat_map(|text| choices.iter().map(|choice| text.iter().chain([choice]).cloned().collect()))
                .collect();
        }
        Some(texts.into_iter().map(|pieces| Self(pieces).tidy()).collect())
    }

    /// As a regular expression, with every dash that begins an option as any of the dashes.
    pub(super) fn dash_regex(&self) -> String {
        let class: String =
            DASHES.iter().map(|dash| if *dash == '-' { "\\-".to_owned() } else { dash.to_string() }).collect();
        let mut regex = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Any => regex.push_str("(?s:.*)"),
                Piece::One => regex.push_str("(?s:.)"),
                Piece::Placeholder(_) => {}
                Piece::Literal(text) => {
                    let places = dash_places(text);
                    for (at, c) in text.char_indices() {
                        if places.contains(&at) {
                            regex.push('[');
                            regex.push_str(&class);
                            regex.push(']');
                        } else {
                            regex.push_str(&regex_syntax::escape(c.encode_utf8(&mut [0; 4])));
                        }
                    }
                }
            }
        }
        regex
    }
}

/// Where a `-` or `/` begins an option: no word character before it, one behind it.
fn dash_places(text: &str) -> Vec<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.char_indices()
        .filter(|(at, c)| {
            matches!(c, '-' | '/')
                && !text[..*at].chars().next_back().is_some_and(is_word)
                && text[at + 1..].chars().next().is_some_and(is_word)
        })
        .map(|(at, _)| at)
        .collect()
}

fn dashed(text: &str) -> Vec<String> {
    let mut texts = vec![text.to_owned()];
    // From the end, so that the places before stay where they are.
    for place in dash_places(text).into_iter().rev() {
        texts = texts
            .iter()
            .flat_map(|text| DASHES.iter().map(|dash| format!("{}{dash}{}", &text[..place], &text[place + 1..])))
            .collect();
    }
    texts
}

fn placeholders(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("\\%") {
            literal.push('%');
            rest = after;
            continue;
        }
        let name = rest.strip_prefix('%').and_then(|after| after.split_once('%')).map(|(name, _)| name);
        let is_name =
            |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if let Some(name) = name.filter(is_name) {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            pieces.push(Piece::Placeholder(name.to_owned()));
            rest = rest.get(name.len() + 2..).unwrap_or("");
        } else {
            literal.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    pieces.push(Piece::Literal(literal));
    pieces
}

/// How a text becomes bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf16Le,
    Utf16Be,
    Utf16,
}

impl Encoding {
    /// The bytes of a text.
    pub(super) fn bytes(self, text: &str) -> Vec<u8> {
        let units = text.encode_utf16();
        match self {
            Self::Utf16Le => units.flat_map(u16::to_le_bytes).collect(),
            Self::Utf16Be => units.flat_map(u16::to_be_bytes).collect(),
            Self::Utf16 => [0xff, 0xfe].into_iter().chain(units.flat_map(u16::to_le_bytes)).collect(),
        }
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Base64 with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let part = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = part(0) << 16 | part(1) << 8 | part(2);
        for at in 0..4 {
            if at <= chunk.len() {
                text.push(ALPHABET[(bits >> (18 - 6 * at)) as usize & 63] as char);
            } else {
                text.push('=');
            }
        }
    }
    text
}

/// What is the same in every text whose Base64 has these bytes somewhere, for each of the three places that they can
/// have in a group of three bytes: the characters that also depend on what stands around are cut off.
pub(super) fn base64_offsets(bytes: &[u8]) -> [String; 3] {
    [0, 1, 2].map(|offset| {
        let mut shifted = vec![b' '; offset];
        shifted.extend_from_slice(bytes);
        let text = base64(&shifted);
        let start = [0, 2, 3][offset];
        let end = text.len() - [0, 3, 2][shifted.len() % 3];
        text.get(start..end).unwrap_or("").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslashes_escape_wildcards_and_each_other_and_nothing_else() {
        let shown = |text: &str| Text::parse(text).pattern(false, false).to_string();
        for (text, literal) in [
            (r"C:\Windows\cmd.exe", r"C:\Windows\cmd.exe"),
            (r"a\\b", r"a\b"),
            (r"a\*b", "a*b"),
            (r"a\\\*", r"a\*"),
            (r"\\\\srv", r"\\srv"),
            (r"\\\srv", r"\\srv"),
            (r"end\", r"end\"),
        ] {
            assert_eq!(Text::parse(text).as_literal(), Some(literal), "{text}");
        }
        assert_eq!(shown(r"C:\\*"), r"C:\*");
        assert!(Text::parse(r"C:\\*").has_wildcards());
        assert_eq!(Text::parse("").as_literal(), Some(""));
    }

    #[test]
    fn dashes_are_options_only_where_a_word_begins() {
        let texts = |text: &str| Text::parse(text).dashes(1000).map(|texts| texts.len());
        assert_eq!(
            (texts("-a"), texts("a-b"), texts(" -a /b"), texts("--a"), texts("- a")),
            (Some(5), Some(1), Some(25), Some(5), Some(1))
        );
        assert_eq!(texts(&" -a".repeat(9)), None);
        assert_eq!(Text::parse("-a.b*").dash_regex(), "[\\-/\u{2013}\u{2014}\u{2015}]a\\.b(?s:.*)");
    }

    #[test]
    fn base64_is_found_at_every_place() {
        assert_eq!((base64(b"foo").as_str(), base64(b"fo").as_str(), base64(b"").as_str()), ("Zm9v", "Zm8=", ""));
        for before in ["", "x", "xy", "xyz"] {
            let whole = base64(format!("{before}http://long enough{before}").as_bytes());
            assert!(base64_offsets(b"http://").iter().any(|part| whole.contains(part.as_str())), "{before}");
        }
        assert_eq!(base64(&Encoding::Utf16Le.bytes("ping")), "cABpAG4AZwA=");
        assert_eq!(Encoding::Utf16.bytes("a"), [0xff, 0xfe, 0x61, 0]);
        assert_eq!(Encoding::Utf16Be.bytes("a"), [0, 0x61]);
    }

    #[test]
    fn placeholders_are_filled_with_every_value() {
        let text = Text::parse(r"\%a%%b%-%c%").with_placeholders();
        assert_eq!(text.placeholders().collect::<Vec<_>>(), ["b", "c"]);
        let values = ["1".to_owned(), "2*".to_owned()];
        let filled = text.filled(&|name| (name == "b").then_some(&values[..]), 10);
        assert_eq!(filled.len(), 2);
        assert!(filled[1].has_wildcards());
    }
}
