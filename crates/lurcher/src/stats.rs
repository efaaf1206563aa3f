//! The figures of a run, as `--stats` writes them.

use std::{collections::BTreeMap, fs, path::Path, time::Instant};

use serde_json::json;

/// Seconds by stage and counts, gathered while a command runs.
#[derive(Debug)]
pub(crate) struct Stats {
    start: Instant,
    counts: BTreeMap<&'static str, serde_json::Value>,
}

impl Stats {
    /// Starts the clock. Fails if the figures could not be written to this file, before any work is done for them.
    pub(crate) fn start_for(path: Option<&Path>) -> Result<Self, String> {
        if let Some(path) = path {
            fs::File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(Self { start: Instant::now(), counts: BTreeMap::new() })
    }

    /// Sets a figure.
    pub(crate) fn set(&mut self, name: &'static str, figure: impl Into<serde_json::Value>) {
        self.counts.insert(name, figure.into());
    }

    /// Seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Writes everything as one JSON object.
    pub(crate) fn write(mut self, path: &Path) -> Result<(), String> {
        self.set("seconds", self.seconds());
        self.set("peak_resident_bytes", peak_resident_bytes());
        let text = json!(self.counts).to_string() + "\n";
        fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// The most memory that this process has held, from the kernel's books; 0 where they cannot be read.
fn peak_resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
