//! All documents of one load together: rules, the filters that add to them, the correlations that refer to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lurcher_diagnostics::{self as diagnostics, Diagnostic, Span};
use lurcher_ir::{
    Correlation, CorrelationCondition, CorrelationInput, CorrelationRead, FieldRef, Measure, Occurrence, Predicate,
    RuleBody, Sources, SupportReason, Tail, Verdict,
};
use lurcher_schema::{LogSource, Taxonomy};

use super::{
    Options,
    ast::{
        Aggregation, AggregationFunction, Body, Condition, CorrelationRule, CorrelationType, Detections, Document,
        FilterTarget,
    },
    lower::Lowerer,
    parser::walk,
    pipeline,
};
use crate::{Lowered, syntax::closest};

/// How deep correlations may refer to correlations.
const MAX_CHAIN: usize = 16;

/// All documents of one load.
#[derive(Debug, Default)]
pub struct Collection {
    documents: Vec<Document>,
    by_name: BTreeMap<String, usize>,
    options: Options,
}

impl Collection {
    /// The collection of these documents, changed by the pipelines of the options.
    pub fn new(mut documents: Vec<Document>, options: Options) -> Self {
        let mut by_name = BTreeMap::new();
        for (number, document) in documents.iter().enumerate() {
            if matches!(document.body, Body::Filter { .. }) {
                continue;
            }
            for name in [&document.id, &document.name, &document.title] {
                if !name.is_empty() {
                    by_name.entry(name.clone()).or_insert(number);
                }
            }
        }
        let referred: Vec<Vec<LogSource>> =
            documents.iter().map(|document| referred_sources(document, &documents, &by_name)).collect();
        for (document, referred) in documents.iter_mut().zip(referred) {
            pipeline::apply(&options.pipelines, document, referred);
        }
        Self { documents, by_name, options }
    }

    /// The documents, in the order in which they were given.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The numbers of the rules that only serve correlations: those without `generate` say that the rules that they
    /// refer to do not alert on their own.
    pub fn silent(&self) -> BTreeSet<usize> {
        let mut silent = BTreeSet::new();
        for document in &self.documents {
            if let Body::Correlation(rule) = &document.body
                && !rule.generate
            {
                silent.extend(rule.rules.iter().filter_map(|(name, _)| self.by_name.get(name)));
            }
        }
        silent
    }

    /// Brings one document to the IR. A filter has no body of its own.
    pub fn lower(&self, number: usize) -> Lowered {
        let Some(document) = self.documents.get(number) else { return Lowered::default() };
        let mut lowered = Lowered {
            body: None,
            reasons: document.reasons.clone(),
            diagnostics: document.diagnostics.clone(),
            ..Lowered::default()
        };
        let faulty = lowered.diagnostics.iter().any(|diagnostic| diagnostic.level == diagnostics::Level::Error);
        match &document.body {
            Body::Faulty => {}
            _ if faulty => {}
            Body::Detection(detections) => self.lower_detection(document, detections, &mut lowered),
            Body::Correlation(rule) => self.lower_correlation(number, document, rule, &mut lowered),
            Body::Filter { rules, detections } => self.check_filter(document, rules, detections, &mut lowered),
        }
        lowered
    }

    fn lowerer<'a>(&'a self, document: &'a Document, lowered: &mut Lowered) -> Lowerer<'a> {
        let taxonomy = match document.taxonomy.as_str() {
            "" => Taxonomy::Sigma,
            name => Taxonomy::from_name(&name.to_lowercase()).unwrap_or_else(|| {
                let message = format!("the taxonomy `{name}` is not known; its names are read as Sigma's");
                lowered.reasons.push(reason(Verdict::Approximate, "taxonomy", document.span, message));
                Taxonomy::Sigma
            }),
        };
        Lowerer::new(&document.file, taxonomy, &self.options.placeholders)
    }

