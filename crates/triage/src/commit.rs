//! What the detector made of a block of the journal, written down in one transaction together with the place in the journal.
//!
//! After a crash the detector goes on where its place says it was, and may make some of it again. So everything here may be
//! written twice:
//!
//! * what is *found* (alerts, risk events) has ids made from what it was found in; the first one stays;
//! * what *grows* (suppressed alerts, the score of an incident) only ever grows;
//! * what is *replaced* (runs, gaps, quarantines, health) keeps the place of the commit that wrote it, and an older commit
//!   does not overwrite a newer one's.
//!
//! Whoever is told of an alert is told when it is new, in the same transaction; so nobody is told twice, and nobody not at all.

use std::{borrow::Cow, collections::HashSet};

use lurcher_schema::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use crate::{
    AlertKind, Error, Gap, NewAlert, NewIncident, Quarantine, Result, RiskEvent, RuleHealth, RuleRun, Triage,
    outbox::{self, Letter},
    silence::Quiet,
    sql::sql,
};

/// All that was made of a block of the journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Commit {
    /// Who read the journal.
    pub consumer: String,
    /// How far it has come with this: the position of the first record that is not in it. Never goes back; a commit from
    /// further back than what was committed already is a repeated one.
    pub position: u64,
    /// Alerts.
    pub alerts: Vec<NewAlert>,
    /// What became of alerts that were committed before.
    pub updates: Vec<AlertUpdate>,
    /// Additions to the risk of objects.
    pub risk_events: Vec<RiskEvent>,
    /// Incidents that opened, or that took in more.
    pub incidents: Vec<NewIncident>,
    /// Runs of rules.
    pub runs: Vec<RuleRun>,
    /// Spans that rules have not looked at, and spans that they have looked at since.
    pub gaps: Vec<Gap>,
    /// Rules and records that were put aside.
    pub quarantines: Vec<Quarantine>,
    /// How rules fare.
    pub health: Vec<RuleHealth>,
}

impl Commit {
    /// Whether another one that comes right after it may be written down together with it.
    pub fn joins(&self, next: &Self) -> bool {
        let is_plain = |one: &Self| one.gaps.is_empty() && one.quarantines.is_empty() && one.health.is_empty();
        self.consumer == next.consumer && is_plain(self) && is_plain(next)
    }

    /// Takes in the one that comes right after it.
    pub fn join(&mut self, next: Self) {
        self.position = next.position.max(self.position);
        self.alerts.extend(next.alerts);
        self.updates.extend(next.updates);
        self.risk_events.extend(next.risk_events);
        self.incidents.extend(next.incidents);
        // Of a run that is told again the last word counts.
        let again: HashSet<_> = next.runs.iter().map(|run| (run.rule_id.as_str(), run.time)).collect();
        self.runs.retain(|run| !again.contains(&(run.rule_id.as_str(), run.time)));
        self.runs.extend(next.runs);
    }
}

/// What became of an alert since. Values are whole, not additions, and only ever grow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertUpdate {
    /// The alert. One that is not there is left out.
    pub id: String,
    /// How many further alerts it stands for.
    pub suppressed: u64,
    /// Until when further ones are counted in it.
    #[serde(with = "crate::rfc3339::optional", default)]
    pub suppression_end: Option<Timestamp>,
}

/// What a commit changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Ids of the alerts and incidents that were not there before, in the order that they came in.
    pub new_alerts: Vec<String>,
    /// Those of them of which nobody is told because of a silence or maintenance window.
    pub silenced: Vec<String>,
    /// How many letters were put in the outbox.
    pub letters: u64,
    /// How many risk events were not there before.
    pub new_risk_events: u64,
}

/// How far a consumer has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Who.
    pub consumer: String,
    /// The position of the first record that it has not dealt with.
    pub position: u64,
    /// When it got there.
    #[serde(with = "crate::rfc3339")]
    pub time: Timestamp,
}

/// How many rows go into one statement. SQLite takes 32,766 parameters and PostgreSQL 65,535.
pub(crate) const ROWS: usize = 50;

impl Triage {
    /// Writes all of it down, or nothing. The caller may repeat a commit that failed, or of which it does not know.
    pub async fn commit(&self, mut commit: Commit) -> Result<Committed> {
        self.try_commit(&mut commit).await
    }

