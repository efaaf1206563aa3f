//! Records that came one by one, as a live engine takes them: each is one document, one event in XML or one line.
//!
//! What comes out of a record is what comes out of a file that holds it, but for the names of things: an event's
//! [`record`](lurcher_schema::EventRef::record) is the record's number (the `EventRecordID` of event XML), and its
//! [`ordinal`](lurcher_schema::EventRef::ordinal) begins with that number (see [`record_number`]).

use lurcher_schema::EventBatch;

use crate::{ReadOptions, Report, logs::Open, reader::Reader, rows::Place, text::WRAPPED, xml};

/// How a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordForm {
    /// One JSON document, plain or wrapped as in an export; an array of them.
    Json,
    /// One event in XML.
    Xml,
    /// One line of a log: syslog, the audit daemon, a web server; also a line that is a document or an event in XML.
    Line,
}

/// A record to read.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'r> {
    /// Its number in its stream.
    pub number: u64,
    /// How it is written.
    pub form: RecordForm,
    /// Its bytes.
    pub body: &'r [u8],
}

/// The number of the record that an event came from, by the event's ordinal.
pub fn record_number(ordinal: u64) -> u64 {
    ordinal >> WRAPPED
}

/// Reads records, in order, under a name that events and problems show for them. Records of the Linux audit daemon
/// that belong to one event are joined if they come together.
pub fn read_records<'r>(
    name: &str,
    records: impl IntoIterator<Item = RawRecord<'r>>,
    options: &ReadOptions,
    sink: &mut dyn FnMut(EventBatch),
) -> Report {
    let mut reader = Reader::new(name.to_owned(), options, sink);
    let mut open = Open::default();
    for record in records {
        let body = record.body.trim_ascii();
        let text = reader.text(body, || format!("record {}", record.number));
        let place = Place { ordinal: record.number << WRAPPED, record: record.number };
        let read = match (record.form, body.first()) {
            (_, None) => Err(("empty-record", "the record is empty".to_owned())),
            (RecordForm::Json, _) | (RecordForm::Line, Some(b'{')) => {
                reader.json(&text, place).map_err(|message| ("json-syntax", message))
            }
            (RecordForm::Xml, _) => reader.xml_record(&text, place),
            (RecordForm::Line, _) => reader.line_record(&mut open, &text, place),
        };
        if let Err((code, message)) = read {
            reader.problem(code, format!("record {}", record.number), message);
        }
    }
    reader.auditd_end(&mut open);
    reader.finish()
}

impl Reader<'_> {
    fn xml_record(&mut self, text: &str, place: Place) -> Result<(), (&'static str, String)> {
        match xml::find(text.as_bytes(), 0, 0) {
            xml::Found::Event(start, end) => {
                self.xml_event(text.get(start..end).unwrap_or(""), place).map_err(|message| ("xml-syntax", message))
            }
            _ => Err(("xml-syntax", "there is no whole event in it".to_owned())),
        }
    }

    fn line_record(&mut self, open: &mut Open, text: &str, place: Place) -> Result<(), (&'static str, String)> {
        if text.contains("<Event") && self.xml_record(text, place).is_ok() {
            return Ok(());
        }
        if self.line_of_a_log(open, text, place) {
            Ok(())
        } else {
            Err(("line-format", "the line is of no known format".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use lurcher_schema::Value;

    use super::*;

    fn read(records: &[(RecordForm, &str)]) -> (Vec<(u64, u64, String)>, Report) {
        let mut events = Vec::new();
        let records = records.iter().zip(7..).map(|((form, body), number)| RawRecord {
            number,
            form: *form,
            body: body.as_bytes(),
        });
        let report = read_records("s", records, &ReadOptions::default(), &mut |batch| {
            for row in 0..batch.rows() {
                let event = batch.event(row);
                let name = event.raw.get("name").or(event.raw.get("EventData.Image")).or(event.raw.get("message"));
                events.push((
                    record_number(event.reference.ordinal),
                    event.reference.record,
                    name.map(Value::to_string).unwrap_or_default(),
                ));
            }
        });
        events.sort();
        (events, report)
    }

    #[test]
    fn each_record_is_read_as_what_it_is() {
        let xml = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><EventID>1</EventID>\n\
                   <EventRecordID>99</EventRecordID><Channel>c</Channel></System>\
                   <EventData><Data Name='Image'>x.exe</Data></EventData></Event>";
        let (events, report) = read(&[
            (RecordForm::Json, "{\"_index\":\"logs-a-default\",\"_source\":{\n\"name\":\"a\"}}"),
            (RecordForm::Xml, xml),
            (RecordForm::Line, "<34>1 2026-01-02T03:04:05Z web1 su - - - hello"),
            (RecordForm::Line, "{\"name\":\"b\"}"),
        ]);
        assert_eq!(report.errors(), 0, "{:?}", report.problems);
        let expected = [(7, 7, "a"), (8, 99, "x.exe"), (9, 9, "hello"), (10, 10, "b")];
        assert_eq!(events, expected.map(|(number, record, name)| (number, record, name.to_owned())));
    }

    #[test]
    fn a_record_that_cannot_be_read_costs_only_itself() {
        let (events, report) = read(&[
            (RecordForm::Json, "{\"name\":"),
            (RecordForm::Json, ""),
            (RecordForm::Xml, "<Event><System>"),
            (RecordForm::Json, "{\"name\":\"a\"}"),
        ]);
        assert_eq!(events, [(10, 10, "a".to_owned())]);
        assert_eq!(report.errors(), 3);
    }
}
