//! Splunk's tests: a list of named tests with the attack data that each runs over.
//!
//! What passes is what Splunk's own test tool lets pass: at least one row, every risk object filled in every row, the
//! threat objects filled in some. Timestamps are not moved to today (`update_timestamp`): a test runs at the time of
//! its newest event instead, which comes to the same.

use std::sync::Arc;

use lurcher_diagnostics::SourceFile;
use lurcher_ir::Rule;
use lurcher_schema::{Object, Value};

use super::{Expected, Mark, RuleName, TestCase, TestData};
use crate::node::Node;

/// The `tests` of a detection's own file.
pub(super) fn of_rule(rule: &Rule) -> Vec<TestCase> {
    let meta = &rule.meta;
    let extra = |name: &str| meta.extra.get(name).and_then(Value::as_text).unwrap_or_default().trim().to_owned();
    // Tests are marked as manual in `tags`, or in the test itself.
    let manual = [extra("tags.manual_test"), extra("manual_test")].into_iter().find(|reason| !reason.is_empty());
    let Some(tests) = meta.extra.get("tests") else { return Vec::new() };
    let of_test = |test: &Value| {
        let Value::Object(test) = test else { return None };
        let mut case = case(&meta.path, RuleName::Is(meta.id.to_string()), test);
        if let (Some(reason), Mark::Run) = (&manual, &case.mark) {
            case.mark = Mark::Skip(format!("it is a manual test: {reason}"));
        }
        Some(case)
    };
    tests.elements().filter_map(of_test).collect()
}

/// A file of tests whose `file` names the detection, below the folder of all detections.
pub(super) fn of_file(file: &Arc<SourceFile>, document: &Node) -> Vec<TestCase> {
    let of_test = |node: &Node| {
        let Value::Object(test) = node.to_value() else { return None };
        let rule = RuleName::Is(text(&test, "file"));
        let line = file.position(node.span.start).line;
        Some(TestCase { line, ..case(file.name(), rule, &test) })
    };
    document.items("tests").iter().filter_map(of_test).collect()
}

fn text(object: &Object, name: &str) -> String {
    object.get(name).map(ToString::to_string).unwrap_or_default().trim().to_owned()
}

fn case(path: &str, rule: RuleName, test: &Object) -> TestCase {
    let data = test.get("attack_data").into_iter().flat_map(Value::elements).filter_map(|data| match data {
        Value::Object(data) => Some(TestData::Published {
            url: text(data, "data"),
            source: text(data, "source"),
            sourcetype: text(data, "sourcetype"),
        }),
        _ => None,
    });
    let manual = text(test, "manual_test");
    // `@count_gt(N)`: more than N rows. No other condition is published.
    let more_than = text(test, "pass_condition");
    let more_than = more_than.strip_prefix("@count_gt(").and_then(|rest| rest.strip_suffix(')'));
    let min = more_than.and_then(|number| number.trim().parse::<u64>().ok()).map_or(1, |number| number + 1);
    let data: Vec<TestData> = data.collect();
    let mark = match () {
        () if !manual.is_empty() => Mark::Skip(format!("it is a manual test: {manual}")),
        () if data.is_empty() => Mark::Skip("it names no attack data".to_owned()),
        () => Mark::Run,
    };
    TestCase {
        rule,
        name: text(test, "name"),
        path: path.to_owned(),
        line: 1,
        form: "splunk",
        data,
        expected: Expected { objects_filled: true, ..Expected::at_least(min) },
        mark,
        any_source: false,
    }
}
