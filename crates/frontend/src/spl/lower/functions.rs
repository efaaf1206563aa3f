//! Functions of `eval` and `where`: which there are, how many arguments they take, and what they come to.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{
    BitOperation, Calculation as C, Case, DigestAlgorithm, Expr, Function, JsonOperation as J, ListFunction,
    LooseFunction as L, Network, NumberForm, RegexUse, Sides, TextFunction,
};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    eval::{Pattern, calculate},
    rows::{Names, loose},
    terms::{any_value, not_null},
};
use crate::{
    spl::ast::{self, ExprKind, Name},
    syntax::{closest, java_regex::DIALECT},
};

/// As many as one likes.
const MANY: usize = usize::MAX;

/// The functions, with the least and the greatest number of arguments.
#[rustfmt::skip]
pub(super) const FUNCTIONS: [(&str, usize, usize); 128] = [
    ("abs", 1, 1), ("acos", 1, 1), ("acosh", 1, 1), ("asin", 1, 1), ("asinh", 1, 1), ("atan", 1, 1), ("atan2", 2, 2),
    ("atanh", 1, 1), ("avg", 1, MANY), ("bit_and", 2, MANY), ("bit_not", 1, 2), ("bit_or", 2, MANY),
    ("bit_shift_left", 2, 2), ("bit_shift_right", 2, 2), ("bit_xor", 2, MANY), ("case", 2, MANY), ("ceil", 1, 1),
    ("ceiling", 1, 1), ("cidrmatch", 2, 2), ("coalesce", 1, MANY), ("commands", 1, 1), ("cos", 1, 1), ("cosh", 1, 1),
    ("exact", 1, 1), ("exp", 1, 1), ("false", 0, 0), ("floor", 1, 1), ("hypot", 2, 2), ("if", 3, 3), ("in", 2, MANY),
    ("ipmask", 2, 2), ("isarray", 1, 1), ("isbool", 1, 1), ("isdouble", 1, 1), ("isint", 1, 1), ("isnotnull", 1, 1),
    ("isnull", 1, 1), ("isnum", 1, 1), ("ismv", 1, 1), ("isobject", 1, 1), ("isstr", 1, 1), ("json", 1, 1), ("json_append", 3, MANY),
    ("json_array", 0, MANY), ("json_array_to_mv", 1, 2), ("json_delete", 2, MANY), ("json_entries", 1, 1),
    ("json_extend", 3, MANY), ("json_extract", 1, MANY), ("json_extract_exact", 1, MANY), ("json_has_key_exact", 2, 2),
    ("json_keys", 1, 1), ("json_object", 0, MANY), ("json_set", 3, MANY), ("json_set_exact", 3, MANY),
    ("json_valid", 1, 1), ("len", 1, 1), ("like", 2, 2), ("ln", 1, 1), ("log", 1, 2), ("lookup", 3, 3), ("lower", 1, 1),
    ("ltrim", 1, 2), ("match", 2, 2), ("max", 1, MANY), ("md5", 1, 1), ("min", 1, MANY), ("mv_to_json_array", 1, 2),
    ("mvappend", 1, MANY), ("mvcount", 1, 1), ("mvdedup", 1, 1), ("mvfilter", 1, 1), ("mvfind", 2, 2),
    ("mvindex", 2, 3), ("mvjoin", 2, 2), ("mvmap", 2, 3), ("mvrange", 2, 3), ("mvreverse", 1, 1), ("mvsort", 1, 1),
    ("mvzip", 2, 3), ("now", 0, 0), ("null", 0, 0), ("nullif", 2, 2), ("pi", 0, 0), ("pow", 2, 2), ("printf", 1, MANY),
    ("random", 0, 0), ("relative_time", 2, 2), ("replace", 3, 3), ("round", 1, 2), ("rtrim", 1, 2),
    ("searchmatch", 1, 1), ("sha1", 1, 1), ("sha256", 1, 1), ("sha512", 1, 1), ("sigfig", 1, 1), ("sin", 1, 1),
    ("sinh", 1, 1), ("spath", 2, 2), ("split", 2, 2), ("sqrt", 1, 1), ("strftime", 2, 2), ("strptime", 2, 2),
    ("substr", 2, 3), ("sum", 1, MANY), ("tan", 1, 1), ("tanh", 1, 1), ("time", 0, 0), ("toarray", 1, 1),
    ("tobool", 1, 1), ("todouble", 1, 1), ("toint", 1, 1), ("tojson", 1, 1), ("tomv", 1, 1), ("tonumber", 1, 2), ("toobject", 1, 1),
    ("tostring", 1, 2), ("trim", 1, 2), ("true", 0, 0), ("typeof", 1, 1), ("upper", 1, 1), ("urldecode", 1, 1),
    ("urlencode", 1, 1), ("validate", 2, MANY), ("xor", 2, 2), ("not", 1, 1), ("and", 2, 2), ("or", 2, 2),
];

