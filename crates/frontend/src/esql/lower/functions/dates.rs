//! Functions of points in time, and the buckets that `STATS` groups by.

use lurcher_diagnostics::Diagnostic;
use lurcher_ir::{Expr, Function, Interval, NumberFunction, TimeFunction as T, TimePart, TimeUnit, ZoneFunction};
use lurcher_schema::{Value, Zone};

use super::{Call, Class};
use crate::{
    esql::{
        lower::{
            Lowerer, Result,
            operators::{in_nanos, read_date},
            settings::in_zone,
            value::{Node, Typed},
        },
        types::Type,
    },
    syntax::closest,
};

/// The names of units, for `DATE_DIFF`.
const UNITS: [(&str, TimeUnit); 41] = [
    ("year", TimeUnit::Year),
    ("years", TimeUnit::Year),
    ("yy", TimeUnit::Year),
    ("yyyy", TimeUnit::Year),
    ("quarter", TimeUnit::Quarter),
    ("quarters", TimeUnit::Quarter),
    ("qq", TimeUnit::Quarter),
    ("q", TimeUnit::Quarter),
    ("month", TimeUnit::Month),
    ("months", TimeUnit::Month),
    ("mm", TimeUnit::Month),
    ("m", TimeUnit::Month),
    ("dayofyear", TimeUnit::Day),
    ("dy", TimeUnit::Day),
    ("y", TimeUnit::Day),
    ("day", TimeUnit::Day),
    ("days", TimeUnit::Day),
    ("dd", TimeUnit::Day),
    ("d", TimeUnit::Day),
    ("week", TimeUnit::Week),
    ("weeks", TimeUnit::Week),
    ("wk", TimeUnit::Week),
    ("ww", TimeUnit::Week),
    ("weekday", TimeUnit::Day),
    ("weekdays", TimeUnit::Day),
    ("dw", TimeUnit::Day),
    ("hour", TimeUnit::Hour),
    ("hours", TimeUnit::Hour),
    ("hh", TimeUnit::Hour),
    ("minute", TimeUnit::Minute),
    ("minutes", TimeUnit::Minute),
    ("mi", TimeUnit::Minute),
    ("n", TimeUnit::Minute),
    ("second", TimeUnit::Second),
    ("seconds", TimeUnit::Second),
    ("ss", TimeUnit::Second),
    ("s", TimeUnit::Second),
    ("millisecond", TimeUnit::Millisecond),
    ("milliseconds", TimeUnit::Millisecond),
    ("ms", TimeUnit::Millisecond),
    ("microseconds", TimeUnit::Microsecond),
];

const MORE_UNITS: [(&str, TimeUnit); 5] = [
    ("microsecond", TimeUnit::Microsecond),
    ("mcs", TimeUnit::Microsecond),
    ("nanosecond", TimeUnit::Nanosecond),
    ("nanoseconds", TimeUnit::Nanosecond),
    ("ns", TimeUnit::Nanosecond),
];

/// The names of parts, for `DATE_EXTRACT`.
const PARTS: [(&str, TimePart); 30] = [
    ("year", TimePart::Year),
    ("year_of_era", TimePart::YearOfEra),
    ("era", TimePart::Era),
    ("month_of_year", TimePart::MonthOfYear),
    ("proleptic_month", TimePart::ProlepticMonth),
    ("day_of_month", TimePart::DayOfMonth),
    ("day_of_week", TimePart::DayOfWeek),
    ("day_of_year", TimePart::DayOfYear),
    ("epoch_day", TimePart::EpochDay),
    ("aligned_week_of_month", TimePart::AlignedWeekOfMonth),
    ("aligned_week_of_year", TimePart::AlignedWeekOfYear),
    ("aligned_day_of_week_in_month", TimePart::AlignedDayOfWeekInMonth),
    ("aligned_day_of_week_in_year", TimePart::AlignedDayOfWeekInYear),
    ("ampm_of_day", TimePart::HalfOfDay),
    ("hour_of_day", TimePart::HourOfDay),
    ("clock_hour_of_day", TimePart::ClockHourOfDay),
    ("hour_of_ampm", TimePart::HourOfHalf),
    ("clock_hour_of_ampm", TimePart::ClockHourOfHalf),
    ("minute_of_hour", TimePart::MinuteOfHour),
    ("minute_of_day", TimePart::MinuteOfDay),
    ("second_of_minute", TimePart::SecondOfMinute),
    ("second_of_day", TimePart::SecondOfDay),
    ("milli_of_second", TimePart::MilliOfSecond),
    ("milli_of_day", TimePart::MilliOfDay),
    ("micro_of_second", TimePart::MicroOfSecond),
    ("micro_of_day", TimePart::MicroOfDay),
    ("nano_of_second", TimePart::NanoOfSecond),
    ("nano_of_day", TimePart::NanoOfDay),
    ("instant_seconds", TimePart::EpochSecond),
    ("offset_seconds", TimePart::OffsetSeconds),
];

