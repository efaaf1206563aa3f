//! Terms of the search language.
//!
//! Two truth values: a comparison with a missing field is false, and `NOT` of it true. `field=x` is true if one value of
//! the field is `x`, `field!=x` if one value is another, `NOT field=x` if none is `x` (Search Manual, "Difference between
//! != and NOT": `!=` returns every event that has a value in the field that does not match, `NOT` every event but those
//! that contain the value). Case does not count, `*` stands for any text, quoted or not. Numbers are compared as numbers
//! where both sides are numbers.
//!
//! A word or phrase is looked for in every value of the event, between two characters that are no letter or digit, since
//! Splunk's index splits events there.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Case, Expr, Function, LooseFunction, Network, Predicate, Regex, Wildcard, WildcardPiece};
use lurcher_schema::{Schemas, Taxonomy, Value};

use super::{
    Lowerer, Said,
    rows::{Base, Names, loose, reads_column},
    times,
};
use crate::{
    pipeline::predicate::Predicates,
    spl::ast::{Name, Operator, Term},
};

/// How deep event types and tags may name each other.
const MAX_KNOWLEDGE: u32 = 8;

/// A condition with two truth values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    Constant(bool),
    /// The expression is true (not false, not null).
    Holds(Expr),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

impl Condition {
    pub(super) fn negate(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            Self::Constant(truth) => Self::Constant(!truth),
            other => Self::Not(Box::new(other)),
        }
    }

    pub(super) fn reads_column(&self) -> bool {
        self.asks(&reads_column)
    }

    /// Whether one of its expressions is so.
    pub(super) fn asks(&self, is_so: &dyn Fn(&Expr) -> bool) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Holds(expr) => is_so(expr),
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.asks(is_so)),
            Self::Not(inner) => inner.asks(is_so),
        }
    }

    /// What must hold for it to hold, whatever becomes of the expressions that are so.
    pub(super) fn relaxed(self, is_so: &dyn Fn(&Expr) -> bool) -> Self {
        match self {
            Self::Holds(expr) if is_so(&expr) => Self::Constant(true),
            Self::All(parts) => Self::All(parts.into_iter().map(|part| part.relaxed(is_so)).collect()),
            Self::Any(parts) => Self::Any(parts.into_iter().map(|part| part.relaxed(is_so)).collect()),
            Self::Not(inner) if inner.asks(is_so) => Self::Constant(true),
            other => other,
        }
    }

    pub(super) fn into_predicate(self, schemas: &Schemas) -> Predicate {
        match self {
            Self::Constant(truth) => Predicate::Constant(truth),
            Self::Holds(expr) => Predicates::new(schemas).holds(&expr),
            Self::All(parts) => Predicate::all(parts.into_iter().map(|part| part.into_predicate(schemas))),
            Self::Any(parts) => Predicate::any(parts.into_iter().map(|part| part.into_predicate(schemas))),
            Self::Not(inner) => inner.into_predicate(schemas).negate(),
        }
    }

    /// As an expression that is true or false, or null where it would be false at the top.
    pub(super) fn into_expr(self) -> Expr {
        let truth = |truth: bool| Expr::Literal(Value::Bool(truth));
        match self {
            Self::Constant(constant) => truth(constant),
            Self::Holds(expr) => expr,
            Self::All(parts) => Expr::Call(Function::And, parts.into_iter().map(Self::into_expr).collect()),
            Self::Any(parts) => Expr::Call(Function::Or, parts.into_iter().map(Self::into_expr).collect()),
            Self::Not(inner) => {
                Expr::call(Function::Not, [Expr::call(Function::Coalesce, [inner.into_expr(), truth(false)])])
            }
        }
    }
}

