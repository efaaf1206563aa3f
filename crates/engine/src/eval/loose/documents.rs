//! JSON and XML documents in fields: what stands at a path, and JSON made and changed.

use std::sync::Arc;

use lurcher_ir::{JsonOperation, LooseFunction};
use lurcher_schema::{Object, Value};
use serde_json::Value as Json;

use super::{
    paths::{Step, place, steps},
    text,
    texts::smallest,
};

/// At most so many values are taken from one document.
const MAX_VALUES: usize = 10_000;
/// Documents nest no deeper than this where they are changed.
const MAX_DEPTH: usize = 64;

pub(super) fn apply(function: &LooseFunction, values: &[Value]) -> Option<Value> {
    use LooseFunction as F;
    match (function, values) {
        (F::PathValue, [document, path]) => path_value(document, &text(path)?),
        (F::TagValue(name), [document]) => tag_value(&text(document)?, name),
        (F::Json(operation), values) => json(*operation, values),
        _ => None,
    }
}

/// What stands at a path: of a list of documents, in each of them.
fn path_value(document: &Value, path: &str) -> Option<Value> {
    let steps = steps(path);
    let mut found = Vec::new();
    match document {
        Value::List(items) => {
            for item in items.iter() {
                found.extend(path_value(item, path).iter().flat_map(Value::elements).cloned());
            }
        }
        Value::Object(_) => collect(&document.to_json(), &steps, &mut found),
        _ => {
            let text = text(document)?;
            let trimmed = text.trim_start();
            if trimmed.starts_with('<') {
                xml(trimmed, &steps, &mut found, 0);
            } else {
                collect(&parsed(trimmed)?, &steps, &mut found);
            }
        }
    }
    smallest(found)
}

fn parsed(text: &str) -> Option<Json> {
    serde_json::from_str(text).ok()
}

/// A document: text that is JSON, an object, or a list.
fn document(value: &Value) -> Option<Json> {
    match value {
        Value::Text(text) => parsed(text),
        Value::Null => None,
        other => Some(other.to_json()),
    }
}

/// Scalars as themselves, the rest as JSON text.
fn shown(json: &Json) -> Value {
    match json {
        Json::Array(_) | Json::Object(_) => Value::text(json.to_string()),
        scalar => Value::from_json(scalar),
    }
}

fn collect(json: &Json, steps: &[Step], found: &mut Vec<Value>) {
    if found.len() >= MAX_VALUES {
        return;
    }
    let Some((step, rest)) = steps.split_first() else {
        if !json.is_null() {
            found.push(shown(json));
        }
        return;
    };
    match (step, json) {
        (Step::Member(name), Json::Object(members)) => {
            if let Some(member) = members.get(name) {
                collect(member, rest, found);
            } else {
                // A name with dots in it stands before a path that reads alike.
                let mut longer = name.clone();
                for (at, step) in rest.iter().enumerate() {
                    let Step::Member(next) = step else { return };
                    longer = format!("{longer}.{next}");
                    if let Some(member) = members.get(&longer) {
                        return collect(member, &rest[at + 1..], found);
                    }
                }
            }
        }
        (Step::All, Json::Array(items)) => items.iter().for_each(|item| collect(item, rest, found)),
        (Step::At(at), Json::Array(items)) => {
            if let Some(item) = place(*at, items.len()).and_then(|at| items.get(at)) {
                collect(item, rest, found);
            }
        }
        _ => {}
    }
}

/// One element at the outermost level of a text.
struct Element<'t> {
    name: &'t str,
    attributes: &'t str,
    content: &'t str,
}

/// The elements at the outermost level of a text. Lenient: what is no element is passed over.
fn elements(text: &str) -> Vec<Element<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if rest.starts_with(['?', '!', '/']) {
            rest = rest.find('>').map_or("", |end| &rest[end + 1..]);
            continue;
        }
        let Some(end) = rest.find('>') else { break };
        let (tag, behind) = (&rest[..end], &rest[end + 1..]);
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        if empty {
            found.push(Element { name, attributes, content: "" });
            rest = behind;
            continue;
        }
        let Some((content, behind)) = close(behind, name) else { break };
        found.push(Element { name, attributes, content });
        rest = behind;
        if found.len() >= MAX_VALUES {
            break;
        }
    }
    found
}

