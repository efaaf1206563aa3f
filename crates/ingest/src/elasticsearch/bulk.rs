//! The body of a bulk request: lines of actions, each but a deletion followed by a line of its document.
//!
//! As in the original a line of action that makes no sense spoils the whole request, while a document that makes none
//! spoils only its item.

use axum::http::StatusCode;
use serde_json::Value;

use super::answer::Fault;

/// What is to be done with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write it, over the one of the same id.
    Index,
    /// Write it, unless there is one of the same id.
    Create,
    /// Change one.
    Update,
    /// Delete one.
    Delete,
}

impl Action {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One action with its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// What to do.
    pub action: Action,
    /// Where, as given.
    pub index: String,
    /// Of which id, where given.
    pub id: Option<String>,
    /// The line of the document, unread; empty for a deletion.
    pub source: &'a [u8],
}

/// Members that stand for nothing here but may stand in a line of action. `_type` was one until version 8.
const PARAMETERS: &[&str] = &[
    "_index",
    "_id",
    "_type",
    "routing",
    "_routing",
    "op_type",
    "version",
    "version_type",
    "retry_on_conflict",
    "pipeline",
    "_source",
    "if_seq_no",
    "if_primary_term",
    "require_alias",
    "require_data_stream",
    "dynamic_templates",
    "list_executed_pipelines",
];

/// Reads a whole body. `default_index` is the index of the path.
#[doc(hidden)]
pub fn parse<'a>(body: &'a [u8], default_index: Option<&str>) -> Result<Vec<Item<'a>>, Fault> {
    if body.is_empty() {
        return Err(Fault::new(StatusCode::BAD_REQUEST, "parse_exception", "request body is required"));
    }
    let mut items: Vec<Item<'a>> = Vec::new();
    let mut lines = Lines { body, number: 0 };
    // Shippers repeat the same line of action all through a body.
    let mut last: Option<(&[u8], Item<'a>)> = None;
    while let Some(line) = lines.next()? {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let mut item = match &last {
            Some((same, item)) if *same == line => item.clone(),
            _ => {
                let item = action_line(line, lines.number, default_index)?;
                last = Some((line, item.clone()));
                item
            }
        };
        if item.action != Action::Delete {
            // A last action without its document is passed over, as in the original.
            let Some(source) = lines.next()? else { break };
            item.source = source;
        }
        items.push(item);
    }
    if items.is_empty() {
        return Err(Fault::validation("no requests added"));
    }
    Ok(items)
}

struct Lines<'a> {
    body: &'a [u8],
    /// Of the line that was given last, from 1.
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<Option<&'a [u8]>, Fault> {
        if self.body.is_empty() {
            return Ok(None);
        }
        let Some(end) = self.body.iter().position(|b| *b == b'\n') else {
            return Err(Fault::illegal("The bulk request must be terminated by a newline [\\n]"));
        };
        let line = &self.body[..end];
        self.body = &self.body[end + 1..];
        self.number += 1;
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

