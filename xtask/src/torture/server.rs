//! The server under torture: started, killed, asked. All that is known of its command line and its API stands here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    checker::Account,
    http::{Answer, ask},
    load::{Mark, Way},
};

/// How long a server may take to be ready, and a hunt to end.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// How long a server may take to have worked off what it took: tables follow when processors are free.
pub(super) const SETTLING: Duration = Duration::from_mins(10);

/// The events that alerts name, by the alerts' ids. An alert's events never change.
pub(super) type Known = BTreeMap<String, BTreeSet<Mark>>;

/// Rows of a page.
const PAGE: usize = 500;

/// Where a server is and how it is started.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) binary: PathBuf,
    pub(super) state: PathBuf,
    pub(super) rules: Vec<PathBuf>,
    pub(super) log: PathBuf,
    pub(super) address: SocketAddr,
    /// A shell's words before the command, such as limits; empty for none.
    pub(super) before: String,
    pub(super) environment: Vec<(String, String)>,
    pub(super) key: Option<String>,
    /// Its settings, as TOML.
    pub(super) settings: String,
}

/// Settings of every trial: who checks asks often.
pub(super) const SETTINGS: &str = "[server.limits]\nrequests_per_key = 0\nrequests_per_address = 0\n";

/// A server that runs. It is killed when this goes.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
    pub(super) key: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An address on the loopback that nobody listens on.
pub(super) fn free_address() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    listener.local_addr().map_err(|error| error.to_string())
}

impl Site {
    /// Starts the server and waits until it is ready; the first start tells the key.
    pub(super) fn start(&mut self) -> Result<Server, String> {
        let log = File::options().create(true).append(true).open(&self.log).map_err(|error| error.to_string())?;
        let script = format!("{} exec \"$0\" \"$@\"", self.before);
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(&self.binary).arg("serve").arg("--state").arg(&self.state);
        command.arg("--listen").arg(self.address.to_string());
        let settings = self.log.with_file_name("lurcher.toml");
        std::fs::write(&settings, &self.settings).map_err(|error| format!("{}: {error}", settings.display()))?;
        command.arg("--config").arg(settings);
        for rules in &self.rules {
            command.arg("--rules").arg(rules);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let log_too = log.try_clone().map_err(|error| error.to_string())?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", self.binary.display()))?;
        let told = Arc::new(Mutex::new(None));
        if let Some(out) = child.stdout.take() {
            listen_for_key(out, log_too, Arc::clone(&told));
        }
        let mut server = Server { child, address: self.address, key: self.key.clone().unwrap_or_default() };
        let start = Instant::now();
        loop {
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(format!("the server ended at once: {status}; see {}", self.log.display()));
            }
            if let Some(key) = told.lock().unwrap_or_else(PoisonError::into_inner).clone() {
                self.key = Some(key);
            }
            server.key = self.key.clone().unwrap_or_default();
            let is_ready = server.get("/ready").is_ok_and(|answer| answer.status == 200);
            if is_ready && self.key.is_some() {
                return Ok(server);
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("the server is not ready; see {}", self.log.display()));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Reads what the server prints, for the key that it tells once; the rest goes to the log.
fn listen_for_key(out: std::process::ChildStdout, mut log: File, told: Arc<Mutex<Option<String>>>) {
    thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if let Some((_, key)) = line.split_once("admin key: ") {
                *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.trim().to_owned());
            }
            let _ = std::io::Write::write_all(&mut log, format!("{line}\n").as_bytes());
        }
    });
}

