//! `lurcher state`: backups and checks of the folder of state, while no server works in it.

use std::{future::Future, path::Path, sync::Arc};

use lurcher_live::offline::{Checked, Offline};
use lurcher_schema::{Clock, SystemClock};
use lurcher_server::backup::{self, Manifest};

use crate::{
    arguments::{State, StatePlace},
    outcome::Outcome,
};

/// Does what was asked, and says what is there now.
pub(crate) fn run(state: &State) -> Result<Outcome, String> {
    let (State::Backup { place, .. } | State::Restore { place, .. } | State::Check { place, .. }) = state;
    let StatePlace { state: named, config } = place;
    let (file, mut server, settings) = super::settings(config.as_deref())?;
    server.state = absolute(named.as_deref().unwrap_or(&server.state))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let offline = Offline { server: &server, settings: &settings, clock: &clock };
    match state {
        State::Backup { into, events, .. } => {
            let manifest = wait(offline.back_up(file.as_deref(), *events, &absolute(into)?))?;
            println!("backed up to {}", into.display());
            tell(&manifest);
            Ok(Outcome::Complete)
        }
        State::Restore { backup, .. } => {
            let (manifest, checked) = wait(offline.restore(&absolute(backup)?))?;
            println!("restored to {}", server.state.display());
            tell(&manifest);
            if manifest.files.contains_key("lurcher.toml") {
                println!("  the settings are in no place of their own: see {}", backup.join("lurcher.toml").display());
            }
            Ok(Outcome::of(tell_checked(&checked)))
        }
        State::Check { backup: Some(backup), .. } => {
            let manifest = backup::verify(&absolute(backup)?)?;
            println!("{} is whole", backup.display());
            tell(&manifest);
            Ok(Outcome::Complete)
        }
        State::Check { backup: None, .. } if backup::is_backup(&server.state) => {
            Err(format!("{0} is a backup: lurcher state check {0}", server.state.display()))
        }
        State::Check { backup: None, .. } => Ok(Outcome::of(tell_checked(&wait(offline.check())?))),
    }
}

fn absolute(path: &Path) -> Result<std::path::PathBuf, String> {
    std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn wait<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(work)
}

/// What a backup holds, in words.
fn tell(manifest: &Manifest) {
    let of = |folder: &str| {
        let files = manifest.files.iter().filter(|(name, _)| name.starts_with(folder));
        files.fold((0_u64, 0_u64), |(count, bytes), (_, entry)| (count + 1, bytes + entry.bytes))
    };
    println!(
        "  made {} by lurcher {}, version {} of the layout",
        manifest.created, manifest.written_by, manifest.format
    );
    match manifest.files.get("state/triage.db") {
        Some(entry) => println!("  alerts, keys, positions: {} bytes", entry.bytes),
        None => println!("  no database of alerts: PostgreSQL is backed up with its own tools, such as pg_dump"),
    }
    for (folder, what) in [
        ("state/content/", "rules and lists that came over the API"),
        ("state/ingest/", "places in files that are read"),
        ("state/journal/", "the journal"),
        ("state/store/", "tables of events"),
    ] {
        let (files, bytes) = of(folder);
        if files > 0 {
            println!("  {what}: {files} files, {bytes} bytes");
        }
    }
}

/// What a check found; true if something is wrong.
fn tell_checked(checked: &[Checked]) -> bool {
    for part in checked {
        let verdict = if part.faults.is_empty() { "sound" } else { "DAMAGED" };
        println!("  {}: {verdict}{}{}", part.part, if part.holds.is_empty() { "" } else { "; " }, part.holds);
        part.faults.iter().for_each(|fault| eprintln!("lurcher: {}: {fault}", part.part));
    }
    checked.iter().any(|part| !part.faults.is_empty())
}
