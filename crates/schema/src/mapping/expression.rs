//! The expressions of mapping packs: `EventData.Image | after_last('\')`.
//!
//! An expression says what a field is made from. It names raw fields and other fields of the same taxonomy; which
//! ones those are for a given shape is decided in [`super::schemas`]. The grammar:
//!
//! ```text
//! expression = term { "|" transform [ "(" argument { "," argument } ")" ] }
//! term       = 'text' | name | `any name` | @name | shape(name) | time()
//!            | first(expression, …) | concat(expression, …) | list(expression, …)
//!            | when(expression, 'one|another', expression)
//! argument   = 'text' | whole number
//! ```
//!
//! Text stands in single or double quotes; a doubled quote is a quote; there are no other escapes.

use std::{collections::HashMap, ops::Range, sync::Arc};

use super::transform::{Argument, Table, Transform};
use crate::Value;

/// How deep terms may be nested, and how many transforms may follow each other.
const MAX_DEPTH: usize = 32;

/// What a field is made from, before a shape is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// A raw field; a `*` at the end stands for the rest of the path that is bound.
    Raw(Arc<str>),
    /// Another field of the same taxonomy; `*` as above.
    Field(Arc<str>),
    /// An attribute of the shape.
    Attribute(Arc<str>),
    /// The event's time, as RFC 3339 text in UTC.
    Time,
    /// This value.
    Literal(Value),
    /// The first that is not missing.
    First(Vec<Expression>),
    /// All joined as text; missing if one is.
    Concat(Vec<Expression>),
    /// Those that are not missing, flattened, as a list.
    List(Vec<Expression>),
    /// The last, if the first's text is one of the alternatives (lower-cased; `*` is any text), else missing.
    When(Box<Expression>, Arc<[Arc<str>]>, Box<Expression>),
    /// A transform of a value.
    Apply(Box<Expression>, Transform),
}

/// Why a text is no expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Where in the text.
    pub(super) at: Range<usize>,
    /// What is wrong.
    pub(super) message: String,
    /// What to do about it, if that is known.
    pub(super) help: Option<String>,
}

impl Expression {
    /// Reads an expression. `tables` are the lookup tables that `lookup` may name.
    pub(super) fn parse(text: &str, tables: &HashMap<Arc<str>, Arc<Table>>) -> Result<Self, Fault> {
        let mut parser = Parser { text, at: 0, tables };
        let expression = parser.expression(0)?;
        parser.blanks();
        if parser.at < text.len() {
            return Err(parser.fault("expected `|` or the end of the expression"));
        }
        Ok(expression)
    }

    /// The names of the taxonomy's own fields that it reads.
    pub(super) fn fields(&self) -> Vec<&Arc<str>> {
        let mut names = Vec::new();
        self.visit(&mut |part| {
            if let Self::Field(name) = part {
                names.push(name);
            }
        });
        names
    }

    /// The names with a `*` (without the `*`) that it reads: raw fields, and fields of the same taxonomy.
    pub(super) fn open_names(&self) -> Vec<(bool, &str)> {
        let mut names = Vec::new();
        self.visit(&mut |part| {
            let (raw, name) = match part {
                Self::Raw(name) => (true, name),
                Self::Field(name) => (false, name),
                _ => return,
            };
            if let Some(prefix) = name.strip_suffix('*') {
                names.push((raw, prefix));
            }
        });
        names
    }

    fn visit<'a>(&'a self, seen: &mut impl FnMut(&'a Self)) {
        seen(self);
        match self {
            Self::First(parts) | Self::Concat(parts) | Self::List(parts) => {
                for part in parts {
                    part.visit(seen);
                }
            }
            Self::When(condition, _, value) => {
                condition.visit(seen);
                value.visit(seen);
            }
            Self::Apply(value, _) => value.visit(seen),
            Self::Raw(_) | Self::Field(_) | Self::Attribute(_) | Self::Time | Self::Literal(_) => {}
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    tables: &'a HashMap<Arc<str>, Arc<Table>>,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn fault(&self, message: impl Into<String>) -> Fault {
        let width = self.peek().map_or(0, char::len_utf8);
        Fault { at: self.at..self.at + width, message: message.into(), help: None }
    }

    fn take(&mut self, wanted: char) -> bool {
        self.blanks();
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), Fault> {
        if self.take(wanted) { Ok(()) } else { Err(self.fault(format!("expected `{wanted}`"))) }
    }

    fn expression(&mut self, depth: usize) -> Result<Expression, Fault> {
        if depth > MAX_DEPTH {
            return Err(self.fault("the expression is nested too deeply"));
        }
        let mut value = self.term(depth)?;
        let mut transforms = 0;
        while self.take('|') {
            transforms += 1;
            if transforms > MAX_DEPTH {
                return Err(self.fault("too many transforms in a row"));
            }
            value = Expression::Apply(Box::new(value), self.transform()?);
        }
        Ok(value)
    }

    fn term(&mut self, depth: usize) -> Result<Expression, Fault> {
        self.blanks();
        match self.peek() {
            Some('\'' | '"') => Ok(Expression::Literal(Value::Text(self.quoted()?))),
            Some('`') => Ok(Expression::Raw(self.quoted()?)),
            Some('@') if self.rest().starts_with("@timestamp") => Ok(Expression::Raw(self.name()?.into())),
            Some('@') => {
                self.at += 1;
                Ok(Expression::Field(self.name()?.into()))
            }
            Some(_) => {
                let start = self.at;
                let name = self.name()?;
                if self.take('(') { self.call(name, start, depth) } else { Ok(Expression::Raw(name.into())) }
            }
            None => Err(self.fault("expected a field name, a text or a function")),
        }
    }

    fn name(&mut self) -> Result<&'a str, Fault> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '@' | '*' | '-')))
            .unwrap_or(rest.len());
        let name = &rest[..end];
        if name.is_empty() {
            let mut fault = self.fault("expected a name");
            fault.help = Some("names with other characters go in backquotes: `a name`".to_owned());
            return Err(fault);
        }
        if name.find('*').is_some_and(|star| star + 1 < name.len()) {
            return Err(Fault {
                at: self.at..self.at + end,
                message: "`*` may only end a name".to_owned(),
                help: None,
            });
        }
        self.at += end;
        Ok(name)
    }