impl Lowerer<'_> {
    /// A call of a function.
    pub(super) fn call(
        &mut self,
        name: &Name,
        arguments: &[ast::Expr],
        span: Span,
        names: &Names,
    ) -> Result<Expr, Said> {
        let lower = name.text.to_ascii_lowercase();
        let Some((_, least, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == lower) else {
            return Err(self.unknown_function(name, &lower));
        };
        if arguments.len() < *least || arguments.len() > *most {
            return Err(self.wrong_count(name, arguments.len(), (*least, *most), span));
        }
        if let Some(found) = self.lazy(&lower, arguments, span, names)? {
            return Ok(found);
        }
        let values = self.expressions(arguments, names)?;
        if let Some(found) =
            numbers(&lower, &values).or_else(|| texts(&lower, &values)).or_else(|| lists(&lower, &values))
        {
            return Ok(found);
        }
        if let Some(found) = information(&lower, &values).or_else(|| documents(&lower, &values)) {
            return Ok(found);
        }
        Err(self.unsupported("function", format!("the function `{lower}` is not run"), name.span))
    }

    /// Functions whose arguments are more than values: patterns, expressions over elements, conditions.
    fn lazy(&mut self, name: &str, arguments: &[ast::Expr], span: Span, names: &Names) -> Result<Option<Expr>, Said> {
        Ok(Some(match (name, arguments) {
            ("match", [text, pattern]) => {
                let text = self.expression(text, names)?;
                match self.pattern(pattern, names)? {
                    Pattern::Written(regex) => any_value(Function::Matches(regex), [text]),
                    Pattern::Computed(pattern) => {
                        any_value(Function::Loose(L::ByRegex(RegexUse::Found, DIALECT)), [text, pattern])
                    }
                }
            }
            ("replace", [text, pattern, replacement]) => {
                let pattern = self.pattern(pattern, names)?;
                let (text, replacement) = (self.expression(text, names)?, self.expression(replacement, names)?);
                match pattern {
                    Pattern::Written(regex) => each(Function::Replace(regex), [text, replacement]),
                    Pattern::Computed(pattern) => {
                        each(Function::Loose(L::ByRegex(RegexUse::Replaced, DIALECT)), [text, pattern, replacement])
                    }
                }
            }
            ("like", [text, pattern]) => {
                let text = self.expression(text, names)?;
                self.like(text, pattern, names)?
            }
            ("mvfind", [list, pattern]) => {
                let list = self.expression(list, names)?;
                match self.pattern(pattern, names)? {
                    Pattern::Written(regex) => loose(L::MatchPosition(regex), [list]),
                    Pattern::Computed(pattern) => loose(L::ByRegex(RegexUse::Position, DIALECT), [list, pattern]),
                }
            }
            ("mvmap", [list, body, ..]) => self.over_values(list, body, false, names)?,
            ("mvfilter", [condition]) => self.over_values(condition, condition, true, names)?,
            ("cidrmatch", [block, address]) => self.network_match(block, address, names)?,
            ("searchmatch", [text]) => match &text.kind {
                ExprKind::Text(terms) => self.term_of_text(terms, text.span, names)?.into_expr(),
                _ => return Err(self.unsupported("dynamic-pattern", "a `searchmatch` that is computed", text.span)),
            },
            ("random", _) => {
                let message = "`random` is made from the row's own values, the same in every run";
                self.approximate("random", message, span);
                random(names)
            }
            ("commands", [search]) => match &search.kind {
                ExprKind::Text(search) => commands(search),
                _ => return Err(self.unsupported("dynamic-pattern", "a `commands` that is computed", search.span)),
            },
            // `"1m"` as the step of a range is so many seconds.
            ("mvrange", [start, end, step]) => {
                let mut parts = self.expressions(&[start.clone(), end.clone()], names)?;
                parts.push(match &step.kind {
                    ExprKind::Text(text) => match super::columns::seconds(text) {
                        Some(seconds) if seconds.fract() == 0.0 => Expr::Literal(Value::Int(seconds as i64)),
                        _ => {
                            return Err(self.unsupported("function", "a step of `mvrange` that is no span", step.span));
                        }
                    },
                    _ => self.expression(step, names)?,
                });
                return Ok(lists("mvrange", &parts));
            }
            ("sigfig", [number]) => {
                let message = "`sigfig` keeps the number as it is: how many figures were written is not followed";
                self.approximate("function", message, span);
                calculate(C::SignificantFigures, [self.expression(number, names)?])
            }
            ("lookup", _) => {
                let message =
                    "the function `lookup` is run in `eval` and `where`, outside of `foreach` over unknown fields";
                return Err(self.unsupported("function", message, span));
            }
            _ => return Ok(None),
        }))
    }

    /// `mvmap(list, body)` and `mvfilter(condition)`: the body for each value of the field that it names.
    fn over_values(&mut self, list: &ast::Expr, body: &ast::Expr, filter: bool, names: &Names) -> Result<Expr, Said> {
        let Some(variable) = first_field(list) else {
            return Err(self.report(
                Diagnostic::error("spl-expected", "the name of a field expected").at(list.span, "no field in here"),
            ));
        };
        let list = match &list.kind {
            _ if filter => self.name(&variable, list.span, names),
            ExprKind::Field(_) => self.name(&variable, list.span, names),
            _ => self.expression(list, names)?,
        };
        self.scopes.push(Arc::clone(&variable));
        let body = self.expression(body, names);
        self.scopes.pop();
        let mut body = body?;
        if filter {
            body = Expr::call(Function::If, [body, Expr::Column(Arc::clone(&variable)), Expr::Literal(Value::Null)]);
        }
        let all = Expr::ForEach { list: Box::new(list), variable, body: Box::new(body) };
        Ok(Expr::call(Function::List(ListFunction::Values), [all]))
    }

    fn network_match(&mut self, block: &ast::Expr, address: &ast::Expr, names: &Names) -> Result<Expr, Said> {
        let (range, address) = (self.expression(block, names)?, self.expression(address, names)?);
        let Expr::Literal(Value::Text(text)) = &range else {
            return Ok(any_value(Function::CidrMatch, [address, range]));
        };
        match Network::parse(text) {
            Some(network) => Ok(any_value(Function::InNetwork(Arc::from([network])), [address])),
            None => Err(self.report(
                Diagnostic::error("spl-network", format!("`{text}` is no block of addresses"))
                    .at(block.span, "such as `10.0.0.0/8`"),
            )),
        }
    }

    fn unknown_function(&mut self, name: &Name, lower: &str) -> Said {
        let mut diagnostic = Diagnostic::error("spl-unknown-function", format!("there is no function `{}`", name.text))
            .at(name.span, "unknown function");
        diagnostic = match closest(lower, FUNCTIONS.iter().map(|(known, ..)| *known)) {
            Some(meant) => diagnostic.with_help(format!("did you mean `{meant}`?")),
            None => diagnostic.with_help("docs/languages/spl.md lists the functions that run"),
        };
        self.report(diagnostic)
    }

    fn wrong_count(&mut self, name: &Name, given: usize, (least, most): (usize, usize), span: Span) -> Said {
        let wanted = match (least, most) {
            (least, MANY) => format!("at least {least}"),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        };
        let plural = if wanted == "1" || wanted == "at least 1" { "" } else { "s" };
        self.report(
            Diagnostic::error("spl-arity", format!("`{}` takes {wanted} argument{plural}, not {given}", name.text))
                .at(span, format!("{given} given")),
        )
    }
}

