//! Processing pipelines: what a site changes about rules before they run, in the format of pySigma.
//!
//! A pipeline is a list of transformations, each with conditions on the rule, on the item (a field with its values) and
//! on the field's name. They are applied in order, to one document after the other, each document with a state of its
//! own. What concerns the text of a target's query (`postprocessing`, `finalizers`) has no meaning here. A
//! transformation that is not known makes each rule that it would have changed say so.
//!
//! Source: pySigma's documentation of processing pipelines; where it is silent, its classes of the same names.

use std::collections::{BTreeMap, BTreeSet};

use lurcher_ir::{SupportReason, Verdict};
use lurcher_schema::LogSource;

use super::{
    ast::{Body, Condition, ConditionText, Detection, Detections, Document, Item, Modifier, ScalarData, Selection},
    value::Text,
};

pub use super::pipeline_parser::parse;

/// A pipeline.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// What it is called.
    pub name: String,
    /// Pipelines of a lower number come first.
    pub priority: i64,
    /// Values of placeholders.
    pub vars: BTreeMap<String, Vec<String>>,
    /// What is done, in order.
    pub items: Vec<ProcessingItem>,
}

/// One transformation and when it is applied.
#[derive(Clone, Debug)]
pub struct ProcessingItem {
    /// Its name, for conditions on what was applied before.
    pub id: String,
    /// What is done.
    pub transformation: Transformation,
    /// Conditions on the rule.
    pub rule: Conditions,
    /// Conditions on an item.
    pub item: Conditions,
    /// Conditions on a field's name.
    pub field: Conditions,
}

/// Conditions and how they are joined.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// The conditions and their names (numbers from 1 where they have none).
    pub all: Vec<(String, Test)>,
    /// One is enough.
    pub any: bool,
    /// The whole is negated.
    pub negated: bool,
    /// How they are joined, over their names; takes the place of `any`.
    pub expression: Option<Condition>,
}

/// One condition.
#[derive(Clone, Debug)]
pub enum Test {
    /// The rule is written for this log source, or a part of it.
    LogSource(LogSource),
    /// The rule has an item of this field and value; without a value, of this field.
    ContainsItem(String, Option<String>),
    /// An earlier transformation was applied.
    Applied(String),
    /// The state has this value under this key.
    State(String, String),
    /// It is a detection rule.
    IsRule,
    /// It is a correlation.
    IsCorrelation,
    /// The rule's attribute compares so with one of the texts: `eq`, `ne`, `gt`, `in` …
    Attribute(String, String, Vec<String>),
    /// The rule has this tag.
    Tag(String),
    /// A value (all values, if the flag is set) is matched by the expression.
    MatchString(regex::Regex, bool),
    /// A value (all values, if the flag is set) is this.
    MatchValue(ScalarData, bool),
    /// A value is null.
    IsNull,
    /// A value has a wildcard.
    ContainsWildcard,
    /// The field's name is one of these, or is matched by one of the expressions; the flag negates.
    Fields(Vec<String>, Vec<regex::Regex>, bool),
    /// Not known; it never holds, and the rule says so.
    Unknown(String),
}

