//! Commands that change, order and drop columns and rows one by one.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Calculation, ColumnPattern, Dedup, Expand, Expr, Function, LooseFunction, SortKey, Stage};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    looking_up::calls_lookup,
    rows::{Base, Names, Rows, loose},
    stats::{is_on, is_time, setting},
    terms::{Condition, not_null},
};
use crate::spl::ast::{self, Name, Settings};

/// The fields that `fields` keeps unless they are named.
const INTERNAL: [&str; 2] = ["_time", "_raw"];

impl Lowerer<'_> {
    pub(super) fn eval(&mut self, assignments: &[(Name, ast::Expr)], mut rows: Rows) -> Result<Rows, Said> {
        for (name, expr) in assignments {
            let set = |lowerer: &mut Self, expr: &ast::Expr, mut rows: Rows| {
                let value = lowerer.expression(expr, &rows.names)?;
                lowerer.assign(&mut rows, &name.text, value);
                Ok(rows)
            };
            rows = if calls_lookup(expr) { self.with_lookups(expr, rows, set)? } else { set(self, expr, rows)? };
        }
        Ok(rows)
    }

    pub(super) fn table(&mut self, names: &[Name], mut rows: Rows) -> Rows {
        if names.iter().any(|name| name.text.contains('*')) && !rows.names.closed() {
            rows.flatten();
            let patterns = names.iter().map(|name| ColumnPattern::parse(&name.text)).collect();
            rows.stages.push(Stage::Keep(patterns));
            rows.names = Names::new(Base::Row);
            return rows;
        }
        let wanted = expand(names, &rows.names);
        let columns: Vec<(Arc<str>, Expr)> =
            wanted.into_iter().map(|name| (Arc::clone(&name), rows.names.get(&name))).collect();
        rows.names = Names::new(Base::Nothing);
        for (name, expr) in columns {
            rows.names.set(&name, expr);
        }
        rows
    }

    pub(super) fn fields(&mut self, remove: bool, names: &[Name], mut rows: Rows) -> Rows {
        if remove {
            for name in names {
                if name.text.contains('*') {
                    rows.names.remove_pattern(ColumnPattern::parse(&name.text));
                } else {
                    rows.names.remove(&name.text);
                }
            }
            if rows.names.base == Base::Row {
                let patterns = names.iter().map(|name| ColumnPattern::parse(&name.text)).collect();
                rows.make_columns();
                rows.stages.push(Stage::Drop(patterns));
            }
            return rows;
        }
        let internal = INTERNAL.iter().filter(|internal| names.iter().all(|name| name.text.as_ref() != **internal));
        let span = names.first().map_or(Span::default(), |name| name.span);
        let has = |name: &str| rows.names.base == Base::Event || rows.names.column(name).is_some();
        let internal: Vec<Name> =
            internal.filter(|name| has(name)).map(|name| Name { text: (*name).into(), span, quoted: false }).collect();
        let keeps_raw = rows.names.base == Base::Event && internal.iter().any(|name| name.text.as_ref() == "_raw");
        let all: Vec<Name> = names.iter().cloned().chain(internal).collect();
        let mut rows = self.table(&all, rows);
        if keeps_raw && rows.names.column("_raw").is_some() {
            // What the source keeps; nothing is made up for a field that nobody has named.
            rows.names
                .set(&"_raw".into(), Expr::Field(lurcher_ir::FieldRef::new(lurcher_schema::Taxonomy::Cim, "_raw")));
        }
        rows
    }

    pub(super) fn rename(&mut self, pairs: &[(Name, Name)], mut rows: Rows) -> Rows {
        for (from, to) in pairs {
            if from.text == to.text {
                continue;
            }
            if from.text.contains('*') {
                self.rename_pattern(&from.text, &to.text, &mut rows);
                continue;
            }
            let value = rows.names.get(&from.text);
            // In the place of the old one.
            let place = rows.names.columns.iter().position(|(name, _)| *name == from.text);
            rows.names.columns.retain(|(name, _)| *name != to.text);
            match place.and_then(|_| rows.names.columns.iter_mut().find(|(name, _)| *name == from.text)) {
                Some(slot) => *slot = (Arc::clone(&to.text), value),
                None => rows.names.set(&to.text, value),
            }
            rows.names.remove(&from.text);
            if rows.names.base == Base::Row {
                rows.make_columns();
                rows.stages.push(Stage::Drop(vec![ColumnPattern::Named(Arc::clone(&from.text))]));
            }
        }
        rows
    }

    fn rename_pattern(&mut self, from: &str, to: &str, rows: &mut Rows) {
        let (pattern, target) = (ColumnPattern::parse(from), ColumnPattern::parse(to));
        // `rename Web.* as *` over events of the data set: their fields are called so already.
        if rows.names.base == Base::Event {
            let object = from.strip_suffix(".*").filter(|_| to == "*");
            if object.is_some_and(|object| rows.names.objects.iter().any(|known| known.as_ref() == object)) {
                rename_columns(&mut rows.names, &pattern, &target);
                return;
            }
            rows.flatten();
        }
        if rows.names.base == Base::Row {
            rows.make_columns();
            rows.stages.push(Stage::Rename(vec![(pattern.clone(), target.clone())]));
            rename_columns(&mut rows.names, &pattern, &target);
            rows.names.make_columns();
            return;
        }
        rename_columns(&mut rows.names, &pattern, &target);
    }

    pub(super) fn bin(
        &mut self,
        field: &Name,
        alias: Option<&Name>,
        settings: &Settings,
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        let value = self.name(&field.text, field.span, &rows.names);
        let bucket = match setting(settings, "span") {
            Some(span) if span.text.contains("log") => self.power_range(span, value)?,
            Some(span)
                if is_time(&field.text)
                    || seconds(&span.text).is_none_or(|_| span.text.ends_with(char::is_alphabetic)) =>
            {
                match setting(settings, "aligntime") {
                    Some(align) if !align.is("earliest") => {
                        let shift = loose(
                            LooseFunction::RelativeTime,
                            [Expr::Literal(Value::Int(0)), Expr::Literal(Value::Text(Arc::clone(&align.text)))],
                        );
                        let moved = super::eval::calculate(Calculation::Subtract, [value, shift.clone()]);
                        loose(LooseFunction::Add, [span_of(self, span, moved)?, shift])
                    }
                    _ => span_of(self, span, value)?,
                }
            }
            Some(span) => loose(LooseFunction::BucketRange, [value, super::terms::literal(&span.text)]),
            None => {
                rows.names.set(&field.text, value);
                let time = is_time(&field.text);
                let length = self.interval(&field.text, time, settings, field.span, &mut rows);
                let function = if time { LooseFunction::Bucket } else { LooseFunction::BucketRange };
                loose(function, [rows.names.get(&field.text), length])
            }
        };
        let name = alias.unwrap_or(field);
        self.assign(&mut rows, &name.text, bucket);
        Ok(rows)
    }

    /// `span=2log10`: between powers of a base (10), times a number (1).
    fn power_range(&mut self, span: &Name, value: Expr) -> Result<Expr, Said> {
        let (first, base) = span.text.split_once("log").unwrap_or_default();
        let read = |text: &str, default: f64| if text.is_empty() { Some(default) } else { text.parse::<f64>().ok() };
        let numbers = read(first, 1.0).zip(read(base, 10.0));
        let Some((first, base)) = numbers.filter(|(first, base)| *base > 1.0 && *first >= 1.0 && first < base) else {
            return Err(self.report(
                Diagnostic::error("spl-span", format!("`{}` is no logarithmic span", span.text))
                    .at(span.span, "such as `log10`, `2log5`")
                    .with_help("the base is greater than 1, and the number before `log` lies between 1 and the base"),
            ));
        };
        let number = |number: f64| Expr::Literal(Value::Float(number));
        Ok(loose(LooseFunction::PowerRange, [value, number(first), number(base)]))
    }

    pub(super) fn dedup(
        &mut self,
        count: u64,
        fields: &[Name],
        settings: &Settings,
        sort: &[ast::SortKey],
        rows: Rows,
    ) -> Result<Rows, Said> {
        let mut rows = if sort.is_empty() { rows } else { self.sort(Some(0), sort, rows) };
        rows.order();
        let mut keys: Vec<Expr> = fields.iter().map(|name| self.name(&name.text, name.span, &rows.names)).collect();
        if keys.is_empty() {
            return Ok(rows);
        }
        if is_on(settings, "keepevents", false) {
            return Ok(self.without_repeats(count, fields, rows));
        }
        let mut place = None;
        if is_on(settings, "keepempty", false) {
            // A row without one of the fields is like no other: it has its place for a key.
            rows.make_columns();
            let name = self.parts.fresh_name("place");
            let counted = lurcher_ir::AggregateColumn::new(Arc::clone(&name), lurcher_ir::Aggregate::Count, []);
            rows.stages.push(Stage::Running(super::series::running(vec![counted], None, true)));
            keys = fields.iter().map(|name| rows.names.get(&name.text)).collect();
            let missing = keys.iter().map(|key| Expr::call(Function::IsNull, [key.clone()]));
            let missing = Expr::Call(Function::Or, missing.collect());
            keys.push(Expr::call(
                Function::If,
                [missing, Expr::Column(Arc::clone(&name)), Expr::Literal(Value::Int(0))],
            ));
            place = Some(ColumnPattern::Named(name));
        } else {
            let parts = keys.iter().map(|key| Condition::Holds(not_null(key.clone())));
            let condition = Condition::All(parts.collect());
            self.keep(&mut rows, condition);
        }
        let consecutive = is_on(settings, "consecutive", false);
        rows.stages.push(Stage::Dedup(Dedup { keys, keep: count, consecutive }));
        rows.stages.extend(place.map(|place| Stage::Drop(vec![place])));
        Ok(rows)
    }

    /// `dedup keepevents=t`: every row stays; the fields go from those beyond the first ones.
    fn without_repeats(&mut self, count: u64, fields: &[Name], mut rows: Rows) -> Rows {
        for field in fields {
            let value = self.name(&field.text, field.span, &rows.names);
            rows.names.set(&field.text, value);
        }
        rows.make_columns();
        let name = self.parts.fresh_name("place");
        let counted = lurcher_ir::AggregateColumn::new(Arc::clone(&name), lurcher_ir::Aggregate::Count, []);
        let by = lurcher_ir::GroupBy {
            keys: fields.iter().map(|field| (Arc::clone(&field.text), Expr::Column(Arc::clone(&field.text)))).collect(),
            nulls: lurcher_ir::NullKeys::Drop,
            lists: lurcher_ir::ListKeys::Whole,
        };
        rows.stages
            .push(Stage::Running(lurcher_ir::Running { by, ..super::series::running(vec![counted], None, true) }));
        let most = Expr::Literal(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
        let beyond = Expr::call(Function::Less, [most, Expr::Column(Arc::clone(&name))]);
        let kept = fields.iter().map(|field| {
            let value = Expr::Column(Arc::clone(&field.text));
            let kept = Expr::call(Function::If, [beyond.clone(), Expr::Literal(Value::Null), value]);
            (Arc::clone(&field.text), kept)
        });
        rows.stages.push(Stage::Eval(kept.collect()));
        rows.stages.push(Stage::Drop(vec![ColumnPattern::Named(name)]));
        rows
    }

    pub(super) fn sort(&mut self, limit: Option<u64>, keys: &[ast::SortKey], mut rows: Rows) -> Rows {
        rows.order();
        let sort_keys = keys.iter().map(|key| {
            let value = self.name(&key.field.text, key.field.span, &rows.names);
            let order = key.order.as_ref().map(|order| order.text.to_ascii_lowercase());
            let (expr, loose_key) = match order.as_deref() {
                Some("str") => (Expr::call(Function::ToText, [value]), false),
                Some("num") => (loose(LooseFunction::Number, [value]), true),
                // Addresses by their four numbers.
                Some("ip" | "auto") | None => (address_order(value), true),
                Some(_) => (value, true),
            };
            SortKey { expr, descending: key.descending, nulls_first: false, loose: loose_key }
        });
        let sort_keys: Vec<SortKey> = sort_keys.collect();
        if !sort_keys.is_empty() {
            rows.stages.push(Stage::Sort(sort_keys));
        }
        // Without a number 10,000 rows stay.
        match limit {
            Some(0) => {}
            limit => rows.stages.push(Stage::Head(limit.unwrap_or(10_000))),
        }
        rows
    }

    pub(super) fn head(
        &mut self,
        count: Option<u64>,
        condition: Option<&ast::Expr>,
        settings: &Settings,
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        rows.order();
        if let Some(condition) = condition {
            // Rows up to the first for which it is not true: those before which it was never untrue.
            let holds = self.expression(condition, &rows.names)?;
            let null = is_on(settings, "null", false);
            let broken =
                Expr::call(Function::Not, [Expr::call(Function::Coalesce, [holds, Expr::Literal(Value::Bool(null))])]);
            let column = self.parts.fresh_name("broken");
            let mut aggregate = lurcher_ir::AggregateColumn::new(Arc::clone(&column), lurcher_ir::Aggregate::Count, []);
            aggregate.filter = Some(broken);
            rows.stages.push(Stage::Running(lurcher_ir::Running {
                by: lurcher_ir::GroupBy::nothing(),
                aggregates: vec![aggregate],
                window: None,
                global: false,
                span: None,
                current: true,
                reset_before: None,
                reset_after: None,
                reset_on_change: false,
            }));
            let most = Expr::Literal(Value::Int(i64::from(is_on(settings, "keeplast", false))));
            rows.stages
                .push(Stage::Where(Expr::call(Function::LessOrEqual, [Expr::Column(Arc::clone(&column)), most])));
            rows.stages.push(Stage::Drop(vec![ColumnPattern::Named(column)]));
        }
        if let Some(count) = count {
            rows.stages.push(Stage::Head(count));
        }
        Ok(rows)
    }

    pub(super) fn fillnull(&mut self, value: Option<&Name>, fields: &[Name], mut rows: Rows) -> Rows {
        let value = value.map_or(Value::Int(0), |value| match super::terms::literal(&value.text) {
            Expr::Literal(literal) => literal,
            _ => Value::text(value.text.as_ref()),
        });
        let patterned = fields.iter().any(|field| field.text.contains('*'));
        if !fields.is_empty() && !patterned {
            for field in fields {
                let filled =
                    Expr::call(Function::Coalesce, [rows.names.get(&field.text), Expr::Literal(value.clone())]);
                self.assign(&mut rows, &field.text, filled);
            }
            return rows;
        }
        if rows.names.closed() && fields.is_empty() {
            for name in rows.names.names() {
                let filled = Expr::call(Function::Coalesce, [rows.names.get(&name), Expr::Literal(value.clone())]);
                self.assign(&mut rows, &name, filled);
            }
            return rows;
        }
        rows.flatten();
        let columns = if fields.is_empty() {
            vec![ColumnPattern::Like("*".into())]
        } else {
            fields.iter().map(|field| ColumnPattern::parse(&field.text)).collect()
        };
        rows.stages.push(Stage::FillNull { columns, value });
        rows
    }

    pub(super) fn filldown(&mut self, fields: &[Name], mut rows: Rows) -> Rows {
        rows.order();
        if rows.names.base == Base::Event {
            for field in fields.iter().filter(|field| !field.text.contains('*')) {
                let value = rows.names.get(&field.text);
                rows.names.set(&field.text, value);
            }
        }
        rows.make_columns();
        let patterns = if fields.is_empty() {
            vec![ColumnPattern::Like("*".into())]
        } else {
            fields.iter().map(|field| ColumnPattern::parse(&field.text)).collect()
        };
        rows.stages.push(Stage::FillDown(patterns));
        rows
    }

    pub(super) fn makemv(&mut self, field: &Name, settings: &Settings, mut rows: Rows) -> Result<Rows, Said> {
        let value = self.name(&field.text, field.span, &rows.names);
        let parts = match setting(settings, "tokenizer") {
            Some(pattern) => {
                let regex = self.regex(&pattern.text, pattern.span)?;
                loose(LooseFunction::Tokens(regex), [value])
            }
            None => {
                let delimiter = setting(settings, "delim").map_or_else(|| " ".into(), |delim| Arc::clone(&delim.text));
                let keep = is_on(settings, "allowempty", false);
                let parts = [value, Expr::Literal(Value::Text(delimiter)), Expr::Literal(Value::Bool(keep))];
                loose(LooseFunction::Parts, parts)
            }
        };
        self.assign(&mut rows, &field.text, parts);
        Ok(rows)
    }

    pub(super) fn mvexpand(&mut self, field: &Name, settings: &Settings, mut rows: Rows) -> Rows {
        let value = self.name(&field.text, field.span, &rows.names);
        rows.names.set(&field.text, value);
        rows.make_columns();
        let limit = setting(settings, "limit").and_then(|value| value.text.parse().ok()).filter(|limit| *limit > 0);
        rows.stages.push(Stage::Expand(Expand { column: Arc::clone(&field.text), limit }));
        rows
    }

    pub(super) fn mvcombine(&mut self, field: &Name, settings: &Settings, mut rows: Rows) -> Rows {
        rows.order();
        let value = self.name(&field.text, field.span, &rows.names);
        rows.names.set(&field.text, value);
        rows.make_columns();
        rows.stages.push(Stage::Collapse(Arc::clone(&field.text)));
        if let Some(delimiter) = setting(settings, "delim") {
            let joined = Expr::call(
                Function::Join,
                [Expr::Column(Arc::clone(&field.text)), Expr::Literal(Value::Text(Arc::clone(&delimiter.text)))],
            );
            rows.stages.push(Stage::Eval(vec![(Arc::clone(&field.text), joined)]));
        }
        rows
    }

    pub(super) fn nomv(&mut self, field: &Name, mut rows: Rows) -> Rows {
        let value = self.name(&field.text, field.span, &rows.names);
        let joined = Expr::call(Function::Join, [value, Expr::Literal(Value::text("\n"))]);
        self.assign(&mut rows, &field.text, joined);
        rows
    }

    pub(super) fn addtotals(&mut self, settings: &Settings, fields: &[Name], mut rows: Rows) -> Rows {
        let total: Arc<str> =
            setting(settings, "fieldname").map_or_else(|| "Total".into(), |name| Arc::clone(&name.text));
        if is_on(settings, "row", true) {
            let names = if fields.is_empty() { rows.names.names() } else { expand(fields, &rows.names) };
            if fields.is_empty() && !rows.names.closed() {
                let span = settings.first().map_or(Span::default(), |(name, _)| name.span);
                self.approximate("dynamic-fields", "only fields that the search names are added up", span);
            }
            let parts: Vec<Expr> =
                names.iter().filter(|name| !name.starts_with('_')).map(|name| rows.names.get(name)).collect();
            self.assign(&mut rows, &total, loose(LooseFunction::Sum, parts));
        }
        rows
    }

    pub(super) fn replace(&mut self, pairs: &[(Name, Name)], fields: &[Name], mut rows: Rows) -> Result<Rows, Said> {
        let names = if fields.is_empty() { rows.names.names() } else { expand(fields, &rows.names) };
        for name in names {
            let value = rows.names.get(&name);
            let mut replaced = value.clone();
            for (from, to) in pairs.iter().rev() {
                let wildcard = super::terms::wildcard(&from.text);
                let fits =
                    super::terms::any_value(Function::Like(wildcard, lurcher_ir::Case::Insensitive), [value.clone()]);
                let new = self.replacement(&value, from, to)?;
                replaced = Expr::call(Function::If, [fits, new, replaced]);
            }
            self.assign(&mut rows, &name, replaced);
        }
        Ok(rows)
    }

    /// What `*` stood for goes where `*` stands in the replacement.
    fn replacement(&mut self, value: &Expr, from: &Name, to: &Name) -> Result<Expr, Said> {
        if !from.text.contains('*') || !to.text.contains('*') {
            return Ok(Expr::Literal(Value::Text(Arc::clone(&to.text))));
        }
        let pieces: Vec<String> = from.text.split('*').map(super::terms::escaped).collect();
        let pattern = format!("(?is)^{}$", pieces.join("(.*)"));
        let regex = self.regex(&pattern, from.span)?;
        let mut number = 0;
        let mut written = String::new();
        for c in to.text.chars() {
            match c {
                '*' => {
                    number += 1;
                    written.push_str(&format!("${number}"));
                }
                '$' | '\\' => written.extend([c, c]),
                c => written.push(c),
            }
        }
        Ok(Expr::call(Function::Replace(regex), [value.clone(), Expr::Literal(Value::text(written))]))
    }

    /// An expression that stands in an option's text.
    pub(super) fn expression_of_text(&mut self, text: &str, span: Span, names: &Names) -> Result<Expr, Said> {
        let file = lurcher_diagnostics::SourceFile::new(self.file.name(), text);
        match crate::spl::parser::expression(&file) {
            (Some(expr), diagnostics) if diagnostics.is_empty() => self.expression(&expr, names),
            _ => Err(self
                .report(Diagnostic::error("spl-expected", "an expression expected").at(span, "this cannot be read"))),
        }
    }
}

