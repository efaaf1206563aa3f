//! The full story of one test that failed: what is wanted, what the event has, where that comes from, and what nearly
//! was.

use lurcher_engine::explain::{Decisive, NearMiss, Reason, near_misses};
use lurcher_ir::FieldRef;
use lurcher_schema::{Event, Provenance, Schemas, Value};
use serde_json::{Value as Json, json};

use super::words;

/// So many fields with similar names are offered.
const SIMILAR: usize = 3;
/// So many raw fields are shown.
const RAW: usize = 4;

/// One test (or expression) that decided that a predicate does not hold.
#[derive(Clone, Debug)]
pub(crate) struct Failing {
    /// The field, or the expression.
    pub(crate) subject: String,
    /// What is wanted of it, in words; empty for an expression.
    pub(crate) wanted: String,
    /// It is an exclusion that took hold.
    pub(crate) negated: bool,
    /// How many further alternatives there were.
    pub(crate) alternatives: usize,
    /// What each field read has.
    pub(crate) fields: Vec<FieldStory>,
    /// What nearly was.
    pub(crate) near: Vec<NearMiss>,
}

/// What an event has for a field, and why.
#[derive(Clone, Debug)]
pub(crate) struct FieldStory {
    /// The field with its taxonomy.
    pub(crate) field: FieldRef,
    /// Its value; null if the event does not have it.
    pub(crate) value: Value,
    /// The raw fields that it is made from, with their values.
    pub(crate) raw: Vec<(String, Value)>,
    /// Where that is said.
    pub(crate) mapping: Option<Provenance>,
    /// Of a field that is missing: fields with a similar name that are there, with their values.
    pub(crate) similar: Vec<(String, Value)>,
}

impl Failing {
    /// The story of a part that decided.
    pub(crate) fn new(decisive: &Decisive<'_, '_>, event: &Event, schemas: &Schemas) -> Self {
        let story = |field: &FieldRef, value: &Value| FieldStory::new(field, value, event, schemas);
        let (negated, alternatives) = (decisive.negated, decisive.alternatives);
        match &decisive.part.reason {
            Reason::Test { field, test, value } => Self {
                subject: field.path.to_string(),
                wanted: words::test(test),
                negated,
                alternatives,
                fields: vec![story(field, value)],
                near: if negated { Vec::new() } else { near_misses(test, value) },
            },
            Reason::Holds { expr, fields } => Self {
                subject: words::expression(expr),
                wanted: String::new(),
                negated,
                alternatives,
                fields: fields.iter().map(|(field, value)| story(field, value)).collect(),
                near: Vec::new(),
            },
            _ => Self {
                subject: format!("the rule is always {}", decisive.part.holds),
                wanted: String::new(),
                negated,
                alternatives,
                fields: Vec::new(),
                near: Vec::new(),
            },
        }
    }

    /// The headline: what is wanted.
    pub(crate) fn headline(&self) -> String {
        let not = if self.negated { "not: " } else { "" };
        format!("{not}{} {}", self.subject, self.wanted).trim_end().to_owned()
    }

