//! The tree to the IR. The rules of the language stand here, in the open.
//!
//! * Clauses in a row are those that must hold, those that must not, and the rest, of which one must hold if none must.
//!   `AND` makes the clause before and the one behind it a must; `OR` only parts them: `a OR b AND c` seeks `b` and `c`.
//! * A group of clauses that must not hold finds nothing by itself: `a OR (NOT b)` is `a`. The whole query is another
//!   matter: `NOT b` finds every event without `b`.
//! * On whole values case counts; of analysed text a word with several parts is any of its parts, a phrase stands one
//!   behind the other, patterns and expressions look at one word.
//! * `field:*` and `_exists_:field` ask whether there is a value.
//! * Bare words side by side are one text, which the field cuts as it cuts its values: into words if it is analysed, not at
//!   all if it is compared whole. So `field:(a b)` is any of two words of a text, and one keyword with a blank.
//! * `or` and `and` in lower case are words that are sought.
//!
//! Source: Elasticsearch's page on the query string syntax, and that of Lucene's classic query parser.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Level, SourceFile, Span};
use lurcher_ir::{Case, Predicate, SupportReason, Verdict, Wildcard, WildcardPiece};
use lurcher_schema::{FieldType, Schemas, Timestamp};

use super::{
    Options,
    ast::{Clause, Conjunction, Field, Leaf, Modifier, Node, Query},
    parser,
};
use crate::{
    Lowered,
    elasticsearch::{
        field::Typed,
        names::{Fields, TestCount},
        now,
        search::{End, Misfit, described},
    },
    kql::Condition,
    syntax::lucene_regex::{self, RegexpError},
};

/// Brings a query to the IR: a rule body that finds every event that it describes.
pub fn lower(file: &Arc<SourceFile>, options: &Options, schemas: &Schemas) -> Lowered {
    condition(file, options, schemas).into_lowered()
}

/// Brings a query to a condition over single events.
pub fn condition(file: &Arc<SourceFile>, options: &Options, schemas: &Schemas) -> Condition {
    let (query, diagnostics) = parser::parse(file);
    if diagnostics.iter().any(|d| d.level == Level::Error) {
        return Condition { predicate: Predicate::Constant(false), reasons: Vec::new(), diagnostics, failed: true };
    }
    let fields = Fields { schemas, taxonomy: options.taxonomy, columns: options.columns.as_deref() };
    let mut lowering =
        Lowering { file, options, fields, reasons: Vec::new(), diagnostics, tests: TestCount::default() };
    let predicate = lowering.clauses(&query, true);
    let failed = lowering.diagnostics.iter().any(|d| d.level == Level::Error);
    Condition { predicate, reasons: lowering.reasons, diagnostics: lowering.diagnostics, failed }
}

/// What a clause is for those around it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occur {
    Must,
    MustNot,
    Should,
}

struct Lowering<'a> {
    file: &'a Arc<SourceFile>,
    options: &'a Options,
    fields: Fields<'a>,
    reasons: Vec<SupportReason>,
    diagnostics: Vec<Diagnostic>,
    tests: TestCount,
}

/// What is asked of one field.
type Asked<'a> = dyn Fn(&Typed, Option<Timestamp>) -> Result<Predicate, Misfit> + 'a;

