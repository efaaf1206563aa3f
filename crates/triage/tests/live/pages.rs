//! Pages: every alert once, in order, whatever comes in meanwhile.

use lurcher_triage::{Alert, AlertFilter, Error, PageRequest, Sort, SortKey};

use super::{
    database::{Store, on_each},
    samples::{alert, alerts, commit},
};

fn ids(alerts: &[Alert]) -> Vec<String> {
    alerts.iter().map(|alert| alert.found.id.clone()).collect()
}

async fn walk(store: &Store, sort: Sort, limit: u32) -> (Vec<Vec<String>>, Option<String>) {
    let (mut pages, mut cursor, mut last) = (Vec::new(), None, None);
    loop {
        let request = PageRequest { limit, cursor };
        let page = store.alerts(&AlertFilter::default(), sort, &request).await.unwrap();
        assert!(page.items.len() <= limit as usize);
        pages.push(ids(&page.items));
        last = page.previous.or(last);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return (pages, last),
        }
    }
}

#[test]
fn pages_go_through_all_in_every_order_and_back() {
    on_each("pages_go_through_all_in_every_order_and_back", async |store| {
        store.commit(commit(1, alerts(0..100))).await.unwrap();
        for by in SortKey::ALL {
            for descending in [true, false] {
                let sort = Sort { by: *by, descending };
                let (pages, mut back) = walk(&store, sort, 7).await;
                let all: Vec<String> = pages.concat();
                let whole = walk(&store, sort, 1000).await.0.concat();
                assert_eq!(all, whole, "{sort:?}");
                assert_eq!(all.len(), 100);
                for page in pages.iter().rev().skip(1) {
                    let request = PageRequest { limit: 7, cursor: back.take() };
                    let before = store.alerts(&AlertFilter::default(), sort, &request).await.unwrap();
                    assert_eq!(ids(&before.items), *page, "{sort:?}");
                    back = before.previous;
                }
                assert_eq!(back, None, "{sort:?}");
            }
        }
    });
}

#[test]
fn pages_have_all_that_was_there_once_while_more_comes_in() {
    on_each("pages_have_all_that_was_there_once_while_more_comes_in", async |store| {
        // Every second, so that others come in between.
        let before: Vec<_> = (0..200).map(|number| alert(number * 2)).collect();
        store.commit(commit(1, before.clone())).await.unwrap();
        let triage = store.triage.clone();
        let writing = tokio::spawn(async move {
            for number in 0..200_u32 {
                triage.commit(commit(2 + u64::from(number), vec![alert(number * 2 + 1)])).await.unwrap();
            }
        });
        for sort in [Sort::default(), Sort { by: SortKey::RiskScore, descending: false }] {
            let (pages, _) = walk(&store, sort, 9).await;
            let mut seen: Vec<String> = pages.concat();
            seen.sort();
            let count = seen.len();
            seen.dedup();
            assert_eq!(seen.len(), count, "none twice");
            assert!(before.iter().all(|alert| seen.binary_search(&alert.id).is_ok()), "none left out");
        }
        writing.await.unwrap();
    });
}

#[test]
fn cursors_that_are_not_of_the_list_are_refused() {
    on_each("cursors_that_are_not_of_the_list_are_refused", async |store| {
        store.commit(commit(1, alerts(0..10))).await.unwrap();
        let page = PageRequest { limit: 3, cursor: None };
        let cursor = store.alerts(&AlertFilter::default(), Sort::default(), &page).await.unwrap().next;
        let other = Sort { by: SortKey::Severity, descending: true };
        for (sort, cursor, limit) in [
            (other, cursor.clone(), 3),
            (Sort { by: SortKey::Time, descending: false }, cursor.clone(), 3),
            (Sort::default(), Some("'; DROP TABLE alert; --".into()), 3),
            (Sort::default(), Some(String::new()), 3),
            (Sort::default(), cursor.clone(), 0),
            (Sort::default(), cursor, 1001),
        ] {
            let request = PageRequest { limit, cursor };
            let refused = store.alerts(&AlertFilter::default(), sort, &request).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{request:?}");
        }
    });
}
