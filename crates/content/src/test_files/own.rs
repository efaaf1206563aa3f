//! Lurcher's own form of tests, for rules of every language: YAML, because that is what people who write detections
//! write all day, and because events can be pasted into it in whatever form they came.
//!
//! ```yaml
//! rule: odd_download.toml          # a file, an id or a name; left out: the rule beside, of the same name
//! base:                            # what all events written as maps have in common; `~` takes a field away
//!   Channel: Microsoft-Windows-Sysmon/Operational
//! cases:
//!   - name: a download by bitsadmin
//!     events:
//!       - {EventID: 1, Image: 'C:\Windows\System32\bitsadmin.exe'}
//!     alerts: 1
//! ```
//!
//! Unknown keys are errors: a misspelt `alerts` must not make a test that always passes.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lurcher_diagnostics::{Diagnostic, SourceFile};
use lurcher_schema::Object;
use lurcher_schema::Value;

use super::{Expected, Mark, RuleName, TestCase, TestData};
use crate::node::{Data, Node};

const FILE_KEYS: &str = "a file of tests has rule, route, base, about and cases";
const CASE_KEYS: &str = "a case has name, rule, route, about, events, file, files, alerts, min_alerts, max_alerts, fields, pending and skip";

/// The tests of a file.
pub(super) fn of_file(file: &Arc<SourceFile>, document: &Node, diagnostics: &mut Vec<Diagnostic>) -> Vec<TestCase> {
    let mut reader = Reader { file, diagnostics };
    for (key, node) in document.members() {
        if !["rule", "route", "base", "about", "cases"].contains(&key.as_str()) {
            reader.unknown(key, node, FILE_KEYS);
        }
    }
    let shared = Shared {
        rule: document.get("rule").and_then(Node::scalar),
        any_source: document.get("route").is_some_and(|route| reader.any_source(route)),
        base: document.get("base"),
    };
    let cases = document.items("cases");
    if cases.is_empty() {
        reader.error(document, "there are no cases", "write `cases:` and a list of them");
    }
    cases.iter().filter_map(|case| reader.case(case, &shared)).collect()
}

/// What a file says for all its cases.
struct Shared<'a> {
    rule: Option<String>,
    any_source: bool,
    base: Option<&'a Node>,
}

