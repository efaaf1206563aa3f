//! What all formats read into: the open batches, the names, the report.

use std::rc::Rc;

use lurcher_schema::{EventBatch, Origin};

use crate::{
    Gravity, Problem, ReadOptions, RecordForm, Report, Skipped,
    budget::Budget,
    logs::Open,
    names::Names,
    rows::{Place, Rows},
    windows::Desk,
    xml,
};

/// One reading of one unit. Files of an archive are read one after the other, see [`Reader::enter`].
pub(crate) struct Reader<'s> {
    pub(crate) options: &'s ReadOptions,
    pub(crate) desk: Desk,
    pub(crate) rows: Rows<'s>,
    pub(crate) report: Report,
    pub(crate) budget: Rc<Budget>,
    /// Events of the audit daemon of which documents bring the records one by one.
    pub(crate) open: Open,
    path: String,
}

impl<'s> Reader<'s> {
    pub(crate) fn new(path: String, options: &'s ReadOptions, sink: &'s mut dyn FnMut(EventBatch)) -> Self {
        Self {
            options,
            desk: Desk { names: Names::new(options.columns.clone()), scratch: String::new() },
            rows: Rows::new(options, Origin::new(path.clone()), sink),
            report: Report::default(),
            budget: Budget::new(options),
            open: Open::default(),
            path,
        }
    }

    /// The path of the file that is being read.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Goes on with another file; returns the path of the one before.
    pub(crate) fn enter(&mut self, path: String) -> String {
        self.rows.set_origin(Origin::new(path.clone()));
        std::mem::replace(&mut self.path, path)
    }

    /// Adds a fault in the file at hand.
    pub(crate) fn problem(&mut self, code: &'static str, place: impl Into<String>, message: impl Into<String>) {
        self.report.problem(Problem::error(code, self.path.clone(), message).at(place));
    }

    /// Adds one that lost nothing.
    pub(crate) fn warning(&mut self, code: &'static str, place: impl Into<String>, message: impl Into<String>) {
        let problem = Problem::error(code, self.path.clone(), message).at(place).as_bad_as(Gravity::Warning);
        self.report.problem(problem);
    }

    /// Counts lines, or the whole file, as left out.
    pub(crate) fn skip(&mut self, reason: impl Into<String>, lines: u64) {
        self.report.skip(Skipped { path: self.path.clone(), reason: reason.into(), lines });
    }

    /// Begins an event: forgets the text of the one before.
    pub(crate) fn start_event(&mut self) {
        self.desk.scratch.clear();
        if self.desk.names.start_event() {
            self.rows.forget_names();
        }
    }

    /// What is read next stands in the input like this.
    pub(crate) fn original(&mut self, form: RecordForm, text: &str) {
        if let Some(tap) = &mut self.rows.tap {
            tap.begin(form, text);
        }
    }

    /// Counts an event of a dialect.
    pub(crate) fn count(&mut self, dialect: &'static str) {
        if let Some(count) = self.report.dialects.get_mut(dialect) {
            *count += 1;
        } else {
            self.report.dialects.insert(dialect.to_owned(), 1);
        }
        if dialect == "unknown"
            && !self.options.unknown_is_mapped
            && self.report.problems.iter().all(|p| p.code != UNKNOWN || p.path != self.path)
        {
            let problem =
                Problem::error(UNKNOWN, self.path.clone(), "the dialect is not known; fields are read as they are")
                    .as_bad_as(Gravity::Note)
                    .with_help(
                        "a mapping pack for the dialect `unknown` can give the fields their names in a taxonomy",
                    );
            self.report.problem(problem);
        }
    }

    /// Reads one XML event; its record is its `EventRecordID`, if it has one.
    pub(crate) fn xml_event(&mut self, text: &str, place: Place) -> Result<(), String> {
        self.start_event();
        self.original(RecordForm::Xml, text);
        let event = xml::event(text, &mut self.desk)?;
        let record = event.record_id.unwrap_or(place.record);
        event.finish(&self.desk, &mut self.rows, Place { ordinal: place.ordinal, record });
        self.count("windows");
        Ok(())
    }

    /// Reads one record of an EVTX file, rendered as XML; its record is the identifier in the record's header. That
    /// names one record of one file: a log that was exported again has new ones there, and keeps in `EventRecordID`,
    /// which the event shows, those of the log that it came from.
    pub(crate) fn evtx_event(&mut self, text: &str, place: Place) -> Result<(), String> {
        self.start_event();
        self.original(RecordForm::Xml, text);
        self.xml_wrapped(text, place)
    }

    /// Reads an XML event that was found in a document; its record is the document's. The text of the event at hand
    /// stays.
    pub(crate) fn xml_wrapped(&mut self, text: &str, place: Place) -> Result<(), String> {
        let event = xml::event(text, &mut self.desk)?;
        event.finish(&self.desk, &mut self.rows, place);
        self.count("windows");
        Ok(())
    }

    /// The report, once everything is handed over.
    pub(crate) fn finish(mut self) -> Report {
        let mut open = std::mem::take(&mut self.open);
        self.auditd_end(&mut open);
        self.rows.flush();
        if let Some(message) = self.rows.refused.take() {
            self.problem("batch-refused", "", message);
        }
        self.report.events = self.rows.events;
        self.report
    }
}

const UNKNOWN: &str = "unknown-dialect";

/// Text of bytes; where they are no UTF-8, with replacement characters.
pub(crate) fn lossy(bytes: &[u8]) -> (std::borrow::Cow<'_, str>, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.into(), false),
        Err(_) => (String::from_utf8_lossy(bytes), true),
    }
}

/// An origin's path below a container.
pub(crate) fn member_path(container: &str, member: &str) -> String {
    format!("{container}!{member}")
}