impl Lowering<'_> {
    fn report(&mut self, diagnostic: Diagnostic, help: &str) {
        self.diagnostics.push(diagnostic.in_file(self.file).with_help(help));
    }

    /// Gives a reason once.
    fn reason(&mut self, reason: SupportReason, span: Span) {
        if !self.reasons.iter().any(|known| known.code == reason.code) {
            self.reasons.push(SupportReason { span: Some(span), ..reason });
        }
    }

    fn clauses(&mut self, query: &Query, whole: bool) -> Predicate {
        if query.clauses.is_empty() {
            // Elasticsearch: an empty query string finds nothing.
            return Predicate::Constant(false);
        }
        let occurs = self.occurs(&query.clauses);
        let (mut must, mut should) = (Vec::new(), Vec::new());
        let mut positive = false;
        let any_must = occurs.contains(&Occur::Must);
        for (clause, occur) in query.clauses.iter().zip(occurs) {
            let predicate = self.node(&clause.node);
            positive |= occur != Occur::MustNot;
            match occur {
                Occur::Must => must.push(predicate),
                Occur::MustNot => must.push(predicate.negate()),
                Occur::Should => should.push(predicate),
            }
        }
        if !positive && !whole {
            let message = "clauses that must not hold find nothing by themselves inside brackets";
            let warning = Diagnostic::warning("lucene-only-negative", message).at(query.span, "finds nothing");
            self.report(warning, "write `(*:* NOT …)` for everything but this, or `NOT (…)` around it");
            return Predicate::Constant(false);
        }
        // With a must among them the others only count for the score; those that must not are no must.
        let only_negative = must.len() == query.clauses.len() - should.len() && !any_must;
        if !should.is_empty() && only_negative {
            must.push(Predicate::any(should));
        }
        Predicate::all(must)
    }

    /// What the words between and the signs before clauses make of each.
    fn occurs(&self, clauses: &[Clause]) -> Vec<Occur> {
        let mut occurs: Vec<Occur> = Vec::new();
        for clause in clauses {
            if let Some(before) = occurs.last_mut().filter(|occur| **occur != Occur::MustNot) {
                match clause.conjunction {
                    Conjunction::And => *before = Occur::Must,
                    Conjunction::Or if self.options.all => *before = Occur::Should,
                    _ => {}
                }
            }
            let required = match clause.modifier {
                Modifier::Prohibited => {
                    occurs.push(Occur::MustNot);
                    continue;
                }
                Modifier::Required => true,
                Modifier::None if self.options.all => clause.conjunction != Conjunction::Or,
                Modifier::None => clause.conjunction == Conjunction::And,
            };
            occurs.push(if required { Occur::Must } else { Occur::Should });
        }
        occurs
    }

    fn node(&mut self, node: &Node) -> Predicate {
        match node {
            _ if self.tests.is_spent() => Predicate::Constant(false),
            Node::Error => Predicate::Constant(false),
            Node::Group(query) => self.clauses(query, false),
            Node::Leaf { field, leaf, span } => self.leaf(field.as_ref(), leaf, *span),
        }
    }

    fn leaf(&mut self, field: Option<&Field>, leaf: &Leaf, span: Span) -> Predicate {
        let field = field.filter(|field| !is_star(&field.name) || !self.options.default_fields.is_empty());
        match leaf {
            Leaf::Term(pattern) if is_star(pattern) => match field {
                None => Predicate::Constant(true),
                Some(field) => self.fields.exists(&field.name),
            },
            Leaf::Term(pattern) if field.is_some_and(|f| f.name.as_literal() == Some("_exists_")) => {
                self.fields.exists(pattern)
            }
            Leaf::Phrase { text, .. } if field.is_some_and(|f| f.name.as_literal() == Some("_exists_")) => {
                self.fields.exists(&Wildcard::new([WildcardPiece::Literal(Arc::clone(text))]))
            }
            Leaf::Term(pattern) => match pattern.as_literal() {
                Some(text) => {
                    self.lower_case_operator(text, span);
                    self.text(field, text, span, &|typed, text, now| typed.matching(text, self.options.all, now))
                }
                None => self.in_fields(field, span, &|typed, now| typed.pattern(pattern, Case::Sensitive, now)),
            },
            Leaf::Words(words) => {
                words.iter().for_each(|(word, place)| self.lower_case_operator(word, *place));
                let text = words.iter().map(|(word, _)| word.as_ref()).collect::<Vec<_>>().join(" ");
                self.one_value(field, &text, span);
                self.text(field, &text, span, &|typed, text, now| typed.matching(text, self.options.all, now))
            }
            Leaf::Phrase { text, slop } => {
                self.text(field, text, span, &|typed, text, now| typed.phrase(text, *slop, false, now))
            }
            Leaf::Fuzzy { text, number } => {
                let message = "nearly equal words are all found; Elasticsearch looks at the 50 most similar ones only";
                let reason = SupportReason {
                    verdict: Verdict::Approximate,
                    code: "fuzzy",
                    message: message.to_owned(),
                    span: None,
                };
                self.reason(reason, span);
                let edits = number.map(|number| edits(number, text));
                self.in_fields(field, span, &|typed, _| typed.fuzzy(text, edits, 0))
            }
            Leaf::Regexp(text) => self.regexp(field, text, span),
            Leaf::Range { low, high } => self.range(field, low.as_ref(), high.as_ref(), span),
        }
    }

    /// A word or phrase; behind a field `>=10` and its like are ranges, also in quotes.
    fn text(
        &mut self,
        field: Option<&Field>,
        text: &str,
        span: Span,
        ask: &dyn Fn(&Typed, &str, Option<Timestamp>) -> Result<Predicate, Misfit>,
    ) -> Predicate {
        let operator = [">=", "<=", ">", "<"].into_iter().find(|operator| text.starts_with(operator));
        if let Some(operator) = operator.filter(|operator| field.is_some() && text.len() > operator.len()) {
            let end = Some((Arc::from(text[operator.len()..].trim()), operator.len() == 2));
            return if operator.starts_with('>') {
                self.range(field, end.as_ref(), None, span)
            } else {
                self.range(field, None, end.as_ref(), span)
            };
        }
        self.in_fields(field, span, &|typed, now| ask(typed, text, now))
    }

    fn regexp(&mut self, field: Option<&Field>, text: &str, span: Span) -> Predicate {
        match lucene_regex::translate(text, Case::Sensitive) {
            Ok(regex) => self.in_fields(field, span, &|typed, _| typed.regexp(regex.clone())),
            Err(RegexpError::Malformed(why)) => {
                let error = Diagnostic::error("lucene-regexp", format!("this is no regular expression: {why}"));
                let help = "the syntax is Lucene's: the whole value must match, no `^ $`, no look-around, no `(?…)`";
                self.report(error.at(span, "cannot be read"), help);
                Predicate::Constant(false)
            }
            Err(RegexpError::Unsupported(operator)) => {
                let message = format!("the operator `{operator}` of Lucene's regular expressions has no counterpart");
                let reason = SupportReason { verdict: Verdict::Unsupported, code: "regexp", message, span: None };
                self.reason(reason, span);
                Predicate::Constant(false)
            }
        }
    }

    fn range(
        &mut self,
        field: Option<&Field>,
        low: Option<&(Arc<str>, bool)>,
        high: Option<&(Arc<str>, bool)>,
        span: Span,
    ) -> Predicate {
        fn end(end: Option<&(Arc<str>, bool)>) -> Option<End<'_>> {
            end.map(|(text, inclusive)| End { text, inclusive: *inclusive })
        }
        if let Some(field) = field
            && let Some(path) = field.name.as_literal()
            && self.fields.named(path).kind == FieldType::Version
        {
            self.reason(now::version_order(), span);
        }
        self.in_fields(field, span, &|typed, now| typed.range(end(low), end(high), now))
    }

    /// Asks the field, all fields of a pattern, or those that are searched by default.
    fn in_fields(&mut self, field: Option<&Field>, span: Span, ask: &Asked<'_>) -> Predicate {
        let fields = match field {
            Some(field) => self.fields.matching(&field.name),
            None if self.options.default_fields.is_empty() => {
                self.reason(Fields::beyond_known(), span);
                self.fields.defaults()
            }
            None => {
                let names: Vec<Wildcard> =
                    self.options.default_fields.iter().map(|name| Wildcard::with_stars(name)).collect();
                names.iter().flat_map(|name| self.fields.matching(name)).collect()
            }
        };
        if let Err(reason) = self.tests.add(fields.len()) {
            self.reason(reason, span);
            return Predicate::Constant(false);
        }
        let single = fields.len() == 1;
        let mut found = Vec::new();
        for typed in fields {
            match ask(&typed, self.options.now) {
                Ok(predicate) => found.push(predicate),
                Err(Misfit::NoClock) if now::is_event_time(&typed) => {
                    self.reason(now::clock_of_the_event(), span);
                    let holds = now::at_event_time(|now| ask(&typed, Some(now)));
                    found.push(if holds { typed.exists() } else { Predicate::Constant(false) });
                }
                Err(misfit) if single => found.push(self.misfit(misfit, &typed, span)),
                Err(_) => {}
            }
        }
        Predicate::any(found)
    }

    /// Says which end of a range is no date math; false if neither wants to be.
    fn faulty_end(&mut self, written: &str, span: Span) -> bool {
        let ends = written[1..].trim_end_matches([']', '}']);
        let faulty = |end: &&str| now::is_date_math(end) && !now::can_be_read(end);
        let Some(end) = ends.split(" TO ").map(|end| end.trim().trim_matches('"')).find(faulty) else { return false };
        let start = span.start as usize + written.find(end).unwrap_or_default();
        let error = Diagnostic::error("lucene-date", format!("{end} is no date math"));
        let help = "write `now`, or a date and `||`, then steps such as `-1d`, `+2h`, `/M`";
        self.report(error.at(Span::new(start, start + end.len()), "cannot be read"), help);
        true
    }

    fn misfit(&mut self, misfit: Misfit, typed: &Typed, span: Span) -> Predicate {
        let path = typed.field.path.as_str();
        let written = self.file.slice(span).to_owned();
        match misfit {
            Misfit::Type(FieldType::Date) if written.starts_with(['[', '{']) && self.faulty_end(&written, span) => {}
            Misfit::NoClock => self.reason(now::no_clock(), span),
            Misfit::Type(FieldType::Date)
                if now::is_date_math(written.trim_start_matches(['<', '>', '=', '"', '[', '{'])) =>
            {
                let error = Diagnostic::error("lucene-date", format!("{written} is no date math"));
                let help = "write `now`, or a date and `||`, then steps such as `-1d`, `+2h`, `/M`";
                self.report(error.at(span, "cannot be read"), help);
            }
            Misfit::Type(kind) => {
                let found = described(kind);
                let message = format!("`{path}` is mapped as {found}, and this is none");
                let warning = Diagnostic::warning("lucene-type", message).at(span, format!("not {found}"));
                self.report(warning, "no event has this value; Elasticsearch refuses such a query");
            }
            Misfit::Pattern(kind) => {
                let found = described(kind);
                let message = format!("a pattern over `{path}`, which is mapped as {found}");
                let warning = Diagnostic::warning("lucene-pattern-type", message).at(span, "pattern");
                self.report(warning, "no event has this value; write a word, a range or a block of addresses");
            }
        }
        Predicate::Constant(false)
    }

    /// Words side by side go to the field's analyser as one text, and whole values have none that would part them.
    fn one_value(&mut self, field: Option<&Field>, text: &str, span: Span) {
        let Some(path) = field.and_then(|field| field.name.as_literal()) else { return };
        if self.fields.named(path).kind == FieldType::Keyword {
            let message = format!("`{path}` is compared whole, so these words are one value: `{text}`");
            let warning = Diagnostic::warning("lucene-words", message).at(span, "one value");
            self.report(warning, "write `OR` between them to find any of them");
        }
    }

    /// Says of each such word once that it is none: there may be thousands.
    fn lower_case_operator(&mut self, text: &str, span: Span) {
        if matches!(text, "and" | "or" | "not") {
            let message = format!("`{text}` in lower case is a word that is sought");
            if self.diagnostics.iter().any(|known| known.message == message) {
                return;
            }
            let warning = Diagnostic::warning("lucene-lower-case", message).at(span, "not an operator");
            self.report(warning, &format!("write `{}`; quotes around it if the word is meant", text.to_uppercase()));
        }
    }
}

fn is_star(pattern: &Wildcard) -> bool {
    matches!(pattern.pieces.as_ref(), [WildcardPiece::Any])
}

/// The edits that the number behind a `~` allows: itself, or what a similarity below 1 leaves of the word.
fn edits(number: f64, text: &str) -> u8 {
    if number >= 1.0 {
        return (number as u8).min(2);
    }
    if number == 0.0 {
        return 0;
    }
    (((1.0 - number) * text.chars().count() as f64) as u8).min(2)
}
