//! Spans that were not looked at in time are written down, and filled.

use std::sync::Arc;

use lurcher_schema::{Timestamp, VirtualClock};
use serde_json::{Value as Json, json};

use crate::{
    at,
    support::{Engine, event, rules_folder},
};

const HOUR: i64 = 3_600_000_000;

fn of<'g>(gaps: &'g Json, rule: &str) -> Vec<&'g Json> {
    gaps["items"].as_array().unwrap().iter().filter(|gap| gap["rule_id"] == rule).collect()
}

fn logins(time: &str) -> Vec<Json> {
    (0..3).map(|number| event(time, "h", "login.exe", number)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_downtime_is_a_gap_that_is_filled_when_the_runs_are_made_up_for() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules_folder();
    let begin = at("2026-03-02T08:00:00Z");
    let clock = Arc::new(VirtualClock::at(begin));
    let mut engine = Engine::start(folder.path(), rules.path(), Arc::clone(&clock)).await;
    engine.deliver(&logins("2026-03-02T08:00:00Z")).await;
    engine.settle().await;
    let none = engine.get("/api/v1/gaps?filled=true").await;
    assert!(of(&none, "").is_empty(), "{none}");
    engine.stop().await;
    clock.set(Timestamp(begin.0 + 3 * HOUR));
    let mut engine = Engine::start_with_key(folder.path(), rules.path(), Arc::clone(&clock), engine.key.clone()).await;
    let filled = |gaps: &Json| of(gaps, "").first().is_some_and(|gap| gap["filled_at"].is_string());
    let gaps = engine.until("the downtime is made up for", "/api/v1/gaps?filled=true", filled).await;
    let gap = of(&gaps, "")[0];
    // Runs wait a moment for records that are on their way.
    assert!(["2026-03-02T08:00:00Z", "2026-03-02T07:59:59.750Z"].contains(&gap["from"].as_str().unwrap()), "{gap}");
    assert_eq!(gap["to"], "2026-03-02T11:00:00Z");
    assert!(gap["reason"].as_str().unwrap().contains("down"), "{gap}");
    // The run that was due meanwhile was made.
    let found = engine.all_alerts().await;
    assert!(found.iter().any(|(rule, _)| rule == "Many Logins"), "{found:?}");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_too_late_to_be_looked_at_together_is_a_gap_that_a_backfill_fills() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules_folder();
    let clock = Arc::new(VirtualClock::at(at("2026-03-02T12:00:00Z")));
    let mut engine = Engine::start(folder.path(), rules.path(), Arc::clone(&clock)).await;
    // A shipper that was cut off for hours.
    engine.deliver(&logins("2026-03-02T08:31:00Z")).await;
    engine.settle().await;
    let late = |gaps: &Json| !of(gaps, "threshold.toml").is_empty();
    let gaps = engine.until("the late events leave a gap", "/api/v1/gaps", late).await;
    let gap = of(&gaps, "threshold.toml")[0].clone();
    assert_eq!(gap["from"], "2026-03-02T08:00:00Z", "{gap}");
    let found = engine.all_alerts().await;
    assert!(found.iter().all(|(rule, _)| rule != "Many Logins"), "{found:?}");
    // Once the events are in the tables.
    let stored = |streams: &Json| streams["items"][0]["rows"] == 3;
    engine.until("the events are stored", "/api/v1/streams", stored).await;
    let job = engine.post("/api/v1/gaps/fill", json!({"rule": "threshold.toml", "from": gap["from"]})).await;
    let id = job["id"].as_str().unwrap_or_else(|| panic!("{job}"));
    let done = |job: &Json| job["ended"].is_string();
    let job = engine.until("the gap is filled", &format!("/api/v1/jobs/{id}"), done).await;
    assert_eq!(job["state"], "done", "{job}");
    let found = engine.all_alerts().await;
    assert!(found.iter().any(|(rule, _)| rule == "Many Logins"), "{found:?} {job}");
    let gaps = engine.get("/api/v1/gaps").await;
    assert!(of(&gaps, "threshold.toml").is_empty(), "{gaps}");
    engine.stop().await;
}
