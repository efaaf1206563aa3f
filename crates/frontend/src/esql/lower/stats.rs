//! `STATS` and `INLINE STATS`.
//!
//! An aggregate may stand anywhere in an expression: each becomes a column of its own, and the expression around it is
//! computed from those columns and the keys. The result has the aggregates in their order, then the keys; of two columns
//! of one name the last counts. A key of several values puts its row into a group for each.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{
    Aggregate, AggregateColumn, Aggregation, Collect, CollectOrder, ColumnPattern, Expr, Function, GroupBy,
    ListFunction, ListKeys, NullKeys, NumberFunction, PercentileMethod, Stage,
};
use lurcher_schema::Value;

use super::{
    super::{
        ast::{self, Expr as Tree, ExprKind, Field},
        types::Type,
    },
    Inputs, Lowerer, Result, Said,
    columns::{Column, Columns},
    commands::order_key,
    functions::no_span,
    operators::bounded,
    value::{Node, Typed},
};

/// Every aggregate, and how many arguments it takes.
pub(super) const AGGREGATES: &[(&str, usize, usize)] = &[
    ("count", 0, 1),
    ("count_distinct", 1, 2),
    ("sum", 1, 1),
    ("avg", 1, 1),
    ("min", 1, 1),
    ("max", 1, 1),
    ("median", 1, 1),
    ("percentile", 2, 2),
    ("median_absolute_deviation", 1, 1),
    ("std_dev", 1, 1),
    ("stddev", 1, 1),
    ("variance", 1, 1),
    ("weighted_avg", 2, 2),
    ("values", 1, 1),
    ("top", 2, 4),
    ("first", 1, 2),
    ("last", 1, 2),
    ("earliest", 1, 2),
    ("latest", 1, 2),
    ("present", 1, 1),
    ("absent", 1, 1),
    ("sample", 2, 2),
];

/// Aggregates that exist and are not run.
const NOT_RUN: &[&str] = &[
    "sparkline",
    "st_centroid_agg",
    "st_extent_agg",
    "rate",
    "irate",
    "idelta",
    "delta",
    "deriv",
    "increase",
    "avg_over_time",
    "count_over_time",
    "count_distinct_over_time",
    "first_over_time",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "sum_over_time",
    "present_over_time",
    "absent_over_time",
    "stddev_over_time",
    "variance_over_time",
    "percentile_over_time",
];

/// An aggregate whose arguments are lowered: its column, and how its value is read behind the stage.
struct Lowered {
    column: AggregateColumn,
    value: Typed,
}

/// How the column of an aggregate is read.
type Reading = Box<dyn Fn(Expr) -> Typed>;

/// What is collected while the fields of one command are walked.
#[derive(Default)]
struct Collected {
    aggregates: Vec<Lowered>,
}

