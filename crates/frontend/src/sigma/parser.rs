//! YAML documents to the tree of [`super::ast`].
//!
//! Nothing stops the reading: what cannot be read is said, with its place, and left out. Keys that a document has beyond
//! those of the specification are custom fields and nobody's business here.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use lurcher_diagnostics::{Diagnostic, Level, SourceFile, Span};
use lurcher_ir::{SupportReason, Verdict};
use lurcher_schema::LogSource;

use super::{
    ast::{
        Body, ConditionText, Detection, Detections, Document, FilterTarget, Item, Modifier, Scalar, ScalarData,
        Selection,
    },
    condition, correlation_parser,
};
use crate::{
    syntax::closest,
    tree::{Data, Node},
};

/// The documents of a file as rules of their own: those with `action: global` are spread over what follows, up to
/// `action: reset`; `action: repeat` is the document before it with changes.
///
/// Maps are merged key by key, anything else is replaced; what the global document says wins, as in pySigma.
pub fn spread(documents: Vec<Node>) -> Vec<Node> {
    let mut global: Option<Node> = None;
    let mut previous: Option<Node> = None;
    let mut rules = Vec::new();
    for mut document in documents {
        let Data::Map(members) = &mut document.data else { continue };
        let action = members.iter().find(|(name, _)| name == "action").and_then(|(_, node)| node.scalar());
        members.retain(|(name, _)| name != "action");
        match action.as_deref() {
            Some("global") => {
                global = Some(document.clone());
                previous = Some(document);
            }
            Some("reset") => global = None,
            Some("repeat") => {
                let mut repeated = previous.clone().unwrap_or_else(|| document.clone());
                let span = document.span;
                update(&mut repeated, &document);
                repeated.span = span;
                previous = Some(repeated.clone());
                rules.push(repeated);
            }
            _ => {
                if let Some(global) = &global {
                    update(&mut document, global);
                }
                previous = Some(document.clone());
                rules.push(document);
            }
        }
    }
    rules
}

/// Merges `from` into `to`.
fn update(to: &mut Node, from: &Node) {
    let (Data::Map(members), Data::Map(changes)) = (&mut to.data, &from.data) else { return };
    for (name, change) in changes {
        match members.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) if matches!((&own.data, &change.data), (Data::Map(_), Data::Map(_))) => update(own, change),
            Some((_, own)) => *own = change.clone(),
            None => members.push((name.clone(), change.clone())),
        }
    }
}

/// Reads a document.
pub fn parse(file: &Arc<SourceFile>, node: &Node) -> Document {
    let mut reader = Reader { file, diagnostics: Vec::new() };
    let span = first_line(file, node.span);
    let log_source = reader.log_source(node);
    let (taxonomy, name) = (node.text("taxonomy"), node.text("name"));
    let body = match (node.get("correlation"), node.get("filter"), node.get("detection")) {
        (Some(correlation), ..) => match correlation_parser::parse(&mut reader, correlation) {
            Some(rule) => Body::Correlation(rule),
            None => Body::Faulty,
        },
        (None, Some(filter), _) => reader.filter(filter),
        (None, None, Some(detection)) => {
            if node.get("logsource").is_none() {
                let message = "the rule does not say what it is written for";
                let help = "add `logsource:` with `category`, `product` or `service`";
                reader.fault("sigma-logsource", span, message, "", help);
            }
            reader.detections(detection).map_or(Body::Faulty, Body::Detection)
        }
        (None, None, None) => {
            let help = "a rule has `detection:`, a correlation `correlation:`, a filter `filter:`";
            reader.fault("sigma-no-detection", span, "the document detects nothing", "", help);
            Body::Faulty
        }
    };
    let mut reasons = Vec::new();
    let prose = (node.text("status") == "unsupported").then(|| reader.prose()).flatten();
    let body = if let Some(reason) = prose {
        reasons.push(reason);
        Body::Faulty
    } else {
        body
    };
    Document {
        file: Arc::clone(file),
        span,
        title: node.text("title"),
        id: node.text("id"),
        name,
        level: node.text("level"),
        status: node.text("status"),
        tags: node.texts("tags"),
        taxonomy,
        log_source,
        body,
        diagnostics: reader.diagnostics,
        reasons,
    }
}

