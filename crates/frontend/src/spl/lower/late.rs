//! Texts that are read while a search runs: the terms that a search in brackets writes, and the searches of `map`.
//!
//! Splunk runs a search in brackets first, and puts the text that it yields in its place; `map` runs a text for each row with
//! the row's values put in. What such a text asks of events is not known before, so the events are kept that it may ask for,
//! and the text is read by a [`Late`] once it is there.
//!
//! Which events `map` may ask for is found by reading its search with a number that nobody writes in every row's place: a
//! condition that holds that number may be true of any event.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Level, SourceFile, Span};
use lurcher_ir::{
    Expr, Format, Input, Moment, Piece, Predicate, Quoting, Reader, Repeat, RuleBody, Selected, SharedReader, Stage,
    Tail, Verdict,
};
use lurcher_schema::Schemas;

use super::{
    Lowerer, Said,
    events::Nested,
    rows::{Base, Names, Rows},
    stats::setting,
    times::REFERENCE,
};
use crate::spl::{
    Knowledge, NoKnowledge, Options,
    ast::{Name, ReturnField, Settings},
    expansion::Expansion,
    parser,
};

/// How deep the searches of `map` may be nested.
const MAX_MAPS: u32 = 8;
/// Stands for every value in the search of a `map` until there are rows.
const UNKNOWN: &str = "98706543210123";
/// What `format` writes of no rows.
const NOTHING: &str = "NOT ( )";

/// Reads texts that a running search writes.
#[derive(Debug)]
struct Late {
    knowledge: Option<Arc<dyn Knowledge>>,
    /// What names mean where the text goes.
    names: Names,
    nested: u32,
}

impl Late {
    fn lower<T>(
        &self,
        file: &Arc<SourceFile>,
        schemas: &Schemas,
        lower: impl FnOnce(&mut Lowerer<'_>) -> Option<T>,
    ) -> Result<T, String> {
        let knowledge: &dyn Knowledge = match &self.knowledge {
            Some(knowledge) => knowledge.as_ref(),
            None => &NoKnowledge,
        };
        let options = Options { knowledge, shared: self.knowledge.as_ref(), wanted: &[] };
        let mut lowerer = Lowerer { late: true, nested: self.nested, ..Lowerer::new(file, options, schemas) };
        let lowered = lower(&mut lowerer);
        let fault = lowerer.diagnostics.iter().find(|diagnostic| diagnostic.level == Level::Error);
        let refused = lowerer.reasons.iter().find(|reason| reason.verdict >= Verdict::Unsupported);
        let why = fault.map(|fault| &fault.message).or(refused.map(|reason| &reason.message));
        match (lowered, why) {
            (Some(lowered), None) => Ok(lowered),
            (_, why) => {
                let why = why.map_or("it cannot be run", String::as_str);
                let short: String = file.text().chars().take(200).collect();
                Err(format!("what the search wrote, `{short}`, does not run: {why}"))
            }
        }
    }
}

impl Reader for Late {
    fn condition(&self, text: &str, schemas: &Schemas) -> Result<Expr, String> {
        let file = SourceFile::new("the terms of a search in brackets", text);
        self.lower(&file, schemas, |lowerer| {
            let (term, found) = parser::term(&file);
            lowerer.diagnostics.extend(found);
            lowerer.term(&term?, &self.names).ok().map(super::terms::Condition::into_expr)
        })
    }

    fn query(&self, text: &str, schemas: &Schemas) -> Result<RuleBody, String> {
        let file = SourceFile::new("the search of `map`", text);
        self.lower(&file, schemas, |lowerer| {
            let (pipeline, found) = parser::search(&file, self.nested);
            lowerer.diagnostics.extend(found);
            let mut rows = lowerer.pipeline(&pipeline, None).ok()?;
            rows.order();
            if rows.names.base == Base::Event {
                rows.flatten();
            }
            lowerer.sink(rows);
            Some(std::mem::take(&mut lowerer.parts).into_body())
        })
    }
}

impl Lowerer<'_> {
    fn late_reader(&self, names: Names, nested: u32) -> SharedReader {
        SharedReader(Arc::new(Late { knowledge: self.options.shared.cloned(), names, nested }))
    }

    /// Keeps rows for which the terms are true that a search in brackets has written into `search`.
    pub(super) fn select_by_text(&mut self, part: &Nested<'_>, written: Rows, mut rows: Rows) -> Rows {
        let (branch, _) = self.park(written);
        let reader = self.late_reader(rows.names.clone(), self.nested);
        rows.stages.push(Stage::Selected(Selected {
            branch,
            column: "search".into(),
            around: ("".into(), "".into()),
            reader,
            negated: part.negated,
        }));
        rows
    }

