//! When to search, said among the terms: `earliest=-70m@m latest=@h`, `starttime=…`, `_index_earliest=…`.
//!
//! A time is counted from the moment of the run: when a scheduled rule runs, or where a hunt ends. Times in the search take
//! the place of the schedule's own; in a search in brackets they hold there alone. `latest` is `now` if only `earliest` is
//! said. The first moment lies in the range, the last one does not.
//!
//! Source: Splunk's Search Manual, *Specify time modifiers in your search*; Search Reference, `search`.

use std::sync::Arc;

use lurcher_diagnostics::Diagnostic;
use lurcher_ir::{ColumnPattern, Expr, Function, LooseFunction, MOMENT, Moment, Stage};
use lurcher_schema::{RelativeTime, Timestamp, Value};

use super::{
    Lowerer,
    rows::{Names, Rows, loose},
    terms::{Condition, any_value},
};
use crate::spl::ast::{Name, Operator, Term};

/// The times that terms name.
#[derive(Debug, Default)]
pub(super) struct Times {
    /// Whether there are any.
    named: bool,
    from: Vec<RelativeTime>,
    to: Vec<RelativeTime>,
    /// How dates are written (`timeformat`).
    format: Option<Arc<str>>,
}

/// What a word about time bounds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bound {
    First,
    Last,
    FirstIndexed,
    LastIndexed,
    /// How dates are written.
    Format,
}

/// The units of `startdaysago` and its like.
const UNITS: [(&str, &str); 4] = [("daysago", "d"), ("hoursago", "h"), ("minutesago", "m"), ("monthsago", "mon")];

/// Whether a name says when to search.
pub(super) fn is_time(name: &str) -> bool {
    bound(name).is_some()
}

/// What a name bounds, and the unit that its number counts back in.
fn bound(name: &str) -> Option<(Bound, Option<&'static str>)> {
    let plain = |bound| Some((bound, None));
    match name {
        "earliest" | "starttime" | "starttimeu" => plain(Bound::First),
        "latest" | "endtime" | "endtimeu" => plain(Bound::Last),
        "_index_earliest" => plain(Bound::FirstIndexed),
        "_index_latest" => plain(Bound::LastIndexed),
        "timeformat" => plain(Bound::Format),
        _ => {
            let (bound, unit) = match (name.strip_prefix("start"), name.strip_prefix("end")) {
                (Some(unit), _) => (Bound::First, unit),
                (_, Some(unit)) => (Bound::Last, unit),
                _ => (Bound::First, name),
            };
            let (_, unit) = UNITS.iter().find(|(known, _)| *known == unit)?;
            Some((bound, Some(unit)))
        }
    }
}