    /// The story in lines, without indentation: what the event has, from where, and what nearly was.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for story in &self.fields {
            story.lines(self.fields.len() > 1, &mut lines);
        }
        if self.alternatives > 0 {
            let others = if self.alternatives == 1 { "alternative was" } else { "alternatives were" };
            lines.push(format!("or else        {} other {others} no nearer", self.alternatives));
        }
        lines.extend(self.near.iter().map(|near| format!("near miss      {near}")));
        lines
    }

    /// For programs.
    pub(crate) fn to_json(&self) -> Json {
        json!({
            "test": self.headline(),
            "excluded": self.negated,
            "other_alternatives": self.alternatives,
            "fields": self.fields.iter().map(FieldStory::to_json).collect::<Vec<_>>(),
            "near_misses": self.near.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}

impl FieldStory {
    /// What the event has for a field.
    pub(crate) fn new(field: &FieldRef, value: &Value, event: &Event, schemas: &Schemas) -> Self {
        let binding = schemas.bind(field.taxonomy, field.path.as_str(), &event.shape);
        let raw_value = |name: &str| event.raw.get(name).cloned().or_else(|| event.raw.path(name)).unwrap_or_default();
        let raw: Vec<(String, Value)> =
            binding.raw_fields().into_iter().take(RAW).map(|name| (name.to_owned(), raw_value(name))).collect();
        let mapping = schemas.provenance(field.taxonomy, field.path.as_str(), &event.shape);
        let similar = if value.is_missing() { similar(field, event, schemas) } else { Vec::new() };
        Self { field: field.clone(), value: value.clone(), raw, mapping, similar }
    }

    fn lines(&self, named: bool, lines: &mut Vec<String>) {
        let name = if named { format!("{} = ", self.field.path) } else { String::new() };
        lines.push(format!("the event has  {name}{}", words::shown(&self.value)));
        let own = self.field.path.as_str();
        let some = self.raw.iter().any(|(_, value)| !value.is_missing());
        let worth =
            |(raw, value): &&(String, Value)| (raw != own || *value != self.value) && (!some || !value.is_missing());
        for (raw, value) in self.raw.iter().filter(worth) {
            lines.push(format!("from           {raw} = {}", words::shown(value)));
        }
        if let Some(mapping) = &self.mapping {
            lines.push(format!("mapped by      {}:{}", mapping.pack, mapping.line));
            lines.push(format!("               {}", mapping.expression));
        } else if self.value.is_missing() {
            lines.push(format!("mapped by      nothing: no mapping pack gives these events {}", self.field));
        }
        if !self.similar.is_empty() {
            let names: Vec<String> =
                self.similar.iter().map(|(name, value)| format!("{name} = {}", words::shown(value))).collect();
            lines.push(format!("it does have   {}", names.join("\n               ")));
        }
    }

    fn to_json(&self) -> Json {
        let pairs = |pairs: &[(String, Value)]| -> Json {
            Json::Object(pairs.iter().map(|(name, value)| (name.clone(), value.to_json())).collect())
        };
        json!({
            "field": self.field.path.as_str(),
            "taxonomy": self.field.taxonomy.name(),
            "value": self.value.to_json(),
            "raw": pairs(&self.raw),
            "mapping": self.mapping.as_ref().map(|m| json!({"pack": m.pack, "line": m.line, "expression": m.expression})),
            "similar": pairs(&self.similar),
        })
    }
}

/// Fields of the same taxonomy that the event has and whose last word is like this one's, the most similar first.
fn similar(field: &FieldRef, event: &Event, schemas: &Schemas) -> Vec<(String, Value)> {
    let wanted = field.path.as_str().to_lowercase();
    let last = |path: &str| path.rsplit('.').next().unwrap_or(path).to_lowercase();
    let likeness = |path: &str| {
        let whole = strsim::jaro_winkler(&wanted, &path.to_lowercase());
        let tail = strsim::jaro_winkler(&last(&wanted), &last(path));
        if whole < 0.75 { 0.0 } else { whole.midpoint(tail) }
    };
    let document = schemas.normalise(event, field.taxonomy);
    let mut leaves = Vec::new();
    flatten(&Value::Object(std::sync::Arc::new(document)), String::new(), &mut leaves);
    let mut ranked: Vec<(f64, String, Value)> = leaves
        .into_iter()
        .map(|(path, value)| (likeness(&path), path, value))
        .filter(|(likeness, path, _)| *likeness > 0.82 && *path != field.path.as_str())
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    ranked.into_iter().take(SIMILAR).map(|(_, path, value)| (path, value)).collect()
}

/// The leaves of a document by their dotted paths.
fn flatten(value: &Value, path: String, leaves: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object.iter() {
                let below = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
                flatten(value, below, leaves);
            }
        }
        value if value.is_missing() => {}
        value => leaves.push((path, value.clone())),
    }
}
