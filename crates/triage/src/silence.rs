//! When nobody is told: silences and maintenance windows. Alerts are raised and kept all the same.

use lurcher_schema::{Cron, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Matcher, NewAlert, Result, Triage,
    identifier::random_id,
    matcher::all_hold,
    rfc3339,
    sql::{Fields, sql, to_json},
};

/// Alerts that nobody is told of for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its id.
    pub id: String,
    /// Who made it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub created: Timestamp,
    /// The first moment.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// The first moment after it.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
    /// All of these must hold. There is at least one.
    pub matchers: Vec<Matcher>,
}

impl Silence {
    /// Whether it is about this alert.
    pub fn matches(&self, alert: &NewAlert) -> bool {
        !self.matchers.is_empty() && all_hold(&self.matchers, alert)
    }

    /// Whether it is in force.
    pub fn covers(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.until
    }
}

/// A silence to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSilence {
    /// Why. Not empty.
    pub comment: String,
    /// The first moment; `None`: now.
    #[serde(with = "rfc3339::optional", default)]
    pub from: Option<Timestamp>,
    /// The first moment after it.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
    /// All of these must hold. At least one.
    pub matchers: Vec<Matcher>,
}

/// When a maintenance window is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MaintenanceSchedule {
    /// Once.
    Once {
        /// The first moment.
        #[serde(with = "rfc3339")]
        from: Timestamp,
        /// The first moment after it.
        #[serde(with = "rfc3339")]
        until: Timestamp,
    },
    /// Again and again.
    Recurring {
        /// When it begins: a cron line of five fields, in UTC.
        cron: String,
        /// How long it is.
        minutes: u32,
    },
}

impl MaintenanceSchedule {
    /// Whether it is on. A schedule that cannot be read never is.
    pub fn covers(&self, time: Timestamp) -> bool {
        match self {
            Self::Once { from, until } => *from <= time && time < *until,
            Self::Recurring { cron, minutes } => {
                let length = i64::from(*minutes) * 60_000_000;
                let earliest = Timestamp(time.0.saturating_sub(length).saturating_add(1));
                Cron::parse(cron).and_then(|cron| cron.next(earliest)).is_some_and(|begin| begin <= time)
            }
        }
    }

    fn check(&self) -> Result<()> {
        match self {
            Self::Once { from, until } if from >= until => {
                Err(Error::Invalid("a maintenance window must end after it begins".to_owned()))
            }
            Self::Recurring { minutes: 0, .. } => {
                Err(Error::Invalid("a maintenance window must last a minute at least".to_owned()))
            }
            Self::Recurring { cron, .. } if Cron::parse(cron).is_none() => {
                Err(Error::Invalid(format!("`{cron}` is not a cron line of five fields")))
            }
            _ => Ok(()),
        }
    }
}

/// A time in which work is done on systems and nobody wants to be told of what that sets off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceWindow {
    /// Its id.
    pub id: String,
    /// Who made it.
    pub author: String,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub created: Timestamp,
    /// What it is.
    #[serde(flatten)]
    pub window: NewMaintenanceWindow,
}

/// A maintenance window to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMaintenanceWindow {
    /// What it is called. Not empty.
    pub name: String,
    /// Why.
    #[serde(default)]
    pub comment: String,
    /// All of these must hold; none: all alerts.
    #[serde(default)]
    pub matchers: Vec<Matcher>,
    /// When it is.
    pub schedule: MaintenanceSchedule,
}

impl MaintenanceWindow {
    /// Whether it is about this alert.
    pub fn matches(&self, alert: &NewAlert) -> bool {
        all_hold(&self.window.matchers, alert)
    }
}

/// All that is in force at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quiet {
    silences: Vec<Silence>,
    windows: Vec<MaintenanceWindow>,
}

impl Quiet {
    /// The id of the silence or window for which nobody is told of an alert.
    pub(crate) fn silences(&self, alert: &NewAlert) -> Option<&str> {
        let silence = self.silences.iter().find(|silence| silence.matches(alert)).map(|silence| silence.id.as_str());
        silence.or_else(|| self.windows.iter().find(|window| window.matches(alert)).map(|window| window.id.as_str()))
    }

    /// What is in force at a time.
    pub(crate) async fn at(time: Timestamp, connection: &mut sqlx::AnyConnection) -> Result<Self> {
        let silences = sql!("SELECT * FROM silence WHERE starts <= $1 AND ends > $1 ORDER BY created, id", time)
            .all(&mut *connection)
            .await?;
        let windows = sql!("SELECT * FROM maintenance ORDER BY created, id").all(&mut *connection).await?;
        let mut windows = windows.iter().map(read_window).collect::<Result<Vec<_>>>()?;
        windows.retain(|window| window.window.schedule.covers(time));
        Ok(Self { silences: silences.iter().map(read_silence).collect::<Result<_>>()?, windows })
    }
}

