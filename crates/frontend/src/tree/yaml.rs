//! YAML text to [`Node`]s, by `saphyr-parser`: its events carry places, as characters; here they become bytes.

use std::{collections::HashMap, sync::Arc};

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::{Data, Node};

/// How deep values may be nested.
const MAX_DEPTH: usize = 64;
/// How many values aliases may add to a file, all together.
const MAX_ALIASED: usize = 10_000;

/// Reads all documents of a YAML stream.
///
/// Quoted scalars whose further lines are not indented are no YAML 1.2, but libyaml and with it the publishers' own
/// tools take them: where a file fails, it is tried once more with such lines indented.
pub fn documents(file: &Arc<SourceFile>) -> Result<Vec<Node>, Box<Diagnostic>> {
    let fault = match parse(file.text()) {
        Ok(documents) => return Ok(documents),
        Err(fault) => fault,
    };
    let (text, inserted) = indent_quoted(file.text());
    if !inserted.is_empty()
        && let Ok(mut documents) = parse(&text)
    {
        for node in &mut documents {
            take_back(node, &inserted);
        }
        return Ok(documents);
    }
    let (span, message) = fault;
    Err(Box::new(Diagnostic::error("rule-yaml", "the file is no valid YAML").in_file(file).at(span, message)))
}

fn parse(text: &str) -> Result<Vec<Node>, Fault> {
    let mut reader = YamlReader { text, offsets: Offsets::new(text), anchors: HashMap::new(), aliased: 0 };
    let mut parser = Parser::new_from_str(text);
    let mut documents = Vec::new();
    while let Some(event) = parser.next_event() {
        let (event, place) = event.map_err(|error| {
            let at = reader.offsets.byte(error.marker().index());
            (Span::new(at, at), error.info().to_owned())
        })?;
        match event {
            Event::StreamStart | Event::StreamEnd | Event::Nothing | Event::DocumentStart(_) | Event::DocumentEnd => {}
            event => documents.push(reader.node(&mut parser, event, place, 0)?),
        }
    }
    Ok(documents)
}

/// The text with a blank before each line that continues a quoted scalar of the top level without being indented,
/// and where the blanks stand in the new text.
fn indent_quoted(text: &str) -> (String, Vec<u32>) {
    let (mut repaired, mut inserted) = (String::with_capacity(text.len() + 16), Vec::new());
    let mut open: Option<char> = None;
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        match open {
            Some(_) if !line.starts_with([' ', '\t', '\r', '\n']) => {
                inserted.push(repaired.len() as u32);
                repaired.push(' ');
            }
            Some(_) => {}
            None => {
                let value = line.split_once(':').filter(|(key, _)| !key.starts_with([' ', '#', '-']));
                rest = value.map_or("", |(_, value)| value.trim_start());
                open = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
                rest = rest.get(1..).unwrap_or("");
            }
        }
        repaired.push_str(line);
        if open.is_some_and(|quote| closes(rest, quote)) {
            open = None;
        }
    }
    (repaired, inserted)
}

/// Whether a quoted scalar ends within this part of it.
fn closes(rest: &str, quote: char) -> bool {
    let mut characters = rest.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\\' && quote == '"' {
            characters.next();
        } else if character == quote && (quote == '"' || characters.next_if_eq(&quote).is_none()) {
            return true;
        }
    }
    false
}

/// Takes inserted blanks out of all spans.
fn take_back(node: &mut Node, inserted: &[u32]) {
    let back = |offset: u32| offset - inserted.partition_point(|at| *at < offset) as u32;
    node.span = Span { start: back(node.span.start), end: back(node.span.end) };
    match &mut node.data {
        Data::List(items) => items.iter_mut().for_each(|node| take_back(node, inserted)),
        Data::Map(members) => members.iter_mut().for_each(|(_, node)| take_back(node, inserted)),
        _ => {}
    }
}

struct YamlReader<'t> {
    text: &'t str,
    offsets: Offsets,
    anchors: HashMap<usize, Node>,
    aliased: usize,
}

type Fault = (Span, String);