    fn lower_detection(&self, document: &Document, detections: &Detections, lowered: &mut Lowered) {
        let mut reader = self.lowerer(document, lowered);
        let aggregated = detections.conditions.iter().any(|condition| condition.aggregation.is_some());
        let body = if aggregated {
            aggregation(&mut reader, document, detections, &self.filter(document, &mut Vec::new()))
        } else {
            let predicate = reader.detections(detections);
            let filter = self.filter(document, &mut lowered.diagnostics);
            Some(RuleBody {
                filters: vec![Predicate::all([predicate, filter])],
                tail: Tail::Events { limits: Vec::new() },
            })
        };
        lowered.body = body.filter(|_| !reader.failed());
        lowered.diagnostics.append(&mut reader.diagnostics);
        lowered.reasons.append(&mut reader.reasons);
    }

    /// What the filters ask of a rule's events besides.
    fn filter(&self, document: &Document, diagnostics: &mut Vec<Diagnostic>) -> Predicate {
        let mut parts = Vec::new();
        for filter in &self.documents {
            let Body::Filter { rules, detections } = &filter.body else { continue };
            let named = match rules {
                FilterTarget::Any => true,
                FilterTarget::Named(names) => names
                    .iter()
                    .any(|name| [&document.id, &document.name, &document.title].into_iter().any(|own| own == name)),
            };
            if !named || !filter.log_source.covers(&document.log_source) {
                continue;
            }
            let mut lowerer = Lowerer::new(&filter.file, Taxonomy::Sigma, &self.options.placeholders);
            let predicate = lowerer.detections(detections);
            // A faulty filter is said where it stands; to leave it out would find more than the user wants, and to
            // apply it in part might find less, so the rule tells.
            if lowerer.failed() || filter.diagnostics.iter().any(|d| d.level == diagnostics::Level::Error) {
                let message = format!("the filter `{}` is faulty and not applied", filter.title);
                diagnostics
                    .push(Diagnostic::warning("sigma-filter", message).in_file(&document.file).at(document.span, ""));
                continue;
            }
            parts.push(predicate);
        }
        Predicate::all(parts)
    }

    fn check_filter(&self, document: &Document, rules: &FilterTarget, detections: &Detections, lowered: &mut Lowered) {
        let mut reader = self.lowerer(document, lowered);
        reader.detections(detections);
        lowered.diagnostics.append(&mut reader.diagnostics);
        lowered.reasons.append(&mut reader.reasons);
        let mut negates = false;
        for condition in detections.conditions.iter().filter_map(|condition| condition.tree.as_ref()) {
            walk(condition, &mut |part| negates |= matches!(part, Condition::Not(_)));
        }
        if !negates {
            let message = "the filter keeps only events that its selections find";
            let span = detections.conditions.first().map_or(document.span, |condition| condition.span);
            let help = "to leave such events out, write `condition: not …`";
            lowered.diagnostics.push(
                Diagnostic::warning("sigma-filter", message).in_file(&document.file).at(span, "").with_help(help),
            );
        }
        if let FilterTarget::Named(names) = rules {
            for name in names.iter().filter(|name| !self.by_name.contains_key(*name)) {
                let message = format!("no rule that was loaded is called `{name}`");
                lowered
                    .diagnostics
                    .push(Diagnostic::note("sigma-filter", message).in_file(&document.file).at(document.span, ""));
            }
        }
    }

    fn lower_correlation(&self, number: usize, document: &Document, rule: &CorrelationRule, lowered: &mut Lowered) {
        let mut builder = Builder {
            collection: self,
            filters: Vec::new(),
            open: vec![number],
            reasons: Vec::new(),
            faults: Vec::new(),
        };
        let correlation = builder.correlation(document, rule, &[]);
        lowered.reasons.append(&mut builder.reasons);
        lowered.diagnostics.append(&mut builder.faults);
        let faulty = lowered.diagnostics.iter().any(|diagnostic| diagnostic.level == diagnostics::Level::Error);
        lowered.body = correlation
            .filter(|_| !faulty)
            .map(|correlation| RuleBody { filters: builder.filters, tail: Tail::Correlation(correlation) });
    }
}

