//! For programs: one JSON object. Its members are described in `docs/testing-rules.md`.

use std::io::{self, Write};

use serde_json::{Value as Json, json};

use super::rule_name;
use crate::testing::{Coverage, Outcomes, TestResult, Verdict};

/// Writes the report.
pub(in crate::testing) fn json(out: &mut dyn Write, outcomes: &Outcomes) -> io::Result<()> {
    let mut document = json!({
        "tests": outcomes.results.len(),
        "passed": outcomes.count("passed"),
        "failed": outcomes.count("failed"),
        "pending": outcomes.count("pending"),
        "skipped": outcomes.count("skipped"),
        "not_run": outcomes.count("not run"),
        "seconds": outcomes.time.as_secs_f64(),
        "results": outcomes.results.iter().map(one).collect::<Vec<_>>(),
    });
    if let Some(coverage) = &outcomes.coverage {
        document["coverage"] = self::coverage(coverage);
    }
    writeln!(out, "{document}")
}

fn one(result: &TestResult) -> Json {
    let (differences, why, reason) = match &result.verdict {
        Verdict::Passed => (Vec::new(), Vec::new(), None),
        Verdict::Failed(failure) => (failure.differences.clone(), failure.why.clone(), None),
        Verdict::Pending(reason) | Verdict::Skipped(reason) | Verdict::Unrun(reason) => {
            (Vec::new(), Vec::new(), Some(reason.clone()))
        }
    };
    let rule = result.rule.as_ref();
    json!({
        "rule": {
            "id": rule.map(|rule| rule.meta.id.to_string()),
            "name": rule_name(result),
            "path": rule.map(|rule| rule.meta.path.clone()),
        },
        "name": result.case.name,
        "form": result.case.form,
        "path": result.case.path,
        "line": result.case.line,
        "verdict": result.verdict.word().replace(' ', "_"),
        "reason": reason,
        "differences": differences,
        "why": why,
        "events": result.events,
        "alerts": result.alerts,
        "milliseconds": result.time.as_secs_f64() * 1e3,
    })
}

fn coverage(coverage: &Coverage) -> Json {
    json!({
        "rules": coverage.rules,
        "untested": coverage.untested.iter().map(|(path, name)| json!({"path": path, "name": name})).collect::<Vec<_>>(),
        "cannot_run": coverage
            .unrun
            .iter()
            .map(|(path, name, reason)| json!({"path": path, "name": name, "reason": reason}))
            .collect::<Vec<_>>(),
    })
}
