//! Tables: CSV with a header line. A row is an event, its record the 1-based number of the row.
//!
//! Names in the header may carry types (`emp_no:integer`); a cell of a typed column is a number or boolean if it reads
//! as one. Empty cells are absent.

use std::io::Read;

use crate::{
    json::{Document, Member},
    reader::{Reader, lossy},
    rows::{Place, Raw},
    wrapping::Wrapping,
};

/// The delimiter of a table, if a text looks like the beginning of one: a line of at least two distinct names, and, if
/// there is a second line, as many cells in it.
pub(crate) fn delimiter(head: &str) -> Option<u8> {
    let mut lines = head.lines();
    let header = lines.next()?.trim_start_matches('\u{feff}');
    let second = lines.next();
    b",;\t".iter().copied().find(|delimiter| {
        let names: Vec<&str> = header.split(char::from(*delimiter)).map(unquote).collect();
        let mut distinct = names.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let cells = second.map_or(names.len(), |line| line.split(char::from(*delimiter)).count());
        names.len() >= 2
            && distinct.len() == names.len()
            && names.iter().all(|name| is_name(name))
            && (cells >= names.len() || second.is_some_and(|line| line.contains('"')))
    })
}

fn unquote(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell)
}

fn is_name(name: &str) -> bool {
    let (name, kind) = split_type(name);
    kind.is_none_or(|kind| Kind::of(kind).is_some())
        && name.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '@'))
        && name.chars().all(|c| c.is_alphanumeric() || "_.-@ {}()/".contains(c))
}

fn split_type(name: &str) -> (&str, Option<&str>) {
    name.split_once(':').map_or((name, None), |(name, kind)| (name.trim(), Some(kind.trim())))
}

/// The type that a header gives a column.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Text,
    Number,
    Boolean,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "integer" | "int" | "long" | "short" | "byte" | "unsigned_long" | "double" | "float" | "half_float"
            | "scaled_float" => Self::Number,
            "boolean" | "bool" => Self::Boolean,
            "keyword" | "text" | "string" | "date" | "datetime" | "date_nanos" | "ip" | "version" | "wildcard"
            | "constant_keyword" | "match_only_text" | "geo_point" | "geo_shape" | "cartesian_point"
            | "cartesian_shape" => Self::Text,
            _ => return None,
        })
    }

    fn value(self, cell: &str) -> Raw<'_> {
        match self {
            Self::Number if is_json_number(cell) => Raw::Json(cell),
            Self::Boolean if matches!(cell, "true" | "false") => Raw::Json(cell),
            _ => Raw::Text(cell),
        }
    }
}

fn is_json_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && !(digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit())
        && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
        && !digits.ends_with('.')
        && cell.parse::<f64>().is_ok_and(f64::is_finite)
}

impl Reader<'_> {
    /// Reads a table.
    pub(crate) fn table(&mut self, source: &mut dyn Read, delimiter: u8) {
        let mut csv = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(source);
        let columns: Vec<(String, Kind)> = match csv.byte_headers() {
            Ok(header) => header
                .iter()
                .map(|cell| {
                    let (name, _) = lossy(cell);
                    let (name, kind) = split_type(name.trim());
                    (name.to_owned(), kind.and_then(Kind::of).unwrap_or(Kind::Text))
                })
                .collect(),
            Err(error) => return self.problem("csv-syntax", "line 1", error.to_string()),
        };
        let mut cells = csv::ByteRecord::new();
        for row in 1.. {
            let before = csv.position().byte();
            match csv.read_byte_record(&mut cells) {
                Ok(true) => self.row(&columns, &cells, row),
                Ok(false) => break,
                Err(error) => {
                    let place = format!("row {row}");
                    let cut_off = matches!(error.kind(), csv::ErrorKind::Io(_));
                    let code = if cut_off { "input-cut-off" } else { "csv-syntax" };
                    self.problem(code, place, error.to_string());
                    if cut_off {
                        break;
                    }
                }
            }
            self.report.bytes += csv.position().byte() - before;
        }
    }

    fn row(&mut self, columns: &[(String, Kind)], cells: &csv::ByteRecord, row: u64) {
        self.start_event();
        if cells.len() > columns.len() {
            let message = format!("{} cells under {} names; the last are left out", cells.len(), columns.len());
            self.problem("csv-syntax", format!("row {row}"), message);
        }
        let mut document = Document::default();
        for (cell, (name, kind)) in cells.iter().zip(columns) {
            let (text, replaced) = lossy(cell);
            if replaced {
                let message = "bytes that are no UTF-8 were replaced by U+FFFD";
                self.warning("not-utf8", format!("row {row}"), message);
            }
            if text.is_empty() {
                continue;
            }
            let value = match text {
                std::borrow::Cow::Borrowed(text) => kind.value(text),
                std::borrow::Cow::Owned(text) => self.desk.keep(&text),
            };
            document.add(&mut self.desk, name, Member::Plain(value));
        }
        if let Some(tap) = &mut self.rows.tap {
            let members = document.members.iter().filter_map(|(name, member)| match member {
                Member::Plain(value) => Some((self.desk.names.text(*name), *value)),
                _ => None,
            });
            tap.begin_object(members, &self.desk.scratch);
        }
        let place = Place { ordinal: row - 1, record: row };
        if let Err(message) = self.document(document, place, Wrapping::default()) {
            self.problem("csv-event", format!("row {row}"), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_told_from_text() {
        assert_eq!(delimiter("dest,process_name\nA,b.exe\n"), Some(b','));
        assert_eq!(delimiter("emp_no:integer,name:keyword"), Some(b','));
        assert_eq!(delimiter("a\tb\n1\t2\n"), Some(b'\t'));
        for text in
            ["Jan  1 00:00:00 host app: a, b\n", "type=SYSCALL msg=audit(1.2:3): a=1, b=2", "one name\n", "a,a\n1,2"]
        {
            assert_eq!(delimiter(text), None, "{text}");
        }
    }

    #[test]
    fn cells_of_typed_columns_are_numbers_if_they_read_as_one() {
        for number in ["1", "-1.5", "1e9", "0", "0.5"] {
            assert_eq!(Kind::Number.value(number), Raw::Json(number));
        }
        for text in ["", "01", "1.", "0x1", "NaN", "inf", "1-2"] {
            assert_eq!(Kind::Number.value(text), Raw::Text(text));
        }
    }
}
