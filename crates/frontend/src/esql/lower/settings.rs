//! `SET name = value;` in front of a query.
//!
//! * `unmapped_fields`: over tables and `ROW`, `"nullify"` and `"load"` make columns of null of names that the source
//!   lacks, for as long as no command has chosen columns; `"fail"` (also called `"default"`) says that they are unknown. Of
//!   events every field counts as mapped that the event has; so all of these mean the same there.
//! * `time_zone`: where days begin for what truncates dates, reads or writes their parts, or moves them by days and months: an
//!   offset, or a zone by its name, whose clock may be moved.
//! * `approximation`: results are computed over all rows; the columns that would tell how sure an estimate is are not there.
//! * `project_routing`: where data lies is not the query's affair here.
//!
//! Source: <https://www.elastic.co/docs/reference/query-languages/esql/commands/set>.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Expr, Function, Interval, Stage, TimeFunction, ZoneFunction};
use lurcher_schema::{Value, Zone};

use super::{
    super::{
        ast::{self, ExprKind, Name},
        types::Type,
    },
    Inputs, Lowerer, Result,
    columns::{Column, Item},
    operators::moved_constant,
    value::Typed,
};
use crate::syntax::closest;

/// What can be set.
const SETTINGS: [&str; 4] = ["unmapped_fields", "time_zone", "approximation", "project_routing"];

/// What the settings of a query come to.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// Names that the source lacks are columns of null.
    nullify: bool,
    /// The query's time zone; none: UTC.
    zone: Option<Zone>,
}

impl Lowerer<'_> {
    /// Takes the settings over; of two of one name the last counts.
    pub(super) fn settings(&mut self, settings: &[(Name, ast::Expr)]) -> Result<()> {
        for (name, value) in settings {
            match name.text.as_ref() {
                "unmapped_fields" => self.settings.nullify = self.unmapped_fields(value)?,
                "time_zone" => {
                    let text = self.setting_text(value)?;
                    self.settings.zone = self.time_zone(&text, value.span)?;
                }
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

    /// A time zone: an offset, or a name of the IANA database. UTC is none.
    pub(super) fn time_zone(&mut self, text: &str, span: Span) -> Result<Option<Zone>> {
        if let Some(offset) = offset(text) {
            return Ok(Zone::fixed(offset).filter(|_| offset != 0));
        }
        if let Some(zone) = Zone::named(text) {
            return Ok(Some(zone).filter(|zone| zone.fixed_offset() != Some(0)));
        }
        let error = Diagnostic::error("esql-time-zone", format!("there is no time zone \"{text}\""))
            .at(span, "unknown time zone");
        let names: Vec<String> = Zone::names().collect();
        let names = || names.iter().map(String::as_str);
        // The city alone, or another case: as people know a zone.
        let like = |name: &&str| {
            name.eq_ignore_ascii_case(text) || name.rsplit('/').next().is_some_and(|c| c.eq_ignore_ascii_case(text))
        };
        let help = match names().find(like).or_else(|| closest(text, names())) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => "write an offset, such as \"+02:00\", or a name such as \"Europe/Berlin\"".to_owned(),
        };
        Err(self.report(error.with_help(help)))
    }

    /// A point in time as the clock of the query's zone shows it, as if that were UTC.
    pub(super) fn local(&self, millis: Expr) -> Expr {
        let Some(zone) = &self.settings.zone else { return millis };
        match zone.fixed_offset() {
            Some(offset) => Expr::call(Function::Add, [millis, Expr::Literal(Value::Int(offset))]),
            None => in_zone(zone, ZoneFunction::Local, [millis]),
        }
    }

    /// The point in time at which the clock of the query's zone shows this.
    fn instant_of_local(&self, millis: Expr) -> Expr {
        match self.settings.zone.as_ref().and_then(Zone::fixed_offset) {
            Some(offset) => Expr::call(Function::Subtract, [millis, Expr::Literal(Value::Int(offset))]),
            None => millis,
        }
    }

    /// The query's zone, if its clock is moved at times.
    fn moving_zone(&self) -> Option<&Zone> {
        self.settings.zone.as_ref().filter(|zone| zone.fixed_offset().is_none())
    }

    /// The beginning of the length of time that a point in time lies in, by the clock of the query's zone.
    pub(super) fn beginning(&self, millis: Expr, span: Interval) -> Expr {
        if let Some(zone) = self.moving_zone() {
            return in_zone(zone, ZoneFunction::Truncated(span), [millis]);
        }
        self.instant_of_local(Expr::call(Function::Time(TimeFunction::Truncated(span)), [self.local(millis)]))
    }

    /// A point in time that is so much later or earlier. Months are those of the query's zone; so are days where its clock is
    /// moved, for else each is as long as any other.
    pub(super) fn moved_in_zone(&self, millis: Expr, span: Interval, minus: bool) -> Expr {
        let by_calendar = span.months != 0 || span.days != 0;
        if let Some(zone) = self.moving_zone().filter(|_| by_calendar) {
            let function = if minus { ZoneFunction::Earlier(span) } else { ZoneFunction::Later(span) };
            return in_zone(zone, function, [millis]);
        }
        let function = Function::Time(if minus { TimeFunction::Earlier(span) } else { TimeFunction::Later(span) });
        if span.months == 0 {
            return Expr::call(function, [millis]);
        }
        self.instant_of_local(Expr::call(function, [self.local(millis)]))
    }

    /// The same of a constant, in milliseconds.
    pub(super) fn moved_constant_in_zone(&self, millis: i64, span: Interval, minus: bool) -> Option<i64> {
        let Some(zone) = &self.settings.zone else { return moved_constant(millis, span, minus) };
        let sign = if minus { -1 } else { 1 };
        let [months, days, rest] = [span.months, span.days, span.millis].map(|count| count.checked_mul(sign));
        zone.moved(millis, months?, days?, rest?)
    }

    /// What the clock of the query's zone shows at a constant point in time, in milliseconds.
    pub(super) fn local_constant(&self, millis: i64) -> i64 {
        let local = self.settings.zone.as_ref().and_then(|zone| zone.local(millis));
        local.unwrap_or(millis)
    }

    /// The query's time zone; none: UTC.
    pub(super) fn zone(&self) -> Option<&Zone> {
        self.settings.zone.as_ref()
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

/// A function by the clock of a zone.
pub(super) fn in_zone(zone: &Zone, function: ZoneFunction, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    Expr::call(Function::Zoned(zone.clone(), function), arguments)
}

/// How far a clock is ahead of UTC, in seconds: `Z`, `UTC`, `GMT`, `+2`, `+02`, `+02:00`, `+0200`, also behind `UTC` or `GMT`.
fn offset(text: &str) -> Option<i32> {
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
    let number = |text: &str| text.parse::<i32>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60)
}

#[cfg(test)]
mod tests {
    use super::offset;

    #[test]
    fn offsets_are_read_in_every_form() {
        let hour = 3600;
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
