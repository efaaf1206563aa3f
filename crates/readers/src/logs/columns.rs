//! Logs that name their columns in lines of their own: Zeek's tab-separated logs and W3C Extended Log Files (IIS).
//!
//! The header may come again in the middle of a file, with other columns: it holds from there on.

use std::fmt::Write as _;

use lurcher_schema::Timestamp;

use super::Line;
use crate::{
    RecordForm,
    json::loose_time,
    reader::Reader,
    rows::{Place, Raw},
    vendor,
};

/// Columns, at most; more are no log.
const MANY: usize = 4096;

/// What the header lines so far have said.
#[derive(Debug)]
pub(super) struct Columns {
    separator: char,
    set_separator: String,
    empty: String,
    unset: String,
    path: String,
    software: String,
    date: String,
    names: Vec<String>,
    types: Vec<String>,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            separator: '\t',
            set_separator: ",".to_owned(),
            empty: "(empty)".to_owned(),
            unset: "-".to_owned(),
            path: String::new(),
            software: String::new(),
            date: String::new(),
            names: Vec::new(),
            types: Vec::new(),
        }
    }
}

impl Columns {
    /// A header line of Zeek's: `#fields<separator>ts<separator>uid …`.
    fn zeek_header(&mut self, text: &str) {
        if let Some(separator) = text.strip_prefix("#separator ") {
            self.separator = unescape(separator).chars().next().unwrap_or('\t');
            return;
        }
        let mut parts = text.split(self.separator);
        let key = parts.next().unwrap_or("");
        let rest: Vec<String> = parts.take(MANY).map(str::to_owned).collect();
        let first = || rest.first().map(|text| unescape(text)).unwrap_or_default();
        match key {
            "#set_separator" => self.set_separator = first(),
            "#empty_field" => self.empty = first(),
            "#unset_field" => self.unset = first(),
            "#path" => self.path = first(),
            "#fields" => self.names = rest,
            "#types" => self.types = rest,
            _ => {}
        }
    }

    /// Zeek's path, where the columns alone do not tell it of a JSON document.
    fn path_to_tell(&self) -> Option<&str> {
        let told = vendor::of(self.names.iter().fold(0, |bits, name| bits | vendor::bit(name)));
        let is_told = told
            .is_some_and(|vendor| vendor.dialect == "zeek" && vendor.fixed.contains(&("stream", self.path.as_str())));
        (!is_told && !self.path.is_empty()).then_some(self.path.as_str())
    }

    /// A line of a W3C log with its header before it.
    fn w3c_record(&self, line: &str) -> String {
        let mut out = String::new();
        for (key, value) in [("Software", &self.software), ("Date", &self.date)] {
            if !value.is_empty() {
                out.push_str(&format!("#{key}: {value}\n"));
            }
        }
        out.push_str(&format!("#Fields: {}\n{line}", self.names.join(" ")));
        out
    }

