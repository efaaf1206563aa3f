//! The benchmark: times the release binary as a user would run it, over corpora of our own making and over the real
//! telemetry beside the repository where that is there. Medians and ratios go to `bench/runs/` as text.
//!
//! Absolute times say little across machines; what to read are the ratios to *reading alone* (`lurcher inventory`)
//! on the same input in the same run.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use crate::{corpus, number, root};

/// The bundled example's rules, by the attack that they find.
const PLANTED: [(&str, &str); 2] = [
    ("bits-notify", "5f0c5a39-3a1c-4c0b-9c8e-6d0f5f1b7a10"),
    ("bits-download", "0c7e2a54-1f0d-4a8b-8b5b-2b6c1f6a9d21"),
];

struct Bench {
    binary: PathBuf,
    work: PathBuf,
    runs: usize,
    report: String,
}

/// Builds the release binary, makes the corpora, times, and appends to today's file in `bench/runs/`.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let events = number(arguments, "--events", 200_000)?;
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let built = Command::new("cargo").args(["build", "--release", "--package", "lurcher"]).current_dir(root()).status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("the release build failed".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let work = target.join("bench");
    let mut bench = Bench {
        binary: target.join("release").join("lurcher"),
        work,
        runs: if quick { 1 } else { 3 },
        report: String::new(),
    };
    bench.describe(events);
    let folder = bench.work.join(format!("office-{events}"));
    if !folder.join("planted.csv").exists() {
        corpus::make(&folder, events, 1, 4_000)?;
    }
    bench.ecs(&folder)?;
    let packs = bench.rule_packs()?;
    for input in ["events.xml", "events.jsonl", "events.ecs.jsonl"] {
        bench.input(input, &folder.join(input), &packs)?;
        bench.check_planted(&folder, input)?;
    }
    let real = root().join("../shared/data/events");
    if real.is_dir() {
        bench.input("real telemetry", &real, &packs)?;
    }
    bench.save()
}

