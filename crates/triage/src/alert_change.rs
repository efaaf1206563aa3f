//! What people make of alerts: status, assignee, tags, disposition, comments. Every change is kept with who made it and when.

use std::collections::{BTreeMap, HashMap, HashSet};

use lurcher_schema::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use crate::{
    Alert, AlertFilter, ChangedField, Disposition, Error, Result, Status, Triage,
    alert_insert::insert_terms,
    commit::ROWS,
    filter::fold,
    sql::{Arg, Fields, Sql, sql},
};

/// What is to be changed; what is `None` or empty stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertChange {
    /// How far the work is.
    pub status: Option<Status>,
    /// Who works on it; an empty text: nobody.
    pub assignee: Option<String>,
    /// What it turned out to be.
    pub disposition: Option<Disposition>,
    /// Tags to put on.
    pub add_tags: Vec<String>,
    /// Tags to take off.
    pub remove_tags: Vec<String>,
    /// What to say about it.
    pub comment: Option<String>,
}

/// Which alerts to change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one for each request, no list of them")]
pub enum Selection {
    /// These.
    Ids(Vec<String>),
    /// All that pass a filter.
    Filter(AlertFilter),
}

/// What a change of many did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkChange {
    /// Alerts that are different now.
    pub changed: Vec<String>,
    /// Alerts that were so already.
    pub unchanged: u64,
    /// Ids of which there is no alert.
    pub missing: Vec<String>,
}

/// An alert as far as changes go.
struct Current {
    status: Status,
    assignee: String,
    disposition: Disposition,
    /// By what they are compared by.
    tags: BTreeMap<String, String>,
    revision: u64,
}

/// One line of history to be.
struct Entry {
    what: ChangedField,
    from: String,
    to: String,
}

impl Triage {
    /// Changes one alert. With `expected`, only if that is still its revision; else the answer is [`Error::Stale`].
    pub async fn change_alert(
        &self,
        id: &str,
        who: &str,
        change: &AlertChange,
        expected: Option<u64>,
    ) -> Result<Alert> {
        let change = self.check_change(change)?;
        let mut transaction = self.begin().await?;
        let ids = [id.to_owned()];
        let current = self.current(&ids, &mut transaction).await?;
        let Some(found) = current.get(id).map(|current| current.revision) else {
            return Err(Error::Missing(format!("alert {id}")));
        };
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(Error::Stale { id: format!("alert {id}"), expected, found });
        }
        self.apply(&current, who, &change, &mut transaction).await?;
        transaction.commit().await?;
        self.alert(id).await.map(|detail| detail.alert)
    }

    /// Changes many alerts, all in one transaction. Refused if they are more than the limit.
    pub async fn change_alerts(&self, which: &Selection, who: &str, change: &AlertChange) -> Result<BulkChange> {
        let change = self.check_change(change)?;
        let mut transaction = self.begin().await?;
        let ids = match which {
            Selection::Ids(ids) => {
                let mut seen = HashSet::new();
                ids.iter().filter(|id| seen.insert(*id)).take(self.limits.bulk + 1).cloned().collect()
            }
            Selection::Filter(filter) => self.selected(filter, &mut transaction).await?,
        };
        if ids.len() > self.limits.bulk {
            return Err(Error::Invalid(format!("one change touches up to {} alerts; choose fewer", self.limits.bulk)));
        }
        let mut done = BulkChange::default();
        for ids in ids.chunks(4 * ROWS) {
            let current = self.current(ids, &mut transaction).await?;
            done.missing.extend(ids.iter().filter(|id| !current.contains_key(*id)).cloned());
            let changed = self.apply(&current, who, &change, &mut transaction).await?;
            done.unchanged += (current.len() - changed.len()) as u64;
            done.changed.extend(changed);
        }
        transaction.commit().await?;
        Ok(done)
    }

    fn check_change(&self, change: &AlertChange) -> Result<AlertChange> {
        let mut change = change.clone();
        if let Some(comment) = &mut change.comment {
            *comment = self.cut(comment.trim()).into_owned();
        }
        change.comment = change.comment.filter(|comment| !comment.is_empty());
        if change.add_tags.len() + change.remove_tags.len() > self.limits.terms {
            return Err(Error::Invalid(format!("one change has up to {} tags", self.limits.terms)));
        }
        for tag in change.add_tags.iter_mut().chain(&mut change.remove_tags) {
            *tag = tag.trim().replace('\0', "");
            if tag.is_empty() || tag.chars().count() > 100 || tag.chars().any(char::is_control) {
                return Err(Error::Invalid("a tag has 1 to 100 characters, none of them a control".to_owned()));
            }
        }
        if change.assignee.as_ref().is_some_and(|name| name.chars().count() > 200) {
            return Err(Error::Invalid("the name of an assignee has up to 200 characters".to_owned()));
        }
        change.assignee = change.assignee.map(|name| name.trim().replace('\0', ""));
        Ok(change)
    }

    async fn selected(&self, filter: &AlertFilter, connection: &mut AnyConnection) -> Result<Vec<String>> {
        filter.check()?;
        let mut sql = sql!("SELECT alert.id FROM alert");
        filter.push(&mut sql);
        sql.push(" ORDER BY alert.id LIMIT ").bind(self.limits.bulk as i64 + 1);
        sql.all(connection).await?.iter().map(|row| row.text("id")).collect()
    }

    /// Alerts that are about to be changed, by id.
    async fn current(&self, ids: &[String], connection: &mut AnyConnection) -> Result<HashMap<String, Current>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let mut sql = sql!("SELECT id, status, assignee, disposition, revision FROM alert WHERE id IN ");
        sql.tuple(ids.iter().map(Arg::from)).push(" ORDER BY id").push(self.dialect.for_update());
        let read = |row: &Fields| {
            let current = Current {
                status: row.word("status", Status::parse)?,
                assignee: row.text("assignee")?,
                disposition: row.word("disposition", Disposition::parse)?,
                tags: BTreeMap::new(),
                revision: row.count("revision")?,
            };
            Ok((row.text("id")?, current))
        };
        let mut current = sql.all(&mut *connection).await?.iter().map(read).collect::<Result<HashMap<_, _>>>()?;
        let mut sql = sql!("SELECT alert, folded, value FROM alert_term WHERE name = 'tag' AND alert IN ");
        sql.tuple(ids.iter().map(Arg::from));
        for row in sql.all(connection).await? {
            if let Some(current) = current.get_mut(&row.text("alert")?) {
                current.tags.insert(row.text("folded")?, row.text("value")?);
            }
        }
        Ok(current)
    }

    /// Makes the change of these alerts; the ids of those that are different now, in order.
    async fn apply(
        &self,
        current: &HashMap<String, Current>,
        who: &str,
        change: &AlertChange,
        connection: &mut AnyConnection,
    ) -> Result<Vec<String>> {
        let mut different: Vec<(&str, &Current, Vec<Entry>)> = current
            .iter()
            .map(|(id, current)| (id.as_str(), current, entries(current, change)))
            .filter(|(_, _, entries)| !entries.is_empty())
            .collect();
        different.sort_by_key(|(id, _, _)| *id);
        let ids: Vec<String> = different.iter().map(|(id, _, _)| (*id).to_owned()).collect();
        if ids.is_empty() {
            return Ok(ids);
        }
        if different.iter().any(|(_, current, _)| current.tags.len() + change.add_tags.len() > 2 * self.limits.terms) {
            return Err(Error::Invalid(format!("an alert has up to {} tags", self.limits.terms)));
        }
        let now = self.clock.now();
        update_rows(&ids, change, now, connection).await?;
        update_tags(&ids, change, connection).await?;
        write_history(&different, who, now, connection).await?;
        Ok(ids)
    }
}