/// What is done.
#[derive(Clone, Debug)]
pub enum Transformation {
    /// Other names for fields; of several names each is an alternative.
    MapFields(BTreeMap<String, Vec<String>>),
    /// Other beginnings of field names.
    MapPrefixes(BTreeMap<String, Vec<String>>),
    /// A text before and one after each field's name.
    Affix(String, String),
    /// Takes items away.
    DropItem,
    /// Adds a selection that must hold, or must not.
    AddCondition {
        /// Its items: field with modifiers, and values.
        items: Vec<Detection>,
        /// What the selection is called; empty: a name of its own.
        name: String,
        /// Whether it must not hold.
        negated: bool,
    },
    /// Another log source.
    ChangeLogSource(LogSource),
    /// Replaces what the expression finds in values.
    ReplaceString(regex::Regex, String),
    /// Other values; of several each is an alternative.
    MapString(BTreeMap<String, Vec<String>>),
    /// Other values altogether.
    SetValue(ScalarData),
    /// Values in `lower` or `upper` case.
    Case(String),
    /// Values as `str` or `num`.
    ConvertType(String),
    /// Placeholders become the pipeline's variables; the lists say which are meant and which are not.
    ValuePlaceholders(Vec<String>, Vec<String>),
    /// Placeholders become `*`.
    WildcardPlaceholders(Vec<String>, Vec<String>),
    /// Splits `Hashes` into a field for each algorithm: those that are valid, and what stands before their names.
    HashesFields(Vec<String>, String),
    /// Sets the state.
    SetState(String, String),
    /// Fails the rule with this message.
    Fail(String),
    /// Fails the rule if a field of it has no other name by now.
    FailUnmapped,
    /// Has to do with what is shown only.
    Nothing,
    /// Several, one after the other.
    Nest(Vec<ProcessingItem>),
    /// Not known.
    Unknown(String),
}

/// Applies pipelines to a document, in order of priority. `referred`: the log sources of the rules that a correlation is
/// about, since it has none of its own.
pub fn apply(pipelines: &[std::sync::Arc<Pipeline>], document: &mut Document, referred: Vec<LogSource>) {
    let mut ordered: Vec<&Pipeline> = pipelines.iter().map(AsRef::as_ref).collect();
    ordered.sort_by_key(|pipeline| pipeline.priority);
    let mut run = Run { referred, ..Run::default() };
    for pipeline in ordered {
        run.vars.extend(pipeline.vars.clone());
        run.items(&pipeline.items, document);
    }
}

/// What is known while pipelines are applied to one document.
#[derive(Default)]
struct Run {
    state: BTreeMap<String, String>,
    applied: BTreeSet<String>,
    vars: BTreeMap<String, Vec<String>>,
    /// The names that fields were given.
    mapped: BTreeSet<String>,
    referred: Vec<LogSource>,
    added: usize,
}

impl Run {
    fn items(&mut self, items: &[ProcessingItem], document: &mut Document) {
        for item in items {
            if item.rule.all.is_empty() || self.holds(&item.rule, &|run, test| run.rule_test(test, document)) {
                Self::say_unknown(item, document);
                self.transform(item, document);
                self.applied.insert(item.id.clone());
            }
        }
    }

    fn say_unknown(item: &ProcessingItem, document: &mut Document) {
        let conditions = [&item.rule, &item.item, &item.field].into_iter().flat_map(|conditions| &conditions.all);
        let mut unknown: Vec<String> = conditions
            .filter_map(|(_, test)| match test {
                Test::Unknown(name) => Some(format!("the pipeline's condition `{name}` is not known and never holds")),
                _ => None,
            })
            .collect();
        if let Transformation::Unknown(name) = &item.transformation {
            unknown.push(format!("the pipeline's transformation `{name}` is not known and not applied"));
        }
        for message in unknown {
            document.reasons.push(SupportReason {
                verdict: Verdict::Approximate,
                code: "pipeline",
                message,
                span: Some(document.span),
            });
        }
    }

    /// Whether conditions hold, by the truth of each.
    fn holds(&self, conditions: &Conditions, test: &dyn Fn(&Self, &Test) -> bool) -> bool {
        if conditions.all.is_empty() {
            return true;
        }
        let mut results = conditions.all.iter().map(|(_, own)| test(self, own));
        let joined = match &conditions.expression {
            Some(expression) => expression_holds(expression, &|name| {
                conditions.all.iter().any(|(own, condition)| own == name && test(self, condition))
            }),
            None if conditions.any => results.any(|truth| truth),
            None => results.all(|truth| truth),
        };
        joined != conditions.negated
    }

