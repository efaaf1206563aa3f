//! Versions of the tables.

use std::sync::Arc;

use lurcher_schema::VirtualClock;
use lurcher_triage::{AlertFilter, Error, Triage};
use sqlx::{Connection, Executor};

use super::{
    database::{START, Store, on_each, run},
    samples::{alerts, commit},
};

#[test]
fn tables_of_a_newer_program_are_refused_and_left_as_they_are() {
    on_each("tables_of_a_newer_program_are_refused", async |store| {
        store.commit(commit(1, alerts(0..3))).await.unwrap();
        let mut connection = store.connect().await;
        connection.execute("INSERT INTO schema_version (version, applied) VALUES (99, 0)").await.unwrap();
        let clock = Arc::new(VirtualClock::at(START));
        match Triage::open(&store.url, clock.clone()).await {
            Err(Error::Newer { found: 99, known }) => assert_eq!(known, Triage::schema_version()),
            other => panic!("{other:?}"),
        }
        connection.execute("DELETE FROM schema_version WHERE version = 99").await.unwrap();
        connection.close().await.unwrap();
        let again = Triage::open(&store.url, clock).await.unwrap();
        assert_eq!(again.count_alerts(&AlertFilter::default()).await.unwrap(), 3);
        again.close().await;
        assert!(again.count_alerts(&AlertFilter::default()).await.is_err());
    });
}

#[test]
fn tables_are_made_wholly_or_not_at_all() {
    run(async {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("x.db");
        let url = format!("sqlite:{}", path.display());
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
        // One of the last tables is there already, and not ours.
        connection.execute("CREATE TABLE hunt (a TEXT)").await.unwrap();
        let clock = Arc::new(VirtualClock::at(START));
        assert!(Triage::open(&url, clock.clone()).await.is_err());
        let tables = connection.fetch_all("SELECT name FROM sqlite_master WHERE type = 'table'").await.unwrap();
        assert_eq!(tables.len(), 1);
        connection.execute("DROP TABLE hunt").await.unwrap();
        Triage::open(&url, clock).await.unwrap();
    });
}

#[test]
fn places_that_cannot_be_opened_are_said() {
    run(async {
        let clock = Arc::new(VirtualClock::at(START));
        for url in ["", "mysql://x/y", "sqlite:", "sqlite::memory:"] {
            assert!(matches!(Triage::open(url, clock.clone()).await, Err(Error::Place(_))), "{url}");
        }
        assert!(Triage::open("sqlite:/no/such/folder/x.db", clock.clone()).await.is_err());
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("x.db");
        std::fs::write(&path, "This is no database, and long enough not to be taken for an empty one.".repeat(20))
            .unwrap();
        assert!(Triage::open(&format!("sqlite:{}", path.display()), clock).await.is_err());
    });
}

#[test]
fn what_was_committed_is_there_after_opening_again() {
    run(async {
        let store = Store::sqlite().await;
        store.commit(commit(7, alerts(0..3))).await.unwrap();
        // Not closed: as after a crash.
        let again = Triage::open(&store.url, store.clock.clone()).await.unwrap();
        assert_eq!(again.count_alerts(&AlertFilter::default()).await.unwrap(), 3);
        assert_eq!(again.checkpoint("detector").await.unwrap().unwrap().position, 7);
    });
}
