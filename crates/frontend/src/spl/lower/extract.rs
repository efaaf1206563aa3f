//! Commands that take fields out of text: `rex`, `regex`, `spath`, `xmlkv`, `extract`, `fromjson`.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Expr, Function, LooseFunction};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    functions::each,
    rows::{Base, Rows, Unfolded, loose},
    stats::setting,
    terms::{Condition, any_value},
};
use crate::{
    spl::ast::{Name, Rex, Settings},
    syntax::java_regex::group_names,
};

impl Lowerer<'_> {
    /// A field, or the event's text.
    fn subject(&mut self, field: Option<&Name>, span: Span, rows: &Rows) -> Expr {
        if let Some(field) = field.filter(|field| field.text.as_ref() != "_raw") {
            return self.name(&field.text, field.span, &rows.names);
        }
        if rows.names.base == Base::Event && rows.names.column("_raw").is_none() {
            let message = "the event's own text (`_raw`) is there only where its source keeps it";
            self.approximate("raw", message, field.map_or(span, |field| field.span));
        }
        rows.names.get("_raw")
    }

    pub(super) fn rex(&mut self, rex: &Rex, mut rows: Rows) -> Result<Rows, Said> {
        let subject = self.subject(rex.field.as_ref(), rex.pattern.span, &rows);
        if rex.sed {
            let Some(field) = &rex.field else {
                return Ok(rows);
            };
            let replaced = self.sed(&rex.pattern, subject)?;
            self.assign(&mut rows, &field.text, replaced);
            return Ok(rows);
        }
        let regex = self.regex(&rex.pattern.text, rex.pattern.span)?;
        let groups = group_names(&regex);
        if groups.is_empty() {
            self.report(
                Diagnostic::warning("spl-rex", "the expression has no named group")
                    .at(rex.pattern.span, "nothing is extracted")
                    .with_help("a field is extracted by `(?<name>…)`"),
            );
        }
        for group in groups {
            let found = if rex.max_match == 1 {
                let first = Expr::call(Function::Capture(regex.clone(), Arc::clone(&group)), [subject.clone()]);
                // A field of several values is searched value by value.
                let all = loose(
                    LooseFunction::AllCaptures(regex.clone(), Arc::clone(&group)),
                    [subject.clone(), Expr::Literal(Value::Int(1))],
                );
                Expr::call(Function::Coalesce, [first, all])
            } else {
                let most = Expr::Literal(Value::Int(i64::try_from(rex.max_match).unwrap_or(0)));
                loose(LooseFunction::AllCaptures(regex.clone(), Arc::clone(&group)), [subject.clone(), most])
            };
            // Without a match the field stays as it is.
            let value = match rows.names.get(&group) {
                Expr::Literal(Value::Null) => found,
                before => Expr::call(Function::Coalesce, [found, before]),
            };
            self.assign(&mut rows, &group, value);
            if let Some(offset) = &rex.offset_field {
                let place = loose(LooseFunction::MatchPlace(regex.clone(), Arc::clone(&group)), [subject.clone()]);
                self.assign(&mut rows, &offset.text, place);
            }
        }
        Ok(rows)
    }

    /// `s/regex/replacement/g` and `y/abc/xyz/`, several between blanks or `;`.
    fn sed(&mut self, script: &Name, subject: Expr) -> Result<Expr, Said> {
        let mut value = subject;
        let mut rest = script.text.trim();
        while let Some(command) = rest.chars().next() {
            let Some((parts, flags, behind)) = sed_parts(rest) else {
                return Err(self.report(
                    Diagnostic::error("spl-sed", "this is no script of `sed`")
                        .at(script.span, "such as `s/regex/replacement/g`"),
                ));
            };
            value = match command {
                's' => {
                    let prefix = if flags.contains('i') { "(?i)" } else { "" };
                    let regex = self.regex(&format!("{prefix}{}", parts.0), script.span)?;
                    let replacement = Expr::Literal(Value::text(parts.1.replace('$', "$$")));
                    // Without `g` the first match is replaced, or that of the number.
                    let number: u32 =
                        flags.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(1);
                    let function = if flags.contains('g') {
                        Function::Replace(regex)
                    } else {
                        Function::Loose(LooseFunction::ReplaceNth(regex, number.max(1)))
                    };
                    each(function, [value, replacement])
                }
                _ => {
                    let mut replaced = value;
                    for (from, to) in parts.0.chars().zip(parts.1.chars()) {
                        let regex = self.regex(&super::terms::escaped(&from.to_string()), script.span)?;
                        let to = to.to_string().replace('$', "$$").replace('\\', "\\\\");
                        replaced = each(Function::Replace(regex), [replaced, Expr::Literal(Value::text(to))]);
                    }
                    replaced
                }
            };
            rest = behind.trim_start_matches([';', ' ', '\n', '\t']);
        }
        Ok(value)
    }

    pub(super) fn regex_filter(
        &mut self,
        field: Option<&Name>,
        negated: bool,
        pattern: &Name,
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        let subject = self.subject(field, pattern.span, &rows);
        let regex = self.regex(&pattern.text, pattern.span)?;
        let found = Condition::Holds(any_value(Function::Matches(regex), [subject]));
        self.keep(&mut rows, if negated { found.negate() } else { found });
        Ok(rows)
    }

    /// JSON and XML by paths. Without a path every name stands for its path, in what is at hand.
    pub(super) fn spath(
        &mut self,
        input: Option<&Name>,
        output: Option<&Name>,
        path: Option<&Name>,
        mut rows: Rows,
    ) -> Rows {
        let input = input.filter(|input| input.text.as_ref() != "_raw");
        let document = input.map(|input| self.name(&input.text, input.span, &rows.names));
        match (path, document) {
            (Some(path), Some(document)) => {
                let name = output.unwrap_or(path);
                let at = Expr::Literal(Value::Text(Arc::clone(&path.text)));
                let value = loose(LooseFunction::PathValue, [document, at]);
                self.assign(&mut rows, &name.text, value);
            }
            // The members of an event in JSON are its fields already.
            (Some(path), None) => {
                let value = rows.names.get(&path.text);
                self.assign(&mut rows, &output.unwrap_or(path).text, value);
            }
            (None, Some(document)) => {
                rows.names.unfolded.push(Unfolded::Paths { document, prefix: "".into() });
            }
            (None, None) => {}
        }
        rows
    }

    pub(super) fn xmlkv(&mut self, field: Option<&Name>, span: Span, mut rows: Rows) -> Rows {
        let document = self.subject(field, span, &rows);
        rows.names.unfolded.push(Unfolded::Tags(document));
        rows
    }

    pub(super) fn extract(&mut self, settings: &Settings, span: Span, mut rows: Rows) -> Rows {
        let text = self.subject(None, span, &rows);
        let option = |name: &str, default: &str| -> Arc<str> {
            setting(settings, name).map_or_else(|| default.into(), |value| Arc::clone(&value.text))
        };
        let (pairs, keys) = (option("pairdelim", " ,;\n\t"), option("kvdelim", "="));
        rows.names.unfolded.push(Unfolded::Pairs { text, pairs, keys });
        rows
    }

    pub(super) fn fromjson(&mut self, field: &Name, settings: &Settings, mut rows: Rows) -> Rows {
        let document = self.name(&field.text, field.span, &rows.names);
        let prefix = setting(settings, "prefix").map_or_else(|| "".into(), |prefix| Arc::clone(&prefix.text));
        rows.names.unfolded.push(Unfolded::Paths { document, prefix });
        rows
    }
}

