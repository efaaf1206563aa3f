//! `lurcher serve` and `lurcher state` as a user runs them.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]
#![cfg(feature = "serve")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use lurcher_schema::{Clock as _, SystemClock, Timestamp};
use serde_json::{Value as Json, json};
use support::{example, hunt, lurcher, shared};
use tempfile::TempDir;

/// A server that runs, with its folder of state in a folder of its own.
struct Server {
    child: Child,
    /// Kept open: what it prints has to go somewhere.
    _stdout: BufReader<ChildStdout>,
    /// With its scheme.
    address: String,
    key: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Server {
    /// Starts one; `key` is that of an earlier one on the same state.
    fn start(place: &Path, arguments: &[&str], key: Option<&str>) -> Self {
        Self::start_with(place, arguments, key, None)
    }

    /// One that shows a certificate of this authority.
    fn start_with(place: &Path, arguments: &[&str], key: Option<&str>, authority: Option<&str>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lurcher"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .current_dir(place)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let mut stdout = BufReader::new(stdout);
        let mut first = String::new();
        let key = key.map_or_else(
            || {
                stdout.read_line(&mut first).unwrap();
                first.trim_end().strip_prefix("admin key: ").unwrap_or_default().to_owned()
            },
            str::to_owned,
        );
        let mut lines = BufReader::new(stderr).lines().map(Result::unwrap);
        let mut before = String::new();
        let address = loop {
            let Some(line) = lines.next() else { panic!("the server ended: {before}") };
            before += &format!("{line}\n");
            if let Some((_, rest)) = line.split_once("listening").and_then(|(_, rest)| rest.split_once("address=")) {
                break rest.split_whitespace().next().unwrap().to_owned();
            }
        };
        // What it says further is read, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder();
        let mut url = format!("http://{address}");
        if let Some(pem) = authority {
            client = client.add_root_certificate(reqwest::Certificate::from_pem(pem.as_bytes()).unwrap());
            url = format!("https://localhost:{}", address.rsplit_once(':').unwrap().1);
        }
        Self { child, _stdout: stdout, address: url, key, client: client.build().unwrap(), runtime }
    }

    fn ask(&self, method: &str, path: &str, body: Option<Json>) -> (u16, Json) {
        let url = format!("{}{path}", self.address);
        let mut request = self.client.request(method.parse().unwrap(), url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.json().await.unwrap_or_default())
        })
    }

    fn get(&self, path: &str) -> Json {
        self.ask("GET", path, None).1
    }

    fn deliver(&self, events: &[Json]) {
        let lines =
            |event: &Json| format!("{{\"create\":{{\"_index\":\"logs-endpoint.events.process-default\"}}}}\n{event}\n");
        let url = format!("{}/_bulk", self.address);
        let request = self.client.post(url).bearer_auth(&self.key).header("content-type", "application/x-ndjson");
        let answer: Json = self.runtime.block_on(async {
            request.body(events.iter().map(lines).collect::<String>()).send().await.unwrap().json().await.unwrap()
        });
        assert_eq!(answer["errors"], false, "{answer}");
    }

    /// All alerts of a kind, by id, once there are so many.
    fn alerts(&self, kind: &str, expected: usize) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        within(20, || {
            let page = self.get(&format!("/api/v1/alerts?limit=1000&kind={kind}"));
            let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
            found = items.iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect();
            found.len() >= expected
        });
        found
    }

    /// Begins a job and waits for its end; the job and its rows.
    fn job(&self, path: &str, request: Json) -> (Json, Vec<Json>) {
        let (status, begun) = self.ask("POST", path, Some(request));
        assert_eq!(status, 202, "{begun}");
        let id = begun["id"].as_str().unwrap().to_owned();
        let mut job = Json::Null;
        within(60, || {
            job = self.get(&format!("/api/v1/jobs/{id}"));
            job["ended"].is_string()
        });
        assert!(job["ended"].is_string(), "it does not end: {job}");
        let rows = self.get(&format!("/api/v1/jobs/{id}/results?limit=1000"));
        (job, rows["items"].as_array().cloned().unwrap_or_default())
    }

    /// Events in the tables.
    fn rows(&self) -> u64 {
        let streams = self.get("/api/v1/streams");
        streams["items"].as_array().into_iter().flatten().filter_map(|stream| stream["rows"].as_u64()).sum()
    }

    /// Asks it to stop, as a service manager does.
    fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").arg(&id).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only of a test that failed; after a stop there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many events there are in a file or folder.
