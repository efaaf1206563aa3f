//! PostgreSQL over TLS.

use std::sync::Arc;

use lurcher_schema::SystemClock;
use lurcher_triage::Triage;
use sqlx::{AnyConnection, Connection, Row};

use crate::database::{over_tls, run};

#[test]
fn the_connection_is_encrypted_and_the_server_has_to_prove_who_it_is() {
    run(async {
        let Some((url, folder)) = over_tls().await else {
            eprintln!("skipped: PostgreSQL over TLS: its programs are not installed");
            return;
        };
        let with = |mode: &str, authority: &str| {
            format!("{url}?sslmode={mode}&sslrootcert={}", folder.join(authority).display())
        };
        let secure = with("verify-full", "ca.pem");
        let triage = Triage::open(&secure, Arc::new(SystemClock)).await.unwrap();
        triage.create_key("over TLS", lurcher_triage::Role::Reader, None).await.unwrap();
        assert_eq!(triage.keys().await.unwrap().len(), 1);
        triage.close().await;
        let mut connection = AnyConnection::connect(&secure).await.unwrap();
        let row = sqlx::query("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl");
        let version: String = row.fetch_one(&mut connection).await.unwrap().get(0);
        assert!(version.starts_with("TLSv1."), "{version}");
        connection.close().await.unwrap();
        // An authority that did not sign its certificate, and a name that is not in it.
        let other = Triage::open(&with("verify-ca", "other.pem"), Arc::new(SystemClock)).await;
        assert!(other.is_err());
        let name = Triage::open(&secure.replace("127.0.0.1", "localhost"), Arc::new(SystemClock)).await;
        assert!(name.is_err());
    });
}
