//! Which alerts: one filter for lists, counts, groups and changes of many.

use lurcher_schema::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    AlertKind, Disposition, Error, Result, Severity, Status, rfc3339,
    sql::{Arg, Sql, like_literal},
};

/// Which alerts. All that is stated must hold; of a list, one item must. What is empty says nothing. Case counts only in ids.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertFilter {
    /// Happened at this time or later.
    #[serde(with = "rfc3339::optional")]
    pub from: Option<Timestamp>,
    /// Happened before this time.
    #[serde(with = "rfc3339::optional")]
    pub until: Option<Timestamp>,
    /// Detected at this time or later.
    #[serde(with = "rfc3339::optional")]
    pub detected_from: Option<Timestamp>,
    /// Detected before this time.
    #[serde(with = "rfc3339::optional")]
    pub detected_until: Option<Timestamp>,
    /// At least as bad.
    pub severity: Option<Severity>,
    /// At least this score.
    pub risk_score: Option<f64>,
    /// How far the work is.
    pub statuses: Vec<Status>,
    /// Who works on it; an empty text: nobody.
    pub assignees: Vec<String>,
    /// What it turned out to be.
    pub dispositions: Vec<Disposition>,
    /// What it is for.
    pub kinds: Vec<AlertKind>,
    /// Ids of rules.
    pub rules: Vec<String>,
    /// Whose rules.
    pub vendors: Vec<String>,
    /// Keys of groups.
    pub groups: Vec<String>,
    /// What people marked it with.
    pub tags: Vec<String>,
    /// ATT&CK techniques; one stands for its sub-techniques too.
    pub techniques: Vec<String>,
    /// ATT&CK tactics.
    pub tactics: Vec<String>,
    /// Analytic stories.
    pub stories: Vec<String>,
    /// Values of entities.
    pub entities: Vec<String>,
    /// Stands anywhere in the message, the rule's name or id, or the value of an entity.
    pub text: Option<String>,
    /// Whether nobody was told of it because of a silence or maintenance window.
    pub silenced: Option<bool>,
}

/// The most values of one of a filter's lists, and the most characters of its text: what a database takes in one statement.
const MOST_VALUES: usize = 200;
const MOST_TEXT: usize = 1000;

impl AlertFilter {
    /// Refuses a filter that is too large for one statement.
    pub(crate) fn check(&self) -> Result<()> {
        let texts = [
            &self.assignees,
            &self.rules,
            &self.vendors,
            &self.groups,
            &self.tags,
            &self.techniques,
            &self.tactics,
            &self.stories,
            &self.entities,
        ];
        let words = [self.statuses.len(), self.dispositions.len(), self.kinds.len()];
        if texts.iter().map(|list| list.len()).chain(words).any(|length| length > MOST_VALUES) {
            return Err(Error::Invalid(format!("a filter takes up to {MOST_VALUES} values of one kind")));
        }
        if self.text.as_ref().is_some_and(|text| text.chars().count() > MOST_TEXT) {
            return Err(Error::Invalid(format!("a filter's text has up to {MOST_TEXT} characters")));
        }
        Ok(())
    }

    /// Goes on a statement with ` WHERE …`; more can be joined with ` AND `.
    pub(crate) fn push(&self, sql: &mut Sql) {
        sql.push(" WHERE 1 = 1");
        self.push_numbers(sql);
        one_of(sql, " AND alert.status IN ", self.statuses.iter().map(|status| status.name().into()));
        one_of(sql, " AND alert.assignee IN ", self.assignees.iter().map(Arg::from));
        one_of(
            sql,
            " AND alert.disposition IN ",
            self.dispositions.iter().map(|disposition| disposition.name().into()),
        );
        one_of(sql, " AND alert.kind IN ", self.kinds.iter().map(|kind| kind.name().into()));
        one_of(sql, " AND alert.rule_id IN ", self.rules.iter().map(Arg::from));
        one_of(sql, " AND alert.vendor IN ", self.vendors.iter().map(Arg::from));
        one_of(sql, " AND alert.group_key IN ", self.groups.iter().map(Arg::from));
        one_term(sql, "tag", &self.tags);
        one_term(sql, "tactic", &self.tactics);
        one_term(sql, "story", &self.stories);
        one_term(sql, "entity", &self.entities);
        self.push_techniques(sql);
        if let Some(text) = self.text.as_deref().filter(|text| !text.is_empty()) {
            let pattern = format!("%{}%", like_literal(&fold(text)));
            sql.push(" AND alert.searchable LIKE ").bind(pattern).push(r" ESCAPE '\'");
        }
        match self.silenced {
            Some(true) => sql.push(" AND alert.silenced_by IS NOT NULL"),
            Some(false) => sql.push(" AND alert.silenced_by IS NULL"),
            None => sql,
        };
    }

    fn push_numbers(&self, sql: &mut Sql) {
        for (condition, bound) in [
            (" AND alert.time >= ", self.from),
            (" AND alert.time < ", self.until),
            (" AND alert.detected >= ", self.detected_from),
            (" AND alert.detected < ", self.detected_until),
        ] {
            if let Some(time) = bound {
                sql.push(condition).bind(time);
            }
        }
        if let Some(severity) = self.severity {
            sql.push(" AND alert.severity >= ").bind(severity as i64);
        }
        if let Some(score) = self.risk_score {
            sql.push(" AND alert.risk_score >= ").bind(score);
        }
    }

    fn push_techniques(&self, sql: &mut Sql) {
        if self.techniques.is_empty() {
            return;
        }
        sql.push(" AND alert.id IN (SELECT term.alert FROM alert_term term WHERE term.name = 'technique' AND (1 = 0");
        for technique in &self.techniques {
            let technique = fold(technique);
            let below = format!("{}.%", like_literal(&technique));
            sql.push(" OR term.folded = ").bind(technique);
            sql.push(" OR term.folded LIKE ").bind(below).push(r" ESCAPE '\'");
        }
        sql.push("))");
    }
}

/// How texts are compared where case does not count. Done here, since the databases' own ways differ.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}

fn one_of(sql: &mut Sql, condition: &'static str, values: impl ExactSizeIterator<Item = Arg>) {
    if values.len() > 0 {
        sql.push(condition).tuple(values);
    }
}

fn one_term(sql: &mut Sql, name: &'static str, values: &[String]) {
    if !values.is_empty() {
        sql.push(" AND alert.id IN (SELECT term.alert FROM alert_term term WHERE term.name = ").bind(name);
        sql.push(" AND term.folded IN ").tuple(values.iter().map(|value| Arg::from(fold(value)))).push(")");
    }
}
