//! Commands: which does what.

use lurcher_diagnostics::Diagnostic;
use lurcher_ir::{Expr, Predicate, Stage};
use lurcher_schema::Value;

use super::{Lowerer, Said, looking_up::calls_lookup, rows::Rows, terms::Condition};
use crate::spl::ast::{self, Command, CommandKind, Name, Settings};

/// Commands of the machine-learning toolkit and others that judge by a model.
const MODELS: [&str; 9] =
    ["fit", "score", "anomalies", "anomalousvalue", "anomalydetection", "predict", "kmeans", "cluster", "sample"];

impl Lowerer<'_> {
    /// Lowers one command over the rows before it.
    pub(super) fn command(&mut self, command: &Command, rows: Option<Rows>, first: bool) -> Result<Rows, Said> {
        let Some(rows) = rows else { return self.source(command) };
        if first && let CommandKind::Search(term) = &command.kind {
            return self.search(term, rows);
        }
        // Searches in brackets nest as deep as they are read: from one to the next there are few steps.
        if let CommandKind::Append(search) = &command.kind {
            return self.append(search, rows);
        }
        match &command.kind {
            CommandKind::Search(term) => self.search(term, rows),
            CommandKind::Where(expr) => {
                let keep = |lowerer: &mut Self, expr: &ast::Expr, mut rows: Rows| {
                    let condition = lowerer.expression(expr, &rows.names)?;
                    lowerer.keep(&mut rows, Condition::Holds(condition));
                    Ok(rows)
                };
                if calls_lookup(expr) { self.with_lookups(expr, rows, keep) } else { keep(self, expr, rows) }
            }
            CommandKind::Eval(assignments) => self.eval(assignments, rows),
            CommandKind::Stats(stats) => self.stats(stats, rows),
            CommandKind::Eventstats(stats) => self.eventstats(stats, rows),
            CommandKind::Streamstats(stats) => self.streamstats(stats, rows),
            CommandKind::Tstats(tstats) => {
                // `append=t`: the rows go behind those before.
                let own = self.tstats(tstats, command.span)?;
                Ok(self.append_rows(rows, own))
            }
            CommandKind::Chart(chart) => self.chart(chart, rows, command.span),
            CommandKind::Top(top) => self.top(top, rows),
            CommandKind::Table(names) => Ok(self.table(names, rows)),
            CommandKind::Fields { remove, names } => Ok(self.fields(*remove, names, rows)),
            CommandKind::Rename(pairs) => Ok(self.rename(pairs, rows)),
            kind => self.further(command, kind, rows),
        }
    }

    /// The first command of a search.
    fn source(&mut self, command: &Command) -> Result<Rows, Said> {
        match &command.kind {
            CommandKind::Tstats(tstats) => self.tstats(tstats, command.span),
            CommandKind::Inputlookup { name, settings, filter } => self.inputlookup(name, settings, filter.as_ref()),
            CommandKind::From(name) => self.from(name),
            CommandKind::Datamodel { model, object, mode } => {
                self.datamodel(model.as_ref(), object.as_ref(), mode.as_ref(), command.span)
            }
            CommandKind::Makeresults(settings) => Ok(self.makeresults(settings)),
            CommandKind::Union(searches) => self.union(searches, None),
            CommandKind::NotRun => Err(self.not_run(command)),
            CommandKind::Set { operation, searches } => self.set(operation, searches),
            CommandKind::Plain { fields, settings } => match command.name.text.to_ascii_lowercase().as_str() {
                "metadata" => Ok(self.metadata(settings, command.span)),
                "eventcount" => Ok(self.eventcount(settings, command.span)),
                "gentimes" => self.gentimes(settings, command.span),
                "summary" => self.summary(fields, settings, command.span),
                "inputcsv" => match fields.first() {
                    Some(name) => self.inputlookup(name, settings, None),
                    None => Err(self.unsupported("command", "`inputcsv` without the name of a file", command.span)),
                },
                _ => self.command(command, Some(Rows::events(Predicate::Constant(true))), true),
            },
            // Everything else reads events: all of them.
            _ => self.command(command, Some(Rows::events(Predicate::Constant(true))), true),
        }
    }

    fn not_run(&mut self, command: &Command) -> Said {
        let name = command.name.text.to_ascii_lowercase();
        if MODELS.contains(&name.as_str()) {
            let message = match name.as_str() {
                "fit" => {
                    "model: `fit` learns a model, which is not done here; `apply` runs one that was learned".to_owned()
                }
                _ => format!("model: `{name}` judges by a model that does not come with the search"),
            };
            return self.unsupported("model", message, command.span);
        }
        self.unsupported("command", format!("the command `{name}` is not run"), command.name.span)
    }

    fn further(&mut self, command: &Command, kind: &CommandKind, mut rows: Rows) -> Result<Rows, Said> {
        match kind {
            CommandKind::Rex(rex) => self.rex(rex, rows),
            CommandKind::Regex { field, negated, pattern } => {
                self.regex_filter(field.as_ref(), *negated, pattern, rows)
            }
            CommandKind::Spath { input, output, path } => {
                Ok(self.spath(input.as_ref(), output.as_ref(), path.as_ref(), rows))
            }
            CommandKind::Xmlkv(field) => Ok(self.xmlkv(field.as_ref(), command.span, rows)),
            CommandKind::Extract(settings) => Ok(self.extract(settings, command.span, rows)),
            CommandKind::Fromjson { field, settings } => Ok(self.fromjson(field, settings, rows)),
            CommandKind::Bin { field, alias, settings } => self.bin(field, alias.as_ref(), settings, rows),
            CommandKind::Dedup { count, fields, settings, sort } => self.dedup(*count, fields, settings, sort, rows),
            CommandKind::Sort { limit, keys } => Ok(self.sort(*limit, keys, rows)),
            CommandKind::Head { count, condition, settings } => self.head(*count, condition.as_ref(), settings, rows),
            CommandKind::Tail(count) => {
                rows.order();
                rows.stages.push(Stage::Tail(*count));
                rows.stages.push(Stage::Reverse);
                Ok(rows)
            }
            CommandKind::Reverse => {
                rows.order();
                rows.stages.push(Stage::Reverse);
                Ok(rows)
            }
            CommandKind::Fillnull { value, fields } => Ok(self.fillnull(value.as_ref(), fields, rows)),
            CommandKind::Filldown(fields) => Ok(self.filldown(fields, rows)),
            CommandKind::Convert { settings, conversions } => self.convert(settings, conversions, rows),
            CommandKind::Makemv { field, settings } => self.makemv(field, settings, rows),
            CommandKind::Mvexpand { field, settings } => Ok(self.mvexpand(field, settings, rows)),
            CommandKind::Mvcombine { field, settings } => Ok(self.mvcombine(field, settings, rows)),
            CommandKind::Nomv(field) => Ok(self.nomv(field, rows)),
            CommandKind::Addtotals { settings, fields } => {
                let rows = self.addtotals(settings, fields, rows);
                let wanted = Self::wants_column_totals(settings);
                Ok(if wanted { self.column_totals(settings, fields, command.span, rows) } else { rows })
            }
            CommandKind::Series { field, alias, settings } => {
                self.series(&command.name, field, alias.as_ref(), settings, rows)
            }
            CommandKind::Trendline(trends) => self.trendline(trends, rows),
            CommandKind::Plain { fields, settings } => self.plain(command, fields, settings, rows),
            CommandKind::Replace { pairs, fields } => self.replace(pairs, fields, rows),
            CommandKind::Foreach { fields, settings, template } => self.foreach(fields, settings, template, rows),
            // How a field is shown says nothing about what is found. The expression is read for its faults.
            CommandKind::Fieldformat(_, expr) => self.expression(expr, &rows.names).map(|_| rows),
            kind => self.combining(command, kind, rows),
        }
    }

    /// Commands that take fields and options only.
    fn plain(&mut self, command: &Command, fields: &[Name], settings: &Settings, rows: Rows) -> Result<Rows, Said> {
        Ok(match command.name.text.to_ascii_lowercase().as_str() {
            "uniq" => self.uniq(rows),
            "strcat" => self.strcat(fields, settings, rows),
            "untable" => return self.untable(fields, command.span, rows),
            "xyseries" | "maketable" => return self.xyseries(fields, settings, command.span, rows),
            "transpose" => self.transpose(fields, settings, rows),
            "addcoltotals" => self.column_totals(settings, fields, command.span, rows),
            "makecontinuous" => self.makecontinuous(fields, settings, command.span, rows),
            "fieldsummary" => self.fieldsummary(fields, settings, rows),
            "rangemap" => return self.rangemap(settings, command.span, rows),
            "reltime" => self.reltime(rows),
            "outlier" => return self.outlier(fields, settings, command.span, rows),
            "setfields" => self.setfields(settings, rows),
            "xpath" => return self.xpath(fields, settings, command.span, rows),
            "metadata" | "eventcount" | "gentimes" | "inputcsv" | "summary" => {
                let own = self.source(command)?;
                self.append_rows(rows, own)
            }
            // `require` and its kin let rows through.
            _ => rows,
        })
    }

    /// Commands that bring other rows in.
    fn combining(&mut self, command: &Command, kind: &CommandKind, mut rows: Rows) -> Result<Rows, Said> {
        match kind {
            CommandKind::Join { settings, fields, search } => self.join(settings, fields, search, rows),
            CommandKind::Appendcols { settings, search } => self.appendcols(settings, search, rows),
            CommandKind::Appendpipe(search) => self.appendpipe(search, rows),
            CommandKind::Union(searches) => self.union(searches, Some(rows)),
            CommandKind::Lookup(lookup) => self.lookup(lookup, rows),
            CommandKind::Inputlookup { name, settings, filter } => {
                let own = self.inputlookup(name, settings, filter.as_ref())?;
                Ok(if super::stats::is_on(settings, "append", false) { self.append_rows(rows, own) } else { own })
            }
            CommandKind::Outputlookup { name, settings } => {
                let message =
                    format!("the lookup `{}` is written only where the hunt is told to (`--write-lookups`)", name.text);
                self.approximate("outputlookup", message, command.span);
                let setting = |option| super::stats::setting(settings, option);
                if self.nested == 0 {
                    let on = |option, default| super::stats::is_on(settings, option, default);
                    self.writes = Some(crate::WrittenLookup {
                        name: name.text.to_string(),
                        append: on("append", false),
                        key: setting("key_field").map(|field| field.text.to_string()),
                        most: setting("max").and_then(|value| value.text.parse().ok()),
                        keep_if_empty: !on("override_if_empty", true),
                        create_empty: on("create_empty", false),
                    });
                }
                Ok(rows)
            }
            CommandKind::Apply { model, alias, settings } => self.apply(model, alias.as_ref(), settings, rows),
            CommandKind::Iplocation { field, settings } => Ok(self.iplocation(field, settings, rows)),
            CommandKind::Transaction { fields, settings, starts, ends } => {
                self.transaction(fields, settings, starts.as_ref(), ends.as_ref(), rows)
            }
            CommandKind::Map { search, settings } => self.map(search.as_ref(), settings, command.span, rows),
            CommandKind::Addinfo => {
                for (name, value) in [("info_min_time", Value::Int(0)), ("info_max_time", Value::text("+Infinity"))] {
                    rows.names.set(&name.into(), Expr::Literal(value));
                }
                rows.names.set(&"info_search_time".into(), super::functions::now());
                Ok(rows)
            }
            CommandKind::Makeresults(_) | CommandKind::From(_) | CommandKind::Datamodel { .. } => {
                let own = self.source(command)?;
                Ok(self.append_rows(rows, own))
            }
            CommandKind::Format { settings, words } => Ok(self.format(settings, words, rows)),
            CommandKind::Nothing => Ok(rows),
            CommandKind::Return { count, fields } => Ok(self.returned(*count, fields, rows)),
            CommandKind::Multikv { settings, fields, filter } => {
                self.multikv(settings, fields, filter, command.span, rows)
            }
            CommandKind::NotRun => Err(self.not_run(command)),
            _ => Err(self.report(
                Diagnostic::error("spl-expected", format!("`{}` cannot stand here", command.name.text))
                    .at(command.name.span, "not in the middle of a search"),
            )),
        }
    }
}
