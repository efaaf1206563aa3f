//! HTTP/1.1 over a plain socket: one request, one answer, one connection. No client library, so that nothing repeats a
//! request behind the checker's back.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(20);

/// The longest answer that is read.
const LONGEST: u64 = 64 << 20;

/// What a server said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// Asks a server. An error means that it is not known what became of the request.
pub(super) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    authorization: &str,
    body: &[u8],
) -> io::Result<Answer> {
    let mut socket = TcpStream::connect_timeout(&address, TIMEOUT)?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    let kind =
        if path.contains("_bulk") || path.starts_with("/ingest") { "application/x-ndjson" } else { "application/json" };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {authorization}\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes())?;
    // A server may answer before it has read all, and close.
    let written = socket.write_all(body);
    let mut answer = Vec::new();
    let read = socket.take(LONGEST).read_to_end(&mut answer);
    let parsed = parse(&answer);
    if parsed.is_err() {
        written?;
        read?;
    }
    parsed
}

fn parse(bytes: &[u8]) -> io::Result<Answer> {
    let broken = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer breaks off");
    let end = find(bytes, b"\r\n\r\n").ok_or_else(broken)?;
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let body = &bytes[end + 4..];
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(broken)?;
    let header = |name: &str| {
        head.lines()
            .find_map(|line| line.split_once(':').filter(|(key, _)| *key == name))
            .map(|(_, value)| value.trim())
    };
    if header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        return Ok(Answer { status, body: dechunk(body).ok_or_else(broken)? });
    }
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(body.len());
    let body = body.get(..length).ok_or_else(broken)?;
    Ok(Answer { status, body: body.to_vec() })
}

fn dechunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let end = find(bytes, b"\r\n")?;
        let size = std::str::from_utf8(&bytes[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        bytes = &bytes[end + 2..];
        if size == 0 {
            return Some(out);
        }
        out.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let plain = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc").map(|a| (a.status, a.body));
        assert_eq!(plain.ok(), Some((200, b"ab".to_vec())));
        let chunked = b"HTTP/1.1 429 Busy\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x\r\nd\r\n0\r\n\r\n";
        assert_eq!(parse(chunked).map(|a| (a.status, a.body)).ok(), Some((429, b"abcd".to_vec())));
        for broken in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"] {
            assert!(parse(broken.as_bytes()).is_err(), "{broken}");
        }
        assert!(parse(&chunked[..chunked.len() - 8]).is_err());
    }
}
