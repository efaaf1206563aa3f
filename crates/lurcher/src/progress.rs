//! A progress bar on long sweeps, when somebody is looking.

use std::{io::IsTerminal as _, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

/// The exit code of a program that was stopped from the keyboard, as shells have it.
pub(crate) const STOPPED: i32 = 130;

/// A bar over so many bytes of input; hidden if standard error is no terminal or the user wants quiet.
pub(crate) fn bar(bytes: u64, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(bytes);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes}  {binary_bytes_per_sec}  {eta} left  {msg}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    clear_when_stopped(&bar);
    bar
}

/// Ctrl-C takes the bar away before the program ends, so that the prompt does not come up behind it.
fn clear_when_stopped(bar: &ProgressBar) {
    let bar = bar.clone();
    // A second bar, or a platform without signals, leaves things as they were.
    let _ = ctrlc::set_handler(move || {
        bar.finish_and_clear();
        std::process::exit(STOPPED);
    });
}

/// The last part of a path, safe to print: a bar has room for no more, and members of archives have names that
/// somebody else chose.
pub(crate) fn short(path: &str) -> String {
    let last = path.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(path);
    last.chars().filter(|character| !character.is_control()).take(60).collect()
}
