//! Selections and conditions to predicates. Here stands what Sigma means by its values.
//!
//! | | |
//! |---|---|
//! | text | equals the whole value, case not counting; wildcards; numbers and booleans of the event by their text form |
//! | number | equals as a number, also text that reads as one |
//! | `null` | the field is not there |
//! | `''` | the field is there and empty |
//! | a list | at least one of its values; with `all` every one |
//! | several values in the event's field | one that fits is enough |
//! | a field that is not there | fits nothing but `null` and `exists: false`; so `not` of it holds, and `neq` does |
//! | keywords | stand somewhere in any value of the event |
//!
//! Sources: the specification's rules and modifiers appendix; pySigma where they are silent (order of modifiers, Base64
//! and `windash` of what, patterns that mean no selection).

use std::{collections::BTreeSet, sync::Arc};

use lurcher_diagnostics::{Diagnostic, Level, SourceFile, Span};
use lurcher_ir::{
    Bound, Case, Expr, FieldRef, Function, Network, Predicate, Quantifier, Regex, SupportReason, Test, TimeFunction,
    TimePart, Verdict,
};
use lurcher_schema::{FieldPath, Taxonomy, Value};

use super::{
    Placeholders,
    ast::{Condition, ConditionText, Detection, Detections, Item, Modifier, Scalar, ScalarData},
    parser::selects,
    value::{Encoding, Text, base64, base64_offsets},
};
use crate::syntax::{Depth, java_regex};

/// So many texts may come of one value by placeholders and dashes; beyond, a regular expression does for dashes.
const MOST_TEXTS: usize = 125;
/// So many texts may come of the values of placeholders.
const MOST_FILLED: usize = 10_000;

/// The modifiers of regular expressions.
const FLAGS: [Modifier; 3] = [Modifier::IgnoreCase, Modifier::MultiLine, Modifier::DotAll];

/// Lowers the detections of one document.
pub(super) struct Lowerer<'a> {
    pub(super) file: &'a Arc<SourceFile>,
    pub(super) taxonomy: Taxonomy,
    pub(super) placeholders: &'a Placeholders,
    pub(super) diagnostics: Vec<Diagnostic>,
    pub(super) reasons: Vec<SupportReason>,
    depth: Depth,
    /// Whether what is lowered stands below an odd number of negations.
    negated: bool,
}

/// What a value is to be compared as.
enum Operand {
    Null,
    Bool(bool),
    Number(Value),
    Text(Text),
}

impl<'a> Lowerer<'a> {
    pub(super) fn new(file: &'a Arc<SourceFile>, taxonomy: Taxonomy, placeholders: &'a Placeholders) -> Self {
        Self {
            file,
            taxonomy,
            placeholders,
            diagnostics: Vec::new(),
            reasons: Vec::new(),
            depth: Depth::default(),
            negated: false,
        }
    }

    fn fault(&mut self, code: &'static str, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, message).in_file(self.file).at(span, "").with_help(help));
    }

    /// Says a reason, once: a selection that a condition names twice is lowered twice.
    fn reason(&mut self, verdict: Verdict, code: &'static str, span: Span, message: impl Into<String>) {
        let reason = SupportReason { verdict, code, message: message.into(), span: Some(span) };
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    /// Lowers what is to be negated.
    pub(super) fn below_not<T>(&mut self, lower: impl FnOnce(&mut Self) -> T) -> T {
        self.negated = !self.negated;
        let lowered = lower(self);
        self.negated = !self.negated;
        lowered
    }

    /// Whether something was found that keeps the rule from running.
    pub(super) fn failed(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error)
            || self.reasons.iter().any(|reason| reason.verdict >= Verdict::Unsupported)
    }

    /// All conditions of the detections, one of which is enough.
    pub(super) fn detections(&mut self, detections: &Detections) -> Predicate {
        let conditions: Vec<Predicate> =
            detections.conditions.iter().map(|condition| self.condition_text(condition, detections)).collect();
        Predicate::any(conditions)
    }