    /// `format`: one row with the terms that say that a row is like one of these.
    pub(super) fn format(&mut self, settings: &Settings, words: &[Name], rows: Rows) -> Rows {
        let word =
            |at: usize, default: &str| words.get(at).map_or_else(|| default.into(), |word| Arc::clone(&word.text));
        let option =
            |name: &str, default: &str| setting(settings, name).map_or_else(|| default.into(), |v| Arc::clone(&v.text));
        let most = setting(settings, "maxresults").and_then(|most| most.text.parse().ok()).filter(|most| *most > 0);
        self.written(
            rows,
            Format {
                row_start: word(0, "("),
                column_start: word(1, "("),
                column_separator: word(2, "AND"),
                column_end: word(3, ")"),
                row_separator: word(4, "OR"),
                row_end: word(5, ")"),
                value_separator: option("mvsep", "OR"),
                empty: option("emptystr", NOTHING),
                most,
                bare: Vec::new(),
                output: "search".into(),
            },
        )
    }

    fn written(&mut self, mut rows: Rows, format: Format) -> Rows {
        rows.order();
        if rows.names.base == Base::Event {
            rows.flatten();
        } else if rows.names.closed() && !rows.names.is_row() {
            rows.stages.push(Stage::Project(rows.names.columns.clone()));
        } else {
            rows.make_columns();
        }
        rows.names = Names::of_columns([Arc::clone(&format.output)]);
        rows.stages.push(Stage::Format(format));
        rows
    }

    /// `return`: the terms of the first so many rows.
    pub(super) fn returned(&mut self, count: Option<u64>, fields: &[ReturnField], mut rows: Rows) -> Rows {
        rows.order();
        rows.stages.push(Stage::Head(count.unwrap_or(1)));
        let mut names = Names::new(Base::Nothing);
        let mut bare = Vec::new();
        for field in fields {
            let (name, field) = match field {
                ReturnField::Named(field) => (Arc::clone(&field.text), field),
                ReturnField::Alias(alias, field) => (Arc::clone(&alias.text), field),
                ReturnField::Value(field) => {
                    let name: Arc<str> = format!("${}", field.text).into();
                    bare.push(Arc::clone(&name));
                    (name, field)
                }
            };
            let value = self.name(&field.text, field.span, &rows.names);
            names.set(&name, value);
        }
        rows.names = names;
        self.written(
            rows,
            Format {
                row_start: "".into(),
                column_start: "(".into(),
                column_separator: "".into(),
                column_end: ")".into(),
                row_separator: "OR".into(),
                row_end: "".into(),
                value_separator: "OR".into(),
                empty: NOTHING.into(),
                most: None,
                bare,
                output: "search".into(),
            },
        )
    }

    /// `map`: a search for each row, with the row's values in the place of `$field$`.
    pub(super) fn map(
        &mut self,
        search: Option<&Name>,
        settings: &Settings,
        span: Span,
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        let Some(search) = search else {
            return Err(self.report(Diagnostic::error("spl-expected", "`search=` expected").at(span, "nothing to run")));
        };
        if self.nested >= MAX_MAPS {
            return Err(self.unsupported("size", "searches of `map` nest too deeply", span));
        }
        let written = SourceFile::new("the search of `map`", search.text.as_ref());
        let (expansion, faults) = Expansion::new(&written, self.options.knowledge);
        let template = pieces(expansion.text.text());
        let trial = self.try_map(&template, faults, search.span)?;
        rows.order();
        for piece in &template {
            if let Piece::Column { name, .. } = piece {
                let value = rows.names.get(name);
                rows.names.set(name, value);
            }
        }
        let events = trial.events.map(|filter| {
            let filter = if self.late { Predicate::Constant(true) } else { filter };
            let input = self.parts.filter(filter);
            let stages = trial.moment.map(|moment| vec![Stage::Moment(moment)]).unwrap_or_default();
            self.parts.branch(vec![input], stages, None)
        });
        let most = setting(settings, "maxsearches").and_then(|value| value.text.parse().ok()).unwrap_or(10);
        rows.make_columns();
        let reader = self.late_reader(Names::new(Base::Event), self.nested + 1);
        rows.stages.push(Stage::Repeat(Repeat { template, events, reader, most }));
        rows.names = trial.names;
        Ok(rows)
    }

