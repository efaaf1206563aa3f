//! The ledger: what every run of every rule saw and did, what was not looked at, what was put aside, how rules fare.

use lurcher_schema::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use crate::{
    Error, Page, PageRequest, Result, Span, Triage,
    commit::ROWS,
    page::Listing,
    rfc3339,
    sql::{Arg, Fields, Sql, sql},
    word::words,
};

/// One run of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRun {
    /// The rule's id. With the time it names the run.
    pub rule_id: String,
    /// Its name.
    pub rule_name: String,
    /// When it ran.
    #[serde(with = "rfc3339")]
    pub time: Timestamp,
    /// The first moment that it looked at.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// The last.
    #[serde(with = "rfc3339")]
    pub to: Timestamp,
    /// Events (or rows) in the window that passed the rule's filters.
    pub hits: u64,
    /// Alerts that it raised.
    pub created: u64,
    /// Alerts that were counted in others instead.
    pub suppressed: u64,
    /// Matches that an earlier run had found.
    pub known: u64,
    /// Matches beyond the most alerts that a run may raise.
    pub capped: u64,
    /// Events in the window that had not arrived yet.
    pub late: u64,
    /// How many runs after it saw the same.
    pub repeats: u64,
}

/// What the runs of one rule came to within a span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTotals {
    /// The rule's id.
    pub rule_id: String,
    /// Its name.
    pub rule_name: String,
    /// How many runs saw something, and how many saw the same after them.
    pub runs: u64,
    /// See [`RuleRun::hits`].
    pub hits: u64,
    /// See [`RuleRun::created`].
    pub created: u64,
    /// See [`RuleRun::suppressed`].
    pub suppressed: u64,
    /// See [`RuleRun::known`].
    pub known: u64,
    /// See [`RuleRun::capped`].
    pub capped: u64,
    /// See [`RuleRun::late`].
    pub late: u64,
}

/// A span that a rule should have looked at and did not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The rule's id; empty: all rules. With the first moment it names the gap.
    pub rule_id: String,
    /// The first moment.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// The last.
    #[serde(with = "rfc3339")]
    pub to: Timestamp,
    /// Why.
    pub reason: String,
    /// When it was looked at after all.
    #[serde(with = "rfc3339::optional", default)]
    pub filled_at: Option<Timestamp>,
}

words! {
    /// What is put aside.
    pub enum QuarantineKind {
        /// A rule that cannot be run.
        Rule = "rule",
        /// A record of the journal that cannot be read, or that breaks what reads it.
        Record = "record",
    }
}

/// Something that was put aside so that the rest can go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// What it is.
    pub kind: QuarantineKind,
    /// The rule's id, or the record's position.
    pub subject: String,
    /// Why.
    pub reason: String,
    /// When it first went wrong.
    #[serde(with = "rfc3339")]
    pub first_seen: Timestamp,
    /// When it last went wrong.
    #[serde(with = "rfc3339")]
    pub last_seen: Timestamp,
    /// How often.
    pub count: u64,
    /// When somebody let it go again. If it goes wrong after that, it is put aside anew.
    #[serde(with = "rfc3339::optional", default)]
    pub released_at: Option<Timestamp>,
    /// Who did.
    #[serde(default)]
    pub released_by: String,
}

words! {
    /// How a rule fares.
    pub enum HealthState {
        /// Well.
        Ok = "ok",
        /// It runs, but slowly, late or not exactly.
        Degraded = "degraded",
        /// Its last run failed.
        Failing = "failing",
        /// It was put aside.
        Quarantined = "quarantined",
        /// It was turned off.
        Disabled = "disabled",
    }
}

/// How a rule fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleHealth {
    /// The rule's id.
    pub rule_id: String,
    /// Its name.
    pub rule_name: String,
    /// How it fares.
    pub state: HealthState,
    /// In words: the error, what is not exact.
    pub detail: String,
    /// When it last ran.
    #[serde(with = "rfc3339::optional", default)]
    pub last_run: Option<Timestamp>,
    /// When it last ran well.
    #[serde(with = "rfc3339::optional", default)]
    pub last_success: Option<Timestamp>,
    /// How long its last run took, in microseconds.
    #[serde(default)]
    pub last_micros: Option<u64>,
    /// How many runs have failed since the last that went well.
    #[serde(default)]
    pub failures: u64,
}

