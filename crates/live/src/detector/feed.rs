//! Records of the journal, as the engine takes them.

use lurcher_journal::{Position, Record, RecordKind};
use lurcher_readers::{RawRecord, ReadOptions, RecordForm, Report, read_records};
use lurcher_schema::EventBatch;

/// How the reader is told that a record is written.
fn form(kind: RecordKind) -> RecordForm {
    match kind {
        RecordKind::Json => RecordForm::Json,
        RecordKind::Xml => RecordForm::Xml,
        RecordKind::Line => RecordForm::Line,
    }
}

/// Reads records, each stream's together, in the order in which streams first come; returns what could not be read.
pub(super) fn read(records: &[(Position, Record)], options: &ReadOptions, sink: &mut dyn FnMut(EventBatch)) -> Report {
    let mut streams: Vec<&str> = Vec::new();
    for (_, record) in records {
        if !streams.contains(&record.stream.as_ref()) {
            streams.push(&record.stream);
        }
    }
    let mut report = Report::default();
    for stream in streams {
        let own = records.iter().filter(|(_, record)| record.stream.as_ref() == stream);
        let raw =
            own.map(|(position, record)| RawRecord { number: position.0, form: form(record.kind), body: &record.body });
        report.merge(read_records(stream, raw, options, sink));
    }
    report
}