impl Lowerer<'_> {
    /// The command.
    pub(super) fn stats(&mut self, inline: bool, aggregates: &[ast::Aggregate], by: &[Field]) -> Result<()> {
        let keys = self.keys(inline, by)?;
        let mut collected = Collected::default();
        let mut outputs: Vec<(Arc<str>, Tree)> = Vec::new();
        for aggregate in aggregates {
            let before = collected.aggregates.len();
            let filter = aggregate.filter.as_ref().map(|filter| self.condition(filter)).transpose()?;
            let rest = self.separate(&aggregate.field.value, filter.as_ref(), by, &mut collected)?;
            let is_key = |name: &Arc<str>| by.iter().any(|key| key.name.text == *name);
            let of_keys =
                is_key(&aggregate.field.name.text) || columns_of(&rest).into_iter().all(|(name, _)| is_key(name));
            if collected.aggregates.len() == before && !of_keys {
                return Err(self.no_aggregate(aggregate));
            }
            outputs.push((Arc::clone(&aggregate.field.name.text), rest));
        }
        let group = GroupBy {
            keys: keys.iter().map(|key| (Arc::clone(&key.held), key.expr.clone())).collect(),
            nulls: NullKeys::Group,
            lists: ListKeys::Each,
        };
        let temporary: Vec<Arc<str>> = collected.aggregates.iter().map(|own| Arc::clone(&own.column.name)).collect();
        let mut after = Columns::default();
        for own in &collected.aggregates {
            let mut column = Column::computed(Arc::clone(&own.column.name), own.value.kind, own.value.many);
            column.field = Some(own.value.clone());
            after.push(column);
        }
        for key in &keys {
            let mut column = Column::computed(Arc::clone(&key.name), key.kind, false);
            column.field = Some(Typed::single(key.kind, Expr::Column(Arc::clone(&key.held))));
            after.push(column);
        }
        let aggregation = Aggregation {
            by: group,
            aggregates: collected.aggregates.into_iter().map(|own| own.column).collect(),
            each: Vec::new(),
        };
        self.stages.push(if inline { Stage::Inline(aggregation) } else { Stage::Aggregate(aggregation) });
        let before = std::mem::replace(&mut self.columns, after);
        self.movable = false;
        let chosen = std::mem::replace(&mut self.chosen, true);
        let mut computed = Vec::new();
        for (name, tree) in &outputs {
            let value = self.expression(tree)?;
            computed.push((Arc::clone(name), value));
        }
        self.chosen = !inline || chosen;
        if inline {
            self.columns = before;
            self.inlined(computed, &keys, temporary);
        } else {
            self.aggregated(computed, &keys);
        }
        Ok(())
    }

    /// The columns of `STATS`: aggregates, then keys.
    fn aggregated(&mut self, computed: Vec<(Arc<str>, Typed)>, keys: &[Key]) {
        let mut columns = Columns::default();
        let mut projected: Vec<(Arc<str>, Expr)> = Vec::new();
        let held = keys
            .iter()
            .map(|key| (Arc::clone(&key.name), Typed::single(key.kind, Expr::Column(Arc::clone(&key.held)))));
        for (name, value) in computed.into_iter().chain(held) {
            projected.retain(|(own, _)| *own != name);
            projected.push((Arc::clone(&name), value.all()));
            columns.push(Column::computed(name, value.kind, value.many));
        }
        self.stages.push(Stage::Project(projected));
        self.columns = columns;
        // Rows are no events any more.
        if self.inputs == Inputs::Events {
            self.columns.forget_meanings();
        }
    }

    /// The columns of `INLINE STATS`: those that there were, then aggregates, then keys.
    fn inlined(&mut self, computed: Vec<(Arc<str>, Typed)>, keys: &[Key], temporary: Vec<Arc<str>>) {
        for (name, value) in computed {
            self.stages.push(Stage::Eval(vec![(Arc::clone(&name), value.all())]));
            self.columns.push(Column::computed(name, value.kind, value.many));
        }
        for key in keys {
            let own = self.columns.find(&key.name).cloned();
            let column = own.unwrap_or_else(|| {
                let mut column = Column::computed(Arc::clone(&key.name), key.kind, true);
                column.field.clone_from(&key.field);
                column
            });
            self.columns.push(column);
        }
        let held = keys.iter().map(|key| Arc::clone(&key.held)).chain(temporary);
        self.stages.push(Stage::Drop(held.map(ColumnPattern::Named).collect()));
    }

    fn no_aggregate(&mut self, aggregate: &ast::Aggregate) -> Said {
        let span = aggregate.field.value.span;
        self.report(
            Diagnostic::error("esql-aggregate", "there is no aggregate in this expression")
                .at(span, "one value for each row")
                .with_help("aggregate it, such as `VALUES(column)`, or group by it behind `BY`"),
        )
    }

    fn keys(&mut self, inline: bool, by: &[Field]) -> Result<Vec<Key>> {
        let mut keys: Vec<Key> = Vec::new();
        for field in by {
            let typed = self.expression(&field.value)?;
            let name = Arc::clone(&field.name.text);
            if inline && !matches!(field.value.kind, ExprKind::Column(_)) {
                self.stages.push(Stage::Eval(vec![(Arc::clone(&name), typed.all())]));
                self.columns.push(Column::computed(Arc::clone(&name), typed.kind, typed.many));
            }
            let held = self.parts.fresh_name(&name);
            let own = matches!(typed.node, Node::Field(_)).then(|| typed.clone());
            keys.retain(|key| key.name != name);
            keys.push(Key { name, held, expr: typed.all(), kind: typed.kind, field: own });
        }
        if !inline {
            // An aggregate may name a key: it stands for what the rows are grouped by.
            for key in &keys {
                let mut column = Column::computed(Arc::clone(&key.name), key.kind, true);
                column.field = Some(key.field.clone().unwrap_or_else(|| Typed::several(key.kind, key.expr.clone())));
                if self.columns.find(&key.name).is_none_or(|own| own.value().all() != key.expr) {
                    self.columns.push(column);
                }
            }
        }
        Ok(keys)
    }

    /// The expression with every aggregate in it replaced by the column that will hold it, and every expression that rows
    /// are grouped by by that key.
    fn separate(
        &mut self,
        tree: &Tree,
        filter: Option<&Expr>,
        by: &[Field],
        collected: &mut Collected,
    ) -> Result<Tree> {
        if let Some(key) = by.iter().find(|key| !matches!(tree.kind, ExprKind::Column(_)) && alike(&key.value, tree)) {
            return Ok(Tree { kind: ExprKind::Column(Arc::clone(&key.name.text)), span: tree.span });
        }
        if let ExprKind::Call { name, arguments } = &tree.kind {
            let own = name.text.as_ref();
            if AGGREGATES.iter().any(|known| known.0 == own) {
                let lowered = self.aggregate(name, arguments, filter, tree)?;
                let column = Arc::clone(&lowered.column.name);
                collected.aggregates.push(lowered);
                return Ok(Tree { kind: ExprKind::Column(column), span: tree.span });
            }
            if NOT_RUN.contains(&own) {
                let message = format!(
                    "the aggregate {} is not run: it is of time series or of shapes, and events are neither",
                    own.to_uppercase()
                );
                return Err(self.unsupported("function", message, name.span));
            }
        }
        let mut part = |part: &Tree| self.separate(part, filter, by, collected);
        let boxed = |tree: Result<Tree>| tree.map(Box::new);
        let kind = match &tree.kind {
            ExprKind::Call { name, arguments } => ExprKind::Call {
                name: name.clone(),
                arguments: arguments.iter().map(&mut part).collect::<Result<_>>()?,
            },
            ExprKind::Unary(operator, inner) => ExprKind::Unary(*operator, boxed(part(inner))?),
            ExprKind::Junction(all, parts) => {
                ExprKind::Junction(*all, parts.iter().map(&mut part).collect::<Result<_>>()?)
            }
            ExprKind::Binary(operator, a, b) => ExprKind::Binary(*operator, boxed(part(a))?, boxed(part(b))?),
            ExprKind::In { value, items, negated } => ExprKind::In {
                value: boxed(part(value))?,
                items: items.iter().map(&mut part).collect::<Result<_>>()?,
                negated: *negated,
            },
            ExprKind::IsNull { value, negated } => ExprKind::IsNull { value: boxed(part(value))?, negated: *negated },
            ExprKind::Like { value, patterns, regex, negated } => ExprKind::Like {
                value: boxed(part(value))?,
                patterns: patterns.clone(),
                regex: *regex,
                negated: *negated,
            },
            ExprKind::Cast { value, to } => ExprKind::Cast { value: boxed(part(value))?, to: to.clone() },
            other => other.clone(),
        };
        Ok(Tree { kind, span: tree.span })
    }

    fn aggregate(
        &mut self,
        name: &ast::Name,
        arguments: &[Tree],
        filter: Option<&Expr>,
        tree: &Tree,
    ) -> Result<Lowered> {
        let own = name.text.as_ref();
        let (_, least, most) = AGGREGATES.iter().find(|known| known.0 == own).copied().unwrap_or((own, 0, 0));
        let given: Vec<&Tree> =
            arguments.iter().filter(|argument| !matches!(argument.kind, ExprKind::Map(_))).collect();
        let star = matches!(given.as_slice(), [Tree { kind: ExprKind::Star, .. }]);
        if given.len() < least || given.len() > most || (star && own != "count") {
            let message = match super::functions::counted(least, most) {
                _ if star => format!("`{}` does not take `*`", own.to_uppercase()),
                wanted => format!("`{}` takes {wanted}, found {}", own.to_uppercase(), given.len()),
            };
            let help =
                if star { "name a column; `COUNT(*)` counts rows" } else { "give each argument, parted by commas" };
            return Err(
                self.report(Diagnostic::error("esql-arguments", message).at(tree.span, "in this call").with_help(help))
            );
        }
        let mut typed = Vec::new();
        for argument in given.iter().filter(|_| !star) {
            typed.push((self.expression(argument)?, argument.span));
        }
        if let Some((_, span)) = typed.iter().find(|(value, _)| value.kind.is_span()) {
            return Err(self.report(no_span(own, *span)));
        }
        let (function, value) = self.aggregate_function(own, &typed, tree)?;
        if matches!(function, Aggregate::Earliest | Aggregate::Latest) {
            self.check_sort(own, &typed)?;
        }
        let column = self.parts.fresh_name(own);
        let read = Expr::Column(Arc::clone(&column));
        let mut arguments: Vec<Expr> = typed.iter().take(1).map(|(first, _)| first.all()).collect();
        if let Some(key) = typed.first().and_then(|(first, _)| order_key(first.kind)).filter(|_| orders(function)) {
            arguments = vec![Expr::call(Function::List(ListFunction::Each(Box::new(key))), arguments)];
        }
        if matches!(function, Aggregate::Earliest | Aggregate::Latest | Aggregate::WeightedAverage) {
            arguments.extend(typed.get(1).map(|(second, _)| second.one()));
        }
        if matches!(function, Aggregate::Top { .. }) {
            // A field that stands for itself is as if it did not.
            let output = typed.get(3).filter(|(output, _)| typed.first().is_none_or(|(first, _)| first != output));
            arguments.extend(output.map(|(output, _)| output.all()));
        }
        let column = AggregateColumn { name: column, function, arguments, filter: filter.cloned(), elements: true };
        Ok(Lowered { column, value: value(read) })
    }

    /// `FIRST` and `LAST` go by a date or a number.
    fn check_sort(&mut self, own: &str, typed: &[(Typed, Span)]) -> Result<()> {
        let Some((sort, span)) = typed.get(1) else { return Ok(()) };
        if sort.kind.is_date() || sort.kind.is_number() || sort.kind.is_open() || sort.loose {
            return Ok(());
        }
        let message = format!("`{}` goes by a date or a number, found {}", own.to_uppercase(), sort.kind.name());
        Err(self.report(Diagnostic::error("esql-type", message).at(*span, format!("this is {}", sort.kind.name()))))
    }

    /// What is computed, and how the result is read.
    fn aggregate_function(&mut self, own: &str, typed: &[(Typed, Span)], tree: &Tree) -> Result<(Aggregate, Reading)> {
        let kind = typed.first().map_or(Type::Null, |(first, _)| first.kind);
        let whole = |kind: Type| -> Reading { Box::new(move |read| Typed::single(kind, read)) };
        let fraction = || -> Reading {
            Box::new(|read| {
                Typed::single(Type::Double, Expr::call(Function::Number(NumberFunction::ToFraction), [read]))
            })
        };
        let numeric = [
            "sum",
            "avg",
            "median",
            "percentile",
            "median_absolute_deviation",
            "std_dev",
            "stddev",
            "variance",
            "weighted_avg",
        ];
        if let Some((first, span)) = typed.first()
            && numeric.contains(&own)
            && !(kind.is_number() || kind.is_open() || first.loose)
        {
            let message = format!("`{}` takes numbers, found {}", own.to_uppercase(), kind.name());
            return Err(self.report(
                Diagnostic::error("esql-type", message)
                    .at(*span, format!("this is {}", kind.name()))
                    .with_help("convert it, such as `TO_LONG(value)`"),
            ));
        }
        Ok(match own {
            "count" => (Aggregate::Count, whole(Type::Long)),
            "count_distinct" => (Aggregate::CountDistinct, whole(Type::Long)),
            "sum" => match kind {
                Type::Double => (Aggregate::Sum, fraction()),
                Type::Any | Type::Null => (Aggregate::Sum, whole(Type::Any)),
                _ => (Aggregate::Sum, Box::new(|read| Typed::single(Type::Long, bounded(Type::Long, read)))),
            },
            "avg" => (Aggregate::Average, fraction()),
            "weighted_avg" => (Aggregate::WeightedAverage, fraction()),
            "median" => (Aggregate::MEDIAN, fraction()),
            "median_absolute_deviation" => (Aggregate::MedianAbsoluteDeviation, fraction()),
            "std_dev" | "stddev" => (Aggregate::StandardDeviation { sample: false }, fraction()),
            "variance" => (Aggregate::Variance { sample: false }, fraction()),
            "percentile" => {
                let percent = self.constant_number(typed, 1, tree)?;
                (Aggregate::Percentile { percent, method: PercentileMethod::Interpolated }, fraction())
            }
            "min" => (Aggregate::Min, keyed(kind)),
            "max" => (Aggregate::Max, keyed(kind)),
            "first" | "earliest" => (Aggregate::Earliest, whole(kind)),
            "last" | "latest" => (Aggregate::Latest, whole(kind)),
            "present" => (Aggregate::Present, whole(Type::Boolean)),
            "absent" => (Aggregate::Absent, whole(Type::Boolean)),
            "values" => (Self::values(None), Box::new(move |read| Typed::several(kind, read))),
            "sample" => {
                self.approximate("sample", "the first values are taken rather than random ones", tree.span);
                let count = self.constant_number(typed, 1, tree)? as u32;
                (Self::values(Some(count)), Box::new(move |read| Typed::several(kind, read)))
            }
            "top" => self.top(typed, tree)?,
            _ => return Err(self.unsupported("function", format!("the aggregate {}", own.to_uppercase()), tree.span)),
        })
    }

    /// `TOP(value, limit[, order[, output]])`.
    fn top(&mut self, typed: &[(Typed, Span)], tree: &Tree) -> Result<(Aggregate, Reading)> {
        let count = self.constant_number(typed, 1, tree)? as u32;
        if count == 0 {
            let span = typed.get(1).map_or(tree.span, |(_, span)| *span);
            let error = Diagnostic::error("esql-constant", "the limit of `TOP` is above 0");
            return Err(self.report(error.at(span, "not above 0").with_help("say how many values are wanted")));
        }
        let order = typed.get(2).and_then(|(order, _)| order.text().cloned());
        let ascending = match order.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None if typed.len() == 2 => true,
            Some("asc") => true,
            Some("desc") => false,
            _ => {
                return Err(self.report(
                    Diagnostic::error("esql-constant", "the order of `TOP` is \"asc\" or \"desc\"")
                        .at(tree.span, "unknown order"),
                ));
            }
        };
        let top = Aggregate::Top { count, ascending };
        let kind = typed.first().map_or(Type::Null, |(first, _)| first.kind);
        let Some((output, _)) = typed.get(3) else {
            let of_key = of_order_key(kind).map(|own| Function::List(ListFunction::Each(Box::new(own))));
            let reading = move |read: Expr| match &of_key {
                Some(of_key) => Typed::several(kind, Expr::call(of_key.clone(), [read])),
                None => Typed::several(kind, read),
            };
            return Ok((top, Box::new(reading)));
        };
        for (value, span) in [typed.first(), typed.get(3)].into_iter().flatten() {
            let fits = value.kind.is_number() || value.kind == Type::Date || value.kind.is_open() || value.loose;
            if !fits {
                let found = value.kind.name();
                let message = format!("with an output field `TOP` takes numbers and dates, found {found}");
                let error = Diagnostic::error("esql-type", message).at(*span, format!("this is {found}"));
                return Err(self.report(error.with_help("leave the output field out, or convert what is no number")));
            }
        }
        let kind = output.kind;
        Ok((top, Box::new(move |read| Typed::several(kind, read))))
    }

    fn values(limit: Option<u32>) -> Aggregate {
        Aggregate::Collect(Collect { distinct: limit.is_none(), order: CollectOrder::Value, limit, lone: true })
    }

    fn constant_number(&mut self, typed: &[(Typed, Span)], place: usize, tree: &Tree) -> Result<f64> {
        let found = typed.get(place).and_then(|(own, _)| own.constant()).and_then(Value::as_number);
        found.filter(|number| number.is_finite() && *number >= 0.0).ok_or_else(|| {
            let span = typed.get(place).map_or(tree.span, |(_, span)| *span);
            self.report(
                Diagnostic::error("esql-constant", "a constant number is wanted here").at(span, "no constant number"),
            )
        })
    }
}

