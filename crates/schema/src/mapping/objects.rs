//! The transforms of objects and lists of objects: what cloud services write as lists of names and values, and JSON
//! within text. Pure functions.

use std::{fmt::Write as _, sync::Arc};

use crate::{Object, Value};

/// How deep values may be nested in JSON text and in what is written out.
const MAX_DEPTH: usize = 64;

/// A list of `{"Name":…,"Value":…}` as one object. Elements without the name are left out, and those without the
/// value; of two with one name the last counts. Without a `value` it is the elements themselves that stand under their
/// names. Dots and blanks in names become `_`, as they could not be asked for.
pub(super) fn entries(value: &Value, name: &str, of: Option<&str>) -> Value {
    let mut out = Object::default();
    for element in value.elements() {
        let Value::Object(object) = element else { continue };
        let Some(key) = object.get(name).filter(|key| !key.is_missing()) else { continue };
        let key = key.to_string().replace([' ', '.'], "_");
        let found = if let Some(of) = of {
            object.get(of).cloned().unwrap_or_default()
        } else {
            let mut rest = Object::clone(object);
            rest.remove(name);
            Value::Object(Arc::new(rest))
        };
        if !found.is_missing() {
            out.remove(&key);
            out.insert(key, found);
        }
    }
    if out.is_empty() { Value::Null } else { Value::Object(Arc::new(out)) }
}

/// The objects of a list whose member has this text, whatever the case.
pub(super) fn having(value: &Value, member: &str, text: &str) -> Value {
    let wanted = text.to_lowercase();
    let fits = |element: &&Value| match element {
        Value::Object(object) => object
            .path(member)
            .is_some_and(|found| found.elements().any(|value| value.to_string().to_lowercase() == wanted)),
        _ => false,
    };
    let found: Vec<Value> = value.elements().filter(fits).cloned().collect();
    if found.is_empty() { Value::Null } else { Value::list(found) }
}

/// The value of a JSON text; missing if it is none.
pub(super) fn from_json(text: &str) -> Value {
    let text = text.trim();
    if !text.starts_with(['{', '[', '"']) || nesting(text) > MAX_DEPTH {
        return Value::Null;
    }
    serde_json::from_str(text).map_or(Value::Null, |json| Value::from_json(&json))
}

fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A value as Java writes maps and lists (`{a=1, b=[x, y]}`), in the order of the document, without members that are null
/// or empty: Elastic's pipeline makes `aws.cloudtrail.request_parameters` so, and its rules search that text.
pub(super) fn java_text(value: &Value) -> Value {
    let mut out = String::new();
    write_java(&mut out, value, 0);
    if out.is_empty() { Value::Null } else { Value::text(out) }
}

fn write_java(out: &mut String, value: &Value, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::Object(object) => {
            out.push('{');
            let mut first = true;
            for (name, value) in object.iter().filter(|(_, value)| !hollow(value, depth)) {
                if !first {
                    out.push_str(", ");
                }
                first = false;
                out.push_str(name);
                out.push('=');
                write_java(out, value, depth + 1);
            }
            out.push('}');
        }
        Value::List(_) => {
            out.push('[');
            for (at, value) in value.elements().filter(|value| !hollow(value, depth)).enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                write_java(out, value, depth + 1);
            }
            out.push(']');
        }
        value => drop(write!(out, "{value}")),
    }
}

/// Whether there is nothing in a value but emptiness.
fn hollow(value: &Value, depth: usize) -> bool {
    match value {
        Value::Text(text) => text.is_empty(),
        Value::Object(object) => depth > MAX_DEPTH || object.iter().all(|(_, value)| hollow(value, depth + 1)),
        Value::List(_) => depth > MAX_DEPTH || value.elements().all(|value| hollow(value, depth + 1)),
        value => value.is_missing(),
    }
}
