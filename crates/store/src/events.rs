//! The events of records, by the readers.

use lurcher_journal::{Position, Record, RecordKind};
use lurcher_readers::{RawRecord, ReadOptions, RecordForm, read_records, record_number};
use lurcher_schema::EventBatch;

/// Reads the events of these records, which are of one stream. `each` gets them in batches, with what says which record
/// an event of the batch came from. What no reader understands has no event; it is kept as it is.
pub(crate) fn read(
    stream: &str,
    records: &[(Position, Record)],
    each: &mut dyn FnMut(&EventBatch, &dyn Fn(usize) -> Option<Position>),
) {
    let Some((_, last)) = records.last() else { return };
    let options = ReadOptions { now: last.received, ..ReadOptions::default() };
    let raw = records.iter().map(|(position, record)| RawRecord {
        number: position.0,
        form: match record.kind {
            RecordKind::Json => RecordForm::Json,
            RecordKind::Xml => RecordForm::Xml,
            RecordKind::Line => RecordForm::Line,
        },
        body: &record.body,
    });
    read_records(stream, raw, &options, &mut |batch| {
        each(&batch, &|row| Some(Position(record_number(batch.reference(row).ordinal))));
    });
}
