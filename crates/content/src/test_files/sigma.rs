//! SigmaHQ's regression tests: an `info.yml` beside the events that a rule must find.
//!
//! `match_count` is a minimum; without one the rule must match at least once. `path` is relative to the root of
//! SigmaHQ's repository; the file itself always lies beside `info.yml`, so its name is enough.

use std::{path::Path, sync::Arc};

use lurcher_diagnostics::SourceFile;

use super::{Expected, Mark, RuleName, TestCase, TestData};
use crate::node::Node;

/// The tests of an `info.yml`.
pub(super) fn of_file(file: &Arc<SourceFile>, document: &Node) -> Vec<TestCase> {
    let folder = Path::new(file.name()).parent().unwrap_or(Path::new(""));
    let rules: Vec<String> = document.items("rule_metadata").iter().map(|rule| rule.text("id")).collect();
    let mut cases = Vec::new();
    for test in document.items("regression_tests_info") {
        for rule in &rules {
            let path = test.text("path");
            let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
            let min = test.number("match_count").filter(|count| *count >= 1.0).map_or(1, |count| count as u64);
            let mark = if name.is_empty() { Mark::Skip("it names no events".to_owned()) } else { Mark::Run };
            cases.push(TestCase {
                rule: RuleName::Is(rule.clone()),
                name: test.text("name"),
                path: file.name().to_owned(),
                line: file.position(test.span.start).line,
                form: "sigma",
                data: vec![TestData::File { path: folder.join(name), records: Vec::new() }],
                expected: Expected::at_least(min),
                mark,
                any_source: false,
            });
        }
    }
    cases
}
