//! Looking for alerts and changing them.

use lurcher_triage::{
    AlertChange, AlertFilter, AlertKind, ChangedField, Disposition, Error, Facet, Grouping, PageRequest, Selection,
    Severity, Sort, Status,
};

use super::{
    database::on_each,
    samples::{alert, alerts, at, commit},
};

fn filter(set: impl FnOnce(&mut AlertFilter)) -> AlertFilter {
    let mut filter = AlertFilter::default();
    set(&mut filter);
    filter
}

#[test]
fn each_part_of_a_filter_narrows_it() {
    on_each("each_part_of_a_filter_narrows_it", async |store| {
        store.commit(commit(1, alerts(0..30))).await.unwrap();
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let filters = [
            (30, AlertFilter::default()),
            (10, filter(|f| f.from = Some(at(20)))),
            (5, filter(|f| (f.from, f.until) = (Some(at(10)), Some(at(15))))),
            (9, filter(|f| f.detected_from = Some(at(22)))),
            (14, filter(|f| f.severity = Some(Severity::High))),
            (30, filter(|f| f.statuses = vec![Status::Open])),
            (0, filter(|f| f.statuses = vec![Status::Closed, Status::Acknowledged])),
            (30, filter(|f| f.assignees = texts(&[""]))),
            (20, filter(|f| f.rules = texts(&["rule-0", "rule-2"]))),
            (10, filter(|f| f.vendors = texts(&["splunk"]))),
            (10, filter(|f| f.techniques = texts(&["t1059"]))),
            (10, filter(|f| f.techniques = texts(&["T10"]))),
            (30, filter(|f| f.tactics = texts(&["TA0002"]))),
            (6, filter(|f| f.entities = texts(&["host-3"]))),
            (0, filter(|f| f.entities = texts(&["host"]))),
            (30, filter(|f| f.kinds = vec![AlertKind::Finding])),
            (0, filter(|f| f.kinds = vec![AlertKind::Incident])),
            (1, filter(|f| f.text = Some("HAPPENED, no. 7.".into()))),
            (6, filter(|f| f.text = Some("host-3".into()))),
            (0, filter(|f| f.text = Some("%".into()))),
            (0, filter(|f| f.text = Some("h_st-3".into()))),
            (30, filter(|f| f.dispositions = vec![Disposition::Undetermined])),
            (0, filter(|f| f.silenced = Some(true))),
            (30, filter(|f| f.silenced = Some(false))),
            (2, filter(|f| f.groups = texts(&["rule=rule-0 entity=host-0"]))),
        ];
        for (expected, filter) in filters {
            assert_eq!(store.count_alerts(&filter).await.unwrap(), expected, "{filter:?}");
            let page = store.alerts(&filter, Sort::default(), &PageRequest::default()).await.unwrap();
            assert_eq!(page.items.len() as u64, expected, "{filter:?}");
        }
        assert!(matches!(
            store.count_alerts(&filter(|f| f.rules = vec![String::new(); 201])).await,
            Err(Error::Invalid(_))
        ));
    });
}

