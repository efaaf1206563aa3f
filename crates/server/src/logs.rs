//! The server's own log: lines on standard error, for people or as JSON. Secrets are never among them: they are not part
//! of any type that can be printed, and heads and bodies of requests are not logged.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::settings::{LogFormat, LogSettings};

/// The variable of the environment that goes before the settings' level.
const VARIABLE: &str = "LURCHER_LOG";

/// Begins to log. Fails if the level cannot be read or somebody logs already.
pub fn begin(settings: &LogSettings) -> Result<(), String> {
    let level = std::env::var(VARIABLE).unwrap_or_else(|_| settings.level.clone());
    let filter =
        EnvFilter::try_new(ours(&level)).map_err(|error| format!("{VARIABLE} or [server.log] level: {error}"))?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(true);
    let begun = match settings.format {
        LogFormat::Text => registry.with(lines.with_ansi(false)).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    begun.map_err(|error| error.to_string())
}

/// A bare level is meant for what is ours; of the libraries we want to hear when something is wrong.
fn ours(level: &str) -> String {
    let bare = ["error", "warn", "info", "debug", "trace"].contains(&level.trim().to_ascii_lowercase().as_str());
    if bare { format!("warn,lurcher={level}") } else { level.to_owned() }
}
