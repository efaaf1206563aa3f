//! Alerts as CSV, one a row; several values in a cell are joined by `; `.

use std::io;

use lurcher_engine::Alert;
use lurcher_schema::Schemas;
use serde::Serialize;

use crate::{native, view};

/// One row. The columns are written in this order.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AlertRow {
    /// When; RFC 3339.
    pub time: String,
    /// The lower-case word.
    pub severity: String,
    /// 0–100.
    #[serde(serialize_with = "native::plain_number")]
    pub risk_score: f64,
    /// `finding`, `risk` or `building_block`.
    pub kind: String,
    /// The rule's name.
    pub rule: String,
    /// What happened.
    pub message: String,
    /// The host of its first event.
    pub host: String,
    /// The user of its first event.
    pub user: String,
    /// Ids of ATT&CK tactics.
    pub tactics: String,
    /// Ids of ATT&CK techniques.
    pub techniques: String,
    /// Analytic stories.
    pub stories: String,
    /// `field=value` of everything that it is about.
    pub entities: String,
    /// The file of its first event.
    pub file: String,
    /// The record of its first event.
    pub record: String,
    /// How many events made it.
    pub event_count: u64,
    /// How many further alerts it stands for.
    pub suppressed: u64,
    /// Whose rule it is.
    pub vendor: String,
    /// The rule's language.
    pub language: String,
    /// The rule's id.
    pub rule_id: String,
    /// The rule's file.
    pub rule_path: String,
    /// The alert's id.
    pub id: String,
}

impl AlertRow {
    /// The row of an alert.
    pub fn new(alert: &Alert, schemas: &Schemas) -> Self {
        let meta = &alert.rule.meta;
        let first = alert.events.iter().flatten().next();
        let of_first =
            |find: &dyn Fn(&lurcher_schema::Event) -> Option<String>| first.and_then(find).unwrap_or_default();
        let entities: Vec<String> = alert.entities.iter().map(|e| format!("{}={}", e.field, e.value)).collect();
        Self {
            time: alert.time.map(|time| time.to_string()).unwrap_or_default(),
            severity: alert.severity.name().to_owned(),
            risk_score: alert.risk_score,
            kind: alert.kind.name().to_owned(),
            rule: alert.name.clone(),
            message: alert.message.clone(),
            host: of_first(&|event| view::host(event, schemas)),
            user: of_first(&|event| view::user(event, schemas)),
            tactics: native::tactics(&alert.rule).join("; "),
            techniques: native::techniques(&alert.rule).join("; "),
            stories: meta.stories.join("; "),
            entities: entities.join("; "),
            file: of_first(&|event| Some(event.reference.origin.path.clone())),
            record: of_first(&|event| Some(event.reference.record.to_string())),
            event_count: alert.event_count,
            suppressed: alert.suppressed,
            vendor: meta.vendor.to_owned(),
            language: meta.language.to_owned(),
            rule_id: meta.id.to_string(),
            rule_path: meta.path.clone(),
            id: alert.id.clone(),
        }
    }
}

/// Writes rows under one header.
#[derive(Debug, Default)]
pub(crate) struct AlertTable {
    begun: bool,
}

impl AlertTable {
    /// The text of an alert's row, after the header if it is the first.
    pub(crate) fn rows(&mut self, alert: &Alert, schemas: &Schemas) -> io::Result<String> {
        let header = !std::mem::replace(&mut self.begun, true);
        text(&AlertRow::new(alert, schemas), header)
    }

    /// The header, if nothing was written at all.
    pub(crate) fn header_if_empty(&self) -> io::Result<String> {
        if self.begun {
            return Ok(String::new());
        }
        let both = text(&AlertRow::default(), true)?;
        Ok(both.split_inclusive('\n').next().unwrap_or_default().to_owned())
    }
}

fn text(row: &AlertRow, header: bool) -> io::Result<String> {
    let mut writer = csv::WriterBuilder::new().has_headers(header).from_writer(Vec::new());
    writer.serialize(row).map_err(io::Error::other)?;
    let bytes = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    String::from_utf8(bytes).map_err(io::Error::other)
}
