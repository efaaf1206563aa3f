//! Rules that are new at run time look at what came before them, in the journal and in the tables.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use lurcher_schema::{Timestamp, VirtualClock};
use serde_json::Value as Json;

use crate::{
    at,
    support::{Engine, event, rules_folder, simulated},
};

const MINUTE: i64 = 60_000_000;

/// Puts one of the folder's rules aside, until it is put back.
fn aside(rules: &Path, file: &str) -> impl FnOnce() + use<> {
    let path = rules.join(file);
    let text = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    move || std::fs::write(path, text).unwrap()
}

async fn names(engine: &Engine) -> Vec<String> {
    engine.all_alerts().await.into_iter().map(|(rule, _)| rule).collect()
}

/// Delivers each event when it happens.
async fn deliver(engine: &Engine, clock: &VirtualClock, events: &[Json]) {
    for event in events {
        clock.set(at(event["@timestamp"].as_str().unwrap()));
        engine.deliver(std::slice::from_ref(event)).await;
        engine.settle().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_rule_knows_its_window_and_what_its_first_run_finds_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules_folder();
    let files = ["threshold.toml", "sequence.toml", "odd.toml", "new.toml"];
    let back: Vec<_> = files.map(|file| aside(rules.path(), file)).into();
    let clock = Arc::new(VirtualClock::at(at("2026-03-02T08:00:00Z")));
    let mut engine = Engine::start(folder.path(), rules.path(), Arc::clone(&clock)).await;
    // Long before any window, and within the windows of the runs at 9:00.
    let before = [
        event("2026-03-02T08:00:00Z", "old", "odd.exe", 1),
        event("2026-03-02T08:55:00Z", "h", "odd.exe", 2),
        event("2026-03-02T08:56:00Z", "h", "login.exe", 3),
        event("2026-03-02T08:57:00Z", "h", "login.exe", 4),
    ];
    deliver(&engine, &clock, &before).await;
    assert_eq!(names(&engine).await, Vec::<String>::new());
    back.into_iter().for_each(|back| back());
    clock.set(at("2026-03-02T08:58:00Z"));
    engine.reload().await;
    let early = names(&engine).await;
    assert!(early.iter().all(|rule| rule == "Odd Program" || rule == "New Host"), "{early:?}");
    let after =
        [event("2026-03-02T08:58:10Z", "h", "second.exe", 5), event("2026-03-02T08:58:20Z", "h", "login.exe", 6)];
    deliver(&engine, &clock, &after).await;
    let end = at("2026-03-02T09:30:00Z");
    clock.set(end);
    engine.settle().await;
    let found = engine.all_alerts().await;
    // As if the rules had been there since the window of their first run began.
    let within: Vec<Json> = before[1..].iter().chain(&after).cloned().collect();
    assert_eq!(found, simulated(rules.path(), &within, at("2026-03-02T08:50:00Z"), end));
    let kinds: BTreeSet<&str> = found.iter().map(|(rule, _)| rule.as_str()).collect();
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    let gaps = engine.get("/api/v1/gaps?filled=true").await;
    let of_rules = gaps["items"].as_array().unwrap().iter().filter(|gap| gap["rule_id"] != "").count();
    assert_eq!(of_rules, 4, "{gaps}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_rule_knows_its_history_from_the_tables_when_the_journal_has_it_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules_folder();
    let back = aside(rules.path(), "new.toml");
    let begin = at("2026-03-02T08:00:00Z");
    let clock = Arc::new(VirtualClock::at(begin));
    let mut engine = Engine::start(folder.path(), rules.path(), Arc::clone(&clock)).await;
    engine.deliver(&[event("2026-03-02T08:00:00Z", "h", "login.exe", 1)]).await;
    engine.settle().await;
    engine.stop().await;
    std::fs::remove_dir_all(folder.path().join("journal")).unwrap();

    // A rule that came while the server was down is a new one too.
    clock.set(Timestamp(begin.0 + 20 * MINUTE));
    back();
    let mut engine = Engine::start_with_key(folder.path(), rules.path(), Arc::clone(&clock), engine.key.clone()).await;
    let filled = |gaps: &Json| {
        let gaps = gaps["items"].as_array().unwrap();
        gaps.iter().any(|gap| gap["rule_id"] == "new.toml" && gap["filled_at"].is_string())
    };
    engine.until("the new rule has looked back", "/api/v1/gaps?filled=true", filled).await;
    engine.deliver(&[event("2026-03-02T08:20:00Z", "h", "login.exe", 2)]).await;
    engine.deliver(&[event("2026-03-02T08:20:01Z", "k", "login.exe", 3)]).await;
    clock.set(Timestamp(begin.0 + 26 * MINUTE));
    engine.settle().await;
    // The host h is known from before; only k is new.
    assert_eq!(names(&engine).await, ["New Host"]);
    engine.stop().await;

    // And what is known is known after another restart.
    let mut engine = Engine::start_with_key(folder.path(), rules.path(), Arc::clone(&clock), engine.key.clone()).await;
    engine.deliver(&[event("2026-03-02T08:26:00Z", "h", "login.exe", 4)]).await;
    clock.set(Timestamp(begin.0 + 31 * MINUTE));
    engine.settle().await;
    assert_eq!(names(&engine).await, ["New Host"]);
    engine.stop().await;
}

/// What fell out of the records that rules look back at must not look new when they are read again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_tells_nothing_that_was_not_found_before() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules_folder();
    let begin = at("2026-03-02T08:00:00Z");
    let clock = Arc::new(VirtualClock::at(begin));
    let mut engine = Engine::start(folder.path(), rules.path(), Arc::clone(&clock)).await;
    // The same host for hours: new once.
    let logins: Vec<Json> = (0..12)
        .map(|number| {
            let time = Timestamp(begin.0 + number * 20 * MINUTE);
            event(&time.to_string(), "h", "login.exe", number)
        })
        .collect();
    deliver(&engine, &clock, &logins).await;
    clock.set(Timestamp(begin.0 + 240 * MINUTE));
    engine.settle().await;
    let found = engine.all_alerts().await;
    assert_eq!(found.len(), 1, "{found:?}");
    engine.stop().await;
    // As if the older ones had been trimmed: what is kept begins in the middle, or nowhere.
    std::fs::remove_dir_all(folder.path().join("kept")).unwrap();
    let mut engine = Engine::start_with_key(folder.path(), rules.path(), Arc::clone(&clock), engine.key.clone()).await;
    engine.reload().await;
    assert_eq!(engine.all_alerts().await, found);
    engine.stop().await;
}
