//! The tree to the IR. The null, case, wildcard and multi-value rules of the language stand here, in the open.
//!
//! * A comparison is two-valued: true if any value of the field is so. `not` is the plain complement, so it is true where
//!   the field is missing. An unknown field has no value.
//! * On whole values case counts. Analysed text has only folded words: `"…"` asks for words one behind the other, a
//!   bare value for any of its words, a pattern for one word.
//! * `*` is a wildcard in bare values only. A pattern with blanks is one pattern over whole values; over analysed text it
//!   is one pattern a word, any of them, since no word has a blank.
//! * `field: (a and b)` is `field: a and field: b`: two values may satisfy it.
//! * `field: *` asks whether there is a value. A block of addresses is a value of an address field.
//!
//! Source: Kibana's `kbn-es-query` package, by its documentation and tests.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Level, SourceFile, Span};
use lurcher_ir::{Case, Predicate, SupportReason, Verdict, Wildcard, WildcardPiece};
use lurcher_schema::{FieldType, Schemas, Timestamp};

use super::{
    Condition, Options,
    ast::{Comparison, Literal, Node, NodeKind, Values},
    nested, parser,
};
use crate::{
    Lowered,
    elasticsearch::{
        field::Typed,
        names::{Fields, TestCount},
        now,
        search::{End, Misfit, described},
    },
};

/// Brings a query to the IR: a rule body that finds every event that it describes.
pub fn lower(file: &Arc<SourceFile>, options: &Options, schemas: &Schemas) -> Lowered {
    condition(file, options, schemas).into_lowered()
}

/// Brings a query to a condition over single events.
pub fn condition(file: &Arc<SourceFile>, options: &Options, schemas: &Schemas) -> Condition {
    let (node, diagnostics) = parser::parse(file);
    if diagnostics.iter().any(|d| d.level == Level::Error) {
        return Condition { predicate: Predicate::Constant(false), reasons: Vec::new(), diagnostics, failed: true };
    }
    let fields = Fields { schemas, taxonomy: options.taxonomy, columns: options.columns.as_deref() };
    let mut lowering = Lowering {
        file,
        options,
        fields,
        reasons: Vec::new(),
        diagnostics,
        tests: TestCount::default(),
        prefix: String::new(),
    };
    let predicate = lowering.node(&node);
    let failed = lowering.diagnostics.iter().any(|d| d.level == Level::Error);
    Condition { predicate, reasons: lowering.reasons, diagnostics: lowering.diagnostics, failed }
}

struct Lowering<'a> {
    file: &'a Arc<SourceFile>,
    options: &'a Options,
    fields: Fields<'a>,
    reasons: Vec<SupportReason>,
    diagnostics: Vec<Diagnostic>,
    tests: TestCount,
    /// What stands before the names inside `field: { … }`.
    prefix: String,
}

