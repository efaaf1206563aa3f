//! Commits: repeated, in part known, interrupted.

use lurcher_triage::{
    AlertChange, AlertFilter, AlertUpdate, Commit, Gap, HealthState, PageRequest, Quarantine, QuarantineKind,
    RuleHealth, Sort, Span, Status,
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{
    database::{Store, on_each, run},
    samples::{alert, alerts, at, commit, incident, risk_event, rule_run, target},
};

#[test]
fn a_commit_says_what_is_new_and_tells_of_that_alone() {
    on_each("a_commit_says_what_is_new_and_tells_of_that_alone", async |store| {
        store.set_targets(vec![target("chat"), target("mail")]);
        let first = store.commit(commit(10, alerts(0..3))).await.unwrap();
        assert_eq!(first.new_alerts, ["00000000", "00000001", "00000002"]);
        assert_eq!(first.letters, 6);
        let second = store.commit(commit(20, alerts(1..5))).await.unwrap();
        assert_eq!(second.new_alerts, ["00000003", "00000004"]);
        assert_eq!(second.letters, 4);
        assert_eq!(store.count_alerts(&AlertFilter::default()).await.unwrap(), 5);
        assert_eq!(store.checkpoint("detector").await.unwrap().unwrap().position, 20);
        assert_eq!(store.checkpoint("other").await.unwrap(), None);
    });
}

#[test]
fn commits_that_come_right_after_each_other_may_be_written_down_together() {
    on_each("commits_may_be_written_down_together", async |store| {
        let grown = |suppressed| AlertUpdate { id: "00000000".into(), suppressed, suppression_end: None };
        let mut first = Commit {
            updates: vec![grown(2)],
            runs: vec![rule_run(1, 60, 3), rule_run(2, 60, 1)],
            risk_events: vec![risk_event(1, "h", 10.0)],
            incidents: vec![incident(9, "h", 10.0, &[1])],
            ..commit(10, alerts(0..2))
        };
        let second = Commit {
            updates: vec![grown(5)],
            runs: vec![rule_run(1, 60, 7)],
            risk_events: vec![risk_event(2, "h", 20.0)],
            incidents: vec![incident(9, "h", 30.0, &[2])],
            ..commit(20, alerts(1..3))
        };
        assert!(first.joins(&second));
        first.join(second);
        let done = store.commit(first).await.unwrap();
        assert_eq!(done.new_alerts, ["00000000", "00000001", "00000002", "incident-9"]);
        assert_eq!(store.checkpoint("detector").await.unwrap().unwrap().position, 20);
        assert_eq!(store.alert("00000000").await.unwrap().alert.found.suppressed, 5);
        let told = store.incident("incident-9").await.unwrap();
        assert_eq!((told.incident.score, told.incident.contributions), (30.0, 2));
        let span = Span { from: at(0), until: at(1000) };
        let runs = store.runs(None, span, &PageRequest::default()).await.unwrap().items;
        let hits: Vec<(&str, u64)> = runs.iter().map(|run| (run.rule_id.as_str(), run.hits)).collect();
        assert!(hits.len() == 2 && hits.contains(&("rule-1", 7)) && hits.contains(&("rule-2", 1)), "{hits:?}");
    });
    assert!(!commit(1, Vec::new()).joins(&everything(2)), "what was put aside is counted by place");
}

#[test]
fn what_people_made_of_an_alert_stays_when_it_is_committed_again() {
    on_each("what_people_made_of_an_alert_stays", async |store| {
        store.commit(commit(1, alerts(0..1))).await.unwrap();
        let change = AlertChange { status: Some(Status::Closed), ..AlertChange::default() };
        store.change_alert("00000000", "ann", &change, None).await.unwrap();
        let mut other = alert(0);
        other.message = "Other words.".into();
        assert!(store.commit(commit(1, vec![other])).await.unwrap().new_alerts.is_empty());
        let kept = store.alert("00000000").await.unwrap().alert;
        assert_eq!((kept.status, kept.found.message.as_str()), (Status::Closed, "Something happened, No. 0."));
    });
}

#[test]
fn suppressed_alerts_only_ever_grow() {
    on_each("suppressed_alerts_only_ever_grow", async |store| {
        store.commit(commit(1, alerts(0..1))).await.unwrap();
        let update = |suppressed, end: Option<i64>| AlertUpdate {
            id: "00000000".into(),
            suppressed,
            suppression_end: end.map(at),
        };
        let updates = vec![update(5, Some(60)), update(3, None), update(4, Some(30)), update(2, Some(90))];
        let unknown = AlertUpdate { id: "nobody".into(), suppressed: 1, suppression_end: None };
        let all = Commit { updates: [updates, vec![unknown]].concat(), ..commit(2, Vec::new()) };
        store.commit(all).await.unwrap();
        let found = store.alert("00000000").await.unwrap().alert.found;
        assert_eq!((found.suppressed, found.suppression_end), (5, Some(at(90))));
        let ids = ["00000000".to_owned(), "nobody".to_owned()];
        assert_eq!(store.known_alerts(&ids).await.unwrap().into_iter().collect::<Vec<_>>(), ids[..1]);
        assert_eq!(store.suppressing_alerts(at(89)).await.unwrap()[0].found.id, ids[0]);
        assert!(store.suppressing_alerts(at(90)).await.unwrap().is_empty());
    });
}

#[test]
fn a_commit_that_fails_or_is_dropped_leaves_nothing() {
    on_each("a_commit_that_fails_or_is_dropped_leaves_nothing", async |store| {
        store.set_targets(vec![target("chat")]);
        store.commit(commit(1, alerts(0..1))).await.unwrap();
        // Dropped at as many different places as there are: the future is polled so often and then thrown away.
        for polls in (0..700).step_by(7) {
            let mut all = everything(5);
            all.alerts = alerts(100..400);
            let mut future = Box::pin(store.commit(all));
            let mut left = polls;
            let ended = std::future::poll_fn(|context| {
                if left == 0 {
                    return std::task::Poll::Ready(false);
                }
                left -= 1;
                future.as_mut().poll(context).map(|_| true)
            })
            .await;
            drop(future);
            // What was sent to the database before that may still be under way.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            assert!(store.revoke_key("nobody").await.is_err());
            let (count, place) = (
                store.count_alerts(&AlertFilter::default()).await.unwrap(),
                store.checkpoint("detector").await.unwrap().unwrap().position,
            );
            if ended || count != 1 {
                // It had got as far as its commit; then all of it must be there.
                assert_eq!((count, place), (302, 5), "after {polls} polls");
                assert_eq!(store.outbox_counts().await.unwrap()[0].pending, 302);
                return;
            }
            assert_eq!(place, 1, "after {polls} polls");
            assert_eq!(store.outbox_counts().await.unwrap()[0].pending, 1);
        }
    });
}

#[test]
fn an_older_commit_does_not_overwrite_a_newer_one() {
    on_each("an_older_commit_does_not_overwrite_a_newer_one", async |store| {
        let runs = |position, hits| Commit { runs: vec![rule_run(0, 300, hits)], ..commit(position, Vec::new()) };
        for one in [runs(1, 5), runs(2, 7), runs(1, 5)] {
            store.commit(one).await.unwrap();
        }
        let span = Span { from: at(0), until: at(1000) };
        let page = store.runs(None, span, &PageRequest::default()).await.unwrap();
        assert_eq!(page.items, [rule_run(0, 300, 7)]);
        assert_eq!(store.checkpoint("detector").await.unwrap().unwrap().position, 2);
        store.reset_checkpoint("detector", 0).await.unwrap();
        store.commit(runs(1, 9)).await.unwrap();
        assert_eq!(store.runs(Some("rule-0"), span, &PageRequest::default()).await.unwrap().items[0].hits, 9);
        let totals = store.run_totals(span).await.unwrap();
        assert_eq!((totals[0].runs, totals[0].hits, totals[0].created), (3, 9, 1));
    });
}

/// A commit with something of everything.
fn everything(position: u64) -> Commit {
    let number = position as u32;
    let seconds = i64::from(number);
    Commit {
        alerts: vec![alert(number), alert(number + 1)],
        updates: vec![AlertUpdate {
            id: format!("{:08x}", number.saturating_sub(1)),
            suppressed: u64::from(number) * 2,
            suppression_end: Some(at(seconds + 60)),
        }],
        risk_events: vec![risk_event(number, "host-1", 10.0), risk_event(number + 1, "host-2", 5.0)],
        incidents: vec![incident(number % 2, "host-1", f64::from(number) * 10.0, &[number, number + 1])],
        runs: vec![rule_run(number % 3, seconds / 2 * 300, u64::from(number))],
        gaps: vec![Gap {
            rule_id: format!("rule-{}", number % 2),
            from: at(0),
            to: at(seconds),
            reason: "The server was down.".into(),
            filled_at: (number % 2 == 1).then(|| at(seconds)),
        }],
        quarantines: vec![Quarantine {
            kind: QuarantineKind::Record,
            subject: (number % 2).to_string(),
            reason: "It is no JSON.".into(),
            first_seen: at(seconds),
            last_seen: at(seconds),
            count: u64::from(number),
            released_at: None,
            released_by: String::new(),
        }],
        health: vec![RuleHealth {
            rule_id: format!("rule-{}", number % 3),
            rule_name: "A rule".into(),
            state: HealthState::Ok,
            detail: String::new(),
            last_run: Some(at(seconds)),
            last_success: None,
            last_micros: Some(u64::from(number)),
            failures: 0,
        }],
        ..commit(position, Vec::new())
    }
}

/// All that a store holds, so that two can be compared.
async fn state(store: &Store) -> Json {
    let page = PageRequest { limit: 1000, cursor: None };
    let span = Span { from: at(-100_000), until: at(100_000) };
    let listed = store.alerts(&AlertFilter::default(), Sort::default(), &page).await.unwrap().items;
    let mut details = Vec::new();
    for alert in &listed {
        details.push(store.alert(&alert.found.id).await.unwrap());
    }
    let incidents = store.incidents(&AlertFilter::default(), None, &page).await.unwrap().items;
    json!({
        "alerts": details,
        "letters": store.due("chat", at(100_000), 1000).await.unwrap(),
        "incidents": incidents,
        "risk": store.top_risk(span, None, 100).await.unwrap(),
        "runs": store.runs(None, span, &page).await.unwrap().items,
        "gaps": store.gaps(true).await.unwrap(),
        "quarantines": store.quarantines(true).await.unwrap(),
        "health": store.rule_health().await.unwrap(),
        "place": store.checkpoint("detector").await.unwrap(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Commits come in order, but after each any earlier ones may come again: the detector went back to its last place.
    #[test]
    fn repeated_commits_change_nothing(repeats in prop::collection::vec(prop::collection::vec(0_usize..8, 0..4), 1..8)) {
        run(async {
            let (once, again) = (Store::sqlite().await, Store::sqlite().await);
            for store in [&once, &again] {
                store.set_targets(vec![target("chat")]);
            }
            for (number, repeats) in repeats.iter().enumerate() {
                once.commit(everything(number as u64 + 1)).await.unwrap();
                again.commit(everything(number as u64 + 1)).await.unwrap();
                for repeat in repeats.iter().filter(|repeat| **repeat <= number) {
                    let repeated = again.commit(everything(*repeat as u64 + 1)).await.unwrap();
                    assert_eq!((repeated.new_alerts.len(), repeated.letters, repeated.new_risk_events), (0, 0, 0));
                }
            }
            assert_eq!(state(&once).await, state(&again).await);
        });
    }
}

#[test]
fn both_databases_hold_the_same() {
    run(async {
        let sqlite = Store::sqlite().await;
        let Some(postgres) = Store::postgres().await else {
            eprintln!("skipped: both_databases_hold_the_same: PostgreSQL's programs are not installed");
            return;
        };
        for store in [&sqlite, &postgres] {
            store.set_targets(vec![target("chat")]);
            for position in [1, 2, 3, 2, 4, 1, 9] {
                store.commit(everything(position)).await.unwrap();
            }
        }
        assert_eq!(state(&sqlite).await, state(&postgres).await);
    });
}
