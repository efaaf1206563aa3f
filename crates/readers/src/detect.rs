//! What a stream of bytes is, told by its first bytes and never by its name.

use crate::{evtx, logs, table, text, xml};

/// How many bytes are looked at.
pub(crate) const HEAD: usize = 64 << 10;

/// Lines that are looked at for a JSON object, when the first is none.
const LINES: usize = 50;

/// What a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Empty,
    Gzip,
    Zstd,
    Bzip2,
    Zip,
    Tar,
    /// UTF-16 text.
    Utf16(Order),
    Evtx,
    Xml,
    JsonLines,
    JsonDocuments,
    /// Cells are divided by this byte.
    Table(u8),
    /// Lines of a log.
    Log(logs::Log),
    /// Lines of another kind.
    OtherText,
    /// Something that may well hold events but cannot be opened.
    Unsupported(&'static str),
    /// Something that holds none.
    NoEvents(&'static str),
}

/// The order of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

impl Kind {
    /// Whether it is text that can be cut at any line or event.
    pub(crate) fn is_cuttable_text(self) -> bool {
        matches!(self, Self::Xml | Self::JsonLines)
    }
}

/// Tells what begins with these bytes (the first [`HEAD`], or all there are).
pub(crate) fn detect(head: &[u8]) -> Kind {
    if head.is_empty() {
        return Kind::Empty;
    }
    magic(head)
        .unwrap_or_else(|| if looks_binary(head) { Kind::NoEvents("unrecognised format (binary)") } else { text(head) })
}

fn magic(head: &[u8]) -> Option<Kind> {
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    let known: [(usize, &[u8], Kind); 32] = [
        (0, b"\x1f\x8b", Kind::Gzip),
        (0, b"\x28\xb5\x2f\xfd", Kind::Zstd),
        (0, b"BZh", Kind::Bzip2),
        (0, b"PK\x03\x04", Kind::Zip),
        (0, b"PK\x05\x06", Kind::Zip),
        (257, b"ustar", Kind::Tar),
        (0, b"ElfFile\0", Kind::Evtx),
        (evtx::HEADER as usize, evtx::CHUNK_MAGIC, Kind::Evtx),
        (0, b"\xff\xfe", Kind::Utf16(Order::Little)),
        (0, b"<\0", Kind::Utf16(Order::Little)),
        (0, b"{\0", Kind::Utf16(Order::Little)),
        (0, b"\xfe\xff", Kind::Utf16(Order::Big)),
        (0, b"\0<", Kind::Utf16(Order::Big)),
        (0, b"\0{", Kind::Utf16(Order::Big)),
        (0, b"\xfd7zXZ\0", Kind::Unsupported("xz")),
        (0, b"7z\xbc\xaf\x27\x1c", Kind::Unsupported("7-Zip")),
        (0, b"Rar!\x1a\x07", Kind::Unsupported("RAR")),
        (0, b"\x04\x22\x4d\x18", Kind::Unsupported("LZ4")),
        (0, b"PAR1", Kind::Unsupported("Parquet")),
        (0, b"LfLe", Kind::Unsupported("EVT (Windows before Vista)")),
        (0, b"\x0a\x0d\x0d\x0a", Kind::NoEvents("network capture (pcapng)")),
        (0, b"\xd4\xc3\xb2\xa1", Kind::NoEvents("network capture (pcap)")),
        (0, b"\xa1\xb2\xc3\xd4", Kind::NoEvents("network capture (pcap)")),
        (4, b"ftyp", Kind::NoEvents("video (MP4)")),
        (0, b"\x89PNG", Kind::NoEvents("image (PNG)")),
        (0, b"\xff\xd8\xff", Kind::NoEvents("image (JPEG)")),
        (0, b"%PDF", Kind::NoEvents("PDF")),
        (0, b"MZ", Kind::NoEvents("program (PE)")),
        (0, b"\x7fELF", Kind::NoEvents("program (ELF)")),
        (0, b"regf", Kind::NoEvents("registry hive")),
        (0, b"SQLite format 3", Kind::NoEvents("SQLite database")),
        (0, b"\0\x05\x16\x07", Kind::NoEvents("macOS file attributes")),
    ];
    known.iter().find(|(offset, magic, _)| at(*offset, magic)).map(|known| known.2)
}

fn looks_binary(head: &[u8]) -> bool {
    let control = head.iter().filter(|b| matches!(b, 0..=8 | 14..=31)).count();
    memchr::memchr(0, head).is_some() && control * 50 > head.len()
}

fn text(head: &[u8]) -> Kind {
    let body = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    match body.first() {
        None => return Kind::Empty,
        Some(b'{') if text::is_one_line(body) => return Kind::JsonLines,
        Some(b'{') => return Kind::JsonDocuments,
        // Many a log line begins with a bracket.
        Some(b'[') if matches!(body[1..].trim_ascii_start().first(), Some(b'{' | b']') | None) => {
            return Kind::JsonDocuments;
        }
        Some(_) => {}
    }
    if let Some(log) = logs::detect(body) {
        return Kind::Log(log);
    }
    if xml::find_start(body, 0).is_some() || body.starts_with(b"<Events") {
        return Kind::Xml;
    }
    // Damage to the first line must not cost the file.
    let is_object = |line: &[u8]| {
        let line = line.trim_ascii();
        line.starts_with(b"{\"") && line.ends_with(b"}")
    };
    if body.split(|b| *b == b'\n').take(LINES).any(is_object) {
        return Kind::JsonLines;
    }
    table::delimiter(&String::from_utf8_lossy(body)).map_or(Kind::OtherText, Kind::Table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_content() {
        for (head, kind) in [
            (&b"{\"a\":1}\n"[..], Kind::JsonLines),
            (b"\xef\xbb\xbf{\"a\":1}", Kind::JsonLines),
            (b" [\n{\"a\":1}]", Kind::JsonDocuments),
            (b"{\n\"a\":1}", Kind::JsonDocuments),
            (b"[2026-01-01] started\n", Kind::OtherText),
            (b"z\"a\":1}\n{\"a\":2}\n", Kind::JsonLines),
            (b"<?xml version=\"1.0\"?>\n<Event xmlns='x'>", Kind::Xml),
            (b"<13>Jan  1 host <Event><System>", Kind::Xml),
            (b"dest,process_name\nA,b\n", Kind::Table(b',')),
            (b"type=SYSCALL msg=audit(1.2:3): arch=1\n", Kind::Log(logs::Log::Auditd)),
            (b"<\0E\0", Kind::Utf16(Order::Little)),
            (b"\0\x01\x02\x03", Kind::NoEvents("unrecognised format (binary)")),
            (b" \n", Kind::Empty),
            (b"", Kind::Empty),
        ] {
            assert_eq!(detect(head), kind, "{}", String::from_utf8_lossy(head));
        }
    }
}
