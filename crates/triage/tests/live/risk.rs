//! Risk of objects, and incidents.

use lurcher_triage::{AlertChange, AlertFilter, AlertKind, Commit, Error, PageRequest, Severity, Span, Status};

use super::{
    database::on_each,
    samples::{alerts, at, commit, incident, risk_event, target},
};

#[test]
fn risk_is_the_sum_within_a_span() {
    on_each("risk_is_the_sum_within_a_span", async |store| {
        let events = (0..10).map(|number| risk_event(number, if number < 7 { "host-1" } else { "host-2" }, 10.0));
        let mut user = risk_event(50, "ann", 100.0);
        user.kind = "user".into();
        let all = Commit { risk_events: events.chain([user]).collect(), ..commit(1, Vec::new()) };
        assert_eq!(store.commit(all.clone()).await.unwrap().new_risk_events, 11);
        assert_eq!(store.commit(all).await.unwrap().new_risk_events, 0);
        let span = Span::day_until(at(100));
        let top = store.top_risk(span, None, 2).await.unwrap();
        assert_eq!((top[0].normalized.as_str(), top[0].score), ("ann", 200.0));
        assert_eq!((top[1].normalized.as_str(), top[1].score, top[1].events, top[1].rules), ("host-1", 140.0, 7, 3));
        let systems = store.top_risk(span, Some("system"), 10).await.unwrap();
        assert_eq!(systems.len(), 2);
        let short = Span { from: at(2), until: at(5) };
        let risk = store.entity_risk("host-1", "system", short).await.unwrap();
        assert_eq!((risk.risk.score, risk.risk.first, risk.risk.last), (60.0, at(2), at(4)));
        assert_eq!((risk.tactics.len(), risk.techniques.len(), risk.names), (2, 1, vec!["HOST-1".to_owned()]));
        assert!(matches!(store.entity_risk("host-1", "user", span).await, Err(Error::Missing(_))));
        let page = PageRequest { limit: 5, cursor: None };
        let line = store.entity_timeline("host-1", "system", span, &page).await.unwrap();
        assert_eq!((line.items.len(), line.items[0].id.as_str()), (5, "risk-6"));
        let next = PageRequest { limit: 5, cursor: line.next };
        assert_eq!(store.entity_timeline("host-1", "system", span, &next).await.unwrap().items.len(), 2);
        assert_eq!(store.risk_events(short, &page).await.unwrap().items[0], risk_event(4, "host-1", 10.0));
    });
}

#[test]
fn an_incident_is_an_alert_that_grows() {
    on_each("an_incident_is_an_alert_that_grows", async |store| {
        store.set_targets(vec![target("chat")]);
        let risk_events = (0..6).map(|number| risk_event(number, "host-1", 60.0)).collect();
        let open =
            Commit { risk_events, incidents: vec![incident(4, "host-1", 120.0, &[0, 1])], ..commit(1, alerts(0..2)) };
        let committed = store.commit(open.clone()).await.unwrap();
        assert_eq!(committed.new_alerts.last().map(String::as_str), Some("incident-4"));
        assert_eq!(committed.letters, 3);
        let mut grown = incident(4, "host-1", 300.0, &[2, 3, 4]);
        grown.alert.severity = Severity::Critical;
        grown.alert.message = "It has grown.".into();
        grown.alert.techniques.push("T1003".into());
        let grow = Commit { incidents: vec![grown], ..commit(2, Vec::new()) };
        assert_eq!(store.commit(grow).await.unwrap().new_alerts.len(), 0);
        // The first commit again: it is older.
        store.commit(open).await.unwrap();
        let found = store.incident("incident-4").await.unwrap();
        assert_eq!((found.incident.score, found.incident.contributions, found.risk_events.len()), (300.0, 5, 5));
        let alert = &found.alert.alert.found;
        assert_eq!(
            (alert.kind, alert.severity, alert.message.as_str()),
            (AlertKind::Incident, Severity::Critical, "It has grown.")
        );
        let change = AlertChange { status: Some(Status::Closed), add_tags: vec!["x".into()], ..AlertChange::default() };
        store.change_alert("incident-4", "ann", &change, None).await.unwrap();
        let closed =
            AlertFilter { statuses: vec![Status::Closed], techniques: vec!["T1003".into()], ..AlertFilter::default() };
        let page = store.incidents(&closed, Some("host-1"), &PageRequest::default()).await.unwrap();
        assert_eq!((page.items.len(), page.items[0].alert.tags.len()), (1, 1));
        assert!(store.incidents(&closed, Some("host-2"), &PageRequest::default()).await.unwrap().items.is_empty());
        assert!(matches!(store.incident("00000001").await, Err(Error::Missing(_))));
    });
}
