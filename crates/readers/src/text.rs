//! Text formats: JSON by lines, JSON as documents or an array, event XML, and lines that are none of these.

use std::io::Read;

use crate::{
    reader::{Reader, lossy},
    rows::Place,
    window::Window,
    xml,
};

/// How many bits of an ordinal are left for the events that one line or document wraps.
pub(crate) const WRAPPED: u32 = 24;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The part of a file to read: what begins before `end`; all if `None`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) end: Option<u64>,
    /// The number of the first line.
    pub(crate) line: u64,
}

impl Extent {
    /// A whole file.
    pub(crate) const WHOLE: Self = Self { end: None, line: 1 };

    fn holds(self, offset: u64) -> bool {
        self.end.is_none_or(|end| offset < end)
    }
}

impl Reader<'_> {
    pub(crate) fn cut_off<R: Read>(&mut self, window: &mut Window<R>) {
        if let Some(error) = window.take_error() {
            let place = format!("byte {}", window.offset() + window.data().len() as u64);
            self.problem("input-cut-off", place, format!("cannot be read further: {error}"));
        }
    }

    /// Calls `each` for every line that begins in the extent.
    pub(crate) fn lines<R: Read>(
        &mut self,
        window: &mut Window<R>,
        extent: Extent,
        mut each: impl FnMut(&mut Self, &[u8], bool, u64),
    ) {
        let mut number = extent.line;
        loop {
            let data = window.data();
            let block = match memchr::memrchr(b'\n', data) {
                Some(last) => last + 1,
                None if !window.done() && data.len() <= self.options.max_line => {
                    window.fill();
                    continue;
                }
                // The rest of a line that a damaged stream broke off is no line.
                None if window.is_cut_off() => break,
                None if data.len() <= self.options.max_line => data.len(),
                None => {
                    self.too_long("line-too-long", &format!("line {number}"));
                    self.skip_line(window);
                    number += 1;
                    continue;
                }
            };
            if block == 0 {
                break;
            }
            let valid = std::str::from_utf8(&data[..block]).is_ok();
            let mut at = 0;
            while at < block {
                if !extent.holds(window.offset() + at as u64) {
                    self.report.bytes += at as u64;
                    return;
                }
                let end = memchr::memchr(b'\n', &data[at..block]).map_or(block, |end| at + end);
                let line = &data[at..end];
                let line = if number == 1 { line.strip_prefix(BOM).unwrap_or(line) } else { line };
                if line.len() > self.options.max_line {
                    self.too_long("line-too-long", &format!("line {number}"));
                } else {
                    each(self, line, valid, number);
                }
                at = end + 1;
                number += 1;
            }
            self.report.bytes += block as u64;
            window.consume(block);
        }
        self.cut_off(window);
    }

    fn too_long(&mut self, code: &'static str, place: &str) {
        let limit = self.options.max_line;
        self.problem(code, place, format!("longer than the limit of {limit} bytes; left out"));
    }

    fn skip_line<R: Read>(&mut self, window: &mut Window<R>) {
        loop {
            let data = window.data();
            let end = memchr::memchr(b'\n', data).map(|end| end + 1);
            let bytes = end.unwrap_or(data.len());
            self.report.bytes += bytes as u64;
            window.consume(bytes);
            if end.is_some() || !window.fill() {
                return;
            }
        }
    }

    /// Text of a line or document, with a warning if it is no UTF-8.
    pub(crate) fn text<'b>(&mut self, bytes: &'b [u8], place: impl FnOnce() -> String) -> std::borrow::Cow<'b, str> {
        let (text, replaced) = lossy(bytes);
        if replaced {
            self.warning("not-utf8", place(), "bytes that are no UTF-8 were replaced by U+FFFD");
        }
        text
    }

    /// JSON lines. A line may also be an event in XML.
    pub(crate) fn json_lines<R: Read>(&mut self, window: &mut Window<R>, extent: Extent) {
        self.lines(window, extent, |reader, line, _, number| {
            let line = line.trim_ascii();
            let Some(first) = line.first() else { return };
            let text = reader.text(line, || format!("line {number}"));
            let place = Place { ordinal: (number - 1) << WRAPPED, record: number };
            let read = match first {
                b'<' => match xml::find(line, 0, 0) {
                    xml::Found::Event(start, end) => reader.xml_event(text.get(start..end).unwrap_or(""), place),
                    _ => Err("neither JSON nor event XML".to_owned()),
                },
                _ => reader.json(&text, place),
            };
            if let Err(message) = read {
                let code = if *first == b'<' { "xml-syntax" } else { "json-syntax" };
                reader.problem(code, format!("line {number}"), message);
            }
        });
    }

    /// Lines of no known format: counted.
    pub(crate) fn other_lines<R: Read>(&mut self, window: &mut Window<R>) {
        let mut count = 0;
        self.lines(window, Extent::WHOLE, |_, line, _, _| count += u64::from(!line.trim_ascii().is_empty()));
        self.skip("unrecognised format (text)", count);
    }

    /// Event XML.
    pub(crate) fn xml<R: Read>(&mut self, window: &mut Window<R>, extent: Extent) {
        let mut searched = 0;
        loop {
            let data = window.data();
            match xml::find(data, 0, searched) {
                xml::Found::Event(start, _) | xml::Found::Broken(start, _) | xml::Found::Open(start)
                    if !extent.holds(window.offset() + start as u64) =>
                {
                    return;
                }
                xml::Found::Event(start, end) => {
                    let offset = window.offset() + start as u64;
                    let text = self.text(&data[start..end], || format!("byte {offset}"));
                    let place = Place { ordinal: offset, record: offset };
                    if let Err(message) = self.xml_event(&text, place) {
                        self.problem("xml-syntax", format!("byte {offset}"), message);
                    }
                    drop(text);
                    self.report.bytes += end as u64;
                    window.consume(end);
                    searched = 0;
                }
                xml::Found::Broken(start, next) => {
                    let place = format!("byte {}", window.offset() + start as u64);
                    self.problem("xml-syntax", place, "the event ends in the middle");
                    self.report.bytes += next as u64;
                    window.consume(next);
                    searched = 0;
                }
                xml::Found::Open(start) => {
                    self.report.bytes += start as u64;
                    window.consume(start);
                    searched = window.data().len();
                    let too_long = searched > self.options.max_line;
                    if too_long || !window.fill() {
                        let place = format!("byte {}", window.offset());
                        if too_long {
                            self.too_long("event-too-long", &place);
                        } else if !window.is_cut_off() {
                            self.problem("xml-syntax", place, "the event ends in the middle");
                        }
                        if !too_long {
                            break;
                        }
                        window.consume(searched);
                        searched = 0;
                    }
                }
                xml::Found::None(keep) => {
                    if !extent.holds(window.offset() + keep as u64) {
                        return;
                    }
                    self.report.bytes += keep as u64;
                    window.consume(keep);
                    searched = 0;
                    if !window.fill() {
                        break;
                    }
                }
            }
        }
        self.cut_off(window);
    }

    /// JSON documents one after the other, or the elements of one array.
    pub(crate) fn json_documents<R: Read>(&mut self, window: &mut Window<R>) {
        let mut index = 0;
        let mut in_array = false;
        loop {
            let skip =
                window.data().iter().take_while(|b| b.is_ascii_whitespace() || matches!(b, b',' | 0xef | 0xbb | 0xbf));
            let skip = skip.count();
            self.report.bytes += skip as u64;
            window.consume(skip);
            let Some(first) = window.data().first().copied() else {
                if window.fill() {
                    continue;
                }
                break;
            };
            if first == b'[' && !in_array || first == b']' && in_array {
                in_array = first == b'[';
                self.report.bytes += 1;
                window.consume(1);
                continue;
            }
            let offset = window.offset();
            let mut scan = Scan::default();
            let end = loop {
                if let Some(end) = scan.end(window.data()) {
                    break Some(end);
                }
                if window.data().len() > self.options.max_line {
                    self.too_long("document-too-long", &format!("byte {offset}"));
                    break None;
                }
                if !window.fill() {
                    if !window.is_cut_off() {
                        self.problem("json-syntax", format!("byte {offset}"), "the document ends in the middle");
                    }
                    break None;
                }
            };
            let length = match end {
                Some(end) => {
                    let text = self.text(&window.data()[..end], || format!("byte {offset}"));
                    match self.json(&text, Place { ordinal: index << WRAPPED, record: index }) {
                        Ok(()) => end,
                        Err(message) => {
                            self.problem("json-syntax", format!("byte {offset}"), message);
                            resume(&text.as_bytes()[..end.min(text.len())]).unwrap_or(end)
                        }
                    }
                }
                None => resume(window.data()).unwrap_or(window.data().len()),
            };
            index += 1;
            self.report.bytes += length as u64;
            window.consume(length);
        }
        self.cut_off(window);
    }
}