/// Reads the parts of a document and gathers what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) file: &'a Arc<SourceFile>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    pub(super) fn fault(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        label: &str,
        help: impl Into<String>,
    ) {
        self.push(Diagnostic::error(code, message).at(span, label).with_help(help));
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic.in_file(self.file));
    }

    /// Conditions in words that no version of Sigma has, in a rule whose status says that it cannot be run: no fault of
    /// the rule, and nothing that could be guessed.
    fn prose(&mut self) -> Option<SupportReason> {
        let unreadable =
            |diagnostic: &&mut Diagnostic| diagnostic.code == "sigma-condition" && diagnostic.level == Level::Error;
        let mut reason = None;
        for diagnostic in self.diagnostics.iter_mut().filter(unreadable) {
            diagnostic.level = Level::Warning;
            let message = format!("the condition is prose, as the rule's status says: {}", diagnostic.message);
            let span = diagnostic.labels.first().map(|label| label.span);
            reason.get_or_insert(SupportReason { verdict: Verdict::Unsupported, code: "condition", message, span });
        }
        reason
    }

    fn log_source(&mut self, document: &Node) -> LogSource {
        let Some(node) = document.get("logsource") else { return LogSource::default() };
        if !matches!(node.data, Data::Map(_)) {
            let help = "write `category:`, `product:` or `service:` below it";
            self.fault("sigma-logsource", node.span, "a log source is a map", "", help);
        }
        let source = LogSource::new(&node.text("category"), &node.text("product"), &node.text("service"));
        if source.is_empty() && matches!(node.data, Data::Map(_)) {
            let help = "write `category:`, `product:` or `service:` below it";
            let place = first_line(self.file, node.span);
            self.fault("sigma-logsource", place, "the log source names nothing", "", help);
        }
        source
    }

    fn filter(&mut self, node: &Node) -> Body {
        let rules = if let Some(rules) = node.get("rules") {
            let named = node.texts("rules");
            let any = |name: &String| ["any", "all"].contains(&name.to_lowercase().as_str());
            match (&rules.data, named.as_slice()) {
                (Data::List(items), _) if items.is_empty() => FilterTarget::Any,
                (_, [only]) if any(only) => FilterTarget::Any,
                _ => FilterTarget::Named(named),
            }
        } else {
            let help = "list ids or names of rules, or write `rules: any`";
            self.fault("sigma-filter", first_line(self.file, node.span), "the filter names no rules", "", help);
            FilterTarget::Named(Vec::new())
        };
        match self.detections(node) {
            Some(detections) => Body::Filter { rules, detections },
            None => Body::Faulty,
        }
    }

    /// The selections and conditions of `detection:` or `filter:`.
    pub(super) fn detections(&mut self, node: &Node) -> Option<Detections> {
        let Data::Map(members) = &node.data else {
            let help = "write named selections below it, and a `condition:`";
            self.fault("sigma-detection", node.span, "a detection is a map", "", help);
            return None;
        };
        let mut detections = Detections::default();
        for (name, node) in members {
            match name.as_str() {
                "condition" => self.conditions(node, &mut detections),
                "timeframe" => {
                    detections.timeframe = node.scalar().and_then(|text| timespan(&text));
                    if detections.timeframe.is_none() {
                        let help = "write a number and s, m, h or d, such as `5m`";
                        self.fault("sigma-timespan", node.span, "this is no length of time", "", help);
                    }
                }
                "rules" => {}
                _ => {
                    let detection = self.detection(node);
                    detections.selections.push(Selection { name: name.clone(), detection });
                }
            }
        }
        if detections.conditions.is_empty() {
            let help = "write `condition:` with the name of a selection";
            let span = first_line(self.file, node.span);
            self.fault("sigma-no-condition", span, "the detection has no condition", "", help);
            return None;
        }
        self.check_names(&detections, node);
        Some(detections)
    }

    fn conditions(&mut self, node: &Node, detections: &mut Detections) {
        let nodes = match &node.data {
            Data::List(items) => items.iter().collect(),
            _ => vec![node],
        };
        for node in nodes {
            let Some(text) = node.scalar() else {
                let help = "write the names of selections with `and`, `or` and `not`";
                self.fault("sigma-condition", node.span, "a condition is text", "", help);
                continue;
            };
            let parsed = condition::parse(&text);
            let place = Place::new(self.file, node.span, &text);
            for diagnostic in parsed.diagnostics {
                self.push(diagnostic.relocated(self.file, |offset| place.offset(offset)));
            }
            let tree = parsed.tree.map(|tree| place.condition(tree));
            detections.conditions.push(ConditionText { text, span: node.span, tree, aggregation: parsed.aggregation });
        }
    }

    /// Names in conditions that no selection has, and selections that no condition names.
    fn check_names(&mut self, detections: &Detections, node: &Node) {
        let names: Vec<&str> = detections.selections.iter().map(|selection| selection.name.as_str()).collect();
        let mut used = vec![false; names.len()];
        let (mut faults, mut unmeant) = (Vec::new(), Vec::new());
        let mut visit = |condition: &super::ast::Condition| match condition {
            super::ast::Condition::Name(name, span) => match names.iter().position(|known| known == name) {
                Some(at) => used[at] = true,
                None => faults.push((
                    *span,
                    format!("there is no selection `{name}`"),
                    closest(name, names.iter().copied()),
                )),
            },
            super::ast::Condition::Of { pattern, span, .. } => {
                let fitting: Vec<usize> =
                    (0..names.len()).filter(|at| selects(pattern.as_deref(), names[*at])).collect();
                if fitting.is_empty() {
                    let what = pattern.as_deref().unwrap_or("them");
                    unmeant.push((*span, format!("no selection is meant by `{what}`, so it falls away")));
                }
                for at in fitting {
                    used[at] = true;
                }
            }
            _ => {}
        };
        for condition in &detections.conditions {
            if let Some(tree) = &condition.tree {
                walk(tree, &mut visit);
            }
            if let Some(super::ast::Aggregation::Near(tree)) = &condition.aggregation {
                walk(tree, &mut visit);
            }
        }
        let readable = faults.is_empty() && detections.conditions.iter().all(|condition| condition.tree.is_some());
        for (span, message) in unmeant {
            self.push(Diagnostic::warning("sigma-unknown-selection", message).at(span, ""));
        }
        for (span, message, known) in faults {
            let diagnostic = Diagnostic::error("sigma-unknown-selection", message).at(span, "");
            self.push(match known {
                Some(known) => diagnostic.with_help(format!("did you mean `{known}`?")),
                None => diagnostic.with_help(format!("the selections are {}", list(&names))),
            });
        }
        for (name, _) in names.iter().zip(used).filter(|(name, used)| readable && !used && !name.starts_with('_')) {
            let place = node.get(name).map_or(node.span, |own| key_span(self.file, name, own.span));
            let message = format!("no condition names the selection `{name}`");
            self.push(Diagnostic::warning("sigma-unused-selection", message).at(place, ""));
        }
    }

    /// A selection: a map, a list of maps, keywords, or lists of such.
    pub(super) fn detection(&mut self, node: &Node) -> Detection {
        match &node.data {
            Data::Map(members) => {
                if members.is_empty() {
                    let help = "write fields and their values below it";
                    self.fault("sigma-empty-selection", node.span, "the selection is empty", "", help);
                }
                let items = members.iter().filter_map(|(key, value)| self.item(key, value));
                Detection::All(items.map(Detection::Item).collect())
            }
            Data::List(items) if items.is_empty() => {
                let help = "write fields and their values, or keywords, below it";
                self.fault("sigma-empty-selection", node.span, "the selection is empty", "", help);
                Detection::Any(Vec::new())
            }
            Data::List(items) if items.iter().all(|item| scalar(item).is_some()) => {
                keywords(items.iter().filter_map(scalar).collect(), node.span)
            }
            Data::List(items) => Detection::Any(items.iter().map(|item| self.detection(item)).collect()),
            _ => keywords(scalar(node).into_iter().collect(), node.span),
        }
    }

    fn item(&mut self, key: &str, node: &Node) -> Option<Item> {
        let span = key_span(self.file, key, node.span);
        let mut parts = key.split('|');
        let field = parts.next().map(str::to_owned).filter(|field| !field.is_empty());
        let mut modifiers = Vec::new();
        for name in parts {
            if let Some(modifier) = Modifier::from_name(name) {
                modifiers.push(modifier);
                continue;
            }
            let diagnostic = Diagnostic::error("sigma-unknown-modifier", format!("there is no modifier `{name}`"))
                .at(part_span(self.file, span, name), "");
            self.push(match closest(name, Modifier::NAMES.iter().copied()) {
                Some(known) => diagnostic.with_help(format!("did you mean `{known}`?")),
                None => diagnostic,
            });
            return None;
        }
        let values = match &node.data {
            Data::List(items) => {
                let mut values = Vec::new();
                for item in items {
                    match scalar(item) {
                        Some(value) => values.push(value),
                        None => self.no_value(item),
                    }
                }
                values
            }
            Data::Map(_) => {
                self.no_value(node);
                return None;
            }
            _ => scalar(node).into_iter().collect(),
        };
        if modifiers.contains(&Modifier::All) && values.len() == 1 && !modifiers.contains(&Modifier::Expand) {
            let message = "`all` of a single value says nothing";
            let place = part_span(self.file, span, "all");
            self.push(Diagnostic::warning("sigma-single-all", message).at(place, "").with_help("leave it out"));
        }
        Some(Item { field, modifiers, values, span, changed_by: BTreeSet::new() })
    }

    fn no_value(&mut self, node: &Node) {
        let help = "a field has one value or a list of values; for alternatives of several fields write a list of maps";
        self.fault("sigma-value", first_line(self.file, node.span), "this is no value", "", help);
    }
}

