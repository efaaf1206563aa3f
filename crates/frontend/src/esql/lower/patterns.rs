//! `DISSECT` and `GROK`: patterns that take a text apart, as regular expressions.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, LazyLock},
};

use lurcher_diagnostics::Diagnostic;
use lurcher_ir::{Expr, Function, ListFunction, NumberFunction, Regex};
use lurcher_schema::Value;

use super::{
    super::{
        ast::{Expr as Tree, Name},
        types::Type,
    },
    Lowerer, Result, Said,
    value::{Node, Typed},
};
use crate::syntax::java_regex::{Refusal, translate};

/// The patterns that `GROK` knows by name: `NAME pattern` a line.
static LIBRARY: LazyLock<BTreeMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("../grok_patterns.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).collect()
});

/// How deep patterns may name others, and how long the result may be.
const MAX_DEPTH: usize = 32;
const MAX_LENGTH: usize = 200_000;

/// A piece of a text that a pattern takes out.
struct Taken {
    /// The column.
    name: Arc<str>,
    /// The groups of the expression whose texts it is made of, in order.
    groups: Vec<Group>,
    /// Its type.
    kind: Type,
    /// What stands between the texts; `None`: they are several values.
    separator: Option<Arc<str>>,
}

/// A group of an expression.
struct Group {
    regex: Regex,
    name: Arc<str>,
    /// Patterns that go before; where one of them fits, this one is not tried.
    unless: Vec<Regex>,
}

/// A column that is made of a value.
pub(super) struct Piece {
    /// Its name.
    pub(super) name: Arc<str>,
    /// How it is made of the value.
    pub(super) value: Box<dyn Fn(&Typed) -> Typed>,
}

impl Lowerer<'_> {
    /// Sets a column for each piece that a command takes out of a text; null where there is no such piece.
    pub(super) fn take(&mut self, input: &Tree, command: &str, pieces: &[Piece]) -> Result<()> {
        let (value, meaning) = self.value_and_meaning(input)?;
        if !value.kind.is_text() && !value.kind.is_open() && !value.loose {
            let message = format!("`{command}` takes a text, found {}", value.kind.name());
            return Err(self.report(
                Diagnostic::error("esql-type", message)
                    .at(input.span, format!("this is {}", value.kind.name()))
                    .with_help("convert it: `TO_STRING(value)`"),
            ));
        }
        // All columns are taken from the old row, even if one of them replaces the text.
        let meanings: Vec<Option<Typed>> =
            pieces.iter().map(|piece| meaning.as_ref().map(|own| (piece.value)(own))).collect();
        let mut from = value;
        let mut held = None;
        if let Node::Expr(Expr::Column(column)) = &from.node
            && self.columns.find(column).is_some()
            && pieces.iter().any(|piece| piece.name == *column)
        {
            let copy = self.parts.fresh_name(column);
            self.stages.push(lurcher_ir::Stage::Eval(vec![(Arc::clone(&copy), from.all())]));
            from.node = Node::Expr(Expr::Column(Arc::clone(&copy)));
            held = Some(copy);
        }
        for (piece, meaning) in pieces.iter().zip(meanings) {
            self.set(&piece.name, (piece.value)(&from), meaning);
        }
        if let Some(copy) = held {
            self.stages.push(lurcher_ir::Stage::Drop(vec![lurcher_ir::ColumnPattern::Named(copy)]));
        }
        Ok(())
    }

    /// `DISSECT`: literal texts between keys, each key as short as can be.
    pub(super) fn dissect(&mut self, input: &Tree, pattern: &Name, separator: Option<&Name>) -> Result<()> {
        let separator: Arc<str> = separator.map_or_else(|| "".into(), |name| Arc::clone(&name.text));
        match dissect(&pattern.text, &separator) {
            Ok(taken) => self.take(input, "DISSECT", &pieces(taken)),
            Err(why) => Err(self.report(
                Diagnostic::error("esql-dissect", format!("the pattern is faulty: {why}"))
                    .at(pattern.span, "cannot be read")
                    .with_help("a key is written `%{name}`, and text stands between two keys"),
            )),
        }
    }

    /// `GROK`: regular expressions with named patterns in them; the first that fits counts.
    pub(super) fn grok(&mut self, input: &Tree, patterns: &[Name]) -> Result<()> {
        let mut taken: Vec<Taken> = Vec::new();
        let mut before: Vec<Regex> = Vec::new();
        for pattern in patterns {
            let mut grok = Grok::default();
            let expanded = grok.expand(&pattern.text, 0).map_err(|why| self.grok_fault(pattern, &why))?;
            let regex = match translate(&expanded) {
                Ok(translated) => {
                    if let Some(what) = translated.approximate {
                        self.approximate("grok", what, pattern.span);
                    }
                    translated.regex
                }
                Err(Refusal::Unsupported(what)) => return Err(self.unsupported("grok", what, pattern.span)),
                Err(Refusal::Faulty(why)) => return Err(self.grok_fault(pattern, &why)),
            };
            for (group, name, kind) in grok.groups {
                let group = Group { regex: regex.clone(), name: group, unless: before.clone() };
                match taken.iter_mut().find(|own| own.name == name) {
                    Some(own) => own.groups.push(group),
                    None => taken.push(Taken { name, groups: vec![group], kind, separator: None }),
                }
            }
            before.push(regex);
        }
        self.take(input, "GROK", &pieces(taken))
    }

    fn grok_fault(&mut self, pattern: &Name, why: &str) -> Said {
        self.report(
            Diagnostic::error("esql-grok", format!("the pattern is faulty: {why}"))
                .at(pattern.span, "cannot be read")
                .with_help("a named pattern is written `%{SYNTAX:column}`, a group `(?<column>…)`"),
        )
    }
}

