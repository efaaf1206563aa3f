//! Alerts to a stream in one of the formats.

use std::{io, sync::Arc};

use lurcher_engine::{Alert, risk::Site};
use lurcher_schema::Schemas;

use crate::{
    delimited::AlertTable,
    elastic, html, native, ocsf, splunk, table,
    view::{AlertView, Report},
};

/// How alerts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// For people: grouped by severity and rule.
    #[default]
    Table,
    /// One alert a line, in Lurcher's own layout.
    Jsonl,
    /// One alert a row.
    Csv,
    /// Documents of Elastic's `.alerts-security.alerts-*`, one a line.
    Elastic,
    /// Risk events and notables (findings) of Splunk Enterprise Security, one a line.
    Splunk,
    /// OCSF Detection Findings, one a line.
    Ocsf,
    /// A report in one HTML file.
    Html,
}

/// Whose alerts Splunk Enterprise Security would have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SplunkEdition {
    /// 7.x: a finding is a notable *and* risk events.
    Seven,
    /// 8.x: a finding, or intermediate findings, never both.
    #[default]
    Eight,
}

/// How text for people looks.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many columns the terminal has.
    pub width: usize,
    /// Whether ANSI colours are wanted.
    pub colour: bool,
    /// How many alerts of one rule the table and the report show; the rest is counted.
    pub per_rule: usize,
    /// Whose documents the Splunk format writes.
    pub splunk: SplunkEdition,
    /// What the Splunk format knows of assets and identities.
    pub site: Arc<Site>,
    /// Lurcher's version, for documents that name their producer.
    pub version: String,
}

impl Default for Settings {
    fn default() -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { width: 100, colour: false, per_rule: 5, splunk: SplunkEdition::default(), site: Arc::default(), version }
    }
}

/// Writes alerts to a stream.
pub struct Writer<'a, W: io::Write> {
    out: W,
    format: Format,
    settings: Settings,
    schemas: &'a Schemas,
    report: Report,
    rows: AlertTable,
}

impl<'a, W: io::Write> Writer<'a, W> {
    /// A writer in this format.
    pub fn new(out: W, format: Format, settings: Settings, schemas: &'a Schemas) -> Self {
        Self { out, format, settings, schemas, report: Report::default(), rows: AlertTable::default() }
    }

    /// Takes one alert. Line formats write it at once; tables and reports keep what they will show of it.
    pub fn write(&mut self, alert: &Alert) -> io::Result<()> {
        match self.format {
            Format::Jsonl => line(&mut self.out, &native::AlertLine::new(alert, self.schemas)),
            Format::Elastic => elastic::documents(alert, self.schemas).iter().try_for_each(|d| line(&mut self.out, d)),
            Format::Splunk => splunk::documents(alert, self.schemas, self.settings.splunk, &self.settings.site)
                .iter()
                .try_for_each(|document| line(&mut self.out, document)),
            Format::Ocsf => line(&mut self.out, &ocsf::Finding::new(alert, self.schemas, &self.settings.version)),
            Format::Csv => self.out.write_all(self.rows.rows(alert, self.schemas)?.as_bytes()),
            Format::Table | Format::Html => {
                self.report.add(AlertView::new(alert, self.schemas), self.settings.per_rule);
                Ok(())
            }
        }
    }

    /// Writes what was kept, and gives the stream back.
    pub fn finish(mut self) -> io::Result<W> {
        match self.format {
            Format::Table => self.out.write_all(table::render(&self.report, &self.settings).as_bytes())?,
            Format::Html => self.out.write_all(html::render(&self.report).as_bytes())?,
            Format::Csv => self.out.write_all(self.rows.header_if_empty()?.as_bytes())?,
            Format::Jsonl | Format::Elastic | Format::Splunk | Format::Ocsf => {}
        }
        self.out.flush()?;
        Ok(self.out)
    }

    /// Writes all of them.
    pub fn write_all<'b>(mut self, alerts: impl IntoIterator<Item = &'b Alert>) -> io::Result<W> {
        for alert in alerts {
            self.write(alert)?;
        }
        self.finish()
    }
}

/// Writes one value as a line of JSON.
pub(crate) fn line(out: &mut impl io::Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}
