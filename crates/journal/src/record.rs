//! What the journal holds.

use std::sync::Arc;

use bytes::Bytes;
use lurcher_schema::Timestamp;

/// The place of a record: how many came before it, since the journal began. Never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// How the body of a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// One JSON document. What its shipper said beside it stands around it as in an export: the index as
    /// `{"_index":"…","_source":{…}}`, Splunk's metadata as `{"_raw":"…","sourcetype":"…","source":"…","host":"…","_time":…}`.
    Json,
    /// One event in XML.
    Xml,
    /// One line of text, without its end: syslog, the audit daemon, a web server.
    Line,
}

/// One event as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The data stream that it belongs to, as its shipper named it (an index, a sourcetype), or as the input is named.
    pub stream: Arc<str>,
    /// How it is written.
    pub kind: RecordKind,
    /// When it came in, by the server's clock.
    pub received: Timestamp,
    /// What came in. Never empty.
    pub body: Bytes,
}