    /// One condition, without its aggregation.
    pub(super) fn condition_text(&mut self, condition: &ConditionText, detections: &Detections) -> Predicate {
        match &condition.tree {
            Some(tree) => self.condition(tree, detections).unwrap_or_else(|| {
                let help = "name a selection in it";
                self.fault("sigma-condition", condition.span, "nothing is left of the condition", help);
                Predicate::Constant(false)
            }),
            None => Predicate::Constant(false),
        }
    }

    /// `None` if nothing is meant: a pattern that fits no selection falls away, as in pySigma.
    pub(super) fn condition(&mut self, condition: &Condition, detections: &Detections) -> Option<Predicate> {
        match condition {
            Condition::Name(name, _) => {
                let selection = detections.selections.iter().find(|selection| selection.name == *name)?;
                Some(self.detection(&selection.detection))
            }
            Condition::Of { all, pattern, .. } => {
                let meant = detections.selections.iter().filter(|own| selects(pattern.as_deref(), &own.name));
                let parts: Vec<Predicate> = meant.map(|selection| self.detection(&selection.detection)).collect();
                (!parts.is_empty()).then(|| if *all { Predicate::all(parts) } else { Predicate::any(parts) })
            }
            // Nothing stands before an aggregation: every event counts.
            Condition::And(parts) if parts.is_empty() => Some(Predicate::Constant(true)),
            Condition::And(parts) | Condition::Or(parts) => {
                let kept: Vec<Predicate> = parts.iter().filter_map(|part| self.condition(part, detections)).collect();
                let and = matches!(condition, Condition::And(_));
                (!kept.is_empty()).then(|| if and { Predicate::all(kept) } else { Predicate::any(kept) })
            }
            Condition::Not(inner) => Some(self.below_not(|lowerer| lowerer.condition(inner, detections))?.negate()),
        }
    }

    fn detection(&mut self, detection: &Detection) -> Predicate {
        if !self.depth.enter() {
            self.fault("sigma-too-deep", Span::default(), "the selection is nested too deeply", "flatten it");
            return Predicate::Constant(false);
        }
        let predicate = match detection {
            Detection::Item(item) => self.item(item),
            Detection::All(parts) => {
                let parts: Vec<Predicate> = parts.iter().map(|part| self.detection(part)).collect();
                Predicate::all(parts)
            }
            Detection::Any(parts) => {
                let parts: Vec<Predicate> = parts.iter().map(|part| self.detection(part)).collect();
                Predicate::any(parts)
            }
        };
        self.depth.leave();
        predicate
    }

    fn item(&mut self, item: &Item) -> Predicate {
        let how = How::new(&item.modifiers);
        if let Some((first, second)) = How::conflict(&item.modifiers) {
            let message = format!("`{}` and `{}` do not go together", first.name(), second.name());
            self.fault("sigma-modifier-conflict", item.span, message, "choose one of them");
            return Predicate::Constant(false);
        }
        if !how.regex
            && let Some(flag) = item.modifiers.iter().find(|m| FLAGS.contains(m))
        {
            let message = format!("`{}` belongs to a regular expression", flag.name());
            self.fault("sigma-modifier-conflict", item.span, message, "write `re` before it");
            return Predicate::Constant(false);
        }
        if how.negated {
            return self.below_not(|lowerer| lowerer.values(item, &how)).negate();
        }
        self.values(item, &how)
    }

    fn values(&mut self, item: &Item, how: &How) -> Predicate {
        let mut parts = Vec::new();
        for value in &item.values {
            parts.extend(self.value(item, how, value));
        }
        if item.values.is_empty() {
            parts.push(self.null(item));
        }
        if how.all { Predicate::all(parts) } else { Self::any(parts) }
    }

