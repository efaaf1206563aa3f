//! The outbox: at least once, with a key; retries; dead letters.

use lurcher_triage::{DeadSelection, Error, PageRequest};

use super::{
    database::on_each,
    samples::{alerts, at, commit, target},
};

#[test]
fn letters_wait_until_they_are_taken_or_given_up() {
    on_each("letters_wait_until_they_are_taken_or_given_up", async |store| {
        store.set_targets(vec![target("chat"), target("mail")]);
        store.commit(commit(1, alerts(0..3))).await.unwrap();
        let due = store.due("chat", at(0), 10).await.unwrap();
        assert_eq!(due.len(), 3);
        assert_eq!(due[0].alert.found.document["events"][0]["doc"]["n"], 0);
        let mail = store.due("mail", at(0), 10).await.unwrap();
        assert_ne!(due[0].idempotency_key, mail[0].idempotency_key);
        assert_eq!(due[0].idempotency_key.len(), 32);

        store.delivered(due[0].id).await.unwrap();
        store.failed(due[1].id, "connection refused", at(30)).await.unwrap();
        store.dead(due[2].id, "404").await.unwrap();
        assert!(store.due("chat", at(29), 10).await.unwrap().is_empty());
        assert_eq!(store.next_due("chat").await.unwrap(), Some(at(30)));
        let again = store.due("chat", at(30), 10).await.unwrap();
        assert_eq!((again.len(), again[0].attempts, again[0].error.as_str()), (1, 1, "connection refused"));
        assert_eq!(again[0].idempotency_key, due[1].idempotency_key);
        for result in [store.delivered(due[0].id).await, store.failed(due[2].id, "", at(1)).await] {
            assert!(matches!(result, Err(Error::Missing(_))));
        }
        let counts = store.outbox_counts().await.unwrap();
        assert_eq!((counts[0].pending, counts[0].dead, counts[0].delivered), (1, 1, 1));
        assert_eq!((counts[1].pending, counts[1].oldest_pending), (3, Some(at(0))));
        assert_eq!(store.next_due("nobody").await.unwrap(), None);
        // A letter that was taken is not put in again with its alert.
        assert_eq!(store.commit(commit(1, alerts(0..3))).await.unwrap().letters, 0);
    });
}

#[test]
fn dead_letters_are_sent_after_all_or_dropped() {
    on_each("dead_letters_are_sent_after_all_or_dropped", async |store| {
        store.set_targets(vec![target("chat")]);
        store.commit(commit(1, alerts(0..5))).await.unwrap();
        for letter in store.due("chat", at(0), 10).await.unwrap() {
            store.dead(letter.id, "410 Gone").await.unwrap();
        }
        let page = PageRequest { limit: 3, cursor: None };
        let first = store.dead_letters(Some("chat"), &page).await.unwrap();
        assert_eq!((first.items.len(), first.items[0].alert.as_str(), first.items[0].attempts), (3, "00000004", 1));
        let next = PageRequest { limit: 3, cursor: first.next };
        assert_eq!(store.dead_letters(None, &next).await.unwrap().items.len(), 2);
        assert_eq!(store.requeue_dead(&DeadSelection::Ids(vec![first.items[0].id, 999])).await.unwrap(), 1);
        let due = store.due("chat", at(0), 10).await.unwrap();
        assert_eq!((due.len(), due[0].attempts), (1, 0));
        assert_eq!(store.drop_dead(&DeadSelection::Ids(vec![first.items[1].id])).await.unwrap(), 1);
        assert_eq!(store.drop_dead(&DeadSelection::Ids(Vec::new())).await.unwrap(), 0);
        assert_eq!(store.requeue_dead(&DeadSelection::Target("mail".into())).await.unwrap(), 0);
        assert_eq!(store.drop_dead(&DeadSelection::Target("chat".into())).await.unwrap(), 3);
        assert_eq!(store.due("chat", at(0), 10).await.unwrap().len(), 1);
    });
}
