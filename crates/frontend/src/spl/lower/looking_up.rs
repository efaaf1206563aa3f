//! The function `lookup(TABLE, json_object(COLUMN, value, …), json_array(OUTPUT, …))`: rows of a table within an expression.
//!
//! It yields a JSON object with the outputs, or null where nothing matches (Search Reference, *Comparison and conditional
//! functions*). An expression cannot look into tables, so each call becomes the command `lookup` before the command that
//! holds it, over columns that are there for it only.

use std::sync::Arc;

use lurcher_diagnostics::Diagnostic;
use lurcher_ir::{ColumnPattern, Expr, Function, JsonOperation, LooseFunction, Stage};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    rows::{Rows, loose},
    terms::not_null,
};
use crate::spl::ast::{self, ExprKind, LookupCommand, Name};

/// What a call is made of: the table, its columns with the values sought, and the columns that are wanted.
type Call<'e> = (Name, Vec<(Name, &'e ast::Expr)>, Vec<Name>);

impl Lowerer<'_> {
    /// Does a command whose expression looks into tables: with the calls replaced, and without their columns behind it.
    pub(super) fn with_lookups(
        &mut self,
        expr: &ast::Expr,
        mut rows: Rows,
        command: impl FnOnce(&mut Self, &ast::Expr, Rows) -> Result<Rows, Said>,
    ) -> Result<Rows, Said> {
        let mut made = Vec::new();
        let expr = self.looked_up(expr, &mut rows, &mut made)?;
        rows = command(self, &expr, rows)?;
        rows.make_columns();
        rows.names.columns.retain(|(name, _)| !made.contains(name));
        rows.stages.push(Stage::Drop(made.into_iter().map(ColumnPattern::Named).collect()));
        Ok(rows)
    }

    /// The expression with a field in the place of each call.
    fn looked_up(&mut self, expr: &ast::Expr, rows: &mut Rows, made: &mut Vec<Arc<str>>) -> Result<ast::Expr, Said> {
        if !calls_lookup(expr) {
            return Ok(expr.clone());
        }
        if let ExprKind::Call(name, arguments) = &expr.kind
            && name.text.eq_ignore_ascii_case("lookup")
        {
            let Some(call) = call(arguments) else {
                return Err(self.report(
                    Diagnostic::error("spl-expected", "`lookup` takes a table, what is sought and what is wanted")
                        .at(expr.span, "not of this form")
                        .with_help(
                            "write it as `lookup(\"TABLE\", json_object(\"COLUMN\", value), json_array(\"OUTPUT\"))`",
                        ),
                ));
            };
            let field = self.looked_up_call(call, rows, made)?;
            return Ok(ast::Expr { kind: ExprKind::Field(field), span: expr.span });
        }
        let mut one = |part: &ast::Expr| self.looked_up(part, rows, made);
        let kind = match &expr.kind {
            ExprKind::Call(name, arguments) => {
                ExprKind::Call(name.clone(), arguments.iter().map(one).collect::<Result<_, _>>()?)
            }
            ExprKind::And(parts) => ExprKind::And(parts.iter().map(one).collect::<Result<_, _>>()?),
            ExprKind::Or(parts) => ExprKind::Or(parts.iter().map(one).collect::<Result<_, _>>()?),
            ExprKind::Negate(inner) => ExprKind::Negate(Box::new(one(inner)?)),
            ExprKind::Not(inner) => ExprKind::Not(Box::new(one(inner)?)),
            ExprKind::Xor(a, b) => ExprKind::Xor(Box::new(one(a)?), Box::new(one(b)?)),
            ExprKind::Binary(operator, a, b) => ExprKind::Binary(*operator, Box::new(one(a)?), Box::new(one(b)?)),
            ExprKind::Like(a, b) => ExprKind::Like(Box::new(one(a)?), Box::new(one(b)?)),
            ExprKind::In(a, items) => {
                let a = Box::new(one(a)?);
                ExprKind::In(a, items.iter().map(one).collect::<Result<_, _>>()?)
            }
            plain => plain.clone(),
        };
        Ok(ast::Expr { kind, span: expr.span })
    }

    /// Looks rows up, and yields the name of the column with the object of what was found.
    fn looked_up_call(
        &mut self,
        (table, sought, wanted): Call<'_>,
        rows: &mut Rows,
        made: &mut Vec<Arc<str>>,
    ) -> Result<Arc<str>, Said> {
        let mut name = |lowerer: &mut Self| {
            let name = lowerer.parts.fresh_name("lookup");
            made.push(Arc::clone(&name));
            name
        };
        let mut keys = Vec::new();
        for (column, value) in sought {
            let value = self.expression(value, &rows.names)?;
            let key = name(self);
            rows.names.set(&key, value);
            keys.push((column.clone(), Name { text: key, ..column }));
        }
        let outputs: Vec<(Name, Name)> =
            wanted.into_iter().map(|column| (column.clone(), Name { text: name(self), ..column })).collect();
        let fields: Vec<(Arc<str>, Arc<str>)> =
            outputs.iter().map(|(column, field)| (Arc::clone(&column.text), Arc::clone(&field.text))).collect();
        let command = LookupCommand { name: table, keys, outputs: Some((false, outputs)) };
        *rows = self.lookup(&command, rows.clone())?;
        let values = || fields.iter().map(|(_, field)| rows.names.get(field));
        let found = Expr::Call(Function::Or, values().map(not_null).collect());
        let parts = fields
            .iter()
            .flat_map(|(column, field)| [Expr::Literal(Value::Text(Arc::clone(column))), rows.names.get(field)]);
        let object = loose(LooseFunction::Json(JsonOperation::Object), parts);
        let value = Expr::call(Function::If, [found, object, Expr::Literal(Value::Null)]);
        let field = name(self);
        rows.names.set(&field, value);
        Ok(field)
    }
}