    /// The JSON text of a cell that is no plain text: a number, a truth value, a set or vector.
    fn json(&self, kind: &str, cell: &str) -> Option<String> {
        if let Some(element) = kind.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']')) {
            let elements: Vec<String> = if cell == self.empty || self.set_separator.is_empty() {
                Vec::new()
            } else {
                let parts = cell.split(self.set_separator.as_str()).filter(|part| *part != self.unset);
                parts.map(|part| self.json(element, part).unwrap_or_else(|| quote(&unescape(part)))).collect()
            };
            return Some(format!("[{}]", elements.join(",")));
        }
        match kind {
            "count" | "int" | "port" => cell.parse::<i64>().ok().map(|number| number.to_string()),
            "double" | "interval" | "time" => {
                let sound = cell.starts_with(|c: char| c.is_ascii_digit() || c == '-')
                    && !cell.trim_start_matches('-').starts_with("00")
                    && cell.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'))
                    && cell.parse::<f64>().is_ok_and(f64::is_finite)
                    && !cell.ends_with('.');
                sound.then(|| cell.to_owned())
            }
            "bool" => match cell {
                "T" => Some("true".to_owned()),
                "F" => Some("false".to_owned()),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A JSON string.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 => drop(write!(out, "\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Undoes Zeek's `\xhh`; bytes that together are no UTF-8 become U+FFFD.
fn unescape(text: &str) -> String {
    if !text.contains("\\x") {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = || text.get(at + 2..at + 4).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (byte, bytes.get(at + 1)) {
            (b'\\', Some(b'x')) if hex().is_some() => {
                out.extend(hex());
                at += 4;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Reader<'_> {
    /// Reads a line of Zeek's; false if it has no columns.
    pub(super) fn zeek_line(&mut self, columns: &mut Columns, text: &str, place: Place) -> bool {
        if text.starts_with('#') {
            columns.zeek_header(text);
            return true;
        }
        if columns.names.is_empty() {
            return false;
        }
        let desk = &mut self.desk;
        let mut line = Line::new("zeek");
        line.attribute("stream", columns.path.clone());
        for (at, cell) in text.split(columns.separator).enumerate().take(columns.names.len()) {
            if cell.is_empty() || cell == columns.unset {
                continue;
            }
            let name = columns.names[at].as_str();
            let kind = columns.types.get(at).map_or("string", String::as_str);
            if name == "ts" {
                line.time = loose_time(cell);
            }
            match columns.json(kind, cell) {
                Some(json) if json == cell => line.json(desk, name, cell),
                Some(json) => line.kept_json(desk, name, &json),
                None if cell == columns.empty => {}
                None => line.either(desk, name, unescape_cell(cell)),
            }
        }
        if let Some(tap) = &mut self.rows.tap {
            let path = columns.path_to_tell().map(|path| ("_path", Raw::Text(path)));
            let fields = line.fields.iter().map(|(name, value)| (self.desk.names.text(*name), *value));
            tap.begin_object(path.into_iter().chain(fields), &self.desk.scratch);
        }
        self.line_event(&line, place);
        true
    }

    /// Reads a line of a W3C log; false if it has no columns.
    pub(super) fn w3c_line(&mut self, columns: &mut Columns, text: &str, place: Place) -> bool {
        if let Some(header) = text.strip_prefix('#') {
            let (key, value) = header.split_once(':').unwrap_or((header, ""));
            match key {
                "Fields" => columns.names = value.split_whitespace().take(MANY).map(str::to_owned).collect(),
                "Software" => value.trim().clone_into(&mut columns.software),
                "Date" => value.split_whitespace().next().unwrap_or("").clone_into(&mut columns.date),
                _ => {}
            }
            return true;
        }
        if columns.names.is_empty() {
            return false;
        }
        let desk = &mut self.desk;
        let mut line = Line::new("w3c");
        line.attribute("software", columns.software.clone());
        let (mut date, mut clock) = (columns.date.as_str(), "");
        for (name, cell) in columns.names.iter().zip(text.split([' ', '\t']).filter(|cell| !cell.is_empty())) {
            match name.as_str() {
                "date" => date = cell,
                "time" => clock = cell,
                _ => {}
            }
            if cell != "-" {
                line.text(desk, name, cell);
            }
        }
        line.time = Timestamp::parse(&format!("{date}T{clock}Z"));
        line.text(desk, "_raw", text);
        if self.rows.tap.is_some() {
            self.original(RecordForm::Line, &columns.w3c_record(text));
        }
        self.line_event(&line, place);
        true
    }
}

fn unescape_cell(cell: &str) -> std::borrow::Cow<'_, str> {
    if cell.contains("\\x") { unescape(cell).into() } else { cell.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_the_types_of_their_columns() {
        let columns = Columns::default();
        for (kind, cell, json) in [
            ("count", "12", Some("12")),
            ("time", "1692161622.036086", Some("1692161622.036086")),
            ("interval", "x", None),
            ("bool", "T", Some("true")),
            ("set[string]", "a,b\\x2cc", Some("[\"a\",\"b,c\"]")),
            ("vector[count]", "1,2", Some("[1,2]")),
            ("set[addr]", "(empty)", Some("[]")),
            ("string", "12", None),
        ] {
            assert_eq!(columns.json(kind, cell).as_deref(), json, "{kind} {cell}");
        }
        assert_eq!(unescape("\\xc3\\xa9\\x5"), "é\\x5");
    }
}
