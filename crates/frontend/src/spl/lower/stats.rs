//! `stats` and its kin.
//!
//! Rows without a key are dropped by `stats` and `chart`, kept unchanged by `eventstats`; `tstats` fills keys in where it
//! is told to (`fillnull_value`). A key of several values makes a group for each. `values` are distinct and in the order
//! of their bytes, `list` keeps the order of rows and stops at 100.

use std::{sync::Arc, time::Duration};

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{
    Aggregate, AggregateColumn, AggregateEach, Aggregation, Collect, CollectOrder, ColumnPattern, Expr, Function,
    GroupBy, ListKeys, NullKeys, PercentileMethod, Running, Stage,
};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    columns::span_of,
    rows::{Base, Names, Rows},
    terms::not_null,
};
use crate::{
    spl::ast::{self, Argument, Name, Settings, Stats},
    syntax::closest,
};

/// The names of aggregates, for "did you mean".
#[rustfmt::skip]
pub(super) const AGGREGATES: [&str; 39] = [
    "count", "c", "dc", "distinct_count", "estdc", "sum", "sumsq", "avg", "mean", "min", "max", "range", "median", "mode",
    "stdev", "stdevp", "var", "varp", "values", "list", "first", "last", "earliest", "latest", "earliest_time",
    "latest_time", "rate", "perc", "exactperc", "upperperc", "p95", "per_second", "per_minute", "per_hour", "per_day",
    "sparkline", "rate_avg", "rate_sum", "estdc_error",
];

/// The value of an option.
pub(super) fn setting<'s>(settings: &'s Settings, name: &str) -> Option<&'s Name> {
    settings.iter().find(|(setting, _)| setting.is(name)).map(|(_, value)| value)
}

/// Whether an option is on.
pub(super) fn is_on(settings: &Settings, name: &str, default: bool) -> bool {
    match setting(settings, name).map(|value| value.text.to_ascii_lowercase()) {
        Some(value) => matches!(value.as_str(), "t" | "true" | "1" | "yes" | "y"),
        None => default,
    }
}

/// What is grouped and computed, and the names of the columns that come out.
pub(super) struct Grouped {
    pub(super) aggregation: Aggregation,
    names: Vec<Arc<str>>,
    open: bool,
    /// What is computed of the aggregates of a group, by name, and the aggregates that are there for that only.
    derived: (Vec<(Arc<str>, Expr)>, Vec<ColumnPattern>),
}

impl Grouped {
    /// The names that are set beside the keys.
    fn new_names(&self) -> Vec<Arc<str>> {
        let is_key = |name: &Arc<str>| self.aggregation.by.keys.iter().any(|(key, _)| key == name);
        self.names.iter().filter(|name| !is_key(name)).cloned().collect()
    }
}

/// Computes what is made of aggregates, and drops those that are there for that only.
fn derive((values, parts): (Vec<(Arc<str>, Expr)>, Vec<ColumnPattern>), rows: &mut Rows) {
    if !values.is_empty() {
        rows.stages.push(Stage::Eval(values));
    }
    if !parts.is_empty() {
        rows.stages.push(Stage::Drop(parts));
    }
}