/// Visits every part of a condition.
pub(super) fn walk(condition: &super::ast::Condition, visit: &mut dyn FnMut(&super::ast::Condition)) {
    use super::ast::Condition::{And, Name, Not, Of, Or};
    visit(condition);
    match condition {
        And(parts) | Or(parts) => parts.iter().for_each(|part| walk(part, visit)),
        Not(inner) => walk(inner, visit),
        Name(..) | Of { .. } => {}
    }
}

/// Whether a pattern of `1 of` or `all of` means this selection. Names that begin with `_` are never meant.
pub(super) fn selects(pattern: Option<&str>, name: &str) -> bool {
    !name.starts_with('_') && pattern.is_none_or(|pattern| lurcher_schema::star_match(pattern, name))
}

pub(super) fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Values that stand without a field: words to find anywhere in the event.
fn keywords(values: Vec<Scalar>, span: Span) -> Detection {
    Detection::Item(Item { field: None, modifiers: Vec::new(), values, span, changed_by: BTreeSet::new() })
}

fn scalar(node: &Node) -> Option<Scalar> {
    let data = match &node.data {
        Data::Null => ScalarData::Null,
        Data::Bool(truth) => ScalarData::Bool(*truth),
        Data::Number(text) => ScalarData::Number(text.clone()),
        Data::Text(text) => ScalarData::Text(text.clone()),
        Data::List(_) | Data::Map(_) => return None,
    };
    Some(Scalar { data, span: node.span })
}

