//! `lurcher serve`: the live engine.
//!
//! The engine itself is `lurcher-server`; here is only what it cannot know: the command line, and how this program loads
//! rules.

mod source;
mod state;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lurcher_live::{ServeOptions, serve, settings::Settings};
use lurcher_schema::SystemClock;
use lurcher_server::{
    content::Content,
    settings::{ServerSettings, Settings as Door},
};

use self::source::Source;
pub(crate) use self::state::run as state;
use crate::{arguments::Serve, config, outcome::Outcome};

/// Serves until it is told to stop.
pub(crate) fn run(arguments: &Serve) -> Result<Outcome, String> {
    let (file, mut server, settings) = settings(arguments.site.config.as_deref())?;
    server.listen = arguments.listen.unwrap_or(server.listen);
    server.state = arguments.state.clone().unwrap_or(server.state);
    let own = Content::new(server.state.join("content"));
    let source = Arc::new(Source::new(arguments.clone(), own));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    let options = ServeOptions { server, settings, settings_file: file, source, clock: Arc::new(SystemClock) };
    runtime.block_on(serve(options))?;
    Ok(Outcome::Complete)
}

/// The settings of the server, and the file that they are from.
fn settings(named: Option<&Path>) -> Result<(Option<PathBuf>, ServerSettings, Settings), String> {
    let standing = || Some(PathBuf::from(config::DEFAULT)).filter(|path| path.exists());
    let file = named.map(Path::to_owned).or_else(standing);
    let (server, settings) = match &file {
        Some(path) => (Door::load(path).map_err(|error| error.to_string())?.server, Settings::load(path)?),
        None => (Door::default().server, Settings::default()),
    };
    Ok((file, server, settings))
}