/// What a change does to one alert.
fn entries(current: &Current, change: &AlertChange) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut add = |what, from: &str, to: &str| {
        if from != to {
            entries.push(Entry { what, from: from.to_owned(), to: to.to_owned() });
        }
    };
    if let Some(status) = change.status {
        add(ChangedField::Status, current.status.name(), status.name());
    }
    if let Some(assignee) = &change.assignee {
        add(ChangedField::Assignee, &current.assignee, assignee);
    }
    if let Some(disposition) = change.disposition {
        add(ChangedField::Disposition, current.disposition.name(), disposition.name());
    }
    let mut tags = current.tags.clone();
    for tag in &change.remove_tags {
        if let Some(removed) = tags.remove(&fold(tag)) {
            add(ChangedField::Tag, &removed, "");
        }
    }
    for tag in &change.add_tags {
        if tags.insert(fold(tag), tag.clone()).is_none() {
            add(ChangedField::Tag, "", tag);
        }
    }
    if let Some(comment) = &change.comment {
        add(ChangedField::Comment, "", comment);
    }
    entries
}

async fn update_rows(
    ids: &[String],
    change: &AlertChange,
    now: Timestamp,
    connection: &mut AnyConnection,
) -> Result<()> {
    let mut sql = sql!("UPDATE alert SET revision = revision + 1, changed = $1", now);
    if let Some(status) = change.status {
        sql.push(", status = ").bind(status.name());
    }
    if let Some(assignee) = &change.assignee {
        sql.push(", assignee = ").bind(assignee);
    }
    if let Some(disposition) = change.disposition {
        sql.push(", disposition = ").bind(disposition.name());
    }
    sql.push(" WHERE id IN ").tuple(ids.iter().map(Arg::from));
    sql.run(connection).await?;
    Ok(())
}

async fn update_tags(ids: &[String], change: &AlertChange, connection: &mut AnyConnection) -> Result<()> {
    if !change.remove_tags.is_empty() {
        let mut sql = sql!("DELETE FROM alert_term WHERE name = 'tag' AND alert IN ");
        sql.tuple(ids.iter().map(Arg::from)).push(" AND folded IN ");
        sql.tuple(change.remove_tags.iter().map(|tag| Arg::from(fold(tag))));
        sql.run(&mut *connection).await?;
    }
    let tags = |id| change.add_tags.iter().map(move |tag| (id, "tag", tag.clone()));
    let terms: Vec<(&str, &'static str, String)> = ids.iter().flat_map(|id| tags(id.as_str())).collect();
    insert_terms(&terms, connection).await
}

async fn write_history(
    different: &[(&str, &Current, Vec<Entry>)],
    who: &str,
    now: Timestamp,
    connection: &mut AnyConnection,
) -> Result<()> {
    let lines = |(id, current, entries): &'_ (&str, &Current, Vec<Entry>)| {
        let (id, revision) = ((*id).to_owned(), current.revision + 1);
        let line = move |entry: &Entry| {
            [
                Arg::from(&id),
                Arg::from(now),
                Arg::from(who),
                Arg::from(entry.what.name()),
                Arg::from(&entry.from),
                Arg::from(&entry.to),
                Arg::from(revision),
            ]
        };
        entries.iter().map(line).collect::<Vec<_>>()
    };
    let lines: Vec<[Arg; 7]> = different.iter().flat_map(lines).collect();
    for lines in lines.chunks(4 * ROWS) {
        let mut sql =
            Sql::with("INSERT INTO alert_change (alert, time, who, what, was, became, revision) VALUES ", Vec::new());
        sql.rows_of(lines, Clone::clone);
        sql.run(&mut *connection).await?;
    }
    Ok(())
}
