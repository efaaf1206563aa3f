//! Queries inside rule files: where each byte of a query stands in the file around it.
//!
//! A query is a TOML, YAML or JSON string. YAML folds its lines and strips its indentation, quoted strings have
//! escapes; a diagnostic of a front end speaks of the query as the front end saw it, the user's editor shows the file.
//! The two are aligned here: outside white space they are the same characters in the same order but for escapes, so it
//! is enough to walk both side by side and let runs of white space match each other as wholes.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};

/// A query and its place in a rule file.
#[derive(Clone, Debug)]
pub(crate) struct Embedded {
    /// The query, as its front end reads it.
    pub(crate) text: String,
    /// The file around it.
    pub(crate) file: Arc<SourceFile>,
    /// Where the string stands in it, quotes and block header included.
    pub(crate) span: Span,
}

impl Embedded {
    /// Moves diagnostics about the query into the file.
    pub(crate) fn relocate(&self, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
        if diagnostics.is_empty() {
            return diagnostics;
        }
        let map = self.map();
        diagnostics.into_iter().map(|d| d.relocated(&self.file, |offset| map.file_offset(offset))).collect()
    }

    /// Where the query's bytes stand in the file.
    pub(crate) fn map(&self) -> OffsetMap {
        OffsetMap::align(&self.text, self.file.slice(self.span), self.span)
    }
}

/// Offsets into a query to offsets into the file around it.
#[derive(Clone, Debug)]
pub(crate) struct OffsetMap {
    /// Where a run of bytes begins in the query and in the file; within it both advance together.
    runs: Vec<(u32, u32)>,
    /// The end of the string in the file.
    end: u32,
}

/// One thing in the file's spelling of a string: a character or an escape sequence.
struct Unit {
    at: usize,
    blank: bool,
}

impl OffsetMap {
    /// Aligns a text with its spelling, which stands at `span`.
    fn align(text: &str, raw: &str, span: Span) -> Self {
        let units = units(raw);
        let mut runs: Vec<(u32, u32)> = Vec::new();
        let mut push = |query: usize, unit: usize| {
            let query = query as u32;
            let place = span.start + units.get(unit).map_or(raw.len(), |unit| unit.at) as u32;
            match runs.last() {
                Some((from, to)) if place >= *to && query - from == place - to => {}
                _ => runs.push((query, place)),
            }
        };
        let mut unit = 0;
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if !character.is_whitespace() {
                while units.get(unit).is_some_and(|unit| unit.blank) {
                    unit += 1;
                }
                push(at, unit);
                unit += 1;
                continue;
            }
            let first = unit;
            while units.get(unit).is_some_and(|unit| unit.blank) {
                unit += 1;
            }
            let last = unit.saturating_sub(1).max(first);
            push(at, first);
            let mut step = first;
            while let Some((at, _)) = characters.next_if(|(_, c)| c.is_whitespace()) {
                step = (step + 1).min(last);
                push(at, step);
            }
        }
        Self { runs, end: span.end }
    }

    /// Where a byte of the query stands in the file; the end of the string for what lies past the query.
    pub(crate) fn file_offset(&self, offset: u32) -> u32 {
        match self.runs.partition_point(|(from, _)| *from <= offset).checked_sub(1).and_then(|i| self.runs.get(i)) {
            Some((from, to)) => (to + (offset - from)).min(self.end),
            None => self.end,
        }
    }
}

/// The units of a string's spelling, without its quotes, block header and line continuations.
fn units(raw: &str) -> Vec<Unit> {
    let (open, escapes, doubled) = if raw.starts_with("\"\"\"") {
        (3, true, false)
    } else if raw.starts_with("'''") && raw.len() >= 6 && raw.ends_with("'''") {
        (3, false, false)
    } else if raw.starts_with('"') {
        (1, true, false)
    } else if raw.starts_with('\'') {
        (1, false, true)
    } else if raw.starts_with(['|', '>']) {
        (raw.find('\n').map_or(raw.len(), |at| at + 1), false, false)
    } else {
        (0, false, false)
    };
    let close =
        if matches!(open, 1 | 3) && !raw.starts_with(['|', '>']) { raw.len().saturating_sub(open) } else { raw.len() };
    let mut units = Vec::with_capacity(close);
    let mut at = open;
    while let Some(character) = raw.get(at..close).and_then(|rest| rest.chars().next()) {
        let mut length = character.len_utf8();
        let mut blank = character.is_whitespace();
        if escapes && character == '\\' {
            let (taken, is_blank) = escape(&raw[at..close]);
            length = taken;
            blank = is_blank;
        } else if doubled && raw[at..close].starts_with("''") {
            length = 2;
        }
        units.push(Unit { at, blank });
        at += length;
    }
    units
}

