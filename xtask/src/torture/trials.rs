//! Trials beside the killing: a server that stands still, poison, a slow disk, a clock that jumps, a full disk.

use std::{
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::{
    Rounds, Torture,
    checker::Due,
    http::ask,
    load::Fate,
    server::{Server, Site},
};

/// How long each load lasts.
const SPELL: Duration = Duration::from_secs(4);

/// How long a server may take to get over it.
const RECOVERY: Duration = Duration::from_mins(1);

impl Torture {
    /// Stopped for seconds at a time, as by a machine that is out of breath.
    pub(super) fn stall(&mut self) -> Result<(), String> {
        let mut site = self.site("stall")?;
        let server = site.start()?;
        let mut rounds = Rounds::default();
        let mut halted = [Ok(()), Ok(())];
        rounds.load(&server, SPELL, |_| {
            halted[0] = server.signal("STOP");
            thread::sleep(Duration::from_secs(3));
            halted[1] = server.signal("CONT");
            thread::sleep(SPELL);
        });
        for done in halted {
            done?;
        }
        self.compare("stall", &server, &mut rounds, Due::All)?;
        println!("stall: {}", rounds.told());
        Ok(())
    }

    /// What no shipper sends: each is answered, and costs nobody else anything.
    pub(super) fn poison(&mut self) -> Result<(), String> {
        let mut site = self.site("poison")?;
        let mut server = site.start()?;
        let mut rounds = Rounds::default();
        let address = server.address;
        let mut unanswered = 0;
        let key = server.key.clone();
        rounds.load(&server, SPELL, |_| {
            for body in poisons() {
                for (path, authorization) in [("/_bulk", "ApiKey"), ("/services/collector/event", "Splunk")] {
                    let authorization = format!("{authorization} {key}");
                    unanswered += u32::from(ask(address, "POST", path, &authorization, &body).is_err());
                }
            }
            thread::sleep(SPELL);
        });
        if unanswered > 0 {
            self.fault("poison", &format!("{unanswered} requests were not answered"));
        }
        if !server.is_alive() {
            return Err("the server died of it".to_owned());
        }
        // It must also survive them in its journal.
        server.kill();
        let server = site.start()?;
        self.compare("poison", &server, &mut rounds, Due::All)?;
        println!("poison: {}", rounds.told());
        Ok(())
    }

    /// A rule keeps whatever comes, and would keep it for a month: it is stopped and named, the others go on.
    pub(super) fn explode(&mut self) -> Result<(), String> {
        let mut site = self.site("explode")?;
        site.settings.push_str("[live]\nmemory = \"4MiB\"\n");
        let rules = site.rules.first().ok_or("no rules")?;
        std::fs::write(rules.join("explode.toml"), GREEDY).map_err(|error| error.to_string())?;
        let mut server = site.start()?;
        let mut rounds = Rounds::default();
        let start = Instant::now();
        while !stopped(&server)? {
            if start.elapsed() > RECOVERY * 2 {
                return Err("the rule that keeps everything is not stopped".to_owned());
            }
            rounds.load(&server, SPELL, |_| {});
        }
        println!("explode: stopped after {:.0} s, with {} MiB", start.elapsed().as_secs_f64(), server.memory() >> 20);
        rounds.load(&server, SPELL, |_| {});
        server.kill();
        let server = site.start()?;
        self.compare("explode", &server, &mut rounds, Due::All)?;
        println!("explode: {}", rounds.told());
        Ok(())
    }

    /// Every sync takes a third of a second longer.
    pub(super) fn slow(&mut self) -> Result<(), String> {
        let Some(shim) = self.shim("slow")? else { return Ok(()) };
        let mut site = self.site("slow")?;
        site.environment = vec![shim, ("TORTURE_SYNC_MS".to_owned(), "300".to_owned())];
        let mut server = site.start()?;
        let mut rounds = Rounds::default();
        let mut killed = Ok(());
        let round = rounds.load(&server, SPELL * 2, |_| killed = server.signal("KILL"));
        killed?;
        server.kill();
        site.environment.clear();
        let server = site.start()?;
        rounds.send_again(&server, round);
        self.compare("slow", &server, &mut rounds, Due::All)?;
        println!("slow: {}", rounds.told());
        Ok(())
    }

    /// The clock goes a day on, then two days back.
    pub(super) fn clock(&mut self) -> Result<(), String> {
        let Some(shim) = self.shim("clock")? else { return Ok(()) };
        let mut site = self.site("clock")?;
        let file = self.folder.join("clock.offset");
        set_clock(&file, 0)?;
        site.environment = vec![shim, ("TORTURE_CLOCK".to_owned(), file.to_string_lossy().into_owned())];
        let mut server = site.start()?;
        let mut rounds = Rounds::default();
        for off_by in [0, 86_400, -86_400, 0] {
            set_clock(&file, off_by)?;
            rounds.load(&server, SPELL, |_| {});
        }
        self.compare("clock", &server, &mut rounds, Due::Single)?;
        if !server.is_alive() {
            return Err("the server died of it".to_owned());
        }
        println!("clock: {}", rounds.told());
        Ok(())
    }

    /// The disk fills up under load, and is given room again.
    pub(super) fn full(&mut self) -> Result<(), String> {
        let mut site = self.site("full")?;
        let disk = self.folder.join("full/disk");
        std::fs::create_dir_all(&disk).map_err(|error| error.to_string())?;
        let Some(_mounted) = Mounted::new(&disk, "256m") else {
            println!("skipped: full: no file system can be mounted here");
            return Ok(());
        };
        site.state = disk.join("state");
        // It is to meet the end of the disk itself, not its own reserve.
        site.settings.push_str("[server.disk]\nwarn_below = \"0B\"\nrefuse_below = \"0B\"\n");
        // The server goes before its disk does.
        self.fill(&mut site, &disk)
    }

    fn fill(&mut self, site: &mut Site, disk: &Path) -> Result<(), String> {
        let mut server = site.start()?;
        let mut rounds = Rounds::default();
        // Most of the room goes to somebody else.
        let ballast = disk.join("ballast");
        let _ = std::fs::write(&ballast, vec![0; 200 << 20]);
        let start = Instant::now();
        while !rounds.book.values().any(|fate| *fate == Fate::Refused) {
            if start.elapsed() > RECOVERY * 2 {
                return Err("the disk does not fill up".to_owned());
            }
            if !server.is_alive() {
                return Err("the server died of it".to_owned());
            }
            rounds.load(&server, SPELL, |_| {});
        }
        println!("full: {}; {}", rounds.told(), condition(&server));
        std::fs::remove_file(&ballast).map_err(|error| error.to_string())?;
        let start = Instant::now();
        loop {
            let round = rounds.load(&server, Duration::from_secs(1), |_| {});
            let of_round = || rounds.book.iter().filter(|(mark, _)| mark.round == round);
            if of_round().any(|(_, fate)| *fate == Fate::Acknowledged) {
                break;
            }
            if start.elapsed() > RECOVERY {
                return Err(format!("the server takes nothing though there is room again; {}", condition(&server)));
            }
        }
        self.compare("full", &server, &mut rounds, Due::All)?;
        server.kill();
        let server = site.start()?;
        rounds.open = rounds.book.keys().map(|mark| mark.round).collect();
        self.compare("full", &server, &mut rounds, Due::All)?;
        println!("full: {}", rounds.told());
        Ok(())
    }

    /// Builds what stands between a program and its C library; `None` where there is no compiler.
    fn shim(&self, trial: &str) -> Result<Option<(String, String)>, String> {
        std::fs::create_dir_all(&self.folder).map_err(|error| error.to_string())?;
        let (source, library) = (self.folder.join("shim.c"), self.folder.join("shim.so"));
        std::fs::write(&source, include_str!("shim.c")).map_err(|error| error.to_string())?;
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
        match built {
            Ok(status) if status.success() => {
                Ok(Some(("LD_PRELOAD".to_owned(), absolute(&library)?.to_string_lossy().into_owned())))
            }
            _ => {
                println!("skipped: {trial}: there is no C compiler");
                Ok(None)
            }
        }
    }
}

fn absolute(path: &Path) -> Result<PathBuf, String> {
    path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))
}