    fn rule_test(&self, test: &Test, document: &Document) -> bool {
        match test {
            Test::LogSource(wanted) if matches!(document.body, Body::Correlation(_)) => {
                self.referred.iter().any(|own| wanted.covers(own))
            }
            Test::LogSource(wanted) => wanted.covers(&document.log_source),
            Test::ContainsItem(field, value) => {
                let mut found = false;
                each_item(document, &mut |item| {
                    let fits =
                        |data: &ScalarData| value.as_ref().is_none_or(|value| data.text().as_ref() == Some(value));
                    found |= item.field.as_deref() == Some(field)
                        && (value.is_none() || item.values.iter().any(|own| fits(&own.data)));
                });
                found
            }
            Test::IsRule => matches!(document.body, Body::Detection(_)),
            Test::IsCorrelation => matches!(document.body, Body::Correlation(_)),
            Test::Attribute(name, operator, values) => match operator.as_str() {
                "in" => values.iter().any(|value| attribute(document, name, "eq", value)),
                "not_in" => !values.iter().any(|value| attribute(document, name, "eq", value)),
                _ => values.iter().any(|value| attribute(document, name, operator, value)),
            },
            Test::Tag(tag) => document.tags.iter().any(|own| own == tag),
            other => self.common(other),
        }
    }

    fn common(&self, test: &Test) -> bool {
        match test {
            Test::Applied(id) => self.applied.contains(id),
            Test::State(key, value) => self.state.get(key) == Some(value),
            _ => false,
        }
    }

    fn item_test(&self, test: &Test, item: &Item) -> bool {
        let texts = || item.values.iter().map(|value| value.data.text().unwrap_or_default());
        match test {
            Test::MatchString(regex, true) => texts().all(|text| regex.is_match(&text)),
            Test::MatchString(regex, false) => texts().any(|text| regex.is_match(&text)),
            Test::MatchValue(wanted, true) => item.values.iter().all(|value| same(&value.data, wanted)),
            Test::MatchValue(wanted, false) => item.values.iter().any(|value| same(&value.data, wanted)),
            Test::Applied(id) => item.changed_by.contains(id),
            Test::IsNull => item.values.iter().any(|value| value.data == ScalarData::Null),
            Test::ContainsWildcard => texts().any(|text| Text::parse(&text).has_wildcards()),
            other => self.common(other),
        }
    }

    /// `item`: what the name stands in, if it is no correlation's.
    fn field_test(&self, test: &Test, name: &str, item: Option<&Item>) -> bool {
        match test {
            Test::Applied(id) if item.is_some() => item.is_some_and(|item| item.changed_by.contains(id)),
            Test::Fields(names, regexes, negated) => {
                let found = names.iter().any(|own| own == name) || regexes.iter().any(|regex| regex.is_match(name));
                found != *negated
            }
            other => self.common(other),
        }
    }

    /// Whether an item is meant.
    fn means(&self, processing: &ProcessingItem, item: &Item) -> bool {
        let field = item.field.as_deref().unwrap_or("");
        self.holds(&processing.item, &|run, test| run.item_test(test, item))
            && self.holds(&processing.field, &|run, test| run.field_test(test, field, Some(item)))
    }

    fn transform(&mut self, processing: &ProcessingItem, document: &mut Document) {
        match &processing.transformation {
            Transformation::SetState(key, value) => drop(self.state.insert(key.clone(), value.clone())),
            Transformation::ChangeLogSource(source) => document.log_source = source.clone(),
            Transformation::Fail(message) => self.fail(processing, document, message),
            Transformation::AddCondition { items, name, negated } => self.add(document, items, name, *negated),
            Transformation::Nest(items) => self.items(items, document),
            Transformation::FailUnmapped => self.fail_unmapped(document),
            Transformation::Nothing | Transformation::Unknown(_) => {}
            _ => {
                self.note_names(processing, document);
                self.map_items(processing, document);
                self.map_correlation(processing, document);
            }
        }
    }

