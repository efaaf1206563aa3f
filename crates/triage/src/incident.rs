//! Incidents: risk that has come together on one object. An incident *is* an alert (of the kind `incident`): it has a status, an
//! assignee and a history, is listed, silenced and told of like any other. Here is what it has beyond that.

use lurcher_schema::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use crate::{
    Alert, AlertDetail, AlertFilter, Error, NewAlert, Page, PageRequest, Result, RiskEvent, Triage,
    alert_list::read_alert,
    commit::ROWS,
    page::Listing,
    rfc3339,
    risk::read_event,
    sql::{Arg, Fields, sql, to_json},
};

/// The most contributing risk events that are given with an incident.
const MOST_EVENTS: i64 = 1000;

/// An incident as the detector found it, or as it has grown since.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewIncident {
    /// What is said of it. Its kind is taken for `incident`. While it grows, its severity, score, message, number of events
    /// and document become those of the latest commit.
    pub alert: NewAlert,
    /// Who or what, as events name it.
    pub object: String,
    /// The one name that the site has for it.
    pub normalized: String,
    /// What it is: `user`, `system`, `other`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The sum of the calculated scores.
    pub score: f64,
    /// When the first of its risk events happened.
    #[serde(with = "rfc3339")]
    pub first: Timestamp,
    /// When the last of them happened.
    #[serde(with = "rfc3339")]
    pub last: Timestamp,
    /// Ids of the contributing risk events; those of earlier commits need not be there again.
    pub risk_events: Vec<String>,
}

/// An incident as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The alert that it is; without its document.
    #[serde(flatten)]
    pub alert: Alert,
    /// Who or what, as events name it.
    pub object: String,
    /// The one name that the site has for it.
    pub normalized: String,
    /// What it is: `user`, `system`, `other`.
    pub object_type: String,
    /// The sum of the calculated scores.
    pub score: f64,
    /// When the first of its risk events happened.
    #[serde(with = "rfc3339")]
    pub first: Timestamp,
    /// When the last of them happened.
    #[serde(with = "rfc3339")]
    pub last: Timestamp,
    /// How many risk events have contributed.
    pub contributions: u64,
}

/// An incident with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentDetail {
    /// The incident.
    pub incident: Incident,
    /// The alert that it is, with its document and its history.
    pub alert: AlertDetail,
    /// The contributing risk events, newest first; at most 1000.
    pub risk_events: Vec<RiskEvent>,
}

impl Triage {
    /// A page of the incidents that pass a filter, newest first. The filter's kinds do not count.
    pub async fn incidents(
        &self,
        filter: &AlertFilter,
        normalized: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Incident>> {
        filter.check()?;
        let listing =
            Listing { name: "incidents", key: "alert.time", float: false, tie: Some("alert.id"), descending: true };
        let turn = page.turn(listing)?;
        let mut sql = sql!(SELECT);
        AlertFilter { kinds: Vec::new(), ..filter.clone() }.push(&mut sql);
        if let Some(normalized) = normalized {
            sql.push(" AND incident.normalized = ").bind(normalized);
        }
        turn.finish(&mut sql);
        let rows = sql.all(&self.reader).await?;
        let mut incidents = rows.iter().map(read_incident).collect::<Result<Vec<_>>>()?;
        let mut alerts: Vec<Alert> = incidents.iter().map(|incident| incident.alert.clone()).collect();
        self.read_tags(&mut alerts).await?;
        for (incident, alert) in incidents.iter_mut().zip(alerts) {
            incident.alert = alert;
        }
        Ok(turn.page(incidents, |incident| (incident.alert.found.time.0, incident.alert.found.id.clone())))
    }

    /// One incident with what contributed to it.
    pub async fn incident(&self, id: &str) -> Result<IncidentDetail> {
        let mut sql = sql!(SELECT);
        sql.push(" WHERE alert.id = ").bind(id);
        let Some(row) = sql.first(&self.reader).await? else { return Err(Error::Missing(format!("incident {id}"))) };
        let mut incident = read_incident(&row)?;
        let alert = self.alert(id).await?;
        incident.alert.tags.clone_from(&alert.alert.tags);
        let events = sql!(
            "SELECT risk_event.* FROM incident_event JOIN risk_event ON risk_event.id = incident_event.risk_event \
             WHERE incident_event.incident = $1 ORDER BY risk_event.time DESC, risk_event.id LIMIT $2",
            id,
            MOST_EVENTS,
        )
        .all(&self.reader)
        .await?;
        Ok(IncidentDetail { incident, alert, risk_events: events.iter().map(read_event).collect::<Result<_>>()? })
    }

    /// Writes what incidents have beyond their alerts, which are there already, and lets those grow that had been there.
    pub(crate) async fn commit_incidents(
        &self,
        incidents: &[NewIncident],
        position: i64,
        connection: &mut AnyConnection,
    ) -> Result<()> {
        for incident in incidents {
            let written = sql!(
                "INSERT INTO incident (alert, object, normalized, object_kind, score, first, last, position) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (alert) DO UPDATE SET score = excluded.score, \
                 first = excluded.first, last = excluded.last, position = excluded.position \
                 WHERE excluded.position >= incident.position",
                &incident.alert.id,
                self.cut(&incident.object).as_ref(),
                self.cut(&incident.normalized).as_ref(),
                &incident.kind,
                incident.score,
                incident.first,
                incident.last,
                position,
            )
            .run(&mut *connection)
            .await?;
            if written > 0 {
                self.grow(&incident.alert, connection).await?;
            }
            for events in incident.risk_events.chunks(4 * ROWS) {
                let mut sql = sql!("INSERT INTO incident_event (incident, risk_event) VALUES ");
                sql.rows_of(events, |event| [Arg::from(&incident.alert.id), Arg::from(event)]);
                sql.push(" ON CONFLICT (incident, risk_event) DO NOTHING");
                sql.run(&mut *connection).await?;
            }
        }
        Ok(())
    }

    async fn grow(&self, alert: &NewAlert, connection: &mut AnyConnection) -> Result<()> {
        sql!(
            "UPDATE alert SET severity = $2, risk_score = $3, message = $4, event_count = $5, tactics = $6, \
             techniques = $7 WHERE id = $1",
            &alert.id,
            alert.severity as i64,
            alert.risk_score,
            self.cut(&alert.message).as_ref(),
            alert.event_count,
            to_json(&alert.tactics)?,
            to_json(&alert.techniques)?,
        )
        .run(&mut *connection)
        .await?;
        let (document, cut) = self.document(alert)?;
        sql!("UPDATE alert_document SET document = $2, cut = $3 WHERE alert = $1", &alert.id, document, cut)
            .run(&mut *connection)
            .await?;
        self.insert_alert_terms(&[alert], connection).await
    }
}

const SELECT: &str = "SELECT alert.*, incident.object, incident.normalized, incident.object_kind, incident.score, \
     incident.first, incident.last, \
     (SELECT COUNT(*) FROM incident_event WHERE incident_event.incident = incident.alert) AS contributions \
     FROM incident JOIN alert ON alert.id = incident.alert";

fn read_incident(row: &Fields) -> Result<Incident> {
    Ok(Incident {
        alert: read_alert(row)?,
        object: row.text("object")?,
        normalized: row.text("normalized")?,
        object_type: row.text("object_kind")?,
        score: row.float("score")?,
        first: row.time("first")?,
        last: row.time("last")?,
        contributions: row.count("contributions")?,
    })
}