impl Triage {
    /// Makes a silence.
    pub async fn add_silence(&self, author: &str, new: NewSilence) -> Result<Silence> {
        let now = self.clock.now();
        let from = new.from.unwrap_or(now);
        if new.matchers.is_empty() {
            return Err(Error::Invalid(
                "a silence needs a condition; for everything there are maintenance windows".into(),
            ));
        }
        if new.comment.trim().is_empty() {
            return Err(Error::Invalid("a silence needs a comment that says why".to_owned()));
        }
        if new.until <= from || new.until <= now {
            return Err(Error::Invalid("a silence must end after it begins, and not in the past".to_owned()));
        }
        new.matchers.iter().try_for_each(Matcher::check)?;
        let silence = Silence {
            id: random_id()?,
            author: author.to_owned(),
            comment: self.cut(&new.comment).into_owned(),
            created: now,
            from,
            until: new.until,
            matchers: new.matchers,
        };
        sql!(
            "INSERT INTO silence (id, author, comment, created, starts, ends, matchers) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &silence.id,
            &silence.author,
            &silence.comment,
            silence.created,
            silence.from,
            silence.until,
            to_json(&silence.matchers)?,
        )
        .run(&self.writer)
        .await?;
        Ok(silence)
    }

    /// Ends a silence now. One that is over stays as it is; one that has not begun is deleted.
    pub async fn end_silence(&self, id: &str) -> Result<()> {
        let now = self.clock.now();
        let mut transaction = self.begin().await?;
        let touched =
            sql!("UPDATE silence SET ends = CASE WHEN ends > $2 THEN $2 ELSE ends END WHERE id = $1", id, now)
                .run(&mut *transaction)
                .await?;
        if touched == 0 {
            return Err(Error::Missing(format!("silence {id}")));
        }
        sql!("DELETE FROM silence WHERE id = $1 AND starts >= ends", id).run(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The silences, newest first; only those that are not over, or all.
    pub async fn silences(&self, ended_too: bool) -> Result<Vec<Silence>> {
        let after = if ended_too { Timestamp(i64::MIN) } else { self.clock.now() };
        let rows = sql!("SELECT * FROM silence WHERE ends > $1 ORDER BY created DESC, id LIMIT 10000", after)
            .all(&self.reader)
            .await?;
        rows.iter().map(read_silence).collect()
    }

    /// One silence.
    pub async fn silence(&self, id: &str) -> Result<Silence> {
        let row = sql!("SELECT * FROM silence WHERE id = $1", id).first(&self.reader).await?;
        row.as_ref().map_or_else(|| Err(Error::Missing(format!("silence {id}"))), read_silence)
    }

    /// Makes a maintenance window.
    pub async fn add_maintenance(&self, author: &str, window: NewMaintenanceWindow) -> Result<MaintenanceWindow> {
        if window.name.trim().is_empty() {
            return Err(Error::Invalid("a maintenance window needs a name".to_owned()));
        }
        window.schedule.check()?;
        window.matchers.iter().try_for_each(Matcher::check)?;
        let made = MaintenanceWindow { id: random_id()?, author: author.to_owned(), created: self.clock.now(), window };
        sql!(
            "INSERT INTO maintenance (id, name, author, comment, created, matchers, schedule) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &made.id,
            &made.window.name,
            &made.author,
            self.cut(&made.window.comment).as_ref(),
            made.created,
            to_json(&made.window.matchers)?,
            to_json(&made.window.schedule)?,
        )
        .run(&self.writer)
        .await?;
        Ok(made)
    }

    /// Deletes a maintenance window.
    pub async fn remove_maintenance(&self, id: &str) -> Result<()> {
        match sql!("DELETE FROM maintenance WHERE id = $1", id).run(&self.writer).await? {
            0 => Err(Error::Missing(format!("maintenance window {id}"))),
            _ => Ok(()),
        }
    }

    /// The maintenance windows, oldest first.
    pub async fn maintenance(&self) -> Result<Vec<MaintenanceWindow>> {
        let rows = sql!("SELECT * FROM maintenance ORDER BY created, id").all(&self.reader).await?;
        rows.iter().map(read_window).collect()
    }
}

fn read_silence(row: &Fields) -> Result<Silence> {
    Ok(Silence {
        id: row.text("id")?,
        author: row.text("author")?,
        comment: row.text("comment")?,
        created: row.time("created")?,
        from: row.time("starts")?,
        until: row.time("ends")?,
        matchers: row.json("matchers")?,
    })
}

fn read_window(row: &Fields) -> Result<MaintenanceWindow> {
    Ok(MaintenanceWindow {
        id: row.text("id")?,
        author: row.text("author")?,
        created: row.time("created")?,
        window: NewMaintenanceWindow {
            name: row.text("name")?,
            comment: row.text("comment")?,
            matchers: row.json("matchers")?,
            schedule: row.json("schedule")?,
        },
    })
}
