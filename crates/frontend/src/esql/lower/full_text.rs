//! Full-text searches of a table's columns: `MATCH()`, `MATCH_PHRASE()`, `MULTI_MATCH()` and `column : "query"`.
//!
//! Events are searched by predicates ([`super::search`]), which the engine answers from its index of words. The rows of a
//! table have none: here the same questions become expressions over columns. Words are parted by what is no letter, digit
//! or `_`, which is coarser than the index is with numbers and names that have points in them; it is said so. `KQL()` and
//! `QSTR()` name fields of an index in a language of their own and are not asked of tables.

use lurcher_ir::{Expr, Function, ListFunction, Regex};
use lurcher_schema::Value;

use super::{
    super::{
        ast::{self, ExprKind},
        types::Type,
    },
    Inputs, Lowerer, Result,
    value::{Node, Typed},
};
use crate::elasticsearch::search::analysed;

impl Lowerer<'_> {
    /// The condition that a search of a table's columns is; `None` if the expression is none, or if events are searched.
    pub(super) fn search_of_columns(&mut self, expr: &ast::Expr) -> Option<Result<Typed>> {
        if !matches!(self.inputs, Inputs::Tables(_)) {
            return None;
        }
        let found = match &expr.kind {
            ExprKind::Match { value, query } => self.column_matches(value, query, false, false),
            ExprKind::Call { name, arguments } => match (name.text.as_ref(), arguments.as_slice()) {
                ("match", [field, query, rest @ ..]) => self.column_matches(field, query, wants_all(rest), false),
                ("match_phrase", [field, query, ..]) => self.column_matches(field, query, false, true),
                ("multi_match", [query, fields @ ..]) => {
                    let all = wants_all(fields);
                    let fields = fields.iter().filter(|field| !matches!(field.kind, ExprKind::Map(_)));
                    let any = fields.map(|field| self.column_matches(field, query, all, false));
                    any.collect::<Result<Vec<Expr>>>().map(any_of)
                }
                _ => return None,
            },
            _ => return None,
        };
        Some(found.map(|expr| Typed::single(Type::Boolean, expr)))
    }

    fn column_matches(&mut self, field: &ast::Expr, query: &ast::Expr, all: bool, phrase: bool) -> Result<Expr> {
        let field = match &field.kind {
            ExprKind::Cast { value, .. } => value,
            _ => field,
        };
        let typed = self.expression(field)?;
        if !matches!(typed.node, Node::Expr(Expr::Column(_))) {
            return Err(self.not_a_field(field.span));
        }
        let text = self.query_text(query)?;
        if typed.kind != Type::Text {
            let wanted = self.convert(&Typed::literal(Type::Keyword, Value::text(text)), typed.kind, query.span)?;
            let own = Expr::call(Function::List(ListFunction::ContainsAny), [typed.all(), wanted.one()]);
            let nothing = Expr::call(Function::IsNull, [wanted.one()]);
            return Ok(Expr::call(Function::And, [Expr::call(Function::Not, [nothing]), own]));
        }
        self.approximate("full-text", "words of a table's texts are parted by what is no letter or digit", query.span);
        let words: Vec<String> = analysed(&text).iter().map(|word| regex_syntax::escape(word)).collect();
        if words.is_empty() {
            return Ok(Expr::Literal(Value::Bool(false)));
        }
        let has = |words: &str| {
            let regex = Regex { pattern: format!("(?i)(?:^|[^\\w]){words}(?:$|[^\\w])").into() };
            let each = ListFunction::Each(Box::new(Function::Matches(regex)));
            let found = Expr::call(Function::List(each), [typed.all()]);
            Expr::call(Function::List(ListFunction::ContainsAny), [found, Expr::Literal(Value::Bool(true))])
        };
        if phrase {
            return Ok(has(&words.join("[^\\w]+")));
        }
        let parts: Vec<Expr> = words.iter().map(|word| has(word)).collect();
        Ok(if all && parts.len() > 1 { Expr::Call(Function::And, parts) } else { any_of(parts) })
    }
}

fn any_of(mut parts: Vec<Expr>) -> Expr {
    match parts.len() {
        0 => Expr::Literal(Value::Bool(false)),
        1 => parts.remove(0),
        _ => Expr::Call(Function::Or, parts),
    }
}

/// Whether the options of a search say that all of its words are wanted.
pub(super) fn wants_all(options: &[ast::Expr]) -> bool {
    options.iter().any(|option| {
        matches!(&option.kind, ExprKind::Map(entries) if entries.iter().any(|(name, value)| {
            name.text.as_ref() == "operator"
                && matches!(&value.kind, ExprKind::Text(text) if text.eq_ignore_ascii_case("and"))
        }))
    })
}
