//! The searches that an index answers: `KQL()`, `QSTR()`, `MATCH()`, `MATCH_PHRASE()` and `field : "query"`.
//!
//! They are asked of the event, not of the row: any value of a field is enough, and a missing field is no match. So they
//! are predicates and stand only in conditions that reach the filter of events.

use lurcher_diagnostics::{Diagnostic, Level, SourceFile, Span};
use lurcher_ir::{Predicate, SupportReason, Verdict};
use lurcher_schema::{FieldType, Taxonomy, Value};

use super::{
    super::ast::{self, ExprKind},
    Lowerer, Result, Said,
    full_text::wants_all,
    value::Node,
};
use crate::{
    elasticsearch::{field::Typed, names::Fields, search::Misfit},
    kql, lucene,
};

/// The functions that search.
pub(super) const SEARCHES: &[&str] = &["kql", "qstr", "query_string", "match", "match_phrase", "multi_match"];

impl Lowerer<'_> {
    /// The predicate of a search; `None` if the expression is none.
    pub(super) fn search(&mut self, expr: &ast::Expr) -> Option<Result<Predicate>> {
        match &expr.kind {
            ExprKind::Match { value, query } => Some(self.match_field(value, query, false)),
            ExprKind::Call { name, arguments } => match (name.text.as_ref(), arguments.as_slice()) {
                ("kql", [query, ..]) => Some(self.kql(query)),
                ("qstr" | "query_string", [query, ..]) => Some(self.query_string(query)),
                ("match", [field, query, rest @ ..]) => Some(self.match_field(field, query, wants_all(rest))),
                ("match_phrase", [field, query, ..]) => Some(self.match_phrase(field, query)),
                ("multi_match", [query, fields @ ..]) => Some(self.multi_match(query, fields)),
                _ => None,
            },
            _ => None,
        }
    }

    /// What is searched for.
    pub(super) fn query_text(&mut self, query: &ast::Expr) -> Result<String> {
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
        let file = SourceFile::new("KQL", text);
        let options = kql::Options { taxonomy: Taxonomy::Ecs, now: self.options.now };
        let found = kql::condition(&file, &options, self.schemas);
        self.searched(query, found)
    }

    fn query_string(&mut self, query: &ast::Expr) -> Result<Predicate> {
        let text = self.embedded_text(query)?;
        let file = SourceFile::new("QSTR", text);
        let options = lucene::Options { now: self.options.now, ..lucene::Options::default() };
        let found = lucene::condition(&file, &options, self.schemas);
        self.searched(query, found)
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
        let fields = Fields { schemas: self.schemas, taxonomy: Taxonomy::Ecs };
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
            _ => Err(self.not_a_field(field.span)),
        }
    }

    /// Says that a search is of something computed.
    pub(super) fn not_a_field(&mut self, span: Span) -> Said {
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

    fn match_phrase(&mut self, field: &ast::Expr, query: &ast::Expr) -> Result<Predicate> {
        let typed = self.event_field_of(field)?;
        let text = self.query_text(query)?;
        let found = typed.phrase(&text, 0, false, self.options.now);
        self.fitting(found, field, query)
    }

    fn multi_match(&mut self, query: &ast::Expr, fields: &[ast::Expr]) -> Result<Predicate> {
        let fields = fields.iter().filter(|field| !matches!(field.kind, ExprKind::Map(_)));
        let any: Vec<Predicate> = fields.map(|field| self.match_field(field, query, false)).collect::<Result<_>>()?;
        Ok(Predicate::any(any))
    }

    fn fitting(
        &mut self,
        found: std::result::Result<Predicate, Misfit>,
        field: &ast::Expr,
        query: &ast::Expr,
    ) -> Result<Predicate> {
        found.or_else(|misfit| match misfit {
            Misfit::NoClock => Err(self.unsupported("now", "a search that counts from `now`", query.span)),
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