/// The log sources of the rules that a correlation names itself.
fn referred_sources(document: &Document, documents: &[Document], by_name: &BTreeMap<String, usize>) -> Vec<LogSource> {
    let Body::Correlation(rule) = &document.body else { return Vec::new() };
    let numbers = rule.rules.iter().filter_map(|(name, _)| by_name.get(name));
    numbers.filter_map(|number| documents.get(*number)).map(|document| document.log_source.clone()).collect()
}

fn reason(verdict: Verdict, code: &'static str, span: Span, message: impl Into<String>) -> SupportReason {
    SupportReason { verdict, code, message: message.into(), span: Some(span) }
}

/// Puts a correlation together from the rules that it refers to.
struct Builder<'a> {
    collection: &'a Collection,
    filters: Vec<Predicate>,
    /// The documents that are being put together, outermost first.
    open: Vec<usize>,
    reasons: Vec<SupportReason>,
    faults: Vec<Diagnostic>,
}

/// A correlation around the one at hand, and the name by which it refers to it.
#[derive(Clone, Copy)]
struct Level<'a> {
    rule: &'a CorrelationRule,
    name: &'a str,
}

impl<'a> Builder<'a> {
    fn fault(&mut self, document: &Document, span: Span, message: String, help: String) {
        self.faults.push(
            Diagnostic::error("sigma-correlation-rules", message).in_file(&document.file).at(span, "").with_help(help),
        );
    }

