//! A server that is killed, starved and lied to while events pour in: `cargo xtask torture`.
//!
//! Whatever happens to it, after a restart every event that it acknowledged must be in its store, and its alerts must be
//! those of the events that are there, each once. [`checker`] says what is wrong.

mod checker;
pub(crate) mod endurance;
mod http;
mod load;
mod server;
#[cfg(test)]
mod tests;
mod trials;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use checker::{Due, check};
use load::{Book, Fate, Mark, Way};
use server::{Known, Server, Site};

const USAGE: &str = "usage: cargo xtask torture --binary PATH [--rounds N] [--seed N] [--check-every N] \
                     [--trials kill,stall,poison,explode,slow,clock,full] [--state FOLDER]";

/// Events in a request, and the pause between requests.
const BATCH: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);

/// Runs the trials that the command line names; all of them if it names none.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let flag = |name: &str| {
        arguments.iter().position(|argument| argument == name).and_then(|at| arguments.get(at + 1)).cloned()
    };
    let binary = flag("--binary").map(PathBuf::from).ok_or(USAGE)?;
    let rounds = crate::number(arguments, "--rounds", 100)?;
    let seed = crate::number(arguments, "--seed", u64::from(seconds()))?;
    let every = crate::number(arguments, "--check-every", 10)?.max(1);
    let folder = flag("--state").map_or_else(|| crate::root().join("target/torture"), PathBuf::from);
    let trials = flag("--trials").unwrap_or_else(|| "kill,stall,poison,explode,slow,clock,full".to_owned());
    println!("seed {seed}");
    let mut torture = Torture { binary, folder, random: Random(seed | 1), faults: Vec::new() };
    for trial in trials.split(',') {
        let done = match trial {
            "kill" => torture.kill(rounds, every),
            "stall" => torture.stall(),
            "poison" => torture.poison(),
            "explode" => torture.explode(),
            "slow" => torture.slow(),
            "clock" => torture.clock(),
            "full" => torture.full(),
            other => Err(format!("no such trial: {other}\n{USAGE}")),
        };
        if let Err(fault) = done {
            torture.fault(trial, &fault);
        }
    }
    if torture.faults.is_empty() {
        println!("all of it held");
        return Ok(());
    }
    Err(torture.faults.join("\n"))
}

/// Seconds since 1970.
fn seconds() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

/// Numbers that look random and come again with the same seed (xorshift).
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

struct Torture {
    binary: PathBuf,
    folder: PathBuf,
    random: Random,
    faults: Vec<String>,
}

/// Events of a trial, round by round.
#[derive(Debug, Default)]
struct Rounds {
    book: Book,
    open: BTreeSet<u32>,
    known: Known,
}

impl Torture {
    fn fault(&mut self, trial: &str, fault: &str) {
        println!("{trial}: FAULT {fault}");
        self.faults.push(format!("{trial}: {fault}"));
    }

    /// A site of its own for a trial, with an empty folder of state.
    fn site(&self, trial: &str) -> Result<Site, String> {
        let folder = self.folder.join(trial);
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("{}: {error}", folder.display()));
            }
            _ => {}
        }
        let rules = folder.join("rules");
        server::write_rules(&rules)?;
        Ok(Site {
            binary: self.binary.clone(),
            state: folder.join("state"),
            rules: vec![rules],
            log: folder.join("server.log"),
            address: server::free_address()?,
            before: String::new(),
            environment: Vec::new(),
            key: None,
            settings: server::SETTINGS.to_owned(),
        })
    }

    /// Killed at random instants under load, and started again.
    fn kill(&mut self, count: u64, every: u64) -> Result<(), String> {
        let mut site = self.site("kill")?;
        let mut rounds = Rounds::default();
        let mut server = site.start()?;
        for round in 1..=count {
            let life = Duration::from_millis(50 + self.random.below(2000));
            let mut killed = Ok(());
            let number = rounds.load(&server, life, |_| killed = server.signal("KILL"));
            killed?;
            server.kill();
            server = site.start().map_err(|error| format!("round {round}: {error}"))?;
            // What nobody knows the fate of, a shipper sends again: half of the time before anything else.
            if self.random.below(2) == 0 {
                rounds.send_again(&server, number);
            }
            if round % every == 0 || round == count {
                self.compare("kill", &server, &mut rounds, Due::All)?;
                println!("kill: round {round} of {count}, {}", rounds.told());
            }
        }
        Ok(())
    }

    /// Compares what the server has of the rounds since the last time with what it was sent.
    fn compare(&mut self, trial: &str, server: &Server, rounds: &mut Rounds, due: Due) -> Result<(), String> {
        let open: Vec<u32> = std::mem::take(&mut rounds.open).into_iter().collect();
        let of_these = rounds.book.iter().filter(|(mark, _)| open.contains(&mark.round));
        let book: Book = of_these.map(|(mark, fate)| (*mark, *fate)).collect();
        // It works off what it took; a fault is what is still wrong when it has had time for that.
        let start = Instant::now();
        let faults = loop {
            let faults = check(&book, &server.account(&open, &mut rounds.known)?, due);
            if faults.is_empty() || start.elapsed() > server::SETTLING {
                break faults;
            }
            thread::sleep(Duration::from_secs(1));
        };
        for fault in faults {
            self.fault(trial, &fault);
        }
        Ok(())
    }
}

impl Rounds {
    /// Sends events down all lanes for a while, `meanwhile` something happens, and says which round it was.
    fn load(&mut self, server: &Server, life: Duration, meanwhile: impl FnOnce(&AtomicBool)) -> u32 {
        // Rounds are named by the second that they begin in.
        let last = self.book.keys().next_back().map_or(0, |mark| mark.round);
        let round = seconds().max(last + 1);
        let stop = AtomicBool::new(false);
        let (address, key) = (server.address, server.key.as_str());
        let books: Vec<Book> = thread::scope(|scope| {
            let lanes: Vec<_> = (0..Way::ALL.len() as u32)
                .map(|lane| {
                    let stop = &stop;
                    scope.spawn(move || load::run(address, key, round, lane, BATCH, PAUSE, stop))
                })
                .collect();
            thread::sleep(life);
            meanwhile(&stop);
            stop.store(true, Ordering::SeqCst);
            lanes.into_iter().filter_map(|lane| lane.join().ok()).collect()
        });
        self.book.extend(books.into_iter().flatten());
        self.open.insert(round);
        round
    }

    /// Sends the events of a round again of which nobody knows whether they arrived.
    fn send_again(&mut self, server: &Server, round: u32) {
        let unknown: Vec<Mark> = self
            .book
            .iter()
            .filter(|(mark, fate)| mark.round == round && **fate == Fate::Unknown)
            .map(|(mark, _)| *mark)
            .collect();
        for batch in unknown.chunk_by(|a, b| a.lane == b.lane) {
            let way = Way::of(batch[0].lane);
            let fates = load::deliver(server.address, &server.key, way, batch);
            for (mark, fate) in batch.iter().zip(fates) {
                // Refused the second time says nothing of the first.
                let fate = if fate == Fate::Acknowledged { fate } else { Fate::Unknown };
                self.book.insert(*mark, fate);
            }
        }
    }

    fn told(&self) -> String {
        let count = |wanted| self.book.values().filter(|fate| **fate == wanted).count();
        format!(
            "{} sent, {} acknowledged, {} refused, {} unknown",
            self.book.len(),
            count(Fate::Acknowledged),
            count(Fate::Refused),
            count(Fate::Unknown)
        )
    }
}