impl Lowerer<'_> {
    /// A term under what names mean here. Searches in brackets are taken out beforehand; one that is left stands where
    /// it cannot be run.
    pub(super) fn term(&mut self, term: &Term, names: &Names) -> Result<Condition, Said> {
        Ok(match term {
            Term::All => Condition::Constant(true),
            Term::And(parts) => Condition::All(self.terms(parts, names)?),
            Term::Or(parts) => Condition::Any(self.terms(parts, names)?),
            Term::Not(inner) => self.term(inner, names)?.negate(),
            Term::Compare { field, operator, value } => self.comparison(field, *operator, value, names)?,
            Term::In { field, values } => {
                let parts: Result<Vec<_>, _> =
                    values.iter().map(|value| self.comparison(field, Operator::Equal, value, names)).collect();
                Condition::Any(parts?)
            }
            Term::Phrase(text) => self.phrase(text, false, names),
            Term::Token { text, case_sensitive } => self.phrase(text, *case_sensitive, names),
            Term::Search(pipeline) | Term::Values { search: pipeline, .. } => {
                let message = "a search in brackets within `NOT ( … )`";
                return Err(self.unsupported("subsearch", message, pipeline.span));
            }
        })
    }

    fn terms(&mut self, terms: &[Term], names: &Names) -> Result<Vec<Condition>, Said> {
        terms.iter().map(|term| self.term(term, names)).collect()
    }

    fn comparison(&mut self, field: &Name, operator: Operator, value: &Name, names: &Names) -> Result<Condition, Said> {
        if let Some(found) = self.modifier(field, operator, value, names) {
            return Ok(found);
        }
        let subject = names.get(&field.text);
        Ok(match operator {
            Operator::Equal => {
                let same = self.equals(field, &subject, &value.text, names);
                match self.by_knowledge(field, value, names)? {
                    known if known.is_empty() => same,
                    known => Condition::Any(std::iter::once(same).chain(known).collect()),
                }
            }
            // The further names of a source are names of the one source.
            Operator::NotEqual if value.text.as_ref() == "*" || Self::has_further_names(field, names) => {
                let exists = Condition::Holds(not_null(subject.clone()));
                Condition::All(vec![exists, self.equals(field, &subject, &value.text, names).negate()])
            }
            Operator::NotEqual => {
                let (function, sides) = sameness(&subject, &value.text);
                Condition::Holds(any_value(contrary(function), sides))
            }
            operator => {
                let literal = literal(&value.text);
                let (function, sides) = match operator {
                    Operator::Less => (Function::Less, [subject, literal]),
                    Operator::LessOrEqual => (Function::LessOrEqual, [subject, literal]),
                    Operator::Greater => (Function::Less, [literal, subject]),
                    _ => (Function::LessOrEqual, [literal, subject]),
                };
                Condition::Holds(any_value(function, sides))
            }
        })
    }

    /// What event types and tags of the site say: an event type is a search, a tag a set of fields' values.
    fn by_knowledge(&mut self, field: &Name, value: &Name, names: &Names) -> Result<Vec<Condition>, Said> {
        let mut found = Vec::new();
        if names.base != Base::Event || self.nested >= MAX_KNOWLEDGE {
            return Ok(found);
        }
        self.nested += 1;
        let result = match field.text.as_ref() {
            "eventtype" => self.eventtypes(&value.text, value.span, names, &mut found),
            "tag" => self.tagged(None, value, names, &mut found),
            name => match name.strip_prefix("tag::") {
                Some(only) => self.tagged(Some(only), value, names, &mut found),
                None => Ok(()),
            },
        };
        self.nested -= 1;
        result.map(|()| found)
    }

    fn eventtypes(&mut self, pattern: &str, span: Span, names: &Names, found: &mut Vec<Condition>) -> Result<(), Said> {
        for search in self.options.knowledge.find_eventtypes(pattern) {
            let file = lurcher_diagnostics::SourceFile::new("the search of an event type", search.as_str());
            let (expansion, faults) = crate::spl::expansion::Expansion::new(&file, self.options.knowledge);
            let text = expansion.text.text();
            let text = text.trim().strip_prefix("search ").unwrap_or(text);
            if faults.is_empty() {
                found.push(self.term_of_text(text, span, names)?);
            }
        }
        Ok(())
    }

    fn tagged(
        &mut self,
        only: Option<&str>,
        tag: &Name,
        names: &Names,
        found: &mut Vec<Condition>,
    ) -> Result<(), Said> {
        for (field, value) in self.options.knowledge.tagged(&tag.text) {
            if only.is_none_or(|only| only == field) {
                let name = |text: String| Name { text: text.into(), span: tag.span, quoted: true };
                found.push(self.comparison(&name(field), Operator::Equal, &name(value), names)?);
            }
        }
        Ok(())
    }

    fn equals(&mut self, field: &Name, subject: &Expr, value: &str, names: &Names) -> Condition {
        if value == "*" {
            return Condition::Holds(not_null(subject.clone()));
        }
        let same = |subject: &Expr| Condition::Holds(same_text(subject, value));
        if !Self::has_further_names(field, names) {
            return same(subject);
        }
        let others = names.get(&format!("_{}_names", field.text));
        Condition::Any(vec![same(subject), same(&others)])
    }

    /// Whether add-ons have given such events other names beside the one that the field holds.
    fn has_further_names(field: &Name, names: &Names) -> bool {
        let of_event = names.base == Base::Event && names.column(&field.text).is_none();
        of_event && matches!(field.text.as_ref(), "source" | "sourcetype" | "eventtype")
    }

    /// What is no field but says where and when to search.
    fn modifier(&mut self, field: &Name, operator: Operator, value: &Name, names: &Names) -> Option<Condition> {
        if names.base != Base::Event || names.column(&field.text).is_some() {
            return None;
        }
        match (field.text.as_ref(), operator) {
            (name, Operator::Equal) if times::is_time(name) => Some(self.time_range(field, value, names)),
            ("index", Operator::Equal | Operator::NotEqual) if of_splunk_itself(&value.text) => {
                let same = Condition::Holds(same_text(&names.get(&field.text), &value.text));
                Some(if operator == Operator::Equal { same } else { same.negate() })
            }
            // Which index events lie in is the site's own affair; only where events say so, it is asked.
            ("index" | "splunk_server" | "splunk_server_group", Operator::Equal | Operator::NotEqual) => {
                let subject = names.get(&field.text);
                let unknown = Condition::Holds(not_null(subject.clone())).negate();
                let message = "events do not say in which index they lie; those that do not are taken to lie in it";
                if value.text.as_ref() == "*" {
                    return Some(Condition::Constant(operator == Operator::Equal));
                }
                self.approximate("index", message, field.span.to(value.span));
                let same = Condition::Holds(same_text(&subject, &value.text));
                let said = if operator == Operator::Equal { same } else { same.negate() };
                Some(Condition::Any(vec![unknown, said]))
            }
            _ => None,
        }
    }

    fn phrase(&mut self, text: &Name, case_sensitive: bool, names: &Names) -> Condition {
        if ["or", "and", "not"].iter().any(|word| text.text.as_ref() == *word) && !text.quoted {
            self.report(
                Diagnostic::warning("spl-lower-operator", format!("`{}` is a word that is looked for here", text.text))
                    .at(text.span, "lower case")
                    .with_help(format!("the operator is `{}`", text.text.to_uppercase())),
            );
        }
        let regex = phrase_regex(&text.text, case_sensitive);
        let found = |value: Expr| loose(LooseFunction::FoundWithin(regex.clone()), [value]);
        if names.base == Base::Event {
            return Condition::Holds(found(Expr::Event(Taxonomy::Cim)));
        }
        let columns: Vec<Expr> = names.columns.iter().map(|(_, expr)| expr.clone()).collect();
        Condition::Holds(found(Expr::List(columns)))
    }

    /// The terms of `text`, read as a search of its own.
    pub(super) fn term_of_text(&mut self, text: &str, span: Span, names: &Names) -> Result<Condition, Said> {
        let file = lurcher_diagnostics::SourceFile::new(self.file.name(), text);
        let (term, diagnostics) = crate::spl::parser::term(&file);
        match term {
            Some(term) if diagnostics.is_empty() => self.term(&term, names),
            _ => Err(self.report(
                Diagnostic::error("spl-expected", "terms of a search expected").at(span, "these cannot be read"),
            )),
        }
    }
}