struct Reader<'a> {
    file: &'a Arc<SourceFile>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn error(&mut self, node: &Node, message: impl Into<String>, help: impl Into<String>) {
        let diagnostic = Diagnostic::error("test-file", message).in_file(self.file).at(node.span, "").with_help(help);
        self.diagnostics.push(diagnostic);
    }

    fn unknown(&mut self, key: &str, node: &Node, keys: &str) {
        self.error(node, format!("unknown key `{key}`"), keys);
    }

    fn any_source(&mut self, node: &Node) -> bool {
        match node.scalar().as_deref() {
            Some("any") => return true,
            Some("strict") => {}
            _ => {
                self.error(node, "a route is strict or any", "`any`: the rule sees every event with its fields");
            }
        }
        false
    }

    fn case(&mut self, node: &Node, shared: &Shared<'_>) -> Option<TestCase> {
        let before = self.diagnostics.len();
        let Data::Map(members) = &node.data else {
            self.error(node, "a case is a map with a name", CASE_KEYS);
            return None;
        };
        let mut case = TestCase {
            rule: self.rule(shared.rule.as_deref()),
            name: String::new(),
            path: self.file.name().to_owned(),
            line: self.file.position(node.span.start).line,
            form: "lurcher",
            data: Vec::new(),
            expected: Expected::at_least(1),
            mark: Mark::Run,
            any_source: shared.any_source,
        };
        for (key, value) in members {
            match key.as_str() {
                "about" => {}
                "name" => case.name = value.scalar().unwrap_or_default(),
                "rule" => case.rule = self.rule(value.scalar().as_deref()),
                "route" => case.any_source = self.any_source(value),
                "events" => case.data.push(TestData::Inline(self.events(value, shared.base))),
                "file" | "files" => self.files(value, &mut case.data),
                "alerts" => self.alerts(value, &mut case.expected),
                "min_alerts" => case.expected.min = self.whole(value),
                "max_alerts" => case.expected.max = Some(self.whole(value)),
                "fields" => self.fields(value, &mut case.expected.fields),
                "pending" => case.mark = Mark::Pending(value.scalar().unwrap_or_default()),
                "skip" => case.mark = Mark::Skip(value.scalar().unwrap_or_default()),
                _ => self.unknown(key, value, CASE_KEYS),
            }
        }
        if case.expected.max.is_some_and(|max| max < case.expected.min) && node.get("min_alerts").is_none() {
            case.expected.min = case.expected.max.unwrap_or_default();
        }
        if case.name.trim().is_empty() {
            self.error(node, "the case has no name", "a name says in a few words what must happen");
        }
        if case.data.is_empty() && !matches!(case.mark, Mark::Skip(_)) {
            self.error(node, "the case has no events", "write `events:` with the events, or `file:` with a path");
        }
        (self.diagnostics.len() == before).then_some(case)
    }

    /// A path if it is one that exists or looks like one; else an id or a name.
    fn rule(&self, name: Option<&str>) -> RuleName {
        let here = Path::new(self.file.name());
        if let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) {
            let path = self.beside(name);
            return if path.is_file() { RuleName::File(path) } else { RuleName::Is(name.to_owned()) };
        }
        let stem = here.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let stem = stem.strip_suffix(".yml").or_else(|| stem.strip_suffix(".yaml")).unwrap_or(&stem);
        RuleName::Beside(here.with_file_name(stem.strip_suffix(".test").unwrap_or(stem)))
    }

    /// A path as written in the file, which is relative to the file's folder.
    fn beside(&self, path: &str) -> PathBuf {
        Path::new(self.file.name()).parent().unwrap_or(Path::new("")).join(path)
    }

    /// Maps become JSON lines, each laid over the base; text stays as it is.
    fn events(&mut self, node: &Node, base: Option<&Node>) -> String {
        let one = std::slice::from_ref(node);
        let items = match &node.data {
            Data::List(items) => items.as_slice(),
            Data::Map(_) | Data::Text(_) => one,
            _ => {
                self.error(node, "events are a list of maps, or text", "text may be JSON lines, event XML, CSV …");
                return String::new();
            }
        };
        let mut text = String::new();
        for item in items {
            match &item.data {
                Data::Map(_) => {
                    let mut event = Object::default();
                    if let Some(base) = base {
                        lay_over(&mut event, base);
                    }
                    lay_over(&mut event, item);
                    text.push_str(&event.to_json().to_string());
                }
                Data::Text(event) => text.push_str(event.trim_end()),
                _ => self.error(item, "an event is a map or text", "text may be a JSON line, event XML …"),
            }
            text.push('\n');
        }
        text
    }

    fn files(&mut self, node: &Node, data: &mut Vec<TestData>) {
        let one = std::slice::from_ref(node);
        let items = if let Data::List(items) = &node.data { items.as_slice() } else { one };
        for item in items {
            let Some(name) = item.scalar() else {
                self.error(item, "a file is a path", "a path, or path#record for one event of it");
                continue;
            };
            let record = name.rsplit_once('#').and_then(|(path, record)| Some((path, record.parse::<u64>().ok()?)));
            let (path, record) = match record {
                Some((path, record)) => (self.beside(path), Some(record)),
                None => (self.beside(&name), None),
            };
            let known = data.iter_mut().find_map(|known| match known {
                TestData::File { path: other, records } if *other == path && !records.is_empty() => Some(records),
                _ => None,
            });
            match (known, record) {
                (Some(records), Some(record)) => records.push(record),
                _ => data.push(TestData::File { path, records: record.into_iter().collect() }),
            }
        }
    }

    /// A number, or a description of each alert.
    fn alerts(&mut self, node: &Node, expected: &mut Expected) {
        if let Data::List(items) = &node.data {
            for item in items {
                let mut fields = Vec::new();
                self.fields(item, &mut fields);
                expected.alerts.push(fields);
            }
            (expected.min, expected.max) = (items.len() as u64, Some(items.len() as u64));
        } else {
            let number = self.whole(node);
            (expected.min, expected.max) = (number, Some(number));
        }
    }

    fn whole(&mut self, node: &Node) -> u64 {
        let number = node.scalar().and_then(|text| text.trim().parse::<u64>().ok());
        if number.is_none() {
            self.error(node, "a whole number is wanted", "`alerts: 0` means that the rule must stay silent");
        }
        number.unwrap_or_default()
    }

    /// Names of fields that must be there, or fields with their values.
    fn fields(&mut self, node: &Node, fields: &mut Vec<(String, Value)>) {
        match &node.data {
            Data::List(items) => {
                fields.extend(items.iter().filter_map(Node::scalar).map(|name| (name, Value::Null)));
            }
            Data::Map(members) => {
                fields.extend(members.iter().map(|(name, value)| (name.clone(), value.to_value())));
            }
            _ => self.error(node, "fields are a list of names, or a map of names and values", "`user: CORP\\ada`"),
        }
    }
}

