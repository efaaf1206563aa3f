//! The text of an event with its times moved.
//!
//! Which fields are times is known for each dialect ([`lurcher_readers::time_fields`]); nothing else that looks like a
//! time is touched. Texts that an event carries inside (`_raw`, event XML in a message) are moved with it.

mod json;
mod stamps;

use json::Leaf;
use lurcher_readers::{RecordForm, time_fields};
use lurcher_schema::Timestamp;

pub(super) use json::on_one_line;

/// Texts within texts, at most.
const DEPTH: u8 = 4;

/// What is known of an event whose times are to be moved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) form: RecordForm,
    pub(super) dialect: &'a str,
    pub(super) time: Option<Timestamp>,
}

/// The text of an event with its times moved by so many microseconds; `None` if nothing in it moves.
pub(super) fn moved(known: Known<'_>, text: &str, by: i64) -> Option<String> {
    if by == 0 {
        return None;
    }
    match known.form {
        RecordForm::Xml => xml(text, by),
        RecordForm::Json => document(known, text, by, 0),
        RecordForm::Line => line(known, text, by),
    }
}

fn document(known: Known<'_>, text: &str, by: i64, depth: u8) -> Option<String> {
    if depth > DEPTH {
        return None;
    }
    let fields = time_fields(known.dialect);
    json::edit(text, &|leaf| {
        if is_time(known.dialect, &fields, leaf) {
            return stamps::moved(leaf.text, by);
        }
        within(known, leaf, by, depth)
    })
}

/// A text that holds an event of its own.
fn within(known: Known<'_>, leaf: &Leaf<'_>, by: i64, depth: u8) -> Option<String> {
    let text = leaf.text;
    if text.contains("<TimeCreated") {
        return xml(text, by);
    }
    let last = leaf.path.rsplit('.').next().unwrap_or("");
    if matches!(last, "_raw" | "EventData" | "UserData") && text.trim_start().starts_with('{') {
        return document(known, text, by, depth + 1);
    }
    (last == "_raw" && matches!(known.dialect, "syslog" | "auditd" | "access" | "w3c"))
        .then(|| line(Known { form: RecordForm::Line, ..known }, text, by))
        .flatten()
}

fn is_time(dialect: &str, fields: &[&str], leaf: &Leaf<'_>) -> bool {
    let mut path = leaf.path;
    while let Some(rest) = ["_source.", "result."].iter().find_map(|wrapping| path.strip_prefix(wrapping)) {
        path = rest;
    }
    if fields.contains(&path) || matches!(path, "_time" | "_indextime") {
        return true;
    }
    if dialect != "windows" {
        return false;
    }
    let last = path.rsplit('.').next().unwrap_or("");
    let is_text = matches!(last, "#text" | "Value" | "text" | "$t" | "_");
    fields.contains(&last)
        || path.contains("TimeCreated") && last.trim_start_matches(['@', '#', '-']).eq_ignore_ascii_case("SystemTime")
        || is_text && leaf.name == "UtcTime"
        || matches!(path, "event.created" | "event.ingested")
}

/// Event XML: the system part's time, and the one that Sysmon puts into the data.
fn xml(text: &str, by: i64) -> Option<String> {
    let mut out = text.to_owned();
    let mut any = false;
    if let Some(new) = system_time(&out, by) {
        out = new;
        any = true;
    }
    for quote in ['"', '\''] {
        let head = format!("<Data Name={quote}UtcTime{quote}>");
        if let Some((start, end)) = between(&out, &head, "<")
            && let Some(new) = out.get(start..end).and_then(|old| stamps::moved(old, by))
        {
            out.replace_range(start..end, &new);
            any = true;
        }
    }
    any.then_some(out)
}

fn system_time(text: &str, by: i64) -> Option<String> {
    let tag = text.find("<TimeCreated")?;
    let end = tag + text.get(tag..)?.find('>')?;
    let name = "SystemTime=";
    let value = tag + text.get(tag..end)?.find(name)? + name.len();
    let quote = text.get(value..)?.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let start = value + 1;
    let stop = start + text.get(start..end)?.find(quote)?;
    let new = stamps::moved(text.get(start..stop)?, by)?;
    Some([text.get(..start)?, &new, text.get(stop..)?].concat())
}

/// Where the text between two marks lies.
fn between(text: &str, head: &str, tail: &str) -> Option<(usize, usize)> {
    let start = text.find(head)? + head.len();
    let end = start + text.get(start..)?.find(tail)?;
    Some((start, end))
}

fn line(known: Known<'_>, text: &str, by: i64) -> Option<String> {
    match known.dialect {
        "access" => {
            let (start, end) = between(text, " [", "]")?;
            let new = stamps::of_access_log(text.get(start..end)?, by)?;
            Some([text.get(..start)?, &new, text.get(end..)?].concat())
        }
        "auditd" => {
            let (start, end) = between(text, "audit(", ":")?;
            let new = stamps::moved(text.get(start..end)?, by)?;
            let text = [text.get(..start)?, &new, text.get(end..)?].concat();
            // Syslog may have brought it.
            Some(syslog(known.time, &text, by).unwrap_or(text))
        }
        "w3c" => columns(known.time?, text, by),
        _ => syslog(known.time, text, by),
    }
}

