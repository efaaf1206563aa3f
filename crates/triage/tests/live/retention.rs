//! Old things go, copies are whole, damage is found.

use lurcher_triage::{AlertChange, AlertFilter, Commit, Error, Expiry, PageRequest, Selection, Span, Status, Triage};
use sqlx::Executor;

use super::{
    database::{Store, on_each, run},
    samples::{alerts, at, commit, incident, risk_event, rule_run, target},
};

#[test]
fn what_is_too_old_goes_with_all_that_belongs_to_it() {
    on_each("what_is_too_old_goes_with_all_that_belongs_to_it", async |store| {
        store.set_targets(vec![target("chat")]);
        let all = Commit {
            risk_events: (0..10).map(|number| risk_event(number, "host-1", 1.0)).collect(),
            incidents: vec![incident(5, "host-1", 10.0, &[1, 2])],
            runs: (0..10).map(|number| rule_run(0, number, 1)).collect(),
            ..commit(1, alerts(0..1200))
        };
        store.commit(all).await.unwrap();
        let close = AlertChange { status: Some(Status::Closed), ..AlertChange::default() };
        let some = AlertFilter { until: Some(at(600)), ..AlertFilter::default() };
        store.change_alerts(&Selection::Filter(some), "ann", &close).await.unwrap();
        let mut expiry = Expiry { alerts: Some(at(1101)), keep_unclosed: true, ..Expiry::default() };
        assert_eq!(store.expire(&expiry).await.unwrap().alerts, 601);
        expiry.keep_unclosed = false;
        (expiry.risk_events, expiry.runs, expiry.letters) = (Some(at(5)), Some(at(7)), Some(at(1)));
        let first = store.due("chat", at(0), 1).await.unwrap();
        store.delivered(first[0].id).await.unwrap();
        let expired = store.expire(&expiry).await.unwrap();
        assert_eq!((expired.alerts, expired.risk_events, expired.runs), (500, 5, 7));
        assert_eq!(store.count_alerts(&AlertFilter::default()).await.unwrap(), 100);
        assert!(matches!(store.alert("00000001").await, Err(Error::Missing(_))));
        assert!(matches!(store.incident("incident-5").await, Err(Error::Missing(_))));
        assert_eq!(store.outbox_counts().await.unwrap()[0].pending, 100);
        let span = Span { from: at(0), until: at(100) };
        assert_eq!(store.runs(None, span, &PageRequest::default()).await.unwrap().items.len(), 3);
        assert!(store.integrity_check().await.unwrap().is_sound());
    });
}

#[test]
fn a_backup_is_whole_and_can_be_opened() {
    run(async {
        let store = Store::sqlite().await;
        store.commit(commit(1, alerts(0..50))).await.unwrap();
        let to = store.folder.path().join("copy of it.db");
        let triage = store.triage.clone();
        let writing = tokio::spawn(async move {
            for number in 50..80 {
                triage.commit(commit(u64::from(number), alerts(number..number + 1))).await.unwrap();
            }
        });
        store.backup(&to).await.unwrap();
        writing.await.unwrap();
        assert!(matches!(store.backup(&to).await, Err(Error::Place(_))), "never over another file");
        let copy = Triage::open(&format!("sqlite:{}", to.display()), store.clock.clone()).await.unwrap();
        let count = copy.count_alerts(&AlertFilter::default()).await.unwrap();
        assert!((50..=80).contains(&count), "{count}");
        let place = copy.checkpoint("detector").await.unwrap().unwrap().position;
        assert_eq!(place, if count == 50 { 1 } else { count - 1 }, "alerts and place are of one moment");
        assert!(copy.integrity_check().await.unwrap().is_sound());
        assert!(store.backup(&store.folder.path().join("no/such/folder.db")).await.is_err());
    });
}

#[test]
fn damage_is_found() {
    run(async {
        let store = Store::sqlite().await;
        store.commit(commit(1, alerts(0..5))).await.unwrap();
        let mut connection = store.connect().await;
        connection.execute("PRAGMA foreign_keys = OFF").await.unwrap();
        connection.execute("DELETE FROM alert WHERE id = '00000002'").await.unwrap();
        let check = store.integrity_check().await.unwrap();
        assert!(check.problems.iter().any(|problem| problem.contains("alert_document")), "{check:?}");
    });
}