    /// `around`: the correlations around this one, innermost first.
    fn correlation(
        &mut self,
        document: &'a Document,
        rule: &'a CorrelationRule,
        around: &[Level<'a>],
    ) -> Option<Correlation> {
        let mut inputs = Vec::new();
        for (name, span) in &rule.rules {
            let levels: Vec<Level<'a>> = [Level { rule, name }].into_iter().chain(around.iter().copied()).collect();
            inputs.push(self.input(document, name, *span, &levels)?);
        }
        Some(Correlation {
            condition: condition(rule, inputs.len()),
            inputs,
            keys: rule.group_by.iter().map(|name| Arc::from(name.as_str())).collect(),
            span: rule.timespan,
        })
    }

    fn input(
        &mut self,
        document: &'a Document,
        name: &str,
        span: Span,
        levels: &[Level<'a>],
    ) -> Option<CorrelationInput> {
        let collection = self.collection;
        let Some(number) = collection.by_name.get(name).copied() else {
            let known = closest(name, collection.by_name.keys().map(String::as_str));
            let help = match known {
                Some(known) => format!("did you mean `{known}`?"),
                None => "load it together with the correlation; it is known by its id or name".to_owned(),
            };
            self.fault(document, span, format!("there is no rule `{name}`"), help);
            return None;
        };
        if self.open.contains(&number) || self.open.len() > MAX_CHAIN {
            let help = "a correlation may not refer to itself, not even by way of others".to_owned();
            self.fault(document, span, format!("`{name}` leads back to this correlation"), help);
            return None;
        }
        let referred = collection.documents.get(number)?;
        match &referred.body {
            Body::Correlation(inner) => {
                self.open.push(number);
                let correlation = self.correlation(referred, inner, levels);
                self.open.pop();
                Some(CorrelationInput::Correlation(Box::new(correlation?)))
            }
            Body::Detection(_) => {
                let lowered = collection.lower(number);
                let alone = matches!(&lowered.body, Some(RuleBody { tail: Tail::Events { .. }, .. }));
                for mut reason in lowered.reasons {
                    reason.message = format!("{name}: {}", reason.message);
                    reason.span = Some(span);
                    self.reasons.push(reason);
                }
                let filter = lowered.body.filter(|_| alone).and_then(|mut body| body.filters.pop());
                let Some(filter) = filter else {
                    let unsupported = self.reasons.iter().any(|reason| reason.verdict >= Verdict::Unsupported);
                    if !unsupported {
                        let help = "see what is said about it".to_owned();
                        self.fault(document, span, format!("the rule `{name}` cannot be run"), help);
                    }
                    return None;
                };
                self.filters.push(filter);
                Some(CorrelationInput::Filter {
                    filter: self.filters.len() - 1,
                    sources: sources(&referred.log_source),
                    reads: levels.iter().map(|level| read(level)).collect(),
                })
            }
            Body::Filter { .. } | Body::Faulty => {
                let help = "see what is said about it".to_owned();
                self.fault(document, span, format!("the rule `{name}` cannot be run"), help);
                None
            }
        }
    }
}

/// The events that a log source means.
pub fn sources(log_source: &LogSource) -> Sources {
    if log_source.is_empty() { Sources::Any } else { Sources::LogSource(log_source.clone()) }
}

/// What a correlation reads of the events of a rule that it knows by this name.
fn read(level: &Level<'_>) -> CorrelationRead {
    let field = |name: &String| {
        let alias = level.rule.aliases.iter().find(|(alias, _)| alias == name);
        let own = alias.and_then(|(_, fields)| fields.iter().find(|(rule, _)| rule == level.name));
        FieldRef::new(Taxonomy::Sigma, own.map_or(name.as_str(), |(_, field)| field.as_str()))
    };
    CorrelationRead {
        keys: level.rule.group_by.iter().map(field).collect(),
        values: level.rule.condition.fields.iter().map(field).collect(),
    }
}

fn condition(rule: &CorrelationRule, inputs: usize) -> CorrelationCondition {
    let term = &rule.condition;
    let ordered = rule.kind == CorrelationType::TemporalOrdered;
    if rule.kind.is_temporal() && term.comparisons.is_empty() {
        let occurrence = match &term.names {
            Some(condition) => occurrence(condition, rule),
            None => Occurrence::All((0..inputs).map(Occurrence::Input).collect()),
        };
        return if ordered {
            CorrelationCondition::OccurInOrder(occurrence)
        } else {
            CorrelationCondition::Occur(occurrence)
        };
    }
    let measure = match rule.kind {
        CorrelationType::EventCount => Measure::Events,
        CorrelationType::ValueCount => Measure::Distinct,
        CorrelationType::ValueSum => Measure::Sum,
        CorrelationType::ValueAvg => Measure::Average,
        CorrelationType::ValuePercentile => Measure::Percentile(term.percentile.unwrap_or(50.0)),
        CorrelationType::ValueMedian => Measure::Percentile(50.0),
        CorrelationType::Temporal => Measure::Inputs,
        CorrelationType::TemporalOrdered => Measure::InputsInOrder,
    };
    CorrelationCondition::Measure { measure, comparisons: term.comparisons.clone() }
}

fn occurrence(condition: &Condition, rule: &CorrelationRule) -> Occurrence {
    let all = |parts: &[Condition]| parts.iter().map(|part| occurrence(part, rule)).collect();
    match condition {
        Condition::Name(name, _) => match rule.rules.iter().position(|(own, _)| own == name) {
            Some(input) => Occurrence::Input(input),
            None => Occurrence::Any(Vec::new()),
        },
        Condition::Of { all, pattern, .. } => {
            let fits = |name: &str| pattern.as_deref().is_none_or(|pattern| lurcher_schema::star_match(pattern, name));
            let inputs = rule.rules.iter().enumerate().filter(|(_, (name, _))| fits(name));
            let inputs = inputs.map(|(input, _)| Occurrence::Input(input)).collect();
            if *all { Occurrence::All(inputs) } else { Occurrence::Any(inputs) }
        }
        Condition::And(parts) => Occurrence::All(all(parts)),
        Condition::Or(parts) => Occurrence::Any(all(parts)),
        Condition::Not(inner) => Occurrence::Not(Box::new(occurrence(inner, rule))),
    }
}

/// The deprecated aggregation of a condition as a correlation.
fn aggregation(
    lowerer: &mut Lowerer<'_>,
    document: &Document,
    detections: &Detections,
    besides: &Predicate,
) -> Option<RuleBody> {
    let [only] = detections.conditions.as_slice() else {
        let message = "several conditions, one of them with an aggregation";
        lowerer.reasons.push(reason(Verdict::Unsupported, "aggregation", document.span, message));
        return None;
    };
    if detections.timeframe.is_none() {
        let message = "the rule aggregates and has no `timeframe`, so all events together are one window";
        lowerer.reasons.push(reason(Verdict::Approximate, "aggregation", only.span, message));
    }
    if matches!(&only.tree, Some(Condition::And(parts)) if parts.is_empty()) {
        let message = "the rule aggregates and selects nothing, so all events of its log source count";
        lowerer.reasons.push(reason(Verdict::Approximate, "aggregation", only.span, message));
    }
    let base = Predicate::all([lowerer.condition_text(only, detections), besides.clone()]);
    let field = |name: &str| FieldRef::new(lowerer.taxonomy, name);
    let input = |filter: usize, keys: Vec<FieldRef>, values: Vec<FieldRef>| CorrelationInput::Filter {
        filter,
        sources: sources(&document.log_source),
        reads: vec![CorrelationRead { keys, values }],
    };
    let span = detections.timeframe;
    let (filters, correlation) = match only.aggregation.as_ref()? {
        Aggregation::Function { function, field: of, by, comparison, value } => {
            let measure = match (function, of) {
                (AggregationFunction::Count, None) => Measure::Events,
                (AggregationFunction::Count, Some(_)) => Measure::Distinct,
                (AggregationFunction::Min, _) => Measure::Percentile(0.0),
                (AggregationFunction::Max, _) => Measure::Percentile(100.0),
                (AggregationFunction::Avg, _) => Measure::Average,
                (AggregationFunction::Sum, _) => Measure::Sum,
            };
            let keys = by.iter().map(|name| field(name)).collect();
            let values = of.iter().map(|name| field(name)).collect();
            let condition = CorrelationCondition::Measure { measure, comparisons: vec![(*comparison, *value)] };
            let keys_named = by.iter().map(|name| Arc::from(name.as_str())).collect();
            let inputs = vec![input(0, keys, values)];
            (vec![base], Correlation { inputs, keys: keys_named, span, condition })
        }
        Aggregation::Near(tree) => {
            let mut filters = vec![base];
            let near = near(lowerer, tree, detections, besides, &mut filters)?;
            let condition = CorrelationCondition::Occur(Occurrence::All(vec![Occurrence::Input(0), near]));
            let inputs = (0..filters.len()).map(|filter| input(filter, Vec::new(), Vec::new())).collect();
            (filters, Correlation { inputs, keys: Vec::new(), span, condition })
        }
    };
    Some(RuleBody { filters, tail: Tail::Correlation(correlation) })
}

/// What must be near: each selection becomes an input of its own.
fn near(
    lowerer: &mut Lowerer<'_>,
    tree: &Condition,
    detections: &Detections,
    besides: &Predicate,
    filters: &mut Vec<Predicate>,
) -> Option<Occurrence> {
    Some(match tree {
        Condition::And(parts) | Condition::Or(parts) => {
            let parts: Vec<Occurrence> =
                parts.iter().filter_map(|part| near(lowerer, part, detections, besides, filters)).collect();
            if matches!(tree, Condition::And(_)) { Occurrence::All(parts) } else { Occurrence::Any(parts) }
        }
        Condition::Not(inner) => {
            let inner = lowerer.below_not(|lowerer| near(lowerer, inner, detections, besides, filters))?;
            Occurrence::Not(Box::new(inner))
        }
        leaf => {
            let own = lowerer.condition(leaf, detections)?;
            filters.push(Predicate::all([own, besides.clone()]));
            Occurrence::Input(filters.len() - 1)
        }
    })
}
