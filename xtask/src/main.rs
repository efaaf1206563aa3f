//! The gate, the tidy checks and the benchmark harness: `cargo xtask <task>`.
//!
//! Plain Rust instead of shell scripts, so that it runs wherever Lurcher builds. It knows the workspace only from the
//! outside: through cargo, git and the files.
#![allow(clippy::print_stdout, reason = "a command-line tool prints")]

mod bench;
mod ci;
mod corpus;
mod coverage;
mod dependencies;
mod tidy;
mod torture;

use std::{path::PathBuf, process::ExitCode};

const USAGE: &str = "usage: cargo xtask TASK

  ci                  everything the gate checks: format, lints, tests, docs, tidy, dependencies
  tidy                file and function sizes, headers, module names
  dependencies        direction of the crates, licences of what they use
  corpus FOLDER [--events N] [--seed N] [--spacing N] [--pace N]
                      office background with attacks planted at known places, as event XML and flat JSON
  coverage [splunk|elastic]
                      which published rules fire on which recorded attack: docs/spl-coverage.md, docs/elastic-coverage.md
  bench [--events N] [--quick]
                      times the release binary and appends to bench/runs/
  torture --binary PATH [--rounds N] [--trials kill,stall,poison,slow,clock,full]
                      kills, starves and deceives a server under load, and checks what it has afterwards
  endurance --binary PATH [--minutes N] [--percent N] [--rules FOLDER]...
                      minutes of load at a share of the processors: losses, latency, memory, to bench/runs/
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) = arguments.split_first().map_or(("", &[][..]), |(task, rest)| (task.as_str(), rest));
    let result = match task {
        "ci" => ci::run(),
        "tidy" => tidy::run(),
        "dependencies" => dependencies::run(),
        "corpus" => corpus::run(rest),
        "coverage" => coverage::run(rest),
        "bench" => bench::run(rest),
        "torture" => torture::run(rest),
        "endurance" => torture::endurance::run(rest),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// The value behind a flag, read as a number.
fn number(arguments: &[String], flag: &str, default: u64) -> Result<u64, String> {
    match arguments.iter().position(|argument| argument == flag) {
        None => Ok(default),
        Some(at) => arguments
            .get(at + 1)
            .and_then(|value| value.replace('_', "").parse().ok())
            .ok_or_else(|| format!("{flag} takes a whole number")),
    }
}