impl Triage {
    /// A page of the runs within a span, newest first; of one rule or of all.
    pub async fn runs(&self, rule: Option<&str>, span: Span, page: &PageRequest) -> Result<Page<RuleRun>> {
        let listing = Listing {
            name: "runs",
            key: "rule_run.time",
            float: false,
            tie: Some("rule_run.rule_id"),
            descending: true,
        };
        let turn = page.turn(listing)?;
        let mut sql = sql!("SELECT * FROM rule_run WHERE time >= $1 AND time < $2", span.from, span.until);
        if let Some(rule) = rule {
            sql.push(" AND rule_id = ").bind(rule);
        }
        turn.finish(&mut sql);
        let runs = sql.all(&self.reader).await?.iter().map(read_run).collect::<Result<Vec<_>>>()?;
        Ok(turn.page(runs, |run| (run.time.0, run.rule_id.clone())))
    }

    /// What the runs of each rule came to within a span, by the rule's id.
    pub async fn run_totals(&self, span: Span) -> Result<Vec<RunTotals>> {
        let rows = sql!(
            "SELECT rule_id, MAX(rule_name) AS rule_name, CAST(COUNT(*) + SUM(repeats) AS BIGINT) AS runs, \
             CAST(SUM(hits) AS BIGINT) AS hits, CAST(SUM(created) AS BIGINT) AS created, \
             CAST(SUM(suppressed) AS BIGINT) AS suppressed, CAST(SUM(known) AS BIGINT) AS known, \
             CAST(SUM(capped) AS BIGINT) AS capped, CAST(SUM(late) AS BIGINT) AS late \
             FROM rule_run WHERE time >= $1 AND time < $2 GROUP BY rule_id ORDER BY rule_id",
            span.from,
            span.until,
        )
        .all(&self.reader)
        .await?;
        rows.iter().map(read_totals).collect()
    }

    /// Gaps, newest first, at most 10,000; only those that nobody has filled, or all.
    pub async fn gaps(&self, filled_too: bool) -> Result<Vec<Gap>> {
        let mut sql = sql!("SELECT * FROM gap");
        if !filled_too {
            sql.push(" WHERE filled_at IS NULL");
        }
        sql.push(" ORDER BY first DESC, rule_id LIMIT 10000");
        sql.all(&self.reader).await?.iter().map(read_gap).collect()
    }

    /// What was put aside, the latest first, at most 10,000; only what still is, or all.
    pub async fn quarantines(&self, released_too: bool) -> Result<Vec<Quarantine>> {
        let mut sql = sql!("SELECT * FROM quarantine");
        if !released_too {
            sql.push(" WHERE released_at IS NULL OR last_seen > released_at");
        }
        sql.push(" ORDER BY last_seen DESC, kind, subject LIMIT 10000");
        sql.all(&self.reader).await?.iter().map(read_quarantine).collect()
    }

    /// Lets something go that was put aside.
    pub async fn release(&self, kind: QuarantineKind, subject: &str, who: &str) -> Result<()> {
        let touched = sql!(
            "UPDATE quarantine SET released_at = $3, released_by = $4 WHERE kind = $1 AND subject = $2",
            kind.name(),
            subject,
            self.clock.now(),
            who,
        )
        .run(&self.writer)
        .await?;
        if touched == 0 { Err(Error::Missing(format!("{kind} {subject} in quarantine"))) } else { Ok(()) }
    }

    /// How rules fare, by the rule's id.
    pub async fn rule_health(&self) -> Result<Vec<RuleHealth>> {
        let rows = sql!("SELECT * FROM rule_health ORDER BY rule_id").all(&self.reader).await?;
        rows.iter().map(read_health).collect()
    }

