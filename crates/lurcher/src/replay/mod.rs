//! `lurcher replay`: a data set sent again, in order of time, as if it happened now.
//!
//! All of it is read first and brought into order, in bounded memory ([`order`]); then each event's times are moved
//! ([`shift`]), and its text goes, otherwise unchanged, to a server ([`send`]) or into a file. What arrives is read there
//! as the same raw fields as here, so the same rules fire on it.

mod answer;
mod envelope;
mod order;
mod pace;
mod send;
mod shift;
#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use envelope::{Moved, Protocol};
use lurcher_readers::{Original, ReadOptions, Report, discover, units};
use lurcher_schema::{Clock as _, Schemas, Shape, SystemClock, Timestamp, star_match};
use order::{Item, Sorted, Sorter, Told};
use pace::{Aim, Pace, Passage};
use send::{Tally, Target};
use shift::Known;
use tokio::sync::mpsc;

use crate::{
    arguments::{Replay, ReplayProtocol},
    config::Config,
    outcome::{Outcome, count, tell_input, written},
    rules,
    stats::Stats,
};

/// Events that become due within this time go out together.
const TICK: Duration = Duration::from_millis(10);

/// Sends a data set again.
pub(crate) fn run(arguments: &Replay) -> Result<Outcome, String> {
    let mut stats = Stats::start_for(arguments.input.stats.as_deref())?;
    let config = Config::load(&arguments.input.site)?;
    let (schemas, pack_faults) = rules::schemas(&config);
    let wanted = Wanted::new(arguments)?;
    let pace = pace(arguments)?;
    if arguments.r#loop && !arguments.to.contains("://") {
        return Err("--loop sends to a server; a file that begins again would never end".into());
    }
    let stop = Arc::new(AtomicBool::new(false));
    let sending = Arc::new(AtomicBool::new(false));
    stop_when_told(Arc::clone(&stop), Arc::clone(&sending));
    let (mut sorted, report) = read(arguments, &schemas, &wanted)?;
    sending.store(true, Ordering::SeqCst);
    let faults = tell_input(&report, arguments.input.quiet) || pack_faults;
    if sorted.count == 0 {
        return Err("there are no such events to replay".into());
    }
    let start = Instant::now();
    stats.set("events", sorted.count);
    let to_server = arguments.to.contains("://");
    let tally = if to_server {
        send_all(arguments, &mut sorted, pace, &stop)?
    } else {
        write_all(arguments, &mut sorted, pace, &stop)?
    };
    tell(arguments, &tally, start.elapsed().as_secs_f64());
    stats.set("acknowledged", tally.acknowledged);
    stats.set("refused", tally.refused.values().sum::<u64>());
    stats.set("unanswered", tally.unanswered);
    stats.set("repeated", tally.repeated);
    if let Some(path) = &arguments.input.stats {
        stats.write(path)?;
    }
    if to_server && tally.acknowledged == 0 {
        return Ok(Outcome::NothingRan);
    }
    Ok(Outcome::of(faults || !tally.is_clean() || tally.unsent > 0))
}

/// Ctrl-C ends the sending after what is on its way; a second one, or one before there is anything to send, the program.
fn stop_when_told(stop: Arc<AtomicBool>, sending: Arc<AtomicBool>) {
    // Where there are no signals the program just ends.
    let _ = ctrlc::set_handler(move || {
        if !sending.load(Ordering::SeqCst) || stop.swap(true, Ordering::SeqCst) {
            std::process::exit(crate::progress::STOPPED);
        }
    });
}

/// Which events.
struct Wanted {
    streams: Vec<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Wanted {
    fn new(arguments: &Replay) -> Result<Self, String> {
        let time = |flag: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => Timestamp::parse(text).map(Some).ok_or_else(|| format!("{flag} {text}: no time")),
        };
        Ok(Self {
            streams: arguments.streams.clone(),
            since: time("--since", &arguments.since)?,
            until: time("--until", &arguments.until)?,
        })
    }

    fn has(&self, original: &Original<'_>, index: &str) -> bool {
        let in_time = match original.time {
            Some(time) => self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until),
            None => self.since.is_none() && self.until.is_none(),
        };
        let named = |pattern: &String| {
            let attributes = original.attributes.iter().map(|attribute| attribute.1);
            attributes.chain([index]).any(|name| star_match(pattern, name))
        };
        in_time && (self.streams.is_empty() || self.streams.iter().any(named))
    }
}

fn pace(arguments: &Replay) -> Result<Pace, String> {
    let positive = |flag: &str, number: f64| {
        if number.is_finite() && number > 0.0 { Ok(number) } else { Err(format!("{flag} takes a number above 0")) }
    };
    Ok(match (arguments.rate, arguments.speed) {
        (Some(rate), _) => Pace::Rate(positive("--rate", rate)?),
        (_, Some(speed)) => Pace::Speed(positive("--speed", speed)?),
        _ if arguments.as_fast_as_possible || !arguments.to.contains("://") => Pace::Unbounded,
        _ => Pace::Speed(1.0),
    })
}