/// Where, in a damaged document, the next one seems to begin: an opening brace at the start of a line, behind a
/// closing brace.
fn resume(text: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', text).find_map(|line| {
        let before = text[..line].trim_ascii_end().strip_suffix(b",").unwrap_or(text[..line].trim_ascii_end());
        let brace = line + 1 + text[line + 1..].iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        (text.get(brace) == Some(&b'{') && before.ends_with(b"}")).then_some(brace)
    })
}

/// A search for the end of a JSON value, resumed as more of it comes into view.
#[derive(Default)]
struct Scan {
    at: usize,
    depth: usize,
    in_string: bool,
}

impl Scan {
    /// Where the value at the beginning of `data` ends, if that is in view. Of a value that is no object, array or
    /// string, the end of its line.
    fn end(&mut self, data: &[u8]) -> Option<usize> {
        while self.at < data.len() {
            let rest = &data[self.at..];
            if self.in_string {
                let Some(next) = memchr::memchr2(b'"', b'\\', rest) else {
                    self.at = data.len();
                    return None;
                };
                if rest[next] == b'\\' {
                    if next + 1 >= rest.len() {
                        self.at += next;
                        return None;
                    }
                    self.at += next + 2;
                    continue;
                }
                self.at += next + 1;
                self.in_string = false;
                if self.depth == 0 {
                    return Some(self.at);
                }
                continue;
            }
            match rest[0] {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(self.at + 1);
                    }
                }
                b',' | b'\n' if self.depth == 0 => return Some(self.at.max(1)),
                _ => {}
            }
            self.at += 1;
        }
        None
    }
}