    /// The disjunction; equalities of one field become one test.
    fn any(parts: Vec<Predicate>) -> Predicate {
        let mut equal: Vec<(FieldRef, Case, Vec<Value>)> = Vec::new();
        let mut blocks: Option<(FieldRef, Vec<Network>)> = None;
        let mut rest = Vec::new();
        for part in parts {
            match part {
                Predicate::Test { field, test: Test::Equals(value, case) } => {
                    match equal.iter_mut().find(|(own, by, _)| *own == field && *by == case) {
                        Some((.., values)) => values.push(value),
                        None => equal.push((field, case, vec![value])),
                    }
                }
                Predicate::Test { field, test: Test::InNetwork(own) } => {
                    blocks.get_or_insert_with(|| (field, Vec::new())).1.extend(own.iter().copied());
                }
                other => rest.push(other),
            }
        }
        let equal = equal.into_iter().map(|(field, case, mut values)| match values.len() {
            1 => Predicate::test(field, Test::Equals(values.remove(0), case)),
            _ => Predicate::test(field, Test::OneOf(values.into(), case)),
        });
        let blocks = blocks.map(|(field, blocks)| Predicate::test(field, Test::InNetwork(blocks.into())));
        Predicate::any(equal.chain(blocks).chain(rest).collect::<Vec<_>>())
    }

    fn field(&self, item: &Item) -> FieldRef {
        FieldRef::new(self.taxonomy, item.field.as_deref().unwrap_or(FieldPath::EVERYTHING))
    }

    fn null(&mut self, item: &Item) -> Predicate {
        if item.field.is_none() {
            self.fault("sigma-value", item.span, "a keyword cannot be null", "write a text");
            return Predicate::Constant(false);
        }
        Predicate::test(self.field(item), Test::Exists).negate()
    }

    /// What one value of the rule asks for; several predicates of which one is enough, or, with `all`, every one that
    /// was made of the value together.
    fn value(&mut self, item: &Item, how: &How, value: &Scalar) -> Vec<Predicate> {
        if how.exists {
            return vec![self.exists(item, value)];
        }
        if how.expand && (how.cidr || how.compare.is_some() || how.time.is_some()) {
            return self.expanded_value(item, how, value);
        }
        if let Some(part) = how.time {
            return vec![self.time_part(item, how, part, value)];
        }
        if let Some(compare) = how.compare {
            return vec![self.compare(item, compare, value)];
        }
        if how.regex {
            return vec![self.regex(item, how, value)];
        }
        if how.cidr {
            return vec![self.cidr(item, value)];
        }
        let operand = match &value.data {
            ScalarData::Null => Operand::Null,
            ScalarData::Bool(truth) if !how.shapes_text() => Operand::Bool(*truth),
            ScalarData::Number(text) if !how.shapes_text() && item.field.is_some() => Operand::Number(number(text)),
            data => Operand::Text(data.text().map_or_else(|| Text::literal(""), |text| Text::parse(&text))),
        };
        match operand {
            Operand::Null => vec![self.null(item)],
            Operand::Bool(truth) if item.field.is_some() => {
                vec![Predicate::test(self.field(item), Test::Equals(Value::Bool(truth), Case::Insensitive))]
            }
            Operand::Bool(truth) => vec![self.text(item, how, &Text::literal(truth.to_string()))],
            Operand::Number(number) => {
                vec![Predicate::test(self.field(item), Test::Equals(number, Case::Insensitive))]
            }
            Operand::Text(text) => {
                let texts = self.texts(how, text, value.span);
                let parts: Vec<Predicate> = texts.iter().map(|text| self.shaped(item, how, text)).collect();
                // `all` is over the values of the rule; what becomes of one value stays an alternative.
                if how.all { vec![Self::any(parts)] } else { parts }
            }
        }
    }