/// An IPv4 address as digits that sort as it does; anything else as itself.
fn address_order(value: Expr) -> Expr {
    let address = lurcher_ir::Regex { pattern: r"^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$".into() };
    let parts = Expr::call(Function::Split, [value.clone(), Expr::Literal(Value::text("."))]);
    let part = |at: i64| Expr::call(Function::Index, [parts.clone(), Expr::Literal(Value::Int(at))]);
    let format = Expr::Literal(Value::text("%03d%03d%03d%03d"));
    let digits = loose(LooseFunction::Printf, [format, part(0), part(1), part(2), part(3)]);
    let is_address = Expr::call(Function::Matches(address), [Expr::call(Function::ToText, [value.clone()])]);
    Expr::call(Function::If, [is_address, digits, value])
}

fn rename_columns(names: &mut Names, pattern: &ColumnPattern, target: &ColumnPattern) {
    let renamed: Vec<(Arc<str>, Arc<str>)> = (names.columns.iter())
        .filter_map(|(name, _)| Some((Arc::clone(name), target.fill(&pattern.fits(name)?))))
        .filter(|(old, new)| old != new)
        .collect();
    for (old, new) in renamed {
        names.columns.retain(|(name, _)| *name != new);
        if let Some(slot) = names.columns.iter_mut().find(|(name, _)| *name == old) {
            slot.0 = new;
        }
    }
}

