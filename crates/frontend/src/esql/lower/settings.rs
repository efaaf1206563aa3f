//! `SET name = value;` in front of a query.
//!
//! * `unmapped_fields`: over tables and `ROW`, `"nullify"` and `"load"` make columns of null of names that the source
//!   lacks, for as long as no command has chosen columns; `"fail"` (also called `"default"`) says that they are unknown. Of
//!   events every field counts as mapped that the event has; so all of these mean the same there.
//! * `time_zone`: where days begin for what truncates dates, reads or writes their parts, or moves them by months. Offsets
//!   only: a zone by name has rules of its own for summer, which are not built in.
//! * `approximation`: results are computed over all rows; the columns that would tell how sure an estimate is are not there.
//! * `project_routing`: where data lies is not the query's affair here.
//!
//! Source: <https://www.elastic.co/docs/reference/query-languages/esql/commands/set>.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Expr, Function, Stage};
use lurcher_schema::Value;

use super::{
    super::{
        ast::{self, ExprKind, Name},
        types::Type,
    },
    Inputs, Lowerer, Result,
    columns::{Column, Item},
    value::Typed,
};
use crate::syntax::closest;

/// What can be set.
const SETTINGS: [&str; 4] = ["unmapped_fields", "time_zone", "approximation", "project_routing"];

/// What the settings of a query come to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settings {
    /// Names that the source lacks are columns of null.
    nullify: bool,
    /// How far the clock of the query's zone is ahead of UTC, in milliseconds.
    zone: i64,
}

impl Lowerer<'_> {
    /// Takes the settings over; of two of one name the last counts.
    pub(super) fn settings(&mut self, settings: &[(Name, ast::Expr)]) -> Result<()> {
        for (name, value) in settings {
            match name.text.as_ref() {
                "unmapped_fields" => self.settings.nullify = self.unmapped_fields(value)?,
                "time_zone" => self.settings.zone = self.time_zone(value)?,
                "approximation" => {
                    if !matches!(value.kind, ExprKind::Boolean(false) | ExprKind::Null) {
                        let message = "the query asks for estimates; it is computed over all rows, and says nothing of how sure it is";
                        self.approximate("setting", message, name.span);
                    }
                }
                "project_routing" => {
                    let warning = Diagnostic::warning("esql-setting", "`project_routing` has no effect");
                    self.report(
                        warning.at(name.span, "passed over").with_help("leave it out: the run reads what it is given"),
                    );
                }
                unknown => {
                    let error = Diagnostic::error("esql-setting", format!("there is no setting `{unknown}`"))
                        .at(name.span, "unknown setting");
                    let help = match closest(unknown, SETTINGS) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("there are {}", SETTINGS.map(|name| format!("`{name}`")).join(", ")),
                    };
                    return Err(self.report(error.with_help(help)));
                }
            }
        }
        Ok(())
    }

    fn setting_text(&mut self, value: &ast::Expr) -> Result<Arc<str>> {
        match &value.kind {
            ExprKind::Text(text) => Ok(Arc::clone(text)),
            _ => Err(self.bad_setting(value.span, "a text in double quotes")),
        }
    }

    fn bad_setting(&mut self, span: Span, wanted: &str) -> super::Said {
        let error = Diagnostic::error("esql-setting", format!("the setting takes {wanted}"));
        self.report(error.at(span, "not this"))
    }

    fn unmapped_fields(&mut self, value: &ast::Expr) -> Result<bool> {
        match self.setting_text(value)?.to_ascii_lowercase().as_str() {
            "fail" | "default" => Ok(false),
            "nullify" | "load" => Ok(true),
            _ => Err(self.bad_setting(value.span, "\"fail\", \"nullify\" or \"load\"")),
        }
    }

    fn time_zone(&mut self, value: &ast::Expr) -> Result<i64> {
        let text = self.setting_text(value)?;
        if let Some(offset) = offset(&text) {
            return Ok(offset);
        }
        if text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let message = format!("the time zone \"{text}\": only offsets such as \"+02:00\" are handled");
            return Err(self.unsupported("time-zone", message, value.span));
        }
        Err(self.bad_setting(value.span, "a time zone, such as \"Z\" or \"+02:00\""))
    }

    /// A point in time as the clock of the query's zone shows it, as if that were UTC.
    pub(super) fn local(&self, millis: Expr) -> Expr {
        self.shifted(Function::Add, millis)
    }

    /// The point in time at which the clock of the query's zone shows this.
    pub(super) fn instant_of_local(&self, millis: Expr) -> Expr {
        self.shifted(Function::Subtract, millis)
    }

    fn shifted(&self, function: Function, millis: Expr) -> Expr {
        if self.settings.zone == 0 {
            return millis;
        }
        Expr::call(function, [millis, Expr::Literal(Value::Int(self.settings.zone))])
    }

    /// How far the clock of the query's zone is ahead of UTC, in milliseconds.
    pub(super) fn zone(&self) -> i64 {
        self.settings.zone
    }

    /// Whether a name that the source lacks is a column of null here.
    pub(super) fn takes_unmapped(&self) -> bool {
        self.settings.nullify && !self.chosen && self.inputs != Inputs::Events
    }

    /// A name that the source lacks, as the column of null that the query wants it to be; `None` if it is unknown.
    pub(super) fn unmapped(&mut self, name: &str) -> Option<Typed> {
        if !self.takes_unmapped() || self.symbolic {
            return None;
        }
        let name: Arc<str> = name.into();
        self.stages.push(Stage::Eval(vec![(Arc::clone(&name), Expr::Literal(Value::Null))]));
        let column = Column::computed(Arc::clone(&name), Type::Null, false);
        let value = column.value();
        // It stands with the source's columns, before those that have been computed.
        let computed = |item: &Item| matches!(item, Item::Column(own) if !self.source_columns.contains(&own.name));
        let place = self.columns.items.iter().position(computed).unwrap_or(self.columns.items.len());
        self.columns.items.insert(place, Item::Column(column));
        self.source_columns.insert(name);
        Some(value)
    }

    /// Remembers which columns are those of the source.
    pub(super) fn begin(&mut self) {
        self.source_columns = self.columns.columns().map(|column| Arc::clone(&column.name)).collect();
    }
}

/// How far a clock is ahead of UTC, in milliseconds: `Z`, `UTC`, `GMT`, `+2`, `+02`, `+02:00`, `+0200`, also behind `UTC` or `GMT`.
fn offset(text: &str) -> Option<i64> {
    let text = ["UTC", "GMT", "UT"].iter().find_map(|zone| text.strip_prefix(zone)).unwrap_or(text);
    if matches!(text, "" | "Z") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match (rest.split_once(':'), rest.len()) {
        (Some(parts), _) => parts,
        (None, 4) => rest.split_at_checked(2)?,
        (None, _) => (rest, "0"),
    };
    let number = |text: &str| text.parse::<i64>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

#[cfg(test)]
mod tests {
    use super::offset;

    #[test]
    fn offsets_are_read_in_every_form() {
        let hour = 3_600_000;
        for (text, expected) in [
            ("Z", Some(0)),
            ("UTC", Some(0)),
            ("+2", Some(2 * hour)),
            ("-02", Some(-2 * hour)),
            ("+05:30", Some(5 * hour + hour / 2)),
            ("GMT-0330", Some(-3 * hour - hour / 2)),
            ("+19:00", None),
            ("+05:60", None),
            ("Europe/Berlin", None),
            ("5", None),
            ("", Some(0)),
        ] {
            assert_eq!(offset(text), expected, "{text}");
        }
    }
}