fn events_in(path: &str) -> u64 {
    let inventory = lurcher(&["inventory", path, "--json"]);
    let lines = String::from_utf8(inventory.stdout).unwrap();
    lines.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok()?["events"].as_u64()).sum()
}

fn within(seconds: u64, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !done() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A folder of rules that look at single events; each alert of them adds to the risk of the host.
fn rules(folder: &Path) {
    for (number, tactic) in [(1, "TA0002"), (2, "TA0003"), (3, "TA0005"), (4, "TA0011")] {
        let rule = format!(
            "[rule]\nname = \"Odd {number}\"\nrule_id = \"odd-{number}\"\ndescription = \"Odd.\"\ntype = \"eql\"\n\
             language = \"eql\"\nquery = '''process where process.name == \"odd{number}.exe\"'''\nindex = [\"logs-*\"]\n\
             from = \"now-9m\"\ninterval = \"5m\"\nseverity = \"medium\"\nrisk_score = 47\n\
             [[rule.threat]]\nframework = \"MITRE ATT&CK\"\n[rule.threat.tactic]\nid = \"{tactic}\"\nname = \"T\"\n"
        );
        fs::write(folder.join(format!("odd{number}.toml")), rule).unwrap();
    }
}

fn event(time: &str, host: &str, process: &str) -> Json {
    json!({
        "@timestamp": time,
        "data_stream": {"type": "logs", "dataset": "endpoint.events.process", "namespace": "default"},
        "event": {"category": ["process"], "type": ["start"], "kind": "event"},
        "host": {"name": host}, "process": {"name": process, "pid": 7}
    })
}

fn place_with_rules() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("rules")).unwrap();
    rules(&place.path().join("rules"));
    place
}

#[test]
fn a_backup_is_restored_by_command_and_served_again() {
    let place = place_with_rules();
    let at = |name: &str| text(&place.path().join(name));
    fs::write(
        place.path().join("lurcher.toml"),
        format!("[server]\nstate = {:?}\nbackups = {:?}\n", at("state"), at("backups")),
    )
    .unwrap();
    let server = Server::start(place.path(), &["-r", "rules"], None);
    server.deliver(&[event("2026-03-02T08:00:00Z", "h", "odd1.exe")]);
    let alerts = server.alerts("finding", 1);
    assert_eq!(alerts.len(), 1);
    let sigma = "title: Mine\nid: 3e2f1a00-0000-4000-8000-000000000001\nlogsource: {category: process_creation, product: windows}\n\
                 detection: {a: {Image|endswith: x.exe}, condition: a}\nlevel: low\n";
    let url = format!("{}/api/v1/content/rules/mine.yml", server.address);
    let put = server.client.put(url).bearer_auth(&server.key).body(sigma);
    assert!(server.runtime.block_on(put.send()).unwrap().status().is_success());
    let made = server.ask("POST", "/api/v1/admin/backup", Some(json!({"name": "monday"})));
    assert_eq!(made.0, 201, "{made:?}");
    let running = lurcher(&["state", "backup", &at("offline"), "--state", &at("state")]);
    assert_eq!(running.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&running.stderr).contains("another server works in this folder"), "{running:?}");
    let key = server.key.clone();
    server.stop();

    // Offline, with the events; and everything is sound.
    let backup = lurcher(&["state", "backup", &at("offline"), "--events", "--state", &at("state")]);
    assert_eq!(backup.status.code(), Some(0), "{backup:?}");
    assert!(String::from_utf8_lossy(&backup.stdout).contains("tables of events"), "{backup:?}");
    let check = lurcher(&["state", "check", "--state", &at("state")]);
    assert_eq!(check.status.code(), Some(0), "{check:?}");
    let checked = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(checked.contains("journal: sound; 1 records") && checked.contains("events: sound; 1 rows"), "{checked}");

    for (backup, whole) in [("backups/monday", false), ("offline", true)] {
        assert_eq!(lurcher(&["state", "check", &at(backup)]).status.code(), Some(0));
        let state = at(&format!("restored-{whole}"));
        let restored = lurcher(&["state", "restore", &at(backup), "--state", &state]);
        assert_eq!(restored.status.code(), Some(0), "{restored:?}");
        let said = String::from_utf8_lossy(&restored.stdout).into_owned();
        assert!(said.contains("alerts: sound; 1 keys") && said.contains("detector at 1"), "{said}");
        let again = lurcher(&["state", "restore", &at(backup), "--state", &state]);
        assert!(String::from_utf8_lossy(&again.stderr).contains("is not empty"), "{again:?}");
        let server = Server::start(place.path(), &["-r", "rules", "--state", &state], Some(&key));
        assert_eq!(server.alerts("finding", 1), alerts);
        assert!(server.get("/api/v1/rules?limit=100").to_string().contains("Mine"));
        // It goes on behind the place that it had: nothing is given out twice.
        server
            .deliver(&[event("2026-03-02T08:00:00Z", "h", "odd1.exe"), event("2026-03-02T08:00:01Z", "h", "odd2.exe")]);
        assert_eq!(server.alerts("finding", 2).len(), 2);
        server.stop();
    }

    // A backup that was touched is refused, and so is what is none.
    let database = place.path().join("backups/monday/state/triage.db");
    let mut bytes = fs::read(&database).unwrap();
    bytes[200] ^= 1;
    fs::write(&database, bytes).unwrap();
    let refused = lurcher(&["state", "restore", &at("backups/monday"), "--state", &at("never")]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not the file that was backed up"), "{refused:?}");
    assert!(!place.path().join("never").exists());
    let none = lurcher(&["state", "backup", &at("x"), "--state", &at("nowhere")]);
    assert!(String::from_utf8_lossy(&none.stderr).contains("--state"), "{none:?}");
}

