//! Looking for alerts: lists, one with its history, counts by what they have in common, groups.

use std::collections::{HashMap, HashSet};

use lurcher_schema::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    Alert, AlertDetail, AlertFilter, AlertKind, AlertRule, ChangedField, Disposition, Error, HistoryEntry, NewAlert,
    Page, PageRequest, Result, Severity, Status, Triage,
    page::Listing,
    rfc3339,
    sql::{Arg, Fields, Sql, sql},
    word::words,
};

words! {
    /// What alerts are sorted by; those that are equal by id.
    pub enum SortKey {
        /// When it happened.
        Time = "time",
        /// When it was detected.
        Detected = "detected",
        /// How bad it is.
        Severity = "severity",
        /// The score.
        RiskScore = "risk_score",
    }
}

/// The order of a list of alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sort {
    /// By what.
    pub by: SortKey,
    /// Whether the largest comes first.
    pub descending: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self { by: SortKey::Time, descending: true }
    }
}

impl Sort {
    fn listing(self) -> Listing {
        let (name, key) = match self.by {
            SortKey::Time => ("alerts by time", "alert.time"),
            SortKey::Detected => ("alerts by detected", "alert.detected"),
            SortKey::Severity => ("alerts by severity", "alert.severity"),
            SortKey::RiskScore => ("alerts by risk_score", "alert.risk_score"),
        };
        let float = self.by == SortKey::RiskScore;
        Listing { name, key, float, tie: Some("alert.id"), descending: self.descending }
    }

    fn place(self, alert: &Alert) -> (i64, String) {
        let found = &alert.found;
        let key = match self.by {
            SortKey::Time => found.time.0,
            SortKey::Detected => found.detected.0,
            SortKey::Severity => found.severity as i64,
            SortKey::RiskScore => found.risk_score.to_bits() as i64,
        };
        (key, found.id.clone())
    }
}

words! {
    /// By what alerts are counted.
    pub enum Facet {
        /// The rule's id.
        Rule = "rule",
        /// The severity.
        Severity = "severity",
        /// The status.
        Status = "status",
        /// What it is for.
        Kind = "kind",
        /// Whose rule.
        Vendor = "vendor",
        /// Who works on it.
        Assignee = "assignee",
        /// What it turned out to be.
        Disposition = "disposition",
        /// The hour in which it happened, as RFC 3339.
        Hour = "hour",
        /// The day on which it happened, in UTC, as RFC 3339.
        Day = "day",
        /// The value of an entity.
        Entity = "entity",
        /// An ATT&CK technique.
        Technique = "technique",
        /// An ATT&CK tactic.
        Tactic = "tactic",
        /// An analytic story.
        Story = "story",
        /// A tag.
        Tag = "tag",
    }
}

/// How many alerts have one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FacetCount {
    /// The value. An alert with several counts in each.
    pub value: String,
    /// What people call it; of rules the name.
    pub label: String,
    /// How many alerts.
    pub count: u64,
}

/// Alerts that belong together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertGroup {
    /// What they have in common.
    pub key: String,
    /// How many.
    pub count: u64,
    /// How many of them are not closed.
    pub unclosed: u64,
    /// When the first of them happened.
    #[serde(with = "rfc3339")]
    pub first: Timestamp,
    /// When the last of them happened.
    #[serde(with = "rfc3339")]
    pub last: Timestamp,
    /// The worst severity among them.
    pub severity: Severity,
    /// The highest score among them.
    pub risk_score: f64,
    /// How many rules.
    pub rules: u64,
    /// The name of one of the rules.
    pub rule_name: String,
}

impl Triage {
    /// A page of the alerts that pass a filter; without their documents.
    pub async fn alerts(&self, filter: &AlertFilter, sort: Sort, page: &PageRequest) -> Result<Page<Alert>> {
        filter.check()?;
        let turn = page.turn(sort.listing())?;
        let mut sql = sql!("SELECT * FROM alert");
        filter.push(&mut sql);
        turn.finish(&mut sql);
        let rows = sql.all(&self.reader).await?;
        let mut alerts = rows.iter().map(read_alert).collect::<Result<Vec<_>>>()?;
        self.read_tags(&mut alerts).await?;
        Ok(turn.page(alerts, |alert| sort.place(alert)))
    }

    /// How many alerts pass a filter.
    pub async fn count_alerts(&self, filter: &AlertFilter) -> Result<u64> {
        filter.check()?;
        let mut sql = sql!("SELECT COUNT(*) AS found FROM alert");
        filter.push(&mut sql);
        sql.first(&self.reader).await?.map_or(Ok(0), |row| row.count("found"))
    }

