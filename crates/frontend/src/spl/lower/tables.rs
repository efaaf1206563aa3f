//! Tables: `lookup`, `inputlookup`, `iplocation`, `multikv`.

use std::sync::Arc;

use lurcher_diagnostics::Span;
use lurcher_ir::{
    Case, ColumnPattern, Expr, Locate, LookupKey, LookupMatch, LookupOutput, LookupRows, LooseFunction, PlaceFact,
    Stage, TextTable, Titles,
};
use lurcher_schema::Value;

use super::{
    Lowerer, Said,
    functions::each,
    rows::{Base, Names, Rows, Source, loose},
    stats::{is_on, setting},
};
use crate::spl::{
    Lookup,
    ast::{LookupCommand, Name, Settings, Term},
};

/// What `iplocation` adds, and what more with `allfields`.
const PLACES: [(&str, PlaceFact); 5] = [
    ("City", PlaceFact::City),
    ("Country", PlaceFact::Country),
    ("Region", PlaceFact::Region),
    ("lat", PlaceFact::Latitude),
    ("lon", PlaceFact::Longitude),
];
const MORE_PLACES: [(&str, PlaceFact); 3] =
    [("Continent", PlaceFact::Continent), ("MetroCode", PlaceFact::MetroCode), ("Timezone", PlaceFact::TimeZone)];