const DAY: i64 = 86_400_000;

/// The lengths of buckets that look well to people, the longest first; the flag says that they are by the calendar.
const BUCKETS: [Interval; 22] = {
    const fn months(months: i64) -> Interval {
        Interval { months, days: 0, millis: 0 }
    }
    const fn millis(millis: i64) -> Interval {
        Interval { months: 0, days: 0, millis }
    }
    [
        months(1200),
        months(600),
        months(240),
        months(120),
        months(60),
        months(12),
        months(3),
        months(1),
        Interval { months: 0, days: 7, millis: 0 },
        Interval { months: 0, days: 1, millis: 0 },
        millis(12 * 3_600_000),
        millis(3 * 3_600_000),
        millis(3_600_000),
        millis(30 * 60_000),
        millis(10 * 60_000),
        millis(5 * 60_000),
        millis(60_000),
        millis(30_000),
        millis(10_000),
        millis(5000),
        millis(1000),
        millis(100),
    ]
};

impl Lowerer<'_> {
    pub(super) fn date_function(&mut self, call: &Call<'_>) -> Option<Result<Typed>> {
        Some(match call.name {
            "now" => Ok(Typed::single(Type::Date, Expr::call(Function::Now, []))),
            "date_trunc" => self.date_trunc(call),
            "date_diff" => self.date_diff(call),
            "date_extract" => self.date_extract(call),
            "date_format" => self.date_format(call),
            "date_parse" => self.date_parse(call),
            "year" => self.part(call, 0, TimePart::Year),
            "month" => self.part(call, 0, TimePart::MonthOfYear),
            "day" => self.part(call, 0, TimePart::DayOfMonth),
            "hour" => self.part(call, 0, TimePart::HourOfDay),
            "day_name" => self.named(call, T::DayName),
            "month_name" => self.named(call, T::MonthName),
            "bucket" | "bin" => self.bucket(call),
            "tbucket" => self.time_bucket(call),
            "trange" => self.time_range(call),
            _ => return None,
        })
    }

    fn named(&mut self, call: &Call<'_>, function: T) -> Result<Typed> {
        let time = self.date_at(call, 0)?;
        Ok(Typed::single(Type::Keyword, Expr::call(Function::Time(function), [self.local(time)])))
    }

    /// A constant length of time.
    fn span_at(&mut self, call: &Call<'_>, place: usize) -> Result<Interval> {
        let typed = call.at(place);
        let read = typed.span().or_else(|| {
            let text = typed.text()?;
            let (count, unit) = text.trim().split_once(char::is_whitespace)?;
            Some(crate::esql::lower::expressions::interval(count.parse().ok()?, unit.trim())?.1)
        });
        let simple = |span: &Interval| {
            let parts = [span.months, span.days, span.millis];
            parts.iter().filter(|part| **part != 0).count() == 1 && parts.iter().all(|part| *part >= 0)
        };
        read.filter(simple).ok_or_else(|| {
            let message = format!("argument {} of `{}` must be a length of time", place + 1, call.name.to_uppercase());
            self.report(
                Diagnostic::error("esql-time-span", message)
                    .at(call.span(place), "no length of time")
                    .with_help("write it as a constant: `5 minutes`"),
            )
        })
    }

    fn date_trunc(&mut self, call: &Call<'_>) -> Result<Typed> {
        let span = self.span_at(call, 0)?;
        self.truncated(call, 1, span)
    }

    /// A date at the beginning of its length of time, as fine as it came.
    fn truncated(&mut self, call: &Call<'_>, place: usize, span: Interval) -> Result<Typed> {
        let fine = call.at(place).kind == Type::DateNanos;
        let time = self.date_at(call, place)?;
        let time = self.beginning(time, span);
        Ok(if fine { Typed::single(Type::DateNanos, in_nanos(time)) } else { Typed::single(Type::Date, time) })
    }

    fn date_diff(&mut self, call: &Call<'_>) -> Result<Typed> {
        let name = self.constant_text(call, 0)?;
        let units = UNITS.iter().chain(&MORE_UNITS);
        let Some((_, unit)) = units.clone().find(|(known, _)| name.eq_ignore_ascii_case(known)) else {
            let diagnostic = Diagnostic::error("esql-constant", format!("there is no unit of time \"{name}\""))
                .at(call.span(0), "unknown unit");
            let diagnostic = match closest(&name, units.map(|(known, _)| *known)) {
                Some(meant) => diagnostic.with_help(format!("did you mean \"{meant}\"?")),
                None => diagnostic.with_help("such as \"seconds\", \"minutes\", \"hours\", \"days\""),
            };
            return Err(self.report(diagnostic));
        };
        let (mut start, mut end) = (self.date_at(call, 1)?, self.date_at(call, 2)?);
        // Days and longer are counted on the calendar, where a day may be an hour shorter or longer than others.
        if matches!(unit, TimeUnit::Year | TimeUnit::Quarter | TimeUnit::Month | TimeUnit::Week | TimeUnit::Day) {
            (start, end) = (self.local(start), self.local(end));
        }
        let difference = Expr::call(Function::Time(T::Difference(*unit)), [start, end]);
        let fitting = Expr::call(Function::Number(NumberFunction::Fits(32)), [difference]);
        Ok(Typed::single(Type::Integer, fitting))
    }

    fn date_extract(&mut self, call: &Call<'_>) -> Result<Typed> {
        let name = self.constant_text(call, 0)?;
        let Some((_, part)) = PARTS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)) else {
            let diagnostic = Diagnostic::error("esql-constant", format!("a date has no part \"{name}\""))
                .at(call.span(0), "unknown part");
            let diagnostic = match closest(&name, PARTS.iter().map(|(known, _)| *known)) {
                Some(meant) => diagnostic.with_help(format!("did you mean \"{meant}\"?")),
                None => diagnostic.with_help("such as \"year\", \"month_of_year\", \"day_of_week\", \"hour_of_day\""),
            };
            return Err(self.report(diagnostic));
        };
        self.part(call, 1, *part)
    }

    fn part(&mut self, call: &Call<'_>, place: usize, part: TimePart) -> Result<Typed> {
        let time = self.date_at(call, place)?;
        if part == TimePart::OffsetSeconds
            && let Some(zone) = self.zone()
        {
            return Ok(Typed::single(Type::Long, in_zone(zone, ZoneFunction::Offset, [time])));
        }
        let time = if part == TimePart::EpochSecond { time } else { self.local(time) };
        Ok(Typed::single(Type::Long, Expr::call(Function::Time(T::Part(part)), [time])))
    }

    fn date_format(&mut self, call: &Call<'_>) -> Result<Typed> {
        if call.count() == 1 {
            let time = self.date_at(call, 0)?;
            return Ok(Typed::single(Type::Keyword, Expr::call(Function::Time(T::Written), [time])));
        }
        let format = self.text_at(call, 0)?;
        let time = self.date_at(call, 1)?;
        let written = match self.zone() {
            Some(zone) => in_zone(zone, ZoneFunction::Formatted, [time, format]),
            None => Expr::call(Function::Time(T::Formatted), [time, format]),
        };
        Ok(Typed::single(Type::Keyword, written))
    }

    fn date_parse(&mut self, call: &Call<'_>) -> Result<Typed> {
        let own = self.parse_options(call)?;
        if call.count() == 1 {
            let text = self.text_at(call, 0)?;
            return Ok(Typed::single(Type::Date, Expr::call(Function::Time(T::Read), [text])));
        }
        let format = self.text_at(call, 0)?;
        let text = self.text_at(call, 1)?;
        let (zone, function) = match own {
            // Java makes nothing of an offset where the reader has been given a zone.
            Some(zone) => (zone, ZoneFunction::ParsedPastOffsets),
            None => (self.zone().cloned(), ZoneFunction::Parsed),
        };
        let time = match zone {
            Some(zone) => {
                if function == ZoneFunction::Parsed {
                    self.offset_in_format(call);
                }
                in_zone(&zone, function, [text, format])
            }
            None => Expr::call(Function::Time(T::Parsed), [text, format]),
        };
        Ok(Typed::single(Type::Date, time))
    }

    /// The time zone that `{ "time_zone": … }` names; UTC is none.
    fn parse_options(&mut self, call: &Call<'_>) -> Result<Option<Option<Zone>>> {
        let mut zone = None;
        for (name, value) in &call.options {
            let typed = self.expression(value)?;
            let Some(text) = typed.text() else {
                let error = Diagnostic::error("esql-option", format!("the option `{}` is a text", name.text));
                return Err(self.report(error.at(value.span, "no text").with_help("write it in double quotes")));
            };
            match name.text.as_ref() {
                "time_zone" => zone = Some(self.time_zone(text, value.span)?),
                "locale" if text.is_empty() || text.to_ascii_lowercase().starts_with("en") => {}
                "locale" => {
                    let message = format!(
                        "names of months and days of the locale \"{text}\": only English ones are read; leave `locale` out \
                         if the form has none"
                    );
                    return Err(self.unsupported("locale", message, value.span));
                }
                unknown => {
                    let error = Diagnostic::error("esql-option", format!("`DATE_PARSE` has no option `{unknown}`"));
                    let error = error.at(name.span, "unknown option");
                    return Err(self.report(error.with_help("it takes `time_zone` and `locale`")));
                }
            }
        }
        Ok(zone)
    }

    /// Of a form that has an offset in it, or that is computed, it is not known whether the offset or the query's zone counts.
    fn offset_in_format(&mut self, call: &Call<'_>) {
        let format = call.at(0).text().map(|text| unquoted(text));
        if format.is_some_and(|format| !format.contains(['Z', 'x', 'X', 'O'])) {
            return;
        }
        let message = "an offset in a text goes before the time zone that the query is set to";
        self.approximate("time-zone", message, call.span(0));
    }

    /// `BUCKET(value, size)` or `BUCKET(value, how many, from, to)`.
    fn bucket(&mut self, call: &Call<'_>) -> Result<Typed> {
        let call = &self.settled(call);
        let value = call.at(0);
        let size = call.at(1);
        let by_date = value.kind.is_date() || size.span().is_some();
        match (by_date, call.count()) {
            (true, 2) => {
                let span = self.span_at(call, 1)?;
                self.truncated(call, 0, span)
            }
            (true, 4) => {
                let (from, to) = (self.constant_date(call, 2)?, self.constant_date(call, 3)?);
                let count = match size.constant() {
                    Some(Value::Int(count)) if *count > 0 => *count,
                    _ => return Err(self.not_constant(call, 1)),
                };
                self.truncated(call, 0, human_bucket(self.local_constant(from), self.local_constant(to), count))
            }
            (false, 2) => {
                let number = self.want(call, 0, Class::Number)?;
                let width = self.want(call, 1, Class::Number)?;
                Ok(number_bucket(&number, width.fraction()))
            }
            (false, 4) => {
                let number = self.want(call, 0, Class::Number)?;
                let constants = [1, 2, 3].map(|place| call.at(place).constant().and_then(Value::as_number));
                let [Some(count), Some(from), Some(to)] = constants else { return Err(self.not_constant(call, 1)) };
                let precise = (to - from) / count;
                let power = 10_f64.powf(precise.log10().ceil());
                let width = if precise < power / 2.0 { power / 2.0 } else { power };
                Ok(number_bucket(&number, Expr::Literal(Value::Float(width))))
            }
            _ => {
                let message = "`BUCKET` takes a value and a size, or a value, a count and two ends";
                Err(self.report(Diagnostic::error("esql-arguments", message).at(call.span, "in this call")))
            }
        }
    }

    /// The call with columns that are the same constant in every row replaced by that.
    fn settled<'c>(&self, call: &Call<'c>) -> Call<'c> {
        let constant = |typed: &Typed| match &typed.node {
            Node::Expr(Expr::Column(name)) => self.columns.find(name).and_then(|column| column.constant.clone()),
            _ => None,
        };
        let arguments = call.arguments.iter().enumerate();
        let arguments = arguments.map(|(place, own)| match place {
            0 => own.clone(),
            _ => constant(own).unwrap_or_else(|| own.clone()),
        });
        Call {
            name: call.name,
            span: call.span,
            arguments: arguments.collect(),
            spans: call.spans.clone(),
            options: call.options.clone(),
        }
    }

    fn not_constant(&mut self, call: &Call<'_>, place: usize) -> crate::esql::lower::Said {
        let message = format!("`{}` wants constants here", call.name.to_uppercase());
        self.report(Diagnostic::error("esql-constant", message).at(call.span(place), "no constant"))
    }

    fn constant_date(&mut self, call: &Call<'_>, place: usize) -> Result<i64> {
        let typed = call.at(place);
        let found = match &typed.node {
            Node::Literal(Value::Text(text)) => read_date(text),
            Node::Literal(Value::Int(millis)) => Some(*millis),
            Node::Expr(expr) => match (moved_now(expr), self.options.now) {
                (Some(steps), Some(now)) => steps.iter().try_fold(now.0.div_euclid(1000), |time, (span, minus)| {
                    self.moved_constant_in_zone(time, *span, *minus)
                }),
                (Some(_), None) => {
                    let message = "a bucket whose ends count from `NOW()`, which a rule has no clock for";
                    return Err(self.unsupported("now", message, call.span(place)));
                }
                _ => None,
            },
            _ => None,
        };
        match found {
            Some(millis) => Ok(millis),
            None => Err(self.not_constant(call, place)),
        }
    }

    /// `TBUCKET(size)`: buckets of `@timestamp`.
    fn time_bucket(&mut self, call: &Call<'_>) -> Result<Typed> {
        let time = self.column("@timestamp", call.span)?;
        let span = self.span_at(call, 0)?;
        let time = crate::esql::lower::operators::millis(&time);
        Ok(Typed::single(Type::Date, self.beginning(time, span)))
    }

    /// `TRANGE(span)` or `TRANGE(start, end)`: a condition on `@timestamp`.
    fn time_range(&mut self, call: &Call<'_>) -> Result<Typed> {
        let time = self.column("@timestamp", call.span)?;
        let time = crate::esql::lower::operators::millis(&time);
        let now = Expr::call(Function::Now, []);
        let (start, end) = if call.count() == 1 {
            let span = self.span_at(call, 0)?;
            (Expr::call(Function::Time(T::Earlier(span)), [now.clone()]), now)
        } else {
            (self.date_at(call, 0)?, self.date_at(call, 1)?)
        };
        let within =
            [Expr::call(Function::Less, [start, time.clone()]), Expr::call(Function::LessOrEqual, [time, end])];
        Ok(Typed::single(Type::Boolean, Expr::Call(Function::And, within.into())))
    }
}

