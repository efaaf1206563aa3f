//! What each command does to rows and columns.

use std::{collections::BTreeMap, sync::Arc};

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{ColumnPattern, Dedup, Expand, Expr, FieldRef, Function, ListFunction, SortKey, Stage, TextFunction};
use lurcher_schema::{Taxonomy, Value};

use super::{
    super::{
        ast::{Command, CommandKind, Expr as Tree, Field, Name, NamePattern, Order},
        types::Type,
    },
    Inputs, Lowerer, Result,
    columns::{Column, Item},
    functions::no_span,
    value::{Node, Typed},
};

/// The longest keyword that an index keeps, in characters, by the mapping of ECS.
const IGNORED_ABOVE: i64 = 1024;

/// Commands that are not run, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("rerank", "it asks a model for an order; order by a value of the rows with SORT"),
    (
        "change_point",
        "it finds changes of a series by a statistical model of its own; compare groups of time with STATS",
    ),
    ("sample", "its result is random, and no run could be repeated; leave it out, all rows are looked at"),
    ("fork", "its rows have no order that could be reproduced; write a query for each branch"),
    ("fuse", "it fuses ranked searches, and events have no rank; write the searches as one condition"),
    ("show", "there is no cluster to show; begin with FROM or ROW"),
    ("explain", "there is no cluster to explain; begin with FROM or ROW"),
    ("ts", "time series indices are not handled; begin with FROM"),
    ("promql", "time series indices are not handled; begin with FROM"),
    ("metrics_info", "time series indices are not handled; leave it out"),
    ("ts_info", "time series indices are not handled; leave it out"),
    ("fillnull", "it is not documented; use EVAL and COALESCE"),
    ("eql", "a rule in EQL is a rule of its own: give it the language `eql`"),
    ("highlight", "it marks what a ranked search found; leave it out"),
    ("mmr", "it ranks by vectors, and events have none; leave it out"),
    ("dense_vector", "it makes vectors, and events have none; leave it out"),
];

