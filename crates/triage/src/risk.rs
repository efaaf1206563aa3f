//! Risk: what alerts add up to, by object. A score is the plain sum over a window of time; nothing fades within it.

use std::collections::BTreeSet;

use lurcher_schema::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use crate::{
    Error, Page, PageRequest, Result, Triage,
    commit::ROWS,
    page::Listing,
    rfc3339,
    sql::{Arg, Fields, Sql, sql, to_json},
};

/// A day, in microseconds: how far back risk is summed unless said otherwise.
const DAY: i64 = 86_400_000_000;
/// The most risk events whose tactics and techniques are gathered for one object.
const GATHERED: i64 = 10_000;

/// One alert's addition to the risk of one user, system or other object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RiskEvent {
    /// The same for the same alert and object. One that is there already changes nothing.
    pub id: String,
    /// The alert.
    pub alert: String,
    /// When: the alert's time.
    #[serde(with = "rfc3339")]
    pub time: Timestamp,
    /// Who or what, as the event names it.
    pub object: String,
    /// The one name that the site has for it.
    pub normalized: String,
    /// What it is: `user`, `system`, `other`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The field that named it.
    pub field: String,
    /// What the rule adds. 0–100.
    pub score: f64,
    /// What it comes to after the site's risk factors. Never negative.
    pub calculated: f64,
    /// What happened.
    pub message: String,
    /// The rule's id.
    pub rule_id: String,
    /// The rule's name.
    pub rule_name: String,
    /// Ids of ATT&CK tactics.
    pub tactics: Vec<String>,
    /// Ids of ATT&CK techniques.
    pub techniques: Vec<String>,
}

/// A span of time: from a moment until the moment before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The first moment.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// The first moment after it.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
}

impl Span {
    /// The 24 hours up to and with a moment.
    pub fn day_until(now: Timestamp) -> Self {
        Self { from: Timestamp(now.0.saturating_sub(DAY)), until: Timestamp(now.0.saturating_add(1)) }
    }
}

/// The risk of one object within a span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntityRisk {
    /// The one name that the site has for it.
    pub normalized: String,
    /// What it is: `user`, `system`, `other`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The sum of the calculated scores.
    pub score: f64,
    /// How many risk events.
    pub events: u64,
    /// From how many rules.
    pub rules: u64,
    /// When the first of them happened.
    #[serde(with = "rfc3339")]
    pub first: Timestamp,
    /// When the last of them happened.
    #[serde(with = "rfc3339")]
    pub last: Timestamp,
}

/// The risk of one object within a span, and what it is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntityRiskDetail {
    /// The sums.
    #[serde(flatten)]
    pub risk: EntityRisk,
    /// The ATT&CK tactics of its events (of the latest 10,000), in order.
    pub tactics: Vec<String>,
    /// Their ATT&CK techniques.
    pub techniques: Vec<String>,
    /// The names that events have for it.
    pub names: Vec<String>,
}

impl Triage {
    /// The objects with the highest scores; of one type or of all. Events of which the score came to nothing count too.
    pub async fn top_risk(&self, span: Span, kind: Option<&str>, limit: u32) -> Result<Vec<EntityRisk>> {
        let mut sql = sums(span);
        if let Some(kind) = kind {
            sql.push(" AND object_kind = ").bind(kind);
        }
        sql.push(" GROUP BY normalized, object_kind ORDER BY sum DESC, normalized, object_kind LIMIT ");
        sql.bind(i64::from(limit.clamp(1, 10_000)));
        sql.all(&self.reader).await?.iter().map(read_risk).collect()
    }

    /// The risk of one object. Missing if it has no risk event in the span.
    pub async fn entity_risk(&self, normalized: &str, kind: &str, span: Span) -> Result<EntityRiskDetail> {
        let mut sql = sums(span);
        sql.push(" AND normalized = ").bind(normalized).push(" AND object_kind = ").bind(kind);
        sql.push(" GROUP BY normalized, object_kind");
        let Some(row) = sql.first(&self.reader).await? else {
            return Err(Error::Missing(format!("risk of {kind} {normalized}")));
        };
        let rows = sql!(
            "SELECT object, tactics, techniques FROM risk_event WHERE normalized = $1 AND object_kind = $2 \
             AND time >= $3 AND time < $4 ORDER BY time DESC LIMIT $5",
            normalized,
            kind,
            span.from,
            span.until,
            GATHERED,
        )
        .all(&self.reader)
        .await?;
        let (mut tactics, mut techniques, mut names) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for row in &rows {
            tactics.extend(row.json::<Vec<String>>("tactics")?);
            techniques.extend(row.json::<Vec<String>>("techniques")?);
            names.insert(row.text("object")?);
        }
        let [tactics, techniques, names] = [tactics, techniques, names].map(|set| set.into_iter().collect());
        Ok(EntityRiskDetail { risk: read_risk(&row)?, tactics, techniques, names })
    }

