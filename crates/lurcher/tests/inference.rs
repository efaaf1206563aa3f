//! `COMPLETION` as a user runs it: against a model's server that answers, refuses, or is not set up.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod support;

use std::{fs, path::Path};

use support::lurcher;

const RULE: &str = r#"[metadata]
creation_date = "2026/01/01"
maturity = "production"
[rule]
author = ["us"]
description = "asks about processes"
language = "esql"
license = "none"
name = "Judged"
risk_score = 47
rule_id = "6b1e3c0e-0f4c-4b53-8f9f-3b9c2f9f0a01"
severity = "medium"
type = "esql"
query = '''
from logs-*
| stats c = count(*) by host.name
| completion verdict = concat("host ", host.name) with { "inference_id": ".judge-completion" }
| where verdict == "bad"
| keep host.name, c, verdict
'''
"#;

const EVENTS: &str = r#"{"@timestamp":"2026-01-01T00:00:00Z","data_stream":{"dataset":"a"},"host":{"name":"h1"}}
{"@timestamp":"2026-01-01T00:00:01Z","data_stream":{"dataset":"a"},"host":{"name":"h2"}}
{"@timestamp":"2026-01-01T00:00:02Z","data_stream":{"dataset":"a"},"host":{"name":"h2"}}
"#;

fn site(folder: &Path, inference: &str) -> (String, String, String) {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    (write("rule.toml", RULE), write("events.jsonl", EVENTS), write("site.toml", inference))
}

#[test]
fn a_rule_whose_endpoint_is_not_set_up_says_how_to() {
    let folder = tempfile::tempdir().unwrap();
    let (rule, ..) = site(folder.path(), "");
    let output = lurcher(&["check", &rule]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("unsupported") && text.contains("[inference.\".judge-completion\"]"), "{text}");
}

#[test]
fn an_endpoint_that_cannot_be_asked_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[inference.\".judge-completion\"]\nurl = \"http://localhost:9\"\nmodel = \"m\"\n\
        key = { env = \"LURCHER_NO_SUCH_KEY\" }\n";
    let (rule, _, config) = site(folder.path(), settings);
    let text = String::from_utf8(lurcher(&["check", &rule, "--config", &config]).stdout).unwrap();
    assert!(text.contains("unsupported") && text.contains("LURCHER_NO_SUCH_KEY"), "{text}");
}

#[cfg(not(feature = "serve"))]
#[test]
fn a_build_without_a_client_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[inference.\".judge-completion\"]\nurl = \"http://localhost:9\"\nmodel = \"m\"\n";
    let (rule, _, config) = site(folder.path(), settings);
    let text = String::from_utf8(lurcher(&["check", &rule, "--config", &config]).stdout).unwrap();
    assert!(text.contains("unsupported") && text.contains("build with --features serve"), "{text}");
}

#[cfg(feature = "serve")]
mod with_a_client {
    use std::{
        fs,
        io::{BufRead as _, BufReader, Read as _, Write as _},
        net::{TcpListener, TcpStream},
        sync::{Arc, Mutex},
        thread,
    };

    use serde_json::{Value, json};

    use super::site;
    use crate::support::{hunt, lurcher};

    /// What the server was asked: the header that proves who asks, and the body.
    type Asked = Arc<Mutex<Vec<(String, Value)>>>;

