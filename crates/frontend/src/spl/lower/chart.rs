//! `chart`, `timechart`, `top`, `rare`: tables with a column for each value of a field, and counts in order.
//!
//! Where no row falls into a place, a count is 0 and everything else null; `timechart` has a row for every interval.

use std::sync::Arc;

use lurcher_diagnostics::Span;
use lurcher_ir::{
    Aggregate, AggregateColumn, Aggregation, ColumnPattern, Expr, Function, GroupBy, LooseFunction, Pivot, SortKey,
    Stage,
};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    columns::seconds,
    rows::{Base, Names, Rows, loose},
    series::{column, number, running},
    stats::{is_on, setting},
};
use crate::spl::ast::{self, Argument, Chart, Name, Stats, Top};

impl Lowerer<'_> {
    /// `chart` and `timechart`.
    pub(super) fn chart(&mut self, chart: &Chart, mut rows: Rows, span: Span) -> Result<Rows, Said> {
        let mut stats = chart.stats.clone();
        let at = |name: &str| Name { text: name.into(), span, quoted: false };
        if setting(&stats.settings, "where").is_some() {
            self.approximate("chart-where", "which series are shown (`where`) is not looked at", span);
        }
        let over = if chart.time { Some(at("_time")) } else { chart.over.clone() };
        let mut by = stats.by.clone();
        let first = match over {
            Some(over) => over,
            None if by.is_empty() => return self.stats(&stats, rows),
            None => by.remove(0),
        };
        let length = self.chart_intervals(chart, &mut stats, &first, span, &mut rows)?;
        let columns = by.first().cloned();
        stats.by = std::iter::once(first.clone()).chain(columns.clone()).collect();
        if let Some(column) = &columns
            && is_on(&stats.settings, "usenull", true)
        {
            // Rows without the second key are a series of their own.
            let null = setting(&stats.settings, "nullstr").map_or("NULL", |text| text.text.as_ref());
            let series =
                Expr::call(Function::Coalesce, [rows.names.get(&column.text), Expr::Literal(Value::text(null))]);
            self.assign(&mut rows, &column.text, series);
        }
        let counts: Vec<Arc<str>> = stats
            .aggregates
            .iter()
            .filter(|aggregation| {
                ["count", "c", "dc", "distinct_count", "estdc"].iter().any(|name| aggregation.function.is(name))
            })
            .map(|aggregation| self.output_name(aggregation))
            .collect();
        let all_count = counts.len() == stats.aggregates.len();
        let single = stats.aggregates.len() <= 1;
        let mut rows = self.stats(&stats, rows)?;
        let zero: Vec<ColumnPattern> = match (&columns, single) {
            (None, _) => counts.iter().map(|name| ColumnPattern::Named(Arc::clone(name))).collect(),
            (Some(_), true) if all_count => vec![ColumnPattern::Like("*".into())],
            (Some(_), true) => Vec::new(),
            (Some(_), false) => counts.iter().map(|name| ColumnPattern::Like(format!("{name}: *").into())).collect(),
        };
        if let Some(column) = columns {
            self.pivoted(&first, &column, &stats, &zero, &mut rows);
        }
        match length {
            Some(length) if is_on(&stats.settings, "cont", true) => {
                Ok(self.without_gaps(&first.text, length, zero, rows))
            }
            _ => Ok(rows),
        }
    }

    /// Cuts the field of a chart's rows down to intervals; how long they are in seconds, of `timechart`.
    fn chart_intervals(
        &mut self,
        chart: &Chart,
        stats: &mut Stats,
        first: &Name,
        span: Span,
        rows: &mut Rows,
    ) -> Result<Option<Expr>, Said> {
        let stated = stats.span.take().or_else(|| setting(&stats.settings, "span").cloned());
        match stated {
            Some(text) if chart.time => {
                let text = Name { text: text.text.split('@').next().unwrap_or_default().into(), ..text };
                let value = super::columns::span_of(self, &text, rows.names.get(&first.text))?;
                self.assign(rows, &first.text, value);
                stats.settings.push((Name { text: "span".into(), ..text.clone() }, text.clone()));
                // Months are not of one length: they stay as they are.
                Ok(seconds(&text.text).filter(|length| length.fract() == 0.0).map(|length| number(length as i64)))
            }
            None if chart.time => {
                let length = self.interval(&first.text, true, &stats.settings, span, rows);
                let value = loose(LooseFunction::Bucket, [rows.names.get(&first.text), length]);
                self.assign(rows, &first.text, value);
                Ok(None)
            }
            Some(text) => {
                let settings = vec![(Name { text: "span".into(), ..text.clone() }, text)];
                let taken = std::mem::replace(rows, Rows::of(super::rows::Source::Rows(0), Names::of_columns([])));
                *rows = self.bin(first, None, &settings, taken)?;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// A column for each value of the second field.
    fn pivoted(&mut self, first: &Name, names: &Name, stats: &Stats, zero: &[ColumnPattern], rows: &mut Rows) {
        let values: Vec<Arc<str>> =
            rows.names.names().into_iter().filter(|name| *name != first.text && *name != names.text).collect();
        let limit = setting(&stats.settings, "limit")
            .and_then(|value| value.text.trim_start_matches("top").trim().parse().ok());
        let most = limit.or(Some(10)).filter(|limit| *limit > 0);
        let all_zero = zero.iter().any(|pattern| matches!(pattern, ColumnPattern::Like(like) if like.as_ref() == "*"));
        let other = setting(&stats.settings, "otherstr").map_or("OTHER", |text| text.text.as_ref());
        rows.stages.push(Stage::Pivot(Pivot {
            keys: vec![Arc::clone(&first.text)],
            names: Arc::clone(&names.text),
            values,
            separator: setting(&stats.settings, "sep").map_or_else(|| ": ".into(), |sep| Arc::clone(&sep.text)),
            null: None,
            most,
            other: is_on(&stats.settings, "useother", true).then(|| other.into()),
            missing: if all_zero { Value::Int(0) } else { Value::Null },
        }));
        if !zero.is_empty() && !all_zero {
            rows.stages.push(Stage::FillNull { columns: zero.to_vec(), value: Value::Int(0) });
        }
        rows.names = Names::new(Base::Row);
        rows.names.set(&first.text, column(&first.text));
    }

    /// `top` and `rare`: counts, shares, and the first so many of each group.
    pub(super) fn top(&mut self, top: &Top, rows: Rows) -> Result<Rows, Said> {
        let at = top.fields.first().map_or(Span::default(), |field| field.span);
        let name = |text: &str| Name { text: text.into(), span: at, quoted: false };
        let text = |option: &str, default: &str| -> Arc<str> {
            setting(&top.settings, option).map_or_else(|| default.into(), |value| Arc::clone(&value.text))
        };
        let (count, percent) = (text("countfield", "count"), text("percentfield", "percent"));
        let aggregate = |function: &str, argument: Option<Argument>, output: &str| ast::Aggregation {
            function: name(function),
            argument,
            output: Some(name(output)),
            span: at,
        };
        let by: Vec<Name> = top.by.iter().chain(&top.fields).cloned().collect();
        let stats = Stats { aggregates: vec![aggregate("count", None, &count)], by, ..Stats::default() };
        let rows = self.stats(&stats, rows)?;
        let argument = Some(Argument::Field(name(&count)));
        let total =
            Stats { aggregates: vec![aggregate("sum", argument, "total~")], by: top.by.clone(), ..Stats::default() };
        let mut rows = self.eventstats(&total, rows)?;
        let share = super::eval::calculate(
            lurcher_ir::Calculation::Divide,
            [
                super::eval::calculate(
                    lurcher_ir::Calculation::Multiply,
                    [Expr::Column(Arc::clone(&count)), Expr::Literal(Value::Int(100))],
                ),
                Expr::Column("total~".into()),
            ],
        );
        rows.stages.push(Stage::Eval(vec![(Arc::clone(&percent), loose(LooseFunction::Number, [share]))]));
        rows.stages.push(Stage::Sort(vec![SortKey::new(Expr::Column(Arc::clone(&count)), !top.rare)]));
        let limit = top.limit.unwrap_or(10);
        if limit > 0 && top.by.is_empty() {
            if is_on(&top.settings, "useother", false) {
                rows = self.with_other(top, &count, &percent, limit, rows);
            } else {
                rows.stages.push(Stage::Head(limit));
            }
        } else if limit > 0 {
            let keys: Vec<Expr> = top.by.iter().map(|name| Expr::Column(Arc::clone(&name.text))).collect();
            rows.stages.push(Stage::Dedup(lurcher_ir::Dedup { keys, keep: limit, consecutive: false }));
        }
        rows.stages.push(Stage::Drop(vec![ColumnPattern::Named("total~".into())]));
        rows.names.columns.retain(|(name, _)| name.as_ref() != "total~");
        rows.names.set(&percent, Expr::Column(Arc::clone(&percent)));
        for (option, name) in [("showcount", &count), ("showperc", &percent)] {
            if !is_on(&top.settings, option, true) {
                rows.stages.push(Stage::Drop(vec![ColumnPattern::Named(Arc::clone(name))]));
                rows.names.remove(name);
            }
        }
        Ok(rows)
    }

    /// The first rows, and one for all others together.
    fn with_other(&mut self, top: &Top, count: &Arc<str>, percent: &Arc<str>, limit: u64, mut rows: Rows) -> Rows {
        let place = self.parts.fresh_name("place");
        let counted = AggregateColumn::new(Arc::clone(&place), Aggregate::Count, []);
        rows.stages.push(Stage::Running(running(vec![counted], None, true)));
        rows.names.set(percent, column(percent));
        rows.names.set(&place, column(&place));
        let (branch, names) = self.park(rows);
        let all = || Rows::of(super::rows::Source::Branch(branch), names.clone());
        let most = number(i64::try_from(limit).unwrap_or(i64::MAX));
        let (mut first, mut rest) = (all(), all());
        first.stages.push(Stage::Where(Expr::call(Function::LessOrEqual, [column(&place), most.clone()])));
        first.stages.push(Stage::Drop(vec![ColumnPattern::Named(Arc::clone(&place))]));
        first.names.columns.retain(|(name, _)| *name != place);
        rest.stages.push(Stage::Where(Expr::call(Function::Less, [most, column(&place)])));
        let sum = |name: &Arc<str>| AggregateColumn::new(Arc::clone(name), Aggregate::Sum, [column(name)]);
        rest.stages.push(Stage::Aggregate(Aggregation {
            by: GroupBy::nothing(),
            aggregates: vec![sum(count), sum(percent)],
            each: Vec::new(),
        }));
        rest.stages.push(Stage::Where(super::terms::not_null(column(count))));
        rest.names = Names::of_columns([Arc::clone(count), Arc::clone(percent)]);
        let other = setting(&top.settings, "otherstr").map_or("OTHER", |text| text.text.as_ref());
        for field in &top.fields {
            rest.names.set(&field.text, Expr::Literal(Value::text(other)));
        }
        self.append_rows(first, rest)
    }
}
