//! Commands that set one field from others, or make rows of nothing: `strcat`, `rangemap`, `reltime`, `setfields`, `xpath`,
//! `metadata`, `eventcount`, `gentimes`.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{
    Aggregate, AggregateColumn, Aggregation, Calculation as C, Case, Expand, Expr, Function, GroupBy, ListFunction,
    ListKeys, LooseFunction, NullKeys, Predicate, Stage,
};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    eval::calculate,
    functions::now,
    rows::{Names, Rows, Source, loose},
    series::number,
    stats::{is_on, setting},
    terms::not_null,
};
use crate::spl::ast::{Name, Settings};

/// The units of `reltime`, in seconds.
const UNITS: [(&str, i64); 5] = [("second", 1), ("minute", 60), ("hour", 3_600), ("day", 86_400), ("month", 2_592_000)];
/// `gentimes` makes no more rows than this.
const MAX_TIMES: i64 = 100_000;

fn text(text: &str) -> Expr {
    Expr::Literal(Value::text(text))
}

/// The rows of a CSV text whose first line names the fields.
fn csv_rows(parts: &mut crate::pipeline::Parts, data: &str) -> Rows {
    let cells = |line: &str| {
        let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(std::mem::take(&mut cell).trim().to_owned()),
                c => cell.push(c),
            }
        }
        cells.push(cell.trim().to_owned());
        cells
    };
    let mut lines = data.lines().filter(|line| !line.trim().is_empty()).map(cells);
    let header = lines.next().unwrap_or_default();
    let records: Vec<Vec<String>> = lines.collect();
    let place = parts.fresh_name("place");
    let mut rows = Rows::of(Source::Rows(records.len() as u64), Names::of_columns([]));
    let counted = AggregateColumn::new(Arc::clone(&place), Aggregate::Count, []);
    rows.stages.push(Stage::Running(super::series::running(vec![counted], None, true)));
    let at = calculate(C::Subtract, [Expr::Column(place), number(1)]);
    for (column, name) in header.iter().enumerate() {
        let values = records.iter().map(|record| match record.get(column) {
            Some(cell) if !cell.is_empty() => text(cell),
            // A list has no room for null: an object's member has.
            _ => Expr::Literal(Value::text("")),
        });
        let value = Expr::call(Function::Index, [Expr::List(values.collect()), at.clone()]);
        let empty = Expr::call(Function::Equal(Case::Sensitive), [value.clone(), text("")]);
        rows.names.set(&name.as_str().into(), Expr::call(Function::If, [empty, Expr::Literal(Value::Null), value]));
    }
    rows.make_columns();
    rows
}

