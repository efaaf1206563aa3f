//! The four ways to say what came of tests: for people, for `JUnit`'s readers, for TAP's, for programs.

mod json;
mod junit;
mod tap;
mod text;

pub(super) use json::json;
pub(super) use junit::junit;
pub(super) use tap::tap;
pub(super) use text::text;

use super::{TestResult, Verdict};

/// The name of the rule, or what the test calls it.
fn rule_name(result: &TestResult) -> String {
    match &result.rule {
        Some(rule) => rule.meta.name.clone(),
        None => match &result.case.rule {
            lurcher_content::RuleName::Is(name) => name.clone(),
            lurcher_content::RuleName::File(path) | lurcher_content::RuleName::Beside(path) => {
                path.display().to_string()
            }
        },
    }
}

/// What is to be said about a result beyond its verdict, in lines: differences first, then why.
fn details(result: &TestResult) -> Vec<String> {
    match &result.verdict {
        Verdict::Passed => Vec::new(),
        Verdict::Failed(failure) => failure.differences.iter().chain(&failure.why).cloned().collect(),
        Verdict::Pending(reason) | Verdict::Skipped(reason) | Verdict::Unrun(reason) => vec![reason.clone()],
    }
}

/// The text without what XML 1.0 and terminals cannot take.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') { ' ' } else { c }).collect()
}