/// The content up to the end tag that belongs to an open tag, and what follows that.
fn close<'t>(text: &'t str, name: &str) -> Option<(&'t str, &'t str)> {
    let mut depth = 1_usize;
    let mut at = 0;
    while let Some(offset) = text.get(at..)?.find('<') {
        let start = at + offset;
        let rest = &text[start + 1..];
        let (ending, tag) = rest.strip_prefix('/').map_or((false, rest), |rest| (true, rest));
        let end = rest.find('>')?;
        let same = tag
            .strip_prefix(name)
            .is_some_and(|behind| behind.starts_with(['>', '/']) || behind.starts_with(char::is_whitespace));
        if same && ending {
            depth -= 1;
            if depth == 0 {
                return Some((&text[..start], &rest[end + 1..]));
            }
        } else if same && !rest[..end].ends_with('/') {
            depth += 1;
        }
        at = start + 1 + end + 1;
    }
    None
}

fn xml(text: &str, steps: &[Step], found: &mut Vec<Value>, depth: usize) {
    let Some((step, rest)) = steps.split_first() else { return };
    if depth > MAX_DEPTH || found.len() >= MAX_VALUES {
        return;
    }
    let Step::Member(name) = step else { return };
    let fitting: Vec<Element<'_>> = elements(text).into_iter().filter(|element| element.name == name).collect();
    let (chosen, rest): (Vec<&Element<'_>>, &[Step]) = match rest.split_first() {
        Some((Step::At(at), rest)) => {
            // Elements of one name are counted from 1 in Splunk's paths into XML.
            (place(at - 1, fitting.len()).and_then(|at| fitting.get(at)).into_iter().collect(), rest)
        }
        Some((Step::All, rest)) => (fitting.iter().collect(), rest),
        _ => (fitting.iter().collect(), rest),
    };
    for element in chosen {
        match rest.split_first() {
            None => found.push(Value::text(unescaped(element.content.trim()))),
            Some((Step::Attribute(wanted), _)) => {
                found.extend(attribute(element.attributes, wanted).map(Value::text));
            }
            Some(_) => xml(element.content, rest, found, depth + 1),
        }
    }
}

fn attribute(attributes: &str, wanted: &str) -> Option<String> {
    let mut rest = attributes.trim_start();
    while let Some((name, behind)) = rest.split_once('=') {
        let behind = behind.trim_start();
        let quote = behind.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, after) = behind[1..].split_once(quote)?;
        if name.trim() == wanted {
            return Some(unescaped(value));
        }
        rest = after.trim_start();
    }
    None
}

fn unescaped(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&#13;", "\r")
        .replace("&#10;", "\n")
        .replace("&amp;", "&")
}

/// The content of `<name>…</name>`, all of them, wherever they stand.
fn tag_value(text: &str, name: &str) -> Option<Value> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let Some(behind) = rest.strip_prefix(name) else { continue };
        if !behind.starts_with('>') && !behind.starts_with(char::is_whitespace) {
            continue;
        }
        let Some(start) = behind.find('>') else { break };
        if behind[..start].ends_with('/') {
            continue;
        }
        let content = &behind[start + 1..];
        let Some(end) = content.find("</") else { break };
        // Only what holds no further element is a value.
        if !content[..end].contains('<') {
            found.push(Value::text(unescaped(&content[..end])));
        }
        if found.len() >= MAX_VALUES {
            break;
        }
    }
    smallest(found)
}

fn json(operation: JsonOperation, values: &[Value]) -> Option<Value> {
    use JsonOperation as O;
    match operation {
        O::Object => {
            let mut object = Object::default();
            for pair in values.chunks(2) {
                let [name, value] = pair else { return None };
                object.insert(text(name)?, embedded(value));
            }
            Some(Value::text(Value::Object(Arc::new(object)).to_json().to_string()))
        }
        O::Array => Some(Value::text(Value::list(values.iter().map(embedded)).to_json().to_string())),
        O::FromList => {
            let items = values.first()?.elements().map(|item| Value::text(item.to_string()));
            Some(Value::text(Value::list(items).to_json().to_string()))
        }
        O::FromTypedList => {
            let items = values.first()?.elements().map(|item| match item {
                Value::Text(text) => parsed(text).map_or_else(|| item.clone(), |json| Value::from_json(&json)),
                other => other.clone(),
            });
            Some(Value::text(Value::list(items).to_json().to_string()))
        }
        O::Write => Some(Value::text(embedded(values.first()?).to_json().to_string())),
        O::Valid => Some(Value::Bool(document(values.first()?).is_some())),
        O::IsObject => Some(Value::Bool(document(values.first()?).is_some_and(|json| json.is_object()))),
        O::IsArray => Some(Value::Bool(document(values.first()?).is_some_and(|json| json.is_array()))),
        O::Entries => match document(values.first()?)? {
            Json::Object(members) => {
                let entry = |(key, value): (&String, &Json)| serde_json::json!({ "key": key, "value": value });
                Some(Value::text(members.iter().map(entry).collect::<Json>().to_string()))
            }
            _ => None,
        },
        O::Keys => match document(values.first()?)? {
            Json::Object(members) => {
                Some(Value::text(members.keys().map(|key| Json::from(key.as_str())).collect::<Json>().to_string()))
            }
            _ => None,
        },
        O::Length => match document(values.first()?)? {
            Json::Object(members) => Some(Value::Int(members.len() as i64)),
            Json::Array(items) => Some(Value::Int(items.len() as i64)),
            _ => None,
        },
        O::ToList => match document(values.first()?)? {
            Json::Array(items) => smallest(items.iter().map(shown).collect()),
            other => Some(shown(&other)),
        },
        O::Extract | O::ExtractExact => extract(operation == O::ExtractExact, values),
        O::Set | O::SetExact | O::Append | O::Extend | O::Delete => change(operation, values),
    }
}