/// A function of one value, for each value of a list.
pub(super) fn each(function: Function, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    Expr::call(Function::List(ListFunction::Each(Box::new(function))), arguments)
}

/// The first field that an expression names.
fn first_field(expr: &ast::Expr) -> Option<Arc<str>> {
    match &expr.kind {
        ExprKind::Field(name) => Some(Arc::clone(name)),
        ExprKind::Call(_, arguments) => arguments.iter().find_map(first_field),
        ExprKind::And(parts) | ExprKind::Or(parts) => parts.iter().find_map(first_field),
        ExprKind::Not(inner) | ExprKind::Negate(inner) => first_field(inner),
        ExprKind::Binary(_, a, b) | ExprKind::Xor(a, b) | ExprKind::Like(a, b) => {
            first_field(a).or_else(|| first_field(b))
        }
        ExprKind::In(a, items) => first_field(a).or_else(|| items.iter().find_map(first_field)),
        ExprKind::Integer(_) | ExprKind::Float(_) | ExprKind::Text(_) => None,
    }
}

fn numbers(name: &str, values: &[Expr]) -> Option<Expr> {
    let calculation = match name {
        "abs" => C::Absolute,
        "ceil" | "ceiling" => C::Ceiling,
        "floor" => C::Floor,
        "exp" => C::Exponential,
        "ln" => C::NaturalLogarithm,
        "log" => C::Logarithm,
        "pow" => C::Power,
        "sqrt" => C::SquareRoot,
        "sigfig" => C::SignificantFigures,
        "sin" => C::Sine,
        "cos" => C::Cosine,
        "tan" => C::Tangent,
        "asin" => C::ArcSine,
        "acos" => C::ArcCosine,
        "atan" => C::ArcTangent,
        "atan2" => C::ArcTangent2,
        "sinh" => C::HyperbolicSine,
        "cosh" => C::HyperbolicCosine,
        "tanh" => C::HyperbolicTangent,
        "asinh" => C::ArcHyperbolicSine,
        "acosh" => C::ArcHyperbolicCosine,
        "atanh" => C::ArcHyperbolicTangent,
        "hypot" => C::Hypotenuse,
        _ => {
            let function = match name {
                "max" => L::Greatest,
                "min" => L::Least,
                "sum" => L::Sum,
                "avg" => L::Mean,
                "round" => L::Round,
                "bit_and" => L::Bits(BitOperation::And),
                "bit_or" => L::Bits(BitOperation::Or),
                "bit_xor" => L::Bits(BitOperation::Xor),
                "bit_not" => L::Bits(BitOperation::Not),
                "bit_shift_left" => L::Bits(BitOperation::ShiftLeft),
                "bit_shift_right" => L::Bits(BitOperation::ShiftRight),
                "exact" | "todouble" => L::Number,
                "toint" => return Some(calculate(C::Floor, values.iter().cloned())),
                "pi" => return Some(Expr::Literal(Value::Float(std::f64::consts::PI))),
                "tonumber" if values.len() == 1 => L::Number,
                "tonumber" => return Some(each(Function::ToNumber, values.iter().cloned())),
                _ => return None,
            };
            return Some(loose(function, values.iter().cloned()));
        }
    };
    Some(calculate(calculation, values.iter().cloned()))
}