/// Whether an index is one that Splunk, or Enterprise Security, fills by itself: no source's events lie there, so an
/// event that does not say where it lies does not lie in it.
///
/// Source: the `indexes.conf` that Splunk and Enterprise Security are shipped with, as their manuals list them.
fn of_splunk_itself(index: &str) -> bool {
    const FILLED: [&str; 10] = [
        "risk",
        "notable",
        "notable_summary",
        "summary",
        "threat_activity",
        "cim_summary",
        "cim_modactions",
        "endpoint_summary",
        "gia_summary",
        "sequenced_events",
    ];
    index.starts_with('_') || FILLED.iter().any(|name| index.eq_ignore_ascii_case(name))
}

/// Whether any value of it is this text, `*` standing for any.
fn same_text(subject: &Expr, value: &str) -> Expr {
    let (function, sides) = sameness(subject, value);
    any_value(function, sides)
}

/// The function, and its arguments, that says whether a value is this text.
fn sameness(subject: &Expr, value: &str) -> (Function, Vec<Expr>) {
    // A block of addresses stands for those in it. Splunk's manuals leave it unsaid; that its `search` does so, for either
    // family, is shown at https://qiita.com/frozencatpisces/items/67f0e141856f31f74f03, and detections rely on it.
    if value.contains('/')
        && let Some(network) = Network::parse(value)
    {
        return (Function::InNetwork(Arc::from([network])), vec![subject.clone()]);
    }
    match literal(value) {
        number @ Expr::Literal(Value::Int(_)) => (Function::Equal(Case::Insensitive), vec![subject.clone(), number]),
        _ => (Function::Like(wildcard(value), Case::Insensitive), vec![subject.clone()]),
    }
}

