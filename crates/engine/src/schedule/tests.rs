//! When runs are and what they look at.

use std::time::Duration;

use lurcher_schema::{Cron, RelativeTime, Rounding};

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn every(minutes: u64, from: &str, to: &str) -> Schedule {
    let date = |text| RelativeTime::from_date_math(text, Rounding::Down).unwrap();
    Schedule {
        interval: Some(Duration::from_mins(minutes)),
        look_back: Some(LookBack { from: date(from), to: date(to) }),
        ..Schedule::default()
    }
}

#[test]
fn runs_are_at_multiples_of_the_interval_until_all_is_seen() {
    let span = (at("2026-03-02T08:01:00Z"), at("2026-03-02T08:16:00Z"));
    let runs = Runs::new(&every(5, "now-9m", "now"), Simulation::default(), span).unwrap();
    let times: Vec<String> = (0..runs.len()).map(|run| runs.at(run).to_string()).collect();
    assert_eq!(times, ["2026-03-02T08:05:00Z", "2026-03-02T08:10:00Z", "2026-03-02T08:15:00Z", "2026-03-02T08:20:00Z"]);
    assert_eq!(runs.window(1), Window { from: at("2026-03-02T08:01:00Z"), to: at("2026-03-02T08:10:00Z") });
    assert_eq!(runs.reaching(0, at("2026-03-02T08:10:00.5Z")), 2);
    assert_eq!(runs.past(0, at("2026-03-02T08:01:00Z")), 2);
    assert_eq!(runs.since(3, at("2026-03-02T09:00:00Z")), 4);
}

#[test]
fn a_window_that_ends_before_its_run_makes_runs_go_on_longer() {
    let span = (at("2026-03-02T08:00:00Z"), at("2026-03-02T08:55:00Z"));
    let runs = Runs::new(&every(60, "now-70m", "now-10m"), Simulation::default(), span).unwrap();
    assert_eq!((runs.len(), runs.at(1)), (3, at("2026-03-02T09:00:00Z")));
    let cron = Schedule { cron: Cron::parse("0 * * * *"), interval: None, ..every(60, "now-70m", "now-10m") };
    let listed = Runs::new(&cron, Simulation::default(), span).unwrap();
    assert_eq!((listed.len(), listed.at(2)), (3, runs.at(2)));
}

#[test]
fn the_user_says_when_runs_begin_and_end() {
    let span = (at("2026-03-02T08:00:00Z"), at("2026-03-02T08:55:00Z"));
    let simulation = Simulation { from: Some(at("2026-03-02T08:11:00Z")), to: Some(at("2026-03-02T08:20:00Z")) };
    let runs = Runs::new(&every(5, "now-9m", "now"), simulation, span).unwrap();
    assert_eq!((runs.len(), runs.at(0)), (2, at("2026-03-02T08:15:00Z")));
    assert!(Runs::new(&Schedule::default(), simulation, span).is_none());
}