    /// The risk events of one object, newest first.
    pub async fn entity_timeline(
        &self,
        normalized: &str,
        kind: &str,
        span: Span,
        page: &PageRequest,
    ) -> Result<Page<RiskEvent>> {
        let turn = page.turn(LISTING)?;
        let mut sql = sql!(
            "SELECT * FROM risk_event WHERE normalized = $1 AND object_kind = $2 AND time >= $3 AND time < $4",
            normalized,
            kind,
            span.from,
            span.until,
        );
        turn.finish(&mut sql);
        let events = sql.all(&self.reader).await?.iter().map(read_event).collect::<Result<Vec<_>>>()?;
        Ok(turn.page(events, |event| (event.time.0, event.id.clone())))
    }

    /// All risk events of a span, newest first: what the detector begins with after a restart.
    pub async fn risk_events(&self, span: Span, page: &PageRequest) -> Result<Page<RiskEvent>> {
        let turn = page.turn(LISTING)?;
        let mut sql = sql!("SELECT * FROM risk_event WHERE time >= $1 AND time < $2", span.from, span.until);
        turn.finish(&mut sql);
        let events = sql.all(&self.reader).await?.iter().map(read_event).collect::<Result<Vec<_>>>()?;
        Ok(turn.page(events, |event| (event.time.0, event.id.clone())))
    }

    /// Inserts the risk events that are not there; how many.
    pub(crate) async fn commit_risk_events(&self, events: &[RiskEvent], connection: &mut AnyConnection) -> Result<u64> {
        let mut new = 0;
        for events in events.chunks(ROWS) {
            let mut sql = Sql::with(
                "INSERT INTO risk_event (id, alert, time, object, normalized, object_kind, field, score, calculated, \
                 message, rule_id, rule_name, tactics, techniques) VALUES ",
                Vec::new(),
            );
            for (number, event) in events.iter().enumerate() {
                sql.push(if number == 0 { "" } else { ", " }).tuple(self.risk_row(event)?);
            }
            sql.push(" ON CONFLICT (id) DO NOTHING");
            new += sql.run(&mut *connection).await?;
        }
        Ok(new)
    }

    fn risk_row(&self, event: &RiskEvent) -> Result<[Arg; 14]> {
        Ok([
            Arg::from(&event.id),
            Arg::from(&event.alert),
            Arg::from(event.time),
            Arg::from(self.cut(&event.object).as_ref()),
            Arg::from(self.cut(&event.normalized).as_ref()),
            Arg::from(&event.kind),
            Arg::from(&event.field),
            Arg::from(event.score),
            Arg::from(event.calculated),
            Arg::from(self.cut(&event.message).as_ref()),
            Arg::from(&event.rule_id),
            Arg::from(self.cut(&event.rule_name).as_ref()),
            Arg::from(to_json(&event.tactics)?),
            Arg::from(to_json(&event.techniques)?),
        ])
    }
}

const LISTING: Listing =
    Listing { name: "risk events", key: "risk_event.time", float: false, tie: Some("risk_event.id"), descending: true };

fn sums(span: Span) -> Sql {
    sql!(
        "SELECT normalized, object_kind, SUM(calculated) AS sum, COUNT(*) AS events, COUNT(DISTINCT rule_id) AS rules, \
         MIN(time) AS first, MAX(time) AS last FROM risk_event WHERE time >= $1 AND time < $2",
        span.from,
        span.until,
    )
}

fn read_risk(row: &Fields) -> Result<EntityRisk> {
    Ok(EntityRisk {
        normalized: row.text("normalized")?,
        kind: row.text("object_kind")?,
        score: row.float("sum")?,
        events: row.count("events")?,
        rules: row.count("rules")?,
        first: row.time("first")?,
        last: row.time("last")?,
    })
}

pub(crate) fn read_event(row: &Fields) -> Result<RiskEvent> {
    Ok(RiskEvent {
        id: row.text("id")?,
        alert: row.text("alert")?,
        time: row.time("time")?,
        object: row.text("object")?,
        normalized: row.text("normalized")?,
        kind: row.text("object_kind")?,
        field: row.text("field")?,
        score: row.float("score")?,
        calculated: row.float("calculated")?,
        message: row.text("message")?,
        rule_id: row.text("rule_id")?,
        rule_name: row.text("rule_name")?,
        tactics: row.json("tactics")?,
        techniques: row.json("techniques")?,
    })
}
