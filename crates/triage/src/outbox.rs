//! The outbox: who is still to be told of which alert.
//!
//! A letter is put in with its alert, in one transaction, once per alert and target. It stays until its target has taken it or
//! somebody gives it up. A crash between sending and [`Triage::delivered`] sends it again: at least once, with a key by
//! which the receiver can tell. One task at a time should send to one target.

use lurcher_schema::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;

use crate::{
    Alert, Error, Page, PageRequest, Result, Triage,
    alert_list::{read_alert, read_document},
    commit::ROWS,
    identifier::hex,
    page::Listing,
    rfc3339,
    sql::{Arg, Fields, Sql, sql},
};

/// A letter to be put in.
pub(crate) struct Letter<'a> {
    pub(crate) alert: &'a str,
    pub(crate) target: &'a str,
}

/// A letter that is to be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Which letter.
    pub id: i64,
    /// To whom.
    pub target: String,
    /// The same whenever this alert is sent to this target; for nothing else.
    pub idempotency_key: String,
    /// How often it was tried.
    pub attempts: u64,
    /// When it was put in.
    #[serde(with = "rfc3339")]
    pub created: Timestamp,
    /// What went wrong last time; empty: nothing.
    pub error: String,
    /// The alert as it stands now, with its document.
    pub alert: Alert,
}

/// A letter that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Which letter.
    pub id: i64,
    /// To whom.
    pub target: String,
    /// The alert's id.
    pub alert: String,
    /// How often it was tried.
    pub attempts: u64,
    /// When it was put in.
    #[serde(with = "rfc3339")]
    pub created: Timestamp,
    /// When it was given up.
    #[serde(with = "rfc3339")]
    pub died: Timestamp,
    /// Why.
    pub error: String,
}

/// How many letters there are for one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxCount {
    /// To whom.
    pub target: String,
    /// Waiting to be sent.
    pub pending: u64,
    /// Given up.
    pub dead: u64,
    /// Taken, as far as they are still kept.
    pub delivered: u64,
    /// When the oldest that waits was put in.
    #[serde(with = "rfc3339::optional")]
    pub oldest_pending: Option<Timestamp>,
}

/// Which dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadSelection {
    /// These.
    Ids(Vec<i64>),
    /// All for one target.
    Target(String),
}

