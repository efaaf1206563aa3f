//! What a query yields (`lurcher query`): an event, a sequence of events, or a row.

use std::{fmt::Write as _, io};

use lurcher_engine::Match;
use lurcher_ir::Tail;
use lurcher_schema::{Event, Object, Schemas, Taxonomy, Value};
use serde::Serialize;
use serde_json::Value as Json;

use crate::{
    text::{cut, plain, width},
    writer::line,
};

/// One answer. Each kind has its own members.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// An event.
    Event(EventAnswer),
    /// The events of a sequence or sample.
    Events {
        /// In order; null for an absent event.
        events: Vec<Option<EventAnswer>>,
        /// The values that joined them.
        join_keys: Vec<Json>,
    },
    /// A row of a pipeline.
    Row {
        /// Its columns, in the query's own order.
        row: Json,
    },
}

/// An event as an answer.
#[derive(Clone, Debug, Serialize)]
pub struct EventAnswer {
    /// The event as it was read, nested by dotted names.
    pub event: Json,
    /// Its file, as given.
    pub file: String,
    /// The number that the user knows it by.
    pub record: String,
}

impl Answer {
    /// The answer that a match is, by what the query's tail is.
    pub fn new(found: &Match, tail: &Tail, schemas: &Schemas) -> Self {
        let answer = |event: &Event| EventAnswer {
            event: schemas.normalise(event, Taxonomy::Raw).to_json(),
            file: event.reference.origin.path.clone(),
            record: event.reference.record.to_string(),
        };
        match (tail, found.events.first()) {
            // A pipeline that chose no columns passes the event on as it is.
            (Tail::Pipeline(_), Some(Some(event))) if found.values.is_empty() => Self::Event(answer(event)),
            (Tail::Pipeline(_), _) => Self::Row { row: found.values.to_json() },
            (Tail::Events { .. }, Some(Some(event))) => Self::Event(answer(event)),
            _ => Self::Events {
                events: found.events.iter().map(|event| event.as_ref().map(answer)).collect(),
                join_keys: found.join_keys.iter().map(Value::to_json).collect(),
            },
        }
    }

    /// As one line of columns: those of the row, or of the event; for several events the columns of each, numbered.
    fn columns(&self) -> Vec<(String, String)> {
        match self {
            Self::Event(event) => event.columns(""),
            Self::Events { events, join_keys } => {
                let keys = join_keys.iter().enumerate().map(|(i, key)| (format!("key.{}", i + 1), cell(key)));
                let events = events.iter().enumerate().filter_map(|(i, event)| Some((i, event.as_ref()?)));
                keys.chain(events.flat_map(|(i, event)| event.columns(&format!("{}.", i + 1)))).collect()
            }
            Self::Row { row: Json::Object(columns) } => {
                columns.iter().map(|(name, value)| (name.clone(), cell(value))).collect()
            }
            Self::Row { .. } => Vec::new(),
        }
    }
}

impl EventAnswer {
    fn columns(&self, prefix: &str) -> Vec<(String, String)> {
        let mut columns =
            vec![(format!("{prefix}file"), self.file.clone()), (format!("{prefix}record"), self.record.clone())];
        flatten(prefix, &self.event, &mut columns);
        columns
    }
}

fn flatten(prefix: &str, json: &Json, columns: &mut Vec<(String, String)>) {
    let Json::Object(members) = json else { return };
    for (name, value) in members {
        match value {
            Json::Object(_) => flatten(&format!("{prefix}{name}."), value, columns),
            value => columns.push((format!("{prefix}{name}"), cell(value))),
        }
    }
}

