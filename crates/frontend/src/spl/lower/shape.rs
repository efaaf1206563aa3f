//! Commands that make rows of columns and columns of rows: `xyseries`, `untable`, `transpose`, totals, `uniq`, `set`,
//! `fieldsummary`.

use std::sync::Arc;

use lurcher_diagnostics::Span;
use lurcher_ir::{
    Aggregate, AggregateColumn, Aggregation, Collect, CollectOrder, ColumnPattern, Dedup, Expr, Function, GroupBy,
    ListKeys, LooseFunction, NullKeys, Pivot, Stage,
};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    columns::expand,
    rows::{Base, Names, Rows, Source, loose},
    series::{column, number, running},
    stats::{is_on, setting},
};
use crate::spl::ast::{Name, Pipeline, Settings};

impl Lowerer<'_> {
    /// `xyseries x names values…`: a column for each value of the second field.
    pub(super) fn xyseries(
        &mut self,
        fields: &[Name],
        settings: &Settings,
        span: Span,
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        let [key, names, values @ ..] = fields else {
            return Err(self.fields_missing("three fields", span));
        };
        if values.is_empty() {
            return Err(self.fields_missing("three fields", span));
        }
        rows.order();
        for field in fields {
            let value = self.name(&field.text, field.span, &rows.names);
            rows.names.set(&field.text, value);
        }
        rows.make_columns();
        rows.stages.push(Stage::Pivot(Pivot {
            keys: vec![Arc::clone(&key.text)],
            names: Arc::clone(&names.text),
            values: values.iter().map(|value| Arc::clone(&value.text)).collect(),
            separator: setting(settings, "sep").map_or_else(|| ": ".into(), |sep| Arc::clone(&sep.text)),
            null: None,
            most: None,
            other: None,
            missing: Value::Null,
        }));
        rows.names = Names::new(Base::Row);
        rows.names.set(&key.text, column(&key.text));
        Ok(rows)
    }

    /// `untable x name value`: a row for each other column that is there.
    pub(super) fn untable(&mut self, fields: &[Name], span: Span, mut rows: Rows) -> Result<Rows, Said> {
        let [key, name, value] = fields else { return Err(self.fields_missing("three fields", span)) };
        rows.order();
        self.only_set(&mut rows);
        rows.stages.push(Stage::Unpivot {
            keep: vec![Arc::clone(&key.text)],
            name: Arc::clone(&name.text),
            value: Arc::clone(&value.text),
        });
        rows.names = Names::of_columns(fields.iter().map(|field| Arc::clone(&field.text)));
        Ok(rows)
    }

    /// Makes columns, and of rows whose fields are known drops everything else.
    fn only_set(&mut self, rows: &mut Rows) {
        if rows.names.base == Base::Event {
            rows.flatten();
        } else if rows.names.closed() && !rows.names.is_row() {
            rows.stages.push(Stage::Project(rows.names.columns.clone()));
            rows.names.make_columns();
        } else {
            rows.make_columns();
        }
    }

    /// `transpose`: columns become rows, and the first rows columns.
    pub(super) fn transpose(&mut self, fields: &[Name], settings: &Settings, mut rows: Rows) -> Rows {
        rows.order();
        self.only_set(&mut rows);
        let most = fields.first().and_then(|count| count.text.parse::<u64>().ok()).unwrap_or(5);
        if most > 0 {
            rows.stages.push(Stage::Head(most));
        }
        let [count, head, value] = ["rows", "head", "value"].map(|name| self.parts.fresh_name(name));
        let counted = AggregateColumn::new(Arc::clone(&count), Aggregate::Count, []);
        rows.stages.push(Stage::Running(running(vec![counted], None, true)));
        let plain = Expr::call(Function::Concat, [Expr::Literal(Value::text("row ")), column(&count)]);
        let header = setting(settings, "header_field").map(|field| Arc::clone(&field.text));
        let title = match &header {
            Some(field) => Expr::call(Function::Coalesce, [Expr::call(Function::ToText, [column(field)]), plain]),
            None => plain,
        };
        rows.stages.push(Stage::Eval(vec![(Arc::clone(&head), title)]));
        let dropped = std::iter::once(count).chain(header).map(ColumnPattern::Named);
        rows.stages.push(Stage::Drop(dropped.collect()));
        let name = setting(settings, "column_name").map_or_else(|| "column".into(), |name| Arc::clone(&name.text));
        rows.stages.push(Stage::Unpivot {
            keep: vec![Arc::clone(&head)],
            name: Arc::clone(&name),
            value: Arc::clone(&value),
        });
        rows.stages.push(Stage::Pivot(Pivot {
            keys: vec![Arc::clone(&name)],
            names: head,
            values: vec![value],
            separator: ": ".into(),
            null: None,
            most: None,
            other: None,
            missing: Value::Null,
        }));
        rows.names = Names::new(Base::Row);
        rows.names.set(&name, column(&name));
        rows
    }

    /// A row behind all others with the sums of columns (`addcoltotals`, `addtotals col=t`).
    pub(super) fn column_totals(&mut self, settings: &Settings, fields: &[Name], span: Span, mut rows: Rows) -> Rows {
        rows.order();
        self.only_set(&mut rows);
        let names = if fields.is_empty() { rows.names.names() } else { expand(fields, &rows.names) };
        if fields.is_empty() && !rows.names.closed() {
            self.approximate("dynamic-fields", "only fields that the search names are added up", span);
        }
        let (branch, known) = self.park(rows);
        let input = Rows::of(Source::Branch(branch), known);
        let mut totals = input.clone();
        let summed = names.iter().filter(|name| !name.starts_with('_'));
        totals.stages.push(Stage::Aggregate(Aggregation {
            by: GroupBy::nothing(),
            aggregates: summed
                .clone()
                .map(|name| AggregateColumn::new(Arc::clone(name), Aggregate::Sum, [column(name)]))
                .collect(),
            each: Vec::new(),
        }));
        totals.names = Names::of_columns(summed.cloned());
        if let Some(field) = setting(settings, "labelfield") {
            let label = setting(settings, "label").map_or_else(|| "Total".into(), |label| Arc::clone(&label.text));
            totals.names.set(&field.text, Expr::Literal(Value::Text(label)));
        }
        self.append_rows(input, totals)
    }

    /// `uniq`: of rows that follow each other and are the same, the first stays.
    pub(super) fn uniq(&mut self, mut rows: Rows) -> Rows {
        rows.order();
        // Two events are never the same: each has a place of its own.
        if rows.names.closed() {
            let keys = rows.names.columns.iter().map(|(_, expr)| expr.clone()).collect();
            rows.stages.push(Stage::Dedup(Dedup { keys, keep: 1, consecutive: true }));
        }
        rows
    }

    /// `set union|diff|intersect [ … ] [ … ]`, over rows whose fields are known.
    pub(super) fn set(&mut self, operation: &Name, searches: &[Pipeline; 2]) -> Result<Rows, Said> {
        let side = self.parts.fresh_name("side");
        let mut sides = Vec::new();
        let mut keys: Vec<Arc<str>> = Vec::new();
        for (search, place) in searches.iter().zip(1..) {
            let mut rows = self.pipeline(search, None)?;
            if !rows.names.closed() {
                let message = "the fields of the searches of `set` must be known: end them with `table`";
                return Err(self.unsupported("set", message, search.span));
            }
            for name in rows.names.names() {
                if !name.starts_with('_') && !keys.contains(&name) {
                    keys.push(name);
                }
            }
            rows.names.set(&side, number(place));
            sides.push(rows);
        }
        let mut rows = self.union_rows(sides)?;
        rows.make_columns();
        rows.stages.push(Stage::Aggregate(Aggregation {
            by: GroupBy {
                keys: keys.iter().map(|key| (Arc::clone(key), column(key))).collect(),
                nulls: NullKeys::Group,
                lists: ListKeys::Whole,
            },
            aggregates: vec![AggregateColumn::new(Arc::clone(&side), Aggregate::CountDistinct, [column(&side)])],
            each: Vec::new(),
        }));
        let wanted = if operation.is("diff") { Some(1) } else { operation.is("intersect").then_some(2) };
        if let Some(wanted) = wanted {
            let same = Expr::call(Function::Equal(lurcher_ir::Case::Sensitive), [column(&side), number(wanted)]);
            rows.stages.push(Stage::Where(same));
        }
        rows.stages.push(Stage::Drop(vec![ColumnPattern::Named(side)]));
        rows.names = Names::of_columns(keys);
        rows.ordered = true;
        Ok(rows)
    }

    /// `fieldsummary`: a row of statistics for each field.
    pub(super) fn fieldsummary(&mut self, fields: &[Name], settings: &Settings, mut rows: Rows) -> Rows {
        rows.order();
        self.only_set(&mut rows);
        if !fields.is_empty() {
            rows.stages.push(Stage::Keep(fields.iter().map(|field| ColumnPattern::parse(&field.text)).collect()));
        }
        let [row, field, value] = ["row", "field", "value"].map(|name| self.parts.fresh_name(name));
        let counted = AggregateColumn::new(Arc::clone(&row), Aggregate::Count, []);
        rows.stages.push(Stage::Running(running(vec![counted], None, true)));
        rows.stages.push(Stage::Unpivot { keep: vec![row], name: Arc::clone(&field), value: Arc::clone(&value) });
        let limit = setting(settings, "maxvals").and_then(|text| text.text.parse().ok()).unwrap_or(100);
        let values = Collect { distinct: true, order: CollectOrder::Text, limit: Some(limit), lone: true };
        let numbers = loose(LooseFunction::Number, [column(&value)]);
        let columns = [
            ("count", Aggregate::Count, column(&value)),
            ("distinct_count", Aggregate::CountDistinct, column(&value)),
            ("max", Aggregate::LooseMax, numbers.clone()),
            ("mean", Aggregate::Average, numbers.clone()),
            ("min", Aggregate::LooseMin, numbers.clone()),
            ("numeric_count", Aggregate::Count, numbers.clone()),
            ("stdev", Aggregate::StandardDeviation { sample: true }, numbers),
            ("values", Aggregate::Collect(values), column(&value)),
        ];
        let mut names: Vec<Arc<str>> = vec!["field".into()];
        names.extend(columns.iter().map(|(name, ..)| Arc::from(*name)));
        rows.stages.push(Stage::Aggregate(Aggregation {
            by: GroupBy { keys: vec![("field".into(), column(&field))], nulls: NullKeys::Drop, lists: ListKeys::Whole },
            aggregates: columns.into_iter().map(|(name, kind, of)| AggregateColumn::new(name, kind, [of])).collect(),
            each: Vec::new(),
        }));
        rows.names = Names::of_columns(names);
        rows
    }

    fn fields_missing(&mut self, what: &str, span: Span) -> Said {
        self.report(
            lurcher_diagnostics::Diagnostic::error("spl-expected", format!("{what} expected"))
                .at(span, "too few or too many"),
        )
    }

    /// Whether an option that is off by default is on.
    pub(super) fn wants_column_totals(settings: &Settings) -> bool {
        is_on(settings, "col", false)
    }
}