    /// Keeps the names that fields are about to be given.
    fn note_names(&mut self, processing: &ProcessingItem, document: &Document) {
        let mut names = Vec::new();
        each_item(document, &mut |item| {
            let meant = item.field.as_deref().filter(|_| self.means(processing, item));
            names.extend(meant.and_then(|field| renamed(&processing.transformation, field)).unwrap_or_default());
        });
        self.mapped.extend(names);
    }

    fn fail_unmapped(&self, document: &mut Document) {
        let mut unmapped = BTreeSet::new();
        each_item(document, &mut |item| {
            unmapped.extend(item.field.clone().filter(|field| !self.mapped.contains(field)));
        });
        if !unmapped.is_empty() {
            let names: Vec<String> = unmapped.iter().map(|name| format!("`{name}`")).collect();
            document.reasons.push(SupportReason {
                verdict: Verdict::Unsupported,
                code: "pipeline",
                message: format!("the pipeline asks for a name of each field and gives none to {}", names.join(", ")),
                span: Some(document.span),
            });
        }
    }

    fn fail(&self, processing: &ProcessingItem, document: &mut Document, message: &str) {
        let mut meant = processing.item.all.is_empty() && processing.field.all.is_empty();
        each_item(document, &mut |item| meant |= self.means(processing, item));
        if meant {
            document.reasons.push(SupportReason {
                verdict: Verdict::Unsupported,
                code: "pipeline",
                message: message.to_owned(),
                span: Some(document.span),
            });
        }
    }

    fn add(&mut self, document: &mut Document, items: &[Detection], name: &str, negated: bool) {
        let Body::Detection(detections) = &mut document.body else { return };
        self.added += 1;
        let name = if name.is_empty() { format!("_pipeline_{}", self.added) } else { name.to_owned() };
        let span = document.span;
        let items = items.iter().map(|item| at(item, span)).collect();
        detections.selections.push(Selection { name: name.clone(), detection: Detection::All(items) });
        let own = Condition::Name(name, span);
        let own = if negated { Condition::Not(Box::new(own)) } else { own };
        for condition in &mut detections.conditions {
            condition.tree = condition.tree.take().map(|tree| Condition::And(vec![own.clone(), tree]));
        }
    }

    fn map_items(&self, processing: &ProcessingItem, document: &mut Document) {
        let (Body::Detection(detections) | Body::Filter { detections, .. }) = &mut document.body else { return };
        for selection in &mut detections.selections {
            selection.detection = self
                .map_detection(processing, &selection.detection)
                // A selection of which nothing is left says nothing.
                .unwrap_or_else(|| Detection::All(Vec::new()));
        }
        forget_empty(detections);
    }

    fn map_detection(&self, processing: &ProcessingItem, detection: &Detection) -> Option<Detection> {
        let parts = |parts: &[Detection]| -> Vec<Detection> {
            parts.iter().filter_map(|part| self.map_detection(processing, part)).collect()
        };
        match detection {
            Detection::All(inner) => Some(Detection::All(parts(inner))).filter(|d| !is_empty(d)),
            Detection::Any(inner) => Some(Detection::Any(parts(inner))).filter(|d| !is_empty(d)),
            Detection::Item(item) if !self.means(processing, item) => {
                Some(Detection::Item(self.map_reference(processing, item.clone())))
            }
            Detection::Item(item) => {
                let mut item = self.map_reference(processing, item.clone());
                let kept = is_renaming(&processing.transformation)
                    && item.field.as_deref().and_then(|field| renamed(&processing.transformation, field)).is_none();
                if !kept {
                    item.changed_by.insert(processing.id.clone());
                }
                self.map_item(&processing.transformation, item)
            }
        }
    }

