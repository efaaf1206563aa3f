//! The searches that an index answers: `KQL()`, `QSTR()`, `MATCH()`, `MATCH_PHRASE()`, `MULTI_MATCH()` and `field : "query"`.
//!
//! They are asked of what an index holds, not of the row: any value of a field is enough, and a missing field is no match.
//! So they are predicates over the event's fields and join the filter where they can. Elsewhere, and over tables, the same
//! tests become an expression over the values ([`Lowerer::search_of_row`]).

use lurcher_diagnostics::{Diagnostic, Level, SourceFile, Span};
use lurcher_ir::{Expr, FieldRef, Function, ListFunction, Predicate, SupportReason, Verdict};
use lurcher_schema::{FieldType, Taxonomy, Value};

use super::{
    super::{
        ast::{self, ExprKind},
        types::Type,
    },
    Inputs, Lowerer, Result, Said,
    value::{self, Node},
};
use crate::{
    elasticsearch::{field::Typed, names::Fields, search::Misfit},
    kql, lucene,
};

/// The functions that search.
pub(super) const SEARCHES: &[&str] = &["kql", "qstr", "query_string", "match", "match_phrase", "multi_match"];

/// Options that change how a search is scored, or how far it goes before it gives up, and nothing of what it finds.
const WITHOUT_EFFECT: &[&str] = &[
    "allow_leading_wildcard",
    "auto_generate_synonyms_phrase_query",
    "boost",
    "fuzzy_rewrite",
    "lenient",
    "max_determinized_states",
    "rewrite",
    "tie_breaker",
];