/// The two parts of one `sed` command, its flags, and what follows.
fn sed_parts(script: &str) -> Option<((String, String), &str, &str)> {
    let mut characters = script.chars();
    let command = characters.next().filter(|c| matches!(c, 's' | 'y'))?;
    let delimiter = characters.next()?;
    let mut parts = Vec::new();
    let mut rest = characters.as_str();
    for _ in 0..2 {
        let mut part = String::new();
        let mut escaped = false;
        let mut end = None;
        for (at, c) in rest.char_indices() {
            if escaped {
                if c != delimiter {
                    part.push('\\');
                }
                part.push(c);
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == delimiter {
                end = Some(at + c.len_utf8());
                break;
            } else {
                part.push(c);
            }
        }
        parts.push(part);
        rest = rest.get(end?..)?;
    }
    let length = if command == 's' { rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len()) } else { 0 };
    let second = parts.pop()?;
    Some(((parts.pop()?, second), &rest[..length], &rest[length..]))
}

#[cfg(test)]
mod tests {
    use super::sed_parts;

    #[test]
    fn sed_commands_are_taken_apart() {
        let ((from, to), flags, rest) = sed_parts(r"s/a\/b(c)/\1d/g; y/ab/cd/").unwrap();
        assert_eq!((from.as_str(), to.as_str(), flags, rest), ("a/b(c)", r"\1d", "g", "; y/ab/cd/"));
        assert!(sed_parts("x/a/b/").is_none() && sed_parts("s/a/b").is_none());
    }
}
