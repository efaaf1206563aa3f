//! Writing down alerts that are not there yet.

use std::collections::HashSet;

use lurcher_schema::Timestamp;
use serde_json::{Value as Json, json};
use sqlx::AnyConnection;

use crate::{
    Disposition, Entity, NewAlert, Result, Status, Triage,
    commit::ROWS,
    filter::fold,
    sql::{Arg, Sql, to_json},
};

/// The most bytes of what a text filter looks through.
const SEARCHABLE: usize = 8 << 10;

impl Triage {
    /// Inserts the alerts that are not there; their ids.
    pub(crate) async fn insert_alerts(
        &self,
        alerts: &[&NewAlert],
        silenced: &[Option<&str>],
        now: Timestamp,
        connection: &mut AnyConnection,
    ) -> Result<HashSet<String>> {
        let mut new = HashSet::new();
        let rows: Vec<(&NewAlert, Option<&str>)> = alerts.iter().copied().zip(silenced.iter().copied()).collect();
        for rows in rows.chunks(ROWS) {
            let mut sql = Sql::with(
                "INSERT INTO alert (id, time, detected, rule_id, rule_name, vendor, language, rule_version, rule_path, \
                 kind, severity, risk_score, message, tactics, techniques, stories, entities, event_count, suppressed, \
                 suppression_end, group_key, searchable, silenced_by, status, assignee, disposition, revision, changed) \
                 VALUES ",
                Vec::new(),
            );
            for (number, (alert, silence)) in rows.iter().enumerate() {
                sql.push(if number == 0 { "" } else { ", " }).tuple(self.alert_row(alert, *silence, now)?);
            }
            sql.push(" ON CONFLICT (id) DO NOTHING RETURNING id");
            for row in sql.all(&mut *connection).await? {
                new.insert(row.text("id")?);
            }
        }
        let inserted: Vec<&NewAlert> = alerts.iter().copied().filter(|alert| new.contains(&alert.id)).collect();
        self.insert_documents(&inserted, connection).await?;
        self.insert_alert_terms(&inserted, connection).await?;
        Ok(new)
    }

    fn alert_row(&self, alert: &NewAlert, silence: Option<&str>, now: Timestamp) -> Result<Vec<Arg>> {
        let rule = &alert.rule;
        Ok(vec![
            Arg::from(&alert.id),
            Arg::from(alert.time),
            Arg::from(alert.detected),
            Arg::from(&rule.id),
            Arg::from(self.cut(&rule.name).as_ref()),
            Arg::from(&rule.vendor),
            Arg::from(&rule.language),
            Arg::from(&rule.version),
            Arg::from(&rule.path),
            Arg::from(alert.kind.name()),
            Arg::from(alert.severity as i64),
            Arg::from(alert.risk_score),
            Arg::from(self.cut(&alert.message).as_ref()),
            Arg::from(to_json(self.few(&alert.tactics))?),
            Arg::from(to_json(self.few(&alert.techniques))?),
            Arg::from(to_json(self.few(&alert.stories))?),
            Arg::from(to_json(&self.entities(alert))?),
            Arg::from(alert.event_count),
            Arg::from(alert.suppressed),
            Arg::from(alert.suppression_end),
            Arg::from(self.cut(&alert.group_key).as_ref()),
            Arg::from(searchable(alert)),
            Arg::from(silence),
            Arg::from(Status::Open.name()),
            Arg::from(""),
            Arg::from(Disposition::Undetermined.name()),
            Arg::from(0_i64),
            Arg::from(now),
        ])
    }

    async fn insert_documents(&self, alerts: &[&NewAlert], connection: &mut AnyConnection) -> Result<()> {
        for alerts in alerts.chunks(ROWS) {
            let mut sql = Sql::with("INSERT INTO alert_document (alert, document, cut) VALUES ", Vec::new());
            for (number, alert) in alerts.iter().enumerate() {
                let (document, cut) = self.document(alert)?;
                let row = [Arg::from(&alert.id), Arg::from(document), Arg::from(cut)];
                sql.push(if number == 0 { "" } else { ", " }).tuple(row);
            }
            sql.run(&mut *connection).await?;
        }
        Ok(())
    }

    /// The document as text, and whether something was cut from it: first all events that do not fit, then everything.
    pub(crate) fn document(&self, alert: &NewAlert) -> Result<(String, bool)> {
        let limit = self.limits.document_bytes;
        let whole = to_json(&alert.document)?;
        if whole.len() <= limit {
            return Ok((whole, false));
        }
        let mut document = alert.document.clone();
        if let Some(members) = document.as_object_mut() {
            members.insert("cut".to_owned(), Json::Bool(true));
            if let Some(Json::Array(events)) = members.insert("events".to_owned(), Json::Array(Vec::new())) {
                let mut room = limit.saturating_sub(to_json(&*members)?.len());
                let mut kept = Vec::new();
                for event in events {
                    let bytes = to_json(&event)?.len() + 1;
                    if bytes > room {
                        break;
                    }
                    room -= bytes;
                    kept.push(event);
                }
                members.insert("events".to_owned(), Json::Array(kept));
            }
        }
        let cut = to_json(&document)?;
        if cut.len() <= limit {
            return Ok((cut, true));
        }
        Ok((to_json(&json!({"id": alert.id, "cut": true, "bytes": whole.len()}))?, true))
    }

    pub(crate) async fn insert_alert_terms(&self, alerts: &[&NewAlert], connection: &mut AnyConnection) -> Result<()> {
        let mut terms: Vec<(&str, &'static str, String)> = Vec::new();
        for alert in alerts {
            for (name, texts) in
                [("tactic", &alert.tactics), ("technique", &alert.techniques), ("story", &alert.stories)]
            {
                terms.extend(self.few(texts).iter().map(|text| (alert.id.as_str(), name, text.clone())));
            }
            terms.extend(self.entities(alert).into_iter().map(|entity| (alert.id.as_str(), "entity", entity.value)));
        }
        insert_terms(&terms, connection).await
    }

    fn few<'a>(&self, texts: &'a [String]) -> &'a [String] {
        &texts[..texts.len().min(self.limits.terms)]
    }

    fn entities(&self, alert: &NewAlert) -> Vec<Entity> {
        let cut = |entity: &Entity| Entity { value: self.cut(&entity.value).into_owned(), ..entity.clone() };
        alert.entities.iter().take(self.limits.terms).map(cut).collect()
    }
}

/// Inserts terms (alert, name, value) that are not there. Empty values are none.
pub(crate) async fn insert_terms(terms: &[(&str, &'static str, String)], connection: &mut AnyConnection) -> Result<()> {
    let terms: Vec<_> = terms.iter().filter(|(_, _, value)| !value.is_empty()).collect();
    for terms in terms.chunks(4 * ROWS) {
        let mut sql = Sql::with("INSERT INTO alert_term (alert, name, folded, value) VALUES ", Vec::new());
        sql.rows_of(terms, |(alert, name, value)| {
            [Arg::from(*alert), Arg::from(*name), Arg::from(fold(value)), Arg::from(value)]
        });
        sql.push(" ON CONFLICT (alert, name, folded) DO NOTHING");
        sql.run(&mut *connection).await?;
    }
    Ok(())
}

/// What a text filter looks through, in lower case.
fn searchable(alert: &NewAlert) -> String {
    let mut text = format!("{}\n{}\n{}", alert.message, alert.rule.name, alert.rule.id);
    for entity in &alert.entities {
        if text.len() > SEARCHABLE {
            break;
        }
        text.push('\n');
        text.push_str(&entity.value);
    }
    let end = (0..=SEARCHABLE.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    fold(&text[..end])
}