    /// The texts that come of one by placeholders and encodings.
    fn texts(&mut self, how: &How, text: Text, span: Span) -> Vec<Text> {
        let mut texts = vec![text];
        if how.expand {
            texts = self.expanded(&texts.remove(0), span);
        }
        let mut encoding: Option<Encoding> = None;
        for modifier in &how.encodings {
            match modifier {
                Modifier::Utf16Le => encoding = Some(Encoding::Utf16Le),
                Modifier::Utf16Be => encoding = Some(Encoding::Utf16Be),
                Modifier::Utf16 => encoding = Some(Encoding::Utf16),
                Modifier::Base64 | Modifier::Base64Offset => {
                    let mut encoded = Vec::new();
                    for text in &texts {
                        let Some(literal) = text.as_literal() else {
                            let help = "Base64 has no wildcards; write `\\*` or `\\?` for the character itself";
                            self.fault("sigma-encoded-wildcard", span, "a text with wildcards cannot be encoded", help);
                            return Vec::new();
                        };
                        let bytes = encoding.map_or_else(|| literal.as_bytes().to_vec(), |e| e.bytes(literal));
                        match modifier {
                            Modifier::Base64 => encoded.push(Text::literal(base64(&bytes))),
                            _ => encoded.extend(base64_offsets(&bytes).map(Text::literal)),
                        }
                    }
                    encoding = None;
                    texts = encoded;
                }
                _ => {}
            }
        }
        if let Some(encoding) = encoding {
            return self.encoded(&texts, encoding, span);
        }
        texts
    }