fn action_line<'a>(line: &[u8], number: usize, default_index: Option<&str>) -> Result<Item<'a>, Fault> {
    let malformed = |expected: &str, found: &str| {
        Fault::illegal(format!("Malformed action/metadata line [{number}], expected {expected} but found [{found}]"))
    };
    let value: Value = serde_json::from_slice(line).map_err(|error| {
        let reason = format!("[{number}:{}] {error}", error.column());
        Fault::new(StatusCode::BAD_REQUEST, "x_content_parse_exception", reason)
    })?;
    let Value::Object(members) = value else { return Err(malformed("START_OBJECT", token(&value))) };
    let Some((name, parameters)) = members.into_iter().next() else {
        return Err(malformed("FIELD_NAME", "END_OBJECT"));
    };
    let mut action = match name.as_str() {
        "index" => Action::Index,
        "create" => Action::Create,
        "update" => Action::Update,
        "delete" => Action::Delete,
        other => return Err(malformed("field [create], [delete], [index] or [update]", other)),
    };
    let Value::Object(parameters) = parameters else {
        return Err(malformed("START_OBJECT or END_OBJECT", token(&parameters)));
    };
    let mut index = default_index.map(str::to_owned);
    let mut id = None;
    for (name, value) in &parameters {
        if !PARAMETERS.contains(&name.as_str()) {
            let reason = format!("Action/metadata line [{number}] contains an unknown parameter [{name}]");
            return Err(Fault::illegal(reason));
        }
        let simple = match value {
            Value::Null => continue,
            Value::Array(_) | Value::Object(_) if matches!(name.as_str(), "_source" | "dynamic_templates") => continue,
            Value::Array(_) | Value::Object(_) => {
                return Err(malformed(&format!("a simple value for field [{name}]"), token(value)));
            }
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match name.as_str() {
            "_index" => index = Some(simple),
            "_id" => id = Some(simple),
            "op_type" if action == Action::Index && simple == "create" => action = Action::Create,
            _ => {}
        }
    }
    let index = index.filter(|index| !index.is_empty()).ok_or_else(|| Fault::validation("index is missing"))?;
    Ok(Item { action, index, id, source: &[] })
}

/// What the original's parser calls a value.
fn token(value: &Value) -> &'static str {
    match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(_) => "VALUE_BOOLEAN",
        Value::Number(_) => "VALUE_NUMBER",
        Value::String(_) => "VALUE_STRING",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason(body: &str) -> String {
        parse(body.as_bytes(), None).unwrap_err().reason
    }

    #[test]
    fn actions_and_documents_alternate() {
        let body = concat!(
            "{\"index\":{\"_index\":\"a\",\"_id\":1,\"_type\":\"_doc\"}}\r\n{\"x\":1}\r\n\n",
            "{\"delete\":{\"_index\":\"a\",\"_id\":\"2\"}}\n",
            "{\"create\":{}}\n{\"x\":2}\n{\"index\":{\"op_type\":\"create\"}}\n\n"
        );
        let items = parse(body.as_bytes(), Some("b")).unwrap();
        let seen: Vec<_> =
            items.iter().map(|i| (i.action.name(), i.index.as_str(), i.id.as_deref(), i.source)).collect();
        assert_eq!(
            seen,
            [
                ("index", "a", Some("1"), &b"{\"x\":1}"[..]),
                ("delete", "a", Some("2"), b""),
                ("create", "b", None, b"{\"x\":2}"),
                ("create", "b", None, b""),
            ]
        );
    }

    #[test]
    fn faults_read_as_the_originals() {
        assert_eq!(reason(""), "request body is required");
        assert_eq!(reason("\n"), "Validation Failed: 1: no requests added;");
        assert_eq!(
            reason("{\"index\":{\"_index\":\"a\"}}\n{}"),
            "The bulk request must be terminated by a newline [\\n]"
        );
        assert_eq!(reason("{\"index\":{}}\n{}\n"), "Validation Failed: 1: index is missing;");
        for (line, what) in [
            ("[]", "expected START_OBJECT but found [START_ARRAY]"),
            ("{}", "expected FIELD_NAME but found [END_OBJECT]"),
            ("{\"index\":\"a\"}", "expected START_OBJECT or END_OBJECT but found [VALUE_STRING]"),
            ("{\"put\":{}}", "expected field [create], [delete], [index] or [update] but found [put]"),
            ("{\"index\":{\"_index\":[\"a\"]}}", "expected a simple value for field [_index] but found [START_ARRAY]"),
        ] {
            assert_eq!(reason(&format!("{line}\n{{}}\n")), format!("Malformed action/metadata line [1], {what}"));
        }
        assert_eq!(
            reason("{\"index\":{\"_foo\":1}}\n{}\n"),
            "Action/metadata line [1] contains an unknown parameter [_foo]"
        );
        assert_eq!(parse(b"{\"index\n", None).unwrap_err().kind, "x_content_parse_exception");
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body, Some("x"));
        }

        #[test]
        fn every_document_comes_back(documents in proptest::collection::vec("[^\r\n]{0,20}", 1..20)) {
            let body = documents.iter().fold(String::new(), |body, d| body + "{\"create\":{}}\n" + d + "\n");
            let items = parse(body.as_bytes(), Some("x")).unwrap();
            let sources: Vec<&[u8]> = items.iter().map(|item| item.source).collect();
            let want: Vec<&[u8]> = documents.iter().map(String::as_bytes).collect();
            prop_assert_eq!(sources, want);
        }
    }
}