    /// The same with a commit that the caller keeps, to try again. Alerts are given what they are grouped by.
    pub async fn try_commit(&self, commit: &mut Commit) -> Result<Committed> {
        if commit.consumer.is_empty() {
            return Err(Error::Invalid("a commit needs the name of its consumer".to_owned()));
        }
        let now = self.clock.now();
        let position = i64::try_from(commit.position).unwrap_or(i64::MAX);
        self.prepare(commit);
        let commit = &*commit;
        let mut seen = HashSet::new();
        let alerts = commit.alerts.iter().chain(commit.incidents.iter().map(|incident| &incident.alert));
        let alerts: Vec<&NewAlert> = alerts.filter(|alert| seen.insert(alert.id.as_str())).collect();

        let mut transaction = self.begin().await?;
        let connection: &mut AnyConnection = &mut transaction;
        let mut committed = self.commit_alerts(&alerts, now, connection).await?;
        for update in &commit.updates {
            update_alert(update, connection).await?;
        }
        committed.new_risk_events = self.commit_risk_events(&commit.risk_events, connection).await?;
        self.commit_incidents(&commit.incidents, position, connection).await?;
        self.commit_runs(&commit.runs, position, connection).await?;
        self.commit_gaps(&commit.gaps, position, connection).await?;
        self.commit_quarantines(&commit.quarantines, position, connection).await?;
        self.commit_health(&commit.health, position, connection).await?;
        sql!(
            "INSERT INTO checkpoint (consumer, position, time) VALUES ($1, $2, $3) \
             ON CONFLICT (consumer) DO UPDATE SET position = excluded.position, time = excluded.time \
             WHERE excluded.position > checkpoint.position",
            &commit.consumer,
            position,
            now,
        )
        .run(connection)
        .await?;
        transaction.commit().await?;
        Ok(committed)
    }

    /// How far a consumer has come; `None`: it has never committed.
    pub async fn checkpoint(&self, consumer: &str) -> Result<Option<Checkpoint>> {
        let row =
            sql!("SELECT position, time FROM checkpoint WHERE consumer = $1", consumer).first(&self.reader).await?;
        let read = |row: crate::sql::Fields| {
            Ok(Checkpoint { consumer: consumer.to_owned(), position: row.count("position")?, time: row.time("time")? })
        };
        row.map(read).transpose()
    }

    /// Sets how far a consumer has come, also backwards. For when the journal was begun anew or is to be read again; what
    /// runs and rules' health say counts as older than all that comes then.
    pub async fn reset_checkpoint(&self, consumer: &str, position: u64) -> Result<()> {
        let now = self.clock.now();
        let mut transaction = self.begin().await?;
        sql!(
            "INSERT INTO checkpoint (consumer, position, time) VALUES ($1, $2, $3) \
             ON CONFLICT (consumer) DO UPDATE SET position = excluded.position, time = excluded.time",
            consumer,
            position,
            now,
        )
        .run(&mut *transaction)
        .await?;
        for statement in [
            "UPDATE rule_run SET position = -1",
            "UPDATE gap SET position = -1",
            "UPDATE quarantine SET position = -1",
            "UPDATE rule_health SET position = -1",
            "UPDATE incident SET position = -1",
        ] {
            sql!(statement).run(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Groups alerts, incidents too, that have no key yet.
    fn prepare(&self, commit: &mut Commit) {
        let grouping = self.grouping();
        commit.incidents.iter_mut().for_each(|incident| incident.alert.kind = AlertKind::Incident);
        for alert in commit.alerts.iter_mut().chain(commit.incidents.iter_mut().map(|incident| &mut incident.alert)) {
            if alert.id.contains('\0') {
                // As it will be stored; else it would not be known again.
                alert.id = alert.id.replace('\0', "\u{fffd}");
            }
            if alert.group_key.is_empty() {
                alert.group_key = grouping.key(alert);
            }
        }
    }

    async fn commit_alerts(
        &self,
        alerts: &[&NewAlert],
        now: Timestamp,
        connection: &mut AnyConnection,
    ) -> Result<Committed> {
        let mut committed = Committed::default();
        if alerts.is_empty() {
            return Ok(committed);
        }
        let quiet = Quiet::at(now, connection).await?;
        let silenced: Vec<Option<&str>> = alerts.iter().map(|alert| quiet.silences(alert)).collect();
        let new = self.insert_alerts(alerts, &silenced, now, connection).await?;
        let targets = self.targets();
        let mut letters = Vec::new();
        for (alert, silence) in alerts.iter().copied().zip(silenced).filter(|(alert, _)| new.contains(&alert.id)) {
            committed.new_alerts.push(alert.id.clone());
            if silence.is_some() {
                committed.silenced.push(alert.id.clone());
                continue;
            }
            let wanting = targets.iter().filter(|target| target.wants(alert));
            letters.extend(wanting.map(|target| Letter { alert: &alert.id, target: target.name() }));
        }
        committed.letters = outbox::post(&letters, now, connection).await?;
        Ok(committed)
    }

    /// A text without what goes beyond the limit.
    pub(crate) fn cut<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if text.len() <= self.limits.text_bytes {
            return Cow::from(text);
        }
        let end = (0..=self.limits.text_bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        Cow::from(format!("{}…", &text[..end]))
    }
}

async fn update_alert(update: &AlertUpdate, connection: &mut AnyConnection) -> Result<()> {
    sql!("UPDATE alert SET suppressed = $2 WHERE id = $1 AND suppressed < $2", &update.id, update.suppressed)
        .run(&mut *connection)
        .await?;
    let Some(end) = update.suppression_end else { return Ok(()) };
    sql!(
        "UPDATE alert SET suppression_end = $2 WHERE id = $1 AND (suppression_end IS NULL OR suppression_end < $2)",
        &update.id,
        end,
    )
    .run(connection)
    .await?;
    Ok(())
}