fn texts(name: &str, values: &[Expr]) -> Option<Expr> {
    let all = || values.iter().cloned();
    Some(match (name, values) {
        ("lower", _) => each(Function::Lower, all()),
        ("upper", _) => each(Function::Upper, all()),
        ("len", _) => each(Function::Length, all()),
        ("trim", [_]) => each(Function::Trim, all()),
        ("ltrim", [_]) => each(Function::Text(TextFunction::TrimmedStart), all()),
        ("rtrim", [_]) => each(Function::Text(TextFunction::TrimmedEnd), all()),
        ("trim", _) => each(Function::Loose(L::Trimmed(Sides::Both)), all()),
        ("ltrim", _) => each(Function::Loose(L::Trimmed(Sides::Start)), all()),
        ("rtrim", _) => each(Function::Loose(L::Trimmed(Sides::End)), all()),
        ("substr", _) => {
            let number = |expr: &Expr| loose(L::Number, [expr.clone()]);
            let parts =
                values.iter().enumerate().map(|(at, value)| if at == 0 { value.clone() } else { number(value) });
            each(Function::Substring, parts)
        }
        ("urldecode", _) => each(Function::Loose(L::UrlDecoded), all()),
        ("urlencode", _) => each(Function::Text(TextFunction::UrlComponentEncoded), all()),
        ("md5", _) => each(Function::Text(TextFunction::Digest(DigestAlgorithm::Md5)), all()),
        ("sha1", _) => each(Function::Text(TextFunction::Digest(DigestAlgorithm::Sha1)), all()),
        ("sha256", _) => each(Function::Text(TextFunction::Digest(DigestAlgorithm::Sha256)), all()),
        ("sha512", _) => each(Function::Text(TextFunction::Digest(DigestAlgorithm::Sha512)), all()),
        ("ipmask", _) => loose(L::MaskAddress, all()),
        ("printf", _) => loose(L::Printf, all()),
        ("strftime", _) => loose(L::FormatTime, all()),
        ("strptime", _) => loose(L::ParseTime, all()),
        ("relative_time", _) => loose(L::RelativeTime, all()),
        ("now" | "time", _) => now(),
        ("tostring", [value]) => written_out(value),
        ("tostring", [value, Expr::Literal(Value::Text(form))]) => {
            let function = match form.as_ref() {
                "hex" => L::Written(NumberForm::Hexadecimal),
                "commas" => L::Written(NumberForm::Commas),
                "binary" => L::Written(NumberForm::Binary),
                "duration" => L::Duration,
                _ => return Some(each(Function::ToText, [value.clone()])),
            };
            each(Function::Loose(function), [value.clone()])
        }
        _ => return None,
    })
}

