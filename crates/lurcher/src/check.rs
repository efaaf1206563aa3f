//! `lurcher check`: whether each rule runs as at its vendor's.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::PathBuf,
};

use lurcher_content::{CheckRecord, Pack};
use lurcher_diagnostics::render;

use crate::{
    arguments::{Check, CheckFormat},
    config::Config,
    outcome::{Outcome, count, written},
    rules,
};

/// Loads the rules and says what became of each.
pub(crate) fn run(arguments: &Check) -> Result<Outcome, String> {
    let config = Config::load(&arguments.site)?;
    if let Some(path) = &config.geoip {
        // A rule that needs it is said to run exactly.
        lurcher_enrich::open(path)?;
    }
    let (schemas, pack_faults) = rules::schemas(&config);
    let paths: Vec<PathBuf> = arguments.files.iter().chain(&arguments.more).cloned().collect();
    let pack = rules::pack(&paths, &config, &schemas);
    let selection = rules::selection(&arguments.selection)?;
    let checks: Vec<&CheckRecord> = pack
        .rules
        .iter()
        .zip(&pack.checks)
        .filter(|(rule, _)| selection.selects_rule(rule))
        .map(|(_, check)| check)
        .collect();
    match arguments.format {
        CheckFormat::Text => rules::tell(&pack.diagnostics),
        CheckFormat::Json => rules::tell_errors(&pack),
        CheckFormat::Sarif | CheckFormat::Github => {}
    }
    written(write(&mut io::BufWriter::new(io::stdout().lock()), arguments, &pack, &checks))?;
    rules::tell_problems(&pack);
    if checks.is_empty() {
        return Err("no rules found".into());
    }
    let faulty = checks.iter().any(|check| matches!(check.verdict, "unsupported" | "error"));
    Ok(Outcome::of(faulty || pack_faults || !pack.problems.is_empty()))
}

fn write(out: &mut impl Write, arguments: &Check, pack: &Pack, checks: &[&CheckRecord]) -> io::Result<()> {
    match arguments.format {
        CheckFormat::Text => text(out, pack, checks, arguments.verbose)?,
        CheckFormat::Json => {
            for check in checks {
                writeln!(out, "{}", serde_json::to_string(check)?)?;
            }
        }
        CheckFormat::Sarif => writeln!(out, "{}", render::sarif(&pack.diagnostics))?,
        CheckFormat::Github => {
            for diagnostic in &pack.diagnostics {
                writeln!(out, "{}", render::github(diagnostic))?;
            }
        }
    }
    out.flush()
}

fn text(out: &mut impl Write, pack: &Pack, checks: &[&CheckRecord], verbose: bool) -> io::Result<()> {
    for check in checks.iter().filter(|check| verbose || check.verdict != "exact" || !check.exceptions.is_empty()) {
        writeln!(out, "{:12} {}  {}", check.verdict, check.path, check.name)?;
        for reason in &check.reasons {
            writeln!(out, "{:12} {}:{}: {}", "", reason.line, reason.column, reason.message)?;
        }
        if !check.exceptions.is_empty() {
            writeln!(out, "{:12} exceptions: {}", "", check.exceptions.join(", "))?;
        }
    }
    let mut tally: BTreeMap<(&str, &str), BTreeMap<&str, u64>> = BTreeMap::new();
    for check in checks {
        *tally.entry((check.vendor, check.language)).or_default().entry(check.verdict).or_default() += 1;
    }
    writeln!(
        out,
        "{:10} {:8} {:>7} {:>12} {:>12} {:>7}",
        "vendor", "language", "exact", "approximate", "unsupported", "error"
    )?;
    for ((vendor, language), verdicts) in &tally {
        let of = |verdict| verdicts.get(verdict).copied().unwrap_or(0);
        let figures = (of("exact"), of("approximate"), of("unsupported"), of("error"));
        writeln!(
            out,
            "{vendor:10} {language:8} {:>7} {:>12} {:>12} {:>7}",
            figures.0, figures.1, figures.2, figures.3
        )?;
    }
    write!(out, "{} in {}", count(checks.len() as u64, "rule"), count(pack.files as u64, "file"))?;
    let others: Vec<String> = pack.skipped.iter().map(|(what, found)| format!("{found} {what}")).collect();
    match others.as_slice() {
        [] => writeln!(out),
        others => writeln!(out, "; no rules: {}", others.join(", ")),
    }
}
