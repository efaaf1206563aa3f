//! The audit log: who did what. Rows are only ever added, and each holds a digest of itself and the one before; so a row
//! that was changed, taken out or put in between shows, and so does a missing end.
//!
//! Whoever can write the database can also make the whole chain anew. To be safe from that, keep the latest row's hash
//! ([`Triage::check_audit`] gives it) elsewhere now and then.

use lurcher_schema::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;

use crate::{
    Error, Page, PageRequest, Result, Triage,
    identifier::hex,
    page::Listing,
    rfc3339,
    sql::{Fields, Sql, sql},
    word::words,
};

words! {
    /// How it went.
    pub enum Outcome {
        /// It was done.
        Ok = "ok",
        /// It was not allowed.
        Denied = "denied",
        /// It was allowed and went wrong.
        Failed = "failed",
    }
}

/// Something that somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Who: the name of a key with its id, or a part of the program.
    pub who: String,
    /// The role that they had; empty: none.
    pub role: String,
    /// Where they came from; empty: from within.
    pub address: String,
    /// What they did, as a word: `alert.change`, `key.create`.
    pub action: String,
    /// What they did it to.
    pub target: String,
    /// How it went.
    pub outcome: Outcome,
    /// More, for people or as JSON. No secrets.
    #[serde(default)]
    pub detail: String,
}

/// A row of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Counts up without a gap.
    pub number: u64,
    /// When.
    #[serde(with = "rfc3339")]
    pub time: Timestamp,
    /// What was done.
    #[serde(flatten)]
    pub entry: AuditEntry,
    /// SHA-256 over all of it and the hash of the row before, in hexadecimal.
    pub hash: String,
}

/// Which rows. All that is stated must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditFilter {
    /// At this time or later.
    #[serde(with = "rfc3339::optional")]
    pub from: Option<Timestamp>,
    /// Before this time.
    #[serde(with = "rfc3339::optional")]
    pub until: Option<Timestamp>,
    /// By whom.
    pub who: Option<String>,
    /// What.
    pub action: Option<String>,
    /// To what.
    pub target: Option<String>,
    /// How it went.
    pub outcome: Option<Outcome>,
}

/// What a check of the chain found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCheck {
    /// How many rows were looked at.
    pub rows: u64,
    /// The number of the last row.
    pub last_number: u64,
    /// The hash of the last row.
    pub last_hash: String,
    /// The first thing that does not fit; `None`: all fits.
    pub broken: Option<String>,
}

/// How many rows a check reads at once.
const CHECKED_AT_ONCE: i64 = 1000;

