//! The form that code scanning reads: SARIF 2.1.0 (OASIS standard).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    Diagnostic, Label, SourceFile,
    render::{level_name, plain, region},
};

/// A SARIF log with one run. Codes are its rules, in alphabetical order.
pub fn sarif(diagnostics: &[Diagnostic]) -> Value {
    let codes: Vec<&str> = diagnostics.iter().map(|d| d.code).collect::<BTreeSet<_>>().into_iter().collect();
    let results: Vec<Value> = diagnostics.iter().map(|diagnostic| result(diagnostic, &codes)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "lurcher",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(|code| json!({ "id": code })).collect::<Vec<Value>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(diagnostic: &Diagnostic, codes: &[&str]) -> Value {
    let mut result = json!({
        "ruleId": diagnostic.code,
        "ruleIndex": codes.iter().position(|code| *code == diagnostic.code),
        "level": level_name(diagnostic.level),
        "message": { "text": plain(diagnostic) },
    });
    if let Some(file) = &diagnostic.file {
        let mut labels = diagnostic.labels.iter();
        result["locations"] = json!([location(file, labels.next(), None)]);
        let related: Vec<Value> = labels.enumerate().map(|(i, label)| location(file, Some(label), Some(i))).collect();
        if !related.is_empty() {
            result["relatedLocations"] = related.into();
        }
    }
    result
}

fn location(file: &SourceFile, label: Option<&Label>, id: Option<usize>) -> Value {
    let mut location = json!({ "physicalLocation": { "artifactLocation": { "uri": uri(file.name()) } } });
    if let Some(id) = id {
        location["id"] = id.into();
    }
    if let Some(label) = label {
        let [line, column, end_line, end_column] = region(file, label);
        location["physicalLocation"]["region"] =
            json!({ "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column });
        if !label.message.is_empty() {
            location["message"] = json!({ "text": label.message });
        }
    }
    location
}

/// A path as a URI reference: forward slashes, other characters than the unreserved ones percent-encoded.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'\\' => uri.push('/'),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(byte as char),
            _ => uri.extend(['%', hex(byte >> 4), hex(byte & 15)]),
        }
    }
    uri
}

fn hex(half: u8) -> char {
    char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase()
}