impl Lowerer<'_> {
    /// Keeps the rows that fit terms, those about time among them.
    pub(super) fn keep_terms(&mut self, rows: &mut Rows, term: &Term) -> Result<(), super::Said> {
        let outer = std::mem::take(&mut self.times);
        self.times.format = time_format(term);
        let condition = self.term(term, &rows.names);
        let times = std::mem::replace(&mut self.times, outer);
        let condition = condition?;
        if !times.named {
            self.keep(rows, condition);
            return Ok(());
        }
        self.keep(rows, condition.clone().relaxed(&asks_moment));
        rows.stages.push(Stage::Moment(times.moment()));
        let timed = match condition {
            Condition::All(parts) => Condition::All(parts.into_iter().filter(|part| part.asks(&asks_moment)).collect()),
            other if other.asks(&asks_moment) => other,
            _ => Condition::Constant(true),
        };
        if timed.asks(&asks_moment) {
            rows.stages.push(Stage::Where(timed.into_expr()));
        }
        rows.stages.push(Stage::Drop(vec![ColumnPattern::from(MOMENT)]));
        Ok(())
    }

    /// A comparison that says when.
    pub(super) fn time_range(&mut self, field: &Name, value: &Name, names: &Names) -> Condition {
        let Some((bound, unit)) = bound(&field.text) else { return Condition::Constant(true) };
        if bound == Bound::Format {
            return Condition::Constant(true);
        }
        let text = match unit {
            Some(unit) => format!("-{}{unit}", value.text.trim()),
            None => value.text.trim().trim_end_matches("()").to_owned(),
        };
        let of_index = matches!(bound, Bound::FirstIndexed | Bound::LastIndexed);
        let Some((moment, relative)) = self.moment(&text) else {
            self.report(
                Diagnostic::error("spl-time", format!("`{}` is no time", value.text))
                    .at(field.span.to(value.span), "this cannot be read")
                    .with_help("such as `-70m@m`, `@d`, `now`, `1709287200` or `03/01/2024:10:00:00`"),
            );
            return Condition::Constant(true);
        };
        let first = matches!(bound, Bound::First | Bound::FirstIndexed);
        let is_now = relative.as_ref().is_some_and(|time| *time == RelativeTime::now());
        if of_index {
            let message =
                "an event that does not say when it was indexed (`_indextime`) counts as indexed when it happened";
            self.approximate("index-time", message, field.span.to(value.span));
        } else {
            let ends = if first { &mut self.times.from } else { &mut self.times.to };
            ends.extend(relative);
        }
        self.times.named = true;
        // Nothing is later than now.
        if is_now && !first {
            return Condition::Constant(true);
        }
        let time = if of_index {
            Expr::call(Function::Coalesce, [names.get("_indextime"), names.get("_time")])
        } else {
            names.get("_time")
        };
        Condition::Holds(if first {
            any_value(Function::LessOrEqual, [moment, time])
        } else {
            any_value(Function::Less, [time, moment])
        })
    }

    /// A time as seconds since 1970, and as it is counted from the moment of the run, if that is known.
    fn moment(&self, text: &str) -> Option<(Expr, Option<RelativeTime>)> {
        let counted = |text: &str| {
            loose(LooseFunction::RelativeTime, [Expr::Column(MOMENT.into()), Expr::Literal(Value::text(text))])
        };
        if self.unknown.is_some_and(|unknown| text.contains(unknown)) {
            return Some((counted(text), None));
        }
        if let Some(format) = &self.times.format
            && !text.starts_with(['-', '+', '@'])
            && text != "now"
        {
            let parts = [Expr::Literal(Value::text(text)), Expr::Literal(Value::Text(Arc::clone(format)))];
            return Some((loose(LooseFunction::ParseTime, parts), None));
        }
        if let Some(seconds) = seconds_of(text) {
            let fixed = RelativeTime::from_modifier(&format!("{}", seconds.max(0.0)));
            return Some((Expr::Literal(Value::Float(seconds)), fixed));
        }
        let relative = RelativeTime::from_modifier(text)?;
        Some((counted(text), Some(relative)))
    }
}

impl Times {
    /// The range that holds all times: what the rule's schedule is overridden with.
    fn moment(self) -> Moment {
        let outermost = |times: Vec<RelativeTime>, first: bool| {
            let of = |time: &RelativeTime| time.at(REFERENCE);
            if first { times.into_iter().min_by_key(of) } else { times.into_iter().max_by_key(of) }
        };
        let (from, to) = (outermost(self.from, true), outermost(self.to, false));
        // Said to be searched from some time on and no end: up to now.
        let to = to.or_else(|| from.is_some().then(RelativeTime::now));
        Moment { from, to: to.map(RelativeTime::just_before), beside_window: false }
    }
}

/// A moment by which ranges are compared that are counted from one: the end of 2025.
pub(super) const REFERENCE: Timestamp = Timestamp(1_767_225_599_000_000);

/// Whether an expression asks what time it is.
fn asks_moment(expr: &Expr) -> bool {
    expr.reads_column(&|column| column == MOMENT)
}

fn time_format(term: &Term) -> Option<Arc<str>> {
    match term {
        Term::And(parts) | Term::Or(parts) => parts.iter().find_map(time_format),
        Term::Compare { field, operator: Operator::Equal, value } if field.text.as_ref() == "timeformat" => {
            Some(Arc::clone(&value.text))
        }
        _ => None,
    }
}

/// A fixed moment as seconds since 1970: written as such, or as `month/day/year:hour:minute:second` in UTC.
fn seconds_of(text: &str) -> Option<f64> {
    if text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && let Ok(seconds) = text.parse::<f64>()
    {
        return Some(seconds);
    }
    let (date, time) = text.split_once(':').unwrap_or((text, "00:00:00"));
    let mut parts = date.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let written = format!("{year:0>4}-{month:0>2}-{day:0>2}T{time}Z");
    Timestamp::parse(&written).map(|time| time.0 as f64 / 1e6)
}
