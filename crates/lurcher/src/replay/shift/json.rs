//! Edits of single values in the text of a JSON document. All else stays to the letter, so that numbers, the order of
//! members, and keys that come twice are what they were.

use std::ops::Range;

/// Values within values, at most. The readers refuse deeper documents.
const DEPTH: usize = 160;

/// A text, number or boolean in a document.
#[derive(Debug)]
pub(super) struct Leaf<'a> {
    /// The keys on the way to it, divided by dots. Elements of arrays add nothing.
    pub(super) path: &'a str,
    /// What the member `Name` of the object that holds it says, if that stands before it.
    pub(super) name: &'a str,
    /// Its text, unescaped.
    pub(super) text: &'a str,
}

/// The document with every leaf replaced for which `edit` gives another text; `None` if there is none, or the text is no
/// JSON.
pub(super) fn edit(document: &str, edit: &dyn Fn(&Leaf<'_>) -> Option<String>) -> Option<String> {
    let mut walk = Walk { text: document, at: 0, path: String::new(), edits: Vec::new(), edit };
    walk.value("", 0)?;
    if walk.edits.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(document.len() + 16);
    let mut done = 0;
    for (range, new) in &walk.edits {
        out.push_str(document.get(done..range.start)?);
        out.push_str(new);
        done = range.end;
    }
    out.push_str(document.get(done..)?);
    Some(out)
}

/// The document on one line. A line end within a text, which JSON does not allow but readers take, is escaped.
pub(in crate::replay) fn on_one_line(document: &str) -> String {
    if !document.contains(['\n', '\r']) {
        return document.to_owned();
    }
    let mut out = String::with_capacity(document.len());
    let (mut in_text, mut escaped) = (false, false);
    for c in document.chars() {
        match c {
            '\n' | '\r' if in_text => out.push_str(if c == '\n' { "\\n" } else { "\\r" }),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = in_text,
            '"' => in_text = !in_text,
            _ => {}
        }
    }
    out
}

struct Walk<'t, 'e> {
    text: &'t str,
    at: usize,
    path: String,
    edits: Vec<(Range<usize>, String)>,
    edit: &'e dyn Fn(&Leaf<'_>) -> Option<String>,
}

impl<'t> Walk<'t, '_> {
    fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Reads a value; gives its text if it is a plain one.
    fn value(&mut self, name: &str, depth: usize) -> Option<String> {
        if depth > DEPTH {
            return None;
        }
        match self.peek()? {
            b'{' => self.object(depth).map(|()| String::new()),
            b'[' => {
                self.at += 1;
                while self.peek()? != b']' {
                    self.value(name, depth + 1)?;
                    if self.peek()? == b',' {
                        self.at += 1;
                    }
                }
                self.at += 1;
                Some(String::new())
            }
            b'"' => {
                let start = self.at;
                let text = self.string()?;
                let new = (self.edit)(&Leaf { path: &self.path, name, text: &text });
                if let Some(new) = new {
                    self.edits.push((start..self.at, serde_json::Value::from(new).to_string()));
                }
                Some(text)
            }
            _ => {
                let start = self.at;
                let rest = self.text.get(start..)?;
                let end = rest.find([',', '}', ']', ' ', '\t', '\n', '\r']).unwrap_or(rest.len());
                let text = rest.get(..end).filter(|text| !text.is_empty())?;
                self.at += end;
                if let Some(new) = (self.edit)(&Leaf { path: &self.path, name, text }) {
                    self.edits.push((start..self.at, new));
                }
                Some(text.to_owned())
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        let outer = self.path.len();
        let mut name = String::new();
        while self.peek()? != b'}' {
            let key = self.string()?;
            if self.peek()? != b':' {
                return None;
            }
            self.at += 1;
            if outer > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            let is_attributes = matches!(key.as_str(), "#attributes" | "@attributes" | "attributes" | "$");
            let before = self.at;
            let value = self.value(&name, depth + 1)?;
            if matches!(key.as_str(), "@Name" | "-Name" | "Name") {
                name = value;
            } else if is_attributes {
                name = attribute_name(self.text.get(before..self.at)?).unwrap_or(name);
            }
            self.path.truncate(outer);
            if self.peek()? == b',' {
                self.at += 1;
            }
        }
        self.at += 1;
        Some(())
    }

    /// Reads a string literal.
    fn string(&mut self) -> Option<String> {
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) != Some(&b'"') {
            return None;
        }
        let start = self.at;
        let mut end = start + 1;
        let mut escapes = false;
        loop {
            match bytes.get(end)? {
                b'"' => break,
                b'\\' => {
                    escapes = true;
                    end += 2;
                }
                _ => end += 1,
            }
        }
        self.at = end + 1;
        let inner: &'t str = self.text.get(start + 1..end)?;
        if escapes {
            // What JSON itself cannot read (half a surrogate pair) is no time, and stays.
            return Some(serde_json::from_str(self.text.get(start..=end)?).unwrap_or_else(|_| inner.to_owned()));
        }
        Some(inner.to_owned())
    }
}

/// The member `Name` of a small object of attributes.
fn attribute_name(object: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(object).ok()?;
    Some(value.get("Name")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_edited_changes() {
        let text = "{\"a\" : 1.0, \"b\":{\"c\":\"x\\\"y\",\"c\":[true,\"x\\\"y\"]},\"b.c\":\"z\", \"d\":null}";
        let change = |leaf: &Leaf<'_>| (leaf.path == "b.c" && leaf.text == "x\"y").then(|| "\u{e9}\"".to_owned());
        let expected =
            "{\"a\" : 1.0, \"b\":{\"c\":\"\u{e9}\\\"\",\"c\":[true,\"\u{e9}\\\"\"]},\"b.c\":\"z\", \"d\":null}";
        assert_eq!(edit(text, &change).as_deref(), Some(expected));
        assert_eq!(edit(text, &|_| None), None);
        assert_eq!(edit("{\"a\":", &change), None);
    }

    #[test]
    fn items_with_a_name_beside_them_are_told_by_it() {
        for text in [
            r##"{"Data":[{"@Name":"T","#text":"1"},{"@Name":"U","#text":"1"}]}"##,
            r##"{"Data":[{"#attributes":{"Name":"T"},"#text":"1"},{"#attributes":{"Name":"U"},"#text":"1"}]}"##,
        ] {
            let change = |leaf: &Leaf<'_>| (leaf.name == "T" && leaf.path == "Data.#text").then(|| "2".to_owned());
            assert_eq!(edit(text, &change), Some(text.replacen("\"1\"", "\"2\"", 1)));
        }
    }

    #[test]
    fn a_document_is_brought_to_one_line() {
        assert_eq!(on_one_line("{\n \"a\\\"\":\r\n 1}"), "{  \"a\\\"\":   1}");
        assert_eq!(on_one_line("{\"a\":\"x\ny\"}"), "{\"a\":\"x\\ny\"}");
    }
}