    /// Texts in UTF-16 that no Base64 follows: as far as their bytes are text at all.
    fn encoded(&mut self, texts: &[Text], encoding: Encoding, span: Span) -> Vec<Text> {
        let mut encoded = Vec::new();
        for text in texts {
            let bytes = text.as_literal().map(|literal| encoding.bytes(literal));
            if let Some(text) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
                encoded.push(Text::literal(text));
            } else {
                let help = "encode it further with `base64` or `base64offset`";
                self.fault("sigma-encoded-text", span, "in UTF-16 this is no text that an event could hold", help);
            }
        }
        encoded
    }

    /// The texts that come of one by its placeholders. One that is not set could stand for anything: where its text is
    /// asked for, nothing surely fits, and where it is excluded, anything might. So a rule finds what it would find
    /// whatever the placeholder stood for, and nothing else.
    fn expanded(&mut self, text: &Text, span: Span) -> Vec<Text> {
        let text = text.with_placeholders();
        let unset: BTreeSet<String> =
            text.placeholders().filter(|name| !self.placeholders.contains_key(*name)).map(str::to_owned).collect();
        for name in &unset {
            self.unset(name, span);
        }
        if !unset.is_empty() && !self.negated {
            return Vec::new();
        }
        let anything = ["*".to_owned()];
        let values = |name: &str| Some(self.placeholders.get(name).map_or(anything.as_slice(), Vec::as_slice));
        let filled = text.filled(&values, MOST_FILLED);
        if filled.len() >= MOST_FILLED {
            let message = format!("the placeholders give {MOST_FILLED} texts or more; the first are looked for");
            self.reason(Verdict::Approximate, "placeholder", span, message);
        }
        filled
    }

    fn unset(&mut self, name: &str, span: Span) {
        let message = format!(
            "the placeholder `{name}` is not set, so the rule finds only what it would find whatever that stood for"
        );
        self.reason(Verdict::Approximate, "placeholder", span, message);
    }

    /// A block of addresses, a bound or a part of a time that a placeholder stands for.
    fn expanded_value(&mut self, item: &Item, how: &How, value: &Scalar) -> Vec<Predicate> {
        let how = How { expand: false, ..how.clone() };
        let text = value.data.text().map_or_else(|| Text::literal(""), |text| Text::parse(&text));
        let texts = self.expanded(&text, value.span);
        let mut parts = Vec::new();
        for text in texts {
            match text.as_literal() {
                Some(literal) => {
                    let value = Scalar { data: ScalarData::Text(literal.to_owned()), span: value.span };
                    parts.extend(self.value(item, &how, &value));
                }
                None => parts.push(Predicate::test(self.field(item), Test::Exists)),
            }
        }
        parts
    }

    /// A text as the modifiers of place and dash have it.
    fn shaped(&mut self, item: &Item, how: &How, text: &Text) -> Predicate {
        if how.field_reference {
            return self.field_reference(item, how, text);
        }
        if !how.dashes {
            return self.text(item, how, text);
        }
        if let Some(texts) = text.dashes(MOST_TEXTS) {
            return Self::any(texts.iter().map(|text| self.text(item, how, text)).collect());
        }
        let (before, after) = how.around(item);
        let start = if before { "" } else { "^" };
        let end = if after { "" } else { "$" };
        let flags = if how.case == Case::Sensitive { "" } else { "(?i)" };
        let pattern = format!("{flags}{start}(?:{}){end}", text.dash_regex());
        Predicate::test(self.field(item), Test::Regex(Regex { pattern: pattern.into() }))
    }

    fn text(&self, item: &Item, how: &How, text: &Text) -> Predicate {
        let (before, after) = how.around(item);
        Predicate::test(self.field(item), Test::from_wildcard(text.pattern(before, after), how.case))
    }

    fn exists(&mut self, item: &Item, value: &Scalar) -> Predicate {
        let exists = Predicate::test(self.field(item), Test::Exists);
        let truth = value.data.text().map(|text| text.to_ascii_lowercase());
        match truth.as_deref() {
            Some("true" | "yes" | "1") => exists,
            Some("false" | "no" | "0") => exists.negate(),
            _ => {
                self.fault("sigma-modifier-value", value.span, "`exists` is true or false", "write `true` or `false`");
                Predicate::Constant(false)
            }
        }
    }

    fn compare(&mut self, item: &Item, compare: Modifier, value: &Scalar) -> Predicate {
        let Some(number) = self.number(value, compare) else { return Predicate::Constant(false) };
        let bound = |inclusive| Some(Bound { value: number.clone(), time: None, inclusive });
        let (low, high) = match compare {
            Modifier::Lt => (None, bound(false)),
            Modifier::Lte => (None, bound(true)),
            Modifier::Gt => (bound(false), None),
            _ => (bound(true), None),
        };
        Predicate::test(self.field(item), Test::Range { low, high })
    }

    fn number(&mut self, value: &Scalar, modifier: Modifier) -> Option<Value> {
        let read = value.data.text().filter(|text| text.trim().parse::<f64>().is_ok_and(f64::is_finite));
        if read.is_none() {
            let message = format!("`{}` needs a number", modifier.name());
            self.fault("sigma-modifier-value", value.span, message, "write a number without quotes");
        }
        read.map(|text| number(text.trim()))
    }

    /// A part of a time, compared as a number; the field's value is read as a time in UTC.
    fn time_part(&mut self, item: &Item, how: &How, part: Modifier, value: &Scalar) -> Predicate {
        let Some(number) = self.number(value, part) else { return Predicate::Constant(false) };
        let part = match part {
            Modifier::Minute => TimePart::MinuteOfHour,
            Modifier::Hour => TimePart::HourOfDay,
            Modifier::Day => TimePart::DayOfMonth,
            Modifier::Week => TimePart::IsoWeek,
            Modifier::Month => TimePart::MonthOfYear,
            _ => TimePart::Year,
        };
        let time = Expr::call(Function::Time(TimeFunction::Read), [Expr::Field(self.field(item))]);
        let own = Expr::call(Function::Time(TimeFunction::Part(part)), [time]);
        let wanted = Expr::Literal(number);
        let expr = match how.compare {
            None => Expr::call(Function::Equal(Case::Sensitive), [own, wanted]),
            Some(Modifier::Lt) => Expr::call(Function::Less, [own, wanted]),
            Some(Modifier::Lte) => Expr::call(Function::LessOrEqual, [own, wanted]),
            Some(Modifier::Gt) => Expr::call(Function::Less, [wanted, own]),
            Some(_) => Expr::call(Function::LessOrEqual, [wanted, own]),
        };
        Predicate::Holds { expr, fields: Quantifier::AnyValue }
    }

    fn regex(&mut self, item: &Item, how: &How, value: &Scalar) -> Predicate {
        let Some(written) = value.data.text() else { return self.null(item) };
        let expressions = if how.expand { self.expanded_regex(&written, value.span) } else { vec![written] };
        let parts = expressions.iter().map(|expression| self.one_regex(item, how, expression, value.span)).collect();
        Self::any(parts)
    }

    fn one_regex(&mut self, item: &Item, how: &How, expression: &str, span: Span) -> Predicate {
        let flags: String = how.flags.iter().collect();
        let start = if how.starts { "^" } else { "" };
        let end = if how.ends { "$" } else { "" };
        let written = match (flags.is_empty(), start.is_empty() && end.is_empty()) {
            (true, true) => expression.to_owned(),
            (_, true) => format!("(?{flags}){expression}"),
            (true, false) => format!("{start}(?:{expression}){end}"),
            (false, false) => format!("(?{flags}){start}(?:{expression}){end}"),
        };
        match java_regex::translate(&written) {
            Ok(translated) => {
                if let Some(what) = translated.approximate {
                    self.reason(Verdict::Approximate, "regex", span, what);
                }
                Predicate::test(self.field(item), Test::Regex(translated.regex))
            }
            Err(java_regex::Refusal::Unsupported(what)) => {
                self.reason(Verdict::Unsupported, "regex", span, what);
                Predicate::Constant(false)
            }
            Err(java_regex::Refusal::Faulty(why)) => {
                let message = format!("the regular expression is faulty: {why}");
                self.fault("sigma-regex", span, message, "a character that is meant itself stands behind a backslash");
                Predicate::Constant(false)
            }
        }
    }

    /// Placeholders in a regular expression stand for their values as texts, not as expressions.
    fn expanded_regex(&mut self, written: &str, span: Span) -> Vec<String> {
        let mut unset = false;
        let parts: Vec<&str> = written.split('%').collect();
        // Names stand at the odd places, if what is between two percent signs is a name at all.
        let mut expressions = vec![String::new()];
        let mut at = 0;
        while at < parts.len() {
            for text in &mut expressions {
                text.push_str(parts[at]);
            }
            let name = parts.get(at + 1).copied().filter(|_| at + 2 < parts.len());
            match name {
                Some(name) if !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                    let values = if let Some(values) = self.placeholders.get(name) {
                        values.iter().map(|value| regex_syntax::escape(value)).collect()
                    } else {
                        unset = true;
                        self.unset(name, span);
                        vec![".*".to_owned()]
                    };
                    expressions = expressions
                        .iter()
                        .flat_map(|text| values.iter().map(move |value| format!("{text}{value}")))
                        .take(MOST_FILLED)
                        .collect();
                    at += 2;
                }
                _ => {
                    if at + 1 < parts.len() {
                        for text in &mut expressions {
                            text.push('%');
                        }
                    }
                    at += 1;
                }
            }
        }
        if unset && !self.negated { Vec::new() } else { expressions }
    }

    fn cidr(&mut self, item: &Item, value: &Scalar) -> Predicate {
        if let Some(network) = value.data.text().and_then(|text| Network::parse(&text)) {
            return Predicate::test(self.field(item), Test::InNetwork([network].into()));
        }
        let help = "write an address and how many of its bits are fixed: `10.0.0.0/8`, `fe80::/10`";
        self.fault("sigma-cidr", value.span, "this is no block of addresses", help);
        Predicate::Constant(false)
    }

    fn field_reference(&mut self, item: &Item, how: &How, text: &Text) -> Predicate {
        let Some(name) = text.as_literal().filter(|name| !name.is_empty()) else {
            let help = "write the name of a field";
            self.fault("sigma-modifier-value", item.span, "`fieldref` needs the name of a field", help);
            return Predicate::Constant(false);
        };
        let function = match (how.contains, how.starts, how.ends) {
            (false, false, false) => Function::Equal(how.case),
            (false, true, false) => Function::StartsWith(how.case),
            (false, false, true) => Function::EndsWith(how.case),
            _ => Function::ContainsNonEmpty(how.case),
        };
        let other = Expr::Field(FieldRef::new(self.taxonomy, name));
        let expr = Expr::call(function, [Expr::Field(self.field(item)), other]);
        Predicate::Holds { expr, fields: Quantifier::AnyValue }
    }
}

