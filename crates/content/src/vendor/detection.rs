//! What Elastic's detection engine does with the events that a rule's query lets through, by the rule's type:
//! thresholds, new terms, indicator matches; and the suppression of their alerts.
//!
//! Fields as in the detection engine's rule schema, both as the rule repository's TOML spells them and as Kibana
//! exports them. What this does not do: the queries themselves, filters and exceptions.

use std::{sync::Arc, time::Duration};

use lurcher_diagnostics::SourceFile;
use lurcher_frontend::{Language, Options, query_dsl};
use lurcher_ir::{
    Distinct, FieldRef, Indicators, LookBack, MissingFields, NewTerms, Pairing, Predicate, RuleBody, Sources,
    SupportReason, Suppression, Tail, Threshold, Verdict,
};
use lurcher_schema::{RelativeTime, Rounding, Schemas, Taxonomy};

use super::{Draft, elastic::duration};
use crate::{embedded::Embedded, node::Node};

/// A rule's own date math that cannot be read falls back to this.
const DEFAULT_HISTORY: &str = "now-7d";

/// The query that finds indicators.
#[derive(Debug)]
pub(crate) struct IndicatorQuery {
    query: Option<Embedded>,
    language: Language,
    filters: Vec<Node>,
}

/// How many fields new terms may have.
const MOST_TERMS: usize = 3;

/// What a rule's type makes of the events of its query.
#[derive(Debug)]
pub(crate) struct Detection {
    tail: Tail,
    indicators: Option<IndicatorQuery>,
}

fn ecs(path: &str) -> FieldRef {
    FieldRef::new(Taxonomy::Ecs, path)
}

/// Reads what belongs to a rule's type, and its suppression.
pub(crate) fn read(draft: &mut Draft, kind: &str, rule: &Node) {
    draft.detection = match kind {
        "threshold" => threshold(draft, rule),
        "new_terms" => new_terms(draft, rule),
        "threat_match" => indicators(draft, rule),
        _ => None,
    };
    draft.meta.suppression = suppression(draft, kind, rule);
}

fn threshold(draft: &mut Draft, rule: &Node) -> Option<Detection> {
    let Some(node) = rule.get("threshold") else {
        draft.require("threshold", false, rule);
        return None;
    };
    let keys = node.texts("field").iter().filter(|field| !field.is_empty()).map(|field| ecs(field)).collect();
    let Some(at_least) = node.number("value").filter(|value| *value >= 1.0) else {
        draft.fault(node, "the threshold has no `value` of 1 or more", "say how many events it takes");
        return None;
    };
    let mut limits = node.items("cardinality").iter().filter(|limit| !limit.text("field").is_empty());
    let distinct = limits.next().map(|limit| Distinct {
        field: ecs(&limit.text("field")),
        at_least: limit.number("value").unwrap_or(1.0) as u64,
    });
    if limits.next().is_some() {
        let message = "of several cardinalities only the first counts, as in Kibana";
        draft.warn(node, message, "state one");
    }
    let tail = Tail::Threshold(Threshold { keys, at_least: at_least as u64, distinct });
    Some(Detection { tail, indicators: None })
}

fn new_terms(draft: &mut Draft, rule: &Node) -> Option<Detection> {
    let inner = rule.get("new_terms");
    let mut names = rule.texts("new_terms_fields");
    names.extend(inner.map(|inner| inner.texts("value")).unwrap_or_default());
    names.retain(|name| !name.is_empty());
    if names.is_empty() {
        draft.require("new_terms field", false, rule);
        return None;
    }
    if names.len() > MOST_TERMS {
        let message = format!("{} fields are too many for new terms", names.len());
        draft.fault(inner.unwrap_or(rule), message, format!("state {MOST_TERMS} at most"));
        return None;
    }
    let nested = inner.and_then(|inner| inner.items("history_window_start").first().cloned());
    let text = match nested {
        Some(nested) => nested.text("value"),
        None => rule.text("history_window_start"),
    };
    let written = if text.is_empty() { DEFAULT_HISTORY } else { text.as_str() };
    let Some(history) = RelativeTime::from_date_math(written, Rounding::Down) else {
        let message = format!("`{written}` is no date math");
        draft.fault(inner.unwrap_or(rule), message, "write the beginning of the history as now-7d");
        return None;
    };
    let fields = names.iter().map(|name| ecs(name)).collect();
    Some(Detection { tail: Tail::NewTerms(NewTerms { fields, history }), indicators: None })
}

