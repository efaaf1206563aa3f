//! Where rows come from: `search`, `tstats`, `from`, `datamodel`; and searches in brackets within terms.

use std::sync::Arc;

use lurcher_diagnostics::{Diagnostic, Span};
use lurcher_ir::{Case, Expr, FieldRef, Function, Predicate, Semi, Stage, Test};
use lurcher_schema::{Taxonomy, Value};

use super::{
    Lowerer, Said, late, models,
    rows::{Names, Rows},
    stats::setting,
    terms::{Condition, any_value, not_null},
};
use crate::{
    spl::ast::{Aggregation, Argument, CommandKind, Name, Operator, Pipeline, ReturnField, Settings, Term, Tstats},
    syntax::closest,
};

impl Lowerer<'_> {
    /// `search`: terms, then what searches in brackets say.
    pub(super) fn search(&mut self, term: &Term, rows: Rows) -> Result<Rows, Said> {
        let pushed = pushed(term, false);
        let (plain, nested) = split(&pushed);
        let mut rows = rows;
        self.keep_terms(&mut rows, &plain)?;
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

    /// Keeps rows by a search in brackets: those that are like one of its rows, or those that fit the terms that it writes.
    fn filter_by_search(&mut self, part: Nested<'_>, mut rows: Rows) -> Result<Rows, Said> {
        let found = match self.bracketed(&part)? {
            Bracketed::Rows(found) => found,
            Bracketed::Text(written) => return Ok(self.select_by_text(&part, written, rows)),
        };
        let (branch, found) = self.park(found);
        let visible = found.names().into_iter().filter(|name| late::visible(name));
        let columns: Vec<(Arc<str>, Expr)> = match part.field {
            // `field IN [ … ]`: the values of its first column.
            Some(field) => visible.take(1).map(|first| (first, rows.names.get(&field.text))).collect(),
            None => visible.map(|name| (Arc::clone(&name), rows.names.get(&name))).collect(),
        };
        if !found.closed() || columns.is_empty() {
            let message = "the columns of a search in brackets must be known: end it with `fields` or `table`";
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

    /// What a search in brackets yields. Its text matters only where its rows do not say the same.
    fn bracketed(&mut self, part: &Nested<'_>) -> Result<Bracketed, Said> {
        let mut before = part.search.clone();
        let last = before.commands.pop().map(|command| command.kind);
        Ok(match &last {
            Some(CommandKind::Format { settings, words }) => {
                let rows = self.pipeline(&before, None)?;
                let is_plain = words.is_empty() && settings.is_empty();
                if is_plain && !late::writes_terms(&rows.names) {
                    Bracketed::Rows(rows)
                } else {
                    Bracketed::Text(self.format(settings, words, rows))
                }
            }
            Some(CommandKind::Return { count, fields }) => {
                let rows = self.pipeline(&before, None)?;
                let returned = self.return_rows(*count, fields, rows.clone());
                let is_bare = fields.iter().any(|field| matches!(field, ReturnField::Value(_))) && part.field.is_none();
                if is_bare || late::writes_terms(&returned.names) {
                    Bracketed::Text(self.returned(*count, fields, rows))
                } else {
                    Bracketed::Rows(returned)
                }
            }
            _ => {
                let rows = self.pipeline(part.search, None)?;
                if part.field.is_none() && late::writes_terms(&rows.names) {
                    Bracketed::Text(self.format(&Settings::new(), &[], rows))
                } else {
                    Bracketed::Rows(rows)
                }
            }
        })
    }

    /// `return`: the first so many rows, with the fields that are handed on.
    fn return_rows(&mut self, count: Option<u64>, fields: &[ReturnField], mut rows: Rows) -> Rows {
        rows.order();
        let mut names = Names::new(super::rows::Base::Nothing);
        for field in fields {
            let (alias, field) = match field {
                ReturnField::Named(field) | ReturnField::Value(field) => (&field.text, field),
                ReturnField::Alias(alias, field) => (&alias.text, field),
            };
            let value = self.name(&field.text, field.span, &rows.names);
            names.set(alias, value);
        }
        rows.stages.push(Stage::Head(count.unwrap_or(1)));
        rows.names = names;
        rows
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
        if self.late {
            self.keep_member(&found.member, found.tags, name, &mut rows)?;
        } else {
            rows.inputs = vec![super::rows::Source::Events(filter)];
        }
        for condition in found.conditions {
            let condition: Condition = self.term_of_text(condition, name.span, &rows.names)?;
            self.keep(&mut rows, condition);
        }
        Ok(rows)
    }
}

impl Lowerer<'_> {
    /// Keeps the events of a data set where nothing is asked of events before.
    fn keep_member(&mut self, member: &str, tags: &str, name: &Name, rows: &mut Rows) -> Result<(), Said> {
        let models = super::rows::event_field("_datamodels");
        let same = [models.clone(), Expr::Literal(Value::text(member))];
        let mut condition = Condition::Holds(any_value(Function::Equal(Case::Sensitive), same));
        let tags: Vec<&str> = tags.split_whitespace().collect();
        if !tags.is_empty() && tags.iter().all(|tag| !self.options.knowledge.tagged(tag).is_empty()) {
            let mut all = vec![Condition::Holds(not_null(models)).negate()];
            for tag in tags {
                all.push(self.term_of_text(&format!("tag={tag}"), name.span, &rows.names)?);
            }
            condition = Condition::Any(vec![condition, Condition::All(all)]);
        }
        self.keep(rows, condition);
        Ok(())
    }

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
pub(super) struct Nested<'t> {
    pub(super) search: &'t Pipeline,
    /// The field that its values are compared with; `None`: each by its own name.
    field: Option<&'t Name>,
    pub(super) negated: bool,
}

/// What a search in brackets yields.
enum Bracketed {
    /// Rows that others are compared with.
    Rows(Rows),
    /// One row, whose `search` holds terms.
    Text(Rows),
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

/// Terms in which `NOT` stands before searches in brackets themselves, not before terms that hold one.
fn pushed(term: &Term, negated: bool) -> Term {
    let each = |parts: &[Term]| parts.iter().map(|part| pushed(part, negated)).collect();
    match term {
        _ if !holds_search(term) => {
            if negated {
                Term::Not(Box::new(term.clone()))
            } else {
                term.clone()
            }
        }
        Term::Not(inner) => pushed(inner, !negated),
        Term::And(parts) => {
            if negated {
                Term::Or(each(parts))
            } else {
                Term::And(each(parts))
            }
        }
        Term::Or(parts) => {
            if negated {
                Term::And(each(parts))
            } else {
                Term::Or(each(parts))
            }
        }
        other => {
            if negated {
                Term::Not(Box::new(other.clone()))
            } else {
                other.clone()
            }
        }
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