    /// A server that answers each prompt as a function says: a status and a body.
    fn server(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> (String, Asked) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Asked::default();
        let seen = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &seen, &answer);
            }
        });
        (format!("http://{address}/v1/chat/completions"), asked)
    }

    fn serve(stream: TcpStream, asked: &Asked, answer: &dyn Fn(&str) -> (u16, String)) {
        let mut reader = BufReader::new(stream);
        loop {
            let (mut length, mut authorization, mut line) = (0, String::new(), String::new());
            while reader.read_line(&mut line).unwrap_or(0) > 2 {
                let lower = line.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if lower.starts_with("authorization:") {
                    line.trim().clone_into(&mut authorization);
                }
                line.clear();
            }
            if length == 0 {
                return;
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let (status, text) = answer(body["messages"][0]["content"].as_str().unwrap());
            asked.lock().unwrap().push((authorization, body));
            let head = format!(
                "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                text.len()
            );
            // Who has waited long enough may have gone.
            let _ = reader.get_mut().write_all(format!("{head}{text}").as_bytes());
        }
    }

    fn said(text: &str) -> (u16, String) {
        (200, json!({ "choices": [{ "message": { "role": "assistant", "content": text } }] }).to_string())
    }

    fn settings(url: &str, more: &str) -> String {
        format!("[inference.\".judge-completion\"]\nurl = \"{url}\"\nmodel = \"small\"\n{more}")
    }

    #[test]
    fn a_rule_asks_once_about_each_row_and_alerts_on_the_answers() {
        let (url, asked) = server(|prompt| said(if prompt == "host h2" { "bad" } else { "good" }));
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("model.key");
        fs::write(&key, "opensesame\n").unwrap();
        let more = format!("key = {{ file = \"{}\" }}\n", key.display());
        let (rule, events, config) = site(folder.path(), &settings(&url, &more));
        let checked = String::from_utf8(lurcher(&["check", &rule, "--config", &config]).stdout).unwrap();
        assert!(checked.contains("approximate") && checked.contains("another model"), "{checked}");
        let (code, alerts, errors) = hunt(&[&events, "-r", &rule, "--config", &config]);
        assert_eq!(code, 0, "{errors}");
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        assert_eq!(alerts[0]["values"], json!({"host.name": "h2", "c": 2, "verdict": "bad"}));
        let asked = asked.lock().unwrap();
        let prompts: Vec<&str> =
            asked.iter().map(|(_, body)| body["messages"][0]["content"].as_str().unwrap()).collect();
        assert_eq!(prompts, ["host h1", "host h2"]);
        assert_eq!((asked[0].0.as_str(), &asked[0].1["model"]), ("authorization: Bearer opensesame", &json!("small")));
    }

    #[test]
    fn what_is_not_answered_is_null_and_is_told() {
        let refused = json!({ "error": { "message": "too many requests" } }).to_string();
        let (url, _) = server(move |prompt| if prompt == "a" { (429, refused.clone()) } else { said("yes") });
        let folder = tempfile::tempdir().unwrap();
        let (_, _, config) = site(folder.path(), &settings(&url, ""));
        let query =
            "ROW x = [\"a\", \"b\"] | MV_EXPAND x | COMPLETION x WITH { \"inference_id\": \".judge-completion\" }";
        let output = lurcher(&["query", "esql", query, "--config", &config, "--format", "jsonl"]);
        let (text, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(2), "{errors}");
        assert!(text.contains("{\"x\":\"a\",\"completion\":null}"), "{text}");
        assert!(text.contains("{\"x\":\"b\",\"completion\":\"yes\"}"), "{text}");
        assert!(
            errors.contains("1 of 2 prompts unanswered")
                && errors.contains("429")
                && errors.contains("too many requests")
        );
    }

    #[test]
    fn rows_beyond_the_most_are_told() {
        let (url, asked) = server(|_| said("yes"));
        let folder = tempfile::tempdir().unwrap();
        let (_, _, config) = site(folder.path(), &settings(&url, "most_rows = 1\n"));
        let query =
            "ROW x = [\"a\", \"b\"] | MV_EXPAND x | COMPLETION x WITH { \"inference_id\": \".judge-completion\" }";
        let output = lurcher(&["query", "esql", query, "--config", &config, "--format", "jsonl"]);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), asked.lock().unwrap().len()), (Some(2), 1), "{errors}");
        assert!(errors.contains("asked about 1 rows a run; the other 1 were dropped"), "{errors}");
    }

    #[test]
    fn a_server_that_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (_, _, config) = site(folder.path(), &settings("http://127.0.0.1:9/v1", "timeout = 5\n"));
        let query =
            "ROW x = [\"a\", \"b\"] | MV_EXPAND x | COMPLETION x WITH { \"inference_id\": \".judge-completion\" }";
        let output = lurcher(&["query", "esql", query, "--config", &config, "--format", "jsonl"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().contains("2 of 2 prompts unanswered"));
    }

    #[test]
    fn a_server_that_does_not_answer_in_time_is_waited_for_once() {
        let (url, asked) = server(|_| {
            thread::sleep(std::time::Duration::from_secs(3));
            said("late")
        });
        let folder = tempfile::tempdir().unwrap();
        let (_, _, config) = site(folder.path(), &settings(&url, "timeout = 1\n"));
        let query = "ROW x = [\"a\", \"b\", \"c\"] | MV_EXPAND x | COMPLETION x WITH { \"inference_id\": \".judge-completion\" }";
        let output = lurcher(&["query", "esql", query, "--config", &config, "--format", "jsonl"]);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains("3 of 3 prompts unanswered"), "{errors}");
        thread::sleep(std::time::Duration::from_secs(3));
        assert_eq!(asked.lock().unwrap().len(), 1);
    }
}
