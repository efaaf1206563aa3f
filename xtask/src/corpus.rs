//! Corpora for measuring and for the bundled example: a realistic office at work, with attacks planted at known
//! places, to any size. The same seed makes the same events. All of it is invented here.

mod office;
mod random;
mod write;

use std::{fs, io::Write as _, path::Path};

pub(crate) use office::Office;
pub(crate) use write::{time, xml};

use crate::number;

/// One Windows event.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) provider: &'static str,
    pub(crate) guid: &'static str,
    pub(crate) channel: &'static str,
    pub(crate) event_id: u32,
    pub(crate) computer: String,
    pub(crate) number: u64,
    /// Milliseconds since 1970.
    pub(crate) time: u64,
    pub(crate) data: Vec<(&'static str, String)>,
    /// The planted attack that this event is part of.
    pub(crate) attack: Option<&'static str>,
}

/// `xtask corpus FOLDER`: writes `events.xml`, `events.jsonl` and `planted.csv`.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let folder = arguments.first().filter(|first| !first.starts_with('-')).ok_or("corpus: which folder?")?;
    let events = number(arguments, "--events", 10_000)?;
    let seed = number(arguments, "--seed", 1)?;
    let spacing = number(arguments, "--spacing", 4_000)?;
    let pace = number(arguments, "--pace", 1)?;
    let planted = write_out(Path::new(folder), events, Office::new(seed, spacing).paced(pace))?;
    println!("{events} events, {planted} of them planted, in {folder}");
    Ok(())
}

/// Makes a corpus of `events` events with an attack about every `spacing` events; returns how many were planted.
pub(crate) fn make(folder: &Path, events: u64, seed: u64, spacing: u64) -> Result<u64, String> {
    write_out(folder, events, Office::new(seed, spacing))
}

fn write_out(folder: &Path, events: u64, office: Office) -> Result<u64, String> {
    let broken = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(broken)?;
    let create = |name: &str| fs::File::create(folder.join(name)).map(std::io::BufWriter::new);
    let mut xml = create("events.xml").map_err(broken)?;
    let mut json = create("events.jsonl").map_err(broken)?;
    let mut planted = create("planted.csv").map_err(broken)?;
    let mut count = 0;
    writeln!(planted, "attack,line,record").map_err(broken)?;
    for (line, record) in office.take(events as usize).enumerate() {
        writeln!(xml, "{}", write::xml(&record)).map_err(broken)?;
        writeln!(json, "{}", write::flat_json(&record)).map_err(broken)?;
        if let Some(attack) = record.attack {
            count += 1;
            writeln!(planted, "{attack},{},{}", line + 1, record.number).map_err(broken)?;
        }
    }
    for mut file in [xml, json, planted] {
        file.flush().map_err(broken)?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_events() {
        let lines = |seed| Office::new(seed, 50).take(300).map(|record| write::flat_json(&record)).collect::<Vec<_>>();
        assert_eq!(lines(7), lines(7));
        assert_ne!(lines(7), lines(8));
    }

    #[test]
    fn attacks_are_planted_at_their_spacing() {
        let planted = Office::new(1, 50).take(1_000).filter(|record| record.attack.is_some()).count();
        assert!((10..=30).contains(&planted), "{planted}");
    }
}
