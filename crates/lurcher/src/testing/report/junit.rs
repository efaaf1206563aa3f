//! `JUnit`'s XML, as build servers read it: one `testsuite` a rule, one `testcase` a test.
//!
//! There is no official schema; what all readers agree on is the schema of Jenkins' xUnit plugin, and this keeps to it:
//! the elements and attributes, their order, and counts that add up. A test in the repository checks that.

use std::io::{self, Write};

use super::{details, plain, rule_name};
use crate::testing::{Outcomes, TestResult, Verdict};

/// Writes the report.
pub(in crate::testing) fn junit(out: &mut dyn Write, outcomes: &Outcomes) -> io::Result<()> {
    let mut suites: Vec<(String, Vec<&TestResult>)> = Vec::new();
    for result in &outcomes.results {
        let name = rule_name(result);
        match suites.last_mut() {
            Some((known, results)) if *known == name => results.push(result),
            _ => suites.push((name, vec![result])),
        }
    }
    let all: Vec<&TestResult> = outcomes.results.iter().collect();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"lurcher test\" {}>", Counts::of(&all).attributes(false))?;
    for (name, results) in &suites {
        writeln!(out, "  <testsuite name={} {}>", attribute(name), Counts::of(results).attributes(true))?;
        for result in results {
            case(out, name, result)?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn case(out: &mut dyn Write, suite: &str, result: &TestResult) -> io::Result<()> {
    let seconds = result.time.as_secs_f64();
    write!(
        out,
        "    <testcase name={} classname={} time=\"{seconds:.6}\" file={} line=\"{}\"",
        attribute(&result.case.name),
        attribute(suite),
        attribute(&result.case.path),
        result.case.line
    )?;
    let lines = details(result);
    let first = attribute(lines.first().map_or("", String::as_str));
    let body = || text(&lines.join("\n"));
    match &result.verdict {
        Verdict::Passed => return writeln!(out, "/>"),
        Verdict::Failed(_) => {
            writeln!(out, ">\n      <failure message={first} type=\"expectation\">{}</failure>", body())?;
        }
        Verdict::Unrun(_) => writeln!(out, ">\n      <error message={first} type=\"not-run\">{}</error>", body())?,
        Verdict::Pending(_) | Verdict::Skipped(_) => writeln!(out, ">\n      <skipped message={first}/>")?,
    }
    writeln!(out, "    </testcase>")
}

/// How many of each.
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    seconds: f64,
}

impl Counts {
    fn of(results: &[&TestResult]) -> Self {
        let number = |words: &[&str]| results.iter().filter(|result| words.contains(&result.verdict.word())).count();
        Self {
            tests: results.len(),
            failures: number(&["failed"]),
            errors: number(&["not run"]),
            skipped: number(&["skipped", "pending"]),
            seconds: results.iter().map(|result| result.time.as_secs_f64()).sum(),
        }
    }

    /// `testsuites` has no attribute `skipped`.
    fn attributes(&self, with_skipped: bool) -> String {
        let Self { tests, failures, errors, skipped, seconds } = self;
        let skipped = if with_skipped { format!(" skipped=\"{skipped}\"") } else { String::new() };
        format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"{skipped} time=\"{seconds:.6}\"")
    }
}

fn attribute(value: &str) -> String {
    format!("\"{}\"", escaped(&plain(value)).replace('"', "&quot;"))
}

fn text(value: &str) -> String {
    value.split('\n').map(|line| escaped(&plain(line))).collect::<Vec<_>>().join("\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
