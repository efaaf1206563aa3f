//! Functions of texts.

use lurcher_diagnostics::Diagnostic;
use lurcher_ir::{Case, DigestAlgorithm, Expr, FieldRef, Function, ListFunction, NumberFunction, TextFunction};
use lurcher_schema::{Taxonomy, Value};

use super::{Call, Class, list};
use crate::{
    esql::{
        lower::{Lowerer, Result, value::Typed},
        types::Type,
    },
    syntax::java_regex::{DIALECT, Refusal, translate},
};

impl Lowerer<'_> {
    pub(super) fn text_function(&mut self, call: &Call<'_>) -> Option<Result<Typed>> {
        let (function, kind) = match call.name {
            "length" => (Function::Length, Type::Integer),
            "byte_length" => (Function::Text(TextFunction::Bytes), Type::Integer),
            "bit_length" => {
                return Some(self.text_at(call, 0).map(|text| {
                    let bytes = Expr::call(Function::Text(TextFunction::Bytes), [text]);
                    let bits = Expr::call(Function::Multiply, [bytes, Expr::Literal(Value::Int(8))]);
                    Typed::single(Type::Integer, bits)
                }));
            }
            "to_lower" => return Some(self.each_text(call, Function::Lower)),
            "to_upper" => return Some(self.each_text(call, Function::Upper)),
            "trim" => (Function::Trim, Type::Keyword),
            "ltrim" => (Function::Text(TextFunction::TrimmedStart), Type::Keyword),
            "rtrim" => (Function::Text(TextFunction::TrimmedEnd), Type::Keyword),
            "reverse" => (Function::Text(TextFunction::Reversed), Type::Keyword),
            "url_encode" => (Function::Text(TextFunction::UrlEncoded), Type::Keyword),
            "url_encode_component" => (Function::Text(TextFunction::UrlComponentEncoded), Type::Keyword),
            "url_decode" => (Function::Text(TextFunction::UrlDecoded), Type::Keyword),
            "to_base64" => (Function::Text(TextFunction::Base64), Type::Keyword),
            "from_base64" => (Function::Text(TextFunction::FromBase64), Type::Keyword),
            "md5" => (Function::Text(TextFunction::Digest(DigestAlgorithm::Md5)), Type::Keyword),
            "sha1" => (Function::Text(TextFunction::Digest(DigestAlgorithm::Sha1)), Type::Keyword),
            "sha256" => (Function::Text(TextFunction::Digest(DigestAlgorithm::Sha256)), Type::Keyword),
            "starts_with" => return Some(self.texts(call, 2, Function::StartsWith(Case::Sensitive), Type::Boolean)),
            "ends_with" => return Some(self.texts(call, 2, Function::EndsWith(Case::Sensitive), Type::Boolean)),
            "contains" => {
                return Some(self.texts(call, 2, Function::Text(TextFunction::Contains), Type::Boolean));
            }
            "concat" => return Some(self.texts(call, call.count(), Function::Concat, Type::Keyword)),
            "hash" => {
                return Some(self.texts(call, 2, Function::Text(TextFunction::NamedDigest), Type::Keyword).map(
                    |typed| {
                        let Typed { node: super::super::value::Node::Expr(Expr::Call(function, mut sides)), .. } =
                            typed
                        else {
                            return typed;
                        };
                        // `HASH(algorithm, text)`.
                        sides.reverse();
                        Typed::single(Type::Keyword, Expr::Call(function, sides))
                    },
                ));
            }
            "substring" => return Some(self.with_numbers(call, Function::Text(TextFunction::Part), Type::Keyword)),
            "left" => return Some(self.with_numbers(call, Function::Text(TextFunction::Left), Type::Keyword)),
            "right" => return Some(self.with_numbers(call, Function::Text(TextFunction::Right), Type::Keyword)),
            "repeat" => return Some(self.with_numbers(call, Function::Text(TextFunction::Repeated), Type::Keyword)),
            "space" => {
                return Some(self.want(call, 0, Class::Whole).map(|count| {
                    let blank = Expr::Literal(Value::text(" "));
                    let repeated = Function::Text(TextFunction::Repeated);
                    Typed::single(Type::Keyword, Expr::call(repeated, [blank, count.number()]))
                }));
            }
            "locate" => return Some(self.locate(call)),
            "split" => return Some(self.split(call)),
            "replace" => return Some(self.replace(call)),
            "json_extract" => return Some(self.json(call)),
            "json_string" => return Some(self.json_string(call)),
            _ => return None,
        };
        Some(self.text_at(call, 0).map(|text| Typed::single(kind, Expr::call(function, [text]))))
    }

    /// Functions that take several values one by one.
    fn each_text(&mut self, call: &Call<'_>, function: Function) -> Result<Typed> {
        let typed = self.want(call, 0, Class::Text)?;
        if self.symbolic || !typed.many {
            // A condition compares single values; so it can be a test that ignores case.
            return Ok(Typed::single(Type::Keyword, Expr::call(function, [typed.as_text()])));
        }
        Ok(Typed::several(Type::Keyword, list(ListFunction::Each(Box::new(function)), [typed.all()])))
    }

    fn texts(&mut self, call: &Call<'_>, count: usize, function: Function, kind: Type) -> Result<Typed> {
        let texts: Vec<Expr> = (0..count).map(|place| self.text_at(call, place)).collect::<Result<_>>()?;
        Ok(Typed::single(kind, Expr::Call(function, texts)))
    }

    /// A text and whole numbers.
    fn with_numbers(&mut self, call: &Call<'_>, function: Function, kind: Type) -> Result<Typed> {
        let mut arguments = vec![self.text_at(call, 0)?];
        for place in 1..call.count() {
            arguments.push(self.want(call, place, Class::Whole)?.number());
        }
        Ok(Typed::single(kind, Expr::Call(function, arguments)))
    }

    fn locate(&mut self, call: &Call<'_>) -> Result<Typed> {
        let mut arguments = vec![self.text_at(call, 0)?, self.text_at(call, 1)?];
        if call.count() == 3 {
            arguments.push(self.want(call, 2, Class::Whole)?.number());
        }
        Ok(Typed::single(Type::Integer, Expr::Call(Function::Text(TextFunction::Locate), arguments)))
    }

    fn split(&mut self, call: &Call<'_>) -> Result<Typed> {
        let text = self.text_at(call, 0)?;
        let delimiter = self.text_at(call, 1)?;
        let parts = Expr::call(Function::Split, [text, delimiter]);
        Ok(Typed::several(Type::Keyword, list(ListFunction::Values, [parts])))
    }

    fn replace(&mut self, call: &Call<'_>) -> Result<Typed> {
        let text = self.text_at(call, 0)?;
        let computed = self.text_at(call, 1)?;
        let replacement = self.text_at(call, 2)?;
        let span = call.span(1);
        let pattern = match call.at(1).text() {
            Some(pattern) => std::sync::Arc::clone(pattern),
            None if call.at(1).kind == Type::Null => return Ok(Typed::literal(Type::Keyword, Value::Null)),
            None => {
                // What is faulty is null for Elasticsearch, too, where a row makes it.
                let message = "look-around and back references are not run: where a row makes such an expression, the result is null";
                self.approximate("regex", message, span);
                let replaced = Function::Text(TextFunction::ReplacedBy(DIALECT));
                return Ok(Typed::single(Type::Keyword, Expr::call(replaced, [text, computed, replacement])));
            }
        };
        let regex = match translate(&pattern) {
            Ok(translated) => {
                if let Some(what) = translated.approximate {
                    self.approximate("regex", what, span);
                }
                translated.regex
            }
            Err(Refusal::Unsupported(what)) => return Err(self.unsupported("regex", what, span)),
            Err(Refusal::Faulty(why)) => {
                return Err(self.report(
                    Diagnostic::error("esql-regex", format!("the regular expression is faulty: {why}"))
                        .at(span, "cannot be read")
                        .with_help("`REPLACE` takes Java's regular expressions"),
                ));
            }
        };
        let replaced = Function::Text(TextFunction::Replaced(regex));
        Ok(Typed::single(Type::Keyword, Expr::call(replaced, [text, replacement])))
    }

    /// `JSON_STRING(key, value, …)`. Source: Elasticsearch's `JsonString`.
    fn json_string(&mut self, call: &Call<'_>) -> Result<Typed> {
        if call.count() % 2 == 1 {
            let message = format!("`JSON_STRING` takes keys and values in turn, found {} arguments", call.count());
            let error = Diagnostic::error("esql-arguments", message).at(call.span, "a value is missing");
            return Err(self.report(error.with_help("write `JSON_STRING(key, value, …)`")));
        }
        let mut members = Vec::new();
        for place in (0..call.count()).step_by(2) {
            members.push(self.text_at(call, place)?);
            let (value, span) = (call.at(place + 1), call.span(place + 1));
            members.push(match value.kind {
                Type::GeoPoint | Type::Source => {
                    let message = format!("`JSON_STRING` takes no {}", value.kind.name());
                    let error = Diagnostic::error("esql-type", message);
                    return Err(self.report(
                        error
                            .at(span, format!("this is {}", value.kind.name()))
                            .with_help("convert it: `TO_STRING(value)`"),
                    ));
                }
                Type::Date | Type::DateNanos => self.convert(&value, Type::Keyword, span)?.all(),
                Type::Double => {
                    let fraction = Function::Number(NumberFunction::ToFraction);
                    list(ListFunction::Each(Box::new(fraction)), [value.all()])
                }
                _ => value.all(),
            });
        }
        Ok(Typed::single(Type::Keyword, Expr::Call(Function::Text(TextFunction::JsonObject), members)))
    }

    fn json(&mut self, call: &Call<'_>) -> Result<Typed> {
        let document = call.at(0);
        let read = match document.kind {
            Type::Source => document.one(),
            _ => self.text_at(call, 0)?,
        };
        let path = self.text_at(call, 1)?;
        let read = match (&read, &path) {
            (Expr::Event(taxonomy), Expr::Literal(Value::Text(path))) => part_of_event(*taxonomy, path).unwrap_or(read),
            _ => read,
        };
        let member = Expr::call(Function::Text(TextFunction::JsonMember), [read, path]);
        Ok(Typed::single(Type::Keyword, member))
    }
}

/// As much of an event's document as a path can lead into: its first member. To read a field costs next to nothing, to make
/// the whole document of every event does not.
fn part_of_event(taxonomy: Taxonomy, path: &str) -> Option<Expr> {
    let path = path.strip_prefix('$').unwrap_or(path).trim_start_matches('.');
    let first = path.split(['.', '[']).next().filter(|first| !first.is_empty())?;
    let field = Expr::Field(FieldRef::new(taxonomy, first));
    Some(Expr::Object(vec![(first.into(), field)]))
}