    /// The field that a `fieldref` names is a field too.
    fn map_reference(&self, processing: &ProcessingItem, mut item: Item) -> Item {
        if item.modifiers.contains(&Modifier::FieldRef) {
            let before = item.clone();
            for value in &mut item.values {
                let Some(name) = value.data.text() else { continue };
                let meant = self.holds(&processing.field, &|run, test| run.field_test(test, &name, Some(&before)));
                if let Some(new) =
                    renamed(&processing.transformation, &name).filter(|_| meant).and_then(|new| new.into_iter().next())
                {
                    value.data = ScalarData::Text(new);
                }
            }
        }
        item
    }

    fn map_item(&self, transformation: &Transformation, mut item: Item) -> Option<Detection> {
        if let Some(field) = &item.field
            && let Some(names) = renamed(transformation, field)
        {
            let mut alternatives: Vec<Detection> =
                names.into_iter().map(|name| Detection::Item(Item { field: Some(name), ..item.clone() })).collect();
            return match alternatives.len() {
                1 => alternatives.pop(),
                _ => Some(Detection::Any(alternatives)),
            };
        }
        match transformation {
            Transformation::DropItem => return None,
            Transformation::HashesFields(valid, prefix) => return Some(hashes(item, valid, prefix)),
            Transformation::SetValue(value) => item.values.iter_mut().for_each(|own| own.data = value.clone()),
            Transformation::ReplaceString(regex, replacement) => {
                change_texts(&mut item, &|text| vec![regex.replace_all(text, replacement.as_str()).into_owned()]);
            }
            Transformation::MapString(mapping) => {
                change_texts(&mut item, &|text| mapping.get(text).cloned().unwrap_or_else(|| vec![text.to_owned()]));
            }
            Transformation::Case(method) => change_texts(&mut item, &|text| {
                vec![if method == "upper" { text.to_uppercase() } else { text.to_lowercase() }]
            }),
            Transformation::ConvertType(to) => {
                for value in &mut item.values {
                    value.data = match (&value.data, to.as_str()) {
                        (ScalarData::Number(text), "str") => ScalarData::Text(text.clone()),
                        (ScalarData::Text(text), "num") if text.parse::<f64>().is_ok() => {
                            ScalarData::Number(text.clone())
                        }
                        (other, _) => other.clone(),
                    };
                }
            }
            Transformation::ValuePlaceholders(include, exclude) if item.modifiers.contains(&Modifier::Expand) => {
                Self::fill(&mut item, include, exclude, &|name| self.vars.get(name).cloned());
            }
            Transformation::WildcardPlaceholders(include, exclude) if item.modifiers.contains(&Modifier::Expand) => {
                Self::fill(&mut item, include, exclude, &|_| Some(vec!["*".to_owned()]));
            }
            _ => {}
        }
        Some(Detection::Item(item))
    }

    fn fill(item: &mut Item, include: &[String], exclude: &[String], values: &dyn Fn(&str) -> Option<Vec<String>>) {
        change_texts(item, &|text| {
            let mut texts = vec![text.to_owned()];
            let names: Vec<String> = Text::parse(text).with_placeholders().placeholders().map(str::to_owned).collect();
            for name in names {
                let meant = (include.is_empty() || include.contains(&name)) && !exclude.contains(&name);
                let Some(values) = values(&name).filter(|_| meant) else { continue };
                let placeholder = format!("%{name}%");
                texts = texts
                    .iter()
                    .flat_map(|text| values.iter().map(|value| text.replace(&placeholder, value)).collect::<Vec<_>>())
                    .collect();
            }
            texts
        });
    }

    /// A correlation's own field names.
    fn map_correlation(&self, processing: &ProcessingItem, document: &mut Document) {
        let Body::Correlation(rule) = &mut document.body else { return };
        let aliases: Vec<String> = rule.aliases.iter().map(|(alias, _)| alias.clone()).collect();
        let new = |name: &str| {
            let meant = self.holds(&processing.field, &|run, test| run.field_test(test, name, None));
            renamed(&processing.transformation, name).filter(|_| meant).and_then(|new| new.into_iter().next())
        };
        for name in rule.group_by.iter_mut().chain(&mut rule.condition.fields) {
            if !aliases.contains(name)
                && let Some(new) = new(name)
            {
                *name = new;
            }
        }
        for (_, field) in rule.aliases.iter_mut().flat_map(|(_, fields)| fields) {
            if let Some(new) = new(field) {
                *field = new;
            }
        }
    }
}