impl Lowerer<'_> {
    /// `makeresults [count=n]`: empty rows; `format=csv|json data="…"`: the rows of a text.
    pub(super) fn makeresults(&mut self, settings: &Settings) -> Rows {
        let data = setting(settings, "data").map(|data| Arc::clone(&data.text));
        let json = setting(settings, "format").is_some_and(|format| format.is("json"));
        match data {
            Some(data) if json => self.json_rows(&data),
            Some(data) => csv_rows(&mut self.parts, &data),
            None => {
                let count = setting(settings, "count").and_then(|count| count.text.parse().ok());
                let mut rows = Rows::of(Source::Rows(count.unwrap_or(1)), Names::of_columns([]));
                rows.names.set(&"_time".into(), now());
                rows
            }
        }
    }

    /// The objects of a JSON array. Their members are fields by name; which there are, only the run knows.
    fn json_rows(&mut self, data: &str) -> Rows {
        let all = self.parts.fresh_name("all");
        let mut rows = Rows::of(Source::Rows(1), Names::of_columns([]));
        let list = loose(LooseFunction::Json(lurcher_ir::JsonOperation::ToList), [text(data)]);
        rows.stages.push(Stage::Eval(vec![(Arc::clone(&all), list)]));
        rows.stages.push(Stage::Expand(Expand::all(Arc::clone(&all))));
        let document = Expr::Column(all);
        rows.names.unfolded.push(super::rows::Unfolded::Paths { document: document.clone(), prefix: "".into() });
        rows.names.set(&"_raw".into(), document);
        rows.names.set(&"_time".into(), now());
        rows
    }

    /// `strcat [allrequired=t] field "text" … name`: fields and texts joined.
    pub(super) fn strcat(&mut self, fields: &[Name], settings: &Settings, mut rows: Rows) -> Rows {
        let Some((target, sources)) = fields.split_last() else { return rows };
        let required = is_on(settings, "allrequired", false);
        let mut parts = Vec::new();
        for source in sources {
            parts.push(if source.quoted {
                Expr::Literal(Value::Text(Arc::clone(&source.text)))
            } else {
                let value = self.name(&source.text, source.span, &rows.names);
                if required { value } else { Expr::call(Function::Coalesce, [value, text("")]) }
            });
        }
        let joined = Expr::Call(Function::Concat, parts);
        // Where a field is missing that is required, nothing is written.
        let value =
            if required { Expr::call(Function::Coalesce, [joined, rows.names.get(&target.text)]) } else { joined };
        self.assign(&mut rows, &target.text, value);
        rows
    }

    /// `rangemap field=f low=0-29 … default=x`: the names of the ranges that a number lies in, ends included.
    pub(super) fn rangemap(&mut self, settings: &Settings, span: Span, mut rows: Rows) -> Result<Rows, Said> {
        let Some(field) = setting(settings, "field").cloned() else {
            return Err(
                self.report(Diagnostic::error("spl-expected", "`field=` expected").at(span, "which number is judged"))
            );
        };
        let value = self.name(&field.text, field.span, &rows.names);
        let mut found = Vec::new();
        for (name, range) in settings.iter().filter(|(name, _)| !name.is("field") && !name.is("default")) {
            // `-5--1`: a minus may stand before either number.
            let split = range.text.char_indices().skip(1).find(|(_, c)| *c == '-').map(|(at, _)| at);
            let ends = split.and_then(|at| {
                Some((range.text[..at].trim().parse::<f64>().ok()?, range.text[at + 1..].trim().parse::<f64>().ok()?))
            });
            let Some((low, high)) = ends else {
                return Err(self.report(
                    Diagnostic::error("spl-expected", "a range such as `0-29` expected").at(range.span, "this is none"),
                ));
            };
            let number = |end: f64| Expr::Literal(Value::Float(end));
            let within = Expr::call(
                Function::And,
                [
                    Expr::call(Function::LessOrEqual, [number(low), loose(LooseFunction::Number, [value.clone()])]),
                    Expr::call(Function::LessOrEqual, [loose(LooseFunction::Number, [value.clone()]), number(high)]),
                ],
            );
            found.push(Expr::call(Function::If, [within, text(&name.text), Expr::Literal(Value::Null)]));
        }
        let names = Expr::call(Function::List(ListFunction::Values), [Expr::Call(Function::Append, found)]);
        let default = setting(settings, "default").map_or("None", |default| default.text.as_ref());
        let value = Expr::call(Function::Coalesce, [names, text(default)]);
        self.assign(&mut rows, &"range".into(), value);
        Ok(rows)
    }

    /// `reltime`: how long ago `_time` is, in words.
    pub(super) fn reltime(&mut self, mut rows: Rows) -> Rows {
        let age = calculate(C::Subtract, [now(), calculate(C::Floor, [rows.names.get("_time")])]);
        let mut cases = Vec::new();
        for (place, (unit, seconds)) in UNITS.iter().enumerate() {
            let below = UNITS.get(place + 1).map_or(i64::MAX, |(_, seconds)| *seconds);
            let count = calculate(C::Floor, [calculate(C::Divide, [age.clone(), number(*seconds)])]);
            let one = Expr::call(Function::Equal(Case::Sensitive), [count.clone(), number(1)]);
            let ending = Expr::call(Function::If, [one, text(" ago"), text("s ago")]);
            cases.push(Expr::call(Function::Less, [age.clone(), number(below)]));
            cases.push(Expr::Call(Function::Concat, vec![count, text(&format!(" {unit}")), ending]));
        }
        self.assign(&mut rows, &"reltime".into(), Expr::Call(Function::Case, cases));
        rows
    }

    /// `setfields a="b", c="d"`.
    pub(super) fn setfields(&mut self, settings: &Settings, mut rows: Rows) -> Rows {
        for (name, value) in settings {
            self.assign(&mut rows, &name.text, Expr::Literal(Value::Text(Arc::clone(&value.text))));
        }
        rows
    }

    /// `xpath "//a" [field=f] [outfield=o] [default=d]`: paths of names only.
    pub(super) fn xpath(
        &mut self,
        fields: &[Name],
        settings: &Settings,
        span: Span,
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        let Some(path) = fields.first() else {
            return Err(
                self.report(Diagnostic::error("spl-expected", "a path expected").at(span, "such as `\"//a/b\"`"))
            );
        };
        let document = match setting(settings, "field") {
            Some(field) => self.name(&field.text, field.span, &rows.names),
            None => rows.names.get("_raw"),
        };
        let plain =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ':'));
        let found = match path.text.strip_prefix("//") {
            Some(name) if plain(name) => loose(LooseFunction::TagValue(name.into()), [document]),
            _ => {
                let steps: Vec<&str> = path.text.trim_start_matches('/').split('/').collect();
                let names = |step: &&str| plain(step.strip_prefix('@').unwrap_or(step));
                if path.text.starts_with("//") || !steps.iter().all(names) {
                    let message = "an XPath that is more than names from the root, or `//name`";
                    return Err(self.unsupported("xpath", message, path.span));
                }
                let mut written = String::new();
                for step in steps {
                    match step.strip_prefix('@') {
                        Some(attribute) => written.push_str(&format!("{{@{attribute}}}")),
                        None if written.is_empty() => written.push_str(step),
                        None => written.push_str(&format!(".{step}")),
                    }
                }
                loose(LooseFunction::PathValue, [document, text(&written)])
            }
        };
        let value = match setting(settings, "default") {
            Some(default) => Expr::call(Function::Coalesce, [found, text(&default.text)]),
            None => found,
        };
        let name = setting(settings, "outfield").map_or_else(|| "xpath".into(), |name| Arc::clone(&name.text));
        self.assign(&mut rows, &name, value);
        Ok(rows)
    }

    /// `metadata type=hosts`: what is known of each host, source or source type, made from the events at hand.
    pub(super) fn metadata(&mut self, settings: &Settings, span: Span) -> Rows {
        let kind = setting(settings, "type").map_or("sourcetypes", |kind| kind.text.as_ref());
        let field = kind.to_ascii_lowercase().trim_end_matches('s').to_owned();
        self.approximate("metadata", "what an index would know is made from the events at hand", span);
        let mut rows = Rows::events(Predicate::Constant(true));
        let time = rows.names.get("_time");
        let of = |name: &str, kind| AggregateColumn::new(name, kind, [time.clone()]);
        rows.stages.push(Stage::Aggregate(Aggregation {
            by: GroupBy {
                keys: vec![(field.as_str().into(), rows.names.get(&field))],
                nulls: NullKeys::Drop,
                lists: ListKeys::Each,
            },
            aggregates: vec![
                of("firstTime", Aggregate::LooseMin),
                of("lastTime", Aggregate::LooseMax),
                of("recentTime", Aggregate::LooseMax),
                AggregateColumn::new("totalCount", Aggregate::Count, []),
            ],
            each: Vec::new(),
        }));
        let names = [field.as_str(), "firstTime", "lastTime", "recentTime", "totalCount"];
        rows.names = Names::of_columns(names.map(Arc::from));
        rows.names.set(&"type".into(), text(kind));
        rows.ordered = true;
        rows
    }

    /// `eventcount`: how many events there are.
    pub(super) fn eventcount(&mut self, settings: &Settings, span: Span) -> Rows {
        self.approximate("metadata", "what an index would know is made from the events at hand", span);
        let mut rows = Rows::events(Predicate::Constant(true));
        let keys = if is_on(settings, "summarize", true) {
            Vec::new()
        } else {
            vec![("index".into(), rows.names.get("index"))]
        };
        let names: Vec<Arc<str>> = keys.iter().map(|(name, _): &(Arc<str>, Expr)| Arc::clone(name)).collect();
        rows.stages.push(Stage::Aggregate(Aggregation {
            by: GroupBy { keys, nulls: NullKeys::Group, lists: ListKeys::Each },
            aggregates: vec![AggregateColumn::new("count", Aggregate::Count, [])],
            each: Vec::new(),
        }));
        rows.names = Names::of_columns(names.into_iter().chain(["count".into()]));
        rows.ordered = true;
        rows
    }

    /// `gentimes start=… end=… increment=1d`: rows of times. Dates are `month/day/year[:hour:minute:second]`, or days from
    /// today.
    pub(super) fn gentimes(&mut self, settings: &Settings, span: Span) -> Result<Rows, Said> {
        let time = |name: &str, default: Option<&str>| -> Option<Expr> {
            let written =
                setting(settings, name).map(|value| Arc::clone(&value.text)).or_else(|| default.map(Arc::from))?;
            if let Ok(days) = written.parse::<i64>() {
                return Some(loose(LooseFunction::RelativeTime, [now(), text(&format!("{days:+}d@d"))]));
            }
            let format = if written.contains(':') { "%m/%d/%Y:%H:%M:%S" } else { "%m/%d/%Y" };
            let read = |format: &str| loose(LooseFunction::ParseTime, [text(&written), text(format)]);
            let short = format.replace("%Y", "%y");
            let four = written
                .split([':'])
                .next()
                .is_some_and(|date| date.rsplit('/').next().is_some_and(|year| year.len() > 2));
            Some(if four { read(format) } else { read(&short) })
        };
        let Some(start) = time("start", None) else {
            return Err(self.report(Diagnostic::error("spl-expected", "`start=` expected").at(span, "from when on")));
        };
        let end = time("end", Some("0")).unwrap_or_else(now);
        let step =
            setting(settings, "increment").and_then(|text| super::columns::seconds(&text.text)).unwrap_or(86_400.0);
        let step = (step as i64).clamp(1, MAX_TIMES * 86_400);
        let all = self.parts.fresh_name("all");
        let mut rows = Rows::of(Source::Rows(1), Names::of_columns([]));
        rows.stages
            .push(Stage::Eval(vec![(Arc::clone(&all), Expr::Call(Function::Range, vec![start, end, number(step)]))]));
        rows.stages.push(Stage::Expand(Expand::all(Arc::clone(&all))));
        rows.stages.push(Stage::Where(not_null(Expr::Column(Arc::clone(&all)))));
        let begin = Expr::Column(all);
        let last = loose(LooseFunction::Add, [begin.clone(), number(step - 1)]);
        let human = |time: Expr| loose(LooseFunction::FormatTime, [time, text("%a %b %e %H:%M:%S %Y")]);
        for (name, value) in [
            ("starttime", begin.clone()),
            ("starthuman", human(begin)),
            ("endtime", last.clone()),
            ("endhuman", human(last)),
        ] {
            rows.names.set(&name.into(), value);
        }
        Ok(rows)
    }
}