    pub(crate) async fn commit_runs(
        &self,
        runs: &[RuleRun],
        position: i64,
        connection: &mut AnyConnection,
    ) -> Result<()> {
        let runs = last_of_each(runs, |run| (run.rule_id.clone(), run.time));
        for runs in runs.chunks(ROWS) {
            let mut sql = sql!(
                "INSERT INTO rule_run (rule_id, time, rule_name, first, last, hits, created, suppressed, known, capped, \
                 late, repeats, position) VALUES "
            );
            sql.rows_of(runs, |run| {
                [
                    Arg::from(&run.rule_id),
                    Arg::from(run.time),
                    Arg::from(self.cut(&run.rule_name).as_ref()),
                    Arg::from(run.from),
                    Arg::from(run.to),
                    Arg::from(run.hits),
                    Arg::from(run.created),
                    Arg::from(run.suppressed),
                    Arg::from(run.known),
                    Arg::from(run.capped),
                    Arg::from(run.late),
                    Arg::from(run.repeats),
                    Arg::from(position),
                ]
            });
            sql.push(
                " ON CONFLICT (rule_id, time) DO UPDATE SET rule_name = excluded.rule_name, first = excluded.first, \
                 last = excluded.last, hits = excluded.hits, created = excluded.created, \
                 suppressed = excluded.suppressed, known = excluded.known, capped = excluded.capped, \
                 late = excluded.late, repeats = excluded.repeats, position = excluded.position \
                 WHERE excluded.position >= rule_run.position",
            );
            sql.run(&mut *connection).await?;
        }
        Ok(())
    }

    pub(crate) async fn commit_gaps(&self, gaps: &[Gap], position: i64, connection: &mut AnyConnection) -> Result<()> {
        let gaps = last_of_each(gaps, |gap| (gap.rule_id.clone(), gap.from));
        for gaps in gaps.chunks(ROWS) {
            let mut sql = sql!("INSERT INTO gap (rule_id, first, last, reason, filled_at, position) VALUES ");
            sql.rows_of(gaps, |gap| {
                [
                    Arg::from(&gap.rule_id),
                    Arg::from(gap.from),
                    Arg::from(gap.to),
                    Arg::from(self.cut(&gap.reason).as_ref()),
                    Arg::from(gap.filled_at),
                    Arg::from(position),
                ]
            });
            sql.push(
                " ON CONFLICT (rule_id, first) DO UPDATE SET last = excluded.last, reason = excluded.reason, \
                 filled_at = excluded.filled_at, position = excluded.position WHERE excluded.position >= gap.position",
            );
            sql.run(&mut *connection).await?;
        }
        Ok(())
    }

    pub(crate) async fn commit_quarantines(
        &self,
        quarantines: &[Quarantine],
        position: i64,
        connection: &mut AnyConnection,
    ) -> Result<()> {
        let quarantines = last_of_each(quarantines, |one| (one.kind, one.subject.clone()));
        for quarantines in quarantines.chunks(ROWS) {
            let mut sql = sql!(
                "INSERT INTO quarantine (kind, subject, reason, first_seen, last_seen, times, released_at, released_by, \
                 position) VALUES "
            );
            sql.rows_of(quarantines, |one| {
                [
                    Arg::from(one.kind.name()),
                    Arg::from(&one.subject),
                    Arg::from(self.cut(&one.reason).as_ref()),
                    Arg::from(one.first_seen),
                    Arg::from(one.last_seen),
                    Arg::from(one.count),
                    Arg::from(one.released_at),
                    Arg::from(&one.released_by),
                    Arg::from(position),
                ]
            });
            // When it was first seen, and who let it go, stays.
            sql.push(
                " ON CONFLICT (kind, subject) DO UPDATE SET reason = excluded.reason, last_seen = excluded.last_seen, \
                 times = excluded.times, position = excluded.position WHERE excluded.position >= quarantine.position",
            );
            sql.run(&mut *connection).await?;
        }
        Ok(())
    }