fn lists(name: &str, values: &[Expr]) -> Option<Expr> {
    let list = |function: ListFunction| Some(Expr::call(Function::List(function), values.iter().cloned()));
    let numbers = |values: &[Expr]| -> Vec<Expr> {
        let number = |expr: &Expr| match expr {
            literal @ Expr::Literal(_) => literal.clone(),
            other => loose(L::Number, [other.clone()]),
        };
        values.iter().map(number).collect()
    };
    match (name, values) {
        ("mvappend", _) => {
            let all = Expr::call(Function::Append, values.iter().cloned());
            Some(Expr::call(Function::List(ListFunction::Values), [all]))
        }
        ("mvcount", _) => list(ListFunction::Count),
        ("mvdedup", _) => list(ListFunction::Distinct),
        ("mvreverse", _) => list(ListFunction::Reversed),
        ("mvsort", _) => list(ListFunction::Sorted { descending: false }),
        ("mvzip", _) => list(ListFunction::Zipped),
        ("mvjoin", _) => Some(Expr::call(Function::Join, values.iter().cloned())),
        ("tomv", _) => list(ListFunction::Values),
        ("mvindex", [of, positions @ ..]) => {
            let parts = std::iter::once(of.clone()).chain(numbers(positions));
            let found = Expr::call(Function::Index, parts);
            Some(Expr::call(Function::List(ListFunction::Values), [found]))
        }
        ("mvrange", _) => Some(Expr::Call(Function::Range, numbers(values))),
        ("split", [text, delimiter]) => {
            let parts = Expr::call(Function::Split, [text.clone(), delimiter.clone()]);
            Some(Expr::call(Function::List(ListFunction::Values), [parts]))
        }
        _ => None,
    }
}

fn information(name: &str, values: &[Expr]) -> Option<Expr> {
    let all = || values.iter().cloned();
    Some(match (name, values) {
        ("if", _) => Expr::call(Function::If, all()),
        ("case", pairs) => {
            // Without a true branch null; a last condition without a value says nothing.
            Expr::Call(Function::Case, pairs[..pairs.len() / 2 * 2].to_vec())
        }
        ("validate", pairs) => {
            // The value behind the first condition that is *false*.
            let turned = pairs.chunks_exact(2).flat_map(|pair| match pair {
                [condition, value] => [Expr::call(Function::Not, [condition.clone()]), value.clone()],
                _ => [Expr::Literal(Value::Null), Expr::Literal(Value::Null)],
            });
            Expr::Call(Function::Case, turned.collect())
        }
        ("coalesce", _) => Expr::call(Function::Coalesce, all()),
        ("null", _) => Expr::Literal(Value::Null),
        ("true", _) => Expr::Literal(Value::Bool(true)),
        ("false", _) => Expr::Literal(Value::Bool(false)),
        ("nullif", [a, b]) => {
            let same = any_value(Function::Equal(Case::Sensitive), [a.clone(), b.clone()]);
            Expr::call(Function::If, [same, Expr::Literal(Value::Null), a.clone()])
        }
        ("in", _) => any_value(Function::In(Case::Sensitive), all()),
        ("isnull", [value]) => Expr::call(Function::IsNull, [value.clone()]),
        ("isnotnull", [value]) => not_null(value.clone()),
        ("isnum" | "isdouble", _) => loose(L::IsNumber, all()),
        ("isint", _) => loose(L::IsWhole, all()),
        ("isstr", _) => loose(L::IsText, all()),
        ("isbool", [value]) => {
            let kind = loose(L::TypeName, [value.clone()]);
            Expr::call(Function::Equal(Case::Sensitive), [kind, Expr::Literal(Value::text("Boolean"))])
        }
        ("typeof", _) => loose(L::TypeName, all()),
        ("ismv", _) => {
            let count = Expr::call(Function::List(ListFunction::Count), all());
            let count = Expr::call(Function::Coalesce, [count, Expr::Literal(Value::Int(0))]);
            Expr::call(Function::Less, [Expr::Literal(Value::Int(1)), count])
        }
        ("tobool", [value]) => Expr::call(Function::Text(TextFunction::ToBoolean), [value.clone()]),
        ("not", _) => Expr::call(Function::Not, all()),
        ("and", _) => Expr::call(Function::And, all()),
        ("or", _) => Expr::call(Function::Or, all()),
        ("xor", _) => Expr::call(Function::Not, [Expr::call(Function::Equal(Case::Sensitive), all())]),
        _ => return None,
    })
}

