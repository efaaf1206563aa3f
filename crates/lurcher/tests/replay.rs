//! `lurcher replay` as a user runs it: into a file that a hunt reads, and at servers that take, refuse and break off.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use support::{example, lurcher};

#[cfg(not(feature = "serve"))]
#[test]
fn a_build_without_the_live_engine_says_so() {
    let output = lurcher(&["replay", &example("events"), "--to", "-"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("build with --features serve"));
}

#[cfg(feature = "serve")]
mod with_the_live_engine {
    use std::{
        collections::BTreeSet,
        fs,
        io::{BufRead as _, BufReader, Read as _, Write as _},
        net::{TcpListener, TcpStream},
        sync::{Arc, Mutex},
        thread,
    };

    use serde_json::{Value, json};

    use super::{example, lurcher};
    use crate::support::{hunt, shared};

    fn ids(alerts: &[Value]) -> BTreeSet<String> {
        alerts.iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_hunt_finds_the_same_in_what_would_be_sent() {
        let folder = tempfile::tempdir().unwrap();
        let rules = example("rules");
        let wanted = ids(&hunt(&[&example("events"), "-r", &rules]).1);
        assert!(!wanted.is_empty());
        for protocol in ["hec", "bulk"] {
            let path = folder.path().join(protocol).to_string_lossy().into_owned();
            let output =
                lurcher(&["replay", &example("events"), "--to", &path, "--shift", "none", "--protocol", protocol]);
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(ids(&hunt(&[&path, "-r", &rules]).1), wanted, "{protocol}");
        }
    }

    #[test]
    fn moved_events_are_found_at_their_new_times() {
        let output = lurcher(&["replay", &example("events"), "--to", "-", "--shift", "2027-01-01T00:00:00Z", "-q"]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("moved");
        fs::write(&path, &output.stdout).unwrap();
        let inventory = lurcher(&["inventory", &path.to_string_lossy(), "--json"]);
        let first = String::from_utf8(inventory.stdout).unwrap();
        assert!(first.contains("2027-01-01T00:00:0"), "{first}");
        let rules = example("rules");
        let moved = hunt(&[&path.to_string_lossy(), "-r", &rules]).1;
        assert_eq!(moved.len(), hunt(&[&example("events"), "-r", &rules]).1.len());
    }

    #[test]
    fn only_the_streams_and_times_that_are_wanted_are_sent() {
        let lines = |more: &[&str]| {
            let events = example("events");
            let output = lurcher(&[&["replay", events.as_str(), "--to", "-", "-q"], more].concat());
            String::from_utf8(output.stdout).unwrap().lines().count()
        };
        let all = lines(&[]);
        let sysmon = lines(&["--streams", "*Sysmon*"]);
        assert!(sysmon > 0 && sysmon <= all);
        assert_eq!(lines(&["--streams", "windows"]), all);
        assert_eq!(lines(&["--streams", "none"]), 0);
        assert_eq!(lines(&["--until", "1999-01-01"]), 0);
    }

    /// Real telemetry, EVTX among it: read, written as it would be sent, and read again.
    #[test]
    fn recordings_read_back_as_they_were() {
        let Some(events) = shared("data/events/permissive") else {
            eprintln!("skipped: recordings_read_back_as_they_were: ../shared/data is absent");
            return;
        };
        let mut files = Vec::new();
        small_files(&events, &mut files);
        files.sort();
        let folder = tempfile::tempdir().unwrap();
        // Every few of them, so that the test takes seconds.
        for file in files.iter().step_by(files.len() / 12 + 1) {
            let path = folder.path().join("sent").to_string_lossy().into_owned();
            let name = file.to_string_lossy();
            let output = lurcher(&["replay", &name, "--to", &path, "--shift", "none", "-q"]);
            if output.status.code() == Some(1) {
                continue;
            }
            assert_eq!(sorted_events(&path), sorted_events(&name), "{name}");
        }
    }

    fn small_files(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::metadata(&path).unwrap();
            if meta.is_dir() {
                small_files(&path, files);
            } else if meta.len() < 100_000 {
                files.push(path);
            }
        }
    }

    fn sorted_events(path: &str) -> Vec<String> {
        let output = lurcher(&["event", path, "--compact"]);
        let mut lines: Vec<String> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| {
                let event: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
                // Zeek's JSON does not say which of its logs it is from; what is sent does.
                let told = event.iter().filter(|(name, _)| *name != "_path");
                let mut members: Vec<String> = told.map(|(name, value)| format!("{name}={value}")).collect();
                members.sort();
                members.join(" ")
            })
            .collect();
        lines.sort();
        lines
    }

    /// A server that answers requests by a script; the last answer is given again and again. What it was sent stays.
    struct Scripted {
        address: String,
        requests: Arc<Mutex<Vec<(String, String)>>>,
    }

    type Script = Box<dyn Fn(usize, &str) -> Option<String> + Send + Sync>;

    fn scripted(script: Script) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let mut socket = socket.unwrap();
                let Some((head, body)) = request(&mut socket) else { continue };
                let number = {
                    let mut kept = kept.lock().unwrap();
                    kept.push((head, body.clone()));
                    kept.len() - 1
                };
                if let Some(answer) = script(number, &body) {
                    let _ = socket.write_all(answer.as_bytes());
                }
            }
        });
        Scripted { address, requests }
    }

    fn request(socket: &mut TcpStream) -> Option<(String, String)> {
        let mut reader = BufReader::new(socket);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some((head, String::from_utf8(body).ok()?))
    }

    fn answer(status: u16, headers: &str, body: &Value) -> Option<String> {
        let body = body.to_string();
        Some(format!(
            "HTTP/1.1 {status} X\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    fn items(body: &str, refuse: impl Fn(usize) -> u16) -> Value {
        let items: Vec<Value> = (0..body.lines().count() / 2)
            .map(|at| match refuse(at) {
                201 => json!({"create": {"status": 201}}),
                status => json!({"create": {"status": status, "error": {"type": "x", "reason": "y"}}}),
            })
            .collect();
        json!({"errors": true, "items": items})
    }

    fn figures(output: &std::process::Output, stats: &std::path::Path) -> Value {
        let text = fs::read_to_string(stats).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    fn replay(to: &str, more: &[&str]) -> (std::process::Output, Value) {
        let folder = tempfile::tempdir().unwrap();
        let stats = folder.path().join("stats.json");
        let path = stats.to_string_lossy().into_owned();
        let events = example("events");
        let fixed = ["replay", &events, "--to", to, "--as-fast-as-possible", "--stats", &path];
        let output = lurcher(&[&fixed, more].concat());
        let figures = figures(&output, &stats);
        (output, figures)
    }

    #[test]
    fn what_is_refused_for_now_is_sent_again_and_what_is_refused_for_good_is_told() {
        let server = scripted(Box::new(|number, body| match number {
            0 => answer(429, "Retry-After: 0\r\n", &json!({"error": "busy"})),
            // Of the first batch every other event, and the third never.
            1 => answer(
                200,
                "",
                &items(body, |at| {
                    if at == 2 {
                        400
                    } else if at % 2 == 0 {
                        201
                    } else {
                        429
                    }
                }),
            ),
            _ => answer(200, "", &items(body, |_| 201)),
        }));
        let (output, figures) = replay(&format!("{}/_bulk", server.address), &["--key", "secret"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("1 event refused: 400: x: y"), "{said}");
        let events = figures["events"].as_u64().unwrap();
        assert_eq!(figures["acknowledged"].as_u64(), Some(events - 1));
        assert_eq!(figures["refused"].as_u64(), Some(1));
        let requests = server.requests.lock().unwrap();
        assert_eq!(requests[0].1, requests[1].1);
        assert_eq!(requests[2].1.lines().count() / 2, requests[1].1.lines().count() / 2 / 2);
        assert!(requests[0].0.to_ascii_lowercase().contains("authorization: apikey secret"), "{}", requests[0].0);
    }

    #[test]
    fn a_collector_is_found_and_lost_answers_are_asked_for_again() {
        let server = scripted(Box::new(|number, _| match number {
            0 => answer(200, "", &json!({"text": "HEC is healthy", "code": 17})),
            1 => None,
            2 => answer(503, "", &json!({"text": "Server is busy", "code": 9})),
            _ => answer(200, "", &json!({"text": "Success", "code": 0})),
        }));
        let (output, figures) = replay(&server.address, &["--batch", "1000000"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(figures["acknowledged"], figures["events"]);
        assert_eq!(figures["repeated"], 2);
        let requests = server.requests.lock().unwrap();
        assert!(requests[1].0.starts_with("POST /services/collector/event "), "{}", requests[1].0);
        assert_eq!(requests[1].1, requests[3].1);
    }

    #[test]
    fn a_server_that_takes_nothing_is_given_up() {
        let server = scripted(Box::new(|_, _| answer(503, "Retry-After: 1\r\n", &json!({"error": "full"}))));
        let (output, figures) = replay(&format!("{}/_bulk", server.address), &["--give-up-after", "1"]);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(figures["unanswered"], figures["events"]);
        assert!(String::from_utf8_lossy(&output.stderr).contains("no progress for 1 s"));
        let denied = scripted(Box::new(|_, _| answer(401, "", &json!({"error": "no"}))));
        let (output, _) = replay(&format!("{}/_bulk", denied.address), &[]);
        assert!(String::from_utf8_lossy(&output.stderr).contains("broken off: 401: no"));
        assert_eq!(denied.requests.lock().unwrap().len(), 1);
    }

    #[test]
    fn events_are_due_at_their_rate() {
        let server = scripted(Box::new(|_, _| answer(200, "", &json!({"text": "Success", "code": 0}))));
        let to = format!("{}/services/collector", server.address);
        let start = std::time::Instant::now();
        let output = lurcher(&["replay", &example("events/office-monday.xml"), "--to", &to, "--rate", "2000"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let events: usize = server.requests.lock().unwrap().iter().map(|request| request.1.lines().count()).sum();
        assert!(start.elapsed().as_secs_f64() > (events - 1) as f64 / 2000.0);
    }
}