/// What the modifiers of an item amount to.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a modifier that is there or not")]
struct How {
    contains: bool,
    starts: bool,
    ends: bool,
    all: bool,
    negated: bool,
    exists: bool,
    regex: bool,
    cidr: bool,
    dashes: bool,
    expand: bool,
    field_reference: bool,
    case: Case,
    flags: Vec<char>,
    /// In order.
    encodings: Vec<Modifier>,
    compare: Option<Modifier>,
    time: Option<Modifier>,
}

impl How {
    fn new(modifiers: &[Modifier]) -> Self {
        use Modifier as M;
        let has = |modifier| modifiers.contains(&modifier);
        let one_of = |wanted: &[Modifier]| modifiers.iter().copied().find(|modifier| wanted.contains(modifier));
        let flag = |modifier, flag: char| has(modifier).then_some(flag);
        Self {
            contains: has(M::Contains),
            starts: has(M::StartsWith),
            ends: has(M::EndsWith),
            all: has(M::All),
            negated: has(M::NotEqual),
            exists: has(M::Exists),
            regex: has(M::Regex),
            cidr: has(M::Cidr),
            dashes: has(M::WinDash),
            expand: has(M::Expand),
            field_reference: has(M::FieldRef),
            case: if has(M::Cased) { Case::Sensitive } else { Case::Insensitive },
            flags: [flag(M::IgnoreCase, 'i'), flag(M::MultiLine, 'm'), flag(M::DotAll, 's')]
                .into_iter()
                .flatten()
                .collect(),
            encodings: modifiers
                .iter()
                .copied()
                .filter(|m| matches!(m, M::Base64 | M::Base64Offset | M::Utf16 | M::Utf16Le | M::Utf16Be))
                .collect(),
            compare: one_of(&[M::Lt, M::Lte, M::Gt, M::Gte]),
            time: one_of(&[M::Minute, M::Hour, M::Day, M::Week, M::Month, M::Year]),
        }
    }

