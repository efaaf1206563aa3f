//! `LOOKUP JOIN`: by fields that both sides have, or by a condition.
//!
//! A condition is one or more parts joined by `AND`. A part compares a column of the rows with one of the table, or says
//! something of the table's columns alone; at least one does the former. Each name belongs to one side. Joined by fields, a
//! row keeps its own; joined by a condition, it gets all of the table's columns.
//!
//! Sources: the language's reference, `LOOKUP JOIN`; Elasticsearch's `Join` and `LookupJoin`.

use std::{collections::BTreeMap, sync::Arc};

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Case, Expr, Function, Lookup, LookupKey, LookupMatch, LookupOutput, LookupRows, Stage};

use super::{
    super::{
        ast::{self, BinaryOperator, ExprKind, Name},
        types::Type,
    },
    Lowerer, Result, Said,
    columns::Column,
    operators::millis,
    stats::columns_of,
    value::Typed,
};

/// The columns of a table, as far as they are known.
type TableColumns = [(Arc<str>, Type)];

/// What a table's rows are found by.
#[derive(Default)]
struct Joined {
    keys: Vec<LookupKey>,
    condition: Option<Expr>,
    /// The table's columns that the row has itself.
    own: Vec<Arc<str>>,
}

/// Which sides the names in a part of a condition belong to.
#[derive(Clone, Copy, Default)]
struct Sides {
    rows: bool,
    table: bool,
}

impl Lowerer<'_> {
    /// `LOOKUP JOIN table ON …`.
    pub(super) fn lookup_join(&mut self, table: &Name, on: &[ast::Expr]) -> Result<()> {
        let known = self.table_columns(&table.text);
        self.missing_table(known.is_some(), &table.text, table.span);
        let joined = match on {
            [condition] if !matches!(condition.kind, ExprKind::Column(_)) => {
                self.joined_by_condition(table, condition, known.as_deref())?
            }
            fields => self.joined_by_fields(table, fields, known.as_deref())?,
        };
        let outputs = known.as_ref().map(|columns| {
            let others = columns.iter().filter(|(name, _)| !joined.own.contains(name));
            // By name, as the fields of every index.
            others.map(|(name, kind)| (Arc::clone(name), *kind)).collect::<BTreeMap<_, _>>()
        });
        self.stages.push(Stage::Lookup(Lookup {
            table: Arc::clone(&table.text),
            keys: joined.keys,
            condition: joined.condition,
            outputs: outputs.as_ref().map(|outputs| {
                let output = |name: &Arc<str>| LookupOutput { column: Arc::clone(name), name: Arc::clone(name) };
                outputs.keys().map(output).collect()
            }),
            most: u64::MAX,
            rows: LookupRows::Each,
            overwrite: true,
            least: 0,
            default: None,
        }));
        match outputs {
            Some(outputs) => {
                for (name, kind) in outputs {
                    self.columns.push(Column::computed(name, kind, true));
                }
            }
            None => self.columns.unknown = true,
        }
        Ok(())
    }

    /// By fields of the same name.
    fn joined_by_fields(&mut self, table: &Name, on: &[ast::Expr], known: Option<&TableColumns>) -> Result<Joined> {
        let mut joined = Joined::default();
        for field in on {
            let ExprKind::Column(name) = &field.kind else {
                let error = Diagnostic::error("esql-join", "`ON` takes fields parted by commas, or one condition");
                return Err(self.report(
                    error
                        .at(field.span, "no field")
                        .with_help("join the parts of a condition by `AND`: `ON a == b AND c == d`"),
                ));
            };
            let kind = known.and_then(|known| kind_in(known, name));
            if known.is_some() && kind.is_none() {
                let name = Name { text: Arc::clone(name), span: field.span };
                return Err(self.unknown_in_table(&table.text, &name));
            }
            let value = self.column(name, field.span)?;
            let value = indexed(&value, kind.unwrap_or(Type::Any)).unwrap_or_else(|| value.one());
            joined.own.push(Arc::clone(name));
            joined.keys.push(equal(name, value));
        }
        Ok(joined)
    }

    /// By a condition.
    fn joined_by_condition(
        &mut self,
        table: &Name,
        condition: &ast::Expr,
        known: Option<&TableColumns>,
    ) -> Result<Joined> {
        let mut parts = Vec::new();
        conjuncts(condition, &mut parts);
        let mut joined = Joined::default();
        let mut conditions = Vec::new();
        let mut related = false;
        for part in parts {
            let laid = known.map_or_else(|| self.taken_for_the_tables(part), <[_]>::to_vec);
            let sides = self.sides_of(table, part, &laid, known.is_some())?;
            match (sides, compared(part)) {
                (Sides { rows: true, table: true }, None) => {
                    let message =
                        "what relates rows to the table compares a field of each by `==`, `!=`, `<`, `<=`, `>` or `>=`";
                    return Err(self.report(
                        Diagnostic::error("esql-join", message)
                            .at(part.span, "no such comparison")
                            .with_help("compute what is compared in an `EVAL` before, and join its parts by `AND`"),
                    ));
                }
                (Sides { table: false, .. }, _) => {
                    let error =
                        Diagnostic::error("esql-join", "this part of the condition reads no field of the table");
                    return Err(self
                        .report(error.at(part.span, "says nothing of the table").with_help("put it into a `WHERE`")));
                }
                (Sides { rows, .. }, _) => related |= rows,
            }
            let expr = self.beside_table(part, &laid)?;
            match self.key_of(part, &laid) {
                Some(key) => joined.keys.push(key),
                None => conditions.push(expr),
            }
        }
        if !related {
            let error = Diagnostic::error("esql-join", "no part of the condition relates the rows to the table");
            return Err(self.report(error.at(condition.span, "reads fields of the table alone").with_help(
                "compare a field of the rows with one of the table: `ON left_field == table_field AND …`",
            )));
        }
        joined.condition = match conditions.len() {
            0 | 1 => conditions.pop(),
            _ => Some(Expr::Call(Function::And, conditions)),
        };
        Ok(joined)
    }

    /// The columns of a part that are taken for those of a table that is not given: the right one of two that are compared
    /// if the left one may be the rows', and what no command has made a column.
    fn taken_for_the_tables(&self, part: &ast::Expr) -> Vec<(Arc<str>, Type)> {
        let here = |name: &str| self.columns.find(name).is_some() || self.columns.has_field(name);
        let names = match compared(part) {
            Some((_, a, b)) => vec![if here(a) { b } else { a }],
            None => {
                let names = columns_of(part).into_iter().map(|(name, _)| name);
                names.filter(|name| self.columns.find(name).is_none()).collect()
            }
        };
        names.into_iter().map(|name| (Arc::clone(name), Type::Any)).collect()
    }

    /// Which sides the names of a part belong to.
    fn sides_of(&mut self, table: &Name, part: &ast::Expr, laid: &TableColumns, sure: bool) -> Result<Sides> {
        let mut sides = Sides::default();
        for (name, span) in columns_of(part) {
            match (self.columns.find(name).is_some(), kind_in(laid, name).is_some()) {
                (true, true) if sure => return Err(self.on_both_sides(table, name, span)),
                (_, true) => sides.table = true,
                _ => {
                    self.column(name, span)?;
                    sides.rows = true;
                }
            }
        }
        Ok(sides)
    }

    fn on_both_sides(&mut self, table: &Name, name: &str, span: Span) -> Said {
        let message = format!("both the rows and the table `{}` have a field `{name}`", table.text);
        self.report(
            Diagnostic::error("esql-join", message)
                .at(span, "which one is meant?")
                .with_help(format!("rename that of the rows before: `RENAME {name} AS left_{name}`")),
        )
    }

    /// A part as a condition on a row with the table's columns laid over.
    fn beside_table(&mut self, part: &ast::Expr, laid: &TableColumns) -> Result<Expr> {
        let before = self.columns.clone();
        for (name, kind) in laid {
            self.columns.push(Column::computed(Arc::clone(name), *kind, true));
        }
        // What is searched for are the table's columns, not the event's fields.
        let movable = std::mem::replace(&mut self.movable, false);
        let condition = self.condition(part);
        self.movable = movable;
        self.columns = before;
        condition
    }

    /// A part as a key by which the table's rows are looked up, where equal texts are equal values.
    fn key_of(&mut self, part: &ast::Expr, laid: &TableColumns) -> Option<LookupKey> {
        let (BinaryOperator::Equal, a, b) = compared(part)? else { return None };
        let (rows, table) = if kind_in(laid, b).is_some() { (a, b) } else { (b, a) };
        let kind = kind_in(laid, table)?;
        let value = self.column(rows, part.span).ok()?;
        Some(equal(table, indexed(&value, kind)?))
    }
}