/// In place, since the program looks into the file all the time.
fn set_clock(file: &Path, off_by: i64) -> Result<(), String> {
    use std::io::Write as _;
    let fault = |error: std::io::Error| format!("{}: {error}", file.display());
    let mut file = std::fs::File::options().create(true).write(true).truncate(false).open(file).map_err(fault)?;
    file.write_all(&off_by.to_le_bytes()).map_err(fault)
}

/// A rule that keeps every event.
const GREEDY: &str = r#"[metadata]
creation_date = "2026/01/01"
maturity = "production"
updated_date = "2026/01/01"

[rule]
author = ["Lurcher"]
description = "Keeps everything."
from = "now-30d"
index = ["logs-*"]
language = "eql"
license = "Apache-2.0"
name = "Torture: everything"
risk_score = 21
rule_id = "6f0c1a3e-6a51-4c62-9d58-2b5c7f5e0a03"
severity = "low"
type = "eql"
query = '''
sequence by process.command_line with maxspan=30d
  [process where true]
  [process where process.name == "never.exe"]
'''
"#;

/// Whether the server says that it stopped a rule.
fn stopped(server: &Server) -> Result<bool, String> {
    let aside = server.get("/api/v1/quarantine").map_err(|error| error.to_string())?.json();
    Ok(aside["items"].as_array().into_iter().flatten().any(|item| item["kind"] == "rule"))
}

