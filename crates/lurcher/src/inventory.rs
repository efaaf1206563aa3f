//! `lurcher inventory`: what is in a folder of logs. Also the measure of reading alone, for the benchmark.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use comfy_table::{Table, presets};
use lurcher_schema::{EventBatch, Timestamp};
use serde_json::json;

use crate::{
    arguments::Inventory,
    outcome::{Outcome, count, tell_input, written},
    scan::Plan,
    stats::Stats,
};

/// How many events of a kind, in which files, from when to when.
#[derive(Clone, Debug, Default)]
struct Kind {
    events: u64,
    files: std::collections::BTreeSet<String>,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

type Kinds = BTreeMap<String, Kind>;

/// Counts events by kind.
pub(crate) fn run(arguments: &Inventory) -> Result<Outcome, String> {
    let mut stats = Stats::start_for(arguments.input.stats.as_deref())?;
    let plan = Plan::new(&arguments.input, &[])?;
    let (workers, report) = plan.run(Kinds::new, take);
    let mut kinds = Kinds::new();
    for (name, kind) in workers.into_iter().flatten() {
        merge(kinds.entry(name).or_default(), kind);
    }
    written(write(&mut io::BufWriter::new(io::stdout().lock()), arguments.json, &kinds, report.events))?;
    stats.set("events", report.events);
    stats.set("bytes", report.bytes);
    let faults = tell_input(&report, arguments.input.quiet);
    if let Some(path) = &arguments.input.stats {
        stats.write(path)?;
    }
    Ok(if report.events == 0 { Outcome::NothingRan } else { Outcome::of(faults) })
}

fn write(out: &mut impl Write, json: bool, kinds: &Kinds, events: u64) -> io::Result<()> {
    if json {
        for (name, kind) in kinds {
            let (first, last) = (kind.first.map(|t| t.to_string()), kind.last.map(|t| t.to_string()));
            let files = kind.files.len();
            let line = json!({"kind": name, "events": kind.events, "files": files, "first": first, "last": last});
            writeln!(out, "{line}")?;
        }
    } else {
        for line in table(kinds).lines() {
            writeln!(out, "{}", line.trim())?;
        }
        writeln!(out, "{} of {}", count(events, "event"), count(kinds.len() as u64, "kind"))?;
    }
    out.flush()
}

fn take(kinds: &mut Kinds, batch: &EventBatch) {
    let shape = batch.shape();
    let attribute = |name| shape.attribute(name).unwrap_or_default();
    let name = match shape.attribute("channel") {
        Some(channel) => format!("{} {channel} {}", shape.dialect(), attribute("event_id")),
        None => {
            format!("{} {}{}{}", shape.dialect(), attribute("dataset"), attribute("sourcetype"), attribute("class_uid"))
        }
    };
    let times = || batch.times().iter().flatten().copied();
    let kind = Kind {
        events: batch.rows() as u64,
        files: [batch.origin().path.clone()].into(),
        first: times().min(),
        last: times().max(),
    };
    merge(kinds.entry(name.trim_end().to_owned()).or_default(), kind);
}

fn merge(into: &mut Kind, kind: Kind) {
    into.events += kind.events;
    into.files.extend(kind.files);
    into.first = into.first.into_iter().chain(kind.first).min();
    into.last = into.last.max(kind.last);
}

fn time(time: Option<Timestamp>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}

fn table(kinds: &Kinds) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["events", "files", "first", "last", "kind"]);
    let mut sorted: Vec<_> = kinds.iter().collect();
    sorted.sort_by_key(|(name, kind)| (std::cmp::Reverse(kind.events), name.as_str()));
    for (name, kind) in sorted {
        table.add_row([
            kind.events.to_string(),
            kind.files.len().to_string(),
            time(kind.first),
            time(kind.last),
            name.clone(),
        ]);
    }
    table
}