#[test]
fn incidents_are_those_of_a_hunt_and_a_restart_counts_nothing_twice() {
    let place = place_with_rules();
    // Of the last hours: what adds up live is the risk of the last days.
    let begin = SystemClock.now().0 / 1_000_000 * 1_000_000 - 4 * 3_600_000_000;
    let events: Vec<Json> = (0..40)
        .map(|number| {
            let time = Timestamp(begin + number * 300_000_000).to_string();
            event(&time, ["h", "k", "m"][number as usize % 3], &format!("odd{}.exe", number % 5))
        })
        .collect();
    let file = place.path().join("events.jsonl");
    let hit =
        |event: &Json| json!({"_index": "logs-endpoint.events.process-default", "_source": event}).to_string() + "\n";
    fs::write(&file, events.iter().map(hit).collect::<String>()).unwrap();
    let rules = text(&place.path().join("rules"));
    let (_, hunted, _) = hunt(&[&text(&file), "-r", &rules, "--incidents"]);
    let of_hunt = |kind: bool| -> BTreeSet<String> {
        let wanted = hunted.iter().filter(|alert| alert["values"]["risk_object_type"].is_string() == kind);
        wanted.map(|alert| alert["id"].as_str().unwrap().to_owned()).collect()
    };
    let (findings, incidents) = (of_hunt(false), of_hunt(true));
    assert!(findings.len() >= 30 && incidents.len() >= 3, "{} {}", findings.len(), incidents.len());

    let state = text(&place.path().join("state"));
    let arguments = ["--state", &state, "-r", &rules, "--incidents"];
    let server = Server::start(place.path(), &arguments, None);
    events.chunks(7).take(3).for_each(|events| server.deliver(events));
    server.alerts("finding", 15);
    let key = server.key.clone();
    server.stop();
    let server = Server::start(place.path(), &arguments, Some(&key));
    events.chunks(7).skip(3).for_each(|events| server.deliver(events));
    assert_eq!(server.alerts("finding", findings.len()), findings);
    assert_eq!(server.alerts("incident", incidents.len()), incidents);
    // And with the scores that they came to.
    let scores = |alerts: &[Json]| -> BTreeSet<(String, String)> {
        let pair =
            |alert: &Json| (alert["id"].as_str().unwrap().to_owned(), alert["message"].as_str().unwrap().to_owned());
        alerts.iter().filter(|alert| incidents.contains(alert["id"].as_str().unwrap())).map(pair).collect()
    };
    // That one opens is told at once, how it grows a little later.
    let known = || server.get("/api/v1/incidents?limit=1000")["items"].as_array().unwrap().clone();
    within(30, || scores(&known()) == scores(&hunted));
    for incident in known() {
        let id = incident["id"].as_str().unwrap();
        let Some(hunted) = hunted.iter().find(|alert| alert["id"] == id) else { continue };
        let count = hunted["values"]["risk_event_count"].as_u64().unwrap();
        let detail = server.get(&format!("/api/v1/incidents/{id}"));
        let of_it = detail["risk_events"].as_array().unwrap();
        assert_eq!((&incident["contributions"], of_it.len() as u64), (&json!(count), count), "{incident}");
        assert!(of_it.iter().all(|event| event["normalized"] == incident["normalized"]), "{of_it:?}");
    }
    server.stop();
}