    pub(crate) async fn commit_health(
        &self,
        health: &[RuleHealth],
        position: i64,
        connection: &mut AnyConnection,
    ) -> Result<()> {
        let health = last_of_each(health, |one| one.rule_id.clone());
        for health in health.chunks(ROWS) {
            let mut sql: Sql = sql!(
                "INSERT INTO rule_health (rule_id, rule_name, state, detail, last_run, last_success, last_micros, \
                 failures, position) VALUES "
            );
            sql.rows_of(health, |one| {
                [
                    Arg::from(&one.rule_id),
                    Arg::from(self.cut(&one.rule_name).as_ref()),
                    Arg::from(one.state.name()),
                    Arg::from(self.cut(&one.detail).as_ref()),
                    Arg::from(one.last_run),
                    Arg::from(one.last_success),
                    Arg::from(one.last_micros),
                    Arg::from(one.failures),
                    Arg::from(position),
                ]
            });
            sql.push(
                " ON CONFLICT (rule_id) DO UPDATE SET rule_name = excluded.rule_name, state = excluded.state, \
                 detail = excluded.detail, last_run = excluded.last_run, last_success = excluded.last_success, \
                 last_micros = excluded.last_micros, failures = excluded.failures, position = excluded.position \
                 WHERE excluded.position >= rule_health.position",
            );
            sql.run(&mut *connection).await?;
        }
        Ok(())
    }
}

/// The last item of each key, in the keys' order: one statement must not touch a row twice.
fn last_of_each<T, K: Ord>(items: &[T], key: impl Fn(&T) -> K) -> Vec<&T> {
    items.iter().map(|item| (key(item), item)).collect::<std::collections::BTreeMap<_, _>>().into_values().collect()
}

fn read_run(row: &Fields) -> Result<RuleRun> {
    Ok(RuleRun {
        rule_id: row.text("rule_id")?,
        rule_name: row.text("rule_name")?,
        time: row.time("time")?,
        from: row.time("first")?,
        to: row.time("last")?,
        hits: row.count("hits")?,
        created: row.count("created")?,
        suppressed: row.count("suppressed")?,
        known: row.count("known")?,
        capped: row.count("capped")?,
        late: row.count("late")?,
        repeats: row.count("repeats")?,
    })
}

fn read_totals(row: &Fields) -> Result<RunTotals> {
    Ok(RunTotals {
        rule_id: row.text("rule_id")?,
        rule_name: row.text("rule_name")?,
        runs: row.count("runs")?,
        hits: row.count("hits")?,
        created: row.count("created")?,
        suppressed: row.count("suppressed")?,
        known: row.count("known")?,
        capped: row.count("capped")?,
        late: row.count("late")?,
    })
}

fn read_gap(row: &Fields) -> Result<Gap> {
    Ok(Gap {
        rule_id: row.text("rule_id")?,
        from: row.time("first")?,
        to: row.time("last")?,
        reason: row.text("reason")?,
        filled_at: row.maybe_time("filled_at")?,
    })
}

fn read_quarantine(row: &Fields) -> Result<Quarantine> {
    Ok(Quarantine {
        kind: row.word("kind", QuarantineKind::parse)?,
        subject: row.text("subject")?,
        reason: row.text("reason")?,
        first_seen: row.time("first_seen")?,
        last_seen: row.time("last_seen")?,
        count: row.count("times")?,
        released_at: row.maybe_time("released_at")?,
        released_by: row.text("released_by")?,
    })
}

fn read_health(row: &Fields) -> Result<RuleHealth> {
    Ok(RuleHealth {
        rule_id: row.text("rule_id")?,
        rule_name: row.text("rule_name")?,
        state: row.word("state", HealthState::parse)?,
        detail: row.text("detail")?,
        last_run: row.maybe_time("last_run")?,
        last_success: row.maybe_time("last_success")?,
        last_micros: row.maybe_int("last_micros")?.and_then(|micros| u64::try_from(micros).ok()),
        failures: row.count("failures")?,
    })
}