/// By which lengths of time an expression moves `NOW()`, the first first, and whether back; `None` if it is something else.
fn moved_now(expr: &Expr) -> Option<Vec<(Interval, bool)>> {
    match expr {
        Expr::Call(Function::Now, _) => Some(Vec::new()),
        Expr::Call(Function::Time(T::Earlier(span)) | Function::Zoned(_, ZoneFunction::Earlier(span)), time) => {
            let mut steps = moved_now(time.first()?)?;
            steps.push((*span, true));
            Some(steps)
        }
        Expr::Call(Function::Time(T::Later(span)) | Function::Zoned(_, ZoneFunction::Later(span)), time) => {
            let mut steps = moved_now(time.first()?)?;
            steps.push((*span, false));
            Some(steps)
        }
        _ => None,
    }
}

/// The letters of a form of dates that stand for something: all but what is in single quotes.
fn unquoted(format: &str) -> String {
    format.split('\'').step_by(2).collect()
}

fn number_bucket(number: &Typed, width: Expr) -> Typed {
    let quotient = Expr::call(Function::Divide, [number.fraction(), width.clone()]);
    let floor = Expr::call(Function::Number(NumberFunction::Floor), [quotient]);
    Typed::single(Type::Double, Expr::call(Function::Multiply, [floor, width]))
}

/// The shortest length of which no more than `count` buckets lie between two points in time.
fn human_bucket(from: i64, to: i64, count: i64) -> Interval {
    let length = |span: &Interval| span.months * 30 * DAY + span.days * DAY + span.millis;
    let fits = |span: &&Interval| {
        let length = length(span).max(1);
        let buckets = to.div_euclid(length) - from.div_euclid(length) + i64::from(to.rem_euclid(length) != 0);
        buckets <= count
    };
    BUCKETS.iter().rev().find(fits).copied().unwrap_or(BUCKETS[0])
}