/// Whether an expression has a call of `lookup` in it.
pub(super) fn calls_lookup(expr: &ast::Expr) -> bool {
    match &expr.kind {
        ExprKind::Call(name, arguments) => {
            name.text.eq_ignore_ascii_case("lookup") || arguments.iter().any(calls_lookup)
        }
        ExprKind::And(parts) | ExprKind::Or(parts) => parts.iter().any(calls_lookup),
        ExprKind::Negate(inner) | ExprKind::Not(inner) => calls_lookup(inner),
        ExprKind::Xor(a, b) | ExprKind::Binary(_, a, b) | ExprKind::Like(a, b) => calls_lookup(a) || calls_lookup(b),
        ExprKind::In(a, items) => calls_lookup(a) || items.iter().any(calls_lookup),
        ExprKind::Integer(_) | ExprKind::Float(_) | ExprKind::Text(_) | ExprKind::Field(_) => false,
    }
}

/// A call's parts; none if they are not written as they must be.
fn call(arguments: &[ast::Expr]) -> Option<Call<'_>> {
    let [table, sought, wanted] = arguments else { return None };
    let text = |expr: &ast::Expr| match &expr.kind {
        ExprKind::Text(text) => Some(Name { text: Arc::clone(text), span: expr.span, quoted: true }),
        _ => None,
    };
    let parts = |expr: &'_ ast::Expr, function: &str| match &expr.kind {
        ExprKind::Call(name, parts) if name.text.eq_ignore_ascii_case(function) && !parts.is_empty() => {
            Some(parts.len())
        }
        _ => None,
    };
    let (ExprKind::Call(_, pairs), ExprKind::Call(_, outputs)) = (&sought.kind, &wanted.kind) else { return None };
    if parts(sought, "json_object")? % 2 != 0 {
        return None;
    }
    parts(wanted, "json_array")?;
    let sought = pairs.chunks_exact(2).map(|pair| match pair {
        [column, value] => Some((text(column)?, value)),
        _ => None,
    });
    Some((text(table)?, sought.collect::<Option<_>>()?, outputs.iter().map(text).collect::<Option<_>>()?))
}
