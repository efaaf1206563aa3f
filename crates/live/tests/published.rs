//! Published rules over recorded attacks: what the live engine finds as the events come is what the virtual clock finds.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use lurcher_content::{LoadOptions, load};
use lurcher_engine::{Alert, AlertSink, Compiler, Live, RuleSet, Scanner, Settings, Simulation};
use lurcher_readers::{Input, RawRecord, ReadOptions, RecordForm, read_records, units};
use lurcher_schema::{Schemas, Timestamp};

/// Recordings of attacks, of several sources and tactics, by a part of their names.
const RECORDINGS: [&str; 6] = [
    "ec2_proxy_s3_exfiltration.zip",
    "cmd_lsass_memory_dumpert_syscalls.zip",
    "cmd_psexec_lsa_secrets_dump.zip",
    "empire_shell_net_localgroup_administrators.zip",
    "psh_lsass_memory_dump_comsvcs.zip",
    "sh_arp_cache.zip",
];

/// What a run says: alerts by rule and id.
#[derive(Default)]
struct Told(BTreeSet<(String, String)>);

impl AlertSink for Told {
    fn alert(&mut self, alert: Alert) {
        self.0.insert((alert.rule.meta.name.clone(), alert.id));
    }
}

/// An event as text, and when it happened.
struct Written {
    time: Timestamp,
    form: RecordForm,
    text: String,
}

fn options() -> ReadOptions {
    ReadOptions { unknown_is_mapped: true, ..ReadOptions::default() }
}

/// The events of a recording in the order of their time.
fn recorded(path: &Path) -> Vec<Written> {
    let mut events = Vec::new();
    let (units, _) = units(&[Input::File(path.to_owned())], &options());
    for unit in units {
        unit.read_originals(&options(), &mut |original| {
            if let Some(time) = original.time {
                events.push(Written { time, form: original.form, text: original.text.to_owned() });
            }
        });
    }
    events.sort_by_key(|event| event.time);
    events
}

fn read(events: &[Written], first: usize, sink: &mut dyn FnMut(lurcher_schema::EventBatch)) {
    let records = (first as u64..).zip(events).map(|(number, event)| RawRecord {
        number,
        form: event.form,
        body: event.text.as_bytes(),
    });
    read_records("s", records, &options(), sink);
}

/// As they come: the events of a second together, with time for a few runs after each.
fn live(rules: &Arc<RuleSet>, settings: &Settings, events: &[Written], end: Timestamp) -> Told {
    let mut told = Told::default();
    let mut live = Live::new(Arc::clone(rules), settings, events[0].time, Duration::from_mins(15));
    let mut first = 0;
    for second in events.chunk_by(|a, b| a.time.0 / 1_000_000 == b.time.0 / 1_000_000) {
        let received = second.last().unwrap().time;
        while let Some(due) = live.due().filter(|due| *due <= received) {
            live.pass(due, &mut told);
        }
        read(second, first, &mut |batch| live.take(&batch, received, &mut told));
        let mut runs = 0..100;
        live.make_some(&mut told, &mut |_| runs.next().is_some());
        first += second.len();
    }
    live.advance(end, &mut told);
    told
}

fn simulated(rules: &Arc<RuleSet>, settings: &Settings, events: &[Written], end: Timestamp) -> Told {
    let mut told = Told::default();
    let simulation = Some(Simulation { from: Some(events[0].time), to: Some(end) });
    let settings = Settings { now: end, simulation, ..settings.clone() };
    let mut scanner = Scanner::new(Arc::clone(rules), Arc::new(settings));
    read(events, 0, &mut |batch| scanner.scan(&batch, &mut told));
    Scanner::finish(vec![scanner], &mut told);
    told
}

/// Files below a folder, by name.
fn files(folder: &Path, into: &mut BTreeMap<String, PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files(&entry, into);
        } else {
            into.insert(entry.file_name().unwrap().to_string_lossy().into_owned(), entry);
        }
    }
}

#[test]
fn recordings_alert_live_as_on_the_virtual_clock() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !shared.exists() {
        eprintln!("skipped: recordings_alert_live_as_on_the_virtual_clock: ../shared/data is absent");
        return;
    }
    let folders: Vec<PathBuf> =
        ["elastic", "ssa2024", "escu"].iter().map(|name| shared.join("rules").join(name)).collect();
    let (schemas, _) = Schemas::with_packs(&[]);
    let pack = load(&folders, &LoadOptions::default(), &schemas);
    let rules = Compiler::new(schemas).route(lurcher_engine::Route::Any).add_all(pack.rules.iter().cloned()).build();
    let settings = Settings { relational: Some(lurcher_query::relational()), ..Settings::default() };
    let mut recordings = BTreeMap::new();
    files(&shared.join("events"), &mut recordings);
    let mut found = 0;
    for name in RECORDINGS {
        let events = recorded(recordings.get(name).unwrap());
        let end = Timestamp(events.last().unwrap().time.0 + 3 * 3_600_000_000);
        let (live, simulated) = (live(&rules, &settings, &events, end), simulated(&rules, &settings, &events, end));
        let differ: Vec<_> = live.0.symmetric_difference(&simulated.0).collect();
        assert!(
            differ.is_empty(),
            "{name}: {} live, {} simulated, {} differ:\n{differ:#?}",
            live.0.len(),
            simulated.0.len(),
            differ.len()
        );
        found += live.0.len();
    }
    assert!(found > 50, "{found}");
}
