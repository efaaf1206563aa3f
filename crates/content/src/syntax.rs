//! TOML and JSON text to [`Node`]s.
//!
//! The parsing itself is that of `toml` and `serde_json`; here their results become one tree with byte spans. What a
//! file means is not decided here.

use std::{borrow::Cow, sync::Arc};

use lurcher_diagnostics::{Diagnostic, SourceFile, Span};
use serde_json::value::RawValue;
use toml::de::{DeTable, DeValue};

use crate::node::{Data, Node};

/// How deep a file's values may be nested.
const MAX_DEPTH: usize = 64;

/// Reads a TOML document.
pub(crate) fn toml(file: &Arc<SourceFile>) -> Result<Node, Box<Diagnostic>> {
    match DeTable::parse(file.text()) {
        Ok(table) => Ok(Node { span: Span::new(0, file.text().len()), data: toml_table(table.get_ref()) }),
        Err(error) => {
            let span = error.span().map_or(Span::default(), |range| Span::new(range.start, range.end));
            let fault = Diagnostic::error("rule-toml", "the file is no valid TOML");
            let help = "texts stand in quotes: '…' as they are, \"…\" with escapes";
            Err(Box::new(fault.in_file(file).at(span, error.message()).with_help(help)))
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
                        .at(Span::new(at, at), error.to_string())
                        .with_help("an export holds one JSON object a line"),
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