impl Lowerer<'_> {
    /// One command.
    pub(super) fn command(&mut self, command: &Command) -> Result<()> {
        match &command.kind {
            CommandKind::From { patterns, metadata } => {
                self.from(patterns, metadata)?;
                self.begin();
                Ok(())
            }
            CommandKind::Row(fields) => {
                self.inputs = Inputs::Row;
                self.row(fields)?;
                self.begin();
                Ok(())
            }
            CommandKind::Where(condition) => self.filter_rows(condition),
            CommandKind::Eval(fields) => self.eval(fields),
            CommandKind::Stats { inline, aggregates, by } => self.stats(*inline, aggregates, by),
            CommandKind::Keep(patterns) => self.keep(patterns),
            CommandKind::Drop(patterns) => self.drop_columns(patterns),
            CommandKind::Rename(pairs) => pairs.iter().try_for_each(|(from, to)| self.rename(from, to)),
            CommandKind::Sort(orders) => self.sort(orders),
            CommandKind::Limit { count, by } => self.limit(count, by),
            CommandKind::Dissect { input, pattern, separator } => self.dissect(input, pattern, separator.as_ref()),
            CommandKind::Grok { input, patterns } => self.grok(input, patterns),
            CommandKind::Expand(name) => self.expand(name),
            CommandKind::Enrich { policy, on, with } => self.enrich(policy, on.as_ref(), with.as_deref()),
            CommandKind::LookupJoin { table, on } => self.lookup_join(table, on),
            CommandKind::Completion { column, prompt, options } => {
                self.completion(column.as_ref(), prompt, options, command.span)
            }
            CommandKind::Parts { of, prefix, input, options } => self.parts_of(*of, prefix, input, options),
            CommandKind::Dedup => self.dedup(command.span),
            CommandKind::Other(name) => {
                let why = NOT_RUN.iter().find(|(known, _)| *known == name.text.as_ref()).map_or("", |(_, why)| *why);
                let why = if why.is_empty() { String::new() } else { format!(": {why}") };
                Err(self.unsupported(
                    "command",
                    format!("the command {} is not run{why}", name.text.to_uppercase()),
                    name.span,
                ))
            }
        }
    }

    fn from(&mut self, patterns: &[Name], metadata: &[Name]) -> Result<()> {
        if let Some(nested) = patterns.iter().find(|name| name.text.as_ref() == "(") {
            let message = "FROM with a query in brackets is not run; write that query as one of its own";
            return Err(self.unsupported("subquery", message, nested.span));
        }
        let names: Vec<String> = patterns
            .iter()
            .flat_map(|name| name.text.split(',').map(str::trim).map(str::to_owned).collect::<Vec<_>>())
            .filter(|name| !name.is_empty())
            .map(|name| {
                let name = name.split("::").next().unwrap_or_default();
                // A cluster's name says where an index lies, not what it holds.
                name.rsplit(':').next().unwrap_or_default().to_owned()
            })
            .collect();
        let tables: Vec<Arc<str>> = names
            .iter()
            .flat_map(|name| {
                let pattern = ColumnPattern::parse(name);
                self.options.tables.keys().filter(|table| pattern.fits(table).is_some()).cloned().collect::<Vec<_>>()
            })
            .collect();
        if tables.is_empty() {
            self.sources = Some(names);
            self.columns.items.push(Item::Fields(ColumnPattern::Like("*".into())));
        } else {
            // An index has no order of its own for its fields; a query shows them by name.
            let mut columns = BTreeMap::new();
            for table in &tables {
                for (name, kind) in self.table_columns(table).unwrap_or_default() {
                    columns.entry(name).or_insert(kind);
                }
            }
            if tables.len() > 1 {
                // Each row gets the columns of all tables.
                let all = columns.keys().map(|name| (Arc::clone(name), Expr::Column(Arc::clone(name))));
                self.stages.push(Stage::Project(all.collect()));
            }
            for (name, kind) in columns {
                self.columns.push(Column::computed(name, kind, true));
            }
            self.inputs = Inputs::Tables(tables);
        }
        metadata.iter().try_for_each(|name| self.metadata(name))
    }

    fn metadata(&mut self, name: &Name) -> Result<()> {
        let field = |kind| Typed::field(kind, FieldRef::new(Taxonomy::Ecs, Arc::clone(&name.text)));
        let typed = match name.text.as_ref() {
            "_id" | "_index" | "_index_mode" | "_tier" | "_size" => field(Type::Keyword),
            "_version" => field(Type::Long),
            "_source" => Typed::single(Type::Source, Expr::Event(Taxonomy::Ecs)),
            "_score" => Typed::literal(Type::Double, Value::Null),
            "_ignored" => {
                self.approximate(
                    "ignored-fields",
                    format!("`_ignored` is taken to name the texts of more than {IGNORED_ABOVE} characters"),
                    name.span,
                );
                let arguments = [Expr::Event(Taxonomy::Ecs), Expr::Literal(Value::Int(IGNORED_ABOVE))];
                Typed::several(Type::Keyword, Expr::call(Function::Text(TextFunction::LongMembers), arguments))
            }
            _ => {
                return Err(self.report(
                    Diagnostic::error("esql-metadata", format!("there is no metadata field `{}`", name.text))
                        .at(name.span, "unknown metadata")
                        .with_help("such as `_id`, `_index`, `_version`, `_source`, `_ignored`"),
                ));
            }
        };
        let typed = match &self.inputs {
            Inputs::Events => typed,
            // Where rows of several tables stand together, none says where it came from.
            Inputs::Tables(tables) if tables.len() == 1 && name.text.as_ref() == "_index" => {
                Typed::literal(Type::Keyword, Value::Text(Arc::clone(&tables[0])))
            }
            _ => Typed::literal(typed.kind, Value::Null),
        };
        let mut column = Column::computed(Arc::clone(&name.text), typed.kind, typed.many);
        column.field = Some(typed.clone());
        column.meaning = Some(typed);
        self.columns.push(column);
        Ok(())
    }

    /// Says of a metadata field that is computed with, not merely shown, what is not as in an index.
    pub(super) fn read_metadata(&mut self, name: &str, span: Span) {
        if self.columns.find(name).is_none_or(|column| column.field.is_none()) {
            return;
        }
        match name {
            "_score" => self.approximate("score", "events are not ranked: `_score` is null", span),
            "_id" | "_version" | "_index_mode" | "_tier" | "_size" => {
                let message = format!("`{name}` is that of documents that carry one, and null of other events");
                self.approximate("metadata", message, span);
            }
            _ => {}
        }
    }

    /// The one row of `ROW`. A length of time is no value of it.
    fn row(&mut self, fields: &[Field]) -> Result<()> {
        for field in fields {
            let value = self.expression(&field.value)?;
            if value.kind.is_span() {
                return Err(self.report(no_span("row", field.value.span)));
            }
            self.set(&field.name.text, value, None);
        }
        Ok(())
    }

    /// Rows that are equal in all columns become one.
    fn dedup(&mut self, span: Span) -> Result<()> {
        if self.columns.open() || self.columns.unknown {
            let message = "DEDUP over columns that are not known beforehand; say which with KEEP";
            return Err(self.unsupported("command", message, span));
        }
        let keys = self.columns.columns().map(|column| column.value().all()).collect();
        self.stages.push(Stage::Dedup(Dedup { keys, keep: 1, consecutive: false }));
        self.movable = false;
        Ok(())
    }

    fn eval(&mut self, fields: &[Field]) -> Result<()> {
        for field in fields {
            let (value, meaning) = self.value_and_meaning(&field.value)?;
            if value.kind.is_span() {
                return Err(self.report(no_span("eval", field.value.span)));
            }
            self.set(&field.name.text, value, meaning);
        }
        Ok(())
    }

    /// Keeps the named columns, in their order. An exact name goes before a pattern, a pattern before `*`; of two alike the
    /// last counts.
    fn keep(&mut self, patterns: &[NamePattern]) -> Result<()> {
        let mut kept: Vec<(usize, usize, Item)> = Vec::new();
        let rank = |pattern: &NamePattern| match (pattern.plain(), pattern.text().as_str()) {
            (Some(_), _) => 0,
            (None, "*") => 2,
            _ => 1,
        };
        let shapes: Vec<ColumnPattern> = patterns.iter().map(column_pattern).collect();
        let best = |name: &str| {
            let fitting = shapes.iter().enumerate().filter(|(_, shape)| shape.fits(name).is_some());
            let ranked = fitting.filter_map(|(at, _)| patterns.get(at).map(|pattern| (rank(pattern), at)));
            ranked.min_by_key(|(rank, at)| (*rank, std::cmp::Reverse(*at))).map(|(_, at)| at)
        };
        let mut used = vec![false; patterns.len()];
        for (place, item) in self.columns.items.iter().enumerate() {
            match item {
                Item::Column(column) => {
                    for (at, shape) in shapes.iter().enumerate() {
                        used[at] |= shape.fits(&column.name).is_some();
                    }
                    if let Some(at) = best(&column.name) {
                        kept.push((at, place, item.clone()));
                    }
                }
                Item::Fields(own) => {
                    for (at, pattern) in patterns.iter().enumerate().filter(|(_, p)| p.plain().is_none()) {
                        used[at] = true;
                        let both = if pattern.text() == "*" { own.clone() } else { column_pattern(pattern) };
                        kept.push((at, place, Item::Fields(both)));
                    }
                }
            }
        }
        for (at, pattern) in patterns.iter().enumerate().filter(|(at, _)| !used[*at]) {
            match pattern.plain() {
                Some(name) => {
                    let typed = self.column(name, pattern.span)?;
                    if best(name) == Some(at) {
                        kept.push((at, usize::MAX, Item::Column(of_typed(name, typed))));
                    }
                }
                None if self.columns.unknown => {}
                None => {
                    return Err(self.report(
                        Diagnostic::error("esql-unknown-column", format!("no column fits `{}`", pattern.text()))
                            .at(pattern.span, "fits nothing"),
                    ));
                }
            }
        }
        self.chosen |= patterns.iter().all(|pattern| pattern.text() != "*");
        kept.sort_by_key(|(at, place, _)| (*at, *place));
        self.columns.items = kept.into_iter().map(|(_, _, item)| item).collect();
        if self.columns.unknown {
            self.stages.push(Stage::Keep(shapes));
        }
        Ok(())
    }

    fn drop_columns(&mut self, patterns: &[NamePattern]) -> Result<()> {
        // Every pattern is of the columns before the command: one may drop what another has dropped.
        let names: Vec<Arc<str>> = self.columns.columns().map(|column| Arc::clone(&column.name)).collect();
        for pattern in patterns {
            let shape = column_pattern(pattern);
            self.columns
                .items
                .retain(|item| !matches!(item, Item::Column(column) if shape.fits(&column.name).is_some()));
            let found = names.iter().any(|name| shape.fits(name).is_some());
            if self.columns.open() {
                self.columns.hidden.push(shape);
            } else if self.columns.unknown {
                self.stages.push(Stage::Drop(vec![shape]));
            } else if !(found || pattern.plain().is_some() && self.takes_unmapped()) {
                let message = format!("unknown column `{}`", pattern.text());
                return Err(self.report(
                    Diagnostic::error("esql-unknown-column", message).at(pattern.span, "there is nothing to drop"),
                ));
            }
        }
        Ok(())
    }

    fn rename(&mut self, from: &Name, to: &Name) -> Result<()> {
        let typed = self.column(&from.text, from.span)?;
        if from.text == to.text {
            return Ok(());
        }
        let meaning = self.columns.find(&from.text).and_then(|column| column.meaning.clone());
        let computed = matches!(&typed.node, Node::Expr(Expr::Column(_)));
        let mut column = Column::computed(Arc::clone(&to.text), typed.kind, typed.many);
        column.meaning = meaning.or_else(|| (!computed).then(|| typed.clone()));
        column.constant = self.columns.find(&from.text).and_then(|column| column.constant.clone());
        if computed {
            let names = [from, to].map(|name| ColumnPattern::Named(Arc::clone(&name.text)));
            let [from, to] = names;
            self.stages.push(Stage::Rename(vec![(from, to)]));
        } else {
            column.field = Some(typed);
        }
        self.columns.items.retain(|item| !matches!(item, Item::Column(own) if own.name == to.text));
        let place =
            self.columns.items.iter().position(|item| matches!(item, Item::Column(own) if own.name == from.text));
        if let Some(item) = place.and_then(|place| self.columns.items.get_mut(place)) {
            *item = Item::Column(column);
        } else {
            self.columns.remove(&from.text);
            self.columns.push(column);
        }
        Ok(())
    }

    fn sort(&mut self, orders: &[Order]) -> Result<()> {
        let mut keys = Vec::new();
        for order in orders {
            let typed = self.expression(&order.value)?;
            let expr = self.sortable(&typed, order.descending, order.value.span)?;
            keys.push(SortKey {
                expr,
                descending: order.descending,
                nulls_first: order.nulls_first.unwrap_or(order.descending),
                loose: false,
            });
        }
        self.stages.push(Stage::Sort(keys));
        Ok(())
    }

    /// What a value is sorted by: of several the least, or the greatest if greater ones come first.
    fn sortable(&mut self, typed: &Typed, descending: bool, span: Span) -> Result<Expr> {
        if matches!(typed.kind, Type::Source | Type::GeoPoint) || typed.kind.is_span() {
            return Err(self.report(
                Diagnostic::error("esql-type", format!("cannot sort by {}", typed.kind.name()))
                    .at(span, format!("this is {}", typed.kind.name())),
            ));
        }
        let extreme = if descending { ListFunction::Max } else { ListFunction::Min };
        let mut values = typed.all();
        if let Some(key) = order_key(typed.kind) {
            values = Expr::call(Function::List(ListFunction::Each(Box::new(key))), [values]);
        }
        Ok(Expr::call(Function::List(extreme), [values]))
    }

    fn limit(&mut self, count: &Tree, by: &[Tree]) -> Result<()> {
        let typed = self.expression(count)?;
        let Some(Value::Int(rows @ 0..)) = typed.constant() else {
            return Err(self.report(
                Diagnostic::error("esql-limit", "`LIMIT` takes a whole number that is not negative")
                    .at(count.span, "no such number"),
            ));
        };
        let rows = *rows as u64;
        if by.is_empty() {
            self.stages.push(Stage::Head(rows));
            self.limited = true;
        } else {
            let keys: Vec<Expr> = by.iter().map(|key| Ok(self.expression(key)?.all())).collect::<Result<_>>()?;
            self.stages.push(Stage::Dedup(Dedup { keys, keep: rows, consecutive: false }));
        }
        self.movable = false;
        Ok(())
    }

    fn expand(&mut self, name: &Name) -> Result<()> {
        let typed = self.column(&name.text, name.span)?;
        if !matches!(&typed.node, Node::Expr(Expr::Column(_))) {
            self.stages.push(Stage::Eval(vec![(Arc::clone(&name.text), typed.all())]));
        }
        self.stages.push(Stage::Expand(Expand::all(Arc::clone(&name.text))));
        let mut column = Column::computed(Arc::clone(&name.text), typed.kind, false);
        column.element_of = Some(typed).filter(|typed| self.movable && matches!(typed.node, Node::Field(_)));
        self.columns.replace(column);
        Ok(())
    }
}

/// A text by whose bytes values of a type are ordered, where they are not by their own.
pub(super) fn order_key(kind: Type) -> Option<Function> {
    match kind {
        Type::Ip => Some(Function::Address(lurcher_ir::AddressFunction::AddressKey)),
        Type::Version => Some(Function::Address(lurcher_ir::AddressFunction::VersionKey)),
        _ => None,
    }
}

fn column_pattern(pattern: &NamePattern) -> ColumnPattern {
    match pattern.plain() {
        Some(name) => ColumnPattern::Named(name.into()),
        None => ColumnPattern::Like(pattern.text().into()),
    }
}

/// An event's field as a column of its own.
fn of_typed(name: &str, typed: Typed) -> Column {
    let mut column = Column::computed(name, typed.kind, typed.many);
    if matches!(typed.node, Node::Field(_)) {
        column.field = Some(typed.clone());
        column.meaning = Some(typed);
    }
    column
}