    /// One alert with its document and its history.
    pub async fn alert(&self, id: &str) -> Result<AlertDetail> {
        let missing = || Error::Missing(format!("alert {id}"));
        let row = sql!(
            "SELECT alert.*, alert_document.document FROM alert LEFT JOIN alert_document ON alert_document.alert = alert.id \
             WHERE alert.id = $1",
            id
        )
        .first(&self.reader)
        .await?
        .ok_or_else(missing)?;
        let mut alerts = [read_alert(&row)?];
        self.read_tags(&mut alerts).await?;
        let [mut alert] = alerts;
        alert.found.document = read_document(&row)?;
        let history = sql!("SELECT * FROM alert_change WHERE alert = $1 ORDER BY number", id).all(&self.reader).await?;
        Ok(AlertDetail { alert, history: history.iter().map(read_change).collect::<Result<_>>()? })
    }

    /// Which of these ids are of alerts that are there.
    pub async fn known_alerts(&self, ids: &[String]) -> Result<HashSet<String>> {
        let mut known = HashSet::new();
        for ids in ids.chunks(1000) {
            let mut sql = sql!("SELECT id FROM alert WHERE id IN ");
            sql.tuple(ids.iter().map(Arg::from));
            for row in sql.all(&self.reader).await? {
                known.insert(row.text("id")?);
            }
        }
        Ok(known)
    }

    /// The alerts that further ones are still counted in at a time, oldest first; without documents and tags. What the
    /// detector begins with after a restart.
    pub async fn suppressing_alerts(&self, now: Timestamp) -> Result<Vec<Alert>> {
        let rows =
            sql!("SELECT * FROM alert WHERE suppression_end > $1 ORDER BY time, id", now).all(&self.reader).await?;
        rows.iter().map(read_alert).collect()
    }

    /// How many of the alerts that pass a filter have each value, the most first (hours and days: in their order, the
    /// last ones). At most `limit` values.
    pub async fn facets(&self, filter: &AlertFilter, facet: Facet, limit: u32) -> Result<Vec<FacetCount>> {
        filter.check()?;
        let mut sql = Sql::default();
        let term = |sql: &mut Sql| {
            sql.push("SELECT MAX(facet.value) AS value, '' AS label, COUNT(*) AS found FROM alert_term facet ");
            sql.push("JOIN alert ON alert.id = facet.alert AND facet.name = ").bind(facet.name());
            " GROUP BY facet.folded ORDER BY found DESC, value"
        };
        let span = |sql: &mut Sql, micros: i64| {
            // A remainder of a negative time is negative; nothing is that old.
            sql.push("SELECT alert.time - alert.time % ").bind(micros);
            sql.push(" AS span, COUNT(*) AS found FROM alert");
            " GROUP BY span ORDER BY span DESC"
        };
        let end = match facet {
            Facet::Rule => {
                sql.push("SELECT alert.rule_id AS value, MAX(alert.rule_name) AS label, COUNT(*) AS found FROM alert");
                " GROUP BY alert.rule_id ORDER BY found DESC, value"
            }
            Facet::Severity => {
                sql.push("SELECT alert.severity AS span, COUNT(*) AS found FROM alert");
                " GROUP BY alert.severity ORDER BY span DESC"
            }
            Facet::Status => plain(&mut sql, "alert.status"),
            Facet::Kind => plain(&mut sql, "alert.kind"),
            Facet::Vendor => plain(&mut sql, "alert.vendor"),
            Facet::Assignee => plain(&mut sql, "alert.assignee"),
            Facet::Disposition => plain(&mut sql, "alert.disposition"),
            Facet::Hour => span(&mut sql, 3_600_000_000),
            Facet::Day => span(&mut sql, 86_400_000_000),
            Facet::Entity | Facet::Technique | Facet::Tactic | Facet::Story | Facet::Tag => term(&mut sql),
        };
        filter.push(&mut sql);
        sql.push(end).push(" LIMIT ").bind(i64::from(limit.clamp(1, 10_000)));
        let rows = sql.all(&self.reader).await?;
        let mut counts = rows.iter().map(|row| read_facet(row, facet)).collect::<Result<Vec<_>>>()?;
        if matches!(facet, Facet::Hour | Facet::Day) {
            counts.reverse();
        }
        Ok(counts)
    }

    /// The groups of the alerts that pass a filter, those with the newest alerts first.
    pub async fn alert_groups(&self, filter: &AlertFilter, page: &PageRequest) -> Result<Page<AlertGroup>> {
        filter.check()?;
        let listing =
            Listing { name: "groups", key: "found.last", float: false, tie: Some("found.group_key"), descending: true };
        let turn = page.turn(listing)?;
        let mut sql = sql!(
            "SELECT * FROM (SELECT alert.group_key, COUNT(*) AS alerts, \
             SUM(CASE WHEN alert.status = 'closed' THEN 0 ELSE 1 END) AS unclosed, MIN(alert.time) AS first, \
             MAX(alert.time) AS last, MAX(alert.severity) AS severity, MAX(alert.risk_score) AS risk_score, \
             COUNT(DISTINCT alert.rule_id) AS rules, MAX(alert.rule_name) AS rule_name FROM alert"
        );
        filter.push(&mut sql);
        sql.push(" GROUP BY alert.group_key) AS found WHERE 1 = 1");
        turn.finish(&mut sql);
        let rows = sql.all(&self.reader).await?;
        let groups = rows.iter().map(read_group).collect::<Result<Vec<_>>>()?;
        Ok(turn.page(groups, |group| (group.last.0, group.key.clone())))
    }