    /// Reads the search of a `map` with something unknown in the place of all values.
    fn try_map(&mut self, template: &[Piece], mut faults: Vec<Diagnostic>, span: Span) -> Result<Trial, Said> {
        let filled: String = template
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_ref(),
                Piece::Column { .. } | Piece::Number => UNKNOWN,
            })
            .collect();
        let file = SourceFile::new("the search of `map`", filled);
        let (pipeline, found) = parser::search(&file, self.nested);
        faults.extend(found);
        let mut trial = Lowerer {
            nested: self.nested + 1,
            unknown: Some(UNKNOWN),
            ..Lowerer::new(&file, Options { wanted: &[], ..self.options }, self.schemas)
        };
        let rows = trial.pipeline(&pipeline, None);
        let names = rows.as_ref().ok().map(|rows| rows.names.clone());
        if let Ok(rows) = rows {
            trial.sink(rows);
        }
        let Lowerer { parts, reasons, diagnostics, .. } = trial;
        faults.extend(diagnostics);
        let said = |message: &str| message.replace(UNKNOWN, "$…$");
        for reason in reasons {
            self.reason(reason.verdict, reason.code, said(&reason.message), span);
        }
        if let Some(fault) = faults.into_iter().find(|fault| fault.level == Level::Error) {
            let message = format!("the search of `map` is faulty: {}", said(&fault.message));
            return Err(self.report(Diagnostic::error("spl-map", message).at(span, "this search")));
        }
        let Some(names) = names else { return Err(Said) };
        let known = names.closed() && names.names().iter().all(|name| !name.contains(UNKNOWN));
        let names = if known { Names::of_columns(names.names()) } else { Names::new(Base::Row) };
        Ok(Trial { names, ..Trial::of(parts.into_body()) })
    }
}

/// What a search comes to before it is known whole.
struct Trial {
    /// What its names mean in the end.
    names: Names,
    /// The events that it may ask for; none if it reads none.
    events: Option<Predicate>,
    /// The times of these.
    moment: Option<Moment>,
}

impl Trial {
    fn of(body: RuleBody) -> Self {
        let mut moments: Vec<Moment> = Vec::new();
        if let Tail::Pipeline(pipeline) = &body.tail {
            let reads = |input: &Input| matches!(input, Input::Filter(_));
            for branch in pipeline.branches.iter().filter(|branch| branch.inputs.iter().any(reads)) {
                let moment = branch.stages.iter().find_map(|stage| match stage {
                    Stage::Moment(moment) => Some(moment.clone()),
                    _ => None,
                });
                moments.push(moment.unwrap_or_default());
            }
        }
        let from = moments.iter().filter_map(|moment| moment.from.clone()).min_by_key(|time| time.at(REFERENCE));
        let to = moments.iter().filter_map(|moment| moment.to.clone()).max_by_key(|time| time.at(REFERENCE));
        let moment = (from.is_some() || to.is_some()).then_some(Moment { from, to, beside_window: true });
        let events = (!body.filters.is_empty()).then(|| Predicate::any(body.filters));
        Self { names: Names::new(Base::Row), events, moment }
    }
}

/// A text with `$field$` (and `$$field$$`, as dashboards have it) taken out.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut within = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '$'
            && let Some((name, length)) = token(rest)
        {
            let quoting = match plain.trim_end().chars().next_back() {
                _ if within => Quoting::Within,
                Some('=' | '<' | '>' | '(' | ',') => Quoting::IfNeeded,
                _ => Quoting::Plain,
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(plain.as_str().into()));
            }
            // What stands before the next value is looked for in what is left, and behind a value nothing is.
            plain.clear();
            pieces.push(match name {
                "_serial_id" => Piece::Number,
                name => Piece::Column { name: name.into(), quoting },
            });
            rest = rest.get(length..).unwrap_or_default();
            continue;
        }
        let escaped = c == '\\' && rest[1..].starts_with(['"', '\\']);
        let length = if escaped { 2 } else { c.len_utf8() };
        within ^= c == '"';
        plain.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain.into()));
    }
    pieces
}

/// The name between dollar signs that a text begins with, and how long all that is.
fn token(text: &str) -> Option<(&str, usize)> {
    let signs = if text.starts_with("$$") { 2 } else { 1 };
    let inner = text.get(signs..)?;
    let end = inner.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '.' | '{' | '}' | ':' | '-'))?;
    let name = inner.get(..end).filter(|name| !name.is_empty())?;
    let behind = inner.get(end..)?;
    behind.starts_with(&"$$"[..signs]).then_some((name, end + 2 * signs))
}

/// Whether terms that compare fields of these names with values would not mean what the text of them means.
pub(super) fn writes_terms(names: &Names) -> bool {
    let says = |name: &Arc<str>| matches!(name.as_ref(), "search" | "query" | "index") || super::times::is_time(name);
    names.names().iter().any(says) || (!names.closed() && names.base == Base::Row)
}

/// Whether a column of a search in brackets is compared: it is neither internal nor made by this program.
pub(super) fn visible(name: &str) -> bool {
    !name.starts_with('_') && !name.contains('~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_by_where_they_stand() {
        let column = |name: &str, quoting| Piece::Column { name: name.into(), quoting };
        let text = |text: &str| Piece::Text(text.into());
        assert_eq!(
            pieces(r#"search a=$b.c$ "x\"$d$" $$e$$ head $_serial_id$ r$ "^a$|b$""#),
            [
                text("search a="),
                column("b.c", Quoting::IfNeeded),
                text(r#" "x\""#),
                column("d", Quoting::Within),
                text("\" "),
                column("e", Quoting::Plain),
                text(" head "),
                Piece::Number,
                text(r#" r$ "^a$|b$""#),
            ]
        );
    }
}