#[test]
fn alerts_of_a_backfill_add_up_to_incidents() {
    let place = place_with_rules();
    let (state, rules) = (text(&place.path().join("state")), text(&place.path().join("rules")));
    let server = Server::start(place.path(), &["--state", &state, "-r", &rules, "--incidents"], None);
    for number in 1..=4 {
        let change = json!({"enabled": false, "why": "not yet"});
        let (status, answer) = server.ask("PATCH", &format!("/api/v1/rules/odd-{number}"), Some(change));
        assert_eq!(status, 200, "{answer}");
    }
    let hour = 3_600_000_000;
    let begin = SystemClock.now().0 / 1_000_000 * 1_000_000 - 4 * hour;
    let time = |number: i64| Timestamp(begin + number * 300_000_000).to_string();
    let events: Vec<Json> = (1..=4).map(|number| event(&time(number), "h", &format!("odd{number}.exe"))).collect();
    server.deliver(&events);
    within(30, || server.rows() == 4);
    assert!(server.alerts("finding", 0).is_empty(), "no rule is on");
    for number in 1..=4 {
        let request = json!({"rule": format!("odd-{number}"), "from": time(0), "to": time(5)});
        let (job, _) = server.job("/api/v1/backfills", request);
        assert_eq!((&job["state"], &job["summary"]["new"]), (&json!("done"), &json!(1)), "{job}");
    }
    // One incident for the score of the host, one for its tactics.
    assert_eq!(server.alerts("finding", 4).len(), 4);
    assert_eq!(server.alerts("incident", 2).len(), 2);
    server.stop();
}

#[test]
fn stored_events_are_hunted_in_every_language_and_rules_simulated_and_backfilled() {
    let place = tempfile::tempdir().unwrap();
    let state = text(&place.path().join("state"));
    let server = Server::start(place.path(), &["--state", &state], None);
    let url = server.address.clone();
    let sent = lurcher(&[
        "replay",
        &example("events"),
        "--to",
        &url,
        "--key",
        &server.key,
        "--shift",
        "none",
        "--as-fast-as-possible",
        "-q",
    ]);
    assert_eq!(sent.status.code(), Some(0), "{sent:?}");
    let there = events_in(&example("events"));
    within(30, || server.rows() >= there);
    for (language, query) in [
        ("eql", "process where process.name == \"bitsadmin.exe\""),
        ("kuery", "process.name: bitsadmin.exe"),
        ("lucene", "process.name:bitsadmin.exe"),
        ("esql", "FROM * | WHERE process.name == \"bitsadmin.exe\""),
        ("spl", "search process_name=bitsadmin.exe"),
        ("spl2", "from source | eval name = lower(process.file.name) | where name = \"bitsadmin.exe\""),
        (
            "sigma",
            "title: t\nlogsource: {category: process_creation, product: windows}\ndetection: {a: {Image|endswith: '\\bitsadmin.exe'}, condition: a}\n",
        ),
    ] {
        let file = place.path().join("query");
        fs::write(&file, query).unwrap();
        let asked = lurcher(&[
            "query",
            language,
            &format!("@{}", file.display()),
            &example("events"),
            "--format",
            "jsonl",
            "-q",
        ]);
        let expected = String::from_utf8_lossy(&asked.stdout).lines().count();
        let (job, found) = server.job("/api/v1/hunts", json!({"language": language, "text": query}));
        assert_eq!(job["state"], "done", "{language}: {job}");
        assert!(expected > 0, "{language}: {asked:?}");
        assert_eq!(found.len(), expected, "{language}: {job}");
    }
    let (job, found) = server.job("/api/v1/hunts", json!({"language": "eql", "text": "any where true", "limit": 3}));
    assert_eq!((found.len(), &job["truncated"], &job["state"]), (3, &json!(true), &json!("done")), "{job}");
    let (job, _) = server.job("/api/v1/hunts", json!({"language": "eql", "text": "process where"}));
    assert!(job["state"] == "failed" && job["error"].as_str().unwrap().contains("where"), "{job}");

    // A rule simulated by its text, then put there and backfilled: what a hunt finds.
    let file = format!("{}/bits_notify_program.toml", example("rules"));
    let rule = fs::read_to_string(&file).unwrap();
    let (_, hunted, _) = hunt(&[&example("events"), "-r", &file, "--simulate"]);
    let ids = |alerts: &[Json]| -> BTreeSet<String> {
        alerts.iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect()
    };
    let span = json!({"from": "2026-03-02T00:00:00Z", "to": "2026-03-04T00:00:00Z"});
    let mut request = span.clone();
    request["text"] = rule.clone().into();
    let (job, simulated) = server.job("/api/v1/simulations", request);
    assert_eq!(job["state"], "done", "{job}");
    assert!(!hunted.is_empty());
    assert_eq!(ids(&simulated), ids(&hunted), "{job}");
    assert!(server.alerts("finding", 0).is_empty(), "a simulation keeps nothing");
    let put = server.client.put(format!("{url}/api/v1/content/rules/bits.toml")).bearer_auth(&server.key).body(rule);
    assert!(server.runtime.block_on(put.send()).unwrap().status().is_success());
    let mut request = span;
    request["rule"] = hunted[0]["rule"]["id"].clone();
    let (job, _) = server.job("/api/v1/backfills", request);
    assert_eq!(job["state"], "done", "{job}");
    assert_eq!(server.alerts("finding", hunted.len()), ids(&hunted));
    assert!(job["summary"]["new"].as_u64().unwrap() > 0, "{job}");
    server.stop();
}