/// How long the escape sequence at the start is, and whether it stands for white space or nothing.
fn escape(raw: &str) -> (usize, bool) {
    let digits = |from: usize, to: usize| raw.get(from..to).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let blank = |code: Option<u32>| code.and_then(char::from_u32).is_some_and(char::is_whitespace);
    match raw.as_bytes().get(1) {
        Some(b'n' | b't' | b'r' | b'f' | b'v' | b' ' | b'\n' | b'\t' | b'N' | b'_' | b'L' | b'P') => (2, true),
        Some(b'\r') => (3.min(raw.len()), true),
        Some(b'x') => (4.min(raw.len()), blank(digits(2, 4))),
        Some(b'U') => (10.min(raw.len()), blank(digits(2, 10))),
        Some(b'u') => {
            let surrogate = digits(2, 6).is_some_and(|code| (0xD800..0xDC00).contains(&code));
            let pair = surrogate && raw.get(6..8) == Some("\\u");
            (if pair { 12 } else { 6 }.min(raw.len()), blank(digits(2, 6)))
        }
        Some(_) => (1 + raw[1..].chars().next().map_or(0, char::len_utf8), false),
        None => (1, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{node::Node, syntax, yaml};

    /// Every character of the query that is not white space must be found where the map says it stands.
    fn assert_aligned(file: &Arc<SourceFile>, node: &Node) {
        let text = node.scalar().expect("a text");
        let query = Embedded { text: text.clone(), file: Arc::clone(file), span: node.span };
        let map = query.map();
        for (at, character) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
            let place = map.file_offset(at as u32) as usize;
            let found = file.text()[place..].chars().next().expect("a character");
            assert!(found == character || found == '\\', "{character} at {at} was sought at {place}: {found}");
        }
        assert_eq!(map.file_offset(9999), node.span.end);
    }

    #[test]
    fn toml_strings_are_aligned() {
        for text in [
            "[rule]\nquery = '''\nprocess where\n  x == \"é*\" and y\n'''\n",
            "[rule]\nquery = \"\"\"\nprocess where x == \\\"a\\\\b\\\" \\\n   and y\\u00e9z\n\"\"\"\n",
            "[rule]\nquery = 'one line'\n",
            "[rule]\nquery = \"one \\\"line\\\"\"\n",
        ] {
            let file = SourceFile::new("r.toml", text);
            let tree = syntax::toml(&file).expect("valid TOML");
            assert_aligned(&file, tree.at(&["rule", "query"]).expect("a query"));
        }
    }

    #[test]
    fn yaml_scalars_are_aligned() {
        for text in [
            "search: '| from x() | where \"a\" IN(b)\n  | eval c=''d'' é\n\n\n  | into z();'\nname: n\n",
            "search: \"| from \\\"x\\\" \\\n   | where a=\\\"b\\\\\\\\c\\\"\\n  | into é\"\nname: n\n",
            "search: |-\n  | from x\n    | where y\n\n  | into z\nname: n\n",
            "search: >\n  | from x\n  | where y\n\n    | indented\n  | into z\nname: n\n",
            "search: from x | where y = 3\n  and z\nname: ü\n",
        ] {
            let file = SourceFile::new("r.yml", text);
            let documents = yaml::documents(&file).expect("valid YAML");
            assert_aligned(&file, documents[0].get("search").expect("a search"));
        }
    }

    #[test]
    fn json_strings_are_aligned() {
        let file = SourceFile::new("r.ndjson", "\n{\"query\": \"a \\\"b\\\" \\n \\u00e9 \\ud83d\\ude00 c\"}\n");
        let (nodes, diagnostics) = syntax::json(&file);
        assert!(diagnostics.is_empty());
        assert_aligned(&file, nodes[0].get("query").expect("a query"));
    }
}
