//! What stands at a path in a JSON document.
//!
//! A text is read from its beginning, and no farther than the value that is looked for: what stands behind it may be broken.
//! What is skipped on the way must be JSON, and no object in it may have a name twice.
//!
//! Source: Elasticsearch's `JsonExtract` and `JsonPath`; its parser allows comments and refuses names that stand twice
//! (`STRICT_DUPLICATE_DETECTION`), as far as it has read.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use lurcher_schema::Value;

use super::convert::text_form;

/// How deep documents nest at most.
const MAX_DEPTH: usize = 1000;

/// The part of a document that a path leads to. Of a text every dot is a step; an event may have its fields under dotted
/// names.
pub(super) fn member(document: &Value, path: &str) -> Option<Value> {
    let steps = steps(path)?;
    if let Value::Text(text) = document {
        return Reader { text, at: 0 }.find(&steps).map(Value::Text);
    }
    match found(document, &steps)? {
        Value::Null => None,
        value @ (Value::List(_) | Value::Object(_)) => Some(Value::text(value.to_json().to_string())),
        scalar => text_form(&scalar).map(Value::Text),
    }
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// The member of this name. Whether it is written plainly, so that it may be the beginning of a dotted name.
    Name(String, bool),
    /// The element at this place, from 0.
    At(usize),
}

/// The steps of a path; none if it is malformed.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut rest = match path.strip_prefix('$') {
        None => path,
        Some(rest) if rest.is_empty() || rest.starts_with('[') => rest,
        Some(rest) => rest.strip_prefix('.')?,
    };
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let step;
            (step, rest) = bracket(inside)?;
            steps.push(step);
            continue;
        }
        if !steps.is_empty() {
            rest = rest.strip_prefix('.')?;
        }
        let end = rest.find(['.', '[', ']']).unwrap_or(rest.len());
        if end == 0 {
            return None;
        }
        steps.push(Step::Name(rest[..end].to_owned(), true));
        rest = &rest[end..];
    }
    Some(steps)
}

/// What stands in brackets, and what is left behind them.
fn bracket(inside: &str) -> Option<(Step, &str)> {
    let inside = inside.trim_start();
    let Some(quote) = inside.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        let (index, rest) = inside.split_once(']')?;
        let index = index.trim_end();
        let plain = index.bytes().all(|byte| byte.is_ascii_digit());
        return plain.then(|| index.parse().ok()).flatten().map(|at| (Step::At(at), rest));
    };
    let mut name = String::new();
    let mut chars = inside.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next().map(|(_, c)| c).filter(|c| matches!(c, '\'' | '"' | '\\'))?),
            c if c == quote => {
                let rest = inside[at + 1..].trim_start().strip_prefix(']')?;
                return Some((Step::Name(name, false), rest));
            }
            c => name.push(c),
        }
    }
    None
}

/// What stands at a path in an event: step by step, or by the longest name that it has.
fn found(document: &Value, steps: &[Step]) -> Option<Value> {
    let Some((step, rest)) = steps.split_first() else { return Some(document.clone()) };
    match (step, document) {
        (Step::At(at), Value::List(items)) => found(items.get(*at)?, rest),
        (Step::Name(name, plain), Value::Object(object)) => {
            let mut names = vec![(name.clone(), rest)];
            for (at, step) in rest.iter().enumerate().take(if *plain { MAX_DEPTH } else { 0 }) {
                let (Step::Name(next, true), Some((longest, _))) = (step, names.last()) else { break };
                names.push((format!("{longest}.{next}"), &rest[at + 1..]));
            }
            names.iter().rev().find_map(|(name, rest)| found(object.get(name.as_str())?, rest))
        }
        _ => None,
    }
}

