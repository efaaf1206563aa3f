//! For people: what failed, with its reasons; what was left out, by reason; a closing count.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{details, plain, rule_name};
use crate::{
    outcome::{count, few},
    testing::{Coverage, Outcomes, TestResult, Verdict},
};

/// Writes the report. `verbose` also names the tests that passed, and all that were left out.
pub(in crate::testing) fn text(out: &mut dyn Write, outcomes: &Outcomes, verbose: bool) -> io::Result<()> {
    for result in &outcomes.results {
        let shown = match &result.verdict {
            Verdict::Failed(_) => true,
            Verdict::Passed | Verdict::Pending(_) | Verdict::Skipped(_) | Verdict::Unrun(_) => verbose,
        };
        if shown {
            one(out, result)?;
        }
    }
    if !verbose {
        left_out(out, outcomes)?;
    }
    for result in &outcomes.results {
        if matches!(&result.case.mark, lurcher_content::Mark::Pending(_)) && result.verdict == Verdict::Passed {
            writeln!(out, "note: {}: {} is marked as pending and passes", place(result), plain(&result.case.name))?;
        }
    }
    if let Some(coverage) = &outcomes.coverage {
        self::coverage(out, coverage, verbose)?;
    }
    let total = count(outcomes.results.len() as u64, "test");
    let words = ["passed", "failed", "pending", "skipped", "not run"];
    let counts: Vec<String> = words
        .into_iter()
        .map(|word| (word, outcomes.count(word)))
        .filter(|(word, number)| *number > 0 || *word == "passed")
        .map(|(word, number)| format!("{number} {word}"))
        .collect();
    let spent = outcomes.results.iter().map(|result| result.time).sum::<std::time::Duration>().as_secs_f64() * 1e3;
    let each = spent / (outcomes.results.len().max(1) as f64);
    writeln!(out, "{total}: {} in {:.1} s ({each:.1} ms a test)", counts.join(", "), outcomes.time.as_secs_f64())
}

fn place(result: &TestResult) -> String {
    format!("{}:{}", plain(&result.case.path), result.case.line)
}

fn one(out: &mut dyn Write, result: &TestResult) -> io::Result<()> {
    let milliseconds = result.time.as_secs_f64() * 1e3;
    let name = plain(&result.case.name);
    writeln!(out, "{:8} {} › {name}  ({milliseconds:.1} ms)", result.verdict.word(), plain(&rule_name(result)))?;
    if result.verdict == Verdict::Passed {
        return Ok(());
    }
    writeln!(out, "         {}", place(result))?;
    for line in details(result) {
        writeln!(out, "         {}", line.replace('\n', "\n         "))?;
    }
    writeln!(out)
}

/// What was left out, by reason.
fn left_out(out: &mut dyn Write, outcomes: &Outcomes) -> io::Result<()> {
    let mut by_reason: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
    for result in &outcomes.results {
        if let Verdict::Skipped(reason) | Verdict::Pending(reason) | Verdict::Unrun(reason) = &result.verdict {
            // What is different in every reason stands behind the colon; of what is nobody's fault that is enough.
            let unrun = matches!(result.verdict, Verdict::Unrun(_));
            let reason = if unrun { reason } else { reason.split(": ").next().unwrap_or(reason) }.to_owned();
            by_reason.entry((result.verdict.word(), reason)).or_default().push(format!(
                "{} › {}",
                plain(&rule_name(result)),
                plain(&result.case.name)
            ));
        }
    }
    for ((word, reason), names) in &by_reason {
        let names = few(names.iter().map(String::as_str));
        writeln!(
            out,
            "{word}: {} ({}):{names}",
            plain(reason),
            count(by_reason[&(*word, reason.clone())].len() as u64, "test")
        )?;
    }
    if !by_reason.is_empty() {
        writeln!(out, "(--verbose names each)")?;
    }
    Ok(())
}

fn coverage(out: &mut dyn Write, coverage: &Coverage, verbose: bool) -> io::Result<()> {
    let tested = coverage.rules.saturating_sub(coverage.untested.len());
    writeln!(out, "coverage: {tested} of {} have a test", count(coverage.rules as u64, "rule"))?;
    let shown = if verbose { coverage.untested.len() } else { 20 };
    for (path, name) in coverage.untested.iter().take(shown) {
        writeln!(out, "  no test     {}  {}", plain(path), plain(name))?;
    }
    if coverage.untested.len() > shown {
        writeln!(out, "  … and {} more (--verbose names each)", coverage.untested.len() - shown)?;
    }
    for (path, name, reason) in &coverage.unrun {
        writeln!(out, "  cannot run  {}  {}: {}", plain(path), plain(name), plain(reason))?;
    }
    Ok(())
}
