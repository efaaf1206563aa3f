//! `lurcher event`: events in any taxonomy, to see what a rule sees.

use std::io::Write as _;

use lurcher_schema::{Event as EventData, Taxonomy};

use crate::{
    arguments::{Event, Input, TaxonomyName},
    config::Config,
    outcome::{Outcome, tell_input},
    rules,
    scan::Plan,
    stats::Stats,
};

/// Prints events in order of file and place.
pub(crate) fn run(arguments: &Event) -> Result<Outcome, String> {
    let mut stats = Stats::start_for(arguments.input.stats.as_deref())?;
    let config = Config::load(&arguments.input.site)?;
    let (schemas, pack_faults) = rules::schemas(&config);
    let mut input = Input { paths: Vec::new(), ..arguments.input.clone() };
    let mut named: Vec<(&str, u64)> = Vec::new();
    for path in &arguments.input.paths {
        // FILE#RECORD, as alerts name events.
        match path.rsplit_once('#').and_then(|(file, record)| Some((file, record.parse().ok()?))) {
            Some((file, record)) if arguments.record.is_none() && !std::path::Path::new(path).exists() => {
                let container = file.split('!').next().unwrap_or(file).to_owned();
                if !input.paths.contains(&container) {
                    input.paths.push(container);
                }
                named.push((file, record));
            }
            _ => input.paths.push(path.clone()),
        }
    }
    let taxonomy = match arguments.taxonomy {
        TaxonomyName::Raw => Taxonomy::Raw,
        TaxonomyName::Ecs => Taxonomy::Ecs,
        TaxonomyName::Cim => Taxonomy::Cim,
        TaxonomyName::Ocsf => Taxonomy::Ocsf,
        TaxonomyName::Sigma => Taxonomy::Sigma,
    };
    let plan = Plan::new(&input, &[])?.with_packs(&schemas);
    let (workers, report) = plan.run(Vec::new, |events: &mut Vec<EventData>, batch| {
        let file = batch.origin().path.as_str();
        let rows = (0..batch.rows()).filter(|row| {
            let record = batch.reference(*row).record;
            arguments.record.is_none_or(|wanted| wanted == record)
                && (named.is_empty() || named.contains(&(file, record)))
        });
        events.extend(rows.map(|row| batch.event(row)));
    });
    let mut events: Vec<EventData> = workers.into_iter().flatten().collect();
    events.sort_by(|a, b| a.reference.cmp(&b.reference));
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for event in &events {
        let json = schemas.normalise(event, taxonomy).to_json();
        let text =
            if arguments.compact { json.to_string() } else { serde_json::to_string_pretty(&json).unwrap_or_default() };
        if writeln!(out, "{text}").is_err() {
            break; // The reader of our output has gone.
        }
    }
    let _ = out.flush();
    let faults = tell_input(&report, true) || pack_faults;
    stats.set("events", report.events);
    stats.set("bytes", report.bytes);
    stats.set("printed", events.len());
    if let Some(path) = &arguments.input.stats {
        stats.write(path)?;
    }
    if events.is_empty() {
        eprintln!("lurcher: no such event");
        return Ok(Outcome::NothingRan);
    }
    Ok(Outcome::of(faults))
}
