//! TAP 14, the Test Anything Protocol: one line a test, details as YAML below it.

use std::io::{self, Write};

use super::{details, plain, rule_name};
use crate::testing::{Outcomes, Verdict};

/// Writes the report.
pub(in crate::testing) fn tap(out: &mut dyn Write, outcomes: &Outcomes) -> io::Result<()> {
    writeln!(out, "TAP version 14\n1..{}", outcomes.results.len())?;
    for (number, result) in outcomes.results.iter().enumerate() {
        let name = escaped(&format!("{} › {}", rule_name(result), result.case.name));
        let number = number + 1;
        match &result.verdict {
            Verdict::Passed => writeln!(out, "ok {number} - {name}")?,
            Verdict::Skipped(reason) => writeln!(out, "ok {number} - {name} # SKIP {}", escaped(reason))?,
            Verdict::Pending(reason) => writeln!(out, "not ok {number} - {name} # TODO {}", escaped(reason))?,
            Verdict::Failed(_) | Verdict::Unrun(_) => {
                writeln!(out, "not ok {number} - {name}\n  ---")?;
                writeln!(out, "  at: {}", quoted(&format!("{}:{}", result.case.path, result.case.line)))?;
                writeln!(out, "  message: |-")?;
                for line in details(result).iter().flat_map(|detail| detail.split('\n')) {
                    writeln!(out, "    {}", plain(line))?;
                }
                writeln!(out, "  ...")?;
            }
        }
    }
    Ok(())
}

/// A `#` would begin a directive.
fn escaped(text: &str) -> String {
    plain(text).replace('\\', "\\\\").replace('#', "\\#")
}

/// A scalar of YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(plain(text)).to_string()
}