fn equal(column: &Arc<str>, value: Expr) -> LookupKey {
    LookupKey { column: Arc::clone(column), value, matching: LookupMatch::Equal(Case::Sensitive) }
}

fn kind_in(columns: &TableColumns, name: &str) -> Option<Type> {
    columns.iter().find(|(own, _)| own.as_ref() == name).map(|(_, kind)| *kind)
}

/// A value whose text is that of a table's column of this type if they are equal; none of types whose texts may differ.
fn indexed(value: &Typed, column: Type) -> Option<Expr> {
    let date = |typed: &Typed| {
        let time = Function::Time(lurcher_ir::TimeFunction::Written);
        Expr::call(time, [millis(typed)])
    };
    match (value.kind, column) {
        // What is computed as a fraction may be a whole number all the same.
        (Type::Double, Type::Double) => None,
        (own, Type::Any) if own.is_date() => Some(date(value)),
        (own, Type::Date) if own == Type::Date || own.is_open() => Some(millis(value)),
        (own, other) if own == other || own.is_open() || other.is_open() => Some(value.one()),
        (own, other) if own.is_text() && other.is_text() => Some(value.one()),
        (Type::Integer | Type::Long, Type::Integer | Type::Long) => Some(value.one()),
        _ => None,
    }
}

/// The operator and the names, if two columns are compared.
fn compared(part: &ast::Expr) -> Option<(BinaryOperator, &Arc<str>, &Arc<str>)> {
    let ExprKind::Binary(operator, left, right) = &part.kind else { return None };
    let (ExprKind::Column(a), ExprKind::Column(b)) = (&left.kind, &right.kind) else { return None };
    let compares = matches!(
        operator,
        BinaryOperator::Equal
            | BinaryOperator::NotEqual
            | BinaryOperator::Less
            | BinaryOperator::LessOrEqual
            | BinaryOperator::Greater
            | BinaryOperator::GreaterOrEqual
    );
    compares.then_some((*operator, a, b))
}

/// The parts that `AND` joins.
fn conjuncts<'e>(expr: &'e ast::Expr, parts: &mut Vec<&'e ast::Expr>) {
    match &expr.kind {
        ExprKind::Junction(true, inner) => inner.iter().for_each(|part| conjuncts(part, parts)),
        _ => parts.push(expr),
    }
}