/// Puts letters in; how many were not there.
pub(crate) async fn post(letters: &[Letter<'_>], now: Timestamp, connection: &mut AnyConnection) -> Result<u64> {
    let mut new = 0;
    for letters in letters.chunks(ROWS) {
        let mut sql = sql!(
            "INSERT INTO outbox (alert, target, idempotency_key, state, attempts, next_attempt, created, changed, error) \
             VALUES "
        );
        sql.rows_of(letters, |letter| {
            [
                Arg::from(letter.alert),
                Arg::from(letter.target),
                Arg::from(idempotency_key(letter.alert, letter.target)),
                Arg::from("pending"),
                Arg::from(0_i64),
                Arg::from(now),
                Arg::from(now),
                Arg::from(now),
                Arg::from(""),
            ]
        });
        sql.push(" ON CONFLICT (alert, target) DO NOTHING");
        new += sql.run(&mut *connection).await?;
    }
    Ok(new)
}

fn idempotency_key(alert: &str, target: &str) -> String {
    let digest = Sha256::new().chain_update(alert).chain_update([0]).chain_update(target).finalize();
    hex(&digest[..16])
}

impl Triage {
    /// The letters for a target whose time has come, those that wait longest first.
    pub async fn due(&self, target: &str, now: Timestamp, limit: u32) -> Result<Vec<Delivery>> {
        let rows = sql!(
            "SELECT alert.*, alert_document.document, outbox.id AS letter, outbox.idempotency_key, outbox.attempts, \
             outbox.created, outbox.error FROM outbox JOIN alert ON alert.id = outbox.alert \
             LEFT JOIN alert_document ON alert_document.alert = outbox.alert \
             WHERE outbox.target = $1 AND outbox.state = 'pending' AND outbox.next_attempt <= $2 \
             ORDER BY outbox.next_attempt, outbox.id LIMIT $3",
            target,
            now,
            i64::from(limit.clamp(1, 1000)),
        )
        .all(&self.reader)
        .await?;
        let mut alerts = Vec::new();
        for row in &rows {
            let mut alert = read_alert(row)?;
            alert.found.document = read_document(row)?;
            alerts.push(alert);
        }
        self.read_tags(&mut alerts).await?;
        let read = |(row, alert): (&Fields, Alert)| {
            Ok(Delivery {
                id: row.int("letter")?,
                target: target.to_owned(),
                idempotency_key: row.text("idempotency_key")?,
                attempts: row.count("attempts")?,
                created: row.time("created")?,
                error: row.text("error")?,
                alert,
            })
        };
        rows.iter().zip(alerts).map(read).collect()
    }

    /// When the next letter for a target is to be sent; `None`: none waits.
    pub async fn next_due(&self, target: &str) -> Result<Option<Timestamp>> {
        let row = sql!("SELECT MIN(next_attempt) AS next FROM outbox WHERE target = $1 AND state = 'pending'", target)
            .first(&self.reader)
            .await?;
        row.map_or(Ok(None), |row| row.maybe_time("next"))
    }

    /// A target has taken a letter.
    pub async fn delivered(&self, id: i64) -> Result<()> {
        let sql = sql!(
            "UPDATE outbox SET state = 'delivered', attempts = attempts + 1, changed = $2, error = '' \
             WHERE id = $1 AND state = 'pending'",
            id,
            self.clock.now()
        );
        self.settle(id, sql).await
    }

    /// A target has not taken a letter; it is to be tried again.
    pub async fn failed(&self, id: i64, error: &str, next_attempt: Timestamp) -> Result<()> {
        let sql = sql!(
            "UPDATE outbox SET attempts = attempts + 1, changed = $2, error = $3, next_attempt = $4 \
             WHERE id = $1 AND state = 'pending'",
            id,
            self.clock.now(),
            self.cut(error).as_ref(),
            next_attempt,
        );
        self.settle(id, sql).await
    }

    /// A target will never take a letter; it is kept among the dead ones.
    pub async fn dead(&self, id: i64, error: &str) -> Result<()> {
        let sql = sql!(
            "UPDATE outbox SET state = 'dead', attempts = attempts + 1, changed = $2, error = $3 \
             WHERE id = $1 AND state = 'pending'",
            id,
            self.clock.now(),
            self.cut(error).as_ref(),
        );
        self.settle(id, sql).await
    }

    async fn settle(&self, id: i64, sql: Sql) -> Result<()> {
        match sql.run(&self.writer).await? {
            0 => Err(Error::Missing(format!("letter {id} that waits to be sent"))),
            _ => Ok(()),
        }
    }

    /// A page of the dead letters, the latest first; for one target or for all.
    pub async fn dead_letters(&self, target: Option<&str>, page: &PageRequest) -> Result<Page<DeadLetter>> {
        let listing = Listing { name: "dead letters", key: "id", float: false, tie: None, descending: true };
        let turn = page.turn(listing)?;
        let mut sql = sql!("SELECT * FROM outbox WHERE state = 'dead'");
        if let Some(target) = target {
            sql.push(" AND target = ").bind(target);
        }
        turn.finish(&mut sql);
        let letters = sql.all(&self.reader).await?.iter().map(read_dead).collect::<Result<Vec<_>>>()?;
        Ok(turn.page(letters, |letter| (letter.id, String::new())))
    }

    /// Has dead letters sent after all, with attempts counted anew; how many.
    pub async fn requeue_dead(&self, which: &DeadSelection) -> Result<u64> {
        let now = self.clock.now();
        let mut sql =
            sql!("UPDATE outbox SET state = 'pending', attempts = 0, next_attempt = $1, changed = $1 WHERE", now);
        which.push(&mut sql)?;
        sql.run(&self.writer).await
    }

    /// Drops dead letters; how many.
    pub async fn drop_dead(&self, which: &DeadSelection) -> Result<u64> {
        let mut sql = sql!("DELETE FROM outbox WHERE");
        which.push(&mut sql)?;
        sql.run(&self.writer).await
    }

    /// How many letters there are, by target.
    pub async fn outbox_counts(&self) -> Result<Vec<OutboxCount>> {
        let rows = sql!(
            "SELECT target, CAST(SUM(CASE WHEN state = 'pending' THEN 1 ELSE 0 END) AS BIGINT) AS pending, \
             CAST(SUM(CASE WHEN state = 'dead' THEN 1 ELSE 0 END) AS BIGINT) AS dead, \
             CAST(SUM(CASE WHEN state = 'delivered' THEN 1 ELSE 0 END) AS BIGINT) AS delivered, \
             MIN(CASE WHEN state = 'pending' THEN created END) AS oldest FROM outbox GROUP BY target ORDER BY target"
        )
        .all(&self.reader)
        .await?;
        let read = |row: &Fields| {
            Ok(OutboxCount {
                target: row.text("target")?,
                pending: row.count("pending")?,
                dead: row.count("dead")?,
                delivered: row.count("delivered")?,
                oldest_pending: row.maybe_time("oldest")?,
            })
        };
        rows.iter().map(read).collect()
    }
}

impl DeadSelection {
    fn push(&self, sql: &mut Sql) -> Result<()> {
        sql.push(" state = 'dead'");
        match self {
            Self::Ids(ids) if ids.len() > 1000 => {
                return Err(Error::Invalid("at most 1000 letters at once; or all of a target".to_owned()));
            }
            Self::Ids(ids) => sql.push(" AND id IN ").tuple(ids.iter().map(|id| Arg::from(*id))),
            Self::Target(target) => sql.push(" AND target = ").bind(target),
        };
        Ok(())
    }
}

fn read_dead(row: &Fields) -> Result<DeadLetter> {
    Ok(DeadLetter {
        id: row.int("id")?,
        target: row.text("target")?,
        alert: row.text("alert")?,
        attempts: row.count("attempts")?,
        created: row.time("created")?,
        died: row.time("changed")?,
        error: row.text("error")?,
    })
}