impl Lowerer<'_> {
    pub(super) fn lookup(&mut self, command: &LookupCommand, mut rows: Rows) -> Result<Rows, Said> {
        let keys: Vec<(&Name, Expr)> = (command.keys.iter())
            .map(|(column, field)| (column, self.name(&field.text, field.span, &rows.names)))
            .collect();
        let Some(known) = self.options.knowledge.find_lookup(&command.name.text) else {
            return Ok(self.unknown_lookup(command, keys, rows));
        };
        self.tell_ignored(&known, &command.name);
        let outputs: Vec<(Arc<str>, Arc<str>)> = match &command.outputs {
            Some((_, outputs)) => {
                outputs.iter().map(|(column, field)| (Arc::clone(&column.text), Arc::clone(&field.text))).collect()
            }
            None => {
                let is_key = |column: &Arc<str>| command.keys.iter().any(|(key, _)| key.text == *column);
                let others = known.columns.iter().filter(|column| !is_key(column));
                others.map(|column| (Arc::clone(column), Arc::clone(column))).collect()
            }
        };
        let new_only = command.outputs.as_ref().is_some_and(|(new, _)| *new);
        // The outputs become columns; what they fill in or replace must be one by then.
        for (_, name) in &outputs {
            if new_only {
                let before = rows.names.get(name);
                rows.names.set(name, before);
            }
        }
        let lookup_keys = keys
            .into_iter()
            .map(|(column, value)| LookupKey {
                column: Arc::clone(&column.text),
                value,
                matching: matching(&known, &column.text),
            })
            .collect();
        let reads = outputs.iter().any(|(_, name)| {
            rows.names.columns.iter().any(|(other, expr)| other != name && super::rows::reads_column(expr))
        });
        if new_only || reads {
            rows.make_columns();
        }
        // An empty text is no value, here as in a table's cells.
        let default = known.min_matches > 0 && !known.default.is_empty();
        rows.stages.push(Stage::Lookup(lurcher_ir::Lookup {
            table: Arc::clone(&known.table),
            keys: lookup_keys,
            condition: None,
            outputs: Some(
                outputs
                    .iter()
                    .map(|(column, name)| LookupOutput { column: Arc::clone(column), name: Arc::clone(name) })
                    .collect(),
            ),
            most: known.max_matches.max(1) as u64,
            rows: LookupRows::List,
            overwrite: !new_only,
            least: known.min_matches as u64,
            default: default.then(|| Value::Text(Arc::clone(&known.default))),
        }));
        for (_, name) in &outputs {
            rows.names.set(name, Expr::Column(Arc::clone(name)));
        }
        Ok(rows)
    }

    /// A lookup that is not at hand: an external one that is known, or nothing.
    fn unknown_lookup(&mut self, command: &LookupCommand, keys: Vec<(&Name, Expr)>, mut rows: Rows) -> Rows {
        // Shannon's entropy, as the add-on URL Toolbox computes it.
        if command.name.text.as_ref() == "ut_shannon_lookup"
            && let Some((_, word)) = keys.first()
        {
            let value = each(lurcher_ir::Function::Loose(LooseFunction::Entropy), [word.clone()]);
            let rounded = loose(LooseFunction::Round, [value, Expr::Literal(Value::Int(4))]);
            let output = command.outputs.as_ref().and_then(|(_, outputs)| outputs.first());
            let name = output.map_or_else(|| "ut_shannon".into(), |(_, field)| Arc::clone(&field.text));
            self.assign(&mut rows, &name, rounded);
            return rows;
        }
        let message = format!("the lookup `{}` is not at hand; nothing is found in it", command.name.text);
        self.approximate("lookup", message, command.name.span);
        for (_, field) in command.outputs.iter().flat_map(|(_, outputs)| outputs) {
            let new_only = command.outputs.as_ref().is_some_and(|(new, _)| *new);
            if !new_only {
                rows.names.set(&field.text, Expr::Literal(Value::Null));
            }
        }
        rows
    }

    /// Says which settings of a lookup's definition are not looked at.
    fn tell_ignored(&mut self, known: &Lookup, name: &Name) {
        for setting in &known.ignored {
            let message = format!("the lookup `{}` is not narrowed by its `{setting}`", name.text);
            self.approximate("lookup", message, name.span);
        }
    }

    /// The rows of a table: those from `start` on (the first is 0), at most `max` of them, that fit a filter.
    pub(super) fn inputlookup(
        &mut self,
        name: &Name,
        settings: &Settings,
        filter: Option<&Term>,
    ) -> Result<Rows, Said> {
        let number = |option| setting(settings, option).and_then(|value| value.text.parse::<u64>().ok());
        let mut rows = match self.options.knowledge.find_lookup(&name.text) {
            Some(known) => {
                self.tell_ignored(&known, name);
                let names = if known.columns.is_empty() {
                    Names::new(Base::Row)
                } else {
                    Names::of_columns(known.columns.iter().cloned())
                };
                let mut rows = Rows::of(Source::Table(known.table), names);
                if let Some(start) = number("start").filter(|start| *start > 0) {
                    rows.stages.push(Stage::Tail(known.rows.saturating_sub(start)));
                }
                rows.stages.extend(number("max").map(Stage::Head));
                rows
            }
            None => {
                let message = format!("the lookup `{}` is not at hand; it is taken to be empty", name.text);
                self.approximate("lookup", message, name.span);
                Rows::of(Source::Rows(0), Names::new(Base::Row))
            }
        };
        if let Some(filter) = filter {
            rows = self.search(filter, rows)?;
        }
        Ok(rows)
    }

    /// The place of an address, by a database that the user has; without one it is not known.
    ///
    /// Source: Splunk's Search Reference, `iplocation`.
    pub(super) fn iplocation(&mut self, field: &Name, settings: &Settings, mut rows: Rows) -> Rows {
        let address = self.name(&field.text, field.span, &rows.names);
        if !self.options.knowledge.knows_places() {
            let message = "there is no database of the places of addresses, so they are not known: name one with \
                           `--geoip FILE`, or `geoip` in lurcher.toml";
            self.approximate("iplocation", message, field.span);
        }
        let prefix = setting(settings, "prefix").map_or("", |prefix| prefix.text.as_ref());
        let more = is_on(settings, "allfields", false);
        let wanted = PLACES.iter().chain(MORE_PLACES.iter().filter(|_| more));
        let outputs: Vec<(PlaceFact, Arc<str>)> =
            wanted.map(|(name, fact)| (*fact, format!("{prefix}{name}").into())).collect();
        let reads = |expr: &Expr| expr.reads_column(&|column| outputs.iter().any(|(_, name)| name.as_ref() == column));
        if rows.names.columns.iter().any(|(_, expr)| reads(expr)) {
            rows.make_columns();
        }
        for (_, name) in &outputs {
            rows.names.set(name, Expr::Column(Arc::clone(name)));
        }
        let language = setting(settings, "lang").map_or_else(|| "en".into(), |lang| Arc::clone(&lang.text));
        rows.stages.push(Stage::Locate(Locate { address, language, outputs }));
        rows
    }

    /// `multikv`: a row for each line of a table that an event's text holds.
    ///
    /// Source: Splunk's Search Reference, `multikv`.
    pub(super) fn multikv(
        &mut self,
        settings: &Settings,
        fields: &[Name],
        filter: &[Name],
        span: Span,
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        if let Some(stanza) = setting(settings, "conf") {
            let message = format!("the stanza `{}` of multikv.conf is not known", stanza.text);
            return Err(self.unsupported("multikv", message, span));
        }
        rows.order();
        let text = rows.names.get("_raw");
        rows.names.set(&"_raw".into(), text);
        rows.flatten();
        let titles = match setting(settings, "forceheader").map(|line| line.text.parse::<u64>()) {
            Some(Ok(line)) if line > 0 => Titles::At(line),
            _ if is_on(settings, "noheader", false) => Titles::Missing,
            _ => Titles::Found,
        };
        rows.stages.push(Stage::TextTable(TextTable {
            text: Expr::Column("_raw".into()),
            columns: fields.iter().map(|field| ColumnPattern::parse(&field.text)).collect(),
            filter: filter.iter().map(|text| Arc::clone(&text.text)).collect(),
            titles,
            several: is_on(settings, "multitable", true),
            copy: is_on(settings, "copyattrs", true),
            keep_original: !is_on(settings, "rmorig", true),
            line: "_raw".into(),
        }));
        rows.names = Names::new(Base::Row);
        Ok(rows)
    }
}

fn matching(known: &Lookup, column: &Arc<str>) -> LookupMatch {
    let case = if known.case_sensitive { Case::Sensitive } else { Case::Insensitive };
    if known.wildcard.contains(column) {
        LookupMatch::Wildcard(case)
    } else if known.cidr.contains(column) {
        LookupMatch::Network
    } else {
        LookupMatch::Equal(case)
    }
}