impl Server {
    /// SIGKILL, and nothing else.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// A signal by its name.
    pub(super) fn signal(&self, name: &str) -> Result<(), String> {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("kill -{name}: {status}")),
            Err(error) => Err(format!("kill -{name}: {error}")),
        }
    }

    /// Whether it still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Bytes of memory that it holds, from the kernel's books.
    pub(super) fn memory(&self) -> u64 {
        let mut text = String::new();
        let path = format!("/proc/{}/status", self.child.id());
        let _ = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) * 1024
    }

    /// Seconds of processor time that it has used, from the kernel's books.
    pub(super) fn processor_seconds(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
        // A hundred ticks a second, everywhere that Linux runs.
        (ticks(11) + ticks(12)) / 100.0
    }

    pub(super) fn get(&self, path: &str) -> std::io::Result<Answer> {
        ask(self.address, "GET", path, &format!("Bearer {}", self.key), b"")
    }

    fn json(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = ask(self.address, method, path, &format!("Bearer {}", self.key), &body);
        let answer = answer.map_err(|error| format!("{method} {path}: {error}"))?;
        if (200..300).contains(&answer.status) {
            return Ok(answer.json());
        }
        let why: String = String::from_utf8_lossy(&answer.body).chars().take(300).collect();
        Err(format!("{method} {path}: {}: {why}", answer.status))
    }

    /// Every alert of a rule, by the rule's name.
    pub(super) fn alerts_of(&self, rule: &str) -> Result<Vec<Value>, String> {
        let alerts = self.alerts()?;
        Ok(alerts.into_iter().filter(|alert| alert.to_string().contains(rule)).collect())
    }

    /// Every alert.
    pub(super) fn alerts(&self) -> Result<Vec<Value>, String> {
        let mut alerts = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.json("GET", &format!("/api/v1/alerts?limit={PAGE}{cursor}"), &Value::Null)?;
            let items = page["items"].as_array().cloned().unwrap_or_default();
            let is_last = items.is_empty();
            alerts.extend(items);
            match page["next"].as_str() {
                Some(next) if !is_last => cursor = format!("&cursor={next}"),
                _ => return Ok(alerts),
            }
        }
    }

    /// The marks of the stored events of a round, and how often each is there.
    pub(super) fn stored(&self, round: u32) -> Result<BTreeMap<Mark, u64>, String> {
        let mut stored = BTreeMap::new();
        // A hunt has an end; a lane of a round is well below it.
        for lane in 0..Way::ALL.len() {
            stored.extend(self.hunted(round, &format!("torture-{round}-{lane}-"))?);
        }
        Ok(stored)
    }

    fn hunted(&self, round: u32, mark: &str) -> Result<BTreeMap<Mark, u64>, String> {
        let query = format!("any where process.command_line like \"*{mark}*\"");
        // The times of a round's events begin with it, a thousand of them a second.
        let time = |minutes: u64| crate::corpus::time((u64::from(round) + minutes * 60) * 1000);
        let hunt = json!({"language": "eql", "text": query, "from": time(0), "to": time(2), "limit": 10_000});
        let job = self.json("POST", "/api/v1/hunts", &hunt)?;
        let id = job["id"].as_str().ok_or("a hunt without an id")?.to_owned();
        let start = Instant::now();
        loop {
            let job = self.json("GET", &format!("/api/v1/jobs/{id}"), &Value::Null)?;
            match job["state"].as_str().unwrap_or_default() {
                "done" | "finished" | "succeeded" => break,
                "failed" | "cancelled" => return Err(format!("the hunt failed: {job}")),
                _ if start.elapsed() > PATIENCE => return Err("the hunt does not end".to_owned()),
                _ => thread::sleep(Duration::from_millis(50)),
            }
        }
        let mut stored = BTreeMap::new();
        let mut offset = 0;
        loop {
            let path = format!("/api/v1/jobs/{id}/results?offset={offset}&limit={PAGE}");
            let page = self.json("GET", &path, &Value::Null)?;
            for row in page["items"].as_array().into_iter().flatten() {
                // A mark may stand in several fields of its event.
                for mark in Mark::all_in(&row.to_string()).into_iter().collect::<BTreeSet<_>>() {
                    *stored.entry(mark).or_default() += 1;
                }
            }
            match page["next"].as_u64() {
                Some(next) => offset = next,
                None => return Ok(stored),
            }
        }
    }

    /// What it has of these rounds now.
    pub(super) fn account(&self, rounds: &[u32], known: &mut Known) -> Result<Account, String> {
        let mut account = Account::default();
        for round in rounds {
            account.stored.extend(self.stored(*round)?);
        }
        for alert in self.alerts()? {
            let id = alert["id"].as_str().unwrap_or_default();
            let marks = self.marks_of(id, known)?;
            if marks.iter().any(|mark| rounds.contains(&mark.round)) {
                account.alerts.push((id.to_owned(), marks));
            }
        }
        Ok(account)
    }

    /// The events that an alert names. A list leaves out what an alert is made of, so it is asked for, once.
    pub(super) fn marks_of(&self, id: &str, known: &mut Known) -> Result<BTreeSet<Mark>, String> {
        if let Some(marks) = known.get(id) {
            return Ok(marks.clone());
        }
        let whole = self.json("GET", &format!("/api/v1/alerts/{id}"), &Value::Null)?;
        let marks: BTreeSet<Mark> = Mark::all_in(&whole.to_string()).into_iter().collect();
        known.insert(id.to_owned(), marks.clone());
        Ok(marks)
    }
}

/// One of an alert's times, since 1970.
pub(super) fn time_of(alert: &Value, name: &str) -> Option<Duration> {
    rfc3339(alert[name].as_str()?)
}

/// `2026-01-02T03:04:05.678901Z`.
fn rfc3339(text: &str) -> Option<Duration> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    // Years that begin in March, by the proleptic Gregorian calendar.
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = days * 86_400 + part(11, 13)? * 3600 + part(14, 16)? * 60 + part(17, 19)?;
    let fraction = text.get(19..)?.trim_end_matches('Z');
    let fraction: f64 = if fraction.is_empty() { 0.0 } else { format!("0{fraction}").parse().ok()? };
    Some(Duration::from_secs(u64::try_from(seconds).ok()?) + Duration::from_secs_f64(fraction))
}

/// Rules for the server, in a folder of their own.
pub(super) fn write_rules(folder: &Path) -> Result<(), String> {
    let fault = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(fault)?;
    for (name, text) in super::load::RULES {
        std::fs::write(folder.join(name), text).map_err(fault)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(rfc3339("2026-03-02T06:00:00.123Z"), Some(Duration::from_millis(1_772_431_200_123)));
        assert_eq!(rfc3339("2000-02-29T00:00:01Z"), Some(Duration::from_secs(951_782_401)));
        assert_eq!(rfc3339("soon"), None);
    }
}