fn pieces(taken: Vec<Taken>) -> Vec<Piece> {
    let piece = |taken: Taken| Piece { name: Arc::clone(&taken.name), value: Box::new(move |value| taken.of(value)) };
    taken.into_iter().map(piece).collect()
}

impl Taken {
    fn of(&self, value: &Typed) -> Typed {
        // Of several computed texts each is taken apart, and what is found stands together.
        let each = value.many
            && value.kind.is_text()
            && matches!(value.node, Node::Expr(_))
            && self.groups.iter().all(|group| group.unless.is_empty());
        let capture = |group: &Group| {
            let capture = Function::Capture(group.regex.clone(), Arc::clone(&group.name));
            if !group.unless.is_empty() {
                let fits = |regex: &Regex| Expr::call(Function::Matches(regex.clone()), [value.as_text()]);
                let fitting: Vec<Expr> = group.unless.iter().map(fits).collect();
                let fitting = if fitting.len() == 1 {
                    fitting.into_iter().next().unwrap_or(Expr::Literal(Value::Null))
                } else {
                    Expr::Call(Function::Or, fitting)
                };
                let taken = Expr::call(capture, [value.as_text()]);
                Expr::call(Function::Case, [fitting, Expr::Literal(Value::Null), taken])
            } else if each {
                Expr::call(Function::List(ListFunction::Each(Box::new(capture))), [value.all()])
            } else {
                Expr::call(capture, [value.as_text()])
            }
        };
        let list = |function, of| Expr::call(Function::List(function), [of]);
        let texts: Vec<Expr> = self.groups.iter().map(capture).collect();
        let convert = match self.kind {
            Type::Integer => Some(Function::Number(NumberFunction::ToWhole(32))),
            Type::Long => Some(Function::Number(NumberFunction::ToWhole(64))),
            Type::Double => Some(Function::Number(NumberFunction::ToFraction)),
            Type::Boolean => Some(Function::Text(lurcher_ir::TextFunction::ToBoolean)),
            _ => None,
        };
        match (&self.separator, texts.len()) {
            (_, 1) if each => {
                let values = texts.into_iter().next().unwrap_or(Expr::Literal(Value::Null));
                let convert = convert.map(|convert| ListFunction::Each(Box::new(convert)));
                Typed::several(self.kind, convert.map_or(values.clone(), |convert| list(convert, values)))
            }
            (_, 1) => {
                let text = texts.into_iter().next().unwrap_or(Expr::Literal(Value::Null));
                Typed::single(self.kind, convert.map_or(text.clone(), |convert| Expr::call(convert, [text])))
            }
            (Some(separator), _) => {
                let between = Expr::Literal(Value::Text(Arc::clone(separator)));
                let mut parts = Vec::new();
                for text in texts {
                    if !parts.is_empty() && !separator.is_empty() {
                        parts.push(between.clone());
                    }
                    parts.push(text);
                }
                Typed::single(self.kind, Expr::Call(Function::Concat, parts))
            }
            (None, _) => {
                let values = list(ListFunction::Values, Expr::List(texts));
                let values = match convert {
                    Some(convert) => list(ListFunction::Each(Box::new(convert)), values),
                    None => values,
                };
                Typed::several(self.kind, values)
            }
        }
    }
}

/// Groups of an expression with the places that they are joined in.
type OrderedGroups = Vec<(usize, Arc<str>)>;