/// The names that a transformation gives a field; `None` if it leaves it alone.
fn renamed(transformation: &Transformation, field: &str) -> Option<Vec<String>> {
    match transformation {
        Transformation::MapFields(mapping) => mapping.get(field).cloned().filter(|names| !names.is_empty()),
        Transformation::MapPrefixes(mapping) => mapping.iter().find_map(|(prefix, new)| {
            let rest = field.strip_prefix(prefix.as_str())?;
            Some(new.iter().map(|new| format!("{new}{rest}")).collect())
        }),
        Transformation::Affix(before, after) => Some(vec![format!("{before}{field}{after}")]),
        _ => None,
    }
}

fn is_renaming(transformation: &Transformation) -> bool {
    matches!(transformation, Transformation::MapFields(_) | Transformation::MapPrefixes(_) | Transformation::Affix(..))
}

/// Equal, numbers as numbers.
fn same(a: &ScalarData, b: &ScalarData) -> bool {
    match (a, b) {
        (ScalarData::Number(a), ScalarData::Number(b)) => a.parse::<f64>() == b.parse::<f64>(),
        _ => a == b,
    }
}

fn change_texts(item: &mut Item, change: &dyn Fn(&str) -> Vec<String>) {
    item.values = std::mem::take(&mut item.values)
        .into_iter()
        .flat_map(|value| match &value.data {
            ScalarData::Text(text) => change(text)
                .into_iter()
                .map(|text| super::ast::Scalar { data: ScalarData::Text(text), span: value.span })
                .collect(),
            _ => vec![value],
        })
        .collect();
}

/// `Hashes|contains: 'SHA256=…'` as a field for each algorithm.
fn hashes(item: Item, valid: &[String], prefix: &str) -> Detection {
    if !item
        .field
        .as_deref()
        .is_some_and(|field| field.eq_ignore_ascii_case("hashes") || field.eq_ignore_ascii_case("hash"))
    {
        return Detection::Item(item);
    }
    let mut parts = Vec::new();
    for value in &item.values {
        let text = value.data.text().unwrap_or_default();
        let text = text.trim_matches('*');
        let known = text.split_once('=').or_else(|| text.split_once('|'));
        let (name, hash) = known.map_or_else(
            || {
                let name = match text.len() {
                    32 => "MD5",
                    40 => "SHA1",
                    64 => "SHA256",
                    128 => "SHA512",
                    _ => "",
                };
                (name.to_owned(), text)
            },
            |(name, hash)| (name.to_uppercase(), hash),
        );
        if valid.is_empty() || valid.iter().any(|own| own.eq_ignore_ascii_case(&name)) {
            let value = super::ast::Scalar { data: ScalarData::Text(hash.to_owned()), span: value.span };
            let field = Some(format!("{prefix}{name}"));
            parts.push(Detection::Item(Item { field, modifiers: Vec::new(), values: vec![value], ..item.clone() }));
        }
    }
    if item.modifiers.contains(&Modifier::All) { Detection::All(parts) } else { Detection::Any(parts) }
}

fn is_empty(detection: &Detection) -> bool {
    match detection {
        Detection::Item(_) => false,
        Detection::All(parts) | Detection::Any(parts) => parts.iter().all(is_empty),
    }
}

