//! Old things are deleted, the database is copied while it is used, and checked.

use std::path::{Path, PathBuf};

use lurcher_schema::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, Connection};

use crate::{
    AuditCheck, Error, Result, Triage,
    dialect::{Dialect, Place, sqlite_url},
    sql::{Arg, Sql, sql},
};

/// How many rows are deleted in one transaction, so that commits get in between.
const AT_ONCE: i64 = 500;

/// What is too old. `None`: nothing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expiry {
    /// Alerts (and incidents) detected before this time, with all that belongs to them; also what the outbox still has of
    /// them.
    #[serde(with = "crate::rfc3339::optional")]
    pub alerts: Option<Timestamp>,
    /// Whether alerts that are not closed stay whatever their age.
    pub keep_unclosed: bool,
    /// Risk events from before this time.
    #[serde(with = "crate::rfc3339::optional")]
    pub risk_events: Option<Timestamp>,
    /// Runs, filled gaps and released quarantines from before this time; silences that ended before it.
    #[serde(with = "crate::rfc3339::optional")]
    pub runs: Option<Timestamp>,
    /// Letters that were taken or given up before this time.
    #[serde(with = "crate::rfc3339::optional")]
    pub letters: Option<Timestamp>,
    /// Rows of the audit log from before this time.
    #[serde(with = "crate::rfc3339::optional")]
    pub audit: Option<Timestamp>,
}

/// How much was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    /// Alerts and incidents.
    pub alerts: u64,
    /// Risk events.
    pub risk_events: u64,
    /// Runs, gaps, quarantines and silences.
    pub runs: u64,
    /// Letters of the outbox, beyond those of deleted alerts.
    pub letters: u64,
    /// Rows of the audit log.
    pub audit: u64,
}

/// What a check of the database found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegrityCheck {
    /// What is wrong with the file, as SQLite says it; empty: nothing. PostgreSQL checks itself.
    pub problems: Vec<String>,
    /// The chain of the audit log.
    pub audit: AuditCheck,
}

impl IntegrityCheck {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty() && self.audit.broken.is_none()
    }
}

impl Triage {
    /// Deletes what is too old, a little at a time. What was deleted stays so if a later part fails.
    pub async fn expire(&self, expiry: &Expiry) -> Result<Expired> {
        let mut expired = Expired::default();
        if let Some(before) = expiry.alerts {
            expired.alerts = self.expire_alerts(before, expiry.keep_unclosed).await?;
        }
        if let Some(before) = expiry.risk_events {
            expired.risk_events = self.expire_risk_events(before).await?;
        }
        if let Some(before) = expiry.runs {
            for statement in [
                "DELETE FROM rule_run WHERE time < $1",
                "DELETE FROM gap WHERE filled_at < $1",
                "DELETE FROM quarantine WHERE released_at < $1 AND last_seen < $1",
                "DELETE FROM silence WHERE ends < $1",
            ] {
                expired.runs += sql!(statement, before).run(&self.writer).await?;
            }
        }
        if let Some(before) = expiry.letters {
            expired.letters = sql!("DELETE FROM outbox WHERE state IN ('delivered', 'dead') AND changed < $1", before)
                .run(&self.writer)
                .await?;
        }
        if let Some(before) = expiry.audit {
            expired.audit = self.expire_audit(before).await?;
        }
        Ok(expired)
    }

    async fn expire_alerts(&self, before: Timestamp, keep_unclosed: bool) -> Result<u64> {
        let mut removed = 0;
        loop {
            let mut chosen = sql!("SELECT id FROM alert WHERE detected < $1", before);
            if keep_unclosed {
                chosen.push(" AND status = 'closed'");
            }
            chosen.push(" ORDER BY detected, id LIMIT ").bind(AT_ONCE);
            let count = self.delete_chosen(chosen, sql!("DELETE FROM alert WHERE id IN ")).await?;
            removed += count;
            if (count as i64) < AT_ONCE {
                return Ok(removed);
            }
        }
    }

    async fn expire_risk_events(&self, before: Timestamp) -> Result<u64> {
        let mut removed = 0;
        loop {
            let mut chosen = sql!("SELECT id FROM risk_event WHERE time < $1", before);
            chosen.push(" ORDER BY time LIMIT ").bind(AT_ONCE);
            let count = self.delete_chosen(chosen, sql!("DELETE FROM risk_event WHERE id IN ")).await?;
            removed += count;
            if (count as i64) < AT_ONCE {
                return Ok(removed);
            }
        }
    }

    /// Deletes the rows whose ids a query gives; how many.
    async fn delete_chosen(&self, chosen: Sql, mut delete: Sql) -> Result<u64> {
        let mut transaction = self.begin().await?;
        let ids: Vec<String> =
            chosen.all(&mut *transaction).await?.iter().map(|row| row.text("id")).collect::<Result<_>>()?;
        if ids.is_empty() {
            return Ok(0);
        }
        delete.tuple(ids.iter().map(Arg::from));
        let count = delete.run(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(count)
    }

    /// Copies the database to a new file, as it stands at one moment, while it goes on being used. The file appears whole or
    /// not at all. SQLite only: PostgreSQL has `pg_dump`.
    pub async fn backup(&self, to: &Path) -> Result<()> {
        let Some(file) = &self.file else {
            return Err(Error::Place("PostgreSQL is backed up with its own tools, such as pg_dump".to_owned()));
        };
        copy_file(file, to).await
    }

    /// Looks through the whole database for damage. Takes a while for a large one.
    pub async fn integrity_check(&self) -> Result<IntegrityCheck> {
        let mut problems = Vec::new();
        if self.dialect == Dialect::Sqlite {
            for row in sql!("PRAGMA integrity_check(100)").all(&self.reader).await? {
                let said = row.text("integrity_check")?;
                if said != "ok" {
                    problems.push(said);
                }
            }
            for row in sql!("PRAGMA foreign_key_check").all(&self.reader).await? {
                problems.push(format!("a row of {} belongs to no row of {}", row.text("table")?, row.text("parent")?));
            }
        }
        Ok(IntegrityCheck { problems, audit: self.check_audit().await? })
    }
}

/// Copies the database at this place to a new file, as it is: for backups while no server has it open. False if it is
/// PostgreSQL's, which has `pg_dump`.
pub async fn copy_database(url: &str, to: &Path) -> Result<bool> {
    sqlx::any::install_default_drivers();
    match Place::parse(url)?.file {
        Some(file) => copy_file(&file, to).await.map(|()| true),
        None => Ok(false),
    }
}

async fn copy_file(file: &Path, to: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::Place(format!("{}: {error}", to.display()));
    if tokio::fs::try_exists(to).await.map_err(failed)? {
        return Err(Error::Place(format!("{} is there already", to.display())));
    }
    let partial = PathBuf::from(format!("{}.partial", to.display()));
    if tokio::fs::try_exists(&partial).await.map_err(failed)? {
        tokio::fs::remove_file(&partial).await.map_err(failed)?;
    }
    let mut connection = AnyConnection::connect(&sqlite_url(file, "rw")).await?;
    let copied = sql!("VACUUM INTO $1", partial.display().to_string()).run(&mut connection).await;
    connection.close().await?;
    copied?;
    let copy = tokio::fs::OpenOptions::new().write(true).open(&partial).await.map_err(failed)?;
    copy.sync_all().await.map_err(failed)?;
    tokio::fs::rename(&partial, to).await.map_err(failed)?;
    if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let folder = tokio::fs::File::open(folder).await.map_err(failed)?;
        folder.sync_all().await.map_err(failed)?;
    }
    Ok(())
}