/// Reads JSON from its beginning. Everything yields none at what is no JSON.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    /// The text form of what stands at a path.
    fn find(mut self, steps: &[Step]) -> Option<Arc<str>> {
        for step in steps {
            self.blank()?;
            match step {
                Step::Name(name, _) => self.enter(name)?,
                Step::At(place) => self.element(*place)?,
            }
        }
        self.blank()?;
        let start = self.at;
        match self.next()? {
            '"' => self.string().map(|text| Arc::from(text.as_ref())),
            '{' | '[' => {
                self.skip()?;
                Some(self.text[start..self.at].into())
            }
            'n' => None,
            _ => {
                self.scalar()?;
                Some(self.text[start..self.at].into())
            }
        }
    }

    /// Goes to the value of a member of the object that begins here.
    fn enter(&mut self, name: &str) -> Option<()> {
        self.eat('{')?;
        let mut seen = HashSet::new();
        loop {
            self.blank()?;
            let own = self.string()?;
            let wanted = own == name;
            if !seen.insert(own) {
                return None;
            }
            self.blank()?;
            self.eat(':')?;
            self.blank()?;
            if wanted {
                return Some(());
            }
            self.skip()?;
            self.blank()?;
            self.eat(',')?;
        }
    }

    /// Goes to an element of the array that begins here.
    fn element(&mut self, place: usize) -> Option<()> {
        self.eat('[')?;
        self.blank()?;
        if self.next()? == ']' {
            return None;
        }
        for _ in 0..place {
            self.skip()?;
            self.blank()?;
            self.eat(',')?;
            self.blank()?;
        }
        Some(())
    }

    /// Goes behind the value that begins here. What is open stands in a list, so that no nesting is too deep for the stack.
    fn skip(&mut self) -> Option<()> {
        // Of each object the names so far; none of an array.
        let mut open: Vec<Option<HashSet<Cow<'t, str>>>> = Vec::new();
        loop {
            match self.next()? {
                '{' | '[' if open.len() >= MAX_DEPTH => return None,
                bracket @ ('{' | '[') => {
                    self.at += 1;
                    self.blank()?;
                    let object = bracket == '{';
                    if self.eat(if object { '}' } else { ']' }).is_none() {
                        open.push(object.then(HashSet::new));
                        self.name(open.last_mut()?.as_mut())?;
                        continue;
                    }
                }
                '"' => {
                    self.string()?;
                }
                _ => self.scalar()?,
            }
            // Behind a value: everything that ends with it, then the next.
            loop {
                let Some(last) = open.last_mut() else { return Some(()) };
                self.blank()?;
                if self.eat(',').is_some() {
                    self.blank()?;
                    self.name(last.as_mut())?;
                    break;
                }
                self.eat(if last.is_some() { '}' } else { ']' })?;
                open.pop();
            }
        }
    }

    /// Goes behind the name of a member, if it is an object's.
    fn name(&mut self, names: Option<&mut HashSet<Cow<'t, str>>>) -> Option<()> {
        let Some(names) = names else { return Some(()) };
        let name = self.string()?;
        if !names.insert(name) {
            return None;
        }
        self.blank()?;
        self.eat(':')?;
        self.blank()
    }

    /// Goes behind a number, `true`, `false` or `null`.
    fn scalar(&mut self) -> Option<()> {
        let rest = &self.text[self.at..];
        if let Some(word) = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word)) {
            self.at += word.len();
            return Some(());
        }
        let bytes = rest.as_bytes();
        let digits = |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
        let mut end = usize::from(bytes.first() == Some(&b'-'));
        let whole = digits(end);
        if whole == 0 || (whole > 1 && bytes.get(end) == Some(&b'0')) {
            return None;
        }
        end += whole;
        if bytes.get(end) == Some(&b'.') {
            end += 1 + Some(digits(end + 1)).filter(|count| *count > 0)?;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            end += 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            end += Some(digits(end)).filter(|count| *count > 0)?;
        }
        self.at += end;
        Some(())
    }

    /// The text in quotes that begins here.
    fn string(&mut self) -> Option<Cow<'t, str>> {
        self.eat('"')?;
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        loop {
            match bytes.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
        let plain = self.text.get(start..self.at)?;
        self.at += 1;
        if !escaped {
            return Some(Cow::Borrowed(plain));
        }
        serde_json::from_str::<String>(self.text.get(start - 1..self.at)?).ok().map(Cow::Owned)
    }

    /// Goes behind blanks and comments.
    fn blank(&mut self) -> Option<()> {
        loop {
            let rest = self.text.get(self.at..)?;
            let left = rest.trim_start_matches([' ', '\t', '\r', '\n']);
            self.at += rest.len() - left.len();
            if let Some(comment) = left.strip_prefix("/*") {
                self.at += 4 + comment.find("*/")?;
            } else if left.starts_with("//") {
                self.at += left.find('\n').unwrap_or(left.len());
            } else {
                return Some(());
            }
        }
    }

    fn next(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn eat(&mut self, wanted: char) -> Option<()> {
        (self.next()? == wanted).then(|| self.at += wanted.len_utf8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(document: &str, path: &str) -> Option<String> {
        member(&Value::text(document), path).map(|value| value.to_string())
    }

    #[test]
    fn paths_are_read_step_by_step() {
        let name = |name: &str| Step::Name(name.to_owned(), true);
        let quoted = |name: &str| Step::Name(name.to_owned(), false);
        assert_eq!(steps("a.b[0].c"), Some(vec![name("a"), name("b"), Step::At(0), name("c")]));
        assert_eq!(steps("$['a.b'][ 1 ]"), Some(vec![quoted("a.b"), Step::At(1)]));
        assert_eq!(steps(r#"$["it\"s"]['']"#), Some(vec![quoted("it\"s"), quoted("")]));
        assert_eq!((steps(""), steps("$"), steps("$.")), (Some(vec![]), Some(vec![]), Some(vec![])));
        for faulty in ["$a", ".a", "a.", "a..b", "a]", "[-1]", "[]", "[a]", "['a'", "['a'x]", "[1]b", "a[0:1]", "*["] {
            assert_eq!(steps(faulty), None, "{faulty}");
        }
    }

    #[test]
    fn of_a_name_that_stands_twice_the_first_counts_if_no_more_is_read() {
        assert_eq!(of(r#"{"a": 1, "a": 2}"#, "a").as_deref(), Some("1"));
        assert_eq!(of(r#"{"x": 1, "x": 2, "a": 3}"#, "a"), None);
        assert_eq!(of(r#"{"x": {"y": 1, "y": 2}, "a": 3}"#, "a"), None);
        assert_eq!(of(r#"{"a": {"y": 1, "y": 2}}"#, "a"), None);
        assert_eq!(of(r#"{"a": {"y": 1}, "b": {"y": 1}}"#, "b.y").as_deref(), Some("1"));
        assert_eq!(of(r#"{"a": 1, "\u0061": 2, "b": 3}"#, "b"), None);
    }

    #[test]
    fn nothing_is_read_behind_what_is_found() {
        assert_eq!(of(r#"{"a": 1, broken"#, "a").as_deref(), Some("1"));
        assert_eq!(of(r#"{"a": "x" broken"#, "a").as_deref(), Some("x"));
        assert_eq!(of(r#"{broken, "a": 1}"#, "a"), None);
        assert_eq!(of(r#"{"a": 01}"#, "a"), None);
        assert_eq!(of("", "a"), None);
        assert_eq!(of("[1, 2", "[1]").as_deref(), Some("2"));
        assert_eq!(of("[1]", "[1]"), None);
        assert_eq!(of("[]", "[0]"), None);
    }

    #[test]
    fn values_are_as_they_are_written() {
        let document = r#"{ /* c */ "n": 1.50e+2, // more
          "o": {"b" : [1,  2]}, "t": true, "z": null, "s": "a\nb", "e": ""}"#;
        assert_eq!(of(document, "n").as_deref(), Some("1.50e+2"));
        assert_eq!(of(document, "o").as_deref(), Some(r#"{"b" : [1,  2]}"#));
        assert_eq!(of(document, "o.b[1]").as_deref(), Some("2"));
        assert_eq!(of(document, "t").as_deref(), Some("true"));
        assert_eq!(of(document, "s").as_deref(), Some("a\nb"));
        assert_eq!(of(document, "e").as_deref(), Some(""));
        assert_eq!((of(document, "z"), of(document, "n.x"), of(document, "none")), (None, None, None));
        assert_eq!(of("\"x\"", "$").as_deref(), Some("x"));
    }

    #[test]
    fn deep_documents_end_somewhere() {
        let deep = format!("{{\"x\": {}{}, \"a\": 1}}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(of(&deep, "a"), None);
        assert_eq!(of(&"[".repeat(100_000), "a"), None);
    }
}