/// A length of time: a whole number and `s`, `m`, `h`, `d`, `w`, `M` (a twelfth of a year) or `y`.
pub(super) fn timespan(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.chars().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        'M' => 2_629_746,
        'y' => 31_556_952,
        _ => return None,
    };
    let count: u64 = text.get(..text.len() - 1)?.trim().parse().ok().filter(|count| *count > 0)?;
    count.checked_mul(seconds).map(Duration::from_secs)
}

/// The first line of a place: a whole rule underlined helps nobody.
pub(super) fn first_line(file: &SourceFile, span: Span) -> Span {
    let line = file.slice(span).lines().next().unwrap_or("");
    let start = span.start as usize;
    Span::new(start, start + line.trim_end().len())
}

/// Where the key of a value stands: the last place before it that spells the key.
pub(super) fn key_span(file: &SourceFile, key: &str, value: Span) -> Span {
    let before = file.text().get(..value.start as usize).unwrap_or("");
    match before.rfind(key) {
        Some(at) if !key.is_empty() => Span::new(at, at + key.len()),
        _ => first_line(file, value),
    }
}

/// Where a modifier stands within a key.
fn part_span(file: &SourceFile, key: Span, part: &str) -> Span {
    let text = file.slice(key);
    match text.match_indices(part).find(|(at, _)| text[..*at].ends_with('|')) {
        Some((at, _)) => Span::new(key.start as usize + at, key.start as usize + at + part.len()),
        None => key,
    }
}

/// Offsets into a text that a scalar holds to offsets into the file.
struct Place {
    start: u32,
    /// Whether the file spells the text as it is; else the whole scalar is meant.
    verbatim: bool,
    whole: Span,
}

impl Place {
    fn new(file: &SourceFile, span: Span, text: &str) -> Self {
        let found = file.slice(span).find(text);
        Self { start: span.start + found.unwrap_or(0) as u32, verbatim: found.is_some(), whole: span }
    }

    fn offset(&self, offset: u32) -> u32 {
        if self.verbatim { self.start + offset } else { self.whole.start }
    }

    fn span(&self, span: Span) -> Span {
        if self.verbatim { Span { start: self.start + span.start, end: self.start + span.end } } else { self.whole }
    }

    fn condition(&self, condition: super::ast::Condition) -> super::ast::Condition {
        use super::ast::Condition::{And, Name, Not, Of, Or};
        match condition {
            Name(name, span) => Name(name, self.span(span)),
            Of { all, pattern, span } => Of { all, pattern, span: self.span(span) },
            And(parts) => And(parts.into_iter().map(|part| self.condition(part)).collect()),
            Or(parts) => Or(parts.into_iter().map(|part| self.condition(part)).collect()),
            Not(inner) => Not(Box::new(self.condition(*inner))),
        }
    }
}

/// Reads the text of a scalar as a condition over names, with its faults reported.
pub(super) fn names_condition(reader: &mut Reader<'_>, node: &Node, text: &str) -> Option<super::ast::Condition> {
    let parsed = condition::parse(text);
    let place = Place::new(reader.file, node.span, text);
    for diagnostic in parsed.diagnostics {
        reader.push(diagnostic.relocated(reader.file, |offset| place.offset(offset)));
    }
    parsed.tree.map(|tree| place.condition(tree))
}