/// Sets the members of a map in an event; maps in it are laid over maps, null takes a member away.
fn lay_over(event: &mut Object, node: &Node) {
    for (name, value) in node.members() {
        match (&value.data, event.get(name)) {
            (Data::Null, _) => drop(event.remove(name)),
            (Data::Map(_), Some(Value::Object(known))) => {
                let mut merged = known.as_ref().clone();
                lay_over(&mut merged, value);
                event.insert(name.as_str(), Value::Object(Arc::new(merged)));
            }
            _ => event.insert(name.as_str(), value.to_value()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{recognise::TestForm, test_files};

    fn read(text: &str) -> (Vec<TestCase>, Vec<String>) {
        let file = SourceFile::new("rules/odd.test.yml", text);
        let (cases, diagnostics) = test_files::of_file(&file, TestForm::Lurcher);
        let said = diagnostics.iter().map(|d| {
            let line = d.position().map_or(0, |position| position.line);
            format!("{line}: {}", d.message)
        });
        (cases, said.collect())
    }

    #[test]
    fn events_are_laid_over_the_base() {
        let (cases, said) = read(
            "base:\n  a: 1\n  user: {name: ada, id: 7}\ncases:\n- name: x\n  events:\n  - {b: 2}\n  - {a: ~, user: {name: bob}}\n  alerts: 0\n",
        );
        assert_eq!(said, Vec::<String>::new());
        let events = "{\"a\":1,\"user\":{\"name\":\"ada\",\"id\":7},\"b\":2}\n{\"user\":{\"name\":\"bob\",\"id\":7}}\n";
        assert_eq!(cases[0].data, [TestData::Inline(events.into())]);
        assert_eq!((cases[0].expected.min, cases[0].expected.max), (0, Some(0)));
        assert_eq!(cases[0].rule, RuleName::Beside("rules/odd".into()));
        assert_eq!(cases[0].line, 5);
    }

    #[test]
    fn records_of_one_file_are_read_together() {
        let (cases, _) = read("cases:\n- name: x\n  files: [a.xml#1, a.xml#2, b.json]\n");
        let file = |path: &str, records: &[u64]| TestData::File { path: path.into(), records: records.to_vec() };
        assert_eq!(cases[0].data, [file("rules/a.xml", &[1, 2]), file("rules/b.json", &[])]);
        assert_eq!((cases[0].expected.min, cases[0].expected.max), (1, None));
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let (cases, said) =
            read("cases:\n- name: x\n  alert: 0\n  events: [{a: 1}]\n- events: [3]\n- name: y\n  alerts: some\n");
        assert!(cases.is_empty());
        assert_eq!(
            said,
            [
                "3: unknown key `alert`",
                "5: an event is a map or text",
                "5: the case has no name",
                "7: a whole number is wanted",
                "6: the case has no events",
            ]
        );
    }
}
