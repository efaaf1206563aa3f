//! Where rows come from: `search`, `tstats`, `from`, `datamodel`; and searches in brackets within terms.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Case, Expr, FieldRef, Function, JsonOperation, LooseFunction, Predicate, Semi, Stage, Test};
use lurcher_schema::{Taxonomy, Value};

use super::{
    Lowerer, Said, models,
    rows::{Names, Rows, loose},
    stats::setting,
    terms::{Condition, not_null},
};
use crate::{
    spl::ast::{Aggregation, Argument, Name, Operator, Pipeline, ReturnField, Term, Tstats},
    syntax::closest,
};

impl Lowerer<'_> {
    /// `search`: terms, then what searches in brackets say.
    pub(super) fn search(&mut self, term: &Term, rows: Rows) -> Result<Rows, Said> {
        let (plain, nested) = split(term);
        let mut rows = rows;
        let condition = self.term(&plain, &rows.names)?;
        self.keep(&mut rows, condition);
        for part in nested {
            rows = match part {
                Part::Search(search) => self.filter_by_search(search, rows)?,
                Part::Either(parts) => self.filter_by_either(parts, rows)?,
            };
        }
        Ok(rows)
    }

    /// Keeps rows that fit one of several terms, some of which hold searches in brackets: those of each, once.
    fn filter_by_either(&mut self, parts: &[Term], mut rows: Rows) -> Result<Rows, Said> {
        let place = self.parts.fresh_name("place");
        let counted = lurcher_ir::AggregateColumn::new(Arc::clone(&place), lurcher_ir::Aggregate::Count, []);
        rows.make_columns();
        rows.stages.push(Stage::Running(super::series::running(vec![counted], None, true)));
        rows.names.set(&place, Expr::Column(Arc::clone(&place)));
        let ordered = rows.ordered;
        let (branch, names) = self.park(rows);
        let (nested, plain): (Vec<&Term>, Vec<&Term>) = parts.iter().partition(|part| holds_search(part));
        let plain = (!plain.is_empty()).then(|| Term::Or(plain.into_iter().cloned().collect()));
        let mut all = Vec::new();
        for part in plain.iter().chain(nested) {
            let input = Rows { ordered, ..Rows::of(super::rows::Source::Branch(branch), names.clone()) };
            all.push(self.search(part, input)?);
        }
        let mut rows = self.union_rows(all)?;
        rows.stages.push(Stage::Dedup(lurcher_ir::Dedup::first([Expr::Column(Arc::clone(&place))])));
        rows.stages.push(Stage::Drop(vec![lurcher_ir::ColumnPattern::Named(Arc::clone(&place))]));
        rows.names.columns.retain(|(name, _)| *name != place);
        Ok(rows)
    }

    /// Keeps rows by a search in brackets.
    fn filter_by_search(&mut self, part: Nested<'_>, mut rows: Rows) -> Result<Rows, Said> {
        let (branch, found) = self.nested(part.search)?;
        let columns: Vec<(Arc<str>, Expr)> = match part.field {
            // `field IN [ … ]`: the values of its first column.
            Some(field) => match found.names().into_iter().find(|name| !name.starts_with('_')) {
                Some(first) => vec![(first, rows.names.get(&field.text))],
                None => Vec::new(),
            },
            None => {
                let names = found.names().into_iter().filter(|name| !name.starts_with('_'));
                names.map(|name| (Arc::clone(&name), rows.names.get(&name))).collect()
            }
        };
        let columns = match (columns.as_slice(), part.field) {
            // `return $field`: words that the event must hold.
            ([(name, _)], None) if name.starts_with("phrase~") => {
                let event = loose(LooseFunction::Json(JsonOperation::Write), [Expr::Event(Taxonomy::Cim)]);
                vec![(Arc::clone(name), event)]
            }
            _ => columns,
        };
        if !found.closed() || columns.is_empty() {
            let message = "the columns of a search in brackets must be known: end it with `fields` or `table`";
            return Err(self.unsupported("subsearch", message, part.search.span));
        }
        if let Some((name, _)) =
            columns.iter().find(|(name, _)| matches!(name.as_ref(), "search" | "query") && part.field.is_none())
            && name.as_ref() == "search"
        {
            let message = "a search in brackets that writes terms of its own (`search`)";
            return Err(self.unsupported("subsearch", message, part.search.span));
        }
        rows.stages.push(Stage::Semi(Semi {
            branch,
            columns,
            case: Case::Insensitive,
            wildcards: true,
            negated: part.negated,
        }));
        Ok(rows)
    }

    /// `return`: the first so many rows, with the fields that are handed on.
    pub(super) fn return_rows(
        &mut self,
        count: Option<u64>,
        fields: &[ReturnField],
        mut rows: Rows,
    ) -> Result<Rows, Said> {
        rows.order();
        let mut columns: Vec<(Arc<str>, Expr)> = Vec::new();
        if let [ReturnField::Value(field)] = fields {
            let message =
                "a value that `return $field` writes is looked for anywhere in the event's text, also within words";
            self.approximate("subsearch", message, field.span);
            let any = || Expr::Literal(Value::text("*"));
            let value = self.name(&field.text, field.span, &rows.names);
            columns.push((self.parts.fresh_name("phrase"), Expr::call(Function::Concat, [any(), value, any()])));
        }
        for field in fields {
            if fields.len() == 1 && !columns.is_empty() {
                break;
            }
            let (alias, field) = match field {
                ReturnField::Named(field) => (Arc::clone(&field.text), field),
                ReturnField::Alias(alias, field) => (Arc::clone(&alias.text), field),
                ReturnField::Value(field) => {
                    let message = "`return` of several `$field`s writes terms of its own";
                    return Err(self.unsupported("subsearch", message, field.span));
                }
            };
            let value = self.name(&field.text, field.span, &rows.names);
            columns.push((alias, value));
        }
        rows.stages.push(Stage::Head(count.unwrap_or(1)));
        rows.names = Names::new(super::rows::Base::Nothing);
        for (name, expr) in columns {
            rows.names.set(&name, expr);
        }
        Ok(rows)
    }

    /// `tstats … from datamodel=…` and `mstats`.
    pub(super) fn tstats(&mut self, tstats: &Tstats, span: Span) -> Result<Rows, Said> {
        let mut rows = match &tstats.model {
            Some(model) => self.data_set(model)?,
            None => Rows::events(Predicate::Constant(true)),
        };
        let settings = &tstats.stats.settings;
        if let Some(filter) = &tstats.filter {
            let filter = self.with_nodes(filter, &rows.names)?;
            rows = self.search(&filter, rows)?;
        }
        if tstats.metrics {
            let message = "metrics are read from events that hold the measures as fields";
            self.approximate("metrics", message, span);
            // A point of a metric is an event that has a measure; all other events are none.
            let has_measure = |aggregation: &Aggregation| match &aggregation.argument {
                Some(Argument::Field(field)) if !field.text.contains('*') => {
                    Some(Condition::Holds(not_null(rows.names.get(&field.text))))
                }
                _ => None,
            };
            let measures: Vec<Condition> = tstats.stats.aggregates.iter().filter_map(has_measure).collect();
            if !measures.is_empty() {
                self.keep(&mut rows, Condition::Any(measures));
            }
        }
        if super::stats::is_on(settings, "prestats", false) {
            return self.before_stats(tstats, rows);
        }
        let fill = setting(settings, "fillnull_value").map(|value| Value::Text(Arc::clone(&value.text)));
        let grouped = self.grouped(&tstats.stats, &mut rows, fill.as_ref())?;
        self.aggregate(grouped, &mut rows);
        Ok(rows)
    }

    /// `prestats=t`: what a `stats` behind it adds up. The events themselves, with their times cut to intervals, yield the
    /// same.
    fn before_stats(&mut self, tstats: &Tstats, mut rows: Rows) -> Result<Rows, Said> {
        if let Some(span) = &tstats.stats.span {
            let time = super::columns::span_of(self, span, rows.names.get("_time"))?;
            self.assign(&mut rows, &"_time".into(), time);
        }
        let fill = setting(&tstats.stats.settings, "fillnull_value").cloned();
        for name in &tstats.stats.by {
            let value = rows.names.get(&name.text);
            match &fill {
                Some(fill) => {
                    let fill = Expr::Literal(Value::Text(Arc::clone(&fill.text)));
                    self.assign(&mut rows, &name.text, Expr::call(Function::Coalesce, [value, fill]));
                }
                None => self.keep(&mut rows, Condition::Holds(not_null(value))),
            }
        }
        Ok(rows)
    }

    /// `nodename=X` as the condition that the data set adds.
    fn with_nodes(&mut self, term: &Term, names: &Names) -> Result<Term, Said> {
        Ok(match term {
            Term::And(parts) => Term::And(self.all_with_nodes(parts, names)?),
            Term::Or(parts) => Term::Or(self.all_with_nodes(parts, names)?),
            Term::Not(inner) => Term::Not(Box::new(self.with_nodes(inner, names)?)),
            Term::Compare { field, operator: Operator::Equal, value } if field.text.as_ref() == "nodename" => {
                let mut parts = Vec::new();
                for condition in models::node(&value.text).unwrap_or_default() {
                    let file = lurcher_diagnostics::SourceFile::new(self.file.name(), condition);
                    parts.extend(crate::spl::parser::term(&file).0);
                }
                if parts.is_empty() { Term::All } else { Term::And(parts) }
            }
            other => other.clone(),
        })
    }

    fn all_with_nodes(&mut self, terms: &[Term], names: &Names) -> Result<Vec<Term>, Said> {
        terms.iter().map(|term| self.with_nodes(term, names)).collect()
    }

    /// `| from datamodel:X.Y` and `| from X`: events of a data set, or rows of a lookup.
    pub(super) fn from(&mut self, name: &Name) -> Result<Rows, Said> {
        let text = name.text.trim_matches('"');
        let bare = |text: &str| Name { text: text.trim_matches('"').into(), ..name.clone() };
        match text.split_once(':') {
            Some(("lookup", lookup)) => self.inputlookup(&bare(lookup), &Vec::new(), None),
            Some(("savedsearch", _)) => Err(self.unsupported("command", "saved searches are not known", name.span)),
            Some(("datamodel", model)) => self.data_set(&bare(model)),
            _ => match self.options.knowledge.find_lookup(text) {
                Some(_) => self.inputlookup(&bare(text), &Vec::new(), None),
                None => self.data_set(&bare(text)),
            },
        }
    }

    /// `| datamodel X Y search`.
    pub(super) fn datamodel(
        &mut self,
        model: Option<&Name>,
        object: Option<&Name>,
        mode: Option<&Name>,
        span: Span,
    ) -> Result<Rows, Said> {
        let Some(model) = model.filter(|_| mode.is_some()) else {
            return Err(self.unsupported("command", "`datamodel` without `search` describes models", span));
        };
        let text = match object {
            Some(object) => format!("{}.{}", model.text, object.text),
            None => model.text.to_string(),
        };
        self.data_set(&Name { text: text.into(), ..model.clone() })
    }

    /// The events of a data set of the Common Information Model.
    fn data_set(&mut self, name: &Name) -> Result<Rows, Said> {
        let Some(found) = models::find(&name.text) else {
            let model = name.text.split('.').next().unwrap_or_default();
            let mut diagnostic =
                Diagnostic::error("spl-unknown-model", format!("there is no data model or data set `{}`", name.text))
                    .at(name.span, "unknown");
            let meant = match closest(model, models::models()) {
                Some(meant) if meant != model => Some(meant.to_owned()),
                _ => closest(&name.text, models::paths().iter().map(String::as_str)).map(str::to_owned),
            };
            if let Some(meant) = meant {
                diagnostic = diagnostic.with_help(format!("did you mean `{meant}`?"));
            }
            return Err(self.report(diagnostic));
        };
        let models = FieldRef::new(Taxonomy::Cim, "_datamodels");
        let filter = Predicate::test(models.clone(), Test::equals_text(&found.member, Case::Sensitive));
        let mut rows = Rows::events(Predicate::Constant(true));
        rows.names.objects = found.objects.into_iter().map(Arc::from).collect();
        rows.names.calculated =
            found.calculated.into_iter().map(|(field, value)| (Arc::from(field), Arc::from(value))).collect();
        let said = Predicate::test(models, Test::Exists).negate();
        let filter = match self.tags_of_site(found.tags, name, &rows.names)? {
            // Where the source of an event says nothing, the site's own tags do.
            Some(tags) => Predicate::any([filter, Predicate::all([said, tags])]),
            None => filter,
        };
        rows.inputs = vec![super::rows::Source::Events(filter)];
        for condition in found.conditions {
            let condition: Condition = self.term_of_text(condition, name.span, &rows.names)?;
            self.keep(&mut rows, condition);
        }
        Ok(rows)
    }
}

