//! Files: a line for each alert, rotation, and what a crash leaves behind.

use std::fs;

use serde_json::Value;

use crate::outbox::{MemoryOutbox, State, alert, start};

fn ids(path: &std::path::Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|line| line["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_line_for_each_alert_after_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.jsonl");
    fs::write(&path, r#"{"id":"old"}"#.to_owned() + "\n" + r#"{"id":"torn by a cra"#).unwrap();
    let outbox = MemoryOutbox::new();
    for number in 0..3 {
        outbox.put("t", alert(&format!("a{number}")));
    }
    let running = start(&outbox, &[format!("name = \"t\"\ntype = \"file\"\npath = {:?}", path.display().to_string())]);
    outbox.settled("t").await;
    running.stop().await;
    assert_eq!(ids(&path), ["old", "a0", "a1", "a2"]);
}

#[tokio::test]
async fn full_files_are_numbered_and_the_oldest_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alerts.jsonl");
    let outbox = MemoryOutbox::new();
    for number in 0..5 {
        outbox.put("t", alert(&format!("a{number}")));
    }
    let table = format!(
        "name = \"t\"\ntype = \"file\"\npath = {:?}\nmax_size = \"1KiB\"\nkeep = 2\nbatch = 1",
        path.display().to_string()
    );
    let running = start(&outbox, &[table]);
    outbox.settled("t").await;
    running.stop().await;
    let all = ["alerts.jsonl", "alerts.jsonl.1", "alerts.jsonl.2"].map(|name| ids(&folder.path().join(name)));
    assert_eq!(all, [["a4"], ["a3"], ["a2"]]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub").join("alerts.jsonl");
    fs::create_dir(folder.path().join("sub")).unwrap();
    let outbox = MemoryOutbox::new();
    let id = outbox.put("t", alert("a1"));
    let running = start(
        &outbox,
        &[format!("name = \"t\"\ntype = \"file\"\nretry_first = \"20ms\"\npath = {:?}", path.display().to_string())],
    );
    outbox.settled("t").await;
    fs::remove_dir_all(folder.path().join("sub")).unwrap();
    let second = outbox.put("t", alert("a2"));
    crate::outbox::until("it fails", || outbox.history(second).0 > 0).await;
    assert!(outbox.history(second).1.contains("No such file"), "{:?}", outbox.history(second));
    fs::create_dir(folder.path().join("sub")).unwrap();
    outbox.settled("t").await;
    assert_eq!((outbox.state(id), ids(&path)), (State::Delivered, vec!["a2".to_owned()]));
    running.stop().await;
}