#[test]
fn a_filter_is_read_from_json_and_unknown_parts_are_refused() {
    let read: AlertFilter = serde_json::from_str(r#"{"severity":"high","from":"2026-03-02T08:00:00Z"}"#).unwrap();
    assert_eq!((read.severity, read.from), (Some(Severity::High), Some(at(0))));
    assert!(serde_json::from_str::<AlertFilter>(r#"{"severty":"high"}"#).is_err());
    assert!(serde_json::from_str::<AlertFilter>(r#"{"severity":"hgih"}"#).is_err());
}

#[test]
fn an_alert_comes_back_as_it_went_in() {
    on_each("an_alert_comes_back_as_it_went_in", async |store| {
        store.commit(commit(1, alerts(3..4))).await.unwrap();
        let found = store.alert("00000003").await.unwrap().alert;
        let mut expected = alert(3);
        expected.group_key = "rule=rule-0 entity=host-3".into();
        assert_eq!(found.found, expected);
        assert_eq!((found.status, found.assignee.as_str(), found.revision), (Status::Open, "", 0));
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!(json["rule"]["vendor"], "elastic");
        assert_eq!(json["time"], "2026-03-02T08:00:03Z");
        assert_eq!(json["entities"][0]["type"], "system");
        assert!(matches!(store.alert("nobody").await, Err(Error::Missing(_))));
    });
}

#[test]
fn facets_count_what_passes_the_filter() {
    on_each("facets_count_what_passes_the_filter", async |store| {
        store.commit(commit(1, alerts(0..30))).await.unwrap();
        let counts = async |filter: &AlertFilter, facet| {
            let counts = store.facets(filter, facet, 100).await.unwrap();
            counts.into_iter().map(|one| (one.value, one.count)).collect::<Vec<_>>()
        };
        let all = AlertFilter::default();
        let pairs =
            |pairs: &[(&str, u64)]| pairs.iter().map(|(value, n)| ((*value).to_owned(), *n)).collect::<Vec<_>>();
        assert_eq!(counts(&all, Facet::Rule).await, pairs(&[("rule-0", 10), ("rule-1", 10), ("rule-2", 10)]));
        assert_eq!(
            counts(&all, Facet::Severity).await,
            pairs(&[("critical", 7), ("high", 7), ("medium", 8), ("low", 8)])
        );
        let splunk = filter(|f| f.vendors = vec!["splunk".into()]);
        assert_eq!(counts(&splunk, Facet::Technique).await, pairs(&[("T1105", 10)]));
        assert_eq!(counts(&splunk, Facet::Entity).await.len(), 7);
        assert_eq!(counts(&all, Facet::Hour).await, pairs(&[("2026-03-02T08:00:00Z", 30)]));
        assert_eq!(counts(&all, Facet::Day).await, pairs(&[("2026-03-02T00:00:00Z", 30)]));
        assert_eq!(counts(&all, Facet::Status).await, pairs(&[("open", 30)]));
        for facet in Facet::ALL {
            let sum: u64 = counts(&all, *facet).await.iter().map(|(_, count)| count).sum();
            assert!(sum >= 30 || matches!(facet, Facet::Tag | Facet::Story), "{facet}");
        }
        let labelled = store.facets(&all, Facet::Rule, 1).await.unwrap();
        assert_eq!((labelled.len(), labelled[0].label.as_str()), (1, "Rule No. 0"));
    });
}

#[test]
fn alerts_are_grouped_by_what_is_set() {
    on_each("alerts_are_grouped_by_what_is_set", async |store| {
        store.commit(commit(1, alerts(0..15))).await.unwrap();
        store.set_grouping(Grouping::Entity { within_seconds: 3600 });
        store.commit(commit(2, alerts(15..25))).await.unwrap();
        let change = AlertChange { status: Some(Status::Closed), ..AlertChange::default() };
        store.change_alert("00000018", "ann", &change, None).await.unwrap();
        let page = PageRequest { limit: 10, cursor: None };
        let first = store.alert_groups(&AlertFilter::default(), &page).await.unwrap();
        assert_eq!(first.items[0].key, "entity=host-4 from=2026-03-02T08:00:00Z");
        assert_eq!((first.items[0].count, first.items[0].unclosed, first.items[0].rules), (2, 1, 2));
        assert_eq!((first.items[0].first, first.items[0].last), (at(19), at(24)));
        let next = PageRequest { limit: 10, cursor: first.next };
        let second = store.alert_groups(&AlertFilter::default(), &next).await.unwrap();
        assert_eq!((first.items.len(), second.items.len(), second.next), (10, 10, None));
    });
}

#[test]
fn every_change_is_history() {
    on_each("every_change_is_history", async |store| {
        store.commit(commit(1, alerts(0..1))).await.unwrap();
        store.pass(60);
        let change = AlertChange {
            status: Some(Status::Acknowledged),
            assignee: Some("ann".into()),
            add_tags: vec!["Phishing".into(), "phishing".into(), " later ".into()],
            comment: Some("I look at it.".into()),
            ..AlertChange::default()
        };
        let changed = store.change_alert("00000000", "ann", &change, Some(0)).await.unwrap();
        assert_eq!((changed.revision, changed.changed, changed.assignee.as_str()), (1, at(60), "ann"));
        assert_eq!(changed.tags, ["later", "Phishing"]);
        let stale = store.change_alert("00000000", "bob", &change, Some(0)).await;
        assert!(matches!(stale, Err(Error::Stale { expected: 0, found: 1, .. })), "{stale:?}");
        let change = AlertChange {
            status: Some(Status::Closed),
            disposition: Some(Disposition::FalsePositive),
            assignee: Some("ann".into()),
            remove_tags: vec!["PHISHING".into(), "unknown".into()],
            ..AlertChange::default()
        };
        let changed = store.change_alert("00000000", "bob", &change, Some(1)).await.unwrap();
        assert_eq!((changed.revision, changed.tags), (2, vec!["later".to_owned()]));
        let history = store.alert("00000000").await.unwrap().history;
        let lines: Vec<_> = history
            .iter()
            .map(|line| (line.who.as_str(), line.what, line.from.as_str(), line.to.as_str(), line.revision))
            .collect();
        let expected = [
            ("ann", ChangedField::Status, "open", "acknowledged", 1),
            ("ann", ChangedField::Assignee, "", "ann", 1),
            ("ann", ChangedField::Tag, "", "Phishing", 1),
            ("ann", ChangedField::Tag, "", "later", 1),
            ("ann", ChangedField::Comment, "", "I look at it.", 1),
            ("bob", ChangedField::Status, "acknowledged", "closed", 2),
            ("bob", ChangedField::Disposition, "undetermined", "false_positive", 2),
            ("bob", ChangedField::Tag, "Phishing", "", 2),
        ];
        assert_eq!(lines, expected);
        let missing = store.change_alert("nobody", "ann", &change, None).await;
        assert!(matches!(missing, Err(Error::Missing(_))));
    });
}

#[test]
fn many_alerts_are_changed_at_once() {
    on_each("many_alerts_are_changed_at_once", async |store| {
        store.commit(commit(1, alerts(0..500))).await.unwrap();
        let close = AlertChange {
            status: Some(Status::Closed),
            add_tags: vec!["noise".into()],
            comment: None,
            ..AlertChange::default()
        };
        let ids = Selection::Ids(vec!["00000001".into(), "nobody".into(), "00000001".into()]);
        let done = store.change_alerts(&ids, "ann", &close).await.unwrap();
        assert_eq!((done.changed.len(), done.unchanged, done.missing.len()), (1, 0, 1));
        let rest = Selection::Filter(filter(|f| f.vendors = vec!["splunk".into()]));
        let done = store.change_alerts(&rest, "ann", &close).await.unwrap();
        assert_eq!((done.changed.len(), done.unchanged), (166, 1));
        let tagged = filter(|f| (f.tags, f.statuses) = (vec!["NOISE".into()], vec![Status::Closed]));
        assert_eq!(store.count_alerts(&tagged).await.unwrap(), 167);
        let again = store.change_alerts(&Selection::Filter(tagged), "ann", &close).await.unwrap();
        assert_eq!((again.changed.len(), again.unchanged), (0, 167));
        assert_eq!(store.alert("00000004").await.unwrap().history.len(), 2);
    });
}