/// A value as a member of a document: text that is an array or an object goes in as such.
fn embedded(value: &Value) -> Value {
    match value {
        Value::Text(text) if text.trim_start().starts_with(['{', '[']) => {
            parsed(text).map_or_else(|| value.clone(), |json| Value::from_json(&json))
        }
        other => other.clone(),
    }
}

fn extract(exact: bool, values: &[Value]) -> Option<Value> {
    let (first, paths) = values.split_first()?;
    let document = document(first)?;
    let one = |path: &Value| -> Option<Value> {
        let path = text(path)?;
        if exact {
            return document.get(path.as_ref()).filter(|found| !found.is_null()).map(shown);
        }
        let mut found = Vec::new();
        collect(&document, &steps(&path), &mut found);
        if found.len() > 1 {
            let items = found.iter().map(embedded);
            return Some(Value::text(Value::list(items).to_json().to_string()));
        }
        found.pop()
    };
    match paths {
        [] => Some(shown(&document)),
        [path] => one(path),
        paths => {
            let items = paths.iter().map(|path| one(path).as_ref().map(embedded).unwrap_or_default());
            Some(Value::text(Value::list(items).to_json().to_string()))
        }
    }
}

fn change(operation: JsonOperation, values: &[Value]) -> Option<Value> {
    let (first, rest) = values.split_first()?;
    let mut document = document(first)?;
    let size = if operation == JsonOperation::Delete { 1 } else { 2 };
    for pair in rest.chunks(size) {
        let path = text(pair.first()?)?;
        let steps = match operation {
            JsonOperation::SetExact => vec![Step::Member(path.to_string())],
            _ => steps(&path),
        };
        let value = pair.get(1).map(|value| embedded(value).to_json());
        if steps.len() <= MAX_DEPTH {
            change_at(&mut document, &steps, operation, value.as_ref());
        }
    }
    Some(shown(&document))
}

/// One value behind the others; of an array, where it is to be taken apart, each of its elements.
fn put_behind(items: &mut Vec<Json>, value: &Json, operation: JsonOperation) {
    match value {
        Json::Array(further) if operation == JsonOperation::Extend => items.extend(further.iter().cloned()),
        value => items.push(value.clone()),
    }
}

fn change_at(json: &mut Json, steps: &[Step], operation: JsonOperation, value: Option<&Json>) {
    let Some((step, rest)) = steps.split_first() else { return };
    match (step, json) {
        (Step::Member(name), Json::Object(members)) => {
            if rest.is_empty() {
                match (operation, value) {
                    (JsonOperation::Delete, _) => {
                        members.remove(name);
                    }
                    (JsonOperation::Append | JsonOperation::Extend, Some(value)) => {
                        if let Some(Json::Array(items)) = members.get_mut(name) {
                            put_behind(items, value, operation);
                        }
                    }
                    (_, Some(value)) => {
                        members.insert(name.clone(), value.clone());
                    }
                    _ => {}
                }
            } else if let Some(member) = members.get_mut(name) {
                change_at(member, rest, operation, value);
            }
        }
        (Step::All, Json::Array(items)) => {
            for item in items.iter_mut() {
                if rest.is_empty() {
                    if let (JsonOperation::Set, Some(value)) = (operation, value) {
                        *item = value.clone();
                    }
                } else {
                    change_at(item, rest, operation, value);
                }
            }
        }
        (Step::At(at), Json::Array(items)) => {
            let Some(at) = place(*at, items.len()) else { return };
            if rest.is_empty() && operation == JsonOperation::Delete {
                items.remove(at);
            } else if let Some(item) = items.get_mut(at) {
                match (rest.is_empty(), value) {
                    (true, Some(value)) => *item = value.clone(),
                    (true, None) => {}
                    (false, value) => change_at(item, rest, operation, value),
                }
            }
        }
        _ => {}
    }
}
