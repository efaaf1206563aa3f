//! The command line: one module per command, each a short list of calls into the other crates.
#![allow(clippy::print_stdout, reason = "a command-line tool prints")]
// `test` and `text`, `name` and `named` are both the right word, often side by side.
#![allow(clippy::similar_names)]

mod arguments;
mod check;
mod config;
mod doctor;
mod event;
mod explain;
mod hunt;
mod inference;
mod inventory;
mod outcome;
mod progress;
mod query;
#[cfg(feature = "serve")]
mod replay;
mod risk;
mod rules;
mod scan;
#[cfg(feature = "serve")]
mod serve;
mod simulate;
mod stats;
mod tables;
mod testing;
mod why;

use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser as _;
use outcome::Outcome;

/// Events are many small pieces of memory, and the system's allocator spent a third of the detector's time on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(not(feature = "serve"))]
const NO_LIVE_ENGINE: &str = "this build has no live engine: build with --features serve";

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no mistakes; everything else ran nothing.
            let code = if error.use_stderr() { Outcome::NothingRan } else { Outcome::Complete };
            let _ = error.print();
            return code.into();
        }
    };
    let result = match &arguments.command {
        Command::Hunt(hunt) => hunt::run(hunt),
        Command::Check(check) => check::run(check),
        Command::Query(query) => query::run(query),
        Command::Event(event) => event::run(event),
        Command::Inventory(inventory) => inventory::run(inventory),
        Command::Test(test) => testing::run(test),
        Command::Explain(explain) => explain::run(explain),
        Command::Doctor(doctor) => doctor::run(doctor),
        #[cfg(feature = "serve")]
        Command::Serve(serve) => serve::run(serve),
        #[cfg(not(feature = "serve"))]
        Command::Serve(_) => Err(NO_LIVE_ENGINE.into()),
        #[cfg(feature = "serve")]
        Command::Replay(replay) => replay::run(replay),
        #[cfg(not(feature = "serve"))]
        Command::Replay(_) => Err(NO_LIVE_ENGINE.into()),
        #[cfg(feature = "serve")]
        Command::State(state) => serve::state(state),
        #[cfg(not(feature = "serve"))]
        Command::State(_) => Err(NO_LIVE_ENGINE.into()),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(message) => {
            eprintln!("lurcher: {message}");
            Outcome::NothingRan.into()
        }
    }
}
