//! The versions of the tables, and the way from one to the next.
//!
//! A version is never changed once it was shipped; the next one is a new file. All that are missing are applied in one
//! transaction, so that a database is never between two versions. There is no way back: that is what backups are for.

use lurcher_schema::Timestamp;
use sqlx::{Any, AssertSqlSafe, Pool};

use crate::{Error, Result, dialect::Dialect, sql::sql};

/// What each version adds, oldest first.
const VERSIONS: &[&str] = &[include_str!("../migrations/0001_first.sql")];

/// The newest version that this program knows.
pub(crate) fn newest() -> i64 {
    VERSIONS.len() as i64
}

/// Brings the tables to the newest version; refuses those of a newer program. Gives the version that was found: 0 if
/// there were none.
pub(crate) async fn migrate(writer: &Pool<Any>, dialect: Dialect, now: Timestamp) -> Result<i64> {
    let mut transaction = writer.begin_with(dialect.begin()).await?;
    if let Some(lock) = dialect.lock_schema() {
        sqlx::query(lock).execute(&mut *transaction).await?;
    }
    sql!("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL PRIMARY KEY, applied BIGINT NOT NULL)")
        .run(&mut *transaction)
        .await?;
    let found = sql!("SELECT COALESCE(MAX(version), 0) AS version FROM schema_version")
        .first(&mut *transaction)
        .await?
        .map_or(Ok(0), |row| row.int("version"))?;
    if found > newest() {
        return Err(Error::Newer { found, known: newest() });
    }
    for (number, definition) in (1..).zip(VERSIONS).filter(|(number, _)| *number > found) {
        sqlx::raw_sql(AssertSqlSafe(dialect.define(definition))).execute(&mut *transaction).await?;
        sql!("INSERT INTO schema_version (version, applied) VALUES ($1, $2)", number, now)
            .run(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(found)
}