impl Lowerer<'_> {
    /// Says of options that they are not looked at, those aside that are.
    fn other_options(&mut self, function: &str, options: &[ast::Expr], read: &[&str]) {
        for option in options {
            let ExprKind::Map(entries) = &option.kind else { continue };
            for (name, _) in entries {
                if !read.contains(&name.text.as_ref()) && !WITHOUT_EFFECT.contains(&name.text.as_ref()) {
                    let message = format!("the option `{}` of {function} is not looked at", name.text);
                    self.approximate("full-text", message, name.span);
                }
            }
        }
    }

    /// The predicate of a search; `None` if the expression is none.
    pub(super) fn search(&mut self, expr: &ast::Expr) -> Option<Result<Predicate>> {
        match &expr.kind {
            ExprKind::Match { value, query } => Some(self.match_field(value, query, false)),
            ExprKind::Call { name, arguments } => match (name.text.as_ref(), arguments.as_slice()) {
                ("kql", [query, rest @ ..]) => {
                    self.other_options("KQL", rest, &[]);
                    Some(self.kql(query))
                }
                ("qstr" | "query_string", [query, rest @ ..]) => {
                    self.other_options("QSTR", rest, &["default_operator", "default_field"]);
                    Some(self.query_string(query, rest))
                }
                ("match", [field, query, rest @ ..]) => {
                    self.other_options("MATCH", rest, &["operator"]);
                    Some(self.match_field(field, query, wants_all(rest)))
                }
                ("match_phrase", [field, query, rest @ ..]) => {
                    self.other_options("MATCH_PHRASE", rest, &["slop"]);
                    Some(self.match_phrase(field, query, slop(rest)))
                }
                ("multi_match", [query, fields @ ..]) => {
                    self.other_options("MULTI_MATCH", fields, &["operator"]);
                    Some(self.multi_match(query, fields))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// A search as the condition on a row that it is; `None` if the expression is none. Of what has been made of rows since
    /// they were read it knows nothing.
    pub(super) fn search_of_row(&mut self, expr: &ast::Expr) -> Option<Result<value::Typed>> {
        if self.inputs == Inputs::Row || self.inputs == Inputs::Events && (self.symbolic || !self.movable) {
            return None;
        }
        let found = self.search(expr)?.and_then(|predicate| self.expressed(&predicate, expr.span));
        Some(found.map(|expr| value::Typed::single(Type::Boolean, expr)))
    }

    /// A predicate as an expression, which is never null.
    fn expressed(&mut self, predicate: &Predicate, span: Span) -> Result<Expr> {
        let mut all = |function, parts: &[Predicate]| {
            let parts: Result<Vec<Expr>> = parts.iter().map(|part| self.expressed(part, span)).collect();
            Ok(Expr::Call(function, parts?))
        };
        match predicate {
            Predicate::Constant(truth) => Ok(Expr::Literal(Value::Bool(*truth))),
            Predicate::All(parts) => all(Function::And, parts),
            Predicate::Any(parts) => all(Function::Or, parts),
            Predicate::Not(inner) => all(Function::Not, std::slice::from_ref(inner)),
            Predicate::Test { field, test } => {
                let passes = Function::List(ListFunction::Passes(Box::new(test.clone())));
                Ok(Expr::call(passes, [self.searched_value(field, span)?]))
            }
            Predicate::Holds { .. } => {
                Err(self.unsupported("full-text", "a search of nested objects stands outside the conditions that choose events; move it into a WHERE before other commands", span))
            }
        }
    }

    /// The values that a search looks at: of an event's field, or of a table's column.
    fn searched_value(&mut self, field: &FieldRef, span: Span) -> Result<Expr> {
        if self.inputs == Inputs::Events {
            return Ok(Expr::Field(field.clone()));
        }
        let Some(column) = self.columns.find(field.path.as_str()) else { return Ok(Expr::Literal(Value::Null)) };
        let typed = column.value();
        // Tests of time know milliseconds.
        let typed = if typed.kind == Type::DateNanos { self.convert(&typed, Type::Date, span)? } else { typed };
        Ok(typed.all())
    }

    /// The columns of a table as fields; none if events are searched.
    fn searched_columns(&self) -> Option<Vec<kql::Column>> {
        let is_table = matches!(self.inputs, Inputs::Tables(_));
        is_table.then(|| self.columns.columns().map(|column| (column.name.clone(), field_type(column.kind))).collect())
    }

    /// What is searched for.
    fn query_text(&mut self, query: &ast::Expr) -> Result<String> {
        let typed = self.expression(query)?;
        match typed.constant() {
            Some(Value::Null | Value::List(_) | Value::Object(_)) | None => Err(self.report(
                Diagnostic::error("esql-constant", "what is searched for is a constant")
                    .at(query.span, "no constant")
                    .with_help("write the query in double quotes"),
            )),
            Some(value) => Ok(value.to_string()),
        }
    }

    /// A query in another language, which is a text.
    fn embedded_text(&mut self, query: &ast::Expr) -> Result<String> {
        let typed = self.expression(query)?;
        if typed.text().is_none() && !matches!(typed.constant(), None | Some(Value::Null)) {
            return Err(self.report(
                Diagnostic::error("esql-type", format!("a query is a text, found {}", typed.kind.name()))
                    .at(query.span, "this is no text")
                    .with_help("write the query in double quotes"),
            ));
        }
        self.query_text(query)
    }

    fn kql(&mut self, query: &ast::Expr) -> Result<Predicate> {
        let text = self.embedded_text(query)?;
        self.zoned_search(query.span);
        let file = SourceFile::new("KQL", text);
        let columns = self.searched_columns().map(Into::into);
        let options = kql::Options { taxonomy: Taxonomy::Ecs, now: self.options.now, columns };
        let found = kql::condition(&file, &options, self.schemas);
        self.searched(query, found)
    }

    fn query_string(&mut self, query: &ast::Expr, rest: &[ast::Expr]) -> Result<Predicate> {
        let text = self.embedded_text(query)?;
        self.zoned_search(query.span);
        let file = SourceFile::new("QSTR", text);
        let options = lucene::Options {
            now: self.options.now,
            all: option(rest, "default_operator").is_some_and(|operator| operator.eq_ignore_ascii_case("and")),
            default_fields: option(rest, "default_field").map(ToString::to_string).into_iter().collect(),
            columns: self.searched_columns().map(Into::into),
            ..lucene::Options::default()
        };
        let found = lucene::condition(&file, &options, self.schemas);
        self.searched(query, found)
    }

    /// Dates without a zone in an embedded query are of the query's; here they are read as of UTC.
    fn zoned_search(&mut self, span: Span) {
        if self.zone().is_some() {
            self.approximate("time-zone", "dates without a zone in a search are read as of UTC", span);
        }
    }

    /// Takes over what was said of an embedded query. Its places lie in a text of its own, so it is said of the whole.
    fn searched(&mut self, query: &ast::Expr, found: kql::Condition) -> Result<Predicate> {
        for reason in found.reasons {
            let reason = SupportReason { span: Some(query.span), ..reason };
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
        for own in found.diagnostics {
            let (message, label) = match own.level {
                Level::Error => (format!("the embedded query is faulty: {}", own.message), "cannot be run"),
                _ => (own.message, "in this query"),
            };
            let mut diagnostic = Diagnostic::error("esql-embedded-query", message).at(query.span, label);
            diagnostic.level = own.level;
            diagnostic.help = own.help;
            self.report(diagnostic);
        }
        if found.failed { Err(Said) } else { Ok(found.predicate) }
    }

    fn event_field_of(&mut self, field: &ast::Expr) -> Result<Typed> {
        let columns = self.searched_columns();
        let fields = Fields { schemas: self.schemas, taxonomy: Taxonomy::Ecs, columns: columns.as_deref() };
        let value = match &field.kind {
            ExprKind::Cast { value, .. } => value,
            _ => field,
        };
        let typed = self.expression(value)?;
        match typed.node {
            Node::Field(own) => {
                let mut named = fields.named(own.path.as_str());
                if typed.kind == super::super::types::Type::Text {
                    named.kind = FieldType::Text;
                }
                Ok(named)
            }
            Node::Expr(Expr::Column(name)) if columns.is_some() => Ok(fields.named(&name)),
            _ => Err(self.not_a_field(field.span)),
        }
    }

    /// Says that a search is of something computed.
    fn not_a_field(&mut self, span: Span) -> Said {
        self.report(
            Diagnostic::error("esql-full-text", "a full-text search looks at a field of the index")
                .at(span, "this is computed")
                .with_help("search the field itself, before anything is computed of it"),
        )
    }

    fn match_field(&mut self, field: &ast::Expr, query: &ast::Expr, all: bool) -> Result<Predicate> {
        let typed = self.event_field_of(field)?;
        let text = self.query_text(query)?;
        let found = typed.matching(&text, all, self.options.now);
        self.fitting(found, field, query)
    }

    fn match_phrase(&mut self, field: &ast::Expr, query: &ast::Expr, slop: u32) -> Result<Predicate> {
        let typed = self.event_field_of(field)?;
        let text = self.query_text(query)?;
        let found = typed.phrase(&text, slop, false, self.options.now);
        self.fitting(found, field, query)
    }

    fn multi_match(&mut self, query: &ast::Expr, fields: &[ast::Expr]) -> Result<Predicate> {
        let all = wants_all(fields);
        let fields = fields.iter().filter(|field| !matches!(field.kind, ExprKind::Map(_)));
        let any: Vec<Predicate> = fields.map(|field| self.match_field(field, query, all)).collect::<Result<_>>()?;
        Ok(Predicate::any(any))
    }

    fn fitting(
        &mut self,
        found: std::result::Result<Predicate, Misfit>,
        field: &ast::Expr,
        query: &ast::Expr,
    ) -> Result<Predicate> {
        found.or_else(|misfit| match misfit {
            Misfit::NoClock => Err(self.unsupported(
                "now",
                "a search that counts from `now` is not run here; compare the date with `NOW() - 1 day` instead",
                query.span,
            )),
            Misfit::Type(_) | Misfit::Pattern(_) => {
                self.report(
                    Diagnostic::warning("esql-full-text", "the field cannot hold what is searched for")
                        .at(query.span, "matches nothing")
                        .at(field.span, "by the type of this field"),
                );
                self.reason(Verdict::Exact, "full-text", "a search that matches nothing", query.span);
                Ok(Predicate::Constant(false))
            }
        })
    }
}

/// The text of an option of a search.
fn option<'o>(options: &'o [ast::Expr], name: &str) -> Option<&'o str> {
    options.iter().find_map(|option| match &option.kind {
        ExprKind::Map(entries) => entries.iter().find_map(|(own, value)| match &value.kind {
            ExprKind::Text(text) if own.text.as_ref() == name => Some(text.as_ref()),
            _ => None,
        }),
        _ => None,
    })
}

/// By how many places the options of a search let the words of a phrase be moved.
fn slop(options: &[ast::Expr]) -> u32 {
    let entries = options.iter().filter_map(|option| match &option.kind {
        ExprKind::Map(entries) => Some(entries),
        _ => None,
    });
    let found = entries.flatten().find(|(name, _)| name.text.as_ref() == "slop").map(|(_, value)| &value.kind);
    match found {
        Some(ExprKind::Integer(slop)) => u32::try_from(*slop).unwrap_or(0),
        _ => 0,
    }
}

/// Whether the options of a search say that all of its words are wanted.
fn wants_all(options: &[ast::Expr]) -> bool {
    option(options, "operator").is_some_and(|operator| operator.eq_ignore_ascii_case("and"))
}

/// The type of a field with values of this type.
fn field_type(kind: Type) -> FieldType {
    match kind {
        Type::Text => FieldType::Text,
        Type::Integer | Type::Long | Type::UnsignedLong => FieldType::Integer,
        Type::Double => FieldType::Float,
        Type::Boolean => FieldType::Boolean,
        Type::Ip => FieldType::Ip,
        Type::Date | Type::DateNanos => FieldType::Date,
        Type::Version => FieldType::Version,
        _ => FieldType::Keyword,
    }
}
