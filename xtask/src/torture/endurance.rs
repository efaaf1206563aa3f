//! Minutes of load at a rate that keeps the machine at a share of its processors: `cargo xtask endurance`.
//!
//! Office background comes in as event XML, at the rate that holds the share; once in a while there is an event that a
//! rule looks for. Measured are what was lost, how long alerts took, and how much memory the server holds in the end.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::PathBuf,
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::json;

use super::{
    http::ask,
    load::{self, Fate, Mark},
    server::{self, Server, Site},
};
use crate::{corpus, number, root};

/// Events in a request.
const BATCH: usize = 200;

/// How often the rate is set anew, and memory looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Time between events that a rule looks for.
const ALERTS: Duration = Duration::from_millis(250);

const USAGE: &str =
    "usage: cargo xtask endurance --binary PATH [--minutes N] [--percent N] [--rate N] [--rules FOLDER]…";

/// What is shared between those who send and who measure.
struct Shared {
    /// Events a second.
    rate: AtomicU64,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    unknown: AtomicU64,
    stop: AtomicBool,
    /// When each event was sent that an alert must name.
    sent: Mutex<BTreeMap<Mark, Duration>>,
}

/// Loads, measures, and appends to today's file in `bench/runs/`.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let flags = |name: &str| -> Vec<String> {
        arguments.windows(2).filter(|pair| pair[0] == name).map(|pair| pair[1].clone()).collect()
    };
    let binary = flags("--binary").pop().map(PathBuf::from).ok_or(USAGE)?;
    let minutes = number(arguments, "--minutes", 10)?;
    let percent = number(arguments, "--percent", 70)?;
    let rate = number(arguments, "--rate", 0)?;
    let folder = root().join("target/endurance");
    let _ = fs::remove_dir_all(&folder);
    let rules = folder.join("rules");
    server::write_rules(&rules)?;
    let mut site = Site {
        binary,
        state: folder.join("state"),
        rules: flags("--rules").into_iter().map(PathBuf::from).chain([rules]).collect(),
        log: folder.join("server.log"),
        address: server::free_address()?,
        before: String::new(),
        environment: Vec::new(),
        key: None,
        settings: format!(
            "{}[live]\nmemory = \"1GiB\"\n[risk]\nincidents = true\n[server.log]\nlevel = \"warn,lurcher=info,lurcher_live=debug\"\n",
            server::SETTINGS
        ),
    };
    let server = site.start()?;
    let shared = Shared {
        rate: AtomicU64::new(if rate > 0 { rate } else { 1000 }),
        acknowledged: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        unknown: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        sent: Mutex::new(BTreeMap::new()),
    };
    let mut looks = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| background(&server, &shared));
        scope.spawn(|| alerts(&server, &shared));
        let start = Instant::now();
        let mut before = (busy(), server.processor_seconds());
        while start.elapsed() < Duration::from_secs(minutes * 60) {
            thread::sleep(LOOK);
            let now = (busy(), server.processor_seconds());
            let share = (now.0.0 - before.0.0) / (now.0.1 - before.0.1).max(1.0) * 100.0;
            let cores = (now.1 - before.1) / LOOK.as_secs_f64();
            before = now;
            let rate_now = shared.rate.load(Ordering::Relaxed);
            looks.push(Look { rate: rate_now, share, cores, memory: server.memory() });
            if rate == 0 {
                let factor = (percent as f64 / share.max(1.0)).clamp(0.8, 1.25);
                shared.rate.store((rate_now as f64 * factor).clamp(100.0, 1e6) as u64, Ordering::Relaxed);
            }
        }
        shared.stop.store(true, Ordering::SeqCst);
    });
    let report = report(&server, &shared, &looks, minutes)?;
    print!("{report}");
    save(&report)
}