/// What the server says of itself.
fn condition(server: &Server) -> String {
    match server.get("/health") {
        Ok(answer) => format!("health {}: {}", answer.status, String::from_utf8_lossy(&answer.body).trim()),
        Err(error) => format!("health: {error}"),
    }
}

/// A small file system in memory, until this goes.
struct Mounted(PathBuf);

impl Mounted {
    fn new(at: &Path, size: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o"]).arg(format!("size={size}")).arg("tmpfs").arg(at);
        mount.status().ok().filter(std::process::ExitStatus::success).map(|_| Self(at.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Bodies that no shipper sends.
fn poisons() -> Vec<Vec<u8>> {
    let action = b"{\"create\":{\"_index\":\"logs-poison-default\"}}\n";
    let bulk = |document: &[u8]| [&action[..], document, b"\n"].concat();
    let event = |document: &[u8]| [b"{\"event\":", document, b"}\n"].concat();
    let many = (0..20_000).fold(String::new(), |text, n| text + &format!("\"f{n}\":{n},"));
    let documents: Vec<Vec<u8>> = vec![
        b"{".to_vec(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"{\"a\":\xff\xfe}".to_vec(),
        b"{\"a\":\"\\ud800\"}".to_vec(),
        b"{\"@timestamp\":\"never\",\"a\":1e999,\"b\":-0,\"c\":123456789012345678901234567890}".to_vec(),
        b"{\"\":{\"\":{\"\":1}},\"a.b\":1,\"a\":{\"b\":2},\"\\u0000\":3}".to_vec(),
        [b"{\"a\":".repeat(5000), b"1".to_vec(), b"}".repeat(5000)].concat(),
        [&b"{\"a\":"[..], &b"[".repeat(100_000), &b"]".repeat(100_000), b"}"].concat(),
        format!("{{{many}\"z\":1}}").into_bytes(),
        format!("{{\"a\":\"{}\"}}", "x".repeat(4 << 20)).into_bytes(),
        b"{\"message\":\"<Event><System><EventID>1</EventID></System></Event>\"}".to_vec(),
        b"{\"Event\":{\"System\":[1,2,3],\"EventData\":{\"Data\":[[[[]]]]}}}".to_vec(),
    ];
    let bare: [&[u8]; 5] = [b"", b"\n\n\n", b"\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n", b"{\"create\":{}}\n{}\n"];
    let wrapped = documents.iter().flat_map(|document| [bulk(document), event(document)]);
    wrapped.chain(bare.iter().map(|body| body.to_vec())).collect()
}