/// Whether the first value of a text is whole on its first line, with nothing behind it: the mark of JSON lines.
pub(crate) fn is_one_line(head: &[u8]) -> bool {
    let line = memchr::memchr(b'\n', head).map_or(head, |end| &head[..end]);
    let is_whole = line.len() < head.len();
    match Scan::default().end(line) {
        Some(end) => line[end..].trim_ascii().is_empty(),
        // The line goes on beyond the head, or it is damaged; then the next one begins with a brace.
        None if !is_whole => true,
        None => head[line.len()..].trim_ascii_start().starts_with(b"{\"") && !line.trim_ascii_end().ends_with(b":"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_value_is_found_in_pieces() {
        let text = br#"{"a":"}\"","b":[{}]} {"#;
        let mut scan = Scan::default();
        let found = (0..text.len()).find_map(|end| scan.end(&text[..end]));
        assert_eq!(found, Some(20));
        assert_eq!(Scan::default().end(b"12, 3"), Some(2));
        assert_eq!(Scan::default().end(b"}"), Some(1));
    }

    #[test]
    fn json_lines_are_told_from_documents() {
        assert!(is_one_line(b"{\"a\":1}\n{\"a\":2}"));
        assert!(is_one_line(b"{\"a\":1"));
        assert!(is_one_line(b"{\"a\":{\"b\n{\"a\":{}}"));
        assert!(!is_one_line(b"{\n  \"a\": 1}"));
        assert!(!is_one_line(b"{\"a\":1}{\"a\":2}\n"));
    }
}
