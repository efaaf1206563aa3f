//! Aggregates that are made of others: rates, shares of time, `eval(…)` over aggregates.

use std::sync::Arc;

use lurcher_ir::{Aggregate, AggregateColumn, Calculation as C, Collect, CollectOrder, Expr};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    columns::seconds,
    eval::calculate,
    rows::Names,
    series::{column, number},
    stats::setting,
};
use crate::spl::ast::{self, Argument, ExprKind, Name, Stats};

/// What a column is computed of, and the aggregates that this needs.
type Derived = (Expr, Vec<AggregateColumn>);

impl Lowerer<'_> {
    /// What an aggregate comes to that is made of others; none if it is one by itself.
    pub(super) fn derived(
        &mut self,
        aggregation: &ast::Aggregation,
        stats: &Stats,
        names: &Names,
    ) -> Result<Option<Derived>, Said> {
        let name = aggregation.function.text.to_ascii_lowercase();
        if let ("eval", Some(Argument::Expression(expr))) = (name.as_str(), &aggregation.argument) {
            let mut parts = Vec::new();
            let replaced = self.over_aggregates(expr, &mut parts, names)?;
            let computed = Names::of_columns(parts.iter().map(|part: &AggregateColumn| Arc::clone(&part.name)));
            return Ok(Some((self.expression(&replaced, &computed)?, parts)));
        }
        let per = match name.as_str() {
            "per_second" => 1,
            "per_minute" => 60,
            "per_hour" => 3_600,
            "per_day" => 86_400,
            _ => return self.rate(&name, aggregation, names),
        };
        let span = stats.span.as_ref().or_else(|| setting(&stats.settings, "span"));
        let Some(length) = span.and_then(|span| seconds(&span.text)).filter(|length| *length > 0.0) else {
            let message = format!("`{name}` without a `span` of fixed length");
            return Err(self.unsupported("function", message, aggregation.span));
        };
        let sum = self.part("sum", aggregation, names)?;
        let share = calculate(C::Divide, [column(&sum.name), Expr::Literal(Value::Float(length))]);
        Ok(Some((calculate(C::Multiply, [share, number(per)]), vec![sum])))
    }

    fn rate(&mut self, name: &str, aggregation: &ast::Aggregation, names: &Names) -> Result<Option<Derived>, Said> {
        match name {
            "rate" | "rate_avg" | "rate_sum" => {
                let [first, last] =
                    [self.part("earliest", aggregation, names)?, self.part("latest", aggregation, names)?];
                let times =
                    [self.part("earliest_time", aggregation, names)?, self.part("latest_time", aggregation, names)?];
                if name != "rate" {
                    let message = format!("`{name}` takes all rows as one series, where metrics have several");
                    self.approximate("metrics", message, aggregation.span);
                }
                let change = calculate(C::Subtract, [column(&last.name), column(&first.name)]);
                let length = calculate(C::Subtract, [column(&times[1].name), column(&times[0].name)]);
                let rate = calculate(C::Divide, [change, length]);
                let [early, late] = times;
                Ok(Some((rate, vec![first, last, early, late])))
            }
            // Values are told apart exactly.
            "estdc_error" => Ok(Some((number(0), vec![self.part("dc", aggregation, names)?]))),
            "sparkline" => {
                let message = "a sparkline is drawn of intervals; here it is the list of values";
                self.approximate("sparkline", message, aggregation.span);
                let list = Collect { distinct: false, order: CollectOrder::Rows, limit: Some(100), lone: true };
                let part = AggregateColumn::new(
                    self.parts.fresh_name("sparkline"),
                    Aggregate::Collect(list),
                    [names.get("_time")],
                );
                Ok(Some((column(&part.name), vec![part])))
            }
            _ => Ok(None),
        }
    }

    /// One of the aggregates that another is made of, over the same argument.
    fn part(&mut self, function: &str, of: &ast::Aggregation, names: &Names) -> Result<AggregateColumn, Said> {
        let function = Name { text: function.into(), ..of.function.clone() };
        let mut part = self.aggregate_column(&ast::Aggregation { function, ..of.clone() }, names)?;
        part.name = self.parts.fresh_name("part");
        Ok(part)
    }

    /// An expression over aggregates, with each of them replaced by the column that it becomes.
    fn over_aggregates(
        &mut self,
        expr: &ast::Expr,
        parts: &mut Vec<AggregateColumn>,
        names: &Names,
    ) -> Result<ast::Expr, Said> {
        let again = |kind| ast::Expr { kind, span: expr.span };
        Ok(match &expr.kind {
            ExprKind::Call(function, arguments) if self.is_aggregate(function, arguments) => {
                let argument = arguments.first().map(|argument| match &argument.kind {
                    ExprKind::Field(field) => {
                        Argument::Field(Name { text: Arc::clone(field), span: argument.span, quoted: false })
                    }
                    ExprKind::Call(name, inner) if name.is("eval") && inner.len() == 1 => {
                        Argument::Expression(inner.first().cloned().unwrap_or_else(|| argument.clone()))
                    }
                    _ => Argument::Expression(argument.clone()),
                });
                let aggregation =
                    ast::Aggregation { function: function.clone(), argument, output: None, span: expr.span };
                let mut part = self.aggregate_column(&aggregation, names)?;
                part.name = self.parts.fresh_name("part");
                let field = ExprKind::Field(Arc::clone(&part.name));
                parts.push(part);
                again(field)
            }
            // `count` alone is an aggregate, too.
            ExprKind::Field(field) if matches!(field.as_ref(), "count" | "c") => {
                let part = AggregateColumn::new(self.parts.fresh_name("part"), Aggregate::Count, []);
                let field = ExprKind::Field(Arc::clone(&part.name));
                parts.push(part);
                again(field)
            }
            ExprKind::Call(function, arguments) => {
                let arguments: Result<Vec<_>, _> =
                    arguments.iter().map(|argument| self.over_aggregates(argument, parts, names)).collect();
                again(ExprKind::Call(function.clone(), arguments?))
            }
            ExprKind::Binary(operator, a, b) => {
                let (a, b) = (self.over_aggregates(a, parts, names)?, self.over_aggregates(b, parts, names)?);
                again(ExprKind::Binary(*operator, Box::new(a), Box::new(b)))
            }
            ExprKind::Negate(inner) => again(ExprKind::Negate(Box::new(self.over_aggregates(inner, parts, names)?))),
            ExprKind::Not(inner) => again(ExprKind::Not(Box::new(self.over_aggregates(inner, parts, names)?))),
            _ => expr.clone(),
        })
    }

    /// Whether a call is one of an aggregate: those that are functions of `eval`, too (`max(a, b)`), have one field here.
    fn is_aggregate(&self, function: &Name, arguments: &[ast::Expr]) -> bool {
        let lower = function.text.to_ascii_lowercase();
        arguments.len() <= 1
            && (super::stats::AGGREGATES.contains(&lower.as_str()) || super::stats::percentile(&lower).is_some())
    }
}
