//! Rows as a series: `accum`, `delta`, `autoregress`, `trendline`, intervals that depend on all values, and series without
//! gaps.
//!
//! What comes of the rows before is computed over the rows so far, in Splunk's order: over events, newest first.

use std::sync::Arc;

use lurcher_diagnostics::Span;
use lurcher_ir::{
    Aggregate, AggregateColumn, Aggregation, Calculation as C, ColumnPattern, Expand, Expr, Function, GroupBy, Join,
    JoinKind, ListKeys, LooseFunction, NullKeys, Running, SortKey, Stage,
};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    columns::seconds,
    eval::calculate,
    rows::{Names, Rows, Source, loose},
    stats::setting,
    terms::not_null,
};
use crate::spl::ast::{Name, Settings, Trend};

/// `autoregress` looks at most so many rows back.
const MAX_LAGS: u64 = 100;
/// The intervals of time that fit a range, and how many seconds the range may have for each: about a hundred intervals.
const INTERVALS: [(i64, i64); 9] = [
    (1, 100),
    (5, 500),
    (10, 1_000),
    (30, 3_000),
    (60, 6_000),
    (300, 30_000),
    (600, 60_000),
    (1_800, 180_000),
    (3_600, 360_000),
];

pub(super) fn number(value: i64) -> Expr {
    Expr::Literal(Value::Int(value))
}

pub(super) fn column(name: &Arc<str>) -> Expr {
    Expr::Column(Arc::clone(name))
}

/// An aggregation over the rows so far, all in one group.
pub(super) fn running(aggregates: Vec<AggregateColumn>, window: Option<u64>, current: bool) -> Running {
    Running {
        by: GroupBy::nothing(),
        aggregates,
        window,
        global: false,
        span: None,
        current,
        reset_before: None,
        reset_after: None,
        reset_on_change: false,
    }
}