/// Only `*` is a wildcard.
pub(super) fn wildcard(text: &str) -> Wildcard {
    let mut pieces = Vec::new();
    for (at, piece) in text.split('*').enumerate() {
        if at > 0 {
            pieces.push(WildcardPiece::Any);
        }
        pieces.push(WildcardPiece::Literal(Arc::from(piece)));
    }
    Wildcard::new(pieces)
}

/// A number if the text is written as one usually is, else text.
pub(super) fn literal(text: &str) -> Expr {
    let plain = text.len() < 16 && (text == "0" || !text.trim_start_matches('-').starts_with('0'));
    if plain
        && !text.starts_with('+')
        && let Ok(number) = text.parse::<i64>()
    {
        return Expr::Literal(Value::Int(number));
    }
    if text.contains('.')
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-')
        && let Ok(number) = text.parse::<f64>()
    {
        return Expr::Literal(Value::Float(number));
    }
    Expr::Literal(Value::text(text))
}

pub(super) fn any_value(function: Function, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    loose(LooseFunction::AnyValue(Box::new(function)), arguments)
}

/// The function turned round, for single values.
pub(super) fn contrary(function: Function) -> Function {
    Function::Loose(LooseFunction::Contrary(Box::new(function)))
}

pub(super) fn not_null(expr: Expr) -> Expr {
    Expr::call(Function::Not, [Expr::call(Function::IsNull, [expr])])
}

/// A phrase between characters that are no letters or digits; next to a `*` anything may stand.
fn phrase_regex(text: &str, case_sensitive: bool) -> Regex {
    let mut pattern = String::from(if case_sensitive { "(?s)" } else { "(?si)" });
    let alphanumeric = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    if alphanumeric(text.chars().next()) {
        pattern.push_str("(?:\\A|[^\\p{L}\\p{N}])");
    }
    for (at, piece) in text.split('*').enumerate() {
        if at > 0 {
            pattern.push_str("[^\\s]*");
        }
        pattern.push_str(&escaped(piece));
    }
    if alphanumeric(text.chars().next_back()) {
        pattern.push_str("(?:\\z|[^\\p{L}\\p{N}])");
    }
    Regex { pattern: pattern.into() }
}

/// A text as a regular expression that finds it.
pub(super) fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii() && !c.is_ascii_alphanumeric() && !c.is_ascii_whitespace() && c != '_' {
            out.push('\\');
        }
        out.push(c);
        out
    })
}