fn dissect(pattern: &str, separator: &Arc<str>) -> Result<Vec<Taken>, &'static str> {
    let mut regex = String::from("(?s)\\A");
    // For each column the groups of it, with the order that `/n` gives.
    let mut keys: Vec<(Arc<str>, OrderedGroups)> = Vec::new();
    let mut rest = pattern;
    let start = rest.find("%{").ok_or("it has no key")?;
    regex.push_str(&regex_syntax::escape(&rest[..start]));
    rest = &rest[start..];
    let mut number = 0;
    while let Some(after) = rest.strip_prefix("%{") {
        let (key, after) = after.split_once('}').ok_or("a key is not closed")?;
        let next = after.find("%{").unwrap_or(after.len());
        let (delimiter, following) = after.split_at(next);
        if delimiter.is_empty() && !following.is_empty() {
            return Err("two keys touch");
        }
        let (key, padded) = key.strip_suffix("->").map_or((key, false), |key| (key, true));
        let (append, key) = key.strip_prefix('+').map_or((false, key), |key| (true, key));
        if key.starts_with(['*', '&']) {
            return Err("keys that begin with `*` or `&` name columns by the text's own words, and ES|QL takes none");
        }
        let (key, order) = match key.split_once('/') {
            Some((key, order)) if append => {
                (key, order.parse().map_err(|_| "the order of an appended key is a number")?)
            }
            _ => (key, number),
        };
        number += 1;
        let group: Arc<str> = format!("g{number}").into();
        let last = following.is_empty() && delimiter.is_empty();
        let body = if last { ".*" } else { ".*?" };
        if key.is_empty() || key.starts_with('?') {
            regex.push_str(body);
        } else {
            let _ = write!(regex, "(?<{group}>{body})");
            match keys.iter_mut().find(|(name, _)| name.as_ref() == key) {
                Some((_, groups)) if append => groups.push((order, group)),
                Some((_, groups)) => *groups = vec![(order, group)],
                None => keys.push((key.into(), vec![(order, group)])),
            }
        }
        let literal = regex_syntax::escape(delimiter);
        if padded && !delimiter.is_empty() {
            let _ = write!(regex, "(?:{literal})+");
        } else {
            regex.push_str(&literal);
        }
        rest = following;
        if last {
            regex.push_str("\\z");
        }
    }
    let regex = Regex { pattern: regex.into() };
    let taken = keys.into_iter().map(|(name, mut groups)| {
        groups.sort_by_key(|(order, _)| *order);
        let group = |(_, name)| Group { regex: regex.clone(), name, unless: Vec::new() };
        let groups = groups.into_iter().map(group).collect();
        Taken { name, groups, kind: Type::Keyword, separator: Some(Arc::clone(separator)) }
    });
    Ok(taken.collect())
}

/// Expands named patterns and numbers the groups.
#[derive(Default)]
struct Grok {
    /// Group of the expression, column, type.
    groups: Vec<(Arc<str>, Arc<str>, Type)>,
}

impl Grok {
    fn expand(&mut self, pattern: &str, depth: usize) -> Result<String, String> {
        if depth > MAX_DEPTH {
            return Err("patterns name one another without end".to_owned());
        }
        let mut out = String::new();
        let mut rest = pattern;
        while let Some(c) = rest.chars().next() {
            if out.len() > MAX_LENGTH {
                return Err("it is too long".to_owned());
            }
            if let Some(after) = rest.strip_prefix("%{") {
                let (inside, after) = after.split_once('}').ok_or("a named pattern is not closed")?;
                self.named(inside, depth, &mut out)?;
                rest = after;
            } else if let Some(after) = rest.strip_prefix("(?<").filter(|after| !after.starts_with(['=', '!'])) {
                let (name, after) = after.split_once('>').ok_or("the name of a group is not closed")?;
                let (name, kind) = typed(name)?;
                out.push_str(&self.group(name, kind, depth));
                rest = after;
            } else if c == '\\' {
                let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[..length]);
                rest = &rest[length..];
            } else {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        Ok(out)
    }

    fn named(&mut self, inside: &str, depth: usize, out: &mut String) -> Result<(), String> {
        let (syntax, column) = inside.split_once(':').map_or((inside, None), |(syntax, column)| (syntax, Some(column)));
        let own = LIBRARY.get(syntax).ok_or_else(|| {
            let meant = crate::syntax::closest(syntax, LIBRARY.keys().copied());
            let meant = meant.map_or(String::new(), |meant| format!(" (did you mean `{meant}`?)"));
            format!("there is no pattern `{syntax}`{meant}")
        })?;
        match column {
            Some(column) => {
                let (column, kind) = typed(column)?;
                out.push_str(&self.group(column, kind, 0));
            }
            None => out.push_str("(?:"),
        }
        out.push_str(&self.expand(own, depth + 1)?);
        out.push(')');
        Ok(())
    }

    /// Opens a group. Those inside of library patterns are named for their own purposes.
    fn group(&mut self, column: &str, kind: Type, depth: usize) -> String {
        if depth > 0 {
            return "(?:".to_owned();
        }
        let group: Arc<str> = format!("g{}", self.groups.len() + 1).into();
        self.groups.push((Arc::clone(&group), column.into(), kind));
        format!("(?<{group}>")
    }
}

/// A column and the type behind it: `name:int`.
fn typed(column: &str) -> Result<(&str, Type), String> {
    let Some((name, kind)) = column.rsplit_once(':') else { return Ok((column, Type::Keyword)) };
    Ok((
        name,
        match kind {
            "int" | "integer" => Type::Integer,
            "long" => Type::Long,
            "float" | "double" => Type::Double,
            "boolean" => Type::Boolean,
            "string" | "keyword" => Type::Keyword,
            other => return Err(format!("there is no type `{other}`")),
        },
    ))
}