fn aim(arguments: &Replay) -> Result<Aim, String> {
    let now = SystemClock.now();
    Ok(match arguments.shift.as_str() {
        "now" => Aim::First(now),
        "end" => Aim::Last(now),
        "none" => Aim::Stay,
        text => {
            Aim::First(Timestamp::parse(text).ok_or_else(|| {
                format!("--shift {text}: takes now, end, none, or a time such as 2026-01-02T03:04:05Z")
            })?)
        }
    })
}

/// Reads everything and brings it into order.
fn read(arguments: &Replay, schemas: &Schemas, wanted: &Wanted) -> Result<(Sorted, Report), String> {
    if arguments.input.paths.is_empty() {
        return Err("no input: name files, folders, globs or archives, or - for standard input".into());
    }
    let found = discover(&arguments.input.paths);
    let options = ReadOptions { unknown_is_mapped: true, ..ReadOptions::default() };
    let (units, mut report) = units(&found.inputs, &options);
    for problem in found.problems {
        report.problem(problem);
    }
    let mut sorter = Sorter::new(order::MEMORY);
    let mut fault = None;
    let bar = crate::progress::bar(units.iter().map(lurcher_readers::Unit::bytes).sum(), arguments.input.quiet);
    let mut name = String::new();
    for unit in &units {
        if name != unit.name() {
            name = unit.name();
            sorter.next_file();
        }
        bar.set_message(crate::progress::short(&name));
        report.merge(unit.read_originals(&options, &mut |original| {
            let index = index(schemas, original);
            if fault.is_none() && wanted.has(original, &index) {
                let told = |name| original.attribute(name).unwrap_or_default().to_owned();
                let (dialect, sourcetype, source) = (told("dialect"), told("sourcetype"), told("source"));
                let told = Told { dialect, index, sourcetype, source };
                fault = sorter.add(original.form, original.time, original.text, told).err();
            }
        }));
        bar.inc(unit.bytes());
    }
    bar.finish_and_clear();
    report.sort();
    match fault {
        Some(error) => Err(format!("sorting: {error}")),
        None => Ok((sorter.finish().map_err(|error| format!("sorting: {error}"))?, report)),
    }
}

/// The index that an event's document would lie in at Elastic's; empty if none is known.
fn index(schemas: &Schemas, original: &Original<'_>) -> String {
    let stated = original.attribute("index").and_then(|indices| indices.split(',').next());
    if let Some(index) = stated {
        return index.to_owned();
    }
    let shape = Shape::new(original.attributes.iter().copied());
    schemas.indices(&shape).first().map(ToString::to_string).unwrap_or_default()
}