impl YamlReader<'_> {
    fn span(&self, place: saphyr_parser::Span) -> Span {
        Span::new(self.offsets.byte(place.start.index()), self.offsets.byte(place.end.index()))
    }

    fn next<'a>(
        &self,
        parser: &mut Parser<'a, saphyr_parser::StrInput<'a>>,
    ) -> Result<(Event<'a>, saphyr_parser::Span), Fault> {
        match parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let at = self.offsets.byte(error.marker().index());
                Err((Span::new(at, at), error.info().to_owned()))
            }
            None => Err((Span::default(), "the file ends within a value".to_owned())),
        }
    }

    fn node<'a>(
        &mut self,
        parser: &mut Parser<'a, saphyr_parser::StrInput<'a>>,
        event: Event<'a>,
        place: saphyr_parser::Span,
        depth: usize,
    ) -> Result<Node, Fault> {
        let mut span = self.span(place);
        if depth > MAX_DEPTH {
            return Err((span, format!("values are nested more than {MAX_DEPTH} deep")));
        }
        let (data, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
                    span.start = block_header(self.text, span.start);
                }
                (yaml_scalar(&text, style, tag.as_deref()), anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let (event, place) = self.next(parser)?;
                    if event == Event::SequenceEnd {
                        span = span.to(self.span(place));
                        break;
                    }
                    items.push(self.node(parser, event, place, depth + 1)?);
                }
                (Data::List(items), anchor)
            }
            Event::MappingStart(anchor, _) => {
                let mut members = Vec::new();
                loop {
                    let (event, place) = self.next(parser)?;
                    if event == Event::MappingEnd {
                        span = span.to(self.span(place));
                        break;
                    }
                    let key = self.node(parser, event, place, depth + 1)?;
                    let (event, place) = self.next(parser)?;
                    let value = self.node(parser, event, place, depth + 1)?;
                    members.push((key.scalar().unwrap_or_default(), value));
                }
                (Data::Map(members), anchor)
            }
            Event::Alias(anchor) => return self.alias(anchor, span),
            _ => return Err((span, "a value was expected here".to_owned())),
        };
        let node = Node { span, data };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    /// Copies what an alias names. The number of values is bounded: nested aliases grow without end otherwise.
    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, Fault> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err((span, "an alias of something that is not there".to_owned()));
        };
        self.aliased += size(node);
        if self.aliased > MAX_ALIASED {
            return Err((span, format!("aliases repeat more than {MAX_ALIASED} values")));
        }
        Ok(node.clone())
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.data {
        Data::List(items) => items.iter().map(size).sum(),
        Data::Map(members) => members.iter().map(|(_, node)| size(node)).sum(),
        _ => 0,
    }
}

/// Where the header (`|-`, `>` …) of a block scalar stands whose content begins at `content`: the parser gives the
/// place of the content.
fn block_header(text: &str, content: u32) -> u32 {
    let before = text.get(..content as usize).unwrap_or("").trim_end();
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let ends = before[line..].match_indices(" #").map(|(at, _)| line + at).chain([before.len()]);
    let mut headers = ends.filter_map(|end| {
        let header =
            before[line..end].trim_end().trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
        header.ends_with(['|', '>']).then(|| line + header.len() - 1)
    });
    headers.next().map_or(content, |at| at as u32)
}

/// A scalar by YAML's core schema: only plain ones are anything but text.
fn yaml_scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Data {
    if style != ScalarStyle::Plain || tag.is_some() {
        return Data::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        _ if is_number(text) => Data::Number(text.to_owned()),
        _ => Data::Text(text.to_owned()),
    }
}

/// Whether it is spelled as a decimal number (`inf` and `nan`, which Rust would also read, are words).
fn is_number(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'))
        && text.parse::<f64>().is_ok()
}

/// Character offsets, as the YAML parser counts, to byte offsets.
struct Offsets {
    /// Empty if the text is ASCII; else the byte offset of every 64th character.
    marks: Vec<usize>,
    text: String,
}

impl Offsets {
    const STEP: usize = 64;

    fn new(text: &str) -> Self {
        if text.is_ascii() {
            return Self { marks: Vec::new(), text: String::new() };
        }
        let marks = text.char_indices().step_by(Self::STEP).map(|(at, _)| at).collect();
        Self { marks, text: text.to_owned() }
    }

    fn byte(&self, character: usize) -> usize {
        if self.marks.is_empty() {
            return character;
        }
        let Some(mark) = self.marks.get(character / Self::STEP) else { return self.text.len() };
        let rest = &self.text[*mark..];
        mark + rest.char_indices().nth(character % Self::STEP).map_or(rest.len(), |(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Node>, Box<Diagnostic>> {
        documents(&SourceFile::new("r.yml", text))
    }

    #[test]
    fn scalars_keep_their_spelling_and_place() {
        let text = "a: 1.10\nb: 'ü'\nc: [no, true, ~]\nd: 2024-01-02\n";
        let tree = read(text).expect("valid YAML").remove(0);
        assert_eq!(tree.text("a"), "1.10");
        assert_eq!(tree.text("d"), "2024-01-02");
        assert_eq!(tree.texts("c"), ["no", "true"]);
        let span = tree.get("d").expect("d").span;
        assert_eq!(&text[span.range()], "2024-01-02");
    }

    #[test]
    fn quoted_scalars_may_continue_at_the_margin() {
        let text = "a: 'one\n| two ''x''\n\n| three'\nb: c\n";
        let tree = read(text).expect("readable").remove(0);
        assert_eq!(tree.text("a"), "one | two 'x'\n| three");
        let span = tree.get("b").expect("b").span;
        assert_eq!(&text[span.range()], "c");
    }

    #[test]
    fn faults_have_a_place() {
        let fault = read("a: b\n  c: d\n").expect_err("a fault");
        assert_eq!(fault.position().map(|p| p.line), Some(2));
        assert!(read(&"[".repeat(5000)).is_err());
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n";
        assert!(read(bomb).is_err());
    }
}