/// A key: its name, the column that holds it meanwhile, what it is.
struct Key {
    name: Arc<str>,
    held: Arc<str>,
    expr: Expr,
    kind: Type,
    field: Option<Typed>,
}

/// Whether an aggregate orders values.
fn orders(function: Aggregate) -> bool {
    matches!(function, Aggregate::Min | Aggregate::Max | Aggregate::Top { .. })
}

/// The reading of a least or greatest value.
fn keyed(kind: Type) -> Reading {
    let of_key = of_order_key(kind);
    Box::new(move |read| {
        Typed::single(
            kind,
            match &of_key {
                Some(function) => Expr::call(function.clone(), [read]),
                None => read,
            },
        )
    })
}

/// What a value was before it became what [`order_key`] makes of it.
fn of_order_key(kind: Type) -> Option<Function> {
    match kind {
        Type::Ip => Some(Function::Address(lurcher_ir::AddressFunction::AddressOfKey)),
        Type::Version => Some(Function::Address(lurcher_ir::AddressFunction::VersionOfKey)),
        _ => None,
    }
}

/// The expressions right below one. Of lists and patterns, which are constants, there are none.
fn parts(tree: &Tree) -> Vec<&Tree> {
    match &tree.kind {
        ExprKind::Call { arguments, .. } => arguments.iter().collect(),
        ExprKind::Unary(_, inner) => vec![inner],
        ExprKind::Junction(_, parts) => parts.iter().collect(),
        ExprKind::Binary(_, a, b) => vec![a, b],
        ExprKind::In { value, items, .. } => std::iter::once(value.as_ref()).chain(items).collect(),
        ExprKind::IsNull { value, .. } | ExprKind::Like { value, .. } | ExprKind::Cast { value, .. } => vec![value],
        ExprKind::Match { value, query } => vec![value, query],
        _ => Vec::new(),
    }
}