    fn quoted(&mut self) -> Result<Arc<str>, Fault> {
        let start = self.at;
        let quote = self.peek().unwrap_or('\'');
        let mut out = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            if c != quote {
                out.push(c);
            } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
                out.push(quote);
                chars.next();
            } else {
                self.at = start + at + quote.len_utf8();
                return Ok(out.into());
            }
        }
        Err(Fault { at: start..self.text.len(), message: format!("the closing {quote} is missing"), help: None })
    }

    fn call(&mut self, name: &str, start: usize, depth: usize) -> Result<Expression, Fault> {
        let call = match name {
            "first" => Expression::First(self.list_of_expressions(depth)?),
            "concat" => Expression::Concat(self.list_of_expressions(depth)?),
            "list" => Expression::List(self.list_of_expressions(depth)?),
            "when" => {
                let condition = self.expression(depth + 1)?;
                self.expect(',')?;
                self.blanks();
                if !matches!(self.peek(), Some('\'' | '"')) {
                    return Err(self.fault("expected the alternatives as text: 'one|another'"));
                }
                let alternatives = self.quoted()?.split('|').map(|a| a.to_lowercase().into()).collect();
                self.expect(',')?;
                let value = self.expression(depth + 1)?;
                Expression::When(Box::new(condition), alternatives, Box::new(value))
            }
            "shape" => {
                self.blanks();
                Expression::Attribute(self.name()?.into())
            }
            "time" => Expression::Time,
            _ => {
                return Err(Fault {
                    at: start..start + name.len(),
                    message: format!("there is no function `{name}`"),
                    help: Some(
                        "functions are first, concat, list, when, shape and time; transforms follow a `|`".to_owned(),
                    ),
                });
            }
        };
        self.expect(')')?;
        Ok(call)
    }

    fn list_of_expressions(&mut self, depth: usize) -> Result<Vec<Expression>, Fault> {
        let mut parts = vec![self.expression(depth + 1)?];
        while self.take(',') {
            parts.push(self.expression(depth + 1)?);
        }
        Ok(parts)
    }

    fn transform(&mut self) -> Result<Transform, Fault> {
        self.blanks();
        let start = self.at;
        let name = self.name()?;
        let mut arguments = Vec::new();
        if self.take('(') {
            loop {
                arguments.push(self.argument()?);
                if !self.take(',') {
                    break;
                }
            }
            self.expect(')')?;
        }
        Transform::new(name, &arguments, self.tables).map_err(|(message, help)| Fault {
            at: start..self.at,
            message,
            help,
        })
    }

    fn argument(&mut self) -> Result<Argument, Fault> {
        self.blanks();
        match self.peek() {
            Some('\'' | '"') => Ok(Argument::Text(self.quoted()?)),
            Some('-' | '0'..='9') => {
                let start = self.at;
                let name = self.name()?;
                name.parse().map(Argument::Number).map_err(|_| Fault {
                    at: start..self.at,
                    message: format!("`{name}` is no whole number"),
                    help: None,
                })
            }
            _ => Err(self.fault("expected a quoted text or a whole number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Expression, Fault> {
        Expression::parse(text, &HashMap::new())
    }

    #[test]
    fn terms_and_transforms() {
        let raw = |name: &str| Expression::Raw(name.into());
        assert_eq!(parse("EventData.Image"), Ok(raw("EventData.Image")));
        assert_eq!(parse("`a b`"), Ok(raw("a b")));
        assert_eq!(parse("@process.name"), Ok(Expression::Field("process.name".into())));
        assert_eq!(parse("@timestamp"), Ok(raw("@timestamp")));
        assert_eq!(parse("'it''s'"), Ok(Expression::Literal("it's".into())));
        assert_eq!(
            parse("first(a | lower, when(b, 'X|y', c))"),
            Ok(Expression::First(vec![
                Expression::Apply(Box::new(raw("a")), Transform::Lower),
                Expression::When(Box::new(raw("b")), ["x".into(), "y".into()].into(), Box::new(raw("c"))),
            ]))
        );
    }

    #[test]
    fn faults_say_where() {
        let at = |text: &str| parse(text).map_err(|fault| (fault.at, fault.message)).unwrap_err();
        assert_eq!(at("a | lwer"), (4..8, "there is no transform `lwer`".to_owned()));
        assert_eq!(at("first(a, "), (9..9, "expected a field name, a text or a function".to_owned()));
        assert_eq!(at("a b"), (2..3, "expected `|` or the end of the expression".to_owned()));
        assert_eq!(at("a.*.b"), (0..5, "`*` may only end a name".to_owned()));
        assert_eq!(at("'a"), (0..2, "the closing ' is missing".to_owned()));
        assert_eq!(at(&"first(".repeat(100)).1, "the expression is nested too deeply");
    }
}
