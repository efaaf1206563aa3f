//! What people decided about rules, and the hunts that they want to keep.

use lurcher_schema::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result, Triage,
    identifier::random_id,
    rfc3339,
    sql::{Fields, sql},
};

/// What people decided about a rule. A rule of which nothing is written is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleState {
    /// The rule's id.
    pub rule_id: String,
    /// Whether it runs.
    pub enabled: bool,
    /// Who decided last.
    pub who: String,
    /// When.
    #[serde(with = "rfc3339")]
    pub time: Timestamp,
    /// Why.
    pub why: String,
    /// What people should know about the rule.
    pub notes: String,
}

/// What to decide about a rule; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleDecision {
    /// Whether it runs.
    pub enabled: Option<bool>,
    /// Why.
    pub why: Option<String>,
    /// What people should know about the rule.
    pub notes: Option<String>,
}

/// A hunt that somebody wants to keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedHunt {
    /// Its id.
    pub id: String,
    /// Who saved it first.
    pub author: String,
    /// When.
    #[serde(with = "rfc3339")]
    pub created: Timestamp,
    /// When it was last changed.
    #[serde(with = "rfc3339")]
    pub changed: Timestamp,
    /// What it is.
    #[serde(flatten)]
    pub hunt: NewHunt,
}

/// A hunt to be saved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewHunt {
    /// What it is called. Not empty; no two are called the same.
    pub name: String,
    /// The query's language.
    pub language: String,
    /// The query.
    pub text: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
}

impl Triage {
    /// Decides about a rule.
    pub async fn decide_rule(&self, rule_id: &str, who: &str, decision: &RuleDecision) -> Result<RuleState> {
        if rule_id.is_empty() {
            return Err(Error::Invalid("a decision needs the id of a rule".to_owned()));
        }
        let mut transaction = self.begin().await?;
        let found = sql!("SELECT * FROM rule_state WHERE rule_id = $1", rule_id).first(&mut *transaction).await?;
        let before = found.as_ref().map(read_state).transpose()?;
        let (enabled, why, notes) =
            before.map_or((true, String::new(), String::new()), |state| (state.enabled, state.why, state.notes));
        let state = RuleState {
            rule_id: rule_id.to_owned(),
            enabled: decision.enabled.unwrap_or(enabled),
            who: who.to_owned(),
            time: self.clock.now(),
            why: decision.why.as_deref().map_or(why, |why| self.cut(why).into_owned()),
            notes: decision.notes.as_deref().map_or(notes, |notes| self.cut(notes).into_owned()),
        };
        sql!(
            "INSERT INTO rule_state (rule_id, enabled, who, time, why, notes) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (rule_id) DO UPDATE SET enabled = excluded.enabled, who = excluded.who, time = excluded.time, \
             why = excluded.why, notes = excluded.notes",
            rule_id,
            state.enabled,
            who,
            state.time,
            &state.why,
            &state.notes,
        )
        .run(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(state)
    }

    /// What people decided about rules, by the rule's id. Rules of which nothing is written are not in it.
    pub async fn rule_states(&self) -> Result<Vec<RuleState>> {
        let rows = sql!("SELECT * FROM rule_state ORDER BY rule_id").all(&self.reader).await?;
        rows.iter().map(read_state).collect()
    }

    /// Saves a hunt: a new one, or, with an id, what that one is from now on.
    pub async fn save_hunt(&self, id: Option<&str>, who: &str, hunt: NewHunt) -> Result<SavedHunt> {
        if hunt.name.trim().is_empty() || hunt.name.chars().count() > 200 {
            return Err(Error::Invalid("the name of a hunt has 1 to 200 characters".to_owned()));
        }
        if hunt.text.len() > self.limits.document_bytes {
            return Err(Error::Invalid(format!("the text of a hunt has up to {} bytes", self.limits.document_bytes)));
        }
        let now = self.clock.now();
        let mut transaction = self.begin().await?;
        let taken = sql!("SELECT id FROM hunt WHERE name = $1 AND id <> $2", &hunt.name, id.unwrap_or_default())
            .first(&mut *transaction)
            .await?;
        if taken.is_some() {
            return Err(Error::Invalid(format!("there is a hunt named `{}` already", hunt.name)));
        }
        let id = match id {
            Some(id) => {
                let touched = sql!(
                    "UPDATE hunt SET name = $2, language = $3, text = $4, description = $5, changed = $6 WHERE id = $1",
                    id,
                    &hunt.name,
                    &hunt.language,
                    &hunt.text,
                    &hunt.description,
                    now,
                )
                .run(&mut *transaction)
                .await?;
                if touched == 0 {
                    return Err(Error::Missing(format!("hunt {id}")));
                }
                id.to_owned()
            }
            None => {
                let id = random_id()?;
                sql!(
                    "INSERT INTO hunt (id, name, language, text, description, author, created, changed) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
                    &id,
                    &hunt.name,
                    &hunt.language,
                    &hunt.text,
                    &hunt.description,
                    who,
                    now,
                )
                .run(&mut *transaction)
                .await?;
                id
            }
        };
        transaction.commit().await?;
        self.hunt(&id).await
    }

    /// One saved hunt.
    pub async fn hunt(&self, id: &str) -> Result<SavedHunt> {
        let row = sql!("SELECT * FROM hunt WHERE id = $1", id).first(&self.reader).await?;
        row.as_ref().map_or_else(|| Err(Error::Missing(format!("hunt {id}"))), read_hunt)
    }

    /// All saved hunts, by name.
    pub async fn hunts(&self) -> Result<Vec<SavedHunt>> {
        sql!("SELECT * FROM hunt ORDER BY name").all(&self.reader).await?.iter().map(read_hunt).collect()
    }

    /// Deletes a saved hunt.
    pub async fn delete_hunt(&self, id: &str) -> Result<()> {
        match sql!("DELETE FROM hunt WHERE id = $1", id).run(&self.writer).await? {
            0 => Err(Error::Missing(format!("hunt {id}"))),
            _ => Ok(()),
        }
    }
}

fn read_state(row: &Fields) -> Result<RuleState> {
    Ok(RuleState {
        rule_id: row.text("rule_id")?,
        enabled: row.truth("enabled")?,
        who: row.text("who")?,
        time: row.time("time")?,
        why: row.text("why")?,
        notes: row.text("notes")?,
    })
}

fn read_hunt(row: &Fields) -> Result<SavedHunt> {
    Ok(SavedHunt {
        id: row.text("id")?,
        author: row.text("author")?,
        created: row.time("created")?,
        changed: row.time("changed")?,
        hunt: NewHunt {
            name: row.text("name")?,
            language: row.text("language")?,
            text: row.text("text")?,
            description: row.text("description")?,
        },
    })
}