    /// Puts the tags into alerts that were read.
    pub(crate) async fn read_tags(&self, alerts: &mut [Alert]) -> Result<()> {
        if alerts.is_empty() {
            return Ok(());
        }
        let mut sql = sql!("SELECT alert, value FROM alert_term WHERE name = 'tag' AND alert IN ");
        sql.tuple(alerts.iter().map(|alert| Arg::from(&alert.found.id))).push(" ORDER BY alert, folded");
        let mut tags: HashMap<String, Vec<String>> = HashMap::new();
        for row in sql.all(&self.reader).await? {
            tags.entry(row.text("alert")?).or_default().push(row.text("value")?);
        }
        for alert in alerts {
            alert.tags = tags.remove(&alert.found.id).unwrap_or_default();
        }
        Ok(())
    }
}

fn plain(sql: &mut Sql, column: &'static str) -> &'static str {
    sql.push("SELECT ").push(column).push(" AS value, '' AS label, COUNT(*) AS found FROM alert");
    // Column 1 is the value.
    " GROUP BY 1 ORDER BY found DESC, value"
}

fn severity_of(number: i64) -> Result<Severity> {
    let severity = usize::try_from(number).ok().and_then(|number| Severity::ALL.get(number));
    severity.copied().ok_or_else(|| Error::Damaged(format!("{number} is no severity")))
}

/// An alert from its row, without tags and document.
pub(crate) fn read_alert(row: &Fields) -> Result<Alert> {
    let found = NewAlert {
        id: row.text("id")?,
        time: row.time("time")?,
        detected: row.time("detected")?,
        rule: AlertRule {
            id: row.text("rule_id")?,
            name: row.text("rule_name")?,
            vendor: row.text("vendor")?,
            language: row.text("language")?,
            version: row.text("rule_version")?,
            path: row.text("rule_path")?,
        },
        kind: row.word("kind", AlertKind::parse)?,
        severity: severity_of(row.int("severity")?)?,
        risk_score: row.float("risk_score")?,
        message: row.text("message")?,
        tactics: row.json("tactics")?,
        techniques: row.json("techniques")?,
        stories: row.json("stories")?,
        entities: row.json("entities")?,
        event_count: row.count("event_count")?,
        suppressed: row.count("suppressed")?,
        suppression_end: row.maybe_time("suppression_end")?,
        group_key: row.text("group_key")?,
        document: Json::Null,
    };
    Ok(Alert {
        found,
        status: row.word("status", Status::parse)?,
        assignee: row.text("assignee")?,
        tags: Vec::new(),
        disposition: row.word("disposition", Disposition::parse)?,
        silenced_by: row.maybe_text("silenced_by")?,
        revision: row.count("revision")?,
        changed: row.time("changed")?,
    })
}

/// The document of an alert's row that was joined with it.
pub(crate) fn read_document(row: &Fields) -> Result<Json> {
    let text = row.maybe_text("document")?;
    let read =
        |text: String| serde_json::from_str(&text).map_err(|error| Error::Damaged(format!("a document: {error}")));
    text.map_or(Ok(Json::Null), read)
}

fn read_change(row: &Fields) -> Result<HistoryEntry> {
    Ok(HistoryEntry {
        number: row.count("number")?,
        time: row.time("time")?,
        who: row.text("who")?,
        what: row.word("what", ChangedField::parse)?,
        from: row.text("was")?,
        to: row.text("became")?,
        revision: row.count("revision")?,
    })
}

fn read_facet(row: &Fields, facet: Facet) -> Result<FacetCount> {
    let count = row.count("found")?;
    let (value, label) = match facet {
        Facet::Severity => (severity_of(row.int("span")?)?.to_string(), String::new()),
        Facet::Hour | Facet::Day => (row.time("span")?.to_string(), String::new()),
        _ => (row.text("value")?, row.text("label")?),
    };
    Ok(FacetCount { value, label, count })
}

fn read_group(row: &Fields) -> Result<AlertGroup> {
    Ok(AlertGroup {
        key: row.text("group_key")?,
        count: row.count("alerts")?,
        unclosed: row.count("unclosed")?,
        first: row.time("first")?,
        last: row.time("last")?,
        severity: severity_of(row.int("severity")?)?,
        risk_score: row.float("risk_score")?,
        rules: row.count("rules")?,
        rule_name: row.text("rule_name")?,
    })
}
