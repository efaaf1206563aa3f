//! TOML, YAML and JSON text to [`Node`]s.
//!
//! The parsing itself is that of `toml`, `saphyr-parser` and `serde_json`; here their results become one tree with
//! byte spans. What a file means is not decided here.

use std::{borrow::Cow, collections::HashMap};

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::value::RawValue;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

use crate::node::{Data, Node};

/// How deep a file's values may be nested.
const MAX_DEPTH: usize = 64;
/// How many values aliases may add to a YAML file, all together.
const MAX_ALIASED: usize = 10_000;

/// Reads a TOML document.
pub(crate) fn toml(file: &Arc<SourceFile>) -> Result<Node, Diagnostic> {
    match DeTable::parse(file.text()) {
        Ok(table) => Ok(Node { span: Span::new(0, file.text().len()), data: toml_table(table.get_ref()) }),
        Err(error) => {
            let span = error.span().map_or(Span::default(), |range| Span::new(range.start, range.end));
            Err(Diagnostic::error("rule-toml", "the file is no valid TOML").in_file(file).at(span, error.message()))
        }
    }
}

fn toml_table(table: &DeTable<'_>) -> Data {
    let member = |key: &toml::Spanned<Cow<'_, str>>, value: &toml::Spanned<DeValue<'_>>| {
        (key.get_ref().to_string(), toml_value(value))
    };
    let mut members: Vec<(usize, (String, Node))> =
        table.iter().map(|(key, value)| (key.span().start, member(key, value))).collect();
    members.sort_by_key(|(start, _)| *start);
    Data::Map(members.into_iter().map(|(_, member)| member).collect())
}

fn toml_value(value: &toml::Spanned<DeValue<'_>>) -> Node {
    let data = match value.get_ref() {
        DeValue::String(text) => Data::Text(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Data::Number(number.as_str().to_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Data::Number(number.to_string()),
            Err(_) => Data::Text(number.to_string()),
        },
        DeValue::Float(number) => Data::Number(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Data::Bool(*truth),
        DeValue::Datetime(time) => Data::Text(time.to_string()),
        DeValue::Array(items) => Data::List(items.iter().map(toml_value).collect()),
        DeValue::Table(table) => toml_table(table),
    };
    Node { span: Span::new(value.span().start, value.span().end), data }
}

/// Reads all documents of a YAML stream.
pub(crate) fn yaml(file: &Arc<SourceFile>) -> Result<Vec<Node>, Diagnostic> {
    let mut reader = YamlReader { offsets: Offsets::new(file.text()), anchors: HashMap::new(), aliased: 0 };
    let mut parser = Parser::new_from_str(file.text());
    let mut documents = Vec::new();
    let fault = |span: Span, message: &str| {
        Diagnostic::error("rule-yaml", "the file is no valid YAML").in_file(file).at(span, message)
    };
    while let Some(event) = parser.next_event() {
        let (event, place) = event.map_err(|error| {
            let at = reader.offsets.byte(error.marker().index());
            fault(Span::new(at, at), error.info())
        })?;
        match event {
            Event::StreamStart | Event::StreamEnd | Event::Nothing | Event::DocumentStart(_) | Event::DocumentEnd => {}
            event => {
                documents.push(reader.node(&mut parser, event, place, 0).map_err(|e| fault(e.0, &e.1))?);
            }
        }
    }
    Ok(documents)
}

struct YamlReader {
    offsets: Offsets,
    anchors: HashMap<usize, Node>,
    aliased: usize,
}

type Fault = (Span, String);

impl YamlReader {
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
            Event::Scalar(text, style, anchor, tag) => (yaml_scalar(&text, style, tag.as_deref()), anchor),
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

/// Reads a JSON document, or one JSON value a line. Faulty lines are reported, the others read.
pub(crate) fn json(file: &Arc<SourceFile>) -> (Vec<Node>, Vec<Diagnostic>) {
    let text = file.text();
    if let Ok(whole) = serde_json::from_str::<&RawValue>(text) {
        let node = json_value(whole, text, 0);
        return match node.data {
            Data::List(items) => (items, Vec::new()),
            data => (vec![Node { span: node.span, data }], Vec::new()),
        };
    }
    let (mut nodes, mut diagnostics) = (Vec::new(), Vec::new());
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let place = Span::new(start, start + line.trim_end().len());
        start += line.len();
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<&RawValue>(line) {
            Ok(raw) => nodes.push(json_value(raw, text, 0)),
            Err(error) => {
                let at = place.start as usize + error.column().saturating_sub(1);
                diagnostics.push(
                    Diagnostic::error("rule-json", "the line is no valid JSON")
                        .in_file(file)
                        .at(Span::new(at, at), error.to_string()),
                );
            }
        }
    }
    (nodes, diagnostics)
}

/// The place of a part of a text: `serde_json`'s raw values borrow from it.
fn place(part: &str, whole: &str) -> Span {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    Span::new(start, start + part.len())
}

fn json_value(raw: &RawValue, text: &str, depth: usize) -> Node {
    let source = raw.get();
    let span = place(source, text);
    let whole = |source: &str| match serde_json::from_str::<serde_json::Value>(source) {
        Ok(serde_json::Value::Bool(truth)) => Data::Bool(truth),
        Ok(serde_json::Value::Number(number)) => Data::Number(number.to_string()),
        Ok(serde_json::Value::String(text)) => Data::Text(text),
        _ => Data::Null,
    };
    let data = match source.as_bytes().first() {
        _ if depth > MAX_DEPTH => Data::Text(source.to_owned()),
        Some(b'{') => match serde_json::from_str::<Members<'_>>(source) {
            Ok(Members(members)) => {
                Data::Map(members.into_iter().map(|(key, raw)| (key, json_value(raw, text, depth + 1))).collect())
            }
            Err(_) => Data::Null,
        },
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(source) {
            Ok(items) => Data::List(items.into_iter().map(|raw| json_value(raw, text, depth + 1)).collect()),
            Err(_) => Data::Null,
        },
        _ => whole(source),
    };
    Node { span, data }
}

/// The members of a JSON object in their order, unread.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> serde::de::Visitor<'de> for Visitor<'a> {
            type Value = Members<'a>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Visitor(std::marker::PhantomData))
    }
}