impl Lowerer<'_> {
    /// That an event bears all these tags, by the site's event types and tags; none if the site has none of one.
    fn tags_of_site(&mut self, tags: &str, name: &Name, names: &Names) -> Result<Option<Predicate>, Said> {
        let mut all = Vec::new();
        for tag in tags.split_whitespace() {
            if self.options.knowledge.tagged(tag).is_empty() {
                return Ok(None);
            }
            all.push(self.term_of_text(&format!("tag={tag}"), name.span, names)?.into_predicate(self.schemas));
        }
        Ok((!all.is_empty()).then(|| Predicate::all(all)))
    }
}

/// A search in brackets within terms.
struct Nested<'t> {
    search: &'t Pipeline,
    /// The field that its values are compared with; `None`: each by its own name.
    field: Option<&'t Name>,
    negated: bool,
}

/// A part of terms that must hold beside all else.
enum Part<'t> {
    /// A search in brackets.
    Search(Nested<'t>),
    /// One of these, some of which hold searches in brackets.
    Either(&'t [Term]),
}

/// Whether a search in brackets stands in a term.
fn holds_search(term: &Term) -> bool {
    match term {
        Term::Search(_) | Term::Values { .. } => true,
        Term::And(parts) | Term::Or(parts) => parts.iter().any(holds_search),
        Term::Not(inner) => holds_search(inner),
        _ => false,
    }
}

/// Terms without the searches in brackets that must hold beside all else, and those.
fn split(term: &Term) -> (Term, Vec<Part<'_>>) {
    let nested = |search, field, negated| (Term::All, vec![Part::Search(Nested { search, field, negated })]);
    match term {
        Term::Search(search) => nested(search, None, false),
        Term::Values { field, negated, search } => nested(search, Some(field), *negated),
        Term::Not(inner) => match inner.as_ref() {
            Term::Search(search) => nested(search, None, true),
            Term::Values { field, negated, search } => nested(search, Some(field), !negated),
            _ => (term.clone(), Vec::new()),
        },
        Term::And(parts) => {
            let (mut plain, mut nested) = (Vec::new(), Vec::new());
            for part in parts {
                let (own, searches) = split(part);
                plain.push(own);
                nested.extend(searches);
            }
            (Term::And(plain), nested)
        }
        Term::Or(parts) if holds_search(term) => (Term::All, vec![Part::Either(parts)]),
        _ => (term.clone(), Vec::new()),
    }
}
