//! The audit log and its chain.

use lurcher_triage::{AuditEntry, AuditFilter, Expiry, Outcome, PageRequest};
use sqlx::{Connection, Executor};

use super::{
    database::{Store, on_each},
    samples::at,
};

fn entry(number: u32) -> AuditEntry {
    AuditEntry {
        who: ["ann", "bob"][number as usize % 2].into(),
        role: "analyst".into(),
        address: "127.0.0.1".into(),
        action: "alert.change".into(),
        target: format!("alert {number}"),
        outcome: if number.is_multiple_of(5) { Outcome::Denied } else { Outcome::Ok },
        detail: "\0x".into(),
    }
}

/// With twenty rows, a second apart.
async fn filled(store: Store) -> Store {
    for number in 0..20 {
        store.audit(entry(number)).await.unwrap();
        store.pass(1);
    }
    store
}

#[test]
fn rows_are_found_and_the_chain_holds() {
    on_each("rows_are_found_and_the_chain_holds", async |store| {
        assert_eq!(store.check_audit().await.unwrap().broken, None);
        let store = filled(store).await;
        let check = store.check_audit().await.unwrap();
        assert_eq!((check.rows, check.last_number, check.broken), (20, 20, None));
        let page = PageRequest { limit: 6, cursor: None };
        let all = store.audit_log(&AuditFilter::default(), &page).await.unwrap();
        assert_eq!((all.items[0].number, all.items[0].entry.target.as_str()), (20, "alert 19"));
        assert_eq!(all.items[0].hash, check.last_hash);
        let next = PageRequest { limit: 6, cursor: all.next };
        assert_eq!(store.audit_log(&AuditFilter::default(), &next).await.unwrap().items[0].number, 14);
        let filter = AuditFilter {
            who: Some("ann".into()),
            outcome: Some(Outcome::Denied),
            from: Some(at(1)),
            until: Some(at(19)),
            ..AuditFilter::default()
        };
        let found = store.audit_log(&filter, &page).await.unwrap();
        assert_eq!(found.items.iter().map(|row| row.number).collect::<Vec<_>>(), [11]);
    });
}

#[test]
fn whoever_tampers_with_it_shows() {
    on_each("whoever_tampers_with_it_shows", async |store| {
        let store = filled(store).await;
        for (tamper, undo, said) in [
            ("UPDATE audit SET who = 'eve' WHERE number = 4", "UPDATE audit SET who = 'bob' WHERE number = 4", "row 4"),
            (
                "UPDATE audit SET time = time - 1 WHERE number = 9",
                "UPDATE audit SET time = time + 1 WHERE number = 9",
                "row 9",
            ),
            (
                "UPDATE audit SET number = 30 WHERE number = 7",
                "UPDATE audit SET number = 7 WHERE number = 30",
                "rows 7 to 7",
            ),
            (
                "UPDATE audit SET number = -1 WHERE number = 20",
                "UPDATE audit SET number = 20 WHERE number = -1",
                "20 to 20 are missing at the end",
            ),
        ] {
            let mut connection = store.connect().await;
            connection.execute(tamper).await.unwrap();
            let check = store.check_audit().await.unwrap();
            assert!(check.broken.as_ref().is_some_and(|broken| broken.contains(said)), "{tamper}: {check:?}");
            assert!(!store.integrity_check().await.unwrap().is_sound());
            connection.execute(undo).await.unwrap();
            connection.close().await.unwrap();
            assert_eq!(store.check_audit().await.unwrap().broken, None, "{undo}");
        }
    });
}

#[test]
fn rows_added_at_once_are_one_chain() {
    on_each("rows_added_at_once_are_one_chain", async |store| {
        let adding = (0..40).map(|number| {
            let triage = store.triage.clone();
            tokio::spawn(async move { triage.audit(entry(number)).await.unwrap() })
        });
        futures::future::join_all(adding).await.into_iter().for_each(|joined| drop(joined.unwrap()));
        let check = store.check_audit().await.unwrap();
        assert_eq!((check.rows, check.broken), (40, None));
    });
}

#[test]
fn old_rows_are_deleted_and_the_rest_still_holds() {
    on_each("old_rows_are_deleted_and_the_rest_still_holds", async |store| {
        let store = filled(store).await;
        let expiry = Expiry { audit: Some(at(15)), ..Expiry::default() };
        assert_eq!(store.expire(&expiry).await.unwrap().audit, 15);
        let check = store.check_audit().await.unwrap();
        // Five that stay, and one that says what was deleted.
        assert_eq!((check.rows, check.last_number, check.broken), (6, 21, None));
        assert_eq!(store.expire(&expiry).await.unwrap().audit, 0);
        let mut connection = store.connect().await;
        connection.execute("DELETE FROM audit WHERE number = 16").await.unwrap();
        assert!(store.check_audit().await.unwrap().broken.is_some());
        assert_eq!(store.count_audit().await, 5);
    });
}

impl Store {
    async fn count_audit(&self) -> usize {
        let page = PageRequest { limit: 1000, cursor: None };
        self.audit_log(&AuditFilter::default(), &page).await.unwrap().items.len()
    }
}
