//! The one gate. Everything that must hold before a change lands, cheapest first.

use std::process::Command;

use crate::{dependencies, root, tidy};

/// What a first build leaves out.
const WHOLE: &str = "lurcher/serve";

/// Runs all checks and names every one that failed.
pub(crate) fn run() -> Result<(), String> {
    let mut failed = Vec::new();
    let mut check = |name: &str, passed: bool| {
        println!("{} {name}", if passed { "ok    " } else { "FAILED" });
        if !passed {
            failed.push(name.to_owned());
        }
    };
    check("format", cargo(&["fmt", "--all", "--check"], &[]));
    check("tidy", said(tidy::run()));
    check("dependencies", said(dependencies::run()));
    check("tests", cargo(&["test", "--workspace", "--all-targets", "--features", WHOLE, "--quiet"], &[]));
    check("doc tests", cargo(&["test", "--workspace", "--doc", "--features", WHOLE, "--quiet"], &[]));
    let lints = ["clippy", "--workspace", "--all-targets", "--features", WHOLE, "--quiet", "--", "-D", "warnings"];
    check("lints", cargo(&lints, &[]));
    let docs = ["doc", "--workspace", "--no-deps", "--features", WHOLE, "--quiet"];
    check("docs", cargo(&docs, &[("RUSTDOCFLAGS", "-D warnings")]));
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

fn said(result: Result<(), String>) -> bool {
    result.map_err(|message| eprintln!("{message}")).is_ok()
}

fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> bool {
    let mut command = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    command.args(arguments).envs(environment.iter().copied()).current_dir(root());
    command.status().is_ok_and(|status| status.success())
}