/// The header of a syslog line.
fn syslog(time: Option<Timestamp>, text: &str, by: i64) -> Option<String> {
    let mut start = 0;
    if text.starts_with('<') {
        start = text.find('>')? + 1;
        if text.get(start..)?.starts_with("1 ") {
            start += 2;
        }
    }
    let rest = text.get(start..)?;
    let is_old =
        rest.get(..4).is_some_and(|month| month.ends_with(' ') && month.starts_with(|c: char| c.is_ascii_uppercase()));
    let (length, new) = if is_old {
        let after = rest.get(4..)?;
        let blanks = after.len() - after.trim_start().len();
        let (day, clock) = after.trim_start().split_once(' ')?;
        let gap = clock.len() - clock.trim_start().len();
        let clock = clock.trim_start().split(' ').next()?;
        let length = 4 + blanks + day.len() + 1 + gap + clock.len();
        let padded = blanks > 0 || day.len() < 2 || !day.starts_with('0');
        (length, stamps::of_old_syslog(clock, padded, time?, by)?)
    } else {
        let stamp = rest.split(' ').next()?;
        (stamp.len(), stamps::moved(stamp, by)?)
    };
    Some([text.get(..start)?, &new, text.get(start + length..)?].concat())
}

/// A line of W3C columns with its header before it.
fn columns(time: Timestamp, text: &str, by: i64) -> Option<String> {
    let (date, clock) = stamps::of_columns(time, by)?;
    let mut names: Vec<&str> = Vec::new();
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        if let Some(fields) = line.strip_prefix("#Fields:") {
            names = fields.split_whitespace().collect();
            lines.push(line.to_owned());
        } else if line.starts_with("#Date:") {
            lines.push(format!("#Date: {date}"));
        } else if line.starts_with('#') {
            lines.push(line.to_owned());
        } else {
            let mut names = names.iter();
            let cells = line.split_inclusive([' ', '\t']).map(|cell| {
                let (value, gap) = cell.split_at(cell.trim_end_matches([' ', '\t']).len());
                let name = if value.is_empty() { None } else { names.next() };
                let value = match name {
                    Some(&"date") => &date,
                    Some(&"time") => &clock,
                    _ => value,
                };
                [value, gap].concat()
            });
            lines.push(cells.collect());
        }
    }
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn shifted(form: RecordForm, dialect: &str, text: &str) -> String {
        let time = Timestamp::parse("2026-01-02T03:04:05Z");
        moved(Known { form, dialect, time }, text, DAY).unwrap_or_default()
    }

    #[test]
    fn event_xml_moves_its_times_only() {
        let text = "<Event><System><TimeCreated SystemTime='2026-01-02T03:04:05.1234567Z'/></System><EventData>\
                    <Data Name='UtcTime'>2026-01-02 03:04:05.123</Data>\
                    <Data Name='CreationUtcTime'>2026-01-02 03:04:05.123</Data></EventData></Event>";
        let expected = text.replacen("01-02", "01-03", 2);
        assert_eq!(shifted(RecordForm::Xml, "windows", text), expected);
        let wrapped = serde_json::json!({"_time": "1767323045.5", "_raw": text, "host": "a"}).to_string();
        let expected = serde_json::json!({"_time": "1767409445.5", "_raw": expected, "host": "a"}).to_string();
        assert_eq!(shifted(RecordForm::Json, "windows", &wrapped), expected);
    }

    #[test]
    fn documents_move_the_fields_of_their_dialect() {
        let text = r#"{"_source":{"@timestamp":"2026-01-02T03:04:05Z","event":{"created":1767323045000},"file":{"created":"2026-01-02T03:04:05Z"}}}"#;
        let expected = r#"{"_source":{"@timestamp":"2026-01-03T03:04:05Z","event":{"created":1767409445000},"file":{"created":"2026-01-02T03:04:05Z"}}}"#;
        assert_eq!(shifted(RecordForm::Json, "ecs", text), expected);
        let text = r#"{"id":{"time":"2026-01-02T03:04:05Z"},"time":"2026-01-02T03:04:05Z"}"#;
        let expected = r#"{"id":{"time":"2026-01-03T03:04:05Z"},"time":"2026-01-02T03:04:05Z"}"#;
        assert_eq!(shifted(RecordForm::Json, "google_workspace", text), expected);
    }

    #[test]
    fn lines_move_their_headers() {
        for (dialect, line, expected) in [
            ("syslog", "<34>1 2026-01-02T03:04:05Z h su - - - x", "<34>1 2026-01-03T03:04:05Z h su - - - x"),
            ("syslog", "Jan  2 03:04:05 h su: Jan  2", "Jan  3 03:04:05 h su: Jan  2"),
            ("syslog", "<34>Jan 02 03:04:05.1 h su: x", "<34>Jan 03 03:04:05.1 h su: x"),
            ("syslog", "2026-01-02T03:04:05.5+02:00 h su: x", "2026-01-03T03:04:05.5+02:00 h su: x"),
            ("auditd", "type=A msg=audit(1767323045.123:4): x", "type=A msg=audit(1767409445.123:4): x"),
            (
                "auditd",
                "Jan  2 03:04:05 h audit: type=A audit(1767323045.123:4): x",
                "Jan  3 03:04:05 h audit: type=A audit(1767409445.123:4): x",
            ),
            (
                "access",
                "1.2.3.4 - - [02/Jan/2026:03:04:05 +0000] \"GET /[a] HTTP/1.1\" 200 1",
                "1.2.3.4 - - [03/Jan/2026:03:04:05 +0000] \"GET /[a] HTTP/1.1\" 200 1",
            ),
            (
                "w3c",
                "#Date: 2026-01-02\n#Fields: time date c-ip\n03:04:05 2026-01-02 1.2.3.4",
                "#Date: 2026-01-03\n#Fields: time date c-ip\n03:04:05 2026-01-03 1.2.3.4",
            ),
        ] {
            assert_eq!(shifted(RecordForm::Line, dialect, line), expected);
        }
    }
}