fn documents(name: &str, values: &[Expr]) -> Option<Expr> {
    let all = || values.iter().cloned();
    let operation = match name {
        "json_object" => J::Object,
        "json_array" => J::Array,
        "json" | "toobject" | "toarray" | "json_extract" => J::Extract,
        "json_extract_exact" => J::ExtractExact,
        "json_keys" => J::Keys,
        "json_set" => J::Set,
        "json_set_exact" => J::SetExact,
        "json_delete" => J::Delete,
        "json_append" => J::Append,
        "json_extend" => J::Extend,
        "json_entries" => J::Entries,
        "json_valid" => J::Valid,
        "isobject" => J::IsObject,
        "isarray" => J::IsArray,
        "tojson" => J::Write,
        "json_array_to_mv" => return Some(loose(L::Json(J::ToList), values.first().cloned())),
        "mv_to_json_array" => {
            let typed = matches!(values.get(1), Some(Expr::Literal(Value::Bool(true))));
            let operation = if typed { J::FromTypedList } else { J::FromList };
            return Some(loose(L::Json(operation), values.first().cloned()));
        }
        "json_has_key_exact" => return Some(not_null(loose(L::Json(J::ExtractExact), all()))),
        "spath" => return Some(loose(L::PathValue, all())),
        _ => return None,
    };
    Some(loose(L::Json(operation), all()))
}

/// A value as text; a truth is `True` or `False`.
fn written_out(value: &Expr) -> Expr {
    let plain = each(Function::ToText, [value.clone()]);
    let word = |truth: &str| Expr::Literal(Value::text(truth));
    match value {
        Expr::Literal(Value::Bool(truth)) => word(if *truth { "True" } else { "False" }),
        // Only what is computed can be a truth: fields hold texts and numbers.
        Expr::Call(..) => {
            let kind = loose(L::TypeName, [value.clone()]);
            let is_truth = Expr::call(Function::Equal(Case::Sensitive), [kind, word("Boolean")]);
            let truth = Expr::call(Function::If, [value.clone(), word("True"), word("False")]);
            Expr::call(Function::If, [is_truth, truth, plain])
        }
        _ => plain,
    }
}

/// A number from 0 to 2^31 - 1, made from the row's values.
fn random(names: &Names) -> Expr {
    let mut parts: Vec<Expr> = names.columns.iter().map(|(_, expr)| each(Function::ToText, [expr.clone()])).collect();
    parts.push(each(Function::ToText, [names.get("_time")]));
    if names.base == super::rows::Base::Event {
        parts.push(loose(L::Json(J::Write), [Expr::Event(lurcher_schema::Taxonomy::Cim)]));
    }
    let texts = parts.into_iter().map(|part| Expr::call(Function::Join, [part, Expr::Literal(Value::text(","))]));
    let all = Expr::call(Function::ConcatLenient, texts);
    let digest = each(Function::Text(TextFunction::Digest(DigestAlgorithm::Md5)), [all]);
    let number = |n: i64| Expr::Literal(Value::Int(n));
    let digits = Expr::call(Function::Substring, [digest, number(1), number(8)]);
    let wide = each(Function::ToNumber, [digits, number(16)]);
    calculate(C::Modulo, [wide, number(1 << 31)])
}

/// The names of a search's commands, as a list.
fn commands(search: &str) -> Expr {
    let file = lurcher_diagnostics::SourceFile::new("commands", search);
    let (pipeline, _) = crate::spl::parser::search(&file, 0);
    let names = pipeline.commands.iter().map(|command| Expr::Literal(Value::Text(Arc::clone(&command.name.text))));
    Expr::call(Function::List(ListFunction::Values), [Expr::List(names.collect())])
}

/// The time of the run, in whole seconds.
pub(super) fn now() -> Expr {
    let seconds = calculate(C::Divide, [Expr::Call(Function::Now, Vec::new()), Expr::Literal(Value::Int(1000))]);
    calculate(C::Floor, [seconds])
}