impl Bench {
    fn describe(&mut self, events: u64) {
        let said = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).current_dir(root()).output().ok();
            output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
        };
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map_or("?", |name| name.trim_start_matches(['\t', ' ', ':']));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        self.line(&format!(
            "== {}  commit {}",
            said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
            said("git", &["rev-parse", "--short", "HEAD"])
        ));
        self.line(&format!(
            "{} x {cpu}, {}; {events} office events; median of {} runs",
            cores,
            said("rustc", &["--version"]),
            self.runs
        ));
        self.line("input               rules  threads   seconds   / reading      MB/s  peak MiB    alerts");
    }

    fn line(&mut self, text: &str) {
        println!("{text}");
        self.report.push_str(text);
        self.report.push('\n');
    }

    /// The office in ECS, as `lurcher event --as ecs` normalises it.
    fn ecs(&self, folder: &Path) -> Result<(), String> {
        let to = folder.join("events.ecs.jsonl");
        if to.exists() {
            return Ok(());
        }
        let file = fs::File::create(&to).map_err(|error| format!("{}: {error}", to.display()))?;
        let status = Command::new(&self.binary)
            .args(["event", "--as", "ecs", "--compact"])
            .arg(folder.join("events.jsonl"))
            .stdout(file)
            .status();
        if status.is_ok_and(|status| status.success()) { Ok(()) } else { Err("lurcher event --as ecs failed".into()) }
    }

    /// Folders with 10, 100 and all rules that can run; without the published rules, only the example's.
    fn rule_packs(&self) -> Result<Vec<(String, Vec<PathBuf>)>, String> {
        let example = root().join("examples/bits/rules");
        let published = root().join("../shared/data/rules");
        if !published.is_dir() {
            return Ok(vec![("example".into(), vec![example])]);
        }
        let all = vec![published.join("elastic"), published.join("ssa2022"), published.join("ssa2024")];
        let output = Command::new(&self.binary).args(["check", "--format", "json"]).args(&all).output();
        let output = output.map_err(|error| format!("lurcher check: {error}"))?;
        let runnable: BTreeSet<PathBuf> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|rule| matches!(rule["verdict"].as_str(), Some("exact" | "approximate")))
            .filter_map(|rule| rule["path"].as_str().map(PathBuf::from))
            .collect();
        let mut packs = Vec::new();
        for size in [10, 100] {
            // Spread over the whole pack, so that every tenth or hundredth part looks like the whole.
            let step = (runnable.len() / size).max(1);
            packs.push((size.to_string(), runnable.iter().step_by(step).take(size).cloned().collect()));
        }
        packs.push((format!("{}", runnable.len()), all));
        Ok(packs)
    }

    fn input(&mut self, name: &str, path: &Path, packs: &[(String, Vec<PathBuf>)]) -> Result<(), String> {
        for threads in ["1", "2"] {
            let reading = self.time(&["inventory", "--threads", threads], path, &[])?;
            self.row(name, "none", threads, &reading, reading.seconds);
            for (size, rules) in packs {
                let arguments =
                    ["hunt", "--route", "any", "--threads", threads, "--format", "jsonl", "-o", "/dev/null"];
                let timed = self.time(&arguments, path, rules)?;
                self.row(name, size, threads, &timed, reading.seconds);
            }
        }
        Ok(())
    }

    fn row(&mut self, name: &str, rules: &str, threads: &str, timed: &Timed, reading: f64) {
        let mut text = format!(
            "{name:18} {rules:>6} {threads:>8} {:>9.2} {:>11.2}",
            timed.seconds,
            timed.seconds / reading.max(1e-9)
        );
        let _ = write!(
            text,
            " {:>9.1} {:>9.0} {:>9}",
            timed.bytes / 1e6 / timed.seconds.max(1e-9),
            timed.peak / 1_048_576.0,
            timed.alerts
        );
        self.line(&text);
    }

    fn time(&self, arguments: &[&str], path: &Path, rules: &[PathBuf]) -> Result<Timed, String> {
        let stats = self.work.join("stats.json");
        let mut seconds = Vec::new();
        for _ in 0..self.runs {
            let mut command = Command::new(&self.binary);
            command.args(arguments).arg("--stats").arg(&stats).arg(path);
            for rule in rules {
                command.arg("-r").arg(rule);
            }
            let start = Instant::now();
            let output = command.output().map_err(|error| format!("{}: {error}", self.binary.display()))?;
            seconds.push(start.elapsed().as_secs_f64());
            if output.status.code().is_none_or(|code| code == 1) {
                return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
            }
        }
        seconds.sort_by(f64::total_cmp);
        let text = fs::read_to_string(&stats).unwrap_or_default();
        let stats: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let figure = |name: &str| stats[name].as_f64().unwrap_or(0.0);
        Ok(Timed {
            seconds: seconds[seconds.len() / 2],
            bytes: figure("bytes"),
            peak: figure("peak_resident_bytes"),
            alerts: figure("alerts"),
        })
    }

    /// Every planted attack is found, and nothing else is.
    fn check_planted(&mut self, folder: &Path, input: &str) -> Result<(), String> {
        let planted = fs::read_to_string(folder.join("planted.csv")).map_err(|error| error.to_string())?;
        let by_line = input == "events.ecs.jsonl" || input == "events.jsonl";
        let wanted: BTreeSet<(String, String)> = planted
            .lines()
            .skip(1)
            .filter_map(|line| {
                let mut cells = line.split(',');
                let planted = cells.next()?;
                let rule = PLANTED.iter().find(|(attack, _)| *attack == planted);
                let (line, record) = (cells.next()?, cells.next()?);
                Some((rule?.1.to_owned(), if by_line { line } else { record }.to_owned()))
            })
            .collect();
        let output = Command::new(&self.binary)
            .args(["hunt", "--format", "jsonl"])
            .arg(folder.join(input))
            .arg("-r")
            .arg(root().join("examples/bits/rules"))
            .output()
            .map_err(|error| error.to_string())?;
        let found: BTreeSet<(String, String)> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter_map(|alert| {
                Some((alert["rule"]["id"].as_str()?.to_owned(), alert["events"][0]["record"].as_str()?.to_owned()))
            })
            .collect();
        if wanted != found {
            return Err(format!(
                "{input}: planted {} attacks, found {}; differing: {:?}",
                wanted.len(),
                found.len(),
                wanted.symmetric_difference(&found).take(5).collect::<Vec<_>>()
            ));
        }
        self.line(&format!("{input:18} all {} planted attacks found, and nothing else", wanted.len()));
        Ok(())
    }

    fn save(&self) -> Result<(), String> {
        let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().map_err(|error| error.to_string())?;
        let folder = root().join("bench/runs");
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let path = folder.join(format!("{}.txt", String::from_utf8_lossy(&date.stdout).trim()));
        let before = fs::read_to_string(&path).map(|text| text + "\n").unwrap_or_default();
        fs::write(&path, before + &self.report).map_err(|error| format!("{}: {error}", path.display()))
    }
}

struct Timed {
    seconds: f64,
    bytes: f64,
    peak: f64,
    alerts: f64,
}