impl Lowering<'_> {
    fn report(&mut self, diagnostic: Diagnostic, help: &str) {
        let diagnostic = diagnostic.in_file(self.file);
        self.diagnostics.push(if help.is_empty() { diagnostic } else { diagnostic.with_help(help) });
    }

    /// Gives a reason once.
    fn reason(&mut self, reason: SupportReason, span: Span) {
        if !self.reasons.iter().any(|known| known.code == reason.code) {
            self.reasons.push(SupportReason { span: Some(span), ..reason });
        }
    }

    /// The fields, or none if the query would come to too many tests.
    fn counted(&mut self, fields: Vec<Typed>, span: Span) -> Vec<Typed> {
        match self.tests.add(fields.len()) {
            Ok(()) => fields,
            Err(reason) => {
                self.reason(reason, span);
                Vec::new()
            }
        }
    }

    fn node(&mut self, node: &Node) -> Predicate {
        match &node.kind {
            _ if self.tests.is_spent() => Predicate::Constant(false),
            NodeKind::Error => Predicate::Constant(false),
            NodeKind::Everything => Predicate::Constant(true),
            NodeKind::And(parts) => Predicate::all(parts.iter().map(|part| self.node(part)).collect::<Vec<_>>()),
            NodeKind::Or(parts) => Predicate::any(parts.iter().map(|part| self.node(part)).collect::<Vec<_>>()),
            NodeKind::Not(inner) => self.node(inner).negate(),
            NodeKind::Is(field, values) => self.values(field, values),
            NodeKind::Range { field, comparison, value } => self.range(field, *comparison, value),
            NodeKind::Nested(field, inner) => self.nested(field, inner),
            NodeKind::Free(value) if value.is_star() => Predicate::Constant(true),
            NodeKind::Free(value) => {
                self.reason(Fields::beyond_known(), value.span);
                let fields = self.counted(self.fields.defaults(), value.span);
                Predicate::any(fields.iter().filter_map(|typed| self.value(typed, value).ok()).collect::<Vec<_>>())
            }
        }
    }

    /// The name, with what stands around it in `field: { … }`.
    fn name(&self, literal: &Literal) -> Wildcard {
        let prefix = WildcardPiece::Literal(self.prefix.as_str().into());
        Wildcard::new(std::iter::once(prefix).chain(literal.pattern.pieces.iter().cloned()))
    }

    fn values(&mut self, field: &Literal, values: &Values) -> Predicate {
        match values {
            Values::Error => Predicate::Constant(false),
            Values::One(value) => self.is(field, value),
            Values::And(parts) => Predicate::all(parts.iter().map(|v| self.values(field, v)).collect::<Vec<_>>()),
            Values::Or(parts) => Predicate::any(parts.iter().map(|v| self.values(field, v)).collect::<Vec<_>>()),
            Values::Not(inner) => self.values(field, inner).negate(),
        }
    }

    fn is(&mut self, field: &Literal, value: &Literal) -> Predicate {
        if field.is_star() && self.prefix.is_empty() {
            // `*: value` is a search without a field.
            let span = field.span.to(value.span);
            return self.node(&Node { kind: NodeKind::Free(value.clone()), span });
        }
        if !value.quoted && !value.escaped && value.text() == Some("null") {
            let error = Diagnostic::error("kql-null", "`null` is no value that a field can have");
            self.report(
                error.at(value.span, "not a value"),
                "write `not field: *` for a missing field, and `\"null\"` for the text",
            );
            return Predicate::Constant(false);
        }
        let name = self.name(field);
        if value.is_star() {
            return self.fields.exists(&name);
        }
        let fields = self.counted(self.fields.matching(&name), field.span);
        let single = fields.len() == 1;
        let mut found = Vec::new();
        for typed in fields {
            match self.value(&typed, value) {
                Ok(predicate) => found.push(predicate),
                // Among several fields those whose type does not fit have no such value.
                Err(misfit) if single => found.push(self.misfit(misfit, &typed, value)),
                Err(_) => {}
            }
        }
        Predicate::any(found)
    }

    fn value(&self, typed: &Typed, value: &Literal) -> Result<Predicate, Misfit> {
        let now = self.options.now;
        match value.text() {
            Some(text) if value.quoted => typed.phrase(text, 0, false, now),
            Some(text) => typed.matching(text, false, now),
            None if typed.kind == FieldType::Text => {
                let parts = words_of(&value.pattern);
                let parts: Result<Vec<_>, _> = parts
                    .iter()
                    .map(|part| match part.as_literal() {
                        Some(text) => typed.matching(text, false, now),
                        None => typed.pattern(part, Case::Sensitive, now),
                    })
                    .collect();
                parts.map(Predicate::any)
            }
            None => typed.pattern(&value.pattern, Case::Sensitive, now),
        }
    }

    fn range(&mut self, field: &Literal, comparison: Comparison, value: &Literal) -> Predicate {
        let name = self.name(field);
        let starred;
        let text = match value.text() {
            Some(text) => text,
            None => {
                let warning = Diagnostic::warning("kql-range", "a `*` in what is compared is the character");
                let help = "write `:` for a pattern, or the value in quotes if the character is meant";
                self.report(warning.at(value.span, "no wildcard here"), help);
                starred = with_stars(&value.pattern);
                starred.as_str()
            }
        };
        let inclusive = matches!(comparison, Comparison::LessOrEqual | Comparison::GreaterOrEqual);
        let above = matches!(comparison, Comparison::Greater | Comparison::GreaterOrEqual);
        let end = Some(End { text, inclusive });
        let between = |typed: &Typed, now: Option<Timestamp>| {
            let (low, high) = if above { (end, None) } else { (None, end) };
            typed.range(low, high, now)
        };
        let fields = self.counted(self.fields.matching(&name), field.span);
        let single = fields.len() == 1;
        let mut found = Vec::new();
        for typed in fields {
            if typed.kind == FieldType::Version {
                self.reason(now::version_order(), field.span);
            }
            match between(&typed, self.options.now) {
                Ok(predicate) => found.push(predicate),
                Err(Misfit::NoClock) if now::is_event_time(&typed) => {
                    self.reason(now::clock_of_the_event(), value.span);
                    let holds = now::at_event_time(|now| between(&typed, Some(now)));
                    found.push(if holds { typed.exists() } else { Predicate::Constant(false) });
                }
                Err(misfit) if single => found.push(self.misfit(misfit, &typed, value)),
                Err(_) => {}
            }
        }
        Predicate::any(found)
    }

    fn nested(&mut self, field: &Literal, inner: &Node) -> Predicate {
        let name = self.name(field);
        let Some(path) = name.as_literal() else {
            let error = Diagnostic::error("kql-nested", "a nested condition names one field");
            self.report(error.at(field.span, "has a `*`"), "write the field's whole name");
            return Predicate::Constant(false);
        };
        let outer = std::mem::replace(&mut self.prefix, format!("{path}."));
        let predicate = self.node(inner);
        self.prefix = outer;
        let list = self.fields.named(path).field;
        nested::any_element(&list, &predicate).unwrap_or_else(|| {
            let message = "a condition over one element of a list is asked of all its elements together, \
                           since it asks for words or dates";
            let reason = SupportReason {
                verdict: Verdict::Approximate,
                code: "nested",
                message: message.to_owned(),
                span: None,
            };
            self.reason(reason, field.span);
            predicate
        })
    }

    /// Says what is wrong with a value; no event has it.
    fn misfit(&mut self, misfit: Misfit, typed: &Typed, value: &Literal) -> Predicate {
        let path = typed.field.path.as_str();
        let written = self.file.slice(value.span).to_owned();
        match misfit {
            Misfit::NoClock => self.reason(now::no_clock(), value.span),
            Misfit::Type(FieldType::Date) if value.text().is_some_and(now::is_date_math) => {
                let error = Diagnostic::error("kql-date", format!("{written} is no date math"));
                let help = "write `now`, or a date and `||`, then steps such as `-1d`, `+2h`, `/M`";
                self.report(error.at(value.span, "cannot be read"), help);
            }
            Misfit::Type(kind) => {
                let found = described(kind);
                let message = format!("`{path}` is mapped as {found}, and this is none");
                let warning = Diagnostic::warning("kql-type", message).at(value.span, format!("not {found}"));
                self.report(warning, "no event has this value; Elasticsearch refuses such a query");
            }
            Misfit::Pattern(kind) => {
                let found = described(kind);
                let message = format!("a pattern over `{path}`, which is mapped as {found}");
                let warning = Diagnostic::warning("kql-pattern-type", message).at(value.span, "pattern");
                let help = if kind == FieldType::Ip {
                    "no event has this value; write a block of addresses: `10.0.0.0/8`"
                } else {
                    "no event has this value; compare with `:`, `<`, `>=`"
                };
                self.report(warning, help);
            }
        }
        Predicate::Constant(false)
    }
}

/// A pattern as it is written.
fn with_stars(pattern: &Wildcard) -> String {
    let piece = |piece: &WildcardPiece| match piece {
        WildcardPiece::Literal(text) => text.to_string(),
        WildcardPiece::Any => "*".to_owned(),
        WildcardPiece::One => "?".to_owned(),
    };
    pattern.pieces.iter().map(piece).collect()
}

/// A pattern cut at its blanks.
fn words_of(pattern: &Wildcard) -> Vec<Wildcard> {
    let mut words: Vec<Vec<WildcardPiece>> = vec![Vec::new()];
    for piece in pattern.pieces.iter() {
        match piece {
            WildcardPiece::Literal(text) => {
                for (at, part) in text.split(char::is_whitespace).enumerate() {
                    if at > 0 {
                        words.push(Vec::new());
                    }
                    if let Some(word) = words.last_mut() {
                        word.push(WildcardPiece::Literal(part.into()));
                    }
                }
            }
            other => {
                if let Some(word) = words.last_mut() {
                    word.push(other.clone());
                }
            }
        }
    }
    words.into_iter().map(Wildcard::new).filter(|word| !word.pieces.is_empty()).collect()
}