impl Lowerer<'_> {
    pub(super) fn stats(&mut self, stats: &Stats, mut rows: Rows) -> Result<Rows, Said> {
        let grouped = self.grouped(stats, &mut rows, None)?;
        self.aggregate(grouped, &mut rows);
        Ok(rows)
    }

    /// Adds the aggregation; what comes out has only its columns.
    pub(super) fn aggregate(&mut self, grouped: Grouped, rows: &mut Rows) {
        // Rows without a key are dropped early, where the index still sees them.
        if grouped.aggregation.by.nulls == NullKeys::Drop {
            let parts = grouped
                .aggregation
                .by
                .keys
                .iter()
                .map(|(_, key)| super::terms::Condition::Holds(not_null(key.clone())));
            let condition = super::terms::Condition::All(parts.collect());
            self.keep(rows, condition);
        }
        rows.stages.push(Stage::Aggregate(grouped.aggregation));
        derive(grouped.derived, rows);
        rows.names = Names::of_columns(grouped.names);
        if grouped.open {
            rows.names = Names::new(Base::Row);
        }
        rows.ordered = true;
    }

    /// What is grouped by and computed. `fill` stands for a key that is missing.
    pub(super) fn grouped(&mut self, stats: &Stats, rows: &mut Rows, fill: Option<&Value>) -> Result<Grouped, Said> {
        let wild = |aggregation: &ast::Aggregation| matches!(&aggregation.argument, Some(Argument::Field(field)) if field.text.contains('*'));
        let orders =
            |aggregation: &ast::Aggregation| ["first", "last", "list"].iter().any(|name| aggregation.function.is(name));
        if stats.aggregates.iter().any(orders) {
            rows.order();
        }
        let open = stats.aggregates.iter().any(wild);
        if open {
            rows.flatten();
        }
        let (mut keys, mut names): (Vec<(Arc<str>, Expr)>, Vec<Arc<str>>) = (Vec::new(), Vec::new());
        for name in &stats.by {
            if keys.iter().any(|(key, _)| *key == name.text) {
                continue;
            }
            let mut key = self.name(&name.text, name.span, &rows.names);
            if let (true, Some(span)) = (is_time(&name.text), &stats.span) {
                key = span_of(self, span, key)?;
            } else if let Some(fill) = fill.filter(|_| !is_time(&name.text)) {
                key = Expr::call(Function::Coalesce, [key, Expr::Literal(fill.clone())]);
            }
            keys.push((Arc::clone(&name.text), key));
            names.push(Arc::clone(&name.text));
        }
        let (mut aggregates, mut each) = (Vec::new(), Vec::new());
        let mut derived = (Vec::new(), Vec::new());
        for aggregation in &stats.aggregates {
            if let Some((value, parts)) = self.derived(aggregation, stats, &rows.names)? {
                let output = self.output_name(aggregation);
                derived.0.push((Arc::clone(&output), value));
                derived.1.extend(parts.iter().map(|part| ColumnPattern::Named(Arc::clone(&part.name))));
                aggregates.extend(parts);
                names.push(output);
                continue;
            }
            if let (true, Some(Argument::Field(field))) = (wild(aggregation), &aggregation.argument) {
                let (function, _) = self.aggregate_function(&aggregation.function)?;
                let output = match &aggregation.output {
                    Some(output) => Arc::clone(&output.text),
                    None => format!("{}({})", aggregation.function.text, field.text).into(),
                };
                each.push(AggregateEach {
                    columns: ColumnPattern::parse(&field.text),
                    function,
                    name: ColumnPattern::parse(&output),
                    elements: true,
                });
                continue;
            }
            let column = self.aggregate_column(aggregation, &rows.names)?;
            names.push(Arc::clone(&column.name));
            aggregates.push(column);
        }
        if aggregates.is_empty() && each.is_empty() && derived.0.is_empty() {
            aggregates.push(AggregateColumn::new("count", Aggregate::Count, []));
            names.push("count".into());
        }
        let nulls = if fill.is_some() { NullKeys::Group } else { NullKeys::Drop };
        let by = GroupBy { keys, nulls, lists: ListKeys::Each };
        Ok(Grouped { aggregation: Aggregation { by, aggregates, each }, names, open, derived })
    }

    /// The name of an aggregate's column: its alias, else what is written.
    pub(super) fn output_name(&self, aggregation: &ast::Aggregation) -> Arc<str> {
        match &aggregation.output {
            Some(output) => Arc::clone(&output.text),
            None => self.file.slice(aggregation.span).split_whitespace().collect::<Vec<_>>().join(" ").into(),
        }
    }

    pub(super) fn aggregate_column(
        &mut self,
        aggregation: &ast::Aggregation,
        names: &Names,
    ) -> Result<AggregateColumn, Said> {
        let function = &aggregation.function;
        let output = self.output_name(aggregation);
        let (kind, extra) = self.aggregate_function(function)?;
        let mut column = AggregateColumn::new(output, kind, []);
        column.elements = true;
        let argument = match &aggregation.argument {
            None if kind == Aggregate::Count => return Ok(AggregateColumn { elements: false, ..column }),
            None => {
                return Err(self.report(
                    Diagnostic::error("spl-arity", format!("`{}` needs a field", function.text))
                        .at(function.span, "nothing to aggregate")
                        .with_help(format!("write `{}(field)`", function.text)),
                ));
            }
            Some(Argument::Field(field)) => self.name(&field.text, field.span, names),
            Some(Argument::Expression(expr)) => self.expression(expr, names)?,
        };
        let conditional = matches!(aggregation.argument, Some(Argument::Expression(_)));
        if kind == Aggregate::Count && conditional {
            // Counts the rows for which it is true.
            column.filter = Some(argument);
            column.elements = false;
            return Ok(column);
        }
        match extra {
            Extra::None => column.arguments.push(argument),
            Extra::TimeOf => {
                column.filter = Some(not_null(argument));
                column.arguments.push(names.get("_time"));
            }
            Extra::ByTime => {
                column.arguments.push(argument);
                if names.column("_time").is_some() || names.base == Base::Row {
                    column.arguments.push(names.get("_time"));
                }
            }
        }
        Ok(column)
    }

    fn aggregate_function(&mut self, name: &Name) -> Result<(Aggregate, Extra), Said> {
        let lower = name.text.to_ascii_lowercase();
        let function = match lower.as_str() {
            "count" | "c" => Aggregate::Count,
            "dc" | "distinct_count" | "estdc" => Aggregate::CountDistinct,
            "sum" => Aggregate::Sum,
            "sumsq" => Aggregate::SumOfSquares,
            "avg" | "mean" => Aggregate::Average,
            "min" => Aggregate::LooseMin,
            "max" => Aggregate::LooseMax,
            "range" => Aggregate::Range,
            // Of an even number of values the higher of the two in the middle.
            "median" => Aggregate::Percentile { percent: 50.000_000_1, method: PercentileMethod::Nearest },
            "mode" => Aggregate::Mode,
            "stdev" => Aggregate::StandardDeviation { sample: true },
            "stdevp" => Aggregate::StandardDeviation { sample: false },
            "var" => Aggregate::Variance { sample: true },
            "varp" => Aggregate::Variance { sample: false },
            "values" => {
                Aggregate::Collect(Collect { distinct: true, order: CollectOrder::Text, limit: None, lone: true })
            }
            "list" => {
                Aggregate::Collect(Collect { distinct: false, order: CollectOrder::Rows, limit: Some(100), lone: true })
            }
            "first" => Aggregate::First,
            "last" => Aggregate::Last,
            "earliest" => return Ok((Aggregate::Earliest, Extra::ByTime)),
            "latest" => return Ok((Aggregate::Latest, Extra::ByTime)),
            // The values of a group are told apart exactly: the estimate has no error.
            "earliest_time" => return Ok((Aggregate::LooseMin, Extra::TimeOf)),
            "latest_time" => return Ok((Aggregate::LooseMax, Extra::TimeOf)),
            other => match percentile(other) {
                Some(percent) => Aggregate::Percentile { percent, method: PercentileMethod::Nearest },
                None => return Err(self.unknown_aggregate(name, other)),
            },
        };
        Ok((function, Extra::None))
    }

    fn unknown_aggregate(&mut self, name: &Name, lower: &str) -> Said {
        if AGGREGATES.contains(&lower) {
            return self.unsupported("function", format!("the aggregate `{lower}` is not run"), name.span);
        }
        let mut diagnostic =
            Diagnostic::error("spl-unknown-function", format!("there is no aggregate `{}`", name.text))
                .at(name.span, "unknown aggregate");
        diagnostic = match closest(lower, AGGREGATES) {
            Some(meant) => diagnostic.with_help(format!("did you mean `{meant}`?")),
            None => diagnostic.with_help("aggregates are `count`, `sum`, `avg`, `min`, `max`, `dc`, `values` …"),
        };
        self.report(diagnostic)
    }

    pub(super) fn eventstats(&mut self, stats: &Stats, mut rows: Rows) -> Result<Rows, Said> {
        let grouped = self.grouped(stats, &mut rows, None)?;
        self.keys_to_columns(&grouped.aggregation.by, &mut rows);
        let new = grouped.new_names();
        self.clear_for(&new, &mut rows);
        rows.stages.push(Stage::Inline(grouped.aggregation));
        derive(grouped.derived, &mut rows);
        for name in new {
            rows.names.set(&name, Expr::Column(Arc::clone(&name)));
        }
        if grouped.open {
            rows.names.make_columns();
        }
        Ok(rows)
    }

    /// The keys of an inline aggregation become columns; what else is set must be columns by then, if it could be
    /// mistaken.
    fn keys_to_columns(&mut self, by: &GroupBy, rows: &mut Rows) {
        let overlap = by.keys.iter().any(|(name, _)| {
            rows.names.columns.iter().any(|(_, expr)| expr.reads_column(&|column| column == name.as_ref()))
        });
        if overlap {
            rows.make_columns();
        }
    }

    /// Makes columns of what is set if one of them reads a column that is about to be replaced.
    fn clear_for(&mut self, new: &[Arc<str>], rows: &mut Rows) {
        if rows
            .names
            .columns
            .iter()
            .any(|(_, expr)| expr.reads_column(&|column| new.iter().any(|name| name.as_ref() == column)))
        {
            rows.make_columns();
        }
    }

    pub(super) fn streamstats(&mut self, stats: &Stats, mut rows: Rows) -> Result<Rows, Said> {
        rows.order();
        let grouped = self.grouped(stats, &mut rows, None)?;
        if grouped.open {
            return Err(self.unsupported(
                "function",
                "`streamstats` over columns by a pattern",
                stats.aggregates.first().map_or(Span::default(), |first| first.span),
            ));
        }
        let new = grouped.new_names();
        let aggregates = grouped.aggregation.aggregates;
        self.clear_for(&new, &mut rows);
        let number = |name: &str| setting(&stats.settings, name).and_then(|value| value.text.parse::<u64>().ok());
        let span = match setting(&stats.settings, "time_window") {
            Some(text) => {
                let seconds = super::columns::seconds(&text.text).unwrap_or(0.0);
                let millis = super::eval::calculate(
                    lurcher_ir::Calculation::Multiply,
                    [rows.names.get("_time"), Expr::Literal(Value::Int(1000))],
                );
                Some((millis, Duration::from_secs_f64(seconds.max(0.0))))
            }
            None => None,
        };
        let mut reset = |name: &str| match setting(&stats.settings, name) {
            Some(text) => self.expression_of_text(&text.text, text.span, &rows.names).map(Some),
            None => Ok(None),
        };
        let (reset_before, reset_after) = (reset("reset_before")?, reset("reset_after")?);
        rows.stages.push(Stage::Running(Running {
            by: GroupBy { lists: ListKeys::Whole, ..grouped.aggregation.by },
            aggregates,
            window: number("window").filter(|window| *window > 0),
            global: is_on(&stats.settings, "global", true) && number("window").is_some_and(|window| window > 0),
            span,
            current: is_on(&stats.settings, "current", true),
            reset_before,
            reset_after,
            reset_on_change: is_on(&stats.settings, "reset_on_change", false),
        }));
        derive(grouped.derived, &mut rows);
        for name in new {
            rows.names.set(&name, Expr::Column(Arc::clone(&name)));
        }
        Ok(rows)
    }
}

/// What an aggregate takes beside its argument.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extra {
    None,
    /// The time, where the argument is there.
    TimeOf,
    /// The time as what decides which is first.
    ByTime,
}

pub(super) fn is_time(name: &str) -> bool {
    name == "_time"
}

pub(super) fn percentile(name: &str) -> Option<f64> {
    let digits = ["exactperc", "upperperc", "perc", "p"].iter().find_map(|prefix| name.strip_prefix(prefix))?;
    digits.parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent))
}