    /// Two modifiers that contradict each other.
    fn conflict(modifiers: &[Modifier]) -> Option<(Modifier, Modifier)> {
        use Modifier as M;
        let place = [M::Contains, M::StartsWith, M::EndsWith];
        let kinds = [M::Exists, M::Cidr, M::FieldRef, M::Regex, M::Lt, M::Lte, M::Gt, M::Gte];
        let found = |set: &[Modifier]| modifiers.iter().copied().find(|modifier| set.contains(modifier));
        let two = modifiers.iter().copied().filter(|modifier| kinds.contains(modifier)).collect::<Vec<_>>();
        if let [first, second, ..] = two.as_slice() {
            return Some((*first, *second));
        }
        let no_place = [M::Exists, M::Cidr, M::Lt, M::Lte, M::Gt, M::Gte];
        if let (Some(kind), Some(place)) = (found(&no_place), found(&place)) {
            return Some((kind, place));
        }
        let encoded = [M::Base64, M::Base64Offset, M::Utf16, M::Utf16Le, M::Utf16Be, M::WinDash];
        let plain = [M::Exists, M::Cidr, M::Regex, M::FieldRef, M::Lt, M::Lte, M::Gt, M::Gte];
        if let (Some(kind), Some(encoding)) = (found(&plain), found(&encoded)) {
            return Some((kind, encoding));
        }
        None
    }

    /// Whether values are treated as texts, whatever they are.
    fn shapes_text(&self) -> bool {
        self.contains
            || self.starts
            || self.ends
            || self.dashes
            || self.expand
            || self.field_reference
            || !self.encodings.is_empty()
    }

    /// Whether anything may stand before and after the text.
    fn around(&self, item: &Item) -> (bool, bool) {
        let keyword = item.field.is_none() && !self.starts && !self.ends;
        (self.contains || self.ends || keyword, self.contains || self.starts || keyword)
    }
}

/// A number as spelled.
fn number(text: &str) -> Value {
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(whole), _) => Value::Int(whole),
        (_, Ok(number)) if number.is_finite() => Value::Float(number),
        _ => Value::text(text),
    }
}
