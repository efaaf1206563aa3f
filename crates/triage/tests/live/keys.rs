//! API keys.

use lurcher_triage::{Error, Role};
use sqlx::Executor;

use super::{database::on_each, samples::at};

#[test]
fn a_key_is_good_until_it_expires_or_is_revoked() {
    on_each("a_key_is_good_until_it_expires_or_is_revoked", async |store| {
        let made = store.create_key("shipper", Role::Ingest, Some(at(100))).await.unwrap();
        let found = store.verify_key(&made.token).await.unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.role, found.last_used), (made.key.id.as_str(), Role::Ingest, Some(at(0))));
        let secret = made.token.rsplit_once(&format!("{}_", made.key.id)).unwrap().1;
        let pair = format!("{}:{secret}", made.key.id);
        assert!(store.verify_key(&pair).await.unwrap().is_some());
        let mut wrong = made.token.clone();
        let last = if wrong.pop() == Some('A') { 'B' } else { 'A' };
        wrong.push(last);
        for token in [wrong.as_str(), "", "lurcher_0123456789abcdef_", "' OR 1=1 --", &made.token[1..]] {
            assert_eq!(store.verify_key(token).await.unwrap(), None, "{token}");
        }
        store.pass(30);
        store.verify_key(&made.token).await.unwrap().unwrap();
        assert_eq!(store.keys().await.unwrap()[0].last_used, Some(at(0)), "not every use is written down");
        store.pass(60);
        store.verify_key(&made.token).await.unwrap().unwrap();
        assert_eq!(store.keys().await.unwrap()[0].last_used, Some(at(90)));
        store.pass(10);
        assert_eq!(store.verify_key(&made.token).await.unwrap(), None);

        let other = store.create_key("ann", Role::Analyst, None).await.unwrap();
        assert!(store.verify_key(&other.token).await.unwrap().is_some());
        assert_eq!(store.revoke_key(&other.key.id).await.unwrap().revoked, Some(at(100)));
        assert_eq!(store.verify_key(&other.token).await.unwrap(), None);
        assert!(matches!(store.revoke_key("nobody").await, Err(Error::Missing(_))));
        assert!(matches!(store.create_key("x", Role::Admin, Some(at(100))).await, Err(Error::Invalid(_))));
        assert!(matches!(store.create_key(" ", Role::Admin, None).await, Err(Error::Invalid(_))));
        assert!(!format!("{other:?}").contains(&other.token));
    });
}

#[test]
fn there_is_always_a_good_admin_key_to_begin_with() {
    on_each("there_is_always_a_good_admin_key_to_begin_with", async |store| {
        let first = store.first_admin().await.unwrap().unwrap();
        assert_eq!(store.first_admin().await.unwrap().map(|made| made.key.id), None);
        store.create_key("reader", Role::Reader, None).await.unwrap();
        store.revoke_key(&first.key.id).await.unwrap();
        assert!(store.first_admin().await.unwrap().is_some());
        // No secret is in the database, in any form that it could be read back from.
        let mut connection = store.connect().await;
        let secret = first.token.split_once(&format!("{}_", first.key.id)).unwrap().1;
        let rows = connection.fetch_all("SELECT hash FROM api_key").await.unwrap();
        for row in rows {
            use sqlx::Row;
            let hash: String = row.get("hash");
            assert!(hash.len() == 64 && !hash.contains(secret));
        }
    });
}
