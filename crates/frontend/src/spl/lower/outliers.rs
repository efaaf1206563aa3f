//! `outlier`: numbers that lie far from the quartiles of their field.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{
    Aggregate, AggregateColumn, Aggregation, Calculation as C, ColumnPattern, Expr, Function, GroupBy, LooseFunction,
    PercentileMethod, Stage,
};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    columns::expand,
    eval::calculate,
    rows::{Rows, loose},
    series::column,
    stats::{is_on, setting},
};
use crate::spl::ast::{Name, Settings};

/// How many times the distance between the quartiles a number may lie outside of them, unless the search says it.
const DISTANCE: f64 = 2.5;

/// A field and the columns that hold its quartiles.
struct Quartiles {
    field: Arc<str>,
    lower: Arc<str>,
    upper: Arc<str>,
}

impl Quartiles {
    fn number(&self) -> Expr {
        loose(LooseFunction::Number, [column(&self.field)])
    }

    /// So many times the distance between the quartiles.
    fn reach(&self, times: f64) -> Expr {
        let distance = calculate(C::Subtract, [column(&self.upper), column(&self.lower)]);
        calculate(C::Multiply, [Expr::Literal(Value::Float(times)), distance])
    }

    fn least(&self, times: f64) -> Expr {
        calculate(C::Subtract, [column(&self.lower), self.reach(times)])
    }

    fn greatest(&self, times: f64) -> Expr {
        loose(LooseFunction::Add, [column(&self.upper), self.reach(times)])
    }

    fn below(&self, times: f64) -> Expr {
        Expr::call(Function::Less, [self.number(), self.least(times)])
    }

    fn above(&self, times: f64) -> Expr {
        Expr::call(Function::Less, [self.greatest(times), self.number()])
    }
}

impl Lowerer<'_> {
    /// `outlier [action=transform|remove] [mark=bool] [param=2.5] [uselower=bool] [fields]`: a number that is greater than the
    /// third quartile by more than `param` times the distance between the quartiles (with `uselower` also one that is as much
    /// less than the first) becomes the bound that it lies beyond, behind `000` with `mark`; `remove` takes the row away.
    /// Quartiles are taken over all rows as `perc25` and `perc75` take them; what is no number has no say and stays.
    ///
    /// Source: Splunk's Search Reference, `outlier` (*Usage*: less than the 25th percentile minus `param` times the
    /// inter-quartile range, greater than the 75th plus it).
    pub(super) fn outlier(
        &mut self,
        fields: &[Name],
        settings: &Settings,
        span: Span,
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        let times = match setting(settings, "param") {
            Some(text) => match text.text.parse::<f64>() {
                Ok(times) if times.is_finite() => times,
                _ => return Err(self.faulty_option(text, "a number such as `2.5` expected")),
            },
            None => DISTANCE,
        };
        let one_of = |name: &Name, words: &[&str]| words.iter().any(|word| name.text.eq_ignore_ascii_case(word));
        let remove = match setting(settings, "action") {
            Some(action) if one_of(action, &["remove", "rm"]) => true,
            Some(action) if !one_of(action, &["transform", "tf"]) => {
                return Err(self.faulty_option(action, "`remove` or `transform` expected"));
            }
            _ => false,
        };
        if let Some(kind) = setting(settings, "type").filter(|kind| !one_of(kind, &["iqr"])) {
            return Err(self.faulty_option(kind, "`iqr` expected"));
        }
        let uselower = is_on(settings, "uselower", false);
        let mark = is_on(settings, "mark", false);
        let quartiles = self.quartiles(fields, span, &mut rows);
        if quartiles.is_empty() {
            return Ok(rows);
        }
        if remove {
            let outside = quartiles.iter().flat_map(|of| {
                let below = uselower.then(|| of.below(times));
                std::iter::once(of.above(times)).chain(below)
            });
            let outside = Expr::Call(Function::Or, outside.collect());
            // Where nothing is known to lie outside, the row stays.
            let unknown = Expr::Literal(Value::Bool(true));
            let stays = Expr::call(Function::Coalesce, [Expr::call(Function::Not, [outside]), unknown]);
            rows.stages.push(Stage::Where(stays));
        } else {
            let bounded = |of: &Quartiles| {
                let zeros = Expr::Literal(Value::text("000"));
                let marked = |bound| if mark { Expr::call(Function::Concat, [zeros.clone(), bound]) } else { bound };
                let mut cases = vec![of.above(times), marked(of.greatest(times))];
                if uselower {
                    cases.extend([of.below(times), marked(of.least(times))]);
                }
                cases.push(column(&of.field));
                (Arc::clone(&of.field), Expr::Call(Function::Case, cases))
            };
            rows.stages.push(Stage::Eval(quartiles.iter().map(bounded).collect()));
        }
        let made = quartiles.into_iter().flat_map(|of| [of.lower, of.upper]);
        rows.stages.push(Stage::Drop(made.map(ColumnPattern::Named).collect()));
        Ok(rows)
    }

    /// Gives every row the quartiles of these fields, or of all that are known.
    fn quartiles(&mut self, fields: &[Name], span: Span, rows: &mut Rows) -> Vec<Quartiles> {
        let open = fields.is_empty() || fields.iter().any(|field| field.text.contains('*'));
        if open && !rows.names.closed() {
            self.approximate("dynamic-fields", "outliers are looked for only in fields that the search names", span);
        }
        let names = if fields.is_empty() { rows.names.names() } else { expand(fields, &rows.names) };
        let names: Vec<_> = names.into_iter().filter(|name| !fields.is_empty() || !name.starts_with('_')).collect();
        for name in &names {
            let value = rows.names.get(name);
            rows.names.set(name, value);
        }
        rows.make_columns();
        let mut aggregates = Vec::new();
        let mut found = Vec::new();
        for field in names {
            let of = Quartiles { field, lower: self.parts.fresh_name("lower"), upper: self.parts.fresh_name("upper") };
            for (name, percent) in [(&of.lower, 25.0), (&of.upper, 75.0)] {
                let kind = Aggregate::Percentile { percent, method: PercentileMethod::Nearest };
                aggregates.push(AggregateColumn::new(Arc::clone(name), kind, [of.number()]));
            }
            found.push(of);
        }
        if !found.is_empty() {
            let by = GroupBy::nothing();
            rows.stages.push(Stage::Inline(Aggregation { by, aggregates, each: Vec::new() }));
        }
        found
    }

    fn faulty_option(&mut self, value: &Name, wanted: &str) -> Said {
        self.report(Diagnostic::error("spl-expected", wanted).at(value.span, "this is none"))
    }
}