fn indicators(draft: &mut Draft, rule: &Node) -> Option<Detection> {
    let mut alternatives = Vec::new();
    for item in rule.items("threat_mapping") {
        let pairing = |entry: &Node| Pairing {
            field: ecs(&entry.text("field")),
            indicator: ecs(&entry.text("value")),
            negated: entry.flag("negate"),
        };
        let entries: Vec<Pairing> = item.items("entries").iter().map(pairing).collect();
        if !entries.is_empty() {
            alternatives.push(entries);
        }
    }
    if alternatives.is_empty() {
        draft.require("threat_mapping", false, rule);
        return None;
    }
    let patterns = rule.texts("threat_index");
    let named = !patterns.is_empty();
    draft.require("threat_index", named, rule);
    let path = rule.text("threat_indicator_path");
    let object = ecs(if path.is_empty() { "threat.indicator" } else { &path });
    let query = rule.get("threat_query").and_then(|node| Some((node.scalar()?, node.span)));
    let query = query.filter(|(text, _)| !matches!(text.trim(), "" | "*" | "*:*"));
    let language = if rule.text("threat_language") == "lucene" { Language::Lucene } else { Language::Kql };
    Some(Detection {
        tail: Tail::Indicators(Indicators { filter: 1, sources: Sources::Indices(patterns), alternatives, object }),
        indicators: Some(IndicatorQuery {
            query: query.map(|(text, span)| Embedded { text, file: Arc::clone(&draft.file), span }),
            language,
            filters: rule.items("threat_filters").to_vec(),
        }),
    })
}

impl Detection {
    /// Puts the tail behind the events of the rule's query. What is said is about the rule's file.
    pub(crate) fn apply(self, body: &mut RuleBody, draft: &mut Said<'_>) {
        if !matches!(&body.tail, Tail::Events { limits } if limits.is_empty()) {
            let message = "a rule of this type needs a query that yields events".to_owned();
            draft.reasons.push(SupportReason { verdict: Verdict::Error, code: "rule-type", message, span: None });
            return;
        }
        if let Some(IndicatorQuery { query, language, filters }) = self.indicators {
            let own = query.map_or(Predicate::Constant(true), |query| draft.lower(&query, language));
            let (filter, refused) = query_dsl::filters(&filters, &query_dsl::Context::ecs(draft.schemas));
            let refused = refused.into_iter().map(|message| SupportReason {
                verdict: Verdict::Approximate,
                code: "filters",
                message,
                span: None,
            });
            draft.reasons.extend(refused);
            body.filters.push(Predicate::all([own, filter]));
        }
        body.tail = self.tail;
    }
}

/// Where what is said about a rule goes, and what is needed to read a query.
pub(crate) struct Said<'a> {
    pub(crate) path: &'a str,
    pub(crate) schemas: &'a Schemas,
    pub(crate) reasons: &'a mut Vec<SupportReason>,
    pub(crate) diagnostics: &'a mut Vec<lurcher_diagnostics::Diagnostic>,
}

impl Said<'_> {
    /// Lowers the query that finds indicators; nothing passes it if it has faults.
    fn lower(&mut self, query: &Embedded, language: Language) -> Predicate {
        let file = SourceFile::new(self.path.to_owned(), query.text.clone());
        let lowered = language.lower(&file, &Options::default(), self.schemas);
        let about = lowered.reasons.into_iter().map(|mut reason| {
            reason.message = format!("the query for indicators: {}", reason.message);
            reason.span = None;
            reason
        });
        self.reasons.extend(about);
        self.diagnostics.extend(query.relocate(lowered.diagnostics));
        let first = lowered.body.and_then(|body| body.filters.into_iter().next());
        first.unwrap_or(Predicate::Constant(false))
    }
}

fn suppression(draft: &mut Draft, kind: &str, rule: &Node) -> Option<Suppression> {
    let node = rule.get("alert_suppression")?;
    let mut fields = node.texts("group_by");
    fields.retain(|field| !field.is_empty());
    if kind == "threshold" {
        // A threshold's alerts are alike if their buckets are.
        fields = rule.get("threshold").map(|threshold| threshold.texts("field")).unwrap_or_default();
        fields.retain(|field| !field.is_empty());
    } else if fields.is_empty() {
        draft.warn(node, "`alert_suppression` has no `group_by`", "name one to three fields");
        return None;
    }
    let period = node.get("duration").and_then(|duration_node| {
        let written = format!("{}{}", duration_node.number("value").unwrap_or(0.0) as u64, duration_node.text("unit"));
        let period = duration(&written).filter(|period| *period > Duration::ZERO);
        if period.is_none() {
            draft.fault(
                duration_node,
                "the duration cannot be read",
                "write { value = 5, unit = \"h\" }; units s, m, h",
            );
        }
        period
    });
    let missing = match node.text("missing_fields_strategy").as_str() {
        "doNotSuppress" => MissingFields::Raise,
        _ => MissingFields::Suppress,
    };
    // Kibana groups the events of a query by its buckets, in which each value of a list stands; other types' alerts are
    // compared when they are made.
    let each = matches!(kind, "query" | "saved_query");
    Some(Suppression { fields, each, period, missing })
}

/// The window of a run, both ends included.
pub(crate) fn look_back(draft: &mut Draft, rule: &Node) -> Option<LookBack> {
    let (from, to) = (draft.meta.schedule.from.clone(), draft.meta.schedule.to.clone());
    let mut read = |name: &str, text: &str, rounding| {
        let time = RelativeTime::from_date_math(text, rounding);
        if time.is_none() {
            let message = format!("`{name}` is `{text}`, which is no date math");
            draft.fault(rule.get(name).unwrap_or(rule), message, "write a time as now-9m");
        }
        time
    };
    let (from, to) = (read("from", &from, Rounding::Down), read("to", &to, Rounding::Up));
    from.zip(to).map(|(from, to)| LookBack { from, to })
}