impl Triage {
    /// Adds a row.
    pub async fn audit(&self, entry: AuditEntry) -> Result<AuditRow> {
        let mut transaction = self.begin().await?;
        let row = self.append_audit(entry, &mut transaction).await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// Adds a row within a transaction.
    pub(crate) async fn append_audit(&self, entry: AuditEntry, connection: &mut AnyConnection) -> Result<AuditRow> {
        // This also keeps any other transaction from adding one until this one has ended.
        let chain =
            sql!("UPDATE audit_chain SET last_number = last_number + 1 WHERE id = 1 RETURNING last_number, last_hash")
                .first(&mut *connection)
                .await?
                .ok_or_else(|| Error::Damaged("the audit log has lost the end of its chain".to_owned()))?;
        let (number, previous) = (chain.count("last_number")?, chain.text("last_hash")?);
        let text = |text: &str| self.cut(text).replace('\0', "\u{fffd}");
        let entry = AuditEntry {
            who: text(&entry.who),
            role: text(&entry.role),
            address: text(&entry.address),
            action: text(&entry.action),
            target: text(&entry.target),
            outcome: entry.outcome,
            detail: text(&entry.detail),
        };
        let time = self.clock.now();
        let hash = hash(number, time, &entry, &previous);
        let row = AuditRow { number, time, entry, hash };
        sql!(
            "INSERT INTO audit (number, time, who, role, address, action, target, outcome, detail, hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            number,
            time,
            &row.entry.who,
            &row.entry.role,
            &row.entry.address,
            &row.entry.action,
            &row.entry.target,
            row.entry.outcome.name(),
            &row.entry.detail,
            &row.hash,
        )
        .run(&mut *connection)
        .await?;
        sql!("UPDATE audit_chain SET last_hash = $1 WHERE id = 1", &row.hash).run(connection).await?;
        Ok(row)
    }

    /// A page of the rows that pass a filter, newest first.
    pub async fn audit_log(&self, filter: &AuditFilter, page: &PageRequest) -> Result<Page<AuditRow>> {
        let listing = Listing { name: "audit log", key: "number", float: false, tie: None, descending: true };
        let turn = page.turn(listing)?;
        let mut sql = sql!("SELECT * FROM audit WHERE 1 = 1");
        filter.push(&mut sql);
        turn.finish(&mut sql);
        let rows = sql.all(&self.reader).await?.iter().map(read_row).collect::<Result<Vec<_>>>()?;
        Ok(turn.page(rows, |row| (row.number as i64, String::new())))
    }

    /// Goes through the whole chain. Rows that are added meanwhile may or may not be looked at.
    pub async fn check_audit(&self) -> Result<AuditCheck> {
        let damaged = || Error::Damaged("the audit log has lost the end of its chain".to_owned());
        let chain = sql!("SELECT * FROM audit_chain WHERE id = 1").first(&self.reader).await?.ok_or_else(damaged)?;
        let (mut number, mut previous) = (chain.count("root_number")?, chain.text("root_hash")?);
        let mut check = AuditCheck {
            rows: 0,
            last_number: chain.count("last_number")?,
            last_hash: chain.text("last_hash")?,
            broken: None,
        };
        loop {
            let rows = sql!("SELECT * FROM audit WHERE number > $1 ORDER BY number LIMIT $2", number, CHECKED_AT_ONCE)
                .all(&self.reader)
                .await?;
            for row in &rows {
                let row = read_row(row)?;
                if row.number != number + 1 {
                    check.broken = Some(format!("rows {} to {} are missing", number + 1, row.number - 1));
                    return Ok(check);
                }
                if row.hash != hash(row.number, row.time, &row.entry, &previous) {
                    check.broken =
                        Some(format!("row {} is not as it was written, or the one before is not", row.number));
                    return Ok(check);
                }
                check.rows += 1;
                (number, previous) = (row.number, row.hash);
            }
            if (rows.len() as i64) < CHECKED_AT_ONCE {
                break;
            }
        }
        if number < check.last_number {
            check.broken = Some(format!("rows {} to {} are missing at the end", number + 1, check.last_number));
        } else if number == check.last_number && previous != check.last_hash {
            check.broken = Some(format!("row {number} is not the one that the chain ends with"));
        }
        Ok(check)
    }

    /// Deletes rows from before a time, from the beginning on; the chain begins behind them then. How many.
    pub(crate) async fn expire_audit(&self, before: Timestamp) -> Result<u64> {
        let mut transaction = self.begin().await?;
        // Only up to the first that must stay, whatever the clock did in between.
        let last = sql!(
            "SELECT number, hash FROM audit WHERE number < \
             COALESCE((SELECT MIN(number) FROM audit WHERE time >= $1), $2) ORDER BY number DESC LIMIT 1",
            before,
            i64::MAX,
        )
        .first(&mut *transaction)
        .await?;
        let Some(last) = last else { return Ok(0) };
        let (number, hash) = (last.int("number")?, last.text("hash")?);
        sql!("UPDATE audit_chain SET root_number = $1, root_hash = $2 WHERE id = 1", number, hash)
            .run(&mut *transaction)
            .await?;
        let removed = sql!("DELETE FROM audit WHERE number <= $1", number).run(&mut *transaction).await?;
        let entry = AuditEntry {
            who: "retention".to_owned(),
            role: String::new(),
            address: String::new(),
            action: "audit.expire".to_owned(),
            target: format!("rows up to {number}"),
            outcome: Outcome::Ok,
            detail: format!("{removed} rows from before {before}"),
        };
        self.append_audit(entry, &mut transaction).await?;
        transaction.commit().await?;
        Ok(removed)
    }
}

impl AuditFilter {
    fn push(&self, sql: &mut Sql) {
        if let Some(from) = self.from {
            sql.push(" AND time >= ").bind(from);
        }
        if let Some(until) = self.until {
            sql.push(" AND time < ").bind(until);
        }
        for (condition, wanted) in
            [(" AND who = ", &self.who), (" AND action = ", &self.action), (" AND target = ", &self.target)]
        {
            if let Some(wanted) = wanted {
                sql.push(condition).bind(wanted);
            }
        }
        if let Some(outcome) = self.outcome {
            sql.push(" AND outcome = ").bind(outcome.name());
        }
    }
}

/// Each part goes in with its length, so that no two rows can be written the same way.
fn hash(number: u64, time: Timestamp, entry: &AuditEntry, previous: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(number.to_be_bytes());
    digest.update(time.0.to_be_bytes());
    let texts = [
        &entry.who,
        &entry.role,
        &entry.address,
        &entry.action,
        &entry.target,
        entry.outcome.name(),
        &entry.detail,
        previous,
    ];
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    hex(&digest.finalize())
}

fn read_row(row: &Fields) -> Result<AuditRow> {
    Ok(AuditRow {
        number: row.count("number")?,
        time: row.time("time")?,
        entry: AuditEntry {
            who: row.text("who")?,
            role: row.text("role")?,
            address: row.text("address")?,
            action: row.text("action")?,
            target: row.text("target")?,
            outcome: row.word("outcome", Outcome::parse)?,
            detail: row.text("detail")?,
        },
        hash: row.text("hash")?,
    })
}