/// The columns that an expression reads, and where.
pub(super) fn columns_of(tree: &Tree) -> Vec<(&Arc<str>, Span)> {
    match &tree.kind {
        ExprKind::Column(name) => vec![(name, tree.span)],
        _ => parts(tree).into_iter().flat_map(columns_of).collect(),
    }
}

/// Whether two expressions are the same but for where they stand.
fn alike(a: &Tree, b: &Tree) -> bool {
    let own = match (&a.kind, &b.kind) {
        (ExprKind::Call { name: x, .. }, ExprKind::Call { name: y, .. }) => x.text == y.text,
        (ExprKind::Unary(x, _), ExprKind::Unary(y, _)) => x == y,
        (ExprKind::Junction(x, _), ExprKind::Junction(y, _)) => x == y,
        (ExprKind::Binary(x, ..), ExprKind::Binary(y, ..)) => x == y,
        (ExprKind::Cast { to: x, .. }, ExprKind::Cast { to: y, .. }) => x.text == y.text,
        (ExprKind::IsNull { negated: x, .. }, ExprKind::IsNull { negated: y, .. })
        | (ExprKind::In { negated: x, .. }, ExprKind::In { negated: y, .. }) => x == y,
        (x, y) => x == y,
    };
    let (a, b) = (parts(a), parts(b));
    own && a.len() == b.len() && a.into_iter().zip(b).all(|(a, b)| alike(a, b))
}