/// A look at the machine and the server.
struct Look {
    rate: u64,
    /// Of all processors, in percent.
    share: f64,
    /// That the server keeps busy.
    cores: f64,
    memory: u64,
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Jiffies of all processors: busy, and all.
fn busy() -> (f64, f64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or("");
    let times: Vec<f64> = first.split_whitespace().skip(1).filter_map(|time| time.parse().ok()).collect();
    let all: f64 = times.iter().take(8).sum();
    let idle: f64 = times.iter().skip(3).take(2).sum();
    (all - idle, all)
}

/// Sends office background at the rate.
fn background(server: &Server, shared: &Shared) {
    let mut office = corpus::Office::new(1, u64::MAX);
    let mut next = Instant::now();
    while !shared.stop.load(Ordering::SeqCst) {
        let now = since_1970().as_millis() as u64;
        let mut body = String::new();
        for mut record in office.by_ref().take(BATCH) {
            record.time = now;
            for (name, value) in &mut record.data {
                if *name == "UtcTime" {
                    *value = corpus::time(now).trim_end_matches('Z').replace('T', " ");
                }
            }
            let source = format!("XmlWinEventLog:{}", record.channel);
            let event = json!({"event": corpus::xml(&record), "sourcetype": "XmlWinEventLog", "source": source});
            let _ = writeln!(body, "{event}");
        }
        let key = format!("Splunk {}", server.key);
        let fate = match ask(server.address, "POST", "/services/collector/event", &key, body.as_bytes()) {
            Ok(answer) if answer.status == 200 => &shared.acknowledged,
            Ok(_) => &shared.refused,
            Err(_) => &shared.unknown,
        };
        fate.fetch_add(BATCH as u64, Ordering::Relaxed);
        next += Duration::from_secs_f64(BATCH as f64 / shared.rate.load(Ordering::Relaxed).max(1) as f64);
        // Time that was lost is not made up for by a burst of more than a second.
        next = next.max(Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or(next));
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Sends, now and then, an event that a rule looks for.
fn alerts(server: &Server, shared: &Shared) {
    let mut lane = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        let now = since_1970();
        // The number that makes it an alert, and its time the one now.
        let number = (now.subsec_millis() / 20) * 20 + 3;
        let mark = Mark { round: now.as_secs() as u32, lane, number };
        lane = (lane + 1) % 4;
        let fates = load::deliver(server.address, &server.key, load::Way::of(mark.lane), &[mark]);
        match fates.first() {
            Some(Fate::Acknowledged) => {
                shared.acknowledged.fetch_add(1, Ordering::Relaxed);
                shared.sent.lock().unwrap_or_else(PoisonError::into_inner).insert(mark, now);
            }
            Some(Fate::Refused) => drop(shared.refused.fetch_add(1, Ordering::Relaxed)),
            _ => drop(shared.unknown.fetch_add(1, Ordering::Relaxed)),
        }
        thread::sleep(ALERTS);
    }
}

fn report(server: &Server, shared: &Shared, looks: &[Look], minutes: u64) -> Result<String, String> {
    let sent = shared.sent.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // The last ones may still be on their way.
    thread::sleep(Duration::from_secs(3));
    // When each was found, and when it was written down.
    let mut raised: BTreeMap<Mark, (Duration, Duration)> = BTreeMap::new();
    let (mut doubled, mut known) = (0, server::Known::new());
    for alert in server.alerts_of("Torture: one event")? {
        // What an incident says of the rules behind it is no alert of theirs.
        let is_incident = alert["kind"] == "incident";
        let Some(found) = server::time_of(&alert, "detected").filter(|_| !is_incident) else { continue };
        let time = (found, server::time_of(&alert, "changed").unwrap_or(found));
        for mark in server.marks_of(alert["id"].as_str().unwrap_or_default(), &mut known)? {
            doubled += u32::from(raised.insert(mark, time).is_some());
        }
    }
    let quantiles = |time: &dyn Fn(&(Duration, Duration)) -> Duration| {
        let late = sent.iter().filter_map(|(mark, sent)| Some(time(raised.get(mark)?).saturating_sub(*sent)));
        let mut late: Vec<f64> = late.map(|late| late.as_secs_f64()).collect();
        late.sort_by(f64::total_cmp);
        let at = |share: f64| late.get(((late.len() as f64 * share) as usize).min(late.len().saturating_sub(1)));
        let text = |share: f64| at(share).map_or("-".to_owned(), |seconds| format!("{seconds:.3} s"));
        format!("p50 {}, p99 {}, worst {}", text(0.5), text(0.99), text(1.0))
    };
    let streams = server.get("/api/v1/streams").map_err(|error| error.to_string())?.json();
    let rows: u64 =
        streams["items"].as_array().into_iter().flatten().filter_map(|stream| stream["rows"].as_u64()).sum();
    let mean = |value: &dyn Fn(&Look) -> f64| looks.iter().map(value).sum::<f64>() / looks.len().max(1) as f64;
    let memory = |at: usize| looks.get(at).map_or(0, |look| look.memory >> 20);
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{minutes} minutes, rate {:.0} events/s (mean), {:.0} at the end",
        mean(&|look| look.rate as f64),
        looks.last().map_or(0, |look| look.rate)
    );
    let _ = writeln!(
        out,
        "processors: {:.0} % of the machine, {:.2} cores by the server",
        mean(&|look| look.share),
        mean(&|look| look.cores)
    );
    let _ = writeln!(
        out,
        "events: {} acknowledged, {} refused, {} unknown; {rows} rows stored",
        count(&shared.acknowledged),
        count(&shared.refused),
        count(&shared.unknown)
    );
    let _ = writeln!(
        out,
        "alerts: {} expected, {} raised, {} missing, {doubled} doubled",
        sent.len(),
        raised.len(),
        sent.keys().filter(|mark| !raised.contains_key(mark)).count()
    );
    let _ = writeln!(out, "sent to found: {}", quantiles(&|(found, _)| *found));
    let _ = writeln!(out, "sent to written down: {}", quantiles(&|(_, written)| *written));
    let aside = server.get("/api/v1/quarantine").map_err(|error| error.to_string())?.json();
    let stopped = aside["items"].as_array().into_iter().flatten().filter(|item| item["kind"] == "rule").count();
    let _ = writeln!(out, "rules: {stopped} stopped because they kept too much (`[live] memory` is 1 GiB)");
    let _ = writeln!(
        out,
        "memory: {} MiB after a quarter, {} MiB after half, {} MiB at the end, {} MiB at most",
        memory(looks.len() / 4),
        memory(looks.len() / 2),
        memory(looks.len().saturating_sub(1)),
        looks.iter().map(|look| look.memory >> 20).max().unwrap_or(0)
    );
    Ok(out)
}

/// Appends to today's file.
fn save(report: &str) -> Result<(), String> {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(root()).output().ok();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let path = root().join("bench/runs").join(format!("{}-live.txt", said("date", &["-u", "+%Y-%m-%d"])));
    let before = fs::read_to_string(&path).unwrap_or_default();
    let title = format!(
        "== {}  commit {}",
        said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        said("git", &["rev-parse", "--short", "HEAD"])
    );
    fs::write(&path, format!("{before}{title}\n{report}\n")).map_err(|error| format!("{}: {error}", path.display()))
}