/// Names, with patterns replaced by the set names that fit.
pub(super) fn expand(fields: &[Name], names: &Names) -> Vec<Arc<str>> {
    let mut wanted: Vec<Arc<str>> = Vec::new();
    for field in fields {
        let found = if field.text.contains('*') {
            let pattern = ColumnPattern::parse(&field.text);
            names.names().into_iter().filter(|name| pattern.fits(name).is_some()).collect()
        } else {
            vec![Arc::clone(&field.text)]
        };
        for name in found {
            if !wanted.contains(&name) {
                wanted.push(name);
            }
        }
    }
    wanted
}

/// A span such as `5m` or `1d` in seconds; none of months and of what is no span.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let length = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let (digits, unit) = text.split_at(length);
    let number: f64 = if digits.is_empty() { 1.0 } else { digits.parse().ok()? };
    let factor = match unit {
        "s" | "sec" | "secs" | "second" | "seconds" | "" => 1.0,
        "ms" => 0.001,
        "cs" => 0.01,
        "ds" => 0.1,
        "us" => 0.000_001,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        _ => return None,
    };
    Some(number * factor)
}

/// A time cut down to the start of its interval.
pub(super) fn span_of(lowerer: &mut Lowerer<'_>, span: &Name, time: Expr) -> Result<Expr, Said> {
    let text = span.text.split('@').next().unwrap_or_default();
    if let Some(seconds) = seconds(text).filter(|seconds| *seconds > 0.0) {
        let size = if seconds.fract() == 0.0 { Value::Int(seconds as i64) } else { Value::Float(seconds) };
        return Ok(loose(LooseFunction::Bucket, [time, Expr::Literal(size)]));
    }
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: i64 = text[..length].parse().unwrap_or(1);
    let months = match &text[length..] {
        "mon" | "month" | "months" => number,
        "q" | "qtr" | "qtrs" | "quarter" | "quarters" => number.saturating_mul(3),
        "y" | "yr" | "yrs" | "year" | "years" => number.saturating_mul(12),
        _ => {
            return Err(lowerer.report(
                Diagnostic::error("spl-span", format!("`{}` is no span of time", span.text))
                    .at(span.span, "such as `5m`, `1h`, `1d`, `1mon`"),
            ));
        }
    };
    Ok(loose(LooseFunction::MonthBucket, [time, Expr::Literal(Value::Int(months))]))
}