#[test]
fn a_data_set_is_replayed_over_tls_again_and_again_until_it_is_stopped() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&place.path().join(name));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(at("cert.pem"), made.cert.pem()).unwrap();
    fs::write(at("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let settings = format!("[server.tls]\ncertificate = {:?}\nkey = {:?}\n", at("cert.pem"), at("key.pem"));
    fs::write(at("lurcher.toml"), settings).unwrap();
    let server = Server::start_with(place.path(), &["--state", &at("state")], None, Some(&made.cert.pem()));
    let events = example("events");
    let to =
        ["replay", &events, "--to", &server.address, "--key", &server.key, "--shift", "none", "--as-fast-as-possible"];
    let unknown = lurcher(&[&to[..], &["--give-up-after", "1"]].concat());
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("certificate"), "{unknown:?}");
    let endless = lurcher(&["replay", &events, "--to", &at("file"), "--loop"]);
    assert!(String::from_utf8_lossy(&endless.stderr).contains("--loop"), "{endless:?}");

    let once = lurcher(&[&to[..], &["--ca", &at("cert.pem"), "--protocol", "bulk"]].concat());
    assert_eq!(once.status.code(), Some(0), "{once:?}");
    let position = || server.get("/api/v1/status")["journal_position"].as_u64().unwrap_or_default();
    let mut count = 0;
    within(20, || {
        count = position();
        count > 0
    });
    let child = Command::new(env!("CARGO_BIN_EXE_lurcher"))
        .args([&to[..], &["--ca", &at("cert.pem"), "--loop"]].concat())
        .current_dir(place.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    within(60, || position() >= count * 3);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(position() >= count * 3 && said.contains("acknowledged"), "{count} {said}");
    server.stop();
}

/// Event logs of outside data, as Windows writes them: dropped into a folder they are the events that a hunt sees in them.
#[test]
fn event_logs_dropped_into_a_folder_are_taken_in() {
    let Some(data) = shared("data/sigma_regression") else {
        eprintln!("skipped: there are no event logs beside the repository");
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&place.path().join(name));
    fs::create_dir(at("drop")).unwrap();
    fs::create_dir(at("aside")).unwrap();
    let settings = format!("[[ingest.files]]\npaths = [{:?}]\nstream = \"windows\"\nmode = \"whole\"\n", at("drop/*"));
    fs::write(at("lurcher.toml"), settings).unwrap();
    let mut found = Vec::new();
    logs(&data, &mut found);
    found.sort();
    for (number, log) in found.iter().step_by(found.len() / 5 + 1).enumerate() {
        fs::copy(log, at(&format!("aside/{number}.evtx"))).unwrap();
    }
    let expected = events_in(&at("aside"));
    assert!(expected > 0);
    let server = Server::start(place.path(), &["--state", &at("state")], None);
    for log in fs::read_dir(at("aside")).unwrap() {
        let log = log.unwrap();
        fs::rename(log.path(), place.path().join("drop").join(log.file_name())).unwrap();
    }
    within(40, || server.rows() >= expected);
    assert_eq!(server.rows(), expected);
    let (job, hunted) = server.job("/api/v1/hunts", json!({"language": "eql", "text": "any where true"}));
    assert_eq!(hunted.len() as u64, expected.min(1000), "{job}");
    server.stop();
}

fn logs(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            logs(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "evtx") {
            found.push(path);
        }
    }
}