/// A value in a cell: text as it is, everything else as JSON, null as nothing.
fn cell(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Writes answers as JSON lines.
pub fn write_jsonl(out: &mut impl io::Write, answers: &[Answer]) -> io::Result<()> {
    answers.iter().try_for_each(|answer| line(out, answer))
}

/// Writes answers as CSV. The columns are those of all answers, in the order in which they come first.
pub fn write_csv(out: &mut impl io::Write, answers: &[Answer]) -> io::Result<()> {
    let rows: Vec<Vec<(String, String)>> = answers.iter().map(Answer::columns).collect();
    let names = names(&rows);
    if names.is_empty() {
        return Ok(());
    }
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(&names).map_err(io::Error::other)?;
    for row in &rows {
        let cells = names.iter().map(|name| row.iter().find(|(other, _)| other == name).map_or("", |(_, v)| v));
        writer.write_record(cells).map_err(io::Error::other)?;
    }
    writer.flush()
}

fn names(rows: &[Vec<(String, String)>]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    rows.iter().flatten().map(|(name, _)| name).filter(|name| seen.insert(name.as_str())).cloned().collect()
}

/// Writes answers for people: rows as a table as wide as the terminal, events one below the other.
pub fn write_table(out: &mut impl io::Write, answers: &[Answer], columns: usize) -> io::Result<()> {
    let mut text = String::new();
    if answers.iter().all(|answer| matches!(answer, Answer::Row { .. })) {
        rows_table(&mut text, answers, columns.max(40));
    } else {
        for answer in answers {
            block(&mut text, answer, columns.max(40));
        }
    }
    let _ = writeln!(text, "{} answer{}", answers.len(), if answers.len() == 1 { "" } else { "s" });
    out.write_all(text.as_bytes())
}

fn rows_table(text: &mut String, answers: &[Answer], columns: usize) {
    let rows: Vec<Vec<(String, String)>> = answers.iter().map(Answer::columns).collect();
    let names = names(&rows);
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let value = |name: &String| row.iter().find(|(other, _)| other == name).map(|(_, v)| plain(v));
            names.iter().map(|name| value(name).unwrap_or_default()).collect()
        })
        .collect();
    let widest: Vec<usize> = names
        .iter()
        .enumerate()
        .map(|(i, name)| cells.iter().map(|row| width(&row[i])).chain([width(name)]).max().unwrap_or(0))
        .collect();
    let shares = shares(&widest, columns.saturating_sub(2 * names.len().saturating_sub(1)));
    let header: Vec<String> = names.iter().map(|name| plain(name)).collect();
    for row in std::iter::once(&header).chain(&cells) {
        let shown: Vec<String> = row
            .iter()
            .zip(&shares)
            .map(|(cell, share)| {
                let cell = cut(cell, *share);
                let pad = share.saturating_sub(width(&cell));
                format!("{cell}{}", " ".repeat(pad))
            })
            .collect();
        let _ = writeln!(text, "{}", shown.join("  ").trim_end());
    }
}

/// How wide each column is shown: narrow ones whole, the rest of the room shared by the wide ones.
fn shares(widest: &[usize], room: usize) -> Vec<usize> {
    let mut limit = room;
    loop {
        let narrow: usize = widest.iter().filter(|w| **w <= limit).sum();
        let wide = widest.iter().filter(|w| **w > limit).count();
        let taken = narrow + wide * limit;
        if taken <= room || limit <= 6 {
            return widest.iter().map(|w| (*w).min(limit.max(6))).collect();
        }
        limit = limit.saturating_sub(1 + (taken - room) / widest.len().max(1) / 2);
    }
}

fn block(text: &mut String, answer: &Answer, columns: usize) {
    let one = |text: &mut String, event: &EventAnswer| {
        let _ = writeln!(text, "{}#{}", plain(&event.file), event.record);
        let mut fields = Vec::new();
        flatten("", &event.event, &mut fields);
        for (name, value) in fields {
            let _ = writeln!(text, "{}", cut(&format!("  {}: {}", plain(&name), plain(&value)), columns));
        }
    };
    match answer {
        Answer::Event(event) => one(text, event),
        Answer::Events { events, join_keys } => {
            let keys: Vec<String> = join_keys.iter().map(|key| plain(&cell(key))).collect();
            let _ = writeln!(text, "{}", cut(&format!("sequence by [{}]", keys.join(", ")), columns));
            for event in events {
                match event {
                    Some(event) => one(text, event),
                    None => text.push_str("(no event)\n"),
                }
            }
        }
        Answer::Row { row } => {
            let _ = writeln!(text, "{}", cut(&plain(&row.to_string()), columns));
        }
    }
    text.push('\n');
}

/// A row of a pipeline as an answer.
pub fn row(values: &Object) -> Answer {
    Answer::Row { row: values.to_json() }
}
