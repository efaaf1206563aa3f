//! Stages that write texts of rows and have them read: conditions, and queries for each row.

use std::sync::Arc;

use lurcher_ir::{Format, MOMENT, Piece, Quoting, Repeat, Selected};
use lurcher_schema::Value;

use super::{
    Flow, PipelinePlan, RelationalError, distinct_events,
    expression::StageExpr,
    joining::text,
    moment::{self, own_window},
    row::{PipelineRow, RowPlace},
    stateful::Seat,
};
use crate::Settings;

fn failed(message: impl Into<String>) -> RelationalError {
    RelationalError { message: message.into() }
}

/// See [`Format`].
pub(super) fn format(words: &Format, rows: &[PipelineRow]) -> Vec<PipelineRow> {
    let most = words.most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let written: Vec<String> = rows.iter().filter_map(|row| written(words, row)).take(most).collect();
    let terms = if written.is_empty() {
        words.empty.to_string()
    } else {
        let separator = format!(" {} ", words.row_separator);
        let parts = [words.row_start.as_ref(), &written.join(&separator), words.row_end.as_ref()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    };
    let place = RowPlace { rank: 0, time: None, tiebreaker: Value::Null, reference: None, position: 0 };
    let mut row = PipelineRow::of_event(place);
    row.columns.insert(Arc::clone(&words.output), Value::text(terms));
    row.merged = distinct_events(rows.iter().flat_map(|row| row.events().iter().copied()));
    vec![row]
}

fn written(words: &Format, row: &PipelineRow) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    for (name, value) in &row.columns {
        let values: Vec<Arc<str>> = value.elements().map(text).collect();
        let Some(first) = values.first().filter(|_| !name.starts_with('_') && !name.contains('~')) else { continue };
        let bare = |value: &Arc<str>| value.to_string();
        let named = |value: &Arc<str>| format!("{name}={}", quoted(value));
        let separator = format!(" {} ", words.value_separator);
        let several = |each: &dyn Fn(&Arc<str>) -> String| match values.as_slice() {
            [one] => each(one),
            all => format!("( {} )", all.iter().map(each).collect::<Vec<_>>().join(&separator)),
        };
        parts.push(match name.as_ref() {
            "search" => first.to_string(),
            "query" => several(&bare),
            _ if words.bare.contains(name) => several(&bare),
            _ => several(&named),
        });
    }
    if parts.is_empty() {
        return None;
    }
    let separator =
        if words.column_separator.is_empty() { " ".to_owned() } else { format!(" {} ", words.column_separator) };
    let all = [words.column_start.to_string(), parts.join(&separator), words.column_end.to_string()];
    Some(all.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "))
}

/// In double quotes.
fn quoted(value: &str) -> String {
    format!("\"{}\"", escaped(value))
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

/// See [`Selected`].
pub(super) fn select(
    words: &Selected,
    rows: Vec<PipelineRow>,
    seat: &mut Seat<'_>,
) -> Result<Vec<PipelineRow>, RelationalError> {
    let branch = seat.branch(words.branch);
    let terms = branch.first().and_then(|row| row.columns.get(&words.column)).map(text);
    // A branch that wrote nothing says nothing: no row is like it.
    let Some(terms) = terms else { return Ok(if words.negated { rows } else { Vec::new() }) };
    let terms = format!("{}{terms}{}", words.around.0, words.around.1);
    let condition = words.reader.0.condition(&terms, seat.fields.schemas()).map_err(failed)?;
    let condition = StageExpr::new(&condition);
    let now = moment::seconds(seat.moment);
    let mut kept = Vec::new();
    for mut row in rows {
        row.columns.insert(MOMENT, now.clone());
        let holds = seat.value(&row, &condition) == Value::Bool(true);
        row.columns.remove(MOMENT);
        if holds != words.negated {
            kept.push(row);
        }
    }
    Ok(kept)
}

/// A [`Repeat`] made ready to run.
#[derive(Debug)]
pub(crate) struct RepeatPlan {
    pub(super) words: Repeat,
    pub(super) settings: Settings,
}

impl RepeatPlan {
    pub(super) fn apply(&self, rows: &[PipelineRow], seat: &mut Seat<'_>) -> Result<Vec<PipelineRow>, RelationalError> {
        let events = self.words.events.map(|branch| seat.branch(branch)).unwrap_or_default();
        let most = usize::try_from(self.words.most).unwrap_or(usize::MAX);
        let mut made = Vec::new();
        for (number, row) in rows.iter().take(most).enumerate() {
            match self.filled(row, number + 1) {
                Ok(query) => made.extend(self.run(&query, row, &events, seat)?),
                Err(missing) => seat.tell(format!("a row has no value for `${missing}$`; its query was not run")),
            }
        }
        if rows.len() > most {
            seat.tell(format!("of {} rows only the first {most} were searched for (`maxsearches`)", rows.len()));
        }
        Ok(made)
    }

    /// The query of a row; the name of the column that it lacks.
    fn filled(&self, row: &PipelineRow, number: usize) -> Result<String, Arc<str>> {
        let mut query = String::new();
        for piece in &self.words.template {
            match piece {
                Piece::Text(text) => query.push_str(text),
                Piece::Number => query.push_str(&number.to_string()),
                Piece::Column { name, quoting } => {
                    let values: Vec<Arc<str>> =
                        row.columns.get(name).into_iter().flat_map(Value::elements).map(text).collect();
                    if values.is_empty() {
                        return Err(Arc::clone(name));
                    }
                    let value = values.join(" ");
                    match quoting {
                        Quoting::Plain => query.push_str(&value),
                        Quoting::Within => query.push_str(&escaped(&value)),
                        Quoting::IfNeeded if is_word(&value) => query.push_str(&value),
                        Quoting::IfNeeded => query.push_str(&quoted(&value)),
                    }
                }
            }
        }
        Ok(query)
    }

    fn run(
        &self,
        query: &str,
        row: &PipelineRow,
        events: &[PipelineRow],
        seat: &mut Seat<'_>,
    ) -> Result<Vec<PipelineRow>, RelationalError> {
        let body = self.words.reader.0.query(query, seat.fields.schemas()).map_err(failed)?;
        let lurcher_ir::Tail::Pipeline(pipeline) = &body.tail else { return Ok(Vec::new()) };
        let plan = PipelinePlan::new(pipeline, &self.settings);
        if let Some(why) = &plan.fault {
            return Err(failed(why.clone()));
        }
        let mut flow = Flow::new(&plan);
        for event in events {
            for filter in 0..body.filters.len() {
                let before = flow.matches.len();
                let (now, moment, window) = (seat.now, seat.moment, seat.window);
                // The events are those of the widest range that any part of the query asks for.
                let wants = |branch: usize| {
                    window.is_none_or(|window| {
                        let own = plan.moment(branch).map_or(window, |own| own_window(own, window, moment));
                        own.holds(event.place.time)
                    })
                };
                plan.enter_some(filter, &event.place, &mut seat.source(event), now, &mut flow, &wants);
                for found in flow.matches.iter_mut().skip(before).filter(|found| found.events().is_empty()) {
                    found.own = event.own;
                }
            }
        }
        let outer = std::mem::take(&mut seat.gathered);
        let mut errors = plan.finish(&mut flow, seat);
        seat.gathered = outer;
        if !errors.is_empty() {
            return Err(errors.swap_remove(0));
        }
        let mut made = flow.matches;
        for found in made.iter_mut().filter(|found| found.events().is_empty()) {
            found.merged = row.events().to_vec();
        }
        Ok(made)
    }
}

/// Whether a value reads as one word wherever it stands.
fn is_word(value: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '@' | '*' | '+' | '/');
    !value.is_empty() && value.chars().all(plain) && !matches!(value, "AND" | "OR" | "NOT")
}