impl Lowerer<'_> {
    /// `accum`, `delta` and `autoregress`.
    pub(super) fn series(
        &mut self,
        command: &Name,
        field: &Name,
        alias: Option<&Name>,
        settings: &Settings,
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        rows.order();
        let value = self.name(&field.text, field.span, &rows.names);
        rows.names.set(&field.text, value);
        rows.make_columns();
        let lags = setting(settings, "p").map_or((1, 1), |text| {
            let (first, last) = text.text.split_once('-').unwrap_or((&text.text, &text.text));
            (first.parse().unwrap_or(1), last.parse().unwrap_or(1))
        });
        let lags = (lags.0.clamp(1, MAX_LAGS), lags.1.clamp(1, MAX_LAGS));
        let named = |default: String| alias.map_or_else(|| default.into(), |alias| Arc::clone(&alias.text));
        match command.text.to_ascii_lowercase().as_str() {
            "accum" => {
                let total = self.parts.fresh_name("total");
                let sum = AggregateColumn::new(Arc::clone(&total), Aggregate::Sum, [column(&field.text)]);
                rows.stages.push(Stage::Running(running(vec![sum], None, true)));
                // A row without a number stays as it is.
                let there = not_null(loose(LooseFunction::Number, [column(&field.text)]));
                let sum = Expr::call(Function::If, [there, column(&total), column(&field.text)]);
                let name = alias.map_or_else(|| Arc::clone(&field.text), |alias| Arc::clone(&alias.text));
                rows.stages.push(Stage::Eval(vec![(Arc::clone(&name), sum)]));
                rows.stages.push(Stage::Drop(vec![ColumnPattern::Named(total)]));
                rows.names.set(&name, column(&name));
            }
            "delta" => {
                let before = self.row_before(&field.text, lags.0, &mut rows);
                let name = named(format!("delta({})", field.text));
                let difference = calculate(C::Subtract, [column(&field.text), before.1]);
                rows.stages.push(Stage::Eval(vec![(Arc::clone(&name), difference)]));
                rows.stages.push(Stage::Drop(before.0));
                rows.names.set(&name, column(&name));
            }
            _ => {
                for lag in lags.0..=lags.1.max(lags.0) {
                    let before = self.row_before(&field.text, lag, &mut rows);
                    let name = match alias {
                        Some(alias) if lags.0 >= lags.1 => Arc::clone(&alias.text),
                        _ => format!("{}_p{lag}", alias.unwrap_or(field).text).into(),
                    };
                    rows.stages.push(Stage::Eval(vec![(Arc::clone(&name), before.1)]));
                    rows.stages.push(Stage::Drop(before.0));
                    rows.names.set(&name, column(&name));
                }
            }
        }
        Ok(rows)
    }

    /// The value of a column so many rows before, and the columns that are made for it.
    fn row_before(&mut self, name: &Arc<str>, lag: u64, rows: &mut Rows) -> (Vec<ColumnPattern>, Expr) {
        let (value, count) = (self.parts.fresh_name("before"), self.parts.fresh_name("rows"));
        // Rows without a value count as rows: what is looked at is a list of one or none.
        let boxed = Expr::List(vec![column(name)]);
        let first = AggregateColumn::new(Arc::clone(&value), Aggregate::First, [boxed]);
        let counted = AggregateColumn::new(Arc::clone(&count), Aggregate::Count, []);
        rows.stages.push(Stage::Running(running(vec![first, counted], Some(lag), false)));
        let full = Expr::call(
            Function::Equal(lurcher_ir::Case::Sensitive),
            [column(&count), number(i64::try_from(lag).unwrap_or(1))],
        );
        let inner = Expr::call(Function::Index, [column(&value), number(0)]);
        let found = Expr::call(Function::If, [full, inner, Expr::Literal(Value::Null)]);
        (vec![ColumnPattern::Named(value), ColumnPattern::Named(count)], found)
    }

    /// `trendline`: moving averages, plain (`sma`), weighing rows by how near they are (`wma`), smoothed (`ema`).
    pub(super) fn trendline(&mut self, trends: &[Trend], mut rows: Rows) -> Result<Rows, Said> {
        rows.order();
        for trend in trends {
            let function = trend.function.text.to_ascii_lowercase();
            let digits = function.trim_start_matches(char::is_alphabetic);
            let period: u64 = digits.parse().unwrap_or(0);
            let kind = match function.get(..3) {
                Some("sma") => Some(Aggregate::Average),
                Some("wma") => Some(Aggregate::LinearAverage),
                Some("ema") => u32::try_from(period).ok().map(|period| Aggregate::SmoothedAverage { period }),
                _ => None,
            };
            let Some(kind) = kind.filter(|_| (2..=10_000).contains(&period)) else {
                return Err(self.report(
                    lurcher_diagnostics::Diagnostic::error(
                        "spl-trend",
                        format!("there is no trend `{}`", trend.function.text),
                    )
                    .at(trend.function.span, "`sma`, `ema` or `wma`, and over how many rows: from 2 to 10000"),
                ));
            };
            let value = self.name(&trend.field.text, trend.field.span, &rows.names);
            rows.names.set(&trend.field.text, value);
            rows.make_columns();
            let (mean, count) = (self.parts.fresh_name("mean"), self.parts.fresh_name("rows"));
            let aggregates = vec![
                AggregateColumn::new(Arc::clone(&mean), kind, [column(&trend.field.text)]),
                AggregateColumn::new(Arc::clone(&count), Aggregate::Count, []),
            ];
            // A smoothed mean goes on from the first row; the others look at so many.
            let window = (!matches!(kind, Aggregate::SmoothedAverage { .. })).then_some(period);
            rows.stages.push(Stage::Running(running(aggregates, window, true)));
            let full =
                Expr::call(Function::LessOrEqual, [number(i64::try_from(period).unwrap_or(i64::MAX)), column(&count)]);
            let found = Expr::call(Function::If, [full, column(&mean), Expr::Literal(Value::Null)]);
            let name = trend
                .alias
                .as_ref()
                .map_or_else(|| format!("{function}({})", trend.field.text).into(), |alias| Arc::clone(&alias.text));
            rows.stages.push(Stage::Eval(vec![(Arc::clone(&name), found)]));
            rows.stages.push(Stage::Drop(vec![ColumnPattern::Named(mean), ColumnPattern::Named(count)]));
            rows.names.set(&name, column(&name));
        }
        Ok(rows)
    }

    /// The length of the intervals that the values of a column fall into: made for the range that they span.
    pub(super) fn interval(
        &mut self,
        name: &Arc<str>,
        time: bool,
        settings: &Settings,
        span: Span,
        rows: &mut Rows,
    ) -> Expr {
        let message = "the length of the intervals is chosen by the range of the values, where Splunk's hangs on the time range, too";
        self.approximate("bins", message, span);
        let value = rows.names.get(name);
        rows.names.set(name, value);
        rows.make_columns();
        let (least, greatest) = (self.parts.fresh_name("least"), self.parts.fresh_name("greatest"));
        let aggregates = [(&least, Aggregate::LooseMin), (&greatest, Aggregate::LooseMax)];
        let numbers = loose(LooseFunction::Number, [column(name)]);
        let aggregates = aggregates.map(|(to, kind)| AggregateColumn::new(Arc::clone(to), kind, [numbers.clone()]));
        rows.stages.push(Stage::Inline(Aggregation {
            by: GroupBy::nothing(),
            aggregates: aggregates.to_vec(),
            each: Vec::new(),
        }));
        let bound = |option: &str, found: &Arc<str>| {
            let stated = setting(settings, option).and_then(|text| text.text.parse::<f64>().ok());
            stated.map_or_else(|| column(found), |stated| Expr::Literal(Value::Float(stated)))
        };
        let width = calculate(C::Subtract, [bound("end", &greatest), bound("start", &least)]);
        let length = if time {
            let mut cases = Vec::new();
            for (seconds, most) in INTERVALS {
                cases.push(loose(LooseFunction::LessOrEqual, [width.clone(), number(most)]));
                cases.push(number(seconds));
            }
            cases.extend([Expr::Literal(Value::Bool(true)), number(86_400)]);
            Expr::Call(Function::Case, cases)
        } else {
            let bins = setting(settings, "bins").and_then(|text| text.text.parse::<i64>().ok()).unwrap_or(100).max(1);
            // The least power of ten with which there are no more intervals than asked for.
            let share = calculate(C::Divide, [width, number(bins)]);
            let exponent = calculate(C::Ceiling, [calculate(C::Logarithm, [share])]);
            let power = calculate(C::Power, [number(10), exponent]);
            Expr::call(Function::Coalesce, [power, number(1)])
        };
        match setting(settings, "minspan").and_then(|text| seconds(&text.text)) {
            Some(least) => loose(LooseFunction::Greatest, [length, Expr::Literal(Value::Float(least))]),
            None => length,
        }
    }

    /// Adds rows for the intervals of time that no row falls into; `zero` are the columns that are 0 there.
    pub(super) fn without_gaps(
        &mut self,
        key: &Arc<str>,
        length: Expr,
        zero: Vec<ColumnPattern>,
        mut rows: Rows,
    ) -> Rows {
        rows.make_columns();
        let size = self.parts.fresh_name("size");
        rows.stages.push(Stage::Eval(vec![(Arc::clone(&size), length)]));
        let (branch, names) = self.park(rows);
        let [least, greatest, all] = ["least", "greatest", "all"].map(|name| self.parts.fresh_name(name));
        let mut series = Rows::of(Source::Branch(branch), Names::new(super::rows::Base::Row));
        let of =
            |name: &Arc<str>, kind, value: &Arc<str>| AggregateColumn::new(Arc::clone(name), kind, [column(value)]);
        series.stages.push(Stage::Aggregate(Aggregation {
            by: GroupBy { keys: Vec::new(), nulls: NullKeys::Group, lists: ListKeys::Whole },
            aggregates: vec![
                of(&least, Aggregate::LooseMin, key),
                of(&greatest, Aggregate::LooseMax, key),
                of(&size, Aggregate::LooseMin, &size),
            ],
            each: Vec::new(),
        }));
        let end = loose(LooseFunction::Add, [column(&greatest), column(&size)]);
        let range = Expr::Call(Function::Range, vec![column(&least), end, column(&size)]);
        series.stages.push(Stage::Project(vec![(Arc::clone(&all), range)]));
        series.stages.push(Stage::Expand(Expand::all(Arc::clone(&all))));
        series.stages.push(Stage::Eval(vec![(Arc::clone(key), column(&all))]));
        series.stages.push(Stage::Drop(vec![ColumnPattern::Named(all)]));
        series.stages.push(Stage::Join(Join {
            branch,
            kind: JoinKind::Full,
            keys: vec![(column(key), column(key))],
            most: Some(1),
            overwrite: true,
        }));
        series.stages.push(Stage::Where(not_null(column(key))));
        series.stages.push(Stage::Sort(vec![SortKey { loose: true, ..SortKey::new(column(key), false) }]));
        series.stages.push(Stage::Drop(vec![ColumnPattern::Named(Arc::clone(&size))]));
        if !zero.is_empty() {
            series.stages.push(Stage::FillNull { columns: zero, value: Value::Int(0) });
        }
        series.names = names;
        series.names.remove(&size);
        series.ordered = true;
        series
    }

    /// `makecontinuous span=5m field`.
    pub(super) fn makecontinuous(&mut self, fields: &[Name], settings: &Settings, span: Span, mut rows: Rows) -> Rows {
        rows.order();
        let key: Arc<str> = fields.first().map_or_else(|| "_time".into(), |field| Arc::clone(&field.text));
        if rows.names.base == super::rows::Base::Event {
            rows.flatten();
        }
        let stated = setting(settings, "span").and_then(|text| seconds(&text.text).or_else(|| text.text.parse().ok()));
        let length = match stated.filter(|length| *length > 0.0) {
            Some(length) if length.fract() == 0.0 => number(length as i64),
            Some(length) => Expr::Literal(Value::Float(length)),
            None => self.interval(&key, super::stats::is_time(&key), settings, span, &mut rows),
        };
        let value = loose(LooseFunction::Bucket, [rows.names.get(&key), length.clone()]);
        self.assign(&mut rows, &key, value);
        self.without_gaps(&key, length, Vec::new(), rows)
    }
}
