//! The live engine as a whole: events in over HTTP, alerts out of the API, and the same alerts as on the virtual clock.

#![allow(clippy::unwrap_used, reason = "a test that cannot run has failed")]

mod audit;
mod gaps;
mod look_back;
mod support;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use lurcher_schema::{Clock, Timestamp, VirtualClock};
use support::{Engine, event, rules_folder, simulated};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_alerted_at_once_and_the_alert_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules_folder();
    let clock = Arc::new(VirtualClock::at(at("2026-03-02T08:01:00Z")));
    let mut engine = Engine::start(folder.path(), rules.path(), Arc::clone(&clock)).await;
    engine.deliver(&[event("2026-03-02T08:00:59Z", "h", "odd.exe", 1)]).await;
    let alerts = engine.alerts(1).await;
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    engine.stop().await;

    let mut again = Engine::start_with_key(folder.path(), rules.path(), Arc::clone(&clock), engine.key.clone()).await;
    assert_eq!(again.alerts(1).await, alerts);
    // What the rules knew is known again: the second half of a sequence that began before the restart.
    clock.set(at("2026-03-02T08:01:11Z"));
    again.deliver(&[event("2026-03-02T08:01:10Z", "h", "second.exe", 2)]).await;
    assert_eq!(again.alerts(2).await.len(), 2);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_found_live_is_what_is_found_on_the_virtual_clock() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules_folder();
    let begin = at("2026-03-02T08:00:00Z");
    let clock = Arc::new(VirtualClock::at(begin));
    let mut engine = Engine::start(folder.path(), rules.path(), Arc::clone(&clock)).await;
    // Bursts that fall apart between windows, sequences across them, values that are new, and more than a run may raise.
    let mut events = Vec::new();
    for number in 0..240_i64 {
        let time = Timestamp(begin.0 + number * 29_000_000);
        let name = match number % 11 {
            0 => "odd.exe",
            1 => "second.exe",
            2 | 3 => "login.exe",
            _ => "plain.exe",
        };
        events.push(event(&time.to_string(), ["h", "k", "m"][(number / 5 % 3) as usize], name, number));
    }
    // On the virtual clock an event is there when it happens; so it is here.
    for event in &events {
        clock.set(at(event["@timestamp"].as_str().unwrap()));
        engine.deliver(std::slice::from_ref(event)).await;
        engine.settle().await;
    }
    let end = Timestamp(clock.now().0 + 3600 * 1_000_000);
    clock.set(end);
    engine.settle().await;
    let expected = simulated(rules.path(), &events, begin, end);
    let found = engine.all_alerts().await;
    assert_eq!(found, expected, "{} live, {} simulated", found.len(), expected.len());
    let kinds: BTreeSet<&str> = expected.iter().map(|(rule, _)| rule.as_str()).collect();
    assert_eq!(kinds.len(), 4, "every kind of rule is to fire: {kinds:?}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_is_added_runs_without_a_restart_and_a_broken_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules_folder();
    let clock = Arc::new(VirtualClock::at(at("2026-03-02T08:00:00Z")));
    let mut engine = Engine::start(folder.path(), rules.path(), Arc::clone(&clock)).await;
    engine.deliver(&[event("2026-03-02T08:00:00Z", "h", "plain.exe", 1)]).await;
    engine.settle().await;
    assert_eq!(engine.all_alerts().await.len(), 0);
    support::write_rule(rules.path(), "plain.toml", "Plain Program", "process where process.name == \"plain.exe\"");
    support::write_rule(rules.path(), "broken.toml", "Broken", "process where process.name == ");
    let reloaded = engine.post("/api/v1/admin/reload", serde_json::json!({})).await;
    assert!(reloaded.to_string().contains("broken.toml"), "{reloaded}");
    engine.deliver(&[event("2026-03-02T08:00:05Z", "h", "plain.exe", 2)]).await;
    // Its first run looks back at the one that was there before it.
    assert_eq!(engine.alerts(2).await.len(), 2);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faulty_settings_leave_the_rules_at_work_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules_folder();
    let clock = Arc::new(VirtualClock::at(at("2026-03-02T08:00:00Z")));
    let mut engine = Engine::start(folder.path(), rules.path(), Arc::clone(&clock)).await;
    std::fs::write(rules.path().join(support::FAULTY), "").unwrap();
    let answer = engine.post("/api/v1/admin/reload", serde_json::json!({})).await;
    assert!(answer["detail"].to_string().contains("faulty-settings: line 1"), "{answer}");
    engine.deliver(&[event("2026-03-02T08:00:00Z", "h", "odd.exe", 1)]).await;
    assert_eq!(engine.alerts(1).await.len(), 1);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_cannot_be_read_stops_nothing_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules_folder();
    let clock = Arc::new(VirtualClock::at(at("2026-03-02T08:00:00Z")));
    let mut engine = Engine::start(folder.path(), rules.path(), Arc::clone(&clock)).await;
    engine.deliver_lines("no line of any log\n").await;
    engine.deliver(&[event("2026-03-02T08:00:05Z", "h", "odd.exe", 2)]).await;
    assert_eq!(engine.alerts(1).await.len(), 1);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let aside = engine.get("/api/v1/quarantine").await;
    assert!(aside.to_string().contains("no known format"), "{aside}");
    engine.stop().await;
}