/// Takes events in their order until it breaks off.
type Taker<'a> = &'a mut dyn FnMut(u64, &Item, Moved<'_>) -> io::Result<ControlFlow<()>>;

/// Goes through the data set once, each event with its times moved.
fn pass(
    arguments: &Replay,
    sorted: &mut Sorted,
    passage: &Passage,
    stop: &AtomicBool,
    take: Taker<'_>,
) -> io::Result<()> {
    let mut number = 0;
    sorted.each(&mut |item| {
        if stop.load(Ordering::SeqCst) {
            return Ok(ControlFlow::Break(()));
        }
        let by = item.time.map_or(0, |time| passage.shift(time));
        let known = Known { form: item.form, dialect: &item.dialect, time: item.time };
        let text = shift::moved(known, &item.text, by);
        let moved = Moved {
            item,
            text: text.as_deref().unwrap_or(&item.text),
            time: item.time.map(|time| Timestamp(time.0.saturating_add(by))),
            index: arguments.index.as_deref(),
        };
        number += 1;
        take(number - 1, item, moved)
    })
}

fn write_all(arguments: &Replay, sorted: &mut Sorted, pace: Pace, stop: &AtomicBool) -> Result<Tally, String> {
    let protocol = if arguments.protocol == ReplayProtocol::Bulk { Protocol::Bulk } else { Protocol::Hec };
    let mut out: Box<dyn Write> = match arguments.to.as_str() {
        "-" => Box::new(BufWriter::new(io::stdout().lock())),
        path => Box::new(BufWriter::new(File::create(path).map_err(|error| format!("{path}: {error}"))?)),
    };
    let passage = Passage::new(pace, aim(arguments)?, sorted.span);
    let mut tally = Tally::default();
    let done = pass(arguments, sorted, &passage, stop, &mut |_, _, moved| {
        out.write_all(moved.line(protocol).as_bytes())?;
        tally.acknowledged += 1;
        Ok(ControlFlow::Continue(()))
    });
    written(done.and_then(|()| out.flush()))?;
    Ok(tally)
}

fn send_all(arguments: &Replay, sorted: &mut Sorted, pace: Pace, stop: &Arc<AtomicBool>) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let protocol = match arguments.protocol {
        ReplayProtocol::Auto => None,
        ReplayProtocol::Bulk => Some(Protocol::Bulk),
        ReplayProtocol::Hec => Some(Protocol::Hec),
    };
    let give_up = Duration::from_secs(arguments.give_up_after);
    let (key, ca) = (arguments.key.as_deref(), arguments.ca.as_deref());
    let target = runtime.block_on(Target::new(&arguments.to, protocol, key, ca, give_up))?;
    let protocol = target.protocol;
    if !arguments.input.quiet {
        eprintln!("replaying {} to {}", count(sorted.count, "event"), target.address());
    }
    let tally = Arc::new(Mutex::new(Tally::default()));
    let (sender, batches) = mpsc::channel(1);
    let sending = send::send(target, arguments.connections, batches, Arc::clone(&tally), Arc::clone(stop));
    let produced = std::thread::scope(|scope| {
        let producer = scope.spawn(|| {
            let mut departures = Departures::new(sender, arguments.batch);
            let aims = std::iter::repeat_with(|| aim(arguments)).take(if arguments.r#loop { usize::MAX } else { 1 });
            for aim in aims.take_while(|_| !stop.load(Ordering::SeqCst)) {
                let passage = Passage::new(pace, aim?, sorted.span);
                departures.round(arguments, sorted, &passage, protocol, stop).map_err(|error| error.to_string())?;
            }
            Ok::<u64, String>(departures.left)
        });
        runtime.block_on(sending);
        producer.join()
    });
    let left = match produced {
        Ok(done) => done?,
        Err(_) => return Err("the program failed while it read the data set".into()),
    };
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let unsent = if arguments.r#loop { 0 } else { sorted.count.saturating_sub(left) };
    if tally.broken_off.is_some() {
        tally.unanswered += unsent;
    }
    tally.unsent = unsent;
    Ok(tally)
}

/// Events on their way to the connections, in batches, each when it is due.
struct Departures {
    sender: mpsc::Sender<Vec<String>>,
    waiting: Vec<String>,
    batch: usize,
    /// How many have left.
    left: u64,
}

impl Departures {
    fn new(sender: mpsc::Sender<Vec<String>>, batch: usize) -> Self {
        Self { sender, waiting: Vec::new(), batch, left: 0 }
    }

    fn round(
        &mut self,
        arguments: &Replay,
        sorted: &mut Sorted,
        passage: &Passage,
        protocol: Protocol,
        stop: &AtomicBool,
    ) -> io::Result<()> {
        let start = Instant::now();
        pass(arguments, sorted, passage, stop, &mut |number, item, moved| {
            let due = passage.due(number, item.time);
            if due > start.elapsed() {
                self.depart();
                if !wait_until(start, due, stop) {
                    return Ok(ControlFlow::Break(()));
                }
            }
            self.waiting.push(moved.parcel(protocol));
            if self.waiting.len() >= self.batch {
                self.depart();
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.depart();
        Ok(())
    }

    fn depart(&mut self) {
        let count = self.waiting.len() as u64;
        // The receiver only goes when all is over.
        if count > 0 && self.sender.blocking_send(std::mem::take(&mut self.waiting)).is_ok() {
            self.left += count;
        }
    }
}

/// Sleeps until an event is due, and at least a tick; false if it was told to stop meanwhile.
fn wait_until(start: Instant, due: Duration, stop: &AtomicBool) -> bool {
    let mut rest = due.saturating_sub(start.elapsed()).max(TICK);
    while rest > Duration::ZERO && !stop.load(Ordering::SeqCst) {
        let nap = rest.min(Duration::from_millis(200));
        std::thread::sleep(nap);
        rest = rest.saturating_sub(nap);
    }
    !stop.load(Ordering::SeqCst)
}

/// What became of the events, on standard error.
fn tell(arguments: &Replay, tally: &Tally, seconds: f64) {
    for (why, number) in &tally.refused {
        eprintln!("error: {} refused: {why}", count(*number, "event"));
    }
    if let Some(why) = &tally.broken_off {
        eprintln!("error: broken off: {why}");
    }
    if tally.unanswered > 0 {
        eprintln!("error: {} not acknowledged", count(tally.unanswered, "event"));
    } else if tally.unsent > 0 {
        eprintln!("stopped: {} not sent", count(tally.unsent, "event"));
    }
    if !arguments.input.quiet {
        let rate = tally.acknowledged as f64 / seconds.max(0.001);
        let verb = if arguments.to.contains("://") { "acknowledged" } else { "written" };
        let repeated =
            if tally.repeated > 0 { format!("; {} repeated", count(tally.repeated, "request")) } else { String::new() };
        eprintln!("{} {verb} in {seconds:.1} s ({rate:.0} a second){repeated}", count(tally.acknowledged, "event"));
    }
}
