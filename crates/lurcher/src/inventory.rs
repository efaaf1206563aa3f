//! `lurcher inventory`: what is in a folder of logs. Also the measure of reading alone, for the benchmark.

use std::collections::BTreeMap;

use comfy_table::{Table, presets};
use lurcher_schema::{EventBatch, Timestamp};
use serde_json::json;

use crate::{
    arguments::Inventory,
    outcome::{Outcome, count, tell_input},
    scan::Plan,
    stats::Stats,
};

/// How many events of a kind, on how many hosts, from when to when.
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
    let mut stats = Stats::start();
    let plan = Plan::new(&arguments.input, &[])?;
    let (workers, report) = plan.run(Kinds::new, take);
    let mut kinds = Kinds::new();
    for (name, kind) in workers.into_iter().flatten() {
        merge(kinds.entry(name).or_default(), kind);
    }
    if arguments.json {
        for (name, kind) in &kinds {
            let line = json!({"kind": name, "events": kind.events, "files": kind.files.len(), "first": time(kind.first), "last": time(kind.last)});
            println!("{line}");
        }
    } else {
        println!("{}", table(&kinds));
        println!("{} of {}", count(report.events, "event"), count(kinds.len() as u64, "kind"));
    }
    stats.set("events", report.events);
    stats.set("bytes", report.bytes);
    let faults = tell_input(&report, arguments.input.quiet);
    if let Some(path) = &arguments.input.stats {
        stats.write(path)?;
    }
    Ok(if report.events == 0 { Outcome::NothingRan } else { Outcome::of(faults) })
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
