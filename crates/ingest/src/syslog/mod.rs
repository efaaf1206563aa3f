//! Syslog of RFC 3164 and 5424, over UDP, TCP and TLS. A message is a record as it came, header and all: what its parts
//! mean is the readers' business.
//!
//! Syslog has no answer and no secret. Over TCP and TLS a busy server stops reading, so that the sender waits; over UDP
//! what finds no place is lost, and counted. Who may send is decided by the address that is listened on, by the
//! network, and with TLS by client certificates.

mod framing;
pub mod stream;
pub mod udp;

use bytes::Bytes;
use serde::Deserialize;

#[doc(hidden)]
pub use framing::Frames;

/// `[ingest.syslog]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// `[ingest.syslog.udp]`, if datagrams are taken.
    pub udp: Option<udp::Options>,
    /// `[ingest.syslog.tcp]`, if connections are taken.
    pub tcp: Option<stream::Options>,
    /// `[ingest.syslog.tls]`, if connections with TLS are taken; needs `tls.certificate` and `tls.key`.
    pub tls: Option<stream::Options>,
}

/// A message as a record's body: without its end, on one line (line ends in it, which octet counting allows, become
/// spaces). None for one that is empty.
fn line(message: &[u8]) -> Option<Bytes> {
    let end = message.iter().rposition(|b| !matches!(b, b'\r' | b'\n' | 0)).map_or(0, |at| at + 1);
    let message = &message[..end];
    if message.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    let line = message.iter().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b });
    Some(line.collect())
}