/// Takes selections of which nothing is left out of the conditions.
fn forget_empty(detections: &mut Detections) {
    let empty: Vec<String> =
        detections.selections.iter().filter(|own| is_empty(&own.detection)).map(|own| own.name.clone()).collect();
    if empty.is_empty() {
        return;
    }
    detections.selections.retain(|selection| !empty.contains(&selection.name));
    for ConditionText { tree, .. } in &mut detections.conditions {
        *tree = tree.take().and_then(|tree| without(tree, &empty));
    }
}

fn without(condition: Condition, names: &[String]) -> Option<Condition> {
    match condition {
        Condition::Name(name, _) if names.contains(&name) => None,
        Condition::And(parts) | Condition::Or(parts) if parts.is_empty() => None,
        Condition::And(parts) => {
            let kept: Vec<Condition> = parts.into_iter().filter_map(|part| without(part, names)).collect();
            (!kept.is_empty()).then_some(Condition::And(kept))
        }
        Condition::Or(parts) => {
            let kept: Vec<Condition> = parts.into_iter().filter_map(|part| without(part, names)).collect();
            (!kept.is_empty()).then_some(Condition::Or(kept))
        }
        Condition::Not(inner) => without(*inner, names).map(|inner| Condition::Not(Box::new(inner))),
        other => Some(other),
    }
}

/// The same detection, standing at a place of another file.
fn at(detection: &Detection, span: lurcher_diagnostics::Span) -> Detection {
    match detection {
        Detection::Item(item) => {
            let mut item = item.clone();
            item.span = span;
            item.values.iter_mut().for_each(|value| value.span = span);
            Detection::Item(item)
        }
        Detection::All(parts) => Detection::All(parts.iter().map(|part| at(part, span)).collect()),
        Detection::Any(parts) => Detection::Any(parts.iter().map(|part| at(part, span)).collect()),
    }
}

fn each_item(document: &Document, visit: &mut dyn FnMut(&Item)) {
    fn walk(detection: &Detection, visit: &mut dyn FnMut(&Item)) {
        match detection {
            Detection::Item(item) => visit(item),
            Detection::All(parts) | Detection::Any(parts) => parts.iter().for_each(|part| walk(part, visit)),
        }
    }
    if let Body::Detection(detections) | Body::Filter { detections, .. } = &document.body {
        detections.selections.iter().for_each(|selection| walk(&selection.detection, visit));
    }
}

fn expression_holds(expression: &Condition, named: &dyn Fn(&str) -> bool) -> bool {
    match expression {
        Condition::Name(name, _) => named(name),
        Condition::And(parts) => parts.iter().all(|part| expression_holds(part, named)),
        Condition::Or(parts) => parts.iter().any(|part| expression_holds(part, named)),
        Condition::Not(inner) => !expression_holds(inner, named),
        Condition::Of { .. } => false,
    }
}

fn attribute(document: &Document, name: &str, operator: &str, value: &str) -> bool {
    const LEVELS: [&str; 5] = ["informational", "low", "medium", "high", "critical"];
    const STATUSES: [&str; 5] = ["unsupported", "deprecated", "experimental", "test", "stable"];
    let rank = |words: &[&str], word: &str| words.iter().position(|own| *own == word);
    let order = match name {
        "level" => rank(&LEVELS, &document.level).zip(rank(&LEVELS, value)).map(|(a, b)| a.cmp(&b)),
        "status" => rank(&STATUSES, &document.status).zip(rank(&STATUSES, value)).map(|(a, b)| a.cmp(&b)),
        "title" => Some(document.title.as_str().cmp(value)),
        "id" => Some(document.id.as_str().cmp(value)),
        "name" => Some(document.name.as_str().cmp(value)),
        "taxonomy" => Some(document.taxonomy.as_str().cmp(value)),
        _ => None,
    };
    order.is_some_and(|order| match operator {
        "ne" => order.is_ne(),
        "gt" => order.is_gt(),
        "gte" => order.is_ge(),
        "lt" => order.is_lt(),
        "lte" => order.is_le(),
        _ => order.is_eq(),
    })
}
