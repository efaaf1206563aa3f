//! What attackers, or odd events, put into texts; and what is too large.

use lurcher_triage::{
    AlertChange, AlertFilter, AuditFilter, Error, Facet, Limits, NewHunt, PageRequest, Selection, Sort, Span, Status,
};
use serde_json::json;

use super::{
    database::{Store, on_each, run},
    samples::{alert, at, commit, entity},
};

const HOSTILE: [&str; 8] =
    ["'; DROP TABLE alert; --", "\" OR \"\"=\"", "$1", "?1", "%_\\%", "a\0b", "\u{202e}\u{1f4a3}", "*"];

#[test]
fn texts_are_only_ever_values() {
    on_each("texts_are_only_ever_values", async |store| {
        for (number, text) in HOSTILE.iter().enumerate() {
            let mut one = alert(number as u32);
            for field in [&mut one.id, &mut one.message, &mut one.rule.id, &mut one.rule.name, &mut one.rule.vendor] {
                *field = format!("{text}{number}");
            }
            one.entities = vec![entity(text, text, text, text)];
            one.techniques = vec![(*text).to_owned()];
            one.group_key = (*text).to_owned();
            one.document = json!({"id": text, (*text): text});
            store.commit(commit(number as u64, vec![one])).await.unwrap();
        }
        let stored = |text: &str| text.replace('\0', "\u{fffd}");
        for (number, text) in HOSTILE.iter().enumerate() {
            let text = stored(text);
            let id = format!("{text}{number}");
            let found = store.alert(&id).await.unwrap();
            assert_eq!(found.alert.found.message, id);
            let values = [text.clone()];
            let filters = [
                AlertFilter { rules: vec![id.clone()], ..AlertFilter::default() },
                AlertFilter { entities: values.to_vec(), ..AlertFilter::default() },
                AlertFilter { techniques: values.to_vec(), ..AlertFilter::default() },
                AlertFilter { groups: values.to_vec(), ..AlertFilter::default() },
                AlertFilter { text: Some(id.clone()), ..AlertFilter::default() },
            ];
            for filter in filters {
                let page = store.alerts(&filter, Sort::default(), &PageRequest::default()).await.unwrap();
                let ids: Vec<_> = page.items.iter().map(|alert| alert.found.id.as_str()).collect();
                assert_eq!(ids, [id.as_str()], "{filter:?}");
            }
            let change = AlertChange {
                assignee: Some(text.clone()),
                add_tags: vec![text.clone()],
                comment: Some(text.clone()),
                ..AlertChange::default()
            };
            let changed = store.change_alert(&id, &text, &change, None).await.unwrap();
            assert_eq!((changed.assignee.as_str(), changed.tags), (text.as_str(), vec![text.clone()]));
            let span = Span { from: at(0), until: at(1) };
            assert!(matches!(store.entity_risk(&text, &text, span).await, Err(Error::Missing(_))));
            let filter = AuditFilter { who: Some(text.clone()), ..AuditFilter::default() };
            assert!(store.audit_log(&filter, &PageRequest::default()).await.unwrap().items.is_empty());
            let hunt = NewHunt { name: text.clone(), text: text.clone(), ..NewHunt::default() };
            assert_eq!(store.save_hunt(None, &text, hunt.clone()).await.unwrap().hunt, hunt);
        }
        assert_eq!(store.facets(&AlertFilter::default(), Facet::Entity, 100).await.unwrap().len(), HOSTILE.len());
        assert_eq!(store.count_alerts(&AlertFilter::default()).await.unwrap(), HOSTILE.len() as u64);
    });
}

#[test]
fn what_is_too_large_is_cut_and_says_so() {
    run(async {
        let limits = Limits { document_bytes: 2000, text_bytes: 100, terms: 3, bulk: 5 };
        let store = Store::sqlite_with(limits).await;
        let mut large = alert(1);
        large.message = "ä".repeat(200);
        large.entities = (0..10).map(|number| entity("user", "other", "user.name", &format!("user{number}"))).collect();
        let event = json!({"doc": {"text": "x".repeat(500)}});
        large.document = json!({"id": "1", "events": vec![event; 20], "values": {}});
        let mut hopeless = alert(2);
        hopeless.document = json!({"id": "2", "message": "x".repeat(5000)});
        store.commit(commit(1, vec![large, hopeless])).await.unwrap();
        let found = store.alert("00000001").await.unwrap().alert.found;
        assert_eq!(found.message, format!("{}…", "ä".repeat(50)));
        assert_eq!(found.entities.len(), 3);
        assert_eq!((found.document["events"].as_array().unwrap().len(), &found.document["cut"]), (3, &json!(true)));
        let found = store.alert("00000002").await.unwrap().alert.found;
        assert_eq!(found.document["cut"], true);
        assert!(found.document["bytes"].as_u64().unwrap() > 5000);
        store.commit(commit(2, super::samples::alerts(10..20))).await.unwrap();
        let change = AlertChange { status: Some(Status::Closed), ..AlertChange::default() };
        let all = Selection::Filter(AlertFilter::default());
        assert!(matches!(store.change_alerts(&all, "ann", &change).await, Err(Error::Invalid(_))));
        let tags = AlertChange { add_tags: vec!["x".repeat(101)], ..AlertChange::default() };
        assert!(matches!(store.change_alert("00000001", "ann", &tags, None).await, Err(Error::Invalid(_))));
    });
}

#[test]
fn times_and_numbers_at_their_ends_are_kept() {
    on_each("times_and_numbers_at_their_ends_are_kept", async |store| {
        let mut odd = alert(1);
        (odd.time.0, odd.detected.0) = (-1, i64::MAX);
        (odd.event_count, odd.suppressed, odd.risk_score) = (u64::MAX, u64::MAX, f64::NAN);
        store.commit(commit(u64::MAX, vec![odd])).await.unwrap();
        let found = store.alert("00000001").await.unwrap().alert.found;
        assert_eq!((found.time.0, found.detected.0, found.event_count), (-1, i64::MAX, i64::MAX as u64));
        assert_eq!(found.risk_score.to_bits(), 0.0_f64.to_bits());
        assert_eq!(store.checkpoint("detector").await.unwrap().unwrap().position, i64::MAX as u64);
    });
}
